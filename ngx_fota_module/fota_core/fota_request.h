/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Requests of devices: bounded parsing into structs.  Whatever is wrong is
 * named by field and limit, so that a device's maker can mend it from the
 * answer alone.  Unknown members and parameters are ignored.
 */

#ifndef FOTA_REQUEST_H
#define FOTA_REQUEST_H

#include "fota_json.h"
#include "fota_node.h"

typedef struct {
    char  field[160];           /* "attrs.hw", "body" */
    char  reason[160];          /* "is 300 bytes long; the limit is 256" */
} fota_field_error_t;

/* Fills err; the reason is formatted, the field is cut to printable ASCII. */
void fota_field_error(fota_field_error_t *err, const char *field,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

typedef struct {
    fota_str_t    tenant;
    fota_str_t    product;
    fota_str_t    device;
    fota_str_t    version;      /* empty = not known */
    fota_str_t    tz;           /* zone name or offset; may be empty */
    uint8_t       kind;         /* fota_kind_e, FOTA_KIND_OS by default */
    unsigned      no_delta:1;   /* "delta": false */
    uint32_t      navoid;
    fota_str_t    avoid[FOTA_AVOID_MAX];        /* names of nodes */
    size_t        nattrs;
    fota_attr_t  *attrs;        /* distinct names, order of the request */
} fota_check_req_t;

/*
 * tenant, product and device must be given unless they are set in req
 * beforehand (from a token or the configuration); what the request states
 * replaces them, so the caller compares if it must not.  All other members
 * are written.  Slices point into the input, which must outlive req, or
 * into mem.  FOTA_INVALID or FOTA_LIMIT with err filled, FOTA_NOMEM.
 */
int fota_check_req_json(fota_mem_t *mem, fota_str_t body,
    fota_check_req_t *req, fota_field_error_t *err);

/*
 * From a query string without "?": percent-decoded, "+" is a plus sign
 * (RFC 3986; versions and offsets carry it), attr.NAME=value, avoid repeated
 * or as a comma list, delta=0|1|false|true.
 */
int fota_check_req_query(fota_mem_t *mem, fota_str_t args,
    fota_check_req_t *req, fota_field_error_t *err);

typedef enum {
    FOTA_RS_DOWNLOADING = 0,
    FOTA_RS_DOWNLOADED,
    FOTA_RS_INSTALLING,
    FOTA_RS_SUCCEEDED,
    FOTA_RS_FAILED,
    FOTA_RS_REJECTED,           /* by the device or its user */
    FOTA_RS__N
} fota_report_state_e;

const char *fota_report_state_name(uint8_t state);
int fota_report_state_parse(fota_str_t s);      /* -1 = unknown */

#define FOTA_ERROR_CODE_MAX  64         /* bytes */
#define FOTA_ERROR_TEXT_MAX  512

typedef struct {
    fota_str_t    tenant;
    fota_str_t    product;
    fota_str_t    device;
    uint32_t      rollout;      /* > 0 */
    uint16_t      attempt;      /* from 1, which is the default */
    uint32_t      seq;          /* of this attempt's reports, default 0 */
    uint8_t       state;        /* fota_report_state_e */
    uint8_t       progress;     /* percent */
    unsigned      delta:1;      /* the artifact was a delta */
    unsigned      has_artifact:1;
    uint8_t       artifact[32]; /* SHA-256 */
    uint64_t      bytes;        /* received over the network */
    uint64_t      ms;           /* taken by this state */
    fota_str_t    version;      /* running now; may be empty */
    fota_str_t    node;         /* name; may be empty */
    fota_str_t    error_code;
    fota_str_t    error_text;
    size_t        nattrs;
    fota_attr_t  *attrs;
} fota_report_req_t;

/* rollout and state must be given; otherwise as fota_check_req_json(). */
int fota_report_req_json(fota_mem_t *mem, fota_str_t body,
    fota_report_req_t *req, fota_field_error_t *err);

#endif /* FOTA_REQUEST_H */
