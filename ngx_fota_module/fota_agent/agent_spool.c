/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent_file.h"
#include "agent_spool.h"


static int fota_agent_segment_writer(const fota_spool_segment_t *a,
    const fota_spool_segment_t *b);
static int fota_agent_segment_order(const void *one, const void *two);


static int
fota_agent_segment_writer(const fota_spool_segment_t *a,
    const fota_spool_segment_t *b)
{
    if (a->boot != b->boot) {
        return (a->boot < b->boot) ? -1 : 1;
    }

    return (a->worker > b->worker) - (a->worker < b->worker);
}


static int
fota_agent_segment_order(const void *one, const void *two)
{
    int                          rc;
    const fota_agent_segment_t  *a, *b;

    a = one;
    b = two;

    rc = fota_agent_segment_writer(&a->id, &b->id);

    if (rc != 0) {
        return rc;
    }

    return (a->id.number > b->id.number) - (a->id.number < b->id.number);
}


void
fota_agent_spool_sort(fota_agent_segments_t *s)
{
    size_t  i;

    if (s->n == 0) {
        return;
    }

    qsort(s->list, s->n, sizeof(fota_agent_segment_t),
          fota_agent_segment_order);

    for (i = 0; i < s->n; i++) {
        s->list[i].later = i + 1 < s->n
                           && fota_agent_segment_writer(&s->list[i].id,
                                                        &s->list[i + 1].id)
                              == 0;
    }
}


int
fota_agent_spool_list(const char *dir, fota_agent_segments_t *s)
{
    int                    rc;
    DIR                   *d;
    char                   path[PATH_MAX];
    void                  *p;
    struct stat            sb;
    struct dirent         *e;
    fota_spool_segment_t   id;

    s->n = 0;

    d = opendir(dir);
    if (d == NULL) {
        return FOTA_IO;
    }

    rc = FOTA_OK;

    while ((e = readdir(d)) != NULL) {

        if (fota_spool_name_parse(fota_cstr(e->d_name), &id) != FOTA_OK
            || !fota_agent_file_path(path, dir, e->d_name)
            || lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
        {
            continue;
        }

        if (s->n == s->cap) {
            s->cap = (s->cap == 0) ? 64 : s->cap * 2;

            p = realloc(s->list, s->cap * sizeof(fota_agent_segment_t));
            if (p == NULL) {
                rc = FOTA_NOMEM;
                break;
            }

            s->list = p;
        }

        s->list[s->n].id = id;
        s->list[s->n].size = (uint64_t) sb.st_size;
        s->list[s->n].mtime = sb.st_mtime;
        s->list[s->n].later = 0;
        s->n++;
    }

    closedir(d);

    fota_agent_spool_sort(s);

    return rc;
}


void
fota_agent_spool_batch(fota_str_t data, fota_agent_batch_t *b)
{
    int                   rc;
    size_t                len;
    fota_rd_t             rd;
    fota_spool_record_t   r;

    memset(b, 0, sizeof(fota_agent_batch_t));
    fota_rd_init(&rd, data);

    while (b->n < FOTA_AGENT_BATCH_RECORDS) {

        rc = fota_spool_record_decode(&rd, &r);

        if (rc != FOTA_OK) {
            b->end = rc;
            return;
        }

        len = (size_t) (rd.pos - data.data);

        if (len > FOTA_AGENT_BATCH_BYTES - FOTA_SPOOL_SEGMENT_HEADER) {
            return;
        }

        if (b->n++ == 0) {
            b->first = r.seq;
            b->oldest = r.recv_ms;
        }

        b->last = r.seq;
        b->len = len;
    }
}


size_t
fota_agent_spool_resync(fota_str_t data)
{
    size_t                skip;
    fota_rd_t             rd;
    const uint8_t        *p;
    fota_spool_record_t   r;

    for (skip = 1; skip < data.len; skip++) {

        /* "RFPS" is how the magic stands in the file. */

        p = memmem(data.data + skip, data.len - skip, "RFPS", 4);

        if (p == NULL) {
            break;
        }

        skip = (size_t) (p - data.data);
        fota_rd_init(&rd, fota_slice(p, data.len - skip));

        if (fota_spool_record_decode(&rd, &r) == FOTA_OK) {
            return skip;
        }
    }

    return data.len;
}
