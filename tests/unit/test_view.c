/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fota_crypto.h"
#include "support_view.h"


static void
test_nothing_there(void **state)
{
    view_fixture_t *f = *state;

    const fota_tenant_t  *t;

    f->view = fota_view_create("/nonexistent/policy", 0, view_log, f);
    assert_non_null(f->view);
    assert_int_equal(f->last, FOTA_NOTFOUND);
    assert_int_equal(f->logged, 1);

    assert_int_equal(fota_view_begin(f->view), FOTA_NOTFOUND);
    assert_null(fota_view_meta(f->view));
    assert_int_not_equal(fota_view_tenant(f->view, fota_cstr("a"), &t),
                         FOTA_OK);
    fota_view_end(f->view);

    /* The same trouble is said once. */

    fota_view_refresh(f->view);
    fota_view_refresh(f->view);
    assert_int_equal(f->logged, 1);
}


static void
test_records(void **state)
{
    view_fixture_t *f = *state;

    fota_store_t          *st;
    const fota_zone_t     *z;
    fota_device_t          d;
    const fota_tenant_t   *t;
    const fota_product_t  *p;

    st = view_small_policy(f);

    /* Outside of begin and end there is nothing to be had. */

    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_ERROR);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_meta(f->view)->seq, 10);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_OK);
    assert_int_equal(t->id, 1);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("x"), &t),
                     FOTA_NOTFOUND);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr(""), &t),
                     FOTA_NOTFOUND);
    assert_int_equal(fota_view_product(f->view, 1, fota_cstr("cam"), &p),
                     FOTA_OK);
    assert_int_equal(p->poll, 60);
    assert_int_equal(p->nrollouts, 1);
    assert_int_equal(fota_view_product(f->view, 2, fota_cstr("cam"), &p),
                     FOTA_NOTFOUND);

    memset(&d, 0xff, sizeof(d));
    assert_int_equal(fota_view_device(f->view, &f->arena.mem, 1,
                                      fota_cstr("dev"), &d), FOTA_NOTFOUND);
    assert_int_equal(d.ngroups, 0);

    z = fota_view_zone(f->view, fota_cstr("Asia/Tokyo"));
    assert_null(z);
    assert_int_equal(fota_view_nodes(f->view)->n, 0);
    fota_view_end(f->view);
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_device_outlives_the_view(void **state)
{
    view_fixture_t *f = *state;

    uint8_t         key[FOTA_KEY_MAX], mem[512];
    uint32_t        groups[2] = { 4, 9 };
    fota_buf_t      out;
    fota_txn_t     *txn;
    fota_store_t   *st;
    fota_device_t   d;

    st = view_small_policy(f);

    memset(&d, 0, sizeof(d));
    d.blocked = 1;
    d.pin = fota_cstr("1.2.3");
    d.ngroups = 2;
    d.groups = groups;
    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_device_encode(&d, &out), FOTA_OK);

    txn = view_begin(st);
    view_put(txn, FOTA_T_DEVICE, key, fota_key_device(key, 1, fota_cstr("dev")),
        &out);
    view_head(txn, 5, 11, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_device(f->view, &f->arena.mem, 1,
                                      fota_cstr("dev"), &d), FOTA_OK);
    fota_view_end(f->view);

    txn = view_begin(st);
    assert_int_equal(fota_txn_del(txn, FOTA_T_DEVICE,
                     fota_slice(key, fota_key_device(key, 1,
                                                     fota_cstr("dev")))),
                     FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_true(d.blocked);
    assert_memory_equal(d.pin.data, "1.2.3", 5);
    assert_int_equal(d.groups[1], 9);

    fota_store_close(st);
}


