/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Telling the edges: every transaction that changes policy names the objects
 * it changed; the sequencer does the rest after the commit.
 */

#ifndef FOTA_ADMIN_OUTBOX_H
#define FOTA_ADMIN_OUTBOX_H

#include "fota_record.h"
#include "db.h"

/*
 * Within the caller's transaction.  object_id is the row id of the tenant,
 * product (also for a change of its firmware, artifacts or rollouts), device,
 * node, artifact; for KEY, DENY, GEOPREFIX and ZONE give the policy key.
 */
int fota_outbox_put(fota_db_t *db, fota_table_e table, uint32_t tenant_id,
    uint64_t object_id);
int fota_outbox_key(fota_db_t *db, fota_table_e table, fota_str_t key);

/* After the commit: wakes the sequencer of this process. */
void fota_outbox_wake(void);

#endif /* FOTA_ADMIN_OUTBOX_H */
