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


#define EPOCH  0x0123456789abcdefULL
#define KID    5


static uint8_t  sec[32], pub[32];


static int
setup(void **state)
{
    return fota_ed25519_keygen(sec, pub);
}


static const uint8_t *
trusted(void *ctx, uint16_t kid)
{
    return (kid == KID) ? pub : NULL;
}


static fota_op_t
op(uint8_t kind, uint8_t table, const char *key, const char *value)
{
    fota_op_t  o;

    o.seq = 0;
    o.op = kind;
    o.table = table;
    o.key = fota_cstr(key);
    o.value = fota_cstr(value);

    return o;
}


/* One batch of ops after (seq, chain), which move to its end. */

static void
cut(fota_buf_t *out, fota_op_t *ops, uint32_t n, uint64_t epoch,
    uint64_t *seq, uint8_t chain[32])
{
    uint32_t      i;
    fota_buf_t    enc;
    fota_batch_t  b;

    fota_buf_grow(&enc, FOTA_BATCH_MAX);
    memset(&b, 0, sizeof(b));

    b.epoch = epoch;
    b.prev = *seq;
    b.ts = 1767225600123ULL;
    b.kid = KID;
    b.nops = n;

    for (i = 0; i < n; i++) {
        ops[i].seq = ++*seq;
        assert_int_equal(fota_chain_op(chain, &ops[i]), FOTA_OK);
        fota_op_encode(&ops[i], &enc);
    }

    b.last = *seq;
    b.ops = fota_buf_slice(&enc);
    memcpy(b.chain, chain, 32);

    assert_int_equal(fota_batch_encode(&b, sec, out), FOTA_OK);
    fota_buf_free(&enc);
}


/* A small stream of two batches, of 3 and 2 operations. */

typedef struct {
    fota_buf_t  first;
    fota_buf_t  second;
    uint8_t     start[32];
    uint8_t     middle[32];
    uint8_t     end[32];
} stream_t;


static void
stream_make(stream_t *s)
{
    uint8_t    chain[32];
    uint64_t   seq;
    fota_op_t  a[3], b[2];

    fota_buf_grow(&s->first, FOTA_BATCH_MAX);
    fota_buf_grow(&s->second, FOTA_BATCH_MAX);

    a[0] = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "p1", "one");
    a[1] = op(FOTA_OP_DEL, FOTA_T_DEVICE, "d1", "");
    a[2] = op(FOTA_OP_PUT, FOTA_T_NODE, "n1", "three");
    b[0] = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "p1", "four");
    b[1] = op(FOTA_OP_DEL, FOTA_T_NODE, "n1", "");

    assert_int_equal(fota_chain_start(chain, EPOCH), FOTA_OK);
    memcpy(s->start, chain, 32);

    seq = 0;
    cut(&s->first, a, 3, EPOCH, &seq, chain);
    memcpy(s->middle, chain, 32);
    cut(&s->second, b, 2, EPOCH, &seq, chain);
    memcpy(s->end, chain, 32);
}


static void
stream_free(stream_t *s)
{
    fota_buf_free(&s->first);
    fota_buf_free(&s->second);
}


static int
decode(fota_str_t in, fota_batch_t *b)
{
    return fota_batch_decode(&in, trusted, NULL, b);
}


