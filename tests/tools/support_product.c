/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Products of a description: firmware, artifacts, rollouts. */

#include <stdio.h>
#include <stdlib.h>

#include "fota_manifest.h"
#include "support_spec.h"


#define PUBLISHED  1767225600           /* 2026-01-01, when none is given */


typedef struct {
    fota_filter_groups_t  groups;       /* first */
    json_t               *names;
} named_groups_t;


static const char *const  brakes[] = { "none", "offers", "cut", NULL };
static const char *const  kinds[] = { "os", "app", "data", NULL };


static int
resolve(fota_filter_groups_t *g, fota_str_t pattern, uint32_t *ids,
    size_t cap, size_t *n, fota_str_t *dynamic)
{
    named_groups_t *named = (named_groups_t *) g;

    json_t      *v;
    const char  *name;

    *n = 0;

    json_object_foreach(named->names, name, v) {
        if (!fota_str_match(pattern, fota_cstr(name))) {
            continue;
        }

        if (json_is_string(v)) {
            *dynamic = fota_cstr(json_string_value(v));
            return FOTA_OK;
        }

        if (*n == cap) {
            return FOTA_LIMIT;
        }

        ids[(*n)++] = (uint32_t) json_integer_value(v);
    }

    return (*n == 0) ? FOTA_NOTFOUND : FOTA_OK;
}


static fota_str_t
filter(spec_t *s, const json_t *obj, const char *name)
{
    int                   rc;
    fota_buf_t            code;
    fota_str_t            text;
    named_groups_t        named;
    fota_filter_node_t   *node;
    fota_filter_error_t   err;

    text = spec_text(obj, name, "");

    named.groups.resolve = resolve;
    named.names = json_object_get(s->root, "groups");

    fota_buf_grow(&code, FOTA_FILTER_CODE_MAX);
    memset(&err, 0, sizeof(err));

    rc = fota_filter_parse(&s->arena.mem, text, &node, &err);

    if (rc == FOTA_OK) {
        rc = fota_filter_compile(&s->arena.mem, node, &named.groups, &code,
                                 &err);
    }

    if (rc != FOTA_OK) {
        spec_die("\"%s\": \"%s\": column %zu: %s (%s)", name,
                 (const char *) text.data, err.column, err.text,
                 fota_status_name(rc));
    }

    text = fota_strdup(&s->arena.mem, fota_buf_slice(&code));
    fota_buf_free(&code);

    return text;
}


void
spec_content(spec_t *s, const json_t *obj, uint8_t sha256[32],
    uint64_t *size)
{
    char            path[8192], buf[65536];
    FILE           *f;
    size_t          n;
    fota_str_t      name;
    fota_sha256_t  *h;

    if (json_object_get(obj, "file") == NULL) {

        if (!spec_hex(obj, "sha256", sha256, 32)) {
            spec_die("an artifact needs \"file\" or \"sha256\"");
        }

        *size = spec_u64(obj, "size", 0, INT64_MAX);
        return;
    }

    name = spec_text(obj, "file", NULL);

    (void) snprintf(path, sizeof(path), "%s%s%s",
                    name.data[0] == '/' ? "" : s->dir,
                    name.data[0] == '/' ? "" : "/", (const char *) name.data);

    f = fopen(path, "rb");
    h = fota_sha256_new();

    if (f == NULL || h == NULL) {
        spec_die("\"file\": cannot open \"%s\"", path);
    }

    *size = 0;

    while ((n = fread(buf, 1, sizeof(buf), f)) != 0) {
        *size += n;

        if (fota_sha256_update(h, buf, n) != FOTA_OK) {
            spec_die("no SHA-256");
        }
    }

    if (ferror(f) || fota_sha256_final(h, sha256) != FOTA_OK) {
        spec_die("\"file\": cannot read \"%s\"", path);
    }

    fclose(f);
    fota_sha256_free(h);
}


