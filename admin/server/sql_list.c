/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "sql_list.h"


#define FOTA_SQL_TEXT_MAX  65536
#define FOTA_SQL_ARGS_MAX  1024
#define FOTA_SQL_BYTES_MAX (4 * 1024 * 1024)    /* below max_allowed_packet */


/* Smallest size of list that holds n: 1, 16 or 256. */

static size_t
fota_sql_list_size(size_t n)
{
    return (n <= 1) ? 1 : (n <= 16) ? 16 : FOTA_SQL_LIST_MAX;
}


int
fota_sql_list(fota_db_t *db, fota_rows_t **rows, const char *head,
    const char *tail, const fota_db_arg_t *fixed, size_t nfixed,
    const fota_db_arg_t *list, size_t n)
{
    int             rc;
    size_t          i, size;
    fota_buf_t      sql;
    fota_db_arg_t  *args;

    if (n == 0 || n > FOTA_SQL_LIST_MAX) {
        return FOTA_INVALID;
    }

    size = fota_sql_list_size(n);

    args = malloc((nfixed + size) * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    fota_buf_grow(&sql, FOTA_SQL_TEXT_MAX);
    fota_buf_cstr(&sql, head);
    fota_buf_cstr(&sql, "(");

    for (i = 0; i < size; i++) {
        fota_buf_cstr(&sql, (i == 0) ? "?" : ",?");
        args[nfixed + i] = list[(i < n) ? i : n - 1];
    }

    fota_buf_cstr(&sql, ")");
    fota_buf_cstr(&sql, tail);
    fota_buf_u8(&sql, '\0');

    if (nfixed != 0) {
        memcpy(args, fixed, nfixed * sizeof(fota_db_arg_t));
    }

    rc = sql.status;

    if (rc == FOTA_OK) {
        rc = (rows == NULL)
             ? fota_db_exec_args(db, (char *) sql.start, args, nfixed + size)
             : fota_db_query_args(db, rows, (char *) sql.start, args,
                                  nfixed + size);
    }

    fota_buf_free(&sql);
    free(args);

    return rc;
}


int
fota_sql_rows(fota_db_t *db, const char *head, const char *row,
    const char *tail, const fota_db_arg_t *args, size_t n, size_t width)
{
    int         rc;
    size_t      i, k, max, bytes;
    fota_buf_t  sql;

    fota_buf_grow(&sql, FOTA_SQL_TEXT_MAX);

    rc = FOTA_OK;

    while (rc == FOTA_OK && n != 0) {

        max = FOTA_SQL_ARGS_MAX / width;
        max = (n >= max) ? max : (n >= 8) ? 8 : 1;

        for (k = 0, bytes = 0; k < max; k++) {
            for (i = 0; i < width; i++) {
                bytes += args[k * width + i].s.len;
            }

            if (bytes > FOTA_SQL_BYTES_MAX) {
                k = (k >= 8 && max > 8) ? 8 : 1;
                break;
            }
        }

        fota_buf_reset(&sql);
        fota_buf_cstr(&sql, head);

        for (i = 0; i < k; i++) {
            fota_buf_cstr(&sql, (i == 0) ? " " : ",");
            fota_buf_cstr(&sql, row);
        }

        fota_buf_cstr(&sql, tail);
        fota_buf_u8(&sql, '\0');

        rc = (sql.status == FOTA_OK)
             ? fota_db_exec_args(db, (char *) sql.start, args, k * width)
             : (int) sql.status;

        args += k * width;
        n -= k;
    }

    fota_buf_free(&sql);

    return rc;
}


fota_str_t
fota_sql_dup(fota_mem_t *mem, fota_rows_t *rows, unsigned col)
{
    fota_str_t  s = fota_null_str;

    if (fota_db_null(rows, col)) {
        return s;
    }

    return fota_strdup(mem, fota_db_str(rows, col));
}
