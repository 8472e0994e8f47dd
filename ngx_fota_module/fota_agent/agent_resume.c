/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_file.h"
#include "agent_resume.h"


typedef struct {
    int       fd;
    bool      begun;
    uint64_t  at;
    uint64_t  size;
} fota_agent_resume_t;


static int
fota_agent_resume_sink(void *ctx, const fota_agent_res_t *res,
    const void *data, size_t n)
{
    int                   rc;
    fota_agent_resume_t  *r;

    r = ctx;

    if (!r->begun) {
        r->begun = true;

        if (res->status == 200) {

            /* Who ignores our range begins anew. */

            if (r->at != 0 && ftruncate(r->fd, 0) != 0) {
                return FOTA_IO;
            }

            r->at = 0;

        } else if (res->from != r->at) {
            return FOTA_INVALID;
        }
    }

    if (n > r->size - r->at) {
        return FOTA_LIMIT;
    }

    rc = fota_agent_file_write(r->fd, data, n);

    if (rc == FOTA_OK) {
        r->at += n;
    }

    return rc;
}


int
fota_agent_resume(fota_agent_http_t *http, const char *path,
    const char *file, uint64_t size, fota_agent_res_t *res)
{
    int                   rc;
    struct stat           sb;
    fota_agent_req_t      req;
    fota_agent_resume_t   r;

    fota_agent_res_free(res);
    memset(res, 0, sizeof(fota_agent_res_t));
    memset(&r, 0, sizeof(r));

    r.size = size;
    r.fd = open(file, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0600);

    if (r.fd < 0) {
        rc = fota_agent_file_errno(errno);
        (void) snprintf(res->error, sizeof(res->error),
                        "cannot write \"%.128s\": %s", file, strerror(errno));
        return (rc == FOTA_FULL) ? FOTA_FULL : FOTA_IO;
    }

    if (fstat(r.fd, &sb) == 0) {
        r.at = (uint64_t) sb.st_size;
    }

    if (r.at == size && size != 0) {
        close(r.fd);
        return FOTA_OK;
    }

    if (r.at > size) {
        (void) !ftruncate(r.fd, 0);
        r.at = 0;
    }

    memset(&req, 0, sizeof(req));
    req.path = path;
    req.from = r.at;
    req.sink = fota_agent_resume_sink;
    req.ctx = &r;

    rc = fota_agent_http(http, &req, res);

    if (close(r.fd) != 0 && rc == FOTA_OK) {
        rc = fota_agent_file_errno(errno);
    }

    if (rc == FOTA_FULL) {
        (void) snprintf(res->error, sizeof(res->error),
                        "no space left for \"%.128s\"", file);
    }

    if (rc == FOTA_LIMIT || rc == FOTA_INVALID) {

        /* Nothing that was begun so can become right. */

        (void) unlink(file);
        (void) snprintf(res->error, sizeof(res->error),
                        (rc == FOTA_LIMIT) ? "longer than the %llu bytes said"
                        : "another range than from byte %llu was sent",
                        (unsigned long long) ((rc == FOTA_LIMIT) ? size
                                                                 : req.from));
        return FOTA_LIMIT;
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    switch (res->status) {

    case 200:
    case 206:
        if (r.at == size) {
            return FOTA_OK;
        }

        (void) snprintf(res->error, sizeof(res->error),
                        "ended after %llu of %llu bytes",
                        (unsigned long long) r.at,
                        (unsigned long long) size);
        return FOTA_TRUNCATED;

    case 404:
        (void) fota_agent_res_text(res);
        return FOTA_NOTFOUND;

    case 416:
        (void) unlink(file);
        (void) fota_agent_res_text(res);
        return FOTA_TRUNCATED;

    default:
        (void) fota_agent_res_text(res);
        return FOTA_BUSY;
    }
}
