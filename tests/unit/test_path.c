/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_policy.h"


static policy_test_t  t;


/* 1.0 1.1 1.2! 1.3 (withdrawn) 1.4 1.5, of os; "!" must be passed. */

static int
setup(void **state)
{
    policy_open(&t);

    policy_firmware(&t, FOTA_KIND_OS, "1.0", false, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.1", false, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.2", true, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.3", false, true);
    policy_firmware(&t, FOTA_KIND_OS, "1.4", false, false);
    policy_firmware(&t, FOTA_KIND_OS, "1.5", false, false);
    policy_firmware(&t, FOTA_KIND_APP, "a1", false, false);
    policy_firmware(&t, FOTA_KIND_APP, "a2", false, false);

    return 0;
}


static int
teardown(void **state)
{
    policy_close(&t);

    return 0;
}


static int
find(const char *from, const char *to, uint8_t strategy, bool no_delta,
    fota_path_t *out)
{
    fota_path_query_t  q;

    fota_arena_reset(&t.arena);
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product), FOTA_OK);

    memset(&q, 0, sizeof(q));
    q.product = &t.product;
    q.target = policy_find(&t, to);

    if (q.target >= POLICY_FIRMWARE) {
        return FOTA_ERROR;
    }

    q.kind = t.firmware[q.target].kind;
    q.strategy = strategy;
    q.version = fota_cstr(from);
    q.no_delta = no_delta;
    q.facts = &t.facts;

    return fota_path_find(&t.arena.mem, &q, out);
}


#define none(from, to, strategy)                                             \
    do {                                                                     \
        fota_path_t  path_;                                                  \
        assert_int_equal(find(from, to, strategy, false, &path_),            \
                         FOTA_NOTFOUND);                                     \
    } while (0)


/* The step, by which artifact (from, NULL = full), hops and bytes. */

static void
way_(const char *from, const char *to, uint8_t strategy, bool no_delta,
    const char *step, const char *base, unsigned hops, uint64_t bytes,
    const char *file, int line)
{
    int          rc;
    fota_path_t  p;

    rc = find(from, to, strategy, no_delta, &p);
    _assert_int_equal(rc, FOTA_OK, file, line);
    _assert_int_equal(p.step, policy_find(&t, step), file, line);
    _assert_int_equal(p.artifact->to, p.step, file, line);
    _assert_int_equal(p.artifact->from, policy_find(&t, base), file, line);
    _assert_int_equal(p.target, policy_find(&t, to), file, line);
    _assert_int_equal(p.hops, hops, file, line);
    _assert_int_equal(p.bytes, bytes, file, line);
}

#define way(from, to, strategy, step, base, hops, bytes)                     \
    way_(from, to, strategy, false, step, base, hops, bytes, __FILE__,       \
         __LINE__)

#define way_full(from, to, strategy, step, base, hops, bytes)                \
    way_(from, to, strategy, true, step, base, hops, bytes, __FILE__,        \
         __LINE__)


static void
fulls(uint64_t size)
{
    size_t                    i;
    static const char *const  all[] = {
        "1.0", "1.1", "1.2", "1.3", "1.4", "1.5"
    };

    for (i = 0; i < 6; i++) {
        policy_artifact(&t, NULL, all[i], size + i);
    }
}


