/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The report spool of a worker: group commit.
 *
 * Reports wait in a queue, at most for the commit interval; then all of them
 * are written and synced in a thread, and answered when that has returned.
 * One write is under way at a time.  After a failed write the segment is
 * left as it is and a new one begun: the agent may have read past the place
 * where the failed records would be cut off.
 */

#include "ngx_http_fota.h"
#include "ngx_http_fota_spool.h"


#define FOTA_COMMIT_RECORDS  256
#define FOTA_COMMIT_BYTES    (256 * 1024)
#define FOTA_PENDING_MAX     8192
#define FOTA_PENDING_BYTES   (8 * 1024 * 1024)
#define FOTA_BATCH_MAX       (16 * 1024 * 1024)
#define FOTA_NOTES_MAX       (1024 * 1024)
#define FOTA_NOTES_DELAY     1000               /* ms */
#define FOTA_SEGMENT_AGE     60                 /* s, then a new one */
#define FOTA_SEGMENT_SMALL   (64 * 1024)        /* unless so small */
#define FOTA_LEVEL_MERGE     70
#define FOTA_LEVEL_NOTES     85
#define FOTA_MERGE_SLOTS     1024


struct ngx_http_fota_spool_s {
    ngx_http_fota_rt_t      *rt;

    ngx_queue_t              pending;
    ngx_uint_t               npending;
    size_t                   bytes;     /* of pending */
    ngx_msec_t               since;     /* of the oldest pending */

    fota_buf_t               notes;     /* length, ms, id, payload */
    ngx_uint_t               nnotes;

    ngx_queue_t              inflight;
    fota_buf_t               batch;
    ngx_uint_t               nrecords;  /* in the batch */
    ngx_uint_t               batch_notes;

    ngx_event_t              timer;
    ngx_event_t              guard;     /* keeps an exiting worker waiting */
    ngx_thread_task_t       *task;
    ngx_thread_task_t       *scan;
    struct timespec          started;

    int                      fd;
    fota_spool_segment_t     segment;
    off_t                    offset;
    uint64_t                 seq;
    time_t                   opened;

    unsigned                 busy:1;
    unsigned                 scanning:1;
    unsigned                 orphan:1;  /* free when the task is back */

    ngx_http_fota_entry_t   *merge[FOTA_MERGE_SLOTS];
};


static void ngx_http_fota_spool_timer(ngx_event_t *ev);
static void ngx_http_fota_spool_guard(ngx_event_t *ev);
static void ngx_http_fota_spool_schedule(ngx_http_fota_spool_t *sp);
static void ngx_http_fota_spool_flush(ngx_http_fota_spool_t *sp);
static ngx_int_t ngx_http_fota_spool_encode(ngx_http_fota_spool_t *sp);
static void ngx_http_fota_spool_merge(ngx_http_fota_spool_t *sp);
static void ngx_http_fota_spool_done(ngx_event_t *ev);
static void ngx_http_fota_spool_settle(ngx_http_fota_spool_t *sp);
static void ngx_http_fota_spool_scanned(ngx_event_t *ev);
static void ngx_http_fota_spool_free(ngx_http_fota_spool_t *sp);
static uint64_t ngx_http_fota_now_ms(void);


ngx_int_t
ngx_http_fota_spool_init(ngx_http_fota_rt_t *rt)
{
    ngx_http_fota_scan_t    *scan;
    ngx_http_fota_spool_t   *sp;
    ngx_http_fota_commit_t  *commit;

    sp = ngx_calloc(sizeof(ngx_http_fota_spool_t), rt->log);
    if (sp == NULL) {
        return NGX_ERROR;
    }

    sp->task = ngx_thread_task_alloc(ngx_cycle->pool,
                                     sizeof(ngx_http_fota_commit_t));
    sp->scan = ngx_thread_task_alloc(ngx_cycle->pool,
                                     sizeof(ngx_http_fota_scan_t));

    if (sp->task == NULL || sp->scan == NULL) {
        ngx_free(sp);
        return NGX_ERROR;
    }

    sp->rt = rt;
    sp->fd = -1;

    ngx_queue_init(&sp->pending);
    ngx_queue_init(&sp->inflight);
    fota_buf_grow(&sp->notes, FOTA_NOTES_MAX);
    fota_buf_grow(&sp->batch, FOTA_BATCH_MAX);

    /* Never used before, here or on another boot. */

    sp->segment.boot = ngx_http_fota_now_ms() << 16
                       | ((uint64_t) ngx_pid & 0xffff);
    sp->segment.worker = (uint32_t) ngx_worker;
    sp->segment.number = 0;

    commit = sp->task->ctx;
    commit->dir = (char *) rt->conf->spool.data;
    sp->task->handler = ngx_http_fota_commit;
    sp->task->event.handler = ngx_http_fota_spool_done;
    sp->task->event.data = sp;

    scan = sp->scan->ctx;
    scan->dir = commit->dir;
    sp->scan->handler = ngx_http_fota_scan;
    sp->scan->event.handler = ngx_http_fota_spool_scanned;
    sp->scan->event.data = sp;

    sp->timer.handler = ngx_http_fota_spool_timer;
    sp->timer.data = sp;
    sp->timer.log = rt->log;

    sp->guard.handler = ngx_http_fota_spool_guard;
    sp->guard.data = sp;
    sp->guard.log = rt->log;

    rt->spool = sp;

    return NGX_OK;
}


