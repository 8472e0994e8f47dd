/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What the workers share.  Only atomics and single words: no lock is ever
 * taken for a request, so a killed worker leaves none behind.
 */

#ifndef NGX_HTTP_FOTA_ZONE_H
#define NGX_HTTP_FOTA_ZONE_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "fota_policy.h"

/* Part of the zone's internal name: another layout is another zone. */
#define NGX_HTTP_FOTA_ZONE_LAYOUT  "2"

#define NGX_HTTP_FOTA_ROLLOUTS     256
#define NGX_HTTP_FOTA_WORKERS      64
#define NGX_HTTP_FOTA_CLASSES      16
#define NGX_HTTP_FOTA_REPORT_IDS   4096
#define NGX_HTTP_FOTA_ONCE_SETS    512
#define NGX_HTTP_FOTA_ONCE_WAYS    8
#define NGX_HTTP_FOTA_BUCKETS      12

typedef enum {
#define X(name, metric, labels, help)  NGX_HTTP_FOTA_C_##name,
#include "ngx_http_fota_counters_x.h"
#undef X
    NGX_HTTP_FOTA_C__N
} ngx_http_fota_counter_e;

/* Bytes/s with a time constant of 10 s. */

typedef struct {
    ngx_atomic_t  total;
    ngx_atomic_t  last;                 /* total at the last step */
    ngx_atomic_t  rate;
} ngx_http_fota_rate_t;

typedef struct {
    ngx_atomic_t          id;           /* 0 = free */
    ngx_atomic_t          used;         /* Unix s of the last use */
    ngx_atomic_t          ok;
    ngx_atomic_t          failed;
    ngx_http_fota_rate_t  bytes;
} ngx_http_fota_rollout_t;

/* Downloads running in one worker; freed when its process is gone. */

typedef struct {
    ngx_atomic_t  pid;                  /* 0 = free */
    uint32_t      active[NGX_HTTP_FOTA_ROLLOUTS];
    uint32_t      transfers;
} ngx_http_fota_worker_t;

typedef struct {
    ngx_atomic_t  count[NGX_HTTP_FOTA_BUCKETS + 1];
    ngx_atomic_t  sum;                  /* us */
} ngx_http_fota_histogram_t;

typedef struct {
    uint32_t  device;                   /* half of its hash; 0 = free */
    uint32_t  version;                  /* half of its version's hash */
    uint32_t  at;                       /* Unix s */
} ngx_http_fota_seen_t;

typedef struct {
    ngx_atomic_t               counters[NGX_HTTP_FOTA_C__N];
    ngx_atomic_t               checks[FOTA_R__N];
    ngx_atomic_t               sent[NGX_HTTP_FOTA_CLASSES];
    ngx_atomic_t               delivered[NGX_HTTP_FOTA_CLASSES];
    ngx_http_fota_histogram_t  check_time;
    ngx_http_fota_histogram_t  commit_time;

    ngx_atomic_t               ticked;          /* ms of the last rate step */
    ngx_http_fota_rate_t       egress;
    ngx_http_fota_rollout_t    rollouts[NGX_HTTP_FOTA_ROLLOUTS];
    ngx_http_fota_worker_t     workers[NGX_HTTP_FOTA_WORKERS];

    ngx_atomic_t               spool_scanned;   /* ms */
    ngx_atomic_t               spool_bytes;
    ngx_atomic_t               spool_avail;     /* bytes left on disk */
    ngx_atomic_t               spool_segments;
    ngx_atomic_t               spool_waiting;   /* bytes not uploaded */
    ngx_atomic_t               spool_records;   /* of these */
    ngx_atomic_t               spool_oldest;    /* Unix s, 0 = none */
    ngx_atomic_t               spool_written;   /* records since start */
    ngx_atomic_t               spool_failed;    /* Unix s of a failed write */
    ngx_atomic_t               ktls;
    ngx_atomic_t               configurations;  /* read since start */

    uint64_t                   report_ids[NGX_HTTP_FOTA_REPORT_IDS];
    ngx_atomic_t               once[NGX_HTTP_FOTA_ONCE_SETS]
                                   [NGX_HTTP_FOTA_ONCE_WAYS];
    ngx_atomic_t               once_exp[NGX_HTTP_FOTA_ONCE_SETS]
                                       [NGX_HTTP_FOTA_ONCE_WAYS];

    ngx_uint_t                 nseen;           /* power of two */
    ngx_http_fota_seen_t       seen[];
} ngx_http_fota_shm_t;

extern const ngx_uint_t  ngx_http_fota_bounds[NGX_HTTP_FOTA_BUCKETS];

#define ngx_http_fota_count(rt, name)                                        \
    (void) ngx_atomic_fetch_add(                                             \
        &(rt)->shm->counters[NGX_HTTP_FOTA_C_##name], 1)

/* Microseconds since a time of CLOCK_MONOTONIC. */
ngx_uint_t ngx_http_fota_since(const struct timespec *from);
void ngx_http_fota_observe(ngx_http_fota_histogram_t *h, ngx_uint_t us);

#endif /* NGX_HTTP_FOTA_ZONE_H */