static void
test_find(void **state)
{
    fota_place_t           place;
    const fota_product_t  *p;

    p = &t.product;
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product), FOTA_OK);

    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("1.0")), 0);
    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("1.5")), 5);
    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("1.6")), FOTA_NONE);
    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("1")), FOTA_NONE);
    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("")), FOTA_NONE);
    assert_int_equal(fota_firmware_find(p, 0, fota_cstr("a1")), FOTA_NONE);
    assert_int_equal(fota_firmware_find(p, 1, fota_cstr("a1")), 6);
    assert_int_equal(fota_firmware_find(p, 2, fota_cstr("a1")), FOTA_NONE);
    assert_int_equal(fota_firmware_find(p, 3, fota_cstr("a1")), FOTA_NONE);

    assert_int_equal(fota_firmware_latest(p, 0), 5);
    assert_int_equal(fota_firmware_latest(p, 1), 7);
    assert_int_equal(fota_firmware_latest(p, 2), FOTA_NONE);
    assert_int_equal(fota_firmware_latest(p, 9), FOTA_NONE);

    fota_path_place(p, 0, fota_cstr("1.2"), &place);
    assert_int_equal(place.index, 2);
    assert_int_equal(place.next, 3);
    fota_path_place(p, 0, fota_cstr("1.2.7"), &place);
    assert_int_equal(place.index, FOTA_NONE);
    assert_int_equal(place.next, 3);
    fota_path_place(p, 0, fota_cstr("0.1"), &place);
    assert_int_equal(place.next, 0);
    fota_path_place(p, 0, fota_cstr("9"), &place);
    assert_int_equal(place.next, 6);
    fota_path_place(p, 1, fota_cstr(""), &place);
    assert_int_equal(place.index, FOTA_NONE);
    assert_int_equal(place.next, 6);
    fota_path_place(p, 9, fota_cstr("1"), &place);
    assert_int_equal(place.index, FOTA_NONE);
}


static void
test_full(void **state)
{
    fulls(100);
    policy_artifact(&t, "1.4", "1.5", 5);

    way("1.4", "1.5", FOTA_PATH_FULL, "1.5", NULL, 1, 105);
    way("1.0", "1.1", FOTA_PATH_FULL, "1.1", NULL, 1, 101);

    /* Over the floor only by way of it. */
    way("1.0", "1.5", FOTA_PATH_FULL, "1.2", NULL, 2, 102 + 105);
    way("1.1", "1.2", FOTA_PATH_FULL, "1.2", NULL, 1, 102);
    way("1.2", "1.5", FOTA_PATH_FULL, "1.5", NULL, 1, 105);
    way("1.3", "1.5", FOTA_PATH_FULL, "1.5", NULL, 1, 105);

    /* Not ours: by the order of versions. */
    way("1.1.9", "1.5", FOTA_PATH_FULL, "1.2", NULL, 2, 207);
    way("1.2.9", "1.5", FOTA_PATH_FULL, "1.5", NULL, 1, 105);
    way("", "1.5", FOTA_PATH_FULL, "1.2", NULL, 2, 207);

    /* Down there are no floors. */
    way("1.5", "1.0", FOTA_PATH_FULL, "1.0", NULL, 1, 100);
    way("7", "1.0", FOTA_PATH_FULL, "1.0", NULL, 1, 100);

    none("1.0", "1.3", FOTA_PATH_FULL);         /* withdrawn */
    none("1.5", "1.5", FOTA_PATH_FULL);         /* there already */

    t.firmware[2].withdrawn = 1;                /* the only way is closed */
    none("1.0", "1.5", FOTA_PATH_FULL);
    none("1.0", "1.5", FOTA_PATH_AUTO);
    none("1.0", "1.5", FOTA_PATH_DELTA);
    none("1.0", "1.5", FOTA_PATH_SEQUENTIAL);
    way("1.2", "1.5", FOTA_PATH_FULL, "1.5", NULL, 1, 105);
}


