/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_encode.h"


static const char  fota_base64url_set[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char  fota_base64_set[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const char  fota_hex_set[] = "0123456789abcdef";


static size_t
fota_encode_quads(char *out, const uint8_t *p, size_t n, const char *set)
{
    char      *start;
    uint32_t   v;

    start = out;

    for ( /* void */ ; n >= 3; n -= 3, p += 3) {
        v = ((uint32_t) p[0] << 16) | ((uint32_t) p[1] << 8) | p[2];

        *out++ = set[v >> 18];
        *out++ = set[(v >> 12) & 63];
        *out++ = set[(v >> 6) & 63];
        *out++ = set[v & 63];
    }

    if (n == 2) {
        v = ((uint32_t) p[0] << 8) | p[1];

        *out++ = set[v >> 10];
        *out++ = set[(v >> 4) & 63];
        *out++ = set[(v << 2) & 63];

    } else if (n == 1) {
        *out++ = set[p[0] >> 2];
        *out++ = set[(p[0] << 4) & 63];
    }

    return (size_t) (out - start);
}


size_t
fota_base64url_encode(char *out, const void *data, size_t n)
{
    return fota_encode_quads(out, data, n, fota_base64url_set);
}


size_t
fota_base64_encode(char *out, const void *data, size_t n)
{
    size_t  len;

    len = fota_encode_quads(out, data, n, fota_base64_set);

    while (len % 4 != 0) {
        out[len++] = '=';
    }

    return len;
}


/*
 * Values of digits, with a bit for each alphabet that has the digit; 0 is no
 * digit at all.
 */

#define FOTA_SEXTET_STD  0x40
#define FOTA_SEXTET_URL  0x80

static const uint8_t  fota_sextets[256] = {
    ['+'] = FOTA_SEXTET_STD | 62,
    ['-'] = FOTA_SEXTET_URL | 62,
    ['/'] = FOTA_SEXTET_STD | 63,
    ['_'] = FOTA_SEXTET_URL | 63,
    ['0'] = 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc,
        0xfd,
    ['A'] = 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8,
        0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1,
        0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9,
    ['a'] = 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2,
        0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb,
        0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf2, 0xf3
};


/* in is without padding here. */

static int
fota_decode_quads(uint8_t *out, size_t cap, fota_str_t in, size_t *n,
    uint8_t alphabet)
{
    size_t    i, len, pos;
    uint8_t   a, b, c, d;
    uint32_t  bits;

    if (in.len % 4 == 1) {
        return FOTA_INVALID;
    }

    len = in.len / 4 * 3 + in.len % 4 * 3 / 4;

    if (len > cap) {
        return FOTA_LIMIT;
    }

    pos = 0;

    for (i = 0; in.len - i >= 4; i += 4) {
        a = fota_sextets[in.data[i]];
        b = fota_sextets[in.data[i + 1]];
        c = fota_sextets[in.data[i + 2]];
        d = fota_sextets[in.data[i + 3]];

        if ((a & b & c & d & alphabet) == 0) {
            return FOTA_INVALID;
        }

        bits = (uint32_t) (a & 0x3f) << 18 | (uint32_t) (b & 0x3f) << 12
               | (uint32_t) (c & 0x3f) << 6 | (uint32_t) (d & 0x3f);

        out[pos++] = (uint8_t) (bits >> 16);
        out[pos++] = (uint8_t) (bits >> 8);
        out[pos++] = (uint8_t) bits;
    }

    bits = 0;

    for ( /* void */ ; i < in.len; i++) {
        a = fota_sextets[in.data[i]];

        if ((a & alphabet) == 0) {
            return FOTA_INVALID;
        }

        bits = (bits << 6) | (uint32_t) (a & 0x3f);

        switch (i % 4) {

        case 1:
            out[pos++] = (uint8_t) (bits >> 4);
            bits &= 0x0f;
            break;

        case 2:
            out[pos++] = (uint8_t) (bits >> 2);
            bits &= 0x03;
            break;
        }
    }

    /* One text for one value: else a token could be spelled in many ways. */

    if (bits != 0) {
        return FOTA_INVALID;
    }

    *n = len;

    return FOTA_OK;
}


int
fota_base64url_decode(uint8_t *out, size_t cap, fota_str_t in, size_t *n)
{
    return fota_decode_quads(out, cap, in, n, FOTA_SEXTET_URL);
}


int
fota_base64_decode(uint8_t *out, size_t cap, fota_str_t in, size_t *n)
{
    size_t  i;

    if (in.len % 4 != 0) {
        return FOTA_INVALID;
    }

    for (i = 0; i < 2 && in.len != 0 && in.data[in.len - 1] == '='; i++) {
        in.len--;
    }

    return fota_decode_quads(out, cap, in, n, FOTA_SEXTET_STD);
}


void
fota_hex_encode(char *out, const void *data, size_t n)
{
    size_t          i;
    const uint8_t  *p;

    p = data;

    for (i = 0; i < n; i++) {
        *out++ = fota_hex_set[p[i] >> 4];
        *out++ = fota_hex_set[p[i] & 15];
    }
}


static inline int
fota_nibble(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
fota_hex_decode(uint8_t *out, size_t n, fota_str_t in)
{
    int     hi, lo;
    size_t  i;

    if (in.len % 2 != 0 || in.len / 2 != n) {
        return FOTA_INVALID;
    }

    for (i = 0; i < n; i++) {
        hi = fota_nibble(in.data[2 * i]);
        lo = fota_nibble(in.data[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return FOTA_INVALID;
        }

        out[i] = (uint8_t) (hi << 4 | lo);
    }

    return FOTA_OK;
}
