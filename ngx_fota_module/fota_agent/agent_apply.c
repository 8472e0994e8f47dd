/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "agent_policy_int.h"
#include "agent_wrap.h"


/* Entries and bytes of one transaction of a copy. */
#define FOTA_AGENT_COPY_ENTRIES  10000
#define FOTA_AGENT_COPY_BYTES    (16 << 20)

/* Not worth a copy below this. */
#define FOTA_AGENT_SPARSE_MIN    (64 << 20)


typedef struct {
    fota_store_t  *to;
    fota_txn_t    *txn;
    fota_table_e   table;
    size_t         entries;
    size_t         bytes;
} fota_agent_copy_t;

typedef struct {
    const fota_agent_wrap_t  *wrap;
    fota_txn_t               *txn;
    fota_buf_t                opened;
    unsigned                  n;
} fota_agent_unseal_t;


static int fota_agent_apply_op(fota_agent_policy_t *p, fota_txn_t *txn,
    const fota_op_t *op, fota_agent_apply_t *a, fota_buf_t *opened);
static int fota_agent_copy_entry(void *ctx, fota_str_t key, fota_str_t value);
static int fota_agent_copy(fota_agent_policy_t *p, fota_store_t *to);


static int
fota_agent_apply_op(fota_agent_policy_t *p, fota_txn_t *txn,
    const fota_op_t *op, fota_agent_apply_t *a, fota_buf_t *opened)
{
    int         rc;
    fota_str_t  value;

    if (op->op == FOTA_OP_DEL) {
        return fota_txn_del(txn, op->table, op->key);
    }

    fota_arena_reset(&p->arena);

    rc = fota_record_check(&p->arena.mem, op->table, op->key, op->value);
    if (rc != FOTA_OK) {
        return rc;
    }

    value = op->value;

    if (op->table == FOTA_T_KEY) {
        rc = fota_agent_wrap_open(a->wrap, op->key, op->value, opened,
                                  &a->unknown);
        if (rc != FOTA_OK) {
            return rc;
        }

        if (opened->len != 0) {
            value = fota_buf_slice(opened);
        }
    }

    return fota_txn_put(txn, op->table, op->key, value);
}


int
fota_agent_policy_apply(fota_agent_policy_t *p, const fota_batch_t *b,
    const uint8_t chain[32], fota_agent_apply_t *a)
{
    int          rc;
    bool         policy;
    uint8_t      mem[512];
    uint64_t     seq;
    fota_rd_t    rd;
    fota_op_t    op;
    fota_buf_t   opened;
    fota_txn_t  *txn;
    fota_meta_t  meta;

    a->artifacts = false;
    a->unknown = false;
    a->bad = 0;
    a->ops = 0;

    fota_buf_fixed(&opened, mem, sizeof(mem));
    policy = false;

    pthread_mutex_lock(&p->lock);

    meta = p->meta;

    rc = fota_store_write_begin(p->store, &txn);
    if (rc != FOTA_OK) {
        goto done;
    }

    fota_rd_init(&rd, b->ops);
    seq = b->prev;

    while ((rc = fota_batch_next(&rd, &seq, &op)) == FOTA_OK) {

        /* The front of a batch may be held already. */

        if (seq <= meta.seq) {
            continue;
        }

        rc = fota_agent_apply_op(p, txn, &op, a, &opened);

        if (rc != FOTA_OK) {
            a->bad = seq;
            break;
        }

        a->ops++;
        a->artifacts |= op.table == FOTA_T_ARTIFACT;
        policy |= op.table != FOTA_T_ARTIFACT && op.table != FOTA_T_DEVICE;
    }

    if (rc != FOTA_NOTFOUND) {
        fota_txn_abort(txn);
        goto done;
    }

    meta.seq = b->last;
    memcpy(meta.chain, chain, sizeof(meta.chain));
    meta.head_ts = b->ts;
    meta.generation += policy;

    if (a->fresh != 0) {
        meta.fresh = a->fresh;
    }

    (void) fota_meta_write(txn, &meta);

    rc = fota_txn_commit(txn);

    if (rc == FOTA_OK) {
        p->meta = meta;
    }

done:

    fota_cleanse(mem, sizeof(mem));
    pthread_mutex_unlock(&p->lock);

    return rc;
}


int
fota_agent_policy_fresh(fota_agent_policy_t *p, uint64_t now)
{
    int          rc;
    fota_txn_t  *txn;
    fota_meta_t  meta;

    pthread_mutex_lock(&p->lock);

    rc = fota_store_write_begin(p->store, &txn);

    if (rc == FOTA_OK) {
        meta = p->meta;
        meta.fresh = now;

        (void) fota_meta_write(txn, &meta);
        rc = fota_txn_commit(txn);

        if (rc == FOTA_OK) {
            p->meta = meta;
        }
    }

    pthread_mutex_unlock(&p->lock);

    return rc;
}


