/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Cutting the change log into signed batches. */

#include <pthread.h>

#include "secret.h"
#include "sync.h"


#define FOTA_SIGNER_MS  5000
#define FOTA_BATCH_ROWS 64              /* rows may have half a megabyte */


static int fota_sync_batch_end(fota_batch_t *b, fota_buf_t *ops,
    const uint8_t sec[32], fota_buf_t *out);
static int fota_sync_rows(fota_db_t *db, fota_batch_t *b, fota_buf_t *ops,
    const uint8_t sec[32], size_t max, fota_buf_t *out, bool *end);


static struct {
    pthread_mutex_t  mutex;
    int64_t          read;
    uint16_t         kid;
    uint8_t          sec[32];
} fota_signer = { .mutex = PTHREAD_MUTEX_INITIALIZER };


int
fota_sync_signer(fota_server_t *server, fota_db_t *db, uint16_t *kid,
    uint8_t sec[32])
{
    int      rc;
    int64_t  now;

    rc = FOTA_OK;

    (void) pthread_mutex_lock(&fota_signer.mutex);

    now = fota_now_ms();

    if (fota_signer.read == 0 || now - fota_signer.read > FOTA_SIGNER_MS
        || now < fota_signer.read)
    {
        rc = fota_secret_load(server, db, FOTA_SECRET_SYNC, 0, 0,
                              &fota_signer.kid, fota_signer.sec, NULL);
        fota_signer.read = (rc == FOTA_OK) ? now : 0;
    }

    *kid = fota_signer.kid;
    memcpy(sec, fota_signer.sec, sizeof(fota_signer.sec));

    (void) pthread_mutex_unlock(&fota_signer.mutex);

    if (rc == FOTA_NOTFOUND || rc == FOTA_FORGED) {
        fota_log(FOTA_LOG_ERROR, "there is no signing key of the feed that"
                 " opens: %s", fota_status_name(rc));
        rc = FOTA_ERROR;
    }

    return rc;
}


static int
fota_sync_batch_end(fota_batch_t *b, fota_buf_t *ops, const uint8_t sec[32],
    fota_buf_t *out)
{
    int  rc;

    if (b->nops == 0) {
        return FOTA_OK;
    }

    b->ops = fota_buf_slice(ops);

    rc = fota_batch_encode(b, sec, out);

    fota_buf_reset(ops);

    b->prev = b->last;
    b->nops = 0;

    return rc;
}


static int
fota_sync_rows(fota_db_t *db, fota_batch_t *b, fota_buf_t *ops,
    const uint8_t sec[32], size_t max, fota_buf_t *out, bool *end)
{
    int           rc;
    size_t        n;
    fota_op_t     op;
    fota_str_t    chain;
    fota_rows_t  *rows;

    rc = fota_db_query(db, &rows, "SELECT seq, op, tbl, key_bytes,"
                       " value_bytes, chain FROM change_log WHERE seq > ?"
                       " ORDER BY seq LIMIT 64", "u", b->last);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        n++;

        op.seq = fota_db_u64(rows, 0);
        op.op = (uint8_t) fota_db_u64(rows, 1);
        op.table = (uint8_t) fota_db_u64(rows, 2);
        op.key = fota_db_str(rows, 3);
        op.value = fota_db_str(rows, 4);
        chain = fota_db_str(rows, 5);

        if (op.seq != b->last + 1 || chain.len != sizeof(b->chain)) {
            rc = FOTA_TRUNCATED;
            break;
        }

        /* The first operation goes whatever its size. */

        if (out->len + ops->len + fota_op_size(&op) > max
            && out->len + ops->len != 0)
        {
            *end = true;
            rc = FOTA_NOTFOUND;
            break;
        }

        fota_op_encode(&op, ops);

        b->last = op.seq;
        b->nops++;
        memcpy(b->chain, chain.data, sizeof(b->chain));

        if (b->nops == FOTA_BATCH_OPS_MAX || ops->len >= FOTA_BATCH_TARGET) {
            rc = fota_sync_batch_end(b, ops, sec, out);
            if (rc != FOTA_OK) {
                break;
            }
        }
    }

    fota_db_rows_end(rows);

    if (n < FOTA_BATCH_ROWS) {
        *end = true;
    }

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_sync_batches(fota_server_t *server, fota_db_t *db,
    const fota_feed_t *feed, uint64_t after, size_t max, fota_buf_t *out)
{
    int           rc;
    bool          end;
    uint8_t       sec[32];
    fota_buf_t    ops;
    fota_batch_t  b;

    memset(&b, 0, sizeof(fota_batch_t));

    b.epoch = feed->epoch;
    b.prev = after;
    b.last = after;
    b.ts = (uint64_t) fota_now_ms();

    rc = fota_sync_signer(server, db, &b.kid, sec);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_grow(&ops, FOTA_BATCH_MAX);

    end = false;

    while (rc == FOTA_OK && !end) {
        rc = fota_sync_rows(db, &b, &ops, sec, max, out, &end);
    }

    if (rc == FOTA_OK) {
        rc = fota_sync_batch_end(&b, &ops, sec, out);
    }

    fota_buf_free(&ops);
    fota_cleanse(sec, sizeof(sec));

    if (rc == FOTA_OK && out->status != FOTA_OK) {
        rc = out->status;
    }

    if (rc == FOTA_OK && out->len == 0) {

        /* Trimmed to the head, as it is after a quiet week. */

        return (after < feed->seq) ? FOTA_TRUNCATED : FOTA_NOTFOUND;
    }

    return rc;
}
