/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_crypto.h"
#include "fota_encode.h"


static size_t
unhex(uint8_t *out, const char *hex)
{
    size_t  n;

    n = strlen(hex) / 2;

    assert_int_equal(fota_hex_decode(out, n, fota_cstr(hex)), FOTA_OK);

    return n;
}


static void
test_selftest(void **state)
{
    assert_int_equal(fota_crypto_selftest(), FOTA_OK);
}


/* FIPS 180-2, appendix B, and the empty message. */

static void
test_sha256(void **state)
{
    size_t          i, j;
    uint8_t         out[32], expect[32];
    fota_sha256_t  *h;

    static const struct {
        const char  *message;
        const char  *digest;
    } cases[] = {
        { "",
          "e3b0c44298fc1c149afbf4c8996fb924"
          "27ae41e4649b934ca495991b7852b855" },
        { "abc",
          "ba7816bf8f01cfea414140de5dae2223"
          "b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039"
          "a33ce45964ff2167f6ecedd419db06c1" }
    };

    h = fota_sha256_new();
    assert_non_null(h);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unhex(expect, cases[i].digest);

        assert_int_equal(fota_sha256(out, cases[i].message,
                                     strlen(cases[i].message)),
                         FOTA_OK);
        assert_memory_equal(out, expect, 32);

        for (j = 0; cases[i].message[j] != '\0'; j++) {
            assert_int_equal(fota_sha256_update(h, cases[i].message + j, 1),
                             FOTA_OK);
        }

        assert_int_equal(fota_sha256_update(h, NULL, 0), FOTA_OK);
        assert_int_equal(fota_sha256_final(h, out), FOTA_OK);
        assert_memory_equal(out, expect, 32);
    }

    fota_sha256_free(h);
    fota_sha256_free(NULL);
}


/* Cut anywhere, carry the state as bytes, go on: the same digest. */

static void
test_sha256_state(void **state)
{
    size_t          cut;
    uint8_t         data[300], whole[32], out[32], saved[FOTA_SHA256_STATE];
    fota_sha256_t  *a, *b;

    for (cut = 0; cut < sizeof(data); cut++) {
        data[cut] = (uint8_t) (cut * 7);
    }

    fota_sha256(whole, data, sizeof(data));

    for (cut = 0; cut <= sizeof(data); cut++) {
        a = fota_sha256_new();
        b = fota_sha256_new();

        assert_int_equal(fota_sha256_update(a, data, cut), FOTA_OK);
        assert_int_equal(fota_sha256_export(a, saved), FOTA_OK);

        assert_int_equal(fota_sha256_update(b, "other", 5), FOTA_OK);
        assert_int_equal(fota_sha256_import(b, saved), FOTA_OK);
        assert_int_equal(fota_sha256_update(b, data + cut,
                                            sizeof(data) - cut),
                         FOTA_OK);
        assert_int_equal(fota_sha256_final(b, out), FOTA_OK);
        assert_memory_equal(out, whole, 32);

        fota_sha256_free(a);
        fota_sha256_free(b);
    }
}


static void
test_sha256_state_bad(void **state)
{
    uint8_t         saved[FOTA_SHA256_STATE], bad[FOTA_SHA256_STATE];
    fota_sha256_t  *h;

    h = fota_sha256_new();
    assert_int_equal(fota_sha256_update(h, "hello", 5), FOTA_OK);
    assert_int_equal(fota_sha256_export(h, saved), FOTA_OK);

    memset(bad, 0xff, sizeof(bad));
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    /* A pending block longer than a block would be written beyond its end. */

    memcpy(bad, saved, sizeof(bad));
    bad[104] = 64;
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    memcpy(bad, saved, sizeof(bad));
    bad[104] = 6;
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    memcpy(bad, saved, sizeof(bad));
    bad[32]++;
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    memcpy(bad, saved, sizeof(bad));
    bad[40 + 63] = 1;
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    memcpy(bad, saved, sizeof(bad));
    bad[108] = 28;
    assert_int_equal(fota_sha256_import(h, bad), FOTA_ERROR);

    fota_sha256_free(h);
}


/* RFC 4231, section 4 (case 5 is truncated there). */

