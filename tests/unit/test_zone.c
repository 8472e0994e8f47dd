/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "fota_record.h"


static void
test_civil_against_libc(void **state)
{
    int           i;
    int64_t       t;
    time_t        tt;
    struct tm     tm;
    fota_civil_t  c;

    /* Odd steps through about 4 000 years on both sides of the epoch. */

    t = -62135596800;

    for (i = 0; i < 200000; i++, t += 631139 + i % 86399) {
        tt = (time_t) t;
        gmtime_r(&tt, &tm);
        fota_civil(t, 0, &c);

        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.weekday, (tm.tm_wday + 6) % 7);
        assert_int_equal(c.second,
                         tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        assert_int_equal(fota_civil_utc(c.year, c.month, c.day, c.second), t);
    }
}


static void
test_civil_offset(void **state)
{
    fota_civil_t  c;

    /* 2026-03-01 23:30 UTC is the 2nd, 05:15, in Kathmandu. */

    fota_civil(fota_civil_utc(2026, 3, 1, 23 * 3600 + 1800), 20700, &c);

    assert_int_equal(c.month, 3);
    assert_int_equal(c.day, 2);
    assert_int_equal(c.weekday, 0);
    assert_int_equal(c.second, 5 * 3600 + 15 * 60);

    fota_civil(0, -1, &c);

    assert_int_equal(c.year, 1969);
    assert_int_equal(c.second, 86399);
    assert_int_equal(c.weekday, 2);

    /* No overflow, whatever a caller brings. */

    fota_civil(INT64_MAX, 50400, &c);
    assert_true(c.month >= 1 && c.month <= 12);
    fota_civil(INT64_MIN, -50400, &c);
    assert_true(c.weekday >= 0 && c.weekday <= 6);
}


static void
test_parse_offset(void **state)
{
    size_t   i;
    int32_t  v;

    static const struct {
        const char  *s;
        int32_t      v;
    } good[] = {
        { "Z", 0 }, { "z", 0 }, { "+9", 32400 }, { "+09", 32400 },
        { "+09:00", 32400 }, { "-0330", -12600 }, { "+5:45", 20700 },
        { "+0545", 20700 }, { "+14:00", 50400 }, { "-14", -50400 },
        { "-00:00", 0 }, { "+10:30", 37800 }
    };

    static const char  *bad[] = {
        "", "+", "-", "9", "09:00", "+24:00", "+14:01", "+9:5", "+09:60",
        "+123", "+12345", "+:30", "+1::30", "+01:3", "+01:300", "Zulu", "+a",
        "+09:00 ", "+99"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        v = -1;
        assert_int_equal(fota_zone_parse_offset(fota_cstr(good[i].s), &v),
                         FOTA_OK);
        assert_int_equal(v, good[i].v);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_zone_parse_offset(fota_cstr(bad[i]), &v),
                         FOTA_INVALID);
    }
}


static void
test_offset_lookup(void **state)
{
    fota_zone_t        z;
    fota_transition_t  tr[] = { { 100, 3600 }, { 200, 7200 }, { 300, 3600 } };

    z.name = fota_cstr("X");
    z.initial = -3600;
    z.n = 3;
    z.transitions = tr;

    assert_int_equal(fota_zone_offset(&z, INT64_MIN), -3600);
    assert_int_equal(fota_zone_offset(&z, 99), -3600);
    assert_int_equal(fota_zone_offset(&z, 100), 3600);
    assert_int_equal(fota_zone_offset(&z, 199), 3600);
    assert_int_equal(fota_zone_offset(&z, 200), 7200);
    assert_int_equal(fota_zone_offset(&z, INT64_MAX), 3600);

    assert_int_equal(fota_zone_next(&z, 99), 100);
    assert_int_equal(fota_zone_next(&z, 100), 200);
    assert_true(fota_zone_next(&z, 300) == INT64_MAX);

    z.n = 0;
    assert_int_equal(fota_zone_offset(&z, 100), -3600);
    assert_true(fota_zone_next(&z, 0) == INT64_MAX);
}


static void
test_codec(void **state)
{
    size_t             i;
    uint8_t            mem[4096], bad[4096];
    fota_buf_t         b;
    fota_zone_t        z, got;
    fota_arena_t       arena;
    fota_transition_t  tr[] = { { -5, -12600 }, { 5, 7200 } };

    fota_arena_init(&arena, 0);

    z.name = fota_cstr("Europe/Berlin");
    z.initial = -3600;
    z.n = 2;
    z.transitions = tr;

    fota_buf_fixed(&b, mem, sizeof(mem));
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_OK);
    assert_int_equal(mem[0], FOTA_T_ZONE);

    assert_int_equal(fota_zone_decode(&arena.mem, fota_buf_slice(&b), &got),
                     FOTA_OK);
    assert_true(fota_str_eq(got.name, z.name));
    assert_int_equal(got.initial, -3600);
    assert_int_equal(got.n, 2);
    assert_memory_equal(&got.transitions[0].at, &tr[0].at, 8);
    assert_int_equal(got.transitions[0].offset, -12600);
    assert_int_equal(got.transitions[1].offset, 7200);

    /* Every shorter record is refused, and one with more bytes. */

    for (i = 0; i < b.len; i++) {
        assert_int_not_equal(fota_zone_decode(&arena.mem, fota_slice(mem, i),
                                              &got), FOTA_OK);
    }

    mem[b.len] = 0;
    assert_int_equal(fota_zone_decode(&arena.mem, fota_slice(mem, b.len + 1),
                                      &got), FOTA_CORRUPT);

    memcpy(bad, mem, b.len);
    bad[1] = 2;
    assert_int_equal(fota_zone_decode(&arena.mem, fota_slice(bad, b.len),
                                      &got), FOTA_TOO_NEW);
    bad[1] = 1;
    bad[0] = FOTA_T_NODE;
    assert_int_equal(fota_zone_decode(&arena.mem, fota_slice(bad, b.len),
                                      &got), FOTA_CORRUPT);

    /* Not ascending: binary search would lie. */

    tr[1].at = -5;
    fota_buf_reset(&b);
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_INVALID);

    tr[1].at = 5;
    tr[1].offset = 100000;
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_LIMIT);

    tr[1].offset = 0;
    z.n = FOTA_ZONE_TRANSITIONS_MAX + 1;
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_LIMIT);

    z.n = 0;
    z.initial = INT32_MIN;
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_LIMIT);

    z.initial = 0;
    z.name = fota_cstr("");
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_INVALID);

    z.name = fota_cstr("UTC");
    fota_buf_fixed(&b, mem, 8);
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_FULL);

    fota_arena_free(&arena);

    /* Memory that runs out is said, not hidden. */

    tr[1].at = 5;
    z.n = 2;
    fota_buf_fixed(&b, mem, sizeof(mem));
    assert_int_equal(fota_zone_encode(&z, &b), FOTA_OK);
    fota_arena_init(&arena, 1);
    assert_int_equal(fota_zone_decode(&arena.mem, fota_buf_slice(&b), &got),
                     FOTA_NOMEM);
    fota_arena_free(&arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_civil_against_libc),
        cmocka_unit_test(test_civil_offset),
        cmocka_unit_test(test_parse_offset),
        cmocka_unit_test(test_offset_lookup),
        cmocka_unit_test(test_codec)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
