/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Products. */

#include "cli_api.h"
#include "cli_sets.h"


#define FOTA_PRODUCT_FIELDS                                                  \
    { "--title", "TEXT", "name for people", "title" },                       \
    { "--poll", "SECONDS", "between two checks (default 3600)",              \
      "poll_s:n" },                                                          \
    { "--retry-min", "SECONDS", "shortest wait after a failure",             \
      "retry_min_s:n" },                                                     \
    { "--retry-max", "SECONDS", "longest wait", "retry_max_s:n" },           \
    { "--retry-count", "N", "tries, then it waits for the next check",       \
      "retry_count:n" },                                                     \
    { "--install-window", "TEXT", "when a device may install, as "           \
      "\"daily 01:00-05:00\"", "install_window" },                           \
    { "--auto-register", "on|off", "take in devices that check first",       \
      "auto_register:b" },                                                   \
    { "--test-group", "NAME|-", "group of test devices", "test_group:0" }

static const fota_cli_option_t  fota_product_fields[] = {
    FOTA_PRODUCT_FIELDS, FOTA_CLI_OPTIONS_END
};


const fota_cli_command_t  fota_cmd_product[FOTA_CMD_PRODUCT] = {
    { "product list", "", "Products by name",
      "  fota product list",
      fota_cli_paging,
      FOTA_CLI_OP("listProducts", "GET", "/api/v1/products", "",
                  "name,title,poll_s,auto_register,test_group,brake,"
                  "created_ms:time", FOTA_CLI_LIST) },

    { "product create", "NAME", "Make a product",
      "  fota product create dashcam-x1 --title \"行车记录仪 X1\" "
      "--poll 3600",
      fota_product_fields,
      FOTA_CLI_OP("createProduct", "POST", "/api/v1/products", "name", NULL,
                  0) },

    { "product show", "NAME", "One product",
      "  fota product show dashcam-x1",
      NULL,
      FOTA_CLI_OP("getProduct", "GET", "/api/v1/products/{product}", NULL,
                  NULL, 0) },

    { "product edit", "NAME", "Change a product",
      "  fota product edit dashcam-x1 --poll 600 --test-group lab",
      fota_product_fields,
      FOTA_CLI_OP("patchProduct", "PATCH", "/api/v1/products/{product}",
                  NULL, NULL, FOTA_CLI_BODY) },

    { "product delete", "NAME", "Remove one without devices and firmware",
      "  fota product delete prototype",
      NULL,
      FOTA_CLI_OP("deleteProduct", "DELETE", "/api/v1/products/{product}",
                  NULL, NULL, 0) }
};
