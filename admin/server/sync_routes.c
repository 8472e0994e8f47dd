/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_spool.h"

#include "routes.h"
#include "sync.h"


#define FOTA_REPORTS_MAX   (1024 * 1024 + FOTA_SPOOL_SEGMENT_HEADER)
#define FOTA_STATUS_MAX    16384


static const fota_route_t  fota_sync_table[] = {
    { "GET", "/sync/v1/log", NULL, fota_sync_log, NULL, 0,
      FOTA_ROUTE_NODE | FOTA_ROUTE_NO_DB },
    { "POST", "/sync/v1/nack", NULL, fota_sync_nack, NULL, FOTA_STATUS_MAX,
      FOTA_ROUTE_NODE },
    { "GET", "/sync/v1/snapshot", NULL, fota_sync_snapshot, NULL, 0,
      FOTA_ROUTE_NODE },
    { "GET", "/sync/v1/snapshot/{id}/{n}", NULL, fota_sync_chunk, NULL, 0,
      FOTA_ROUTE_NODE | FOTA_ROUTE_NO_DB },
    { "GET", "/sync/v1/keys", NULL, fota_sync_keys, NULL, 0,
      FOTA_ROUTE_NODE },
    { "POST", "/sync/v1/reports", NULL, fota_sync_reports, NULL,
      FOTA_REPORTS_MAX, FOTA_ROUTE_NODE },
    { "POST", "/sync/v1/heartbeat", NULL, fota_sync_heartbeat, NULL,
      FOTA_STATUS_MAX, FOTA_ROUTE_NODE },
    { "GET", "/sync/v1/artifact/{sha256}", NULL, fota_sync_artifact, NULL, 0,
      FOTA_ROUTE_NODE },
};


FOTA_ROUTE_SET(sync, fota_sync_table);
