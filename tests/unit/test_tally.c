/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "fota_hash.h"
#include "fota_tally.h"


static void
fill(fota_tally_t *t, uint32_t marks)
{
    uint32_t  i;

    memset(t, 0, sizeof(fota_tally_t));

    for (i = 0; i < FOTA_SYNC__N; i++) {
        t->errors[i] = 1000 + i;
    }

    for (i = 0; i < marks; i++) {
        t->marks[i].segment.boot = 0x0011223344556600ULL + i;
        t->marks[i].segment.worker = i;
        t->marks[i].segment.number = i + 1;
        t->marks[i].offset = 28 + i;
    }

    t->nmarks = marks;
}


static void
seal(uint8_t page[FOTA_TALLY_SIZE])
{
    size_t    i;
    uint32_t  crc;

    crc = fota_crc32c(0, page, FOTA_TALLY_SIZE - 4);

    for (i = 0; i < 4; i++) {
        page[FOTA_TALLY_SIZE - 4 + i] = (uint8_t) (crc >> (8 * i));
    }
}


static void
test_round_trip(void **state)
{
    uint8_t       page[FOTA_TALLY_SIZE];
    fota_tally_t  a, b;

    fill(&a, FOTA_TALLY_MARKS);
    fota_tally_encode(&a, page);
    assert_int_equal(fota_tally_decode(page, &b), FOTA_OK);
    assert_memory_equal(a.errors, b.errors, sizeof(a.errors));
    assert_int_equal(b.nmarks, FOTA_TALLY_MARKS);
    assert_int_equal(b.marks[127].segment.boot, 0x001122334455667fULL);
    assert_int_equal(b.marks[127].segment.worker, 127);
    assert_int_equal(b.marks[127].segment.number, 128);
    assert_int_equal(b.marks[127].offset, 155);

    a.nmarks = FOTA_TALLY_MARKS + 1;
    fota_tally_encode(&a, page);
    assert_int_equal(fota_tally_decode(page, &b), FOTA_OK);
    assert_int_equal(b.nmarks, FOTA_TALLY_MARKS);

    fill(&a, 0);
    fota_tally_encode(&a, page);
    assert_int_equal(fota_tally_decode(page, &b), FOTA_OK);
    assert_int_equal(b.nmarks, 0);
}


static void
test_every_byte(void **state)
{
    size_t        i;
    uint8_t       page[FOTA_TALLY_SIZE];
    fota_tally_t  t;

    fill(&t, 2);
    fota_tally_encode(&t, page);

    for (i = 0; i < sizeof(page); i++) {
        page[i] ^= 4;
        assert_int_equal(fota_tally_decode(page, &t), FOTA_CORRUPT);
        page[i] ^= 4;
    }

    assert_int_equal(fota_tally_decode(page, &t), FOTA_OK);
}


/* A right checksum alone makes no page. */

static void
test_sealed_nonsense(void **state)
{
    uint8_t       page[FOTA_TALLY_SIZE], good[FOTA_TALLY_SIZE];
    fota_tally_t  t;

    memset(page, 0, sizeof(page));
    seal(page);
    assert_int_equal(fota_tally_decode(page, &t), FOTA_CORRUPT);

    fill(&t, 1);
    fota_tally_encode(&t, good);

    memcpy(page, good, sizeof(page));
    page[6] = FOTA_TALLY_MARKS + 1;
    seal(page);
    assert_int_equal(fota_tally_decode(page, &t), FOTA_CORRUPT);

    memcpy(page, good, sizeof(page));
    page[5] = 0xff;
    seal(page);
    assert_int_equal(fota_tally_decode(page, &t), FOTA_CORRUPT);
    assert_int_equal(t.errors[0], 0);

    /* Another version has fewer kinds, or more. */

    memcpy(page, good, sizeof(page));
    page[4] = 2;
    page[6] = 0;
    seal(page);
    assert_int_equal(fota_tally_decode(page, &t), FOTA_OK);
    assert_int_equal(t.errors[1], 1001);
    assert_int_equal(t.errors[2], 0);

    memcpy(page, good, sizeof(page));
    page[4] = FOTA_SYNC__N + 4;
    page[6] = 0;
    seal(page);
    assert_int_equal(fota_tally_decode(page, &t), FOTA_OK);
    assert_int_equal(t.errors[FOTA_SYNC__N - 1], 1000 + FOTA_SYNC__N - 1);
}


static void
test_read(void **state)
{
    int           fd;
    char          dir[] = "/tmp/fota-tally-XXXXXX", path[64], deep[5000];
    uint8_t       page[FOTA_TALLY_SIZE];
    fota_tally_t  t;

    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/" FOTA_TALLY_FILE, dir);

    assert_int_equal(fota_tally_read(dir, &t), FOTA_NOTFOUND);

    memset(deep, 'x', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(fota_tally_read(deep, &t), FOTA_LIMIT);

    fill(&t, 3);
    fota_tally_encode(&t, page);

    fd = open(path, O_WRONLY|O_CREAT, 0600);
    assert_int_equal(write(fd, page, 100), 100);
    assert_int_equal(fota_tally_read(dir, &t), FOTA_CORRUPT);
    assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
    close(fd);

    assert_int_equal(fota_tally_read(dir, &t), FOTA_OK);
    assert_int_equal(t.errors[FOTA_SYNC_GAP], 1000 + FOTA_SYNC_GAP);
    assert_int_equal(t.nmarks, 3);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(fota_tally_read(dir, &t), FOTA_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0);
}


static void
test_names(void **state)
{
    int  i, k;

    for (i = 0; i < FOTA_SYNC__N; i++) {
        assert_true(fota_sync_error_name((fota_sync_error_e) i)[0] >= 'a');

        for (k = 0; k < i; k++) {
            assert_string_not_equal(
                fota_sync_error_name((fota_sync_error_e) i),
                fota_sync_error_name((fota_sync_error_e) k));
        }
    }

    assert_string_equal(fota_sync_error_name(FOTA_SYNC_GAP), "gap");
    assert_string_equal(fota_sync_error_name(FOTA_SYNC_DATABASE), "database");
    assert_string_equal(fota_sync_error_name(FOTA_SYNC_STORE), "store");
    assert_string_equal(fota_sync_error_name(FOTA_SYNC__N), "");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_sealed_nonsense),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_names)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
