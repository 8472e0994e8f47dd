/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A download into a file that goes on where it ended the last time. */

#ifndef FOTA_AGENT_RESUME_H
#define FOTA_AGENT_RESUME_H


#include "agent_http.h"


/*
 * Gets the rest of the size bytes of path (an URL's) into file.  FOTA_OK:
 * all bytes are there, not yet verified nor synced; FOTA_TRUNCATED: not all,
 * try again; FOTA_NOTFOUND (404); FOTA_LIMIT: more bytes than there should
 * be; FOTA_FULL (disk); FOTA_BUSY (stop, or another status); FOTA_IO.
 * res->error says more.
 */
int fota_agent_resume(fota_agent_http_t *http, const char *path,
    const char *file, uint64_t size, fota_agent_res_t *res);


#endif /* FOTA_AGENT_RESUME_H */
