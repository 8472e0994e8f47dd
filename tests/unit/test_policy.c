/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Each rule alone: on one side of it an offer, on the other its reason. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_policy.h"


#define offer(t)        assert_int_equal(policy_run(t), FOTA_R_OFFER)
#define reason(t, r)    assert_int_equal(policy_run(t), r)
#define detail(t, s)    assert_string_equal((t)->detail[0], s)


static policy_test_t  t;


static int
setup(void **state)
{
    policy_standard(&t);

    return 0;
}


static int
teardown(void **state)
{
    policy_close(&t);

    return 0;
}


static void
test_names(void **state)
{
    int  i, j;

    for (i = 0; i < FOTA_R__N; i++) {
        for (j = 0; j < i; j++) {
            assert_string_not_equal(fota_reason_name(i), fota_reason_name(j));
        }
    }

    assert_string_equal(fota_reason_name(FOTA_R_OFFER), "offer");
    assert_string_equal(fota_reason_name(FOTA_R_STALE_POLICY), "stale_policy");
    assert_string_equal(fota_reason_name(FOTA_R_HOOK), "hook");
    assert_string_equal(fota_reason_name(FOTA_R__N), "unknown");
    assert_string_equal(fota_reason_name((fota_reason_e) -1), "unknown");
}


static void
test_offer(void **state)
{
    offer(&t);

    assert_ptr_equal(t.out.rollout, &t.rollouts[0]);
    assert_ptr_equal(t.out.target, &t.firmware[3]);
    assert_int_equal(t.out.path.step, 3);
    assert_int_equal(t.out.path.hops, 1);
    assert_int_equal(t.out.window_until, 0);
    assert_int_equal(t.ntrace, 1);
    assert_int_equal(t.traced[0], FOTA_R_OFFER);

    /* Nothing that no rule asked for was looked up. */
    assert_int_equal(t.nlocate, 0);
    assert_int_equal(t.nzone, 0);
    assert_int_equal(t.nload, 0);

    t.in.device = NULL;
    t.in.tenant = NULL;
    t.in.global = NULL;
    t.env.trace = NULL;
    t.env.load = NULL;
    offer(&t);
}


static void
test_no_rollout(void **state)
{
    t.product.nrollouts = 0;
    reason(&t, FOTA_R_NO_ROLLOUT);
    assert_null(t.out.rollout);

    /* One of another kind is none. */
    t.product.nrollouts = 1;
    t.rollouts[0].kind = FOTA_KIND_APP;
    t.rollouts[0].target = FOTA_NONE;
    reason(&t, FOTA_R_NO_ROLLOUT);
    assert_int_equal(t.ntrace, 0);
}


static void
test_brakes(void **state)
{
    t.global.brake = FOTA_BRAKE_OFFERS;
    reason(&t, FOTA_R_PAUSED);
    detail(&t, "the brake of the installation is on");
    t.global.brake = FOTA_BRAKE_NONE;
    offer(&t);

    t.tenant.brake = FOTA_BRAKE_CUT;
    reason(&t, FOTA_R_PAUSED);
    detail(&t, "the brake of the tenant is on");
    t.tenant.brake = FOTA_BRAKE_NONE;

    t.product.brake = FOTA_BRAKE_OFFERS;
    reason(&t, FOTA_R_PAUSED);
    detail(&t, "the brake of the product is on");
    t.product.brake = FOTA_BRAKE_NONE;

    t.rollouts[0].brake = FOTA_BRAKE_OFFERS;
    reason(&t, FOTA_R_PAUSED);
    detail(&t, "the brake of the rollout is on");
    t.rollouts[0].brake = FOTA_BRAKE_NONE;
    offer(&t);
}


static void
test_state(void **state)
{
    size_t  i;

    static const struct {
        uint8_t      state;
        const char  *detail;
    } states[] = {
        { FOTA_ROLLOUT_READY, "not yet started by an operator" },
        { FOTA_ROLLOUT_PAUSED, "paused" },
        { FOTA_ROLLOUT_STOPPED, "stopped" },
        { FOTA_ROLLOUT_FINISHED, "finished" }
    };

    for (i = 0; i < 4; i++) {
        t.rollouts[0].state = states[i].state;
        reason(&t, FOTA_R_PAUSED);
        detail(&t, states[i].detail);
    }
}


