/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The audit log: who changed what, and is it whole. */


#include "entity.h"


#define FOTA_AUDIT_COLUMNS                                                    \
    "a.id, a.ts, t.name, a.actor, a.address, a.request_id, a.action,"         \
    " a.object, a.before_json, a.after_json"

#define FOTA_AUDIT_PAGE  500            /* rows with large cells */


static json_t *
fota_audit_text_json(fota_rows_t *rows, unsigned col)
{
    json_t      *v;
    fota_str_t   s;

    s = fota_db_str(rows, col);

    v = s.len > 0 ? json_loadb((const char *) s.data, s.len,
                               JSON_DECODE_ANY, NULL) : NULL;

    return v != NULL ? v : json_null();
}


static json_t *
fota_audit_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 0));
    json_object_set_new(v, "time_ms", fota_cell_int(rows, 1));
    json_object_set_new(v, "tenant", fota_cell(rows, 2));
    json_object_set_new(v, "actor", fota_cell(rows, 3));
    json_object_set_new(v, "address", fota_cell(rows, 4));
    json_object_set_new(v, "request_id", fota_cell(rows, 5));
    json_object_set_new(v, "action", fota_cell(rows, 6));
    json_object_set_new(v, "object", fota_cell(rows, 7));
    json_object_set_new(v, "before", fota_audit_text_json(rows, 8));
    json_object_set_new(v, "after", fota_audit_text_json(rows, 9));

    return v;
}


static int
fota_audit_list(fota_req_t *req)
{
    int           rc;
    fota_str_t    object;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_number(req, &page, INT64_MAX)) {
        return FOTA_OK;
    }

    if (page.limit > FOTA_AUDIT_PAGE) {
        page.limit = FOTA_AUDIT_PAGE;
    }

    if (!fota_req_query_str(req, "object", 288, &object)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_AUDIT_COLUMNS
             " FROM audit_log a LEFT JOIN tenant t ON t.id = a.tenant_id"
             " WHERE a.id < ? AND (? = 0 OR a.tenant_id = ?)"
             " AND (? = '' OR a.object = ?) ORDER BY a.id DESC LIMIT ?",
             "uuussu", page.after_id, fota_u64(req->tenant_id),
             fota_u64(req->tenant_id), object, object, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_audit_json);
}


static int
fota_audit_verify(fota_req_t *req)
{
    int           rc;
    size_t        i;
    uint8_t       chain[32];
    uint64_t      n, bad, id;
    fota_str_t    fields[7], s;
    fota_rows_t  *rows;

    memset(chain, 0, sizeof(chain));
    n = 0;
    bad = 0;

    rc = fota_db_begin_snapshot(req->db);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_stream(req->db, &rows, "SELECT id, tenant_id, ts, actor,"
             " address, request_id, action, object, before_json, after_json,"
             " chain FROM audit_log ORDER BY id", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        n++;
        id = fota_db_u64(rows, 0);

        for (i = 0; i < 7; i++) {
            fields[i] = fota_db_str(rows, (unsigned) (3 + i));
        }

        rc = fota_audit_chain(chain, (uint32_t) fota_db_u64(rows, 1),
                              fota_db_i64(rows, 2), fields, 7);
        if (rc != FOTA_OK) {
            break;
        }

        s = fota_db_str(rows, 10);

        if (s.len != 32 || memcmp(s.data, chain, 32) != 0) {
            if (bad == 0) {
                bad = id;
            }

            /* From here on as it stands, to count the rest. */

            if (s.len == 32) {
                memcpy(chain, s.data, 32);
            }
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        fota_db_rollback(req->db);
        return rc;
    }

    /* Rows cut off the end show in the head. */

    rc = fota_db_first(req->db, &rows, "SELECT chain, last_id FROM audit_head"
                       " WHERE id = 1", "");

    if (rc == FOTA_OK) {
        s = fota_db_str(rows, 0);

        if (bad == 0 && (s.len != 32 || memcmp(s.data, chain, 32) != 0)) {
            bad = fota_db_u64(rows, 1) > 0 ? fota_db_u64(rows, 1) : 1;
        }

        fota_db_rows_end(rows);
    }

    fota_db_rollback(req->db);

    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_res_json(req, 200, json_pack("{s:b, s:I, s:o}", "ok",
                                             bad == 0, "rows",
                                             (json_int_t) n, "first_bad",
                                             bad == 0 ? json_null()
                                             : json_integer((json_int_t)
                                                            bad)));
}


static const fota_route_t  fota_audit_table[] = {
    { "GET", "/api/v1/audit", "audit:read", fota_audit_list, NULL, 0,
      FOTA_ROUTE_ANY },
    { "GET", "/api/v1/audit/verify", "audit:read", fota_audit_verify, NULL,
      0, FOTA_ROUTE_PLATFORM }
};

FOTA_ROUTE_SET(audit, fota_audit_table);
