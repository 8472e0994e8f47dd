/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* A policy directory of a test's own, and short ways to fill it. */

#ifndef SUPPORT_VIEW_H
#define SUPPORT_VIEW_H

#include "fota_view.h"

typedef struct {
    char           dir[64];
    fota_view_t   *view;
    fota_arena_t   arena;
    int            logged;
    int            last;
} view_fixture_t;

void view_log(void *ctx, fota_status_e st, const char *text);
void view_command(const char *fmt, const char *arg);
int view_setup(void **state);
int view_teardown(void **state);
fota_store_t *view_generation(view_fixture_t *f, const char *name);
void view_point(view_fixture_t *f, const char *name);
void view_head(fota_txn_t *txn, uint64_t epoch, uint64_t seq,
    uint64_t generation);
void view_put(fota_txn_t *txn, fota_table_e table, const uint8_t *key,
    size_t len, fota_buf_t *value);
void view_put_tenant(fota_txn_t *txn, const char *name, uint32_t id,
    uint8_t brake);
void view_put_product(fota_txn_t *txn, const char *name, uint32_t poll,
    uint8_t rollout_brake);
void view_put_key(fota_txn_t *txn, uint8_t kind, uint32_t scope, uint16_t kid,
    uint8_t state, uint8_t fill);
void view_put_deny(fota_txn_t *txn, uint8_t kind, const uint8_t id[8],
    uint32_t not_before, uint8_t cut);
fota_txn_t *view_begin(fota_store_t *st);
fota_store_t *view_small_policy(view_fixture_t *f);

#endif /* SUPPORT_VIEW_H */
