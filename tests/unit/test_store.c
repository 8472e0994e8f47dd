/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>
#include <sys/stat.h>

#include "support_store.h"


/* Readers need the group's right to write lock.mdb, whatever the umask. */

static void
test_modes(void **state)
{
    char           path[128];
    mode_t         mask;
    struct stat    sb;
    fota_store_t  *st;

    mask = umask(0077);
    st = open_store(false, MIB);
    umask(mask);

    assert_int_equal(stat(dir, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 02770);

    (void) snprintf(path, sizeof(path), "%s/lock.mdb", dir);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0660);

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0660);

    fota_store_close(st);
}


static void
test_shared(void **state)
{
    uint64_t       id1, id2;
    fota_str_t     value;
    fota_store_t  *a, *b;

    a = open_store(false, MIB);
    put(a, "k", "1");

    b = open_store(true, 0);
    assert_ptr_equal(a, b);

    /* Nested reads are one snapshot. */

    assert_int_equal(fota_store_read_begin(a, &id1), FOTA_OK);
    put(a, "k", "2");
    assert_int_equal(fota_store_read_begin(b, &id2), FOTA_OK);
    assert_int_equal(id1, id2);
    assert_int_equal(fota_store_get(b, FOTA_T_PRODUCT, fota_cstr("k"),
                                    &value),
                     FOTA_OK);
    assert_true(fota_str_eq(value, fota_cstr("1")));
    fota_store_read_end(b);
    fota_store_read_end(a);
    fota_store_read_end(a);

    fota_store_close(a);
    assert_true(holds(b, "k", "2"));
    fota_store_close(b);

    /* Who opened for reading alone cannot be given the right to write. */

    b = open_store(true, 0);
    assert_true(holds(b, "k", "2"));
    assert_int_equal(open_fails(false), FOTA_BUSY);
    fota_store_close(b);

    a = open_store(false, MIB);
    assert_non_null(a);
    fota_store_close(a);
}


static void
test_absent(void **state)
{
    assert_int_equal(open_fails(true), FOTA_NOTFOUND);

    /* A reader creates nothing. */

    assert_int_equal(access(dir, F_OK), -1);

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(open_fails(true), FOTA_NOTFOUND);
}


static void
test_long_path(void **state)
{
    int                rc;
    char               path[PATH_MAX + 100];
    fota_store_t      *st;
    fota_store_opt_t   opt;

    memset(&opt, 0, sizeof(opt));
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';

    rc = fota_store_open(&st, path, &opt, &reason);
    assert_int_equal(rc, FOTA_LIMIT);
}


/* The file is replaced under a reader, as no agent of ours would. */

static void
test_replaced(void **state)
{
    char           cmd[400];
    fota_store_t  *st, *fresh;

    st = open_store(false, MIB);
    put(st, "k", "old");
    fota_store_close(st);

    st = open_store(true, 0);
    assert_true(holds(st, "k", "old"));

    (void) snprintf(cmd, sizeof(cmd), "cp %s/data.mdb %s/x && mv %s/x "
                    "%s/data.mdb", dir, dir, dir, dir);
    assert_int_equal(system(cmd), 0);

    /* A second opener of the same lock file would break the first. */

    assert_int_equal(open_fails(true), FOTA_BUSY);
    assert_true(holds(st, "k", "old"));
    fota_store_close(st);

    fresh = open_store(true, 0);
    assert_non_null(fresh);
    assert_true(holds(fresh, "k", "old"));
    fota_store_close(fresh);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_modes),
        test(test_shared),
        test(test_absent),
        test(test_long_path),
        test(test_replaced)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
