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

/* The size of the spool, in a thread too. */

typedef struct {
    const char  *dir;
    uint64_t     bytes;
    uint64_t     avail;         /* bytes the file system has left for us */
    uint64_t     oldest;        /* Unix s of the oldest segment, 0 = none */
    ngx_uint_t   segments;
} ngx_http_fota_scan_t;

void ngx_http_fota_scan(void *data, ngx_log_t *log);

#endif /* NGX_HTTP_FOTA_SPOOL_H */
