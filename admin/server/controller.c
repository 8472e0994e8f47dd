/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Moves running rollouts: pauses them when too many fail, goes on to the
 * next stage, ends them.  Looks at counters alone each second; who belongs
 * to a stage is counted anew from time to time, and before it matters.
 */

#include <stdio.h>
#include <stdlib.h>

#include "controller.h"
#include "feed.h"
#include "ingest_state.h"
#include "jobs_int.h"


#define FOTA_CTL_TICK_MS    1000
#define FOTA_CTL_OWN_MS     500
#define FOTA_CTL_MAX        1024        /* running ones looked at in a tick */
#define FOTA_CTL_KNOWN      256         /* of which the last count is known */
#define FOTA_CTL_FRESH_MS   2000        /* a count no older than this counts */
#define FOTA_CTL_COUNT_MS   30000       /* at least between two of them */
#define FOTA_CTL_COST       50          /* times what the last one took */
#define FOTA_CTL_BUDGET_MS  500         /* of counting in one tick */


typedef struct {
    uint32_t  id;
    uint16_t  stage;
    int64_t   counted;          /* ms, when */
    int64_t   cost;             /* ms, how long it took */
} fota_ctl_known_t;


typedef struct {
    fota_server_t     *server;
    fota_db_t         *db;
    uint32_t           last;    /* rollout that took the rest of a budget */
    uint32_t           after;   /* the page of this tick begins behind it */
    size_t             nknown;
    fota_ctl_known_t   known[FOTA_CTL_KNOWN];
} fota_ctl_t;


typedef struct {
    uint32_t  tenant;
    uint32_t  id;
} fota_ctl_id_t;


static fota_ctl_known_t *fota_ctl_known(fota_ctl_t *ctl, uint32_t id);
static int fota_ctl_count(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages);
static int fota_ctl_exhausted(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_rollout_counts_t *c);
static int fota_ctl_apply(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_ctl_e what, const char *reason);
static int fota_ctl_change(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_ctl_e what, const char *reason);
static int fota_ctl_one(fota_ctl_t *ctl, fota_ctl_id_t *id, int64_t *left);
static int fota_ctl_tick(fota_ctl_t *ctl);


/* The least recently counted one makes room. */

static fota_ctl_known_t *
fota_ctl_known(fota_ctl_t *ctl, uint32_t id)
{
    size_t             i;
    fota_ctl_known_t  *k, *oldest;

    oldest = &ctl->known[0];

    for (i = 0; i < ctl->nknown; i++) {
        k = &ctl->known[i];

        if (k->id == id) {
            return k;
        }

        if (k->counted < oldest->counted) {
            oldest = k;
        }
    }

    k = (ctl->nknown < FOTA_CTL_KNOWN) ? &ctl->known[ctl->nknown++] : oldest;

    memset(k, 0, sizeof(fota_ctl_known_t));
    k->id = id;

    return k;
}


static int
fota_ctl_count(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages)
{
    int                rc;
    int64_t            start;
    uint64_t           total;
    fota_ctl_known_t  *k;

    start = fota_now_ms();

    rc = fota_rollout_count(ctl->server, ctl->db, row, stages, nstages,
                            &total);

    /* One that cannot be counted must not be tried each second. */

    k = fota_ctl_known(ctl, row->id);
    k->counted = fota_now_ms();
    k->cost = k->counted - start;
    k->stage = row->stage;

    if (rc == FOTA_INVALID || rc == FOTA_LIMIT || rc == FOTA_NOTFOUND
        || rc == FOTA_CORRUPT)
    {
        fota_log(FOTA_LOG_WARN, "the devices of rollout %u cannot be"
                 " counted: %s", (unsigned) row->id, fota_status_name(rc));
        return FOTA_OK;
    }

    return rc;
}


static int
fota_ctl_exhausted(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_rollout_counts_t *c)
{
    int       rc;
    uint64_t  n;

    if (row->max_attempts == 0 || c->buckets[FOTA_B_FAILED] == 0
        || c->buckets[FOTA_B_NONE] > 0)
    {
        return FOTA_OK;
    }

    rc = fota_db_number(ctl->db, &n, "SELECT COUNT(*) FROM rollout_device"
                        " WHERE rollout_id = ? AND state = 'failed'"
                        " AND attempts_failed >= ?", "uu", fota_u64(row->id),
                        fota_u64(row->max_attempts));
    c->exhausted = (int64_t) n;

    return rc;
}


