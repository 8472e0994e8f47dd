/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What the agent tells nginx of itself: how often sync failed and why, and
 * how far the spool is uploaded.  One page in the policy directory, written
 * in place, so that a full disk does not silence it; a checksum tells a
 * reader of a write under way.  Nothing depends on it but what is shown.
 *
 * page:  "FTA1" | nerrors u16 | nmarks u16 | errors u64 x nerrors |
 *        {boot u64 | worker u32 | number u64 | offset u64} x nmarks |
 *        zeros | crc32c u32 of all before it            (little-endian)
 */

#ifndef FOTA_TALLY_H
#define FOTA_TALLY_H

#include "fota_spool.h"

#define FOTA_TALLY_FILE   "agent.tally"
#define FOTA_TALLY_SIZE   4096
#define FOTA_TALLY_MARKS  128

/* Why the agent did not get what it asked for, or did not take it. */

typedef enum {
    FOTA_SYNC_CONNECT = 0,      /* no connection, TLS or no answer in time */
    FOTA_SYNC_HTTP,             /* an answer that is none: 5xx, too long */
    FOTA_SYNC_POSITION,         /* 409: the centre does not know our place */
    FOTA_SYNC_TRUNCATED,
    FOTA_SYNC_CORRUPT,          /* checksum or structure */
    FOTA_SYNC_SIGNATURE,        /* does not verify */
    FOTA_SYNC_UNKNOWN_KEY,      /* signed with a key that is not trusted */
    FOTA_SYNC_GAP,              /* operations are missing in between */
    FOTA_SYNC_CHAIN,            /* epoch or chain differ from ours */
    FOTA_SYNC_RECORD,           /* one that no reader would take */
    FOTA_SYNC_SNAPSHOT,         /* not loaded for another reason */
    FOTA_SYNC_KEYS,             /* no wrapping keys */
    FOTA_SYNC_NACK,             /* the refusal could not be told */
    FOTA_SYNC_DISK,             /* full */
    FOTA_SYNC_DATABASE,         /* policy could not be written */
    FOTA_SYNC_STORE,            /* a stored file was damaged, and taken out */
    FOTA_SYNC__N
} fota_sync_error_e;

typedef struct {
    fota_spool_segment_t  segment;
    uint64_t              offset;       /* bytes of it the centre has */
} fota_tally_mark_t;

typedef struct {
    uint64_t           errors[FOTA_SYNC__N];
    uint32_t           nmarks;
    fota_tally_mark_t  marks[FOTA_TALLY_MARKS];
} fota_tally_t;

/* Lower-case word of a kind, for labels; static, never NULL. */
const char *fota_sync_error_name(fota_sync_error_e kind);

/* Over FOTA_TALLY_MARKS marks are left out. */
void fota_tally_encode(const fota_tally_t *t, uint8_t page[FOTA_TALLY_SIZE]);

/*
 * FOTA_OK, FOTA_CORRUPT.  Kinds that this build does not know are left out,
 * those that the writer did not know are 0.
 */
int fota_tally_decode(const uint8_t page[FOTA_TALLY_SIZE], fota_tally_t *t);

/*
 * Reads the page in a policy directory.  FOTA_OK, FOTA_NOTFOUND (no agent
 * has worked there), FOTA_CORRUPT, FOTA_IO, FOTA_LIMIT (path too long).
 */
int fota_tally_read(const char *dir, fota_tally_t *t);

#endif /* FOTA_TALLY_H */
