/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* All records of a description other than products. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fota_crypto.h"
#include "fota_token.h"
#include "fota_zone.h"
#include "support_spec.h"


#define ZONE_SINCE   946684800ULL       /* 2000-01-01 */
#define ZONE_UNTIL   2208988800ULL      /* 2040-01-01 */
#define ZONE_FILE    65536


static const char *const  brakes[] = { "none", "offers", "cut", NULL };
static const char *const  key_kinds[] = { "", "download", "device",
    "operator", NULL };
static const char *const  key_states[] = { "next", "current", "previous",
    NULL };
static const char *const  deny_kinds[] = { "", "deployment", "tenant",
    "device", NULL };


static void
tenant_record(spec_t *s, const json_t *obj)
{
    static const char *const  auths[] = { "open", "gateway", "device",
        "mtls", NULL };
    static const char *const  flags[] = { "ip", "cert", "single", "once",
        NULL };

    size_t         i;
    json_t        *list, *v, *word;
    uint8_t        key[FOTA_KEY_MAX], sec[32];
    fota_str_t     name;
    fota_tenant_t  t;

    spec_known(obj, "tenant", "name id auth gateway_tokens issuers signer "
               "signer_secret brake token_flags ip4_plen ip6_plen defaults");

    memset(&t, 0, sizeof(t));

    name = spec_text(obj, "name", NULL);
    t.id = (uint32_t) spec_u64(obj, "id", 1, UINT32_MAX);
    t.brake = (uint8_t) spec_word(obj, "brake", brakes, 0);
    t.ip4_plen = (uint8_t) spec_u64(obj, "ip4_plen", 24, 32);
    t.ip6_plen = (uint8_t) spec_u64(obj, "ip6_plen", 48, 128);
    t.issuers = spec_texts(s, obj, "issuers", FOTA_ISSUERS_MAX, &t.nissuers);

    word = json_object();

    json_array_foreach(spec_array(obj, "auth", 4), i, v) {
        json_object_set(word, "auth", v);
        t.auth |= (uint8_t) (1 << spec_word(word, "auth", auths, 0));
    }

    json_array_foreach(spec_array(obj, "token_flags", 4), i, v) {
        json_object_set(word, "token_flags", v);
        t.token_flags |= (uint8_t) (1 << spec_word(word, "token_flags", flags,
                                                   0));
    }

    json_decref(word);

    json_array_foreach(spec_array(obj, "gateway_tokens", 4), i, v) {
        if (!json_is_string(v)
            || fota_sha256(t.gateway[t.ngateway++], json_string_value(v),
                           json_string_length(v))
               != FOTA_OK)
        {
            spec_die("\"gateway_tokens\": not an array of strings");
        }
    }

    list = spec_array(obj, "defaults", FOTA_DEFAULTS_MAX);
    t.ndefaults = (uint16_t) json_array_size(list);
    t.defaults = spec_alloc(s, t.ndefaults, sizeof(fota_default_node_t));

    json_array_foreach(list, i, v) {
        spec_known(v, "default", "country node");
        spec_chars(v, "country", t.defaults[i].country, 4);
        t.defaults[i].node = (uint32_t) spec_u64(v, "node", 0, UINT32_MAX);
    }

    if (!spec_hex(obj, "signer", t.signer, 32)
        && spec_hex(obj, "signer_secret", sec, 32)
        && fota_ed25519_public(sec, t.signer) != FOTA_OK)
    {
        spec_die("\"signer_secret\": not an Ed25519 key");
    }

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_TENANT, key, fota_key_name(key, name),
             fota_tenant_encode(&t, &s->buf));
}


