/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Every command, one set per file of commands. */

#include "cli_sets.h"


const fota_cli_set_t  fota_cli_sets[] = {
    { fota_cmd_simulate, FOTA_CMD_SIMULATE }
};

const size_t  fota_cli_nsets = sizeof(fota_cli_sets)
                               / sizeof(fota_cli_sets[0]);
