/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The module: its directives, its phases, its life. */

#include "ngx_http_fota.h"


#define FOTA_LOC(field)   offsetof(ngx_http_fota_loc_conf_t, field)
#define FOTA_MAIN(field)  offsetof(ngx_http_fota_main_conf_t, field)


static ngx_int_t ngx_http_fota_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_fota_postconfiguration(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_http_fota_token_modes[] = {
    { ngx_string("off"), NGX_HTTP_FOTA_TOKEN_OFF },
    { ngx_string("optional"), NGX_HTTP_FOTA_TOKEN_OPTIONAL },
    { ngx_string("required"), NGX_HTTP_FOTA_TOKEN_REQUIRED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_fota_lua_fail[] = {
    { ngx_string("open"), 0 },
    { ngx_string("closed"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_fota_auth_methods[] = {
    { ngx_string("open"), FOTA_AUTH_OPEN },
    { ngx_string("gateway"), FOTA_AUTH_GATEWAY },
    { ngx_string("device"), FOTA_AUTH_DEVICE },
    { ngx_string("mtls"), FOTA_AUTH_MTLS },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_fota_max_ranges = {
    ngx_conf_check_num_bounds, 1, 256
};


static ngx_command_t  ngx_http_fota_commands[] = {

    { ngx_string("fota_db"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_fota_set_db,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_fota_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_node_id"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_fota_set_node,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fota_set_spool,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_geoip"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fota_set_geoip,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_select"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fota_set_select,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_rate_class"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_fota_set_rate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_max_stale_offer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      FOTA_MAIN(max_stale),
      NULL },

    { ngx_string("fota_lua"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_fota_set_lua,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_lua_trusted"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_fota_set_lua,
      NGX_HTTP_MAIN_CONF_OFFSET,
      1,
      NULL },

    { ngx_string("fota_lua_fail"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      FOTA_MAIN(lua_fail_closed),
      &ngx_http_fota_lua_fail },

    { ngx_string("fota_lua_limits"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fota_set_lua_limits,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(auth),
      &ngx_http_fota_auth_methods },

    { ngx_string("fota_seen"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_fota_set_seen,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_download"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(download),
      NULL },

    { ngx_string("fota_digest"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(digest),
      NULL },

    { ngx_string("fota_max_ranges"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(max_ranges),
      &ngx_http_fota_max_ranges },

    { ngx_string("fota_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(token),
      &ngx_http_fota_token_modes },

    { ngx_string("fota_token_bind"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_fota_set_bind,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fota_check"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(check),
      ngx_http_fota_check_handler },

    { ngx_string("fota_report"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(report),
      ngx_http_fota_report_handler },

    { ngx_string("fota_explain"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(explain),
      ngx_http_fota_explain_handler },

    { ngx_string("fota_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(status),
      ngx_http_fota_status_handler },

    { ngx_string("fota_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(metrics),
      ngx_http_fota_metrics_handler },

    { ngx_string("fota_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(health),
      ngx_http_fota_health_handler },

    { ngx_string("fota_ready"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_fota_set_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      FOTA_LOC(ready),
      ngx_http_fota_ready_handler },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_fota_module_ctx = {
    ngx_http_fota_preconfiguration,        /* preconfiguration */
    ngx_http_fota_postconfiguration,       /* postconfiguration */

    ngx_http_fota_create_main_conf,        /* create main configuration */
    ngx_http_fota_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_fota_create_loc_conf,         /* create location configuration */
    ngx_http_fota_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_fota_module = {
    NGX_MODULE_V1,
    &ngx_http_fota_module_ctx,             /* module context */
    ngx_http_fota_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_fota_init_worker,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_fota_exit_worker,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_fota_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_fota_add_variables(cf);
}


static ngx_int_t
ngx_http_fota_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_fota_main_conf_t  *mcf;

    static const struct {
        ngx_http_phases      phase;
        ngx_http_handler_pt  handler;
    } phases[] = {
        { NGX_HTTP_POST_READ_PHASE, ngx_http_fota_hide_handler },
        { NGX_HTTP_ACCESS_PHASE, ngx_http_fota_token_handler },
        { NGX_HTTP_CONTENT_PHASE, ngx_http_fota_download_handler },
        { NGX_HTTP_LOG_PHASE, ngx_http_fota_log_handler }
    };

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fota_module);

    if (!mcf->used) {
        return NGX_OK;
    }

    if (ngx_http_fota_zone_add(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {

        h = ngx_array_push(&cmcf->phases[phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phases[i].handler;
    }

    return NGX_OK;
}
