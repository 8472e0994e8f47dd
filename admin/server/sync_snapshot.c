/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>

#include "snapshot.h"
#include "sync.h"


static int fota_sync_file(const char *path, fota_buf_t *out);
static bool fota_sync_range(fota_str_t s, uint64_t size, uint64_t *first,
    uint64_t *last);


static int
fota_sync_file(const char *path, fota_buf_t *out)
{
    FILE     *f;
    size_t    n;
    uint8_t   buf[65536];

    f = fopen(path, "rb");
    if (f == NULL) {
        return FOTA_NOTFOUND;
    }

    while ((n = fread(buf, 1, sizeof(buf), f)) != 0) {
        fota_buf_put(out, buf, n);
    }

    if (ferror(f)) {
        out->status = FOTA_ERROR;
    }

    (void) fclose(f);

    return out->status;
}


int
fota_sync_snapshot(fota_req_t *req)
{
    int                    rc;
    char                   path[FOTA_SNAPSHOT_PATH];
    fota_buf_t             out;
    fota_feed_t            feed;
    fota_snapshot_info_t   info;

    rc = fota_feed_read(req->db, &feed, false);

    if (rc == FOTA_OK) {
        rc = fota_snapshot_latest(req->db, &info);
    }

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    /* The log would not go on from it: another one is being made. */

    if (rc == FOTA_OK
        && (info.epoch != feed.epoch || info.seq < feed.floor))
    {
        rc = FOTA_NOTFOUND;
    }

    fota_buf_grow(&out, FOTA_CHUNK_MAX);

    if (rc == FOTA_OK) {
        fota_snapshot_path(req->server, info.id, "manifest", path);
        rc = fota_sync_file(path, &out);
    }

    fota_res_header(req, "Cache-Control", "no-store");

    if (rc == FOTA_OK) {
        rc = fota_res_bytes(req, 200, "application/vnd.fota.manifest",
                            fota_buf_slice(&out));

    } else if (rc == FOTA_NOTFOUND) {
        fota_res_header(req, "Retry-After", "1");
        rc = fota_res_problem(req, 503, "no_snapshot", NULL,
                              "the first snapshot is being made");
    }

    fota_buf_free(&out);

    return rc;
}


/* One range: "bytes=A-B", "bytes=A-" or "bytes=-N"; anything else is none. */

static bool
fota_sync_range(fota_str_t s, uint64_t size, uint64_t *first, uint64_t *last)
{
    fota_str_t      a, b;
    const uint8_t  *dash;

    if (s.len < 7 || memcmp(s.data, "bytes=", 6) != 0) {
        return false;
    }

    s.data += 6;
    s.len -= 6;

    dash = memchr(s.data, '-', s.len);
    if (dash == NULL) {
        return false;
    }

    a = fota_slice(s.data, (size_t) (dash - s.data));
    b = fota_slice(dash + 1, s.len - a.len - 1);

    *last = size - 1;

    if (a.len == 0) {
        if (fota_str_u64(b, UINT64_MAX, first) != FOTA_OK || *first == 0) {
            return false;
        }

        *first = (*first > size) ? 0 : size - *first;
        return true;
    }

    if (fota_str_u64(a, UINT64_MAX, first) != FOTA_OK
        || (b.len != 0 && (fota_str_u64(b, UINT64_MAX, last) != FOTA_OK
                           || *last < *first)))
    {
        return false;
    }

    if (*last >= size) {
        *last = size - 1;
    }

    return true;
}


int
fota_sync_chunk(fota_req_t *req)
{
    int         rc;
    char        path[FOTA_SNAPSHOT_PATH], id[FOTA_SNAPSHOT_ID_HEX + 1];
    char        text[80];
    size_t      i;
    uint64_t    n, first, last;
    fota_str_t  s, range;
    fota_buf_t  out;

    s = fota_req_param(req, "id");

    for (i = 0; i < s.len && s.data[i] != 0
         && strchr("0123456789abcdef", s.data[i]) != NULL;
         i++)
    {
        /* void */
    }

    rc = FOTA_NOTFOUND;

    fota_buf_grow(&out, FOTA_CHUNK_MAX + FOTA_VALUE_MAX * 2);

    if (s.len == FOTA_SNAPSHOT_ID_HEX && i == s.len
        && fota_str_u64(fota_req_param(req, "n"), FOTA_CHUNKS_MAX, &n)
           == FOTA_OK)
    {
        memcpy(id, s.data, s.len);
        id[s.len] = '\0';

        (void) snprintf(text, sizeof(text), "%u", (unsigned) n);
        fota_snapshot_path(req->server, id, text, path);

        rc = fota_sync_file(path, &out);
    }

    if (rc == FOTA_NOTFOUND) {
        fota_buf_free(&out);
        return fota_res_problem(req, 404, "no_snapshot", NULL,
                                "this snapshot is gone; ask for the newest");
    }

    if (rc != FOTA_OK) {
        fota_buf_free(&out);
        return rc;
    }

    fota_res_header(req, "Cache-Control", "no-store");
    fota_res_header(req, "Accept-Ranges", "bytes");

    range = fota_req_header(req, "Range");

    if (range.data == NULL || out.len == 0
        || !fota_sync_range(range, out.len, &first, &last))
    {
        rc = fota_res_bytes(req, 200, "application/vnd.fota.chunk",
                            fota_buf_slice(&out));

    } else if (first >= out.len) {
        (void) snprintf(text, sizeof(text), "bytes */%zu", out.len);
        fota_res_header(req, "Content-Range", text);
        rc = fota_res_problem(req, 416, "range", "Range",
                              "the chunk has %zu bytes", out.len);

    } else {
        (void) snprintf(text, sizeof(text), "bytes %llu-%llu/%zu",
                        (unsigned long long) first,
                        (unsigned long long) last, out.len);
        fota_res_header(req, "Content-Range", text);
        rc = fota_res_bytes(req, 206, "application/vnd.fota.chunk",
                            fota_slice(out.start + first,
                                       (size_t) (last - first + 1)));
    }

    fota_buf_free(&out);

    return rc;
}
