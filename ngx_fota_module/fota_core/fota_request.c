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


static int fota_req_parse(fota_mem_t *mem, fota_str_t body,
    fota_json_t **root, fota_field_error_t *err);
static int fota_req_text(const fota_json_t *root, const char *field,
    size_t max, fota_str_t *out, fota_field_error_t *err);
static int fota_req_bool(const fota_json_t *root, const char *field,
    bool *out, fota_field_error_t *err);
static int fota_req_uint(const fota_json_t *root, const char *field,
    uint64_t max, uint64_t *out, fota_field_error_t *err);
static int fota_req_attrs(fota_mem_t *mem, const fota_json_t *root,
    fota_attr_t **attrs, size_t *nattrs, fota_field_error_t *err);
static int fota_req_avoid(const fota_json_t *root, fota_check_req_t *req,
    fota_field_error_t *err);
static int fota_req_error(const fota_json_t *root, fota_report_req_t *req,
    fota_field_error_t *err);
static int fota_req_numbers(const fota_json_t *root, fota_report_req_t *req,
    fota_field_error_t *err);


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


static int
fota_req_parse(fota_mem_t *mem, fota_str_t body, fota_json_t **root,
    fota_field_error_t *err)
{
    int                rc;
    fota_json_error_t  je;

    if (body.len > FOTA_BODY_MAX) {
        fota_field_error(err, "body", "is %zu bytes long; the limit is %d",
                         body.len, FOTA_BODY_MAX);
        return FOTA_LIMIT;
    }

    je.offset = 0;
    je.reason = "is not JSON";

    rc = fota_json_parse(mem, body, FOTA_REQUEST_NODES_MAX, root, &je);

    if (rc == FOTA_NOMEM) {
        return rc;
    }

    if (rc != FOTA_OK) {
        fota_field_error(err, "body", "%s at byte %zu", je.reason, je.offset);
        return rc;
    }

    if ((*root)->type != FOTA_JSON_OBJECT) {
        fota_field_error(err, "body", "must be a JSON object");
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


/* A name of 1..max bytes; null and absence leave out as it is. */

static int
fota_req_text(const fota_json_t *root, const char *field, size_t max,
    fota_str_t *out, fota_field_error_t *err)
{
    const fota_json_t  *v;

    v = fota_json_get(root, field);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_STRING) {
        fota_field_error(err, field, "must be a string");
        return FOTA_INVALID;
    }

    *out = v->str;

    return (max == 0) ? FOTA_OK : fota_field_name(field, v->str, max, err);
}


static int
fota_req_bool(const fota_json_t *root, const char *field, bool *out,
    fota_field_error_t *err)
{
    const fota_json_t  *v;

    v = fota_json_get(root, field);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_BOOL) {
        fota_field_error(err, field, "must be true or false");
        return FOTA_INVALID;
    }

    *out = v->boolean;

    return FOTA_OK;
}


static int
fota_req_uint(const fota_json_t *root, const char *field, uint64_t max,
    uint64_t *out, fota_field_error_t *err)
{
    int64_t             n;
    const fota_json_t  *v;

    v = fota_json_get(root, field);

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_NUMBER || fota_json_int(v, &n) != FOTA_OK
        || n < 0)
    {
        fota_field_error(err, field, "must be a whole number from 0");
        return FOTA_INVALID;
    }

    if ((uint64_t) n > max) {
        fota_field_error(err, field, "is %lld; the limit is %llu",
                         (long long) n, (unsigned long long) max);
        return FOTA_LIMIT;
    }

    *out = (uint64_t) n;

    return FOTA_OK;
}


