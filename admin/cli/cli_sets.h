/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef FOTA_CLI_SETS_H
#define FOTA_CLI_SETS_H


#include "cli.h"


#define FOTA_CMD_SIMULATE  1

extern const fota_cli_command_t  fota_cmd_simulate[FOTA_CMD_SIMULATE];


#endif /* FOTA_CLI_SETS_H */
