/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "fota_json.h"

#include "sql_list.h"
#include "rollout_row.h"


const char  fota_rollout_columns[] =
    "id, tenant_id, product_id, name, kind, state, state_reason, target_id,"
    " strategy, weight, salt, filter, sources, geo_include, geo_exclude,"
    " geo_unknown, windows, time_mode, zone, start_s, end_s,"
    " allow_downgrade, require_fresh, max_attempts, max_active, max_bps,"
    " rate_class, dispersion, token_ttl_s, brake, stage, stage_since,"
    " rollback_of, created_by, approved_by, created, started, finished";


static const char  *fota_strategies[] = {
    "full", "delta", "sequential", "auto"
};


int
fota_rollout_row_read(fota_mem_t *mem, fota_rows_t *rows,
    fota_rollout_row_t *row)
{
    unsigned  c;

    c = 0;

    row->id = (uint32_t) fota_db_u64(rows, c++);
    row->tenant = (uint32_t) fota_db_u64(rows, c++);
    row->product = (uint32_t) fota_db_u64(rows, c++);
    row->name = fota_sql_dup(mem, rows, c++);
    row->kind = fota_sql_dup(mem, rows, c++);
    row->state = fota_sql_dup(mem, rows, c++);
    row->state_reason = fota_sql_dup(mem, rows, c++);
    row->target = (uint32_t) fota_db_u64(rows, c++);
    row->strategy = fota_sql_dup(mem, rows, c++);
    row->weight = (int32_t) fota_db_i64(rows, c++);
    row->salt = fota_db_u64(rows, c++);
    row->filter = fota_sql_dup(mem, rows, c++);
    row->sources = fota_sql_dup(mem, rows, c++);
    row->geo_include = fota_sql_dup(mem, rows, c++);
    row->geo_exclude = fota_sql_dup(mem, rows, c++);
    row->geo_unknown = fota_sql_dup(mem, rows, c++);
    row->windows = fota_sql_dup(mem, rows, c++);
    row->time_mode = fota_sql_dup(mem, rows, c++);
    row->zone = fota_sql_dup(mem, rows, c++);
    row->start = fota_db_i64(rows, c++);
    row->end = fota_db_i64(rows, c++);
    row->allow_downgrade = fota_db_u64(rows, c++) != 0;
    row->require_fresh = fota_db_u64(rows, c++) != 0;
    row->max_attempts = (uint16_t) fota_db_u64(rows, c++);
    row->max_active = (uint32_t) fota_db_u64(rows, c++);
    row->max_bps = fota_db_u64(rows, c++);
    row->rate_class = (uint8_t) fota_db_u64(rows, c++);
    row->dispersion = (uint16_t) fota_db_u64(rows, c++);
    row->token_ttl = (uint32_t) fota_db_u64(rows, c++);
    row->brake = (uint8_t) fota_db_u64(rows, c++);
    row->stage = (uint16_t) fota_db_u64(rows, c++);
    row->stage_since = fota_db_i64(rows, c++);
    row->rollback_of = (uint32_t) fota_db_u64(rows, c++);
    row->created_by = fota_sql_dup(mem, rows, c++);
    row->approved_by = fota_sql_dup(mem, rows, c++);
    row->created = fota_db_i64(rows, c++);
    row->started = fota_db_i64(rows, c++);
    row->finished = fota_db_i64(rows, c++);

    /* The longest texts are the last ones that could have failed. */

    if (row->name.data == NULL || row->filter.data == NULL
        || row->created_by.data == NULL)
    {
        return FOTA_NOMEM;
    }

    return FOTA_OK;
}


int
fota_rollout_row_get(fota_db_t *db, fota_mem_t *mem, uint32_t tenant,
    uint32_t id, bool lock, fota_rollout_row_t *row)
{
    int           rc;
    char          sql[1024];
    fota_rows_t  *rows;

    (void) snprintf(sql, sizeof(sql), "SELECT %s FROM rollout"
                    " WHERE tenant_id = ? AND id = ?%s",
                    fota_rollout_columns, lock ? " FOR UPDATE" : "");

    rc = fota_db_first(db, &rows, sql, "uu", (uint64_t) tenant,
                       (uint64_t) id);

    if (rc == FOTA_OK) {
        rc = fota_rollout_row_read(mem, rows, row);
    }

    fota_db_rows_end(rows);

    return rc;
}


int
fota_stage_rows(fota_db_t *db, uint32_t rollout,
    fota_stage_row_t stages[FOTA_STAGES_MAX], size_t *n)
{
    int                rc;
    fota_rows_t       *rows;
    fota_stage_row_t  *s;

    *n = 0;

    rc = fota_db_query(db, &rows, "SELECT n, permille, test_group, test_only,"
                       " success_pct, error_pct, min_count, soak_s, auto_next"
                       " FROM rollout_stage WHERE rollout_id = ? ORDER BY n",
                       "u", (uint64_t) rollout);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (*n < FOTA_STAGES_MAX && (rc = fota_db_row(rows)) == FOTA_OK) {
        s = &stages[(*n)++];
        s->n = (uint16_t) fota_db_u64(rows, 0);
        s->permille = (uint16_t) fota_db_u64(rows, 1);
        s->test_group = (uint32_t) fota_db_u64(rows, 2);
        s->test_only = fota_db_u64(rows, 3) != 0;
        s->success_pct = fota_db_double(rows, 4);
        s->error_pct = fota_db_double(rows, 5);
        s->min_count = (uint32_t) fota_db_u64(rows, 6);
        s->soak = (uint32_t) fota_db_u64(rows, 7);
        s->auto_next = fota_db_u64(rows, 8) != 0;
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_strategy_parse(fota_str_t s)
{
    int  i;

    for (i = 0; i < FOTA_PATH__N; i++) {
        if (fota_str_eq(s, fota_cstr(fota_strategies[i]))) {
            return i;
        }
    }

    return -1;
}


int
fota_row_list(fota_mem_t *mem, fota_str_t json, size_t max,
    fota_str_t **list, uint16_t *n)
{
    int                 rc;
    fota_json_t        *root, *v;
    fota_json_error_t   err;

    *n = 0;
    *list = NULL;

    if (json.len == 0) {
        return FOTA_OK;
    }

    rc = fota_json_parse(mem, json, (uint32_t) max + 1, &root, &err);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (root->type != FOTA_JSON_ARRAY) {
        return FOTA_INVALID;
    }

    if (root->count == 0) {
        return FOTA_OK;
    }

    *list = fota_calloc(mem, root->count, sizeof(fota_str_t));
    if (*list == NULL) {
        return FOTA_NOMEM;
    }

    for (v = root->child; v != NULL; v = v->next) {
        if (v->type != FOTA_JSON_STRING) {
            return FOTA_INVALID;
        }

        (*list)[(*n)++] = v->str;
    }

    return FOTA_OK;
}
