/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* JSON for people. */

#ifndef FOTA_CLI_SHOW_H
#define FOTA_CLI_SHOW_H


#include <jansson.h>

#include "fota_buf.h"


/*
 * Columns are names of members, split by commas: "name", "size:bytes",
 * "counters.failed", "id=NO".  Formats: bytes, time (ms), times (s), flag,
 * sha (first digits).  Numbers stand at the right.
 */

/* A table of the objects in items; the head even when there is none. */
int fota_cli_show_table(json_t *items, const char *columns, fota_buf_t *out);

/* One object: a line per member, then a table per list of objects. */
int fota_cli_show_object(json_t *object, fota_buf_t *out);

/* One value as a cell's text. */
void fota_cli_show_value(json_t *value, const char *format, fota_buf_t *out);

/* Writes to stdout what one of the above made; 0 or 1. */
int fota_cli_show_flush(fota_buf_t *out);

/* JSON to stdout; 0 or 1. */
int fota_cli_show_json(json_t *value);

/* Likewise, on one line. */
int fota_cli_show_line(json_t *value);


#endif /* FOTA_CLI_SHOW_H */
