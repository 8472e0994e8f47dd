/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_encode.h"
#include "fota_token.h"


#define NBF  1767225600
#define EXP  1767229200


static const char  vector_unbound[] =
    "AQAAAWlVuQBpVccQAAAAB0UVAwUK5zngAAAAKgADAgABAgMEBQYHCL6E8tL0tCcj4_JwegD3"
    "P5I";

static const char  vector_bound[] =
    "AQMAAWlVuQBpVccQAAAAB0UVAwUK5zngAAAAKgADAngBAgMEBQYHCKWXv4vusUVWdENLnIA3"
    "_Ls";


static fota_hmac_t      *key;
static uint8_t           artifact[32], cert[32], addr[16];
static fota_token_t      token;
static fota_token_ctx_t  facts;


static int
setup(void **state)
{
    size_t   i;
    uint8_t  k[32];

    static const uint8_t  v4[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 77
    };

    for (i = 0; i < sizeof(k); i++) {
        k[i] = (uint8_t) i;
    }

    key = fota_hmac_new(k, sizeof(k));

    memcpy(addr, v4, sizeof(addr));
    fota_sha256(artifact, "firmware", 8);
    fota_sha256(cert, "cert", 4);

    memset(&token, 0, sizeof(token));
    token.kid = 1;
    token.nbf = NBF;
    token.exp = EXP;
    token.tenant = 7;
    token.deployment = 42;
    token.scope = 3;
    token.rate_class = 2;
    memcpy(token.nonce, "\1\2\3\4\5\6\7\10", 8);
    fota_token_device_tag(token.device, 7, fota_cstr("dev-0001"));

    facts.artifact = artifact;
    facts.addr = addr;
    facts.cert = cert;
    facts.now = NBF + 10;
    facts.scope = 3;

    return (key == NULL) ? -1 : 0;
}


static int
teardown(void **state)
{
    fota_hmac_free(key);

    return 0;
}


static int
check(const char *text)
{
    int           rc;
    uint8_t       raw[FOTA_TOKEN_LEN];
    fota_token_t  t;

    rc = fota_token_parse(&t, raw, fota_slice(text, FOTA_TOKEN_TEXT_LEN));

    return (rc != FOTA_OK) ? rc : fota_token_verify(key, &t, raw, &facts);
}


static void
bind_both(void)
{
    token.flags = FOTA_TOKEN_F_IP|FOTA_TOKEN_F_CERT;
    token.ip_plen = 120;
}


static void
test_vectors(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN], name[43];

    assert_int_equal(fota_base64url_encode(name, artifact, 32), 43);
    assert_memory_equal(name, "w79H6h9KSmBUcDE8rLOkT0pGH2jG-uqwfnN2EMtayDU",
                        43);

    assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);
    assert_memory_equal(text, vector_unbound, sizeof(text));
    assert_int_equal(check(vector_unbound), FOTA_OK);

    bind_both();

    assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);
    assert_memory_equal(text, vector_bound, sizeof(text));
    assert_int_equal(check(vector_bound), FOTA_OK);
}


static void
test_parse(void **state)
{
    uint8_t       raw[FOTA_TOKEN_LEN];
    fota_token_t  t;

    assert_int_equal(fota_token_parse(&t, raw, fota_cstr(vector_bound)),
                     FOTA_OK);

    assert_int_equal(t.flags, FOTA_TOKEN_F_IP|FOTA_TOKEN_F_CERT);
    assert_int_equal(t.kid, 1);
    assert_int_equal(t.nbf, NBF);
    assert_int_equal(t.exp, EXP);
    assert_int_equal(t.tenant, 7);
    assert_memory_equal(t.device, token.device, 8);
    assert_int_equal(t.deployment, 42);
    assert_int_equal(t.scope, 3);
    assert_int_equal(t.rate_class, 2);
    assert_int_equal(t.ip_plen, 120);
    assert_memory_equal(t.nonce, token.nonce, 8);
}