static void
test_hmac(void **state)
{
    size_t        i, klen, dlen, round;
    uint8_t       key[200], data[200], out[32], expect[32];
    fota_hmac_t  *h;

    static const struct {
        const char  *key;       /* hex, or one byte to be repeated */
        size_t       repeat;
        const char  *data;
        size_t       drepeat;
        const char  *mac;
    } cases[] = {
        { "0b", 20, "4869205468657265", 1,
          "b0344c61d8db38535ca8afceaf0bf12b"
          "881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", 1,
          "7768617420646f2079612077616e7420666f72206e6f7468696e673f", 1,
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843" },
        { "aa", 20, "dd", 50,
          "773ea91e36800e46854db8ebd09181a7"
          "2959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819", 1, "cd", 50,
          "82558a389a443c0ea4cc819899f2083a"
          "85f0faa3e578f8077a2e3ff46729665b" },
        { "aa", 131,
          "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
          "65204b6579202d2048617368204b6579204669727374", 1,
          "60e431591ee0b67f0d8a26aacbf5b77f"
          "8e0bc6213728c5140546040f0ee37f54" },
        { "aa", 131,
          "5468697320697320612074657374207573696e672061206c6172676572207468"
          "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
          "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
          "647320746f20626520686173686564206265666f7265206265696e6720757365"
          "642062792074686520484d414320616c676f726974686d2e", 1,
          "9b09ffa71b942fcb27635fbcd5b0e944"
          "bfdc63644f0713938a7f51535c3a35e2" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        klen = unhex(key, cases[i].key);
        dlen = unhex(data, cases[i].data);

        if (cases[i].repeat > 1) {
            memset(key, key[0], cases[i].repeat);
            klen = cases[i].repeat;
        }

        if (cases[i].drepeat > 1) {
            memset(data, data[0], cases[i].drepeat);
            dlen = cases[i].drepeat;
        }

        unhex(expect, cases[i].mac);

        h = fota_hmac_new(key, klen);
        assert_non_null(h);

        /* The kept key must survive other messages in between. */

        for (round = 0; round < 3; round++) {
            assert_int_equal(fota_hmac(h, out, data, dlen), FOTA_OK);
            assert_memory_equal(out, expect, 32);
            assert_int_equal(fota_hmac(h, out, NULL, 0), FOTA_OK);
            assert_memory_not_equal(out, expect, 32);
        }

        fota_hmac_free(h);
    }

    fota_hmac_free(NULL);
}


/* HMAC-SHA-256 of nothing under the empty key. */

static void
test_hmac_empty(void **state)
{
    uint8_t       out[32], expect[32];
    fota_hmac_t  *h;

    unhex(expect, "b613679a0814d9ec772f95d778c35fc5"
                  "ff1697c493715653c6c712144292c5ad");

    h = fota_hmac_new(NULL, 0);
    assert_non_null(h);
    assert_int_equal(fota_hmac(h, out, NULL, 0), FOTA_OK);
    assert_memory_equal(out, expect, 32);
    assert_int_equal(fota_hmac(h, out, NULL, 0), FOTA_OK);
    assert_memory_equal(out, expect, 32);
    fota_hmac_free(h);
}


/* RFC 5869, A.3: no salt, no info. */

static void
test_hkdf(void **state)
{
    uint8_t  ikm[22], out[42], expect[42], longer[255 * 32], info[3];

    memset(ikm, 0x0b, sizeof(ikm));

    unhex(expect, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f"
                  "3c738d2d9d201395faa4b61a96c8");

    assert_int_equal(fota_hkdf(out, 42, fota_slice(ikm, sizeof(ikm)),
                               fota_slice(NULL, 0)),
                     FOTA_OK);
    assert_memory_equal(out, expect, 42);

    /* The start of a longer output is the same, of other info is not. */

    assert_int_equal(fota_hkdf(longer, sizeof(longer),
                               fota_slice(ikm, sizeof(ikm)),
                               fota_slice(NULL, 0)),
                     FOTA_OK);
    assert_memory_equal(longer, expect, 42);

    memcpy(info, "abc", 3);
    assert_int_equal(fota_hkdf(out, 42, fota_slice(ikm, sizeof(ikm)),
                               fota_slice(info, 3)),
                     FOTA_OK);
    assert_memory_not_equal(out, expect, 42);

    assert_int_equal(fota_hkdf(longer, sizeof(longer) + 1,
                               fota_slice(ikm, sizeof(ikm)),
                               fota_slice(NULL, 0)),
                     FOTA_LIMIT);
}


/* RFC 8032, 7.1, tests 1 to 3. */

static void
test_ed25519(void **state)
{
    size_t   i, n;
    uint8_t  sec[32], pub[32], got[64], msg[8], sig[64];

    static const char *const  cases[][4] = {
        { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
          "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
          "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
        { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
          "72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
          "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
          "af82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
          "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unhex(sec, cases[i][0]);
        unhex(pub, cases[i][1]);
        n = unhex(msg, cases[i][2]);
        unhex(sig, cases[i][3]);

        assert_int_equal(fota_ed25519_public(sec, got), FOTA_OK);
        assert_memory_equal(got, pub, 32);

        assert_int_equal(fota_ed25519_sign(sec, fota_slice(msg, n), got),
                         FOTA_OK);
        assert_memory_equal(got, sig, 64);

        assert_int_equal(fota_ed25519_verify(pub, fota_slice(msg, n), sig),
                         FOTA_OK);

        msg[0] ^= 1;
        assert_int_equal(fota_ed25519_verify(pub, fota_slice(msg, n + 1),
                                             sig),
                         FOTA_FORGED);

        pub[0] ^= 1;
        assert_int_not_equal(fota_ed25519_verify(pub, fota_slice(msg, n),
                                                 sig),
                             FOTA_OK);
    }
}


static void
test_ed25519_keygen(void **state)
{
    uint8_t  a[32], b[32], pa[32], pb[32], sig[64];

    assert_int_equal(fota_ed25519_keygen(a, pa), FOTA_OK);
    assert_int_equal(fota_ed25519_keygen(b, pb), FOTA_OK);
    assert_memory_not_equal(a, b, 32);

    assert_int_equal(fota_ed25519_sign(a, fota_cstr("m"), sig), FOTA_OK);
    assert_int_equal(fota_ed25519_verify(pa, fota_cstr("m"), sig), FOTA_OK);
    assert_int_equal(fota_ed25519_verify(pb, fota_cstr("m"), sig),
                     FOTA_FORGED);
}


static void
test_seal(void **state)
{
    size_t   i;
    uint8_t  key[32], plain[32], out[32], sealed[60], again[60];

    assert_int_equal(fota_random(key, sizeof(key)), FOTA_OK);
    memset(plain, 0x5a, sizeof(plain));

    assert_int_equal(fota_seal(key, fota_cstr("aad"), fota_slice(plain, 32),
                               sealed),
                     FOTA_OK);
    assert_int_equal(fota_seal(key, fota_cstr("aad"), fota_slice(plain, 32),
                               again),
                     FOTA_OK);

    /* A nonce is never used twice. */

    assert_memory_not_equal(sealed, again, 12);

    assert_int_equal(fota_open(key, fota_cstr("aad"), fota_slice(sealed, 60),
                               out),
                     FOTA_OK);
    assert_memory_equal(out, plain, 32);

    for (i = 0; i < 60 * 8; i++) {
        sealed[i / 8] ^= (uint8_t) (1 << (i % 8));
        assert_int_equal(fota_open(key, fota_cstr("aad"),
                                   fota_slice(sealed, 60), out),
                         FOTA_FORGED);
        assert_memory_not_equal(out, plain, 32);
        sealed[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    assert_int_equal(fota_open(key, fota_cstr("aab"), fota_slice(sealed, 60),
                               out),
                     FOTA_FORGED);
    assert_int_equal(fota_open(key, fota_cstr("aad"), fota_slice(sealed, 59),
                               out),
                     FOTA_FORGED);
    assert_int_equal(fota_open(key, fota_cstr("aad"), fota_slice(sealed, 27),
                               out),
                     FOTA_FORGED);

    key[31] ^= 1;
    assert_int_equal(fota_open(key, fota_cstr("aad"), fota_slice(sealed, 60),
                               out),
                     FOTA_FORGED);

    /* Nothing to hide is fine as well. */

    assert_int_equal(fota_seal(key, fota_slice(NULL, 0), fota_slice(NULL, 0),
                               sealed),
                     FOTA_OK);
    assert_int_equal(fota_open(key, fota_slice(NULL, 0),
                               fota_slice(sealed, 28), out),
                     FOTA_OK);
}


static void
test_small(void **state)
{
    uint8_t  a[64], b[64];

    assert_int_equal(fota_random(a, sizeof(a)), FOTA_OK);
    assert_int_equal(fota_random(b, sizeof(b)), FOTA_OK);
    assert_int_equal(fota_random(NULL, 0), FOTA_OK);

    assert_false(fota_crypto_eq(a, b, sizeof(a)));
    assert_true(fota_crypto_eq(a, a, sizeof(a)));

    fota_cleanse(a, sizeof(a));
    memset(b, 0, sizeof(b));
    assert_true(fota_crypto_eq(a, b, sizeof(a)));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_selftest),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha256_state),
        cmocka_unit_test(test_sha256_state_bad),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hmac_empty),
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_ed25519_keygen),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_small)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
