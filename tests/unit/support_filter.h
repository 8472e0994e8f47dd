/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What the tests of the target filter share; include after cmocka.h. */

#ifndef FOTA_SUPPORT_FILTER_H
#define FOTA_SUPPORT_FILTER_H


#include <stdio.h>
#include <stdlib.h>

#include "fota_filter_tree.h"


typedef struct {
    fota_arena_t          arena;
    fota_buf_t            code;
    fota_filter_error_t   err;
    fota_filter_node_t   *tree;
} filter_test_t;


static inline void
filter_open(filter_test_t *t)
{
    memset(t, 0, sizeof(filter_test_t));
    fota_arena_init(&t->arena, 0);
    fota_buf_grow(&t->code, 1 << 20);
}


static inline void
filter_close(filter_test_t *t)
{
    fota_buf_free(&t->code);
    fota_arena_free(&t->arena);
}


static inline int
filter_parse(filter_test_t *t, const char *text)
{
    fota_arena_reset(&t->arena);
    memset(&t->err, 0, sizeof(t->err));

    return fota_filter_parse(&t->arena.mem, fota_cstr(text), &t->tree,
                             &t->err);
}


/* The code of a good filter, checked; fails the test otherwise. */

static inline fota_str_t
filter_code(filter_test_t *t, const char *text, fota_filter_groups_t *groups)
{
    int  rc;

    rc = filter_parse(t, text);

    if (rc == FOTA_OK) {
        fota_buf_reset(&t->code);
        rc = fota_filter_compile(&t->arena.mem, t->tree, groups, &t->code,
                                 &t->err);
    }

    if (rc != FOTA_OK) {
        fail_msg("%s: column %zu: %s", text, t->err.column, t->err.text);
    }

    if (fota_filter_check(fota_buf_slice(&t->code)) != FOTA_OK) {
        fail_msg("%s: the code does not pass the check", text);
    }

    return fota_buf_slice(&t->code);
}


/*
 * Groups of the tests: "alpha" 7, "beta" 3, "gamma" 900, "empty" none;
 * dynamic: "dyn" kind==os, "all" everything, "nest" names beta, "deep" names
 * dyn, "bad" does not parse.
 */

static inline int
filter_resolve(fota_filter_groups_t *g, fota_str_t pattern, uint32_t *ids,
    size_t cap, size_t *n, fota_str_t *dynamic)
{
    bool    found;
    size_t  i;

    static const struct {
        const char  *name;
        uint32_t     id;
        const char  *filter;
    } groups[] = {
        { "gamma", 900, NULL },
        { "alpha", 7, NULL },
        { "beta", 3, NULL },
        { "dyn", 0, "kind==os" },
        { "all", 0, "" },
        { "nest", 0, "group==beta and kind==os" },
        { "deep", 0, "kind==os or group==dyn" },
        { "bad", 0, "kind==os and modle==x" }
    };

    if (fota_str_eq(pattern, fota_cstr("empty"))) {
        return FOTA_OK;
    }

    if (fota_str_eq(pattern, fota_cstr("many"))) {
        for (i = 0; i < cap; i++) {
            ids[i] = (uint32_t) (cap - i);
        }

        *n = cap;
        return FOTA_OK;
    }

    if (fota_str_eq(pattern, fota_cstr("toomany"))) {
        return FOTA_LIMIT;
    }

    found = false;

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {

        if (!fota_str_match(pattern, fota_cstr(groups[i].name))) {
            continue;
        }

        if (groups[i].filter == NULL) {
            ids[(*n)++] = groups[i].id;
            found = true;

        } else if (fota_str_eq(pattern, fota_cstr(groups[i].name))) {
            *dynamic = fota_cstr(groups[i].filter);
            found = true;
        }
    }

    return found ? FOTA_OK : FOTA_NOTFOUND;
}


#endif /* FOTA_SUPPORT_FILTER_H */
