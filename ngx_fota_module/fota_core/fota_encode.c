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


/* From '0' to 'z': what both alphabets have in common. */

static const int8_t  fota_sextets[] = {
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1, -1, 0,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    21, 22, 23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
    51
};


/* Value of a digit, -1 when c is none; the last two digits are given. */

static inline int
fota_sextet(uint8_t c, char c62, char c63)
{
    unsigned  i;

    i = (unsigned) c - '0';

    if (i < sizeof(fota_sextets) && fota_sextets[i] >= 0) {
        return fota_sextets[i];
    }

    if (c == (uint8_t) c62) {
        return 62;
    }

    return (c == (uint8_t) c63) ? 63 : -1;
}


/* in is without padding here. */

static int
fota_decode_quads(uint8_t *out, size_t cap, fota_str_t in, size_t *n,
    char c62, char c63)
{
    int       v, a, b, c;
    size_t    i, len, pos;
    uint32_t  bits;

    if (in.len % 4 == 1) {
        return FOTA_INVALID;
    }

    len = in.len / 4 * 3 + in.len % 4 * 3 / 4;

    if (len > cap) {
        return FOTA_LIMIT;
    }

    bits = 0;
    pos = 0;

    for (i = 0; in.len - i >= 4; i += 4) {
        a = fota_sextet(in.data[i], c62, c63);
        b = fota_sextet(in.data[i + 1], c62, c63);
        c = fota_sextet(in.data[i + 2], c62, c63);
        v = fota_sextet(in.data[i + 3], c62, c63);

        if ((a | b | c | v) < 0) {
            return FOTA_INVALID;
        }

        bits = (uint32_t) a << 18 | (uint32_t) b << 12 | (uint32_t) c << 6
               | (uint32_t) v;

        out[pos++] = (uint8_t) (bits >> 16);
        out[pos++] = (uint8_t) (bits >> 8);
        out[pos++] = (uint8_t) bits;
    }

    bits = 0;

    for ( /* void */ ; i < in.len; i++) {
        v = fota_sextet(in.data[i], c62, c63);

        if (v < 0) {
            return FOTA_INVALID;
        }

        bits = (bits << 6) | (uint32_t) v;

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
    return fota_decode_quads(out, cap, in, n, '-', '_');
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

    return fota_decode_quads(out, cap, in, n, '+', '/');
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
