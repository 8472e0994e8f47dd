/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "fota_geo.h"
#include "fota_lpm.h"


static uint64_t  seed = 88172645463325252u;


/* xorshift64 (Marsaglia 2003): the same run every time. */

static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed;
}


static fota_lpm_entry_t
entry(const char *prefix, uint32_t value)
{
    fota_lpm_entry_t  e;

    assert_int_equal(fota_prefix_parse(fota_cstr(prefix), e.addr, &e.plen),
                     FOTA_OK);
    e.value = value;

    return e;
}


static int64_t
find(const fota_lpm_t *t, const char *addr)
{
    uint8_t  a[16];

    assert_int_equal(fota_addr_parse(fota_cstr(addr), a), FOTA_OK);

    return fota_lpm_find(t, a);
}


static bool
covers(const fota_lpm_entry_t *e, const uint8_t a[16])
{
    int  i;

    for (i = 0; i < e->plen; i++) {
        if ((e->addr[i / 8] ^ a[i / 8]) & (0x80 >> (i % 8))) {
            return false;
        }
    }

    return true;
}


static int64_t
brute(const fota_lpm_entry_t *e, size_t n, const uint8_t a[16])
{
    int      best;
    size_t   i;
    int64_t  value;

    best = -1;
    value = -1;

    for (i = 0; i < n; i++) {
        if (e[i].plen >= best && covers(&e[i], a)) {
            best = e[i].plen;
            value = e[i].value;
        }
    }

    return value;
}


