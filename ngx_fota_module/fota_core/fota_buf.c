/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_buf.h"


#define FOTA_BUF_FIRST  256


static void fota_buf_fail(fota_buf_t *b, fota_status_e st);
static bool fota_buf_more(fota_buf_t *b, size_t n);


void
fota_buf_fixed(fota_buf_t *b, void *mem, size_t cap)
{
    b->start = mem;
    b->len = 0;
    b->cap = cap;
    b->max = cap;
    b->owned = 0;
    b->status = FOTA_OK;
}


void
fota_buf_grow(fota_buf_t *b, size_t max)
{
    b->start = NULL;
    b->len = 0;
    b->cap = 0;
    b->max = max;
    b->owned = 1;
    b->status = FOTA_OK;
}


void
fota_buf_free(fota_buf_t *b)
{
    if (b->owned) {
        free(b->start);
        b->start = NULL;
        b->cap = 0;
    }

    b->len = 0;
}


void
fota_buf_reset(fota_buf_t *b)
{
    b->len = 0;
    b->status = FOTA_OK;
}


static void
fota_buf_fail(fota_buf_t *b, fota_status_e st)
{
    if (b->status == FOTA_OK) {
        b->status = st;
    }
}


/* Makes room for n more bytes; false and a sticky error when there is none. */

static inline bool
fota_buf_room(fota_buf_t *b, size_t n)
{
    return (b->status == FOTA_OK && n <= b->cap - b->len)
           || fota_buf_more(b, n);
}


static bool
fota_buf_more(fota_buf_t *b, size_t n)
{
    size_t    cap;
    uint8_t  *p;

    if (b->status != FOTA_OK) {
        return false;
    }

    if (!b->owned) {
        b->status = FOTA_FULL;
        return false;
    }

    if (n > b->max - b->len) {
        b->status = FOTA_LIMIT;
        return false;
    }

    cap = (b->cap < FOTA_BUF_FIRST) ? FOTA_BUF_FIRST : b->cap;

    while (cap - b->len < n && cap <= b->max / 2) {
        cap *= 2;
    }

    if (cap > b->max || cap - b->len < n) {
        cap = b->max;
    }

    p = realloc(b->start, cap);

    if (p == NULL) {
        b->status = FOTA_NOMEM;
        return false;
    }

    b->start = p;
    b->cap = cap;

    return true;
}


uint8_t *
fota_buf_reserve(fota_buf_t *b, size_t n)
{
    uint8_t  *p;

    /* An empty reservation still needs an address to return. */

    if (!fota_buf_room(b, (n == 0 && b->start == NULL) ? 1 : n)) {
        return NULL;
    }

    p = b->start + b->len;
    b->len += n;

    return p;
}


void
fota_buf_put(fota_buf_t *b, const void *data, size_t n)
{
    if (n == 0 || !fota_buf_room(b, n)) {
        return;
    }

    memcpy(b->start + b->len, data, n);
    b->len += n;
}


void
fota_buf_str(fota_buf_t *b, fota_str_t s)
{
    fota_buf_put(b, s.data, s.len);
}


void
fota_buf_cstr(fota_buf_t *b, const char *s)
{
    fota_buf_put(b, s, strlen(s));
}


void
fota_buf_u64dec(fota_buf_t *b, uint64_t v)
{
    char    digits[20];
    size_t  i;

    i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + v % 10);
        v /= 10;
    } while (v != 0);

    fota_buf_put(b, digits + i, sizeof(digits) - i);
}


void
fota_buf_printf(fota_buf_t *b, const char *fmt, ...)
{
    int      n;
    char     small[256], *p;
    va_list  args;

    if (b->status != FOTA_OK) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);

    if (n < 0) {
        fota_buf_fail(b, FOTA_ERROR);
        return;
    }

    if ((size_t) n < sizeof(small)) {
        fota_buf_put(b, small, (size_t) n);
        return;
    }

    /* vsnprintf() writes a NUL that the buffer need not have room for. */

    if (!fota_buf_room(b, (size_t) n)) {
        return;
    }

    p = malloc((size_t) n + 1);

    if (p == NULL) {
        fota_buf_fail(b, FOTA_NOMEM);
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(p, (size_t) n + 1, fmt, args);
    va_end(args);

    fota_buf_put(b, p, (size_t) n);

    free(p);
}


