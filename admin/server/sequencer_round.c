/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "sequencer.h"
#include "sql_list.h"


static int fota_seq_item_cmp(const void *a, const void *b);
static int fota_seq_id_cmp(const void *a, const void *b);
static int fota_seq_known(fota_seq_t *s, size_t first, size_t n);


int
fota_seq_add(fota_seq_t *s, fota_table_e table, fota_str_t key)
{
    size_t            cap;
    fota_seq_item_t  *items;

    if (key.len == 0 || key.len > FOTA_KEY_MAX) {
        return FOTA_OK;
    }

    if (s->n == s->cap) {
        cap = (s->cap == 0) ? 256 : s->cap * 2;

        items = fota_calloc(s->mem, cap, sizeof(fota_seq_item_t));
        if (items == NULL) {
            return FOTA_NOMEM;
        }

        if (s->n != 0) {
            memcpy(items, s->items, s->n * sizeof(fota_seq_item_t));
        }

        s->items = items;
        s->cap = cap;
    }

    memset(&s->items[s->n], 0, sizeof(fota_seq_item_t));

    s->items[s->n].table = (uint8_t) table;
    s->items[s->n].key = fota_strdup(s->mem, key);

    return (s->items[s->n++].key.data == NULL) ? FOTA_NOMEM : FOTA_OK;
}


static int
fota_seq_item_cmp(const void *a, const void *b)
{
    int                     rc;
    const fota_seq_item_t  *x, *y;

    x = a;
    y = b;

    if (x->table != y->table) {
        return (int) x->table - (int) y->table;
    }

    rc = fota_str_cmp(x->key, y->key);

    if (rc != 0) {
        return rc;
    }

    /* Rendered together with others: the one to keep. */

    return (int) (y->value.data != NULL) - (int) (x->value.data != NULL);
}


void
fota_seq_sort(fota_seq_t *s)
{
    size_t  i, n;

    if (s->n == 0) {
        return;
    }

    qsort(s->items, s->n, sizeof(fota_seq_item_t), fota_seq_item_cmp);

    for (i = 1, n = 1; i < s->n; i++) {
        if (s->items[i].table != s->items[n - 1].table
            || !fota_str_eq(s->items[i].key, s->items[n - 1].key))
        {
            s->items[n++] = s->items[i];
        }
    }

    s->n = n;
}


