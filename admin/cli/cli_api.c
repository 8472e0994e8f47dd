/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>

#include "cli_api.h"


#define FOTA_API_TIMEOUT_S  120
#define FOTA_API_URL_MAX    (64 * 1024)
#define FOTA_API_PAGE       500


const char *
fota_cli_text(fota_buf_t *b)
{
    fota_buf_u8(b, '\0');

    if (b->status != FOTA_OK) {
        return NULL;
    }

    b->len--;

    return (const char *) b->start;
}


bool
fota_cli_api_ready(fota_cli_t *cli)
{
    if (cli->centre == NULL) {
        (void) fota_cli_usage("where is the centre?  --centre URL, "
                              "FOTA_CENTRE or fota.conf");
        return false;
    }

    if (cli->http == NULL) {
        cli->http = fota_cli_http_new(&cli->tls);
    }

    if (cli->http == NULL) {
        (void) fota_cli_fail("no memory");
        return false;
    }

    return true;
}


void
fota_cli_api_url(fota_cli_t *cli, const char *path, bool tenant,
    fota_buf_t *out)
{
    size_t  n = strlen(cli->centre);

    if (path == NULL) {
        out->status = FOTA_LIMIT;
        return;
    }

    while (n > 0 && cli->centre[n - 1] == '/') {
        n--;
    }

    fota_buf_put(out, cli->centre, n);
    fota_buf_cstr(out, path);

    if (tenant && cli->tenant != NULL) {
        fota_buf_cstr(out, strchr(path, '?') == NULL ? "?tenant="
                                                     : "&tenant=");
        fota_cli_escape(out, fota_cstr(cli->tenant));
    }
}


long
fota_cli_api_try(fota_cli_t *cli, const fota_cli_call_t *call,
    fota_cli_reply_t *reply)
{
    int              rc;
    char             auth[512];
    fota_cli_call_t  c = *call;

    if (cli->token != NULL && c.nheaders < FOTA_CLI_HEADERS_MAX) {

        if (strlen(cli->token) > 256
            || strpbrk(cli->token, "\r\n") != NULL)
        {
            memset(reply, 0, sizeof(*reply));
            (void) snprintf(reply->error, sizeof(reply->error),
                            "the token is malformed");
            return 0;
        }

        (void) snprintf(auth, sizeof(auth), "Authorization: Bearer %s",
                        cli->token);
        c.headers[c.nheaders++] = auth;
    }

    rc = fota_cli_http_call(cli->http, &c, reply);
    explicit_bzero(auth, sizeof(auth));

    if (rc == FOTA_BUSY) {
        return reply->status;
    }

    if (rc != FOTA_OK) {
        reply->status = 0;
    }

    return reply->status;
}


static void
fota_cli_api_problem(json_t *problem, long status)
{
    const char  *code, *field, *detail;

    field = json_string_value(json_object_get(problem, "field"));
    detail = json_string_value(json_object_get(problem, "detail"));

    if (detail == NULL) {
        detail = json_string_value(json_object_get(problem, "title"));
    }

    field = field != NULL ? field : "";

    if (detail != NULL && *detail != '\0') {
        (void) fota_cli_fail("%s%s%s", field, *field != '\0' ? ": " : "",
                             detail);
        return;
    }

    code = json_string_value(json_object_get(problem, "code"));

    (void) fota_cli_fail("%s%s%s (HTTP %ld)", field,
                         *field != '\0' ? ": " : "",
                         code != NULL ? code : "it failed", status);
}


int
fota_cli_api_error(const fota_cli_reply_t *reply)
{
    json_t  *problem;

    if (reply->status == 0) {
        return fota_cli_fail("the centre cannot be reached: %s",
                             reply->error[0] != '\0' ? reply->error
                                                     : "no answer");
    }

    problem = json_loadb((const char *) reply->body.start, reply->body.len,
                         0, NULL);

    if (json_is_object(problem)) {
        fota_cli_api_problem(problem, reply->status);

    } else {
        (void) fota_cli_fail("the centre answered HTTP %ld", reply->status);
    }

    json_decref(problem);

    return 1;
}


