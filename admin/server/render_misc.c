/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The small records: keys, revocations, prefixes, artifacts. */

#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>

#include "fota_json.h"

#include "render.h"
#include "secret.h"
#include "sql_list.h"


#define FOTA_PREFIX_NODES  64           /* JSON values of a location */
#define FOTA_PREFETCH_S    86400        /* ahead of a rollout's start */


static int fota_wrap_key(fota_render_t *r, uint32_t scope, uint8_t key[32]);
static int fota_render_key_old(fota_render_t *r, fota_str_t key,
    const fota_key_t *v, const uint8_t wrap[32], const uint8_t secret[32],
    uint8_t sealed[FOTA_SECRET_SEALED]);
static void fota_prefix_text(const uint8_t addr[16], uint8_t plen,
    char *out, size_t size);
static int fota_prefix_location(fota_render_t *r, fota_str_t json,
    fota_location_t *loc);


static int
fota_wrap_key(fota_render_t *r, uint32_t scope, uint8_t key[32])
{
    int           rc;
    char          label[64];
    fota_rows_t  *rows;

    rc = fota_db_first(r->db, &rows,
                       "SELECT wrap_key FROM node_group WHERE id = ?", "u",
                       (uint64_t) scope);

    if (rc == FOTA_OK) {
        (void) snprintf(label, sizeof(label), "node_group/%u",
                        (unsigned) scope);
        rc = fota_secret_open(r->server, label, fota_db_str(rows, 0), key);

        if (rc != FOTA_OK) {
            (void) snprintf(r->error, sizeof(r->error), "the wrapping key of"
                            " node group %u does not open",
                            (unsigned) scope);
        }

    } else if (rc == FOTA_NOTFOUND) {
        (void) snprintf(r->error, sizeof(r->error),
                        "there is no node group %u", (unsigned) scope);
        rc = FOTA_INVALID;
    }

    fota_db_rows_end(rows);

    return rc;
}


/*
 * Sealing takes a new nonce each time; what was published and still says the
 * same is kept, or every look at a key would be an operation.
 */

