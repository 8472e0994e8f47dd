/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_sets.h"
#include "cli_show.h"
#include "fota_encode.h"
#include "sim.h"


#define FOTA_CMD_RANGE      (8 * 1024 * 1024)
#define FOTA_CMD_COUNT_MAX  100000
#define FOTA_CMD_AUTH_MAX   480


static int fota_cmd_simulate_run(fota_cli_t *cli);


static const fota_cli_option_t  fota_cmd_simulate_options[] = {
    { "--id", "ID", "device id", NULL },
    { "--product", "NAME", "product", NULL },
    { "--version", "V", "what it runs now (default: what its folder says)",
      NULL },
    { "--kind", "KIND", "os, app or data", NULL },
    { "--tz", "ZONE", "time zone or offset it reports", NULL },
    { "--attr", "NAME=VALUE", "attribute; may be repeated", NULL },
    { "--auth", "TEXT", "Authorization header, \"GatewayToken ...\"", NULL },
    { "--signer", "KEY|FILE", "tenant's public key; without it signatures "
      "are not checked", NULL },
    { "--image", "FILE", "current image; without one, no deltas", NULL },
    { "--dir", "FOLDER", "state (default: ID below FOTA_DEVICES)", NULL },
    { "--range", "BYTES", "bytes per request (default 8 MiB)", NULL },
    { "--stop-after", "BYTES", "give up in mid-download, as if killed", NULL },
    { "--fail", "CODE", "report this failure in place of success", NULL },
    { "--no-delta", NULL, "take full packages only", NULL },
    { "--once", NULL, "one step, not until up to date", NULL },
    { "--count", "N", "that many devices in turn, ID-1 to ID-N", NULL },
    { NULL, NULL, NULL, NULL }
};


const fota_cli_command_t  fota_cmd_simulate[FOTA_CMD_SIMULATE] = {
    { "device simulate", "",
      "Be a device: check, download, verify, apply, report",
      "  fota device simulate --id cam-1 --product dashcam-x1 "
      "--version 1.0.0\n"
      "  fota device simulate --id cam-1 --product dashcam-x1 --attr hw=3 "
      "--no-delta\n"
      "  fota device simulate --id cam-1 --product dashcam-x1 "
      "--stop-after 1000000",
      fota_cmd_simulate_options, fota_cmd_simulate_run, NULL }
};


/* Hex digits, or base64 as the API gives a public key. */

static bool
fota_cmd_signer_text(fota_str_t text, uint8_t key[32])
{
    size_t  n;

    return fota_hex_decode(key, 32, text) == FOTA_OK
           || (fota_base64_decode(key, 32, text, &n) == FOTA_OK && n == 32);
}


static bool
fota_cmd_signer(const char *text, fota_sim_conf_t *conf)
{
    char     buf[128];
    FILE    *f;
    size_t   n;

    if (text == NULL) {
        return true;
    }

    if (!fota_cmd_signer_text(fota_cstr(text), conf->signer)) {
        f = fopen(text, "r");
        if (f == NULL) {
            return false;
        }

        n = fread(buf, 1, sizeof(buf) - 1, f);
        (void) fclose(f);

        while (n > 0 && buf[n - 1] <= ' ') {
            n--;
        }

        if (!fota_cmd_signer_text(fota_slice(buf, n), conf->signer)) {
            return false;
        }
    }

    conf->has_signer = true;

    return true;
}


static json_t *
fota_cmd_attrs(fota_cli_t *cli)
{
    char         name[256];
    size_t       i;
    json_t      *attrs;
    const char  *a, *eq;

    attrs = json_object();

    for (i = 0; (a = fota_cli_repeated(cli, "--attr", i)) != NULL; i++) {
        eq = strchr(a, '=');

        if (eq == NULL || eq == a || (size_t) (eq - a) >= sizeof(name)) {
            json_decref(attrs);
            return NULL;
        }

        memcpy(name, a, (size_t) (eq - a));
        name[eq - a] = '\0';

        if (json_object_set_new(attrs, name, json_string(eq + 1)) != 0) {
            json_decref(attrs);
            return NULL;
        }
    }

    return attrs;
}


