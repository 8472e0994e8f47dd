/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The final count of a download.
 *
 * When a request ends, its last megabytes are usually still in the socket.
 * To count them as delivered would be wrong for a peer that goes away, not to
 * count them wrong for all others; so where they end in the stream of bytes is
 * kept until the peer has acknowledged it.  The connection is looked at by a
 * timer, by later requests, and when its peer has closed it.  What is little
 * is looked at together, as a look costs more than the rest of a small range.
 *
 * A descriptor of ours would outlive nginx's close, but keep the socket
 * registered in epoll, whose events then reach whom the connection's place
 * belongs to by then.  So we are between nginx and its recv() instead: a look
 * there is the last before a connection is closed that its peer has left.
 */

#include "ngx_http_fota.h"


#define NGX_HTTP_FOTA_SETTLE_TICK  25       /* ms between two looks */
#define NGX_HTTP_FOTA_SETTLE_TIME  60000    /* ms, then counted as it is */
#define NGX_HTTP_FOTA_SETTLE_MUCH  65536    /* bytes worth a look at once */
#define NGX_HTTP_FOTA_SETTLE_MANY  8        /* requests worth it */
#define NGX_HTTP_FOTA_SETTLE_MOST  1024     /* that wait on a connection */

/*
 * Offsets in the kernel's struct tcp_info, which only grows; the C library's
 * copy ends before them.
 */
#define FOTA_TCPI_STATE            0
#define FOTA_TCPI_BYTES_ACKED      120
#define FOTA_TCPI_NOTSENT          144
#define FOTA_TCPI_BYTES_SENT       200
#define FOTA_TCPI_BYTES_RETRANS    208
#define FOTA_TCPI_LEN              216

#define FOTA_TCP_CLOSE             7


typedef struct {
    ngx_http_fota_done_t         done;
    uint64_t                     end;       /* its last byte, or after it */
    ngx_msec_t                   since;
} ngx_http_fota_wait_t;

/* The requests of one connection that wait, in the order they ended. */

struct ngx_http_fota_settle_s {
    ngx_queue_t                  queue;
    ngx_connection_t            *connection;
    ngx_atomic_uint_t            number;    /* is it still the same? */
    ngx_uint_t                   requests;  /* of it, when the last ended */
    ngx_recv_pt                  recv;      /* nginx's own */
    uint64_t                     acked;     /* as of the last look */
    off_t                        fresh;     /* bytes since then */
    ngx_uint_t                   known;     /* waits whose end is known */
    ngx_uint_t                   n;
    ngx_uint_t                   size;
    ngx_http_fota_wait_t        *waits;
    unsigned                     streams:1; /* of one connection, HTTP/2 */
};


static void ngx_http_fota_settle_ends(ngx_http_fota_settle_t *s,
    const ngx_http_fota_tcp_t *tcp);
static void ngx_http_fota_settle_look(ngx_http_fota_rt_t *rt,
    ngx_http_fota_settle_t *s, const ngx_http_fota_tcp_t *tcp,
    ngx_uint_t last);
static ngx_http_fota_settle_t *ngx_http_fota_settle_new(
    ngx_http_fota_rt_t *rt, ngx_connection_t *c);
static ngx_int_t ngx_http_fota_settle_push(ngx_http_fota_rt_t *rt,
    ngx_http_fota_settle_t *s, const ngx_http_fota_done_t *done);
static void ngx_http_fota_settle_free(ngx_http_fota_rt_t *rt,
    ngx_http_fota_settle_t *s);
static ssize_t ngx_http_fota_settle_recv(ngx_connection_t *c, u_char *buf,
    size_t size);


