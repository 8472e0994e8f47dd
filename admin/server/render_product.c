/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>

#include "fota_version.h"

#include "render.h"
#include "rollout_row.h"
#include "sql_list.h"


/* Rollouts that ended are told for a week, so that edges can say why not. */
#define FOTA_ROLLOUT_LINGER_MS  (7 * 86400 * 1000LL)


typedef struct {
    fota_firmware_t  fw;
    int64_t          order;     /* set by hand, 0 = by version */
} fota_firmware_row_t;


static int fota_firmware_row_cmp(const void *a, const void *b);
static int fota_render_firmware(fota_render_t *r, uint32_t tenant,
    uint32_t product, fota_product_t *p);
static int fota_render_artifacts(fota_render_t *r, uint32_t tenant,
    uint32_t product, fota_product_t *p);
static uint16_t fota_firmware_index(const fota_product_t *p, uint32_t id);
static int fota_render_rollouts(fota_render_t *r, uint32_t test_group,
    fota_product_t *p);
static int fota_render_rollout(fota_render_t *r, fota_rollout_row_t *row,
    uint32_t test_group, fota_group_names_t *groups, fota_product_t *p);
static int fota_render_fault(fota_render_t *r, uint32_t rollout,
    const char *text);
static int fota_render_clear(fota_render_t *r, const fota_rollout_row_t *row);


static const char  fota_not_published[] = "Not published: ";


static int
fota_firmware_row_cmp(const void *a, const void *b)
{
    const fota_firmware_row_t  *x, *y;

    x = a;
    y = b;

    if (x->fw.kind != y->fw.kind) {
        return (int) x->fw.kind - (int) y->fw.kind;
    }

    if (x->order != y->order) {
        return (x->order < y->order) ? -1 : 1;
    }

    return fota_version_cmp(x->fw.version, y->fw.version);
}


