/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


#define FILTERS_MAX  1200


typedef struct {
    fota_facts_t     facts;         /* first: locate() gets its address */
    fota_location_t  loc;
    unsigned         located;
} device_t;


typedef struct {
    filter_test_t         filter;
    fota_arena_t          arena;    /* of the code and the steps */
    fota_filter_shared_t  shared[FILTERS_MAX];
    size_t                n;
    size_t                nmemo;
    uint8_t               memo[FOTA_FILTER_MEMO_MAX];
} share_t;


static share_t  t;


static const fota_location_t *
locate(fota_facts_t *f)
{
    device_t  *d;

    d = (device_t *) f;
    d->located++;

    return &d->loc;
}


static void
device(device_t *d, const char *id, const char *version, const char *city)
{
    memset(d, 0, sizeof(device_t));

    d->facts.id = fota_cstr(id);
    d->facts.version = fota_cstr(version);
    d->facts.locate = locate;

    (void) snprintf(d->loc.city, sizeof(d->loc.city), "%s", city);
}


static int
setup(void **state)
{
    memset(&t, 0, sizeof(share_t));
    filter_open(&t.filter);
    fota_arena_init(&t.arena, 0);

    return 0;
}


static int
teardown(void **state)
{
    filter_close(&t.filter);
    fota_arena_free(&t.arena);

    return 0;
}


static void
add(const char *text)
{
    fota_str_t             code;
    fota_filter_groups_t   groups = { filter_resolve };

    code = filter_code(&t.filter, text, &groups);

    assert_in_range(t.n, 0, FILTERS_MAX - 1);
    t.shared[t.n].code = fota_strdup(&t.arena.mem, code);
    assert_non_null(t.shared[t.n].code.data);
    t.n++;
}


static void
share(void)
{
    assert_int_equal(fota_filter_share(&t.arena.mem, t.shared, t.n, &t.nmemo),
                     FOTA_OK);
    assert_in_range(t.nmemo, 0, FOTA_FILTER_MEMO_MAX);
}


/* Each filter says of the device what it says alone. */

static void
same(device_t *d)
{
    size_t  i;

    memset(t.memo, 0, sizeof(t.memo));

    for (i = 0; i < t.n; i++) {
        assert_int_equal(fota_filter_eval_shared(&t.shared[i], &d->facts,
                                                 t.memo),
                         fota_filter_eval(t.shared[i].code, &d->facts));
    }
}


static void
test_done_once(void **state)
{
    size_t    i;
    device_t  d;

    add("city==Tokyo and id==a*");
    add("id==b* or city==Tokyo");
    add("city!=Tokyo");
    add("city==Osaka");
    share();

    /* Tokyo, negated or not; what a single filter has needs no memory. */
    assert_int_equal(t.nmemo, 1);

    device(&d, "b1", "1.0", "Tokyo");

    for (i = 0; i < 3; i++) {
        assert_int_equal(fota_filter_eval_shared(&t.shared[i], &d.facts,
                                                 t.memo), i == 1);
    }

    assert_int_equal(d.located, 1);

    assert_false(fota_filter_eval_shared(&t.shared[3], &d.facts, t.memo));
    assert_int_equal(d.located, 2);

    device(&d, "a1", "1.0", "Osaka");
    same(&d);
}


static void
test_alone_and_empty(void **state)
{
    device_t  d;

    add("");
    add("id==a");
    add("version=lt=2");
    share();

    assert_int_equal(t.nmemo, 0);

    device(&d, "a", "3", "");
    same(&d);

    assert_true(fota_filter_eval_shared(&t.shared[0], &d.facts, NULL));
    assert_true(fota_filter_eval_shared(&t.shared[1], &d.facts, NULL));
    assert_false(fota_filter_eval_shared(&t.shared[2], &d.facts, NULL));

    t.n = 0;
    share();
    assert_int_equal(t.nmemo, 0);
}


static uint32_t
next(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;

    return (*seed >> 8) % n;
}


