/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The brake: no new offers at once, or running transfers cut as well, of one
 * rollout, product or tenant, or of everything.
 */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_BRAKE  "none|offers|cut"


const fota_cli_command_t  fota_cmd_brake[FOTA_CMD_BRAKE] = {
    { "brake show", "", "Is everything stopped?",
      "  fota brake show",
      NULL,
      FOTA_CLI_OP("getBrake", "GET", "/api/v1/brake", "", NULL,
                  FOTA_CLI_PLATFORM) },

    { "brake all", FOTA_BRAKE, "Stop everything, or let it go on",
      "  fota brake all cut\n"
      "  fota brake all none",
      NULL,
      FOTA_CLI_OP("brakeAll", "POST", "/api/v1/brake", "brake", NULL,
                  FOTA_CLI_PLATFORM) },

    { "brake tenant", "NAME " FOTA_BRAKE, "Stop a tenant",
      "  fota brake tenant acme offers",
      NULL,
      FOTA_CLI_OP("brakeTenant", "POST", "/api/v1/tenants/{tenant}/brake",
                  "/tenant brake", NULL, FOTA_CLI_PLATFORM) },

    { "brake product", "NAME " FOTA_BRAKE, "Stop a product",
      "  fota brake product dashcam-x1 offers",
      NULL,
      FOTA_CLI_OP("brakeProduct", "POST",
                  "/api/v1/products/{product}/brake", "/product brake", NULL,
                  0) },

    { "brake rollout", "ID " FOTA_BRAKE, "Stop a rollout",
      "  fota brake rollout 7 cut",
      NULL,
      FOTA_CLI_OP("brakeRollout", "POST",
                  "/api/v1/rollouts/{rollout}/brake", "/rollout brake", NULL,
                  0) }
};