static int
fota_render_key_old(fota_render_t *r, fota_str_t key, const fota_key_t *v,
    const uint8_t wrap[32], const uint8_t secret[32],
    uint8_t sealed[FOTA_SECRET_SEALED])
{
    int           rc;
    bool          same;
    uint8_t       plain[32];
    fota_key_t    old;
    fota_rows_t  *rows;

    rc = fota_db_first(r->db, &rows, "SELECT value_bytes FROM policy_state"
                       " WHERE tbl = ? AND key_bytes = ?", "us",
                       (uint64_t) FOTA_T_KEY, key);
    same = false;

    if (rc == FOTA_OK
        && fota_key_decode(fota_db_str(rows, 0), &old) == FOTA_OK
        && old.wrapped && old.wrap_scope == v->wrap_scope
        && fota_open(wrap, key, old.secret, plain) == FOTA_OK)
    {
        same = fota_crypto_eq(plain, secret, sizeof(plain));
        memcpy(sealed, old.secret.data, old.secret.len);
        fota_cleanse(plain, sizeof(plain));
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    return same ? FOTA_OK : FOTA_NOTFOUND;
}


int
fota_render_key(fota_render_t *r, fota_str_t key, fota_buf_t *out)
{
    int             rc;
    uint8_t         wrap[32], secret[32], sealed[FOTA_SECRET_SEALED];
    unsigned        kind;
    uint16_t        kid;
    uint32_t        scope;
    fota_key_t      v;
    const uint8_t  *p;
    fota_rows_t    *rows;

    if (key.len != 7) {
        return FOTA_INVALID;
    }

    p = key.data;
    kind = p[0];
    scope = (uint32_t) p[1] << 24 | (uint32_t) p[2] << 16
            | (uint32_t) p[3] << 8 | p[4];
    kid = (uint16_t) (p[5] << 8 | p[6]);

    memset(&v, 0, sizeof(fota_key_t));

    rc = fota_db_first(r->db, &rows, "SELECT state, created FROM secret_key"
                       " WHERE kind = ? AND scope = ? AND kid = ?", "uuu",
                       (uint64_t) kind, (uint64_t) scope, (uint64_t) kid);

    if (rc == FOTA_OK) {
        v.state = (uint8_t) fota_db_u64(rows, 0);
        v.created = (uint32_t) (fota_db_i64(rows, 1) / 1000);
    }

    fota_db_rows_end(rows);

    /* Signing keys of the feed never leave the centre. */

    if (rc != FOTA_OK || kind == FOTA_SECRET_SYNC) {
        return (rc == FOTA_OK) ? FOTA_NOTFOUND : rc;
    }

    rc = fota_secret_load(r->server, r->db, kind, scope, kid, NULL, secret,
                          NULL);
    if (rc != FOTA_OK) {
        (void) snprintf(r->error, sizeof(r->error),
                        "the secret of key %u/%u/%u does not open", kind,
                        (unsigned) scope, (unsigned) kid);
        return rc;
    }

    v.wrapped = 1;
    v.wrap_scope = (kind == FOTA_KEY_DOWNLOAD) ? scope : 0;
    v.secret = fota_slice(sealed, sizeof(sealed));

    rc = fota_wrap_key(r, v.wrap_scope, wrap);

    if (rc == FOTA_OK) {
        rc = fota_render_key_old(r, key, &v, wrap, secret, sealed);

        if (rc == FOTA_NOTFOUND) {
            rc = fota_seal(wrap, key, fota_slice(secret, sizeof(secret)),
                           sealed);
        }
    }

    fota_cleanse(wrap, sizeof(wrap));
    fota_cleanse(secret, sizeof(secret));

    return (rc == FOTA_OK) ? fota_key_encode(&v, out) : rc;
}


int
fota_render_deny(fota_render_t *r, fota_str_t key, fota_buf_t *out)
{
    int           rc;
    fota_deny_t   v;
    fota_rows_t  *rows;

    if (key.len != 9) {
        return FOTA_INVALID;
    }

    memset(&v, 0, sizeof(fota_deny_t));

    rc = fota_db_first(r->db, &rows, "SELECT not_before_s, cut FROM deny"
                       " WHERE kind = ? AND id = ?", "us",
                       (uint64_t) key.data[0], fota_slice(key.data + 1, 8));

    if (rc == FOTA_OK) {
        v.not_before = (uint32_t) fota_db_u64(rows, 0);
        v.cut = fota_db_u64(rows, 1) != 0;
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_OK) ? fota_deny_encode(&v, out) : rc;
}


static void
fota_prefix_text(const uint8_t addr[16], uint8_t plen, char *out,
    size_t size)
{
    char  text[INET6_ADDRSTRLEN];

    static const uint8_t  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    if (plen >= 96 && memcmp(addr, mapped, sizeof(mapped)) == 0) {
        (void) inet_ntop(AF_INET, addr + 12, text, sizeof(text));
        plen -= 96;

    } else {
        (void) inet_ntop(AF_INET6, addr, text, sizeof(text));
    }

    (void) snprintf(out, size, "%s/%u", text, plen);
}


static int
fota_prefix_location(fota_render_t *r, fota_str_t json, fota_location_t *loc)
{
    int                 rc;
    size_t              i;
    int64_t             n;
    fota_json_t        *root;
    const fota_json_t  *v;
    fota_json_error_t   err;

    const struct {
        const char  *name;
        char        *out;
        size_t       size;
    } texts[] = {
        { "country", loc->country, sizeof(loc->country) },
        { "continent", loc->continent, sizeof(loc->continent) },
        { "region_code", loc->region_code, sizeof(loc->region_code) },
        { "region", loc->region, sizeof(loc->region) },
        { "city", loc->city, sizeof(loc->city) },
        { "tz", loc->tz, sizeof(loc->tz) },
    };

    const struct {
        const char  *name;
        uint32_t    *out;
    } numbers[] = {
        { "region_id", &loc->region_id },
        { "city_id", &loc->city_id },
        { "asn", &loc->asn },
    };

    rc = fota_json_parse(r->mem, json, FOTA_PREFIX_NODES, &root, &err);
    if (rc != FOTA_OK || root->type != FOTA_JSON_OBJECT) {
        return FOTA_INVALID;
    }

    loc->source = FOTA_GEO_PREFIX;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        v = fota_json_get(root, texts[i].name);

        if (v != NULL && v->type == FOTA_JSON_STRING
            && v->str.len < texts[i].size)
        {
            memcpy(texts[i].out, v->str.data, v->str.len);
        }
    }

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        v = fota_json_get(root, numbers[i].name);

        if (v != NULL && fota_json_int(v, &n) == FOTA_OK && n > 0
            && n <= UINT32_MAX)
        {
            *numbers[i].out = (uint32_t) n;
        }
    }

    if (loc->continent[0] == '\0') {
        (void) snprintf(loc->continent, sizeof(loc->continent), "%s",
                        fota_geo_continent(loc->country));
    }

    v = fota_json_get(root, "lat");

    if (v != NULL && v->type == FOTA_JSON_NUMBER) {
        loc->lat = strtod((char *) fota_strdup(r->mem, v->str).data, NULL);
        v = fota_json_get(root, "lon");

        if (v != NULL && v->type == FOTA_JSON_NUMBER) {
            loc->lon = strtod((char *) fota_strdup(r->mem, v->str).data,
                              NULL);
            loc->has_position = 1;
        }
    }

    return FOTA_OK;
}


