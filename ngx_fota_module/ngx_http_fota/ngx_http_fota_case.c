/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* From a parsed request to a decision. */

#include <stddef.h>

#include "ngx_http_fota_case.h"


static ngx_http_fota_case_t *ngx_http_fota_env_case(fota_policy_env_t *env);
static const fota_zone_t *ngx_http_fota_env_zone(fota_policy_env_t *env,
    fota_str_t name);
static void ngx_http_fota_env_load(fota_policy_env_t *env, uint32_t rollout,
    fota_rollout_load_t *out);
static void ngx_http_fota_env_trace(fota_policy_env_t *env,
    const fota_rollout_t *r, fota_reason_e reason, const char *detail);
static ngx_int_t ngx_http_fota_case_store(ngx_http_fota_case_t *c, int st);
static ngx_int_t ngx_http_fota_case_tenant(ngx_http_fota_case_t *c,
    fota_str_t tenant);
static ngx_int_t ngx_http_fota_case_device(ngx_http_fota_case_t *c,
    fota_str_t device);
static ngx_int_t ngx_http_fota_case_product(ngx_http_fota_case_t *c,
    fota_str_t product);


static const fota_str_t  ngx_http_fota_everyone = fota_string("*");


void
ngx_http_fota_case_init(ngx_http_fota_case_t *c, ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt, fota_check_req_t *req)
{
    c->request = r;
    c->ctx = ctx;
    c->rt = rt;
    c->conf = ngx_http_get_module_loc_conf(r, ngx_http_fota_module);
    ngx_http_fota_mem_init(&c->mem, r->pool);
    c->req = req;
    c->now = ngx_time();

    c->tenant = NULL;
    c->global = NULL;
    c->product = NULL;
    c->has_device = 0;

    c->has_addr = (ngx_http_fota_addr(r, c->addr, &c->family) == NGX_OK);
    c->located = 0;
    c->prefix_group = 0;

    c->env.zone = ngx_http_fota_env_zone;
    c->env.load = ngx_http_fota_env_load;
    c->env.trace = NULL;

    c->hook.action = FOTA_HOOK_KEEP;
    c->hook.pool = 0;
    c->hook.rate_class = -1;
    c->hook.nfields = 0;
    c->hook.message = fota_slice(NULL, 0);
    c->explain = NULL;

    c->nurls = 0;
    c->status = 0;
    c->authenticate = NULL;
}


ngx_int_t
ngx_http_fota_case_fail(ngx_http_fota_case_t *c, ngx_uint_t status,
    const char *code, const char *field, const char *detail)
{
    c->status = status;
    c->code = code;
    c->field = field;
    c->detail = detail;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_fota_case_problem(ngx_http_fota_case_t *c)
{
    ngx_http_request_t *r = c->request;

    if (c->authenticate != NULL
        && ngx_http_fota_header(r, "WWW-Authenticate", c->authenticate,
                                ngx_strlen(c->authenticate))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (c->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return ngx_http_fota_problem_retry(r, c->status, c->code, c->detail,
                                           NGX_HTTP_FOTA_RETRY_AFTER);
    }

    return ngx_http_fota_problem(r, c->status, c->code, c->field, c->detail);
}


/* Trouble with a record, as opposed to its absence. */

static ngx_int_t
ngx_http_fota_case_store(ngx_http_fota_case_t *c, int st)
{
    if (st == FOTA_NOMEM) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                       "no_memory", NULL, NULL);
    }

    return ngx_http_fota_case_fail(c, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "no_policy", NULL,
                                   (st == FOTA_TOO_NEW)
                                   ? "this edge is too old for its policy"
                                   : "this edge cannot read its policy");
}


ngx_int_t
ngx_http_fota_case_find(ngx_http_fota_case_t *c, fota_str_t tenant,
    fota_str_t product, fota_str_t device)
{
    if (ngx_http_fota_case_tenant(c, tenant) != NGX_OK
        || ngx_http_fota_case_device(c, device) != NGX_OK
        || (c->explain == NULL
            && ngx_http_fota_device_auth(c, device) != NGX_OK))
    {
        return NGX_DECLINED;
    }

    return ngx_http_fota_case_product(c, product);
}


static ngx_int_t
ngx_http_fota_case_tenant(ngx_http_fota_case_t *c, fota_str_t tenant)
{
    int  rc;

    /* The record "*" is the installation and nobody's tenant. */

    rc = fota_str_eq(tenant, ngx_http_fota_everyone)
         ? FOTA_NOTFOUND
         : fota_view_tenant(c->rt->view, tenant, &c->tenant);

    if (rc == FOTA_NOTFOUND) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_NOT_FOUND,
                                       "unknown_tenant", "tenant",
                                       "is not known here");
    }

    if (rc != FOTA_OK) {
        return ngx_http_fota_case_store(c, rc);
    }

    rc = fota_view_tenant(c->rt->view, ngx_http_fota_everyone, &c->global);

    if (rc == FOTA_NOTFOUND) {
        c->global = NULL;

    } else if (rc != FOTA_OK) {
        return ngx_http_fota_case_store(c, rc);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_case_device(ngx_http_fota_case_t *c, fota_str_t device)
{
    int  rc;

    rc = fota_view_device(c->rt->view, &c->mem.mem, c->tenant->id, device,
                          &c->device);

    if (rc == FOTA_OK) {
        c->has_device = 1;
        return NGX_OK;
    }

    return (rc == FOTA_NOTFOUND) ? NGX_OK : ngx_http_fota_case_store(c, rc);
}


static ngx_int_t
ngx_http_fota_case_product(ngx_http_fota_case_t *c, fota_str_t product)
{
    int  rc;

    rc = fota_view_product(c->rt->view, c->tenant->id, product, &c->product);

    if (rc == FOTA_OK) {
        return NGX_OK;
    }

    if (rc == FOTA_NOTFOUND) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_NOT_FOUND,
                                       "unknown_product", "product",
                                       "is not known here");
    }

    return ngx_http_fota_case_store(c, rc);
}


