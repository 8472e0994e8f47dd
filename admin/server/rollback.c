/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Rolling back: rollouts that bring those who were updated to the version
 * each of them came from, one rollout for each such version.
 *
 * Membership is a static group of the devices.  Where everybody of the
 * product who runs the new version came from the same one, the filter on
 * that version says the same without a record for each device at the edges.
 */

#include <stdarg.h>
#include <stdio.h>

#include "fota_crypto.h"

#include "rollout.h"
#include "sql_list.h"


#define FOTA_ROLLBACKS_MAX  32          /* versions to go back to */


typedef struct {
    fota_str_t  version;
    uint32_t    firmware;       /* 0: is not ours any more */
    int64_t     devices;
} fota_back_t;


static int fota_rollback_tx(fota_req_t *req, void *data);
static int fota_rollback_list(fota_req_t *req,
    const fota_rollout_form_t *form, fota_back_t *list, size_t *n);
static int fota_rollback_running(fota_req_t *req,
    const fota_rollout_form_t *form, uint64_t *n);
static int fota_rollback_group(fota_req_t *req,
    const fota_rollout_form_t *form, const fota_back_t *b,
    fota_str_t *filter);
static int fota_rollback_one(fota_req_t *req,
    const fota_rollout_form_t *form, const fota_back_t *b, bool single,
    json_t *list);
