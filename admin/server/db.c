/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only file that knows libmariadb: connections, the cache of prepared
 * statements, binding, fetching, and the mapping of error numbers.
 */


#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "db_private.h"


#define FOTA_DB_COLS_MAX  64
#define FOTA_DB_TIMEOUT_S 600
#define FOTA_DB_CELL      256           /* first size of a text cell */
#define FOTA_DB_CELL_KEEP 65536         /* larger ones are given back */

/* Numbers of the server and of the client library, see their manuals. */

#define FOTA_ER_DUP           1062
#define FOTA_ER_DUP_KEY       1586
#define FOTA_ER_LOCK_WAIT     1205
#define FOTA_ER_DEADLOCK      1213
#define FOTA_ER_CHECKREAD     1020
#define FOTA_ER_REPREPARE     1615
#define FOTA_ER_UNKNOWN_STMT  1243
#define FOTA_ER_SHUTDOWN      1053
#define FOTA_ER_KILLED        1927
#define FOTA_ER_TOO_MANY      1040
#define FOTA_ER_READ_ONLY     1290
#define FOTA_CR_FIRST         2000
#define FOTA_CR_LAST          2999


static int fota_db_fail(fota_db_t *db, unsigned code, const char *text);
static fota_rows_t *fota_db_stmt(fota_db_t *db, const char *sql, int *rc);
static void fota_db_stmt_free(fota_rows_t *rows);
static void fota_db_forget(fota_db_t *db, fota_rows_t *rows);
static int fota_db_run(fota_db_t *db, const char *sql,
    const fota_db_arg_t *args, size_t n, fota_rows_t **out);
static int fota_db_run_once(fota_db_t *db, const char *sql,
    const fota_db_arg_t *args, size_t n, fota_rows_t **out);
static int fota_db_cells(fota_rows_t *rows);


/* Why this thread got no connection. */

static _Thread_local char  fota_db_reason[256];


const char *
fota_db_connect_error(void)
{
    return fota_db_reason;
}


int
fota_db_library(void)
{
    return mysql_library_init(0, NULL, NULL) == 0 ? FOTA_OK : FOTA_ERROR;
}


