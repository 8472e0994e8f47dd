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


static void fota_node_distances(fota_node_run_t *s);
static void fota_node_band(fota_node_run_t *s);
static uint64_t fota_node_key(const fota_node_query_t *q);
static bool fota_node_weigh(fota_node_run_t *s);
static void fota_node_pick(fota_node_run_t *s);
static fota_node_cand_t *fota_node_best(fota_node_run_t *s, bool apart);
static bool fota_node_site_taken(const fota_node_choice_t *out,
    const fota_node_t *node);


int
fota_node_rank(fota_node_run_t *s)
{
    fota_node_distances(s);

    fota_node_band(s);

    if (!fota_node_weigh(s)) {
        return FOTA_BUSY;
    }

    fota_node_pick(s);

    return FOTA_OK;
}


static void
fota_node_distances(fota_node_run_t *s)
{
    double                  d, country, asn;
    uint32_t                i;
    fota_node_cand_t       *c;
    const fota_node_t      *node;
    const fota_location_t  *loc;

    loc = s->q->location;

    for (i = 0; i < s->n; i++) {
        c = &s->cand[i];
        c->weight = 0;

        if (!s->located) {
            c->km = 0;
            c->distance = FOTA_NODE_FLOOR_KM;
            continue;
        }

        node = &c->entry->node;
        c->km = fota_node_arc(s->v, c->entry);

        d = (c->km < FOTA_NODE_FLOOR_KM) ? FOTA_NODE_FLOOR_KM : c->km;

        country = fota_node_same_code(loc->country, node->country)
                  ? FOTA_NODE_COUNTRY : 1;

        asn = (loc->asn != 0
               && fota_node_has(node->asns, node->nasns, loc->asn))
              ? FOTA_NODE_ASN : 1;

        c->distance = d * country * asn;
    }
}


/*
 * Chains who is in the band.  The scans are written without branches, as
 * distances come in any order.
 */

static void
fota_node_band(fota_node_run_t *s)
{
    double             nearest, limit, further, d;
    uint32_t           i, in;
    fota_node_cand_t  *c, **link;

    nearest = INFINITY;

    for (i = 0; i < s->n; i++) {
        d = s->cand[i].distance;
        nearest = (d < nearest) ? d : nearest;
    }

    s->nearest = nearest;
    limit = nearest * s->conf->band + s->conf->band_km;

    for ( ;; ) {
        in = 0;
        further = INFINITY;

        for (i = 0; i < s->n; i++) {
            d = s->cand[i].distance;
            in += (d <= limit);
            d = (d <= limit) ? INFINITY : d;
            further = (d < further) ? d : further;
        }

        if (in >= s->conf->min || !(further <= s->conf->max_km)) {
            break;
        }

        limit = further;
    }

    link = &s->band;

    for (i = 0; i < s->n; i++) {
        c = &s->cand[i];
        c->reason = FOTA_N_FAR;

        if (c->distance <= limit) {
            c->reason = FOTA_N_CANDIDATE;
            *link = c;
            link = &c->next;
        }
    }

    *link = NULL;
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


/* Leaves those with headroom in the chain; false when it is empty then. */

static bool
fota_node_weigh(fota_node_run_t *s)
{
    bool                fresh;
    double              h;
    uint8_t             id[4];
    uint32_t            k;
    uint64_t            key, hash;
    fota_node_cand_t   *c, **link;
    const fota_node_t  *node;

    key = fota_node_key(s->q);
    link = &s->band;

    while ((c = *link) != NULL) {
        node = &c->entry->node;
        fresh = fota_node_fresh(s, node);

        h = s->out->panic ? 1 : fresh ? node->health * 0.01
                                      : FOTA_NODE_STALE;
        h = (h > 1) ? 1 : h;

        c->weight = (double) node->weight * node->cap_mbps * h
                    * fota_node_headroom(fresh ? node->load : 0)
                    * s->nearest;

        if (!(c->weight > 0)) {
            c->weight = 0;
            c->reason = FOTA_N_FULL;
            *link = c->next;
            continue;
        }

        /* 1 / w, by which the score is multiplied. */

        c->scale = c->distance / c->weight;
        c->weight /= c->distance;

        for (k = 0; k < 4; k++) {
            id[k] = (uint8_t) (node->id >> (8 * k));
        }

        hash = fota_siphash(key, 0, id, 4);

        c->u = (double) ((hash >> 11) + 1) * 0x1p-53;
        c->bound = (1 - c->u) * c->scale;
        c->score = -1;

        link = &c->next;
    }

    return s->band != NULL;
}


/* The smaller, the better; an exponential race that the weights decide. */

double
fota_node_score(fota_node_cand_t *c)
{
    if (c->score < 0) {
        c->score = -log(c->u) * c->scale;
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
    fota_node_cand_t  *c, *best;

    best = NULL;

    for (c = s->band; c != NULL; c = c->next) {

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
