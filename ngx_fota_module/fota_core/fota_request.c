/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Check requests and reports as JSON. */

#include "fota_encode.h"
#include "fota_request_field.h"


#define FOTA_REQUEST_NODES_MAX  512


static const char *const  fota_report_states[] = {
    "downloading", "downloaded", "installing", "succeeded", "failed",
    "rejected"
};


/* A body being read; the first error stays, and then nothing is read. */

typedef struct {
    fota_mem_t          *mem;
    fota_json_t         *root;
    fota_field_error_t  *err;
    int                  rc;
} fota_req_t;


static void fota_req_parse(fota_req_t *q, fota_mem_t *mem, fota_str_t body,
    fota_field_error_t *err);
static const fota_json_t *fota_req_get(fota_req_t *q,
    const fota_json_t *from, const char *name, const char *field,
    fota_json_type_e type, const char *must);
static void fota_req_text(fota_req_t *q, const char *field, size_t max,
    fota_str_t *out);
static bool fota_req_bool(fota_req_t *q, const char *field, bool otherwise);
static uint64_t fota_req_uint(fota_req_t *q, const char *field, uint64_t max,
    uint64_t otherwise);
static void fota_req_attrs(fota_req_t *q, fota_attr_t **attrs,
    size_t *nattrs);
static void fota_req_avoid(fota_req_t *q, fota_check_req_t *req);
static void fota_req_error(fota_req_t *q, fota_report_req_t *req);


const char *
fota_report_state_name(uint8_t state)
{
    return (state < FOTA_RS__N) ? fota_report_states[state] : "unknown";
}


int
fota_report_state_parse(fota_str_t s)
{
    int  i;

    for (i = 0; i < FOTA_RS__N; i++) {
        if (fota_str_eq(s, fota_cstr(fota_report_states[i]))) {
            return i;
        }
    }

    return -1;
}


static void
fota_req_parse(fota_req_t *q, fota_mem_t *mem, fota_str_t body,
    fota_field_error_t *err)
{
    fota_json_error_t  je;

    q->mem = mem;
    q->root = NULL;
    q->err = err;

    if (body.len > FOTA_BODY_MAX) {
        fota_field_error(err, "body", "is %zu bytes long; the limit is %d",
                         body.len, FOTA_BODY_MAX);
        q->rc = FOTA_LIMIT;
        return;
    }

    je.offset = 0;
    je.reason = "is not JSON";

    q->rc = fota_json_parse(mem, body, FOTA_REQUEST_NODES_MAX, &q->root, &je);

    if (q->rc == FOTA_OK && q->root->type != FOTA_JSON_OBJECT) {
        fota_field_error(err, "body", "must be a JSON object");
        q->rc = FOTA_INVALID;

    } else if (q->rc != FOTA_OK && q->rc != FOTA_NOMEM) {
        fota_field_error(err, "body", "%s at byte %zu", je.reason, je.offset);
    }
}


/* NULL when it is null or absent, and after an error. */

static const fota_json_t *
fota_req_get(fota_req_t *q, const fota_json_t *from, const char *name,
    const char *field, fota_json_type_e type, const char *must)
{
    const fota_json_t  *v;

    if (q->rc != FOTA_OK) {
        return NULL;
    }

    v = fota_json_get(from, name);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return NULL;
    }

    if (v->type != type) {
        fota_field_error(q->err, field, "must be %s", must);
        q->rc = FOTA_INVALID;
        return NULL;
    }

    return v;
}


/* A name of 1..max bytes; null and absence leave out as it is. */

static void
fota_req_text(fota_req_t *q, const char *field, size_t max, fota_str_t *out)
{
    const fota_json_t  *v;

    v = fota_req_get(q, q->root, field, field, FOTA_JSON_STRING, "a string");

    if (v != NULL) {
        *out = v->str;

        if (max != 0) {
            q->rc = fota_field_name(field, v->str, max, q->err);
        }
    }
}


static bool
fota_req_bool(fota_req_t *q, const char *field, bool otherwise)
{
    const fota_json_t  *v;

    v = fota_req_get(q, q->root, field, field, FOTA_JSON_BOOL,
                     "true or false");

    return (v == NULL) ? otherwise : v->boolean;
}


