/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* API tokens, keys of edges, revocations and the audit log. */

#include "cli_api.h"
#include "cli_sets.h"


static const fota_cli_option_t  fota_token_list[] = {
    FOTA_CLI_OF_PLATFORM, FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_token_create[] = {
    { "--permissions", "LIST", "as firmware:*,upload:*; * is all",
      "permissions:c" },
    { "--expires-in", "SECONDS", "without it, never", "expires_in_s:n" },
    FOTA_CLI_OF_PLATFORM, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_token_delete[] = {
    FOTA_CLI_OF_PLATFORM, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_deny_create[] = {
    { "--rollout", "ID", "with rollout", "rollout:n" },
    { "--device", "ID", "with device", "device" },
    { "--cut", NULL, "running transfers too", "cut:b" },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_audit_list[] = {
    { "--object", "OBJECT", "of this one only, as product/dashcam-x1",
      "?object" },
    FOTA_CLI_OF_PLATFORM, FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_access[FOTA_CMD_ACCESS] = {
    { "token list", "", "API tokens, without their text",
      "  fota token list\n"
      "  fota token list --platform",
      fota_token_list,
      FOTA_CLI_OP("listTokens", "GET", "/api/v1/tokens", "",
                  "id,name,tenant,permissions,expires_ms:time,"
                  "last_used_ms:time,revoked_ms:time", FOTA_CLI_LIST) },

    { "token create", "NAME", "Make an API token, shown once",
      "  fota token create ci --permissions \"firmware:*,upload:*,"
      "artifact:*\" --expires-in 7776000",
      fota_token_create,
      FOTA_CLI_OP("createToken", "POST", "/api/v1/tokens", "name", NULL,
                  0) },

    { "token revoke", "ID", "Revoke a token",
      "  fota token revoke 4",
      fota_token_delete,
      FOTA_CLI_OP("revokeToken", "DELETE", "/api/v1/tokens/{token}", NULL,
                  NULL, 0) },

    { "key list", "", "Keys of edges, without their secrets",
      "  fota key list",
      NULL,
      FOTA_CLI_OP("listKeys", "GET", "/api/v1/keys", "",
                  "kind,scope,kid,state,created_ms:time",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "key next", "GROUP", "Make the next root of download tokens",
      "  fota key next 1",
      NULL,
      FOTA_CLI_OP("nextDownloadKey", "POST",
                  "/api/v1/keys/download/{scope}/next", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "key activate", "GROUP", "Use it; the current one becomes previous",
      "  fota key activate 1",
      NULL,
      FOTA_CLI_OP("activateDownloadKey", "POST",
                  "/api/v1/keys/download/{scope}/activate", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "operator-key list", "", "Credentials for explain on the edges",
      "  fota operator-key list",
      NULL,
      FOTA_CLI_OP("listOperatorKeys", "GET", "/api/v1/operator-keys", "",
                  "kid,created_ms:time", FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "operator-key create", "", "Make one, shown once",
      "  fota operator-key create --json | jq -r .token",
      NULL,
      FOTA_CLI_OP("createOperatorKey", "POST", "/api/v1/operator-keys", "",
                  NULL, FOTA_CLI_PLATFORM) },

    { "operator-key delete", "KID", "Remove one",
      "  fota operator-key delete 2",
      NULL,
      FOTA_CLI_OP("deleteOperatorKey", "DELETE",
                  "/api/v1/operator-keys/{key}", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "deny list", "", "Revocations of download tokens",
      "  fota deny list",
      NULL,
      FOTA_CLI_OP("listDeny", "GET", "/api/v1/deny", "",
                  "id,kind,subject,not_before_s:times=UNTIL,cut:flag,"
                  "created_ms:time", FOTA_CLI_LIST) },

    { "deny create", "rollout|tenant|device",
      "Revoke the download tokens issued until now",
      "  fota deny create device --device X1-0001 --cut\n"
      "  fota deny create rollout --rollout 7",
      fota_deny_create,
      FOTA_CLI_OP("createDeny", "POST", "/api/v1/deny", "kind", NULL, 0) },

    { "deny delete", "ID", "Lift a revocation",
      "  fota deny delete device-0011223344556677",
      NULL,
      FOTA_CLI_OP("deleteDeny", "DELETE", "/api/v1/deny/{deny}", NULL, NULL,
                  0) },

    { "audit list", "", "Who changed what, newest first",
      "  fota audit list --object product/dashcam-x1",
      fota_audit_list,
      FOTA_CLI_OP("listAudit", "GET", "/api/v1/audit", "",
                  "id,time_ms:time,tenant,actor,address,action,object",
                  FOTA_CLI_LIST) },

    { "audit verify", "", "Check the hash chain of the whole log",
      "  fota audit verify",
      NULL,
      FOTA_CLI_OP("verifyAudit", "GET", "/api/v1/audit/verify", "", NULL,
                  FOTA_CLI_PLATFORM) }
};
