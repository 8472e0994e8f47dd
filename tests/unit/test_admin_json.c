/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/http_json.c admin/server/http_res.c */

/* Members of JSON bodies: limits, types, and what a refusal says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http_private.h"


static fota_http_t  h;


static fota_req_t *
body(const char *text)
{
    if (h.req.http == NULL) {
        h.req.http = &h;
        fota_arena_init(&h.req.arena, 0);
    }

    fota_res_clear(&h.req);

    if (h.req.json != NULL) {
        json_decref(h.req.json);
    }

    h.req.body = fota_cstr(text);
    h.req.json = text != NULL ? json_loads(text, 0, NULL) : NULL;

    return &h.req;
}


/* The answer is a problem of this status, code and field. */

static void
refused(unsigned status, const char *code, const char *field)
{
    json_t  *v;

    assert_int_equal(h.status, status);
    assert_true(fota_str_eq(h.type, fota_cstr("application/problem+json")));

    v = json_loadb(h.out, h.outlen, 0, NULL);
    assert_non_null(v);
    assert_int_equal(json_integer_value(json_object_get(v, "status")),
                     status);
    assert_string_equal(json_string_value(json_object_get(v, "code")), code);

    if (field != NULL) {
        assert_string_equal(json_string_value(json_object_get(v, "field")),
                            field);
    } else {
        assert_null(json_object_get(v, "field"));
    }

    json_decref(v);
    fota_res_clear(&h.req);
}


static void
test_strings(void **state)
{
    fota_str_t   s;
    fota_req_t  *req;

    req = body("{\"a\":\"four\",\"n\":null,\"i\":7,\"e\":\"\","
               "\"c\":\"x\\ty\",\"b\":\" x\",\"t\":\"x \"}");

    assert_true(fota_json_str(req, "a", true, 4, &s));
    assert_true(fota_str_eq(s, fota_cstr("four")));
    assert_false(fota_json_str(req, "a", true, 3, &s));
    refused(400, "field_limit", "a");
    assert_false(fota_json_str(req, "i", false, 9, &s));
    refused(400, "field_type", "i");
    assert_false(fota_json_str(req, "e", true, 9, &s));
    refused(400, "field_empty", "e");
    assert_true(fota_json_str(req, "e", false, 9, &s));
    assert_int_equal(s.len, 0);

    s = fota_cstr("before");
    assert_true(fota_json_str(req, "n", false, 9, &s));
    assert_true(fota_json_str(req, "none", false, 9, &s));
    assert_true(fota_str_eq(s, fota_cstr("before")));
    assert_false(fota_json_str(req, "n", true, 9, &s));
    refused(400, "field_missing", "n");

    assert_false(fota_json_name(req, "c", false, 9, &s));
    refused(400, "field_chars", "c");
    assert_false(fota_json_name(req, "b", false, 9, &s));
    refused(400, "field_chars", "b");
    assert_false(fota_json_name(req, "t", false, 9, &s));
    refused(400, "field_chars", "t");
    assert_true(fota_json_name(req, "a", true, 9, &s));
}


static void
test_numbers(void **state)
{
    bool         flag;
    double       d;
    json_t      *list;
    int64_t      i;
    uint64_t     u;
    fota_req_t  *req;

    req = body("{\"i\":-5,\"u\":10,\"d\":1.5,\"s\":\"1\",\"t\":true,"
               "\"l\":[1,2,3]}");
    i = 0;
    u = 3;

    assert_true(fota_json_i64(req, "i", true, -5, 5, &i));
    assert_int_equal(i, -5);
    assert_false(fota_json_i64(req, "i", true, -4, 5, &i));
    refused(400, "field_limit", "i");
    assert_false(fota_json_i64(req, "d", true, 0, 5, &i));
    refused(400, "field_type", "d");
    assert_false(fota_json_i64(req, "s", true, 0, 5, &i));
    refused(400, "field_type", "s");

    assert_true(fota_json_u64(req, "none", false, 10, &u));
    assert_int_equal(u, 3);
    assert_true(fota_json_u64(req, "u", true, 10, &u));
    assert_int_equal(u, 10);
    assert_false(fota_json_u64(req, "u", true, 9, &u));
    refused(400, "field_limit", "u");
    assert_false(fota_json_u64(req, "i", true, UINT64_MAX, &u));
    refused(400, "field_limit", "i");

    assert_true(fota_json_double(req, "d", true, 0, 2, &d));
    assert_true(d == 1.5);
    assert_true(fota_json_double(req, "u", true, 0, 20, &d));
    assert_true(d == 10);
    assert_false(fota_json_double(req, "d", true, 2, 3, &d));
    refused(400, "field_limit", "d");

    flag = false;
    assert_true(fota_json_flag(req, "t", &flag));
    assert_true(flag);
    assert_true(fota_json_flag(req, "none", &flag));
    assert_true(flag);
    assert_false(fota_json_flag(req, "u", &flag));
    refused(400, "field_type", "u");

    assert_true(fota_json_list(req, "l", 3, &list));
    assert_int_equal(json_array_size(list), 3);
    assert_false(fota_json_list(req, "l", 2, &list));
    refused(400, "field_limit", "l");
    assert_false(fota_json_list(req, "u", 2, &list));
    refused(400, "field_type", "u");
    assert_true(fota_json_list(req, "none", 2, &list));
    assert_null(list);
}


