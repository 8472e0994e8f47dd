/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The operator's last word: calling the Lua hook, and what if it fails. */

#include "ngx_http_fota_case.h"


typedef struct {
    fota_script_input_t    in;          /* first */
    ngx_http_fota_case_t  *c;
} ngx_http_fota_hook_t;


static int32_t ngx_http_fota_hook_offset(const fota_script_input_t *in);
static ngx_int_t ngx_http_fota_hook_zone(ngx_http_fota_case_t *c,
    fota_str_t tz, int32_t *offset);
static void ngx_http_fota_hook_failed(ngx_http_fota_case_t *c,
    const char *err);


void
ngx_http_fota_hook(ngx_http_fota_case_t *c)
{
    int                   rc;
    char                  err[512];
    struct timespec       from;
    ngx_http_fota_rt_t   *rt;
    ngx_http_fota_hook_t  hook;

    rt = c->rt;

    if (rt->script == NULL) {
        ngx_http_fota_hook_failed(c, "the hook was not started");
        return;
    }

    hook.in.facts = &c->facts;
    hook.in.tenant = c->req->tenant;
    hook.in.decision = &c->decision;
    hook.in.now = c->now;
    hook.in.utc_offset = 0;
    hook.in.offset = ngx_http_fota_hook_offset;
    hook.c = c;

    (void) clock_gettime(CLOCK_MONOTONIC, &from);

    rc = fota_script_call(rt->script, &c->mem.mem, &hook.in, &c->hook, err,
                          sizeof(err));

    c->ctx->has_lua = 1;
    c->ctx->lua_us = ngx_http_fota_since(&from);

    ngx_http_fota_count(rt, LUA_CALLS);

    if (rc != FOTA_OK) {
        ngx_http_fota_hook_failed(c, err);
        return;
    }

    switch (c->hook.action) {

    case FOTA_HOOK_KEEP:
        return;

    case FOTA_HOOK_DENY:
        break;

    case FOTA_HOOK_DEFER:
        c->decision.poll = fota_poll_jitter(c->hook.defer, c->req->device);
        break;
    }

    if (c->decision.reason == FOTA_R_OFFER) {
        ngx_http_fota_count(rt, LUA_DENIED);
    }

    c->decision.reason = FOTA_R_HOOK;
}


static int32_t
ngx_http_fota_hook_offset(const fota_script_input_t *in)
{
    int32_t                offset;
    ngx_http_fota_case_t  *c;

    c = ((const ngx_http_fota_hook_t *) in)->c;

    if (ngx_http_fota_hook_zone(c, c->facts.tz, &offset) == NGX_OK
        || ngx_http_fota_hook_zone(c,
                      fota_cstr(ngx_http_fota_locate(&c->facts)->tz), &offset)
           == NGX_OK)
    {
        return offset;
    }

    return 0;
}


static ngx_int_t
ngx_http_fota_hook_zone(ngx_http_fota_case_t *c, fota_str_t tz,
    int32_t *offset)
{
    const fota_zone_t  *zone;

    if (tz.len == 0) {
        return NGX_DECLINED;
    }

    if (fota_zone_parse_offset(tz, offset) == FOTA_OK) {
        return NGX_OK;
    }

    zone = fota_view_zone(c->rt->view, tz);
    if (zone == NULL) {
        return NGX_DECLINED;
    }

    *offset = fota_zone_offset(zone, c->now);

    return NGX_OK;
}


static void
ngx_http_fota_hook_failed(ngx_http_fota_case_t *c, const char *err)
{
    ngx_http_fota_rt_t  *rt;

    rt = c->rt;

    ngx_http_fota_count(rt, LUA_ERRORS);

    /* A script that always fails must not fill the disk with its log. */

    if (rt->script_logged != ngx_time()) {
        rt->script_logged = ngx_time();
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "fota: the policy hook failed: %s", err);
    }

    if (rt->conf->lua_fail_closed) {
        c->decision.reason = FOTA_R_HOOK;
    }
}
