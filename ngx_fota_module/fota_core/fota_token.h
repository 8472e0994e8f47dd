/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * FT1 download tokens: 56 bytes, 75 base64url characters.
 *
 *   0 version=1 | 1 flags | 2 kid u16 | 4 nbf u32 | 8 exp u32 | 12 tenant u32
 *   16 device tag[8] | 24 deployment u32 | 28 scope u16 | 30 class u8
 *   31 prefix length u8 | 32 nonce[8] | 40 tag[16]             (big-endian)
 *
 * tag = HMAC-SHA-256(K, "fota-dl/1\0" | bytes 0..39 | artifact SHA-256 |
 * masked v4-mapped address if flag IP | certificate SHA-256 if flag CERT),
 * first 16 bytes.  The artifact comes from the URL and is not carried.
 */

#ifndef FOTA_TOKEN_H
#define FOTA_TOKEN_H

#include "fota_crypto.h"

#define FOTA_TOKEN_LEN       56
#define FOTA_TOKEN_TEXT_LEN  75
#define FOTA_TOKEN_SKEW      60         /* seconds of clock skew allowed */

#define FOTA_TOKEN_F_IP      0x01
#define FOTA_TOKEN_F_CERT    0x02
#define FOTA_TOKEN_F_SINGLE  0x04       /* one range per request */
#define FOTA_TOKEN_F_ONCE    0x08       /* the nonce is good once */

typedef struct {
    uint8_t   flags;
    uint16_t  kid;
    uint32_t  nbf;
    uint32_t  exp;
    uint32_t  tenant;
    uint8_t   device[8];
    uint32_t  deployment;       /* rollout id */
    uint16_t  scope;            /* node group, 0 = any */
    uint8_t   rate_class;
    uint8_t   ip_plen;          /* on the v4-mapped address; 0 = unbound */
    uint8_t   nonce[8];
} fota_token_t;

/* What the request shows, to hold against the token. */
typedef struct {
    const uint8_t  *artifact;   /* SHA-256 from the URL, 32 bytes */
    const uint8_t  *addr;       /* 16 bytes, v4-mapped; NULL = unknown */
    const uint8_t  *cert;       /* SHA-256 of the DER; NULL = none */
    uint32_t        now;        /* Unix seconds */
    uint16_t        scope;      /* node group of this edge */
} fota_token_ctx_t;

/* First 8 bytes of SHA-256("dev\0" | tenant u32 BE | device id). */
int fota_token_device_tag(uint8_t tag[8], uint32_t tenant, fota_str_t device);

/* K = HKDF(root, info = "fota-dl" | scope u16 BE), 32 bytes. */
int fota_token_key(uint8_t key[32], const uint8_t root[32], uint16_t scope);

/* Writes FOTA_TOKEN_TEXT_LEN characters; ctx gives artifact, addr, cert. */
int fota_token_mint(fota_hmac_t *key, const fota_token_t *t,
    const fota_token_ctx_t *ctx, char text[FOTA_TOKEN_TEXT_LEN]);

/*
 * Form only: FOTA_INVALID unless 75 characters, version 1, known flags, a
 * consistent prefix length.  Needed first, to find the key by kid and scope.
 */
int fota_token_parse(fota_token_t *t, uint8_t raw[FOTA_TOKEN_LEN],
    fota_str_t text);

/*
 * MAC, then scope, then time, in this order, so that a forged token learns
 * nothing: FOTA_OK, FOTA_FORGED, FOTA_BINDING (an IP- or cert-bound token
 * without that fact), FOTA_SCOPE, FOTA_EXPIRED.  A wrong address or
 * certificate changes the MAC and is FOTA_BINDING when the unbound check
 * cannot tell; see fota_token.c.
 */
int fota_token_verify(fota_hmac_t *key, const fota_token_t *t,
    const uint8_t raw[FOTA_TOKEN_LEN], const fota_token_ctx_t *ctx);

/* FOTA_OK or FOTA_EXPIRED: now in Unix seconds. */
int fota_token_current(const fota_token_t *t, uint32_t now);

/*
 * Derived device token: base64url of
 * HMAC-SHA-256(tenant key, "fota-dev/1\0" | tenant u32 BE | device id),
 * 43 characters; no look-up needed.
 */
#define FOTA_DEVICE_TOKEN_LEN  43

int fota_device_token(fota_hmac_t *key, uint32_t tenant, fota_str_t device,
    char text[FOTA_DEVICE_TOKEN_LEN]);

#endif /* FOTA_TOKEN_H */