static void
test_delta(void **state)
{
    policy_artifact(&t, NULL, "1.5", 100);
    policy_artifact(&t, NULL, "1.2", 100);
    policy_artifact(&t, "1.2", "1.5", 7);
    policy_artifact(&t, "1.0", "1.2", 9);
    policy_artifact(&t, "1.0", "1.5", 1);       /* over the floor: never */

    way("1.2", "1.5", FOTA_PATH_DELTA, "1.5", "1.2", 1, 7);
    way_full("1.2", "1.5", FOTA_PATH_DELTA, "1.5", NULL, 1, 100);
    way("1.4", "1.5", FOTA_PATH_DELTA, "1.5", NULL, 1, 100);
    way("1.0", "1.5", FOTA_PATH_DELTA, "1.2", "1.0", 2, 16);
    way("1.1", "1.5", FOTA_PATH_DELTA, "1.2", NULL, 2, 107);
    way("1.0.5", "1.5", FOTA_PATH_DELTA, "1.2", NULL, 2, 107);
    way_full("1.0", "1.5", FOTA_PATH_DELTA, "1.2", NULL, 2, 200);
    way("1.0", "1.5", FOTA_PATH_AUTO, "1.2", "1.0", 2, 16);

    none("1.5", "1.1", FOTA_PATH_DELTA);
    policy_artifact(&t, "1.5", "1.1", 3);
    way("1.5", "1.1", FOTA_PATH_DELTA, "1.1", "1.5", 1, 3);
    none("1.4", "1.1", FOTA_PATH_DELTA);
}


static void
test_sequential(void **state)
{
    fulls(100);
    policy_artifact(&t, "1.0", "1.1", 1);
    policy_artifact(&t, "1.0", "1.2", 1);
    policy_artifact(&t, "1.4", "1.5", 1);

    /* 1.1 by delta, 1.2, 1.4 full, 1.5 by delta; 1.3 is withdrawn. */
    way("1.0", "1.5", FOTA_PATH_SEQUENTIAL, "1.1", "1.0", 4,
        1 + 102 + 104 + 1);
    way("1.2", "1.5", FOTA_PATH_SEQUENTIAL, "1.4", NULL, 2, 105);
    way("1.3", "1.5", FOTA_PATH_SEQUENTIAL, "1.4", NULL, 2, 105);
    way_full("1.0", "1.1", FOTA_PATH_SEQUENTIAL, "1.1", NULL, 1, 101);
    way("1.0.1", "1.2", FOTA_PATH_SEQUENTIAL, "1.1", NULL, 2, 203);

    way("1.5", "1.2", FOTA_PATH_SEQUENTIAL, "1.4", NULL, 2, 206);
    way("1.4.4", "1.2", FOTA_PATH_SEQUENTIAL, "1.4", NULL, 2, 206);

    /* Step by step means no version is left out. */
    t.artifacts[1].to = 0;
    none("1.0.1", "1.5", FOTA_PATH_SEQUENTIAL);
    way("1.0", "1.5", FOTA_PATH_SEQUENTIAL, "1.1", "1.0", 4, 208);
}


static void
test_auto(void **state)
{
    fulls(100);

    /* By deltas 30, in one 100. */
    policy_artifact(&t, "1.2", "1.4", 20);
    policy_artifact(&t, "1.4", "1.5", 10);
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.4", "1.2", 2, 30);
    way_full("1.2", "1.5", FOTA_PATH_AUTO, "1.5", NULL, 1, 105);

    /* Equal bytes: fewer steps. */
    policy_artifact(&t, "1.2", "1.5", 30);
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.5", "1.2", 1, 30);

    /* A full package to a place from which a delta goes on. */
    policy_artifact(&t, NULL, "1.4", 3);
    way("1.2.5", "1.5", FOTA_PATH_AUTO, "1.4", NULL, 2, 13);
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.4", NULL, 2, 13);

    /* The floor holds though a way around is shorter. */
    way("1.0", "1.5", FOTA_PATH_AUTO, "1.2", NULL, 3, 102 + 13);
    policy_artifact(&t, "1.1", "1.4", 0);
    way("1.1", "1.5", FOTA_PATH_AUTO, "1.2", NULL, 3, 115);
    way("", "1.5", FOTA_PATH_AUTO, "1.2", NULL, 3, 115);

    /* Withdrawn is a source, never a stop. */
    policy_artifact(&t, "1.2", "1.3", 1);
    policy_artifact(&t, "1.3", "1.5", 1);
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.4", NULL, 2, 13);
    way("1.3", "1.5", FOTA_PATH_AUTO, "1.5", "1.3", 1, 1);
    none("1.2", "1.3", FOTA_PATH_AUTO);

    /* Down. */
    way("1.5", "1.1", FOTA_PATH_AUTO, "1.1", NULL, 1, 101);
    policy_artifact(&t, "1.5", "1.2", 4);
    policy_artifact(&t, "1.2", "1.1", 5);
    way("1.5", "1.1", FOTA_PATH_AUTO, "1.2", "1.5", 2, 9);
    way("8", "1.1", FOTA_PATH_AUTO, "1.1", NULL, 1, 101);
}


