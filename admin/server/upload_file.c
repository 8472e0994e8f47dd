/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fota_encode.h"
#include "upload_file.h"


#define FOTA_UPLOAD_BLOCK     (256 * 1024)
#define FOTA_UPLOAD_CLEAN_MS  600000
#define FOTA_UPLOAD_BATCH     256


static int fota_upload_rehash(fota_upload_file_t *f);
static int fota_upload_errno(int err);
static int fota_upload_dir_sync(const fota_server_t *server);
static void fota_upload_clean_rows(fota_server_t *server, fota_db_t *db,
    int64_t before);
static void fota_upload_clean_objects(fota_server_t *server, fota_db_t *db,
    int64_t before);


static int
fota_upload_errno(int err)
{
    return err == ENOSPC || err == EDQUOT || err == EFBIG ? FOTA_FULL
                                                          : FOTA_ERROR;
}


static void
fota_upload_path(const fota_server_t *server, fota_str_t id, char *path,
    size_t len)
{
    snprintf(path, len, "%s/uploads/%.*s", server->conf.data_dir,
             (int) id.len, id.data);
}


int
fota_upload_lock(const fota_server_t *server, fota_upload_file_t *f,
    fota_str_t id)
{
    struct stat  opened, named;

    f->hash = NULL;
    f->offset = 0;

    fota_upload_path(server, id, f->path, sizeof(f->path));

    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (f->fd < 0) {
        fota_log(FOTA_LOG_ERROR, "cannot open \"%s\": %s", f->path,
                 strerror(errno));
        return fota_upload_errno(errno);
    }

    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        fota_upload_close(f);
        return FOTA_BUSY;
    }

    /* Who held the lock may have moved or removed the file meanwhile. */

    if (fstat(f->fd, &opened) != 0 || stat(f->path, &named) != 0
        || opened.st_ino != named.st_ino)
    {
        fota_upload_close(f);
        return FOTA_BUSY;
    }

    return FOTA_OK;
}


int
fota_upload_open(fota_upload_file_t *f, uint64_t offset, fota_str_t state)
{
    int          rc;
    struct stat  st;

    f->offset = offset;

    if (fstat(f->fd, &st) != 0) {
        fota_upload_close(f);
        return FOTA_ERROR;
    }

    if ((uint64_t) st.st_size < offset) {
        fota_upload_close(f);
        return FOTA_TRUNCATED;
    }

    /* What lies behind was written after the last durable position. */

    if ((uint64_t) st.st_size > offset
        && ftruncate(f->fd, (off_t) offset) != 0)
    {
        fota_upload_close(f);
        return FOTA_ERROR;
    }

    f->hash = fota_sha256_new();
    if (f->hash == NULL) {
        fota_upload_close(f);
        return FOTA_NOMEM;
    }

    rc = FOTA_OK;

    if (offset > 0
        && (state.len != FOTA_SHA256_STATE
            || fota_sha256_import(f->hash, state.data) != FOTA_OK))
    {
        rc = fota_upload_rehash(f);
    }

    if (rc == FOTA_OK && lseek(f->fd, (off_t) offset, SEEK_SET) < 0) {
        rc = FOTA_ERROR;
    }

    if (rc != FOTA_OK) {
        fota_upload_close(f);
    }

    return rc;
}


static int
fota_upload_rehash(fota_upload_file_t *f)
{
    int       rc;
    char     *buf;
    ssize_t   n;
    uint64_t  pos;

    buf = malloc(FOTA_UPLOAD_BLOCK);
    fota_sha256_free(f->hash);
    f->hash = fota_sha256_new();

    if (buf == NULL || f->hash == NULL) {
        free(buf);
        return FOTA_NOMEM;
    }

    rc = FOTA_OK;

    for (pos = 0; pos < f->offset; pos += (uint64_t) n) {
        n = pread(f->fd, buf, f->offset - pos < FOTA_UPLOAD_BLOCK
                              ? f->offset - pos : FOTA_UPLOAD_BLOCK,
                  (off_t) pos);
        if (n <= 0) {
            rc = FOTA_ERROR;
            break;
        }

        rc = fota_sha256_update(f->hash, buf, (size_t) n);
        if (rc != FOTA_OK) {
            break;
        }
    }

    free(buf);

    return rc;
}


