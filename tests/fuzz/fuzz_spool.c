/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_spool.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* A record that is read is, written again, the bytes that were read. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                   rc;
    char                  name[FOTA_SPOOL_NAME_MAX];
    fota_rd_t             rd;
    fota_buf_t            out;
    const uint8_t        *at;
    fota_spool_record_t   r;
    fota_spool_segment_t  s, again;

    fota_rd_init(&rd, fota_slice(data, size));

    if (fota_spool_segment_decode(&rd, &s) != FOTA_OK) {
        return 0;
    }

    s.worker &= 0xffff;
    fota_spool_name(name, &s);

    if (fota_spool_name_parse(fota_cstr(name), &again) != FOTA_OK
        || again.boot != s.boot || again.worker != s.worker
        || again.number != s.number)
    {
        abort();
    }

    fota_buf_grow(&out, FOTA_SPOOL_SEGMENT_MAX);

    for ( ;; ) {
        at = rd.pos;
        rc = fota_spool_record_decode(&rd, &r);

        if (rc != FOTA_OK) {
            break;
        }

        fota_buf_reset(&out);

        if (fota_spool_record_encode(&r, &out) != FOTA_OK
            || out.len != (size_t) (rd.pos - at)
            || memcmp(out.start, at, out.len) != 0)
        {
            abort();
        }
    }

    /* Who stops is where the next record would begin. */

    if (rd.pos != at
        || (rc == FOTA_NOTFOUND) != (fota_rd_left(&rd) == 0)
        || (rc != FOTA_NOTFOUND && rc != FOTA_TRUNCATED
            && rc != FOTA_CORRUPT))
    {
        abort();
    }

    fota_buf_free(&out);

    return 0;
}
