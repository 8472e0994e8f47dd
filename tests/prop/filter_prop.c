/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * filter_prop SOCKET DATABASE SEED DEVICES FILTERS
 *
 * Fills the centre's tables with random devices and asks for each of random
 * filters which of them match: the database by fota_filter_sql(), and
 * fota_filter_eval() device by device.  Any difference is printed and makes
 * the exit status 1.  The database has the centre's schema and is empty.
 */

/* objects: admin/server/device_map.c */


#include <stdio.h>
#include <stdlib.h>

#include <mysql.h>

#include "device_map.h"
#include "fota_version.h"
#include "support_filter_gen.h"


#define PROP_SHOWN  5           /* differences that are printed */


typedef struct {
    MYSQL         *db;
    gen_device_t  *devices;
    uint8_t       *matched;     /* by the database; a byte for each device */
    size_t         n;
    size_t         pairs;
    size_t         matches;
    size_t         differences;
} prop_t;


static void
prop_die(const char *what, const char *why)
{
    (void) fprintf(stderr, "filter_prop: %s: %s\n", what, why);
    exit(2);
}


static void
prop_exec(prop_t *p, const char *sql)
{
    if (mysql_query(p->db, sql) != 0) {
        prop_die(sql, mysql_error(p->db));
    }
}


static MYSQL_STMT *
prop_prepare(prop_t *p, const char *sql, size_t len)
{
    MYSQL_STMT  *st;

    st = mysql_stmt_init(p->db);

    if (st == NULL || mysql_stmt_prepare(st, sql, len) != 0) {
        prop_die(sql, st ? mysql_stmt_error(st) : "out of memory");
    }

    return st;
}


static void
prop_bind(MYSQL_BIND *b, fota_str_t s, bool binary)
{
    memset(b, 0, sizeof(MYSQL_BIND));

    b->buffer_type = (s.data == NULL) ? MYSQL_TYPE_NULL
                     : binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
    b->buffer = (void *) s.data;
    b->buffer_length = s.len;
}


static void
prop_run(MYSQL_STMT *st, MYSQL_BIND *binds)
{
    if (mysql_stmt_bind_param(st, binds) != 0 || mysql_stmt_execute(st) != 0) {
        prop_die("execute", mysql_stmt_error(st));
    }
}


/* Absent facts are NULL in one half of the rows and empty in the other. */

static fota_str_t
prop_null(fota_str_t s, size_t i)
{
    if (s.len == 0) {
        s = fota_slice(i % 2 ? "" : NULL, 0);
    }

    return s;
}


static void
prop_load_device(prop_t *p, MYSQL_STMT *insert, size_t i)
{
    char              asn[16];
    uint8_t           key[FOTA_VERSION_KEY_MAX];
    MYSQL_BIND        b[12];
    fota_str_t        version, tz;
    const uint64_t    id = i + 1;
    gen_device_t     *d;
    fota_location_t  *loc;

    d = &p->devices[i];
    loc = &d->loc;
    version = d->facts.version;
    tz = d->facts.tz.len > 0 ? d->facts.tz : fota_cstr(loc->tz);

    (void) snprintf(asn, sizeof(asn), "%u", loc->asn);

    memset(b, 0, sizeof(b));
    b[0].buffer_type = MYSQL_TYPE_LONGLONG;
    b[0].buffer = (void *) &id;

    prop_bind(&b[1], d->facts.product, false);
    prop_bind(&b[2], d->facts.id, false);
    prop_bind(&b[3], prop_null(version, i), false);
    prop_bind(&b[4], version.len > 0
                     ? fota_slice(key, fota_version_key(key, version))
                     : fota_slice(NULL, 0), true);
    prop_bind(&b[5], prop_null(d->facts.kind, i), false);
    prop_bind(&b[6], prop_null(fota_cstr(loc->country), i), false);
    prop_bind(&b[7], prop_null(fota_cstr(loc->region_code), i), false);
    prop_bind(&b[8], prop_null(fota_cstr(loc->region), i), false);
    prop_bind(&b[9], prop_null(fota_cstr(loc->city), i), false);
    prop_bind(&b[10], prop_null(tz, i), false);
    prop_bind(&b[11], (loc->asn == 0 && i % 2) ? fota_slice(NULL, 0)
                                               : fota_cstr(asn), false);

    prop_run(insert, b);
}


