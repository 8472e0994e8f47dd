/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "fota_crypto.h"
#include "fota_encode.h"
#include "fota_hash.h"
#include "fota_spool.h"


#define FOTA_SPOOL_VERSION  1
#define FOTA_SPOOL_MAGIC    0x53504652

/* "<boot>-<worker>-<number>.seg" */
#define FOTA_SPOOL_NAME     (16 + 1 + 4 + 1 + 16 + 4)


static bool fota_spool_hex(const uint8_t *p, size_t n, uint64_t *out);
static uint32_t fota_spool_crc(uint32_t len, const uint8_t *rest, size_t n);
static bool fota_spool_zeros(const fota_rd_t *rd);


void
fota_spool_segment_encode(const fota_spool_segment_t *s, fota_buf_t *out)
{
    fota_buf_put(out, "FSS1", 4);
    fota_buf_u32(out, FOTA_SPOOL_VERSION);
    fota_buf_u64(out, s->boot);
    fota_buf_u32(out, s->worker);
    fota_buf_u64(out, s->number);
}


int
fota_spool_segment_decode(fota_rd_t *rd, fota_spool_segment_t *s)
{
    uint32_t    version;
    fota_str_t  magic;

    magic = fota_rd_bytes(rd, 4);
    version = fota_rd_u32(rd);
    s->boot = fota_rd_u64(rd);
    s->worker = fota_rd_u32(rd);
    s->number = fota_rd_u64(rd);

    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    if (memcmp(magic.data, "FSS1", 4) != 0 || version == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);

    } else if (version > FOTA_SPOOL_VERSION) {
        fota_rd_fail(rd, FOTA_TOO_NEW);
    }

    return rd->status;
}


/* Of the length and what follows the checksum. */

static uint32_t
fota_spool_crc(uint32_t len, const uint8_t *rest, size_t n)
{
    uint8_t  bytes[4];

    bytes[0] = (uint8_t) len;
    bytes[1] = (uint8_t) (len >> 8);
    bytes[2] = (uint8_t) (len >> 16);
    bytes[3] = (uint8_t) (len >> 24);

    return fota_crc32c(fota_crc32c(0, bytes, 4), rest, n);
}


int
fota_spool_record_encode(const fota_spool_record_t *r, fota_buf_t *out)
{
    size_t    i, at;
    uint32_t  crc;

    if (r->payload.len > FOTA_SPOOL_PAYLOAD_MAX) {
        return FOTA_LIMIT;
    }

    at = out->len;

    fota_buf_u32(out, FOTA_SPOOL_MAGIC);
    fota_buf_u32(out, (uint32_t) r->payload.len);
    fota_buf_u32(out, 0);
    fota_buf_u64(out, r->seq);
    fota_buf_put(out, r->report_id, sizeof(r->report_id));
    fota_buf_u64(out, r->recv_ms);
    fota_buf_str(out, r->payload);

    if (out->status != FOTA_OK) {

        /* A part of a record is worse than none of it. */

        out->len = at;
        return out->status;
    }

    crc = fota_spool_crc((uint32_t) r->payload.len, out->start + at + 12,
                         out->len - at - 12);

    for (i = 0; i < 4; i++) {
        out->start[at + 8 + i] = (uint8_t) (crc >> (8 * i));
    }

    return FOTA_OK;
}


/* File systems may leave zeros where a crash took the bytes of a write. */

static bool
fota_spool_zeros(const fota_rd_t *rd)
{
    const uint8_t  *p;

    for (p = rd->pos; p != rd->end; p++) {
        if (*p != 0) {
            return false;
        }
    }

    return true;
}


int
fota_spool_record_decode(fota_rd_t *rd, fota_spool_record_t *r)
{
    uint32_t        magic, len, crc;
    fota_rd_t       in;
    fota_str_t      id;
    const uint8_t  *rest;

    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    if (fota_rd_left(rd) == 0) {
        return FOTA_NOTFOUND;
    }

    /* A torn record leaves the reader where it was: more may come. */

    in = *rd;

    magic = fota_rd_u32(&in);

    if (in.status == FOTA_OK && magic != FOTA_SPOOL_MAGIC) {
        return fota_spool_zeros(&in) ? FOTA_TRUNCATED : FOTA_CORRUPT;
    }

    len = fota_rd_u32(&in);

    if (in.status == FOTA_OK && len > FOTA_SPOOL_PAYLOAD_MAX) {
        return FOTA_CORRUPT;
    }

    crc = fota_rd_u32(&in);

    rest = in.pos;

    r->seq = fota_rd_u64(&in);
    id = fota_rd_bytes(&in, sizeof(r->report_id));
    r->recv_ms = fota_rd_u64(&in);
    r->payload = fota_rd_bytes(&in, len);

    if (in.status != FOTA_OK) {
        return FOTA_TRUNCATED;
    }

    if (fota_spool_crc(len, rest, (size_t) (in.pos - rest)) != crc) {

        /*
         * A crash may leave the length of a file in front of its bytes; that
         * can only be so in the last record.
         */

        return fota_spool_zeros(&in) ? FOTA_TRUNCATED : FOTA_CORRUPT;
    }

    memcpy(r->report_id, id.data, sizeof(r->report_id));

    *rd = in;

    return FOTA_OK;
}


