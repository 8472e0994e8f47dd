/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The head of the change log as this process knows it, and the two places
 * where threads wait: the sequencer for the outbox, long polls for the head.
 */

#ifndef FOTA_ADMIN_FEED_H
#define FOTA_ADMIN_FEED_H

#include "server.h"

typedef struct {
    uint64_t  epoch;            /* 0: nothing was ever published */
    uint64_t  seq;
    uint64_t  floor;            /* oldest seq kept - 1 */
    uint8_t   chain[32];        /* after seq */
} fota_feed_t;

/*
 * Reads the row of table feed; lock: FOR UPDATE, within a transaction.
 * FOTA_OK, FOTA_NOTFOUND before the first sequencer, or a status of db.h.
 */
int fota_feed_read(fota_db_t *db, fota_feed_t *feed, bool lock);

/*
 * Begins an empty change log of a new epoch, unless there is one; within a
 * transaction.
 */
int fota_feed_create(fota_db_t *db);

/* Tells the long polls of this process. */
void fota_feed_publish(const fota_feed_t *feed);

/* The head this process knows, without waiting. */
void fota_feed_head(fota_feed_t *feed);

/*
 * Waits until the head is not (epoch, after) any more, at most ms, or until
 * fota_feed_stop.  *feed = the head then.
 */
void fota_feed_wait(uint64_t epoch, uint64_t after, unsigned ms,
    fota_feed_t *feed);

/* Sleeps until the outbox is woken or ms passed; false: stopping. */
bool fota_feed_outbox_wait(unsigned ms);

/* Sleeps ms; false at once when stopping. */
bool fota_feed_sleep(unsigned ms);

/* _start must come before any other call in a process that stopped. */
void fota_feed_start(void);
void fota_feed_stop(void);

#endif /* FOTA_ADMIN_FEED_H */
