/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Explain: why this device got this answer. */

#include <stdio.h>

#include "fota_answer_write.h"


#define FOTA_EXPLAIN_FIRST  16


static const char *const  fota_geo_sources[] = {
    "none", "db", "prefix", "reported"
};


static void *fota_explain_room(fota_explain_t *e, void *list, uint32_t n,
    uint32_t *cap, uint32_t max, size_t size);
static void fota_explain_attrs(fota_jw_t *w, const char *name,
    const fota_attr_t *attrs, size_t n);
static void fota_explain_path(fota_jw_t *w, const fota_answer_t *a);
static void fota_explain_policy(fota_jw_t *w, const fota_answer_explain_t *a);
static void fota_explain_device(fota_jw_t *w, const fota_answer_explain_t *a);
static void fota_explain_place(fota_jw_t *w, const fota_location_t *l);
static void fota_explain_rollouts(fota_jw_t *w, const fota_explain_t *e);
static void fota_explain_nodes(fota_jw_t *w, const fota_explain_t *e);


void
fota_explain_init(fota_explain_t *e, fota_mem_t *mem)
{
    memset(e, 0, sizeof(fota_explain_t));

    e->mem = mem;
    e->status = FOTA_OK;
}


/* The list with room for one more, NULL when there is none. */

static void *
fota_explain_room(fota_explain_t *e, void *list, uint32_t n, uint32_t *cap,
    uint32_t max, size_t size)
{
    void      *p;
    uint32_t   more;

    if (e->status != FOTA_OK || n >= max) {
        return NULL;
    }

    if (n < *cap) {
        return list;
    }

    more = (*cap == 0) ? FOTA_EXPLAIN_FIRST : *cap * 2;

    p = fota_calloc(e->mem, more, size);

    if (p == NULL) {
        e->status = FOTA_NOMEM;
        return NULL;
    }

    if (n != 0) {
        memcpy(p, list, n * size);
    }

    *cap = more;

    return p;
}


void
fota_explain_rollout(fota_explain_t *e, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail)
{
    fota_explain_rollout_t  *list;

    list = fota_explain_room(e, e->rollouts, e->nrollouts, &e->rollouts_cap,
                             FOTA_EXPLAIN_ROLLOUTS_MAX,
                             sizeof(fota_explain_rollout_t));
    if (list == NULL) {
        return;
    }

    e->rollouts = list;

    list += e->nrollouts++;

    list->rollout = r;
    list->reason = reason;

    if (detail != NULL) {
        list->detail = fota_strdup(e->mem, fota_cstr(detail));

        if (list->detail.data == NULL) {
            e->status = FOTA_NOMEM;
        }
    }
}


void
fota_explain_node(void *ctx, const fota_node_entry_t *entry,
    fota_node_reason_e reason, double km, double weight, double score)
{
    fota_explain_t       *e;
    fota_explain_node_t  *list;

    e = ctx;

    list = fota_explain_room(e, e->nodes, e->nnodes, &e->nodes_cap,
                             FOTA_EXPLAIN_NODES_MAX,
                             sizeof(fota_explain_node_t));
    if (list == NULL) {
        return;
    }

    e->nodes = list;

    list += e->nnodes++;

    list->entry = entry;
    list->reason = reason;
    list->km = km;
    list->weight = weight;
    list->score = score;
}


static void
fota_explain_attrs(fota_jw_t *w, const char *name, const fota_attr_t *attrs,
    size_t n)
{
    size_t  i;

    /* Names are the device's own text, so they are values here. */

    fota_jw_array(w, name);

    for (i = 0; i < n; i++) {
        fota_jw_object(w, NULL);
        fota_jw_str(w, "name", attrs[i].name);
        fota_jw_str(w, "value", attrs[i].value);
        fota_jw_end_object(w);
    }

    fota_jw_end_array(w);
}


/* An explanation names no URLs, so the way of an offer is told apart. */

static void
fota_explain_path(fota_jw_t *w, const fota_answer_t *a)
{
    const fota_path_t      *path;
    const fota_product_t   *p;
    const fota_artifact_t  *art;

    p = a->product;
    path = &a->decision->path;
    art = path->artifact;

    if (a->decision->reason != FOTA_R_OFFER || p == NULL || art == NULL) {
        return;
    }

    fota_jw_object(w, "path");
    fota_jw_str(w, "version", p->firmware[path->step].version);
    fota_jw_uint(w, "artifact", art->id);
    fota_jw_cstr(w, "type", (art->from == FOTA_NONE) ? "full" : "delta");

    if (art->from != FOTA_NONE) {
        fota_jw_str(w, "from", p->firmware[art->from].version);
    }

    fota_jw_uint(w, "size", art->size);
    fota_jw_uint(w, "hops", path->hops);
    fota_jw_uint(w, "bytes", path->bytes);
    fota_jw_end_object(w);
}


static void
fota_explain_policy(fota_jw_t *w, const fota_answer_explain_t *a)
{
    char  epoch[17];

    (void) snprintf(epoch, sizeof(epoch), "%016llx",
                    (unsigned long long) a->answer->policy_epoch);

    fota_jw_object(w, "policy");
    fota_jw_cstr(w, "epoch", epoch);
    fota_jw_uint(w, "seq", a->answer->policy_seq);
    fota_jw_uint(w, "lag_s", a->lag);
    fota_jw_int(w, "now", a->now);
    fota_jw_end_object(w);
}


