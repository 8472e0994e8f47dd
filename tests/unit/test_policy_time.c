/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Windows in the device's time, and when the device comes back. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_policy.h"


#define offer(t)        assert_int_equal(policy_run(t), FOTA_R_OFFER)
#define reason(t, r)    assert_int_equal(policy_run(t), r)


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


/* 12:00 UTC is 21:00 in Tokyo, 13:00 in Berlin, 17:45 in Kathmandu. */

static void
test_window(void **state)
{
    fota_rollout_t  *r;
    fota_window_t    w;

    r = &t.rollouts[0];
    w.days = 0x7f;
    w.from = 21 * 60;
    w.to = 22 * 60;
    r->windows = &w;
    r->nwindows = 1;

    offer(&t);                          /* the location's */
    assert_int_equal(t.out.window_until, POLICY_NOW + 3600);

    t.facts.tz = fota_cstr("Europe/Berlin");
    reason(&t, FOTA_R_WINDOW);          /* the reported one wins */
    assert_int_equal(t.out.window_until, 0);
    w.from = 13 * 60;
    w.to = 14 * 60;
    offer(&t);

    t.facts.tz = fota_cstr("+05:45");
    reason(&t, FOTA_R_WINDOW);
    w.from = 17 * 60 + 45;
    w.to = 18 * 60;
    offer(&t);
    assert_int_equal(t.out.window_until, POLICY_NOW + 15 * 60);

    r->time_mode = FOTA_TIME_ZONE;      /* named: the device does not count */
    r->zone = fota_cstr("Asia/Tokyo");
    reason(&t, FOTA_R_WINDOW);
    w.from = 21 * 60;
    w.to = 22 * 60;
    offer(&t);

    /* Nothing of the device is known: the rollout's, then UTC. */
    r->time_mode = FOTA_TIME_DEVICE;
    t.facts.tz = fota_cstr("No/Where");
    strcpy(t.location.tz, "Also/None");
    offer(&t);
    r->zone = fota_cstr("");
    reason(&t, FOTA_R_WINDOW);
    w.from = 12 * 60;
    w.to = 13 * 60;
    offer(&t);
    t.env.zone = NULL;
    offer(&t);
    t.env.zone = policy_zone;

    w.days = 0x01;                      /* Monday, and it is Tuesday */
    reason(&t, FOTA_R_WINDOW);
    w.days = 0x02;
    offer(&t);
}


/* The device's clock is asked once for all rollouts. */

static void
test_window_once(void **state)
{
    unsigned       i;
    fota_window_t  w;

    w.days = 0x7f;
    w.from = 60;
    w.to = 120;

    for (i = 0; i < 20; i++) {
        policy_rollout(&t, "1.2");
    }

    for (i = 0; i < t.product.nrollouts; i++) {
        t.rollouts[i].windows = &w;
        t.rollouts[i].nwindows = 1;
    }

    reason(&t, FOTA_R_WINDOW);
    assert_int_equal(t.nlocate, 1);
    assert_int_equal(t.nzone, 1);
}


static void
test_poll(void **state)
{
    char       id[32];
    bool       differ;
    uint32_t   i, poll, first;

    assert_int_equal(fota_poll_jitter(0, fota_cstr("x")), 0);
    assert_int_equal(fota_poll_jitter(9, fota_cstr("x")), 9);

    first = fota_poll_jitter(3600, fota_cstr("dev-0"));
    differ = false;

    for (i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        poll = fota_poll_jitter(3600, fota_cstr(id));
        assert_in_range(poll, 3240, 3960);
        assert_int_equal(poll, fota_poll_jitter(3600, fota_cstr(id)));
        differ = differ || poll != first;
    }

    assert_true(differ);
    assert_in_range(fota_poll_jitter(UINT32_MAX - UINT32_MAX / 10,
                                     fota_cstr("x")), 1, UINT32_MAX);

    offer(&t);
    assert_in_range(t.out.poll, 77760, 95040);
    t.product.poll = 0;
    offer(&t);
    assert_in_range(t.out.poll, 3240, 3960);
    t.product.poll = UINT32_MAX;
    offer(&t);
    assert_in_range(t.out.poll, 544320, 665280);
}


/* Nodes that are full: soon, but never later than the usual poll. */

static void
test_poll_full(void **state)
{
    char      id[32];
    uint32_t  i;

    for (i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        t.facts.id = fota_cstr(id);

        t.product.poll = 0;
        assert_in_range(fota_poll_full(&t.product, t.facts.id), 270, 330);
        t.product.poll = 86400;
        assert_in_range(fota_poll_full(&t.product, t.facts.id), 270, 330);
        t.product.poll = 60;
        assert_in_range(fota_poll_full(&t.product, t.facts.id), 54, 66);
    }
}


/* Devices wake just inside their window, spread, and never before it. */

static void
test_wake_window(void **state)
{
    char           id[32];
    uint32_t       i, low, high;
    fota_window_t  w;

    w.days = 0x7f;
    w.from = 22 * 60;                   /* in an hour, in Tokyo */
    w.to = 24 * 60;
    t.rollouts[0].windows = &w;
    t.rollouts[0].nwindows = 1;

    low = UINT32_MAX;
    high = 0;

    for (i = 0; i < 500; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        t.facts.id = fota_cstr(id);
        reason(&t, FOTA_R_WINDOW);
        assert_in_range(t.out.poll, 3600, 3600 + 599);
        low = (t.out.poll < low) ? t.out.poll : low;
        high = (t.out.poll > high) ? t.out.poll : high;
    }

    assert_true(high - low > 400);

    /* A window of two minutes is hit in its first half. */
    w.to = 22 * 60 + 2;

    for (i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        t.facts.id = fota_cstr(id);
        reason(&t, FOTA_R_WINDOW);
        assert_in_range(t.out.poll, 3600, 3659);
    }

    /* A poll that comes earlier anyway stays. */
    t.product.poll = 600;
    reason(&t, FOTA_R_WINDOW);
    assert_in_range(t.out.poll, 540, 660);

    /* Offered by another rollout: that is done first. */
    t.product.poll = 86400;
    policy_rollout(&t, "1.3");
    offer(&t);
    assert_true(t.out.poll > 70000);

    /* The sooner of what two rollouts wait for. */
    t.rollouts[1].start = POLICY_NOW + 60;
    reason(&t, FOTA_R_WINDOW);
    assert_in_range(t.out.poll, 60, 659);
}


static void
test_wake_start(void **state)
{
    char      id[32];
    uint32_t  i;

    t.rollouts[0].start = POLICY_NOW + 1000;

    for (i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "dev-%u", i);
        t.facts.id = fota_cstr(id);
        t.rollouts[0].end = 0;
        reason(&t, FOTA_R_NOT_STARTED);
        assert_in_range(t.out.poll, 1000, 1599);

        t.rollouts[0].end = POLICY_NOW + 1060;
        reason(&t, FOTA_R_NOT_STARTED);
        assert_in_range(t.out.poll, 1000, 1059);

        t.rollouts[0].end = POLICY_NOW + 1001;
        reason(&t, FOTA_R_NOT_STARTED);
        assert_int_equal(t.out.poll, 1000);
    }

    t.rollouts[0].end = 0;
    t.rollouts[0].start = INT64_MAX;
    reason(&t, FOTA_R_NOT_STARTED);
    assert_in_range(t.out.poll, 77760, 95040);
    t.in.now = -5;
    reason(&t, FOTA_R_NOT_STARTED);
    t.rollouts[0].end = -INT64_MAX;
    reason(&t, FOTA_R_NOT_STARTED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_start, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
