/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_buf.h"


static void
assert_text(const fota_buf_t *b, const char *expected)
{
    assert_int_equal(b->len, strlen(expected));
    assert_memory_equal(b->start, expected, b->len);
}


static void
test_fixed(void **state)
{
    char        mem[8];
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_cstr(&b, "12345");
    fota_buf_cstr(&b, "678");
    assert_int_equal(b.status, FOTA_OK);
    assert_text(&b, "12345678");

    fota_buf_u8(&b, '9');
    assert_int_equal(b.status, FOTA_FULL);
    assert_text(&b, "12345678");

    /* The error is sticky, even for what would fit. */

    fota_buf_reset(&b);
    fota_buf_cstr(&b, "123456789");
    fota_buf_cstr(&b, "1");
    assert_int_equal(b.status, FOTA_FULL);
    assert_int_equal(b.len, 0);

    fota_buf_reset(&b);
    assert_int_equal(b.status, FOTA_OK);
    assert_ptr_equal(fota_buf_reserve(&b, 8), mem);
    assert_null(fota_buf_reserve(&b, 1));

    fota_buf_free(&b);
}


static void
test_grow(void **state)
{
    size_t      i;
    fota_buf_t  b;

    fota_buf_grow(&b, 100000);
    assert_non_null(fota_buf_reserve(&b, 0));

    for (i = 0; i < 100000; i++) {
        fota_buf_u8(&b, (uint8_t) i);
    }

    assert_int_equal(b.status, FOTA_OK);
    assert_int_equal(b.len, 100000);

    for (i = 0; i < 100000; i++) {
        assert_int_equal(b.start[i], (uint8_t) i);
    }

    fota_buf_u8(&b, 0);
    assert_int_equal(b.status, FOTA_LIMIT);
    assert_int_equal(b.len, 100000);

    fota_buf_free(&b);
    assert_null(b.start);

    fota_buf_grow(&b, 3);
    fota_buf_cstr(&b, "abc");
    assert_text(&b, "abc");
    fota_buf_cstr(&b, "d");
    assert_int_equal(b.status, FOTA_LIMIT);
    fota_buf_free(&b);

    fota_buf_grow(&b, SIZE_MAX);
    fota_buf_cstr(&b, "x");
    assert_null(fota_buf_reserve(&b, SIZE_MAX));
    assert_int_equal(b.status, FOTA_LIMIT);
    fota_buf_free(&b);
}


static void
test_text(void **state)
{
    char        mem[64];
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_u64dec(&b, 0);
    fota_buf_u8(&b, ' ');
    fota_buf_u64dec(&b, UINT64_MAX);
    fota_buf_printf(&b, " %s=%d", "n", -5);
    fota_buf_str(&b, fota_slice(NULL, 0));
    assert_text(&b, "0 18446744073709551615 n=-5");

    /* No room is wanted for a NUL. */

    fota_buf_fixed(&b, mem, 4);
    fota_buf_printf(&b, "%d", 1234);
    assert_int_equal(b.status, FOTA_OK);
    assert_text(&b, "1234");

    fota_buf_reset(&b);
    fota_buf_printf(&b, "%d", 12345);
    assert_int_equal(b.status, FOTA_FULL);

    fota_buf_grow(&b, 1000);
    fota_buf_printf(&b, "%0900d", 7);
    assert_int_equal(b.status, FOTA_OK);
    assert_int_equal(b.len, 900);
    assert_int_equal(b.start[899], '7');
    fota_buf_printf(&b, "%0900d", 7);
    assert_int_equal(b.status, FOTA_LIMIT);
    fota_buf_printf(&b, "%d", 7);
    assert_int_equal(b.len, 900);
    fota_buf_free(&b);
}


