/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Setters of the directives of the http block. */

#include "ngx_http_fota.h"
#include "ngx_http_fota_args.h"


#define FOTA_MAP_MIN     (1024 * 1024)
#define FOTA_MAP_MAX     ((size_t) 1 << 46)    /* of the address space */
#define FOTA_SPOOL_MIN   (1024 * 1024)
#define FOTA_ZONE_MIN    (1024 * 1024)


#define FOTA_MAIN(field)  offsetof(ngx_http_fota_main_conf_t, field)


static char *ngx_http_fota_db_readable(ngx_conf_t *cf, ngx_str_t *db);


static const ngx_http_fota_arg_t  ngx_http_fota_db_size = {
    "map_size=", NGX_HTTP_FOTA_ARG_SIZE, FOTA_MAP_MIN, 0, FOTA_MAIN(map_size)
};


static const ngx_http_fota_arg_t  ngx_http_fota_spool_args[] = {
    { "commit=", NGX_HTTP_FOTA_ARG_MSEC, 1, 1000, FOTA_MAIN(spool_commit) },
    { "size=", NGX_HTTP_FOTA_ARG_SIZE, FOTA_SPOOL_MIN, 0,
      FOTA_MAIN(spool_size) },
    { NULL, 0, 0, 0, 0 }
};


static const ngx_http_fota_arg_t  ngx_http_fota_select_args[] = {
    { "band=", NGX_HTTP_FOTA_ARG_DOUBLE, 1, 100, FOTA_MAIN(select.band) },
    { "band_km=", NGX_HTTP_FOTA_ARG_DOUBLE, 0, 20038,
      FOTA_MAIN(select.band_km) },
    { "max_km=", NGX_HTTP_FOTA_ARG_DOUBLE, 0, 20038,
      FOTA_MAIN(select.max_km) },
    { "min=", NGX_HTTP_FOTA_ARG_NUMBER, 1, 64, FOTA_MAIN(select.min) },
    { "health=", NGX_HTTP_FOTA_ARG_SEC, 1, 86400,
      FOTA_MAIN(select.health_s) },
    { NULL, 0, 0, 0, 0 }
};


