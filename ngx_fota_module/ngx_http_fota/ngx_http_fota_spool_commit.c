/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Group commit.  One write is under way at a time.  After a failed write the
 * segment is left as it is and a new one begun: the agent may have read past
 * the place where the failed records would be cut off.
 */

#include "ngx_http_fota_spool_int.h"


#define FOTA_SEGMENT_AGE     60                 /* s, then a new one */
#define FOTA_SEGMENT_SMALL   (64 * 1024)        /* unless so small */
#define FOTA_LEVEL_MERGE     70


static void ngx_http_fota_spool_merge(ngx_http_fota_spool_t *sp);
static void ngx_http_fota_spool_settle(ngx_http_fota_spool_t *sp);


/* Of progress reports of one device and rollout only the last is kept. */

static void
ngx_http_fota_spool_merge(ngx_http_fota_spool_t *sp)
{
    ngx_queue_t            *q;
    ngx_http_fota_entry_t  *e, **slot;

    ngx_memzero(sp->merge, sizeof(sp->merge));

    for (q = ngx_queue_last(&sp->pending);
         q != ngx_queue_sentinel(&sp->pending);
         q = ngx_queue_prev(q))
    {
        e = ngx_queue_data(q, ngx_http_fota_entry_t, queue);

        if (e->terminal) {
            continue;
        }

        slot = &sp->merge[e->key % FOTA_MERGE_SLOTS];

        if (*slot != NULL && (*slot)->key == e->key) {
            e->by = *slot;
            ngx_http_fota_count(sp->rt, REPORTS_MERGED);

        } else {
            *slot = e;
        }
    }
}


/* Moves what waits into a batch and prepares the task. */

