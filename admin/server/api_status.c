/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Is the centre well, and how far are the edges? */


#include <stdio.h>

#include "routes.h"
#include "server.h"


#define FOTA_STATUS_SEEN_MS  60000      /* an agent says something every 10 s */


static int
fota_status_health(fota_req_t *req)
{
    fota_db_t  *db;

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        return FOTA_IO;
    }

    fota_db_put(req->server->db, db);

    return fota_res_json(req, 200, json_pack("{s:s}", "status", "ok"));
}


static int
fota_status_nodes(fota_req_t *req, uint64_t head, json_t *list)
{
    int           rc;
    json_t       *node;
    int64_t       now, seen;
    uint64_t      acked;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows,
             "SELECT n.name, n.state, s.acked, s.seen, s.error, s.nack_seq"
             " FROM node n LEFT JOIN node_status s ON s.node_id = n.id"
             " ORDER BY n.name LIMIT 4096", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    now = fota_now_ms();

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        acked = fota_db_u64(rows, 2);
        seen = fota_db_i64(rows, 3);

        node = json_object();
        json_object_set_new(node, "name",
                            fota_json_text(fota_db_str(rows, 0)));
        json_object_set_new(node, "state",
                            fota_json_text(fota_db_str(rows, 1)));
        json_object_set_new(node, "seq", json_integer((json_int_t) acked));
        json_object_set_new(node, "behind", json_integer(
            head > acked ? (json_int_t) (head - acked) : 0));
        json_object_set_new(node, "seen_ms", json_integer(seen));
        json_object_set_new(node, "connected",
                            json_boolean(now - seen < FOTA_STATUS_SEEN_MS));
        json_object_set_new(node, "error",
                            fota_json_text(fota_db_str(rows, 4)));
        json_object_set_new(node, "nack_seq", json_integer(
            (json_int_t) fota_db_u64(rows, 5)));
        json_array_append_new(list, node);
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_status_get(fota_req_t *req)
{
    int           rc;
    char          epoch[17];
    json_t       *answer, *nodes;
    uint64_t      e, seq, floor, pending;
    fota_rows_t  *rows;

    e = seq = floor = pending = 0;

    rc = fota_db_first(req->db, &rows,
             "SELECT f.epoch, f.seq, f.floor, (SELECT COUNT(*) FROM outbox)"
             " FROM feed f WHERE f.id = 1", "");

    if (rc == FOTA_OK) {
        e = fota_db_u64(rows, 0);
        seq = fota_db_u64(rows, 1);
        floor = fota_db_u64(rows, 2);
        pending = fota_db_u64(rows, 3);
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    snprintf(epoch, sizeof(epoch), "%016llx", (unsigned long long) e);

    nodes = json_array();

    if (req->platform) {
        rc = fota_status_nodes(req, seq, nodes);
        if (rc != FOTA_OK) {
            json_decref(nodes);
            return rc;
        }
    }

    answer = json_object();
    json_object_set_new(answer, "database", json_string("ok"));
    json_object_set_new(answer, "started_ms",
                        json_integer(req->server->started));
    json_object_set_new(answer, "now_ms", json_integer(fota_now_ms()));
    json_object_set_new(answer, "epoch", json_string(epoch));
    json_object_set_new(answer, "head", json_integer((json_int_t) seq));
    json_object_set_new(answer, "floor", json_integer((json_int_t) floor));
    json_object_set_new(answer, "pending",
                        json_integer((json_int_t) pending));
    json_object_set_new(answer, "nodes", nodes);

    return fota_res_json(req, 200, answer);
}


static int
fota_status_whoami(fota_req_t *req)
{
    json_t  *answer;

    answer = json_object();
    json_object_set_new(answer, "token_id", json_integer(req->token_id));
    json_object_set_new(answer, "name", fota_json_text(req->actor));
    json_object_set_new(answer, "platform", json_boolean(req->platform));
    json_object_set_new(answer, "tenant", req->tenant_id != 0
                        ? fota_json_text(req->tenant_name) : json_null());

    return fota_res_json(req, 200, answer);
}


static const fota_route_t  fota_status_table[] = {
    { "GET", "/healthz", NULL, fota_status_health, NULL, 0,
      FOTA_ROUTE_PUBLIC | FOTA_ROUTE_NO_DB },
    { "GET", "/api/v1/status", "status:read", fota_status_get, NULL, 0,
      FOTA_ROUTE_ANY },
    { "GET", "/api/v1/whoami", NULL, fota_status_whoami, NULL, 0,
      FOTA_ROUTE_ANY | FOTA_ROUTE_NO_DB }
};

FOTA_ROUTE_SET(status, fota_status_table);