fota_db_t *
fota_db_connect(const fota_db_conf_t *conf)
{
    my_bool     no, verify;
    char        init[256];
    unsigned    timeout, limit, rw, off;
    fota_db_t  *db;

    db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return NULL;
    }

    db->mysql = mysql_init(NULL);
    if (db->mysql == NULL) {
        free(db);
        return NULL;
    }

    timeout = 5;
    limit = conf->timeout_s != 0 ? conf->timeout_s : FOTA_DB_TIMEOUT_S;
    rw = limit + 30;
    off = 0;
    no = 0;

    mysql_options(db->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(db->mysql, MYSQL_OPT_READ_TIMEOUT, &rw);
    mysql_options(db->mysql, MYSQL_OPT_WRITE_TIMEOUT, &rw);
    mysql_options(db->mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_options(db->mysql, MYSQL_OPT_RECONNECT, &no);
    mysql_options(db->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");

    /*
     * The server gives up before the client does, so that no statement runs
     * on after its request has gone.  MySQL sees a comment there.  Who waits
     * for a lock is told to come again while somebody still waits for him:
     * fota_tx() tries some times.
     */

    snprintf(init, sizeof(init), "SET SESSION sql_mode="
             "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
             "SESSION time_zone='+00:00',SESSION innodb_lock_wait_timeout=10"
             "/*M!100101 ,SESSION max_statement_time=%u */", limit);

    mysql_options(db->mysql, MYSQL_INIT_COMMAND, init);

    if (conf->tls_ca != NULL) {
        verify = 1;
        mysql_options(db->mysql, MYSQL_OPT_SSL_ENFORCE, &verify);
        mysql_options(db->mysql, MYSQL_OPT_SSL_CA, conf->tls_ca);
        mysql_options(db->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    }

    if (mysql_real_connect(db->mysql, conf->host, conf->user, conf->password,
                           conf->database, conf->port, conf->socket,
                           CLIENT_FOUND_ROWS)
        == NULL
        || mysql_query(db->mysql, "SET SESSION TRANSACTION ISOLATION LEVEL "
                                  "READ COMMITTED")
           != 0)
    {
        snprintf(fota_db_reason, sizeof(fota_db_reason), "%s",
                 mysql_error(db->mysql));
        fota_db_close(db);
        return NULL;
    }

    return db;
}


void
fota_db_close(fota_db_t *db)
{
    size_t  i;

    for (i = 0; i < db->ncache; i++) {
        fota_db_stmt_free(db->cache[i]);
    }

    mysql_close(db->mysql);
    free(db);
}


/*
 * A server that went away closes its end, which shows as a readable socket
 * while nothing was asked; a ping only finds what a firewall swallowed.
 */

bool
fota_db_alive(fota_db_t *db, bool ping)
{
    struct pollfd  p;

    p.fd = mysql_get_socket(db->mysql);
    p.events = POLLIN;
    p.revents = 0;

    if (p.fd < 0 || poll(&p, 1, 0) != 0) {
        return false;
    }

    return !ping || mysql_ping(db->mysql) == 0;
}


static int
fota_db_fail(fota_db_t *db, unsigned code, const char *text)
{
    char  *p;

    /* "Duplicate entry 'value' for key ...": values never leave here. */

    if (code == FOTA_ER_DUP || code == FOTA_ER_DUP_KEY) {
        p = strstr((char *) text, "for key");
        snprintf(db->error, sizeof(db->error), "duplicate entry %s",
                 p != NULL ? p : "");
        return FOTA_EXISTS;
    }

    if (code >= FOTA_CR_FIRST && code <= FOTA_CR_LAST) {
        snprintf(db->error, sizeof(db->error), "client error %u: %s", code,
                 text);
    } else {
        snprintf(db->error, sizeof(db->error), "server error %u", code);

        /* Texts of these name columns and tables, not values. */

        if (code == 1054 || code == 1064 || code == 1146 || code == 1364
            || code == 1406 || code == 1048)
        {
            snprintf(db->error, sizeof(db->error), "server error %u: %.200s",
                     code, text);
        }
    }

    switch (code) {

    case FOTA_ER_LOCK_WAIT:
    case FOTA_ER_DEADLOCK:
    case FOTA_ER_CHECKREAD:
        return FOTA_BUSY;

    case FOTA_ER_SHUTDOWN:
    case FOTA_ER_KILLED:
    case FOTA_ER_TOO_MANY:
    case FOTA_ER_READ_ONLY:
        db->broken = 1;
        return FOTA_IO;
    }

    if (code >= FOTA_CR_FIRST && code <= FOTA_CR_LAST) {
        db->broken = 1;
        return FOTA_IO;
    }

    return FOTA_ERROR;
}


/* Statements */


static fota_rows_t *
fota_db_stmt(fota_db_t *db, const char *sql, int *rc)
{
    size_t        i, len, oldest;
    fota_rows_t  *rows;

    len = strlen(sql);
    oldest = FOTA_DB_CACHE;

    for (i = 0; i < db->ncache; i++) {
        rows = db->cache[i];

        if (rows->busy) {
            continue;
        }

        if (rows->len == len && memcmp(rows->sql, sql, len) == 0) {
            rows->used = ++db->tick;
            rows->busy = 1;
            return rows;
        }

        if (oldest == FOTA_DB_CACHE || rows->used < db->cache[oldest]->used) {
            oldest = i;
        }
    }

    *rc = FOTA_NOMEM;

    rows = calloc(1, sizeof(*rows));
    if (rows == NULL) {
        return NULL;
    }

    rows->db = db;
    rows->len = len;
    rows->sql = strdup(sql);
    rows->stmt = mysql_stmt_init(db->mysql);

    if (rows->sql == NULL || rows->stmt == NULL) {
        fota_db_stmt_free(rows);
        return NULL;
    }

    if (mysql_stmt_prepare(rows->stmt, sql, len) != 0) {
        *rc = fota_db_fail(db, mysql_stmt_errno(rows->stmt),
                           mysql_stmt_error(rows->stmt));
        fota_db_stmt_free(rows);
        return NULL;
    }

    *rc = fota_db_cells(rows);
    if (*rc != FOTA_OK) {
        fota_db_stmt_free(rows);
        return NULL;
    }

    rows->busy = 1;
    rows->used = ++db->tick;

    if (db->ncache < FOTA_DB_CACHE) {
        rows->cached = 1;
        db->cache[db->ncache++] = rows;

    } else if (oldest < FOTA_DB_CACHE) {
        fota_db_stmt_free(db->cache[oldest]);
        rows->cached = 1;
        db->cache[oldest] = rows;
    }

    return rows;
}


static void
fota_db_stmt_free(fota_rows_t *rows)
{
    unsigned  i;

    if (rows->stmt != NULL) {
        mysql_stmt_close(rows->stmt);
    }

    for (i = 0; i < rows->ncells; i++) {
        free(rows->cells[i].buf);
    }

    free(rows->cells);
    free(rows->binds);
    free(rows->sql);
    free(rows);
}


static void
fota_db_forget(fota_db_t *db, fota_rows_t *rows)
{
    size_t  i;

    for (i = 0; rows->cached && i < db->ncache; i++) {
        if (db->cache[i] == rows) {
            db->cache[i] = db->cache[--db->ncache];
            break;
        }
    }

    fota_db_stmt_free(rows);
}


static int
fota_db_cells(fota_rows_t *rows)
{
    unsigned         i;
    MYSQL_RES       *meta;
    MYSQL_FIELD     *field;
    fota_db_cell_t  *c;

    rows->ncells = mysql_stmt_field_count(rows->stmt);
    if (rows->ncells == 0) {
        return FOTA_OK;
    }

    if (rows->ncells > FOTA_DB_COLS_MAX) {
        rows->ncells = 0;
        return FOTA_LIMIT;
    }

    rows->cells = calloc(rows->ncells, sizeof(*rows->cells));
    rows->binds = calloc(rows->ncells, sizeof(*rows->binds));
    meta = mysql_stmt_result_metadata(rows->stmt);

    if (rows->cells == NULL || rows->binds == NULL || meta == NULL) {
        if (meta != NULL) {
            mysql_free_result(meta);
        }

        if (rows->cells == NULL) {
            rows->ncells = 0;
        }

        return FOTA_NOMEM;
    }

    for (i = 0; i < rows->ncells; i++) {
        c = &rows->cells[i];
        field = mysql_fetch_field_direct(meta, i);

        rows->binds[i].is_null = &c->null;
        rows->binds[i].length = &c->length;
        rows->binds[i].error = &c->error;

        switch (field->type) {

        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_YEAR:
            c->number = 1;
            c->unsign = (field->flags & UNSIGNED_FLAG) != 0;
            rows->binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
            rows->binds[i].is_unsigned = c->unsign;
            rows->binds[i].buffer = &c->num.i;
            break;

        case MYSQL_TYPE_FLOAT:
        case MYSQL_TYPE_DOUBLE:
            c->real = 1;
            rows->binds[i].buffer_type = MYSQL_TYPE_DOUBLE;
            rows->binds[i].buffer = &c->num.d;
            break;

        default:
            c->buf = malloc(FOTA_DB_CELL);
            if (c->buf == NULL) {
                mysql_free_result(meta);
                return FOTA_NOMEM;
            }

            c->cap = FOTA_DB_CELL;
            rows->binds[i].buffer_type = MYSQL_TYPE_STRING;
            rows->binds[i].buffer = c->buf;
            rows->binds[i].buffer_length = c->cap;
            break;
        }
    }

    mysql_free_result(meta);

    return FOTA_OK;
}


static int
fota_db_run_once(fota_db_t *db, const char *sql, const fota_db_arg_t *args,
    size_t n, fota_rows_t **out)
{
    int            rc;
    size_t         i;
    unsigned       code;
    MYSQL_BIND     small[32], *binds;
    fota_rows_t   *rows;

    rows = fota_db_stmt(db, sql, &rc);
    if (rows == NULL) {
        return rc;
    }

    if (mysql_stmt_param_count(rows->stmt) != n) {
        snprintf(db->error, sizeof(db->error),
                 "%lu arguments wanted, %zu given in: %.150s",
                 mysql_stmt_param_count(rows->stmt), n, sql);
        fota_db_forget(db, rows);
        return FOTA_ERROR;
    }

    binds = small;

    if (n > 32) {
        binds = malloc(n * sizeof(*binds));
        if (binds == NULL) {
            fota_db_forget(db, rows);
            return FOTA_NOMEM;
        }
    }

    if (n > 0) {
        memset(binds, 0, n * sizeof(*binds));
    }

    for (i = 0; i < n; i++) {
        switch (args[i].type) {

        case 'i':
        case 'u':
            binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
            binds[i].is_unsigned = args[i].type == 'u';
            binds[i].buffer = args[i].type == 'u' ? (void *) &args[i].u
                                                  : (void *) &args[i].i;
            break;

        case 'd':
            binds[i].buffer_type = MYSQL_TYPE_DOUBLE;
            binds[i].buffer = (void *) &args[i].d;
            break;

        case 's':
            binds[i].buffer_type = MYSQL_TYPE_STRING;
            binds[i].buffer = args[i].s.data != NULL
                                  ? (void *) args[i].s.data : (void *) "";
            binds[i].buffer_length = args[i].s.len;
            break;

        default:
            binds[i].buffer_type = MYSQL_TYPE_NULL;
            break;
        }
    }

    code = 0;

    if ((n > 0 && mysql_stmt_bind_param(rows->stmt, binds) != 0)
        || mysql_stmt_execute(rows->stmt) != 0)
    {
        code = mysql_stmt_errno(rows->stmt);
        rc = fota_db_fail(db, code, mysql_stmt_error(rows->stmt));
    }

    if (binds != small) {
        free(binds);
    }

    if (code != 0) {
        /* A deadlock has ended the transaction at the server already. */

        if (code == FOTA_ER_REPREPARE || code == FOTA_ER_UNKNOWN_STMT) {
            fota_db_forget(db, rows);
            return FOTA_STALE;
        }

        fota_db_rows_end(rows);
        return rc;
    }

    db->last_id = mysql_stmt_insert_id(rows->stmt);
    db->affected = mysql_stmt_affected_rows(rows->stmt);

    *out = rows;

    return FOTA_OK;
}


static int
fota_db_run(fota_db_t *db, const char *sql, const fota_db_arg_t *args,
    size_t n, fota_rows_t **out)
{
    int  rc;

    if (db->broken) {
        return FOTA_IO;
    }

    rc = fota_db_run_once(db, sql, args, n, out);

    if (rc == FOTA_STALE) {
        rc = fota_db_run_once(db, sql, args, n, out);
    }

    return rc == FOTA_STALE ? FOTA_ERROR : rc;
}


int
fota_db_exec_args(fota_db_t *db, const char *sql, const fota_db_arg_t *args,
    size_t n)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_run(db, sql, args, n, &rows);

    if (rc == FOTA_OK) {
        fota_db_rows_end(rows);
    }

    return rc;
}


int
fota_db_exec_text(fota_db_t *db, const char *sql)
{
    MYSQL_RES  *res;

    if (db->broken) {
        return FOTA_IO;
    }

    if (mysql_query(db->mysql, sql) != 0) {
        return fota_db_fail(db, mysql_errno(db->mysql),
                            mysql_error(db->mysql));
    }

    res = mysql_store_result(db->mysql);
    if (res != NULL) {
        mysql_free_result(res);
    }

    return FOTA_OK;
}


int
fota_db_begin(fota_db_t *db)
{
    int  rc;

    rc = fota_db_exec_text(db, "START TRANSACTION");
    db->in_tx = rc == FOTA_OK;

    return rc;
}


int
fota_db_begin_snapshot(fota_db_t *db)
{
    int  rc;

    rc = fota_db_exec_text(db, "SET TRANSACTION ISOLATION LEVEL "
                               "REPEATABLE READ");
    if (rc == FOTA_OK) {
        rc = fota_db_exec_text(db, "START TRANSACTION WITH CONSISTENT "
                                   "SNAPSHOT");
    }

    db->in_tx = rc == FOTA_OK;

    return rc;
}


int
fota_db_commit(fota_db_t *db)
{
    int  rc;

    rc = fota_db_exec_text(db, "COMMIT");

    if (rc == FOTA_OK) {
        db->in_tx = 0;
    }

    return rc;
}


void
fota_db_rollback(fota_db_t *db)
{
    if (!db->broken && mysql_query(db->mysql, "ROLLBACK") != 0) {
        db->broken = 1;
    }

    db->in_tx = 0;
}


/* Rows */


int
fota_db_open_rows(fota_db_t *db, fota_rows_t **out, const char *sql,
    const fota_db_arg_t *args, size_t n, bool stream)
{
    int           rc;
    fota_rows_t  *rows;

    *out = NULL;

    rc = fota_db_run(db, sql, args, n, &rows);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (rows->ncells == 0) {
        snprintf(db->error, sizeof(db->error), "no result of: %.150s", sql);
        fota_db_rows_end(rows);
        return FOTA_ERROR;
    }

    if (mysql_stmt_bind_result(rows->stmt, rows->binds) != 0
        || (!stream && mysql_stmt_store_result(rows->stmt) != 0))
    {
        rc = fota_db_fail(db, mysql_stmt_errno(rows->stmt),
                          mysql_stmt_error(rows->stmt));
        fota_db_rows_end(rows);
        return rc;
    }

    *out = rows;

    return FOTA_OK;
}


int
fota_db_row(fota_rows_t *rows)
{
    int              rc;
    char            *p;
    bool             grown;
    unsigned         i;
    fota_db_cell_t  *c;

    rc = mysql_stmt_fetch(rows->stmt);

    if (rc == MYSQL_NO_DATA) {
        return FOTA_NOTFOUND;
    }

    if (rc != 0 && rc != MYSQL_DATA_TRUNCATED) {
        return fota_db_fail(rows->db, mysql_stmt_errno(rows->stmt),
                            mysql_stmt_error(rows->stmt));
    }

    grown = false;

    for (i = 0; i < rows->ncells; i++) {
        c = &rows->cells[i];

        if (c->buf == NULL || c->null || c->length <= c->cap) {
            continue;
        }

        p = realloc(c->buf, c->length);
        if (p == NULL) {
            return FOTA_NOMEM;
        }

        c->buf = p;
        c->cap = c->length;
        rows->binds[i].buffer = p;
        rows->binds[i].buffer_length = c->cap;
        grown = true;

        if (mysql_stmt_fetch_column(rows->stmt, &rows->binds[i], i, 0) != 0) {
            return fota_db_fail(rows->db, mysql_stmt_errno(rows->stmt),
                                mysql_stmt_error(rows->stmt));
        }
    }

    if (grown && mysql_stmt_bind_result(rows->stmt, rows->binds) != 0) {
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


void
fota_db_rows_end(fota_rows_t *rows)
{
    char            *p;
    unsigned         i;
    fota_db_cell_t  *c;

    if (rows == NULL) {
        return;
    }

    if (!rows->db->broken) {
        mysql_stmt_free_result(rows->stmt);
    }

    if (!rows->cached) {
        fota_db_stmt_free(rows);
        return;
    }

    for (i = 0; i < rows->ncells; i++) {
        c = &rows->cells[i];

        if (c->cap > FOTA_DB_CELL_KEEP) {
            p = realloc(c->buf, FOTA_DB_CELL);
            if (p != NULL) {
                c->buf = p;
                c->cap = FOTA_DB_CELL;
                rows->binds[i].buffer = p;
                rows->binds[i].buffer_length = c->cap;
            }
        }
    }

    rows->busy = 0;
}
