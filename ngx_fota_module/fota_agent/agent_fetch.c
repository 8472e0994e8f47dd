/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_fetch.h"
#include "agent_file.h"
#include "agent_hash.h"
#include "agent_resume.h"
#include "fota_encode.h"


#define FOTA_AGENT_SCAN_EVERY   30000       /* ms */
#define FOTA_AGENT_FETCH_RETRY  300         /* s, the longest */
#define FOTA_AGENT_FETCH_FULL   30000       /* ms until a disk is tried anew */


static bool fota_agent_fetch_pick(fota_agent_t *agent, fota_agent_fetch_t *f,
    fota_agent_job_t *job);
static int fota_agent_fetch_one(fota_agent_t *agent, fota_agent_http_t *http,
    const fota_agent_job_t *job, fota_agent_res_t *res);
static int fota_agent_fetch_keep(fota_agent_t *agent,
    const fota_agent_job_t *job, const char *part);
static int fota_agent_fetch_hash(fota_agent_t *agent, const char *path,
    uint8_t hash[32]);
static void fota_agent_fetch_done(fota_agent_t *agent, fota_agent_fetch_t *f,
    const fota_agent_job_t *job, int rc, fota_agent_res_t *res);


void *
fota_agent_fetch_thread(void *arg)
{
    int                  rc;
    fota_agent_t        *agent;
    fota_agent_res_t     res;
    fota_agent_job_t     job;
    fota_agent_fetch_t  *f;
    fota_agent_http_t   *http;

    agent = arg;
    f = agent->fetch;

    http = fota_agent_http_new(agent);

    if (http == NULL) {
        fota_agent_fault(agent, FOTA_AGENT_FETCH, "out of memory");
        return NULL;
    }

    while (!fota_agent_stopping(agent)) {

        if (!fota_agent_fetch_pick(agent, f, &job)) {
            (void) fota_agent_sleep(agent, 1000);
            continue;
        }

        memset(&res, 0, sizeof(res));

        rc = fota_agent_fetch_one(agent, http, &job, &res);

        fota_agent_fetch_done(agent, f, &job, rc, &res);
        fota_agent_res_free(&res);
    }

    fota_agent_http_free(http);

    return NULL;
}


/* The next job that nobody does, marked as running and copied to job. */

static bool
fota_agent_fetch_pick(fota_agent_t *agent, fota_agent_fetch_t *f,
    fota_agent_job_t *job)
{
    int                rc;
    bool               changed, found;
    char               dir[PATH_MAX], part[PATH_MAX];
    size_t             i;
    uint64_t           now, have;
    struct stat        sb;
    fota_agent_job_t  *j;

    pthread_mutex_lock(&f->lock);

    now = fota_agent_mono_ms();
    found = false;

    pthread_mutex_lock(&agent->lock);
    changed = f->rev != agent->artifact_rev;
    pthread_mutex_unlock(&agent->lock);

    if (changed || f->at == 0 || now - f->at > FOTA_AGENT_SCAN_EVERY) {
        (void) fota_agent_fetch_scan(agent, f);
    }

    for (i = 0; i < f->njobs && !found; i++) {
        j = &f->jobs[i];

        if (!j->prefetch || j->present || j->running || j->retry_at > now) {
            continue;
        }

        have = 0;

        if (fota_agent_file_path(dir, agent->conf.store_dir, ".part")
            && fota_agent_file_path(part, dir, j->name)
            && stat(part, &sb) == 0 && (uint64_t) sb.st_size <= j->size)
        {
            have = (uint64_t) sb.st_size;
        }

        rc = fota_agent_fetch_room(agent, f, j, have);

        if (rc != FOTA_OK) {
            j->retry_at = now + FOTA_AGENT_FETCH_FULL;

            fota_agent_fault(agent, FOTA_AGENT_FETCH,
                             (rc == FOTA_FULL)
                             ? "no room for %s, %llu bytes: all that is "
                               "stored is needed"
                             : "cannot make room for %s, %llu bytes", j->name,
                             (unsigned long long) j->size);
            continue;
        }

        j->running = 1;
        *job = *j;
        found = true;
    }

    pthread_mutex_unlock(&f->lock);

    return found;
}


