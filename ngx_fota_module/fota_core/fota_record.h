/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Policy records: what LMDB holds and the change log carries.
 *
 * Every value is  u8 table | u8 version | payload, little-endian, strings
 * u16-prefixed.  Decoders check every length and count, refuse trailing
 * bytes (FOTA_CORRUPT) and unknown versions (FOTA_TOO_NEW).  Decoded slices
 * point into the input; arrays are taken from mem.  Keys are big-endian so
 * that they sort.
 */

#ifndef FOTA_RECORD_H
#define FOTA_RECORD_H

#include "fota_filter.h"
#include "fota_window.h"

typedef enum {
    FOTA_T_META = 0,            /* written by the agent alone */
    FOTA_T_TENANT,
    FOTA_T_PRODUCT,
    FOTA_T_DEVICE,
    FOTA_T_NODE,
    FOTA_T_KEY,
    FOTA_T_DENY,
    FOTA_T_GEOPREFIX,
    FOTA_T_ZONE,
    FOTA_T_ARTIFACT,
    FOTA_T__N
} fota_table_e;

const char *fota_table_name(fota_table_e t);

#define FOTA_KEY_MAX    264             /* bytes of a key */
#define FOTA_VALUE_MAX  524288          /* bytes of a record */

/*
 * Keys; out holds FOTA_KEY_MAX bytes, the length is returned, 0 when the
 * name is empty or above its limit.
 */

size_t fota_key_name(uint8_t *out, fota_str_t name);    /* tenant, zone */
size_t fota_key_product(uint8_t *out, uint32_t tenant, fota_str_t name);
size_t fota_key_device(uint8_t *out, uint32_t tenant, fota_str_t device);
size_t fota_key_u32(uint8_t *out, uint32_t id);         /* node */
size_t fota_key_key(uint8_t *out, uint8_t kind, uint32_t scope, uint16_t kid);
size_t fota_key_deny(uint8_t *out, uint8_t kind, const uint8_t id[8]);
size_t fota_key_prefix(uint8_t *out, const uint8_t addr[16], uint8_t plen);

/* TENANT, key: name.  The name "*" is the whole installation. */

typedef enum {
    FOTA_AUTH_OPEN = 0x01,      /* lab only */
    FOTA_AUTH_GATEWAY = 0x02,   /* one token for the tenant's gateways */
    FOTA_AUTH_DEVICE = 0x04,    /* derived or own device token */
    FOTA_AUTH_MTLS = 0x08
} fota_auth_e;

typedef enum {
    FOTA_BRAKE_NONE = 0,
    FOTA_BRAKE_OFFERS,          /* no new offers */
    FOTA_BRAKE_CUT              /* and running transfers are cut */
} fota_brake_e;

#define FOTA_ISSUERS_MAX  16
#define FOTA_DEFAULTS_MAX 256

typedef struct {
    char      country[4];       /* country, or continent like "-AS", or "*" */
    uint32_t  node;
} fota_default_node_t;

typedef struct {
    uint32_t              id;
    uint8_t               auth;         /* bits of fota_auth_e */
    uint8_t               brake;        /* fota_brake_e */
    uint8_t               token_flags;  /* FOTA_TOKEN_F_* to bind */
    uint8_t               ip4_plen;     /* for IP-bound tokens: 24 */
    uint8_t               ip6_plen;     /* 48 */
    uint8_t               ngateway;
    uint8_t               gateway[4][32];       /* SHA-256 of gateway tokens */
    uint16_t              nissuers;
    fota_str_t           *issuers;      /* RFC 2253 DN of device CAs */
    uint16_t              ndefaults;
    fota_default_node_t  *defaults;     /* when a location is unknown */
    uint8_t               signer[32];   /* Ed25519 public key of artifacts */
} fota_tenant_t;

/* PRODUCT, key: tenant u32 | name. */

typedef enum {
    FOTA_KIND_OS = 0, FOTA_KIND_APP, FOTA_KIND_DATA, FOTA_KIND__N
} fota_kind_e;

const char *fota_kind_name(uint8_t kind);
int fota_kind_parse(fota_str_t s);              /* -1 = unknown */

