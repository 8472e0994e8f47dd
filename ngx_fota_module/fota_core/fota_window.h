/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Weekly windows "days HH:MM-HH:MM"; they may cross midnight, and then the
 * named days are those on which they open.  A window is closed-open in
 * civil time; in a repeated hour both passes count, a skipped bound takes
 * effect at the transition.
 */

#ifndef FOTA_WINDOW_H
#define FOTA_WINDOW_H

#include "fota_zone.h"

#define FOTA_WINDOWS_MAX  32

typedef struct {
    uint8_t   days;             /* bit 0 = Monday ... bit 6 = Sunday */
    uint16_t  from;             /* minute of the day, 0..1439 */
    uint16_t  to;               /* 0..1440; to <= from crosses midnight */
} fota_window_t;

/*
 * Text form: "mon-fri,sun 22:00-05:00", "daily 01:30-04:00"; days in any
 * case, ranges may wrap ("sat-mon").  pos = byte of the error.
 */
int fota_window_parse(fota_str_t s, fota_window_t *w, size_t *pos);

/*
 * Where local time comes from: zone when not NULL, else the fixed offset.
 */
typedef struct {
    const fota_zone_t  *zone;
    int32_t             offset;
} fota_clock_t;

/*
 * Is t inside any of n windows?  *until = first second outside again when
 * inside, else *next = first second inside one (INT64_MAX: none within
 * 15 days).  n == 0 is always open, until INT64_MAX.
 */
bool fota_window_open(const fota_window_t *w, size_t n, const fota_clock_t *c,
    int64_t t, int64_t *until, int64_t *next);

#endif /* FOTA_WINDOW_H */
