/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Loading the whole policy.  For the sync thread alone. */

#ifndef FOTA_AGENT_SNAPSHOT_H
#define FOTA_AGENT_SNAPSHOT_H


#include "agent_http.h"


/*
 * Fetches the centre's snapshot, goes on where an earlier try ended, loads
 * it into a new generation and makes that current.  res->error (and
 * retry_after) say what went wrong.  FOTA_NOTFOUND: it was replaced while
 * we fetched it; begin again.
 */
int fota_agent_snapshot(fota_agent_t *agent, fota_agent_http_t *http,
    fota_agent_res_t *res);


#endif /* FOTA_AGENT_SNAPSHOT_H */
