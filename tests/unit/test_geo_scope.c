/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fota_geo.h"


static fota_location_t
tokyo(void)
{
    fota_location_t  loc;

    memset(&loc, 0, sizeof(loc));

    loc.source = FOTA_GEO_DB;
    strcpy(loc.country, "JP");
    strcpy(loc.region_code, "13");
    strcpy(loc.region, "Tokyo");
    strcpy(loc.city, "Shinjuku");
    loc.country_id = 1861060;
    loc.region_id = 1850144;
    loc.city_id = 1850147;

    return loc;
}


static void
test_match(void **state)
{
    size_t           i;
    fota_location_t  loc, none;

    static const char  *yes[] = {
        "JP", "jp", "JP/Tokyo", "JP/TOKYO", "JP/13", "JP/Tokyo/Shinjuku",
        "jp/13/shinjuku", "geoname:1850147", "geoname:1850144",
        "GeoName:1850147", "geoname:1861060"
    };

    static const char  *no[] = {
        "US", "JP/Osaka", "JP/1", "JP/Tokyo/Shibuya", "JP/Osaka/Shinjuku",
        "geoname:1", "geoname:0", "JP/", "JP//Shinjuku", "J", "", "JPN",
        "JP/Tokyo/", "Tokyo"
    };

    loc = tokyo();
    memset(&none, 0, sizeof(none));

    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        assert_true(fota_geo_match(fota_cstr(yes[i]), &loc));
        assert_false(fota_geo_match(fota_cstr(yes[i]), &none));
    }

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        assert_false(fota_geo_match(fota_cstr(no[i]), &loc));
    }

    /* The country alone is known: a finer scope must not match. */

    memset(&none, 0, sizeof(none));
    strcpy(none.country, "JP");
    assert_true(fota_geo_match(fota_cstr("JP"), &none));
    assert_false(fota_geo_match(fota_cstr("JP/13"), &none));
    assert_false(fota_geo_match(fota_cstr("JP/Tokyo"), &none));

    strcpy(loc.region, "\xc3\x8ele-de-France");
    assert_true(fota_geo_match(fota_cstr("JP/\xc3\x8eLE-DE-FRANCE"), &loc));

    /* A city's name may hold a slash, a region's may not. */

    strcpy(loc.city, "A/B");
    assert_true(fota_geo_match(fota_cstr("JP/13/A/B"), &loc));
}


static void
test_check(void **state)
{
    char  text[160];

    assert_int_equal(fota_geo_scope_check(fota_cstr("JP")), FOTA_OK);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/13")), FOTA_OK);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/a/b")), FOTA_OK);
    assert_int_equal(fota_geo_scope_check(fota_cstr("geoname:7")), FOTA_OK);

    assert_int_equal(fota_geo_scope_check(fota_cstr("")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("J1")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP-13")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP//a")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/a/")), FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/a\tb")),
                     FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("JP/\xff")),
                     FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("geoname:")),
                     FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("geoname:0")),
                     FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("geoname:-1")),
                     FOTA_INVALID);
    assert_int_equal(fota_geo_scope_check(fota_cstr("geoname:4294967296")),
                     FOTA_LIMIT);

    memset(text, 'a', sizeof(text));
    memcpy(text, "JP/", 3);
    assert_int_equal(fota_geo_scope_check(fota_slice(text, 3 + 63)), FOTA_OK);
    assert_int_equal(fota_geo_scope_check(fota_slice(text, 3 + 64)),
                     FOTA_LIMIT);
    text[5] = '/';
    assert_int_equal(fota_geo_scope_check(fota_slice(text, 6 + 63)), FOTA_OK);
    assert_int_equal(fota_geo_scope_check(fota_slice(text, 6 + 64)),
                     FOTA_LIMIT);
}


