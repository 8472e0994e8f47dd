/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A worker's runtime: its view of policy and the timer that keeps it. */

#include "ngx_http_fota.h"


static ngx_http_fota_rt_t *ngx_http_fota_rt_create(ngx_cycle_t *cycle,
    ngx_http_fota_main_conf_t *mcf);
static void ngx_http_fota_rt_destroy(void *data);
static void ngx_http_fota_timer(ngx_event_t *ev);
static void ngx_http_fota_view_log(void *ctx, fota_status_e st,
    const char *text);
static void ngx_http_fota_script_init(ngx_http_fota_rt_t *rt);


ngx_int_t
ngx_http_fota_init_worker(ngx_cycle_t *cycle)
{
    ngx_http_fota_main_conf_t  *mcf;

    /* Cache manager and loader come by here too. */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_fota_module);

    if (mcf == NULL || !mcf->used) {
        return NGX_OK;
    }

    /*
     * An error here would be "cannot be respawned": whatever is missing is
     * reported, tried again by the timer, and answered with 503 meanwhile.
     */

    (void) ngx_http_fota_rt_create(cycle, mcf);

    return NGX_OK;
}


void
ngx_http_fota_exit_worker(ngx_cycle_t *cycle)
{
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_fota_module);

    if (mcf != NULL && mcf->rt != NULL) {
        ngx_http_fota_rt_destroy(mcf);
    }
}


ngx_http_fota_rt_t *
ngx_http_fota_rt(ngx_http_request_t *r)
{
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_fota_module);

    if (mcf->rt != NULL) {
        return mcf->rt;
    }

    /* A reload without a master does not call init_process again. */

    if (ngx_process == NGX_PROCESS_SINGLE && mcf->used) {
        return ngx_http_fota_rt_create((ngx_cycle_t *) ngx_cycle, mcf);
    }

    return NULL;
}


static ngx_http_fota_rt_t *
ngx_http_fota_rt_create(ngx_cycle_t *cycle, ngx_http_fota_main_conf_t *mcf)
{
    ngx_http_fota_rt_t  *rt;
    ngx_pool_cleanup_t  *cln;

    /* Not from the pool: its memory is touched page by page as needed. */

    rt = ngx_calloc(sizeof(ngx_http_fota_rt_t), cycle->log);
    if (rt == NULL) {
        return NULL;
    }

    rt->conf = mcf;
    rt->log = cycle->log;
    rt->shm = mcf->zone->data;
    rt->configuration = rt->shm->configurations;
    ngx_queue_init(&rt->transfers);

    if (ngx_http_fota_settle_init(rt) != NGX_OK) {
        ngx_free(rt);
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        ngx_http_fota_settle_exit(rt);
        ngx_free(rt);
        return NULL;
    }

    cln->handler = ngx_http_fota_rt_destroy;
    cln->data = mcf;

    mcf->rt = rt;

    if (fota_crypto_selftest() != FOTA_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "fota: the crypto library fails its self-test");
    }

    ngx_http_fota_zone_attach(rt);

    if (mcf->db.len) {
        rt->view = fota_view_create((char *) mcf->db.data, mcf->map_size,
                                    ngx_http_fota_view_log, rt);
        if (rt->view == NULL) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                          "fota: no memory for the view of policy");
        }
    }

    if (mcf->geo_file.len) {
        ngx_http_fota_geo_init(rt);
    }

    if (mcf->lua_name.len) {
        ngx_http_fota_script_init(rt);
    }

    if (mcf->spool.len && ngx_http_fota_spool_init(rt) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "fota: no memory for the spool");
    }

    rt->timer.handler = ngx_http_fota_timer;
    rt->timer.data = rt;
    rt->timer.log = cycle->log;
    rt->timer.cancelable = 1;

    ngx_add_timer(&rt->timer, NGX_HTTP_FOTA_REFRESH);

    return rt;
}


static void
ngx_http_fota_rt_destroy(void *data)
{
    ngx_http_fota_main_conf_t *mcf = data;

    ngx_http_fota_rt_t  *rt;

    rt = mcf->rt;

    if (rt == NULL) {
        return;
    }

    mcf->rt = NULL;

    if (rt->timer.timer_set) {
        ngx_del_timer(&rt->timer);
    }

    ngx_http_fota_settle_exit(rt);

    if (rt->spool != NULL) {
        ngx_http_fota_spool_exit(rt);
    }

    fota_view_destroy(rt->view);

    if (rt->geo != NULL) {
        fota_geo_close(rt->geo);
    }

    if (rt->script != NULL) {
        fota_script_destroy(rt->script);
    }

    ngx_http_fota_zone_detach(rt);

    ngx_free(rt);
}


