/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef FOTA_ADMIN_API_TENANT_H
#define FOTA_ADMIN_API_TENANT_H

#include "http.h"

/*
 * The tenant of the path; one that the token may not see is unknown.  A 404
 * is set with FOTA_NOTFOUND.
 */
int fota_tenant_param(fota_req_t *req, uint32_t *id, fota_str_t *name);

/* The same, held until the end of the transaction that changes it. */
int fota_tenant_hold(fota_req_t *req, uint32_t *id, fota_str_t *name);

#endif /* FOTA_ADMIN_API_TENANT_H */