static void
fota_explain_device(fota_jw_t *w, const fota_answer_explain_t *a)
{
    size_t                i;
    const fota_facts_t   *f;
    const fota_device_t  *d;

    f = a->facts;
    d = a->device;

    fota_jw_object(w, "device");
    fota_jw_str(w, "id", f->id);
    fota_jw_str(w, "product", f->product);
    fota_jw_str(w, "version", f->version);
    fota_jw_str(w, "kind", f->kind);
    fota_jw_str(w, "tz", f->tz);
    fota_explain_attrs(w, "attrs", f->attrs, f->nattrs);
    fota_explain_attrs(w, "set_attrs", f->set_attrs, f->nset_attrs);

    fota_jw_array(w, "groups");

    for (i = 0; i < f->ngroups; i++) {
        fota_jw_uint(w, NULL, f->groups[i]);
    }

    fota_jw_end_array(w);

    fota_jw_bool(w, "record", d != NULL);

    if (d != NULL) {
        fota_jw_bool(w, "blocked", d->blocked);
        fota_jw_bool(w, "test", d->test);

        if (d->pin.len != 0) {
            fota_jw_str(w, "pin", d->pin);
        }

        fota_jw_array(w, "attempts");

        for (i = 0; i < d->nattempts; i++) {
            fota_jw_object(w, NULL);
            fota_jw_uint(w, "rollout", d->attempts[i].rollout);
            fota_jw_uint(w, "failed", d->attempts[i].attempts);
            fota_jw_bool(w, "delta_failed", d->attempts[i].delta_failed != 0);
            fota_jw_end_object(w);
        }

        fota_jw_end_array(w);
    }

    fota_jw_end_object(w);
}


static void
fota_explain_place(fota_jw_t *w, const fota_location_t *l)
{
    const char  *source;

    if (l == NULL) {
        fota_jw_null(w, "location");
        return;
    }

    source = ((unsigned) l->source <= FOTA_GEO_REPORTED)
             ? fota_geo_sources[l->source] : "unknown";

    fota_jw_object(w, "location");
    fota_jw_cstr(w, "source", source);
    fota_jw_cstr(w, "country", l->country);
    fota_jw_cstr(w, "continent", l->continent);
    fota_jw_cstr(w, "region", l->region);
    fota_jw_cstr(w, "region_code", l->region_code);
    fota_jw_cstr(w, "city", l->city);
    fota_jw_cstr(w, "tz", l->tz);
    fota_jw_uint(w, "country_id", l->country_id);
    fota_jw_uint(w, "region_id", l->region_id);
    fota_jw_uint(w, "city_id", l->city_id);
    fota_jw_uint(w, "asn", l->asn);

    if (l->has_position) {
        fota_jw_double(w, "lat", l->lat);
        fota_jw_double(w, "lon", l->lon);
        fota_jw_bool(w, "centroid", l->centroid);
    }

    fota_jw_end_object(w);
}


static void
fota_explain_rollouts(fota_jw_t *w, const fota_explain_t *e)
{
    uint32_t                       i;
    const fota_explain_rollout_t  *r;

    fota_jw_array(w, "rollouts");

    for (i = 0; i < e->nrollouts; i++) {
        r = &e->rollouts[i];

        fota_jw_object(w, NULL);
        fota_jw_uint(w, "id", r->rollout->id);
        fota_jw_str(w, "name", r->rollout->name);
        fota_jw_cstr(w, "reason", fota_reason_name(r->reason));

        if (r->detail.len != 0) {
            fota_jw_str(w, "detail", r->detail);
        }

        fota_jw_end_object(w);
    }

    fota_jw_end_array(w);
}


static void
fota_explain_nodes(fota_jw_t *w, const fota_explain_t *e)
{
    uint32_t                    i;
    const fota_node_t          *node;
    const fota_explain_node_t  *n;

    fota_jw_array(w, "nodes");

    for (i = 0; i < e->nnodes; i++) {
        n = &e->nodes[i];
        node = &n->entry->node;

        fota_jw_object(w, NULL);
        fota_jw_uint(w, "id", node->id);
        fota_jw_str(w, "name", node->name);
        fota_jw_str(w, "site", node->site);
        fota_jw_cstr(w, "country", node->country);
        fota_jw_cstr(w, "reason", fota_node_reason_name(n->reason));

        if (n->km >= 0) {
            fota_jw_double(w, "km", n->km);

        } else {
            fota_jw_null(w, "km");
        }

        fota_jw_double(w, "weight", n->weight);
        fota_jw_double(w, "score", n->score);
        fota_jw_end_object(w);
    }

    fota_jw_end_array(w);
}


int
fota_answer_explain(const fota_answer_explain_t *a, fota_buf_t *out)
{
    fota_jw_t  w;

    if (a->explain->status != FOTA_OK) {
        return a->explain->status;
    }

    fota_jw_init(&w, out);

    fota_jw_object(&w, NULL);

    fota_jw_object(&w, "decision");
    fota_answer_decision(&w, a->answer);

    if (a->answer->decision->rollout != NULL) {
        fota_jw_uint(&w, "decided_by", a->answer->decision->rollout->id);
    }

    if (a->answer->decision->target != NULL) {
        fota_jw_str(&w, "wanted", a->answer->decision->target->version);
    }

    fota_explain_path(&w, a->answer);

    fota_jw_end_object(&w);

    fota_explain_policy(&w, a);
    fota_explain_device(&w, a);
    fota_explain_place(&w, a->location);
    fota_explain_rollouts(&w, a->explain);
    fota_explain_nodes(&w, a->explain);

    fota_jw_end_object(&w);

    return out->status;
}
