/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Ingest of one batch of spool records in one transaction.  Statements are
 * over many rows, because a commit costs as much as hundreds of them.
 */

#ifndef FOTA_ADMIN_INGEST_H
#define FOTA_ADMIN_INGEST_H

#include "fota_json.h"
#include "fota_mem.h"
#include "fota_spool.h"

#include "db.h"
#include "ingest_state.h"

#define FOTA_INGEST_MAX  1000           /* records of a batch */

typedef enum {
    FOTA_I_REPORT = 0,
    FOTA_I_SEEN,
    FOTA_I_BYTES
} fota_ingest_type_e;

typedef struct {
    fota_str_t  kind;
    fota_str_t  tz;
    fota_str_t  country;
    fota_str_t  continent;
    fota_str_t  region_code;
    fota_str_t  region;
    fota_str_t  city;
    fota_str_t  reason;
    uint32_t    country_id;     /* GeoNames, 0 = not known */
    uint32_t    region_id;
    uint32_t    city_id;
    uint32_t    asn;
    const fota_json_t  *attrs;  /* name, value, name, ...; NULL: not said */
} fota_ingest_seen_t;

typedef struct {
    uint64_t             seq;           /* in the segment */
    uint8_t              report_id[16];
    int64_t              recv;          /* ms */
    fota_ingest_type_e   type;
    uint32_t             tenant;
    fota_str_t           device;
    fota_str_t           product;
    uint32_t             node;
    uint32_t             rollout;
    fota_str_t           version;       /* data NULL: not said */
    fota_ingest_seen_t   seen;          /* of SEEN */
    fota_report_state_e  state;         /* of REPORT, as all below */
    uint16_t             attempt;
    uint32_t             dseq;          /* the device's own */
    uint8_t              progress;
    bool                 delta;
    uint64_t             bytes;         /* also delivered, of BYTES */
    uint64_t             sent;
    uint64_t             ms;
    fota_str_t           error_code;
    fota_str_t           error_text;
    const char          *refused;       /* stable word, NULL = fine */
    const char          *detail;
    bool                 duplicate;
    uint32_t             entry;         /* index of its device */
} fota_ingest_record_t;

/* A device of the batch: as it was, and what becomes of it. */
typedef struct {
    uint32_t            tenant;
    fota_str_t          ext_id;
    fota_str_t          product;        /* as the last record said */
    uint32_t            product_id;     /* 0: there is no such product */
    bool                auto_register;
    uint64_t            id;             /* 0: not known */
    uint32_t            row_product;
    fota_str_t          version;
    fota_ingest_seen_t  at;
    int64_t             row_seen;       /* ms, as the row says */
    int64_t             seen;           /* ms, newest record */
    uint32_t            node;
    bool                reports;        /* has to be locked */
    bool                changed;
} fota_ingest_device_t;

typedef struct {
    uint32_t    id;
    uint32_t    tenant;
    uint32_t    product;
    uint16_t    stage;
    fota_str_t  kind;
    fota_str_t  target;         /* version, empty = none */
    uint64_t    bytes;          /* of this batch */
    uint64_t    sent;
    uint64_t    requests;
} fota_ingest_rollout_t;

/* A device in a rollout. */
typedef struct {
    uint32_t         rollout;   /* index */
    uint32_t         device;    /* index */
    fota_standing_t  standing;
    fota_bucket_e    was;
    uint16_t         stage;
    fota_str_t       from;      /* version before */
    fota_str_t       error_code;
    int64_t          changed;
    bool             moved;
    bool             attempts;
} fota_ingest_pair_t;

typedef struct {
    fota_db_t              *db;
    fota_mem_t             *mem;
    uint32_t                node;       /* who sends the batch */
    int64_t                 now;        /* ms */
    size_t                  n;
    fota_ingest_record_t   *records;
    size_t                  ndevices;
    fota_ingest_device_t   *devices;    /* ascending */
    size_t                  nrollouts;
    fota_ingest_rollout_t  *rollouts;   /* ascending */
    size_t                  npairs;
    fota_ingest_pair_t     *pairs;      /* ascending */
    size_t                  accepted;
    size_t                  duplicate;
    char                    error[128]; /* of the framing */
} fota_ingest_t;

/*
 * Segment header and records to in->records; a payload that is wrong refuses
 * its record alone.  FOTA_INVALID with in->error: these bytes never pass.
 */
int fota_ingest_parse(fota_ingest_t *in, fota_str_t body);

/* Everything else, within the caller's transaction. */
int fota_ingest_run(fota_ingest_t *in);

/* Parts of it. */

int fota_ingest_devices(fota_ingest_t *in);     /* load and register */
int fota_ingest_devices_lock(fota_ingest_t *in);
int fota_ingest_devices_write(fota_ingest_t *in);
int fota_ingest_attrs_write(fota_ingest_t *in);
void fota_ingest_device_move(fota_ingest_device_t *d,
    const fota_ingest_record_t *r, fota_str_t kind);

int fota_ingest_rollouts(fota_ingest_t *in);
fota_ingest_rollout_t *fota_ingest_rollout(fota_ingest_t *in, uint32_t id);
int fota_ingest_seen_before(fota_ingest_t *in);
int fota_ingest_pairs(fota_ingest_t *in);
int fota_ingest_pairs_apply(fota_ingest_t *in);
int fota_ingest_pairs_write(fota_ingest_t *in);
int fota_ingest_events(fota_ingest_t *in);
int fota_ingest_bytes(fota_ingest_t *in);

#endif /* FOTA_ADMIN_INGEST_H */
