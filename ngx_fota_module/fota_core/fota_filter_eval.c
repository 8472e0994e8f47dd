/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * On the path of every request: no allocation, no checks of the code (see
 * fota_filter_check.c), facts fetched only when a test asks for them.
 */

#include "fota_filter_tree.h"
#include "fota_version.h"


/* Most texts a field has for one device: region has a name and a code. */

#define FOTA_FILTER_TEXTS  2

#define FOTA_FILTER_FOLD   64       /* the longest folded fact */


typedef struct {
    unsigned    n;                  /* 0: absent */
    fota_str_t  text[FOTA_FILTER_TEXTS];
    uint8_t     folded[FOTA_FILTER_TEXTS][FOTA_FILTER_FOLD];
} fota_filter_texts_t;


static void fota_filter_fetch(fota_filter_eval_t *e, unsigned field,
    fota_str_t name, fota_filter_texts_t *t);
static const uint8_t *fota_filter_in_set(const uint8_t *p,
    const fota_filter_texts_t *t, bool *result);
static const uint8_t *fota_filter_like(const uint8_t *p,
    const fota_filter_texts_t *t, bool *result);
static const uint8_t *fota_filter_in_groups(const uint8_t *p,
    const fota_facts_t *f, bool *result);


static inline uint32_t
fota_filter_u32(const uint8_t *p)
{
    return (uint32_t) p[0] | ((uint32_t) p[1] << 8) | ((uint32_t) p[2] << 16)
           | ((uint32_t) p[3] << 24);
}


static inline bool
fota_filter_accepts(uint8_t mask, int order)
{
    return mask & (order < 0 ? FOTA_FILTER_LT
                   : order > 0 ? FOTA_FILTER_GT : FOTA_FILTER_EQ);
}


static inline const fota_location_t *
fota_filter_location(fota_filter_eval_t *e)
{
    if (e->loc == NULL) {
        e->loc = e->facts->locate(e->facts);
    }

    return e->loc;
}


bool
fota_filter_eval(fota_str_t code, fota_facts_t *facts)
{
    bool                 result;
    unsigned             op;
    const uint8_t       *p, *end;
    fota_filter_eval_t   e;

    result = true;

    if (code.len == 0) {
        return result;
    }

    e.facts = facts;
    e.loc = NULL;

    p = code.data + FOTA_FILTER_HEAD;
    end = code.data + code.len;

    while (p < end) {
        op = *p++;

        if (op == FOTA_FOP_JF) {
            p += 2 + (result ? 0 : fota_filter_u16(p));

        } else if (op == FOTA_FOP_JT) {
            p += 2 + (result ? fota_filter_u16(p) : 0);

        } else {
            p = fota_filter_test(&e, p, op & ~FOTA_FILTER_NEGATE, &result);
            result ^= (op & FOTA_FILTER_NEGATE) != 0;
        }
    }

    return result;
}


const uint8_t *
fota_filter_test(fota_filter_eval_t *e, const uint8_t *p, unsigned op,
    bool *result)
{
    double               number, literal;
    size_t               len;
    uint8_t              mask;
    unsigned             i, field;
    uint32_t             asn;
    uint64_t             bits;
    fota_str_t           name;
    fota_filter_texts_t  t;

    field = *p++;
    name = fota_slice(NULL, 0);

    if (field == FOTA_F_ATTR) {
        name = fota_slice(p + 1, p[0]);
        p += 1 + name.len;
    }

    *result = false;

    switch (op) {

    case FOTA_FOP_TRUE:
        *result = true;
        return p;

    case FOTA_FOP_GROUP:
        return fota_filter_in_groups(p, e->facts, result);

    case FOTA_FOP_ASN:
        asn = fota_filter_location(e)->asn;
        literal = fota_filter_u32(p + 1);

        *result = asn != 0
                  && fota_filter_accepts(p[0], (asn > literal)
                                               - (asn < literal));
        return p + 5;

    case FOTA_FOP_VERSION:
        mask = *p;
        len = fota_filter_u16(p + 1);
        p += 3;

        *result = e->facts->version.len > 0
                  && fota_filter_accepts(mask,
                         fota_version_order(e->facts->version,
                                            fota_slice(p, len)));
        return p + len;

    case FOTA_FOP_PRESENT:

        if (field == FOTA_F_GROUP) {
            *result = e->facts->ngroups > 0;
            return p;
        }

        if (field == FOTA_F_ASN) {
            *result = fota_filter_location(e)->asn != 0;
            return p;
        }

        break;

    default:
        break;
    }

    fota_filter_fetch(e, field, name, &t);

    switch (op) {

    case FOTA_FOP_PRESENT:
        *result = t.n > 0;
        return p;

    case FOTA_FOP_EQ:
        len = fota_filter_u16(p);
        p += 2;

        for (i = 0; i < t.n && !*result; i++) {
            *result = fota_str_eq(t.text[i], fota_slice(p, len));
        }

        return p + len;

    case FOTA_FOP_SET:
        return fota_filter_in_set(p, &t, result);

    case FOTA_FOP_LIKE:
        return fota_filter_like(p, &t, result);

    case FOTA_FOP_BYTES:
        mask = *p;
        len = fota_filter_u16(p + 1);
        p += 3;

        *result = t.n > 0
                  && fota_filter_accepts(mask,
                         fota_str_cmp(t.text[0], fota_slice(p, len)));
        return p + len;

    default: /* FOTA_FOP_NUMBER */
        mask = *p;
        bits = fota_filter_u32(p + 1)
               | ((uint64_t) fota_filter_u32(p + 5) << 32);
        memcpy(&literal, &bits, sizeof(literal));

        *result = t.n > 0 && fota_filter_number(t.text[0], &number)
                  && fota_filter_accepts(mask, (number > literal)
                                               - (number < literal));
        return p + 9;
    }
}