static int
compare_ids(const void *one, const void *two)
{
    const uint32_t *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


void
spec_device_encode(spec_t *s, const json_t *obj)
{
    size_t         i;
    json_t        *list, *v;
    const char    *name;
    fota_str_t     token;
    fota_device_t  d;

    memset(&d, 0, sizeof(d));

    d.blocked = spec_bool(obj, "blocked", false);
    d.test = spec_bool(obj, "test", false);
    d.pin = spec_text(obj, "pin", "");

    token = spec_text(obj, "token", "");

    if (token.len != 0) {
        d.has_token = 1;

        if (fota_sha256(d.token, token.data, token.len) != FOTA_OK) {
            spec_die("no SHA-256");
        }
    }

    list = spec_array(obj, "groups", FOTA_DEVICE_GROUPS_MAX);
    d.ngroups = (uint16_t) json_array_size(list);
    d.groups = spec_alloc(s, d.ngroups, sizeof(uint32_t));

    json_array_foreach(list, i, v) {
        d.groups[i] = spec_group(s, v);
    }

    qsort(d.groups, d.ngroups, sizeof(uint32_t), compare_ids);

    list = json_object_get(obj, "attrs");
    d.attrs = spec_alloc(s, json_object_size(list), sizeof(fota_attr_t));

    json_object_foreach(list, name, v) {
        d.attrs[d.nattrs].name = fota_cstr(name);
        d.attrs[d.nattrs++].value = spec_text(list, name, NULL);
    }

    list = spec_array(obj, "attempts", FOTA_DEVICE_ATTEMPTS_MAX);
    d.nattempts = (uint16_t) json_array_size(list);
    d.attempts = spec_alloc(s, d.nattempts, sizeof(fota_attempt_t));

    json_array_foreach(list, i, v) {
        spec_known(v, "attempt", "rollout attempts delta_failed");
        d.attempts[i].rollout = (uint32_t) spec_u64(v, "rollout", 0,
                                                    UINT32_MAX);
        d.attempts[i].attempts = (uint16_t) spec_u64(v, "attempts", 1,
                                                     UINT16_MAX);
        d.attempts[i].delta_failed = spec_bool(v, "delta_failed", false);
    }

    fota_buf_reset(&s->buf);

    if (fota_device_encode(&d, &s->buf) != FOTA_OK) {
        spec_die("device: record refused");
    }
}


static void
device_record(spec_t *s, const json_t *obj)
{
    size_t   klen;
    uint8_t  key[FOTA_KEY_MAX];

    spec_known(obj, "device", "tenant id blocked test token pin groups attrs "
               "attempts");

    klen = fota_key_device(key, spec_tenant(s, obj),
                           spec_text(obj, "id", NULL));
    spec_device_encode(s, obj);
    spec_put(s, FOTA_T_DEVICE, key, klen, FOTA_OK);
}


static void
node_record(spec_t *s, const json_t *obj)
{
    static const char *const  states[] = { "up", "drain", "down", NULL };
    static const char *const  scopes[] = { "any", "continent", "country",
        "asn", "prefix", NULL };

    size_t       i;
    json_t      *list, *v;
    uint8_t      key[FOTA_KEY_MAX];
    fota_node_t  n;

    spec_known(obj, "node", "id group state ipv4 ipv6 scope load health "
               "weight cap_mbps as_of lat lon country continent name site "
               "url asns tenants excluded");

    memset(&n, 0, sizeof(n));

    n.id = (uint32_t) spec_u64(obj, "id", 0, UINT32_MAX);
    n.group = (uint16_t) spec_u64(obj, "group", 0, UINT16_MAX);
    n.state = (uint8_t) spec_word(obj, "state", states, 0);
    n.families = (spec_bool(obj, "ipv4", true) ? FOTA_FAMILY_V4 : 0)
                 | (spec_bool(obj, "ipv6", true) ? FOTA_FAMILY_V6 : 0);
    n.scope = (uint8_t) spec_word(obj, "scope", scopes, 0);
    n.load = (uint8_t) spec_u64(obj, "load", 0, 255);
    n.health = (uint8_t) spec_u64(obj, "health", 100, 100);
    n.weight = (uint32_t) spec_u64(obj, "weight", 100, UINT32_MAX);
    n.cap_mbps = (uint32_t) spec_u64(obj, "cap_mbps", 1000, UINT32_MAX);
    n.as_of = spec_u64(obj, "as_of", (uint64_t) time(NULL), INT64_MAX);
    n.lat = spec_double(obj, "lat", 0);
    n.lon = spec_double(obj, "lon", 0);
    spec_chars(obj, "country", n.country, sizeof(n.country));
    spec_chars(obj, "continent", n.continent, sizeof(n.continent));

    if (n.continent[0] == '\0') {
        (void) snprintf(n.continent, sizeof(n.continent), "%s",
                        fota_geo_continent(n.country));
    }

    n.name = spec_text(obj, "name", NULL);
    n.site = spec_text(obj, "site", "");
    n.url = spec_text(obj, "url", NULL);

    list = spec_array(obj, "asns", 1024);
    n.nasns = (uint16_t) json_array_size(list);
    n.asns = spec_alloc(s, n.nasns, sizeof(uint32_t));

    json_array_foreach(list, i, v) {
        n.asns[i] = (uint32_t) json_integer_value(v);
    }

    list = spec_array(obj, "tenants", 1024);
    n.ntenants = (uint16_t) json_array_size(list);
    n.tenants = spec_alloc(s, n.ntenants, sizeof(uint32_t));

    json_array_foreach(list, i, v) {
        n.tenants[i] = (uint32_t) json_integer_value(v);
    }

    n.excluded = spec_texts(s, obj, "excluded", 256, &n.nexcluded);

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_NODE, key, fota_key_u32(key, n.id),
             fota_node_encode(&n, &s->buf));
}


