/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A rollout as its rows say, and what it becomes for a decision.  Shared by
 * the API, the renderer of products, the controller and the plan.
 */

#ifndef FOTA_ADMIN_ROLLOUT_ROW_H
#define FOTA_ADMIN_ROLLOUT_ROW_H

#include "fota_record.h"
#include "db.h"

#define FOTA_STAGES_MAX  32

typedef struct {
    uint32_t    id;
    uint32_t    tenant;
    uint32_t    product;
    fota_str_t  name;
    fota_str_t  kind;
    fota_str_t  state;
    fota_str_t  state_reason;
    uint32_t    target;         /* firmware id, 0 = latest */
    fota_str_t  strategy;
    int32_t     weight;
    uint64_t    salt;
    fota_str_t  filter;
    fota_str_t  sources;        /* JSON lists, data NULL = none */
    fota_str_t  geo_include;
    fota_str_t  geo_exclude;
    fota_str_t  geo_unknown;
    fota_str_t  windows;
    fota_str_t  time_mode;
    fota_str_t  zone;
    int64_t     start;          /* Unix s */
    int64_t     end;
    bool        allow_downgrade;
    bool        require_fresh;
    uint16_t    max_attempts;
    uint32_t    max_active;
    uint64_t    max_bps;
    uint8_t     rate_class;
    uint16_t    dispersion;
    uint32_t    token_ttl;
    uint8_t     brake;
    uint16_t    stage;
    int64_t     stage_since;    /* ms */
    uint32_t    rollback_of;
    fota_str_t  created_by;
    fota_str_t  approved_by;    /* data NULL = nobody */
    int64_t     created;        /* ms */
    int64_t     started;
    int64_t     finished;
} fota_rollout_row_t;

typedef struct {
    uint16_t  n;
    uint16_t  permille;         /* 0..10000 of the stage hash */
    uint32_t  test_group;
    bool      test_only;
    double    success_pct;
    double    error_pct;
    uint32_t  min_count;
    uint32_t  soak;             /* s */
    bool      auto_next;
} fota_stage_row_t;

/* The columns in the order of fota_rollout_row_read(). */
extern const char  fota_rollout_columns[];

/* The current row of a query that selected just them; copied to mem. */
int fota_rollout_row_read(fota_mem_t *mem, fota_rows_t *rows,
    fota_rollout_row_t *row);

/* One rollout; lock: FOR UPDATE.  FOTA_NOTFOUND. */
int fota_rollout_row_get(fota_db_t *db, fota_mem_t *mem, uint32_t tenant,
    uint32_t id, bool lock, fota_rollout_row_t *row);

/* Stages ascending; cap FOTA_STAGES_MAX. */
int fota_stage_rows(fota_db_t *db, uint32_t rollout,
    fota_stage_row_t stages[FOTA_STAGES_MAX], size_t *n);

/* Words of the columns; -1 = unknown. */
int fota_strategy_parse(fota_str_t s);

/* A JSON list of strings, or NULL, to slices in mem; FOTA_LIMIT over max. */
int fota_row_list(fota_mem_t *mem, fota_str_t json, size_t max,
    fota_str_t **list, uint16_t *n);

/*
 * Names of groups for filters: all groups of a tenant, read at the first
 * name asked for.
 */
typedef struct fota_group_row_s  fota_group_row_t;

typedef struct {
    fota_filter_groups_t   groups;      /* first */
    fota_db_t             *db;
    fota_mem_t            *mem;
    uint32_t               tenant;
    bool                   loaded;
    size_t                 n;
    fota_group_row_t      *rows;
} fota_group_names_t;

void fota_group_names_init(fota_group_names_t *g, fota_db_t *db,
    fota_mem_t *mem, uint32_t tenant);

/* Filter text to code in mem; err: text for people, with the column. */
int fota_filter_code(fota_mem_t *mem, fota_str_t text,
    fota_group_names_t *groups, fota_str_t *code, char *err, size_t errlen);

/*
 * The rollout of a product record; max_active and max_bps are those of the
 * whole fleet.  stage: the running one, NULL = none yet.  product has its
 * firmware already.  On FOTA_INVALID, FOTA_LIMIT and FOTA_NOTFOUND err says
 * why; other results are of the database.
 */
int fota_rollout_compile(fota_mem_t *mem, const fota_rollout_row_t *row,
    const fota_stage_row_t *stage, const fota_product_t *product,
    fota_group_names_t *groups, fota_rollout_t *out, char *err,
    size_t errlen);

#endif /* FOTA_ADMIN_ROLLOUT_ROW_H */
