/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "controller.h"
#include "ingest_state.h"


/* What ended since the last resume. */
typedef struct {
    int64_t  ok;
    int64_t  failed;
} fota_ended_t;


static void fota_ended(const fota_rollout_counts_t *c, size_t first,
    size_t last, fota_ended_t *e);
static bool fota_ctl_errors(const fota_stage_row_t *stage,
    const fota_ended_t *e, char reason[256]);
static const char *fota_ctl_stage(const fota_stage_row_t *stages,
    size_t nstages, size_t n, char text[64]);


static void
fota_ended(const fota_rollout_counts_t *c, size_t first, size_t last,
    fota_ended_t *e)
{
    size_t  i;

    memset(e, 0, sizeof(fota_ended_t));

    for (i = first; i <= last && i < FOTA_STAGES_MAX; i++) {
        e->ok += c->stage[i][FOTA_B_SUCCEEDED] - c->base_ok[i];
        e->failed += c->stage[i][FOTA_B_FAILED] - c->base_failed[i];
    }

    /* A retried device that succeeds takes a failure of the base away. */

    e->ok = (e->ok < 0) ? 0 : e->ok;
    e->failed = (e->failed < 0) ? 0 : e->failed;
}


static bool
fota_ctl_errors(const fota_stage_row_t *stage, const fota_ended_t *e,
    char reason[256])
{
    double   pct;
    int64_t  ended;

    ended = e->ok + e->failed;

    if (stage->error_pct <= 0 || e->failed == 0 || ended == 0
        || ended < (int64_t) stage->min_count)
    {
        return false;
    }

    pct = (double) e->failed * 100 / (double) ended;

    if (pct < stage->error_pct) {
        return false;
    }

    (void) snprintf(reason, 256, "Paused: %lld of %lld failed (%.1f %%), the"
                    " limit is %.4g %%", (long long) e->failed,
                    (long long) ended, pct, stage->error_pct);

    return true;
}


static const char *
fota_ctl_stage(const fota_stage_row_t *stages, size_t nstages, size_t n,
    char text[64])
{
    if (stages[n].test_only) {
        (void) snprintf(text, 64, "Stage %zu of %zu (test devices)", n + 1,
                        nstages);
    } else {
        (void) snprintf(text, 64, "Stage %zu of %zu (%.4g %%)", n + 1,
                        nstages, (double) stages[n].permille / 100);
    }

    return text;
}


fota_ctl_e
fota_controller_decide(const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages,
    const fota_rollout_counts_t *c, int64_t now, char reason[256])
{
    char                     text[64];
    size_t                   n, i;
    int64_t                  ok, need, population, soaked;
    fota_ended_t             e;
    const fota_stage_row_t  *s;

    reason[0] = '\0';

    if (row->end != 0 && now / 1000 >= row->end) {
        (void) snprintf(reason, 256, "Finished: its end time has come");
        return FOTA_CTL_FINISH;
    }

    if (row->start != 0 && now / 1000 < row->start) {
        (void) snprintf(reason, 256, "Waiting for its start time");
        return FOTA_CTL_KEEP;
    }

    n = row->stage;

    if (n >= nstages) {
        return FOTA_CTL_KEEP;
    }

    s = &stages[n];

    /* What just got worse shows in its own stage first. */

    fota_ended(c, n, n, &e);

    if (fota_ctl_errors(s, &e, reason)) {
        return FOTA_CTL_PAUSE;
    }

    fota_ended(c, 0, n, &e);

    if (fota_ctl_errors(s, &e, reason)) {
        return FOTA_CTL_PAUSE;
    }

    population = c->population[n];

    if (population < 0) {
        (void) snprintf(reason, 256, "%s: counting its devices",
                        fota_ctl_stage(stages, nstages, n, text));
        return FOTA_CTL_KEEP;
    }

    for (i = 0, ok = 0; i <= n; i++) {
        ok += c->stage[i][FOTA_B_SUCCEEDED];
    }

    if (population < ok) {
        population = ok;
    }

    if (s->test_only && population == 0) {
        (void) snprintf(reason, 256, "%s: there are no test devices",
                        fota_ctl_stage(stages, nstages, n, text));
        return FOTA_CTL_KEEP;
    }

    /*
     * At the last stage everybody is wanted: it ends when all have ended,
     * whatever the threshold says of going on.
     */

    if (n + 1 == nstages) {
        need = c->exhausted;

        for (i = 0; i <= n; i++) {
            need += c->stage[i][FOTA_B_SUCCEEDED]
                    + c->stage[i][FOTA_B_SKIPPED];
        }

        if (population == 0 || need < population) {
            (void) snprintf(reason, 256, "%s: %lld of %lld done",
                            fota_ctl_stage(stages, nstages, n, text),
                            (long long) ok, (long long) population);
            return FOTA_CTL_KEEP;
        }

        if (!s->auto_next) {
            (void) snprintf(reason, 256, "All done: %lld of %lld succeeded,"
                            " open for devices to come", (long long) ok,
                            (long long) population);
            return FOTA_CTL_KEEP;
        }

        (void) snprintf(reason, 256, "Finished: %lld of %lld succeeded",
                        (long long) ok, (long long) population);
        return FOTA_CTL_FINISH;
    }

    need = (int64_t) ((double) population * s->success_pct / 100 + 0.999999);

    if (s->success_pct > 0 && need < (int64_t) s->min_count) {
        need = s->min_count;
    }

    /* A small stage cannot give more than it has. */

    need = (need > population) ? population : need;

    if (ok < need) {
        (void) snprintf(reason, 256, "%s: %lld of %lld done, %lld needed to"
                        " go on", fota_ctl_stage(stages, nstages, n, text),
                        (long long) ok, (long long) population,
                        (long long) need);
        return FOTA_CTL_KEEP;
    }

    soaked = (now - row->stage_since) / 1000;

    if (soaked < (int64_t) s->soak) {
        (void) snprintf(reason, 256, "%s: %lld of %lld done, watched for"
                        " %u s",
                        fota_ctl_stage(stages, nstages, n, text),
                        (long long) ok, (long long) population, s->soak);
        return FOTA_CTL_KEEP;
    }

    if (!s->auto_next) {
        (void) snprintf(reason, 256, "%s: %lld of %lld done, waiting for an"
                        " operator to go on",
                        fota_ctl_stage(stages, nstages, n, text),
                        (long long) ok, (long long) population);
        return FOTA_CTL_KEEP;
    }

    return FOTA_CTL_NEXT;
}
