/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_policy.h"


static policy_test_t  t;


static int
setup(void **state)
{
    policy_open(&t);
    policy_firmware(&t, FOTA_KIND_OS, "1.9", false, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.10", false, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.11", false, true);
    policy_firmware(&t, FOTA_KIND_DATA, "1.10", false, true);

    return 0;
}


static int
teardown(void **state)
{
    policy_close(&t);

    return 0;
}


static void
test_index(void **state)
{
    int                          i;
    const fota_product_index_t  *x;

    static const uint16_t  order[] = { 3, 4, 1, 2, 0 };

    policy_artifact(&t, NULL, "1.11", 5);       /* 0 */
    policy_artifact(&t, NULL, "1.9", 7);        /* 1 */
    policy_artifact(&t, NULL, "1.9", 7);        /* 2: a tie, by index */
    policy_artifact(&t, "1.9", "1.10", 9);      /* 3 */
    policy_artifact(&t, "1.10", "1.11", 1);     /* 4 */

    assert_int_equal(fota_product_index(&t.arena.mem, &t.product), FOTA_OK);

    x = &t.product.index;
    assert_int_equal(x->start[FOTA_KIND_OS], 0);
    assert_int_equal(x->start[FOTA_KIND_APP], 3);
    assert_int_equal(x->start[FOTA_KIND_DATA], 3);
    assert_int_equal(x->start[FOTA_KIND__N], 4);
    assert_int_equal(x->latest[FOTA_KIND_OS], 1);
    assert_int_equal(x->latest[FOTA_KIND_APP], FOTA_NONE);
    assert_int_equal(x->latest[FOTA_KIND_DATA], FOTA_NONE);

    /* By bytes "1.10" is first. */
    assert_int_equal(x->by_version[0], 1);
    assert_int_equal(x->by_version[1], 2);
    assert_int_equal(x->by_version[2], 0);
    assert_int_equal(x->by_version[3], 3);

    for (i = 0; i < 5; i++) {
        assert_int_equal(x->edges[i].artifact, order[i]);
    }
}


static void
test_invalid(void **state)
{
    fota_artifact_t  *a;

    a = policy_artifact(&t, "1.9", "1.10", 1);

    a->to = 9;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product),
                     FOTA_INVALID);
    a->to = 3;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product),
                     FOTA_INVALID);
    a->to = 1;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product), FOTA_OK);

    t.firmware[0].kind = FOTA_KIND_APP;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product),
                     FOTA_INVALID);
    t.firmware[0].kind = FOTA_KIND_OS;
    t.firmware[3].kind = 9;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product),
                     FOTA_INVALID);
}


static void
test_nomem(void **state)
{
    size_t        cap;
    fota_arena_t  a;

    policy_artifact(&t, "1.9", "1.10", 1);

    for (cap = 1; cap < 1000; cap += 16) {
        fota_arena_init(&a, cap);

        if (fota_product_index(&a.mem, &t.product) == FOTA_OK) {
            fota_arena_free(&a);
            break;
        }

        assert_int_equal(fota_product_index(&a.mem, &t.product), FOTA_NOMEM);
        fota_arena_free(&a);
    }

    assert_in_range(cap, 2, 900);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nomem, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
