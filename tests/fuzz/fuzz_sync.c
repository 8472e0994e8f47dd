/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_hash.h"
#include "fota_sync.h"


static uint8_t  fuzz_sec[32], fuzz_pub[32];


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint8_t *
fuzz_key(void *ctx, uint16_t kid)
{
    return (kid & 1) ? NULL : fuzz_pub;
}


/* Frames and signs a body, or else nothing would get past the signature. */

static void
fuzz_frame(fota_buf_t *out, const char *magic, fota_str_t body)
{
    uint8_t     sig[64];
    fota_buf_t  msg;

    fota_buf_grow(out, 8 << 20);
    fota_buf_grow(&msg, 8 << 20);

    fota_buf_put(out, magic, 4);
    fota_buf_u32(out, (uint32_t) body.len);
    fota_buf_u32(out, fota_crc32c(0, body.data, body.len));
    fota_buf_str(out, body);

    if (magic[2] == 'B') {
        fota_buf_put(&msg, "fota-sync/1", 12);

        if (body.len >= 70) {
            fota_buf_put(&msg, body.data, 32);
            fota_buf_put(&msg, body.data + 38, 32);
        }

    } else {
        fota_buf_put(&msg, "fota-snap/1", 12);
        fota_buf_str(&msg, body);
    }

    if (fota_ed25519_sign(fuzz_sec, fota_buf_slice(&msg), sig) != FOTA_OK) {
        abort();
    }

    fota_buf_put(out, sig, 64);
    fota_buf_free(&msg);
}


static void
fuzz_batch(fota_str_t in)
{
    int           rc;
    uint8_t       chain[32], before[32];
    uint64_t      seq;
    fota_rd_t     rd;
    fota_op_t     op;
    fota_str_t    rest;
    fota_batch_t  b;

    rest = in;
    rc = fota_batch_decode(&rest, fuzz_key, NULL, &b);

    if (rc != FOTA_OK) {
        if (rest.len != in.len) {
            abort();
        }

        return;
    }

    seq = b.prev;
    fota_rd_init(&rd, b.ops);

    while (fota_batch_next(&rd, &seq, &op) == FOTA_OK) {
        if (op.key.len == 0 || op.key.len > FOTA_KEY_MAX
            || op.table == FOTA_T_META || op.table >= FOTA_T__N)
        {
            abort();
        }
    }

    if (seq != b.last) {
        abort();
    }

    memset(chain, 0, sizeof(chain));
    memcpy(before, chain, sizeof(chain));

    rc = fota_batch_follow(&b, b.epoch, b.prev, chain);

    if (rc != FOTA_OK && memcmp(chain, before, sizeof(chain)) != 0) {
        abort();
    }
}


static void
fuzz_snapshot(fota_str_t in)
{
    fota_arena_t     arena;
    fota_snapshot_t  s;

    fota_arena_init(&arena, 16 << 20);

    if (fota_snapshot_decode(&arena.mem, in, fuzz_key, NULL, &s) == FOTA_OK
        && s.nchunks != 0 && s.chunks[s.nchunks - 1].size > FOTA_CHUNK_MAX)
    {
        abort();
    }

    fota_arena_free(&arena);
}


static void
fuzz_chunk(fota_str_t in)
{
    uint32_t   index, left;
    fota_rd_t  rd;
    fota_op_t  op;

    if (fota_chunk_open(in, &rd, &index, &left) != FOTA_OK) {
        return;
    }

    while (fota_chunk_next(&rd, &left, &op) == FOTA_OK) {
        if (op.key.len + op.value.len > in.len) {
            abort();
        }
    }
}


/* The first byte says what the rest is. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fota_str_t  in;
    fota_buf_t  framed;

    if (size == 0) {
        return 0;
    }

    memset(fuzz_sec, 7, sizeof(fuzz_sec));

    if (fota_ed25519_public(fuzz_sec, fuzz_pub) != FOTA_OK) {
        abort();
    }

    in = fota_slice(data + 1, size - 1);

    switch (data[0]) {

    case 'b':
        fuzz_frame(&framed, "FSB1", in);
        fuzz_batch(fota_buf_slice(&framed));
        fota_buf_free(&framed);
        break;

    case 'm':
        fuzz_frame(&framed, "FSM1", in);
        fuzz_snapshot(fota_buf_slice(&framed));
        fota_buf_free(&framed);
        break;

    case 'c':
        fuzz_chunk(in);
        break;

    default:
        fuzz_batch(in);
        fuzz_snapshot(in);
        break;
    }

    return 0;
}
