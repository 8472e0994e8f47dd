/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What a hook may use up: bytes and work.  Knows nothing of Lua but the form
 * of its allocator, so that it is tested without a state.
 */

#ifndef FOTA_SCRIPT_LIMITS_H
#define FOTA_SCRIPT_LIMITS_H


#include "fota_mem.h"


/*
 * Work that a script may still do: VM instructions, and bytes allocated or
 * touched by helpers at FOTA_FUEL_BYTES to the instruction.
 */

#define FOTA_FUEL_BYTES      64
#define FOTA_FUEL_OVERDRAFT  1000       /* left for the error's own text */
#define FOTA_SCRIPT_STEP     500        /* instructions between two looks */
#define FOTA_SCRIPT_ALLOC    16384      /* bytes of one object in a call */

typedef struct {
    size_t    used;             /* bytes held by the state */
    size_t    cap;
    int64_t   fuel;
    unsigned  in_call:1;
    unsigned  trusted:1;
    unsigned  spent:1;          /* the budget is gone: nothing runs */
} fota_script_limits_t;

/* lua_Alloc over malloc; ud is a fota_script_limits_t. */
void *fota_script_alloc(void *ud, void *ptr, size_t osize, size_t nsize);


#endif /* FOTA_SCRIPT_LIMITS_H */
