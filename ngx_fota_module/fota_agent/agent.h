/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What the agent's threads share.  Each concern is a thread: sync (the only
 * one that writes policy), two for fetch, upload, heartbeat, scrub, status.
 */

#ifndef FOTA_AGENT_H
#define FOTA_AGENT_H


#include <pthread.h>
#include <stdatomic.h>

#include "agent_conf.h"
#include "agent_log.h"
#include "agent_pass.h"
#include "fota_release.h"
#include "fota_store.h"


#define FOTA_AGENT_FAULT_MAX   256


typedef enum {
    FOTA_AGENT_SYNC = 0,
    FOTA_AGENT_FETCH,
    FOTA_AGENT_UPLOAD,
    FOTA_AGENT_HEARTBEAT,
    FOTA_AGENT_SCRUB,
    FOTA_AGENT__N
} fota_agent_part_e;

typedef struct {
    char      text[FOTA_AGENT_FAULT_MAX];   /* of the last one */
    uint64_t  when;                         /* ms since 1970 */
    uint64_t  count;
    bool      now;                          /* it still lasts */
} fota_agent_fault_t;

typedef struct fota_agent_policy_s  fota_agent_policy_t;
typedef struct fota_agent_wrap_s    fota_agent_wrap_t;
typedef struct fota_agent_tally_s   fota_agent_tally_t;
struct fota_agent_fetch_s;

typedef struct {
    fota_agent_conf_t           conf;
    gid_t                       gid;        /* of shared files, or -1 */
    fota_agent_policy_t        *policy;
    fota_agent_wrap_t          *wrap;
    fota_agent_tally_t         *tally;
    struct fota_agent_fetch_s  *fetch;
    atomic_bool                 stop;

    pthread_mutex_t             lock;       /* of all below */
    pthread_cond_t              wake;

    fota_agent_fault_t          faults[FOTA_AGENT__N];

    bool                        connected;  /* the last poll was heard */
    uint64_t                    contact;    /* ms: last answer */
    uint64_t                    head;       /* seq of the centre */

    uint64_t                    artifact_rev;   /* + 1 per change of them */
    uint64_t                    artifacts;  /* prefetch = 1 */
    uint64_t                    missing;    /* of them, not on disk */
    uint64_t                    store_used; /* bytes */

    fota_agent_pass_t           pass;       /* of the scrub */
    fota_agent_pass_t           passed;     /* the last whole one */

    uint64_t                    spool_bytes;    /* not yet at the centre */
    uint64_t                    spool_records;  /* of them, estimated */
    uint64_t                    spool_segments;
    uint64_t                    spool_oldest;   /* ms, 0 = nothing waits */
    uint64_t                    uploaded;   /* records since start */
    uint64_t                    refused;    /* set aside since start */

    uint64_t                    egress_bps; /* of nginx, bytes/s */
    uint64_t                    transfers;  /* of nginx, at present */
} fota_agent_t;


/* Records a fault of a part and logs it; _well ends it. */
void fota_agent_fault(fota_agent_t *agent, fota_agent_part_e part,
    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void fota_agent_well(fota_agent_t *agent, fota_agent_part_e part);

const char *fota_agent_part_name(unsigned part);

/* Sleeps until ms have passed, or somebody wakes all.  true = stop. */
bool fota_agent_sleep(fota_agent_t *agent, uint64_t ms);
void fota_agent_wake(fota_agent_t *agent);

bool fota_agent_stopping(fota_agent_t *agent);

/*
 * ms to wait before a retry: full jitter between 1 s and min(2^attempt,
 * max_s) s, but at least what the centre asked for (s, at most an hour).
 */
uint64_t fota_agent_backoff(unsigned attempt, unsigned max_s,
    uint64_t retry_after);

/* Sleeps that long whatever wakes others.  true = stop. */
bool fota_agent_pause(fota_agent_t *agent, uint64_t ms);

/* The bodies of the threads; arg is the fota_agent_t. */
void *fota_agent_sync_thread(void *arg);
void *fota_agent_fetch_thread(void *arg);
void *fota_agent_upload_thread(void *arg);
void *fota_agent_heartbeat_thread(void *arg);
void *fota_agent_scrub_thread(void *arg);
void *fota_agent_status_thread(void *arg);


#endif /* FOTA_AGENT_H */