static size_t
key_key(const json_t *obj, uint8_t *key)
{
    unsigned  kind;

    kind = spec_word(obj, "kind", key_kinds, FOTA_KEY_DOWNLOAD);

    return fota_key_key(key, (uint8_t) kind,
                        (uint32_t) spec_u64(obj, "scope",
                                            kind == FOTA_KEY_DEVICE,
                                            UINT32_MAX),
                        (uint16_t) spec_u64(obj, "kid", 1, UINT16_MAX));
}


static void
key_record(spec_t *s, const json_t *obj)
{
    uint8_t     key[FOTA_KEY_MAX], secret[60];
    fota_key_t  k;
    fota_str_t  token;

    spec_known(obj, "key", "kind scope kid state created secret token "
               "wrapped wrap_scope");

    memset(&k, 0, sizeof(k));

    k.state = (uint8_t) spec_word(obj, "state", key_states,
                                  FOTA_KEY_CURRENT);
    k.created = (uint32_t) spec_u64(obj, "created", 1767225600, UINT32_MAX);
    k.wrap_scope = (uint32_t) spec_u64(obj, "wrap_scope", 0, UINT32_MAX);
    k.secret = fota_slice(secret, 32);

    if (json_object_get(obj, "token") != NULL) {
        token = spec_text(obj, "token", NULL);

        if (fota_sha256(secret, token.data, token.len) != FOTA_OK) {
            spec_die("no SHA-256");
        }

    } else if (spec_hex(obj, "wrapped", secret, 60)) {
        k.wrapped = 1;
        k.secret.len = 60;

    } else if (!spec_hex(obj, "secret", secret, 32)) {
        spec_die("a key needs \"secret\", \"wrapped\" or \"token\"");
    }

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_KEY, key, key_key(obj, key),
             fota_key_encode(&k, &s->buf));
}


static size_t
deny_key(spec_t *s, const json_t *obj, uint8_t *key)
{
    unsigned  i, kind;
    uint8_t   id[8];
    uint64_t  n;

    kind = spec_word(obj, "kind", deny_kinds, FOTA_DENY_DEPLOYMENT);

    if (kind == FOTA_DENY_DEVICE) {
        if (fota_token_device_tag(id, spec_tenant(s, obj),
                                  spec_text(obj, "device", NULL))
            != FOTA_OK)
        {
            spec_die("no SHA-256");
        }

    } else {
        n = spec_u64(obj, "id", 0, INT64_MAX);

        for (i = 0; i < 8; i++) {
            id[i] = (uint8_t) (n >> (56 - 8 * i));
        }
    }

    return fota_key_deny(key, (uint8_t) kind, id);
}


