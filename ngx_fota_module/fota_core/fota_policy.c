/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_hash.h"
#include "fota_policy.h"
#include "fota_policy_time.h"
#include "fota_version.h"


/*
 * How far a rollout came.  The order is that of the tests, and is all that
 * chooses between the reasons of rollouts that do not match.
 */

typedef enum {
    FOTA_P_STATE = 1,
    FOTA_P_START,
    FOTA_P_END,
    FOTA_P_PIN,
    FOTA_P_FILTER,
    FOTA_P_SOURCE,
    FOTA_P_GEO,
    FOTA_P_DOWNGRADE,
    FOTA_P_TARGET,
    FOTA_P_ATTEMPTS,
    FOTA_P_STAGE,
    FOTA_P_STALE,
    FOTA_P_PATH,
    FOTA_P_WINDOW,
    FOTA_P_CAPACITY,
    FOTA_P_OFFER
} fota_progress_e;


typedef enum {
    FOTA_AT_UNKNOWN = 0,
    FOTA_AT_BELOW,
    FOTA_AT_TARGET,
    FOTA_AT_ABOVE
} fota_at_e;


/* One decision.  What several rollouts ask is worked out once. */

typedef struct {
    fota_mem_t                 *mem;
    fota_policy_env_t          *env;
    const fota_policy_input_t  *in;
    fota_decision_t            *out;
    fota_str_t                  device;
    uint32_t                    poll;

    fota_policy_clock_t         clock;

    fota_place_t                place;
    unsigned                    placed:1;
    uint16_t                    at_target;      /* of which at is said */
    fota_at_e                   at;
    uint8_t                     memo[FOTA_FILTER_MEMO_MAX];

    /* Of the rollout being looked at. */
    fota_reason_e               reason;
    const char                 *detail;
    uint16_t                    target;
    fota_path_t                 path;
    int64_t                     until;
} fota_policy_t;


static const char *const  fota_reason_names[] = {
    "offer", "up_to_date", "no_rollout", "not_targeted", "geo", "stage",
    "window", "not_started", "ended", "paused", "blocked", "attempts",
    "downgrade", "no_path", "capacity", "stale_policy", "hook"
};


const char *
fota_reason_name(fota_reason_e r)
{
    return ((unsigned) r < FOTA_R__N) ? fota_reason_names[r] : "unknown";
}


uint16_t
fota_stage_bucket(uint64_t salt, fota_str_t device)
{
    return (uint16_t) (fota_siphash(salt, 0, device.data, device.len) % 10000);
}


static fota_progress_e
fota_policy_no(fota_policy_t *p, fota_progress_e progress,
    fota_reason_e reason, const char *detail)
{
    p->reason = reason;
    p->detail = detail;

    return progress;
}


/* Brakes of everything around the rollouts: NULL when none is on. */

static const char *
fota_policy_brake(const fota_policy_input_t *in)
{
    if (in->global != NULL && in->global->brake != FOTA_BRAKE_NONE) {
        return "the brake of the installation is on";
    }

    if (in->tenant != NULL && in->tenant->brake != FOTA_BRAKE_NONE) {
        return "the brake of the tenant is on";
    }

    if (in->product->brake != FOTA_BRAKE_NONE) {
        return "the brake of the product is on";
    }

    return NULL;
}


/*
 * While the centre is out of reach nobody else can stop a rollout that
 * breaks devices, so this edge does by what it has seen itself.
 */

static bool
fota_policy_tripped(fota_policy_t *p, const fota_rollout_t *r)
{
    uint64_t             seen;
    fota_rollout_load_t  load;

    if (r->error_permille == 0 || !p->in->cut_off || p->env->load == NULL) {
        return false;
    }

    memset(&load, 0, sizeof(fota_rollout_load_t));

    p->env->load(p->env, r->id, &load);

    seen = (uint64_t) load.ok + load.failed;

    return seen != 0 && seen >= r->error_min
           && (uint64_t) load.failed * 1000 >= r->error_permille * seen;
}


