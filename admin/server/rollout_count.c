/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Counters of a rollout: kept by ingest, read here, never by counting rows. */

#include <stdlib.h>

#include "audience.h"
#include "ingest_state.h"


static void fota_counts_row(fota_rollout_counts_t *c, uint16_t stage,
    fota_str_t state, int64_t n);
static json_t *fota_progress_buckets(const int64_t *buckets);
static json_t *fota_progress_errors(fota_req_t *req, uint32_t id);
static json_t *fota_progress_bytes(fota_req_t *req, uint32_t id);


/* One counter, absolute. */

static int
fota_rollout_counter_set(fota_db_t *db, uint32_t id, uint16_t stage,
    const char *state, int64_t devices)
{
    return fota_db_exec(db, "INSERT INTO rollout_counter (rollout_id, stage,"
                        " state, devices) VALUES (?, ?, ?, ?)"
                        " ON DUPLICATE KEY UPDATE devices = VALUES(devices)",
                        "uuzi", fota_u64(id), fota_u64(stage), state,
                        devices);
}


static void
fota_counts_row(fota_rollout_counts_t *c, uint16_t stage, fota_str_t state,
    int64_t n)
{
    fota_bucket_e  b;

    if (stage == FOTA_C_STAGE_ALL) {

        if (fota_str_eq(state, fota_cstr(FOTA_C_TOTAL))) {
            c->total = n;
        }

        return;
    }

    b = fota_bucket_parse(state);

    if (b != FOTA_B_NONE) {
        c->buckets[b] += n;
    }

    if (stage >= FOTA_STAGES_MAX) {
        return;
    }

    if (b != FOTA_B_NONE) {
        c->stage[stage][b] = n;

    } else if (fota_str_eq(state, fota_cstr(FOTA_C_POPULATION))) {
        c->population[stage] = n;

    } else if (fota_str_eq(state, fota_cstr(FOTA_C_BASE_OK))) {
        c->base_ok[stage] = n;

    } else if (fota_str_eq(state, fota_cstr(FOTA_C_BASE_FAILED))) {
        c->base_failed[stage] = n;
    }
}


int
fota_rollout_counts(fota_db_t *db, uint32_t id, fota_rollout_counts_t *c)
{
    int           rc;
    size_t        i;
    int64_t       sum;
    fota_rows_t  *rows;

    memset(c, 0, sizeof(fota_rollout_counts_t));

    c->total = -1;

    for (i = 0; i < FOTA_STAGES_MAX; i++) {
        c->population[i] = -1;
    }

    rc = fota_db_query(db, &rows, "SELECT stage, state, devices"
                       " FROM rollout_counter WHERE rollout_id = ?", "u",
                       fota_u64(id));
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        fota_counts_row(c, (uint16_t) fota_db_u64(rows, 0),
                        fota_db_str(rows, 1), fota_db_i64(rows, 2));
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    for (i = FOTA_B_OFFERED, sum = 0; i < FOTA_B__N; i++) {
        sum += c->buckets[i];
    }

    /* Devices that came after the last count are counted by their rows. */

    if (c->total >= 0 && c->total < sum) {
        c->total = sum;
    }

    if (c->total >= 0) {
        c->buckets[FOTA_B_NONE] = c->total - sum;
    }

    return FOTA_OK;
}


