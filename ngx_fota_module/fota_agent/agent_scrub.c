/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Verifies what lies in the store again, file by file in the order of their
 * names, for disks rot.  What was done is kept as the last name alone: what
 * is fetched meanwhile was verified then, so that a pass has seen all that
 * was there when it began.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_fetch.h"
#include "agent_file.h"
#include "agent_hash.h"
#include "fota_encode.h"


#define FOTA_AGENT_SCRUB_LOOK  60       /* s: the clock may be set */
#define FOTA_AGENT_SCRUB_SAVE  1000     /* ms: at most so often */


typedef struct {
    fota_agent_t         *agent;
    fota_agent_passes_t   p;
    fota_agent_pace_t     pace;
    uint64_t              saved;        /* mono ms */
    char                  path[PATH_MAX];
} fota_agent_scrub_t;


static void fota_agent_scrub_load(fota_agent_scrub_t *s);
static void fota_agent_scrub_save(fota_agent_scrub_t *s);
static void fota_agent_scrub_tell(fota_agent_scrub_t *s);
static int fota_agent_scrub_order(const void *one, const void *two);
static int fota_agent_scrub_pass(fota_agent_scrub_t *s);
static int fota_agent_scrub_file(fota_agent_scrub_t *s, const char *name);
static int fota_agent_scrub_out(fota_agent_t *agent, int fd,
    const char *name, const char *why);


void *
fota_agent_scrub_thread(void *arg)
{
    uint64_t             s, interval;
    fota_agent_t        *agent;
    fota_agent_scrub_t   scrub;

    agent = arg;
    interval = agent->conf.scrub_interval;

    if (interval == 0) {
        return NULL;
    }

    memset(&scrub, 0, sizeof(scrub));
    scrub.agent = agent;
    scrub.pace.rate = agent->conf.scrub_rate;

    fota_agent_scrub_load(&scrub);

    while (!fota_agent_stopping(agent)) {

        s = fota_agent_pass_due(&scrub.p.now, fota_agent_now_ms() / 1000,
                                interval);

        if (s == 0 && fota_agent_scrub_pass(&scrub) == FOTA_OK) {
            continue;
        }

        if (s == 0 || s > FOTA_AGENT_SCRUB_LOOK) {
            s = FOTA_AGENT_SCRUB_LOOK;
        }

        (void) fota_agent_pause(agent, s * 1000);
    }

    return NULL;
}


static void
fota_agent_scrub_load(fota_agent_scrub_t *s)
{
    fota_buf_t  text;

    if (!fota_agent_file_path(s->path, s->agent->conf.state_dir, "scrub")) {
        return;
    }

    /* What cannot be read is as if there was none: it begins anew. */

    if (fota_agent_file_read(s->path, FOTA_AGENT_PASS_SIZE, &text)
        == FOTA_OK)
    {
        (void) fota_agent_pass_decode(fota_buf_slice(&text), &s->p);
        fota_buf_free(&text);
    }

    fota_agent_scrub_tell(s);
}


/* When it cannot be written, more is verified again than had to be. */

static void
fota_agent_scrub_save(fota_agent_scrub_t *s)
{
    uint8_t  page[FOTA_AGENT_PASS_SIZE];

    fota_agent_pass_encode(&s->p, page);

    (void) fota_agent_file_replace(s->path, 0600,
                                   fota_slice(page, sizeof(page)));

    s->saved = fota_agent_mono_ms();
}


static void
fota_agent_scrub_tell(fota_agent_scrub_t *s)
{
    pthread_mutex_lock(&s->agent->lock);
    s->agent->pass = s->p.now;
    s->agent->passed = s->p.last;
    pthread_mutex_unlock(&s->agent->lock);
}


static int
fota_agent_scrub_order(const void *one, const void *two)
{
    return strcmp(((const fota_agent_stored_t *) one)->name,
                  ((const fota_agent_stored_t *) two)->name);
}


/* Goes on with the pass that is under way, or begins one. */

