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
count_keys(void *ctx, uint8_t kind, uint32_t scope, uint16_t kid,
    uint8_t state, uint32_t created)
{
    (*(int *) ctx)++;
}


static void
test_keys(void **state)
{
    view_fixture_t *f = *state;

    int           n;
    char          text[FOTA_DEVICE_TOKEN_LEN];
    uint8_t       secret[32];
    uint16_t      kid;
    fota_str_t    token, dev;
    fota_hmac_t  *h, *kept;
    fota_txn_t   *txn;
    fota_store_t *st;

    st = view_small_policy(f);

    txn = view_begin(st);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 1, 1, FOTA_KEY_PREVIOUS, 1);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 1, 2, FOTA_KEY_CURRENT, 2);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 1, 3, FOTA_KEY_CURRENT, 3);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 1, 4, FOTA_KEY_NEXT, 4);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 2, 1, FOTA_KEY_NEXT, 5);
    view_put_key(txn, FOTA_KEY_DEVICE, 1, 1, FOTA_KEY_PREVIOUS, 6);
    view_put_key(txn, FOTA_KEY_DEVICE, 1, 2, FOTA_KEY_CURRENT, 7);
    view_put_key(txn, FOTA_KEY_OPERATOR, 0, 1, FOTA_KEY_CURRENT, 8);
    view_head(txn, 5, 11, 2);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);

    n = 0;
    assert_int_equal(fota_view_keys(f->view, count_keys, &n), FOTA_OK);
    assert_int_equal(n, 8);

    kept = fota_view_download_key(f->view, 1, 1);
    assert_non_null(kept);
    assert_non_null(fota_view_download_key(f->view, 1, 4));
    assert_null(fota_view_download_key(f->view, 1, 5));
    assert_null(fota_view_download_key(f->view, 3, 1));

    /* The newer of two current ones; a next one mints nothing. */

    assert_non_null(fota_view_mint_key(f->view, 1, &kid));
    assert_int_equal(kid, 3);
    assert_null(fota_view_mint_key(f->view, 2, &kid));
    assert_null(fota_view_mint_key(f->view, 9, &kid));

    dev = fota_cstr("dev-1");
    token = fota_slice(text, sizeof(text));

    for (n = 6; n <= 7; n++) {
        memset(secret, n, sizeof(secret));
        h = fota_hmac_new(secret, sizeof(secret));
        assert_int_equal(fota_device_token(h, 1, dev, text), FOTA_OK);
        fota_hmac_free(h);
        assert_int_equal(fota_view_device_token(f->view, 1, dev, token),
                         FOTA_OK);
        assert_int_equal(fota_view_device_token(f->view, 1,
                                                fota_cstr("dev-2"), token),
                         FOTA_FORGED);
    }

    assert_int_equal(fota_view_device_token(f->view, 2, dev, token),
                     FOTA_UNKNOWN_KEY);
    assert_int_equal(fota_view_device_token(f->view, 1, dev,
                                            fota_cstr("short")),
                     FOTA_FORGED);

    memset(secret, 8, sizeof(secret));
    assert_true(fota_view_operator(f->view, secret));
    memset(secret, 9, sizeof(secret));
    assert_false(fota_view_operator(f->view, secret));
    fota_view_end(f->view);

    /* An unchanged secret keeps its context over generations. */

    txn = view_begin(st);
    view_put_key(txn, FOTA_KEY_DOWNLOAD, 1, 2, FOTA_KEY_CURRENT, 22);
    {
        uint8_t  key[FOTA_KEY_MAX];

        assert_int_equal(fota_txn_del(txn, FOTA_T_KEY,
                         fota_slice(key, fota_key_key(key,
                                           FOTA_KEY_DOWNLOAD, 1, 3))),
                         FOTA_OK);
    }
    view_head(txn, 5, 12, 3);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_ptr_equal(fota_view_download_key(f->view, 1, 1), kept);
    assert_null(fota_view_download_key(f->view, 1, 3));
    assert_non_null(fota_view_mint_key(f->view, 1, &kid));
    assert_int_equal(kid, 2);
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_deny_and_brakes(void **state)
{
    view_fixture_t *f = *state;

    fota_txn_t    *txn;
    fota_token_t   t, other;
    fota_store_t  *st;

    static const uint8_t  rollout[8] = { 0, 0, 0, 0, 0, 0, 0, 8 };
    static const uint8_t  device[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    st = view_small_policy(f);

    memset(&t, 0, sizeof(t));
    t.tenant = 1;
    t.deployment = 8;
    t.nbf = 1000;
    other = t;
    other.deployment = 7;

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_denied(f->view, &t), FOTA_OK);
    assert_false(fota_view_cut(f->view, &t));
    fota_view_end(f->view);

    txn = view_begin(st);
    view_put_deny(txn, FOTA_DENY_DEPLOYMENT, rollout, 1001, 0);
    view_put_deny(txn, FOTA_DENY_DEVICE, device, 500, 1);
    view_head(txn, 5, 11, 2);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_denied(f->view, &t), FOTA_REVOKED);
    assert_false(fota_view_cut(f->view, &t));
    assert_int_equal(fota_view_denied(f->view, &other), FOTA_OK);

    t.nbf = 1001;
    assert_int_equal(fota_view_denied(f->view, &t), FOTA_OK);

    memcpy(t.device, device, sizeof(device));
    assert_int_equal(fota_view_denied(f->view, &t), FOTA_OK);
    t.nbf = 499;
    assert_int_equal(fota_view_denied(f->view, &t), FOTA_REVOKED);
    assert_true(fota_view_cut(f->view, &t));
    fota_view_end(f->view);

    /* The brake of the rollout, then of everything. */

    txn = view_begin(st);
    view_put_product(txn, "cam", 60, FOTA_BRAKE_CUT);
    view_head(txn, 5, 12, 3);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_denied(f->view, &other), FOTA_REVOKED);
    assert_true(fota_view_cut(f->view, &other));
    other.deployment = 70;
    assert_int_equal(fota_view_denied(f->view, &other), FOTA_OK);
    fota_view_end(f->view);

    txn = view_begin(st);
    view_put_product(txn, "cam", 60, FOTA_BRAKE_OFFERS);
    view_put_tenant(txn, "acme", 1, FOTA_BRAKE_CUT);
    view_head(txn, 5, 13, 4);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_true(fota_view_cut(f->view, &other));
    other.tenant = 2;
    assert_false(fota_view_cut(f->view, &other));
    fota_view_end(f->view);

    txn = view_begin(st);
    view_put_tenant(txn, "acme", 1, FOTA_BRAKE_OFFERS);
    view_put_tenant(txn, "*", 0, FOTA_BRAKE_CUT);
    view_head(txn, 5, 14, 5);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_true(fota_view_cut(f->view, &other));
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_nodes_and_prefixes(void **state)
{
    view_fixture_t *f = *state;

    uint8_t                 key[FOTA_KEY_MAX], mem[1024], addr[16], plen;
    fota_buf_t              out;
    fota_txn_t             *txn;
    fota_node_t             n;
    fota_store_t           *st;
    fota_geoprefix_t        g;
    const fota_geoprefix_t *found;

    st = view_small_policy(f);
    fota_buf_fixed(&out, mem, sizeof(mem));

    txn = view_begin(st);

    memset(&n, 0, sizeof(n));
    n.id = 4;
    n.group = 2;
    n.families = FOTA_FAMILY_V4;
    n.name = fota_cstr("tokyo");
    n.site = fota_cstr("a");
    n.url = fota_cstr("https://t.example");
    assert_int_equal(fota_node_encode(&n, &out), FOTA_OK);
    view_put(txn, FOTA_T_NODE, key, fota_key_u32(key, 4), &out);

    memset(&g, 0, sizeof(g));
    g.node_group = 2;
    assert_int_equal(fota_geoprefix_encode(&g, &out), FOTA_OK);
    assert_int_equal(fota_prefix_parse(fota_cstr("10.0.0.0/8"), addr, &plen),
                     FOTA_OK);
    view_put(txn, FOTA_T_GEOPREFIX, key, fota_key_prefix(key, addr, plen),
             &out);

    g.node_group = 3;
    assert_int_equal(fota_geoprefix_encode(&g, &out), FOTA_OK);
    assert_int_equal(fota_prefix_parse(fota_cstr("10.1.0.0/16"), addr,
                                       &plen), FOTA_OK);
    view_put(txn, FOTA_T_GEOPREFIX, key, fota_key_prefix(key, addr, plen),
             &out);

    view_head(txn, 5, 11, 2);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_nodes(f->view)->n, 1);
    assert_int_equal(fota_view_nodes(f->view)->nodes[0].node.group, 2);
    assert_memory_equal(fota_view_nodes(f->view)->nodes[0].node.name.data,
                        "tokyo", 5);

    assert_int_equal(fota_addr_parse(fota_cstr("10.1.2.3"), addr), FOTA_OK);
    assert_int_equal(fota_view_prefix(f->view, addr, &found), FOTA_OK);
    assert_int_equal(found->node_group, 3);
    assert_int_equal(fota_addr_parse(fota_cstr("10.2.2.3"), addr), FOTA_OK);
    assert_int_equal(fota_view_prefix(f->view, addr, &found), FOTA_OK);
    assert_int_equal(found->node_group, 2);
    assert_int_equal(fota_addr_parse(fota_cstr("11.2.2.3"), addr), FOTA_OK);
    assert_int_equal(fota_view_prefix(f->view, addr, &found),
                     FOTA_NOTFOUND);
    fota_view_end(f->view);

    fota_store_close(st);
}


