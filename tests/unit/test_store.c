/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>

#include "fota_store.h"


#define MIB  (1024 * 1024)


static char         top[64], dir[80];
static const char  *reason;


static int
setup(void **state)
{
    (void) snprintf(top, sizeof(top), "/tmp/fota-store-XXXXXX");

    if (mkdtemp(top) == NULL) {
        return -1;
    }

    (void) snprintf(dir, sizeof(dir), "%s/gen-1", top);

    return 0;
}


static int
teardown(void **state)
{
    char  cmd[128];

    (void) snprintf(cmd, sizeof(cmd), "rm -rf %s", top);

    return system(cmd);
}


static fota_store_t *
open_store(bool readonly, uint64_t map_size)
{
    int                rc;
    fota_store_t      *st;
    fota_store_opt_t   opt;

    memset(&opt, 0, sizeof(opt));
    opt.readonly = readonly;
    opt.map_size = map_size;

    rc = fota_store_open(&st, dir, &opt, &reason);
    if (rc != FOTA_OK) {
        print_error("%s: %s\n", fota_status_name(rc), reason);
        return NULL;
    }

    return st;
}


static int
open_fails(bool readonly)
{
    int                rc;
    fota_store_t      *st;
    fota_store_opt_t   opt;

    memset(&opt, 0, sizeof(opt));
    opt.readonly = readonly;
    opt.map_size = MIB;

    rc = fota_store_open(&st, dir, &opt, &reason);

    assert_null(st);
    assert_true(reason[0] != '\0');

    return rc;
}


static void
put(fota_store_t *st, const char *key, const char *value)
{
    fota_txn_t  *txn;

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr(key),
                                  fota_cstr(value)),
                     FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
}


static bool
holds(fota_store_t *st, const char *key, const char *value)
{
    int         rc;
    bool        ok;
    fota_str_t  v;

    if (fota_store_read_begin(st, NULL) != FOTA_OK) {
        return false;
    }

    rc = fota_store_get(st, FOTA_T_PRODUCT, fota_cstr(key), &v);
    ok = (rc == FOTA_OK) ? value != NULL && fota_str_eq(v, fota_cstr(value))
                         : value == NULL && rc == FOTA_NOTFOUND;

    fota_store_read_end(st);

    return ok;
}


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