#define FOTA_FIRMWARE_MAX   1024        /* per product */
#define FOTA_ARTIFACTS_MAX  4096
#define FOTA_ROLLOUTS_MAX   256
#define FOTA_SCOPES_MAX     256         /* geo entries of a list */
#define FOTA_SCOPE_LEN_MAX  256         /* bytes of one */
#define FOTA_SOURCES_MAX    64
#define FOTA_NONE           0xffff      /* no index */

typedef struct {
    uint32_t    id;
    uint8_t     kind;
    unsigned    must_pass:1;
    unsigned    withdrawn:1;    /* never a target, still a source */
    fota_str_t  version;
} fota_firmware_t;              /* ascending: kind, then release order */

typedef struct {
    uint32_t    id;
    uint8_t     sha256[32];
    uint64_t    size;           /* bytes */
    uint16_t    from;           /* index of firmware, FOTA_NONE = full */
    uint16_t    to;
    uint16_t    kid;            /* signer key id, informative */
    uint8_t     sig[64];
    fota_str_t  format;
    fota_str_t  name;           /* file name in the URL */
    fota_str_t  requires;       /* filter code over the device's facts */
} fota_artifact_t;

typedef enum {
    FOTA_ROLLOUT_READY = 0,     /* not started */
    FOTA_ROLLOUT_RUNNING,
    FOTA_ROLLOUT_PAUSED,
    FOTA_ROLLOUT_STOPPED,
    FOTA_ROLLOUT_FINISHED,
    FOTA_ROLLOUT__N
} fota_rollout_state_e;

typedef enum {
    FOTA_PATH_FULL = 0, FOTA_PATH_DELTA, FOTA_PATH_SEQUENTIAL, FOTA_PATH_AUTO,
    FOTA_PATH__N
} fota_strategy_e;

typedef enum {
    FOTA_TIME_DEVICE = 0,       /* reported, else location's, else zone */
    FOTA_TIME_ZONE              /* always the named zone */
} fota_time_mode_e;

typedef struct {
    uint32_t        id;
    uint8_t         state;
    uint8_t         brake;
    uint8_t         kind;
    uint8_t         strategy;
    uint8_t         time_mode;
    uint8_t         rate_class;
    unsigned        allow_downgrade:1;
    unsigned        geo_unknown_allow:1;
    unsigned        require_fresh:1;
    unsigned        test_only:1;        /* the test stage is running */
    int32_t         weight;             /* higher first */
    uint64_t        created;            /* Unix s; older first */
    uint64_t        salt;
    uint16_t        target;             /* firmware index, FOTA_NONE=latest */
    uint16_t        reached;            /* 0..10000, of the stage hash */
    uint16_t        max_attempts;       /* 0 = any */
    uint16_t        dispersion;         /* nodes a hot artifact is spread to */
    uint32_t        token_ttl;          /* s; 0 = from size and class */
    int64_t         start;              /* Unix s; 0 = at once */
    int64_t         end;                /* Unix s; 0 = never */
    uint32_t        test_group;         /* group id, 0 = test devices only */
    uint32_t        max_active;         /* downloads on this edge, 0 = any */
    uint64_t        max_bps;            /* bytes/s on this edge, 0 = any */
    uint16_t        error_permille;     /* edge trips by itself; 0 = never */
    uint32_t        error_min;          /* reports before it may trip */
    fota_str_t      name;
    fota_str_t      zone;               /* named zone, may be empty */
    fota_str_t      filter;             /* code */
    uint16_t        ninclude;
    fota_str_t     *include;            /* geo scope entries */
    uint16_t        nexclude;
    fota_str_t     *exclude;
    uint16_t        nwindows;
    fota_window_t  *windows;
    uint16_t        nsources;
    fota_str_t     *sources;            /* version patterns; none = any */
} fota_rollout_t;               /* in order of decision */

/*
 * What decode works out once so that a decision need not: firmware by
 * version for look-ups, artifacts by (from, to, size) for paths, the tests
 * that filters of rollouts share.
 */

typedef struct {
    uint64_t  size;
    uint16_t  from;             /* FOTA_NONE = full; these come last */
    uint16_t  to;
    uint16_t  artifact;         /* index */
} fota_edge_t;