ngx_int_t
ngx_http_fota_tcp(int fd, ngx_http_fota_tcp_t *tcp)
{
    u_char     info[256];
    uint32_t   notsent;
    uint64_t   sent, again;
    socklen_t  len;

    len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, (void *) info, &len) == -1
        || len < FOTA_TCPI_LEN)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&tcp->acked, &info[FOTA_TCPI_BYTES_ACKED], sizeof(uint64_t));
    ngx_memcpy(&notsent, &info[FOTA_TCPI_NOTSENT], sizeof(uint32_t));
    ngx_memcpy(&sent, &info[FOTA_TCPI_BYTES_SENT], sizeof(uint64_t));
    ngx_memcpy(&again, &info[FOTA_TCPI_BYTES_RETRANS], sizeof(uint64_t));

    sent = sent - again + notsent;

    /* The end of a connection is acknowledged too, as if it were a byte. */

    tcp->end = ngx_max(sent, tcp->acked);
    tcp->closed = (info[FOTA_TCPI_STATE] == FOTA_TCP_CLOSE);

    return NGX_OK;
}


static void
ngx_http_fota_settle_count(ngx_http_fota_rt_t *rt,
    const ngx_http_fota_done_t *d)
{
    uint8_t     text[512];
    fota_jw_t   w;
    fota_buf_t  out;

    (void) ngx_atomic_fetch_add(&rt->shm->delivered[d->class], d->delivered);

    if (!d->note || rt->spool == NULL) {
        return;
    }

    fota_buf_fixed(&out, text, sizeof(text));
    fota_jw_init(&w, &out);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "t", "bytes");
    fota_jw_uint(&w, "tenant", d->tenant);
    fota_jw_uint(&w, "node", rt->node);
    fota_jw_hex(&w, "artifact", d->sha256, sizeof(d->sha256));
    fota_jw_hex(&w, "tag", d->tag, sizeof(d->tag));
    fota_jw_uint(&w, "rollout", d->deployment);
    fota_jw_uint(&w, "first", d->first);
    fota_jw_uint(&w, "last", d->last);
    fota_jw_uint(&w, "delivered", d->delivered);
    fota_jw_uint(&w, "sent", d->sent);
    fota_jw_end_object(&w);

    if (out.status == FOTA_OK) {
        (void) ngx_http_fota_spool_note(rt, NULL, fota_buf_slice(&out));
    }
}


/*
 * Where the requests since the last look end: backwards from the end of all,
 * without the headers between them, so that it is rather too late.
 */

static void
ngx_http_fota_settle_ends(ngx_http_fota_settle_t *s,
    const ngx_http_fota_tcp_t *tcp)
{
    uint64_t               end;
    ngx_uint_t             i;
    ngx_connection_t      *c;
    ngx_http_fota_wait_t  *w;

    c = s->connection;
    end = tcp->end;

    /* What was sent of a request that came after. */

    if (!s->streams && c->requests != s->requests) {
        end -= ngx_min((uint64_t) c->sent, end);
    }

    for (i = s->n; i-- > s->known; /* void */) {
        w = &s->waits[i];
        w->end = end;

        /* The bytes of streams are mixed. */

        if (!s->streams) {
            end -= ngx_min((uint64_t) w->done.sent, end);
        }
    }

    s->known = s->n;
    s->fresh = 0;
}


/*
 * Counts what is acknowledged by now, or has waited for too long; last: all.
 * tcp is NULL when nothing can be learnt anymore.  Frees s when none is left.
 */

static void
ngx_http_fota_settle_look(ngx_http_fota_rt_t *rt, ngx_http_fota_settle_t *s,
    const ngx_http_fota_tcp_t *tcp, ngx_uint_t last)
{
    uint64_t               left;
    ngx_uint_t             i;
    ngx_http_fota_wait_t  *w;

    if (tcp != NULL) {
        ngx_http_fota_settle_ends(s, tcp);

        s->acked = tcp->acked;
        last |= tcp->closed;
    }

    for (i = 0; i < s->n; i++) {
        w = &s->waits[i];

        /* Without a look nothing is known to have arrived. */

        left = w->done.sent;

        if (i < s->known) {
            left = (w->end > s->acked) ? w->end - s->acked : 0;
            left = ngx_min(left, (uint64_t) w->done.sent);
        }

        if (left != 0 && !last
            && ngx_current_msec - w->since <= NGX_HTTP_FOTA_SETTLE_TIME)
        {
            break;
        }

        w->done.delivered = w->done.sent - (off_t) left;

        ngx_http_fota_settle_count(rt, &w->done);
    }

    if (i == s->n) {
        ngx_http_fota_settle_free(rt, s);
        return;
    }

    if (i != 0) {
        s->n -= i;
        s->known -= i;
        ngx_memmove(s->waits, &s->waits[i],
                    s->n * sizeof(ngx_http_fota_wait_t));
    }
}


