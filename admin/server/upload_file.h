/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The bytes of an upload: a file in uploads/ that grows, hashed while it is
 * written, and moves into objects/ under the name of its SHA-256 when it is
 * whole.  Nothing half-written ever has a name in objects/.
 */

#ifndef FOTA_ADMIN_UPLOAD_FILE_H
#define FOTA_ADMIN_UPLOAD_FILE_H

#include "fota_crypto.h"
#include "server.h"

typedef struct {
    int             fd;
    uint64_t        offset;     /* bytes written and hashed */
    fota_sha256_t  *hash;
    char            path[4096];
} fota_upload_file_t;

/*
 * Opens and locks: until fota_upload_close nobody else writes.  What the row
 * says of the bytes is true only when it was read under this lock.
 * FOTA_BUSY: another request writes it.
 */
int fota_upload_lock(const fota_server_t *server, fota_upload_file_t *f,
    fota_str_t id);

/*
 * Goes on at offset, which the file is cut to.  state: of the hash at offset,
 * as exported; when it cannot be used the file is read again.
 * FOTA_TRUNCATED: the file is shorter.  Closes the file when it fails.
 */
int fota_upload_open(fota_upload_file_t *f, uint64_t offset,
    fota_str_t state);

/* FOTA_FULL: no room; what was written before stays. */
int fota_upload_write(fota_upload_file_t *f, const void *data, size_t len);

/* Makes offset durable and exports the hash at it. */
int fota_upload_sync(fota_upload_file_t *f,
    uint8_t state[FOTA_SHA256_STATE], size_t *len);

/*
 * The hash of the whole; then, when it is sha256, the file is durable in
 * objects/.  FOTA_FORGED: another hash, the file is removed.
 */
int fota_upload_finish(const fota_server_t *server, fota_upload_file_t *f,
    const uint8_t sha256[32]);

/*
 * After a crash between the rename and the row: FOTA_OK when the hash of what
 * was received is sha256 and the object is there and whole.
 */
int fota_upload_recover(const fota_server_t *server,
    const uint8_t sha256[32], fota_str_t state);

void fota_upload_close(fota_upload_file_t *f);
void fota_upload_unlink(const fota_server_t *server, fota_str_t id);

/* Bytes that may be written to the store, 0 when it cannot be asked. */
uint64_t fota_upload_room(const fota_server_t *server);

/*
 * Removes uploads idle for upload_hours, and objects that nothing refers to
 * for as long.  At most every 10 minutes, whoever calls.
 */
void fota_upload_clean(fota_server_t *server, fota_db_t *db);

#endif /* FOTA_ADMIN_UPLOAD_FILE_H */
