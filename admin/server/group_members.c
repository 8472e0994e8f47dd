/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "entity.h"
#include "group_members.h"
#include "sql_list.h"


#define FOTA_IMPORT_ERRORS  1000


static void fota_import_free(fota_req_t *req);
static int fota_import_line(fota_csv_t *csv, uint64_t line, fota_str_t id,
    const char *code);
static int fota_import_hold(fota_import_t *im);
static int fota_import_chunk(fota_req_t *req, void *data);
static int fota_import_devices(fota_import_t *im);
static int fota_import_create(fota_import_t *im);
static int fota_import_members(fota_import_t *im);
static int fota_import_add(fota_import_t *im);
static int fota_import_take(fota_import_t *im);
static int fota_import_sweep(fota_req_t *req, void *data);


/* The group of the path, which must be static. */

int
fota_import_open(fota_req_t *req, fota_import_t **out)
{
    int             rc;
    uint32_t        id;
    uint64_t        dynamic;
    fota_import_t  *im;

    rc = fota_find_group(req, fota_req_param(req, "group"), &id);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_number(req->db, &dynamic, "SELECT filter IS NOT NULL FROM"
                        " device_group WHERE tenant_id = ? AND name = ?",
                        "us", fota_u64(req->tenant_id),
                        fota_req_param(req, "group"));
    if (rc != FOTA_OK) {
        return rc;
    }

    if (dynamic != 0) {
        return fota_res_refuse(req, 409, "group_dynamic", "group",
                               "members of a dynamic group follow from its "
                               "filter");
    }

    im = calloc(1, sizeof(*im));
    if (im == NULL) {
        return FOTA_NOMEM;
    }

    im->req = req;
    im->group = id;
    im->errors = json_array();
    im->csv.line = fota_import_line;
    fota_csv_init(&im->csv);
    fota_arena_init(&im->arena, 0);
    fota_arena_init(&im->scratch, 0);

    req->state = im;
    req->cleanup = fota_import_free;
    *out = im;

    return FOTA_OK;
}


int
fota_import_replace(fota_req_t *req, fota_import_t *im)
{
    int  rc;

    im->replace = true;

    rc = fota_db_exec_text(req->db, "DROP TEMPORARY TABLE IF EXISTS"
                                    " import_seen");

    return rc == FOTA_OK
           ? fota_db_exec_text(req->db, "CREATE TEMPORARY TABLE import_seen"
                               " (device_id BIGINT UNSIGNED NOT NULL PRIMARY"
                               " KEY) ENGINE=InnoDB")
           : rc;
}


static void
fota_import_free(fota_req_t *req)
{
    fota_import_t  *im;

    im = req->state;

    if (im == NULL) {
        return;
    }

    if (im->replace && req->db != NULL) {
        (void) fota_db_exec_text(req->db, "DROP TEMPORARY TABLE IF EXISTS"
                                          " import_seen");
    }

    json_decref(im->errors);
    fota_arena_free(&im->arena);
    fota_arena_free(&im->scratch);
    free(im);
    req->state = NULL;
}


void
fota_import_bad(fota_import_t *im, uint64_t line, fota_str_t id,
    const char *code)
{
    json_t  *v;

    im->bad++;

    if (json_array_size(im->errors) >= FOTA_IMPORT_ERRORS) {
        return;
    }

    v = json_object();
    json_object_set_new(v, "line", json_integer((json_int_t) line));
    json_object_set_new(v, "code", json_string(code));

    if (id.len > 0) {
        json_object_set_new(v, "id", fota_json_text(id));
    }

    json_array_append_new(im->errors, v);
}


static int
fota_import_line(fota_csv_t *csv, uint64_t line, fota_str_t id,
    const char *code)
{
    fota_import_t  *im;

    im = (fota_import_t *) csv;

    if (code != NULL) {
        fota_import_bad(im, line, id, code);
        return FOTA_OK;
    }

    return fota_import_id(im, line, id);
}


int
fota_import_id(fota_import_t *im, uint64_t line, fota_str_t id)
{
    fota_import_id_t  *p;

    p = &im->ids[im->n];
    p->id = fota_strdup(&im->arena.mem, id);
    p->line = line;
    p->row = 0;
    p->member = 0;

    if (p->id.data == NULL) {
        return FOTA_NOMEM;
    }

    if (++im->n < FOTA_IMPORT_CHUNK) {
        return FOTA_OK;
    }

    return fota_import_flush(im);
}


