/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Text forms of bytes: base64url and base64 (RFC 4648), hex. */

#ifndef FOTA_ENCODE_H
#define FOTA_ENCODE_H


#include "fota_str.h"
#include "fota_status.h"


/* Numbers in keys and tokens: big-endian, so that bytes sort as they do. */

static inline void
fota_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}


static inline void
fota_put_be32(uint8_t *p, uint32_t v)
{
    fota_put_be16(p, (uint16_t) (v >> 16));
    fota_put_be16(p + 2, (uint16_t) v);
}


static inline uint16_t
fota_get_be16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}


static inline uint32_t
fota_get_be32(const uint8_t *p)
{
    return (uint32_t) fota_get_be16(p) << 16 | fota_get_be16(p + 2);
}


#define fota_base64url_len(n)  (((n) * 4 + 2) / 3)

/* Without padding; out holds fota_base64url_len(n) bytes, no NUL. */
size_t fota_base64url_encode(char *out, const void *data, size_t n);

/*
 * Strict: no padding, no blanks, unused bits zero.  out holds cap bytes.
 * FOTA_INVALID, FOTA_LIMIT when it does not fit.
 */
int fota_base64url_decode(uint8_t *out, size_t cap, fota_str_t in, size_t *n);

/* With padding and "+/"; out holds (n + 2) / 3 * 4 bytes, no NUL. */
size_t fota_base64_encode(char *out, const void *data, size_t n);

int fota_base64_decode(uint8_t *out, size_t cap, fota_str_t in, size_t *n);

/* Lower case; out holds 2 * n bytes, no NUL. */
void fota_hex_encode(char *out, const void *data, size_t n);

/* Exactly 2 * n digits of either case, else FOTA_INVALID. */
int fota_hex_decode(uint8_t *out, size_t n, fota_str_t in);


#endif /* FOTA_ENCODE_H */
