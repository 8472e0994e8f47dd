/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Resumable uploads.  While bytes arrive no database connection is held;
 * the durable position is written at every checkpoint and at the end.
 */


#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "entity.h"
#include "fota_encode.h"
#include "upload_file.h"


#define FOTA_UPLOAD_CHECKPOINT  (64 * 1024 * 1024)
#define FOTA_UPLOAD_OPEN_MAX    1000    /* of a tenant */
#define FOTA_UPLOAD_BODY        (UINT64_C(1) << 50)
#define FOTA_UPLOAD_RESERVE     (16 * 1024 * 1024)      /* of the disk */

#define FOTA_UPLOAD_COLUMNS                                                   \
    "id, name, size, received, sha256, state, created, hash_state"


typedef struct {
    fota_upload_file_t  file;
    fota_str_t          id;
    uint64_t            size;
    uint64_t            saved;  /* offset in the database */
    bool                open;
} fota_upload_t;


static json_t *fota_upload_json(fota_req_t *req, fota_rows_t *rows);
static int fota_upload_get(fota_req_t *req, fota_str_t id, json_t **out);
static int fota_upload_row(fota_req_t *req, fota_db_t *db, fota_upload_t *up,
    fota_str_t *hash);
static int fota_upload_peek(fota_req_t *req, fota_upload_t *up,
    fota_str_t *hash);
static int fota_upload_begin(fota_req_t *req);
static int fota_upload_save(fota_req_t *req, fota_upload_t *up);
static void fota_upload_end(fota_req_t *req);


static json_t *
fota_upload_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t      *v;
    fota_str_t   sha;

    sha = fota_db_str(rows, 4);

    v = json_object();
    json_object_set_new(v, "id", fota_cell(rows, 0));
    json_object_set_new(v, "name", fota_cell(rows, 1));
    json_object_set_new(v, "size", fota_cell_int(rows, 2));
    json_object_set_new(v, "offset", fota_cell_int(rows, 3));
    json_object_set_new(v, "sha256", fota_json_hex(sha.data, sha.len));
    json_object_set_new(v, "state", fota_cell(rows, 5));
    json_object_set_new(v, "created_ms", fota_cell_int(rows, 6));

    return v;
}


static int
fota_upload_get(fota_req_t *req, fota_str_t id, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_UPLOAD_COLUMNS
             " FROM upload WHERE tenant_id = ? AND id = ?", "us",
             fota_u64(req->tenant_id), id);

    return fota_row_one(req, rc, rows, "upload", fota_upload_json, out);
}


/* Answers with the upload and, for HEAD, with its offset in a header. */

static int
fota_upload_answer(fota_req_t *req, unsigned status, json_t *v)
{
    char  text[32];

    snprintf(text, sizeof(text), "%llu",
             (unsigned long long) fota_mu(v, "offset"));
    fota_res_header(req, "Upload-Offset", text);
    snprintf(text, sizeof(text), "%llu",
             (unsigned long long) fota_mu(v, "size"));
    fota_res_header(req, "Upload-Length", text);
    fota_res_header(req, "Cache-Control", "no-store");

    return fota_res_json(req, status, v);
}


static int
fota_upload_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_UPLOAD_COLUMNS
             " FROM upload WHERE tenant_id = ? AND id > ? ORDER BY id"
             " LIMIT ?", "usu", fota_u64(req->tenant_id), page.after,
             page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_upload_json);
}


static int
fota_upload_show(fota_req_t *req)
{
    int      rc;
    json_t  *v;

    rc = fota_upload_get(req, fota_req_param(req, "upload"), &v);

    return rc == FOTA_OK ? fota_upload_answer(req, 200, v) : rc;
}


/*
 * Does this tenant have the file already?  Only its own artifacts count: a
 * hash must not tell one tenant what another one has.
 */

