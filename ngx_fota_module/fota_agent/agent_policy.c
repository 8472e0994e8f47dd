/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_file.h"
#include "agent_policy_int.h"


/* Files of old readers go on living after their name is gone. */
#define FOTA_AGENT_GEN_LIMIT  (60 * FOTA_AGENT_GEN_KEEP)


static bool fota_agent_policy_number(const char *name, uint64_t *number);
static int fota_agent_policy_current(fota_agent_policy_t *p,
    uint64_t *number);
static void fota_agent_policy_clean(fota_agent_policy_t *p);


fota_agent_policy_t *
fota_agent_policy_new(const fota_agent_conf_t *conf, gid_t gid)
{
    fota_agent_policy_t  *p;

    p = calloc(1, sizeof(fota_agent_policy_t));
    if (p == NULL) {
        return NULL;
    }

    p->conf = conf;
    p->gid = gid;
    (void) pthread_mutex_init(&p->lock, NULL);
    fota_arena_init(&p->arena, 64 << 20);

    return p;
}


void
fota_agent_policy_free(fota_agent_policy_t *p)
{
    if (p == NULL) {
        return;
    }

    fota_store_close(p->store);
    fota_store_close(p->old);
    fota_arena_free(&p->arena);
    (void) pthread_mutex_destroy(&p->lock);
    free(p);
}


void
fota_agent_policy_path(const fota_agent_policy_t *p, uint64_t number,
    char path[PATH_MAX])
{
    (void) snprintf(path, PATH_MAX, "%s/gen-%llu", p->conf->policy_dir,
                    (unsigned long long) number);
}


static bool
fota_agent_policy_number(const char *name, uint64_t *number)
{
    return strncmp(name, "gen-", 4) == 0
           && fota_str_u64(fota_cstr(name + 4), UINT64_MAX, number) == FOTA_OK
           && *number != 0;
}


static int
fota_agent_policy_current(fota_agent_policy_t *p, uint64_t *number)
{
    char     path[PATH_MAX], target[64];
    ssize_t  n;

    *number = 0;

    if (!fota_agent_file_path(path, p->conf->policy_dir, "current")) {
        return FOTA_LIMIT;
    }

    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        return fota_agent_file_errno(errno);
    }

    target[n] = '\0';

    return fota_agent_policy_number(target, number) ? FOTA_OK : FOTA_CORRUPT;
}


/*
 * What is newer than the current one was not finished; of the older the
 * previous one stays for its readers.
 */

static void
fota_agent_policy_clean(fota_agent_policy_t *p)
{
    DIR            *d;
    char            path[PATH_MAX];
    uint64_t        kept, number;
    struct dirent  *e;

    p->old_number = 0;

    d = opendir(p->conf->policy_dir);
    if (d == NULL) {
        return;
    }

    while ((e = readdir(d)) != NULL) {
        if (!fota_agent_policy_number(e->d_name, &number)
            || number == p->generation)
        {
            continue;
        }

        if (number < p->generation && number > p->old_number) {
            kept = number;
            number = p->old_number;
            p->old_number = kept;

            if (number == 0) {
                continue;
            }
        }

        fota_agent_policy_path(p, number, path);
        fota_agent_file_rmdir(path);

        fota_agent_log(FOTA_AGENT_LOG_INFO, "sync", "removed %s", path);
    }

    closedir(d);

    p->old_since = fota_agent_mono_ms();
}


uint64_t
fota_agent_policy_map(const fota_agent_policy_t *p, const char *dir)
{
    char         path[PATH_MAX];
    uint64_t     map;
    struct stat  sb;

    map = (p->map_min > p->conf->map_size) ? p->map_min : p->conf->map_size;

    if (fota_agent_file_path(path, dir, "data.mdb") && stat(path, &sb) == 0) {

        /* It grew once: let it not come to the same end again at once. */

        while (map / 5 * 4 < (uint64_t) sb.st_size) {
            map *= 2;
        }
    }

    return map;
}


int
fota_agent_policy_open(fota_agent_policy_t *p, const char **reason)
{
    int                rc;
    char               path[PATH_MAX];
    uint64_t           number;
    fota_meta_t        meta;
    fota_store_t      *store;
    fota_store_opt_t   opt;

    *reason = "no database yet";

    rc = fota_agent_policy_current(p, &number);

    if (rc == FOTA_OK) {
        fota_agent_policy_path(p, number, path);

        /* It is there or it is not; an empty one is not to be made. */

        if (access(path, F_OK) != 0) {
            rc = FOTA_NOTFOUND;
        }
    }

    p->generation = number;
    fota_agent_policy_clean(p);

    if (rc != FOTA_OK) {
        return rc;
    }

    memset(&opt, 0, sizeof(opt));
    opt.map_size = fota_agent_policy_map(p, path);

    rc = fota_store_open(&store, path, &opt, reason);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_store_read_begin(store, NULL);

    if (rc == FOTA_OK) {
        rc = fota_meta_read(store, &meta);
        fota_store_read_end(store);
    }

    if (rc != FOTA_OK) {
        *reason = "position cannot be read";
        fota_store_close(store);
        return rc;
    }

    pthread_mutex_lock(&p->lock);
    p->store = store;
    p->meta = meta;
    pthread_mutex_unlock(&p->lock);

    return FOTA_OK;
}


