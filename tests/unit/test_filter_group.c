/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


static int
compile(filter_test_t *t, const char *text, fota_filter_groups_t *groups)
{
    assert_int_equal(filter_parse(t, text), FOTA_OK);
    fota_buf_reset(&t->code);

    return fota_filter_compile(&t->arena.mem, t->tree, groups, &t->code,
                               &t->err);
}


static void
test_groups(void **state)
{
    size_t                i, n;
    char                  text[8192];
    filter_test_t         t;
    fota_filter_groups_t  groups;

    static const struct {
        const char     *filter;
        fota_status_e   status;
        size_t          column;
        const char     *message;
    } bad[] = {
        { "id==a and group==nobody", FOTA_NOTFOUND, 18,
          "there is no group 'nobody'" },
        { "group=in=(alpha,none*)", FOTA_NOTFOUND, 17,
          "there is no group 'none*'" },
        { "id==a;group==deep", FOTA_LIMIT, 14,
          "group 'dyn' is dynamic; the filter of a dynamic group names only "
          "static groups" },
        { "group==bad", FOTA_INVALID, 8,
          "filter of group 'bad', column 14: unknown field 'modle'; did you "
          "mean 'product'?" },
        { "group==toomany", FOTA_LIMIT, 8,
          "'toomany' names too many groups; the limit is 1024" },
        { "group=in=(many,alpha)", FOTA_OK, 0, "" }
    };

    groups.resolve = filter_resolve;

    filter_open(&t);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]) - 1; i++) {

        if (compile(&t, bad[i].filter, &groups) != (int) bad[i].status
            || t.err.column != bad[i].column
            || strcmp(t.err.text, bad[i].message) != 0)
        {
            fail_msg("%s: column %zu: %s", bad[i].filter, t.err.column,
                     t.err.text);
        }
    }

    /* No place to look groups up, as in the requires of an artifact. */

    assert_int_equal(compile(&t, "group==a", NULL), FOTA_INVALID);
    assert_string_equal(t.err.text, "a group cannot be named here");
    assert_int_equal(compile(&t, "group=is=null", NULL), FOTA_OK);

    /* 1024 ids fit, four times as many do not. */

    assert_int_equal(compile(&t, "group==many", &groups), FOTA_OK);
    assert_int_equal(fota_filter_check(fota_buf_slice(&t.code)), FOTA_OK);
    assert_int_equal(compile(&t, "group==many;group==many;group==many;"
                                 "group==many", &groups), FOTA_LIMIT);
    assert_int_equal(t.err.column, 37);
    assert_string_equal(t.err.text, "compiled filter is longer than 16384 "
                        "bytes, the limit");

    /* Long lists of numbers reach it too. */

    text[0] = '\0';

    for (i = 0; i < 8; i++) {
        strcat(text, i == 0 ? "asn=in=(" : ",asn=in=(");

        for (n = 0; n < 204; n++) {
            strcat(text, n == 0 ? "1" : ",1");
        }

        strcat(text, ")");
    }

    assert_int_equal(compile(&t, text, NULL), FOTA_OK);
    assert_int_equal(fota_filter_check(fota_buf_slice(&t.code)), FOTA_OK);

    strcat(text, ",asn=in=(1,2,3,4,5,6,7)");
    assert_int_equal(compile(&t, text, NULL), FOTA_LIMIT);
    assert_int_equal(t.err.column, strlen(text) - 21);

    filter_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_groups)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
