/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A rollout between the database, the API and the audit log. */

#include <stdio.h>
#include <stdlib.h>

#include "fota_crypto.h"

#include "render.h"
#include "rollout.h"
#include "sql_list.h"


static const char *const  fota_rollout_brakes[] = { "none", "offers", "cut" };


static int fota_rollout_names(fota_req_t *req, fota_rollout_form_t *form);
static json_t *fota_rollout_list_json(fota_str_t text);
static json_t *fota_rollout_stages_json(fota_req_t *req,
    const fota_rollout_form_t *form);
static int fota_rollout_save_stages(fota_req_t *req,
    const fota_rollout_form_t *form);


fota_str_t
fota_rollout_actor(fota_req_t *req)
{
    char  text[160];

    (void) snprintf(text, sizeof(text), "token/%u/%.*s",
                    (unsigned) req->token_id, (int) req->actor.len,
                    (const char *) req->actor.data);

    return fota_strdup(&req->arena.mem, fota_cstr(text));
}


static int
fota_rollout_names(fota_req_t *req, fota_rollout_form_t *form)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_first(req->db, &rows, "SELECT p.name, f.version"
                       " FROM product p LEFT JOIN firmware f"
                       " ON f.tenant_id = p.tenant_id AND f.id = ?"
                       " WHERE p.tenant_id = ? AND p.id = ?", "uuu",
                       fota_u64(form->row.target),
                       fota_u64(form->row.tenant),
                       fota_u64(form->row.product));

    if (rc == FOTA_OK) {
        form->product = fota_sql_dup(&req->arena.mem, rows, 0);
        form->target = fota_sql_dup(&req->arena.mem, rows, 1);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


int
fota_rollout_load(fota_req_t *req, uint32_t id, bool lock,
    fota_rollout_form_t *form)
{
    int  rc;

    memset(form, 0, sizeof(fota_rollout_form_t));

    rc = fota_rollout_row_get(req->db, &req->arena.mem, req->tenant_id, id,
                              lock, &form->row);

    if (rc == FOTA_NOTFOUND) {
        return fota_unknown(req, "rollout");
    }

    if (rc == FOTA_OK) {
        rc = fota_stage_rows(req->db, id, form->stages, &form->nstages);
    }

    return (rc == FOTA_OK) ? fota_rollout_names(req, form) : rc;
}


int
fota_rollout_load_param(fota_req_t *req, bool lock,
    fota_rollout_form_t *form)
{
    uint64_t  id;

    if (!fota_param_id(req, "rollout", "rollout", &id)) {
        return FOTA_NOTFOUND;
    }

    if (id > UINT32_MAX) {
        return fota_unknown(req, "rollout");
    }

    return fota_rollout_load(req, (uint32_t) id, lock, form);
}


static json_t *
fota_rollout_list_json(fota_str_t text)
{
    json_t  *list;

    list = (text.len == 0) ? NULL
           : json_loadb((const char *) text.data, text.len, 0, NULL);

    return (list == NULL) ? json_array() : list;
}


static json_t *
fota_rollout_stages_json(fota_req_t *req, const fota_rollout_form_t *form)
{
    size_t                    i;
    json_t                   *list, *v, *group;
    fota_rows_t              *rows;
    const fota_stage_row_t   *s;

    list = json_array();

    for (i = 0; i < form->nstages; i++) {
        s = &form->stages[i];
        group = json_null();

        if (s->test_group != 0
            && fota_db_query(req->db, &rows, "SELECT name FROM device_group"
                             " WHERE tenant_id = ? AND id = ?", "uu",
                             fota_u64(form->row.tenant),
                             fota_u64(s->test_group))
               == FOTA_OK)
        {
            if (fota_db_row(rows) == FOTA_OK) {
                group = fota_json_text(fota_db_str(rows, 0));
            }

            fota_db_rows_end(rows);
        }

        v = json_object();
        json_object_set_new(v, "n", json_integer(s->n));
        json_object_set_new(v, "percent",
                            json_real((double) s->permille / 100));
        json_object_set_new(v, "test_only", json_boolean(s->test_only));
        json_object_set_new(v, "test_group", group);
        json_object_set_new(v, "success_pct", json_real(s->success_pct));
        json_object_set_new(v, "error_pct", json_real(s->error_pct));
        json_object_set_new(v, "min_count", json_integer(s->min_count));
        json_object_set_new(v, "soak_s", json_integer(s->soak));
        json_object_set_new(v, "auto_next", json_boolean(s->auto_next));
        json_array_append_new(list, v);
    }

    return list;
}


json_t *
fota_rollout_json(fota_req_t *req, const fota_rollout_form_t *form)
{
    json_t                    *v, *geo;
    const fota_rollout_row_t  *r;

    r = &form->row;

    geo = json_object();
    json_object_set_new(geo, "include",
                        fota_rollout_list_json(r->geo_include));
    json_object_set_new(geo, "exclude",
                        fota_rollout_list_json(r->geo_exclude));
    json_object_set_new(geo, "unknown", fota_json_text(r->geo_unknown));

    v = json_object();
    json_object_set_new(v, "id", json_integer(r->id));
    json_object_set_new(v, "name", fota_json_text(r->name));
    json_object_set_new(v, "product", fota_json_text(form->product));
    json_object_set_new(v, "kind", fota_json_text(r->kind));
    json_object_set_new(v, "state", fota_json_text(r->state));
    json_object_set_new(v, "state_reason", fota_json_text(r->state_reason));
    json_object_set_new(v, "target", form->target.len
                        ? fota_json_text(form->target)
                        : json_string("latest"));
    json_object_set_new(v, "strategy", fota_json_text(r->strategy));
    json_object_set_new(v, "weight", json_integer(r->weight));
    json_object_set_new(v, "filter", fota_json_text(r->filter));
    json_object_set_new(v, "sources", fota_rollout_list_json(r->sources));
    json_object_set_new(v, "geo", geo);
    json_object_set_new(v, "windows", fota_rollout_list_json(r->windows));
    json_object_set_new(v, "time_mode", fota_json_text(r->time_mode));
    json_object_set_new(v, "zone", fota_json_text(r->zone));
    json_object_set_new(v, "start_s", json_integer(r->start));
    json_object_set_new(v, "end_s", json_integer(r->end));
    json_object_set_new(v, "allow_downgrade",
                        json_boolean(r->allow_downgrade));
    json_object_set_new(v, "require_fresh", json_boolean(r->require_fresh));
    json_object_set_new(v, "max_attempts", json_integer(r->max_attempts));
    json_object_set_new(v, "max_active", json_integer(r->max_active));
    json_object_set_new(v, "max_bps",
                        json_integer((json_int_t) r->max_bps));
    json_object_set_new(v, "rate_class", json_integer(r->rate_class));
    json_object_set_new(v, "dispersion", json_integer(r->dispersion));
    json_object_set_new(v, "token_ttl_s", json_integer(r->token_ttl));
    json_object_set_new(v, "brake",
                        json_string(fota_rollout_brakes[r->brake % 3]));
    json_object_set_new(v, "stages", fota_rollout_stages_json(req, form));
    json_object_set_new(v, "stage", json_integer(r->stage));
    json_object_set_new(v, "stage_since_ms", json_integer(r->stage_since));
    json_object_set_new(v, "rollback_of", r->rollback_of
                        ? json_integer(r->rollback_of) : json_null());
    json_object_set_new(v, "created_by", fota_json_text(r->created_by));
    json_object_set_new(v, "approved_by", r->approved_by.data
                        ? fota_json_text(r->approved_by) : json_null());
    json_object_set_new(v, "created_ms", json_integer(r->created));
    json_object_set_new(v, "started_ms", json_integer(r->started));
    json_object_set_new(v, "finished_ms", json_integer(r->finished));

    return v;
}


static int
fota_rollout_save_stages(fota_req_t *req, const fota_rollout_form_t *form)
{
    int                      rc;
    size_t                   i;
    const fota_stage_row_t  *s;

    rc = fota_db_exec(req->db, "DELETE FROM rollout_stage"
                      " WHERE rollout_id = ?", "u", fota_u64(form->row.id));

    for (i = 0; rc == FOTA_OK && i < form->nstages; i++) {
        s = &form->stages[i];

        rc = fota_db_exec(req->db, "INSERT INTO rollout_stage (rollout_id, n,"
                          " permille, test_group, test_only, success_pct,"
                          " error_pct, min_count, soak_s, auto_next)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          "uuuuudduuu", fota_u64(form->row.id),
                          fota_u64(i), fota_u64(s->permille),
                          fota_u64(s->test_group), fota_u64(s->test_only),
                          s->success_pct, s->error_pct,
                          fota_u64(s->min_count), fota_u64(s->soak),
                          fota_u64(s->auto_next));
    }

    return rc;
}


int
fota_rollout_save(fota_req_t *req, fota_rollout_form_t *form)
{
    int                  rc;
    fota_db_arg_t        args[31], *a;
    fota_rollout_row_t  *r;

    r = &form->row;
    a = args;

    *a++ = fota_arg_s(r->name);
    *a++ = fota_arg_s(r->kind);
    *a++ = fota_arg_s(r->state);
    *a++ = fota_arg_s(r->state_reason);
    *a++ = fota_arg_u(r->target);
    *a++ = fota_arg_s(r->strategy);
    *a++ = fota_arg_i(r->weight);
    *a++ = fota_arg_s(r->filter);
    *a++ = fota_arg_s(r->sources);
    *a++ = fota_arg_s(r->geo_include);
    *a++ = fota_arg_s(r->geo_exclude);
    *a++ = fota_arg_s(r->geo_unknown);
    *a++ = fota_arg_s(r->windows);
    *a++ = fota_arg_s(r->time_mode);
    *a++ = fota_arg_s(r->zone);
    *a++ = fota_arg_i(r->start);
    *a++ = fota_arg_i(r->end);
    *a++ = fota_arg_u(r->allow_downgrade);
    *a++ = fota_arg_u(r->require_fresh);
    *a++ = fota_arg_u(r->max_attempts);
    *a++ = fota_arg_u(r->max_active);
    *a++ = fota_arg_u(r->max_bps);
    *a++ = fota_arg_u(r->rate_class);
    *a++ = fota_arg_u(r->dispersion);
    *a++ = fota_arg_u(r->token_ttl);
    *a++ = fota_arg_s(r->approved_by);

    if (r->id != 0) {
        *a++ = fota_arg_u(r->tenant);
        *a++ = fota_arg_u(r->id);

        rc = fota_db_exec_args(req->db, "UPDATE rollout SET name = ?,"
                               " kind = ?, state = ?, state_reason = ?,"
                               " target_id = ?, strategy = ?, weight = ?,"
                               " filter = ?, sources = ?, geo_include = ?,"
                               " geo_exclude = ?, geo_unknown = ?,"
                               " windows = ?, time_mode = ?, zone = ?,"
                               " start_s = ?, end_s = ?,"
                               " allow_downgrade = ?, require_fresh = ?,"
                               " max_attempts = ?, max_active = ?,"
                               " max_bps = ?, rate_class = ?,"
                               " dispersion = ?, token_ttl_s = ?,"
                               " approved_by = ?"
                               " WHERE tenant_id = ? AND id = ?", args,
                               (size_t) (a - args));

        return (rc == FOTA_OK) ? fota_rollout_save_stages(req, form) : rc;
    }

    r->tenant = req->tenant_id;
    r->created = fota_now_ms();
    r->created_by = fota_rollout_actor(req);

    /* Half of 64 bits: JSON readers of this world keep 53, SQL has sign. */

    rc = fota_random(&r->salt, sizeof(r->salt));
    if (rc != FOTA_OK) {
        return rc;
    }

    r->salt >>= 1;

    *a++ = fota_arg_u(r->tenant);
    *a++ = fota_arg_u(r->product);
    *a++ = fota_arg_u(r->salt);
    *a++ = fota_arg_s(r->created_by);
    *a++ = fota_arg_i(r->created);

    rc = fota_db_exec_args(req->db, "INSERT INTO rollout (name, kind, state,"
                           " state_reason, target_id, strategy, weight,"
                           " filter, sources, geo_include, geo_exclude,"
                           " geo_unknown, windows, time_mode, zone, start_s,"
                           " end_s, allow_downgrade, require_fresh,"
                           " max_attempts, max_active, max_bps, rate_class,"
                           " dispersion, token_ttl_s, approved_by, tenant_id,"
                           " product_id, salt, created_by, created)"
                           " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                           " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                           " ?, ?)", args, (size_t) (a - args));
    if (rc != FOTA_OK) {
        return rc;
    }

    r->id = (uint32_t) fota_db_last_id(req->db);

    return fota_rollout_save_stages(req, form);
}


fota_str_t
fota_rollout_object(fota_req_t *req, const fota_rollout_form_t *form)
{
    char  id[32];

    (void) snprintf(id, sizeof(id), "%u", (unsigned) form->row.id);

    return fota_object(req, "rollout", fota_cstr(id));
}


int
fota_rollout_done(fota_req_t *req, int rc, const fota_rollout_form_t *form,
    unsigned status, const char *action, json_t *before)
{
    json_t               *after;
    fota_rollout_form_t  *now;

    now = fota_calloc(&req->arena.mem, 1, sizeof(fota_rollout_form_t));

    if (rc == FOTA_OK) {
        rc = now == NULL ? FOTA_NOMEM
             : fota_outbox_put(req->db, FOTA_T_PRODUCT, form->row.tenant,
                               form->row.product);
    }

    if (rc == FOTA_OK) {
        rc = fota_rollout_load(req, form->row.id, false, now);
    }

    if (rc != FOTA_OK) {
        json_decref(before);
        return rc;
    }

    after = fota_rollout_json(req, now);

    (void) fota_res_json(req, status, json_incref(after));

    return fota_audit(req, form->row.tenant, action,
                      fota_rollout_object(req, form), before, after);
}


int
fota_rollout_set_state(fota_db_t *db, uint32_t id, const char *state,
    const char *reason)
{
    return fota_db_exec(db, "UPDATE rollout SET state = ?, state_reason = ?"
                        " WHERE id = ?", "zzu", state, reason, fota_u64(id));
}


int
fota_rollout_refuse(fota_req_t *req, const fota_rollout_form_t *form,
    const char *action, const char *words)
{
    return fota_res_refuse(req, 409, "rollout_state", NULL,
                           "a rollout that is %.*s cannot be %s; it must be %s",
                           (int) form->row.state.len,
                           (const char *) form->row.state.data, action, words);
}


/*
 * The same compilation as for the edges: what passes here is published, and
 * what would not be says why while somebody looks.
 */

int
fota_rollout_check(fota_req_t *req, fota_rollout_form_t *form)
{
    int                  rc;
    char                 err[512];
    uint64_t             id;
    fota_buf_t           buf;
    fota_render_t        r;
    fota_product_t       p;
    fota_rollout_t       out;
    fota_group_names_t   groups;

    memset(&r, 0, sizeof(fota_render_t));
    memset(&p, 0, sizeof(fota_product_t));

    r.server = req->server;
    r.db = req->db;
    r.mem = &req->arena.mem;

    /* Versions and groups stay until the rollout that names them is there. */

    rc = fota_db_number(req->db, &id, "SELECT id FROM product"
                        " WHERE tenant_id = ? AND id = ?"
                        " LOCK IN SHARE MODE", "uu",
                        fota_u64(req->tenant_id),
                        fota_u64(form->row.product));

    if (rc == FOTA_OK) {
        rc = fota_render_catalogue(&r, req->tenant_id, form->row.product, &p);
    }

    if (rc == FOTA_NOTFOUND) {
        return fota_unknown(req, "product");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_group_names_init(&groups, req->db, &req->arena.mem, req->tenant_id);

    rc = fota_rollout_compile(&req->arena.mem, &form->row, &form->stages[0],
                              &p, &groups, &out, err, sizeof(err));

    if (rc == FOTA_INVALID || rc == FOTA_LIMIT || rc == FOTA_NOTFOUND) {
        return fota_res_refuse(req, 400, "field_value", "filter", "%s", err);
    }

    if (rc != FOTA_OK || form->row.zone.len == 0) {
        return rc;
    }

    fota_buf_grow(&buf, FOTA_VALUE_MAX);

    rc = fota_render_zone(&r, form->row.zone, &buf);

    fota_buf_free(&buf);

    if (rc != FOTA_OK) {
        return fota_res_refuse(req, 400, "field_value", "zone",
                               "\"zone\" must be a name like "
                               "\"Europe/Berlin\"");
    }

    return FOTA_OK;
}