static void
test_artifact(void **state)
{
    view_fixture_t *f = *state;

    uint8_t               sha256[32], mem[256];
    fota_buf_t            out;
    fota_txn_t           *txn;
    fota_store_t         *st;
    fota_artifact_info_t  a;

    st = view_small_policy(f);
    fota_buf_fixed(&out, mem, sizeof(mem));
    memset(sha256, 7, sizeof(sha256));

    memset(&a, 0, sizeof(a));
    a.tenant = 1;
    a.size = 1234;
    a.published = 99;
    a.name = fota_cstr("fw.bin");
    assert_int_equal(fota_artifact_info_encode(&a, &out), FOTA_OK);

    txn = view_begin(st);
    view_put(txn, FOTA_T_ARTIFACT, sha256, sizeof(sha256), &out);
    view_head(txn, 5, 11, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);

    assert_int_equal(fota_view_artifact(f->view, sha256, &a), FOTA_ERROR);
    assert_int_equal(fota_view_begin(f->view), FOTA_OK);
    assert_int_equal(fota_view_artifact(f->view, sha256, &a), FOTA_OK);
    assert_int_equal(a.size, 1234);
    assert_int_equal(a.published, 99);
    sha256[0] = 0;
    assert_int_equal(fota_view_artifact(f->view, sha256, &a),
                     FOTA_NOTFOUND);
    fota_view_end(f->view);

    fota_store_close(st);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_keys,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_deny_and_brakes,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_nodes_and_prefixes,
                                        view_setup, view_teardown),
        cmocka_unit_test_setup_teardown(test_artifact,
                                        view_setup, view_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