static const char *
fota_policy_state(fota_policy_t *p, const fota_rollout_t *r)
{
    const char  *brake;

    brake = fota_policy_brake(p->in);

    if (brake != NULL) {
        return brake;
    }

    if (r->brake != FOTA_BRAKE_NONE) {
        return "the brake of the rollout is on";
    }

    switch (r->state) {

    case FOTA_ROLLOUT_RUNNING:
        break;

    case FOTA_ROLLOUT_READY:
        return "not yet started by an operator";

    case FOTA_ROLLOUT_PAUSED:
        return "paused";

    case FOTA_ROLLOUT_STOPPED:
        return "stopped";

    default: /* FOTA_ROLLOUT_FINISHED */
        return "finished";
    }

    if (fota_policy_tripped(p, r)) {
        return "error threshold on this edge";
    }

    return NULL;
}


static bool
fota_policy_source(const fota_policy_t *p, const fota_rollout_t *r)
{
    uint16_t  i;

    if (r->nsources == 0) {
        return true;
    }

    for (i = 0; i < r->nsources; i++) {
        if (fota_str_match(r->sources[i], p->in->facts->version)) {
            return true;
        }
    }

    return false;
}


/* What is wrong with the place, NULL when nothing is. */

static const char *
fota_policy_geo(const fota_policy_t *p, const fota_rollout_t *r)
{
    uint16_t                i;
    const fota_location_t  *l;

    if (r->ninclude == 0 && r->nexclude == 0) {
        return NULL;
    }

    l = p->in->facts->locate(p->in->facts);

    if (l->source == FOTA_GEO_NONE || l->country[0] == '\0') {
        return r->geo_unknown_allow ? NULL : "the location is not known";
    }

    for (i = 0; i < r->nexclude; i++) {
        if (fota_geo_match(r->exclude[i], l)) {
            return "the location is excluded";
        }
    }

    if (r->ninclude == 0) {
        return NULL;
    }

    for (i = 0; i < r->ninclude; i++) {
        if (fota_geo_match(r->include[i], l)) {
            return NULL;
        }
    }

    return "the location is not included";
}


/* Where the device stands towards a target. */

static fota_at_e
fota_policy_at(fota_policy_t *p, uint16_t target)
{
    fota_str_t  version;

    if (p->at != FOTA_AT_UNKNOWN && p->at_target == target) {
        return p->at;
    }

    p->at_target = target;

    version = p->in->product->firmware[target].version;

    if (fota_str_eq(p->in->facts->version, version)) {
        p->at = FOTA_AT_TARGET;
        return p->at;
    }

    if (!p->placed) {
        fota_path_place(p->in->product, p->in->kind, p->in->facts->version,
                        &p->place);
        p->placed = 1;
    }

    if (p->in->facts->version.len != 0
        && fota_version_order(p->in->facts->version, version) == 0)
    {
        p->at = FOTA_AT_TARGET;

    } else {
        p->at = (target >= p->place.next) ? FOTA_AT_BELOW : FOTA_AT_ABOVE;
    }

    return p->at;
}


static const fota_attempt_t *
fota_policy_attempt(const fota_device_t *d, uint32_t rollout)
{
    uint16_t  i;

    if (d == NULL) {
        return NULL;
    }

    for (i = 0; i < d->nattempts; i++) {
        if (d->attempts[i].rollout == rollout) {
            return &d->attempts[i];
        }
    }

    return NULL;
}


static bool
fota_policy_tester(const fota_policy_t *p, const fota_rollout_t *r)
{
    size_t               lo, hi, mid;
    const fota_facts_t  *f;

    if (p->in->device != NULL && p->in->device->test) {
        return true;
    }

    if (r->test_group == 0) {
        return false;
    }

    f = p->in->facts;
    lo = 0;
    hi = f->ngroups;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (f->groups[mid] < r->test_group) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo < f->ngroups && f->groups[lo] == r->test_group;
}


/* What keeps the device out of the stage, NULL when it is in. */

static const char *
fota_policy_stage(const fota_policy_t *p, const fota_rollout_t *r)
{
    /* The usual end of a rollout needs neither groups nor a hash. */

    if (!r->test_only && r->reached >= 10000) {
        return NULL;
    }

    if (fota_policy_tester(p, r)) {
        return NULL;
    }

    if (r->test_only) {
        return "the test stage is for test devices";
    }

    if (fota_stage_bucket(r->salt, p->device) < r->reached) {
        return NULL;
    }

    return "not yet in the share reached";
}


