/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A simulated device: it checks, downloads by ranges with resume and node
 * fail-over, verifies hash and signature, applies and reports, as a real
 * client must.  Its state lives in a folder, so that a killed one goes on.
 */

#ifndef FOTA_CLI_SIM_H
#define FOTA_CLI_SIM_H


#include <jansson.h>

#include "fota_manifest.h"
#include "cli_http.h"


#define FOTA_SIM_URLS_MAX   8
#define FOTA_SIM_AVOID_MAX  4
#define FOTA_SIM_PATH_MAX   1024

typedef struct {
    const char      *edge;          /* "http://127.0.0.1:8080" */
    const char      *tenant;
    const char      *product;
    const char      *id;
    const char      *version;       /* NULL: as the folder says */
    const char      *kind;
    const char      *tz;
    const char      *auth;          /* value of Authorization, or NULL */
    const char      *dir;           /* state; made when absent */
    const char      *image;         /* what a delta is applied to */
    const char      *fail;          /* report this error, do not succeed */
    json_t          *attrs;
    uint8_t          signer[32];    /* tenant's public key */
    bool             has_signer;
    bool             no_delta;
    bool             once;          /* one step, not until up to date */
    bool             quiet;
    uint64_t         range;         /* bytes per request */
    uint64_t         stop_after;    /* bytes, then give up as if killed */
    fota_cli_tls_t   tls;
} fota_sim_conf_t;

typedef struct {
    char      url[2048];
    char      node[136];
} fota_sim_url_t;

typedef struct {
    uint32_t         rollout;
    char             version[136];  /* of this step */
    char             target[136];
    char             kind[8];
    char             type[8];
    char             from[136];
    char             format[40];
    char             sha256[72];    /* hex */
    uint8_t          hash[32];
    uint8_t          signature[64];
    uint64_t         size;
    unsigned         retry_count;
    size_t           nurls;
    fota_sim_url_t   urls[FOTA_SIM_URLS_MAX];
} fota_sim_offer_t;

typedef struct {
    const fota_sim_conf_t  *conf;
    fota_cli_http_t        *http;
    char                    version[136];
    char                    reason[32];
    uint32_t                poll_s;
    uint32_t                attempt;
    uint32_t                seq;            /* of reports in this attempt */
    bool                    no_delta;
    size_t                  navoid;
    char                    avoid[FOTA_SIM_AVOID_MAX][136];

    /* Of the last download, for the report and the summary. */
    char                    node[136];
    uint64_t                bytes;
    uint64_t                ms;
    unsigned                requests;
    unsigned                failovers;
    bool                    resumed;
} fota_sim_t;


/*
 * Asks the edge.  FOTA_OK with an offer, FOTA_NOTFOUND without (reason and
 * poll_s are set), FOTA_BUSY (come back), FOTA_ERROR; text in err.
 */
int fota_sim_check(fota_sim_t *sim, fota_sim_offer_t *offer, char *err,
    size_t errlen);

/*
 * Fetches into path, continuing what is there; tries the nodes in turn.
 * FOTA_OK; FOTA_EXPIRED: check again, then go on; FOTA_BUSY: stopped by
 * stop_after; FOTA_REVOKED; FOTA_FULL: it cannot be stored; FOTA_IO: no node
 * gave it.
 */
int fota_sim_fetch(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen);

/* Asks for no URL of this node again. */
void fota_sim_avoid(fota_sim_t *sim, const char *node);

/* Size, hash and signature: FOTA_OK, FOTA_CORRUPT, FOTA_FORGED. */
int fota_sim_verify(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen);

/* Makes the new image from the verified artifact: FOTA_OK, FOTA_ERROR. */
int fota_sim_apply(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen);

/* The whole life of one device; 0, or 1 with a message on stderr. */
int fota_sim_run(const fota_sim_conf_t *conf, json_t *summary);


#endif /* FOTA_CLI_SIM_H */