static int
fota_req_attrs(fota_mem_t *mem, const fota_json_t *root, fota_attr_t **attrs,
    size_t *nattrs, fota_field_error_t *err)
{
    int                 rc;
    size_t              n;
    fota_str_t          value;
    fota_attr_t        *list;
    const fota_json_t  *v, *a;

    static const fota_str_t  yes = fota_string("true");
    static const fota_str_t  no = fota_string("false");

    v = fota_json_get(root, "attrs");

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_OBJECT) {
        fota_field_error(err, "attrs", "must be an object");
        return FOTA_INVALID;
    }

    if (v->count > FOTA_ATTRS_MAX) {
        fota_field_error(err, "attrs", "has %u entries; the limit is %d",
                         (unsigned) v->count, FOTA_ATTRS_MAX);
        return FOTA_LIMIT;
    }

    list = fota_calloc(mem, v->count, sizeof(fota_attr_t));

    if (list == NULL) {
        return FOTA_NOMEM;
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
            fota_field_error_named(err, "attrs.", a->name, "must be a string,"
                                   " a number, true or false");
            return FOTA_INVALID;
        }

        rc = fota_field_attr(n, a->name, value, err);

        if (rc != FOTA_OK) {
            return rc;
        }

        list[n].name = a->name;
        list[n].value = value;
        n++;
    }

    *attrs = list;
    *nattrs = n;

    return FOTA_OK;
}