int
fota_upload_write(fota_upload_file_t *f, const void *data, size_t len)
{
    int          rc;
    ssize_t      n;
    const char  *p;

    p = data;

    while (len > 0) {
        n = write(f->fd, p, len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return fota_upload_errno(errno);
        }

        rc = fota_sha256_update(f->hash, p, (size_t) n);
        if (rc != FOTA_OK) {
            return rc;
        }

        f->offset += (uint64_t) n;
        p += n;
        len -= (size_t) n;
    }

    return FOTA_OK;
}


int
fota_upload_sync(fota_upload_file_t *f, uint8_t state[FOTA_SHA256_STATE],
    size_t *len)
{
    if (fdatasync(f->fd) != 0) {
        return fota_upload_errno(errno);
    }

    *len = fota_sha256_export(f->hash, state) == FOTA_OK ? FOTA_SHA256_STATE
                                                         : 0;
    return FOTA_OK;
}


static int
fota_upload_dir_sync(const fota_server_t *server)
{
    int   fd, rc;
    char  path[4096];

    snprintf(path, sizeof(path), "%s/objects", server->conf.data_dir);

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FOTA_ERROR;
    }

    rc = fsync(fd) == 0 ? FOTA_OK : FOTA_ERROR;
    close(fd);

    return rc;
}


int
fota_upload_finish(const fota_server_t *server, fota_upload_file_t *f,
    const uint8_t sha256[32])
{
    int      rc;
    char     path[4096];
    uint8_t  hash[32];

    rc = fota_sha256_final(f->hash, hash);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (memcmp(hash, sha256, 32) != 0) {
        unlink(f->path);
        return FOTA_FORGED;
    }

    fota_object_path(server, sha256, path);

    if (fsync(f->fd) != 0) {
        return fota_upload_errno(errno);
    }

    /* Renaming over an object of the same hash changes nothing. */

    if (rename(f->path, path) != 0) {
        fota_log(FOTA_LOG_ERROR, "cannot rename \"%s\": %s", f->path,
                 strerror(errno));
        return fota_upload_errno(errno);
    }

    return fota_upload_dir_sync(server);
}


/*
 * The state proves that this upload had these bytes; that some object of the
 * name exists would not, it may be another tenant's.
 */

int
fota_upload_recover(const fota_server_t *server, const uint8_t sha256[32],
    fota_str_t state)
{
    int                 rc;
    uint8_t             hash[32];
    struct stat         st;
    fota_upload_file_t  f;

    if (state.len != FOTA_SHA256_STATE) {
        return FOTA_NOTFOUND;
    }

    memset(&f, 0, sizeof(f));
    fota_object_path(server, sha256, f.path);

    f.hash = fota_sha256_new();
    f.fd = open(f.path, O_RDONLY | O_CLOEXEC);

    if (f.hash == NULL || f.fd < 0 || fstat(f.fd, &st) != 0
        || fota_sha256_import(f.hash, state.data) != FOTA_OK
        || fota_sha256_final(f.hash, hash) != FOTA_OK
        || memcmp(hash, sha256, 32) != 0)
    {
        fota_upload_close(&f);
        return FOTA_NOTFOUND;
    }

    f.offset = (uint64_t) st.st_size;
    rc = fota_upload_rehash(&f);

    if (rc == FOTA_OK) {
        rc = fota_sha256_final(f.hash, hash);
    }

    if (rc == FOTA_OK && memcmp(hash, sha256, 32) != 0) {
        rc = FOTA_CORRUPT;
    }

    fota_upload_close(&f);

    return rc;
}


void
fota_upload_close(fota_upload_file_t *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }

    fota_sha256_free(f->hash);
    f->fd = -1;
    f->hash = NULL;
}


