/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/cli/cli_progress.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli_progress.h"


static void
check_bytes(uint64_t n, const char *want)
{
    char  text[16];

    fota_cli_bytes(text, sizeof(text), n);
    assert_string_equal(text, want);
}


static void
test_bytes(void **state)
{
    check_bytes(0, "0 B");
    check_bytes(1023, "1023 B");
    check_bytes(1024, "1.0 KiB");
    check_bytes(1536, "1.5 KiB");
    check_bytes(1024 * 1024 - 1, "1.0 MiB");
    check_bytes(UINT64_C(5) << 30, "5.0 GiB");
    check_bytes(UINT64_MAX, "16.0 EiB");
}


static void
check_line(uint64_t total, uint64_t done, uint64_t base, int64_t ms,
    const char *want)
{
    fota_buf_t           b;
    fota_cli_progress_t  p;

    memset(&p, 0, sizeof(p));
    p.label = "x";
    p.total = total;
    p.done = done;
    p.base = base;

    fota_buf_grow(&b, 4096);
    fota_cli_progress_line(&p, ms, &b);
    fota_buf_u8(&b, 0);
    assert_string_equal((char *) b.start, want);
    fota_buf_free(&b);
}


static void
test_line(void **state)
{
    check_line(1024, 0, 0, 0,
               "x [>                       ]   0% 0 B of 1.0 KiB");
    check_line(2048, 1024, 0, 1000,
               "x [============>           ]  50% 1.0 KiB of 2.0 KiB, "
               "1.0 KiB/s, 0:01 left");
    check_line(1024, 1024, 0, 500,
               "x [========================] 100% 1.0 KiB of 1.0 KiB, "
               "2.0 KiB/s");

    /* What an earlier run sent says nothing about the speed of this one. */

    check_line(4096, 3072, 2048, 1000,
               "x [==================>     ]  75% 3.0 KiB of 4.0 KiB, "
               "1.0 KiB/s, 0:01 left");
    check_line(0, 0, 0, 0,
               "x [========================] 100% 0 B of 0 B");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_line)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
