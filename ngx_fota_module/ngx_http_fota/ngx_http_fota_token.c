/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Download tokens in the access phase, so that they guard proxied locations
 * too.  Expiry is asked when a request starts and never again, and can be
 * told from forgery: 401 means "check again", 403 "never retry".
 */

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_token_check(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt, fota_str_t text);
static ngx_uint_t ngx_http_fota_token_known(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx, fota_str_t text);
static int ngx_http_fota_token_verify(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt, fota_str_t text,
    int policy, fota_token_ctx_t *tc, uint8_t cert[32]);
static fota_str_t ngx_http_fota_token_text(ngx_http_request_t *r);
static ngx_int_t ngx_http_fota_token_wrong(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt, int rc);
static ngx_int_t ngx_http_fota_token_refuse(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt,
    ngx_http_fota_counter_e counter, ngx_uint_t status, const char *error,
    const char *detail);


/*
 * nginx writes the request line into its error log, and $request into that of
 * accesses: both get one whose token cannot be read.
 */

ngx_int_t
ngx_http_fota_hide_handler(ngx_http_request_t *r)
{
    u_char     *p, *end;
    ngx_str_t  *line, value;

    line = &r->request_line;

    if (r != r->main || line->len == 0
        || ngx_http_arg(r, (u_char *) "t", 1, &value) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* The line shares memory with the arguments, which are needed yet. */

    p = ngx_pnalloc(r->pool, line->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(p, line->data, line->len);

    line->data = p;
    end = p + line->len;

    while (p < end && *p != '?') { p++; }

    while (p < end) {

        /* At "?" or "&": one argument up to the next "&". */

        p++;

        if (end - p >= 2 && (*p == 't' || *p == 'T') && p[1] == '=') {
            for (p += 2; p < end && *p != '&' && *p != ' '; p++) {
                *p = '*';
            }
        }

        while (p < end && *p != '&') { p++; }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_fota_token_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    fota_str_t                 text;
    ngx_http_fota_rt_t        *rt;
    ngx_http_fota_ctx_t       *ctx;
    ngx_http_fota_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_fota_module);

    if (lcf->token == NGX_HTTP_FOTA_TOKEN_OFF || r != r->main) {
        return NGX_DECLINED;
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (rt == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* On the way to the origin the first location has asked already. */

    if (ctx->has_token) {
        return NGX_OK;
    }

    text = ngx_http_fota_token_text(r);

    if (text.data == NULL) {

        if (lcf->token == NGX_HTTP_FOTA_TOKEN_OPTIONAL) {
            return NGX_DECLINED;
        }

        rc = ngx_http_fota_token_refuse(r, ctx, rt,
                                        NGX_HTTP_FOTA_C_TOKEN_MISSING,
                                        NGX_HTTP_UNAUTHORIZED, "missing",
                                        "a download token is needed");

    } else if (ngx_http_fota_uri_hash(r, ctx) != NGX_OK) {
        rc = ngx_http_fota_token_refuse(r, ctx, rt,
                                        NGX_HTTP_FOTA_C_TOKEN_MALFORMED,
                                        NGX_HTTP_FORBIDDEN, "malformed",
                                        "the address names no artifact");

    } else {
        rc = ngx_http_fota_token_check(r, ctx, rt, text);
    }

    if (rc == NGX_DECLINED) {

        /* Good: downloads of it are followed until they end. */

        ctx->has_token = 1;
        ngx_http_fota_count(rt, TOKEN_OK);

        if (rt->conf->rates[ctx->token.rate_class] != 0) {
            r->limit_rate = rt->conf->rates[ctx->token.rate_class];
            r->limit_rate_set = 1;
        }

        ngx_http_fota_transfer_begin(r, ctx, rt);

        return NGX_OK;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/* NGX_DECLINED when all is well, else the result of answering. */

static ngx_int_t
ngx_http_fota_token_check(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx,
    ngx_http_fota_rt_t *rt, fota_str_t text)
{
    int                rc, policy;
    uint8_t            addr[16], cert[32], family;
    fota_token_t      *t;
    fota_token_ctx_t   tc;

    t = &ctx->token;

    ngx_memzero(&tc, sizeof(fota_token_ctx_t));

    tc.artifact = ctx->sha256;
    tc.now = (uint32_t) ngx_time();

    policy = ngx_http_fota_begin(rt, ctx);

    if (policy == FOTA_OK && ngx_http_fota_token_known(rt, ctx, text)) {
        rc = fota_token_current(t, tc.now);

    } else {

        if (ngx_http_fota_addr(r, addr, &family) == NGX_OK) {
            tc.addr = addr;
        }

        rc = ngx_http_fota_token_verify(r, ctx, rt, text, policy, &tc, cert);
    }

    if (rc == FOTA_OK) {
        rc = fota_view_denied(rt->view, t);
    }

    if (policy == FOTA_OK) {
        ngx_http_fota_end(rt);
    }

    if (rc == FOTA_INVALID) {
        ngx_memzero(t, sizeof(fota_token_t));
    }

    if (rc == FOTA_BINDING
        && (!(t->flags & FOTA_TOKEN_F_IP)
            || ((t->flags & FOTA_TOKEN_F_CERT) && tc.cert == NULL)))
    {
        return ngx_http_fota_token_refuse(r, ctx, rt,
                                          NGX_HTTP_FOTA_C_TOKEN_CERT,
                                          NGX_HTTP_FORBIDDEN, "cert",
                                          "the token is bound to another "
                                          "certificate");
    }

    if (rc != FOTA_OK) {
        return ngx_http_fota_token_wrong(r, ctx, rt, rc);
    }

    if (!(t->flags & FOTA_TOKEN_F_ONCE)) {
        return NGX_DECLINED;
    }

    switch (ngx_http_fota_zone_once(rt, t, ngx_time())) {

    case NGX_OK:
        return NGX_DECLINED;

    case NGX_DECLINED:
        return ngx_http_fota_token_refuse(r, ctx, rt,
                                          NGX_HTTP_FOTA_C_TOKEN_USED,
                                          NGX_HTTP_FORBIDDEN, "used",
                                          "the token was good once");

    default:
        return ngx_http_fota_problem_retry(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                           "busy", "too many tokens that are "
                                           "good once are in use",
                                           NGX_HTTP_FOTA_RETRY_AFTER);
    }
}


/* Ranges of one download bring the same token again and again. */

static ngx_uint_t
ngx_http_fota_token_known(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx,
    fota_str_t text)
{
    const fota_view_known_t  *known;

    known = fota_view_token_known(rt->view, text, ctx->sha256);
    if (known == NULL) {
        return 0;
    }

    ctx->token = known->token;
    ctx->asked_artifact = 1;
    ctx->has_artifact = known->has_record;
    ctx->artifact_size = known->size;
    ctx->artifact_published = known->published;

    return 1;
}


/*
 * policy: FOTA_OK between begin and end, else why there is none, which is
 * what a token of good form gets.  cert: room for what tc->cert points to.
 */

static int
ngx_http_fota_token_verify(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx,
    ngx_http_fota_rt_t *rt, fota_str_t text, int policy,
    fota_token_ctx_t *tc, uint8_t cert[32])
{
    int                 rc;
    uint8_t             raw[FOTA_TOKEN_LEN];
    fota_hmac_t        *key;
    fota_token_t       *t;
    fota_view_known_t   known;

    t = &ctx->token;

    if (fota_token_parse(t, raw, text) != FOTA_OK) {
        return FOTA_INVALID;
    }

    if (policy != FOTA_OK) {
        return policy;
    }

    if ((t->flags & FOTA_TOKEN_F_CERT)
        && ngx_http_fota_cert(r, cert) == NGX_OK)
    {
        tc->cert = cert;
    }

    ngx_http_fota_self(rt);
    tc->scope = rt->group;

    key = fota_view_download_key(rt->view, t->scope, t->kid);

    if (key == NULL) {
        return (t->scope != 0 && t->scope != rt->group) ? FOTA_SCOPE
                                                        : FOTA_UNKNOWN_KEY;
    }

    rc = fota_token_verify(key, t, raw, tc);

    if (rc == FOTA_OK) {
        ngx_http_fota_ask_artifact(rt, ctx);

        known.token = *t;
        known.has_record = ctx->has_artifact;
        known.size = ctx->artifact_size;
        known.published = ctx->artifact_published;

        fota_view_token_keep(rt->view, text, ctx->sha256, &known);
    }

    return rc;
}


static fota_str_t
ngx_http_fota_token_text(ngx_http_request_t *r)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "t", 1, &value) == NGX_OK) {
        return fota_slice(value.data, value.len);
    }

    return ngx_http_fota_authorization(r, "FOTA");
}


static ngx_int_t
ngx_http_fota_token_wrong(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx,
    ngx_http_fota_rt_t *rt, int rc)
{
    ngx_uint_t  i;

    static const struct {
        int                       rc;
        ngx_http_fota_counter_e   counter;
        ngx_uint_t                status;
        const char               *error;
        const char               *detail;
    } wrong[] = {
        { FOTA_INVALID, NGX_HTTP_FOTA_C_TOKEN_MALFORMED,
          NGX_HTTP_FORBIDDEN, "malformed", "the token cannot be read" },
        { FOTA_UNKNOWN_KEY, NGX_HTTP_FOTA_C_TOKEN_UNKNOWN_KID,
          NGX_HTTP_UNAUTHORIZED, "unknown_kid",
          "the token's key is not known; check again for a new one" },
        { FOTA_EXPIRED, NGX_HTTP_FOTA_C_TOKEN_EXPIRED,
          NGX_HTTP_UNAUTHORIZED, "expired", "check again for a new token" },
        { FOTA_SCOPE, NGX_HTTP_FOTA_C_TOKEN_SCOPE,
          NGX_HTTP_FORBIDDEN, "scope", "the token is for other nodes" },
        { FOTA_BINDING, NGX_HTTP_FOTA_C_TOKEN_IP,
          NGX_HTTP_FORBIDDEN, "ip",
          "the token is bound to another address" },
        { FOTA_FORGED, NGX_HTTP_FOTA_C_TOKEN_MAC,
          NGX_HTTP_FORBIDDEN, "mac", "the token does not verify" },
        { FOTA_REVOKED, NGX_HTTP_FOTA_C_TOKEN_REVOKED,
          410, "revoked", "the token was revoked" }
    };

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (wrong[i].rc == rc) {
            return ngx_http_fota_token_refuse(r, ctx, rt, wrong[i].counter,
                                              wrong[i].status,
                                              wrong[i].error,
                                              wrong[i].detail);
        }
    }

    return ngx_http_fota_no_policy(r, rc);
}


static ngx_int_t
ngx_http_fota_token_refuse(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx,
    ngx_http_fota_rt_t *rt, ngx_http_fota_counter_e counter,
    ngx_uint_t status, const char *error, const char *detail)
{
    u_char                    *p, *header;
    ngx_list_part_t           *part;
    ngx_http_core_loc_conf_t  *clcf;

    (void) ngx_atomic_fetch_add(&rt->shm->counters[counter], 1);

    ctx->token_error = error;

    header = ngx_pnalloc(r->pool, sizeof("FOTA error=\"\"")
                                  + ngx_strlen(error));
    if (header == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = (counter == NGX_HTTP_FOTA_C_TOKEN_MISSING)
        ? ngx_cpymem(header, "FOTA", 4)
        : ngx_sprintf(header, "FOTA error=\"%s\"", error);

    if (ngx_http_fota_header(r, "WWW-Authenticate", (char *) header,
                             p - header)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY && status != 410) {

        /* Another guard may let pass; nginx then takes the header back. */

        part = r->headers_out.headers.last;
        r->headers_out.www_authenticate = (ngx_table_elt_t *) part->elts
                                          + part->nelts - 1;
        return (ngx_int_t) status;
    }

    return ngx_http_fota_problem(r, status, error, NULL, detail);
}
