/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Tenants, the keys and gateway tokens of a tenant. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_TENANT_FIELDS                                                   \
    { "--title", "TEXT", "name for people", "title" },                       \
    { "--auth", "LIST", "open, gateway, device, mtls, split by commas",      \
      "auth:c" },                                                            \
    { "--token-bind", "LIST", "download tokens: ip, cert, single, once",     \
      "token_bind:c" },                                                      \
    { "--ip4-prefix", "BITS", "of the address a token is bound to",          \
      "ip4_prefix:n" },                                                      \
    { "--ip6-prefix", "BITS", "likewise", "ip6_prefix:n" },                  \
    { "--approve-above", "N", "rollouts to more devices need a second "      \
      "person; 0: never", "approve_above:n" },                               \
    { "--issuer", "DN", "RFC 2253 name of a device CA; may be repeated",     \
      "issuers:l" },                                                         \
    { "--default-nodes", "JSON", "nodes by country, without a location",     \
      "default_nodes:j" }

static const fota_cli_option_t  fota_tenant_create[] = {
    FOTA_TENANT_FIELDS,
    { "--sign", "WHERE", "centre (default) or offline: who holds the key "
      "that signs firmware", "signer" },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_tenant_edit[] = {
    FOTA_TENANT_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_tenant_signer[] = {
    { "--public-key", "BASE64", "with offline: 32 bytes, see key public",
      "public_key" },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_tenant[FOTA_CMD_TENANT] = {
    { "tenant list", "", "Tenants by name",
      "  fota tenant list --all",
      fota_cli_paging,
      FOTA_CLI_OP("listTenants", "GET", "/api/v1/tenants", "",
                  "name,title,auth,brake,signer.at_centre=SIGNS,"
                  "approve_above,created_ms:time",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "tenant create", "NAME", "Make a tenant",
      "  fota tenant create acme --auth gateway,device\n"
      "  fota tenant create 東京電機 --auth mtls --issuer "
      "\"CN=Device CA,O=Acme\" --sign offline",
      fota_tenant_create,
      FOTA_CLI_OP("createTenant", "POST", "/api/v1/tenants", "name", NULL,
                  FOTA_CLI_PLATFORM) },

    { "tenant show", "NAME", "One tenant, with the key that signs",
      "  fota tenant show acme --json | jq -r .signer.public_key",
      NULL,
      FOTA_CLI_OP("getTenant", "GET", "/api/v1/tenants/{tenant}", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "tenant edit", "NAME", "Change a tenant",
      "  fota tenant edit acme --approve-above 10000",
      fota_tenant_edit,
      FOTA_CLI_OP("patchTenant", "PATCH", "/api/v1/tenants/{tenant}", NULL,
                  NULL, FOTA_CLI_PLATFORM | FOTA_CLI_BODY) },

    { "tenant signer", "NAME centre|offline",
      "Make or set the key that signs firmware",
      "  fota tenant signer acme centre\n"
      "  fota tenant signer acme offline --public-key $(fota key public "
      "acme.key)",
      fota_tenant_signer,
      FOTA_CLI_OP("setSigner", "PUT", "/api/v1/tenants/{tenant}/signer",
                  "/tenant mode", NULL, FOTA_CLI_PLATFORM) },

    { "gateway list", "TENANT", "Gateway tokens, without their text",
      "  fota gateway list acme",
      NULL,
      FOTA_CLI_OP("listGateways", "GET", "/api/v1/tenants/{tenant}/gateways",
                  NULL, "id,name,created_ms:time",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "gateway create", "TENANT NAME", "Make a gateway token, shown once",
      "  fota gateway create acme factory --json | jq -r .token",
      NULL,
      FOTA_CLI_OP("createGateway", "POST",
                  "/api/v1/tenants/{tenant}/gateways", "/tenant name", NULL,
                  FOTA_CLI_PLATFORM) },

    { "gateway delete", "TENANT ID", "Remove a gateway token",
      "  fota gateway delete acme 3",
      NULL,
      FOTA_CLI_OP("deleteGateway", "DELETE",
                  "/api/v1/tenants/{tenant}/gateways/{gateway}", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "device-key list", "TENANT", "Keys that device tokens derive from",
      "  fota device-key list acme",
      NULL,
      FOTA_CLI_OP("listDeviceKeys", "GET",
                  "/api/v1/tenants/{tenant}/device-keys", NULL,
                  "kid,state,created_ms:time",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "device-key rotate", "TENANT",
      "Make the first key, or a new one beside the last",
      "  fota device-key rotate acme",
      NULL,
      FOTA_CLI_OP("rotateDeviceKey", "POST",
                  "/api/v1/tenants/{tenant}/device-keys", NULL, NULL,
                  FOTA_CLI_PLATFORM) }
};
