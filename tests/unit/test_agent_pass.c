/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* objects: ngx_fota_module/fota_agent/agent_pass.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "agent_pass.h"


#define WEEK   604800
#define BLOCK  262144


static void
fill(fota_agent_passes_t *p)
{
    memset(p, 0, sizeof(fota_agent_passes_t));

    fota_agent_pass_begin(p, 1000);
    p->now.files = 12;
    p->now.bytes = 3ULL << 40;
    p->now.bad = 1;
    fota_agent_pass_end(p, 2000);

    fota_agent_pass_begin(p, 700000);
    p->now.files = 5;
    (void) snprintf(p->after, sizeof(p->after),
                    "5WGZ5HREmpl2070SM8ctlaz_76gHogHU7kO6EuvwHiM");
}


static void
test_due(void **state)
{
    fota_agent_passes_t  p;

    /* Never before: at once. */

    memset(&p, 0, sizeof(p));
    assert_int_equal(fota_agent_pass_due(&p.now, 5, WEEK), 0);

    /* Under way: at once, how long ago it may have begun. */

    fota_agent_pass_begin(&p, 1000);
    assert_int_equal(fota_agent_pass_due(&p.now, 1001, WEEK), 0);
    assert_int_equal(fota_agent_pass_due(&p.now, 9999999, WEEK), 0);

    /* From beginning to beginning, however long it took. */

    fota_agent_pass_end(&p, 1500);
    assert_int_equal(fota_agent_pass_due(&p.now, 1500, WEEK), WEEK - 500);
    assert_int_equal(fota_agent_pass_due(&p.now, 1000 + WEEK - 1, WEEK), 1);
    assert_int_equal(fota_agent_pass_due(&p.now, 1000 + WEEK, WEEK), 0);
    assert_int_equal(fota_agent_pass_due(&p.now, 1001, 1), 0);

    /* The clock went back: no wait of years. */

    assert_int_equal(fota_agent_pass_due(&p.now, 999, WEEK), 0);
    assert_int_equal(fota_agent_pass_due(&p.now, 1000, WEEK), WEEK);
}


static void
test_begin_and_end(void **state)
{
    fota_agent_passes_t  p;

    fill(&p);

    assert_int_equal(p.now.begun, 700000);
    assert_int_equal(p.now.ended, 0);
    assert_int_equal(p.now.bad, 0);
    assert_int_equal(p.last.begun, 1000);
    assert_int_equal(p.last.ended, 2000);
    assert_int_equal(p.last.files, 12);
    assert_int_equal(p.last.bad, 1);

    fota_agent_pass_begin(&p, 800000);
    assert_string_equal(p.after, "");
    assert_int_equal(p.now.files, 0);
    assert_int_equal(p.last.files, 12);
}


static void
test_pace(void **state)
{
    size_t             i;
    uint64_t           now, ms, begun;
    fota_agent_pace_t  pace;

    static const uint64_t  rates[] = {
        64 << 10, 8 << 20, 100 << 20, 1ULL << 30
    };

    /* Who sleeps as told, and reads at once, has the rate. */

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t  sum;

        pace.rate = rates[i];
        pace.due = 0;
        begun = now = 5000000000;

        for (sum = 0; sum < 10 * rates[i]; sum += BLOCK) {
            ms = fota_agent_pace(&pace, now, BLOCK);
            now += ms * 1000;
        }

        assert_in_range(now - begun, 9990000,
                        10010000 + 1000000ULL * BLOCK / rates[i]);
    }

    /* A slow disk costs nothing more; what was idle is not made up for. */

    pace.rate = 1 << 20;
    pace.due = 0;
    now = 1000000;

    assert_int_equal(fota_agent_pace(&pace, now, BLOCK), 250);
    assert_int_equal(fota_agent_pace(&pace, now + 200000, BLOCK), 300);
    now += 3600000000;
    assert_int_equal(fota_agent_pace(&pace, now, BLOCK), 250);
    assert_int_equal(fota_agent_pace(&pace, now, BLOCK), 500);

    /* The largest block at the least rate. */

    pace.rate = 64 << 10;
    pace.due = 0;
    assert_int_equal(fota_agent_pace(&pace, now, BLOCK), 4000);
    assert_int_equal(fota_agent_pace(&pace, now, 0), 4000);
}


static void
test_round_trip(void **state)
{
    uint8_t              page[FOTA_AGENT_PASS_SIZE];
    fota_agent_passes_t  a, b;

    fill(&a);
    fota_agent_pass_encode(&a, page);
    assert_int_equal(fota_agent_pass_decode(fota_slice(page, sizeof(page)),
                                            &b),
                     FOTA_OK);
    assert_memory_equal(&a, &b, sizeof(a));
}


/* Whatever byte is another one: it begins anew. */

static void
test_every_byte(void **state)
{
    size_t               i;
    uint8_t              page[FOTA_AGENT_PASS_SIZE + 1];
    fota_agent_passes_t  a, b, none;

    fill(&a);
    memset(&none, 0, sizeof(none));
    memset(page, 0, sizeof(page));
    fota_agent_pass_encode(&a, page);

    for (i = 0; i < FOTA_AGENT_PASS_SIZE; i++) {
        page[i] ^= 0x10;
        assert_int_equal(fota_agent_pass_decode(
                             fota_slice(page, FOTA_AGENT_PASS_SIZE), &b),
                         FOTA_CORRUPT);
        assert_memory_equal(&b, &none, sizeof(b));
        page[i] ^= 0x10;
    }

    for (i = 0; i <= sizeof(page); i++) {
        if (i != FOTA_AGENT_PASS_SIZE) {
            assert_int_equal(fota_agent_pass_decode(
                                 fota_slice(page, (i < sizeof(page))
                                                  ? i : sizeof(page)), &b),
                             FOTA_CORRUPT);
        }
    }

    /* Sealed, but with a name that does not end. */

    memset(a.after, 'x', sizeof(a.after));
    fota_agent_pass_encode(&a, page);
    assert_int_equal(fota_agent_pass_decode(
                         fota_slice(page, FOTA_AGENT_PASS_SIZE), &b),
                     FOTA_CORRUPT);
    assert_memory_equal(&b, &none, sizeof(b));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_begin_and_end),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
