/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Variables, made for log_format; each is empty ("-") when it has no value. */

#include "ngx_http_fota.h"


typedef enum {
    FOTA_V_DEVICE = 0,
    FOTA_V_TENANT,
    FOTA_V_PRODUCT,
    FOTA_V_DEPLOYMENT,
    FOTA_V_DECISION,
    FOTA_V_REASON,
    FOTA_V_POLICY_SEQ,
    FOTA_V_POLICY_LAG,
    FOTA_V_NODE,
    FOTA_V_GEO_CC,
    FOTA_V_GEO_SRC,
    FOTA_V_TOKEN_NONCE,
    FOTA_V_TOKEN_ERROR,
    FOTA_V_RANGE_FIRST,
    FOTA_V_RANGE_LAST,
    FOTA_V_BYTES_DELIVERED,
    FOTA_V_REPORT_SEQ,
    FOTA_V_LUA_US,
    FOTA_V_SHA256,
    FOTA_V_URI
} ngx_http_fota_variable_e;


static ngx_int_t ngx_http_fota_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fota_variable_uri(ngx_http_request_t *r,
    ngx_http_variable_value_t *v);
static ngx_int_t ngx_http_fota_set_text(ngx_http_variable_value_t *v,
    const void *data, size_t len);
static ngx_int_t ngx_http_fota_set_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uint64_t n);
static ngx_int_t ngx_http_fota_set_hex(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const uint8_t *data, size_t len);


