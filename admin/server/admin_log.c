/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin_log.h"


#define FOTA_LOG_LINE  2048


static const char  *fota_log_names[] = { "error", "warn", "info", "debug" };

static atomic_int        fota_log_fd = STDERR_FILENO;
static char              fota_log_file[4096];
static fota_log_level_e  fota_log_max = FOTA_LOG_INFO;


bool
fota_log_open(const char *file, fota_log_level_e level)
{
    int     fd;
    size_t  len;

    fota_log_max = level;

    if (file == NULL || file[0] == '\0') {
        return true;
    }

    len = strlen(file);

    if (len >= sizeof(fota_log_file)) {
        errno = ENAMETOOLONG;
        return false;
    }

    fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        return false;
    }

    memcpy(fota_log_file, file, len + 1);
    atomic_store(&fota_log_fd, fd);

    return true;
}


void
fota_log_reopen(void)
{
    int  fd;

    if (fota_log_file[0] == '\0') {
        return;
    }

    fd = open(fota_log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        fota_log(FOTA_LOG_ERROR, "cannot open the log again: %s",
                 strerror(errno));
        return;
    }

    /* The number stays, so that a thread about to write is not surprised. */

    dup3(fd, atomic_load(&fota_log_fd), O_CLOEXEC);
    close(fd);
}


void
fota_log(fota_log_level_e level, const char *fmt, ...)
{
    int              n;
    char             line[FOTA_LOG_LINE];
    size_t           i, len;
    ssize_t          done;
    va_list          ap;
    struct tm        tm;
    struct timespec  ts;

    if (level > fota_log_max) {
        return;
    }

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);

    len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t) snprintf(line + len, sizeof(line) - len, ".%03dZ %s: ",
                             (int) (ts.tv_nsec / 1000000),
                             fota_log_names[level]);

    va_start(ap, fmt);
    n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
    va_end(ap);

    if (n < 0) {
        return;
    }

    i = len;
    len += (size_t) n;

    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }

    for ( ; i < len; i++) {
        if ((unsigned char) line[i] < ' ' || line[i] == 0x7f) {
            line[i] = '?';
        }
    }

    line[len++] = '\n';

    done = write(atomic_load(&fota_log_fd), line, len);
    (void) done;
}


int
fota_log_level_parse(const char *s)
{
    int  i;

    for (i = 0; i < 4; i++) {
        if (strcmp(s, fota_log_names[i]) == 0) {
            return i;
        }
    }

    return -1;
}
