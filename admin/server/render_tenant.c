/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "render.h"
#include "sql_list.h"


#define FOTA_TENANT_GATEWAYS  4


static int fota_render_global(fota_render_t *r, fota_buf_t *out);
static int fota_render_tenant_lists(fota_render_t *r, fota_tenant_t *t);


/* The record "*": what holds for the whole installation. */

static int
fota_render_global(fota_render_t *r, fota_buf_t *out)
{
    int            rc;
    uint64_t       brake;
    fota_rows_t   *rows;
    fota_tenant_t  t;

    memset(&t, 0, sizeof(fota_tenant_t));

    rc = fota_db_first(r->db, &rows,
                       "SELECT value FROM setting WHERE name = 'brake'", "");

    if (rc == FOTA_OK
        && fota_str_u64(fota_db_str(rows, 0), FOTA_BRAKE_CUT, &brake)
           == FOTA_OK)
    {
        t.brake = (uint8_t) brake;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    return fota_tenant_encode(&t, out);
}


static int
fota_render_tenant_lists(fota_render_t *r, fota_tenant_t *t)
{
    int                   rc;
    fota_str_t            s;
    fota_rows_t          *rows;
    fota_default_node_t  *d;

    rc = fota_db_query(r->db, &rows, "SELECT token_sha256"
                       " FROM tenant_gateway WHERE tenant_id = ?"
                       " ORDER BY id DESC LIMIT 4", "u", (uint64_t) t->id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (t->ngateway < FOTA_TENANT_GATEWAYS
           && (rc = fota_db_row(rows)) == FOTA_OK)
    {
        s = fota_db_str(rows, 0);

        if (s.len == 32) {
            memcpy(t->gateway[t->ngateway++], s.data, 32);
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    t->issuers = fota_calloc(r->mem, FOTA_ISSUERS_MAX, sizeof(fota_str_t));
    t->defaults = fota_calloc(r->mem, FOTA_DEFAULTS_MAX,
                              sizeof(fota_default_node_t));

    if (t->issuers == NULL || t->defaults == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(r->db, &rows, "SELECT dn FROM tenant_issuer"
                       " WHERE tenant_id = ? ORDER BY dn", "u",
                       (uint64_t) t->id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (t->nissuers < FOTA_ISSUERS_MAX
           && (rc = fota_db_row(rows)) == FOTA_OK)
    {
        s = fota_sql_dup(r->mem, rows, 0);

        if (s.len != 0) {
            t->issuers[t->nissuers++] = s;
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    rc = fota_db_query(r->db, &rows, "SELECT country, node_id"
                       " FROM tenant_default_node WHERE tenant_id = ?"
                       " ORDER BY country, node_id", "u", (uint64_t) t->id);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (t->ndefaults < FOTA_DEFAULTS_MAX
           && (rc = fota_db_row(rows)) == FOTA_OK)
    {
        s = fota_db_str(rows, 0);
        d = &t->defaults[t->ndefaults];

        if (s.len == 0 || s.len >= sizeof(d->country)) {
            continue;
        }

        memcpy(d->country, s.data, s.len);
        d->node = (uint32_t) fota_db_u64(rows, 1);
        t->ndefaults++;
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_render_tenant(fota_render_t *r, fota_str_t name, fota_buf_t *out)
{
    int            rc;
    fota_str_t     signer;
    fota_rows_t   *rows;
    fota_tenant_t  t;

    if (fota_str_eq(name, fota_cstr("*"))) {
        return fota_render_global(r, out);
    }

    memset(&t, 0, sizeof(fota_tenant_t));

    rc = fota_db_first(r->db, &rows, "SELECT id, auth, brake, token_flags,"
                       " ip4_plen, ip6_plen, signer_pub FROM tenant"
                       " WHERE name = ?", "s", name);

    if (rc == FOTA_OK) {
        t.id = (uint32_t) fota_db_u64(rows, 0);
        t.auth = (uint8_t) fota_db_u64(rows, 1);
        t.brake = (uint8_t) fota_db_u64(rows, 2);
        t.token_flags = (uint8_t) fota_db_u64(rows, 3);
        t.ip4_plen = (uint8_t) fota_db_u64(rows, 4);
        t.ip6_plen = (uint8_t) fota_db_u64(rows, 5);
        signer = fota_db_str(rows, 6);

        if (signer.len == sizeof(t.signer)) {
            memcpy(t.signer, signer.data, sizeof(t.signer));
        }
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_OK) {
        rc = fota_render_tenant_lists(r, &t);
    }

    if (rc == FOTA_OK) {
        rc = fota_tenant_encode(&t, out);
    }

    return rc;
}
