/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_api.h"
#include "cli_progress.h"


#define FOTA_RAW_URL_MAX  (64 * 1024)
#define FOTA_RAW_BAR      (1024 * 1024)     /* bytes that are worth one */


typedef struct {
    FILE                 *f;
    const char           *name;         /* NULL: stdout */
    const char           *path;         /* what is written: name or part */
    char                  part[PATH_MAX];
    uint64_t              done;
    fota_cli_t           *cli;
    fota_cli_reply_t     *reply;
    fota_cli_progress_t   progress;
} fota_raw_t;


const fota_cli_option_t  fota_cli_output[] = {
    { "--output", "FILE", "where to (default: standard output)", NULL },
    FOTA_CLI_OPTIONS_END
};


static bool
fota_raw_sink(void *ctx, const void *data, size_t len)
{
    bool         off;
    fota_raw_t  *r;

    r = ctx;

    if (r->done == 0) {
        off = r->cli->quiet || r->cli->json
              || r->reply->content_length < FOTA_RAW_BAR
              || (r->name == NULL && isatty(STDOUT_FILENO) == 1);

        fota_cli_progress_start(&r->progress, "receiving",
                                r->reply->content_length, off);
    }

    r->done += len;

    if (fwrite(data, 1, len, r->f) != len) {
        return false;
    }

    fota_cli_progress_to(&r->progress, r->done);

    return true;
}


/* A file that is there already stays as it is until all of the new came. */

static int
fota_raw_open(fota_raw_t *r)
{
    int          n;
    struct stat  st;

    r->name = fota_cli_option(r->cli, "--output", NULL);
    r->progress.off = true;

    if (r->name == NULL) {
        r->f = stdout;
        return 0;
    }

    r->path = r->name;

    if (stat(r->name, &st) != 0 || S_ISREG(st.st_mode)) {
        n = snprintf(r->part, sizeof(r->part), "%s.part", r->name);

        if (n < 0 || (size_t) n >= sizeof(r->part)) {
            return fota_cli_fail("the name of --output is too long");
        }

        r->path = r->part;
    }

    r->f = fopen(r->path, "we");

    return r->f != NULL ? 0 : fota_cli_fail("cannot write \"%s\": %s",
                                            r->path, strerror(errno));
}


static int
fota_raw_close(fota_raw_t *r, int rc)
{
    int  err;

    if (rc == 0) {
        fota_cli_progress_end(&r->progress);

    } else if (!r->progress.off && r->progress.tty) {
        (void) fputc('\n', stderr);
    }

    err = (fflush(r->f) == 0 && !ferror(r->f)) ? 0 : errno;

    if (r->name != NULL && fclose(r->f) != 0 && err == 0) {
        err = errno;
    }

    if (rc == 0 && err != 0) {
        rc = fota_cli_fail("the output cannot be written: %s", strerror(err));
    }

    if (r->path == NULL || r->path == r->name) {
        return rc;
    }

    if (rc == 0 && rename(r->path, r->name) != 0) {
        rc = fota_cli_fail("cannot write \"%s\": %s", r->name,
                           strerror(errno));
    }

    if (rc != 0) {
        (void) unlink(r->path);
    }

    return rc;
}


int
fota_cli_raw(fota_cli_t *cli, const char *path)
{
    int                rc, sent;
    fota_buf_t         url;
    fota_raw_t         r;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    if (!fota_cli_api_ready(cli)) {
        return 2;
    }

    memset(&r, 0, sizeof(r));
    r.cli = cli;
    r.reply = &reply;

    rc = fota_raw_open(&r);
    if (rc != 0) {
        return rc;
    }

    fota_buf_grow(&url, FOTA_RAW_URL_MAX);
    fota_cli_api_url(cli, path, !(cli->command->ops->flags
                                  & FOTA_CLI_PLATFORM), &url);

    memset(&call, 0, sizeof(call));
    call.method = cli->command->ops->method;
    call.url = fota_cli_text(&url);
    call.sink = fota_raw_sink;
    call.sink_ctx = &r;

    if (call.url == NULL) {
        rc = fota_cli_fail("the request is too large");

    } else {
        sent = (int) fota_cli_api_try(cli, &call, &reply);

        if (ferror(r.f)) {
            rc = fota_cli_fail("the output cannot be written: %s",
                               strerror(errno));

        } else if (sent / 100 == 2) {
            rc = 0;

        } else if (r.done != 0) {
            rc = fota_cli_fail("the answer ended early: %s", reply.error);

        } else {
            rc = fota_cli_api_error(&reply);
        }

        fota_cli_reply_done(&reply);
    }

    fota_buf_free(&url);

    return fota_raw_close(&r, rc);
}
