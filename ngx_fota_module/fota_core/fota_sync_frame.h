/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What batches and snapshots have in common; for fota_sync.c and
 * fota_snapshot.c alone.
 */

#ifndef FOTA_SYNC_FRAME_H
#define FOTA_SYNC_FRAME_H


#include "fota_hash.h"
#include "fota_sync.h"


/* magic, length of the body, its CRC */
#define FOTA_FRAME_HEADER  12


void fota_frame_patch32(fota_buf_t *out, size_t at, uint32_t v);

/* Header at out->len; _end, given that position, fills it in. */
void fota_frame_begin(fota_buf_t *out, const char magic[4]);
void fota_frame_end(fota_buf_t *out, size_t at);

/* max: of the whole frame with its signature. */
int fota_frame_decode(fota_rd_t *rd, const char magic[4], size_t max,
    fota_str_t *body, fota_str_t *sig);

/* table u8 | klen u16 | vlen u32 | key | value */
void fota_entry_encode(fota_buf_t *out, uint8_t table, fota_str_t key,
    fota_str_t value);
int fota_entry_decode(fota_rd_t *rd, fota_op_t *op);


#endif /* FOTA_SYNC_FRAME_H */
