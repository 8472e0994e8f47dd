/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One route set per file of handlers; routes.c lists them.  Weak: a set that
 * is not linked (unit tests) is skipped by the router.
 */

#ifndef FOTA_ADMIN_ROUTES_H
#define FOTA_ADMIN_ROUTES_H

#include "http.h"

#define FOTA_ROUTES(name)                                                    \
    extern const fota_route_set_t  fota_routes_##name __attribute__((weak))

FOTA_ROUTES(apitoken);
FOTA_ROUTES(artifact);
FOTA_ROUTES(audit);
FOTA_ROUTES(deny);
FOTA_ROUTES(device);
FOTA_ROUTES(device_search);
FOTA_ROUTES(firmware);
FOTA_ROUTES(gateway);
FOTA_ROUTES(geoprefix);
FOTA_ROUTES(group);
FOTA_ROUTES(group_import);
FOTA_ROUTES(keyring);
FOTA_ROUTES(node);
FOTA_ROUTES(product);
FOTA_ROUTES(status);
FOTA_ROUTES(tenant);
FOTA_ROUTES(upload);

FOTA_ROUTES(brake);
FOTA_ROUTES(explain);
FOTA_ROUTES(plan);
FOTA_ROUTES(rollout);
FOTA_ROUTES(sync);

/* Defines the set of a file from its table. */
#define FOTA_ROUTE_SET(name, table)                                          \
    const fota_route_set_t  fota_routes_##name = {                           \
        table, sizeof(table) / sizeof(table[0])                              \
    }

#endif /* FOTA_ADMIN_ROUTES_H */
