/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The product record, and the index made with it (test_product_index.c). */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_record.h"


#define assert_str(a, b)  assert_true(fota_str_eq(a, b))

#define refused(rc)                                                          \
    do {                                                                     \
        fota_buf_reset(&out);                                                \
        assert_int_equal(fota_product_encode(&set.product, &out), rc);       \
        assert_int_equal(out.len, 0);                                        \
    } while (0)

#define taken()                                                              \
    do {                                                                     \
        fota_product_t  p_;                                                  \
        fota_buf_reset(&out);                                                \
        assert_int_equal(fota_product_encode(&set.product, &out), FOTA_OK);  \
        assert_int_equal(fota_product_decode(&arena.mem,                     \
                                             fota_buf_slice(&out), &p_),     \
                         FOTA_OK);                                           \
    } while (0)


static fota_buf_t    out;
static fota_arena_t  arena;
static record_set_t  set;
static char          xs[20000];


static int
setup(void **state)
{
    memset(xs, 'x', sizeof(xs));
    fota_arena_init(&arena, 0);
    fota_buf_grow(&out, 8 << 20);
    record_open(&set);

    return 0;
}


static int
teardown(void **state)
{
    record_firmware[1].version = fota_cstr("1.1");
    record_windows[0].days = 0x1f;
    record_close(&set);
    fota_buf_free(&out);
    fota_arena_free(&arena);

    return 0;
}


static void
test_round(void **state)
{
    int                    i;
    fota_product_t         p, *s;
    const fota_rollout_t  *r, *q;

    s = &set.product;
    assert_int_equal(fota_product_decode(&arena.mem,
                         fota_buf_slice(&set.records[FOTA_T_PRODUCT].value),
                         &p), FOTA_OK);

    assert_int_equal(p.tenant, 5);
    assert_int_equal(p.id, 6);
    assert_int_equal(p.brake, FOTA_BRAKE_CUT);
    assert_int_equal(p.poll, 3600);
    assert_int_equal(p.retry_min, 10);
    assert_int_equal(p.retry_max, 600);
    assert_int_equal(p.retry_count, 9);
    assert_str(p.name, s->name);
    assert_str(p.install_window, s->install_window);
    assert_int_equal(p.nfirmware, 4);
    assert_int_equal(p.nartifacts, 2);
    assert_int_equal(p.nrollouts, 2);

    for (i = 0; i < 4; i++) {
        assert_int_equal(p.firmware[i].id, s->firmware[i].id);
        assert_int_equal(p.firmware[i].kind, s->firmware[i].kind);
        assert_int_equal(p.firmware[i].must_pass, s->firmware[i].must_pass);
        assert_int_equal(p.firmware[i].withdrawn, s->firmware[i].withdrawn);
        assert_str(p.firmware[i].version, s->firmware[i].version);
    }

    for (i = 0; i < 2; i++) {
        assert_int_equal(p.artifacts[i].id, s->artifacts[i].id);
        assert_memory_equal(p.artifacts[i].sha256, s->artifacts[i].sha256, 32);
        assert_int_equal(p.artifacts[i].size, s->artifacts[i].size);
        assert_int_equal(p.artifacts[i].from, s->artifacts[i].from);
        assert_int_equal(p.artifacts[i].to, s->artifacts[i].to);
        assert_int_equal(p.artifacts[i].kid, 4);
        assert_memory_equal(p.artifacts[i].sig, s->artifacts[i].sig, 64);
        assert_str(p.artifacts[i].format, s->artifacts[i].format);
        assert_str(p.artifacts[i].name, s->artifacts[i].name);
        assert_str(p.artifacts[i].requires, s->artifacts[i].requires);
    }

    for (i = 0; i < 2; i++) {
        r = &p.rollouts[i];
        q = &s->rollouts[i];

        assert_int_equal(r->id, q->id);
        assert_int_equal(r->state, q->state);
        assert_int_equal(r->brake, q->brake);
        assert_int_equal(r->kind, q->kind);
        assert_int_equal(r->strategy, q->strategy);
        assert_int_equal(r->time_mode, q->time_mode);
        assert_int_equal(r->rate_class, q->rate_class);
        assert_int_equal(r->allow_downgrade, q->allow_downgrade);
        assert_int_equal(r->geo_unknown_allow, q->geo_unknown_allow);
        assert_int_equal(r->require_fresh, q->require_fresh);
        assert_int_equal(r->test_only, q->test_only);
        assert_int_equal(r->weight, q->weight);
        assert_int_equal(r->created, q->created);
        assert_int_equal(r->salt, q->salt);
        assert_int_equal(r->target, q->target);
        assert_int_equal(r->reached, q->reached);
        assert_int_equal(r->max_attempts, q->max_attempts);
        assert_int_equal(r->dispersion, q->dispersion);
        assert_int_equal(r->token_ttl, q->token_ttl);
        assert_int_equal(r->start, q->start);
        assert_int_equal(r->end, q->end);
        assert_int_equal(r->test_group, q->test_group);
        assert_int_equal(r->max_active, q->max_active);
        assert_int_equal(r->max_bps, q->max_bps);
        assert_int_equal(r->error_permille, q->error_permille);
        assert_int_equal(r->error_min, q->error_min);
        assert_str(r->name, q->name);
        assert_str(r->zone, q->zone);
        assert_str(r->filter, q->filter);
        assert_int_equal(r->ninclude, q->ninclude);
        assert_int_equal(r->nexclude, q->nexclude);
        assert_int_equal(r->nwindows, q->nwindows);
        assert_int_equal(r->nsources, q->nsources);
    }

    r = &p.rollouts[0];
    assert_str(r->include[0], record_include[0]);
    assert_str(r->include[1], record_include[1]);
    assert_str(r->exclude[0], record_exclude[0]);
    assert_str(r->sources[0], record_sources[0]);
    assert_int_equal(r->windows[0].days, 0x1f);
    assert_int_equal(r->windows[0].from, 22 * 60);
    assert_int_equal(r->windows[1].to, 24 * 60);

    assert_int_equal(p.index.latest[FOTA_KIND_OS], 1);
}


