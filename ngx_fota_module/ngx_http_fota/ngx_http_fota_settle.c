/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The final count of a download.
 *
 * When a request ends, its last megabytes are usually still in the socket.
 * To count them as delivered would be wrong for a peer that goes away, not to
 * count them wrong for all others; so the socket is looked at again until
 * they are acknowledged or will never be.
 */

#include "ngx_http_fota.h"


#define NGX_HTTP_FOTA_SETTLE_MAX   1024     /* waiting, per worker */
#define NGX_HTTP_FOTA_SETTLE_TIME  60000    /* ms, then counted as it is */

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
    int                    fd;      /* ours, so that it outlives nginx's */
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


void
ngx_http_fota_settle(ngx_http_fota_rt_t *rt, ngx_connection_t *c,
    const ngx_http_fota_done_t *done)
{
    ngx_http_fota_tcp_t      tcp;
    ngx_http_fota_settle_t  *s;

    /*
     * With an error the connection is about to be reset, and a descriptor of
     * ours would hold that up.  When nginx closes in any case, epoll would go
     * on to tell of the socket, to whom the connection's place belongs then.
     */

    if (done->delivered < done->sent && !c->error && !done->final
        && rt->nsettling < NGX_HTTP_FOTA_SETTLE_MAX
        && ngx_http_fota_tcp(c->fd, &tcp) == NGX_OK && !tcp.closed)
    {
        s = ngx_alloc(sizeof(ngx_http_fota_settle_t), rt->log);

        if (s != NULL) {
            s->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

            if (s->fd != -1) {
                s->end = tcp.end;
                s->since = ngx_current_msec;
                s->done = *done;
                ngx_queue_insert_tail(&rt->settling, &s->queue);
                rt->nsettling++;
                return;
            }

            ngx_free(s);
        }
    }

    ngx_http_fota_settle_count(rt, done);
}


void
ngx_http_fota_settle_tick(ngx_http_fota_rt_t *rt, ngx_uint_t last)
{
    off_t                    left;
    ngx_int_t                rc;
    ngx_queue_t             *q, *next;
    ngx_http_fota_tcp_t      tcp;
    ngx_http_fota_settle_t  *s;

    for (q = ngx_queue_head(&rt->settling);
         q != ngx_queue_sentinel(&rt->settling);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_http_fota_settle_t, queue);

        rc = ngx_http_fota_tcp(s->fd, &tcp);

        if (rc == NGX_OK) {
            left = (tcp.acked < s->end) ? (off_t) (s->end - tcp.acked) : 0;

            if (s->done.sent - left > s->done.delivered) {
                s->done.delivered = s->done.sent - left;
            }

            if (left != 0 && !tcp.closed && !last
                && ngx_current_msec - s->since < NGX_HTTP_FOTA_SETTLE_TIME)
            {
                continue;
            }
        }

        ngx_http_fota_settle_count(rt, &s->done);

        ngx_queue_remove(&s->queue);
        rt->nsettling--;
        (void) close(s->fd);
        ngx_free(s);
    }
}
