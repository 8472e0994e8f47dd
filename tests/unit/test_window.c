/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fota_window.h"


#define ZONEINFO  "/usr/share/zoneinfo/"
#define AHEAD     (15 * 86400)


static fota_arena_t  arena;


static fota_window_t
window(const char *s)
{
    size_t         pos;
    fota_window_t  w;

    assert_int_equal(fota_window_parse(fota_cstr(s), &w, &pos), FOTA_OK);

    return w;
}


static void
load(const char *name, fota_zone_t *z)
{
    FILE    *f;
    char     path[256];
    size_t   n;

    static uint8_t  file[65536];

    snprintf(path, sizeof(path), ZONEINFO "%s", name);

    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(file, 1, sizeof(file), f);
    fclose(f);

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr(name),
                                         fota_slice(file, n),
                                         fota_civil_utc(2020, 1, 1, 0),
                                         fota_civil_utc(2038, 1, 1, 0), z),
                     FOTA_OK);

    snprintf(path, sizeof(path), ":" ZONEINFO "%s", name);
    setenv("TZ", path, 1);
    tzset();
}


/* Membership straight from the definition, civil time by libc. */

static bool
inside(const fota_window_t *w, size_t n, time_t t)
{
    int        wd, minute;
    bool       today, yesterday;
    size_t     i;
    struct tm  tm;

    localtime_r(&t, &tm);
    wd = (tm.tm_wday + 6) % 7;
    minute = tm.tm_hour * 60 + tm.tm_min;

    for (i = 0; i < n; i++) {
        today = w[i].days >> wd & 1;
        yesterday = w[i].days >> ((wd + 6) % 7) & 1;

        if (w[i].to > w[i].from) {
            if (today && minute >= w[i].from && minute < w[i].to) {
                return true;
            }

        } else if ((today && minute >= w[i].from)
                   || (yesterday && minute < w[i].to))
        {
            return true;
        }
    }

    return false;
}


/* Offsets and bounds are whole minutes, so stepping by minutes is exact. */

static void
brute(const fota_window_t *w, size_t n, const fota_clock_t *c, int64_t t)
{
    bool     open;
    int64_t  at, until, next;

    open = fota_window_open(w, n, c, t, &until, &next);
    assert_int_equal(open, inside(w, n, t));

    at = t - t % 60 + 60;

    while (at - t < AHEAD && inside(w, n, at) == open) {
        at += 60;
    }

    if (at - t >= AHEAD) {
        at = INT64_MAX;
    }

    if ((open ? until : next) != at) {
        fail_msg("t %ld open %d: until %ld next %ld, expected %ld", (long) t,
                 open, (long) until, (long) next, (long) at);
    }

    assert_true((open ? next : until) == INT64_MAX);
}


static void
test_parse(void **state)
{
    char           text[64];
    size_t         i, day, pos;
    fota_buf_t     b;
    fota_window_t  w, again;

    static const char *const  names[] = {
        "mon", "tue", "wed", "thu", "fri", "sat", "sun"
    };

    static const struct {
        const char  *in;
        uint8_t      days;
        uint16_t     from, to;
        const char  *plain;
    } good[] = {
        { "mon-fri,sun 22:00-05:00", 0x5f, 1320, 300,
          "mon-fri,sun 22:00-05:00" },
        { "daily 01:30-04:00", 0x7f, 90, 240, "daily 01:30-04:00" },
        { "Daily 00:00-24:00", 0x7f, 0, 1440, "daily 00:00-24:00" },
        { "sat-mon 01:00-02:00", 0x61, 60, 120, "mon,sat-sun 01:00-02:00" },
        { "SUN  23:59-00:00", 0x40, 1439, 0, "sun 23:59-00:00" },
        { "mon-sun 12:00-12:00", 0x7f, 720, 720, "daily 12:00-12:00" },
        { "tue-mon 00:00-00:01", 0x7f, 0, 1, "daily 00:00-00:01" },
        { "wed,mon,wed 03:00-04:00", 0x05, 180, 240,
          "mon,wed 03:00-04:00" },
        { "tue-tue 03:00-04:00", 0x02, 180, 240, "tue 03:00-04:00" }
    };

    static const struct {
        const char  *in;
        size_t       pos;
    } bad[] = {
        { "", 0 }, { "mo", 0 }, { "mon", 3 }, { "mon ", 4 },
        { "mon- 01:00-02:00", 4 }, { "mon,, 01:00-02:00", 4 },
        { "montag 01:00-02:00", 3 }, { "mon 1:00-02:00", 4 },
        { "mon 01:00 02:00", 9 }, { "mon 01:00-2:00", 10 },
        { "mon 24:00-02:00", 4 }, { "mon 01:60-02:00", 4 },
        { "mon 01:00-24:01", 10 }, { "mon 01:00-02:00 ", 15 },
        { " mon 01:00-02:00", 0 }, { "daily,mon 01:00-02:00", 5 },
        { "mon-daily 01:00-02:00", 4 }, { "mon 01:00-02:00x", 15 }
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        w = window(good[i].in);
        assert_int_equal(w.days, good[i].days);
        assert_int_equal(w.from, good[i].from);
        assert_int_equal(w.to, good[i].to);

        w = window(good[i].plain);
        assert_int_equal(w.days, good[i].days);
        assert_int_equal(w.from, good[i].from);
        assert_int_equal(w.to, good[i].to);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pos = 99;
        assert_int_equal(fota_window_parse(fota_cstr(bad[i].in), &w, &pos),
                         FOTA_INVALID);
        assert_int_equal(pos, bad[i].pos);
    }

    /* Every set of days. */

    for (i = 1; i < 128; i++) {
        w.days = (uint8_t) i;
        w.from = (uint16_t) (i * 11 % 1440);
        w.to = (uint16_t) (i * 701 % 1441);
        fota_buf_fixed(&b, text, sizeof(text));

        for (day = 0; day < 7; day++) {
            if (i & 1 << day) {
                fota_buf_cstr(&b, b.len != 0 ? "," : "");
                fota_buf_cstr(&b, names[day]);
            }
        }

        fota_buf_printf(&b, " %02u:%02u-%02u:%02u", w.from / 60, w.from % 60,
                        w.to / 60, w.to % 60);
        assert_int_equal(fota_window_parse(fota_buf_slice(&b), &again, &pos),
                         FOTA_OK);
        assert_int_equal(again.days, w.days);
        assert_int_equal(again.from, w.from);
        assert_int_equal(again.to, w.to);
    }
}


