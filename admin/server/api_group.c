/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Groups of devices: static members, or a saved filter. */


#include <stdio.h>
#include <stdlib.h>

#include "device_filter.h"
#include "entity.h"


#define FOTA_GROUP_COLUMNS  "name, id, filter, members, created"


typedef struct {
    fota_rows_t  *rows;
} fota_group_export_t;


static json_t *fota_group_json(fota_req_t *req, fota_rows_t *rows);
static int fota_group_get(fota_req_t *req, fota_str_t name, json_t **out);
static int fota_group_check_level(fota_req_t *req, fota_str_t name);
static int fota_group_hold(fota_req_t *req, fota_str_t name);
static int fota_group_in_use(fota_req_t *req, uint64_t id, fota_str_t name);


static json_t *
fota_group_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 1));
    json_object_set_new(v, "name", fota_cell(rows, 0));
    json_object_set_new(v, "type", json_string(fota_db_null(rows, 2)
                                               ? "static" : "dynamic"));
    json_object_set_new(v, "filter", fota_cell(rows, 2));
    json_object_set_new(v, "members", fota_cell_int(rows, 3));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 4));

    return v;
}


static int
fota_group_get(fota_req_t *req, fota_str_t name, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_GROUP_COLUMNS
             " FROM device_group WHERE tenant_id = ? AND name = ?", "us",
             fota_u64(req->tenant_id), name);

    return fota_row_one(req, rc, rows, "group", fota_group_json, out);
}


static int
fota_group_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_GROUP_COLUMNS
             " FROM device_group WHERE tenant_id = ? AND name > ?"
             " ORDER BY name LIMIT ?", "usu", fota_u64(req->tenant_id),
             page.after, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_group_json);
}


static int
fota_group_show(fota_req_t *req)
{
    int         rc;
    json_t     *v;
    uint64_t    count;
    fota_str_t  filter;

    rc = fota_group_get(req, fota_req_param(req, "group"), &v);
    if (rc != FOTA_OK) {
        return rc;
    }

    filter = fota_ms(v, "filter");

    if (filter.data != NULL) {
        rc = fota_device_count(req, "filter", filter, fota_slice("", 0),
                               &count);
        if (rc != FOTA_OK) {
            json_decref(v);
            return rc;
        }

        json_object_set_new(v, "members", json_integer((json_int_t) count));
    }

    return fota_res_json(req, 200, v);
}


static int
fota_group_preview(fota_req_t *req)
{
    int                rc;
    json_t            *list;
    uint64_t           count;
    fota_str_t         filter;
    fota_rows_t       *rows;
    fota_statement_t   st;

    static const char *const  names[] = { "filter", NULL };

    filter = fota_slice("", 0);

    if (!fota_json_only(req, names)
        || !fota_json_str(req, "filter", true, FOTA_FILTER_TEXT_MAX, &filter))
    {
        return FOTA_OK;
    }

    rc = fota_device_count(req, "filter", filter, fota_slice("", 0), &count);

    if (rc == FOTA_OK) {
        rc = fota_statement_init(req, &st, 2);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_cstr(&st.sql, "SELECT d.ext_id" FOTA_DEVICE_FROM
                           " WHERE d.tenant_id = ?");
    fota_statement_u64(&st, req->tenant_id);

    rc = fota_statement_filter(req, &st, "filter", filter);

    if (rc != FOTA_OK) {
        fota_statement_free(&st);
        return rc;
    }

    fota_buf_cstr(&st.sql, " LIMIT 20");

    rc = fota_statement_query(req, &st, &rows);
    if (rc != FOTA_OK) {
        return rc;
    }

    list = json_array();

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        json_array_append_new(list, fota_cell(rows, 0));
    }

    fota_db_rows_end(rows);

    return fota_res_json(req, 200, json_pack("{s:I, s:o}", "matches",
                                             (json_int_t) count, "examples",
                                             list));
}


