/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What a node is given and what it says of itself. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fota_encode.h"

#include "outbox.h"
#include "secret.h"
#include "sync.h"


/*
 * A load that moved less, or was told less than a minute ago, is not worth
 * an operation on every edge of the world.
 */
#define FOTA_LOAD_STEP     10           /* percent */
#define FOTA_LOAD_FULL     90           /* no headroom from here on */
#define FOTA_LOAD_TELL_S   60

#define FOTA_HEARTBEAT_ERROR_MAX  4096  /* the beginning of it is kept */
#define FOTA_HEARTBEAT_VERSION_MAX 64


typedef struct {
    fota_str_t  epoch;
    fota_str_t  version;
    fota_str_t  error;
    uint64_t    epoch_n;
    uint64_t    seq;
    uint64_t    egress;
    uint64_t    disk_free;
    uint64_t    spool;
    uint64_t    artifacts;
    double      load;           /* percent of the capacity */
} fota_heartbeat_t;


static bool fota_heartbeat_read(fota_req_t *req, fota_heartbeat_t *h);
static int fota_heartbeat_tell(fota_req_t *req, unsigned load, int64_t now);
static int fota_wrap_keys(fota_req_t *req, unsigned group, json_t *list);


static int
fota_wrap_keys(fota_req_t *req, unsigned group, json_t *list)
{
    int           rc;
    char          label[64], text[64];
    uint8_t       key[32];
    unsigned      scope;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT id, wrap_key FROM node_group"
                       " WHERE id IN (0, ?) ORDER BY id", "u",
                       (uint64_t) group);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        scope = (unsigned) fota_db_u64(rows, 0);

        (void) snprintf(label, sizeof(label), "node_group/%u", scope);

        rc = fota_secret_open(req->server, label, fota_db_str(rows, 1), key);
        if (rc != FOTA_OK) {
            fota_log(FOTA_LOG_ERROR, "the wrapping key of node group %u does"
                     " not open: %s", scope, fota_status_name(rc));
            rc = FOTA_ERROR;
            break;
        }

        text[fota_base64_encode(text, key, sizeof(key))] = '\0';
        fota_cleanse(key, sizeof(key));

        if (json_array_append_new(list, json_pack("{s:i, s:i, s:s}",
                                                  "scope", (int) scope,
                                                  "kid", 1, "key", text))
            != 0)
        {
            rc = FOTA_NOMEM;
        }

        fota_cleanse(text, sizeof(text));

        if (rc != FOTA_OK) {
            break;
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_sync_keys(fota_req_t *req)
{
    int        rc;
    json_t    *list;
    uint64_t   group;

    rc = fota_db_number(req->db, &group, "SELECT group_id FROM node"
                        " WHERE id = ?", "u", (uint64_t) req->node_id);
    if (rc != FOTA_OK) {
        return rc;
    }

    list = json_array();
    if (list == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_wrap_keys(req, (unsigned) group, list);

    if (rc != FOTA_OK) {
        json_decref(list);
        return rc;
    }

    fota_res_header(req, "Cache-Control", "no-store");

    return fota_res_json(req, 200, json_pack("{s:o, s:i, s:I}", "wrap", list,
                                             "group", (int) group, "node",
                                             (json_int_t) req->node_id));
}


static bool
fota_heartbeat_read(fota_req_t *req, fota_heartbeat_t *h)
{
    size_t   i;
    uint8_t  raw[8];

    memset(h, 0, sizeof(fota_heartbeat_t));

    if (!fota_json_str(req, "epoch", true, 16, &h->epoch)
        || !fota_json_u64(req, "seq", true, INT64_MAX, &h->seq)
        || !fota_json_u64(req, "egress_bps", false, INT64_MAX, &h->egress)
        || !fota_json_double(req, "load", false, 0, 1e6, &h->load)
        || !fota_json_u64(req, "disk_free", false, INT64_MAX, &h->disk_free)
        || !fota_json_u64(req, "spool_records", false, INT64_MAX, &h->spool)
        || !fota_json_u64(req, "artifacts", false, UINT32_MAX,
                          &h->artifacts)
        || !fota_json_str(req, "version", false, FOTA_HEARTBEAT_VERSION_MAX,
                          &h->version)
        || !fota_json_str(req, "error", false, FOTA_HEARTBEAT_ERROR_MAX,
                          &h->error))
    {
        return false;
    }

    if (h->epoch.len != 16
        || fota_hex_decode(raw, sizeof(raw), h->epoch) != FOTA_OK)
    {
        return fota_res_bad(req, "bad_field", "epoch", "must be 16 hex digits");
    }

    for (i = 0; i < sizeof(raw); i++) {
        h->epoch_n = h->epoch_n << 8 | raw[i];
    }

    h->error = fota_sync_text(h->error);

    /* Columns are not NULL. */

    if (h->version.data == NULL) {
        h->version = fota_cstr("");
    }

    if (h->error.data == NULL) {
        h->error = fota_cstr("");
    }

    return true;
}


/* Does what edges know of this node differ enough? */

static int
fota_heartbeat_tell(fota_req_t *req, unsigned load, int64_t now)
{
    int           rc;
    bool          tell;
    size_t        n;
    uint8_t       key[FOTA_KEY_MAX];
    fota_node_t   node;
    fota_rows_t  *rows;

    n = fota_key_u32(key, req->node_id);

    rc = fota_db_first(req->db, &rows, "SELECT value_bytes FROM policy_state"
                       " WHERE tbl = ? AND key_bytes = ?", "us",
                       (uint64_t) FOTA_T_NODE, fota_slice(key, n));
    tell = true;

    if (rc == FOTA_OK
        && fota_node_decode(&req->arena.mem, fota_db_str(rows, 0), &node)
           == FOTA_OK)
    {
        tell = now / 1000 - (int64_t) node.as_of >= FOTA_LOAD_TELL_S
               || load >= (unsigned) node.load + FOTA_LOAD_STEP
               || load + FOTA_LOAD_STEP <= (unsigned) node.load
               || (load >= FOTA_LOAD_FULL) != (node.load >= FOTA_LOAD_FULL);
    }

    fota_db_rows_end(rows);

    if ((rc != FOTA_OK && rc != FOTA_NOTFOUND) || !tell) {
        return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    return fota_outbox_put(req->db, FOTA_T_NODE, 0, req->node_id);
}


int
fota_sync_heartbeat(fota_req_t *req)
{
    int               rc;
    int64_t           now;
    unsigned          load;
    fota_heartbeat_t  h;

    if (!fota_heartbeat_read(req, &h)) {
        return FOTA_OK;
    }

    now = fota_now_ms();
    load = (h.load > 255) ? 255 : (unsigned) (h.load + 0.5);

    rc = fota_db_begin(req->db);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO node_status (node_id, epoch,"
                          " seq, load_pct, egress_bps, disk_free,"
                          " spool_records, artifacts, version, error, seen)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                          " ON DUPLICATE KEY UPDATE epoch = VALUES(epoch),"
                          " seq = VALUES(seq), load_pct = VALUES(load_pct),"
                          " egress_bps = VALUES(egress_bps),"
                          " disk_free = VALUES(disk_free),"
                          " spool_records = VALUES(spool_records),"
                          " artifacts = VALUES(artifacts),"
                          " version = VALUES(version),"
                          " error = IF(nack_seq <> 0 AND VALUES(error) = '',"
                          " error, VALUES(error)), seen = VALUES(seen)",
                          "uuuuuuuussi", (uint64_t) req->node_id, h.epoch_n,
                          h.seq, (uint64_t) load, h.egress, h.disk_free,
                          h.spool, h.artifacts, h.version, h.error, now);
    }

    if (rc == FOTA_OK) {
        rc = fota_heartbeat_tell(req, load, now);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(req->db);

    } else {
        fota_db_rollback(req->db);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_outbox_wake();
    fota_res_header(req, "Cache-Control", "no-store");

    return fota_res_json(req, 200, json_pack("{s:I}", "now_ms",
                                             (json_int_t) now));
}


int
fota_sync_artifact(fota_req_t *req)
{
    int         rc;
    bool        there;
    char        path[4096], text[128];
    uint8_t     sha256[32];
    fota_str_t  hex;

    there = false;
    hex = fota_req_param(req, "sha256");

    rc = fota_hex_decode(sha256, sizeof(sha256), hex);

    if (rc == FOTA_OK) {
        rc = fota_db_exists(req->db, &there, "SELECT 1 FROM artifact"
                            " WHERE sha256 = ? LIMIT 1", "s",
                            fota_slice(sha256, sizeof(sha256)));
        if (rc != FOTA_OK) {
            return rc;
        }

        fota_object_path(req->server, sha256, path);
    }

    if (rc != FOTA_OK || !there || access(path, R_OK) != 0) {
        return fota_res_problem(req, 404, "no_artifact", "sha256",
                                "there is no such artifact");
    }

    /* Strong: the bytes of a name never change. */

    (void) snprintf(text, sizeof(text), "\"sha256-%.*s\"", (int) hex.len,
                    (const char *) hex.data);
    fota_res_header(req, "ETag", text);
    fota_res_header(req, "Cache-Control", "no-store");

    fota_hex_encode(text, sha256, sizeof(sha256));
    text[64] = '\0';
    (void) snprintf(path, sizeof(path), "/_objects/%s", text);

    return fota_res_accel(req, path, "application/octet-stream");
}