static int
fota_upload_known(fota_req_t *req, const uint8_t sha[32], uint64_t size,
    bool *known)
{
    int       rc;
    char      path[4096];
    uint64_t  have;

    *known = false;

    rc = fota_db_number(req->db, &have, "SELECT size FROM artifact"
             " WHERE tenant_id = ? AND sha256 = ? LIMIT 1", "us",
             fota_u64(req->tenant_id), fota_slice(sha, 32));

    if (rc == FOTA_OK && have == size) {
        fota_object_path(req->server, sha, path);
        *known = access(path, R_OK) == 0;
    }

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_upload_insert(fota_req_t *req, void *data)
{
    int         rc;
    bool        known;
    char        id[33];
    json_t     *after;
    uint8_t     sha[32], raw[16];
    uint64_t    size, n;

    size = fota_mu(req->json, "size");
    (void) fota_hex_decode(sha, 32, fota_ms(req->json, "sha256"));

    rc = fota_db_number(req->db, &n, "SELECT COUNT(*) FROM upload"
                        " WHERE tenant_id = ? AND state = 'open'", "u",
                        fota_u64(req->tenant_id));

    if (rc == FOTA_OK && n >= FOTA_UPLOAD_OPEN_MAX) {
        return fota_res_refuse(req, 409, "upload_limit", NULL,
                               "a tenant may have %d open uploads",
                               FOTA_UPLOAD_OPEN_MAX);
    }

    if (rc == FOTA_OK) {
        rc = fota_upload_known(req, sha, size, &known);
    }

    if (rc == FOTA_OK) {
        rc = fota_random(raw, sizeof(raw));
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_hex_encode(id, raw, sizeof(raw));
    id[32] = '\0';

    rc = fota_db_exec(req->db, "INSERT INTO upload (tenant_id, id, name,"
             " size, sha256, received, state, created, touched)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "uzsusuzii",
             fota_u64(req->tenant_id), id, fota_ms(req->json, "name"), size,
             fota_slice(sha, 32), known ? size : 0,
             known ? "complete" : "open", fota_now_ms(), fota_now_ms());

    if (rc == FOTA_OK) {
        rc = fota_upload_get(req, fota_cstr(id), &after);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_upload_answer(req, 201, json_incref(after));

    return fota_audit(req, req->tenant_id, "upload:create",
                      fota_object(req, "upload", fota_cstr(id)), NULL, after);
}


static int
fota_upload_create(fota_req_t *req)
{
    uint8_t      sha[32];
    int64_t      size;
    fota_str_t   s;

    static const char *const  names[] = { "name", "size", "sha256", NULL };

    s = fota_slice(NULL, 0);
    size = 0;

    if (!fota_json_only(req, names)
        || !fota_json_name(req, "name", true, FOTA_NAME_MAX, &s)
        || !fota_json_i64(req, "size", true, 1,
                          (int64_t) req->server->conf.upload_max, &size)
        || !fota_json_str(req, "sha256", true, 64, &s))
    {
        return FOTA_OK;
    }

    if (fota_hex_decode(sha, 32, s) != FOTA_OK) {
        return fota_res_problem(req, 400, "field_value", "sha256",
                                "\"sha256\" must be 64 hex digits");
    }

    fota_upload_clean(req->server, req->db);

    if (fota_upload_room(req->server) < (uint64_t) size + FOTA_UPLOAD_RESERVE)
    {
        return fota_res_problem(req, 507, "disk_full", "size",
                                "the object store has no room for %lld bytes",
                                (long long) size);
    }

    return fota_tx(req, fota_upload_insert, NULL);
}


/* PATCH: bytes */


/* What the database says of the upload; answered when it is not open. */

static int
fota_upload_row(fota_req_t *req, fota_db_t *db, fota_upload_t *up,
    fota_str_t *hash)
{
    int           rc;
    fota_str_t    s;
    fota_rows_t  *rows;

    rc = fota_db_first(db, &rows, "SELECT size, received, state, hash_state"
             " FROM upload WHERE tenant_id = ? AND id = ?", "us",
             fota_u64(req->tenant_id), up->id);

    if (rc == FOTA_OK) {
        up->size = fota_db_u64(rows, 0);
        up->saved = fota_db_u64(rows, 1);
        s = fota_db_str(rows, 2);
        *hash = fota_strdup(&req->arena.mem, fota_db_str(rows, 3));

        if (!fota_str_eq(s, fota_cstr("open"))) {
            (void) fota_res_problem(req, 409, "upload_closed", NULL,
                                    "the upload is %.*s", (int) s.len,
                                    s.data);
        }
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "upload") : rc;
}


/* The same on a connection that is given back at once. */

static int
fota_upload_peek(fota_req_t *req, fota_upload_t *up, fota_str_t *hash)
{
    int         rc;
    fota_db_t  *db;

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        return FOTA_IO;
    }

    rc = fota_upload_row(req, db, up, hash);
    fota_db_put(req->server->db, db);

    return rc;
}


static int
fota_upload_begin(fota_req_t *req)
{
    int             rc;
    char            text[32];
    uint64_t        at;
    fota_str_t      hash;
    fota_upload_t  *up;

    if (fota_str_u64(fota_req_header(req, "Upload-Offset"), INT64_MAX, &at)
        != FOTA_OK)
    {
        return fota_res_problem(req, 400, "header_missing", "Upload-Offset",
                                "the header Upload-Offset says where the "
                                "bytes begin");
    }

    up = calloc(1, sizeof(*up));
    if (up == NULL) {
        return FOTA_NOMEM;
    }

    req->state = up;
    req->cleanup = fota_upload_end;
    up->id = fota_req_param(req, "upload");
    up->file.fd = -1;

    /* Unknown ones make no file. */

    rc = fota_upload_peek(req, up, &hash);
    if (rc != FOTA_OK || fota_res_set(req)) {
        return rc;
    }

    rc = fota_upload_lock(req->server, &up->file, up->id);

    if (rc == FOTA_BUSY) {
        return fota_res_problem(req, 409, "upload_busy", NULL,
                                "another request writes this upload");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    /* Who held the lock until now has moved the position, or ended it all. */

    rc = fota_upload_peek(req, up, &hash);

    if (rc == FOTA_NOTFOUND) {
        fota_upload_unlink(req->server, up->id);
    }

    if (rc != FOTA_OK || fota_res_set(req)) {
        return rc;
    }

    if (at != up->saved) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long) up->saved);
        fota_res_header(req, "Upload-Offset", text);
        return fota_res_problem(req, 409, "offset", "Upload-Offset",
                                "the server has %s bytes", text);
    }

    rc = fota_upload_open(&up->file, up->saved, hash);

    if (rc == FOTA_TRUNCATED) {
        return fota_res_problem(req, 410, "upload_lost", NULL,
                                "the bytes of the upload are gone, begin a "
                                "new one");
    }

    up->open = rc == FOTA_OK;

    return rc;
}