static void
ngx_http_fota_script_init(ngx_http_fota_rt_t *rt)
{
    char                        err[512];
    fota_script_opt_t           opt;
    ngx_http_fota_main_conf_t  *mcf;

    mcf = rt->conf;

    ngx_memzero(&opt, sizeof(fota_script_opt_t));
    opt.instructions = mcf->lua_instructions;
    opt.memory = mcf->lua_memory;
    opt.trusted = mcf->lua_trusted;

    if (fota_script_create(&rt->script, fota_slice(mcf->lua_source.data,
                                                   mcf->lua_source.len),
                           (char *) mcf->lua_name.data, &opt, err,
                           sizeof(err))
        != FOTA_OK)
    {
        rt->script = NULL;
        ngx_log_error(NGX_LOG_ERR, rt->log, 0,
                      "fota: the policy hook cannot be started: %s", err);
    }
}


static void
ngx_http_fota_view_log(void *ctx, fota_status_e st, const char *text)
{
    ngx_http_fota_rt_t *rt = ctx;

    ngx_uint_t  level;

    level = (st == FOTA_OK) ? NGX_LOG_NOTICE : NGX_LOG_ERR;

    ngx_log_error(level, rt->log, 0, "fota: %s", text);
}


static void
ngx_http_fota_timer(ngx_event_t *ev)
{
    ngx_http_fota_rt_t *rt = ev->data;

    if (rt->view != NULL) {
        fota_view_refresh(rt->view);
    }

    ngx_http_fota_transfers_tick(rt);
    ngx_http_fota_zone_tick(rt);

    if (rt->conf->geo_file.len) {
        ngx_http_fota_geo_tick(rt);
    }

    if (rt->spool != NULL) {
        ngx_http_fota_spool_tick(rt);
    }

    if (!ngx_exiting || !ngx_queue_empty(&rt->transfers)) {
        ngx_add_timer(ev, NGX_HTTP_FOTA_REFRESH);
    }
}


uint32_t
ngx_http_fota_lag(const fota_meta_t *meta)
{
    uint64_t  now;

    now = (uint64_t) ngx_time();

    if (meta->fresh >= now) {
        return 0;
    }

    return (uint32_t) ngx_min(now - meta->fresh, UINT32_MAX);
}


int
ngx_http_fota_begin(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx)
{
    int                 rc;
    const fota_meta_t  *meta;

    if (rt == NULL || rt->view == NULL) {
        return FOTA_ERROR;
    }

    rc = fota_view_begin(rt->view);

    if (rc == FOTA_OK) {
        meta = fota_view_meta(rt->view);

        ctx->has_policy = 1;
        ctx->policy_seq = meta->seq;
        ctx->lag = ngx_http_fota_lag(meta);
    }

    return rc;
}


ngx_int_t
ngx_http_fota_no_policy(ngx_http_request_t *r, int st)
{
    const char  *detail;

    switch (st) {

    case FOTA_NOTFOUND:
        detail = "this edge holds no policy yet";
        break;

    case FOTA_TOO_NEW:
        detail = "this edge is too old for its policy";
        break;

    case FOTA_CORRUPT:
        detail = "the policy of this edge is damaged";
        break;

    default:
        detail = "this edge cannot read its policy";
        break;
    }

    return ngx_http_fota_problem_retry(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "no_policy", detail,
                                       NGX_HTTP_FOTA_RETRY_AFTER);
}


void
ngx_http_fota_end(ngx_http_fota_rt_t *rt)
{
    fota_view_end(rt->view);
}


void
ngx_http_fota_self(ngx_http_fota_rt_t *rt)
{
    uint32_t                i;
    uint64_t                generation, id;
    fota_str_t              name;
    const fota_node_t      *n;
    const fota_node_set_t  *set;

    generation = fota_view_generation(rt->view);

    if (rt->generation == generation) {
        return;
    }

    rt->generation = generation;
    rt->node = 0;
    rt->group = 0;
    rt->cap_mbps = 0;

    name = fota_slice(rt->conf->node_id.data, rt->conf->node_id.len);

    if (fota_str_u64(name, UINT32_MAX, &id) != FOTA_OK) {
        id = 0;
    }

    /* Records carry the id even while the node is not in policy. */

    rt->node = (uint32_t) id;

    set = fota_view_nodes(rt->view);

    for (i = 0; set != NULL && i < set->n; i++) {
        n = &set->nodes[i].node;

        if ((id != 0 && n->id == id) || fota_str_eq(n->name, name)) {
            rt->node = n->id;
            rt->group = n->group;
            rt->cap_mbps = n->cap_mbps;
            return;
        }
    }
}
