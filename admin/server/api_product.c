/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Products of a tenant. */


#include "entity.h"


#define FOTA_PRODUCT_COLUMNS                                                  \
    "p.name, p.id, p.title, p.brake, p.poll_s, p.retry_min_s,"                \
    " p.retry_max_s, p.retry_count, p.install_window, p.auto_register,"       \
    " (SELECT g.name FROM device_group g WHERE g.tenant_id = p.tenant_id"     \
    " AND g.id = p.test_group), p.created"


static json_t *fota_product_json(fota_req_t *req, fota_rows_t *rows);
static int fota_product_get(fota_req_t *req, fota_str_t name, json_t **out);
static bool fota_product_check(fota_req_t *req, bool create);
static int fota_product_insert(fota_req_t *req, void *data);
static int fota_product_update(fota_req_t *req, void *data);
static int fota_product_remove(fota_req_t *req, void *data);


static const char *const  fota_product_brakes[] = { "none", "offers", "cut" };

static const char *const  fota_product_nullable[] = { "test_group", NULL };


static json_t *
fota_product_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t    *v;
    uint64_t   brake;

    brake = fota_db_u64(rows, 3);

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 1));
    json_object_set_new(v, "name", fota_cell(rows, 0));
    json_object_set_new(v, "title", fota_cell(rows, 2));
    json_object_set_new(v, "brake",
                        json_string(fota_product_brakes[brake % 3]));
    json_object_set_new(v, "poll_s", fota_cell_int(rows, 4));
    json_object_set_new(v, "retry_min_s", fota_cell_int(rows, 5));
    json_object_set_new(v, "retry_max_s", fota_cell_int(rows, 6));
    json_object_set_new(v, "retry_count", fota_cell_int(rows, 7));
    json_object_set_new(v, "install_window", fota_cell(rows, 8));
    json_object_set_new(v, "auto_register", fota_cell_bool(rows, 9));
    json_object_set_new(v, "test_group", fota_cell(rows, 10));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 11));

    return v;
}


static int
fota_product_get(fota_req_t *req, fota_str_t name, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_PRODUCT_COLUMNS
             " FROM product p WHERE p.tenant_id = ? AND p.name = ?", "us",
             fota_u64(req->tenant_id), name);

    return fota_row_one(req, rc, rows, "product", fota_product_json, out);
}


static int
fota_product_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_PRODUCT_COLUMNS
             " FROM product p WHERE p.tenant_id = ? AND p.name > ?"
             " ORDER BY p.name LIMIT ?", "usu", fota_u64(req->tenant_id),
             page.after, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_product_json);
}


static int
fota_product_show(fota_req_t *req)
{
    int      rc;
    json_t  *v;

    rc = fota_product_get(req, fota_req_param(req, "product"), &v);

    if (rc == FOTA_OK) {
        return fota_res_json(req, 200, v);
    }

    return rc;
}


static bool
fota_product_check(fota_req_t *req, bool create)
{
    bool        flag;
    int64_t     n, m;
    size_t      pos, i, start;
    fota_str_t  s;
    fota_window_t  w;

    static const char *const  names[] = {
        "name", "title", "poll_s", "retry_min_s", "retry_max_s",
        "retry_count", "install_window", "auto_register", "test_group", NULL
    };

    s = fota_slice(NULL, 0);
    n = 30;
    m = 3600;

    if (!fota_json_only(req, create ? names : names + 1)
        || (create
            && !fota_json_name(req, "name", true, FOTA_NAME_MAX, &s))
        || !fota_json_name(req, "title", false, 256, &s)
        || !fota_json_i64(req, "retry_count", false, 0, 1000, &n)
        || !fota_json_i64(req, "poll_s", false, 10, 604800, &n)
        || !fota_json_flag(req, "auto_register", &flag)
        || !fota_json_name(req, "test_group", false, FOTA_NAME_MAX, &s)
        || !fota_json_i64(req, "retry_min_s", false, 1, 86400, &n)
        || !fota_json_i64(req, "retry_max_s", false, 1, 604800, &m))
    {
        return false;
    }

    s = fota_slice(NULL, 0);

    if (!fota_json_str(req, "install_window", false, 256, &s)) {
        return false;
    }

    /* Windows are parted by ";", as "," parts the days of one. */

    for (i = 0, start = 0; s.len > 0 && i <= s.len; i++) {
        if (i < s.len && s.data[i] != ';') {
            continue;
        }

        if (fota_window_parse(fota_slice(s.data + start, i - start), &w, &pos)
            != FOTA_OK)
        {
            return fota_res_bad(req, "field_value", "install_window",
                                "\"install_window\", byte %zu: as \"mon-fri "
                                "22:00-05:00; sun 01:00-06:00\" is wanted",
                                start + pos + 1);
        }

        start = i + 1;
        while (start < s.len && s.data[start] == ' ') {
            start++;
        }
    }

    return true;
}


/* Writes every column of v but the name. */