int
fota_spool_record_peek(fota_str_t data, uint64_t *seq, uint64_t *recv_ms)
{
    uint32_t   magic, len;
    fota_rd_t  rd;

    fota_rd_init(&rd, data);

    magic = fota_rd_u32(&rd);
    len = fota_rd_u32(&rd);
    (void) fota_rd_u32(&rd);
    *seq = fota_rd_u64(&rd);
    (void) fota_rd_bytes(&rd, 16);
    *recv_ms = fota_rd_u64(&rd);

    if (rd.status != FOTA_OK) {
        return rd.status;
    }

    return (magic == FOTA_SPOOL_MAGIC && len <= FOTA_SPOOL_PAYLOAD_MAX)
           ? FOTA_OK : FOTA_CORRUPT;
}


int
fota_spool_record_last(fota_str_t data, uint64_t *seq)
{
    size_t                at;
    fota_rd_t             rd;
    fota_spool_record_t   r;

    if (data.len < FOTA_SPOOL_RECORD_HEADER) {
        return FOTA_NOTFOUND;
    }

    for (at = data.len - FOTA_SPOOL_RECORD_HEADER + 1; at-- != 0; /* void */) {

        /* "RFPS" is how the magic stands in the file. */

        if (memcmp(data.data + at, "RFPS", 4) != 0) {
            continue;
        }

        fota_rd_init(&rd, fota_slice(data.data + at, data.len - at));

        if (fota_spool_record_decode(&rd, &r) == FOTA_OK) {
            *seq = r.seq;
            return FOTA_OK;
        }
    }

    return FOTA_NOTFOUND;
}


void
fota_spool_name(char *out, const fota_spool_segment_t *s)
{
    (void) snprintf(out, FOTA_SPOOL_NAME_MAX, "%016llx-%04x-%016llx.seg",
                    (unsigned long long) s->boot, s->worker & 0xffff,
                    (unsigned long long) s->number);
}


static bool
fota_spool_hex(const uint8_t *p, size_t n, uint64_t *out)
{
    size_t  i;

    *out = 0;

    for (i = 0; i < n; i++) {

        /* One name for one segment: lower case alone. */

        if (p[i] >= '0' && p[i] <= '9') {
            *out = (*out << 4) | (uint64_t) (p[i] - '0');

        } else if (p[i] >= 'a' && p[i] <= 'f') {
            *out = (*out << 4) | (uint64_t) (p[i] - 'a' + 10);

        } else {
            return false;
        }
    }

    return true;
}


int
fota_spool_name_parse(fota_str_t name, fota_spool_segment_t *s)
{
    uint64_t  worker;

    if (name.len != FOTA_SPOOL_NAME
        || name.data[16] != '-'
        || name.data[21] != '-'
        || memcmp(name.data + 38, ".seg", 4) != 0
        || !fota_spool_hex(name.data, 16, &s->boot)
        || !fota_spool_hex(name.data + 17, 4, &worker)
        || !fota_spool_hex(name.data + 22, 16, &s->number))
    {
        return FOTA_INVALID;
    }

    s->worker = (uint32_t) worker;

    return FOTA_OK;
}


int
fota_report_id(uint8_t id[16], uint32_t tenant, fota_str_t device,
    uint32_t rollout, uint16_t attempt, uint32_t seq)
{
    uint8_t     digest[32], mem[64 + FOTA_ID_MAX];
    fota_buf_t  in;

    if (device.len > FOTA_ID_MAX) {
        return FOTA_LIMIT;
    }

    fota_buf_fixed(&in, mem, sizeof(mem));

    fota_buf_put(&in, "fota-report/1", 14);
    fota_buf_u32(&in, tenant);
    fota_buf_lstr(&in, device);
    fota_buf_u32(&in, rollout);
    fota_buf_u16(&in, attempt);
    fota_buf_u32(&in, seq);

    if (fota_sha256(digest, in.start, in.len) != FOTA_OK) {
        return FOTA_ERROR;
    }

    memcpy(id, digest, 16);

    return FOTA_OK;
}