static void
test_empty(void **state)
{
    set.product.nfirmware = 0;
    set.product.nartifacts = 0;
    set.product.nrollouts = 0;
    taken();

    set.product.name.len = 0;
    refused(FOTA_INVALID);
}


/* What encode refuses, decode would refuse. */

static void
test_firmware(void **state)
{
    record_firmware[0].kind = FOTA_KIND_DATA;
    refused(FOTA_INVALID);                      /* kinds in disorder */
    record_firmware[0].kind = FOTA_KIND_OS;
    taken();

    record_firmware[3].kind = FOTA_KIND__N;
    refused(FOTA_INVALID);
    record_firmware[3].kind = FOTA_KIND_APP;

    record_firmware[1].version.len = 0;
    refused(FOTA_INVALID);
    record_firmware[1].version = fota_slice(xs, FOTA_VERSION_MAX + 1);
    refused(FOTA_LIMIT);
    record_firmware[1].version.len--;
    taken();

    set.product.nfirmware = FOTA_FIRMWARE_MAX + 1;
    refused(FOTA_LIMIT);
}


static void
test_artifacts(void **state)
{
    fota_artifact_t  *a;

    a = &record_artifacts[1];

    a->to = 4;
    refused(FOTA_INVALID);
    a->to = 0;                                  /* to itself */
    refused(FOTA_INVALID);
    a->to = 3;                                  /* to another kind */
    refused(FOTA_INVALID);
    a->to = 1;
    a->from = 4;
    refused(FOTA_INVALID);
    a->from = 2;
    taken();

    a->requires = fota_cstr("no code");
    refused(FOTA_INVALID);
    a->requires = fota_slice(xs, FOTA_FILTER_CODE_MAX + 1);
    refused(FOTA_LIMIT);
    a->requires.len = 0;
    a->format = fota_slice(xs, 65);
    refused(FOTA_LIMIT);
    a->format.len = 0;
    taken();

    set.product.nartifacts = FOTA_ARTIFACTS_MAX + 1;
    refused(FOTA_LIMIT);
}