ngx_int_t
ngx_http_fota_case_decide(ngx_http_fota_case_t *c)
{
    fota_policy_input_t   in;
    ngx_http_fota_ctx_t  *ctx;

    ctx = c->ctx;

    c->facts.id = c->req->device;
    c->facts.product = c->req->product;
    c->facts.version = c->req->version;
    c->facts.kind = fota_cstr(fota_kind_name(c->req->kind));
    c->facts.tz = c->req->tz;
    c->facts.attrs = c->req->attrs;
    c->facts.nattrs = c->req->nattrs;
    c->facts.set_attrs = c->has_device ? c->device.attrs : NULL;
    c->facts.nset_attrs = c->has_device ? c->device.nattrs : 0;
    c->facts.groups = c->has_device ? c->device.groups : NULL;
    c->facts.ngroups = c->has_device ? c->device.ngroups : 0;
    c->facts.locate = ngx_http_fota_locate;

    in.tenant = c->tenant;
    in.global = c->global;
    in.product = c->product;
    in.device = c->has_device ? &c->device : NULL;
    in.facts = &c->facts;
    in.kind = c->req->kind;
    in.no_delta = c->req->no_delta;
    in.cut_off = (ctx->lag > NGX_HTTP_FOTA_CUT_OFF);
    in.now = c->now;
    in.lag = ctx->lag;
    in.max_stale = (uint32_t) c->rt->conf->max_stale;

    if (c->explain != NULL) {
        c->env.trace = ngx_http_fota_env_trace;
    }

    if (fota_policy_decide(&c->mem.mem, &c->env, &in, &c->decision)
        != FOTA_OK)
    {
        return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                       "no_memory", NULL, NULL);
    }

    if (c->rt->conf->lua_name.len) {
        ngx_http_fota_hook(c);
    }

    return (c->decision.reason == FOTA_R_OFFER) ? ngx_http_fota_offer(c)
                                                : NGX_OK;
}


void
ngx_http_fota_case_answer(ngx_http_fota_case_t *c, fota_answer_t *answer)
{
    answer->decision = &c->decision;
    answer->product = c->product;
    answer->tenant = c->req->tenant;
    answer->policy_epoch = fota_view_meta(c->rt->view)->epoch;
    answer->policy_seq = c->ctx->policy_seq;
    answer->nurls = c->nurls;
    answer->urls = c->urls;
    answer->nhook = c->hook.nfields;
    answer->hook = c->hook.fields;
}


static ngx_http_fota_case_t *
ngx_http_fota_env_case(fota_policy_env_t *env)
{
    return (ngx_http_fota_case_t *)
               ((u_char *) env - offsetof(ngx_http_fota_case_t, env));
}


static const fota_zone_t *
ngx_http_fota_env_zone(fota_policy_env_t *env, fota_str_t name)
{
    return fota_view_zone(ngx_http_fota_env_case(env)->rt->view, name);
}


static void
ngx_http_fota_env_load(fota_policy_env_t *env, uint32_t rollout,
    fota_rollout_load_t *out)
{
    ngx_http_fota_zone_load(ngx_http_fota_env_case(env)->rt, rollout, out);
}


static void
ngx_http_fota_env_trace(fota_policy_env_t *env, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail)
{
    fota_explain_rollout(ngx_http_fota_env_case(env)->explain, r, reason,
                         detail);
}


const fota_location_t *
ngx_http_fota_locate(fota_facts_t *facts)
{
    ngx_http_fota_rt_t      *rt;
    ngx_http_fota_case_t    *c;
    const fota_geoprefix_t  *prefix;

    c = (ngx_http_fota_case_t *)
            ((u_char *) facts - offsetof(ngx_http_fota_case_t, facts));

    if (c->located) {
        return &c->location;
    }

    c->located = 1;
    rt = c->rt;

    if (c->has_addr
        && fota_view_prefix(rt->view, c->addr, &prefix) == FOTA_OK)
    {
        c->prefix_group = prefix->node_group;

        if (prefix->has_location) {
            c->location = prefix->location;
            c->ctx->geo_src = "prefix";
            ngx_http_fota_count(rt, GEO_PREFIX);
            goto found;
        }
    }

    if (c->has_addr && rt->geo != NULL
        && fota_geo_lookup(rt->geo, c->addr, &c->location) == FOTA_OK)
    {
        c->ctx->geo_src = "db";
        ngx_http_fota_count(rt, GEO_DB);
        goto found;
    }

    ngx_memzero(&c->location, sizeof(fota_location_t));
    c->ctx->geo_src = "none";
    ngx_http_fota_count(rt, GEO_UNKNOWN);

    return &c->location;

found:

    ngx_memcpy(c->ctx->geo_cc, c->location.country, sizeof(c->ctx->geo_cc));

    return &c->location;
}
