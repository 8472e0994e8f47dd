/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The operator's hook in Lua: the only door to LuaJIT.  JIT off, instruction
 * budget that pcall cannot swallow, capped memory, an allow-list of
 * functions, text chunks only.  A trusted script may run with the JIT on and
 * without a budget (a separate directive).  The contract of the script is
 * lua/README.md.
 */

#ifndef FOTA_SCRIPT_H
#define FOTA_SCRIPT_H

#include "fota_policy.h"

typedef struct fota_script_s  fota_script_t;

typedef struct {
    uint32_t  instructions;     /* per call, 0 = 100 000 */
    size_t    memory;           /* bytes of the whole state, 0 = 4 MiB */
    unsigned  trusted:1;
} fota_script_opt_t;

typedef struct fota_script_input_s  fota_script_input_t;

struct fota_script_input_s {
    fota_facts_t           *facts;
    fota_str_t              tenant;
    const fota_decision_t  *decision;
    int64_t                 now;
    int32_t                 utc_offset;         /* of the device, s */
    /* When not NULL, asked for utc_offset, but only by scripts that look. */
    int32_t               (*offset)(const fota_script_input_t *in);
};

typedef enum {
    FOTA_HOOK_KEEP = 0,
    FOTA_HOOK_DENY,
    FOTA_HOOK_DEFER             /* come back after .defer seconds */
} fota_hook_action_e;

#define FOTA_HOOK_FIELDS_MAX  16

typedef struct {
    fota_hook_action_e  action;
    uint32_t            defer;          /* s */
    uint16_t            pool;           /* node group, 0 = as selected */
    int16_t             rate_class;     /* -1 = as the rollout says */
    size_t              nfields;
    fota_attr_t         fields[FOTA_HOOK_FIELDS_MAX];   /* in mem */
    fota_str_t          message;        /* why, for explain; in mem */
} fota_script_result_t;

/*
 * One clear sentence when another Lua was loaded into the process first,
 * NULL when all is well.
 */
const char *fota_script_conflict(void);

/*
 * Compiles only (for nginx -t): FOTA_OK or FOTA_INVALID with
 * "FILE:LINE: message" in err.
 */
int fota_script_compile(fota_str_t source, const char *name, char *err,
    size_t errlen);

/* Makes a state and runs the chunk, which must return a function. */
int fota_script_create(fota_script_t **s, fota_str_t source, const char *name,
    const fota_script_opt_t *opt, char *err, size_t errlen);

void fota_script_destroy(fota_script_t *s);

/*
 * FOTA_OK and a result; FOTA_LIMIT (budget or memory), FOTA_INVALID (error in
 * the script or in what it returned) with text in err.  The state survives,
 * or is remade after repeated exhaustion.
 */
int fota_script_call(fota_script_t *s, fota_mem_t *mem,
    const fota_script_input_t *in, fota_script_result_t *out, char *err,
    size_t errlen);

#endif /* FOTA_SCRIPT_H */
