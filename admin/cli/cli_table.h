/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Tables for terminals: columns are as wide as what they hold, counted in
 * cells, of which CJK characters take two.
 */

#ifndef FOTA_CLI_TABLE_H
#define FOTA_CLI_TABLE_H


#include <stdarg.h>

#include "fota_buf.h"


#define FOTA_CLI_COLUMNS_MAX  16

typedef struct {
    size_t        ncols;
    size_t        nrows;                        /* the head is one */
    size_t        cap;                          /* rows there is room for */
    bool          right[FOTA_CLI_COLUMNS_MAX];  /* numbers */
    fota_str_t   *cells;                        /* owned copies */
} fota_cli_table_t;


/* Cells of a terminal that s takes; what is no UTF-8 takes one a byte. */
size_t fota_cli_width(fota_str_t s);

/*
 * Appends s as it may be shown: devices choose some of the texts, and an
 * escape sequence in one must not reach the operator's terminal.
 */
void fota_cli_clean(fota_buf_t *out, fota_str_t s);

/* The text of JSON, with those characters escaped: the same values. */
void fota_cli_clean_json(fota_buf_t *out, fota_str_t s);

/* "WHO: TEXT" and the end of a line on stderr, cleaned. */
void fota_cli_say(const char *who, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

void fota_cli_table_init(fota_cli_table_t *t, size_t ncols);

/* Copies ncols cells; the first row is the head.  FOTA_NOMEM. */
int fota_cli_table_row(fota_cli_table_t *t, const fota_str_t *cells);

/* Appends the table, two blanks between columns, none at a line's end. */
void fota_cli_table_text(const fota_cli_table_t *t, fota_buf_t *out);

void fota_cli_table_free(fota_cli_table_t *t);


#endif /* FOTA_CLI_TABLE_H */
