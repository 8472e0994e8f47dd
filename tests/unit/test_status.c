/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fota_status.h"


static void
test_names(void **state)
{
    int          i, k;
    const char  *name;

    assert_string_equal(fota_status_name(FOTA_OK), "ok");
    assert_string_equal(fota_status_name(FOTA_TRUNCATED), "truncated");
    assert_string_equal(fota_status_name(FOTA_FULL), "full");
    assert_string_equal(fota_status_name(FOTA_SCOPE), "scope");
    assert_string_equal(fota_status_name(FOTA_DIVERGED), "diverged");

    for (i = FOTA_DIVERGED; i <= FOTA_OK; i++) {
        name = fota_status_name((fota_status_e) i);
        assert_string_not_equal(name, "unknown");

        for (k = i + 1; k <= FOTA_OK; k++) {
            assert_string_not_equal(name,
                                    fota_status_name((fota_status_e) k));
        }
    }
}


static void
test_foreign(void **state)
{
    assert_string_equal(fota_status_name((fota_status_e) 1), "unknown");
    assert_string_equal(fota_status_name((fota_status_e) -21), "unknown");
    assert_string_equal(fota_status_name((fota_status_e) -30000), "unknown");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_foreign)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