static int
fota_agent_scrub_pass(fota_agent_scrub_t *s)
{
    int                   rc;
    bool                  well;
    size_t                i;
    fota_agent_pass_t    *pass;
    fota_agent_files_t    l;

    memset(&l, 0, sizeof(l));
    pass = &s->p.now;

    rc = fota_agent_files_read(s->agent->conf.store_dir, &l);

    if (rc != FOTA_OK) {
        fota_agent_fault(s->agent, FOTA_AGENT_SCRUB, "cannot list %s",
                         s->agent->conf.store_dir);
        free(l.files);
        return rc;
    }

    if (pass->begun == 0 || pass->ended != 0) {
        fota_agent_pass_begin(&s->p, fota_agent_now_ms() / 1000);
    }

    if (l.n != 0) {
        qsort(l.files, l.n, sizeof(fota_agent_stored_t),
              fota_agent_scrub_order);
    }

    well = true;

    for (i = 0; i < l.n; i++) {

        if (strcmp(l.files[i].name, s->p.after) <= 0) {
            continue;
        }

        rc = fota_agent_scrub_file(s, l.files[i].name);

        if (rc == FOTA_BUSY) {
            fota_agent_scrub_save(s);
            free(l.files);
            return rc;
        }

        if (rc == FOTA_OK || rc == FOTA_FORGED) {
            pass->files++;
            pass->bad += rc == FOTA_FORGED;

        } else if (rc != FOTA_NOTFOUND) {
            well = false;
        }

        memcpy(s->p.after, l.files[i].name, sizeof(s->p.after));

        fota_agent_scrub_tell(s);

        if (fota_agent_mono_ms() - s->saved >= FOTA_AGENT_SCRUB_SAVE) {
            fota_agent_scrub_save(s);
        }
    }

    free(l.files);

    fota_agent_pass_end(&s->p, fota_agent_now_ms() / 1000);
    fota_agent_scrub_tell(s);
    fota_agent_scrub_save(s);

    fota_agent_log(FOTA_AGENT_LOG_INFO, "scrub", "verified the store: %llu "
                   "files, %llu bytes, %llu damaged",
                   (unsigned long long) pass->files,
                   (unsigned long long) pass->bytes,
                   (unsigned long long) pass->bad);

    /* A disk that damaged one is not well until a whole pass is clean. */

    if (well && pass->bad == 0) {
        fota_agent_well(s->agent, FOTA_AGENT_SCRUB);
    }

    return FOTA_OK;
}


/*
 * FOTA_OK; FOTA_FORGED: was bad and is taken out; FOTA_NOTFOUND: not ours,
 * or gone meanwhile; FOTA_BUSY: stop; else it could not be checked.
 */

static int
fota_agent_scrub_file(fota_agent_scrub_t *s, const char *name)
{
    int            fd, rc;
    char           path[PATH_MAX], hex[65], why[128];
    size_t         n;
    uint8_t        want[32], hash[32];
    uint64_t       size;
    fota_agent_t  *agent;

    agent = s->agent;
    size = 0;

    if (fota_base64url_decode(want, 32, fota_cstr(name), &n) != FOTA_OK
        || !fota_agent_file_path(path, agent->conf.store_dir, name))
    {
        return FOTA_NOTFOUND;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK);

    if (fd < 0) {
        if (errno == ENOENT) {
            return FOTA_NOTFOUND;
        }

        fota_agent_fault(agent, FOTA_AGENT_SCRUB, "cannot open %s: %s", name,
                         strerror(errno));
        return FOTA_IO;
    }

    rc = fota_agent_hash(agent, fd, &s->pace, hash, &size);

    switch (rc) {

    case FOTA_OK:
        s->p.now.bytes += size;

        if (memcmp(hash, want, 32) != 0) {
            fota_hex_encode(hex, hash, 32);
            hex[64] = '\0';
            (void) snprintf(why, sizeof(why), "%llu bytes with SHA-256 %s",
                            (unsigned long long) size, hex);
            rc = fota_agent_scrub_out(agent, fd, name, why);
        }

        break;

    case FOTA_CORRUPT:
        (void) snprintf(why, sizeof(why),
                        "the disk cannot read it after %llu bytes",
                        (unsigned long long) size);
        rc = fota_agent_scrub_out(agent, fd, name, why);
        break;

    case FOTA_BUSY:
        break;

    default:
        fota_agent_fault(agent, FOTA_AGENT_SCRUB, "cannot verify %s: %s",
                         name, fota_status_name(rc));
        break;
    }

    close(fd);

    return rc;
}


/* Has it fetched anew, if it is wanted. */

static int
fota_agent_scrub_out(fota_agent_t *agent, int fd, const char *name,
    const char *why)
{
    int          rc;
    char         path[PATH_MAX];
    struct stat  was, is;

    rc = FOTA_NOTFOUND;

    pthread_mutex_lock(&agent->fetch->lock);

    /* It may have been evicted, or another one be there in its place. */

    if (fota_agent_file_path(path, agent->conf.store_dir, name)
        && fstat(fd, &was) == 0 && lstat(path, &is) == 0
        && was.st_dev == is.st_dev && was.st_ino == is.st_ino)
    {
        fota_agent_files_out(agent, FOTA_AGENT_SCRUB, name, why);
        (void) fota_agent_fetch_scan(agent, agent->fetch);
        rc = FOTA_FORGED;
    }

    pthread_mutex_unlock(&agent->fetch->lock);

    if (rc == FOTA_FORGED) {
        fota_agent_wake(agent);
    }

    return rc;
}
