/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* One write to the spool, done in a thread: only system calls. */

#ifndef NGX_HTTP_FOTA_SPOOL_H
#define NGX_HTTP_FOTA_SPOOL_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "fota_spool.h"

typedef struct {
    const char            *dir;
    fota_spool_segment_t   segment;
    int                    fd;          /* -1: make the segment first */
    off_t                  offset;
    const uint8_t         *data;
    size_t                 len;
    unsigned               sync:1;
    unsigned               created:1;
    ngx_err_t              err;         /* 0: all of it is down */
    const char            *failed;      /* the call that was not */
} ngx_http_fota_commit_t;

void ngx_http_fota_commit(void *data, ngx_log_t *log);

/* What of a segment is not at the centre. */

typedef struct {
    fota_spool_segment_t   id;
    uint64_t               size;        /* when it was looked at */
    uint64_t               mark;        /* bytes the centre has */
    uint64_t               records;
    uint64_t               oldest;      /* ms, of the first of them */
} ngx_http_fota_waits_t;

/* The size of the spool and what waits in it, in a thread too. */

typedef struct {
    const char             *dir;
    const char             *policy;     /* where the agent tells, or NULL */
    uint64_t                bytes;      /* of all segments */
    uint64_t                avail;      /* that the file system has left */
    uint64_t                waiting;    /* bytes not at the centre */
    uint64_t                records;    /* of these */
    uint64_t                oldest;     /* Unix s of the first, 0 = none */
    ngx_uint_t              segments;
    ngx_http_fota_waits_t  *known;      /* segments with such, by id */
    ngx_uint_t              nknown;
} ngx_http_fota_scan_t;

void ngx_http_fota_scan(void *data, ngx_log_t *log);

#endif /* NGX_HTTP_FOTA_SPOOL_H */
