/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "fota_json.h"


#define N(a)  (sizeof(a) / sizeof((a)[0]))


static int
setup(void **state)
{
    static fota_arena_t  arena;

    fota_arena_init(&arena, 16 << 20);
    *state = &arena;

    return 0;
}


static int
teardown(void **state)
{
    fota_arena_free(*state);

    return 0;
}


/* The text is in memory of its exact size for the sanitizer. */

static int
parse(fota_arena_t *a, const char *text, size_t n, uint32_t max,
    fota_json_t **out, fota_json_error_t *err)
{
    uint8_t  *p;

    p = fota_alloc(&a->mem, n);
    memcpy(p, text, n);

    return fota_json_parse(&a->mem, fota_slice(p, n), max, out, err);
}


static void
test_accepted(void **state)
{
    size_t              i;
    fota_json_t        *v;
    fota_json_error_t   err;

    static const char *const  texts[] = {
        "null", "true", "false", " 0 ", "-0", "1.5e+10", "1E5", "0.0", "\"\"",
        "[]", "{}", "[ ]", "{ }", "[1,[2,[3]]]", "\r\n\t[1 , 2]\n",
        "{\"a\":1,\"A\":2}", "{\"\":0}", "\"\x7f\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"", "\"a\\\\\"", "\"\\u00e9\\u20AC\"",
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
        "{\"a\":{\"a\":{\"a\":[]}}}", "99999999999999999999999999"
    };

    for (i = 0; i < N(texts); i++) {
        err.reason = "";

        if (parse(*state, texts[i], strlen(texts[i]), 100, &v, &err)
            != FOTA_OK)
        {
            fail_msg("%s: %s", texts[i], err.reason);
        }
    }
}


