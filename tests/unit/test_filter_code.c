/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


/* Between them they have every instruction. */

static const char *const  filters[] = {
    "id==a",
    "id==a* and id!=*b*c or product=is=null",
    "id=in=(a,bb,cc,dd,eee) or kind=out=(x,y,zz)",
    "version<1.0 and version!=2.0 and version==1.*",
    "attr.hw=ge=3 and attr.name=in=('',a,b) and attr.x<abc and attr.y==*",
    "asn==1 or asn>5 and asn=is=null",
    "group==alpha and group!=* or group==dyn or group!=all",
    "(id==a or (kind==b and (city==c or region=in=(d,e*)))) and tz!=f"
};

#define NFILTERS  (sizeof(filters) / sizeof(filters[0]))


static const fota_location_t  nowhere;


static const fota_location_t *
locate(fota_facts_t *f)
{
    return &nowhere;
}


static const fota_attr_t  attrs[] = {
    { fota_string("hw"), fota_string("4") },
    { fota_string("name"), fota_string("a") },
    { fota_string("x"), fota_string("ab") }
};

static const uint32_t  groups_of[] = { 3, 7 };


static void
device(fota_facts_t *f)
{
    memset(f, 0, sizeof(fota_facts_t));

    f->id = fota_cstr("abc");
    f->kind = fota_cstr("b");
    f->version = fota_cstr("1.2");
    f->attrs = attrs;
    f->nattrs = 3;
    f->groups = groups_of;
    f->ngroups = 2;
    f->locate = locate;
}


/* Memory of exactly the size of the code, so that ASAN sees any overrun. */

static int
check_exact(const uint8_t *data, size_t len)
{
    int            rc;
    uint8_t       *copy;
    fota_facts_t   f;

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);

    rc = fota_filter_check(fota_slice(copy, len));

    if (rc == FOTA_OK) {
        device(&f);
        (void) fota_filter_eval(fota_slice(copy, len), &f);

    } else {
        assert_int_equal(rc, FOTA_CORRUPT);
    }

    free(copy);

    return rc;
}


/* No cut passes, though many would leave whole instructions. */

static void
test_truncation(void **state)
{
    size_t                i, n;
    fota_str_t            code;
    filter_test_t         t;
    fota_filter_groups_t  groups;

    groups.resolve = filter_resolve;

    filter_open(&t);

    for (i = 0; i < NFILTERS; i++) {
        code = filter_code(&t, filters[i], &groups);

        assert_int_equal(check_exact(code.data, 0), FOTA_OK);

        for (n = 1; n < code.len; n++) {
            if (check_exact(code.data, n) != FOTA_CORRUPT) {
                fail_msg("%s: %zu of %zu bytes pass", filters[i], n,
                         code.len);
            }
        }

        assert_int_equal(check_exact(code.data, n), FOTA_OK);
    }

    filter_close(&t);
}


/* Every byte takes every value; then pairs at random. */

static void
test_mutation(void **state)
{
    size_t                i, n, bad, good;
    uint8_t               copy[1024];
    uint32_t              r;
    unsigned              v, round, flips;
    fota_str_t            code;
    filter_test_t         t;
    fota_filter_groups_t  groups;

    groups.resolve = filter_resolve;
    r = 12345;
    bad = 0;
    good = 0;

    filter_open(&t);

    for (i = 0; i < NFILTERS; i++) {
        code = filter_code(&t, filters[i], &groups);
        assert_true(code.len < sizeof(copy));

        memcpy(copy, code.data, code.len);

        for (n = 0; n < code.len; n++) {
            for (v = 0; v < 256; v++) {
                copy[n] = (uint8_t) v;

                if (check_exact(copy, code.len) == FOTA_OK) {
                    good++;

                } else {
                    bad++;
                }
            }

            copy[n] = code.data[n];
        }

        for (round = 0; round < 5000; round++) {
            memcpy(copy, code.data, code.len);

            for (flips = 0; flips < 3; flips++) {
                r = r * 1664525 + 1013904223;
                copy[(r >> 8) % code.len] ^= (uint8_t) (1 << (r >> 29));
            }

            (void) check_exact(copy, code.len);
        }
    }

    /* Texts may change freely, structure may not. */

    assert_true(bad > 20000);
    assert_true(good > 10000);

    filter_close(&t);
}


/* A program with the head that fits its length. */

static int
check_program(uint8_t format, const uint8_t *data, size_t len)
{
    uint8_t  copy[256];

    copy[0] = format;
    copy[1] = (uint8_t) (len + 3);
    copy[2] = 0;
    memcpy(copy + 3, data, len);

    return check_exact(copy, len + 3);
}


#define code(format, ...)                                                    \
    format, (const uint8_t[]) { __VA_ARGS__ },                               \
    sizeof((const uint8_t[]) { __VA_ARGS__ })