static struct {
    ngx_str_t   name;
    uintptr_t   data;
}  ngx_http_fota_vars[] = {
    { ngx_string("fota_device"), FOTA_V_DEVICE },
    { ngx_string("fota_tenant"), FOTA_V_TENANT },
    { ngx_string("fota_product"), FOTA_V_PRODUCT },
    { ngx_string("fota_deployment"), FOTA_V_DEPLOYMENT },
    { ngx_string("fota_decision"), FOTA_V_DECISION },
    { ngx_string("fota_reason"), FOTA_V_REASON },
    { ngx_string("fota_policy_seq"), FOTA_V_POLICY_SEQ },
    { ngx_string("fota_policy_lag"), FOTA_V_POLICY_LAG },
    { ngx_string("fota_node"), FOTA_V_NODE },
    { ngx_string("fota_geo_cc"), FOTA_V_GEO_CC },
    { ngx_string("fota_geo_src"), FOTA_V_GEO_SRC },
    { ngx_string("fota_token_nonce"), FOTA_V_TOKEN_NONCE },
    { ngx_string("fota_token_error"), FOTA_V_TOKEN_ERROR },
    { ngx_string("fota_range_first"), FOTA_V_RANGE_FIRST },
    { ngx_string("fota_range_last"), FOTA_V_RANGE_LAST },
    { ngx_string("fota_bytes_delivered"), FOTA_V_BYTES_DELIVERED },
    { ngx_string("fota_report_seq"), FOTA_V_REPORT_SEQ },
    { ngx_string("fota_lua_us"), FOTA_V_LUA_US },
    { ngx_string("fota_sha256"), FOTA_V_SHA256 },
    { ngx_string("fota_uri"), FOTA_V_URI },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_fota_add_variables(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0; ngx_http_fota_vars[i].name.len; i++) {

        var = ngx_http_add_variable(cf, &ngx_http_fota_vars[i].name,
                                    NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_fota_variable;
        var->data = ngx_http_fota_vars[i].data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_set_text(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    if (data == NULL || len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) data;
    v->len = (unsigned) len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_set_number(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_fota_set_text(v, p, ngx_sprintf(p, "%uL", n) - p);
}


static ngx_int_t
ngx_http_fota_set_hex(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const uint8_t *data, size_t len)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, 2 * len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(p, (u_char *) data, len);

    return ngx_http_fota_set_text(v, p, 2 * len);
}


static ngx_int_t
ngx_http_fota_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const char           *text;
    ngx_http_fota_ctx_t  *ctx;

    if (data == FOTA_V_URI) {
        return ngx_http_fota_variable_uri(r, v);
    }

    v->not_found = 1;

    ctx = ngx_http_fota_get_ctx(r);

    if (ctx == NULL) {
        return NGX_OK;
    }

    text = NULL;

    switch ((ngx_http_fota_variable_e) data) {

    case FOTA_V_DEVICE:

        /* A download knows the device's tag alone. */

        if (ctx->has_token) {
            return ngx_http_fota_set_hex(r, v, ctx->token.device,
                                         sizeof(ctx->token.device));
        }

        return ngx_http_fota_set_text(v, ctx->device.data, ctx->device.len);

    case FOTA_V_TENANT:

        if (ctx->has_token) {
            return ngx_http_fota_set_number(r, v, ctx->token.tenant);
        }

        return ngx_http_fota_set_text(v, ctx->tenant.data, ctx->tenant.len);

    case FOTA_V_PRODUCT:
        return ngx_http_fota_set_text(v, ctx->product.data,
                                      ctx->product.len);

    case FOTA_V_DEPLOYMENT:

        if (ctx->has_token) {
            return ngx_http_fota_set_number(r, v, ctx->token.deployment);
        }

        return ctx->deployment
               ? ngx_http_fota_set_number(r, v, ctx->deployment) : NGX_OK;

    case FOTA_V_DECISION:
        text = ctx->decision;
        break;

    case FOTA_V_REASON:
        text = ctx->reason;
        break;

    case FOTA_V_POLICY_SEQ:
        return ctx->has_policy
               ? ngx_http_fota_set_number(r, v, ctx->policy_seq) : NGX_OK;

    case FOTA_V_POLICY_LAG:
        return ctx->has_policy
               ? ngx_http_fota_set_number(r, v, ctx->lag) : NGX_OK;

    case FOTA_V_NODE:
        return ngx_http_fota_set_text(v, ctx->node.data, ctx->node.len);

    case FOTA_V_GEO_CC:
        text = ctx->geo_cc;
        break;

    case FOTA_V_GEO_SRC:
        text = ctx->geo_src;
        break;

    case FOTA_V_TOKEN_NONCE:

        if (!ctx->has_token && ctx->node.len == 0) {
            return NGX_OK;
        }

        return ngx_http_fota_set_hex(r, v, ctx->token.nonce,
                                     sizeof(ctx->token.nonce));

    case FOTA_V_TOKEN_ERROR:
        text = ctx->token_error;
        break;

    case FOTA_V_RANGE_FIRST:
    case FOTA_V_RANGE_LAST:
    case FOTA_V_BYTES_DELIVERED:

        if (!ctx->transfer) {
            return NGX_OK;
        }

        /* The access log runs before our own log handler. */

        if (data == FOTA_V_BYTES_DELIVERED) {
            ngx_http_fota_measure(r, ctx);
            return ngx_http_fota_set_number(r, v, ctx->delivered);
        }

        ngx_http_fota_sent(r, ctx);

        if (!ctx->has_range) {
            return NGX_OK;
        }

        return ngx_http_fota_set_number(r, v, (data == FOTA_V_RANGE_FIRST)
                                              ? ctx->range_first
                                              : ctx->range_last);

    case FOTA_V_REPORT_SEQ:
        return ctx->has_report
               ? ngx_http_fota_set_number(r, v, ctx->report_seq) : NGX_OK;

    case FOTA_V_LUA_US:
        return ctx->has_lua
               ? ngx_http_fota_set_number(r, v, ctx->lua_us) : NGX_OK;

    case FOTA_V_SHA256:
        return ctx->has_hash
               ? ngx_http_fota_set_hex(r, v, ctx->sha256,
                                       sizeof(ctx->sha256))
               : NGX_OK;

    case FOTA_V_URI:
        break;
    }

    return ngx_http_fota_set_text(v, text,
                                  (text != NULL) ? ngx_strlen(text) : 0);
}


/* $request_uri without the token, for logs. */

static ngx_int_t
ngx_http_fota_variable_uri(ngx_http_request_t *r,
    ngx_http_variable_value_t *v)
{
    u_char  *p, *s, *end, *dst, *out, sep;

    sep = '?';
    p = r->unparsed_uri.data;
    end = p + r->unparsed_uri.len;

    out = ngx_pnalloc(r->pool, r->unparsed_uri.len + 1);
    if (out == NULL) {
        return NGX_ERROR;
    }

    for (dst = out; p < end && *p != '?'; p++) {
        *dst++ = *p;
    }

    while (p < end) {

        /* At "?" or "&": one argument up to the next "&". */

        for (s = p + 1; s < end && *s != '&'; s++) { /* void */ }

        if (s - p >= 3 && (p[1] == 't' || p[1] == 'T') && p[2] == '=') {
            p = s;
            continue;
        }

        *dst++ = sep;
        sep = '&';
        dst = ngx_cpymem(dst, p + 1, s - p - 1);
        p = s;
    }

    return ngx_http_fota_set_text(v, out, dst - out);
}
