/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Setters of the directives of the hook. */

#include "ngx_http_fota.h"
#include "ngx_http_fota_args.h"


static char *ngx_http_fota_lua_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *source);


static const ngx_http_fota_arg_t  ngx_http_fota_lua_args[] = {
    { "instructions=", NGX_HTTP_FOTA_ARG_NUMBER, 1000, 100000000,
      offsetof(ngx_http_fota_main_conf_t, lua_instructions) },
    { "memory=", NGX_HTTP_FOTA_ARG_SIZE, 256 * 1024, 0,
      offsetof(ngx_http_fota_main_conf_t, lua_memory) },
    { NULL, 0, 0, 0, 0 }
};


char *
ngx_http_fota_set_lua(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    char         err[512], *rv;
    ngx_str_t   *value;
    const char  *conflict;

    if (mcf->lua_name.len) {
        return "is duplicate: one of \"fota_lua\" and \"fota_lua_trusted\"";
    }

    value = cf->args->elts;

    if (ngx_http_fota_args_file(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conflict = fota_script_conflict();

    if (conflict != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", conflict);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_fota_lua_read(cf, &value[1], &mcf->lua_source);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (fota_script_compile(fota_slice(mcf->lua_source.data,
                                       mcf->lua_source.len),
                            (char *) value[1].data, err, sizeof(err))
        != FOTA_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_CONF_ERROR;
    }

    mcf->lua_name = value[1];
    mcf->lua_trusted = cmd->offset;

    return NGX_CONF_OK;
}


static char *
ngx_http_fota_lua_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *source)
{
    ssize_t     n;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *name;
    file.log = cf->log;

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE
        || ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\" cannot be read", name);

        if (file.fd != NGX_INVALID_FILE) {
            (void) ngx_close_file(file.fd);
        }

        return NGX_CONF_ERROR;
    }

    source->len = ngx_file_size(&file.info);
    source->data = NULL;

    if (source->len <= 1024 * 1024) {
        source->data = ngx_palloc(cf->pool, source->len + 1);
    }

    n = (source->data == NULL)
        ? NGX_ERROR
        : ngx_read_file(&file, source->data, source->len, 0);

    (void) ngx_close_file(file.fd);

    if (n != (ssize_t) source->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be read or is over 1 MiB", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_lua_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (mcf->lua_limits_set) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->lua_limits_set = 1;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_fota_args_set(cf, &value[i], ngx_http_fota_lua_args, mcf)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