void
ngx_http_fota_spool_exit(ngx_http_fota_rt_t *rt)
{
    ngx_http_fota_spool_t  *sp;

    sp = rt->spool;
    rt->spool = NULL;

    if (sp->timer.timer_set) {
        ngx_del_timer(&sp->timer);
    }

    if (sp->busy || sp->scanning) {

        /* Without a master this process lives on, and so does the thread. */

        sp->orphan = 1;
        return;
    }

    /* What waits has nobody to answer to any more, but may be kept. */

    if (ngx_http_fota_spool_encode(sp) == NGX_OK) {
        ngx_http_fota_commit(sp->task->ctx, rt->log);
        sp->fd = ((ngx_http_fota_commit_t *) sp->task->ctx)->fd;
    }

    ngx_http_fota_spool_free(sp);
}


static void
ngx_http_fota_spool_free(ngx_http_fota_spool_t *sp)
{
    if (sp->guard.timer_set) {
        ngx_del_timer(&sp->guard);
    }

    if (sp->fd != -1) {
        (void) close(sp->fd);
    }

    fota_buf_free(&sp->notes);
    fota_buf_free(&sp->batch);

    ngx_free(sp);
}


static uint64_t
ngx_http_fota_now_ms(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


ngx_uint_t
ngx_http_fota_spool_level(ngx_http_fota_rt_t *rt)
{
    uint64_t              bytes, cap;
    ngx_http_fota_shm_t  *shm;

    shm = rt->shm;

    /* A moment's rest after a failure, then another try. */

    if (shm->spool_failed != 0
        && shm->spool_failed + 1 >= (ngx_atomic_uint_t) ngx_time())
    {
        return 100;
    }

    bytes = shm->spool_bytes;
    cap = rt->conf->spool_size;

    /* The file system may end before the limit does. */

    if (shm->spool_scanned != 0 && bytes + shm->spool_avail < cap) {
        cap = bytes + shm->spool_avail;
    }

    if (cap == 0 || bytes >= cap) {
        return 100;
    }

    return (ngx_uint_t) (bytes * 100 / cap);
}


ngx_int_t
ngx_http_fota_spool_add(ngx_http_fota_rt_t *rt, ngx_http_fota_entry_t *e)
{
    ngx_http_fota_spool_t  *sp;

    sp = rt->spool;

    if (sp == NULL || sp->npending >= FOTA_PENDING_MAX
        || sp->bytes + e->payload.len > FOTA_PENDING_BYTES)
    {
        return NGX_ERROR;
    }

    if (sp->npending == 0) {
        sp->since = ngx_current_msec;
    }

    e->recv_ms = ngx_http_fota_now_ms();
    e->by = NULL;
    e->seq = 0;
    e->queued = 1;

    ngx_queue_insert_tail(&sp->pending, &e->queue);
    sp->npending++;
    sp->bytes += e->payload.len;

    ngx_http_fota_spool_schedule(sp);

    return NGX_OK;
}


void
ngx_http_fota_spool_remove(ngx_http_fota_rt_t *rt, ngx_http_fota_entry_t *e)
{
    ngx_queue_t            *q;
    ngx_http_fota_spool_t  *sp;

    if (!e->queued) {
        return;
    }

    e->queued = 0;
    sp = rt->spool;

    if (sp != NULL) {
        for (q = ngx_queue_head(&sp->pending);
             q != ngx_queue_sentinel(&sp->pending);
             q = ngx_queue_next(q))
        {
            if (q == &e->queue) {
                sp->npending--;
                sp->bytes -= e->payload.len;
                break;
            }
        }
    }

    ngx_queue_remove(&e->queue);
}


ngx_int_t
ngx_http_fota_spool_note(ngx_http_fota_rt_t *rt, const uint8_t *id,
    fota_str_t payload)
{
    size_t                  len;
    ngx_http_fota_spool_t  *sp;

    static const uint8_t  none[16];

    sp = rt->spool;

    if (sp == NULL || payload.len > FOTA_SPOOL_PAYLOAD_MAX
        || (id == NULL && ngx_http_fota_spool_level(rt) >= FOTA_LEVEL_NOTES))
    {
        ngx_http_fota_count(rt, SPOOL_NOTES_LOST);
        return NGX_ERROR;
    }

    len = sp->notes.len;

    fota_buf_u32(&sp->notes, (uint32_t) payload.len);
    fota_buf_u64(&sp->notes, ngx_http_fota_now_ms());
    fota_buf_put(&sp->notes, (id != NULL) ? id : none, sizeof(none));
    fota_buf_str(&sp->notes, payload);

    if (sp->notes.status != FOTA_OK) {
        sp->notes.len = len;
        sp->notes.status = FOTA_OK;
        ngx_http_fota_count(rt, SPOOL_NOTES_LOST);
        return NGX_ERROR;
    }

    sp->nnotes++;

    ngx_http_fota_spool_schedule(sp);

    return NGX_OK;
}


static void
ngx_http_fota_spool_schedule(ngx_http_fota_spool_t *sp)
{
    ngx_msec_int_t  left;

    if (sp->busy) {
        return;
    }

    if (sp->npending >= FOTA_COMMIT_RECORDS || sp->bytes >= FOTA_COMMIT_BYTES)
    {
        ngx_http_fota_spool_flush(sp);
        return;
    }

    if (sp->npending != 0) {
        left = (ngx_msec_int_t) (sp->since + sp->rt->conf->spool_commit
                                 - ngx_current_msec);
        left = ngx_max(left, 0);

        /* A note's timer may stand far behind. */

        if (!sp->timer.timer_set
            || (ngx_msec_int_t) (sp->timer.timer.key - ngx_current_msec)
               > left)
        {
            sp->timer.cancelable = 0;

            if (sp->timer.timer_set) {
                ngx_del_timer(&sp->timer);
            }

            ngx_add_timer(&sp->timer, left);
        }

        return;
    }

    if (sp->nnotes != 0 && !sp->timer.timer_set) {
        sp->timer.cancelable = 1;
        ngx_add_timer(&sp->timer, FOTA_NOTES_DELAY);
    }
}


static void
ngx_http_fota_spool_timer(ngx_event_t *ev)
{
    ngx_http_fota_spool_t *sp = ev->data;

    if (!sp->busy) {
        ngx_http_fota_spool_flush(sp);
    }
}


static void
ngx_http_fota_spool_guard(ngx_event_t *ev)
{
    ngx_http_fota_spool_t *sp = ev->data;

    ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                  "fota: a write to the spool takes over a minute");

    if (sp->busy) {
        ngx_add_timer(ev, 60000);
    }
}


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

