/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* How a rollout stands, once or for as long as it runs. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli_api.h"
#include "cli_sets.h"
#include "cli_show.h"


static int fota_cmd_watch_show(fota_cli_t *cli);
static int fota_cmd_watch_run(fota_cli_t *cli);


#define FOTA_WATCH_OPS                                                       \
    (const fota_cli_op_t[]) {                                                \
        { "getRollout", "GET", "/api/v1/rollouts/{rollout}", NULL, NULL,     \
          0 },                                                               \
        { "getProgress", "GET", "/api/v1/rollouts/{rollout}/progress", NULL, \
          NULL, 0 },                                                         \
        FOTA_CLI_OPS_END                                                     \
    }

static const fota_cli_option_t  fota_watch_options[] = {
    { "--interval", "SECONDS", "between two looks (default 1)", NULL },
    { "--timeout", "SECONDS", "give up after (default: never)", NULL },
    { "--succeeded", "N", "end when so many devices are updated", NULL },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_watch_devices[] = {
    { "--state", "STATE", "offered, downloading, installing, succeeded, "
      "failed, skipped", "?state" },
    { "--error", "CODE", "that failed with it", "?error" },
    FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_watch[FOTA_CMD_WATCH] = {
    { "rollout show", "ID", "One rollout: settings, stages, counters",
      "  fota rollout show 7\n"
      "  fota rollout show 7 --json | jq .progress.buckets",
      NULL, fota_cmd_watch_show, FOTA_WATCH_OPS },

    { "rollout watch", "ID", "Follow it until it has ended",
      "  fota rollout watch 7\n"
      "  fota rollout watch 7 --succeeded 100 --timeout 600",
      fota_watch_options, fota_cmd_watch_run, FOTA_WATCH_OPS },

    { "rollout devices", "ID", "Devices of a rollout by state and error",
      "  fota rollout devices 7 --state failed",
      fota_watch_devices,
      FOTA_CLI_OP("listRolloutDevices", "GET",
                  "/api/v1/rollouts/{rollout}/devices", NULL,
                  "device,state,stage,attempt,attempts_failed=FAILED,"
                  "progress=PCT,from_version=FROM,error_code,"
                  "changed_ms:time", FOTA_CLI_LIST) }
};


static int
fota_watch_get(fota_cli_t *cli, const char *what, json_t **out)
{
    int         rc;
    fota_buf_t  path;

    if (cli->nargs != 1) {
        return fota_cli_usage("\"fota %s\" wants one ID", cli->command->name);
    }

    fota_buf_grow(&path, 4096);
    fota_buf_cstr(&path, "/api/v1/rollouts/");
    fota_cli_escape(&path, fota_cstr(cli->args[0]));
    fota_buf_cstr(&path, what);

    rc = fota_cli_text(&path) == NULL
         ? fota_cli_usage("the ID is too long")
         : fota_cli_api(cli, "GET", (const char *) path.start, NULL, out);
    fota_buf_free(&path);

    return rc;
}


/* Settings of a stage and its counters in one row. */

static json_t *
fota_watch_stages(json_t *rollout, json_t *progress)
{
    size_t       i;
    json_t      *list, *row, *counts, *stage, *v;
    json_int_t   now;
    const char  *key;

    list = json_array();
    counts = json_object_get(progress, "stages");
    now = json_integer_value(json_object_get(rollout, "stage"));

    json_array_foreach(json_object_get(rollout, "stages"), i, stage) {
        row = json_copy(stage);

        json_object_foreach(json_array_get(counts, i), key, v) {
            json_object_set(row, key, v);
        }

        json_object_set_new(row, "now", json_string((json_int_t) i == now
                                                    ? "*" : " "));
        json_array_append_new(list, row);
    }

    return list;
}


static int
fota_watch_print(json_t *rollout, json_t *progress)
{
    json_t      *stages, *copy, *list;
    fota_buf_t   out;

    stages = fota_watch_stages(rollout, progress);
    copy = json_copy(rollout);
    json_object_del(copy, "stages");

    fota_buf_grow(&out, SIZE_MAX / 2);
    (void) fota_cli_show_object(copy, &out);

    fota_buf_printf(&out, "\nDevices: %lld\n", (long long)
                    json_integer_value(json_object_get(progress, "total")));

    list = json_array();
    json_array_append(list, json_object_get(progress, "buckets"));
    (void) fota_cli_show_table(list, "waiting,offered,downloading,installing,"
                               "succeeded,failed,skipped", &out);
    json_decref(list);

    fota_buf_cstr(&out, "\nStages\n");
    (void) fota_cli_show_table(stages, "now= ,n=NO,percent,population,"
                               "test_group,success_pct=GO ON,"
                               "error_pct=PAUSE,min_count=MIN,soak_s=SOAK,"
                               "offered,downloading,installing,succeeded,"
                               "failed,skipped", &out);

    list = json_object_get(progress, "errors");

    if (json_array_size(list) != 0) {
        fota_buf_cstr(&out, "\nErrors\n");
        (void) fota_cli_show_table(list, "code,devices", &out);
    }

    list = json_object_get(json_object_get(progress, "bytes"), "nodes");

    if (json_array_size(list) != 0) {
        fota_buf_cstr(&out, "\nSent by\n");
        (void) fota_cli_show_table(list, "node,delivered:bytes,sent:bytes,"
                                   "requests", &out);
    }

    json_decref(stages);
    json_decref(copy);

    return fota_cli_show_flush(&out);
}


static int
fota_cmd_watch_show(fota_cli_t *cli)
{
    int      rc;
    json_t  *rollout, *progress;

    rc = fota_watch_get(cli, "", &rollout);
    if (rc != 0) {
        return rc;
    }

    rc = fota_watch_get(cli, "/progress", &progress);

    if (rc == 0 && cli->json) {
        json_object_set(rollout, "progress", progress);
        rc = fota_cli_show_json(rollout);

    } else if (rc == 0) {
        rc = fota_watch_print(rollout, progress);
    }

    json_decref(progress);
    json_decref(rollout);

    return rc;
}


static void
fota_watch_line(json_t *p, fota_buf_t *out)
{
    json_t      *v;
    const char  *key;

    fota_buf_printf(out, "%s, stage %lld, %lld devices:",
                    json_string_value(json_object_get(p, "state")),
                    (long long) json_integer_value(json_object_get(p,
                                                                   "stage")),
                    (long long) json_integer_value(json_object_get(p,
                                                                   "total")));

    json_object_foreach(json_object_get(p, "buckets"), key, v) {
        if (json_integer_value(v) != 0) {
            fota_buf_printf(out, " %s %lld", key,
                            (long long) json_integer_value(v));
        }
    }
}


static int
fota_cmd_watch_run(fota_cli_t *cli)
{
    int          rc;
    bool         tty;
    char         last[512], line[512];
    time_t       end;
    json_t      *p;
    uint64_t     interval, timeout, wanted;
    json_int_t   good;
    fota_buf_t   b;
    const char  *state;

    if (!fota_cli_number(cli, "--interval", 1, 86400, &interval)
        || !fota_cli_number(cli, "--timeout", 0, 1ULL << 31, &timeout)
        || !fota_cli_number(cli, "--succeeded", 0, INT64_MAX, &wanted))
    {
        return 2;
    }

    tty = isatty(STDOUT_FILENO) == 1 && !cli->json;
    end = time(NULL) + (time_t) timeout;
    last[0] = '\0';

    for ( ;; ) {
        rc = fota_watch_get(cli, "/progress", &p);
        if (rc != 0) {
            return rc;
        }

        fota_buf_fixed(&b, line, sizeof(line) - 1);
        fota_watch_line(p, &b);
        line[b.len] = '\0';

        if (strcmp(line, last) != 0) {
            if (cli->json) {
                (void) fota_cli_show_line(p);

            } else if (!cli->quiet) {
                (void) printf(tty ? "\r%s\033[K" : "%s\n", line);
            }

            (void) fflush(stdout);
            memcpy(last, line, sizeof(last));
        }

        good = json_integer_value(json_object_get(json_object_get(p,
                                  "buckets"), "succeeded"));
        state = json_string_value(json_object_get(p, "state"));
        rc = -1;

        if (state == NULL || strcmp(state, "stopped") == 0) {
            rc = 1;

        } else if (strcmp(state, "finished") == 0
                   || (wanted != 0 && (uint64_t) good >= wanted))
        {
            rc = 0;
        }

        json_decref(p);

        if (rc != -1) {
            break;
        }

        if (timeout != 0 && time(NULL) >= end) {
            rc = fota_cli_fail("it had not ended after %llu s",
                               (unsigned long long) timeout);
            break;
        }

        (void) sleep((unsigned) interval);
    }

    if (tty) {
        (void) putchar('\n');
    }

    return rc;
}
