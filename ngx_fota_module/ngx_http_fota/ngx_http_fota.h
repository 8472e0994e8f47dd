/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Types shared by the files of the module; one file per concern. */

#ifndef NGX_HTTP_FOTA_H
#define NGX_HTTP_FOTA_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "fota_answer.h"
#include "fota_encode.h"
#include "fota_hash.h"
#include "fota_request.h"
#include "fota_script.h"
#include "fota_spool.h"
#include "fota_view.h"

#include "ngx_http_fota_zone.h"


#define NGX_HTTP_FOTA_HASH_TEXT    43   /* base64url of a SHA-256 */
#define NGX_HTTP_FOTA_REFRESH      250  /* ms between looks at policy */
#define NGX_HTTP_FOTA_SCRATCH      (128 * 1024)
#define NGX_HTTP_FOTA_RETRY_AFTER  5    /* s, when policy is away */
#define NGX_HTTP_FOTA_CUT_OFF      90   /* s of lag: the centre is away */

#define NGX_HTTP_FOTA_TOKEN_OFF       0
#define NGX_HTTP_FOTA_TOKEN_OPTIONAL  1
#define NGX_HTTP_FOTA_TOKEN_REQUIRED  2

/* Set beside the methods when any was named: bitmask slots use it so. */
#define NGX_HTTP_FOTA_AUTH_ALL                                               \
    (FOTA_AUTH_GATEWAY|FOTA_AUTH_DEVICE|FOTA_AUTH_MTLS)

typedef struct ngx_http_fota_rt_s     ngx_http_fota_rt_t;
typedef struct ngx_http_fota_spool_s  ngx_http_fota_spool_t;
typedef struct ngx_http_fota_ctx_s    ngx_http_fota_ctx_t;
typedef struct ngx_http_fota_settle_s ngx_http_fota_settle_t;

/* What is configured for one http block. */

typedef struct {
    ngx_str_t               db;
    size_t                  map_size;

    ngx_str_t               spool;
    size_t                  spool_size;
    ngx_msec_t              spool_commit;
    ngx_flag_t              spool_memory;       /* ack before the disk */
    ngx_thread_pool_t      *thread_pool;

    ngx_str_t               geo_file;
    ngx_str_t               geo_file6;
    ngx_str_t               geo_asn;
    time_t                  geo_reload;         /* s, 0 = never */
    ngx_uint_t              geo_layout;

    ngx_str_t               node_id;
    fota_select_conf_t      select;
    size_t                  rates[256];         /* bytes/s, 0 = unlimited */
    u_char                  rate_set[256];

    ngx_str_t               lua_name;
    ngx_str_t               lua_source;
    ngx_uint_t              lua_trusted;
    ngx_uint_t              lua_fail_closed;
    uint32_t                lua_instructions;
    size_t                  lua_memory;

    time_t                  max_stale;

    ngx_str_t               zone_name;
    size_t                  zone_size;
    ngx_shm_zone_t         *zone;

    unsigned                select_set:1;
    unsigned                lua_limits_set:1;

    ngx_uint_t              used;               /* any handler needs us */
    ngx_http_fota_rt_t     *rt;                 /* of this process */
} ngx_http_fota_main_conf_t;

typedef struct {
    ngx_http_handler_pt  handler;               /* ours, if one is on */
    ngx_flag_t           check;
    ngx_flag_t           report;
    ngx_flag_t           explain;
    ngx_flag_t           download;
    ngx_flag_t           digest;
    ngx_flag_t           status;
    ngx_flag_t           metrics;
    ngx_flag_t           health;
    ngx_flag_t           ready;
    ngx_flag_t           seen;
    time_t               seen_interval;
    ngx_uint_t           token;
    ngx_uint_t           bind;                  /* FOTA_TOKEN_F_* */
    ngx_uint_t           bind4;
    ngx_uint_t           bind6;
    ngx_uint_t           auth;                  /* FOTA_AUTH_* */
    ngx_int_t            max_ranges;
} ngx_http_fota_loc_conf_t;

/* What one worker holds. */

struct ngx_http_fota_rt_s {
    ngx_http_fota_main_conf_t  *conf;
    ngx_log_t                  *log;
    ngx_http_fota_shm_t        *shm;
    ngx_uint_t                  slot;           /* ours in shm->workers */
    ngx_uint_t                  configuration;  /* 1, + 1 per reload */

