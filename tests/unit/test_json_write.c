/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <cmocka.h>

#include "fota_json.h"


#define S(s)  fota_slice("" s, sizeof(s) - 1)


static void
assert_text(fota_buf_t *b, const char *expected)
{
    assert_int_equal(b->status, FOTA_OK);
    fota_buf_u8(b, '\0');
    assert_string_equal((const char *) b->start, expected);
    fota_buf_reset(b);
}


static void
test_document(void **state)
{
    fota_jw_t   w;
    fota_buf_t  b;

    fota_buf_grow(&b, 4096);
    fota_jw_init(&w, &b);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "id", "d-1");
    fota_jw_int(&w, "min", INT64_MIN);
    fota_jw_int(&w, "max", INT64_MAX);
    fota_jw_uint(&w, "u", UINT64_MAX);
    fota_jw_array(&w, "list");
    fota_jw_bool(&w, NULL, true);
    fota_jw_bool(&w, NULL, false);
    fota_jw_null(&w, NULL);
    fota_jw_object(&w, NULL);
    fota_jw_end_object(&w);
    fota_jw_array(&w, NULL);
    fota_jw_end_array(&w);
    fota_jw_end_array(&w);
    fota_jw_hex(&w, "h", "\x01\xab", 2);
    fota_jw_base64(&w, "b", "\xfb\xff", 2);
    fota_jw_hex(&w, "empty", NULL, 0);
    fota_jw_cstr(&w, "none", NULL);
    fota_jw_end_object(&w);

    assert_int_equal(w.depth, 0);
    assert_text(&b, "{\"id\":\"d-1\",\"min\":-9223372036854775808,"
                "\"max\":9223372036854775807,\"u\":18446744073709551615,"
                "\"list\":[true,false,null,{},[]],\"h\":\"01ab\","
                "\"b\":\"+/8=\",\"empty\":\"\",\"none\":null}");

    fota_buf_free(&b);
}


static void
test_escapes(void **state)
{
    fota_jw_t   w;
    fota_buf_t  b;

    fota_buf_grow(&b, 4096);
    fota_jw_init(&w, &b);

    fota_jw_str(&w, NULL, S("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0z"));
    assert_text(&b, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"
                "\\u0000z\"");

    fota_jw_str(&w, NULL, S("\xe7\x89\x88\xf0\x9f\x98\x80"));
    assert_text(&b, "\"\xe7\x89\x88\xf0\x9f\x98\x80\"");

    fota_jw_str(&w, NULL, S("x\xffy\xc3"));
    assert_text(&b, "\"x\xef\xbf\xbdy\xef\xbf\xbd\"");

    fota_jw_str(&w, NULL, S("\xed\xa0\x80"));
    assert_text(&b, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");

    fota_jw_str(&w, NULL, fota_slice(NULL, 0));
    assert_text(&b, "\"\"");

    fota_jw_str(&w, "na\"me", S("v"));
    assert_text(&b, "\"na\\\"me\":\"v\"");

    fota_buf_free(&b);
}


static void
test_double(void **state)
{
    fota_jw_t   w;
    fota_buf_t  b;

    fota_buf_grow(&b, 4096);
    fota_jw_init(&w, &b);

    fota_jw_array(&w, NULL);
    fota_jw_double(&w, NULL, 0.1);
    fota_jw_double(&w, NULL, -2.5);
    fota_jw_double(&w, NULL, 1e300);
    fota_jw_double(&w, NULL, 0.1 + 0.2);
    fota_jw_double(&w, NULL, NAN);
    fota_jw_double(&w, NULL, -INFINITY);
    fota_jw_end_array(&w);
    assert_text(&b, "[0.1,-2.5,1e+300,0.30000000000000004,null,null]");

    fota_buf_free(&b);
}


static void
test_errors(void **state)
{
    int         i;
    char        mem[8];
    fota_jw_t   w;
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_jw_init(&w, &b);
    fota_jw_cstr(&w, NULL, "longer than eight");
    assert_int_equal(b.status, FOTA_FULL);

    fota_buf_grow(&b, 4096);
    fota_jw_init(&w, &b);
    fota_jw_end_object(&w);
    assert_int_equal(b.status, FOTA_LIMIT);

    fota_buf_reset(&b);
    fota_jw_init(&w, &b);

    for (i = 0; i < 31; i++) {
        fota_jw_array(&w, NULL);
    }

    assert_int_equal(b.status, FOTA_OK);
    fota_jw_array(&w, NULL);
    assert_int_equal(b.status, FOTA_LIMIT);

    fota_buf_free(&b);
}


/* What is written is read again as the same bytes. */

static void
test_round_trip(void **state)
{
    int            i;
    uint8_t        text[3];
    fota_jw_t      w;
    fota_buf_t     b;
    fota_json_t   *v;
    fota_arena_t   a;

    fota_arena_init(&a, 0);
    fota_buf_grow(&b, 4096);

    for (i = 1; i < 0x10000; i++) {
        text[0] = (uint8_t) i;
        text[1] = (uint8_t) (i >> 8);
        text[2] = 'z';

        fota_buf_reset(&b);
        fota_arena_reset(&a);
        fota_jw_init(&w, &b);
        fota_jw_str(&w, NULL, fota_slice(text, 3));

        if (text[0] == '\0' || text[1] == '\0') {
            continue;
        }

        assert_int_equal(fota_json_parse(&a.mem, fota_buf_slice(&b), 1, &v,
                                         NULL),
                         FOTA_OK);

        if (fota_str_utf8(fota_slice(text, 3))) {
            assert_true(fota_str_eq(v->str, fota_slice(text, 3)));
        }
    }

    fota_buf_free(&b);
    fota_arena_free(&a);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_round_trip)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
