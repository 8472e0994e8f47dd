/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Keys of the view.  The table is read once per generation; a keyed context
 * is made when first needed and lives as long as its secret stays the same.
 */

#include <stdlib.h>

#include "fota_encode.h"
#include "fota_view_int.h"


typedef struct {
    fota_view_t      *view;
    fota_view_key_t  *keys;
    size_t            n;
    size_t            cap;
} fota_view_keys_load_t;


static int fota_view_keys_load(fota_view_t *v);
static int fota_view_keys_each(void *ctx, fota_str_t key, fota_str_t value);
static void fota_view_keys_free(fota_view_key_t *keys, size_t n);
static int fota_view_key_cmp(const fota_view_key_t *k, uint8_t kind,
    uint32_t scope, uint16_t kid);
static size_t fota_view_key_first(const fota_view_t *v, uint8_t kind,
    uint32_t scope, uint16_t kid);
static fota_hmac_t *fota_view_key_hmac(fota_view_key_t *k);


void
fota_view_keys_drop(fota_view_t *v)
{
    fota_view_keys_free(v->keys, v->nkeys);

    v->nkeys = 0;
}


static void
fota_view_keys_free(fota_view_key_t *keys, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        fota_hmac_free(keys[i].hmac);
        fota_cleanse(keys[i].secret, sizeof(keys[i].secret));
    }
}


static int
fota_view_keys_load(fota_view_t *v)
{
    int                    rc;
    size_t                 i, j;
    fota_view_key_t       *k, *old;
    fota_view_keys_load_t  load;

    if (!v->reading) {
        return FOTA_ERROR;
    }

    if (v->keys_generation == v->generation) {
        return FOTA_OK;
    }

    memset(&load, 0, sizeof(fota_view_keys_load_t));
    load.view = v;

    rc = fota_store_each(v->store, FOTA_T_KEY, fota_slice(NULL, 0),
                         fota_view_keys_each, &load);

    if (rc != FOTA_OK) {
        fota_view_keys_free(load.keys, load.n);
        free(load.keys);
        return rc;
    }

    /* Both are sorted; a context of an unchanged secret moves over. */

    for (i = 0, j = 0; i < load.n; i++) {
        k = &load.keys[i];

        while (j < v->nkeys
               && fota_view_key_cmp(&v->keys[j], k->kind, k->scope, k->kid)
                  < 0)
        {
            j++;
        }

        if (j == v->nkeys) {
            break;
        }

        old = &v->keys[j];

        if (fota_view_key_cmp(old, k->kind, k->scope, k->kid) == 0
            && fota_crypto_eq(old->secret, k->secret, sizeof(k->secret)))
        {
            k->hmac = old->hmac;
            old->hmac = NULL;
        }
    }

    fota_view_keys_free(v->keys, v->nkeys);
    free(v->keys);

    v->keys = load.keys;
    v->nkeys = load.n;
    v->keys_generation = v->generation;

    return FOTA_OK;
}


static int
fota_view_keys_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_keys_load_t *load = ctx;

    size_t            cap;
    fota_key_t        rec;
    fota_view_key_t  *k;

    if (key.len != 7) {
        return FOTA_OK;
    }

    if (fota_key_decode(value, &rec) != FOTA_OK) {
        fota_view_say(load->view, FOTA_CORRUPT,
                      "key record of kind %u, kid %u refused", key.data[0],
                      fota_get_be16(key.data + 5));
        return FOTA_OK;
    }

    /* Sealed for a scope this edge was not given. */

    if (rec.wrapped || rec.secret.len != 32) {
        return FOTA_OK;
    }

    if (load->n == load->cap) {
        cap = load->cap ? load->cap * 2 : 16;

        k = calloc(cap, sizeof(fota_view_key_t));
        if (k == NULL) {
            return FOTA_NOMEM;
        }

        if (load->n != 0) {
            memcpy(k, load->keys, load->n * sizeof(fota_view_key_t));
            fota_cleanse(load->keys, load->n * sizeof(fota_view_key_t));
        }

        free(load->keys);

        load->keys = k;
        load->cap = cap;
    }

    k = &load->keys[load->n++];

    k->kind = key.data[0];
    k->scope = fota_get_be32(key.data + 1);
    k->kid = fota_get_be16(key.data + 5);
    k->state = rec.state;
    k->created = rec.created;
    k->hmac = NULL;
    memcpy(k->secret, rec.secret.data, sizeof(k->secret));

    return FOTA_OK;
}


static int
fota_view_key_cmp(const fota_view_key_t *k, uint8_t kind, uint32_t scope,
    uint16_t kid)
{
    if (k->kind != kind) {
        return k->kind < kind ? -1 : 1;
    }

    if (k->scope != scope) {
        return k->scope < scope ? -1 : 1;
    }

    return (k->kid > kid) - (k->kid < kid);
}


