/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_evict.h"
#include "agent_fetch.h"
#include "agent_file.h"
#include "agent_policy.h"
#include "agent_tally.h"
#include "fota_encode.h"


#define FOTA_AGENT_JOBS_MAX  (1 << 20)
#define FOTA_AGENT_NAME_LEN  43


typedef struct {
    fota_agent_job_t  *jobs;
    size_t             n;
    size_t             cap;
} fota_agent_jobs_t;


static int fota_agent_job_add(void *ctx, fota_str_t key, fota_str_t value);
static fota_agent_job_t *fota_agent_job_find(const fota_agent_fetch_t *f,
    const uint8_t sha256[32]);
static int fota_agent_files_evict(fota_agent_t *agent,
    const fota_agent_fetch_t *f, fota_agent_files_t *l, uint64_t must);
static void fota_agent_parts_clean(const fota_agent_conf_t *conf,
    const fota_agent_fetch_t *f);


/* Keys ascend, so the list does. */

static int
fota_agent_job_add(void *ctx, fota_str_t key, fota_str_t value)
{
    void                  *p;
    fota_agent_job_t      *job;
    fota_agent_jobs_t     *l;
    fota_artifact_info_t   info;

    l = ctx;

    if (key.len != 32 || fota_artifact_info_decode(value, &info) != FOTA_OK) {
        return FOTA_OK;
    }

    if (l->n == l->cap) {
        if (l->cap == FOTA_AGENT_JOBS_MAX) {
            return FOTA_LIMIT;
        }

        l->cap = (l->cap == 0) ? 64 : l->cap * 2;

        p = realloc(l->jobs, l->cap * sizeof(fota_agent_job_t));
        if (p == NULL) {
            return FOTA_NOMEM;
        }

        l->jobs = p;
    }

    job = &l->jobs[l->n++];
    memset(job, 0, sizeof(fota_agent_job_t));

    memcpy(job->sha256, key.data, 32);
    job->name[fota_base64url_encode(job->name, key.data, 32)] = '\0';
    job->size = info.size;
    job->prefetch = info.prefetch != 0;

    return FOTA_OK;
}


static int
fota_agent_job_order(const void *one, const void *two)
{
    return memcmp(((const fota_agent_job_t *) one)->sha256,
                  ((const fota_agent_job_t *) two)->sha256, 32);
}


static fota_agent_job_t *
fota_agent_job_find(const fota_agent_fetch_t *f, const uint8_t sha256[32])
{
    fota_agent_job_t  key;

    if (f->njobs == 0) {
        return NULL;
    }

    memset(&key, 0, sizeof(key));
    memcpy(key.sha256, sha256, 32);

    return bsearch(&key, f->jobs, f->njobs, sizeof(fota_agent_job_t),
                   fota_agent_job_order);
}


/* Files of the store, which are named by their hash; others are not ours. */

