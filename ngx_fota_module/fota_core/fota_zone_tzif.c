/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * TZif files, version 2 and later (RFC 8536), and the POSIX TZ string of
 * their footer (POSIX.1-2017, 8.3, with the hours of RFC 8536, 3.3.1).
 */


#include <stdlib.h>

#include "fota_zone.h"


#define FOTA_TZIF_HEADER     44
#define FOTA_TZIF_FILE_MAX   65536
#define FOTA_TZIF_TIMES_MAX  2000
#define FOTA_TZIF_TYPES_MAX  256
#define FOTA_TZIF_CHARS_MAX  4096
#define FOTA_TZIF_YEARS_MAX  200
#define FOTA_TZIF_OFFSET     (26 * 3600)

/* Everything beyond is not a time anybody asks for: years -1199..5138. */

#define FOTA_TZIF_TIME_MAX   100000000000

#define FOTA_TZIF_LIST_MAX                                                    \
    (FOTA_TZIF_TIMES_MAX + 2 * (FOTA_TZIF_YEARS_MAX + 4))


typedef struct {
    char      version;
    uint32_t  isutcnt;
    uint32_t  isstdcnt;
    uint32_t  leapcnt;
    uint32_t  timecnt;
    uint32_t  typecnt;
    uint32_t  charcnt;
} fota_tzif_header_t;


typedef enum {
    FOTA_RULE_JULIAN = 0,       /* Jn: 1..365, 29 February never counted */
    FOTA_RULE_DAY,              /* n: 0..365 */
    FOTA_RULE_MONTH             /* Mm.w.d */
} fota_tz_rule_e;


typedef struct {
    fota_tz_rule_e  type;
    int             day;        /* of the year, or of the week: 0 = Sunday */
    int             week;       /* 5 = last */
    int             month;
    int32_t         time;       /* seconds after local midnight */
} fota_tz_rule_t;


typedef struct {
    int32_t         std;        /* seconds east of UTC */
    int32_t         dst;
    fota_tz_rule_t  start;
    fota_tz_rule_t  end;
    unsigned        has_dst:1;
} fota_tz_t;


typedef struct {
    int32_t            initial;
    uint32_t           n;
    fota_transition_t  list[FOTA_TZIF_LIST_MAX];
} fota_tzif_t;


static int fota_tzif_header(fota_rd_t *rd, fota_tzif_header_t *h);
static int fota_tzif_data(fota_rd_t *rd, const fota_tzif_header_t *h,
    fota_tzif_t *f);
static void fota_tzif_expand(fota_tzif_t *f, const fota_tz_t *tz, int first,
    int last);
static void fota_tzif_add(fota_tzif_t *f, uint32_t base, int64_t at,
    int32_t offset);
static int fota_tzif_cut(fota_mem_t *mem, const fota_tzif_t *f, int64_t from,
    int64_t to, fota_zone_t *z);
static int fota_tz_parse(fota_str_t s, fota_tz_t *tz);
static bool fota_tz_name(fota_rd_t *rd);
static bool fota_tz_number(fota_rd_t *rd, int max, int *out);
static bool fota_tz_time(fota_rd_t *rd, int hours, int32_t *out);
static bool fota_tz_rule(fota_rd_t *rd, fota_tz_rule_t *r);
static int64_t fota_tz_rule_at(const fota_tz_rule_t *r, int year);


/* The only integers of the tree that are big-endian on input. */

static uint32_t
fota_tzif_u32(fota_rd_t *rd)
{
    return __builtin_bswap32(fota_rd_u32(rd));
}


static int64_t
fota_tzif_i64(fota_rd_t *rd)
{
    return (int64_t) __builtin_bswap64(fota_rd_u64(rd));
}


