/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>

#include "audience.h"
#include "render.h"
#include "sql_list.h"


#define FOTA_AUDIENCE_SCRATCH  (16 * 1024 * 1024)


/* A stream of (device, ...) that is walked beside the devices. */

typedef struct {
    fota_db_t    *db;
    fota_rows_t  *rows;
    uint64_t      device;       /* of the row at hand; 0 = at the end */
} fota_side_t;


typedef struct {
    fota_facts_t         facts;         /* first */
    fota_location_t      location;
    fota_server_t       *server;
    fota_arena_t         scratch;
    fota_policy_env_t    env;
    fota_policy_input_t  input;
    fota_product_t       product;
    fota_rollout_t       rollout;
    fota_device_t        device;
    fota_attr_t          attrs[FOTA_ATTRS_MAX];
    uint32_t             groups[FOTA_DEVICE_GROUPS_MAX];
    fota_side_t          side_attrs;
    fota_side_t          side_groups;
    bool                 need_attrs;
    bool                 need_groups;
    bool                 has_rows;
    uint32_t             test_group;
} fota_scan_t;


static const fota_location_t *fota_scan_locate(fota_facts_t *facts);
static const fota_zone_t *fota_scan_zone(fota_policy_env_t *env,
    fota_str_t name);
static int fota_scan_prepare(fota_scan_t *s, fota_db_t *db,
    fota_mem_t *mem, const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages, fota_audience_t *out);
static int fota_scan_needs(fota_scan_t *s, fota_db_t *db,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages);
static bool fota_scan_text(fota_str_t text, const char *word);
static int fota_side_open(fota_scan_t *s, fota_side_t *side,
    const char *sql, const fota_rollout_row_t *row);
static int fota_side_next(fota_side_t *side);
static void fota_side_close(fota_scan_t *s, fota_side_t *side);
static int fota_scan_sides(fota_scan_t *s, uint64_t id);
static void fota_scan_chars(char *out, size_t size, fota_str_t s);
static void fota_scan_row(fota_scan_t *s, fota_rows_t *rows);
static int fota_scan_one(fota_scan_t *s, bool counted,
    const fota_stage_row_t *stages, size_t nstages, fota_audience_t *out);
static unsigned fota_region(const char *country);


static const fota_location_t *
fota_scan_locate(fota_facts_t *facts)
{
    return &((fota_scan_t *) facts)->location;
}


/* Windows are left out, so nobody asks. */

static const fota_zone_t *
fota_scan_zone(fota_policy_env_t *env, fota_str_t name)
{
    return NULL;
}


static unsigned
fota_region(const char *country)
{
    if (country[0] < 'A' || country[0] > 'Z' || country[1] < 'A'
        || country[1] > 'Z' || country[2] != '\0')
    {
        return FOTA_REGIONS - 1;
    }

    return (unsigned) (country[0] - 'A') * 26 + (unsigned) (country[1] - 'A');
}


void
fota_region_name(unsigned region, char *out)
{
    if (region >= FOTA_REGIONS - 1) {
        out[0] = '\0';
        return;
    }

    out[0] = (char) ('A' + region / 26);
    out[1] = (char) ('A' + region % 26);
    out[2] = '\0';
}


static bool
fota_scan_text(fota_str_t text, const char *word)
{
    return text.len != 0
           && memmem(text.data, text.len, word, strlen(word)) != NULL;
}


/* Too much is looked at rather than too little. */

static int
fota_scan_needs(fota_scan_t *s, fota_db_t *db, const fota_rollout_row_t *row,
    const fota_stage_row_t *stages, size_t nstages)
{
    size_t  i;

    s->need_groups = fota_scan_text(row->filter, "group");

    /* A dynamic group may hide anything. */

    s->need_attrs = s->need_groups || fota_scan_text(row->filter, "attr.");

    for (i = 0; i < s->product.nartifacts; i++) {
        s->need_attrs |= s->product.artifacts[i].requires.len != 0;
        s->need_groups |= s->product.artifacts[i].requires.len != 0;
    }

    for (i = 0; i < nstages; i++) {
        s->need_groups |= stages[i].test_group != 0
                          || (stages[i].test_only && s->test_group != 0);
    }

    return fota_db_exists(db, &s->has_rows, "SELECT 1 FROM rollout_device"
                          " WHERE rollout_id = ? LIMIT 1", "u",
                          fota_u64(row->id));
}


