/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_sync_frame.h"


#define FOTA_OP_HEADER     8
#define FOTA_BATCH_HEADER  (8 + 8 + 8 + 8 + 2 + 4 + 32)

/* label, epoch, prev, last, ts, chain */
#define FOTA_BATCH_SIGNED  (12 + 4 * 8 + 32)


static int fota_op_decode(fota_rd_t *rd, fota_op_t *op);
static void fota_batch_signed(const fota_batch_t *b, fota_buf_t *out);


void
fota_frame_patch32(fota_buf_t *out, size_t at, uint32_t v)
{
    size_t  i;

    if (out->status == FOTA_OK) {
        for (i = 0; i < 4; i++) {
            out->start[at + i] = (uint8_t) (v >> (8 * i));
        }
    }
}


void
fota_frame_begin(fota_buf_t *out, const char magic[4])
{
    fota_buf_put(out, magic, 4);
    fota_buf_u32(out, 0);
    fota_buf_u32(out, 0);
}


void
fota_frame_end(fota_buf_t *out, size_t at)
{
    size_t  len;

    if (out->status == FOTA_OK) {
        len = out->len - at - FOTA_FRAME_HEADER;

        fota_frame_patch32(out, at + 4, (uint32_t) len);
        fota_frame_patch32(out, at + 8,
                           fota_crc32c(0, out->start + at + FOTA_FRAME_HEADER,
                                       len));
    }
}


