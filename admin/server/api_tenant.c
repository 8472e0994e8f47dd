/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Tenants: how their devices authenticate, and who signs for them. */


#include <stdio.h>

#include "api_tenant.h"
#include "entity.h"
#include "fota_encode.h"
#include "secret.h"


#define FOTA_TENANT_COLUMNS                                                   \
    "name, id, title, auth, brake, token_flags, ip4_plen, ip6_plen,"          \
    " approve_above, signer_pub, signer_kid, signer_sec IS NOT NULL, created"


static json_t *fota_tenant_json(fota_req_t *req, fota_rows_t *rows);
static int fota_tenant_lists(fota_req_t *req, uint64_t id, json_t *v);
static int fota_tenant_write(fota_req_t *req, uint64_t id, json_t *body);


static const char *const  fota_tenant_auth[] = {
    "open", "gateway", "device", "mtls"
};

static const char *const  fota_tenant_bind[] = {
    "ip", "cert", "single", "once"
};

static const char *const  fota_tenant_brakes[] = { "none", "offers", "cut" };

static const char *const  fota_tenant_modes[] = { "centre", "offline" };


static json_t *
fota_tenant_json(fota_req_t *req, fota_rows_t *rows)
{
    char         text[64];
    json_t      *v, *signer;
    fota_str_t   pub;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 1));
    json_object_set_new(v, "name", fota_cell(rows, 0));
    json_object_set_new(v, "title", fota_cell(rows, 2));
    json_object_set_new(v, "auth", fota_bits_json(fota_db_u64(rows, 3),
                                                  fota_tenant_auth, 4));
    json_object_set_new(v, "brake", json_string(
        fota_tenant_brakes[fota_db_u64(rows, 4) % 3]));
    json_object_set_new(v, "token_bind", fota_bits_json(fota_db_u64(rows, 5),
                                                        fota_tenant_bind, 4));
    json_object_set_new(v, "ip4_prefix", fota_cell_int(rows, 6));
    json_object_set_new(v, "ip6_prefix", fota_cell_int(rows, 7));
    json_object_set_new(v, "approve_above", fota_cell_int(rows, 8));

    signer = json_object();
    pub = fota_db_str(rows, 9);

    if (pub.len == 32) {
        text[fota_base64_encode(text, pub.data, 32)] = '\0';
        json_object_set_new(signer, "public_key", json_string(text));
    } else {
        json_object_set_new(signer, "public_key", json_null());
    }

    json_object_set_new(signer, "kid", fota_cell_int(rows, 10));
    json_object_set_new(signer, "at_centre", fota_cell_bool(rows, 11));
    json_object_set_new(v, "signer", signer);
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 12));

    if (fota_tenant_lists(req, fota_db_u64(rows, 1), v) != FOTA_OK) {
        json_decref(v);
        return NULL;
    }

    return v;
}


