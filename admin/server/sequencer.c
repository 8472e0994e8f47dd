/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The one writer of the change log.  Business transactions name what they
 * changed in the outbox; whoever holds the lock reads the committed rows,
 * renders each object once from what is committed now, and gives every record
 * that differs from the last published one the next number.  Row ids of the
 * outbox become visible out of order, so rows are deleted by id and never
 * skipped by position.
 *
 * The lock only saves work: the row of table feed is locked in each round, so
 * two sequencers would still write one gapless chain.
 */

#include <stdio.h>

#include "jobs_int.h"
#include "outbox.h"
#include "sequencer.h"
#include "sql_list.h"


/* Raised when records change their form, so that all are made again. */
#define FOTA_RENDER_VERSION  "1"

#define FOTA_SEQ_POLL_MS     100        /* for commits of other processes */
#define FOTA_SEQ_RETRY_MS    1000
#define FOTA_SEQ_OWN_MS      200        /* between tries to get the lock */
#define FOTA_SEQ_TRIES       5          /* before a bad object is passed over */
#define FOTA_SEQ_SCRATCH     (256 * 1024 * 1024)


typedef struct {
    fota_server_t  *server;
    fota_db_t      *db;
    unsigned        tries;
    uint32_t        up_nodes;
} fota_sequencer_t;

/* A row of the outbox that names its object by row id. */
typedef struct {
    uint8_t   table;
    uint32_t  tenant;
    uint64_t  id;
} fota_seq_object_t;


static int fota_sequencer_ready(fota_sequencer_t *q);
static int fota_sequencer_changed(fota_sequencer_t *q, const char *name,
    fota_str_t value, bool *changed);
static int fota_sequencer_round(fota_sequencer_t *q, bool *more);
static int fota_sequencer_collect(fota_sequencer_t *q, fota_seq_t *s,
    fota_db_arg_t *ids, size_t *nids);
static int fota_sequencer_expand(fota_sequencer_t *q, fota_seq_t *s);
static int fota_sequencer_limits(fota_sequencer_t *q, fota_seq_t *s);
static int fota_sequencer_work(fota_sequencer_t *q, fota_seq_t *s,
    fota_feed_t *feed, bool *more);


static int
fota_sequencer_changed(fota_sequencer_t *q, const char *name,
    fota_str_t value, bool *changed)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_first(q->db, &rows,
                       "SELECT value FROM setting WHERE name = ?", "z", name);

    *changed = !(rc == FOTA_OK && fota_str_eq(fota_db_str(rows, 0), value));

    fota_db_rows_end(rows);

    if ((rc != FOTA_OK && rc != FOTA_NOTFOUND) || !*changed) {
        return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
    }

    return fota_db_exec(q->db, "INSERT INTO setting (name, value)"
                        " VALUES (?, ?) ON DUPLICATE KEY UPDATE"
                        " value = VALUES(value)", "zs", name, value);
}


/* What an owner does before its first round. */

static int
fota_sequencer_ready(fota_sequencer_t *q)
{
    int            rc;
    bool           anew, zones;
    fota_arena_t   arena;
    fota_render_t  r;

    fota_arena_init(&arena, 0);

    memset(&r, 0, sizeof(fota_render_t));
    r.server = q->server;
    r.mem = &arena.mem;

    rc = fota_db_begin(q->db);

    if (rc == FOTA_OK) {
        rc = fota_feed_create(q->db);
    }

    anew = false;
    zones = false;

    if (rc == FOTA_OK) {
        rc = fota_sequencer_changed(q, "render_version",
                                    fota_cstr(FOTA_RENDER_VERSION), &anew);
    }

    if (rc == FOTA_OK) {
        rc = fota_sequencer_changed(q, "tzdata", fota_render_zone_version(&r),
                                    &zones);
    }

    if (rc == FOTA_OK && anew) {
        rc = fota_sequencer_all(q->server, q->db);

    } else if (rc == FOTA_OK && zones) {
        rc = fota_sequencer_zones(q->server, q->db, &arena.mem);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_commit(q->db);

    } else {
        fota_db_rollback(q->db);
    }

    fota_arena_free(&arena);

    return rc;
}