static int
fota_product_write(fota_req_t *req, fota_str_t name, json_t *v)
{
    int         rc;
    uint32_t    group;
    fota_str_t  s;

    if (fota_mu(v, "retry_min_s") > fota_mu(v, "retry_max_s")) {
        return fota_res_refuse(req, 400, "field_limit", "retry_min_s",
                               "\"retry_min_s\" must not be above "
                               "\"retry_max_s\"");
    }

    group = 0;
    s = fota_ms(v, "test_group");

    if (s.len > 0) {
        rc = fota_find_group(req, s, &group);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_db_exec(req->db,
               "UPDATE product SET title = ?, poll_s = ?, retry_min_s = ?,"
               " retry_max_s = ?, retry_count = ?, install_window = ?,"
               " auto_register = ?, test_group = ?"
               " WHERE tenant_id = ? AND name = ?", "suuuusuuus",
               fota_ms(v, "title"), fota_mu(v, "poll_s"),
               fota_mu(v, "retry_min_s"), fota_mu(v, "retry_max_s"),
               fota_mu(v, "retry_count"), fota_ms(v, "install_window"),
               fota_mu(v, "auto_register"), fota_u64(group),
               fota_u64(req->tenant_id), name);
}


/* Takes v, the product as it is; the members of the body go over it. */

static int
fota_product_apply(fota_req_t *req, fota_str_t name, json_t *v,
    json_t **after)
{
    int       rc;
    uint64_t  id;

    id = fota_mu(v, "id");
    fota_merge(v, req->json, fota_product_nullable);
    rc = fota_product_write(req, name, v);
    json_decref(v);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id, id);
    }

    return rc == FOTA_OK ? fota_product_get(req, name, after) : rc;
}


static int
fota_product_insert(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *v, *after;
    fota_str_t   name;

    after = NULL;
    name = fota_ms(req->json, "name");

    rc = fota_db_exec(req->db, "INSERT INTO product (tenant_id, name, created)"
             " VALUES (?, ?, ?)", "usi", fota_u64(req->tenant_id), name,
             fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "product", "name");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_product_get(req, name, &v);

    if (rc == FOTA_OK) {
        rc = fota_product_apply(req, name, v, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "product:create",
                        fota_object(req, "product", name), NULL, after);
}


static int
fota_product_update(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *before, *after;
    fota_str_t   name;

    after = NULL;
    name = fota_req_param(req, "product");

    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_product_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_product_apply(req, name, json_copy(before), &after);

    return fota_changed(req, rc, req->tenant_id, "product:update",
                        fota_object(req, "product", name), before, after);
}


static int
fota_product_remove(fota_req_t *req, void *data)
{
    int          rc;
    bool         used;
    size_t       i, len;
    json_t      *before;
    uint8_t      key[FOTA_KEY_MAX];
    uint64_t     id;
    fota_str_t   name;

    static const struct {
        const char  *what;
        const char  *sql;
    } uses[] = {
        { "devices", "SELECT 1 FROM device WHERE tenant_id = ?"
                     " AND product_id = ? LIMIT 1" },
        { "firmware", "SELECT 1 FROM firmware WHERE tenant_id = ?"
                      " AND product_id = ? LIMIT 1" },
        { "rollouts", "SELECT 1 FROM rollout WHERE tenant_id = ?"
                      " AND product_id = ? LIMIT 1" }
    };

    name = fota_req_param(req, "product");

    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_product_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_mu(before, "id");

    for (i = 0; i < 3; i++) {
        rc = fota_db_exists(req->db, &used, uses[i].sql, "uu",
                            fota_u64(req->tenant_id), id);

        if (used) {
            rc = fota_res_refuse(req, 409, "product_in_use", NULL,
                                 "the product has %s", uses[i].what);
        }

        if (rc != FOTA_OK) {
            json_decref(before);
            return rc;
        }
    }

    rc = fota_db_exec(req->db, "DELETE FROM product WHERE tenant_id = ?"
                      " AND id = ?", "uu", fota_u64(req->tenant_id), id);

    if (rc == FOTA_OK) {
        len = fota_key_product(key, req->tenant_id, name);
        rc = fota_outbox_key(req->db, FOTA_T_PRODUCT, fota_slice(key, len));
    }

    return fota_changed(req, rc, req->tenant_id, "product:delete",
                        fota_object(req, "product", name), before, NULL);
}


static int
fota_product_create(fota_req_t *req)
{
    return fota_product_check(req, true)
           ? fota_tx(req, fota_product_insert, NULL) : FOTA_OK;
}


static int
fota_product_patch(fota_req_t *req)
{
    return fota_product_check(req, false)
           ? fota_tx(req, fota_product_update, NULL) : FOTA_OK;
}


static int
fota_product_delete(fota_req_t *req)
{
    return fota_tx(req, fota_product_remove, NULL);
}


static const fota_route_t  fota_product_table[] = {
    { "GET", "/api/v1/products", "product:read", fota_product_list, NULL,
      0, 0 },
    { "POST", "/api/v1/products", "product:create", fota_product_create, NULL,
      FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/products/{product}", "product:read", fota_product_show,
      NULL, 0, 0 },
    { "PATCH", "/api/v1/products/{product}", "product:update",
      fota_product_patch, NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/products/{product}", "product:delete",
      fota_product_delete, NULL, 0, 0 }
};

FOTA_ROUTE_SET(product, fota_product_table);
