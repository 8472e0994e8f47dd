/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "fota_geo_record.h"


/* The bytes are copied to memory of exactly their size, for ASAN to watch. */

static bool
record(const char *bytes, size_t n, size_t offset, fota_location_t *loc)
{
    bool      rc;
    uint8_t  *copy;

    copy = malloc(n == 0 ? 1 : n);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    memset(loc, 0, sizeof(fota_location_t));

    rc = fota_geo_record(copy, n, offset, FOTA_GEO_FLAT, loc);

    free(copy);

    return rc;
}


#define RECORD(bytes, offset, loc)                                            \
    record(bytes, sizeof(bytes) - 1, offset, loc)


static void
test_pointers(void **state)
{
    fota_location_t  loc;

    /* "country_code" and "JP" at 0 and 13; the map at 16 points at both. */

    assert_true(RECORD("\x4c" "country_code" "\x42" "JP"
                       "\xe1\x20\x00\x20\x0d", 16, &loc));
    assert_string_equal(loc.country, "JP");

    /* The record itself may be a pointer, here of two bytes. */

    assert_true(RECORD("\x20\x02\xe1\x4c" "country_code" "\x42" "JP", 0,
                       &loc));
    assert_string_equal(loc.country, "JP");

    /* One to itself, one to another, one past the end. */

    assert_false(RECORD("\x20\x00", 0, &loc));
    assert_false(RECORD("\x20\x02\x20\x04\xe1\x44" "city" "\x41" "x", 0,
                        &loc));
    assert_false(RECORD("\x27\xff", 0, &loc));
    assert_false(RECORD("\x38\xff\xff\xff\xff", 0, &loc));
    assert_false(RECORD("\x30\xff\xff\xff", 0, &loc));
    assert_false(RECORD("\x28\xff\xff", 0, &loc));

    /* A map that holds itself ends at the depth allowed. */

    assert_false(RECORD("\xe1\x44" "city" "\x20\x00", 0, &loc));
}


static void
test_types(void **state)
{
    fota_location_t  loc;

    /* int32 -35 and uint32 139: whole degrees. */

    assert_true(RECORD("\xe2\x48" "latitude" "\x04\x01\xff\xff\xff\xdd"
                       "\x49" "longitude" "\xc1\x8b", 0, &loc));
    assert_true(loc.has_position && loc.centroid);
    assert_float_equal(loc.lat, -35, 0);
    assert_float_equal(loc.lon, 139, 0);

    /* Whatever stands between is passed over: array, bool, uint64, bytes. */

    assert_true(RECORD("\xe5\x41" "a" "\x02\x04\x41" "x" "\x41" "y"
                       "\x41" "b" "\x01\x07"
                       "\x41" "c" "\x02\x02\x01\x02"
                       "\x41" "d" "\x83" "abc"
                       "\x4c" "country_code" "\x42" "jp", 0, &loc));
    assert_string_equal(loc.country, "JP");

    /* A uint64 that is no network number, and one of nine bytes. */

    assert_false(RECORD("\xe1\x58" "autonomous_system_number"
                        "\x05\x02\x01\x00\x00\x00\x00", 0, &loc));
    assert_false(RECORD("\xe1\x58" "autonomous_system_number"
                        "\x09\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01", 0,
                        &loc));
    assert_true(RECORD("\xe1\x58" "autonomous_system_number" "\xa2\xfb\xf4",
                       0, &loc));
    assert_int_equal(loc.asn, 64500);
}


static void
test_bounds(void **state)
{
    size_t           i;
    char             deep[64];
    fota_location_t  loc;

    static const char  good[] =
        "\xe3\x4c" "country_code" "\x42" "JP" "\x44" "city" "\x5d\x02"
        "0123456789012345678901234567890"
        "\x48" "latitude" "\x04\x08\x42\x0c\x00\x00";

    assert_true(record(good, sizeof(good) - 1, 0, &loc));
    assert_int_equal(strlen(loc.city), 31);

    for (i = 0; i < sizeof(good) - 1; i++) {
        assert_false(record(good, i, 0, &loc));
        assert_string_equal(loc.country, "");
    }

    assert_false(RECORD("", 0, &loc));
    assert_false(RECORD("\xe0", 1, &loc));
    assert_false(RECORD("\xe0", SIZE_MAX, &loc));
    assert_false(RECORD("\xe0", 0, &loc));

    /* Sizes beyond the data, an extended type that is none, a bad key. */

    assert_false(RECORD("\xff\xff\xff\xff", 0, &loc));
    assert_false(RECORD("\x5f\xff\xff\xff", 0, &loc));
    assert_false(RECORD("\x01\x00", 0, &loc));
    assert_false(RECORD("\x01\xff", 0, &loc));
    assert_false(RECORD("\xe1\xc1\x01\x41" "x", 0, &loc));

    /* Arrays in arrays. */

    for (i = 0; i < sizeof(deep); i += 2) {
        deep[i] = 1;
        deep[i + 1] = 4;
    }

    assert_false(record(deep, sizeof(deep), 0, &loc));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bounds)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
