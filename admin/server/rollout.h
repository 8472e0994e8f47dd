/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the handlers of rollouts, the controller and the plan share. */

#ifndef FOTA_ADMIN_ROLLOUT_H
#define FOTA_ADMIN_ROLLOUT_H

#include "entity.h"
#include "rollout_row.h"

/* Pseudo states of rollout_counter, beside those of devices. */
#define FOTA_C_TOTAL       "total"      /* matched, at FOTA_C_STAGE_ALL */
#define FOTA_C_POPULATION  "population" /* of a stage and those before it */
#define FOTA_C_BASE_OK     "base_ok"    /* as of the last resume */
#define FOTA_C_BASE_FAILED "base_failed"
#define FOTA_C_STAGE_ALL   65535

typedef struct {
    fota_rollout_row_t   row;
    size_t               nstages;
    fota_stage_row_t     stages[FOTA_STAGES_MAX];
    fota_str_t           product;       /* name */
    fota_str_t           target;        /* version, empty = latest */
} fota_rollout_form_t;

/*
 * Members of the body over what form holds.  False: answered with 400 or 404.
 * changed_audience: something that decides who gets what was given.
 */
bool fota_rollout_form(fota_req_t *req, fota_rollout_form_t *form,
    bool create, bool *changed_audience);

/* Defaults of a new one. */
void fota_rollout_defaults(fota_rollout_form_t *form);

/* Compiles filter, windows and all: a 400 problem when something is wrong. */
int fota_rollout_check(fota_req_t *req, fota_rollout_form_t *form);

/* FOTA_NOTFOUND with a 404 set. */
int fota_rollout_load(fota_req_t *req, uint32_t id, bool lock,
    fota_rollout_form_t *form);
int fota_rollout_load_param(fota_req_t *req, bool lock,
    fota_rollout_form_t *form);

json_t *fota_rollout_json(fota_req_t *req, const fota_rollout_form_t *form);

/* Writes the row (id 0: inserts and sets it) and its stages. */
int fota_rollout_save(fota_req_t *req, fota_rollout_form_t *form);

/*
 * Audit, outbox and the answer of a change that came to rc; before is stolen.
 */
int fota_rollout_done(fota_req_t *req, int rc,
    const fota_rollout_form_t *form, unsigned status, const char *action,
    json_t *before);

/* "rollout/ID", as the audit log has it; from the request's arena. */
fota_str_t fota_rollout_object(fota_req_t *req,
    const fota_rollout_form_t *form);

/* state: a new state and its reason; touches nothing else. */
int fota_rollout_set_state(fota_db_t *db, uint32_t id, const char *state,
    const char *reason);

/* Devices, counted and stored: total and population of each stage. */
int fota_rollout_count(fota_server_t *server, fota_db_t *db,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages, uint64_t *total);

/* Every counter of a rollout, summed over stages and by stage. */
typedef struct {
    int64_t  total;             /* -1: not counted yet */
    int64_t  buckets[8];        /* by fota_bucket_e; waiting derived */
    int64_t  population[FOTA_STAGES_MAX];       /* -1: not counted yet */
    int64_t  stage[FOTA_STAGES_MAX][8];
    int64_t  base_ok[FOTA_STAGES_MAX];
    int64_t  base_failed[FOTA_STAGES_MAX];
    int64_t  exhausted;         /* failed for good; only the controller asks */
} fota_rollout_counts_t;

int fota_rollout_counts(fota_db_t *db, uint32_t id,
    fota_rollout_counts_t *c);

/* Text of who asks, as the audit log has it; from the request's arena. */
fota_str_t fota_rollout_actor(fota_req_t *req);

/* Refuses a state: 409.  words: the allowed ones, for people. */
int fota_rollout_refuse(fota_req_t *req, const fota_rollout_form_t *form,
    const char *action, const char *words);

/* Handlers in other files than rollout.c. */
int fota_rollout_start(fota_req_t *req);
int fota_rollout_approve(fota_req_t *req);
int fota_rollout_pause(fota_req_t *req);
int fota_rollout_resume(fota_req_t *req);
int fota_rollout_stop(fota_req_t *req);
int fota_rollout_next_stage(fota_req_t *req);
int fota_rollout_retry(fota_req_t *req);
int fota_rollout_rollback(fota_req_t *req);
int fota_rollout_progress(fota_req_t *req);
int fota_rollout_devices(fota_req_t *req);

#endif /* FOTA_ADMIN_ROLLOUT_H */
