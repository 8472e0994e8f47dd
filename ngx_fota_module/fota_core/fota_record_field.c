/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <math.h>

#include "fota_record_field.h"


void
fota_enc_begin(fota_enc_t *e, fota_buf_t *out, fota_table_e table)
{
    e->out = out;
    e->start = out->len;
    e->status = FOTA_OK;

    fota_buf_u8(out, (uint8_t) table);
    fota_buf_u8(out, FOTA_RECORD_VERSION);
}


int
fota_enc_end(fota_enc_t *e)
{
    if (e->status == FOTA_OK) {
        e->status = e->out->status;
    }

    if (e->status == FOTA_OK && e->out->len - e->start > FOTA_VALUE_MAX) {
        e->status = FOTA_LIMIT;
    }

    if (e->status != FOTA_OK) {
        /* Half a record must not be taken for a whole one. */
        e->out->len = e->start;
    }

    return e->status;
}


void
fota_enc_fail(fota_enc_t *e, fota_status_e st)
{
    if (e->status == FOTA_OK) {
        e->status = st;
    }
}


void
fota_enc_str(fota_enc_t *e, fota_str_t s, size_t max)
{
    if (s.len > max) {
        fota_enc_fail(e, FOTA_LIMIT);
        return;
    }

    fota_buf_lstr(e->out, s);
}


void
fota_enc_name(fota_enc_t *e, fota_str_t s, size_t max)
{
    if (s.len == 0) {
        fota_enc_fail(e, FOTA_INVALID);
        return;
    }

    fota_enc_str(e, s, max);
}


void
fota_enc_count(fota_enc_t *e, size_t n, size_t max)
{
    if (n > max) {
        fota_enc_fail(e, FOTA_LIMIT);
        return;
    }

    fota_buf_u16(e->out, (uint16_t) n);
}


void
fota_enc_names(fota_enc_t *e, const fota_str_t *names, size_t n, size_t max,
    size_t len)
{
    size_t  i;

    fota_enc_count(e, n, max);

    for (i = 0; e->status == FOTA_OK && i < n; i++) {
        fota_enc_name(e, names[i], len);
    }
}


void
fota_enc_enum(fota_enc_t *e, uint8_t v, uint8_t n)
{
    if (v >= n) {
        fota_enc_fail(e, FOTA_INVALID);
        return;
    }

    fota_buf_u8(e->out, v);
}


void
fota_enc_chars(fota_enc_t *e, const char *s, size_t size)
{
    size_t  n;

    n = strnlen(s, size);

    fota_enc_str(e, fota_slice(s, n), size - 1);
}


void
fota_enc_double(fota_enc_t *e, double v, double limit)
{
    uint64_t  bits;

    if (!isfinite(v) || fabs(v) > limit) {
        fota_enc_fail(e, FOTA_INVALID);
        return;
    }

    memcpy(&bits, &v, sizeof(bits));

    fota_buf_u64(e->out, bits);
}


void
fota_enc_code(fota_enc_t *e, fota_str_t code)
{
    if (code.len != 0 && code.len <= FOTA_FILTER_CODE_MAX
        && fota_filter_check(code) != FOTA_OK)
    {
        fota_enc_fail(e, FOTA_INVALID);
        return;
    }

    fota_enc_str(e, code, FOTA_FILTER_CODE_MAX);
}


void
fota_dec_begin(fota_rd_t *rd, fota_str_t in, fota_table_e table)
{
    uint8_t  t, version;

    fota_rd_init(rd, in);

    if (in.len > FOTA_VALUE_MAX) {
        fota_rd_fail(rd, FOTA_LIMIT);
        return;
    }

    t = fota_rd_u8(rd);
    version = fota_rd_u8(rd);

    if (rd->status != FOTA_OK) {
        return;
    }

    if (t != (uint8_t) table || version == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return;
    }

    if (version > FOTA_RECORD_VERSION) {
        fota_rd_fail(rd, FOTA_TOO_NEW);
    }
}


int
fota_dec_end(fota_rd_t *rd)
{
    if (rd->status == FOTA_OK && fota_rd_left(rd) != 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return rd->status;
}


fota_str_t
fota_dec_name(fota_rd_t *rd, size_t max)
{
    fota_str_t  s;

    s = fota_rd_lstr(rd, max);

    if (s.len == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return s;
}


uint16_t
fota_dec_array(fota_rd_t *rd, fota_mem_t *mem, uint32_t max, size_t min,
    size_t size, void *array)
{
    void      *p;
    uint32_t   n;

    memset(array, 0, sizeof(void *));

    n = fota_rd_count(rd, max);

    if (n == 0) {
        return 0;
    }

    if (n * min > fota_rd_left(rd)) {
        fota_rd_fail(rd, FOTA_TRUNCATED);
        return 0;
    }

    p = fota_calloc(mem, n, size);

    if (p == NULL) {
        fota_rd_fail(rd, FOTA_NOMEM);
        return 0;
    }

    /* The type of the array is the caller's. */

    memcpy(array, &p, sizeof(p));

    return (uint16_t) n;
}


uint16_t
fota_dec_names(fota_rd_t *rd, fota_mem_t *mem, uint32_t max, size_t len,
    fota_str_t **names)
{
    uint16_t  i, n;

    /* One takes its length and a byte at the least. */

    n = fota_dec_array(rd, mem, max, 3, sizeof(fota_str_t), names);

    for (i = 0; i < n; i++) {
        (*names)[i] = fota_dec_name(rd, len);
    }

    return n;
}


uint8_t
fota_dec_enum(fota_rd_t *rd, uint8_t n)
{
    uint8_t  v;

    v = fota_rd_u8(rd);

    if (v >= n) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return 0;
    }

    return v;
}


uint8_t
fota_dec_bits(fota_rd_t *rd, uint8_t mask)
{
    uint8_t  v;

    v = fota_rd_u8(rd);

    if ((v & ~mask) != 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return 0;
    }

    return v;
}


void
fota_dec_chars(fota_rd_t *rd, char *out, size_t size)
{
    fota_str_t  s;

    memset(out, 0, size);

    s = fota_rd_lstr(rd, size - 1);

    if (s.len == 0) {
        return;
    }

    if (memchr(s.data, '\0', s.len) != NULL) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return;
    }

    memcpy(out, s.data, s.len);
}


double
fota_dec_double(fota_rd_t *rd, double limit)
{
    double    v;
    uint64_t  bits;

    bits = fota_rd_u64(rd);

    memcpy(&v, &bits, sizeof(v));

    if (!isfinite(v) || fabs(v) > limit) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return 0;
    }

    return v;
}


fota_str_t
fota_dec_code(fota_rd_t *rd)
{
    fota_str_t  code;

    code = fota_rd_lstr(rd, FOTA_FILTER_CODE_MAX);

    if (code.len != 0 && fota_filter_check(code) != FOTA_OK) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return code;
}


void
fota_dec_copy(fota_rd_t *rd, void *out, size_t n)
{
    fota_str_t  s;

    s = fota_rd_bytes(rd, n);

    if (s.data != NULL) {
        memcpy(out, s.data, n);

    } else if (n != 0) {
        memset(out, 0, n);
    }
}
