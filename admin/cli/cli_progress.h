/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Progress of long work: a bar on a terminal, some lines in a log. */

#ifndef FOTA_CLI_PROGRESS_H
#define FOTA_CLI_PROGRESS_H


#include "fota_buf.h"


typedef struct {
    const char  *label;
    uint64_t     total;
    uint64_t     done;
    uint64_t     base;          /* done at the start: not of our speed */
    int64_t      started_ms;
    int64_t      shown_ms;
    unsigned     tenth;         /* last one written without a terminal */
    bool         tty;
    bool         off;
} fota_cli_progress_t;


/* "1.5 MiB"; out holds 16 bytes. */
void fota_cli_bytes(char *out, size_t len, uint64_t n);

/* One line without its end: label, bar, percent, bytes, speed, time left. */
void fota_cli_progress_line(const fota_cli_progress_t *p, int64_t now_ms,
    fota_buf_t *out);

void fota_cli_progress_start(fota_cli_progress_t *p, const char *label,
    uint64_t total, bool off);
void fota_cli_progress_to(fota_cli_progress_t *p, uint64_t done);
void fota_cli_progress_end(fota_cli_progress_t *p);


#endif /* FOTA_CLI_PROGRESS_H */
