/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The page in the policy directory from which nginx shows the agent. */

#ifndef FOTA_AGENT_TALLY_H
#define FOTA_AGENT_TALLY_H


#include "agent.h"
#include "agent_spool.h"
#include "fota_tally.h"


/*
 * Goes on where the page in dir ends, from zero when there is none; NULL
 * without memory.  A page that cannot be written is tried again with the
 * next change.
 */
fota_agent_tally_t *fota_agent_tally_new(const char *dir);
void fota_agent_tally_free(fota_agent_tally_t *t);

/* One more of a kind; any thread. */
void fota_agent_tally_error(fota_agent_tally_t *t, fota_sync_error_e kind);

/* What the centre has of each segment; written when it has changed. */
void fota_agent_tally_marks(fota_agent_tally_t *t,
    const fota_agent_cursor_t *c);

void fota_agent_tally_errors(fota_agent_tally_t *t,
    uint64_t errors[FOTA_SYNC__N]);


#endif /* FOTA_AGENT_TALLY_H */
