/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/router.c */

/* Paths, permissions and percent-encoding, without a socket. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http_private.h"


static int
handler(fota_req_t *req)
{
    return FOTA_OK;
}


static const fota_route_t  first[] = {
    { "GET", "/healthz", NULL, handler, NULL, 0, FOTA_ROUTE_PUBLIC },
    { "GET", "/api/v1/devices", "device:read", handler, NULL, 0, 0 },
    { "POST", "/api/v1/devices", "device:create", handler, NULL, 9, 0 },
    { "GET", "/api/v1/devices/{device}", "device:read", handler, NULL, 0, 0 },
    { "GET", "/api/v1/devices/count", "device:read", handler, NULL, 0, 0 }
};

static const fota_route_t  second[] = {
    { "GET", "/a/{x}/c", NULL, handler, NULL, 0, 0 },
    { "GET", "/a/b/{y}", NULL, handler, NULL, 0, 0 },
    { "PUT", "/a/b/{y}", NULL, handler, NULL, 0, 0 },
    { "GET", "/p/{one}/q/{two}", NULL, handler, NULL, 0, 0 }
};

static const fota_route_set_t  set1 = { first, 5 };
static const fota_route_set_t  set2 = { second, 4 };

/* NULL: a weak set that is not linked. */
static const fota_route_set_t *const  sets[] = { &set1, NULL, &set2 };


static fota_match_e
match(const char *method, const char *path, const fota_route_t **route,
    fota_http_param_t *params, unsigned *n, char *allow)
{
    return fota_route_match(sets, 3, fota_cstr(method), fota_cstr(path),
                            route, params, n, allow);
}


static void
test_match(void **state)
{
    char                 allow[64];
    size_t               i;
    unsigned             n;
    fota_http_param_t    p[FOTA_HTTP_PARAMS];
    const fota_route_t  *r;

    static const struct {
        const char          *method;
        const char          *path;
        const fota_route_t  *route;
        const char          *param;
    } good[] = {
        { "GET", "/healthz", &first[0], NULL },
        { "HEAD", "/healthz", &first[0], NULL },
        { "GET", "/api/v1/devices", &first[1], NULL },
        { "POST", "/api/v1/devices", &first[2], NULL },
        { "GET", "/api/v1/devices/x%2Fy", &first[3], "x%2Fy" },
        { "GET", "/api/v1/devices/count", &first[4], NULL },
        { "GET", "/api/v1/devices/%63ount", &first[3], "%63ount" },
        { "GET", "/api/v1/devices/counts", &first[3], "counts" },
        { "GET", "/a/z/c", &second[0], "z" },
        { "GET", "/a/b/c", &second[1], "c" },   /* earlier literal wins */
        { "PUT", "/a/b/c", &second[2], "c" }
    };

    static const char *const  none[] = {
        "", "/", "healthz", "/healthz/", "/healthz?", "//healthz", "/health",
        "/api/v1/devices/", "/api/v1/devices/a/b", "/api/v1/device", "/a//c",
        "/a/b", "/p/1/q", "/p/1/q/2/3", "/HEALTHZ"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(match(good[i].method, good[i].path, &r, p, &n,
                               allow), FOTA_MATCH_OK);
        assert_ptr_equal(r, good[i].route);
        assert_int_equal(n, good[i].param != NULL);

        if (good[i].param != NULL) {
            assert_true(fota_str_eq(p[0].raw, fota_cstr(good[i].param)));
        }
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(match("GET", none[i], &r, p, &n, allow),
                         FOTA_MATCH_NONE);
    }

    assert_int_equal(match("GET", "/p/1/q/2", &r, p, &n, allow),
                     FOTA_MATCH_OK);
    assert_int_equal(n, 2);
    assert_true(fota_str_eq(p[0].raw, fota_cstr("1")));
    assert_true(fota_str_eq(p[1].raw, fota_cstr("2")));
    assert_memory_equal(p[1].name, "two}", 4);
}


static void
test_method(void **state)
{
    char                 allow[64];
    unsigned             n;
    fota_http_param_t    p[FOTA_HTTP_PARAMS];
    const fota_route_t  *r;

    assert_int_equal(match("DELETE", "/api/v1/devices", &r, p, &n, allow),
                     FOTA_MATCH_METHOD);
    assert_string_equal(allow, "GET, POST");
    assert_int_equal(match("HEAD", "/api/v1/devices", &r, p, &n, allow),
                     FOTA_MATCH_OK);
    assert_ptr_equal(r, &first[1]);
    assert_int_equal(match("POST", "/healthz", &r, p, &n, allow),
                     FOTA_MATCH_METHOD);
    assert_string_equal(allow, "GET");
    assert_int_equal(match("get", "/healthz", &r, p, &n, allow),
                     FOTA_MATCH_METHOD);
}


static void
test_permission(void **state)
{
    size_t  i;

    static const struct {
        const char  *list;
        const char  *want;
        bool         has;
    } rows[] = {
        { "*", "device:read", true },
        { "device:read", "device:read", true },
        { "device:read", "device:update", false },
        { "device:*", "device:update", true },
        { "group:*,device:read", "device:read", true },
        { "device:rea", "device:read", false },
        { "device:readx", "device:read", false },
        { "dev:*", "device:read", false },
        { "device:*", "devices:read", false },
        { "", "device:read", false },
        { ",", "device:read", false },
        { "device", "device:read", false },
        { "device:read", "device:*", false },
        { "device:read", "*", false },
        { "*", "*", true }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(fota_permission_has(fota_cstr(rows[i].list),
                                             rows[i].want), rows[i].has);
    }
}


static void
test_decode(void **state)
{
    size_t        i;
    fota_str_t    out;
    fota_arena_t  a;

    static const struct {
        const char  *raw;
        const char  *text;      /* NULL: refused */
    } rows[] = {
        { "", "" }, { "abc", "abc" }, { "a%20b", "a b" },
        { "%2f%2F", "//" }, { "a+b", "a+b" }, { "%e5%a4%a7", "\xe5\xa4\xa7" },
        { "%", NULL }, { "%4", NULL }, { "%zz", NULL }, { "%00", NULL },
        { "%ff", NULL }, { "%c0%80", NULL }, { "a%1", NULL }
    };

    fota_arena_init(&a, 0);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].text == NULL) {
            assert_int_not_equal(fota_url_decode(&a.mem,
                                                 fota_cstr(rows[i].raw),
                                                 &out), FOTA_OK);
            continue;
        }

        assert_int_equal(fota_url_decode(&a.mem, fota_cstr(rows[i].raw),
                                         &out), FOTA_OK);
        assert_true(fota_str_eq(out, fota_cstr(rows[i].text)));
        assert_int_equal(out.data[out.len], 0);
    }

    fota_arena_free(&a);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_method),
        cmocka_unit_test(test_permission),
        cmocka_unit_test(test_decode)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