bool
fota_agent_policy_meta(fota_agent_policy_t *p, fota_meta_t *meta)
{
    bool  open;

    pthread_mutex_lock(&p->lock);

    open = p->store != NULL;

    if (open) {
        *meta = p->meta;
    }

    pthread_mutex_unlock(&p->lock);

    return open;
}


int
fota_agent_policy_info(fota_agent_policy_t *p, fota_agent_policy_info_t *info)
{
    int  rc;

    memset(info, 0, sizeof(fota_agent_policy_info_t));
    rc = FOTA_OK;

    pthread_mutex_lock(&p->lock);

    if (p->store != NULL) {
        info->open = true;
        info->generation = p->generation;
        info->meta = p->meta;
        rc = fota_store_stat(p->store, &info->stat);
    }

    pthread_mutex_unlock(&p->lock);

    return rc;
}


int
fota_agent_policy_each(fota_agent_policy_t *p, fota_table_e table,
    fota_agent_each_pt each, void *ctx)
{
    int         rc;
    fota_str_t  all = fota_null_str;

    pthread_mutex_lock(&p->lock);

    rc = (p->store == NULL) ? FOTA_NOTFOUND
                            : fota_store_read_begin(p->store, NULL);

    if (rc == FOTA_OK) {
        rc = fota_store_each(p->store, table, all, each, ctx);
        fota_store_read_end(p->store);
    }

    pthread_mutex_unlock(&p->lock);

    return rc;
}


int
fota_agent_policy_next(fota_agent_policy_t *p, uint64_t *number,
    char path[PATH_MAX])
{
    /* A number that readers may have seen is not used again. */

    *number = p->generation + 1;

    fota_agent_policy_path(p, *number, path);
    fota_agent_file_rmdir(path);

    if (access(path, F_OK) == 0) {
        return FOTA_EXISTS;
    }

    return FOTA_OK;
}


int
fota_agent_policy_switch(fota_agent_policy_t *p, uint64_t number,
    const char **reason)
{
    int                rc;
    char               path[PATH_MAX], temp[PATH_MAX], link[PATH_MAX];
    char               name[32];
    fota_meta_t        meta;
    fota_store_t      *store;
    fota_store_opt_t   opt;

    *reason = "cannot switch to the new generation";

    fota_agent_policy_path(p, number, path);

    memset(&opt, 0, sizeof(opt));
    opt.map_size = fota_agent_policy_map(p, path);

    rc = fota_store_open(&store, path, &opt, reason);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_store_read_begin(store, NULL);

    if (rc == FOTA_OK) {
        rc = fota_meta_read(store, &meta);
        fota_store_read_end(store);
    }

    if (rc != FOTA_OK) {
        goto failed;
    }

    rc = FOTA_LIMIT;

    if (!fota_agent_file_path(temp, p->conf->policy_dir, "current.new")
        || !fota_agent_file_path(link, p->conf->policy_dir, "current"))
    {
        goto failed;
    }

    (void) snprintf(name, sizeof(name), "gen-%llu",
                    (unsigned long long) number);
    (void) unlink(temp);

    /* The bytes first, then the name that leads to them. */

    if ((rc = fota_agent_file_sync_dir(path)) != FOTA_OK
        || (rc = fota_agent_file_sync_dir(p->conf->policy_dir)) != FOTA_OK)
    {
        goto failed;
    }

    if (symlink(name, temp) != 0 || rename(temp, link) != 0) {
        rc = fota_agent_file_errno(errno);
        goto failed;
    }

    rc = fota_agent_file_sync_dir(p->conf->policy_dir);
    if (rc != FOTA_OK) {
        goto failed;
    }

    if (p->old_number != 0) {
        fota_store_close(p->old);
        fota_agent_policy_path(p, p->old_number, path);
        fota_agent_file_rmdir(path);
    }

    pthread_mutex_lock(&p->lock);

    p->old = p->store;
    p->old_number = p->generation;
    p->old_since = fota_agent_mono_ms();
    p->store = store;
    p->generation = number;
    p->meta = meta;

    pthread_mutex_unlock(&p->lock);

    return FOTA_OK;

failed:

    fota_store_close(store);

    return rc;
}


void
fota_agent_policy_tidy(fota_agent_policy_t *p)
{
    char               path[PATH_MAX];
    uint32_t           dead;
    uint64_t           age;
    fota_store_stat_t  stat;

    if (p->old_number == 0) {
        return;
    }

    age = fota_agent_mono_ms() - p->old_since;

    if (age < FOTA_AGENT_GEN_KEEP) {
        return;
    }

    /* One reader is ourselves. */

    if (p->old != NULL && age < FOTA_AGENT_GEN_LIMIT
        && fota_store_reap(p->old, &dead) == FOTA_OK
        && fota_store_stat(p->old, &stat) == FOTA_OK
        && stat.readers > 1)
    {
        return;
    }

    fota_store_close(p->old);
    p->old = NULL;

    fota_agent_policy_path(p, p->old_number, path);
    fota_agent_file_rmdir(path);
    p->old_number = 0;

    fota_agent_log(FOTA_AGENT_LOG_INFO, "sync", "removed %s", path);
}
