/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Nodes, places and queries for the tests of node selection. */

#ifndef SUPPORT_NODE_H
#define SUPPORT_NODE_H


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fota_node.h"


#define NOW  1800000000


static fota_arena_t  arena;
static uint8_t       artifact[32];


typedef struct {
    uint32_t            n;
    uint32_t            id[512];
    fota_node_reason_e  reason[512];
    double              weight[512];
    double              score[512];
} trace_t;


static inline fota_node_t
node(uint32_t id, const char *cc, double lat, double lon, const char *site)
{
    fota_node_t  v;

    memset(&v, 0, sizeof(v));

    v.id = id;
    v.group = (uint16_t) id;
    v.families = FOTA_FAMILY_V4 | FOTA_FAMILY_V6;
    v.load = 10;
    v.health = 100;
    v.weight = 100;
    v.cap_mbps = 1000;
    v.as_of = NOW;
    v.lat = lat;
    v.lon = lon;
    strcpy(v.country, cc);
    strcpy(v.continent, fota_geo_continent(cc));
    v.site = fota_cstr(site);

    return v;
}


static inline fota_location_t
place(const char *cc, double lat, double lon)
{
    fota_location_t  loc;

    memset(&loc, 0, sizeof(loc));

    loc.source = FOTA_GEO_DB;
    strcpy(loc.country, cc);
    strcpy(loc.continent, fota_geo_continent(cc));
    loc.lat = lat;
    loc.lon = lon;
    loc.has_position = 1;

    return loc;
}


static inline fota_node_query_t
query(const fota_location_t *loc)
{
    fota_node_query_t  q;

    memset(&q, 0, sizeof(q));

    q.tenant = 1;
    q.family = FOTA_FAMILY_V4;
    q.location = loc;
    q.artifact = artifact;
    q.now = NOW;

    return q;
}


static inline void
trace(void *ctx, const fota_node_entry_t *e, fota_node_reason_e reason,
    double km, double weight, double score)
{
    trace_t  *t;

    t = ctx;

    assert_true(t->n < 512);
    t->id[t->n] = e->node.id;
    t->reason[t->n] = reason;
    t->weight[t->n] = weight;
    t->score[t->n++] = score;
}


static inline int
choose(const fota_node_t *nodes, uint32_t n, const fota_node_query_t *q,
    fota_node_choice_t *out, trace_t *t)
{
    int              rc;
    uint32_t         i;
    fota_node_set_t  set;
    trace_t          scratch;

    t = (t == NULL) ? &scratch : t;
    t->n = 0;

    assert_int_equal(fota_node_set_build(&arena.mem, nodes, n, &set),
                     FOTA_OK);

    rc = fota_node_select(&arena.mem, &set, &fota_select_defaults, q, out,
                          trace, t);

    /* Every node once, and as many picked as there are picks. */

    assert_int_equal(t->n, n);

    for (i = 0; i < n; i++) {
        assert_int_equal(t->id[i], set.nodes[i].node.id);
    }

    return rc;
}


static inline uint32_t
first(const fota_node_t *nodes, uint32_t n, const fota_node_query_t *q)
{
    fota_node_choice_t  out;

    assert_int_equal(choose(nodes, n, q, &out, NULL), FOTA_OK);

    return out.pick[0]->node.id;
}


static inline bool
picked(const fota_node_choice_t *out, uint32_t id)
{
    uint32_t  i;

    for (i = 0; i < out->n; i++) {
        if (out->pick[i]->node.id == id) {
            return true;
        }
    }

    return false;
}


static inline void
key(uint32_t n)
{
    memset(artifact, 0, 32);
    memcpy(artifact, &n, 4);
}


#endif /* SUPPORT_NODE_H */
