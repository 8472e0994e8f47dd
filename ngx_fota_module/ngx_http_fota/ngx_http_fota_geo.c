/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Location databases of a worker, opened anew when the files change. */

#include "ngx_http_fota.h"


static ngx_int_t ngx_http_fota_geo_stat(ngx_http_fota_main_conf_t *mcf,
    struct stat out[3]);


/* NGX_OK and a database that was seen to answer. */

ngx_int_t
ngx_http_fota_geo_open(ngx_http_fota_main_conf_t *mcf, fota_geo_t **geo,
    const char **reason)
{
    int              rc;
    uint8_t          addr[16];
    fota_location_t  loc;

    rc = fota_geo_open(geo, (char *) mcf->geo_file.data,
                       mcf->geo_file6.len ? (char *) mcf->geo_file6.data
                                          : NULL,
                       mcf->geo_asn.len ? (char *) mcf->geo_asn.data : NULL,
                       (fota_geo_layout_e) mcf->geo_layout, reason);

    if (rc != FOTA_OK) {
        return NGX_ERROR;
    }

    /* Whether the address is known does not matter, that it returns does. */

    (void) fota_addr_parse(fota_cstr("8.8.8.8"), addr);
    rc = fota_geo_lookup(*geo, addr, &loc);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        *reason = "the database fails a look-up";
        fota_geo_close(*geo);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_geo_stat(ngx_http_fota_main_conf_t *mcf, struct stat out[3])
{
    ngx_uint_t  i;
    ngx_str_t  *file[3];

    file[0] = &mcf->geo_file;
    file[1] = &mcf->geo_file6;
    file[2] = &mcf->geo_asn;

    ngx_memzero(out, 3 * sizeof(struct stat));

    for (i = 0; i < 3; i++) {
        if (file[i]->len
            && stat((char *) file[i]->data, &out[i]) == -1)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_fota_geo_init(ngx_http_fota_rt_t *rt)
{
    const char  *reason;

    rt->geo_checked = ngx_time();

    (void) ngx_http_fota_geo_stat(rt->conf, rt->geo_stat);

    if (ngx_http_fota_geo_open(rt->conf, &rt->geo, &reason) != NGX_OK) {
        rt->geo = NULL;
        ngx_log_error(NGX_LOG_ERR, rt->log, 0,
                      "fota: location database \"%V\" cannot be used: %s",
                      &rt->conf->geo_file, reason);
    }
}


void
ngx_http_fota_geo_tick(ngx_http_fota_rt_t *rt)
{
    ngx_uint_t    i;
    fota_geo_t   *geo;
    const char   *reason;
    struct stat   now[3];

    if (rt->conf->geo_reload == 0
        || ngx_time() - rt->geo_checked < rt->conf->geo_reload)
    {
        return;
    }

    rt->geo_checked = ngx_time();

    /* While a file is away the mapping of the old one stays good. */

    if (ngx_http_fota_geo_stat(rt->conf, now) != NGX_OK) {
        return;
    }

    for (i = 0; i < 3; i++) {
        if (now[i].st_ino != rt->geo_stat[i].st_ino
            || now[i].st_dev != rt->geo_stat[i].st_dev
            || now[i].st_size != rt->geo_stat[i].st_size
            || now[i].st_mtim.tv_sec != rt->geo_stat[i].st_mtim.tv_sec
            || now[i].st_mtim.tv_nsec != rt->geo_stat[i].st_mtim.tv_nsec)
        {
            break;
        }
    }

    if (i == 3 && rt->geo != NULL) {
        return;
    }

    ngx_memcpy(rt->geo_stat, now, sizeof(now));

    if (ngx_http_fota_geo_open(rt->conf, &geo, &reason) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, rt->log, 0,
                      "fota: new location database \"%V\" refused, the old "
                      "one stays: %s", &rt->conf->geo_file, reason);
        return;
    }

    /* No look-up is under way: there is one thread and this is a timer. */

    if (rt->geo != NULL) {
        fota_geo_close(rt->geo);
    }

    rt->geo = geo;

    ngx_http_fota_count(rt, GEO_RELOADS);

    ngx_log_error(NGX_LOG_NOTICE, rt->log, 0,
                  "fota: location database \"%V\" opened anew",
                  &rt->conf->geo_file);
}
