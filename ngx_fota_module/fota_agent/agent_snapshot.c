/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "agent_file.h"
#include "agent_policy.h"
#include "agent_resume.h"
#include "agent_snapshot.h"
#include "agent_tally.h"
#include "agent_wrap.h"
#include "fota_encode.h"


#define FOTA_AGENT_MANIFEST_MAX   (4 << 20)
#define FOTA_AGENT_CHUNK_TRIES    3
#define FOTA_AGENT_LOAD_ENTRIES   10000
#define FOTA_AGENT_LOAD_BYTES     (16 << 20)
#define FOTA_AGENT_LOAD_GROWS     8


typedef struct {
    fota_agent_t       *agent;
    fota_agent_http_t  *http;
    fota_agent_res_t   *res;
    fota_snapshot_t     snapshot;
    fota_arena_t        arena;      /* of the manifest */
    fota_arena_t        scratch;    /* of one record */
    char                dir[PATH_MAX];
    char                id[33];
    fota_buf_t          chunk;      /* bytes of the one at hand */

    /* of a load */
    fota_store_t       *store;
    fota_txn_t         *txn;
    size_t              entries;
    size_t              bytes;
    uint8_t             table;
    uint64_t            counts[FOTA_T__N];
} fota_agent_load_t;

static void fota_agent_snapshot_error(fota_agent_load_t *l, const char *fmt,
    ...)
    __attribute__((format(printf, 2, 3)));
static int fota_agent_snapshot_manifest(fota_agent_load_t *l);
static int fota_agent_snapshot_dir(fota_agent_load_t *l);
static int fota_agent_chunk(fota_agent_load_t *l, uint32_t index);
static int fota_agent_load_entry(fota_agent_load_t *l, const fota_op_t *op);
static int fota_agent_load_chunk(fota_agent_load_t *l, uint32_t index);
static int fota_agent_load_all(fota_agent_load_t *l, const char *path,
    uint64_t map);
static int fota_agent_load_finish(fota_agent_load_t *l);


static void
fota_agent_snapshot_error(fota_agent_load_t *l, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(l->res->error, sizeof(l->res->error), fmt, args);
    va_end(args);
}


int
fota_agent_snapshot(fota_agent_t *agent, fota_agent_http_t *http,
    fota_agent_res_t *res)
{
    int                 rc;
    char                path[PATH_MAX];
    uint32_t            i;
    uint64_t            map, number, total;
    unsigned            grows;
    const char         *reason;
    fota_agent_load_t   l;

    memset(&l, 0, sizeof(l));
    l.agent = agent;
    l.http = http;
    l.res = res;
    fota_arena_init(&l.arena, 0);
    fota_arena_init(&l.scratch, 64 << 20);
    fota_buf_grow(&l.chunk, FOTA_CHUNK_MAX);

    total = 0;

    rc = fota_agent_snapshot_manifest(&l);

    if (rc == FOTA_OK) {
        rc = fota_agent_snapshot_dir(&l);
    }

    if (rc != FOTA_OK) {
        goto done;
    }

    for (i = 0; i < l.snapshot.nchunks; i++) {
        total += l.snapshot.chunks[i].size;
    }

    fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                   "loading snapshot %s at seq %llu: %u chunks, %llu bytes",
                   l.id, (unsigned long long) l.snapshot.seq,
                   l.snapshot.nchunks, (unsigned long long) total);

    for (i = 0; i < l.snapshot.nchunks; i++) {
        rc = fota_agent_chunk(&l, i);
        if (rc != FOTA_OK) {
            goto done;
        }
    }

    map = agent->conf.map_size;

    while (map < total * 3) {
        map *= 2;
    }

    for (grows = 0; /* void */ ; grows++) {
        rc = fota_agent_policy_next(agent->policy, &number, path);
        if (rc != FOTA_OK) {
            fota_agent_snapshot_error(&l, "cannot clear the way for a new "
                                      "generation");
            goto done;
        }

        rc = fota_agent_load_all(&l, path, map);

        if (rc != FOTA_FULL || grows == FOTA_AGENT_LOAD_GROWS
            || fota_agent_file_avail(agent->conf.policy_dir) < (8 << 20))
        {
            break;
        }

        map *= 2;
    }

    if (rc != FOTA_OK) {
        fota_agent_file_rmdir(path);
        goto done;
    }

    rc = fota_agent_policy_switch(agent->policy, number, &reason);
    if (rc != FOTA_OK) {
        fota_agent_snapshot_error(&l, "%s: %s", reason, fota_status_name(rc));
        goto done;
    }

    fota_agent_file_rmdir(l.dir);

    fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                   "generation %llu is current at seq %llu",
                   (unsigned long long) number,
                   (unsigned long long) l.snapshot.seq);

done:

    fota_buf_free(&l.chunk);
    fota_arena_free(&l.arena);
    fota_arena_free(&l.scratch);

    return rc;
}


