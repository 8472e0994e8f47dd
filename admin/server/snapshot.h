/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Snapshots of the policy state in DATA_DIR/snapshots/<id>/: "manifest" and
 * chunks "0", "1"...  The newest one's id stands in the database, so that all
 * processes that share the directory give the same.
 */

#ifndef FOTA_ADMIN_SNAPSHOT_H
#define FOTA_ADMIN_SNAPSHOT_H

#include "fota_sync.h"

#include "server.h"

#define FOTA_SNAPSHOT_ID_HEX  32
#define FOTA_SNAPSHOT_PATH    4096

typedef struct {
    char      id[FOTA_SNAPSHOT_ID_HEX + 1];
    uint64_t  epoch;
    uint64_t  seq;
    uint64_t  entries;
    int64_t   made;             /* ms */
} fota_snapshot_info_t;

/* The newest one; FOTA_NOTFOUND. */
int fota_snapshot_latest(fota_db_t *db, fota_snapshot_info_t *info);

/* "DATA_DIR/snapshots/ID/FILE"; out holds FOTA_SNAPSHOT_PATH bytes. */
void fota_snapshot_path(const fota_server_t *server, const char *id,
    const char *file, char *out);

#endif /* FOTA_ADMIN_SNAPSHOT_H */
