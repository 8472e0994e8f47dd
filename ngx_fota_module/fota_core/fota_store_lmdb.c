/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fota_store_lmdb.h"


/* Below this a failed commit is blamed on the disk. */
#define FOTA_STORE_DISK_LOW  (256 * 1024)

/* Bytes of a page of the database, and of a cache line. */
#define FOTA_STORE_PREFETCH  4096
#define FOTA_STORE_LINE      64


static int fota_store_open_tables(fota_store_t *st, bool readonly,
    const char **reason);
static int fota_store_whole(fota_store_t *st);
static int fota_store_begin(fota_store_t *st, unsigned flags, MDB_txn **txn);
static int fota_store_compare(const MDB_val *a, const MDB_val *b);


/* Names on disk; never change one. */

static const char *const  fota_store_tables[FOTA_T__N] = {
    "meta",
    "tenant",
    "product",
    "device",
    "node",
    "key",
    "deny",
    "geoprefix",
    "zone",
    "artifact"
};


static inline MDB_val
fota_store_val(fota_str_t s)
{
    MDB_val  v;

    v.mv_data = (void *) s.data;
    v.mv_size = s.len;

    return v;
}


static const struct {
    int            code;
    fota_status_e  status;
} fota_store_codes[] = {
    { MDB_SUCCESS, FOTA_OK },
    { MDB_NOTFOUND, FOTA_NOTFOUND },
    { MDB_KEYEXIST, FOTA_INVALID },
    { MDB_MAP_FULL, FOTA_FULL },
    { MDB_VERSION_MISMATCH, FOTA_TOO_NEW },
    { MDB_INVALID, FOTA_CORRUPT },
    { MDB_CORRUPTED, FOTA_CORRUPT },
    { MDB_PAGE_NOTFOUND, FOTA_CORRUPT },
    { MDB_INCOMPATIBLE, FOTA_CORRUPT },
    { MDB_PANIC, FOTA_CORRUPT },
    { MDB_READERS_FULL, FOTA_BUSY },
    { EAGAIN, FOTA_BUSY },
    { EBUSY, FOTA_BUSY },
    { ENOENT, FOTA_NOTFOUND },
    { ENOMEM, FOTA_NOMEM },
    { ENOSPC, FOTA_FULL },
    { EDQUOT, FOTA_FULL },
    { EFBIG, FOTA_FULL }
};


int
fota_store_status(int rc)
{
    size_t  i;

    for (i = 0; i < sizeof(fota_store_codes) / sizeof(fota_store_codes[0]);
         i++)
    {
        if (fota_store_codes[i].code == rc) {
            return fota_store_codes[i].status;
        }
    }

    return FOTA_IO;
}


void
fota_store_env_close(fota_store_t *st)
{
    /*
     * A child has only a copy: giving back the parent's slot or locks from
     * here would take them from the parent.
     */

    if (st->link.forks == fota_store_forks) {
        if (st->write.txn != NULL) {
            mdb_txn_abort(st->write.txn);
        }

        if (st->read != NULL) {
            mdb_txn_abort(st->read);
        }

        mdb_env_close(st->env);
    }

    free(st);
}


static const char *
fota_store_reason(int rc)
{
    switch (rc) {

    case EACCES:
    case EPERM:
        return "no permission; readers need to write lock.mdb";

    case MDB_INVALID:
        return "data.mdb is no database";

    case MDB_VERSION_MISMATCH:
        return "written by another version of LMDB";

    case ENOENT:
        return "there is no database";

    default:
        return "cannot open the environment";
    }
}


