/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The index of a product, made once for each policy generation.  Sorting
 * is by full keys, so the result does not depend on qsort().
 */

#include <stdlib.h>

#include "fota_record_field.h"


typedef struct {
    fota_str_t  version;
    uint16_t    index;
} fota_version_ref_t;


static int fota_version_ref_cmp(const void *a, const void *b);
static int fota_edge_cmp(const void *a, const void *b);
static int fota_index_firmware(fota_mem_t *mem, fota_product_t *v);
static int fota_index_edges(fota_mem_t *mem, fota_product_t *v);
static int fota_index_filters(fota_mem_t *mem, fota_product_t *v);


bool
fota_artifact_valid(const fota_product_t *p, const fota_artifact_t *a)
{
    if (a->to >= p->nfirmware) {
        return false;
    }

    if (a->from == FOTA_NONE) {
        return true;
    }

    return a->from < p->nfirmware && a->from != a->to
           && p->firmware[a->from].kind == p->firmware[a->to].kind;
}


static int
fota_version_ref_cmp(const void *a, const void *b)
{
    int                        rc;
    const fota_version_ref_t  *x, *y;

    x = a;
    y = b;

    rc = fota_str_cmp(x->version, y->version);

    return (rc != 0) ? rc : (int) x->index - (int) y->index;
}


static int
fota_edge_cmp(const void *a, const void *b)
{
    const fota_edge_t  *x, *y;

    x = a;
    y = b;

    if (x->from != y->from) {
        return (int) x->from - (int) y->from;
    }

    if (x->to != y->to) {
        return (int) x->to - (int) y->to;
    }

    if (x->size != y->size) {
        return (x->size < y->size) ? -1 : 1;
    }

    return (int) x->artifact - (int) y->artifact;
}


static int
fota_index_firmware(fota_mem_t *mem, fota_product_t *v)
{
    uint8_t                kind;
    uint16_t               i, n, first;
    fota_version_ref_t    *refs;
    fota_product_index_t  *x;

    x = &v->index;

    i = 0;

    for (kind = 0; kind < FOTA_KIND__N; kind++) {
        x->start[kind] = i;
        x->latest[kind] = FOTA_NONE;

        for ( /* void */ ; i < v->nfirmware && v->firmware[i].kind == kind;
             i++)
        {
            if (!v->firmware[i].withdrawn) {
                x->latest[kind] = i;
            }
        }
    }

    x->start[FOTA_KIND__N] = i;

    if (i != v->nfirmware) {
        /* Out of order, or of a kind unknown. */
        return FOTA_INVALID;
    }

    if (i == 0) {
        return FOTA_OK;
    }

    refs = fota_calloc(mem, v->nfirmware, sizeof(fota_version_ref_t));
    x->by_version = fota_calloc(mem, v->nfirmware, sizeof(uint16_t));

    if (refs == NULL || x->by_version == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < v->nfirmware; i++) {
        refs[i].version = v->firmware[i].version;
        refs[i].index = i;
    }

    for (kind = 0; kind < FOTA_KIND__N; kind++) {
        first = x->start[kind];
        n = x->start[kind + 1] - first;

        if (n != 0) {
            qsort(refs + first, n, sizeof(fota_version_ref_t),
                  fota_version_ref_cmp);
        }
    }

    for (i = 0; i < v->nfirmware; i++) {
        x->by_version[i] = refs[i].index;
    }

    return FOTA_OK;
}


static int
fota_index_edges(fota_mem_t *mem, fota_product_t *v)
{
    uint16_t                i;
    fota_edge_t            *e;
    const fota_artifact_t  *a;

    if (v->nartifacts == 0) {
        return FOTA_OK;
    }

    v->index.mem = mem;
    v->index.edges = fota_calloc(mem, v->nartifacts, sizeof(fota_edge_t));
    v->index.answers = fota_calloc(mem, v->nartifacts, sizeof(fota_str_t));

    if (v->index.edges == NULL || v->index.answers == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < v->nartifacts; i++) {
        a = &v->artifacts[i];
        e = &v->index.edges[i];

        if (!fota_artifact_valid(v, a)) {
            return FOTA_INVALID;
        }

        e->from = a->from;
        e->to = a->to;
        e->size = a->size;
        e->artifact = i;
    }

    qsort(v->index.edges, v->nartifacts, sizeof(fota_edge_t), fota_edge_cmp);

    return FOTA_OK;
}


static int
fota_index_filters(fota_mem_t *mem, fota_product_t *v)
{
    uint16_t               i;
    fota_product_index_t  *x;

    if (v->nrollouts == 0) {
        return FOTA_OK;
    }

    x = &v->index;
    x->filters = fota_calloc(mem, v->nrollouts, sizeof(fota_filter_shared_t));

    if (x->filters == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < v->nrollouts; i++) {
        x->filters[i].code = v->rollouts[i].filter;
    }

    return fota_filter_share(mem, x->filters, v->nrollouts, &x->nmemo);
}


int
fota_product_index(fota_mem_t *mem, fota_product_t *v)
{
    int  rc;

    memset(&v->index, 0, sizeof(fota_product_index_t));

    rc = fota_index_firmware(mem, v);

    if (rc == FOTA_OK) {
        rc = fota_index_edges(mem, v);
    }

    if (rc == FOTA_OK) {
        rc = fota_index_filters(mem, v);
    }

    return rc;
}