ngx_int_t
ngx_http_fota_spool_encode(ngx_http_fota_spool_t *sp)
{
    size_t                   len;
    fota_rd_t                rd;
    fota_str_t               id;
    ngx_queue_t             *q;
    fota_spool_record_t      rec;
    ngx_http_fota_entry_t   *e;
    ngx_http_fota_commit_t  *t;

    if (sp->npending == 0 && sp->nnotes == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_fota_spool_level(sp->rt) >= FOTA_LEVEL_MERGE) {
        ngx_http_fota_spool_merge(sp);
    }

    fota_buf_reset(&sp->batch);
    sp->nrecords = 0;

    if (sp->fd != -1
        && (sp->offset + (off_t) (sp->bytes + sp->notes.len)
            > FOTA_SPOOL_SEGMENT_MAX
            || (ngx_time() - sp->opened > FOTA_SEGMENT_AGE
                && sp->offset > FOTA_SEGMENT_SMALL)))
    {
        (void) close(sp->fd);
        sp->fd = -1;
    }

    if (sp->fd == -1) {
        sp->segment.number++;
        sp->offset = 0;
        sp->seq = 0;
        sp->opened = ngx_time();
        fota_spool_segment_encode(&sp->segment, &sp->batch);
    }

    for (q = ngx_queue_head(&sp->pending);
         q != ngx_queue_sentinel(&sp->pending);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_fota_entry_t, queue);

        if (e->by != NULL) {
            continue;
        }

        rec.seq = ++sp->seq;
        ngx_memcpy(rec.report_id, e->id, sizeof(rec.report_id));
        rec.recv_ms = e->recv_ms;
        rec.payload = e->payload;

        e->seq = rec.seq;
        sp->nrecords++;

        (void) fota_spool_record_encode(&rec, &sp->batch);
    }

    for (q = ngx_queue_head(&sp->pending);
         q != ngx_queue_sentinel(&sp->pending);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_fota_entry_t, queue);

        if (e->by != NULL) {
            e->seq = e->by->seq;
            e->by = NULL;
        }
    }

    ngx_memzero(&rec, sizeof(fota_spool_record_t));
    fota_rd_init(&rd, fota_buf_slice(&sp->notes));

    while (fota_rd_left(&rd) != 0) {
        len = fota_rd_u32(&rd);
        rec.recv_ms = fota_rd_u64(&rd);
        id = fota_rd_bytes(&rd, sizeof(rec.report_id));
        rec.payload = fota_rd_bytes(&rd, len);

        if (rd.status != FOTA_OK) {
            break;
        }

        ngx_memcpy(rec.report_id, id.data, sizeof(rec.report_id));
        rec.seq = ++sp->seq;
        sp->nrecords++;

        (void) fota_spool_record_encode(&rec, &sp->batch);
    }

    t = sp->task->ctx;

    t->segment = sp->segment;
    t->fd = sp->fd;
    t->offset = sp->offset;
    t->data = sp->batch.start;
    t->len = sp->batch.len;
    t->sync = (sp->npending != 0);
    t->err = 0;

    ngx_queue_init(&sp->inflight);

    if (!ngx_queue_empty(&sp->pending)) {
        ngx_queue_add(&sp->inflight, &sp->pending);
        ngx_queue_init(&sp->pending);
    }

    sp->npending = 0;
    sp->bytes = 0;
    sp->batch_notes = sp->nnotes;
    sp->nnotes = 0;
    fota_buf_reset(&sp->notes);

    if (sp->batch.status != FOTA_OK) {
        t->err = NGX_ENOMEM;
        t->failed = "malloc";
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_fota_spool_flush(ngx_http_fota_spool_t *sp)
{
    ngx_int_t                rc;
    ngx_http_fota_commit_t  *t;

    rc = ngx_http_fota_spool_encode(sp);

    if (rc == NGX_DECLINED) {
        return;
    }

    if (sp->timer.timer_set) {
        ngx_del_timer(&sp->timer);
    }

    sp->busy = 1;
    (void) clock_gettime(CLOCK_MONOTONIC, &sp->started);

    if (rc == NGX_OK
        && ngx_thread_task_post(sp->rt->conf->thread_pool, sp->task)
           == NGX_OK)
    {
        ngx_add_timer(&sp->guard, 60000);
        return;
    }

    t = sp->task->ctx;

    if (t->err == 0) {
        t->err = NGX_EAGAIN;
        t->failed = "ngx_thread_task_post";
        t->created = 0;
    }

    ngx_http_fota_spool_settle(sp);
}


void
ngx_http_fota_spool_done(ngx_event_t *ev)
{
    ngx_http_fota_spool_t *sp = ev->data;

    if (sp->guard.timer_set) {
        ngx_del_timer(&sp->guard);
    }

    if (sp->orphan) {
        sp->busy = 0;
        sp->fd = ((ngx_http_fota_commit_t *) sp->task->ctx)->fd;

        if (!sp->scanning) {
            ngx_http_fota_spool_free(sp);
        }

        return;
    }

    ngx_http_fota_spool_settle(sp);
}


/* The batch is down, or it failed: tells everyone who waits. */

static void
ngx_http_fota_spool_settle(ngx_http_fota_spool_t *sp)
{
    ngx_int_t                rc;
    ngx_queue_t             *q;
    ngx_http_fota_rt_t      *rt;
    ngx_http_fota_entry_t   *e;
    ngx_http_fota_commit_t  *t;

    rt = sp->rt;
    t = sp->task->ctx;

    sp->busy = 0;

    if (t->err == 0) {
        rc = NGX_OK;

        sp->fd = t->fd;
        sp->offset += (off_t) t->len;

        (void) ngx_atomic_fetch_add(&rt->shm->spool_bytes, t->len);
        (void) ngx_atomic_fetch_add(&rt->shm->spool_written, sp->nrecords);
        (void) ngx_atomic_fetch_add(
               &rt->shm->counters[NGX_HTTP_FOTA_C_SPOOL_NOTES],
               sp->batch_notes);
        ngx_http_fota_count(rt, SPOOL_COMMITS);

        rt->shm->spool_failed = 0;

        if (t->sync) {
            ngx_http_fota_observe(&rt->shm->commit_time,
                                  ngx_http_fota_since(&sp->started));
        }

    } else {
        rc = (t->err == NGX_ENOSPC || t->err == EDQUOT) ? NGX_BUSY
                                                        : NGX_ERROR;

        if (t->fd != -1) {
            (void) close(t->fd);
        }

        sp->fd = -1;

        (void) ngx_atomic_fetch_add(
               &rt->shm->counters[NGX_HTTP_FOTA_C_SPOOL_NOTES_LOST],
               sp->batch_notes);
        ngx_http_fota_count(rt, SPOOL_ERRORS);

        rt->shm->spool_failed = ngx_time();

        ngx_log_error(NGX_LOG_CRIT, rt->log, t->err,
                      "fota: %s() in spool \"%V\" failed, %ui records were "
                      "not kept and not acknowledged", t->failed,
                      &rt->conf->spool, sp->nrecords);
    }

    while (!ngx_queue_empty(&sp->inflight)) {
        q = ngx_queue_head(&sp->inflight);
        ngx_queue_remove(q);

        e = ngx_queue_data(q, ngx_http_fota_entry_t, queue);
        e->queued = 0;
        e->done(e, rc);
    }

    ngx_http_fota_spool_schedule(sp);
}
