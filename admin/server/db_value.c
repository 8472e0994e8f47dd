/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Arguments into arrays, cells into values. */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "db_private.h"


static size_t fota_db_collect(fota_db_arg_t *args, const char *types,
    va_list ap);
static int fota_db_open(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, va_list ap, bool stream);
static int fota_db_open_first(fota_db_t *db, fota_rows_t **rows,
    const char *sql, const char *types, va_list ap);


static size_t
fota_db_collect(fota_db_arg_t *args, const char *types, va_list ap)
{
    size_t       n;
    const char  *z;

    for (n = 0; types[n] != '\0'; n++) {
        args[n].type = types[n];

        switch (types[n]) {

        case 'i':
            args[n].i = va_arg(ap, int64_t);
            break;

        case 'u':
            args[n].u = va_arg(ap, uint64_t);
            break;

        case 'd':
            args[n].d = va_arg(ap, double);
            break;

        case 's':
            args[n].s = va_arg(ap, fota_str_t);
            break;

        case 'S':
            args[n].s = va_arg(ap, fota_str_t);
            args[n].type = args[n].s.data != NULL ? 's' : '0';
            break;

        case 'z':
            z = va_arg(ap, const char *);
            args[n].type = z != NULL ? 's' : '0';
            args[n].s = fota_cstr(z);
            break;

        default:
            args[n].type = '0';
            break;
        }
    }

    return n;
}


int
fota_db_exec(fota_db_t *db, const char *sql, const char *types, ...)
{
    size_t         n;
    va_list        ap;
    fota_db_arg_t  args[strlen(types) + 1];

    va_start(ap, types);
    n = fota_db_collect(args, types, ap);
    va_end(ap);

    return fota_db_exec_args(db, sql, args, n);
}


static int
fota_db_open(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, va_list ap, bool stream)
{
    size_t         n;
    fota_db_arg_t  args[strlen(types) + 1];

    n = fota_db_collect(args, types, ap);

    return fota_db_open_rows(db, rows, sql, args, n, stream);
}


int
fota_db_query(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...)
{
    int      rc;
    va_list  ap;

    va_start(ap, types);
    rc = fota_db_open(db, rows, sql, types, ap, false);
    va_end(ap);

    return rc;
}


int
fota_db_stream(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...)
{
    int      rc;
    va_list  ap;

    va_start(ap, types);
    rc = fota_db_open(db, rows, sql, types, ap, true);
    va_end(ap);

    return rc;
}


static int
fota_db_open_first(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, va_list ap)
{
    int  rc;

    rc = fota_db_open(db, rows, sql, types, ap, false);

    if (rc == FOTA_OK) {
        rc = fota_db_row(*rows);
    }

    if (rc != FOTA_OK) {
        fota_db_rows_end(*rows);
        *rows = NULL;
    }

    return rc;
}


int
fota_db_first(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const char *types, ...)
{
    int      rc;
    va_list  ap;

    va_start(ap, types);
    rc = fota_db_open_first(db, rows, sql, types, ap);
    va_end(ap);

    return rc;
}


int
fota_db_number(fota_db_t *db, uint64_t *out, const char *sql,
    const char *types, ...)
{
    int           rc;
    va_list       ap;
    fota_rows_t  *rows;

    va_start(ap, types);
    rc = fota_db_open_first(db, &rows, sql, types, ap);
    va_end(ap);

    *out = rc == FOTA_OK ? fota_db_u64(rows, 0) : 0;
    fota_db_rows_end(rows);

    return rc;
}