static uint64_t
fota_req_uint(fota_req_t *q, const char *field, uint64_t max,
    uint64_t otherwise)
{
    int64_t             n;
    const fota_json_t  *v;

    v = fota_req_get(q, q->root, field, field, FOTA_JSON_NUMBER,
                     "a whole number from 0");

    if (v == NULL) {
        return otherwise;
    }

    if (fota_json_int(v, &n) != FOTA_OK || n < 0) {
        fota_field_error(q->err, field, "must be a whole number from 0");
        q->rc = FOTA_INVALID;
        return otherwise;
    }

    if ((uint64_t) n > max) {
        fota_field_error(q->err, field, "is %lld; the limit is %llu",
                         (long long) n, (unsigned long long) max);
        q->rc = FOTA_LIMIT;
    }

    return (uint64_t) n;
}


static void
fota_req_attrs(fota_req_t *q, fota_attr_t **attrs, size_t *nattrs)
{
    size_t              n;
    fota_str_t          value;
    fota_attr_t        *list;
    const fota_json_t  *v, *a;

    static const fota_str_t  yes = fota_string("true");
    static const fota_str_t  no = fota_string("false");

    v = fota_req_get(q, q->root, "attrs", "attrs", FOTA_JSON_OBJECT,
                     "an object");
    if (v == NULL) {
        return;
    }

    if (v->count > FOTA_ATTRS_MAX) {
        fota_field_error(q->err, "attrs", "has %u entries; the limit is %d",
                         (unsigned) v->count, FOTA_ATTRS_MAX);
        q->rc = FOTA_LIMIT;
        return;
    }

    list = fota_calloc(q->mem, v->count, sizeof(fota_attr_t));

    if (list == NULL) {
        q->rc = FOTA_NOMEM;
        return;
    }

    n = 0;

    for (a = v->child; a != NULL; a = a->next) {

        switch (a->type) {

        case FOTA_JSON_STRING:
        case FOTA_JSON_NUMBER:
            value = a->str;
            break;

        case FOTA_JSON_BOOL:
            value = a->boolean ? yes : no;
            break;

        case FOTA_JSON_NULL:
            /* As absent as one that was left out. */
            continue;

        default:
            fota_field_error_named(q->err, "attrs.", a->name, "must be a "
                                   "string, a number, true or false");
            q->rc = FOTA_INVALID;
            return;
        }

        q->rc = fota_field_attr(n, a->name, value, q->err);

        if (q->rc != FOTA_OK) {
            return;
        }

        list[n].name = a->name;
        list[n].value = value;
        n++;
    }

    *attrs = list;
    *nattrs = n;
}


static void
fota_req_avoid(fota_req_t *q, fota_check_req_t *req)
{
    const fota_json_t  *v, *a;

    v = fota_req_get(q, q->root, "avoid", "avoid", FOTA_JSON_ARRAY,
                     "an array of names of nodes");
    if (v == NULL) {
        return;
    }

    for (a = v->child; a != NULL && q->rc == FOTA_OK; a = a->next) {
        if (a->type != FOTA_JSON_STRING) {
            fota_field_error(q->err, "avoid", "must hold strings only");
            q->rc = FOTA_INVALID;
            return;
        }

        q->rc = fota_check_req_avoid(req, a->str, q->err);
    }
}


int
fota_check_req_json(fota_mem_t *mem, fota_str_t body, fota_check_req_t *req,
    fota_field_error_t *err)
{
    fota_str_t  kind = fota_null_str;
    fota_req_t  q;

    fota_check_req_clear(req);

    fota_req_parse(&q, mem, body, err);
    fota_req_text(&q, "tenant", FOTA_NAME_MAX, &req->tenant);
    fota_req_text(&q, "product", FOTA_NAME_MAX, &req->product);
    fota_req_text(&q, "device", FOTA_ID_MAX, &req->device);
    fota_req_text(&q, "version", 0, &req->version);

    if (q.rc == FOTA_OK) {
        q.rc = fota_field_version(req->version, err);
    }

    fota_req_text(&q, "tz", 0, &req->tz);

    if (q.rc == FOTA_OK) {
        q.rc = fota_field_tz(req->tz, err);
    }

    fota_req_text(&q, "kind", 0, &kind);
    req->no_delta = !fota_req_bool(&q, "delta", true);
    fota_req_avoid(&q, req);
    fota_req_attrs(&q, &req->attrs, &req->nattrs);

    if (q.rc == FOTA_OK && kind.data != NULL) {
        q.rc = fota_field_kind(kind, &req->kind, err);
    }

    return (q.rc != FOTA_OK)
           ? q.rc
           : fota_field_required(req->tenant, req->product, req->device, err);
}


