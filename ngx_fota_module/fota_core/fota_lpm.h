/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Longest prefix match over 128-bit addresses (IPv4 as v4-mapped): sorted
 * ranges built once, binary search per look-up, no allocation then.
 */

#ifndef FOTA_LPM_H
#define FOTA_LPM_H

#include "fota_mem.h"
#include "fota_status.h"

typedef struct {
    uint8_t   addr[16];
    uint8_t   plen;             /* 0..128 */
    uint32_t  value;            /* index into the caller's array */
} fota_lpm_entry_t;

typedef struct fota_lpm_s  fota_lpm_t;

/* entries may be in any order; host bits are ignored; last duplicate wins. */
int fota_lpm_build(fota_mem_t *mem, const fota_lpm_entry_t *entries, size_t n,
    fota_lpm_t **out);

/* Value of the longest prefix that holds addr, or -1. */
int64_t fota_lpm_find(const fota_lpm_t *t, const uint8_t addr[16]);

#endif /* FOTA_LPM_H */
