/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Statements over many rows.  The number of marks is one of few sizes, so
 * that a connection's cache of prepared statements stays small.
 */

#ifndef FOTA_ADMIN_SQL_LIST_H
#define FOTA_ADMIN_SQL_LIST_H

#include "fota_buf.h"
#include "db.h"

#define FOTA_SQL_LIST_MAX  256

/*
 * Runs head "(?,?,...)" tail: fixed arguments first, then those of the list,
 * n <= FOTA_SQL_LIST_MAX, the last one repeated up to the list's size.
 * Fixed arguments of tail are not possible.  rows NULL: a statement without
 * result.
 */
int fota_sql_list(fota_db_t *db, fota_rows_t **rows, const char *head,
    const char *tail, const fota_db_arg_t *fixed, size_t nfixed,
    const fota_db_arg_t *list, size_t n);

/*
 * Multi-row "head row,row,... tail" with args of n rows of width arguments;
 * runs as many statements as needed.
 */
int fota_sql_rows(fota_db_t *db, const char *head, const char *row,
    const char *tail, const fota_db_arg_t *args, size_t n, size_t width);

static inline fota_db_arg_t
fota_arg_i(int64_t v)
{
    return (fota_db_arg_t) { .type = 'i', .i = v };
}


static inline fota_db_arg_t
fota_arg_u(uint64_t v)
{
    return (fota_db_arg_t) { .type = 'u', .u = v };
}


/* data NULL gives SQL NULL. */
static inline fota_db_arg_t
fota_arg_s(fota_str_t v)
{
    return (fota_db_arg_t) { .type = v.data == NULL ? '0' : 's', .s = v };
}


/* Copy of a column in mem; data NULL for SQL NULL. */
fota_str_t fota_sql_dup(fota_mem_t *mem, fota_rows_t *rows, unsigned col);

#endif /* FOTA_ADMIN_SQL_LIST_H */