static void
fota_req_error(fota_req_t *q, fota_report_req_t *req)
{
    const fota_json_t  *v, *code, *text;

    v = fota_req_get(q, q->root, "error", "error", FOTA_JSON_OBJECT,
                     "an object");
    if (v == NULL) {
        return;
    }

    code = fota_json_get(v, "code");

    /* Many devices have numbers for errors. */

    if (code == NULL || code->type != FOTA_JSON_NUMBER) {
        code = fota_req_get(q, v, "code", "error.code", FOTA_JSON_STRING,
                            "a string");
    }

    if (code != NULL) {
        req->error_code = code->str;

        if (code->str.len != 0) {
            q->rc = fota_field_name("error.code", code->str,
                                    FOTA_ERROR_CODE_MAX, q->err);
        }
    }

    text = fota_req_get(q, v, "text", "error.text", FOTA_JSON_STRING,
                        "a string");

    if (text != NULL) {
        req->error_text = text->str;

        if (text->str.len > FOTA_ERROR_TEXT_MAX) {
            fota_field_error(q->err, "error.text", "is %zu bytes long; the "
                             "limit is %d", text->str.len,
                             FOTA_ERROR_TEXT_MAX);
            q->rc = FOTA_LIMIT;
        }
    }
}


int
fota_report_req_json(fota_mem_t *mem, fota_str_t body, fota_report_req_t *req,
    fota_field_error_t *err)
{
    int         state;
    fota_req_t  q;
    fota_str_t  tenant, product, device;
    fota_str_t  word = fota_null_str, artifact = fota_null_str;

    tenant = req->tenant;
    product = req->product;
    device = req->device;

    memset(req, 0, sizeof(fota_report_req_t));

    req->tenant = tenant;
    req->product = product;
    req->device = device;

    fota_req_parse(&q, mem, body, err);
    fota_req_text(&q, "tenant", FOTA_NAME_MAX, &req->tenant);
    fota_req_text(&q, "product", FOTA_NAME_MAX, &req->product);
    fota_req_text(&q, "device", FOTA_ID_MAX, &req->device);

    req->rollout = (uint32_t) fota_req_uint(&q, "rollout", UINT32_MAX, 0);
    req->attempt = (uint16_t) fota_req_uint(&q, "attempt", UINT16_MAX, 1);
    req->seq = (uint32_t) fota_req_uint(&q, "seq", UINT32_MAX, 0);
    req->progress = (uint8_t) fota_req_uint(&q, "progress", 100, 0);
    req->bytes = fota_req_uint(&q, "bytes", INT64_MAX, 0);
    req->ms = fota_req_uint(&q, "ms", INT64_MAX, 0);

    if (q.rc == FOTA_OK && req->rollout == 0) {
        fota_field_error(err, "rollout", "is required and above 0");
        q.rc = FOTA_INVALID;
    }

    if (q.rc == FOTA_OK && req->attempt == 0) {
        fota_field_error(err, "attempt", "counts from 1");
        q.rc = FOTA_INVALID;
    }

    fota_req_text(&q, "state", 0, &word);
    fota_req_text(&q, "version", 0, &req->version);

    if (q.rc == FOTA_OK) {
        q.rc = fota_field_version(req->version, err);
    }

    fota_req_text(&q, "artifact", 0, &artifact);
    fota_req_text(&q, "node", 0, &req->node);
    req->delta = fota_req_bool(&q, "delta", false);
    fota_req_error(&q, req);
    fota_req_attrs(&q, &req->attrs, &req->nattrs);

    if (q.rc == FOTA_OK && req->node.len != 0) {
        q.rc = fota_field_name("node", req->node, FOTA_NAME_MAX, err);
    }

    if (q.rc != FOTA_OK) {
        return q.rc;
    }

    state = fota_report_state_parse(word);

    if (state < 0) {
        fota_field_error(err, "state", "must be downloading, downloaded, "
                         "installing, succeeded, failed or rejected");
        return FOTA_INVALID;
    }

    req->state = (uint8_t) state;

    if (artifact.len != 0) {
        if (fota_hex_decode(req->artifact, sizeof(req->artifact), artifact)
            != FOTA_OK)
        {
            fota_field_error(err, "artifact", "must be 64 hex digits");
            return FOTA_INVALID;
        }

        req->has_artifact = 1;
    }

    return fota_field_required(req->tenant, req->product, req->device, err);
}
