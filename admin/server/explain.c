/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What would this device get now, and why not?  Decided by the code of the
 * edges over the records that edges have: those of the policy state at one
 * sequence number.
 */

#include "fota_hash.h"

#include "explain.h"
#include "sql_list.h"


#define FOTA_EXPLAIN_MAX  (8 * 1024 * 1024)


static const fota_location_t *fota_case_locate(fota_facts_t *facts);
static const fota_zone_t *fota_case_zone(fota_policy_env_t *env,
    fota_str_t name);
static void fota_case_trace(fota_policy_env_t *env, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail);
static int fota_case_load(fota_explain_case_t *c);
static int fota_case_nodes(fota_explain_case_t *c, fota_node_set_t *set);
static int fota_case_decide(fota_explain_case_t *c);
static int fota_case_answer(fota_explain_case_t *c);


static const fota_location_t *
fota_case_locate(fota_facts_t *facts)
{
    return &((fota_explain_case_t *) facts)->location;
}


static fota_explain_case_t *
fota_case_of(fota_policy_env_t *env)
{
    return (fota_explain_case_t *)
               ((uint8_t *) env - offsetof(fota_explain_case_t, env));
}


static const fota_zone_t *
fota_case_zone(fota_policy_env_t *env, fota_str_t name)
{
    size_t                n;
    uint8_t               key[FOTA_KEY_MAX];
    fota_str_t            value;
    fota_zone_t          *zone;
    fota_explain_case_t  *c;

    c = fota_case_of(env);
    n = fota_key_name(key, name);
    zone = fota_alloc(c->mem, sizeof(fota_zone_t));

    if (n == 0 || zone == NULL
        || fota_case_record(c, FOTA_T_ZONE, key, n, &value) != FOTA_OK
        || fota_zone_decode(c->mem, value, zone) != FOTA_OK)
    {
        return NULL;
    }

    return zone;
}


static void
fota_case_trace(fota_policy_env_t *env, const fota_rollout_t *r,
    fota_reason_e reason, const char *detail)
{
    fota_explain_rollout(&fota_case_of(env)->explain, r, reason, detail);
}