/* Position and hash become durable, in this order: file, row. */

static int
fota_upload_save(fota_req_t *req, fota_upload_t *up)
{
    int         rc;
    size_t      len;
    uint8_t     state[FOTA_SHA256_STATE];
    fota_db_t  *db;

    if (up->file.offset == up->saved) {
        return FOTA_OK;
    }

    rc = fota_upload_sync(&up->file, state, &len);
    if (rc != FOTA_OK) {
        return rc;
    }

    db = fota_db_get(req->server->db);
    if (db == NULL) {
        return FOTA_IO;
    }

    rc = fota_db_exec(db, "UPDATE upload SET received = ?, hash_state = ?,"
             " touched = ? WHERE tenant_id = ? AND id = ? AND state = 'open'"
             " AND received = ?", "usiusu", up->file.offset,
             fota_slice(state, len), fota_now_ms(), fota_u64(req->tenant_id),
             up->id, up->saved);

    if (rc == FOTA_OK && fota_db_affected(db) == 0) {
        rc = fota_res_refuse(req, 409, "upload_closed", NULL,
                             "the upload was ended by another request");
    }

    fota_db_put(req->server->db, db);

    if (rc == FOTA_OK) {
        up->saved = up->file.offset;
    }

    return rc;
}


/* Also after a broken connection: what came is kept. */

static void
fota_upload_end(fota_req_t *req)
{
    fota_upload_t  *up;

    up = req->state;

    if (up == NULL) {
        return;
    }

    if (up->open) {
        (void) fota_upload_save(req, up);
    }

    fota_upload_close(&up->file);
    free(up);
    req->state = NULL;
}


static int
fota_upload_body(fota_req_t *req, const void *data, size_t len)
{
    int             rc;
    fota_upload_t  *up;

    if (req->state == NULL) {
        rc = fota_upload_begin(req);

        if (rc != FOTA_OK || fota_res_set(req)) {
            return rc;
        }
    }

    up = req->state;

    if (len > up->size - up->file.offset) {
        return fota_res_problem(req, 400, "upload_size", NULL,
                                "more than the announced %llu bytes",
                                (unsigned long long) up->size);
    }

    rc = len > 0 ? fota_upload_write(&up->file, data, len) : FOTA_OK;

    if (rc == FOTA_FULL) {
        /* The disk holds what was written; keep it for when there is room. */

        (void) fota_upload_save(req, up);
        return rc;
    }

    if (rc == FOTA_OK
        && up->file.offset - up->saved >= FOTA_UPLOAD_CHECKPOINT)
    {
        rc = fota_upload_save(req, up);
    }

    return rc;
}


static int
fota_upload_patch(fota_req_t *req)
{
    int             rc;
    json_t         *v;
    fota_upload_t  *up;

    up = req->state;

    rc = fota_upload_save(req, up);
    if (rc != FOTA_OK) {
        return rc;
    }

    req->db = fota_db_get(req->server->db);
    if (req->db == NULL) {
        return FOTA_IO;
    }

    rc = fota_upload_get(req, up->id, &v);

    return rc == FOTA_OK ? fota_upload_answer(req, 200, v) : rc;
}


/* The end */


