/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The hash of a file as it is on disk. */

#ifndef FOTA_AGENT_HASH_H
#define FOTA_AGENT_HASH_H


#include "agent.h"
#include "agent_pass.h"


/*
 * From the first byte of fd to its end; adds the bytes to *size.  With a
 * pace it sleeps as that wants and leaves the page cache as it was, without
 * one it is as quick as it can.  FOTA_CORRUPT: the disk cannot read it;
 * FOTA_BUSY: stop; FOTA_IO, FOTA_NOMEM.
 */
int fota_agent_hash(fota_agent_t *agent, int fd, fota_agent_pace_t *pace,
    uint8_t hash[32], uint64_t *size);


#endif /* FOTA_AGENT_HASH_H */