    fota_view_t                *view;
    fota_geo_t                 *geo;
    struct stat                 geo_stat[3];
    time_t                      geo_checked;
    fota_script_t              *script;
    time_t                      script_logged;

    ngx_http_fota_spool_t      *spool;

    ngx_event_t                 timer;
    ngx_queue_t                 transfers;
    ngx_queue_t                 settling;
    ngx_http_fota_settle_t    **settling_by;    /* connection's index */
    ngx_event_t                 settle_timer;

    /* This node, looked up again when policy changes. */
    uint64_t                    generation;
    uint32_t                    node;
    uint16_t                    group;
    uint32_t                    cap_mbps;

    size_t                      nonce_left;
    uint8_t                     nonces[1024];
    u_char                      scratch[NGX_HTTP_FOTA_SCRATCH];
};

typedef struct {
    fota_mem_t   mem;                           /* first */
    ngx_pool_t  *pool;
} ngx_http_fota_mem_t;

/* One request; also what the variables show. */

struct ngx_http_fota_ctx_s {
    ngx_http_request_t   *request;

    fota_str_t            tenant;
    fota_str_t            product;
    fota_str_t            device;
    ngx_str_t             node;
    const char           *decision;             /* "update", "none" */
    const char           *reason;
    const char           *geo_src;
    const char           *token_error;
    char                  geo_cc[4];
    uint32_t              deployment;
    uint64_t              policy_seq;
    uint64_t              report_seq;
    ngx_uint_t            lua_us;
    uint32_t              lag;

    uint8_t               sha256[32];
    const u_char         *hash_text;            /* of sha256, not ended */
    uint64_t              artifact_size;        /* of its record */
    uint64_t              artifact_published;
    off_t                 range_first;
    off_t                 range_last;
    off_t                 delivered;
    off_t                 sent;
    fota_token_t          token;

    unsigned              has_policy:1;
    unsigned              has_report:1;
    unsigned              has_hash:1;
    unsigned              asked_artifact:1;     /* policy was looked at */
    unsigned              has_artifact:1;
    unsigned              has_token:1;          /* verified */
    unsigned              has_range:1;
    unsigned              has_lua:1;
    unsigned              transfer:1;           /* on rt->transfers */
    unsigned              served:1;             /* by fota_download */
    unsigned              answered:1;           /* our own answer */
    unsigned              cut:1;
    unsigned              last:1;               /* of its connection */

    /* A running transfer. */
    ngx_queue_t           queue;
    ngx_int_t             rollout_slot;         /* in shm, -1 = none */
    off_t                 counted;              /* into the rates so far */
};

extern ngx_module_t  ngx_http_fota_module;
extern ngx_module_t  ngx_http_fota_filter_module;

