/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/cli/cli_field.c admin/cli/cli_stage.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cli_field.h"


#define NOW  INT64_C(1700000000000)


static void
check_body(json_t *body, const char *want)
{
    char  *text;

    text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, want);
    free(text);
    json_decref(body);
}


static int
set(json_t *body, const char *field, const char *value)
{
    char  err[200];

    err[0] = '\0';

    return fota_cli_field_set(body, field, value, NOW, err, sizeof(err));
}


static void
test_types(void **state)
{
    json_t  *b = json_object();

    assert_int_equal(set(b, "text", "7"), FOTA_OK);
    assert_int_equal(set(b, "n:n", "-7"), FOTA_OK);
    assert_int_equal(set(b, "d:d", "2.5"), FOTA_OK);
    assert_int_equal(set(b, "on:b", "1"), FOTA_OK);
    assert_int_equal(set(b, "off:b", "off"), FOTA_OK);
    assert_int_equal(set(b, "c:c", "JP,DE"), FOTA_OK);
    assert_int_equal(set(b, "j:j", "[1]"), FOTA_OK);
    assert_int_equal(set(b, "null:0", "-"), FOTA_OK);
    assert_int_equal(set(b, "word:0", "x"), FOTA_OK);
    assert_int_equal(set(b, "asns:i", "1,65000"), FOTA_OK);
    assert_int_equal(set(b, "order:N", "-"), FOTA_OK);
    assert_int_equal(set(b, "rank:N", "4"), FOTA_OK);
    check_body(b, "{\"asns\":[1,65000],\"c\":[\"JP\",\"DE\"],\"d\":2.5,"
               "\"j\":[1],\"n\":-7,"
               "\"null\":null,\"off\":false,\"on\":true,\"order\":null,"
               "\"rank\":4,\"text\":\"7\","
               "\"word\":\"x\"}");
}


static void
test_collect(void **state)
{
    json_t  *b = json_object();

    assert_int_equal(set(b, "w:l", "a"), FOTA_OK);
    assert_int_equal(set(b, "w:l", "b"), FOTA_OK);
    assert_int_equal(set(b, "attrs:m", "hw=3"), FOTA_OK);
    assert_int_equal(set(b, "attrs:m", "city=東京"), FOTA_OK);
    assert_int_equal(set(b, "attrs:m", "old="), FOTA_OK);
    assert_int_equal(set(b, "geo.include:c", "JP"), FOTA_OK);
    assert_int_equal(set(b, "geo.unknown", "deny"), FOTA_OK);
    check_body(b, "{\"attrs\":{\"city\":\"東京\",\"hw\":\"3\",\"old\":null},"
               "\"geo\":{\"include\":[\"JP\"],\"unknown\":\"deny\"},"
               "\"w\":[\"a\",\"b\"]}");
}


static void
test_refused(void **state)
{
    size_t   i;
    json_t  *b = json_object();

    static const char *const  bad[][2] = {
        { "x:n", "" }, { "x:n", "1.5" }, { "x:n", "9223372036854775808" },
        { "x:i", "1,x" }, { "x:N", "x" }, { "x:d", "" }, { "x:d", "nan" },
        { "x:d", "1x" }, { "x:b", "maybe" },
        { "x:j", "{" }, { "x:t", "yesterday" }, { "x:m", "novalue" },
        { "x:m", "=v" }, { "x", "\xff" }, { "x:@", "/nonexistent" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(set(b, bad[i][0], bad[i][1]), FOTA_INVALID);
    }

    json_decref(b);
}


static void
check_time(const char *text, int64_t want)
{
    int64_t  t;

    assert_int_equal(fota_cli_field_time(text, NOW, &t), FOTA_OK);
    assert_int_equal(t, want);
}


static void
test_time(void **state)
{
    int64_t  t;

    check_time("0", 0);
    check_time("1700000001", 1700000001);
    check_time("now", 1700000000);
    check_time("+90m", 1700005400);
    check_time("+1d", 1700086400);
    check_time("2026-01-31T22:00:00Z", 1769896800);
    check_time("2026-01-31T22:00Z", 1769896800);
    check_time("2026-01-31 22:00", 1769896800);
    check_time("2026-01-31", 1769817600);

    assert_int_equal(fota_cli_field_time("+m", NOW, &t), FOTA_INVALID);
    assert_int_equal(fota_cli_field_time("+5y", NOW, &t), FOTA_INVALID);
    assert_int_equal(fota_cli_field_time("2026-01-31x", NOW, &t),
                     FOTA_INVALID);
}


static void
test_stages(void **state)
{
    size_t   i;
    json_t  *b = json_object();

    static const char *const  bad[] = {
        "", "x", "-1", "101", "nan", "5,", "5,min=x", "5,soak=1y",
        "5,success=101", "5,often", "5,never=1"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(set(b, "stages:S", bad[i]), FOTA_INVALID);
    }

    assert_int_equal(set(b, "stages:S", "test,group=lab"), FOTA_OK);
    assert_int_equal(set(b, "stages:S", "5%,success=95,error=2.5,min=10,"
                         "soak=1h,manual"), FOTA_OK);
    assert_int_equal(set(b, "stages:S", "100"), FOTA_OK);
    check_body(b, "{\"stages\":[{\"percent\":0,\"test_group\":\"lab\","
               "\"test_only\":true},{\"auto_next\":false,\"error_pct\":2.5,"
               "\"min_count\":10,\"percent\":5.0,\"soak_s\":3600,"
               "\"success_pct\":95.0},{\"percent\":100.0}]}");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_collect),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_stages)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
