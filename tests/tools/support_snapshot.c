/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A policy directory as the signed snapshot that a centre would give. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_encode.h"
#include "fota_sync.h"
#include "support_spec.h"


#define CHUNK_TARGET  (FOTA_CHUNK_MAX / 2)


typedef struct {
    const char       *dir;
    fota_snapshot_t   s;
    fota_buf_t        out;
    fota_table_e      table;
    uint32_t          entries;      /* of the chunk under way */
} writer_t;


static void
write_file(const char *dir, const char *name, const fota_buf_t *b)
{
    char   path[PATH_MAX];
    FILE  *f;

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);

    f = fopen(path, "wb");

    if (f == NULL || fwrite(b->start, 1, b->len, f) != b->len
        || fclose(f) != 0)
    {
        spec_die("cannot write \"%s\"", path);
    }
}


static void
end_chunk(writer_t *w)
{
    char               name[16];
    fota_chunk_ref_t  *ref;

    if (w->entries == 0) {
        return;
    }

    fota_chunk_end(&w->out, w->entries);

    if (w->out.status != FOTA_OK || w->s.nchunks == FOTA_CHUNKS_MAX) {
        spec_die("chunk: %s", fota_status_name(w->out.status));
    }

    ref = &w->s.chunks[w->s.nchunks];
    ref->size = (uint32_t) w->out.len;

    if (fota_sha256(ref->sha256, w->out.start, w->out.len) != FOTA_OK) {
        spec_die("no SHA-256");
    }

    (void) snprintf(name, sizeof(name), "%u", w->s.nchunks);
    write_file(w->dir, name, &w->out);

    fota_chunk_begin(&w->out, ++w->s.nchunks);
    w->entries = 0;
}


static int
entry(void *ctx, fota_str_t key, fota_str_t value)
{
    writer_t *w = ctx;

    if (w->out.len + key.len + value.len > CHUNK_TARGET) {
        end_chunk(w);
    }

    fota_chunk_entry(&w->out, (uint8_t) w->table, key, value);
    w->entries++;
    w->s.counts[w->table]++;

    return FOTA_OK;
}


int
write_snapshot(fota_store_t *st, const fota_meta_t *m, const char *dir,
    const char *secret, const char *kid)
{
    int         i;
    char        hex[65];
    uint8_t     sec[32], pub[32];
    uint64_t    n;
    writer_t    w;
    fota_buf_t  manifest;

    if (fota_hex_decode(sec, 32, fota_cstr(secret)) != FOTA_OK
        || fota_ed25519_public(sec, pub) != FOTA_OK
        || fota_str_u64(fota_cstr(kid), UINT16_MAX, &n) != FOTA_OK)
    {
        spec_die("KEY is no secret key of 64 hex digits, or KID no number");
    }

    memset(&w, 0, sizeof(w));
    w.dir = dir;
    w.s.epoch = m->epoch;
    w.s.seq = m->seq;
    w.s.ts = m->head_ts;
    w.s.kid = (uint16_t) n;
    memcpy(w.s.chain, m->chain, sizeof(w.s.chain));
    w.s.chunks = calloc(FOTA_CHUNKS_MAX, sizeof(fota_chunk_ref_t));

    if (w.s.chunks == NULL || fota_random(w.s.id, sizeof(w.s.id)) != FOTA_OK) {
        spec_die("out of memory or randomness");
    }

    fota_buf_grow(&w.out, FOTA_CHUNK_MAX);
    fota_buf_grow(&manifest, 16 << 20);
    fota_chunk_begin(&w.out, 0);

    if (fota_store_read_begin(st, NULL) != FOTA_OK) {
        spec_die("the store cannot be read");
    }

    for (i = FOTA_T_META + 1; i < FOTA_T__N; i++) {
        w.table = i;

        if (fota_store_each(st, i, fota_slice(NULL, 0), entry, &w)
            != FOTA_OK)
        {
            spec_die("%s cannot be read", fota_table_name(i));
        }
    }

    fota_store_read_end(st);
    end_chunk(&w);

    if (fota_snapshot_encode(&w.s, sec, &manifest) != FOTA_OK) {
        spec_die("the manifest cannot be made");
    }

    write_file(dir, "manifest", &manifest);

    fota_hex_encode(hex, w.s.id, 16);
    hex[32] = '\0';
    printf("{\"id\":\"%s\",\"chunks\":%u,", hex, w.s.nchunks);

    fota_hex_encode(hex, pub, 32);
    hex[64] = '\0';
    printf("\"public\":\"%s\"}\n", hex);

    fota_buf_free(&w.out);
    fota_buf_free(&manifest);
    free(w.s.chunks);

    return 0;
}