static void
test_round_trip(void **state)
{
    uint8_t       chain[32];
    uint64_t      seq;
    stream_t      s;
    fota_rd_t     rd;
    fota_op_t     o;
    fota_buf_t    both;
    fota_str_t    in;
    fota_batch_t  b;

    stream_make(&s);

    fota_buf_grow(&both, FOTA_BATCH_MAX);
    fota_buf_str(&both, fota_buf_slice(&s.first));
    fota_buf_str(&both, fota_buf_slice(&s.second));
    in = fota_buf_slice(&both);

    assert_int_equal(fota_batch_decode(&in, trusted, NULL, &b), FOTA_OK);
    assert_int_equal(b.epoch, EPOCH);
    assert_int_equal(b.prev, 0);
    assert_int_equal(b.last, 3);
    assert_int_equal(b.ts, 1767225600123ULL);
    assert_int_equal(b.kid, KID);
    assert_int_equal(b.nops, 3);
    assert_memory_equal(b.chain, s.middle, 32);
    assert_int_equal(in.len, s.second.len);

    fota_rd_init(&rd, b.ops);
    seq = b.prev;

    assert_int_equal(fota_batch_next(&rd, &seq, &o), FOTA_OK);
    assert_int_equal(o.seq, 1);
    assert_int_equal(o.op, FOTA_OP_PUT);
    assert_int_equal(o.table, FOTA_T_PRODUCT);
    assert_true(fota_str_eq(o.key, fota_cstr("p1")));
    assert_true(fota_str_eq(o.value, fota_cstr("one")));
    assert_int_equal(fota_op_size(&o), 8 + 2 + 3);

    assert_int_equal(fota_batch_next(&rd, &seq, &o), FOTA_OK);
    assert_int_equal(o.seq, 2);
    assert_int_equal(o.op, FOTA_OP_DEL);
    assert_int_equal(o.value.len, 0);

    assert_int_equal(fota_batch_next(&rd, &seq, &o), FOTA_OK);
    assert_int_equal(fota_batch_next(&rd, &seq, &o), FOTA_NOTFOUND);
    assert_int_equal(seq, 3);

    memcpy(chain, s.start, 32);
    assert_int_equal(fota_batch_follow(&b, EPOCH, 0, chain), FOTA_OK);
    assert_memory_equal(chain, s.middle, 32);

    assert_int_equal(fota_batch_decode(&in, trusted, NULL, &b), FOTA_OK);
    assert_int_equal(fota_batch_follow(&b, EPOCH, 3, chain), FOTA_OK);
    assert_memory_equal(chain, s.end, 32);

    assert_int_equal(in.len, 0);
    assert_int_equal(fota_batch_decode(&in, trusted, NULL, &b),
                     FOTA_TRUNCATED);

    fota_buf_free(&both);
    stream_free(&s);
}


/* How operations are cut into batches does not show in the chain. */

static void
test_cut_is_free(void **state)
{
    uint8_t       chain[32];
    uint64_t      seq;
    stream_t      s;
    fota_buf_t    out;
    fota_op_t     ops[5];
    fota_batch_t  b;

    stream_make(&s);

    ops[0] = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "p1", "one");
    ops[1] = op(FOTA_OP_DEL, FOTA_T_DEVICE, "d1", "");
    ops[2] = op(FOTA_OP_PUT, FOTA_T_NODE, "n1", "three");
    ops[3] = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "p1", "four");
    ops[4] = op(FOTA_OP_DEL, FOTA_T_NODE, "n1", "");

    fota_buf_grow(&out, FOTA_BATCH_MAX);
    memcpy(chain, s.start, 32);
    seq = 0;
    cut(&out, ops, 5, EPOCH, &seq, chain);
    assert_memory_equal(chain, s.end, 32);

    /* And who stands in the middle of a batch takes the rest of it. */

    assert_int_equal(decode(fota_buf_slice(&out), &b), FOTA_OK);
    memcpy(chain, s.middle, 32);
    assert_int_equal(fota_batch_follow(&b, EPOCH, 3, chain), FOTA_OK);
    assert_memory_equal(chain, s.end, 32);

    fota_buf_free(&out);
    stream_free(&s);
}


