/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Readable lines, one write each: "2026-01-31T12:00:00.123Z info: text".
 * Control characters are replaced, so a line cannot be forged.  Callers give
 * names and numbers, never secrets or values of a request body.
 */

#ifndef FOTA_ADMIN_LOG_H
#define FOTA_ADMIN_LOG_H

#include <stdbool.h>

typedef enum {
    FOTA_LOG_ERROR = 0,
    FOTA_LOG_WARN,
    FOTA_LOG_INFO,
    FOTA_LOG_DEBUG
} fota_log_level_e;

/* file NULL or "": standard error.  False when it cannot be opened. */
bool fota_log_open(const char *file, fota_log_level_e level);

/* Opens the file again, for log rotation (SIGUSR1). */
void fota_log_reopen(void);

void fota_log(fota_log_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "error", "warn", "info", "debug"; -1 when it is none of them. */
int fota_log_level_parse(const char *s);

#endif /* FOTA_ADMIN_LOG_H */
