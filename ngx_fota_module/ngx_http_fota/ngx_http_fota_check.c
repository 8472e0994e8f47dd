/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* GET and POST /fota/v1/check */

#include "ngx_http_fota_case.h"


static void ngx_http_fota_check_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_fota_check(ngx_http_request_t *r,
    fota_str_t body);
static ngx_int_t ngx_http_fota_check_run(ngx_http_fota_case_t *c);


ngx_int_t
ngx_http_fota_check_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        return ngx_http_fota_check(r, fota_slice(NULL, 0));
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_fota_not_allowed(r, "GET, HEAD, POST");
    }

    return ngx_http_fota_read_body(r, ngx_http_fota_check_body);
}


static void
ngx_http_fota_check_body(ngx_http_request_t *r)
{
    ngx_http_fota_with_body(r, ngx_http_fota_check);
}


static ngx_int_t
ngx_http_fota_check(ngx_http_request_t *r, fota_str_t body)
{
    int                    st;
    fota_buf_t             out;
    fota_answer_t          answer;
    struct timespec        from;
    fota_check_req_t       req;
    fota_field_error_t     err;
    ngx_http_fota_rt_t    *rt;
    ngx_http_fota_ctx_t   *ctx;
    ngx_http_fota_case_t   c;

    (void) clock_gettime(CLOCK_MONOTONIC, &from);

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (ctx == NULL || rt == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&req, sizeof(fota_check_req_t));
    ngx_http_fota_case_init(&c, r, ctx, rt, &req);

    if (r->method == NGX_HTTP_POST) {
        st = fota_check_req_json(&c.mem.mem, body, &req, &err);

    } else {
        st = fota_check_req_query(&c.mem.mem,
                                  fota_slice(r->args.data, r->args.len),
                                  &req, &err);
    }

    if (st == FOTA_NOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (st != FOTA_OK) {
        return ngx_http_fota_problem(r, NGX_HTTP_BAD_REQUEST, "bad_field",
                                     err.field, err.reason);
    }

    ctx->tenant = req.tenant;
    ctx->product = req.product;
    ctx->device = req.device;

    st = ngx_http_fota_begin(rt, ctx);
    if (st != FOTA_OK) {
        return ngx_http_fota_no_policy(r, st);
    }

    fota_buf_fixed(&out, rt->scratch, sizeof(rt->scratch));

    if (ngx_http_fota_check_run(&c) == NGX_OK) {
        ngx_http_fota_case_answer(&c, &answer);
        st = fota_answer_check(&answer, &out);
    }

    ngx_http_fota_end(rt);

    if (c.status != 0) {
        return ngx_http_fota_case_problem(&c);
    }

    if (st != FOTA_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "fota: an answer cannot be written: %s",
                      fota_status_name(st));
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_atomic_fetch_add(&rt->shm->checks[c.decision.reason], 1);

    ngx_http_fota_observe(&rt->shm->check_time, ngx_http_fota_since(&from));

    return ngx_http_fota_send(r, NGX_HTTP_OK, "application/json", out.start,
                              out.len);
}


static ngx_int_t
ngx_http_fota_check_run(ngx_http_fota_case_t *c)
{
    ngx_http_fota_ctx_t  *ctx;

    ctx = c->ctx;

    if (ngx_http_fota_case_find(c, c->req->tenant, c->req->product,
                                c->req->device)
        != NGX_OK
        || ngx_http_fota_case_decide(c) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->reason = fota_reason_name(c->decision.reason);
    ctx->decision = (c->decision.reason == FOTA_R_OFFER) ? "update" : "none";
    ctx->deployment = (c->decision.rollout != NULL)
                      ? c->decision.rollout->id : 0;

    if (c->conf->seen) {
        ngx_http_fota_seen(c);
    }

    return NGX_OK;
}