typedef struct {
    uint16_t      start[FOTA_KIND__N + 1];      /* firmware of kind k */
    uint16_t      latest[FOTA_KIND__N];         /* FOTA_NONE = none */
    uint16_t     *by_version;   /* per kind, ascending bytes of version */
    fota_edge_t  *edges;        /* nartifacts */
    fota_mem_t   *mem;          /* of the product, for what is made later */
    fota_str_t   *answers;      /* nartifacts; kept by fota_answer_check() */
    fota_filter_shared_t  *filters;             /* nrollouts */
    size_t        nmemo;        /* for fota_filter_eval_shared() */
} fota_product_index_t;

typedef struct {
    uint32_t          tenant;
    uint32_t          id;
    uint8_t           brake;
    uint32_t          poll;             /* s between checks */
    uint32_t          retry_min;        /* s, device back-off */
    uint32_t          retry_max;
    uint16_t          retry_count;
    fota_str_t        name;
    fota_str_t        install_window;   /* text for the device, may be "" */
    uint16_t          nfirmware;
    fota_firmware_t  *firmware;
    uint16_t          nartifacts;
    fota_artifact_t  *artifacts;
    uint16_t          nrollouts;
    fota_rollout_t   *rollouts;
    fota_product_index_t  index;        /* by fota_product_index() */
} fota_product_t;

/*
 * Fills v->index; decode has done it, a product made otherwise needs it
 * before paths and decisions.  FOTA_OK, FOTA_NOMEM, FOTA_INVALID (indices out
 * of range, kinds out of order).
 */
int fota_product_index(fota_mem_t *mem, fota_product_t *v);

/* DEVICE, key: tenant u32 | device id.  Only devices that differ. */

#define FOTA_DEVICE_GROUPS_MAX    256
#define FOTA_DEVICE_ATTEMPTS_MAX  16

typedef struct {
    uint32_t  rollout;
    uint16_t  attempts;         /* failed so far */
    uint8_t   delta_failed;     /* give the full package next */
} fota_attempt_t;

typedef struct {
    unsigned         blocked:1;
    unsigned         test:1;
    unsigned         has_token:1;
    uint8_t          token[32];         /* SHA-256 of its own token */
    fota_str_t       pin;               /* version, empty = none */
    uint16_t         ngroups;
    uint32_t        *groups;            /* ascending */
    uint16_t         nattrs;
    fota_attr_t     *attrs;
    uint16_t         nattempts;
    fota_attempt_t  *attempts;
} fota_device_t;

/* NODE, key: id u32. */

typedef enum {
    FOTA_NODE_UP = 0, FOTA_NODE_DRAIN, FOTA_NODE_DOWN
} fota_node_state_e;

#define FOTA_NODES_MAX       4096
#define FOTA_NODE_LIST_MAX   64

#define FOTA_FAMILY_V4  1
#define FOTA_FAMILY_V6  2

typedef enum {
    FOTA_SCOPE_ANY = 0,
    FOTA_SCOPE_CONTINENT,       /* only clients of its continent */
    FOTA_SCOPE_COUNTRY,
    FOTA_SCOPE_ASN,
    FOTA_SCOPE_PREFIX           /* only through the prefix table */
} fota_node_scope_e;

typedef struct {
    uint32_t     id;
    uint16_t     group;                 /* token scope */
    uint8_t      state;
    uint8_t      families;              /* FOTA_FAMILY_* */
    uint8_t      scope;
    uint8_t      load;                  /* egress / cap, percent, 10 s EWMA */
    uint8_t      health;                /* percent */
    uint32_t     weight;                /* 100 = normal */
    uint32_t     cap_mbps;
    uint64_t     as_of;                 /* Unix s of load and health */
    double       lat, lon;
    char         country[4];
    char         continent[4];
    fota_str_t   name;
    fota_str_t   site;                  /* failure domain */
    fota_str_t   url;                   /* "https://host[:port]" */
    uint16_t     nasns;
    uint32_t    *asns;
    uint16_t     ntenants;
    uint32_t    *tenants;               /* none = all */
    uint16_t     nexcluded;
    fota_str_t  *excluded;              /* countries */
} fota_node_t;

