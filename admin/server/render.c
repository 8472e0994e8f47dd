/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "render.h"
#include "sql_list.h"


static uint32_t fota_be32(const uint8_t *p);
static int fota_render_one_device(fota_render_t *r, fota_str_t key,
    fota_buf_t *out);


static uint32_t
fota_be32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


bool
fota_render_fatal(int rc)
{
    switch (rc) {

    case FOTA_OK:
    case FOTA_NOTFOUND:
    case FOTA_LIMIT:
    case FOTA_FULL:
    case FOTA_INVALID:
    case FOTA_CORRUPT:
    case FOTA_FORGED:
        return false;
    }

    return true;
}


static int
fota_render_one_device(fota_render_t *r, fota_str_t key, fota_buf_t *out)
{
    int                    rc;
    size_t                 n;
    uint64_t               id;
    fota_render_device_t  *d;

    rc = fota_db_number(r->db, &id, "SELECT id FROM device"
                        " WHERE tenant_id = ? AND ext_id = ?", "us",
                        (uint64_t) fota_be32(key.data),
                        fota_slice(key.data + 4, key.len - 4));
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_render_devices(r, &id, 1, &d, &n);

    if (rc != FOTA_OK || n == 0) {
        return (rc == FOTA_OK) ? FOTA_NOTFOUND : rc;
    }

    if (d->status != FOTA_OK) {
        return d->status;
    }

    if (d->value.data == NULL) {
        return FOTA_NOTFOUND;
    }

    fota_buf_str(out, d->value);

    return out->status;
}


int
fota_render(fota_render_t *r, fota_table_e table, fota_str_t key,
    fota_buf_t *out)
{
    r->error[0] = '\0';

    switch (table) {

    case FOTA_T_TENANT:
        return fota_render_tenant(r, key, out);

    case FOTA_T_PRODUCT:
        if (key.len < 5) {
            break;
        }

        return fota_render_product(r, fota_be32(key.data),
                                   fota_slice(key.data + 4, key.len - 4),
                                   out);

    case FOTA_T_DEVICE:
        if (key.len < 5) {
            break;
        }

        return fota_render_one_device(r, key, out);

    case FOTA_T_NODE:
        if (key.len != 4) {
            break;
        }

        return fota_render_node(r, fota_be32(key.data), out);

    case FOTA_T_KEY:
        return fota_render_key(r, key, out);

    case FOTA_T_DENY:
        return fota_render_deny(r, key, out);

    case FOTA_T_GEOPREFIX:
        return fota_render_geoprefix(r, key, out);

    case FOTA_T_ZONE:
        return fota_render_zone(r, key, out);

    case FOTA_T_ARTIFACT:
        if (key.len != 32) {
            break;
        }

        return fota_render_artifact(r, key.data, out);

    default:
        break;
    }

    (void) snprintf(r->error, sizeof(r->error), "no such table or key");

    return FOTA_INVALID;
}


int
fota_render_key_of(fota_render_t *r, fota_table_e table, uint32_t tenant,
    uint64_t id, uint8_t *out, size_t *len)
{
    int           rc;
    fota_str_t    s;
    const char   *sql;
    fota_rows_t  *rows;

    switch (table) {

    case FOTA_T_TENANT:
        sql = "SELECT name, id FROM tenant WHERE id = ?";
        break;

    case FOTA_T_PRODUCT:
        sql = "SELECT name, tenant_id FROM product WHERE id = ?";
        break;

    case FOTA_T_DEVICE:
        sql = "SELECT ext_id, tenant_id FROM device WHERE id = ?";
        break;

    case FOTA_T_ARTIFACT:
        sql = "SELECT sha256, tenant_id FROM artifact WHERE id = ?";
        break;

    case FOTA_T_NODE:
        /* A node that is gone is deleted by the same key. */
        *len = fota_key_u32(out, (uint32_t) id);
        return FOTA_OK;

    default:
        return FOTA_INVALID;
    }

    rc = fota_db_first(r->db, &rows, sql, "u", id);

    if (rc == FOTA_OK) {
        s = fota_db_str(rows, 0);
        tenant = (uint32_t) fota_db_u64(rows, 1);

        switch (table) {

        case FOTA_T_TENANT:
            *len = fota_key_name(out, s);
            break;

        case FOTA_T_PRODUCT:
            *len = fota_key_product(out, tenant, s);
            break;

        case FOTA_T_DEVICE:
            *len = fota_key_device(out, tenant, s);
            break;

        default: /* FOTA_T_ARTIFACT */
            *len = s.len;
            memcpy(out, s.data, s.len);
            break;
        }

        if (*len == 0) {
            rc = FOTA_INVALID;
        }
    }

    fota_db_rows_end(rows);

    return rc;
}
