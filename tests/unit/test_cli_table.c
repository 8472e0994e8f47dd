/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/cli/cli_table.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli_table.h"


#define S(s)  fota_slice("" s, sizeof(s) - 1)


static void
test_width(void **state)
{
    assert_int_equal(fota_cli_width(S("")), 0);
    assert_int_equal(fota_cli_width(S("abc")), 3);
    assert_int_equal(fota_cli_width(S("Zürich")), 6);
    assert_int_equal(fota_cli_width(S("東京")), 4);
    assert_int_equal(fota_cli_width(S("ソウル 서울")), 11);
    assert_int_equal(fota_cli_width(S("ｆｕｌｌ")), 8);
    assert_int_equal(fota_cli_width(S("ﾊﾝｶｸ")), 4);
    assert_int_equal(fota_cli_width(S("e\xcc\x81")), 1);
    assert_int_equal(fota_cli_width(S("か\xe3\x82\x99")), 2);
    assert_int_equal(fota_cli_width(S("\xf0\x9f\x9a\x97")), 2);
    assert_int_equal(fota_cli_width(S("\xf0\xa0\xae\xb7")), 2);
    assert_int_equal(fota_cli_width(S("\xff\xfe")), 2);
}


static void
check_clean(fota_str_t in, const char *want)
{
    fota_buf_t  b;

    fota_buf_grow(&b, 4096);
    fota_cli_clean(&b, in);
    fota_buf_u8(&b, 0);
    assert_int_equal(b.status, FOTA_OK);
    assert_string_equal((char *) b.start, want);
    fota_buf_free(&b);
}


static void
test_clean(void **state)
{
    check_clean(S("cam-1"), "cam-1");
    check_clean(S("東京"), "東京");
    check_clean(S("a\x1b[2J"), "a?[2J");
    check_clean(S("a\xc2\x9b" "31m"), "a?31m");
    check_clean(S("a\nb\tc"), "a b c");
    check_clean(S("a\xe2\x80\xae" "b"), "a?b");
    check_clean(S("a\xff" "b"), "a?b");
    check_clean(fota_slice("a\0b", 3), "a?b");
}


static void
test_clean_json(void **state)
{
    fota_buf_t  b;

    fota_buf_grow(&b, 4096);
    fota_cli_clean_json(&b, S("{\n \"a\": \"\x7f\xc2\x9b\xe2\x80\xae"
                              "東京\xf0\x9f\x9a\x97\"\n}"));
    fota_buf_u8(&b, 0);
    assert_int_equal(b.status, FOTA_OK);
    assert_string_equal((char *) b.start,
                        "{\n \"a\": \"\\u007f\\u009b\\u202e"
                        "東京\xf0\x9f\x9a\x97\"\n}");
    fota_buf_free(&b);
}


static void
check_table(const fota_str_t *cells, size_t rows, size_t cols, int right,
    const char *want)
{
    size_t            i;
    fota_buf_t        b;
    fota_cli_table_t  t;

    fota_cli_table_init(&t, cols);

    for (i = 0; i < rows; i++) {
        assert_int_equal(fota_cli_table_row(&t, cells + i * cols), FOTA_OK);
    }

    if (right >= 0) {
        t.right[right] = true;
    }

    fota_buf_grow(&b, 65536);
    fota_cli_table_text(&t, &b);
    fota_buf_u8(&b, 0);
    assert_string_equal((char *) b.start, want);
    fota_buf_free(&b);
    fota_cli_table_free(&t);
}


static void
test_align(void **state)
{
    const fota_str_t  cells[] = {
        S("NAME"), S("CITY"), S("N"),
        S("cam-1"), S("東京"), S("7"),
        S("ド"), S("Köln"), S("1234"),
        S("x"), S(""), S("")
    };

    check_table(cells, 4, 3, 2,
                "NAME   CITY     N\n"
                "cam-1  東京     7\n"
                "ド     Köln  1234\n"
                "x\n");

    check_table(cells, 1, 3, -1, "NAME  CITY  N\n");
}


static void
test_many_rows(void **state)
{
    size_t            i;
    fota_str_t        cell = S("row");
    fota_buf_t        b;
    fota_cli_table_t  t;

    fota_cli_table_init(&t, 1);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(fota_cli_table_row(&t, &cell), FOTA_OK);
    }

    fota_buf_grow(&b, 65536);
    fota_cli_table_text(&t, &b);
    assert_int_equal(b.len, 4000);
    fota_buf_free(&b);
    fota_cli_table_free(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_clean_json),
        cmocka_unit_test(test_align),
        cmocka_unit_test(test_many_rows)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