static int
fota_agent_snapshot_manifest(fota_agent_load_t *l)
{
    int                rc;
    fota_agent_req_t   req;

    memset(&req, 0, sizeof(req));
    req.path = "/sync/v1/snapshot";
    req.max = FOTA_AGENT_MANIFEST_MAX;

    fota_agent_res_free(l->res);

    rc = fota_agent_http(l->http, &req, l->res);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (l->res->status != 200) {
        (void) fota_agent_res_text(l->res);
        return FOTA_BUSY;
    }

    rc = fota_snapshot_decode(&l->arena.mem, fota_buf_slice(&l->res->body),
                              fota_agent_conf_key, &l->agent->conf,
                              &l->snapshot);
    if (rc != FOTA_OK) {
        fota_agent_snapshot_error(l, "snapshot manifest refused: %s",
                                  fota_status_name(rc));

        /* "not found" has another meaning here */

        return (rc == FOTA_NOTFOUND) ? FOTA_CORRUPT : rc;
    }

    fota_hex_encode(l->id, l->snapshot.id, 16);
    l->id[32] = '\0';

    return FOTA_OK;
}


/* Chunks of this snapshot stay from one try to the next; others go. */

static int
fota_agent_snapshot_dir(fota_agent_load_t *l)
{
    int             rc;
    DIR            *d;
    char            top[PATH_MAX], path[PATH_MAX];
    struct dirent  *e;

    if (!fota_agent_file_path(top, l->agent->conf.state_dir, "snapshot")
        || !fota_agent_file_path(l->dir, top, l->id))
    {
        return FOTA_LIMIT;
    }

    rc = fota_agent_file_mkdir(l->dir, 0700, (gid_t) -1);
    if (rc != FOTA_OK) {
        fota_agent_snapshot_error(l, "cannot create %s: %s", l->dir,
                                  strerror(errno));
        return (rc == FOTA_NOTFOUND) ? FOTA_IO : rc;
    }

    d = opendir(top);

    if (d != NULL) {
        while ((e = readdir(d)) != NULL) {
            if (e->d_name[0] != '.' && strcmp(e->d_name, l->id) != 0
                && fota_agent_file_path(path, top, e->d_name))
            {
                fota_agent_file_rmdir(path);
            }
        }

        closedir(d);
    }

    return FOTA_OK;
}


/* Is the chunk on disk, whole and right?  Its bytes are then in l->chunk. */

static int
fota_agent_chunk_read(fota_agent_load_t *l, uint32_t index, const char *path)
{
    int      rc;
    uint8_t  hash[32];

    fota_buf_free(&l->chunk);

    rc = fota_agent_file_read(path, FOTA_CHUNK_MAX, &l->chunk);

    if (rc != FOTA_OK) {
        fota_buf_grow(&l->chunk, FOTA_CHUNK_MAX);
        return rc;
    }

    if (l->chunk.len != l->snapshot.chunks[index].size) {
        return FOTA_TRUNCATED;
    }

    if (fota_sha256(hash, l->chunk.start, l->chunk.len) != FOTA_OK) {
        return FOTA_ERROR;
    }

    return (memcmp(hash, l->snapshot.chunks[index].sha256, 32) == 0)
           ? FOTA_OK : FOTA_CORRUPT;
}


static int
fota_agent_chunk(fota_agent_load_t *l, uint32_t index)
{
    int       rc;
    char      path[PATH_MAX], name[16], url[128];
    unsigned  try;

    (void) snprintf(name, sizeof(name), "%u", index);
    (void) snprintf(url, sizeof(url), "/sync/v1/snapshot/%s/%u", l->id,
                    index);

    if (!fota_agent_file_path(path, l->dir, name)) {
        return FOTA_LIMIT;
    }

    for (try = 0; /* void */ ; try++) {

        rc = fota_agent_chunk_read(l, index, path);

        if (rc == FOTA_OK) {
            return FOTA_OK;
        }

        if (try == FOTA_AGENT_CHUNK_TRIES) {
            fota_agent_snapshot_error(l, "chunk %u of snapshot %s is %s",
                                      index, l->id, fota_status_name(rc));
            return FOTA_CORRUPT;
        }

        if (rc != FOTA_NOTFOUND && rc != FOTA_TRUNCATED) {
            fota_agent_log(FOTA_AGENT_LOG_WARN, "sync",
                           "chunk %u of snapshot %s is %s, once more", index,
                           l->id, fota_status_name(rc));
            fota_agent_tally_error(l->agent->tally, FOTA_SYNC_CORRUPT);
            (void) unlink(path);
        }

        rc = fota_agent_resume(l->http, url, path,
                               l->snapshot.chunks[index].size, l->res);

        if (rc != FOTA_OK && rc != FOTA_TRUNCATED && rc != FOTA_LIMIT) {
            return rc;
        }
    }
}


