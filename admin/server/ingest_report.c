/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Reports of a batch: told apart, put in order, applied to rollouts. */

#include <stdlib.h>

#include "fota_version.h"

#include "ingest.h"
#include "sql_list.h"


static int fota_ingest_u32_cmp(const void *a, const void *b);
static int fota_ingest_id_cmp(const void *a, const void *b);
static int fota_ingest_pair_cmp(const void *a, const void *b);
static int fota_ingest_order_cmp(const void *a, const void *b);
static int fota_ingest_rollout_load(fota_ingest_t *in,
    fota_ingest_rollout_t *o, uint32_t id);
static int fota_ingest_target(fota_ingest_t *in, fota_ingest_rollout_t *o,
    uint32_t target);
static int fota_ingest_pairs_load(fota_ingest_t *in, size_t first, size_t n);
static bool fota_ingest_counts(const fota_ingest_record_t *r);
static fota_ingest_pair_t *fota_ingest_pair(fota_ingest_t *in,
    const fota_ingest_record_t *r);
static int fota_ingest_step(fota_ingest_t *in, fota_ingest_rollout_t *o,
    const fota_ingest_record_t *r, bool *step);
static int fota_ingest_apply_one(fota_ingest_t *in, fota_ingest_record_t *r);


static int
fota_ingest_u32_cmp(const void *a, const void *b)
{
    uint32_t  x, y;

    x = *(const uint32_t *) a;
    y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}


fota_ingest_rollout_t *
fota_ingest_rollout(fota_ingest_t *in, uint32_t id)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = in->nrollouts;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (in->rollouts[mid].id < id) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return (lo < in->nrollouts && in->rollouts[lo].id == id)
           ? &in->rollouts[lo] : NULL;
}


/* The version a device has when it is done; "latest" is worked out now. */

