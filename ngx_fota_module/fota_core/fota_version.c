/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_version.h"


/* Leading bytes in a key, in the order of what they lead. */

#define FOTA_KEY_PRE        0x01
#define FOTA_KEY_END        0x02
#define FOTA_KEY_ALPHA      0x03
#define FOTA_KEY_DIGITS     0x10    /* and the number of digits */
#define FOTA_KEY_PRE_ALPHA  0xa0


typedef enum {
    FOTA_RUN_PRE = 0,           /* letters after '-' or '~' */
    FOTA_RUN_END,
    FOTA_RUN_ALPHA,
    FOTA_RUN_DIGITS
} fota_run_e;

typedef struct {
    fota_run_e      type;
    fota_str_t      run;        /* digits: without leading zeros */
    const uint8_t  *pos;
    const uint8_t  *end;
} fota_runs_t;


static inline bool
fota_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}


static inline bool
fota_is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}


static void
fota_runs_next(fota_runs_t *r)
{
    uint8_t         sep;
    const uint8_t  *p;

    sep = 0;

    for (p = r->pos; p != r->end; p++) {
        if (fota_is_digit(*p) || fota_is_alpha(*p)) {
            break;
        }

        sep = *p;
    }

    r->run = fota_slice(p, 0);

    if (p == r->end) {
        r->type = FOTA_RUN_END;

    } else if (fota_is_digit(*p)) {
        r->type = FOTA_RUN_DIGITS;

        while (p != r->end && *p == '0') {
            p++;
        }

        r->run.data = p;

        while (p != r->end && fota_is_digit(*p)) {
            p++;
        }

    } else {
        r->type = (sep == '-' || sep == '~') ? FOTA_RUN_PRE : FOTA_RUN_ALPHA;

        while (p != r->end && fota_is_alpha(*p)) {
            p++;
        }
    }

    r->run.len = (size_t) (p - r->run.data);
    r->pos = p;
}


static void
fota_runs_init(fota_runs_t *r, fota_str_t v)
{
    const uint8_t  *plus;

    if (v.len == 0) {
        v.data = (const uint8_t *) "";
    }

    plus = memchr(v.data, '+', v.len);

    r->pos = v.data;
    r->end = (plus == NULL) ? v.data + v.len : plus;

    if (r->end - r->pos >= 2 && (r->pos[0] | 0x20) == 'v'
        && fota_is_digit(r->pos[1]))
    {
        r->pos++;
    }

    fota_runs_next(r);
}


/* No leading zeros, so the longer number is the greater. */

static int
fota_digits_cmp(fota_str_t a, fota_str_t b)
{
    if (a.len != b.len) {
        return (a.len > b.len) ? 1 : -1;
    }

    return fota_str_cmp(a, b);
}


static int
fota_letters_cmp(fota_str_t a, fota_str_t b)
{
    int      ca, cb;
    size_t   i, n;

    n = (a.len < b.len) ? a.len : b.len;

    for (i = 0; i < n; i++) {
        ca = fota_lower(a.data[i]);
        cb = fota_lower(b.data[i]);

        if (ca != cb) {
            return ca - cb;
        }
    }

    return (a.len > b.len) - (a.len < b.len);
}


/* The rest after a common pre-release tag, as semver 11.4. */

static int
fota_pre_order(fota_runs_t *a, fota_runs_t *b)
{
    int  rc, ra, rb;

    for ( ;; ) {
        ra = (a->type == FOTA_RUN_END) ? 0
             : (a->type == FOTA_RUN_DIGITS) ? 1 : 2;
        rb = (b->type == FOTA_RUN_END) ? 0
             : (b->type == FOTA_RUN_DIGITS) ? 1 : 2;

        if (ra != rb || ra == 0) {
            return ra - rb;
        }

        rc = (ra == 1) ? fota_digits_cmp(a->run, b->run)
                       : fota_letters_cmp(a->run, b->run);

        if (rc != 0) {
            return rc;
        }

        fota_runs_next(a);
        fota_runs_next(b);
    }
}