/* Text of raw bytes, to be parsed. */

static int
parse_raw(const uint8_t raw[FOTA_TOKEN_LEN])
{
    char          text[FOTA_TOKEN_TEXT_LEN];
    uint8_t       out[FOTA_TOKEN_LEN];
    fota_token_t  t;

    (void) fota_base64url_encode(text, raw, FOTA_TOKEN_LEN);

    return fota_token_parse(&t, out, fota_slice(text, sizeof(text)));
}


static void
test_form(void **state)
{
    char          text[FOTA_TOKEN_TEXT_LEN + 1];
    size_t        i;
    uint8_t       raw[FOTA_TOKEN_LEN], out[FOTA_TOKEN_LEN];
    fota_token_t  t;

    memcpy(text, vector_unbound, sizeof(text));

    for (i = 0; i <= sizeof(text); i++) {
        if (i != FOTA_TOKEN_TEXT_LEN) {
            assert_int_equal(fota_token_parse(&t, raw, fota_slice(text, i)),
                             FOTA_INVALID);
        }
    }

    for (i = 0; i < FOTA_TOKEN_TEXT_LEN; i++) {
        memcpy(text, vector_unbound, sizeof(text));
        text[i] = '=';
        assert_int_equal(fota_token_parse(&t, raw,
                                          fota_slice(text, sizeof(text) - 1)),
                         FOTA_INVALID);
    }

    assert_int_equal(fota_token_parse(&t, raw, fota_cstr(vector_unbound)),
                     FOTA_OK);
    assert_int_equal(parse_raw(raw), FOTA_OK);

    memcpy(out, raw, sizeof(out));
    out[0] = 0;
    assert_int_equal(parse_raw(out), FOTA_INVALID);
    out[0] = 2;
    assert_int_equal(parse_raw(out), FOTA_INVALID);

    memcpy(out, raw, sizeof(out));
    out[1] = 0x10;
    assert_int_equal(parse_raw(out), FOTA_INVALID);

    /* A prefix without the flag, the flag without one, one that is too long. */

    memcpy(out, raw, sizeof(out));
    out[31] = 24;
    assert_int_equal(parse_raw(out), FOTA_INVALID);

    out[1] = FOTA_TOKEN_F_IP;
    assert_int_equal(parse_raw(out), FOTA_OK);
    out[31] = 0;
    assert_int_equal(parse_raw(out), FOTA_INVALID);
    out[31] = 128;
    assert_int_equal(parse_raw(out), FOTA_OK);
    out[31] = 129;
    assert_int_equal(parse_raw(out), FOTA_INVALID);
}


static void
flip_all(const char *vector)
{
    int           rc;
    char          text[FOTA_TOKEN_TEXT_LEN];
    size_t        i;
    uint8_t       raw[FOTA_TOKEN_LEN], bad[FOTA_TOKEN_LEN];
    fota_token_t  t;

    assert_int_equal(fota_token_parse(&t, raw, fota_cstr(vector)), FOTA_OK);

    for (i = 0; i < FOTA_TOKEN_LEN * 8; i++) {
        memcpy(bad, raw, sizeof(bad));
        bad[i / 8] ^= (uint8_t) (1 << (i % 8));

        (void) fota_base64url_encode(text, bad, sizeof(bad));
        rc = check(text);

        assert_true(rc == FOTA_INVALID || rc == FOTA_FORGED
                    || rc == FOTA_BINDING);
    }

    /* And every other character in every place of the text. */

    for (i = 0; i < FOTA_TOKEN_TEXT_LEN; i++) {
        for (rc = 0; rc < 256; rc++) {
            memcpy(text, vector, sizeof(text));

            if (text[i] == (char) rc) {
                continue;
            }

            text[i] = (char) rc;
            assert_int_not_equal(check(text), FOTA_OK);
        }
    }
}


static void
test_bit_flips(void **state)
{
    flip_all(vector_unbound);
    flip_all(vector_bound);
}


