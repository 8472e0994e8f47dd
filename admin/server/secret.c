/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fota_encode.h"
#include "fota_record.h"
#include "outbox.h"
#include "secret.h"


#define FOTA_SECRET_LABEL  64


int
fota_secret_master(const char *file, uint8_t key[32], char *err,
    size_t errlen)
{
    int          fd, rc;
    char         text[80];
    ssize_t      n;
    struct stat  st;

    fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(err, errlen, "master key \"%s\": %s", file, strerror(errno));

        if (fd >= 0) {
            close(fd);
        }

        return FOTA_IO;
    }

    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        snprintf(err, errlen, "master key \"%s\" must be a file of mode 0600, "
                 "it has %04o", file, (unsigned) st.st_mode & 07777);
        close(fd);
        return FOTA_INVALID;
    }

    n = read(fd, text, sizeof(text));
    close(fd);

    rc = FOTA_OK;

    if (n == 32) {
        memcpy(key, text, 32);

    } else {
        while (n > 64 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
            n--;
        }

        if (n != 64 || fota_hex_decode(key, 32, fota_slice(text, 64))
                       != FOTA_OK)
        {
            snprintf(err, errlen, "master key \"%s\" must hold 64 hex digits "
                     "or 32 bytes", file);
            rc = FOTA_INVALID;
        }
    }

    fota_cleanse(text, sizeof(text));

    return rc;
}


int
fota_secret_seal(const fota_server_t *server, const char *label,
    const uint8_t plain[FOTA_SECRET_LEN], uint8_t out[FOTA_SECRET_SEALED])
{
    return fota_seal(server->master, fota_cstr(label),
                     fota_slice(plain, FOTA_SECRET_LEN), out);
}


int
fota_secret_open(const fota_server_t *server, const char *label,
    fota_str_t sealed, uint8_t plain[FOTA_SECRET_LEN])
{
    if (sealed.len != FOTA_SECRET_SEALED) {
        return FOTA_INVALID;
    }

    return fota_open(server->master, fota_cstr(label), sealed, plain);
}


int
fota_credential_new(const char *prefix, char text[FOTA_CREDENTIAL_MAX],
    uint8_t sha256[32])
{
    int      rc;
    size_t   n;
    uint8_t  secret[32];

    rc = fota_random(secret, sizeof(secret));
    if (rc != FOTA_OK) {
        return rc;
    }

    n = strlen(prefix);
    memcpy(text, prefix, n);
    n += fota_base64url_encode(text + n, secret, sizeof(secret));
    text[n] = '\0';

    fota_cleanse(secret, sizeof(secret));

    return fota_sha256(sha256, text, n);
}


static void
fota_secret_label(char *label, unsigned kind, uint32_t scope, uint16_t kid)
{
    snprintf(label, FOTA_SECRET_LABEL, "secret_key/%u/%u/%u", kind, scope,
             kid);
}


int
fota_secret_load(const fota_server_t *server, fota_db_t *db, unsigned kind,
    uint32_t scope, uint16_t kid, uint16_t *kid_out,
    uint8_t plain[FOTA_SECRET_LEN], uint8_t *public_key)
{
    int           rc;
    char          label[FOTA_SECRET_LABEL];
    uint16_t      found;
    fota_str_t    pub;
    fota_rows_t  *rows;

    rc = fota_db_first(db, &rows,
             "SELECT kid, secret, public_key FROM secret_key"
             " WHERE kind = ? AND scope = ? AND (kid = ? OR (? = 0"
             " AND state = ?)) ORDER BY kid DESC LIMIT 1", "uuuuu",
             (uint64_t) kind, (uint64_t) scope, (uint64_t) kid,
             (uint64_t) kid, (uint64_t) FOTA_KEY_CURRENT);

    if (rc == FOTA_OK) {
        found = (uint16_t) fota_db_u64(rows, 0);
        fota_secret_label(label, kind, scope, found);

        rc = fota_secret_open(server, label, fota_db_str(rows, 1), plain);
        pub = fota_db_str(rows, 2);

        if (public_key != NULL) {
            if (pub.len == 32) {
                memcpy(public_key, pub.data, 32);
            } else {
                memset(public_key, 0, 32);
            }
        }

        if (kid_out != NULL) {
            *kid_out = found;
        }
    }

    fota_db_rows_end(rows);

    return rc;
}


