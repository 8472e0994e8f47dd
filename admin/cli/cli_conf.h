/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Settings that stand in a file: "name = value" lines, "#" begins a comment.
 * The file is $FOTA_CONF, else fota.conf in $XDG_CONFIG_HOME or ~/.config.
 */

#ifndef FOTA_CLI_CONF_H
#define FOTA_CLI_CONF_H


#include "fota_buf.h"


#define FOTA_CLI_CONF_MAX  16

typedef struct {
    const char  *name;
    const char  *value;
} fota_cli_conf_line_t;

typedef struct {
    char                  *text;        /* what the lines point into */
    fota_cli_conf_line_t   lines[FOTA_CLI_CONF_MAX];
    size_t                 n;
} fota_cli_conf_t;


/*
 * Splits text, which is changed and must outlive conf.  FOTA_INVALID or
 * FOTA_LIMIT with the number of the line in *bad.
 */
int fota_cli_conf_parse(fota_cli_conf_t *conf, char *text, size_t *bad);

/* Reads the user's file; none is no error.  Text on failure in err. */
int fota_cli_conf_load(fota_cli_conf_t *conf, char *err, size_t errlen);

const char *fota_cli_conf_get(const fota_cli_conf_t *conf, const char *name);
void fota_cli_conf_free(fota_cli_conf_t *conf);


#endif /* FOTA_CLI_CONF_H */