static void
test_nesting(void **state)
{
    fota_lpm_t        *t;
    fota_arena_t       arena;
    fota_lpm_entry_t   e[] = {
        entry("10.1.0.0/16", 2), entry("10.0.0.0/8", 1),
        entry("10.1.2.0/24", 3), entry("10.1.2.3", 4),
        entry("255.255.255.255", 5), entry("2001:db8::/32", 6),
        entry("2001:db8:1::/48", 7), entry("10.1.2.0/24", 8),
        entry("10.1.255.255", 9), entry("ffff::/16", 10),
        entry("0.0.0.0/32", 11)
    };

    fota_arena_init(&arena, 0);
    assert_int_equal(fota_lpm_build(&arena.mem, e, sizeof(e) / sizeof(e[0]),
                                    &t), FOTA_OK);

    assert_int_equal(find(t, "9.255.255.255"), -1);
    assert_int_equal(find(t, "10.0.0.0"), 1);
    assert_int_equal(find(t, "10.1.0.0"), 2);
    assert_int_equal(find(t, "10.1.2.2"), 8);
    assert_int_equal(find(t, "10.1.2.3"), 4);
    assert_int_equal(find(t, "10.1.2.4"), 8);
    assert_int_equal(find(t, "10.1.3.0"), 2);
    assert_int_equal(find(t, "10.1.255.254"), 2);
    assert_int_equal(find(t, "10.1.255.255"), 9);
    assert_int_equal(find(t, "10.2.0.0"), 1);
    assert_int_equal(find(t, "10.255.255.255"), 1);
    assert_int_equal(find(t, "11.0.0.0"), -1);
    assert_int_equal(find(t, "255.255.255.255"), 5);
    assert_int_equal(find(t, "255.255.255.254"), -1);
    assert_int_equal(find(t, "0.0.0.0"), 11);
    assert_int_equal(find(t, "0.0.0.1"), -1);
    assert_int_equal(find(t, "2001:db8::1"), 6);
    assert_int_equal(find(t, "2001:db8:1::1"), 7);
    assert_int_equal(find(t, "2001:db8:2::"), 6);
    assert_int_equal(find(t, "2001:db9::"), -1);
    assert_int_equal(find(t, "::"), -1);
    assert_int_equal(find(t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 10);

    fota_arena_free(&arena);
}


static void
test_edges(void **state)
{
    fota_lpm_t        *t;
    fota_arena_t       arena;
    fota_lpm_entry_t   e[3];

    fota_arena_init(&arena, 0);

    assert_int_equal(fota_lpm_build(&arena.mem, NULL, 0, &t), FOTA_OK);
    assert_int_equal(find(t, "1.2.3.4"), -1);
    assert_int_equal(find(t, "2001:db8::"), -1);

    /* A default of IPv6 holds IPv4 too, as v4-mapped is part of it. */

    e[0] = entry("::/0", 0);
    e[1] = entry("0.0.0.0/0", 1);
    e[2] = entry("128.0.0.0/1", 2);
    assert_int_equal(fota_lpm_build(&arena.mem, e, 1, &t), FOTA_OK);
    assert_int_equal(find(t, "1.2.3.4"), 0);
    assert_int_equal(find(t, "::"), 0);
    assert_int_equal(find(t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 0);

    assert_int_equal(fota_lpm_build(&arena.mem, e, 3, &t), FOTA_OK);
    assert_int_equal(find(t, "127.255.255.255"), 1);
    assert_int_equal(find(t, "128.0.0.0"), 2);
    assert_int_equal(find(t, "2001::"), 0);

    /* Host bits do not count. */

    e[0] = entry("10.0.0.0", 7);
    e[0].addr[14] = 3;
    e[0].plen = 104;
    assert_int_equal(fota_lpm_build(&arena.mem, e, 1, &t), FOTA_OK);
    assert_int_equal(find(t, "10.0.0.0"), 7);
    assert_int_equal(find(t, "10.255.0.0"), 7);

    e[0].plen = 129;
    assert_int_equal(fota_lpm_build(&arena.mem, e, 1, &t), FOTA_INVALID);
    e[0].plen = 128;
    e[0].value = UINT32_MAX;
    assert_int_equal(fota_lpm_build(&arena.mem, e, 1, &t), FOTA_INVALID);

    fota_arena_free(&arena);

    e[0].value = 1;
    fota_arena_init(&arena, 64);
    assert_int_equal(fota_lpm_build(&arena.mem, e, 1, &t), FOTA_NOMEM);
    fota_arena_free(&arena);
}


static void
test_random(void **state)
{
    int                round;
    size_t             i, k, n;
    uint8_t            a[16];
    uint64_t           x;
    fota_lpm_t        *t;
    fota_arena_t       arena;
    fota_lpm_entry_t  *e;

    fota_arena_init(&arena, 0);

    for (round = 0; round < 60; round++) {
        n = (size_t) 1 << (round % 12);
        e = fota_calloc(&arena.mem, n, sizeof(fota_lpm_entry_t));

        for (i = 0; i < n; i++) {

            /* Few leading bits vary, so that prefixes nest often. */

            x = rnd();
            memset(e[i].addr, 0, 16);

            if (x & 1) {
                e[i].addr[10] = 0xff;
                e[i].addr[11] = 0xff;
                e[i].addr[12] = (uint8_t) (x >> 8 & 3);
                e[i].addr[13] = (uint8_t) (x >> 16);
                e[i].addr[15] = (uint8_t) (x >> 24 & 0x81);
                e[i].plen = (uint8_t) (96 + (x >> 32) % 33);

            } else {
                e[i].addr[0] = 0x20;
                e[i].addr[3] = (uint8_t) (x >> 8);
                e[i].addr[9] = (uint8_t) (x >> 16 & 0x83);
                e[i].plen = (uint8_t) ((x >> 32) % 129);
            }

            e[i].value = (uint32_t) i;
        }

        assert_int_equal(fota_lpm_build(&arena.mem, e, n, &t), FOTA_OK);

        for (k = 0; k < 400; k++) {
            memcpy(a, e[rnd() % n].addr, 16);

            for (i = rnd() % 3; i != 0; i--) {
                a[rnd() % 16] ^= (uint8_t) (1 << rnd() % 8);
            }

            assert_int_equal(fota_lpm_find(t, a), brute(e, n, a));
        }

        fota_arena_reset(&arena);
    }

    fota_arena_free(&arena);
}


/* A million disjoint /24 and /48; what each holds is known by its number. */

static void
test_million(void **state)
{
    size_t             i, n;
    uint8_t            a[16];
    fota_lpm_t        *t;
    fota_arena_t       arena;
    fota_lpm_entry_t  *e;

    n = 1000000;
    fota_arena_init(&arena, 0);
    e = calloc(n, sizeof(fota_lpm_entry_t));
    assert_non_null(e);

    for (i = 0; i < n; i++) {
        if (i % 2) {
            e[i].addr[10] = 0xff;
            e[i].addr[11] = 0xff;
            e[i].addr[12] = (uint8_t) (i >> 16);
            e[i].addr[13] = (uint8_t) (i >> 8);
            e[i].addr[14] = (uint8_t) i;
            e[i].plen = 120;

        } else {
            e[i].addr[0] = 0x20;
            e[i].addr[3] = (uint8_t) (i >> 16);
            e[i].addr[4] = (uint8_t) (i >> 8);
            e[i].addr[5] = (uint8_t) i;
            e[i].plen = 48;
        }

        e[i].value = (uint32_t) i;
    }

    assert_int_equal(fota_lpm_build(&arena.mem, e, n, &t), FOTA_OK);

    for (i = 0; i < n; i++) {
        memcpy(a, e[i].addr, 16);
        a[15] = 0xa5;
        assert_int_equal(fota_lpm_find(t, a), (int64_t) i);

        a[(i % 2) ? 14 : 5] ^= 1;
        assert_int_equal(fota_lpm_find(t, a), -1);
    }

    free(e);
    fota_arena_free(&arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_million)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
