/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Firmware and its artifacts; "firmware upload" is in cmd_upload.c. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_FIRMWARE_KIND                                                   \
    { "--kind", "KIND", "os (default), app or data", "?kind" }

#define FOTA_FIRMWARE_FIELDS                                                 \
    { "--order", "N|-", "place in the release order; -: by version",         \
      "release_order:N" },                                                   \
    { "--notes", "TEXT", "release notes", "notes:0" }

static const fota_cli_option_t  fota_firmware_list[] = {
    FOTA_CLI_IN_PRODUCT, FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_firmware_create[] = {
    FOTA_CLI_IN_PRODUCT,
    { "--kind", "KIND", "os (default), app or data", "kind" },
    { "--must-pass", NULL, "never skipped on the way up", "must_pass:b" },
    FOTA_FIRMWARE_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_firmware_one[] = {
    FOTA_CLI_IN_PRODUCT, FOTA_FIRMWARE_KIND, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_firmware_edit[] = {
    FOTA_CLI_IN_PRODUCT, FOTA_FIRMWARE_KIND,
    { "--must-pass", "on|off", "never skipped on the way up",
      "must_pass:b" },
    { "--withdrawn", "on|off", "never a target again", "withdrawn:b" },
    FOTA_FIRMWARE_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_artifact_edit[] = {
    { "--name", "NAME", "file name devices see", "name" },
    { "--requires", "RSQL", "filter over the facts of a device",
      "requires" },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_firmware[FOTA_CMD_FIRMWARE] = {
    { "firmware list", "", "Versions of a product in release order",
      "  fota firmware list --product dashcam-x1",
      fota_firmware_list,
      FOTA_CLI_OP("listFirmware", "GET",
                  "/api/v1/products/{product}/firmware", "",
                  "version,kind,must_pass:flag,withdrawn:flag,"
                  "release_order=ORDER,created_ms:time", FOTA_CLI_LIST) },

    { "firmware create", "VERSION", "Name a version (upload does it too)",
      "  fota firmware create 1.2.0 --product dashcam-x1 --must-pass",
      fota_firmware_create,
      FOTA_CLI_OP("createFirmware", "POST",
                  "/api/v1/products/{product}/firmware", "version", NULL,
                  0) },

    { "firmware show", "VERSION", "One version",
      "  fota firmware show 1.2.0 --product dashcam-x1",
      fota_firmware_one,
      FOTA_CLI_OP("getFirmware", "GET",
                  "/api/v1/products/{product}/firmware/{version}",
                  "/version", NULL, 0) },

    { "firmware edit", "VERSION", "Change or withdraw a version",
      "  fota firmware edit 1.1.0 --product dashcam-x1 --withdrawn on",
      fota_firmware_edit,
      FOTA_CLI_OP("patchFirmware", "PATCH",
                  "/api/v1/products/{product}/firmware/{version}",
                  "/version", NULL, FOTA_CLI_BODY) },

    { "firmware delete", "VERSION", "Remove one without artifacts",
      "  fota firmware delete 1.1.1-rc1 --product dashcam-x1",
      fota_firmware_one,
      FOTA_CLI_OP("deleteFirmware", "DELETE",
                  "/api/v1/products/{product}/firmware/{version}",
                  "/version", NULL, 0) },

    { "artifact list", "", "Files of a product's versions, newest first",
      "  fota artifact list --product dashcam-x1",
      fota_firmware_list,
      FOTA_CLI_OP("listArtifacts", "GET",
                  "/api/v1/products/{product}/artifacts", "",
                  "id,version,type,from,format,size:bytes,signed,sha256:sha,"
                  "name,requires", FOTA_CLI_LIST) },

    { "artifact create", "VERSION", "Make one of an upload or a known file",
      "  fota artifact create 1.2.0 --product dashcam-x1 --upload "
      "00112233445566778899aabbccddeeff",
      (const fota_cli_option_t[]) {
          FOTA_CLI_IN_PRODUCT,
          { "--kind", "KIND", "os (default), app or data", "kind" },
          { "--from", "VERSION", "makes it a delta from this one", "from" },
          { "--upload", "ID", "a completed upload", "upload" },
          { "--sha256", "HEX", "or a file the tenant has already",
            "sha256" },
          { "--format", "WORD", "raw, xdelta3, swu...", "format" },
          { "--signature", "BASE64", "made offline", "signature" },
          { "--name", "NAME", "file name devices see", "name" },
          { "--requires", "RSQL", "filter over the facts of a device",
            "requires" },
          FOTA_CLI_OPTIONS_END
      },
      FOTA_CLI_OP("createArtifact", "POST",
                  "/api/v1/products/{product}/artifacts", "version", NULL,
                  0) },

    { "artifact show", "ID", "One artifact",
      "  fota artifact show 7",
      NULL,
      FOTA_CLI_OP("getArtifact", "GET", "/api/v1/artifacts/{artifact}", NULL,
                  NULL, 0) },

    { "artifact edit", "ID", "Change name or requirements",
      "  fota artifact edit 7 --requires \"attr.hw=ge=3\"",
      fota_artifact_edit,
      FOTA_CLI_OP("patchArtifact", "PATCH", "/api/v1/artifacts/{artifact}",
                  NULL, NULL, FOTA_CLI_BODY) },

    { "artifact delete", "ID", "Remove an artifact",
      "  fota artifact delete 7",
      NULL,
      FOTA_CLI_OP("deleteArtifact", "DELETE", "/api/v1/artifacts/{artifact}",
                  NULL, NULL, 0) },

    { "artifact manifest", "ID", "The text that is signed",
      "  fota artifact manifest 7 > 7.manifest",
      fota_cli_output,
      FOTA_CLI_OP("getManifest", "GET",
                  "/api/v1/artifacts/{artifact}/manifest", NULL, NULL,
                  FOTA_CLI_RAW) },

    { "artifact signature", "ID BASE64", "Give a signature made elsewhere",
      "  fota artifact signature 7 \"$(fota firmware sign 7.manifest "
      "--secret acme.key)\"",
      NULL,
      FOTA_CLI_OP("setSignature", "PUT",
                  "/api/v1/artifacts/{artifact}/signature",
                  "/artifact signature", NULL, 0) },

    { "artifact download", "ID", "The file itself",
      "  fota artifact download 7 --output x1-1.2.0.img",
      fota_cli_output,
      FOTA_CLI_OP("getContent", "GET",
                  "/api/v1/artifacts/{artifact}/content", NULL, NULL,
                  FOTA_CLI_RAW) }
};
