/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli_progress.h"
#include "sim.h"


typedef struct {
    int                   fd;
    int                   error;    /* errno of a write that failed */
    bool                  begun;    /* bytes of the range came */
    bool                  odd;      /* and are not those asked for */
    uint64_t              have;     /* bytes in the file */
    uint64_t              end;      /* of the range under way */
    uint64_t              limit;    /* give up here, UINT64_MAX = never */
    fota_sim_t           *sim;
    fota_cli_reply_t     *reply;
    fota_cli_progress_t   progress;
} fota_sim_part_t;


static uint64_t
fota_sim_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


/*
 * Nothing is stored that is not of the range: whoever sends more, or other
 * bytes, may never end.
 */

static bool
fota_sim_store(void *ctx, const void *data, size_t len)
{
    char              from[40];
    ssize_t           n;
    fota_sim_part_t  *p = ctx;
    const char       *s = data;

    if (!p->begun) {
        p->begun = true;
        (void) snprintf(from, sizeof(from), "bytes %llu-",
                        (unsigned long long) p->have);

        p->odd = p->reply->status != 206
                 || strncmp(p->reply->content_range, from, strlen(from)) != 0;
    }

    if (p->odd || len > p->end - p->have) {
        p->odd = true;
        return false;
    }

    while (len != 0) {
        n = pwrite(p->fd, s, len, (off_t) p->have);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            p->error = errno;
            return false;
        }

        p->have += (uint64_t) n;
        p->sim->bytes += (uint64_t) n;
        s += n;
        len -= (size_t) n;
    }

    fota_cli_progress_to(&p->progress, p->have);

    return p->have < p->limit;
}


/*
 * One range from one node.  FOTA_OK (more may be left), FOTA_EXPIRED,
 * FOTA_REVOKED, FOTA_FULL (it cannot be stored), FOTA_BUSY (stop_after),
 * FOTA_IO (try the next node).
 */
static int
fota_sim_range(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const fota_sim_url_t *u, fota_sim_part_t *part, char *err, size_t errlen)
{
    int                rc;
    char               range[80], cond[128];
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    memset(&call, 0, sizeof(call));

    part->begun = false;
    part->odd = false;
    part->reply = &reply;
    part->end = offer->size - part->have > sim->conf->range
                ? part->have + sim->conf->range : offer->size;

    (void) snprintf(range, sizeof(range), "Range: bytes=%llu-%llu",
                    (unsigned long long) part->have,
                    (unsigned long long) part->end - 1);

    /*
     * The tag is the content's hash, the same on every node, so a resumed
     * range can never be of another file.
     */
    (void) snprintf(cond, sizeof(cond), "If-Range: \"sha256-%s\"",
                    offer->sha256);

    call.method = "GET";
    call.url = u->url;
    call.headers[call.nheaders++] = range;
    call.headers[call.nheaders++] = cond;
    call.sink = fota_sim_store;
    call.sink_ctx = part;

    sim->requests++;
    rc = fota_cli_http_call(sim->http, &call, &reply);

    if (part->error != 0) {
        (void) snprintf(err, errlen, "the file cannot be written: %s",
                        strerror(part->error));
        rc = FOTA_FULL;

    } else if (part->odd
               || (rc == FOTA_OK && reply.status / 100 == 2
                   && part->have != part->end))
    {
        (void) snprintf(err, errlen, "%s answered %ld with another range",
                        u->node, reply.status);
        rc = FOTA_IO;

    } else if (rc == FOTA_BUSY) {
        (void) snprintf(err, errlen, "stopped at byte %llu",
                        (unsigned long long) part->have);

    } else if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "%s: %s", u->node, reply.error);
        rc = FOTA_IO;

    } else if (reply.status / 100 == 2) {
        rc = FOTA_OK;

    } else {
        (void) snprintf(err, errlen, "%s answered %ld %s", u->node,
                        reply.status, reply.www_authenticate);
        rc = reply.status == 401 ? FOTA_EXPIRED
             : reply.status == 410 ? FOTA_REVOKED : FOTA_IO;
    }

    fota_cli_reply_done(&reply);

    return rc;
}


void
fota_sim_avoid(fota_sim_t *sim, const char *node)
{
    sim->failovers++;

    if (sim->navoid < FOTA_SIM_AVOID_MAX) {
        (void) snprintf(sim->avoid[sim->navoid++], sizeof(sim->avoid[0]),
                        "%s", node);
    }
}


int
fota_sim_fetch(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *path, char *err, size_t errlen)
{
    int               rc;
    size_t            i;
    uint64_t          start;
    struct stat       sb;
    fota_sim_part_t   part;

    memset(&part, 0, sizeof(part));
    part.sim = sim;
    part.limit = UINT64_MAX;

    part.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (part.fd == -1 || fstat(part.fd, &sb) == -1) {
        (void) snprintf(err, errlen, "%s: %s", path, strerror(errno));
        if (part.fd != -1) {
            (void) close(part.fd);
        }

        return FOTA_IO;
    }

    if ((uint64_t) sb.st_size <= offer->size) {
        part.have = (uint64_t) sb.st_size;
        sim->resumed = (part.have != 0);

    } else if (ftruncate(part.fd, 0) == -1) {
        (void) close(part.fd);
        return FOTA_IO;
    }

    if (sim->conf->stop_after != 0) {
        part.limit = part.have + sim->conf->stop_after;
    }

    fota_cli_progress_start(&part.progress, "downloading", offer->size,
                            sim->conf->quiet);
    part.progress.base = part.have;
    fota_cli_progress_to(&part.progress, part.have);

    start = fota_sim_now_ms();
    rc = FOTA_OK;

    for (i = 0; part.have < offer->size && i < offer->nurls; /* void */) {

        rc = fota_sim_range(sim, offer, &offer->urls[i], &part, err, errlen);

        if (rc == FOTA_OK) {
            (void) snprintf(sim->node, sizeof(sim->node), "%s",
                            offer->urls[i].node);
            continue;
        }

        if (rc != FOTA_IO) {
            break;
        }

        fota_sim_avoid(sim, offer->urls[i].node);
        i++;
    }

    sim->ms += fota_sim_now_ms() - start;
    fota_cli_progress_end(&part.progress);

    if (part.have == offer->size) {
        rc = FOTA_OK;

        if (fsync(part.fd) != 0) {
            (void) snprintf(err, errlen, "the file cannot be written: %s",
                            strerror(errno));
            rc = FOTA_FULL;
        }
    }

    (void) close(part.fd);

    return rc;
}
