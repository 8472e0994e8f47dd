/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_path.h"
#include "fota_version.h"


/* The search of one call; all in terms of "towards the target". */

typedef struct {
    const fota_path_query_t     *q;
    const fota_product_t        *p;
    const fota_product_index_t  *x;
    fota_place_t                 place;
    bool                         up;
} fota_walk_t;


/* The cheapest way from a firmware to the target. */

typedef struct {
    uint64_t  bytes;
    uint16_t  hops;             /* 0 at the target; FOTA_NONE = no way */
    uint16_t  to;               /* next firmware */
    uint16_t  artifact;
} fota_cost_t;


static uint32_t fota_edge_lower(const fota_product_t *p, uint16_t from,
    uint16_t to);
static uint16_t fota_edge_find(const fota_walk_t *w, uint16_t from,
    uint16_t to);
static bool fota_edge_usable(const fota_walk_t *w, const fota_edge_t *e);
static uint16_t fota_walk_stop(const fota_walk_t *w, uint16_t next);
static int fota_walk_steps(const fota_walk_t *w, fota_path_t *out);
static bool fota_cost_better(const fota_cost_t *a, const fota_cost_t *b);
static fota_cost_t fota_cost_add(const fota_product_t *p,
    const fota_cost_t *rest, uint16_t to, uint16_t artifact);
static void fota_walk_deltas(const fota_walk_t *w, const fota_cost_t *costs,
    uint16_t u, uint16_t wall, fota_cost_t *best);
static int fota_walk_auto(fota_mem_t *mem, const fota_walk_t *w,
    fota_path_t *out);


