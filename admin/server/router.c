/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * From method and path to the route.  A few hundred short comparisons cost
 * less than a thousandth of one statement, so there is no tree.
 */


#include <stdio.h>

#include "http_private.h"


/*
 * Compares a pattern with a raw path segment by segment.  Returns -1 when
 * they differ, else a rank in which literal segments weigh more the earlier
 * they are.
 */

static int
fota_route_try(const char *pattern, fota_str_t path,
    fota_http_param_t *params, unsigned *nparams)
{
    int             rank, literal;
    unsigned        n;
    const char     *p, *end;
    const uint8_t  *s, *slash, *last;

    p = pattern;
    s = path.data;
    last = path.data + path.len;
    rank = 0;
    n = 0;

    while (*p == '/') {
        if (s == last || *s != '/') {
            return -1;
        }

        p++;
        s++;

        for (end = p; *end != '\0' && *end != '/'; end++) { /* void */ }
        for (slash = s; slash < last && *slash != '/'; slash++) { /* void */ }

        literal = *p != '{';

        if (literal) {
            if (end - p != slash - s || memcmp(p, s, end - p) != 0) {
                return -1;
            }

        } else {
            if (slash == s || n == FOTA_HTTP_PARAMS) {
                return -1;
            }

            params[n].name = p + 1;
            params[n].raw = fota_slice(s, slash - s);
            n++;
        }

        rank = rank * 2 + literal;
        p = end;
        s = slash;
    }

    if (*p != '\0' || s != last) {
        return -1;
    }

    *nparams = n;

    return rank;
}


fota_match_e
fota_route_match(const fota_route_set_t *const *sets, size_t nsets,
    fota_str_t method, fota_str_t path, const fota_route_t **route,
    fota_http_param_t *params, unsigned *nparams, char *allow)
{
    int                  rank, best;
    bool                 head;
    size_t               i, j, len;
    unsigned             n;
    fota_str_t           want;
    fota_http_param_t    found[FOTA_HTTP_PARAMS];
    const fota_route_t  *r;

    best = -1;
    len = 0;
    allow[0] = '\0';
    head = fota_str_eq(method, fota_cstr("HEAD"));

    for (i = 0; i < nsets; i++) {
        for (j = 0; sets[i] != NULL && j < sets[i]->n; j++) {
            r = &sets[i]->routes[j];

            rank = fota_route_try(r->path, path, found, &n);
            if (rank < 0) {
                continue;
            }

            want = fota_cstr(r->method);

            if (fota_str_eq(want, method)) {
                rank = rank * 2 + 1;

            } else if (head && fota_str_eq(want, fota_cstr("GET"))) {
                rank = rank * 2;

            } else {
                if (len + want.len + 3 < 64) {
                    len += (size_t) snprintf(allow + len, 64 - len, "%s%s",
                                             len > 0 ? ", " : "", r->method);
                }

                continue;
            }

            if (rank > best) {
                best = rank;
                *route = r;
                *nparams = n;
                memcpy(params, found, n * sizeof(*params));
            }
        }
    }

    if (best >= 0) {
        return FOTA_MATCH_OK;
    }

    return allow[0] != '\0' ? FOTA_MATCH_METHOD : FOTA_MATCH_NONE;
}


bool
fota_permission_has(fota_str_t list, const char *permission)
{
    size_t      i, start, len, resource;
    fota_str_t  item;

    len = strlen(permission);
    resource = strcspn(permission, ":");

    for (i = 0, start = 0; i <= list.len; i++) {
        if (i < list.len && list.data[i] != ',') {
            continue;
        }

        item = fota_slice(list.data + start, i - start);
        start = i + 1;

        if (item.len == 1 && item.data[0] == '*') {
            return true;
        }

        if (item.len == len && memcmp(item.data, permission, len) == 0) {
            return true;
        }

        if (item.len == resource + 2 && item.data[resource] == ':'
            && item.data[resource + 1] == '*'
            && memcmp(item.data, permission, resource) == 0)
        {
            return true;
        }
    }

    return false;
}


static int
fota_url_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
fota_url_decode(fota_mem_t *mem, fota_str_t raw, fota_str_t *out)
{
    int       hi, lo;
    size_t    i, n;
    uint8_t  *p;

    p = fota_alloc(mem, raw.len + 1);
    if (p == NULL) {
        return FOTA_NOMEM;
    }

    n = 0;

    for (i = 0; i < raw.len; i++) {
        if (raw.data[i] != '%') {
            p[n++] = raw.data[i];
            continue;
        }

        if (raw.len - i < 3) {
            return FOTA_INVALID;
        }

        hi = fota_url_digit(raw.data[i + 1]);
        lo = fota_url_digit(raw.data[i + 2]);

        if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) {
            return FOTA_INVALID;
        }

        p[n++] = (uint8_t) (hi << 4 | lo);
        i += 2;
    }

    p[n] = '\0';
    *out = fota_slice(p, n);

    return fota_str_utf8(*out) ? FOTA_OK : FOTA_INVALID;
}
