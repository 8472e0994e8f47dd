/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_node_run.h"


#define FOTA_NODE_LOCAL      128    /* candidates held on the stack */


static int fota_node_run(fota_node_run_t *s, bool grouped);
static fota_node_reason_e fota_node_filter(fota_node_run_t *s,
    const fota_node_t *node);
static bool fota_node_scope(const fota_node_run_t *s,
    const fota_node_t *node);
static bool fota_node_panic(fota_node_run_t *s);
static void fota_node_defaults(fota_node_run_t *s);
static void fota_node_explain(fota_node_run_t *s, fota_node_trace_pt trace,
    void *ctx);


const fota_select_conf_t  fota_select_defaults = {
    1.5, 100.0, 3000.0, 3, 90
};


bool
fota_node_has(const uint32_t *list, uint32_t n, uint32_t value)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        if (list[i] == value) {
            return true;
        }
    }

    return false;
}


bool
fota_node_fresh(const fota_node_run_t *s, const fota_node_t *node)
{
    return node->as_of != 0 && s->q->now >= 0
           && ((uint64_t) s->q->now <= node->as_of
               || (uint64_t) s->q->now - node->as_of <= s->conf->health_s);
}


static bool
fota_node_down(const fota_node_run_t *s, const fota_node_t *node)
{
    return node->state == FOTA_NODE_DOWN
           || (node->health == 0 && fota_node_fresh(s, node));
}


int
fota_node_select(fota_mem_t *mem, const fota_node_set_t *set,
    const fota_select_conf_t *conf, const fota_node_query_t *q,
    fota_node_choice_t *out, fota_node_trace_pt trace, void *trace_ctx)
{
    int                     rc, grouped;
    fota_node_run_t         s;
    fota_node_cand_t        local[FOTA_NODE_LOCAL];
    const fota_location_t  *loc;

    memset(out, 0, sizeof(fota_node_choice_t));

    s.set = set;
    s.conf = conf;
    s.q = q;
    s.out = out;
    s.cand = local;
    s.asked = -1;
    s.mintable = 0;
    s.navoid = (q->navoid > FOTA_AVOID_MAX) ? FOTA_AVOID_MAX : q->navoid;

    if (set->n > FOTA_NODE_LOCAL) {
        s.cand = fota_alloc(mem, set->n * sizeof(fota_node_cand_t));

        if (s.cand == NULL) {
            return FOTA_NOMEM;
        }
    }

    loc = q->location;

    s.located = loc != NULL && loc->has_position && !loc->centroid
                && isfinite(loc->lat) && isfinite(loc->lon);

    if (s.located) {
        fota_node_vector(loc->lat, loc->lon, s.v);
    }

    grouped = FOTA_NOTFOUND;

    if (q->prefix_group != 0) {
        grouped = fota_node_run(&s, true);
    }

    rc = grouped;

    if (rc != FOTA_OK) {
        rc = fota_node_run(&s, false);

        /* The group was full, nobody else may: worth coming back. */

        if (rc == FOTA_NOTFOUND && grouped == FOTA_BUSY) {
            rc = FOTA_BUSY;
        }
    }

    if (trace != NULL) {
        fota_node_explain(&s, trace, trace_ctx);
    }

    return rc;
}


static int
fota_node_run(fota_node_run_t *s, bool grouped)
{
    uint32_t  i;

    s->grouped = grouped;
    s->n = 0;
    s->out->panic = 0;

    for (i = 0; i < s->set->n; i++) {
        if (fota_node_filter(s, &s->set->nodes[i].node) == FOTA_N_CANDIDATE) {
            s->cand[s->n].down = 0;
            s->cand[s->n++].entry = &s->set->nodes[i];
        }
    }

    if (!fota_node_panic(s)) {
        return FOTA_NOTFOUND;
    }

    if (!s->located && !grouped) {
        fota_node_defaults(s);
    }

    return fota_node_rank(s);
}


static fota_node_reason_e
fota_node_filter(fota_node_run_t *s, const fota_node_t *node)
{
    uint32_t                  i;
    const fota_location_t    *loc;
    const fota_node_query_t  *q;

    q = s->q;
    loc = q->location;

    if (s->grouped && node->group != q->prefix_group) {
        return FOTA_N_POOL;
    }

    if (node->state == FOTA_NODE_DRAIN || node->weight == 0) {
        return FOTA_N_STATE;
    }

    if (!(node->families & q->family)) {
        return FOTA_N_FAMILY;
    }

    if (node->ntenants != 0
        && !fota_node_has(node->tenants, node->ntenants, q->tenant))
    {
        return FOTA_N_TENANT;
    }

    if (node->scope != FOTA_SCOPE_ANY && !fota_node_scope(s, node)) {
        return FOTA_N_SCOPE;
    }

    if (node->nexcluded != 0 && loc != NULL && loc->country[0] != '\0') {
        for (i = 0; i < node->nexcluded; i++) {
            if (fota_str_eq_nocase(node->excluded[i],
                                   fota_cstr(loc->country)))
            {
                return FOTA_N_EXCLUDED;
            }
        }
    }

    if (s->navoid != 0 && fota_node_has(q->avoid, s->navoid, node->id)) {
        return FOTA_N_AVOIDED;
    }

    if (q->pool != 0 && node->group != q->pool) {
        return FOTA_N_POOL;
    }

    if (q->mintable == NULL) {
        return FOTA_N_CANDIDATE;
    }

    /* Neighbours mostly are of one group. */

    if (s->asked != node->group) {
        s->asked = node->group;
        s->mintable = q->mintable(q->mintable_ctx, node->group);
    }

    if (!s->mintable) {
        return FOTA_N_KEY;
    }

    return FOTA_N_CANDIDATE;
}


