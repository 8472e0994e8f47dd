/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * An edge worker's view of policy: the store plus decoded records kept until
 * the policy generation changes.  Single-threaded.  Nothing it returns may
 * be used after fota_view_end: products and tenants stay valid until the next
 * fota_view_begin, device records live in the request's memory.
 */

#ifndef FOTA_VIEW_H
#define FOTA_VIEW_H

#include "fota_store.h"
#include "fota_node.h"
#include "fota_policy.h"
#include "fota_token.h"

typedef struct fota_view_s  fota_view_t;

typedef void (*fota_view_log_pt)(void *ctx, fota_status_e st,
    const char *text);

/*
 * path: the policy directory (with the link "current").  Never fails for a
 * missing or broken database: the view is then empty and begin says why.
 */
fota_view_t *fota_view_create(const char *path, uint64_t map_size,
    fota_view_log_pt log, void *log_ctx);

void fota_view_destroy(fota_view_t *v);

/*
 * Looks whether "current" points elsewhere or the file was replaced, and
 * opens what is there now.  Called by a timer, never by a request.
 */
void fota_view_refresh(fota_view_t *v);

/*
 * Renews the read transaction and drops decoded records of an older
 * generation.  FOTA_NOTFOUND (no database), FOTA_TOO_NEW, FOTA_CORRUPT,
 * FOTA_IO: answer 503.
 */
int fota_view_begin(fota_view_t *v);
void fota_view_end(fota_view_t *v);

/* Position as of the last begin; NULL before the first. */
const fota_meta_t *fota_view_meta(const fota_view_t *v);

/* Changes whenever something other than a device or an artifact may have. */
uint64_t fota_view_generation(const fota_view_t *v);

/* The open store, for statistics; NULL when there is none. */
fota_store_t *fota_view_store(const fota_view_t *v);

/* Between begin and end.  FOTA_NOTFOUND, FOTA_TOO_NEW, FOTA_CORRUPT... */
int fota_view_tenant(fota_view_t *v, fota_str_t name,
    const fota_tenant_t **out);
int fota_view_product(fota_view_t *v, uint32_t tenant, fota_str_t name,
    const fota_product_t **out);
/* mem: the request's; *out NULL-safe: FOTA_NOTFOUND leaves it zeroed. */
int fota_view_device(fota_view_t *v, fota_mem_t *mem, uint32_t tenant,
    fota_str_t id, fota_device_t *out);
const fota_node_set_t *fota_view_nodes(fota_view_t *v);
const fota_zone_t *fota_view_zone(fota_view_t *v, fota_str_t name);
/* Prefix table: FOTA_NOTFOUND when no prefix holds addr. */
int fota_view_prefix(fota_view_t *v, const uint8_t addr[16],
    const fota_geoprefix_t **out);
int fota_view_artifact(fota_view_t *v, const uint8_t sha256[32],
    fota_artifact_info_t *out);

/* Keyed contexts, made once per generation.  Owned by the view. */
fota_hmac_t *fota_view_download_key(fota_view_t *v, uint16_t scope,
    uint16_t kid);
/* The current key of a scope, to mint with; kid in *kid.  NULL: none. */
fota_hmac_t *fota_view_mint_key(fota_view_t *v, uint16_t scope,
    uint16_t *kid);
/* Calls with every key of a tenant until one fits. */
int fota_view_device_token(fota_view_t *v, uint32_t tenant,
    fota_str_t device, fota_str_t token);
bool fota_view_operator(fota_view_t *v, const uint8_t token_sha256[32]);

/* Facts of the keys held, without the secrets; each may be called 0 times. */
int fota_view_keys(fota_view_t *v, void (*each)(void *ctx, uint8_t kind,
    uint32_t scope, uint16_t kid, uint8_t state, uint32_t created), void *ctx);

/*
 * A token whose form, MAC and scope were found good, and what policy says of
 * its artifact.
 */
typedef struct {
    fota_token_t  token;
    bool          has_record;
    uint64_t      size;         /* of the record, bytes */
    uint64_t      published;    /* of the record, Unix seconds */
} fota_view_known_t;

/*
 * Was this text verified for this artifact, in this state of policy?  NULL
 * if not.  Time and denial are still to be asked.
 */
const fota_view_known_t *fota_view_token_known(fota_view_t *v,
    fota_str_t text, const uint8_t artifact[32]);
/* Remembers it, unless it is bound to the request or good once. */
void fota_view_token_keep(fota_view_t *v, fota_str_t text,
    const uint8_t artifact[32], const fota_view_known_t *known);

/* FOTA_OK or FOTA_REVOKED. */
int fota_view_denied(fota_view_t *v, const fota_token_t *t);
/* Has a running transfer of this token to be cut? */
bool fota_view_cut(fota_view_t *v, const fota_token_t *t);

#endif /* FOTA_VIEW_H */