static int
fota_render_firmware(fota_render_t *r, uint32_t tenant, uint32_t product,
    fota_product_t *p)
{
    int                   rc, kind;
    size_t                i, n;
    fota_rows_t          *rows;
    fota_firmware_row_t  *list;

    list = fota_calloc(r->mem, FOTA_FIRMWARE_MAX, sizeof(*list));
    p->firmware = fota_calloc(r->mem, FOTA_FIRMWARE_MAX,
                              sizeof(fota_firmware_t));

    if (list == NULL || p->firmware == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(r->db, &rows, "SELECT id, kind, must_pass, withdrawn,"
                       " version, release_order FROM firmware"
                       " WHERE tenant_id = ? AND product_id = ? ORDER BY id",
                       "uu", (uint64_t) tenant, (uint64_t) product);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;

    while ((rc = fota_db_row(rows)) == FOTA_OK) {

        if (n == FOTA_FIRMWARE_MAX) {
            (void) snprintf(r->error, sizeof(r->error),
                            "the product has more than %d firmware versions",
                            FOTA_FIRMWARE_MAX);
            rc = FOTA_LIMIT;
            break;
        }

        kind = fota_kind_parse(fota_db_str(rows, 1));
        if (kind < 0) {
            continue;
        }

        list[n].fw.id = (uint32_t) fota_db_u64(rows, 0);
        list[n].fw.kind = (uint8_t) kind;
        list[n].fw.must_pass = fota_db_u64(rows, 2) != 0;
        list[n].fw.withdrawn = fota_db_u64(rows, 3) != 0;
        list[n].fw.version = fota_sql_dup(r->mem, rows, 4);
        list[n].order = fota_db_i64(rows, 5);

        if (list[n].fw.version.data == NULL) {
            rc = FOTA_NOMEM;
            break;
        }

        n++;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    qsort(list, n, sizeof(*list), fota_firmware_row_cmp);

    for (i = 0; i < n; i++) {
        p->firmware[i] = list[i].fw;
    }

    p->nfirmware = (uint16_t) n;

    return FOTA_OK;
}


static uint16_t
fota_firmware_index(const fota_product_t *p, uint32_t id)
{
    uint16_t  i;

    for (i = 0; i < p->nfirmware; i++) {
        if (p->firmware[i].id == id) {
            return i;
        }
    }

    return FOTA_NONE;
}


static int
fota_render_artifacts(fota_render_t *r, uint32_t tenant, uint32_t product,
    fota_product_t *p)
{
    int                  rc;
    char                 err[256];
    uint32_t             from;
    fota_str_t           sha, sig, requires;
    fota_rows_t         *rows;
    fota_artifact_t     *a, *last;
    fota_group_names_t   groups;

    fota_group_names_init(&groups, r->db, r->mem, tenant);

    p->artifacts = fota_calloc(r->mem, FOTA_ARTIFACTS_MAX,
                               sizeof(fota_artifact_t));
    if (p->artifacts == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_db_query(r->db, &rows, "SELECT id, sha256, size, from_id,"
                       " firmware_id, sig_kid, sig, format, name, requires"
                       " FROM artifact WHERE tenant_id = ?"
                       " AND product_id = ? AND sig IS NOT NULL ORDER BY id",
                       "uu", (uint64_t) tenant, (uint64_t) product);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {

        if (p->nartifacts == FOTA_ARTIFACTS_MAX) {
            (void) snprintf(r->error, sizeof(r->error),
                            "the product has more than %d artifacts",
                            FOTA_ARTIFACTS_MAX);
            rc = FOTA_LIMIT;
            break;
        }

        a = &p->artifacts[p->nartifacts];
        memset(a, 0, sizeof(*a));

        sha = fota_db_str(rows, 1);
        from = (uint32_t) fota_db_u64(rows, 3);
        sig = fota_db_str(rows, 6);

        a->id = (uint32_t) fota_db_u64(rows, 0);
        a->size = fota_db_u64(rows, 2);
        a->from = (from == 0) ? FOTA_NONE : fota_firmware_index(p, from);
        a->to = fota_firmware_index(p, (uint32_t) fota_db_u64(rows, 4));
        a->kid = (uint16_t) fota_db_u64(rows, 5);

        if (sha.len != sizeof(a->sha256) || sig.len != sizeof(a->sig)
            || a->to == FOTA_NONE || (from != 0 && a->from == FOTA_NONE))
        {
            continue;
        }

        memcpy(a->sha256, sha.data, sizeof(a->sha256));
        memcpy(a->sig, sig.data, sizeof(a->sig));

        a->format = fota_sql_dup(r->mem, rows, 7);
        a->name = fota_sql_dup(r->mem, rows, 8);
        a->requires = fota_sql_dup(r->mem, rows, 9);
        p->nartifacts++;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_NOTFOUND) {
        return rc;
    }

    /* Compiling may look up groups, so it follows the end of the rows. */

    last = p->artifacts + p->nartifacts;

    for (a = p->artifacts; a < last; /* void */) {
        requires = a->requires;

        rc = fota_filter_code(r->mem, requires, &groups, &a->requires, err,
                              sizeof(err));
        if (rc == FOTA_OK) {
            a++;
            continue;
        }

        if (fota_render_fatal(rc)) {
            return rc;
        }

        /* Never offered is safe, offered to the wrong hardware is not. */

        fota_log(FOTA_LOG_WARN, "artifact %u is not published: its"
                 " requirement, %s", (unsigned) a->id, err);

        last--;
        p->nartifacts--;
        memmove(a, a + 1, (size_t) (last - a) * sizeof(*a));
    }

    return FOTA_OK;
}


int
fota_render_catalogue(fota_render_t *r, uint32_t tenant, uint32_t product,
    fota_product_t *p)
{
    int  rc;

    rc = fota_render_firmware(r, tenant, product, p);

    if (rc == FOTA_OK) {
        rc = fota_render_artifacts(r, tenant, product, p);
    }

    if (rc == FOTA_OK) {
        rc = fota_product_index(r->mem, p);
    }

    return rc;
}


/* Says on the rollout itself why edges do not get it. */

static int
fota_render_fault(fota_render_t *r, uint32_t rollout, const char *text)
{
    char  reason[256];

    (void) snprintf(reason, sizeof(reason), "%s%.220s", fota_not_published,
                    text);

    fota_log(FOTA_LOG_WARN, "rollout %u is not published: %s",
             (unsigned) rollout, text);

    return fota_db_exec(r->db, "UPDATE rollout SET state = IF(state ="
                        " 'running', 'paused', state), state_reason = ?"
                        " WHERE id = ?", "zu", reason, (uint64_t) rollout);
}


static int
fota_render_clear(fota_render_t *r, const fota_rollout_row_t *row)
{
    size_t  n;

    n = sizeof(fota_not_published) - 1;

    if (row->state_reason.len < n
        || memcmp(row->state_reason.data, fota_not_published, n) != 0)
    {
        return FOTA_OK;
    }

    return fota_db_exec(r->db, "UPDATE rollout SET state_reason = ''"
                        " WHERE id = ?", "u", (uint64_t) row->id);
}


static int
fota_render_rollout(fota_render_t *r, fota_rollout_row_t *row,
    uint32_t test_group, fota_group_names_t *groups, fota_product_t *p)
{
    int                rc;
    char               err[512];
    size_t             n, i;
    fota_rollout_t    *o;
    fota_stage_row_t  *stage, stages[FOTA_STAGES_MAX];

    if (p->nrollouts == FOTA_ROLLOUTS_MAX) {
        (void) snprintf(err, sizeof(err), "the product has more than %d"
                        " rollouts", FOTA_ROLLOUTS_MAX);
        return fota_render_fault(r, row->id, err);
    }

    rc = fota_stage_rows(r->db, row->id, stages, &n);
    if (rc != FOTA_OK) {
        return rc;
    }

    stage = NULL;

    if (!fota_str_eq(row->state, fota_cstr("ready"))) {
        for (i = 0; i < n; i++) {
            if (stages[i].n == row->stage) {
                stage = &stages[i];

                if (stage->test_group == 0) {
                    stage->test_group = test_group;
                }
            }
        }
    }

    o = &p->rollouts[p->nrollouts];

    rc = fota_rollout_compile(r->mem, row, stage, p, groups, o, err,
                              sizeof(err));
    if (rc != FOTA_OK) {
        return fota_render_fatal(rc) ? rc
                                     : fota_render_fault(r, row->id, err);
    }

    /* Shares of the whole fleet's limits, never none. */

    if (o->max_active != 0) {
        o->max_active = (o->max_active + r->up_nodes - 1) / r->up_nodes;
    }

    if (o->max_bps != 0) {
        o->max_bps = (o->max_bps + r->up_nodes - 1) / r->up_nodes;
    }

    p->nrollouts++;

    return fota_render_clear(r, row);
}


static int
fota_render_rollouts(fota_render_t *r, uint32_t test_group,
    fota_product_t *p)
{
    int                  rc;
    char                 sql[1536];
    size_t               i, n;
    fota_rows_t         *rows;
    fota_group_names_t   groups;
    fota_rollout_row_t  *list;

    fota_group_names_init(&groups, r->db, r->mem, p->tenant);

    /* One more than can be told shows that there are too many. */

    list = fota_calloc(r->mem, FOTA_ROLLOUTS_MAX + 1, sizeof(*list));
    p->rollouts = fota_calloc(r->mem, FOTA_ROLLOUTS_MAX,
                              sizeof(fota_rollout_t));

    if (list == NULL || p->rollouts == NULL) {
        return FOTA_NOMEM;
    }

    (void) snprintf(sql, sizeof(sql), "SELECT * FROM (SELECT %s FROM rollout"
                    " WHERE tenant_id = ? AND product_id = ?"
                    " AND (state IN ('ready', 'running', 'paused')"
                    " OR (state IN ('stopped', 'finished')"
                    " AND finished > ?)) ORDER BY"
                    " state IN ('ready', 'running', 'paused') DESC,"
                    " finished DESC, weight DESC, created, id LIMIT %d) x"
                    " ORDER BY weight DESC, created, id",
                    fota_rollout_columns, FOTA_ROLLOUTS_MAX + 1);

    rc = fota_db_query(r->db, &rows, sql, "uui", (uint64_t) p->tenant,
                       (uint64_t) p->id,
                       r->now * 1000 - FOTA_ROLLOUT_LINGER_MS);
    if (rc != FOTA_OK) {
        return rc;
    }

    n = 0;

    while (n <= FOTA_ROLLOUTS_MAX && (rc = fota_db_row(rows)) == FOTA_OK) {
        rc = fota_rollout_row_read(r->mem, rows, &list[n]);
        if (rc != FOTA_OK) {
            break;
        }

        n++;
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        rc = fota_render_rollout(r, &list[i], test_group, &groups, p);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


int
fota_render_product(fota_render_t *r, uint32_t tenant, fota_str_t name,
    fota_buf_t *out)
{
    int              rc;
    size_t           start;
    uint16_t         i;
    uint32_t         test_group;
    fota_rows_t     *rows;
    fota_product_t   p;

    memset(&p, 0, sizeof(fota_product_t));

    rc = fota_db_first(r->db, &rows, "SELECT id, brake, poll_s, retry_min_s,"
                       " retry_max_s, retry_count, name, install_window,"
                       " test_group FROM product WHERE tenant_id = ?"
                       " AND name = ?", "us", (uint64_t) tenant, name);
    test_group = 0;

    if (rc == FOTA_OK) {
        p.tenant = tenant;
        p.id = (uint32_t) fota_db_u64(rows, 0);
        p.brake = (uint8_t) fota_db_u64(rows, 1);
        p.poll = (uint32_t) fota_db_u64(rows, 2);
        p.retry_min = (uint32_t) fota_db_u64(rows, 3);
        p.retry_max = (uint32_t) fota_db_u64(rows, 4);
        p.retry_count = (uint16_t) fota_db_u64(rows, 5);
        p.name = fota_sql_dup(r->mem, rows, 6);
        p.install_window = fota_sql_dup(r->mem, rows, 7);
        test_group = (uint32_t) fota_db_u64(rows, 8);
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_OK) {
        rc = fota_render_catalogue(r, tenant, p.id, &p);
    }

    if (rc == FOTA_OK) {
        rc = fota_render_rollouts(r, test_group, &p);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    start = out->len;
    rc = fota_product_encode(&p, out);

    if (rc == FOTA_OK && out->len - start <= FOTA_VALUE_MAX) {
        return FOTA_OK;
    }

    (void) snprintf(r->error, sizeof(r->error), "the policy record of the"
                    " product is %s; it may have %d bytes",
                    (rc == FOTA_INVALID) ? "invalid" : "too long",
                    FOTA_VALUE_MAX);

    /* The last good record stays; its rollouts must not look healthy. */

    for (i = 0; i < p.nrollouts; i++) {
        if (p.rollouts[i].state == FOTA_ROLLOUT_RUNNING
            && fota_render_fault(r, p.rollouts[i].id, r->error) != FOTA_OK)
        {
            return FOTA_IO;
        }
    }

    return (rc == FOTA_OK) ? FOTA_LIMIT : rc;
}
