/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Reading the report spool: which segments there are, what to send next. */

#ifndef FOTA_AGENT_SPOOL_H
#define FOTA_AGENT_SPOOL_H


#include "fota_spool.h"


#define FOTA_AGENT_BATCH_RECORDS  1000
#define FOTA_AGENT_BATCH_BYTES    (1024 * 1024)     /* header included */


typedef struct {
    fota_spool_segment_t  id;
    uint64_t              size;         /* bytes when it was listed */
    int64_t               mtime;        /* Unix s */
    unsigned              later:1;      /* its writer went on to another */
} fota_agent_segment_t;

typedef struct {
    fota_agent_segment_t  *list;        /* by writer, then age */
    size_t                 n;
    size_t                 cap;
} fota_agent_segments_t;

/* FOTA_IO, FOTA_NOMEM.  Freed by the caller, also after an error. */
int fota_agent_spool_list(const char *dir, fota_agent_segments_t *s);

/* Sorts and says of each whether its writer left it.  Part of _list. */
void fota_agent_spool_sort(fota_agent_segments_t *s);


typedef struct {
    unsigned   n;               /* records */
    size_t     len;             /* bytes of them */
    uint64_t   first, last;     /* seqs */
    uint64_t   oldest;          /* ms: recv_ms of the first */
    int        end;             /* FOTA_OK: a bound; else why it ended:
                                   NOTFOUND, TRUNCATED, CORRUPT */
} fota_agent_batch_t;

/* Whole records from the front of data, within the bounds of a batch. */
void fota_agent_spool_batch(fota_str_t data, fota_agent_batch_t *b);

/* Bytes to skip from damage to the next record; data.len when none is. */
size_t fota_agent_spool_resync(fota_str_t data);


/* What of each segment the centre has: "name offset" lines in a file. */

typedef struct {
    fota_spool_segment_t  id;
    uint64_t              offset;
} fota_agent_mark_t;

typedef struct {
    fota_agent_mark_t  *marks;
    size_t              n;
    size_t              cap;
} fota_agent_cursor_t;

/* FOTA_OK, FOTA_NOTFOUND (no file yet), FOTA_CORRUPT, FOTA_IO. */
int fota_agent_cursor_load(fota_agent_cursor_t *c, const char *path);
int fota_agent_cursor_parse(fota_agent_cursor_t *c, fota_str_t text);

/* Durable when it returns FOTA_OK. */
int fota_agent_cursor_save(const fota_agent_cursor_t *c, const char *path);

uint64_t fota_agent_cursor_get(const fota_agent_cursor_t *c,
    const fota_spool_segment_t *id);
int fota_agent_cursor_set(fota_agent_cursor_t *c,
    const fota_spool_segment_t *id, uint64_t offset);
void fota_agent_cursor_drop(fota_agent_cursor_t *c,
    const fota_spool_segment_t *id);

/* Forgets segments that are not in the list. */
void fota_agent_cursor_prune(fota_agent_cursor_t *c,
    const fota_agent_segments_t *s);

void fota_agent_cursor_free(fota_agent_cursor_t *c);


#endif /* FOTA_AGENT_SPOOL_H */
