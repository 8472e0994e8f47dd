/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "cli_http.h"
#include "fota_release.h"


#define FOTA_CLI_REPLY_MAX  (64 * 1024 * 1024)


struct fota_cli_http_s {
    CURL            *curl;
    fota_cli_tls_t   tls;
};

typedef struct {
    const fota_cli_call_t  *call;
    fota_cli_reply_t       *reply;
    size_t                  sent;       /* of call->body */
    bool                    stopped;
} fota_cli_state_t;


fota_cli_http_t *
fota_cli_http_new(const fota_cli_tls_t *tls)
{
    fota_cli_http_t  *http;

    http = calloc(1, sizeof(fota_cli_http_t));
    if (http == NULL) {
        return NULL;
    }

    if (tls != NULL) {
        http->tls = *tls;
    }

    http->curl = curl_easy_init();
    if (http->curl == NULL) {
        free(http);
        return NULL;
    }

    return http;
}


void
fota_cli_http_free(fota_cli_http_t *http)
{
    if (http != NULL) {
        curl_easy_cleanup(http->curl);
        free(http);
    }
}


static size_t
fota_cli_write(char *data, size_t size, size_t n, void *ctx)
{
    fota_cli_state_t  *st = ctx;

    /* The body of an error is text for us, not part of a file. */
    if (st->call->sink != NULL && st->reply->status / 100 == 2) {

        if (!st->call->sink(st->call->sink_ctx, data, size * n)) {
            st->stopped = true;
            return 0;
        }

        return size * n;
    }

    fota_buf_put(&st->reply->body, data, size * n);

    return st->reply->body.status == FOTA_OK ? size * n : 0;
}


static size_t
fota_cli_read(char *out, size_t size, size_t n, void *ctx)
{
    size_t             len;
    fota_cli_state_t  *st = ctx;

    if (st->call->source != NULL) {
        len = st->call->source(st->call->source_ctx, out, size * n);
        return len == (size_t) -1 ? CURL_READFUNC_ABORT : len;
    }

    len = st->call->body.len - st->sent;
    if (len > size * n) {
        len = size * n;
    }

    memcpy(out, st->call->body.data + st->sent, len);
    st->sent += len;

    return len;
}


static bool
fota_cli_header_is(fota_str_t line, const char *name, char *out, size_t max)
{
    size_t      n = strlen(name);
    fota_str_t  v;

    if (line.len <= n || line.data[n] != ':'
        || !fota_str_eq_nocase(fota_slice(line.data, n), fota_cstr(name)))
    {
        return false;
    }

    v = fota_slice(line.data + n + 1, line.len - n - 1);

    while (v.len != 0 && (v.data[0] == ' ' || v.data[0] == '\t')) {
        v.data++;
        v.len--;
    }

    while (v.len != 0 && v.data[v.len - 1] <= ' ') {
        v.len--;
    }

    if (v.len >= max) {
        return false;
    }

    memcpy(out, v.data, v.len);
    out[v.len] = '\0';

    return true;
}


static size_t
fota_cli_header(char *data, size_t size, size_t n, void *ctx)
{
    char               number[32];
    uint64_t           v;
    fota_str_t         line = fota_slice(data, size * n);
    fota_cli_state_t  *st = ctx;
    fota_cli_reply_t  *r = st->reply;

    if (line.len > 12 && memcmp(line.data, "HTTP/", 5) == 0) {
        const uint8_t  *p = memchr(line.data, ' ', line.len);

        r->status = (p == NULL) ? 0 : strtol((const char *) p + 1, NULL, 10);
        return line.len;
    }

    (void) fota_cli_header_is(line, "ETag", r->etag, sizeof(r->etag));
    (void) fota_cli_header_is(line, "Content-Range", r->content_range,
                              sizeof(r->content_range));
    (void) fota_cli_header_is(line, "WWW-Authenticate", r->www_authenticate,
                              sizeof(r->www_authenticate));

    if (fota_cli_header_is(line, "Retry-After", number, sizeof(number))
        && fota_str_u64(fota_cstr(number), 86400, &v) == FOTA_OK)
    {
        r->retry_after = (long) v;
    }

    if (fota_cli_header_is(line, "Content-Length", number, sizeof(number))
        && fota_str_u64(fota_cstr(number), INT64_MAX, &v) == FOTA_OK)
    {
        r->content_length = v;
    }

    return line.len;
}