static int
fota_import_cmp(const void *a, const void *b)
{
    const fota_import_id_t  *x, *y;

    x = a;
    y = b;

    return fota_str_cmp(x->id, y->id);
}


int
fota_import_flush(fota_import_t *im)
{
    int     rc;
    size_t  i, n;

    if (im->n == 0) {
        return FOTA_OK;
    }

    /*
     * Sorted: rows are locked in one order by every importer, and twins
     * meet.  A twin counts as existing.
     */

    qsort(im->ids, im->n, sizeof(im->ids[0]), fota_import_cmp);

    for (i = 1, n = 1; i < im->n; i++) {
        if (fota_str_eq(im->ids[i].id, im->ids[n - 1].id)) {
            im->existing++;
            continue;
        }

        im->ids[n++] = im->ids[i];
    }

    im->n = n;

    rc = fota_tx(im->req, fota_import_chunk, im);

    if (rc == FOTA_OK && fota_res_set(im->req)) {
        rc = FOTA_INVALID;
    }

    if (rc == FOTA_OK) {
        for (i = 0; i < im->n; i++) {
            if (im->ids[i].row == 0) {
                fota_import_bad(im, im->ids[i].line, im->ids[i].id,
                                "unknown_device");
            }
        }

        im->added += im->t_added;
        im->existing += im->t_existing;
        im->created += im->t_created;
        im->removed += im->t_removed;
    }

    im->n = 0;
    fota_arena_reset(&im->arena);

    return rc;
}


static int
fota_import_hold(fota_import_t *im)
{
    int       rc;
    uint64_t  id;

    rc = fota_db_number(im->req->db, &id, "SELECT id FROM device_group"
                        " WHERE tenant_id = ? AND id = ? FOR UPDATE", "uu",
                        fota_u64(im->req->tenant_id), fota_u64(im->group));

    return rc == FOTA_NOTFOUND ? fota_unknown(im->req, "group") : rc;
}


static int
fota_import_chunk(fota_req_t *req, void *data)
{
    int             rc;
    size_t          i;
    fota_import_t  *im;

    im = data;
    im->t_added = im->t_existing = im->t_created = im->t_removed = 0;
    fota_arena_reset(&im->scratch);

    for (i = 0; i < im->n; i++) {
        im->ids[i].row = 0;
        im->ids[i].member = 0;
    }

    /*
     * Importers of a group take turns, or each would count what the other
     * one added; and nobody fills a group that was removed meanwhile.
     */

    rc = fota_import_hold(im);

    if (rc == FOTA_OK) {
        rc = fota_import_devices(im);
    }

    if (rc == FOTA_OK && im->product != 0) {
        rc = fota_import_create(im);
    }

    if (rc == FOTA_OK) {
        rc = fota_import_members(im);
    }

    if (rc == FOTA_OK) {
        rc = im->remove ? fota_import_take(im) : fota_import_add(im);
    }

    return rc;
}


/* Row ids of those devices that exist. */

static int
fota_import_devices(fota_import_t *im)
{
    int                rc;
    size_t             i, k, n;
    fota_rows_t       *rows;
    fota_db_arg_t      list[FOTA_SQL_LIST_MAX], tenant;
    fota_import_id_t   key, *p;

    memset(&key, 0, sizeof(key));
    tenant = fota_arg_u(im->req->tenant_id);

    for (i = 0; i < im->n; i += n) {
        for (n = 0, k = i; k < im->n && n < FOTA_SQL_LIST_MAX; k++) {
            list[n++] = fota_arg_s(im->ids[k].id);
        }

        rc = fota_sql_list(im->req->db, &rows, "SELECT ext_id, id FROM device"
                           " WHERE tenant_id = ? AND ext_id IN ", "",
                           &tenant, 1, list, n);
        if (rc != FOTA_OK) {
            return rc;
        }

        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            key.id = fota_db_str(rows, 0);
            p = bsearch(&key, im->ids, im->n, sizeof(key), fota_import_cmp);

            if (p != NULL) {
                p->row = fota_db_u64(rows, 1);
            }
        }

        fota_db_rows_end(rows);

        if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    return FOTA_OK;
}