static void
deny_record(spec_t *s, const json_t *obj)
{
    uint8_t      key[FOTA_KEY_MAX];
    fota_deny_t  d;

    spec_known(obj, "deny", "kind id tenant device not_before cut");

    memset(&d, 0, sizeof(d));

    d.not_before = (uint32_t) spec_u64(obj, "not_before", UINT32_MAX,
                                       UINT32_MAX);
    d.cut = spec_bool(obj, "cut", false);

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_DENY, key, deny_key(s, obj, key),
             fota_deny_encode(&d, &s->buf));
}


static size_t
prefix_key(const json_t *obj, uint8_t *key)
{
    uint8_t     addr[16], plen;
    fota_str_t  text;

    text = spec_text(obj, "prefix", NULL);

    if (fota_prefix_parse(text, addr, &plen) != FOTA_OK) {
        spec_die("\"prefix\": \"%s\" is none", (const char *) text.data);
    }

    return fota_key_prefix(key, addr, plen);
}


static void
prefix_record(spec_t *s, const json_t *obj)
{
    json_t            *loc;
    uint8_t            key[FOTA_KEY_MAX];
    fota_location_t   *l;
    fota_geoprefix_t   p;

    spec_known(obj, "prefix", "prefix node_group location");

    memset(&p, 0, sizeof(p));

    p.node_group = (uint32_t) spec_u64(obj, "node_group", 0, UINT32_MAX);
    loc = json_object_get(obj, "location");

    if (loc != NULL) {
        spec_known(loc, "location", "country continent region_code region "
                   "city tz region_id city_id asn lat lon");
        l = &p.location;
        p.has_location = 1;
        l->source = FOTA_GEO_PREFIX;
        spec_chars(loc, "country", l->country, sizeof(l->country));
        spec_chars(loc, "continent", l->continent, sizeof(l->continent));

        if (l->continent[0] == '\0') {
            (void) snprintf(l->continent, sizeof(l->continent), "%s",
                            fota_geo_continent(l->country));
        }

        spec_chars(loc, "region_code", l->region_code,
                   sizeof(l->region_code));
        spec_chars(loc, "region", l->region, sizeof(l->region));
        spec_chars(loc, "city", l->city, sizeof(l->city));
        spec_chars(loc, "tz", l->tz, sizeof(l->tz));
        l->region_id = (uint32_t) spec_u64(loc, "region_id", 0, UINT32_MAX);
        l->city_id = (uint32_t) spec_u64(loc, "city_id", 0, UINT32_MAX);
        l->asn = (uint32_t) spec_u64(loc, "asn", 0, UINT32_MAX);
        l->has_position = json_object_get(loc, "lat") != NULL;
        l->lat = spec_double(loc, "lat", 0);
        l->lon = spec_double(loc, "lon", 0);
    }

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_GEOPREFIX, key, prefix_key(obj, key),
             fota_geoprefix_encode(&p, &s->buf));
}


static void
zone_record(spec_t *s, fota_str_t name)
{
    char          path[512];
    FILE         *f;
    size_t        n;
    uint8_t       key[FOTA_KEY_MAX], *text;
    fota_zone_t   z;

    if (name.len > 64 || strstr((const char *) name.data, "..") != NULL) {
        spec_die("\"zones\": bad name");
    }

    (void) snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s",
                    (int) name.len, (const char *) name.data);

    f = fopen(path, "rb");
    if (f == NULL) {
        spec_die("\"zones\": cannot open \"%s\"", path);
    }

    text = spec_alloc(s, ZONE_FILE, 1);
    n = fread(text, 1, ZONE_FILE, f);
    fclose(f);

    if (fota_zone_from_tzif(&s->arena.mem, name, fota_slice(text, n),
                            ZONE_SINCE, ZONE_UNTIL, &z)
        != FOTA_OK)
    {
        spec_die("\"zones\": \"%s\" is no zone", path);
    }

    fota_buf_reset(&s->buf);
    spec_put(s, FOTA_T_ZONE, key, fota_key_name(key, name),
             fota_zone_encode(&z, &s->buf));
}


