/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "admin_init.h"
#include "feed.h"
#include "fota_encode.h"
#include "outbox.h"
#include "secret.h"
#include "tx.h"


static int fota_admin_sync_key(fota_server_t *server, fota_db_t *db);
static int fota_admin_token(fota_db_t *db, bool another,
    char token[FOTA_CREDENTIAL_MAX]);


int
fota_admin_init(fota_server_t *server, fota_db_t *db, bool another,
    char token[FOTA_CREDENTIAL_MAX], char *err, size_t errlen)
{
    int  rc;

    token[0] = '\0';

    rc = fota_db_begin(db);

    if (rc == FOTA_OK) {
        rc = fota_feed_create(db);
    }

    if (rc == FOTA_OK) {
        rc = fota_admin_group(server, db, 0, fota_cstr("every-edge"), false);
    }

    if (rc == FOTA_OK || rc == FOTA_EXISTS) {
        rc = fota_admin_group(server, db, 1, fota_cstr("default"), true);
    }

    if (rc == FOTA_OK || rc == FOTA_EXISTS) {
        rc = fota_admin_sync_key(server, db);
    }

    if (rc == FOTA_OK) {
        rc = fota_admin_token(db, another, token);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(db);
    }

    if (rc != FOTA_OK) {
        snprintf(err, errlen, "%s: %s", fota_status_name(rc),
                 fota_db_error(db));
        fota_db_rollback(db);
        fota_cleanse(token, FOTA_CREDENTIAL_MAX);
        token[0] = '\0';
    }

    return rc;
}


int
fota_admin_group(fota_server_t *server, fota_db_t *db, uint16_t id,
    fota_str_t name, bool root)
{
    int      rc;
    bool     there;
    char     label[32];
    size_t   len;
    uint8_t  key[32], sealed[FOTA_SECRET_SEALED], bytes[FOTA_KEY_MAX];

    rc = fota_db_exists(db, &there, "SELECT 1 FROM node_group WHERE id = ?",
                        "u", (uint64_t) id);
    if (rc != FOTA_OK || there) {
        return rc != FOTA_OK ? rc : FOTA_EXISTS;
    }

    snprintf(label, sizeof(label), "node_group/%u", id);

    rc = fota_random(key, sizeof(key));

    if (rc == FOTA_OK) {
        rc = fota_secret_seal(server, label, key, sealed);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO node_group (id, name, wrap_key)"
                          " VALUES (?, ?, ?)", "uss", (uint64_t) id, name,
                          fota_slice(sealed, sizeof(sealed)));
    }

    if (rc != FOTA_OK || !root) {
        return rc;
    }

    rc = fota_random(key, sizeof(key));

    if (rc == FOTA_OK) {
        rc = fota_secret_store(server, db, FOTA_KEY_DOWNLOAD, id, 1,
                               FOTA_KEY_CURRENT, key, NULL);
    }

    fota_cleanse(key, sizeof(key));

    if (rc == FOTA_OK) {
        len = fota_key_key(bytes, FOTA_KEY_DOWNLOAD, id, 1);
        rc = fota_outbox_key(db, FOTA_T_KEY, fota_slice(bytes, len));
    }

    return rc;
}


static int
fota_admin_sync_key(fota_server_t *server, fota_db_t *db)
{
    int      rc;
    bool     there;
    uint8_t  sec[32], pub[32];

    rc = fota_db_exists(db, &there, "SELECT 1 FROM secret_key"
                        " WHERE kind = 100 AND scope = 0 FOR UPDATE", "");
    if (rc != FOTA_OK || there) {
        return rc;
    }

    rc = fota_ed25519_keygen(sec, pub);

    if (rc == FOTA_OK) {
        rc = fota_secret_store(server, db, FOTA_SECRET_SYNC, 0, 1,
                               FOTA_KEY_CURRENT, sec, pub);
    }

    fota_cleanse(sec, sizeof(sec));

    return rc;
}


static int
fota_admin_token(fota_db_t *db, bool another, char token[FOTA_CREDENTIAL_MAX])
{
    int      rc;
    bool     there;
    uint8_t  hash[32];

    if (!another) {
        rc = fota_db_exists(db, &there, "SELECT 1 FROM api_token WHERE"
                 " tenant_id = 0 AND revoked = 0 LIMIT 1 FOR UPDATE", "");
        if (rc != FOTA_OK || there) {
            return rc;
        }
    }

    rc = fota_credential_new(FOTA_PAT_PREFIX, token, hash);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO api_token (tenant_id, name,"
                 " token_sha256, permissions, created) VALUES (0, 'init', ?,"
                 " '*', ?)", "si", fota_slice(hash, 32), fota_now_ms());
    }

    if (rc == FOTA_OK) {
        rc = fota_audit_system(db, 0, "system/init", "apitoken:create",
                               fota_cstr("apitoken/init"), NULL, NULL);
    }

    return rc;
}