int
fota_agent_files_read(const char *dir, fota_agent_files_t *l)
{
    int                   rc;
    DIR                  *d;
    char                  path[PATH_MAX];
    void                 *p;
    struct stat           sb;
    struct dirent        *e;
    fota_agent_stored_t  *file;

    d = opendir(dir);
    if (d == NULL) {
        return FOTA_IO;
    }

    rc = FOTA_OK;

    while ((e = readdir(d)) != NULL) {

        if (strlen(e->d_name) != FOTA_AGENT_NAME_LEN
            || !fota_agent_file_path(path, dir, e->d_name)
            || lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
        {
            continue;
        }

        if (l->n == l->cap) {
            l->cap = (l->cap == 0) ? 64 : l->cap * 2;

            p = realloc(l->files, l->cap * sizeof(fota_agent_stored_t));
            if (p == NULL) {
                rc = FOTA_NOMEM;
                break;
            }

            l->files = p;
        }

        file = &l->files[l->n++];
        memset(file, 0, sizeof(fota_agent_stored_t));

        memcpy(file->name, e->d_name, FOTA_AGENT_NAME_LEN + 1);
        file->size = (uint64_t) sb.st_size;

        /* The time of reading is not kept on all file systems. */

        file->used = (sb.st_atime > sb.st_mtime) ? sb.st_atime : sb.st_mtime;
        l->used += file->size;
    }

    closedir(d);

    return rc;
}


/* Begun files that nobody wants any more. */

static void
fota_agent_parts_clean(const fota_agent_conf_t *conf,
    const fota_agent_fetch_t *f)
{
    DIR               *d;
    char               dir[PATH_MAX], path[PATH_MAX];
    size_t             n;
    uint8_t            sha256[32];
    struct dirent     *e;
    fota_agent_job_t  *job;

    if (!fota_agent_file_path(dir, conf->store_dir, ".part")) {
        return;
    }

    d = opendir(dir);
    if (d == NULL) {
        return;
    }

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.') {
            continue;
        }

        job = NULL;

        if (fota_base64url_decode(sha256, 32, fota_cstr(e->d_name), &n)
            == FOTA_OK
            && n == 32)
        {
            job = fota_agent_job_find(f, sha256);
        }

        if ((job == NULL || !job->prefetch || job->present)
            && (job == NULL || !job->running)
            && fota_agent_file_path(path, dir, e->d_name))
        {
            (void) unlink(path);
        }
    }

    closedir(d);
}


static int
fota_agent_files_evict(fota_agent_t *agent, const fota_agent_fetch_t *f,
    fota_agent_files_t *l, uint64_t must)
{
    int                rc;
    char               path[PATH_MAX];
    size_t             i, n;
    uint8_t            sha256[32];
    fota_agent_job_t  *owner;

    for (i = 0; i < l->n; i++) {
        if (fota_base64url_decode(sha256, 32, fota_cstr(l->files[i].name), &n)
            == FOTA_OK)
        {
            owner = fota_agent_job_find(f, sha256);
            l->files[i].keep = owner != NULL && owner->prefetch;
        }
    }

    rc = fota_agent_evict(l->files, l->n, must);

    for (i = 0; rc == FOTA_OK && i < l->n; i++) {
        if (l->files[i].evict
            && fota_agent_file_path(path, agent->conf.store_dir,
                                    l->files[i].name)
            && unlink(path) == 0)
        {
            l->used -= l->files[i].size;

            fota_agent_log(FOTA_AGENT_LOG_INFO, "fetch",
                           "evicted %s, %llu bytes", l->files[i].name,
                           (unsigned long long) l->files[i].size);
        }
    }

    return rc;
}


void
fota_agent_files_out(fota_agent_t *agent, fota_agent_part_e part,
    const char *name, const char *why)
{
    bool  out;
    char  bad[PATH_MAX], from[PATH_MAX], to[PATH_MAX];

    if (!fota_agent_file_path(bad, agent->conf.store_dir, ".bad")
        || !fota_agent_file_path(from, agent->conf.store_dir, name)
        || !fota_agent_file_path(to, bad, name))
    {
        return;
    }

    /*
     * Kept for who looks for the cause, and because what lies on a rotten
     * place of the disk had better go on lying there; one is enough.
     */

    fota_agent_file_rmdir(bad);

    out = fota_agent_file_mkdir(bad, 0700, (gid_t) -1) == FOTA_OK
          && rename(from, to) == 0;

    if (!out) {
        out = unlink(from) == 0;
    }

    /* The name is gone before it is told, and comes back by no crash. */

    out = out && fota_agent_file_sync_dir(agent->conf.store_dir) == FOTA_OK;

    fota_agent_tally_error(agent->tally, FOTA_SYNC_STORE);
    fota_agent_fault(agent, part, "%s is damaged, %s: %s", name,
                     out ? "taken out of the store"
                         : "CANNOT be taken out of the store",
                     why);
}


