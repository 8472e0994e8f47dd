/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Answers we write ourselves: JSON, text and problem documents (RFC 9457). */

#include "ngx_http_fota.h"


typedef struct {
    ngx_uint_t                status;
    ngx_http_fota_counter_e   counter;
    const char               *title;
} ngx_http_fota_status_t;


static const ngx_http_fota_status_t *ngx_http_fota_status(ngx_uint_t status);
static void ngx_http_fota_count_problem(ngx_http_request_t *r,
    ngx_http_fota_counter_e counter);


ngx_int_t
ngx_http_fota_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const u_char *data, size_t len)
{
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_http_fota_ctx_t  *ctx;

    /*
     * A body that nobody read would be taken for the next request; one that
     * was only announced may come or not.
     */

    if (r->headers_in.expect != NULL && !r->expect_tested) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_fota_get_ctx(r);

    /* An answer to a sub-request, as of auth_request, is not the answer. */

    if (ctx != NULL && r == r->main) {
        ctx->answered = 1;
    }

    b = ngx_create_temp_buf(r->pool, len ? len : 1);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, data, len);
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_fota_header(r, "Cache-Control", "no-store",
                             sizeof("no-store") - 1)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_fota_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *field, const char *detail)
{
    uint8_t                        text[1536];
    fota_buf_t                     out;
    const ngx_http_fota_status_t  *known;

    known = ngx_http_fota_status(status);
    ngx_http_fota_count_problem(r, known->counter);

    fota_buf_fixed(&out, text, sizeof(text));

    if (fota_answer_problem(&out, (int) status, code, known->title, field,
                            detail)
        != FOTA_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_fota_send(r, status, "application/problem+json",
                              out.start, out.len);
}


ngx_int_t
ngx_http_fota_problem_retry(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *detail, ngx_uint_t retry)
{
    u_char  *p, *value;

    value = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(value, "%ui", retry);

    if (ngx_http_fota_header(r, "Retry-After", (char *) value, p - value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_fota_problem(r, status, code, NULL, detail);
}


ngx_int_t
ngx_http_fota_not_allowed(ngx_http_request_t *r, const char *methods)
{
    if (ngx_http_fota_header(r, "Allow", methods, ngx_strlen(methods))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_fota_problem(r, NGX_HTTP_NOT_ALLOWED, "method", NULL,
                                 "the header Allow says what is taken here");
}


static const ngx_http_fota_status_t *
ngx_http_fota_status(ngx_uint_t status)
{
    ngx_uint_t  i;

    static const ngx_http_fota_status_t  known[] = {
        { NGX_HTTP_BAD_REQUEST, NGX_HTTP_FOTA_C_CHECK_400, "Bad request" },
        { NGX_HTTP_UNAUTHORIZED, NGX_HTTP_FOTA_C_CHECK_401, "Unauthorized" },
        { NGX_HTTP_FORBIDDEN, NGX_HTTP_FOTA_C_CHECK_403, "Forbidden" },
        { NGX_HTTP_NOT_FOUND, NGX_HTTP_FOTA_C_CHECK_404, "Not found" },
        { NGX_HTTP_NOT_ALLOWED, NGX_HTTP_FOTA_C_CHECK_OTHER,
          "Method not allowed" },
        { 410, NGX_HTTP_FOTA_C_CHECK_OTHER, "Gone" },
        { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_HTTP_FOTA_C_CHECK_413,
          "Content too large" },
        { NGX_HTTP_TOO_MANY_REQUESTS, NGX_HTTP_FOTA_C_CHECK_OTHER,
          "Too many requests" },
        { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_HTTP_FOTA_C_CHECK_503,
          "Service unavailable" },
        { 0, NGX_HTTP_FOTA_C_CHECK_OTHER, "Internal error" }
    };

    for (i = 0; known[i].status != 0 && known[i].status != status; i++) {
        /* void */
    }

    return &known[i];
}


static void
ngx_http_fota_count_problem(ngx_http_request_t *r,
    ngx_http_fota_counter_e counter)
{
    ngx_http_fota_rt_t        *rt;
    ngx_http_fota_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_fota_module);

    if (!lcf->check && !lcf->report && !lcf->explain) {
        return;
    }

    rt = ngx_http_fota_rt(r);

    if (rt != NULL) {
        (void) ngx_atomic_fetch_add(&rt->shm->counters[counter], 1);
    }
}
