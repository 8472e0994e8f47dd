/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

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


static fota_node_t
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


static fota_location_t
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


static fota_node_query_t
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


static void
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


static int
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


static uint32_t
first(const fota_node_t *nodes, uint32_t n, const fota_node_query_t *q)
{
    fota_node_choice_t  out;

    assert_int_equal(choose(nodes, n, q, &out, NULL), FOTA_OK);

    return out.pick[0]->node.id;
}


static bool
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


static void
key(uint32_t n)
{
    memset(artifact, 0, 32);
    memcpy(artifact, &n, 4);
}


static void
test_nearest(void **state)
{
    trace_t             t;
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(4, "US", 37.77, -122.42, "sfo"),
        node(1, "JP", 35.68, 139.69, "tyo"),
        node(2, "JP", 34.69, 135.50, "osa"),
        node(3, "DE", 50.11, 8.68, "fra")
    };

    loc = place("JP", 35.69, 139.70);
    q = query(&loc);

    /* Osaka is widened to; Frankfurt and San Francisco are too far for it. */

    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);
    assert_true(picked(&out, 1) && picked(&out, 2));
    assert_int_equal(t.reason[2], FOTA_N_FAR);
    assert_int_equal(t.reason[3], FOTA_N_FAR);
    assert_false(out.panic || out.capacity);

    /* Nobody near: the nearest serves, how far it may be. */

    loc = place("ZA", -33.92, 18.42);
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 3);
    assert_true(out.km[0] > 9000 && out.km[0] < 10000);

    /* No nodes at all. */

    assert_int_equal(choose(nodes, 0, &q, &out, &t), FOTA_NOTFOUND);
    assert_int_equal(out.n, 0);
}


static void
test_km(void **state)
{
    double           v[3];
    fota_node_set_t  set;
    fota_node_t      nodes[] = {
        node(1, "JP", 35.6762, 139.6503, ""), node(2, "", 0, 0, ""),
        node(3, "", 90, 0, ""), node(4, "", 0, 180, "")
    };

    assert_int_equal(fota_node_set_build(&arena.mem, nodes, 4, &set),
                     FOTA_OK);

    /* Tokyo - New York 10 851.7 km on this sphere (haversine). */

    fota_node_vector(40.7128, -74.0060, v);
    assert_float_equal(fota_node_km(v, &set.nodes[0]), 10851.733, 0.01);

    fota_node_vector(0, 0, v);
    assert_float_equal(fota_node_km(v, &set.nodes[1]), 0, 0.002);
    assert_float_equal(fota_node_km(v, &set.nodes[2]), 10007.543, 0.002);
    assert_float_equal(fota_node_km(v, &set.nodes[3]), 20015.087, 0.002);

    fota_node_vector(0, 1, v);
    assert_float_equal(fota_node_km(v, &set.nodes[1]), 111.195, 0.002);

    nodes[0].lat = 90.5;
    assert_int_equal(fota_node_set_build(&arena.mem, nodes, 4, &set),
                     FOTA_INVALID);
    nodes[0].lat = 0.0 / 0.0;
    assert_int_equal(fota_node_set_build(&arena.mem, nodes, 4, &set),
                     FOTA_INVALID);
    nodes[0].lat = 1;
    nodes[0].id = 3;
    assert_int_equal(fota_node_set_build(&arena.mem, nodes, 4, &set),
                     FOTA_INVALID);
    assert_int_equal(fota_node_set_build(&arena.mem, nodes,
                                         FOTA_NODES_MAX + 1, &set),
                     FOTA_LIMIT);
}


static bool
no_odd_keys(void *ctx, uint16_t group)
{
    return group % 2 == 0;
}


/* One node at a time is spoilt; the other two must be what is left. */

