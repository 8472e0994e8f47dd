/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the controller decides of one running rollout.  Pure. */

#ifndef FOTA_ADMIN_CONTROLLER_H
#define FOTA_ADMIN_CONTROLLER_H

#include "rollout.h"

typedef enum {
    FOTA_CTL_KEEP = 0,          /* only the reason may have changed */
    FOTA_CTL_NEXT,              /* the next stage */
    FOTA_CTL_PAUSE,
    FOTA_CTL_FINISH
} fota_ctl_e;

/*
 * now: ms.  reason holds 256 bytes: a sentence for people.
 *
 * Errors: failed of all that ended, in the running stage and over all
 * stages, since the last resume; pause above error_pct once min_count ended.
 * Success: succeeded of the stage's population (all devices up to its
 * share, test devices included), at least min_count of them, then soak.
 */
fota_ctl_e fota_controller_decide(const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages,
    const fota_rollout_counts_t *c, int64_t now, char reason[256]);

#endif /* FOTA_ADMIN_CONTROLLER_H */
