/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * GET /fota/v1/explain, for operators: the same decision with every rollout
 * and node that was looked at.  Nothing in it can be downloaded with.
 */

#include "ngx_http_fota_case.h"


#define FOTA_EXPLAIN_MAX  (8 * 1024 * 1024)


static ngx_int_t ngx_http_fota_explain_run(ngx_http_fota_case_t *c,
    fota_explain_t *explain, fota_buf_t *out);
static ngx_int_t ngx_http_fota_explain_operator(ngx_http_fota_case_t *c);
static ngx_int_t ngx_http_fota_explain_args(ngx_http_fota_case_t *c);
static ngx_int_t ngx_http_fota_explain_arg(ngx_http_fota_case_t *c,
    const char *name, fota_str_t *out);
static ngx_int_t ngx_http_fota_explain_time(fota_str_t s, int64_t *at);


ngx_int_t
ngx_http_fota_explain_handler(ngx_http_request_t *r)
{
    int                    st;
    ngx_int_t              rc;
    fota_buf_t             out;
    fota_explain_t         explain;
    fota_check_req_t       req;
    fota_field_error_t     err;
    ngx_http_fota_rt_t    *rt;
    ngx_http_fota_ctx_t   *ctx;
    ngx_http_fota_case_t   c;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_fota_not_allowed(r, "GET, HEAD");
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (ctx == NULL || rt == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&req, sizeof(fota_check_req_t));
    ngx_http_fota_case_init(&c, r, ctx, rt, &req);

    st = ngx_http_fota_begin(rt, ctx);
    if (st != FOTA_OK) {
        return ngx_http_fota_no_policy(r, st);
    }

    fota_buf_grow(&out, FOTA_EXPLAIN_MAX);

    /* The credential first: strangers learn nothing of what is wrong. */

    if (ngx_http_fota_explain_operator(&c) == NGX_OK) {

        st = fota_check_req_query(&c.mem.mem,
                                  fota_slice(r->args.data, r->args.len),
                                  &req, &err);

        if (st == FOTA_INVALID || st == FOTA_LIMIT) {
            (void) ngx_http_fota_case_fail(&c, NGX_HTTP_BAD_REQUEST,
                                           "bad_field", err.field,
                                           err.reason);

        } else if (st == FOTA_OK
                   && ngx_http_fota_explain_args(&c) == NGX_OK)
        {
            ctx->tenant = req.tenant;
            ctx->product = req.product;
            ctx->device = req.device;

            if (ngx_http_fota_explain_run(&c, &explain, &out) == NGX_OK) {
                st = out.status;
            }
        }
    }

    ngx_http_fota_end(rt);

    if (c.status != 0) {
        rc = ngx_http_fota_case_problem(&c);

    } else if (st != FOTA_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_http_fota_send(r, NGX_HTTP_OK, "application/json",
                                out.start, out.len);
    }

    fota_buf_free(&out);

    return rc;
}


static ngx_int_t
ngx_http_fota_explain_operator(ngx_http_fota_case_t *c)
{
    uint8_t     sha256[32];
    fota_str_t  token;

    token = ngx_http_fota_authorization(c->request, "Bearer");

    if (token.len != 0
        && fota_sha256(sha256, token.data, token.len) == FOTA_OK
        && fota_view_operator(c->rt->view, sha256))
    {
        return NGX_OK;
    }

    c->authenticate = "Bearer realm=\"fota operator\"";

    return ngx_http_fota_case_fail(c, NGX_HTTP_UNAUTHORIZED, "unauthorized",
                                   NULL, "an operator's token is needed");
}


/* What an operator may state beside what devices may: ip and at. */

static ngx_int_t
ngx_http_fota_explain_args(ngx_http_fota_case_t *c)
{
    fota_str_t  s;

    if (ngx_http_fota_explain_arg(c, "ip", &s) == NGX_OK) {

        if (fota_addr_parse(s, c->addr) != FOTA_OK) {
            return ngx_http_fota_case_fail(c, NGX_HTTP_BAD_REQUEST,
                                           "bad_field", "ip",
                                           "is not an address");
        }

        c->has_addr = 1;
        c->family = fota_addr_v4(c->addr) ? FOTA_FAMILY_V4 : FOTA_FAMILY_V6;
    }

    if (ngx_http_fota_explain_arg(c, "at", &s) == NGX_OK
        && ngx_http_fota_explain_time(s, &c->now) != NGX_OK)
    {
        return ngx_http_fota_case_fail(c, NGX_HTTP_BAD_REQUEST, "bad_field",
                                       "at",
                                       "is neither Unix seconds nor like "
                                       "2026-01-31T22:00:00+09:00");
    }

    return (c->status == 0) ? NGX_OK : NGX_DECLINED;
}


