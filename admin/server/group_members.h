/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Members of a static group by lists of ids.  Ids are worked on in
 * transactions of a thousand, so that neither memory nor locks grow with the
 * list.
 */

#ifndef FOTA_ADMIN_GROUP_MEMBERS_H
#define FOTA_ADMIN_GROUP_MEMBERS_H

#include "csv_ids.h"
#include "http.h"

#define FOTA_IMPORT_CHUNK  1024         /* a multiple of FOTA_SQL_LIST_MAX */

typedef struct {
    fota_str_t   id;
    uint64_t     line;
    uint64_t     row;           /* of the device, 0 = unknown */
    unsigned     member:1;
} fota_import_id_t;

typedef struct {
    fota_csv_t         csv;     /* first */
    fota_req_t        *req;
    uint32_t           group;
    uint32_t           product;         /* 0: unknown ids are errors */
    bool               replace;
    bool               remove;  /* takes the ids out instead */
    fota_import_id_t   ids[FOTA_IMPORT_CHUNK];
    size_t             n;
    fota_arena_t       arena;   /* of the chunk */
    fota_arena_t       scratch; /* of one try of its transaction */
    uint64_t           added;
    uint64_t           existing;
    uint64_t           created;
    uint64_t           removed;
    uint64_t           bad;
    json_t            *errors;
    /* Of the try, added to the above after its commit. */
    uint64_t           t_added;
    uint64_t           t_existing;
    uint64_t           t_created;
    uint64_t           t_removed;
} fota_import_t;

/*
 * For the group of the path, which must be static; kept in req->state and
 * freed at the end of the request.  A refusal has its answer set.
 */
int fota_import_open(fota_req_t *req, fota_import_t **out);

/* mode=replace: members that are not named are taken out at the end. */
int fota_import_replace(fota_req_t *req, fota_import_t *im);

/* One id, copied; a bad line is only counted and listed. */
int fota_import_id(fota_import_t *im, uint64_t line, fota_str_t id);
void fota_import_bad(fota_import_t *im, uint64_t line, fota_str_t id,
    const char *code);

/* What is gathered goes to the database. */
int fota_import_flush(fota_import_t *im);

/* The rest, the audit row, the answer. */
int fota_import_end(fota_req_t *req, fota_import_t *im);

#endif /* FOTA_ADMIN_GROUP_MEMBERS_H */
