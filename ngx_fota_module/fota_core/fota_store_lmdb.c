/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fota_store_guard.h"
#include "fota_store_lmdb.h"


/* A result that LMDB does not have. */
#define FOTA_STORE_FAULT  INT_MIN

/* Below this a failed commit is blamed on the disk. */
#define FOTA_STORE_DISK_LOW  (256 * 1024)

/* Bytes of a page of the database, and of a cache line. */
#define FOTA_STORE_PREFETCH  4096
#define FOTA_STORE_LINE      64

/* The flag of a branch page. */
#define FOTA_STORE_BRANCH    1


/* What opening and closing under a guard are given, and give back. */

typedef struct {
    fota_store_t  *st;
    const char    *dir;
    const char    *reason;
    unsigned       flags;
} fota_store_call_t;


static int fota_store_env_start(void *data);
static int fota_store_env_stop(void *data);
static void fota_store_assert(MDB_env *env, const char *msg);
static int fota_store_open_tables(fota_store_t *st, bool readonly,
    const char **reason);
static int fota_store_whole(fota_store_t *st);
static int fota_store_order(const MDB_val *a, const MDB_val *b);
static int fota_store_compare(const MDB_val *a, const MDB_val *b);
static void fota_store_prefetch_child(const char *page, const char *key);


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
    { MDB_BAD_TXN, FOTA_CORRUPT },
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


int
fota_store_safe(fota_store_t *st, int (*run)(void *data), void *data)
{
    int  rc;

    /* A writer that jumps away keeps its locks: it may rather die. */

    if (!st->link.readonly) {
        return run(data);
    }

    if (st->broken) {
        return MDB_CORRUPTED;
    }

    rc = fota_store_guard(run, data, FOTA_STORE_FAULT);

    if (rc == FOTA_STORE_FAULT) {
        st->broken = 1;
        rc = MDB_CORRUPTED;
    }

    return rc;
}


bool
fota_store_broken(const fota_store_t *st)
{
    return st->broken;
}


/* LMDB aborts the process when this returns. */

static void
fota_store_assert(MDB_env *env, const char *msg)
{
    fota_store_guard_leave();
}


void
fota_store_env_close(fota_store_t *st)
{
    fota_store_call_t  call;

    /*
     * A child has only a copy: giving back the parent's slot or locks from
     * here would take them from the parent.
     */

    if (st->link.forks == fota_store_forks) {

        call.st = st;

        if (st->link.readonly) {
            (void) fota_store_guard(fota_store_env_stop, &call,
                                    FOTA_STORE_FAULT);
        } else {
            (void) fota_store_env_stop(&call);
        }
    }

    free(st);
}


static int
fota_store_env_stop(void *data)
{
    fota_store_call_t *call = data;

    if (call->st->write.txn != NULL) {
        mdb_txn_abort(call->st->write.txn);
    }

    if (call->st->read != NULL) {
        mdb_txn_abort(call->st->read);
    }

    mdb_env_close(call->st->env);

    return MDB_SUCCESS;
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
    int                 rc;
    uint64_t            size;
    fota_store_t       *st;
    fota_store_call_t   call;

    st = calloc(1, sizeof(fota_store_t));

    if (st == NULL || mdb_env_create(&st->env) != MDB_SUCCESS) {
        free(st);
        *reason = "out of memory";
        return FOTA_NOMEM;
    }

    st->link.forks = fota_store_forks;
    st->link.readonly = opt->readonly;

    /*
     * A read transaction is tied to its object, not to a thread: it is kept
     * over the life of the store.
     */

    call.st = st;
    call.dir = dir;
    call.reason = "data.mdb is damaged";
    call.flags = MDB_NOTLS;

    if (opt->readonly) {
        call.flags |= MDB_RDONLY;
    }

    if (opt->nosync) {
        call.flags |= MDB_NOSYNC;
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
        rc = opt->readonly
             ? fota_store_guard(fota_store_env_start, &call, FOTA_CORRUPT)
             : fota_store_env_start(&call);

    } else {
        call.reason = fota_store_reason(rc);
        rc = fota_store_status(rc);
    }

    if (rc != FOTA_OK) {
        *reason = call.reason;
        fota_store_env_close(st);
        return rc;
    }

    *out = st;

    return FOTA_OK;
}


