/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <jansson.h>

#include "agent_file.h"
#include "agent_http.h"
#include "agent_spool.h"
#include "agent_tally.h"


#define FOTA_AGENT_UPLOAD_EVERY  250        /* ms between looks */
#define FOTA_AGENT_UPLOAD_RETRY  60         /* s, the longest */
#define FOTA_AGENT_UPLOAD_TIME   120        /* s for an answer */
#define FOTA_AGENT_LOCK_AGE      10         /* s: by then a writer locked */

/* A batch and one record that did not fit any more. */
#define FOTA_AGENT_READ                                                       \
    (FOTA_AGENT_BATCH_BYTES + FOTA_SPOOL_RECORD_HEADER                        \
     + FOTA_SPOOL_PAYLOAD_MAX)


typedef struct {
    fota_agent_t           *agent;
    fota_agent_http_t      *http;
    fota_agent_cursor_t     cursor;
    fota_agent_segments_t   segments;
    uint8_t                *data;       /* FOTA_AGENT_READ bytes */
    char                    mark[PATH_MAX];
    char                    aside[PATH_MAX];    /* directory */
    fota_spool_segment_t    unread;     /* header that was complained of */
    unsigned                tries;
    uint64_t                sent_bytes;
    uint64_t                sent_records;
} fota_agent_upload_t;

typedef struct {
    fota_agent_segment_t   *seg;
    char                    name[FOTA_SPOOL_NAME_MAX];
    char                    path[PATH_MAX];
    int                     fd;
    uint64_t                at;
    uint64_t                size;
} fota_agent_open_t;


static bool fota_agent_upload_round(fota_agent_upload_t *u);
static int fota_agent_upload_segment(fota_agent_upload_t *u,
    fota_agent_segment_t *seg);
static int fota_agent_upload_begin(fota_agent_upload_t *u,
    fota_agent_open_t *o);
static int fota_agent_upload_send(fota_agent_upload_t *u,
    fota_agent_open_t *o, const fota_agent_batch_t *b);
static bool fota_agent_upload_unfit(const fota_agent_res_t *res);
static int fota_agent_upload_refused(fota_agent_upload_t *u,
    fota_agent_open_t *o, const fota_agent_batch_t *b, fota_str_t answer);
static int fota_agent_upload_aside(fota_agent_upload_t *u,
    fota_agent_open_t *o, const char *what, fota_str_t data);
static int fota_agent_upload_move(fota_agent_upload_t *u,
    fota_agent_open_t *o, uint64_t n);
static bool fota_agent_upload_ended(fota_agent_open_t *o);
static int fota_agent_upload_remove(fota_agent_upload_t *u,
    fota_agent_open_t *o);
static void fota_agent_upload_count(fota_agent_upload_t *u, uint64_t oldest);


void *
fota_agent_upload_thread(void *arg)
{
    int                  rc;
    fota_agent_upload_t  u;

    memset(&u, 0, sizeof(u));
    u.agent = arg;
    u.http = fota_agent_http_new(u.agent);
    u.data = malloc(FOTA_SPOOL_SEGMENT_HEADER + FOTA_AGENT_READ);

    if (u.http == NULL || u.data == NULL
        || !fota_agent_file_path(u.mark, u.agent->conf.state_dir, "cursor")
        || !fota_agent_file_path(u.aside, u.agent->conf.spool_dir, "refused"))
    {
        fota_agent_fault(u.agent, FOTA_AGENT_UPLOAD, "out of memory");
        goto done;
    }

    rc = fota_agent_cursor_load(&u.cursor, u.mark);

    if (rc == FOTA_CORRUPT) {

        /* Sending again is safe: the centre knows what it has. */

        fota_agent_log(FOTA_AGENT_LOG_WARN, "upload",
                       "cursor %s is damaged: segments are sent anew",
                       u.mark);
        fota_agent_cursor_free(&u.cursor);

    } else if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        fota_agent_fault(u.agent, FOTA_AGENT_UPLOAD, "cannot read %s: %s",
                         u.mark, fota_status_name(rc));
    }

    while (!fota_agent_stopping(u.agent)) {
        if (!fota_agent_upload_round(&u)) {
            (void) fota_agent_pause(u.agent, FOTA_AGENT_UPLOAD_EVERY);
        }
    }

