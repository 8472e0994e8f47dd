/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Keys of the platform: roots of download tokens, made before they are used
 * so that every edge has them in time, and the credentials of operators on
 * the edges.
 */


#include "entity.h"
#include "secret.h"


#define FOTA_OPERATOR_PREFIX  "fota_op_"


static const char *const  fota_keyring_states[] = {
    "next", "current", "previous"
};

static const char *const  fota_keyring_kinds[] = {
    "", "download", "device", "operator"
};


static json_t *
fota_keyring_json(unsigned kind, uint64_t scope, uint64_t kid, uint64_t state,
    int64_t created)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "kind", json_string(
        fota_keyring_kinds[kind <= 3 ? kind : 0]));
    json_object_set_new(v, "scope", json_integer((json_int_t) scope));
    json_object_set_new(v, "kid", json_integer((json_int_t) kid));
    json_object_set_new(v, "state",
                        json_string(fota_keyring_states[state % 3]));
    json_object_set_new(v, "created_ms", json_integer(created));

    return v;
}


static int
fota_keyring_list(fota_req_t *req)
{
    int           rc;
    json_t       *list;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT kind, scope, kid, state,"
             " created FROM secret_key WHERE kind BETWEEN 1 AND 3"
             " ORDER BY kind, scope, kid", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    list = json_array();

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        json_array_append_new(list, fota_keyring_json(
            (unsigned) fota_db_u64(rows, 0), fota_db_u64(rows, 1),
            fota_db_u64(rows, 2), fota_db_u64(rows, 3),
            fota_db_i64(rows, 4)));
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        json_decref(list);
        return rc;
    }

    return fota_res_json(req, 200, json_pack("{s:o}", "items", list));
}


static bool
fota_keyring_scope(fota_req_t *req, uint64_t *scope)
{
    return fota_param_id(req, "scope", "group", scope);
}


/* The key in state NEXT; FOTA_NOTFOUND without an answer. */

static int
fota_keyring_next_kid(fota_req_t *req, uint64_t scope, uint16_t *kid)
{
    int       rc;
    uint64_t  v;

    rc = fota_db_number(req->db, &v, "SELECT kid FROM secret_key"
             " WHERE kind = ? AND scope = ? AND state = ? FOR UPDATE", "uuu",
             fota_u64(FOTA_KEY_DOWNLOAD), scope, fota_u64(FOTA_KEY_NEXT));
    *kid = (uint16_t) v;

    return rc;
}


static int
fota_keyring_make(fota_req_t *req, void *data)
{
    int        rc;
    bool       there;
    uint8_t    secret[32];
    uint16_t   kid;
    uint64_t  *scope;

    scope = data;

    /* Held, so that two requests cannot both make one. */

    rc = fota_db_exists(req->db, &there, "SELECT 1 FROM node_group"
                        " WHERE id = ? AND id > 0 FOR UPDATE", "u", *scope);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (!there) {
        return fota_unknown(req, "group");
    }

    rc = fota_keyring_next_kid(req, *scope, &kid);

    if (rc == FOTA_OK) {
        return fota_res_refuse(req, 409, "key_exists", NULL,
                               "there is a next key already: %u", kid);
    }

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    rc = fota_secret_next(req->db, FOTA_KEY_DOWNLOAD, (uint32_t) *scope,
                          &kid);

    if (rc == FOTA_OK) {
        rc = fota_random(secret, sizeof(secret));
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_store(req->server, req->db, FOTA_KEY_DOWNLOAD,
                               (uint32_t) *scope, kid, FOTA_KEY_NEXT, secret,
                               NULL);
    }

    fota_cleanse(secret, sizeof(secret));

    if (rc == FOTA_OK) {
        rc = fota_secret_publish(req->db, FOTA_KEY_DOWNLOAD,
                                 (uint32_t) *scope, kid);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 201, fota_keyring_json(FOTA_KEY_DOWNLOAD,
                                                     *scope, kid,
                                                     FOTA_KEY_NEXT,
                                                     fota_now_ms()));

    return fota_audit(req, 0, "key:next", fota_cstr("key/download"), NULL,
                      json_pack("{s:I, s:i}", "scope", (json_int_t) *scope,
                                "kid", (int) kid));
}


static int
fota_keyring_use(fota_req_t *req, void *data)
{
    int        rc;
    uint16_t   kid;
    uint64_t  *scope;

    scope = data;

    rc = fota_keyring_next_kid(req, *scope, &kid);

    if (rc == FOTA_NOTFOUND) {
        (void) fota_res_problem(req, 409, "no_next_key", NULL,
                                "make a next key first");
        return rc;
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_retire(req->db, FOTA_KEY_DOWNLOAD,
                                (uint32_t) *scope);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE secret_key SET state = ?"
                 " WHERE kind = ? AND scope = ? AND kid = ?", "uuuu",
                 fota_u64(FOTA_KEY_CURRENT), fota_u64(FOTA_KEY_DOWNLOAD),
                 *scope, fota_u64(kid));
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_publish(req->db, FOTA_KEY_DOWNLOAD,
                                 (uint32_t) *scope, kid);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 200, fota_keyring_json(FOTA_KEY_DOWNLOAD,
                                                     *scope, kid,
                                                     FOTA_KEY_CURRENT,
                                                     fota_now_ms()));

    return fota_audit(req, 0, "key:activate", fota_cstr("key/download"), NULL,
                      json_pack("{s:I, s:i}", "scope", (json_int_t) *scope,
                                "kid", (int) kid));
}


