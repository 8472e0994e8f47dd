/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Answers: kept until the handler has returned, then queued by http.c. */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_private.h"


static int fota_res_take(fota_req_t *req, unsigned status, const char *type,
    char *data, size_t len);


static const char *
fota_http_reason(unsigned status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default:  return status >= 500 ? "Server Error" : "Error";
    }
}


/* Frees what an answer owns. */

static void
fota_res_free(fota_http_t *h)
{
    if (h->done != NULL) {
        h->done(h->ctx);
    }

    free(h->out);
    h->out = NULL;
    h->outlen = 0;
    h->produce = NULL;
    h->done = NULL;
    h->ctx = NULL;
    h->status = 0;
    h->type = fota_slice(NULL, 0);
}


void
fota_res_clear(fota_req_t *req)
{
    fota_res_free(fota_http_of(req));
    fota_http_of(req)->nheaders = 0;
}


bool
fota_res_set(const fota_req_t *req)
{
    return fota_http_of(req)->status != 0;
}


static int
fota_res_take(fota_req_t *req, unsigned status, const char *type, char *data,
    size_t len)
{
    fota_http_t  *h;

    h = fota_http_of(req);
    fota_res_free(h);

    if (type != NULL) {
        h->type = fota_strdup(&req->arena.mem, fota_cstr(type));
        if (h->type.data == NULL) {
            free(data);
            return FOTA_NOMEM;
        }
    }

    h->status = status;
    h->out = data;
    h->outlen = len;

    return FOTA_OK;
}


int
fota_res_json(fota_req_t *req, unsigned status, json_t *json)
{
    char  *text;

    if (json == NULL) {
        return FOTA_NOMEM;
    }

    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);

    if (text == NULL) {
        return FOTA_NOMEM;
    }

    return fota_res_take(req, status, "application/json", text, strlen(text));
}


int
fota_res_empty(fota_req_t *req, unsigned status)
{
    return fota_res_take(req, status, NULL, NULL, 0);
}


int
fota_res_bytes(fota_req_t *req, unsigned status, const char *type,
    fota_str_t bytes)
{
    char  *copy;

    copy = malloc(bytes.len + 1);
    if (copy == NULL) {
        return FOTA_NOMEM;
    }

    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }

    return fota_res_take(req, status, type, copy, bytes.len);
}


int
fota_res_accel(fota_req_t *req, const char *location, const char *type)
{
    int  rc;

    rc = fota_res_take(req, 200, type, NULL, 0);

    if (rc == FOTA_OK) {
        fota_res_header(req, "X-Accel-Redirect", location);
    }

    return rc;
}


int
fota_res_stream(fota_req_t *req, unsigned status, const char *type,
    fota_produce_pt produce, void (*done)(void *ctx), void *ctx)
{
    int           rc;
    fota_http_t  *h;

    h = fota_http_of(req);

    rc = fota_res_take(req, status, type, NULL, 0);
    if (rc != FOTA_OK) {
        return rc;
    }

    h->produce = produce;
    h->done = done;
    h->ctx = ctx;

    return FOTA_OK;
}


void
fota_res_header(fota_req_t *req, const char *name, const char *value)
{
    fota_http_t         *h;
    fota_http_header_t  *header;

    h = fota_http_of(req);

    if (h->nheaders == FOTA_HTTP_HEADERS) {
        return;
    }

    header = &h->headers[h->nheaders];
    header->name = fota_strdup(&req->arena.mem, fota_cstr(name));
    header->value = fota_strdup(&req->arena.mem, fota_cstr(value));

    if (header->name.data != NULL && header->value.data != NULL) {
        h->nheaders++;
    }
}


int
fota_res_problem(fota_req_t *req, unsigned status, const char *code,
    const char *field, const char *fmt, ...)
{
    char      detail[512], *text;
    json_t   *json;
    va_list   ap;

    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);

    json = json_object();
    json_object_set_new(json, "type", json_string("about:blank"));
    json_object_set_new(json, "title", json_string(fota_http_reason(status)));
    json_object_set_new(json, "status", json_integer(status));
    json_object_set_new(json, "code", json_string(code));

    if (field != NULL) {
        json_object_set_new(json, "field", fota_json_text(fota_cstr(field)));
    }

    json_object_set_new(json, "detail", fota_json_text(fota_cstr(detail)));
    json_object_set_new(json, "request_id", json_string(req->request_id));

    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);

    if (text == NULL) {
        return FOTA_NOMEM;
    }

    return fota_res_take(req, status, "application/problem+json", text,
                         strlen(text));
}
