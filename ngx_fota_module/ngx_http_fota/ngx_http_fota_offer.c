/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* An offer's addresses: nodes chosen, tokens minted, URLs written. */

#include "ngx_http_fota_case.h"


#define FOTA_TTL_MIN        3600
#define FOTA_TTL_MAX        86400
/* Bytes/s of a slow device where the class sets no limit. */
#define FOTA_RATE_MIN       (16 * 1024)


static bool ngx_http_fota_mintable(void *ctx, uint16_t group);
static int ngx_http_fota_offer_nodes(ngx_http_fota_case_t *c,
    const fota_node_set_t *set, fota_node_choice_t *choice);
static ngx_int_t ngx_http_fota_offer_token(ngx_http_fota_case_t *c,
    fota_token_t *t, fota_token_ctx_t *tc, uint8_t cert[32]);
static ngx_int_t ngx_http_fota_offer_url(ngx_http_fota_case_t *c,
    fota_str_t base, const char *token, fota_str_t *url);
static const fota_node_entry_t *ngx_http_fota_offer_here(
    ngx_http_fota_case_t *c);
static ngx_int_t ngx_http_fota_nonce(ngx_http_fota_rt_t *rt,
    uint8_t nonce[8]);
static void ngx_http_fota_capacity(ngx_http_fota_case_t *c);


static bool
ngx_http_fota_mintable(void *ctx, uint16_t group)
{
    uint16_t             kid;
    ngx_http_fota_rt_t  *rt = ctx;

    return fota_view_mint_key(rt->view, group, &kid) != NULL;
}


ngx_int_t
ngx_http_fota_offer(ngx_http_fota_case_t *c)
{
    int                     rc;
    char                    token[FOTA_TOKEN_TEXT_LEN];
    uint8_t                 cert[32];
    uint32_t                i;
    fota_str_t              name;
    ngx_uint_t              minted;
    fota_hmac_t            *key;
    fota_token_t            t;
    fota_token_ctx_t        tc;
    fota_answer_url_t      *url;
    fota_node_choice_t      choice;
    const fota_node_t      *node;
    ngx_http_fota_rt_t     *rt;
    const fota_node_set_t  *set;

    rt = c->rt;
    set = fota_view_nodes(rt->view);

    if (set == NULL) {
        return ngx_http_fota_case_fail(c, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "no_policy", NULL,
                                       "this edge cannot read its policy");
    }

    choice.n = 0;

    if (set->n != 0) {
        rc = ngx_http_fota_offer_nodes(c, set, &choice);

        if (rc == FOTA_NOMEM) {
            return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                           "no_memory", NULL, NULL);
        }

        if (rc != FOTA_OK || choice.n == 0) {
            ngx_http_fota_capacity(c);
            return NGX_OK;
        }
    }

    /* Explain never hands out what could be downloaded with. */

    if (c->explain != NULL) {
        return NGX_OK;
    }

    if (ngx_http_fota_offer_token(c, &t, &tc, cert) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_fota_self(rt);

    if (set->n == 0) {
        choice.pick[0] = ngx_http_fota_offer_here(c);
        choice.n = (choice.pick[0] != NULL);
    }

    minted = 0;

    for (i = 0; i < choice.n; i++) {
        node = &choice.pick[i]->node;

        /* Nodes of one group take the same token. */

        if (i == 0 || node->group != t.scope) {
            t.scope = node->group;
            key = fota_view_mint_key(rt->view, t.scope, &t.kid);

            minted = (key != NULL
                      && fota_token_mint(key, &t, &tc, token) == FOTA_OK);

            if (minted) {
                ngx_http_fota_count(rt, TOKEN_MINTED);
            }
        }

        if (!minted) {
            continue;
        }

        url = &c->urls[c->nurls];
        url->node = node->name;
        url->geo = fota_cstr(node->country);

        if (ngx_http_fota_offer_url(c, node->url, token, &url->url) != NGX_OK)
        {
            return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                           "no_memory", NULL, NULL);
        }

        c->nurls++;
    }

    if (c->nurls == 0) {
        ngx_log_error(NGX_LOG_WARN, c->request->connection->log, 0,
                      "fota: an offer of rollout %uD has no address: no "
                      "download key for any node", c->decision.rollout->id);
        ngx_http_fota_capacity(c);
        return NGX_OK;
    }

    /* The name outlives the view: it is logged. */

    name = fota_strdup(&c->mem.mem, c->urls[0].node);

    if (name.data != NULL) {
        c->ctx->node.data = (u_char *) name.data;
        c->ctx->node.len = name.len;
    }

    return NGX_OK;
}