static void
test_rollouts(void **state)
{
    fota_rollout_t  *r;

    r = &record_rollouts[0];

    r->target = 4;
    refused(FOTA_INVALID);
    r->target = 3;                              /* of another kind */
    refused(FOTA_INVALID);
    r->target = 2;
    taken();
    r->reached = 10001;
    refused(FOTA_INVALID);
    r->reached = 10000;
    r->error_permille = 1001;
    refused(FOTA_INVALID);
    r->error_permille = 1000;
    r->state = FOTA_ROLLOUT__N;
    refused(FOTA_INVALID);
    r->state = 0;
    r->strategy = FOTA_PATH__N;
    refused(FOTA_INVALID);
    r->strategy = 0;
    r->time_mode = 2;
    refused(FOTA_INVALID);
    r->time_mode = 0;
    r->filter = fota_cstr("?");
    refused(FOTA_INVALID);
    r->filter.len = 0;

    record_windows[0].days = 0;
    refused(FOTA_INVALID);
    record_windows[0].days = 0x80;
    refused(FOTA_INVALID);
    record_windows[0].days = 0x01;
    record_windows[0].from = 1440;
    refused(FOTA_INVALID);
    record_windows[0].from = 1320;
    record_windows[0].to = 1441;
    refused(FOTA_INVALID);
    record_windows[0].to = 300;
    taken();

    r->nsources = FOTA_SOURCES_MAX + 1;
    refused(FOTA_LIMIT);
    r->nsources = 0;
    r->ninclude = FOTA_SCOPES_MAX + 1;
    refused(FOTA_LIMIT);
    r->ninclude = 0;
    r->nexclude = FOTA_SCOPES_MAX + 1;
    refused(FOTA_LIMIT);
    r->nexclude = 0;
    r->name = fota_slice(xs, FOTA_NAME_MAX + 1);
    refused(FOTA_LIMIT);
    r->name.len = 0;
    taken();

    set.product.nrollouts = FOTA_ROLLOUTS_MAX + 1;
    refused(FOTA_LIMIT);
}


/* All lists full, and a record that is too long altogether. */

/* The shortest elements: each at the end of the record once. */

static void
test_shortest(void **state)
{
    fota_rollout_t   rollout;
    fota_artifact_t  artifact;
    fota_firmware_t  firmware;

    memset(&rollout, 0, sizeof(rollout));
    memset(&artifact, 0, sizeof(artifact));
    memset(&firmware, 0, sizeof(firmware));

    rollout.target = FOTA_NONE;
    artifact.from = FOTA_NONE;
    firmware.version = fota_cstr("1");

    set.product.name = fota_cstr("p");
    set.product.install_window = fota_slice(NULL, 0);
    set.product.nfirmware = 1;
    set.product.firmware = &firmware;
    set.product.nartifacts = 0;
    set.product.nrollouts = 0;
    taken();

    set.product.nartifacts = 1;
    set.product.artifacts = &artifact;
    taken();

    set.product.nrollouts = 1;
    set.product.rollouts = &rollout;
    taken();
}


static void
test_large(void **state)
{
    int              i;
    fota_artifact_t  *a;
    fota_firmware_t  *f;

    f = calloc(FOTA_FIRMWARE_MAX, sizeof(fota_firmware_t));
    a = calloc(FOTA_ARTIFACTS_MAX, sizeof(fota_artifact_t));
    assert_true(f != NULL && a != NULL);

    for (i = 0; i < FOTA_FIRMWARE_MAX; i++) {
        f[i].version = fota_slice(xs, 100);
    }

    for (i = 0; i < FOTA_ARTIFACTS_MAX; i++) {
        a[i].from = FOTA_NONE;
        a[i].to = (uint16_t) (i % FOTA_FIRMWARE_MAX);
    }

    set.product.firmware = f;
    set.product.nfirmware = FOTA_FIRMWARE_MAX;
    set.product.artifacts = a;
    set.product.nartifacts = 3000;
    set.product.nrollouts = 0;
    taken();

    set.product.nartifacts = FOTA_ARTIFACTS_MAX;
    refused(FOTA_LIMIT);

    free(f);
    free(a);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_firmware, setup, teardown),
        cmocka_unit_test_setup_teardown(test_artifacts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shortest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