void
fota_buf_u8(fota_buf_t *b, uint8_t v)
{
    if (fota_buf_room(b, 1)) {
        b->start[b->len++] = v;
    }
}


void
fota_buf_u16(fota_buf_t *b, uint16_t v)
{
    uint8_t  bytes[2];

    bytes[0] = (uint8_t) v;
    bytes[1] = (uint8_t) (v >> 8);

    fota_buf_put(b, bytes, sizeof(bytes));
}


void
fota_buf_u32(fota_buf_t *b, uint32_t v)
{
    size_t   i;
    uint8_t  bytes[4];

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t) (v >> (8 * i));
    }

    fota_buf_put(b, bytes, sizeof(bytes));
}


void
fota_buf_u64(fota_buf_t *b, uint64_t v)
{
    size_t   i;
    uint8_t  bytes[8];

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t) (v >> (8 * i));
    }

    fota_buf_put(b, bytes, sizeof(bytes));
}


void
fota_buf_lstr(fota_buf_t *b, fota_str_t s)
{
    if (s.len > UINT16_MAX) {
        fota_buf_fail(b, FOTA_LIMIT);
        return;
    }

    fota_buf_u16(b, (uint16_t) s.len);
    fota_buf_str(b, s);
}


void
fota_rd_init(fota_rd_t *rd, fota_str_t s)
{
    /* NULL has no defined differences; an empty slice gets an address. */

    rd->pos = (s.data == NULL) ? (const uint8_t *) "" : s.data;
    rd->end = rd->pos + ((s.data == NULL) ? 0 : s.len);
    rd->status = FOTA_OK;
}


void
fota_rd_fail(fota_rd_t *rd, fota_status_e st)
{
    if (rd->status == FOTA_OK) {
        rd->status = st;
        rd->pos = rd->end;
    }
}


/* The next n bytes or NULL. */

static const uint8_t *
fota_rd_take(fota_rd_t *rd, size_t n)
{
    const uint8_t  *p;

    if (rd->status != FOTA_OK) {
        return NULL;
    }

    if (n > fota_rd_left(rd)) {
        fota_rd_fail(rd, FOTA_TRUNCATED);
        return NULL;
    }

    p = rd->pos;
    rd->pos += n;

    return p;
}


uint8_t
fota_rd_u8(fota_rd_t *rd)
{
    const uint8_t  *p;

    p = fota_rd_take(rd, 1);

    return (p == NULL) ? 0 : p[0];
}


uint16_t
fota_rd_u16(fota_rd_t *rd)
{
    const uint8_t  *p;

    p = fota_rd_take(rd, 2);

    return (p == NULL) ? 0 : (uint16_t) (p[0] | (p[1] << 8));
}


uint32_t
fota_rd_u32(fota_rd_t *rd)
{
    const uint8_t  *p;

    p = fota_rd_take(rd, 4);

    if (p == NULL) {
        return 0;
    }

    return (uint32_t) p[0] | ((uint32_t) p[1] << 8) | ((uint32_t) p[2] << 16)
           | ((uint32_t) p[3] << 24);
}


uint64_t
fota_rd_u64(fota_rd_t *rd)
{
    size_t          i;
    uint64_t        v;
    const uint8_t  *p;

    p = fota_rd_take(rd, 8);

    if (p == NULL) {
        return 0;
    }

    v = 0;

    for (i = 0; i < 8; i++) {
        v |= (uint64_t) p[i] << (8 * i);
    }

    return v;
}


fota_str_t
fota_rd_bytes(fota_rd_t *rd, size_t n)
{
    const uint8_t  *p;

    p = fota_rd_take(rd, n);

    return fota_slice(p, (p == NULL) ? 0 : n);
}


fota_str_t
fota_rd_lstr(fota_rd_t *rd, size_t max)
{
    size_t  n;

    n = fota_rd_u16(rd);

    if (rd->status == FOTA_OK && n > max) {
        fota_rd_fail(rd, FOTA_LIMIT);
    }

    return fota_rd_bytes(rd, n);
}


uint32_t
fota_rd_count(fota_rd_t *rd, uint32_t max)
{
    uint32_t  n;

    n = fota_rd_u16(rd);

    if (n > max) {
        fota_rd_fail(rd, FOTA_LIMIT);
        return 0;
    }

    return n;
}
