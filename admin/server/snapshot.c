/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fota_encode.h"

#include "feed.h"
#include "jobs_int.h"
#include "snapshot.h"
#include "sync.h"


#define FOTA_SNAPSHOT_LOOK_MS   1000
#define FOTA_SNAPSHOT_LOOKS     3       /* at a busy outbox, the first time */
#define FOTA_SNAPSHOT_OPS       2000    /* behind the head: make anew */
#define FOTA_SNAPSHOT_MIN_MS    60000   /* but no more often */
#define FOTA_SNAPSHOT_OLD_MS    (6 * 3600 * 1000LL)
#define FOTA_SNAPSHOT_KEEP_S    3600    /* edges may be loading it still */


typedef struct {
    fota_server_t    *server;
    fota_db_t        *db;
    char              dir[FOTA_SNAPSHOT_PATH];
    fota_snapshot_t   snap;
    fota_buf_t        chunk;
    uint32_t          entries;
    uint32_t          cap;
} fota_snapshot_work_t;


static int fota_snapshot_file(fota_snapshot_work_t *w, const char *name,
    fota_str_t bytes);
static int fota_snapshot_chunk(fota_snapshot_work_t *w);
static int fota_snapshot_stream(fota_snapshot_work_t *w);
static int fota_snapshot_write(fota_snapshot_work_t *w,
    fota_snapshot_info_t *info);
static bool fota_snapshot_stale(fota_server_t *server, fota_db_t *db,
    unsigned looks);
static void fota_snapshot_remove(const char *dir);


void
fota_snapshot_path(const fota_server_t *server, const char *id,
    const char *file, char *out)
{
    (void) snprintf(out, FOTA_SNAPSHOT_PATH, "%.2000s/snapshots/%.64s/%.64s",
                    server->conf.data_dir, id, file);
}


int
fota_snapshot_latest(fota_db_t *db, fota_snapshot_info_t *info)
{
    int                  rc, n;
    char                 text[256];
    fota_rows_t         *rows;
    long long            made;
    unsigned long long   epoch, seq, entries;

    memset(info, 0, sizeof(fota_snapshot_info_t));

    rc = fota_db_first(db, &rows,
                       "SELECT value FROM setting WHERE name = 'snapshot'",
                       "");

    if (rc == FOTA_OK) {
        fota_db_chars(rows, 0, text, sizeof(text));

        n = sscanf(text, "%32[0-9a-f] %16llx %llu %llu %lld", info->id,
                   &epoch, &seq, &entries, &made);

        if (n == 5 && strlen(info->id) == FOTA_SNAPSHOT_ID_HEX) {
            info->epoch = epoch;
            info->seq = seq;
            info->entries = entries;
            info->made = made;

        } else {
            rc = FOTA_NOTFOUND;
        }
    }

    fota_db_rows_end(rows);

    return rc;
}


static int
fota_snapshot_file(fota_snapshot_work_t *w, const char *name,
    fota_str_t bytes)
{
    int      fd, rc;
    char     path[FOTA_SNAPSHOT_PATH + 80];
    size_t   n;
    ssize_t  put;

    (void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);

    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        fota_log(FOTA_LOG_ERROR, "snapshot: \"%s\": %s", path,
                 strerror(errno));
        return FOTA_ERROR;
    }

    rc = FOTA_OK;

    for (n = 0; n < bytes.len; n += (size_t) put) {
        put = write(fd, bytes.data + n, bytes.len - n);

        if (put < 0 && errno == EINTR) {
            put = 0;
            continue;
        }

        if (put < 0) {
            rc = FOTA_FULL;
            break;
        }
    }

    if (rc == FOTA_OK && fdatasync(fd) != 0) {
        rc = FOTA_FULL;
    }

    if (rc != FOTA_OK) {
        fota_log(FOTA_LOG_ERROR, "snapshot: \"%s\": %s", path,
                 strerror(errno));
    }

    (void) close(fd);

    return rc;
}


/* Ends the chunk that is being filled and writes it. */

static int
fota_snapshot_chunk(fota_snapshot_work_t *w)
{
    int                rc;
    char               name[16];
    uint32_t           cap;
    fota_snapshot_t   *s;
    fota_chunk_ref_t  *refs;

    s = &w->snap;

    fota_chunk_end(&w->chunk, w->entries);

    if (w->chunk.status != FOTA_OK) {
        return w->chunk.status;
    }

    if (s->nchunks == w->cap) {

        if (w->cap == FOTA_CHUNKS_MAX) {
            return FOTA_LIMIT;
        }

        cap = (w->cap == 0) ? 64 : w->cap * 2;

        refs = realloc(s->chunks, cap * sizeof(fota_chunk_ref_t));
        if (refs == NULL) {
            return FOTA_NOMEM;
        }

        s->chunks = refs;
        w->cap = cap;
    }

    s->chunks[s->nchunks].size = (uint32_t) w->chunk.len;

    rc = fota_sha256(s->chunks[s->nchunks].sha256, w->chunk.start,
                     w->chunk.len);
    if (rc != FOTA_OK) {
        return rc;
    }

    (void) snprintf(name, sizeof(name), "%u", (unsigned) s->nchunks);

    rc = fota_snapshot_file(w, name, fota_buf_slice(&w->chunk));

    s->nchunks++;
    w->entries = 0;

    fota_buf_reset(&w->chunk);
    fota_chunk_begin(&w->chunk, s->nchunks);

    return rc;
}