void
ngx_http_fota_settle(ngx_http_fota_rt_t *rt, ngx_connection_t *c,
    ngx_http_fota_done_t *done)
{
    ngx_uint_t               i;
    ngx_http_fota_tcp_t      tcp;
    ngx_http_fota_settle_t  *s;

    i = c - ngx_cycle->connections;

    /* A Unix socket delivers what it takes. */

    if (i >= ngx_cycle->connection_n || done->sent == 0
        || c->listening->sockaddr->sa_family == AF_UNIX)
    {
        done->delivered = done->sent;
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    s = rt->settling_by[i];

    if (s == NULL || s->number != c->number) {
        /* That of one that was in its place is left to the timer. */
        s = ngx_http_fota_settle_new(rt, c);
    }

    if (s == NULL || ngx_http_fota_settle_push(rt, s, done) != NGX_OK) {
        done->delivered = 0;
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    s->requests = c->requests;
    s->streams = done->stream;

    /* With an error the connection is about to be reset. */

    if (c->error || done->final
        || s->fresh > NGX_HTTP_FOTA_SETTLE_MUCH
        || s->n - s->known >= NGX_HTTP_FOTA_SETTLE_MANY)
    {
        ngx_http_fota_settle_look(rt, s,
                     (ngx_http_fota_tcp(c->fd, &tcp) == NGX_OK) ? &tcp : NULL,
                     c->error || done->final);
    }
}


static ngx_http_fota_settle_t *
ngx_http_fota_settle_new(ngx_http_fota_rt_t *rt, ngx_connection_t *c)
{
    ngx_http_fota_settle_t  *s;

    s = ngx_calloc(sizeof(ngx_http_fota_settle_t), rt->log);
    if (s == NULL) {
        return NULL;
    }

    s->size = NGX_HTTP_FOTA_SETTLE_MANY;

    s->waits = ngx_alloc(s->size * sizeof(ngx_http_fota_wait_t), rt->log);
    if (s->waits == NULL) {
        ngx_free(s);
        return NULL;
    }

    s->connection = c;
    s->number = c->number;
    s->recv = c->recv;

    c->recv = ngx_http_fota_settle_recv;

    rt->settling_by[c - ngx_cycle->connections] = s;
    ngx_queue_insert_tail(&rt->settling, &s->queue);

    if (!rt->settle_timer.timer_set) {
        ngx_add_timer(&rt->settle_timer, NGX_HTTP_FOTA_SETTLE_TICK);
    }

    return s;
}


/* Grows while a peer asks for more than it takes, up to a limit. */

static ngx_int_t
ngx_http_fota_settle_push(ngx_http_fota_rt_t *rt, ngx_http_fota_settle_t *s,
    const ngx_http_fota_done_t *done)
{
    ngx_http_fota_wait_t  *w;

    if (s->n == s->size) {

        if (s->size >= NGX_HTTP_FOTA_SETTLE_MOST) {
            return NGX_DECLINED;
        }

        w = ngx_alloc(2 * s->size * sizeof(ngx_http_fota_wait_t), rt->log);
        if (w == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(w, s->waits, s->n * sizeof(ngx_http_fota_wait_t));
        ngx_free(s->waits);

        s->waits = w;
        s->size *= 2;
    }

    w = &s->waits[s->n++];

    w->done = *done;
    w->end = 0;
    w->since = ngx_current_msec;

    s->fresh += done->sent;

    return NGX_OK;
}


static void
ngx_http_fota_settle_free(ngx_http_fota_rt_t *rt, ngx_http_fota_settle_t *s)
{
    ngx_connection_t         *c;
    ngx_http_fota_settle_t  **by;

    c = s->connection;
    by = &rt->settling_by[c - ngx_cycle->connections];

    if (*by == s) {
        *by = NULL;
    }

    if (c->number == s->number && c->recv == ngx_http_fota_settle_recv) {
        c->recv = s->recv;
    }

    ngx_queue_remove(&s->queue);
    ngx_free(s->waits);
    ngx_free(s);
}


/* nginx closes a connection whose peer has closed it, or broken it. */

static ssize_t
ngx_http_fota_settle_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    ssize_t                     n;
    ngx_http_fota_rt_t         *rt;
    ngx_http_fota_tcp_t         tcp;
    ngx_http_fota_settle_t     *s;
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_fota_module);
    rt = mcf->rt;
    s = (rt != NULL) ? rt->settling_by[c - ngx_cycle->connections] : NULL;

    if (s == NULL || s->number != c->number) {

        /* Somebody came between nginx and us, and calls us still. */

#if (NGX_SSL)
        if (c->ssl != NULL) {
            return ngx_ssl_recv(c, buf, size);
        }
#endif

        return ngx_recv(c, buf, size);
    }

    n = s->recv(c, buf, size);

    if (n == 0 || n == NGX_ERROR) {
        ngx_http_fota_settle_look(rt, s,
                     (ngx_http_fota_tcp(c->fd, &tcp) == NGX_OK) ? &tcp : NULL,
                     1);
    }

    return n;
}


void
ngx_http_fota_settle_peek(ngx_http_fota_rt_t *rt, ngx_connection_t *c)
{
    ngx_uint_t               i;
    ngx_http_fota_tcp_t      tcp;
    ngx_http_fota_settle_t  *s;

    i = c - ngx_cycle->connections;

    if (i >= ngx_cycle->connection_n) {
        /* A stream, whose connection others share. */
        return;
    }

    s = rt->settling_by[i];

    if (s != NULL && s->number == c->number
        && ngx_http_fota_tcp(c->fd, &tcp) == NGX_OK)
    {
        ngx_http_fota_settle_look(rt, s, &tcp, 0);
    }
}


void
ngx_http_fota_settle_all(ngx_http_fota_rt_t *rt, ngx_uint_t last)
{
    ngx_uint_t                stays;
    ngx_queue_t              *q, *next;
    ngx_http_fota_tcp_t       tcp;
    ngx_http_fota_settle_t   *s;

    for (q = ngx_queue_head(&rt->settling);
         q != ngx_queue_sentinel(&rt->settling);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_http_fota_settle_t, queue);

        stays = (s->connection->number == s->number
                 && s->connection->fd != (ngx_socket_t) -1
                 && ngx_http_fota_tcp(s->connection->fd, &tcp) == NGX_OK);

        ngx_http_fota_settle_look(rt, s, stays ? &tcp : NULL, last || !stays);
    }
}


static void
ngx_http_fota_settle_timer(ngx_event_t *ev)
{
    ngx_http_fota_rt_t *rt = ev->data;

    ngx_http_fota_settle_all(rt, 0);

    if (!ngx_queue_empty(&rt->settling)) {
        ngx_add_timer(ev, NGX_HTTP_FOTA_SETTLE_TICK);
    }
}


ngx_int_t
ngx_http_fota_settle_init(ngx_http_fota_rt_t *rt)
{
    ngx_queue_init(&rt->settling);

    rt->settling_by = ngx_calloc(ngx_cycle->connection_n
                                 * sizeof(ngx_http_fota_settle_t *), rt->log);
    if (rt->settling_by == NULL) {
        return NGX_ERROR;
    }

    rt->settle_timer.handler = ngx_http_fota_settle_timer;
    rt->settle_timer.data = rt;
    rt->settle_timer.log = rt->log;
    rt->settle_timer.cancelable = 1;

    return NGX_OK;
}


void
ngx_http_fota_settle_exit(ngx_http_fota_rt_t *rt)
{
    ngx_http_fota_settle_all(rt, 1);

    if (rt->settle_timer.timer_set) {
        ngx_del_timer(&rt->settle_timer);
    }

    ngx_free(rt->settling_by);
}
