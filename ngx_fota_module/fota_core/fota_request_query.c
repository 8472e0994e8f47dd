/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Check requests as a query string. */

#include "fota_request_field.h"


#define FOTA_QUERY_TENANT   0x01
#define FOTA_QUERY_PRODUCT  0x02
#define FOTA_QUERY_DEVICE   0x04
#define FOTA_QUERY_VERSION  0x08
#define FOTA_QUERY_KIND     0x10
#define FOTA_QUERY_TZ       0x20
#define FOTA_QUERY_DELTA    0x40

#define FOTA_QUERY_PARAMS_MAX  256


static int fota_query_decode(fota_mem_t *mem, fota_str_t in, fota_str_t *out,
    fota_str_t name, fota_field_error_t *err);
static int fota_query_param(fota_mem_t *mem, fota_check_req_t *req,
    uint32_t *seen, fota_str_t name, fota_str_t raw, fota_field_error_t *err);
static int fota_query_once(uint32_t *seen, uint32_t bit, fota_str_t name,
    fota_field_error_t *err);
static int fota_query_delta(fota_check_req_t *req, fota_str_t v,
    fota_field_error_t *err);
static int fota_query_avoid(fota_check_req_t *req, fota_str_t v,
    fota_field_error_t *err);
static int fota_query_attr(fota_mem_t *mem, fota_check_req_t *req,
    fota_str_t name, fota_str_t value, fota_field_error_t *err);


static int
fota_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static int
fota_query_decode(fota_mem_t *mem, fota_str_t in, fota_str_t *out,
    fota_str_t name, fota_field_error_t *err)
{
    int       hi, lo;
    size_t    i, n;
    uint8_t  *p;

    *out = in;

    if (in.len == 0 || memchr(in.data, '%', in.len) == NULL) {
        return FOTA_OK;
    }

    p = fota_alloc(mem, in.len);

    if (p == NULL) {
        return FOTA_NOMEM;
    }

    n = 0;

    for (i = 0; i < in.len; i++) {
        if (in.data[i] != '%') {
            p[n++] = in.data[i];
            continue;
        }

        hi = (in.len - i > 2) ? fota_hex_digit(in.data[i + 1]) : -1;
        lo = (in.len - i > 2) ? fota_hex_digit(in.data[i + 2]) : -1;

        if (hi < 0 || lo < 0) {
            fota_field_error_named(err, "", name,
                                   "has a \"%%\" without two hex digits");
            return FOTA_INVALID;
        }

        p[n++] = (uint8_t) (hi << 4 | lo);
        i += 2;
    }

    *out = fota_slice(p, n);

    return FOTA_OK;
}


static int
fota_query_once(uint32_t *seen, uint32_t bit, fota_str_t name,
    fota_field_error_t *err)
{
    if (*seen & bit) {
        fota_field_error_named(err, "", name, "is given twice");
        return FOTA_INVALID;
    }

    *seen |= bit;

    return FOTA_OK;
}


static int
fota_query_delta(fota_check_req_t *req, fota_str_t v, fota_field_error_t *err)
{
    static const fota_str_t  yes = fota_string("true");
    static const fota_str_t  no = fota_string("false");

    if (fota_str_eq(v, yes) || (v.len == 1 && v.data[0] == '1')) {
        return FOTA_OK;
    }

    if (fota_str_eq(v, no) || (v.len == 1 && v.data[0] == '0')) {
        req->no_delta = 1;
        return FOTA_OK;
    }

    fota_field_error(err, "delta", "must be 0, 1, false or true");

    return FOTA_INVALID;
}


static int
fota_query_avoid(fota_check_req_t *req, fota_str_t v, fota_field_error_t *err)
{
    int             rc;
    size_t          n;
    const uint8_t  *comma;

    while (v.len != 0) {
        comma = memchr(v.data, ',', v.len);
        n = (comma == NULL) ? v.len : (size_t) (comma - v.data);

        rc = fota_check_req_avoid(req, fota_slice(v.data, n), err);

        if (rc != FOTA_OK) {
            return rc;
        }

        n += (comma != NULL);
        v = fota_slice(v.data + n, v.len - n);
    }

    return FOTA_OK;
}


static int
fota_query_attr(fota_mem_t *mem, fota_check_req_t *req, fota_str_t name,
    fota_str_t value, fota_field_error_t *err)
{
    int     rc;
    size_t  i;

    rc = fota_field_attr(req->nattrs, name, value, err);

    if (rc != FOTA_OK) {
        return rc;
    }

    for (i = 0; i < req->nattrs; i++) {
        if (fota_str_eq(req->attrs[i].name, name)) {
            fota_field_error_named(err, "attrs.", name, "is given twice");
            return FOTA_INVALID;
        }
    }

    if (req->attrs == NULL) {
        req->attrs = fota_calloc(mem, FOTA_ATTRS_MAX, sizeof(fota_attr_t));

        if (req->attrs == NULL) {
            return FOTA_NOMEM;
        }
    }

    req->attrs[req->nattrs].name = name;
    req->attrs[req->nattrs].value = value;
    req->nattrs++;

    return FOTA_OK;
}


