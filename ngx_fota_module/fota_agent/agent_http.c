/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <curl/curl.h>
#include <jansson.h>

#include "agent_http.h"
#include "fota_encode.h"


#define FOTA_AGENT_HTTP_POLL     250        /* ms; how fast a stop is seen */
#define FOTA_AGENT_HTTP_CONNECT  10         /* s */
#define FOTA_AGENT_HTTP_IDLE     60         /* s of less than */
#define FOTA_AGENT_HTTP_SLOW     100        /* bytes/s: as good as none */


struct fota_agent_http_s {
    fota_agent_t  *agent;
    CURLM         *multi;
    CURL          *easy;
};

typedef struct {
    fota_agent_http_t       *http;
    const fota_agent_req_t  *req;
    fota_agent_res_t        *res;
    int                      rc;        /* of the sink */
} fota_agent_transfer_t;


static size_t fota_agent_http_header(char *data, size_t size, size_t n,
    void *ctx);
static size_t fota_agent_http_body(char *data, size_t size, size_t n,
    void *ctx);
static void fota_agent_http_setup(fota_agent_transfer_t *t, char *error,
    struct curl_slist **headers);
static int fota_agent_http_run(fota_agent_transfer_t *t, CURLcode *code);


int
fota_agent_http_init(void)
{
    return (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) ? FOTA_OK
                                                               : FOTA_ERROR;
}


fota_agent_http_t *
fota_agent_http_new(fota_agent_t *agent)
{
    fota_agent_http_t  *h;

    h = calloc(1, sizeof(fota_agent_http_t));
    if (h == NULL) {
        return NULL;
    }

    h->agent = agent;
    h->multi = curl_multi_init();
    h->easy = curl_easy_init();

    if (h->multi == NULL || h->easy == NULL) {
        fota_agent_http_free(h);
        return NULL;
    }

    return h;
}


void
fota_agent_http_free(fota_agent_http_t *h)
{
    if (h == NULL) {
        return;
    }

    curl_easy_cleanup(h->easy);
    curl_multi_cleanup(h->multi);
    free(h);
}


void
fota_agent_res_free(fota_agent_res_t *res)
{
    fota_buf_free(&res->body);
}


static size_t
fota_agent_http_header(char *data, size_t size, size_t n, void *ctx)
{
    char                   *colon;
    fota_str_t              name, value;
    fota_agent_res_t       *res;
    fota_agent_transfer_t  *t;

    t = ctx;
    res = t->res;
    n *= size;

    colon = memchr(data, ':', n);

    if (colon == NULL) {
        return n;
    }

    name = fota_slice(data, (size_t) (colon - data));
    value = fota_slice(colon + 1, n - name.len - 1);

    while (value.len != 0 && value.data[0] <= ' ') {
        value.data++;
        value.len--;
    }

    while (value.len != 0 && value.data[value.len - 1] <= ' ') {
        value.len--;
    }

    if (fota_str_eq_nocase(name, fota_cstr("Retry-After"))) {
        (void) fota_str_u64(value, UINT32_MAX, &res->retry_after);

    } else if (fota_str_eq_nocase(name, fota_cstr("Fota-Head"))) {
        (void) fota_str_u64(value, UINT64_MAX, &res->head);

    } else if (fota_str_eq_nocase(name, fota_cstr("Fota-Time"))) {
        (void) fota_str_u64(value, UINT64_MAX, &res->time);

    } else if (fota_str_eq_nocase(name, fota_cstr("Fota-Epoch"))) {
        uint8_t  raw[8];
        size_t   i;

        if (fota_hex_decode(raw, 8, value) == FOTA_OK) {
            for (res->epoch = 0, i = 0; i < 8; i++) {
                res->epoch = (res->epoch << 8) | raw[i];
            }
        }

    } else if (fota_str_eq_nocase(name, fota_cstr("Content-Range"))
               && value.len > 6 && memcmp(value.data, "bytes ", 6) == 0)
    {
        const uint8_t  *dash;

        dash = memchr(value.data, '-', value.len);

        if (dash != NULL) {
            (void) fota_str_u64(fota_slice(value.data + 6,
                                           (size_t) (dash - value.data) - 6),
                                UINT64_MAX, &res->from);
        }
    }

    return n;
}


static size_t
fota_agent_http_body(char *data, size_t size, size_t n, void *ctx)
{
    fota_agent_transfer_t  *t;

    t = ctx;
    n *= size;

    (void) curl_easy_getinfo(t->http->easy, CURLINFO_RESPONSE_CODE,
                             &t->res->status);

    if (t->req->sink != NULL
        && (t->res->status == 200 || t->res->status == 206))
    {
        t->rc = t->req->sink(t->req->ctx, t->res, data, n);

    } else {
        fota_buf_put(&t->res->body, data, n);
        t->rc = t->res->body.status;
    }

    return (t->rc == FOTA_OK) ? n : 0;
}


static void
fota_agent_http_setup(fota_agent_transfer_t *t, char *error,
    struct curl_slist **headers)
{
    CURL                     *easy;
    char                      line[PATH_MAX];
    const fota_agent_req_t   *req;
    const fota_agent_conf_t  *conf;