done:

    fota_agent_cursor_free(&u.cursor);
    fota_agent_http_free(u.http);
    free(u.segments.list);
    free(u.data);

    return NULL;
}


/* Once over all segments; true when it is worth to go on at once. */

static bool
fota_agent_upload_round(fota_agent_upload_t *u)
{
    int     rc;
    size_t  i;

    rc = fota_agent_spool_list(u->agent->conf.spool_dir, &u->segments);

    if (rc != FOTA_OK) {
        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD,
                         "cannot read the spool %s: %s",
                         u->agent->conf.spool_dir, strerror(errno));
        return fota_agent_pause(u->agent,
                                fota_agent_backoff(++u->tries,
                                                   FOTA_AGENT_UPLOAD_RETRY,
                                                   0));
    }

    fota_agent_cursor_prune(&u->cursor, &u->segments);
    fota_agent_upload_count(u, 0);

    for (i = 0; i < u->segments.n; i++) {

        if (fota_agent_stopping(u->agent)) {
            return false;
        }

        rc = fota_agent_upload_segment(u, &u->segments.list[i]);

        /* What does not concern this segment alone holds for all. */

        if (rc != FOTA_OK) {
            return true;
        }
    }

    if (u->tries == 0) {
        fota_agent_well(u->agent, FOTA_AGENT_UPLOAD);
    }

    return false;
}


/* Bytes that wait, and how many records that may be. */

static void
fota_agent_upload_count(fota_agent_upload_t *u, uint64_t oldest)
{
    size_t         i;
    uint64_t       bytes, at, mean;
    fota_agent_t  *agent;

    bytes = 0;

    for (i = 0; i < u->segments.n; i++) {
        at = fota_agent_cursor_get(&u->cursor, &u->segments.list[i].id);

        if (at < FOTA_SPOOL_SEGMENT_HEADER) {
            at = FOTA_SPOOL_SEGMENT_HEADER;
        }

        if (u->segments.list[i].size > at) {
            bytes += u->segments.list[i].size - at;
        }
    }

    mean = (u->sent_records == 0) ? 400 : u->sent_bytes / u->sent_records;

    agent = u->agent;

    fota_agent_tally_marks(agent->tally, &u->cursor);

    pthread_mutex_lock(&agent->lock);

    agent->spool_segments = u->segments.n;
    agent->spool_bytes = bytes;
    agent->spool_records = (bytes + mean - 1) / mean;

    if (bytes == 0) {
        agent->spool_oldest = 0;

    } else if (oldest != 0) {
        agent->spool_oldest = oldest;
    }

    pthread_mutex_unlock(&agent->lock);
}


/* FOTA_OK: all of it that can be sent now was sent. */

static int
fota_agent_upload_segment(fota_agent_upload_t *u, fota_agent_segment_t *seg)
{
    int                  rc;
    size_t               skip;
    ssize_t              n;
    struct stat          sb;
    fota_str_t           data;
    fota_agent_open_t    o;
    fota_agent_batch_t   b;

    o.seg = seg;
    fota_spool_name(o.name, &seg->id);

    if (!fota_agent_file_path(o.path, u->agent->conf.spool_dir, o.name)) {
        return FOTA_OK;
    }

    o.at = fota_agent_cursor_get(&u->cursor, &seg->id);

    if (!seg->later && o.at == seg->size
        && seg->mtime + FOTA_AGENT_LOCK_AGE > time(NULL))
    {
        return FOTA_OK;
    }

    o.fd = open(o.path, O_RDONLY|O_CLOEXEC);

    if (o.fd < 0 || fstat(o.fd, &sb) != 0) {
        if (errno != ENOENT) {
            fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD,
                             "cannot read %s: %s", o.path, strerror(errno));
        }

        if (o.fd >= 0) {
            close(o.fd);
        }

        return FOTA_OK;
    }

    o.size = (uint64_t) sb.st_size;

    rc = fota_agent_upload_begin(u, &o);

    while (rc == FOTA_OK && !fota_agent_stopping(u->agent)) {

        n = pread(o.fd, u->data + FOTA_SPOOL_SEGMENT_HEADER, FOTA_AGENT_READ,
                  (off_t) o.at);

        if (n < 0) {
            fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD,
                             "cannot read %s: %s", o.path, strerror(errno));
            rc = FOTA_IO;
            break;
        }

        data = fota_slice(u->data + FOTA_SPOOL_SEGMENT_HEADER, (size_t) n);
        fota_agent_spool_batch(data, &b);

        if (b.n != 0) {
            fota_agent_upload_count(u, b.oldest);
            rc = fota_agent_upload_send(u, &o, &b);
            continue;
        }

        if (!fota_agent_upload_ended(&o)) {
            break;
        }

        /* Nobody writes here any more: what is left is all there will be. */

        if (b.end == FOTA_NOTFOUND
            || (b.end == FOTA_TRUNCATED && n < FOTA_AGENT_READ))
        {
            if (n != 0) {
                fota_agent_log(FOTA_AGENT_LOG_WARN, "upload",
                               "%s ends in %zd bytes of a record that was "
                               "never acknowledged", o.name, n);
            }

            rc = fota_agent_upload_remove(u, &o);
            break;
        }

        skip = fota_agent_spool_resync(data);

        fota_agent_log(FOTA_AGENT_LOG_ERROR, "upload",
                       "%s is damaged at byte %llu, %zu bytes set aside",
                       o.name, (unsigned long long) o.at, skip);

        rc = fota_agent_upload_aside(u, &o, "damaged",
                                     fota_slice(data.data, skip));

        if (rc == FOTA_OK) {
            rc = fota_agent_upload_move(u, &o, skip);
        }
    }

    close(o.fd);

    /* Not yet begun, or not readable by this version: others go on. */

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