uint16_t
fota_firmware_find(const fota_product_t *p, uint8_t kind, fota_str_t version)
{
    int       rc;
    uint16_t  lo, hi, mid, i;

    if (kind >= FOTA_KIND__N || version.len == 0) {
        return FOTA_NONE;
    }

    lo = p->index.start[kind];
    hi = p->index.start[kind + 1];

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        i = p->index.by_version[mid];
        rc = fota_str_cmp(p->firmware[i].version, version);

        if (rc < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    if (lo == p->index.start[kind + 1]) {
        return FOTA_NONE;
    }

    i = p->index.by_version[lo];

    return fota_str_eq(p->firmware[i].version, version) ? i : FOTA_NONE;
}


uint16_t
fota_firmware_latest(const fota_product_t *p, uint8_t kind)
{
    return (kind < FOTA_KIND__N) ? p->index.latest[kind] : FOTA_NONE;
}


void
fota_path_place(const fota_product_t *p, uint8_t kind, fota_str_t version,
    fota_place_t *out)
{
    uint16_t  lo, hi, mid;

    out->index = fota_firmware_find(p, kind, version);

    if (out->index != FOTA_NONE) {
        out->next = out->index + 1;
        return;
    }

    lo = 0;
    hi = 0;

    if (kind < FOTA_KIND__N) {
        lo = p->index.start[kind];
        hi = p->index.start[kind + 1];
    }

    if (version.len == 0) {
        /* Nothing is known, so nothing may be skipped. */
        hi = lo;
    }

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (fota_version_order(p->firmware[mid].version, version) <= 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    out->next = lo;
}


/* The first edge not below (from, to); nartifacts when there is none. */

static uint32_t
fota_edge_lower(const fota_product_t *p, uint16_t from, uint16_t to)
{
    uint32_t            lo, hi, mid;
    const fota_edge_t  *e;

    lo = 0;
    hi = p->nartifacts;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        e = &p->index.edges[mid];

        if (e->from < from || (e->from == from && e->to < to)) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


static bool
fota_edge_usable(const fota_walk_t *w, const fota_edge_t *e)
{
    fota_str_t  code;

    code = w->p->artifacts[e->artifact].requires;

    return code.len == 0 || fota_filter_eval(code, w->q->facts);
}


/* The smallest usable artifact from -> to, FOTA_NONE when there is none. */

static uint16_t
fota_edge_find(const fota_walk_t *w, uint16_t from, uint16_t to)
{
    uint32_t            i;
    const fota_edge_t  *e;

    for (i = fota_edge_lower(w->p, from, to); i < w->p->nartifacts; i++) {
        e = &w->x->edges[i];

        if (e->from != from || e->to != to) {
            break;
        }

        if (fota_edge_usable(w, e)) {
            return e->artifact;
        }
    }

    return FOTA_NONE;
}


/* Where a step has to end; next is the nearest firmware on the way. */

static uint16_t
fota_walk_stop(const fota_walk_t *w, uint16_t next)
{
    uint16_t                i;
    const fota_firmware_t  *fw;

    for (i = next; i != w->q->target; w->up ? i++ : i--) {
        fw = &w->p->firmware[i];

        if (w->up && fw->must_pass) {
            break;
        }

        if (w->q->strategy == FOTA_PATH_SEQUENTIAL && !fw->withdrawn) {
            break;
        }
    }

    return i;
}


/* Strategies full, delta and sequential: the stops are given. */

static int
fota_walk_steps(const fota_walk_t *w, fota_path_t *out)
{
    bool      delta;
    uint16_t  at, next, stop, a;

    delta = (w->q->strategy != FOTA_PATH_FULL && !w->q->no_delta);

    at = w->place.index;
    next = w->up ? w->place.next
                 : ((at != FOTA_NONE) ? at : w->place.next) - 1;

    do {
        stop = fota_walk_stop(w, next);

        if (w->p->firmware[stop].withdrawn) {
            return FOTA_NOTFOUND;
        }

        a = FOTA_NONE;

        if (delta && at != FOTA_NONE) {
            a = fota_edge_find(w, at, stop);
        }

        if (a == FOTA_NONE) {
            a = fota_edge_find(w, FOTA_NONE, stop);
        }

        if (a == FOTA_NONE) {
            return FOTA_NOTFOUND;
        }

        if (out->hops == 0) {
            out->artifact = &w->p->artifacts[a];
            out->step = stop;
        }

        out->hops++;
        out->bytes += w->p->artifacts[a].size;

        at = stop;
        next = w->up ? stop + 1 : stop - 1;

    } while (stop != w->q->target);

    return FOTA_OK;
}


static bool
fota_cost_better(const fota_cost_t *a, const fota_cost_t *b)
{
    if (a->hops == FOTA_NONE || b->hops == FOTA_NONE) {
        return a->hops != FOTA_NONE;
    }

    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes;
    }

    if (a->hops != b->hops) {
        return a->hops < b->hops;
    }

    return a->to < b->to;
}


/* One step in front of the rest of the way. */

static fota_cost_t
fota_cost_add(const fota_product_t *p, const fota_cost_t *rest, uint16_t to,
    uint16_t artifact)
{
    uint64_t     size;
    fota_cost_t  c;

    size = p->artifacts[artifact].size;

    /* Sizes come from the policy; a sum that wraps must not look cheap. */

    c.bytes = (size > UINT64_MAX - rest->bytes) ? UINT64_MAX
                                                : rest->bytes + size;
    c.hops = rest->hops + 1;
    c.to = to;
    c.artifact = artifact;

    return c;
}


/* Deltas out of u that end no farther than the wall. */

static void
fota_walk_deltas(const fota_walk_t *w, const fota_cost_t *costs, uint16_t u,
    uint16_t wall, fota_cost_t *best)
{
    uint16_t            lo, hi;
    uint32_t            i;
    fota_cost_t         c;
    const fota_cost_t  *rest;
    const fota_edge_t  *e;

    lo = w->up ? u + 1 : wall;
    hi = w->up ? wall : u - 1;

    for (i = fota_edge_lower(w->p, u, lo); i < w->p->nartifacts; i++) {
        e = &w->x->edges[i];

        if (e->from != u || e->to > hi) {
            break;
        }

        rest = &costs[w->up ? w->q->target - e->to : e->to - w->q->target];

        if (rest->hops == FOTA_NONE || !fota_edge_usable(w, e)) {
            continue;
        }

        c = fota_cost_add(w->p, rest, e->to, e->artifact);

        if (fota_cost_better(&c, best)) {
            *best = c;
        }
    }
}


/*
 * Least bytes, from the target back to the device: costs[i] is the way from
 * the firmware i places before the target.  A full package serves every
 * firmware before it down to the wall (the next must-pass one), so the best
 * of them is carried along and starts anew at each wall.
 */

static int
fota_walk_auto(fota_mem_t *mem, const fota_walk_t *w, fota_path_t *out)
{
    bool         withdrawn;
    uint16_t     i, n, u, v, wall, a;
    fota_cost_t  full, best, c, *costs;

    /* Places from the target (0) to the device (n). */

    if (w->up) {
        n = w->q->target - w->place.next + 1;

    } else {
        n = ((w->place.index != FOTA_NONE) ? w->place.index : w->place.next)
            - w->q->target;
    }

    costs = fota_alloc(mem, (size_t) (n + 1) * sizeof(fota_cost_t));

    if (costs == NULL) {
        return FOTA_NOMEM;
    }

    memset(&full, 0, sizeof(fota_cost_t));
    full.hops = FOTA_NONE;
    best = full;

    costs[0] = full;
    costs[0].hops = w->p->firmware[w->q->target].withdrawn ? FOTA_NONE : 0;

    wall = w->q->target;

    for (i = 1; i <= n; i++) {
        u = w->up ? w->q->target - i : w->q->target + i;
        v = w->up ? u + 1 : u - 1;

        if (w->up && w->p->firmware[v].must_pass) {
            wall = v;
            full.hops = FOTA_NONE;
        }

        if (costs[i - 1].hops != FOTA_NONE) {
            a = fota_edge_find(w, FOTA_NONE, v);

            if (a != FOTA_NONE) {
                c = fota_cost_add(w->p, &costs[i - 1], v, a);

                if (fota_cost_better(&c, &full)) {
                    full = c;
                }
            }
        }

        best = full;

        /* The device itself may be at a firmware that is not ours. */

        withdrawn = (i != n && w->p->firmware[u].withdrawn);

        if (withdrawn) {
            best.hops = FOTA_NONE;

        } else if (!w->q->no_delta && (i != n || w->place.index != FOTA_NONE))
        {
            fota_walk_deltas(w, costs, u, wall, &best);
        }

        costs[i] = best;
    }

    if (best.hops == FOTA_NONE) {
        return FOTA_NOTFOUND;
    }

    out->artifact = &w->p->artifacts[best.artifact];
    out->step = best.to;
    out->hops = best.hops;
    out->bytes = best.bytes;

    return FOTA_OK;
}


int
fota_path_find(fota_mem_t *mem, const fota_path_query_t *q, fota_path_t *out)
{
    fota_walk_t  w;

    memset(out, 0, sizeof(fota_path_t));

    if (q->kind >= FOTA_KIND__N || q->target < q->product->index.start[q->kind]
        || q->target >= q->product->index.start[q->kind + 1])
    {
        return FOTA_NOTFOUND;
    }

    w.q = q;
    w.p = q->product;
    w.x = &q->product->index;

    out->target = q->target;

    fota_path_place(w.p, q->kind, q->version, &w.place);

    if (w.place.index == q->target) {
        /* There already; no step leads from a firmware to itself. */
        return FOTA_NOTFOUND;
    }

    w.up = (q->target >= w.place.next);

    if (q->strategy == FOTA_PATH_AUTO) {
        return fota_walk_auto(mem, &w, out);
    }

    return fota_walk_steps(&w, out);
}
