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
