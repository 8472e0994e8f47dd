/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Uploads.  The hash is known before the first byte is sent, so a file that
 * the centre has is not sent again, and one that was begun is gone on with,
 * by this run after a broken connection or by a later one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli_api.h"
#include "cli_file.h"
#include "cli_progress.h"
#include "cli_sets.h"
#include "cli_show.h"
#include "fota_encode.h"


#define FOTA_UPLOAD_PART      (32 * 1024 * 1024)
#define FOTA_UPLOAD_PART_MAX  (4ULL << 30)
#define FOTA_UPLOAD_TRIES     10
#define FOTA_UPLOAD_WAIT_MAX  30


static int fota_cmd_upload_run(fota_cli_t *cli);


static const fota_cli_option_t  fota_upload_options[] = {
    FOTA_CLI_FILE_OPTIONS,
    { "--requires", "RSQL", "filter over the facts of a device", NULL },
    { "--must-pass", NULL, "this firmware is never skipped", NULL },
    { "--name", "NAME", "file name devices see", NULL },
    { "--secret", "FILE", "sign here with this key", NULL },
    { "--signature", "BASE64", "or a signature made elsewhere", NULL },
    { "--part", "BYTES", "sent per request (default 32 MiB)", NULL },
    { "--tries", "N", "after broken connections (default 10)", NULL },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_op_t  fota_upload_ops[] = {
    { "createFirmware", "POST", "/api/v1/products/{product}/firmware", NULL,
      NULL, 0 },
    { "listUploads", "GET", "/api/v1/uploads", NULL, NULL, 0 },
    { "createUpload", "POST", "/api/v1/uploads", NULL, NULL, 0 },
    { "getUpload", "GET", "/api/v1/uploads/{upload}", NULL, NULL, 0 },
    { "writeUpload", "PATCH", "/api/v1/uploads/{upload}", NULL, NULL, 0 },
    { "completeUpload", "POST", "/api/v1/uploads/{upload}/complete", NULL,
      NULL, 0 },
    { "createArtifact", "POST", "/api/v1/products/{product}/artifacts", NULL,
      NULL, 0 },
    FOTA_CLI_OPS_END
};


const fota_cli_command_t  fota_cmd_upload[FOTA_CMD_UPLOAD] = {
    { "firmware upload", "FILE",
      "Upload a package or delta; makes the firmware when it is new",
      "  fota firmware upload x1-1.2.0.img --product dashcam-x1 "
      "--version 1.2.0\n"
      "  fota firmware upload 1.1-1.2.xdelta --product dashcam-x1 "
      "--version 1.2.0 --from 1.1.0\n"
      "  fota firmware upload x1-1.2.0.img --product dashcam-x1 "
      "--version 1.2.0 --requires \"attr.hw=ge=3\" --secret acme.key",
      fota_upload_options, fota_cmd_upload_run, fota_upload_ops },

    { "upload list", "", "Uploads, finished and not",
      "  fota upload list",
      fota_cli_paging,
      FOTA_CLI_OP("listUploads", "GET", "/api/v1/uploads", "",
                  "id,name,size:bytes,offset:bytes,state,sha256:sha,"
                  "created_ms:time", FOTA_CLI_LIST) },

    { "upload show", "ID", "How far an upload is",
      "  fota upload show 00112233445566778899aabbccddeeff",
      NULL,
      FOTA_CLI_OP("getUpload", "GET", "/api/v1/uploads/{upload}", NULL, NULL,
                  0) },

    { "upload abort", "ID", "Forget an upload",
      "  fota upload abort 00112233445566778899aabbccddeeff",
      NULL,
      FOTA_CLI_OP("abortUpload", "DELETE", "/api/v1/uploads/{upload}", NULL,
                  NULL, 0) }
};


typedef struct {
    fota_cli_t           *cli;
    fota_cli_file_t       file;
    fota_cli_progress_t   progress;
    char                  hex[65];
    char                  id[64];       /* of the upload */
    bool                  complete;
    uint64_t              offset;       /* what the centre has */
    uint64_t              pos;          /* of the request under way */
    uint64_t              end;
} fota_upload_t;


static bool
fota_upload_read(fota_upload_t *u, json_t *upload)
{
    const char  *id, *state;

    id = json_string_value(json_object_get(upload, "id"));
    state = json_string_value(json_object_get(upload, "state"));

    if (id == NULL || state == NULL || strlen(id) >= sizeof(u->id)) {
        return false;
    }

    (void) snprintf(u->id, sizeof(u->id), "%s", id);
    u->complete = strcmp(state, "complete") == 0;
    u->offset = (uint64_t) json_integer_value(json_object_get(upload,
                                                              "offset"));

    return u->offset <= u->file.size;
}


static int
fota_upload_take(void *ctx, json_t *item)
{
    fota_upload_t  *u = ctx;
    const char     *sha, *state;

    sha = json_string_value(json_object_get(item, "sha256"));
    state = json_string_value(json_object_get(item, "state"));

    if (sha != NULL && state != NULL && strcmp(sha, u->hex) == 0
        && strcmp(state, "open") == 0
        && (uint64_t) json_integer_value(json_object_get(item, "size"))
           == u->file.size)
    {
        (void) fota_upload_read(u, item);
    }

    return 0;
}


static int
fota_upload_begin(fota_upload_t *u)
{
    int      rc;
    bool     more;
    json_t  *body, *answer;

    rc = fota_cli_pages(u->cli, "/api/v1/uploads", 0, fota_upload_take, u,
                        &more);
    if (rc != 0 || u->id[0] != '\0') {
        return rc;
    }

    body = json_pack("{s:s, s:I, s:s}", "name",
                     fota_cli_option(u->cli, "--name",
                                     fota_cli_file_name(u->file.path)),
                     "size", (json_int_t) u->file.size, "sha256", u->hex);
    if (body == NULL) {
        return fota_cli_fail("the file's name is no UTF-8; --name gives "
                             "another");
    }

    rc = fota_cli_api(u->cli, "POST", "/api/v1/uploads", body, &answer);
    json_decref(body);

    if (rc == 0 && !fota_upload_read(u, answer)) {
        rc = fota_cli_fail("the centre's answer is no upload");
    }

    json_decref(answer);

    return rc;
}


static size_t
fota_upload_source(void *ctx, void *out, size_t max)
{
    ssize_t         n;
    fota_upload_t  *u = ctx;

    if (max > u->end - u->pos) {
        max = (size_t) (u->end - u->pos);
    }

    if (max == 0) {
        return 0;
    }

    n = pread(u->file.fd, out, max, (off_t) u->pos);
    if (n <= 0) {
        return (size_t) -1;
    }

    u->pos += (uint64_t) n;
    fota_cli_progress_to(&u->progress, u->pos);

    return (size_t) n;
}


/* A call about the upload; url holds its URL. */

static void
fota_upload_call(fota_upload_t *u, const char *method, fota_buf_t *url,
    fota_cli_call_t *call)
{
    char  path[128];

    (void) snprintf(path, sizeof(path), "/api/v1/uploads/%s", u->id);
    fota_buf_grow(url, 8192);
    fota_cli_api_url(u->cli, path, true, url);

    memset(call, 0, sizeof(fota_cli_call_t));
    call->method = method;
    call->url = fota_cli_text(url);
}


/* The upload as the centre shows it. */

static bool
fota_upload_reply(fota_upload_t *u, const fota_cli_reply_t *reply)
{
    bool     ok;
    json_t  *answer;

    answer = json_loadb((char *) reply->body.start, reply->body.len, 0, NULL);
    ok = fota_upload_read(u, answer);
    json_decref(answer);

    return ok;
}


/* One part: status of the answer, 0 when the connection broke. */

static long
fota_upload_part(fota_upload_t *u, uint64_t part, bool *told)
{
    char               header[64];
    long               status;
    fota_buf_t         url;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    fota_upload_call(u, "PATCH", &url, &call);

    u->pos = u->offset;
    u->end = u->file.size - u->pos > part ? u->pos + part : u->file.size;

    (void) snprintf(header, sizeof(header), "Upload-Offset: %llu",
                    (unsigned long long) u->offset);

    call.headers[call.nheaders++] = header;
    call.headers[call.nheaders++] = "Content-Type: application/octet-stream";
    call.source = fota_upload_source;
    call.source_ctx = u;
    call.source_len = u->end - u->pos;

    status = fota_cli_api_try(u->cli, &call, &reply);

    if (status == 200) {
        (void) fota_upload_reply(u, &reply);

    } else if (status >= 400 && status < 500 && status != 409
               && status != 408 && status != 429)
    {
        *told = true;
        (void) fota_cli_api_error(&reply);
    }

    fota_cli_reply_done(&reply);
    fota_buf_free(&url);

    return status;
}


/* What the centre has of it by now; quiet, as it may still be away. */

static bool
fota_upload_ask(fota_upload_t *u)
{
    bool               ok;
    fota_buf_t         url;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    fota_upload_call(u, "GET", &url, &call);
    call.timeout_s = 30;

    ok = fota_cli_api_try(u->cli, &call, &reply) == 200
         && fota_upload_reply(u, &reply);

    fota_cli_reply_done(&reply);
    fota_buf_free(&url);

    return ok;
}


static int
fota_upload_send(fota_upload_t *u)
{
    bool      told, quiet;
    long      status;
    uint64_t  part, tries, failed, before;

    if (!fota_cli_number(u->cli, "--part", FOTA_UPLOAD_PART,
                         FOTA_UPLOAD_PART_MAX, &part)
        || !fota_cli_number(u->cli, "--tries", FOTA_UPLOAD_TRIES, 1000,
                            &tries))
    {
        return 2;
    }

    if (part == 0) {
        return fota_cli_usage("--part wants at least 1 byte");
    }

    quiet = u->cli->quiet || u->cli->json;
    fota_cli_progress_start(&u->progress, "sending", u->file.size, quiet);
    u->progress.base = u->offset;
    fota_cli_progress_to(&u->progress, u->offset);
    failed = 0;

    while (!u->complete && u->offset < u->file.size) {
        before = u->offset;
        told = false;
        status = fota_upload_part(u, part, &told);

        if (status == 200) {
            failed = 0;
            continue;
        }

        if (told) {
            return 1;
        }

        if (failed++ >= tries) {
            return fota_cli_fail("%llu of %llu bytes were sent, then the "
                                 "centre was away; the same command goes on",
                                 (unsigned long long) u->offset,
                                 (unsigned long long) u->file.size);
        }

        if (!quiet) {
            (void) fprintf(stderr, "%sthe connection broke at %llu, trying "
                           "again\n", u->progress.tty ? "\n" : "",
                           (unsigned long long) u->pos);
        }

        (void) sleep(failed < 6 ? 1U << (failed - 1) : FOTA_UPLOAD_WAIT_MAX);

        if (fota_upload_ask(u) && u->offset > before) {
            failed = 0;
        }
    }

    fota_cli_progress_to(&u->progress, u->file.size);
    fota_cli_progress_end(&u->progress);

    return 0;
}


static int
fota_upload_complete(fota_upload_t *u)
{
    int      rc;
    char     path[128];
    json_t  *answer;

    if (u->complete) {
        return 0;
    }

    (void) snprintf(path, sizeof(path), "/api/v1/uploads/%s/complete", u->id);
    rc = fota_cli_api(u->cli, "POST", path, NULL, &answer);
    json_decref(answer);

    return rc;
}


/* A 409 means that somebody named it before, which is as good. */

static int
fota_upload_post(fota_cli_t *cli, const char *what, json_t *body,
    json_t **out)
{
    int                rc;
    fota_buf_t         path;
    fota_cli_reply_t   reply;

    *out = NULL;

    fota_buf_grow(&path, 4096);
    fota_buf_cstr(&path, "/api/v1/products/");
    fota_cli_escape(&path, fota_cstr(fota_cli_product(cli)));
    fota_buf_printf(&path, "/%s", what);

    rc = fota_cli_api_call(cli, "POST", fota_cli_text(&path), body, &reply);
    fota_buf_free(&path);

    if (rc != 0) {
        return rc;
    }

    if (reply.status == 201) {
        *out = json_loadb((char *) reply.body.start, reply.body.len, 0,
                          NULL);

    } else if (reply.status != 409) {
        rc = fota_cli_api_error(&reply);
    }

    fota_cli_reply_done(&reply);

    return rc;
}


/* An option that was given, and could not be sent, must not be left out. */

static int
fota_upload_copy(fota_cli_t *cli, json_t *body, const char *option)
{
    const char  *s;

    s = fota_cli_option(cli, option, NULL);

    if (s != NULL
        && json_object_set_new(body, option + 2, json_string(s)) != 0)
    {
        return fota_cli_usage("%s is no UTF-8", option);
    }

    return 0;
}


static int
fota_upload_firmware(fota_cli_t *cli)
{
    int      rc;
    json_t  *body, *answer;

    body = json_object();
    rc = fota_upload_copy(cli, body, "--version");

    if (rc == 0) {
        rc = fota_upload_copy(cli, body, "--kind");
    }

    if (rc != 0) {
        json_decref(body);
        return rc;
    }

    if (fota_cli_switch(cli, "--must-pass")) {
        json_object_set_new(body, "must_pass", json_true());
    }

    rc = fota_upload_post(cli, "firmware", body, &answer);
    json_decref(body);
    json_decref(answer);

    return rc;
}


static int
fota_upload_sign(fota_upload_t *u, const fota_manifest_t *m, json_t *body)
{
    int          rc;
    char         text[100];
    uint8_t      sec[32], sig[64];
    const char  *s;

    s = fota_cli_option(u->cli, "--signature", NULL);

    if (s != NULL) {
        return fota_upload_copy(u->cli, body, "--signature");
    }

    s = fota_cli_option(u->cli, "--secret", NULL);

    if (s == NULL) {
        return 0;
    }

    if (u->cli->tenant == NULL) {
        return fota_cli_usage("--secret wants --tenant: its name is signed");
    }

    rc = fota_cli_file_secret(s, sec);

    if (rc == 0 && fota_manifest_sign(m, sec, sig) != FOTA_OK) {
        rc = fota_cli_fail("the manifest cannot be signed");
    }

    fota_cleanse(sec, sizeof(sec));

    if (rc == 0) {
        text[fota_base64_encode(text, sig, 64)] = '\0';
        json_object_set_new(body, "signature", json_string(text));
    }

    return rc;
}


static int
fota_upload_artifact(fota_upload_t *u, const fota_manifest_t *m)
{
    int      rc;
    size_t   i;
    json_t  *body, *answer;

    static const char *const  copied[] = {
        "--version", "--kind", "--from", "--requires"
    };

    answer = NULL;
    body = json_pack("{s:s, s:s#, s:s}", "upload", u->id, "format",
                     m->format.data, (int) m->format.len, "name",
                     fota_cli_option(u->cli, "--name",
                                     fota_cli_file_name(u->file.path)));

    rc = body != NULL ? 0 : fota_cli_usage("--format or --name is no UTF-8");

    for (i = 0; i < sizeof(copied) / sizeof(copied[0]) && rc == 0; i++) {
        rc = fota_upload_copy(u->cli, body, copied[i]);
    }

    if (rc == 0) {
        rc = fota_upload_sign(u, m, body);
    }

    if (rc == 0) {
        rc = fota_upload_post(u->cli, "artifacts", body, &answer);
    }

    json_decref(body);

    if (rc == 0 && answer == NULL) {
        if (!u->cli->quiet) {
            (void) fprintf(stderr, "The centre has this artifact already.\n");
        }

    } else if (rc == 0) {
        rc = fota_cli_api_show(u->cli, answer);
    }

    json_decref(answer);

    return rc;
}


static int
fota_cmd_upload_run(fota_cli_t *cli)
{
    int              rc;
    fota_upload_t    u;
    fota_manifest_t  m;

    if (cli->nargs != 1) {
        return fota_cli_usage("\"fota firmware upload\" wants one FILE");
    }

    memset(&u, 0, sizeof(u));
    u.cli = cli;

    if (fota_cli_option(cli, "--version", NULL) == NULL) {
        return fota_cli_usage("\"fota firmware upload\" wants --version");
    }

    if (fota_cli_product(cli) == NULL) {
        return 2;
    }

    if (!fota_cli_api_ready(cli)) {
        return 2;
    }

    /* The cheap thing that can be refused comes before the long ones. */

    rc = fota_upload_firmware(cli);

    if (rc == 0) {
        rc = fota_cli_file_open(cli, &u.file, cli->args[0]);
    }

    if (rc != 0) {
        return rc;
    }

    fota_hex_encode(u.hex, u.file.sha256, 32);
    rc = fota_cli_file_manifest(cli, &u.file, &m);

    if (rc == 0) {
        rc = fota_upload_begin(&u);
    }

    if (rc == 0) {
        rc = fota_upload_send(&u);
    }

    if (rc == 0) {
        rc = fota_upload_complete(&u);
    }

    if (rc == 0) {
        rc = fota_upload_artifact(&u, &m);
    }

    fota_cli_file_close(&u.file);

    return rc;
}