int
fota_db_exists(fota_db_t *db, bool *there, const char *sql,
    const char *types, ...)
{
    int           rc;
    va_list       ap;
    fota_rows_t  *rows;

    va_start(ap, types);
    rc = fota_db_open_first(db, &rows, sql, types, ap);
    va_end(ap);

    *there = rc == FOTA_OK;
    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


int
fota_db_query_args(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const fota_db_arg_t *args, size_t n)
{
    return fota_db_open_rows(db, rows, sql, args, n, false);
}


int
fota_db_stream_args(fota_db_t *db, fota_rows_t **rows, const char *sql,
    const fota_db_arg_t *args, size_t n)
{
    return fota_db_open_rows(db, rows, sql, args, n, true);
}


bool
fota_db_null(fota_rows_t *rows, unsigned col)
{
    return col >= rows->ncells || rows->cells[col].null;
}


int64_t
fota_db_i64(fota_rows_t *rows, unsigned col)
{
    fota_db_cell_t  *c;

    if (fota_db_null(rows, col)) {
        return 0;
    }

    c = &rows->cells[col];

    if (c->number) {
        return c->num.i;
    }

    return c->real ? (int64_t) c->num.d : (int64_t) fota_db_double(rows, col);
}


uint64_t
fota_db_u64(fota_rows_t *rows, unsigned col)
{
    int64_t     v;
    fota_str_t  s;
    uint64_t    u;

    if (!fota_db_null(rows, col) && rows->cells[col].buf != NULL) {
        s = fota_db_str(rows, col);
        if (fota_str_u64(s, UINT64_MAX, &u) == FOTA_OK) {
            return u;
        }
    }

    v = fota_db_i64(rows, col);

    return (uint64_t) v;
}


double
fota_db_double(fota_rows_t *rows, unsigned col)
{
    char             text[64];
    fota_db_cell_t  *c;

    if (fota_db_null(rows, col)) {
        return 0;
    }

    c = &rows->cells[col];

    if (c->real) {
        return c->num.d;
    }

    if (c->number) {
        return c->unsign ? (double) (uint64_t) c->num.i : (double) c->num.i;
    }

    /* DECIMAL, as SUM() gives it, travels as text. */

    if (c->length >= sizeof(text)) {
        return 0;
    }

    memcpy(text, c->buf, c->length);
    text[c->length] = '\0';

    return strtod(text, NULL);
}


fota_str_t
fota_db_str(fota_rows_t *rows, unsigned col)
{
    int              n;
    fota_db_cell_t  *c;

    if (fota_db_null(rows, col)) {
        return fota_slice(NULL, 0);
    }

    c = &rows->cells[col];

    if (c->buf != NULL) {
        return fota_slice(c->buf, c->length);
    }

    if (c->real) {
        n = snprintf(c->text, sizeof(c->text), "%.17g", c->num.d);

    } else if (c->unsign) {
        n = snprintf(c->text, sizeof(c->text), "%llu",
                     (unsigned long long) c->num.i);
    } else {
        n = snprintf(c->text, sizeof(c->text), "%lld",
                     (long long) c->num.i);
    }

    return fota_slice(c->text, (size_t) n);
}


int
fota_db_lock(fota_db_t *db, const char *name, unsigned wait_s)
{
    int       rc;
    uint64_t  got;

    rc = fota_db_number(db, &got, "SELECT GET_LOCK(?, ?)", "zu", name,
                        (uint64_t) wait_s);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (got != 1) {
        return FOTA_BUSY;
    }

    db->locks = 1;

    return FOTA_OK;
}


void
fota_db_unlock(fota_db_t *db, const char *name)
{
    fota_rows_t  *rows;

    if (fota_db_query(db, &rows, "SELECT RELEASE_LOCK(?)", "z", name)
        == FOTA_OK)
    {
        while (fota_db_row(rows) == FOTA_OK) { /* void */ }
        fota_db_rows_end(rows);
    }
}


const char *
fota_db_error(fota_db_t *db)
{
    return db->error;
}


uint64_t
fota_db_last_id(fota_db_t *db)
{
    return db->last_id;
}


uint64_t
fota_db_affected(fota_db_t *db)
{
    return db->affected;
}


bool
fota_db_broken(const fota_db_t *db)
{
    return db->broken;
}


void
fota_db_chars(fota_rows_t *rows, unsigned col, char *out, size_t size)
{
    fota_str_t  s;

    s = fota_db_str(rows, col);

    (void) snprintf(out, size, "%.*s", (int) s.len, (const char *) s.data);
}
