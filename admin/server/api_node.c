/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Edge nodes, their groups, and what their agents say. */


#include <stdio.h>

#include "admin_init.h"
#include "entity.h"
#include "node_row.h"


static json_t *fota_node_json(fota_req_t *req, fota_rows_t *rows);
static json_t *fota_node_status(fota_rows_t *rows);
static int fota_node_get(fota_req_t *req, fota_str_t name, json_t **out);
static bool fota_node_check(fota_req_t *req, bool create);
static int fota_node_write(fota_req_t *req, uint32_t id, json_t *v);


#define FOTA_NODE_SEEN_MS  60000

#define FOTA_NODE_COLUMNS                                                     \
    "n.name, n.id, n.group_id, n.site, n.url, n.state, n.families, n.scope,"  \
    " n.weight, n.cap_mbps, n.lat, n.lon, n.country, n.continent, n.city,"    \
    " n.asns, n.tenants, n.excluded, n.created, s.node_id, s.epoch, s.seq,"   \
    " s.acked, s.load_pct, s.health_pct, s.egress_bps, s.disk_free,"          \
    " s.spool_records, s.artifacts, s.version, s.error, s.nack_seq, s.seen,"  \
    " (SELECT f.seq FROM feed f WHERE f.id = 1)"

#define FOTA_NODE_FROM                                                        \
    " FROM node n LEFT JOIN node_status s ON s.node_id = n.id"


static const char *const  fota_node_states[] = { "up", "drain", "down" };

static const char *const  fota_node_families[] = { "v4", "v6" };

static const char *const  fota_node_scopes[] = {
    "any", "continent", "country", "asn", "prefix"
};


static json_t *
fota_node_status(fota_rows_t *rows)
{
    char      epoch[17];
    json_t   *v;
    int64_t   seen;
    uint64_t  head, acked;

    if (fota_db_null(rows, 19)) {
        return json_null();
    }

    snprintf(epoch, sizeof(epoch), "%016llx",
             (unsigned long long) fota_db_u64(rows, 20));
    acked = fota_db_u64(rows, 22);
    head = fota_db_u64(rows, 33);
    seen = fota_db_i64(rows, 32);

    v = json_object();
    json_object_set_new(v, "epoch", json_string(epoch));
    json_object_set_new(v, "seq", fota_cell_int(rows, 21));
    json_object_set_new(v, "acked", fota_cell_int(rows, 22));
    json_object_set_new(v, "behind", json_integer(
        head > acked ? (json_int_t) (head - acked) : 0));
    json_object_set_new(v, "load_pct", fota_cell_int(rows, 23));
    json_object_set_new(v, "health_pct", fota_cell_int(rows, 24));
    json_object_set_new(v, "egress_bps", fota_cell_int(rows, 25));
    json_object_set_new(v, "disk_free", fota_cell_int(rows, 26));
    json_object_set_new(v, "spool_records", fota_cell_int(rows, 27));
    json_object_set_new(v, "artifacts", fota_cell_int(rows, 28));
    json_object_set_new(v, "version", fota_cell(rows, 29));
    json_object_set_new(v, "error", fota_cell(rows, 30));
    json_object_set_new(v, "nack_seq", fota_cell_int(rows, 31));
    json_object_set_new(v, "seen_ms", json_integer(seen));
    json_object_set_new(v, "connected", json_boolean(
        fota_now_ms() - seen < FOTA_NODE_SEEN_MS));

    return v;
}


