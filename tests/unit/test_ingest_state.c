/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/ingest_state.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "ingest_state.h"


static fota_standing_change_t
step(fota_standing_t *s, fota_report_state_e state, uint16_t attempt,
    uint32_t seq)
{
    fota_standing_report_t  r;
    fota_standing_change_t  change;

    memset(&r, 0, sizeof(r));
    r.state = state;
    r.attempt = attempt;
    r.seq = seq;

    fota_standing_apply(s, &r, &change);

    return change;
}


static void
test_names(void **state)
{
    int  i;

    for (i = FOTA_B_OFFERED; i < FOTA_B__N; i++) {
        assert_int_equal(fota_bucket_parse(fota_cstr(fota_bucket_name(
                                                     (fota_bucket_e) i))),
                         i);
    }

    assert_string_equal(fota_bucket_name(FOTA_B_NONE), "waiting");
    assert_int_equal(fota_bucket_parse(fota_cstr("waiting")), FOTA_B_NONE);
    assert_int_equal(fota_bucket_parse(fota_cstr("x")), FOTA_B_NONE);
    assert_string_equal(fota_bucket_name(FOTA_B__N), "unknown");
}


static void
test_forward(void **state)
{
    fota_standing_t  s;

    memset(&s, 0, sizeof(s));

    assert_true(fota_standing_offer(&s));
    assert_false(fota_standing_offer(&s));
    assert_int_equal(s.bucket, FOTA_B_OFFERED);

    assert_true(step(&s, FOTA_RS_DOWNLOADING, 1, 1).moved);
    assert_int_equal(s.bucket, FOTA_B_DOWNLOADING);
    step(&s, FOTA_RS_DOWNLOADED, 1, 2);
    assert_int_equal(s.bucket, FOTA_B_DOWNLOADING);
    step(&s, FOTA_RS_INSTALLING, 1, 3);
    assert_int_equal(s.bucket, FOTA_B_INSTALLING);
    step(&s, FOTA_RS_SUCCEEDED, 1, 4);
    assert_int_equal(s.bucket, FOTA_B_SUCCEEDED);
    assert_int_equal(s.progress, 100);
}


static void
test_never_back(void **state)
{
    fota_standing_t         s;
    fota_standing_change_t  c;

    memset(&s, 0, sizeof(s));

    step(&s, FOTA_RS_INSTALLING, 1, 3);

    /* Late and again. */

    c = step(&s, FOTA_RS_DOWNLOADING, 1, 1);
    assert_false(c.moved || c.latest);
    c = step(&s, FOTA_RS_INSTALLING, 1, 3);
    assert_false(c.moved || c.latest);

    /* A device that counts on but says less keeps its place. */

    c = step(&s, FOTA_RS_DOWNLOADING, 1, 4);
    assert_true(c.latest);
    assert_int_equal(s.bucket, FOTA_B_INSTALLING);
    assert_int_equal(s.seq, 4);

    step(&s, FOTA_RS_SUCCEEDED, 1, 5);
    step(&s, FOTA_RS_INSTALLING, 1, 6);
    assert_int_equal(s.bucket, FOTA_B_SUCCEEDED);

    /* After it had said "succeeded" its own health check found it broken. */

    c = step(&s, FOTA_RS_FAILED, 1, 7);
    assert_true(c.attempts);
    assert_int_equal(s.bucket, FOTA_B_FAILED);

    /* A new attempt begins anew. */

    step(&s, FOTA_RS_DOWNLOADING, 2, 1);
    assert_int_equal(s.bucket, FOTA_B_DOWNLOADING);
    assert_int_equal(s.attempts_failed, 1);

    step(&s, FOTA_RS_SUCCEEDED, 1, 99);
    assert_int_equal(s.bucket, FOTA_B_DOWNLOADING);
}


static void
test_failures_count_whenever(void **state)
{
    fota_standing_t         s;
    fota_standing_report_t  r;
    fota_standing_change_t  c;

    memset(&s, 0, sizeof(s));
    memset(&r, 0, sizeof(r));

    step(&s, FOTA_RS_SUCCEEDED, 3, 1);

    r.state = FOTA_RS_FAILED;
    r.attempt = 1;
    r.seq = 9;
    r.delta = true;
    fota_standing_apply(&s, &r, &c);

    assert_true(c.moved && c.attempts && !c.latest);
    assert_int_equal(s.bucket, FOTA_B_SUCCEEDED);
    assert_int_equal(s.attempts_failed, 1);
    assert_int_equal(s.delta_failed, 1);

    s.attempts_failed = UINT16_MAX;
    fota_standing_apply(&s, &r, &c);
    assert_int_equal(s.attempts_failed, UINT16_MAX);
}


static void
test_step_on_the_way(void **state)
{
    fota_standing_t         s;
    fota_standing_report_t  r;
    fota_standing_change_t  c;

    memset(&s, 0, sizeof(s));
    memset(&r, 0, sizeof(r));

    step(&s, FOTA_RS_INSTALLING, 1, 3);

    r.state = FOTA_RS_SUCCEEDED;
    r.attempt = 1;
    r.seq = 4;
    r.step = true;
    fota_standing_apply(&s, &r, &c);
    assert_int_equal(s.bucket, FOTA_B_OFFERED);

    step(&s, FOTA_RS_DOWNLOADING, 1, 5);
    assert_int_equal(s.bucket, FOTA_B_DOWNLOADING);
    step(&s, FOTA_RS_REJECTED, 1, 6);
    assert_int_equal(s.bucket, FOTA_B_SKIPPED);
}


/* Whatever the order of a device's reports, it ends in one place. */

static void
test_any_order(void **state)
{
    int              i, j, n, round;
    size_t           k;
    fota_standing_t  s;

    static const struct {
        fota_report_state_e  state;
        uint16_t             attempt;
        uint32_t             seq;
    } story[] = {
        { FOTA_RS_DOWNLOADING, 1, 1 },
        { FOTA_RS_FAILED, 1, 2 },
        { FOTA_RS_DOWNLOADING, 2, 1 },
        { FOTA_RS_INSTALLING, 2, 2 },
        { FOTA_RS_FAILED, 2, 3 },
        { FOTA_RS_DOWNLOADING, 3, 1 },
        { FOTA_RS_SUCCEEDED, 3, 2 },
    };

    int  order[7];

    srand(11);

    n = (int) (sizeof(story) / sizeof(story[0]));

    for (round = 0; round < 5000; round++) {

        for (i = 0; i < n; i++) {
            order[i] = i;
        }

        for (i = n - 1; i > 0; i--) {
            j = rand() % (i + 1);
            k = (size_t) order[i];
            order[i] = order[j];
            order[j] = (int) k;
        }

        memset(&s, 0, sizeof(s));

        for (i = 0; i < n; i++) {
            step(&s, story[order[i]].state, story[order[i]].attempt,
                 story[order[i]].seq);
        }

        assert_int_equal(s.bucket, FOTA_B_SUCCEEDED);
        assert_int_equal(s.attempt, 3);
        assert_int_equal(s.seq, 2);
        assert_int_equal(s.attempts_failed, 2);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_never_back),
        cmocka_unit_test(test_failures_count_whenever),
        cmocka_unit_test(test_step_on_the_way),
        cmocka_unit_test(test_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
