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


static void
test_put_get_del(void **state)
{
    uint8_t        big[FOTA_KEY_MAX + 1];
    uint64_t       id1, id2;
    fota_txn_t    *txn, *second;
    fota_str_t     value, none = fota_null_str;
    fota_store_t  *st;

    memset(big, 'k', sizeof(big));

    st = open_store(false, MIB);
    assert_non_null(st);

    put(st, "a", "1");
    assert_true(holds(st, "a", "1"));
    assert_true(holds(st, "b", NULL));

    assert_int_equal(fota_store_read_begin(st, &id1), FOTA_OK);
    fota_store_read_end(st);

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_store_write_begin(st, &second), FOTA_BUSY);

    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr("a"),
                                  fota_cstr("2")),
                     FOTA_OK);

    /* Not before commit, and not at all after abort. */

    assert_true(holds(st, "a", "1"));
    fota_txn_abort(txn);
    assert_true(holds(st, "a", "1"));

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_txn_del(txn, FOTA_T_PRODUCT, fota_cstr("a")),
                     FOTA_OK);
    assert_int_equal(fota_txn_del(txn, FOTA_T_PRODUCT, fota_cstr("zz")),
                     FOTA_OK);
    assert_int_equal(fota_txn_del(txn, FOTA_T_PRODUCT, none), FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_true(holds(st, "a", NULL));

    assert_int_equal(fota_store_read_begin(st, &id2), FOTA_OK);
    assert_true(id2 > id1);
    fota_store_read_end(st);

    /* Limits are refused and do no harm to the rest. */

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, none,
                                  fota_cstr("v")),
                     FOTA_INVALID);
    assert_int_equal(fota_txn_put(txn, FOTA_T__N, fota_cstr("k"),
                                  fota_cstr("v")),
                     FOTA_INVALID);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT,
                                  fota_slice(big, sizeof(big)),
                                  fota_cstr("v")),
                     FOTA_LIMIT);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr("k"),
                                  fota_slice(big, FOTA_VALUE_MAX + 1)),
                     FOTA_LIMIT);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT,
                                  fota_slice(big, FOTA_KEY_MAX),
                                  fota_cstr("v")),
                     FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);
    assert_int_equal(fota_store_get(st, FOTA_T_PRODUCT,
                                    fota_slice(big, sizeof(big)), &value),
                     FOTA_NOTFOUND);
    assert_int_equal(fota_store_get(st, FOTA_T_PRODUCT, none, &value),
                     FOTA_NOTFOUND);
    assert_int_equal(fota_store_get(st, FOTA_T_PRODUCT,
                                    fota_slice(big, FOTA_KEY_MAX), &value),
                     FOTA_OK);
    fota_store_read_end(st);

    /* Outside of a read there is nothing to be had. */

    assert_int_equal(fota_store_get(st, FOTA_T_PRODUCT, fota_cstr("a"),
                                    &value),
                     FOTA_ERROR);

    fota_store_close(st);
    fota_store_close(NULL);
}


typedef struct {
    char      keys[64];
    unsigned  stop;
} walk_t;


static int
walk(void *ctx, fota_str_t key, fota_str_t value)
{
    walk_t  *w = ctx;

    strncat(w->keys, (const char *) key.data, key.len);

    return (w->stop && strlen(w->keys) >= w->stop) ? FOTA_EXISTS : FOTA_OK;
}


