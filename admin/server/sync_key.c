/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Rotation of the key that signs the change log.  Agents trust public keys
 * from their configuration, so a new key is made first, given to all of them
 * by whatever deploys them, and only then used.
 */

#include <stdio.h>

#include "admin_init.h"
#include "fota_record.h"
#include "secret.h"
#include "tx.h"


static int
fota_sync_key_make(fota_server_t *server, fota_db_t *db, uint64_t *kid,
    const char **why)
{
    int       rc;
    uint8_t   sec[32], pub[32];
    uint64_t  n;

    rc = fota_db_number(db, &n, "SELECT COUNT(*) FROM secret_key"
                        " WHERE kind = 100 AND scope = 0 AND state = 0", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    if (n != 0) {
        *why = "there is a next key already; --activate uses it";
        return FOTA_EXISTS;
    }

    rc = fota_db_number(db, kid, "SELECT COALESCE(MAX(kid), 0) + 1"
                        " FROM secret_key WHERE kind = 100 AND scope = 0",
                        "");

    if (rc == FOTA_OK && *kid > UINT16_MAX) {
        *why = "numbers of keys are used up";
        return FOTA_LIMIT;
    }

    if (rc == FOTA_OK) {
        rc = fota_ed25519_keygen(sec, pub);
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_store(server, db, FOTA_SECRET_SYNC, 0,
                               (uint16_t) *kid, FOTA_KEY_NEXT, sec, pub);
    }

    fota_cleanse(sec, sizeof(sec));

    return rc;
}


static int
fota_sync_key_use(fota_db_t *db, uint64_t *kid, const char **why)
{
    int  rc;

    rc = fota_db_number(db, kid, "SELECT kid FROM secret_key WHERE"
                        " kind = 100 AND scope = 0 AND state = 0"
                        " FOR UPDATE", "");
    if (rc == FOTA_NOTFOUND) {
        *why = "there is no next key; --next makes one";
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(db, "DELETE FROM secret_key WHERE kind = 100"
                      " AND scope = 0 AND state = ?", "u",
                      (uint64_t) FOTA_KEY_PREVIOUS);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "UPDATE secret_key SET state = ?"
                          " WHERE kind = 100 AND scope = 0 AND state = ?",
                          "uu", (uint64_t) FOTA_KEY_PREVIOUS,
                          (uint64_t) FOTA_KEY_CURRENT);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "UPDATE secret_key SET state = ?"
                          " WHERE kind = 100 AND scope = 0 AND kid = ?",
                          "uu", (uint64_t) FOTA_KEY_CURRENT, *kid);
    }

    return rc;
}


int
fota_sync_key_rotate(fota_server_t *server, fota_db_t *db, bool activate,
    char *err, size_t errlen)
{
    int          rc;
    uint64_t     kid;
    const char  *why;

    why = NULL;
    kid = 0;

    rc = fota_db_begin(db);

    if (rc == FOTA_OK) {
        rc = activate ? fota_sync_key_use(db, &kid, &why)
                      : fota_sync_key_make(server, db, &kid, &why);
    }

    if (rc == FOTA_OK) {
        rc = fota_audit_system(db, 0, "system/sync-key", activate
                               ? "sync_key:activate" : "sync_key:create",
                               fota_cstr("key/sync"), NULL,
                               json_pack("{s:I}", "kid", (json_int_t) kid));
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(db);
    }

    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "%s", why != NULL ? why
                                                       : fota_db_error(db));
        fota_db_rollback(db);
    }

    return rc;
}
