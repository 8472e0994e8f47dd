/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "ingest_state.h"


static const char *const  fota_buckets[] = {
    "waiting", "offered", "downloading", "installing", "succeeded", "failed",
    "skipped"
};


const char *
fota_bucket_name(fota_bucket_e b)
{
    return ((unsigned) b < FOTA_B__N) ? fota_buckets[b] : "unknown";
}


fota_bucket_e
fota_bucket_parse(fota_str_t s)
{
    int  i;

    for (i = FOTA_B_OFFERED; i < FOTA_B__N; i++) {
        if (fota_str_eq(s, fota_cstr(fota_buckets[i]))) {
            return (fota_bucket_e) i;
        }
    }

    return FOTA_B_NONE;
}


/* How far a bucket is within one attempt; the last three are ends. */

static int
fota_bucket_rank(fota_bucket_e b)
{
    return (b > FOTA_B_INSTALLING) ? FOTA_B_SUCCEEDED : (int) b;
}


static fota_bucket_e
fota_standing_bucket(const fota_standing_report_t *r)
{
    switch (r->state) {

    case FOTA_RS_DOWNLOADING:
    case FOTA_RS_DOWNLOADED:
        return FOTA_B_DOWNLOADING;

    case FOTA_RS_INSTALLING:
        return FOTA_B_INSTALLING;

    case FOTA_RS_SUCCEEDED:
        /* A step on the way: the device will be offered the next one. */
        return r->step ? FOTA_B_OFFERED : FOTA_B_SUCCEEDED;

    case FOTA_RS_FAILED:
        return FOTA_B_FAILED;

    default: /* FOTA_RS_REJECTED */
        return FOTA_B_SKIPPED;
    }
}


void
fota_standing_apply(fota_standing_t *s, const fota_standing_report_t *r,
    fota_standing_change_t *change)
{
    bool           forward;
    fota_bucket_e  bucket;

    memset(change, 0, sizeof(fota_standing_change_t));

    if (r->state == FOTA_RS_FAILED) {

        if (s->attempts_failed < UINT16_MAX) {
            s->attempts_failed++;
        }

        s->delta_failed |= r->delta;
        change->attempts = true;
        change->moved = true;
    }

    if (s->bucket != FOTA_B_NONE
        && (r->attempt < s->attempt
            || (r->attempt == s->attempt && r->seq <= s->seq)))
    {
        return;
    }

    bucket = fota_standing_bucket(r);

    forward = s->bucket == FOTA_B_NONE || r->attempt > s->attempt
              || (r->state == FOTA_RS_SUCCEEDED && r->step)
              || fota_bucket_rank(bucket) >= fota_bucket_rank(s->bucket);

    change->latest = true;
    change->moved = true;

    s->attempt = r->attempt;
    s->seq = r->seq;

    if (forward) {
        s->bucket = bucket;
        s->progress = (bucket == FOTA_B_SUCCEEDED) ? 100 : r->progress;
    }
}


bool
fota_standing_offer(fota_standing_t *s)
{
    if (s->bucket != FOTA_B_NONE) {
        return false;
    }

    s->bucket = FOTA_B_OFFERED;

    return true;
}