static void
test_changes_are_seen(void **state)
{
    view_fixture_t *f = *state;

    uint64_t               before;
    fota_txn_t            *txn;
    fota_store_t          *st;
    const fota_tenant_t   *t;
    const fota_product_t  *p;

    st = view_small_policy(f);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_product(f->view, 1, fota_cstr("cam"), &p),
                     FOTA_OK);
    fota_view_end(f->view);
    before = fota_view_generation(f->view);

    /* A change that is no business of decoded records. */

    txn = view_begin(st);
    view_head(txn, 5, 11, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_meta(f->view)->seq, 11);
    assert_int_equal(fota_view_generation(f->view), before);
    fota_view_end(f->view);

    txn = view_begin(st);
    view_put_product(txn, "cam", 90, FOTA_BRAKE_NONE);
    view_head(txn, 5, 12, 2);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_not_equal(fota_view_generation(f->view), before);
    assert_int_equal(fota_view_product(f->view, 1, fota_cstr("cam"), &p),
                     FOTA_OK);
    assert_int_equal(p->poll, 90);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_OK);
    fota_view_end(f->view);

    txn = view_begin(st);
    {
        uint8_t  key[FOTA_KEY_MAX];

        assert_int_equal(fota_txn_del(txn, FOTA_T_PRODUCT,
                         fota_slice(key, fota_key_product(key, 1,
                                                      fota_cstr("cam")))),
                         FOTA_OK);
    }
    view_head(txn, 5, 13, 3);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_product(f->view, 1, fota_cstr("cam"), &p),
                     FOTA_NOTFOUND);
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_bad_records(void **state)
{
    view_fixture_t *f = *state;

    int                    logged;
    uint8_t                key[FOTA_KEY_MAX], mem[64];
    fota_buf_t             out;
    fota_txn_t            *txn;
    fota_store_t          *st;
    const fota_tenant_t   *t;

    st = view_small_policy(f);
    fota_buf_fixed(&out, mem, sizeof(mem));

    txn = view_begin(st);
    fota_buf_u8(&out, FOTA_T_TENANT);
    fota_buf_u8(&out, 200);
    view_put(txn, FOTA_T_TENANT, key, fota_key_name(key, fota_cstr("new")),
             &out);
    fota_buf_cstr(&out, "rubbish");
    view_put(txn, FOTA_T_TENANT, key, fota_key_name(key, fota_cstr("bad")),
             &out);
    fota_buf_cstr(&out, "rubbish");
    view_put(txn, FOTA_T_KEY, key, fota_key_key(key, 1, 1, 1), &out);
    fota_buf_cstr(&out, "rubbish");
    view_put(txn, FOTA_T_NODE, key, fota_key_u32(key, 1), &out);
    view_head(txn, 5, 11, 2);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("new"), &t),
                     FOTA_TOO_NEW);
    assert_int_not_equal(fota_view_tenant(f->view, fota_cstr("bad"), &t),
                         FOTA_OK);

    /* Said once, not for every request. */

    logged = f->logged;
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("new"), &t),
                     FOTA_TOO_NEW);
    assert_int_equal(f->logged, logged);

    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_OK);
    assert_null(fota_view_download_key(f->view, 1, 1));
    assert_int_equal(fota_view_nodes(f->view)->n, 0);
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_replaced(void **state)
{
    view_fixture_t *f = *state;

    fota_txn_t           *txn;
    fota_store_t         *st, *two;
    const fota_tenant_t  *t;

    st = view_small_policy(f);
    fota_store_close(st);

    two = view_generation(f, "gen-2");
    txn = view_begin(two);
    view_put_tenant(txn, "other", 2, FOTA_BRAKE_NONE);
    view_head(txn, 6, 1, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    view_point(f, "gen-2");

    /* Only the timer's refresh goes over. */

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_meta(f->view)->epoch, 5);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_OK);
    fota_view_end(f->view);

    fota_view_refresh(f->view);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_meta(f->view)->epoch, 6);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("acme"), &t),
                     FOTA_NOTFOUND);
    assert_int_equal(fota_view_tenant(f->view, fota_cstr("other"), &t),
                     FOTA_OK);
    fota_view_end(f->view);
    fota_store_close(two);

    /* Gone, rubbish, and back. */

    view_command("mv %s/current %s/away", f->dir);
    fota_view_refresh(f->view);
    assert_int_equal(fota_view_begin(f->view), FOTA_NOTFOUND);

    view_command("mkdir %s/gen-3 && echo rubbish > %s/gen-3/data.mdb", f->dir);
    view_point(f, "gen-3");
    fota_view_refresh(f->view);
    assert_int_not_equal(fota_view_begin(f->view), FOTA_OK);

    view_command("mv -T %s/away %s/current", f->dir);
    fota_view_refresh(f->view);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_meta(f->view)->epoch, 6);
    fota_view_end(f->view);
}


static void
test_too_new(void **state)
{
    view_fixture_t *f = *state;

    fota_txn_t    *txn;
    fota_meta_t    m;
    fota_store_t  *st;

    st = view_small_policy(f);
    txn = view_begin(st);
    memset(&m, 0, sizeof(m));
    m.format = FOTA_STORE_FORMAT + 1;
    assert_int_equal(fota_meta_write(txn, &m), FOTA_OK);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_TOO_NEW);

    txn = view_begin(st);
    view_head(txn, 5, 12, 3);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    fota_view_end(f->view);

    fota_store_close(st);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_there,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_records,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_device_outlives_the_view,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_changes_are_seen,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_bad_records,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_replaced,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_too_new,
                                        view_setup, view_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