int
fota_store_env_open(fota_store_t **out, const char *dir,
    const fota_store_opt_t *opt, const char **reason)
{
    int            rc;
    uint64_t       size;
    unsigned       flags;
    fota_store_t  *st;

    st = calloc(1, sizeof(fota_store_t));

    if (st == NULL || mdb_env_create(&st->env) != MDB_SUCCESS) {
        free(st);
        *reason = "out of memory";
        return FOTA_NOMEM;
    }

    /*
     * A read transaction is tied to its object, not to a thread: it is kept
     * over the life of the store.
     */

    flags = MDB_NOTLS;

    if (opt->readonly) {
        flags |= MDB_RDONLY;
    }

    if (opt->nosync) {
        flags |= MDB_NOSYNC;
    }

    /* A reader that names no size takes that of the file. */

    size = opt->map_size;

    if (size == 0 && !opt->readonly) {
        size = FOTA_STORE_MAP_DEFAULT;
    }

    if ((rc = mdb_env_set_maxdbs(st->env, FOTA_T__N)) == MDB_SUCCESS
        && (rc = mdb_env_set_maxreaders(st->env, FOTA_STORE_READERS))
           == MDB_SUCCESS
        && (size == 0
            || (rc = mdb_env_set_mapsize(st->env, size)) == MDB_SUCCESS))
    {
        rc = mdb_env_open(st->env, dir, flags, FOTA_STORE_FILE_MODE);
    }

    if (rc != MDB_SUCCESS) {
        *reason = fota_store_reason(rc);
        rc = fota_store_status(rc);

    } else if (fota_store_whole(st) != FOTA_OK) {
        *reason = "data.mdb is truncated";
        rc = FOTA_CORRUPT;

    } else {
        rc = fota_store_open_tables(st, opt->readonly, reason);
    }

    if (rc != FOTA_OK) {
        mdb_env_close(st->env);
        free(st);
        return rc;
    }

    *out = st;

    return FOTA_OK;
}


/* A page beyond the end of the file is not an error on access but SIGBUS. */

static int
fota_store_whole(fota_store_t *st)
{
    int              fd;
    MDB_stat         stat;
    MDB_envinfo      info;
    struct stat      sb;

    if (mdb_env_get_fd(st->env, &fd) != MDB_SUCCESS
        || mdb_env_info(st->env, &info) != MDB_SUCCESS
        || mdb_env_stat(st->env, &stat) != MDB_SUCCESS
        || fstat(fd, &sb) != 0)
    {
        return FOTA_IO;
    }

    if ((uint64_t) sb.st_size
        < ((uint64_t) info.me_last_pgno + 1) * stat.ms_psize)
    {
        return FOTA_CORRUPT;
    }

    return FOTA_OK;
}


/*
 * Handles are opened once in a transaction that is committed, which makes
 * them valid for the environment.
 */

static int
fota_store_open_tables(fota_store_t *st, bool readonly, const char **reason)
{
    int       rc;
    size_t    i;
    MDB_txn  *txn;

    txn = NULL;

    rc = fota_store_begin(st, readonly ? MDB_RDONLY : 0, &txn);
    if (rc != MDB_SUCCESS) {
        *reason = (rc == MDB_READERS_FULL) ? "too many readers"
                                           : "cannot begin a transaction";
        return fota_store_status(rc);
    }

    for (i = 0; i < FOTA_T__N; i++) {
        rc = mdb_dbi_open(txn, fota_store_tables[i],
                          readonly ? 0 : MDB_CREATE,
                          &st->dbi[i]);

        if (rc != MDB_SUCCESS) {
            *reason = (rc == MDB_NOTFOUND) ? "the tables are not there yet"
                                           : "cannot open the tables";
            mdb_txn_abort(txn);
            return fota_store_status(rc);
        }
    }

    /* The other tables are small, or read once and kept. */

    (void) mdb_set_compare(txn, st->dbi[FOTA_T_DEVICE], fota_store_compare);

    rc = mdb_txn_commit(txn);
    if (rc != MDB_SUCCESS) {
        *reason = "cannot create the tables";
    }

    return fota_store_status(rc);
}


/*
 * The order is LMDB's own, so that its tools read the table too.  Millions of
 * devices are in no cache: a search by halves then waits for memory half a
 * dozen times in each page, one after the other, unless the page is asked for
 * as a whole when its first key is seen.  That takes a quarter off a look-up.
 */