static int
fota_agent_unseal_entry(void *ctx, fota_str_t key, fota_str_t value)
{
    int                   rc;
    bool                  unknown;
    fota_agent_unseal_t  *u;

    u = ctx;

    rc = fota_agent_wrap_open(u->wrap, key, value, &u->opened, &unknown);

    /* One that cannot be read was put there by a newer agent. */

    if (rc != FOTA_OK || u->opened.len == 0) {
        return FOTA_OK;
    }

    u->n++;

    return fota_txn_put(u->txn, FOTA_T_KEY, key, fota_buf_slice(&u->opened));
}


int
fota_agent_policy_unseal(fota_agent_policy_t *p,
    const fota_agent_wrap_t *wrap, unsigned *opened)
{
    int                  rc;
    uint8_t              mem[512];
    fota_str_t           all = fota_null_str;
    fota_meta_t          meta;
    fota_agent_unseal_t  u;

    u.wrap = wrap;
    u.n = 0;
    fota_buf_fixed(&u.opened, mem, sizeof(mem));

    pthread_mutex_lock(&p->lock);

    rc = fota_store_write_begin(p->store, &u.txn);
    if (rc != FOTA_OK) {
        goto done;
    }

    rc = fota_store_read_begin(p->store, NULL);

    if (rc == FOTA_OK) {
        rc = fota_store_each(p->store, FOTA_T_KEY, all,
                             fota_agent_unseal_entry, &u);
        fota_store_read_end(p->store);
    }

    if (rc != FOTA_OK || u.n == 0) {
        fota_txn_abort(u.txn);
        goto done;
    }

    meta = p->meta;
    meta.generation++;

    (void) fota_meta_write(u.txn, &meta);
    rc = fota_txn_commit(u.txn);

    if (rc == FOTA_OK) {
        p->meta = meta;
    }

done:

    fota_cleanse(mem, sizeof(mem));
    pthread_mutex_unlock(&p->lock);

    *opened = u.n;

    return rc;
}


static int
fota_agent_copy_entry(void *ctx, fota_str_t key, fota_str_t value)
{
    int                 rc;
    fota_agent_copy_t  *c;

    c = ctx;

    if (c->entries == FOTA_AGENT_COPY_ENTRIES
        || c->bytes > FOTA_AGENT_COPY_BYTES)
    {
        rc = fota_txn_commit(c->txn);
        c->txn = NULL;

        if (rc != FOTA_OK) {
            return rc;
        }

        c->entries = 0;
        c->bytes = 0;
    }

    if (c->txn == NULL) {
        rc = fota_store_write_begin(c->to, &c->txn);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    c->entries++;
    c->bytes += key.len + value.len;

    return fota_txn_append(c->txn, c->table, key, value);
}


/* The whole of the store in ascending order: no page is left half empty. */

static int
fota_agent_copy(fota_agent_policy_t *p, fota_store_t *to)
{
    int                rc;
    size_t             i;
    fota_str_t         all = fota_null_str;
    fota_agent_copy_t  c;

    memset(&c, 0, sizeof(c));
    c.to = to;

    rc = fota_store_read_begin(p->store, NULL);

    for (i = 0; rc == FOTA_OK && i < FOTA_T__N; i++) {
        c.table = (fota_table_e) i;
        rc = fota_store_each(p->store, c.table, all, fota_agent_copy_entry,
                             &c);
    }

    fota_store_read_end(p->store);

    if (c.txn != NULL) {
        if (rc == FOTA_OK) {
            rc = fota_txn_commit(c.txn);

        } else {
            fota_txn_abort(c.txn);
        }
    }

    return rc;
}


int
fota_agent_policy_grow(fota_agent_policy_t *p, const char **reason)
{
    int                 rc;
    char                path[PATH_MAX];
    uint64_t            number;
    fota_store_t       *to;
    fota_store_opt_t    opt;
    fota_store_stat_t   from, copy;

    *reason = "cannot copy the database";

    rc = fota_agent_policy_next(p, &number, path);
    if (rc != FOTA_OK) {
        return rc;
    }

    pthread_mutex_lock(&p->lock);

    rc = fota_store_stat(p->store, &from);

    memset(&opt, 0, sizeof(opt));
    opt.nosync = 1;

    if (rc == FOTA_OK) {
        p->map_min = from.map_size * 2;
        opt.map_size = p->map_min;

        rc = fota_store_open(&to, path, &opt, reason);
    }

    if (rc == FOTA_OK) {
        rc = fota_agent_copy(p, to);

        if (rc == FOTA_OK) {
            rc = fota_store_sync(to);
        }

        if (rc == FOTA_OK) {
            rc = fota_store_stat(to, &copy);
        }

        if (rc == FOTA_OK
            && memcmp(from.entries, copy.entries, sizeof(from.entries)) != 0)
        {
            rc = FOTA_ERROR;
        }

        fota_store_close(to);
    }

    pthread_mutex_unlock(&p->lock);

    return (rc == FOTA_OK) ? fota_agent_policy_switch(p, number, reason) : rc;
}


bool
fota_agent_policy_sparse(fota_agent_policy_t *p)
{
    uint64_t                  free;
    fota_agent_policy_info_t  info;

    if (fota_agent_policy_info(p, &info) != FOTA_OK || !info.open) {
        return false;
    }

    free = info.stat.free_pages * 4096;

    return free > FOTA_AGENT_SPARSE_MIN && free > info.stat.used;
}