int
fota_rollout_count(fota_server_t *server, fota_db_t *db,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages, uint64_t *total)
{
    int               rc;
    size_t            i;
    fota_audience_t  *a;

    a = malloc(sizeof(fota_audience_t));
    if (a == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_audience(server, db, row, stages, nstages, a);

    *total = a->matched;

    if (rc == FOTA_OK) {
        rc = fota_rollout_counter_set(db, row->id, FOTA_C_STAGE_ALL,
                                      FOTA_C_TOTAL, (int64_t) a->matched);
    }

    for (i = 0; rc == FOTA_OK && i < nstages; i++) {
        rc = fota_rollout_counter_set(db, row->id, stages[i].n,
                                      FOTA_C_POPULATION,
                                      (int64_t) a->population[i]);
    }

    free(a);

    return rc;
}


static json_t *
fota_progress_buckets(const int64_t *buckets)
{
    int      i;
    json_t  *v;

    v = json_object();

    for (i = FOTA_B_NONE; i < FOTA_B__N; i++) {
        json_object_set_new(v, fota_bucket_name((fota_bucket_e) i),
                            json_integer(buckets[i]));
    }

    return v;
}


static json_t *
fota_progress_errors(fota_req_t *req, uint32_t id)
{
    json_t       *list;
    fota_rows_t  *rows;

    list = json_array();

    if (fota_db_query(req->db, &rows, "SELECT error_code, COUNT(*) AS n"
                      " FROM rollout_device WHERE rollout_id = ?"
                      " AND state = 'failed' GROUP BY error_code"
                      " ORDER BY n DESC, error_code LIMIT 10", "u",
                      fota_u64(id))
        != FOTA_OK)
    {
        return list;
    }

    while (fota_db_row(rows) == FOTA_OK) {
        json_array_append_new(list, json_pack("{s:o, s:o}", "code",
                                              fota_cell(rows, 0), "devices",
                                              fota_cell_int(rows, 1)));
    }

    fota_db_rows_end(rows);

    return list;
}


static json_t *
fota_progress_bytes(fota_req_t *req, uint32_t id)
{
    json_t       *v, *nodes, *n;
    json_int_t    sum[3];
    fota_rows_t  *rows;

    memset(sum, 0, sizeof(sum));
    nodes = json_array();

    if (fota_db_query(req->db, &rows, "SELECT n.name, b.node_id, b.delivered,"
                      " b.sent, b.requests FROM rollout_bytes b"
                      " LEFT JOIN node n ON n.id = b.node_id"
                      " WHERE b.rollout_id = ? ORDER BY b.delivered DESC",
                      "u", fota_u64(id))
        == FOTA_OK)
    {
        while (fota_db_row(rows) == FOTA_OK) {
            n = json_object();
            json_object_set_new(n, "node", fota_cell(rows, 0));
            json_object_set_new(n, "node_id", fota_cell_int(rows, 1));
            json_object_set_new(n, "delivered", fota_cell_int(rows, 2));
            json_object_set_new(n, "sent", fota_cell_int(rows, 3));
            json_object_set_new(n, "requests", fota_cell_int(rows, 4));
            json_array_append_new(nodes, n);

            sum[0] += fota_db_i64(rows, 2);
            sum[1] += fota_db_i64(rows, 3);
            sum[2] += fota_db_i64(rows, 4);
        }

        fota_db_rows_end(rows);
    }

    v = json_object();
    json_object_set_new(v, "delivered", json_integer(sum[0]));
    json_object_set_new(v, "sent", json_integer(sum[1]));
    json_object_set_new(v, "requests", json_integer(sum[2]));
    json_object_set_new(v, "nodes", nodes);

    return v;
}


int
fota_rollout_progress(fota_req_t *req)
{
    int                     rc;
    size_t                  i;
    json_t                 *v, *stages, *s;
    uint64_t                total;
    fota_stage_row_t       *st;
    fota_rollout_form_t     form;
    fota_rollout_counts_t   c;

    rc = fota_rollout_load_param(req, false, &form);

    if (rc == FOTA_OK) {
        rc = fota_rollout_counts(req->db, form.row.id, &c);
    }

    /* Before its start nobody has counted yet. */

    if (rc == FOTA_OK && c.total < 0) {
        rc = fota_rollout_count(req->server, req->db, &form.row, form.stages,
                                form.nstages, &total);

        if (rc == FOTA_OK) {
            rc = fota_rollout_counts(req->db, form.row.id, &c);
        }
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    stages = json_array();

    for (i = 0; i < form.nstages; i++) {
        st = &form.stages[i];
        s = fota_progress_buckets(c.stage[i]);

        /* Waiting belongs to no stage: it is the rest of the whole. */

        json_object_del(s, "waiting");
        json_object_set_new(s, "n", json_integer(st->n));
        json_object_set_new(s, "percent",
                            json_real((double) st->permille / 100));
        json_object_set_new(s, "population", (c.population[i] < 0)
                            ? json_null() : json_integer(c.population[i]));
        json_array_append_new(stages, s);
    }

    v = json_object();
    json_object_set_new(v, "rollout", json_integer(form.row.id));
    json_object_set_new(v, "state", fota_json_text(form.row.state));
    json_object_set_new(v, "state_reason",
                        fota_json_text(form.row.state_reason));
    json_object_set_new(v, "stage", json_integer(form.row.stage));
    json_object_set_new(v, "total", json_integer(c.total));
    json_object_set_new(v, "buckets", fota_progress_buckets(c.buckets));
    json_object_set_new(v, "stages", stages);
    json_object_set_new(v, "errors", fota_progress_errors(req, form.row.id));
    json_object_set_new(v, "bytes", fota_progress_bytes(req, form.row.id));

    return fota_res_json(req, 200, v);
}


/* Devices of a rollout by state and error, for the lists behind numbers. */

static json_t *
fota_rollout_device_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "device", fota_cell(rows, 1));
    json_object_set_new(v, "state", fota_cell(rows, 2));
    json_object_set_new(v, "stage", fota_cell_int(rows, 3));
    json_object_set_new(v, "attempt", fota_cell_int(rows, 4));
    json_object_set_new(v, "attempts_failed", fota_cell_int(rows, 5));
    json_object_set_new(v, "delta_failed", fota_cell_bool(rows, 6));
    json_object_set_new(v, "progress", fota_cell_int(rows, 7));
    json_object_set_new(v, "from_version", fota_cell(rows, 8));
    json_object_set_new(v, "error_code", fota_cell(rows, 9));
    json_object_set_new(v, "changed_ms", fota_cell_int(rows, 10));

    return v;
}


int
fota_rollout_devices(fota_req_t *req)
{
    int                  rc;
    fota_str_t           state, error;
    fota_page_t          page;
    fota_rows_t         *rows;
    fota_rollout_form_t  form;

    static const char *const  states[] = {
        "offered", "downloading", "installing", "succeeded", "failed",
        "skipped", NULL
    };

    rc = fota_rollout_load_param(req, false, &form);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (!fota_page_number(req, &page, 0)
        || !fota_req_query_word(req, "state", states, &state)
        || !fota_req_query_str(req, "error", 64, &error))
    {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT rd.device_id, d.ext_id,"
                       " rd.state, rd.stage, rd.attempt, rd.attempts_failed,"
                       " rd.delta_failed, rd.progress, rd.from_version,"
                       " rd.error_code, rd.changed FROM rollout_device rd"
                       " JOIN device d ON d.id = rd.device_id"
                       " WHERE rd.rollout_id = ? AND rd.device_id > ?"
                       " AND (? = '' OR rd.state = ?)"
                       " AND (? = '' OR rd.error_code = ?)"
                       " ORDER BY rd.device_id LIMIT ?", "uussssu",
                       fota_u64(form.row.id), page.after_id, state, state,
                       error, error, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_rollout_device_json);
}