static int
fota_upload_mark(fota_req_t *req, void *data)
{
    int         rc;
    bool        marked;
    json_t     *after;
    fota_str_t  id;

    id = fota_req_param(req, "upload");

    rc = fota_db_exec(req->db, "UPDATE upload SET state = ?, touched = ?,"
             " hash_state = NULL WHERE tenant_id = ? AND id = ?"
             " AND state = 'open'", "zius", (const char *) data,
             fota_now_ms(), fota_u64(req->tenant_id), id);
    marked = fota_db_affected(req->db) != 0;

    if (rc == FOTA_OK) {
        rc = fota_upload_get(req, id, &after);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_upload_answer(req, 200, json_incref(after));

    if (!marked) {
        /* Another request was faster, and has said so. */

        json_decref(after);
        return FOTA_OK;
    }

    return fota_audit(req, req->tenant_id, "upload:complete",
                      fota_object(req, "upload", id), NULL, after);
}


static int
fota_upload_complete(fota_req_t *req)
{
    int             rc;
    json_t         *v;
    uint8_t         sha[32];
    fota_str_t      hash;
    fota_upload_t   up;

    memset(&up, 0, sizeof(up));
    up.id = fota_req_param(req, "upload");

    rc = fota_upload_get(req, up.id, &v);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_str_eq(fota_ms(v, "state"), fota_cstr("complete"))) {
        return fota_upload_answer(req, 200, v);
    }

    (void) fota_hex_decode(sha, 32, fota_ms(v, "sha256"));
    json_decref(v);

    /* One read: a hash without its state would be that of a finished one. */

    rc = fota_upload_row(req, req->db, &up, &hash);
    if (rc != FOTA_OK || fota_res_set(req)) {
        return rc;
    }

    if (up.saved != up.size) {
        return fota_res_problem(req, 409, "upload_incomplete", NULL,
                                "%llu of %llu bytes are here",
                                (unsigned long long) up.saved,
                                (unsigned long long) up.size);
    }

    rc = fota_upload_lock(req->server, &up.file, up.id);

    if (rc == FOTA_OK) {
        rc = fota_upload_open(&up.file, up.saved, hash);
    }

    if (rc == FOTA_TRUNCATED) {
        /* Renamed before a crash, and not marked. */

        rc = fota_upload_recover(req->server, sha, hash);

        if (rc == FOTA_OK) {
            fota_upload_unlink(req->server, up.id);
            return fota_tx(req, fota_upload_mark, "complete");
        }

        return fota_res_problem(req, 410, "upload_lost", NULL,
                                "the bytes of the upload are gone, begin a "
                                "new one");
    }

    if (rc == FOTA_BUSY) {
        return fota_res_problem(req, 409, "upload_busy", NULL,
                                "another request writes this upload");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_upload_finish(req->server, &up.file, sha);
    fota_upload_close(&up.file);

    if (rc == FOTA_FORGED) {
        rc = fota_tx(req, fota_upload_mark, "failed");

        return rc == FOTA_OK
               ? fota_res_problem(req, 422, "hash", "sha256",
                                  "the bytes do not have the announced "
                                  "SHA-256; the upload is given up")
               : rc;
    }

    return rc == FOTA_OK ? fota_tx(req, fota_upload_mark, "complete") : rc;
}


static int
fota_upload_remove(fota_req_t *req, void *data)
{
    int         rc;
    bool       *gone;
    json_t     *before;
    fota_str_t  id;

    gone = data;
    *gone = false;
    id = fota_req_param(req, "upload");

    rc = fota_upload_get(req, id, &before);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "DELETE FROM upload WHERE tenant_id = ?"
                      " AND id = ?", "us", fota_u64(req->tenant_id), id);
    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    *gone = true;
    return fota_changed(req, rc, req->tenant_id, "upload:delete",
                        fota_object(req, "upload", id), before, NULL);
}


static int
fota_upload_delete(fota_req_t *req)
{
    int   rc;
    bool  gone;

    gone = false;
    rc = fota_tx(req, fota_upload_remove, &gone);

    /* A writer at work finds its row gone and ends. */

    if (rc == FOTA_OK && gone) {
        fota_upload_unlink(req->server, fota_req_param(req, "upload"));
    }

    return rc;
}


static const fota_route_t  fota_upload_table[] = {
    { "GET", "/api/v1/uploads", "upload:read", fota_upload_list, NULL, 0, 0 },
    { "POST", "/api/v1/uploads", "upload:create", fota_upload_create, NULL,
      FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/uploads/{upload}", "upload:read", fota_upload_show,
      NULL, 0, 0 },
    { "PATCH", "/api/v1/uploads/{upload}", "upload:create",
      fota_upload_patch, fota_upload_body, FOTA_UPLOAD_BODY,
      FOTA_ROUTE_NO_DB },
    { "DELETE", "/api/v1/uploads/{upload}", "upload:create",
      fota_upload_delete, NULL, 0, 0 },
    { "POST", "/api/v1/uploads/{upload}/complete", "upload:create",
      fota_upload_complete, NULL, 0, 0 }
};

FOTA_ROUTE_SET(upload, fota_upload_table);
