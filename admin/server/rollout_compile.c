/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* From the rows of a rollout to what decides: filters, windows, stages. */

#include <stdio.h>

#include "sql_list.h"
#include "rollout_row.h"


struct fota_group_row_s {
    uint32_t    id;
    fota_str_t  name;
    fota_str_t  filter;         /* data NULL: static members */
};


static int fota_group_names_load(fota_group_names_t *g);
static int fota_group_resolve(fota_filter_groups_t *groups,
    fota_str_t pattern, uint32_t *ids, size_t cap, size_t *n,
    fota_str_t *dynamic);
static int fota_rollout_lists(fota_mem_t *mem, const fota_rollout_row_t *row,
    fota_rollout_t *out, char *err, size_t errlen);
static int fota_rollout_target(const fota_rollout_row_t *row,
    const fota_product_t *product, fota_rollout_t *out, char *err,
    size_t errlen);
static uint8_t fota_rollout_state(fota_str_t s);


static int
fota_group_names_load(fota_group_names_t *g)
{
    int                rc;
    uint64_t           cap;
    fota_rows_t       *rows;
    fota_group_row_t  *row;

    rc = fota_db_number(g->db, &cap, "SELECT COUNT(*) FROM device_group"
                        " WHERE tenant_id = ?", "u", (uint64_t) g->tenant);
    if (rc != FOTA_OK) {
        return rc;
    }

    g->rows = fota_calloc(g->mem, cap + 1, sizeof(fota_group_row_t));
    if (g->rows == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(g->db, &rows, "SELECT id, name, filter"
                       " FROM device_group WHERE tenant_id = ? ORDER BY id",
                       "u", (uint64_t) g->tenant);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (g->n < cap && (rc = fota_db_row(rows)) == FOTA_OK) {
        row = &g->rows[g->n++];
        row->id = (uint32_t) fota_db_u64(rows, 0);
        row->name = fota_sql_dup(g->mem, rows, 1);
        row->filter = fota_sql_dup(g->mem, rows, 2);
    }

    fota_db_rows_end(rows);

    g->loaded = (rc == FOTA_OK || rc == FOTA_NOTFOUND);

    return g->loaded ? FOTA_OK : rc;
}


/*
 * A pattern may fit several groups of both sorts: the texts of the dynamic
 * ones are joined by "or".
 */

static int
fota_group_resolve(fota_filter_groups_t *groups, fota_str_t pattern,
    uint32_t *ids, size_t cap, size_t *n, fota_str_t *dynamic)
{
    int                  rc;
    size_t               i, hits;
    fota_buf_t           text;
    fota_group_row_t    *row;
    fota_group_names_t  *g;

    g = (fota_group_names_t *) groups;

    *n = 0;
    hits = 0;

    if (!g->loaded) {
        rc = fota_group_names_load(g);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    fota_buf_grow(&text, FOTA_FILTER_TEXT_MAX);

    for (i = 0; i < g->n; i++) {
        row = &g->rows[i];

        if (!fota_str_match(pattern, row->name)) {
            continue;
        }

        hits++;

        if (row->filter.data == NULL) {

            if (*n == cap) {
                fota_buf_free(&text);
                return FOTA_LIMIT;
            }

            ids[(*n)++] = row->id;
            continue;
        }

        fota_buf_cstr(&text, text.len ? " or (" : "(");
        fota_buf_str(&text, row->filter);
        fota_buf_cstr(&text, ")");
    }

    rc = text.status;

    if (rc == FOTA_OK && text.len != 0) {
        *dynamic = fota_strdup(g->mem, fota_buf_slice(&text));

        if (dynamic->data == NULL) {
            rc = FOTA_NOMEM;
        }
    }

    fota_buf_free(&text);

    if (rc != FOTA_OK) {
        return rc;
    }

    return hits ? FOTA_OK : FOTA_NOTFOUND;
}


void
fota_group_names_init(fota_group_names_t *g, fota_db_t *db, fota_mem_t *mem,
    uint32_t tenant)
{
    memset(g, 0, sizeof(fota_group_names_t));

    g->groups.resolve = fota_group_resolve;
    g->db = db;
    g->mem = mem;
    g->tenant = tenant;
}


int
fota_filter_code(fota_mem_t *mem, fota_str_t text,
    fota_group_names_t *groups, fota_str_t *code, char *err, size_t errlen)
{
    int                   rc;
    fota_buf_t            buf;
    fota_filter_node_t   *node;
    fota_filter_error_t   why;

    memset(&why, 0, sizeof(why));
    memset(code, 0, sizeof(fota_str_t));

    rc = fota_filter_parse(mem, text, &node, &why);

    if (rc == FOTA_OK && node != NULL) {

        fota_buf_grow(&buf, FOTA_FILTER_CODE_MAX);

        rc = fota_filter_compile(mem, node, &groups->groups, &buf, &why);

        if (rc == FOTA_OK) {
            *code = fota_strdup(mem, fota_buf_slice(&buf));

            if (code->data == NULL) {
                rc = FOTA_NOMEM;
            }
        }

        fota_buf_free(&buf);
    }

    if (rc != FOTA_OK) {
        if (why.column != 0) {
            (void) snprintf(err, errlen, "column %zu: %s", why.column,
                            why.text);
        } else {
            (void) snprintf(err, errlen, "%s",
                            why.text[0] ? why.text : fota_status_name(rc));
        }
    }

    return rc;
}


static uint8_t
fota_rollout_state(fota_str_t s)
{
    size_t  i;

    static const struct {
        const char  *name;
        uint8_t      state;
    } states[] = {
        { "running", FOTA_ROLLOUT_RUNNING },
        { "paused", FOTA_ROLLOUT_PAUSED },
        { "stopped", FOTA_ROLLOUT_STOPPED },
        { "finished", FOTA_ROLLOUT_FINISHED },
    };

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (fota_str_eq(s, fota_cstr(states[i].name))) {
            return states[i].state;
        }
    }

    return FOTA_ROLLOUT_READY;
}


static int
fota_rollout_lists(fota_mem_t *mem, const fota_rollout_row_t *row,
    fota_rollout_t *out, char *err, size_t errlen)
{
    int          rc;
    size_t       i, pos;
    uint16_t     n;
    fota_str_t  *texts;

    rc = fota_row_list(mem, row->sources, FOTA_SOURCES_MAX, &out->sources,
                       &out->nsources);
    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "the list of source versions is %s",
                        fota_status_name(rc));
        return rc;
    }

    rc = fota_row_list(mem, row->geo_include, FOTA_SCOPES_MAX, &out->include,
                       &out->ninclude);
    if (rc == FOTA_OK) {
        rc = fota_row_list(mem, row->geo_exclude, FOTA_SCOPES_MAX,
                           &out->exclude, &out->nexclude);
    }

    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "the geographic scope is %s",
                        fota_status_name(rc));
        return rc;
    }

    rc = fota_row_list(mem, row->windows, FOTA_WINDOWS_MAX, &texts, &n);
    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "the list of windows is %s",
                        fota_status_name(rc));
        return rc;
    }

    if (n == 0) {
        return FOTA_OK;
    }

    out->windows = fota_calloc(mem, n, sizeof(fota_window_t));
    if (out->windows == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {
        rc = fota_window_parse(texts[i], &out->windows[i], &pos);

        if (rc != FOTA_OK) {
            (void) snprintf(err, errlen, "window %zu is wrong at column %zu",
                            i + 1, pos + 1);
            return rc;
        }
    }

    out->nwindows = n;

    return FOTA_OK;
}


