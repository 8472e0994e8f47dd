/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Revocation of download tokens: everything issued before a moment for a
 * rollout, a tenant or a device.
 */


#include <stdio.h>

#include "entity.h"
#include "fota_encode.h"
#include "fota_token.h"


#define FOTA_DENY_COLUMNS  "kind, id, subject, not_before_s, cut, created"


typedef struct {
    uint8_t      id[8];
    uint64_t     kind;          /* 0 rollout, 1 tenant, 2 device */
    bool         cut;
} fota_deny_in_t;


static const char *const  fota_deny_kinds[] = { "rollout", "tenant",
                                                "device" };


static json_t *
fota_deny_json(fota_req_t *req, fota_rows_t *rows)
{
    char         text[64], hex[17];
    json_t      *v;
    unsigned     kind;
    fota_str_t   id;

    kind = (unsigned) fota_db_u64(rows, 0);
    kind = kind >= 1 && kind <= 3 ? kind - 1 : 0;
    id = fota_db_str(rows, 1);

    fota_hex_encode(hex, id.data, 8);
    hex[16] = '\0';
    snprintf(text, sizeof(text), "%s-%s", fota_deny_kinds[kind], hex);

    v = json_object();
    json_object_set_new(v, "id", json_string(text));
    json_object_set_new(v, "kind", json_string(fota_deny_kinds[kind]));
    json_object_set_new(v, "subject", fota_cell(rows, 2));
    json_object_set_new(v, "not_before_s", fota_cell_int(rows, 3));
    json_object_set_new(v, "cut", fota_cell_bool(rows, 4));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 5));

    return v;
}


static int
fota_deny_list(fota_req_t *req)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_DENY_COLUMNS
             " FROM deny WHERE tenant_id = ? ORDER BY created DESC, kind, id"
             " LIMIT 100000", "u", fota_u64(req->tenant_id));

    return fota_list_answer(req, rc, rows, fota_deny_json);
}


static void
fota_deny_number(uint8_t id[8], uint64_t v)
{
    unsigned  i;

    for (i = 0; i < 8; i++) {
        id[i] = (uint8_t) (v >> (56 - 8 * i));
    }
}


static int
fota_deny_subject(fota_req_t *req, fota_deny_in_t *in, fota_str_t *subject)
{
    int           rc;
    uint64_t      id;
    fota_rows_t  *rows;

    if (in->kind == 1) {
        fota_deny_number(in->id, req->tenant_id);
        *subject = req->tenant_name;
        return FOTA_OK;
    }

    if (in->kind == 2) {
        *subject = fota_ms(req->json, "device");
        return fota_token_device_tag(in->id, req->tenant_id, *subject);
    }

    id = fota_mu(req->json, "rollout");
    fota_deny_number(in->id, id);

    rc = fota_db_first(req->db, &rows, "SELECT name FROM rollout"
                       " WHERE tenant_id = ? AND id = ?", "uu",
                       fota_u64(req->tenant_id), id);

    if (rc == FOTA_OK) {
        *subject = fota_strdup(&req->arena.mem, fota_db_str(rows, 0));
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "rollout") : rc;
}


static int
fota_deny_insert(fota_req_t *req, void *data)
{
    int              rc;
    size_t           len;
    json_t          *after;
    uint8_t          key[FOTA_KEY_MAX];
    fota_str_t       subject;
    fota_rows_t     *rows;
    fota_deny_in_t  *in;

    after = NULL;
    in = data;
    subject = fota_slice("", 0);

    rc = fota_deny_subject(req, in, &subject);

    /* Tokens of this second are meant too. */

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO deny (kind, id, not_before_s,"
                 " cut, tenant_id, subject, created)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE"
                 " not_before_s = VALUES(not_before_s), cut = VALUES(cut),"
                 " tenant_id = VALUES(tenant_id),"
                 " subject = VALUES(subject)", "usiuusi", in->kind + 1,
                 fota_slice(in->id, 8), fota_now_ms() / 1000 + 1,
                 fota_u64(in->cut), fota_u64(req->tenant_id), subject,
                 fota_now_ms());
    }

    if (rc == FOTA_OK) {
        len = fota_key_deny(key, (uint8_t) (in->kind + 1), in->id);
        rc = fota_outbox_key(req->db, FOTA_T_DENY, fota_slice(key, len));
    }

    if (rc == FOTA_OK) {
        rc = fota_db_query(req->db, &rows, "SELECT " FOTA_DENY_COLUMNS
                 " FROM deny WHERE tenant_id = ? AND kind = ? AND id = ?",
                 "uus", fota_u64(req->tenant_id), in->kind + 1,
                 fota_slice(in->id, 8));
        rc = fota_row_one(req, rc, rows, "deny", fota_deny_json, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "deny:create",
                        fota_object(req, fota_deny_kinds[in->kind], subject),
                        NULL, after);
}


