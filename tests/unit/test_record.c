/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What holds for the records of all tables, and keys. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support_record.h"


static fota_arena_t  arena;
static record_set_t  set;


static int
setup(void **state)
{
    fota_arena_init(&arena, 0);
    record_open(&set);

    return 0;
}


static int
teardown(void **state)
{
    record_close(&set);
    fota_arena_free(&arena);

    return 0;
}


static int
check(const record_t *r, fota_str_t value)
{
    fota_arena_reset(&arena);

    return fota_record_check(&arena.mem, r->table,
                             fota_slice(r->key, r->nkey), value);
}


/*
 * The value in memory of its own size, so that one byte too far is seen by a
 * sanitizer.
 */

static int
check_exact(const record_t *r, const uint8_t *data, size_t n)
{
    int       rc;
    uint8_t  *copy;

    copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, data, n);
    rc = check(r, fota_slice(copy, n));
    free(copy);

    return rc;
}


static void
test_names(void **state)
{
    int  i, j;

    for (i = 0; i < FOTA_T__N; i++) {
        for (j = 0; j < i; j++) {
            assert_string_not_equal(fota_table_name(i), fota_table_name(j));
        }
    }

    assert_string_equal(fota_table_name(FOTA_T_META), "meta");
    assert_string_equal(fota_table_name(FOTA_T_ARTIFACT), "artifact");
    assert_string_equal(fota_table_name(FOTA_T__N), "unknown");

    for (i = 0; i < FOTA_KIND__N; i++) {
        assert_int_equal(fota_kind_parse(fota_cstr(fota_kind_name(i))), i);
    }

    assert_int_equal(fota_kind_parse(fota_cstr("OS")), -1);
    assert_int_equal(fota_kind_parse(fota_cstr("")), -1);
    assert_string_equal(fota_kind_name(FOTA_KIND__N), "unknown");
}


static void
test_keys(void **state)
{
    char        text[300];
    uint8_t     key[FOTA_KEY_MAX];
    uint8_t     id[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    fota_str_t  long_name;

    memset(text, 'x', sizeof(text));

    assert_int_equal(fota_key_name(key, fota_cstr("demo")), 4);
    assert_memory_equal(key, "demo", 4);
    long_name = fota_slice(text, FOTA_NAME_MAX);
    assert_int_equal(fota_key_name(key, long_name), FOTA_NAME_MAX);
    assert_int_equal(fota_key_product(key, 1, long_name), FOTA_NAME_MAX + 4);
    long_name.len++;
    assert_int_equal(fota_key_name(key, long_name), 0);
    assert_int_equal(fota_key_product(key, 1, long_name), 0);
    assert_int_equal(fota_key_name(key, fota_cstr("")), 0);

    long_name.len = FOTA_ID_MAX;
    assert_int_equal(fota_key_device(key, 0x01020304, long_name),
                     FOTA_ID_MAX + 4);
    assert_memory_equal(key, "\1\2\3\4xxx", 7);
    long_name.len++;
    assert_int_equal(fota_key_device(key, 1, long_name), 0);
    assert_int_equal(fota_key_device(key, 1, fota_cstr("")), 0);

    assert_int_equal(fota_key_u32(key, 0xfffefdfc), 4);
    assert_memory_equal(key, "\xff\xfe\xfd\xfc", 4);
    assert_int_equal(fota_key_key(key, 2, 0x01020304, 0x0506), 7);
    assert_memory_equal(key, "\2\1\2\3\4\5\6", 7);
    assert_int_equal(fota_key_deny(key, 3, id), 9);
    assert_memory_equal(key, "\3\1\2\3\4\5\6\7\10", 9);
    assert_int_equal(fota_key_prefix(key, id, 96), 17);
    assert_memory_equal(key, id, 16);
    assert_int_equal(key[16], 96);
}


static void
test_check(void **state)
{
    int       i;
    record_t  r;

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = set.records[i];
        assert_int_equal(r.value.status, FOTA_OK);
        assert_true(r.value.len > 2);
        assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_OK);

        /* A key of another form. */
        r.nkey = 0;
        assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);

        r.nkey = FOTA_KEY_MAX;
        assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
    }

    r = set.records[FOTA_T_TENANT];
    r.table = FOTA_T_META;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_INVALID);
    r.table = FOTA_T__N;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_INVALID);

    /* Of another table. */
    r.table = FOTA_T_ZONE;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
}


/* What a record repeats of its key has to agree. */