static void
test_auto_ties(void **state)
{
    policy_artifact(&t, "1.0", "1.1", 10);
    policy_artifact(&t, "1.1", "1.2", 10);
    policy_artifact(&t, "1.2", "1.4", 10);
    policy_artifact(&t, "1.2", "1.5", 20);
    policy_artifact(&t, NULL, "1.5", 20);
    policy_artifact(&t, NULL, "1.4", 10);
    policy_artifact(&t, "1.4", "1.5", 10);

    /* One delta, one full, and two steps: all 20 bytes. */
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.5", NULL, 1, 20);
    way("1.0", "1.2", FOTA_PATH_AUTO, "1.1", "1.0", 2, 20);

    none("1.1", "1.0", FOTA_PATH_AUTO);

    /* A sum beyond 64 bits is no bargain. */
    t.product.nartifacts = 0;
    policy_artifact(&t, "1.2", "1.4", UINT64_MAX);
    policy_artifact(&t, "1.4", "1.5", UINT64_MAX);
    policy_artifact(&t, "1.2", "1.5", UINT64_MAX - 1);
    way("1.2", "1.5", FOTA_PATH_AUTO, "1.5", "1.2", 1, UINT64_MAX - 1);
}


/* Of two artifacts for one step the smaller that fits the device. */

static void
test_requires(void **state)
{
    uint8_t           s;
    fota_artifact_t  *small;

    policy_artifact(&t, NULL, "1.1", 200);
    small = policy_artifact(&t, NULL, "1.1", 100);
    small->requires = policy_filter(&t, "attr.hw==3 and attr.free=ge=64");

    for (s = 0; s < FOTA_PATH__N; s++) {
        t.facts.nattrs = 0;
        way("1.0", "1.1", s, "1.1", NULL, 1, 200);

        t.attrs[0].name = fota_cstr("hw");
        t.attrs[0].value = fota_cstr("3");
        t.attrs[1].name = fota_cstr("free");
        t.attrs[1].value = fota_cstr("64");
        t.facts.nattrs = 2;
        way("1.0", "1.1", s, "1.1", NULL, 1, 100);

        t.attrs[1].value = fota_cstr("63");
        way("1.0", "1.1", s, "1.1", NULL, 1, 200);
    }

    t.artifacts[0].requires = small->requires;

    for (s = 0; s < FOTA_PATH__N; s++) {
        none("1.0", "1.1", s);
    }

    policy_artifact(&t, "1.0", "1.1", 1)->requires = small->requires;
    none("1.0", "1.1", FOTA_PATH_DELTA);
    none("1.0", "1.1", FOTA_PATH_AUTO);
}


static void
test_bad_query(void **state)
{
    fota_path_t        path;
    fota_path_query_t  q;

    fulls(1);
    assert_int_equal(fota_product_index(&t.arena.mem, &t.product), FOTA_OK);

    memset(&q, 0, sizeof(q));
    q.product = &t.product;
    q.facts = &t.facts;
    q.version = fota_cstr("1.0");

    q.target = 6;                       /* of another kind */
    assert_int_equal(fota_path_find(&t.arena.mem, &q, &path), FOTA_NOTFOUND);
    q.kind = FOTA_KIND_APP;
    q.target = 5;
    assert_int_equal(fota_path_find(&t.arena.mem, &q, &path), FOTA_NOTFOUND);
    q.target = FOTA_NONE;
    assert_int_equal(fota_path_find(&t.arena.mem, &q, &path), FOTA_NOTFOUND);
    q.kind = 200;
    q.target = 0;
    assert_int_equal(fota_path_find(&t.arena.mem, &q, &path), FOTA_NOTFOUND);
}