static void
test_integers(void **state)
{
    fota_rd_t   rd;
    fota_buf_t  b;
    fota_str_t  s;

    static const uint8_t  bytes[] = {
        0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04,
        0xff, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x88,
        0x02, 0x00, 'h', 'i'
    };

    fota_buf_grow(&b, 100);
    fota_buf_u8(&b, 0x01);
    fota_buf_u16(&b, 0x0203);
    fota_buf_u32(&b, 0x04050607);
    fota_buf_u64(&b, 0x88090a0b0c0d0effULL);
    fota_buf_lstr(&b, fota_cstr("hi"));
    assert_int_equal(b.len, sizeof(bytes));
    assert_memory_equal(b.start, bytes, sizeof(bytes));

    fota_rd_init(&rd, fota_buf_slice(&b));
    assert_int_equal(fota_rd_u8(&rd), 0x01);
    assert_int_equal(fota_rd_u16(&rd), 0x0203);
    assert_int_equal(fota_rd_u32(&rd), 0x04050607);
    assert_true(fota_rd_u64(&rd) == 0x88090a0b0c0d0effULL);
    assert_int_equal(fota_rd_left(&rd), 4);
    s = fota_rd_lstr(&rd, 2);
    assert_true(fota_str_eq(s, fota_cstr("hi")));
    assert_int_equal(rd.status, FOTA_OK);
    assert_int_equal(fota_rd_left(&rd), 0);

    fota_buf_free(&b);
}


/* Every prefix of a record ends in FOTA_TRUNCATED and nothing else. */

static void
test_truncated(void **state)
{
    size_t      n;
    uint8_t     mem[40], *copy;
    fota_rd_t   rd;
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_u8(&b, 1);
    fota_buf_u16(&b, 2);
    fota_buf_u32(&b, 3);
    fota_buf_u64(&b, 4);
    fota_buf_lstr(&b, fota_cstr("abc"));
    fota_buf_u16(&b, 7);

    for (n = 0; n < b.len; n++) {

        /* In memory of exactly this size for the sanitizer. */

        copy = test_malloc(n);
        memcpy(copy, mem, n);

        fota_rd_init(&rd, fota_slice(copy, n));
        (void) fota_rd_u8(&rd);
        (void) fota_rd_u16(&rd);
        (void) fota_rd_u32(&rd);
        (void) fota_rd_u64(&rd);
        (void) fota_rd_lstr(&rd, 3);
        (void) fota_rd_count(&rd, 7);
        assert_int_equal(rd.status, FOTA_TRUNCATED);
        assert_int_equal(fota_rd_left(&rd), 0);
        assert_int_equal(fota_rd_u64(&rd), 0);
        assert_int_equal(fota_rd_bytes(&rd, 0).len, 0);

        test_free(copy);
    }

    fota_rd_init(&rd, fota_slice(NULL, 0));
    assert_int_equal(fota_rd_bytes(&rd, 0).len, 0);
    assert_int_equal(rd.status, FOTA_OK);
    (void) fota_rd_bytes(&rd, SIZE_MAX);
    assert_int_equal(rd.status, FOTA_TRUNCATED);
}


static void
test_limits(void **state)
{
    uint8_t     mem[8];
    fota_rd_t   rd;
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_lstr(&b, fota_cstr("abcd"));

    fota_rd_init(&rd, fota_buf_slice(&b));
    assert_int_equal(fota_rd_lstr(&rd, 3).len, 0);
    assert_int_equal(rd.status, FOTA_LIMIT);

    fota_rd_init(&rd, fota_buf_slice(&b));
    assert_int_equal(fota_rd_count(&rd, 3), 0);
    assert_int_equal(rd.status, FOTA_LIMIT);

    fota_rd_init(&rd, fota_buf_slice(&b));
    assert_int_equal(fota_rd_count(&rd, 4), 4);
    fota_rd_fail(&rd, FOTA_CORRUPT);
    fota_rd_fail(&rd, FOTA_LIMIT);
    assert_int_equal(rd.status, FOTA_CORRUPT);
    assert_int_equal(fota_rd_u8(&rd), 0);

    fota_buf_grow(&b, 100000);
    fota_buf_lstr(&b, fota_slice(mem, 65536));
    assert_int_equal(b.status, FOTA_LIMIT);
    assert_int_equal(b.len, 0);
    fota_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limits)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
