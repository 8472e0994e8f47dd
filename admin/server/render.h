/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Policy records from committed rows.  Keys are policy keys; a record is
 * always made from what the database says now, never from what a request
 * said, so the latest committed state wins whatever the order of requests.
 *
 * Results: FOTA_OK (record appended to out), FOTA_NOTFOUND (the object is
 * gone or says nothing: delete), FOTA_LIMIT, FOTA_INVALID, FOTA_CORRUPT (no
 * record can be made: the last one stays, text in r->error), else a status of
 * db.h: give up and try later.
 */

#ifndef FOTA_ADMIN_RENDER_H
#define FOTA_ADMIN_RENDER_H

#include "fota_record.h"
#include "server.h"

typedef struct {
    fota_server_t  *server;
    fota_db_t      *db;
    fota_mem_t     *mem;        /* scratch of one object */
    int64_t         now;        /* Unix s */
    uint32_t        up_nodes;   /* nodes that serve, at least 1 */
    char            error[256];
} fota_render_t;

/* Has a status of rendering to end the transaction? */
bool fota_render_fatal(int rc);

int fota_render(fota_render_t *r, fota_table_e table, fota_str_t key,
    fota_buf_t *out);

/*
 * Policy key of an object by row id, FOTA_KEY_MAX bytes at out.
 * FOTA_NOTFOUND when the row is gone.
 */
int fota_render_key_of(fota_render_t *r, fota_table_e table, uint32_t tenant,
    uint64_t id, uint8_t *out, size_t *len);

int fota_render_tenant(fota_render_t *r, fota_str_t name, fota_buf_t *out);
int fota_render_product(fota_render_t *r, uint32_t tenant, fota_str_t name,
    fota_buf_t *out);
int fota_render_node(fota_render_t *r, uint32_t id, fota_buf_t *out);
int fota_render_key(fota_render_t *r, fota_str_t key, fota_buf_t *out);
int fota_render_deny(fota_render_t *r, fota_str_t key, fota_buf_t *out);
int fota_render_geoprefix(fota_render_t *r, fota_str_t key, fota_buf_t *out);
int fota_render_artifact(fota_render_t *r, const uint8_t sha256[32],
    fota_buf_t *out);
int fota_render_zone(fota_render_t *r, fota_str_t name, fota_buf_t *out);

/*
 * The firmware and signed artifacts of a product, in r->mem, indexed.  Also
 * for the plan and the API, which need no record.
 */
int fota_render_catalogue(fota_render_t *r, uint32_t tenant, uint32_t product,
    fota_product_t *p);

/*
 * Devices, many at once: n <= FOTA_SQL_LIST_MAX row ids.  keys and values
 * point into r->mem; value.data NULL = delete; status as above per device.
 */
typedef struct {
    uint64_t       id;
    uint32_t       tenant;
    fota_str_t     ext_id;
    fota_str_t     value;
    fota_status_e  status;
    fota_device_t  device;
} fota_render_device_t;

int fota_render_devices(fota_render_t *r, const uint64_t *ids, size_t n,
    fota_render_device_t **out, size_t *nout);

/* Names of the zones to publish. */
int fota_render_zone_names(fota_render_t *r, fota_str_t **names, size_t *n);

/* Version of tzdata, empty when it says none. */
fota_str_t fota_render_zone_version(fota_render_t *r);

#endif /* FOTA_ADMIN_RENDER_H */
