/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_version.h"


#define N(a)  (sizeof(a) / sizeof((a)[0]))

#define GENERATED  400


static int
sign(int v)
{
    return (v > 0) - (v < 0);
}


static int
cmp(const char *a, const char *b)
{
    return sign(fota_version_cmp(fota_cstr(a), fota_cstr(b)));
}


static int
key_order(const char *a, const char *b)
{
    size_t   na, nb;
    uint8_t  ka[FOTA_VERSION_KEY_MAX], kb[FOTA_VERSION_KEY_MAX];

    na = fota_version_key(ka, fota_cstr(a));
    nb = fota_version_key(kb, fota_cstr(b));

    return sign(fota_str_cmp(fota_slice(ka, na), fota_slice(kb, nb)));
}


static int
order(const char *a, const char *b)
{
    return sign(fota_version_order(fota_cstr(a), fota_cstr(b)));
}


/* Each list rises strictly; every pair of it is compared. */

static void
test_rising(void **state)
{
    size_t  l, i, k;

    static const char *const  lists[][12] = {
        /* semver 11 */
        { "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
          "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0",
          "2.1.0", "2.1.1" },
        { "0.9", "1", "1.0.1", "1.2", "1.9.9", "1.10", "1.10.0.1", "v2",
          "10.0" },
        /* dates */
        { "20251231", "20260101", "20260101.1", "20260101.02", "20261001" },
        { "2025-12-31", "2026-01-01", "2026-1-2", "2026-10-01" },
        { "202601010000", "202601010001", "99999999999999999999998",
          "99999999999999999999999", "100000000000000000000000" },
        /* vendors */
        { "V0.8_20261231", "V0.9", "V0.9_20260101", "V0.9_20260101_2",
          "v0.9_20260102", "V0.10_20250101", "V1.0" },
        { "1.0~beta1", "1.0~rc1", "1.0", "1.0a", "1.0b", "1.0.1" },
        { "1.0-rc1", "1.0-rc2", "1.0-rc10", "1.0", "1.0-1", "1.0-2",
          "1.1-rc1" },
        { "R1A03M01", "R1A03M02", "R1A03M10", "R1B01M01", "R2A01M01" },
        { "FW_A_1.0", "FW_A_1.1", "FW_B_0.1" },
        { "1.0.0-rc.1", "1.0.0-rc.1.0", "1.0.0-rc.1.1", "1.0.0-rc.a" },
    };

    for (l = 0; l < N(lists); l++) {
        for (i = 0; i < N(lists[l]) && lists[l][i] != NULL; i++) {
            for (k = 0; k < N(lists[l]) && lists[l][k] != NULL; k++) {

                if (order(lists[l][i], lists[l][k])
                    != sign((int) i - (int) k))
                {
                    fail_msg("\"%s\" against \"%s\" gives %d",
                             lists[l][i], lists[l][k],
                             order(lists[l][i], lists[l][k]));
                }

                assert_int_equal(key_order(lists[l][i], lists[l][k]),
                                 sign((int) i - (int) k));
                assert_int_equal(cmp(lists[l][i], lists[l][k]),
                                 sign((int) i - (int) k));
            }
        }
    }
}


static void
test_equal_in_order(void **state)
{
    size_t  i;

    static const char *const  pairs[][2] = {
        { "1.0", "1.0.0" },
        { "1", "1.0.0.0" },
        { "v1.0", "1.0" },
        { "V1.0", "v1.0" },
        { "1.0.0+build.1", "1.0.0+build.2" },
        { "1.0.0+a", "1.0.0" },
        { "1.0-RC1", "1.0-rc1" },
        { "1.0-rc1", "1.0.0-rc.1" },
        { "01.002", "1.2" },
        { "1_2", "1.2" },
        { "1.0a", "1a" },
        { "1.0", "1.0." },
        { "2026-01-01", "2026.1.1" },
    };

    for (i = 0; i < N(pairs); i++) {
        assert_int_equal(order(pairs[i][0], pairs[i][1]), 0);
        assert_int_equal(key_order(pairs[i][0], pairs[i][1]), 0);
        assert_int_not_equal(cmp(pairs[i][0], pairs[i][1]), 0);
        assert_int_equal(cmp(pairs[i][0], pairs[i][1]),
                         -cmp(pairs[i][1], pairs[i][0]));
        assert_int_equal(cmp(pairs[i][0], pairs[i][0]), 0);
    }

    assert_int_equal(order("", ""), 0);
    assert_int_equal(fota_version_cmp(fota_slice(NULL, 0),
                                      fota_slice(NULL, 0)),
                     0);
    assert_true(fota_version_cmp(fota_slice(NULL, 0), fota_cstr("1")) < 0);
}


/* Pieces chosen to meet at every branch, put together at random. */

