/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * A small product and a device for the tests of paths and decisions; include
 * after cmocka.h.  Everything starts so that an offer of 1.2 is made, and a
 * test changes what it is about.
 */

#ifndef FOTA_SUPPORT_POLICY_H
#define FOTA_SUPPORT_POLICY_H


#include <stdio.h>
#include <stdlib.h>

#include "fota_policy.h"


#define POLICY_NOW        1773144000    /* Tuesday 2026-03-10 12:00 UTC */
#define POLICY_FIRMWARE   64
#define POLICY_ARTIFACTS  256
#define POLICY_ROLLOUTS   128
#define POLICY_ZONES      16


typedef struct {
    fota_policy_env_t     env;          /* first: the callbacks cast */
    fota_arena_t          arena;
    fota_arena_t          code;         /* of filters */
    fota_firmware_t       firmware[POLICY_FIRMWARE];
    fota_artifact_t       artifacts[POLICY_ARTIFACTS];
    fota_rollout_t        rollouts[POLICY_ROLLOUTS];
    fota_product_t        product;
    fota_tenant_t         tenant;
    fota_tenant_t         global;
    fota_device_t         device;
    fota_attempt_t        attempts[8];
    fota_attr_t           attrs[8];
    uint32_t              groups[8];
    fota_location_t       location;
    fota_facts_t          facts;
    fota_policy_input_t   in;
    fota_decision_t       out;
    fota_rollout_load_t   load;
    unsigned              nload;        /* calls */
    unsigned              nlocate;
    unsigned              nzone;
    unsigned              ntrace;
    fota_reason_e         traced[POLICY_ROLLOUTS];
    const char           *detail[POLICY_ROLLOUTS];
    fota_zone_t           zones[POLICY_ZONES];
    unsigned              nzones;
} policy_test_t;


static inline const fota_location_t *
policy_locate(fota_facts_t *f)
{
    policy_test_t  *t;

    t = (policy_test_t *) ((char *) f - offsetof(policy_test_t, facts));
    t->nlocate++;

    return &t->location;
}


/* Real zones, so that windows are tested with real transitions. */

static inline const fota_zone_t *
policy_zone(fota_policy_env_t *env, fota_str_t name)
{
    FILE           *f;
    char            path[256];
    size_t          n;
    unsigned        i;
    policy_test_t  *t;

    static uint8_t  file[65536];

    t = (policy_test_t *) env;
    t->nzone++;

    for (i = 0; i < t->nzones; i++) {
        if (fota_str_eq(t->zones[i].name, name)) {
            return &t->zones[i];
        }
    }

    if (t->nzones == POLICY_ZONES) {
        return NULL;
    }

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", (int) name.len,
             (const char *) name.data);

    f = fopen(path, "rb");

    if (f == NULL) {
        return NULL;
    }

    n = fread(file, 1, sizeof(file), f);
    fclose(f);

    if (fota_zone_from_tzif(&t->code.mem, name, fota_slice(file, n),
                            fota_civil_utc(2025, 1, 1, 0),
                            fota_civil_utc(2028, 1, 1, 0),
                            &t->zones[t->nzones])
        != FOTA_OK)
    {
        return NULL;
    }

    return &t->zones[t->nzones++];
}


static inline void
policy_load(fota_policy_env_t *env, uint32_t rollout, fota_rollout_load_t *out)
{
    policy_test_t  *t;

    t = (policy_test_t *) env;
    t->nload++;
    *out = t->load;
}


static inline void
policy_trace(fota_policy_env_t *env, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail)
{
    policy_test_t  *t;

    t = (policy_test_t *) env;

    assert_true(t->ntrace < POLICY_ROLLOUTS);

    t->traced[t->ntrace] = reason;
    t->detail[t->ntrace] = detail;
    t->ntrace++;
}


static inline uint16_t
policy_firmware(policy_test_t *t, uint8_t kind, const char *version,
    bool must_pass, bool withdrawn)
{
    fota_firmware_t  *f;

    assert_true(t->product.nfirmware < POLICY_FIRMWARE);

    f = &t->firmware[t->product.nfirmware];
    f->id = 100 + t->product.nfirmware;
    f->kind = kind;
    f->version = fota_cstr(version);
    f->must_pass = must_pass;
    f->withdrawn = withdrawn;

    return t->product.nfirmware++;
}


/* Index of a version of any kind, FOTA_NONE for NULL. */

static inline uint16_t
policy_find(const policy_test_t *t, const char *version)
{
    uint16_t  i;

    if (version == NULL) {
        return FOTA_NONE;
    }

    for (i = 0; i < t->product.nfirmware; i++) {
        if (fota_str_eq(t->firmware[i].version, fota_cstr(version))) {
            return i;
        }
    }

    fail_msg("no firmware %s", version);

    return FOTA_NONE;
}


static inline fota_artifact_t *
policy_artifact(policy_test_t *t, const char *from, const char *to,
    uint64_t size)
{
    fota_artifact_t  *a;

    assert_true(t->product.nartifacts < POLICY_ARTIFACTS);

    a = &t->artifacts[t->product.nartifacts++];
    a->id = 1000 + t->product.nartifacts;
    a->from = policy_find(t, from);
    a->to = policy_find(t, to);
    a->size = size;
    a->sha256[0] = (uint8_t) t->product.nartifacts;
    a->format = fota_cstr("raw");
    a->name = fota_cstr("image.bin");

    return a;
}


