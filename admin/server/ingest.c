/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "ingest.h"


int
fota_ingest_run(fota_ingest_t *in)
{
    int                    rc;
    size_t                 i;
    fota_ingest_record_t  *r;

    /* In this order: what is read after the locks is what holds. */

    static int  (*const steps[])(fota_ingest_t *in) = {
        fota_ingest_devices,
        fota_ingest_rollouts,
        fota_ingest_devices_lock,
        fota_ingest_seen_before,
        fota_ingest_pairs,
        fota_ingest_pairs_apply,
        fota_ingest_devices_write,
        fota_ingest_attrs_write,
        fota_ingest_pairs_write,
        fota_ingest_events,
        fota_ingest_bytes
    };

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        rc = steps[i](in);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    for (i = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused == NULL) {
            in->duplicate += r->duplicate;
            in->accepted += !r->duplicate;
        }
    }

    return FOTA_OK;
}
