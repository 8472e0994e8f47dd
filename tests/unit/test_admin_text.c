/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* objects: admin/server/csv_ids.c admin/server/migrate.c schema_data.c */
/* objects: admin/server/db.c admin/server/db_pool.c */
/* objects: admin/server/db_value.c */

/* Texts that the centre takes apart: CSV of ids, migrations. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "csv_ids.h"
#include "migrate.h"


typedef struct {
    fota_csv_t  csv;            /* first */
    char        out[65536];
    size_t      len;
    int         stop;
} reader_t;


static int
line(fota_csv_t *csv, uint64_t n, fota_str_t id, const char *code)
{
    reader_t  *r;

    r = (reader_t *) csv;
    r->len += (size_t) snprintf(r->out + r->len, sizeof(r->out) - r->len,
                                "%llu:%.*s%s%s\n", (unsigned long long) n,
                                (int) id.len, (const char *) id.data,
                                code != NULL ? "!" : "",
                                code != NULL ? code : "");

    return r->stop != 0 && n == (uint64_t) r->stop ? -7 : 0;
}


/* The same in one piece and byte by byte. */

static void
check(const char *text, size_t len, const char *want)
{
    size_t     i, step;
    reader_t  *r;

    r = malloc(sizeof(*r));
    assert_non_null(r);

    for (step = 1; step <= len; step = step == 1 && len > 1 ? len : len + 1) {
        memset(r, 0, sizeof(*r));
        r->csv.line = line;
        fota_csv_init(&r->csv);

        for (i = 0; i < len; i += step) {
            assert_int_equal(fota_csv_feed(&r->csv, text + i,
                                           step < len - i ? step : len - i),
                             0);
        }

        assert_int_equal(fota_csv_feed(&r->csv, NULL, 0), 0);
        assert_string_equal(r->out, want);
    }

    free(r);
}


static void
test_csv(void **state)
{
    check("a\nb\n", 4, "1:a\n2:b\n");
    check("a\r\nb", 4, "1:a\n2:b\n");
    check("\n\na\n\n", 5, "3:a\n");
    check("id\na\n", 5, "2:a\n");
    check("Device;x\na;y\n", 13, "2:a\n");
    check("a\nid\n", 5, "1:a\n2:id\n");
    check("\xef\xbb\xbf" "device_id,n\na,1\n", 19, "2:a\n");
    check("a b ,c\n", 7, "1:a b\n");
    check("a\tb\n", 4, "1:a\n");
    check("\"a,b\",c\n", 8, "1:a,b\n");
    check("\"a\"\"b\"\n", 7, "1:a\"b\n");
    check("\"a\n", 3, "1:!quote\n");
    check("\"a\"b\n", 5, "1:!quote\n");
    check("\"\"\n,\n", 5, "1:!bad_id\n2:!bad_id\n");
    check(" a\n", 3, "1: a!bad_id\n");
    check("\xff\n", 2, "1:!bad_id\n");
    check("a\x01\n", 3, "1:!bad_id\n");
    check("a\0b\n", 4, "1:!bad_id\n");
    check("\xe5\xa4\xa7\n", 4, "1:\xe5\xa4\xa7\n");
}


static void
test_csv_limits(void **state)
{
    char      *text;
    size_t     n;
    reader_t  *r;

    text = malloc(20000);
    assert_non_null(text);

    memset(text, 'x', 20000);
    memcpy(text + 256, "\n", 1);
    memcpy(text + 257 + 257, "\n", 1);
    memcpy(text + 10000, "\ny\n", 3);
    n = 10003;

    r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->csv.line = line;
    fota_csv_init(&r->csv);
    assert_int_equal(fota_csv_feed(&r->csv, text, n), 0);
    assert_memory_equal(r->out + 2 + 256, "\n2:!bad_id\n3:!too_long\n4:y\n",
                        28);
    free(r);

    r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->csv.line = line;
    r->stop = 2;
    fota_csv_init(&r->csv);
    assert_int_equal(fota_csv_feed(&r->csv, "a\nb\nc\n", 6), -7);
    assert_string_equal(r->out, "1:a\n2:b\n");
    free(r);
    free(text);
}


static void
test_statements(void **state)
{
    char        *one;
    size_t       i;
    const char  *sql;

    static const char  text[] =
        "-- a comment; with 'quotes\n"
        "CREATE TABLE a (\n"
        "    x INT, -- isn't; it\n"
        "    y VARCHAR(9) DEFAULT ';--'\n"
        ");\n\n"
        ";;\n"
        "INSERT INTO a VALUES (1, 'it''s; \\' fine', \"--;\"), (`b;`);\n"
        "UPDATE a SET x = 5--1;"
        "-- the end";

    static const char *const  want[] = {
        "CREATE TABLE a (\n    x INT, \n    y VARCHAR(9) DEFAULT ';--'\n)",
        "INSERT INTO a VALUES (1, 'it''s; \\' fine', \"--;\"), (`b;`)",
        "UPDATE a SET x = 5--1"
    };

    sql = text;

    for (i = 0; i < 3; i++) {
        assert_true(fota_migrate_statement(&sql, &one));
        assert_string_equal(one, want[i]);
        free(one);
    }

    assert_false(fota_migrate_statement(&sql, &one));
}


/* The steps that are compiled in: rising, and each of whole statements. */

static void
test_steps(void **state)
{
    char        *one;
    size_t       i, n;
    unsigned     last;
    const char  *sql;

    last = 0;
    assert_true(fota_schema_nsteps > 0);

    for (i = 0; i < fota_schema_nsteps; i++) {
        assert_true(fota_schema_steps[i].number > last);
        last = fota_schema_steps[i].number;
        sql = fota_schema_steps[i].sql;

        for (n = 0; fota_migrate_statement(&sql, &one); n++) {
            assert_true(strncmp(one, "CREATE ", 7) == 0
                        || strncmp(one, "ALTER ", 6) == 0
                        || strncmp(one, "INSERT ", 7) == 0
                        || strncmp(one, "UPDATE ", 7) == 0
                        || strncmp(one, "DROP ", 5) == 0);
            free(one);
        }

        assert_true(n > 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_limits),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_steps)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