static int
fota_deny_create(fota_req_t *req)
{
    int64_t          n;
    fota_str_t       s;
    fota_deny_in_t   in;

    static const char *const  names[] = {
        "kind", "rollout", "device", "cut", NULL
    };

    memset(&in, 0, sizeof(in));
    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_str(req, "kind", true, 16, &s)
        || !fota_json_word(req, "kind", fota_deny_kinds, 3, &in.kind)
        || !fota_json_i64(req, "rollout", in.kind == 0, 1, UINT32_MAX, &n)
        || !fota_json_name(req, "device", in.kind == 2, FOTA_ID_MAX, &s)
        || !fota_json_flag(req, "cut", &in.cut))
    {
        return FOTA_OK;
    }

    return fota_tx(req, fota_deny_insert, &in);
}


/* "device-0011223344556677" */

static bool
fota_deny_param(fota_req_t *req, fota_deny_in_t *in)
{
    size_t      len;
    fota_str_t  s;

    s = fota_req_param(req, "deny");

    for (in->kind = 0; in->kind < 3; in->kind++) {
        len = strlen(fota_deny_kinds[in->kind]);

        if (s.len == len + 17 && s.data[len] == '-'
            && memcmp(s.data, fota_deny_kinds[in->kind], len) == 0
            && fota_hex_decode(in->id, 8, fota_slice(s.data + len + 1, 16))
               == FOTA_OK)
        {
            return true;
        }
    }

    (void) fota_unknown(req, "deny");

    return false;
}


static int
fota_deny_remove(fota_req_t *req, void *data)
{
    int              rc;
    size_t           len;
    uint8_t          key[FOTA_KEY_MAX];
    fota_deny_in_t  *in;

    in = data;

    rc = fota_db_exec(req->db, "DELETE FROM deny WHERE tenant_id = ?"
                      " AND kind = ? AND id = ?", "uus",
                      fota_u64(req->tenant_id), in->kind + 1,
                      fota_slice(in->id, 8));

    if (rc == FOTA_OK && fota_db_affected(req->db) == 0) {
        return fota_unknown(req, "deny");
    }

    if (rc == FOTA_OK) {
        len = fota_key_deny(key, (uint8_t) (in->kind + 1), in->id);
        rc = fota_outbox_key(req->db, FOTA_T_DENY, fota_slice(key, len));
    }

    return fota_changed(req, rc, req->tenant_id, "deny:delete",
                        fota_object(req, "deny", fota_req_param(req, "deny")),
                        NULL, NULL);
}


static int
fota_deny_delete(fota_req_t *req)
{
    fota_deny_in_t  in;

    return fota_deny_param(req, &in)
           ? fota_tx(req, fota_deny_remove, &in) : FOTA_OK;
}


static const fota_route_t  fota_deny_table[] = {
    { "GET", "/api/v1/deny", "deny:read", fota_deny_list, NULL, 0, 0 },
    { "POST", "/api/v1/deny", "deny:create", fota_deny_create, NULL,
      FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/deny/{deny}", "deny:delete", fota_deny_delete, NULL,
      0, 0 }
};

FOTA_ROUTE_SET(deny, fota_deny_table);
