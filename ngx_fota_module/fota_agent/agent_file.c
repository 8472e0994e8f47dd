/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent_file.h"


bool
fota_agent_file_path(char *path, const char *dir, const char *name)
{
    int  n;

    n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

    if (n < 0 || n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        path[0] = '\0';
        return false;
    }

    return true;
}


int
fota_agent_file_errno(int err)
{
    switch (err) {

    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return FOTA_FULL;

    case ENOENT:
        return FOTA_NOTFOUND;

    default:
        return FOTA_IO;
    }
}


int
fota_agent_file_read(const char *path, size_t max, fota_buf_t *out)
{
    int       fd, rc;
    ssize_t   n;
    uint8_t   block[8192];

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return fota_agent_file_errno(errno);
    }

    fota_buf_grow(out, max);

    while ((n = read(fd, block, sizeof(block))) > 0) {
        fota_buf_put(out, block, (size_t) n);
    }

    rc = (n < 0) ? FOTA_IO : (int) out->status;

    close(fd);

    if (rc != FOTA_OK) {
        fota_buf_free(out);
    }

    return rc;
}


int
fota_agent_file_write(int fd, const void *data, size_t n)
{
    ssize_t         done;
    const uint8_t  *p;

    for (p = data; n != 0; p += done, n -= (size_t) done) {
        done = write(fd, p, n);

        if (done < 0) {
            if (errno != EINTR) {
                return fota_agent_file_errno(errno);
            }

            done = 0;
        }
    }

    return FOTA_OK;
}


int
fota_agent_file_replace(const char *path, mode_t mode, fota_str_t data)
{
    int    fd, rc;
    char   temp[PATH_MAX], *slash;

    if (snprintf(temp, sizeof(temp), "%s.new", path) >= PATH_MAX) {
        return FOTA_LIMIT;
    }

    fd = open(temp, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, mode);
    if (fd < 0) {
        return fota_agent_file_errno(errno);
    }

    rc = fota_agent_file_write(fd, data.data, data.len);

    if (rc == FOTA_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        rc = fota_agent_file_errno(errno);
    }

    if (close(fd) != 0 && rc == FOTA_OK) {
        rc = fota_agent_file_errno(errno);
    }

    if (rc == FOTA_OK && rename(temp, path) != 0) {
        rc = fota_agent_file_errno(errno);
    }

    if (rc != FOTA_OK) {
        (void) unlink(temp);
        return rc;
    }

    slash = strrchr(temp, '/');

    if (slash != NULL) {
        *slash = '\0';
        rc = fota_agent_file_sync_dir(temp);
    }

    return rc;
}


int
fota_agent_file_sync_dir(const char *dir)
{
    int  fd, rc;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd < 0) {
        return fota_agent_file_errno(errno);
    }

    rc = (fsync(fd) == 0) ? FOTA_OK : fota_agent_file_errno(errno);

    close(fd);

    return rc;
}


int
fota_agent_file_mkdir(const char *dir, mode_t mode, gid_t gid)
{
    char         path[PATH_MAX], *p;
    struct stat  sb;

    if (stat(dir, &sb) == 0) {
        return S_ISDIR(sb.st_mode) ? FOTA_OK : FOTA_IO;
    }

    if (snprintf(path, sizeof(path), "%s", dir) >= PATH_MAX) {
        return FOTA_LIMIT;
    }

    for (p = path + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';

            if (mkdir(path, 0755) != 0 && errno != EEXIST) {
                return fota_agent_file_errno(errno);
            }

            *p = '/';
        }
    }

    if (mkdir(path, mode & 0777) != 0) {
        return (errno == EEXIST) ? FOTA_OK : fota_agent_file_errno(errno);
    }

    /* chown() takes set-group-id away, so it comes first. */

    if ((gid != (gid_t) -1 && chown(path, (uid_t) -1, gid) != 0)
        || chmod(path, mode) != 0)
    {
        return fota_agent_file_errno(errno);
    }

    return FOTA_OK;
}


static void
fota_agent_file_empty(const char *dir, unsigned depth)
{
    DIR            *d;
    char            path[PATH_MAX];
    struct dirent  *e;

    d = opendir(dir);
    if (d == NULL) {
        return;
    }

    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0
            || !fota_agent_file_path(path, dir, e->d_name))
        {
            continue;
        }

        if (unlink(path) != 0 && errno == EISDIR && depth != 0) {
            fota_agent_file_empty(path, depth - 1);
        }
    }

    closedir(d);

    (void) rmdir(dir);
}


void
fota_agent_file_rmdir(const char *dir)
{
    fota_agent_file_empty(dir, 1);
}


uint64_t
fota_agent_file_avail(const char *path)
{
    struct statvfs  vfs;

    if (statvfs(path, &vfs) != 0) {
        return 0;
    }

    return (uint64_t) vfs.f_bavail * vfs.f_frsize;
}
