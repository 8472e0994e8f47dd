/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Serving artifacts: nginx maps the URI and opens the file, we say what it
 * is, and nginx's own filters do conditions, ranges, TLS and sendfile.
 */

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_download_record(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_open_file_info_t *of);
static ngx_int_t ngx_http_fota_file_hash(ngx_http_fota_ctx_t *ctx,
    const u_char *name, size_t len);
static ngx_int_t ngx_http_fota_hash_parse(const u_char *p, size_t len,
    uint8_t sha256[32]);
static ngx_int_t ngx_http_fota_open_error(ngx_http_request_t *r,
    ngx_open_file_info_t *of, ngx_str_t *path, ngx_flag_t log_not_found);


static ngx_int_t
ngx_http_fota_hash_parse(const u_char *p, size_t len, uint8_t sha256[32])
{
    size_t  n;

    if (len != NGX_HTTP_FOTA_HASH_TEXT
        || fota_base64url_decode(sha256, 32, fota_slice(p, len), &n)
           != FOTA_OK
        || n != 32)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_uri_hash(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx)
{
    u_char  *p, *s, *end;

    if (ctx->has_hash) {
        return NGX_OK;
    }

    /* The first part of the path that is one: /a/<hash>[/name] */

    end = r->uri.data + r->uri.len;

    for (p = r->uri.data; p < end; p = s) {
        p++;

        for (s = p; s < end && *s != '/'; s++) { /* void */ }

        if (ngx_http_fota_hash_parse(p, s - p, ctx->sha256) == NGX_OK) {
            ctx->has_hash = 1;
            ctx->hash_text = p;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* The name in the store says what the file is. */

static ngx_int_t
ngx_http_fota_file_hash(ngx_http_fota_ctx_t *ctx, const u_char *name,
    size_t len)
{
    uint8_t  sha256[32];

    /* Usually the part of the URI that the token was asked about. */

    if (ctx->has_hash && len == NGX_HTTP_FOTA_HASH_TEXT
        && ngx_memcmp(name, ctx->hash_text, len) == 0)
    {
        return NGX_OK;
    }

    if (ngx_http_fota_hash_parse(name, len, sha256) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memcpy(ctx->sha256, sha256, sizeof(ctx->sha256));
    ctx->hash_text = name;
    ctx->has_hash = 1;
    ctx->asked_artifact = 0;
    ctx->has_artifact = 0;

    return NGX_OK;
}


void
ngx_http_fota_ask_artifact(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    fota_artifact_info_t  info;

    ctx->asked_artifact = 1;
    ctx->has_artifact = (fota_view_artifact(rt->view, ctx->sha256, &info)
                         == FOTA_OK);

    if (ctx->has_artifact) {
        ctx->artifact_size = info.size;
        ctx->artifact_published = info.published;
    }
}


ngx_int_t
ngx_http_fota_artifact(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    if (!ctx->asked_artifact && ngx_http_fota_begin(rt, ctx) == FOTA_OK) {
        ngx_http_fota_ask_artifact(rt, ctx);
        ngx_http_fota_end(rt);
    }

    return ctx->has_artifact ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_fota_digest_headers(ngx_http_request_t *r, const uint8_t sha256[32])
{
    u_char           *p, *text;
    ngx_table_elt_t  *etag;

#if (NGX_HTTP_GZIP)

    /*
     * The name that gives the type is the client's to choose: no image is
     * compressed, and robbed of its ranges, for ending in ".html".
     */

    r->gzip_tested = 1;
    r->gzip_ok = 0;

#endif

    text = ngx_pnalloc(r->pool, sizeof("\"sha256-\"") - 1 + 64
                                + sizeof("sha-256=::") - 1 + 44);
    if (text == NULL) {
        return NGX_ERROR;
    }

    /* Strong, and the same on every node. */

    etag = ngx_list_push(&r->headers_out.headers);
    if (etag == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, "\"sha256-", sizeof("\"sha256-") - 1);
    p = ngx_hex_dump(p, (u_char *) sha256, 32);
    *p++ = '"';

    etag->hash = 1;
#if (nginx_version >= 1023000)
    etag->next = NULL;
#endif
    ngx_str_set(&etag->key, "ETag");
    etag->value.data = text;
    etag->value.len = p - text;
    r->headers_out.etag = etag;

    text = p;
    p = ngx_cpymem(p, "sha-256=:", sizeof("sha-256=:") - 1);
    p += fota_base64_encode((char *) p, sha256, 32);
    *p++ = ':';

    return ngx_http_fota_header(r, "Repr-Digest", (char *) text, p - text);
}


ngx_int_t
ngx_http_fota_download_handler(ngx_http_request_t *r)
{
    size_t                     root;
    u_char                    *last, *name;
    ngx_str_t                  path;
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_log_t                 *log;
    ngx_chain_t                out;
    ngx_http_fota_rt_t        *rt;
    ngx_http_fota_ctx_t       *ctx;
    ngx_open_file_info_t       of;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_fota_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_fota_module);

    if (!lcf->download) {
        return NGX_DECLINED;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_fota_not_allowed(r, "GET, HEAD");
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (rt == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* An index is nginx's, but an artifact has none. */

    if (r->uri.data[r->uri.len - 1] == '/'
        && ngx_http_fota_uri_hash(r, ctx) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    log = r->connection->log;

    last = ngx_http_map_uri_to_path(r, &path, &root, 0);
    if (last == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    path.len = last - path.data;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(&of, sizeof(ngx_open_file_info_t));

    of.read_ahead = clcf->read_ahead;
    of.directio = clcf->directio;
    of.valid = clcf->open_file_cache_valid;
    of.min_uses = clcf->open_file_cache_min_uses;
    of.errors = clcf->open_file_cache_errors;
    of.events = clcf->open_file_cache_events;

    if (ngx_http_set_disable_symlinks(r, clcf, &path, &of) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_open_cached_file(clcf->open_file_cache, &path, &of, r->pool)
        != NGX_OK)
    {
        return ngx_http_fota_open_error(r, &of, &path, clcf->log_not_found);
    }

    r->root_tested = !r->error_page;

    if (of.is_dir || !of.is_file) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    log->action = "sending artifact to client";

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = of.size;

    for (name = last; name > path.data && name[-1] != '/'; name--) {
        /* void */
    }

    if (ngx_http_fota_file_hash(ctx, name, last - name) == NGX_OK) {

        rc = ngx_http_fota_download_record(r, ctx, &of);
        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        r->headers_out.last_modified_time = of.mtime;

        if (ngx_http_set_etag(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_set_content_type(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->served = 1;
    r->allow_ranges = 1;

    if (!ctx->transfer) {
        ngx_http_fota_transfer_begin(r, ctx, rt);
    }

    if (r != r->main && of.size == 0) {
        return ngx_http_send_header(r);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    /* One buffer for all: several ranges may be cut from it alone. */

    b->file_pos = 0;
    b->file_last = of.size;

    b->in_file = b->file_last ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    b->file->fd = of.fd;
    b->file->name = path;
    b->file->log = log;
    b->file->directio = of.is_directio;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_fota_download_record(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_open_file_info_t *of)
{
    /* Without a record there is no date that all nodes agree on. */

    r->headers_out.last_modified_time = -1;

    /* What is on disk was verified, so policy may be away meanwhile. */

    if (ngx_http_fota_artifact(ngx_http_fota_rt(r), ctx) == NGX_OK) {

        if ((uint64_t) of->size != ctx->artifact_size) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "fota: an artifact of %uL bytes has a file of "
                          "%O bytes, \"%V\"", ctx->artifact_size, of->size,
                          &r->uri);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->headers_out.last_modified_time = (time_t) ctx->artifact_published;
    }

    if (ngx_http_fota_digest_headers(r, ctx->sha256) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_open_error(ngx_http_request_t *r, ngx_open_file_info_t *of,
    ngx_str_t *path, ngx_flag_t log_not_found)
{
    ngx_int_t   rc;
    ngx_uint_t  level;

    switch (of->err) {

    case 0:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_ENOENT:
    case NGX_ENOTDIR:
    case NGX_ENAMETOOLONG:

        /* Usual where artifacts are pulled through: not worth an error. */

        level = NGX_LOG_INFO;
        rc = NGX_HTTP_NOT_FOUND;
        break;

    case NGX_EACCES:
#if (NGX_HAVE_OPENAT)
    case NGX_EMLINK:
    case NGX_ELOOP:
#endif

        level = NGX_LOG_ERR;
        rc = NGX_HTTP_FORBIDDEN;
        break;

    default:

        level = NGX_LOG_CRIT;
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        break;
    }

    if (rc != NGX_HTTP_NOT_FOUND || log_not_found) {
        ngx_log_error(level, r->connection->log, of->err,
                      "%s \"%V\" failed", of->failed, path);
    }

    return rc;
}
