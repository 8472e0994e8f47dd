/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "fota_json.h"
#include "fota_record.h"
#include "fota_version.h"

#include "ingest.h"


#define FOTA_INGEST_NODES  256          /* JSON values of a payload */


typedef struct {
    const fota_json_t     *json;
    fota_ingest_record_t  *r;
} fota_ingest_payload_t;


static void fota_ingest_record(fota_ingest_t *in, fota_str_t payload,
    fota_ingest_record_t *r);
static fota_str_t fota_payload_str(fota_ingest_payload_t *p, const char *name,
    size_t max);
static uint64_t fota_payload_u64(fota_ingest_payload_t *p, const char *name,
    uint64_t max);
static void fota_payload_report(fota_ingest_payload_t *p);
static void fota_payload_seen(fota_ingest_payload_t *p);
static void fota_payload_refuse(fota_ingest_record_t *r, const char *detail);


static void
fota_payload_refuse(fota_ingest_record_t *r, const char *detail)
{
    if (r->refused == NULL) {
        r->refused = "bad_field";
        r->detail = detail;
    }
}


/* Absent and null give data NULL. */

static fota_str_t
fota_payload_str(fota_ingest_payload_t *p, const char *name, size_t max)
{
    fota_str_t          none = fota_null_str;
    const fota_json_t  *v;

    v = fota_json_get(p->json, name);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return none;
    }

    if (v->type != FOTA_JSON_STRING || v->str.len > max) {
        fota_payload_refuse(p->r, name);
        return none;
    }

    /* An empty text of the JSON reader may have no address. */

    return (v->str.len == 0) ? none : v->str;
}


static uint64_t
fota_payload_u64(fota_ingest_payload_t *p, const char *name, uint64_t max)
{
    int64_t             n;
    const fota_json_t  *v;

    v = fota_json_get(p->json, name);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return 0;
    }

    if (v->type != FOTA_JSON_NUMBER || fota_json_int(v, &n) != FOTA_OK
        || n < 0 || (uint64_t) n > max)
    {
        fota_payload_refuse(p->r, name);
        return 0;
    }

    return (uint64_t) n;
}


static void
fota_payload_report(fota_ingest_payload_t *p)
{
    int                     state;
    const fota_json_t      *v;
    fota_ingest_record_t   *r;
    fota_ingest_payload_t   e;

    r = p->r;

    state = fota_report_state_parse(fota_payload_str(p, "state", 16));

    if (state < 0) {
        fota_payload_refuse(r, "state");
        return;
    }

    r->state = (fota_report_state_e) state;
    r->attempt = (uint16_t) fota_payload_u64(p, "attempt", UINT16_MAX);
    r->dseq = (uint32_t) fota_payload_u64(p, "seq", UINT32_MAX);
    r->progress = (uint8_t) fota_payload_u64(p, "progress", 100);
    r->bytes = fota_payload_u64(p, "bytes", INT64_MAX);
    r->ms = fota_payload_u64(p, "ms", INT64_MAX);

    v = fota_json_get(p->json, "delta");
    r->delta = v != NULL && v->type == FOTA_JSON_BOOL && v->boolean;

    v = fota_json_get(p->json, "error");

    if (v != NULL && v->type == FOTA_JSON_OBJECT) {
        e.json = v;
        e.r = r;
        r->error_code = fota_payload_str(&e, "code", 64);
        r->error_text = fota_payload_str(&e, "text", 512);
    }
}


/* A list of texts, by pairs: a name and its value. */

static const fota_json_t *
fota_payload_attrs(fota_ingest_payload_t *p)
{
    size_t              i;
    const fota_json_t  *v, *e;

    v = fota_json_get(p->json, "attrs");

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return NULL;
    }

    if (v->type != FOTA_JSON_ARRAY || v->count % 2 != 0
        || v->count > 2 * FOTA_ATTRS_MAX)
    {
        fota_payload_refuse(p->r, "attrs");
        return NULL;
    }

    for (e = v->child, i = 0; e != NULL; e = e->next, i++) {

        if (e->type != FOTA_JSON_STRING
            || (i % 2 == 0 && (e->str.len == 0 || e->str.len > 128))
            || (i % 2 == 1 && e->str.len > 256))
        {
            fota_payload_refuse(p->r, "attrs");
            return NULL;
        }
    }

    return v;
}


