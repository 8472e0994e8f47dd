/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/uio.h>

#include "agent_hash.h"


/* Small, so that a slow pace is an even one. */
#define FOTA_AGENT_HASH_BLOCK  (256 << 10)


static ssize_t fota_agent_hash_read(int fd, void *block, off_t at,
    bool *cold);


/*
 * What nginx sends from memory must stay there, and what it does not send
 * must not push that out.  RWF_NOWAIT reads what is in memory and nothing
 * else, so it tells the two apart; O_DIRECT would check the disk where nginx
 * sends from memory.  A file system that does not know the flag keeps all:
 * rather too much than what is wanted.
 */

static ssize_t
fota_agent_hash_read(int fd, void *block, off_t at, bool *cold)
{
    ssize_t       n;
    struct iovec  iov;

    iov.iov_base = block;
    iov.iov_len = FOTA_AGENT_HASH_BLOCK;

    n = preadv2(fd, &iov, 1, at, RWF_NOWAIT);

    *cold = n < 0 && errno == EAGAIN;

    return (n < 0) ? pread(fd, block, FOTA_AGENT_HASH_BLOCK, at) : n;
}


int
fota_agent_hash(fota_agent_t *agent, int fd, fota_agent_pace_t *pace,
    uint8_t hash[32], uint64_t *size)
{
    int             rc;
    bool            cold;
    void           *block;
    off_t           at;
    ssize_t         n;
    uint64_t        ms;
    fota_sha256_t  *h;

    h = fota_sha256_new();
    block = malloc(FOTA_AGENT_HASH_BLOCK);

    rc = (h == NULL || block == NULL) ? FOTA_NOMEM : FOTA_OK;
    at = 0;

    if (pace != NULL) {

        /* Nothing is read ahead, so what is in memory is not from us. */

        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    }

    while (rc == FOTA_OK) {

        if (fota_agent_stopping(agent)) {
            rc = FOTA_BUSY;
            break;
        }

        cold = false;

        n = (pace != NULL)
            ? fota_agent_hash_read(fd, block, at, &cold)
            : pread(fd, block, FOTA_AGENT_HASH_BLOCK, at);

        if (n == 0) {
            rc = fota_sha256_final(h, hash);
            break;
        }

        if (n < 0) {
            rc = (errno == EIO) ? FOTA_CORRUPT
                                : (errno == EINTR) ? FOTA_OK : FOTA_IO;
            continue;
        }

        if (cold) {
            (void) posix_fadvise(fd, at, n, POSIX_FADV_DONTNEED);
        }

        rc = fota_sha256_update(h, block, (size_t) n);
        at += n;
        *size += (uint64_t) n;

        if (rc == FOTA_OK && pace != NULL) {
            ms = fota_agent_pace(pace, fota_agent_mono_ms() * 1000,
                                 (uint64_t) n);

            if (ms != 0 && fota_agent_pause(agent, ms)) {
                rc = FOTA_BUSY;
            }
        }
    }

    free(block);
    fota_sha256_free(h);

    return rc;
}
