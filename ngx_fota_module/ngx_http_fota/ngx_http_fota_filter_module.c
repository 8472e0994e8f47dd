/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * A header filter in front of nginx's conditional and range filters.
 *
 * Artifacts that come from the origin get the same validators as those on
 * disk, so that a download goes on across nodes and across the two.  Ranges
 * that nginx would answer with the whole file (more than the limit, or more
 * bytes than the file has) are refused: a device on a metered line asked for
 * less, not for more.
 */

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_filter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_fota_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_fota_filter_origin(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx);
static void ngx_http_fota_filter_drop(ngx_http_request_t *r,
    const char *name);
static ngx_int_t ngx_http_fota_filter_digest(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx);
static ngx_int_t ngx_http_fota_filter_ranges(ngx_http_request_t *r,
    ngx_uint_t max);
static u_char *ngx_http_fota_filter_number(u_char *p, u_char *end,
    off_t size, off_t *out);
static ngx_uint_t ngx_http_fota_if_range(ngx_http_request_t *r);


static ngx_http_module_t  ngx_http_fota_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_fota_filter_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_fota_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_fota_filter_module_ctx,      /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_fota_filter_init(ngx_conf_t *cf)
{
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fota_module);

    if (!mcf->used) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_fota_header_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_uint_t                 max;
    ngx_http_fota_ctx_t       *ctx;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_fota_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_fota_module);

    if (r != r->main || (!lcf->download && !lcf->digest)) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_fota_get_ctx(r);

    if (ctx == NULL && lcf->digest) {
        ctx = ngx_http_fota_make_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx == NULL || ctx->answered) {
        return ngx_http_next_header_filter(r);
    }

    if (lcf->digest && !ctx->served) {

        rc = ngx_http_fota_filter_origin(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (r->headers_in.range == NULL || !r->allow_ranges
        || r->headers_out.status != NGX_HTTP_OK
        || r->headers_out.content_length_n == -1)
    {
        return ngx_http_next_header_filter(r);
    }

    max = lcf->max_ranges;

    if (ctx->has_token && (ctx->token.flags & FOTA_TOKEN_F_SINGLE)) {
        max = 1;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    max = ngx_min(max, clcf->max_ranges);

    if (r->single_range) {
        /* What only passes by is cut once. */
        max = 1;
    }

    rc = ngx_http_fota_filter_ranges(r, max);

    return (rc == NGX_OK) ? ngx_http_next_header_filter(r) : rc;
}


static ngx_int_t
ngx_http_fota_filter_origin(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    switch (r->headers_out.status) {

    case NGX_HTTP_OK:
    case NGX_HTTP_PARTIAL_CONTENT:
    case NGX_HTTP_NOT_MODIFIED:
        break;

    case NGX_HTTP_MOVED_PERMANENTLY:
    case NGX_HTTP_MOVED_TEMPORARILY:
    case NGX_HTTP_SEE_OTHER:
    case NGX_HTTP_TEMPORARY_REDIRECT:
    case NGX_HTTP_PERMANENT_REDIRECT:
    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:

        if (r->upstream == NULL) {
            return NGX_OK;
        }

        /* Said to us: a device would take it for a word on its token. */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "fota: the origin answers %ui for \"%V\"",
                      r->headers_out.status, &r->uri);

        ngx_http_fota_filter_drop(r, "Location");
        ngx_http_fota_filter_drop(r, "WWW-Authenticate");

        return NGX_HTTP_BAD_GATEWAY;

    case NGX_HTTP_RANGE_NOT_SATISFIABLE:
        ngx_http_fota_filter_drop(r, "ETag");
        ngx_http_fota_filter_drop(r, "Repr-Digest");
        return NGX_OK;

    default:
        return NGX_OK;
    }

    if (r->headers_out.content_encoding != NULL
        && r->headers_out.content_encoding->hash != 0
        && r->headers_out.content_encoding->value.len != 0)
    {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "fota: the origin encodes \"%V\"", &r->uri);

        r->headers_out.content_encoding->hash = 0;
        r->headers_out.content_encoding = NULL;

        return NGX_HTTP_BAD_GATEWAY;
    }

    if (r->upstream != NULL && r->headers_out.status == NGX_HTTP_OK
        && r->headers_out.content_length_n != -1)
    {
        /* Whether the origin knows ranges or not, and says it. */

        ngx_http_clear_accept_ranges(r);

        r->allow_ranges = 1;
        r->single_range = 1;

#if (NGX_HTTP_CACHE)
        if (r->cached) {
            r->single_range = 0;
        }
#endif
    }

    return ngx_http_fota_filter_digest(r, ctx);
}