static json_t *
fota_node_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v, *tenants;

    tenants = fota_node_tenants(req, fota_db_str(rows, 16));
    if (tenants == NULL) {
        return NULL;
    }

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 1));
    json_object_set_new(v, "name", fota_cell(rows, 0));
    json_object_set_new(v, "group", fota_cell_int(rows, 2));
    json_object_set_new(v, "site", fota_cell(rows, 3));
    json_object_set_new(v, "url", fota_cell(rows, 4));
    json_object_set_new(v, "state", fota_cell(rows, 5));
    json_object_set_new(v, "families", fota_bits_json(fota_db_u64(rows, 6),
                                                fota_node_families, 2));
    json_object_set_new(v, "scope", fota_cell(rows, 7));
    json_object_set_new(v, "weight", fota_cell_int(rows, 8));
    json_object_set_new(v, "cap_mbps", fota_cell_int(rows, 9));
    json_object_set_new(v, "lat", json_real(fota_db_double(rows, 10)));
    json_object_set_new(v, "lon", json_real(fota_db_double(rows, 11)));
    json_object_set_new(v, "country", fota_cell(rows, 12));
    json_object_set_new(v, "continent", fota_cell(rows, 13));
    json_object_set_new(v, "city", fota_cell(rows, 14));
    json_object_set_new(v, "asns", fota_node_split(fota_db_str(rows, 15),
                                                   true));
    json_object_set_new(v, "tenants", tenants);
    json_object_set_new(v, "excluded", fota_node_split(fota_db_str(rows, 17),
                                                       false));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 18));
    json_object_set_new(v, "status", fota_node_status(rows));

    return v;
}


static int
fota_node_get(fota_req_t *req, fota_str_t name, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_NODE_COLUMNS
                       FOTA_NODE_FROM " WHERE n.name = ?", "s", name);

    return fota_row_one(req, rc, rows, "node", fota_node_json, out);
}


static int
fota_node_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_NODE_COLUMNS
             FOTA_NODE_FROM " WHERE n.name > ? ORDER BY n.name LIMIT ?", "su",
             page.after, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_node_json);
}


static int
fota_node_show(fota_req_t *req)
{
    int      rc;
    json_t  *v;

    rc = fota_node_get(req, fota_req_param(req, "node"), &v);

    return rc == FOTA_OK ? fota_res_json(req, 200, v) : rc;
}


static bool
fota_node_check(fota_req_t *req, bool create)
{
    size_t      i;
    double      d;
    int64_t     group;
    uint64_t    n;
    fota_str_t  s;

    static const char *const  names[] = {
        "name", "group", "site", "url", "state", "families", "scope",
        "weight", "cap_mbps", "lat", "lon", "country", "continent", "city",
        "asns", "tenants", "excluded", NULL
    };

    s = fota_slice(NULL, 0);
    n = 1;

    if (!fota_json_only(req, create ? names : names + 1)
        || !fota_json_i64(req, "group", false, 1, 65535, &group)
        || !fota_json_name(req, "site", false, FOTA_NAME_MAX, &s)
        || !fota_json_word(req, "state", fota_node_states, 3, &n)
        || !fota_bits_parse(req, "families", fota_node_families, 2, &n)
        || !fota_json_word(req, "scope", fota_node_scopes, 5, &n)
        || !fota_json_u64(req, "weight", false, 1000000, &n)
        || !fota_json_u64(req, "cap_mbps", false, 100000000, &n)
        || !fota_json_double(req, "lat", false, -90, 90, &d)
        || !fota_json_double(req, "lon", false, -180, 180, &d)
        || !fota_json_name(req, "country", false, 2, &s)
        || !fota_json_name(req, "continent", false, 2, &s)
        || !fota_json_name(req, "city", false, 63, &s)
        || !fota_node_check_lists(req))
    {
        return false;
    }

    if (create) {
        s = fota_slice(NULL, 0);

        if (!fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)) {
            return false;
        }

        /* It is the CN of a certificate and a word in headers. */

        if (fota_word_span(s, "._-") < s.len) {
            return fota_res_bad(req, "field_chars", "name",
                                "\"name\" takes letters, digits, dots, "
                                "dashes and \"_\"");
        }
    }

    s = fota_slice(NULL, 0);

    if (!fota_json_name(req, "url", create, 256, &s)) {
        return false;
    }

    if (s.data != NULL) {
        n = s.len > 8 && memcmp(s.data, "https://", 8) == 0 ? 8
            : s.len > 7 && memcmp(s.data, "http://", 7) == 0 ? 7 : 0;

        for (i = n; n > 0 && i < s.len; i++) {
            if (s.data[i] <= ' ' || s.data[i] >= 0x7f
                || memchr("/?#\"<>\\", s.data[i], 7) != NULL)
            {
                n = 0;
            }
        }

        if (n == 0) {
            return fota_res_bad(req, "field_value", "url",
                                "\"url\" must be https://host[:port] or "
                                "http://host[:port]");
        }
    }

    return true;
}