static int
fota_tenant_lists(fota_req_t *req, uint64_t id, json_t *v)
{
    int           rc;
    json_t       *list;
    fota_rows_t  *rows;

    list = json_array();
    json_object_set_new(v, "issuers", list);

    rc = fota_db_query(req->db, &rows, "SELECT dn FROM tenant_issuer"
                       " WHERE tenant_id = ? ORDER BY dn", "u", id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        json_array_append_new(list, fota_cell(rows, 0));
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    list = json_array();
    json_object_set_new(v, "default_nodes", list);

    rc = fota_db_query(req->db, &rows, "SELECT d.country, n.name"
             " FROM tenant_default_node d JOIN node n ON n.id = d.node_id"
             " WHERE d.tenant_id = ? ORDER BY d.country, n.name", "u", id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        json_array_append_new(list, json_pack("{s:o, s:o}", "country",
                                              fota_cell(rows, 0), "node",
                                              fota_cell(rows, 1)));
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


/* As the API shows it, without secrets. */

static int
fota_tenant_get(fota_req_t *req, uint64_t id, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_TENANT_COLUMNS
                       " FROM tenant WHERE id = ?", "u", id);

    return fota_row_one(req, rc, rows, "tenant", fota_tenant_json, out);
}


/* A tenant's token sees its own tenant and does not learn of others. */

int
fota_tenant_param(fota_req_t *req, uint32_t *id, fota_str_t *name)
{
    int       rc;
    uint64_t  v;

    *name = fota_req_param(req, "tenant");
    *id = 0;

    if (!req->platform && !fota_str_eq(*name, req->tenant_name)) {
        return fota_unknown(req, "tenant");
    }

    rc = fota_db_number(req->db, &v, "SELECT id FROM tenant WHERE name = ?",
                        "s", *name);
    *id = (uint32_t) v;

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "tenant") : rc;
}


int
fota_tenant_hold(fota_req_t *req, uint32_t *id, fota_str_t *name)
{
    int       rc;
    uint64_t  v;

    rc = fota_tenant_param(req, id, name);

    return rc == FOTA_OK
           ? fota_db_number(req->db, &v, "SELECT id FROM tenant WHERE id = ?"
                            " FOR UPDATE", "u", fota_u64(*id))
           : rc;
}


static int
fota_tenant_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    /* tenant_id 0: the platform, all of them. */

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_TENANT_COLUMNS
             " FROM tenant WHERE name > ? AND (? = 0 OR id = ?)"
             " ORDER BY name LIMIT ?", "suuu", page.after,
             fota_u64(req->tenant_id), fota_u64(req->tenant_id),
             page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_tenant_json);
}


static int
fota_tenant_show(fota_req_t *req)
{
    int          rc;
    json_t      *v;
    uint32_t     id;
    fota_str_t   name;

    rc = fota_tenant_param(req, &id, &name);

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &v);
    }

    return rc == FOTA_OK ? fota_res_json(req, 200, v) : rc;
}


/* Items of "issuers" and "default_nodes". */

static bool
fota_tenant_check_lists(fota_req_t *req)
{
    size_t   i, len;
    json_t  *list, *v, *country, *node;

    if (!fota_json_list(req, "issuers", FOTA_ISSUERS_MAX, &list)) {
        return false;
    }

    for (i = 0; list != NULL && i < json_array_size(list); i++) {
        v = json_array_get(list, i);

        if (!json_is_string(v) || json_string_length(v) == 0
            || json_string_length(v) > 512)
        {
            return fota_res_bad(req, "field_limit", "issuers",
                                "\"issuers\" holds names of 1 to 512 bytes");
        }
    }

    if (!fota_json_list(req, "default_nodes", FOTA_DEFAULTS_MAX, &list)) {
        return false;
    }

    for (i = 0; list != NULL && i < json_array_size(list); i++) {
        v = json_array_get(list, i);
        country = json_object_get(v, "country");
        node = json_object_get(v, "node");
        len = json_string_length(country);

        if (!json_is_string(country) || !json_is_string(node) || len < 1
            || len > 3 || json_string_length(node) > FOTA_NAME_MAX)
        {
            return fota_res_bad(req, "field_value", "default_nodes",
                                "\"default_nodes\" holds {\"country\": \"JP\", "
                                "\"-AS\" or \"*\", \"node\": NAME}");
        }
    }

    return true;
}


static bool
fota_tenant_check(fota_req_t *req, bool create)
{
    uint64_t    v;
    fota_str_t  s;

    static const char *const  names[] = {
        "name", "signer", "title", "auth", "token_bind", "ip4_prefix",
        "ip6_prefix", "approve_above", "issuers", "default_nodes", NULL
    };

    s = fota_slice(NULL, 0);
    v = 0;

    if (!fota_json_only(req, create ? names : names + 2)
        || (create
            && (!fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)
                || !fota_json_word(req, "signer", fota_tenant_modes, 2, &v)))
        || !fota_json_name(req, "title", false, 256, &s)
        || !fota_bits_parse(req, "auth", fota_tenant_auth, 4, &v)
        || !fota_bits_parse(req, "token_bind", fota_tenant_bind, 4, &v)
        || !fota_json_u64(req, "ip4_prefix", false, 32, &v)
        || !fota_json_u64(req, "ip6_prefix", false, 128, &v)
        || !fota_json_u64(req, "approve_above", false, UINT32_MAX, &v))
    {
        return false;
    }

    if (create && json_string_length(json_object_get(req->json, "name")) == 1
        && json_string_value(json_object_get(req->json, "name"))[0] == '*')
    {
        return fota_res_bad(req, "field_value", "name",
                            "\"*\" stands for the whole installation");
    }

    return fota_tenant_check_lists(req);
}


