/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Nodes and the prefix table of the view, built once per generation. */

#include "fota_view_int.h"


typedef struct {
    fota_view_t       *view;
    fota_mem_t        *mem;
    uint32_t           n;
    uint32_t           max;
    fota_node_t       *nodes;
    fota_lpm_entry_t  *entries;
    fota_geoprefix_t  *prefixes;
} fota_view_load_t;


static int fota_view_count(void *ctx, fota_str_t key, fota_str_t value);
static int fota_view_node_each(void *ctx, fota_str_t key, fota_str_t value);
static int fota_view_prefix_load(fota_view_t *v);
static int fota_view_prefix_each(void *ctx, fota_str_t key,
    fota_str_t value);


static int
fota_view_count(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_load_t *load = ctx;

    if (load->n == load->max) {
        return FOTA_LIMIT;
    }

    load->n++;

    return FOTA_OK;
}


const fota_node_set_t *
fota_view_nodes(fota_view_t *v)
{
    int               rc;
    fota_view_load_t  load;

    if (!v->reading) {
        return NULL;
    }

    if (v->nodes_generation == v->generation) {
        return &v->nodes;
    }

    fota_arena_reset(&v->nodes_arena);
    memset(&v->nodes, 0, sizeof(fota_node_set_t));

    memset(&load, 0, sizeof(fota_view_load_t));
    load.view = v;
    load.mem = &v->nodes_arena.mem;
    load.max = FOTA_NODES_MAX;

    rc = fota_store_each(v->store, FOTA_T_NODE, fota_slice(NULL, 0),
                         fota_view_count, &load);

    if (rc == FOTA_OK && load.n != 0) {
        load.max = load.n;
        load.n = 0;
        load.nodes = fota_calloc(load.mem, load.max, sizeof(fota_node_t));

        rc = (load.nodes == NULL)
             ? FOTA_NOMEM
             : fota_store_each(v->store, FOTA_T_NODE, fota_slice(NULL, 0),
                               fota_view_node_each, &load);
    }

    if (rc == FOTA_OK) {
        rc = fota_node_set_build(load.mem, load.nodes, load.n, &v->nodes);
    }

    if (rc != FOTA_OK) {
        memset(&v->nodes, 0, sizeof(fota_node_set_t));
        fota_view_say(v, rc, "node records cannot be used: %s",
                      fota_status_name(rc));
        return &v->nodes;
    }

    v->nodes_generation = v->generation;

    return &v->nodes;
}


static int
fota_view_node_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_load_t *load = ctx;

    int  rc;

    if (load->n == load->max) {
        return FOTA_LIMIT;
    }

    /* Names and addresses point into the record, which lies in the map. */

    value = fota_strdup(load->mem, value);
    if (value.data == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_node_decode(load->mem, value, &load->nodes[load->n]);

    if (rc == FOTA_NOMEM) {
        return rc;
    }

    if (rc != FOTA_OK) {

        /* One bad record must not take the other nodes away. */

        fota_view_say(load->view, rc, "a node record was refused: %s",
                      fota_status_name(rc));
        memset(&load->nodes[load->n], 0, sizeof(fota_node_t));

        return FOTA_OK;
    }

    load->n++;

    return FOTA_OK;
}


int
fota_view_prefix(fota_view_t *v, const uint8_t addr[16],
    const fota_geoprefix_t **out)
{
    int64_t  i;

    if (!v->reading) {
        return FOTA_ERROR;
    }

    /*
     * Any change of policy asks for a new table, but a table of many
     * prefixes is not read again for every change: once per refresh.
     */

    if (v->prefix_generation != v->generation
        && (v->nprefixes <= FOTA_VIEW_SMALL || v->prefix_tick != v->tick))
    {
        (void) fota_view_prefix_load(v);
    }

    if (v->lpm == NULL) {
        return FOTA_NOTFOUND;
    }

    i = fota_lpm_find(v->lpm, addr);

    if (i < 0 || i >= v->nprefixes) {
        return FOTA_NOTFOUND;
    }

    *out = &v->prefixes[i];

    return FOTA_OK;
}


static int
fota_view_prefix_load(fota_view_t *v)
{
    int               rc;
    fota_view_load_t  load;

    v->prefix_generation = v->generation;
    v->prefix_tick = v->tick;
    v->lpm = NULL;
    v->nprefixes = 0;
    fota_arena_reset(&v->prefix_arena);

    memset(&load, 0, sizeof(fota_view_load_t));
    load.view = v;
    load.mem = &v->prefix_arena.mem;
    load.max = FOTA_VIEW_PREFIXES_MAX;

    rc = fota_store_each(v->store, FOTA_T_GEOPREFIX, fota_slice(NULL, 0),
                         fota_view_count, &load);

    if (rc != FOTA_OK || load.n == 0) {
        goto done;
    }

    load.max = load.n;
    load.n = 0;
    load.entries = fota_calloc(load.mem, load.max, sizeof(fota_lpm_entry_t));
    load.prefixes = fota_calloc(load.mem, load.max,
                                sizeof(fota_geoprefix_t));

    if (load.entries == NULL || load.prefixes == NULL) {
        rc = FOTA_NOMEM;
        goto done;
    }

    rc = fota_store_each(v->store, FOTA_T_GEOPREFIX, fota_slice(NULL, 0),
                         fota_view_prefix_each, &load);

    if (rc == FOTA_OK) {
        rc = fota_lpm_build(load.mem, load.entries, load.n, &v->lpm);
    }

    if (rc == FOTA_OK) {
        v->prefixes = load.prefixes;
        v->nprefixes = load.n;
    }

done:

    if (rc != FOTA_OK) {
        v->lpm = NULL;
        v->nprefixes = 0;
        fota_view_say(v, rc, "the prefix table cannot be used: %s",
                      fota_status_name(rc));
    }

    return rc;
}


static int
fota_view_prefix_each(void *ctx, fota_str_t key, fota_str_t value)
{
    fota_view_load_t *load = ctx;

    int  rc;

    if (load->n == load->max) {
        return FOTA_LIMIT;
    }

    if (key.len != 17 || key.data[16] > 128) {
        return FOTA_OK;
    }

    rc = fota_geoprefix_decode(value, &load->prefixes[load->n]);

    if (rc != FOTA_OK) {
        fota_view_say(load->view, rc, "a prefix record was refused: %s",
                      fota_status_name(rc));
        return FOTA_OK;
    }

    memcpy(load->entries[load->n].addr, key.data, 16);
    load->entries[load->n].plen = key.data[16];
    load->entries[load->n].value = load->n;
    load->n++;

    return FOTA_OK;
}
