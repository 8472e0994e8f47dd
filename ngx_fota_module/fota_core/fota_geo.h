/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Locations.  The only door to libmaxminddb; both MaxMind's nested layout
 * (country.iso_code, location.latitude ...) and the flat one (country_code,
 * latitude ...) are read, from one file or from a v4 and a v6 file.
 * Everything is copied out, so a location survives the database.
 */

#ifndef FOTA_GEO_H
#define FOTA_GEO_H

#include "fota_status.h"
#include "fota_str.h"

typedef enum {
    FOTA_GEO_NONE = 0,          /* nothing is known of this address */
    FOTA_GEO_DB,
    FOTA_GEO_PREFIX,            /* operator's prefix table */
    FOTA_GEO_REPORTED           /* stated by a trusted caller (dry run) */
} fota_geo_src_e;

typedef struct {
    fota_geo_src_e  source;
    char            country[4];         /* "JP", "" = unknown */
    char            continent[4];       /* "AS" */
    char            region_code[12];    /* "13" (ISO 3166-2 part) */
    char            region[64];         /* "Tokyo" */
    char            city[64];
    char            tz[48];             /* "Asia/Tokyo" */
    uint32_t        country_id;         /* GeoNames ids, 0 = unknown */
    uint32_t        region_id;
    uint32_t        city_id;
    uint32_t        asn;
    double          lat;                /* degrees */
    double          lon;
    unsigned        has_position:1;
    unsigned        centroid:1;         /* position stands for a country */
} fota_location_t;

typedef struct fota_geo_s  fota_geo_t;

typedef enum {
    FOTA_GEO_AUTO = 0,          /* look at the data */
    FOTA_GEO_MAXMIND,
    FOTA_GEO_FLAT
} fota_geo_layout_e;

/*
 * Opens one file, or a v4 and a v6 file (file6 NULL: one file for both) and
 * an optional ASN file.  reason: static text on failure.
 */
int fota_geo_open(fota_geo_t **geo, const char *file, const char *file6,
    const char *asn_file, fota_geo_layout_e layout, const char **reason);

void fota_geo_close(fota_geo_t *geo);

/*
 * Fills loc; addr is 16 bytes, IPv4 as v4-mapped.  FOTA_OK or
 * FOTA_NOTFOUND (loc is then zeroed); a broken record is FOTA_NOTFOUND too.
 */
int fota_geo_lookup(fota_geo_t *geo, const uint8_t addr[16],
    fota_location_t *loc);

/* Build time of the (first) database, Unix seconds. */
uint64_t fota_geo_epoch(const fota_geo_t *geo);

/* Continent of an ISO 3166-1 country ("" if unknown); static text. */
const char *fota_geo_continent(const char *country);

/*
 * One entry of a rollout's geo scope: "JP", "JP/Tokyo", "JP/13",
 * "JP/Tokyo/Shinjuku" (every part given) or "geoname:1850147".
 * Names compare without ASCII case; region matches name or code.
 */
bool fota_geo_match(fota_str_t scope, const fota_location_t *loc);

/* FOTA_OK, FOTA_INVALID or FOTA_LIMIT for the text of a scope entry. */
int fota_geo_scope_check(fota_str_t scope);

/* Text address to 16 bytes v4-mapped; FOTA_INVALID. */
int fota_addr_parse(fota_str_t s, uint8_t addr[16]);

/* Is it an IPv4 address, v4-mapped? */
bool fota_addr_v4(const uint8_t addr[16]);

/* "10.0.0.0/8", "2001:db8::/32", or a plain address; plen on 128 bits. */
int fota_prefix_parse(fota_str_t s, uint8_t addr[16], uint8_t *plen);

#endif /* FOTA_GEO_H */
