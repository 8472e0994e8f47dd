/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "fota_hash.h"
#include "fota_tally.h"


#define FOTA_TALLY_CRC    (FOTA_TALLY_SIZE - 4)
#define FOTA_TALLY_TRIES  3


static const char *const  fota_sync_errors[FOTA_SYNC__N] = {
    "connect",
    "http",
    "position",
    "truncated",
    "corrupt",
    "signature",
    "unknown_key",
    "gap",
    "chain",
    "record",
    "snapshot",
    "keys",
    "nack",
    "disk",
    "database",
    "store"
};


const char *
fota_sync_error_name(fota_sync_error_e kind)
{
    return ((unsigned) kind < FOTA_SYNC__N) ? fota_sync_errors[kind] : "";
}


void
fota_tally_encode(const fota_tally_t *t, uint8_t page[FOTA_TALLY_SIZE])
{
    uint32_t                  i, n, crc;
    fota_buf_t                out;
    const fota_tally_mark_t  *m;

    memset(page, 0, FOTA_TALLY_SIZE);
    fota_buf_fixed(&out, page, FOTA_TALLY_CRC);

    n = (t->nmarks < FOTA_TALLY_MARKS) ? t->nmarks : FOTA_TALLY_MARKS;

    fota_buf_put(&out, "FTA1", 4);
    fota_buf_u16(&out, FOTA_SYNC__N);
    fota_buf_u16(&out, (uint16_t) n);

    for (i = 0; i < FOTA_SYNC__N; i++) {
        fota_buf_u64(&out, t->errors[i]);
    }

    for (i = 0; i < n; i++) {
        m = &t->marks[i];
        fota_buf_u64(&out, m->segment.boot);
        fota_buf_u32(&out, m->segment.worker);
        fota_buf_u64(&out, m->segment.number);
        fota_buf_u64(&out, m->offset);
    }

    crc = fota_crc32c(0, page, FOTA_TALLY_CRC);

    fota_buf_fixed(&out, page + FOTA_TALLY_CRC, 4);
    fota_buf_u32(&out, crc);
}


int
fota_tally_decode(const uint8_t page[FOTA_TALLY_SIZE], fota_tally_t *t)
{
    uint32_t             i, nerrors, nmarks;
    uint64_t             n;
    fota_rd_t            rd;
    fota_str_t           magic;
    fota_tally_mark_t   *m;

    memset(t, 0, sizeof(fota_tally_t));

    fota_rd_init(&rd, fota_slice(page + FOTA_TALLY_CRC, 4));

    if (fota_rd_u32(&rd) != fota_crc32c(0, page, FOTA_TALLY_CRC)) {
        return FOTA_CORRUPT;
    }

    fota_rd_init(&rd, fota_slice(page, FOTA_TALLY_CRC));

    magic = fota_rd_bytes(&rd, 4);
    nerrors = fota_rd_u16(&rd);
    nmarks = fota_rd_u16(&rd);

    if (memcmp(magic.data, "FTA1", 4) != 0 || nmarks > FOTA_TALLY_MARKS) {
        return FOTA_CORRUPT;
    }

    for (i = 0; i < nerrors; i++) {
        n = fota_rd_u64(&rd);

        if (i < FOTA_SYNC__N) {
            t->errors[i] = n;
        }
    }

    for (i = 0; i < nmarks; i++) {
        m = &t->marks[i];
        m->segment.boot = fota_rd_u64(&rd);
        m->segment.worker = fota_rd_u32(&rd);
        m->segment.number = fota_rd_u64(&rd);
        m->offset = fota_rd_u64(&rd);
    }

    if (rd.status != FOTA_OK) {
        memset(t, 0, sizeof(fota_tally_t));
        return FOTA_CORRUPT;
    }

    t->nmarks = nmarks;

    return FOTA_OK;
}


int
fota_tally_read(const char *dir, fota_tally_t *t)
{
    int       fd, n, rc;
    char      path[PATH_MAX];
    ssize_t   got;
    uint8_t   page[FOTA_TALLY_SIZE];
    unsigned  tries;

    memset(t, 0, sizeof(fota_tally_t));

    n = snprintf(path, sizeof(path), "%s/" FOTA_TALLY_FILE, dir);

    if (n < 0 || (size_t) n >= sizeof(path)) {
        return FOTA_LIMIT;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
    if (fd == -1) {
        return (errno == ENOENT) ? FOTA_NOTFOUND : FOTA_IO;
    }

    /* A write that was under way is over the next time. */

    rc = FOTA_CORRUPT;

    for (tries = 0; rc == FOTA_CORRUPT && tries < FOTA_TALLY_TRIES; tries++) {
        got = pread(fd, page, sizeof(page), 0);

        if (got < 0) {
            rc = FOTA_IO;

        } else if ((size_t) got == sizeof(page)) {
            rc = fota_tally_decode(page, t);
        }
    }

    (void) close(fd);

    return rc;
}