static int
fota_sequencer_collect(fota_sequencer_t *q, fota_seq_t *s,
    fota_db_arg_t *ids, size_t *nids)
{
    int                 rc;
    size_t              i, len, nobjects;
    uint8_t             key[FOTA_KEY_MAX];
    fota_str_t          bytes;
    fota_rows_t        *rows;
    fota_seq_object_t  *objects;

    objects = fota_calloc(s->mem, FOTA_SEQ_ROWS, sizeof(*objects));
    s->devices = fota_calloc(s->mem, FOTA_SEQ_ROWS, sizeof(uint64_t));

    if (objects == NULL || s->devices == NULL) {
        return FOTA_NOMEM;
    }

    nobjects = 0;

    rc = fota_db_query(q->db, &rows, "SELECT id, tbl, tenant_id, object_id,"
                       " key_bytes FROM outbox ORDER BY id LIMIT 1000", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    while (*nids < FOTA_SEQ_ROWS && (rc = fota_db_row(rows)) == FOTA_OK) {
        ids[(*nids)++] = fota_arg_u(fota_db_u64(rows, 0));
        bytes = fota_db_str(rows, 4);

        if (!fota_db_null(rows, 4)) {
            rc = fota_seq_add(s, fota_db_u64(rows, 1), bytes);
            if (rc != FOTA_OK) {
                break;
            }

        } else if (fota_db_u64(rows, 1) == FOTA_T_DEVICE) {
            s->devices[s->ndevices++] = fota_db_u64(rows, 3);

        } else {
            objects[nobjects].table = (uint8_t) fota_db_u64(rows, 1);
            objects[nobjects].tenant = (uint32_t) fota_db_u64(rows, 2);
            objects[nobjects++].id = fota_db_u64(rows, 3);
        }
    }

    fota_db_rows_end(rows);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        return rc;
    }

    for (i = 0; i < nobjects; i++) {
        rc = fota_render_key_of(&s->render, objects[i].table,
                                objects[i].tenant, objects[i].id, key, &len);

        if (rc == FOTA_OK) {
            rc = fota_seq_add(s, objects[i].table, fota_slice(key, len));
        }

        if (rc != FOTA_OK && fota_render_fatal(rc)) {
            return rc;
        }
    }

    return FOTA_OK;
}


/* A product's rollouts say which of its artifacts edges fetch ahead. */

