/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef FOTA_ADMIN_API_DEVICE_H
#define FOTA_ADMIN_API_DEVICE_H

#include "http.h"

/* Columns and joins of fota_device_json(); d.ext_id is column 0. */
#define FOTA_DEVICE_COLUMNS                                                   \
    "d.ext_id, d.id, p.name, d.version, d.kind, d.blocked, d.test, d.pin,"    \
    " d.token_sha256 IS NOT NULL, d.country, d.continent, d.region_code,"     \
    " d.region, d.city, d.tz, d.asn, d.last_reason, d.created,"               \
    " (SELECT s.seen FROM device_seen s WHERE s.device_id = d.id),"           \
    " (SELECT n.name FROM device_seen s JOIN node n ON n.id = s.node_id"      \
    " WHERE s.device_id = d.id)"

json_t *fota_device_json(fota_req_t *req, fota_rows_t *rows);

/* Device ids: 1 to 256 bytes of UTF-8 without control characters. */
bool fota_device_id_ok(fota_str_t id);

/* The product of the body, held in the transaction until its end. */
int fota_device_product(fota_req_t *req, uint32_t *id);

/*
 * A row; FOTA_EXISTS when the tenant has one of this id.  version may be
 * empty.
 */
int fota_device_insert(fota_db_t *db, uint32_t tenant, uint32_t product,
    fota_str_t id, fota_str_t version, bool blocked, bool test,
    uint64_t *row);

#endif /* FOTA_ADMIN_API_DEVICE_H */