static int
fota_case_load(fota_explain_case_t *c)
{
    int         rc;
    size_t      n;
    uint8_t     key[FOTA_KEY_MAX];
    fota_str_t  value;

    rc = fota_feed_read(c->req->db, &c->feed, false);

    if (rc == FOTA_OK) {
        n = fota_key_name(key, c->req->tenant_name);
        rc = fota_case_record(c, FOTA_T_TENANT, key, n, &value);
    }

    if (rc == FOTA_OK) {
        rc = fota_tenant_decode(c->mem, value, &c->tenant);
    }

    if (rc == FOTA_OK) {
        rc = fota_case_record(c, FOTA_T_TENANT, (const uint8_t *) "*", 1,
                              &value);

        if (rc == FOTA_OK) {
            rc = fota_tenant_decode(c->mem, value, &c->global);
            c->has_global = true;

        } else if (rc == FOTA_NOTFOUND) {
            rc = FOTA_OK;
        }
    }

    if (rc == FOTA_OK) {
        n = fota_key_product(key, c->tenant.id, c->product_name);
        rc = (n == 0) ? FOTA_NOTFOUND
             : fota_case_record(c, FOTA_T_PRODUCT, key, n, &value);
    }

    if (rc == FOTA_NOTFOUND) {
        (void) fota_res_problem(c->req, 404, "product_unknown", "product",
                                "edges do not know this product");
        return rc;
    }

    if (rc == FOTA_OK) {
        rc = fota_product_decode(c->mem, value, &c->product);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    n = fota_key_device(key, c->tenant.id, c->facts.id);
    rc = fota_case_record(c, FOTA_T_DEVICE, key, n, &value);

    if (rc == FOTA_OK) {
        rc = fota_device_decode(c->mem, value, &c->device);
        c->has_device = true;
    }

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_case_nodes(fota_explain_case_t *c, fota_node_set_t *set)
{
    int           rc;
    uint32_t      n;
    fota_str_t    value;
    fota_node_t  *nodes;
    fota_rows_t  *rows;

    nodes = fota_calloc(c->mem, FOTA_NODES_MAX, sizeof(fota_node_t));
    if (nodes == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(c->req->db, &rows, "SELECT value_bytes"
                       " FROM policy_state WHERE tbl = ? ORDER BY key_bytes",
                       "u", fota_u64(FOTA_T_NODE));
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;

    while (n < FOTA_NODES_MAX && (rc = fota_db_row(rows)) == FOTA_OK) {
        value = fota_sql_dup(c->mem, rows, 0);

        if (fota_node_decode(c->mem, value, &nodes[n]) == FOTA_OK) {
            n++;
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    return fota_node_set_build(c->mem, nodes, n, set);
}


static int
fota_case_decide(fota_explain_case_t *c)
{
    int                  rc;
    fota_node_set_t      set;
    fota_node_query_t    q;
    fota_node_choice_t   choice;

    static const uint8_t  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    c->env.zone = fota_case_zone;
    c->env.trace = fota_case_trace;

    c->facts.product = c->product_name;
    c->facts.kind = fota_cstr(fota_kind_name(c->kind));
    c->facts.attrs = c->attrs;
    c->facts.nattrs = c->nattrs;
    c->facts.locate = fota_case_locate;

    if (c->has_device) {
        c->facts.set_attrs = c->device.attrs;
        c->facts.nset_attrs = c->device.nattrs;
        c->facts.groups = c->device.groups;
        c->facts.ngroups = c->device.ngroups;
    }

    c->input.tenant = &c->tenant;
    c->input.global = c->has_global ? &c->global : NULL;
    c->input.product = &c->product;
    c->input.device = c->has_device ? &c->device : NULL;
    c->input.facts = &c->facts;
    c->input.kind = c->kind;
    c->input.now = c->now;

    rc = fota_policy_decide(c->mem, &c->env, &c->input, &c->decision);

    if (rc != FOTA_OK || c->decision.reason != FOTA_R_OFFER) {
        return rc;
    }

    rc = fota_case_nodes(c, &set);

    if (rc != FOTA_OK || set.n == 0) {
        return rc;
    }

    memset(&q, 0, sizeof(fota_node_query_t));

    q.tenant = c->tenant.id;
    q.family = !c->has_addr ? FOTA_FAMILY_V4 | FOTA_FAMILY_V6
               : memcmp(c->addr, mapped, sizeof(mapped)) == 0
                 ? FOTA_FAMILY_V4 : FOTA_FAMILY_V6;
    q.prefix_group = c->prefix_group;
    q.location = &c->location;
    q.tenant_conf = &c->tenant;
    q.artifact = c->decision.path.artifact->sha256;
    q.device_hash = fota_siphash(0, 0, c->facts.id.data, c->facts.id.len);
    q.dispersion = c->decision.rollout->dispersion;
    q.now = c->now;

    rc = fota_node_select(c->mem, &set, &fota_select_defaults, &q, &choice,
                          fota_explain_node, &c->explain);

    if (rc == FOTA_NOMEM) {
        return rc;
    }

    if (rc != FOTA_OK || choice.n == 0) {
        c->decision.reason = FOTA_R_CAPACITY;
        c->decision.poll = fota_poll_full(&c->product, c->facts.id);
    }

    return FOTA_OK;
}


static int
fota_case_answer(fota_explain_case_t *c)
{
    int                    rc;
    fota_buf_t             out;
    fota_answer_t          answer;
    fota_answer_explain_t  what;

    memset(&answer, 0, sizeof(fota_answer_t));
    memset(&what, 0, sizeof(fota_answer_explain_t));

    answer.decision = &c->decision;
    answer.product = &c->product;
    answer.tenant = c->req->tenant_name;
    answer.policy_epoch = c->feed.epoch;
    answer.policy_seq = c->feed.seq;

    what.answer = &answer;
    what.facts = &c->facts;
    what.device = c->has_device ? &c->device : NULL;
    what.location = &c->location;
    what.explain = &c->explain;
    what.now = c->now;

    fota_buf_grow(&out, FOTA_EXPLAIN_MAX);

    rc = fota_answer_explain(&what, &out);

    if (rc == FOTA_OK) {
        rc = fota_res_bytes(c->req, 200, "application/json",
                            fota_buf_slice(&out));
    }

    fota_buf_free(&out);

    return rc;
}


static int
fota_explain_handler(fota_req_t *req)
{
    int                   rc;
    fota_explain_case_t  *c;

    c = fota_calloc(&req->arena.mem, 1, sizeof(fota_explain_case_t));
    if (c == NULL) {
        return FOTA_NOMEM;
    }

    c->req = req;
    c->mem = &req->arena.mem;

    fota_explain_init(&c->explain, c->mem);

    /* One view: the sequence number and what was published with it. */

    rc = fota_db_begin_snapshot(req->db);

    if (rc == FOTA_OK) {
        rc = fota_case_args(c);

        if (rc == FOTA_OK) {
            rc = fota_case_load(c);
        }

        if (rc == FOTA_OK) {
            rc = fota_case_decide(c);
        }

        if (rc == FOTA_OK) {
            rc = fota_case_answer(c);
        }

        fota_db_rollback(req->db);
    }

    return rc;
}


static const fota_route_t  fota_explain_table[] = {
    { "GET", "/api/v1/explain", "device:read", fota_explain_handler, NULL, 0,
      0 },
};


FOTA_ROUTE_SET(explain, fota_explain_table);
