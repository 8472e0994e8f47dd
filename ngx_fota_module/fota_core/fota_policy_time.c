/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_hash.h"
#include "fota_policy_time.h"


/* Keys of the hashes, so that one spread says nothing of another. */

#define FOTA_JITTER_POLL      0x706f6c6cULL
#define FOTA_JITTER_START     0x73746172ULL
#define FOTA_JITTER_WINDOW    0x77696e64ULL
#define FOTA_JITTER_CAPACITY  0x63617061ULL


/* 0..span - 1, evenly, the same for the same device and slot. */

static uint32_t
fota_spread(uint64_t key, uint64_t slot, fota_str_t device, uint64_t span)
{
    if (span < 2) {
        return 0;
    }

    return (uint32_t) (fota_siphash(key, slot, device.data, device.len)
                       % span);
}


/* Seconds from now to a moment, within what a device can be told. */

static uint32_t
fota_wait(int64_t now, int64_t at)
{
    uint64_t  wait;

    if (at <= now) {
        return 1;
    }

    /* Both may be any number; the difference of unsigned cannot trap. */

    wait = (uint64_t) at - (uint64_t) now;

    return (wait > FOTA_POLL_MAX) ? FOTA_POLL_MAX : (uint32_t) wait;
}


uint32_t
fota_poll_jitter(uint32_t value, fota_str_t device)
{
    uint32_t  tenth;

    tenth = value / 10;

    return value - tenth
           + fota_spread(FOTA_JITTER_POLL, value, device,
                         2 * (uint64_t) tenth + 1);
}


uint32_t
fota_poll_full(const fota_product_t *p, fota_str_t device)
{
    return fota_poll_jitter((p->poll != 0 && p->poll < FOTA_FULL_POLL)
                            ? p->poll : FOTA_FULL_POLL, device);
}


uint32_t
fota_policy_poll(const fota_product_t *p, fota_str_t device)
{
    uint32_t  poll;

    poll = (p->poll == 0) ? FOTA_POLL_DEFAULT : p->poll;

    if (poll > FOTA_POLL_MAX) {
        poll = FOTA_POLL_MAX;
    }

    return fota_poll_jitter(poll, device);
}


uint32_t
fota_policy_wake_start(const fota_rollout_t *r, int64_t now,
    fota_str_t device)
{
    uint64_t  span;

    span = FOTA_WAKE_SPREAD;

    if (r->end > r->start
        && (uint64_t) r->end - (uint64_t) r->start < FOTA_WAKE_SPREAD)
    {
        span = (uint64_t) r->end - (uint64_t) r->start;
    }

    return fota_wait(now, r->start)
           + fota_spread(FOTA_JITTER_START, r->id, device, span);
}


/*
 * Drawn anew in each slot of time: with one draw for ever the same devices
 * would always come back first and take all the room there is.
 */

uint32_t
fota_policy_wake_capacity(uint32_t rollout, int64_t now, fota_str_t device)
{
    uint64_t  slot;

    slot = (uint64_t) now / FOTA_RETRY_MAX * 0x100000001b3ULL + rollout;

    return FOTA_RETRY_MIN
           + fota_spread(FOTA_JITTER_CAPACITY, slot, device,
                         FOTA_RETRY_MAX - FOTA_RETRY_MIN + 1);
}


void
fota_policy_clock_init(fota_policy_clock_t *c, fota_policy_env_t *env,
    fota_facts_t *facts)
{
    c->env = env;
    c->facts = facts;
    c->asked = 0;
    c->known = 0;
}


/* A clock of "Asia/Tokyo" or "+09:00"; false when it is neither. */

static bool
fota_clock_named(fota_policy_env_t *env, fota_str_t text, fota_clock_t *clock)
{
    clock->zone = NULL;
    clock->offset = 0;

    if (text.len == 0) {
        return false;
    }

    if (fota_zone_parse_offset(text, &clock->offset) == FOTA_OK) {
        return true;
    }

    clock->offset = 0;
    clock->zone = (env->zone == NULL) ? NULL : env->zone(env, text);

    return clock->zone != NULL;
}


static void
fota_clock_of(fota_policy_clock_t *c, const fota_rollout_t *r,
    fota_clock_t *clock)
{
    if (r->time_mode == FOTA_TIME_DEVICE) {
        if (!c->asked) {
            c->asked = 1;
            c->known = fota_clock_named(c->env, c->facts->tz, &c->device)
                       || fota_clock_named(c->env,
                              fota_cstr(c->facts->locate(c->facts)->tz),
                              &c->device);
        }

        if (c->known) {
            *clock = c->device;
            return;
        }
    }

    /* Without any clock this leaves UTC. */

    (void) fota_clock_named(c->env, r->zone, clock);
}


bool
fota_policy_window(fota_policy_clock_t *c, const fota_rollout_t *r,
    int64_t now, int64_t *until, int64_t *next)
{
    fota_clock_t  clock;

    if (r->nwindows == 0) {
        *until = INT64_MAX;
        *next = now;
        return true;
    }

    fota_clock_of(c, r, &clock);

    return fota_window_open(r->windows, r->nwindows, &clock, now, until, next);
}


uint32_t
fota_policy_wake_window(fota_policy_clock_t *c, const fota_rollout_t *r,
    int64_t now, int64_t next, fota_str_t device)
{
    int64_t   until, ignored;
    uint64_t  span;

    if (next == INT64_MAX) {
        return FOTA_POLL_MAX;
    }

    span = FOTA_WAKE_SPREAD;

    /* A device needs time to act, so a short window is used to its half. */

    if (fota_policy_window(c, r, next, &until, &ignored)
        && until > next && (uint64_t) (until - next) / 2 < span)
    {
        span = (uint64_t) (until - next) / 2;
    }

    return fota_wait(now, next)
           + fota_spread(FOTA_JITTER_WINDOW, r->id, device, span);
}