/* NGX_DECLINED when it is not there, or with a problem set in the case. */

static ngx_int_t
ngx_http_fota_explain_arg(ngx_http_fota_case_t *c, const char *name,
    fota_str_t *out)
{
    u_char     *src, *dst, *start;
    ngx_str_t   value;

    if (ngx_http_arg(c->request, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    start = ngx_pnalloc(c->request->pool, value.len + 1);
    if (start == NULL) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                       "no_memory", NULL, NULL);
    }

    src = value.data;
    dst = start;
    ngx_unescape_uri(&dst, &src, value.len, 0);

    *out = fota_slice(start, dst - start);

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_explain_time(fota_str_t s, int64_t *at)
{
    size_t        i;
    int32_t       offset;
    int64_t       utc;
    uint64_t      u;
    ngx_int_t     n[6];
    fota_civil_t  civil;

    static const struct {
        uint8_t  at, len, sep;
        int      min, max;
    }  parts[6] = {
        { 0, 4, '-', 1970, 9999 },
        { 5, 2, '-', 1, 12 },
        { 8, 2, 'T', 1, 31 },
        { 11, 2, ':', 0, 23 },
        { 14, 2, ':', 0, 59 },
        { 17, 2, 0, 0, 59 }
    };

    if (fota_str_u64(s, 253402300799ULL, &u) == FOTA_OK) {
        *at = (int64_t) u;
        return NGX_OK;
    }

    if (s.len < 20) {
        return NGX_DECLINED;
    }

    for (i = 0; i < 6; i++) {
        n[i] = ngx_atoi((u_char *) s.data + parts[i].at, parts[i].len);

        if (n[i] == NGX_ERROR || n[i] < parts[i].min || n[i] > parts[i].max
            || (parts[i].sep != 0
                && s.data[parts[i].at + parts[i].len] != parts[i].sep))
        {
            return NGX_DECLINED;
        }
    }

    /* Everything after the seconds is the offset: "Z" or "+09:00". */

    if (fota_zone_parse_offset(fota_slice(s.data + 19, s.len - 19), &offset)
        != FOTA_OK)
    {
        return NGX_DECLINED;
    }

    utc = fota_civil_utc((int) n[0], (int) n[1], (int) n[2],
                         (int32_t) (n[3] * 3600 + n[4] * 60 + n[5]));

    /* 30 February would be told as 2 March. */

    fota_civil(utc, 0, &civil);

    if (civil.day != (int) n[2]) {
        return NGX_DECLINED;
    }

    *at = utc - offset;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_explain_run(ngx_http_fota_case_t *c, fota_explain_t *explain,
    fota_buf_t *out)
{
    fota_answer_t          answer;
    ngx_http_fota_ctx_t   *ctx;
    fota_answer_explain_t  what;

    ctx = c->ctx;

    fota_explain_init(explain, &c->mem.mem);
    c->explain = explain;

    if (ngx_http_fota_case_find(c, c->req->tenant, c->req->product,
                                c->req->device)
        != NGX_OK
        || ngx_http_fota_case_decide(c) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (explain->status != FOTA_OK) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                       "no_memory", NULL, NULL);
    }

    ctx->reason = fota_reason_name(c->decision.reason);
    ctx->decision = "explain";

    ngx_http_fota_case_answer(c, &answer);

    what.answer = &answer;
    what.facts = &c->facts;
    what.device = c->has_device ? &c->device : NULL;
    what.location = ngx_http_fota_locate(&c->facts);
    what.explain = explain;
    what.now = c->now;
    what.lag = ctx->lag;

    (void) fota_answer_explain(&what, out);

    return NGX_OK;
}