static int
ngx_http_fota_offer_nodes(ngx_http_fota_case_t *c,
    const fota_node_set_t *set, fota_node_choice_t *choice)
{
    uint32_t           i, j;
    fota_node_query_t  q;

    ngx_memzero(&q, sizeof(fota_node_query_t));

    q.location = ngx_http_fota_locate(&c->facts);
    q.tenant = c->tenant->id;
    q.family = c->has_addr ? c->family : FOTA_FAMILY_V4|FOTA_FAMILY_V6;
    q.prefix_group = c->prefix_group;
    q.tenant_conf = c->tenant;
    q.artifact = c->decision.path.artifact->sha256;
    q.device_hash = fota_siphash(0, 0, c->req->device.data,
                                 c->req->device.len);
    q.dispersion = c->decision.rollout->dispersion;
    q.pool = c->hook.pool;
    q.now = c->now;
    q.mintable = ngx_http_fota_mintable;
    q.mintable_ctx = c->rt;

    for (i = 0; i < c->req->navoid; i++) {
        for (j = 0; j < set->n; j++) {
            if (fota_str_eq(set->nodes[j].node.name, c->req->avoid[i])) {
                q.avoid[q.navoid++] = set->nodes[j].node.id;
                break;
            }
        }
    }

    return fota_node_select(&c->mem.mem, set, &c->rt->conf->select, &q,
                            choice, c->explain ? fota_explain_node : NULL,
                            c->explain);
}


static void
ngx_http_fota_capacity(ngx_http_fota_case_t *c)
{
    c->decision.reason = FOTA_R_CAPACITY;
    c->decision.poll = fota_poll_full(c->product, c->req->device);
}


static ngx_int_t
ngx_http_fota_offer_token(ngx_http_fota_case_t *c, fota_token_t *t,
    fota_token_ctx_t *tc, uint8_t cert[32])
{
    size_t                  rate;
    uint64_t                ttl;
    ngx_uint_t              four, six;
    const fota_rollout_t   *rollout;
    const fota_artifact_t  *artifact;

    rollout = c->decision.rollout;
    artifact = c->decision.path.artifact;

    ngx_memzero(t, sizeof(fota_token_t));
    ngx_memzero(tc, sizeof(fota_token_ctx_t));

    t->rate_class = (c->hook.rate_class >= 0) ? (uint8_t) c->hook.rate_class
                                              : rollout->rate_class;
    rate = c->rt->conf->rates[t->rate_class];

    if (rate == 0) {
        rate = FOTA_RATE_MIN;
    }

    ttl = rollout->token_ttl;

    if (ttl == 0) {
        ttl = artifact->size / rate * 4;
        ttl = ngx_max(ttl, FOTA_TTL_MIN);
        ttl = ngx_min(ttl, FOTA_TTL_MAX);
    }

    t->nbf = (uint32_t) c->now;
    t->exp = (uint32_t) ngx_min((uint64_t) c->now + ttl, UINT32_MAX);
    t->tenant = c->tenant->id;
    t->deployment = rollout->id;
    t->flags = (uint8_t) (c->tenant->token_flags | c->conf->bind);

    tc->artifact = artifact->sha256;
    tc->now = t->nbf;

    if (t->flags & FOTA_TOKEN_F_IP) {

        if (!c->has_addr) {
            return ngx_http_fota_case_fail(c, NGX_HTTP_FORBIDDEN,
                                           "no_address", NULL,
                                           "downloads are bound to an "
                                           "address, and yours is unknown");
        }

        four = (c->conf->bind & FOTA_TOKEN_F_IP) ? c->conf->bind4
                                                 : c->tenant->ip4_plen;
        six = (c->conf->bind & FOTA_TOKEN_F_IP) ? c->conf->bind6
                                                : c->tenant->ip6_plen;

        t->ip_plen = (uint8_t) ((c->family == FOTA_FAMILY_V4)
                                ? 96 + (four ? four : 24)
                                : (six ? six : 48));
        tc->addr = c->addr;
    }

    if (t->flags & FOTA_TOKEN_F_CERT) {

        if (ngx_http_fota_cert(c->request, cert) != NGX_OK) {
            return ngx_http_fota_case_fail(c, NGX_HTTP_FORBIDDEN,
                                           "no_certificate", NULL,
                                           "downloads are bound to a client "
                                           "certificate, and you have none");
        }

        tc->cert = cert;
    }

    if (fota_token_device_tag(t->device, t->tenant, c->req->device)
        != FOTA_OK
        || ngx_http_fota_nonce(c->rt, t->nonce) != NGX_OK)
    {
        return ngx_http_fota_case_fail(c, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                       "crypto", NULL, NULL);
    }

    c->ctx->token = *t;

    return NGX_OK;
}


