/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The decision: who gets what, where, when, and why not.  The same code
 * answers on the edge, in explain and in a dry run at the centre.  Pure: no
 * clock, no I/O, no state but its arguments.
 */

#ifndef FOTA_POLICY_H
#define FOTA_POLICY_H

#include "fota_path.h"

typedef enum {
    FOTA_R_OFFER = 0,
    FOTA_R_UP_TO_DATE,
    FOTA_R_NO_ROLLOUT,
    FOTA_R_NOT_TARGETED,
    FOTA_R_GEO,
    FOTA_R_STAGE,
    FOTA_R_WINDOW,
    FOTA_R_NOT_STARTED,
    FOTA_R_ENDED,
    FOTA_R_PAUSED,
    FOTA_R_BLOCKED,
    FOTA_R_ATTEMPTS,
    FOTA_R_DOWNGRADE,
    FOTA_R_NO_PATH,
    FOTA_R_CAPACITY,
    FOTA_R_STALE_POLICY,
    FOTA_R_HOOK,
    FOTA_R__N
} fota_reason_e;

const char *fota_reason_name(fota_reason_e r);

/* What this edge counted of a rollout; all zero at the centre. */
typedef struct {
    uint32_t  active;           /* downloads running now */
    uint64_t  bps;              /* bytes/s, 10 s EWMA */
    uint32_t  ok;               /* terminal reports seen here */
    uint32_t  failed;
} fota_rollout_load_t;

typedef struct fota_policy_env_s  fota_policy_env_t;

struct fota_policy_env_s {
    const fota_zone_t  *(*zone)(fota_policy_env_t *env, fota_str_t name);
    /* May be NULL. */
    void  (*load)(fota_policy_env_t *env, uint32_t rollout,
              fota_rollout_load_t *out);
    /*
     * One call for every rollout looked at; NULL on the hot path.  detail
     * is static text, NULL when the reason says all.
     */
    void  (*trace)(fota_policy_env_t *env, const fota_rollout_t *r,
              fota_reason_e reason, const char *detail);
};

typedef struct {
    const fota_tenant_t   *tenant;
    const fota_tenant_t   *global;      /* record "*", may be NULL */
    const fota_product_t  *product;
    const fota_device_t   *device;      /* NULL: nothing special */
    fota_facts_t          *facts;
    uint8_t                kind;
    unsigned               no_delta:1;  /* the device takes full only */
    unsigned               cut_off:1;   /* the centre is out of reach */
    int64_t                now;         /* Unix s */
    uint32_t               lag;         /* s behind the centre */
    uint32_t               max_stale;   /* s, 0 = never stale */
} fota_policy_input_t;

typedef struct {
    fota_reason_e            reason;
    const fota_rollout_t    *rollout;   /* offered, or the one that decided */
    const fota_firmware_t   *target;
    fota_path_t              path;      /* when offered */
    uint32_t                 poll;      /* s until the next check, jittered */
    int64_t                  window_until;      /* 0 = no window */
} fota_decision_t;

/*
 * Order for each rollout: brakes and state, start, end, blocked, pin, target
 * filter, allowed sources, geo scope, downgrade, at the target already,
 * attempts, stage, stale policy, path, window, capacity.  First match wins.
 * Without a match the reason is that of the rollout that came furthest, the
 * first of them on a tie; so a device that finished a newer rollout is "up
 * to date" although an older one would be a downgrade.  A blocked device is
 * "blocked" whatever the rollouts say.  Rollouts of another kind do not
 * count.  The product must be indexed (fota_product_index()).
 * FOTA_OK (whatever was decided) or FOTA_NOMEM.
 */
int fota_policy_decide(fota_mem_t *mem, fota_policy_env_t *env,
    const fota_policy_input_t *in, fota_decision_t *out);

#define FOTA_POLL_DEFAULT  3600         /* s, for a product without one */
#define FOTA_POLL_MAX      604800
#define FOTA_WAKE_SPREAD   600          /* s after a start or opening */
#define FOTA_RETRY_MIN     30           /* s, when there is no capacity */
#define FOTA_RETRY_MAX     120
#define FOTA_FULL_POLL     300          /* s at most, when nodes are full */

/* 0..9999: siphash(salt, 0; device id) mod 10000. */
uint16_t fota_stage_bucket(uint64_t salt, fota_str_t device);

/*
 * value +- 10 %, the same for the same device and slot, so that a fleet
 * spreads and a device's schedule is reproducible.
 */
uint32_t fota_poll_jitter(uint32_t value, fota_str_t device);

/* When to ask again, in seconds, where all nodes are full. */
uint32_t fota_poll_full(const fota_product_t *p, fota_str_t device);

#endif /* FOTA_POLICY_H */