static void
test_filters(void **state)
{
    int                 i;
    trace_t             t;
    uint32_t            tenants[] = { 7, 8 }, asns[] = { 0, 64500 };
    fota_str_t          jp[] = { fota_string("US"), fota_string("JP") };
    fota_node_t         nodes[3];
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;

    for (i = 0; i < 13; i++) {
        nodes[0] = node(2, "JP", 35.6, 139.6, "a");
        nodes[1] = node(4, "JP", 35.7, 139.7, "b");
        nodes[2] = node(5, "JP", 35.8, 139.8, "c");

        loc = place("JP", 35.7, 139.7);
        q = query(&loc);

        assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
        assert_int_equal(out.n, 3);

        switch (i) {

        case 0:
            nodes[2].state = FOTA_NODE_DRAIN;
            break;

        case 1:
            nodes[2].state = FOTA_NODE_DOWN;
            break;

        case 2:
            nodes[2].health = 0;
            break;

        case 3:
            nodes[2].weight = 0;
            break;

        case 4:
            nodes[2].families = FOTA_FAMILY_V6;
            break;

        case 5:
            nodes[2].tenants = tenants;
            nodes[2].ntenants = 2;
            break;

        case 6:
            nodes[2].scope = FOTA_SCOPE_PREFIX;
            break;

        case 7:
            nodes[2].excluded = jp;
            nodes[2].nexcluded = 2;
            break;

        case 8:
            q.avoid[0] = 9;
            q.avoid[1] = 5;
            q.navoid = 2;
            break;

        case 9:
            q.mintable = no_odd_keys;
            break;

        case 10:
            nodes[2].load = 90;
            break;

        case 11:

            /* Neither side knows its network: that is no match. */

            nodes[2].scope = FOTA_SCOPE_ASN;
            nodes[2].asns = asns;
            nodes[2].nasns = 2;
            break;

        case 12:
            nodes[2].scope = FOTA_SCOPE_COUNTRY;
            strcpy(nodes[2].country, "KR");
            break;
        }

        assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
        assert_int_equal(out.n, 2);
        assert_false(picked(&out, 5));
        assert_int_equal(t.reason[2],
                         i <= 3 ? FOTA_N_STATE : i == 4 ? FOTA_N_FAMILY
                         : i == 5 ? FOTA_N_TENANT : i == 6 ? FOTA_N_SCOPE
                         : i == 7 ? FOTA_N_EXCLUDED : i == 8 ? FOTA_N_AVOIDED
                         : i == 9 ? FOTA_N_KEY : i == 10 ? FOTA_N_FULL
                         : FOTA_N_SCOPE);
    }

    /* And let in again. */

    loc.asn = 64500;
    nodes[2] = node(5, "KR", 35.8, 139.8, "c");
    nodes[2].scope = FOTA_SCOPE_ASN;
    nodes[2].asns = asns;
    nodes[2].nasns = 2;
    nodes[2].tenants = tenants;
    nodes[2].ntenants = 2;
    q.tenant = 8;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);

    nodes[2].scope = FOTA_SCOPE_CONTINENT;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);

    strcpy(nodes[2].continent, "EU");
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);

    q.location = NULL;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);

    /* The pool a hook asked for leaves one. */

    nodes[2].scope = FOTA_SCOPE_ANY;
    q.pool = 4;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 4);
    assert_int_equal(t.reason[0], FOTA_N_POOL);

    q.pool = 99;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_NOTFOUND);
}


static void
test_capacity(void **state)
{
    trace_t             t;
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "JP", 35.7, 139.7, "b"),
        node(3, "JP", 35.8, 139.8, "c"), node(4, "DE", 50.1, 8.7, "d")
    };

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);

    nodes[0].load = nodes[1].load = 95;
    nodes[2].load = 89;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 3);

    /* Then none of the band: come back, Frankfurt is not the answer. */

    nodes[2].load = 255;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_BUSY);
    assert_int_equal(out.n, 0);
    assert_true(out.capacity);
    assert_int_equal(t.reason[0], FOTA_N_FULL);
    assert_int_equal(t.reason[3], FOTA_N_FAR);

    /* Old numbers do not lock a node out for ever: half weight. */

    nodes[2].as_of = NOW - 91;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.pick[0]->node.id, 3);

    nodes[0].load = nodes[2].load = 10;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_float_equal(t.weight[2] / t.weight[0], 0.5, 1e-9);

    nodes[2].as_of = NOW - 90;
    nodes[2].load = 80;
    nodes[2].health = 60;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_float_equal(t.weight[2] / t.weight[0], 0.5 * 0.6, 1e-9);

    nodes[2].cap_mbps = 0;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(t.reason[2], FOTA_N_FULL);
}


