/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The brake: of a rollout, a product, a tenant or everything.  "offers" ends
 * offers, "cut" also revokes the tokens given out so far and with them the
 * transfers that are running.
 */

#include <stdio.h>

#include "rollout.h"


/* Tokens of a rollout that ended earlier have expired. */
#define FOTA_BRAKE_BACK_MS  (2 * 86400 * 1000LL)


static int fota_brake_run(fota_req_t *req, fota_tx_pt fn);
static int fota_brake_answer(fota_req_t *req, uint32_t tenant,
    const char *action, fota_str_t object, uint64_t level);
static int fota_brake_rollout_tx(fota_req_t *req, void *data);
static int fota_brake_product_tx(fota_req_t *req, void *data);
static int fota_brake_tenant_tx(fota_req_t *req, void *data);
static int fota_brake_all_tx(fota_req_t *req, void *data);
static int fota_brake_deny_each(fota_req_t *req, unsigned kind,
    const char *sql, uint64_t a, uint64_t b);


static const char *const  fota_brakes[] = { "none", "offers", "cut" };


/* Revocation of a rollout's or tenant's tokens up to now. */

static int
fota_deny_now(fota_db_t *db, unsigned kind, uint64_t id, bool cut)
{
    int      rc, i;
    char     sql[512];
    size_t   n;
    int64_t  now;
    uint8_t  key[FOTA_KEY_MAX], raw[8];

    for (i = 0; i < 8; i++) {
        raw[i] = (uint8_t) (id >> (56 - 8 * i));
    }

    now = fota_now_ms();

    /* A token of this very second is revoked, too. */

    (void) snprintf(sql, sizeof(sql), "INSERT INTO deny (kind, id,"
                    " not_before_s, cut, created, tenant_id, subject)"
                    " SELECT ?, ?, ?, ?, ?, %s, name FROM %s WHERE id = ?"
                    " ON DUPLICATE KEY UPDATE"
                    " not_before_s = VALUES(not_before_s),"
                    " cut = VALUES(cut), created = VALUES(created)",
                    (kind == FOTA_DENY_TENANT) ? "id" : "tenant_id",
                    (kind == FOTA_DENY_TENANT) ? "tenant" : "rollout");

    rc = fota_db_exec(db, sql, "usiuiu", fota_u64(kind),
                      fota_slice(raw, sizeof(raw)), now / 1000 + 1,
                      fota_u64(cut), now, id);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = fota_key_deny(key, (uint8_t) kind, raw);

    return fota_outbox_key(db, FOTA_T_DENY, fota_slice(key, n));
}


/* The level of the body is the data of fn. */

static int
fota_brake_run(fota_req_t *req, fota_tx_pt fn)
{
    uint64_t  level;

    static const char *const  members[] = { "brake", NULL };

    level = UINT64_MAX;

    if (!fota_json_only(req, members)
        || !fota_json_word(req, "brake", fota_brakes, 3, &level))
    {
        return FOTA_OK;
    }

    if (level == UINT64_MAX) {
        return fota_res_problem(req, 400, "field_missing", "brake",
                                "\"brake\" is needed: none, offers or cut");
    }

    return fota_tx(req, fn, &level);
}


static int
fota_brake_answer(fota_req_t *req, uint32_t tenant, const char *action,
    fota_str_t object, uint64_t level)
{
    json_t  *v;

    v = json_pack("{s:s}", "brake", fota_brakes[level]);

    (void) fota_res_json(req, 200, json_incref(v));

    return fota_audit(req, tenant, action, object, NULL, v);
}


/* Ids of a query, then one revocation for each. */

static int
fota_brake_deny_each(fota_req_t *req, unsigned kind, const char *sql,
    uint64_t a, uint64_t b)
{
    int           rc;
    size_t        i;
    fota_buf_t    ids;
    uint64_t      id;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, sql, "uui", a, b,
                       fota_now_ms() - FOTA_BRAKE_BACK_MS);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_grow(&ids, 64 * 1024 * 1024);

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        id = fota_db_u64(rows, 0);
        fota_buf_put(&ids, &id, sizeof(id));
    }

    fota_db_rows_end(rows);

    rc = (rc == FOTA_NOTFOUND) ? (int) ids.status : rc;

    for (i = 0; rc == FOTA_OK && i < ids.len; i += sizeof(id)) {
        memcpy(&id, ids.start + i, sizeof(id));
        rc = fota_deny_now(req->db, kind, id, true);
    }

    fota_buf_free(&ids);

    return rc;
}


static int
fota_brake_rollout_tx(fota_req_t *req, void *data)
{
    int                  rc;
    json_t              *before;
    uint64_t            *level;
    fota_rollout_form_t  form;

    level = data;

    rc = fota_rollout_load_param(req, true, &form);
    if (rc != FOTA_OK) {
        return rc;
    }

    before = fota_rollout_json(req, &form);

    rc = fota_db_exec(req->db, "UPDATE rollout SET brake = ? WHERE id = ?",
                      "uu", *level, fota_u64(form.row.id));

    if (rc == FOTA_OK && *level == FOTA_BRAKE_CUT) {
        rc = fota_deny_now(req->db, FOTA_DENY_DEPLOYMENT, form.row.id, true);
    }

    return fota_rollout_done(req, rc, &form, 200, "rollout:brake", before);
}


