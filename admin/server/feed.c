/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <time.h>
#include <errno.h>
#include <pthread.h>

#include "feed.h"
#include "fota_sync.h"
#include "outbox.h"


/*
 * One per process, because fota_outbox_wake() is called from every handler
 * and has no argument to hang it on.
 */
static struct {
    pthread_mutex_t  mutex;
    pthread_cond_t   head_moved;
    pthread_cond_t   outbox_filled;
    pthread_cond_t   stopped;
    bool             filled;
    bool             stop;
    fota_feed_t      head;
} fota_feed = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .head_moved = PTHREAD_COND_INITIALIZER,
    .outbox_filled = PTHREAD_COND_INITIALIZER,
    .stopped = PTHREAD_COND_INITIALIZER,
};


static void fota_feed_deadline(struct timespec *ts, unsigned ms);


static void
fota_feed_deadline(struct timespec *ts, unsigned ms)
{
    (void) clock_gettime(CLOCK_REALTIME, ts);

    ts->tv_sec += ms / 1000;
    ts->tv_nsec += (long) (ms % 1000) * 1000000;

    if (ts->tv_nsec >= 1000000000) {
        ts->tv_sec++;
        ts->tv_nsec -= 1000000000;
    }
}


int
fota_feed_read(fota_db_t *db, fota_feed_t *feed, bool lock)
{
    int           rc;
    fota_str_t    chain;
    fota_rows_t  *rows;

    memset(feed, 0, sizeof(fota_feed_t));

    rc = fota_db_first(db, &rows, lock
                       ? "SELECT epoch, seq, floor, chain FROM feed"
                         " WHERE id = 1 FOR UPDATE"
                       : "SELECT epoch, seq, floor, chain FROM feed"
                         " WHERE id = 1", "");

    if (rc == FOTA_OK) {
        feed->epoch = fota_db_u64(rows, 0);
        feed->seq = fota_db_u64(rows, 1);
        feed->floor = fota_db_u64(rows, 2);
        chain = fota_db_str(rows, 3);

        if (chain.len == sizeof(feed->chain)) {
            memcpy(feed->chain, chain.data, sizeof(feed->chain));

        } else {
            rc = FOTA_CORRUPT;
        }
    }

    fota_db_rows_end(rows);

    return rc;
}


int
fota_feed_create(fota_db_t *db)
{
    int       rc;
    bool      there;
    uint8_t   chain[32];
    uint64_t  epoch;

    rc = fota_db_exists(db, &there, "SELECT 1 FROM feed WHERE id = 1"
                        " FOR UPDATE", "");
    if (rc != FOTA_OK || there) {
        return rc;
    }

    do {
        rc = fota_random(&epoch, sizeof(epoch));
    } while (rc == FOTA_OK && epoch == 0);

    if (rc == FOTA_OK) {
        rc = fota_chain_start(chain, epoch);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO feed (id, epoch, seq, chain,"
                          " floor) VALUES (1, ?, 0, ?, 0)", "us", epoch,
                          fota_slice(chain, sizeof(chain)));
    }

    if (rc == FOTA_OK) {
        fota_log(FOTA_LOG_INFO, "the feed starts with epoch %016llx",
                 (unsigned long long) epoch);
    }

    return rc;
}


void
fota_feed_publish(const fota_feed_t *feed)
{
    (void) pthread_mutex_lock(&fota_feed.mutex);

    /*
     * Sequencer and watcher both publish; an older head of the same epoch is
     * one that the watcher read before the sequencer's commit.
     */

    if (feed->epoch != fota_feed.head.epoch
        || feed->seq > fota_feed.head.seq)
    {
        fota_feed.head = *feed;
        (void) pthread_cond_broadcast(&fota_feed.head_moved);

    } else {
        fota_feed.head.floor = feed->floor;
    }

    (void) pthread_mutex_unlock(&fota_feed.mutex);
}


void
fota_feed_head(fota_feed_t *feed)
{
    (void) pthread_mutex_lock(&fota_feed.mutex);
    *feed = fota_feed.head;
    (void) pthread_mutex_unlock(&fota_feed.mutex);
}


void
fota_feed_wait(uint64_t epoch, uint64_t after, unsigned ms,
    fota_feed_t *feed)
{
    struct timespec  until;

    fota_feed_deadline(&until, ms);

    (void) pthread_mutex_lock(&fota_feed.mutex);

    while (!fota_feed.stop && fota_feed.head.epoch == epoch
           && fota_feed.head.seq == after)
    {
        if (pthread_cond_timedwait(&fota_feed.head_moved, &fota_feed.mutex,
                                   &until)
            == ETIMEDOUT)
        {
            break;
        }
    }

    *feed = fota_feed.head;

    (void) pthread_mutex_unlock(&fota_feed.mutex);
}


void
fota_outbox_wake(void)
{
    (void) pthread_mutex_lock(&fota_feed.mutex);
    fota_feed.filled = true;
    (void) pthread_cond_signal(&fota_feed.outbox_filled);
    (void) pthread_mutex_unlock(&fota_feed.mutex);
}


bool
fota_feed_outbox_wait(unsigned ms)
{
    bool             run;
    struct timespec  until;

    fota_feed_deadline(&until, ms);

    (void) pthread_mutex_lock(&fota_feed.mutex);

    while (!fota_feed.stop && !fota_feed.filled) {
        if (pthread_cond_timedwait(&fota_feed.outbox_filled,
                                   &fota_feed.mutex, &until)
            == ETIMEDOUT)
        {
            break;
        }
    }

    fota_feed.filled = false;
    run = !fota_feed.stop;

    (void) pthread_mutex_unlock(&fota_feed.mutex);

    return run;
}


bool
fota_feed_sleep(unsigned ms)
{
    bool             run;
    struct timespec  until;

    fota_feed_deadline(&until, ms);

    (void) pthread_mutex_lock(&fota_feed.mutex);

    while (!fota_feed.stop) {
        if (pthread_cond_timedwait(&fota_feed.stopped, &fota_feed.mutex,
                                   &until)
            == ETIMEDOUT)
        {
            break;
        }
    }

    run = !fota_feed.stop;

    (void) pthread_mutex_unlock(&fota_feed.mutex);

    return run;
}


void
fota_feed_start(void)
{
    (void) pthread_mutex_lock(&fota_feed.mutex);
    fota_feed.stop = false;
    (void) pthread_mutex_unlock(&fota_feed.mutex);
}


void
fota_feed_stop(void)
{
    (void) pthread_mutex_lock(&fota_feed.mutex);
    fota_feed.stop = true;
    (void) pthread_cond_broadcast(&fota_feed.head_moved);
    (void) pthread_cond_broadcast(&fota_feed.outbox_filled);
    (void) pthread_cond_broadcast(&fota_feed.stopped);
    (void) pthread_mutex_unlock(&fota_feed.mutex);
}
