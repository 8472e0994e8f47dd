/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * POST /api/v1/rollouts/{rollout}/plan: what a rollout would do, before it
 * does.  Numbers of devices and bytes are exact for what the database knows
 * now; time and bandwidth are an estimate:
 *
 * Devices ask once in a poll interval, at any moment of it; with windows
 * those of a place ask within FOTA_WAKE_SPREAD after an opening.  A stage
 * takes at least one interval (a day with windows) and its soak time, and as
 * long as its bytes take at the least of max_bps, max_active times a usual
 * rate, and what all nodes together can send.
 */

#include <stdlib.h>

#include "audience.h"


#define FOTA_PLAN_DAY       86400
#define FOTA_PLAN_WEEK      (7 * FOTA_PLAN_DAY)
#define FOTA_PLAN_DEVICE    (1024 * 1024)       /* bytes/s of one device */


typedef struct {
    const fota_rollout_form_t  *form;
    fota_audience_t             a;
    uint64_t                    bytes;
    uint64_t                    capacity;       /* bytes/s of the nodes */
    uint64_t                    rate;           /* bytes/s that is possible */
    const char                 *limited_by;
    uint32_t                    open;           /* s a week */
    uint64_t                    spread;         /* s in which all ask */
} fota_plan_t;


static int fota_plan_capacity(fota_req_t *req, uint64_t *bps);
static int fota_plan_open(fota_req_t *req, fota_plan_t *p);
static void fota_plan_rate(fota_plan_t *p);
static uint64_t fota_plan_stage(const fota_plan_t *p, size_t i);
static json_t *fota_plan_amount(const fota_amount_t *a);
static json_t *fota_plan_regions(const fota_plan_t *p, uint64_t *peak);
static int fota_plan_region_cmp(const void *a, const void *b);
static json_t *fota_plan_json(fota_plan_t *p, int64_t took);


static int
fota_plan_capacity(fota_req_t *req, uint64_t *bps)
{
    int       rc;
    uint64_t  mbps;

    rc = fota_db_number(req->db, &mbps, "SELECT COALESCE(SUM(cap_mbps), 0)"
                        " FROM node WHERE state = 'up'", "");
    *bps = mbps * 1000000 / 8;

    return rc;
}


/* Minutes of a week in which any window is open, as seconds. */

