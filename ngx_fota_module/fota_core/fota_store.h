/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The policy store: named tables of bytes in one LMDB environment.  The only
 * door to LMDB.  One environment per directory and process (LMDB's locks
 * break otherwise): opening the same again shares it by (device, inode).
 *
 * Layout below a policy directory:
 *   current        symbolic link to gen-<N>, replaced by rename
 *   gen-<N>/data.mdb, lock.mdb
 */

#ifndef FOTA_STORE_H
#define FOTA_STORE_H

#include "fota_record.h"

typedef struct fota_store_s  fota_store_t;
typedef struct fota_txn_s    fota_txn_t;

#define FOTA_STORE_READERS      1024
#define FOTA_STORE_MAP_DEFAULT  (2ULL << 30)

typedef struct {
    uint64_t  map_size;         /* bytes, 0 = default; readers adopt growth */
    unsigned  readonly:1;
    unsigned  nosync:1;         /* bulk load; fota_store_sync at the end */
} fota_store_opt_t;

/*
 * dir is a gen-<N> directory (path resolved by the caller).  Readers:
 * FOTA_NOTFOUND when absent, FOTA_CORRUPT when it is no LMDB file,
 * FOTA_TOO_NEW for a foreign format, FOTA_IO.  reason: static text.
 */
int fota_store_open(fota_store_t **st, const char *dir,
    const fota_store_opt_t *opt, const char **reason);

/* Drops one reference; the last one closes. */
void fota_store_close(fota_store_t *st);

/*
 * The file was cut short, or is damaged so that reading it would have killed
 * the process.  Everything is FOTA_CORRUPT until it is closed.
 */
bool fota_store_broken(const fota_store_t *st);

/*
 * Reading: one read transaction per store, kept and renewed, never held
 * across a return to the event loop.  id of the snapshot in *txn_id (changes
 * with every commit).  Handles a grown map and a full reader table itself.
 */
int fota_store_read_begin(fota_store_t *st, uint64_t *txn_id);
void fota_store_read_end(fota_store_t *st);

/* Value points into the map until _read_end.  FOTA_NOTFOUND. */
int fota_store_get(fota_store_t *st, fota_table_e table, fota_str_t key,
    fota_str_t *value);

/* Calls each(ctx, key, value) for keys with a prefix, ascending; a result
 * other than FOTA_OK stops and is returned. */
int fota_store_each(fota_store_t *st, fota_table_e table, fota_str_t prefix,
    int (*each)(void *ctx, fota_str_t key, fota_str_t value), void *ctx);

/* Writing, by the agent alone; one write transaction at a time. */
int fota_store_write_begin(fota_store_t *st, fota_txn_t **txn);
int fota_txn_put(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t value);
/* Keys must ascend within a table: MDB_APPEND. */
int fota_txn_append(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t value);
/* Absent is FOTA_OK. */
int fota_txn_del(fota_txn_t *txn, fota_table_e table, fota_str_t key);
/* Both end the transaction.  FOTA_FULL: map or disk, nothing changed. */
int fota_txn_commit(fota_txn_t *txn);
void fota_txn_abort(fota_txn_t *txn);

int fota_store_sync(fota_store_t *st);

/* Clears slots of dead readers; number cleared in *dead. */
int fota_store_reap(fota_store_t *st, uint32_t *dead);

typedef struct {
    uint64_t  map_size;
    uint64_t  used;             /* bytes of pages in use */
    uint64_t  free_pages;
    uint32_t  readers;
    uint64_t  entries[FOTA_T__N];
} fota_store_stat_t;

int fota_store_stat(fota_store_t *st, fota_store_stat_t *out);

/* META keys, written in the transaction of the operations they describe. */

#define FOTA_STORE_FORMAT  1

typedef struct {
    uint32_t  format;           /* FOTA_STORE_FORMAT */
    uint64_t  epoch;
    uint64_t  seq;
    uint8_t   chain[32];
    uint64_t  head_ts;          /* ms: ts of the last batch */
    uint64_t  fresh;            /* Unix s: when we last knew to be current */
    uint64_t  generation;       /* + 1 for ops outside DEVICE and ARTIFACT */
} fota_meta_t;

/* The single record "head" of META. */
int fota_meta_encode(const fota_meta_t *m, fota_buf_t *out);
int fota_meta_decode(fota_str_t in, fota_meta_t *m);
int fota_meta_read(fota_store_t *st, fota_meta_t *m);
int fota_meta_write(fota_txn_t *txn, const fota_meta_t *m);

#endif /* FOTA_STORE_H */