static void
test_check_key(void **state)
{
    size_t                     i;
    record_t                   r;
    static const fota_table_e  named[] = {
        FOTA_T_PRODUCT, FOTA_T_NODE, FOTA_T_ZONE
    };

    for (i = 0; i < 3; i++) {
        r = set.records[named[i]];
        r.key[0] ^= 1;
        assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
        r.key[0] ^= 1;
        r.key[r.nkey - 1] ^= 1;
        assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
    }

    r = set.records[FOTA_T_KEY];
    r.key[0] = 0;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
    r.key[0] = 4;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
    r = set.records[FOTA_T_DENY];
    r.key[0] = 4;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
    r = set.records[FOTA_T_GEOPREFIX];
    r.key[16] = 129;
    assert_int_equal(check(&r, fota_buf_slice(&r.value)), FOTA_CORRUPT);
}


static void
test_truncated(void **state)
{
    int        i;
    size_t     n;
    record_t  *r;

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];

        for (n = 0; n < r->value.len; n++) {
            if (check_exact(r, r->value.start, n) == FOTA_OK) {
                fail_msg("%s cut to %zu bytes", fota_table_name(i), n);
            }
        }
    }
}


static void
test_trailing(void **state)
{
    int        i;
    record_t  *r;

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];
        fota_buf_u8(&r->value, 0);
        assert_int_equal(check(r, fota_buf_slice(&r->value)), FOTA_CORRUPT);
    }
}


static void
test_version(void **state)
{
    int        i;
    record_t  *r;

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];

        r->value.start[1] = 2;
        assert_int_equal(check(r, fota_buf_slice(&r->value)), FOTA_TOO_NEW);
        r->value.start[1] = 255;
        assert_int_equal(check(r, fota_buf_slice(&r->value)), FOTA_TOO_NEW);
        r->value.start[1] = 0;
        assert_int_equal(check(r, fota_buf_slice(&r->value)), FOTA_CORRUPT);
    }
}


/*
 * Whatever single byte is wrong: no crash, and what is taken can be walked.
 */

static void
test_mutated(void **state)
{
    int             i, k;
    size_t          n;
    uint8_t         old;
    record_t       *r;
    fota_place_t    place;
    fota_product_t  p;

    static const uint8_t  flips[] = {
        0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x7f
    };

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];

        for (n = 0; n < r->value.len; n++) {
            old = r->value.start[n];

            for (k = 0; k < (int) sizeof(flips); k++) {
                r->value.start[n] = old ^ flips[k];
                (void) check_exact(r, r->value.start, r->value.len);

                if (i == FOTA_T_PRODUCT
                    && fota_product_decode(&arena.mem,
                                           fota_buf_slice(&r->value), &p)
                       == FOTA_OK)
                {
                    fota_path_place(&p, 0, fota_cstr("1.1"), &place);
                }
            }

            r->value.start[n] = old;
        }
    }
}


static void *
nothing(fota_mem_t *mem, size_t size)
{
    return NULL;
}


static void
test_limits(void **state)
{
    int         i;
    uint8_t    *big;
    record_t   *r;
    fota_mem_t  mem;

    big = calloc(1, FOTA_VALUE_MAX + 1);
    assert_non_null(big);

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];

        if (i != FOTA_T_ZONE) {
            big[0] = (uint8_t) i;
            big[1] = 1;
            assert_int_equal(check(r, fota_slice(big, FOTA_VALUE_MAX + 1)),
                             FOTA_LIMIT);
        }
    }

    free(big);

    mem.alloc = nothing;

    for (i = FOTA_T_TENANT; i < FOTA_T__N; i++) {
        r = &set.records[i];

        if (i == FOTA_T_KEY || i == FOTA_T_DENY || i == FOTA_T_GEOPREFIX
            || i == FOTA_T_ARTIFACT)
        {
            continue;
        }

        assert_int_equal(fota_record_check(&mem, r->table,
                                           fota_slice(r->key, r->nkey),
                                           fota_buf_slice(&r->value)),
                         FOTA_NOMEM);
    }
}


/* A count says nothing of memory until the bytes for it are there. */

static void
test_greedy(void **state)
{
    static uint8_t  tenant[] = {
        1, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0
    };
    record_t        r;

    r = set.records[FOTA_T_TENANT];
    assert_int_equal(check(&r, fota_slice(tenant, sizeof(tenant))),
                     FOTA_TRUNCATED);
    assert_int_equal(arena.used, 0);

    tenant[12] = 17;
    assert_int_equal(check(&r, fota_slice(tenant, sizeof(tenant))),
                     FOTA_LIMIT);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trailing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_greedy, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
