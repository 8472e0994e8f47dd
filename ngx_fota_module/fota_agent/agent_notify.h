/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#ifndef FOTA_AGENT_NOTIFY_H
#define FOTA_AGENT_NOTIFY_H


#include <stdint.h>


/* Tells systemd "READY=1" and the like; nothing without NOTIFY_SOCKET. */
void fota_agent_notify(const char *state);

/* ms between two signs of life that systemd wants; 0 = none. */
uint64_t fota_agent_watchdog(void);


#endif /* FOTA_AGENT_NOTIFY_H */
