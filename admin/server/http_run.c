/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a request goes through: route, credential, body, handler. */


#include "http_private.h"


static void fota_http_result(fota_http_t *h, int rc);


static atomic_uint  fota_http_readers;  /* of bodies, each with a db */


void
fota_http_begin(fota_http_t *h)
{
    int           rc;
    char          allow[64];
    uint64_t      length;
    fota_db_t    *db;
    fota_str_t    s;
    fota_req_t   *req;

    req = &h->req;

    switch (fota_route_match(fota_route_sets, fota_route_nsets, h->method,
                             h->path, &req->route, h->params, &h->nparams,
                             allow))
    {
    case FOTA_MATCH_NONE:
        (void) fota_res_problem(req, 404, "no_route", NULL,
                                "there is nothing at this path");
        return;

    case FOTA_MATCH_METHOD:
        fota_res_header(req, "Allow", allow);
        (void) fota_res_problem(req, 405, "method", NULL,
                                "this path takes %s", allow);
        return;

    default:
        break;
    }

    if (!fota_http_decode(h)) {
        return;
    }

    if (!(req->route->flags & FOTA_ROUTE_PUBLIC)) {
        db = fota_db_get(req->server->db);
        rc = db != NULL ? fota_auth(req, db) : FOTA_IO;

        if (db != NULL) {
            fota_db_put(req->server->db, db);
        }

        if (rc != FOTA_OK && h->status == 0) {
            fota_http_result(h, rc);
        }

        if (h->status != 0) {
            return;
        }
    }

    s = fota_req_header(req, "Content-Length");

    if (s.data != NULL) {
        if (fota_str_u64(s, UINT64_MAX, &length) != FOTA_OK) {
            (void) fota_res_problem(req, 400, "content_length",
                                    "Content-Length", "not a number");
            return;
        }

        if (length > req->route->max_body) {
            (void) fota_res_problem(req, 413, "body_too_large", NULL,
                                    "the body may have %llu bytes",
                                    (unsigned long long)
                                    req->route->max_body);
            return;
        }
    }

    fota_buf_grow(&h->body, req->route->body == NULL ? req->route->max_body
                                                     : 0);
}


/* Borrows what the handler, or the reader of a body, needs. */

static bool
fota_http_borrow(fota_http_t *h)
{
    if (h->begun) {
        return true;
    }

    h->begun = 1;

    if (h->req.route->flags & FOTA_ROUTE_NO_DB) {
        return true;
    }

    if (h->req.route->body != NULL) {
        /* It is kept for as long as the client sends: others need some. */

        h->reader = 1;

        if (atomic_fetch_add(&fota_http_readers, 1)
            >= h->req.server->conf.db_connections / 2)
        {
            fota_http_result(h, FOTA_BUSY);
            return false;
        }
    }

    h->req.db = fota_db_get(h->req.server->db);

    if (h->req.db == NULL) {
        fota_http_result(h, FOTA_IO);
        return false;
    }

    return true;
}


void
fota_http_data(fota_http_t *h, const char *data, size_t len)
{
    int          rc;
    fota_req_t  *req;

    req = &h->req;
    h->received += len;

    if (h->received > req->route->max_body) {
        (void) fota_res_problem(req, 413, "body_too_large", NULL,
                                "the body may have %llu bytes",
                                (unsigned long long) req->route->max_body);
        return;
    }

    if (req->route->body == NULL) {
        fota_buf_put(&h->body, data, len);

        if (h->body.status != FOTA_OK) {
            fota_http_result(h, FOTA_NOMEM);
        }

        return;
    }

    if (!fota_http_borrow(h)) {
        return;
    }

    rc = req->route->body(req, data, len);

    if (rc != FOTA_OK && h->status == 0) {
        fota_http_result(h, rc);
    }
}


static bool
fota_http_is_json(fota_req_t *req)
{
    fota_str_t  type;

    type = fota_req_header(req, "Content-Type");

    if (type.len < 16) {
        return false;
    }

    if (!fota_str_eq_nocase(fota_slice(type.data, 16),
                            fota_cstr("application/json")))
    {
        return false;
    }

    return type.len == 16 || type.data[16] == ';' || type.data[16] == ' ';
}


void
fota_http_finish(fota_http_t *h)
{
    int           rc;
    fota_req_t   *req;
    json_error_t  err;

    req = &h->req;

    if (h->status != 0) {
        return;
    }

    if (req->route->body == NULL) {
        req->body = fota_buf_slice(&h->body);

        if (req->body.len > 0 && fota_http_is_json(req)) {
            req->json = json_loadb((const char *) req->body.data,
                                   req->body.len, JSON_REJECT_DUPLICATES,
                                   &err);
            if (req->json == NULL) {
                (void) fota_res_problem(req, 400, "bad_json", NULL,
                                        "line %d, column %d: %s", err.line,
                                        err.column, err.text);
                return;
            }
        }
    }

    if (!fota_http_borrow(h)) {
        return;
    }

    rc = FOTA_OK;

    if (req->route->body != NULL) {
        rc = req->route->body(req, NULL, 0);
    }

    if (rc == FOTA_OK && h->status == 0) {
        rc = req->route->handler(req);
    }

    if (rc != FOTA_OK && req->db != NULL && fota_db_broken(req->db)) {
        rc = FOTA_IO;
    }

    /* A refusal that was set stands, whatever the handler returned. */

    if (h->status == 0 || (rc != FOTA_OK && h->status < 400)) {
        fota_http_result(h, rc == FOTA_OK ? FOTA_ERROR : rc);
    }

    /* A stream may read from the database until its end. */

    if (req->db != NULL && h->produce == NULL) {
        fota_db_put(req->server->db, req->db);
        req->db = NULL;
    }
}


static void
fota_http_result(fota_http_t *h, int rc)
{
    fota_req_t  *req;

    req = &h->req;
    fota_res_clear(req);

    if (rc == FOTA_IO || rc == FOTA_BUSY) {
        fota_res_header(req, "Retry-After", "2");
        (void) fota_res_problem(req, 503, "unavailable", NULL,
                                rc == FOTA_IO
                                ? "the database is not available"
                                : "too busy, try again");
        fota_log(FOTA_LOG_WARN, "%.*s %.*s: %s%s%s", (int) h->method.len,
                 h->method.data, (int) h->path.len, h->path.data,
                 fota_status_name(rc), req->db != NULL ? ": " : "",
                 req->db != NULL ? fota_db_error(req->db) : "");
        return;
    }

    if (rc == FOTA_FULL) {
        (void) fota_res_problem(req, 507, "disk_full", NULL,
                                "the object store is full");
        return;
    }

    (void) fota_res_problem(req, 500, "internal", NULL,
                            "the request failed; the log of the server has "
                            "the reason under this request_id");

    fota_log(FOTA_LOG_ERROR, "request %s %.*s %.*s failed: %s%s%s",
             req->request_id, (int) h->method.len, h->method.data,
             (int) h->path.len, h->path.data, fota_status_name(rc),
             req->db != NULL ? ": " : "",
             req->db != NULL ? fota_db_error(req->db) : "");
}


void
fota_http_end(fota_http_t *h)
{
    fota_req_t  *req;

    req = &h->req;

    if (h->done != NULL) {
        h->done(h->ctx);
    }

    if (req->cleanup != NULL) {
        req->cleanup(req);
    }

    if (req->db != NULL) {
        fota_db_put(req->server->db, req->db);
    }

    atomic_fetch_sub(&fota_http_readers, h->reader);
}
