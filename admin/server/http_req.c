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


/* Bytes that a part of the path may have; name ends with a brace. */

static size_t
fota_param_limit(const char *name)
{
    size_t  i;

    static const struct {
        const char  *name;
        size_t       limit;
    } limits[] = {
        { "tenant}", FOTA_NAME_MAX },
        { "product}", FOTA_NAME_MAX },
        { "group}", FOTA_NAME_MAX },
        { "node}", FOTA_NAME_MAX },
        { "version}", FOTA_VERSION_MAX }
    };

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (strncmp(name, limits[i].name, strlen(limits[i].name)) == 0) {
            return limits[i].limit;
        }
    }

    return FOTA_ID_MAX;
}


bool
fota_http_decode(fota_http_t *h)
{
    char               field[32];
    size_t             limit;
    unsigned           i;
    fota_query_walk_t  walk;

    for (i = 0; i < h->nparams; i++) {
        if (fota_url_decode(&h->req.arena.mem, h->params[i].raw,
                            &h->params[i].value)
            != FOTA_OK)
        {
            return fota_res_bad(&h->req, "path", NULL,
                                "part %u of the path is no percent-encoded "
                                "UTF-8 text", i + 1);
        }

        (void) snprintf(field, sizeof(field), "%.*s",
                        (int) strcspn(h->params[i].name, "}"),
                        h->params[i].name);

        if (fota_str_blank(h->params[i].value)) {
            return fota_res_bad(&h->req, "field_chars", field,
                                "\"%s\" in the path begins or ends with a "
                                "blank", field);
        }

        limit = fota_param_limit(h->params[i].name);

        if (h->params[i].value.len > limit) {
            return fota_res_bad(&h->req, "field_limit", field,
                                "\"%s\" in the path has %zu bytes; the limit "
                                "is %zu", field, h->params[i].value.len, limit);
        }
    }

    memset(&walk, 0, sizeof(walk));
    walk.req = &h->req;

    fota_http_query_each(&h->req, &walk);

    if (walk.bad != NULL) {
        return fota_res_bad(&h->req, "query", walk.bad,
                            "\"%s\" is no percent-encoded UTF-8 text",
                            walk.bad);
    }

    return true;
}


bool
fota_req_query_str(fota_req_t *req, const char *name, size_t max,
    fota_str_t *out)
{
    *out = fota_req_query(req, name);

    if (out->data == NULL) {
        *out = fota_cstr("");
    }

    if (out->len > max) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" may have %zu bytes", name, max);
    }

    return true;
}


bool
fota_req_query_word(fota_req_t *req, const char *name,
    const char *const *words, fota_str_t *out)
{
    size_t      i;
    fota_buf_t  list;

    *out = fota_req_query(req, name);

    if (out->len == 0) {
        *out = fota_cstr("");
        return true;
    }

    for (i = 0; words[i] != NULL; i++) {
        if (fota_str_eq(*out, fota_cstr(words[i]))) {
            return true;
        }
    }

    fota_buf_grow(&list, 1024);

    for (i = 0; words[i] != NULL; i++) {
        fota_buf_cstr(&list, i == 0 ? "" : ", ");
        fota_buf_cstr(&list, words[i]);
    }

    fota_buf_u8(&list, '\0');

    (void) fota_res_problem(req, 400, "field_value", name,
                            "\"%s\" takes %s", name,
                            list.status == FOTA_OK
                            ? (const char *) list.start : "other words");
    fota_buf_free(&list);

    return false;
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


void
fota_query_take(fota_query_walk_t *walk, fota_str_t name, fota_str_t value)
{
    fota_str_t  n, v;

    if (fota_url_decode(&walk->req->arena.mem, name, &n) != FOTA_OK) {
        n = fota_cstr("");
    }

    if (fota_url_decode(&walk->req->arena.mem, value, &v) != FOTA_OK
        || (n.len == 0 && name.len != 0))
    {
        if (walk->bad == NULL) {
            walk->bad = n.len != 0 && n.len <= FOTA_NAME_MAX
                        ? (const char *) n.data : "query";
        }

        return;
    }

    if (walk->each != NULL) {
        walk->each(walk->ctx, n, v);
    }
}


void
fota_req_query_each(fota_req_t *req, fota_query_each_pt each, void *ctx)
{
    fota_query_walk_t  walk;

    memset(&walk, 0, sizeof(walk));
    walk.req = req;
    walk.each = each;
    walk.ctx = ctx;

    fota_http_query_each(req, &walk);
}
