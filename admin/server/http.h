/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to libmicrohttpd: requests on a unix socket behind nginx, a
 * table-driven router, bodies read whole up to a limit or streamed.
 */

#ifndef FOTA_ADMIN_HTTP_H
#define FOTA_ADMIN_HTTP_H

#include <sys/types.h>

#include <jansson.h>

#include "fota_buf.h"
#include "db.h"

typedef struct fota_server_s  fota_server_t;    /* server.h: all state */
typedef struct fota_req_s     fota_req_t;

/*
 * Answers the request; the return value is FOTA_OK when an answer was set.
 * Anything else becomes 500 (FOTA_BUSY and FOTA_IO 503 + Retry-After,
 * FOTA_FULL 507), unless a refusal (400 and above) was set: that stands.
 */
typedef int (*fota_handler_pt)(fota_req_t *req);

/* For streamed bodies: called with each piece, then once with len 0. */
typedef int (*fota_body_pt)(fota_req_t *req, const void *data, size_t len);

#define FOTA_ROUTE_PUBLIC    0x01   /* no credential */
#define FOTA_ROUTE_NODE      0x02   /* X-Fota-Node of a known node */
#define FOTA_ROUTE_PLATFORM  0x04   /* token of the platform only */
#define FOTA_ROUTE_NO_DB     0x08   /* handler borrows no connection */
/*
 * Without this and PUBLIC, NODE, PLATFORM a request has a tenant: that of
 * its token, or the one a platform token names by "?tenant=NAME" or
 * X-Fota-Tenant.  With it tenant_id may be 0: the whole platform.
 */
#define FOTA_ROUTE_ANY       0x10

typedef struct {
    const char       *method;
    const char       *path;         /* "/api/v1/products/{product}" */
    const char       *permission;   /* "product:read", NULL with PUBLIC/NODE */
    fota_handler_pt   handler;
    fota_body_pt      body;         /* NULL: whole body, max_body */
    uint64_t          max_body;     /* bytes; 0 = no body */
    unsigned          flags;
} fota_route_t;

/* One array per file of handlers, listed in routes.c. */
typedef struct {
    const fota_route_t  *routes;
    size_t               n;
} fota_route_set_t;

extern const fota_route_set_t *const  fota_route_sets[];
extern const size_t                   fota_route_nsets;

struct fota_req_s {
    fota_server_t       *server;
    const fota_route_t  *route;
    fota_db_t           *db;            /* borrowed for this request */
    fota_arena_t         arena;         /* freed after the answer */
    fota_str_t           body;          /* whole body */
    json_t              *json;          /* parsed when it is JSON */
    fota_str_t           address;       /* X-Real-IP from nginx */
    char                 request_id[33];

    /* Who asks. */
    uint32_t             token_id;
    uint32_t             tenant_id;     /* scope of this request */
    fota_str_t           tenant_name;
    bool                 platform;
    fota_str_t           actor;         /* for the audit log */
    uint32_t             node_id;       /* with FOTA_ROUTE_NODE */
    fota_str_t           node_name;

    void                *state;         /* of a body reader */
    /* When set: called at the end of the request, whatever happened. */
    void               (*cleanup)(fota_req_t *req);
    void                *http;          /* http.c's own */
};

/*
 * Is there a blank at an end?  No name has one: text columns compare without
 * regard to trailing blanks, so that it would be another name for the same.
 */
bool fota_str_blank(fota_str_t s);

/* Path parameter, query parameter, header; data == NULL when absent. */
fota_str_t fota_req_param(fota_req_t *req, const char *name);
fota_str_t fota_req_query(fota_req_t *req, const char *name);
fota_str_t fota_req_header(fota_req_t *req, const char *name);
/* Every query parameter in the order given, decoded into the arena. */
typedef void (*fota_query_each_pt)(void *ctx, fota_str_t name,
    fota_str_t value);
void fota_req_query_each(fota_req_t *req, fota_query_each_pt each, void *ctx);
uint64_t fota_req_query_u64(fota_req_t *req, const char *name, uint64_t def,
    uint64_t max);

/*
 * Empty when absent; false when 400 was answered: longer than max bytes, or
 * not one of words, which end with NULL.
 */
bool fota_req_query_str(fota_req_t *req, const char *name, size_t max,
    fota_str_t *out);
bool fota_req_query_word(fota_req_t *req, const char *name,
    const char *const *words, fota_str_t *out);

/* Answers.  json is stolen. */
int fota_res_json(fota_req_t *req, unsigned status, json_t *json);
int fota_res_empty(fota_req_t *req, unsigned status);
/* Bytes are copied into the answer. */
int fota_res_bytes(fota_req_t *req, unsigned status, const char *type,
    fota_str_t bytes);
/* nginx sends the file: X-Accel-Redirect. */
int fota_res_accel(fota_req_t *req, const char *location, const char *type);
/* Chunks produced on demand: returns bytes, 0 = end, -1 = abort. */
typedef ssize_t (*fota_produce_pt)(void *ctx, char *out, size_t max);
int fota_res_stream(fota_req_t *req, unsigned status, const char *type,
    fota_produce_pt produce, void (*done)(void *ctx), void *ctx);
void fota_res_header(fota_req_t *req, const char *name, const char *value);

/* problem+json, RFC 9457; code is stable, field may be NULL. */
int fota_res_problem(fota_req_t *req, unsigned status, const char *code,
    const char *field, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for whoever returns a status, and, with 400, for a check. */
#define fota_res_refuse(...)    (fota_res_problem(__VA_ARGS__), FOTA_INVALID)
#define fota_res_bad(req, ...)                                               \
    (fota_res_problem(req, 400, __VA_ARGS__), false)

/*
 * Members of a JSON body with limits.  Each answers 400 naming the field and
 * the limit and returns false when the member is wrong; absent members give
 * the default unless required.
 */
bool fota_json_str(fota_req_t *req, const char *name, bool required,
    size_t max, fota_str_t *out);
bool fota_json_u64(fota_req_t *req, const char *name, bool required,
    uint64_t max, uint64_t *out);
bool fota_json_i64(fota_req_t *req, const char *name, bool required,
    int64_t min, int64_t max, int64_t *out);
bool fota_json_double(fota_req_t *req, const char *name, bool required,
    double min, double max, double *out);
/* *out stays as it is when the member is absent. */
bool fota_json_flag(fota_req_t *req, const char *name, bool *out);
/* An array of at most max members (NULL when absent). */
bool fota_json_list(fota_req_t *req, const char *name, size_t max,
    json_t **out);
/* Is the member there, null included? */
bool fota_json_has(fota_req_t *req, const char *name);
/* The body is an object with no member but these; the list ends with NULL. */
bool fota_json_only(fota_req_t *req, const char *const *names);
/* Strings of limited length without control characters. */
bool fota_json_name(fota_req_t *req, const char *name, bool required,
    size_t max, fota_str_t *out);
/* JSON string of a slice; bytes that are no UTF-8 become U+FFFD. */
json_t *fota_json_text(fota_str_t s);
json_t *fota_json_hex(const void *data, size_t len);

/* Forgets an answer that was set, for a retry. */
void fota_res_clear(fota_req_t *req);
bool fota_res_set(const fota_req_t *req);

/*
 * Listens on a unix socket; threads = connections at most, one thread each,
 * long polls included.
 */
int fota_http_start(fota_server_t *server, const char *socket,
    unsigned threads);
void fota_http_stop(fota_server_t *server);

#endif /* FOTA_ADMIN_HTTP_H */
