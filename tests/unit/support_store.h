/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* A policy store in a directory of its own, for the tests of the store. */

#ifndef SUPPORT_STORE_H
#define SUPPORT_STORE_H


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_store.h"


#define MIB  (1024 * 1024)


static char         top[64], dir[80];
static const char  *reason;


__attribute__((unused)) static int
setup(void **state)
{
    (void) snprintf(top, sizeof(top), "/tmp/fota-store-XXXXXX");

    if (mkdtemp(top) == NULL) {
        return -1;
    }

    (void) snprintf(dir, sizeof(dir), "%s/gen-1", top);

    return 0;
}


__attribute__((unused)) static int
teardown(void **state)
{
    char  cmd[128];

    (void) snprintf(cmd, sizeof(cmd), "rm -rf %s", top);

    return system(cmd);
}


__attribute__((unused)) static fota_store_t *
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


__attribute__((unused)) static int
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


__attribute__((unused)) static void
put(fota_store_t *st, const char *key, const char *value)
{
    fota_txn_t  *txn;

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);
    assert_int_equal(fota_txn_put(txn, FOTA_T_PRODUCT, fota_cstr(key),
                                  fota_cstr(value)),
                     FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
}


__attribute__((unused)) static bool
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


#endif /* SUPPORT_STORE_H */
