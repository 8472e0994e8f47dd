/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


/* The longest message is cut at a character. */

static void
test_fail(void **state)
{
    size_t               n;
    char                 text[256];
    fota_filter_error_t  err;

    for (n = 190; n < 210; n++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + n, "\xe6\x9d\xb1\xe4\xba\xac\xe6\x9d\xb1", 10);

        assert_int_equal(fota_filter_fail(&err, 7, FOTA_LIMIT, "%s", text),
                         FOTA_LIMIT);
        assert_int_equal(err.column, 7);
        assert_true(fota_str_utf8(fota_cstr(err.text)));
        assert_true(strlen(err.text) >= sizeof(err.text) - 4);
        assert_memory_equal(err.text, text, strlen(err.text));
    }

    assert_int_equal(fota_filter_fail(&err, 1, FOTA_INVALID, "%d", 5),
                     FOTA_INVALID);
    assert_string_equal(err.text, "5");
    assert_int_equal(fota_filter_fail(NULL, 1, FOTA_INVALID, "x"),
                     FOTA_INVALID);
}


static void
test_show(void **state)
{
    size_t  n;
    char    text[64], buf[FOTA_FILTER_SHOW];

    assert_string_equal(fota_filter_show(buf, fota_cstr("")), "");
    assert_string_equal(fota_filter_show(buf, fota_cstr("a\x01\n\x7f" "b")),
                        "a???b");

    for (n = 38; n < 50; n++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + n, "\xe6\x9d\xb1\xe4\xba\xac", 7);

        (void) fota_filter_show(buf, fota_cstr(text));

        assert_true(strlen(buf) < FOTA_FILTER_SHOW);
        assert_true(fota_str_utf8(fota_cstr(buf)));

        if (n + 6 > FOTA_FILTER_SHOW - 4) {
            assert_string_equal(buf + strlen(buf) - 3, "...");

        } else {
            assert_string_equal(buf, text);
        }
    }
}


static void
test_field(void **state)
{
    unsigned             i;
    const char          *name;
    fota_filter_node_t   node;
    fota_filter_error_t  err;

    static const struct {
        const char  *found;
        const char  *meant;         /* NULL: no guess */
    } guesses[] = {
        { "prodcut", "product" }, { "produkt", "product" },
        { "versoin", "version" }, { "vers", NULL }, { "Version", "version" },
        { "i", NULL }, { "idd", "id" }, { "ids", "id" }, { "tzz", "tz" },
        { "cty", "city" }, { "citys", "city" }, { "coutnry", "country" },
        { "regio", "region" }, { "grup", "group" }, { "asm", "asn" },
        { "model", "product" }, { "modle", "product" }, { "serial", "id" },
        { "firmware", "version" }, { "province", "region" },
        { "attribute", "attr.NAME" }, { "xyzzy", NULL },
        { "a_word_that_is_longer_than_any_guess", NULL }
    };

    for (i = 0; i < FOTA_F_ATTR; i++) {
        memset(&node, 0, sizeof(node));
        name = fota_filter_field_name((fota_filter_field_e) i);

        assert_int_equal(fota_filter_field(&node, fota_cstr(name), &err),
                         FOTA_OK);
        assert_int_equal(node.field, i);
    }

    assert_int_equal(fota_filter_field(&node, fota_cstr("attr.a.b"), &err),
                     FOTA_OK);
    assert_int_equal(node.field, FOTA_F_ATTR);
    assert_true(fota_str_eq(node.attr, fota_cstr("a.b")));
    assert_string_equal(fota_filter_field_name(FOTA_F_ATTR), "attr");
    assert_string_equal(fota_filter_field_name(FOTA_F__N), "");

    for (i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        assert_int_equal(fota_filter_field(&node, fota_cstr(guesses[i].found),
                                           &err), FOTA_INVALID);

        name = strstr(err.text, "did you mean '");

        if (guesses[i].meant == NULL ? name != NULL
            : name == NULL || strncmp(name + 14, guesses[i].meant,
                                      strlen(guesses[i].meant)) != 0
              || strcmp(name + 14 + strlen(guesses[i].meant), "'?") != 0)
        {
            fail_msg("%s: %s", guesses[i].found, err.text);
        }
    }
}


static void
test_operator(void **state)
{
    size_t       i;
    const char  *guess;

    static const char *const  guesses[][2] = {
        { "=lte=", "=le=" }, { "=gte=", "=ge=" }, { "=eq=", "==" },
        { "=ne=", "!=" }, { "=like=", "==" }, { "=IN=", "=in=" },
        { "=nin=", "=out=" }, { "=uot=", "=out=" }, { "=xyzzy=", NULL }
    };

    for (i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        guess = fota_filter_guess_operator(fota_cstr(guesses[i][0]));

        if (guesses[i][1] == NULL ? guess != NULL
            : guess == NULL || strcmp(guess, guesses[i][1]) != 0)
        {
            fail_msg("%s: %s", guesses[i][0], guess ? guess : "none");
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_operator)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
