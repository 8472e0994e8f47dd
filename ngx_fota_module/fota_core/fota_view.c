/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fota_hash.h"
#include "fota_view_int.h"


static void fota_view_close(fota_view_t *v);
static void fota_view_drop(fota_view_t *v);
static int fota_view_decode(fota_view_entry_t *e);


fota_view_t *
fota_view_create(const char *path, uint64_t map_size, fota_view_log_pt log,
    void *log_ctx)
{
    fota_view_t  *v;

    v = calloc(1, sizeof(fota_view_t));
    if (v == NULL) {
        return NULL;
    }

    v->path = strdup(path);
    if (v->path == NULL) {
        free(v);
        return NULL;
    }

    v->map_size = map_size;
    v->log = log;
    v->log_ctx = log_ctx;
    v->status = FOTA_NOTFOUND;
    v->generation = 1;

    fota_arena_init(&v->nodes_arena, 0);
    fota_arena_init(&v->prefix_arena, 0);
    fota_arena_init(&v->deny_arena, 0);

    fota_view_refresh(v);

    return v;
}


void
fota_view_destroy(fota_view_t *v)
{
    if (v == NULL) {
        return;
    }

    fota_view_close(v);
    fota_view_keys_drop(v);

    free(v->keys);
    free(v->tokens);

    fota_arena_free(&v->nodes_arena);
    fota_arena_free(&v->prefix_arena);
    fota_arena_free(&v->deny_arena);

    free(v->path);
    free(v);
}


