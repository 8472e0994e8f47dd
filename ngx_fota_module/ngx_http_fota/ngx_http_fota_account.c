/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Running transfers and what became of them.
 *
 * Delivered is what the peer's TCP has acknowledged: bytes sent less those
 * still in the kernel.  Those are counted on the wire, so with TLS they stand
 * for somewhat less plain text, and an aborted download is under-counted
 * rather than over-counted.  Variables show it as of the request's end; what
 * is acknowledged later goes into counters (ngx_http_fota_settle.c).
 */

#include "ngx_http_fota.h"

/* Known even where configure was not told of HTTP/2, see config. */
#include <ngx_http_v2.h>


static void ngx_http_fota_range(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx);
static void ngx_http_fota_progress(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx);
static void ngx_http_fota_cut(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx);


void
ngx_http_fota_transfer_begin(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx,
    ngx_http_fota_rt_t *rt)
{
    ngx_http_fota_worker_t  *w;

    ngx_queue_insert_tail(&rt->transfers, &ctx->queue);
    ctx->transfer = 1;

    /*
     * Without keepalive, or when the worker ends meanwhile, the request then
     * ends when the peer has closed: with all it took.  nginx tells nobody at
     * the end whether the connection stays.
     */

    ctx->last = !r->keepalive;
    r->lingering_close = 1;

    if (rt->slot < NGX_HTTP_FOTA_WORKERS) {
        w = &rt->shm->workers[rt->slot];
        w->transfers++;

        if (ctx->has_token) {
            ctx->rollout_slot = ngx_http_fota_zone_rollout(rt->shm,
                                                    ctx->token.deployment, 1);
            if (ctx->rollout_slot >= 0) {
                w->active[ctx->rollout_slot]++;
            }
        }
    }

#if (NGX_SSL)
    if (r->connection->ssl != NULL && r->connection->ssl->sendfile) {
        rt->shm->ktls = 1;
    }
#endif
}


void
ngx_http_fota_transfer_end(ngx_http_fota_ctx_t *ctx)
{
    ngx_http_fota_rt_t         *rt;
    ngx_http_fota_worker_t     *w;
    ngx_http_fota_main_conf_t  *mcf;

    if (!ctx->transfer) {
        return;
    }

    ctx->transfer = 0;
    ngx_queue_remove(&ctx->queue);

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_fota_module);
    rt = mcf->rt;

    if (rt == NULL || rt->slot >= NGX_HTTP_FOTA_WORKERS) {
        return;
    }

    w = &rt->shm->workers[rt->slot];

    if (w->transfers > 0) {
        w->transfers--;
    }

    if (ctx->rollout_slot >= 0 && w->active[ctx->rollout_slot] > 0) {
        w->active[ctx->rollout_slot]--;
    }
}


static void
ngx_http_fota_progress(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    off_t  n;

    n = ctx->request->connection->sent - ctx->counted;

    if (n <= 0) {
        return;
    }

    ctx->counted += n;

    (void) ngx_atomic_fetch_add(&rt->shm->egress.total, n);

    if (ctx->rollout_slot >= 0) {
        (void) ngx_atomic_fetch_add(
                     &rt->shm->rollouts[ctx->rollout_slot].bytes.total, n);
        rt->shm->rollouts[ctx->rollout_slot].used = ngx_time();
    }
}


void
ngx_http_fota_transfers_tick(ngx_http_fota_rt_t *rt)
{
    ngx_queue_t          *q, *next;
    ngx_http_fota_ctx_t  *ctx;

    if (ngx_queue_empty(&rt->transfers)) {
        return;
    }

    for (q = ngx_queue_head(&rt->transfers);
         q != ngx_queue_sentinel(&rt->transfers);
         q = ngx_queue_next(q))
    {
        ngx_http_fota_progress(rt, ngx_queue_data(q, ngx_http_fota_ctx_t,
                                                  queue));
    }

    if (rt->view == NULL || fota_view_begin(rt->view) != FOTA_OK) {
        return;
    }

    for (q = ngx_queue_head(&rt->transfers);
         q != ngx_queue_sentinel(&rt->transfers);
         q = next)
    {
        /* Only this request goes away below, and its place in the queue. */

        next = ngx_queue_next(q);
        ctx = ngx_queue_data(q, ngx_http_fota_ctx_t, queue);

        if (ctx->has_token && !ctx->cut
            && fota_view_cut(rt->view, &ctx->token))
        {
            ngx_http_fota_cut(rt, ctx);
        }
    }

    fota_view_end(rt->view);
}


static void
ngx_http_fota_cut(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    struct linger        linger;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    /* All was handed over, and the request is only waiting to be closed. */

    if (r->header_sent && r->out == NULL && !r->buffered && !c->buffered
        && (r->upstream == NULL || r->upstream->cleanup == NULL))
    {
        return;
    }

    ctx->cut = 1;

    ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                  "fota: download of rollout %uD cut", ctx->token.deployment);

    ngx_http_fota_count(rt, TRANSFERS_CUT);

    /*
     * Megabytes may wait in the socket, and would still be delivered after
     * an orderly close.  Other streams of an HTTP/2 connection must live.
     */

    if (r->stream == NULL) {
        linger.l_onoff = 1;
        linger.l_linger = 0;

        if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, (const void *) &linger,
                       sizeof(struct linger))
            == -1)
        {
            ngx_log_error(NGX_LOG_INFO, c->log, ngx_socket_errno,
                          "setsockopt(SO_LINGER) failed");
        }
    }

    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_fota_sent(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    off_t  sent;

    ngx_http_fota_range(r, ctx);

    sent = r->connection->sent - (off_t) r->header_size;

    ctx->sent = (sent > 0) ? sent : 0;
}