static int
fota_store_compare(const MDB_val *a, const MDB_val *b)
{
    int          rc;
    size_t       i, n;
    uintptr_t    page;
    const char  *p;

    static uintptr_t  last;     /* a hint: whose it is does not matter */

    page = (uintptr_t) b->mv_data & ~(uintptr_t) (FOTA_STORE_PREFETCH - 1);

    if (__atomic_load_n(&last, __ATOMIC_RELAXED) != page) {
        __atomic_store_n(&last, page, __ATOMIC_RELAXED);

        p = (const char *) page;

        for (i = 0; i < FOTA_STORE_PREFETCH; i += FOTA_STORE_LINE) {
            __builtin_prefetch(p + i);
        }
    }

    n = (a->mv_size < b->mv_size) ? a->mv_size : b->mv_size;

    rc = memcmp(a->mv_data, b->mv_data, n);

    if (rc != 0) {
        return rc;
    }

    return (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}


/*
 * Begins a transaction, or renews the one that is there, and returns a code
 * of LMDB.  A grown map may be adopted only while the process
 * has no transaction in this environment, which the callers see to; a full
 * table of readers is most often full of dead ones.
 */

static int
fota_store_begin(fota_store_t *st, unsigned flags, MDB_txn **txn)
{
    int       i, dead, rc;
    unsigned  idle;

    idle = st->depth == 0 && st->write.txn == NULL;

    for (i = 0; /* void */ ; i++) {
        rc = (*txn != NULL) ? mdb_txn_renew(*txn)
                            : mdb_txn_begin(st->env, NULL, flags, txn);

        if (rc == MDB_MAP_RESIZED && idle && i < 2) {
            rc = mdb_env_set_mapsize(st->env, 0);

        } else if (rc == MDB_READERS_FULL && i < 2) {
            rc = mdb_reader_check(st->env, &dead);

        } else {
            return rc;
        }

        if (rc != MDB_SUCCESS) {
            return rc;
        }
    }
}


int
fota_store_read_begin(fota_store_t *st, uint64_t *txn_id)
{
    int  rc;

    if (st->depth == 0) {

        if (st->link.forks != fota_store_forks) {
            return FOTA_ERROR;
        }

        rc = fota_store_begin(st, MDB_RDONLY, &st->read);

        if (rc == MDB_BAD_RSLOT) {

            /*
             * Somebody took us for dead and freed the slot, which may have a
             * new owner: abort would free it again, so only the memory of
             * the object is given up.
             */

            st->read = NULL;
            rc = fota_store_begin(st, MDB_RDONLY, &st->read);
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
    if (st->depth != 0 && --st->depth == 0) {
        mdb_txn_reset(st->read);
    }
}


static int
fota_store_lookup(fota_store_t *st, MDB_txn *txn, fota_table_e table,
    fota_str_t key, fota_str_t *value)
{
    int      rc;
    MDB_val  k, v;

    if (txn == NULL || table >= FOTA_T__N) {
        return FOTA_ERROR;
    }

    if (key.len == 0 || key.len > FOTA_KEY_MAX) {
        return FOTA_NOTFOUND;
    }

    k = fota_store_val(key);

    rc = mdb_get(txn, st->dbi[table], &k, &v);

    if (rc == MDB_SUCCESS) {
        *value = fota_slice(v.mv_data, v.mv_size);
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


int
fota_store_each(fota_store_t *st, fota_table_e table, fota_str_t prefix,
    int (*each)(void *ctx, fota_str_t key, fota_str_t value), void *ctx)
{
    int          rc;
    MDB_val      k, v;
    MDB_cursor  *cursor;

    if (st->depth == 0 || table >= FOTA_T__N) {
        return FOTA_ERROR;
    }

    if (prefix.len > FOTA_KEY_MAX) {
        return FOTA_OK;
    }

    rc = mdb_cursor_open(st->read, st->dbi[table], &cursor);
    if (rc != MDB_SUCCESS) {
        return fota_store_status(rc);
    }

    k = fota_store_val(prefix);

    rc = mdb_cursor_get(cursor, &k, &v,
                        (prefix.len == 0) ? MDB_FIRST : MDB_SET_RANGE);

    while (rc == MDB_SUCCESS) {

        if (k.mv_size < prefix.len
            || (prefix.len != 0
                && memcmp(k.mv_data, prefix.data, prefix.len) != 0))
        {
            rc = MDB_NOTFOUND;
            break;
        }

        rc = each(ctx, fota_slice(k.mv_data, k.mv_size),
                  fota_slice(v.mv_data, v.mv_size));

        if (rc != FOTA_OK) {
            mdb_cursor_close(cursor);
            return rc;
        }

        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }

    mdb_cursor_close(cursor);

    return (rc == MDB_NOTFOUND) ? FOTA_OK : fota_store_status(rc);
}


int
fota_store_write_begin(fota_store_t *st, fota_txn_t **txn)
{
    int  dead, rc;

    *txn = NULL;

    /* A second one in the same thread would wait for the first for ever. */

    if (st->write.txn != NULL) {
        return FOTA_BUSY;
    }

    if (st->link.readonly || st->link.forks != fota_store_forks) {
        return FOTA_ERROR;
    }

    /* The pages that a dead reader pins cannot be used again. */

    (void) mdb_reader_check(st->env, &dead);

    rc = fota_store_begin(st, 0, &st->write.txn);
    if (rc != MDB_SUCCESS) {
        st->write.txn = NULL;
        return fota_store_status(rc);
    }

    st->write.store = st;
    st->write.status = FOTA_OK;

    *txn = &st->write;

    return FOTA_OK;
}


static int
fota_txn_store(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t value, unsigned flags)
{
    int      rc;
    MDB_val  k, v;

    if (txn->status != FOTA_OK) {
        return txn->status;
    }

    if (table >= FOTA_T__N || key.len == 0) {
        return FOTA_INVALID;
    }

    if (key.len > FOTA_KEY_MAX || value.len > FOTA_VALUE_MAX) {
        return FOTA_LIMIT;
    }

    k = fota_store_val(key);
    v = fota_store_val(value);

    rc = mdb_put(txn->txn, txn->store->dbi[table], &k, &v, flags);

    /* A key out of order does no harm to the transaction. */

    if (rc != MDB_SUCCESS && rc != MDB_KEYEXIST) {
        txn->status = fota_store_status(rc);
    }

    return fota_store_status(rc);
}


int
fota_txn_put(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t value)
{
    return fota_txn_store(txn, table, key, value, 0);
}


int
fota_txn_append(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t value)
{
    return fota_txn_store(txn, table, key, value, MDB_APPEND);
}


int
fota_txn_del(fota_txn_t *txn, fota_table_e table, fota_str_t key)
{
    int      rc;
    MDB_val  k;

    if (txn->status != FOTA_OK) {
        return txn->status;
    }

    if (table >= FOTA_T__N) {
        return FOTA_INVALID;
    }

    if (key.len == 0 || key.len > FOTA_KEY_MAX) {
        return FOTA_OK;
    }

    k = fota_store_val(key);

    rc = mdb_del(txn->txn, txn->store->dbi[table], &k, NULL);

    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        txn->status = fota_store_status(rc);
    }

    return txn->status;
}


int
fota_txn_get(fota_txn_t *txn, fota_table_e table, fota_str_t key,
    fota_str_t *value)
{
    if (txn->status != FOTA_OK) {
        return txn->status;
    }

    return fota_store_lookup(txn->store, txn->txn, table, key, value);
}


int
fota_txn_commit(fota_txn_t *txn)
{
    int             fd, rc;
    fota_store_t   *st;
    struct statvfs  vfs;

    if (txn->status != FOTA_OK) {
        rc = txn->status;
        fota_txn_abort(txn);
        return rc;
    }

    st = txn->store;

    rc = mdb_txn_commit(txn->txn);
    txn->txn = NULL;

    /* LMDB reports a write cut short by a full disk as EIO. */

    if (rc == EIO
        && mdb_env_get_fd(st->env, &fd) == MDB_SUCCESS
        && fstatvfs(fd, &vfs) == 0
        && (uint64_t) vfs.f_bavail * vfs.f_frsize < FOTA_STORE_DISK_LOW)
    {
        rc = ENOSPC;
    }

    return fota_store_status(rc);
}


void
fota_txn_abort(fota_txn_t *txn)
{
    if (txn->txn != NULL) {
        mdb_txn_abort(txn->txn);
        txn->txn = NULL;
    }
}


int
fota_store_sync(fota_store_t *st)
{
    return fota_store_status(mdb_env_sync(st->env, 1));
}
