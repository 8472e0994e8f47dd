/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"
#include "fota_version.h"


typedef struct {
    const char  *filter;
    const char  *sql;
    const char  *params;        /* joined by "|"; a version key as "<key>" */
} row_t;


/* Short names, so that the table below can be read. */

static const fota_filter_sql_map_t  map = {
    .column = {
        [FOTA_F_ID] = "i",
        [FOTA_F_PRODUCT] = "p",
        [FOTA_F_VERSION] = "v",
        [FOTA_F_KIND] = "k",
        [FOTA_F_GROUP] = "G(%s)",
        [FOTA_F_COUNTRY] = "c",
        [FOTA_F_REGION] = "r",
        [FOTA_F_CITY] = "y",
        [FOTA_F_TZ] = NULL,
        [FOTA_F_ASN] = "a",
        [FOTA_F_ATTR] = "A(?)"
    },
    .version_key = "vk",
    .region_code = "rc",
    .attr_number = "AN(?)",
    .group_any = "GA"
};


#define FOLD(s)  "CAST(LOWER(CONVERT(CAST(" s " AS BINARY) USING hebrew)) " \
                 "AS BINARY)"

#define NUMBER_RE  "^-?(?=[0-9.]{1,16}\\z)(?![0-9]{16})[0-9]+([.][0-9]+)?\\z"


static const row_t  rows[] = {

    { "", "1=1", "" },
    { "id==a", "((i = ? AND LENGTH(i) = 1))", "a" },
    { "id!=a", "(((i = ? AND LENGTH(i) = 1)) IS NOT TRUE)", "a" },
    { "id==''", "(1=0)", "" },
    { "id!=''", "((1=0) IS NOT TRUE)", "" },
    { "id==*", "(LENGTH(i) > 0)", "" },
    { "id=not=null", "(LENGTH(i) > 0)", "" },
    { "id=is=null", "((LENGTH(i) > 0) IS NOT TRUE)", "" },
    { "id==a*b", "(i LIKE ? ESCAPE '!')", "a%b" },
    { "id=='50%_!\\*\\\\*'", "(i LIKE ? ESCAPE '!')", "50!%!_!!*\\%" },
    { "id=in=(a,b*,c)",
      "((i = ? AND LENGTH(i) = 1) OR i LIKE ? ESCAPE '!' OR "
      "(i = ? AND LENGTH(i) = 1))", "a|b%|c" },
    { "id<b", "(LENGTH(i) > 0 AND CAST(i AS BINARY) < ?)", "b" },
    { "id>=5", "(CASE WHEN i REGEXP ? THEN CAST(i AS DOUBLE) END >= "
      "5.0000000000000000e+00)", NUMBER_RE },

    /* joiners */

    { "id==a and kind==b or id==c",
      "((((i = ? AND LENGTH(i) = 1)) AND ((k = ? AND LENGTH(k) = 1))) OR "
      "((i = ? AND LENGTH(i) = 1)))", "a|b|c" },

    /* versions */

    { "version==1.0", "((LENGTH(v) > 0 AND vk = ?))", "<1.0>" },
    { "version=lt=1.0", "((LENGTH(v) > 0 AND vk < ?))", "<1.0>" },
    { "version=out=(1,2.*)",
      "(((LENGTH(v) > 0 AND vk = ?) OR v LIKE ? ESCAPE '!') IS NOT TRUE)",
      "<1>|2.%" },
    { "version=is=null", "((LENGTH(v) > 0) IS NOT TRUE)", "" },

    /* places */

    { "country==JP", "(" FOLD("c") " = " FOLD("?") ")", "JP" },
    { "city==T*", "(" FOLD("y") " LIKE " FOLD("?") " ESCAPE '!')", "T%" },
    { "region!=x", "((" FOLD("r") " = " FOLD("?") " OR " FOLD("rc") " = "
      FOLD("?") ") IS NOT TRUE)", "x|x" },
    { "region=not=null", "(LENGTH(r) > 0 OR LENGTH(rc) > 0)", "" },
    { "asn==5", "((a > 0 AND a = 5))", "" },
    { "asn>=007", "((a > 0 AND a >= 7))", "" },
    { "asn=is=null", "((a > 0) IS NOT TRUE)", "" },

    /* attributes: the name first, then the value */

    { "attr.hw==3", "(CAST(A(?) AS BINARY) = ?)", "hw|3" },
    { "attr.hw==''", "(CAST(A(?) AS BINARY) = ?)", "hw|" },
    { "attr.hw==*", "(A(?) LIKE ? ESCAPE '!')", "hw|%" },
    { "attr.hw=not=null", "(A(?) IS NOT NULL)", "hw" },
    { "attr.hw=ge=-0.5", "(AN(?) >= -5.0000000000000000e-01)", "hw" },
    { "attr.hw<x", "(CAST(A(?) AS BINARY) < ?)", "hw|x" },
    { "attr.a=in=(x,y*)",
      "(CAST(A(?) AS BINARY) = ? OR A(?) LIKE ? ESCAPE '!')", "a|x|a|y%" },

    /* groups */

    { "group==beta", "(G(3))", "" },
    { "group=in=(gamma,beta,alpha)", "(G(3,7,900))", "" },
    { "group==*a", "(G(3,7,900))", "" },
    { "group!=empty", "((1=0) IS NOT TRUE)", "" },
    { "group=not=null", "(GA)", "" },
    { "group==dyn", "(1=0 OR ((k = ? AND LENGTH(k) = 2)))", "os" },
    { "group=out=(alpha,nest,all)",
      "((G(7) OR ((G(3)) AND ((k = ? AND LENGTH(k) = 2))) OR 1=1) "
      "IS NOT TRUE)", "os" },

    /* No text of the user is in the SQL. */

    { "id=='x\\' OR 1=1 -- ' and attr.x\\'\\;y==\"\\\"z\"",
      "(((i = ? AND LENGTH(i) = 13)) AND (CAST(A(?) AS BINARY) = ?))",
      "x' OR 1=1 -- |x';y|\"z" }
};