void
ngx_http_fota_measure(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    ngx_http_fota_tcp_t  tcp;

    ngx_http_fota_sent(r, ctx);

    ctx->delivered = ctx->sent;

    /* A Unix socket delivers what it takes. */

    if (ngx_http_fota_tcp(r->connection->fd, &tcp) == NGX_OK) {
        ctx->delivered -= ngx_min((off_t) (tcp.end - tcp.acked), ctx->sent);
    }
}


static void
ngx_http_fota_range(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    u_char     *p, *end;
    off_t       first, last;
    ngx_str_t  *value;

    if (r->headers_out.status == NGX_HTTP_OK
        && r->headers_out.content_length_n > 0)
    {
        ctx->range_first = 0;
        ctx->range_last = r->headers_out.content_length_n - 1;
        ctx->has_range = 1;
        return;
    }

    /* Several ranges have no such header. */

    if (r->headers_out.status != NGX_HTTP_PARTIAL_CONTENT
        || r->headers_out.content_range == NULL)
    {
        return;
    }

    value = &r->headers_out.content_range->value;
    p = value->data;
    end = p + value->len;

    if (value->len < 6 || ngx_strncmp(p, "bytes ", 6) != 0) {
        return;
    }

    for (p += 6, first = 0; p < end && *p >= '0' && *p <= '9'; p++) {
        first = first * 10 + (*p - '0');
    }

    if (p == end || *p++ != '-') {
        return;
    }

    for (last = 0; p < end && *p >= '0' && *p <= '9'; p++) {
        last = last * 10 + (*p - '0');
    }

    ctx->range_first = first;
    ctx->range_last = last;
    ctx->has_range = 1;
}


ngx_int_t
ngx_http_fota_log_handler(ngx_http_request_t *r)
{
    ngx_uint_t             i, class;
    ngx_connection_t      *c;
    ngx_http_fota_rt_t    *rt;
    ngx_http_fota_ctx_t   *ctx;
    ngx_http_fota_done_t   done;

    static const struct {
        ngx_uint_t               status;
        ngx_http_fota_counter_e  counter;
    } ranges[] = {
        { NGX_HTTP_PARTIAL_CONTENT, NGX_HTTP_FOTA_C_RANGE_206 },
        { NGX_HTTP_OK, NGX_HTTP_FOTA_C_RANGE_200 },
        { NGX_HTTP_NOT_MODIFIED, NGX_HTTP_FOTA_C_RANGE_304 },
        { NGX_HTTP_NOT_FOUND, NGX_HTTP_FOTA_C_RANGE_404 },
        { NGX_HTTP_PRECONDITION_FAILED, NGX_HTTP_FOTA_C_RANGE_412 },
        { NGX_HTTP_RANGE_NOT_SATISFIABLE, NGX_HTTP_FOTA_C_RANGE_416 },
        { 0, NGX_HTTP_FOTA_C_RANGE_OTHER }
    };

    rt = ngx_http_fota_rt(r);
    if (rt == NULL) {
        return NGX_OK;
    }

    ctx = ngx_http_fota_get_ctx(r);

    if (ctx == NULL || !ctx->transfer) {
        /* nginx may close the connection right after it. */
        ngx_http_fota_settle_peek(rt, r->connection);
        return NGX_OK;
    }

    ngx_http_fota_progress(rt, ctx);
    ngx_http_fota_sent(r, ctx);

    for (i = 0; ranges[i].status != 0; i++) {
        if (ranges[i].status == r->headers_out.status) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&rt->shm->counters[ranges[i].counter], 1);

    if (r->headers_out.status != NGX_HTTP_OK
        && r->headers_out.status != NGX_HTTP_PARTIAL_CONTENT)
    {
        return NGX_OK;
    }

    class = ctx->has_token ? ctx->token.rate_class : 0;
    class = ngx_min(class, NGX_HTTP_FOTA_CLASSES - 1);

    (void) ngx_atomic_fetch_add(&rt->shm->sent[class], ctx->sent);

    ngx_memzero(&done, sizeof(ngx_http_fota_done_t));

    done.class = class;
    done.sent = ctx->sent;

    c = r->connection;

    if (r->stream != NULL) {
        c = r->stream->connection->connection;
        done.stream = 1;

    } else {
        done.final = ctx->cut || ctx->last || r->lingering_time != 0
                     || c->read->eof || ngx_exiting;
    }

    if (ctx->has_token && ctx->has_range && !r->header_only) {
        done.note = 1;
        done.first = ctx->range_first;
        done.last = ctx->range_last;
        done.tenant = ctx->token.tenant;
        done.deployment = ctx->token.deployment;
        ngx_memcpy(done.tag, ctx->token.device, sizeof(done.tag));
        ngx_memcpy(done.sha256, ctx->sha256, sizeof(done.sha256));
    }

    ngx_http_fota_settle(rt, c, &done);

    return NGX_OK;
}