/* The header, which goes in front of each batch as well. */

static int
fota_agent_upload_begin(fota_agent_upload_t *u, fota_agent_open_t *o)
{
    int                    rc;
    ssize_t                n;
    fota_rd_t              rd;
    fota_spool_segment_t   id;

    n = pread(o->fd, u->data, FOTA_SPOOL_SEGMENT_HEADER, 0);

    if (n < 0) {
        return FOTA_IO;
    }

    fota_rd_init(&rd, fota_slice(u->data, (size_t) n));
    rc = fota_spool_segment_decode(&rd, &id);

    if (rc == FOTA_OK
        && (id.boot != o->seg->id.boot || id.worker != o->seg->id.worker
            || id.number != o->seg->id.number))
    {
        rc = FOTA_CORRUPT;
    }

    if (rc == FOTA_OK) {
        if (o->at < FOTA_SPOOL_SEGMENT_HEADER) {
            o->at = FOTA_SPOOL_SEGMENT_HEADER;
        }

        return FOTA_OK;
    }

    if (rc == FOTA_TRUNCATED) {
        if (fota_agent_upload_ended(o)) {
            fota_agent_log(FOTA_AGENT_LOG_WARN, "upload",
                           "%s has no records", o->name);
            (void) fota_agent_upload_remove(u, o);
        }

        return FOTA_NOTFOUND;
    }

    if (memcmp(&u->unread, &o->seg->id, sizeof(u->unread)) != 0) {
        u->unread = o->seg->id;
        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD, "%s: header is %s",
                         o->name, fota_status_name(rc));
    }

    if (rc == FOTA_CORRUPT && fota_agent_upload_ended(o)) {

        char  path[PATH_MAX];

        if (fota_agent_file_path(path, u->aside, o->name)
            && fota_agent_file_mkdir(u->aside, 0750, (gid_t) -1) == FOTA_OK)
        {
            (void) rename(o->path, path);
        }
    }

    return FOTA_NOTFOUND;
}


/*
 * A writer holds a lock on the segment it writes, from just after it made
 * it.  The lock that is taken here goes with the descriptor.
 */

static bool
fota_agent_upload_ended(fota_agent_open_t *o)
{
    struct stat  sb;

    if (fstat(o->fd, &sb) != 0 || (uint64_t) sb.st_size != o->size) {
        return false;
    }

    if (o->seg->later) {
        return true;
    }

    return sb.st_mtime + FOTA_AGENT_LOCK_AGE <= time(NULL)
           && flock(o->fd, LOCK_EX|LOCK_NB) == 0
           && fstat(o->fd, &sb) == 0
           && (uint64_t) sb.st_size == o->size;
}