static void
test_bodies(void **state)
{
    fota_str_t   s;
    fota_req_t  *req;

    static const char *const  names[] = { "a", "b", NULL };

    req = body("{\"a\":1}");
    assert_true(fota_json_only(req, names));
    assert_true(fota_json_has(req, "a"));
    assert_false(fota_json_has(req, "b"));

    req = body("{\"a\":1,\"evil\\n\":2}");
    assert_false(fota_json_only(req, names));
    refused(400, "field_unknown", "evil\n");

    req = body("[1]");
    assert_false(fota_json_only(req, names));
    refused(400, "bad_json", NULL);
    assert_false(fota_json_has(req, "a"));

    req = body(NULL);
    assert_false(fota_json_str(req, "a", false, 9, &s));
    refused(400, "body_missing", "a");

    /* A body that http.c did not take for JSON. */

    req = body("name=x");
    assert_false(fota_json_str(req, "a", false, 9, &s));
    refused(415, "content_type", "Content-Type");
}


static void
test_text(void **state)
{
    size_t   i;
    json_t  *v;

    static const struct {
        const char  *in;
        const char  *out;
    } rows[] = {
        { "", "" }, { "abc", "abc" }, { "\xe5\xa4\xa7", "\xe5\xa4\xa7" },
        { "a\xff" "b", "a\xef\xbf\xbd" "b" },
        { "\xe5\xa4", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xc0\x80x", "\xef\xbf\xbd\xef\xbf\xbdx" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = fota_json_text(fota_cstr(rows[i].in));
        assert_string_equal(json_string_value(v), rows[i].out);
        json_decref(v);
    }

    v = fota_json_text(fota_slice(NULL, 0));
    assert_string_equal(json_string_value(v), "");
    json_decref(v);

    v = fota_json_hex("\x00\xaf", 2);
    assert_string_equal(json_string_value(v), "00af");
    json_decref(v);
}


static unsigned  done;


static void
count(void *ctx)
{
    done++;
}


static ssize_t
produce(void *ctx, char *out, size_t max)
{
    return 0;
}


static void
test_answers(void **state)
{
    unsigned     i;
    fota_req_t  *req;

    req = body("{}");
    assert_false(fota_res_set(req));

    assert_int_equal(fota_res_json(req, 201, json_pack("{s:i}", "a", 1)),
                     FOTA_OK);
    assert_int_equal(h.status, 201);
    assert_memory_equal(h.out, "{\"a\":1}", 7);
    assert_int_equal(fota_res_json(req, 200, NULL), FOTA_NOMEM);

    /* A later answer takes the place of the first and frees it. */

    assert_int_equal(fota_res_stream(req, 200, "text/csv", produce, count,
                                     &done), FOTA_OK);
    assert_null(h.out);
    assert_int_equal(done, 0);
    assert_int_equal(fota_res_empty(req, 204), FOTA_OK);
    assert_int_equal(done, 1);
    assert_null(h.produce);
    assert_int_equal(h.status, 204);

    assert_int_equal(fota_res_bytes(req, 200, "text/plain",
                                    fota_slice("a\0b", 3)), FOTA_OK);
    assert_int_equal(h.outlen, 3);
    assert_memory_equal(h.out, "a\0b", 3);

    assert_int_equal(fota_res_accel(req, "/_objects/x", "a/b"), FOTA_OK);
    assert_int_equal(h.nheaders, 1);
    assert_true(fota_str_eq(h.headers[0].value, fota_cstr("/_objects/x")));

    for (i = 0; i < 2 * FOTA_HTTP_HEADERS; i++) {
        fota_res_header(req, "A", "b");
    }

    assert_int_equal(h.nheaders, FOTA_HTTP_HEADERS);

    (void) fota_res_problem(req, 409, "c", "f\"", "%0600d", 7);
    refused(409, "c", "f\"");
    assert_int_equal(h.nheaders, 0);
    assert_false(fota_res_set(req));

    body(NULL);
    fota_arena_free(&h.req.arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_answers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
