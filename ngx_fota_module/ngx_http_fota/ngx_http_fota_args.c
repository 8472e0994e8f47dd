/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "ngx_http_fota_args.h"


/* Who workers are. */

#define FOTA_WORKER_GROUPS  64

typedef struct {
    uid_t  uid;
    gid_t  gid;
    gid_t  groups[FOTA_WORKER_GROUPS];
    int    n;
} ngx_http_fota_worker_id_t;


static ngx_int_t ngx_http_fota_args_mode(ngx_http_fota_worker_id_t *id,
    u_char *name, ngx_uint_t mask);
static ngx_int_t ngx_http_fota_args_bad(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *arg, const char *unit);


ngx_uint_t
ngx_http_fota_args_is(ngx_str_t *value, const char *key)
{
    return ngx_strncmp(value->data, key, ngx_strlen(key)) == 0;
}


ngx_int_t
ngx_http_fota_args_path(ngx_conf_t *cf, ngx_str_t *path)
{
    if (path->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty path");
        return NGX_ERROR;
    }

    return ngx_conf_full_name(cf->cycle, path, 0);
}


ngx_int_t
ngx_http_fota_args_file(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    /* Names of files are relative to the configuration. */

    if (path->len == 0 || ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty path");
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "file \"%V\" cannot be opened", path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a regular file", path);
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    (void) ngx_close_file(fd);

    if (ngx_http_fota_args_allowed(cf, path, 04) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "workers may not read \"%V\"", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_args_allowed(ngx_conf_t *cf, ngx_str_t *path, ngx_uint_t mask)
{
    u_char                     *p, *name;
    ngx_int_t                   rc;
    struct passwd              *pw;
    ngx_core_conf_t            *ccf;
    ngx_http_fota_worker_id_t   id;

    /* Set only by root; anyone else runs workers as himself. */

    if (geteuid() != 0) {
        return (access((char *) path->data, (int) mask) == 0) ? NGX_OK
                                                              : NGX_DECLINED;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        pw = getpwnam(NGX_USER);

    } else {
        pw = getpwuid(ccf->user);
    }

    if (pw == NULL || pw->pw_uid == 0) {
        return NGX_OK;
    }

    id.uid = pw->pw_uid;
    id.gid = (ccf->group == (ngx_gid_t) NGX_CONF_UNSET_UINT) ? pw->pw_gid
                                                             : ccf->group;
    id.n = FOTA_WORKER_GROUPS;

    if (getgrouplist(pw->pw_name, id.gid, id.groups, &id.n) == -1) {
        id.n = FOTA_WORKER_GROUPS;
    }

    name = ngx_pnalloc(cf->temp_pool, path->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(name, path->data, path->len + 1);

    for (p = name + 1; *p != '\0'; p++) {

        if (*p != '/') {
            continue;
        }

        *p = '\0';
        rc = ngx_http_fota_args_mode(&id, name, 01);
        *p = '/';

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_fota_args_mode(&id, name, mask);
}


static ngx_int_t
ngx_http_fota_args_mode(ngx_http_fota_worker_id_t *id, u_char *name,
    ngx_uint_t mask)
{
    int              i;
    ngx_file_info_t  fi;

    if (ngx_file_info(name, &fi) == NGX_FILE_ERROR) {
        return NGX_DECLINED;
    }

    if (fi.st_uid == id->uid) {
        mask <<= 6;

    } else {
        for (i = 0; i < id->n; i++) {
            if (id->groups[i] == fi.st_gid) {
                mask <<= 3;
                break;
            }
        }
    }

    if ((fi.st_mode & mask) == mask) {
        return NGX_OK;
    }

    ngx_set_errno(NGX_EACCES);

    return NGX_DECLINED;
}


/* Every number here is exact as a double. */

ngx_int_t
ngx_http_fota_args_value(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *arg, void *conf)
{
    char        *end;
    void        *field;
    double       n;
    ngx_str_t    s;
    const char  *unit;

    if (!ngx_http_fota_args_is(value, arg->key)) {
        return ngx_http_fota_args_bad(cf, value, arg, "");
    }

    s.data = value->data + ngx_strlen(arg->key);
    s.len = value->len - ngx_strlen(arg->key);
    unit = "";

    switch (arg->type) {

    case NGX_HTTP_FOTA_ARG_SIZE:
        n = ngx_parse_offset(&s);
        break;

    case NGX_HTTP_FOTA_ARG_MSEC:
        n = ngx_parse_time(&s, 0);
        unit = "ms";
        break;

    case NGX_HTTP_FOTA_ARG_SEC:
        n = ngx_parse_time(&s, 1);
        unit = "s";
        break;

    case NGX_HTTP_FOTA_ARG_NUMBER:
        n = ngx_atoi(s.data, s.len);
        break;

    default: /* NGX_HTTP_FOTA_ARG_DOUBLE */
        n = strtod((char *) s.data, &end);
        n = (*end == '\0') ? n : NGX_ERROR;
        break;
    }

    if (s.len == 0 || !(n >= arg->min && (n <= arg->max || arg->max == 0))) {
        return ngx_http_fota_args_bad(cf, value, arg, unit);
    }

    field = (u_char *) conf + arg->offset;

    switch (arg->type) {

    case NGX_HTTP_FOTA_ARG_SIZE:
        *(size_t *) field = (size_t) n;
        break;

    case NGX_HTTP_FOTA_ARG_MSEC:
        *(ngx_msec_t *) field = (ngx_msec_t) n;
        break;

    case NGX_HTTP_FOTA_ARG_DOUBLE:
        *(double *) field = n;
        break;

    default:
        *(uint32_t *) field = (uint32_t) n;
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_args_bad(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *arg, const char *unit)
{
    char  text[96];

    if (arg->max == 0) {
        (void) snprintf(text, sizeof(text), "at least \"%s%.0f\" is needed",
                        arg->key, arg->min);

    } else {
        (void) snprintf(text, sizeof(text),
                        "it must lie between %.15g%s and %.15g%s",
                        arg->min, unit, arg->max, unit);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\", %s",
                       value, text);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_fota_args_set(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_http_fota_arg_t *args, void *conf)
{
    for ( /* void */ ; args->key != NULL; args++) {
        if (ngx_http_fota_args_is(value, args->key)) {
            return ngx_http_fota_args_value(cf, value, args, conf);
        }
    }

    (void) ngx_http_fota_args_unknown(cf, value);

    return NGX_ERROR;
}


char *
ngx_http_fota_args_unknown(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}
