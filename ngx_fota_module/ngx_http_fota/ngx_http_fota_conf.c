/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Creating and merging configurations. */

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_need(ngx_conf_t *cf, ngx_flag_t on,
    const char *directive, ngx_str_t *value, const char *needed);


void *
ngx_http_fota_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_fota_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->max_stale = NGX_CONF_UNSET;
    mcf->lua_fail_closed = NGX_CONF_UNSET_UINT;
    mcf->select = fota_select_defaults;

    return mcf;
}


char *
ngx_http_fota_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_conf_init_value(mcf->max_stale, 15 * 60);
    ngx_conf_init_uint_value(mcf->lua_fail_closed, 0);

    if (mcf->zone_name.len == 0) {
        ngx_str_set(&mcf->zone_name, "default");
        mcf->zone_size = 4 * 1024 * 1024;
    }

    if (mcf->db.len || mcf->spool.len || mcf->geo_file.len
        || mcf->lua_name.len)
    {
        mcf->used = 1;
    }

    return NGX_CONF_OK;
}


void *
ngx_http_fota_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_fota_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_fota_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->check = NGX_CONF_UNSET;
    lcf->report = NGX_CONF_UNSET;
    lcf->explain = NGX_CONF_UNSET;
    lcf->status = NGX_CONF_UNSET;
    lcf->metrics = NGX_CONF_UNSET;
    lcf->health = NGX_CONF_UNSET;
    lcf->ready = NGX_CONF_UNSET;
    lcf->download = NGX_CONF_UNSET;
    lcf->digest = NGX_CONF_UNSET;
    lcf->seen = NGX_CONF_UNSET;
    lcf->seen_interval = NGX_CONF_UNSET;
    lcf->token = NGX_CONF_UNSET_UINT;
    lcf->bind = NGX_CONF_UNSET_UINT;
    lcf->max_ranges = NGX_CONF_UNSET;

    return lcf;
}


char *
ngx_http_fota_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_fota_loc_conf_t *prev = parent;
    ngx_http_fota_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_fota_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fota_module);

    /* Content handlers belong to one location and are not inherited. */

    ngx_conf_init_value(conf->check, 0);
    ngx_conf_init_value(conf->report, 0);
    ngx_conf_init_value(conf->explain, 0);
    ngx_conf_init_value(conf->status, 0);
    ngx_conf_init_value(conf->metrics, 0);
    ngx_conf_init_value(conf->health, 0);
    ngx_conf_init_value(conf->ready, 0);

    ngx_conf_merge_value(conf->download, prev->download, 0);
    ngx_conf_merge_value(conf->digest, prev->digest, 0);
    ngx_conf_merge_value(conf->seen, prev->seen, 0);
    ngx_conf_merge_value(conf->seen_interval, prev->seen_interval, 300);
    ngx_conf_merge_value(conf->max_ranges, prev->max_ranges, 16);
    ngx_conf_merge_uint_value(conf->token, prev->token,
                              NGX_HTTP_FOTA_TOKEN_OFF);

    if (conf->bind == NGX_CONF_UNSET_UINT) {
        conf->bind4 = prev->bind4;
        conf->bind6 = prev->bind6;
    }

    ngx_conf_merge_uint_value(conf->bind, prev->bind, 0);

    ngx_conf_merge_bitmask_value(conf->auth, prev->auth,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_FOTA_AUTH_ALL));

    if (conf->handler != NULL || conf->download || conf->digest
        || conf->token)
    {
        mcf->used = 1;
    }

    if (ngx_http_fota_need(cf, conf->check, "fota_check", &mcf->db,
                           "fota_db")
        != NGX_OK
        || ngx_http_fota_need(cf, conf->explain, "fota_explain", &mcf->db,
                              "fota_db")
           != NGX_OK
        || ngx_http_fota_need(cf, conf->report, "fota_report", &mcf->db,
                              "fota_db")
           != NGX_OK
        || ngx_http_fota_need(cf, conf->report, "fota_report", &mcf->spool,
                              "fota_spool")
           != NGX_OK
        || ngx_http_fota_need(cf, conf->seen, "fota_seen", &mcf->spool,
                              "fota_spool")
           != NGX_OK
        || ngx_http_fota_need(cf, conf->token != NGX_HTTP_FOTA_TOKEN_OFF,
                              "fota_token", &mcf->db, "fota_db")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "proxy_pass" and its like overwrite the handler without a word. */

    if (conf->handler != NULL && clcf->handler != conf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has another content handler "
                           "beside that of fota", &clcf->name);
        return NGX_CONF_ERROR;
    }

    /*
     * A body of the size allowed must stay in memory: reading it back from
     * a temporary file would block the worker.  Core merged before us.
     */

    if (conf->check || conf->report) {

        if (clcf->client_body_buffer_size < FOTA_BODY_MAX + 1024) {
            clcf->client_body_buffer_size = FOTA_BODY_MAX + 1024;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_fota_need(ngx_conf_t *cf, ngx_flag_t on, const char *directive,
    ngx_str_t *value, const char *needed)
{
    if (!on || value->len != 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" needs \"%s\" in the http block", directive,
                       needed);

    return NGX_ERROR;
}
