/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The report spool of a worker: what waits, and how full it is. */

#include "ngx_http_fota_spool_int.h"


#define FOTA_COMMIT_RECORDS  256
#define FOTA_COMMIT_BYTES    (256 * 1024)
#define FOTA_PENDING_MAX     8192
#define FOTA_PENDING_BYTES   (8 * 1024 * 1024)
#define FOTA_BATCH_MAX       (16 * 1024 * 1024)
#define FOTA_NOTES_MAX       (1024 * 1024)
#define FOTA_NOTES_DELAY     1000               /* ms */
#define FOTA_LEVEL_NOTES     85


static void ngx_http_fota_spool_timer(ngx_event_t *ev);
static void ngx_http_fota_spool_guard(ngx_event_t *ev);
static void ngx_http_fota_spool_scanned(ngx_event_t *ev);
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
    scan->policy = rt->conf->db.len ? (char *) rt->conf->db.data : NULL;
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


void
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
    free(((ngx_http_fota_scan_t *) sp->scan->ctx)->known);

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


void
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
    shm->spool_waiting = t->waiting;
    shm->spool_records = t->records;
    shm->spool_oldest = t->oldest;
}
