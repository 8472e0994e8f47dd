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
 * its next request, by a timer, or when nginx has closed it.
 *
 * What is much is followed beyond nginx's own close with a descriptor of
 * ours.  It must go soon after: as long as it is open, epoll tells of the
 * socket to whom the connection's place belongs by then.
 */

#include "ngx_http_fota.h"


#define NGX_HTTP_FOTA_SETTLE_TICK  25       /* ms between two looks */
#define NGX_HTTP_FOTA_SETTLE_TIME  60000    /* ms, then counted as it is */
#define NGX_HTTP_FOTA_SETTLE_MUCH  65536    /* bytes worth a descriptor */

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
    int                    fd;      /* ours, or -1 */
    uint64_t               end;     /* of the response in the stream */
    ngx_msec_t             since;
    ngx_http_fota_done_t   done;
};


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

    tcp->end = sent - again + notsent;
    tcp->closed = (info[FOTA_TCPI_STATE] == FOTA_TCP_CLOSE);

    if (tcp->end < tcp->acked) {
        tcp->end = tcp->acked;
    }

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
    off_t  left;

    left = 0;

    if (tcp != NULL) {
        left = (tcp->acked < s->end) ? (off_t) (s->end - tcp->acked) : 0;

        if (s->done.sent - left > s->done.delivered) {
            s->done.delivered = s->done.sent - left;
        }

        last |= tcp->closed;
    }

    if (left != 0 && !last) {
        return;
    }

    ngx_http_fota_settle_count(rt, &s->done);

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
    const ngx_http_fota_tcp_t *tcp, const ngx_http_fota_done_t *done)
{
    ngx_uint_t                i;
    ngx_http_fota_settle_t  **by, *s;

    i = c - ngx_cycle->connections;

    if (i >= ngx_cycle->connection_n) {
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    by = &rt->settling_by[i];

    if (*by != NULL) {
        /* Of a request before, on this connection or one in its place. */

        s = *by;
        *by = NULL;

        if (s->number == c->number) {
            ngx_http_fota_settle_look(rt, s, tcp, 1);
        }
    }

    /* With an error the connection is about to be reset: nothing follows. */

    if (tcp == NULL || tcp->closed || done->delivered >= done->sent
        || c->error || done->final)
    {
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    s = ngx_alloc(sizeof(ngx_http_fota_settle_t), rt->log);

    if (s == NULL) {
        ngx_http_fota_settle_count(rt, done);
        return;
    }

    s->connection = c;
    s->number = c->number;
    s->end = tcp->end;
    s->since = ngx_current_msec;
    s->done = *done;
    s->fd = -1;

    if (done->sent - done->delivered > NGX_HTTP_FOTA_SETTLE_MUCH) {
        s->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    }

    *by = s;
    ngx_queue_insert_tail(&rt->settling, &s->queue);

    if (!rt->settle_timer.timer_set) {
        ngx_add_timer(&rt->settle_timer, NGX_HTTP_FOTA_SETTLE_TICK);
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
