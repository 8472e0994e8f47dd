/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Which artifact brings a device nearer to a target.
 *
 * Nodes are the firmware of one kind in release order, edges the artifacts:
 * a delta from -> to, a full package from anywhere -> to.  No edge may jump
 * over a must-pass firmware on the way up, withdrawn firmware is never
 * entered (a must-pass one that is withdrawn therefore closes the way), and
 * steps go towards the target only.  So the graph has an order, and the
 * least bytes (strategy auto) need one pass over it, from the target back:
 * O(firmware + artifacts).  Equal bytes: fewer steps, then the lower index.
 * artifact.requires must hold for every step with the facts of now.
 */

#ifndef FOTA_PATH_H
#define FOTA_PATH_H

#include "fota_record.h"

/* Where a version stands among the firmware of its kind. */

typedef struct {
    uint16_t  index;            /* FOTA_NONE: not ours */
    uint16_t  next;             /* first firmware above it */
} fota_place_t;

void fota_path_place(const fota_product_t *p, uint8_t kind,
    fota_str_t version, fota_place_t *out);

typedef struct {
    const fota_artifact_t  *artifact;   /* the next step */
    uint16_t                step;       /* firmware index it leads to */
    uint16_t                target;     /* firmware index wanted in the end */
    uint16_t                hops;       /* steps to the target, this included */
    uint64_t                bytes;      /* of all those steps */
} fota_path_t;

typedef struct {
    const fota_product_t  *product;
    uint8_t                kind;
    uint8_t                strategy;    /* fota_strategy_e */
    fota_str_t             version;     /* the device's, known or not */
    uint16_t               target;      /* firmware index */
    unsigned               no_delta:1;  /* failed before, or not understood */
    fota_facts_t          *facts;       /* for artifact.requires */
} fota_path_query_t;

/* FOTA_OK; FOTA_NOTFOUND: no way; FOTA_NOMEM. */
int fota_path_find(fota_mem_t *mem, const fota_path_query_t *q,
    fota_path_t *out);

/* Index of a version among the firmware of a kind, or FOTA_NONE. */
uint16_t fota_firmware_find(const fota_product_t *p, uint8_t kind,
    fota_str_t version);

/* Highest firmware of a kind that is not withdrawn, or FOTA_NONE. */
uint16_t fota_firmware_latest(const fota_product_t *p, uint8_t kind);

#endif /* FOTA_PATH_H */
