/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/cli/cli_conf.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "cli_conf.h"


static void
test_lines(void **state)
{
    char             text[] = "# comment\n\n centre = https://c:9443 \r\n"
                              "token=a=b\ntenant = 東京\ntoken = last";
    size_t           bad;
    fota_cli_conf_t  conf;

    assert_int_equal(fota_cli_conf_parse(&conf, text, &bad), FOTA_OK);
    assert_string_equal(fota_cli_conf_get(&conf, "centre"),
                        "https://c:9443");
    assert_string_equal(fota_cli_conf_get(&conf, "token"), "last");
    assert_string_equal(fota_cli_conf_get(&conf, "tenant"), "東京");
    assert_null(fota_cli_conf_get(&conf, "edge"));
}


static void
test_refused(void **state)
{
    char             unknown[] = "centre = x\ncenter = y\n";
    char             nothing[] = "centre\n";
    char             many[2048];
    size_t           i, n, bad;
    fota_cli_conf_t  conf;

    assert_int_equal(fota_cli_conf_parse(&conf, unknown, &bad),
                     FOTA_INVALID);
    assert_int_equal(bad, 2);
    assert_int_equal(fota_cli_conf_parse(&conf, nothing, &bad),
                     FOTA_INVALID);
    assert_int_equal(bad, 1);

    for (i = 0, n = 0; i <= FOTA_CLI_CONF_MAX; i++) {
        n += (size_t) snprintf(many + n, sizeof(many) - n, "key = k\n");
    }

    assert_int_equal(fota_cli_conf_parse(&conf, many, &bad), FOTA_LIMIT);
    assert_int_equal(bad, FOTA_CLI_CONF_MAX + 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
