/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * "seen" records: a device's first check, a new version, and then one record
 * per interval.  The table forgets when two devices share a place, which
 * only costs a record more.
 */

#include "ngx_http_fota_case.h"


#define FOTA_SEEN_MAX    12288
#define FOTA_SEEN_ATTRS  8192   /* of it; what does not fit is left out */


static void ngx_http_fota_seen_write(ngx_http_fota_case_t *c);
static void ngx_http_fota_seen_text(fota_jw_t *w, const char *name,
    const char *text);
static void ngx_http_fota_seen_number(fota_jw_t *w, const char *name,
    uint32_t n);
static void ngx_http_fota_seen_attrs(ngx_http_fota_case_t *c, fota_jw_t *w);


void
ngx_http_fota_seen(ngx_http_fota_case_t *c)
{
    uint32_t               device, version, now;
    uint64_t               hash;
    ngx_http_fota_shm_t   *shm;
    ngx_http_fota_seen_t  *s;

    shm = c->rt->shm;
    now = (uint32_t) ngx_time();

    hash = fota_siphash(c->tenant->id, 0, c->req->device.data,
                        c->req->device.len);
    version = (uint32_t) fota_siphash(c->product->id, c->req->kind,
                                      c->req->version.data,
                                      c->req->version.len);

    s = &shm->seen[hash & (shm->nseen - 1)];

    device = (uint32_t) (hash >> 32);
    device = device ? device : 1;

    if (s->device == device && s->version == version
        && now - s->at < (uint32_t) c->conf->seen_interval)
    {
        return;
    }

    s->device = device;
    s->version = version;
    s->at = now;

    ngx_http_fota_seen_write(c);
}


static void
ngx_http_fota_seen_write(ngx_http_fota_case_t *c)
{
    uint8_t                 text[FOTA_SEEN_MAX];
    fota_jw_t               w;
    fota_buf_t              out;
    const fota_location_t  *loc;

    fota_buf_fixed(&out, text, sizeof(text));
    fota_jw_init(&w, &out);

    ngx_http_fota_self(c->rt);
    loc = ngx_http_fota_locate(&c->facts);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "t", "seen");
    fota_jw_uint(&w, "tenant", c->tenant->id);
    fota_jw_str(&w, "device", c->req->device);
    fota_jw_str(&w, "product", c->req->product);
    fota_jw_uint(&w, "node", c->rt->node);
    fota_jw_str(&w, "version", c->req->version);
    fota_jw_cstr(&w, "kind", fota_kind_name(c->req->kind));

    if (c->req->tz.len) {
        fota_jw_str(&w, "tz", c->req->tz);

    } else {
        ngx_http_fota_seen_text(&w, "tz", loc->tz);
    }

    ngx_http_fota_seen_text(&w, "country", loc->country);
    ngx_http_fota_seen_text(&w, "continent", loc->continent);
    ngx_http_fota_seen_text(&w, "region_code", loc->region_code);
    ngx_http_fota_seen_text(&w, "region", loc->region);
    ngx_http_fota_seen_text(&w, "city", loc->city);
    ngx_http_fota_seen_number(&w, "country_id", loc->country_id);
    ngx_http_fota_seen_number(&w, "region_id", loc->region_id);
    ngx_http_fota_seen_number(&w, "city_id", loc->city_id);
    ngx_http_fota_seen_number(&w, "asn", loc->asn);
    ngx_http_fota_seen_attrs(c, &w);

    fota_jw_cstr(&w, "reason", fota_reason_name(c->decision.reason));

    if (c->decision.reason == FOTA_R_OFFER) {
        fota_jw_uint(&w, "rollout", c->decision.rollout->id);
    }

    fota_jw_end_object(&w);

    if (out.status == FOTA_OK) {
        (void) ngx_http_fota_spool_note(c->rt, NULL, fota_buf_slice(&out));
    }
}


/* What is not known is left out. */

static void
ngx_http_fota_seen_text(fota_jw_t *w, const char *name, const char *text)
{
    if (text[0] != '\0') {
        fota_jw_cstr(w, name, text);
    }
}


static void
ngx_http_fota_seen_number(fota_jw_t *w, const char *name, uint32_t n)
{
    if (n != 0) {
        fota_jw_uint(w, name, n);
    }
}


/* Names and values in turn.  A byte may become six of JSON. */

static void
ngx_http_fota_seen_attrs(ngx_http_fota_case_t *c, fota_jw_t *w)
{
    size_t              i, left, need;
    const fota_attr_t  *a;

    if (c->req->nattrs == 0) {
        return;
    }

    left = FOTA_SEEN_ATTRS;

    fota_jw_array(w, "attrs");

    for (i = 0; i < c->req->nattrs; i++) {
        a = &c->req->attrs[i];
        need = 6 * (a->name.len + a->value.len) + 6;

        if (need <= left) {
            left -= need;
            fota_jw_str(w, NULL, a->name);
            fota_jw_str(w, NULL, a->value);
        }
    }

    fota_jw_end_array(w);
}