static bool
fota_group_check(fota_req_t *req, bool create)
{
    fota_str_t  s;

    static const char *const  names[] = { "name", "filter", NULL };

    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_name(req, "name", create, FOTA_NAME_MAX, &s))
    {
        return false;
    }

    if (s.len > 0 && memchr(s.data, '*', s.len) != NULL) {
        return fota_res_bad(req, "field_chars", "name",
                            "\"name\" must not hold \"*\", which stands for "
                            "any text in filters");
    }

    return fota_json_str(req, "filter", false, FOTA_FILTER_TEXT_MAX, &s);
}


/*
 * A dynamic group must be usable inside the filter of a rollout, where it may
 * not name another dynamic group: asked by looking at it from there.
 */

static int
fota_group_check_level(fota_req_t *req, fota_str_t name)
{
    size_t       i;
    fota_buf_t   b;
    char         text[2 * FOTA_NAME_MAX + 32];

    fota_buf_fixed(&b, text, sizeof(text));
    fota_buf_cstr(&b, "group==\"");

    for (i = 0; i < name.len; i++) {
        if (name.data[i] == '"' || name.data[i] == '\\') {
            fota_buf_u8(&b, '\\');
        }

        fota_buf_u8(&b, name.data[i]);
    }

    fota_buf_cstr(&b, "\"");

    return b.status != FOTA_OK ? FOTA_ERROR
           : fota_filter_valid(req, "filter", fota_buf_slice(&b));
}


static int
fota_group_set_filter(fota_req_t *req, uint64_t id, fota_str_t name,
    fota_str_t filter)
{
    int       rc;
    uint64_t  count;

    rc = fota_device_count(req, "filter", filter, fota_slice("", 0), &count);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE device_group SET filter = ?,"
                 " members = ? WHERE tenant_id = ? AND id = ?", "suuu",
                 filter, count, fota_u64(req->tenant_id), id);
    }

    return rc == FOTA_OK ? fota_group_check_level(req, name) : rc;
}


static int
fota_group_insert(fota_req_t *req, void *data)
{
    int         rc;
    json_t     *after;
    fota_str_t  name, filter;

    after = NULL;
    name = fota_ms(req->json, "name");
    filter = fota_ms(req->json, "filter");

    rc = fota_db_exec(req->db, "INSERT INTO device_group (tenant_id, name,"
             " created) VALUES (?, ?, ?)", "usi", fota_u64(req->tenant_id),
             name, fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "group", "name");
    }

    if (rc == FOTA_OK && filter.data != NULL) {
        rc = fota_group_set_filter(req, fota_db_last_id(req->db), name,
                                   filter);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_products(req->db, req->tenant_id);
    }

    if (rc == FOTA_OK) {
        rc = fota_group_get(req, name, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "group:create",
                        fota_object(req, "group", name), NULL, after);
}


/*
 * All products of the tenant are published anew, and no rollout that names
 * the group is made before this transaction has ended.
 */

static int
fota_group_hold(fota_req_t *req, fota_str_t name)
{
    int       rc;
    uint64_t  first;

    rc = fota_db_number(req->db, &first, "SELECT id FROM product"
                        " WHERE tenant_id = ? ORDER BY id FOR UPDATE", "u",
                        fota_u64(req->tenant_id));

    return rc == FOTA_OK || rc == FOTA_NOTFOUND
           ? fota_lock(req, FOTA_LOCK_GROUP, req->tenant_id, name) : rc;
}


/* Products that test with it, and rollouts that name it. */