static void
test_follow_refuses(void **state)
{
    uint8_t       chain[32];
    stream_t      s;
    fota_batch_t  first, second;

    stream_make(&s);

    assert_int_equal(decode(fota_buf_slice(&s.first), &first), FOTA_OK);
    assert_int_equal(decode(fota_buf_slice(&s.second), &second), FOTA_OK);

    /* Duplicate. */

    memcpy(chain, s.middle, 32);
    assert_int_equal(fota_batch_follow(&first, EPOCH, 3, chain), FOTA_STALE);
    assert_memory_equal(chain, s.middle, 32);

    /* Reordered: a gap. */

    memcpy(chain, s.start, 32);
    assert_int_equal(fota_batch_follow(&second, EPOCH, 0, chain),
                     FOTA_INVALID);
    assert_int_equal(fota_batch_follow(&second, EPOCH, 2, chain),
                     FOTA_INVALID);

    /* Another history: by epoch, by chain. */

    assert_int_equal(fota_batch_follow(&first, EPOCH + 1, 0, chain),
                     FOTA_DIVERGED);
    assert_memory_equal(chain, s.start, 32);

    chain[0] ^= 1;
    assert_int_equal(fota_batch_follow(&first, EPOCH, 0, chain),
                     FOTA_DIVERGED);
    memcpy(chain, s.start, 32);
    assert_int_equal(fota_batch_follow(&second, EPOCH, 3, chain),
                     FOTA_DIVERGED);
    assert_memory_equal(chain, s.start, 32);

    stream_free(&s);
}


static void
test_truncated(void **state)
{
    size_t        n;
    stream_t      s;
    fota_batch_t  b;

    stream_make(&s);

    for (n = 0; n < s.first.len; n++) {
        assert_int_equal(decode(fota_slice(s.first.start, n), &b),
                         FOTA_TRUNCATED);
    }

    stream_free(&s);
}


