/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Many devices: search, count, bulk; and what one device may be asked. */


#include "api_device.h"
#include "device_filter.h"
#include "entity.h"
#include "fota_encode.h"
#include "fota_token.h"
#include "fota_version.h"
#include "secret.h"


#define FOTA_BULK_MAX   10000
#define FOTA_BULK_BODY  (8 * 1024 * 1024)


typedef struct {
    size_t    next;             /* index in the list */
    uint64_t  created;
    uint64_t  existing;
    bool      skip;
} fota_bulk_t;


static int
fota_search_list(fota_req_t *req)
{
    int                rc;
    uint32_t           id;
    fota_str_t         product;
    fota_page_t        page;
    fota_rows_t       *rows;
    fota_statement_t   st;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_statement_init(req, &st, 4);
    if (rc != FOTA_OK) {
        return rc;
    }

    /* Devices first, in the order of their ids: a page ends the reading. */

    fota_buf_cstr(&st.sql, "SELECT STRAIGHT_JOIN " FOTA_DEVICE_COLUMNS
                           FOTA_DEVICE_FROM
                           " WHERE d.tenant_id = ? AND d.ext_id > ?");
    fota_statement_u64(&st, req->tenant_id);
    fota_statement_str(&st, page.after);

    product = fota_req_query(req, "product");

    if (product.len > 0) {
        rc = fota_find_product(req, product, &id);
        fota_buf_cstr(&st.sql, " AND d.product_id = ?");
        fota_statement_u64(&st, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_statement_filter(req, &st, "q", fota_req_query(req, "q"));
    }

    if (rc != FOTA_OK) {
        fota_statement_free(&st);
        return rc;
    }

    fota_buf_cstr(&st.sql, " ORDER BY d.ext_id LIMIT ?");
    fota_statement_u64(&st, page.limit + 1);

    rc = fota_statement_query(req, &st, &rows);

    return fota_page_answer(req, rc, rows, &page, 0, fota_device_json);
}


static int
fota_search_count(fota_req_t *req)
{
    int         rc;
    uint32_t    id;
    uint64_t    count;
    fota_str_t  product;

    product = fota_req_query(req, "product");

    rc = (product.len > 0) ? fota_find_product(req, product, &id) : FOTA_OK;

    if (rc == FOTA_OK) {
        rc = fota_device_count(req, "q", fota_req_query(req, "q"), product,
                               &count);
    }

    return rc == FOTA_OK
           ? fota_res_json(req, 200, json_pack("{s:I}", "count",
                                               (json_int_t) count))
           : rc;
}


/* Bulk */


static bool
fota_bulk_check(fota_req_t *req, fota_bulk_t *bulk)
{
    size_t       i;
    json_t      *list, *v, *id, *version, *m;
    fota_str_t   s;
    const char  *key;

    static const char *const  names[] = {
        "product", "skip_existing", "devices", NULL
    };

    s = fota_slice(NULL, 0);
    bulk->skip = false;

    if (!fota_json_only(req, names)
        || !fota_json_name(req, "product", true, FOTA_NAME_MAX, &s)
        || !fota_json_flag(req, "skip_existing", &bulk->skip)
        || !fota_json_list(req, "devices", FOTA_BULK_MAX, &list))
    {
        return false;
    }

    if (list == NULL || json_array_size(list) == 0) {
        return fota_res_bad(req, "field_missing", "devices",
                            "\"devices\" needs 1 to %d members", FOTA_BULK_MAX);
    }

    json_array_foreach(list, i, v) {
        id = json_object_get(v, "id");
        version = json_object_get(v, "version");
        s = fota_slice(json_string_value(id), json_string_length(id));

        if (!json_is_string(id) || !fota_device_id_ok(s)) {
            return fota_res_bad(req, "field_limit", "devices",
                                "\"devices\"[%zu].id must have 1 to %d bytes "
                                "without control characters", i, FOTA_ID_MAX);
        }

        if (version != NULL
            && (!json_is_string(version)
                || fota_version_check(fota_slice(json_string_value(version),
                                          json_string_length(version)))
                   != FOTA_OK))
        {
            return fota_res_bad(req, "field_value", "devices",
                                "\"devices\"[%zu].version is no version of at "
                                "most %d bytes", i, FOTA_VERSION_MAX);
        }

        json_object_foreach(v, key, m) {
            if (m != id && m != version
                && !((strcmp(key, "blocked") == 0
                      || strcmp(key, "test") == 0) && json_is_boolean(m)))
            {
                return fota_res_bad(req, "field_unknown", "devices",
                                    "\"devices\"[%zu] takes id, version, "
                                    "blocked and test", i);
            }
        }
    }

    return true;
}


static int
fota_bulk_insert(fota_req_t *req, void *data)
{
    int           rc;
    bool          blocked, test;
    size_t        i;
    json_t       *v;
    uint32_t      product;
    uint64_t      id;
    fota_bulk_t  *bulk;

    bulk = data;
    bulk->created = 0;
    bulk->existing = 0;

    rc = fota_device_product(req, &product);
    if (rc != FOTA_OK) {
        return rc;
    }

    json_array_foreach(json_object_get(req->json, "devices"), i, v) {
        blocked = fota_mi(v, "blocked") != 0;
        test = fota_mi(v, "test") != 0;

        rc = fota_device_insert(req->db, req->tenant_id, product,
                                fota_ms(v, "id"), fota_ms(v, "version"),
                                blocked, test, &id);
        if (rc == FOTA_EXISTS) {
            if (bulk->skip) {
                bulk->existing++;
                continue;
            }

            (void) fota_res_problem(req, 409, "device_exists", "devices",
                                    "\"devices\"[%zu]: there is a device of "
                                    "this id already", i);
            return rc;
        }

        if (rc == FOTA_OK && (blocked || test)) {
            rc = fota_outbox_put(req->db, FOTA_T_DEVICE, req->tenant_id, id);
        }

        if (rc != FOTA_OK) {
            return rc;
        }

        bulk->created++;
    }

    (void) fota_res_json(req, 200, json_pack("{s:I, s:I}", "created",
                                             (json_int_t) bulk->created,
                                             "existing",
                                             (json_int_t) bulk->existing));

    return fota_audit(req, req->tenant_id, "device:bulk",
                      fota_object(req, "product",
                                  fota_ms(req->json, "product")),
                      NULL, json_pack("{s:I}", "created",
                                      (json_int_t) bulk->created));
}


static int
fota_bulk_create(fota_req_t *req)
{
    fota_bulk_t  bulk;

    return fota_bulk_check(req, &bulk)
           ? fota_tx(req, fota_bulk_insert, &bulk) : FOTA_OK;
}


/* History */


static json_t *
fota_history_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "time_ms", fota_cell_int(rows, 0));
    json_object_set_new(v, "rollout", fota_cell_int(rows, 1));
    json_object_set_new(v, "attempt", fota_cell_int(rows, 2));
    json_object_set_new(v, "seq", fota_cell_int(rows, 3));
    json_object_set_new(v, "state", fota_cell(rows, 4));
    json_object_set_new(v, "progress", fota_cell_int(rows, 5));
    json_object_set_new(v, "version", fota_cell(rows, 6));
    json_object_set_new(v, "node", fota_cell(rows, 7));
    json_object_set_new(v, "bytes", fota_cell_int(rows, 8));
    json_object_set_new(v, "ms", fota_cell_int(rows, 9));
    json_object_set_new(v, "error_code", fota_cell(rows, 10));
    json_object_set_new(v, "error_text", fota_cell(rows, 11));

    return v;
}