static fota_str_t fota_rollback_text(fota_req_t *req, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static fota_str_t
fota_rollback_text(fota_req_t *req, const char *fmt, ...)
{
    char     text[512];
    va_list  ap;

    va_start(ap, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    return fota_strdup(&req->arena.mem, fota_cstr(text));
}


static int
fota_rollback_list(fota_req_t *req, const fota_rollout_form_t *form,
    fota_back_t *list, size_t *n)
{
    int           rc;
    fota_rows_t  *rows;

    *n = 0;

    rc = fota_db_query(req->db, &rows, "SELECT rd.from_version, COUNT(*),"
                       " MAX(f.id) FROM rollout_device rd"
                       " LEFT JOIN firmware f ON f.tenant_id = ?"
                       " AND f.product_id = ? AND f.kind = ?"
                       " AND f.version = rd.from_version"
                       " WHERE rd.rollout_id = ? AND rd.state = 'succeeded'"
                       " AND rd.from_version IS NOT NULL"
                       " GROUP BY rd.from_version ORDER BY 2 DESC LIMIT 32",
                       "uusu", fota_u64(form->row.tenant),
                       fota_u64(form->row.product), form->row.kind,
                       fota_u64(form->row.id));
    if (rc != FOTA_OK) {
        return rc;
    }

    while (*n < FOTA_ROLLBACKS_MAX && (rc = fota_db_row(rows)) == FOTA_OK) {
        list[*n].version = fota_sql_dup(&req->arena.mem, rows, 0);
        list[*n].devices = fota_db_i64(rows, 1);
        list[(*n)++].firmware = (uint32_t) fota_db_u64(rows, 2);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


/* Devices of the product that run the version rolled out. */

static int
fota_rollback_running(fota_req_t *req, const fota_rollout_form_t *form,
    uint64_t *n)
{
    return fota_db_number(req->db, n, "SELECT COUNT(*) FROM device"
                          " WHERE tenant_id = ? AND product_id = ?"
                          " AND version = ?", "uus",
                          fota_u64(form->row.tenant),
                          fota_u64(form->row.product), form->target);
}


static int
fota_rollback_group(fota_req_t *req, const fota_rollout_form_t *form,
    const fota_back_t *b, fota_str_t *filter)
{
    int         rc;
    uint64_t    group;
    fota_str_t  name;

    name = fota_rollback_text(req, "rollback-%u-%llx",
                              (unsigned) form->row.id,
                              (unsigned long long) fota_now_ms());

    /* Several groups of one rollback are made within a millisecond. */

    name = fota_rollback_text(req, "%.*s-%u", (int) name.len,
                              (const char *) name.data,
                              (unsigned) b->firmware);

    if (name.data == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_exec(req->db, "INSERT INTO device_group (tenant_id, name,"
                      " members, created) VALUES (?, ?, ?, ?)", "usii",
                      fota_u64(form->row.tenant), name, b->devices,
                      fota_now_ms());
    if (rc != FOTA_OK) {
        return rc;
    }

    group = fota_db_last_id(req->db);

    rc = fota_db_exec(req->db, "INSERT INTO group_member (group_id,"
                      " device_id) SELECT ?, device_id FROM rollout_device"
                      " WHERE rollout_id = ? AND state = 'succeeded'"
                      " AND from_version = ?", "uus", group,
                      fota_u64(form->row.id), b->version);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "INSERT INTO outbox (tbl, tenant_id,"
                          " object_id, created) SELECT ?, ?, device_id, ?"
                          " FROM group_member WHERE group_id = ?", "uuiu",
                          fota_u64(FOTA_T_DEVICE),
                          fota_u64(form->row.tenant), fota_now_ms(), group);
    }

    *filter = fota_rollback_text(req, "group=='%.*s'", (int) name.len,
                                 (const char *) name.data);

    return rc;
}


static int
fota_rollback_one(fota_req_t *req, const fota_rollout_form_t *form,
    const fota_back_t *b, bool single, json_t *list)
{
    int                   rc;
    fota_rollout_form_t  *back;

    back = fota_calloc(&req->arena.mem, 1, sizeof(fota_rollout_form_t));
    if (back == NULL) {
        return FOTA_NOMEM;
    }

    fota_rollout_defaults(back);

    back->row.name = fota_rollback_text(req, "Back to %.*s (rollout %u)",
                                        (int) b->version.len,
                                        (const char *) b->version.data,
                                        (unsigned) form->row.id);

    if (back->row.name.len > FOTA_NAME_MAX) {
        back->row.name = fota_rollback_text(req, "Back (rollout %u)",
                                            (unsigned) form->row.id);
    }

    back->row.product = form->row.product;
    back->row.kind = form->row.kind;
    back->row.target = b->firmware;
    back->row.strategy = fota_cstr("auto");
    back->row.weight = form->row.weight + 1;
    back->row.allow_downgrade = true;
    back->row.windows = form->row.windows;
    back->row.time_mode = form->row.time_mode;
    back->row.zone = form->row.zone;
    back->row.max_active = form->row.max_active;
    back->row.max_bps = form->row.max_bps;
    back->row.rate_class = form->row.rate_class;

    if (single) {
        back->row.filter = fota_rollback_text(req, "version=='%.*s'",
                                              (int) form->target.len,
                                              (const char *)
                                              form->target.data);
        rc = FOTA_OK;

    } else {
        rc = fota_rollback_group(req, form, b, &back->row.filter);
    }

    if (rc == FOTA_OK) {
        rc = fota_rollout_check(req, back);
    }

    if (rc == FOTA_OK) {
        rc = fota_rollout_save(req, back);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(req->db, "UPDATE rollout SET rollback_of = ?"
                          " WHERE id = ?", "uu", fota_u64(form->row.id),
                          fota_u64(back->row.id));
    }

    if (rc == FOTA_OK) {
        rc = fota_rollout_load(req, back->row.id, false, back);
    }

    if (rc == FOTA_OK) {
        json_array_append_new(list, fota_rollout_json(req, back));
    }

    return rc;
}


static int
fota_rollback_tx(fota_req_t *req, void *data)
{
    int                   rc;
    bool                  single;
    size_t                i, n, made;
    json_t               *list;
    uint64_t              all;
    fota_back_t           backs[FOTA_ROLLBACKS_MAX];
    fota_rollout_form_t  *form;

    form = data;

    rc = fota_rollout_load_param(req, true, form);

    if (rc == FOTA_OK) {
        rc = fota_rollback_list(req, form, backs, &n);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    /* Does the version alone tell who was updated, and from where? */

    single = false;

    if (n == 1 && form->target.len != 0) {
        rc = fota_rollback_running(req, form, &all);
        if (rc != FOTA_OK) {
            return rc;
        }

        single = (int64_t) all == backs[0].devices;
    }

    list = json_array();
    made = 0;

    for (i = 0; rc == FOTA_OK && i < n; i++) {
        if (backs[i].firmware != 0) {
            rc = fota_rollback_one(req, form, &backs[i], single, list);
            made++;
        }
    }

    if (rc == FOTA_OK && made == 0) {
        json_decref(list);
        return fota_res_refuse(req, 409, "nothing_to_roll_back", NULL,
                               "no device of this rollout was updated from a "
                               "version that still exists");
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, form->row.tenant,
                             form->row.product);
    }

    return fota_changed(req, rc, form->row.tenant, "rollout:rollback",
                        fota_rollout_object(req, form), NULL,
                        json_pack("{s:o}", "items", list));
}


/* They are drafts: somebody looks at them and starts them. */

int
fota_rollout_rollback(fota_req_t *req)
{
    fota_rollout_form_t  form;

    return fota_tx(req, fota_rollback_tx, &form);
}