int
fota_render_geoprefix(fota_render_t *r, fota_str_t key, fota_buf_t *out)
{
    int               rc;
    char              text[INET6_ADDRSTRLEN + 8];
    fota_str_t        json;
    fota_rows_t      *rows;
    fota_geoprefix_t  v;

    if (key.len != 17) {
        return FOTA_INVALID;
    }

    memset(&v, 0, sizeof(fota_geoprefix_t));
    memset(&json, 0, sizeof(fota_str_t));

    fota_prefix_text(key.data, key.data[16], text, sizeof(text));

    rc = fota_db_first(r->db, &rows, "SELECT location, node_group"
                       " FROM geoprefix WHERE prefix = ?", "z", text);

    if (rc == FOTA_OK) {
        json = fota_sql_dup(r->mem, rows, 0);
        v.node_group = (uint32_t) fota_db_u64(rows, 1);
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK) {
        return rc;
    }

    if (json.len != 0) {
        rc = fota_prefix_location(r, json, &v.location);

        if (rc != FOTA_OK) {
            (void) snprintf(r->error, sizeof(r->error),
                            "the location of prefix %s is no JSON object",
                            text);
            return rc;
        }

        v.has_location = 1;
    }

    return fota_geoprefix_encode(&v, out);
}


/* The same bytes may be an artifact of several products. */

int
fota_render_artifact(fota_render_t *r, const uint8_t sha256[32],
    fota_buf_t *out)
{
    int                    rc;
    fota_rows_t           *rows;
    fota_artifact_info_t   v;

    memset(&v, 0, sizeof(fota_artifact_info_t));

    rc = fota_db_query(r->db, &rows, "SELECT a.tenant_id, a.size,"
                       " a.published, a.name, EXISTS (SELECT 1 FROM rollout o"
                       " LEFT JOIN firmware t ON t.id = o.target_id"
                       " WHERE o.tenant_id = a.tenant_id"
                       " AND o.product_id = a.product_id"
                       " AND o.kind = f.kind AND o.brake = 0"
                       " AND o.state IN ('ready', 'running', 'paused')"
                       " AND o.start_s < ? AND (o.end_s = 0 OR o.end_s > ?)"
                       " AND (o.strategy <> 'full' OR a.from_id = 0)"
                       " AND (o.target_id IN (0, a.firmware_id)"
                       " OR f.must_pass = 1"
                       " OR (o.strategy IN ('sequential', 'auto')"
                       " AND f.version_key <= t.version_key)))"
                       " FROM artifact a JOIN firmware f"
                       " ON f.tenant_id = a.tenant_id"
                       " AND f.id = a.firmware_id"
                       " WHERE a.sha256 = ? AND a.sig IS NOT NULL"
                       " ORDER BY a.id", "iis", r->now + FOTA_PREFETCH_S,
                       r->now, fota_slice(sha256, 32));
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        if (v.name.data == NULL) {
            v.tenant = (uint32_t) fota_db_u64(rows, 0);
            v.size = fota_db_u64(rows, 1);
            v.published = (uint64_t) (fota_db_i64(rows, 2) / 1000);
            v.name = fota_sql_dup(r->mem, rows, 3);
        }

        v.prefetch |= fota_db_u64(rows, 4) != 0;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    if (v.name.data == NULL) {
        return FOTA_NOTFOUND;
    }

    return fota_artifact_info_encode(&v, out);
}
