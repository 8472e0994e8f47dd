/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Lists of a node: comma lists in the database, arrays in JSON. */

#ifndef FOTA_ADMIN_NODE_ROW_H
#define FOTA_ADMIN_NODE_ROW_H

#include "http.h"

/* "1,2" as [1, 2] or ["1", "2"]. */
json_t *fota_node_split(fota_str_t s, bool numbers);

/* Ids to names; unknown ones are left out.  NULL: the database failed. */
json_t *fota_node_tenants(fota_req_t *req, fota_str_t ids);

/*
 * The column of a list; tenants are names that become ids.  FOTA_NOTFOUND
 * with a 404, FOTA_LIMIT with a 400.
 */
int fota_node_join(fota_req_t *req, json_t *list, bool tenants, char *out,
    size_t size);

/* "asns", "tenants", "excluded" of the body. */
bool fota_node_check_lists(fota_req_t *req);

#endif /* FOTA_ADMIN_NODE_ROW_H */