static void
test_panic(void **state)
{
    trace_t             t;
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "JP", 35.7, 139.7, "b"),
        node(3, "JP", 35.8, 139.8, "c"), node(4, "JP", 35.9, 139.9, "d")
    };

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);

    nodes[0].state = nodes[1].state = FOTA_NODE_DOWN;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);
    assert_false(out.panic);
    assert_int_equal(t.reason[0], FOTA_N_STATE);

    /* More than half: the checks are what is broken. */

    nodes[2].health = 0;
    nodes[3].health = 1;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);
    assert_true(out.panic);
    assert_float_equal(t.weight[3] / t.weight[1], 1, 0.01);

    /* Draining is not. */

    nodes[2].state = FOTA_NODE_DRAIN;
    nodes[0].state = FOTA_NODE_DRAIN;
    nodes[1].state = FOTA_NODE_DRAIN;
    nodes[3].state = FOTA_NODE_DRAIN;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_NOTFOUND);
    assert_false(out.panic);
}


static void
test_prefix_group(void **state)
{
    trace_t             t;
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "DE", 50.1, 8.7, "b"),
        node(3, "DE", 50.2, 8.8, "c"), node(4, "JP", 35.9, 139.9, "d")
    };

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);
    nodes[1].group = nodes[2].group = 50;
    nodes[1].scope = FOTA_SCOPE_PREFIX;

    /* The operator knows better than the map. */

    q.prefix_group = 50;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);
    assert_true(picked(&out, 2) && picked(&out, 3));
    assert_int_equal(t.reason[0], FOTA_N_POOL);

    /* None of them usable: as if there was no prefix. */

    nodes[1].state = nodes[2].state = FOTA_NODE_DOWN;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_true(picked(&out, 1) && picked(&out, 4));
    assert_false(out.panic);

    nodes[1].state = nodes[2].state = FOTA_NODE_UP;
    nodes[1].load = nodes[2].load = 99;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_true(picked(&out, 1) && picked(&out, 4));

    nodes[0].state = nodes[3].state = nodes[2].state = FOTA_NODE_DRAIN;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_BUSY);
    assert_true(out.capacity);

    q.prefix_group = 51;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_NOTFOUND);

    /* Without a place the group's nodes are equally far. */

    q.prefix_group = 50;
    q.location = NULL;
    nodes[1].load = nodes[2].load = 0;
    nodes[2].state = FOTA_NODE_UP;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);
    assert_float_equal(t.weight[1], t.weight[2], 1e-9);
}


static void
test_defaults(void **state)
{
    trace_t              t;
    fota_tenant_t        tenant;
    fota_location_t      loc;
    fota_node_query_t    q;
    fota_node_choice_t   out;
    fota_default_node_t  defaults[] = {
        { "*", 4 }, { "JP", 1 }, { "-AS", 2 }, { "JP", 99 }, { "-AS", 1 }
    };
    fota_node_t          nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "SG", 1.3, 103.8, "b"),
        node(3, "DE", 50.2, 8.8, "c"), node(4, "US", 37.7, -122.4, "d")
    };

    memset(&tenant, 0, sizeof(tenant));
    tenant.defaults = defaults;
    tenant.ndefaults = 5;

    loc = place("JP", 36.0, 138.0);
    q = query(&loc);
    q.tenant_conf = &tenant;

    /* A country's middle is nobody's place. */

    loc.centroid = 1;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 1);
    assert_int_equal(t.reason[1], FOTA_N_FAR);
    assert_float_equal(out.km[0], 0, 0);

    loc.centroid = 0;
    loc.has_position = 0;
    strcpy(loc.country, "KR");
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 2);
    assert_true(picked(&out, 1) && picked(&out, 2));

    strcpy(loc.country, "FR");
    strcpy(loc.continent, "EU");
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 4);

    q.location = NULL;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.pick[0]->node.id, 4);

    /* The country's node is away: the continent's. */

    q.location = &loc;
    strcpy(loc.country, "JP");
    strcpy(loc.continent, "AS");
    nodes[0].state = FOTA_NODE_DOWN;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.pick[0]->node.id, 2);
    assert_int_equal(t.reason[0], FOTA_N_STATE);

    /* No defaults: everybody, by weight. */

    tenant.ndefaults = 0;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);
    assert_float_equal(t.weight[1], t.weight[3], 1e-9);

    q.tenant_conf = NULL;
    assert_int_equal(choose(nodes, 4, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);
}


