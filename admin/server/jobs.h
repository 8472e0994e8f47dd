/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Work beside requests: sequencer, rollout controller, snapshots,
 * maintenance.  Each is guarded by a lock of the database, so that any
 * number of fota-admin processes may run.
 */

#ifndef FOTA_ADMIN_JOBS_H
#define FOTA_ADMIN_JOBS_H

#include "server.h"

/* FOTA_OK or FOTA_ERROR; jobs wait by themselves for the database. */
int fota_jobs_start(fota_server_t *server) __attribute__((weak));

/* server->stop is set already; returns when every thread has ended. */
void fota_jobs_stop(fota_server_t *server) __attribute__((weak));

#endif /* FOTA_ADMIN_JOBS_H */