static int
fota_group_in_use(fota_req_t *req, uint64_t id, fota_str_t name)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_first(req->db, &rows, "SELECT CONCAT('product ', name)"
             " FROM product WHERE tenant_id = ? AND test_group = ?"
             " UNION ALL SELECT CONCAT('rollout ', r.name) FROM rollout r"
             " WHERE r.tenant_id = ? AND r.state NOT IN ('stopped',"
             " 'finished') AND (INSTR(r.filter, ?) > 0 AND INSTR(r.filter,"
             " 'group') > 0 OR EXISTS (SELECT 1 FROM rollout_stage s"
             " WHERE s.rollout_id = r.id AND s.test_group = ?)) LIMIT 1",
             "uuusu", fota_u64(req->tenant_id), id, fota_u64(req->tenant_id),
             name, id);

    if (rc == FOTA_OK) {
        rc = fota_res_refuse(req, 409, "group_in_use", NULL,
                             "%.*s uses the group",
                             (int) fota_db_str(rows, 0).len,
                             fota_db_str(rows, 0).data);
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_group_update(fota_req_t *req, void *data)
{
    int         rc;
    json_t     *before, *after;
    uint64_t    id;
    fota_str_t  name, to, filter;

    after = NULL;
    name = fota_req_param(req, "group");
    to = fota_ms(req->json, "name");
    filter = fota_ms(req->json, "filter");

    rc = fota_group_hold(req, name);

    if (rc == FOTA_OK) {
        rc = fota_group_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_mu(before, "id");

    if (to.len > 0 && !fota_str_eq(to, name)) {
        rc = fota_group_in_use(req, id, name);

        if (rc == FOTA_OK) {
            rc = fota_db_exec(req->db, "UPDATE device_group SET name = ?"
                     " WHERE tenant_id = ? AND id = ?", "suu", to,
                     fota_u64(req->tenant_id), id);
        }

        if (rc == FOTA_EXISTS) {
            rc = fota_exists(req, "group", "name");
        }

        name = to;
    }

    if (rc == FOTA_OK && filter.data != NULL) {
        if (json_is_null(json_object_get(before, "filter"))) {
            rc = fota_res_refuse(req, 409, "group_static", "filter",
                                 "the group has static members");

        } else {
            rc = fota_group_set_filter(req, id, name, filter);
        }
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_products(req->db, req->tenant_id);
    }

    if (rc == FOTA_OK) {
        rc = fota_group_get(req, name, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "group:update",
                        fota_object(req, "group", name), before, after);
}


static int
fota_group_remove(fota_req_t *req, void *data)
{
    int         rc;
    json_t     *before;
    uint64_t    id;
    fota_str_t  name;

    name = fota_req_param(req, "group");

    rc = fota_group_hold(req, name);

    if (rc == FOTA_OK) {
        rc = fota_group_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_mu(before, "id");
    rc = fota_group_in_use(req, id, name);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
                 " object_id, created) SELECT ?, ?, device_id, ?"
                 " FROM group_member WHERE group_id = ?", "uuiu",
                 fota_u64(FOTA_T_DEVICE), fota_u64(req->tenant_id),
                 fota_now_ms(), id);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "DELETE FROM group_member"
                          " WHERE group_id = ?", "u", id);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "DELETE FROM device_group"
                          " WHERE tenant_id = ? AND id = ?", "uu",
                          fota_u64(req->tenant_id), id);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_products(req->db, req->tenant_id);
    }

    return fota_changed(req, rc, req->tenant_id, "group:delete",
                        fota_object(req, "group", name), before, NULL);
}


static int
fota_group_create(fota_req_t *req)
{
    return fota_group_check(req, true)
           ? fota_tx(req, fota_group_insert, NULL) : FOTA_OK;
}


static int
fota_group_patch(fota_req_t *req)
{
    return fota_group_check(req, false)
           ? fota_tx(req, fota_group_update, NULL) : FOTA_OK;
}


static int
fota_group_delete(fota_req_t *req)
{
    return fota_tx(req, fota_group_remove, NULL);
}


/* Members: the same two statements for a page and for the export. */


