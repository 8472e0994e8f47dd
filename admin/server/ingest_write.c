/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What a batch leaves behind: standings, counters, history, traffic. */

#include <stdlib.h>

#include "fota_record.h"

#include "ingest.h"
#include "sql_list.h"


#define FOTA_PAIR_WIDTH   12
#define FOTA_EVENT_WIDTH  14


typedef struct {
    uint32_t       rollout;
    uint16_t       stage;
    fota_bucket_e  bucket;
    int64_t        delta;
} fota_ingest_counter_t;


static void fota_ingest_count(fota_ingest_counter_t *list, size_t *n,
    uint32_t rollout, uint16_t stage, fota_bucket_e bucket, int64_t delta);
static int fota_ingest_counter_cmp(const void *a, const void *b);
static int fota_ingest_counters(fota_ingest_t *in);
static int fota_ingest_outbox(fota_ingest_t *in);


static void
fota_ingest_count(fota_ingest_counter_t *list, size_t *n, uint32_t rollout,
    uint16_t stage, fota_bucket_e bucket, int64_t delta)
{
    size_t  i;

    if (bucket == FOTA_B_NONE) {
        return;
    }

    /* Few: rollouts of a batch x stages x buckets. */

    for (i = 0; i < *n; i++) {
        if (list[i].rollout == rollout && list[i].stage == stage
            && list[i].bucket == bucket)
        {
            list[i].delta += delta;
            return;
        }
    }

    list[*n].rollout = rollout;
    list[*n].stage = stage;
    list[*n].bucket = bucket;
    list[(*n)++].delta = delta;
}


static int
fota_ingest_counter_cmp(const void *a, const void *b)
{
    const fota_ingest_counter_t  *x, *y;

    x = a;
    y = b;

    if (x->rollout != y->rollout) {
        return (x->rollout < y->rollout) ? -1 : 1;
    }

    if (x->stage != y->stage) {
        return (x->stage < y->stage) ? -1 : 1;
    }

    return (int) x->bucket - (int) y->bucket;
}


/* One row may be in two places at once only between two statements. */

static int
fota_ingest_counters(fota_ingest_t *in)
{
    int                     rc;
    size_t                  i, n, k;
    fota_db_arg_t          *args;
    fota_ingest_pair_t     *p;
    fota_ingest_counter_t  *list;

    list = fota_calloc(in->mem, in->npairs * 2 + 1, sizeof(*list));
    args = fota_calloc(in->mem, in->npairs * 2 + 1,
                       4 * sizeof(fota_db_arg_t));

    if (list == NULL || args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->npairs; i++) {
        p = &in->pairs[i];

        if (p->moved && p->standing.bucket != p->was) {
            fota_ingest_count(list, &n, in->rollouts[p->rollout].id,
                              p->stage, p->was, -1);
            fota_ingest_count(list, &n, in->rollouts[p->rollout].id,
                              p->stage, p->standing.bucket, 1);
        }
    }

    /* In one order everywhere: batches that meet here wait, not deadlock. */

    qsort(list, n, sizeof(*list), fota_ingest_counter_cmp);

    for (i = 0, k = 0; i < n; i++) {
        if (list[i].delta != 0) {
            args[k * 4] = fota_arg_u(list[i].rollout);
            args[k * 4 + 1] = fota_arg_u(list[i].stage);
            args[k * 4 + 2] =
                    fota_arg_s(fota_cstr(fota_bucket_name(list[i].bucket)));
            args[k * 4 + 3] = fota_arg_i(list[i].delta);
            k++;
        }
    }

    rc = FOTA_OK;

    if (k != 0) {
        rc = fota_sql_rows(in->db, "INSERT INTO rollout_counter (rollout_id,"
                           " stage, state, devices) VALUES", "(?,?,?,?)",
                           " ON DUPLICATE KEY UPDATE"
                           " devices = devices + VALUES(devices)", args, k,
                           4);
    }

    return rc;
}


static int
fota_ingest_outbox(fota_ingest_t *in)
{
    size_t                 i, n;
    fota_db_arg_t         *args;
    fota_ingest_device_t  *d;

    args = fota_calloc(in->mem, in->npairs + 1, 4 * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->npairs; i++) {
        if (in->pairs[i].attempts) {
            d = &in->devices[in->pairs[i].device];
            args[n * 4] = fota_arg_u(FOTA_T_DEVICE);
            args[n * 4 + 1] = fota_arg_u(d->tenant);
            args[n * 4 + 2] = fota_arg_u(d->id);
            args[n * 4 + 3] = fota_arg_i(in->now);
            n++;
        }
    }

    if (n == 0) {
        return FOTA_OK;
    }

    return fota_sql_rows(in->db, "INSERT INTO outbox (tbl, tenant_id,"
                         " object_id, created) VALUES", "(?,?,?,?)", "",
                         args, n, 4);
}


