/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Every route of the server. */


#include "routes.h"


const fota_route_set_t *const  fota_route_sets[] = {
    &fota_routes_apitoken,
    &fota_routes_artifact,
    &fota_routes_audit,
    &fota_routes_brake,
    &fota_routes_deny,
    &fota_routes_device,
    &fota_routes_device_search,
    &fota_routes_explain,
    &fota_routes_firmware,
    &fota_routes_gateway,
    &fota_routes_geoprefix,
    &fota_routes_group,
    &fota_routes_group_import,
    &fota_routes_keyring,
    &fota_routes_node,
    &fota_routes_plan,
    &fota_routes_product,
    &fota_routes_rollout,
    &fota_routes_status,
    &fota_routes_sync,
    &fota_routes_tenant,
    &fota_routes_upload
};

const size_t  fota_route_nsets = sizeof(fota_route_sets)
                                 / sizeof(fota_route_sets[0]);
