/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_manifest.h"


static uint8_t          sec[32], pub[32];
static fota_manifest_t  base;


static int
setup(void **state)
{
    memset(&base, 0, sizeof(base));

    base.tenant = fota_cstr("demo");
    base.product = fota_cstr("dashcam-x1");
    base.version = fota_cstr("1.1.0");
    base.kind = fota_cstr("os");
    base.type = fota_cstr("delta");
    base.from = fota_cstr("1.0.0");
    base.format = fota_cstr("zstd-delta");
    base.size = 12345678901ULL;
    memset(base.sha256, 0xab, 32);

    return fota_ed25519_keygen(sec, pub);
}


static void
test_text(void **state)
{
    uint8_t     mem[FOTA_MANIFEST_MAX];
    fota_buf_t  out;

    static const char  expect[] =
        "fota-artifact/1\n"
        "tenant=demo\nproduct=dashcam-x1\nversion=1.1.0\nkind=os\n"
        "type=delta\nfrom=1.0.0\nformat=zstd-delta\n"
        "sha256="
        "abababababababababababababababababababababababababababababababab\n"
        "size=12345678901\n";

    fota_buf_fixed(&out, mem, sizeof(mem));
    assert_int_equal(fota_manifest_text(&base, &out), FOTA_OK);
    assert_int_equal(out.len, strlen(expect));
    assert_memory_equal(mem, expect, out.len);

    fota_buf_fixed(&out, mem, 50);
    assert_int_equal(fota_manifest_text(&base, &out), FOTA_FULL);
}


/* Every field is under the signature. */

static void
test_signature(void **state)
{
    size_t           i;
    uint8_t          sig[64];
    fota_manifest_t  m;

    assert_int_equal(fota_manifest_sign(&base, sec, sig), FOTA_OK);
    assert_int_equal(fota_manifest_verify(&base, pub, sig), FOTA_OK);

    fota_str_t *const  fields[] = {
        &m.tenant, &m.product, &m.version, &m.kind, &m.from, &m.format
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        m = base;
        *fields[i] = fota_cstr("other");
        assert_int_equal(fota_manifest_verify(&m, pub, sig), FOTA_FORGED);
    }

    m = base;
    m.type = fota_cstr("full");
    m.from = fota_cstr("");
    assert_int_equal(fota_manifest_verify(&m, pub, sig), FOTA_FORGED);

    m = base;
    m.size++;
    assert_int_equal(fota_manifest_verify(&m, pub, sig), FOTA_FORGED);

    m = base;
    m.sha256[31] ^= 1;
    assert_int_equal(fota_manifest_verify(&m, pub, sig), FOTA_FORGED);

    for (i = 0; i < 512; i++) {
        sig[i / 8] ^= (uint8_t) (1 << (i % 8));
        assert_int_equal(fota_manifest_verify(&base, pub, sig), FOTA_FORGED);
        sig[i / 8] ^= (uint8_t) (1 << (i % 8));
    }
}


/* No field can pretend to be another line. */

static void
test_bad_fields(void **state)
{
    char             bad[8], longer[FOTA_ID_MAX + 2];
    size_t           i, c;
    uint8_t          sig[64];
    fota_manifest_t  m;

    fota_str_t *const  fields[] = {
        &m.tenant, &m.product, &m.version, &m.kind, &m.from, &m.format
    };

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {

        for (c = 0; c < 256; c++) {
            if (c >= 0x20 && c < 0x7f) {
                continue;
            }

            /* 0x80.. alone is no UTF-8 */

            memcpy(bad, "a?b", 3);
            bad[1] = (char) c;

            m = base;
            *fields[i] = fota_slice(bad, 3);
            assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_INVALID);
            assert_int_equal(fota_manifest_verify(&m, pub, sig),
                             FOTA_INVALID);
        }

        m = base;
        *fields[i] = fota_cstr("");
        assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_INVALID);

        m = base;
        *fields[i] = fota_cstr(longer);
        assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_INVALID);

        m = base;
        *fields[i] = fota_cstr("\xc3\xa4\xe6\x9d\xb1");
        assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_OK);
    }

    m = base;
    m.type = fota_cstr("full");
    assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_INVALID);
    m.from = fota_cstr("");
    assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_OK);
    m.type = fota_cstr("half");
    assert_int_equal(fota_manifest_sign(&m, sec, sig), FOTA_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_signature, setup),
        cmocka_unit_test_setup(test_bad_fields, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
