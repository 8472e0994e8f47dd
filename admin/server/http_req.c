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
