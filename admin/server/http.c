/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only file that knows libmicrohttpd.  A thread per connection, because
 * handlers wait for the database; nginx in front bounds their number and
 * rewrites every request before it comes here.
 */


#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fota_encode.h"
#include "fota_crypto.h"
#include "http_private.h"


#define FOTA_HTTP_STACK      (512 * 1024)
#define FOTA_HTTP_MEMORY     (64 * 1024)        /* headers and read buffer */
#define FOTA_HTTP_IDLE       75                 /* s, above nginx's 60 */
#define FOTA_HTTP_DRAIN      (1024 * 1024)      /* of a refused body */
#define FOTA_HTTP_STOP_MS    30000
#define FOTA_HTTP_ARENA      (64 * 1024 * 1024)
#define FOTA_HTTP_BLOCK      (32 * 1024)


typedef struct {
    struct MHD_Daemon  *daemon;
    fota_server_t      *server;
    char               *path;
    atomic_uint         active;
    int                 fd;
} fota_httpd_t;


static enum MHD_Result fota_http_access(void *cls,
    struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state);
static void fota_http_completed(void *cls, struct MHD_Connection *connection,
    void **state, enum MHD_RequestTerminationCode code);
static size_t fota_http_unescape(void *cls, struct MHD_Connection *c, char *s);
static fota_http_t *fota_http_new(fota_httpd_t *httpd,
    struct MHD_Connection *connection, const char *url, const char *method);
static enum MHD_Result fota_http_queue(fota_http_t *h);
static ssize_t fota_http_produce(void *cls, uint64_t pos, char *buf,
    size_t max);
static int fota_http_listen(const char *path, uint64_t mode);


int
fota_http_start(fota_server_t *server, const char *socket, unsigned threads)
{
    fota_httpd_t  *httpd;

    httpd = calloc(1, sizeof(*httpd));
    if (httpd == NULL) {
        return FOTA_NOMEM;
    }

    httpd->server = server;
    httpd->path = strdup(socket);
    httpd->fd = fota_http_listen(socket, server->conf.socket_mode);

    if (httpd->fd < 0 || httpd->path == NULL) {
        free(httpd->path);
        free(httpd);
        return FOTA_IO;
    }

    httpd->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION
                                     | MHD_USE_INTERNAL_POLLING_THREAD
                                     | MHD_USE_POLL | MHD_USE_ITC,
        0, NULL, NULL, fota_http_access, httpd,
        MHD_OPTION_LISTEN_SOCKET, httpd->fd,
        MHD_OPTION_CONNECTION_LIMIT, threads,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) FOTA_HTTP_IDLE,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) FOTA_HTTP_MEMORY,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t) FOTA_HTTP_STACK,
        MHD_OPTION_UNESCAPE_CALLBACK, fota_http_unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, fota_http_completed, httpd,
        MHD_OPTION_END);

    if (httpd->daemon == NULL) {
        fota_log(FOTA_LOG_ERROR, "cannot start the HTTP server on \"%s\"",
                 socket);
        close(httpd->fd);
        free(httpd->path);
        free(httpd);
        return FOTA_ERROR;
    }

    server->http = httpd;

    return FOTA_OK;
}


/* New connections are refused at once, running requests may end. */

void
fota_http_stop(fota_server_t *server)
{
    int              fd;
    int64_t          until;
    fota_httpd_t    *httpd;
    struct timespec  ts = { 0, 20000000 };

    httpd = server->http;
    if (httpd == NULL) {
        return;
    }

    fd = MHD_quiesce_daemon(httpd->daemon);
    until = fota_now_ms() + FOTA_HTTP_STOP_MS;

    while (atomic_load(&httpd->active) > 0 && fota_now_ms() < until) {
        nanosleep(&ts, NULL);
    }

    MHD_stop_daemon(httpd->daemon);

    if (fd >= 0) {
        close(fd);
    }

    unlink(httpd->path);
    free(httpd->path);
    free(httpd);
    server->http = NULL;
}


/*
 * A socket file that nobody answers on was left by a killed process; one
 * that answers belongs to another instance and is not taken away from it.
 */

