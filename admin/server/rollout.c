/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Rollouts: list, make, show, change, remove. */

#include <stdio.h>

#include "rollout.h"
#include "sql_list.h"


static int fota_rollout_list(fota_req_t *req);
static int fota_rollout_show(fota_req_t *req);
static int fota_rollout_create(fota_req_t *req);
static int fota_rollout_create_tx(fota_req_t *req, void *data);
static int fota_rollout_patch(fota_req_t *req);
static int fota_rollout_patch_tx(fota_req_t *req, void *data);
static int fota_rollout_delete(fota_req_t *req);
static int fota_rollout_delete_tx(fota_req_t *req, void *data);
static bool fota_rollout_is(const fota_rollout_form_t *form,
    const char *state);
static bool fota_rollout_same_audience(json_t *before, json_t *after);


static bool
fota_rollout_is(const fota_rollout_form_t *form, const char *state)
{
    return fota_str_eq(form->row.state, fota_cstr(state));
}


/* Newest first; "after" is the id of the last one seen. */

static int
fota_rollout_list(fota_req_t *req)
{
    int                   rc;
    size_t                n, i;
    json_t               *items, *answer;
    uint32_t              product, *ids;
    fota_str_t            s, state;
    fota_page_t           page;
    fota_rows_t          *rows;
    fota_rollout_form_t  *form;

    static const char *const  states[] = {
        "draft", "pending", "ready", "running", "paused", "stopped",
        "finished", NULL
    };

    if (!fota_page_number(req, &page, UINT32_MAX)
        || !fota_req_query_word(req, "state", states, &state))
    {
        return FOTA_OK;
    }

    product = 0;
    s = fota_req_query(req, "product");

    if (s.len != 0) {
        rc = fota_find_product(req, s, &product);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    ids = fota_calloc(&req->arena.mem, page.limit + 1, sizeof(uint32_t));
    form = fota_calloc(&req->arena.mem, 1, sizeof(fota_rollout_form_t));

    if (ids == NULL || form == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(req->db, &rows, "SELECT id FROM rollout"
                       " WHERE tenant_id = ? AND id < ?"
                       " AND (? = 0 OR product_id = ?)"
                       " AND (? = '' OR state = ?)"
                       " ORDER BY id DESC LIMIT ?", "uuuussu",
                       fota_u64(req->tenant_id), page.after_id,
                       fota_u64(product), fota_u64(product), state, state,
                       page.limit + 1);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;

    while (n <= page.limit && (rc = fota_db_row(rows)) == FOTA_OK) {
        ids[n++] = (uint32_t) fota_db_u64(rows, 0);
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    items = json_array();

    for (i = 0; i < n && i < page.limit; i++) {
        rc = fota_rollout_load(req, ids[i], false, form);

        if (rc != FOTA_OK) {
            json_decref(items);
            return rc;
        }

        json_array_append_new(items, fota_rollout_json(req, form));
    }

    answer = json_object();
    json_object_set_new(answer, "items", items);
    json_object_set_new(answer, "next", (n > page.limit)
                        ? json_sprintf("%u", (unsigned) ids[page.limit - 1])
                        : json_null());

    return fota_res_json(req, 200, answer);
}


static int
fota_rollout_show(fota_req_t *req)
{
    int                  rc;
    fota_rollout_form_t  form;

    rc = fota_rollout_load_param(req, false, &form);

    return (rc == FOTA_OK)
           ? fota_res_json(req, 200, fota_rollout_json(req, &form)) : rc;
}


static int
fota_rollout_create_tx(fota_req_t *req, void *data)
{
    int                   rc;
    bool                  audience;
    fota_rollout_form_t  *form;

    form = data;

    fota_rollout_defaults(form);

    if (!fota_rollout_form(req, form, true, &audience)) {
        return FOTA_INVALID;
    }

    rc = fota_rollout_check(req, form);

    if (rc == FOTA_OK) {
        rc = fota_rollout_save(req, form);
    }

    return fota_rollout_done(req, rc, form, 201, "rollout:create", NULL);
}


static int
fota_rollout_create(fota_req_t *req)
{
    fota_rollout_form_t  form;

    return fota_tx(req, fota_rollout_create_tx, &form);
}


/*
 * A client may send back all that it got: only what differs is a change.
 * Of the stages it is their percentages and test groups.
 */

static bool
fota_rollout_same_audience(json_t *before, json_t *after)
{
    size_t   i, k;
    json_t  *a, *b, *x, *y;

    static const char *const  members[] = {
        "kind", "target", "strategy", "filter", "sources", "geo",
        "allow_downgrade"
    };

    static const char *const  stages[] = {
        "percent", "test_only", "test_group"
    };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        b = json_object_get(after, members[i]);

        if (b != NULL && !json_equal(json_object_get(before, members[i]), b))
        {
            return false;
        }
    }

    a = json_object_get(before, "stages");
    b = json_object_get(after, "stages");

    if (b == NULL) {
        return true;
    }

    if (json_array_size(a) != json_array_size(b)) {
        return false;
    }

    for (i = 0; i < json_array_size(a); i++) {
        for (k = 0; k < sizeof(stages) / sizeof(stages[0]); k++) {
            x = json_object_get(json_array_get(a, i), stages[k]);
            y = json_object_get(json_array_get(b, i), stages[k]);

            if (json_is_number(x) && json_is_number(y)) {
                if (json_number_value(x) != json_number_value(y)) {
                    return false;
                }

            } else if (y == NULL && k != 0) {

                if (json_is_true(x) || json_is_string(x)) {
                    return false;
                }

            } else if (!json_equal(x, y)) {
                return false;
            }
        }
    }

    return true;
}


static int
fota_rollout_patch_tx(fota_req_t *req, void *data)
{
    int                   rc;
    bool                  audience;
    size_t                nstages;
    json_t               *before;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_rollout_load_param(req, true, form);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_rollout_is(form, "stopped") || fota_rollout_is(form, "finished"))
    {
        return fota_rollout_refuse(req, form, "changed", "draft, pending,"
                                   " ready, running or paused");
    }

    before = fota_rollout_json(req, form);
    nstages = form->nstages;

    if (!fota_rollout_form(req, form, false, &audience)) {
        json_decref(before);
        return FOTA_INVALID;
    }

    if (audience && (fota_rollout_is(form, "running")
                     || fota_rollout_is(form, "paused")))
    {
        /*
         * Who gets what was approved, and counted by; thresholds and soak
         * times of the same stages may change.
         */

        if (!fota_rollout_same_audience(before, req->json)
            || form->nstages != nstages)
        {
            json_decref(before);
            return fota_res_refuse(req, 409, "rollout_state", NULL,
                                   "who gets what cannot be changed once the "
                                   "rollout has started; make another one");
        }

    } else if (audience && (fota_rollout_is(form, "pending")
                            || fota_rollout_is(form, "ready")))
    {
        form->row.state = fota_cstr("draft");
        form->row.state_reason = fota_cstr("");
        memset(&form->row.approved_by, 0, sizeof(fota_str_t));
    }

    rc = fota_rollout_check(req, form);

    if (rc == FOTA_OK) {
        rc = fota_rollout_save(req, form);
    }

    return fota_rollout_done(req, rc, form, 200, "rollout:update", before);
}


static int
fota_rollout_patch(fota_req_t *req)
{
    fota_rollout_form_t  form;

    return fota_tx(req, fota_rollout_patch_tx, &form);
}


static int
fota_rollout_delete_tx(fota_req_t *req, void *data)
{
    int                   rc;
    char                  sql[128];
    size_t                i;
    json_t               *before;
    fota_rollout_form_t  *form;

    static const char *const  tables[] = {
        "rollout_device", "rollout_counter", "rollout_bytes", "rollout_stage"
    };

    form = data;

    rc = fota_rollout_load_param(req, true, form);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_rollout_is(form, "running") || fota_rollout_is(form, "paused")) {
        return fota_rollout_refuse(req, form, "removed", "stopped first");
    }

    before = fota_rollout_json(req, form);

    /* Devices whose record speaks of its attempts. */

    rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
                      " object_id, created) SELECT ?, ?, device_id, ?"
                      " FROM rollout_device WHERE rollout_id = ?"
                      " AND (attempts_failed > 0 OR delta_failed > 0)",
                      "uuiu", fota_u64(FOTA_T_DEVICE),
                      fota_u64(form->row.tenant), fota_now_ms(),
                      fota_u64(form->row.id));

    for (i = 0; rc == FOTA_OK && i < sizeof(tables) / sizeof(tables[0]); i++)
    {
        (void) snprintf(sql, sizeof(sql), "DELETE FROM %s"
                        " WHERE rollout_id = ?", tables[i]);
        rc = fota_db_exec(req->db, sql, "u", fota_u64(form->row.id));
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "DELETE FROM rollout WHERE tenant_id = ?"
                          " AND id = ?", "uu", fota_u64(form->row.tenant),
                          fota_u64(form->row.id));
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, form->row.tenant,
                             form->row.product);
    }

    return fota_changed(req, rc, form->row.tenant, "rollout:delete",
                        fota_rollout_object(req, form), before, NULL);
}


