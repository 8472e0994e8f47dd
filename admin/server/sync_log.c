/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_encode.h"

#include "sync.h"


#define FOTA_LOG_WAIT_MAX    60         /* s */
#define FOTA_LOG_WAIT        25
#define FOTA_LOG_BYTES       (1024 * 1024)
#define FOTA_LOG_BYTES_MAX   (8 * 1024 * 1024)
#define FOTA_LOG_SLICE_MS    500        /* how soon a stop is noticed */
#define FOTA_LOG_CACHE       8
#define FOTA_LOG_CACHE_MS    2000
#define FOTA_NACK_TEXT_MAX   4096       /* the beginning of it is kept */


typedef struct {
    int64_t    made;
    uint64_t   epoch;
    uint64_t   after;
    uint64_t   head;
    size_t     max;
    uint8_t   *data;
    size_t     len;
} fota_log_cache_t;


/*
 * A change wakes every edge at once, and all of them ask for the same bytes:
 * the first one makes them while the others wait.
 */
static struct {
    pthread_mutex_t   mutex;
    size_t            next;
    fota_log_cache_t  entries[FOTA_LOG_CACHE];
} fota_log_cached = { .mutex = PTHREAD_MUTEX_INITIALIZER };


static bool fota_sync_epoch(fota_req_t *req, fota_str_t s, uint64_t *epoch);
static int fota_sync_head(fota_req_t *req, uint64_t epoch, uint64_t after,
    fota_feed_t *feed);
static int fota_sync_ack(fota_req_t *req, uint64_t epoch, uint64_t after);
static int fota_sync_refuse(fota_req_t *req, const fota_feed_t *feed,
    const char *code);
static int fota_sync_send(fota_req_t *req, const fota_feed_t *feed,
    uint64_t after, size_t max);


/* Fota-Epoch, Fota-Head, Fota-Time. */

static void
fota_sync_headers(fota_req_t *req, const fota_feed_t *feed)
{
    char  text[32];

    (void) snprintf(text, sizeof(text), "%016llx",
                    (unsigned long long) feed->epoch);
    fota_res_header(req, "Fota-Epoch", text);

    (void) snprintf(text, sizeof(text), "%llu",
                    (unsigned long long) feed->seq);
    fota_res_header(req, "Fota-Head", text);

    (void) snprintf(text, sizeof(text), "%lld", (long long) fota_now_ms());
    fota_res_header(req, "Fota-Time", text);

    fota_res_header(req, "Cache-Control", "no-store");
}


fota_str_t
fota_sync_text(fota_str_t s)
{
    size_t  n, k;

    for (n = 0; n < s.len; n += k) {
        k = fota_str_utf8_seq(s.data + n, s.len - n);

        if (k == 0 || n + k > FOTA_SYNC_TEXT_MAX) {
            break;
        }
    }

    s.len = n;

    return s;
}


/* False: answered with 400.  0 is what a new edge says. */

static bool
fota_sync_epoch(fota_req_t *req, fota_str_t s, uint64_t *epoch)
{
    size_t   i;
    uint8_t  raw[8];

    if (s.len != 16 || fota_hex_decode(raw, 8, s) != FOTA_OK) {
        return fota_res_bad(req, "bad_field", "epoch", "must be 16 hex digits");
    }

    for (i = 0, *epoch = 0; i < 8; i++) {
        *epoch = *epoch << 8 | raw[i];
    }

    return true;
}


/*
 * The head this process knows, or that of the database when the edge is
 * ahead of it: it may have asked another process just before.
 */

static int
fota_sync_head(fota_req_t *req, uint64_t epoch, uint64_t after,
    fota_feed_t *feed)
{
    int         rc;
    fota_db_t  *db;

    fota_feed_head(feed);

    if (feed->epoch == epoch && after <= feed->seq) {
        return FOTA_OK;
    }

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        return FOTA_IO;
    }

    rc = fota_feed_read(db, feed, false);

    fota_db_put(req->server->db, db);

    if (rc == FOTA_OK) {
        fota_feed_publish(feed);
    }

    return rc;
}


static int
fota_sync_ack(fota_req_t *req, uint64_t epoch, uint64_t after)
{
    int         rc;
    fota_db_t  *db;

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        return FOTA_IO;
    }

    /* A refused batch is forgiven once the node has got beyond it. */

    rc = fota_db_exec(db, "INSERT INTO node_status (node_id, epoch, acked)"
                      " VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE"
                      " error = IF(nack_seq <> 0 AND nack_seq <="
                      " VALUES(acked), '', error), nack_seq ="
                      " IF(nack_seq <= VALUES(acked), 0, nack_seq),"
                      " epoch = VALUES(epoch), acked = VALUES(acked)", "uuu",
                      (uint64_t) req->node_id, epoch, after);

    fota_db_put(req->server->db, db);

    return rc;
}


static int
fota_sync_refuse(fota_req_t *req, const fota_feed_t *feed, const char *code)
{
    fota_sync_headers(req, feed);

    return fota_res_problem(req, 409, code, NULL,
                            "load a snapshot: /sync/v1/snapshot");
}


