/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Clocks and waking times of a decision; inside of fota_policy.c. */

#ifndef FOTA_POLICY_TIME_H
#define FOTA_POLICY_TIME_H

#include "fota_policy.h"

/* The device's own clock is looked up at most once for a decision. */

typedef struct {
    fota_policy_env_t  *env;
    fota_facts_t       *facts;
    fota_clock_t        device;
    unsigned            asked:1;
    unsigned            known:1;        /* the device has a clock */
} fota_policy_clock_t;

void fota_policy_clock_init(fota_policy_clock_t *c, fota_policy_env_t *env,
    fota_facts_t *facts);

/* As fota_window_open() in the time the rollout wants. */
bool fota_policy_window(fota_policy_clock_t *c, const fota_rollout_t *r,
    int64_t now, int64_t *until, int64_t *next);

/* Seconds until the next check, all at least 1. */

uint32_t fota_policy_poll(const fota_product_t *p, fota_str_t device);
uint32_t fota_policy_wake_start(const fota_rollout_t *r, int64_t now,
    fota_str_t device);
uint32_t fota_policy_wake_window(fota_policy_clock_t *c,
    const fota_rollout_t *r, int64_t now, int64_t next, fota_str_t device);
uint32_t fota_policy_wake_capacity(uint32_t rollout, int64_t now,
    fota_str_t device);

#endif /* FOTA_POLICY_TIME_H */