static int
fota_http_listen(const char *path, uint64_t mode)
{
    int                 fd;
    mode_t              mask;
    struct stat         st;
    struct sockaddr_un  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        fota_log(FOTA_LOG_ERROR, "listen: \"%s\" is longer than %zu bytes",
                 path, sizeof(addr.sun_path) - 1);
        return -1;
    }

    memcpy(addr.sun_path, path, strlen(path));

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fota_log(FOTA_LOG_ERROR, "socket(): %s", strerror(errno));
        return -1;
    }

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == 0) {
            fota_log(FOTA_LOG_ERROR, "listen: another process answers on "
                     "\"%s\"", path);
            close(fd);
            return -1;
        }

        unlink(path);
    }

    mask = umask(0777 & ~(mode_t) mode);

    if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0
        || listen(fd, 511) != 0)
    {
        fota_log(FOTA_LOG_ERROR, "cannot listen on \"%s\": %s", path,
                 strerror(errno));
        umask(mask);
        close(fd);
        return -1;
    }

    umask(mask);

    return fd;
}


/* Paths and arguments are decoded by us, so that "%2F" is no separator. */

static size_t
fota_http_unescape(void *cls, struct MHD_Connection *c, char *s)
{
    return strlen(s);
}


static enum MHD_Result
fota_http_access(void *cls, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version,
    const char *data, size_t *size, void **state)
{
    uint64_t      length;
    fota_str_t    text;
    fota_http_t  *h;

    h = *state;

    if (h == NULL) {
        h = fota_http_new(cls, connection, url, method);
        if (h == NULL) {
            return MHD_NO;
        }

        *state = h;
        fota_http_begin(h);

        if (h->status != 0) {
            text = fota_req_header(&h->req, "Content-Length");

            /* A small body is read, so that the client sees the answer. */

            if (fota_req_header(&h->req, "Transfer-Encoding").data != NULL
                || (text.data != NULL
                    && (fota_str_u64(text, UINT64_MAX, &length) != FOTA_OK
                        || length > FOTA_HTTP_DRAIN)))
            {
                h->close = 1;
                return fota_http_queue(h);
            }
        }

        return MHD_YES;
    }

    if (*size > 0) {
        if (h->status == 0) {
            fota_http_data(h, data, *size);
        }

        *size = 0;
        return MHD_YES;
    }

    if (h->queued) {
        return MHD_YES;
    }

    fota_http_finish(h);

    return fota_http_queue(h);
}


static fota_http_t *
fota_http_new(fota_httpd_t *httpd, struct MHD_Connection *connection,
    const char *url, const char *method)
{
    size_t        i;
    uint8_t       id[16];
    fota_str_t    s;
    fota_req_t   *req;
    fota_http_t  *h;

    h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return NULL;
    }

    req = &h->req;
    req->http = h;
    req->server = httpd->server;
    h->connection = connection;
    h->start = fota_now_ms();
    fota_arena_init(&req->arena, FOTA_HTTP_ARENA);

    h->method = fota_strdup(&req->arena.mem, fota_cstr(method));
    h->path = fota_strdup(&req->arena.mem, fota_cstr(url));

    if (h->method.data == NULL || h->path.data == NULL) {
        fota_arena_free(&req->arena);
        free(h);
        return NULL;
    }

    s = fota_req_header(req, "X-Request-Id");

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= '0' && s.data[i] <= '9')
              || (s.data[i] >= 'a' && s.data[i] <= 'f')))
        {
            break;
        }
    }

    if (s.len == 32 && i == 32) {
        memcpy(req->request_id, s.data, 32);

    } else if (fota_random(id, sizeof(id)) == FOTA_OK) {
        fota_hex_encode(req->request_id, id, sizeof(id));
    }

    req->address = fota_req_header(req, "X-Real-IP");
    if (req->address.len > 64) {
        req->address.len = 64;
    }

    atomic_fetch_add(&httpd->active, 1);

    return h;
}


