/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_encode.h"
#include "fota_token.h"


#define FOTA_TOKEN_VERSION  1
#define FOTA_TOKEN_SIGNED   40
#define FOTA_TOKEN_TAG      16
#define FOTA_TOKEN_FLAGS                                                      \
    (FOTA_TOKEN_F_IP|FOTA_TOKEN_F_CERT|FOTA_TOKEN_F_SINGLE|FOTA_TOKEN_F_ONCE)

/* label, signed bytes, artifact, address, certificate */
#define FOTA_TOKEN_INPUT    (10 + FOTA_TOKEN_SIGNED + 32 + 16 + 32)


static bool fota_token_well_formed(const fota_token_t *t);
static int fota_token_tag(fota_hmac_t *key, uint8_t tag[32],
    const fota_token_t *t, const uint8_t *raw, const fota_token_ctx_t *ctx);


int
fota_token_device_tag(uint8_t tag[8], uint32_t tenant, fota_str_t device)
{
    uint8_t  digest[32], input[8 + FOTA_ID_MAX];

    if (device.len > FOTA_ID_MAX) {
        return FOTA_LIMIT;
    }

    memcpy(input, "dev\0", 4);
    fota_put_be32(input + 4, tenant);

    if (device.len != 0) {
        memcpy(input + 8, device.data, device.len);
    }

    if (fota_sha256(digest, input, 8 + device.len) != FOTA_OK) {
        return FOTA_ERROR;
    }

    memcpy(tag, digest, 8);

    return FOTA_OK;
}


int
fota_token_key(uint8_t key[32], const uint8_t root[32], uint16_t scope)
{
    uint8_t  info[9];

    memcpy(info, "fota-dl", 7);
    fota_put_be16(info + 7, scope);

    return fota_hkdf(key, 32, fota_slice(root, 32),
                     fota_slice(info, sizeof(info)));
}


/* Without binding there is no prefix; with it the prefix says something. */

static bool
fota_token_well_formed(const fota_token_t *t)
{
    if (t->flags & ~FOTA_TOKEN_FLAGS) {
        return false;
    }

    if (t->flags & FOTA_TOKEN_F_IP) {
        return t->ip_plen >= 1 && t->ip_plen <= 128;
    }

    return t->ip_plen == 0;
}


/* ctx holds every fact that t is bound to, see the callers. */

static int
fota_token_tag(fota_hmac_t *key, uint8_t tag[32], const fota_token_t *t,
    const uint8_t *raw, const fota_token_ctx_t *ctx)
{
    size_t    n;
    uint8_t  *p, input[FOTA_TOKEN_INPUT];

    p = input;

    memcpy(p, "fota-dl/1", 10);
    p += 10;

    memcpy(p, raw, FOTA_TOKEN_SIGNED);
    p += FOTA_TOKEN_SIGNED;

    memcpy(p, ctx->artifact, 32);
    p += 32;

    if (t->flags & FOTA_TOKEN_F_IP) {
        n = t->ip_plen / 8;

        memset(p, 0, 16);
        memcpy(p, ctx->addr, n);

        if (t->ip_plen % 8 != 0) {
            p[n] = ctx->addr[n] & (uint8_t) (0xff00 >> (t->ip_plen % 8));
        }

        p += 16;
    }

    if (t->flags & FOTA_TOKEN_F_CERT) {
        memcpy(p, ctx->cert, 32);
        p += 32;
    }

    return fota_hmac(key, tag, input, (size_t) (p - input));
}


