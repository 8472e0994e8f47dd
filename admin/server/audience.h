/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Who a rollout is for: every device of its product, decided once with the
 * code of the edges, as if the last stage was reached, every window open and
 * no brake on.
 */

#ifndef FOTA_ADMIN_AUDIENCE_H
#define FOTA_ADMIN_AUDIENCE_H

#include "fota_policy.h"

#include "rollout.h"

#define FOTA_REGIONS  (26 * 26 + 1)     /* countries; the last is unknown */

typedef enum {
    FOTA_W_FULL = 0,
    FOTA_W_DELTA,
    FOTA_W_STEPS,               /* more than one download */
    FOTA_W__N
} fota_way_e;

typedef struct {
    uint64_t  devices;
    uint64_t  bytes;
} fota_amount_t;

typedef struct {
    uint64_t       devices;             /* of the product */
    uint64_t       matched;             /* those that have a row, too */
    uint64_t       excluded[FOTA_R__N];
    uint64_t       population[FOTA_STAGES_MAX];
    fota_amount_t  ways[FOTA_W__N];
    fota_amount_t  regions[FOTA_REGIONS];
    uint32_t       poll;                /* s, of the product */
    char           error[512];          /* with FOTA_INVALID and the like */
} fota_audience_t;

/*
 * Streams the devices over db (and borrows more connections where attributes
 * or groups are looked at).
 */
int fota_audience(fota_server_t *server, fota_db_t *db,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages, fota_audience_t *out);

/* Country code of a region, "" for the unknown; out holds 3 bytes. */
void fota_region_name(unsigned region, char *out);

#endif /* FOTA_ADMIN_AUDIENCE_H */