static int
fota_query_param(fota_mem_t *mem, fota_check_req_t *req, uint32_t *seen,
    fota_str_t name, fota_str_t raw, fota_field_error_t *err)
{
    int          rc;
    size_t       i, max;
    uint32_t     bit;
    fota_str_t   v, *text;

    static const struct {
        fota_str_t  name;
        uint32_t    bit;
    } names[] = {
        { fota_string("tenant"), FOTA_QUERY_TENANT },
        { fota_string("product"), FOTA_QUERY_PRODUCT },
        { fota_string("device"), FOTA_QUERY_DEVICE },
        { fota_string("version"), FOTA_QUERY_VERSION },
        { fota_string("kind"), FOTA_QUERY_KIND },
        { fota_string("tz"), FOTA_QUERY_TZ },
        { fota_string("delta"), FOTA_QUERY_DELTA }
    };

    static const fota_str_t  attr = fota_string("attr.");
    static const fota_str_t  avoid = fota_string("avoid");

    if (name.len >= attr.len
        && memcmp(name.data, attr.data, attr.len) == 0)
    {
        rc = fota_query_decode(mem, raw, &v, name, err);

        if (rc != FOTA_OK) {
            return rc;
        }

        name = fota_slice(name.data + attr.len, name.len - attr.len);

        return fota_query_attr(mem, req, name, v, err);
    }

    if (fota_str_eq(name, avoid)) {
        rc = fota_query_decode(mem, raw, &v, name, err);

        return (rc != FOTA_OK) ? rc : fota_query_avoid(req, v, err);
    }

    bit = 0;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (fota_str_eq(name, names[i].name)) {
            bit = names[i].bit;
            break;
        }
    }

    if (bit == 0) {
        /* Parameters of newer devices, of caches and of logs. */
        return FOTA_OK;
    }

    rc = fota_query_once(seen, bit, name, err);

    if (rc == FOTA_OK) {
        rc = fota_query_decode(mem, raw, &v, name, err);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    switch (bit) {

    case FOTA_QUERY_VERSION:
        req->version = v;
        return fota_field_version(v, err);

    case FOTA_QUERY_KIND:
        return fota_field_kind(v, &req->kind, err);

    case FOTA_QUERY_TZ:
        req->tz = v;
        return fota_field_tz(v, err);

    case FOTA_QUERY_DELTA:
        return fota_query_delta(req, v, err);

    case FOTA_QUERY_TENANT:
        text = &req->tenant;
        max = FOTA_NAME_MAX;
        break;

    case FOTA_QUERY_PRODUCT:
        text = &req->product;
        max = FOTA_NAME_MAX;
        break;

    default: /* FOTA_QUERY_DEVICE */
        text = &req->device;
        max = FOTA_ID_MAX;
    }

    *text = v;

    return fota_field_name((const char *) names[i].name.data, v, max, err);
}


int
fota_check_req_query(fota_mem_t *mem, fota_str_t args, fota_check_req_t *req,
    fota_field_error_t *err)
{
    int             rc;
    size_t          n;
    uint32_t        seen, count;
    fota_str_t      param, name, raw;
    const uint8_t  *p;

    fota_check_req_clear(req);

    if (args.len > FOTA_BODY_MAX) {
        fota_field_error(err, "query", "is %zu bytes long; the limit is %d",
                         args.len, FOTA_BODY_MAX);
        return FOTA_LIMIT;
    }

    seen = 0;
    count = 0;

    while (args.len != 0) {
        p = memchr(args.data, '&', args.len);
        n = (p == NULL) ? args.len : (size_t) (p - args.data);
        param = fota_slice(args.data, n);

        n += (p != NULL);
        args = fota_slice(args.data + n, args.len - n);

        if (param.len == 0) {
            continue;
        }

        if (++count > FOTA_QUERY_PARAMS_MAX) {
            fota_field_error(err, "query", "has more than %d parameters",
                             FOTA_QUERY_PARAMS_MAX);
            return FOTA_LIMIT;
        }

        p = memchr(param.data, '=', param.len);
        n = (p == NULL) ? param.len : (size_t) (p - param.data);
        name = fota_slice(param.data, n);

        n += (p != NULL);
        raw = fota_slice(param.data + n, param.len - n);

        rc = fota_query_decode(mem, name, &name, name, err);

        if (rc == FOTA_OK) {
            rc = fota_query_param(mem, req, &seen, name, raw, err);
        }

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_field_required(req->tenant, req->product, req->device, err);
}