static int
fota_history_list(fota_req_t *req)
{
    int           rc;
    uint64_t      id;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_number(req, &page, INT64_MAX)) {
        return FOTA_OK;
    }

    rc = fota_find_device(req, fota_req_param(req, "device"), &id);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT e.ts, e.rollout_id,"
             " e.attempt, e.seq, e.state, e.progress, e.version, n.name,"
             " e.bytes, e.ms, e.error_code, e.error_text"
             " FROM report_event e LEFT JOIN node n ON n.id = e.node_id"
             " WHERE e.device_id = ? AND e.ts < ?"
             " ORDER BY e.ts DESC, e.seq DESC LIMIT ?", "uuu", id,
             page.after_id, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_history_json);
}


/* Tokens */


static int
fota_token_derive(fota_req_t *req)
{
    int           rc;
    char          text[FOTA_DEVICE_TOKEN_LEN + 1];
    uint8_t       key[32];
    uint16_t      kid;
    uint64_t      id;
    fota_str_t    name;
    fota_hmac_t  *h;

    name = fota_req_param(req, "device");

    rc = fota_find_device(req, name, &id);

    if (rc == FOTA_OK) {
        rc = fota_secret_load(req->server, req->db, FOTA_KEY_DEVICE,
                              req->tenant_id, 0, &kid, key, NULL);

        if (rc == FOTA_NOTFOUND) {
            return fota_res_problem(req, 409, "no_device_key", NULL,
                                    "the tenant has no key for device "
                                    "tokens yet");
        }
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    h = fota_hmac_new(key, sizeof(key));
    rc = h != NULL ? fota_device_token(h, req->tenant_id, name, text)
                   : FOTA_NOMEM;
    text[FOTA_DEVICE_TOKEN_LEN] = '\0';

    fota_hmac_free(h);
    fota_cleanse(key, sizeof(key));

    return rc == FOTA_OK
           ? fota_res_json(req, 200, json_pack("{s:o, s:s, s:i}", "device",
                                               fota_json_text(name), "token",
                                               text, "kid", (int) kid))
           : rc;
}


/* data NULL: removes it. */

static int
fota_token_own(fota_req_t *req, void *data)
{
    int          rc;
    uint8_t      hash[32];
    uint64_t     id;
    fota_str_t   name, *token;

    token = data;
    name = fota_req_param(req, "device");

    rc = fota_find_device(req, name, &id);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (token != NULL) {
        rc = fota_sha256(hash, token->data, token->len);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE device SET token_sha256 = ?"
                 " WHERE tenant_id = ? AND id = ?", "Suu",
                 fota_slice(token != NULL ? hash : NULL, sizeof(hash)),
                 fota_u64(req->tenant_id), id);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_DEVICE, req->tenant_id, id);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (token != NULL) {
        (void) fota_res_json(req, 200, json_pack("{s:o, s:o}", "device",
                                                 fota_json_text(name),
                                                 "token",
                                                 fota_json_text(*token)));
    } else {
        (void) fota_res_empty(req, 204);
    }

    return fota_audit(req, req->tenant_id, "device:token",
                      fota_object(req, "device", name), NULL,
                      json_pack("{s:b}", "own_token", token != NULL));
}


