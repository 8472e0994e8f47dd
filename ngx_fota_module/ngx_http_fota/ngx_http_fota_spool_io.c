/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What the thread that writes does.  Nothing of nginx is touched here. */

#include <stdio.h>
#include <sys/file.h>

#include "ngx_http_fota_spool.h"


static int ngx_http_fota_segment_open(ngx_http_fota_commit_t *t);
static int ngx_http_fota_segment_path(const ngx_http_fota_commit_t *t,
    char *path, size_t size);


static int
ngx_http_fota_segment_path(const ngx_http_fota_commit_t *t, char *path,
    size_t size)
{
    int   n;
    char  name[FOTA_SPOOL_NAME_MAX];

    fota_spool_name(name, &t->segment);

    n = snprintf(path, size, "%s/%s", t->dir, name);

    return (n > 0 && (size_t) n < size) ? 0 : ENAMETOOLONG;
}


static int
ngx_http_fota_segment_open(ngx_http_fota_commit_t *t)
{
    int   err;
    char  path[PATH_MAX];

    t->failed = "open";

    err = ngx_http_fota_segment_path(t, path, sizeof(path));
    if (err != 0) {
        return err;
    }

    /* The agent, of the same group, reads it and removes it in the end. */

    t->fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0660);

    if (t->fd == -1) {
        return errno;
    }

    t->created = 1;

    /* As long as we hold it, the agent takes the segment for growing. */

    t->failed = "flock";

    return (flock(t->fd, LOCK_EX|LOCK_NB) == -1) ? errno : 0;
}


void
ngx_http_fota_commit(void *data, ngx_log_t *log)
{
    ngx_http_fota_commit_t *t = data;

    int          err, dir;
    char         path[PATH_MAX];
    size_t       done;
    ssize_t      n;
    struct stat  st;

    err = 0;
    t->created = 0;

    if (t->fd == -1) {
        err = ngx_http_fota_segment_open(t);
    }

    for (done = 0; err == 0 && done < t->len; done += n) {

        t->failed = "pwrite";

        n = pwrite(t->fd, t->data + done, t->len - done,
                   t->offset + (off_t) done);

        if (n == -1) {
            n = 0;
            err = (errno == EINTR) ? 0 : errno;

        } else if (n == 0) {
            err = ENOSPC;
        }
    }

    if (err == 0 && t->sync) {
        t->failed = "fdatasync";
        err = (fdatasync(t->fd) == -1) ? errno : 0;
    }

    /* Removed by somebody meanwhile, it would be gone when we close it. */

    if (err == 0 && t->sync) {
        t->failed = "fstat";

        if (fstat(t->fd, &st) == -1) {
            err = errno;

        } else if (st.st_nlink == 0) {
            err = ENOENT;
        }
    }

    /* A file whose name is not on disk is not either. */

    if (err == 0 && t->sync && t->created) {
        t->failed = "fsync";
        dir = open(t->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

        if (dir == -1 || fsync(dir) == -1) {
            err = errno;
        }

        if (dir != -1) {
            (void) close(dir);
        }
    }

    if (err != 0 && t->created) {

        /* Nothing in it was acknowledged. */

        if (ngx_http_fota_segment_path(t, path, sizeof(path)) == 0) {
            (void) unlink(path);
        }
    }

    t->err = err;
}
