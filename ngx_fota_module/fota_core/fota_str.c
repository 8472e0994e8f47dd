/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "fota_str.h"
#include "fota_status.h"


bool
fota_str_eq_nocase(fota_str_t a, fota_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        if (fota_lower(a.data[i]) != fota_lower(b.data[i])) {
            return false;
        }
    }

    return true;
}


int
fota_str_cmp(fota_str_t a, fota_str_t b)
{
    int     rc;
    size_t  n;

    n = (a.len < b.len) ? a.len : b.len;

    if (n != 0) {
        rc = memcmp(a.data, b.data, n);

        if (rc != 0) {
            return rc;
        }
    }

    return (a.len > b.len) - (a.len < b.len);
}


int
fota_str_u64(fota_str_t s, uint64_t max, uint64_t *out)
{
    size_t    i;
    uint8_t   c;
    uint64_t  v;
    bool      over;

    if (s.len == 0) {
        return FOTA_INVALID;
    }

    v = 0;
    over = false;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c < '0' || c > '9') {
            return FOTA_INVALID;
        }

        c -= '0';

        if (v > max / 10 || (v == max / 10 && c > max % 10)) {
            over = true;
        }

        if (!over) {
            v = v * 10 + c;
        }
    }

    if (over) {
        return FOTA_LIMIT;
    }

    *out = v;

    return FOTA_OK;
}


bool
fota_str_match(fota_str_t pattern, fota_str_t s)
{
    size_t  p, i, star, mark;
    bool    starred;

    p = 0;
    i = 0;
    star = 0;
    mark = 0;
    starred = false;

    /*
     * Only the last star has to be remembered: whatever an earlier one took
     * leaves at least as much of s to the later ones.
     */

    while (i < s.len) {

        if (p < pattern.len && pattern.data[p] == '*') {
            star = ++p;
            mark = i;
            starred = true;
            continue;
        }

        if (p < pattern.len && pattern.data[p] == s.data[i]) {
            p++;
            i++;
            continue;
        }

        if (!starred) {
            return false;
        }

        p = star;
        i = ++mark;
    }

    while (p < pattern.len && pattern.data[p] == '*') {
        p++;
    }

    return p == pattern.len;
}


/*
 * Top bits where eight bytes hold a stop, after S. E. Anderson, "Bit
 * Twiddling Hacks" (bytes less than n, bytes equal to n).  A borrow may
 * show more of them than there are, above the first.
 */

static inline uint64_t
fota_str_stops(const uint8_t *p)
{
    uint64_t  w;

    static const uint64_t  ones = 0x0101010101010101;
    static const uint64_t  tops = 0x8080808080808080;

    memcpy(&w, p, 8);

    return tops & (w | (w - ones * 0x20) | ((w ^ ones * '"') - ones)
                   | ((w ^ ones * '\\') - ones));
}


#if defined(__SSE2__)

/* As signed numbers the bytes that are not ASCII are below a blank too. */

static inline uint32_t
fota_str_stops16(const uint8_t *p)
{
    __m128i  v, low, quote, back;

    v = _mm_loadu_si128((const __m128i *) (const void *) p);

    low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    back = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    v = _mm_or_si128(low, _mm_or_si128(quote, back));

    return (uint32_t) _mm_movemask_epi8(v);
}

#endif


/* What is left of a word is looked at with bytes before it once more. */

const uint8_t *
fota_str_plain(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)

    uint32_t  found;

    if (end - p >= 16) {

        for ( /* void */ ; p != end; p = (end - p >= 32) ? p + 16 : end - 16) {
            found = fota_str_stops16(p);

            if (found != 0) {
                return p + __builtin_ctz(found);
            }

            if (end - p == 16) {
                return end;
            }
        }
    }

#endif

    while (end - p > 8 && fota_str_stops(p) == 0) {
        p = (end - p >= 16) ? p + 8 : end - 8;
    }

    if (end - p == 8 && fota_str_stops(p) == 0) {
        return end;
    }

    while (p != end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* Table 3-7 of Unicode: it leaves out overlong forms and surrogates. */

size_t
fota_str_utf8_seq(const uint8_t *p, size_t left)
{
    size_t   i, n;
    uint8_t  lo, hi;

    lo = 0x80;
    hi = 0xbf;

    if (p[0] < 0x80) {
        return p[0] != 0;

    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;

        if (p[0] == 0xe0) {
            lo = 0xa0;

        } else if (p[0] == 0xed) {
            hi = 0x9f;
        }

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;

        if (p[0] == 0xf0) {
            lo = 0x90;

        } else if (p[0] == 0xf4) {
            hi = 0x8f;
        }

    } else {
        return 0;
    }

    if (left < n || p[1] < lo || p[1] > hi) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


bool
fota_str_utf8(fota_str_t s)
{
    size_t          n;
    const uint8_t  *p, *end;

    if (s.len == 0) {
        return true;
    }

    end = s.data + s.len;

    for (p = fota_str_plain(s.data, end); p != end; p += n) {
        n = fota_str_utf8_seq(p, (size_t) (end - p));

        if (n == 0) {
            return false;
        }
    }

    return true;
}
