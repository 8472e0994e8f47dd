/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Versions of a product's software. */


#include "entity.h"
#include "fota_version.h"


#define FOTA_FIRMWARE_COLUMNS                                                 \
    "f.id, f.kind, f.version, f.release_order, f.must_pass, f.withdrawn,"     \
    " f.notes, f.created, p.name AS product"

#define FOTA_FIRMWARE_FROM                                                    \
    " FROM firmware f JOIN product p ON p.tenant_id = f.tenant_id"            \
    " AND p.id = f.product_id"

#define FOTA_NOTES_MAX  16384


static json_t *fota_firmware_json(fota_req_t *req, fota_rows_t *rows);
static int fota_firmware_get(fota_req_t *req, uint32_t id, json_t **out);
static int fota_firmware_param(fota_req_t *req, uint32_t *product,
    uint32_t *id);
static int fota_firmware_write(fota_req_t *req, uint32_t id, json_t *v);


static const char *const  fota_firmware_nullable[] = {
    "release_order", "notes", NULL
};


static json_t *
fota_firmware_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 0));
    json_object_set_new(v, "kind", fota_cell(rows, 1));
    json_object_set_new(v, "version", fota_cell(rows, 2));
    json_object_set_new(v, "release_order", fota_cell_int(rows, 3));
    json_object_set_new(v, "must_pass", fota_cell_bool(rows, 4));
    json_object_set_new(v, "withdrawn", fota_cell_bool(rows, 5));
    json_object_set_new(v, "notes", fota_cell(rows, 6));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 7));
    json_object_set_new(v, "product", fota_cell(rows, 8));

    return v;
}


static int
fota_firmware_get(fota_req_t *req, uint32_t id, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_FIRMWARE_COLUMNS
             FOTA_FIRMWARE_FROM " WHERE f.tenant_id = ? AND f.id = ?", "uu",
             fota_u64(req->tenant_id), fota_u64(id));

    return fota_row_one(req, rc, rows, "firmware", fota_firmware_json, out);
}


/* Product, version and "kind" of the request. */

static int
fota_firmware_param(fota_req_t *req, uint32_t *product, uint32_t *id)
{
    int         rc;
    fota_str_t  kind;

    static const char *const  kinds[] = { "os", "app", "data", NULL };

    if (!fota_req_query_word(req, "kind", kinds, &kind)) {
        return FOTA_INVALID;
    }

    if (kind.len == 0) {
        kind = fota_cstr("os");
    }

    rc = fota_find_product(req, fota_req_param(req, "product"), product);

    return rc == FOTA_OK
           ? fota_find_firmware(req, *product, kind,
                                fota_req_param(req, "version"), id)
           : rc;
}


static int
fota_firmware_list(fota_req_t *req)
{
    int           rc;
    uint32_t      product;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_number(req, &page, 0)) {
        return FOTA_OK;
    }

    rc = fota_find_product(req, fota_req_param(req, "product"), &product);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT * FROM (SELECT "
             FOTA_FIRMWARE_COLUMNS ", ROW_NUMBER() OVER (ORDER BY"
             " FIELD(f.kind, 'os', 'app', 'data'),"
             " COALESCE(f.release_order, 0), f.version_key, f.version)"
             " AS n" FOTA_FIRMWARE_FROM " WHERE f.tenant_id = ?"
             " AND f.product_id = ?) x WHERE n > ? ORDER BY n LIMIT ?",
             "uuuu", fota_u64(req->tenant_id), fota_u64(product),
             page.after_id, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 9, fota_firmware_json);
}


static int
fota_firmware_show(fota_req_t *req)
{
    int        rc;
    json_t    *v;
    uint32_t   product, id;

    rc = fota_firmware_param(req, &product, &id);

    if (rc == FOTA_OK) {
        rc = fota_firmware_get(req, id, &v);
    }

    return rc == FOTA_OK ? fota_res_json(req, 200, v) : rc;
}


static bool
fota_firmware_check(fota_req_t *req, bool create)
{
    bool        flag;
    int64_t     n;
    fota_str_t  s;

    static const char *const  make[] = {
        "version", "kind", "release_order", "must_pass", "notes", NULL
    };

    static const char *const  change[] = {
        "release_order", "must_pass", "notes", "withdrawn", NULL
    };

    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, create ? make : change)
        || !fota_json_str(req, "notes", false, FOTA_NOTES_MAX, &s)
        || !fota_json_i64(req, "release_order", false, INT32_MIN, INT32_MAX,
                          &n)
        || !fota_json_flag(req, "must_pass", &flag)
        || !fota_json_flag(req, "withdrawn", &flag))
    {
        return false;
    }

    if (!create) {
        return true;
    }

    s = fota_slice(NULL, 0);

    if (!fota_json_str(req, "kind", false, 8, &s)) {
        return false;
    }

    if (s.data != NULL && fota_kind_parse(s) < 0) {
        return fota_res_bad(req, "field_value", "kind",
                            "\"kind\" takes os, app, data");
    }

    if (!fota_json_str(req, "version", true, FOTA_VERSION_MAX, &s)) {
        return false;
    }

    if (fota_version_check(s) != FOTA_OK) {
        return fota_res_bad(req, "field_value", "version",
                            "\"version\" has 1 to %d bytes, a letter or digit, "
                            "no blanks and no quotes", FOTA_VERSION_MAX);
    }

    return true;
}


