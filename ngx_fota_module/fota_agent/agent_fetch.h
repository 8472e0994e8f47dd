/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Artifacts that active rollouts need, brought to the disk in advance. */

#ifndef FOTA_AGENT_FETCH_H
#define FOTA_AGENT_FETCH_H


#include "agent.h"


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


/* The list as it is in policy and on disk; f->lock is held. */
int fota_agent_fetch_scan(fota_agent_t *agent, fota_agent_fetch_t *f);

/*
 * Makes room for the rest of a job; f->lock is held.  FOTA_FULL when only
 * files that must stay are there.
 */
int fota_agent_fetch_room(fota_agent_t *agent, fota_agent_fetch_t *f,
    const fota_agent_job_t *job, uint64_t have);


#endif /* FOTA_AGENT_FETCH_H */