static enum MHD_Result
fota_http_queue(fota_http_t *h)
{
    unsigned              i;
    fota_req_t           *req;
    enum MHD_Result       rc;
    struct MHD_Response  *res;

    req = &h->req;

    if (h->produce != NULL) {
        res = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
                  FOTA_HTTP_BLOCK, fota_http_produce, h, NULL);
    } else {
        res = MHD_create_response_from_buffer(h->outlen, h->out,
                                              MHD_RESPMEM_MUST_FREE);
        if (res != NULL) {
            h->out = NULL;
        }
    }

    if (res == NULL) {
        return MHD_NO;
    }

    /* Slices in the arena have a NUL behind them. */

    if (h->type.len > 0) {
        MHD_add_response_header(res, "Content-Type",
                                (const char *) h->type.data);
    }

    MHD_add_response_header(res, "X-Request-Id", req->request_id);

    for (i = 0; i < h->nheaders; i++) {
        MHD_add_response_header(res, (const char *) h->headers[i].name.data,
                                (const char *) h->headers[i].value.data);
    }

    if (h->close) {
        MHD_add_response_header(res, "Connection", "close");
    }

    h->queued = 1;
    rc = MHD_queue_response(h->connection, h->status, res);
    MHD_destroy_response(res);

    return rc;
}


static ssize_t
fota_http_produce(void *cls, uint64_t pos, char *buf, size_t max)
{
    ssize_t       n;
    fota_http_t  *h;

    h = cls;
    n = h->produce(h->ctx, buf, max);

    if (n == 0) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }

    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}


static void
fota_http_completed(void *cls, struct MHD_Connection *connection,
    void **state, enum MHD_RequestTerminationCode code)
{
    fota_req_t    *req;
    fota_http_t   *h;
    fota_httpd_t  *httpd;

    httpd = cls;
    h = *state;

    if (h == NULL) {
        return;
    }

    *state = NULL;
    req = &h->req;

    fota_http_end(h);

    fota_log(h->status >= 500 ? FOTA_LOG_WARN
             : h->status >= 400 || !fota_str_eq(h->method, fota_cstr("GET"))
             ? FOTA_LOG_INFO : FOTA_LOG_DEBUG,
             "%.*s %.*s %u %lld ms %.*s %s%s", (int) h->method.len,
             h->method.data, (int) h->path.len, h->path.data, h->status,
             (long long) (fota_now_ms() - h->start),
             req->actor.len > 0 ? (int) req->actor.len : 1,
             req->actor.len > 0 ? (const char *) req->actor.data : "-",
             req->request_id,
             code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " aborted");

    if (req->json != NULL) {
        json_decref(req->json);
    }

    fota_buf_free(&h->body);
    free(h->out);
    fota_arena_free(&req->arena);
    free(h);

    atomic_fetch_sub(&httpd->active, 1);
}


fota_str_t
fota_req_header(fota_req_t *req, const char *name)
{
    fota_http_t  *h;
    const char   *value;
    size_t        len;

    h = fota_http_of(req);

    if (MHD_lookup_connection_value_n(h->connection, MHD_HEADER_KIND, name,
                                      strlen(name), &value, &len)
        != MHD_YES || value == NULL)
    {
        return fota_slice(NULL, 0);
    }

    return fota_slice(value, len);
}


fota_str_t
fota_req_query(fota_req_t *req, const char *name)
{
    size_t        len;
    fota_str_t    out;
    const char   *value;
    fota_http_t  *h;

    h = fota_http_of(req);

    if (MHD_lookup_connection_value_n(h->connection, MHD_GET_ARGUMENT_KIND,
                                      name, strlen(name), &value, &len)
        != MHD_YES)
    {
        return fota_slice(NULL, 0);
    }

    /* What cannot be decoded was refused before any handler ran. */

    if (value == NULL
        || fota_url_decode(&req->arena.mem, fota_slice(value, len), &out)
           != FOTA_OK)
    {
        return fota_slice(value != NULL ? value : "", value != NULL ? len : 0);
    }

    return out;
}


static enum MHD_Result
fota_http_query_one(void *cls, enum MHD_ValueKind kind, const char *name,
    size_t len, const char *value, size_t vlen)
{
    fota_query_take(cls, fota_slice(name, len),
                    fota_slice(value != NULL ? value : "",
                               value != NULL ? vlen : 0));

    return MHD_YES;
}


void
fota_http_query_each(fota_req_t *req, fota_query_walk_t *walk)
{
    (void) MHD_get_connection_values_n(fota_http_of(req)->connection,
                                       MHD_GET_ARGUMENT_KIND,
                                       fota_http_query_one, walk);
}