static void
artifact_record(spec_t *s, const json_t *obj)
{
    spec_known(obj, "artifact", "tenant file sha256 size published prefetch "
               "name");
    spec_artifact_info(s, obj, spec_tenant(s, obj));
}


void
spec_records(spec_t *s)
{
    size_t   i;
    json_t  *v;

    spec_known(s->root, "description", "epoch seq generation fresh head_ts "
               "map_size groups tenants products devices bulk nodes keys deny "
               "prefixes zones artifacts delete");

    json_array_foreach(spec_array(s->root, "tenants", SIZE_MAX), i, v) {
        tenant_record(s, v);
    }

    spec_products(s);

    json_array_foreach(spec_array(s->root, "devices", SIZE_MAX), i, v) {
        device_record(s, v);
    }

    json_array_foreach(spec_array(s->root, "nodes", SIZE_MAX), i, v) {
        node_record(s, v);
    }

    json_array_foreach(spec_array(s->root, "keys", SIZE_MAX), i, v) {
        key_record(s, v);
    }

    json_array_foreach(spec_array(s->root, "deny", SIZE_MAX), i, v) {
        deny_record(s, v);
    }

    json_array_foreach(spec_array(s->root, "prefixes", SIZE_MAX), i, v) {
        prefix_record(s, v);
    }

    json_array_foreach(spec_array(s->root, "zones", SIZE_MAX), i, v) {
        if (!json_is_string(v)) {
            spec_die("\"zones\": not an array of names");
        }

        zone_record(s, fota_cstr(json_string_value(v)));
    }

    json_array_foreach(spec_array(s->root, "artifacts", SIZE_MAX), i, v) {
        artifact_record(s, v);
    }
}


void
spec_deletes(spec_t *s)
{
    size_t    i;
    json_t   *all, *v;
    uint8_t   key[FOTA_KEY_MAX], sha256[32];
    uint64_t  size;

    all = json_object_get(s->root, "delete");

    if (all == NULL) {
        return;
    }

    spec_known(all, "delete", "tenants products devices nodes keys deny "
               "prefixes zones artifacts");

    json_array_foreach(spec_array(all, "tenants", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_TENANT, key,
                 fota_key_name(key, spec_text(v, "name", NULL)));
    }

    json_array_foreach(spec_array(all, "products", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_PRODUCT, key,
                 fota_key_product(key, spec_tenant(s, v),
                                  spec_text(v, "name", NULL)));
    }

    json_array_foreach(spec_array(all, "devices", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_DEVICE, key,
                 fota_key_device(key, spec_tenant(s, v),
                                 spec_text(v, "id", NULL)));
    }

    json_array_foreach(spec_array(all, "nodes", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_NODE, key,
                 fota_key_u32(key, (uint32_t) spec_u64(v, "id", 0,
                                                       UINT32_MAX)));
    }

    json_array_foreach(spec_array(all, "keys", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_KEY, key, key_key(v, key));
    }

    json_array_foreach(spec_array(all, "deny", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_DENY, key, deny_key(s, v, key));
    }

    json_array_foreach(spec_array(all, "prefixes", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_GEOPREFIX, key, prefix_key(v, key));
    }

    json_array_foreach(spec_array(all, "zones", SIZE_MAX), i, v) {
        spec_del(s, FOTA_T_ZONE, key,
                 fota_key_name(key, spec_text(v, "name", NULL)));
    }

    json_array_foreach(spec_array(all, "artifacts", SIZE_MAX), i, v) {
        spec_content(s, v, sha256, &size);
        spec_del(s, FOTA_T_ARTIFACT, sha256, 32);
    }
}
