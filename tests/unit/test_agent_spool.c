/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* objects: ngx_fota_module/fota_agent/agent_spool.c */
/* objects: ngx_fota_module/fota_agent/agent_cursor.c */
/* objects: ngx_fota_module/fota_agent/agent_file.c */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>

#include "agent_file.h"
#include "agent_spool.h"


static void
add(fota_buf_t *out, uint64_t seq, size_t len)
{
    uint8_t              *payload;
    fota_spool_record_t   r;

    payload = malloc(len + 1);
    memset(payload, 'p', len);

    memset(&r, 0, sizeof(r));
    r.seq = seq;
    r.recv_ms = 1000 + seq;
    r.payload = fota_slice(payload, len);

    assert_int_equal(fota_spool_record_encode(&r, out), FOTA_OK);
    free(payload);
}


static void
test_batch(void **state)
{
    size_t              i;
    fota_buf_t          out;
    fota_agent_batch_t  b;

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);

    fota_agent_spool_batch(fota_buf_slice(&out), &b);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.end, FOTA_NOTFOUND);

    for (i = 5; i < 8; i++) {
        add(&out, i, 10);
    }

    fota_agent_spool_batch(fota_buf_slice(&out), &b);
    assert_int_equal(b.n, 3);
    assert_int_equal(b.first, 5);
    assert_int_equal(b.last, 7);
    assert_int_equal(b.oldest, 1005);
    assert_int_equal(b.len, out.len);
    assert_int_equal(b.end, FOTA_NOTFOUND);

    fota_agent_spool_batch(fota_slice(out.start, out.len - 1), &b);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.len, 2 * 54);
    assert_int_equal(b.end, FOTA_TRUNCATED);

    out.start[54 + 50] ^= 1;
    fota_agent_spool_batch(fota_buf_slice(&out), &b);
    assert_int_equal(b.n, 1);
    assert_int_equal(b.end, FOTA_CORRUPT);

    fota_buf_free(&out);
}


/* At most 1 000 records and 1 MiB, and never a part of one. */

static void
test_bounds(void **state)
{
    size_t              i;
    fota_buf_t          out;
    fota_agent_batch_t  b;

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);

    for (i = 1; i <= 1500; i++) {
        add(&out, i, 20);
    }

    fota_agent_spool_batch(fota_buf_slice(&out), &b);
    assert_int_equal(b.n, 1000);
    assert_int_equal(b.last, 1000);
    assert_int_equal(b.end, FOTA_OK);

    fota_agent_spool_batch(fota_slice(out.start + b.len, out.len - b.len),
                           &b);
    assert_int_equal(b.n, 500);
    assert_int_equal(b.first, 1001);

    fota_buf_reset(&out);

    for (i = 1; i <= 20; i++) {
        add(&out, i, 65000);
    }

    fota_agent_spool_batch(fota_buf_slice(&out), &b);
    assert_int_equal(b.n, 16);
    assert_true(b.len + FOTA_SPOOL_SEGMENT_HEADER <= FOTA_AGENT_BATCH_BYTES);
    assert_int_equal(b.end, FOTA_OK);

    fota_buf_free(&out);
}


static void
test_resync(void **state)
{
    fota_buf_t  out;

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);

    add(&out, 1, 30);
    add(&out, 2, 30);

    /* Damage of the first, and a magic in it that leads nowhere. */

    memcpy(out.start + 50, "RFPS", 4);

    assert_int_equal(fota_agent_spool_resync(fota_buf_slice(&out)), 74);

    assert_int_equal(fota_agent_spool_resync(fota_slice(out.start, 100)),
                     100);
    assert_int_equal(fota_agent_spool_resync(fota_slice(out.start, 1)), 1);

    fota_buf_free(&out);
}


static void
test_sort(void **state)
{
    fota_agent_segment_t   list[5];
    fota_agent_segments_t  s;

    memset(list, 0, sizeof(list));
    list[0].id = (fota_spool_segment_t) { 2, 0, 9 };
    list[1].id = (fota_spool_segment_t) { 1, 1, 4 };
    list[2].id = (fota_spool_segment_t) { 1, 0, 5 };
    list[3].id = (fota_spool_segment_t) { 1, 0, 3 };
    list[4].id = (fota_spool_segment_t) { 2, 0, 10 };

    s.list = list;
    s.n = 5;
    fota_agent_spool_sort(&s);

    assert_int_equal(list[0].id.number, 3);
    assert_int_equal(list[1].id.number, 5);
    assert_int_equal(list[2].id.number, 4);
    assert_int_equal(list[3].id.number, 9);
    assert_int_equal(list[4].id.number, 10);

    /* Only of the same boot and worker a later one ends an earlier one. */

    assert_int_equal(list[0].later, 1);
    assert_int_equal(list[1].later, 0);
    assert_int_equal(list[2].later, 0);
    assert_int_equal(list[3].later, 1);
    assert_int_equal(list[4].later, 0);

    s.n = 0;
    fota_agent_spool_sort(&s);
}


