/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * How much the spool holds and what of it waits.  Read off the segments, so
 * it holds as well while the agent is down; what the centre has of them is
 * what the agent told last.  In a thread: nothing of nginx is touched here.
 */

#include <dirent.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "ngx_http_fota_spool.h"
#include "fota_tally.h"


#define FOTA_TAIL_SMALL  4096
#define FOTA_TAIL_LARGE                                                       \
    (2 * (FOTA_SPOOL_RECORD_HEADER + FOTA_SPOOL_PAYLOAD_MAX))


typedef struct {
    ngx_http_fota_waits_t  *list;
    ngx_uint_t              n;
    ngx_uint_t              cap;
} ngx_http_fota_waiting_t;


static uint64_t ngx_http_fota_scan_mark(const fota_tally_t *tally,
    const fota_spool_segment_t *id);
static int ngx_http_fota_scan_order(const void *one, const void *two);
static uint64_t ngx_http_fota_scan_last(int fd, uint64_t from, uint64_t to,
    size_t max);
static void ngx_http_fota_scan_segment(int dir, const char *name,
    ngx_http_fota_waits_t *w);
static void ngx_http_fota_scan_waits(ngx_http_fota_scan_t *t, int dir,
    const char *name, ngx_http_fota_waits_t *w);
static void ngx_http_fota_scan_keep(ngx_http_fota_waiting_t *next,
    const ngx_http_fota_waits_t *w);


