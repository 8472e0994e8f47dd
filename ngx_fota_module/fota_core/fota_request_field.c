/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stdio.h>

#include "fota_request_field.h"
#include "fota_version.h"


static void fota_field_reason(fota_field_error_t *err, const char *fmt,
    va_list args);


static void
fota_field_reason(fota_field_error_t *err, const char *fmt, va_list args)
{
    (void) vsnprintf(err->reason, sizeof(err->reason), fmt, args);
}


void
fota_field_error(fota_field_error_t *err, const char *field,
    const char *fmt, ...)
{
    va_list  args;

    (void) snprintf(err->field, sizeof(err->field), "%s", field);

    va_start(args, fmt);
    fota_field_reason(err, fmt, args);
    va_end(args);
}


void
fota_field_error_named(fota_field_error_t *err, const char *prefix,
    fota_str_t name, const char *fmt, ...)
{
    size_t   i, n;
    va_list  args;

    (void) snprintf(err->field, sizeof(err->field), "%s", prefix);

    /* Errors go to logs too: nothing but printable ASCII. */

    n = strlen(err->field);

    for (i = 0; i < name.len && n < sizeof(err->field) - 1; i++, n++) {
        err->field[n] = (name.data[i] > 0x20 && name.data[i] < 0x7f)
                        ? (char) name.data[i] : '?';
    }

    err->field[n] = '\0';

    va_start(args, fmt);
    fota_field_reason(err, fmt, args);
    va_end(args);
}


static bool
fota_str_control(fota_str_t v)
{
    size_t  i;

    if (v.len == 0) {
        return false;
    }

    /* The first bytes need no look: DEL is the only control among them. */

    i = (size_t) (fota_str_plain(v.data, v.data + v.len) - v.data);

    if (memchr(v.data, 0x7f, i) != NULL) {
        return true;
    }

    for ( /* void */ ; i < v.len; i++) {
        if (v.data[i] < 0x20 || v.data[i] == 0x7f) {
            return true;
        }
    }

    return false;
}


int
fota_field_name(const char *field, fota_str_t v, size_t max,
    fota_field_error_t *err)
{
    if (v.len == 0) {
        fota_field_error(err, field, "is empty");
        return FOTA_INVALID;
    }

    if (v.len > max) {
        fota_field_error(err, field, "is %zu bytes long; the limit is %zu",
                         v.len, max);
        return FOTA_LIMIT;
    }

    if (!fota_str_utf8(v)) {
        fota_field_error(err, field, "is not valid UTF-8");
        return FOTA_INVALID;
    }

    if (fota_str_control(v)) {
        fota_field_error(err, field, "holds control characters");
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


int
fota_field_version(fota_str_t v, fota_field_error_t *err)
{
    int  rc;

    if (v.len == 0) {
        /* A device that does not know gets full packages. */
        return FOTA_OK;
    }

    rc = fota_field_name("version", v, FOTA_VERSION_MAX, err);

    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_version_check(v) != FOTA_OK) {
        fota_field_error(err, "version", "is not a version: letters or digits"
                         " without blanks and quotes");
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


int
fota_field_tz(fota_str_t v, fota_field_error_t *err)
{
    return (v.len == 0) ? FOTA_OK : fota_field_name("tz", v, FOTA_TZ_MAX, err);
}


int
fota_field_kind(fota_str_t v, uint8_t *kind, fota_field_error_t *err)
{
    int  k;

    k = fota_kind_parse(v);

    if (k < 0) {
        fota_field_error(err, "kind", "must be \"os\", \"app\" or \"data\"");
        return FOTA_INVALID;
    }

    *kind = (uint8_t) k;

    return FOTA_OK;
}


int
fota_field_attr(size_t n, fota_str_t name, fota_str_t value,
    fota_field_error_t *err)
{
    if (n >= FOTA_ATTRS_MAX) {
        fota_field_error(err, "attrs", "has more than %d entries",
                         FOTA_ATTRS_MAX);
        return FOTA_LIMIT;
    }

    if (name.len == 0) {
        fota_field_error(err, "attrs", "has an entry with an empty name");
        return FOTA_INVALID;
    }

    if (name.len > FOTA_ATTR_NAME_MAX) {
        fota_field_error_named(err, "attrs.", name, "its name is %zu bytes "
                               "long; the limit is %d", name.len,
                               FOTA_ATTR_NAME_MAX);
        return FOTA_LIMIT;
    }

    if (!fota_str_utf8(name) || fota_str_control(name)) {
        fota_field_error_named(err, "attrs.", name, "its name is not valid "
                               "UTF-8 without control characters");
        return FOTA_INVALID;
    }

    if (value.len > FOTA_ATTR_VALUE_MAX) {
        fota_field_error_named(err, "attrs.", name, "is %zu bytes long; the "
                               "limit is %d", value.len, FOTA_ATTR_VALUE_MAX);
        return FOTA_LIMIT;
    }

    if (!fota_str_utf8(value)) {
        fota_field_error_named(err, "attrs.", name, "is not valid UTF-8");
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


int
fota_field_required(fota_str_t tenant, fota_str_t product, fota_str_t device,
    fota_field_error_t *err)
{
    const char  *field;

    field = (tenant.len == 0) ? "tenant"
            : (product.len == 0) ? "product"
            : (device.len == 0) ? "device" : NULL;

    if (field == NULL) {
        return FOTA_OK;
    }

    fota_field_error(err, field, "is required");

    return FOTA_INVALID;
}


void
fota_check_req_clear(fota_check_req_t *req)
{
    fota_str_t  none = fota_null_str;

    req->version = none;
    req->tz = none;
    req->kind = FOTA_KIND_OS;
    req->no_delta = 0;
    req->navoid = 0;
    req->nattrs = 0;
    req->attrs = NULL;
}


int
fota_check_req_avoid(fota_check_req_t *req, fota_str_t node,
    fota_field_error_t *err)
{
    int  rc;

    if (req->navoid >= FOTA_AVOID_MAX) {
        fota_field_error(err, "avoid", "has more than %d entries",
                         FOTA_AVOID_MAX);
        return FOTA_LIMIT;
    }

    rc = fota_field_name("avoid", node, FOTA_NAME_MAX, err);

    if (rc == FOTA_OK) {
        req->avoid[req->navoid++] = node;
    }

    return rc;
}
