/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * JSON of the device API's answers, of explain, and of problems.  Only
 * writes: every value was decided by the caller.
 */

#ifndef FOTA_ANSWER_H
#define FOTA_ANSWER_H

#include "fota_json.h"
#include "fota_node.h"
#include "fota_policy.h"

typedef struct {
    fota_str_t  url;            /* whole, with the token */
    fota_str_t  node;           /* name */
    fota_str_t  geo;            /* country of the node, may be empty */
} fota_answer_url_t;            /* best first: "pri" is the place from 1 */

typedef struct {
    const fota_decision_t    *decision;
    const fota_product_t     *product;  /* NULL: none, a decision without */
    fota_str_t                tenant;   /* name, for the manifest */
    uint64_t                  policy_epoch;
    uint64_t                  policy_seq;
    size_t                    nurls;
    const fota_answer_url_t  *urls;
    size_t                    nhook;
    const fota_attr_t        *hook;     /* fields added by a script */
} fota_answer_t;

/*
 * The answer of check.  "update" is true when the decision is an offer and
 * there is at least one URL.  Errors are sticky in out (fota_buf_t.status),
 * which is returned.
 */
int fota_answer_check(const fota_answer_t *a, fota_buf_t *out);

/*
 * Problem document (RFC 9457), application/problem+json.  code is a stable
 * word for programs ("bad_field", "no_product"); field and detail may be
 * NULL.
 */
int fota_answer_problem(fota_buf_t *out, int status, const char *code,
    const char *title, const char *field, const char *detail);

/* Explain: collect while deciding and selecting, then write. */

typedef struct {
    const fota_rollout_t  *rollout;
    fota_reason_e          reason;
    fota_str_t             detail;
} fota_explain_rollout_t;

typedef struct {
    const fota_node_entry_t  *entry;
    fota_node_reason_e        reason;
    double                    km;       /* < 0 = not known */
    double                    weight;
    double                    score;
} fota_explain_node_t;

#define FOTA_EXPLAIN_ROLLOUTS_MAX  FOTA_ROLLOUTS_MAX
#define FOTA_EXPLAIN_NODES_MAX     FOTA_NODES_MAX

typedef struct {
    fota_mem_t              *mem;
    fota_status_e            status;    /* sticky: FOTA_NOMEM */
    uint32_t                 nrollouts;
    uint32_t                 nnodes;
    uint32_t                 rollouts_cap;
    uint32_t                 nodes_cap;
    fota_explain_rollout_t  *rollouts;
    fota_explain_node_t     *nodes;
} fota_explain_t;

void fota_explain_init(fota_explain_t *e, fota_mem_t *mem);

/* To be called by the caller's fota_policy_env_t.trace; detail is copied. */
void fota_explain_rollout(fota_explain_t *e, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail);

/* A fota_node_trace_pt; ctx is the fota_explain_t. */
void fota_explain_node(void *ctx, const fota_node_entry_t *entry,
    fota_node_reason_e reason, double km, double weight, double score);

/*
 * {"decision": {as fota_answer_check()}, "policy": {epoch, seq, lag_s, now},
 *  "device": {...facts}, "location": {...}, "rollouts": [...],
 *  "nodes": [...]}
 */
typedef struct {
    const fota_answer_t    *answer;
    const fota_facts_t     *facts;
    const fota_device_t    *device;     /* may be NULL */
    const fota_location_t  *location;   /* used or would be; may be NULL */
    const fota_explain_t   *explain;
    int64_t                 now;        /* Unix s */
    uint32_t                lag;        /* s behind the centre */
} fota_answer_explain_t;

int fota_answer_explain(const fota_answer_explain_t *a, fota_buf_t *out);

#endif /* FOTA_ANSWER_H */
