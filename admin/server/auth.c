/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Who asks: API tokens (only their SHA-256 is kept), nodes behind mutual
 * TLS, and the tenant a request is about.
 */


#include "fota_crypto.h"
#include "http_private.h"


#define FOTA_AUTH_USED_MS  60000        /* last_used moves no more often */


static int fota_auth_token(fota_req_t *req, fota_db_t *db);
static int fota_auth_node(fota_req_t *req, fota_db_t *db);
static int fota_auth_tenant(fota_req_t *req, fota_db_t *db);


int
fota_auth(fota_req_t *req, fota_db_t *db)
{
    int  rc;

    if (req->route->flags & FOTA_ROUTE_NODE) {
        return fota_auth_node(req, db);
    }

    rc = fota_auth_token(req, db);

    return rc == FOTA_OK ? fota_auth_tenant(req, db) : rc;
}


static int
fota_auth_refuse(fota_req_t *req, const char *error, const char *text)
{
    fota_res_header(req, "WWW-Authenticate", error);
    return fota_res_refuse(req, 401, "token", NULL, "%s", text);
}


static int
fota_auth_token(fota_req_t *req, fota_db_t *db)
{
    int           rc;
    bool          revoked;
    int64_t       now, expires, used;
    uint8_t       hash[32];
    fota_str_t    s, perms;
    fota_rows_t  *rows;

    s = fota_req_header(req, "Authorization");

    if (s.len < 8
        || !fota_str_eq_nocase(fota_slice(s.data, 7), fota_cstr("Bearer ")))
    {
        return fota_auth_refuse(req, "Bearer realm=\"fota\"",
                                "an API token is needed: "
                                "Authorization: Bearer fota_pat_...");
    }

    s = fota_slice(s.data + 7, s.len - 7);

    if (s.len > 256) {
        return fota_auth_refuse(req, "Bearer error=\"invalid_token\"",
                                "the token is not known");
    }

    rc = fota_sha256(hash, s.data, s.len);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_first(db, &rows,
             "SELECT a.id, a.tenant_id, a.name, a.permissions, a.expires,"
             " a.revoked, a.last_used, t.name"
             " FROM api_token a LEFT JOIN tenant t ON t.id = a.tenant_id"
             " WHERE a.token_sha256 = ?", "s", fota_slice(hash, 32));

    if (rc != FOTA_OK) {
        return rc == FOTA_NOTFOUND
            ? fota_auth_refuse(req, "Bearer error=\"invalid_token\"",
                               "the token is not known")
            : rc;
    }

    now = fota_now_ms();
    req->token_id = (uint32_t) fota_db_u64(rows, 0);
    req->tenant_id = (uint32_t) fota_db_u64(rows, 1);
    req->platform = req->tenant_id == 0;
    req->actor = fota_strdup(&req->arena.mem, fota_db_str(rows, 2));
    perms = fota_strdup(&req->arena.mem, fota_db_str(rows, 3));
    expires = fota_db_i64(rows, 4);
    revoked = fota_db_i64(rows, 5) != 0;
    used = fota_db_i64(rows, 6);
    req->tenant_name = fota_strdup(&req->arena.mem, fota_db_str(rows, 7));

    fota_db_rows_end(rows);

    if (revoked || (expires != 0 && expires <= now)) {
        return fota_auth_refuse(req, "Bearer error=\"invalid_token\"",
                                revoked ? "the token was revoked"
                                        : "the token has expired");
    }

    if (req->route->permission != NULL
        && !fota_permission_has(perms, req->route->permission))
    {
        return fota_res_refuse(req, 403, "permission", NULL,
                               "the token has no permission \"%s\"",
                               req->route->permission);
    }

    if ((req->route->flags & FOTA_ROUTE_PLATFORM) && !req->platform) {
        return fota_res_refuse(req, 403, "platform", NULL,
                               "only a token of the platform may do this");
    }

    if (now - used > FOTA_AUTH_USED_MS) {
        /* Best effort: a read-only or busy database must not lock us out. */

        (void) fota_db_exec(db, "UPDATE api_token SET last_used = ?"
                            " WHERE id = ?", "iu", now,
                            (uint64_t) req->token_id);
    }

    return FOTA_OK;
}


static int
fota_auth_tenant(fota_req_t *req, fota_db_t *db)
{
    int         rc;
    uint64_t    id;
    fota_str_t  name;

    name = fota_req_query(req, "tenant");
    if (name.data == NULL) {
        name = fota_req_header(req, "X-Fota-Tenant");
    }

    if (name.data == NULL || name.len == 0) {
        if (req->tenant_id == 0
            && !(req->route->flags & (FOTA_ROUTE_ANY | FOTA_ROUTE_PLATFORM)))
        {
            return fota_res_refuse(req, 400, "tenant_needed", "tenant",
                                   "a token of the platform names the tenant: "
                                   "?tenant=NAME or X-Fota-Tenant");
        }

        return FOTA_OK;
    }

    if (!req->platform) {
        if (fota_str_eq(name, req->tenant_name)) {
            return FOTA_OK;
        }

        return fota_res_refuse(req, 403, "tenant", "tenant",
                               "the token is for another tenant");
    }

    if (name.len > FOTA_NAME_MAX) {
        return fota_res_refuse(req, 400, "field_limit", "tenant",
                               "\"tenant\" has %zu bytes; the limit is %d",
                               name.len, FOTA_NAME_MAX);
    }

    if (!fota_str_utf8(name)) {
        return fota_res_refuse(req, 400, "field_chars", "tenant",
                               "\"tenant\" is not valid UTF-8");
    }

    rc = fota_db_number(db, &id, "SELECT id FROM tenant WHERE name = ?", "s",
                        name);

    if (rc == FOTA_NOTFOUND || fota_str_blank(name)) {
        return fota_res_refuse(req, 404, "tenant_unknown", "tenant",
                               "there is no such tenant");
    }

    req->tenant_id = (uint32_t) id;
    req->tenant_name = fota_strdup(&req->arena.mem, name);

    return rc;
}


static int
fota_auth_node(fota_req_t *req, fota_db_t *db)
{
    int           rc;
    fota_str_t    name;
    fota_rows_t  *rows;

    name = fota_req_header(req, "X-Fota-Node");

    if (name.len == 0 || name.len > FOTA_NAME_MAX || !fota_str_utf8(name)) {
        return fota_res_refuse(req, 401, "node", NULL,
                               "a client certificate of a node is needed");
    }

    rc = fota_db_first(db, &rows, "SELECT id FROM node WHERE name = ?", "s",
                       name);

    if (rc == FOTA_OK) {
        req->node_id = (uint32_t) fota_db_u64(rows, 0);
        req->node_name = fota_strdup(&req->arena.mem, name);
        req->actor = req->node_name;
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_NOTFOUND) {
        return fota_res_refuse(req, 403, "node", NULL,
                               "the node of this certificate is not "
                               "registered");
    }

    return rc;
}
