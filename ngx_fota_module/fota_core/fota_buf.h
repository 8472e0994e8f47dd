/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Bounded cursors.  The error is sticky: a chain of reads or writes is
 * checked once at its end (idea: Knot DNS wire_ctx).
 */

#ifndef FOTA_BUF_H
#define FOTA_BUF_H


#include "fota_mem.h"
#include "fota_status.h"


/* Writer: fixed memory, or growing when mem-less realloc is wanted. */

typedef struct {
    uint8_t        *start;
    size_t          len;
    size_t          cap;
    size_t          max;        /* growth limit; == cap for a fixed buffer */
    unsigned        owned:1;    /* start is malloc'ed by us */
    fota_status_e   status;     /* FOTA_OK until the first failure */
} fota_buf_t;

/* Writes into memory of the caller; FOTA_FULL beyond cap. */
void fota_buf_fixed(fota_buf_t *b, void *mem, size_t cap);

/* Grows by malloc up to max bytes, then FOTA_LIMIT; free with _free. */
void fota_buf_grow(fota_buf_t *b, size_t max);

void fota_buf_free(fota_buf_t *b);

/* Empties it and clears the error; memory is kept. */
void fota_buf_reset(fota_buf_t *b);

/* Room for n more bytes, already counted in len; NULL on error. */
uint8_t *fota_buf_reserve(fota_buf_t *b, size_t n);

void fota_buf_put(fota_buf_t *b, const void *data, size_t n);
void fota_buf_str(fota_buf_t *b, fota_str_t s);
void fota_buf_cstr(fota_buf_t *b, const char *s);
void fota_buf_u64dec(fota_buf_t *b, uint64_t v);
void fota_buf_printf(fota_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Little-endian integers. */
void fota_buf_u8(fota_buf_t *b, uint8_t v);
void fota_buf_u16(fota_buf_t *b, uint16_t v);
void fota_buf_u32(fota_buf_t *b, uint32_t v);
void fota_buf_u64(fota_buf_t *b, uint64_t v);
/* u16 length, then the bytes; FOTA_LIMIT above 65 535. */
void fota_buf_lstr(fota_buf_t *b, fota_str_t s);

static inline fota_str_t
fota_buf_slice(const fota_buf_t *b)
{
    return fota_slice(b->start, b->len);
}


/* Reader over a slice; after an error every read gives zero or empty. */

typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
    fota_status_e   status;     /* FOTA_OK, FOTA_TRUNCATED, FOTA_CORRUPT... */
} fota_rd_t;

void fota_rd_init(fota_rd_t *rd, fota_str_t s);
uint8_t fota_rd_u8(fota_rd_t *rd);
uint16_t fota_rd_u16(fota_rd_t *rd);
uint32_t fota_rd_u32(fota_rd_t *rd);
uint64_t fota_rd_u64(fota_rd_t *rd);
/* n raw bytes, pointing into the input. */
fota_str_t fota_rd_bytes(fota_rd_t *rd, size_t n);
/* u16-prefixed string; above max the status becomes FOTA_LIMIT. */
fota_str_t fota_rd_lstr(fota_rd_t *rd, size_t max);
/* u16 count; above max FOTA_LIMIT; 0 after an error. */
uint32_t fota_rd_count(fota_rd_t *rd, uint32_t max);
/* Sets the first error by hand. */
void fota_rd_fail(fota_rd_t *rd, fota_status_e st);
static inline size_t
fota_rd_left(const fota_rd_t *rd)
{
    return (size_t) (rd->end - rd->pos);
}


#endif /* FOTA_BUF_H */