static int
fota_seq_id_cmp(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


/*
 * The items are complete afterwards.  They are told from those that wait by
 * value.data, or skip; a device without a record has an empty value, not
 * NULL, until _render has passed.
 */

int
fota_seq_devices(fota_seq_t *s)
{
    int                    rc;
    size_t                 i, j, k, n, got;
    uint8_t                key[FOTA_KEY_MAX];
    fota_seq_item_t       *item;
    fota_render_device_t  *d;

    qsort(s->devices, s->ndevices, sizeof(uint64_t), fota_seq_id_cmp);

    for (i = 0, n = 0; i < s->ndevices; i++) {
        if (n == 0 || s->devices[i] != s->devices[n - 1]) {
            s->devices[n++] = s->devices[i];
        }
    }

    s->ndevices = n;

    for (i = 0; i < n; i += k) {
        k = (n - i > FOTA_SQL_LIST_MAX) ? FOTA_SQL_LIST_MAX : n - i;

        fota_arena_reset(&s->scratch);
        s->render.mem = &s->scratch.mem;

        rc = fota_render_devices(&s->render, s->devices + i, k, &d, &got);
        if (rc != FOTA_OK) {
            return rc;
        }

        for (j = 0; j < got; j++) {
            rc = fota_seq_add(s, FOTA_T_DEVICE,
                              fota_slice(key, fota_key_device(key,
                                                              d[j].tenant,
                                                              d[j].ext_id)));
            if (rc != FOTA_OK) {
                return rc;
            }

            item = &s->items[s->n - 1];

            if (d[j].status != FOTA_OK) {
                fota_log(FOTA_LOG_WARN, "device %llu is not published: %s",
                         (unsigned long long) d[j].id,
                         fota_status_name(d[j].status));
                item->skip = true;
            }

            item->value = fota_strdup(s->mem, d[j].value);

            if (item->value.data == NULL) {
                return FOTA_NOMEM;
            }
        }
    }

    return FOTA_OK;
}


int
fota_seq_render(fota_seq_t *s)
{
    int               rc;
    size_t            i;
    fota_buf_t        buf;
    fota_seq_item_t  *item;

    fota_buf_grow(&buf, FOTA_VALUE_MAX * 2);

    for (i = 0; i < s->n; i++) {
        item = &s->items[i];

        if (item->value.data != NULL || item->skip) {

            if (item->value.len == 0) {
                item->value.data = NULL;
            }

            continue;
        }

        fota_buf_reset(&buf);
        fota_arena_reset(&s->scratch);
        s->render.mem = &s->scratch.mem;

        rc = fota_render(&s->render, item->table, item->key, &buf);

        if (rc == FOTA_NOTFOUND) {
            continue;
        }

        if (rc == FOTA_IO || rc == FOTA_BUSY
            || (fota_render_fatal(rc) && !s->force))
        {
            fota_buf_free(&buf);
            return rc;
        }

        if (rc != FOTA_OK || buf.len > FOTA_VALUE_MAX) {
            fota_log(FOTA_LOG_WARN, "a record of table %s is not published:"
                     " %s", fota_table_name(item->table),
                     s->render.error[0] ? s->render.error
                                        : fota_status_name(rc));
            item->skip = true;
            continue;
        }

        item->value = fota_strdup(s->mem, fota_buf_slice(&buf));

        if (item->value.data == NULL) {
            fota_buf_free(&buf);
            return FOTA_NOMEM;
        }
    }

    fota_buf_free(&buf);

    return FOTA_OK;
}


/*
 * Marks as skip what the state holds already.  Items first.. are of one
 * table and ascend, as do the rows, so both are walked once.
 */

static int
fota_seq_known(fota_seq_t *s, size_t first, size_t n)
{
    int               rc;
    size_t            i, j;
    fota_str_t        key;
    fota_rows_t      *rows;
    fota_db_arg_t     table, *keys;
    fota_seq_item_t  *item;

    table = fota_arg_u(s->items[first].table);

    keys = fota_calloc(s->mem, n, sizeof(fota_db_arg_t));
    if (keys == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {
        keys[i] = fota_arg_s(s->items[first + i].key);
    }

    rc = fota_sql_list(s->render.db, &rows, "SELECT key_bytes, value_bytes"
                       " FROM policy_state WHERE tbl = ? AND key_bytes IN ",
                       " ORDER BY key_bytes", &table, 1, keys, n);
    if (rc != FOTA_OK) {
        return rc;
    }

    i = first;

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        key = fota_db_str(rows, 0);

        /* What was passed over is not in the state: deleting it is void. */

        while (i < first + n && !fota_str_eq(s->items[i].key, key)) {
            item = &s->items[i++];
            item->skip = item->skip || item->value.data == NULL;
        }

        if (i == first + n) {
            break;
        }

        item = &s->items[i++];

        if (item->value.data != NULL
            && fota_str_eq(item->value, fota_db_str(rows, 1)))
        {
            item->skip = true;
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    for (j = i; j < first + n; j++) {
        item = &s->items[j];
        item->skip = item->skip || item->value.data == NULL;
    }

    return FOTA_OK;
}


int
fota_seq_write(fota_seq_t *s, fota_feed_t *feed, size_t *nops)
{
    int               rc;
    size_t            i, n, k, nput, ndel, first;
    int64_t           now;
    uint8_t          *chains;
    fota_op_t         op;
    fota_db_arg_t    *log, *put, *del, table;
    fota_seq_item_t  *item;

    *nops = 0;

    for (i = 0; i < s->n; i += k) {
        for (k = 1; i + k < s->n && k < FOTA_SQL_LIST_MAX
             && s->items[i + k].table == s->items[i].table; k++)
        {
            /* void */
        }

        rc = fota_seq_known(s, i, k);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    for (i = 0, n = 0; i < s->n; i++) {
        n += !s->items[i].skip;
    }

    if (n == 0) {
        return FOTA_OK;
    }

    log = fota_calloc(s->mem, n, 7 * sizeof(fota_db_arg_t));
    put = fota_calloc(s->mem, n, 4 * sizeof(fota_db_arg_t));
    del = fota_calloc(s->mem, n, sizeof(fota_db_arg_t));
    chains = fota_alloc(s->mem, n * 32);

    if (log == NULL || put == NULL || del == NULL || chains == NULL) {
        return FOTA_NOMEM;
    }

    now = fota_now_ms();
    nput = 0;
    k = 0;

    for (i = 0; i < s->n; i++) {
        item = &s->items[i];

        if (item->skip) {
            continue;
        }

        op.seq = ++feed->seq;
        op.op = (item->value.data != NULL) ? FOTA_OP_PUT : FOTA_OP_DEL;
        op.table = item->table;
        op.key = item->key;
        op.value = (item->value.data != NULL) ? item->value
                                              : fota_slice("", 0);

        rc = fota_chain_op(feed->chain, &op);
        if (rc != FOTA_OK) {
            return rc;
        }

        memcpy(chains + k * 32, feed->chain, 32);

        log[k * 7] = fota_arg_u(op.seq);
        log[k * 7 + 1] = fota_arg_u(op.op);
        log[k * 7 + 2] = fota_arg_u(op.table);
        log[k * 7 + 3] = fota_arg_s(op.key);
        log[k * 7 + 4] = fota_arg_s(op.value);
        log[k * 7 + 5] = fota_arg_s(fota_slice(chains + k * 32, 32));
        log[k * 7 + 6] = fota_arg_i(now);
        k++;

        if (op.op == FOTA_OP_PUT) {
            put[nput * 4] = fota_arg_u(op.table);
            put[nput * 4 + 1] = fota_arg_s(op.key);
            put[nput * 4 + 2] = fota_arg_s(op.value);
            put[nput * 4 + 3] = fota_arg_u(op.seq);
            nput++;
        }
    }

    rc = fota_sql_rows(s->render.db, "INSERT INTO change_log"
                       " (seq, op, tbl, key_bytes, value_bytes, chain, ts)"
                       " VALUES", "(?,?,?,?,?,?,?)", "", log, n, 7);

    if (rc == FOTA_OK && nput != 0) {
        rc = fota_sql_rows(s->render.db, "INSERT INTO policy_state"
                           " (tbl, key_bytes, value_bytes, seq) VALUES",
                           "(?,?,?,?)", " ON DUPLICATE KEY UPDATE"
                           " value_bytes = VALUES(value_bytes),"
                           " seq = VALUES(seq)", put, nput, 4);
    }

    /* Deletes, table by table. */

    for (i = 0; rc == FOTA_OK && i < s->n; i = first) {
        table = fota_arg_u(s->items[i].table);
        ndel = 0;

        for (first = i; first < s->n && ndel < FOTA_SQL_LIST_MAX
             && s->items[first].table == s->items[i].table; first++)
        {
            item = &s->items[first];

            if (!item->skip && item->value.data == NULL) {
                del[ndel++] = fota_arg_s(item->key);
            }
        }

        if (ndel != 0) {
            rc = fota_sql_list(s->render.db, NULL, "DELETE FROM policy_state"
                               " WHERE tbl = ? AND key_bytes IN ", "",
                               &table, 1, del, ndel);
        }
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(s->render.db, "UPDATE feed SET seq = ?, chain = ?"
                          " WHERE id = 1", "us", feed->seq,
                          fota_slice(feed->chain, sizeof(feed->chain)));
    }

    *nops = n;

    return rc;
}
