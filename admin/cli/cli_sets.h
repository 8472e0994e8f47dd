/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef FOTA_CLI_SETS_H
#define FOTA_CLI_SETS_H


#include "cli.h"


#define FOTA_CMD_STATUS    3
#define FOTA_CMD_TENANT    10
#define FOTA_CMD_PRODUCT   5
#define FOTA_CMD_FIRMWARE  13
#define FOTA_CMD_UPLOAD    4
#define FOTA_CMD_SIGN      4
#define FOTA_CMD_ROLLOUT   12
#define FOTA_CMD_WATCH     3
#define FOTA_CMD_BRAKE     5
#define FOTA_CMD_EXPLAIN   2
#define FOTA_CMD_DEVICE    10
#define FOTA_CMD_SIMULATE  1
#define FOTA_CMD_IMPORT    2
#define FOTA_CMD_GROUP     10
#define FOTA_CMD_NODE      10
#define FOTA_CMD_ACCESS    14

extern const fota_cli_command_t  fota_cmd_status[FOTA_CMD_STATUS];
extern const fota_cli_command_t  fota_cmd_tenant[FOTA_CMD_TENANT];
extern const fota_cli_command_t  fota_cmd_product[FOTA_CMD_PRODUCT];
extern const fota_cli_command_t  fota_cmd_firmware[FOTA_CMD_FIRMWARE];
extern const fota_cli_command_t  fota_cmd_upload[FOTA_CMD_UPLOAD];
extern const fota_cli_command_t  fota_cmd_sign[FOTA_CMD_SIGN];
extern const fota_cli_command_t  fota_cmd_rollout[FOTA_CMD_ROLLOUT];
extern const fota_cli_command_t  fota_cmd_watch[FOTA_CMD_WATCH];
extern const fota_cli_command_t  fota_cmd_brake[FOTA_CMD_BRAKE];
extern const fota_cli_command_t  fota_cmd_explain[FOTA_CMD_EXPLAIN];
extern const fota_cli_command_t  fota_cmd_device[FOTA_CMD_DEVICE];
extern const fota_cli_command_t  fota_cmd_simulate[FOTA_CMD_SIMULATE];
extern const fota_cli_command_t  fota_cmd_import[FOTA_CMD_IMPORT];
extern const fota_cli_command_t  fota_cmd_group[FOTA_CMD_GROUP];
extern const fota_cli_command_t  fota_cmd_node[FOTA_CMD_NODE];
extern const fota_cli_command_t  fota_cmd_access[FOTA_CMD_ACCESS];


#endif /* FOTA_CLI_SETS_H */