int
fota_ingest_pairs_write(fota_ingest_t *in)
{
    int                  rc;
    size_t               i, n;
    fota_db_arg_t       *args, *a;
    fota_ingest_pair_t  *p;

    args = fota_calloc(in->mem, in->npairs + 1,
                       FOTA_PAIR_WIDTH * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->npairs; i++) {
        p = &in->pairs[i];

        if (!p->moved) {
            continue;
        }

        /* Failures of a device that nothing else is known of. */

        if (p->standing.bucket == FOTA_B_NONE) {
            p->standing.bucket = FOTA_B_OFFERED;
        }

        a = args + n++ * FOTA_PAIR_WIDTH;

        *a++ = fota_arg_u(in->rollouts[p->rollout].id);
        *a++ = fota_arg_u(in->devices[p->device].id);
        *a++ = fota_arg_s(fota_cstr(fota_bucket_name(p->standing.bucket)));
        *a++ = fota_arg_u(p->stage);
        *a++ = fota_arg_u(p->standing.attempt);
        *a++ = fota_arg_u(p->standing.seq);
        *a++ = fota_arg_u(p->standing.attempts_failed);
        *a++ = fota_arg_u(p->standing.delta_failed);
        *a++ = fota_arg_u(p->standing.progress);
        *a++ = fota_arg_s(p->from);
        *a++ = fota_arg_s(p->error_code);
        *a = fota_arg_i(p->changed);
    }

    if (n == 0) {
        return FOTA_OK;
    }

    rc = fota_sql_rows(in->db, "INSERT INTO rollout_device (rollout_id,"
                       " device_id, state, stage, attempt, seq,"
                       " attempts_failed, delta_failed, progress,"
                       " from_version, error_code, changed) VALUES",
                       "(?,?,?,?,?,?,?,?,?,?,?,?)",
                       " ON DUPLICATE KEY UPDATE state = VALUES(state),"
                       " attempt = VALUES(attempt), seq = VALUES(seq),"
                       " attempts_failed = VALUES(attempts_failed),"
                       " delta_failed = VALUES(delta_failed),"
                       " progress = VALUES(progress),"
                       " error_code = VALUES(error_code),"
                       " changed = VALUES(changed)", args, n,
                       FOTA_PAIR_WIDTH);

    if (rc == FOTA_OK) {
        rc = fota_ingest_counters(in);
    }

    if (rc == FOTA_OK) {
        rc = fota_ingest_outbox(in);
    }

    return rc;
}


/* The history of devices. */

int
fota_ingest_events(fota_ingest_t *in)
{
    size_t                 i, n;
    fota_db_arg_t         *args, *a;
    fota_ingest_record_t  *r;

    args = fota_calloc(in->mem, in->n + 1,
                       FOTA_EVENT_WIDTH * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused != NULL || r->duplicate || r->type != FOTA_I_REPORT) {
            continue;
        }

        a = args + n++ * FOTA_EVENT_WIDTH;

        *a++ = fota_arg_u(in->devices[r->entry].id);
        *a++ = fota_arg_i(r->recv);
        *a++ = fota_arg_s(fota_slice(r->report_id, 16));
        *a++ = fota_arg_u(r->rollout);
        *a++ = fota_arg_u(r->attempt);
        *a++ = fota_arg_u(r->dseq);
        *a++ = fota_arg_s(fota_cstr(fota_report_state_name(r->state)));
        *a++ = fota_arg_u(r->progress);
        *a++ = fota_arg_s(r->version);
        *a++ = fota_arg_u(r->node);
        *a++ = fota_arg_u(r->bytes);
        *a++ = fota_arg_u(r->ms);
        *a++ = fota_arg_s(r->error_code);
        *a = fota_arg_s(r->error_text);
    }

    if (n == 0) {
        return FOTA_OK;
    }

    return fota_sql_rows(in->db, "INSERT IGNORE INTO report_event"
                         " (device_id, ts, report_id, rollout_id, attempt,"
                         " seq, state, progress, version, node_id, bytes, ms,"
                         " error_code, error_text) VALUES",
                         "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "", args, n,
                         FOTA_EVENT_WIDTH);
}


int
fota_ingest_bytes(fota_ingest_t *in)
{
    size_t                  i, n;
    fota_db_arg_t          *args, *a;
    fota_ingest_record_t   *r;
    fota_ingest_rollout_t  *o;

    for (i = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused == NULL && r->type == FOTA_I_BYTES && r->rollout != 0)
        {
            o = fota_ingest_rollout(in, r->rollout);
            o->bytes += r->bytes;
            o->sent += r->sent;
            o->requests++;
        }
    }

    args = fota_calloc(in->mem, in->nrollouts + 1, 5 * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->nrollouts; i++) {
        o = &in->rollouts[i];

        if (o->requests != 0) {
            a = args + n++ * 5;
            *a++ = fota_arg_u(o->id);
            *a++ = fota_arg_u(in->node);
            *a++ = fota_arg_u(o->bytes);
            *a++ = fota_arg_u(o->sent);
            *a = fota_arg_u(o->requests);
        }
    }

    if (n == 0) {
        return FOTA_OK;
    }

    return fota_sql_rows(in->db, "INSERT INTO rollout_bytes (rollout_id,"
                         " node_id, delivered, sent, requests) VALUES",
                         "(?,?,?,?,?)", " ON DUPLICATE KEY UPDATE"
                         " delivered = delivered + VALUES(delivered),"
                         " sent = sent + VALUES(sent),"
                         " requests = requests + VALUES(requests)", args, n,
                         5);
}
