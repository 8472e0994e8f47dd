/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "support_node.h"


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
    assert_false(out.panic);

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


int
main(void)
{
    int  rc;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_panic),
        cmocka_unit_test(test_prefix_group),
        cmocka_unit_test(test_defaults)
    };

    fota_arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    fota_arena_free(&arena);

    return rc;
}
