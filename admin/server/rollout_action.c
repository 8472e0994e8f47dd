/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Starting, approving, pausing, stopping, advancing and retrying. */

#include <stdio.h>

#include "rollout.h"


static bool fota_action_is(const fota_rollout_form_t *form,
    const char *states);
static int fota_action_run(fota_req_t *req, fota_tx_pt fn);
static int fota_action_begin(fota_req_t *req, fota_rollout_form_t *form,
    const char *states, const char *action, json_t **before);
static int fota_action_go(fota_req_t *req, fota_rollout_form_t *form);
static int fota_start_tx(fota_req_t *req, void *data);
static int fota_approve_involved(fota_req_t *req,
    const fota_rollout_form_t *form, fota_str_t actor, bool *involved);
static int fota_approve_tx(fota_req_t *req, void *data);
static int fota_pause_tx(fota_req_t *req, void *data);
static int fota_resume_tx(fota_req_t *req, void *data);
static int fota_stop_tx(fota_req_t *req, void *data);
static int fota_next_tx(fota_req_t *req, void *data);
static int fota_retry_tx(fota_req_t *req, void *data);
static int fota_baseline(fota_db_t *db, uint32_t id);


/* states: words with blanks around each, " draft ready ". */

static bool
fota_action_is(const fota_rollout_form_t *form, const char *states)
{
    char  word[32];

    (void) snprintf(word, sizeof(word), " %.*s ", (int) form->row.state.len,
                    (const char *) form->row.state.data);

    return strstr(states, word) != NULL;
}


static int
fota_action_begin(fota_req_t *req, fota_rollout_form_t *form,
    const char *states, const char *action, json_t **before)
{
    int  rc;

    rc = fota_rollout_load_param(req, true, form);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (!fota_action_is(form, states)) {
        return fota_rollout_refuse(req, form, action, states);
    }

    *before = fota_rollout_json(req, form);

    return FOTA_OK;
}


static int
fota_action_run(fota_req_t *req, fota_tx_pt fn)
{
    fota_rollout_form_t  form;

    return fota_tx(req, fn, &form);
}


/* Runs from its first stage on. */

static int
fota_action_go(fota_req_t *req, fota_rollout_form_t *form)
{
    int64_t  now, since;

    now = fota_now_ms();
    since = (form->row.start * 1000 > now) ? form->row.start * 1000 : now;

    return fota_db_exec(req->db, "UPDATE rollout SET state = 'running',"
                        " state_reason = '', stage = 0, stage_since = ?,"
                        " started = ? WHERE id = ?", "iiu", since, now,
                        fota_u64(form->row.id));
}


static int
fota_start_tx(fota_req_t *req, void *data)
{
    int                   rc;
    char                  reason[256];
    json_t               *before;
    uint64_t              total, above;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " draft ready ", "started", &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_rollout_check(req, form);

    if (rc == FOTA_OK) {
        rc = fota_rollout_count(req->server, req->db, &form->row,
                                form->stages, form->nstages, &total);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_number(req->db, &above, "SELECT approve_above"
                            " FROM tenant WHERE id = ?", "u",
                            fota_u64(req->tenant_id));
    }

    if (rc == FOTA_OK && above != 0 && total > above
        && form->row.approved_by.data == NULL)
    {
        (void) snprintf(reason, sizeof(reason), "Waiting for approval: %llu"
                        " devices match, above %llu a second person is"
                        " needed", (unsigned long long) total,
                        (unsigned long long) above);

        rc = fota_rollout_set_state(req->db, form->row.id, "pending",
                                    reason);

        if (rc == FOTA_OK) {
            return fota_rollout_done(req, form, 202, "rollout:submit",
                                     before);
        }

    } else if (rc == FOTA_OK) {
        rc = fota_action_go(req, form);

        if (rc == FOTA_OK) {
            return fota_rollout_done(req, form, 200, "rollout:start",
                                     before);
        }
    }

    json_decref(before);

    return rc;
}


int
fota_rollout_start(fota_req_t *req)
{
    return fota_action_run(req, fota_start_tx);
}


/*
 * Else whoever may change a rollout of somebody else would approve alone what
 * nobody else has seen.
 */

static int
fota_approve_involved(fota_req_t *req, const fota_rollout_form_t *form,
    fota_str_t actor, bool *involved)
{
    char  object[32];

    *involved = fota_str_eq(actor, form->row.created_by);
    if (*involved) {
        return FOTA_OK;
    }

    (void) snprintf(object, sizeof(object), "rollout/%u",
                    (unsigned) form->row.id);

    return fota_db_exists(req->db, involved, "SELECT 1 FROM audit_log"
                          " WHERE tenant_id = ? AND ts >= ? AND actor = ?"
                          " AND object = ? AND action IN ('rollout:update',"
                          " 'rollout:submit') LIMIT 1", "uisz",
                          fota_u64(form->row.tenant), form->row.created,
                          actor, object);
}


