/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Where one device stands in one rollout, and how a report moves it.  Pure.
 *
 * Reports come late, twice and out of order.  (attempt, seq) says which of
 * two is later; a later attempt may begin anew, within an attempt a device
 * only gets on.  Every failed report counts once, whenever it comes.
 */

#ifndef FOTA_ADMIN_INGEST_STATE_H
#define FOTA_ADMIN_INGEST_STATE_H

#include "fota_request.h"

typedef enum {
    FOTA_B_NONE = 0,            /* waiting: no row */
    FOTA_B_OFFERED,
    FOTA_B_DOWNLOADING,
    FOTA_B_INSTALLING,
    FOTA_B_SUCCEEDED,
    FOTA_B_FAILED,
    FOTA_B_SKIPPED,
    FOTA_B__N
} fota_bucket_e;

const char *fota_bucket_name(fota_bucket_e b);
fota_bucket_e fota_bucket_parse(fota_str_t s);  /* FOTA_B_NONE: unknown */

typedef struct {
    fota_bucket_e  bucket;
    uint16_t       attempt;
    uint32_t       seq;
    uint16_t       attempts_failed;
    uint8_t        delta_failed;
    uint8_t        progress;    /* percent */
} fota_standing_t;

typedef struct {
    fota_report_state_e  state;
    uint16_t             attempt;
    uint32_t             seq;
    uint8_t              progress;
    bool                 delta; /* the failed artifact was one */
    bool                 step;  /* succeeded, but not yet at the target */
} fota_standing_report_t;

typedef struct {
    bool  moved;                /* the row is to be written */
    bool  latest;               /* the report is the newest one known */
    bool  attempts;             /* the edges have to know */
} fota_standing_change_t;

void fota_standing_apply(fota_standing_t *s, const fota_standing_report_t *r,
    fota_standing_change_t *change);

/* An offer was seen; only a device without a row moves. */
bool fota_standing_offer(fota_standing_t *s);

#endif /* FOTA_ADMIN_INGEST_STATE_H */
