/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Distance, band, weight and weighted rendezvous over the candidates. */


#include <math.h>

#include "fota_hash.h"
#include "fota_node_run.h"


#define FOTA_NODE_FLOOR_KM   50.0
#define FOTA_NODE_COUNTRY    0.8
#define FOTA_NODE_ASN        0.5
#define FOTA_NODE_STALE      0.5

/* Headroom falls from 1 to 0 between these loads. */

#define FOTA_NODE_BUSY       0.70
#define FOTA_NODE_FULL       0.90


static void fota_node_distances(fota_node_run_t *s);
static double fota_node_band(fota_node_run_t *s);
static uint64_t fota_node_key(const fota_node_query_t *q);
static bool fota_node_weigh(fota_node_run_t *s, double nearest);
static void fota_node_pick(fota_node_run_t *s);
static fota_node_cand_t *fota_node_best(fota_node_run_t *s, bool apart);
static bool fota_node_site_taken(const fota_node_choice_t *out,
    const fota_node_t *node);


int
fota_node_rank(fota_node_run_t *s)
{
    double  nearest;

    fota_node_distances(s);

    nearest = fota_node_band(s);

    if (!fota_node_weigh(s, nearest)) {
        return FOTA_BUSY;
    }

    fota_node_pick(s);

    return FOTA_OK;
}


static void
fota_node_distances(fota_node_run_t *s)
{
    double                  d;
    uint32_t                i;
    fota_node_cand_t       *c;
    const fota_node_t      *node;
    const fota_location_t  *loc;

    loc = s->q->location;

    for (i = 0; i < s->n; i++) {
        c = &s->cand[i];

        if (!s->located) {
            c->km = 0;
            c->distance = FOTA_NODE_FLOOR_KM;
            continue;
        }

        node = &c->entry->node;
        c->km = fota_node_km(s->v, c->entry);

        d = (c->km < FOTA_NODE_FLOOR_KM) ? FOTA_NODE_FLOOR_KM : c->km;

        if (fota_node_same_code(loc->country, node->country)) {
            d *= FOTA_NODE_COUNTRY;
        }

        if (loc->asn != 0 && fota_node_has(node->asns, node->nasns, loc->asn))
        {
            d *= FOTA_NODE_ASN;
        }

        c->distance = d;
    }
}


/* Marks who is in the band; the distance of the nearest is returned. */

static double
fota_node_band(fota_node_run_t *s)
{
    double    nearest, limit, further;
    uint32_t  i, in;

    nearest = s->cand[0].distance;

    for (i = 1; i < s->n; i++) {
        if (s->cand[i].distance < nearest) {
            nearest = s->cand[i].distance;
        }
    }

    limit = nearest * s->conf->band + s->conf->band_km;

    for ( ;; ) {
        in = 0;
        further = INFINITY;

        for (i = 0; i < s->n; i++) {
            if (s->cand[i].distance <= limit) {
                s->cand[i].reason = FOTA_N_CANDIDATE;
                in++;

            } else {
                s->cand[i].reason = FOTA_N_FAR;

                if (s->cand[i].distance < further) {
                    further = s->cand[i].distance;
                }
            }
        }

        if (in >= s->conf->min || !(further <= s->conf->max_km)) {
            return nearest;
        }

        limit = further;
    }
}


static uint64_t
fota_node_key(const fota_node_query_t *q)
{
    size_t    n;
    uint8_t   key[34];
    uint16_t  part;

    memcpy(key, q->artifact, 32);
    n = 32;

    if (q->dispersion != 0) {
        part = (uint16_t) (q->device_hash % q->dispersion);
        key[n++] = (uint8_t) part;
        key[n++] = (uint8_t) (part >> 8);
    }

    return fota_siphash(0, 0, key, n);
}


/* False when all of the band are full. */

static bool
fota_node_weigh(fota_node_run_t *s, double nearest)
{
    bool                any, fresh;
    double              h, u, room;
    uint8_t             id[4];
    uint32_t            i, k;
    uint64_t            key, hash;
    fota_node_cand_t   *c;
    const fota_node_t  *node;

    any = false;
    key = fota_node_key(s->q);

    for (i = 0; i < s->n; i++) {
        c = &s->cand[i];
        c->weight = 0;
        c->score = -1;

        if (c->reason != FOTA_N_CANDIDATE) {
            continue;
        }

        node = &c->entry->node;
        fresh = fota_node_fresh(s, node);

        h = s->out->panic ? 1 : fresh ? node->health / 100.0
                                      : FOTA_NODE_STALE;

        if (h > 1) {
            h = 1;
        }

        u = fresh ? node->load / 100.0 : 0;
        room = (FOTA_NODE_FULL - u) / (FOTA_NODE_FULL - FOTA_NODE_BUSY);

        /* 90 percent is full, whatever rounding leaves of 0.90 - 0.90. */

        room = (room > 1) ? 1 : (room < 1e-9) ? 0 : room;

        c->weight = (double) node->weight * node->cap_mbps * h * room
                    * nearest / c->distance;

        if (!(c->weight > 0)) {
            c->weight = 0;
            c->reason = FOTA_N_FULL;
            continue;
        }

        any = true;

        for (k = 0; k < 4; k++) {
            id[k] = (uint8_t) (node->id >> (8 * k));
        }

        hash = fota_siphash(key, 0, id, 4);

        c->u = (double) ((hash >> 11) + 1) * 0x1p-53;
        c->bound = (1 - c->u) / c->weight;
    }

    return any;
}


/* The smaller, the better; an exponential race that the weights decide. */

double
fota_node_score(fota_node_cand_t *c)
{
    if (c->score < 0) {
        c->score = -log(c->u) / c->weight;
    }

    return c->score;
}


static void
fota_node_pick(fota_node_run_t *s)
{
    fota_node_cand_t    *c;
    fota_node_choice_t  *out;

    out = s->out;

    while (out->n < FOTA_PICKS_MAX) {
        c = fota_node_best(s, true);

        if (c == NULL) {
            c = fota_node_best(s, false);
        }

        if (c == NULL) {
            return;
        }

        c->reason = FOTA_N_PICKED;
        out->pick[out->n] = c->entry;
        out->km[out->n++] = c->km;
    }
}


/*
 * The logarithm is the dearest part of all, and -ln U >= 1 - U: whoever's
 * bound is behind the best so far need not have it computed.
 */

static fota_node_cand_t *
fota_node_best(fota_node_run_t *s, bool apart)
{
    uint32_t           i;
    fota_node_cand_t  *c, *best;

    best = NULL;

    for (i = 0; i < s->n; i++) {
        c = &s->cand[i];

        if (c->reason != FOTA_N_CANDIDATE
            || (best != NULL && c->bound > best->score))
        {
            continue;
        }

        if (apart && fota_node_site_taken(s->out, &c->entry->node)) {
            continue;
        }

        /* Equal scores: the lower id. */

        if (best == NULL || fota_node_score(c) < best->score) {
            (void) fota_node_score(c);
            best = c;
        }
    }

    return best;
}


/* Nothing is known of a node without a site, so it stands for itself. */

static bool
fota_node_site_taken(const fota_node_choice_t *out, const fota_node_t *node)
{
    uint32_t  i;

    for (i = 0; i < out->n; i++) {
        if (node->site.len != 0
            && fota_str_eq(node->site, out->pick[i]->node.site))
        {
            return true;
        }
    }

    return false;
}
