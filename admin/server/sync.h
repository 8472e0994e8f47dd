/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Handlers of docs/sync.md; the table of them is in sync_routes.c. */

#ifndef FOTA_ADMIN_SYNC_H
#define FOTA_ADMIN_SYNC_H

#include "fota_sync.h"

#include "feed.h"
#include "http.h"

int fota_sync_log(fota_req_t *req);
int fota_sync_nack(fota_req_t *req);
int fota_sync_snapshot(fota_req_t *req);
int fota_sync_chunk(fota_req_t *req);
int fota_sync_keys(fota_req_t *req);
int fota_sync_reports(fota_req_t *req);
int fota_sync_heartbeat(fota_req_t *req);
int fota_sync_artifact(fota_req_t *req);

#define FOTA_SYNC_TEXT_MAX  512         /* bytes of an error that are kept */

/* As much of a text as its column holds, cut between characters. */
fota_str_t fota_sync_text(fota_str_t s);

/*
 * The key that signs batches and snapshots; kept for some seconds, so that a
 * rotation is taken up without a statement for each batch.  The caller
 * cleanses sec.
 */
int fota_sync_signer(fota_server_t *server, fota_db_t *db, uint16_t *kid,
    uint8_t sec[32]);

/*
 * Operations after a position as signed batches, at most max bytes but at
 * least one operation.  FOTA_NOTFOUND: there are none; FOTA_TRUNCATED: the
 * log begins later.
 */
int fota_sync_batches(fota_server_t *server, fota_db_t *db,
    const fota_feed_t *feed, uint64_t after, size_t max, fota_buf_t *out);

#endif /* FOTA_ADMIN_SYNC_H */