static int
fota_sequencer_expand(fota_sequencer_t *q, fota_seq_t *s)
{
    int           rc;
    size_t        i, n;
    fota_str_t    key;
    fota_rows_t  *rows;

    n = s->n;

    for (i = 0; i < n; i++) {
        key = s->items[i].key;

        if (s->items[i].table != FOTA_T_PRODUCT || key.len < 5) {
            continue;
        }

        rc = fota_db_query(q->db, &rows, "SELECT DISTINCT a.sha256"
                           " FROM artifact a JOIN product p"
                           " ON p.tenant_id = a.tenant_id"
                           " AND p.id = a.product_id"
                           " WHERE p.tenant_id = ? AND p.name = ?", "us",
                           (uint64_t) key.data[0] << 24
                           | (uint64_t) key.data[1] << 16
                           | (uint64_t) key.data[2] << 8 | key.data[3],
                           fota_slice(key.data + 4, key.len - 4));
        if (rc != FOTA_OK) {
            return rc;
        }

        while ((rc = fota_db_row(rows)) == FOTA_OK) {
            rc = fota_seq_add(s, FOTA_T_ARTIFACT, fota_db_str(rows, 0));
            if (rc != FOTA_OK) {
                break;
            }
        }

        fota_db_rows_end(rows);

        if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    return FOTA_OK;
}


/* Limits of the whole fleet are shared out over the nodes that serve. */

static int
fota_sequencer_limits(fota_sequencer_t *q, fota_seq_t *s)
{
    int           rc;
    size_t        len;
    uint8_t       key[FOTA_KEY_MAX];
    uint64_t      up;
    fota_rows_t  *rows;

    rc = fota_db_number(q->db, &up,
                        "SELECT COUNT(*) FROM node WHERE state = 'up'", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    s->render.up_nodes = (up == 0) ? 1 : (uint32_t) up;

    if (q->up_nodes == s->render.up_nodes) {
        return FOTA_OK;
    }

    rc = fota_db_query(q->db, &rows, "SELECT DISTINCT p.tenant_id, p.name"
                       " FROM rollout o JOIN product p"
                       " ON p.tenant_id = o.tenant_id AND p.id = o.product_id"
                       " WHERE o.state IN ('ready', 'running', 'paused')"
                       " AND (o.max_active > 0 OR o.max_bps > 0)", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        len = fota_key_product(key, (uint32_t) fota_db_u64(rows, 0),
                               fota_db_str(rows, 1));
        rc = fota_seq_add(s, FOTA_T_PRODUCT, fota_slice(key, len));

        if (rc != FOTA_OK) {
            break;
        }
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_sequencer_work(fota_sequencer_t *q, fota_seq_t *s, fota_feed_t *feed,
    bool *more)
{
    int             rc;
    size_t          i, k, nids, nops;
    fota_feed_t     seen;
    fota_db_arg_t  *ids;

    ids = fota_calloc(s->mem, FOTA_SEQ_ROWS, sizeof(fota_db_arg_t));
    if (ids == NULL) {
        return FOTA_NOMEM;
    }

    /*
     * The view was taken before the lock: when somebody published in
     * between, the view is too old to compare with.
     */

    rc = fota_feed_read(q->db, &seen, false);

    if (rc == FOTA_OK) {
        rc = fota_feed_read(q->db, feed, true);
    }

    if (rc == FOTA_OK
        && (seen.seq != feed->seq || seen.epoch != feed->epoch))
    {
        rc = FOTA_BUSY;
    }

    nids = 0;
    nops = 0;

    if (rc == FOTA_OK) {
        rc = fota_sequencer_collect(q, s, ids, &nids);
    }

    *more = (nids == FOTA_SEQ_ROWS);

    if (rc == FOTA_OK) {
        rc = fota_sequencer_limits(q, s);
    }

    if (rc == FOTA_OK) {
        rc = fota_sequencer_expand(q, s);
    }

    if (rc == FOTA_OK) {
        rc = fota_seq_devices(s);
    }

    if (rc == FOTA_OK) {
        fota_seq_sort(s);
        rc = fota_seq_render(s);
    }

    if (rc == FOTA_OK) {
        rc = fota_seq_write(s, feed, &nops);
    }

    for (i = 0; rc == FOTA_OK && i < nids; i += k) {
        k = (nids - i > FOTA_SQL_LIST_MAX) ? FOTA_SQL_LIST_MAX : nids - i;
        rc = fota_sql_list(q->db, NULL, "DELETE FROM outbox WHERE id IN ",
                           "", NULL, 0, ids + i, k);
    }

    if (rc == FOTA_OK && nops != 0) {
        fota_log(FOTA_LOG_DEBUG, "%zu operations from %zu rows, head %llu",
                 nops, nids, (unsigned long long) feed->seq);
    }

    return rc;
}


static int
fota_sequencer_round(fota_sequencer_t *q, bool *more)
{
    int           rc;
    bool          filled;
    fota_seq_t    s;
    fota_feed_t   feed;
    fota_arena_t  arena;

    *more = false;

    rc = fota_db_exists(q->db, &filled, "SELECT 1 FROM outbox LIMIT 1", "");
    if (rc != FOTA_OK || !filled) {
        return rc;
    }

    memset(&s, 0, sizeof(fota_seq_t));

    fota_arena_init(&arena, 0);
    fota_arena_init(&s.scratch, FOTA_SEQ_SCRATCH);

    s.mem = &arena.mem;
    s.render.server = q->server;
    s.render.db = q->db;
    s.render.mem = s.mem;
    s.render.now = fota_now_ms() / 1000;
    s.force = q->tries >= FOTA_SEQ_TRIES;

    rc = fota_db_begin_snapshot(q->db);

    if (rc == FOTA_OK) {
        rc = fota_sequencer_work(q, &s, &feed, more);

        if (rc == FOTA_OK) {
            rc = fota_db_commit(q->db);

        } else {
            fota_db_rollback(q->db);
        }
    }

    if (rc == FOTA_OK) {
        q->up_nodes = s.render.up_nodes;
        fota_feed_publish(&feed);

    } else {
        *more = false;
    }

    fota_arena_free(&s.scratch);
    fota_arena_free(&arena);

    return rc;
}


void *
fota_sequencer_thread(void *data)
{
    int               rc;
    bool              more;
    fota_server_t    *server;
    fota_sequencer_t  q;

    server = data;

    memset(&q, 0, sizeof(fota_sequencer_t));
    q.server = server;

    do {
        q.db = fota_job_own(server, "sequencer");
        if (q.db == NULL) {
            continue;
        }

        q.up_nodes = 0;
        rc = fota_sequencer_ready(&q);
        more = true;

        while (rc == FOTA_OK || rc == FOTA_BUSY || q.tries != 0) {

            if (rc == FOTA_OK) {
                q.tries = 0;
            }

            if (!fota_feed_outbox_wait(more ? 0 : FOTA_SEQ_POLL_MS)) {
                break;
            }

            if (rc != FOTA_OK && rc != FOTA_BUSY
                && !fota_feed_sleep(FOTA_SEQ_RETRY_MS))
            {
                break;
            }

            rc = fota_sequencer_round(&q, &more);

            if (rc == FOTA_IO) {
                break;
            }

            if (rc != FOTA_OK && rc != FOTA_BUSY) {
                q.tries++;
                fota_log(FOTA_LOG_ERROR, "sequencer: %s: %s",
                         fota_status_name(rc), fota_db_error(q.db));
            }
        }

        if (rc != FOTA_OK) {
            fota_log(FOTA_LOG_WARN, "the sequencer gives up its lock: %s",
                     fota_db_error(q.db));
            (void) fota_feed_sleep(FOTA_SEQ_RETRY_MS);
        }

        fota_job_disown(server, q.db);

    } while (fota_feed_sleep(FOTA_SEQ_OWN_MS));

    return NULL;
}


/* Other processes' commits become known here, within 100 ms. */

void *
fota_feed_watch_thread(void *data)
{
    int             rc;
    fota_db_t      *db;
    fota_feed_t     feed;
    fota_server_t  *server;

    server = data;

    do {
        db = fota_db_get(fota_jobs_pool(server));
        if (db == NULL) {
            continue;
        }

        do {
            rc = fota_feed_read(db, &feed, false);

            if (rc == FOTA_OK) {
                fota_feed_publish(&feed);
            }

        } while ((rc == FOTA_OK || rc == FOTA_NOTFOUND)
                 && fota_feed_sleep(FOTA_SEQ_POLL_MS));

        fota_db_put(fota_jobs_pool(server), db);

    } while (fota_feed_sleep(FOTA_SEQ_RETRY_MS));

    return NULL;
}
