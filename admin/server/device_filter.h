/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Target filters over the rows of devices. */

#ifndef FOTA_ADMIN_DEVICE_FILTER_H
#define FOTA_ADMIN_DEVICE_FILTER_H

#include "device_map.h"
#include "http.h"

/*
 * A statement in the making: text and arguments in the arena of the request.
 */
typedef struct {
    fota_buf_t      sql;
    fota_db_arg_t  *args;
    size_t          n;
    size_t          cap;
} fota_statement_t;

/* room: arguments that are added by hand. */
int fota_statement_init(fota_req_t *req, fota_statement_t *st, size_t room);
void fota_statement_free(fota_statement_t *st);
void fota_statement_u64(fota_statement_t *st, uint64_t v);
void fota_statement_str(fota_statement_t *st, fota_str_t s);
int fota_statement_query(fota_req_t *req, fota_statement_t *st,
    fota_rows_t **rows);
/* The same, streamed. */
int fota_statement_stream(fota_req_t *req, fota_statement_t *st,
    fota_rows_t **rows);

/*
 * Appends " AND (...)" for the filter; nothing for an empty one.  A wrong
 * filter gets a 400 problem that names field and column, and FOTA_INVALID.
 */
int fota_statement_filter(fota_req_t *req, fota_statement_t *st,
    const char *field, fota_str_t filter);

/* Only the check, with the same answer. */
int fota_filter_valid(fota_req_t *req, const char *field, fota_str_t filter);

/*
 * How many devices of the tenant match; product "" = all.  Results as
 * _filter.
 */
int fota_device_count(fota_req_t *req, const char *field, fota_str_t filter,
    fota_str_t product, uint64_t *count);

#endif /* FOTA_ADMIN_DEVICE_FILTER_H */