static int
fota_import_create(fota_import_t *im)
{
    int             rc;
    size_t          i, n;
    fota_db_arg_t  *args;

    args = fota_calloc(&im->scratch.mem, 4 * im->n, sizeof(*args));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < im->n; i++) {
        if (im->ids[i].row == 0) {
            args[4 * n] = fota_arg_u(im->req->tenant_id);
            args[4 * n + 1] = fota_arg_u(im->product);
            args[4 * n + 2] = fota_arg_s(im->ids[i].id);
            args[4 * n + 3] = fota_arg_i(fota_now_ms());
            n++;
        }
    }

    if (n == 0) {
        return FOTA_OK;
    }

    rc = fota_sql_rows(im->req->db, "INSERT IGNORE INTO device (tenant_id,"
                       " product_id, ext_id, created) VALUES", "(?,?,?,?)",
                       "", args, n, 4);

    if (rc == FOTA_OK) {
        im->t_created = n;
        rc = fota_import_devices(im);
    }

    return rc;
}


static int
fota_import_members(fota_import_t *im)
{
    int             rc;
    size_t          i, k, n;
    uint64_t        row;
    fota_rows_t    *rows;
    fota_db_arg_t   list[FOTA_SQL_LIST_MAX], group;

    group = fota_arg_u(im->group);

    for (i = 0; i < im->n; i += FOTA_SQL_LIST_MAX) {
        for (n = 0, k = i; k < im->n && k < i + FOTA_SQL_LIST_MAX; k++) {
            if (im->ids[k].row != 0) {
                list[n++] = fota_arg_u(im->ids[k].row);
            }
        }

        if (n == 0) {
            continue;
        }

        rc = fota_sql_list(im->req->db, &rows, "SELECT device_id FROM"
                           " group_member WHERE group_id = ? AND device_id"
                           " IN ", "", &group, 1, list, n);
        if (rc != FOTA_OK) {
            return rc;
        }

        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            row = fota_db_u64(rows, 0);

            for (k = i; k < im->n && k < i + FOTA_SQL_LIST_MAX; k++) {
                if (im->ids[k].row == row) {
                    im->ids[k].member = 1;
                    break;
                }
            }
        }

        fota_db_rows_end(rows);

        if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    return FOTA_OK;
}


/* Outbox rows of the devices whose record changes. */

static int
fota_import_outbox(fota_import_t *im, bool member)
{
    size_t          i, n;
    fota_db_arg_t  *args;

    args = fota_calloc(&im->scratch.mem, 4 * im->n, sizeof(*args));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < im->n; i++) {
        if (im->ids[i].row != 0 && im->ids[i].member == member) {
            args[4 * n] = fota_arg_u(FOTA_T_DEVICE);
            args[4 * n + 1] = fota_arg_u(im->req->tenant_id);
            args[4 * n + 2] = fota_arg_u(im->ids[i].row);
            args[4 * n + 3] = fota_arg_i(fota_now_ms());
            n++;
        }
    }

    return fota_sql_rows(im->req->db, "INSERT INTO outbox (tbl, tenant_id,"
                         " object_id, created) VALUES", "(?,?,?,?)", "",
                         args, n, 4);
}


static int
fota_import_add(fota_import_t *im)
{
    int             rc;
    size_t          i, n, all;
    fota_db_arg_t  *args, *seen;

    args = fota_calloc(&im->scratch.mem, 2 * im->n, sizeof(*args));
    seen = fota_calloc(&im->scratch.mem, im->n, sizeof(*seen));

    if (args == NULL || seen == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0, all = 0; i < im->n; i++) {
        if (im->ids[i].row == 0) {
            continue;
        }

        seen[all++] = fota_arg_u(im->ids[i].row);

        if (im->ids[i].member) {
            im->t_existing++;
            continue;
        }

        args[2 * n] = fota_arg_u(im->group);
        args[2 * n + 1] = fota_arg_u(im->ids[i].row);
        n++;
    }

    rc = FOTA_OK;

    if (im->replace) {
        rc = fota_sql_rows(im->req->db, "INSERT IGNORE INTO import_seen"
                           " (device_id) VALUES", "(?)", "", seen, all, 1);
    }

    if (rc != FOTA_OK || n == 0) {
        return rc;
    }

    rc = fota_sql_rows(im->req->db, "INSERT IGNORE INTO group_member"
                       " (group_id, device_id) VALUES", "(?,?)", "", args, n,
                       2);

    if (rc == FOTA_OK) {
        im->t_added = n;
        rc = fota_import_outbox(im, false);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(im->req->db, "UPDATE device_group SET"
                 " members = members + ? WHERE tenant_id = ? AND id = ?",
                 "uuu", (uint64_t) n, fota_u64(im->req->tenant_id),
                 fota_u64(im->group));
    }

    return rc;
}


