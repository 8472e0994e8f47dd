/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Prefixes nest or are disjoint, so a sweep over them in order with a stack
 * of the open ones cuts the address space into ranges that carry the value of
 * the innermost.  A range lasts until the next one starts.
 */


#include <stdlib.h>

#include "fota_lpm.h"


#define FOTA_LPM_NONE        UINT32_MAX
#define FOTA_LPM_MAX         (1u << 28)
#define FOTA_LPM_INDEX_MAX   16
#define FOTA_LPM_V4          ((uint64_t) 0xffff << 32)


typedef struct {
    uint64_t  hi;
    uint64_t  lo;
} fota_lpm_addr_t;


typedef struct {
    fota_lpm_addr_t  addr;
    uint32_t         value;
    uint32_t         order;
    uint8_t          plen;
} fota_lpm_item_t;


struct fota_lpm_s {
    uint32_t          n;
    fota_lpm_addr_t  *starts;   /* ascending, starts[0] is 0 */
    uint32_t         *values;   /* FOTA_LPM_NONE: nothing there */

    /*
     * Devices are on IPv4 mostly: index[i] is the range that holds the first
     * address of the i-th of 1 << bits blocks of it.
     */

    uint32_t          bits;
    uint32_t         *index;
};


static int fota_lpm_order(const void *a, const void *b);
static fota_lpm_addr_t fota_lpm_last(fota_lpm_addr_t a, uint8_t plen);
static void fota_lpm_put(fota_lpm_t *t, fota_lpm_addr_t start,
    uint32_t value);
static void fota_lpm_sweep(fota_lpm_t *t, const fota_lpm_item_t *items,
    size_t n);
static int fota_lpm_index(fota_mem_t *mem, fota_lpm_t *t);


static fota_lpm_addr_t
fota_lpm_load(const uint8_t addr[16])
{
    uint64_t         hi, lo;
    fota_lpm_addr_t  a;

    memcpy(&hi, addr, 8);
    memcpy(&lo, addr + 8, 8);

    a.hi = __builtin_bswap64(hi);
    a.lo = __builtin_bswap64(lo);

    return a;
}


static bool
fota_lpm_less(fota_lpm_addr_t a, fota_lpm_addr_t b)
{
    return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}


/* Outer before inner, and of duplicates the one given last comes last. */

static int
fota_lpm_order(const void *a, const void *b)
{
    const fota_lpm_item_t  *x, *y;

    x = a;
    y = b;

    if (fota_lpm_less(x->addr, y->addr)) {
        return -1;
    }

    if (fota_lpm_less(y->addr, x->addr)) {
        return 1;
    }

    if (x->plen != y->plen) {
        return (x->plen < y->plen) ? -1 : 1;
    }

    return (x->order < y->order) ? -1 : x->order > y->order;
}


static fota_lpm_addr_t
fota_lpm_last(fota_lpm_addr_t a, uint8_t plen)
{
    if (plen < 64) {
        a.hi |= UINT64_MAX >> plen;
        a.lo = UINT64_MAX;

    } else if (plen < 128) {
        a.lo |= UINT64_MAX >> (plen - 64);
    }

    return a;
}


int
fota_lpm_build(fota_mem_t *mem, const fota_lpm_entry_t *entries, size_t n,
    fota_lpm_t **out)
{
    int               rc;
    size_t            i;
    fota_lpm_t       *t;
    fota_lpm_item_t  *items;

    if (n > FOTA_LPM_MAX) {
        return FOTA_LIMIT;
    }

    t = fota_calloc(mem, 1, sizeof(fota_lpm_t));

    if (t == NULL) {
        return FOTA_NOMEM;
    }

    /* A prefix starts a range and gives way to another at its end. */

    t->starts = fota_calloc(mem, 2 * n + 1, sizeof(fota_lpm_addr_t));
    t->values = fota_calloc(mem, 2 * n + 1, sizeof(uint32_t));

    /* Scratch is not left to an owner that may keep it for hours. */

    items = malloc((n + 1) * sizeof(fota_lpm_item_t));

    rc = FOTA_NOMEM;

    if (t->starts == NULL || t->values == NULL || items == NULL) {
        goto done;
    }

    rc = FOTA_INVALID;

    for (i = 0; i < n; i++) {

        if (entries[i].plen > 128 || entries[i].value == FOTA_LPM_NONE) {
            goto done;
        }

        items[i].addr = fota_lpm_load(entries[i].addr);
        items[i].plen = entries[i].plen;
        items[i].value = entries[i].value;
        items[i].order = (uint32_t) i;

        if (items[i].plen < 64) {
            items[i].addr.hi &= ~(UINT64_MAX >> items[i].plen);
            items[i].addr.lo = 0;

        } else if (items[i].plen < 128) {
            items[i].addr.lo &= ~(UINT64_MAX >> (items[i].plen - 64));
        }
    }

    qsort(items, n, sizeof(fota_lpm_item_t), fota_lpm_order);

    fota_lpm_sweep(t, items, n);

    rc = fota_lpm_index(mem, t);

    if (rc == FOTA_OK) {
        *out = t;
    }

done:

    free(items);

    return rc;
}


