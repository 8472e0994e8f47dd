/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Shared by the files of the background jobs. */

#ifndef FOTA_ADMIN_JOBS_INT_H
#define FOTA_ADMIN_JOBS_INT_H

#include "server.h"

/*
 * Connections of the jobs: their own pool, so that a flood of requests
 * cannot stop the feed.
 */
fota_db_pool_t *fota_jobs_pool(fota_server_t *server);

/*
 * A connection that holds the lock of a job, or NULL when another process
 * owns it or the database is away.  Given back by fota_job_disown().
 */
fota_db_t *fota_job_own(fota_server_t *server, const char *job);
void fota_job_disown(fota_server_t *server, fota_db_t *db);

/* Threads; each returns when feed.h says stop. */
void *fota_sequencer_thread(void *server);
void *fota_feed_watch_thread(void *server);
void *fota_controller_thread(void *server);
void *fota_snapshot_thread(void *server);
void *fota_maintenance_thread(void *server);

/*
 * Asks for everything to be rendered again, within a transaction:
 * after a restore, a new epoch, or new code.
 */
int fota_sequencer_all(fota_server_t *server, fota_db_t *db);

/* The same for time zones alone. */
int fota_sequencer_zones(fota_server_t *server, fota_db_t *db,
    fota_mem_t *mem);

#endif /* FOTA_ADMIN_JOBS_INT_H */
