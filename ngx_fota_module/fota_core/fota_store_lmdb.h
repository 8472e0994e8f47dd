/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to LMDB: its header is included here and nowhere else, and
 * this header by fota_store_lmdb.c and fota_store_stat.c alone.
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
    MDB_dbi             dbi[FOTA_T__N];
};


/* A code of LMDB, or of the system, as ours. */
int fota_store_status(int rc);


#endif /* FOTA_STORE_LMDB_H */