static int
fota_brake_product_tx(fota_req_t *req, void *data)
{
    int          rc;
    uint32_t     id;
    uint64_t    *level;
    fota_str_t   name;

    level = data;
    name = fota_req_param(req, "product");

    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id, name);

    if (rc == FOTA_OK) {
        rc = fota_find_product(req, name, &id);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE product SET brake = ?"
                          " WHERE tenant_id = ? AND id = ?", "uuu", *level,
                          fota_u64(req->tenant_id), fota_u64(id));
    }

    if (rc == FOTA_OK && *level == FOTA_BRAKE_CUT) {
        rc = fota_brake_deny_each(req, FOTA_DENY_DEPLOYMENT, "SELECT id"
                                  " FROM rollout WHERE tenant_id = ?"
                                  " AND product_id = ?"
                                  " AND (state IN ('running', 'paused')"
                                  " OR finished > ?)", req->tenant_id, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id, id);
    }

    return (rc == FOTA_OK)
           ? fota_brake_answer(req, req->tenant_id, "product:brake",
                               fota_object(req, "product", name), *level)
           : rc;
}


static int
fota_brake_tenant_tx(fota_req_t *req, void *data)
{
    int          rc;
    uint64_t    *level, id;
    fota_str_t   name;

    level = data;
    name = fota_req_param(req, "tenant");

    rc = fota_db_number(req->db, &id, "SELECT id FROM tenant"
                        " WHERE id <> 0 AND name = ?", "s", name);

    if (rc == FOTA_NOTFOUND
        || (rc == FOTA_OK && !req->platform && id != req->tenant_id))
    {
        return fota_unknown(req, "tenant");
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE tenant SET brake = ?"
                          " WHERE id = ?", "uu", *level, id);
    }

    if (rc == FOTA_OK && *level == FOTA_BRAKE_CUT) {
        rc = fota_deny_now(req->db, FOTA_DENY_TENANT, id, true);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_TENANT, (uint32_t) id, id);
    }

    return (rc == FOTA_OK)
           ? fota_brake_answer(req, (uint32_t) id, "tenant:brake",
                               fota_object(req, "tenant", name), *level)
           : rc;
}


static int
fota_brake_all_tx(fota_req_t *req, void *data)
{
    int        rc;
    char       text[8];
    uint64_t  *level;

    level = data;

    (void) snprintf(text, sizeof(text), "%u", (unsigned) *level);

    rc = fota_db_exec(req->db, "INSERT INTO setting (name, value)"
                      " VALUES ('brake', ?) ON DUPLICATE KEY UPDATE"
                      " value = VALUES(value)", "z", text);

    if (rc == FOTA_OK && *level == FOTA_BRAKE_CUT) {
        rc = fota_brake_deny_each(req, FOTA_DENY_TENANT, "SELECT id"
                                  " FROM tenant WHERE ? = ? AND ? > 0", 0,
                                  0);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_key(req->db, FOTA_T_TENANT, fota_cstr("*"));
    }

    return (rc == FOTA_OK)
           ? fota_brake_answer(req, 0, "platform:brake",
                               fota_object(req, "platform", fota_cstr("*")),
                               *level)
           : rc;
}


static int
fota_brake_rollout(fota_req_t *req)
{
    return fota_brake_run(req, fota_brake_rollout_tx);
}


static int
fota_brake_product(fota_req_t *req)
{
    return fota_brake_run(req, fota_brake_product_tx);
}


static int
fota_brake_tenant(fota_req_t *req)
{
    return fota_brake_run(req, fota_brake_tenant_tx);
}


static int
fota_brake_all(fota_req_t *req)
{
    return fota_brake_run(req, fota_brake_all_tx);
}


static int
fota_brake_show(fota_req_t *req)
{
    int           rc;
    uint64_t      level;
    fota_rows_t  *rows;

    rc = fota_db_first(req->db, &rows,
                       "SELECT value FROM setting WHERE name = 'brake'", "");
    level = 0;

    if (rc == FOTA_OK) {
        (void) fota_str_u64(fota_db_str(rows, 0), FOTA_BRAKE_CUT, &level);
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    return fota_res_json(req, 200, json_pack("{s:s}", "brake",
                                             fota_brakes[level % 3]));
}


static const fota_route_t  fota_brake_table[] = {
    { "POST", "/api/v1/rollouts/{rollout}/brake", "rollout:brake",
      fota_brake_rollout, NULL, FOTA_BODY_JSON, 0 },
    { "POST", "/api/v1/products/{product}/brake", "product:brake",
      fota_brake_product, NULL, FOTA_BODY_JSON, 0 },
    { "POST", "/api/v1/tenants/{tenant}/brake", "tenant:brake",
      fota_brake_tenant, NULL, FOTA_BODY_JSON, FOTA_ROUTE_ANY },
    { "GET", "/api/v1/brake", "status:read", fota_brake_show, NULL, 0,
      FOTA_ROUTE_ANY },
    { "POST", "/api/v1/brake", "platform:brake", fota_brake_all, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM },
};


FOTA_ROUTE_SET(brake, fota_brake_table);