static int
fota_plan_open(fota_req_t *req, fota_plan_t *p)
{
    int             rc;
    size_t          i, m, from, len, day, pos;
    uint8_t        *week;
    uint16_t        n;
    fota_str_t     *texts;
    fota_window_t   w;

    p->open = FOTA_PLAN_WEEK;

    rc = fota_row_list(&req->arena.mem, p->form->row.windows,
                       FOTA_WINDOWS_MAX, &texts, &n);

    if (rc != FOTA_OK || n == 0) {
        return rc;
    }

    week = fota_calloc(&req->arena.mem, 7 * 1440, 1);
    if (week == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {
        rc = fota_window_parse(texts[i], &w, &pos);
        if (rc != FOTA_OK) {
            return rc;
        }

        len = (w.to > w.from) ? (size_t) w.to - w.from
                              : (size_t) w.to + 1440 - w.from;

        for (day = 0; day < 7; day++) {
            if ((w.days >> day & 1) == 0) {
                continue;
            }

            from = day * 1440 + w.from;

            for (m = 0; m < len; m++) {
                week[(from + m) % (7 * 1440)] = 1;
            }
        }
    }

    for (m = 0, p->open = 0; m < 7 * 1440; m++) {
        p->open += week[m] * 60u;
    }

    return FOTA_OK;
}


static void
fota_plan_rate(fota_plan_t *p)
{
    uint64_t                   limit;
    const fota_rollout_row_t  *row;

    row = &p->form->row;

    p->limited_by = "devices";
    p->rate = UINT64_MAX;

    if (p->capacity != 0) {
        p->rate = p->capacity;
        p->limited_by = "nodes";
    }

    if (row->max_bps != 0 && row->max_bps < p->rate) {
        p->rate = row->max_bps;
        p->limited_by = "max_bps";
    }

    if (row->max_active != 0) {
        limit = (uint64_t) row->max_active * FOTA_PLAN_DEVICE;

        if (limit < p->rate) {
            p->rate = limit;
            p->limited_by = "max_active";
        }
    }
}


/* Seconds of stage i: those it adds to the ones before. */

static uint64_t
fota_plan_stage(const fota_plan_t *p, size_t i)
{
    double    bytes;
    uint64_t  devices, asks, sends;

    devices = p->a.population[i];

    if (i != 0) {
        devices = (devices > p->a.population[i - 1])
                  ? devices - p->a.population[i - 1] : 0;
    }

    if (devices == 0) {
        return p->form->stages[i].soak;
    }

    bytes = (p->a.matched == 0) ? 0
            : (double) p->bytes * (double) devices / (double) p->a.matched;

    asks = (p->open < FOTA_PLAN_WEEK) ? FOTA_PLAN_DAY : p->a.poll;

    /* Only while windows are open is anything sent. */

    sends = (p->rate == UINT64_MAX || p->open == 0) ? 0
            : (uint64_t) (bytes / (double) p->rate
                          * ((double) FOTA_PLAN_WEEK / p->open));

    return ((sends > asks) ? sends : asks) + p->form->stages[i].soak;
}


static json_t *
fota_plan_amount(const fota_amount_t *a)
{
    return json_pack("{s:I, s:I}", "devices", (json_int_t) a->devices,
                     "bytes", (json_int_t) a->bytes);
}


typedef struct {
    unsigned       region;
    fota_amount_t  amount;
} fota_plan_region_t;


static int
fota_plan_region_cmp(const void *a, const void *b)
{
    const fota_plan_region_t  *x, *y;

    x = a;
    y = b;

    if (x->amount.devices != y->amount.devices) {
        return (x->amount.devices > y->amount.devices) ? -1 : 1;
    }

    return (int) x->region - (int) y->region;
}


/*
 * Peak: the largest step of the stages asks within the spread, in the share
 * of the region; never more than can be sent at all.
 */

static json_t *
fota_plan_regions(const fota_plan_t *p, uint64_t *peak)
{
    char                 name[3];
    double               step, bps;
    size_t               i, n;
    json_t              *list;
    uint64_t             before, devices;
    fota_plan_region_t  *regions;

    list = json_array();
    *peak = 0;

    regions = calloc(FOTA_REGIONS, sizeof(fota_plan_region_t));
    if (regions == NULL) {
        return list;
    }

    for (i = 0, n = 0; i < FOTA_REGIONS; i++) {
        if (p->a.regions[i].devices != 0) {
            regions[n].region = (unsigned) i;
            regions[n++].amount = p->a.regions[i];
        }
    }

    qsort(regions, n, sizeof(fota_plan_region_t), fota_plan_region_cmp);

    for (i = 0, before = 0, step = 0; i < p->form->nstages; i++) {
        devices = p->a.population[i];

        if (devices > before && (double) (devices - before) > step) {
            step = (double) (devices - before);
        }

        before = devices;
    }

    step = (p->a.matched == 0) ? 0 : step / (double) p->a.matched;

    for (i = 0; i < n; i++) {
        bps = (double) regions[i].amount.bytes * step
              / (double) (p->spread ? p->spread : 1);

        if (p->rate != UINT64_MAX && bps > (double) p->rate) {
            bps = (double) p->rate;
        }

        /* Windows of different places open at different hours. */

        if (p->open == FOTA_PLAN_WEEK || (uint64_t) bps > *peak) {
            *peak = (p->open == FOTA_PLAN_WEEK) ? *peak + (uint64_t) bps
                                                : (uint64_t) bps;
        }

        fota_region_name(regions[i].region, name);

        json_array_append_new(list,
            json_pack("{s:s, s:I, s:I, s:I}", "country", name, "devices",
                      (json_int_t) regions[i].amount.devices, "bytes",
                      (json_int_t) regions[i].amount.bytes, "peak_bps",
                      (json_int_t) bps));
    }

    if (p->rate != UINT64_MAX && *peak > p->rate) {
        *peak = p->rate;
    }

    free(regions);

    return list;
}


static json_t *
fota_plan_json(fota_plan_t *p, int64_t took)
{
    int       r;
    size_t    i;
    json_t   *v, *excluded, *bytes, *stages;
    uint64_t  peak, seconds, all;

    excluded = json_object();

    for (r = 0; r < FOTA_R__N; r++) {
        if (p->a.excluded[r] != 0) {
            json_object_set_new(excluded, fota_reason_name(r),
                                json_integer((json_int_t)
                                             p->a.excluded[r]));
        }
    }

    bytes = json_object();
    json_object_set_new(bytes, "full",
                        fota_plan_amount(&p->a.ways[FOTA_W_FULL]));
    json_object_set_new(bytes, "delta",
                        fota_plan_amount(&p->a.ways[FOTA_W_DELTA]));
    json_object_set_new(bytes, "steps",
                        fota_plan_amount(&p->a.ways[FOTA_W_STEPS]));
    json_object_set_new(bytes, "total", json_integer((json_int_t) p->bytes));

    stages = json_array();

    for (i = 0, all = 0; i < p->form->nstages; i++) {
        seconds = fota_plan_stage(p, i);
        all += seconds;

        json_array_append_new(stages,
            json_pack("{s:i, s:f, s:I, s:I}", "n",
                      (int) p->form->stages[i].n, "percent",
                      (double) p->form->stages[i].permille / 100,
                      "population", (json_int_t) p->a.population[i],
                      "duration_s", (json_int_t) seconds));
    }

    v = json_object();
    json_object_set_new(v, "devices",
                        json_integer((json_int_t) p->a.devices));
    json_object_set_new(v, "matched",
                        json_integer((json_int_t) p->a.matched));
    json_object_set_new(v, "excluded", excluded);
    json_object_set_new(v, "bytes", bytes);
    json_object_set_new(v, "stages", stages);
    json_object_set_new(v, "regions", fota_plan_regions(p, &peak));
    json_object_set_new(v, "duration_s", json_integer((json_int_t) all));
    json_object_set_new(v, "peak_bps", json_integer((json_int_t) peak));
    json_object_set_new(v, "capacity_bps",
                        json_integer((json_int_t) p->capacity));
    json_object_set_new(v, "limited_by", json_string(p->limited_by));
    json_object_set_new(v, "open_s_per_week", json_integer(p->open));
    json_object_set_new(v, "took_ms", json_integer(took));

    return v;
}


static int
fota_plan_handler(fota_req_t *req)
{
    int                  rc;
    int64_t              start;
    fota_plan_t         *p;
    fota_rollout_form_t  form;

    start = fota_now_ms();

    rc = fota_rollout_load_param(req, false, &form);
    if (rc != FOTA_OK) {
        return rc;
    }

    p = fota_calloc(&req->arena.mem, 1, sizeof(fota_plan_t));
    if (p == NULL) {
        return FOTA_NOMEM;
    }

    p->form = &form;

    rc = fota_audience(req->server, req->db, &form.row, form.stages,
                       form.nstages, &p->a);

    if (rc == FOTA_INVALID || rc == FOTA_LIMIT || rc == FOTA_NOTFOUND) {
        return fota_res_problem(req, 409, "rollout_invalid", NULL, "%s",
                                p->a.error[0] ? p->a.error
                                              : fota_status_name(rc));
    }

    if (rc == FOTA_OK) {
        rc = fota_plan_capacity(req, &p->capacity);
    }

    if (rc == FOTA_OK) {
        rc = fota_plan_open(req, p);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    p->bytes = p->a.ways[FOTA_W_FULL].bytes + p->a.ways[FOTA_W_DELTA].bytes
               + p->a.ways[FOTA_W_STEPS].bytes;
    p->spread = (p->open < FOTA_PLAN_WEEK) ? FOTA_WAKE_SPREAD : p->a.poll;

    fota_plan_rate(p);

    return fota_res_json(req, 200, fota_plan_json(p, fota_now_ms() - start));
}


static const fota_route_t  fota_plan_table[] = {
    { "POST", "/api/v1/rollouts/{rollout}/plan", "rollout:read",
      fota_plan_handler, NULL, FOTA_BODY_JSON, 0 },
};


FOTA_ROUTE_SET(plan, fota_plan_table);
