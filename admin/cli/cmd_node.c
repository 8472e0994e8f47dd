/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Edge nodes, their groups, and prefixes that override locations. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_NODE_FIELDS                                                     \
    { "--group", "N", "node group, whose keys it holds (default 1)",         \
      "group:n" },                                                           \
    { "--site", "NAME", "failure domain", "site" },                          \
    { "--state", "STATE", "up, drain or down", "state" },                    \
    { "--families", "LIST", "v4, v6", "families:c" },                        \
    { "--scope", "WORD", "serves any, continent, country, asn, prefix",      \
      "scope" },                                                             \
    { "--weight", "N", "share among equals (default 100)", "weight:n" },     \
    { "--cap", "MBPS", "what it can send", "cap_mbps:n" },                   \
    { "--lat", "DEGREES", "where it is", "lat:d" },                          \
    { "--lon", "DEGREES", "where it is", "lon:d" },                          \
    { "--country", "CODE", "where it is", "country" },                       \
    { "--continent", "CODE", "where it is", "continent" },                   \
    { "--city", "NAME", "where it is", "city" },                             \
    { "--asns", "LIST", "networks it is inside of", "asns:i" },              \
    { "--tenants", "LIST", "serves these only", "tenants:c" },               \
    { "--excluded", "LIST", "never serves these countries", "excluded:c" }

static const fota_cli_option_t  fota_node_create[] = {
    { "--url", "URL", "what devices see, https://host[:port]", "url" },
    FOTA_NODE_FIELDS, FOTA_CLI_OPTIONS_END
};

static const fota_cli_option_t  fota_prefix_set[] = {
    { "--country", "CODE", "location", "location.country" },
    { "--continent", "CODE", "location", "location.continent" },
    { "--region-code", "CODE", "location", "location.region_code" },
    { "--region", "NAME", "location", "location.region" },
    { "--city", "NAME", "location", "location.city" },
    { "--tz", "ZONE", "location", "location.tz" },
    { "--asn", "N", "location", "location.asn:n" },
    { "--lat", "DEGREES", "location", "location.lat:d" },
    { "--lon", "DEGREES", "location", "location.lon:d" },
    { "--node-group", "N", "send its devices to this node group",
      "node_group:n" },
    FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_node[FOTA_CMD_NODE] = {
    { "node list", "", "Nodes with place and status",
      "  fota node list",
      fota_cli_paging,
      FOTA_CLI_OP("listNodes", "GET", "/api/v1/nodes", "",
                  "name,state,url,city,country,status.connected,"
                  "status.behind,status.load_pct=LOAD,"
                  "status.egress_bps=BPS,status.artifacts=FILES,"
                  "status.disk_free:bytes,status.seen_ms:time,status.error",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "node create", "NAME", "Register an edge; NAME is the CN of its "
      "certificate",
      "  fota node create tokyo-1 --url https://tyo1.example.net "
      "--country JP --continent AS --city Tokyo --lat 35.69 --lon 139.69",
      fota_node_create,
      FOTA_CLI_OP("createNode", "POST", "/api/v1/nodes", "name", NULL,
                  FOTA_CLI_PLATFORM) },

    { "node show", "NAME", "One node",
      "  fota node show tokyo-1",
      NULL,
      FOTA_CLI_OP("getNode", "GET", "/api/v1/nodes/{node}", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "node edit", "NAME", "Drain, weight, place, grants",
      "  fota node edit tokyo-1 --state drain",
      fota_node_create,
      FOTA_CLI_OP("patchNode", "PATCH", "/api/v1/nodes/{node}", NULL, NULL,
                  FOTA_CLI_PLATFORM | FOTA_CLI_BODY) },

    { "node delete", "NAME", "Forget a node",
      "  fota node delete tokyo-1",
      NULL,
      FOTA_CLI_OP("deleteNode", "DELETE", "/api/v1/nodes/{node}", NULL, NULL,
                  FOTA_CLI_PLATFORM) },

    { "node-group list", "", "Node groups",
      "  fota node-group list",
      NULL,
      FOTA_CLI_OP("listNodeGroups", "GET", "/api/v1/node-groups", "",
                  "id,name", FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "node-group create", "N NAME", "Make one with keys of its own",
      "  fota node-group create 2 partners",
      NULL,
      FOTA_CLI_OP("createNodeGroup", "POST", "/api/v1/node-groups",
                  "id:n name", NULL, FOTA_CLI_PLATFORM) },

    { "prefix list", "", "Prefixes over the location database",
      "  fota prefix list",
      fota_cli_paging,
      FOTA_CLI_OP("listGeoPrefixes", "GET", "/api/v1/geo-prefixes", "",
                  "prefix,location.country=COUNTRY,location.city=CITY,"
                  "location.tz=TZ,node_group",
                  FOTA_CLI_LIST | FOTA_CLI_PLATFORM) },

    { "prefix set", "PREFIX", "Say where a prefix is, or who serves it",
      "  fota prefix set 10.8.0.0/16 --country JP --city Osaka\n"
      "  fota prefix set 2001:db8::/32 --node-group 2",
      fota_prefix_set,
      FOTA_CLI_OP("putGeoPrefix", "PUT", "/api/v1/geo-prefixes", "prefix",
                  NULL, FOTA_CLI_PLATFORM) },

    { "prefix delete", "PREFIX", "Remove a prefix",
      "  fota prefix delete 10.8.0.0/16",
      NULL,
      FOTA_CLI_OP("deleteGeoPrefix", "DELETE",
                  "/api/v1/geo-prefixes/{prefix}", NULL, NULL,
                  FOTA_CLI_PLATFORM) }
};