static int
fota_sync_send(fota_req_t *req, const fota_feed_t *feed, uint64_t after,
    size_t max)
{
    int                rc;
    size_t             i;
    int64_t            now;
    fota_db_t         *db;
    fota_buf_t         out;
    fota_log_cache_t  *e;

    rc = FOTA_OK;
    now = fota_now_ms();

    (void) pthread_mutex_lock(&fota_log_cached.mutex);

    for (i = 0; i < FOTA_LOG_CACHE; i++) {
        e = &fota_log_cached.entries[i];

        if (e->data != NULL && e->epoch == feed->epoch && e->after == after
            && e->max == max && e->head == feed->seq
            && now - e->made < FOTA_LOG_CACHE_MS && now >= e->made)
        {
            rc = fota_res_bytes(req, 200, "application/vnd.fota.batch",
                                fota_slice(e->data, e->len));
            (void) pthread_mutex_unlock(&fota_log_cached.mutex);
            return rc;
        }
    }

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        (void) pthread_mutex_unlock(&fota_log_cached.mutex);
        return FOTA_IO;
    }

    fota_buf_grow(&out, FOTA_LOG_BYTES_MAX + FOTA_BATCH_MAX);

    rc = fota_sync_batches(req->server, db, feed, after, max, &out);

    fota_db_put(req->server->db, db);

    if (rc == FOTA_OK) {
        rc = fota_res_bytes(req, 200, "application/vnd.fota.batch",
                            fota_buf_slice(&out));

        e = &fota_log_cached.entries[fota_log_cached.next];
        fota_log_cached.next = (fota_log_cached.next + 1) % FOTA_LOG_CACHE;

        free(e->data);

        e->data = out.start;
        e->len = out.len;
        e->made = now;
        e->epoch = feed->epoch;
        e->after = after;
        e->head = feed->seq;
        e->max = max;

    } else {
        fota_buf_free(&out);
    }

    (void) pthread_mutex_unlock(&fota_log_cached.mutex);

    return rc;
}


int
fota_sync_log(fota_req_t *req)
{
    int          rc;
    size_t       max;
    int64_t      until, left;
    uint64_t     epoch, after;
    fota_str_t   s;
    fota_feed_t  feed;

    if (!fota_sync_epoch(req, fota_req_query(req, "epoch"), &epoch)) {
        return FOTA_OK;
    }

    s = fota_req_query(req, "after");

    if (s.data == NULL || fota_str_u64(s, INT64_MAX, &after) != FOTA_OK) {
        return fota_res_problem(req, 400, "bad_field", "after",
                                "must be a decimal number");
    }

    until = (int64_t) fota_req_query_u64(req, "wait", FOTA_LOG_WAIT,
                                         FOTA_LOG_WAIT_MAX);
    until = fota_now_ms() + until * 1000;

    max = (size_t) fota_req_query_u64(req, "max", FOTA_LOG_BYTES,
                                      FOTA_LOG_BYTES_MAX);

    rc = fota_sync_head(req, epoch, after, &feed);

    if (rc == FOTA_NOTFOUND) {
        fota_res_header(req, "Retry-After", "1");
        return fota_res_problem(req, 503, "starting", NULL,
                                "nothing was published yet");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (feed.epoch == epoch && after <= feed.seq && after >= feed.floor) {
        rc = fota_sync_ack(req, epoch, after);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    for ( ;; ) {

        if (feed.epoch != epoch) {
            return fota_sync_refuse(req, &feed, "epoch");
        }

        if (after > feed.seq) {
            return fota_sync_refuse(req, &feed, "diverged");
        }

        if (after < feed.floor) {
            return fota_sync_refuse(req, &feed, "truncated");
        }

        if (after < feed.seq) {
            break;
        }

        left = until - fota_now_ms();

        if (left <= 0 || atomic_load(&req->server->stop)) {
            fota_sync_headers(req, &feed);
            return fota_res_empty(req, 204);
        }

        if (left > FOTA_LOG_SLICE_MS) {
            left = FOTA_LOG_SLICE_MS;
        }

        fota_feed_wait(epoch, after, (unsigned) left, &feed);
    }

    rc = fota_sync_send(req, &feed, after, max);

    if (rc == FOTA_TRUNCATED) {
        return fota_sync_refuse(req, &feed, "truncated");
    }

    if (rc == FOTA_OK) {
        fota_sync_headers(req, &feed);
    }

    return rc;
}


int
fota_sync_nack(fota_req_t *req)
{
    int         rc;
    uint64_t    epoch, seq;
    fota_str_t  text, error;

    if (!fota_json_str(req, "epoch", true, 16, &text)
        || !fota_json_u64(req, "seq", true, INT64_MAX, &seq)
        || !fota_json_str(req, "error", true, FOTA_NACK_TEXT_MAX, &error)
        || !fota_sync_epoch(req, text, &epoch))
    {
        return FOTA_OK;
    }

    error = fota_sync_text(error);

    fota_log(FOTA_LOG_WARN, "node \"%.*s\" refuses the feed at %llu: %.*s",
             (int) req->node_name.len, (const char *) req->node_name.data,
             (unsigned long long) seq, (int) error.len,
             (const char *) error.data);

    rc = fota_db_exec(req->db, "INSERT INTO node_status (node_id, epoch,"
                      " nack_seq, error) VALUES (?, ?, ?, ?)"
                      " ON DUPLICATE KEY UPDATE epoch = VALUES(epoch),"
                      " nack_seq = VALUES(nack_seq), error = VALUES(error)",
                      "uuus", (uint64_t) req->node_id, epoch, seq, error);
    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_res_empty(req, 204);
}
