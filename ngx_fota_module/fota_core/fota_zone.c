/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_record.h"


#define FOTA_ZONE_VERSION     1
#define FOTA_ZONE_OFFSET_MAX  (26 * 3600)       /* RFC 8536, 3.2 */

#define FOTA_DAY              86400

/* Years still fit an int and sums an int64_t. */

#define FOTA_CIVIL_MAX        ((int64_t) 1 << 55)


static int fota_zone_check(const fota_zone_t *z);


/* How many transitions are at or before t. */

static uint32_t
fota_zone_count(const fota_zone_t *z, int64_t t)
{
    uint32_t  lo, hi, mid;

    lo = 0;
    hi = z->n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (z->transitions[mid].at <= t) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


int32_t
fota_zone_offset(const fota_zone_t *z, int64_t t)
{
    uint32_t  n;

    n = fota_zone_count(z, t);

    return (n == 0) ? z->initial : z->transitions[n - 1].offset;
}


int64_t
fota_zone_next(const fota_zone_t *z, int64_t t)
{
    uint32_t  n;

    n = fota_zone_count(z, t);

    return (n < z->n) ? z->transitions[n].at : INT64_MAX;
}


void
fota_civil(int64_t t, int32_t offset, fota_civil_t *out)
{
    int       wd;
    int64_t   days, era;
    uint32_t  doe, yoe, doy, mp;

    if (t > FOTA_CIVIL_MAX) {
        t = FOTA_CIVIL_MAX;

    } else if (t < -FOTA_CIVIL_MAX) {
        t = -FOTA_CIVIL_MAX;
    }

    t += offset;

    days = t / FOTA_DAY;

    if (t % FOTA_DAY < 0) {
        days--;
    }

    out->second = (int32_t) (t - days * FOTA_DAY);

    /* 1970-01-01 was a Thursday. */

    wd = (int) ((days + 3) % 7);
    out->weekday = (wd < 0) ? wd + 7 : wd;

    /* Hinnant, civil_from_days: eras of 400 years from 0000-03-01. */

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = (uint32_t) (days - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;

    out->day = (int) (doy - (153 * mp + 2) / 5 + 1);
    out->month = (int) (mp < 10 ? mp + 3 : mp - 9);
    out->year = (int) ((int64_t) yoe + era * 400 + (out->month <= 2));
}


int64_t
fota_civil_utc(int year, int month, int day, int32_t second)
{
    int64_t  y, era, yoe, doy, doe;

    /* Hinnant, days_from_civil. */

    y = (int64_t) year - (month <= 2);
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return (era * 146097 + doe - 719468) * FOTA_DAY + second;
}


int
fota_zone_parse_offset(fota_str_t s, int32_t *offset)
{
    size_t    i, n, colon;
    int32_t   v, hours, minutes;
    uint32_t  digits[4];

    if (s.len == 1 && (s.data[0] | 0x20) == 'z') {
        *offset = 0;
        return FOTA_OK;
    }

    if (s.len < 2 || (s.data[0] != '+' && s.data[0] != '-')) {
        return FOTA_INVALID;
    }

    n = 0;
    colon = 0;

    for (i = 1; i < s.len; i++) {

        if (s.data[i] == ':' && colon == 0 && (n == 1 || n == 2)) {
            colon = n;
            continue;
        }

        if (s.data[i] < '0' || s.data[i] > '9' || n == 4) {
            return FOTA_INVALID;
        }

        digits[n++] = (uint32_t) s.data[i] - '0';
    }

    /* H, HH, HHMM, H:MM, HH:MM */

    if (colon != 0) {
        if (n != colon + 2) {
            return FOTA_INVALID;
        }

    } else if (n == 3) {
        return FOTA_INVALID;
    }

    v = 0;

    for (i = 0; i < n; i++) {
        v = v * 10 + (int32_t) digits[i];
    }

    hours = (n > 2) ? v / 100 : v;
    minutes = (n > 2) ? v % 100 : 0;

    if (minutes > 59 || hours * 60 + minutes > 14 * 60) {
        return FOTA_INVALID;
    }

    v = (hours * 60 + minutes) * 60;
    *offset = (s.data[0] == '-') ? -v : v;

    return FOTA_OK;
}


static int
fota_zone_check(const fota_zone_t *z)
{
    uint32_t  i;

    if (z->name.len == 0 || !fota_str_utf8(z->name)) {
        return FOTA_INVALID;
    }

    if (z->name.len > FOTA_NAME_MAX || z->n > FOTA_ZONE_TRANSITIONS_MAX) {
        return FOTA_LIMIT;
    }

    if (z->initial < -FOTA_ZONE_OFFSET_MAX
        || z->initial > FOTA_ZONE_OFFSET_MAX)
    {
        return FOTA_LIMIT;
    }

    for (i = 0; i < z->n; i++) {

        if (z->transitions[i].offset < -FOTA_ZONE_OFFSET_MAX
            || z->transitions[i].offset > FOTA_ZONE_OFFSET_MAX)
        {
            return FOTA_LIMIT;
        }

        /* Binary search relies on it. */

        if (i != 0 && z->transitions[i].at <= z->transitions[i - 1].at) {
            return FOTA_INVALID;
        }
    }

    return FOTA_OK;
}


/*
 * Payload: lstr name | u32 initial | u16 n | n * (u64 at | u32 offset), the
 * signed ones in two's complement.
 */

int
fota_zone_encode(const fota_zone_t *z, fota_buf_t *out)
{
    int       rc;
    uint32_t  i;

    rc = fota_zone_check(z);

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_u8(out, FOTA_T_ZONE);
    fota_buf_u8(out, FOTA_ZONE_VERSION);
    fota_buf_lstr(out, z->name);
    fota_buf_u32(out, (uint32_t) z->initial);
    fota_buf_u16(out, (uint16_t) z->n);

    for (i = 0; i < z->n; i++) {
        fota_buf_u64(out, (uint64_t) z->transitions[i].at);
        fota_buf_u32(out, (uint32_t) z->transitions[i].offset);
    }

    return out->status;
}


int
fota_zone_decode(fota_mem_t *mem, fota_str_t in, fota_zone_t *z)
{
    uint8_t    table, version;
    uint32_t   i;
    fota_rd_t  rd;

    memset(z, 0, sizeof(fota_zone_t));

    fota_rd_init(&rd, in);

    table = fota_rd_u8(&rd);
    version = fota_rd_u8(&rd);

    if (rd.status != FOTA_OK) {
        return rd.status;
    }

    if (table != FOTA_T_ZONE || version == 0) {
        return FOTA_CORRUPT;
    }

    if (version > FOTA_ZONE_VERSION) {
        return FOTA_TOO_NEW;
    }

    z->name = fota_rd_lstr(&rd, FOTA_NAME_MAX);
    z->initial = (int32_t) fota_rd_u32(&rd);
    z->n = fota_rd_count(&rd, FOTA_ZONE_TRANSITIONS_MAX);

    if (rd.status != FOTA_OK) {
        return rd.status;
    }

    if (fota_rd_left(&rd) < (size_t) z->n * 12) {
        return FOTA_TRUNCATED;
    }

    if (z->n != 0) {
        z->transitions = fota_calloc(mem, z->n, sizeof(fota_transition_t));

        if (z->transitions == NULL) {
            return FOTA_NOMEM;
        }
    }

    for (i = 0; i < z->n; i++) {
        z->transitions[i].at = (int64_t) fota_rd_u64(&rd);
        z->transitions[i].offset = (int32_t) fota_rd_u32(&rd);
    }

    if (fota_rd_left(&rd) != 0 || fota_zone_check(z) != FOTA_OK) {
        return FOTA_CORRUPT;
    }

    return FOTA_OK;
}