static void
test_refused(void **state)
{
    int                 rc;
    size_t              i;
    fota_json_t        *v;
    fota_json_error_t   err;

    static const struct {
        const char  *text;
        int          rc;
        size_t       offset;
        const char  *reason;
    } rows[] = {
        { "", FOTA_INVALID, 0, "value expected" },
        { "  ", FOTA_INVALID, 2, "value expected" },
        { "nul", FOTA_INVALID, 0, "value expected" },
        { "True", FOTA_INVALID, 0, "value expected" },
        { "NaN", FOTA_INVALID, 0, "value expected" },
        { "\xef\xbb\xbf{}", FOTA_INVALID, 0, "value expected" },
        { "1 2", FOTA_INVALID, 2, "something after the value" },
        { "{}x", FOTA_INVALID, 2, "something after the value" },
        { "01", FOTA_INVALID, 1, "number with leading zero" },
        { "-", FOTA_INVALID, 1, "number without digits" },
        { "+1", FOTA_INVALID, 0, "value expected" },
        { ".5", FOTA_INVALID, 0, "value expected" },
        { "1.", FOTA_INVALID, 2, "number without fraction" },
        { "1e", FOTA_INVALID, 2, "number without exponent" },
        { "1e+", FOTA_INVALID, 3, "number without exponent" },
        { "0x10", FOTA_INVALID, 1, "something after the value" },
        { "[1,]", FOTA_INVALID, 3, "value expected" },
        { "[1", FOTA_INVALID, 2, "',' or ']' expected" },
        { "[1}", FOTA_INVALID, 2, "',' or ']' expected" },
        { "[", FOTA_INVALID, 1, "value expected" },
        { "{", FOTA_INVALID, 1, "name expected" },
        { "{a:1}", FOTA_INVALID, 1, "name expected" },
        { "{\"a\"}", FOTA_INVALID, 4, "':' expected" },
        { "{\"a\":}", FOTA_INVALID, 5, "value expected" },
        { "{\"a\":1,}", FOTA_INVALID, 7, "name expected" },
        { "{\"a\":1 \"b\":2}", FOTA_INVALID, 7, "',' or '}' expected" },
        { "{\"a\":1,\"b\":2,\"a\":3}", FOTA_INVALID, 19, "duplicate name" },
        { "{\"a\":1,\"\\u0061\":3}", FOTA_INVALID, 18, "duplicate name" },
        { "[{\"a\":1,\"a\":3},4]", FOTA_INVALID, 14, "duplicate name" },
        { "\"abc", FOTA_INVALID, 4, "unfinished string" },
        { "\"abc\\", FOTA_INVALID, 5, "unfinished string" },
        { "\"abc\\\"", FOTA_INVALID, 6, "unfinished string" },
        { "\"a\nb\"", FOTA_INVALID, 2, "control byte in a string" },
        { "\"\\\n\"", FOTA_INVALID, 2, "control byte in a string" },
        { "\"\\x\"", FOTA_INVALID, 1, "unknown escape" },
        { "\"\\\xc3\xa9\"", FOTA_INVALID, 1, "unknown escape" },
        { "\"\xff\"", FOTA_INVALID, 1, "string is not UTF-8" },
        { "\"\xed\xa0\x80\"", FOTA_INVALID, 1, "string is not UTF-8" },
        { "\"\xc3\"", FOTA_INVALID, 1, "string is not UTF-8" },
        { "\"\\u12\"", FOTA_INVALID, 3, "unfinished \\u escape" },
        { "\"\\u12\\\"\"", FOTA_INVALID, 5, "bad digit in \\u escape" },
        { "\"\\u12g4\"", FOTA_INVALID, 5, "bad digit in \\u escape" },
        { "\"\\u0000\"", FOTA_INVALID, 7, "NUL in a string" },
        { "\"\\ud800\"", FOTA_INVALID, 7, "unpaired surrogate" },
        { "\"\\ud800x\"", FOTA_INVALID, 7, "unpaired surrogate" },
        { "\"\\ud800\\u0041\"", FOTA_INVALID, 13, "unpaired surrogate" },
        { "\"\\ud800\\ud800\"", FOTA_INVALID, 13, "unpaired surrogate" },
        { "\"\\ud800\\udc\"", FOTA_INVALID, 9, "unfinished \\u escape" },
        { "\"\\udc00\"", FOTA_INVALID, 7, "unpaired surrogate" },
        { "[[[[[[[[[[[[[[[[[", FOTA_LIMIT, 16, "nested too deep" },
        { "[1,2,3,4,5,6,7,8,9,10,11,12]", FOTA_LIMIT, 19,
          "too many values" },
    };

    for (i = 0; i < N(rows); i++) {
        err.offset = 1000;
        err.reason = "";
        v = (void *) *state;

        rc = parse(*state, rows[i].text, strlen(rows[i].text),
                   (rows[i].reason[0] == 't') ? 10 : 100, &v, &err);

        if (rc != rows[i].rc || err.offset != rows[i].offset
            || strcmp(err.reason, rows[i].reason) != 0)
        {
            fail_msg("%s: %d at %u: %s", rows[i].text, rc,
                     (unsigned) err.offset, err.reason);
        }

        assert_ptr_equal(v, *state);
    }

    assert_int_equal(parse(*state, "\"a\0b\"", 5, 1, &v, &err), FOTA_INVALID);
    assert_int_equal(parse(*state, "[", 1, 2, &v, NULL), FOTA_INVALID);
    assert_int_equal(parse(*state, "1", 1, 0, &v, &err), FOTA_LIMIT);
}


