/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to libmariadb: a fixed pool of connections, prepared
 * statements cached per connection, rows as slices.
 *
 * Statements take a type letter per "?":  i int64_t, u uint64_t, d double,
 * s fota_str_t (by value), S the same with data NULL for SQL NULL,
 * z const char * (NULL gives SQL NULL),
 * 0 takes no argument and gives SQL NULL.
 */

#ifndef FOTA_ADMIN_DB_H
#define FOTA_ADMIN_DB_H

#include "fota_mem.h"
#include "fota_status.h"

typedef struct fota_db_pool_s  fota_db_pool_t;
typedef struct fota_db_s       fota_db_t;
typedef struct fota_rows_s     fota_rows_t;

typedef struct {
    const char  *socket;        /* or host and port */
    const char  *host;
    unsigned     port;
    const char  *user;
    const char  *password;
    const char  *database;
    const char  *tls_ca;        /* file; the server must prove itself by it */
    unsigned     size;          /* connections at most */
    unsigned     wait_ms;       /* for a free one, then FOTA_BUSY */
    unsigned     timeout_s;     /* of one statement; 0 = 600 */
} fota_db_conf_t;

int fota_db_pool_create(fota_db_pool_t **pool, const fota_db_conf_t *conf);
void fota_db_pool_destroy(fota_db_pool_t *pool);

/*
 * Borrow and give back.  A connection that had an error is reset or dropped
 * on return; an open transaction is rolled back.  NULL: none within wait_ms
 * or the database is away.
 */
fota_db_t *fota_db_get(fota_db_pool_t *pool);
void fota_db_put(fota_db_pool_t *pool, fota_db_t *db);

/* Why this thread's last attempt to connect failed; "" when it waited. */
const char *fota_db_connect_error(void);

/*
 * Runs one statement without result.  FOTA_OK, FOTA_EXISTS (duplicate key),
 * FOTA_BUSY (deadlock, lock wait: retry the transaction), FOTA_IO (the
 * connection is gone), FOTA_ERROR.
 */
int fota_db_exec(fota_db_t *db, const char *sql, const char *types, ...);

/* Without preparing: DDL, and text made of trusted parts only. */
int fota_db_exec_text(fota_db_t *db, const char *sql);

uint64_t fota_db_last_id(fota_db_t *db);
uint64_t fota_db_affected(fota_db_t *db);

/* The connection was lost: whatever failed, failed for that reason. */
bool fota_db_broken(const fota_db_t *db);

/* Text of the last error; never holds values. */
const char *fota_db_error(fota_db_t *db);

/*
 * Sessions are READ COMMITTED: fewer gap locks, hence fewer deadlocks.
 * _begin_snapshot gives one consistent view for reading (REPEATABLE READ).
 */
int fota_db_begin(fota_db_t *db);
int fota_db_begin_snapshot(fota_db_t *db);
int fota_db_commit(fota_db_t *db);
void fota_db_rollback(fota_db_t *db);

/*
 * Query: rows are streamed when stream is true (no other statement on this
 * connection until _rows_end), else stored.  Slices of a row live until the
 * next _row or _rows_end.
 */
int fota_db_query(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...);
int fota_db_stream(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...);

/*
 * The first row of a query.  Without FOTA_OK, as without a row with
 * FOTA_NOTFOUND, *rows is NULL; _rows_end takes that as well.
 */
int fota_db_first(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...);

/*
 * The first cell of the only row as a number: FOTA_NOTFOUND without a row.
 * *out is 0 unless it was read.
 */
int fota_db_number(fota_db_t *db, uint64_t *out, const char *sql,
    const char *types, ...);

/* Whether the query has a row; *there is false when it fails. */
int fota_db_exists(fota_db_t *db, bool *there, const char *sql,
    const char *types, ...);

typedef struct {
    char         type;          /* as above */
    int64_t      i;
    uint64_t     u;
    double       d;
    fota_str_t   s;
} fota_db_arg_t;

/* The same with an array, for built statements (searches). */
int fota_db_exec_args(fota_db_t *db, const char *sql,
    const fota_db_arg_t *args, size_t n);
int fota_db_query_args(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const fota_db_arg_t *args, size_t n);
int fota_db_stream_args(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const fota_db_arg_t *args, size_t n);

/* FOTA_OK with a row, FOTA_NOTFOUND at the end, FOTA_IO, FOTA_ERROR. */
int fota_db_row(fota_rows_t *rows);
void fota_db_rows_end(fota_rows_t *rows);

bool fota_db_null(fota_rows_t *rows, unsigned col);
int64_t fota_db_i64(fota_rows_t *rows, unsigned col);
uint64_t fota_db_u64(fota_rows_t *rows, unsigned col);
double fota_db_double(fota_rows_t *rows, unsigned col);
fota_str_t fota_db_str(fota_rows_t *rows, unsigned col);

/* The text of a cell, cut to size and NUL-terminated. */
void fota_db_chars(fota_rows_t *rows, unsigned col, char *out, size_t size);

/* Named locks of the server (GET_LOCK); held by this connection. */
int fota_db_lock(fota_db_t *db, const char *name, unsigned wait_s);
void fota_db_unlock(fota_db_t *db, const char *name);

#endif /* FOTA_ADMIN_DB_H */
