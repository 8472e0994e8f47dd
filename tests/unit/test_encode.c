/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_encode.h"


/* RFC 4648, 10; the url form has no padding. */

static const struct {
    const char  *bytes;
    const char  *text;
    const char  *url;
    const char  *hex;
} vectors[] = {
    { "", "", "", "" },
    { "f", "Zg==", "Zg", "66" },
    { "fo", "Zm8=", "Zm8", "666f" },
    { "foo", "Zm9v", "Zm9v", "666f6f" },
    { "foob", "Zm9vYg==", "Zm9vYg", "666f6f62" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
    { "\xfb\xff\xbf", "+/+/", "-_-_", "fbffbf" },
};

#define NVECTORS  (sizeof(vectors) / sizeof(vectors[0]))


static void
test_vectors(void **state)
{
    char        text[32];
    size_t      i, n, len;
    uint8_t     out[16];
    const char  *bytes;

    for (i = 0; i < NVECTORS; i++) {
        bytes = vectors[i].bytes;
        n = strlen(bytes);

        len = fota_base64_encode(text, bytes, n);
        assert_int_equal(len, strlen(vectors[i].text));
        assert_memory_equal(text, vectors[i].text, len);
        assert_int_equal(fota_base64_decode(out, sizeof(out),
                                            fota_slice(text, len), &len),
                         FOTA_OK);
        assert_int_equal(len, n);
        assert_memory_equal(out, bytes, n);

        len = fota_base64url_encode(text, bytes, n);
        assert_int_equal(len, fota_base64url_len(n));
        assert_int_equal(len, strlen(vectors[i].url));
        assert_memory_equal(text, vectors[i].url, len);
        assert_int_equal(fota_base64url_decode(out, n, fota_slice(text, len),
                                               &len),
                         FOTA_OK);
        assert_int_equal(len, n);
        assert_memory_equal(out, bytes, n);

        if (n != 0) {
            len = fota_base64url_len(n);
            assert_int_equal(fota_base64url_decode(out, n - 1,
                                                   fota_cstr(vectors[i].url),
                                                   &len),
                             FOTA_LIMIT);
        }

        fota_hex_encode(text, bytes, n);
        assert_memory_equal(text, vectors[i].hex, 2 * n);
        assert_int_equal(fota_hex_decode(out, n, fota_slice(text, 2 * n)),
                         FOTA_OK);
        assert_memory_equal(out, bytes, n);
    }
}


static void
test_base64url_strict(void **state)
{
    size_t   i, n;
    uint8_t  out[16];

    static const char *const  bad[] = {
        "Z", "Zm9vY", "Zg==", "Zm8=", "Zh", "Zm9", "Zm8 ", " Zm8", "Zm+v",
        "Zm/v", "Z\n", "Zm9v\n", "=", "Zm9vZ_", "\xc3\xa9"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_base64url_decode(out, sizeof(out),
                                               fota_cstr(bad[i]), &n),
                         FOTA_INVALID);
    }
}


static void
test_base64_strict(void **state)
{
    size_t   i, n;
    uint8_t  out[16];

    static const char *const  bad[] = {
        "Zg", "Zm8", "Z===", "====", "Zg=a", "Zm9v=", "Zh==", "Zm9=",
        "Zm-v", "Zm_v", "Zg==Zg==", "Zm9v====", "Zm 9"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_base64_decode(out, sizeof(out),
                                            fota_cstr(bad[i]), &n),
                         FOTA_INVALID);
    }
}


static void
test_hex_strict(void **state)
{
    size_t   i;
    uint8_t  out[2];

    static const char *const  bad[] = {
        "", "0", "00", "000", "00000", "000000", "000g", "00 0", "0x00",
        "@000", "`000"
    };

    assert_int_equal(fota_hex_decode(out, 2, fota_cstr("aBcD")), FOTA_OK);
    assert_memory_equal(out, "\xab\xcd", 2);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_hex_decode(out, 2, fota_cstr(bad[i])),
                         FOTA_INVALID);
    }
}


/* One text for one value: what decodes encodes to the same again. */

static void
test_unique(void **state)
{
    char      text[3], again[3];
    size_t    n;
    uint8_t   out[2];
    unsigned  i, count;

    count = 0;

    for (i = 0; i < 128 * 128 * 128; i++) {
        text[0] = (char) (i & 127);
        text[1] = (char) (i >> 7 & 127);
        text[2] = (char) (i >> 14);

        if (fota_base64url_decode(out, 2, fota_slice(text, 3), &n)
            != FOTA_OK)
        {
            continue;
        }

        assert_int_equal(n, 2);
        assert_int_equal(fota_base64url_encode(again, out, 2), 3);
        assert_memory_equal(text, again, 3);
        count++;
    }

    assert_int_equal(count, 65536);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_base64url_strict),
        cmocka_unit_test(test_base64_strict),
        cmocka_unit_test(test_hex_strict),
        cmocka_unit_test(test_unique)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