static void
test_forged(void **state)
{
    uint8_t       other[32], k[32];
    fota_hmac_t  *mine, *theirs;

    memset(k, 0x77, sizeof(k));

    mine = key;
    theirs = fota_hmac_new(k, sizeof(k));

    key = theirs;
    assert_int_equal(check(vector_unbound), FOTA_FORGED);
    assert_int_equal(check(vector_bound), FOTA_BINDING);
    key = mine;

    fota_hmac_free(theirs);

    /* The artifact is in the MAC only. */

    fota_sha256(other, "firmwarf", 8);
    facts.artifact = other;
    assert_int_equal(check(vector_unbound), FOTA_FORGED);
}


static void
test_forged_learns_nothing(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN];

    /* Neither time nor scope is looked at before the MAC fits. */

    memcpy(text, vector_unbound, sizeof(text));
    text[70] = (text[70] == 'A') ? 'B' : 'A';

    facts.now = EXP + 100000;
    facts.scope = 9;
    assert_int_equal(check(text), FOTA_FORGED);
    assert_int_equal(check(vector_unbound), FOTA_SCOPE);
}


static void
test_time(void **state)
{
    facts.now = NBF - FOTA_TOKEN_SKEW;
    assert_int_equal(check(vector_unbound), FOTA_OK);

    facts.now = NBF - FOTA_TOKEN_SKEW - 1;
    assert_int_equal(check(vector_unbound), FOTA_EXPIRED);

    facts.now = EXP + FOTA_TOKEN_SKEW;
    assert_int_equal(check(vector_unbound), FOTA_OK);

    facts.now = EXP + FOTA_TOKEN_SKEW + 1;
    assert_int_equal(check(vector_unbound), FOTA_EXPIRED);

    facts.now = 0;
    assert_int_equal(check(vector_unbound), FOTA_EXPIRED);

    facts.now = UINT32_MAX;
    assert_int_equal(check(vector_unbound), FOTA_EXPIRED);
}


static void
test_time_wraps(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN];

    token.nbf = 0;
    token.exp = UINT32_MAX;
    assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);

    facts.now = UINT32_MAX;
    assert_int_equal(check(text), FOTA_OK);
    facts.now = 0;
    assert_int_equal(check(text), FOTA_OK);
}


static void
test_scope(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN];

    facts.scope = 4;
    assert_int_equal(check(vector_unbound), FOTA_SCOPE);
    facts.scope = 0;
    assert_int_equal(check(vector_unbound), FOTA_SCOPE);

    token.scope = 0;
    assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);
    facts.scope = 4;
    assert_int_equal(check(text), FOTA_OK);
}


static void
test_address(void **state)
{
    char      text[FOTA_TOKEN_TEXT_LEN];
    unsigned  plen, bit;

    token.flags = FOTA_TOKEN_F_IP;

    for (plen = 1; plen <= 128; plen++) {
        token.ip_plen = (uint8_t) plen;
        assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);

        for (bit = 0; bit < 128; bit++) {
            addr[bit / 8] ^= (uint8_t) (0x80 >> (bit % 8));
            assert_int_equal(check(text),
                             (bit < plen) ? FOTA_BINDING : FOTA_OK);
            addr[bit / 8] ^= (uint8_t) (0x80 >> (bit % 8));
        }
    }

    facts.addr = NULL;
    assert_int_equal(check(text), FOTA_BINDING);
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_BINDING);

    /* Who is not bound needs no address. */

    assert_int_equal(check(vector_unbound), FOTA_OK);
}


static void
test_cert(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN];

    token.flags = FOTA_TOKEN_F_CERT;
    assert_int_equal(fota_token_mint(key, &token, &facts, text), FOTA_OK);
    assert_int_equal(check(text), FOTA_OK);

    cert[5] ^= 4;
    assert_int_equal(check(text), FOTA_BINDING);

    facts.cert = NULL;
    assert_int_equal(check(text), FOTA_BINDING);
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_BINDING);
    assert_int_equal(check(vector_unbound), FOTA_OK);
}