static int
fota_snapshot_stream(fota_snapshot_work_t *w)
{
    int           rc;
    uint8_t       table;
    fota_str_t    key, value;
    fota_rows_t  *rows;

    rc = fota_db_stream(w->db, &rows, "SELECT tbl, key_bytes, value_bytes"
                        " FROM policy_state ORDER BY tbl, key_bytes", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_chunk_begin(&w->chunk, 0);

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        table = (uint8_t) fota_db_u64(rows, 0);
        key = fota_db_str(rows, 1);
        value = fota_db_str(rows, 2);

        if (table >= FOTA_T__N) {
            continue;
        }

        /* 16: more than the frame of an entry. */

        if (w->entries != 0
            && w->chunk.len + key.len + value.len + 16 > FOTA_CHUNK_MAX)
        {
            rc = fota_snapshot_chunk(w);
            if (rc != FOTA_OK) {
                break;
            }
        }

        fota_chunk_entry(&w->chunk, table, key, value);

        w->entries++;
        w->snap.counts[table]++;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    return (w->entries != 0 || w->snap.nchunks == 0) ? fota_snapshot_chunk(w)
                                                     : FOTA_OK;
}


static int
fota_snapshot_write(fota_snapshot_work_t *w, fota_snapshot_info_t *info)
{
    int          rc;
    uint8_t      sec[32];
    unsigned     i;
    fota_buf_t   out;
    fota_feed_t  feed;

    /* One view for the head and for what it is the head of. */

    rc = fota_db_begin_snapshot(w->db);

    if (rc == FOTA_OK) {
        rc = fota_feed_read(w->db, &feed, false);
    }

    if (rc == FOTA_OK) {
        w->snap.epoch = feed.epoch;
        w->snap.seq = feed.seq;
        w->snap.ts = (uint64_t) fota_now_ms();
        memcpy(w->snap.chain, feed.chain, sizeof(feed.chain));

        rc = fota_snapshot_stream(w);
    }

    fota_db_rollback(w->db);

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_sync_signer(w->server, w->db, &w->snap.kid, sec);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_grow(&out, FOTA_CHUNK_MAX);

    rc = fota_snapshot_encode(&w->snap, sec, &out);

    fota_cleanse(sec, sizeof(sec));

    if (rc == FOTA_OK) {
        rc = fota_snapshot_file(w, "manifest", fota_buf_slice(&out));
    }

    fota_buf_free(&out);

    info->epoch = w->snap.epoch;
    info->seq = w->snap.seq;
    info->made = (int64_t) w->snap.ts;

    for (i = 0; i < FOTA_T__N; i++) {
        info->entries += w->snap.counts[i];
    }

    return rc;
}


/* Makes one now and records it as the newest. */

static int
fota_snapshot_make(fota_server_t *server, fota_db_t *db,
    fota_snapshot_info_t *info)
{
    int                    rc;
    char                   path[FOTA_SNAPSHOT_PATH], value[256];
    fota_snapshot_work_t  *w;

    memset(info, 0, sizeof(fota_snapshot_info_t));

    w = calloc(1, sizeof(fota_snapshot_work_t));
    if (w == NULL) {
        return FOTA_NOMEM;
    }

    w->server = server;
    w->db = db;
    fota_buf_grow(&w->chunk, FOTA_CHUNK_MAX + FOTA_VALUE_MAX);

    rc = fota_random(w->snap.id, sizeof(w->snap.id));

    fota_hex_encode(info->id, w->snap.id, sizeof(w->snap.id));

    (void) snprintf(path, sizeof(path), "%.2000s/snapshots",
                    server->conf.data_dir);

    if (rc == FOTA_OK && mkdir(path, 0750) != 0 && errno != EEXIST) {
        rc = FOTA_ERROR;
    }

    (void) snprintf(w->dir, sizeof(w->dir), "%.2000s/snapshots/tmp-%.64s",
                    server->conf.data_dir, info->id);

    if (rc == FOTA_OK && mkdir(w->dir, 0750) != 0) {
        rc = FOTA_ERROR;
    }

    if (rc != FOTA_OK) {
        fota_log(FOTA_LOG_ERROR, "snapshot: \"%s\": %s", w->dir,
                 strerror(errno));

    } else {
        rc = fota_snapshot_write(w, info);
    }

    if (rc == FOTA_OK) {
        fota_snapshot_path(server, info->id, "", path);
        path[strlen(path) - 1] = '\0';

        if (rename(w->dir, path) != 0) {
            rc = FOTA_ERROR;
        }
    }

    if (rc == FOTA_OK) {
        (void) snprintf(value, sizeof(value), "%s %016llx %llu %llu %lld",
                        info->id, (unsigned long long) info->epoch,
                        (unsigned long long) info->seq,
                        (unsigned long long) info->entries,
                        (long long) info->made);

        rc = fota_db_exec(db, "INSERT INTO setting (name, value)"
                          " VALUES ('snapshot', ?) ON DUPLICATE KEY UPDATE"
                          " value = VALUES(value)", "z", value);
    }

    if (rc != FOTA_OK) {
        fota_snapshot_remove(w->dir);
    }

    fota_buf_free(&w->chunk);
    free(w->snap.chunks);
    free(w);

    return rc;
}


static void
fota_snapshot_remove(const char *dir)
{
    char            path[FOTA_SNAPSHOT_PATH * 2];
    DIR            *d;
    struct dirent  *e;

    d = opendir(dir);
    if (d == NULL) {
        return;
    }

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.') {
            (void) snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            (void) unlink(path);
        }
    }

    (void) closedir(d);
    (void) rmdir(dir);
}


