/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* One question to explain, and what was found out for it. */

#ifndef FOTA_ADMIN_EXPLAIN_H
#define FOTA_ADMIN_EXPLAIN_H

#include "fota_answer.h"

#include "entity.h"
#include "feed.h"

typedef struct {
    fota_facts_t           facts;       /* first */
    fota_policy_env_t      env;
    fota_req_t            *req;
    fota_mem_t            *mem;
    fota_explain_t         explain;
    fota_feed_t            feed;
    fota_str_t             product_name;
    fota_tenant_t          tenant;
    fota_tenant_t          global;
    fota_product_t         product;
    fota_device_t          device;
    fota_location_t        location;
    fota_policy_input_t    input;
    fota_decision_t        decision;
    bool                   has_global;
    bool                   has_device;
    bool                   has_addr;
    uint32_t               prefix_group;
    uint8_t                addr[16];
    uint8_t                kind;
    int64_t                now;
    size_t                 nattrs;
    fota_attr_t            attrs[FOTA_ATTRS_MAX];
    bool                   too_many;
} fota_explain_case_t;

/* A record of the policy state, copied; FOTA_NOTFOUND. */
int fota_case_record(fota_explain_case_t *c, fota_table_e table,
    const uint8_t *key, size_t len, fota_str_t *value);

/*
 * Facts of the device: as registered, then as the request states.  An answer
 * is set when the result is FOTA_INVALID or FOTA_NOTFOUND.
 */
int fota_case_args(fota_explain_case_t *c);

#endif /* FOTA_ADMIN_EXPLAIN_H */