static int
fota_agent_upload_send(fota_agent_upload_t *u, fota_agent_open_t *o,
    const fota_agent_batch_t *b)
{
    int                rc;
    char               key[512];
    fota_str_t         body;
    fota_agent_t      *agent;
    fota_agent_req_t   req;
    fota_agent_res_t   res;

    agent = u->agent;

    body = fota_slice(u->data, FOTA_SPOOL_SEGMENT_HEADER + b->len);

    (void) snprintf(key, sizeof(key), "%s/%016llx/%u/%llu/%llu-%llu",
                    agent->conf.node,
                    (unsigned long long) o->seg->id.boot, o->seg->id.worker,
                    (unsigned long long) o->seg->id.number,
                    (unsigned long long) b->first,
                    (unsigned long long) b->last);

    memset(&req, 0, sizeof(req));
    req.path = "/sync/v1/reports";
    req.type = "application/vnd.fota.spool";
    req.idempotency = key;
    req.body = &body;
    req.timeout = FOTA_AGENT_UPLOAD_TIME;
    req.max = 1 << 20;

    rc = fota_agent_http(u->http, &req, &res);

    if (rc == FOTA_OK && res.status == 200) {
        rc = fota_agent_upload_refused(u, o, b, fota_buf_slice(&res.body));

        if (rc == FOTA_OK) {
            rc = fota_agent_upload_move(u, o, b->len);
        }

        if (rc == FOTA_OK) {
            u->sent_bytes += b->len;
            u->sent_records += b->n;

            pthread_mutex_lock(&agent->lock);
            agent->uploaded += b->n;
            pthread_mutex_unlock(&agent->lock);

            fota_agent_log(FOTA_AGENT_LOG_DEBUG, "upload",
                           "%s: records %llu to %llu", o->name,
                           (unsigned long long) b->first,
                           (unsigned long long) b->last);
        }

    } else if (rc == FOTA_OK && fota_agent_upload_unfit(&res)) {

        fota_agent_log(FOTA_AGENT_LOG_ERROR, "upload",
                       "%s: records %llu to %llu set aside: %s", o->name,
                       (unsigned long long) b->first,
                       (unsigned long long) b->last,
                       fota_agent_res_text(&res));

        rc = fota_agent_upload_aside(u, o, "refused",
                                     fota_slice(body.data
                                                + FOTA_SPOOL_SEGMENT_HEADER,
                                                b->len));
        if (rc == FOTA_OK) {
            rc = fota_agent_upload_move(u, o, b->len);
        }

        if (rc == FOTA_OK) {
            pthread_mutex_lock(&agent->lock);
            agent->refused += b->n;
            pthread_mutex_unlock(&agent->lock);
        }

    } else {
        if (rc != FOTA_BUSY) {
            fota_agent_fault(agent, FOTA_AGENT_UPLOAD, "centre: %s",
                             fota_agent_res_text(&res));
        }

        rc = FOTA_BUSY;
    }

    if (rc == FOTA_OK) {
        u->tries = 0;

    } else if (!fota_agent_stopping(agent)) {
        (void) fota_agent_pause(agent,
                                fota_agent_backoff(++u->tries,
                                                   FOTA_AGENT_UPLOAD_RETRY,
                                                   res.retry_after));
    }

    fota_agent_res_free(&res);

    return rc;
}


/*
 * Did the centre read these bytes and find that they can never be taken?
 * nginx before it says 400 as well, for a certificate that has expired.
 */

static bool
fota_agent_upload_unfit(const fota_agent_res_t *res)
{
    bool         unfit;
    json_t      *doc;
    const char  *code;

    if (res->status != 400) {
        return false;
    }

    doc = json_loadb((const char *) res->body.start, res->body.len, 0, NULL);
    code = json_string_value(json_object_get(doc, "code"));

    unfit = code != NULL && (strcmp(code, "bad_records") == 0
                             || strcmp(code, "bad_field") == 0);
    json_decref(doc);

    return unfit;
}


/* Single records that the centre will not have are kept beside the spool. */

