/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Which files of the store make room for another. */

#ifndef FOTA_AGENT_EVICT_H
#define FOTA_AGENT_EVICT_H


#include "fota_buf.h"


typedef struct {
    char      name[44];         /* base64url of the hash, with NUL */
    uint64_t  size;             /* bytes */
    int64_t   used;             /* Unix s: last read or written */
    unsigned  keep:1;           /* an active rollout needs it */
    unsigned  evict:1;          /* out */
} fota_agent_stored_t;


/*
 * Marks the least recently used files that need not be kept, until they
 * come to at least must bytes.  Sorts files.  FOTA_FULL: not even all of
 * them do; none is marked then.
 */
int fota_agent_evict(fota_agent_stored_t *files, size_t n, uint64_t must);

/*
 * Bytes to be freed for need more bytes: by the budget (0 = none) over what
 * is used, and by what the disk has left.
 */
uint64_t fota_agent_evict_must(uint64_t used, uint64_t need, uint64_t budget,
    uint64_t avail);


#endif /* FOTA_AGENT_EVICT_H */
