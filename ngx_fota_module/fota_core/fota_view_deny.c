/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Which tokens are void: deny records, and the brakes of tenants, products
 * and rollouts that cut.  Gathered once per generation.
 */

#include <stdlib.h>

#include "fota_encode.h"
#include "fota_view_int.h"


typedef struct {
    size_t     n;
    size_t     cap;
    uint32_t  *list;
} fota_view_ids_t;

typedef struct {
    fota_view_t      *view;
    fota_mem_t       *mem;
    fota_arena_t      scratch;
    size_t            max;      /* deny records */
    fota_view_ids_t   tenants;
    fota_view_ids_t   rollouts;
    size_t            nproducts;
} fota_view_deny_load_t;


static int fota_view_deny_load(fota_view_t *v);
static int fota_view_deny_count(void *ctx, fota_str_t key, fota_str_t value);
static int fota_view_deny_each(void *ctx, fota_str_t key, fota_str_t value);
static int fota_view_tenant_each(void *ctx, fota_str_t key,
    fota_str_t value);
static int fota_view_product_each(void *ctx, fota_str_t key,
    fota_str_t value);
static int fota_view_cut_add(fota_mem_t *mem, fota_view_ids_t *ids,
    uint32_t id);
static int fota_view_cut_cmp(const void *one, const void *two);
static bool fota_view_braked(const fota_view_t *v, const fota_token_t *t);
static const fota_deny_t *fota_view_deny_find(const fota_view_t *v,
    uint8_t kind, const uint8_t id[8]);
static bool fota_view_deny_match(const fota_view_t *v, const fota_token_t *t,
    bool cut);


static int
fota_view_deny_load(fota_view_t *v)
{
    int                    rc;
    fota_view_deny_load_t  load;

    if (!v->reading) {
        return FOTA_ERROR;
    }

    if (v->deny_generation == v->generation
        || (v->nproducts > FOTA_VIEW_SMALL && v->deny_tick == v->tick))
    {
        return FOTA_OK;
    }

    fota_arena_reset(&v->deny_arena);

    v->deny_generation = 0;
    v->ndenies = 0;
    v->ncut_tenants = 0;
    v->ncuts = 0;
    v->cut_all = 0;

    memset(&load, 0, sizeof(fota_view_deny_load_t));
    load.view = v;
    load.mem = &v->deny_arena.mem;
    fota_arena_init(&load.scratch, FOTA_VIEW_RECORD_MAX);

    rc = fota_store_each(v->store, FOTA_T_DENY, fota_slice(NULL, 0),
                         fota_view_deny_count, &load);
    if (rc != FOTA_OK) {
        goto done;
    }

    v->denies = fota_calloc(load.mem, load.max, sizeof(fota_view_deny_t));

    if (v->denies == NULL) {
        rc = FOTA_NOMEM;
        goto done;
    }

    rc = fota_store_each(v->store, FOTA_T_DENY, fota_slice(NULL, 0),
                         fota_view_deny_each, &load);
    if (rc != FOTA_OK) {
        goto done;
    }

    rc = fota_store_each(v->store, FOTA_T_TENANT, fota_slice(NULL, 0),
                         fota_view_tenant_each, &load);
    if (rc != FOTA_OK) {
        goto done;
    }

    rc = fota_store_each(v->store, FOTA_T_PRODUCT, fota_slice(NULL, 0),
                         fota_view_product_each, &load);
    if (rc != FOTA_OK) {
        goto done;
    }

    v->cut_tenants = load.tenants.list;
    v->ncut_tenants = load.tenants.n;
    v->cuts = load.rollouts.list;
    v->ncuts = load.rollouts.n;
    v->nproducts = load.nproducts;

    if (v->ncuts > 1) {
        qsort(v->cuts, v->ncuts, sizeof(uint32_t), fota_view_cut_cmp);
    }

    v->deny_generation = v->generation;
    v->deny_tick = v->tick;

done:

    fota_arena_free(&load.scratch);

    if (rc != FOTA_OK) {
        v->ndenies = 0;
        v->ncut_tenants = 0;
        v->ncuts = 0;
        fota_view_say(v, rc, "deny records cannot be used: %s",
                      fota_status_name(rc));
    }

    return rc;
}


static int
fota_view_deny_count(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_deny_load_t *load = ctx;

    load->max++;

    return FOTA_OK;
}


static int
fota_view_deny_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_deny_load_t *load = ctx;

    fota_view_t       *v;
    fota_view_deny_t  *d;

    v = load->view;

    if (key.len != 9 || v->ndenies == load->max) {
        return FOTA_OK;
    }

    d = &v->denies[v->ndenies];

    if (fota_deny_decode(value, &d->deny) != FOTA_OK) {

        /* What cannot be read must still revoke. */

        d->deny.not_before = UINT32_MAX;
        d->deny.cut = 0;
    }

    d->kind = key.data[0];
    memcpy(d->id, &key.data[1], sizeof(d->id));
    v->ndenies++;

    return FOTA_OK;
}


