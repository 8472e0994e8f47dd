/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "device_filter.h"
#include "rollout_row.h"
#include "sql_list.h"


int
fota_statement_init(fota_req_t *req, fota_statement_t *st, size_t room)
{
    memset(st, 0, sizeof(*st));
    fota_buf_grow(&st->sql, 1024 * 1024);

    st->cap = room;
    st->args = fota_calloc(&req->arena.mem, room, sizeof(*st->args));

    return st->args != NULL ? FOTA_OK : FOTA_NOMEM;
}


void
fota_statement_free(fota_statement_t *st)
{
    fota_buf_free(&st->sql);
}


void
fota_statement_u64(fota_statement_t *st, uint64_t v)
{
    if (st->n < st->cap) {
        st->args[st->n++] = fota_arg_u(v);
    }
}


void
fota_statement_str(fota_statement_t *st, fota_str_t s)
{
    if (st->n < st->cap) {
        st->args[st->n].type = 's';
        st->args[st->n++].s = s;
    }
}


static int
fota_statement_run(fota_req_t *req, fota_statement_t *st, fota_rows_t **rows,
    int (*run)(fota_db_t *db, fota_rows_t **rows, const char *sql,
               const fota_db_arg_t *args, size_t n))
{
    int  rc;

    fota_buf_u8(&st->sql, 0);

    rc = st->sql.status;

    if (rc == FOTA_OK) {
        rc = run(req->db, rows, (char *) st->sql.start, st->args, st->n);
    }

    fota_buf_free(&st->sql);

    return rc;
}


int
fota_statement_query(fota_req_t *req, fota_statement_t *st,
    fota_rows_t **rows)
{
    return fota_statement_run(req, st, rows, fota_db_query_args);
}


int
fota_statement_stream(fota_req_t *req, fota_statement_t *st,
    fota_rows_t **rows)
{
    return fota_statement_run(req, st, rows, fota_db_stream_args);
}


/*
 * Parses and translates in one go; the result of a filter that names groups
 * depends on the database, so this needs the connection.
 */

static int
fota_device_sql(fota_req_t *req, const char *field, fota_str_t filter,
    fota_filter_sql_t *sql)
{
    int                  rc;
    fota_filter_node_t  *tree;
    fota_group_names_t   groups;
    fota_filter_error_t  err;

    memset(&err, 0, sizeof(err));

    if (filter.len > FOTA_FILTER_TEXT_MAX) {
        return fota_res_refuse(req, 400, "field_limit", field,
                               "\"%s\" may have %d bytes", field,
                               FOTA_FILTER_TEXT_MAX);
    }

    rc = fota_filter_parse(&req->arena.mem, filter, &tree, &err);

    if (rc == FOTA_OK) {
        fota_group_names_init(&groups, req->db, &req->arena.mem,
                              req->tenant_id);
        rc = fota_filter_sql(&req->arena.mem, tree, &fota_device_map,
                             &groups.groups, sql, &err);
    }

    if (rc == FOTA_INVALID || rc == FOTA_LIMIT || rc == FOTA_NOTFOUND) {
        return fota_res_refuse(req, 400, "filter", field,
                               "\"%s\", column %zu: %s", field, err.column,
                               err.text);
    }

    return rc;
}


int
fota_filter_valid(fota_req_t *req, const char *field, fota_str_t filter)
{
    fota_filter_sql_t  sql;

    return fota_device_sql(req, field, filter, &sql);
}


int
fota_statement_filter(fota_req_t *req, fota_statement_t *st,
    const char *field, fota_str_t filter)
{
    int                 rc;
    size_t              i;
    fota_db_arg_t      *args;
    fota_filter_sql_t   sql;

    if (filter.len == 0) {
        return FOTA_OK;
    }

    rc = fota_device_sql(req, field, filter, &sql);
    if (rc != FOTA_OK) {
        return rc;
    }

    args = fota_calloc(&req->arena.mem, st->cap + sql.nparams, sizeof(*args));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    memcpy(args, st->args, st->n * sizeof(*args));
    st->args = args;
    st->cap += sql.nparams;

    fota_buf_cstr(&st->sql, " AND (");
    fota_buf_str(&st->sql, fota_buf_slice(&sql.sql));
    fota_buf_cstr(&st->sql, ")");

    for (i = 0; i < sql.nparams; i++) {
        fota_statement_str(st, sql.params[i].text);
    }

    return FOTA_OK;
}


int
fota_device_count(fota_req_t *req, const char *field, fota_str_t filter,
    fota_str_t product, uint64_t *count)
{
    int                rc;
    fota_rows_t       *rows;
    fota_statement_t   st;

    rc = fota_statement_init(req, &st, 4);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_cstr(&st.sql, "SELECT COUNT(*)" FOTA_DEVICE_FROM
                           " WHERE d.tenant_id = ?");
    fota_statement_u64(&st, req->tenant_id);

    if (product.len > 0) {
        fota_buf_cstr(&st.sql, " AND p.name = ?");
        fota_statement_str(&st, product);
    }

    rc = fota_statement_filter(req, &st, field, filter);

    if (rc != FOTA_OK) {
        fota_statement_free(&st);
        return rc;
    }

    rc = fota_statement_query(req, &st, &rows);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_row(rows);
    *count = rc == FOTA_OK ? fota_db_u64(rows, 0) : 0;
    fota_db_rows_end(rows);

    return rc;
}
