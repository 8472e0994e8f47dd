/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to LMDB: its header is included here and nowhere else, and
 * this header by the files of fota_store alone.
 */

#ifndef FOTA_STORE_LMDB_H
#define FOTA_STORE_LMDB_H


#include <lmdb.h>

#include "fota_store_link.h"


struct fota_txn_s {
    MDB_txn        *txn;
    fota_store_t   *store;
    fota_status_e   status;     /* of the first failed operation */
};

struct fota_store_s {
    fota_store_link_t   link;       /* first */
    MDB_env            *env;
    MDB_txn            *read;       /* kept, renewed for each use */
    fota_txn_t          write;
    uint64_t            txn_id;
    uint32_t            depth;      /* of nested reads */
    unsigned            broken:1;   /* reading it failed as memory */
    MDB_dbi             dbi[FOTA_T__N];
};


static inline MDB_val
fota_store_val(fota_str_t s)
{
    MDB_val  v;

    v.mv_data = (void *) s.data;
    v.mv_size = s.len;

    return v;
}


/* Begins a transaction, or renews the one that is there: a code of LMDB. */
int fota_store_begin(fota_store_t *st, unsigned flags, MDB_txn **txn);

int fota_store_lookup(fota_store_t *st, MDB_txn *txn, fota_table_e table,
    fota_str_t key, fota_str_t *value);

/*
 * Runs what only reads; under a guard when the store is open for that alone.
 * MDB_CORRUPTED from the first fault on.
 */
int fota_store_safe(fota_store_t *st, int (*run)(void *data), void *data);

/* A code of LMDB, or of the system, as ours. */
int fota_store_status(int rc);


#endif /* FOTA_STORE_LMDB_H */
