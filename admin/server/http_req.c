/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a request says: path and query parameters. */


#include "http_private.h"


fota_str_t
fota_req_param(fota_req_t *req, const char *name)
{
    size_t        len;
    unsigned      i;
    fota_http_t  *h;

    h = fota_http_of(req);
    len = strlen(name);

    for (i = 0; i < h->nparams; i++) {
        if (strncmp(h->params[i].name, name, len) == 0
            && h->params[i].name[len] == '}')
        {
            return h->params[i].value;
        }
    }

    return fota_slice(NULL, 0);
}


uint64_t
fota_req_query_u64(fota_req_t *req, const char *name, uint64_t def,
    uint64_t max)
{
    uint64_t    v;
    fota_str_t  s;

    s = fota_req_query(req, name);

    if (s.data == NULL || fota_str_u64(s, UINT64_MAX, &v) != FOTA_OK) {
        return def;
    }

    return v > max ? max : v;
}


/* What cannot be decoded is seen as given and refused by its reader. */

void
fota_query_take(fota_query_walk_t *walk, fota_str_t name, fota_str_t value)
{
    fota_str_t  n, v;

    if (fota_url_decode(&walk->req->arena.mem, name, &n) != FOTA_OK) {
        n = name;
    }

    if (fota_url_decode(&walk->req->arena.mem, value, &v) != FOTA_OK) {
        v = value;
    }

    walk->each(walk->ctx, n, v);
}


void
fota_req_query_each(fota_req_t *req, fota_query_each_pt each, void *ctx)
{
    fota_query_walk_t  walk;

    walk.req = req;
    walk.each = each;
    walk.ctx = ctx;

    fota_http_query_each(req, &walk);
}