static void
test_structure(void **state)
{
    uint8_t  big[FOTA_FILTER_CODE_MAX + 16];
    size_t   n;

    memset(big, 0, sizeof(big));

    /* TRUE on id */

    assert_int_equal(check_program(code(1, 1, 0)), FOTA_OK);
    assert_int_equal(check_program(code(1, 0x81, 0)), FOTA_OK);

    /* format, empty program */

    assert_int_equal(check_program(code(0, 1, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(2, 1, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(1, big, 0), FOTA_CORRUPT);

    /* unknown instruction, unknown field, negated jump */

    assert_int_equal(check_program(code(1, 0, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 13, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, FOTA_F__N)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, 0, 0x8b, 0, 0, 1, 0)),
                     FOTA_CORRUPT);

    /* jumps: to the end, to a test, into a test, beyond, first, last, two */

    assert_int_equal(check_program(code(1, 1, 0, 11, 2, 0, 1, 0)), FOTA_OK);
    assert_int_equal(check_program(code(1, 1, 0, 12, 0, 0, 1, 0)), FOTA_OK);
    assert_int_equal(check_program(code(1, 1, 0, 11, 1, 0, 1, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, 0, 11, 3, 0, 1, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, 0, 11, 0xff, 0xff, 1, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 11, 0, 0, 1, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, 0, 11, 0, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 1, 0, 11, 0, 0, 11, 0, 0, 1, 0)),
                     FOTA_CORRUPT);

    /* attribute without a name */

    assert_int_equal(check_program(code(1, 2, FOTA_F_ATTR, 1, 'a')), FOTA_OK);
    assert_int_equal(check_program(code(1, 2, FOTA_F_ATTR, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 2, FOTA_F_ATTR, 2, 'a')),
                     FOTA_CORRUPT);

    /* masks: none, all, beyond */

    assert_int_equal(check_program(code(1, 7, 0, 1, 1, 0, 'a')), FOTA_OK);
    assert_int_equal(check_program(code(1, 7, 0, 0, 1, 0, 'a')), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 7, 0, 7, 1, 0, 'a')), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 7, 0, 8, 1, 0, 'a')), FOTA_CORRUPT);

    /* tests on fields they are not for */

    assert_int_equal(check_program(code(1, 6, FOTA_F_ID, 1, 1, 0, '1')),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 9, FOTA_F_ID, 1, 1, 0, 0, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 10, FOTA_F_ID, 0, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 3, FOTA_F_GROUP, 0, 0)),
                     FOTA_CORRUPT);

    /* groups: ascending, none twice */

    assert_int_equal(check_program(code(1, 10, FOTA_F_GROUP, 2, 0,
                                      1, 0, 0, 0, 2, 0, 0, 0)), FOTA_OK);
    assert_int_equal(check_program(code(1, 10, FOTA_F_GROUP, 2, 0,
                                      1, 0, 0, 0, 1, 0, 0, 0)), FOTA_CORRUPT);

    /* numbers: infinite, NaN */

    assert_int_equal(check_program(code(1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0xf0,
                                      0x3f)), FOTA_OK);
    assert_int_equal(check_program(code(1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0xf0,
                                      0x7f)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0xf8,
                                      0x7f)), FOTA_CORRUPT);

    /* patterns: cuts in order and inside */

    assert_int_equal(check_program(code(1, 5, 0, 2, 1, 0, 'a', 0, 0, 1, 0)),
                     FOTA_OK);
    assert_int_equal(check_program(code(1, 5, 0, 2, 1, 0, 'a', 1, 0, 0, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 5, 0, 1, 1, 0, 'a', 2, 0)),
                     FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 5, 0, 0, 1, 0, 'a')), FOTA_CORRUPT);

    /* sets: lengths ascending, no empty bucket */

    assert_int_equal(check_program(code(1, 4, 0, 2, 0, 0, 0, 1, 0, 1, 0, 1, 0,
                                      'a')), FOTA_OK);
    assert_int_equal(check_program(code(1, 4, 0, 2, 0, 1, 0, 1, 0, 'a', 1, 0, 1,
                                      0, 'b')), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 4, 0, 0, 0)), FOTA_CORRUPT);
    assert_int_equal(check_program(code(1, 4, 0, 1, 0, 1, 0, 0, 0)),
                     FOTA_CORRUPT);

    /* length: one less, one more */

    memcpy(big, "\x01\x05\x00\x01\x00", 5);
    assert_int_equal(check_exact(big, 5), FOTA_OK);
    big[1] = 4;
    assert_int_equal(check_exact(big, 5), FOTA_CORRUPT);
    big[1] = 6;
    assert_int_equal(check_exact(big, 5), FOTA_CORRUPT);

    /* size: 16384 bytes, the attribute's name makes it even */

    memcpy(big, "\x01\x00\x40\x02\x0a\x02xy", 8);

    for (n = 8; n < sizeof(big); n += 2) {
        big[n] = FOTA_FOP_TRUE;
        big[n + 1] = FOTA_F_ID;
    }

    assert_int_equal(check_exact(big, FOTA_FILTER_CODE_MAX), FOTA_OK);
    big[1] = 2;
    assert_int_equal(check_exact(big, FOTA_FILTER_CODE_MAX + 2),
                     FOTA_CORRUPT);
}

#undef code


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


/* Into a buffer that is in use, that is too small, without memory. */

static void
test_buffers(void **state)
{
    size_t         n;
    uint8_t        mem[256];
    fota_str_t     code;
    fota_buf_t     b;
    filter_test_t  t;

    static const char  filter[] = "id==a or (id==b* and kind=in=(x,yy,z))";

    filter_open(&t);

    code = filter_code(&t, filter, NULL);

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_cstr(&b, "before");

    assert_int_equal(fota_filter_compile(&t.arena.mem, t.tree, NULL, &b,
                                         &t.err), FOTA_OK);
    assert_int_equal(b.len, 6 + code.len);
    assert_memory_equal(mem, "before", 6);
    assert_memory_equal(mem + 6, code.data, code.len);

    for (n = 0; n < code.len; n++) {
        fota_buf_fixed(&b, mem, n);
        assert_int_equal(fota_filter_compile(&t.arena.mem, t.tree, NULL, &b,
                                             &t.err), FOTA_FULL);
    }

    assert_string_equal(t.err.text, "compiled filter does not fit in 37 "
                        "bytes");

    /* A NULL tree leaves nothing. */

    fota_buf_fixed(&b, mem, 0);
    assert_int_equal(fota_filter_compile(&t.arena.mem, NULL, NULL, &b,
                                         &t.err), FOTA_OK);
    assert_int_equal(b.len, 0);

    filter_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_mutation),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_buffers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