static void
test_trip(void **state)
{
    t.rollouts[0].error_permille = 20;
    t.rollouts[0].error_min = 100;
    t.load.ok = 98;
    t.load.failed = 2;
    offer(&t);
    assert_int_equal(t.nload, 0);

    t.in.cut_off = 1;
    reason(&t, FOTA_R_PAUSED);
    detail(&t, "error threshold on this edge");

    t.load.ok = 99;
    offer(&t);                          /* 2 of 101: below 20 permille */

    t.load.ok = 97;
    offer(&t);                          /* 99 reports: too few */

    t.load.ok = 98;
    t.rollouts[0].error_permille = 0;
    offer(&t);

    t.rollouts[0].error_permille = 1;
    t.rollouts[0].error_min = 0;
    t.load.ok = 0;
    t.load.failed = 0;
    offer(&t);                          /* nothing was seen at all */

    t.load.failed = UINT32_MAX;
    t.load.ok = UINT32_MAX;
    reason(&t, FOTA_R_PAUSED);

    t.env.load = NULL;
    offer(&t);
}


static void
test_start_end(void **state)
{
    t.rollouts[0].start = POLICY_NOW + 1;
    reason(&t, FOTA_R_NOT_STARTED);
    t.rollouts[0].start = POLICY_NOW;
    offer(&t);

    t.rollouts[0].end = POLICY_NOW;
    reason(&t, FOTA_R_ENDED);
    t.rollouts[0].end = POLICY_NOW + 1;
    offer(&t);
}


static void
test_blocked(void **state)
{
    policy_rollout(&t, "1.3");
    t.rollouts[1].kind = FOTA_KIND_APP;
    t.rollouts[1].target = FOTA_NONE;

    t.device.blocked = 1;
    reason(&t, FOTA_R_BLOCKED);
    assert_null(t.out.rollout);
    assert_int_equal(t.ntrace, 1);
    assert_int_equal(t.traced[0], FOTA_R_BLOCKED);
    assert_true(t.out.poll > 0);

    t.env.trace = NULL;
    reason(&t, FOTA_R_BLOCKED);

    t.product.nrollouts = 0;
    reason(&t, FOTA_R_BLOCKED);
}


static void
test_pin(void **state)
{
    t.device.pin = fota_cstr("1.3");
    reason(&t, FOTA_R_NOT_TARGETED);
    detail(&t, "pinned");

    t.device.pin = fota_cstr("1.2");
    offer(&t);
    t.device.pin = fota_cstr("v1.2.0");
    offer(&t);

    /* latest, of which there is none */
    t.product.nfirmware = 0;
    t.product.nartifacts = 0;
    t.rollouts[0].target = FOTA_NONE;
    reason(&t, FOTA_R_NOT_TARGETED);
}


static void
test_filter(void **state)
{
    t.rollouts[0].filter = policy_filter(&t, "attr.hw=ge=3");
    reason(&t, FOTA_R_NOT_TARGETED);
    detail(&t, "the target filter does not match");

    t.attrs[0].name = fota_cstr("hw");
    t.attrs[0].value = fota_cstr("3");
    t.facts.nattrs = 1;
    offer(&t);
}


static void
test_sources(void **state)
{
    fota_str_t  sources[2] = { fota_string("0.*"), fota_string("1.1") };

    t.rollouts[0].sources = sources;
    t.rollouts[0].nsources = 2;
    reason(&t, FOTA_R_NOT_TARGETED);
    detail(&t, "the version is not among the allowed sources");

    t.facts.version = fota_cstr("1.1");
    offer(&t);
    t.facts.version = fota_cstr("0.9");
    offer(&t);
}


static void
test_geo(void **state)
{
    fota_str_t  in[2] = { fota_string("DE"), fota_string("JP/Tokyo") };
    fota_str_t  out[1] = { fota_string("JP/Tokyo/Shinjuku") };

    t.rollouts[0].include = in;
    t.rollouts[0].ninclude = 1;
    reason(&t, FOTA_R_GEO);
    detail(&t, "the location is not included");
    assert_int_equal(t.nlocate, 1);

    t.rollouts[0].ninclude = 2;
    offer(&t);

    t.rollouts[0].exclude = out;
    t.rollouts[0].nexclude = 1;
    reason(&t, FOTA_R_GEO);
    detail(&t, "the location is excluded");

    strcpy(t.location.city, "Shibuya");
    offer(&t);
    t.rollouts[0].ninclude = 0;
    offer(&t);

    t.location.country[0] = '\0';
    reason(&t, FOTA_R_GEO);
    detail(&t, "the location is not known");
    t.rollouts[0].geo_unknown_allow = 1;
    offer(&t);

    t.location.source = FOTA_GEO_NONE;
    offer(&t);
    t.rollouts[0].geo_unknown_allow = 0;
    reason(&t, FOTA_R_GEO);
}


static void
test_up_to_date(void **state)
{
    static const char *const  same[] = { "1.2", "v1.2", "1.2.0", "1.2+b7" };
    size_t                    i;

    for (i = 0; i < 4; i++) {
        t.facts.version = fota_cstr(same[i]);
        reason(&t, FOTA_R_UP_TO_DATE);
    }

    assert_ptr_equal(t.out.target, &t.firmware[3]);
    assert_null(t.out.path.artifact);

    t.rollouts[0].allow_downgrade = 1;
    reason(&t, FOTA_R_UP_TO_DATE);

    t.facts.version = fota_cstr("1.1");
    offer(&t);
}


