/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * POST /fota/v1/report.  202 is said only after the record is on disk; when
 * the spool fills up, progress is merged, then put off, and in the end
 * everything is refused.  Nothing acknowledged is ever dropped.
 */

#include "ngx_http_fota_case.h"


#define FOTA_LEVEL_PROGRESS  85
#define FOTA_LEVEL_ALL       98
/* Seconds until a device shall try again, spread by half as much. */
#define FOTA_REPORT_RETRY    30


typedef struct {
    ngx_http_fota_entry_t   entry;      /* first */
    ngx_http_request_t     *request;
    ngx_http_fota_rt_t     *rt;
    uint32_t                rollout;
    unsigned                ok:1;
} ngx_http_fota_wait_t;


static void ngx_http_fota_report_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_fota_report(ngx_http_request_t *r,
    fota_str_t body);
static ngx_int_t ngx_http_fota_report_refuse(ngx_http_request_t *r,
    ngx_http_fota_rt_t *rt, ngx_uint_t status);
static void ngx_http_fota_report_payload(ngx_http_fota_case_t *c,
    const fota_report_req_t *req, fota_buf_t *out);
static ngx_int_t ngx_http_fota_report_wait(ngx_http_request_t *r,
    ngx_http_fota_rt_t *rt, const fota_report_req_t *req,
    const uint8_t id[16], fota_str_t payload, uint32_t tenant);
static void ngx_http_fota_report_done(ngx_http_fota_entry_t *e,
    ngx_int_t rc);
static ngx_int_t ngx_http_fota_report_accept(ngx_http_request_t *r,
    const uint8_t id[16], uint64_t seq);
static void ngx_http_fota_report_cleanup(void *data);


ngx_int_t
ngx_http_fota_report_handler(ngx_http_request_t *r)
{
    if (r->method != NGX_HTTP_POST) {
        return ngx_http_fota_not_allowed(r, "POST");
    }

    return ngx_http_fota_read_body(r, ngx_http_fota_report_body);
}


static void
ngx_http_fota_report_body(ngx_http_request_t *r)
{
    ngx_http_fota_with_body(r, ngx_http_fota_report);
}


/* NGX_DONE: answered when the record is down. */

