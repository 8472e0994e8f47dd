/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A data section whose first byte says where the record begins. */


#include <math.h>
#include <stdlib.h>

#include "fota_geo_record.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              layout;
    fota_location_t  loc;

    if (size == 0) {
        return 0;
    }

    for (layout = FOTA_GEO_MAXMIND; layout <= FOTA_GEO_FLAT; layout++) {
        memset(&loc, 0, sizeof(loc));

        (void) fota_geo_record(data + 1, size - 1, data[0],
                               (fota_geo_layout_e) layout, &loc);

        if (!fota_str_utf8(fota_cstr(loc.city))
            || !fota_str_utf8(fota_cstr(loc.region))
            || !(fabs(loc.lat) <= 90) || !(fabs(loc.lon) <= 180))
        {
            abort();
        }
    }

    return 0;
}