int
fota_secret_store(const fota_server_t *server, fota_db_t *db, unsigned kind,
    uint32_t scope, uint16_t kid, unsigned state,
    const uint8_t plain[FOTA_SECRET_LEN], const uint8_t *pub)
{
    int      rc;
    char     label[FOTA_SECRET_LABEL];
    uint8_t  sealed[FOTA_SECRET_SEALED];

    fota_secret_label(label, kind, scope, kid);

    rc = fota_secret_seal(server, label, plain, sealed);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(db,
             "INSERT INTO secret_key (kind, scope, kid, state, secret,"
             " public_key, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
             "uuuusSi", (uint64_t) kind, (uint64_t) scope, (uint64_t) kid,
             (uint64_t) state, fota_slice(sealed, sizeof(sealed)),
             fota_slice(pub, 32), fota_now_ms());

    /* Somebody took the number meanwhile: the next one is free. */

    return rc == FOTA_EXISTS ? FOTA_BUSY : rc;
}


int
fota_secret_publish(fota_db_t *db, unsigned kind, uint32_t scope,
    uint16_t kid)
{
    size_t   len;
    uint8_t  key[FOTA_KEY_MAX];

    len = fota_key_key(key, (uint8_t) kind, scope, kid);

    return fota_outbox_key(db, FOTA_T_KEY, fota_slice(key, len));
}


int
fota_secret_next(fota_db_t *db, unsigned kind, uint32_t scope, uint16_t *kid)
{
    int       rc;
    uint64_t  last;

    rc = fota_db_number(db, &last, "SELECT kid FROM secret_key WHERE kind = ?"
             " AND scope = ? ORDER BY kid DESC LIMIT 1 FOR UPDATE", "uu",
             (uint64_t) kind, (uint64_t) scope);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    /* 65 535 rotations are enough for a century of daily ones. */

    if (last >= 65535) {
        return FOTA_LIMIT;
    }

    *kid = (uint16_t) (last + 1);

    return FOTA_OK;
}


int
fota_secret_retire(fota_db_t *db, unsigned kind, uint32_t scope)
{
    int           rc;
    size_t        i, n;
    uint16_t      kids[64];
    fota_rows_t  *rows;

    rc = fota_db_query(db, &rows, "SELECT kid FROM secret_key WHERE kind = ?"
             " AND scope = ? AND state <> ? FOR UPDATE", "uuu",
             (uint64_t) kind, (uint64_t) scope, (uint64_t) FOTA_KEY_NEXT);
    if (rc != FOTA_OK) {
        return rc;
    }

    for (n = 0; n < 64 && (rc = fota_db_row(rows)) == FOTA_OK; n++) {
        kids[n] = (uint16_t) fota_db_u64(rows, 0);
    }

    fota_db_rows_end(rows);

    rc = fota_db_exec(db, "DELETE FROM secret_key WHERE kind = ?"
             " AND scope = ? AND state = ?", "uuu", (uint64_t) kind,
             (uint64_t) scope, (uint64_t) FOTA_KEY_PREVIOUS);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "UPDATE secret_key SET state = ?"
                 " WHERE kind = ? AND scope = ? AND state = ?", "uuuu",
                 (uint64_t) FOTA_KEY_PREVIOUS, (uint64_t) kind,
                 (uint64_t) scope, (uint64_t) FOTA_KEY_CURRENT);
    }

    for (i = 0; rc == FOTA_OK && i < n; i++) {
        rc = fota_secret_publish(db, kind, scope, kids[i]);
    }

    return rc;
}


int
fota_secret_rotate(const fota_server_t *server, fota_db_t *db, unsigned kind,
    uint32_t scope, const uint8_t plain[FOTA_SECRET_LEN], uint16_t *kid)
{
    int  rc;

    rc = fota_secret_next(db, kind, scope, kid);

    if (rc == FOTA_OK) {
        rc = fota_secret_retire(db, kind, scope);
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_store(server, db, kind, scope, *kid,
                               FOTA_KEY_CURRENT, plain, NULL);
    }

    if (rc == FOTA_OK) {
        rc = fota_secret_publish(db, kind, scope, *kid);
    }

    return rc;
}
