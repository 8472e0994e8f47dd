/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_mem.h"


#define FOTA_ARENA_ALIGN  16
#define FOTA_ARENA_BLOCK  (16 * 1024 - 64)


/* The size is a multiple of FOTA_ARENA_ALIGN, so that data is aligned. */

struct fota_arena_block_s {
    fota_arena_block_t  *next;
    size_t               size;      /* of data */
    size_t               used;
    size_t               unused;
    uint8_t              data[];
};


static void *fota_arena_alloc(fota_mem_t *mem, size_t size);


void *
fota_calloc(fota_mem_t *mem, size_t n, size_t size)
{
    void    *p;
    size_t   total;

    if (__builtin_mul_overflow(n, size, &total)) {
        return NULL;
    }

    p = fota_alloc(mem, total);

    if (p != NULL) {
        memset(p, 0, total);
    }

    return p;
}


fota_str_t
fota_strdup(fota_mem_t *mem, fota_str_t s)
{
    uint8_t  *p;

    if (s.len == SIZE_MAX) {
        return fota_slice(NULL, 0);
    }

    p = fota_alloc(mem, s.len + 1);

    if (p == NULL) {
        return fota_slice(NULL, 0);
    }

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }

    p[s.len] = '\0';

    return fota_slice(p, s.len);
}


void
fota_arena_init(fota_arena_t *a, size_t cap)
{
    a->mem.alloc = fota_arena_alloc;
    a->blocks = NULL;
    a->used = 0;
    a->cap = cap;
}


static void *
fota_arena_alloc(fota_mem_t *mem, size_t size)
{
    void                *p;
    size_t               data;
    fota_arena_t        *a;
    fota_arena_block_t  *b;

    /* mem is the first member. */

    a = (fota_arena_t *) mem;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = (size + FOTA_ARENA_ALIGN - 1) & ~(size_t) (FOTA_ARENA_ALIGN - 1);

    if (a->cap != 0 && (a->used > a->cap || size > a->cap - a->used)) {
        return NULL;
    }

    b = a->blocks;

    if (b == NULL || size > b->size - b->used) {
        data = (size > FOTA_ARENA_BLOCK / 4) ? size : FOTA_ARENA_BLOCK;

        b = malloc(sizeof(fota_arena_block_t) + data);
        if (b == NULL) {
            return NULL;
        }

        b->size = data;
        b->used = 0;
        b->unused = 0;

        /* A block of its own must not hide the room left in the first. */

        if (a->blocks != NULL && data == size) {
            b->next = a->blocks->next;
            a->blocks->next = b;

        } else {
            b->next = a->blocks;
            a->blocks = b;
        }
    }

    p = b->data + b->used;
    b->used += size;
    a->used += size;

    return p;
}


void
fota_arena_reset(fota_arena_t *a)
{
    fota_arena_block_t  *b, *next;

    if (a->blocks != NULL) {
        for (b = a->blocks->next; b != NULL; b = next) {
            next = b->next;
            free(b);
        }

        a->blocks->next = NULL;
        a->blocks->used = 0;
    }

    a->used = 0;
}


void
fota_arena_free(fota_arena_t *a)
{
    fota_arena_reset(a);

    free(a->blocks);
    a->blocks = NULL;
}