int
fota_frame_decode(fota_rd_t *rd, const char magic[4], size_t max,
    fota_str_t *body, fota_str_t *sig)
{
    uint32_t    len, crc;
    fota_str_t  m;

    m = fota_rd_bytes(rd, 4);

    if (rd->status == FOTA_OK && memcmp(m.data, magic, 4) != 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    len = fota_rd_u32(rd);
    crc = fota_rd_u32(rd);

    if (rd->status == FOTA_OK
        && len > max - FOTA_FRAME_HEADER - FOTA_ED25519_SIG)
    {
        fota_rd_fail(rd, FOTA_LIMIT);
    }

    *body = fota_rd_bytes(rd, len);
    *sig = fota_rd_bytes(rd, FOTA_ED25519_SIG);

    if (rd->status == FOTA_OK
        && fota_crc32c(0, body->data, body->len) != crc)
    {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return rd->status;
}


int
fota_chain_start(uint8_t chain[32], uint64_t epoch)
{
    uint8_t     mem[32];
    fota_buf_t  in;

    fota_buf_fixed(&in, mem, sizeof(mem));
    fota_buf_cstr(&in, "fota-chain/1");
    fota_buf_u64(&in, epoch);

    return fota_sha256(chain, in.start, in.len);
}


int
fota_chain_op(uint8_t chain[32], const fota_op_t *op)
{
    int             rc;
    uint8_t         mem[32 + 8 + FOTA_OP_HEADER];
    fota_buf_t      in;
    fota_sha256_t  *h;

    if (op->key.len > FOTA_KEY_MAX || op->value.len > FOTA_VALUE_MAX) {
        return FOTA_LIMIT;
    }

    fota_buf_fixed(&in, mem, sizeof(mem));
    fota_buf_put(&in, chain, 32);
    fota_buf_u64(&in, op->seq);
    fota_buf_u8(&in, op->op);
    fota_buf_u8(&in, op->table);
    fota_buf_u16(&in, (uint16_t) op->key.len);
    fota_buf_u32(&in, (uint32_t) op->value.len);

    h = fota_sha256_new();
    if (h == NULL) {
        return FOTA_NOMEM;
    }

    if (fota_sha256_update(h, in.start, in.len) == FOTA_OK
        && fota_sha256_update(h, op->key.data, op->key.len) == FOTA_OK
        && fota_sha256_update(h, op->value.data, op->value.len) == FOTA_OK)
    {
        rc = fota_sha256_final(h, chain);

    } else {
        rc = FOTA_ERROR;
    }

    fota_sha256_free(h);

    return rc;
}


size_t
fota_op_size(const fota_op_t *op)
{
    return FOTA_OP_HEADER + op->key.len + op->value.len;
}


void
fota_entry_encode(fota_buf_t *out, uint8_t table, fota_str_t key,
    fota_str_t value)
{
    fota_buf_u8(out, table);
    fota_buf_u16(out, (uint16_t) key.len);
    fota_buf_u32(out, (uint32_t) value.len);
    fota_buf_str(out, key);
    fota_buf_str(out, value);
}


void
fota_op_encode(const fota_op_t *op, fota_buf_t *out)
{
    fota_buf_u8(out, op->op);
    fota_entry_encode(out, op->table, op->key, op->value);
}


int
fota_entry_decode(fota_rd_t *rd, fota_op_t *op)
{
    uint16_t  klen;
    uint32_t  vlen;

    op->table = fota_rd_u8(rd);
    klen = fota_rd_u16(rd);
    vlen = fota_rd_u32(rd);

    if (rd->status != FOTA_OK) {
        return rd->status;
    }

    /* META belongs to the agent alone. */

    if (op->table == FOTA_T_META || klen == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);

    } else if (op->table >= FOTA_T__N) {
        fota_rd_fail(rd, FOTA_TOO_NEW);

    } else if (klen > FOTA_KEY_MAX || vlen > FOTA_VALUE_MAX) {
        fota_rd_fail(rd, FOTA_LIMIT);
    }

    op->key = fota_rd_bytes(rd, klen);
    op->value = fota_rd_bytes(rd, vlen);

    return rd->status;
}


static int
fota_op_decode(fota_rd_t *rd, fota_op_t *op)
{
    op->op = fota_rd_u8(rd);

    if (rd->status == FOTA_OK && op->op != FOTA_OP_PUT
        && op->op != FOTA_OP_DEL)
    {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    if (fota_entry_decode(rd, op) == FOTA_OK
        && (op->op == FOTA_OP_DEL) != (op->value.len == 0))
    {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }

    return rd->status;
}


static void
fota_batch_signed(const fota_batch_t *b, fota_buf_t *out)
{
    fota_buf_put(out, "fota-sync/1", 12);
    fota_buf_u64(out, b->epoch);
    fota_buf_u64(out, b->prev);
    fota_buf_u64(out, b->last);
    fota_buf_u64(out, b->ts);
    fota_buf_put(out, b->chain, 32);
}


int
fota_batch_encode(const fota_batch_t *b, const uint8_t sec[32],
    fota_buf_t *out)
{
    int         rc;
    size_t      at;
    uint8_t     mem[FOTA_BATCH_SIGNED], sig[FOTA_ED25519_SIG];
    fota_buf_t  msg;

    if (b->nops == 0 || b->last < b->prev || b->last - b->prev != b->nops) {
        return FOTA_INVALID;
    }

    if (b->nops > FOTA_BATCH_OPS_MAX
        || b->ops.len > FOTA_BATCH_MAX - FOTA_BATCH_HEADER
                        - FOTA_FRAME_HEADER - FOTA_ED25519_SIG)
    {
        return FOTA_LIMIT;
    }

    fota_buf_fixed(&msg, mem, sizeof(mem));
    fota_batch_signed(b, &msg);

    rc = fota_ed25519_sign(sec, fota_buf_slice(&msg), sig);
    if (rc != FOTA_OK) {
        return rc;
    }

    at = out->len;

    fota_frame_begin(out, "FSB1");

    fota_buf_u64(out, b->epoch);
    fota_buf_u64(out, b->prev);
    fota_buf_u64(out, b->last);
    fota_buf_u64(out, b->ts);
    fota_buf_u16(out, b->kid);
    fota_buf_u32(out, b->nops);
    fota_buf_put(out, b->chain, 32);
    fota_buf_str(out, b->ops);

    fota_frame_end(out, at);

    fota_buf_put(out, sig, sizeof(sig));

    return out->status;
}


int
fota_batch_decode(fota_str_t *in, fota_sync_key_pt pub, void *ctx,
    fota_batch_t *b)
{
    int             rc;
    uint8_t         mem[FOTA_BATCH_SIGNED];
    uint64_t        seq;
    fota_rd_t       rd, ops;
    fota_op_t       op;
    fota_buf_t      msg;
    fota_str_t      body, sig, chain;
    const uint8_t  *key;

    fota_rd_init(&rd, *in);

    rc = fota_frame_decode(&rd, "FSB1", FOTA_BATCH_MAX, &body, &sig);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_rd_init(&ops, body);

    b->epoch = fota_rd_u64(&ops);
    b->prev = fota_rd_u64(&ops);
    b->last = fota_rd_u64(&ops);
    b->ts = fota_rd_u64(&ops);
    b->kid = fota_rd_u16(&ops);
    b->nops = fota_rd_u32(&ops);
    chain = fota_rd_bytes(&ops, 32);

    if (ops.status != FOTA_OK) {
        return FOTA_CORRUPT;
    }

    memcpy(b->chain, chain.data, 32);
    b->ops = fota_slice(ops.pos, fota_rd_left(&ops));

    if (b->nops > FOTA_BATCH_OPS_MAX) {
        return FOTA_LIMIT;
    }

    if (b->nops == 0 || b->last < b->prev || b->last - b->prev != b->nops) {
        return FOTA_CORRUPT;
    }

    /* Before anything in it is believed. */

    key = pub(ctx, b->kid);
    if (key == NULL) {
        return FOTA_UNKNOWN_KEY;
    }

    fota_buf_fixed(&msg, mem, sizeof(mem));
    fota_batch_signed(b, &msg);

    rc = fota_ed25519_verify(key, fota_buf_slice(&msg), sig.data);
    if (rc != FOTA_OK) {
        return rc;
    }

    seq = b->prev;

    while ((rc = fota_batch_next(&ops, &seq, &op)) == FOTA_OK) {
        if (seq > b->last) {
            return FOTA_CORRUPT;
        }
    }

    if (rc != FOTA_NOTFOUND) {
        return (rc == FOTA_TRUNCATED) ? FOTA_CORRUPT : rc;
    }

    if (seq != b->last) {
        return FOTA_CORRUPT;
    }

    in->len -= (size_t) (rd.pos - in->data);
    in->data = rd.pos;

    return FOTA_OK;
}


int
fota_batch_next(fota_rd_t *rd, uint64_t *seq, fota_op_t *op)
{
    int  rc;

    if (rd->status == FOTA_OK && fota_rd_left(rd) == 0) {
        return FOTA_NOTFOUND;
    }

    rc = fota_op_decode(rd, op);

    if (rc == FOTA_OK) {
        op->seq = ++*seq;
    }

    return rc;
}


int
fota_batch_follow(const fota_batch_t *b, uint64_t epoch, uint64_t seq,
    uint8_t chain[32])
{
    int        rc;
    uint8_t    end[32];
    uint64_t   at;
    fota_rd_t  rd;
    fota_op_t  op;

    if (b->epoch != epoch) {
        return FOTA_DIVERGED;
    }

    if (b->last <= seq) {
        return FOTA_STALE;
    }

    if (b->prev > seq) {
        return FOTA_INVALID;
    }

    /* What we hold already is not hashed again: the chain is by operation. */

    memcpy(end, chain, 32);

    fota_rd_init(&rd, b->ops);
    at = b->prev;

    while ((rc = fota_batch_next(&rd, &at, &op)) == FOTA_OK) {
        if (at <= seq) {
            continue;
        }

        rc = fota_chain_op(end, &op);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    if (at != b->last || memcmp(end, b->chain, 32) != 0) {
        return FOTA_DIVERGED;
    }

    memcpy(chain, end, 32);

    return FOTA_OK;
}