/* Without nodes in policy this edge names itself as it was called. */

static const fota_node_entry_t *
ngx_http_fota_offer_here(ngx_http_fota_case_t *c)
{
    u_char              *p, *text;
    ngx_str_t            host;
    fota_node_entry_t   *here;
    ngx_http_request_t  *r;

    r = c->request;

    if (r->headers_in.host == NULL) {
        return NULL;
    }

    /* With the port, and checked by nginx for bytes that are not a host. */

    host = r->headers_in.host->value;

    here = ngx_pcalloc(r->pool, sizeof(fota_node_entry_t));
    text = ngx_pnalloc(r->pool, sizeof("https://") + host.len);

    if (here == NULL || text == NULL) {
        return NULL;
    }

#if (NGX_SSL)
    if (r->connection->ssl != NULL) {
        p = ngx_sprintf(text, "https://%V", &host);
    } else
#endif
    {
        p = ngx_sprintf(text, "http://%V", &host);
    }

    here->node.url = fota_slice(text, p - text);
    here->node.name = fota_slice(c->rt->conf->node_id.data,
                                 c->rt->conf->node_id.len);
    here->node.group = c->rt->group;

    return here;
}


static ngx_int_t
ngx_http_fota_offer_url(ngx_http_fota_case_t *c, fota_str_t base,
    const char *token, fota_str_t *url)
{
    u_char                 *p, *text;
    size_t                  len, escape;
    const fota_artifact_t  *artifact;

    artifact = c->decision.path.artifact;

    escape = 2 * ngx_escape_uri(NULL, (u_char *) artifact->name.data,
                                artifact->name.len,
                                NGX_ESCAPE_URI_COMPONENT);

    len = base.len + sizeof("/a/") - 1 + NGX_HTTP_FOTA_HASH_TEXT
          + sizeof("/") - 1 + artifact->name.len + escape
          + sizeof("?t=") - 1 + FOTA_TOKEN_TEXT_LEN;

    text = ngx_pnalloc(c->request->pool, len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, base.data, base.len);
    p = ngx_cpymem(p, "/a/", sizeof("/a/") - 1);
    p += fota_base64url_encode((char *) p, artifact->sha256,
                               sizeof(artifact->sha256));

    if (artifact->name.len) {
        *p++ = '/';
        p = (u_char *) ngx_escape_uri(p, (u_char *) artifact->name.data,
                                      artifact->name.len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    p = ngx_cpymem(p, "?t=", sizeof("?t=") - 1);
    p = ngx_cpymem(p, token, FOTA_TOKEN_TEXT_LEN);

    *url = fota_slice(text, p - text);

    return NGX_OK;
}


static ngx_int_t
ngx_http_fota_nonce(ngx_http_fota_rt_t *rt, uint8_t nonce[8])
{
    /* A system call for every offer would cost more than the token. */

    if (rt->nonce_left < 8) {
        if (fota_random(rt->nonces, sizeof(rt->nonces)) != FOTA_OK) {
            return NGX_ERROR;
        }

        rt->nonce_left = sizeof(rt->nonces);
    }

    rt->nonce_left -= 8;
    ngx_memcpy(nonce, &rt->nonces[rt->nonce_left], 8);

    return NGX_OK;
}