static int
fota_group_members_sql(fota_req_t *req, fota_statement_t *st,
    fota_str_t after)
{
    int         rc;
    json_t     *group;
    uint64_t    id;
    fota_str_t  filter;

    rc = fota_group_get(req, fota_req_param(req, "group"), &group);

    if (rc == FOTA_OK) {
        rc = fota_statement_init(req, st, 4);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_mu(group, "id");
    filter = fota_strdup(&req->arena.mem, fota_ms(group, "filter"));

    fota_buf_cstr(&st->sql, "SELECT d.ext_id, p.name, d.version"
                            FOTA_DEVICE_FROM);

    if (json_is_null(json_object_get(group, "filter"))) {
        fota_buf_cstr(&st->sql, " JOIN group_member m ON m.device_id = d.id"
                                " AND m.group_id = ?");
        fota_statement_u64(st, id);
        filter.len = 0;
    }

    json_decref(group);

    fota_buf_cstr(&st->sql, " WHERE d.tenant_id = ? AND d.ext_id > ?");
    fota_statement_u64(st, req->tenant_id);
    fota_statement_str(st, after);

    rc = fota_statement_filter(req, st, "filter", filter);

    if (rc != FOTA_OK) {
        fota_statement_free(st);
    }

    return rc;
}


static json_t *
fota_member_json(fota_req_t *req, fota_rows_t *rows)
{
    return json_pack("{s:o, s:o, s:o}", "id", fota_cell(rows, 0),
                     "product", fota_cell(rows, 1),
                     "version", fota_cell(rows, 2));
}


static int
fota_group_members(fota_req_t *req)
{
    int                rc;
    fota_page_t        page;
    fota_rows_t       *rows;
    fota_statement_t   st;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_group_members_sql(req, &st, page.after);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_cstr(&st.sql, " ORDER BY d.ext_id LIMIT ?");
    fota_statement_u64(&st, page.limit + 1);

    rc = fota_statement_query(req, &st, &rows);

    return fota_page_answer(req, rc, rows, &page, 0, fota_member_json);
}


/* As a field of CSV (RFC 4180). */

static size_t
fota_group_csv(char *out, fota_str_t s)
{
    bool    quote;
    size_t  i, n;

    quote = memchr(s.data, ',', s.len) != NULL
            || memchr(s.data, '"', s.len) != NULL
            || memchr(s.data, ';', s.len) != NULL;
    n = 0;

    if (quote) {
        out[n++] = '"';
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '"') {
            out[n++] = '"';
        }

        out[n++] = (char) s.data[i];
    }

    if (quote) {
        out[n++] = '"';
    }

    out[n++] = '\n';

    return n;
}


static ssize_t
fota_group_produce(void *ctx, char *out, size_t max)
{
    int                   rc;
    size_t                n;
    fota_group_export_t  *e;

    e = ctx;
    n = 0;

    while (max - n > 2 * FOTA_ID_MAX + 4) {
        rc = fota_db_row(e->rows);

        if (rc == FOTA_NOTFOUND) {
            break;
        }

        if (rc != FOTA_OK) {
            return -1;
        }

        n += fota_group_csv(out + n, fota_db_str(e->rows, 0));
    }

    return (ssize_t) n;
}


static void
fota_group_produced(void *ctx)
{
    fota_group_export_t  *e;

    e = ctx;
    fota_db_rows_end(e->rows);
    free(e);
}


static int
fota_group_export(fota_req_t *req)
{
    int                   rc;
    fota_statement_t      st;
    fota_group_export_t  *e;

    rc = fota_group_members_sql(req, &st, fota_slice("", 0));
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_cstr(&st.sql, " ORDER BY d.ext_id");

    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        fota_statement_free(&st);
        return FOTA_NOMEM;
    }

    rc = fota_statement_stream(req, &st, &e->rows);

    if (rc != FOTA_OK) {
        free(e);
        return rc;
    }

    return fota_res_stream(req, 200, "text/csv; charset=utf-8",
                           fota_group_produce, fota_group_produced, e);
}


static const fota_route_t  fota_group_table[] = {
    { "GET", "/api/v1/groups", "group:read", fota_group_list, NULL, 0, 0 },
    { "POST", "/api/v1/groups", "group:create", fota_group_create, NULL,
      FOTA_BODY_JSON, 0 },
    { "POST", "/api/v1/groups/preview", "group:read", fota_group_preview,
      NULL, FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/groups/{group}", "group:read", fota_group_show, NULL,
      0, 0 },
    { "PATCH", "/api/v1/groups/{group}", "group:update", fota_group_patch,
      NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/groups/{group}", "group:delete", fota_group_delete,
      NULL, 0, 0 },
    { "GET", "/api/v1/groups/{group}/members", "group:read",
      fota_group_members, NULL, 0, 0 },
    { "GET", "/api/v1/groups/{group}/export", "group:read",
      fota_group_export, NULL, 0, 0 }
};

FOTA_ROUTE_SET(group, fota_group_table);
