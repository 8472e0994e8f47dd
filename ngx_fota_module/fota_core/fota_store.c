/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>

#include "fota_store_link.h"


#define FOTA_STORE_PATH_MAX  4096
#define FOTA_STORE_DIR_MODE  02770


static int fota_store_paths(const char *dir, char *data, char *lock,
    const char **reason);
static int fota_store_create_dir(const char *dir, const char **reason);
static fota_store_link_t *fota_store_find(const struct stat *data);
static bool fota_store_lock_held(const char *lock);


/*
 * LMDB locks with fcntl(), and such locks belong to the process: closing any
 * descriptor of lock.mdb drops them all.  So an environment is opened once,
 * and everybody in the process shares it.
 */

static pthread_mutex_t     fota_store_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t      fota_store_once = PTHREAD_ONCE_INIT;
static fota_store_link_t  *fota_store_list;

uint32_t  fota_store_forks;


static void
fota_store_forked(void)
{
    fota_store_forks++;
}


static void
fota_store_watch(void)
{
    (void) pthread_atfork(NULL, NULL, fota_store_forked);
}


static int
fota_store_paths(const char *dir, char *data, char *lock, const char **reason)
{
    if (snprintf(data, FOTA_STORE_PATH_MAX, "%s/data.mdb", dir)
        >= FOTA_STORE_PATH_MAX)
    {
        *reason = "path is too long";
        return FOTA_LIMIT;
    }

    (void) snprintf(lock, FOTA_STORE_PATH_MAX, "%s/lock.mdb", dir);

    return FOTA_OK;
}


/* Set-group-id, so that readers of the group get at lock.mdb. */

static int
fota_store_create_dir(const char *dir, const char **reason)
{
    if (mkdir(dir, FOTA_STORE_DIR_MODE & 0777) == 0) {

        /* umask is not to take away what readers need */

        if (chmod(dir, FOTA_STORE_DIR_MODE) != 0) {
            *reason = "cannot set the mode of the directory";
            return FOTA_IO;
        }

        return FOTA_OK;
    }

    if (errno == EEXIST) {
        return FOTA_OK;
    }

    if (errno == ENOSPC || errno == EDQUOT) {
        *reason = "no space left on device";
        return FOTA_FULL;
    }

    *reason = "cannot create the directory";

    return FOTA_IO;
}


static fota_store_link_t *
fota_store_find(const struct stat *data)
{
    fota_store_link_t  *link;

    for (link = fota_store_list; link != NULL; link = link->next) {

        /* After a fork() an environment belongs to the parent alone. */

        if (link->forks == fota_store_forks && link->dev == data->st_dev
            && link->data == data->st_ino)
        {
            return link;
        }
    }

    return NULL;
}


static bool
fota_store_lock_held(const char *lock)
{
    struct stat         sb;
    fota_store_link_t  *link;

    if (stat(lock, &sb) != 0) {
        return false;
    }

    for (link = fota_store_list; link != NULL; link = link->next) {
        if (link->forks == fota_store_forks && link->dev == sb.st_dev
            && link->lock == sb.st_ino)
        {
            return true;
        }
    }

    return false;
}


int
fota_store_open(fota_store_t **out, const char *dir,
    const fota_store_opt_t *opt, const char **reason)
{
    int                 rc;
    char                data[FOTA_STORE_PATH_MAX], lock[FOTA_STORE_PATH_MAX];
    struct stat         sb;
    fota_store_t       *st;
    fota_store_link_t  *link;

    *out = NULL;
    *reason = "";

    rc = fota_store_paths(dir, data, lock, reason);
    if (rc != FOTA_OK) {
        return rc;
    }

    (void) pthread_once(&fota_store_once, fota_store_watch);

    pthread_mutex_lock(&fota_store_mutex);

    if (stat(data, &sb) == 0) {
        link = fota_store_find(&sb);

        if (link != NULL) {
            if (link->readonly && !opt->readonly) {
                *reason = "opened for reading in this process already";
                rc = FOTA_BUSY;
                goto failed;
            }

            link->refs++;
            *out = (fota_store_t *) link;
            goto done;
        }

        if (sb.st_size == 0 && opt->readonly) {
            *reason = "the database is still empty";
            rc = FOTA_NOTFOUND;
            goto failed;
        }

        if (fota_store_lock_held(lock)) {
            *reason = "the replaced database is still open";
            rc = FOTA_BUSY;
            goto failed;
        }

    } else if (errno != ENOENT) {
        *reason = (errno == EACCES) ? "no permission for data.mdb"
                                    : "cannot stat data.mdb";
        rc = FOTA_IO;
        goto failed;

    } else if (opt->readonly) {
        *reason = "there is no database";
        rc = FOTA_NOTFOUND;
        goto failed;

    } else {
        rc = fota_store_create_dir(dir, reason);
        if (rc != FOTA_OK) {
            goto failed;
        }
    }

    rc = fota_store_env_open(&st, dir, opt, reason);
    if (rc != FOTA_OK) {
        goto failed;
    }

    link = (fota_store_link_t *) st;

    if (!opt->readonly) {
        (void) chmod(data, FOTA_STORE_FILE_MODE);
        (void) chmod(lock, FOTA_STORE_FILE_MODE);
    }

    if (stat(data, &sb) == 0) {
        link->dev = sb.st_dev;
        link->data = sb.st_ino;
    }

    if (stat(lock, &sb) == 0) {
        link->lock = sb.st_ino;
    }

    link->forks = fota_store_forks;
    link->refs = 1;
    link->readonly = opt->readonly;
    link->next = fota_store_list;

    fota_store_list = link;
    *out = st;

done:

    rc = FOTA_OK;

failed:

    pthread_mutex_unlock(&fota_store_mutex);

    return rc;
}


void
fota_store_close(fota_store_t *st)
{
    fota_store_link_t  *link, **p;

    if (st == NULL) {
        return;
    }

    link = (fota_store_link_t *) st;

    pthread_mutex_lock(&fota_store_mutex);

    if (--link->refs == 0) {
        for (p = &fota_store_list; *p != NULL; p = &(*p)->next) {
            if (*p == link) {
                *p = link->next;
                break;
            }
        }

        fota_store_env_close(st);
    }

    pthread_mutex_unlock(&fota_store_mutex);
}