static void
test_country_and_asn(void **state)
{
    trace_t             t;
    uint32_t            asns[] = { 64500 };
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(1, "DE", 50, 10, "a"), node(2, "FR", 50, 10, "b"),
        node(3, "FR", 50, 10, "c")
    };

    loc = place("DE", 51, 10);
    loc.asn = 64500;
    q = query(&loc);
    nodes[2].asns = asns;
    nodes[2].nasns = 1;

    /* 111 km: x0.8 in the country, x0.5 in the network. */

    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_float_equal(t.weight[0] / t.weight[1], 1 / 0.8, 1e-9);
    assert_float_equal(t.weight[2] / t.weight[1], 1 / 0.5, 1e-9);

    loc.asn = 0;
    asns[0] = 0;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_float_equal(t.weight[2] / t.weight[1], 1, 1e-9);

    /* Below 50 km nobody is nearer than another. */

    loc = place("", 50, 10);
    nodes[1].lat = 50.3;
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_float_equal(t.weight[0] / t.weight[1], 1, 1e-9);
}


static void
test_sites(void **state)
{
    trace_t             t;
    uint32_t            i, k, sites;
    fota_location_t     loc;
    fota_node_query_t   q;
    fota_node_choice_t  out;
    fota_node_t         nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "JP", 35.6, 139.6, "a"),
        node(3, "JP", 35.6, 139.6, "a"), node(4, "JP", 35.6, 139.6, "b"),
        node(5, "JP", 35.6, 139.6, "c")
    };

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);
    nodes[0].weight = nodes[1].weight = nodes[2].weight = 10000;
    sites = 0;

    for (k = 0; k < 200; k++) {
        key(k);
        assert_int_equal(choose(nodes, 5, &q, &out, &t), FOTA_OK);
        assert_int_equal(out.n, 3);
        assert_true(picked(&out, 4) && picked(&out, 5));

        for (i = 0; i < 5; i++) {
            sites += (t.reason[i] == FOTA_N_SITE);
        }
    }

    assert_true(sites > 300);

    /* Only one site: better three of it than one. */

    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);

    /* Nodes without a site stand for themselves. */

    nodes[0].site = nodes[1].site = nodes[2].site = fota_cstr("");
    assert_int_equal(choose(nodes, 3, &q, &out, &t), FOTA_OK);
    assert_int_equal(out.n, 3);
    assert_true(t.reason[0] == FOTA_N_PICKED);
}


static void
test_weights(void **state)
{
    uint32_t           k, n, hits[5];
    fota_location_t    loc;
    fota_node_query_t  q;
    fota_node_t        nodes[] = {
        node(1, "JP", 35.6, 139.6, "a"), node(2, "JP", 35.6, 139.6, "b"),
        node(3, "JP", 35.6, 139.6, "c"), node(4, "JP", 35.6, 139.6, "d")
    };

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);

    nodes[1].weight = 200;
    nodes[2].weight = 300;
    nodes[3].cap_mbps = 4000;
    memset(hits, 0, sizeof(hits));
    n = 20000;

    for (k = 0; k < n; k++) {
        key(k);
        hits[first(nodes, 4, &q)]++;
        fota_arena_reset(&arena);
    }

    /* 1 : 2 : 3 : 4; three sigma of 20 000 draws is 1 percent. */

    for (k = 1; k <= 4; k++) {
        assert_float_equal((double) hits[k] / n, k / 10.0, 0.01);
    }
}


/* Who is not concerned keeps its node when another goes or comes. */