static int
fota_tenant_write_lists(fota_req_t *req, uint64_t id, json_t *body)
{
    int        rc;
    size_t     i;
    json_t    *list, *v;
    uint32_t   node;

    rc = FOTA_OK;
    list = json_object_get(body, "issuers");

    if (json_is_array(list)) {
        rc = fota_db_exec(req->db, "DELETE FROM tenant_issuer"
                          " WHERE tenant_id = ?", "u", id);

        json_array_foreach(list, i, v) {
            if (rc == FOTA_OK) {
                rc = fota_db_exec(req->db, "INSERT IGNORE INTO tenant_issuer"
                         " (tenant_id, dn) VALUES (?, ?)", "uz", id,
                         json_string_value(v));
            }
        }
    }

    list = json_object_get(body, "default_nodes");

    if (rc == FOTA_OK && json_is_array(list)) {
        rc = fota_db_exec(req->db, "DELETE FROM tenant_default_node"
                          " WHERE tenant_id = ?", "u", id);

        json_array_foreach(list, i, v) {
            if (rc == FOTA_OK) {
                rc = fota_find_node(req, fota_ms(v, "node"), &node);
            }

            if (rc == FOTA_OK) {
                rc = fota_db_exec(req->db, "INSERT IGNORE INTO"
                         " tenant_default_node (tenant_id, country, node_id)"
                         " VALUES (?, ?, ?)", "usu", id,
                         fota_ms(v, "country"), fota_u64(node));
            }
        }
    }

    return rc;
}


static int
fota_tenant_write(fota_req_t *req, uint64_t id, json_t *body)
{
    int        rc;
    json_t    *v;
    uint64_t   auth, bind;

    rc = fota_tenant_get(req, id, &v);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_merge(v, body, NULL);
    auth = fota_bits_of(json_object_get(v, "auth"), fota_tenant_auth, 4);
    bind = fota_bits_of(json_object_get(v, "token_bind"), fota_tenant_bind,
                        4);

    rc = fota_db_exec(req->db, "UPDATE tenant SET title = ?, auth = ?,"
             " token_flags = ?, ip4_plen = ?, ip6_plen = ?, approve_above = ?"
             " WHERE id = ?", "suuuuuu", fota_ms(v, "title"), auth, bind,
             fota_mu(v, "ip4_prefix"), fota_mu(v, "ip6_prefix"),
             fota_mu(v, "approve_above"), id);
    json_decref(v);

    return rc == FOTA_OK ? fota_tenant_write_lists(req, id, body) : rc;
}


/* A new signing key of the tenant, sealed; or only a public key. */

static int
fota_tenant_signer(fota_req_t *req, uint64_t id, unsigned kid,
    const uint8_t *offline)
{
    int      rc;
    char     label[64];
    uint8_t  sec[32], pub[32], sealed[FOTA_SECRET_SEALED];

    if (offline != NULL) {
        return fota_db_exec(req->db, "UPDATE tenant SET signer_pub = ?,"
                   " signer_sec = NULL, signer_kid = ? WHERE id = ?", "suu",
                   fota_slice(offline, 32), fota_u64(kid), id);
    }

    snprintf(label, sizeof(label), "tenant/%llu/%u", (unsigned long long) id,
             kid);

    rc = fota_ed25519_keygen(sec, pub);

    if (rc == FOTA_OK) {
        rc = fota_secret_seal(req->server, label, sec, sealed);
    }

    fota_cleanse(sec, sizeof(sec));

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE tenant SET signer_pub = ?,"
                 " signer_sec = ?, signer_kid = ? WHERE id = ?", "ssuu",
                 fota_slice(pub, 32), fota_slice(sealed, sizeof(sealed)),
                 fota_u64(kid), id);
    }

    return rc;
}


