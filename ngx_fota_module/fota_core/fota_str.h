/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Slices: a length and a pointer into memory somebody else owns.  Never
 * NUL-terminated unless a function says so.  Layout equals ngx_str_t.
 */

#ifndef FOTA_STR_H
#define FOTA_STR_H


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdbool.h>


typedef struct {
    size_t          len;
    const uint8_t  *data;
} fota_str_t;


#define fota_string(s)  { sizeof(s) - 1, (const uint8_t *) (s) }
#define fota_null_str   { 0, NULL }


/* Limits of the device API and of names in policy, in bytes or entries. */

#define FOTA_ID_MAX          256
#define FOTA_NAME_MAX        128
#define FOTA_VERSION_MAX     128
#define FOTA_ATTRS_MAX       64
#define FOTA_ATTR_NAME_MAX   128
#define FOTA_ATTR_VALUE_MAX  256
#define FOTA_BODY_MAX        65536


/* Slice of a NUL-terminated string; the string must outlive it. */
static inline fota_str_t
fota_cstr(const char *s)
{
    fota_str_t  str;

    str.data = (const uint8_t *) s;
    str.len = (s == NULL) ? 0 : strlen(s);

    return str;
}


static inline fota_str_t
fota_slice(const void *data, size_t len)
{
    fota_str_t  str;

    str.data = data;
    str.len = len;

    return str;
}


static inline bool
fota_str_eq(fota_str_t a, fota_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline uint8_t
fota_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t) (c | 0x20) : c;
}


/* Equality without regard to the case of ASCII letters. */
bool fota_str_eq_nocase(fota_str_t a, fota_str_t b);

/* Order by bytes, shorter first on a common prefix: < 0, 0, > 0. */
int fota_str_cmp(fota_str_t a, fota_str_t b);

/*
 * Decimal without sign or blanks.  FOTA_INVALID on anything else,
 * FOTA_LIMIT above max.
 */
int fota_str_u64(fota_str_t s, uint64_t max, uint64_t *out);

/*
 * "*" stands for any run of bytes, the empty run included.  Linear in
 * len(s) * number of stars, no recursion.
 */
bool fota_str_match(fota_str_t pattern, fota_str_t s);

/* True when every sequence is well-formed UTF-8 (RFC 3629) without NUL. */
bool fota_str_utf8(fota_str_t s);

/*
 * The first byte from p that is a control, a quote, a backslash or not
 * ASCII; end when there is none.
 */
const uint8_t *fota_str_plain(const uint8_t *p, const uint8_t *end);

/*
 * Length 1..4 of the well-formed UTF-8 sequence at p, where left > 0 bytes
 * can be read; 0 when there is none or it is NUL.
 */
size_t fota_str_utf8_seq(const uint8_t *p, size_t left);


#endif /* FOTA_STR_H */
