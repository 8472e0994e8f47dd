/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Devices; "device simulate" is in cmd_simulate.c, import in cmd_import.c. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_DEVICE_FIND                                                     \
    { "--filter", "RSQL", "as \"version=lt=2.0 and city==Tokyo\"", "?q" },   \
    { "--product", "NAME", "of this product only", "?product" }

#define FOTA_DEVICE_FIELDS                                                   \
    { "--blocked", "on|off", "gets nothing", "blocked:b" },                  \
    { "--test", "on|off", "is a test device", "test:b" },                    \
    { "--pin", "VERSION|-", "the version it must have", "pin:0" },           \
    { "--attr", "NAME=VALUE", "attribute, no value: remove it; may be "      \
      "repeated", "attributes:m" }

static const fota_cli_option_t  fota_device_list[] = {
    FOTA_DEVICE_FIND, FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_device_find[] = {
    FOTA_DEVICE_FIND, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_device_create[] = {
    { "--product", "NAME", "product", "product" },
    { "--version", "VERSION", "what it runs", "version" },
    FOTA_DEVICE_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_device_edit[] = {
    FOTA_DEVICE_FIELDS, FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_device[FOTA_CMD_DEVICE] = {
    { "device list", "", "Devices that match",
      "  fota device list --filter \"city==Tokyo and version=lt=1.2.0\"\n"
      "  fota device list --all --json > devices.json",
      fota_device_list,
      FOTA_CLI_OP("searchDevices", "GET", "/api/v1/devices", "",
                  "id,product,version,country,city,last_reason=REASON,"
                  "blocked:flag,test:flag,pin,seen_ms:time",
                  FOTA_CLI_LIST) },

    { "device count", "", "How many match",
      "  fota device count --filter \"attr.hw=ge=3\"",
      fota_device_find,
      FOTA_CLI_OP("countDevices", "GET", "/api/v1/devices/count", "", NULL,
                  0) },

    { "device create", "ID", "Make a device",
      "  fota device create X1-0001 --product dashcam-x1 --attr hw=3",
      fota_device_create,
      FOTA_CLI_OP("createDevice", "POST", "/api/v1/devices", "id", NULL,
                  0) },

    { "device show", "ID", "One device",
      "  fota device show X1-0001",
      NULL,
      FOTA_CLI_OP("getDevice", "GET", "/api/v1/devices/{device}", NULL, NULL,
                  0) },

    { "device edit", "ID", "Block, pin, mark as test device, set attributes",
      "  fota device edit X1-0001 --pin 1.1.0 --attr hw=4\n"
      "  fota device edit X1-0001 --blocked on",
      fota_device_edit,
      FOTA_CLI_OP("patchDevice", "PATCH", "/api/v1/devices/{device}", NULL,
                  NULL, FOTA_CLI_BODY) },

    { "device delete", "ID", "Forget a device",
      "  fota device delete X1-0001",
      NULL,
      FOTA_CLI_OP("deleteDevice", "DELETE", "/api/v1/devices/{device}", NULL,
                  NULL, 0) },

    { "device history", "ID", "What it reported, newest first",
      "  fota device history X1-0001 --limit 20",
      fota_cli_paging,
      FOTA_CLI_OP("deviceHistory", "GET", "/api/v1/devices/{device}/history",
                  NULL, "time_ms:time,rollout,attempt,state,progress=PCT,"
                  "version,node,bytes:bytes,ms,error_code,error_text",
                  FOTA_CLI_LIST) },

    { "device token", "ID", "Its token derived from the tenant's key",
      "  fota device token X1-0001 --json | jq -r .token",
      NULL,
      FOTA_CLI_OP("deriveDeviceToken", "POST",
                  "/api/v1/devices/{device}/token", NULL, NULL, 0) },

    { "device own-token", "ID [TOKEN]",
      "Give it a token of its own, shown once",
      "  fota device own-token X1-0001",
      NULL,
      FOTA_CLI_OP("setOwnToken", "PUT", "/api/v1/devices/{device}/own-token",
                  "/device [token", NULL, FOTA_CLI_BODY) },

    { "device derived-token", "ID", "Take its own token away again",
      "  fota device derived-token X1-0001",
      NULL,
      FOTA_CLI_OP("deleteOwnToken", "DELETE",
                  "/api/v1/devices/{device}/own-token", NULL, NULL, 0) }
};