static void
prop_load(prop_t *p)
{
    double        number;
    size_t        i, k;
    uint64_t      id;
    MYSQL_BIND    b[4];
    MYSQL_STMT   *product, *device, *attr, *member;
    fota_attr_t  *a;

    static const char  sql_product[] =
        "INSERT IGNORE INTO product (tenant_id, name, created)"
        " VALUES (1, ?, 0)";

    static const char  sql_device[] =
        "INSERT INTO device (id, tenant_id, product_id, ext_id, version,"
        " version_key, kind, country, region_code, region, city, tz, asn,"
        " created) VALUES (?, 1, (SELECT id FROM product WHERE tenant_id = 1"
        " AND name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)";

    static const char  sql_attr[] =
        "INSERT INTO device_attr (device_id, name, value, value_num)"
        " VALUES (?, ?, ?, ?)";

    static const char  sql_member[] =
        "INSERT INTO group_member (group_id, device_id) VALUES (?, ?)";

    prop_exec(p, "START TRANSACTION");

    product = prop_prepare(p, sql_product, sizeof(sql_product) - 1);
    device = prop_prepare(p, sql_device, sizeof(sql_device) - 1);
    attr = prop_prepare(p, sql_attr, sizeof(sql_attr) - 1);
    member = prop_prepare(p, sql_member, sizeof(sql_member) - 1);

    for (i = 0; i < p->n; i++) {
        id = i + 1;

        prop_bind(&b[0], p->devices[i].facts.product, false);
        prop_run(product, b);

        prop_load_device(p, device, i);

        memset(b, 0, sizeof(b));
        b[0].buffer_type = MYSQL_TYPE_LONGLONG;
        b[0].buffer = &id;

        for (k = 0; k < p->devices[i].facts.nattrs; k++) {
            a = &p->devices[i].attrs[k];

            prop_bind(&b[1], a->name, false);
            prop_bind(&b[2], a->value, false);

            memset(&b[3], 0, sizeof(MYSQL_BIND));
            b[3].buffer_type = fota_filter_number(a->value, &number)
                               ? MYSQL_TYPE_DOUBLE : MYSQL_TYPE_NULL;
            b[3].buffer = &number;

            prop_run(attr, b);
        }

        for (k = 0; k < p->devices[i].facts.ngroups; k++) {
            memset(b, 0, sizeof(b));
            b[0].buffer_type = MYSQL_TYPE_LONG;
            b[0].buffer = &p->devices[i].groups[k];
            b[1].buffer_type = MYSQL_TYPE_LONGLONG;
            b[1].buffer = &id;

            prop_run(member, b);
        }
    }

    mysql_stmt_close(product);
    mysql_stmt_close(device);
    mysql_stmt_close(attr);
    mysql_stmt_close(member);

    prop_exec(p, "COMMIT");
}


/* Sets matched from the answer of the database. */

static void
prop_select(prop_t *p, const fota_filter_sql_t *f)
{
    char        *sql;
    int          len, rc;
    size_t       i;
    uint64_t     id;
    MYSQL_BIND  *binds, result;
    MYSQL_STMT  *st;

    len = asprintf(&sql, "SELECT d.id" FOTA_DEVICE_FROM
                   " WHERE d.tenant_id = 1 AND %s", (char *) f->sql.start);
    binds = calloc(f->nparams + 1, sizeof(MYSQL_BIND));

    if (len < 0 || binds == NULL) {
        prop_die("select", "out of memory");
    }

    st = prop_prepare(p, sql, (size_t) len);

    if (mysql_stmt_param_count(st) != f->nparams) {
        prop_die(sql, "marks and params differ in number");
    }

    for (i = 0; i < f->nparams; i++) {
        prop_bind(&binds[i], f->params[i].text, f->params[i].binary);
    }

    memset(&result, 0, sizeof(result));
    result.buffer_type = MYSQL_TYPE_LONGLONG;
    result.buffer = &id;

    prop_run(st, binds);

    if (mysql_stmt_bind_result(st, &result) != 0) {
        prop_die(sql, mysql_stmt_error(st));
    }

    memset(p->matched, 0, p->n);

    while ((rc = mysql_stmt_fetch(st)) == 0) {
        if (id == 0 || id > p->n || p->matched[id - 1]) {
            prop_die(sql, "a row twice or of no device");
        }

        p->matched[id - 1] = 1;
    }

    if (rc != MYSQL_NO_DATA) {
        prop_die(sql, mysql_stmt_error(st));
    }

    mysql_stmt_close(st);
    free(binds);
    free(sql);
}


static void
prop_show(const char *what, fota_str_t s)
{
    (void) printf("    %s %s%.*s%s\n", what, s.data ? "[" : "absent",
                  (int) s.len, s.data ? (const char *) s.data : "",
                  s.data ? "]" : "");
}