int
fota_agent_fetch_scan(fota_agent_t *agent, fota_agent_fetch_t *f)
{
    int                   rc;
    char                  path[PATH_MAX], why[64];
    size_t                i;
    uint64_t              rev, wanted, missing;
    struct stat           sb;
    fota_agent_job_t     *job, *old;
    fota_agent_jobs_t     l;
    fota_agent_files_t    files;

    memset(&l, 0, sizeof(l));
    memset(&files, 0, sizeof(files));

    pthread_mutex_lock(&agent->lock);
    rev = agent->artifact_rev;
    pthread_mutex_unlock(&agent->lock);

    rc = fota_agent_policy_each(agent->policy, FOTA_T_ARTIFACT,
                                fota_agent_job_add, &l);

    f->at = fota_agent_mono_ms();

    if (rc != FOTA_OK) {
        free(l.jobs);
        return rc;
    }

    wanted = 0;
    missing = 0;

    for (i = 0; i < l.n; i++) {
        job = &l.jobs[i];
        old = fota_agent_job_find(f, job->sha256);

        if (old != NULL) {
            job->tries = old->tries;
            job->running = old->running;

            /* What only lacked room may have it by now. */

            job->retry_at = (rev != f->rev && old->tries == 0)
                            ? 0 : old->retry_at;
        }

        job->present = fota_agent_file_path(path, agent->conf.store_dir,
                                            job->name)
                       && stat(path, &sb) == 0;

        if (job->present && (uint64_t) sb.st_size != job->size) {
            (void) snprintf(why, sizeof(why), "%llu bytes instead of %llu",
                            (unsigned long long) sb.st_size,
                            (unsigned long long) job->size);

            fota_agent_files_out(agent, FOTA_AGENT_FETCH, job->name, why);
            job->present = 0;
        }

        wanted += job->prefetch;
        missing += job->prefetch && !job->present;
    }

    free(f->jobs);
    f->jobs = l.jobs;
    f->njobs = l.n;
    f->rev = rev;

    fota_agent_parts_clean(&agent->conf, f);

    (void) fota_agent_files_read(agent->conf.store_dir, &files);

    /* The budget may have become smaller than what is there. */

    if (agent->conf.disk_budget != 0 && files.used > agent->conf.disk_budget)
    {
        (void) fota_agent_files_evict(agent, f, &files,
                                      files.used - agent->conf.disk_budget);
    }

    pthread_mutex_lock(&agent->lock);
    agent->artifacts = wanted;
    agent->missing = missing;
    agent->store_used = files.used;
    pthread_mutex_unlock(&agent->lock);

    free(files.files);

    return FOTA_OK;
}


int
fota_agent_fetch_room(fota_agent_t *agent, fota_agent_fetch_t *f,
    const fota_agent_job_t *job, uint64_t have)
{
    int                  rc;
    char                 bad[PATH_MAX];
    size_t               i;
    uint64_t             must, need, used, running;
    fota_agent_files_t   l;

    memset(&l, 0, sizeof(l));

    rc = fota_agent_files_read(agent->conf.store_dir, &l);

    /* What others are fetching will be there. */

    running = 0;

    for (i = 0; i < f->njobs; i++) {
        if (f->jobs[i].running
            && memcmp(f->jobs[i].sha256, job->sha256, 32) != 0)
        {
            running += f->jobs[i].size;
        }
    }

    used = l.used + running + have;
    need = job->size - have;

    must = fota_agent_evict_must(used, need, agent->conf.disk_budget,
                             fota_agent_file_avail(agent->conf.store_dir));

    if (must != 0
        && fota_agent_file_path(bad, agent->conf.store_dir, ".bad"))
    {
        fota_agent_file_rmdir(bad);

        must = fota_agent_evict_must(used, need, agent->conf.disk_budget,
                             fota_agent_file_avail(agent->conf.store_dir));
    }

    if (rc == FOTA_OK) {
        rc = fota_agent_files_evict(agent, f, &l, must);
    }

    free(l.files);

    return rc;
}
