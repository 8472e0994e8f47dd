/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What the databases hold: readers, pages, records. */

#include <errno.h>
#include <string.h>

#include "fota_store_lmdb.h"


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
fota_store_free_pages(fota_store_t *st, uint64_t *pages)
{
    int          rc;
    size_t       n;
    MDB_val      k, v;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(st->read, 0, &cursor);
    if (rc != MDB_SUCCESS) {
        return fota_store_status(rc);
    }

    while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
        if (v.mv_size >= sizeof(n)) {
            memcpy(&n, v.mv_data, sizeof(n));
            *pages += n;
        }
    }

    mdb_cursor_close(cursor);

    return (rc == MDB_NOTFOUND) ? FOTA_OK : fota_store_status(rc);
}


int
fota_store_stat(fota_store_t *st, fota_store_stat_t *out)
{
    int          rc;
    size_t       i;
    uint64_t     pages;
    MDB_stat     stat;
    MDB_envinfo  info;

    memset(out, 0, sizeof(fota_store_stat_t));

    rc = fota_store_read_begin(st, NULL);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_store_free_pages(st, &out->free_pages);
    if (rc != FOTA_OK) {
        goto done;
    }

    for (i = 0; i < FOTA_T__N; i++) {
        rc = fota_store_status(mdb_stat(st->read, st->dbi[i], &stat));
        if (rc != FOTA_OK) {
            goto done;
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
        rc = fota_store_status(rc);
        goto done;
    }

    pages = (uint64_t) info.me_last_pgno + 1;

    if (out->free_pages < pages) {
        pages -= out->free_pages;
    }

    out->map_size = info.me_mapsize;
    out->used = pages * stat.ms_psize;

done:

    fota_store_read_end(st);

    return rc;
}
