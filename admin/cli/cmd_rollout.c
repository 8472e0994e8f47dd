/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Rollouts; "rollout watch" is in cmd_watch.c. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_ROLLOUT_FIELDS                                                  \
    { "--target", "VERSION", "what they get; latest: the newest",            \
      "target" },                                                            \
    { "--kind", "KIND", "os (default), app or data", "kind" },               \
    { "--strategy", "WORD", "auto (default), full, delta, sequential",       \
      "strategy" },                                                          \
    { "--filter", "RSQL", "who", "filter" },                                 \
    { "--source", "PATTERN", "from these versions only; may be repeated",    \
      "sources:l" },                                                         \
    { "--include", "PLACE", "JP, JP/13, JP/13/Tokyo; may be repeated",       \
      "geo.include:l" },                                                     \
    { "--exclude", "PLACE", "likewise", "geo.exclude:l" },                   \
    { "--unknown", "deny|allow", "where the location is not known",          \
      "geo.unknown" },                                                       \
    { "--window", "TEXT", "\"mon-fri 22:00-05:00\"; may be repeated",        \
      "windows:l" },                                                         \
    { "--time", "device|zone", "whose time windows are in", "time_mode" },   \
    { "--zone", "NAME", "as Asia/Tokyo", "zone" },                           \
    { "--begin", "TIME", "not before, UTC: 2026-01-31T22:00Z, +2h",          \
      "start_s:t" },                                                         \
    { "--end", "TIME", "not after", "end_s:t" },                             \
    { "--stage", "STAGE", "\"5,success=95,error=2,min=10,soak=1h,manual\","  \
      " or test,group=NAME; in order", "stages:S" },                         \
    { "--weight", "N", "the highest of several rollouts is first",           \
      "weight:n" },                                                          \
    { "--allow-downgrade", "on|off", "also to older versions",               \
      "allow_downgrade:b" },                                                 \
    { "--require-fresh", "on|off", "not by edges cut off from the centre",   \
      "require_fresh:b" },                                                   \
    { "--max-attempts", "N", "of a device (default 3)", "max_attempts:n" },  \
    { "--max-active", "N", "downloads at a time in the whole fleet",         \
      "max_active:n" },                                                      \
    { "--max-bps", "N", "bytes a second in the whole fleet", "max_bps:n" },  \
    { "--rate-class", "N", "of the edges' fota_rate_class",                  \
      "rate_class:n" },                                                      \
    { "--dispersion", "N", "nodes that devices are spread over",             \
      "dispersion:n" },                                                      \
    { "--token-ttl", "SECONDS", "how long a download link is good",          \
      "token_ttl_s:n" }

static const fota_cli_option_t  fota_rollout_list[] = {
    { "--product", "NAME", "of this product only", "?product" },
    { "--state", "STATE", "draft, pending, ready, running, paused, stopped, "
      "finished", "?state" },
    FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_rollout_create[] = {
    { "--product", "NAME", "product (FOTA_PRODUCT)", "product" },
    FOTA_ROLLOUT_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_rollout_edit[] = {
    { "--name", "NAME", "new name", "name" },
    FOTA_ROLLOUT_FIELDS, FOTA_CLI_OPTIONS_END
};


#define FOTA_ROLLOUT  "/api/v1/rollouts/{rollout}"

#define FOTA_ROLLOUT_DO(name, help, op, word)                                \
    { "rollout " name, "ID", help,                                           \
      "  fota rollout " name " 7", NULL,                                     \
      FOTA_CLI_OP(op, "POST", FOTA_ROLLOUT "/" word, NULL, NULL, 0) }

const fota_cli_command_t  fota_cmd_rollout[FOTA_CMD_ROLLOUT] = {
    { "rollout list", "", "Rollouts, newest first",
      "  fota rollout list --product dashcam-x1 --state running",
      fota_rollout_list,
      FOTA_CLI_OP("listRollouts", "GET", "/api/v1/rollouts", "",
                  "id,name,product,target,strategy,state,stage,brake,"
                  "started_ms:time,state_reason=REASON", FOTA_CLI_LIST) },

    { "rollout create", "NAME", "Plan one; start it with rollout start",
      "  fota rollout create \"1.2.0 for Tokyo\" --product dashcam-x1 "
      "--target 1.2.0 --include JP/13/Tokyo --window \"daily 01:00-05:00\" "
      "--stage 1,success=95,error=2,min=50,soak=1h --stage 100,error=2\n"
      "  fota rollout create all --product dashcam-x1 --target latest "
      "--filter \"version=lt=2.0.0 and attr.hw=ge=3\"",
      fota_rollout_create,
      FOTA_CLI_OP("createRollout", "POST", "/api/v1/rollouts", "name", NULL,
                  0) },

    { "rollout edit", "ID", "Change one",
      "  fota rollout edit 7 --weight 10 --max-active 5000",
      fota_rollout_edit,
      FOTA_CLI_OP("patchRollout", "PATCH", FOTA_ROLLOUT, NULL, NULL,
                  FOTA_CLI_BODY) },

    { "rollout delete", "ID", "Remove one that is over, or never began",
      "  fota rollout delete 7", NULL,
      FOTA_CLI_OP("deleteRollout", "DELETE", FOTA_ROLLOUT, NULL, NULL, 0) },

    FOTA_ROLLOUT_DO("start", "Start one", "startRollout", "start"),
    FOTA_ROLLOUT_DO("approve", "Approve what another person started",
                    "approveRollout", "approve"),
    FOTA_ROLLOUT_DO("pause", "No new offers until it is resumed",
                    "pauseRollout", "pause"),
    FOTA_ROLLOUT_DO("resume", "Go on", "resumeRollout", "resume"),
    FOTA_ROLLOUT_DO("stop", "End one for good", "stopRollout", "stop"),
    FOTA_ROLLOUT_DO("next", "Begin its next stage now", "nextStage",
                    "next-stage"),
    FOTA_ROLLOUT_DO("retry", "Give those that failed another chance",
                    "retryFailed", "retry-failed"),

    { "rollout rollback", "ID",
      "Drafts that bring those it updated back to what they had",
      "  fota rollout rollback 7 --json | jq '.items[].id'", NULL,
      FOTA_CLI_OP("rollbackRollout", "POST", FOTA_ROLLOUT "/rollback", NULL,
                  NULL, 0) }
};
