/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The agent's configuration: one small file of "key = value" lines. */

#ifndef FOTA_AGENT_CONF_H
#define FOTA_AGENT_CONF_H


#include <limits.h>
#include <sys/types.h>

#include "fota_crypto.h"


#define FOTA_AGENT_KEYS_MAX  16
#define FOTA_AGENT_ERR_MAX   512


typedef struct {
    uint16_t  kid;
    uint8_t   pub[32];
} fota_agent_key_t;

typedef struct {
    char              *node;
    char              *centre;          /* "https://host[:port][/path]" */
    char              *ca;
    char              *cert;
    char              *key;
    char              *policy_dir;
    char              *state_dir;
    char              *store_dir;
    char              *spool_dir;
    char              *status_socket;
    char              *status_url;      /* of nginx; NULL = none */
    char              *log;             /* file or "stderr" */
    char              *pidfile;
    char              *user;
    char              *group;
    unsigned           log_level;       /* fota_agent_level_e */
    uint64_t           map_size;        /* bytes */
    uint64_t           disk_budget;     /* bytes, 0 = the whole disk */
    uint64_t           cap_mbps;
    uint64_t           max_transfers;   /* at a time, 0 = any number */
    uint64_t           poll_wait;       /* s */
    uint64_t           scrub_interval;  /* s from pass to pass, 0 = none */
    uint64_t           scrub_rate;      /* bytes/s */
    mode_t             umask;
    unsigned           nkeys;
    fota_agent_key_t   keys[FOTA_AGENT_KEYS_MAX];
} fota_agent_conf_t;


/*
 * Reads and checks file.  FOTA_OK, or FOTA_INVALID, FOTA_IO and so on with
 * "file:line: what is wrong" in err[FOTA_AGENT_ERR_MAX].
 */
int fota_agent_conf_read(fota_agent_conf_t *conf, const char *file,
    char *err);

/* The same of text in memory; file is for messages alone. */
int fota_agent_conf_parse(fota_agent_conf_t *conf, const char *file,
    fota_str_t text, char *err);

/* Are the files and directories that it names there and usable? */
int fota_agent_conf_check(const fota_agent_conf_t *conf, char *err);

void fota_agent_conf_free(fota_agent_conf_t *conf);

/* "2g", "512m", "10k" or bytes. */
int fota_agent_size(fota_str_t s, uint64_t *out);

/* A trusted key by id, or NULL: a fota_sync_key_pt over the configuration. */
const uint8_t *fota_agent_conf_key(void *conf, uint16_t kid);


#endif /* FOTA_AGENT_CONF_H */