int
fota_zone_from_tzif(fota_mem_t *mem, fota_str_t name, fota_str_t file,
    int64_t from, int64_t to, fota_zone_t *z)
{
    int                 rc;
    size_t              skip;
    int64_t             last;
    fota_rd_t           rd;
    fota_tz_t           tz;
    fota_str_t          footer;
    fota_tzif_t        *f;
    fota_civil_t        a, b;
    const uint8_t      *nl;
    fota_tzif_header_t  h;

    memset(z, 0, sizeof(fota_zone_t));

    if (name.len == 0 || from > to || from < -FOTA_TZIF_TIME_MAX
        || to > FOTA_TZIF_TIME_MAX)
    {
        return FOTA_INVALID;
    }

    if (file.len > FOTA_TZIF_FILE_MAX || name.len > FOTA_NAME_MAX
        || (to - from) / (366 * 86400) > FOTA_TZIF_YEARS_MAX - 4)
    {
        return FOTA_LIMIT;
    }

    fota_rd_init(&rd, file);

    rc = fota_tzif_header(&rd, &h);

    if (rc != FOTA_OK) {
        return rc;
    }

    /* Version 1 has no 64-bit times and no footer; nobody makes it now. */

    if (h.version < '2') {
        return FOTA_INVALID;
    }

    skip = (size_t) h.timecnt * 5 + (size_t) h.typecnt * 6 + h.charcnt
           + (size_t) h.leapcnt * 8 + h.isstdcnt + h.isutcnt;

    (void) fota_rd_bytes(&rd, skip);

    rc = fota_tzif_header(&rd, &h);

    if (rc != FOTA_OK) {
        return rc;
    }

    f = malloc(sizeof(fota_tzif_t));

    if (f == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_tzif_data(&rd, &h, f);

    if (rc != FOTA_OK) {
        goto done;
    }

    rc = FOTA_CORRUPT;

    if (fota_rd_u8(&rd) != '\n') {
        goto done;
    }

    nl = memchr(rd.pos, '\n', fota_rd_left(&rd));

    if (nl == NULL) {
        goto done;
    }

    footer = fota_slice(rd.pos, (size_t) (nl - rd.pos));

    if (footer.len != 0) {
        rc = fota_tz_parse(footer, &tz);

        if (rc != FOTA_OK) {
            goto done;
        }

        if (f->n == 0) {
            f->initial = tz.std;
        }

        if (tz.has_dst) {

            /*
             * Two years early: then both changes of a whole year come
             * before "from" and say which of the two was in force.
             */

            last = (f->n == 0) ? from : f->list[f->n - 1].at;

            if (last < from) {
                last = from;
            }

            fota_civil(from, 0, &a);
            fota_civil(to, 0, &b);

            if (f->n != 0 && f->list[f->n - 1].at > from) {
                fota_civil(last, 0, &a);
            }

            fota_tzif_expand(f, &tz, a.year - 2, b.year + 1);
        }
    }

    rc = fota_tzif_cut(mem, f, from, to, z);

    if (rc == FOTA_OK) {
        z->name = fota_strdup(mem, name);

        if (z->name.data == NULL) {
            rc = FOTA_NOMEM;
        }
    }

done:

    free(f);

    return rc;
}


static int
fota_tzif_header(fota_rd_t *rd, fota_tzif_header_t *h)
{
    fota_str_t  magic;

    magic = fota_rd_bytes(rd, 4);
    h->version = (char) fota_rd_u8(rd);
    (void) fota_rd_bytes(rd, 15);

    h->isutcnt = fota_tzif_u32(rd);
    h->isstdcnt = fota_tzif_u32(rd);
    h->leapcnt = fota_tzif_u32(rd);
    h->timecnt = fota_tzif_u32(rd);
    h->typecnt = fota_tzif_u32(rd);
    h->charcnt = fota_tzif_u32(rd);

    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    if (memcmp(magic.data, "TZif", 4) != 0) {
        return FOTA_CORRUPT;
    }

    if (h->timecnt > FOTA_TZIF_TIMES_MAX || h->typecnt > FOTA_TZIF_TYPES_MAX
        || h->charcnt > FOTA_TZIF_CHARS_MAX
        || h->leapcnt > FOTA_TZIF_TIMES_MAX
        || h->isstdcnt > h->typecnt || h->isutcnt > h->typecnt)
    {
        return FOTA_LIMIT;
    }

    return FOTA_OK;
}


static int
fota_tzif_data(fota_rd_t *rd, const fota_tzif_header_t *h, fota_tzif_t *f)
{
    int32_t     offsets[FOTA_TZIF_TYPES_MAX];
    int64_t     prev;
    uint32_t    i, v;
    fota_rd_t   times;
    fota_str_t  types;

    /* With leap seconds the times are not those of Unix ("right/"). */

    if (h->leapcnt != 0 || h->typecnt == 0) {
        return FOTA_INVALID;
    }

    fota_rd_init(&times, fota_rd_bytes(rd, (size_t) h->timecnt * 8));
    types = fota_rd_bytes(rd, h->timecnt);

    for (i = 0; i < h->typecnt; i++) {
        v = fota_tzif_u32(rd);
        (void) fota_rd_bytes(rd, 2);

        if ((int32_t) v < -FOTA_TZIF_OFFSET || (int32_t) v > FOTA_TZIF_OFFSET)
        {
            return FOTA_CORRUPT;
        }

        offsets[i] = (int32_t) v;
    }

    (void) fota_rd_bytes(rd, h->charcnt + h->isstdcnt + h->isutcnt);

    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    f->initial = offsets[0];
    f->n = h->timecnt;
    prev = INT64_MIN;

    for (i = 0; i < h->timecnt; i++) {
        f->list[i].at = fota_tzif_i64(&times);

        if (types.data[i] >= h->typecnt
            || (i != 0 && f->list[i].at <= prev))
        {
            return FOTA_CORRUPT;
        }

        prev = f->list[i].at;
        f->list[i].offset = offsets[types.data[i]];
    }

    return FOTA_OK;
}


/* Appends the changes of the rule after the last one of the file. */

static void
fota_tzif_expand(fota_tzif_t *f, const fota_tz_t *tz, int first, int last)
{
    int       year;
    int64_t   start, end;
    uint32_t  base;

    base = f->n;

    for (year = first;
         year <= last && year - first < FOTA_TZIF_YEARS_MAX;
         year++)
    {
        start = fota_tz_rule_at(&tz->start, year) - tz->std;
        end = fota_tz_rule_at(&tz->end, year) - tz->dst;

        /*
         * The end goes first: in a zone that is always in daylight time it
         * meets the start of the next year, which has to win.
         */

        fota_tzif_add(f, base, end, tz->std);
        fota_tzif_add(f, base, start, tz->dst);
    }
}


/* Keeps what was appended since base in order; equal times: last one wins. */

static void
fota_tzif_add(fota_tzif_t *f, uint32_t base, int64_t at, int32_t offset)
{
    uint32_t  i;

    if ((base != 0 && at <= f->list[base - 1].at)
        || f->n == FOTA_TZIF_LIST_MAX)
    {
        return;
    }

    for (i = f->n; i > base && f->list[i - 1].at > at; i--) {
        f->list[i] = f->list[i - 1];
    }

    f->list[i].at = at;
    f->list[i].offset = offset;
    f->n++;
}


static int
fota_tzif_cut(fota_mem_t *mem, const fota_tzif_t *f, int64_t from, int64_t to,
    fota_zone_t *z)
{
    int32_t            offset;
    uint32_t           i, n;
    fota_transition_t  out[FOTA_ZONE_TRANSITIONS_MAX];

    n = 0;
    offset = f->initial;

    for (i = 0; i < f->n && f->list[i].at <= from; i++) {
        offset = f->list[i].offset;
    }

    z->initial = offset;

    for ( /* void */ ; i < f->n && f->list[i].at <= to; i++) {

        /* Only the abbreviation changes, or another change follows at once. */

        if (f->list[i].offset == offset
            || (i + 1 < f->n && f->list[i + 1].at == f->list[i].at))
        {
            continue;
        }

        if (n == FOTA_ZONE_TRANSITIONS_MAX) {
            return FOTA_LIMIT;
        }

        offset = f->list[i].offset;
        out[n++] = f->list[i];
    }

    z->n = n;

    if (n == 0) {
        return FOTA_OK;
    }

    z->transitions = fota_calloc(mem, n, sizeof(fota_transition_t));

    if (z->transitions == NULL) {
        return FOTA_NOMEM;
    }

    memcpy(z->transitions, out, n * sizeof(fota_transition_t));

    return FOTA_OK;
}


/* std offset [ dst [ offset ] , start [ /time ] , end [ /time ] ] */

static int
fota_tz_parse(fota_str_t s, fota_tz_t *tz)
{
    int32_t    v;
    fota_rd_t  rd;

    memset(tz, 0, sizeof(fota_tz_t));

    fota_rd_init(&rd, s);

    if (!fota_tz_name(&rd) || !fota_tz_time(&rd, 24, &v)) {
        return FOTA_INVALID;
    }

    /* POSIX counts west of Greenwich. */

    tz->std = -v;

    if (fota_rd_left(&rd) == 0) {
        return FOTA_OK;
    }

    tz->has_dst = 1;
    tz->dst = tz->std + 3600;

    if (!fota_tz_name(&rd)) {
        return FOTA_INVALID;
    }

    if (fota_rd_left(&rd) != 0 && *rd.pos != ',') {

        if (!fota_tz_time(&rd, 24, &v)) {
            return FOTA_INVALID;
        }

        tz->dst = -v;
    }

    if (fota_rd_u8(&rd) != ',' || !fota_tz_rule(&rd, &tz->start)
        || fota_rd_u8(&rd) != ',' || !fota_tz_rule(&rd, &tz->end)
        || fota_rd_left(&rd) != 0)
    {
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


/* Three letters or more, or anything alphanumeric with signs in "<>". */

static bool
fota_tz_name(fota_rd_t *rd)
{
    bool     quoted;
    size_t   n;
    uint8_t  c;

    quoted = fota_rd_left(rd) != 0 && *rd->pos == '<';

    if (quoted) {
        rd->pos++;
    }

    for (n = 0; fota_rd_left(rd) != 0; n++) {
        c = *rd->pos;

        if (quoted && c == '>') {
            rd->pos++;
            return n >= 3;
        }

        if (((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
        {
            break;
        }

        rd->pos++;
    }

    return !quoted && n >= 3;
}


static bool
fota_tz_number(fota_rd_t *rd, int max, int *out)
{
    int  n, v;

    v = 0;

    for (n = 0; fota_rd_left(rd) != 0 && *rd->pos >= '0' && *rd->pos <= '9';
         n++)
    {
        v = v * 10 + (*rd->pos++ - '0');

        if (v > max) {
            return false;
        }
    }

    *out = v;

    return n != 0;
}


/* [+-]hh[:mm[:ss]] */

static bool
fota_tz_time(fota_rd_t *rd, int hours, int32_t *out)
{
    int   v, unit;
    bool  negative;

    negative = false;

    if (fota_rd_left(rd) != 0 && (*rd->pos == '-' || *rd->pos == '+')) {
        negative = (*rd->pos++ == '-');
    }

    if (!fota_tz_number(rd, hours, &v)) {
        return false;
    }

    *out = v * 3600;

    for (unit = 60;
         unit != 0 && fota_rd_left(rd) != 0 && *rd->pos == ':';
         unit /= 60)
    {
        rd->pos++;

        if (!fota_tz_number(rd, 59, &v)) {
            return false;
        }

        *out += v * unit;
    }

    if (negative) {
        *out = -*out;
    }

    return true;
}


static bool
fota_tz_rule(fota_rd_t *rd, fota_tz_rule_t *r)
{
    r->time = 2 * 3600;

    if (fota_rd_left(rd) == 0) {
        return false;
    }

    if (*rd->pos == 'M') {
        rd->pos++;
        r->type = FOTA_RULE_MONTH;

        if (!fota_tz_number(rd, 12, &r->month) || r->month == 0
            || fota_rd_u8(rd) != '.'
            || !fota_tz_number(rd, 5, &r->week) || r->week == 0
            || fota_rd_u8(rd) != '.'
            || !fota_tz_number(rd, 6, &r->day))
        {
            return false;
        }

    } else if (*rd->pos == 'J') {
        rd->pos++;
        r->type = FOTA_RULE_JULIAN;

        if (!fota_tz_number(rd, 365, &r->day) || r->day == 0) {
            return false;
        }

    } else {
        r->type = FOTA_RULE_DAY;

        if (!fota_tz_number(rd, 365, &r->day)) {
            return false;
        }
    }

    if (fota_rd_left(rd) != 0 && *rd->pos == '/') {
        rd->pos++;
        return fota_tz_time(rd, 167, &r->time);
    }

    return true;
}


/* Local time of the change in a year, as if it were UTC. */

static int64_t
fota_tz_rule_at(const fota_tz_rule_t *r, int year)
{
    int           shift;
    int64_t       day, next;
    fota_civil_t  c;

    switch (r->type) {

    case FOTA_RULE_JULIAN:

        /* March begins at J60 in every year. */

        if (r->day >= 60) {
            day = fota_civil_utc(year, 3, 1, 0) / 86400 + r->day - 60;

        } else {
            day = fota_civil_utc(year, 1, 1, 0) / 86400 + r->day - 1;
        }

        break;

    case FOTA_RULE_DAY:
        day = fota_civil_utc(year, 1, 1, 0) / 86400 + r->day;
        break;

    default: /* FOTA_RULE_MONTH */
        day = fota_civil_utc(year, r->month, 1, 0) / 86400;
        next = (r->month == 12) ? fota_civil_utc(year + 1, 1, 1, 0)
                                : fota_civil_utc(year, r->month + 1, 1, 0);

        fota_civil(day * 86400, 0, &c);

        /* The rule's week begins on Sunday, ours on Monday. */

        shift = r->day - (c.weekday + 1) % 7;
        day += (shift < 0) ? shift + 7 : shift;
        day += (r->week - 1) * 7;

        while (day * 86400 >= next) {
            day -= 7;
        }

        break;
    }

    return day * 86400 + r->time;
}