static int
fota_ingest_target(fota_ingest_t *in, fota_ingest_rollout_t *o,
    uint32_t target)
{
    int           rc;
    fota_rows_t  *rows;

    rc = (target != 0)
         ? fota_db_first(in->db, &rows, "SELECT version FROM firmware"
                         " WHERE tenant_id = ? AND id = ?", "uu",
                         (uint64_t) o->tenant, (uint64_t) target)
         : fota_db_first(in->db, &rows, "SELECT version FROM firmware"
                         " WHERE tenant_id = ? AND product_id = ?"
                         " AND kind = ? AND withdrawn = 0"
                         " ORDER BY COALESCE(release_order, 0) DESC,"
                         " version_key DESC LIMIT 1", "uus",
                         (uint64_t) o->tenant, (uint64_t) o->product,
                         o->kind);

    if (rc == FOTA_OK) {
        o->target = fota_sql_dup(in->mem, rows, 0);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_ingest_rollout_load(fota_ingest_t *in, fota_ingest_rollout_t *o,
    uint32_t id)
{
    int           rc;
    uint32_t      target;
    fota_rows_t  *rows;

    rc = fota_db_first(in->db, &rows, "SELECT tenant_id, product_id, kind,"
                       " stage, target_id FROM rollout WHERE id = ?", "u",
                       (uint64_t) id);
    target = 0;

    if (rc == FOTA_OK) {
        o->id = id;
        o->tenant = (uint32_t) fota_db_u64(rows, 0);
        o->product = (uint32_t) fota_db_u64(rows, 1);
        o->kind = fota_sql_dup(in->mem, rows, 2);
        o->stage = (uint16_t) fota_db_u64(rows, 3);
        target = (uint32_t) fota_db_u64(rows, 4);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_OK) ? fota_ingest_target(in, o, target) : rc;
}


int
fota_ingest_rollouts(fota_ingest_t *in)
{
    int                     rc;
    size_t                  i, n;
    uint32_t               *ids;
    fota_ingest_record_t   *r;
    fota_ingest_rollout_t  *o;

    ids = fota_calloc(in->mem, in->n + 1, sizeof(uint32_t));
    if (ids == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        if (in->records[i].refused == NULL && in->records[i].rollout != 0) {
            ids[n++] = in->records[i].rollout;
        }
    }

    qsort(ids, n, sizeof(uint32_t), fota_ingest_u32_cmp);

    in->rollouts = fota_calloc(in->mem, n + 1,
                               sizeof(fota_ingest_rollout_t));
    if (in->rollouts == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {
        if (i != 0 && ids[i] == ids[i - 1]) {
            continue;
        }

        rc = fota_ingest_rollout_load(in, &in->rollouts[in->nrollouts],
                                      ids[i]);
        if (rc == FOTA_OK) {
            in->nrollouts++;

        } else if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    /* A rollout of another tenant or product is none of this device's. */

    for (i = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused != NULL || r->rollout == 0) {
            continue;
        }

        o = fota_ingest_rollout(in, r->rollout);

        if (o != NULL && o->tenant == r->tenant
            && (r->type == FOTA_I_BYTES
                || o->product == in->devices[r->entry].product_id))
        {
            continue;
        }

        if (r->type == FOTA_I_REPORT) {
            r->refused = "no_rollout";
            r->detail = "the product has no such rollout";

        } else {
            r->rollout = 0;
        }
    }

    return FOTA_OK;
}


static int
fota_ingest_id_cmp(const void *a, const void *b)
{
    int                          rc;
    const fota_ingest_record_t  *x, *y;

    x = *(const fota_ingest_record_t *const *) a;
    y = *(const fota_ingest_record_t *const *) b;

    rc = memcmp(x->report_id, y->report_id, sizeof(x->report_id));

    if (rc != 0) {
        return rc;
    }

    return (x->seq > y->seq) - (x->seq < y->seq);
}


/*
 * Marks the reports that were taken before, here or through another edge,
 * and remembers the others.  The devices are locked already, so nobody else
 * can be taking the same report now.
 */

int
fota_ingest_seen_before(fota_ingest_t *in)
{
    int                     rc;
    size_t                  i, j, k, n;
    fota_str_t              id;
    fota_rows_t            *rows;
    fota_db_arg_t          *args;
    fota_ingest_record_t  **order, *r;

    order = fota_calloc(in->mem, in->n + 1, sizeof(*order));
    args = fota_calloc(in->mem, in->n + 1, 2 * sizeof(fota_db_arg_t));

    if (order == NULL || args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused == NULL && r->type == FOTA_I_REPORT) {
            order[n++] = r;
        }
    }

    qsort(order, n, sizeof(*order), fota_ingest_id_cmp);

    for (i = 0; i < n; i++) {
        order[i]->duplicate = i != 0
                              && memcmp(order[i]->report_id,
                                        order[i - 1]->report_id, 16)
                                 == 0;
    }

    for (i = 0; i < n; i += k) {
        k = (n - i > FOTA_SQL_LIST_MAX) ? FOTA_SQL_LIST_MAX : n - i;

        for (j = 0; j < k; j++) {
            args[j] = fota_arg_s(fota_slice(order[i + j]->report_id, 16));
        }

        rc = fota_sql_list(in->db, &rows, "SELECT report_id FROM report_seen"
                           " WHERE report_id IN ", " ORDER BY report_id",
                           NULL, 0, args, k);
        if (rc != FOTA_OK) {
            return rc;
        }

        j = i;

        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            id = fota_db_str(rows, 0);

            for ( /* void */ ; id.len == 16 && j < i + k; j++) {
                rc = memcmp(order[j]->report_id, id.data, 16);

                if (rc > 0) {
                    break;
                }

                order[j]->duplicate |= (rc == 0);
            }
        }

        fota_db_rows_end(rows);

        if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    for (i = 0, k = 0; i < n; i++) {
        if (!order[i]->duplicate) {
            args[k * 2] = fota_arg_s(fota_slice(order[i]->report_id, 16));
            args[k * 2 + 1] = fota_arg_i(in->now);
            k++;
        }
    }

    if (k == 0) {
        return FOTA_OK;
    }

    return fota_sql_rows(in->db, "INSERT INTO report_seen (report_id, ts)"
                         " VALUES", "(?,?)", "", args, k, 2);
}


/* Does the record say something of a device in a rollout? */

static bool
fota_ingest_counts(const fota_ingest_record_t *r)
{
    if (r->refused != NULL || r->duplicate || r->rollout == 0) {
        return false;
    }

    return r->type == FOTA_I_REPORT
           || (r->type == FOTA_I_SEEN
               && fota_str_eq(r->seen.reason, fota_cstr("offer")));
}


static int
fota_ingest_pair_cmp(const void *a, const void *b)
{
    const fota_ingest_pair_t  *x, *y;

    x = a;
    y = b;

    if (x->rollout != y->rollout) {
        return (x->rollout < y->rollout) ? -1 : 1;
    }

    return (x->device > y->device) - (x->device < y->device);
}


static fota_ingest_pair_t *
fota_ingest_pair(fota_ingest_t *in, const fota_ingest_record_t *r)
{
    fota_ingest_pair_t  want;

    memset(&want, 0, sizeof(want));
    want.rollout = (uint32_t) (fota_ingest_rollout(in, r->rollout)
                               - in->rollouts);
    want.device = r->entry;

    return bsearch(&want, in->pairs, in->npairs, sizeof(want),
                   fota_ingest_pair_cmp);
}


/*
 * Rows of n pairs of one rollout from first on, locked: what is counted down
 * is where the device stands when it is written, not where an operator's
 * retry has just taken it from.
 */

static int
fota_ingest_pairs_load(fota_ingest_t *in, size_t first, size_t n)
{
    int                  rc;
    size_t               i;
    uint64_t             id;
    fota_rows_t         *rows;
    fota_db_arg_t        rollout, list[FOTA_SQL_LIST_MAX];
    fota_ingest_pair_t  *p;

    rollout = fota_arg_u(in->rollouts[in->pairs[first].rollout].id);

    for (i = 0; i < n; i++) {
        list[i] = fota_arg_u(in->devices[in->pairs[first + i].device].id);
    }

    rc = fota_sql_list(in->db, &rows, "SELECT device_id, state, stage,"
                       " attempt, seq, attempts_failed, delta_failed,"
                       " progress, from_version, error_code, changed"
                       " FROM rollout_device WHERE rollout_id = ?"
                       " AND device_id IN ", " FOR UPDATE", &rollout, 1,
                       list, n);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        id = fota_db_u64(rows, 0);

        for (i = 0; i < n; i++) {
            p = &in->pairs[first + i];

            if (in->devices[p->device].id != id) {
                continue;
            }

            p->standing.bucket = fota_bucket_parse(fota_db_str(rows, 1));
            p->was = p->standing.bucket;
            p->stage = (uint16_t) fota_db_u64(rows, 2);
            p->standing.attempt = (uint16_t) fota_db_u64(rows, 3);
            p->standing.seq = (uint32_t) fota_db_u64(rows, 4);
            p->standing.attempts_failed = (uint16_t) fota_db_u64(rows, 5);
            p->standing.delta_failed = fota_db_u64(rows, 6) != 0;
            p->standing.progress = (uint8_t) fota_db_u64(rows, 7);
            p->from = fota_sql_dup(in->mem, rows, 8);
            p->error_code = fota_sql_dup(in->mem, rows, 9);
            p->changed = fota_db_i64(rows, 10);
            break;
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_ingest_pairs(fota_ingest_t *in)
{
    int                    rc;
    size_t                 i, k, n;
    fota_ingest_pair_t    *p;
    fota_ingest_record_t  *r;

    in->pairs = fota_calloc(in->mem, in->n + 1, sizeof(fota_ingest_pair_t));
    if (in->pairs == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        r = &in->records[i];

        if (fota_ingest_counts(r)) {
            p = &in->pairs[n++];
            p->rollout = (uint32_t) (fota_ingest_rollout(in, r->rollout)
                                     - in->rollouts);
            p->device = r->entry;
        }
    }

    qsort(in->pairs, n, sizeof(fota_ingest_pair_t), fota_ingest_pair_cmp);

    for (i = 0; i < n; i++) {
        if (i == 0 || fota_ingest_pair_cmp(&in->pairs[i],
                                           &in->pairs[in->npairs - 1]) != 0)
        {
            in->pairs[in->npairs++] = in->pairs[i];
        }
    }

    for (i = 0; i < in->npairs; i += k) {
        in->pairs[i].stage = in->rollouts[in->pairs[i].rollout].stage;

        for (k = 1; i + k < in->npairs && k < FOTA_SQL_LIST_MAX
             && in->pairs[i + k].rollout == in->pairs[i].rollout; k++)
        {
            in->pairs[i + k].stage = in->pairs[i].stage;
        }

        rc = fota_ingest_pairs_load(in, i, k);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


/* By time at the edge, then as the device counted. */

static int
fota_ingest_order_cmp(const void *a, const void *b)
{
    const fota_ingest_record_t  *x, *y;

    x = *(const fota_ingest_record_t *const *) a;
    y = *(const fota_ingest_record_t *const *) b;

    if (x->recv != y->recv) {
        return (x->recv < y->recv) ? -1 : 1;
    }

    if (x->attempt != y->attempt) {
        return (x->attempt < y->attempt) ? -1 : 1;
    }

    if (x->dseq != y->dseq) {
        return (x->dseq < y->dseq) ? -1 : 1;
    }

    return (x->seq > y->seq) - (x->seq < y->seq);
}


/*
 * Is this success only a step?  So it is when the device now runs another
 * firmware of ours than the target.
 */

static int
fota_ingest_step(fota_ingest_t *in, fota_ingest_rollout_t *o,
    const fota_ingest_record_t *r, bool *step)
{
    *step = false;

    if (r->state != FOTA_RS_SUCCEEDED || r->version.len == 0
        || o->target.len == 0
        || fota_version_order(r->version, o->target) == 0)
    {
        return FOTA_OK;
    }

    return fota_db_exists(in->db, step, "SELECT 1 FROM firmware"
                          " WHERE tenant_id = ? AND product_id = ?"
                          " AND kind = ? AND version = ?", "uuss",
                          (uint64_t) o->tenant, (uint64_t) o->product,
                          o->kind, r->version);
}


static int
fota_ingest_apply_one(fota_ingest_t *in, fota_ingest_record_t *r)
{
    int                      rc;
    fota_str_t               kind;
    fota_ingest_pair_t      *p;
    fota_ingest_device_t    *d;
    fota_ingest_rollout_t   *o;
    fota_standing_change_t   change;
    fota_standing_report_t   report;

    d = &in->devices[r->entry];
    o = (r->rollout != 0) ? fota_ingest_rollout(in, r->rollout) : NULL;
    kind = r->seen.kind;

    if (o != NULL && r->type == FOTA_I_REPORT) {
        kind = o->kind;
    }

    if (fota_ingest_counts(r)) {
        p = fota_ingest_pair(in, r);

        if (p->standing.bucket == FOTA_B_NONE) {

            /* A first report that is the success tells no version before. */

            p->from = d->version;

            if (r->type == FOTA_I_SEEN && r->version.data != NULL) {
                p->from = r->version;
            }
        }

        if (r->type == FOTA_I_SEEN) {

            if (fota_standing_offer(&p->standing)) {
                p->moved = true;
                p->changed = r->recv;
            }

        } else {
            report.state = r->state;
            report.attempt = r->attempt;
            report.seq = r->dseq;
            report.progress = r->progress;
            report.delta = r->delta;

            rc = fota_ingest_step(in, o, r, &report.step);
            if (rc != FOTA_OK) {
                return rc;
            }

            fota_standing_apply(&p->standing, &report, &change);

            p->moved |= change.moved;
            p->attempts |= change.attempts;

            if (change.latest) {
                p->changed = r->recv;
                p->error_code = r->error_code;
            }
        }
    }

    if (!r->duplicate) {
        fota_ingest_device_move(d, r, kind);
    }

    return FOTA_OK;
}


int
fota_ingest_pairs_apply(fota_ingest_t *in)
{
    int                     rc;
    size_t                  i, n;
    fota_ingest_record_t  **order, *r;

    order = fota_calloc(in->mem, in->n + 1, sizeof(*order));
    if (order == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused == NULL && r->type != FOTA_I_BYTES) {
            order[n++] = r;
        }
    }

    qsort(order, n, sizeof(*order), fota_ingest_order_cmp);

    for (i = 0; i < n; i++) {
        rc = fota_ingest_apply_one(in, order[i]);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}