static int
fota_keyring_next(fota_req_t *req)
{
    uint64_t  scope;

    return fota_keyring_scope(req, &scope)
           ? fota_tx(req, fota_keyring_make, &scope) : FOTA_OK;
}


static int
fota_keyring_activate(fota_req_t *req)
{
    uint64_t  scope;

    return fota_keyring_scope(req, &scope)
           ? fota_tx(req, fota_keyring_use, &scope) : FOTA_OK;
}


/* Operators: the secret of the key is the SHA-256 of their token. */


static json_t *
fota_operator_json(fota_req_t *req, fota_rows_t *rows)
{
    return json_pack("{s:o, s:o}", "kid", fota_cell_int(rows, 0),
                     "created_ms", fota_cell_int(rows, 1));
}


static int
fota_operator_list(fota_req_t *req)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT kid, created FROM secret_key"
                       " WHERE kind = 3 AND scope = 0 ORDER BY kid", "");

    return fota_list_answer(req, rc, rows, fota_operator_json);
}


static int
fota_operator_insert(fota_req_t *req, void *data)
{
    int       rc;
    char      text[FOTA_CREDENTIAL_MAX];
    uint8_t   hash[32];
    uint16_t  kid;

    rc = fota_credential_new(FOTA_OPERATOR_PREFIX, text, hash);

    if (rc == FOTA_OK) {
        rc = fota_secret_next(req->db, FOTA_KEY_OPERATOR, 0, &kid);
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_store(req->server, req->db, FOTA_KEY_OPERATOR, 0,
                               kid, FOTA_KEY_CURRENT, hash, NULL);
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_publish(req->db, FOTA_KEY_OPERATOR, 0, kid);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 201, json_pack("{s:i, s:I, s:s}", "kid",
                                             (int) kid, "created_ms",
                                             (json_int_t) fota_now_ms(),
                                             "token", text));
    fota_cleanse(text, sizeof(text));

    return fota_audit(req, 0, "key:operator", fota_cstr("key/operator"), NULL,
                      json_pack("{s:i}", "kid", (int) kid));
}


static int
fota_operator_create(fota_req_t *req)
{
    return fota_tx(req, fota_operator_insert, NULL);
}


static int
fota_operator_remove(fota_req_t *req, void *data)
{
    int        rc;
    uint64_t  *kid;

    kid = data;

    rc = fota_db_exec(req->db, "DELETE FROM secret_key WHERE kind = ?"
                      " AND scope = 0 AND kid = ?", "uu",
                      fota_u64(FOTA_KEY_OPERATOR), *kid);

    if (rc == FOTA_OK && fota_db_affected(req->db) == 0) {
        return fota_unknown(req, "key");
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_publish(req->db, FOTA_KEY_OPERATOR, 0,
                                 (uint16_t) *kid);
    }

    return fota_changed(req, rc, 0, "key:operator", fota_cstr("key/operator"),
                        json_pack("{s:I}", "kid", (json_int_t) *kid), NULL);
}


static int
fota_operator_delete(fota_req_t *req)
{
    uint64_t  kid;

    if (!fota_param_id(req, "key", "key", &kid)) {
        return FOTA_OK;
    }

    return kid <= 65535 ? fota_tx(req, fota_operator_remove, &kid)
                        : fota_unknown(req, "key");
}


static const fota_route_t  fota_keyring_table[] = {
    { "GET", "/api/v1/keys", "key:read", fota_keyring_list, NULL, 0,
      FOTA_ROUTE_PLATFORM },
    { "POST", "/api/v1/keys/download/{scope}/next", "key:rotate",
      fota_keyring_next, NULL, 0, FOTA_ROUTE_PLATFORM },
    { "POST", "/api/v1/keys/download/{scope}/activate", "key:rotate",
      fota_keyring_activate, NULL, 0, FOTA_ROUTE_PLATFORM },
    { "GET", "/api/v1/operator-keys", "key:read", fota_operator_list, NULL,
      0, FOTA_ROUTE_PLATFORM },
    { "POST", "/api/v1/operator-keys", "key:rotate", fota_operator_create,
      NULL, 0, FOTA_ROUTE_PLATFORM },
    { "DELETE", "/api/v1/operator-keys/{key}", "key:rotate",
      fota_operator_delete, NULL, 0, FOTA_ROUTE_PLATFORM }
};

FOTA_ROUTE_SET(keyring, fota_keyring_table);
