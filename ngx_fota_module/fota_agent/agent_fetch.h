/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Artifacts that active rollouts need, brought to the disk in advance. */

#ifndef FOTA_AGENT_FETCH_H
#define FOTA_AGENT_FETCH_H


#include "agent.h"
#include "agent_evict.h"


typedef struct {
    uint8_t   sha256[32];
    char      name[44];
    uint64_t  size;
    uint64_t  retry_at;         /* mono ms */
    unsigned  tries;
    unsigned  prefetch:1;
    unsigned  present:1;
    unsigned  running:1;
} fota_agent_job_t;

struct fota_agent_fetch_s {
    pthread_mutex_t     lock;
    fota_agent_job_t   *jobs;       /* ascending by hash */
    size_t              njobs;
    uint64_t            rev;        /* artifact_rev that they show */
    uint64_t            at;         /* mono ms of the last scan */
};

typedef struct fota_agent_fetch_s  fota_agent_fetch_t;

typedef struct {
    fota_agent_stored_t  *files;
    size_t                n;
    size_t                cap;
    uint64_t              used;     /* bytes */
} fota_agent_files_t;


/* The list as it is in policy and on disk; f->lock is held. */
int fota_agent_fetch_scan(fota_agent_t *agent, fota_agent_fetch_t *f);

/*
 * Makes room for the rest of a job; f->lock is held.  FOTA_FULL when only
 * files that must stay are there.
 */
int fota_agent_fetch_room(fota_agent_t *agent, fota_agent_fetch_t *f,
    const fota_agent_job_t *job, uint64_t have);

/*
 * Appends the files of the store to l, zeroed before; free l->files in any
 * case.  FOTA_IO, FOTA_NOMEM.
 */
int fota_agent_files_read(const char *dir, fota_agent_files_t *l);

/*
 * Takes a file that is not what its name says out of the store, for good,
 * and tells it as a fault of part; f->lock is held.  It stays in ".bad"
 * until the next one, or until its room is needed.
 */
void fota_agent_files_out(fota_agent_t *agent, fota_agent_part_e part,
    const char *name, const char *why);


#endif /* FOTA_AGENT_FETCH_H */
