/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_log.h"


#define FOTA_AGENT_LINE_MAX  2048


static pthread_mutex_t  fota_agent_log_mutex = PTHREAD_MUTEX_INITIALIZER;
static const char      *fota_agent_log_path;
static int              fota_agent_log_fd = STDERR_FILENO;
static unsigned         fota_agent_log_level = FOTA_AGENT_LOG_INFO;


static const char *const  fota_agent_levels[FOTA_AGENT_LOG__N] = {
    "error",
    "warn",
    "info",
    "debug"
};


const char *
fota_agent_level_name(unsigned level)
{
    return (level < FOTA_AGENT_LOG__N) ? fota_agent_levels[level] : "";
}


int
fota_agent_log_open(const char *path, unsigned level)
{
    int  fd;

    fota_agent_log_level = level;

    if (strcmp(path, "stderr") == 0) {
        return 0;
    }

    fd = open(path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0640);
    if (fd < 0) {
        return -1;
    }

    fota_agent_log_path = path;
    fota_agent_log_fd = fd;

    return 0;
}


void
fota_agent_log_reopen(void)
{
    int  fd;

    if (fota_agent_log_path == NULL) {
        return;
    }

    fd = open(fota_agent_log_path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0640);

    if (fd < 0) {
        fota_agent_log(FOTA_AGENT_LOG_ERROR, "log", "cannot reopen %s: %s",
                       fota_agent_log_path, strerror(errno));
        return;
    }

    pthread_mutex_lock(&fota_agent_log_mutex);
    close(fota_agent_log_fd);
    fota_agent_log_fd = fd;
    pthread_mutex_unlock(&fota_agent_log_mutex);
}


void
fota_agent_log(fota_agent_level_e level, const char *part, const char *fmt,
    ...)
{
    int              n;
    char             line[FOTA_AGENT_LINE_MAX];
    size_t           i, len, head;
    va_list          args;
    struct tm        tm;
    struct timespec  ts;

    if (level > fota_agent_log_level) {
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    (void) gmtime_r(&ts.tv_sec, &tm);

    len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    n = snprintf(line + len, sizeof(line) - len, ".%03ldZ %s %s ",
                 ts.tv_nsec / 1000000, fota_agent_levels[level], part);
    len += (size_t) n;
    head = len;

    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);

    if (n > 0) {
        len += (size_t) n;
    }

    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }

    /* What others sent must not make lines of its own. */

    for (i = head; i < len; i++) {
        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }

    line[len++] = '\n';

    pthread_mutex_lock(&fota_agent_log_mutex);
    (void) !write(fota_agent_log_fd, line, len);
    pthread_mutex_unlock(&fota_agent_log_mutex);
}


uint64_t
fota_agent_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


uint64_t
fota_agent_mono_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