/* KEY, key: kind u8 | scope u32 | kid u16. */

typedef enum {
    FOTA_KEY_DOWNLOAD = 1,      /* root for FT1; scope = node group */
    FOTA_KEY_DEVICE = 2,        /* derives device tokens; scope = tenant */
    FOTA_KEY_OPERATOR = 3       /* SHA-256 of an operator token; scope 0 */
} fota_key_kind_e;

typedef enum {
    FOTA_KEY_NEXT = 0, FOTA_KEY_CURRENT, FOTA_KEY_PREVIOUS
} fota_key_state_e;

/*
 * In the change log the secret is sealed (fota_seal) with the wrapping key of
 * wrap_scope, aad = the record's key bytes; the agent opens it and stores it
 * open with wrapped = 0.  A record whose wrapping key the edge was not given
 * is kept sealed and never used.
 */
typedef struct {
    uint8_t     state;
    uint8_t     wrapped;
    uint32_t    wrap_scope;             /* 0 = every edge */
    uint32_t    created;
    fota_str_t  secret;                 /* 32 bytes, 60 when wrapped */
} fota_key_t;

/* DENY, key: kind u8 | id[8]: revoke tokens issued before a moment. */

typedef enum {
    FOTA_DENY_DEPLOYMENT = 1,           /* id: u64 BE of the rollout */
    FOTA_DENY_TENANT = 2,               /* id: u64 BE of the tenant */
    FOTA_DENY_DEVICE = 3                /* id: the device tag */
} fota_deny_kind_e;

typedef struct {
    uint32_t  not_before;               /* refuse nbf < this */
    uint8_t   cut;                      /* cut running transfers too */
} fota_deny_t;

/* GEOPREFIX, key: address[16] | plen u8. */

typedef struct {
    fota_location_t  location;          /* used when has_location */
    unsigned         has_location:1;
    uint32_t         node_group;        /* its nodes first; 0 = none */
} fota_geoprefix_t;

/* ARTIFACT, key: SHA-256. */

typedef struct {
    uint32_t    tenant;
    uint64_t    size;                   /* bytes */
    uint64_t    published;              /* Unix s; Last-Modified everywhere */
    uint8_t     prefetch;               /* 1 = an active rollout needs it */
    fota_str_t  name;
} fota_artifact_info_t;

/*
 * Encoders append one record: FOTA_OK, FOTA_LIMIT (a list, string or the
 * record too long), FOTA_INVALID (what a decoder would refuse), FOTA_FULL.
 */

int fota_tenant_encode(const fota_tenant_t *v, fota_buf_t *out);
int fota_product_encode(const fota_product_t *v, fota_buf_t *out);
int fota_device_encode(const fota_device_t *v, fota_buf_t *out);
int fota_node_encode(const fota_node_t *v, fota_buf_t *out);
int fota_key_encode(const fota_key_t *v, fota_buf_t *out);
int fota_deny_encode(const fota_deny_t *v, fota_buf_t *out);
int fota_geoprefix_encode(const fota_geoprefix_t *v, fota_buf_t *out);
int fota_artifact_info_encode(const fota_artifact_info_t *v, fota_buf_t *out);

int fota_tenant_decode(fota_mem_t *mem, fota_str_t in, fota_tenant_t *v);
int fota_product_decode(fota_mem_t *mem, fota_str_t in, fota_product_t *v);
int fota_device_decode(fota_mem_t *mem, fota_str_t in, fota_device_t *v);
int fota_node_decode(fota_mem_t *mem, fota_str_t in, fota_node_t *v);
int fota_key_decode(fota_str_t in, fota_key_t *v);
int fota_deny_decode(fota_str_t in, fota_deny_t *v);
int fota_geoprefix_decode(fota_str_t in, fota_geoprefix_t *v);
int fota_artifact_info_decode(fota_str_t in, fota_artifact_info_t *v);

/*
 * Would a decoder of this build take it?  For the agent, before it applies an
 * op.  FOTA_OK, FOTA_CORRUPT, FOTA_TOO_NEW, ...
 */
int fota_record_check(fota_mem_t *mem, fota_table_e table, fota_str_t key,
    fota_str_t value);

#endif /* FOTA_RECORD_H */
