/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_file.h"
#include "agent_tally.h"


struct fota_agent_tally_s {
    pthread_mutex_t  lock;
    fota_tally_t     page;
    int              fd;
    bool             failed;        /* and that was logged */
    char             path[PATH_MAX];
};


static void fota_agent_tally_write(fota_agent_tally_t *t);


fota_agent_tally_t *
fota_agent_tally_new(const char *dir)
{
    fota_agent_tally_t  *t;

    t = calloc(1, sizeof(fota_agent_tally_t));
    if (t == NULL) {
        return NULL;
    }

    (void) pthread_mutex_init(&t->lock, NULL);
    t->fd = -1;

    if (!fota_agent_file_path(t->path, dir, FOTA_TALLY_FILE)) {
        free(t);
        return NULL;
    }

    /* Counts go on; marks are told anew by who uploads. */

    (void) fota_tally_read(dir, &t->page);

    fota_agent_tally_write(t);

    return t;
}


void
fota_agent_tally_free(fota_agent_tally_t *t)
{
    if (t == NULL) {
        return;
    }

    if (t->fd != -1) {
        close(t->fd);
    }

    free(t);
}


/*
 * In place: a file beside it and a rename would need room on the disk, the
 * lack of which is one of the things to tell.  Not synced: after a crash of
 * the machine a lost count is no loss.
 */

static void
fota_agent_tally_write(fota_agent_tally_t *t)
{
    uint8_t      bytes[FOTA_TALLY_SIZE];
    ssize_t      n;
    struct stat  sb;

    /* Somebody may have taken the file away. */

    if (t->fd != -1 && (fstat(t->fd, &sb) != 0 || sb.st_nlink == 0)) {
        close(t->fd);
        t->fd = -1;
    }

    n = -1;

    if (t->fd == -1) {
        t->fd = open(t->path, O_WRONLY|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0640);

        if (t->fd != -1) {

            /* Workers of nginx have the directory's group. */

            (void) fchmod(t->fd, 0640);
        }
    }

    if (t->fd != -1) {
        fota_tally_encode(&t->page, bytes);
        n = pwrite(t->fd, bytes, sizeof(bytes), 0);
    }

    if (n == (ssize_t) sizeof(bytes)) {
        t->failed = false;

    } else if (!t->failed) {
        t->failed = true;
        fota_agent_log(FOTA_AGENT_LOG_WARN, "agent",
                       "cannot write %s, metrics will lack it: %s", t->path,
                       (n == -1) ? strerror(errno) : "no space");
    }
}


void
fota_agent_tally_error(fota_agent_tally_t *t, fota_sync_error_e kind)
{
    pthread_mutex_lock(&t->lock);

    t->page.errors[kind]++;
    fota_agent_tally_write(t);

    pthread_mutex_unlock(&t->lock);
}


void
fota_agent_tally_marks(fota_agent_tally_t *t, const fota_agent_cursor_t *c)
{
    size_t              i;
    uint32_t            n;
    fota_tally_mark_t   marks[FOTA_TALLY_MARKS];

    memset(marks, 0, sizeof(marks));

    /* A segment that is not in the list waits as a whole. */

    for (i = 0, n = 0; i < c->n && n < FOTA_TALLY_MARKS; i++) {
        if (c->marks[i].offset > FOTA_SPOOL_SEGMENT_HEADER) {
            marks[n].segment = c->marks[i].id;
            marks[n].offset = c->marks[i].offset;
            n++;
        }
    }

    pthread_mutex_lock(&t->lock);

    for (i = 0; i < n && t->page.nmarks == n; i++) {
        if (t->page.marks[i].segment.boot != marks[i].segment.boot
            || t->page.marks[i].segment.worker != marks[i].segment.worker
            || t->page.marks[i].segment.number != marks[i].segment.number
            || t->page.marks[i].offset != marks[i].offset)
        {
            break;
        }
    }

    if (i != n || t->page.nmarks != n) {
        memcpy(t->page.marks, marks, sizeof(marks));
        t->page.nmarks = n;
        fota_agent_tally_write(t);
    }

    pthread_mutex_unlock(&t->lock);
}


void
fota_agent_tally_errors(fota_agent_tally_t *t,
    uint64_t errors[FOTA_SYNC__N])
{
    pthread_mutex_lock(&t->lock);
    memcpy(errors, t->page.errors, sizeof(t->page.errors));
    pthread_mutex_unlock(&t->lock);
}