static void
test_fixed_offset(void **state)
{
    int64_t        until, next, mon;
    fota_clock_t   c;
    fota_window_t  w;

    c.zone = NULL;
    c.offset = 0;
    mon = fota_civil_utc(2026, 3, 2, 0);

    assert_true(fota_window_open(NULL, 0, &c, mon, &until, &next));
    assert_true(until == INT64_MAX && next == INT64_MAX);

    w = window("mon 22:00-05:00");

    assert_false(fota_window_open(&w, 1, &c, mon, &until, &next));
    assert_int_equal(next, mon + 22 * 3600);
    assert_true(until == INT64_MAX);

    assert_false(fota_window_open(&w, 1, &c, mon + 22 * 3600 - 1, &until,
                                  &next));
    assert_int_equal(next, mon + 22 * 3600);

    assert_true(fota_window_open(&w, 1, &c, mon + 22 * 3600, &until, &next));
    assert_int_equal(until, mon + 29 * 3600);
    assert_true(next == INT64_MAX);

    assert_true(fota_window_open(&w, 1, &c, mon + 29 * 3600 - 1, &until,
                                 &next));
    assert_false(fota_window_open(&w, 1, &c, mon + 29 * 3600, &until, &next));
    assert_int_equal(next, mon + 7 * 86400 + 22 * 3600);

    /* It opened on Monday; Tuesday's morning is its own, Monday's is not. */

    assert_false(fota_window_open(&w, 1, &c, mon + 3600, &until, &next));
    assert_true(fota_window_open(&w, 1, &c, mon + 25 * 3600, &until, &next));

    c.offset = 9 * 3600;
    assert_true(fota_window_open(&w, 1, &c, mon + 13 * 3600, &until, &next));
    assert_int_equal(until, mon + 20 * 3600);

    /* Never closed, never opened. */

    w = window("daily 00:00-24:00");
    assert_true(fota_window_open(&w, 1, &c, mon, &until, &next));
    assert_true(until == INT64_MAX);

    w = window("daily 07:00-07:00");
    assert_true(fota_window_open(&w, 1, &c, mon, &until, &next));
    assert_true(until == INT64_MAX);

    w.days = 0;
    assert_false(fota_window_open(&w, 1, &c, mon, &until, &next));
    assert_true(next == INT64_MAX);

    /* The ends of time. */

    w = window("mon 22:00-05:00");
    (void) fota_window_open(&w, 1, &c, INT64_MAX, &until, &next);
    (void) fota_window_open(&w, 1, &c, INT64_MIN, &until, &next);
}


/* The hour that does not exist: Berlin, 29 March 2026, 02:00 -> 03:00. */

