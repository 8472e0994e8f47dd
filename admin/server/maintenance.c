/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What grows is cut: partitions of report events are made a week ahead and
 * dropped when they are old, keys of batches and reports forgotten, the
 * change log trimmed behind what snapshots cover.
 */

#include <stdio.h>
#include <time.h>

#include "feed.h"
#include "jobs_int.h"
#include "outbox.h"
#include "snapshot.h"


#define FOTA_DAY_MS          86400000LL
#define FOTA_MAINT_TICK_MS   (10 * 60 * 1000)
#define FOTA_MAINT_SOON_MS   5000       /* after a failure, and to own */
#define FOTA_MAINT_AHEAD     7          /* days of partitions */
#define FOTA_MAINT_SEEN_DAYS 30         /* an edge may be cut off so long */
#define FOTA_MAINT_BATCH_DAYS 8
#define FOTA_MAINT_DENY_DAYS 31         /* longer than any token */
#define FOTA_MAINT_OPS       10000000   /* of the change log at most */
#define FOTA_MAINT_CHUNK     "5000"     /* rows of one DELETE */
#define FOTA_MAINT_ROUNDS    2000


static void fota_maint_name(int64_t day, char name[16]);
static int fota_maint_newest(fota_db_t *db, int64_t *day);
static int fota_maint_ahead(fota_db_t *db, int64_t today);
static int fota_maint_drop(fota_db_t *db, int64_t before);
static int fota_maint_delete(fota_db_t *db, const char *sql, int64_t before);
static int fota_maint_log(fota_server_t *server, fota_db_t *db);
static int fota_maint_deny(fota_db_t *db, int64_t before);
static int fota_maint_round(fota_server_t *server, fota_db_t *db);


/* "p20260131": the day that the partition holds. */

static void
fota_maint_name(int64_t day, char name[16])
{
    time_t     t;
    struct tm  tm;

    t = (time_t) (day * 86400);

    (void) gmtime_r(&t, &tm);
    (void) strftime(name, 16, "p%Y%m%d", &tm);
}


/* First day without a partition of its own; 0 when there is none at all. */

