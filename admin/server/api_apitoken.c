/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* API tokens: opaque, kept as SHA-256, scoped, expiring. */


#include "admin_init.h"
#include "entity.h"
#include "fota_crypto.h"
#include "http_private.h"


#define FOTA_PERMISSIONS_MAX  64
#define FOTA_PERMISSION_LEN   64
#define FOTA_PERMISSION_TEXT  1024

#define FOTA_APITOKEN_COLUMNS                                                 \
    "a.id, a.name, t.name, a.permissions, a.expires, a.revoked, a.last_used," \
    " a.created"

#define FOTA_APITOKEN_FROM                                                    \
    " FROM api_token a LEFT JOIN tenant t ON t.id = a.tenant_id"


static json_t *
fota_apitoken_json(fota_req_t *req, fota_rows_t *rows)
{
    size_t       i, start;
    json_t      *v, *list;
    fota_str_t   s;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 0));
    json_object_set_new(v, "name", fota_cell(rows, 1));
    json_object_set_new(v, "tenant", fota_cell(rows, 2));

    list = json_array();
    s = fota_db_str(rows, 3);

    for (i = 0, start = 0; i <= s.len; i++) {
        if (i == s.len || s.data[i] == ',') {
            json_array_append_new(list, fota_json_text(
                fota_slice(s.data + start, i - start)));
            start = i + 1;
        }
    }

    json_object_set_new(v, "permissions", list);
    json_object_set_new(v, "expires_ms", fota_cell_int(rows, 4));
    json_object_set_new(v, "revoked_ms", fota_cell_int(rows, 5));
    json_object_set_new(v, "last_used_ms", fota_cell_int(rows, 6));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 7));

    return v;
}


/* The platform without a tenant sees all, everybody else the tenant's. */

static int
fota_apitoken_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_number(req, &page, 0)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_APITOKEN_COLUMNS
             FOTA_APITOKEN_FROM " WHERE a.id > ? AND (? = 0"
             " OR a.tenant_id = ?) ORDER BY a.id LIMIT ?", "uuuu",
             page.after_id, fota_u64(req->tenant_id),
             fota_u64(req->tenant_id), page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_apitoken_json);
}


static bool
fota_apitoken_word(const char *s)
{
    size_t  n;

    if (strcmp(s, "*") == 0) {
        return true;
    }

    n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");

    if (n == 0 || s[n] != ':') {
        return false;
    }

    s += n + 1;

    return strcmp(s, "*") == 0
           || (*s != '\0'
               && s[strspn(s, "abcdefghijklmnopqrstuvwxyz_")] == '\0');
}


static int
fota_apitoken_check(fota_req_t *req, char out[FOTA_PERMISSION_TEXT])
{
    int           rc;
    size_t        i;
    json_t       *list, *v;
    int64_t       n;
    fota_buf_t    b;
    fota_str_t    s, own;
    fota_rows_t  *rows;
    const char   *word;

    static const char *const  names[] = {
        "name", "permissions", "expires_in_s", NULL
    };

    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)
        || !fota_json_i64(req, "expires_in_s", false, 60, 315360000, &n)
        || !fota_json_list(req, "permissions", FOTA_PERMISSIONS_MAX, &list))
    {
        return FOTA_INVALID;
    }

    if (list == NULL || json_array_size(list) == 0) {
        return fota_res_refuse(req, 400, "field_missing", "permissions",
                               "\"permissions\" needs a member");
    }

    rc = fota_db_first(req->db, &rows, "SELECT permissions FROM api_token"
                       " WHERE id = ?", "u", fota_u64(req->token_id));
    if (rc != FOTA_OK) {
        return rc;
    }

    own = fota_strdup(&req->arena.mem, fota_db_str(rows, 0));
    fota_db_rows_end(rows);

    fota_buf_fixed(&b, out, FOTA_PERMISSION_TEXT - 1);

    json_array_foreach(list, i, v) {
        word = json_string_value(v);

        if (word == NULL || strlen(word) > FOTA_PERMISSION_LEN
            || !fota_apitoken_word(word))
        {
            return fota_res_refuse(req, 400, "field_value", "permissions",
                                   "\"permissions\"[%zu] must be \"*\", "
                                   "\"resource:action\" or \"resource:*\"", i);
        }

        /*
         * Otherwise "token:create" alone would be every permission.  "*" and
         * "resource:*" are found in the list as they are.
         */

        if (!fota_permission_has(own, word)) {
            return fota_res_refuse(req, 403, "permission", "permissions",
                                   "the token that asks has no \"%s\"", word);
        }

        if (i > 0) {
            fota_buf_u8(&b, ',');
        }

        fota_buf_cstr(&b, word);
    }

    if (b.status != FOTA_OK) {
        return fota_res_refuse(req, 400, "field_limit", "permissions",
                               "\"permissions\" may have %d bytes in all",
                               FOTA_PERMISSION_TEXT - 1);
    }

    out[b.len] = '\0';

    return FOTA_OK;
}