static void
fota_lpm_sweep(fota_lpm_t *t, const fota_lpm_item_t *items, size_t n)
{
    size_t           i, depth;
    fota_lpm_addr_t  start, last[129];
    uint32_t         value[130];

    /* value[0] is what holds outside of every prefix. */

    depth = 0;
    value[0] = FOTA_LPM_NONE;
    start.hi = 0;
    start.lo = 0;

    fota_lpm_put(t, start, FOTA_LPM_NONE);

    for (i = 0; i <= n; i++) {

        /* Close what ends before this one, all of it behind the last. */

        while (depth != 0
               && (i == n || fota_lpm_less(last[depth - 1], items[i].addr)))
        {
            depth--;
            start = last[depth];
            start.lo++;
            start.hi += (start.lo == 0);

            if (start.hi == 0 && start.lo == 0) {
                continue;
            }

            fota_lpm_put(t, start, value[depth]);
        }

        if (i == n) {
            return;
        }

        /* Duplicates: only the last of them is opened. */

        if (i + 1 < n && items[i + 1].plen == items[i].plen
            && items[i + 1].addr.hi == items[i].addr.hi
            && items[i + 1].addr.lo == items[i].addr.lo)
        {
            continue;
        }

        last[depth] = fota_lpm_last(items[i].addr, items[i].plen);
        value[++depth] = items[i].value;

        fota_lpm_put(t, items[i].addr, items[i].value);
    }
}


/* Starts never go down; at the same address the later, inner one counts. */

static void
fota_lpm_put(fota_lpm_t *t, fota_lpm_addr_t start, uint32_t value)
{
    uint32_t  n;

    n = t->n;

    if (n != 0 && t->starts[n - 1].hi == start.hi
        && t->starts[n - 1].lo == start.lo)
    {
        n--;
    }

    if (n != 0 && t->values[n - 1] == value) {
        t->n = n;
        return;
    }

    t->starts[n] = start;
    t->values[n] = value;
    t->n = n + 1;
}


static int
fota_lpm_index(fota_mem_t *mem, fota_lpm_t *t)
{
    uint32_t         i, r;
    fota_lpm_addr_t  a;

    while (t->bits < FOTA_LPM_INDEX_MAX && (2u << t->bits) < t->n) {
        t->bits++;
    }

    t->index = fota_calloc(mem, (1u << t->bits) + 1, sizeof(uint32_t));

    if (t->index == NULL) {
        return FOTA_NOMEM;
    }

    r = 0;
    a.hi = 0;

    for (i = 0; i <= 1u << t->bits; i++) {
        a.lo = FOTA_LPM_V4 + ((uint64_t) i << (32 - t->bits));

        while (r + 1 < t->n && !fota_lpm_less(a, t->starts[r + 1])) {
            r++;
        }

        t->index[i] = r;
    }

    return FOTA_OK;
}


int64_t
fota_lpm_find(const fota_lpm_t *t, const uint8_t addr[16])
{
    uint32_t         lo, n, half, block;
    fota_lpm_addr_t  a;

    a = fota_lpm_load(addr);

    /* The answer is one of n ranges from lo on. */

    lo = 0;
    n = t->n;

    if (a.hi == 0 && a.lo >> 32 == 0xffff) {
        block = (uint32_t) ((a.lo & UINT32_MAX) >> (32 - t->bits));
        lo = t->index[block];
        n = t->index[block + 1] - lo + 1;
    }

    while (n > 1) {
        half = n / 2;
        lo = fota_lpm_less(a, t->starts[lo + half]) ? lo : lo + half;
        n -= half;
    }

    return (t->values[lo] == FOTA_LPM_NONE) ? -1 : (int64_t) t->values[lo];
}
