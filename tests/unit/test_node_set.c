/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "support_node.h"


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
        cmocka_unit_test(test_km),
        cmocka_unit_test(test_names)
    };

    fota_arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    fota_arena_free(&arena);

    return rc;
}