static void
test_skipped_hour(void **state)
{
    int64_t        until, next, gap;
    fota_zone_t    z;
    fota_clock_t   c;
    fota_window_t  w;

    load("Europe/Berlin", &z);
    c.zone = &z;
    c.offset = 0;
    gap = fota_civil_utc(2026, 3, 29, 3600);

    /* Opening skipped: it opens at the transition. */

    w = window("sun 02:30-04:00");
    assert_false(fota_window_open(&w, 1, &c, gap - 1, &until, &next));
    assert_int_equal(next, gap);
    assert_true(fota_window_open(&w, 1, &c, gap, &until, &next));
    assert_int_equal(until, gap + 3600);

    /* Closing skipped: it closes there. */

    w = window("sun 01:00-02:30");
    assert_true(fota_window_open(&w, 1, &c, gap - 60, &until, &next));
    assert_int_equal(until, gap);

    /* Wholly in the gap: the week after is next. */

    w = window("sun 02:15-02:45");
    assert_false(fota_window_open(&w, 1, &c, gap - 3600, &until, &next));
    assert_int_equal(next, fota_civil_utc(2026, 4, 5, 15 * 60));

    /* Across midnight and the gap an hour is missing. */

    w = window("sat 22:00-05:00");
    assert_true(fota_window_open(&w, 1, &c,
                                 fota_civil_utc(2026, 3, 28, 21 * 3600),
                                 &until, &next));
    assert_int_equal(until - fota_civil_utc(2026, 3, 28, 21 * 3600),
                     6 * 3600);
}


/* The hour that comes twice: Berlin, 25 October 2026, 03:00 -> 02:00. */

static void
test_repeated_hour(void **state)
{
    int64_t        until, next, back;
    fota_zone_t    z;
    fota_clock_t   c;
    fota_window_t  w;

    load("Europe/Berlin", &z);
    c.zone = &z;
    c.offset = 0;
    back = fota_civil_utc(2026, 10, 25, 3600);

    /* 02:00-02:30 in both passes. */

    w = window("sun 02:00-02:30");
    assert_true(fota_window_open(&w, 1, &c, back - 3600, &until, &next));
    assert_int_equal(until, back - 1800);
    assert_false(fota_window_open(&w, 1, &c, back - 1800, &until, &next));
    assert_int_equal(next, back);
    assert_true(fota_window_open(&w, 1, &c, back, &until, &next));
    assert_int_equal(until, back + 1800);

    /* Both passes lie inside: one piece of two civil hours. */

    w = window("sun 02:00-03:00");
    assert_true(fota_window_open(&w, 1, &c, back - 3600, &until, &next));
    assert_int_equal(until, back + 3600);

    w = window("sat 22:00-05:00");
    assert_true(fota_window_open(&w, 1, &c,
                                 fota_civil_utc(2026, 10, 24, 20 * 3600),
                                 &until, &next));
    assert_int_equal(until - fota_civil_utc(2026, 10, 24, 20 * 3600),
                     8 * 3600);
}


static void
test_against_minutes(void **state)
{
    size_t         i, n, k, p;
    int64_t        t;
    uint32_t       j;
    fota_zone_t    z;
    fota_clock_t   c;
    fota_window_t  w[3];

    static const char  *zones[] = {
        "Asia/Tokyo", "Europe/Berlin", "America/New_York",
        "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kathmandu"
    };

    static const char  *plans[][3] = {
        { "daily 01:30-04:00", NULL, NULL },
        { "mon-fri,sun 22:00-05:00", "sat 12:00-12:45", NULL },
        { "sun 02:15-02:45", NULL, NULL },
        { "sat 23:00-01:45", "sun 01:45-02:15", "sun 02:40-03:20" },
        { "sun 00:00-24:00", "sat 02:00-01:30", NULL },
        { "fri 05:00-05:00", "mon 00:00-00:00", NULL }
    };

    for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        load(zones[i], &z);
        c.zone = &z;
        c.offset = -1;

        for (p = 0; p < sizeof(plans) / sizeof(plans[0]); p++) {

            for (n = 0; n < 3 && plans[p][n] != NULL; n++) {
                w[n] = window(plans[p][n]);
            }

            /* Around each change of four years, minute by minute or so. */

            for (j = 0; j < z.n && j < 8; j++) {
                for (t = z.transitions[j].at - 3 * 3600 - 7;
                     t < z.transitions[j].at + 3 * 3600;
                     t += 607)
                {
                    brute(w, n, &c, t);
                }

                brute(w, n, &c, z.transitions[j].at - 1);
                brute(w, n, &c, z.transitions[j].at);
            }

            /* Anywhere. */

            for (k = 0; k < 40; k++) {
                t = fota_civil_utc(2020, 1, 1, 0)
                    + (int64_t) (k * 7919 + p * 104729 + i) * 1471
                      % (17 * 365 * 86400);
                brute(w, n, &c, t);
            }
        }

        fota_arena_reset(&arena);
    }
}


int
main(void)
{
    int  rc;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_fixed_offset),
        cmocka_unit_test(test_skipped_hour),
        cmocka_unit_test(test_repeated_hour),
        cmocka_unit_test(test_against_minutes)
    };

    fota_arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    fota_arena_free(&arena);

    return rc;
}
