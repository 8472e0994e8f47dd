/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "device_map.h"


/*
 * The name of an attribute compares by bytes, because "hw" equals "hw " for
 * the collation of the table; its key still serves by the first part.
 */

const fota_filter_sql_map_t  fota_device_map = {
    .column = {
        [FOTA_F_ID] = "d.ext_id",
        [FOTA_F_PRODUCT] = "p.name",
        [FOTA_F_VERSION] = "d.version",
        [FOTA_F_KIND] = "d.kind",
        [FOTA_F_GROUP] = "EXISTS (SELECT 1 FROM group_member g"
                         " WHERE g.device_id = d.id AND g.group_id IN (%s))",
        [FOTA_F_COUNTRY] = "d.country",
        [FOTA_F_REGION] = "d.region",
        [FOTA_F_CITY] = "d.city",
        [FOTA_F_TZ] = "d.tz",
        [FOTA_F_ASN] = "d.asn",
        [FOTA_F_ATTR] = "(SELECT a.value FROM device_attr a"
                        " WHERE a.device_id = d.id"
                        " AND CAST(a.name AS BINARY) = ?)"
    },
    .version_key = "d.version_key",
    .region_code = "d.region_code",
    .attr_number = "(SELECT a.value_num FROM device_attr a"
                   " WHERE a.device_id = d.id"
                   " AND CAST(a.name AS BINARY) = ?)",
    .group_any = "EXISTS (SELECT 1 FROM group_member g"
                 " WHERE g.device_id = d.id)"
};
