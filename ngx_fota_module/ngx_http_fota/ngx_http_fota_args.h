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
/* A number of the form "key=value", and where it is kept. */

typedef enum {
    NGX_HTTP_FOTA_ARG_SIZE,                     /* size_t, max is 0: none */
    NGX_HTTP_FOTA_ARG_MSEC,                     /* ngx_msec_t */
    NGX_HTTP_FOTA_ARG_SEC,                      /* uint32_t */
    NGX_HTTP_FOTA_ARG_NUMBER,                   /* uint32_t */
    NGX_HTTP_FOTA_ARG_DOUBLE                    /* double */
} ngx_http_fota_arg_e;

typedef struct {
    const char           *key;                  /* with "=" */
    ngx_http_fota_arg_e   type;
    double                min;
    double                max;
    size_t                offset;               /* in conf */
} ngx_http_fota_arg_t;

ngx_int_t ngx_http_fota_args_value(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *arg, void *conf);
/* The same with the one of args whose key it has; the last has none. */
ngx_int_t ngx_http_fota_args_set(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *args, void *conf);
/* Logs and gives NGX_CONF_ERROR. */
char *ngx_http_fota_args_unknown(ngx_conf_t *cf, ngx_str_t *value);

#endif /* NGX_HTTP_FOTA_ARGS_H */