/* conf */
void *ngx_http_fota_create_main_conf(ngx_conf_t *cf);
char *ngx_http_fota_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_fota_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_fota_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/* directives */
char *ngx_http_fota_set_db(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_geoip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_select(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fota_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_lua(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_lua_limits(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_fota_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_seen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_fota_set_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* policy */
ngx_int_t ngx_http_fota_init_worker(ngx_cycle_t *cycle);
void ngx_http_fota_exit_worker(ngx_cycle_t *cycle);
ngx_http_fota_rt_t *ngx_http_fota_rt(ngx_http_request_t *r);
/* FOTA_OK: read until ngx_http_fota_end(); else answer with _no_policy(). */
int ngx_http_fota_begin(ngx_http_fota_rt_t *rt, ngx_http_fota_ctx_t *ctx);
ngx_int_t ngx_http_fota_no_policy(ngx_http_request_t *r, int st);
void ngx_http_fota_end(ngx_http_fota_rt_t *rt);
uint32_t ngx_http_fota_lag(const fota_meta_t *meta);
void ngx_http_fota_self(ngx_http_fota_rt_t *rt);

/* request */
ngx_http_fota_ctx_t *ngx_http_fota_get_ctx(ngx_http_request_t *r);
ngx_http_fota_ctx_t *ngx_http_fota_make_ctx(ngx_http_request_t *r);
void ngx_http_fota_mem_init(ngx_http_fota_mem_t *m, ngx_pool_t *pool);
ngx_int_t ngx_http_fota_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len);
/* Address of the peer, v4-mapped; NGX_DECLINED when it has none. */
ngx_int_t ngx_http_fota_addr(ngx_http_request_t *r, uint8_t addr[16],
    uint8_t *family);
/* NGX_OK, or an answer to return from a content handler. */
ngx_int_t ngx_http_fota_get_only(ngx_http_request_t *r);
/* NGX_DONE, or an answer to return from a content handler. */
ngx_int_t ngx_http_fota_read_body(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);
/* NGX_DONE: it answers and ends the request later. */
typedef ngx_int_t (*ngx_http_fota_body_pt)(ngx_http_request_t *r,
    fota_str_t body);
/* For a handler of the body: answers with it and ends the request. */
void ngx_http_fota_with_body(ngx_http_request_t *r,
    ngx_http_fota_body_pt answer);
/* SHA-256 of the client's certificate; NGX_DECLINED when there is none. */
ngx_int_t ngx_http_fota_cert(ngx_http_request_t *r, uint8_t sha256[32]);
/* Credential of "Authorization: scheme credential"; data NULL if absent. */
fota_str_t ngx_http_fota_authorization(ngx_http_request_t *r,
    const char *scheme);

/* answers */
ngx_int_t ngx_http_fota_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const u_char *data, size_t len);
ngx_int_t ngx_http_fota_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *field, const char *detail);
ngx_int_t ngx_http_fota_problem_retry(ngx_http_request_t *r,
    ngx_uint_t status, const char *code, const char *detail,
    ngx_uint_t retry);
/* 405; methods are those that are allowed, as the header Allow has them. */
ngx_int_t ngx_http_fota_not_allowed(ngx_http_request_t *r,
    const char *methods);

/* variables */
ngx_int_t ngx_http_fota_add_variables(ngx_conf_t *cf);

/* handlers */
ngx_int_t ngx_http_fota_check_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_report_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_explain_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_health_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_ready_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_download_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_hide_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_token_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_fota_log_handler(ngx_http_request_t *r);

/* download */
/* Hash named by the URI; NGX_DECLINED when it names none. */
ngx_int_t ngx_http_fota_uri_hash(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx);
/* Asks policy for the record of ctx->sha256; between begin and end. */
void ngx_http_fota_ask_artifact(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx);
/* Asks unless that was done: NGX_OK with ctx->artifact_*, NGX_DECLINED. */
ngx_int_t ngx_http_fota_artifact(ngx_http_fota_rt_t *rt,
    ngx_http_fota_ctx_t *ctx);
ngx_int_t ngx_http_fota_digest_headers(ngx_http_request_t *r,
    const uint8_t sha256[32]);

/* account */
void ngx_http_fota_transfer_begin(ngx_http_request_t *r,
    ngx_http_fota_ctx_t *ctx, ngx_http_fota_rt_t *rt);
void ngx_http_fota_transfer_end(ngx_http_fota_ctx_t *ctx);
void ngx_http_fota_transfers_tick(ngx_http_fota_rt_t *rt);

/* settle */

/* What the kernel knows of a connection. */
typedef struct {
    uint64_t    acked;          /* bytes, by the peer */
    uint64_t    end;            /* of those that nginx wrote */
    ngx_uint_t  closed;
} ngx_http_fota_tcp_t;

/* A request that ended; sent and delivered are bytes of its body. */
typedef struct {
    ngx_uint_t  class;
    off_t       sent;
    off_t       delivered;      /* when it is counted */
    off_t       first;
    off_t       last;
    uint32_t    tenant;
    uint32_t    deployment;
    uint8_t     tag[8];
    uint8_t     sha256[32];
    unsigned    note:1;         /* the centre is told */
    unsigned    final:1;        /* the connection is about to be closed */
    unsigned    stream:1;       /* shares it with others, HTTP/2 */
} ngx_http_fota_done_t;

/* NGX_DECLINED where there is no TCP. */
ngx_int_t ngx_http_fota_tcp(int fd, ngx_http_fota_tcp_t *tcp);
ngx_int_t ngx_http_fota_settle_init(ngx_http_fota_rt_t *rt);
void ngx_http_fota_settle_exit(ngx_http_fota_rt_t *rt);
/* Counts it now, or when the peer has all of it.  c: the TCP connection. */
void ngx_http_fota_settle(ngx_http_fota_rt_t *rt, ngx_connection_t *c,
    ngx_http_fota_done_t *done);
/* Looks at what waits on a connection, if anything does. */
void ngx_http_fota_settle_peek(ngx_http_fota_rt_t *rt, ngx_connection_t *c);
/* Looks at all that wait; last: the worker ends. */
void ngx_http_fota_settle_all(ngx_http_fota_rt_t *rt, ngx_uint_t last);

/* Range and bytes sent of a request, into ctx. */
void ngx_http_fota_sent(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx);
/* And what of it is delivered by now. */
void ngx_http_fota_measure(ngx_http_request_t *r, ngx_http_fota_ctx_t *ctx);

/* zone */
ngx_int_t ngx_http_fota_zone_add(ngx_conf_t *cf,
    ngx_http_fota_main_conf_t *mcf);
void ngx_http_fota_zone_attach(ngx_http_fota_rt_t *rt);
void ngx_http_fota_zone_detach(ngx_http_fota_rt_t *rt);
void ngx_http_fota_zone_tick(ngx_http_fota_rt_t *rt);
ngx_int_t ngx_http_fota_zone_rollout(ngx_http_fota_shm_t *shm, uint32_t id,
    ngx_uint_t make);
/* Downloads that run in all workers. */
ngx_uint_t ngx_http_fota_zone_transfers(ngx_http_fota_shm_t *shm);
void ngx_http_fota_zone_load(ngx_http_fota_rt_t *rt, uint32_t rollout,
    fota_rollout_load_t *out);
/* Counts a terminal report once, as far as is remembered. */
void ngx_http_fota_zone_terminal(ngx_http_fota_rt_t *rt, uint32_t rollout,
    const uint8_t id[16], ngx_uint_t ok);
/* NGX_OK: first use.  NGX_DECLINED: used before.  NGX_BUSY: no room. */
ngx_int_t ngx_http_fota_zone_once(ngx_http_fota_rt_t *rt,
    const fota_token_t *t, time_t now);

/* geo */
ngx_int_t ngx_http_fota_geo_open(ngx_http_fota_main_conf_t *mcf,
    fota_geo_t **geo, const char **reason);
void ngx_http_fota_geo_init(ngx_http_fota_rt_t *rt);
void ngx_http_fota_geo_tick(ngx_http_fota_rt_t *rt);

/* spool */
ngx_int_t ngx_http_fota_spool_init(ngx_http_fota_rt_t *rt);
void ngx_http_fota_spool_exit(ngx_http_fota_rt_t *rt);
void ngx_http_fota_spool_tick(ngx_http_fota_rt_t *rt);

typedef struct ngx_http_fota_entry_s  ngx_http_fota_entry_t;

/* A report that waits for the disk; lives in its request's pool. */

struct ngx_http_fota_entry_s {
    ngx_queue_t             queue;
    fota_str_t              payload;
    uint8_t                 id[16];
    uint64_t                recv_ms;
    uint64_t                key;        /* of device and rollout */
    uint64_t                seq;        /* given when written */
    unsigned                terminal:1;
    unsigned                queued:1;
    ngx_http_fota_entry_t  *by;         /* replaced by a later one */
    void                  (*done)(ngx_http_fota_entry_t *e, ngx_int_t rc);
};

/* How full: percent, 100 while writing fails. */
ngx_uint_t ngx_http_fota_spool_level(ngx_http_fota_rt_t *rt);
/* NGX_OK: done is called later.  NGX_ERROR: no memory or overloaded. */
ngx_int_t ngx_http_fota_spool_add(ngx_http_fota_rt_t *rt,
    ngx_http_fota_entry_t *e);
void ngx_http_fota_spool_remove(ngx_http_fota_rt_t *rt,
    ngx_http_fota_entry_t *e);
/*
 * Not waited for and not synced; dropped with NGX_ERROR when there is no
 * room.  id: 16 bytes of a report that is acknowledged before the disk, or
 * NULL.
 */
ngx_int_t ngx_http_fota_spool_note(ngx_http_fota_rt_t *rt,
    const uint8_t *id, fota_str_t payload);

#endif /* NGX_HTTP_FOTA_H */
