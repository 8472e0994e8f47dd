/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fota_crypto.h"
#include "migrate.h"


#define FOTA_MIGRATE_LOCK    "fota.migrate"
#define FOTA_MIGRATE_WAIT_S  60


static int fota_migrate_read(fota_db_t *db, fota_migrate_t *m);
static int fota_migrate_step(fota_db_t *db, const fota_schema_step_t *step,
    fota_migrate_t *m);


static int64_t
fota_migrate_ms(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


bool
fota_migrate_statement(const char **sql, char **out)
{
    char         quote, *text;
    size_t       n;
    const char  *p;

    text = malloc(strlen(*sql) + 1);
    if (text == NULL) {
        return false;
    }

    n = 0;
    quote = '\0';

    for (p = *sql; *p != '\0'; p++) {
        if (quote != '\0') {
            text[n++] = *p;

            if (*p == '\\' && p[1] != '\0') {
                text[n++] = *++p;

            } else if (*p == quote) {
                quote = '\0';
            }

            continue;
        }

        if (*p == '-' && p[1] == '-' && (p[2] == ' ' || p[2] == '\n')) {
            p += strcspn(p, "\n");

            if (*p == '\0') {
                break;
            }
        }

        if (*p == ';') {
            p++;
            break;
        }

        if (*p == '\'' || *p == '"' || *p == '`') {
            quote = *p;
        }

        if (n == 0 && isspace((unsigned char) *p)) {
            continue;
        }

        text[n++] = *p;
    }

    while (n > 0 && isspace((unsigned char) text[n - 1])) {
        n--;
    }

    text[n] = '\0';
    *sql = p;

    if (n == 0) {
        free(text);
        return *p != '\0' ? fota_migrate_statement(sql, out) : false;
    }

    *out = text;

    return true;
}


static int
fota_migrate_read(fota_db_t *db, fota_migrate_t *m)
{
    int           rc;
    size_t        i;
    uint8_t       hash[32];
    unsigned      version;
    fota_str_t    got;
    fota_rows_t  *rows;

    m->have = 0;
    m->want = fota_schema_nsteps == 0
              ? 0 : fota_schema_steps[fota_schema_nsteps - 1].number;

    rc = fota_db_query(db, &rows, "SELECT version, sha256 FROM schema_version"
                       " ORDER BY version", "");
    if (rc != FOTA_OK) {
        snprintf(m->error, sizeof(m->error), "%s", fota_db_error(db));
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        version = (unsigned) fota_db_u64(rows, 0);
        got = fota_db_str(rows, 1);

        for (i = 0; i < fota_schema_nsteps; i++) {
            if (fota_schema_steps[i].number == version) {
                break;
            }
        }

        if (i == fota_schema_nsteps) {
            snprintf(m->error, sizeof(m->error), "the database has step %u of "
                     "the schema, this program knows up to %u: use the newer "
                     "program", version, m->want);
            rc = FOTA_TOO_NEW;
            break;
        }

        rc = fota_sha256(hash, fota_schema_steps[i].sql,
                         strlen(fota_schema_steps[i].sql));
        if (rc != FOTA_OK) {
            break;
        }

        if (!fota_str_eq(got, fota_slice(hash, 32))) {
            snprintf(m->error, sizeof(m->error), "step %s of the schema was "
                     "applied from another text than this program has",
                     fota_schema_steps[i].name);
            rc = FOTA_CORRUPT;
            break;
        }

        m->have = version;
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


int
fota_migrate_check(fota_db_t *db, fota_migrate_t *m)
{
    int   rc;
    bool  there;

    m->error[0] = '\0';

    rc = fota_db_exists(db, &there, "SELECT 1 FROM information_schema.tables"
                        " WHERE table_schema = DATABASE()"
                        " AND table_name = 'schema_version'", "");
    if (rc != FOTA_OK) {
        snprintf(m->error, sizeof(m->error), "%s", fota_db_error(db));
        return rc;
    }

    if (there) {
        rc = fota_migrate_read(db, m);
        if (rc != FOTA_OK) {
            return rc;
        }

    } else {
        m->have = 0;
        m->want = fota_schema_nsteps == 0
                  ? 0 : fota_schema_steps[fota_schema_nsteps - 1].number;
    }

    if (m->have < m->want) {
        snprintf(m->error, sizeof(m->error), "the database has step %u of the "
                 "schema, this program needs %u: run \"fota-admin migrate\"",
                 m->have, m->want);
        return FOTA_STALE;
    }

    return FOTA_OK;
}


static int
fota_migrate_step(fota_db_t *db, const fota_schema_step_t *step,
    fota_migrate_t *m)
{
    int          rc;
    char        *statement;
    int64_t      start;
    uint8_t      hash[32];
    unsigned     n;
    const char  *sql;

    start = fota_migrate_ms(CLOCK_MONOTONIC);
    sql = step->sql;

    for (n = 1; fota_migrate_statement(&sql, &statement); n++) {
        rc = fota_db_exec_text(db, statement);
        free(statement);

        if (rc != FOTA_OK) {
            snprintf(m->error, sizeof(m->error), "%s, statement %u: %.180s",
                     step->name, n, fota_db_error(db));
            return rc;
        }
    }

    rc = fota_sha256(hash, step->sql, strlen(step->sql));
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(db, "INSERT INTO schema_version (version, name, sha256,"
             " applied, ms) VALUES (?, ?, ?, ?, ?)", "uzsii",
             (uint64_t) step->number, step->name, fota_slice(hash, 32),
             fota_migrate_ms(CLOCK_REALTIME),
             fota_migrate_ms(CLOCK_MONOTONIC) - start);

    if (rc != FOTA_OK) {
        snprintf(m->error, sizeof(m->error), "%s: %.200s", step->name,
                 fota_db_error(db));
    }

    return rc;
}


int
fota_migrate_run(fota_db_t *db, fota_migrate_t *m,
    void (*report)(const char *line))
{
    int     rc;
    char    line[256];
    size_t  i;

    rc = fota_db_lock(db, FOTA_MIGRATE_LOCK, FOTA_MIGRATE_WAIT_S);

    if (rc != FOTA_OK) {
        snprintf(m->error, sizeof(m->error), "%s", rc == FOTA_BUSY
                 ? "another process migrates this database"
                 : fota_db_error(db));
        return rc;
    }

    rc = fota_db_exec_text(db,
             "CREATE TABLE IF NOT EXISTS schema_version ("
             " version INT UNSIGNED NOT NULL PRIMARY KEY,"
             " name VARCHAR(128) NOT NULL,"
             " sha256 BINARY(32) NOT NULL,"
             " applied BIGINT NOT NULL,"
             " ms BIGINT NOT NULL"
             ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin");

    if (rc != FOTA_OK) {
        snprintf(m->error, sizeof(m->error), "%s", fota_db_error(db));

    } else {
        rc = fota_migrate_read(db, m);
    }

    for (i = 0; rc == FOTA_OK && i < fota_schema_nsteps; i++) {
        if (fota_schema_steps[i].number <= m->have) {
            continue;
        }

        rc = fota_migrate_step(db, &fota_schema_steps[i], m);

        if (rc == FOTA_OK) {
            m->have = fota_schema_steps[i].number;
            snprintf(line, sizeof(line), "applied %s",
                     fota_schema_steps[i].name);
            report(line);
        }
    }

    fota_db_unlock(db, FOTA_MIGRATE_LOCK);

    return rc;
}