static ngx_int_t
ngx_http_fota_report(ngx_http_request_t *r, fota_str_t body)
{
    int                    st;
    uint8_t                id[16];
    uint32_t               tenant;
    fota_buf_t             out;
    ngx_uint_t             level;
    fota_report_req_t      req;
    fota_field_error_t     err;
    ngx_http_fota_rt_t    *rt;
    ngx_http_fota_ctx_t   *ctx;
    ngx_http_fota_case_t   c;

    rt = ngx_http_fota_rt(r);
    ctx = ngx_http_fota_make_ctx(r);

    if (ctx == NULL || rt == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&req, sizeof(fota_report_req_t));
    ngx_http_fota_case_init(&c, r, ctx, rt, NULL);

    st = fota_report_req_json(&c.mem.mem, body, &req, &err);

    if (st == FOTA_NOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (st != FOTA_OK) {
        return ngx_http_fota_problem(r, NGX_HTTP_BAD_REQUEST, "bad_field",
                                     err.field, err.reason);
    }

    ctx->tenant = req.tenant;
    ctx->product = req.product;
    ctx->device = req.device;
    ctx->deployment = req.rollout;

    st = ngx_http_fota_begin(rt, ctx);
    if (st != FOTA_OK) {
        return ngx_http_fota_no_policy(r, st);
    }

    tenant = 0;
    fota_buf_fixed(&out, rt->scratch, sizeof(rt->scratch));

    if (ngx_http_fota_case_find(&c, req.tenant, req.product, req.device)
        == NGX_OK)
    {
        tenant = c.tenant->id;
        ngx_http_fota_self(rt);
        ngx_http_fota_report_payload(&c, &req, &out);
    }

    ngx_http_fota_end(rt);

    if (c.status != 0) {
        return ngx_http_fota_case_problem(&c);
    }

    if (out.status != FOTA_OK || out.len > FOTA_SPOOL_PAYLOAD_MAX
        || fota_report_id(id, tenant, req.device, req.rollout, req.attempt,
                          req.seq)
           != FOTA_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    level = ngx_http_fota_spool_level(rt);

    if (level >= FOTA_LEVEL_ALL) {
        return ngx_http_fota_report_refuse(r, rt,
                                           NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    if (level >= FOTA_LEVEL_PROGRESS && req.state < FOTA_RS_SUCCEEDED) {
        return ngx_http_fota_report_refuse(r, rt,
                                           NGX_HTTP_TOO_MANY_REQUESTS);
    }

    if (rt->conf->spool_memory) {

        if (ngx_http_fota_spool_note(rt, id, fota_buf_slice(&out)) != NGX_OK)
        {
            return ngx_http_fota_report_refuse(r, rt,
                                               NGX_HTTP_SERVICE_UNAVAILABLE);
        }

        ngx_http_fota_count(rt, REPORTS_OK);

        if (req.state >= FOTA_RS_SUCCEEDED) {
            ngx_http_fota_zone_terminal(rt, req.rollout, id,
                                        req.state == FOTA_RS_SUCCEEDED);
        }

        return ngx_http_fota_report_accept(r, id, 0);
    }

    return ngx_http_fota_report_wait(r, rt, &req, id, fota_buf_slice(&out),
                                     tenant);
}


static ngx_int_t
ngx_http_fota_report_refuse(ngx_http_request_t *r, ngx_http_fota_rt_t *rt,
    ngx_uint_t status)
{
    ngx_uint_t  retry;

    /* Not all at once, or they would all come back at once. */

    retry = FOTA_REPORT_RETRY / 2 + (ngx_uint_t) ngx_random()
                                    % FOTA_REPORT_RETRY;

    if (status == NGX_HTTP_TOO_MANY_REQUESTS) {
        ngx_http_fota_count(rt, REPORTS_BUSY);
        return ngx_http_fota_problem_retry(r, status, "spool_busy",
                                           "progress is not taken now",
                                           retry);
    }

    ngx_http_fota_count(rt, REPORTS_FULL);

    return ngx_http_fota_problem_retry(r, status, "spool_full",
                                       "reports cannot be kept now", retry);
}


static void
ngx_http_fota_report_payload(ngx_http_fota_case_t *c,
    const fota_report_req_t *req, fota_buf_t *out)
{
    fota_jw_t  w;

    fota_jw_init(&w, out);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "t", "report");
    fota_jw_uint(&w, "tenant", c->tenant->id);
    fota_jw_str(&w, "device", req->device);
    fota_jw_str(&w, "product", req->product);
    fota_jw_uint(&w, "node", c->rt->node);
    fota_jw_uint(&w, "rollout", req->rollout);
    fota_jw_uint(&w, "attempt", req->attempt);
    fota_jw_uint(&w, "seq", req->seq);
    fota_jw_cstr(&w, "state", fota_report_state_name(req->state));
    fota_jw_uint(&w, "progress", req->progress);

    if (req->version.len) {
        fota_jw_str(&w, "version", req->version);
    }

    if (req->has_artifact) {
        fota_jw_hex(&w, "artifact", req->artifact, sizeof(req->artifact));
    }

    if (req->delta) {
        fota_jw_bool(&w, "delta", true);
    }

    if (req->node.len) {
        fota_jw_str(&w, "served_by", req->node);
    }

    if (req->bytes) {
        fota_jw_uint(&w, "bytes", req->bytes);
    }

    if (req->ms) {
        fota_jw_uint(&w, "ms", req->ms);
    }

    if (req->error_code.len || req->error_text.len) {
        fota_jw_object(&w, "error");
        fota_jw_str(&w, "code", req->error_code);
        fota_jw_str(&w, "text", req->error_text);
        fota_jw_end_object(&w);
    }

    fota_jw_end_object(&w);
}


static ngx_int_t
ngx_http_fota_report_wait(ngx_http_request_t *r, ngx_http_fota_rt_t *rt,
    const fota_report_req_t *req, const uint8_t id[16], fota_str_t payload,
    uint32_t tenant)
{
    u_char                *text;
    ngx_pool_cleanup_t    *cln;
    ngx_http_fota_wait_t  *wait;

    text = ngx_pnalloc(r->pool, payload.len);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_fota_wait_t));

    if (text == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(text, payload.data, payload.len);

    wait = cln->data;
    ngx_memzero(wait, sizeof(ngx_http_fota_wait_t));

    wait->request = r;
    wait->rt = rt;
    wait->rollout = req->rollout;
    wait->ok = (req->state == FOTA_RS_SUCCEEDED);
    wait->entry.payload = fota_slice(text, payload.len);
    wait->entry.terminal = (req->state >= FOTA_RS_SUCCEEDED);
    wait->entry.key = fota_siphash(tenant, req->rollout, req->device.data,
                                   req->device.len);
    wait->entry.done = ngx_http_fota_report_done;
    ngx_memcpy(wait->entry.id, id, sizeof(wait->entry.id));

    if (ngx_http_fota_spool_add(rt, &wait->entry) != NGX_OK) {
        return ngx_http_fota_report_refuse(r, rt,
                                           NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    cln->handler = ngx_http_fota_report_cleanup;

    return NGX_DONE;
}


static void
ngx_http_fota_report_cleanup(void *data)
{
    ngx_http_fota_wait_t *wait = data;

    if (wait->entry.queued) {
        ngx_http_fota_spool_remove(wait->rt, &wait->entry);
    }
}


static void
ngx_http_fota_report_done(ngx_http_fota_entry_t *e, ngx_int_t rc)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_fota_rt_t    *rt;
    ngx_http_fota_wait_t  *wait = (ngx_http_fota_wait_t *) e;

    r = wait->request;
    rt = wait->rt;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (rc == NGX_OK) {
        ngx_http_fota_count(rt, REPORTS_OK);

        if (e->terminal) {
            ngx_http_fota_zone_terminal(rt, wait->rollout, e->id, wait->ok);
        }

        rc = ngx_http_fota_report_accept(r, e->id, e->seq);

    } else if (rc == NGX_BUSY) {
        rc = ngx_http_fota_report_refuse(r, rt, NGX_HTTP_SERVICE_UNAVAILABLE);

    } else {
        ngx_http_fota_count(rt, REPORTS_LOST);
        rc = ngx_http_fota_problem_retry(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "spool_error",
                                         "reports cannot be kept now",
                                         FOTA_REPORT_RETRY);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_fota_report_accept(ngx_http_request_t *r, const uint8_t id[16],
    uint64_t seq)
{
    u_char                text[96], *p;
    ngx_http_fota_ctx_t  *ctx;

    ctx = ngx_http_fota_get_ctx(r);

    ctx->report_seq = seq;
    ctx->has_report = 1;

    p = ngx_cpymem(text, "{\"id\":\"", sizeof("{\"id\":\"") - 1);
    p = ngx_hex_dump(p, (u_char *) id, 16);
    p = ngx_sprintf(p, "\",\"seq\":%uL}", seq);

    return ngx_http_fota_send(r, NGX_HTTP_ACCEPTED, "application/json", text,
                              p - text);
}