static inline fota_rollout_t *
policy_rollout(policy_test_t *t, const char *target)
{
    fota_rollout_t  *r;

    assert_true(t->product.nrollouts < POLICY_ROLLOUTS);

    r = &t->rollouts[t->product.nrollouts++];
    memset(r, 0, sizeof(fota_rollout_t));
    r->id = t->product.nrollouts;
    r->state = FOTA_ROLLOUT_RUNNING;
    r->salt = 77;
    r->reached = 10000;
    r->target = policy_find(t, target);
    r->strategy = FOTA_PATH_FULL;
    r->name = fota_cstr("rollout");

    return r;
}


static inline fota_str_t
policy_filter(policy_test_t *t, const char *text)
{
    int                   rc;
    fota_buf_t            code;
    fota_str_t            copy;
    fota_filter_node_t   *tree;
    fota_filter_error_t   err;

    fota_buf_grow(&code, FOTA_FILTER_CODE_MAX);

    rc = fota_filter_parse(&t->code.mem, fota_cstr(text), &tree, &err);

    if (rc == FOTA_OK) {
        rc = fota_filter_compile(&t->code.mem, tree, NULL, &code, &err);
    }

    if (rc != FOTA_OK) {
        fail_msg("%s: %s", text, err.text);
    }

    copy = fota_strdup(&t->code.mem, fota_buf_slice(&code));
    fota_buf_free(&code);

    return copy;
}


/* Nothing in the product yet. */

static inline void
policy_open(policy_test_t *t)
{
    memset(t, 0, sizeof(policy_test_t));
    fota_arena_init(&t->arena, 0);
    fota_arena_init(&t->code, 0);

    t->env.zone = policy_zone;
    t->env.load = policy_load;
    t->env.trace = policy_trace;

    t->product.tenant = 5;
    t->product.id = 6;
    t->product.name = fota_cstr("dashcam");
    t->product.poll = 86400;
    t->product.firmware = t->firmware;
    t->product.artifacts = t->artifacts;
    t->product.rollouts = t->rollouts;

    t->device.attempts = t->attempts;

    t->location.source = FOTA_GEO_DB;
    strcpy(t->location.country, "JP");
    strcpy(t->location.continent, "AS");
    strcpy(t->location.region, "Tokyo");
    strcpy(t->location.region_code, "13");
    strcpy(t->location.city, "Shinjuku");
    strcpy(t->location.tz, "Asia/Tokyo");
    t->location.city_id = 1850147;

    t->facts.id = fota_cstr("cam-0001");
    t->facts.product = t->product.name;
    t->facts.version = fota_cstr("1.0");
    t->facts.kind = fota_cstr("os");
    t->facts.attrs = t->attrs;
    t->facts.groups = t->groups;
    t->facts.locate = policy_locate;

    t->in.tenant = &t->tenant;
    t->in.global = &t->global;
    t->in.product = &t->product;
    t->in.device = &t->device;
    t->in.facts = &t->facts;
    t->in.now = POLICY_NOW;
    t->in.max_stale = 900;
}


static inline void
policy_close(policy_test_t *t)
{
    fota_arena_free(&t->arena);
    fota_arena_free(&t->code);
}


/* 0.9 .. 2.0, a full package of each but 1.4, one delta, one rollout. */

static inline void
policy_standard(policy_test_t *t)
{
    policy_open(t);

    policy_firmware(t, FOTA_KIND_OS, "0.9", false, false);
    policy_firmware(t, FOTA_KIND_OS, "1.0", false, false);
    policy_firmware(t, FOTA_KIND_OS, "1.1", false, false);
    policy_firmware(t, FOTA_KIND_OS, "1.2", false, false);
    policy_firmware(t, FOTA_KIND_OS, "1.3", false, false);
    policy_firmware(t, FOTA_KIND_OS, "1.4", false, false);
    policy_firmware(t, FOTA_KIND_OS, "2.0", false, false);

    policy_artifact(t, NULL, "0.9", 1000);
    policy_artifact(t, NULL, "1.0", 1000);
    policy_artifact(t, NULL, "1.1", 1000);
    policy_artifact(t, NULL, "1.2", 1000);
    policy_artifact(t, NULL, "1.3", 1000);
    policy_artifact(t, NULL, "2.0", 1000);
    policy_artifact(t, "1.0", "1.2", 100);

    policy_rollout(t, "1.2");
}


static inline fota_reason_e
policy_run(policy_test_t *t)
{
    fota_arena_reset(&t->arena);

    t->nload = 0;
    t->nlocate = 0;
    t->nzone = 0;
    t->ntrace = 0;

    assert_int_equal(fota_product_index(&t->arena.mem, &t->product), FOTA_OK);
    assert_int_equal(fota_policy_decide(&t->arena.mem, &t->env, &t->in,
                                        &t->out), FOTA_OK);

    return t->out.reason;
}


#endif /* FOTA_SUPPORT_POLICY_H */