static int
fota_firmware_write(fota_req_t *req, uint32_t id, json_t *v)
{
    bool  ordered;

    ordered = json_is_integer(json_object_get(v, "release_order"));

    return fota_db_exec(req->db, "UPDATE firmware SET must_pass = ?,"
               " withdrawn = ?, notes = ?, release_order = IF(?, ?, NULL)"
               " WHERE tenant_id = ? AND id = ?", "uuSuiuu",
               fota_mu(v, "must_pass"), fota_mu(v, "withdrawn"),
               fota_ms(v, "notes"), fota_u64(ordered),
               fota_mi(v, "release_order"), fota_u64(req->tenant_id),
               fota_u64(id));
}


/* Takes v, the firmware as it is; the members of the body go over it. */

static int
fota_firmware_apply(fota_req_t *req, uint32_t product, uint32_t id,
    json_t *v, json_t **after)
{
    int  rc;

    fota_merge(v, req->json, fota_firmware_nullable);
    rc = fota_firmware_write(req, id, v);
    json_decref(v);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id,
                             product);
    }

    return rc == FOTA_OK ? fota_firmware_get(req, id, after) : rc;
}


static int
fota_firmware_insert(fota_req_t *req, void *data)
{
    int         rc;
    json_t     *v, *after;
    uint8_t     key[FOTA_VERSION_KEY_MAX];
    uint32_t    product, id;
    uint64_t    n;
    fota_str_t  version, kind, name;

    after = NULL;
    version = fota_ms(req->json, "version");
    kind = fota_ms(req->json, "kind");
    name = fota_req_param(req, "product");

    if (kind.data == NULL) {
        kind = fota_cstr("os");
    }

    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_find_product(req, name, &product);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_number(req->db, &n, "SELECT COUNT(*) FROM firmware"
                 " WHERE tenant_id = ? AND product_id = ?", "uu",
                 fota_u64(req->tenant_id), fota_u64(product));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (n >= FOTA_FIRMWARE_MAX) {
        return fota_res_refuse(req, 409, "firmware_limit", NULL,
                               "a product may have %d versions",
                               FOTA_FIRMWARE_MAX);
    }

    rc = fota_db_exec(req->db, "INSERT INTO firmware (tenant_id, product_id,"
             " kind, version, version_key, created)"
             " VALUES (?, ?, ?, ?, ?, ?)", "uusssi",
             fota_u64(req->tenant_id), fota_u64(product), kind, version,
             fota_slice(key, fota_version_key(key, version)), fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "firmware", "version");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = (uint32_t) fota_db_last_id(req->db);

    rc = fota_firmware_get(req, id, &v);

    if (rc == FOTA_OK) {
        rc = fota_firmware_apply(req, product, id, v, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "firmware:create",
                        fota_object(req, "product", name), NULL, after);
}


static int
fota_firmware_update(fota_req_t *req, void *data)
{
    int        rc;
    json_t    *before, *after;
    uint32_t   product, id;

    after = NULL;
    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id,
                   fota_req_param(req, "product"));

    if (rc == FOTA_OK) {
        rc = fota_firmware_param(req, &product, &id);
    }

    if (rc == FOTA_OK) {
        rc = fota_firmware_get(req, id, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_firmware_apply(req, product, id, json_copy(before), &after);

    return fota_changed(req, rc, req->tenant_id, "firmware:update",
                        fota_object(req, "product",
                                    fota_req_param(req, "product")),
                        before, after);
}


static int
fota_firmware_remove(fota_req_t *req, void *data)
{
    int        rc;
    bool       used;
    json_t    *before;
    uint32_t   product, id;

    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id,
                   fota_req_param(req, "product"));

    if (rc == FOTA_OK) {
        rc = fota_firmware_param(req, &product, &id);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exists(req->db, &used, "SELECT 1 FROM artifact"
                 " WHERE tenant_id = ? AND (firmware_id = ? OR from_id = ?)"
                 " UNION ALL SELECT 1 FROM rollout WHERE tenant_id = ?"
                 " AND target_id = ? LIMIT 1", "uuuuu",
                 fota_u64(req->tenant_id), fota_u64(id), fota_u64(id),
                 fota_u64(req->tenant_id), fota_u64(id));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (used) {
        return fota_res_refuse(req, 409, "firmware_in_use", NULL,
                               "artifacts or rollouts use this version; "
                               "withdraw it instead");
    }

    rc = fota_firmware_get(req, id, &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "DELETE FROM firmware WHERE tenant_id = ?"
                      " AND id = ?", "uu", fota_u64(req->tenant_id),
                      fota_u64(id));

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id,
                             product);
    }

    return fota_changed(req, rc, req->tenant_id, "firmware:delete",
                        fota_object(req, "product",
                                    fota_req_param(req, "product")),
                        before, NULL);
}


static int
fota_firmware_create(fota_req_t *req)
{
    return fota_firmware_check(req, true)
           ? fota_tx(req, fota_firmware_insert, NULL) : FOTA_OK;
}


static int
fota_firmware_patch(fota_req_t *req)
{
    return fota_firmware_check(req, false)
           ? fota_tx(req, fota_firmware_update, NULL) : FOTA_OK;
}


static int
fota_firmware_delete(fota_req_t *req)
{
    return fota_tx(req, fota_firmware_remove, NULL);
}


static const fota_route_t  fota_firmware_table[] = {
    { "GET", "/api/v1/products/{product}/firmware", "firmware:read",
      fota_firmware_list, NULL, 0, 0 },
    { "POST", "/api/v1/products/{product}/firmware", "firmware:create",
      fota_firmware_create, NULL, FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/products/{product}/firmware/{version}",
      "firmware:read", fota_firmware_show, NULL, 0, 0 },
    { "PATCH", "/api/v1/products/{product}/firmware/{version}",
      "firmware:update", fota_firmware_patch, NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/products/{product}/firmware/{version}",
      "firmware:delete", fota_firmware_delete, NULL, 0, 0 }
};

FOTA_ROUTE_SET(firmware, fota_firmware_table);
