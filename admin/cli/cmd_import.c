/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Files of many devices: members of a group, new devices. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli_api.h"
#include "cli_progress.h"
#include "cli_sets.h"
#include "cli_show.h"


#define FOTA_IMPORT_BATCH  5000
#define FOTA_IMPORT_LINE   1024


static int fota_cmd_import_group(fota_cli_t *cli);
static int fota_cmd_import_device(fota_cli_t *cli);


static const fota_cli_option_t  fota_import_group[] = {
    { "--replace", NULL, "the file is all of the members", NULL },
    { "--create", NULL, "make devices that are not known", NULL },
    { "--product", "NAME", "of those (FOTA_PRODUCT)", NULL },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_import_device[] = {
    { "--product", "NAME", "product (FOTA_PRODUCT)", NULL },
    { "--skip-existing", NULL, "known ones are no error", NULL },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_import[FOTA_CMD_IMPORT] = {
    { "group import", "NAME FILE",
      "Members of a static group from a CSV, one id a line",
      "  fota group import lab ids.csv\n"
      "  fota group import lab ids.csv --replace --create --product "
      "dashcam-x1",
      fota_import_group, fota_cmd_import_group,
      (const fota_cli_op_t[]) {
          { "importMembers", "PUT", "/api/v1/groups/{group}/members", NULL,
            NULL, 0 },
          FOTA_CLI_OPS_END
      } },

    { "device import", "FILE", "Make devices from a CSV: id[,version] a line",
      "  fota device import ids.csv --product dashcam-x1 --skip-existing",
      fota_import_device, fota_cmd_import_device,
      (const fota_cli_op_t[]) {
          { "bulkDevices", "POST", "/api/v1/devices/bulk", NULL, NULL, 0 },
          FOTA_CLI_OPS_END
      } }
};


typedef struct {
    FILE                 *f;
    uint64_t              done;
    fota_cli_progress_t   progress;
} fota_import_t;


static int
fota_import_open(fota_cli_t *cli, fota_import_t *im, const char *path,
    uint64_t *size)
{
    struct stat  st;

    memset(im, 0, sizeof(*im));
    im->f = fopen(path, "re");

    if (im->f == NULL) {
        return fota_cli_fail("\"%s\": %s", path, strerror(errno));
    }

    if (fstat(fileno(im->f), &st) != 0 || !S_ISREG(st.st_mode)) {
        (void) fclose(im->f);
        return fota_cli_fail("\"%s\" is no file", path);
    }

    *size = (uint64_t) st.st_size;
    fota_cli_progress_start(&im->progress, "sending", *size,
                            cli->quiet || cli->json);

    return 0;
}


static size_t
fota_import_source(void *ctx, void *out, size_t max)
{
    size_t          n;
    fota_import_t  *im = ctx;

    n = fread(out, 1, max, im->f);

    if (n == 0 && ferror(im->f)) {
        return (size_t) -1;
    }

    im->done += n;
    fota_cli_progress_to(&im->progress, im->done);

    return n;
}


static int
fota_cmd_import_group(fota_cli_t *cli)
{
    int                rc;
    json_t            *answer;
    fota_buf_t         path, url;
    const char        *product;
    fota_import_t      im;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    if (cli->nargs != 2) {
        return fota_cli_usage("\"fota group import\" wants NAME and FILE");
    }

    if (!fota_cli_api_ready(cli)) {
        return 2;
    }

    memset(&call, 0, sizeof(call));

    rc = fota_import_open(cli, &im, cli->args[1], &call.source_len);
    if (rc != 0) {
        return rc;
    }

    fota_buf_grow(&path, 8192);
    fota_buf_cstr(&path, "/api/v1/groups/");
    fota_cli_escape(&path, fota_cstr(cli->args[0]));
    fota_buf_printf(&path, "/members?mode=%s", fota_cli_switch(cli,
                    "--replace") ? "replace" : "add");

    product = fota_cli_option(cli, "--product", cli->product);

    if (fota_cli_switch(cli, "--create") && product != NULL) {
        fota_buf_cstr(&path, "&create=1&product=");
        fota_cli_escape(&path, fota_cstr(product));
    }

    fota_buf_grow(&url, 16384);
    fota_cli_api_url(cli, fota_cli_text(&path), true, &url);

    call.method = "PUT";
    call.url = fota_cli_text(&url);
    call.source = fota_import_source;
    call.source_ctx = &im;
    call.headers[call.nheaders++] = "Content-Type: text/csv";

    (void) fota_cli_api_try(cli, &call, &reply);

    if (reply.status == 200) {
        fota_cli_progress_end(&im.progress);
        answer = json_loadb((char *) reply.body.start, reply.body.len, 0,
                            NULL);
        rc = fota_cli_api_show(cli, answer);

        if (rc == 0
            && json_integer_value(json_object_get(answer, "bad")) != 0)
        {
            rc = 1;
        }

        json_decref(answer);

    } else {
        rc = fota_cli_api_error(&reply);
    }

    fota_cli_reply_done(&reply);
    fota_buf_free(&path);
    fota_buf_free(&url);
    (void) fclose(im.f);

    return rc;
}


/* Up to a batch of lines; *line is the number of the last one. */

static int
fota_import_read(fota_import_t *im, uint64_t *line, json_t *devices)
{
    char     text[FOTA_IMPORT_LINE], *comma;
    size_t   n;
    json_t  *d;

    while (json_array_size(devices) < FOTA_IMPORT_BATCH
           && fgets(text, sizeof(text), im->f) != NULL)
    {
        n = strlen(text);
        im->done += n;
        (*line)++;

        if (n == sizeof(text) - 1 && text[n - 1] != '\n') {
            return fota_cli_fail("line %llu is longer than %zu bytes",
                                 (unsigned long long) *line, n - 1);
        }

        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
            text[--n] = '\0';
        }

        comma = strchr(text, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }

        if (text[0] == '\0' || (*line == 1 && (strcmp(text, "id") == 0
                                || strcmp(text, "device") == 0)))
        {
            continue;
        }

        d = json_pack("{s:s}", "id", text);

        if (d != NULL && comma != NULL && *comma != '\0'
            && json_object_set_new(d, "version", json_string(comma)) != 0)
        {
            json_decref(d);
            d = NULL;
        }

        if (d == NULL) {
            return fota_cli_fail("line %llu is no UTF-8",
                                 (unsigned long long) *line);
        }

        json_array_append_new(devices, d);
    }

    return 0;
}


static int
fota_cmd_import_device(fota_cli_t *cli)
{
    int             rc;
    json_t         *body, *devices, *answer, *sum;
    uint64_t        size, line;
    json_int_t      created, existing;
    const char     *product;
    fota_import_t   im;

    if (cli->nargs != 1) {
        return fota_cli_usage("\"fota device import\" wants one FILE");
    }

    product = fota_cli_product(cli);
    if (product == NULL) {
        return 2;
    }

    rc = fota_import_open(cli, &im, cli->args[0], &size);
    if (rc != 0) {
        return rc;
    }

    line = 0;
    created = existing = 0;

    while (rc == 0) {
        devices = json_array();
        rc = fota_import_read(&im, &line, devices);

        if (rc != 0 || json_array_size(devices) == 0) {
            json_decref(devices);
            break;
        }

        body = json_pack("{s:s, s:b, s:o}", "product", product,
                         "skip_existing",
                         fota_cli_switch(cli, "--skip-existing"), "devices",
                         devices);
        rc = fota_cli_api(cli, "POST", "/api/v1/devices/bulk", body,
                          &answer);
        json_decref(body);

        created += json_integer_value(json_object_get(answer, "created"));
        existing += json_integer_value(json_object_get(answer, "existing"));
        json_decref(answer);
        fota_cli_progress_to(&im.progress, im.done);
    }

    (void) fclose(im.f);

    if (rc == 0) {
        fota_cli_progress_end(&im.progress);
    }

    /* Also after a failure: what was made before it is made. */

    sum = json_pack("{s:I, s:I}", "created", created, "existing", existing);
    rc = fota_cli_api_show(cli, sum) != 0 ? 1 : rc;
    json_decref(sum);

    return rc;
}
