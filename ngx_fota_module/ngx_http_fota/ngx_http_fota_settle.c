/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The final count of a download.
 *
 * When a request ends, its last megabytes are usually still in the socket.
 * To count them as delivered would be wrong for a peer that goes away, not to
 * count them wrong for all others; so the connection is looked at again: by
 * a later request, by a timer, or when nginx has closed it.  What is little
 * is looked at together, as a look costs more than the rest of a small range.
 *
 * What is much is followed beyond nginx's own close with a descriptor of
 * ours.  It must go soon after: as long as it is open, epoll tells of the
 * socket to whom the connection's place belongs by then.
 */

#include "ngx_http_fota.h"


#define NGX_HTTP_FOTA_SETTLE_TICK  25       /* ms between two looks */
#define NGX_HTTP_FOTA_SETTLE_TIME  60000    /* ms, then counted as it is */
#define NGX_HTTP_FOTA_SETTLE_MUCH  65536    /* bytes worth a descriptor */
#define NGX_HTTP_FOTA_SETTLE_MANY  8        /* requests looked at together */

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


struct ngx_http_fota_settle_s {
    ngx_queue_t            queue;
    ngx_connection_t      *connection;
    ngx_atomic_uint_t      number;  /* tells whether it is still the same */
    ngx_uint_t             requests;        /* of it, when the last ended */
    int                    fd;      /* ours, or -1 */
    ngx_msec_t             since;
    off_t                  sent;    /* by all of them */
    ngx_uint_t             n;
    unsigned               streams:1;       /* of one connection, HTTP/2 */
    ngx_http_fota_done_t   done[NGX_HTTP_FOTA_SETTLE_MANY];
};


static ngx_http_fota_settle_t *ngx_http_fota_settle_new(
    ngx_http_fota_rt_t *rt, ngx_connection_t *c);


ngx_int_t
ngx_http_fota_tcp(int fd, ngx_http_fota_tcp_t *tcp)
{
    u_char     info[256];
    uint32_t   notsent;
    uint64_t   acked, sent, again;
    socklen_t  len;

    len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, (void *) info, &len) == -1
        || len < FOTA_TCPI_LEN)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&acked, &info[FOTA_TCPI_BYTES_ACKED], sizeof(uint64_t));
    ngx_memcpy(&notsent, &info[FOTA_TCPI_NOTSENT], sizeof(uint32_t));
    ngx_memcpy(&sent, &info[FOTA_TCPI_BYTES_SENT], sizeof(uint64_t));
    ngx_memcpy(&again, &info[FOTA_TCPI_BYTES_RETRANS], sizeof(uint64_t));

    sent = sent - again + notsent;

    tcp->waits = (sent > acked) ? (off_t) (sent - acked) : 0;
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
 * Takes what is acknowledged by now; counts and forgets when that is all, or
 * when no more is to come.
 */

static void
ngx_http_fota_settle_look(ngx_http_fota_rt_t *rt, ngx_http_fota_settle_t *s,
    const ngx_http_fota_tcp_t *tcp, ngx_uint_t last)
{
    off_t                  left, waits;
    ngx_uint_t             i;
    ngx_http_fota_done_t  *d;

    waits = 0;

    if (tcp != NULL) {
        waits = tcp->waits;

        /* A request that came after is the last to be acknowledged. */

        if (!s->streams && s->connection->number == s->number
            && s->connection->requests != s->requests)
        {
            waits -= ngx_min(s->connection->sent, waits);
        }

        last |= (tcp->closed || waits == 0);

        for (i = s->n; i-- > 0; /* void */) {
            d = &s->done[i];

            left = ngx_min(d->sent, waits);
            waits -= left;

            d->delivered = ngx_max(d->delivered, d->sent - left);
        }
    }

    if (!last) {
        return;
    }

    for (i = 0; i < s->n; i++) {
        ngx_http_fota_settle_count(rt, &s->done[i]);
    }

    if (rt->settling_by[s->connection - ngx_cycle->connections] == s) {
        rt->settling_by[s->connection - ngx_cycle->connections] = NULL;
    }

    ngx_queue_remove(&s->queue);

    if (s->fd != -1) {
        (void) close(s->fd);
    }

    ngx_free(s);
}