    req = t->req;
    easy = t->http->easy;
    conf = &t->http->agent->conf;

    curl_easy_reset(easy);

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT,
                     (long) FOTA_AGENT_HTTP_CONNECT);
    curl_easy_setopt(easy, CURLOPT_USERAGENT,
                     "fota-agent/" FOTA_RELEASE);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fota_agent_http_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fota_agent_http_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);

    if (req->url != NULL) {
        curl_easy_setopt(easy, CURLOPT_URL, req->url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

    } else {
        (void) snprintf(line, sizeof(line), "%s%s", conf->centre, req->path);
        curl_easy_setopt(easy, CURLOPT_URL, line);

        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
        curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                         (long) CURL_SSLVERSION_TLSv1_2);
        curl_easy_setopt(easy, CURLOPT_CAINFO, conf->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_SSLCERT, conf->cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, conf->key);
    }

    if (req->timeout != 0) {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long) req->timeout);

    } else {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT,
                         (long) FOTA_AGENT_HTTP_SLOW);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                         (long) FOTA_AGENT_HTTP_IDLE);
    }

    if (req->from != 0) {
        (void) snprintf(line, sizeof(line), "%llu-",
                        (unsigned long long) req->from);
        curl_easy_setopt(easy, CURLOPT_RANGE, line);
    }

    if (req->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) req->body->len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         (req->body->len == 0) ? (const void *) ""
                                               : req->body->data);

        (void) snprintf(line, sizeof(line), "Content-Type: %s", req->type);
        *headers = curl_slist_append(*headers, line);

        /* A small body is not worth the round trip of 100 Continue. */

        *headers = curl_slist_append(*headers, "Expect:");

        if (req->idempotency != NULL) {
            (void) snprintf(line, sizeof(line), "Idempotency-Key: %s",
                            req->idempotency);
            *headers = curl_slist_append(*headers, line);
        }

        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    }
}


/* FOTA_BUSY: the agent stops. */

static int
fota_agent_http_run(fota_agent_transfer_t *t, CURLcode *code)
{
    int      running, left;
    CURLM   *multi;
    CURLMsg *msg;

    multi = t->http->multi;

    if (curl_multi_add_handle(multi, t->http->easy) != CURLM_OK) {
        return FOTA_ERROR;
    }

    running = 1;

    while (running != 0) {

        if (fota_agent_stopping(t->http->agent)) {
            curl_multi_remove_handle(multi, t->http->easy);
            return FOTA_BUSY;
        }

        if (curl_multi_perform(multi, &running) != CURLM_OK
            || (running != 0
                && curl_multi_poll(multi, NULL, 0, FOTA_AGENT_HTTP_POLL, NULL)
                   != CURLM_OK))
        {
            curl_multi_remove_handle(multi, t->http->easy);
            return FOTA_ERROR;
        }
    }

    *code = CURLE_FAILED_INIT;

    while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE) {
            *code = msg->data.result;
        }
    }

    curl_multi_remove_handle(multi, t->http->easy);

    return FOTA_OK;
}


int
fota_agent_http(fota_agent_http_t *h, const fota_agent_req_t *req,
    fota_agent_res_t *res)
{
    int                     rc;
    char                    error[CURL_ERROR_SIZE];
    CURLcode                code;
    struct curl_slist      *headers;
    fota_agent_transfer_t   t;

    memset(res, 0, sizeof(fota_agent_res_t));
    fota_buf_grow(&res->body, (req->max != 0) ? req->max : 65536);

    t.http = h;
    t.req = req;
    t.res = res;
    t.rc = FOTA_OK;

    error[0] = '\0';
    headers = NULL;
    code = CURLE_OK;

    fota_agent_http_setup(&t, error, &headers);

    rc = fota_agent_http_run(&t, &code);

    (void) curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &res->status);

    /* The handle must not keep what lives on this stack. */

    curl_easy_reset(h->easy);
    curl_slist_free_all(headers);

    if (rc != FOTA_OK) {
        return rc;
    }

    if (t.rc != FOTA_OK) {
        (void) snprintf(res->error, sizeof(res->error), "%s",
                        fota_status_name(t.rc));
        return t.rc;
    }

    if (code != CURLE_OK) {
        (void) snprintf(res->error, sizeof(res->error), "%s",
                        (error[0] != '\0') ? error : curl_easy_strerror(code));
        return FOTA_IO;
    }

    return FOTA_OK;
}


const char *
fota_agent_res_text(fota_agent_res_t *res)
{
    json_t      *doc;
    const char  *title, *detail;

    if (res->error[0] != '\0') {
        return res->error;
    }

    doc = json_loadb((const char *) res->body.start, res->body.len, 0, NULL);

    title = json_string_value(json_object_get(doc, "code"));
    detail = json_string_value(json_object_get(doc, "detail"));

    if (detail == NULL) {
        detail = json_string_value(json_object_get(doc, "title"));
    }

    (void) snprintf(res->error, sizeof(res->error), "HTTP %ld%s%s%s%s",
                    res->status, (title != NULL) ? " " : "",
                    (title != NULL) ? title : "",
                    (detail != NULL) ? ": " : "",
                    (detail != NULL) ? detail : "");

    json_decref(doc);

    return res->error;
}
