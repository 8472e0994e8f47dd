/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Text forms of bytes: base64url and base64 (RFC 4648), hex. */

#ifndef FOTA_ENCODE_H
#define FOTA_ENCODE_H


#include "fota_str.h"
#include "fota_status.h"


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
