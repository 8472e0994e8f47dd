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

#include "fota_zone.h"


#define ZONEINFO  "/usr/share/zoneinfo/"


static uint8_t  file[65536];


static fota_str_t
slurp(const char *name)
{
    FILE    *f;
    char     path[256];
    size_t   n;

    snprintf(path, sizeof(path), ZONEINFO "%s", name);

    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(file, 1, sizeof(file), f);
    fclose(f);

    return fota_slice(file, n);
}


/* A version 2 file without data of its own but a type and the footer. */

static fota_str_t
footer_only(const char *footer)
{
    int      part;
    size_t   n;
    uint8_t  *p;

    p = file;

    for (part = 0; part < 2; part++) {
        memset(p, 0, 44);
        memcpy(p, "TZif2", 5);
        p[39] = 1;              /* typecnt */
        p[43] = 4;              /* charcnt */
        p += 44;

        memset(p, 0, 6);
        memcpy(p + 6, "LMT", 4);
        p += 10;
    }

    n = strlen(footer);
    *p++ = '\n';
    memcpy(p, footer, n);
    p += n;
    *p++ = '\n';

    return fota_slice(file, (size_t) (p - file));
}


static void
compare(const fota_zone_t *z, int64_t from, int64_t to, int64_t step)
{
    time_t     t;
    struct tm  tm;

    for (t = from; t <= to; t += step) {
        localtime_r(&t, &tm);

        if (fota_zone_offset(z, t) != tm.tm_gmtoff) {
            fail_msg("%.*s at %ld: %d, libc %ld", (int) z->name.len,
                     (const char *) z->name.data, (long) t,
                     fota_zone_offset(z, t), tm.tm_gmtoff);
        }
    }
}


static void
test_against_libc(void **state)
{
    char          path[256];
    size_t        i;
    int64_t       from, to;
    uint32_t      k;
    fota_zone_t   z;
    fota_arena_t  arena;

    static const char  *zones[] = {
        "Asia/Tokyo", "Europe/Berlin", "America/New_York",
        "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
        "Europe/Dublin", "America/St_Johns", "Africa/Casablanca",
        "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran", "Asia/Gaza",
        "Africa/Cairo", "Pacific/Chatham", "America/Nuuk", "Antarctica/Troll",
        "Etc/GMT+12", "Pacific/Kiritimati", "America/Santiago"
    };

    static const int  years[][2] = {
        { 2020, 2037 }, { 2026, 2030 }, { 2035, 2080 }, { 1960, 2020 }
    };

    fota_arena_init(&arena, 0);

    for (i = 0; i < sizeof(zones) / sizeof(zones[0]) * 4; i++) {
        from = fota_civil_utc(years[i % 4][0], 1, 1, 0);
        to = fota_civil_utc(years[i % 4][1] + 1, 1, 1, 0) - 1;

        assert_int_equal(fota_zone_from_tzif(&arena.mem,
                                             fota_cstr(zones[i / 4]),
                                             slurp(zones[i / 4]), from, to,
                                             &z),
                         FOTA_OK);
        assert_true(fota_str_eq(z.name, fota_cstr(zones[i / 4])));

        snprintf(path, sizeof(path), ":" ZONEINFO "%s", zones[i / 4]);
        setenv("TZ", path, 1);
        tzset();

        compare(&z, from, to, 86400 * 3 + 12347);

        /* Seconds around each change, and nothing but real changes. */

        for (k = 0; k < z.n; k++) {
            assert_true(z.transitions[k].at > from);
            assert_true(z.transitions[k].at <= to);
            compare(&z, z.transitions[k].at - 2, z.transitions[k].at + 2, 1);
            assert_int_not_equal(z.transitions[k].offset,
                                 k == 0 ? z.initial
                                        : z.transitions[k - 1].offset);
        }

        fota_arena_reset(&arena);
    }

    fota_arena_free(&arena);
}


static void
test_known_transitions(void **state)
{
    fota_zone_t   z;
    fota_arena_t  arena;

    fota_arena_init(&arena, 0);

    /* Berlin 2026: 29 March and 25 October, 01:00 UTC. */

    assert_int_equal(fota_zone_from_tzif(&arena.mem,
                                         fota_cstr("Europe/Berlin"),
                                         slurp("Europe/Berlin"),
                                         fota_civil_utc(2026, 1, 1, 0),
                                         fota_civil_utc(2027, 1, 1, 0), &z),
                     FOTA_OK);
    assert_int_equal(z.n, 2);
    assert_int_equal(z.initial, 3600);
    assert_int_equal(z.transitions[0].at, fota_civil_utc(2026, 3, 29, 3600));
    assert_int_equal(z.transitions[0].offset, 7200);
    assert_int_equal(z.transitions[1].at, fota_civil_utc(2026, 10, 25, 3600));

    /* Lord Howe goes by half an hour: 5 April 2026, 02:00 at +11. */

    assert_int_equal(fota_zone_from_tzif(&arena.mem,
                                         fota_cstr("Australia/Lord_Howe"),
                                         slurp("Australia/Lord_Howe"),
                                         fota_civil_utc(2026, 1, 1, 0),
                                         fota_civil_utc(2027, 1, 1, 0), &z),
                     FOTA_OK);
    assert_int_equal(z.n, 2);
    assert_int_equal(z.initial, 39600);
    assert_int_equal(z.transitions[0].at,
                     fota_civil_utc(2026, 4, 4, 15 * 3600));
    assert_int_equal(z.transitions[0].offset, 37800);

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("Asia/Tokyo"),
                                         slurp("Asia/Tokyo"), 0,
                                         fota_civil_utc(2100, 1, 1, 0), &z),
                     FOTA_OK);
    assert_int_equal(z.n, 0);
    assert_int_equal(z.initial, 32400);

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("k"),
                                         slurp("Asia/Kathmandu"),
                                         fota_civil_utc(2020, 1, 1, 0),
                                         fota_civil_utc(2037, 1, 1, 0), &z),
                     FOTA_OK);
    assert_int_equal(z.n, 0);
    assert_int_equal(z.initial, 20700);

    fota_arena_free(&arena);
}


