/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Setters of the directives of locations. */

#include "ngx_http_fota.h"
#include "ngx_http_fota_args.h"


static const ngx_http_fota_arg_t  ngx_http_fota_seen_args[] = {
    { "interval=", NGX_HTTP_FOTA_ARG_SEC, 1, 86400, 0 },
    { NULL, 0, 0, 0, 0 }
};


char *
ngx_http_fota_set_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_loc_conf_t *lcf = conf;

    u_char      *p, *end;
    ngx_int_t    four, six;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->bind != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lcf->bind = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 4 && ngx_strcmp(value[i].data, "cert") == 0) {
            lcf->bind |= FOTA_TOKEN_F_CERT;
            continue;
        }

        if (value[i].len == 3 && ngx_strcmp(value[i].data, "off") == 0) {
            lcf->bind = 0;
            continue;
        }

        if (!ngx_http_fota_args_is(&value[i], "ip=")) {
            return ngx_http_fota_args_unknown(cf, &value[i]);
        }

        end = value[i].data + value[i].len;
        p = ngx_strlchr(value[i].data, end, ',');

        four = NGX_ERROR;
        six = NGX_ERROR;

        if (p != NULL) {
            four = ngx_atoi(value[i].data + 3, p - value[i].data - 3);
            six = ngx_atoi(p + 1, end - p - 1);
        }

        if (four < 8 || four > 32 || six < 16 || six > 128) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", it must be "
                               "\"ip=V4,V6\" with prefix lengths of 8 to 32 "
                               "and 16 to 128", &value[i]);
            return NGX_CONF_ERROR;
        }

        lcf->bind |= FOTA_TOKEN_F_IP;
        lcf->bind4 = four;
        lcf->bind6 = six;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_seen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_loc_conf_t *lcf = conf;

    uint32_t    s;
    ngx_str_t  *value;

    if (lcf->seen != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->seen = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->seen = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\" or "
                           "\"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_http_fota_args_set(cf, &value[2], ngx_http_fota_seen_args, &s)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        lcf->seen_interval = s;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_loc_conf_t *lcf = conf;

    char                      *rv;
    ngx_command_t              plain;
    ngx_http_core_loc_conf_t  *clcf;

    /* The slot's "post" means something else there. */

    plain = *cmd;
    plain.post = NULL;

    rv = ngx_conf_set_flag_slot(cf, &plain, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (*(ngx_flag_t *) ((char *) conf + cmd->offset) == 0) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "cannot stand beside another content handler";
    }

    lcf->handler = (ngx_http_handler_pt) cmd->post;
    clcf->handler = lcf->handler;

    return NGX_CONF_OK;
}
