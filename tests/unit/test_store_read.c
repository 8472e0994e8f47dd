/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>

#include "support_store.h"


#define N     500
#define PAGE  4096


static void
fill(void)
{
    size_t         i;
    char           key[16];
    uint8_t        value[9000];
    fota_txn_t    *txn;
    fota_store_t  *st;

    memset(value, 'v', sizeof(value));

    st = open_store(false, 16 * MIB);
    put(st, "a", "1");

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    /* Some of them on pages of their own. */

    for (i = 0; i < N; i++) {
        (void) snprintf(key, sizeof(key), "dev-%05zu", i);
        assert_int_equal(fota_txn_put(txn, FOTA_T_DEVICE, fota_cstr(key),
                                      fota_slice(value, (i % 10 == 0)
                                                 ? sizeof(value) : 50)),
                         FOTA_OK);
    }

    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    fota_store_close(st);
}


/* Writes over what is there from page first on; n = 0: all. */

static off_t
spoil(size_t first, size_t n, int byte)
{
    int          fd;
    char         path[128];
    off_t        at;
    size_t       i;
    uint8_t      page[PAGE];
    struct stat  sb;

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);

    fd = open(path, O_RDWR);
    assert_true(fd != -1);
    assert_int_equal(fstat(fd, &sb), 0);

    memset(page, byte, sizeof(page));

    for (i = first; n == 0 || i < first + n; i++) {
        at = (off_t) i * PAGE;

        if (at >= sb.st_size) {
            break;
        }

        assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
    }

    (void) close(fd);

    return sb.st_size;
}


static int
count(void *ctx, fota_str_t key, fota_str_t value)
{
    size_t *n = ctx;

    *n += (value.len != 0 && value.data[value.len - 1] == 'v');

    return FOTA_OK;
}


/* Reads all; whatever is wrong comes as a code. */

static int
read_all(fota_store_t *st, size_t *n)
{
    int                rc;
    size_t             i;
    char               key[16];
    fota_str_t         value;
    fota_store_stat_t  sb;

    *n = 0;

    rc = fota_store_read_begin(st, NULL);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_store_each(st, FOTA_T_DEVICE, fota_cstr("dev-"), count, n);

    for (i = 0; i < N && rc == FOTA_OK; i++) {
        (void) snprintf(key, sizeof(key), "dev-%05zu", i);
        rc = fota_store_get(st, FOTA_T_DEVICE, fota_cstr(key), &value);
    }

    fota_store_read_end(st);

    (void) fota_store_stat(st, &sb);

    return rc;
}


static void
whole(void)
{
    size_t         n;
    fota_store_t  *st;

    fill();

    st = open_store(true, 16 * MIB);
    assert_int_equal(read_all(st, &n), FOTA_OK);
    assert_int_equal(n, N);
    assert_false(fota_store_broken(st));
    fota_store_close(st);
}


static void
cut_short(void)
{
    int            rc;
    char           path[128];
    off_t          size, at;
    size_t         n;
    fota_store_t  *st;

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);

    fill();
    size = spoil(0, 1, 0);
    assert_int_equal(unlink(path), 0);

    for (at = 0; at < size; at += size / 7) {
        fill();

        st = open_store(true, 16 * MIB);
        assert_true(holds(st, "a", "1"));

        assert_int_equal(truncate(path, at), 0);

        rc = read_all(st, &n);
        /* Not all pages are in use. */

        if (rc == FOTA_OK && at > size / 2) {
            assert_int_equal(n, N);

        } else {
            assert_int_equal(rc, FOTA_CORRUPT);
            assert_true(fota_store_broken(st));

            /* For good, and without a fault of its own. */

            assert_int_equal(fota_store_read_begin(st, NULL), FOTA_CORRUPT);
            assert_int_equal(read_all(st, &n), FOTA_CORRUPT);
        }

        fota_store_close(st);

        assert_int_equal(unlink(path), 0);
    }
}


static void
spoilt(void)
{
    int                rc;
    char               path[128];
    size_t             i, n;
    fota_store_t      *st;
    fota_store_opt_t   opt;

    static const struct {
        size_t  first;
        size_t  n;
        int     byte;
    } cases[] = {
        { 0, 0, 0 }, { 0, 0, 0xff }, { 2, 0, 0 }, { 2, 0, 0xff },
        { 2, 0, 0x55 }, { 2, 0, 1 }, { 0, 2, 0 }, { 0, 2, 0xff },
        { 3, 5, 0xff }, { 5, 0, 0x01 }, { 2, 1, 2 }
    };

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);

    memset(&opt, 0, sizeof(opt));
    opt.readonly = 1;
    opt.map_size = 16 * MIB;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        /* While it is open, and when it is opened. */

        fill();
        st = open_store(true, 16 * MIB);
        (void) spoil(cases[i].first, cases[i].n, cases[i].byte);
        (void) read_all(st, &n);
        fota_store_close(st);

        rc = fota_store_open(&st, dir, &opt, &reason);

        if (rc == FOTA_OK) {
            (void) read_all(st, &n);
            fota_store_close(st);
        }

        assert_int_equal(unlink(path), 0);
    }

    fill();
    st = open_store(true, 16 * MIB);
    assert_int_equal(read_all(st, &n), FOTA_OK);
    fota_store_close(st);
}


/* As one: cmocka takes SIGSEGV for itself at the start of each test. */

static void
test_damage(void **state)
{
    whole();
    cut_short();
    spoilt();
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_damage)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
