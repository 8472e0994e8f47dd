/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_spool.h"


static const fota_spool_segment_t  segment = {
    0x0011223344556677ULL, 3, 0x89abcdefULL
};


static void
add(fota_buf_t *out, uint64_t seq, const char *payload)
{
    fota_spool_record_t  r;

    r.seq = seq;
    memset(r.report_id, (int) seq, 16);
    r.recv_ms = 1767225600000ULL + seq;
    r.payload = fota_cstr(payload);

    assert_int_equal(fota_spool_record_encode(&r, out), FOTA_OK);
}


/* Reads a segment; number of records in *n, why it ended as the result. */

static int
read_all(fota_str_t in, unsigned *n)
{
    int                   rc;
    fota_rd_t             rd;
    fota_spool_record_t   r;
    fota_spool_segment_t  s;

    *n = 0;
    fota_rd_init(&rd, in);

    rc = fota_spool_segment_decode(&rd, &s);

    while (rc == FOTA_OK) {
        rc = fota_spool_record_decode(&rd, &r);

        if (rc == FOTA_OK) {
            (*n)++;
            assert_int_equal(r.seq, *n);
            assert_int_equal(r.recv_ms, 1767225600000ULL + *n);
            assert_int_equal(r.report_id[15], *n);
        }
    }

    return rc;
}


static void
fill(fota_buf_t *out)
{
    fota_buf_grow(out, FOTA_SPOOL_SEGMENT_MAX);
    fota_spool_segment_encode(&segment, out);
    assert_int_equal(out->len, FOTA_SPOOL_SEGMENT_HEADER);

    add(out, 1, "{\"t\":\"report\"}");
    assert_int_equal(out->len, FOTA_SPOOL_SEGMENT_HEADER
                               + FOTA_SPOOL_RECORD_HEADER + 14);
    add(out, 2, "");
    add(out, 3, "{}");
}


static void
test_round_trip(void **state)
{
    unsigned              n;
    fota_rd_t             rd;
    fota_buf_t            out;
    fota_spool_segment_t  s;

    fill(&out);

    assert_int_equal(read_all(fota_buf_slice(&out), &n), FOTA_NOTFOUND);
    assert_int_equal(n, 3);

    fota_rd_init(&rd, fota_buf_slice(&out));
    assert_int_equal(fota_spool_segment_decode(&rd, &s), FOTA_OK);
    assert_int_equal(s.boot, segment.boot);
    assert_int_equal(s.worker, segment.worker);
    assert_int_equal(s.number, segment.number);

    fota_buf_free(&out);
}


/* The bytes end at any place: whole records are read, the torn one not. */

static void
test_torn_tail(void **state)
{
    int         rc;
    size_t      i, len;
    unsigned    n, whole;
    fota_buf_t  out;

    size_t  ends[3] = { 28 + 44 + 14, 28 + 44 + 14 + 44,
                        28 + 44 + 14 + 44 + 46 };

    fill(&out);

    for (len = 0; len <= out.len; len++) {
        whole = 0;

        for (i = 0; i < 3; i++) {
            whole += ends[i] <= len;
        }

        rc = read_all(fota_slice(out.start, len), &n);

        assert_int_equal(n, whole);
        assert_int_equal(rc, (len == 28 || len == ends[0] || len == ends[1]
                              || len == ends[2])
                             ? FOTA_NOTFOUND : FOTA_TRUNCATED);
    }

    /* And after each of them come the zeros of a file that was extended. */

    for (len = 28; len < out.len; len++) {
        whole = 0;

        for (i = 0; i < 3; i++) {
            whole += ends[i] <= len;
        }

        uint8_t  *copy = calloc(1, len + 100);

        memcpy(copy, out.start, len);
        rc = read_all(fota_slice(copy, len + 100), &n);
        free(copy);

        /* The bytes lost may have been zeros: then nothing was lost. */

        assert_true(n == whole || n == whole + 1);
        assert_int_equal(rc, FOTA_TRUNCATED);
    }

    fota_buf_free(&out);
}


