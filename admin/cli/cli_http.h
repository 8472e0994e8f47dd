/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The only door to libcurl of the command. */

#ifndef FOTA_CLI_HTTP_H
#define FOTA_CLI_HTTP_H


#include "fota_buf.h"


/* Bytes of a body as they come; false stops the transfer. */
typedef bool (*fota_cli_sink_pt)(void *ctx, const void *data, size_t len);

/* Bytes of a body to send: 0 ends it, (size_t) -1 gives up. */
typedef size_t (*fota_cli_source_pt)(void *ctx, void *out, size_t max);

#define FOTA_CLI_HEADERS_MAX  16

typedef struct {
    const char          *method;        /* "GET" */
    const char          *url;
    const char          *headers[FOTA_CLI_HEADERS_MAX]; /* "Name: value" */
    size_t               nheaders;
    fota_str_t           body;          /* or source */
    fota_cli_source_pt   source;
    uint64_t             source_len;
    void                *source_ctx;
    fota_cli_sink_pt     sink;          /* NULL: body is collected */
    void                *sink_ctx;
    long                 timeout_s;     /* 0 = none; stalls end after 30 s */
} fota_cli_call_t;

typedef struct {
    long        status;                 /* 0: no answer, see error */
    fota_buf_t  body;                   /* collected; free with _done */
    char        etag[128];
    char        content_range[96];
    char        www_authenticate[160];
    long        retry_after;            /* s, -1 = absent */
    uint64_t    content_length;
    char        error[256];
} fota_cli_reply_t;

typedef struct {
    const char  *ca;                    /* PEM file, NULL = the system's */
    const char  *cert;                  /* client certificate and key */
    const char  *key;
    bool         insecure;
    const char  *socket;                /* unix socket instead of TCP */
} fota_cli_tls_t;

typedef struct fota_cli_http_s  fota_cli_http_t;

/* Connections are kept between calls.  NULL when out of memory. */
fota_cli_http_t *fota_cli_http_new(const fota_cli_tls_t *tls);
void fota_cli_http_free(fota_cli_http_t *http);

/*
 * FOTA_OK when there was an answer of any status; FOTA_IO otherwise (or
 * FOTA_LIMIT, when the URL is NULL for it did not fit), with
 * reply->error; FOTA_BUSY when the sink stopped it.
 */
int fota_cli_http_call(fota_cli_http_t *http, const fota_cli_call_t *call,
    fota_cli_reply_t *reply);

void fota_cli_reply_done(fota_cli_reply_t *reply);

/* Appends s percent-encoded for a query value or path segment. */
void fota_cli_escape(fota_buf_t *out, fota_str_t s);


#endif /* FOTA_CLI_HTTP_H */