int
fota_cli_api_call(fota_cli_t *cli, const char *method, const char *path,
    json_t *body, fota_cli_reply_t *reply)
{
    bool              tenant;
    char             *text;
    fota_buf_t        url;
    fota_cli_call_t   call;

    if (!fota_cli_api_ready(cli)) {
        return 2;
    }

    memset(&call, 0, sizeof(call));
    tenant = (cli->command->ops == NULL
              || !(cli->command->ops->flags & FOTA_CLI_PLATFORM))
             && !fota_cli_switch(cli, "--platform");

    fota_buf_grow(&url, FOTA_API_URL_MAX);
    fota_cli_api_url(cli, path, tenant, &url);
    call.method = method;
    call.url = fota_cli_text(&url);
    call.timeout_s = FOTA_API_TIMEOUT_S;
    call.headers[call.nheaders++] = "Accept: application/json";
    text = NULL;

    if (body != NULL) {
        text = json_dumps(body, JSON_COMPACT);
        call.body = fota_cstr(text);
        call.headers[call.nheaders++] = "Content-Type: application/json";
    }

    if (call.url == NULL || (body != NULL && text == NULL)) {
        fota_buf_free(&url);
        free(text);
        return fota_cli_fail("the request is too large");
    }

    (void) fota_cli_api_try(cli, &call, reply);
    fota_buf_free(&url);
    free(text);

    return 0;
}


int
fota_cli_api(fota_cli_t *cli, const char *method, const char *path,
    json_t *body, json_t **out)
{
    int               rc;
    fota_cli_reply_t  reply;

    *out = NULL;

    rc = fota_cli_api_call(cli, method, path, body, &reply);
    if (rc != 0) {
        return rc;
    }

    if (reply.status < 200 || reply.status > 299) {
        rc = fota_cli_api_error(&reply);

    } else if (reply.body.len != 0) {
        *out = json_loadb((const char *) reply.body.start, reply.body.len,
                          JSON_DECODE_ANY, NULL);
        if (*out == NULL) {
            rc = fota_cli_fail("the centre's answer is no JSON");
        }
    }

    fota_cli_reply_done(&reply);

    return rc;
}


static int
fota_cli_page(fota_cli_t *cli, const char *path, uint64_t limit,
    const char *after, json_t **out)
{
    int         rc;
    fota_buf_t  b;

    fota_buf_grow(&b, FOTA_API_URL_MAX);
    fota_buf_printf(&b, "%s%slimit=%llu", path,
                    strchr(path, '?') == NULL ? "?" : "&",
                    (unsigned long long) limit);

    if (after != NULL) {
        fota_buf_cstr(&b, "&after=");
        fota_cli_escape(&b, fota_cstr(after));
    }

    rc = fota_cli_api(cli, "GET", fota_cli_text(&b), NULL, out);
    fota_buf_free(&b);

    return rc;
}


int
fota_cli_pages(fota_cli_t *cli, const char *path, uint64_t limit,
    int (*take)(void *ctx, json_t *item), void *ctx, bool *more)
{
    int       rc;
    char      after[512];
    size_t    i;
    json_t   *answer, *item, *next;
    uint64_t  left, want;

    left = limit == 0 ? UINT64_MAX : limit;
    after[0] = '\0';
    *more = false;

    do {
        want = left < FOTA_API_PAGE ? left : FOTA_API_PAGE;

        rc = fota_cli_page(cli, path, want, after[0] != '\0' ? after : NULL,
                           &answer);
        if (rc != 0) {
            return rc;
        }

        json_array_foreach(json_object_get(answer, "items"), i, item) {
            if (left > 0 && rc == 0) {
                rc = take(ctx, item);
                left--;
            }
        }

        next = json_object_get(answer, "next");
        after[0] = '\0';

        if (json_is_string(next)) {
            (void) snprintf(after, sizeof(after), "%s",
                            json_string_value(next));

        } else if (json_is_integer(next)) {
            (void) snprintf(after, sizeof(after), "%lld",
                            (long long) json_integer_value(next));
        }

        *more = after[0] != '\0';
        json_decref(answer);

    } while (rc == 0 && *more && left > 0);

    return rc;
}