static void
prop_difference(prop_t *p, fota_str_t text, const fota_filter_sql_t *sql,
    size_t i)
{
    size_t         k;
    gen_device_t  *d;

    if (++p->differences > PROP_SHOWN) {
        return;
    }

    d = &p->devices[i];

    (void) printf("filter %.*s\n  SQL says %s for device %zu\n  %s\n",
                  (int) text.len, (const char *) text.data,
                  p->matched[i] ? "yes" : "no", i + 1,
                  (char *) sql->sql.start);

    for (k = 0; k < sql->nparams; k++) {
        prop_show("?", sql->params[k].text);
    }

    prop_show("id", d->facts.id);
    prop_show("product", d->facts.product);
    prop_show("version", d->facts.version);
    prop_show("kind", d->facts.kind);
    prop_show("country", fota_cstr(d->loc.country));
    prop_show("region", fota_cstr(d->loc.region));
    prop_show("region_code", fota_cstr(d->loc.region_code));
    prop_show("city", fota_cstr(d->loc.city));
    prop_show("tz", d->facts.tz.len > 0 ? d->facts.tz
                                        : fota_cstr(d->loc.tz));
    (void) printf("    asn %u\n", d->loc.asn);

    for (k = 0; k < d->facts.nattrs; k++) {
        prop_show("attr", d->attrs[k].name);
        prop_show("  =", d->attrs[k].value);
    }

    for (k = 0; k < d->facts.ngroups; k++) {
        (void) printf("    group %u\n", d->groups[k]);
    }
}


static void
prop_filter(prop_t *p, fota_mem_t *mem, fota_buf_t *code, fota_str_t text)
{
    bool                   match;
    size_t                 i;
    fota_filter_sql_t      sql;
    fota_filter_node_t    *tree;
    fota_filter_error_t    err;
    fota_filter_groups_t   groups;

    groups.resolve = gen_resolve;
    fota_buf_reset(code);

    if (fota_filter_parse(mem, text, &tree, &err) != FOTA_OK
        || fota_filter_compile(mem, tree, &groups, code, &err) != FOTA_OK
        || fota_filter_sql(mem, tree, &fota_device_map, &groups, &sql, &err)
           != FOTA_OK)
    {
        (void) printf("%.*s\ncolumn %zu: %s\n", (int) text.len,
                      (const char *) text.data, err.column, err.text);
        prop_die("filter", "refused");
    }

    if (fota_filter_check(fota_buf_slice(code)) != FOTA_OK) {
        prop_die("filter", "code does not pass the check");
    }

    prop_select(p, &sql);

    for (i = 0; i < p->n; i++) {
        match = fota_filter_eval(fota_buf_slice(code), &p->devices[i].facts);

        p->pairs++;
        p->matches += match;

        if (match != p->matched[i]) {
            prop_difference(p, text, &sql, i);
        }
    }
}


int
main(int argc, char **argv)
{
    prop_t        p;
    size_t        i, filters;
    fota_buf_t    text, code;
    fota_arena_t  facts, arena;

    if (argc != 6) {
        prop_die("usage", "filter_prop SOCKET DATABASE SEED DEVICES FILTERS");
    }

    memset(&p, 0, sizeof(p));
    fota_arena_init(&facts, 0);
    fota_arena_init(&arena, 0);
    fota_buf_grow(&text, 1 << 20);
    fota_buf_grow(&code, 1 << 20);

    p.db = mysql_init(NULL);

    if (p.db == NULL
        || mysql_options(p.db, MYSQL_SET_CHARSET_NAME, "utf8mb4") != 0
        || mysql_real_connect(p.db, NULL, "root", "", argv[2], 0, argv[1], 0)
           == NULL)
    {
        prop_die("connect", p.db ? mysql_error(p.db) : "out of memory");
    }

    gen_seed(strtoull(argv[3], NULL, 10));

    p.n = strtoul(argv[4], NULL, 10);
    filters = strtoul(argv[5], NULL, 10);

    p.devices = calloc(p.n + 1, sizeof(gen_device_t));
    p.matched = calloc(p.n + 1, 1);

    if (p.n == 0 || p.devices == NULL || p.matched == NULL) {
        prop_die("devices", "none, or out of memory");
    }

    for (i = 0; i < p.n; i++) {
        gen_device(&facts.mem, &p.devices[i], (unsigned) i + 1);
    }

    prop_load(&p);

    for (i = 0; i < filters; i++) {
        fota_arena_reset(&arena);
        gen_filter(&text, p.devices, p.n);
        prop_filter(&p, &arena.mem, &code, fota_buf_slice(&text));
    }

    (void) printf("pairs=%zu matches=%zu differences=%zu\n", p.pairs,
                  p.matches, p.differences);

    mysql_close(p.db);
    free(p.devices);
    free(p.matched);
    fota_buf_free(&text);
    fota_buf_free(&code);
    fota_arena_free(&facts);
    fota_arena_free(&arena);

    return p.differences ? 1 : 0;
}