static void
test_every_bit(void **state)
{
    int         rc;
    size_t      i;
    unsigned    n;
    fota_buf_t  out;

    fill(&out);

    for (i = 28 * 8; i < out.len * 8; i++) {
        out.start[i / 8] ^= (uint8_t) (1 << (i % 8));
        rc = read_all(fota_buf_slice(&out), &n);
        out.start[i / 8] ^= (uint8_t) (1 << (i % 8));

        /* A damaged record is never handed out. */

        assert_true(rc == FOTA_CORRUPT || rc == FOTA_TRUNCATED);
        assert_true(n < 3);

        /* Damage of the payload of the first is damage before the end. */

        if (i / 8 >= 28 + 44 && i / 8 < 28 + 44 + 14) {
            assert_int_equal(rc, FOTA_CORRUPT);
            assert_int_equal(n, 0);
        }
    }

    fota_buf_free(&out);
}


static void
test_segment_header(void **state)
{
    unsigned    n;
    fota_buf_t  out;

    fill(&out);

    out.start[0] = 'X';
    assert_int_equal(read_all(fota_buf_slice(&out), &n), FOTA_CORRUPT);
    out.start[0] = 'F';

    out.start[4] = 2;
    assert_int_equal(read_all(fota_buf_slice(&out), &n), FOTA_TOO_NEW);
    out.start[4] = 0;
    assert_int_equal(read_all(fota_buf_slice(&out), &n), FOTA_CORRUPT);

    fota_buf_free(&out);
}


static void
test_limits(void **state)
{
    uint8_t              mem[100], *big;
    fota_rd_t            rd;
    fota_buf_t           out;
    fota_spool_record_t  r;

    big = malloc(FOTA_SPOOL_PAYLOAD_MAX + 1);
    memset(big, 'x', FOTA_SPOOL_PAYLOAD_MAX + 1);
    memset(&r, 0, sizeof(r));

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);
    r.payload = fota_slice(big, FOTA_SPOOL_PAYLOAD_MAX + 1);
    assert_int_equal(fota_spool_record_encode(&r, &out), FOTA_LIMIT);
    assert_int_equal(out.len, 0);

    r.payload.len--;
    assert_int_equal(fota_spool_record_encode(&r, &out), FOTA_OK);

    fota_rd_init(&rd, fota_buf_slice(&out));
    assert_int_equal(fota_spool_record_decode(&rd, &r), FOTA_OK);
    assert_int_equal(r.payload.len, FOTA_SPOOL_PAYLOAD_MAX);

    /* A length beyond the limit is not waited for. */

    out.start[6] = 2;
    fota_rd_init(&rd, fota_slice(out.start, 20));
    assert_int_equal(fota_spool_record_decode(&rd, &r), FOTA_CORRUPT);

    fota_buf_free(&out);

    /* Nothing of a record that does not fit. */

    fota_buf_fixed(&out, mem, sizeof(mem));
    add(&out, 1, "ok");
    r.payload = fota_slice(big, 20);
    assert_int_equal(fota_spool_record_encode(&r, &out), FOTA_FULL);
    assert_int_equal(out.len, 46);

    free(big);

    /* An error of the reader stays. */

    fota_rd_init(&rd, fota_slice(mem, 46));
    fota_rd_fail(&rd, FOTA_LIMIT);
    assert_int_equal(fota_spool_record_decode(&rd, &r), FOTA_LIMIT);
}


static void
test_names(void **state)
{
    char                  name[FOTA_SPOOL_NAME_MAX], bad[64];
    size_t                i;
    fota_spool_segment_t  s;

    fota_spool_name(name, &segment);
    assert_string_equal(name, "0011223344556677-0003-0000000089abcdef.seg");

    assert_int_equal(fota_spool_name_parse(fota_cstr(name), &s), FOTA_OK);
    assert_int_equal(s.boot, segment.boot);
    assert_int_equal(s.worker, 3);
    assert_int_equal(s.number, segment.number);

    for (i = 0; i < strlen(name); i++) {
        assert_int_equal(fota_spool_name_parse(fota_slice(name, i), &s),
                         FOTA_INVALID);

        memcpy(bad, name, sizeof(name));
        bad[i] = 'G';
        assert_int_equal(fota_spool_name_parse(fota_cstr(bad), &s),
                         FOTA_INVALID);
    }

    memcpy(bad, name, sizeof(name));
    bad[30] = 'A';
    assert_int_equal(fota_spool_name_parse(fota_cstr(bad), &s),
                     FOTA_INVALID);
}


