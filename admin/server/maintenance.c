/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What grows is cut: report events by dropping whole days, the rest in small
 * transactions, so that nobody waits long for a lock.
 */

#include <stdio.h>
#include <stdlib.h>

#include "fota_zone.h"
#include "feed.h"
#include "jobs_int.h"


#define FOTA_DAY_MS             86400000LL
#define FOTA_MAINTENANCE_MS     600000      /* between two rounds */
#define FOTA_MAINTENANCE_RETRY  30000       /* after a failure */
#define FOTA_DAYS_AHEAD         7
#define FOTA_PARTITIONS_MAX     4096
#define FOTA_ROWS_AT_ONCE       "5000"
#define FOTA_BATCH_DAYS         7           /* answers of uploads are kept */
#define FOTA_OPS_KEPT           10000000ULL


static void
fota_partition_name(int64_t day, char name[16])
{
    fota_civil_t  c;

    fota_civil(day * (FOTA_DAY_MS / 1000), 0, &c);
    (void) snprintf(name, 16, "p%04d%02d%02d", c.year % 10000, c.month % 100,
                    c.day % 100);
}


/*
 * Upper bounds in days of the partitions of report_event, ascending, without
 * the last one that takes everything.
 */

static int
fota_partitions(fota_db_t *db, int64_t *days, size_t max, size_t *n)
{
    int           rc;
    int64_t       ms;
    fota_rows_t  *rows;

    *n = 0;

    rc = fota_db_query(db, &rows, "SELECT CAST(partition_description AS"
                       " SIGNED) FROM information_schema.partitions"
                       " WHERE table_schema = DATABASE()"
                       " AND table_name = 'report_event'"
                       " AND partition_name <> 'pmax'"
                       " ORDER BY partition_ordinal_position", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK && *n < max) {
        ms = fota_db_i64(rows, 0);
        days[(*n)++] = ms / FOTA_DAY_MS;
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_partition_add(fota_db_t *db, int64_t day)
{
    char  name[16], sql[256];

    fota_partition_name(day, name);

    /* Empty but for rows that came before anybody made a day for them. */

    (void) snprintf(sql, sizeof(sql), "ALTER TABLE report_event REORGANIZE"
                    " PARTITION pmax INTO (PARTITION %s VALUES LESS THAN"
                    " (%lld), PARTITION pmax VALUES LESS THAN MAXVALUE)",
                    name, (long long) ((day + 1) * FOTA_DAY_MS));

    return fota_db_exec(db, sql, "");
}


static int
fota_partition_drop(fota_db_t *db, int64_t day)
{
    char  name[16], sql[96];

    fota_partition_name(day, name);
    (void) snprintf(sql, sizeof(sql),
                    "ALTER TABLE report_event DROP PARTITION %s", name);

    fota_log(FOTA_LOG_INFO, "report events of %s are dropped", name + 1);

    return fota_db_exec(db, sql, "");
}


static int
fota_maintain_events(fota_server_t *server, fota_db_t *db, int64_t now)
{
    int       rc;
    size_t    i, n;
    int64_t   today, day, oldest;
    int64_t  *bounds;

    bounds = malloc(FOTA_PARTITIONS_MAX * sizeof(int64_t));
    if (bounds == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_partitions(db, bounds, FOTA_PARTITIONS_MAX, &n);

    today = now / FOTA_DAY_MS;
    day = (n != 0 && bounds[n - 1] > today) ? bounds[n - 1] : today;

    /* A bound is exclusive: the next day to make begins at the last one. */

    for ( /* void */ ; rc == FOTA_OK && day <= today + FOTA_DAYS_AHEAD; day++) {
        rc = fota_partition_add(db, day);
    }

    oldest = today - (int64_t) server->conf.report_days;

    for (i = 0; rc == FOTA_OK && i < n && bounds[i] <= oldest; i++) {
        rc = fota_partition_drop(db, bounds[i] - 1);
    }

    free(bounds);

    return rc;
}


/* Runs a bounded DELETE until nothing is left to delete. */

static int
fota_maintain_delete(fota_db_t *db, const char *sql, int64_t before)
{
    int  rc;

    do {
        rc = fota_db_exec(db, sql, "i", before);

    } while (rc == FOTA_OK && fota_db_affected(db) != 0 && fota_feed_sleep(1));

    return rc;
}


/*
 * The floor moves with the rows in one transaction: an edge that asks from
 * below it is told to load a snapshot, never given a log with a hole.
 */

static int
fota_maintain_log_step(fota_db_t *db, uint64_t floor)
{
    int  rc;

    rc = fota_db_begin(db);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "UPDATE feed SET floor = ? WHERE id = 1"
                          " AND floor < ? AND seq >= ?", "uuu", floor, floor,
                          floor);
    }

    if (rc == FOTA_OK && fota_db_affected(db) == 1) {
        rc = fota_db_exec(db, "DELETE FROM change_log WHERE seq <= ?", "u",
                          floor);
    }

    if (rc != FOTA_OK) {
        fota_db_rollback(db);
        return rc;
    }

    return fota_db_commit(db);
}


static int
fota_maintain_log(fota_server_t *server, fota_db_t *db, int64_t now)
{
    int           rc;
    uint64_t      old, target;
    fota_rows_t  *rows;
    fota_feed_t   feed;

    rc = fota_feed_read(db, &feed, false);
    if (rc != FOTA_OK) {
        return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
    }

    rc = fota_db_query(db, &rows, "SELECT COALESCE(MAX(seq), 0) FROM"
                       " change_log WHERE ts < ?", "i",
                       now - (int64_t) server->conf.change_log_hours
                             * 3600000);
    if (rc != FOTA_OK) {
        return rc;
    }

    old = fota_db_row(rows) == FOTA_OK ? fota_db_u64(rows, 0) : 0;
    fota_db_rows_end(rows);

    target = feed.seq > FOTA_OPS_KEPT ? feed.seq - FOTA_OPS_KEPT : 0;
    if (old > target) {
        target = old;
    }

    while (rc == FOTA_OK && feed.floor < target) {
        feed.floor = target - feed.floor > 5000 ? feed.floor + 5000 : target;
        rc = fota_maintain_log_step(db, feed.floor);

        if (!fota_feed_sleep(1)) {
            break;
        }
    }

    return rc;
}


static int
fota_maintain(fota_server_t *server, fota_db_t *db)
{
    int      rc;
    int64_t  now;

    now = fota_now_ms();

    rc = fota_maintain_events(server, db, now);

    if (rc == FOTA_OK) {
        /* Ids outlive events: a spool may come back after a long absence. */
        rc = fota_maintain_delete(db, "DELETE FROM report_seen WHERE ts < ?"
                                  " LIMIT " FOTA_ROWS_AT_ONCE,
                                  now - (int64_t) server->conf.report_days
                                        * FOTA_DAY_MS);
    }

    if (rc == FOTA_OK) {
        rc = fota_maintain_delete(db, "DELETE FROM ingest_batch WHERE"
                                  " created < ? LIMIT " FOTA_ROWS_AT_ONCE,
                                  now - FOTA_BATCH_DAYS * FOTA_DAY_MS);
    }

    if (rc == FOTA_OK) {
        rc = fota_maintain_log(server, db, now);
    }

    return rc;
}


void *
fota_maintenance_thread(void *data)
{
    int             rc;
    fota_db_t      *db;
    fota_server_t  *server = data;

    do {
        rc = FOTA_BUSY;
        db = fota_job_own(server, "maintenance");

        if (db != NULL) {
            rc = fota_maintain(server, db);

            if (rc != FOTA_OK) {
                fota_log(FOTA_LOG_ERROR, "maintenance failed: %s",
                         fota_status_name(rc));
            }

            fota_job_disown(server, db);
        }

    } while (fota_feed_sleep(rc == FOTA_OK ? FOTA_MAINTENANCE_MS
                                           : FOTA_MAINTENANCE_RETRY));

    return NULL;
}