static int
fota_policy_path(fota_policy_t *p, const fota_rollout_t *r,
    const fota_attempt_t *attempt)
{
    fota_path_query_t  q;

    if (p->target == FOTA_NONE) {
        p->detail = "there is no firmware of this kind";
        return FOTA_NOTFOUND;
    }

    if (p->in->product->firmware[p->target].withdrawn) {
        p->detail = "the target is withdrawn";
        return FOTA_NOTFOUND;
    }

    q.product = p->in->product;
    q.kind = p->in->kind;
    q.strategy = r->strategy;
    q.version = p->in->facts->version;
    q.target = p->target;
    q.no_delta = p->in->no_delta || (attempt != NULL && attempt->delta_failed);
    q.facts = p->in->facts;

    p->detail = "no artifacts lead to the target";

    return fota_path_find(p->mem, &q, &p->path);
}


static bool
fota_policy_capacity(fota_policy_t *p, const fota_rollout_t *r)
{
    fota_rollout_load_t  load;

    if ((r->max_active == 0 && r->max_bps == 0) || p->env->load == NULL) {
        return true;
    }

    memset(&load, 0, sizeof(fota_rollout_load_t));

    p->env->load(p->env, r->id, &load);

    if (r->max_active != 0 && load.active >= r->max_active) {
        p->detail = "as many downloads as allowed are running";
        return false;
    }

    if (r->max_bps != 0 && load.bps >= r->max_bps) {
        p->detail = "as many bytes per second as allowed are sent";
        return false;
    }

    return true;
}


/* Never later than the usual poll, maybe sooner. */

static void
fota_policy_wake(fota_policy_t *p, uint32_t poll)
{
    if (poll < p->poll) {
        p->poll = poll;
    }
}


/* How far does the rollout come?  FOTA_P_OFFER, or 0 without memory. */

static fota_progress_e
fota_policy_rollout(fota_policy_t *p, const fota_rollout_t *r)
{
    int                          rc;
    int64_t                      next;
    fota_at_e                    at;
    const char                  *why;
    const fota_attempt_t        *attempt;
    const fota_policy_input_t   *in;
    const fota_filter_shared_t  *filter;

    in = p->in;

    p->target = (r->target != FOTA_NONE)
                ? r->target : fota_firmware_latest(in->product, in->kind);

    why = fota_policy_state(p, r);

    if (why != NULL) {
        return fota_policy_no(p, FOTA_P_STATE, FOTA_R_PAUSED, why);
    }

    if (r->start != 0 && in->now < r->start) {
        fota_policy_wake(p, fota_policy_wake_start(r, in->now, p->device));
        return fota_policy_no(p, FOTA_P_START, FOTA_R_NOT_STARTED, NULL);
    }

    if (r->end != 0 && in->now >= r->end) {
        return fota_policy_no(p, FOTA_P_END, FOTA_R_ENDED, NULL);
    }

    if (in->device != NULL && in->device->pin.len != 0
        && (p->target == FOTA_NONE
            || fota_version_order(in->device->pin,
                                  in->product->firmware[p->target].version)
               != 0))
    {
        return fota_policy_no(p, FOTA_P_PIN, FOTA_R_NOT_TARGETED, "pinned");
    }

    filter = &in->product->index.filters[r - in->product->rollouts];

    if (!fota_filter_eval_shared(filter, in->facts, p->memo)) {
        return fota_policy_no(p, FOTA_P_FILTER, FOTA_R_NOT_TARGETED,
                              "the target filter does not match");
    }

    if (!fota_policy_source(p, r)) {
        return fota_policy_no(p, FOTA_P_SOURCE, FOTA_R_NOT_TARGETED,
                              "the version is not among the allowed sources");
    }

    why = fota_policy_geo(p, r);

    if (why != NULL) {
        return fota_policy_no(p, FOTA_P_GEO, FOTA_R_GEO, why);
    }

    if (p->target != FOTA_NONE) {
        at = fota_policy_at(p, p->target);

        if (at == FOTA_AT_ABOVE && !r->allow_downgrade) {
            return fota_policy_no(p, FOTA_P_DOWNGRADE, FOTA_R_DOWNGRADE,
                                  "the version is above the target");
        }

        if (at == FOTA_AT_TARGET) {
            return fota_policy_no(p, FOTA_P_TARGET, FOTA_R_UP_TO_DATE, NULL);
        }
    }

    attempt = fota_policy_attempt(in->device, r->id);

    if (r->max_attempts != 0 && attempt != NULL
        && attempt->attempts >= r->max_attempts)
    {
        return fota_policy_no(p, FOTA_P_ATTEMPTS, FOTA_R_ATTEMPTS, NULL);
    }

    why = fota_policy_stage(p, r);

    if (why != NULL) {
        return fota_policy_no(p, FOTA_P_STAGE, FOTA_R_STAGE, why);
    }

    if (r->require_fresh && in->max_stale != 0 && in->lag > in->max_stale) {
        return fota_policy_no(p, FOTA_P_STALE, FOTA_R_STALE_POLICY,
                              "the policy is older than this rollout allows");
    }

    rc = fota_policy_path(p, r, attempt);

    if (rc != FOTA_OK) {
        p->reason = FOTA_R_NO_PATH;
        return (rc == FOTA_NOTFOUND) ? FOTA_P_PATH : 0;
    }

    if (!fota_policy_window(&p->clock, r, in->now, &p->until, &next)) {
        fota_policy_wake(p, fota_policy_wake_window(&p->clock, r, in->now,
                                                    next, p->device));
        return fota_policy_no(p, FOTA_P_WINDOW, FOTA_R_WINDOW,
                              "the window is closed in the device's time");
    }

    if (!fota_policy_capacity(p, r)) {
        p->reason = FOTA_R_CAPACITY;
        fota_policy_wake(p, fota_policy_wake_capacity(r->id, in->now,
                                                      p->device));
        return FOTA_P_CAPACITY;
    }

    return fota_policy_no(p, FOTA_P_OFFER, FOTA_R_OFFER, NULL);
}


