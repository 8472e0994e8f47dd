/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* /healthz, /readyz and /fota/status */

#include "ngx_http_fota.h"
#include "fota_release.h"


#define FOTA_READY_SPOOL  98            /* percent */


typedef struct {
    fota_jw_t  *w;
    uint32_t    now;
    ngx_uint_t  downloads;
} ngx_http_fota_keys_t;


static const char *ngx_http_fota_not_ready(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx);
static void ngx_http_fota_key_count(void *ctx, uint8_t kind, uint32_t scope,
    uint16_t kid, uint8_t state, uint32_t created);
static void ngx_http_fota_key_write(void *ctx, uint8_t kind, uint32_t scope,
    uint16_t kid, uint8_t state, uint32_t created);
static void ngx_http_fota_status_policy(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx, fota_jw_t *w);
static void ngx_http_fota_status_database(ngx_http_fota_rt_t *rt,
    fota_jw_t *w);
static void ngx_http_fota_status_load(ngx_http_fota_rt_t *rt, fota_jw_t *w);


ngx_int_t
ngx_http_fota_health_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_fota_get_only(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_fota_send(r, NGX_HTTP_OK, "text/plain", (u_char *) "ok\n",
                              3);
}


ngx_int_t
ngx_http_fota_ready_handler(ngx_http_request_t *r)
{
    u_char                text[256], *p;
    ngx_int_t             rc;
    const char           *reason;
    ngx_http_fota_rt_t   *rt;
    ngx_http_fota_ctx_t  *ctx;

    rc = ngx_http_fota_get_only(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (rt == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reason = ngx_http_fota_not_ready(rt, ctx);

    if (reason == NULL) {
        return ngx_http_fota_send(r, NGX_HTTP_OK, "text/plain",
                                  (u_char *) "ready\n", 6);
    }

    p = ngx_snprintf(text, sizeof(text), "not ready: %s\n", reason);

    return ngx_http_fota_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, "text/plain",
                              text, p - text);
}


static const char *
ngx_http_fota_not_ready(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    int                   rc;
    ngx_http_fota_keys_t  keys;

    if (rt->conf->db.len) {

        rc = ngx_http_fota_begin(rt, ctx);

        if (rc != FOTA_OK) {
            return "no policy";
        }

        ngx_memzero(&keys, sizeof(ngx_http_fota_keys_t));
        rc = fota_view_keys(rt->view, ngx_http_fota_key_count, &keys);

        ngx_http_fota_end(rt);

        if (rc != FOTA_OK || keys.downloads == 0) {
            return "no download keys";
        }

        if (rt->conf->max_stale != 0
            && ctx->lag > (uint32_t) rt->conf->max_stale)
        {
            return "policy is stale";
        }
    }

    if (rt->conf->spool.len
        && ngx_http_fota_spool_level(rt) >= FOTA_READY_SPOOL)
    {
        return "the spool is full";
    }

    if (rt->conf->geo_file.len && rt->geo == NULL) {
        return "no location database";
    }

    return NULL;
}


static void
ngx_http_fota_key_count(void *ctx, uint8_t kind, uint32_t scope,
    uint16_t kid, uint8_t state, uint32_t created)
{
    ngx_http_fota_keys_t *keys = ctx;

    keys->downloads += (kind == FOTA_KEY_DOWNLOAD);
}


static void
ngx_http_fota_key_write(void *ctx, uint8_t kind, uint32_t scope,
    uint16_t kid, uint8_t state, uint32_t created)
{
    ngx_http_fota_keys_t *keys = ctx;

    static const char  *kinds[] = { "", "download", "device", "operator" };
    static const char  *states[] = { "next", "current", "previous" };

    fota_jw_object(keys->w, NULL);
    fota_jw_cstr(keys->w, "kind", (kind <= 3) ? kinds[kind] : "");
    fota_jw_uint(keys->w, "scope", scope);
    fota_jw_uint(keys->w, "kid", kid);
    fota_jw_cstr(keys->w, "state", (state <= 2) ? states[state] : "");
    fota_jw_uint(keys->w, "age_s", (keys->now > created) ? keys->now - created
                                                         : 0);
    fota_jw_end_object(keys->w);
}


ngx_int_t
ngx_http_fota_status_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    fota_jw_t             w;
    fota_buf_t            out;
    ngx_http_fota_rt_t   *rt;
    ngx_http_fota_ctx_t  *ctx;

    rc = ngx_http_fota_get_only(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (rt == NULL || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fota_buf_grow(&out, 4 * 1024 * 1024);
    fota_jw_init(&w, &out);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "version", FOTA_RELEASE);
    fota_jw_cstr(&w, "nginx", NGINX_VERSION);
    fota_jw_int(&w, "now", ngx_time());
    fota_jw_int(&w, "pid", ngx_pid);
    fota_jw_uint(&w, "configuration", rt->configuration);

    if (rt->view != NULL) {
        ngx_http_fota_status_policy(rt, ctx, &w);
    }

    fota_jw_object(&w, "geo");
    fota_jw_bool(&w, "loaded", rt->geo != NULL);
    fota_jw_uint(&w, "build_epoch",
                 (rt->geo != NULL) ? fota_geo_epoch(rt->geo) : 0);
    fota_jw_end_object(&w);

    fota_jw_bool(&w, "hook", rt->script != NULL);

    ngx_http_fota_status_load(rt, &w);

    fota_jw_end_object(&w);
    fota_buf_u8(&out, '\n');

    if (out.status == FOTA_OK) {
        rc = ngx_http_fota_send(r, NGX_HTTP_OK, "application/json", out.start,
                                out.len);
    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fota_buf_free(&out);

    return rc;
}


static void
ngx_http_fota_status_policy(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx,
    fota_jw_t *w)
{
    int                    rc;
    char                   epoch[17];
    const fota_meta_t     *meta;
    ngx_http_fota_keys_t   keys;

    fota_jw_object(w, "policy");

    rc = ngx_http_fota_begin(rt, ctx);

    fota_jw_cstr(w, "state", fota_status_name(rc));

    if (rc != FOTA_OK) {
        fota_jw_end_object(w);
        return;
    }

    meta = fota_view_meta(rt->view);
    ngx_http_fota_self(rt);

    *ngx_snprintf((u_char *) epoch, sizeof(epoch) - 1, "%016xL",
                  meta->epoch) = '\0';

    fota_jw_cstr(w, "epoch", epoch);
    fota_jw_uint(w, "seq", meta->seq);
    fota_jw_uint(w, "lag_s", ctx->lag);
    fota_jw_uint(w, "head_ms", meta->head_ts);
    fota_jw_uint(w, "generation", meta->generation);
    ngx_http_fota_status_database(rt, w);

    fota_jw_object(w, "node");
    fota_jw_str(w, "name", fota_slice(rt->conf->node_id.data,
                                      rt->conf->node_id.len));
    fota_jw_uint(w, "id", rt->node);
    fota_jw_uint(w, "group", rt->group);
    fota_jw_uint(w, "cap_mbps", rt->cap_mbps);
    fota_jw_end_object(w);

    fota_jw_array(w, "keys");
    keys.w = w;
    keys.now = (uint32_t) ngx_time();
    (void) fota_view_keys(rt->view, ngx_http_fota_key_write, &keys);
    fota_jw_end_array(w);

    ngx_http_fota_end(rt);

    fota_jw_end_object(w);
}


/* Which of the agent's databases is the current one, like "gen-3". */

static void
ngx_http_fota_status_database(ngx_http_fota_rt_t *rt, fota_jw_t *w)
{
    char     name[256];
    u_char   path[NGX_MAX_PATH];
    ssize_t  n;

    *ngx_snprintf(path, sizeof(path) - 1, "%V/current", &rt->conf->db) = '\0';

    n = readlink((char *) path, name, sizeof(name));

    if (n > 0) {
        fota_jw_str(w, "database", fota_slice(name, (size_t) n));
    }
}


static void
ngx_http_fota_status_load(ngx_http_fota_rt_t *rt, fota_jw_t *w)
{
    ngx_http_fota_shm_t  *shm;

    shm = rt->shm;

    fota_jw_uint(w, "transfers", ngx_http_fota_zone_transfers(shm));
    fota_jw_uint(w, "egress_bps", shm->egress.rate);
    fota_jw_uint(w, "egress_bytes", shm->egress.total);
    fota_jw_bool(w, "ktls", shm->ktls != 0);

    if (rt->conf->spool.len == 0) {
        return;
    }

    fota_jw_object(w, "spool");
    fota_jw_uint(w, "bytes", shm->spool_waiting);
    fota_jw_uint(w, "records", shm->spool_records);
    fota_jw_uint(w, "disk_bytes", shm->spool_bytes);
    fota_jw_uint(w, "segments", shm->spool_segments);
    fota_jw_uint(w, "level_percent", ngx_http_fota_spool_level(rt));
    fota_jw_uint(w, "oldest", shm->spool_oldest);
    fota_jw_uint(w, "records_written", shm->spool_written);
    fota_jw_end_object(w);
}
