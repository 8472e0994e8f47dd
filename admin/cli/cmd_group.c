/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Groups of devices; "group import" is in cmd_import.c. */

#include "cli_api.h"
#include "cli_sets.h"


static const fota_cli_option_t  fota_group_create[] = {
    { "--filter", "RSQL", "makes it dynamic: who matches is in it",
      "filter" },
    FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_group_edit[] = {
    { "--name", "NAME", "new name", "name" },
    { "--filter", "RSQL", "of a dynamic group", "filter" },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_group[FOTA_CMD_GROUP] = {
    { "group list", "", "Groups by name",
      "  fota group list",
      fota_cli_paging,
      FOTA_CLI_OP("listGroups", "GET", "/api/v1/groups", "",
                  "name,type,members,filter,created_ms:time",
                  FOTA_CLI_LIST) },

    { "group create", "NAME", "Make a static or dynamic group",
      "  fota group create lab\n"
      "  fota group create tokyo --filter \"city==Tokyo\"",
      fota_group_create,
      FOTA_CLI_OP("createGroup", "POST", "/api/v1/groups", "name", NULL,
                  0) },

    { "group preview", "RSQL", "How many devices match a filter, and some",
      "  fota group preview \"version=lt=1.2.0 and country==JP\"",
      NULL,
      FOTA_CLI_OP("previewFilter", "POST", "/api/v1/groups/preview",
                  "filter", NULL, 0) },

    { "group show", "NAME", "One group",
      "  fota group show tokyo",
      NULL,
      FOTA_CLI_OP("getGroup", "GET", "/api/v1/groups/{group}", NULL, NULL,
                  0) },

    { "group edit", "NAME", "Rename, or change the filter",
      "  fota group edit tokyo --filter \"city=in=(Tokyo,Yokohama)\"",
      fota_group_edit,
      FOTA_CLI_OP("patchGroup", "PATCH", "/api/v1/groups/{group}", NULL,
                  NULL, FOTA_CLI_BODY) },

    { "group delete", "NAME", "Remove a group",
      "  fota group delete lab",
      NULL,
      FOTA_CLI_OP("deleteGroup", "DELETE", "/api/v1/groups/{group}", NULL,
                  NULL, 0) },

    { "group members", "NAME", "Members by id",
      "  fota group members tokyo --limit 10",
      fota_cli_paging,
      FOTA_CLI_OP("listMembers", "GET", "/api/v1/groups/{group}/members",
                  NULL, "id,product,version", FOTA_CLI_LIST) },

    { "group add", "NAME ID...", "Add members to a static group",
      "  fota group add lab X1-0001 X1-0002",
      NULL,
      FOTA_CLI_OP("changeMembers", "POST", "/api/v1/groups/{group}/members",
                  "/group add:l...", NULL, 0) },

    { "group remove", "NAME ID...", "Remove members from a static group",
      "  fota group remove lab X1-0002",
      NULL,
      FOTA_CLI_OP("changeMembers", "POST", "/api/v1/groups/{group}/members",
                  "/group remove:l...", NULL, 0) },

    { "group export", "NAME", "Ids of the members as CSV",
      "  fota group export lab --output lab.csv",
      fota_cli_output,
      FOTA_CLI_OP("exportMembers", "GET", "/api/v1/groups/{group}/export",
                  NULL, NULL, FOTA_CLI_RAW) }
};
