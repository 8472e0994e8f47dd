/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Parsing of single directive arguments; errors are logged with file:line. */

#ifndef NGX_HTTP_FOTA_ARGS_H
#define NGX_HTTP_FOTA_ARGS_H

#include <ngx_config.h>
#include <ngx_core.h>

/* Does the argument begin with "key="? */
ngx_uint_t ngx_http_fota_args_is(ngx_str_t *value, const char *key);
/* Relative to nginx's prefix, and not empty. */
ngx_int_t ngx_http_fota_args_path(ngx_conf_t *cf, ngx_str_t *path);
/* The same, and a regular file that workers may read. */
ngx_int_t ngx_http_fota_args_file(ngx_conf_t *cf, ngx_str_t *path);
/*
 * May workers do with it what mask says (04 read, 02 write, 01 search), and
 * get there?  NGX_DECLINED when not, with errno; nothing is logged.
 */
ngx_int_t ngx_http_fota_args_allowed(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t mask);
ngx_int_t ngx_http_fota_args_size(ngx_conf_t *cf, ngx_str_t *value,
    const char *key, size_t min, size_t *out);
ngx_int_t ngx_http_fota_args_msec(ngx_conf_t *cf, ngx_str_t *value,
    const char *key, ngx_msec_t min, ngx_msec_t max, ngx_msec_t *out);
ngx_int_t ngx_http_fota_args_sec(ngx_conf_t *cf, ngx_str_t *value,
    const char *key, ngx_uint_t min, ngx_uint_t max, uint32_t *out);
ngx_int_t ngx_http_fota_args_double(ngx_conf_t *cf, ngx_str_t *value,
    const char *key, double min, double max, double *out);
ngx_int_t ngx_http_fota_args_number(ngx_conf_t *cf, ngx_str_t *value,
    const char *key, ngx_int_t min, ngx_int_t max, ngx_uint_t *out);
/* Logs and gives NGX_CONF_ERROR. */
char *ngx_http_fota_args_unknown(ngx_conf_t *cf, ngx_str_t *value);

#endif /* NGX_HTTP_FOTA_ARGS_H */