static int
fota_apitoken_insert(fota_req_t *req, void *data)
{
    int                  rc;
    char                 text[FOTA_CREDENTIAL_MAX];
    json_t              *after, *shown;
    int64_t              now, expires;
    uint8_t              hash[32];
    uint64_t             id;
    fota_str_t           name;
    fota_rows_t         *rows;

    name = fota_ms(req->json, "name");
    now = fota_now_ms();
    expires = fota_mi(req->json, "expires_in_s");
    expires = expires > 0 ? now + expires * 1000 : 0;

    rc = fota_credential_new(FOTA_PAT_PREFIX, text, hash);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO api_token (tenant_id, name,"
                 " token_sha256, permissions, expires, created)"
                 " VALUES (?, ?, ?, ?, ?, ?)", "usszii",
                 fota_u64(req->tenant_id), name, fota_slice(hash, 32),
                 (const char *) data, expires, now);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_db_last_id(req->db);

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_APITOKEN_COLUMNS
                       FOTA_APITOKEN_FROM " WHERE a.id = ?", "u", id);
    rc = fota_row_one(req, rc, rows, "token", fota_apitoken_json, &after);
    if (rc != FOTA_OK) {
        return rc;
    }

    shown = json_copy(after);
    json_object_set_new(shown, "token", json_string(text));
    (void) fota_res_json(req, 201, shown);
    fota_cleanse(text, sizeof(text));

    return fota_audit(req, req->tenant_id, "token:create",
                      fota_object(req, "token", name), NULL, after);
}


static int
fota_apitoken_create(fota_req_t *req)
{
    int   rc;
    char  permissions[FOTA_PERMISSION_TEXT];

    rc = fota_apitoken_check(req, permissions);

    return rc == FOTA_OK
           ? fota_tx(req, fota_apitoken_insert, permissions) : rc;
}


static int
fota_apitoken_revoke(fota_req_t *req, void *data)
{
    int           rc;
    json_t       *before;
    uint64_t     *id, tenant;
    fota_rows_t  *rows;

    id = data;

    /* Its owner's audit log tells of it, whoever revokes. */

    rc = fota_db_number(req->db, &tenant, "SELECT tenant_id FROM api_token"
             " WHERE id = ? AND (? = 1 OR tenant_id = ?) FOR UPDATE", "uuu",
             *id, fota_u64(req->platform && req->tenant_id == 0),
             fota_u64(req->tenant_id));

    if (rc == FOTA_OK) {
        rc = fota_db_query(req->db, &rows, "SELECT " FOTA_APITOKEN_COLUMNS
                           FOTA_APITOKEN_FROM " WHERE a.id = ?", "u", *id);
        rc = fota_row_one(req, rc, rows, "token", fota_apitoken_json,
                          &before);
    }

    if (rc == FOTA_NOTFOUND) {
        return fota_unknown(req, "token");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "UPDATE api_token SET revoked = ?"
                      " WHERE id = ? AND revoked = 0", "iu", fota_now_ms(),
                      *id);

    if (rc == FOTA_OK && fota_db_affected(req->db) == 0) {
        json_decref(before);
        return fota_res_empty(req, 204);        /* it was revoked before */
    }

    return fota_changed(req, rc, (uint32_t) tenant, "token:delete",
                        fota_object(req, "token", fota_ms(before, "name")),
                        before, NULL);
}


static int
fota_apitoken_delete(fota_req_t *req)
{
    uint64_t  id;

    return fota_param_id(req, "token", "token", &id)
           ? fota_tx(req, fota_apitoken_revoke, &id) : FOTA_OK;
}


static const fota_route_t  fota_apitoken_table[] = {
    { "GET", "/api/v1/tokens", "token:read", fota_apitoken_list, NULL, 0,
      FOTA_ROUTE_ANY },
    { "POST", "/api/v1/tokens", "token:create", fota_apitoken_create, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_ANY },
    { "DELETE", "/api/v1/tokens/{token}", "token:delete",
      fota_apitoken_delete, NULL, 0, FOTA_ROUTE_ANY }
};

FOTA_ROUTE_SET(apitoken, fota_apitoken_table);
