/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Inside of the view, shared by fota_view*.c alone. */

#ifndef FOTA_VIEW_INT_H
#define FOTA_VIEW_INT_H

#include <sys/types.h>

#include "fota_view.h"

#define FOTA_VIEW_BUCKETS       1024
#define FOTA_VIEW_RECENT        16
#define FOTA_VIEW_RETRY         8   /* refreshes between two tries */
/* Decoded bytes after which the cache is dropped as a whole. */
#define FOTA_VIEW_CACHE_MAX     (64 * 1024 * 1024)
#define FOTA_VIEW_RECORD_MAX    (32 * 1024 * 1024)
#define FOTA_VIEW_PREFIXES_MAX  (1024 * 1024)
/* Verified tokens that are remembered, as a power of 2. */
#define FOTA_VIEW_TOKENS        8
/* Tables over this many records are read again once per refresh at most. */
#define FOTA_VIEW_SMALL         128

/* A decoded record; raw is our copy of what was decoded. */

typedef struct fota_view_entry_s  fota_view_entry_t;

struct fota_view_entry_s {
    fota_view_entry_t  *next;
    uint64_t            hash;
    uint64_t            generation;     /* raw was compared in this one */
    fota_table_e        table;
    fota_status_e       status;
    size_t              klen;
    uint8_t             key[FOTA_KEY_MAX];
    fota_arena_t        arena;
    fota_str_t          raw;
    union {
        fota_tenant_t   tenant;
        fota_product_t  product;
        fota_zone_t     zone;
    } u;
};

typedef struct {
    uint8_t       kind;
    uint8_t       state;
    uint16_t      kid;
    uint32_t      scope;
    uint32_t      created;
    uint8_t       secret[32];
    fota_hmac_t  *hmac;         /* made when first used */
} fota_view_key_t;

typedef struct {
    uint8_t      kind;
    uint8_t      id[8];
    fota_deny_t  deny;
} fota_view_deny_t;

typedef struct fota_view_token_s  fota_view_token_t;

struct fota_view_s {
    char               *path;
    uint64_t            map_size;
    fota_view_log_pt    log;
    void               *log_ctx;

    fota_store_t       *store;
    fota_status_e       status; /* why store is NULL */
    dev_t               dev;
    ino_t               ino;
    off_t               size;
    uint64_t            tick;   /* of refreshes */

    unsigned            reading:1;
    unsigned            has_meta:1;
    uint64_t            txn_id;
    fota_meta_t         meta;
    /* Ours: grows when the policy's generation, epoch or file changes. */
    uint64_t            generation;
    fota_status_e       logged;

    /* Generation in which the tenant "*" is known to be absent. */
    uint64_t            no_everyone;

    size_t              cached; /* bytes of all entries */
    fota_view_entry_t  *buckets[FOTA_VIEW_BUCKETS];
    /* Found lately, so that the usual tenant and product cost no hash. */
    fota_view_entry_t  *recent[FOTA_VIEW_RECENT];

    uint64_t            keys_generation;
    size_t              nkeys;
    fota_view_key_t    *keys;   /* ascending kind, scope, kid */

    fota_view_token_t  *tokens;

    uint64_t            nodes_generation;
    fota_arena_t        nodes_arena;
    fota_node_set_t     nodes;

    uint64_t            prefix_generation;
    uint64_t            prefix_tick;
    fota_arena_t        prefix_arena;
    fota_lpm_t         *lpm;
    uint32_t            nprefixes;
    fota_geoprefix_t   *prefixes;

    uint64_t            deny_generation;
    uint64_t            deny_tick;
    fota_arena_t        deny_arena;
    size_t              ndenies;
    fota_view_deny_t   *denies; /* in order of keys */
    size_t              ncut_tenants;
    uint32_t           *cut_tenants;
    size_t              nproducts;
    size_t              ncuts;
    uint32_t           *cuts;   /* rollout ids, ascending */
    unsigned            cut_all:1;
};

/* Value of a cached record; the entry says whether it decoded. */
int fota_view_entry(fota_view_t *v, fota_table_e table, fota_str_t key,
    fota_view_entry_t **out);

void fota_view_say(fota_view_t *v, fota_status_e st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void fota_view_keys_drop(fota_view_t *v);

#endif /* FOTA_VIEW_INT_H */