static int
fota_agent_load_entry(fota_agent_load_t *l, const fota_op_t *op)
{
    int         rc;
    bool        unknown;
    uint8_t     mem[512];
    fota_str_t  value;
    fota_buf_t  opened;

    if (op->table < l->table) {
        return FOTA_CORRUPT;
    }

    l->table = op->table;
    fota_arena_reset(&l->scratch);

    rc = fota_record_check(&l->scratch.mem, op->table, op->key, op->value);
    if (rc != FOTA_OK) {
        return rc;
    }

    value = op->value;

    if (op->table == FOTA_T_KEY) {
        fota_buf_fixed(&opened, mem, sizeof(mem));

        rc = fota_agent_wrap_open(l->agent->wrap, op->key, op->value, &opened,
                                  &unknown);
        if (rc != FOTA_OK) {
            return rc;
        }

        if (opened.len != 0) {
            value = fota_buf_slice(&opened);
        }
    }

    if (l->entries == FOTA_AGENT_LOAD_ENTRIES
        || l->bytes > FOTA_AGENT_LOAD_BYTES)
    {
        rc = fota_txn_commit(l->txn);
        l->txn = NULL;

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    if (l->txn == NULL) {
        rc = fota_store_write_begin(l->store, &l->txn);
        if (rc != FOTA_OK) {
            return rc;
        }

        l->entries = 0;
        l->bytes = 0;
    }

    l->entries++;
    l->bytes += op->key.len + value.len;
    l->counts[op->table]++;

    return fota_txn_append(l->txn, op->table, op->key, value);
}


static int
fota_agent_load_chunk(fota_agent_load_t *l, uint32_t index)
{
    int        rc;
    char       path[PATH_MAX], name[16];
    uint32_t   n, left;
    fota_rd_t  rd;
    fota_op_t  op;

    (void) snprintf(name, sizeof(name), "%u", index);

    if (!fota_agent_file_path(path, l->dir, name)) {
        return FOTA_LIMIT;
    }

    rc = fota_agent_chunk_read(l, index, path);

    if (rc == FOTA_OK) {
        rc = fota_chunk_open(fota_buf_slice(&l->chunk), &rd, &n, &left);
    }

    if (rc == FOTA_OK && n != index) {
        rc = FOTA_CORRUPT;
    }

    while (rc == FOTA_OK) {
        rc = fota_chunk_next(&rd, &left, &op);

        if (rc == FOTA_OK) {
            rc = fota_agent_load_entry(l, &op);

            if (rc == FOTA_NOTFOUND) {
                rc = FOTA_CORRUPT;
            }

        } else if (rc == FOTA_NOTFOUND) {
            return FOTA_OK;
        }
    }

    fota_agent_snapshot_error(l, "snapshot %s, chunk %u: %s", l->id, index,
                              fota_status_name(rc));

    return rc;
}


/* Position and counts, which are the last thing to become durable. */

static int
fota_agent_load_finish(fota_agent_load_t *l)
{
    int          rc;
    fota_meta_t  meta, before;

    if (memcmp(l->counts, l->snapshot.counts, sizeof(l->counts)) != 0) {
        fota_agent_snapshot_error(l, "snapshot %s: counts differ from the "
                                  "manifest", l->id);
        return FOTA_CORRUPT;
    }

    memset(&meta, 0, sizeof(meta));
    meta.format = FOTA_STORE_FORMAT;
    meta.epoch = l->snapshot.epoch;
    meta.seq = l->snapshot.seq;
    memcpy(meta.chain, l->snapshot.chain, sizeof(meta.chain));
    meta.head_ts = l->snapshot.ts;
    meta.fresh = l->snapshot.ts / 1000;
    meta.generation = 1;

    if (fota_agent_policy_meta(l->agent->policy, &before)) {
        meta.generation = before.generation + 1;
    }

    if (l->txn == NULL) {
        rc = fota_store_write_begin(l->store, &l->txn);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    (void) fota_meta_write(l->txn, &meta);

    rc = fota_txn_commit(l->txn);
    l->txn = NULL;

    return (rc == FOTA_OK) ? fota_store_sync(l->store) : rc;
}


static int
fota_agent_load_all(fota_agent_load_t *l, const char *path, uint64_t map)
{
    int                rc;
    uint32_t           i;
    const char        *reason;
    fota_store_opt_t   opt;

    memset(&opt, 0, sizeof(opt));
    memset(l->counts, 0, sizeof(l->counts));
    l->table = 0;

    opt.map_size = map;
    opt.nosync = 1;

    rc = fota_store_open(&l->store, path, &opt, &reason);
    if (rc != FOTA_OK) {
        fota_agent_snapshot_error(l, "cannot open %s: %s", path, reason);
        return (rc == FOTA_NOTFOUND) ? FOTA_IO : rc;
    }

    l->txn = NULL;

    for (i = 0; i < l->snapshot.nchunks && rc == FOTA_OK; i++) {
        rc = fota_agent_stopping(l->agent) ? FOTA_BUSY
                                           : fota_agent_load_chunk(l, i);
    }

    if (rc == FOTA_OK) {
        rc = fota_agent_load_finish(l);
    }

    if (l->txn != NULL) {
        fota_txn_abort(l->txn);
        l->txn = NULL;
    }

    if (rc == FOTA_FULL) {
        fota_agent_snapshot_error(l, "no space left for the policy database");
    }

    fota_store_close(l->store);
    l->store = NULL;

    return rc;
}
