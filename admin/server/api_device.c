/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Single devices: make, change, forget. */


#include "api_device.h"
#include "device_filter.h"
#include "entity.h"
#include "fota_version.h"


static int fota_device_get(fota_req_t *req, fota_str_t ext_id, json_t **out);
static int fota_device_lists(fota_req_t *req, uint64_t id, json_t *v);
static bool fota_device_check(fota_req_t *req, bool create);
static int fota_device_write(fota_req_t *req, uint64_t id);
static int fota_device_attrs(fota_req_t *req, uint64_t id);


json_t *
fota_device_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "id", fota_cell(rows, 0));
    json_object_set_new(v, "product", fota_cell(rows, 2));
    json_object_set_new(v, "version", fota_cell(rows, 3));
    json_object_set_new(v, "kind", fota_cell(rows, 4));
    json_object_set_new(v, "blocked", fota_cell_bool(rows, 5));
    json_object_set_new(v, "test", fota_cell_bool(rows, 6));
    json_object_set_new(v, "pin", fota_cell(rows, 7));
    json_object_set_new(v, "own_token", fota_cell_bool(rows, 8));
    json_object_set_new(v, "country", fota_cell(rows, 9));
    json_object_set_new(v, "continent", fota_cell(rows, 10));
    json_object_set_new(v, "region_code", fota_cell(rows, 11));
    json_object_set_new(v, "region", fota_cell(rows, 12));
    json_object_set_new(v, "city", fota_cell(rows, 13));
    json_object_set_new(v, "tz", fota_cell(rows, 14));
    json_object_set_new(v, "asn", fota_cell_int(rows, 15));
    json_object_set_new(v, "last_reason", fota_cell(rows, 16));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 17));
    json_object_set_new(v, "seen_ms", fota_cell_int(rows, 18));
    json_object_set_new(v, "seen_node", fota_cell(rows, 19));

    if (fota_device_lists(req, fota_db_u64(rows, 1), v) != FOTA_OK) {
        json_decref(v);
        return NULL;
    }

    return v;
}


