/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "ngx_http_fota_args.h"


static ngx_int_t ngx_http_fota_args_bad(ngx_conf_t *cf, ngx_str_t *value,
    const char *min, const char *max);


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

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_args_writable(ngx_conf_t *cf, ngx_str_t *path,
    ngx_file_info_t *fi)
{
    uid_t             uid;
    gid_t             gid, *groups;
    int               i, n;
    struct passwd    *pw;
    ngx_core_conf_t  *ccf;

    /* Set only by root; anyone else runs workers as himself. */

    if (geteuid() != 0) {

        if (access((char *) path->data, W_OK|X_OK) == 0) {
            return NGX_OK;
        }

        goto refused;
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

    uid = pw->pw_uid;
    gid = (ccf->group == (ngx_gid_t) NGX_CONF_UNSET_UINT) ? pw->pw_gid
                                                          : ccf->group;

    if (fi->st_uid == uid) {

        if ((fi->st_mode & 0300) == 0300) {
            return NGX_OK;
        }

        goto refused;
    }

    n = 64;
    groups = ngx_palloc(cf->temp_pool, n * sizeof(gid_t));

    if (groups == NULL) {
        return NGX_ERROR;
    }

    if (getgrouplist(pw->pw_name, gid, groups, &n) == -1) {
        n = 64;
    }

    for (i = 0; i < n; i++) {
        if (groups[i] != fi->st_gid) {
            continue;
        }

        if ((fi->st_mode & 0030) == 0030) {
            return NGX_OK;
        }

        goto refused;
    }

    if ((fi->st_mode & 0003) == 0003) {
        return NGX_OK;
    }

refused:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, NGX_EACCES,
                       "workers may not write into \"%V\"", path);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_fota_args_size(ngx_conf_t *cf, ngx_str_t *value, const char *key,
    size_t min, size_t *out)
{
    char       text[32];
    off_t      n;
    ngx_str_t  s;

    s.data = value->data + ngx_strlen(key);
    s.len = value->len - ngx_min(value->len, ngx_strlen(key));

    n = ngx_http_fota_args_is(value, key) ? ngx_parse_offset(&s) : NGX_ERROR;

    if (n == NGX_ERROR || n < (off_t) min || s.len == 0) {
        (void) ngx_snprintf((u_char *) text, sizeof(text), "%s%uz%Z", key,
                            min);
        return ngx_http_fota_args_bad(cf, value, text, NULL);
    }

    *out = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_args_msec(ngx_conf_t *cf, ngx_str_t *value, const char *key,
    ngx_msec_t min, ngx_msec_t max, ngx_msec_t *out)
{
    char       low[32], high[32];
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = value->data + ngx_strlen(key);
    s.len = value->len - ngx_strlen(key);

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || s.len == 0 || n < (ngx_int_t) min
        || n > (ngx_int_t) max)
    {
        (void) ngx_snprintf((u_char *) low, sizeof(low), "%Mms%Z", min);
        (void) ngx_snprintf((u_char *) high, sizeof(high), "%Mms%Z", max);
        return ngx_http_fota_args_bad(cf, value, low, high);
    }

    *out = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_args_sec(ngx_conf_t *cf, ngx_str_t *value, const char *key,
    ngx_uint_t min, ngx_uint_t max, uint32_t *out)
{
    char       low[32], high[32];
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = value->data + ngx_strlen(key);
    s.len = value->len - ngx_strlen(key);

    n = ngx_parse_time(&s, 1);

    if (n == NGX_ERROR || s.len == 0 || n < (ngx_int_t) min
        || n > (ngx_int_t) max)
    {
        (void) ngx_snprintf((u_char *) low, sizeof(low), "%uis%Z", min);
        (void) ngx_snprintf((u_char *) high, sizeof(high), "%uis%Z", max);
        return ngx_http_fota_args_bad(cf, value, low, high);
    }

    *out = (uint32_t) n;

    return NGX_OK;
}


ngx_int_t
ngx_http_fota_args_double(ngx_conf_t *cf, ngx_str_t *value, const char *key,
    double min, double max, double *out)
{
    char    low[32], high[32], *end;
    double  n;
    u_char  *p;

    p = value->data + ngx_strlen(key);
    n = strtod((char *) p, &end);

    if (end == (char *) p || *end != '\0' || !(n >= min && n <= max)) {
        (void) snprintf(low, sizeof(low), "%g", min);
        (void) snprintf(high, sizeof(high), "%g", max);
        return ngx_http_fota_args_bad(cf, value, low, high);
    }

    *out = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_args_bad(ngx_conf_t *cf, ngx_str_t *value, const char *min,
    const char *max)
{
    if (max == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", at least \"%s\" is needed",
                           value, min);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must lie between %s "
                           "and %s", value, min, max);
    }

    return NGX_ERROR;
}


char *
ngx_http_fota_args_unknown(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}