int
fota_token_mint(fota_hmac_t *key, const fota_token_t *t,
    const fota_token_ctx_t *ctx, char text[FOTA_TOKEN_TEXT_LEN])
{
    int      rc;
    uint8_t  raw[FOTA_TOKEN_LEN], tag[32];

    if (!fota_token_well_formed(t)) {
        return FOTA_INVALID;
    }

    if (((t->flags & FOTA_TOKEN_F_IP) && ctx->addr == NULL)
        || ((t->flags & FOTA_TOKEN_F_CERT) && ctx->cert == NULL))
    {
        return FOTA_BINDING;
    }

    raw[0] = FOTA_TOKEN_VERSION;
    raw[1] = t->flags;
    fota_put_be16(raw + 2, t->kid);
    fota_put_be32(raw + 4, t->nbf);
    fota_put_be32(raw + 8, t->exp);
    fota_put_be32(raw + 12, t->tenant);
    memcpy(raw + 16, t->device, 8);
    fota_put_be32(raw + 24, t->deployment);
    fota_put_be16(raw + 28, t->scope);
    raw[30] = t->rate_class;
    raw[31] = t->ip_plen;
    memcpy(raw + 32, t->nonce, 8);

    rc = fota_token_tag(key, tag, t, raw, ctx);
    if (rc != FOTA_OK) {
        return rc;
    }

    memcpy(raw + FOTA_TOKEN_SIGNED, tag, FOTA_TOKEN_TAG);

    (void) fota_base64url_encode(text, raw, sizeof(raw));

    return FOTA_OK;
}


int
fota_token_parse(fota_token_t *t, uint8_t raw[FOTA_TOKEN_LEN],
    fota_str_t text)
{
    size_t  n;

    if (text.len != FOTA_TOKEN_TEXT_LEN
        || fota_base64url_decode(raw, FOTA_TOKEN_LEN, text, &n) != FOTA_OK
        || raw[0] != FOTA_TOKEN_VERSION)
    {
        return FOTA_INVALID;
    }

    t->flags = raw[1];
    t->kid = fota_get_be16(raw + 2);
    t->nbf = fota_get_be32(raw + 4);
    t->exp = fota_get_be32(raw + 8);
    t->tenant = fota_get_be32(raw + 12);
    memcpy(t->device, raw + 16, 8);
    t->deployment = fota_get_be32(raw + 24);
    t->scope = fota_get_be16(raw + 28);
    t->rate_class = raw[30];
    t->ip_plen = raw[31];
    memcpy(t->nonce, raw + 32, 8);

    return fota_token_well_formed(t) ? FOTA_OK : FOTA_INVALID;
}


/*
 * The address and the certificate are in the MAC but not in the token, so
 * for a bound token a wrong one of them and a forgery look the same; the
 * holder is told "binding" then, because roaming is likelier than attack and
 * both answers are final.
 */

int
fota_token_verify(fota_hmac_t *key, const fota_token_t *t,
    const uint8_t raw[FOTA_TOKEN_LEN], const fota_token_ctx_t *ctx)
{
    int      rc;
    bool     bound;
    uint8_t  tag[32];

    bound = (t->flags & (FOTA_TOKEN_F_IP|FOTA_TOKEN_F_CERT)) != 0;

    if (((t->flags & FOTA_TOKEN_F_IP) && ctx->addr == NULL)
        || ((t->flags & FOTA_TOKEN_F_CERT) && ctx->cert == NULL))
    {
        return FOTA_BINDING;
    }

    rc = fota_token_tag(key, tag, t, raw, ctx);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (!fota_crypto_eq(tag, raw + FOTA_TOKEN_SIGNED, FOTA_TOKEN_TAG)) {
        return bound ? FOTA_BINDING : FOTA_FORGED;
    }

    if (t->scope != 0 && t->scope != ctx->scope) {
        return FOTA_SCOPE;
    }

    return fota_token_current(t, ctx->now);
}


int
fota_token_current(const fota_token_t *t, uint32_t now)
{
    if ((uint64_t) now + FOTA_TOKEN_SKEW < t->nbf
        || (uint64_t) t->exp + FOTA_TOKEN_SKEW < now)
    {
        return FOTA_EXPIRED;
    }

    return FOTA_OK;
}


int
fota_device_token(fota_hmac_t *key, uint32_t tenant, fota_str_t device,
    char text[FOTA_DEVICE_TOKEN_LEN])
{
    int      rc;
    uint8_t  mac[32], input[15 + FOTA_ID_MAX];

    if (device.len > FOTA_ID_MAX) {
        return FOTA_LIMIT;
    }

    memcpy(input, "fota-dev/1", 11);
    fota_put_be32(input + 11, tenant);

    if (device.len != 0) {
        memcpy(input + 15, device.data, device.len);
    }

    rc = fota_hmac(key, mac, input, 15 + device.len);

    if (rc == FOTA_OK) {
        (void) fota_base64url_encode(text, mac, sizeof(mac));
    }

    return rc;
}