/* Index of the first key not below the given. */

static size_t
fota_view_key_first(const fota_view_t *v, uint8_t kind, uint32_t scope,
    uint16_t kid)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = v->nkeys;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (fota_view_key_cmp(&v->keys[mid], kind, scope, kid) < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


static fota_hmac_t *
fota_view_key_hmac(fota_view_key_t *k)
{
    uint8_t  key[32];

    if (k->hmac != NULL) {
        return k->hmac;
    }

    if (k->kind == FOTA_KEY_DOWNLOAD) {

        if (k->scope > UINT16_MAX
            || fota_token_key(key, k->secret, (uint16_t) k->scope) != FOTA_OK)
        {
            return NULL;
        }

    } else {
        memcpy(key, k->secret, sizeof(key));
    }

    k->hmac = fota_hmac_new(key, sizeof(key));
    fota_cleanse(key, sizeof(key));

    return k->hmac;
}


fota_hmac_t *
fota_view_download_key(fota_view_t *v, uint16_t scope, uint16_t kid)
{
    size_t  i;

    if (fota_view_keys_load(v) != FOTA_OK) {
        return NULL;
    }

    i = fota_view_key_first(v, FOTA_KEY_DOWNLOAD, scope, kid);

    if (i == v->nkeys
        || fota_view_key_cmp(&v->keys[i], FOTA_KEY_DOWNLOAD, scope, kid) != 0)
    {
        return NULL;
    }

    return fota_view_key_hmac(&v->keys[i]);
}


fota_hmac_t *
fota_view_mint_key(fota_view_t *v, uint16_t scope, uint16_t *kid)
{
    size_t            i;
    fota_view_key_t  *k, *best;

    if (fota_view_keys_load(v) != FOTA_OK) {
        return NULL;
    }

    best = NULL;

    for (i = fota_view_key_first(v, FOTA_KEY_DOWNLOAD, scope, 0);
         i < v->nkeys;
         i++)
    {
        k = &v->keys[i];

        if (k->kind != FOTA_KEY_DOWNLOAD || k->scope != scope) {
            break;
        }

        /* Two current ones while a rotation is under way: the newer. */

        if (k->state == FOTA_KEY_CURRENT
            && (best == NULL || k->created >= best->created))
        {
            best = k;
        }
    }

    if (best == NULL) {
        return NULL;
    }

    *kid = best->kid;

    return fota_view_key_hmac(best);
}


int
fota_view_device_token(fota_view_t *v, uint32_t tenant, fota_str_t device,
    fota_str_t token)
{
    int               rc;
    char              text[FOTA_DEVICE_TOKEN_LEN];
    size_t            i;
    fota_hmac_t      *h;
    fota_view_key_t  *k;

    rc = fota_view_keys_load(v);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = FOTA_UNKNOWN_KEY;

    for (i = fota_view_key_first(v, FOTA_KEY_DEVICE, tenant, 0);
         i < v->nkeys;
         i++)
    {
        k = &v->keys[i];

        if (k->kind != FOTA_KEY_DEVICE || k->scope != tenant) {
            break;
        }

        rc = FOTA_FORGED;

        if (token.len != FOTA_DEVICE_TOKEN_LEN) {
            break;
        }

        h = fota_view_key_hmac(k);

        if (h == NULL
            || fota_device_token(h, tenant, device, text) != FOTA_OK)
        {
            return FOTA_ERROR;
        }

        if (fota_crypto_eq(text, token.data, sizeof(text))) {
            return FOTA_OK;
        }
    }

    return rc;
}


bool
fota_view_operator(fota_view_t *v, const uint8_t token_sha256[32])
{
    bool              found;
    size_t            i;
    fota_view_key_t  *k;

    if (fota_view_keys_load(v) != FOTA_OK) {
        return false;
    }

    found = false;

    for (i = fota_view_key_first(v, FOTA_KEY_OPERATOR, 0, 0);
         i < v->nkeys;
         i++)
    {
        k = &v->keys[i];

        if (k->kind != FOTA_KEY_OPERATOR) {
            break;
        }

        /* All are compared, so that time says nothing of the place. */

        found |= fota_crypto_eq(k->secret, token_sha256, 32);
    }

    return found;
}


int
fota_view_keys(fota_view_t *v, void (*each)(void *ctx, uint8_t kind,
    uint32_t scope, uint16_t kid, uint8_t state, uint32_t created), void *ctx)
{
    int               rc;
    size_t            i;
    fota_view_key_t  *k;

    rc = fota_view_keys_load(v);
    if (rc != FOTA_OK) {
        return rc;
    }

    for (i = 0; i < v->nkeys; i++) {
        k = &v->keys[i];
        each(ctx, k->kind, k->scope, k->kid, k->state, k->created);
    }

    return FOTA_OK;
}