static void
test_each(void **state)
{
    walk_t         w;
    fota_txn_t    *txn;
    fota_str_t     none = fota_null_str;
    fota_store_t  *st;

    st = open_store(false, MIB);

    put(st, "b2", "");
    put(st, "a1", "");
    put(st, "b1", "");
    put(st, "c1", "");

    assert_int_equal(fota_store_each(st, FOTA_T_PRODUCT, none, walk, &w),
                     FOTA_ERROR);
    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);

    memset(&w, 0, sizeof(w));
    assert_int_equal(fota_store_each(st, FOTA_T_PRODUCT, none, walk, &w),
                     FOTA_OK);
    assert_string_equal(w.keys, "a1b1b2c1");

    memset(&w, 0, sizeof(w));
    assert_int_equal(fota_store_each(st, FOTA_T_PRODUCT, fota_cstr("b"),
                                     walk, &w),
                     FOTA_OK);
    assert_string_equal(w.keys, "b1b2");

    memset(&w, 0, sizeof(w));
    assert_int_equal(fota_store_each(st, FOTA_T_PRODUCT, fota_cstr("d"),
                                     walk, &w),
                     FOTA_OK);
    assert_string_equal(w.keys, "");

    memset(&w, 0, sizeof(w));
    w.stop = 4;
    assert_int_equal(fota_store_each(st, FOTA_T_PRODUCT, none, walk, &w),
                     FOTA_EXISTS);
    assert_string_equal(w.keys, "a1b1");

    memset(&w, 0, sizeof(w));
    assert_int_equal(fota_store_each(st, FOTA_T_NODE, none, walk, &w),
                     FOTA_OK);
    assert_string_equal(w.keys, "");

    fota_store_read_end(st);

    /* Appending wants ascending keys. */

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_txn_append(txn, FOTA_T_NODE, fota_cstr("n1"),
                                     fota_cstr("x")),
                     FOTA_OK);
    assert_int_equal(fota_txn_append(txn, FOTA_T_NODE, fota_cstr("n1"),
                                     fota_cstr("x")),
                     FOTA_INVALID);
    assert_int_equal(fota_txn_append(txn, FOTA_T_NODE, fota_cstr("n0"),
                                     fota_cstr("x")),
                     FOTA_INVALID);
    assert_int_equal(fota_txn_append(txn, FOTA_T_NODE, fota_cstr("n2"),
                                     fota_cstr("x")),
                     FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    fota_store_close(st);
}


static void
write_file(const char *name, const void *data, size_t n, off_t size)
{
    int   fd;
    char  path[128];

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);

    fd = open(path, O_CREAT|O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, n, 0), (ssize_t) n);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}


static void
test_corrupt(void **state)
{
    char           path[128];
    size_t         i;
    struct stat    sb;
    fota_txn_t    *txn;
    fota_store_t  *st;

    static uint8_t  junk[8192];

    memset(junk, 0xa5, sizeof(junk));

    assert_int_equal(mkdir(dir, 0700), 0);

    write_file("data.mdb", junk, sizeof(junk), sizeof(junk));
    assert_int_equal(open_fails(true), FOTA_CORRUPT);
    assert_int_equal(open_fails(false), FOTA_CORRUPT);

    write_file("data.mdb", "", 0, 0);
    assert_int_equal(open_fails(true), FOTA_NOTFOUND);

    st = open_store(false, MIB);
    assert_non_null(st);
    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    for (i = 0; i < 100; i++) {
        (void) snprintf(path, sizeof(path), "key%03zu", i);
        assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr(path),
                                      fota_slice(junk, 1000)),
                         FOTA_OK);
    }

    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    fota_store_close(st);

    /* A page beyond the end of the file would be SIGBUS. */

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);
    assert_int_equal(stat(path, &sb), 0);
    assert_true(sb.st_size > 10 * 4096);
    assert_int_equal(truncate(path, 5 * 4096), 0);
    assert_int_equal(open_fails(true), FOTA_CORRUPT);
    assert_int_equal(open_fails(false), FOTA_CORRUPT);
}


/* LMDB of the future: the version follows the magic. */

static void
test_foreign_version(void **state)
{
    int            fd;
    char           path[128];
    uint8_t        head[64];
    fota_store_t  *st;

    st = open_store(false, MIB);
    fota_store_close(st);

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);

    /* mm_magic at 16, mm_version at 20, in both meta pages */

    for (off_t off = 0; off <= 4096; off += 4096) {
        assert_int_equal(pread(fd, head, sizeof(head), off), sizeof(head));
        head[20] = 9;
        assert_int_equal(pwrite(fd, head, sizeof(head), off), sizeof(head));
    }

    close(fd);

    assert_int_equal(open_fails(true), FOTA_TOO_NEW);
}