static int
fota_ctl_change(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_ctl_e what, const char *reason)
{
    int          rc;
    char         object[64];
    int64_t      now;
    const char  *action;

    now = fota_now_ms();

    /* An operator may have been faster: only what was looked at changes. */

    switch (what) {

    case FOTA_CTL_NEXT:
        action = "rollout:next-stage";
        rc = fota_db_exec(ctl->db, "UPDATE rollout SET stage = stage + 1,"
                          " stage_since = ?, state_reason = ''"
                          " WHERE id = ? AND state = 'running'"
                          " AND stage = ?", "iuu", now, fota_u64(row->id),
                          fota_u64(row->stage));
        break;

    case FOTA_CTL_PAUSE:
        action = "rollout:pause";
        rc = fota_db_exec(ctl->db, "UPDATE rollout SET state = 'paused',"
                          " state_reason = ? WHERE id = ?"
                          " AND state = 'running' AND stage = ?", "zuu",
                          reason, fota_u64(row->id), fota_u64(row->stage));
        break;

    default: /* FOTA_CTL_FINISH */
        action = "rollout:finish";
        rc = fota_db_exec(ctl->db, "UPDATE rollout SET state = 'finished',"
                          " state_reason = ?, finished = ? WHERE id = ?"
                          " AND state = 'running' AND stage = ?", "ziuu",
                          reason, now, fota_u64(row->id),
                          fota_u64(row->stage));
        break;
    }

    if (rc != FOTA_OK || fota_db_affected(ctl->db) == 0) {
        return rc;
    }

    rc = fota_outbox_put(ctl->db, FOTA_T_PRODUCT, row->tenant, row->product);

    if (rc == FOTA_OK) {
        (void) snprintf(object, sizeof(object), "rollout/%u",
                        (unsigned) row->id);

        rc = fota_audit_system(ctl->db, row->tenant, "system/controller",
                               action, fota_cstr(object), NULL,
                               json_pack("{s:i, s:s}", "stage",
                                         (int) row->stage, "reason",
                                         reason));
    }

    fota_log(FOTA_LOG_INFO, "rollout %u, stage %u: %s %s",
             (unsigned) row->id, (unsigned) row->stage, action, reason);

    return rc;
}


static int
fota_ctl_apply(fota_ctl_t *ctl, const fota_rollout_row_t *row,
    fota_ctl_e what, const char *reason)
{
    int  rc;

    if (what == FOTA_CTL_KEEP) {

        if (fota_str_eq(row->state_reason, fota_cstr(reason))) {
            return FOTA_OK;
        }

        return fota_db_exec(ctl->db, "UPDATE rollout SET state_reason = ?"
                            " WHERE id = ? AND state = 'running'", "zu",
                            reason, fota_u64(row->id));
    }

    rc = fota_db_begin(ctl->db);

    if (rc == FOTA_OK) {
        rc = fota_ctl_change(ctl, row, what, reason);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(ctl->db);

    } else {
        fota_db_rollback(ctl->db);
    }

    if (rc == FOTA_OK) {
        fota_outbox_wake();
    }

    return rc;
}


/* *left: ms that may still be spent on counting in this tick. */

