/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What needs no database: scope entries of rollouts, addresses, prefixes. */


#include <arpa/inet.h>

#include "fota_geo.h"


#define FOTA_GEONAME         "geoname:"
#define FOTA_GEO_NAME_BYTES  63     /* what fota_location_t keeps of a name */
#define FOTA_ADDR_BYTES      45     /* INET6_ADDRSTRLEN without the NUL */


typedef struct {
    fota_str_t  country;
    fota_str_t  region;         /* data == NULL: any */
    fota_str_t  city;           /* data == NULL: any */
    uint32_t    geoname;        /* 0: by names */
} fota_geo_scope_t;


static int fota_geo_scope_parse(fota_str_t s, fota_geo_scope_t *out);
static int fota_geo_scope_name(fota_str_t s);
static bool fota_geo_same(fota_str_t a, const char *b);


static bool
fota_geo_letter(uint8_t c)
{
    c |= 0x20;

    return c >= 'a' && c <= 'z';
}


static int
fota_geo_scope_parse(fota_str_t s, fota_geo_scope_t *out)
{
    int             rc;
    size_t          n;
    uint64_t        id;
    fota_str_t      rest;
    const uint8_t  *slash;

    memset(out, 0, sizeof(fota_geo_scope_t));

    n = sizeof(FOTA_GEONAME) - 1;

    if (s.len > n
        && fota_str_eq_nocase(fota_slice(s.data, n), fota_cstr(FOTA_GEONAME)))
    {
        rc = fota_str_u64(fota_slice(s.data + n, s.len - n), UINT32_MAX, &id);

        if (rc != FOTA_OK) {
            return rc;
        }

        out->geoname = (uint32_t) id;

        /* 0 stands for "unknown" in a location and must not match it. */

        return (id == 0) ? FOTA_INVALID : FOTA_OK;
    }

    if (s.len < 2 || !fota_geo_letter(s.data[0])
        || !fota_geo_letter(s.data[1]))
    {
        return FOTA_INVALID;
    }

    out->country = fota_slice(s.data, 2);

    if (s.len == 2) {
        return FOTA_OK;
    }

    if (s.data[2] != '/') {
        return FOTA_INVALID;
    }

    rest = fota_slice(s.data + 3, s.len - 3);
    slash = memchr(rest.data, '/', rest.len);

    if (slash == NULL) {
        out->region = rest;
        return fota_geo_scope_name(rest);
    }

    n = (size_t) (slash - rest.data);

    out->region = fota_slice(rest.data, n);
    out->city = fota_slice(slash + 1, rest.len - n - 1);

    rc = fota_geo_scope_name(out->region);

    return (rc == FOTA_OK) ? fota_geo_scope_name(out->city) : rc;
}


static int
fota_geo_scope_name(fota_str_t s)
{
    size_t  i;

    if (s.len == 0) {
        return FOTA_INVALID;
    }

    /* Locations keep no more, so a longer name could never match. */

    if (s.len > FOTA_GEO_NAME_BYTES) {
        return FOTA_LIMIT;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return FOTA_INVALID;
        }
    }

    return FOTA_OK;
}


static bool
fota_geo_same(fota_str_t a, const char *b)
{
    return b[0] != '\0' && fota_str_eq_nocase(a, fota_cstr(b));
}


bool
fota_geo_match(fota_str_t scope, const fota_location_t *loc)
{
    fota_geo_scope_t  g;

    if (fota_geo_scope_parse(scope, &g) != FOTA_OK) {
        return false;
    }

    if (g.geoname != 0) {
        return g.geoname == loc->city_id || g.geoname == loc->region_id
               || g.geoname == loc->country_id;
    }

    if (!fota_geo_same(g.country, loc->country)) {
        return false;
    }

    if (g.region.data != NULL && !fota_geo_same(g.region, loc->region)
        && !fota_geo_same(g.region, loc->region_code))
    {
        return false;
    }

    return g.city.data == NULL || fota_geo_same(g.city, loc->city);
}


int
fota_geo_scope_check(fota_str_t scope)
{
    int               rc;
    fota_geo_scope_t  g;

    rc = fota_geo_scope_parse(scope, &g);

    if (rc == FOTA_OK && !fota_str_utf8(scope)) {
        return FOTA_INVALID;
    }

    return rc;
}


int
fota_addr_parse(fota_str_t s, uint8_t addr[16])
{
    char  text[FOTA_ADDR_BYTES + 1];

    if (s.len == 0 || s.len > FOTA_ADDR_BYTES
        || memchr(s.data, '\0', s.len) != NULL)
    {
        return FOTA_INVALID;
    }

    memcpy(text, s.data, s.len);
    text[s.len] = '\0';

    if (memchr(s.data, ':', s.len) != NULL) {
        return (inet_pton(AF_INET6, text, addr) == 1) ? FOTA_OK
                                                      : FOTA_INVALID;
    }

    if (inet_pton(AF_INET, text, addr + 12) != 1) {
        return FOTA_INVALID;
    }

    memset(addr, 0, 10);
    addr[10] = 0xff;
    addr[11] = 0xff;

    return FOTA_OK;
}


bool
fota_addr_v4(const uint8_t addr[16])
{
    static const uint8_t  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    return memcmp(addr, mapped, sizeof(mapped)) == 0;
}


int
fota_prefix_parse(fota_str_t s, uint8_t addr[16], uint8_t *plen)
{
    int             rc;
    size_t          n, i;
    uint64_t        bits, max;
    const uint8_t  *slash;

    if (s.len == 0) {
        return FOTA_INVALID;
    }

    slash = memchr(s.data, '/', s.len);
    n = (slash == NULL) ? s.len : (size_t) (slash - s.data);

    rc = fota_addr_parse(fota_slice(s.data, n), addr);

    if (rc != FOTA_OK) {
        return rc;
    }

    if (slash == NULL) {
        *plen = 128;
        return FOTA_OK;
    }

    max = (memchr(s.data, ':', n) == NULL) ? 32 : 128;

    /* "/" and a number without leading zeros. */

    n = s.len - n - 1;

    if (n == 0 || n > 3 || (n > 1 && slash[1] == '0')
        || fota_str_u64(fota_slice(slash + 1, n), max, &bits) != FOTA_OK)
    {
        return FOTA_INVALID;
    }

    bits += 128 - max;
    *plen = (uint8_t) bits;

    /* One prefix has one text in keys, whatever host bits were typed. */

    for (i = bits / 8; i < 16; i++) {
        addr[i] &= (i == bits / 8) ? (uint8_t) ~(0xff >> (bits % 8)) : 0;
    }

    return FOTA_OK;
}