static int
fota_token_set(fota_req_t *req)
{
    char        text[64];
    uint8_t     secret[32];
    fota_str_t  token;

    static const char *const  names[] = { "token", NULL };

    token = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_name(req, "token", false, 256, &token))
    {
        return FOTA_OK;
    }

    if (token.data == NULL) {
        if (fota_random(secret, sizeof(secret)) != FOTA_OK) {
            return FOTA_ERROR;
        }

        token = fota_slice(text, fota_base64url_encode(text, secret, 32));
        fota_cleanse(secret, sizeof(secret));

    } else if (token.len < 16) {
        return fota_res_problem(req, 400, "field_limit", "token",
                                "\"token\" must have 16 to 256 bytes");
    }

    return fota_tx(req, fota_token_own, &token);
}


static int
fota_token_unset(fota_req_t *req)
{
    return fota_tx(req, fota_token_own, NULL);
}


static const fota_route_t  fota_search_table[] = {
    { "GET", "/api/v1/devices", "device:read", fota_search_list, NULL, 0, 0 },
    { "GET", "/api/v1/devices/count", "device:read", fota_search_count, NULL,
      0, 0 },
    { "POST", "/api/v1/devices/bulk", "device:create", fota_bulk_create,
      NULL, FOTA_BULK_BODY, 0 },
    { "GET", "/api/v1/devices/{device}/history", "device:read",
      fota_history_list, NULL, 0, 0 },
    { "POST", "/api/v1/devices/{device}/token", "device:token",
      fota_token_derive, NULL, 0, 0 },
    { "PUT", "/api/v1/devices/{device}/own-token", "device:token",
      fota_token_set, NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/devices/{device}/own-token", "device:token",
      fota_token_unset, NULL, 0, 0 }
};

FOTA_ROUTE_SET(device_search, fota_search_table);
