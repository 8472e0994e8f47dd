/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Starting, approving, pausing, stopping, advancing and retrying. */

#include <stdio.h>

#include "rollout.h"


typedef struct fota_action_s  fota_action_t;

typedef int (*fota_action_pt)(fota_req_t *req, fota_action_t *a);

struct fota_action_s {
    fota_action_pt        change;
    const char           *states;       /* " draft ready ": begins in these */
    const char           *word;         /* "paused": what is done to it */
    const char           *audit;
    unsigned              status;       /* of the answer */
    fota_rollout_form_t   form;
};


static bool fota_action_is(const fota_rollout_form_t *form,
    const char *states);
static int fota_action_tx(fota_req_t *req, void *data);
static int fota_action_go(fota_req_t *req, fota_rollout_form_t *form);
static int fota_approve_involved(fota_req_t *req,
    const fota_rollout_form_t *form, fota_str_t actor, bool *involved);
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
fota_action_tx(fota_req_t *req, void *data)
{
    int             rc;
    json_t         *before;
    fota_action_t  *a;

    a = data;

    rc = fota_rollout_load_param(req, true, &a->form);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (!fota_action_is(&a->form, a->states)) {
        return fota_rollout_refuse(req, &a->form, a->word, a->states);
    }

    before = fota_rollout_json(req, &a->form);
    rc = a->change(req, a);

    return fota_rollout_done(req, rc, &a->form, a->status, a->audit, before);
}


static int
fota_action(fota_req_t *req, fota_action_pt change, const char *states,
    const char *word, const char *audit)
{
    fota_action_t  a;

    a.change = change;
    a.states = states;
    a.word = word;
    a.audit = audit;
    a.status = 200;

    return fota_tx(req, fota_action_tx, &a);
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
fota_start(fota_req_t *req, fota_action_t *a)
{
    int       rc;
    bool      wait;
    char      reason[256];
    uint64_t  total, above;

    rc = fota_rollout_check(req, &a->form);

    if (rc == FOTA_OK) {
        rc = fota_rollout_count(req->server, req->db, &a->form.row,
                                a->form.stages, a->form.nstages, &total);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_number(req->db, &above, "SELECT approve_above"
                            " FROM tenant WHERE id = ?", "u",
                            fota_u64(req->tenant_id));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    wait = above != 0 && total > above
           && a->form.row.approved_by.data == NULL;
    a->status = wait ? 202 : 200;
    a->audit = wait ? "rollout:submit" : "rollout:start";

    if (!wait) {
        return fota_action_go(req, &a->form);
    }

    (void) snprintf(reason, sizeof(reason), "Waiting for approval: %llu"
                    " devices match, above %llu a second person is needed",
                    (unsigned long long) total, (unsigned long long) above);

    return fota_rollout_set_state(req->db, a->form.row.id, "pending", reason);
}


int
fota_rollout_start(fota_req_t *req)
{
    return fota_action(req, fota_start, " draft ready ", "started",
                       "rollout:start");
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
fota_approve(fota_req_t *req, fota_action_t *a)
{
    int         rc;
    bool        involved;
    fota_str_t  actor;

    actor = fota_rollout_actor(req);

    rc = fota_approve_involved(req, &a->form, actor, &involved);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (involved) {
        return fota_res_refuse(req, 403, "same_person", NULL,
                               "who made, changed or submitted a rollout "
                               "cannot approve it; ask somebody else");
    }

    rc = fota_db_exec(req->db, "UPDATE rollout SET approved_by = ?"
                      " WHERE id = ?", "su", actor,
                      fota_u64(a->form.row.id));

    return rc == FOTA_OK ? fota_action_go(req, &a->form) : rc;
}


int
fota_rollout_approve(fota_req_t *req)
{
    return fota_action(req, fota_approve, " pending ", "approved",
                       "rollout:approve");
}


static int
fota_pause(fota_req_t *req, fota_action_t *a)
{
    return fota_rollout_set_state(req->db, a->form.row.id, "paused",
                                  "Paused by an operator");
}


int
fota_rollout_pause(fota_req_t *req)
{
    return fota_action(req, fota_pause, " running ", "paused",
                       "rollout:pause");
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
fota_resume(fota_req_t *req, fota_action_t *a)
{
    int  rc;

    rc = fota_baseline(req->db, a->form.row.id);

    return rc == FOTA_OK
           ? fota_rollout_set_state(req->db, a->form.row.id, "running", "")
           : rc;
}


int
fota_rollout_resume(fota_req_t *req)
{
    return fota_action(req, fota_resume, " paused ", "resumed",
                       "rollout:resume");
}


static int
fota_stop(fota_req_t *req, fota_action_t *a)
{
    return fota_db_exec(req->db, "UPDATE rollout SET state = 'stopped',"
                        " state_reason = 'Stopped by an operator',"
                        " finished = ? WHERE id = ?", "iu", fota_now_ms(),
                        fota_u64(a->form.row.id));
}


int
fota_rollout_stop(fota_req_t *req)
{
    return fota_action(req, fota_stop, " draft pending ready running paused ",
                       "stopped", "rollout:stop");
}


static int
fota_next(fota_req_t *req, fota_action_t *a)
{
    if ((size_t) a->form.row.stage + 1 >= a->form.nstages) {
        return fota_res_refuse(req, 409, "last_stage", NULL,
                               "the last stage is running already");
    }

    return fota_db_exec(req->db, "UPDATE rollout SET stage = stage + 1,"
                        " stage_since = ?, state_reason ="
                        " IF(state = 'running', '', state_reason)"
                        " WHERE id = ?", "iu", fota_now_ms(),
                        fota_u64(a->form.row.id));
}


int
fota_rollout_next_stage(fota_req_t *req)
{
    return fota_action(req, fota_next, " running paused ", "advanced",
                       "rollout:next-stage");
}


/*
 * The failed ones get all their attempts again.  What failed as a delta is
 * still given in full.
 */

static int
fota_retry(fota_req_t *req, fota_action_t *a)
{
    int       rc, i;
    uint64_t  id;

    id = a->form.row.id;

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
                          fota_u64(a->form.row.tenant), fota_now_ms(), id);
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

    return rc == FOTA_OK ? fota_baseline(req->db, a->form.row.id) : rc;
}


int
fota_rollout_retry(fota_req_t *req)
{
    return fota_action(req, fota_retry, " running paused ", "retried",
                       "rollout:retry-failed");
}
