/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * One record of a MaxMind DB data section (format 2.0), read in a single
 * pass: asking libmaxminddb for each field walks the record each time, which
 * makes a look-up cost three times as much.
 */

#ifndef FOTA_GEO_RECORD_H
#define FOTA_GEO_RECORD_H


#include "fota_geo.h"


/*
 * Adds what the record at offset tells to loc, which the caller zeroed; layout
 * is not AUTO.  False when it tells nothing or is broken.  Fields of a wrong
 * type or range are left out.  A position without city and post code counts
 * as the centroid of its country.
 */
bool fota_geo_record(const uint8_t *data, size_t size, size_t offset,
    fota_geo_layout_e layout, fota_location_t *loc);


#endif /* FOTA_GEO_RECORD_H */