static inline void
fota_filter_add(fota_filter_texts_t *t, fota_str_t text)
{
    if (text.len > 0) {
        t->text[t->n++] = text;
    }
}


/* Lower case of ASCII letters only: other scripts match as they are. */

static void
fota_filter_add_folded(fota_filter_texts_t *t, const char *s, size_t size)
{
    size_t    i;
    uint8_t  *out;

    if (*s == '\0') {
        return;
    }

    out = t->folded[t->n];

    for (i = 0; i < size && s[i] != '\0'; i++) {
        out[i] = (uint8_t) ((s[i] >= 'A' && s[i] <= 'Z') ? s[i] | 0x20 : s[i]);
    }

    t->text[t->n++] = fota_slice(out, i);
}


static void
fota_filter_fetch(fota_filter_eval_t *e, unsigned field, fota_str_t name,
    fota_filter_texts_t *t)
{
    fota_str_t              text;
    const fota_facts_t     *f;
    const fota_location_t  *loc;

    f = e->facts;
    t->n = 0;

    switch (field) {

    case FOTA_F_ID:
        fota_filter_add(t, f->id);
        break;

    case FOTA_F_PRODUCT:
        fota_filter_add(t, f->product);
        break;

    case FOTA_F_VERSION:
        fota_filter_add(t, f->version);
        break;

    case FOTA_F_KIND:
        fota_filter_add(t, f->kind);
        break;

    case FOTA_F_COUNTRY:
        loc = fota_filter_location(e);
        fota_filter_add_folded(t, loc->country, sizeof(loc->country));
        break;

    case FOTA_F_REGION:
        loc = fota_filter_location(e);
        fota_filter_add_folded(t, loc->region, sizeof(loc->region));
        fota_filter_add_folded(t, loc->region_code,
                               sizeof(loc->region_code));
        break;

    case FOTA_F_CITY:
        loc = fota_filter_location(e);
        fota_filter_add_folded(t, loc->city, sizeof(loc->city));
        break;

    case FOTA_F_TZ:

        if (f->tz.len > 0) {
            fota_filter_add(t, f->tz);
            break;
        }

        loc = fota_filter_location(e);
        fota_filter_add(t, fota_slice(loc->tz,
                                      strnlen(loc->tz, sizeof(loc->tz))));
        break;

    case FOTA_F_ATTR:
        text = fota_facts_attr(f, name);

        if (text.data != NULL) {
            t->text[t->n++] = text;
        }

        break;

    default:
        break;
    }
}


fota_str_t
fota_facts_attr(const fota_facts_t *f, fota_str_t name)
{
    size_t              i, n;
    unsigned            pass;
    fota_str_t          value;
    const fota_attr_t  *attrs;

    for (pass = 0; pass < 2; pass++) {
        attrs = (pass == 0) ? f->set_attrs : f->attrs;
        n = (pass == 0) ? f->nset_attrs : f->nattrs;

        for (i = 0; i < n; i++) {

            if (!fota_str_eq(attrs[i].name, name)) {
                continue;
            }

            value = attrs[i].value;

            /* Present and empty differs from absent. */

            if (value.data == NULL) {
                value = fota_slice("", 0);
            }

            return value;
        }
    }

    return fota_slice(NULL, 0);
}


