/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_hash.h"
#include "fota_sync.h"


static uint8_t           sec[32], pub[32];
static fota_arena_t      arena;
static fota_snapshot_t   base;
static fota_chunk_ref_t  refs[3];


static int
setup(void **state)
{
    size_t  i;

    fota_arena_init(&arena, 0);
    memset(&base, 0, sizeof(base));

    memset(base.id, 0x11, 16);
    base.epoch = 77;
    base.seq = 1000;
    base.ts = 1767225600000ULL;
    base.kid = 9;
    memset(base.chain, 0x22, 32);

    for (i = 0; i < FOTA_T__N; i++) {
        base.counts[i] = i * 3;
    }

    for (i = 0; i < 3; i++) {
        memset(refs[i].sha256, (int) (0x30 + i), 32);
        refs[i].size = (uint32_t) (1000 + i);
    }

    base.nchunks = 3;
    base.chunks = refs;

    return fota_ed25519_keygen(sec, pub);
}


static int
teardown(void **state)
{
    fota_arena_free(&arena);

    return 0;
}


static const uint8_t *
trusted(void *ctx, uint16_t kid)
{
    return (kid == 9) ? pub : NULL;
}


static int
decode(fota_str_t in, fota_snapshot_t *s)
{
    fota_arena_reset(&arena);

    return fota_snapshot_decode(&arena.mem, in, trusted, NULL, s);
}


static void
test_manifest(void **state)
{
    size_t           i;
    fota_buf_t       out;
    fota_snapshot_t  s;

    fota_buf_grow(&out, FOTA_CHUNK_MAX);
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_OK);

    assert_int_equal(decode(fota_buf_slice(&out), &s), FOTA_OK);
    assert_memory_equal(s.id, base.id, 16);
    assert_int_equal(s.epoch, 77);
    assert_int_equal(s.seq, 1000);
    assert_int_equal(s.ts, base.ts);
    assert_int_equal(s.kid, 9);
    assert_memory_equal(s.chain, base.chain, 32);
    assert_memory_equal(s.counts, base.counts, sizeof(base.counts));
    assert_int_equal(s.nchunks, 3);

    for (i = 0; i < 3; i++) {
        assert_memory_equal(s.chunks[i].sha256, refs[i].sha256, 32);
        assert_int_equal(s.chunks[i].size, refs[i].size);
    }

    for (i = 0; i < out.len; i++) {
        assert_int_equal(decode(fota_slice(out.start, i), &s),
                         FOTA_TRUNCATED);
    }

    for (i = 0; i < out.len * 8; i++) {
        out.start[i / 8] ^= (uint8_t) (1 << (i % 8));
        assert_int_not_equal(decode(fota_buf_slice(&out), &s), FOTA_OK);
        out.start[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    fota_buf_u8(&out, 0);
    assert_int_equal(decode(fota_buf_slice(&out), &s), FOTA_CORRUPT);

    fota_buf_free(&out);
}


static void
test_manifest_refuses(void **state)
{
    uint8_t          mine[32], other[32], mem[64];
    fota_buf_t       out, small;
    fota_snapshot_t  s;

    fota_buf_grow(&out, FOTA_CHUNK_MAX);

    base.kid = 8;
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_OK);
    assert_int_equal(decode(fota_buf_slice(&out), &s), FOTA_UNKNOWN_KEY);
    base.kid = 9;

    memcpy(mine, pub, 32);
    fota_buf_reset(&out);
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_OK);
    assert_int_equal(fota_ed25519_keygen(other, pub), FOTA_OK);
    assert_int_equal(decode(fota_buf_slice(&out), &s), FOTA_FORGED);
    memcpy(pub, mine, 32);

    refs[1].size = FOTA_CHUNK_MAX + 1;
    fota_buf_reset(&out);
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_LIMIT);
    refs[1].size = 11;
    fota_buf_reset(&out);
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_LIMIT);
    refs[1].size = 12;

    base.nchunks = FOTA_CHUNKS_MAX + 1;
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_LIMIT);
    base.nchunks = 3;

    fota_buf_fixed(&small, mem, sizeof(mem));
    assert_int_equal(fota_snapshot_encode(&base, sec, &small), FOTA_FULL);

    /* An empty policy has no chunk at all. */

    base.nchunks = 0;
    fota_buf_reset(&out);
    assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_OK);
    assert_int_equal(decode(fota_buf_slice(&out), &s), FOTA_OK);
    assert_int_equal(s.nchunks, 0);

    fota_buf_free(&out);
}


