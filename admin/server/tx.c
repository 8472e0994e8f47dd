/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fota_crypto.h"
#include "http_private.h"
#include "outbox.h"
#include "tx.h"


#define FOTA_TX_TRIES   6
#define FOTA_AUDIT_MAX  (1024 * 1024)   /* bytes of before or after */


typedef struct {
    uint32_t     tenant;
    int64_t      ts;
    fota_str_t   actor;
    fota_str_t   address;
    fota_str_t   request_id;
    fota_str_t   action;
    fota_str_t   object;
    char        *before;
    char        *after;
} fota_audit_row_t;


static int fota_audit_put(fota_db_t *db, fota_audit_row_t *row,
    json_t *before, json_t *after);


int
fota_tx(fota_req_t *req, fota_tx_pt fn, void *data)
{
    int              rc;
    uint8_t          r;
    unsigned         i;
    struct timespec  ts;

    for (i = 0; ; i++) {
        rc = fota_db_begin(req->db);
        if (rc != FOTA_OK) {
            return rc;
        }

        rc = fn(req, data);

        if (rc == FOTA_OK) {
            rc = fota_db_commit(req->db);
        }

        if (rc == FOTA_OK) {
            fota_outbox_wake();
            return FOTA_OK;
        }

        fota_db_rollback(req->db);

        if (rc != FOTA_BUSY || i + 1 == FOTA_TX_TRIES) {
            break;
        }

        /* Losers of a deadlock meet again unless they wait differently. */

        fota_res_clear(req);
        (void) fota_random(&r, 1);
        ts.tv_sec = 0;
        ts.tv_nsec = ((long) r + 1) * (1L << i) * 40000;
        nanosleep(&ts, NULL);
    }

    /* A refusal stands; a success that was not committed does not. */

    if (fota_res_set(req) && fota_http_of(req)->status >= 400) {
        return FOTA_OK;
    }

    fota_res_clear(req);

    return rc;
}


int
fota_audit(fota_req_t *req, uint32_t tenant, const char *action,
    fota_str_t object, json_t *before, json_t *after)
{
    char              actor[160];
    fota_audit_row_t  row;

    snprintf(actor, sizeof(actor), "token/%u/%.*s", req->token_id,
             (int) req->actor.len, req->actor.data);

    memset(&row, 0, sizeof(row));
    row.tenant = tenant;
    row.actor = fota_cstr(actor);
    row.address = req->address;
    row.request_id = fota_cstr(req->request_id);
    row.action = fota_cstr(action);
    row.object = object;

    return fota_audit_put(req->db, &row, before, after);
}


int
fota_changed(fota_req_t *req, int rc, uint32_t tenant, const char *action,
    fota_str_t object, json_t *before, json_t *after)
{
    if (rc != FOTA_OK) {
        json_decref(before);
        json_decref(after);
        return rc;
    }

    if (after == NULL) {
        (void) fota_res_empty(req, 204);
    } else {
        (void) fota_res_json(req, before == NULL ? 201 : 200,
                             json_incref(after));
    }

    return fota_audit(req, tenant, action, object, before, after);
}


int
fota_audit_system(fota_db_t *db, uint32_t tenant, const char *actor,
    const char *action, fota_str_t object, json_t *before, json_t *after)
{
    fota_audit_row_t  row;

    memset(&row, 0, sizeof(row));
    row.tenant = tenant;
    row.actor = fota_cstr(actor);
    row.request_id = fota_cstr("00000000000000000000000000000000");
    row.action = fota_cstr(action);
    row.object = object;

    return fota_audit_put(db, &row, before, after);
}


/*
 * chain = SHA-256(chain before | fields, each with its length), so that a
 * row cannot be changed or removed without all later ones showing it.
 */

int
fota_audit_chain(uint8_t chain[32], uint32_t tenant, int64_t ts,
    const fota_str_t *fields, size_t n)
{
    int         rc;
    size_t      i;
    fota_buf_t  b;

    fota_buf_grow(&b, 4 * FOTA_AUDIT_MAX);
    fota_buf_put(&b, chain, 32);
    fota_buf_u32(&b, tenant);
    fota_buf_u64(&b, (uint64_t) ts);

    for (i = 0; i < n; i++) {
        fota_buf_u32(&b, (uint32_t) fields[i].len);
        fota_buf_str(&b, fields[i]);
    }

    rc = b.status != FOTA_OK ? (int) b.status
                             : fota_sha256(chain, b.start, b.len);
    fota_buf_free(&b);

    return rc;
}


static char *
fota_audit_text(json_t *json)
{
    char    *text, *cut;
    size_t   len;

    if (json == NULL) {
        return NULL;
    }

    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);

    if (text == NULL) {
        return NULL;
    }

    len = strlen(text);

    if (len > FOTA_AUDIT_MAX) {
        cut = strdup("\"too large to be kept\"");
        free(text);
        text = cut;
    }

    return text;
}


static int
fota_audit_put(fota_db_t *db, fota_audit_row_t *row, json_t *before,
    json_t *after)
{
    int           rc;
    uint8_t       chain[32];
    fota_str_t    fields[7], s;
    fota_rows_t  *rows;

    row->before = fota_audit_text(before);
    row->after = fota_audit_text(after);
    row->ts = fota_now_ms();

    rc = fota_db_first(db, &rows, "SELECT chain FROM audit_head WHERE id = 1"
                       " FOR UPDATE", "");

    if (rc == FOTA_OK) {
        s = fota_db_str(rows, 0);
        if (s.len == 32) {
            memcpy(chain, s.data, 32);
        } else {
            rc = FOTA_CORRUPT;
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK) {
        goto done;
    }

    fields[0] = row->actor;
    fields[1] = row->address;
    fields[2] = row->request_id;
    fields[3] = row->action;
    fields[4] = row->object;
    fields[5] = fota_cstr(row->before);
    fields[6] = fota_cstr(row->after);

    rc = fota_audit_chain(chain, row->tenant, row->ts, fields, 7);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db,
                 "INSERT INTO audit_log (tenant_id, ts, actor, address,"
                 " request_id, action, object, before_json, after_json, chain)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "uissssszzs",
                 (uint64_t) row->tenant, row->ts, row->actor, row->address,
                 row->request_id, row->action, row->object, row->before,
                 row->after, fota_slice(chain, 32));
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "UPDATE audit_head SET chain = ?, last_id = ?"
                          " WHERE id = 1", "su", fota_slice(chain, 32),
                          fota_db_last_id(db));
    }

done:

    free(row->before);
    free(row->after);

    return rc;
}


fota_str_t
fota_object(fota_req_t *req, const char *kind, fota_str_t name)
{
    size_t   len;
    uint8_t  *p;

    len = strlen(kind);

    p = fota_alloc(&req->arena.mem, len + 1 + name.len + 1);
    if (p == NULL) {
        return fota_cstr(kind);
    }

    memcpy(p, kind, len);
    p[len] = '/';

    if (name.len > 0) {
        memcpy(p + len + 1, name.data, name.len);
    }

    p[len + 1 + name.len] = '\0';

    return fota_slice(p, len + 1 + name.len);
}
