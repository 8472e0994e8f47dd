/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* How target filters read the rows of devices; needs core alone. */

#ifndef FOTA_ADMIN_DEVICE_MAP_H
#define FOTA_ADMIN_DEVICE_MAP_H

#include "fota_filter.h"

#define FOTA_DEVICE_FROM                                                      \
    " FROM device d JOIN product p ON p.tenant_id = d.tenant_id"              \
    " AND p.id = d.product_id"

/* For a statement with FOTA_DEVICE_FROM. */
extern const fota_filter_sql_map_t  fota_device_map;

#endif /* FOTA_ADMIN_DEVICE_MAP_H */