char *
ngx_http_fota_set_db(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t        *value;
    ngx_file_info_t   fi;

    if (mcf->db.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->map_size = FOTA_STORE_MAP_DEFAULT;

    if (ngx_http_fota_args_path(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3
        && ngx_http_fota_args_value(cf, &value[2], &ngx_http_fota_db_size,
                                    mcf)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (mcf->map_size > FOTA_MAP_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", at most \"map_size=%uz\" "
                           "is possible", &value[2], FOTA_MAP_MAX);
        return NGX_CONF_ERROR;
    }

    mcf->db = value[1];

    /*
     * Only looked at: the database is opened by workers alone, because an
     * LMDB environment does not survive fork() and would be root's here.
     */

    if (ngx_file_info(mcf->db.data, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "policy directory \"%V\" cannot be used",
                               &mcf->db);
            return NGX_CONF_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "policy directory \"%V\" does not exist yet, "
                           "checks answer 503 until it does", &mcf->db);
        return NGX_CONF_OK;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a directory", &mcf->db);
        return NGX_CONF_ERROR;
    }

    return ngx_http_fota_db_readable(cf, &mcf->db);
}


/* What lies there is data: it may be put right without a reload. */

static char *
ngx_http_fota_db_readable(ngx_conf_t *cf, ngx_str_t *db)
{
    u_char           *last;
    ngx_str_t         path;
    ngx_uint_t        i;
    ngx_file_info_t   fi;

    static const struct {
        const char  *name;
        ngx_uint_t   mask;
    } needed[] = {
        { "", 01 },
        { "/current", 01 },
        { "/current/data.mdb", 04 },
        { "/current/lock.mdb", 06 }
    };

    path.data = ngx_pnalloc(cf->temp_pool,
                            db->len + sizeof("/current/data.mdb"));
    if (path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {

        last = ngx_sprintf(path.data, "%V%s%Z", db, needed[i].name);
        path.len = last - path.data - 1;

        if (ngx_file_info(path.data, &fi) == NGX_FILE_ERROR) {
            break;
        }

        if (ngx_http_fota_args_allowed(cf, &path, needed[i].mask) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                               "workers may not %s \"%V\", checks answer 503 "
                               "until they may",
                               (needed[i].mask == 06) ? "write"
                               : (needed[i].mask == 04) ? "read" : "enter",
                               &path);
            break;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mcf->zone_name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR || value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < FOTA_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, at least 1m is needed",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    mcf->zone_name = value[1];
    mcf->zone_size = size;

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t  *value;

    if (mcf->node_id.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > FOTA_NAME_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "node name must have 1 to %d bytes",
                           FOTA_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    mcf->node_id = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_file_info_t   fi;

    if (mcf->spool.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    mcf->spool_size = 1024 * 1024 * 1024;
    mcf->spool_commit = 10;
    mcf->spool_memory = 0;

    if (ngx_http_fota_args_path(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_fota_args_is(&value[i], "ack=")) {

            if (ngx_strcmp(&value[i].data[4], "disk") == 0) {
                mcf->spool_memory = 0;

            } else if (ngx_strcmp(&value[i].data[4], "memory") == 0) {
                mcf->spool_memory = 1;

            } else {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\", it must be "
                                   "\"ack=disk\" or \"ack=memory\"",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

        } else if (ngx_http_fota_args_set(cf, &value[i],
                                          ngx_http_fota_spool_args, mcf)
                   != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    mcf->spool = value[1];

    if (ngx_file_info(mcf->spool.data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "spool directory \"%V\" cannot be used",
                           &mcf->spool);
        return NGX_CONF_ERROR;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a directory", &mcf->spool);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_fota_args_allowed(cf, &mcf->spool, 03) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "workers may not write into \"%V\"",
                           &mcf->spool);
        return NGX_CONF_ERROR;
    }

    mcf->thread_pool = ngx_thread_pool_add(cf, NULL);

    return (mcf->thread_pool == NULL) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


char *
ngx_http_fota_set_geoip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t    s, *value;
    ngx_uint_t   i;
    fota_geo_t  *geo;
    const char  *reason;

    if (mcf->geo_file.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    mcf->geo_reload = 60;
    mcf->geo_layout = FOTA_GEO_AUTO;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_fota_args_is(&value[i], "asn=")) {

            mcf->geo_asn.data = value[i].data + 4;
            mcf->geo_asn.len = value[i].len - 4;

            if (ngx_http_fota_args_file(cf, &mcf->geo_asn) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_http_fota_args_is(&value[i], "auto_reload=")) {

            s.data = value[i].data + 12;
            s.len = value[i].len - 12;

            mcf->geo_reload = ngx_parse_time(&s, 1);

            if (mcf->geo_reload == (time_t) NGX_ERROR || s.len == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid time \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }

        } else if (ngx_http_fota_args_is(&value[i], "fields=")) {

            if (ngx_strcmp(&value[i].data[7], "auto") == 0) {
                mcf->geo_layout = FOTA_GEO_AUTO;

            } else if (ngx_strcmp(&value[i].data[7], "flat") == 0) {
                mcf->geo_layout = FOTA_GEO_FLAT;

            } else if (ngx_strcmp(&value[i].data[7], "maxmind") == 0) {
                mcf->geo_layout = FOTA_GEO_MAXMIND;

            } else {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\", it must be "
                                   "\"fields=auto\", \"fields=flat\" or "
                                   "\"fields=maxmind\"", &value[i]);
                return NGX_CONF_ERROR;
            }

        } else if (i == 1 || (i == 2 && mcf->geo_file6.len == 0)) {

            if (ngx_http_fota_args_file(cf, &value[i]) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            if (i == 1) {
                mcf->geo_file = value[i];

            } else {
                mcf->geo_file6 = value[i];
            }

        } else {
            return ngx_http_fota_args_unknown(cf, &value[i]);
        }
    }

    if (mcf->geo_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"fota_geoip\" needs a file in front");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_fota_geo_open(mcf, &geo, &reason) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location database \"%V\" cannot be used: %s",
                           &mcf->geo_file, reason);
        return NGX_CONF_ERROR;
    }

    fota_geo_close(geo);

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_select(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (mcf->select_set) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->select_set = 1;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_fota_args_set(cf, &value[i], ngx_http_fota_select_args,
                                   mcf)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fota_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fota_main_conf_t *mcf = conf;

    ssize_t     rate;
    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n > 255) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate class \"%V\", it must be 0 to 255",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (mcf->rate_set[n]) {
        return "is duplicate";
    }

    rate = ngx_parse_size(&value[2]);

    if (rate == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\", it must be bytes per second "
                           "like \"512k\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    mcf->rates[n] = rate;
    mcf->rate_set[n] = 1;

    return NGX_CONF_OK;
}
