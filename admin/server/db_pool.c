/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Who uses which connection, and how long one waits for it. */


#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "db_private.h"


#define FOTA_DB_IDLE_MS  30000          /* then a ping before use */


struct fota_db_pool_s {
    fota_db_conf_t   conf;
    pthread_mutex_t  mutex;
    pthread_cond_t   cond;
    fota_db_t       *idle;
    unsigned         open;
};


static int64_t
fota_db_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int
fota_db_pool_create(fota_db_pool_t **out, const fota_db_conf_t *conf)
{
    fota_db_pool_t      *pool;
    pthread_condattr_t   attr;

    if (fota_db_library() != FOTA_OK) {
        return FOTA_ERROR;
    }

    pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return FOTA_NOMEM;
    }

    pool->conf = *conf;

    if (pool->conf.size == 0) {
        pool->conf.size = 1;
    }

    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->cond, &attr);
    pthread_condattr_destroy(&attr);

    *out = pool;

    return FOTA_OK;
}


void
fota_db_pool_destroy(fota_db_pool_t *pool)
{
    fota_db_t  *db;

    if (pool == NULL) {
        return;
    }

    while (pool->idle != NULL) {
        db = pool->idle;
        pool->idle = db->next;
        fota_db_close(db);
    }

    pthread_cond_destroy(&pool->cond);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}


fota_db_t *
fota_db_get(fota_db_pool_t *pool)
{
    int64_t           until;
    fota_db_t        *db;
    struct timespec   ts;

    until = fota_db_clock() + pool->conf.wait_ms;

    pthread_mutex_lock(&pool->mutex);

    for ( ;; ) {
        if (pool->idle != NULL) {
            db = pool->idle;
            pool->idle = db->next;

            pthread_mutex_unlock(&pool->mutex);

            if (fota_db_alive(db, fota_db_clock() - db->idle_since
                                  > FOTA_DB_IDLE_MS))
            {
                return db;
            }

            fota_db_close(db);

            pthread_mutex_lock(&pool->mutex);
            pool->open--;

            continue;
        }

        if (pool->open < pool->conf.size) {
            pool->open++;
            pthread_mutex_unlock(&pool->mutex);

            db = fota_db_connect(&pool->conf);
            if (db != NULL) {
                return db;
            }

            pthread_mutex_lock(&pool->mutex);
            pool->open--;
            pthread_cond_signal(&pool->cond);
            break;
        }

        ts.tv_sec = until / 1000;
        ts.tv_nsec = until % 1000 * 1000000;

        if (pthread_cond_timedwait(&pool->cond, &pool->mutex, &ts)
            == ETIMEDOUT)
        {
            break;
        }
    }

    pthread_mutex_unlock(&pool->mutex);

    return NULL;
}


void
fota_db_put(fota_db_pool_t *pool, fota_db_t *db)
{
    if (db == NULL) {
        return;
    }

    if (db->in_tx) {
        fota_db_rollback(db);
    }

    if (db->locks && !db->broken) {
        if (fota_db_exec_text(db, "DO RELEASE_ALL_LOCKS()") != FOTA_OK) {
            db->broken = 1;
        }

        db->locks = 0;
    }

    if (db->broken) {
        fota_db_close(db);
        db = NULL;

    } else {
        db->idle_since = fota_db_clock();
    }

    pthread_mutex_lock(&pool->mutex);

    if (db == NULL) {
        pool->open--;

    } else {
        db->next = pool->idle;
        pool->idle = db;
    }

    pthread_cond_signal(&pool->cond);
    pthread_mutex_unlock(&pool->mutex);
}
