/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What is asked of nginx about a request: context, body, peer, headers. */

#include "ngx_http_fota.h"


static void *ngx_http_fota_mem_alloc(fota_mem_t *mem, size_t size);
static void ngx_http_fota_ctx_cleanup(void *data);
static ngx_int_t ngx_http_fota_too_large(ngx_http_request_t *r);
static ngx_int_t ngx_http_fota_body(ngx_http_request_t *r, fota_str_t *body);


void
ngx_http_fota_mem_init(ngx_http_fota_mem_t *m, ngx_pool_t *pool)
{
    m->mem.alloc = ngx_http_fota_mem_alloc;
    m->pool = pool;
}


static void *
ngx_http_fota_mem_alloc(fota_mem_t *mem, size_t size)
{
    ngx_http_fota_mem_t *m = (ngx_http_fota_mem_t *) mem;

    return ngx_palloc(m->pool, size);
}


ngx_http_fota_ctx_t *
ngx_http_fota_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_fota_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_fota_module);

    if (ctx != NULL || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /*
     * An internal redirect has zeroed the contexts; a token that was good
     * once must not be asked again on the way to the origin.
     */

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_http_fota_ctx_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_fota_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_http_fota_ctx_t *
ngx_http_fota_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_fota_ctx_t  *ctx;

    ctx = ngx_http_fota_get_ctx(r);
    if (ctx != NULL) {
        return ctx;
    }

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_fota_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_fota_ctx_t));
    ctx->request = r;
    ctx->rollout_slot = -1;

    cln->handler = ngx_http_fota_ctx_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_fota_module);

    return ctx;
}


static void
ngx_http_fota_ctx_cleanup(void *data)
{
    ngx_http_fota_ctx_t *ctx = data;

    ngx_http_fota_transfer_end(ctx);
}


ngx_int_t
ngx_http_fota_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->lowcase_key = NULL;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_addr(ngx_http_request_t *r, uint8_t addr[16], uint8_t *family)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    *family = 0;

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;

        ngx_memzero(addr, 10);
        addr[10] = 0xff;
        addr[11] = 0xff;
        ngx_memcpy(&addr[12], &sin->sin_addr, 4);

        *family = FOTA_FAMILY_V4;

        return NGX_OK;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

        ngx_memcpy(addr, &sin6->sin6_addr, 16);

        *family = IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) ? FOTA_FAMILY_V4
                                                         : FOTA_FAMILY_V6;
        return NGX_OK;
#endif

    default:

        /* A Unix socket without realip: nothing is known of the peer. */

        ngx_memzero(addr, 16);

        return NGX_DECLINED;
    }
}


ngx_int_t
ngx_http_fota_get_only(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_discard_request_body(r);
}


static ngx_int_t
ngx_http_fota_too_large(ngx_http_request_t *r)
{
    return ngx_http_fota_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "too_large", "body",
                                 "the limit is 65536 bytes");
}


ngx_int_t
ngx_http_fota_read_body(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t  rc;

    if (r->headers_in.content_length_n > FOTA_BODY_MAX) {
        return ngx_http_fota_too_large(r);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


void
ngx_http_fota_with_body(ngx_http_request_t *r, ngx_http_fota_body_pt answer)
{
    ngx_int_t   rc;
    fota_str_t  body;

    rc = ngx_http_fota_body(r, &body);

    if (rc == NGX_OK) {
        rc = answer(r, body);

        if (rc == NGX_DONE) {
            return;
        }

    } else if (rc == NGX_DECLINED) {
        rc = ngx_http_fota_too_large(r);

    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* In one piece; memory of the request.  NGX_DECLINED: over the limit. */

static ngx_int_t
ngx_http_fota_body(ngx_http_request_t *r, fota_str_t *body)
{
    u_char       *p, *start;
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *body = fota_slice(NULL, 0);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {

        if (cl->buf->in_file) {

            /* Larger than the buffer, which holds more than is allowed. */

            return NGX_DECLINED;
        }

        len += ngx_buf_size(cl->buf);
    }

    if (len > FOTA_BODY_MAX) {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL) {
        b = cl->buf;
        *body = fota_slice(b->pos, b->last - b->pos);
        return NGX_OK;
    }

    start = ngx_palloc(r->pool, len + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    for (p = start; cl != NULL; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    *body = fota_slice(start, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_cert(ngx_http_request_t *r, uint8_t sha256[32])
{
#if (NGX_SSL)

    u_char     *p, *end;
    ngx_str_t   pem, text, der;

    static ngx_str_t  begin = ngx_string("-----BEGIN CERTIFICATE-----");

    if (r->connection->ssl == NULL
        || ngx_ssl_get_raw_certificate(r->connection, r->pool, &pem)
           != NGX_OK
        || pem.len <= begin.len)
    {
        return NGX_DECLINED;
    }

    p = pem.data + begin.len;
    end = pem.data + pem.len;

    text.data = ngx_pnalloc(r->pool, pem.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    for (text.len = 0; p < end && *p != '-'; p++) {
        if (*p > ' ') {
            text.data[text.len++] = *p;
        }
    }

    der.data = ngx_pnalloc(r->pool, ngx_base64_decoded_length(text.len));
    if (der.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_decode_base64(&der, &text) != NGX_OK
        || fota_sha256(sha256, der.data, der.len) != FOTA_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;

#else

    return NGX_DECLINED;

#endif
}


fota_str_t
ngx_http_fota_authorization(ngx_http_request_t *r, const char *scheme)
{
    size_t      len;
    u_char     *p, *end;
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return fota_slice(NULL, 0);
    }

    value = &r->headers_in.authorization->value;
    len = ngx_strlen(scheme);

    if (value->len <= len || value->data[len] != ' '
        || ngx_strncasecmp(value->data, (u_char *) scheme, len) != 0)
    {
        return fota_slice(NULL, 0);
    }

    p = value->data + len;
    end = value->data + value->len;

    while (p < end && *p == ' ') { p++; }
    while (end > p && end[-1] == ' ') { end--; }

    return fota_slice(p, end - p);
}