static int
fota_rollout_target(const fota_rollout_row_t *row,
    const fota_product_t *product, fota_rollout_t *out, char *err,
    size_t errlen)
{
    uint16_t  i;

    out->target = FOTA_NONE;

    if (row->target == 0) {
        return FOTA_OK;
    }

    for (i = 0; i < product->nfirmware; i++) {
        if (product->firmware[i].id == row->target) {

            if (product->firmware[i].kind != out->kind) {
                (void) snprintf(err, errlen,
                                "the target firmware is of another kind");
                return FOTA_INVALID;
            }

            out->target = i;
            return FOTA_OK;
        }
    }

    (void) snprintf(err, errlen, "the target firmware does not exist");

    return FOTA_NOTFOUND;
}


int
fota_rollout_compile(fota_mem_t *mem, const fota_rollout_row_t *row,
    const fota_stage_row_t *stage, const fota_product_t *product,
    fota_group_names_t *groups, fota_rollout_t *out, char *err,
    size_t errlen)
{
    int   rc, kind, strategy;
    char  why[256];

    memset(out, 0, sizeof(fota_rollout_t));

    kind = fota_kind_parse(row->kind);
    strategy = fota_strategy_parse(row->strategy);

    if (kind < 0 || strategy < 0) {
        (void) snprintf(err, errlen, "unknown kind or strategy");
        return FOTA_INVALID;
    }

    out->id = row->id;
    out->state = fota_rollout_state(row->state);
    out->brake = row->brake;
    out->kind = (uint8_t) kind;
    out->strategy = (uint8_t) strategy;
    out->time_mode = fota_str_eq(row->time_mode, fota_cstr("zone"))
                     ? FOTA_TIME_ZONE : FOTA_TIME_DEVICE;
    out->rate_class = row->rate_class;
    out->allow_downgrade = row->allow_downgrade;
    out->geo_unknown_allow = fota_str_eq(row->geo_unknown,
                                         fota_cstr("allow"));
    out->require_fresh = row->require_fresh;
    out->weight = row->weight;
    out->created = (uint64_t) row->created / 1000;
    out->salt = row->salt;
    out->max_attempts = row->max_attempts;
    out->dispersion = row->dispersion;
    out->token_ttl = row->token_ttl;
    out->start = row->start;
    out->end = row->end;
    out->max_active = row->max_active;
    out->max_bps = row->max_bps;
    out->name = row->name;
    out->zone = row->zone;

    if (stage != NULL) {
        out->reached = stage->permille;
        out->test_only = stage->test_only;
        out->test_group = stage->test_group;
        out->error_permille = (uint16_t) (stage->error_pct * 10 + 0.5);
        out->error_min = stage->min_count;
    }

    rc = fota_rollout_target(row, product, out, err, errlen);

    if (rc == FOTA_OK) {
        rc = fota_rollout_lists(mem, row, out, err, errlen);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_filter_code(mem, row->filter, groups, &out->filter, why,
                          sizeof(why));
    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "the target filter, %s", why);
    }

    return rc;
}