static int
fota_tenant_insert(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *after;
    uint64_t     id;
    fota_str_t   name;

    after = NULL;
    name = fota_ms(req->json, "name");

    rc = fota_db_exec(req->db, "INSERT INTO tenant (name, created)"
                      " VALUES (?, ?)", "si", name, fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "tenant", "name");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_db_last_id(req->db);
    rc = fota_tenant_write(req, id, req->json);

    if (rc == FOTA_OK
        && !fota_str_eq(fota_ms(req->json, "signer"), fota_cstr("offline")))
    {
        rc = fota_tenant_signer(req, id, 1, NULL);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_TENANT, (uint32_t) id, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &after);
    }

    return fota_changed(req, rc, (uint32_t) id, "tenant:create",
                        fota_object(req, "tenant", name), NULL, after);
}


static int
fota_tenant_update(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *before, *after;
    uint32_t     id;
    fota_str_t   name;

    after = NULL;
    rc = fota_tenant_hold(req, &id, &name);

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_tenant_write(req, id, req->json);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_TENANT, id, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &after);
    }

    return fota_changed(req, rc, id, "tenant:update",
                        fota_object(req, "tenant", name), before, after);
}


static int
fota_tenant_set_signer(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *before, *after;
    unsigned     kid;
    uint32_t     id;
    fota_str_t   name;

    rc = fota_tenant_hold(req, &id, &name);

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    kid = (unsigned) fota_mu(json_object_get(before, "signer"), "kid");

    if (!json_is_null(json_object_get(json_object_get(before, "signer"),
                                      "public_key")))
    {
        kid = kid == 65535 ? 1 : kid + 1;
    }

    rc = fota_tenant_signer(req, id, kid, data);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_TENANT, id, id);
    }

    if (rc == FOTA_OK) {
        rc = fota_tenant_get(req, id, &after);
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    (void) fota_res_json(req, 200,
                         json_incref(json_object_get(after, "signer")));

    return fota_audit(req, id, "tenant:keys",
                      fota_object(req, "tenant", name), before, after);
}


static int
fota_tenant_create(fota_req_t *req)
{
    return fota_tenant_check(req, true)
           ? fota_tx(req, fota_tenant_insert, NULL) : FOTA_OK;
}


static int
fota_tenant_patch(fota_req_t *req)
{
    return fota_tenant_check(req, false)
           ? fota_tx(req, fota_tenant_update, NULL) : FOTA_OK;
}


static int
fota_tenant_put_signer(fota_req_t *req)
{
    bool        given;
    uint8_t     pub[32];
    uint64_t    mode;
    fota_str_t  s;

    static const char *const  names[] = { "mode", "public_key", NULL };

    mode = 0;
    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_str(req, "mode", true, 16, &s)
        || !fota_json_word(req, "mode", fota_tenant_modes, 2, &mode)
        || !fota_json_base64(req, "public_key", 32, pub, &given))
    {
        return FOTA_OK;
    }

    if (given != (mode == 1)) {
        return fota_res_problem(req, 400, "field_value", "public_key",
                                "\"public_key\" goes with mode \"offline\"");
    }

    return fota_tx(req, fota_tenant_set_signer, mode == 1 ? pub : NULL);
}


static const fota_route_t  fota_tenant_table[] = {
    { "GET", "/api/v1/tenants", "tenant:read", fota_tenant_list, NULL, 0,
      FOTA_ROUTE_ANY },
    { "POST", "/api/v1/tenants", "tenant:create", fota_tenant_create, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM },
    { "GET", "/api/v1/tenants/{tenant}", "tenant:read", fota_tenant_show,
      NULL, 0, FOTA_ROUTE_ANY },
    { "PATCH", "/api/v1/tenants/{tenant}", "tenant:update", fota_tenant_patch,
      NULL, FOTA_BODY_JSON, FOTA_ROUTE_ANY },
    { "PUT", "/api/v1/tenants/{tenant}/signer", "tenant:keys",
      fota_tenant_put_signer, NULL, FOTA_BODY_JSON, FOTA_ROUTE_ANY }
};

FOTA_ROUTE_SET(tenant, fota_tenant_table);