/* Counts that do not fit the bytes, under a good signature. */

static void
test_manifest_structure(void **state)
{
    size_t           at, body;
    uint8_t          sig[64];
    uint32_t         crc, n;
    fota_buf_t       out, msg;
    fota_snapshot_t  s;

    static const uint32_t  counts[] = {
        0, 2, 4, FOTA_CHUNKS_MAX, FOTA_CHUNKS_MAX + 1, UINT32_MAX
    };

    fota_buf_grow(&out, FOTA_CHUNK_MAX);

    for (at = 0; at < sizeof(counts) / sizeof(counts[0]); at++) {
        fota_buf_reset(&out);
        assert_int_equal(fota_snapshot_encode(&base, sec, &out), FOTA_OK);

        body = out.len - 12 - 64;
        n = counts[at];
        memcpy(out.start + 12 + body - 3 * 36 - 4, &n, 4);

        crc = fota_crc32c(0, out.start + 12, body);
        memcpy(out.start + 8, &crc, 4);

        fota_buf_grow(&msg, FOTA_CHUNK_MAX);
        fota_buf_put(&msg, "fota-snap/1", 12);
        fota_buf_put(&msg, out.start + 12, body);
        fota_ed25519_sign(sec, fota_buf_slice(&msg), sig);
        fota_buf_free(&msg);
        memcpy(out.start + out.len - 64, sig, 64);

        assert_int_equal(decode(fota_buf_slice(&out), &s),
                         (n > FOTA_CHUNKS_MAX) ? FOTA_LIMIT : FOTA_CORRUPT);
    }

    fota_buf_free(&out);
}


static void
test_chunk(void **state)
{
    int         rc;
    size_t      n;
    uint32_t    index, left;
    fota_rd_t   rd;
    fota_op_t   op;
    fota_buf_t  out;

    fota_buf_grow(&out, FOTA_CHUNK_MAX);
    fota_buf_cstr(&out, "left over");

    fota_chunk_begin(&out, 6);
    fota_chunk_entry(&out, FOTA_T_TENANT, fota_cstr("t"), fota_cstr("v1"));
    fota_chunk_entry(&out, FOTA_T_PRODUCT, fota_cstr("p"), fota_cstr("v2"));
    fota_chunk_end(&out, 2);

    assert_int_equal(fota_chunk_open(fota_buf_slice(&out), &rd, &index,
                                     &left),
                     FOTA_OK);
    assert_int_equal(index, 6);
    assert_int_equal(left, 2);
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_OK);
    assert_int_equal(op.op, FOTA_OP_PUT);
    assert_int_equal(op.table, FOTA_T_TENANT);
    assert_true(fota_str_eq(op.key, fota_cstr("t")));
    assert_true(fota_str_eq(op.value, fota_cstr("v1")));
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_OK);
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_NOTFOUND);

    for (n = 0; n < out.len; n++) {
        rc = fota_chunk_open(fota_slice(out.start, n), &rd, &index, &left);

        while (rc == FOTA_OK) {
            rc = fota_chunk_next(&rd, &left, &op);
        }

        assert_int_equal(rc, FOTA_TRUNCATED);
    }

    /* One entry less than there is, and a wrong magic. */

    fota_chunk_end(&out, 1);
    assert_int_equal(fota_chunk_open(fota_buf_slice(&out), &rd, &index,
                                     &left),
                     FOTA_OK);
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_OK);
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_CORRUPT);
    assert_int_equal(fota_chunk_next(&rd, &left, &op), FOTA_CORRUPT);

    out.start[0] = 'X';
    assert_int_equal(fota_chunk_open(fota_buf_slice(&out), &rd, &index,
                                     &left),
                     FOTA_CORRUPT);

    fota_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manifest_refuses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_manifest_structure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_chunk, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
