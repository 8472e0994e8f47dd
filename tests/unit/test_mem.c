/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_mem.h"


static void
test_alignment(void **state)
{
    size_t         n;
    uint8_t       *p;
    fota_arena_t   a;

    fota_arena_init(&a, 0);

    for (n = 0; n < 5000; n += 7) {
        p = fota_alloc(&a.mem, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t) p % 16, 0);
        memset(p, 0xa5, n);
    }

    p = fota_alloc(&a.mem, 1 << 20);
    assert_non_null(p);
    memset(p, 1, 1 << 20);

    fota_arena_free(&a);
    assert_null(a.blocks);

    /* Usable again. */

    assert_non_null(fota_alloc(&a.mem, 1));
    fota_arena_free(&a);
}


static void
test_cap(void **state)
{
    fota_arena_t  a;

    fota_arena_init(&a, 1024);

    assert_null(fota_alloc(&a.mem, 1025));
    assert_non_null(fota_alloc(&a.mem, 1000));
    assert_null(fota_alloc(&a.mem, 32));
    assert_non_null(fota_alloc(&a.mem, 16));
    assert_null(fota_alloc(&a.mem, 1));
    assert_int_equal(a.used, 1024);

    fota_arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(fota_alloc(&a.mem, 1024));

    fota_arena_free(&a);
}


static void
test_reset_keeps_block(void **state)
{
    void          *p;
    size_t         i;
    fota_arena_t   a;

    fota_arena_init(&a, 0);
    p = fota_alloc(&a.mem, 100);

    for (i = 0; i < 3; i++) {
        assert_non_null(fota_alloc(&a.mem, 100000));
    }

    fota_arena_reset(&a);

    /* The memory of the first block comes again, nothing leaks. */

    assert_ptr_equal(fota_alloc(&a.mem, 100), p);

    fota_arena_free(&a);
}


static void
test_helpers(void **state)
{
    size_t         i;
    uint8_t       *p;
    fota_str_t     s;
    fota_arena_t   a;

    fota_arena_init(&a, 0);

    p = fota_alloc(&a.mem, 64);
    memset(p, 0xff, 64);
    fota_arena_reset(&a);

    p = fota_calloc(&a.mem, 8, 8);

    for (i = 0; i < 64; i++) {
        assert_int_equal(p[i], 0);
    }

    assert_null(fota_calloc(&a.mem, SIZE_MAX / 2, 3));
    assert_null(fota_calloc(&a.mem, SIZE_MAX, 1));
    assert_non_null(fota_calloc(&a.mem, 0, 8));

    s = fota_strdup(&a.mem, fota_cstr("firmware"));
    assert_int_equal(s.len, 8);
    assert_string_equal((const char *) s.data, "firmware");

    s = fota_strdup(&a.mem, fota_slice(NULL, 0));
    assert_non_null(s.data);
    assert_int_equal(s.len, 0);
    assert_int_equal(s.data[0], 0);

    s = fota_strdup(&a.mem, fota_slice("", SIZE_MAX));
    assert_null(s.data);

    fota_arena_free(&a);

    fota_arena_init(&a, 16);
    s = fota_strdup(&a.mem, fota_cstr("longer than sixteen"));
    assert_null(s.data);
    assert_int_equal(s.len, 0);
    fota_arena_free(&a);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_reset_keeps_block),
        cmocka_unit_test(test_helpers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