static void
generate(char *out, uint32_t *seed)
{
    unsigned  n;

    static const char *const  pieces[] = {
        "0", "00", "1", "01", "2", "10", "a", "B", "rc", "v", "V", "-", "~",
        ".", "_", "+", "-rc", "~a", ".0", ".1", "\xc3\xa9", " ", "0a", "-1"
    };

    out[0] = '\0';

    for (n = 1 + (*seed >> 8) % 6; n > 0; n--) {
        *seed = *seed * 1664525 + 1013904223;
        strcat(out, pieces[(*seed >> 16) % N(pieces)]);
    }

    *seed = *seed * 1664525 + 1013904223;
}


static void
test_total_order(void **state)
{
    int       ab, bc;
    size_t    a, b, c;
    uint32_t  seed;

    static char         text[GENERATED][32];
    static signed char  rel[GENERATED][GENERATED];
    static signed char  weak[GENERATED][GENERATED];

    seed = 20260101;

    for (a = 0; a < GENERATED; a++) {
        generate(text[a], &seed);
    }

    for (a = 0; a < GENERATED; a++) {
        for (b = 0; b < GENERATED; b++) {
            rel[a][b] = (signed char) cmp(text[a], text[b]);
            weak[a][b] = (signed char) order(text[a], text[b]);

            if (key_order(text[a], text[b]) != weak[a][b]) {
                fail_msg("keys of \"%s\" and \"%s\" differ in order",
                         text[a], text[b]);
            }
        }
    }

    for (a = 0; a < GENERATED; a++) {
        for (b = 0; b < GENERATED; b++) {
            assert_int_equal(rel[a][b], -rel[b][a]);
            assert_int_equal(weak[a][b], -weak[b][a]);
            assert_int_equal(rel[a][b] == 0, strcmp(text[a], text[b]) == 0);

            ab = rel[a][b];

            for (c = 0; c < GENERATED; c++) {
                bc = rel[b][c];

                if (ab >= 0 && bc >= 0
                    && rel[a][c] < ((ab | bc) != 0))
                {
                    fail_msg("\"%s\" >= \"%s\" >= \"%s\", but not so",
                             text[a], text[b], text[c]);
                }

                if (weak[a][b] >= 0 && weak[b][c] >= 0
                    && weak[a][c] < ((weak[a][b] | weak[b][c]) != 0))
                {
                    fail_msg("\"%s\" >= \"%s\" >= \"%s\", but not so",
                             text[a], text[b], text[c]);
                }
            }
        }
    }
}


static void
test_check(void **state)
{
    char    text[FOTA_VERSION_MAX + 1];
    size_t  i;

    static const char *const  good[] = {
        "1", "a", "1.0.0-rc.1+build.5", "V0.9_20260101", "2026/01/01",
        "(1)", "\xe7\x89\x88\xe6\x9c\xac" "1", "\xe7\x89\x88", "1\\2"
    };

    static const char *const  bad[] = {
        "", ".", "-_-", "1 0", " 1", "1\t", "1\n", "\"1\"", "'1'", "`1`",
        "1\x01", "1\x7f", "1\xff", "1\xc2\x85", "1\xc2\xa0",
        "1\xe3\x80\x80", "1\xe2\x80\xae", "\xef\xbb\xbf" "1"
    };

    for (i = 0; i < N(good); i++) {
        assert_int_equal(fota_version_check(fota_cstr(good[i])), FOTA_OK);
    }

    for (i = 0; i < N(bad); i++) {
        assert_int_equal(fota_version_check(fota_cstr(bad[i])),
                         FOTA_INVALID);
    }

    memset(text, '1', sizeof(text));
    assert_int_equal(fota_version_check(fota_slice(text, FOTA_VERSION_MAX)),
                     FOTA_OK);
    assert_int_equal(fota_version_check(fota_slice(text, sizeof(text))),
                     FOTA_LIMIT);
    assert_int_equal(fota_version_check(fota_slice("1\0" "2", 3)),
                     FOTA_INVALID);
}


static void
test_key_length(void **state)
{
    char     text[4 * FOTA_VERSION_MAX];
    size_t   i, k;
    uint8_t  key[FOTA_VERSION_KEY_MAX];

    static const char *const  worst[] = { "1", "a", "a1", "0a", "1.", "-a" };

    for (i = 0; i < N(worst); i++) {
        for (k = 0; k < sizeof(text); k++) {
            text[k] = worst[i][k % strlen(worst[i])];
        }

        assert_true(fota_version_key(key, fota_slice(text, sizeof(text)))
                    <= FOTA_VERSION_KEY_MAX);
    }

    assert_int_equal(fota_version_key(key, fota_slice(NULL, 0)), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rising),
        cmocka_unit_test(test_equal_in_order),
        cmocka_unit_test(test_total_order),
        cmocka_unit_test(test_key_length),
        cmocka_unit_test(test_check)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