int
fota_version_order(fota_str_t va, fota_str_t vb)
{
    int          rc;
    fota_runs_t  a, b;

    fota_runs_init(&a, va);
    fota_runs_init(&b, vb);

    for ( ;; ) {

        /* The run of anything but a number is not looked at: it is zero. */

        if (a.type == FOTA_RUN_DIGITS || b.type == FOTA_RUN_DIGITS) {
            rc = fota_digits_cmp(
                     fota_slice(a.run.data,
                                a.type == FOTA_RUN_DIGITS ? a.run.len : 0),
                     fota_slice(b.run.data,
                                b.type == FOTA_RUN_DIGITS ? b.run.len : 0));

            if (rc != 0) {
                return rc;
            }

            if (a.type == FOTA_RUN_DIGITS) {
                fota_runs_next(&a);
            }

            if (b.type == FOTA_RUN_DIGITS) {
                fota_runs_next(&b);
            }

            continue;
        }

        if (a.type != b.type) {
            return (int) a.type - (int) b.type;
        }

        if (a.type == FOTA_RUN_END) {
            return 0;
        }

        rc = fota_letters_cmp(a.run, b.run);

        if (rc != 0) {
            return rc;
        }

        /* Both or none: the types are equal. */

        if (a.type == FOTA_RUN_PRE) {
            fota_runs_next(&a);
            fota_runs_next(&b);

            return fota_pre_order(&a, &b);
        }

        fota_runs_next(&a);
        fota_runs_next(&b);
    }
}


int
fota_version_cmp(fota_str_t a, fota_str_t b)
{
    int  rc;

    rc = fota_version_order(a, b);

    return (rc != 0) ? rc : fota_str_cmp(a, b);
}


/*
 * Letters and what ends them, without case.  The zero byte is below every
 * letter, so that a prefix comes first.
 */

static uint8_t *
fota_key_letters(uint8_t *p, fota_str_t run)
{
    size_t  i;

    for (i = 0; i < run.len; i++) {
        *p++ = fota_lower(run.data[i]);
    }

    *p++ = 0;

    return p;
}


/* The number of digits first: it decides, and zero is just no digits. */

static uint8_t *
fota_key_digits(uint8_t *p, fota_str_t run)
{
    *p++ = (uint8_t) (FOTA_KEY_DIGITS + run.len);

    if (run.len != 0) {
        memcpy(p, run.data, run.len);
    }

    return p + run.len;
}


size_t
fota_version_key(uint8_t *out, fota_str_t v)
{
    bool          pre;
    size_t        zeros;
    uint8_t      *p;
    fota_runs_t   r;

    /* A letter beside a digit takes most: five bytes for the two. */

    if (v.len > FOTA_VERSION_MAX) {
        v.len = FOTA_VERSION_MAX;
    }

    p = out;
    pre = false;
    zeros = 0;

    for (fota_runs_init(&r, v); r.type != FOTA_RUN_END; fota_runs_next(&r)) {

        if (r.type == FOTA_RUN_DIGITS) {

            /* Zeros at the end of a group are as good as missing. */

            if (!pre && r.run.len == 0) {
                zeros++;
                continue;
            }

            for ( /* void */ ; zeros != 0; zeros--) {
                *p++ = FOTA_KEY_DIGITS;
            }

            p = fota_key_digits(p, r.run);
            continue;
        }

        zeros = 0;

        if (pre) {
            *p++ = FOTA_KEY_PRE_ALPHA;

        } else if (r.type == FOTA_RUN_PRE) {
            *p++ = FOTA_KEY_PRE;
            pre = true;

        } else {
            *p++ = FOTA_KEY_ALPHA;
        }

        p = fota_key_letters(p, r.run);
    }

    *p++ = FOTA_KEY_END;

    return (size_t) (p - out);
}


/* Blanks and controls that are not ASCII; p is well-formed of n bytes. */

static bool
fota_version_blank(const uint8_t *p, size_t n)
{
    uint32_t  c;

    if (n == 2) {
        c = (uint32_t) (p[0] & 0x1f) << 6 | (p[1] & 0x3f);

        return c <= 0xa0;
    }

    if (n == 3) {
        c = (uint32_t) (p[0] & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6
            | (p[2] & 0x3f);

        /* Spaces, marks of direction, separators, joiners, BOM. */

        return c == 0x1680 || (c >= 0x2000 && c <= 0x200f)
               || (c >= 0x2028 && c <= 0x202f)
               || (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff;
    }

    return false;
}


int
fota_version_check(fota_str_t v)
{
    bool            word;
    size_t          i, n;
    const uint8_t  *p;

    if (v.len == 0) {
        return FOTA_INVALID;
    }

    if (v.len > FOTA_VERSION_MAX) {
        return FOTA_LIMIT;
    }

    word = false;

    for (i = 0; i < v.len; i += n) {
        p = v.data + i;
        n = fota_str_utf8_seq(p, v.len - i);

        if (n == 0 || fota_version_blank(p, n)) {
            return FOTA_INVALID;
        }

        if (*p <= ' ' || *p == 0x7f || *p == '"' || *p == '\'' || *p == '`') {
            return FOTA_INVALID;
        }

        if (fota_is_digit(*p) || fota_is_alpha(*p)) {
            word = true;
        }
    }

    return word ? FOTA_OK : FOTA_INVALID;
}