static bool
fota_node_scope(const fota_node_run_t *s, const fota_node_t *node)
{
    const fota_location_t  *loc;

    if (node->scope == FOTA_SCOPE_PREFIX) {
        return s->grouped;
    }

    loc = s->q->location;

    if (loc == NULL) {
        return false;
    }

    switch (node->scope) {

    case FOTA_SCOPE_CONTINENT:
        return fota_node_same_code(loc->continent, node->continent);

    case FOTA_SCOPE_COUNTRY:
        return fota_node_same_code(loc->country, node->country);

    case FOTA_SCOPE_ASN:

        /* 0 is "not known", never a network two sides share. */

        return loc->asn != 0
               && fota_node_has(node->asns, node->nasns, loc->asn);

    default:
        return false;
    }
}


/*
 * Drops the nodes that are down, or keeps them when they are too many to be
 * believed.  False when nothing is left, and for a prefix group also when
 * none is up: others are then better than hope.
 */

static bool
fota_node_panic(fota_node_run_t *s)
{
    uint32_t  i, down, kept;

    down = 0;

    for (i = 0; i < s->n; i++) {
        if (fota_node_down(s, &s->cand[i].entry->node)) {
            s->cand[i].down = 1;
            down++;
        }
    }

    if (down == 0) {
        return s->n != 0;
    }

    if (s->grouped && down == s->n) {
        return false;
    }

    if (down * 2 > s->n) {
        s->out->panic = 1;
        return true;
    }

    kept = 0;

    for (i = 0; i < s->n; i++) {
        if (!s->cand[i].down) {
            s->cand[kept++] = s->cand[i];
        }
    }

    s->n = kept;

    return true;
}


/* Leaves the defaults of the country, else the continent, else of all. */

static void
fota_node_defaults(fota_node_run_t *s)
{
    uint8_t                     level, best;
    uint32_t                    i, lo, hi, mid, kept;
    const fota_tenant_t        *t;
    const fota_location_t      *loc;
    const fota_default_node_t  *d;

    t = s->q->tenant_conf;
    loc = s->q->location;

    if (t == NULL || t->ndefaults == 0) {
        return;
    }

    best = 3;

    for (i = 0; i < s->n; i++) {
        s->cand[i].level = best;
    }

    for (i = 0; i < t->ndefaults; i++) {
        d = &t->defaults[i];

        if (d->country[0] == '*') {
            level = 2;

        } else if (loc != NULL && d->country[0] == '-'
                   && fota_node_same_code(d->country + 1, loc->continent))
        {
            level = 1;

        } else if (loc != NULL
                   && fota_node_same_code(d->country, loc->country))
        {
            level = 0;

        } else {
            continue;
        }

        /* Candidates are in the order of the set, by id. */

        lo = 0;
        hi = s->n;

        while (lo < hi) {
            mid = lo + (hi - lo) / 2;

            if (s->cand[mid].entry->node.id < d->node) {
                lo = mid + 1;

            } else {
                hi = mid;
            }
        }

        if (lo == s->n || s->cand[lo].entry->node.id != d->node) {
            continue;
        }

        if (level < s->cand[lo].level) {
            s->cand[lo].level = level;
        }

        if (level < best) {
            best = level;
        }
    }

    if (best == 3) {
        return;
    }

    kept = 0;

    for (i = 0; i < s->n; i++) {
        if (s->cand[i].level == best) {
            s->cand[kept++] = s->cand[i];
        }
    }

    s->n = kept;
}


static void
fota_node_explain(fota_node_run_t *s, fota_node_trace_pt trace, void *ctx)
{
    double                    km, worst;
    uint32_t                  i, k;
    fota_node_cand_t         *c;
    fota_node_reason_e        reason;
    const fota_node_entry_t  *e;

    worst = -1;

    for (k = 0; k < s->n; k++) {
        if (s->cand[k].reason == FOTA_N_PICKED && s->cand[k].score > worst) {
            worst = s->cand[k].score;
        }
    }

    for (i = 0, k = 0; i < s->set->n; i++) {
        e = &s->set->nodes[i];

        if (k < s->n && s->cand[k].entry == e) {
            c = &s->cand[k++];
            reason = c->reason;

            if (reason == FOTA_N_CANDIDATE && fota_node_score(c) < worst) {
                reason = FOTA_N_SITE;
            }

            trace(ctx, e, reason, c->km, c->weight,
                  (c->weight > 0) ? fota_node_score(c) : 0);
            continue;
        }

        km = s->located ? fota_node_km(s->v, e) : 0;
        reason = fota_node_filter(s, &e->node);

        if (reason == FOTA_N_CANDIDATE) {

            /* It passed, so it was down or is no default here. */

            reason = (!s->out->panic && fota_node_down(s, &e->node))
                     ? FOTA_N_STATE : FOTA_N_FAR;
        }

        trace(ctx, e, reason, km, 0, 0);
    }
}
