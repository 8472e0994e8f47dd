/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The streaming digest needs its state as bytes, which EVP of OpenSSL 3.0
 * cannot give; the low-level interface can, and costs no allocation.  A MAC
 * from the copied states of its two pads takes half the time of EVP_MAC.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "fota_crypto.h"


#define FOTA_HMAC_BLOCK  64
#define FOTA_GCM_NONCE   12
#define FOTA_GCM_TAG     16


struct fota_sha256_s {
    SHA256_CTX  ctx;
};

struct fota_hmac_s {
    SHA256_CTX  inner;          /* after the key's block with ipad */
    SHA256_CTX  outer;          /* and with opad */
};


static pthread_once_t  fota_crypto_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER     *fota_seal_cipher;


static void fota_crypto_init(void);
static int fota_hmac_pad(SHA256_CTX *ctx, const uint8_t *key, uint8_t pad);


/* RFC 4231, test case 2. */

static const uint8_t  fota_hmac_expect[32] = {
    0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
    0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
    0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43
};

/* RFC 8032, 7.1, test 2: the message is 0x72. */

static const uint8_t  fota_ed25519_pub[32] = {
    0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a,
    0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
    0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c,
    0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c
};

static const uint8_t  fota_ed25519_sig[64] = {
    0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8,
    0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
    0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f,
    0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
    0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e,
    0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
    0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee,
    0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00
};


static void
fota_crypto_init(void)
{
    fota_seal_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}