/*
 * Random products against a search of all ways (the definition): least
 * bytes for auto, and never over a floor or by something withdrawn.
 */

typedef struct {
    uint64_t  bytes;
    unsigned  hops;
    bool      found;
} best_t;


static void
every_way(int at, int pos, int target, uint64_t bytes, unsigned hops,
    best_t *best)
{
    int                     to, i, k;
    bool                    over;
    const fota_artifact_t  *a;

    if (at == target) {
        if (!best->found || bytes < best->bytes
            || (bytes == best->bytes && hops < best->hops))
        {
            best->found = true;
            best->bytes = bytes;
            best->hops = hops;
        }

        return;
    }

    for (i = 0; i < t.product.nartifacts; i++) {
        a = &t.artifacts[i];
        to = a->to;

        if (t.firmware[to].withdrawn
            || (a->from != FOTA_NONE && (int) a->from != at))
        {
            continue;
        }

        /* pos is twice the index, odd when between two. */

        if (target * 2 > pos) {
            over = to * 2 <= pos || to > target;

            for (k = 0; k < to; k++) {
                over = over || (k * 2 > pos && t.firmware[k].must_pass);
            }

        } else {
            over = to * 2 >= pos || to < target;
        }

        if (!over) {
            every_way(to, to * 2, target, bytes + a->size, hops + 1, best);
        }
    }
}


static void
test_auto_random(void **state)
{
    int                 i, n, round, from, target, a;
    best_t              best;
    fota_path_t         path;
    fota_path_query_t   q;

    static char  names[12][16];

    srand(7);

    for (round = 0; round < 3000; round++) {
        t.product.nfirmware = 0;
        t.product.nartifacts = 0;
        n = 2 + rand() % 6;

        for (i = 0; i < n; i++) {
            snprintf(names[i], sizeof(names[i]), "%d", 10 + i);
            policy_firmware(&t, FOTA_KIND_OS, names[i], rand() % 5 == 0,
                            rand() % 6 == 0);
        }

        for (i = rand() % 16; i > 0; i--) {
            from = rand() % n;
            a = rand() % n;

            policy_artifact(&t, (rand() % 3 == 0 || a == from)
                                ? NULL : names[from], names[a],
                            1 + rand() % 20);
        }

        fota_arena_reset(&t.arena);
        assert_int_equal(fota_product_index(&t.arena.mem, &t.product),
                         FOTA_OK);

        memset(&q, 0, sizeof(q));
        q.product = &t.product;
        q.strategy = FOTA_PATH_AUTO;
        q.facts = &t.facts;

        from = rand() % n;
        target = rand() % n;
        q.target = (uint16_t) target;
        memset(&best, 0, sizeof(best));

        if (rand() % 4 == 0) {
            static char  between[24];

            snprintf(between, sizeof(between), "%d.5", 10 + from);
            q.version = fota_cstr(between);
            every_way(-1, from * 2 + 1, target, 0, 0, &best);

        } else if (from == target) {
            continue;

        } else {
            q.version = fota_cstr(names[from]);
            every_way(from, from * 2, target, 0, 0, &best);
        }

        if (fota_path_find(&t.arena.mem, &q, &path) != FOTA_OK) {
            assert_false(best.found);
            continue;
        }

        assert_true(best.found);
        assert_int_equal(path.bytes, best.bytes);
        assert_int_equal(path.hops, best.hops);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequential, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auto, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auto_ties, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auto_random, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
