/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* objects: ngx_fota_module/fota_agent/agent_evict.c */
/* objects: ngx_fota_module/fota_agent/agent_state.c */
/* objects: ngx_fota_module/fota_agent/agent_log.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "agent.h"
#include "agent_evict.h"


static fota_agent_stored_t  files[4];


static int
setup(void **state)
{
    size_t  i;

    memset(files, 0, sizeof(files));

    for (i = 0; i < 4; i++) {
        (void) snprintf(files[i].name, sizeof(files[i].name), "file%zu", i);
        files[i].size = 100;
        files[i].used = (int64_t) (40 - 10 * i);
    }

    return 0;
}


static unsigned
evicted(const char *name)
{
    size_t  i;

    for (i = 0; i < 4; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return files[i].evict;
        }
    }

    return 9;
}


static void
test_oldest_first(void **state)
{
    assert_int_equal(fota_agent_evict(files, 4, 0), FOTA_OK);
    assert_int_equal(evicted("file3"), 0);

    assert_int_equal(fota_agent_evict(files, 4, 1), FOTA_OK);
    assert_int_equal(evicted("file3"), 1);
    assert_int_equal(evicted("file2"), 0);

    assert_int_equal(fota_agent_evict(files, 4, 101), FOTA_OK);
    assert_int_equal(evicted("file3"), 1);
    assert_int_equal(evicted("file2"), 1);
    assert_int_equal(evicted("file1"), 0);
}


static void
test_needed_stays(void **state)
{
    files[3].keep = 1;
    assert_int_equal(fota_agent_evict(files, 4, 100), FOTA_OK);
    assert_int_equal(evicted("file3"), 0);
    assert_int_equal(evicted("file2"), 1);
}


/* When it does not help, nothing is thrown away for it. */

static void
test_all_or_nothing(void **state)
{
    files[0].keep = 1;
    files[1].keep = 1;

    assert_int_equal(fota_agent_evict(files, 4, 200), FOTA_OK);
    assert_int_equal(fota_agent_evict(files, 4, 201), FOTA_FULL);
    assert_int_equal(evicted("file2"), 0);
    assert_int_equal(evicted("file3"), 0);
    assert_int_equal(fota_agent_evict(files, 0, 1), FOTA_FULL);
    assert_int_equal(fota_agent_evict(files, 0, 0), FOTA_OK);
}


static void
test_same_age(void **state)
{
    files[2].used = files[3].used;
    assert_int_equal(fota_agent_evict(files, 4, 1), FOTA_OK);
    assert_int_equal(evicted("file2"), 1);
    assert_int_equal(evicted("file3"), 0);
}


static void
test_must(void **state)
{
    uint64_t  disk;

    disk = 1ULL << 40;

    assert_int_equal(fota_agent_evict_must(500, 100, 0, disk), 0);
    assert_int_equal(fota_agent_evict_must(500, 100, 600, disk), 0);
    assert_int_equal(fota_agent_evict_must(500, 100, 550, disk), 50);
    assert_int_equal(fota_agent_evict_must(900, 0, 550, disk), 350);

    /* The disk itself, with 16 MiB for others; the larger need counts. */

    disk = 20 << 20;
    assert_int_equal(fota_agent_evict_must(0, 4 << 20, 0, disk), 0);
    assert_int_equal(fota_agent_evict_must(0, 6 << 20, 0, disk), 2 << 20);
    assert_int_equal(fota_agent_evict_must(10 << 20, 6 << 20, 11 << 20, disk),
                     5 << 20);
}


/* Full jitter: never under a second, never over the bound, not the same. */

static void
test_backoff(void **state)
{
    size_t    i;
    unsigned  attempt;
    uint64_t  ms, lo, hi;

    for (attempt = 0; attempt < 70; attempt++) {
        lo = UINT64_MAX;
        hi = 0;

        for (i = 0; i < 200; i++) {
            ms = fota_agent_backoff(attempt, 30, 0);
            assert_true(ms >= 1000);
            assert_true(ms <= 30000);
            lo = (ms < lo) ? ms : lo;
            hi = (ms > hi) ? ms : hi;
        }

        assert_true(hi > lo);

        if (attempt <= 1) {
            assert_true(hi <= 2000);

        } else if (attempt >= 5) {
            assert_true(hi > 15000);
            assert_true(lo < 15000);
        }
    }

    for (i = 0; i < 100; i++) {
        ms = fota_agent_backoff(0, 30, 90);
        assert_true(ms >= 90000 && ms < 91000);
        ms = fota_agent_backoff(0, 30, 1000000);
        assert_true(ms < 3601000);
    }
}


static void
test_faults(void **state)
{
    static fota_agent_t  agent;

    assert_int_equal(fota_agent_log_open("/dev/null", 3), 0);
    assert_int_equal(pthread_mutex_init(&agent.lock, NULL), 0);

    fota_agent_fault(&agent, FOTA_AGENT_FETCH, "no room for %s", "x");
    assert_true(agent.faults[FOTA_AGENT_FETCH].now);
    assert_string_equal(agent.faults[FOTA_AGENT_FETCH].text, "no room for x");
    assert_int_equal(agent.faults[FOTA_AGENT_FETCH].count, 1);
    assert_false(agent.faults[FOTA_AGENT_SYNC].now);

    fota_agent_well(&agent, FOTA_AGENT_FETCH);
    assert_false(agent.faults[FOTA_AGENT_FETCH].now);
    assert_int_equal(agent.faults[FOTA_AGENT_FETCH].count, 1);

    assert_string_equal(fota_agent_part_name(FOTA_AGENT_UPLOAD), "upload");
    assert_string_equal(fota_agent_part_name(99), "");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_oldest_first, setup),
        cmocka_unit_test_setup(test_needed_stays, setup),
        cmocka_unit_test_setup(test_all_or_nothing, setup),
        cmocka_unit_test_setup(test_same_age, setup),
        cmocka_unit_test(test_must),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_faults)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