void
ngx_http_fota_scan(void *data, ngx_log_t *log)
{
    ngx_http_fota_scan_t *t = data;

    DIR                      *dir;
    struct stat               st;
    fota_tally_t              tally;
    struct dirent            *e;
    struct statvfs            fs;
    ngx_http_fota_waits_t     w;
    ngx_http_fota_waiting_t   next;

    t->bytes = 0;
    t->avail = UINT64_MAX;
    t->waiting = 0;
    t->records = 0;
    t->oldest = 0;
    t->segments = 0;

    dir = opendir(t->dir);
    if (dir == NULL) {
        return;
    }

    /* Without it all that is there waits. */

    tally.nmarks = 0;

    if (t->policy != NULL) {
        (void) fota_tally_read(t->policy, &tally);
    }

    ngx_memzero(&next, sizeof(ngx_http_fota_waiting_t));

    while ((e = readdir(dir)) != NULL) {

        if (fota_spool_name_parse(fota_cstr(e->d_name), &w.id) != FOTA_OK
            || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
        {
            continue;
        }

        t->segments++;

        w.size = (uint64_t) st.st_size;
        w.mark = ngx_http_fota_scan_mark(&tally, &w.id);

        t->bytes += w.size;

        if (w.size <= w.mark) {
            continue;
        }

        ngx_http_fota_scan_waits(t, dirfd(dir), e->d_name, &w);
        ngx_http_fota_scan_keep(&next, &w);

        t->waiting += w.size - w.mark;
        t->records += w.records;

        if (w.oldest != 0
            && (t->oldest == 0 || w.oldest / 1000 < t->oldest))
        {
            t->oldest = w.oldest / 1000;
        }
    }

    if (fstatvfs(dirfd(dir), &fs) == 0) {
        t->avail = (uint64_t) fs.f_bavail * fs.f_frsize;
    }

    (void) closedir(dir);

    if (next.n != 0) {
        qsort(next.list, next.n, sizeof(ngx_http_fota_waits_t),
              ngx_http_fota_scan_order);
    }

    free(t->known);
    t->known = next.list;
    t->nknown = next.n;
}


static uint64_t
ngx_http_fota_scan_mark(const fota_tally_t *tally,
    const fota_spool_segment_t *id)
{
    uint32_t                     i;
    const fota_spool_segment_t  *s;

    for (i = 0; i < tally->nmarks; i++) {
        s = &tally->marks[i].segment;

        if (s->number == id->number && s->boot == id->boot
            && s->worker == id->worker)
        {
            return ngx_max(tally->marks[i].offset,
                           FOTA_SPOOL_SEGMENT_HEADER);
        }
    }

    return FOTA_SPOOL_SEGMENT_HEADER;
}


static int
ngx_http_fota_scan_order(const void *one, const void *two)
{
    const ngx_http_fota_waits_t *a = one;
    const ngx_http_fota_waits_t *b = two;

    if (a->id.boot != b->id.boot) {
        return (a->id.boot < b->id.boot) ? -1 : 1;
    }

    if (a->id.worker != b->id.worker) {
        return (a->id.worker < b->id.worker) ? -1 : 1;
    }

    return (a->id.number > b->id.number) - (a->id.number < b->id.number);
}


/* Segments that did not change since the last scan are not read again. */

static void
ngx_http_fota_scan_waits(ngx_http_fota_scan_t *t, int dir, const char *name,
    ngx_http_fota_waits_t *w)
{
    ngx_http_fota_waits_t  *old;

    old = NULL;

    if (t->nknown != 0) {
        old = bsearch(w, t->known, t->nknown, sizeof(ngx_http_fota_waits_t),
                      ngx_http_fota_scan_order);
    }

    if (old != NULL && old->size == w->size && old->mark == w->mark) {
        *w = *old;
        return;
    }

    ngx_http_fota_scan_segment(dir, name, w);
}


static void
ngx_http_fota_scan_keep(ngx_http_fota_waiting_t *next,
    const ngx_http_fota_waits_t *w)
{
    void        *p;
    ngx_uint_t   cap;

    /* What could not be read may be so the next time. */

    if (w->records == 0) {
        return;
    }

    if (next->n == next->cap) {
        cap = next->cap ? next->cap * 2 : 16;
        p = realloc(next->list, cap * sizeof(ngx_http_fota_waits_t));

        /* Read again the next time then. */

        if (p == NULL) {
            return;
        }

        next->list = p;
        next->cap = cap;
    }

    next->list[next->n++] = *w;
}


/*
 * Records of a segment are numbered without a gap, so the first and the last
 * one tell how many there are.
 */

static void
ngx_http_fota_scan_segment(int dir, const char *name,
    ngx_http_fota_waits_t *w)
{
    int       fd;
    ssize_t   n;
    uint8_t   head[FOTA_SPOOL_RECORD_HEADER];
    uint64_t  first, last;

    w->records = 0;
    w->oldest = 0;

    fd = openat(dir, name, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);
    if (fd == -1) {
        return;
    }

    n = pread(fd, head, sizeof(head), (off_t) w->mark);

    if (n > 0
        && fota_spool_record_peek(fota_slice(head, (size_t) n), &first,
                                  &w->oldest)
           == FOTA_OK)
    {
        last = ngx_http_fota_scan_last(fd, w->mark, w->size,
                                       FOTA_TAIL_SMALL);
        if (last == 0) {
            last = ngx_http_fota_scan_last(fd, w->mark, w->size,
                                           FOTA_TAIL_LARGE);
        }

        /* More than could stand there: the head is damaged. */

        if (last >= first
            && last - first < (w->size - w->mark) / FOTA_SPOOL_RECORD_HEADER)
        {
            w->records = last - first + 1;
        }
    }

    /* Not a whole one yet, or damaged. */

    if (w->records == 0) {
        w->oldest = 0;
    }

    (void) close(fd);
}


/* Number of the last whole record among the last max bytes, or 0. */

static uint64_t
ngx_http_fota_scan_last(int fd, uint64_t from, uint64_t to, size_t max)
{
    ssize_t    n;
    uint8_t   *tail;
    uint64_t   last;

    if (to - from > max) {
        from = to - max;
    }

    tail = malloc((size_t) (to - from));
    if (tail == NULL) {
        return 0;
    }

    n = pread(fd, tail, (size_t) (to - from), (off_t) from);

    if (n <= 0
        || fota_spool_record_last(fota_slice(tail, (size_t) n), &last)
           != FOTA_OK)
    {
        last = 0;
    }

    free(tail);

    return last;
}
