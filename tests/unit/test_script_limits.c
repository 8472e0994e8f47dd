/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_script_limits.h"


static void
test_cap(void **state)
{
    void                  *p, *q;
    fota_script_limits_t   l = { .cap = 1000 };

    p = fota_script_alloc(&l, NULL, 5, 600);
    assert_non_null(p);
    assert_int_equal(l.used, 600);

    assert_null(fota_script_alloc(&l, NULL, 0, 401));
    assert_int_equal(l.used, 600);

    q = fota_script_alloc(&l, NULL, 0, 400);
    assert_non_null(q);

    /* Growing in place counts the difference alone. */
    p = fota_script_alloc(&l, p, 600, 500);
    assert_int_equal(l.used, 900);
    assert_null(fota_script_alloc(&l, p, 500, 601));
    p = fota_script_alloc(&l, p, 500, 600);
    assert_int_equal(l.used, 1000);

    assert_null(fota_script_alloc(&l, p, 600, 0));
    assert_null(fota_script_alloc(&l, q, 400, 0));
    assert_int_equal(l.used, 0);
}


static void
test_calls_are_charged(void **state)
{
    void                  *p;
    fota_script_limits_t   l = { .cap = 1 << 20, .fuel = 10, .in_call = 1 };

    assert_null(fota_script_alloc(&l, NULL, 0, FOTA_SCRIPT_ALLOC + 1));
    assert_false(l.spent);

    p = fota_script_alloc(&l, NULL, 0, 10 * FOTA_FUEL_BYTES);
    assert_non_null(p);
    assert_int_equal(l.fuel, 0);

    l.fuel = -FOTA_FUEL_OVERDRAFT;
    assert_null(fota_script_alloc(&l, NULL, 0, 16));
    assert_true(l.spent);

    /* Shrinking and freeing always work. */
    p = fota_script_alloc(&l, p, 10 * FOTA_FUEL_BYTES, 16);
    assert_non_null(p);
    assert_null(fota_script_alloc(&l, p, 16, 0));
    assert_int_equal(l.used, 0);
}


static void
test_trusted_is_not_charged(void **state)
{
    void                  *p;
    fota_script_limits_t   l = { .cap = 1 << 20, .in_call = 1, .trusted = 1 };

    p = fota_script_alloc(&l, NULL, 0, FOTA_SCRIPT_ALLOC * 2);
    assert_non_null(p);
    assert_null(fota_script_alloc(&l, p, FOTA_SCRIPT_ALLOC * 2, 0));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_calls_are_charged),
        cmocka_unit_test(test_trusted_is_not_charged)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
