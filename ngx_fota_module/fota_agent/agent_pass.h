/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* When stored files are verified again, how quickly, and how far that is. */

#ifndef FOTA_AGENT_PASS_H
#define FOTA_AGENT_PASS_H


#include "fota_buf.h"


#define FOTA_AGENT_PASS_NAME  43        /* base64url of a hash */
#define FOTA_AGENT_PASS_SIZE  132       /* encoded bytes */


typedef struct {
    uint64_t  begun;        /* Unix s, 0 = there was none */
    uint64_t  ended;        /* Unix s, 0 = under way */
    uint64_t  files;        /* checked, good or bad */
    uint64_t  bytes;
    uint64_t  bad;
} fota_agent_pass_t;

typedef struct {
    fota_agent_pass_t  now;
    fota_agent_pass_t  last;        /* the last one that came to its end */
    char               after[FOTA_AGENT_PASS_NAME + 1]; /* done up to it */
} fota_agent_passes_t;

typedef struct {
    uint64_t  rate;         /* bytes/s */
    uint64_t  due;          /* us: what was read is paid for */
} fota_agent_pace_t;


/*
 * s to wait until there is something to do, 0 = now: a pass is under way, or
 * the last one began interval s ago.  A clock that went back is no reason to
 * wait longer than that.
 */
uint64_t fota_agent_pass_due(const fota_agent_pass_t *pass, uint64_t now,
    uint64_t interval);

void fota_agent_pass_begin(fota_agent_passes_t *p, uint64_t now);
void fota_agent_pass_end(fota_agent_passes_t *p, uint64_t now);

/*
 * ms to wait after n bytes at now (us), so that no second has more than the
 * rate; time that was not used is not made up for.
 */
uint64_t fota_agent_pace(fota_agent_pace_t *pace, uint64_t now, uint64_t n);

/*
 * Position as bytes: "FSP1" | now | last (u64 each) | after | NUL | crc32c.
 * decode: FOTA_OK or FOTA_CORRUPT, then p is as if there was none.
 */
void fota_agent_pass_encode(const fota_agent_passes_t *p,
    uint8_t out[FOTA_AGENT_PASS_SIZE]);
int fota_agent_pass_decode(fota_str_t in, fota_agent_passes_t *p);


#endif /* FOTA_AGENT_PASS_H */
