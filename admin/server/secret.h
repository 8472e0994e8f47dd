/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Secrets in the database are sealed with the master key.  The label is the
 * additional data, so a sealed value cannot be moved to another row:
 *
 *   "node_group/ID"            node_group.wrap_key
 *   "secret_key/KIND/SCOPE/KID"    secret_key.secret
 *   "tenant/ID/KID"            tenant.signer_sec
 */

#ifndef FOTA_ADMIN_SECRET_H
#define FOTA_ADMIN_SECRET_H

#include "fota_crypto.h"
#include "server.h"

#define FOTA_SECRET_LEN     32
#define FOTA_SECRET_SEALED  (FOTA_SECRET_LEN + FOTA_SEAL_OVERHEAD)

#define FOTA_CREDENTIAL_MAX  64

/* Kind of the sync signing key in secret_key, beside fota_key_kind_e. */
#define FOTA_SECRET_SYNC    100

/*
 * Reads the master key; refuses a file that others may read.  FOTA_OK or an
 * error whose text is in err.
 */
int fota_secret_master(const char *file, uint8_t key[32], char *err,
    size_t errlen);

int fota_secret_seal(const fota_server_t *server, const char *label,
    const uint8_t plain[FOTA_SECRET_LEN], uint8_t out[FOTA_SECRET_SEALED]);

/* FOTA_OK, FOTA_FORGED (another master key, another row), FOTA_INVALID. */
int fota_secret_open(const fota_server_t *server, const char *label,
    fota_str_t sealed, uint8_t plain[FOTA_SECRET_LEN]);

/*
 * A new credential: prefix and 43 characters of base64url, NUL-terminated,
 * and its SHA-256, which is all that is kept.
 */
int fota_credential_new(const char *prefix,
    char text[FOTA_CREDENTIAL_MAX], uint8_t sha256[32]);

/*
 * A row of secret_key.  public_key may be NULL; FOTA_NOTFOUND without the
 * row.  kid 0: the one in state FOTA_KEY_CURRENT; *kid_out says which.
 */
int fota_secret_load(const fota_server_t *server, fota_db_t *db,
    unsigned kind, uint32_t scope, uint16_t kid, uint16_t *kid_out,
    uint8_t plain[FOTA_SECRET_LEN], uint8_t *public_key);

/* Inserts one.  pub NULL: none.  FOTA_EXISTS when there is one already. */
int fota_secret_store(const fota_server_t *server, fota_db_t *db,
    unsigned kind, uint32_t scope, uint16_t kid, unsigned state,
    const uint8_t plain[FOTA_SECRET_LEN], const uint8_t *pub);

/*
 * The secret becomes the current key under a new number, the current one
 * previous, and what was previous is removed; the outbox is told of all.
 */
int fota_secret_rotate(const fota_server_t *server, fota_db_t *db,
    unsigned kind, uint32_t scope, const uint8_t plain[FOTA_SECRET_LEN],
    uint16_t *kid);

/* One more than the highest number of (kind, scope), from 1. */
int fota_secret_next(fota_db_t *db, unsigned kind, uint32_t scope,
    uint16_t *kid);

/* Current becomes previous, previous is removed, both told to the outbox. */
int fota_secret_retire(fota_db_t *db, unsigned kind, uint32_t scope);

/* Tells the outbox of one key. */
int fota_secret_publish(fota_db_t *db, unsigned kind, uint32_t scope,
    uint16_t kid);

#endif /* FOTA_ADMIN_SECRET_H */