/* The same report has the same id everywhere, and no other has it. */

static void
test_report_id(void **state)
{
    uint8_t  a[16], b[16], longid[FOTA_ID_MAX + 1];

    memset(longid, 'd', sizeof(longid));

    assert_int_equal(fota_report_id(a, 1, fota_cstr("dev"), 2, 3, 4),
                     FOTA_OK);
    assert_int_equal(fota_report_id(b, 1, fota_cstr("dev"), 2, 3, 4),
                     FOTA_OK);
    assert_memory_equal(a, b, 16);

    fota_report_id(b, 9, fota_cstr("dev"), 2, 3, 4);
    assert_memory_not_equal(a, b, 16);
    fota_report_id(b, 1, fota_cstr("dew"), 2, 3, 4);
    assert_memory_not_equal(a, b, 16);
    fota_report_id(b, 1, fota_cstr("dev"), 9, 3, 4);
    assert_memory_not_equal(a, b, 16);
    fota_report_id(b, 1, fota_cstr("dev"), 2, 9, 4);
    assert_memory_not_equal(a, b, 16);
    fota_report_id(b, 1, fota_cstr("dev"), 2, 3, 9);
    assert_memory_not_equal(a, b, 16);

    assert_int_equal(fota_report_id(a, 1, fota_slice(longid, FOTA_ID_MAX), 2,
                                    3, 4),
                     FOTA_OK);
    assert_int_equal(fota_report_id(a, 1,
                                    fota_slice(longid, FOTA_ID_MAX + 1), 2,
                                    3, 4),
                     FOTA_LIMIT);
}


/* What is asked of a segment without reading all of it. */

static void
test_peek_and_last(void **state)
{
    size_t      one, two, three;
    uint64_t    seq, ms;
    fota_buf_t  out;

    fota_buf_grow(&out, 1 << 20);

    assert_int_equal(fota_spool_record_last(fota_buf_slice(&out), &seq),
                     FOTA_NOTFOUND);

    add(&out, 5, "{}");
    one = out.len;
    add(&out, 6, "{\"text\":\"RFPS and more RFPS\"}");
    two = out.len;
    add(&out, 7, "");
    three = out.len;

    assert_int_equal(fota_spool_record_peek(fota_slice(out.start, 43), &seq,
                                            &ms),
                     FOTA_TRUNCATED);
    assert_int_equal(fota_spool_record_peek(fota_slice(out.start, 44), &seq,
                                            &ms),
                     FOTA_OK);
    assert_int_equal(seq, 5);
    assert_int_equal(ms, 1767225600005ULL);
    assert_int_equal(fota_spool_record_peek(fota_slice(out.start + 1, 60),
                                            &seq, &ms),
                     FOTA_CORRUPT);

    assert_int_equal(fota_spool_record_last(fota_buf_slice(&out), &seq),
                     FOTA_OK);
    assert_int_equal(seq, 7);

    /* The front may be cut anywhere, and so may the end. */

    assert_int_equal(fota_spool_record_last(fota_slice(out.start + 3,
                                                       two - 3), &seq),
                     FOTA_OK);
    assert_int_equal(seq, 6);
    assert_int_equal(fota_spool_record_last(fota_slice(out.start, two - 1),
                                            &seq),
                     FOTA_OK);
    assert_int_equal(seq, 5);
    assert_int_equal(fota_spool_record_last(fota_slice(out.start + one,
                                                       three - 1 - one),
                                            &seq),
                     FOTA_OK);
    assert_int_equal(seq, 6);
    assert_int_equal(fota_spool_record_last(fota_slice(out.start + 1,
                                                       one - 1), &seq),
                     FOTA_NOTFOUND);

    /* A length that is too long is no record. */

    out.start[6] = 0xff;
    assert_int_equal(fota_spool_record_peek(fota_slice(out.start, 44), &seq,
                                            &ms),
                     FOTA_CORRUPT);

    fota_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_segment_header),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_peek_and_last),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_report_id)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
