/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Every command, one set per file of commands. */

#include "cli_sets.h"


const fota_cli_set_t  fota_cli_sets[] = {
    { fota_cmd_status, FOTA_CMD_STATUS },
    { fota_cmd_tenant, FOTA_CMD_TENANT },
    { fota_cmd_product, FOTA_CMD_PRODUCT },
    { fota_cmd_firmware, FOTA_CMD_FIRMWARE },
    { fota_cmd_upload, FOTA_CMD_UPLOAD },
    { fota_cmd_sign, FOTA_CMD_SIGN },
    { fota_cmd_rollout, FOTA_CMD_ROLLOUT },
    { fota_cmd_watch, FOTA_CMD_WATCH },
    { fota_cmd_brake, FOTA_CMD_BRAKE },
    { fota_cmd_explain, FOTA_CMD_EXPLAIN },
    { fota_cmd_device, FOTA_CMD_DEVICE },
    { fota_cmd_simulate, FOTA_CMD_SIMULATE },
    { fota_cmd_import, FOTA_CMD_IMPORT },
    { fota_cmd_group, FOTA_CMD_GROUP },
    { fota_cmd_node, FOTA_CMD_NODE },
    { fota_cmd_access, FOTA_CMD_ACCESS }
};

const size_t  fota_cli_nsets = sizeof(fota_cli_sets)
                               / sizeof(fota_cli_sets[0]);
