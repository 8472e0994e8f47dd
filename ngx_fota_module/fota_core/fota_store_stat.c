/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What the databases hold: readers, pages, records. */

#include <errno.h>
#include <string.h>

#include "fota_store_lmdb.h"


typedef struct {
    fota_store_t       *st;
    fota_store_stat_t  *out;
    MDB_cursor         *cursor;
    int                 rc;
} fota_store_stat_call_t;


static int fota_store_stat_run(void *data);
static int fota_store_stat_read(fota_store_stat_call_t *call);


int
fota_store_reap(fota_store_t *st, uint32_t *dead)
{
    int  n, rc;

    n = 0;

    rc = mdb_reader_check(st->env, &n);

    *dead = (uint32_t) n;

    return fota_store_status(rc);
}


/* Called with one line of text a reader, and one for the header. */

static int
fota_store_count_reader(const char *msg, void *ctx)
{
    uint32_t  *n;

    while (*msg == ' ') {
        msg++;
    }

    if (*msg >= '0' && *msg <= '9') {
        n = ctx;
        (*n)++;
    }

    return 0;
}


/* Each record of the free list is a counted list of page numbers. */

static int
fota_store_free_pages(fota_store_stat_call_t *call, uint64_t *pages)
{
    int      rc;
    size_t   n;
    MDB_val  k, v;

    rc = mdb_cursor_open(call->st->read, 0, &call->cursor);
    if (rc != MDB_SUCCESS) {
        return fota_store_status(rc);
    }

    while ((rc = mdb_cursor_get(call->cursor, &k, &v, MDB_NEXT))
           == MDB_SUCCESS)
    {
        if (v.mv_size >= sizeof(n)) {
            memcpy(&n, v.mv_data, sizeof(n));
            *pages += n;
        }
    }

    return (rc == MDB_NOTFOUND) ? FOTA_OK : fota_store_status(rc);
}


int
fota_store_stat(fota_store_t *st, fota_store_stat_t *out)
{
    int                     rc;
    fota_store_stat_call_t  call;

    memset(out, 0, sizeof(fota_store_stat_t));

    rc = fota_store_read_begin(st, NULL);
    if (rc != FOTA_OK) {
        return rc;
    }

    call.st = st;
    call.out = out;
    call.cursor = NULL;
    call.rc = FOTA_CORRUPT;

    (void) fota_store_safe(st, fota_store_stat_run, &call);

    if (call.cursor != NULL) {
        mdb_cursor_close(call.cursor);
    }

    fota_store_read_end(st);

    return call.rc;
}


static int
fota_store_stat_run(void *data)
{
    fota_store_stat_call_t *call = data;

    call->rc = fota_store_stat_read(call);

    return MDB_SUCCESS;
}


static int
fota_store_stat_read(fota_store_stat_call_t *call)
{
    int                 rc;
    size_t              i;
    uint64_t            pages;
    MDB_stat            stat;
    MDB_envinfo         info;
    fota_store_t       *st;
    fota_store_stat_t  *out;

    st = call->st;
    out = call->out;

    rc = fota_store_free_pages(call, &out->free_pages);
    if (rc != FOTA_OK) {
        return rc;
    }

    for (i = 0; i < FOTA_T__N; i++) {
        rc = fota_store_status(mdb_stat(st->read, st->dbi[i], &stat));
        if (rc != FOTA_OK) {
            return rc;
        }

        out->entries[i] = stat.ms_entries;
    }

    rc = mdb_env_info(st->env, &info);

    if (rc == MDB_SUCCESS) {
        rc = mdb_env_stat(st->env, &stat);
    }

    if (rc == MDB_SUCCESS
        && mdb_reader_list(st->env, fota_store_count_reader, &out->readers)
           < 0)
    {
        rc = EIO;
    }

    if (rc != MDB_SUCCESS) {
        return fota_store_status(rc);
    }

    pages = (uint64_t) info.me_last_pgno + 1;

    if (out->free_pages < pages) {
        pages -= out->free_pages;
    }

    out->map_size = info.me_mapsize;
    out->used = pages * stat.ms_psize;

    return FOTA_OK;
}