static const uint8_t *
fota_filter_in_set(const uint8_t *p, const fota_filter_texts_t *t,
    bool *result)
{
    int             rc;
    size_t          n, len, lo, hi, mid, buckets;
    unsigned        i;

    buckets = fota_filter_u16(p);
    p += 2;

    while (buckets-- > 0) {
        len = fota_filter_u16(p);
        n = fota_filter_u16(p + 2);
        p += 4;

        for (i = 0; i < t->n && !*result; i++) {

            if (t->text[i].len != len) {
                continue;
            }

            lo = 0;
            hi = n;

            while (lo < hi) {
                mid = (lo + hi) / 2;
                rc = memcmp(t->text[i].data, p + mid * len, len);

                if (rc == 0) {
                    *result = true;
                    break;
                }

                if (rc < 0) {
                    hi = mid;

                } else {
                    lo = mid + 1;
                }
            }
        }

        p += n * len;
    }

    return p;
}


/* cuts: little-endian u16, unaligned. */

static bool
fota_filter_like_one(const uint8_t *pattern, size_t len, const uint8_t *cuts,
    size_t ncuts, fota_str_t s)
{
    size_t          i, from, to, tail;
    const uint8_t  *pos, *end;

    if (s.len < len) {
        return false;
    }

    /* What is before the first star and after the last is anchored. */

    from = fota_filter_u16(cuts);
    to = fota_filter_u16(cuts + 2 * (ncuts - 1));
    tail = len - to;

    if (memcmp(s.data, pattern, from) != 0
        || memcmp(s.data + s.len - tail, pattern + to, tail) != 0)
    {
        return false;
    }

    pos = s.data + from;
    end = s.data + s.len - tail;

    /* For the pieces between, the leftmost place leaves the most room. */

    for (i = 1; i < ncuts; i++) {
        to = fota_filter_u16(cuts + 2 * i);

        pos = memmem(pos, (size_t) (end - pos), pattern + from, to - from);
        if (pos == NULL) {
            return false;
        }

        pos += to - from;
        from = to;
    }

    return true;
}


static const uint8_t *
fota_filter_like(const uint8_t *p, const fota_filter_texts_t *t, bool *result)
{
    size_t    len, ncuts;
    unsigned  i;

    ncuts = p[0];
    len = fota_filter_u16(p + 1);
    p += 3;

    for (i = 0; i < t->n && !*result; i++) {
        *result = fota_filter_like_one(p, len, p + len, ncuts, t->text[i]);
    }

    return p + len + 2 * ncuts;
}


/* A device is in few groups, a filter may name many. */

static const uint8_t *
fota_filter_in_groups(const uint8_t *p, const fota_facts_t *f, bool *result)
{
    size_t    i, n, lo, hi, mid;
    uint32_t  id;

    n = fota_filter_u16(p);
    p += 2;

    lo = 0;

    for (i = 0; i < f->ngroups && lo < n && !*result; i++) {
        hi = n;

        while (lo < hi) {
            mid = (lo + hi) / 2;
            id = fota_filter_u32(p + 4 * mid);

            if (id == f->groups[i]) {
                *result = true;
                break;
            }

            if (id < f->groups[i]) {
                lo = mid + 1;

            } else {
                hi = mid;
            }
        }
    }

    return p + 4 * n;
}


/*
 * Exact on every machine: at most 15 digits are an integer below 2^53, and
 * dividing it by a power of ten below 10^22 rounds once (Clinger 1990).
 */

bool
fota_filter_number(fota_str_t s, double *out)
{
    double          scale;
    uint8_t         c;
    int64_t         v;
    unsigned        digits, whole;
    const uint8_t  *p, *end;

    if (s.len == 0 || s.len > FOTA_FILTER_DIGITS_MAX + 2) {
        return false;
    }

    p = s.data;
    end = p + s.len;

    p += (*p == '-');

    v = 0;
    digits = 0;
    whole = 0;
    scale = 1;

    for ( /* void */ ; p < end; p++) {
        c = *p;

        if (c == '.') {

            /* One point, with a digit on both sides. */

            if (digits == 0 || whole > 0 || p + 1 == end) {
                return false;
            }

            whole = digits;
            continue;
        }

        if (c < '0' || c > '9' || ++digits > FOTA_FILTER_DIGITS_MAX) {
            return false;
        }

        v = v * 10 + (c - '0');

        if (whole > 0) {
            scale *= 10;
        }
    }

    if (digits == 0) {
        return false;
    }

    *out = (double) (s.data[0] == '-' ? -v : v) / scale;

    return true;
}
