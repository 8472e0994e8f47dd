/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "agent.h"


static const char *const  fota_agent_parts[FOTA_AGENT__N] = {
    "sync",
    "fetch",
    "upload",
    "heartbeat",
    "scrub"
};


const char *
fota_agent_part_name(unsigned part)
{
    return (part < FOTA_AGENT__N) ? fota_agent_parts[part] : "";
}


void
fota_agent_fault(fota_agent_t *agent, fota_agent_part_e part,
    const char *fmt, ...)
{
    char                 text[FOTA_AGENT_FAULT_MAX];
    va_list              args;
    fota_agent_fault_t  *f;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    pthread_mutex_lock(&agent->lock);

    f = &agent->faults[part];
    f->now = true;
    f->when = fota_agent_now_ms();
    f->count++;
    memcpy(f->text, text, sizeof(text));

    pthread_mutex_unlock(&agent->lock);

    fota_agent_log(FOTA_AGENT_LOG_ERROR, fota_agent_parts[part], "%s", text);
}


void
fota_agent_well(fota_agent_t *agent, fota_agent_part_e part)
{
    pthread_mutex_lock(&agent->lock);
    agent->faults[part].now = false;
    pthread_mutex_unlock(&agent->lock);
}


bool
fota_agent_stopping(fota_agent_t *agent)
{
    return atomic_load(&agent->stop);
}


bool
fota_agent_sleep(fota_agent_t *agent, uint64_t ms)
{
    struct timespec  until;

    (void) clock_gettime(CLOCK_MONOTONIC, &until);

    until.tv_sec += (time_t) (ms / 1000);
    until.tv_nsec += (long) (ms % 1000) * 1000000;

    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }

    pthread_mutex_lock(&agent->lock);

    if (!atomic_load(&agent->stop)) {
        (void) pthread_cond_timedwait(&agent->wake, &agent->lock, &until);
    }

    pthread_mutex_unlock(&agent->lock);

    return atomic_load(&agent->stop);
}


bool
fota_agent_pause(fota_agent_t *agent, uint64_t ms)
{
    uint64_t  now, until;

    until = fota_agent_mono_ms() + ms;

    while ((now = fota_agent_mono_ms()) < until) {
        if (fota_agent_sleep(agent, until - now)) {
            return true;
        }
    }

    return fota_agent_stopping(agent);
}


void
fota_agent_wake(fota_agent_t *agent)
{
    pthread_mutex_lock(&agent->lock);
    pthread_cond_broadcast(&agent->wake);
    pthread_mutex_unlock(&agent->lock);
}


uint64_t
fota_agent_backoff(unsigned attempt, unsigned max_s, uint64_t retry_after)
{
    uint32_t  r;
    uint64_t  ms, most;

    most = (attempt >= 10) ? max_s : 1u << attempt;

    if (most > max_s) {
        most = max_s;
    }

    if (most < 2) {
        most = 2;
    }

    if (fota_random(&r, sizeof(r)) != FOTA_OK) {
        r = 0;
    }

    ms = 1000 + r % ((most - 1) * 1000 + 1);

    if (retry_after > 3600) {
        retry_after = 3600;
    }

    if (retry_after * 1000 > ms) {

        /* Everybody was told the same: not all at once then. */

        ms = retry_after * 1000 + r % 1000;
    }

    return ms;
}
