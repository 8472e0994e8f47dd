/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_sync_frame.h"


#define FOTA_CHUNK_HEADER     12
#define FOTA_CHUNK_REF        36
#define FOTA_SNAPSHOT_HEADER  (16 + 3 * 8 + 2 + 32 + 8 * FOTA_T__N + 4)
#define FOTA_SNAPSHOT_MAX                                                     \
    (FOTA_FRAME_HEADER + FOTA_SNAPSHOT_HEADER                                 \
     + FOTA_CHUNKS_MAX * FOTA_CHUNK_REF + FOTA_ED25519_SIG)


static int fota_snapshot_message(fota_str_t body, fota_buf_t *msg);


/* The signed bytes, to be freed. */

static int
fota_snapshot_message(fota_str_t body, fota_buf_t *msg)
{
    fota_buf_grow(msg, FOTA_SNAPSHOT_MAX);
    fota_buf_put(msg, "fota-snap/1", 12);
    fota_buf_str(msg, body);

    return msg->status;
}


int
fota_snapshot_encode(const fota_snapshot_t *s, const uint8_t sec[32],
    fota_buf_t *out)
{
    int         rc;
    size_t      i, at;
    uint8_t     sig[FOTA_ED25519_SIG];
    fota_buf_t  msg;

    if (s->nchunks > FOTA_CHUNKS_MAX) {
        return FOTA_LIMIT;
    }

    at = out->len;

    fota_frame_begin(out, "FSM1");

    fota_buf_put(out, s->id, sizeof(s->id));
    fota_buf_u64(out, s->epoch);
    fota_buf_u64(out, s->seq);
    fota_buf_u64(out, s->ts);
    fota_buf_u16(out, s->kid);
    fota_buf_put(out, s->chain, 32);

    for (i = 0; i < FOTA_T__N; i++) {
        fota_buf_u64(out, s->counts[i]);
    }

    fota_buf_u32(out, s->nchunks);

    for (i = 0; i < s->nchunks; i++) {
        if (s->chunks[i].size < FOTA_CHUNK_HEADER
            || s->chunks[i].size > FOTA_CHUNK_MAX)
        {
            return FOTA_LIMIT;
        }

        fota_buf_put(out, s->chunks[i].sha256, 32);
        fota_buf_u32(out, s->chunks[i].size);
    }

    fota_frame_end(out, at);

    if (out->status != FOTA_OK) {
        return out->status;
    }

    rc = fota_snapshot_message(fota_slice(out->start + at + FOTA_FRAME_HEADER,
                                          out->len - at - FOTA_FRAME_HEADER),
                               &msg);

    if (rc == FOTA_OK) {
        rc = fota_ed25519_sign(sec, fota_buf_slice(&msg), sig);
    }

    fota_buf_free(&msg);

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_put(out, sig, sizeof(sig));

    return out->status;
}


int
fota_snapshot_decode(fota_mem_t *mem, fota_str_t in, fota_sync_key_pt pub,
    void *ctx, fota_snapshot_t *s)
{
    int             rc;
    size_t          i;
    fota_rd_t       rd;
    fota_buf_t      msg;
    fota_str_t      body, sig, id, chain, hash;
    const uint8_t  *key;

    fota_rd_init(&rd, in);

    rc = fota_frame_decode(&rd, "FSM1", FOTA_SNAPSHOT_MAX, &body, &sig);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_rd_left(&rd) != 0) {
        return FOTA_CORRUPT;
    }

    fota_rd_init(&rd, body);

    id = fota_rd_bytes(&rd, 16);
    s->epoch = fota_rd_u64(&rd);
    s->seq = fota_rd_u64(&rd);
    s->ts = fota_rd_u64(&rd);
    s->kid = fota_rd_u16(&rd);
    chain = fota_rd_bytes(&rd, 32);

    for (i = 0; i < FOTA_T__N; i++) {
        s->counts[i] = fota_rd_u64(&rd);
    }

    s->nchunks = fota_rd_u32(&rd);

    if (rd.status != FOTA_OK) {
        return FOTA_CORRUPT;
    }

    memcpy(s->id, id.data, 16);
    memcpy(s->chain, chain.data, 32);

    key = pub(ctx, s->kid);
    if (key == NULL) {
        return FOTA_UNKNOWN_KEY;
    }

    rc = fota_snapshot_message(body, &msg);

    if (rc == FOTA_OK) {
        rc = fota_ed25519_verify(key, fota_buf_slice(&msg), sig.data);
    }

    fota_buf_free(&msg);

    if (rc != FOTA_OK) {
        return rc;
    }

    if (s->nchunks > FOTA_CHUNKS_MAX) {
        return FOTA_LIMIT;
    }

    if (fota_rd_left(&rd) != (size_t) s->nchunks * FOTA_CHUNK_REF) {
        return FOTA_CORRUPT;
    }

    s->chunks = fota_calloc(mem, s->nchunks, sizeof(fota_chunk_ref_t));
    if (s->chunks == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < s->nchunks; i++) {
        hash = fota_rd_bytes(&rd, 32);
        memcpy(s->chunks[i].sha256, hash.data, 32);
        s->chunks[i].size = fota_rd_u32(&rd);

        if (s->chunks[i].size < FOTA_CHUNK_HEADER
            || s->chunks[i].size > FOTA_CHUNK_MAX)
        {
            return FOTA_LIMIT;
        }
    }

    return FOTA_OK;
}


void
fota_chunk_begin(fota_buf_t *out, uint32_t index)
{
    fota_buf_reset(out);
    fota_buf_put(out, "FSC1", 4);
    fota_buf_u32(out, index);
    fota_buf_u32(out, 0);
}


void
fota_chunk_entry(fota_buf_t *out, uint8_t table, fota_str_t key,
    fota_str_t value)
{
    fota_entry_encode(out, table, key, value);
}


void
fota_chunk_end(fota_buf_t *out, uint32_t nentries)
{
    fota_frame_patch32(out, 8, nentries);
}


int
fota_chunk_open(fota_str_t in, fota_rd_t *rd, uint32_t *index,
    uint32_t *nentries)
{
    fota_str_t  magic;

    fota_rd_init(rd, in);

    magic = fota_rd_bytes(rd, 4);
    *index = fota_rd_u32(rd);
    *nentries = fota_rd_u32(rd);

    if (rd->status == FOTA_OK && memcmp(magic.data, "FSC1", 4) != 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return rd->status;
}


int
fota_chunk_next(fota_rd_t *rd, uint32_t *left, fota_op_t *op)
{
    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    if (*left == 0) {
        if (fota_rd_left(rd) == 0) {
            return FOTA_NOTFOUND;
        }

        fota_rd_fail(rd, FOTA_CORRUPT);
        return rd->status;
    }

    (*left)--;

    op->seq = 0;
    op->op = FOTA_OP_PUT;

    return fota_entry_decode(rd, op);
}