static int
fota_import_take(fota_import_t *im)
{
    int             rc;
    size_t          i, k, n;
    fota_db_arg_t   list[FOTA_SQL_LIST_MAX], group;

    group = fota_arg_u(im->group);

    for (i = 0; i < im->n; i += FOTA_SQL_LIST_MAX) {
        for (n = 0, k = i; k < im->n && k < i + FOTA_SQL_LIST_MAX; k++) {
            if (im->ids[k].member) {
                list[n++] = fota_arg_u(im->ids[k].row);
            }
        }

        if (n == 0) {
            continue;
        }

        rc = fota_sql_list(im->req->db, NULL, "DELETE FROM group_member"
                           " WHERE group_id = ? AND device_id IN ", "",
                           &group, 1, list, n);
        if (rc != FOTA_OK) {
            return rc;
        }

        im->t_removed += n;
    }

    if (im->t_removed == 0) {
        return FOTA_OK;
    }

    rc = fota_import_outbox(im, true);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(im->req->db, "UPDATE device_group SET"
                 " members = members - ? WHERE tenant_id = ? AND id = ?",
                 "uuu", im->t_removed, fota_u64(im->req->tenant_id),
                 fota_u64(im->group));
    }

    return rc;
}


/* mode=replace: members that the file did not name. */

static int
fota_import_sweep(fota_req_t *req, void *data)
{
    int             rc;
    fota_import_t  *im;

    im = data;

    rc = fota_import_hold(im);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
             " object_id, created) SELECT ?, ?, m.device_id, ?"
             " FROM group_member m LEFT JOIN import_seen s"
             " ON s.device_id = m.device_id WHERE m.group_id = ?"
             " AND s.device_id IS NULL", "uuiu", fota_u64(FOTA_T_DEVICE),
             fota_u64(req->tenant_id), fota_now_ms(), fota_u64(im->group));

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "DELETE m FROM group_member m LEFT JOIN"
                 " import_seen s ON s.device_id = m.device_id"
                 " WHERE m.group_id = ? AND s.device_id IS NULL", "u",
                 fota_u64(im->group));
    }

    if (rc == FOTA_OK) {
        im->t_removed = fota_db_affected(req->db);
        rc = fota_db_exec(req->db, "UPDATE device_group SET"
                 " members = members - ? WHERE tenant_id = ? AND id = ?",
                 "uuu", im->t_removed, fota_u64(req->tenant_id),
                 fota_u64(im->group));
    }

    return rc;
}


static json_t *
fota_import_json(fota_import_t *im, bool errors)
{
    json_t  *v;

    v = json_object();
    json_object_set_new(v, "lines", json_integer((json_int_t) im->csv.lines));
    json_object_set_new(v, "added", json_integer((json_int_t) im->added));
    json_object_set_new(v, "existing",
                        json_integer((json_int_t) im->existing));
    json_object_set_new(v, "created", json_integer((json_int_t) im->created));
    json_object_set_new(v, "removed", json_integer((json_int_t) im->removed));
    json_object_set_new(v, "bad", json_integer((json_int_t) im->bad));

    if (errors) {
        json_object_set(v, "errors", im->errors);
        json_object_set_new(v, "truncated", json_boolean(
            im->bad > json_array_size(im->errors)));
    }

    return v;
}


static int
fota_import_audit(fota_req_t *req, void *data)
{
    fota_import_t  *im;

    im = data;

    return fota_audit(req, req->tenant_id, "group:members",
                      fota_object(req, "group", fota_req_param(req, "group")),
                      NULL, fota_import_json(im, false));
}


int
fota_import_end(fota_req_t *req, fota_import_t *im)
{
    int  rc;

    rc = fota_import_flush(im);

    if (rc == FOTA_OK && im->replace) {
        rc = fota_tx(req, fota_import_sweep, im);

        if (rc == FOTA_OK && fota_res_set(req)) {
            rc = FOTA_INVALID;
        }

        if (rc == FOTA_OK) {
            im->removed += im->t_removed;
        }
    }

    if (rc == FOTA_OK) {
        rc = fota_tx(req, fota_import_audit, im);
    }

    return rc == FOTA_OK
           ? fota_res_json(req, 200, fota_import_json(im, true)) : rc;
}