int
fota_crypto_selftest(void)
{
    int           rc;
    uint8_t       mac[32], bad[64];
    fota_hmac_t  *h;

    h = fota_hmac_new("Jefe", 4);
    if (h == NULL) {
        return FOTA_ERROR;
    }

    rc = fota_hmac(h, mac, "what do ya want for nothing?", 28);

    if (rc == FOTA_OK) {
        rc = fota_hmac(h, mac, "what do ya want for nothing?", 28);
    }

    fota_hmac_free(h);

    if (rc != FOTA_OK || memcmp(mac, fota_hmac_expect, 32) != 0) {
        return FOTA_ERROR;
    }

    if (fota_ed25519_verify(fota_ed25519_pub, fota_slice("\x72", 1),
                            fota_ed25519_sig)
        != FOTA_OK)
    {
        return FOTA_ERROR;
    }

    memcpy(bad, fota_ed25519_sig, 64);
    bad[0] ^= 1;

    if (fota_ed25519_verify(fota_ed25519_pub, fota_slice("\x72", 1), bad)
        != FOTA_FORGED)
    {
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


int
fota_sha256(uint8_t out[32], const void *data, size_t len)
{
    SHA256_CTX  ctx;

    if (SHA256_Init(&ctx) != 1
        || (len != 0 && SHA256_Update(&ctx, data, len) != 1)
        || SHA256_Final(out, &ctx) != 1)
    {
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


fota_sha256_t *
fota_sha256_new(void)
{
    fota_sha256_t  *h;

    h = malloc(sizeof(fota_sha256_t));

    if (h != NULL && SHA256_Init(&h->ctx) != 1) {
        free(h);
        return NULL;
    }

    return h;
}


int
fota_sha256_update(fota_sha256_t *h, const void *data, size_t len)
{
    if (len == 0) {
        return FOTA_OK;
    }

    return (SHA256_Update(&h->ctx, data, len) == 1) ? FOTA_OK : FOTA_ERROR;
}


int
fota_sha256_final(fota_sha256_t *h, uint8_t out[32])
{
    if (SHA256_Final(out, &h->ctx) != 1 || SHA256_Init(&h->ctx) != 1) {
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


void
fota_sha256_free(fota_sha256_t *h)
{
    free(h);
}


static void
fota_store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) (v >> 16);
    p[3] = (uint8_t) (v >> 24);
}


static uint32_t
fota_load32(const uint8_t *p)
{
    return (uint32_t) p[0] | ((uint32_t) p[1] << 8) | ((uint32_t) p[2] << 16)
           | ((uint32_t) p[3] << 24);
}


/* h[8] | Nl | Nh | pending block[64] | num | length of the digest */

int
fota_sha256_export(fota_sha256_t *h, uint8_t out[FOTA_SHA256_STATE])
{
    size_t       i;
    SHA256_CTX  *c;

    c = &h->ctx;

    memset(out, 0, FOTA_SHA256_STATE);

    for (i = 0; i < 8; i++) {
        fota_store32(out + 4 * i, c->h[i]);
    }

    fota_store32(out + 32, c->Nl);
    fota_store32(out + 36, c->Nh);

    /* Bytes of data beyond num are left over from earlier blocks. */

    memcpy(out + 40, c->data, c->num);

    fota_store32(out + 104, c->num);
    fota_store32(out + 108, c->md_len);

    return FOTA_OK;
}


int
fota_sha256_import(fota_sha256_t *h, const uint8_t in[FOTA_SHA256_STATE])
{
    size_t      i;
    uint32_t    num;
    SHA256_CTX  c;

    num = fota_load32(in + 104);

    if (SHA256_Init(&c) != 1
        || fota_load32(in + 108) != c.md_len
        || num >= SHA256_CBLOCK
        || fota_load32(in + 32) % 8 != 0
        || fota_load32(in + 32) / 8 % SHA256_CBLOCK != num)
    {
        return FOTA_ERROR;
    }

    for (i = num; i < SHA256_CBLOCK; i++) {
        if (in[40 + i] != 0) {
            return FOTA_ERROR;
        }
    }

    for (i = 0; i < 8; i++) {
        c.h[i] = fota_load32(in + 4 * i);
    }

    c.Nl = fota_load32(in + 32);
    c.Nh = fota_load32(in + 36);
    c.num = num;

    memcpy(c.data, in + 40, SHA256_CBLOCK);

    h->ctx = c;

    return FOTA_OK;
}


fota_hmac_t *
fota_hmac_new(const void *key, size_t len)
{
    int           rc;
    uint8_t       block[FOTA_HMAC_BLOCK];
    fota_hmac_t  *h;

    h = malloc(sizeof(fota_hmac_t));
    if (h == NULL) {
        return NULL;
    }

    memset(block, 0, sizeof(block));

    /* RFC 2104: a key longer than a block is replaced by its digest. */

    if (len > sizeof(block)) {
        rc = fota_sha256(block, key, len);

    } else {
        rc = FOTA_OK;

        if (len != 0) {
            memcpy(block, key, len);
        }
    }

    if (rc != FOTA_OK
        || fota_hmac_pad(&h->inner, block, 0x36) != FOTA_OK
        || fota_hmac_pad(&h->outer, block, 0x5c) != FOTA_OK)
    {
        fota_hmac_free(h);
        h = NULL;
    }

    OPENSSL_cleanse(block, sizeof(block));

    return h;
}


/* The state after the first block, which depends on the key alone. */

static int
fota_hmac_pad(SHA256_CTX *ctx, const uint8_t *key, uint8_t pad)
{
    int      rc;
    size_t   i;
    uint8_t  block[FOTA_HMAC_BLOCK];

    for (i = 0; i < sizeof(block); i++) {
        block[i] = key[i] ^ pad;
    }

    rc = (SHA256_Init(ctx) == 1
          && SHA256_Update(ctx, block, sizeof(block)) == 1)
         ? FOTA_OK : FOTA_ERROR;

    OPENSSL_cleanse(block, sizeof(block));

    return rc;
}


int
fota_hmac(fota_hmac_t *h, uint8_t out[32], const void *data, size_t len)
{
    int         rc;
    uint8_t     digest[FOTA_SHA256_LEN];
    SHA256_CTX  ctx;

    ctx = h->inner;

    rc = ((len == 0 || SHA256_Update(&ctx, data, len) == 1)
          && SHA256_Final(digest, &ctx) == 1);

    if (rc) {
        ctx = h->outer;

        rc = (SHA256_Update(&ctx, digest, sizeof(digest)) == 1
              && SHA256_Final(out, &ctx) == 1);
    }

    /* Both states were made with the key. */

    OPENSSL_cleanse(&ctx, sizeof(ctx));

    return rc ? FOTA_OK : FOTA_ERROR;
}


void
fota_hmac_free(fota_hmac_t *h)
{
    if (h == NULL) {
        return;
    }

    OPENSSL_cleanse(h, sizeof(fota_hmac_t));
    free(h);
}


int
fota_hkdf(uint8_t *out, size_t len, fota_str_t key, fota_str_t info)
{
    int           rc;
    size_t        n, take;
    uint8_t       i, prk[32], t[32], zero[32], *block;
    fota_hmac_t  *h;

    if (len > 255 * 32) {
        return FOTA_LIMIT;
    }

    memset(zero, 0, sizeof(zero));

    h = fota_hmac_new(zero, sizeof(zero));
    if (h == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_hmac(h, prk, key.data, key.len);

    fota_hmac_free(h);

    if (rc != FOTA_OK) {
        return rc;
    }

    h = fota_hmac_new(prk, sizeof(prk));
    block = malloc(32 + info.len + 1);

    if (h == NULL || block == NULL) {
        rc = FOTA_NOMEM;
        goto done;
    }

    n = 0;

    for (i = 1; len != 0; i++) {

        /* T(n) = HMAC(PRK, T(n - 1) | info | n), T(0) is empty. */

        memcpy(block, t, n);

        if (info.len != 0) {
            memcpy(block + n, info.data, info.len);
        }

        block[n + info.len] = i;

        rc = fota_hmac(h, t, block, n + info.len + 1);
        if (rc != FOTA_OK) {
            break;
        }

        n = 32;
        take = (len < n) ? len : n;

        memcpy(out, t, take);

        out += take;
        len -= take;
    }

    OPENSSL_cleanse(block, 32 + info.len + 1);

done:

    free(block);
    fota_hmac_free(h);
    OPENSSL_cleanse(prk, sizeof(prk));
    OPENSSL_cleanse(t, sizeof(t));

    return rc;
}


int
fota_ed25519_keygen(uint8_t sec[32], uint8_t pub[32])
{
    int  rc;

    rc = fota_random(sec, FOTA_ED25519_SEC);
    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_ed25519_public(sec, pub);
}


int
fota_ed25519_public(const uint8_t sec[32], uint8_t pub[32])
{
    int        rc;
    size_t     n;
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, sec,
                                        FOTA_ED25519_SEC);
    if (pkey == NULL) {
        return FOTA_ERROR;
    }

    n = FOTA_ED25519_PUB;
    rc = EVP_PKEY_get_raw_public_key(pkey, pub, &n);

    EVP_PKEY_free(pkey);

    return (rc == 1 && n == FOTA_ED25519_PUB) ? FOTA_OK : FOTA_ERROR;
}


int
fota_ed25519_sign(const uint8_t sec[32], fota_str_t msg, uint8_t sig[64])
{
    int          rc;
    size_t       n;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    rc = FOTA_ERROR;
    n = FOTA_ED25519_SIG;

    ctx = EVP_MD_CTX_new();
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, sec,
                                        FOTA_ED25519_SEC);

    if (ctx != NULL && pkey != NULL
        && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1
        && EVP_DigestSign(ctx, sig, &n, msg.data, msg.len) == 1
        && n == FOTA_ED25519_SIG)
    {
        rc = FOTA_OK;
    }

    EVP_PKEY_free(pkey);
    EVP_MD_CTX_free(ctx);

    return rc;
}


int
fota_ed25519_verify(const uint8_t pub[32], fota_str_t msg,
    const uint8_t sig[64])
{
    int          rc;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    rc = FOTA_ERROR;

    ctx = EVP_MD_CTX_new();
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub,
                                       FOTA_ED25519_PUB);

    if (ctx != NULL && pkey != NULL
        && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1)
    {
        rc = (EVP_DigestVerify(ctx, sig, FOTA_ED25519_SIG, msg.data, msg.len)
              == 1) ? FOTA_OK : FOTA_FORGED;
    }

    EVP_PKEY_free(pkey);
    EVP_MD_CTX_free(ctx);

    return rc;
}


int
fota_seal(const uint8_t key[32], fota_str_t aad, fota_str_t plain,
    uint8_t *out)
{
    int              n, rc;
    EVP_CIPHER_CTX  *ctx;

    pthread_once(&fota_crypto_once, fota_crypto_init);

    if (plain.len > INT32_MAX || aad.len > INT32_MAX) {
        return FOTA_LIMIT;
    }

    rc = fota_random(out, FOTA_GCM_NONCE);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = FOTA_ERROR;

    ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && fota_seal_cipher != NULL
        && EVP_EncryptInit_ex2(ctx, fota_seal_cipher, key, out, NULL) == 1
        && (aad.len == 0
            || EVP_EncryptUpdate(ctx, NULL, &n, aad.data, (int) aad.len) == 1)
        && (plain.len == 0
            || EVP_EncryptUpdate(ctx, out + FOTA_GCM_NONCE, &n, plain.data,
                                 (int) plain.len)
               == 1)
        && EVP_EncryptFinal_ex(ctx, out + FOTA_GCM_NONCE + plain.len, &n) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, FOTA_GCM_TAG,
                               out + FOTA_GCM_NONCE + plain.len)
           == 1)
    {
        rc = FOTA_OK;
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


int
fota_open(const uint8_t key[32], fota_str_t aad, fota_str_t sealed,
    uint8_t *out)
{
    int              n, rc;
    size_t           len;
    uint8_t          tag[FOTA_GCM_TAG];
    EVP_CIPHER_CTX  *ctx;

    pthread_once(&fota_crypto_once, fota_crypto_init);

    if (sealed.len < FOTA_SEAL_OVERHEAD) {
        return FOTA_FORGED;
    }

    if (sealed.len > INT32_MAX || aad.len > INT32_MAX) {
        return FOTA_LIMIT;
    }

    len = sealed.len - FOTA_SEAL_OVERHEAD;

    memcpy(tag, sealed.data + FOTA_GCM_NONCE + len, FOTA_GCM_TAG);

    rc = FOTA_ERROR;

    ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && fota_seal_cipher != NULL
        && EVP_DecryptInit_ex2(ctx, fota_seal_cipher, key, sealed.data, NULL)
           == 1
        && (aad.len == 0
            || EVP_DecryptUpdate(ctx, NULL, &n, aad.data, (int) aad.len) == 1)
        && (len == 0
            || EVP_DecryptUpdate(ctx, out, &n, sealed.data + FOTA_GCM_NONCE,
                                 (int) len)
               == 1)
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, FOTA_GCM_TAG, tag)
           == 1)
    {
        rc = (EVP_DecryptFinal_ex(ctx, out + len, &n) == 1) ? FOTA_OK
                                                            : FOTA_FORGED;
    }

    EVP_CIPHER_CTX_free(ctx);

    /* Nobody is to see bytes that did not verify. */

    if (rc != FOTA_OK) {
        OPENSSL_cleanse(out, len);
    }

    return rc;
}


int
fota_random(void *out, size_t len)
{
    ssize_t   n;
    uint8_t  *p;

    for (p = out; len != 0; p += n, len -= (size_t) n) {
        n = getrandom(p, len, 0);

        if (n < 0) {
            if (errno != EINTR) {
                return FOTA_IO;
            }

            n = 0;
        }
    }

    return FOTA_OK;
}


bool
fota_crypto_eq(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}


void
fota_cleanse(void *p, size_t len)
{
    OPENSSL_cleanse(p, len);
}
