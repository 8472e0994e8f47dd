/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_str.h"
#include "fota_status.h"


#define S(s)  fota_slice("" s, sizeof(s) - 1)


static void
test_equality(void **state)
{
    assert_true(fota_str_eq(S(""), fota_slice(NULL, 0)));
    assert_true(fota_str_eq(S("a\0b"), S("a\0b")));
    assert_false(fota_str_eq(S("a\0b"), S("a\0c")));
    assert_false(fota_str_eq(S("a"), S("ab")));
    assert_int_equal(fota_cstr(NULL).len, 0);

    assert_true(fota_str_eq_nocase(S("Content-TYPE"), S("content-type")));
    assert_false(fota_str_eq_nocase(S("@"), S("`")));
    assert_false(fota_str_eq_nocase(S("[a"), S("{a")));
    assert_false(fota_str_eq_nocase(S("a"), S("ab")));
}


static void
test_order(void **state)
{
    assert_int_equal(fota_str_cmp(S(""), fota_slice(NULL, 0)), 0);
    assert_true(fota_str_cmp(S("a"), S("ab")) < 0);
    assert_true(fota_str_cmp(S("b"), S("ab")) > 0);
    assert_true(fota_str_cmp(S("\xff"), S("a")) > 0);
    assert_int_equal(fota_str_cmp(S("abc"), S("abc")), 0);
}


static void
test_u64(void **state)
{
    size_t    i;
    uint64_t  v;

    static const struct {
        const char  *s;
        uint64_t     max;
        int          rc;
        uint64_t     v;
    } rows[] = {
        { "0", 0, FOTA_OK, 0 },
        { "007", 7, FOTA_OK, 7 },
        { "65535", 65535, FOTA_OK, 65535 },
        { "65536", 65535, FOTA_LIMIT, 99 },
        { "18446744073709551615", UINT64_MAX, FOTA_OK, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, FOTA_LIMIT, 99 },
        { "99999999999999999999999999", UINT64_MAX, FOTA_LIMIT, 99 },
        { "99999999999999999999999x", UINT64_MAX, FOTA_INVALID, 99 },
        { "", 10, FOTA_INVALID, 99 },
        { "-1", 10, FOTA_INVALID, 99 },
        { "+1", 10, FOTA_INVALID, 99 },
        { " 1", 10, FOTA_INVALID, 99 },
        { "1 ", 10, FOTA_INVALID, 99 },
        { "0x1", 10, FOTA_INVALID, 99 },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = 99;
        assert_int_equal(fota_str_u64(fota_cstr(rows[i].s), rows[i].max, &v),
                         rows[i].rc);
        assert_true(v == rows[i].v);
    }
}


static void
test_match(void **state)
{
    size_t  i;

    static const struct {
        const char  *pattern;
        const char  *s;
        int          match;
    } rows[] = {
        { "", "", 1 },
        { "", "a", 0 },
        { "*", "", 1 },
        { "*", "anything", 1 },
        { "**", "x", 1 },
        { "dash*", "dashcam-x1", 1 },
        { "dash*", "das", 0 },
        { "*cam", "dashcam", 1 },
        { "*cam", "dashcams", 0 },
        { "a*b*c", "aXbYbZc", 1 },
        { "a*b*c", "aXbYbZ", 0 },
        { "*ab*ab", "ababab", 1 },
        { "*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", 0 },
        { "a?c", "abc", 0 },
        { "a", "A", 0 },
        { "abc*", "abc", 1 },
        { "*abc*", "abc", 1 },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(fota_str_match(fota_cstr(rows[i].pattern),
                                        fota_cstr(rows[i].s)),
                         rows[i].match);
    }
}


static void
test_utf8(void **state)
{
    size_t  i;

    static const char *const  good[] = {
        "", "plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf", "\xe5\x9b\xba\xe4\xbb\xb6"
    };

    static const char *const  bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
        "\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf0\x90\x80", "\xf0\x90\x80\x41", "\xff", "ok\xfe"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(fota_str_utf8(fota_cstr(good[i])));
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(fota_str_utf8(fota_cstr(bad[i])));
    }

    assert_false(fota_str_utf8(S("a\0b")));
    assert_int_equal(fota_str_utf8_seq((const uint8_t *) "\xf0\x90\x80\x80",
                                       4),
                     4);
    assert_int_equal(fota_str_utf8_seq((const uint8_t *) "\xf0\x90\x80\x80",
                                       3),
                     0);
}


/* Every kind of stop at every place of a text that is longer than a word. */

static void
test_plain(void **state)
{
    size_t   i, j, len;
    uint8_t  text[40];

    static const uint8_t  stops[] = {
        0x00, 0x01, 0x1f, '"', '\\', 0x80, 0xa2, 0xdc, 0xff
    };
    static const uint8_t  plain[] = { ' ', '!', '#', '[', ']', '~', 0x7f };

    for (len = 0; len <= sizeof(text); len++) {

        for (i = 0; i < sizeof(plain); i++) {
            memset(text, plain[i], sizeof(text));
            assert_ptr_equal(fota_str_plain(text, text + len), text + len);
        }

        for (i = 0; i < len; i++) {
            for (j = 0; j < sizeof(stops); j++) {
                memset(text, plain[i % sizeof(plain)], sizeof(text));
                text[i] = stops[j];
                assert_ptr_equal(fota_str_plain(text, text + len), text + i);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_plain)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
