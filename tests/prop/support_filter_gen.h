/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Random devices and random filters over them, the same for one seed. */

#ifndef FOTA_SUPPORT_FILTER_GEN_H
#define FOTA_SUPPORT_FILTER_GEN_H


#include "fota_filter.h"


#define GEN_ATTRS   8
#define GEN_GROUPS  6           /* static groups, ids 1..GEN_GROUPS */


typedef struct {
    fota_facts_t     facts;     /* first: locate() gets its address */
    fota_location_t  loc;
    fota_attr_t      attrs[GEN_ATTRS];
    uint32_t         groups[GEN_GROUPS];
} gen_device_t;


void gen_seed(uint64_t seed);

/* Texts live in mem; number makes the id unique. */
void gen_device(fota_mem_t *mem, gen_device_t *d, unsigned number);

/* A filter that parses, with facts of the devices among its values. */
void gen_filter(fota_buf_t *out, const gen_device_t *devices, size_t n);

/*
 * Groups "g1".."g6" are static and have their number as id; "web" and
 * "none" are dynamic.
 */
int gen_resolve(fota_filter_groups_t *g, fota_str_t pattern, uint32_t *ids,
    size_t cap, size_t *n, fota_str_t *dynamic);


#endif /* FOTA_SUPPORT_FILTER_GEN_H */