static int
fota_cmd_simulate_one(fota_cli_t *cli, fota_sim_conf_t *conf, const char *id,
    const char *dir)
{
    int          rc;
    bool         no_delta;
    char         path[512], image[600];
    json_t      *summary;
    const char  *base;

    if (dir == NULL) {
        base = getenv("FOTA_DEVICES");
        base = base != NULL && *base != '\0' ? base : ".fota-devices";

        /* What fails here fails again, and louder, one level below. */
        (void) mkdir(base, 0755);
        (void) snprintf(path, sizeof(path), "%s/%s", base, id);

    } else {
        (void) snprintf(path, sizeof(path), "%s", dir);
    }

    conf->id = id;
    conf->dir = path;

    /* A delta is of use to one that has an image to apply it to. */

    no_delta = conf->no_delta;
    (void) snprintf(image, sizeof(image), "%s/image", path);

    if (conf->image == NULL && access(image, R_OK) != 0) {
        conf->no_delta = true;
    }

    summary = json_object();
    rc = fota_sim_run(conf, summary);
    conf->no_delta = no_delta;

    if (cli->json) {
        (void) fota_cli_show_line(summary);

    } else if (cli->quiet) {
        (void) printf("%s %s\n", id,
                      json_string_value(json_object_get(summary, "version")));
    }

    json_decref(summary);

    return rc;
}


static int
fota_cmd_simulate_run(fota_cli_t *cli)
{
    int              rc;
    char             id[300], dir[512];
    uint64_t         i, count;
    const char      *base, *folder;
    fota_sim_conf_t  conf;

    memset(&conf, 0, sizeof(conf));

    if (cli->nargs != 0) {
        return fota_cli_usage("\"%s\" is one argument too many; see \"fota "
                              "device simulate --help\"", cli->args[0]);
    }

    base = fota_cli_option(cli, "--id", NULL);
    conf.edge = cli->edge;
    conf.tenant = cli->tenant;
    conf.product = fota_cli_option(cli, "--product", cli->product);

    if (conf.edge == NULL || conf.tenant == NULL || conf.product == NULL
        || base == NULL)
    {
        return fota_cli_usage("device simulate wants --edge, --tenant, "
                              "--product and --id");
    }

    conf.version = fota_cli_option(cli, "--version", NULL);
    conf.kind = fota_cli_option(cli, "--kind", NULL);
    conf.tz = fota_cli_option(cli, "--tz", NULL);
    conf.auth = fota_cli_option(cli, "--auth", NULL);
    conf.image = fota_cli_option(cli, "--image", NULL);

    if (conf.auth != NULL && (strlen(conf.auth) > FOTA_CMD_AUTH_MAX
                              || strpbrk(conf.auth, "\r\n") != NULL))
    {
        return fota_cli_usage("--auth wants one line of at most %d bytes",
                              FOTA_CMD_AUTH_MAX);
    }

    conf.fail = fota_cli_option(cli, "--fail", NULL);
    conf.no_delta = fota_cli_switch(cli, "--no-delta");
    conf.once = fota_cli_switch(cli, "--once");
    conf.quiet = cli->quiet;
    conf.tls = cli->tls;
    folder = fota_cli_option(cli, "--dir", NULL);

    if (!fota_cli_number(cli, "--range", FOTA_CMD_RANGE, 1ULL << 40,
                         &conf.range)
        || !fota_cli_number(cli, "--stop-after", 0, UINT64_MAX / 2,
                            &conf.stop_after)
        || !fota_cli_number(cli, "--count", 0, FOTA_CMD_COUNT_MAX, &count))
    {
        return 2;
    }

    if (conf.range == 0) {
        return fota_cli_usage("--range wants at least 1 byte");
    }

    if (!fota_cmd_signer(fota_cli_option(cli, "--signer", cli->signer),
                         &conf))
    {
        return fota_cli_usage("--signer wants 64 hex digits, base64 or "
                              "a file of them");
    }

    conf.attrs = fota_cmd_attrs(cli);
    if (conf.attrs == NULL) {
        return fota_cli_usage("--attr wants NAME=VALUE in UTF-8");
    }

    rc = 0;

    if (count == 0) {
        rc = fota_cmd_simulate_one(cli, &conf, base, folder);
    }

    for (i = 1; i <= count; i++) {
        (void) snprintf(id, sizeof(id), "%s-%llu", base,
                        (unsigned long long) i);
        (void) snprintf(dir, sizeof(dir), "%s/%s", folder ? folder : "", id);

        if (fota_cmd_simulate_one(cli, &conf, id, folder ? dir : NULL) != 0) {
            rc = 1;
        }
    }

    json_decref(conf.attrs);

    return rc;
}