static int
fota_maint_newest(fota_db_t *db, int64_t *day)
{
    int           rc;
    uint64_t      v;
    fota_rows_t  *rows;

    rc = fota_db_query(db, &rows, "SELECT PARTITION_DESCRIPTION"
                       " FROM information_schema.PARTITIONS"
                       " WHERE TABLE_SCHEMA = DATABASE()"
                       " AND TABLE_NAME = 'report_event'"
                       " ORDER BY PARTITION_ORDINAL_POSITION", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    *day = 0;

    while ((rc = fota_db_row(rows)) == FOTA_OK) {

        /* MAXVALUE is no number. */

        if (fota_str_u64(fota_db_str(rows, 0), INT64_MAX, &v) == FOTA_OK) {
            *day = (int64_t) v / FOTA_DAY_MS;
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_maint_ahead(fota_db_t *db, int64_t today)
{
    int      rc;
    char     sql[512], name[16];
    int64_t  day;

    rc = fota_maint_newest(db, &day);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (day == 0) {
        day = today;
    }

    /*
     * Rows that came while nobody made partitions are in pmax; splitting it
     * moves them where they belong.
     */

    for ( /* void */ ; rc == FOTA_OK && day <= today + FOTA_MAINT_AHEAD;
         day++)
    {
        fota_maint_name(day, name);

        (void) snprintf(sql, sizeof(sql), "ALTER TABLE report_event"
                        " REORGANIZE PARTITION pmax INTO (PARTITION %s"
                        " VALUES LESS THAN (%lld), PARTITION pmax"
                        " VALUES LESS THAN MAXVALUE)", name,
                        (long long) ((day + 1) * FOTA_DAY_MS));

        rc = fota_db_exec(db, sql, "");
    }

    return rc;
}


static int
fota_maint_drop(fota_db_t *db, int64_t before)
{
    int           rc;
    char          sql[128], name[80];
    uint64_t      limit;
    fota_rows_t  *rows;

    for ( ;; ) {
        rc = fota_db_first(db, &rows, "SELECT PARTITION_NAME,"
                           " PARTITION_DESCRIPTION"
                           " FROM information_schema.PARTITIONS"
                           " WHERE TABLE_SCHEMA = DATABASE()"
                           " AND TABLE_NAME = 'report_event'"
                           " ORDER BY PARTITION_ORDINAL_POSITION LIMIT 1",
                           "");
        name[0] = '\0';

        if (rc == FOTA_OK
            && fota_str_u64(fota_db_str(rows, 1), INT64_MAX, &limit)
               == FOTA_OK
            && (int64_t) limit <= before)
        {
            fota_db_chars(rows, 0, name, sizeof(name));
        }

        fota_db_rows_end(rows);

        if (rc != FOTA_OK || name[0] == '\0') {
            return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
        }

        (void) snprintf(sql, sizeof(sql),
                        "ALTER TABLE report_event DROP PARTITION `%.64s`",
                        name);

        fota_log(FOTA_LOG_INFO, "report events: partition %s is dropped",
                 name);

        rc = fota_db_exec(db, sql, "");
        if (rc != FOTA_OK) {
            return rc;
        }
    }
}


/* In pieces, so that no lock is held for long. */

static int
fota_maint_delete(fota_db_t *db, const char *sql, int64_t before)
{
    int  rc, i;

    for (i = 0; i < FOTA_MAINT_ROUNDS; i++) {
        rc = fota_db_exec(db, sql, "i", before);

        if (rc != FOTA_OK || fota_db_affected(db) == 0) {
            return rc;
        }

        if (!fota_feed_sleep(5)) {
            return FOTA_OK;
        }
    }

    return FOTA_OK;
}


/*
 * The floor goes first, so that nobody is promised what is being deleted;
 * and never beyond what the newest snapshot holds.
 */

static int
fota_maint_log(fota_server_t *server, fota_db_t *db)
{
    int                    rc;
    int64_t                before;
    uint64_t               floor;
    fota_feed_t            feed;
    fota_snapshot_info_t   info;

    memset(&info, 0, sizeof(info));
    rc = fota_feed_read(db, &feed, false);

    if (rc == FOTA_OK) {
        rc = fota_snapshot_latest(db, &info);
    }

    if (rc != FOTA_OK || info.epoch != feed.epoch) {
        return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    before = fota_now_ms()
             - (int64_t) server->conf.change_log_hours * 3600 * 1000;

    rc = fota_db_number(db, &floor, "SELECT MAX(seq) FROM change_log"
                        " WHERE ts < ?", "i", before);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (feed.seq > FOTA_MAINT_OPS && floor < feed.seq - FOTA_MAINT_OPS) {
        floor = feed.seq - FOTA_MAINT_OPS;
    }

    floor = (floor > info.seq) ? info.seq : floor;

    if (floor > feed.floor) {
        rc = fota_db_exec(db, "UPDATE feed SET floor = ? WHERE id = 1"
                          " AND epoch = ? AND floor < ?", "uuu", floor,
                          feed.epoch, floor);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_maint_delete(db, "DELETE FROM change_log WHERE seq <= ?"
                             " ORDER BY seq LIMIT " FOTA_MAINT_CHUNK,
                             (int64_t) ((floor > feed.floor) ? floor
                                                             : feed.floor));
}


/* Revocations of tokens that have expired long since. */

static int
fota_maint_deny(fota_db_t *db, int64_t before)
{
    int  rc;

    rc = fota_db_begin(db);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO outbox (tbl, key_bytes, created)"
                          " SELECT ?, CONCAT(UNHEX(LPAD(HEX(kind), 2, '0')),"
                          " id), ? FROM deny WHERE created < ? FOR UPDATE",
                          "uii", (uint64_t) FOTA_T_DENY, fota_now_ms(),
                          before);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "DELETE FROM deny WHERE created < ?", "i",
                          before);
    }

    if (rc == FOTA_OK) {
        return fota_db_commit(db);
    }

    fota_db_rollback(db);

    return rc;
}


static int
fota_maint_round(fota_server_t *server, fota_db_t *db)
{
    int      rc;
    int64_t  now;

    now = fota_now_ms();

    rc = fota_maint_ahead(db, now / FOTA_DAY_MS);

    if (rc == FOTA_OK) {
        rc = fota_maint_drop(db, now - (int64_t) server->conf.report_days
                                       * FOTA_DAY_MS);
    }

    if (rc == FOTA_OK) {
        rc = fota_maint_delete(db, "DELETE FROM report_seen WHERE ts < ?"
                               " ORDER BY ts LIMIT " FOTA_MAINT_CHUNK,
                               now - FOTA_MAINT_SEEN_DAYS * FOTA_DAY_MS);
    }

    if (rc == FOTA_OK) {
        rc = fota_maint_delete(db, "DELETE FROM ingest_batch"
                               " WHERE created < ? ORDER BY created"
                               " LIMIT " FOTA_MAINT_CHUNK,
                               now - FOTA_MAINT_BATCH_DAYS * FOTA_DAY_MS);
    }

    if (rc == FOTA_OK) {
        rc = fota_maint_deny(db, now - FOTA_MAINT_DENY_DAYS * FOTA_DAY_MS);
    }

    return (rc == FOTA_OK) ? fota_maint_log(server, db) : rc;
}


void *
fota_maintenance_thread(void *data)
{
    int             rc;
    fota_db_t      *db;
    fota_server_t  *server;

    server = data;

    do {
        db = fota_job_own(server, "maintenance");
        if (db == NULL) {
            continue;
        }

        do {
            rc = fota_maint_round(server, db);

            if (rc != FOTA_OK) {
                fota_log(FOTA_LOG_ERROR, "maintenance: %s: %s",
                         fota_status_name(rc), fota_db_error(db));
            }

        } while (rc != FOTA_IO
                 && fota_feed_sleep((rc == FOTA_OK) ? FOTA_MAINT_TICK_MS
                                                    : FOTA_MAINT_SOON_MS));

        fota_job_disown(server, db);

    } while (fota_feed_sleep(FOTA_MAINT_SOON_MS));

    return NULL;
}
