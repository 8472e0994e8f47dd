/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Read transactions and what is read within them. */

#include <string.h>

#include "fota_store_lmdb.h"


/* Not more than a page of memory, where reading may fail. */
#define FOTA_STORE_PAGE  4096


typedef struct {
    fota_store_t   *st;
    MDB_txn        *txn;
    MDB_cursor     *cursor;
    MDB_cursor_op   op;
    MDB_val         key;
    MDB_val         value;
    fota_table_e    table;
} fota_store_call_t;


static int fota_store_renew(void *data);
static int fota_store_reset(void *data);
static int fota_store_search(void *data);
static int fota_store_step(void *data);
static int fota_store_touch(const MDB_val *v);


static int
fota_store_renew(void *data)
{
    fota_store_call_t *call = data;

    return fota_store_begin(call->st, MDB_RDONLY, &call->st->read);
}


static int
fota_store_reset(void *data)
{
    fota_store_call_t *call = data;

    mdb_txn_reset(call->st->read);

    return MDB_SUCCESS;
}


int
fota_store_read_begin(fota_store_t *st, uint64_t *txn_id)
{
    int                rc;
    fota_store_call_t  call;

    call.st = st;

    if (st->broken) {
        return FOTA_CORRUPT;
    }

    if (st->depth == 0) {

        if (st->link.forks != fota_store_forks) {
            return FOTA_ERROR;
        }

        rc = fota_store_safe(st, fota_store_renew, &call);

        if (rc == MDB_BAD_RSLOT) {

            /*
             * Somebody took us for dead and freed the slot, which may have a
             * new owner: abort would free it again, so only the memory of
             * the object is given up.
             */

            st->read = NULL;
            rc = fota_store_safe(st, fota_store_renew, &call);
        }

        if (rc != MDB_SUCCESS) {
            return fota_store_status(rc);
        }

        st->txn_id = mdb_txn_id(st->read);
    }

    st->depth++;

    if (txn_id != NULL) {
        *txn_id = st->txn_id;
    }

    return FOTA_OK;
}


void
fota_store_read_end(fota_store_t *st)
{
    fota_store_call_t  call;

    if (st->depth != 0 && --st->depth == 0) {
        call.st = st;
        (void) fota_store_safe(st, fota_store_reset, &call);
    }
}


/* All pages of a value, as long as we are under a guard. */

static int
fota_store_touch(const MDB_val *v)
{
    size_t                   i;
    const volatile uint8_t  *p;

    p = v->mv_data;

    if (v->mv_size > FOTA_VALUE_MAX) {
        return MDB_CORRUPTED;
    }

    for (i = 0; i < v->mv_size; i += FOTA_STORE_PAGE) {
        (void) p[i];
    }

    if (v->mv_size != 0) {
        (void) p[v->mv_size - 1];
    }

    return MDB_SUCCESS;
}


static int
fota_store_search(void *data)
{
    fota_store_call_t *call = data;

    int  rc;

    rc = mdb_get(call->txn, call->st->dbi[call->table], &call->key,
                 &call->value);

    return (rc == MDB_SUCCESS) ? fota_store_touch(&call->value) : rc;
}


int
fota_store_lookup(fota_store_t *st, MDB_txn *txn, fota_table_e table,
    fota_str_t key, fota_str_t *value)
{
    int                rc;
    fota_store_call_t  call;

    if (txn == NULL || table >= FOTA_T__N) {
        return FOTA_ERROR;
    }

    if (key.len == 0 || key.len > FOTA_KEY_MAX) {
        return FOTA_NOTFOUND;
    }

    call.st = st;
    call.txn = txn;
    call.table = table;
    call.key = fota_store_val(key);

    rc = fota_store_safe(st, fota_store_search, &call);

    if (rc == MDB_SUCCESS) {
        *value = fota_slice(call.value.mv_data, call.value.mv_size);
    }

    return fota_store_status(rc);
}


int
fota_store_get(fota_store_t *st, fota_table_e table, fota_str_t key,
    fota_str_t *value)
{
    return fota_store_lookup(st, (st->depth == 0) ? NULL : st->read, table,
                             key, value);
}


static int
fota_store_step(void *data)
{
    fota_store_call_t *call = data;

    int       rc;
    MDB_stat  stat;

    if (call->cursor == NULL) {

        /* Reads the table's root, before there is a cursor to be lost. */

        rc = mdb_stat(call->txn, call->st->dbi[call->table], &stat);
        if (rc != MDB_SUCCESS) {
            return rc;
        }

        rc = mdb_cursor_open(call->txn, call->st->dbi[call->table],
                             &call->cursor);
        if (rc != MDB_SUCCESS) {
            return rc;
        }
    }

    rc = mdb_cursor_get(call->cursor, &call->key, &call->value, call->op);

    return (rc == MDB_SUCCESS) ? fota_store_touch(&call->value) : rc;
}


int
fota_store_each(fota_store_t *st, fota_table_e table, fota_str_t prefix,
    int (*each)(void *ctx, fota_str_t key, fota_str_t value), void *ctx)
{
    int                rc;
    fota_str_t         key;
    fota_store_call_t  call;

    if (st->depth == 0 || table >= FOTA_T__N) {
        return FOTA_ERROR;
    }

    if (prefix.len > FOTA_KEY_MAX) {
        return FOTA_OK;
    }

    call.st = st;
    call.txn = st->read;
    call.cursor = NULL;
    call.table = table;
    call.key = fota_store_val(prefix);
    call.op = (prefix.len == 0) ? MDB_FIRST : MDB_SET_RANGE;

    for ( ;; ) {
        rc = fota_store_safe(st, fota_store_step, &call);

        if (rc != MDB_SUCCESS) {
            rc = (rc == MDB_NOTFOUND) ? FOTA_OK : fota_store_status(rc);
            break;
        }

        key = fota_slice(call.key.mv_data, call.key.mv_size);

        if (key.len < prefix.len
            || (prefix.len != 0
                && memcmp(key.data, prefix.data, prefix.len) != 0))
        {
            rc = FOTA_OK;
            break;
        }

        rc = each(ctx, key, fota_slice(call.value.mv_data,
                                       call.value.mv_size));
        if (rc != FOTA_OK) {
            break;
        }

        call.op = MDB_NEXT;
    }

    if (call.cursor != NULL) {
        mdb_cursor_close(call.cursor);
    }

    return rc;
}