void
fota_upload_unlink(const fota_server_t *server, fota_str_t id)
{
    char  path[4096];

    fota_upload_path(server, id, path, sizeof(path));
    unlink(path);
}


uint64_t
fota_upload_room(const fota_server_t *server)
{
    struct statvfs  v;

    if (statvfs(server->conf.data_dir, &v) != 0) {
        return 0;
    }

    return (uint64_t) v.f_bavail * v.f_frsize;
}


/* Cleaning */


void
fota_upload_clean(fota_server_t *server, fota_db_t *db)
{
    int64_t                        now, last;
    static _Atomic int64_t         cleaned;

    now = fota_now_ms();
    last = atomic_load(&cleaned);

    if (now - last < FOTA_UPLOAD_CLEAN_MS
        || !atomic_compare_exchange_strong(&cleaned, &last, now))
    {
        return;
    }

    now -= (int64_t) server->conf.upload_hours * 3600000;

    fota_upload_clean_rows(server, db, now);
    fota_upload_clean_objects(server, db, now);
}


static void
fota_upload_clean_rows(fota_server_t *server, fota_db_t *db, int64_t before)
{
    char          ids[FOTA_UPLOAD_BATCH][33];
    size_t        i, n;
    uint64_t      tenants[FOTA_UPLOAD_BATCH];
    fota_str_t    s;
    fota_rows_t  *rows;

    if (fota_db_query(db, &rows, "SELECT tenant_id, id FROM upload"
                      " WHERE touched < ? LIMIT 256", "i", before)
        != FOTA_OK)
    {
        return;
    }

    for (n = 0; n < FOTA_UPLOAD_BATCH && fota_db_row(rows) == FOTA_OK; ) {
        s = fota_db_str(rows, 1);

        if (s.len == 32) {
            tenants[n] = fota_db_u64(rows, 0);
            memcpy(ids[n], s.data, 32);
            ids[n][32] = '\0';
            n++;
        }
    }

    fota_db_rows_end(rows);

    for (i = 0; i < n; i++) {
        if (fota_db_exec(db, "DELETE FROM upload WHERE tenant_id = ?"
                         " AND id = ? AND touched < ?", "uzi", tenants[i],
                         ids[i], before)
            == FOTA_OK && fota_db_affected(db) == 1)
        {
            fota_upload_unlink(server, fota_cstr(ids[i]));
            fota_log(FOTA_LOG_INFO, "removed the idle upload %s", ids[i]);
        }
    }
}


static void
fota_upload_clean_objects(fota_server_t *server, fota_db_t *db,
    int64_t before)
{
    DIR            *dir;
    bool            used;
    char            path[4096];
    uint8_t         sha[32];
    struct stat     st;
    struct dirent  *d;

    snprintf(path, sizeof(path), "%s/objects", server->conf.data_dir);

    dir = opendir(path);
    if (dir == NULL) {
        return;
    }

    while ((d = readdir(dir)) != NULL) {
        if (fota_hex_decode(sha, 32, fota_cstr(d->d_name)) != FOTA_OK) {
            continue;
        }

        fota_object_path(server, sha, path);

        /* ctime: when it was renamed into place. */

        if (stat(path, &st) != 0
            || (int64_t) st.st_ctim.tv_sec * 1000 > before)
        {
            continue;
        }

        if (fota_db_exists(db, &used, "SELECT 1 FROM artifact"
                           " WHERE sha256 = ? UNION ALL SELECT 1 FROM upload"
                           " WHERE sha256 = ? AND state = 'complete' LIMIT 1",
                           "ss", fota_slice(sha, 32), fota_slice(sha, 32))
            != FOTA_OK)
        {
            break;
        }

        if (!used && unlink(path) == 0) {
            fota_log(FOTA_LOG_INFO, "removed the object %s, nothing refers "
                     "to it", d->d_name);
        }
    }

    closedir(dir);
}
