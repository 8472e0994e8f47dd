/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Private to fota_node.c and fota_node_rank.c: one selection under way. */

#ifndef FOTA_NODE_RUN_H
#define FOTA_NODE_RUN_H


#include <math.h>

#include "fota_node.h"


#define FOTA_EARTH_KM  6371.0


typedef struct fota_node_cand_s  fota_node_cand_t;

struct fota_node_cand_s {
    const fota_node_entry_t  *entry;
    fota_node_cand_t         *next;         /* of the band */
    double                    km;
    double                    distance;     /* what the band is made of */
    double                    weight;       /* 0: no headroom, or far */
    double                    scale;        /* 1 / weight */
    double                    u;            /* hash of key and id, (0,1] */
    double                    bound;        /* score is not below it */
    double                    score;        /* < 0: not computed yet */
    uint8_t                   reason;
    uint8_t                   level;        /* of the defaults */
    unsigned                  down:1;
};


typedef struct {
    const fota_node_set_t     *set;
    const fota_select_conf_t  *conf;
    const fota_node_query_t   *q;
    fota_node_choice_t        *out;
    fota_node_cand_t          *cand;
    fota_node_cand_t          *band;        /* in the order of cand */
    double                     nearest;     /* distance */
    uint32_t                   n;           /* candidates left */
    uint32_t                   navoid;
    int32_t                    asked;       /* group, -1 = none yet */
    unsigned                   mintable:1;  /* what its answer was */
    unsigned                   grouped:1;   /* prefix_group alone */
    unsigned                   located:1;
    double                     v[3];
} fota_node_run_t;


/* Old load and health say nothing. */
bool fota_node_fresh(const fota_node_run_t *s, const fota_node_t *node);

bool fota_node_has(const uint32_t *list, uint32_t n, uint32_t value);

/*
 * Steps 4 to 7 over the candidates; FOTA_OK, or FOTA_BUSY when all of the
 * band are full.  There is at least one.
 */
int fota_node_rank(fota_node_run_t *s);

/* Computed when asked for the first time; only for weights above 0. */
double fota_node_score(fota_node_cand_t *c);


/* See fota_node_km(). */

static inline double
fota_node_arc(const double v[3], const fota_node_entry_t *e)
{
    double  dot, x, x2, x4, a;

    dot = v[0] * e->x + v[1] * e->y + v[2] * e->z;
    x = fabs(dot);
    x = (x > 1) ? 1 : x;

    /* Pairs of terms, for they do not wait for one another (Estrin). */

    x2 = x * x;
    x4 = x2 * x2;

    a = (1.5707963050 - 0.2145988016 * x)
        + (0.0889789874 - 0.0501743046 * x) * x2
        + ((0.0308918810 - 0.0170881256 * x)
           + (0.0066700901 - 0.0012624911 * x) * x2) * x4;

    a *= sqrt(1 - x);

    return FOTA_EARTH_KM * ((dot < 0) ? M_PI - a : a);
}


static inline bool
fota_node_same_code(const char *a, const char *b)
{
    return a[0] != '\0' && a[0] == b[0] && a[1] == b[1];
}


#endif /* FOTA_NODE_RUN_H */
