/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* One round of the sequencer, in its parts. */

#ifndef FOTA_ADMIN_SEQUENCER_H
#define FOTA_ADMIN_SEQUENCER_H

#include "fota_sync.h"

#include "feed.h"
#include "render.h"

#define FOTA_SEQ_ROWS  1000             /* outbox rows of a round */

/* An object that may have changed, and what became of it. */
typedef struct {
    uint8_t     table;
    bool        skip;           /* no record can be made: the last one stays */
    fota_str_t  key;
    fota_str_t  value;          /* data NULL: delete */
} fota_seq_item_t;

typedef struct {
    fota_render_t     render;
    fota_arena_t      scratch;  /* of one object */
    fota_mem_t       *mem;      /* of the round */
    bool              force;    /* pass over objects with any error */
    size_t            n;
    size_t            cap;
    fota_seq_item_t  *items;
    size_t            ndevices;
    uint64_t         *devices;  /* row ids, not yet looked up */
} fota_seq_t;

/* Adds an object once its key is known; duplicates are dropped by _sort. */
int fota_seq_add(fota_seq_t *s, fota_table_e table, fota_str_t key);

/* Sorts by table and key and drops duplicates. */
void fota_seq_sort(fota_seq_t *s);

/* Renders every item without a record yet. */
int fota_seq_render(fota_seq_t *s);

/* Devices by row id: looked up and rendered together. */
int fota_seq_devices(fota_seq_t *s);

/*
 * Drops what edges have already, numbers the rest and writes log and state;
 * *feed moves.  *nops = operations written.
 */
int fota_seq_write(fota_seq_t *s, fota_feed_t *feed, size_t *nops);

#endif /* FOTA_ADMIN_SEQUENCER_H */