static void
print_params(fota_buf_t *b, const fota_filter_sql_t *sql,
    const char *versions)
{
    size_t       i, n, len;
    uint8_t      key[FOTA_VERSION_KEY_MAX];
    const char  *open, *end;

    open = versions;

    for (i = 0; i < sql->nparams; i++) {
        fota_buf_cstr(b, i == 0 ? "" : "|");

        if (!sql->params[i].binary) {
            fota_buf_str(b, sql->params[i].text);
            continue;
        }

        /* The key must be that of the next version the row names. */

        open = strchr(open, '<');
        end = open ? strchr(open, '>') : NULL;
        assert_non_null(end);

        n = (size_t) (end - open - 1);
        len = fota_version_key(key, fota_slice(open + 1, n));

        assert_true(fota_str_eq(sql->params[i].text, fota_slice(key, len)));

        fota_buf_put(b, open, n + 2);
        open = end;
    }
}


static void
test_rows(void **state)
{
    size_t                 i;
    fota_str_t             params;
    fota_buf_t             b;
    filter_test_t          t;
    fota_filter_sql_t      sql;
    fota_filter_groups_t   groups;

    groups.resolve = filter_resolve;

    filter_open(&t);
    fota_buf_grow(&b, 1 << 16);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        if (filter_parse(&t, rows[i].filter) != FOTA_OK
            || fota_filter_sql(&t.arena.mem, t.tree, &map, &groups, &sql,
                               &t.err) != FOTA_OK)
        {
            fail_msg("%s: column %zu: %s", rows[i].filter, t.err.column,
                     t.err.text);
        }

        /* NUL-terminated beyond its length. */

        if (strcmp((char *) sql.sql.start, rows[i].sql) != 0
            || sql.sql.len != strlen(rows[i].sql))
        {
            fail_msg("%s: %s", rows[i].filter, (char *) sql.sql.start);
        }

        fota_buf_reset(&b);
        print_params(&b, &sql, rows[i].params);
        params = fota_buf_slice(&b);

        if (!fota_str_eq(params, fota_cstr(rows[i].params))) {
            fail_msg("%s: params %.*s", rows[i].filter, (int) params.len,
                     (const char *) params.data);
        }
    }

    fota_buf_free(&b);
    filter_close(&t);
}


static void
expect_error(filter_test_t *t, const char *filter, int status, size_t column,
    const char *message)
{
    fota_filter_sql_t     sql;
    fota_filter_groups_t  groups;

    groups.resolve = filter_resolve;

    assert_int_equal(filter_parse(t, filter), FOTA_OK);

    if (fota_filter_sql(&t->arena.mem, t->tree, &map, &groups, &sql, &t->err)
        != status || t->err.column != column
        || strcmp(t->err.text, message) != 0)
    {
        fail_msg("%.60s: column %zu: %s", filter, t->err.column,
                 t->err.text);
    }

    assert_null(sql.sql.start);
}


static void
test_errors(void **state)
{
    size_t         i;
    char           text[4200];
    filter_test_t  t;

    filter_open(&t);

    expect_error(&t, "id==a and tz==x", FOTA_INVALID, 11,
                 "field 'tz' cannot be searched here");
    expect_error(&t, "id==a;group==nobody", FOTA_NOTFOUND, 14,
                 "there is no group 'nobody'");
    expect_error(&t, "group==deep", FOTA_LIMIT, 8,
                 "group 'dyn' is dynamic; the filter of a dynamic group names "
                 "only static groups");
    expect_error(&t, "group==bad", FOTA_INVALID, 8,
                 "filter of group 'bad', column 14: unknown field 'modle'; "
                 "did you mean 'product'?");

    /* 1024 ids of one to four digits and commas, again and again. */

    text[0] = '\0';

    for (i = 0; i < 100; i++) {
        strcat(text, i == 0 ? "group==many" : ";group==many");
    }

    expect_error(&t, text, FOTA_LIMIT, 781, "SQL of the filter is longer "
                 "than 262144 bytes or has more than 8192 values, the "
                 "limits");

    filter_close(&t);
}


/* Memory that ends at each place in turn. */

static void
test_memory(void **state)
{
    int                  rc;
    size_t               cap;
    fota_arena_t         arena;
    filter_test_t        t;
    fota_filter_sql_t    sql;
    fota_filter_error_t  err;

    filter_open(&t);

    assert_int_equal(filter_parse(&t, "id==a* and version<1 and "
                                      "attr.x=in=(1,2,3,4,5,6,7,8,9)"),
                     FOTA_OK);

    rc = FOTA_NOMEM;

    for (cap = 16; rc == FOTA_NOMEM && cap < 100000; cap += 16) {
        fota_arena_init(&arena, cap);

        rc = fota_filter_sql(&arena.mem, t.tree, &map, NULL, &sql, &err);

        if (rc == FOTA_NOMEM) {
            assert_string_equal(err.text, "out of memory");
            assert_null(sql.sql.start);
        }

        fota_arena_free(&arena);
    }

    assert_int_equal(rc, FOTA_OK);
    assert_true(cap > 1000);

    filter_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_memory)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