void
ngx_http_fota_settle(ngx_http_fota_rt_t *rt, ngx_connection_t *c,
    ngx_http_fota_done_t *done)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_fota_tcp_t      tcp;
    ngx_http_fota_settle_t  *s;

    /* A Unix socket delivers what it takes. */

    done->delivered = done->sent;

    i = c - ngx_cycle->connections;

    if (i >= ngx_cycle->connection_n
        || c->listening->sockaddr->sa_family == AF_UNIX)
    {
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    s = rt->settling_by[i];

    if (s != NULL && s->number != c->number) {
        /* Of one that was in its place; the timer sees to it. */
        rt->settling_by[i] = NULL;
        s = NULL;
    }

    tcp.waits = done->sent;
    tcp.closed = 0;

    if (c->error || done->final || s == NULL
        || s->n == NGX_HTTP_FOTA_SETTLE_MANY
        || s->sent + done->sent > NGX_HTTP_FOTA_SETTLE_MUCH)
    {
        rc = NGX_OK;

        if (s != NULL || c->error || done->final
            || done->sent > NGX_HTTP_FOTA_SETTLE_MUCH)
        {
            rc = ngx_http_fota_tcp(c->fd, &tcp);
        }

        if (s != NULL) {
            ngx_http_fota_settle_look(rt, s, (rc == NGX_OK) ? &tcp : NULL, 1);
            s = NULL;
        }

        if (rc == NGX_OK) {
            done->delivered -= ngx_min(tcp.waits, done->sent);
        }

        /* With an error the connection is about to be reset. */

        if (tcp.closed || done->delivered >= done->sent || c->error
            || done->final)
        {
            ngx_http_fota_settle_count(rt, done);
            return;
        }

        s = ngx_http_fota_settle_new(rt, c);

        if (s == NULL) {
            ngx_http_fota_settle_count(rt, done);
            return;
        }

        if (tcp.waits > NGX_HTTP_FOTA_SETTLE_MUCH) {
            s->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
        }

    } else {
        done->delivered = 0;
    }

    s->requests = c->requests;
    s->streams = done->stream;
    s->sent += done->sent;
    s->done[s->n++] = *done;
}


static ngx_http_fota_settle_t *
ngx_http_fota_settle_new(ngx_http_fota_rt_t *rt, ngx_connection_t *c)
{
    ngx_http_fota_settle_t  *s;

    s = ngx_alloc(sizeof(ngx_http_fota_settle_t), rt->log);
    if (s == NULL) {
        return NULL;
    }

    s->connection = c;
    s->number = c->number;
    s->fd = -1;
    s->since = ngx_current_msec;
    s->sent = 0;
    s->n = 0;

    rt->settling_by[c - ngx_cycle->connections] = s;
    ngx_queue_insert_tail(&rt->settling, &s->queue);

    if (!rt->settle_timer.timer_set) {
        ngx_add_timer(&rt->settle_timer, NGX_HTTP_FOTA_SETTLE_TICK);
    }

    return s;
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
                 && s->connection->fd != (ngx_socket_t) -1);

        if ((!stays && s->fd == -1)
            || ngx_http_fota_tcp(stays ? s->connection->fd : s->fd, &tcp)
               != NGX_OK)
        {
            ngx_http_fota_settle_look(rt, s, NULL, 1);
            continue;
        }

        ngx_http_fota_settle_look(rt, s, &tcp, last || !stays
                                  || ngx_current_msec - s->since
                                     > NGX_HTTP_FOTA_SETTLE_TIME);
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