static void
test_list(void **state)
{
    char                    dir[] = "/tmp/fota-spool-XXXXXX", cmd[256];
    fota_agent_segments_t   s;

    memset(&s, 0, sizeof(s));
    assert_int_equal(fota_agent_spool_list("/nonexistent", &s), FOTA_IO);

    assert_non_null(mkdtemp(dir));

    (void) snprintf(cmd, sizeof(cmd),
                    "cd %s && mkdir refused && echo hello >"
                    " 0000000000000001-0000-0000000000000001.seg && touch x"
                    " && mkdir 0000000000000001-0000-0000000000000002.seg",
                    dir);
    assert_int_equal(system(cmd), 0);

    assert_int_equal(fota_agent_spool_list(dir, &s), FOTA_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.list[0].size, 6);
    assert_int_equal(s.list[0].id.number, 1);

    free(s.list);
    (void) snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}


static void
test_cursor(void **state)
{
    char                    dir[] = "/tmp/fota-cursor-XXXXXX", path[64];
    fota_agent_cursor_t     c, again;
    fota_agent_segment_t    left;
    fota_agent_segments_t   s;

    static const fota_spool_segment_t  a = { 1, 2, 3 }, b = { 1, 2, 4 },
                                       d = { 1, 3, 3 };

    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/cursor", dir);

    memset(&c, 0, sizeof(c));
    memset(&again, 0, sizeof(again));

    assert_int_equal(fota_agent_cursor_load(&again, path), FOTA_NOTFOUND);
    assert_int_equal(fota_agent_cursor_get(&c, &a), 0);

    assert_int_equal(fota_agent_cursor_set(&c, &a, 100), FOTA_OK);
    assert_int_equal(fota_agent_cursor_set(&c, &b, 200), FOTA_OK);
    assert_int_equal(fota_agent_cursor_set(&c, &d, 300), FOTA_OK);
    assert_int_equal(fota_agent_cursor_set(&c, &a, 150), FOTA_OK);

    assert_int_equal(fota_agent_cursor_save(&c, path), FOTA_OK);
    assert_int_equal(fota_agent_cursor_load(&again, path), FOTA_OK);
    assert_int_equal(again.n, 3);
    assert_int_equal(fota_agent_cursor_get(&again, &a), 150);
    assert_int_equal(fota_agent_cursor_get(&again, &b), 200);
    assert_int_equal(fota_agent_cursor_get(&again, &d), 300);

    fota_agent_cursor_drop(&again, &b);
    fota_agent_cursor_drop(&again, &b);
    assert_int_equal(again.n, 2);
    assert_int_equal(fota_agent_cursor_get(&again, &b), 0);

    memset(&left, 0, sizeof(left));
    left.id = d;
    s.list = &left;
    s.n = 1;
    fota_agent_cursor_prune(&again, &s);
    assert_int_equal(again.n, 1);
    assert_int_equal(fota_agent_cursor_get(&again, &d), 300);

    /* What cannot be written leaves the old one. */

    assert_int_equal(fota_agent_cursor_save(&again, "/nonexistent/cursor"),
                     FOTA_NOTFOUND);

    fota_agent_cursor_free(&again);
    fota_agent_cursor_free(&c);
    unlink(path);
    rmdir(dir);
}


static void
test_cursor_damaged(void **state)
{
    size_t               n;
    fota_agent_cursor_t  c;

    static const char  good[] =
        "fota-cursor/1\n"
        "0000000000000001-0002-0000000000000003.seg 100\n"
        "0000000000000001-0002-0000000000000004.seg 200\n";

    memset(&c, 0, sizeof(c));

    for (n = 0; n < sizeof(good) - 1; n++) {
        assert_int_equal(fota_agent_cursor_parse(&c, fota_slice(good, n)),
                         (n == 14 || n == 14 + 47) ? FOTA_OK : FOTA_CORRUPT);
    }

    assert_int_equal(fota_agent_cursor_parse(&c, fota_cstr(good)), FOTA_OK);
    assert_int_equal(c.n, 2);
    assert_int_equal(fota_agent_cursor_parse(&c, fota_cstr(
                         "fota-cursor/1\nx 1\n")), FOTA_CORRUPT);
    assert_int_equal(fota_agent_cursor_parse(&c, fota_cstr(
                         "fota-cursor/1\n"
                         "0000000000000001-0002-0000000000000003.seg -1\n")),
                     FOTA_CORRUPT);

    fota_agent_cursor_free(&c);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_resync),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_cursor_damaged)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
