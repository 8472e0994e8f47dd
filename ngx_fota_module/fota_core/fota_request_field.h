/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Checked fields shared by the forms a request comes in (JSON, query
 * string); inside of fota_request*.c.
 */

#ifndef FOTA_REQUEST_FIELD_H
#define FOTA_REQUEST_FIELD_H

#include "fota_request.h"

#define FOTA_TZ_MAX  48                 /* bytes of a zone or offset */

/* A field whose name ends in what the request said ("attrs.hw"). */
void fota_field_error_named(fota_field_error_t *err, const char *prefix,
    fota_str_t name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* 1..max bytes of UTF-8 without control characters. */
int fota_field_name(const char *field, fota_str_t v, size_t max,
    fota_field_error_t *err);
int fota_field_version(fota_str_t v, fota_field_error_t *err);
int fota_field_tz(fota_str_t v, fota_field_error_t *err);
int fota_field_kind(fota_str_t v, uint8_t *kind, fota_field_error_t *err);

/* Name and value of an attribute, and whether one more is allowed. */
int fota_field_attr(size_t n, fota_str_t name, fota_str_t value,
    fota_field_error_t *err);

/* tenant, product and device have to be there in the end. */
int fota_field_required(fota_str_t tenant, fota_str_t product,
    fota_str_t device, fota_field_error_t *err);

/* Forgets everything but what may be set beforehand. */
void fota_check_req_clear(fota_check_req_t *req);
int fota_check_req_avoid(fota_check_req_t *req, fota_str_t node,
    fota_field_error_t *err);

#endif /* FOTA_REQUEST_FIELD_H */