static int
fota_node_write(fota_req_t *req, uint32_t id, json_t *v)
{
    int       rc;
    char      asns[1024], tenants[1024], excluded[1024];
    uint64_t  families;

    rc = fota_check_node_group(req, fota_mu(v, "group"), "group");

    if (rc == FOTA_OK) {
        rc = fota_node_join(req, json_object_get(v, "tenants"), true, tenants,
                            sizeof(tenants));
    }

    if (rc == FOTA_OK) {
        rc = fota_node_join(req, json_object_get(v, "asns"), false, asns,
                            sizeof(asns));
    }

    if (rc == FOTA_OK) {
        rc = fota_node_join(req, json_object_get(v, "excluded"), false,
                            excluded, sizeof(excluded));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    families = fota_bits_of(json_object_get(v, "families"),
                            fota_node_families, 2);

    return fota_db_exec(req->db, "UPDATE node SET group_id = ?, site = ?,"
               " url = ?, state = ?, families = ?, scope = ?, weight = ?,"
               " cap_mbps = ?, lat = ?, lon = ?, country = ?, continent = ?,"
               " city = ?, asns = ?, tenants = ?, excluded = ? WHERE id = ?",
               "usssusuuddssszzzu", fota_mu(v, "group"), fota_ms(v, "site"),
               fota_ms(v, "url"), fota_ms(v, "state"), families,
               fota_ms(v, "scope"), fota_mu(v, "weight"),
               fota_mu(v, "cap_mbps"), fota_md(v, "lat"), fota_md(v, "lon"),
               fota_ms(v, "country"), fota_ms(v, "continent"),
               fota_ms(v, "city"), asns, tenants, excluded, fota_u64(id));
}


/* As fota_lock(); nodes have no tenant. */

static int
fota_node_hold(fota_req_t *req, fota_str_t name)
{
    int       rc;
    uint64_t  id;

    rc = fota_db_number(req->db, &id, "SELECT id FROM node WHERE name = ?"
                        " FOR UPDATE", "s", name);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


/* Takes v, the node as it is; the members of the body go over it. */

static int
fota_node_apply(fota_req_t *req, fota_str_t name, json_t *v, json_t **after)
{
    int       rc;
    uint32_t  id;

    id = (uint32_t) fota_mu(v, "id");
    fota_merge(v, req->json, NULL);
    rc = fota_node_write(req, id, v);
    json_decref(v);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_NODE, 0, id);
    }

    return rc == FOTA_OK ? fota_node_get(req, name, after) : rc;
}


static int
fota_node_insert(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *v, *after;
    fota_str_t   name;

    after = NULL;
    name = fota_ms(req->json, "name");

    rc = fota_db_exec(req->db, "INSERT INTO node (name, url, created)"
                      " VALUES (?, ?, ?)", "ssi", name,
                      fota_ms(req->json, "url"), fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "node", "name");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_node_get(req, name, &v);

    if (rc == FOTA_OK) {
        rc = fota_node_apply(req, name, v, &after);
    }

    return fota_changed(req, rc, 0, "node:create",
                        fota_object(req, "node", name), NULL, after);
}


