/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fota_store_guard.h"


static int               done;
static volatile uint8_t  sink;


static int
read_byte(void *data)
{
    const volatile uint8_t *p = data;

    done = 0;
    sink = *p;
    done = 1;

    return 7;
}


static int
leave(void *data)
{
    fota_store_guard_leave();

    return 7;
}


/* The inner one fails, the outer goes on. */

static int
nested(void *data)
{
    assert_int_equal(fota_store_guard(read_byte, data, -2), -2);
    assert_int_equal(fota_store_guard(leave, NULL, -3), -3);

    return fota_store_guard(read_byte, &done, -4);
}


static int
twice(void *data)
{
    (void) fota_store_guard(read_byte, &done, -2);

    return read_byte(data);
}


static void
faults(void)
{
    int    i;
    FILE  *f;
    void  *none, *cut;

    none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    assert_true(none != MAP_FAILED);

    /* A file that is shorter than its map. */

    f = tmpfile();
    assert_non_null(f);

    cut = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fileno(f), 0);
    assert_true(cut != MAP_FAILED);

    /* Not the first time only: the signal must not stay blocked. */

    for (i = 0; i < 3; i++) {
        assert_int_equal(fota_store_guard(read_byte, none, -1), -1);
        assert_int_equal(done, 0);
        assert_int_equal(fota_store_guard(read_byte, cut, -1), -1);
        assert_int_equal(done, 0);
        assert_int_equal(fota_store_guard(read_byte, &done, -1), 7);
        assert_int_equal(done, 1);
        assert_int_equal(fota_store_guard(leave, NULL, -1), -1);
        assert_int_equal(fota_store_guard(nested, none, -1), 7);
        assert_int_equal(fota_store_guard(twice, cut, -1), -1);
    }

    /* Where there is no guard. */

    assert_int_equal(leave(NULL), 7);

    (void) munmap(none, 4096);
    (void) munmap(cut, 8192);
    (void) fclose(f);
}


/* Everything else is as deadly as it was. */

static void
outside(void)
{
    int    status;
    pid_t  pid;
    void  *none;

    none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    assert_true(none != MAP_FAILED);

    assert_int_equal(fota_store_guard(read_byte, none, -1), -1);

    (void) fflush(NULL);
    pid = fork();

    if (pid == 0) {
        (void) close(1);
        (void) close(2);
        (void) read_byte(none);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);

    (void) munmap(none, 4096);
}


/* As one: cmocka takes SIGSEGV for itself at the start of each test. */

static void
test_guard(void **state)
{
    faults();
    outside();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_guard)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