static int
fota_store_env_start(void *data)
{
    fota_store_call_t *call = data;

    int            rc;
    fota_store_t  *st;

    st = call->st;

    (void) mdb_env_set_assert(st->env, fota_store_assert);

    rc = mdb_env_open(st->env, call->dir, call->flags, FOTA_STORE_FILE_MODE);

    if (rc != MDB_SUCCESS) {
        call->reason = fota_store_reason(rc);
        return fota_store_status(rc);
    }

    if (fota_store_whole(st) != FOTA_OK) {
        call->reason = "data.mdb is truncated";
        return FOTA_CORRUPT;
    }

    return fota_store_open_tables(st, (call->flags & MDB_RDONLY) != 0,
                                  &call->reason);
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
    int        rc;
    size_t     i;
    MDB_txn  **txn;

    /* Where it is found when this does not end, see fota_store_env_stop(). */

    txn = &st->write.txn;

    rc = fota_store_begin(st, readonly ? MDB_RDONLY : 0, txn);
    if (rc != MDB_SUCCESS) {
        *reason = (rc == MDB_READERS_FULL) ? "too many readers"
                                           : "cannot begin a transaction";
        return fota_store_status(rc);
    }

    for (i = 0; i < FOTA_T__N; i++) {
        rc = mdb_dbi_open(*txn, fota_store_tables[i],
                          readonly ? 0 : MDB_CREATE,
                          &st->dbi[i]);

        if (rc != MDB_SUCCESS) {
            *reason = (rc == MDB_NOTFOUND) ? "the tables are not there yet"
                                           : "cannot open the tables";
            return fota_store_status(rc);
        }
    }

    /* The other tables are small, or read once and kept. */

    (void) mdb_set_compare(*txn, st->dbi[FOTA_T_DEVICE],
                           readonly ? fota_store_compare : fota_store_order);

    rc = mdb_txn_commit(*txn);
    *txn = NULL;

    if (rc != MDB_SUCCESS) {
        *reason = "cannot create the tables";
    }

    return fota_store_status(rc);
}


/* LMDB's own order, so that its tools read the table too. */

static int
fota_store_order(const MDB_val *a, const MDB_val *b)
{
    int     rc;
    size_t  n;

    n = (a->mv_size < b->mv_size) ? a->mv_size : b->mv_size;

    rc = memcmp(a->mv_data, b->mv_data, n);

    if (rc != 0) {
        return rc;
    }

    return (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}


/*
 * The same for those who only read.  Millions of devices are in no cache: a
 * search by halves then waits for memory half a dozen times in each page, one
 * after the other, unless the page is asked for as a whole when its first key
 * is seen.  Where the search goes down is asked for as soon as that may be
 * the place.  Together they take a quarter off a look-up.
 */

static int
fota_store_compare(const MDB_val *a, const MDB_val *b)
{
    int          rc;
    size_t       i;
    uintptr_t    page;
    const char  *p;

    static uintptr_t  last;     /* a hint: whose it is does not matter */

    page = (uintptr_t) b->mv_data & ~(uintptr_t) (FOTA_STORE_PREFETCH - 1);
    p = (const char *) page;

    if (__atomic_load_n(&last, __ATOMIC_RELAXED) != page) {
        __atomic_store_n(&last, page, __ATOMIC_RELAXED);

        for (i = 0; i < FOTA_STORE_PREFETCH; i += FOTA_STORE_LINE) {
            __builtin_prefetch(p + i);
        }
    }

    rc = fota_store_order(a, b);

    if (rc >= 0) {
        fota_store_prefetch_child(p, b->mv_data);
    }

    return rc;
}


/*
 * The first lines of the page that a branch page names beside a key: what
 * its format says (a page: number u64, pad u16, flags u16; a node: child u16
 * u16 u16, size of the key u16, key) is taken for a hint and never followed.
 * What is not committed lies outside of the map, where this must not look.
 */

static void
fota_store_prefetch_child(const char *page, const char *key)
{
    uint16_t    flags, node[3];
    uint64_t    own, child;
    uintptr_t   p;

    memcpy(&flags, page + 10, sizeof(flags));

    if (!(flags & FOTA_STORE_BRANCH)) {
        return;
    }

    memcpy(&own, page, sizeof(own));
    memcpy(node, key - 8, sizeof(node));

    child = node[0] | ((uint64_t) node[1] << 16) | ((uint64_t) node[2] << 32);

    p = (uintptr_t) page + (uintptr_t) ((child - own) * FOTA_STORE_PREFETCH);

    __builtin_prefetch((const char *) p);
    __builtin_prefetch((const char *) (p + FOTA_STORE_LINE));
}


/*
 * Begins a transaction, or renews the one that is there, and returns a code
 * of LMDB.  A grown map may be adopted only while the process
 * has no transaction in this environment, which the callers see to; a full
 * table of readers is most often full of dead ones.
 */

int
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