static int
fota_ctl_one(fota_ctl_t *ctl, fota_ctl_id_t *id, int64_t *left)
{
    int                     rc;
    bool                    old;
    char                    reason[256];
    size_t                  n;
    int64_t                 age;
    fota_ctl_e              what;
    fota_arena_t            arena;
    fota_ctl_known_t       *k;
    fota_stage_row_t        stages[FOTA_STAGES_MAX];
    fota_rollout_row_t      row;
    fota_rollout_counts_t   c;

    fota_arena_init(&arena, 0);

    rc = fota_rollout_row_get(ctl->db, &arena.mem, id->tenant, id->id, false,
                              &row);

    if (rc == FOTA_OK) {
        rc = fota_stage_rows(ctl->db, id->id, stages, &n);
    }

    if (rc == FOTA_OK) {
        rc = fota_rollout_counts(ctl->db, id->id, &c);
    }

    if (rc == FOTA_OK) {
        rc = fota_ctl_exhausted(ctl, &row, &c);
    }

    if (rc != FOTA_OK || !fota_str_eq(row.state, fota_cstr("running"))) {
        fota_arena_free(&arena);
        return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    what = fota_controller_decide(&row, stages, n, &c, fota_now_ms(),
                                  reason);

    /* Nobody is passed over, and nothing ends, by an old count. */

    k = fota_ctl_known(ctl, row.id);
    age = fota_now_ms() - k->counted;

    old = k->counted == 0 || k->stage != row.stage
          || age > FOTA_CTL_COUNT_MS + k->cost * FOTA_CTL_COST
          || (what != FOTA_CTL_KEEP && age > FOTA_CTL_FRESH_MS + k->cost);

    if (what != FOTA_CTL_PAUSE && old && *left > 0) {

        rc = fota_ctl_count(ctl, &row, stages, n);

        *left -= fota_ctl_known(ctl, row.id)->cost + 1;

        if (*left <= 0) {
            ctl->last = row.id;
        }

        if (rc == FOTA_OK) {
            rc = fota_rollout_counts(ctl->db, id->id, &c);
        }

        if (rc == FOTA_OK) {
            rc = fota_ctl_exhausted(ctl, &row, &c);
        }

        what = fota_controller_decide(&row, stages, n, &c, fota_now_ms(),
                                      reason);

    } else if (what != FOTA_CTL_PAUSE && what != FOTA_CTL_KEEP && old) {

        /* Its turn to be counted comes in one of the next ticks. */

        what = FOTA_CTL_KEEP;
        (void) snprintf(reason, sizeof(reason), "%.*s",
                        (int) row.state_reason.len,
                        (const char *) row.state_reason.data);
    }

    if (rc == FOTA_OK) {
        rc = fota_ctl_apply(ctl, &row, what, reason);
    }

    fota_arena_free(&arena);

    return rc;
}


static int
fota_ctl_tick(fota_ctl_t *ctl)
{
    int             rc;
    size_t          i, n, first;
    int64_t         left;
    fota_rows_t    *rows;
    fota_ctl_id_t  *ids;

    ids = calloc(FOTA_CTL_MAX, sizeof(fota_ctl_id_t));
    if (ids == NULL) {
        return FOTA_NOMEM;
    }

    n = 0;

    rc = fota_db_query(ctl->db, &rows, "SELECT tenant_id, id FROM rollout"
                       " WHERE state = 'running' AND id > ? ORDER BY id"
                       " LIMIT 1024", "u", fota_u64(ctl->after));
    if (rc == FOTA_OK) {

        while (n < FOTA_CTL_MAX && (rc = fota_db_row(rows)) == FOTA_OK) {
            ids[n].tenant = (uint32_t) fota_db_u64(rows, 0);
            ids[n++].id = (uint32_t) fota_db_u64(rows, 1);
        }

        fota_db_rows_end(rows);

        rc = (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    /* Nobody is left out because others have many. */

    ctl->after = (n == FOTA_CTL_MAX) ? ids[n - 1].id : 0;

    /* Begun where the last budget ended, or the first would take it all. */

    for (first = 0; first < n && ids[first].id <= ctl->last; first++) {
        /* void */
    }

    left = FOTA_CTL_BUDGET_MS;

    for (i = 0; i < n && (rc == FOTA_OK || rc == FOTA_BUSY); i++) {
        rc = fota_ctl_one(ctl, &ids[(first + i) % n], &left);
    }

    free(ids);

    return (rc == FOTA_BUSY) ? FOTA_OK : rc;
}


void *
fota_controller_thread(void *data)
{
    int          rc;
    fota_ctl_t  *ctl;

    ctl = calloc(1, sizeof(fota_ctl_t));
    if (ctl == NULL) {
        return NULL;
    }

    ctl->server = data;

    do {
        ctl->db = fota_job_own(ctl->server, "controller");
        if (ctl->db == NULL) {
            continue;
        }

        ctl->nknown = 0;

        do {
            rc = fota_ctl_tick(ctl);

            if (rc != FOTA_OK) {
                fota_log(FOTA_LOG_ERROR, "controller: %s: %s",
                         fota_status_name(rc), fota_db_error(ctl->db));
            }

        } while (rc != FOTA_IO && fota_feed_sleep(FOTA_CTL_TICK_MS));

        fota_job_disown(ctl->server, ctl->db);

    } while (fota_feed_sleep(FOTA_CTL_OWN_MS));

    free(ctl);

    return NULL;
}