static ngx_int_t
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


static void
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


static void
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
    struct timespec          now;
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
        (void) ngx_atomic_fetch_add(&rt->shm->spool_records, sp->nrecords);
        (void) ngx_atomic_fetch_add(
               &rt->shm->counters[NGX_HTTP_FOTA_C_SPOOL_NOTES],
               sp->batch_notes);
        ngx_http_fota_count(rt, SPOOL_COMMITS);

        rt->shm->spool_failed = 0;

        if (t->sync) {
            (void) clock_gettime(CLOCK_MONOTONIC, &now);
            ngx_http_fota_observe(&rt->shm->commit_time,
                          (now.tv_sec - sp->started.tv_sec) * 1000000
                          + (now.tv_nsec - sp->started.tv_nsec) / 1000);
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


void
ngx_http_fota_spool_tick(ngx_http_fota_rt_t *rt)
{
    ngx_atomic_uint_t       last, now;
    ngx_http_fota_spool_t  *sp;

    sp = rt->spool;
    now = ngx_current_msec ? ngx_current_msec : 1;
    last = rt->shm->spool_scanned;

    if (sp->scanning || (last != 0 && now - last < 1000)
        || !ngx_atomic_cmp_set(&rt->shm->spool_scanned, last, now))
    {
        return;
    }

    if (ngx_thread_task_post(rt->conf->thread_pool, sp->scan) == NGX_OK) {
        sp->scanning = 1;
    }
}


static void
ngx_http_fota_spool_scanned(ngx_event_t *ev)
{
    ngx_http_fota_spool_t *sp = ev->data;

    ngx_http_fota_shm_t   *shm;
    ngx_http_fota_scan_t  *t;

    sp->scanning = 0;

    if (sp->orphan) {
        if (!sp->busy) {
            ngx_http_fota_spool_free(sp);
        }

        return;
    }

    t = sp->scan->ctx;
    shm = sp->rt->shm;

    shm->spool_bytes = t->bytes;
    shm->spool_avail = ngx_min(t->avail, (uint64_t) NGX_MAX_INT_T_VALUE);
    shm->spool_segments = t->segments;
    shm->spool_oldest = t->oldest;
}