/* Removes the directories of those that nobody loads any more. */

static void
fota_snapshot_clean(fota_server_t *server, const char *keep)
{
    char            dir[FOTA_SNAPSHOT_PATH], path[FOTA_SNAPSHOT_PATH * 2];
    DIR            *d;
    struct stat     st;
    struct dirent  *e;

    (void) snprintf(dir, sizeof(dir), "%.2000s/snapshots",
                    server->conf.data_dir);

    d = opendir(dir);
    if (d == NULL) {
        return;
    }

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, keep) == 0) {
            continue;
        }

        (void) snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);

        /* The directory's time is when its last file was added. */

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)
            && time(NULL) - st.st_mtime > FOTA_SNAPSHOT_KEEP_S)
        {
            fota_snapshot_remove(path);
        }
    }

    (void) closedir(d);
}


/* looks: how often the first one has been waited for already. */

static bool
fota_snapshot_stale(fota_server_t *server, fota_db_t *db, unsigned looks)
{
    int                    rc;
    bool                   filled;
    char                   path[FOTA_SNAPSHOT_PATH];
    int64_t                age;
    uint64_t               behind;
    fota_feed_t            feed;
    fota_snapshot_info_t   info;

    if (fota_feed_read(db, &feed, false) != FOTA_OK) {
        return false;
    }

    rc = fota_snapshot_latest(db, &info);

    if (rc == FOTA_NOTFOUND) {

        /* The first one is worth waiting for what is being published. */

        rc = fota_db_exists(db, &filled, "SELECT 1 FROM outbox LIMIT 1", "");

        return rc == FOTA_OK && feed.seq != 0
               && (!filled || looks >= FOTA_SNAPSHOT_LOOKS);
    }

    if (rc != FOTA_OK) {
        return false;
    }

    fota_snapshot_path(server, info.id, "manifest", path);

    if (info.epoch != feed.epoch || info.seq < feed.floor
        || info.seq > feed.seq || access(path, R_OK) != 0)
    {
        return true;
    }

    behind = feed.seq - info.seq;
    age = fota_now_ms() - info.made;

    if (age < FOTA_SNAPSHOT_MIN_MS) {
        return false;
    }

    return behind > FOTA_SNAPSHOT_OPS + info.entries / 5
           || (behind != 0 && age > FOTA_SNAPSHOT_OLD_MS);
}


void *
fota_snapshot_thread(void *data)
{
    int                    rc;
    unsigned               looks;
    fota_db_t             *db;
    fota_server_t         *server;
    fota_snapshot_info_t   info;

    server = data;
    looks = 0;

    do {
        db = fota_db_get(fota_jobs_pool(server));
        if (db == NULL) {
            continue;
        }

        rc = fota_snapshot_stale(server, db, looks++) ? FOTA_STALE : FOTA_OK;

        fota_db_put(fota_jobs_pool(server), db);

        if (rc != FOTA_STALE) {
            continue;
        }

        db = fota_job_own(server, "snapshot");
        if (db == NULL) {
            continue;
        }

        /* Another process may have made it while we waited for the lock. */

        if (fota_snapshot_stale(server, db, looks)) {
            rc = fota_snapshot_make(server, db, &info);

            if (rc == FOTA_OK) {
                fota_log(FOTA_LOG_INFO, "snapshot %s at %llu, %llu records",
                         info.id, (unsigned long long) info.seq,
                         (unsigned long long) info.entries);
                fota_snapshot_clean(server, info.id);

            } else {
                fota_log(FOTA_LOG_ERROR, "no snapshot could be made: %s",
                         fota_status_name(rc));
                (void) fota_feed_sleep(FOTA_SNAPSHOT_LOOK_MS * 5);
            }
        }

        fota_job_disown(server, db);

    } while (fota_feed_sleep(FOTA_SNAPSHOT_LOOK_MS));

    return NULL;
}
