/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The centre itself. */

#include "cli_api.h"
#include "cli_sets.h"


const fota_cli_command_t  fota_cmd_status[FOTA_CMD_STATUS] = {
    { "status", "", "Centre, head of the change log, edges and positions",
      "  fota status\n"
      "  fota status --json | jq '.nodes[] | select(.behind > 0)'",
      NULL,
      FOTA_CLI_OP("getStatus", "GET", "/api/v1/status", "", NULL,
                  FOTA_CLI_PLATFORM) },

    { "whoami", "", "What the token is",
      "  fota whoami",
      NULL,
      FOTA_CLI_OP("whoami", "GET", "/api/v1/whoami", "", NULL,
                  FOTA_CLI_PLATFORM) },

    { "health", "", "Is the centre well?",
      "  fota health --quiet || echo down",
      NULL,
      FOTA_CLI_OP("health", "GET", "/healthz", "", NULL, FOTA_CLI_PLATFORM) }
};
