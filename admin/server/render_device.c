/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Devices that differ.  A group import or a rollback touches a million of
 * them, so they are rendered by the hundred, not one by one.
 */

#include "render.h"
#include "sql_list.h"


#define FOTA_DEVICE_RECORD_MAX  65536


static fota_render_device_t *fota_device_find(fota_render_device_t *list,
    size_t n, uint64_t id);
static int fota_devices_load(fota_render_t *r, const fota_db_arg_t *ids,
    size_t n, fota_render_device_t *list, size_t *nlist);
static int fota_device_group(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d);
static int fota_device_attr(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d);
static int fota_device_attempt(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d);
static int fota_devices_part(fota_render_t *r, size_t part,
    const fota_db_arg_t *ids, size_t n, fota_render_device_t *list,
    size_t nlist);
static bool fota_device_differs(const fota_device_t *d);


/* list ascends by id. */

static fota_render_device_t *
fota_device_find(fota_render_device_t *list, size_t n, uint64_t id)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (list[mid].id < id) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return (lo < n && list[lo].id == id) ? &list[lo] : NULL;
}


static int
fota_devices_load(fota_render_t *r, const fota_db_arg_t *ids, size_t n,
    fota_render_device_t *list, size_t *nlist)
{
    int                    rc;
    fota_str_t             s;
    fota_rows_t           *rows;
    fota_device_t         *v;
    fota_render_device_t  *d;

    rc = fota_sql_list(r->db, &rows, "SELECT id, tenant_id, ext_id, blocked,"
                       " test, pin, token_sha256 FROM device WHERE id IN ",
                       " ORDER BY id", NULL, 0, ids, n);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (*nlist < n && (rc = fota_db_row(rows)) == FOTA_OK) {
        d = &list[*nlist];
        v = &d->device;

        d->id = fota_db_u64(rows, 0);
        d->tenant = (uint32_t) fota_db_u64(rows, 1);
        d->ext_id = fota_sql_dup(r->mem, rows, 2);
        v->blocked = fota_db_u64(rows, 3) != 0;
        v->test = fota_db_u64(rows, 4) != 0;
        v->pin = fota_sql_dup(r->mem, rows, 5);

        s = fota_db_str(rows, 6);

        if (s.len == sizeof(v->token)) {
            v->has_token = 1;
            memcpy(v->token, s.data, s.len);
        }

        if (d->ext_id.data == NULL) {
            rc = FOTA_NOMEM;
            break;
        }

        (*nlist)++;
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_device_group(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d)
{
    fota_device_t  *v;

    v = &d->device;

    if (v->groups == NULL) {
        v->groups = fota_calloc(r->mem, FOTA_DEVICE_GROUPS_MAX,
                                sizeof(uint32_t));
        if (v->groups == NULL) {
            return FOTA_NOMEM;
        }
    }

    if (v->ngroups == FOTA_DEVICE_GROUPS_MAX) {
        d->status = FOTA_LIMIT;
        return FOTA_OK;
    }

    v->groups[v->ngroups++] = (uint32_t) fota_db_u64(rows, 1);

    return FOTA_OK;
}


static int
fota_device_attr(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d)
{
    fota_attr_t    *a;
    fota_device_t  *v;

    v = &d->device;

    if (v->attrs == NULL) {
        v->attrs = fota_calloc(r->mem, FOTA_ATTRS_MAX, sizeof(fota_attr_t));
        if (v->attrs == NULL) {
            return FOTA_NOMEM;
        }
    }

    if (v->nattrs == FOTA_ATTRS_MAX) {
        d->status = FOTA_LIMIT;
        return FOTA_OK;
    }

    a = &v->attrs[v->nattrs++];
    a->name = fota_sql_dup(r->mem, rows, 1);
    a->value = fota_sql_dup(r->mem, rows, 2);

    return FOTA_OK;
}


/* The latest rollouts come first, older ones are left out. */

static int
fota_device_attempt(fota_render_t *r, fota_rows_t *rows,
    fota_render_device_t *d)
{
    fota_device_t   *v;
    fota_attempt_t  *a;

    v = &d->device;

    if (v->nattempts == FOTA_DEVICE_ATTEMPTS_MAX) {
        return FOTA_OK;
    }

    if (v->attempts == NULL) {
        v->attempts = fota_calloc(r->mem, FOTA_DEVICE_ATTEMPTS_MAX,
                                  sizeof(fota_attempt_t));
        if (v->attempts == NULL) {
            return FOTA_NOMEM;
        }
    }

    a = &v->attempts[v->nattempts++];
    a->rollout = (uint32_t) fota_db_u64(rows, 1);
    a->attempts = (uint16_t) fota_db_u64(rows, 2);
    a->delta_failed = fota_db_u64(rows, 3) != 0;

    return FOTA_OK;
}


/* What is many to a device.  Attempts: of rollouts that may still offer. */

static const struct {
    const char  *head;
    const char  *tail;
    int        (*add)(fota_render_t *r, fota_rows_t *rows,
                   fota_render_device_t *d);
} fota_device_parts[] = {

    { "SELECT device_id, group_id FROM group_member WHERE device_id IN ",
      " ORDER BY device_id, group_id",
      fota_device_group },

    { "SELECT device_id, name, value FROM device_attr"
      " WHERE operator_set = 1 AND device_id IN ",
      " ORDER BY device_id, name",
      fota_device_attr },

    { "SELECT rd.device_id, rd.rollout_id, rd.attempts_failed,"
      " rd.delta_failed FROM rollout_device rd JOIN rollout o"
      " ON o.id = rd.rollout_id"
      " AND o.state IN ('ready', 'running', 'paused')"
      " WHERE (rd.attempts_failed > 0 OR rd.delta_failed > 0)"
      " AND rd.device_id IN ",
      " ORDER BY rd.device_id, rd.rollout_id DESC",
      fota_device_attempt }
};


static int
fota_devices_part(fota_render_t *r, size_t part, const fota_db_arg_t *ids,
    size_t n, fota_render_device_t *list, size_t nlist)
{
    int                    rc;
    fota_rows_t           *rows;
    fota_render_device_t  *d;

    rc = fota_sql_list(r->db, &rows, fota_device_parts[part].head,
                       fota_device_parts[part].tail, NULL, 0, ids, n);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        d = fota_device_find(list, nlist, fota_db_u64(rows, 0));

        if (d != NULL) {
            rc = fota_device_parts[part].add(r, rows, d);
            if (rc != FOTA_OK) {
                break;
            }
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static bool
fota_device_differs(const fota_device_t *d)
{
    return d->blocked || d->test || d->has_token || d->pin.len != 0
           || d->ngroups != 0 || d->nattrs != 0 || d->nattempts != 0;
}


int
fota_render_devices(fota_render_t *r, const uint64_t *ids, size_t n,
    fota_render_device_t **out, size_t *nout)
{
    int                    rc;
    size_t                 i;
    fota_buf_t             buf;
    fota_db_arg_t         *args;
    fota_render_device_t  *list;

    *nout = 0;

    args = fota_calloc(r->mem, n, sizeof(fota_db_arg_t));
    list = fota_calloc(r->mem, n, sizeof(fota_render_device_t));

    if (args == NULL || list == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {
        args[i] = fota_arg_u(ids[i]);
    }

    rc = fota_devices_load(r, args, n, list, nout);

    for (i = 0; rc == FOTA_OK && *nout != 0
                && i < sizeof(fota_device_parts)
                       / sizeof(fota_device_parts[0]);
         i++)
    {
        rc = fota_devices_part(r, i, args, n, list, *nout);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_grow(&buf, FOTA_DEVICE_RECORD_MAX);

    for (i = 0; i < *nout; i++) {

        if (list[i].status != FOTA_OK
            || !fota_device_differs(&list[i].device))
        {
            continue;
        }

        fota_buf_reset(&buf);

        rc = fota_device_encode(&list[i].device, &buf);

        if (rc != FOTA_OK) {
            list[i].status = rc;
            continue;
        }

        list[i].value = fota_strdup(r->mem, fota_buf_slice(&buf));

        if (list[i].value.data == NULL) {
            fota_buf_free(&buf);
            return FOTA_NOMEM;
        }
    }

    fota_buf_free(&buf);

    *out = list;

    return FOTA_OK;
}
