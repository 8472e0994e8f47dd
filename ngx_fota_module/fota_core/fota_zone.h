/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Time zones as transition tables made at the centre from tzdata; the edge
 * needs no tzdata.  Civil arithmetic after H. Hinnant, "chrono-compatible
 * low-level date algorithms".
 */

#ifndef FOTA_ZONE_H
#define FOTA_ZONE_H

#include "fota_buf.h"

#define FOTA_ZONE_TRANSITIONS_MAX  256

typedef struct {
    int64_t  at;                /* Unix seconds, UTC */
    int32_t  offset;            /* seconds east of UTC from then on */
} fota_transition_t;

typedef struct {
    fota_str_t          name;   /* "Europe/Berlin" */
    int32_t             initial;        /* offset before the first */
    uint32_t            n;
    fota_transition_t  *transitions;    /* ascending */
} fota_zone_t;

/* Offset in force at t, seconds east of UTC. */
int32_t fota_zone_offset(const fota_zone_t *z, int64_t t);

/* First transition after t, INT64_MAX when there is none. */
int64_t fota_zone_next(const fota_zone_t *z, int64_t t);

typedef struct {
    int      year, month, day;  /* month and day from 1 */
    int      weekday;           /* 0 = Monday */
    int32_t  second;            /* of the day, 0..86399 */
} fota_civil_t;

/* Civil time of t + offset. */
void fota_civil(int64_t t, int32_t offset, fota_civil_t *out);

/* Unix seconds of a civil time read as UTC. */
int64_t fota_civil_utc(int year, int month, int day, int32_t second);

/*
 * "+09:00", "-0330", "+9", "+5:45", "Z": seconds east of UTC, at most 14
 * hours.  FOTA_INVALID otherwise.
 */
int fota_zone_parse_offset(fota_str_t s, int32_t *offset);

/* The record of table ZONE; slices point into the input, arrays in mem. */
int fota_zone_encode(const fota_zone_t *z, fota_buf_t *out);
int fota_zone_decode(fota_mem_t *mem, fota_str_t in, fota_zone_t *z);

/*
 * Reads a TZif file (RFC 8536), for the centre: transitions from..to with the
 * footer's rule spelled out.  name is copied to mem.
 */
int fota_zone_from_tzif(fota_mem_t *mem, fota_str_t name, fota_str_t file,
    int64_t from, int64_t to, fota_zone_t *z);

#endif /* FOTA_ZONE_H */