/* Rules libc also reads from TZ, so it is the judge of all of them. */

static void
test_footers(void **state)
{
    size_t        i;
    int64_t       from, to;
    uint32_t      k;
    fota_zone_t   z;
    fota_arena_t  arena;

    static const char  *good[] = {
        "UTC0", "JST-9", "<+0545>-5:45", "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0", "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "IST-1GMT0,M10.5.0,M3.5.0/1",
        "AAA3BBB,J60/0,J300/0", "AAA3BBB,59,299/1:30:15",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "EET-2EEST,M3.4.4/50,M10.4.4/50", "AAA-10BBB,M12.5.6,M2.4.3"
    };

    static const char  *bad[] = {
        "X", "AB1", "UTC", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,,",
        "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J100", "CET-1CEST,366,1",
        "CET-1CEST,M3.5.0/168,M10.5.0", "CET-25", "CET-1:60", "<CET-1",
        "<C>1", "CET-1CEST,M3.5.0,M10.5.0 ", "CET99999999999999999999"
    };

    fota_arena_init(&arena, 0);

    from = fota_civil_utc(2024, 1, 1, 0);
    to = fota_civil_utc(2060, 1, 1, 0);

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr(good[i]),
                                             footer_only(good[i]), from, to,
                                             &z), FOTA_OK);
        setenv("TZ", good[i], 1);
        tzset();
        compare(&z, from, to, 86400 + 3607);

        for (k = 0; k < z.n; k++) {
            compare(&z, z.transitions[k].at - 1, z.transitions[k].at, 1);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("X"),
                                             footer_only(bad[i]), from, to,
                                             &z), FOTA_INVALID);
    }

    /* Daylight time all year (RFC 8536, 3.3.1): one offset, no changes. */

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("X"),
                                         footer_only("XXX3EDT4,0/0,J365/23"),
                                         from, to, &z), FOTA_OK);
    assert_int_equal(z.n, 0);
    assert_int_equal(z.initial, -14400);

    /* No footer: the only type there is. */

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("X"),
                                         footer_only(""), from, to, &z),
                     FOTA_OK);
    assert_int_equal(z.initial, 0);

    fota_arena_free(&arena);
}


static void
test_refusals(void **state)
{
    size_t        i, n;
    fota_str_t    s;
    fota_zone_t   z;
    fota_arena_t  arena;

    fota_arena_init(&arena, 0);

    /* Every truncation is refused, none reads past the end. */

    s = slurp("Europe/Berlin");

    for (i = 0; i < s.len; i++) {
        uint8_t  *copy;

        copy = malloc(i + 1);
        memcpy(copy, s.data, i);
        assert_int_not_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"),
                                                 fota_slice(copy, i), 0,
                                                 86400, &z), FOTA_OK);
        free(copy);
    }

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr(""), s, 0, 1,
                                         &z), FOTA_INVALID);
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 1, 0,
                                         &z), FOTA_INVALID);
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s,
                                         INT64_MIN, INT64_MAX, &z),
                     FOTA_INVALID);
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0,
                                         fota_civil_utc(2400, 1, 1, 0), &z),
                     FOTA_LIMIT);

    /* 256 changes are 128 years. */

    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s,
                                         fota_civil_utc(2000, 1, 1, 0),
                                         fota_civil_utc(2160, 1, 1, 0), &z),
                     FOTA_LIMIT);

    file[4] = '\0';
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0, 1,
                                         &z), FOTA_INVALID);
    file[4] = '2';
    file[0] = 't';
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0, 1,
                                         &z), FOTA_CORRUPT);

    /* Leap seconds would shift every time. */

    s = footer_only("UTC0");
    file[54 + 31] = 1;
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0, 1,
                                         &z), FOTA_INVALID);

    s = footer_only("UTC0");
    n = 44 + 10 + 36;
    file[n] = 0xff;
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0, 1,
                                         &z), FOTA_LIMIT);

    fota_arena_free(&arena);
    fota_arena_init(&arena, 8);

    s = slurp("Europe/Berlin");
    assert_int_equal(fota_zone_from_tzif(&arena.mem, fota_cstr("B"), s, 0,
                                         86400 * 365 * 30, &z), FOTA_NOMEM);
    fota_arena_free(&arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_known_transitions),
        cmocka_unit_test(test_footers),
        cmocka_unit_test(test_refusals)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