static void
test_downgrade(void **state)
{
    t.facts.version = fota_cstr("1.3");
    reason(&t, FOTA_R_DOWNGRADE);
    t.facts.version = fota_cstr("1.2.5");       /* not ours */
    reason(&t, FOTA_R_DOWNGRADE);
    t.facts.version = fota_cstr("77");
    reason(&t, FOTA_R_DOWNGRADE);

    t.rollouts[0].allow_downgrade = 1;
    offer(&t);
    t.facts.version = fota_cstr("1.3");
    offer(&t);

    /* What is not known is below everything. */
    t.rollouts[0].allow_downgrade = 0;
    t.facts.version = fota_cstr("");
    offer(&t);
    t.facts.version = fota_cstr("1.1.9");
    offer(&t);
}


static void
test_latest(void **state)
{
    t.rollouts[0].target = FOTA_NONE;
    offer(&t);
    assert_ptr_equal(t.out.target, &t.firmware[6]);

    t.firmware[6].withdrawn = 1;
    t.firmware[5].withdrawn = 1;
    offer(&t);
    assert_ptr_equal(t.out.target, &t.firmware[4]);

    t.product.nfirmware = 0;
    t.product.nartifacts = 0;
    reason(&t, FOTA_R_NO_PATH);
    detail(&t, "there is no firmware of this kind");
    assert_null(t.out.target);
}


static void
test_attempts(void **state)
{
    t.rollouts[0].max_attempts = 3;
    t.attempts[0].rollout = 9;
    t.attempts[0].attempts = 99;
    t.attempts[1].rollout = 1;
    t.attempts[1].attempts = 2;
    t.device.nattempts = 2;
    offer(&t);

    t.attempts[1].attempts = 3;
    reason(&t, FOTA_R_ATTEMPTS);

    t.rollouts[0].max_attempts = 0;
    offer(&t);
}


static void
test_stage(void **state)
{
    uint16_t  bucket;

    bucket = fota_stage_bucket(77, t.facts.id);
    assert_in_range(bucket, 1, 9998);

    t.rollouts[0].reached = bucket;
    reason(&t, FOTA_R_STAGE);
    detail(&t, "not yet in the share reached");
    t.rollouts[0].reached = bucket + 1;
    offer(&t);

    t.rollouts[0].reached = 0;
    t.device.test = 1;
    offer(&t);

    t.rollouts[0].reached = 10000;
    t.rollouts[0].test_only = 1;
    offer(&t);
    t.device.test = 0;
    reason(&t, FOTA_R_STAGE);
    detail(&t, "the test stage is for test devices");
    t.in.device = NULL;
    reason(&t, FOTA_R_STAGE);

    t.groups[0] = 2;
    t.groups[1] = 4;
    t.groups[2] = 9;
    t.facts.ngroups = 3;
    t.rollouts[0].test_group = 5;
    reason(&t, FOTA_R_STAGE);
    t.rollouts[0].test_group = 10;
    reason(&t, FOTA_R_STAGE);

    t.rollouts[0].test_group = 9;
    offer(&t);
    t.rollouts[0].test_group = 2;
    offer(&t);
    t.rollouts[0].test_only = 0;
    t.rollouts[0].reached = 0;
    offer(&t);
}


/* A share reached takes that share of a fleet, and grows by adding. */

static void
test_bucket(void **state)
{
    char      id[32];
    unsigned  i, below;

    below = 0;

    for (i = 0; i < 20000; i++) {
        snprintf(id, sizeof(id), "cam-%u", i);
        below += fota_stage_bucket(12345, fota_cstr(id)) < 100;
    }

    /* 200 expected; five standard deviations. */
    assert_in_range(below, 130, 270);

    assert_int_not_equal(fota_stage_bucket(1, fota_cstr("a")),
                         fota_stage_bucket(2, fota_cstr("a")));
}


static void
test_stale(void **state)
{
    t.in.lag = 901;
    offer(&t);
    t.rollouts[0].require_fresh = 1;
    reason(&t, FOTA_R_STALE_POLICY);
    t.in.lag = 900;
    offer(&t);
    t.in.lag = UINT32_MAX;
    t.in.max_stale = 0;
    offer(&t);
}


