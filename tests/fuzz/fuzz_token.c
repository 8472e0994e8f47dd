/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_encode.h"
#include "fota_token.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/*
 * One text for one token, and none that the fuzzer makes up fits the key.
 * The tokens of the corpus were made with another one.
 */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    char                text[FOTA_TOKEN_TEXT_LEN];
    uint8_t             raw[FOTA_TOKEN_LEN], facts[32];
    fota_token_t        t;
    fota_token_ctx_t    ctx;
    static fota_hmac_t *key;

    if (key == NULL) {
        key = fota_hmac_new("a key of the fuzzer", 19);
        if (key == NULL) {
            abort();
        }
    }

    rc = fota_token_parse(&t, raw, fota_slice(data, size));

    if (rc == FOTA_INVALID) {
        return 0;
    }

    if (rc != FOTA_OK
        || fota_base64url_encode(text, raw, sizeof(raw)) != size
        || memcmp(text, data, size) != 0)
    {
        abort();
    }

    memset(facts, 0x5a, sizeof(facts));
    memset(&ctx, 0, sizeof(ctx));

    ctx.artifact = facts;
    ctx.now = t.nbf;
    ctx.scope = t.scope;

    rc = fota_token_verify(key, &t, raw, &ctx);
    if (rc != FOTA_FORGED && rc != FOTA_BINDING) {
        abort();
    }

    ctx.addr = facts;
    ctx.cert = facts;

    rc = fota_token_verify(key, &t, raw, &ctx);
    if (rc != FOTA_FORGED && rc != FOTA_BINDING) {
        abort();
    }

    /* What was parsed can be minted, and is then what it was but the tag. */

    if (fota_token_mint(key, &t, &ctx, text) != FOTA_OK
        || memcmp(text, data, 52) != 0
        || fota_token_parse(&t, raw, fota_slice(text, sizeof(text)))
           != FOTA_OK
        || (t.exp >= t.nbf
            && fota_token_verify(key, &t, raw, &ctx) != FOTA_OK))
    {
        abort();
    }

    return 0;
}
