/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Why a device gets what it gets, and what a rollout would come to. */

#include <stdio.h>

#include "cli_api.h"
#include "cli_sets.h"
#include "cli_show.h"


#define FOTA_EXPLAIN_PATH  (64 * 1024)


static int fota_cmd_explain_run(fota_cli_t *cli);


static const fota_cli_option_t  fota_explain_options[] = {
    { "--product", "NAME", "of a device that is not registered",
      "?product" },
    { "--version", "V", "as if it ran this", "?version" },
    { "--kind", "KIND", "os (default), app or data", "?kind" },
    { "--at", "TIME", "as if it were then: 2026-01-31T22:00Z, +2h", "?at:t" },
    { "--ip", "ADDRESS", "as if it asked from there", "?ip" },
    { "--country", "CODE", "as if it were there", "?country" },
    { "--region", "NAME", "likewise", "?region" },
    { "--region-code", "CODE", "likewise", "?region_code" },
    { "--city", "NAME", "likewise", "?city" },
    { "--tz", "ZONE", "as if it reported this", "?tz" },
    { "--asn", "N", "as if it were in this network", "?asn:n" },
    { "--attr", "NAME=VALUE", "as if it had this; may be repeated",
      "?attr:m" },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_explain[FOTA_CMD_EXPLAIN] = {
    { "explain", "DEVICE", "What it would get, and why not",
      "  fota explain X1-0001\n"
      "  fota explain X1-0001 --version 1.0.0 --ip 203.0.113.7 "
      "--at 2026-01-31T22:00Z --attr hw=3",
      fota_explain_options, fota_cmd_explain_run,
      (const fota_cli_op_t[]) {
          { "explain", "GET", "/api/v1/explain", "?device", NULL, 0 },
          FOTA_CLI_OPS_END
      } },

    { "rollout plan", "ID", "How many, why not, how many bytes, how long",
      "  fota rollout plan 7", NULL,
      FOTA_CLI_OP("planRollout", "POST", "/api/v1/rollouts/{rollout}/plan",
                  NULL, NULL, 0) }
};


static void
fota_explain_part(json_t *answer, const char *name, const char *columns,
    const char *none, fota_buf_t *out)
{
    json_t  *list;

    list = json_object_get(answer, name);

    if (json_array_size(list) == 0) {
        fota_buf_printf(out, "\n%s\n", none);
        return;
    }

    fota_buf_u8(out, '\n');
    (void) fota_cli_show_table(list, columns, out);
}


static bool
fota_explain_has_site(json_t *list, const char *site)
{
    size_t       i;
    json_t      *node;
    const char  *s;

    json_array_foreach(list, i, node) {
        s = json_string_value(json_object_get(node, "site"));

        if (s != NULL && *s != '\0' && strcmp(s, site) == 0) {
            return true;
        }
    }

    return false;
}


/*
 * In front of another?  First those picked, and of them those of a site of
 * its own, then all that were weighed, the smaller score first.
 */
static bool
fota_explain_before(json_t *ranked, json_t *a, json_t *b)
{
    int          i, class[2];
    double       score[2];
    json_t      *node;
    const char  *s;

    for (i = 0; i < 2; i++) {
        node = i == 0 ? a : b;
        s = json_string_value(json_object_get(node, "reason"));

        if (json_number_value(json_object_get(node, "weight")) <= 0) {
            class[i] = 3;

        } else if (s == NULL || strcmp(s, "picked") != 0) {
            class[i] = 2;

        } else {
            s = json_string_value(json_object_get(node, "site"));
            class[i] = s != NULL && fota_explain_has_site(ranked, s);
        }

        score[i] = class[i] == 3 ? 0
                   : json_number_value(json_object_get(node, "score"));
    }

    return class[0] != class[1] ? class[0] < class[1] : score[0] < score[1];
}


/* The API has them by id; an operator asks who comes first, and who next. */

static void
fota_explain_rank(json_t *answer)
{
    size_t   i, best;
    json_t  *nodes, *ranked;

    nodes = json_object_get(answer, "nodes");
    ranked = json_array();

    while (json_array_size(nodes) != 0) {
        best = 0;

        for (i = 1; i < json_array_size(nodes); i++) {
            if (fota_explain_before(ranked, json_array_get(nodes, i),
                                    json_array_get(nodes, best)))
            {
                best = i;
            }
        }

        json_array_append(ranked, json_array_get(nodes, best));
        json_array_remove(nodes, best);
    }

    json_array_extend(nodes, ranked);
    json_decref(ranked);
}


static int
fota_explain_print(json_t *answer)
{
    json_t      *copy, *decision;
    fota_buf_t   out;

    /* "update" speaks of links, which an explanation has none of. */

    decision = json_copy(json_object_get(answer, "decision"));
    json_object_del(decision, "update");

    copy = json_object();
    json_object_set_new(copy, "decision", decision);
    json_object_set(copy, "policy", json_object_get(answer, "policy"));
    json_object_set(copy, "location", json_object_get(answer, "location"));
    json_object_set(copy, "device", json_object_get(answer, "device"));

    fota_buf_grow(&out, SIZE_MAX / 2);
    (void) fota_cli_show_object(copy, &out);

    fota_explain_part(answer, "rollouts", "id=ROLLOUT,name,reason,detail",
                      "No rollout of this product runs.", &out);
    fota_explain_part(answer, "nodes",
                      "name=NODE,site,country,reason,km,weight,score",
                      "No node was looked at.", &out);

    json_decref(copy);

    return fota_cli_show_flush(&out);
}


static int
fota_cmd_explain_run(fota_cli_t *cli)
{
    int          rc;
    json_t      *body, *answer;
    fota_buf_t   path;

    fota_buf_grow(&path, FOTA_EXPLAIN_PATH);
    rc = fota_cli_op_request(cli, cli->command->ops, &path, &body);
    json_decref(body);

    if (rc == 0 && fota_cli_text(&path) == NULL) {
        rc = fota_cli_usage("the request is too large");
    }

    if (rc == 0) {
        rc = fota_cli_api(cli, "GET", (const char *) path.start, NULL,
                          &answer);

        if (rc == 0) {
            fota_explain_rank(answer);
            rc = cli->json ? fota_cli_show_json(answer)
                           : fota_explain_print(answer);
            json_decref(answer);
        }
    }

    fota_buf_free(&path);

    return rc;
}
