/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "support_store.h"


static void
test_meta(void **state)
{
    size_t         n;
    uint8_t        mem[128], copy[129];
    fota_buf_t     b;
    fota_txn_t    *txn;
    fota_meta_t    m, got;
    fota_store_t  *st;

    memset(&m, 0, sizeof(m));
    m.format = FOTA_STORE_FORMAT;
    m.epoch = 0x1122334455667788ULL;
    m.seq = 42;
    memset(m.chain, 0xcc, sizeof(m.chain));
    m.head_ts = 1767225600123ULL;
    m.fresh = 1767225600;
    m.generation = 7;

    st = open_store(false, MIB);

    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);
    assert_int_equal(fota_meta_read(st, &got), FOTA_NOTFOUND);
    fota_store_read_end(st);

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_meta_write(txn, &m), FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    memset(&got, 0, sizeof(got));
    assert_int_equal(fota_store_read_begin(st, NULL), FOTA_OK);
    assert_int_equal(fota_meta_read(st, &got), FOTA_OK);
    fota_store_read_end(st);

    assert_int_equal(got.format, m.format);
    assert_int_equal(got.epoch, m.epoch);
    assert_int_equal(got.seq, m.seq);
    assert_memory_equal(got.chain, m.chain, 32);
    assert_int_equal(got.head_ts, m.head_ts);
    assert_int_equal(got.fresh, m.fresh);
    assert_int_equal(got.generation, m.generation);

    fota_store_close(st);

    fota_buf_fixed(&b, mem, sizeof(mem));
    assert_int_equal(fota_meta_encode(&m, &b), FOTA_OK);

    for (n = 0; n < b.len; n++) {
        assert_int_equal(fota_meta_decode(fota_slice(mem, n), &got),
                         FOTA_CORRUPT);
    }

    memcpy(copy, mem, b.len);
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len), &got),
                     FOTA_OK);
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len + 1), &got),
                     FOTA_CORRUPT);

    copy[0] = FOTA_T_NODE;
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len), &got),
                     FOTA_CORRUPT);

    copy[0] = FOTA_T_META;
    copy[1] = 2;
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len), &got),
                     FOTA_TOO_NEW);

    copy[1] = 1;
    copy[2] = FOTA_STORE_FORMAT + 1;
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len), &got),
                     FOTA_TOO_NEW);

    copy[2] = 0;
    assert_int_equal(fota_meta_decode(fota_slice(copy, b.len), &got),
                     FOTA_CORRUPT);

    fota_buf_fixed(&b, mem, 10);
    assert_int_equal(fota_meta_encode(&m, &b), FOTA_FULL);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_meta)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