static int
fota_node_update(fota_req_t *req, void *data)
{
    int          rc;
    json_t      *before, *after;
    fota_str_t   name;

    after = NULL;
    name = fota_req_param(req, "node");

    rc = fota_node_hold(req, name);

    if (rc == FOTA_OK) {
        rc = fota_node_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    json_object_del(before, "status");
    rc = fota_node_apply(req, name, json_copy(before), &after);

    return fota_changed(req, rc, 0, "node:update",
                        fota_object(req, "node", name), before, after);
}


static int
fota_node_remove(fota_req_t *req, void *data)
{
    int          rc;
    size_t       i, len;
    json_t      *before;
    uint8_t      key[FOTA_KEY_MAX];
    uint64_t     id;
    fota_str_t   name;

    static const char *const  sql[] = {
        "DELETE FROM tenant_default_node WHERE node_id = ?",
        "DELETE FROM node_status WHERE node_id = ?",
        "DELETE FROM node WHERE id = ?"
    };

    name = fota_req_param(req, "node");

    rc = fota_node_hold(req, name);

    if (rc == FOTA_OK) {
        rc = fota_node_get(req, name, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_mu(before, "id");

    /* Tenants that fall back to it say so no longer. */

    rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
             " object_id, created) SELECT DISTINCT ?, tenant_id, tenant_id, ?"
             " FROM tenant_default_node WHERE node_id = ?", "uiu",
             fota_u64(FOTA_T_TENANT), fota_now_ms(), id);

    for (i = 0; rc == FOTA_OK && i < 3; i++) {
        rc = fota_db_exec(req->db, sql[i], "u", id);
    }

    if (rc == FOTA_OK) {
        len = fota_key_u32(key, (uint32_t) id);
        rc = fota_outbox_key(req->db, FOTA_T_NODE, fota_slice(key, len));
    }

    return fota_changed(req, rc, 0, "node:delete",
                        fota_object(req, "node", name), before, NULL);
}


static int
fota_node_create(fota_req_t *req)
{
    return fota_node_check(req, true)
           ? fota_tx(req, fota_node_insert, NULL) : FOTA_OK;
}


static int
fota_node_patch(fota_req_t *req)
{
    return fota_node_check(req, false)
           ? fota_tx(req, fota_node_update, NULL) : FOTA_OK;
}


static int
fota_node_delete(fota_req_t *req)
{
    return fota_tx(req, fota_node_remove, NULL);
}


/* Groups */


static json_t *
fota_node_group_json(fota_req_t *req, fota_rows_t *rows)
{
    return json_pack("{s:o, s:o}", "id", fota_cell_int(rows, 0),
                     "name", fota_cell(rows, 1));
}


static int
fota_node_group_list(fota_req_t *req)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT id, name FROM node_group"
                       " ORDER BY id", "");

    return fota_list_answer(req, rc, rows, fota_node_group_json);
}


static int
fota_node_group_insert(fota_req_t *req, void *data)
{
    int          rc;
    bool         there;
    uint64_t    *id;
    fota_str_t   name;

    id = data;
    name = fota_ms(req->json, "name");

    rc = fota_admin_group(req->server, req->db, (uint16_t) *id, name, true);

    if (rc == FOTA_EXISTS) {
        rc = fota_db_exists(req->db, &there, "SELECT 1 FROM node_group"
                            " WHERE id = ?", "u", *id);

        return rc == FOTA_OK
               ? fota_exists(req, "group", there ? "id" : "name") : rc;
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 201, json_pack("{s:I, s:o}", "id",
                                             (json_int_t) *id, "name",
                                             fota_json_text(name)));

    return fota_audit(req, 0, "node:create",
                      fota_object(req, "node_group", name), NULL, NULL);
}


static int
fota_node_group_create(fota_req_t *req)
{
    int64_t     id;
    fota_str_t  s;

    static const char *const  names[] = { "id", "name", NULL };

    s = fota_slice(NULL, 0);
    id = 0;

    return fota_json_only(req, names)
           && fota_json_i64(req, "id", true, 1, 65535, &id)
           && fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)
           ? fota_tx(req, fota_node_group_insert, &id) : FOTA_OK;
}


static const fota_route_t  fota_node_table[] = {
    { "GET", "/api/v1/nodes", "node:read", fota_node_list, NULL, 0,
      FOTA_ROUTE_PLATFORM },
    { "POST", "/api/v1/nodes", "node:create", fota_node_create, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM },
    { "GET", "/api/v1/nodes/{node}", "node:read", fota_node_show, NULL, 0,
      FOTA_ROUTE_PLATFORM },
    { "PATCH", "/api/v1/nodes/{node}", "node:update", fota_node_patch, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM },
    { "DELETE", "/api/v1/nodes/{node}", "node:delete", fota_node_delete,
      NULL, 0, FOTA_ROUTE_PLATFORM },
    { "GET", "/api/v1/node-groups", "node:read", fota_node_group_list, NULL,
      0, FOTA_ROUTE_PLATFORM },
    { "POST", "/api/v1/node-groups", "node:create", fota_node_group_create,
      NULL, FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM }
};

FOTA_ROUTE_SET(node, fota_node_table);