static size_t
tree(char *out, size_t size, uint32_t *seed, unsigned depth)
{
    size_t    n;
    unsigned  i, terms;

    /* Every kind of instruction, so that each is stepped over. */

    static const char  *tests[] = {
        "id==a*", "id!=a*", "id=in=(a1,b2,ccc)", "version=lt=1.2",
        "version==1.0", "city==Tokyo", "city!=Tokyo", "city=is=null",
        "asn==64500", "asn=gt=5", "group==alpha", "group=in=(beta,gamma)",
        "group==all", "attr.hw=ge=2", "attr.hw=ge=2.5", "attr.net==wi*",
        "attr.net==wifi", "attr.net=gt=w", "attr.net=not=null",
        "attr.net=in=(wifi,lte,eth,w*)", "tz==Asia/Tokyo", "kind==os"
    };

    if (depth == 0 || next(seed, 3) == 0) {
        return (size_t) snprintf(out, size, "%s",
                                 tests[next(seed, sizeof(tests)
                                                  / sizeof(tests[0]))]);
    }

    terms = 2 + next(seed, 3);
    n = (size_t) snprintf(out, size, "(");

    for (i = 0; i < terms; i++) {
        if (i > 0) {
            n += (size_t) snprintf(out + n, size - n, "%s",
                                   depth % 2 ? " and " : " or ");
        }

        n += tree(out + n, size - n, seed, depth - 1);
    }

    n += (size_t) snprintf(out + n, size - n, ")");
    assert_in_range(n, 1, size - 1);

    return n;
}


static void
test_same_as_alone(void **state)
{
    char       text[8192], hw[8];
    size_t     i;
    device_t   d;
    uint32_t   seed, groups[2];

    fota_attr_t  attrs[] = {
        { fota_string("hw"), fota_string("") },
        { fota_string("net"), fota_string("wifi") }
    };

    static const char  *ids[] = { "a1", "b2", "ccc", "z" };
    static const char  *versions[] = { "", "1.0", "1.2.0", "1.1-rc1" };
    static const char  *cities[] = { "", "Tokyo", "Osaka" };

    seed = 20260101;

    for (i = 0; i < 200; i++) {
        (void) tree(text, sizeof(text), &seed, 3);
        add(text);
    }

    share();
    assert_in_range(t.nmemo, 20, 22);

    for (i = 0; i < 300; i++) {
        device(&d, ids[next(&seed, 4)], versions[next(&seed, 4)],
               cities[next(&seed, 3)]);

        (void) snprintf(hw, sizeof(hw), "%u", next(&seed, 5));
        attrs[0].value = fota_cstr(hw);

        groups[0] = next(&seed, 8);
        groups[1] = 900;

        d.loc.asn = next(&seed, 2) * 64500;
        d.facts.kind = fota_cstr("os");
        d.facts.attrs = attrs;
        d.facts.nattrs = next(&seed, 3);
        d.facts.groups = groups;
        d.facts.ngroups = next(&seed, 3);

        same(&d);
    }
}


/* More than is kept: the rest is asked each time, with the same result. */

static void
test_more_than_the_memo(void **state)
{
    char      text[64];
    size_t    i;
    device_t  d;

    for (i = 0; i < 2 * FOTA_FILTER_MEMO_MAX + 100; i++) {
        (void) snprintf(text, sizeof(text), "id==n%zu or version==%zu",
                        i / 2, i % 2);
        add(text);
    }

    share();
    assert_int_equal(t.nmemo, FOTA_FILTER_MEMO_MAX);

    device(&d, "n540", "7", "");
    same(&d);
    device(&d, "n3", "1", "");
    same(&d);
}


static void
test_more_than_the_table(void **state)
{
    char      text[64];
    size_t    i;
    device_t  d;

    for (i = 0; i < 1100; i++) {
        (void) snprintf(text, sizeof(text), "id==n%zu", i);
        add(text);
    }

    add("id==n0");
    add("id==n1099");
    share();

    /* The last one came when the table was full. */
    assert_int_equal(t.nmemo, 1);

    device(&d, "n1099", "", "");
    same(&d);
    device(&d, "n0", "", "");
    same(&d);
}


static void
test_nomem(void **state)
{
    fota_arena_t  a;

    add("id==a and version==1");

    fota_arena_init(&a, 16);
    assert_int_equal(fota_filter_share(&a.mem, t.shared, t.n, &t.nmemo),
                     FOTA_NOMEM);
    fota_arena_free(&a);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_done_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone_and_empty, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_same_as_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_the_memo, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_more_than_the_table, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_nomem, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