static void
fota_cli_http_tls(fota_cli_http_t *http)
{
    CURL                  *c = http->curl;
    const fota_cli_tls_t  *tls = &http->tls;

    if (tls->ca != NULL) {
        curl_easy_setopt(c, CURLOPT_CAINFO, tls->ca);
    }

    if (tls->cert != NULL) {
        curl_easy_setopt(c, CURLOPT_SSLCERT, tls->cert);
        curl_easy_setopt(c, CURLOPT_SSLKEY,
                         tls->key != NULL ? tls->key : tls->cert);
    }

    if (tls->insecure) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }

    if (tls->socket != NULL) {
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, tls->socket);
    }
}


static void
fota_cli_http_body(CURL *c, const fota_cli_call_t *call)
{
    if (call->source != NULL || call->body.data != NULL) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, fota_cli_read);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t) (call->source != NULL
                                       ? call->source_len : call->body.len));

    } else if (strcmp(call->method, "GET") == 0) {
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);

    } else if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    }

    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
}


int
fota_cli_http_call(fota_cli_http_t *http, const fota_cli_call_t *call,
    fota_cli_reply_t *reply)
{
    CURL               *c = http->curl;
    size_t              i;
    CURLcode            rc;
    fota_cli_state_t    st;
    struct curl_slist  *list, *next;

    memset(reply, 0, sizeof(fota_cli_reply_t));
    memset(&st, 0, sizeof(st));
    fota_buf_grow(&reply->body, FOTA_CLI_REPLY_MAX);
    reply->retry_after = -1;
    st.call = call;
    st.reply = reply;

    if (call->url == NULL) {
        (void) snprintf(reply->error, sizeof(reply->error),
                        "the request is too large");
        return FOTA_LIMIT;
    }

    /* "Expect: 100-continue" costs a round trip with every upload. */
    list = curl_slist_append(NULL, "Expect:");

    for (i = 0; i < call->nheaders && list != NULL; i++) {
        next = curl_slist_append(list, call->headers[i]);
        if (next == NULL) {
            curl_slist_free_all(list);
        }

        list = next;
    }

    if (list == NULL) {
        (void) snprintf(reply->error, sizeof(reply->error), "no memory");
        return FOTA_NOMEM;
    }

    curl_easy_reset(c);
    fota_cli_http_tls(http);
    fota_cli_http_body(c, call);

    curl_easy_setopt(c, CURLOPT_URL, call->url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "fota/" FOTA_RELEASE);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);

    /*
     * An answer that takes the centre long to make is no stall; a byte a
     * second is one.
     */

    if (call->timeout_s != 0) {
        curl_easy_setopt(c, CURLOPT_TIMEOUT, call->timeout_s);

    } else {
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 100L);
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 30L);
    }

    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reply->error);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, fota_cli_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &st);
    curl_easy_setopt(c, CURLOPT_READDATA, &st);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, fota_cli_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &st);

    rc = curl_easy_perform(c);
    curl_slist_free_all(list);

    if (st.stopped) {
        return FOTA_BUSY;
    }

    if (rc != CURLE_OK) {
        if (reply->error[0] == '\0') {
            (void) snprintf(reply->error, sizeof(reply->error), "%s",
                            curl_easy_strerror(rc));
        }

        return FOTA_IO;
    }

    return FOTA_OK;
}


void
fota_cli_reply_done(fota_cli_reply_t *reply)
{
    fota_buf_free(&reply->body);
}


void
fota_cli_escape(fota_buf_t *out, fota_str_t s)
{
    size_t             i;
    uint8_t            c;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
            || c == '~')
        {
            fota_buf_u8(out, c);
            continue;
        }

        fota_buf_u8(out, '%');
        fota_buf_u8(out, (uint8_t) hex[c >> 4]);
        fota_buf_u8(out, (uint8_t) hex[c & 15]);
    }
}
