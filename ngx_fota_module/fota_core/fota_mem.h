/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Memory enters core as an argument.  An allocator never frees single
 * blocks: everything it gave lives until its owner drops the whole (an nginx
 * request pool, an arena below).
 */

#ifndef FOTA_MEM_H
#define FOTA_MEM_H


#include "fota_str.h"


typedef struct fota_mem_s  fota_mem_t;

struct fota_mem_s {
    /* Returns memory aligned for any type, or NULL; size > 0. */
    void  *(*alloc)(fota_mem_t *mem, size_t size);
};


static inline void *
fota_alloc(fota_mem_t *mem, size_t size)
{
    return mem->alloc(mem, size ? size : 1);
}


/* n * size zeroed bytes; NULL on overflow or when out of memory. */
void *fota_calloc(fota_mem_t *mem, size_t n, size_t size);

/* Copy into mem, NUL-terminated beyond len; data == NULL when out of memory. */
fota_str_t fota_strdup(fota_mem_t *mem, fota_str_t s);


/* An arena over malloc with a cap, for daemons, tests and decoded policy. */

typedef struct fota_arena_block_s  fota_arena_block_t;

typedef struct {
    fota_mem_t           mem;       /* first: &arena->mem is the allocator */
    fota_arena_block_t  *blocks;
    size_t               used;      /* bytes handed out */
    size_t               cap;       /* 0 = unlimited */
} fota_arena_t;

/* cap: most bytes ever handed out (0 = no cap). */
void fota_arena_init(fota_arena_t *a, size_t cap);

/* Forgets everything handed out; the first block is kept for reuse. */
void fota_arena_reset(fota_arena_t *a);

void fota_arena_free(fota_arena_t *a);


#endif /* FOTA_MEM_H */