static void
fota_payload_seen(fota_ingest_payload_t *p)
{
    fota_ingest_seen_t  *s;

    s = &p->r->seen;

    s->kind = fota_payload_str(p, "kind", 8);
    s->tz = fota_payload_str(p, "tz", 48);
    s->country = fota_payload_str(p, "country", 4);
    s->continent = fota_payload_str(p, "continent", 4);
    s->region_code = fota_payload_str(p, "region_code", 12);
    s->region = fota_payload_str(p, "region", 64);
    s->city = fota_payload_str(p, "city", 64);
    s->reason = fota_payload_str(p, "reason", 24);
    s->country_id = (uint32_t) fota_payload_u64(p, "country_id", UINT32_MAX);
    s->region_id = (uint32_t) fota_payload_u64(p, "region_id", UINT32_MAX);
    s->city_id = (uint32_t) fota_payload_u64(p, "city_id", UINT32_MAX);
    s->asn = (uint32_t) fota_payload_u64(p, "asn", UINT32_MAX);
    s->attrs = fota_payload_attrs(p);

    if (s->kind.data != NULL && fota_kind_parse(s->kind) < 0) {
        fota_payload_refuse(p->r, "kind");
    }
}


static void
fota_ingest_record(fota_ingest_t *in, fota_str_t payload,
    fota_ingest_record_t *r)
{
    fota_str_t              t;
    fota_json_t            *root;
    fota_json_error_t       err;
    fota_ingest_payload_t   p;

    if (fota_json_parse(in->mem, payload, FOTA_INGEST_NODES, &root, &err)
        != FOTA_OK || root->type != FOTA_JSON_OBJECT)
    {
        r->refused = "bad_json";
        r->detail = "the payload is no JSON object";
        return;
    }

    p.json = root;
    p.r = r;

    t = fota_payload_str(&p, "t", 16);

    if (fota_str_eq(t, fota_cstr("report"))) {
        r->type = FOTA_I_REPORT;

    } else if (fota_str_eq(t, fota_cstr("seen"))) {
        r->type = FOTA_I_SEEN;

    } else if (fota_str_eq(t, fota_cstr("bytes"))) {
        r->type = FOTA_I_BYTES;

    } else {
        fota_payload_refuse(r, "t");
        return;
    }

    r->tenant = (uint32_t) fota_payload_u64(&p, "tenant", UINT32_MAX);
    r->device = fota_payload_str(&p, "device", FOTA_ID_MAX);
    r->product = fota_payload_str(&p, "product", FOTA_NAME_MAX);
    r->node = (uint32_t) fota_payload_u64(&p, "node", UINT32_MAX);
    r->rollout = (uint32_t) fota_payload_u64(&p, "rollout", UINT32_MAX);
    r->version = fota_payload_str(&p, "version", FOTA_VERSION_MAX);

    if (r->version.data != NULL && fota_version_check(r->version) != FOTA_OK)
    {
        fota_payload_refuse(r, "version");
    }

    if (r->tenant == 0) {
        fota_payload_refuse(r, "tenant");
    }

    switch (r->type) {

    case FOTA_I_REPORT:
        fota_payload_report(&p);
        break;

    case FOTA_I_SEEN:
        fota_payload_seen(&p);
        break;

    case FOTA_I_BYTES:
        r->bytes = fota_payload_u64(&p, "delivered", INT64_MAX);
        r->sent = fota_payload_u64(&p, "sent", INT64_MAX);
        return;
    }

    if (r->device.len == 0) {
        fota_payload_refuse(r, "device");
    }

    if (r->product.len == 0) {
        fota_payload_refuse(r, "product");
    }
}


int
fota_ingest_parse(fota_ingest_t *in, fota_str_t body)
{
    int                     rc;
    fota_rd_t               rd;
    fota_spool_record_t     rec;
    fota_spool_segment_t    seg;
    fota_ingest_record_t   *r;

    fota_rd_init(&rd, body);

    rc = fota_spool_segment_decode(&rd, &seg);

    if (rc != FOTA_OK) {
        (void) snprintf(in->error, sizeof(in->error),
                        "the segment header is %s", fota_status_name(rc));
        return FOTA_INVALID;
    }

    in->records = fota_calloc(in->mem, FOTA_INGEST_MAX,
                              sizeof(fota_ingest_record_t));
    if (in->records == NULL) {
        return FOTA_NOMEM;
    }

    while ((rc = fota_spool_record_decode(&rd, &rec)) == FOTA_OK) {

        if (in->n == FOTA_INGEST_MAX) {
            (void) snprintf(in->error, sizeof(in->error),
                            "there are more than %d records",
                            FOTA_INGEST_MAX);
            return FOTA_INVALID;
        }

        r = &in->records[in->n++];

        r->seq = rec.seq;
        r->recv = (int64_t) rec.recv_ms;
        memcpy(r->report_id, rec.report_id, sizeof(r->report_id));

        if (rec.recv_ms > INT64_MAX / 2) {
            r->refused = "bad_field";
            r->detail = "recv_ms";
            continue;
        }

        fota_ingest_record(in, rec.payload, r);
    }

    if (rc != FOTA_NOTFOUND) {
        (void) snprintf(in->error, sizeof(in->error),
                        "record %zu is %s", in->n + 1, fota_status_name(rc));
        return FOTA_INVALID;
    }

    return FOTA_OK;
}
