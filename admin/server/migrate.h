/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The schema of the database: numbered steps compiled in, each applied once
 * under a lock, its SHA-256 kept in schema_version.
 */

#ifndef FOTA_ADMIN_MIGRATE_H
#define FOTA_ADMIN_MIGRATE_H

#include "db.h"
#include "schema.h"

typedef struct {
    unsigned  have;             /* last step applied, 0 = none */
    unsigned  want;             /* last step compiled in */
    char      error[256];
} fota_migrate_t;

/*
 * FOTA_OK: up to date.  FOTA_STALE: steps are to be applied.  FOTA_TOO_NEW:
 * the database was made by a newer program.  FOTA_CORRUPT: an applied step
 * is not the one compiled in.  Others: the database failed.
 */
int fota_migrate_check(fota_db_t *db, fota_migrate_t *m);

/* Applies what is missing; report gets a line for each step. */
int fota_migrate_run(fota_db_t *db, fota_migrate_t *m,
    void (*report)(const char *line));

/*
 * Takes the next statement off *sql: outside quotes and comments a ";" ends
 * it.  Comments are dropped.  False at the end.  out is malloc'ed.
 */
bool fota_migrate_statement(const char **sql, char **out);

#endif /* FOTA_ADMIN_MIGRATE_H */