static void
test_path(void **state)
{
    t.rollouts[0].target = 5;           /* 1.4, without artifacts */
    reason(&t, FOTA_R_NO_PATH);
    detail(&t, "no artifacts lead to the target");

    t.rollouts[0].target = 3;
    t.firmware[3].withdrawn = 1;
    reason(&t, FOTA_R_NO_PATH);
    detail(&t, "the target is withdrawn");
    t.firmware[3].withdrawn = 0;

    /* Delta, until it failed or is not wanted. */
    t.rollouts[0].strategy = FOTA_PATH_DELTA;
    offer(&t);
    assert_int_equal(t.out.path.bytes, 100);

    t.in.no_delta = 1;
    offer(&t);
    assert_int_equal(t.out.path.bytes, 1000);
    t.in.no_delta = 0;

    t.attempts[0].rollout = 1;
    t.attempts[0].attempts = 1;
    t.attempts[0].delta_failed = 1;
    t.device.nattempts = 1;
    offer(&t);
    assert_int_equal(t.out.path.bytes, 1000);

    t.attempts[0].delta_failed = 0;
    offer(&t);
    assert_int_equal(t.out.path.bytes, 100);

    t.attempts[0].rollout = 2;          /* in another rollout */
    t.attempts[0].delta_failed = 1;
    offer(&t);
    assert_int_equal(t.out.path.bytes, 100);
}


static void *
nothing(fota_mem_t *mem, size_t size)
{
    return NULL;
}


static void
test_nomem(void **state)
{
    fota_mem_t  mem;

    mem.alloc = nothing;
    offer(&t);
    t.rollouts[0].strategy = FOTA_PATH_AUTO;
    assert_int_equal(fota_policy_decide(&mem, &t.env, &t.in, &t.out),
                     FOTA_NOMEM);
    offer(&t);
    assert_int_equal(t.out.path.bytes, 100);
}


static void
test_capacity(void **state)
{
    t.load.active = 10;
    t.load.bps = 5000;
    offer(&t);
    assert_int_equal(t.nload, 0);

    t.rollouts[0].max_active = 10;
    reason(&t, FOTA_R_CAPACITY);
    detail(&t, "as many downloads as allowed are running");
    assert_in_range(t.out.poll, FOTA_RETRY_MIN, FOTA_RETRY_MAX);
    t.rollouts[0].max_active = 11;
    offer(&t);

    t.rollouts[0].max_bps = 5000;
    reason(&t, FOTA_R_CAPACITY);
    detail(&t, "as many bytes per second as allowed are sent");
    t.rollouts[0].max_bps = 5001;
    offer(&t);

    t.rollouts[0].max_bps = 1;
    t.env.load = NULL;
    offer(&t);
}


/* Who is refused again and again comes back sooner than others by turns. */

static void
test_capacity_is_fair(void **state)
{
    char      id[32];
    uint32_t  i, k, sum, first;

    t.load.active = 1;
    t.rollouts[0].max_active = 1;

    for (i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        t.facts.id = fota_cstr(id);
        t.in.now = POLICY_NOW;
        reason(&t, FOTA_R_CAPACITY);
        first = t.out.poll;
        reason(&t, FOTA_R_CAPACITY);
        assert_int_equal(t.out.poll, first);

        for (k = 0, sum = 0; k < 200; k++) {
            t.in.now = POLICY_NOW + (int64_t) k * FOTA_RETRY_MAX;
            reason(&t, FOTA_R_CAPACITY);
            assert_in_range(t.out.poll, FOTA_RETRY_MIN, FOTA_RETRY_MAX);
            sum += t.out.poll;
        }

        /* The mean of 30..120 is 75, of 200 draws within 11 of it. */
        assert_in_range(sum / 200, 64, 86);
    }
}


static void
test_order(void **state)
{
    policy_rollout(&t, "1.3");

    offer(&t);                          /* the first match wins */
    assert_int_equal(t.out.rollout->id, 1);
    assert_int_equal(t.ntrace, 1);

    t.rollouts[0].state = FOTA_ROLLOUT_PAUSED;
    offer(&t);
    assert_int_equal(t.out.rollout->id, 2);
    assert_int_equal(t.ntrace, 2);
    assert_int_equal(t.traced[0], FOTA_R_PAUSED);

    /* A fleet at the newest is up to date, whatever older ones want. */
    t.rollouts[0].state = FOTA_ROLLOUT_RUNNING;
    t.facts.version = fota_cstr("1.3");
    reason(&t, FOTA_R_UP_TO_DATE);
    assert_int_equal(t.traced[0], FOTA_R_DOWNGRADE);
    assert_int_equal(t.out.rollout->id, 2);

    /* On a tie the first. */
    t.rollouts[0].state = FOTA_ROLLOUT_PAUSED;
    t.rollouts[1].state = FOTA_ROLLOUT_PAUSED;
    reason(&t, FOTA_R_PAUSED);
    assert_int_equal(t.out.rollout->id, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_offer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rollout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_brakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_geo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_up_to_date, setup, teardown),
        cmocka_unit_test_setup_teardown(test_downgrade, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stage, setup, teardown),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nomem, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capacity_is_fair, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