static int
fota_req_avoid(const fota_json_t *root, fota_check_req_t *req,
    fota_field_error_t *err)
{
    int                 rc;
    const fota_json_t  *v, *a;

    v = fota_json_get(root, "avoid");

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_ARRAY) {
        fota_field_error(err, "avoid", "must be an array of names of nodes");
        return FOTA_INVALID;
    }

    for (a = v->child; a != NULL; a = a->next) {
        if (a->type != FOTA_JSON_STRING) {
            fota_field_error(err, "avoid", "must hold strings only");
            return FOTA_INVALID;
        }

        rc = fota_check_req_avoid(req, a->str, err);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


int
fota_check_req_json(fota_mem_t *mem, fota_str_t body, fota_check_req_t *req,
    fota_field_error_t *err)
{
    int           rc;
    bool          delta;
    fota_str_t    kind = fota_null_str;
    fota_json_t  *root;

    fota_check_req_clear(req);

    delta = true;

    if ((rc = fota_req_parse(mem, body, &root, err)) != FOTA_OK
        || (rc = fota_req_text(root, "tenant", FOTA_NAME_MAX, &req->tenant,
                               err)) != FOTA_OK
        || (rc = fota_req_text(root, "product", FOTA_NAME_MAX, &req->product,
                               err)) != FOTA_OK
        || (rc = fota_req_text(root, "device", FOTA_ID_MAX, &req->device,
                               err)) != FOTA_OK
        || (rc = fota_req_text(root, "version", 0, &req->version, err))
           != FOTA_OK
        || (rc = fota_field_version(req->version, err)) != FOTA_OK
        || (rc = fota_req_text(root, "tz", 0, &req->tz, err)) != FOTA_OK
        || (rc = fota_field_tz(req->tz, err)) != FOTA_OK
        || (rc = fota_req_text(root, "kind", 0, &kind, err)) != FOTA_OK
        || (rc = fota_req_bool(root, "delta", &delta, err)) != FOTA_OK
        || (rc = fota_req_avoid(root, req, err)) != FOTA_OK
        || (rc = fota_req_attrs(mem, root, &req->attrs, &req->nattrs, err))
           != FOTA_OK)
    {
        return rc;
    }

    req->no_delta = !delta;

    if (kind.data != NULL) {
        rc = fota_field_kind(kind, &req->kind, err);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_field_required(req->tenant, req->product, req->device, err);
}


static int
fota_req_error(const fota_json_t *root, fota_report_req_t *req,
    fota_field_error_t *err)
{
    int                 rc;
    const fota_json_t  *v, *code, *text;

    v = fota_json_get(root, "error");

    if (v == NULL || v->type == FOTA_JSON_NULL) {
        return FOTA_OK;
    }

    if (v->type != FOTA_JSON_OBJECT) {
        fota_field_error(err, "error", "must be an object");
        return FOTA_INVALID;
    }

    code = fota_json_get(v, "code");

    if (code != NULL && code->type != FOTA_JSON_NULL) {
        /* Many devices have numbers for errors. */
        if (code->type != FOTA_JSON_STRING && code->type != FOTA_JSON_NUMBER) {
            fota_field_error(err, "error.code", "must be a string");
            return FOTA_INVALID;
        }

        if (code->str.len != 0) {
            rc = fota_field_name("error.code", code->str, FOTA_ERROR_CODE_MAX,
                                 err);

            if (rc != FOTA_OK) {
                return rc;
            }
        }

        req->error_code = code->str;
    }

    text = fota_json_get(v, "text");

    if (text != NULL && text->type != FOTA_JSON_NULL) {
        if (text->type != FOTA_JSON_STRING) {
            fota_field_error(err, "error.text", "must be a string");
            return FOTA_INVALID;
        }

        if (text->str.len > FOTA_ERROR_TEXT_MAX) {
            fota_field_error(err, "error.text", "is %zu bytes long; the limit"
                             " is %d", text->str.len, FOTA_ERROR_TEXT_MAX);
            return FOTA_LIMIT;
        }

        req->error_text = text->str;
    }

    return FOTA_OK;
}


static int
fota_req_numbers(const fota_json_t *root, fota_report_req_t *req,
    fota_field_error_t *err)
{
    int       rc;
    uint64_t  rollout, attempt, seq, progress;

    rollout = 0;
    attempt = 1;
    seq = 0;
    progress = 0;

    if ((rc = fota_req_uint(root, "rollout", UINT32_MAX, &rollout, err))
        != FOTA_OK
        || (rc = fota_req_uint(root, "attempt", UINT16_MAX, &attempt, err))
           != FOTA_OK
        || (rc = fota_req_uint(root, "seq", UINT32_MAX, &seq, err)) != FOTA_OK
        || (rc = fota_req_uint(root, "progress", 100, &progress, err))
           != FOTA_OK
        || (rc = fota_req_uint(root, "bytes", INT64_MAX, &req->bytes, err))
           != FOTA_OK
        || (rc = fota_req_uint(root, "ms", INT64_MAX, &req->ms, err))
           != FOTA_OK)
    {
        return rc;
    }

    if (rollout == 0) {
        fota_field_error(err, "rollout", "is required and above 0");
        return FOTA_INVALID;
    }

    if (attempt == 0) {
        fota_field_error(err, "attempt", "counts from 1");
        return FOTA_INVALID;
    }

    req->rollout = (uint32_t) rollout;
    req->attempt = (uint16_t) attempt;
    req->seq = (uint32_t) seq;
    req->progress = (uint8_t) progress;

    return FOTA_OK;
}


int
fota_report_req_json(fota_mem_t *mem, fota_str_t body, fota_report_req_t *req,
    fota_field_error_t *err)
{
    int           rc, state;
    bool          delta;
    fota_str_t    tenant, product, device;
    fota_str_t    word = fota_null_str, artifact = fota_null_str;
    fota_json_t  *root;

    tenant = req->tenant;
    product = req->product;
    device = req->device;

    memset(req, 0, sizeof(fota_report_req_t));

    req->tenant = tenant;
    req->product = product;
    req->device = device;

    delta = false;

    if ((rc = fota_req_parse(mem, body, &root, err)) != FOTA_OK
        || (rc = fota_req_text(root, "tenant", FOTA_NAME_MAX, &req->tenant,
                               err)) != FOTA_OK
        || (rc = fota_req_text(root, "product", FOTA_NAME_MAX, &req->product,
                               err)) != FOTA_OK
        || (rc = fota_req_text(root, "device", FOTA_ID_MAX, &req->device,
                               err)) != FOTA_OK
        || (rc = fota_req_numbers(root, req, err)) != FOTA_OK
        || (rc = fota_req_text(root, "state", 0, &word, err)) != FOTA_OK
        || (rc = fota_req_text(root, "version", 0, &req->version, err))
           != FOTA_OK
        || (rc = fota_field_version(req->version, err)) != FOTA_OK
        || (rc = fota_req_text(root, "artifact", 0, &artifact, err))
           != FOTA_OK
        || (rc = fota_req_text(root, "node", 0, &req->node, err)) != FOTA_OK
        || (rc = fota_req_bool(root, "delta", &delta, err)) != FOTA_OK
        || (rc = fota_req_error(root, req, err)) != FOTA_OK
        || (rc = fota_req_attrs(mem, root, &req->attrs, &req->nattrs, err))
           != FOTA_OK)
    {
        return rc;
    }

    if (req->node.len != 0) {
        rc = fota_field_name("node", req->node, FOTA_NAME_MAX, err);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    req->delta = delta;

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