static int
fota_agent_fetch_one(fota_agent_t *agent, fota_agent_http_t *http,
    const fota_agent_job_t *job, fota_agent_res_t *res)
{
    int       rc;
    char      url[128], dir[PATH_MAX], part[PATH_MAX];
    uint8_t   hash[32];

    memcpy(url, "/sync/v1/artifact/", 18);
    fota_hex_encode(url + 18, job->sha256, 32);
    url[18 + 64] = '\0';

    if (!fota_agent_file_path(dir, agent->conf.store_dir, ".part")
        || !fota_agent_file_path(part, dir, job->name))
    {
        return FOTA_LIMIT;
    }

    fota_agent_log(FOTA_AGENT_LOG_INFO, "fetch", "%s, %llu bytes", job->name,
                   (unsigned long long) job->size);

    rc = fota_agent_resume(http, url, part, job->size, res);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_agent_fetch_hash(agent, part, hash);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (memcmp(hash, job->sha256, 32) != 0) {
        (void) unlink(part);
        return FOTA_FORGED;
    }

    return fota_agent_fetch_keep(agent, job, part);
}


/* As it is on disk, so that what was there before is checked as well. */

static int
fota_agent_fetch_hash(fota_agent_t *agent, const char *path,
    uint8_t hash[32])
{
    int       fd, rc;
    uint64_t  size;

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return FOTA_IO;
    }

    size = 0;
    rc = fota_agent_hash(agent, fd, NULL, hash, &size);

    close(fd);

    return rc;
}


/* A name in the store means: whole, right and durable. */

static int
fota_agent_fetch_keep(fota_agent_t *agent, const fota_agent_job_t *job,
    const char *part)
{
    int   fd, rc;
    char  path[PATH_MAX];

    if (!fota_agent_file_path(path, agent->conf.store_dir, job->name)) {
        return FOTA_LIMIT;
    }

    fd = open(part, O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return FOTA_IO;
    }

    rc = FOTA_OK;

    /* Read by the web server, written by nobody again. */

    if ((agent->gid != (gid_t) -1 && fchown(fd, (uid_t) -1, agent->gid) != 0)
        || fchmod(fd, 0644 & ~agent->conf.umask) != 0
        || fsync(fd) != 0)
    {
        rc = fota_agent_file_errno(errno);

    } else {

        /* Who is about to take out the old one would take out this. */

        pthread_mutex_lock(&agent->fetch->lock);

        if (rename(part, path) != 0) {
            rc = fota_agent_file_errno(errno);
        }

        pthread_mutex_unlock(&agent->fetch->lock);
    }

    close(fd);

    return (rc == FOTA_OK) ? fota_agent_file_sync_dir(agent->conf.store_dir)
                           : rc;
}


static void
fota_agent_fetch_done(fota_agent_t *agent, fota_agent_fetch_t *f,
    const fota_agent_job_t *job, int rc, fota_agent_res_t *res)
{
    bool               well;
    size_t             i;
    uint64_t           ms;
    fota_agent_job_t  *j;

    if (rc == FOTA_OK) {
        fota_agent_log(FOTA_AGENT_LOG_INFO, "fetch", "%s verified and kept",
                       job->name);

    } else if (!fota_agent_stopping(agent)) {
        fota_agent_fault(agent, FOTA_AGENT_FETCH, "%s: %s", job->name,
                         (rc == FOTA_FORGED) ? "wrong SHA-256, deleted"
                         : (res->error[0] != '\0') ? res->error
                                                   : fota_status_name(rc));
    }

    well = true;

    pthread_mutex_lock(&f->lock);

    for (i = 0; i < f->njobs; i++) {
        j = &f->jobs[i];

        if (memcmp(j->sha256, job->sha256, 32) == 0) {
            j->running = 0;

            if (rc == FOTA_OK) {
                j->present = 1;
                j->tries = 0;

            } else {
                ms = (rc == FOTA_FULL)
                     ? FOTA_AGENT_FETCH_FULL
                     : fota_agent_backoff(++j->tries, FOTA_AGENT_FETCH_RETRY,
                                          res->retry_after);

                j->retry_at = fota_agent_mono_ms() + ms;
            }
        }

        if (j->prefetch && !j->present && j->retry_at != 0) {
            well = false;
        }
    }

    (void) fota_agent_fetch_scan(agent, f);

    pthread_mutex_unlock(&f->lock);

    if (well) {
        fota_agent_well(agent, FOTA_AGENT_FETCH);
    }
}
