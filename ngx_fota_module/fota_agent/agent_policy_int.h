/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* For agent_policy.c, agent_apply.c and agent_generation.c alone. */

#ifndef FOTA_AGENT_POLICY_INT_H
#define FOTA_AGENT_POLICY_INT_H


#include "agent_policy.h"


struct fota_agent_policy_s {
    const fota_agent_conf_t  *conf;
    gid_t                     gid;
    pthread_mutex_t           lock;         /* the store and what follows */
    fota_store_t             *store;        /* NULL = none */
    uint64_t                  generation;
    fota_meta_t               meta;
    uint64_t                  map_min;      /* grown to, bytes */

    /* of the sync thread alone */
    fota_store_t             *old;          /* previous, may be NULL */
    uint64_t                  old_number;   /* 0 = none */
    uint64_t                  old_since;    /* mono ms */
    fota_arena_t              arena;
};


/* Map of at least the configured size that the file at dir fits well. */
uint64_t fota_agent_policy_map(const fota_agent_policy_t *p,
    const char *dir);

void fota_agent_policy_path(const fota_agent_policy_t *p, uint64_t number,
    char path[PATH_MAX]);


#endif /* FOTA_AGENT_POLICY_INT_H */
