/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to OpenSSL.  Keyed HMAC contexts are kept, because a fetch
 * per call costs several times the MAC itself (see docs/architecture.md).
 */

#ifndef FOTA_CRYPTO_H
#define FOTA_CRYPTO_H

#include "fota_str.h"
#include "fota_status.h"

#define FOTA_SHA256_LEN   32
#define FOTA_ED25519_PUB  32
#define FOTA_ED25519_SEC  32
#define FOTA_ED25519_SIG  64

/* Process-wide self-test (RFC 4231, RFC 8032 vectors); FOTA_ERROR if wrong. */
int fota_crypto_selftest(void);

int fota_sha256(uint8_t out[32], const void *data, size_t len);

/* Streaming SHA-256; opaque, malloc'ed; _free takes NULL. */
typedef struct fota_sha256_s  fota_sha256_t;

fota_sha256_t *fota_sha256_new(void);
int fota_sha256_update(fota_sha256_t *h, const void *data, size_t len);
/* Finishes and makes it ready for the next message. */
int fota_sha256_final(fota_sha256_t *h, uint8_t out[32]);
void fota_sha256_free(fota_sha256_t *h);
/*
 * State as bytes, so that a resumed upload need not read the file again.
 * Ours alone, checked on import; may be FOTA_ERROR: then hash anew.
 */
#define FOTA_SHA256_STATE  112
int fota_sha256_export(fota_sha256_t *h, uint8_t out[FOTA_SHA256_STATE]);
int fota_sha256_import(fota_sha256_t *h, const uint8_t in[FOTA_SHA256_STATE]);

/* HMAC-SHA-256 with a kept key (RFC 2104). */
typedef struct fota_hmac_s  fota_hmac_t;

fota_hmac_t *fota_hmac_new(const void *key, size_t len);
/* One whole MAC; the context is ready for the next. */
int fota_hmac(fota_hmac_t *h, uint8_t out[32], const void *data, size_t len);
void fota_hmac_free(fota_hmac_t *h);

/* HKDF-SHA-256 (RFC 5869); empty salt; len <= 255 * 32. */
int fota_hkdf(uint8_t *out, size_t len, fota_str_t key, fota_str_t info);

/* Ed25519 (RFC 8032), raw keys.  verify: FOTA_OK or FOTA_FORGED. */
int fota_ed25519_keygen(uint8_t sec[32], uint8_t pub[32]);
int fota_ed25519_public(const uint8_t sec[32], uint8_t pub[32]);
int fota_ed25519_sign(const uint8_t sec[32], fota_str_t msg, uint8_t sig[64]);
int fota_ed25519_verify(const uint8_t pub[32], fota_str_t msg,
    const uint8_t sig[64]);

/*
 * AES-256-GCM, 12-byte random nonce in front, 16-byte tag behind: out holds
 * plain.len + 28.  open: FOTA_FORGED when it does not verify.
 */
#define FOTA_SEAL_OVERHEAD  28
int fota_seal(const uint8_t key[32], fota_str_t aad, fota_str_t plain,
    uint8_t *out);
int fota_open(const uint8_t key[32], fota_str_t aad, fota_str_t sealed,
    uint8_t *out);

/* From the system's CSPRNG. */
int fota_random(void *out, size_t len);

/* Constant time. */
bool fota_crypto_eq(const void *a, const void *b, size_t len);
void fota_cleanse(void *p, size_t len);

#endif /* FOTA_CRYPTO_H */
