/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "support_store.h"


static void
fill(fota_store_t *st, size_t n)
{
    size_t       i;
    char         key[32];
    uint8_t      value[1000];
    fota_txn_t  *txn;

    memset(value, 'v', sizeof(value));

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    for (i = 0; i < n; i++) {
        (void) snprintf(key, sizeof(key), "dev-%05zu", i);
        assert_int_equal(fota_txn_put(txn, FOTA_T_DEVICE, fota_cstr(key),
                                      fota_slice(value, sizeof(value))),
                         FOTA_OK);
    }

    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
}


static void
test_entries_and_pages(void **state)
{
    size_t              i;
    char                key[16];
    fota_txn_t         *txn;
    fota_store_t       *st;
    fota_store_stat_t   full, empty;

    st = open_store(false, 16 * MIB);

    fill(st, 2000);
    put(st, "product", "x");

    assert_int_equal(fota_store_stat(st, &full), FOTA_OK);
    assert_int_equal(full.entries[FOTA_T_DEVICE], 2000);
    assert_int_equal(full.entries[FOTA_T_PRODUCT], 1);
    assert_int_equal(full.entries[FOTA_T_NODE], 0);
    assert_int_equal(full.map_size, 16 * MIB);
    assert_true(full.used > 2000 * 1000);
    assert_true(full.used < 5 * MIB);

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    for (i = 0; i < 2000; i++) {
        (void) snprintf(key, sizeof(key), "dev-%05zu", i);
        assert_int_equal(fota_txn_del(txn, FOTA_T_DEVICE, fota_cstr(key)),
                         FOTA_OK);
    }

    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    /* What was given back is free to be used again, not in use. */

    assert_int_equal(fota_store_stat(st, &empty), FOTA_OK);
    assert_int_equal(empty.entries[FOTA_T_DEVICE], 0);
    assert_true(empty.free_pages > full.free_pages + 400);
    assert_true(empty.used < full.used / 2);

    fota_store_close(st);
}


static void
test_readers(void **state)
{
    uint32_t           dead;
    fota_store_t      *st;
    fota_store_stat_t  sb;

    st = open_store(false, MIB);
    put(st, "k", "1");

    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);
    assert_int_equal(fota_store_stat(st, &sb), FOTA_OK);
    assert_int_equal(sb.readers, 1);
    fota_store_read_end(st);

    /* The living are left alone. */

    assert_int_equal(fota_store_reap(st, &dead), FOTA_OK);
    assert_int_equal(dead, 0);
    assert_true(holds(st, "k", "1"));

    fota_store_close(st);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_entries_and_pages),
        test(test_readers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