static int
fota_device_lists(fota_req_t *req, uint64_t id, json_t *v)
{
    int           rc;
    char          name[FOTA_ATTR_NAME_MAX + 1];
    json_t       *attrs, *set, *groups;
    fota_str_t    s;
    fota_rows_t  *rows;

    attrs = json_object();
    set = json_array();
    groups = json_array();
    json_object_set_new(v, "attributes", attrs);
    json_object_set_new(v, "operator_attributes", set);
    json_object_set_new(v, "groups", groups);

    rc = fota_db_query(req->db, &rows, "SELECT name, value, operator_set"
                       " FROM device_attr WHERE device_id = ? ORDER BY name",
                       "u", id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        s = fota_db_str(rows, 0);

        if (s.len >= sizeof(name)) {
            continue;
        }

        memcpy(name, s.data, s.len);
        name[s.len] = '\0';

        json_object_set_new(attrs, name, fota_cell(rows, 1));

        if (fota_db_u64(rows, 2) != 0) {
            json_array_append_new(set, json_string(name));
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT g.name FROM group_member m"
             " JOIN device_group g ON g.id = m.group_id"
             " WHERE m.device_id = ? AND g.tenant_id = ? ORDER BY g.name",
             "uu", id, fota_u64(req->tenant_id));
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        json_array_append_new(groups, fota_cell(rows, 0));
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_device_get(fota_req_t *req, fota_str_t ext_id, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_DEVICE_COLUMNS
             FOTA_DEVICE_FROM " WHERE d.tenant_id = ? AND d.ext_id = ?",
             "us", fota_u64(req->tenant_id), ext_id);

    return fota_row_one(req, rc, rows, "device", fota_device_json, out);
}


bool
fota_device_id_ok(fota_str_t id)
{
    size_t  i;

    if (id.len == 0 || id.len > FOTA_ID_MAX || !fota_str_utf8(id)
        || id.data[0] == ' ' || id.data[id.len - 1] == ' ')
    {
        return false;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] < ' ' || id.data[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


int
fota_device_insert(fota_db_t *db, uint32_t tenant, uint32_t product,
    fota_str_t id, fota_str_t version, bool blocked, bool test,
    uint64_t *row)
{
    int         rc;
    uint8_t     key[FOTA_VERSION_KEY_MAX];
    fota_str_t  none, k;

    none = fota_slice(NULL, 0);
    k = none;

    if (version.len > 0) {
        k = fota_slice(key, fota_version_key(key, version));
    }

    rc = fota_db_exec(db, "INSERT INTO device (tenant_id, product_id,"
             " ext_id, version, version_key, blocked, test, created)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "uusSSuui",
             fota_u64(tenant), fota_u64(product), id,
             version.len > 0 ? version : none, k, fota_u64(blocked),
             fota_u64(test), fota_now_ms());

    if (rc == FOTA_OK) {
        *row = fota_db_last_id(db);
    }

    return rc;
}


static bool
fota_device_check(fota_req_t *req, bool create)
{
    bool         flag;
    size_t       i;
    json_t      *attrs, *v;
    fota_str_t   s;
    const char  *name;

    static const char *const  names[] = {
        "id", "product", "version", "blocked", "test", "pin", "attributes",
        NULL
    };

    static const char *const  versions[] = { "pin", "version" };

    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, create ? names : names + 3)
        || (create
            && (!fota_json_name(req, "product", true, FOTA_NAME_MAX, &s)
                || !fota_json_name(req, "id", true, FOTA_ID_MAX, &s)))
        || !fota_json_flag(req, "blocked", &flag)
        || !fota_json_flag(req, "test", &flag))
    {
        return false;
    }

    for (i = 0; i < 2; i++) {
        s = fota_slice(NULL, 0);

        if (!fota_json_str(req, versions[i], false, FOTA_VERSION_MAX, &s)) {
            return false;
        }

        if (s.data != NULL && fota_version_check(s) != FOTA_OK) {
            return fota_res_bad(req, "field_value", versions[i],
                                "\"%s\" is no version", versions[i]);
        }
    }

    attrs = json_object_get(req->json, "attributes");

    if (attrs == NULL || json_is_null(attrs)) {
        return true;
    }

    if (!json_is_object(attrs) || json_object_size(attrs) > FOTA_ATTRS_MAX) {
        return fota_res_bad(req, "field_limit", "attributes",
                            "\"attributes\" is an object of at most %d members",
                            FOTA_ATTRS_MAX);
    }

    json_object_foreach(attrs, name, v) {
        if (name[0] == '\0' || strlen(name) > FOTA_ATTR_NAME_MAX
            || (!json_is_null(v)
                && (!json_is_string(v)
                    || json_string_length(v) > FOTA_ATTR_VALUE_MAX)))
        {
            return fota_res_bad(req, "field_limit", "attributes",
                                "\"attributes\": names have 1 to %d bytes, "
                                "values are strings of at most %d bytes",
                                FOTA_ATTR_NAME_MAX, FOTA_ATTR_VALUE_MAX);
        }
    }

    return true;
}


static int
fota_device_attrs(fota_req_t *req, uint64_t id)
{
    int          rc;
    bool         number;
    json_t      *v;
    double       num;
    uint64_t     n;
    fota_str_t   value;
    const char  *name;

    json_object_foreach(json_object_get(req->json, "attributes"), name, v) {
        if (json_is_null(v)) {
            rc = fota_db_exec(req->db, "DELETE FROM device_attr"
                     " WHERE device_id = ? AND name = ?", "uz", id, name);

        } else {
            value = fota_slice(json_string_value(v), json_string_length(v));

            number = fota_filter_number(value, &num);

            rc = fota_db_exec(req->db, "INSERT INTO device_attr"
                     " (device_id, name, value, value_num, operator_set)"
                     " VALUES (?, ?, ?, IF(?, ?, NULL), 1)"
                     " ON DUPLICATE KEY UPDATE value = VALUES(value),"
                     " value_num = VALUES(value_num), operator_set = 1",
                     "uzsud", id, name, value, fota_u64(number),
                     number ? num : 0);
        }

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    rc = fota_db_number(req->db, &n, "SELECT COUNT(*) FROM device_attr"
                        " WHERE device_id = ?", "u", id);

    if (rc == FOTA_OK && n > 2 * FOTA_ATTRS_MAX) {
        return fota_res_refuse(req, 400, "field_limit", "attributes",
                               "the device would have %llu attributes, at most "
                               "%d are kept", (unsigned long long) n,
                               2 * FOTA_ATTRS_MAX);
    }

    return rc;
}


/* The members of the body that are there. */

static int
fota_device_write(fota_req_t *req, uint64_t id)
{
    int      rc;
    json_t  *v;

    rc = FOTA_OK;
    v = json_object_get(req->json, "blocked");

    if (json_is_boolean(v)) {
        rc = fota_db_exec(req->db, "UPDATE device SET blocked = ?"
                          " WHERE tenant_id = ? AND id = ?", "uuu",
                          fota_u64(json_is_true(v)),
                          fota_u64(req->tenant_id), id);
    }

    v = json_object_get(req->json, "test");

    if (rc == FOTA_OK && json_is_boolean(v)) {
        rc = fota_db_exec(req->db, "UPDATE device SET test = ?"
                          " WHERE tenant_id = ? AND id = ?", "uuu",
                          fota_u64(json_is_true(v)),
                          fota_u64(req->tenant_id), id);
    }

    if (rc == FOTA_OK && fota_json_has(req, "pin")) {
        rc = fota_db_exec(req->db, "UPDATE device SET pin = ?"
                          " WHERE tenant_id = ? AND id = ?", "Suu",
                          fota_ms(req->json, "pin"),
                          fota_u64(req->tenant_id), id);
    }

    if (rc == FOTA_OK
        && json_is_object(json_object_get(req->json, "attributes")))
    {
        rc = fota_device_attrs(req, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_DEVICE, req->tenant_id, id);
    }

    return rc;
}


int
fota_device_product(fota_req_t *req, uint32_t *id)
{
    int         rc;
    fota_str_t  name;

    name = fota_ms(req->json, "product");

    rc = fota_lock(req, "SELECT id FROM product WHERE tenant_id = ?"
                   " AND name = ? LOCK IN SHARE MODE", req->tenant_id, name);

    return rc == FOTA_OK ? fota_find_product(req, name, id) : rc;
}


static int
fota_device_make(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *after;
    uint32_t     product;
    uint64_t     id;
    fota_str_t   name;

    after = NULL;
    name = fota_ms(req->json, "id");

    rc = fota_device_product(req, &product);

    if (rc == FOTA_OK) {
        rc = fota_device_insert(req->db, req->tenant_id, product, name,
                                fota_ms(req->json, "version"), false, false,
                                &id);
    }

    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "device", "id");
    }

    if (rc == FOTA_OK) {
        rc = fota_device_write(req, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_device_get(req, name, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "device:create",
                        fota_object(req, "device", name), NULL, after);
}


static int
fota_device_change(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *before, *after;
    uint64_t     id;
    fota_str_t   name;

    after = NULL;
    name = fota_req_param(req, "device");

    rc = fota_lock(req, FOTA_LOCK_DEVICE, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_find_device(req, name, &id);
    }

    if (rc == FOTA_OK) {
        rc = fota_device_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_device_write(req, id);

    if (rc == FOTA_OK) {
        rc = fota_device_get(req, name, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "device:update",
                        fota_object(req, "device", name), before, after);
}


static int
fota_device_remove(fota_req_t *req, void *data)
{
    int          rc;
    size_t       i, len;
    json_t      *before;
    uint8_t      key[FOTA_KEY_MAX];
    uint64_t     id;
    fota_str_t   name;

    /* Counters first: every device is in exactly one bucket, or in none. */

    static const char *const  sql[] = {
        ("UPDATE rollout_counter c JOIN rollout_device r"
         " ON r.rollout_id = c.rollout_id AND r.stage = c.stage"
         " AND r.state = c.state SET c.devices = c.devices - 1"
         " WHERE r.device_id = ?"),
        "DELETE FROM rollout_device WHERE device_id = ?",
        ("UPDATE device_group g JOIN group_member m ON m.group_id = g.id"
         " SET g.members = g.members - 1 WHERE m.device_id = ?"),
        "DELETE FROM group_member WHERE device_id = ?",
        "DELETE FROM device_attr WHERE device_id = ?",
        "DELETE FROM device_seen WHERE device_id = ?",
        "DELETE FROM device WHERE id = ?"
    };

    name = fota_req_param(req, "device");

    rc = fota_lock(req, FOTA_LOCK_DEVICE, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_find_device(req, name, &id);
    }

    if (rc == FOTA_OK) {
        rc = fota_device_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    for (i = 0; rc == FOTA_OK && i < sizeof(sql) / sizeof(sql[0]); i++) {
        rc = fota_db_exec(req->db, sql[i], "u", id);
    }

    if (rc == FOTA_OK) {
        len = fota_key_device(key, req->tenant_id, name);
        rc = fota_outbox_key(req->db, FOTA_T_DEVICE, fota_slice(key, len));
    }

    return fota_changed(req, rc, req->tenant_id, "device:delete",
                        fota_object(req, "device", name), before, NULL);
}


static int
fota_device_show(fota_req_t *req)
{
    int      rc;
    json_t  *v;

    rc = fota_device_get(req, fota_req_param(req, "device"), &v);

    return rc == FOTA_OK ? fota_res_json(req, 200, v) : rc;
}


static int
fota_device_create(fota_req_t *req)
{
    return fota_device_check(req, true)
           ? fota_tx(req, fota_device_make, NULL) : FOTA_OK;
}


static int
fota_device_patch(fota_req_t *req)
{
    return fota_device_check(req, false)
           ? fota_tx(req, fota_device_change, NULL) : FOTA_OK;
}


static int
fota_device_delete(fota_req_t *req)
{
    return fota_tx(req, fota_device_remove, NULL);
}


static const fota_route_t  fota_device_table[] = {
    { "POST", "/api/v1/devices", "device:create", fota_device_create, NULL,
      FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/devices/{device}", "device:read", fota_device_show,
      NULL, 0, 0 },
    { "PATCH", "/api/v1/devices/{device}", "device:update",
      fota_device_patch, NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/devices/{device}", "device:delete",
      fota_device_delete, NULL, 0, 0 }
};

FOTA_ROUTE_SET(device, fota_device_table);
