/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Node selection: deterministic and explainable.  Steps: prefix override,
 * filter, locate, distance (floor 50 km; same country x0.8, same ASN x0.5),
 * band (1.5 * nearest + 100 km, at least 3, at most 3 000 km), weight
 * (weight * cap * health * headroom / relative distance), weighted
 * rendezvous (-ln U / w, smallest wins), distinct sites.
 */

#ifndef FOTA_NODE_H
#define FOTA_NODE_H

#include "fota_record.h"
#include "fota_lpm.h"

#define FOTA_PICKS_MAX  3
#define FOTA_AVOID_MAX  4

typedef struct {
    fota_node_t  node;
    double       x, y, z;       /* unit vector */
} fota_node_entry_t;

typedef struct {
    uint32_t            n;
    fota_node_entry_t  *nodes;  /* ascending id */
} fota_node_set_t;

typedef struct {
    double    band;             /* 1.5 */
    double    band_km;          /* 100 */
    double    max_km;           /* 3000: how far widening goes */
    uint32_t  min;              /* 3 */
    uint32_t  health_s;         /* load and health older than this: h = 0.5 */
} fota_select_conf_t;

extern const fota_select_conf_t  fota_select_defaults;

typedef struct {
    uint32_t                tenant;
    uint8_t                 family;     /* FOTA_FAMILY_* of the client */
    uint32_t                prefix_group;       /* from LPM, 0 = none */
    const fota_location_t  *location;
    const fota_tenant_t    *tenant_conf;        /* defaults list, may be NULL */
    const uint8_t          *artifact;   /* SHA-256 */
    uint64_t                device_hash;
    uint16_t                dispersion; /* 0 = cold: artifact alone */
    uint32_t                avoid[FOTA_AVOID_MAX];
    uint32_t                navoid;
    uint16_t                pool;       /* node group asked by a hook, 0=any */
    int64_t                 now;
    /* May this edge mint for the group?  NULL = any. */
    bool                  (*mintable)(void *ctx, uint16_t group);
    void                   *mintable_ctx;
} fota_node_query_t;

typedef enum {
    FOTA_N_PICKED = 0,
    FOTA_N_CANDIDATE,           /* in the band, not among the first */
    FOTA_N_STATE,               /* drain or down */
    FOTA_N_FAMILY,
    FOTA_N_TENANT,
    FOTA_N_SCOPE,
    FOTA_N_EXCLUDED,            /* country */
    FOTA_N_AVOIDED,
    FOTA_N_POOL,
    FOTA_N_KEY,                 /* no key of its group here */
    FOTA_N_FAR,                 /* outside the band */
    FOTA_N_FULL,                /* no headroom */
    FOTA_N_SITE                 /* same site as a better one */
} fota_node_reason_e;

const char *fota_node_reason_name(fota_node_reason_e r);

typedef struct {
    uint32_t                  n;
    const fota_node_entry_t  *pick[FOTA_PICKS_MAX];
    double                    km[FOTA_PICKS_MAX];       /* 0 = unknown */
    unsigned                  panic:1;  /* health was ignored */
} fota_node_choice_t;

typedef void (*fota_node_trace_pt)(void *ctx, const fota_node_entry_t *e,
    fota_node_reason_e reason, double km, double weight, double score);

/* Headroom falls from 1 to 0 between these loads. */

#define FOTA_NODE_BUSY  0.70
#define FOTA_NODE_FULL  0.90

/* load in percent. */

static inline double
fota_node_headroom(uint8_t load)
{
    double  room;

    room = (FOTA_NODE_FULL - load * 0.01)
           * (1 / (FOTA_NODE_FULL - FOTA_NODE_BUSY));

    /* 90 percent is full, whatever rounding leaves of 0.90 - 0.90. */

    return (room > 1) ? 1 : (room < 1e-9) ? 0 : room;
}


/* Unit vector of a position in degrees. */
void fota_node_vector(double lat, double lon, double v[3]);

/*
 * Great-circle distance in km on a sphere of 6 371 km, exact to a metre: acos
 * after Abramowitz and Stegun, 4.4.46, the same on every machine.
 */
double fota_node_km(const double v[3], const fota_node_entry_t *e);

/*
 * Computes the unit vectors and sorts by id; the strings and lists of nodes
 * are kept by reference.  FOTA_INVALID for a position off the globe or an id
 * given twice.
 */
int fota_node_set_build(fota_mem_t *mem, const fota_node_t *nodes, uint32_t n,
    fota_node_set_t *out);

/*
 * A node is down when its state says so or fresh health is 0; drain is the
 * operator's word and never overruled.  When more than half of those that
 * may serve are down, all are used and health is ignored (panic).  The nodes
 * of prefix_group come first and stand for the rest unless none of them is up
 * and has room.  Without a position, or with a country's centroid, the
 * tenant's default nodes of the country, else continent, else "*" are taken,
 * and without any of them all, at one distance.  Full nodes count for the
 * band, so that it does not move with the load.
 *
 * U = siphash(K, 0; id u32 LE), K = siphash(0, 0; artifact [| device_hash mod
 * dispersion, u16 LE]).  Ids in avoid beyond FOTA_AVOID_MAX are ignored.
 *
 * FOTA_OK with 1..3 picks, FOTA_BUSY (capacity), FOTA_NOTFOUND (no node may
 * serve this client).  Scratch from mem; trace may be NULL.
 */
int fota_node_select(fota_mem_t *mem, const fota_node_set_t *set,
    const fota_select_conf_t *conf, const fota_node_query_t *q,
    fota_node_choice_t *out, fota_node_trace_pt trace, void *trace_ctx);

#endif /* FOTA_NODE_H */