void
fota_view_say(fota_view_t *v, fota_status_e st, const char *fmt, ...)
{
    char     text[512];
    va_list  args;

    if (v->log == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    v->log(v->log_ctx, st, text);
}


static void
fota_view_close(fota_view_t *v)
{
    if (v->reading) {
        fota_view_end(v);
    }

    if (v->store != NULL) {
        fota_store_close(v->store);
        v->store = NULL;
    }

    v->has_meta = 0;
    v->generation++;

    fota_view_drop(v);
}


static void
fota_view_drop(fota_view_t *v)
{
    size_t              i;
    fota_view_entry_t  *e, *next;

    for (i = 0; i < FOTA_VIEW_BUCKETS; i++) {
        for (e = v->buckets[i]; e != NULL; e = next) {
            next = e->next;
            fota_arena_free(&e->arena);
            free(e);
        }

        v->buckets[i] = NULL;
    }

    memset(v->recent, 0, sizeof(v->recent));

    v->cached = 0;
}


void
fota_view_refresh(fota_view_t *v)
{
    int                rc;
    char               file[PATH_MAX], dir[PATH_MAX];
    const char        *reason;
    struct stat        st;
    fota_store_opt_t   opt;

    v->tick++;

    reason = NULL;

    if (snprintf(file, sizeof(file), "%s/current/data.mdb", v->path)
        >= (int) sizeof(file))
    {
        rc = FOTA_LIMIT;
        reason = "path too long";
        goto failed;
    }

    if (stat(file, &st) == -1) {
        rc = (errno == ENOENT || errno == ENOTDIR) ? FOTA_NOTFOUND : FOTA_IO;
        reason = strerror(errno);
        goto failed;
    }

    /*
     * LMDB notices neither that its file was replaced nor that it got
     * shorter.  One that is damaged may be mended in its place.
     */

    if (v->store != NULL && v->dev == st.st_dev && v->ino == st.st_ino
        && v->size <= st.st_size
        && (!fota_store_broken(v->store) || v->tick % FOTA_VIEW_RETRY != 0))
    {
        v->size = st.st_size;
        return;
    }

    /*
     * Closed before opening anew: a file replaced inside its directory
     * shares the lock file, which one process may open only once.
     */

    fota_view_close(v);

    file[strlen(file) - (sizeof("/data.mdb") - 1)] = '\0';

    if (realpath(file, dir) == NULL) {
        rc = FOTA_NOTFOUND;
        reason = strerror(errno);
        goto failed;
    }

    memset(&opt, 0, sizeof(fota_store_opt_t));
    opt.map_size = v->map_size;
    opt.readonly = 1;

    rc = fota_store_open(&v->store, dir, &opt, &reason);

    if (rc != FOTA_OK) {
        v->store = NULL;
        goto failed;
    }

    v->dev = st.st_dev;
    v->ino = st.st_ino;
    v->size = st.st_size;
    v->status = FOTA_OK;
    v->logged = FOTA_OK;

    fota_view_say(v, FOTA_OK, "policy database \"%s\" opened", dir);

    return;

failed:

    if (v->store != NULL) {
        fota_view_close(v);
    }

    v->status = rc;

    if (v->logged != rc) {
        v->logged = rc;
        fota_view_say(v, rc, "policy database \"%s\" cannot be used: %s (%s)",
                      v->path, fota_status_name(rc),
                      (reason != NULL) ? reason : "no reason given");
    }
}


int
fota_view_begin(fota_view_t *v)
{
    int          rc;
    uint64_t     id;
    fota_meta_t  meta;

    if (v->store == NULL) {
        return v->status;
    }

    if (v->reading) {
        return FOTA_OK;
    }

    rc = fota_store_read_begin(v->store, &id);
    if (rc != FOTA_OK) {
        goto failed;
    }

    if (!v->has_meta || id != v->txn_id) {

        rc = fota_meta_read(v->store, &meta);

        if (rc == FOTA_OK && meta.format != FOTA_STORE_FORMAT) {
            rc = FOTA_TOO_NEW;
        }

        if (rc != FOTA_OK) {
            fota_store_read_end(v->store);
            v->has_meta = 0;
            goto failed;
        }

        if (!v->has_meta || meta.epoch != v->meta.epoch
            || meta.generation != v->meta.generation)
        {
            v->generation++;
        }

        v->meta = meta;
        v->txn_id = id;
        v->has_meta = 1;
        v->logged = FOTA_OK;
    }

    if (v->cached > FOTA_VIEW_CACHE_MAX) {
        fota_view_drop(v);
    }

    v->reading = 1;

    return FOTA_OK;

failed:

    if (v->logged != rc) {
        v->logged = rc;
        fota_view_say(v, rc, "policy database \"%s\" cannot be read: %s",
                      v->path, fota_status_name(rc));
    }

    return rc;
}


void
fota_view_end(fota_view_t *v)
{
    if (v->reading) {
        v->reading = 0;
        fota_store_read_end(v->store);
    }
}


const fota_meta_t *
fota_view_meta(const fota_view_t *v)
{
    return v->has_meta ? &v->meta : NULL;
}


uint64_t
fota_view_generation(const fota_view_t *v)
{
    return v->generation;
}


fota_store_t *
fota_view_store(const fota_view_t *v)
{
    return v->store;
}


int
fota_view_entry(fota_view_t *v, fota_table_e table, fota_str_t key,
    fota_view_entry_t **out)
{
    int                  rc;
    size_t               used;
    uint64_t             hash;
    fota_str_t           value;
    fota_view_entry_t   *e, **link, **recent;

    if (!v->reading) {
        return FOTA_ERROR;
    }

    recent = &v->recent[(table * 5 + key.len + key.data[key.len - 1])
                        % FOTA_VIEW_RECENT];
    e = *recent;

    if (e != NULL && e->generation == v->generation && e->table == table
        && e->klen == key.len && memcmp(e->key, key.data, key.len) == 0)
    {
        *out = e;
        return e->status;
    }

    hash = fota_siphash(table, 0, key.data, key.len);

    link = &v->buckets[hash % FOTA_VIEW_BUCKETS];

    for (e = *link; e != NULL; link = &e->next, e = *link) {
        if (e->hash == hash && e->table == table && e->klen == key.len
            && memcmp(e->key, key.data, key.len) == 0)
        {
            break;
        }
    }

    if (e != NULL && e->generation == v->generation) {
        *recent = e;
        *out = e;
        return e->status;
    }

    rc = fota_store_get(v->store, table, key, &value);

    if (rc != FOTA_OK) {

        if (e != NULL && rc == FOTA_NOTFOUND) {
            *link = e->next;
            memset(v->recent, 0, sizeof(v->recent));
            v->cached -= e->arena.used + sizeof(fota_view_entry_t);
            fota_arena_free(&e->arena);
            free(e);
        }

        return rc;
    }

    /* Most records are the same after a change elsewhere. */

    if (e != NULL && fota_str_eq(e->raw, value)) {
        e->generation = v->generation;
        *out = e;
        return e->status;
    }

    if (e == NULL) {
        e = calloc(1, sizeof(fota_view_entry_t));
        if (e == NULL) {
            return FOTA_NOMEM;
        }

        e->hash = hash;
        e->table = table;
        e->klen = key.len;
        memcpy(e->key, key.data, key.len);
        fota_arena_init(&e->arena, FOTA_VIEW_RECORD_MAX);

        e->next = v->buckets[hash % FOTA_VIEW_BUCKETS];
        v->buckets[hash % FOTA_VIEW_BUCKETS] = e;

        v->cached += sizeof(fota_view_entry_t);
    }

    used = e->arena.used;
    fota_arena_reset(&e->arena);

    e->raw = fota_strdup(&e->arena.mem, value);
    e->status = (e->raw.data == NULL) ? FOTA_NOMEM : fota_view_decode(e);
    e->generation = (e->status == FOTA_NOMEM) ? 0 : v->generation;

    v->cached = v->cached - used + e->arena.used;

    if (e->status != FOTA_OK) {
        fota_view_say(v, e->status,
                      "%s record of %zu bytes in policy \"%s\" refused: %s",
                      fota_table_name(table), value.len, v->path,
                      fota_status_name(e->status));
    }

    *out = e;

    return e->status;
}


static int
fota_view_decode(fota_view_entry_t *e)
{
    switch (e->table) {

    case FOTA_T_TENANT:
        return fota_tenant_decode(&e->arena.mem, e->raw, &e->u.tenant);

    case FOTA_T_PRODUCT:
        return fota_product_decode(&e->arena.mem, e->raw, &e->u.product);

    case FOTA_T_ZONE:
        return fota_zone_decode(&e->arena.mem, e->raw, &e->u.zone);

    default:
        return FOTA_ERROR;
    }
}


int
fota_view_tenant(fota_view_t *v, fota_str_t name, const fota_tenant_t **out)
{
    int                 rc;
    bool                everyone;
    uint8_t             key[FOTA_KEY_MAX];
    fota_view_entry_t  *e;

    if (name.len == 0 || name.len > FOTA_NAME_MAX) {
        return FOTA_NOTFOUND;
    }

    /* Asked by every request, and mostly there is no such record. */

    everyone = (name.len == 1 && name.data[0] == '*');

    if (everyone && v->reading && v->no_everyone == v->generation) {
        return FOTA_NOTFOUND;
    }

    rc = fota_view_entry(v, FOTA_T_TENANT,
                         fota_slice(key, fota_key_name(key, name)), &e);

    if (rc == FOTA_OK) {
        *out = &e->u.tenant;

    } else if (everyone && rc == FOTA_NOTFOUND) {
        v->no_everyone = v->generation;
    }

    return rc;
}


int
fota_view_product(fota_view_t *v, uint32_t tenant, fota_str_t name,
    const fota_product_t **out)
{
    int                 rc;
    uint8_t             key[FOTA_KEY_MAX];
    fota_view_entry_t  *e;

    if (name.len == 0 || name.len > FOTA_NAME_MAX) {
        return FOTA_NOTFOUND;
    }

    rc = fota_view_entry(v, FOTA_T_PRODUCT,
                         fota_slice(key, fota_key_product(key, tenant, name)),
                         &e);

    if (rc == FOTA_OK) {
        *out = &e->u.product;
    }

    return rc;
}


int
fota_view_device(fota_view_t *v, fota_mem_t *mem, uint32_t tenant,
    fota_str_t id, fota_device_t *out)
{
    int         rc;
    uint8_t     key[FOTA_KEY_MAX];
    fota_str_t  value;

    memset(out, 0, sizeof(fota_device_t));

    if (!v->reading) {
        return FOTA_ERROR;
    }

    if (id.len == 0 || id.len > FOTA_ID_MAX) {
        return FOTA_NOTFOUND;
    }

    rc = fota_store_get(v->store, FOTA_T_DEVICE,
                        fota_slice(key, fota_key_device(key, tenant, id)),
                        &value);
    if (rc != FOTA_OK) {
        return rc;
    }

    /* The record is used until the answer is written: out of the map. */

    value = fota_strdup(mem, value);
    if (value.data == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_device_decode(mem, value, out);

    if (rc != FOTA_OK) {
        memset(out, 0, sizeof(fota_device_t));
    }

    return rc;
}


const fota_zone_t *
fota_view_zone(fota_view_t *v, fota_str_t name)
{
    uint8_t             key[FOTA_KEY_MAX];
    fota_view_entry_t  *e;

    if (name.len == 0 || name.len > FOTA_NAME_MAX) {
        return NULL;
    }

    if (fota_view_entry(v, FOTA_T_ZONE,
                        fota_slice(key, fota_key_name(key, name)), &e)
        != FOTA_OK)
    {
        return NULL;
    }

    return &e->u.zone;
}


int
fota_view_artifact(fota_view_t *v, const uint8_t sha256[32],
    fota_artifact_info_t *out)
{
    int         rc;
    fota_str_t  value;

    if (!v->reading) {
        return FOTA_ERROR;
    }

    rc = fota_store_get(v->store, FOTA_T_ARTIFACT, fota_slice(sha256, 32),
                        &value);

    return (rc == FOTA_OK) ? fota_artifact_info_decode(value, out) : rc;
}