void
spec_artifact_info(spec_t *s, const json_t *obj, uint32_t tenant)
{
    uint8_t               key[32];
    fota_artifact_info_t  info;

    memset(&info, 0, sizeof(info));

    spec_content(s, obj, key, &info.size);

    info.tenant = tenant;
    info.published = spec_u64(obj, "published", PUBLISHED, INT64_MAX);
    info.prefetch = spec_bool(obj, "prefetch", true);
    info.name = spec_text(obj, "name", "firmware.bin");

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_ARTIFACT, key, 32,
             fota_artifact_info_encode(&info, &s->buf));
}


static uint16_t
find_firmware(const fota_product_t *p, const json_t *obj, const char *name)
{
    uint8_t     kind;
    uint16_t    i;
    fota_str_t  version;

    kind = (uint8_t) spec_word(obj, "kind", kinds, FOTA_KIND_OS);
    version = spec_text(obj, name, NULL);

    for (i = 0; i < p->nfirmware; i++) {
        if (p->firmware[i].kind == kind
            && fota_str_eq(p->firmware[i].version, version))
        {
            return i;
        }
    }

    spec_die("\"%s\": product has no firmware \"%s\" of this kind", name,
             (const char *) version.data);
}


/* What the tenant's key says of an artifact, when the spec holds the key. */

static void
sign(spec_t *s, const json_t *product, const fota_product_t *p,
    fota_artifact_t *a)
{
    size_t                  i;
    json_t                 *v;
    uint8_t                 sec[32];
    fota_manifest_t         m;
    const fota_firmware_t  *to;

    json_array_foreach(json_object_get(s->root, "tenants"), i, v) {
        if (spec_u64(v, "id", 1, UINT32_MAX) == p->tenant
            && spec_hex(v, "signer_secret", sec, 32))
        {
            to = &p->firmware[a->to];

            memset(&m, 0, sizeof(m));
            m.tenant = spec_text(v, "name", NULL);
            m.product = p->name;
            m.version = to->version;
            m.kind = fota_cstr(fota_kind_name(to->kind));
            m.type = fota_cstr(a->from == FOTA_NONE ? "full" : "delta");
            m.from = (a->from == FOTA_NONE) ? fota_cstr("")
                                            : p->firmware[a->from].version;
            m.format = a->format;
            m.size = a->size;
            memcpy(m.sha256, a->sha256, 32);

            if (fota_manifest_sign(&m, sec, a->sig) != FOTA_OK) {
                spec_die("artifact cannot be signed");
            }

            return;
        }
    }
}


static void
artifact(spec_t *s, const json_t *product, const json_t *obj,
    const fota_product_t *p, fota_artifact_t *a)
{
    spec_known(obj, "artifact", "id kind from to file sha256 size kid sig "
               "format name requires published prefetch info");

    a->id = (uint32_t) spec_u64(obj, "id", 0, UINT32_MAX);
    a->to = find_firmware(p, obj, "to");
    a->from = FOTA_NONE;

    if (spec_text(obj, "from", "").len != 0) {
        a->from = find_firmware(p, obj, "from");
    }

    spec_content(s, obj, a->sha256, &a->size);

    a->kid = (uint16_t) spec_u64(obj, "kid", 1, UINT16_MAX);
    a->format = spec_text(obj, "format", "raw");
    a->name = spec_text(obj, "name", "firmware.bin");
    a->requires = filter(s, obj, "requires");

    if (!spec_hex(obj, "sig", a->sig, 64)) {
        sign(s, product, p, a);
    }

    if (spec_bool(obj, "info", true)) {
        spec_artifact_info(s, obj, p->tenant);
    }
}