static void
test_removal(void **state)
{
    uint32_t           k, before, after, moved;
    fota_location_t    loc;
    fota_node_query_t  q;
    fota_node_t        nodes[6];

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);
    moved = 0;

    for (k = 0; k < 6; k++) {
        nodes[k] = node(k + 1, "JP", 35.6, 139.6, "");
        nodes[k].weight = 100 + 10 * k;
    }

    for (k = 0; k < 4000; k++) {
        key(k);
        nodes[2].state = FOTA_NODE_UP;
        before = first(nodes, 6, &q);
        nodes[2].state = FOTA_NODE_DRAIN;
        after = first(nodes, 6, &q);

        if (before == 3) {
            assert_int_not_equal(after, 3);
            moved++;

        } else {
            assert_int_equal(after, before);
        }

        fota_arena_reset(&arena);
    }

    assert_true(moved > 4000 / 6 - 120 && moved < 4000 / 6 + 120);
}


static void
test_dispersion(void **state)
{
    uint64_t           d;
    uint32_t           i, seen, set1, set4, any;
    fota_location_t    loc;
    fota_node_query_t  q;
    fota_node_t        nodes[16];

    loc = place("JP", 35.7, 139.7);
    q = query(&loc);
    key(42);
    set1 = set4 = any = 0;

    for (i = 0; i < 16; i++) {
        nodes[i] = node(i + 1, "JP", 35.6, 139.6, "");
    }

    for (d = 0; d < 400; d++) {
        q.device_hash = d * 0x9e3779b97f4a7c15u;
        q.dispersion = 0;
        set1 |= 1u << (first(nodes, 16, &q) - 1);
        q.dispersion = 4;
        set4 |= 1u << (first(nodes, 16, &q) - 1);
        q.dispersion = 1000;
        any |= 1u << (first(nodes, 16, &q) - 1);
        fota_arena_reset(&arena);
    }

    /* Cold: one node has it in its cache.  Hot: D of them, or all. */

    seen = (uint32_t) __builtin_popcount(set1);
    assert_int_equal(seen, 1);
    seen = (uint32_t) __builtin_popcount(set4);
    assert_true(seen >= 2 && seen <= 4);
    assert_int_equal(__builtin_popcount(any), 16);
}


/* More nodes than the stack holds; the shortcut must not change a score. */

static void
test_many(void **state)
{
    uint32_t            i, k, best;
    trace_t             t;
    fota_node_t         nodes[300];
    fota_location_t     loc;
    fota_node_set_t     set;
    fota_node_query_t   q;
    fota_node_choice_t  out, again;

    for (i = 0; i < 300; i++) {
        nodes[i] = node(1000 - i, "JP", 30 + i * 0.01, 139, "");
        nodes[i].weight = 1 + i % 7;
    }

    loc = place("JP", 35, 139);
    q = query(&loc);

    for (k = 0; k < 100; k++) {
        key(k);
        assert_int_equal(choose(nodes, 300, &q, &out, &t), FOTA_OK);

        best = 0;

        for (i = 0; i < 300; i++) {
            if (t.weight[i] > 0
                && (t.weight[best] == 0 || t.score[i] < t.score[best]))
            {
                best = i;
            }
        }

        assert_int_equal(out.pick[0]->node.id, t.id[best]);

        assert_int_equal(fota_node_set_build(&arena.mem, nodes, 300, &set),
                         FOTA_OK);
        assert_int_equal(fota_node_select(&arena.mem, &set,
                                          &fota_select_defaults, &q, &again,
                                          NULL, NULL), FOTA_OK);

        for (i = 0; i < 3; i++) {
            assert_int_equal(again.pick[i]->node.id, out.pick[i]->node.id);
        }

        fota_arena_reset(&arena);
    }
}


static void
test_names(void **state)
{
    assert_string_equal(fota_node_reason_name(FOTA_N_PICKED), "picked");
    assert_string_equal(fota_node_reason_name(FOTA_N_FULL), "full");
    assert_string_equal(fota_node_reason_name(FOTA_N_SITE), "site");
    assert_string_equal(fota_node_reason_name(99), "unknown");
}


int
main(void)
{
    int  rc;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_km),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_panic),
        cmocka_unit_test(test_prefix_group),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_country_and_asn),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_dispersion),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_names)
    };

    fota_arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    fota_arena_free(&arena);

    return rc;
}
