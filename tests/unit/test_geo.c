/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fota_geo.h"


static char  dir[] = "/tmp/fota-geo-XXXXXX";
static char  path[4][64];


static const char  script[] =
    "import sys\n"
    "from mmdb import *\n"
    "d = sys.argv[1] + '/'\n"
    "tokyo = maxmind('JP', '13', 'Tokyo', 1850144, 'Shinjuku', 1850147,\n"
    "                35.69, 139.70, 'Asia/Tokyo', 'AS', '160-0022')\n"
    "write_mmdb(d + 'city', {\n"
    "    '192.0.2.0/24': tokyo,\n"
    "    '192.0.2.128/25': maxmind('DE', lat=51.3, lon=9.49, tz='Europe/B'),\n"
    "    '192.0.3.0/24': maxmind('DE', lat=51.3, lon=9.49, postal='34117'),\n"
    "    '192.0.4.0/24': {'foo': 'bar'},\n"
    "    '192.0.5.0/24': maxmind('FR', asn=64499),\n"
    "    '192.0.6.0/24': {'country': {'iso_code': 'Germany'},\n"
    "        'location': {'latitude': 91.0, 'longitude': float('nan')}},\n"
    "    '192.0.7.0/24': {'country': 'DE', 'city': ['x'],\n"
    "        'subdivisions': [], 'location': {'latitude': '1',\n"
    "        'longitude': True}},\n"
    "    '192.0.8.0/24': maxmind('jp', region='\\u0442' * 40,\n"
    "        city='b\\udcffd', lat=-35, lon=-139.0),\n"
    "    '192.0.9.0/24': 'text',\n"
    "    '192.0.10.0/24': maxmind('US', city='Nul\\0', lat=1, lon=2),\n"
    "    '2001:db8::/32': maxmind('AU', 'NSW', city='Sydney', lat=-33.9,\n"
    "                             lon=151.2),\n"
    "}, build_epoch=1700000000)\n"
    "write_mmdb(d + 'flat4', {\n"
    "    '192.0.2.0/24': flat('JP', 'Tokyo', 'Shinjuku', 35.69, 139.70,\n"
    "                         'Asia/Tokyo', '160'),\n"
    "    '192.0.3.0/24': flat('US', lat=37.751, lon=-97.822),\n"
    "    '192.0.4.0/24': flat('US', lat=37.7, lon=-97.8, postcode='9'),\n"
    "}, ip_version=4, record_size=28)\n"
    "write_mmdb(d + 'flat6', {\n"
    "    '2001:db8::/32': flat('AU', 'NSW', 'Sydney', -33.9, 151.2),\n"
    "}, record_size=32)\n"
    "write_mmdb(d + 'asn', {\n"
    "    '192.0.2.0/24': {'autonomous_system_number': 64500,\n"
    "                     'autonomous_system_organization': 'X'},\n"
    "    '192.0.77.0/24': {'autonomous_system_number': 64501},\n"
    "    '192.0.78.0/24': {'autonomous_system_number': 'x'},\n"
    "    '2001:db8::/32': {'autonomous_system_number': 4200000000},\n"
    "}, database_type='ASN')\n";


static int
setup(void **state)
{
    FILE        *p;
    char         cmd[512];
    size_t       i;
    const char  *tests, *top;

    static const char  *names[] = { "city", "flat4", "flat6", "asn" };

    tests = getenv("FOTA_TESTS");
    top = getenv("FOTA_TOP");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%s", dir, names[i]);
    }

    snprintf(cmd, sizeof(cmd),
             "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='%s%s/e2e/support' "
             "/usr/bin/python3 - %s",
             (tests != NULL || top == NULL) ? "" : top,
             (tests != NULL) ? tests : (top == NULL) ? "tests" : "/tests",
             dir);

    p = popen(cmd, "w");

    if (p == NULL) {
        return -1;
    }

    fputs(script, p);

    return pclose(p);
}


static int
teardown(void **state)
{
    size_t  i;
    char    bad[64];

    for (i = 0; i < 4; i++) {
        unlink(path[i]);
    }

    snprintf(bad, sizeof(bad), "%s/bad", dir);
    unlink(bad);

    return rmdir(dir);
}


static fota_geo_t *
open_geo(const char *file, const char *file6, const char *asn)
{
    fota_geo_t  *geo;
    const char  *reason;

    reason = "";

    if (fota_geo_open(&geo, file, file6, asn, FOTA_GEO_AUTO, &reason)
        != FOTA_OK)
    {
        fail_msg("%s: %s", file, reason);
    }

    return geo;
}