static void
test_addr(void **state)
{
    size_t   i;
    uint8_t  a[16];

    static const uint8_t  mapped[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 33
    };

    static const uint8_t  v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

    static const char  *bad[] = {
        "", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", ":", ":::",
        "2001:db8::g", "fe80::1%eth0", "1.2.3.4/8", "::ffff:1.2.3.4.5",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"
    };

    assert_int_equal(fota_addr_parse(fota_cstr("192.0.2.33"), a), FOTA_OK);
    assert_memory_equal(a, mapped, 16);
    assert_int_equal(fota_addr_parse(fota_cstr("::ffff:192.0.2.33"), a),
                     FOTA_OK);
    assert_memory_equal(a, mapped, 16);
    assert_int_equal(fota_addr_parse(fota_cstr("2001:DB8::1"), a), FOTA_OK);
    assert_memory_equal(a, v6, 16);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_addr_parse(fota_cstr(bad[i]), a),
                         FOTA_INVALID);
    }

    assert_int_equal(fota_addr_parse(fota_slice("1.2.3.4\0", 8), a),
                     FOTA_INVALID);
}


static void
test_prefix(void **state)
{
    size_t   i;
    uint8_t  a[16], b[16], plen;

    static const char  *bad[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/08", "10.0.0.0/8/8", "::/129", "::/0128", "10.0.0/8",
        "10.0.0.0/ 8"
    };

    assert_int_equal(fota_prefix_parse(fota_cstr("10.0.0.0/8"), a, &plen),
                     FOTA_OK);
    assert_int_equal(plen, 104);

    /* Host bits are no part of a prefix. */

    assert_int_equal(fota_prefix_parse(fota_cstr("10.9.8.7/8"), b, &plen),
                     FOTA_OK);
    assert_memory_equal(a, b, 16);

    assert_int_equal(fota_prefix_parse(fota_cstr("10.9.255.7/22"), b, &plen),
                     FOTA_OK);
    assert_int_equal(plen, 118);
    assert_int_equal(fota_addr_parse(fota_cstr("10.9.252.0"), a), FOTA_OK);
    assert_memory_equal(a, b, 16);

    assert_int_equal(fota_prefix_parse(fota_cstr("0.0.0.0/0"), b, &plen),
                     FOTA_OK);
    assert_int_equal(plen, 96);
    assert_int_equal(b[11], 0xff);

    assert_int_equal(fota_prefix_parse(fota_cstr("2001:db8:1::/32"), b,
                                       &plen), FOTA_OK);
    assert_int_equal(plen, 32);
    assert_int_equal(b[5], 0);

    assert_int_equal(fota_prefix_parse(fota_cstr("::1"), b, &plen), FOTA_OK);
    assert_int_equal(plen, 128);
    assert_int_equal(fota_prefix_parse(fota_cstr("192.0.2.1"), b, &plen),
                     FOTA_OK);
    assert_int_equal(plen, 128);
    assert_int_equal(fota_prefix_parse(fota_cstr("ff::/0"), b, &plen),
                     FOTA_OK);
    assert_int_equal(plen, 0);
    assert_int_equal(b[1], 0);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fota_prefix_parse(fota_cstr(bad[i]), b, &plen),
                         FOTA_INVALID);
    }
}


static void
test_continent(void **state)
{
    char         cc[3], a, b;
    int          known;
    const char  *s;

    assert_string_equal(fota_geo_continent("JP"), "AS");
    assert_string_equal(fota_geo_continent("DE"), "EU");
    assert_string_equal(fota_geo_continent("ZA"), "AF");
    assert_string_equal(fota_geo_continent("US"), "NA");
    assert_string_equal(fota_geo_continent("BR"), "SA");
    assert_string_equal(fota_geo_continent("AU"), "OC");
    assert_string_equal(fota_geo_continent("AQ"), "AN");
    assert_string_equal(fota_geo_continent(""), "");
    assert_string_equal(fota_geo_continent("J"), "");
    assert_string_equal(fota_geo_continent("JPN"), "");
    assert_string_equal(fota_geo_continent("ZZ"), "");
    assert_string_equal(fota_geo_continent("jp"), "");

    /* The 249 codes of ISO 3166-1 and XK, each once. */

    known = 0;
    cc[2] = '\0';

    for (a = 'A'; a <= 'Z'; a++) {
        for (b = 'A'; b <= 'Z'; b++) {
            cc[0] = a;
            cc[1] = b;
            s = fota_geo_continent(cc);
            known += (s[0] != '\0');
        }
    }

    assert_int_equal(known, 250);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_addr),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_continent)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