static void
windows(spec_t *s, const json_t *obj, fota_rollout_t *r)
{
    size_t       i, pos;
    fota_str_t  *text;

    text = spec_texts(s, obj, "windows", FOTA_WINDOWS_MAX, &r->nwindows);
    r->windows = spec_alloc(s, r->nwindows, sizeof(fota_window_t));

    for (i = 0; i < r->nwindows; i++) {
        if (fota_window_parse(text[i], &r->windows[i], &pos) != FOTA_OK) {
            spec_die("\"windows\": \"%s\": byte %zu",
                     (const char *) text[i].data, pos);
        }
    }
}


static void
rollout(spec_t *s, const json_t *obj, const fota_product_t *p,
    fota_rollout_t *r)
{
    static const char *const  states[] = { "ready", "running", "paused",
        "stopped", "finished", NULL };
    static const char *const  strategies[] = { "full", "delta",
        "sequential", "auto", NULL };
    static const char *const  modes[] = { "device", "zone", NULL };

    json_t  *group;

    spec_known(obj, "rollout", "id state brake kind strategy time_mode "
               "rate_class allow_downgrade geo_unknown_allow require_fresh "
               "test_only weight created salt target reached max_attempts "
               "dispersion token_ttl start end test_group max_active max_bps "
               "error_permille error_min name zone filter include exclude "
               "windows sources");

    r->id = (uint32_t) spec_u64(obj, "id", 0, UINT32_MAX);
    r->state = (uint8_t) spec_word(obj, "state", states,
                                   FOTA_ROLLOUT_RUNNING);
    r->brake = (uint8_t) spec_word(obj, "brake", brakes, 0);
    r->kind = (uint8_t) spec_word(obj, "kind", kinds, 0);
    r->strategy = (uint8_t) spec_word(obj, "strategy", strategies,
                                      FOTA_PATH_AUTO);
    r->time_mode = (uint8_t) spec_word(obj, "time_mode", modes, 0);
    r->rate_class = (uint8_t) spec_u64(obj, "rate_class", 0, 255);
    r->allow_downgrade = spec_bool(obj, "allow_downgrade", false);
    r->geo_unknown_allow = spec_bool(obj, "geo_unknown_allow", true);
    r->require_fresh = spec_bool(obj, "require_fresh", false);
    r->test_only = spec_bool(obj, "test_only", false);
    r->weight = (int32_t) spec_i64(obj, "weight", 0);
    r->created = spec_u64(obj, "created", 1767225600 + r->id, INT64_MAX);
    r->salt = spec_u64(obj, "salt", r->id, UINT64_MAX);
    r->target = FOTA_NONE;

    if (!fota_str_eq(spec_text(obj, "target", "latest"),
                     fota_cstr("latest")))
    {
        r->target = find_firmware(p, obj, "target");
    }

    r->reached = (uint16_t) spec_u64(obj, "reached", 10000, 10000);
    r->max_attempts = (uint16_t) spec_u64(obj, "max_attempts", 0,
                                          UINT16_MAX);
    r->dispersion = (uint16_t) spec_u64(obj, "dispersion", 0, UINT16_MAX);
    r->token_ttl = (uint32_t) spec_u64(obj, "token_ttl", 0, UINT32_MAX);
    r->start = spec_i64(obj, "start", 0);
    r->end = spec_i64(obj, "end", 0);
    r->max_active = (uint32_t) spec_u64(obj, "max_active", 0, UINT32_MAX);
    r->max_bps = spec_u64(obj, "max_bps", 0, UINT64_MAX);
    r->error_permille = (uint16_t) spec_u64(obj, "error_permille", 0, 1000);
    r->error_min = (uint32_t) spec_u64(obj, "error_min", 0, UINT32_MAX);

    group = json_object_get(obj, "test_group");
    r->test_group = (group == NULL) ? 0 : spec_group(s, group);

    r->name = spec_text(obj, "name", "");
    r->zone = spec_text(obj, "zone", "");
    r->filter = filter(s, obj, "filter");
    r->include = spec_texts(s, obj, "include", FOTA_SCOPES_MAX,
                            &r->ninclude);
    r->exclude = spec_texts(s, obj, "exclude", FOTA_SCOPES_MAX,
                            &r->nexclude);
    r->sources = spec_texts(s, obj, "sources", FOTA_SOURCES_MAX,
                            &r->nsources);
    windows(s, obj, r);
}


