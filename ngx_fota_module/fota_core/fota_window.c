/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_window.h"


#define FOTA_WINDOW_DAY    86400
#define FOTA_WINDOW_AHEAD  (15 * FOTA_WINDOW_DAY)
#define FOTA_WINDOW_DAILY  0x7f

/* Times are cut to this, so that sums stay within an int64_t. */

#define FOTA_WINDOW_TIME_MAX  ((int64_t) 1 << 54)


typedef struct {
    size_t          pos;
    const uint8_t  *data;
    size_t          len;
} fota_window_text_t;


static int fota_window_day(fota_window_text_t *t);
static int fota_window_days(fota_window_text_t *t, uint8_t *days);
static int fota_window_minute(fota_window_text_t *t, unsigned max);
static int64_t fota_window_left(const fota_window_t *w,
    const fota_civil_t *c);
static int64_t fota_window_wait(const fota_window_t *w,
    const fota_civil_t *c);


static const char  fota_window_names[7][4] = {
    "mon", "tue", "wed", "thu", "fri", "sat", "sun"
};


int
fota_window_parse(fota_str_t s, fota_window_t *w, size_t *pos)
{
    int                 from, to;
    uint8_t             days;
    fota_window_text_t  t;

    t.pos = 0;
    t.data = s.data;
    t.len = s.len;

    if (s.len >= 5
        && fota_str_eq_nocase(fota_slice(s.data, 5), fota_cstr("daily")))
    {
        days = FOTA_WINDOW_DAILY;
        t.pos = 5;

    } else if (fota_window_days(&t, &days) != FOTA_OK) {
        goto invalid;
    }

    if (t.pos == t.len || t.data[t.pos] != ' ') {
        goto invalid;
    }

    while (t.pos < t.len && t.data[t.pos] == ' ') {
        t.pos++;
    }

    from = fota_window_minute(&t, 1439);

    if (from < 0) {
        goto invalid;
    }

    if (t.pos == t.len || t.data[t.pos] != '-') {
        goto invalid;
    }

    t.pos++;

    to = fota_window_minute(&t, 1440);

    if (to < 0 || t.pos != t.len) {
        goto invalid;
    }

    w->days = days;
    w->from = (uint16_t) from;
    w->to = (uint16_t) to;

    return FOTA_OK;

invalid:

    *pos = t.pos;

    return FOTA_INVALID;
}


static int
fota_window_days(fota_window_text_t *t, uint8_t *days)
{
    int  first, last;

    *days = 0;

    for ( ;; ) {
        first = fota_window_day(t);

        if (first < 0) {
            return FOTA_INVALID;
        }

        last = first;

        if (t->pos < t->len && t->data[t->pos] == '-') {
            t->pos++;
            last = fota_window_day(t);

            if (last < 0) {
                return FOTA_INVALID;
            }
        }

        *days |= (uint8_t) (1 << last);

        while (first != last) {
            *days |= (uint8_t) (1 << first);
            first = (first + 1) % 7;
        }

        if (t->pos == t->len || t->data[t->pos] != ',') {
            return FOTA_OK;
        }

        t->pos++;
    }
}


static int
fota_window_day(fota_window_text_t *t)
{
    int         i;
    fota_str_t  word;

    if (t->len - t->pos < 3) {
        return -1;
    }

    word = fota_slice(t->data + t->pos, 3);

    for (i = 0; i < 7; i++) {
        if (fota_str_eq_nocase(word, fota_slice(fota_window_names[i], 3))) {
            t->pos += 3;
            return i;
        }
    }

    return -1;
}


/* "HH:MM"; on an error pos stays at its first byte. */

static int
fota_window_minute(fota_window_text_t *t, unsigned max)
{
    size_t          i;
    unsigned        minute;
    const uint8_t  *p;

    if (t->len - t->pos < 5) {
        return -1;
    }

    p = t->data + t->pos;

    for (i = 0; i < 5; i++) {
        if ((i == 2) ? p[i] != ':' : (p[i] < '0' || p[i] > '9')) {
            return -1;
        }
    }

    minute = (unsigned) (p[3] - '0') * 10 + (unsigned) (p[4] - '0');

    if (minute > 59) {
        return -1;
    }

    minute += ((unsigned) (p[0] - '0') * 10 + (unsigned) (p[1] - '0')) * 60;

    if (minute > max) {
        return -1;
    }

    t->pos += 5;

    return (int) minute;
}


/*
 * Membership is a matter of civil time alone: that makes both passes of a
 * repeated hour count and moves a skipped bound to the transition.  Between
 * two transitions civil time runs evenly, so the walk below goes in steps
 * bounded by them.
 */

bool
fota_window_open(const fota_window_t *w, size_t n, const fota_clock_t *c,
    int64_t t, int64_t *until, int64_t *next)
{
    bool          open;
    size_t        i;
    int32_t       offset;
    int64_t       start, step, d, change;
    fota_civil_t  civil;

    *until = INT64_MAX;
    *next = INT64_MAX;

    if (n == 0) {
        return true;
    }

    if (t > FOTA_WINDOW_TIME_MAX) {
        t = FOTA_WINDOW_TIME_MAX;

    } else if (t < -FOTA_WINDOW_TIME_MAX) {
        t = -FOTA_WINDOW_TIME_MAX;
    }

    start = t;
    open = false;

    for ( ;; ) {
        change = INT64_MAX;
        offset = c->offset;

        if (c->zone != NULL) {
            offset = fota_zone_offset(c->zone, t);
            change = fota_zone_next(c->zone, t);
        }

        fota_civil(t, offset, &civil);

        step = 0;

        for (i = 0; i < n; i++) {
            d = fota_window_left(&w[i], &civil);

            if (d > step) {
                step = d;
            }
        }

        if (t == start) {
            open = (step != 0);

        } else if (open != (step != 0)) {

            if (open) {
                *until = t;

            } else {
                *next = t;
            }

            return open;
        }

        if (!open) {
            step = FOTA_WINDOW_AHEAD;

            for (i = 0; i < n; i++) {
                d = fota_window_wait(&w[i], &civil);

                if (d < step) {
                    step = d;
                }
            }
        }

        t = (change < t + step) ? change : t + step;

        if (t - start >= FOTA_WINDOW_AHEAD) {
            return open;
        }
    }
}


/* Civil seconds until this window closes, 0 when it is not open. */

static int64_t
fota_window_left(const fota_window_t *w, const fota_civil_t *c)
{
    int32_t  from, to;

    from = w->from * 60;
    to = w->to * 60;

    if (w->to > w->from) {
        return ((w->days & (1 << c->weekday)) && c->second >= from
                && c->second < to) ? to - c->second : 0;
    }

    if ((w->days & (1 << c->weekday)) && c->second >= from) {
        return FOTA_WINDOW_DAY + to - c->second;
    }

    /* Opened yesterday. */

    return ((w->days & (1 << (c->weekday + 6) % 7)) && c->second < to)
           ? to - c->second : 0;
}


/* Civil seconds until it opens next, for a window that is not open. */

static int64_t
fota_window_wait(const fota_window_t *w, const fota_civil_t *c)
{
    int      i;
    int64_t  d;

    for (i = 0; i <= 7; i++) {

        if (!(w->days & (1 << (c->weekday + i) % 7))) {
            continue;
        }

        d = (int64_t) i * FOTA_WINDOW_DAY + w->from * 60 - c->second;

        if (d > 0) {
            return d;
        }
    }

    return FOTA_WINDOW_AHEAD;
}