static int
fota_approve_tx(fota_req_t *req, void *data)
{
    int                   rc;
    bool                  involved;
    json_t               *before;
    fota_str_t            actor;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " pending ", "approved", &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    actor = fota_rollout_actor(req);

    rc = fota_approve_involved(req, form, actor, &involved);
    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    if (involved) {
        json_decref(before);
        (void) fota_res_problem(req, 403, "same_person", NULL,
                                "who made, changed or submitted a rollout"
                                " cannot approve it; ask somebody else");
        return FOTA_INVALID;
    }

    rc = fota_db_exec(req->db, "UPDATE rollout SET approved_by = ?"
                      " WHERE id = ?", "su", actor, fota_u64(form->row.id));

    if (rc == FOTA_OK) {
        rc = fota_action_go(req, form);
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:approve", before);
}


int
fota_rollout_approve(fota_req_t *req)
{
    return fota_action_run(req, fota_approve_tx);
}


static int
fota_pause_tx(fota_req_t *req, void *data)
{
    int                   rc;
    json_t               *before;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " running ", "paused", &before);

    if (rc == FOTA_OK) {
        rc = fota_rollout_set_state(req->db, form->row.id, "paused",
                                    "Paused by an operator");
    } else {
        return rc;
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:pause", before);
}


int
fota_rollout_pause(fota_req_t *req)
{
    return fota_action_run(req, fota_pause_tx);
}


/*
 * Whoever resumes has seen the failures so far: only those that come after
 * count towards the next pause.
 */

static int
fota_baseline(fota_db_t *db, uint32_t id)
{
    int  rc;

    rc = fota_db_exec(db, "DELETE FROM rollout_counter WHERE rollout_id = ?"
                      " AND state IN ('base_ok', 'base_failed')", "u",
                      fota_u64(id));

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO rollout_counter (rollout_id,"
                          " stage, state, devices) SELECT rollout_id, stage,"
                          " IF(state = 'failed', 'base_failed', 'base_ok'),"
                          " devices FROM rollout_counter"
                          " WHERE rollout_id = ?"
                          " AND state IN ('succeeded', 'failed')", "u",
                          fota_u64(id));
    }

    return rc;
}


static int
fota_resume_tx(fota_req_t *req, void *data)
{
    int                   rc;
    json_t               *before;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " paused ", "resumed", &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_baseline(req->db, form->row.id);

    if (rc == FOTA_OK) {
        rc = fota_rollout_set_state(req->db, form->row.id, "running", "");
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:resume", before);
}


int
fota_rollout_resume(fota_req_t *req)
{
    return fota_action_run(req, fota_resume_tx);
}


static int
fota_stop_tx(fota_req_t *req, void *data)
{
    int                   rc;
    json_t               *before;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " draft pending ready running paused ",
                           "stopped", &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "UPDATE rollout SET state = 'stopped',"
                      " state_reason = 'Stopped by an operator',"
                      " finished = ? WHERE id = ?", "iu", fota_now_ms(),
                      fota_u64(form->row.id));

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:stop", before);
}


int
fota_rollout_stop(fota_req_t *req)
{
    return fota_action_run(req, fota_stop_tx);
}


static int
fota_next_tx(fota_req_t *req, void *data)
{
    int                   rc;
    json_t               *before;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " running paused ", "advanced",
                           &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    if ((size_t) form->row.stage + 1 >= form->nstages) {
        json_decref(before);
        (void) fota_res_problem(req, 409, "last_stage", NULL,
                                "the last stage is running already");
        return FOTA_INVALID;
    }

    rc = fota_db_exec(req->db, "UPDATE rollout SET stage = stage + 1,"
                      " stage_since = ?, state_reason = IF(state = 'running',"
                      " '', state_reason) WHERE id = ?", "iu", fota_now_ms(),
                      fota_u64(form->row.id));

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:next-stage", before);
}


int
fota_rollout_next_stage(fota_req_t *req)
{
    return fota_action_run(req, fota_next_tx);
}


/*
 * The failed ones get all their attempts again.  What failed as a delta is
 * still given in full.
 */

static int
fota_retry_tx(fota_req_t *req, void *data)
{
    int                   rc, i;
    json_t               *before;
    uint64_t              id;
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_action_begin(req, form, " running paused ", "retried",
                           &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    id = form->row.id;

    /*
     * A word of our own holds the set still: reports that fail meanwhile
     * are not among the retried ones.
     */

    rc = fota_db_exec(req->db, "UPDATE rollout_device SET state = 'retrying'"
                      " WHERE rollout_id = ? AND state = 'failed'", "u", id);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
                          " object_id, created) SELECT ?, ?, device_id, ?"
                          " FROM rollout_device WHERE rollout_id = ?"
                          " AND state = 'retrying'", "uuiu",
                          fota_u64(FOTA_T_DEVICE),
                          fota_u64(form->row.tenant), fota_now_ms(), id);
    }

    for (i = 0; rc == FOTA_OK && i < 2; i++) {
        rc = fota_db_exec(req->db, "INSERT INTO rollout_counter (rollout_id,"
                          " stage, state, devices) SELECT rollout_id, stage,"
                          " ?, ? * COUNT(*) FROM rollout_device"
                          " WHERE rollout_id = ? AND state = 'retrying'"
                          " GROUP BY rollout_id, stage"
                          " ON DUPLICATE KEY UPDATE"
                          " devices = devices + VALUES(devices)", "ziu",
                          (i == 0) ? "offered" : "failed",
                          (int64_t) ((i == 0) ? 1 : -1), id);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE rollout_device"
                          " SET state = 'offered', attempts_failed = 0,"
                          " progress = 0, changed = ?"
                          " WHERE rollout_id = ? AND state = 'retrying'",
                          "iu", fota_now_ms(), id);
    }

    if (rc == FOTA_OK) {
        rc = fota_baseline(req->db, form->row.id);
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    return fota_rollout_done(req, form, 200, "rollout:retry-failed", before);
}


int
fota_rollout_retry(fota_req_t *req)
{
    return fota_action_run(req, fota_retry_tx);
}
