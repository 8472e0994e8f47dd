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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_mutation),
        cmocka_unit_test(test_structure)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
