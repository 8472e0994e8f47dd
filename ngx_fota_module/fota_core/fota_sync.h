/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What travels from the centre to the edges: signed batches of policy
 * operations in a hash chain, and signed snapshots.  Encoded by the centre,
 * verified by the agent; a relay in between cannot forge.
 *
 * A position is (epoch, seq).  Every operation has its own gapless seq, and
 *   chain(n) = SHA-256(chain(n-1) | seq u64 | op u8 | table u8 | klen u16 |
 *              vlen u32 | key | value)
 * with chain(0) = SHA-256("fota-chain/1" | epoch u64), so that the chain does
 * not depend on how operations were cut into batches.  All little-endian.
 *
 * batch:    "FSB1" | len u32 | crc32c(body) u32 | body | sig[64]
 * body:     epoch u64 | prev u64 | last u64 | ts u64 (ms) | kid u16 |
 *           nops u32 | chain[32] after last | ops
 * sig:      Ed25519 over "fota-sync/1\0" | epoch | prev | last | ts | chain
 *
 * manifest: "FSM1" | len u32 | crc32c u32 | body | sig[64]
 * body:     id[16] | epoch u64 | seq u64 | ts u64 | kid u16 | chain[32] |
 *           counts u64 x FOTA_T__N | nchunks u32 | {sha256[32] | size u32}
 * sig:      Ed25519 over "fota-snap/1\0" | body
 * chunk:    "FSC1" | index u32 | nentries u32 |
 *           {table u8 | klen u16 | vlen u32 | key | value}
 * Entries ascend by (table, key) over all chunks, so that LMDB can append.
 */

#ifndef FOTA_SYNC_H
#define FOTA_SYNC_H

#include "fota_record.h"
#include "fota_crypto.h"

#define FOTA_BATCH_OPS_MAX    1000
#define FOTA_BATCH_MAX        (1024 * 1024)     /* bytes, framing included */
#define FOTA_BATCH_TARGET     (256 * 1024)      /* closed beyond this */
#define FOTA_CHUNK_MAX        (4 * 1024 * 1024)
#define FOTA_CHUNKS_MAX       65536

typedef enum {
    FOTA_OP_PUT = 1,
    FOTA_OP_DEL = 2
} fota_op_e;

typedef struct {
    uint64_t    seq;
    uint8_t     op;
    uint8_t     table;
    fota_str_t  key;
    fota_str_t  value;          /* empty for a delete */
} fota_op_t;

typedef struct {
    uint64_t    epoch;
    uint64_t    prev;           /* seq before the first operation */
    uint64_t    last;
    uint64_t    ts;             /* ms since 1970, when it was cut */
    uint16_t    kid;            /* of the signing key */
    uint32_t    nops;
    uint8_t     chain[32];      /* after last */
    fota_str_t  ops;            /* encoded; read with fota_batch_next */
} fota_batch_t;

/* chain(0) of an epoch. */
int fota_chain_start(uint8_t chain[32], uint64_t epoch);

/* chain = chain after op. */
int fota_chain_op(uint8_t chain[32], const fota_op_t *op);

/* Bytes of an encoded operation. */
size_t fota_op_size(const fota_op_t *op);

/* Appends one operation. */
void fota_op_encode(const fota_op_t *op, fota_buf_t *out);

/*
 * Frames and signs: b gives the header and b->ops the encoded operations.
 * FOTA_LIMIT over the bounds.
 */
int fota_batch_encode(const fota_batch_t *b, const uint8_t sec[32],
    fota_buf_t *out);

/*
 * Takes one batch off the front of *in.  Checks framing, CRC, bounds, gapless
 * seqs and the signature, not the chain.  pub(kid) gives a trusted key or
 * NULL.  FOTA_OK, FOTA_TRUNCATED, FOTA_CORRUPT, FOTA_LIMIT, FOTA_UNKNOWN_KEY,
 * FOTA_FORGED, FOTA_TOO_NEW (a table that this build does not know).
 */
typedef const uint8_t *(*fota_sync_key_pt)(void *ctx, uint16_t kid);

int fota_batch_decode(fota_str_t *in, fota_sync_key_pt pub, void *ctx,
    fota_batch_t *b);

/*
 * Next operation of b->ops; set *seq to b->prev first, it counts up.
 * FOTA_NOTFOUND at the end.
 */
int fota_batch_next(fota_rd_t *rd, uint64_t *seq, fota_op_t *op);

/*
 * Does the batch follow (epoch, seq, chain)?  FOTA_OK and *chain moved to the
 * end; FOTA_DIVERGED (epoch or chain), FOTA_STALE (all of it held already),
 * FOTA_INVALID (gap).
 */
int fota_batch_follow(const fota_batch_t *b, uint64_t epoch, uint64_t seq,
    uint8_t chain[32]);

typedef struct {
    uint8_t   sha256[32];
    uint32_t  size;
} fota_chunk_ref_t;

typedef struct {
    uint8_t            id[16];
    uint64_t           epoch;
    uint64_t           seq;
    uint64_t           ts;
    uint16_t           kid;
    uint8_t            chain[32];
    uint64_t           counts[FOTA_T__N];
    uint32_t           nchunks;
    fota_chunk_ref_t  *chunks;
} fota_snapshot_t;

int fota_snapshot_encode(const fota_snapshot_t *s, const uint8_t sec[32],
    fota_buf_t *out);

/* chunks from mem; results as fota_batch_decode. */
int fota_snapshot_decode(fota_mem_t *mem, fota_str_t in, fota_sync_key_pt pub,
    void *ctx, fota_snapshot_t *s);

/* Chunk writer: begin empties out, then entries; end patches the count. */
void fota_chunk_begin(fota_buf_t *out, uint32_t index);
void fota_chunk_entry(fota_buf_t *out, uint8_t table, fota_str_t key,
    fota_str_t value);
void fota_chunk_end(fota_buf_t *out, uint32_t nentries);

/* Reader: header, then _next until FOTA_NOTFOUND. */
int fota_chunk_open(fota_str_t in, fota_rd_t *rd, uint32_t *index,
    uint32_t *nentries);
int fota_chunk_next(fota_rd_t *rd, uint32_t *left, fota_op_t *op);

#endif /* FOTA_SYNC_H */
