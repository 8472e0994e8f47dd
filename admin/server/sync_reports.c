/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>
#include <time.h>

#include "fota_crypto.h"

#include "ingest.h"
#include "outbox.h"
#include "server.h"
#include "sync.h"


#define FOTA_IDEM_MAX      160
#define FOTA_INGEST_TRIES  8


static int fota_reports_before(fota_req_t *req, fota_str_t key);
static int fota_reports_answer(const fota_ingest_t *in, json_t **out);
static int fota_reports_once(fota_req_t *req, fota_str_t key,
    fota_arena_t *arena);
static void fota_reports_pause(unsigned try);


/* The answer that this key got before: FOTA_NOTFOUND when it got none. */

static int
fota_reports_before(fota_req_t *req, fota_str_t key)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_first(req->db, &rows, "SELECT answer FROM ingest_batch"
                       " WHERE node_id = ? AND idem_key = ?", "us",
                       (uint64_t) req->node_id, key);

    if (rc == FOTA_OK) {
        rc = fota_res_bytes(req, 200, "application/json",
                            fota_db_str(rows, 0));
    }

    fota_db_rows_end(rows);

    return rc;
}


static int
fota_reports_answer(const fota_ingest_t *in, json_t **out)
{
    size_t                       i;
    json_t                      *list;
    const fota_ingest_record_t  *r;

    list = json_array();

    for (i = 0; list != NULL && i < in->n; i++) {
        r = &in->records[i];

        if (r->refused != NULL
            && json_array_append_new(list,
                   json_pack("{s:I, s:s, s:s}", "seq", (json_int_t) r->seq,
                             "code", r->refused, "detail", r->detail))
               != 0)
        {
            json_decref(list);
            return FOTA_NOMEM;
        }
    }

    *out = json_pack("{s:I, s:I, s:o}", "accepted",
                     (json_int_t) in->accepted, "duplicate",
                     (json_int_t) in->duplicate, "refused", list);

    return (*out == NULL) ? FOTA_NOMEM : FOTA_OK;
}


static int
fota_reports_once(fota_req_t *req, fota_str_t key, fota_arena_t *arena)
{
    int            rc;
    char          *text;
    json_t        *answer;
    fota_ingest_t  in;

    memset(&in, 0, sizeof(fota_ingest_t));

    in.db = req->db;
    in.mem = &arena->mem;
    in.node = req->node_id;
    in.now = fota_now_ms();

    rc = fota_ingest_parse(&in, req->body);

    if (rc == FOTA_INVALID) {
        return fota_res_problem(req, 400, "bad_records", NULL, "%s",
                                in.error);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_begin(req->db);

    if (rc == FOTA_OK) {
        rc = fota_ingest_run(&in);
    }

    answer = NULL;
    text = NULL;

    if (rc == FOTA_OK) {
        rc = fota_reports_answer(&in, &answer);
    }

    if (rc == FOTA_OK) {
        text = json_dumps(answer, JSON_COMPACT);
        rc = (text == NULL) ? FOTA_NOMEM
             : fota_db_exec(req->db, "INSERT INTO ingest_batch (node_id,"
                            " idem_key, answer, created)"
                            " VALUES (?, ?, ?, ?)", "uszi",
                            (uint64_t) req->node_id, key, text, in.now);
        free(text);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(req->db);

    } else {
        fota_db_rollback(req->db);
    }

    if (rc == FOTA_OK) {
        fota_outbox_wake();
        return fota_res_json(req, 200, answer);
    }

    json_decref(answer);

    return rc;
}


static void
fota_reports_pause(unsigned try)
{
    uint8_t          r;
    struct timespec  ts;

    (void) fota_random(&r, 1);

    ts.tv_sec = 0;
    ts.tv_nsec = ((long) r + 1) * (1L << try) * 40000;

    (void) nanosleep(&ts, NULL);
}


int
fota_sync_reports(fota_req_t *req)
{
    int            rc;
    unsigned       try;
    fota_str_t     key;
    fota_arena_t   arena;

    key = fota_req_header(req, "Idempotency-Key");

    if (key.len == 0 || key.len > FOTA_IDEM_MAX) {
        return fota_res_problem(req, 400, "bad_field", "Idempotency-Key",
                                "must be 1 to %d bytes", FOTA_IDEM_MAX);
    }

    fota_res_header(req, "Cache-Control", "no-store");

    for (try = 0; ; try++) {

        rc = fota_reports_before(req, key);
        if (rc != FOTA_NOTFOUND) {
            return rc;
        }

        fota_arena_init(&arena, 0);

        rc = fota_reports_once(req, key, &arena);

        fota_arena_free(&arena);

        /*
         * Deadlocks and duplicate keys mean that another batch with the same
         * devices, or this very one, was faster: look again.
         */

        if ((rc != FOTA_BUSY && rc != FOTA_EXISTS)
            || try + 1 == FOTA_INGEST_TRIES)
        {
            break;
        }

        fota_reports_pause(try);
    }

    return (rc == FOTA_EXISTS) ? FOTA_BUSY : rc;
}
