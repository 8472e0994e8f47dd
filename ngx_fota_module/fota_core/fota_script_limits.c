/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>

#include "fota_script_limits.h"


void *
fota_script_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    void                  *p;
    fota_script_limits_t  *l = ud;

    if (ptr == NULL) {
        /* Lua gives a type there for new objects. */
        osize = 0;
    }

    if (nsize == 0) {
        free(ptr);
        l->used -= osize;
        return NULL;
    }

    if (nsize > osize) {
        if (l->used - osize + nsize > l->cap) {
            return NULL;
        }

        if (l->in_call && !l->trusted) {
            /*
             * One instruction may copy a whole string, so its length counts;
             * and no object may be so long that a single instruction hurts.
             */
            if (nsize > FOTA_SCRIPT_ALLOC) {
                return NULL;
            }

            if (l->fuel <= -FOTA_FUEL_OVERDRAFT) {
                l->spent = 1;
                return NULL;
            }

            l->fuel -= (int64_t) (nsize / FOTA_FUEL_BYTES);
        }
    }

    p = realloc(ptr, nsize);
    if (p == NULL) {
        /* Lua counts on shrinking to succeed. */
        return nsize <= osize ? ptr : NULL;
    }

    l->used += nsize;
    l->used -= osize;

    return p;
}
