/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "support_node.h"


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


int
main(void)
{
    int  rc;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_country_and_asn),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_dispersion),
        cmocka_unit_test(test_many)
    };

    fota_arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    fota_arena_free(&arena);

    return rc;
}
