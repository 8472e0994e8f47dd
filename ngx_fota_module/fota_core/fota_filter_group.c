/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What the groups named in a filter stand for; only at the centre. */

#include <stdlib.h>

#include "fota_filter_tree.h"


static int fota_filter_member(fota_mem_t *mem,
    const fota_filter_value_t *value, fota_filter_groups_t *groups,
    unsigned level, fota_filter_members_t *out, fota_filter_error_t *err);
static int fota_filter_pattern(fota_mem_t *mem,
    const fota_filter_value_t *value, fota_str_t *out);
static int fota_filter_cmp_ids(const void *a, const void *b);


int
fota_filter_members(fota_mem_t *mem, const fota_filter_node_t *term,
    fota_filter_groups_t *groups, unsigned level, fota_filter_members_t *out,
    fota_filter_error_t *err)
{
    int                         rc;
    size_t                      i, n;
    const fota_filter_value_t  *value;

    memset(out, 0, sizeof(fota_filter_members_t));

    if (groups == NULL) {
        return fota_filter_fail(err, term->column, FOTA_INVALID,
                                "a group cannot be named here");
    }

    out->ids = fota_alloc(mem, FOTA_FILTER_GROUP_IDS * sizeof(uint32_t));
    if (out->ids == NULL) {
        return FOTA_NOMEM;
    }

    for (value = term->values; value != NULL; value = value->next) {
        rc = fota_filter_member(mem, value, groups, level, out, err);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    if (out->nids == 0) {
        return FOTA_OK;
    }

    qsort(out->ids, out->nids, sizeof(uint32_t), fota_filter_cmp_ids);

    n = 1;

    for (i = 1; i < out->nids; i++) {
        if (out->ids[i] != out->ids[n - 1]) {
            out->ids[n++] = out->ids[i];
        }
    }

    out->nids = n;

    return FOTA_OK;
}


static int
fota_filter_member(fota_mem_t *mem, const fota_filter_value_t *value,
    fota_filter_groups_t *groups, unsigned level, fota_filter_members_t *out,
    fota_filter_error_t *err)
{
    int                    rc;
    char                   show[FOTA_FILTER_SHOW];
    size_t                 n, cap;
    fota_str_t             pattern, dynamic;
    fota_filter_node_t    *tree;
    fota_filter_error_t    inner;
    fota_filter_inline_t  *in, **last;

    rc = fota_filter_pattern(mem, value, &pattern);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;
    cap = FOTA_FILTER_GROUP_IDS - out->nids;
    dynamic = fota_slice(NULL, 0);

    rc = groups->resolve(groups, pattern, out->ids + out->nids, cap, &n,
                         &dynamic);

    (void) fota_filter_show(show, pattern);

    switch (rc) {

    case FOTA_OK:
        break;

    case FOTA_NOTFOUND:
        return fota_filter_fail(err, value->column, rc,
                                "there is no group '%s'", show);

    case FOTA_LIMIT:
        return fota_filter_fail(err, value->column, rc,
                                "'%s' names too many groups; the limit is %d",
                                show, FOTA_FILTER_GROUP_IDS);

    default:
        return fota_filter_fail(err, value->column, rc,
                                "group '%s' cannot be looked up", show);
    }

    if (n > cap) {
        return fota_filter_fail(err, value->column, FOTA_ERROR,
                                "group '%s' cannot be looked up", show);
    }

    out->nids += n;

    if (dynamic.data == NULL) {
        return FOTA_OK;
    }

    if (level > 0) {
        return fota_filter_fail(err, value->column, FOTA_LIMIT,
                                "group '%s' is dynamic; the filter of a "
                                "dynamic group names only static groups",
                                show);
    }

    rc = fota_filter_parse(mem, dynamic, &tree, &inner);

    if (rc != FOTA_OK) {
        return fota_filter_fail(err, value->column, rc,
                                "filter of group '%s', column %zu: %s",
                                show, inner.column, inner.text);
    }

    in = fota_calloc(mem, 1, sizeof(fota_filter_inline_t));
    if (in == NULL) {
        return FOTA_NOMEM;
    }

    in->tree = tree;
    in->column = value->column;

    for (last = &out->inlined; *last != NULL; last = &(*last)->next) {
        /* void */
    }

    *last = in;

    return FOTA_OK;
}


/* Puts the stars back; a name has none of its own. */

static int
fota_filter_pattern(fota_mem_t *mem, const fota_filter_value_t *value,
    fota_str_t *out)
{
    size_t    i, cut, len;
    uint8_t  *p;

    p = fota_alloc(mem, value->text.len + value->ncuts);
    if (p == NULL) {
        return FOTA_NOMEM;
    }

    len = 0;
    cut = 0;

    for (i = 0; i <= value->text.len; i++) {

        if (cut < value->ncuts && value->cuts[cut] == i) {
            p[len++] = '*';
            cut++;
        }

        if (i < value->text.len) {
            p[len++] = value->text.data[i];
        }
    }

    *out = fota_slice(p, len);

    return FOTA_OK;
}


static int
fota_filter_cmp_ids(const void *a, const void *b)
{
    uint32_t  x, y;

    x = *(const uint32_t *) a;
    y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}