static int
fota_agent_upload_refused(fota_agent_upload_t *u, fota_agent_open_t *o,
    const fota_agent_batch_t *b, fota_str_t answer)
{
    int                   rc;
    json_t               *doc, *list, *item;
    size_t                i;
    fota_rd_t             rd;
    const char           *code, *detail;
    const uint8_t        *at;
    fota_spool_record_t   r;

    doc = json_loadb((const char *) answer.data, answer.len, 0, NULL);

    /* Only who says how many it took, took them. */

    if (!json_is_integer(json_object_get(doc, "accepted"))) {
        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD,
                         "answer of the centre cannot be read");
        json_decref(doc);
        return FOTA_INVALID;
    }

    list = json_object_get(doc, "refused");
    rc = FOTA_OK;

    fota_rd_init(&rd, fota_slice(u->data + FOTA_SPOOL_SEGMENT_HEADER,
                                 b->len));

    while (rc == FOTA_OK && json_array_size(list) != 0) {

        at = rd.pos;

        if (fota_spool_record_decode(&rd, &r) != FOTA_OK) {
            break;
        }

        json_array_foreach(list, i, item) {

            if ((uint64_t) json_integer_value(json_object_get(item, "seq"))
                != r.seq)
            {
                continue;
            }

            code = json_string_value(json_object_get(item, "code"));
            detail = json_string_value(json_object_get(item, "detail"));

            fota_agent_log(FOTA_AGENT_LOG_WARN, "upload",
                           "%s: record %llu set aside: %s: %s", o->name,
                           (unsigned long long) r.seq,
                           (code != NULL) ? code : "",
                           (detail != NULL) ? detail : "");

            rc = fota_agent_upload_aside(u, o, "refused",
                                         fota_slice(at, (size_t) (rd.pos
                                                                  - at)));

            if (rc == FOTA_OK) {
                pthread_mutex_lock(&u->agent->lock);
                u->agent->refused++;
                pthread_mutex_unlock(&u->agent->lock);
            }

            break;
        }
    }

    json_decref(doc);

    return rc;
}


/* Appends to refused/<segment>.<what>, durable before the cursor moves. */

static int
fota_agent_upload_aside(fota_agent_upload_t *u, fota_agent_open_t *o,
    const char *what, fota_str_t data)
{
    int   fd, rc;
    char  name[128], path[PATH_MAX];

    (void) snprintf(name, sizeof(name), "%s.%s", o->name, what);

    if (!fota_agent_file_path(path, u->aside, name)) {
        return FOTA_LIMIT;
    }

    rc = fota_agent_file_mkdir(u->aside, 0750, (gid_t) -1);

    if (rc == FOTA_OK) {
        fd = open(path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0640);

        if (fd < 0) {
            rc = fota_agent_file_errno(errno);

        } else {
            rc = fota_agent_file_write(fd, data.data, data.len);

            if (rc == FOTA_OK && fsync(fd) != 0) {
                rc = fota_agent_file_errno(errno);
            }

            close(fd);
        }
    }

    if (rc == FOTA_OK) {
        rc = fota_agent_file_sync_dir(u->aside);
    }

    if (rc != FOTA_OK) {
        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD,
                         "cannot set records aside in %s: %s", u->aside,
                         strerror(errno));
    }

    return rc;
}


static int
fota_agent_upload_move(fota_agent_upload_t *u, fota_agent_open_t *o,
    uint64_t n)
{
    int  rc;

    rc = fota_agent_cursor_set(&u->cursor, &o->seg->id, o->at + n);

    if (rc == FOTA_OK) {
        rc = fota_agent_cursor_save(&u->cursor, u->mark);
    }

    if (rc != FOTA_OK) {

        /* Not durable, not moved: the same records are sent once more. */

        (void) fota_agent_cursor_set(&u->cursor, &o->seg->id, o->at);

        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD, "cannot write %s: %s",
                         u->mark, fota_status_name(rc));
        return rc;
    }

    o->at += n;

    return FOTA_OK;
}


/* The cursor on disk says by now that all of it was taken. */

static int
fota_agent_upload_remove(fota_agent_upload_t *u, fota_agent_open_t *o)
{
    if (unlink(o->path) != 0 && errno != ENOENT) {
        fota_agent_fault(u->agent, FOTA_AGENT_UPLOAD, "cannot remove %s: %s",
                         o->path, strerror(errno));
        return FOTA_OK;
    }

    (void) fota_agent_file_sync_dir(u->agent->conf.spool_dir);

    fota_agent_cursor_drop(&u->cursor, &o->seg->id);
    o->seg->size = 0;

    fota_agent_log(FOTA_AGENT_LOG_DEBUG, "upload", "%s is done", o->name);

    return FOTA_OK;
}
