/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* One line an event: "2026-01-01T00:00:00.000Z info sync applied ...". */

#ifndef FOTA_AGENT_LOG_H
#define FOTA_AGENT_LOG_H


#include <stdint.h>


typedef enum {
    FOTA_AGENT_LOG_ERROR = 0,
    FOTA_AGENT_LOG_WARN,
    FOTA_AGENT_LOG_INFO,
    FOTA_AGENT_LOG_DEBUG,
    FOTA_AGENT_LOG__N
} fota_agent_level_e;


const char *fota_agent_level_name(unsigned level);

/* path: a file, or "stderr".  -1 and errno when it cannot be opened. */
int fota_agent_log_open(const char *path, unsigned level);

/* Opens the file anew, after it was rotated.  What fails keeps the old. */
void fota_agent_log_reopen(void);

/* part: "sync", "fetch" ...  Control characters come out as "?". */
void fota_agent_log(fota_agent_level_e level, const char *part,
    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ms since 1970 */
uint64_t fota_agent_now_ms(void);

/* ms of a clock that never jumps */
uint64_t fota_agent_mono_ms(void);


#endif /* FOTA_AGENT_LOG_H */
