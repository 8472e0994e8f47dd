/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>

#include "feed.h"
#include "jobs.h"
#include "jobs_int.h"


/* One for each thread that keeps a lock, and as many for their work. */
#define FOTA_JOBS_CONNECTIONS  12


typedef struct {
    fota_db_pool_t  *pool;
    size_t           n;
    pthread_t        threads[8];
} fota_jobs_t;


static void *(*const fota_job_threads[])(void *server) = {
    fota_sequencer_thread,
    fota_feed_watch_thread,
    fota_controller_thread,
    fota_snapshot_thread,
    fota_maintenance_thread
};


fota_db_pool_t *
fota_jobs_pool(fota_server_t *server)
{
    return ((fota_jobs_t *) server->jobs)->pool;
}


fota_db_t *
fota_job_own(fota_server_t *server, const char *job)
{
    char        name[64];
    fota_db_t  *db;

    db = fota_db_get(fota_jobs_pool(server));
    if (db == NULL) {
        return NULL;
    }

    /* Locks are named for a whole database server. */

    (void) snprintf(name, sizeof(name), "fota/%.40s/%.16s",
                    server->conf.db_name, job);

    if (fota_db_lock(db, name, 0) != FOTA_OK) {
        fota_db_put(fota_jobs_pool(server), db);
        return NULL;
    }

    fota_log(FOTA_LOG_INFO, "this process is the %s now", job);

    return db;
}


void
fota_job_disown(fota_server_t *server, fota_db_t *db)
{
    fota_db_put(fota_jobs_pool(server), db);
}


int
fota_jobs_start(fota_server_t *server)
{
    size_t           i, n;
    fota_jobs_t     *jobs;
    fota_db_conf_t   conf;

    jobs = calloc(1, sizeof(fota_jobs_t));
    if (jobs == NULL) {
        return FOTA_ERROR;
    }

    fota_conf_db(&server->conf, &conf);

    conf.size = FOTA_JOBS_CONNECTIONS;

    if (fota_db_pool_create(&jobs->pool, &conf) != FOTA_OK) {
        free(jobs);
        return FOTA_ERROR;
    }

    server->jobs = jobs;

    fota_feed_start();

    n = sizeof(fota_job_threads) / sizeof(fota_job_threads[0]);

    for (i = 0; i < n; i++) {
        if (pthread_create(&jobs->threads[i], NULL, fota_job_threads[i],
                           server)
            != 0)
        {
            fota_log(FOTA_LOG_ERROR, "a job's thread does not start");
            fota_jobs_stop(server);
            return FOTA_ERROR;
        }

        jobs->n++;
    }

    return FOTA_OK;
}


void
fota_jobs_stop(fota_server_t *server)
{
    size_t        i;
    fota_jobs_t  *jobs;

    jobs = server->jobs;
    if (jobs == NULL) {
        return;
    }

    fota_feed_stop();

    for (i = 0; i < jobs->n; i++) {
        (void) pthread_join(jobs->threads[i], NULL);
    }

    server->jobs = NULL;

    fota_db_pool_destroy(jobs->pool);
    free(jobs);
}