/* The order of decision: weight, then age. */

static int
compare_rollouts(const void *one, const void *two)
{
    const fota_rollout_t *a = one, *b = two;

    if (a->weight != b->weight) {
        return a->weight > b->weight ? -1 : 1;
    }

    if (a->created != b->created) {
        return a->created < b->created ? -1 : 1;
    }

    return (a->id > b->id) - (a->id < b->id);
}


static void
product(spec_t *s, const json_t *obj)
{
    size_t            i;
    json_t           *list, *v;
    uint8_t           key[FOTA_KEY_MAX];
    fota_product_t    p;
    fota_firmware_t  *f;

    spec_known(obj, "product", "tenant id name brake poll retry_min "
               "retry_max retry_count install_window firmware artifacts "
               "rollouts");

    memset(&p, 0, sizeof(p));

    p.tenant = spec_tenant(s, obj);
    p.id = (uint32_t) spec_u64(obj, "id", 1, UINT32_MAX);
    p.name = spec_text(obj, "name", NULL);
    p.brake = (uint8_t) spec_word(obj, "brake", brakes, 0);
    p.poll = (uint32_t) spec_u64(obj, "poll", 3600, UINT32_MAX);
    p.retry_min = (uint32_t) spec_u64(obj, "retry_min", 30, UINT32_MAX);
    p.retry_max = (uint32_t) spec_u64(obj, "retry_max", 3600, UINT32_MAX);
    p.retry_count = (uint16_t) spec_u64(obj, "retry_count", 10, UINT16_MAX);
    p.install_window = spec_text(obj, "install_window", "");

    list = spec_array(obj, "firmware", FOTA_FIRMWARE_MAX);
    p.nfirmware = (uint16_t) json_array_size(list);
    p.firmware = spec_alloc(s, p.nfirmware, sizeof(fota_firmware_t));

    json_array_foreach(list, i, v) {
        spec_known(v, "firmware", "id kind version must_pass withdrawn");
        f = &p.firmware[i];
        f->id = (uint32_t) spec_u64(v, "id", i + 1, UINT32_MAX);
        f->kind = (uint8_t) spec_word(v, "kind", kinds, 0);
        f->version = spec_text(v, "version", NULL);
        f->must_pass = spec_bool(v, "must_pass", false);
        f->withdrawn = spec_bool(v, "withdrawn", false);
    }

    list = spec_array(obj, "artifacts", FOTA_ARTIFACTS_MAX);
    p.nartifacts = (uint16_t) json_array_size(list);
    p.artifacts = spec_alloc(s, p.nartifacts, sizeof(fota_artifact_t));

    json_array_foreach(list, i, v) {
        p.artifacts[i].id = (uint32_t) (i + 1);
        artifact(s, obj, v, &p, &p.artifacts[i]);
    }

    list = spec_array(obj, "rollouts", FOTA_ROLLOUTS_MAX);
    p.nrollouts = (uint16_t) json_array_size(list);
    p.rollouts = spec_alloc(s, p.nrollouts, sizeof(fota_rollout_t));

    json_array_foreach(list, i, v) {
        rollout(s, v, &p, &p.rollouts[i]);
    }

    qsort(p.rollouts, p.nrollouts, sizeof(fota_rollout_t), compare_rollouts);

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_PRODUCT, key, fota_key_product(key, p.tenant, p.name),
             fota_product_encode(&p, &s->buf));
}


void
spec_products(spec_t *s)
{
    size_t   i;
    json_t  *v;

    json_array_foreach(spec_array(s->root, "products", SIZE_MAX), i, v) {
        product(s, v);
    }
}