static void
test_tree(void **state)
{
    int64_t             n;
    fota_json_t        *v;
    fota_json_error_t   err;
    const fota_json_t  *m;

    static const char  text[] =
        "{\"id\":\"d-1\", \"n\":-5, \"list\":[1, true, null, \"\\u00e9\"],"
        " \"esc\\\"aped\":{\"x\":1.5}}";

    assert_int_equal(parse(*state, text, sizeof(text) - 1, 100, &v, &err),
                     FOTA_OK);
    assert_int_equal(v->type, FOTA_JSON_OBJECT);
    assert_int_equal(v->count, 4);

    m = fota_json_get(v, "id");
    assert_int_equal(m->type, FOTA_JSON_STRING);
    assert_true(fota_str_eq(m->str, fota_cstr("d-1")));

    assert_int_equal(fota_json_int(fota_json_get(v, "n"), &n), FOTA_OK);
    assert_int_equal(n, -5);

    m = fota_json_get(v, "list");
    assert_int_equal(m->type, FOTA_JSON_ARRAY);
    assert_int_equal(m->count, 4);
    m = m->child->next;
    assert_int_equal(m->type, FOTA_JSON_BOOL);
    assert_true(m->boolean);
    m = m->next;
    assert_int_equal(m->type, FOTA_JSON_NULL);
    m = m->next;
    assert_true(fota_str_eq(m->str, fota_cstr("\xc3\xa9")));
    assert_null(m->next);

    m = fota_json_get(v, "esc\"aped");
    assert_non_null(m);
    m = fota_json_get(m, "x");
    assert_int_equal(m->type, FOTA_JSON_NUMBER);
    assert_true(fota_str_eq(m->str, fota_cstr("1.5")));
    assert_int_equal(fota_json_int(m, &n), FOTA_INVALID);

    assert_null(fota_json_get(v, "absent"));
    assert_null(fota_json_get(m, "x"));
    assert_null(fota_json_get(NULL, "x"));
    assert_int_equal(fota_json_int(NULL, &n), FOTA_INVALID);
    assert_int_equal(fota_json_int(v, &n), FOTA_INVALID);
}


static void
test_int(void **state)
{
    size_t        i;
    int64_t       n;
    fota_json_t  *v;

    static const struct {
        const char  *text;
        int          rc;
        int64_t      n;
    } rows[] = {
        { "0", FOTA_OK, 0 },
        { "-0", FOTA_OK, 0 },
        { "9223372036854775807", FOTA_OK, INT64_MAX },
        { "9223372036854775808", FOTA_INVALID, 7 },
        { "-9223372036854775808", FOTA_OK, INT64_MIN },
        { "-9223372036854775809", FOTA_INVALID, 7 },
        { "1e3", FOTA_INVALID, 7 },
        { "1.0", FOTA_INVALID, 7 },
    };

    for (i = 0; i < N(rows); i++) {
        n = 7;
        assert_int_equal(parse(*state, rows[i].text, strlen(rows[i].text), 1,
                               &v, NULL),
                         FOTA_OK);
        assert_int_equal(fota_json_int(v, &n), rows[i].rc);
        assert_true(n == rows[i].n);
    }
}


/* Objects on both sides of the switch to sorting. */

static void
test_many_names(void **state)
{
    unsigned      i, n;
    fota_buf_t    b;
    fota_json_t  *v;

    for (n = 2; n < 3000; n = n * 3 / 2 + 1) {
        fota_buf_grow(&b, 1 << 20);
        fota_buf_cstr(&b, "{");

        for (i = 0; i < n; i++) {
            fota_buf_printf(&b, "\"k%u\":%u,", i * 7919 % n, i);
        }

        fota_buf_cstr(&b, "\"last\":0}");
        assert_int_equal(fota_json_parse(&((fota_arena_t *) *state)->mem,
                                         fota_buf_slice(&b), 5000, &v, NULL),
                         FOTA_OK);
        assert_int_equal(v->count, n + 1);
        assert_true(fota_str_eq(v->child->name, fota_cstr("k0")));

        b.len -= strlen("\"last\":0}");
        fota_buf_cstr(&b, "\"k0\":0}");
        assert_int_equal(fota_json_parse(&((fota_arena_t *) *state)->mem,
                                         fota_buf_slice(&b), 5000, &v, NULL),
                         FOTA_INVALID);
        fota_buf_free(&b);
    }
}


static void
test_out_of_memory(void **state)
{
    int           rc;
    size_t        cap;
    fota_json_t  *v;
    fota_arena_t  a;

    static const char  text[] =
        "{\"a\":\"\\n\",\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,"
        "\"h\":8,\"i\":9}";

    for (cap = 16; cap < 4096; cap += 16) {
        fota_arena_init(&a, cap);

        rc = fota_json_parse(&a.mem, fota_cstr(text), 100, &v, NULL);

        fota_arena_free(&a);

        if (rc == FOTA_OK) {
            break;
        }

        assert_int_equal(rc, FOTA_NOMEM);
    }

    assert_int_equal(rc, FOTA_OK);
    assert_true(cap > 10 * sizeof(fota_json_t));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_int, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
        cmocka_unit_test(test_out_of_memory)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
