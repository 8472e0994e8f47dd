/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The report spool: append-only segments written by nginx workers, read by
 * the agent.  One writer per segment; a name is
 * "<boot>-<worker>-<number>.seg", boot and number in 16 hex digits, worker
 * in 4, so that names sort by age within a writer.
 *
 * segment: "FSS1" | version u32 | boot u64 | worker u32 | number u64
 * record:  magic u32 0x53504652 | len u32 | crc32c u32 | seq u64 |
 *          report_id[16] | recv_ms u64 | payload[len]    (little-endian)
 * The CRC covers everything from len on but itself.  A torn last record ends
 * a segment silently; damage before the end is FOTA_CORRUPT.
 */

#ifndef FOTA_SPOOL_H
#define FOTA_SPOOL_H

#include "fota_buf.h"

#define FOTA_SPOOL_SEGMENT_HEADER  28
#define FOTA_SPOOL_RECORD_HEADER   44
#define FOTA_SPOOL_SEGMENT_MAX     (64 * 1024 * 1024)
#define FOTA_SPOOL_PAYLOAD_MAX     65536
#define FOTA_SPOOL_NAME_MAX        64

typedef struct {
    uint64_t  boot;
    uint32_t  worker;
    uint64_t  number;
} fota_spool_segment_t;

typedef struct {
    uint64_t    seq;            /* within the segment, from 1 */
    uint8_t     report_id[16];
    uint64_t    recv_ms;        /* ms since 1970 */
    fota_str_t  payload;        /* JSON object written by the edge */
} fota_spool_record_t;

void fota_spool_segment_encode(const fota_spool_segment_t *s,
    fota_buf_t *out);
int fota_spool_segment_decode(fota_rd_t *rd, fota_spool_segment_t *s);

/* FOTA_LIMIT for a payload over FOTA_SPOOL_PAYLOAD_MAX. */
int fota_spool_record_encode(const fota_spool_record_t *r, fota_buf_t *out);

/*
 * FOTA_OK, FOTA_NOTFOUND (clean end), FOTA_TRUNCATED (torn end: wait for more
 * or end of a dead writer's segment), FOTA_CORRUPT.
 */
int fota_spool_record_decode(fota_rd_t *rd, fota_spool_record_t *r);

/*
 * Head of the record that begins at data, its checksum unproved: for counts.
 * FOTA_OK, FOTA_TRUNCATED, FOTA_CORRUPT.
 */
int fota_spool_record_peek(fota_str_t data, uint64_t *seq,
    uint64_t *recv_ms);

/* seq of the last whole record in data, or FOTA_NOTFOUND. */
int fota_spool_record_last(fota_str_t data, uint64_t *seq);

/* File name of a segment into out[FOTA_SPOOL_NAME_MAX], with NUL. */
void fota_spool_name(char *out, const fota_spool_segment_t *s);
int fota_spool_name_parse(fota_str_t name, fota_spool_segment_t *s);

/*
 * First 16 bytes of SHA-256("fota-report/1\0" | tenant u32 | len u16 device |
 * rollout u32 | attempt u16 | seq u32): a device's retry through another
 * edge gets the same id.
 */
int fota_report_id(uint8_t id[16], uint32_t tenant, fota_str_t device,
    uint32_t rollout, uint16_t attempt, uint32_t seq);

#endif /* FOTA_SPOOL_H */