static int
fota_view_tenant_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_deny_load_t *load = ctx;

    fota_tenant_t  tenant;

    fota_arena_reset(&load->scratch);

    if (fota_tenant_decode(&load->scratch.mem, value, &tenant) != FOTA_OK
        || tenant.brake != FOTA_BRAKE_CUT)
    {
        return FOTA_OK;
    }

    if (key.len == 1 && key.data[0] == '*') {
        load->view->cut_all = 1;
        return FOTA_OK;
    }

    return fota_view_cut_add(load->mem, &load->tenants, tenant.id);
}


static int
fota_view_product_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_deny_load_t *load = ctx;

    int              rc;
    uint16_t         i;
    fota_product_t   product;
    fota_rollout_t  *r;

    load->nproducts++;

    fota_arena_reset(&load->scratch);

    if (fota_product_decode(&load->scratch.mem, value, &product) != FOTA_OK) {
        return FOTA_OK;
    }

    for (i = 0; i < product.nrollouts; i++) {
        r = &product.rollouts[i];

        if (r->brake == FOTA_BRAKE_CUT || product.brake == FOTA_BRAKE_CUT) {
            rc = fota_view_cut_add(load->mem, &load->rollouts, r->id);

            if (rc != FOTA_OK) {
                return rc;
            }
        }
    }

    return FOTA_OK;
}


static int
fota_view_cut_add(fota_mem_t *mem, fota_view_ids_t *ids, uint32_t id)
{
    size_t     cap;
    uint32_t  *list;

    if (ids->n == ids->cap) {
        cap = ids->cap ? ids->cap * 2 : 64;

        list = fota_calloc(mem, cap, sizeof(uint32_t));
        if (list == NULL) {
            return FOTA_NOMEM;
        }

        if (ids->n != 0) {
            memcpy(list, ids->list, ids->n * sizeof(uint32_t));
        }

        ids->list = list;
        ids->cap = cap;
    }

    ids->list[ids->n++] = id;

    return FOTA_OK;
}


static int
fota_view_cut_cmp(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static bool
fota_view_braked(const fota_view_t *v, const fota_token_t *t)
{
    size_t  i;

    if (v->cut_all) {
        return true;
    }

    for (i = 0; i < v->ncut_tenants; i++) {
        if (v->cut_tenants[i] == t->tenant) {
            return true;
        }
    }

    return v->ncuts != 0
           && bsearch(&t->deployment, v->cuts, v->ncuts, sizeof(uint32_t),
                      fota_view_cut_cmp) != NULL;
}


static const fota_deny_t *
fota_view_deny_find(const fota_view_t *v, uint8_t kind, const uint8_t id[8])
{
    int                rc;
    size_t             lo, hi, mid;
    fota_view_deny_t  *d;

    lo = 0;
    hi = v->ndenies;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        d = &v->denies[mid];

        rc = (d->kind != kind) ? (int) d->kind - (int) kind
                               : memcmp(d->id, id, sizeof(d->id));
        if (rc == 0) {
            return &d->deny;
        }

        if (rc < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return NULL;
}


static bool
fota_view_deny_match(const fota_view_t *v, const fota_token_t *t, bool cut)
{
    size_t              i;
    uint8_t             id[3][8];
    const fota_deny_t  *d;

    static const uint8_t  kinds[3] = {
        FOTA_DENY_DEPLOYMENT, FOTA_DENY_TENANT, FOTA_DENY_DEVICE
    };

    memset(id, 0, sizeof(id));

    fota_put_be32(id[0] + 4, t->deployment);
    fota_put_be32(id[1] + 4, t->tenant);
    memcpy(id[2], t->device, sizeof(id[2]));

    for (i = 0; i < 3; i++) {
        d = fota_view_deny_find(v, kinds[i], id[i]);

        if (d != NULL && t->nbf < d->not_before && (!cut || d->cut)) {
            return true;
        }
    }

    return false;
}


int
fota_view_denied(fota_view_t *v, const fota_token_t *t)
{
    int  rc;

    rc = fota_view_deny_load(v);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (v->ndenies != 0 && fota_view_deny_match(v, t, false)) {
        return FOTA_REVOKED;
    }

    return fota_view_braked(v, t) ? FOTA_REVOKED : FOTA_OK;
}


bool
fota_view_cut(fota_view_t *v, const fota_token_t *t)
{
    /* When in doubt a transfer goes on: it was allowed when it began. */

    if (fota_view_deny_load(v) != FOTA_OK) {
        return false;
    }

    return (v->ndenies != 0 && fota_view_deny_match(v, t, true))
           || fota_view_braked(v, t);
}
