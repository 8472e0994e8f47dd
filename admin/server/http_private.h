/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Shared by http.c (libmicrohttpd), http_run.c, http_req.c, http_res.c,
 * http_json.c, router.c and auth.c.  Nothing foreign in it.
 */

#ifndef FOTA_ADMIN_HTTP_PRIVATE_H
#define FOTA_ADMIN_HTTP_PRIVATE_H

#include "server.h"

#define FOTA_HTTP_PARAMS   4
#define FOTA_HTTP_HEADERS  12

typedef struct fota_http_s  fota_http_t;

typedef struct {
    const char       *name;     /* in the route's path, up to "}" */
    fota_str_t        raw;      /* not yet decoded */
    fota_str_t        value;
} fota_http_param_t;

typedef struct {
    fota_str_t        name;
    fota_str_t        value;
} fota_http_header_t;

struct fota_http_s {
    fota_req_t           req;
    void                *connection;
    fota_str_t           method;
    fota_str_t           path;          /* raw, without the query */
    int64_t              start;         /* ms */

    fota_http_param_t    params[FOTA_HTTP_PARAMS];
    unsigned             nparams;

    fota_buf_t           body;
    uint64_t             received;

    /* The answer; status 0 = none yet. */
    unsigned             status;
    fota_str_t           type;
    char                *out;           /* malloc'ed */
    size_t               outlen;
    fota_produce_pt      produce;
    void               (*done)(void *ctx);
    void                *ctx;
    fota_http_header_t   headers[FOTA_HTTP_HEADERS];
    unsigned             nheaders;

    unsigned             begun:1;       /* body reader has seen data */
    unsigned             queued:1;
    unsigned             close:1;
    unsigned             reader:1;      /* counted among the readers */
};

#define fota_http_of(req)  ((fota_http_t *) (req)->http)

typedef enum {
    FOTA_MATCH_OK = 0,
    FOTA_MATCH_NONE,
    FOTA_MATCH_METHOD           /* the path is known, the method is not */
} fota_match_e;

/*
 * Finds the route of method and raw path; literal segments win over
 * parameters.  params are filled with raw text.  allow (of 64 bytes) gets
 * the methods of the path with FOTA_MATCH_METHOD.
 */
fota_match_e fota_route_match(const fota_route_set_t *const *sets,
    size_t nsets, fota_str_t method, fota_str_t path,
    const fota_route_t **route, fota_http_param_t *params, unsigned *nparams,
    char *allow);

/* Does "device:read,group:*" hold "device:read"? */
bool fota_permission_has(fota_str_t list, const char *permission);

/*
 * Percent-decoding into mem; "+" is itself.  FOTA_INVALID on bad escapes,
 * NUL, or text that is no UTF-8.
 */
int fota_url_decode(fota_mem_t *mem, fota_str_t raw, fota_str_t *out);

/*
 * Who asks, and may they?  Sets the answer and returns FOTA_INVALID when
 * not; FOTA_IO and the like when the database is away.
 */
int fota_auth(fota_req_t *req, fota_db_t *db);


/*
 * A request from its head over each piece of its body to its answer.  A
 * status that is set ends it: the rest of the body is not looked at.
 */
void fota_http_begin(fota_http_t *h);
void fota_http_data(fota_http_t *h, const char *data, size_t len);
void fota_http_finish(fota_http_t *h);

/* Gives back what it held; the answer has been sent, or never will be. */
void fota_http_end(fota_http_t *h);

/* Query parameters: http.c finds them, http_req.c decodes and passes on. */
typedef struct {
    fota_req_t          *req;
    fota_query_each_pt   each;          /* may be NULL */
    void                *ctx;
    const char          *bad;           /* the first that is not encoded */
} fota_query_walk_t;

void fota_http_query_each(fota_req_t *req, fota_query_walk_t *walk);
void fota_query_take(fota_query_walk_t *walk, fota_str_t name,
    fota_str_t value);

/*
 * Decodes the parameters of the path, tries those of the query; false when
 * one is no percent-encoded UTF-8 text, and the answer says which.
 */
bool fota_http_decode(fota_http_t *h);

#endif /* FOTA_ADMIN_HTTP_PRIVATE_H */