static int
lookup(fota_geo_t *geo, const char *addr, fota_location_t *loc)
{
    uint8_t  a[16];

    assert_int_equal(fota_addr_parse(fota_cstr(addr), a), FOTA_OK);
    memset(loc, 0xa5, sizeof(fota_location_t));

    return fota_geo_lookup(geo, a, loc);
}


static void
test_maxmind(void **state)
{
    fota_geo_t       *geo;
    fota_location_t   loc, zero;

    geo = open_geo(path[0], NULL, path[3]);
    memset(&zero, 0, sizeof(zero));

    assert_int_equal(fota_geo_epoch(geo), 1700000000);

    assert_int_equal(lookup(geo, "192.0.2.1", &loc), FOTA_OK);
    assert_int_equal(loc.source, FOTA_GEO_DB);
    assert_string_equal(loc.country, "JP");
    assert_string_equal(loc.continent, "AS");
    assert_string_equal(loc.region_code, "13");
    assert_string_equal(loc.region, "Tokyo");
    assert_string_equal(loc.city, "Shinjuku");
    assert_string_equal(loc.tz, "Asia/Tokyo");
    assert_int_equal(loc.country_id, 2);
    assert_int_equal(loc.region_id, 1850144);
    assert_int_equal(loc.city_id, 1850147);
    assert_int_equal(loc.asn, 64500);
    assert_true(loc.has_position);
    assert_false(loc.centroid);
    assert_float_equal(loc.lat, 35.69, 1e-9);
    assert_float_equal(loc.lon, 139.70, 1e-9);

    /* Only a country: its middle.  The continent is ours. */

    assert_int_equal(lookup(geo, "192.0.2.200", &loc), FOTA_OK);
    assert_string_equal(loc.country, "DE");
    assert_string_equal(loc.continent, "EU");
    assert_string_equal(loc.city, "");
    assert_true(loc.has_position && loc.centroid);
    assert_int_equal(loc.asn, 64500);

    assert_int_equal(lookup(geo, "192.0.3.1", &loc), FOTA_OK);
    assert_true(loc.has_position);
    assert_false(loc.centroid);

    assert_int_equal(lookup(geo, "192.0.4.1", &loc), FOTA_NOTFOUND);
    assert_memory_equal(&loc, &zero, sizeof(loc));

    assert_int_equal(lookup(geo, "192.0.5.1", &loc), FOTA_OK);
    assert_int_equal(loc.asn, 64499);
    assert_false(loc.has_position || loc.centroid);

    /* Values of a wrong kind or range are as if they were not there. */

    assert_int_equal(lookup(geo, "192.0.6.1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "192.0.7.1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "192.0.9.1", &loc), FOTA_NOTFOUND);

    assert_int_equal(lookup(geo, "192.0.8.1", &loc), FOTA_OK);
    assert_string_equal(loc.country, "JP");
    assert_int_equal(strlen(loc.region), 62);
    assert_true(fota_str_utf8(fota_cstr(loc.region)));
    assert_string_equal(loc.city, "");
    assert_true(loc.has_position && loc.centroid);
    assert_float_equal(loc.lat, -35, 0);

    assert_int_equal(lookup(geo, "192.0.10.1", &loc), FOTA_OK);
    assert_string_equal(loc.city, "");

    assert_int_equal(lookup(geo, "2001:db8::5", &loc), FOTA_OK);
    assert_string_equal(loc.city, "Sydney");
    assert_string_equal(loc.region_code, "NSW");
    assert_true(loc.asn == 4200000000u);

    /* The network alone is something, too. */

    assert_int_equal(lookup(geo, "192.0.77.1", &loc), FOTA_OK);
    assert_int_equal(loc.asn, 64501);
    assert_string_equal(loc.country, "");
    assert_string_equal(loc.continent, "");

    assert_int_equal(lookup(geo, "192.0.78.1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "10.0.0.1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "::1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "2001:db9::1", &loc), FOTA_NOTFOUND);
    assert_memory_equal(&loc, &zero, sizeof(loc));

    fota_geo_close(geo);
}


static void
test_flat(void **state)
{
    fota_geo_t       *geo;
    const char       *reason;
    fota_location_t   loc;

    geo = open_geo(path[1], path[2], NULL);

    assert_int_equal(lookup(geo, "192.0.2.1", &loc), FOTA_OK);
    assert_string_equal(loc.country, "JP");
    assert_string_equal(loc.continent, "AS");
    assert_string_equal(loc.region, "Tokyo");
    assert_string_equal(loc.city, "Shinjuku");
    assert_string_equal(loc.tz, "Asia/Tokyo");
    assert_float_equal(loc.lat, 35.69, 1e-5);
    assert_false(loc.centroid);
    assert_int_equal(loc.asn, 0);

    assert_int_equal(lookup(geo, "192.0.3.1", &loc), FOTA_OK);
    assert_true(loc.has_position && loc.centroid);
    assert_int_equal(lookup(geo, "192.0.4.1", &loc), FOTA_OK);
    assert_false(loc.centroid);

    assert_int_equal(lookup(geo, "2001:db8::1", &loc), FOTA_OK);
    assert_string_equal(loc.city, "Sydney");
    assert_int_equal(lookup(geo, "2001:db9::1", &loc), FOTA_NOTFOUND);

    fota_geo_close(geo);

    /* One file of IPv4 knows nothing of IPv6, without an error. */

    geo = open_geo(path[1], NULL, NULL);
    assert_int_equal(lookup(geo, "2001:db8::1", &loc), FOTA_NOTFOUND);
    assert_int_equal(lookup(geo, "192.0.2.1", &loc), FOTA_OK);
    fota_geo_close(geo);

    /* The layout as told, not as it is. */

    assert_int_equal(fota_geo_open(&geo, path[1], NULL, NULL,
                                   FOTA_GEO_MAXMIND, &reason), FOTA_OK);
    assert_int_equal(lookup(geo, "192.0.2.1", &loc), FOTA_NOTFOUND);
    fota_geo_close(geo);
}


static void
test_refused(void **state)
{
    FILE        *f;
    char         bad[64];
    fota_geo_t  *geo;
    const char  *reason;

    reason = NULL;
    snprintf(bad, sizeof(bad), "%s/bad", dir);

    assert_int_equal(fota_geo_open(&geo, bad, NULL, NULL, FOTA_GEO_AUTO,
                                   &reason), FOTA_IO);
    assert_string_equal(reason, "cannot be opened or read");

    f = fopen(bad, "w");
    assert_non_null(f);
    fputs("no database", f);
    fclose(f);

    assert_int_equal(fota_geo_open(&geo, bad, NULL, NULL, FOTA_GEO_AUTO,
                                   &reason), FOTA_CORRUPT);
    assert_int_equal(fota_geo_open(&geo, path[0], NULL, bad, FOTA_GEO_AUTO,
                                   &reason), FOTA_CORRUPT);
    assert_int_equal(fota_geo_open(&geo, path[0], path[1], NULL,
                                   FOTA_GEO_AUTO, &reason), FOTA_INVALID);
    assert_string_equal(reason, "the IPv6 file holds IPv4 addresses");

    fota_geo_close(NULL);
}


/* Any byte may be wrong: no crash, and what is told is well-formed. */

static void
test_damaged(void **state)
{
    int              round;
    FILE            *f;
    char             bad[64];
    size_t           n, i;
    fota_geo_t      *geo;
    const char      *reason;
    fota_location_t  loc;

    static uint8_t      file[65536];
    static const char  *addrs[] = {
        "192.0.2.1", "192.0.2.200", "192.0.8.1", "2001:db8::1", "8.8.8.8"
    };

    snprintf(bad, sizeof(bad), "%s/bad", dir);

    f = fopen(path[0], "rb");
    assert_non_null(f);
    n = fread(file, 1, sizeof(file), f);
    fclose(f);

    for (round = 0; round < 600; round++) {
        i = (size_t) round * 7919 % n;
        file[i] ^= (uint8_t) (1 + round % 255);

        f = fopen(bad, "wb");
        assert_non_null(f);
        fwrite(file, 1, n, f);
        fclose(f);

        if (fota_geo_open(&geo, bad, NULL, NULL, FOTA_GEO_AUTO, &reason)
            == FOTA_OK)
        {
            size_t  k;

            for (k = 0; k < 5; k++) {
                if (lookup(geo, addrs[k], &loc) == FOTA_OK) {
                    assert_true(fota_str_utf8(fota_cstr(loc.city)));
                    assert_true(strlen(loc.country) < 3);
                }
            }

            fota_geo_close(geo);
        }

        file[i] ^= (uint8_t) (1 + round % 255);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_maxmind),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