static int
fota_scan_prepare(fota_scan_t *s, fota_db_t *db, fota_mem_t *mem,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages, fota_audience_t *out)
{
    int                  rc;
    fota_rows_t         *rows;
    fota_render_t        r;
    fota_group_names_t   groups;

    memset(&r, 0, sizeof(fota_render_t));

    r.server = s->server;
    r.db = db;
    r.mem = mem;

    rc = fota_db_first(db, &rows, "SELECT name, poll_s, test_group"
                       " FROM product WHERE tenant_id = ? AND id = ?", "uu",
                       fota_u64(row->tenant), fota_u64(row->product));

    if (rc == FOTA_OK) {
        s->product.tenant = row->tenant;
        s->product.id = row->product;
        s->product.name = fota_sql_dup(mem, rows, 0);
        s->product.poll = (uint32_t) fota_db_u64(rows, 1);
        s->test_group = (uint32_t) fota_db_u64(rows, 2);
        out->poll = s->product.poll;
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_OK) {
        rc = fota_render_catalogue(&r, row->tenant, row->product,
                                   &s->product);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    fota_group_names_init(&groups, db, mem, row->tenant);

    rc = fota_rollout_compile(mem, row, NULL, &s->product, &groups,
                              &s->rollout, out->error, sizeof(out->error));
    if (rc != FOTA_OK) {
        return rc;
    }

    s->rollout.state = FOTA_ROLLOUT_RUNNING;
    s->rollout.brake = FOTA_BRAKE_NONE;
    s->rollout.reached = 10000;
    s->rollout.test_only = 0;
    s->rollout.start = 0;
    s->rollout.end = 0;
    s->rollout.nwindows = 0;
    s->rollout.max_attempts = 0;
    s->rollout.max_active = 0;
    s->rollout.max_bps = 0;
    s->rollout.require_fresh = 0;

    s->product.rollouts = &s->rollout;
    s->product.nrollouts = 1;

    /* The filters of an index are those of the rollouts there were then. */

    rc = fota_product_index(mem, &s->product);
    if (rc != FOTA_OK) {
        return rc;
    }

    s->env.zone = fota_scan_zone;

    s->facts.product = s->product.name;
    s->facts.attrs = s->attrs;
    s->facts.groups = s->groups;
    s->facts.locate = fota_scan_locate;

    s->input.product = &s->product;
    s->input.facts = &s->facts;
    s->input.device = &s->device;
    s->input.kind = s->rollout.kind;
    s->input.now = fota_now_ms() / 1000;

    return fota_scan_needs(s, db, row, stages, nstages);
}


static int
fota_side_next(fota_side_t *side)
{
    int  rc;

    rc = fota_db_row(side->rows);

    side->device = (rc == FOTA_OK) ? fota_db_u64(side->rows, 0) : 0;

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_side_open(fota_scan_t *s, fota_side_t *side, const char *sql,
    const fota_rollout_row_t *row)
{
    int  rc;

    side->db = fota_db_get(s->server->db);
    if (side->db == NULL) {
        return FOTA_IO;
    }

    rc = fota_db_stream(side->db, &side->rows, sql, "uu",
                        fota_u64(row->tenant), fota_u64(row->product));
    if (rc != FOTA_OK) {
        side->rows = NULL;
        return rc;
    }

    return fota_side_next(side);
}


static void
fota_side_close(fota_scan_t *s, fota_side_t *side)
{
    if (side->rows != NULL) {
        fota_db_rows_end(side->rows);
    }

    if (side->db != NULL) {
        fota_db_put(s->server->db, side->db);
    }
}


static int
fota_scan_sides(fota_scan_t *s, uint64_t id)
{
    int           rc;
    fota_side_t  *side;
    fota_attr_t  *a;

    s->facts.nattrs = 0;
    s->facts.ngroups = 0;

    side = &s->side_attrs;

    while (side->device != 0 && side->device <= id) {

        if (side->device == id && s->facts.nattrs < FOTA_ATTRS_MAX) {
            a = &s->attrs[s->facts.nattrs++];
            a->name = fota_sql_dup(&s->scratch.mem, side->rows, 1);
            a->value = fota_sql_dup(&s->scratch.mem, side->rows, 2);
        }

        rc = fota_side_next(side);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    side = &s->side_groups;

    while (side->device != 0 && side->device <= id) {

        if (side->device == id
            && s->facts.ngroups < FOTA_DEVICE_GROUPS_MAX)
        {
            s->groups[s->facts.ngroups++] =
                                    (uint32_t) fota_db_u64(side->rows, 1);
        }

        rc = fota_side_next(side);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


static void
fota_scan_chars(char *out, size_t size, fota_str_t s)
{
    size_t  n;

    n = (s.len < size) ? s.len : size - 1;

    memcpy(out, (s.data != NULL) ? s.data : (const uint8_t *) "", n);
    out[n] = '\0';
}


/* Slices point into the row: used before the next one is fetched. */

static void
fota_scan_row(fota_scan_t *s, fota_rows_t *rows)
{
    fota_location_t  *l;

    l = &s->location;

    s->facts.id = fota_db_str(rows, 1);
    s->facts.version = fota_db_str(rows, 2);
    s->facts.kind = fota_db_str(rows, 3);
    s->facts.tz = fota_db_str(rows, 9);

    fota_scan_chars(l->country, sizeof(l->country), fota_db_str(rows, 4));
    fota_scan_chars(l->continent, sizeof(l->continent),
                    fota_db_str(rows, 5));
    fota_scan_chars(l->region_code, sizeof(l->region_code),
                    fota_db_str(rows, 6));
    fota_scan_chars(l->region, sizeof(l->region), fota_db_str(rows, 7));
    fota_scan_chars(l->city, sizeof(l->city), fota_db_str(rows, 8));
    fota_scan_chars(l->tz, sizeof(l->tz), fota_db_str(rows, 9));
    l->asn = (uint32_t) fota_db_u64(rows, 10);
    l->source = (l->country[0] != '\0') ? FOTA_GEO_REPORTED : FOTA_GEO_NONE;

    s->device.blocked = fota_db_u64(rows, 11) != 0;
    s->device.test = fota_db_u64(rows, 12) != 0;
    s->device.pin = fota_db_str(rows, 13);

    l->country_id = (uint32_t) fota_db_u64(rows, 14);
    l->region_id = (uint32_t) fota_db_u64(rows, 15);
    l->city_id = (uint32_t) fota_db_u64(rows, 16);
}


static int
fota_scan_one(fota_scan_t *s, bool counted, const fota_stage_row_t *stages,
    size_t nstages, fota_audience_t *out)
{
    int              rc;
    bool             tester;
    size_t           i, j;
    uint16_t         bucket;
    uint32_t         group;
    fota_way_e       way;
    fota_amount_t   *region;
    fota_decision_t  d;

    rc = fota_policy_decide(&s->scratch.mem, &s->env, &s->input, &d);
    if (rc != FOTA_OK) {
        return rc;
    }

    out->devices++;

    if (d.reason != FOTA_R_OFFER && !counted) {
        out->excluded[d.reason]++;
        return FOTA_OK;
    }

    out->matched++;

    region = &out->regions[fota_region(s->location.country)];
    region->devices++;

    if (d.reason == FOTA_R_OFFER) {
        way = (d.path.hops > 1) ? FOTA_W_STEPS
              : (d.path.artifact->from == FOTA_NONE) ? FOTA_W_FULL
                                                     : FOTA_W_DELTA;
        out->ways[way].devices++;
        out->ways[way].bytes += d.path.bytes;
        region->bytes += d.path.bytes;
    }

    bucket = fota_stage_bucket(s->rollout.salt, s->facts.id);

    for (i = 0; i < nstages; i++) {
        group = stages[i].test_group ? stages[i].test_group : s->test_group;
        tester = s->device.test;

        for (j = 0; !tester && group != 0 && j < s->facts.ngroups; j++) {
            tester = s->groups[j] == group;
        }

        if (tester || (!stages[i].test_only && bucket < stages[i].permille)) {
            out->population[i]++;
        }
    }

    return FOTA_OK;
}


int
fota_audience(fota_server_t *server, fota_db_t *db,
    const fota_rollout_row_t *row, const fota_stage_row_t *stages,
    size_t nstages, fota_audience_t *out)
{
    int            rc;
    char           sql[1024];
    fota_rows_t   *rows;
    fota_scan_t   *s;
    fota_arena_t   arena;

    memset(out, 0, sizeof(fota_audience_t));

    s = calloc(1, sizeof(fota_scan_t));
    if (s == NULL) {
        return FOTA_NOMEM;
    }

    s->server = server;

    fota_arena_init(&arena, 0);
    fota_arena_init(&s->scratch, FOTA_AUDIENCE_SCRATCH);

    rc = fota_scan_prepare(s, db, &arena.mem, row, stages, nstages, out);

    if (rc == FOTA_OK && s->need_attrs) {
        rc = fota_side_open(s, &s->side_attrs, "SELECT a.device_id, a.name,"
                            " a.value FROM device_attr a JOIN device d"
                            " ON d.id = a.device_id WHERE d.tenant_id = ?"
                            " AND d.product_id = ? ORDER BY a.device_id",
                            row);
    }

    if (rc == FOTA_OK && s->need_groups) {
        rc = fota_side_open(s, &s->side_groups, "SELECT m.device_id,"
                            " m.group_id FROM group_member m JOIN device d"
                            " ON d.id = m.device_id WHERE d.tenant_id = ?"
                            " AND d.product_id = ?"
                            " ORDER BY m.device_id, m.group_id", row);
    }

    if (rc == FOTA_OK) {
        (void) snprintf(sql, sizeof(sql), "SELECT d.id, d.ext_id, d.version,"
                        " d.kind, d.country, d.continent, d.region_code,"
                        " d.region, d.city, d.tz, d.asn, d.blocked, d.test,"
                        " d.pin, d.country_id, d.region_id, d.city_id%s"
                        " FROM device d%s WHERE d.tenant_id = ?"
                        " AND d.product_id = ?%s",
                        s->has_rows ? ", rd.device_id" : "",
                        s->has_rows ? " LEFT JOIN rollout_device rd"
                                      " ON rd.rollout_id = ?"
                                      " AND rd.device_id = d.id" : "",
                        (s->need_attrs || s->need_groups)
                        ? " ORDER BY d.id" : "");

        rc = s->has_rows
             ? fota_db_stream(db, &rows, sql, "uuu", fota_u64(row->id),
                              fota_u64(row->tenant), fota_u64(row->product))
             : fota_db_stream(db, &rows, sql, "uu", fota_u64(row->tenant),
                              fota_u64(row->product));
    }

    if (rc == FOTA_OK) {

        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            fota_arena_reset(&s->scratch);
            fota_scan_row(s, rows);

            rc = fota_scan_sides(s, fota_db_u64(rows, 0));

            if (rc == FOTA_OK) {
                rc = fota_scan_one(s, s->has_rows
                                      && !fota_db_null(rows, 17),
                                   stages, nstages, out);
            }

            if (rc != FOTA_OK) {
                break;
            }
        }

        fota_db_rows_end(rows);

        rc = (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    fota_side_close(s, &s->side_attrs);
    fota_side_close(s, &s->side_groups);
    fota_arena_free(&s->scratch);
    fota_arena_free(&arena);
    free(s);

    return rc;
}
