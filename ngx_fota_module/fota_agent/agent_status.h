/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#ifndef FOTA_AGENT_STATUS_H
#define FOTA_AGENT_STATUS_H


#include <jansson.h>

#include "agent.h"


/* All that "fota-agent status" shows; a new reference, or NULL. */
json_t *fota_agent_status_json(fota_agent_t *agent);

/* Asks the agent at a socket and prints its answer; the exit code. */
int fota_agent_status_show(const char *path, bool json);


#endif /* FOTA_AGENT_STATUS_H */
