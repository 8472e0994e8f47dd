/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Image files and signing keys on the operator's machine. */

#ifndef FOTA_CLI_FILE_H
#define FOTA_CLI_FILE_H


#include "fota_manifest.h"
#include "cli.h"


typedef struct {
    const char  *path;
    int          fd;            /* open until _close */
    uint64_t     size;          /* bytes */
    uint8_t      sha256[32];
} fota_cli_file_t;


/* Opens and hashes a file, with progress; 0, or 1 with a message. */
int fota_cli_file_open(fota_cli_t *cli, fota_cli_file_t *f, const char *path);
void fota_cli_file_close(fota_cli_file_t *f);

/*
 * The manifest of a file by --version, --product, --kind, --from, --format
 * and the tenant; slices point into cli.  0, or 2 with a message.
 */
int fota_cli_file_manifest(fota_cli_t *cli, const fota_cli_file_t *f,
    fota_manifest_t *m);

/* What it reads. */
#define FOTA_CLI_FILE_OPTIONS                                                \
    { "--product", "NAME", "product (FOTA_PRODUCT)", NULL },                 \
    { "--version", "V", "the firmware it brings", NULL },                    \
    { "--from", "V", "it is a delta from this one", NULL },                  \
    { "--kind", "KIND", "os (default), app or data", NULL },                 \
    { "--format", "WORD", "raw, xdelta3 (default of *.xdelta), swu...",      \
      NULL }

/* The secret key in a file of 64 hex digits; 0, or 1 with a message. */
int fota_cli_file_secret(const char *path, uint8_t sec[32]);

/* Last part of a path. */
const char *fota_cli_file_name(const char *path);


#endif /* FOTA_CLI_FILE_H */