static void
ngx_http_fota_filter_drop(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            h[i].hash = 0;
        }
    }
}


/* The origin's validators give way to the artifact's. */

static ngx_int_t
ngx_http_fota_filter_digest(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    if (ngx_http_fota_uri_hash(r, ctx) != NGX_OK) {
        return NGX_OK;
    }

    ngx_http_fota_filter_drop(r, "ETag");
    ngx_http_fota_filter_drop(r, "Repr-Digest");

    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);

    if (ngx_http_fota_artifact(ngx_http_fota_rt(r), ctx) == NGX_OK) {

        /*
         * What is short or long need not be hashed to be wrong.  A length
         * that only the end will tell is -1 here, and no better.
         */

        if (r->headers_out.status == NGX_HTTP_OK
            && (uint64_t) r->headers_out.content_length_n
               != ctx->artifact_size)
        {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "fota: the origin has %O bytes of an artifact "
                          "of %uL, \"%V\"",
                          r->headers_out.content_length_n,
                          ctx->artifact_size, &r->uri);
            return NGX_HTTP_BAD_GATEWAY;
        }

        r->headers_out.last_modified_time = (time_t) ctx->artifact_published;
    }

    return ngx_http_fota_digest_headers(r, ctx->sha256);
}


static ngx_int_t
ngx_http_fota_filter_ranges(ngx_http_request_t *r, ngx_uint_t max)
{
    off_t        first, last, size, sum;
    u_char      *p, *end;
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = &r->headers_in.range->value;

    if (value->len < 6
        || ngx_strncasecmp(value->data, (u_char *) "bytes=", 6) != 0
        || !ngx_http_fota_if_range(r))
    {
        return NGX_OK;
    }

    size = r->headers_out.content_length_n;
    sum = 0;
    n = 0;

    if (value->len == 6) {
        goto refused;
    }

    /*
     * Only counted and added up here: what is malformed or cannot be
     * satisfied is left to nginx, which answers 416 by itself.
     */

    for (p = value->data + 6, end = value->data + value->len; p < end; p++) {

        p = ngx_http_fota_filter_number(p, end, size, &first);

        if (p == end || *p++ != '-') {
            return NGX_OK;
        }

        p = ngx_http_fota_filter_number(p, end, size, &last);

        if (p < end && *p != ',') {
            return NGX_OK;
        }

        if (first == -1) {
            first = (last < size) ? size - last : 0;
            last = size - 1;

        } else if (last == -1 || last >= size) {
            last = size - 1;
        }

        if (first <= last) {
            sum += last - first + 1;
        }

        if (++n > max) {
            goto refused;
        }
    }

    if (n < 2 || sum <= size) {
        return NGX_OK;
    }

refused:

    /* As the range filter does it. */

    r->headers_out.status = NGX_HTTP_RANGE_NOT_SATISFIABLE;

    p = ngx_pnalloc(r->pool, sizeof("bytes */") - 1 + NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    end = ngx_sprintf(p, "bytes */%O", size);

    if (ngx_http_fota_header(r, "Content-Range", (char *) p, end - p)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clear_content_length(r);

    return NGX_HTTP_RANGE_NOT_SATISFIABLE;
}


/* Between spaces; -1 when there is none, and about size when over it. */

static u_char *
ngx_http_fota_filter_number(u_char *p, u_char *end, off_t size, off_t *out)
{
    while (p < end && *p == ' ') { p++; }

    *out = (p < end && *p >= '0' && *p <= '9') ? 0 : -1;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        if (*out < size) {
            *out = *out * 10 + (*p - '0');
        }
    }

    while (p < end && *p == ' ') { p++; }

    return p;
}


/* Do the ranges count?  Without them the whole file is what was asked for. */

static ngx_uint_t
ngx_http_fota_if_range(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    if (r->headers_in.if_range == NULL) {
        return 1;
    }

    value = &r->headers_in.if_range->value;

    if (value->len >= 2 && value->data[value->len - 1] == '"') {
        return r->headers_out.etag != NULL
               && r->headers_out.etag->value.len == value->len
               && ngx_strncmp(value->data, r->headers_out.etag->value.data,
                              value->len)
                  == 0;
    }

    return r->headers_out.last_modified_time != -1
           && ngx_parse_http_time(value->data, value->len)
              == r->headers_out.last_modified_time;
}
