/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* TZif files; what is read must survive the record codec. */


#include <stdlib.h>

#include "fota_zone.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t      i;
    fota_buf_t    b;
    fota_zone_t   z, again;
    fota_arena_t  arena;

    static uint8_t  mem[8192];

    fota_arena_init(&arena, 1 << 20);

    if (fota_zone_from_tzif(&arena.mem, fota_cstr("Zone"),
                            fota_slice(data, size), 1577836800, 2145916800,
                            &z)
        == FOTA_OK)
    {
        fota_buf_fixed(&b, mem, sizeof(mem));

        if (fota_zone_encode(&z, &b) != FOTA_OK
            || fota_zone_decode(&arena.mem, fota_buf_slice(&b), &again)
               != FOTA_OK
            || again.n != z.n)
        {
            abort();
        }

        for (i = 0; i < z.n; i++) {
            if (fota_zone_offset(&again, z.transitions[i].at)
                != z.transitions[i].offset)
            {
                abort();
            }
        }
    }

    (void) fota_zone_decode(&arena.mem, fota_slice(data, size), &z);

    fota_arena_free(&arena);

    return 0;
}