static void
test_mint_refuses(void **state)
{
    char  text[FOTA_TOKEN_TEXT_LEN];

    token.flags = 0x80;
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_INVALID);

    token.flags = FOTA_TOKEN_F_IP;
    token.ip_plen = 0;
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_INVALID);

    token.ip_plen = 129;
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_INVALID);

    token.flags = 0;
    token.ip_plen = 1;
    assert_int_equal(fota_token_mint(key, &token, &facts, text),
                     FOTA_INVALID);
}


/* HKDF gives each scope another key, and always the same one. */

static void
test_scope_keys(void **state)
{
    uint8_t  root[32], a[32], b[32], expect[32], info[9];

    memset(root, 0x42, sizeof(root));

    assert_int_equal(fota_token_key(a, root, 0x0102), FOTA_OK);
    assert_int_equal(fota_token_key(b, root, 0x0201), FOTA_OK);
    assert_memory_not_equal(a, b, 32);

    memcpy(info, "fota-dl\1\2", 9);
    assert_int_equal(fota_hkdf(expect, 32, fota_slice(root, 32),
                               fota_slice(info, 9)),
                     FOTA_OK);
    assert_memory_equal(a, expect, 32);
}


static void
test_device_tag(void **state)
{
    uint8_t     a[8], b[8], longid[FOTA_ID_MAX + 1];
    fota_str_t  none = fota_null_str;

    memset(longid, 'x', sizeof(longid));

    assert_int_equal(fota_token_device_tag(a, 1, fota_cstr("d")), FOTA_OK);
    assert_int_equal(fota_token_device_tag(b, 2, fota_cstr("d")), FOTA_OK);
    assert_memory_not_equal(a, b, 8);

    assert_int_equal(fota_token_device_tag(a, 1, none), FOTA_OK);
    assert_int_equal(fota_token_device_tag(a, 1,
                                           fota_slice(longid, FOTA_ID_MAX)),
                     FOTA_OK);
    assert_int_equal(fota_token_device_tag(a, 1,
                                           fota_slice(longid,
                                                      FOTA_ID_MAX + 1)),
                     FOTA_LIMIT);
}


static void
test_device_token(void **state)
{
    char        a[FOTA_DEVICE_TOKEN_LEN], b[FOTA_DEVICE_TOKEN_LEN];
    uint8_t     mac[32], longid[FOTA_ID_MAX + 1];
    fota_str_t  none = fota_null_str;

    memset(longid, 'x', sizeof(longid));

    assert_int_equal(fota_device_token(key, 7, fota_cstr("dev-0001"), a),
                     FOTA_OK);
    assert_int_equal(fota_device_token(key, 8, fota_cstr("dev-0001"), b),
                     FOTA_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(fota_device_token(key, 7, fota_cstr("dev-0002"), b),
                     FOTA_OK);
    assert_memory_not_equal(a, b, sizeof(a));

    assert_int_equal(fota_hmac(key, mac, "fota-dev/1\0\0\0\0\7dev-0001", 23),
                     FOTA_OK);
    (void) fota_base64url_encode(b, mac, 32);
    assert_memory_equal(a, b, sizeof(a));

    assert_int_equal(fota_device_token(key, 7, none, a), FOTA_OK);
    assert_int_equal(fota_device_token(key, 7,
                                       fota_slice(longid, FOTA_ID_MAX + 1),
                                       a),
                     FOTA_LIMIT);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_vectors),
        test(test_parse),
        test(test_form),
        test(test_bit_flips),
        test(test_forged),
        test(test_forged_learns_nothing),
        test(test_time),
        test(test_time_wraps),
        test(test_scope),
        test(test_address),
        test(test_cert),
        test(test_mint_refuses),
        test(test_scope_keys),
        test(test_device_tag),
        test(test_device_token)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
