/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One device's question while it is being decided.  Lives on the stack of
 * one handler call, between begin and end of the view.
 */

#ifndef NGX_HTTP_FOTA_CASE_H
#define NGX_HTTP_FOTA_CASE_H

#include "ngx_http_fota.h"

/* Scheme, host, path, name and token of one URL. */
#define NGX_HTTP_FOTA_URL_MAX  2048

typedef struct {
    ngx_http_request_t        *request;
    ngx_http_fota_ctx_t       *ctx;
    ngx_http_fota_rt_t        *rt;
    ngx_http_fota_loc_conf_t  *conf;
    ngx_http_fota_mem_t        mem;
    fota_check_req_t          *req;
    int64_t                    now;

    const fota_tenant_t       *tenant;
    const fota_tenant_t       *global;
    const fota_product_t      *product;
    fota_device_t              device;
    unsigned                   has_device:1;

    uint8_t                    addr[16];
    uint8_t                    family;
    unsigned                   has_addr:1;
    unsigned                   located:1;
    fota_location_t            location;
    uint32_t                   prefix_group;
    fota_facts_t               facts;

    fota_policy_env_t          env;
    fota_decision_t            decision;
    fota_script_result_t       hook;
    fota_explain_t            *explain;

    size_t                     nurls;
    fota_answer_url_t          urls[FOTA_PICKS_MAX];

    /* Set instead of an answer. */
    ngx_uint_t                 status;
    const char                *code;
    const char                *field;
    const char                *detail;
    const char                *authenticate;
} ngx_http_fota_case_t;

/* addr in c->addr when known; the rest of c from the request. */
void ngx_http_fota_case_init(ngx_http_fota_case_t *c, ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt, fota_check_req_t *req);

/* Each NGX_OK, or NGX_DECLINED with the problem set in the case. */

/* Records of those, and is it that device?  Explain does not ask. */
ngx_int_t ngx_http_fota_case_find(ngx_http_fota_case_t *c,
    fota_str_t tenant, fota_str_t product, fota_str_t device);
ngx_int_t ngx_http_fota_device_auth(ngx_http_fota_case_t *c,
    fota_str_t device);
/* The decision of policy, the hook's, and for an offer where it is. */
ngx_int_t ngx_http_fota_case_decide(ngx_http_fota_case_t *c);
/* Nodes, tokens and URLs into c->urls. */
ngx_int_t ngx_http_fota_offer(ngx_http_fota_case_t *c);

void ngx_http_fota_hook(ngx_http_fota_case_t *c);
void ngx_http_fota_case_answer(ngx_http_fota_case_t *c,
    fota_answer_t *answer);
void ngx_http_fota_seen(ngx_http_fota_case_t *c);
const fota_location_t *ngx_http_fota_locate(fota_facts_t *facts);

ngx_int_t ngx_http_fota_case_fail(ngx_http_fota_case_t *c,
    ngx_uint_t status, const char *code, const char *field,
    const char *detail);
/* Sends what _fail noted. */
ngx_int_t ngx_http_fota_case_problem(ngx_http_fota_case_t *c);

#endif /* NGX_HTTP_FOTA_CASE_H */