static int
fota_rollout_delete(fota_req_t *req)
{
    fota_rollout_form_t  form;

    return fota_tx(req, fota_rollout_delete_tx, &form);
}


#define FOTA_ROLLOUT  "/api/v1/rollouts/{rollout}"

static const fota_route_t  fota_rollout_table[] = {
    { "GET", "/api/v1/rollouts", "rollout:read", fota_rollout_list, NULL, 0,
      0 },
    { "POST", "/api/v1/rollouts", "rollout:create", fota_rollout_create,
      NULL, FOTA_BODY_JSON, 0 },
    { "GET", FOTA_ROLLOUT, "rollout:read", fota_rollout_show, NULL, 0, 0 },
    { "PATCH", FOTA_ROLLOUT, "rollout:update", fota_rollout_patch, NULL,
      FOTA_BODY_JSON, 0 },
    { "DELETE", FOTA_ROLLOUT, "rollout:delete", fota_rollout_delete, NULL, 0,
      0 },
    { "POST", FOTA_ROLLOUT "/start", "rollout:control", fota_rollout_start,
      NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/approve", "rollout:approve",
      fota_rollout_approve, NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/pause", "rollout:control", fota_rollout_pause,
      NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/resume", "rollout:control", fota_rollout_resume,
      NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/stop", "rollout:control", fota_rollout_stop,
      NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/next-stage", "rollout:control",
      fota_rollout_next_stage, NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/retry-failed", "rollout:control",
      fota_rollout_retry, NULL, FOTA_BODY_JSON, 0 },
    { "POST", FOTA_ROLLOUT "/rollback", "rollout:create",
      fota_rollout_rollback, NULL, FOTA_BODY_JSON, 0 },
    { "GET", FOTA_ROLLOUT "/progress", "rollout:read", fota_rollout_progress,
      NULL, 0, 0 },
    { "GET", FOTA_ROLLOUT "/devices", "rollout:read", fota_rollout_devices,
      NULL, 0, 0 },
};


FOTA_ROUTE_SET(rollout, fota_rollout_table);
