/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The policy directory: generations of the database and the link to the
 * current one.  Written by the sync thread alone, read by all.
 */

#ifndef FOTA_AGENT_POLICY_H
#define FOTA_AGENT_POLICY_H


#include "agent.h"
#include "fota_sync.h"


#define FOTA_AGENT_GEN_KEEP  60000      /* ms that readers get to leave */


typedef int (*fota_agent_each_pt)(void *ctx, fota_str_t key,
    fota_str_t value);

typedef struct {
    bool               open;
    uint64_t           generation;      /* of the directory */
    fota_meta_t        meta;
    fota_store_stat_t  stat;
} fota_agent_policy_info_t;


fota_agent_policy_t *fota_agent_policy_new(const fota_agent_conf_t *conf,
    gid_t gid);
void fota_agent_policy_free(fota_agent_policy_t *p);

/*
 * Opens what "current" points to and removes what a crash left over.
 * FOTA_NOTFOUND or FOTA_CORRUPT: a snapshot is needed; else a fault that has
 * to be mended by hand.
 */
int fota_agent_policy_open(fota_agent_policy_t *p, const char **reason);

/* Position; false when there is no database. */
bool fota_agent_policy_meta(fota_agent_policy_t *p, fota_meta_t *meta);

int fota_agent_policy_info(fota_agent_policy_t *p,
    fota_agent_policy_info_t *info);

/* Each record of a table, in one snapshot; each() must be quick. */
int fota_agent_policy_each(fota_agent_policy_t *p, fota_table_e table,
    fota_agent_each_pt each, void *ctx);

typedef struct {
    const fota_agent_wrap_t  *wrap;
    uint64_t                  fresh;    /* Unix s, 0 = as it was */
    bool                      artifacts;    /* out: ARTIFACT changed */
    bool                      unknown;      /* out: a secret stayed sealed */
    uint64_t                  bad;          /* out: seq that was refused */
    unsigned                  ops;          /* out: applied */
} fota_agent_apply_t;

/*
 * Applies a batch that follows, and its position, in one transaction; chain
 * is that after it.  FOTA_CORRUPT, FOTA_TOO_NEW and so on for a record that
 * no reader would take, FOTA_FULL: nothing changed.
 */
int fota_agent_policy_apply(fota_agent_policy_t *p, const fota_batch_t *b,
    const uint8_t chain[32], fota_agent_apply_t *a);

/* We know to be current at this moment (Unix s). */
int fota_agent_policy_fresh(fota_agent_policy_t *p, uint64_t now);

/* Opens secrets that are still sealed, with keys that came later. */
int fota_agent_policy_unseal(fota_agent_policy_t *p,
    const fota_agent_wrap_t *wrap, unsigned *opened);

/* A compact copy with a map of twice the size becomes current. */
int fota_agent_policy_grow(fota_agent_policy_t *p, const char **reason);

/* More of the file is free than used, and it is worth a copy. */
bool fota_agent_policy_sparse(fota_agent_policy_t *p);

/*
 * A new generation: its number and an empty path below the policy directory
 * for fota_agent_policy_load().
 */
int fota_agent_policy_next(fota_agent_policy_t *p, uint64_t *number,
    char path[PATH_MAX]);

/* The complete and synced generation becomes current. */
int fota_agent_policy_switch(fota_agent_policy_t *p, uint64_t number,
    const char **reason);

/* Removes the previous generation when its time has come. */
void fota_agent_policy_tidy(fota_agent_policy_t *p);


#endif /* FOTA_AGENT_POLICY_H */
