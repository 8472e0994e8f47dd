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


ngx_int_t
ngx_http_fota_args_number(ngx_conf_t *cf, ngx_str_t *value, const char *key,
    ngx_int_t min, ngx_int_t max, ngx_uint_t *out)
{
    char        low[32], high[32];
    size_t      len;
    ngx_int_t   n;

    len = ngx_strlen(key);
    n = ngx_atoi(value->data + len, value->len - len);

    if (n < min || n > max) {
        (void) ngx_snprintf((u_char *) low, sizeof(low), "%i%Z", min);
        (void) ngx_snprintf((u_char *) high, sizeof(high), "%i%Z", max);
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
