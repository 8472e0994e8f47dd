/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support_view.h"


void
view_log(void *ctx, fota_status_e st, const char *text)
{
    view_fixture_t *f = ctx;

    assert_non_null(text);
    f->logged++;
    f->last = st;
}


void
view_command(const char *fmt, const char *arg)
{
    char  text[512];

    (void) snprintf(text, sizeof(text), fmt, arg, arg, arg);
    assert_int_equal(system(text), 0);
}


int
view_setup(void **state)
{
    view_fixture_t  *f;

    f = calloc(1, sizeof(view_fixture_t));
    assert_non_null(f);

    strcpy(f->dir, "/tmp/fota-view-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fota_arena_init(&f->arena, 0);

    *state = f;

    return 0;
}


int
view_teardown(void **state)
{
    view_fixture_t *f = *state;

    fota_view_destroy(f->view);
    fota_arena_free(&f->arena);
    view_command("rm -rf %s", f->dir);
    free(f);

    return 0;
}


/* A generation with a head; link and content are the caller's. */

fota_store_t *
view_generation(view_fixture_t *f, const char *name)
{
    char               path[PATH_MAX];
    const char        *reason;
    fota_store_t      *st;
    fota_store_opt_t   opt;

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);

    memset(&opt, 0, sizeof(opt));
    opt.map_size = 64 << 20;
    assert_int_equal(fota_store_open(&st, path, &opt, &reason), FOTA_OK);

    return st;
}


void
view_point(view_fixture_t *f, const char *name)
{
    char  from[PATH_MAX], to[PATH_MAX];

    (void) snprintf(from, sizeof(from), "%s/current.x", f->dir);
    (void) snprintf(to, sizeof(to), "%s/current", f->dir);
    assert_int_equal(symlink(name, from), 0);
    assert_int_equal(rename(from, to), 0);
}


void
view_head(fota_txn_t *txn, uint64_t epoch, uint64_t seq, uint64_t generation)
{
    fota_meta_t  m;

    memset(&m, 0, sizeof(m));
    m.format = FOTA_STORE_FORMAT;
    m.epoch = epoch;
    m.seq = seq;
    m.generation = generation;
    assert_int_equal(fota_meta_write(txn, &m), FOTA_OK);
}


void
view_put(fota_txn_t *txn, fota_table_e table, const uint8_t *key, size_t len,
    fota_buf_t *value)
{
    assert_int_equal(value->status, FOTA_OK);
    assert_int_equal(fota_txn_put(txn, table, fota_slice(key, len),
                                  fota_buf_slice(value)), FOTA_OK);
    fota_buf_reset(value);
}


void
view_put_tenant(fota_txn_t *txn, const char *name, uint32_t id, uint8_t brake)
{
    uint8_t        key[FOTA_KEY_MAX], mem[512];
    fota_buf_t     out;
    fota_tenant_t  t;

    memset(&t, 0, sizeof(t));
    t.id = id;
    t.brake = brake;

    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_tenant_encode(&t, &out), FOTA_OK);
    view_put(txn, FOTA_T_TENANT, key, fota_key_name(key, fota_cstr(name)),
             &out);
}


void
view_put_product(fota_txn_t *txn, const char *name, uint32_t poll,
    uint8_t rollout_brake)
{
    uint8_t          key[FOTA_KEY_MAX], mem[1024];
    fota_buf_t       out;
    fota_product_t   p;
    fota_rollout_t   r;
    fota_firmware_t  fw;

    memset(&p, 0, sizeof(p));
    memset(&r, 0, sizeof(r));
    memset(&fw, 0, sizeof(fw));

    fw.id = 1;
    fw.version = fota_cstr("1.0");
    r.id = 7;
    r.brake = rollout_brake;
    r.target = FOTA_NONE;
    r.name = fota_cstr("r");
    p.tenant = 1;
    p.id = 3;
    p.poll = poll;
    p.name = fota_cstr(name);
    p.nfirmware = 1;
    p.firmware = &fw;
    p.nrollouts = 1;
    p.rollouts = &r;

    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_product_encode(&p, &out), FOTA_OK);
    view_put(txn, FOTA_T_PRODUCT, key, fota_key_product(key, 1, p.name), &out);
}


void
view_put_key(fota_txn_t *txn, uint8_t kind, uint32_t scope, uint16_t kid,
    uint8_t state, uint8_t fill)
{
    uint8_t     key[FOTA_KEY_MAX], mem[256], secret[32];
    fota_buf_t  out;
    fota_key_t  k;

    memset(&k, 0, sizeof(k));
    memset(secret, fill, sizeof(secret));
    k.state = state;
    k.created = kid;
    k.secret = fota_slice(secret, sizeof(secret));

    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_key_encode(&k, &out), FOTA_OK);
    view_put(txn, FOTA_T_KEY, key, fota_key_key(key, kind, scope, kid), &out);
}


void
view_put_deny(fota_txn_t *txn, uint8_t kind, const uint8_t id[8],
    uint32_t not_before, uint8_t cut)
{
    uint8_t      key[FOTA_KEY_MAX], mem[64];
    fota_buf_t   out;
    fota_deny_t  d;

    d.not_before = not_before;
    d.cut = cut;

    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_deny_encode(&d, &out), FOTA_OK);
    view_put(txn, FOTA_T_DENY, key, fota_key_deny(key, kind, id), &out);
}


fota_txn_t *
view_begin(fota_store_t *st)
{
    fota_txn_t  *txn;

    assert_int_equal(fota_store_write_begin(st, &txn), FOTA_OK);

    return txn;
}


fota_store_t *
view_small_policy(view_fixture_t *f)
{
    fota_txn_t    *txn;
    fota_store_t  *st;

    st = view_generation(f, "gen-1");
    txn = view_begin(st);
    view_put_tenant(txn, "acme", 1, FOTA_BRAKE_NONE);
    view_put_product(txn, "cam", 60, FOTA_BRAKE_NONE);
    view_head(txn, 5, 10, 1);
    assert_int_equal(fota_txn_commit(txn), FOTA_OK);
    view_point(f, "gen-1");

    f->view = fota_view_create(f->dir, 64 << 20, view_log, f);
    assert_non_null(f->view);

    return st;
}