static void
test_every_bit(void **state)
{
    int           rc;
    size_t        i;
    uint8_t       chain[32];
    stream_t      s;
    fota_batch_t  b;

    stream_make(&s);

    for (i = 0; i < s.first.len * 8; i++) {
        s.first.start[i / 8] ^= (uint8_t) (1 << (i % 8));

        rc = decode(fota_buf_slice(&s.first), &b);
        assert_int_not_equal(rc, FOTA_OK);

        s.first.start[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    /* The same by someone who repairs the checksum afterwards. */

    for (i = 12 * 8; i < (s.first.len - 64) * 8; i++) {
        s.first.start[i / 8] ^= (uint8_t) (1 << (i % 8));

        uint32_t  crc = fota_crc32c(0, s.first.start + 12,
                                    s.first.len - 12 - 64);
        s.first.start[8] = (uint8_t) crc;
        s.first.start[9] = (uint8_t) (crc >> 8);
        s.first.start[10] = (uint8_t) (crc >> 16);
        s.first.start[11] = (uint8_t) (crc >> 24);

        rc = decode(fota_buf_slice(&s.first), &b);

        if (rc == FOTA_OK) {
            memcpy(chain, s.start, 32);
            rc = fota_batch_follow(&b, EPOCH, 0, chain);
        }

        assert_int_not_equal(rc, FOTA_OK);

        s.first.start[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    stream_free(&s);
}


static void
test_keys(void **state)
{
    uint8_t       mine[32], other[32];
    stream_t      s;
    fota_batch_t  b;

    stream_make(&s);

    memcpy(mine, pub, 32);
    assert_int_equal(fota_ed25519_keygen(other, pub), FOTA_OK);
    assert_int_equal(decode(fota_buf_slice(&s.first), &b), FOTA_FORGED);
    memcpy(pub, mine, 32);

    assert_int_equal(decode(fota_buf_slice(&s.first), &b), FOTA_OK);

    /* kid, behind four u64 of the body; with a right checksum */

    s.first.start[12 + 32] ^= 1;

    uint32_t  crc = fota_crc32c(0, s.first.start + 12, s.first.len - 12 - 64);
    memcpy(s.first.start + 8, &crc, 4);

    assert_int_equal(decode(fota_buf_slice(&s.first), &b), FOTA_UNKNOWN_KEY);

    stream_free(&s);
}


/* A frame around any body, signed as if it were well-formed. */

static int
decode_raw(uint64_t prev, uint64_t last, uint32_t nops, fota_str_t ops)
{
    int           rc;
    uint8_t       sig[64], mem[128];
    uint32_t      crc;
    fota_buf_t    out, msg;
    fota_batch_t  b;

    fota_buf_grow(&out, 2 * FOTA_BATCH_MAX);
    fota_buf_put(&out, "FSB1", 4);
    fota_buf_u32(&out, (uint32_t) (70 + ops.len));
    fota_buf_u32(&out, 0);
    fota_buf_u64(&out, EPOCH);
    fota_buf_u64(&out, prev);
    fota_buf_u64(&out, last);
    fota_buf_u64(&out, 1);
    fota_buf_u16(&out, KID);
    fota_buf_u32(&out, nops);
    memset(fota_buf_reserve(&out, 32), 0, 32);
    fota_buf_str(&out, ops);

    crc = fota_crc32c(0, out.start + 12, out.len - 12);
    memcpy(out.start + 8, &crc, 4);

    fota_buf_fixed(&msg, mem, sizeof(mem));
    fota_buf_put(&msg, "fota-sync/1", 12);
    fota_buf_put(&msg, out.start + 12, 32);
    memset(fota_buf_reserve(&msg, 32), 0, 32);

    fota_ed25519_sign(sec, fota_buf_slice(&msg), sig);
    fota_buf_put(&out, sig, 64);

    rc = decode(fota_buf_slice(&out), &b);

    fota_buf_free(&out);

    return rc;
}


static void
test_structure(void **state)
{
    size_t      i;
    fota_buf_t  big;
    fota_op_t   o;

    static const struct {
        const char  *ops;
        size_t       len;
        int          rc;
    } cases[] = {
        { "\1\2\1\0\1\0\0\0kv", 10, FOTA_OK },
        { "\2\2\1\0\0\0\0\0k", 9, FOTA_OK },
        { "\0\2\1\0\1\0\0\0kv", 10, FOTA_CORRUPT },         /* operation */
        { "\3\2\1\0\1\0\0\0kv", 10, FOTA_CORRUPT },
        { "\1\0\1\0\1\0\0\0kv", 10, FOTA_CORRUPT },         /* META */
        { "\1\12\1\0\1\0\0\0kv", 10, FOTA_TOO_NEW },        /* table 10 */
        { "\1\377\1\0\1\0\0\0kv", 10, FOTA_TOO_NEW },
        { "\1\2\0\0\1\0\0\0v", 9, FOTA_CORRUPT },           /* no key */
        { "\1\2\1\0\0\0\0\0k", 9, FOTA_CORRUPT },           /* put nothing */
        { "\2\2\1\0\1\0\0\0kv", 10, FOTA_CORRUPT },         /* del something */
        { "\1\2\1\0\2\0\0\0kv", 10, FOTA_CORRUPT },         /* too short */
        { "\1\2\1\0\1\0\0\0kvx", 11, FOTA_CORRUPT },        /* trailing */
        { "\1\2\11\1\1\0\0\0kv", 10, FOTA_LIMIT },          /* klen 265 */
        { "\1\2\1\0\1\0\20\0kv", 10, FOTA_LIMIT },          /* vlen 1 MiB + 1 */
        { "\1\2\1", 3, FOTA_CORRUPT },
        { "", 0, FOTA_CORRUPT }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(decode_raw(7, 8, 1, fota_slice(cases[i].ops,
                                                        cases[i].len)),
                         cases[i].rc);
    }

    assert_int_equal(decode_raw(7, 9, 1, fota_slice(cases[0].ops, 10)),
                     FOTA_CORRUPT);
    assert_int_equal(decode_raw(7, 9, 2, fota_slice(cases[0].ops, 10)),
                     FOTA_CORRUPT);
    assert_int_equal(decode_raw(8, 7, 1, fota_slice(cases[0].ops, 10)),
                     FOTA_CORRUPT);
    assert_int_equal(decode_raw(7, 7, 0, fota_slice("", 0)), FOTA_CORRUPT);
    assert_int_equal(decode_raw(0, 1001, 1001, fota_slice("", 0)),
                     FOTA_LIMIT);

    /* More operations in it than it says. */

    fota_buf_grow(&big, FOTA_BATCH_MAX);
    o = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "k", "v");
    fota_op_encode(&o, &big);
    fota_op_encode(&o, &big);
    assert_int_equal(decode_raw(7, 8, 1, fota_buf_slice(&big)),
                     FOTA_CORRUPT);
    assert_int_equal(decode_raw(7, 9, 2, fota_buf_slice(&big)), FOTA_OK);
    fota_buf_free(&big);

    /* Longer than a batch may be. */

    fota_buf_grow(&big, FOTA_BATCH_MAX);
    memset(fota_buf_reserve(&big, FOTA_BATCH_MAX - 100), 0,
           FOTA_BATCH_MAX - 100);
    assert_int_equal(decode_raw(7, 8, 1, fota_buf_slice(&big)), FOTA_LIMIT);
    fota_buf_free(&big);

    /* A body that has no room for its own header. */

    {
        fota_batch_t  b;
        uint8_t       tiny[12 + 3 + 64];
        uint32_t      crc;

        memset(tiny, 0, sizeof(tiny));
        memcpy(tiny, "FSB1\3", 5);
        crc = fota_crc32c(0, tiny + 12, 3);
        memcpy(tiny + 8, &crc, 4);
        assert_int_equal(decode(fota_slice(tiny, sizeof(tiny)), &b),
                         FOTA_CORRUPT);
    }
}


static void
test_encode_refuses(void **state)
{
    uint8_t       chain[32];
    fota_op_t     o;
    fota_buf_t    out, small;
    fota_batch_t  b;

    static uint8_t  big[FOTA_BATCH_MAX + 1], mem[32];

    memset(&b, 0, sizeof(b));
    fota_buf_grow(&out, 2 * FOTA_BATCH_MAX);

    assert_int_equal(fota_batch_encode(&b, sec, &out), FOTA_INVALID);

    b.nops = 2;
    b.last = 1;
    assert_int_equal(fota_batch_encode(&b, sec, &out), FOTA_INVALID);
    b.prev = 3;
    assert_int_equal(fota_batch_encode(&b, sec, &out), FOTA_INVALID);

    b.prev = 0;
    b.last = b.nops = FOTA_BATCH_OPS_MAX + 1;
    assert_int_equal(fota_batch_encode(&b, sec, &out), FOTA_LIMIT);

    b.last = b.nops = 1;
    b.ops = fota_slice(big, sizeof(big) - 1);
    assert_int_equal(fota_batch_encode(&b, sec, &out), FOTA_LIMIT);
    fota_buf_free(&out);

    b.ops = fota_slice(big, 10);
    fota_buf_fixed(&small, mem, sizeof(mem));
    assert_int_equal(fota_batch_encode(&b, sec, &small), FOTA_FULL);

    o = op(FOTA_OP_PUT, FOTA_T_PRODUCT, "k", "v");
    o.key = fota_slice(big, FOTA_KEY_MAX + 1);
    assert_int_equal(fota_chain_op(chain, &o), FOTA_LIMIT);
    o.key = fota_slice(big, 1);
    o.value = fota_slice(big, FOTA_VALUE_MAX + 1);
    assert_int_equal(fota_chain_op(chain, &o), FOTA_LIMIT);
}


/* The chain of docs: one value worked out here by its definition. */

static void
test_chain_definition(void **state)
{
    uint8_t     chain[32], expect[32], mem[128];
    fota_op_t   o;
    fota_buf_t  in;

    fota_buf_fixed(&in, mem, sizeof(mem));
    fota_buf_put(&in, "fota-chain/1\xef\xcd\xab\x89\x67\x45\x23\x01", 20);
    fota_sha256(expect, mem, in.len);

    assert_int_equal(fota_chain_start(chain, EPOCH), FOTA_OK);
    assert_memory_equal(chain, expect, 32);

    fota_buf_reset(&in);
    fota_buf_put(&in, chain, 32);
    fota_buf_u64(&in, 9);
    fota_buf_put(&in, "\1\4\2\0\3\0\0\0k1abc", 13);
    fota_sha256(expect, mem, in.len);

    o = op(FOTA_OP_PUT, FOTA_T_NODE, "k1", "abc");
    o.seq = 9;
    assert_int_equal(fota_chain_op(chain, &o), FOTA_OK);
    assert_memory_equal(chain, expect, 32);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_is_free),
        cmocka_unit_test(test_follow_refuses),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_encode_refuses),
        cmocka_unit_test(test_chain_definition)
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
