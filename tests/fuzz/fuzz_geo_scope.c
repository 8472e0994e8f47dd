/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Scope entries, addresses and prefixes are the same bytes here. */


#include <stdlib.h>

#include "fota_geo.h"
#include "fota_lpm.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t           addr[16], plen;
    fota_str_t        s;
    fota_lpm_t       *t;
    fota_arena_t      arena;
    fota_location_t   loc;
    fota_lpm_entry_t  e;

    s = fota_slice(data, size);

    memset(&loc, 0, sizeof(loc));

    if (fota_geo_match(s, &loc)) {
        abort();
    }

    strcpy(loc.country, "JP");
    strcpy(loc.region, "Tokyo");
    strcpy(loc.region_code, "13");
    strcpy(loc.city, "Shinjuku");
    loc.city_id = 1850147;

    /* What matches a place is a scope by its form at least. */

    if (fota_geo_match(s, &loc) && fota_geo_scope_check(s) != FOTA_OK) {
        abort();
    }

    if (fota_addr_parse(s, addr) == FOTA_OK
        && (fota_prefix_parse(s, addr, &plen) != FOTA_OK || plen != 128))
    {
        abort();
    }

    if (fota_prefix_parse(s, e.addr, &e.plen) == FOTA_OK) {
        e.value = 5;
        fota_arena_init(&arena, 0);

        if (e.plen > 128
            || fota_lpm_build(&arena.mem, &e, 1, &t) != FOTA_OK
            || fota_lpm_find(t, e.addr) != 5)
        {
            abort();
        }

        fota_arena_free(&arena);
    }

    return 0;
}
