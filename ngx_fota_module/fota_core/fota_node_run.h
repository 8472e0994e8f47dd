/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Private to fota_node.c and fota_node_rank.c: one selection under way. */

#ifndef FOTA_NODE_RUN_H
#define FOTA_NODE_RUN_H


#include "fota_node.h"


typedef struct {
    const fota_node_entry_t  *entry;
    double                    km;
    double                    distance;     /* what the band is made of */
    double                    weight;       /* 0: no headroom */
    double                    u;            /* hash of key and id, (0,1] */
    double                    bound;        /* score is not below it */
    double                    score;        /* < 0: not computed yet */
    uint8_t                   reason;
    uint8_t                   level;        /* of the defaults */
    unsigned                  down:1;
} fota_node_cand_t;


typedef struct {
    const fota_node_set_t     *set;
    const fota_select_conf_t  *conf;
    const fota_node_query_t   *q;
    fota_node_choice_t        *out;
    fota_node_cand_t          *cand;
    uint32_t                   n;           /* candidates left */
    uint32_t                   navoid;
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


static inline bool
fota_node_same_code(const char *a, const char *b)
{
    return a[0] != '\0' && a[0] == b[0] && a[1] == b[1];
}


#endif /* FOTA_NODE_RUN_H */