static void
fota_policy_blocked(fota_policy_t *p)
{
    uint16_t               i;
    const fota_rollout_t  *r;

    p->out->reason = FOTA_R_BLOCKED;

    if (p->env->trace == NULL) {
        return;
    }

    for (i = 0; i < p->in->product->nrollouts; i++) {
        r = &p->in->product->rollouts[i];

        if (r->kind == p->in->kind) {
            p->env->trace(p->env, r, FOTA_R_BLOCKED, "the device is blocked");
        }
    }
}


static void
fota_policy_take(fota_policy_t *p, const fota_rollout_t *r)
{
    fota_decision_t  *out;

    out = p->out;

    out->reason = p->reason;
    out->rollout = r;
    out->target = (p->target == FOTA_NONE)
                  ? NULL : &p->in->product->firmware[p->target];

    if (p->reason == FOTA_R_OFFER) {
        out->path = p->path;
        out->window_until = (r->nwindows == 0) ? 0 : p->until;
    }
}


int
fota_policy_decide(fota_mem_t *mem, fota_policy_env_t *env,
    const fota_policy_input_t *in, fota_decision_t *out)
{
    uint16_t               i;
    fota_policy_t          p;
    fota_progress_e        far, best;
    const fota_rollout_t  *r;

    memset(out, 0, sizeof(fota_decision_t));

    p.mem = mem;
    p.env = env;
    p.in = in;
    p.out = out;
    p.device = in->facts->id;
    p.poll = fota_policy_poll(in->product, p.device);
    p.placed = 0;
    p.at = FOTA_AT_UNKNOWN;
    p.at_target = FOTA_NONE;

    memset(p.memo, 0, in->product->index.nmemo);

    fota_policy_clock_init(&p.clock, env, in->facts);

    out->reason = FOTA_R_NO_ROLLOUT;
    out->poll = p.poll;

    if (in->device != NULL && in->device->blocked) {
        fota_policy_blocked(&p);
        return FOTA_OK;
    }

    best = 0;

    for (i = 0; i < in->product->nrollouts; i++) {
        r = &in->product->rollouts[i];

        if (r->kind != in->kind) {
            continue;
        }

        far = fota_policy_rollout(&p, r);

        if (far == 0) {
            return FOTA_NOMEM;
        }

        if (env->trace != NULL) {
            env->trace(env, r, p.reason, p.detail);
        }

        if (far > best) {
            best = far;
            fota_policy_take(&p, r);
        }

        if (far == FOTA_P_OFFER) {
            break;
        }
    }

    if (best == FOTA_P_OFFER) {
        /* What other rollouts wait for can wait until the update is done. */
        p.poll = out->poll;
    }

    out->poll = p.poll;

    return FOTA_OK;
}
