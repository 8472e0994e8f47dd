/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_view.h"


static uint8_t            artifact[32] = { 1, 2, 3 };
static char               text[FOTA_TOKEN_TEXT_LEN];
static fota_view_known_t  known;


static fota_str_t
token(char first)
{
    memset(text, 'x', sizeof(text));
    text[0] = first;

    return fota_slice(text, sizeof(text));
}


static void
keep(fota_view_t *v, fota_str_t t, uint8_t flags)
{
    memset(&known, 0, sizeof(known));
    known.token.flags = flags;
    known.token.deployment = 42;
    known.has_record = true;
    known.size = 1234;

    fota_view_token_keep(v, t, artifact, &known);
}


static void
touch(fota_store_t *st, uint64_t seq)
{
    fota_txn_t  *txn;

    txn = view_begin(st);
    view_head(txn, 5, seq, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
}


static void
test_known(void **state)
{
    uint8_t                   other[32] = { 9 };
    view_fixture_t           *f = *state;
    fota_store_t             *st;
    const fota_view_known_t  *k;

    st = view_small_policy(f);

    assert_null(fota_view_token_known(f->view, token('a'), artifact));
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_null(fota_view_token_known(f->view, token('a'), artifact));

    keep(f->view, token('a'), FOTA_TOKEN_F_SINGLE);

    k = fota_view_token_known(f->view, token('a'), artifact);
    assert_non_null(k);
    assert_int_equal(k->token.deployment, 42);
    assert_true(k->has_record);
    assert_int_equal(k->size, 1234);

    /* Of its whole text and of its artifact alone. */

    assert_null(fota_view_token_known(f->view, token('b'), artifact));
    assert_null(fota_view_token_known(f->view, token('a'), other));
    assert_null(fota_view_token_known(f->view, fota_slice(text, 74),
                                      artifact));
    assert_null(fota_view_token_known(f->view, fota_slice(NULL, 0),
                                      artifact));

    text[FOTA_TOKEN_TEXT_LEN - 9] = 'y';
    text[0] = 'a';
    assert_null(fota_view_token_known(f->view, fota_slice(text, 75),
                                      artifact));

    /* One place holds the later of two. */

    keep(f->view, token('b'), 0);
    assert_null(fota_view_token_known(f->view, token('a'), artifact));
    assert_non_null(fota_view_token_known(f->view, token('b'), artifact));

    fota_view_end(f->view);
    assert_null(fota_view_token_known(f->view, token('b'), artifact));

    fota_store_close(st);
}


static void
test_bound_is_never_kept(void **state)
{
    size_t           i;
    view_fixture_t  *f = *state;
    fota_store_t    *st;

    static const uint8_t  flags[] = {
        FOTA_TOKEN_F_IP, FOTA_TOKEN_F_CERT, FOTA_TOKEN_F_ONCE,
        FOTA_TOKEN_F_IP | FOTA_TOKEN_F_SINGLE
    };

    st = view_small_policy(f);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);

    for (i = 0; i < sizeof(flags); i++) {
        keep(f->view, token('a'), flags[i]);
        assert_null(fota_view_token_known(f->view, token('a'), artifact));
    }

    fota_view_end(f->view);
    fota_store_close(st);
}


static void
test_forgotten_with_policy(void **state)
{
    view_fixture_t  *f = *state;
    fota_store_t    *st, *next;

    st = view_small_policy(f);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    keep(f->view, token('a'), 0);
    fota_view_end(f->view);

    /* Nothing was committed: still the same state. */

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_non_null(fota_view_token_known(f->view, token('a'), artifact));
    fota_view_end(f->view);

    touch(st, 11);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_null(fota_view_token_known(f->view, token('a'), artifact));
    keep(f->view, token('a'), 0);
    fota_view_end(f->view);

    /* Another database, whatever its transactions are numbered. */

    next = view_generation(f, "gen-2");
    touch(next, 12);
    touch(next, 13);
    view_point(f, "gen-2");
    fota_view_refresh(f->view);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_null(fota_view_token_known(f->view, token('a'), artifact));
    fota_view_end(f->view);

    fota_store_close(st);
    fota_store_close(next);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_known,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_bound_is_never_kept,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_with_policy,
                                        view_setup, view_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
