/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Inside of the spool.  Reports wait in a queue, at most for the commit
 * interval; then all of them are written and synced in a thread, and answered
 * when that has returned.
 */

#ifndef NGX_HTTP_FOTA_SPOOL_INT_H
#define NGX_HTTP_FOTA_SPOOL_INT_H

#include "ngx_http_fota.h"
#include "ngx_http_fota_spool.h"

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

/* Sets the timer of what waits, or writes it at once. */
void ngx_http_fota_spool_schedule(ngx_http_fota_spool_t *sp);
/*
 * Moves what waits into the batch and prepares the task; NGX_DECLINED when
 * nothing waits.
 */
ngx_int_t ngx_http_fota_spool_encode(ngx_http_fota_spool_t *sp);
void ngx_http_fota_spool_flush(ngx_http_fota_spool_t *sp);
/* The handler of the task. */
void ngx_http_fota_spool_done(ngx_event_t *ev);
void ngx_http_fota_spool_free(ngx_http_fota_spool_t *sp);

#endif /* NGX_HTTP_FOTA_SPOOL_INT_H */
