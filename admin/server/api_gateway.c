/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What a tenant's devices prove themselves with: gateway tokens, and the
 * key that device tokens are derived from.
 */


#include <stdio.h>

#include "api_tenant.h"
#include "entity.h"
#include "secret.h"


#define FOTA_GATEWAY_PREFIX  "fota_gw_"
#define FOTA_GATEWAYS_MAX    4


static const char *const  fota_key_states[] = {
    "next", "current", "previous"
};


static json_t *
fota_gateway_json(fota_req_t *req, fota_rows_t *rows)
{
    return json_pack("{s:o, s:o, s:o}", "id", fota_cell_int(rows, 0),
                     "name", fota_cell(rows, 1),
                     "created_ms", fota_cell_int(rows, 2));
}


static int
fota_gateway_list(fota_req_t *req)
{
    int           rc;
    uint32_t      id;
    fota_str_t    name;
    fota_rows_t  *rows;

    rc = fota_tenant_param(req, &id, &name);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT id, name, created"
             " FROM tenant_gateway WHERE tenant_id = ? ORDER BY id", "u",
             fota_u64(id));

    return fota_list_answer(req, rc, rows, fota_gateway_json);
}


static int
fota_gateway_insert(fota_req_t *req, void *data)
{
    int          rc;
    char         token[FOTA_CREDENTIAL_MAX];
    json_t      *after, *shown;
    uint8_t      hash[32];
    uint32_t     id;
    uint64_t     have;
    fota_str_t   name, tenant;

    /* So that two requests cannot both be the 4th. */

    rc = fota_tenant_hold(req, &id, &tenant);

    if (rc == FOTA_OK) {
        rc = fota_db_number(req->db, &have, "SELECT COUNT(*) FROM"
                            " tenant_gateway WHERE tenant_id = ?", "u",
                            fota_u64(id));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (have >= FOTA_GATEWAYS_MAX) {
        return fota_res_refuse(req, 409, "gateway_limit", NULL,
                               "a tenant may have %d gateway tokens",
                               FOTA_GATEWAYS_MAX);
    }

    name = fota_ms(req->json, "name");
    rc = fota_credential_new(FOTA_GATEWAY_PREFIX, token, hash);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO tenant_gateway (tenant_id,"
                 " name, token_sha256, created) VALUES (?, ?, ?, ?)", "ussi",
                 fota_u64(id), name, fota_slice(hash, 32), fota_now_ms());
    }

    if (rc == FOTA_OK) {
        after = json_object();
        json_object_set_new(after, "id", json_integer(
            (json_int_t) fota_db_last_id(req->db)));
        json_object_set_new(after, "name", fota_json_text(name));
        json_object_set_new(after, "created_ms", json_integer(fota_now_ms()));

        rc = fota_outbox_put(req->db, FOTA_T_TENANT, id, id);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    shown = json_copy(after);
    json_object_set_new(shown, "token", json_string(token));
    (void) fota_res_json(req, 201, shown);
    fota_cleanse(token, sizeof(token));

    return fota_audit(req, id, "gateway:create",
                      fota_object(req, "tenant", tenant), NULL, after);
}


static int
fota_gateway_create(fota_req_t *req)
{
    fota_str_t  s;

    static const char *const  names[] = { "name", NULL };

    s = fota_slice(NULL, 0);

    return fota_json_only(req, names)
           && fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)
           ? fota_tx(req, fota_gateway_insert, NULL) : FOTA_OK;
}


static int
fota_gateway_remove(fota_req_t *req, void *data)
{
    int          rc;
    uint32_t     id;
    uint64_t    *gateway;
    fota_str_t   tenant;

    gateway = data;

    rc = fota_tenant_param(req, &id, &tenant);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "DELETE FROM tenant_gateway"
                          " WHERE tenant_id = ? AND id = ?", "uu",
                          fota_u64(id), *gateway);
    }

    if (rc == FOTA_OK && fota_db_affected(req->db) == 0) {
        return fota_unknown(req, "gateway");
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_TENANT, id, id);
    }

    return fota_changed(req, rc, id, "gateway:delete",
                        fota_object(req, "tenant", tenant),
                        json_pack("{s:I}", "id", (json_int_t) *gateway), NULL);
}


static int
fota_gateway_delete(fota_req_t *req)
{
    uint64_t  id;

    return fota_param_id(req, "gateway", "gateway", &id)
           ? fota_tx(req, fota_gateway_remove, &id) : FOTA_OK;
}


/* Keys of devices */


static json_t *
fota_device_key_json(fota_req_t *req, fota_rows_t *rows)
{
    return json_pack("{s:o, s:s, s:o}", "kid", fota_cell_int(rows, 0),
                     "state", fota_key_states[fota_db_u64(rows, 1) % 3],
                     "created_ms", fota_cell_int(rows, 2));
}


static int
fota_device_key_list(fota_req_t *req)
{
    int           rc;
    uint32_t      id;
    fota_str_t    name;
    fota_rows_t  *rows;

    rc = fota_tenant_param(req, &id, &name);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT kid, state, created"
             " FROM secret_key WHERE kind = ? AND scope = ? ORDER BY kid",
             "uu", fota_u64(FOTA_KEY_DEVICE), fota_u64(id));

    return fota_list_answer(req, rc, rows, fota_device_key_json);
}


static int
fota_device_key_rotate(fota_req_t *req, void *data)
{
    int          rc;
    uint8_t      secret[32];
    uint16_t     kid;
    uint32_t     id;
    fota_str_t   tenant;

    rc = fota_tenant_hold(req, &id, &tenant);

    if (rc == FOTA_OK) {
        rc = fota_random(secret, sizeof(secret));
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_rotate(req->server, req->db, FOTA_KEY_DEVICE, id,
                                secret, &kid);
    }

    fota_cleanse(secret, sizeof(secret));

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 201, json_pack("{s:i, s:s, s:I}", "kid",
                                             (int) kid, "state", "current",
                                             "created_ms",
                                             (json_int_t) fota_now_ms()));

    return fota_audit(req, id, "device_key:rotate",
                      fota_object(req, "tenant", tenant), NULL,
                      json_pack("{s:i}", "kid", (int) kid));
}


static int
fota_device_key_create(fota_req_t *req)
{
    return fota_tx(req, fota_device_key_rotate, NULL);
}


static const fota_route_t  fota_gateway_table[] = {
    { "GET", "/api/v1/tenants/{tenant}/gateways", "tenant:read",
      fota_gateway_list, NULL, 0, FOTA_ROUTE_ANY },
    { "POST", "/api/v1/tenants/{tenant}/gateways", "tenant:keys",
      fota_gateway_create, NULL, FOTA_BODY_JSON, FOTA_ROUTE_ANY },
    { "DELETE", "/api/v1/tenants/{tenant}/gateways/{gateway}", "tenant:keys",
      fota_gateway_delete, NULL, 0, FOTA_ROUTE_ANY },
    { "GET", "/api/v1/tenants/{tenant}/device-keys", "tenant:read",
      fota_device_key_list, NULL, 0, FOTA_ROUTE_ANY },
    { "POST", "/api/v1/tenants/{tenant}/device-keys", "tenant:keys",
      fota_device_key_create, NULL, 0, FOTA_ROUTE_ANY }
};

FOTA_ROUTE_SET(gateway, fota_gateway_table);
