/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Device ids out of a stream of CSV (RFC 4180): the first field of a line. */

#ifndef FOTA_ADMIN_CSV_IDS_H
#define FOTA_ADMIN_CSV_IDS_H

#include "fota_str.h"

#define FOTA_CSV_LINE_MAX  4096

typedef struct fota_csv_s  fota_csv_t;

struct fota_csv_s {
    /*
     * One line: code is NULL for a good id, else what is wrong ("bad_id",
     * "quote", "too_long").  A result that is not 0 ends the reading.
     */
    int     (*line)(fota_csv_t *csv, uint64_t n, fota_str_t id,
               const char *code);
    uint64_t  lines;
    size_t    len;
    bool      overflow;
    char      buf[FOTA_CSV_LINE_MAX];
};

void fota_csv_init(fota_csv_t *csv);

/* len 0: the end.  Returns what line() returned, else 0. */
int fota_csv_feed(fota_csv_t *csv, const char *data, size_t len);

#endif /* FOTA_ADMIN_CSV_IDS_H */
