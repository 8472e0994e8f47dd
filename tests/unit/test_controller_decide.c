/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/controller_decide.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller.h"
#include "ingest_state.h"


#define NOW  1000000000000LL            /* ms */


static fota_rollout_row_t     row;
static fota_stage_row_t       stages[3];
static fota_rollout_counts_t  counts;
static char                   reason[256];


/* 10 % and 100 %, after a test stage; 1 000 devices, 5 of them for tests. */

static int
setup(void **state)
{
    int  i;

    memset(&row, 0, sizeof(row));
    memset(stages, 0, sizeof(stages));
    memset(&counts, 0, sizeof(counts));

    row.stage_since = NOW - 3600 * 1000;

    for (i = 0; i < 3; i++) {
        stages[i].n = (uint16_t) i;
        stages[i].min_count = 1;
        stages[i].auto_next = true;
    }

    stages[0].test_only = true;
    stages[0].success_pct = 100;
    stages[1].permille = 1000;
    stages[1].success_pct = 90;
    stages[2].permille = 10000;

    counts.total = 1000;
    counts.population[0] = 5;
    counts.population[1] = 104;
    counts.population[2] = 1000;

    return 0;
}


static fota_ctl_e
decide(void)
{
    return fota_controller_decide(&row, stages, 3, &counts, NOW, reason);
}


static void
test_success(void **state)
{
    counts.stage[0][FOTA_B_SUCCEEDED] = 4;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_string_equal(reason, "Stage 1 of 3 (test devices): 4 of 5 done,"
                        " 5 needed to go on");

    counts.stage[0][FOTA_B_SUCCEEDED] = 5;
    assert_int_equal(decide(), FOTA_CTL_NEXT);

    /* 90 % of 104 are 94 devices, those of the test stage among them. */

    row.stage = 1;
    counts.stage[1][FOTA_B_SUCCEEDED] = 88;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    counts.stage[1][FOTA_B_SUCCEEDED] = 89;
    assert_int_equal(decide(), FOTA_CTL_NEXT);
}


static void
test_minimum_of_success(void **state)
{
    row.stage = 1;
    stages[1].success_pct = 1;
    stages[1].min_count = 50;
    counts.stage[1][FOTA_B_SUCCEEDED] = 49;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    counts.stage[1][FOTA_B_SUCCEEDED] = 50;
    assert_int_equal(decide(), FOTA_CTL_NEXT);

    /* A stage smaller than its minimum can still pass. */

    counts.population[1] = 20;
    counts.stage[1][FOTA_B_SUCCEEDED] = 20;
    assert_int_equal(decide(), FOTA_CTL_NEXT);
}


static void
test_no_threshold(void **state)
{
    row.stage = 1;
    stages[1].success_pct = 0;
    assert_int_equal(decide(), FOTA_CTL_NEXT);

    /* Nobody in the share: nothing to wait for. */

    stages[1].success_pct = 90;
    counts.population[1] = 0;
    assert_int_equal(decide(), FOTA_CTL_NEXT);

    /* Nobody to test is no test passed. */

    row.stage = 0;
    counts.population[0] = 0;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_non_null(strstr(reason, "no test devices"));

    /* Not yet counted. */

    counts.population[0] = -1;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
}


static void
test_soak(void **state)
{
    row.stage = 1;
    stages[1].soak = 3601;
    counts.stage[1][FOTA_B_SUCCEEDED] = 104;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_non_null(strstr(reason, "watched for 3601 s"));
    stages[1].soak = 3600;
    assert_int_equal(decide(), FOTA_CTL_NEXT);
    stages[1].auto_next = false;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_non_null(strstr(reason, "operator"));
}


static void
test_errors(void **state)
{
    row.stage = 2;
    stages[2].error_pct = 2;
    stages[2].min_count = 100;

    counts.stage[2][FOTA_B_SUCCEEDED] = 90;
    counts.stage[2][FOTA_B_FAILED] = 9;
    assert_int_equal(decide(), FOTA_CTL_KEEP);

    counts.stage[2][FOTA_B_SUCCEEDED] = 7906;
    counts.stage[2][FOTA_B_FAILED] = 214;
    counts.population[2] = 10000;
    assert_int_equal(decide(), FOTA_CTL_PAUSE);
    assert_string_equal(reason, "Paused: 214 of 8120 failed (2.6 %), the"
                        " limit is 2 %");

    /* Just below. */

    counts.stage[2][FOTA_B_SUCCEEDED] = 981;
    counts.stage[2][FOTA_B_FAILED] = 19;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    counts.stage[2][FOTA_B_SUCCEEDED] = 980;
    counts.stage[2][FOTA_B_FAILED] = 20;
    assert_int_equal(decide(), FOTA_CTL_PAUSE);

    /* Since the last resume nothing has failed. */

    counts.base_ok[2] = 980;
    counts.base_failed[2] = 20;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    counts.stage[2][FOTA_B_SUCCEEDED] = 1070;
    counts.stage[2][FOTA_B_FAILED] = 30;
    assert_int_equal(decide(), FOTA_CTL_PAUSE);

    stages[2].error_pct = 0;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
}


static void
test_errors_of_earlier_stages(void **state)
{
    /* Devices of stage 1 that fail late count, too. */

    row.stage = 2;
    stages[2].error_pct = 10;
    stages[2].min_count = 20;
    counts.stage[1][FOTA_B_SUCCEEDED] = 50;
    counts.stage[1][FOTA_B_FAILED] = 50;
    counts.stage[2][FOTA_B_SUCCEEDED] = 10;
    assert_int_equal(decide(), FOTA_CTL_PAUSE);
}


static void
test_finish(void **state)
{
    row.stage = 2;
    counts.stage[0][FOTA_B_SUCCEEDED] = 5;
    counts.stage[1][FOTA_B_SUCCEEDED] = 99;
    counts.stage[2][FOTA_B_SUCCEEDED] = 880;
    counts.stage[2][FOTA_B_SKIPPED] = 10;
    counts.stage[2][FOTA_B_FAILED] = 6;
    assert_int_equal(decide(), FOTA_CTL_KEEP);

    /* Failed for good is an end as well. */

    counts.exhausted = 6;
    assert_int_equal(decide(), FOTA_CTL_FINISH);
    assert_string_equal(reason, "Finished: 984 of 1000 succeeded");

    stages[2].auto_next = false;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_non_null(strstr(reason, "All done"));
}


static void
test_times(void **state)
{
    row.end = NOW / 1000;
    assert_int_equal(decide(), FOTA_CTL_FINISH);
    row.end = NOW / 1000 + 1;
    row.start = NOW / 1000 + 1;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
    assert_string_equal(reason, "Waiting for its start time");
    row.start = 0;
    row.stage = 3;
    assert_int_equal(decide(), FOTA_CTL_KEEP);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_success, setup),
        cmocka_unit_test_setup(test_minimum_of_success, setup),
        cmocka_unit_test_setup(test_no_threshold, setup),
        cmocka_unit_test_setup(test_soak, setup),
        cmocka_unit_test_setup(test_errors, setup),
        cmocka_unit_test_setup(test_errors_of_earlier_stages, setup),
        cmocka_unit_test_setup(test_finish, setup),
        cmocka_unit_test_setup(test_times, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