static void
test_map_full(void **state)
{
    int            rc;
    char           key[16];
    size_t         i;
    fota_txn_t    *txn;
    fota_store_t  *st;

    static uint8_t  data[50000];

    st = open_store(false, MIB);
    put(st, "k", "1");

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    rc = FOTA_OK;

    for (i = 0; i < 100 && rc == FOTA_OK; i++) {
        (void) snprintf(key, sizeof(key), "big%03zu", i);
        rc = fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr(key),
                          fota_slice(data, sizeof(data)));
    }

    assert_int_equal(rc, FOTA_FULL);

    /* The error sticks, and commit does nothing of it. */

    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr("k"),
                                  fota_cstr("2")),
                     FOTA_FULL);
    assert_int_equal(fota_txn_append(txn, FOTA_T_PRODUCT, fota_cstr("z"),
                                     fota_cstr("2")),
                     FOTA_FULL);
    assert_int_equal(fota_txn_del(txn, FOTA_T_PRODUCT, fota_cstr("k")),
                     FOTA_FULL);
    assert_int_equal(fota_txn_commit(txn), FOTA_FULL);

    assert_true(holds(st, "k", "1"));
    assert_true(holds(st, "big000", NULL));
    put(st, "k", "3");
    assert_true(holds(st, "k", "3"));

    fota_store_close(st);
}


static void
test_readonly_writes_nothing(void **state)
{
    fota_txn_t    *txn;
    fota_store_t  *st;

    st = open_store(false, MIB);
    fota_store_close(st);

    st = open_store(true, 0);
    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_ERROR);
    fota_store_close(st);
}


static void
test_nosync(void **state)
{
    fota_store_t      *st;
    fota_store_opt_t   opt;

    memset(&opt, 0, sizeof(opt));
    opt.nosync = 1;

    assert_int_equal(fota_store_open(&st, dir, &opt, &reason), FOTA_OK);
    put(st, "k", "1");
    assert_int_equal(fota_store_sync(st), FOTA_OK);
    fota_store_close(st);

    st = open_store(true, 0);
    assert_true(holds(st, "k", "1"));
    fota_store_close(st);
}


/*
 * Devices are compared by a function of ours: the order must be LMDB's own,
 * shorter keys before longer ones and bytes without a sign.
 */

static int
each_device(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_str_t  *last = ctx;

    assert_true(fota_str_cmp(*last, key) < 0);
    assert_true(fota_str_eq(key, value));
    *last = key;

    return FOTA_OK;
}


static void
test_device_order(void **state)
{
    size_t         i, n;
    uint8_t        key[8];
    uint32_t       seed;
    fota_str_t     last, value;
    fota_txn_t    *txn;
    fota_store_t  *st;

    st = open_store(false, 16 * MIB);
    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    for (i = 0, seed = 1; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        n = 1 + (seed >> 29);
        memcpy(key, &seed, 4);
        memcpy(key + 4, &i, 4);
        assert_int_equal(fota_txn_put(txn, FOTA_T_DEVICE, fota_slice(key, n),
                                      fota_slice(key, n)),
                         FOTA_OK);
    }

    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);

    last = fota_slice("", 0);
    assert_int_equal(fota_store_each(st, FOTA_T_DEVICE, last, each_device,
                                     &last),
                     FOTA_OK);

    for (i = 0, seed = 1; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        n = 1 + (seed >> 29);
        memcpy(key, &seed, 4);
        memcpy(key + 4, &i, 4);
        assert_int_equal(fota_store_get(st, FOTA_T_DEVICE,
                                        fota_slice(key, n), &value),
                         FOTA_OK);
        assert_true(fota_str_eq(value, fota_slice(key, n)));
    }

    fota_store_read_end(st);
    fota_store_close(st);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_put_get_del),
        test(test_each),
        test(test_corrupt),
        test(test_foreign_version),
        test(test_map_full),
        test(test_readonly_writes_nothing),
        test(test_nosync),
        test(test_device_order)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
