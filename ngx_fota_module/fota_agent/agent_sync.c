/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "agent_file.h"
#include "agent_policy.h"
#include "agent_snapshot.h"
#include "agent_tally.h"
#include "agent_wrap.h"


#define FOTA_AGENT_POLL_MAX     (1024 * 1024)
#define FOTA_AGENT_POLL_SLACK   15          /* s beyond the wait */
#define FOTA_AGENT_POLL_EARLY   500         /* ms: nobody waits less */
#define FOTA_AGENT_RETRY_MAX    30          /* s */
#define FOTA_AGENT_FRESH        5           /* s between writes of it */
#define FOTA_AGENT_GROWS        8
#define FOTA_AGENT_KEYS_EVERY   600000      /* ms */
#define FOTA_AGENT_TIDY_EVERY   10000       /* ms */
#define FOTA_AGENT_SPARSE_EVERY 3600000     /* ms */
#define FOTA_AGENT_DISK_LOW     (4 << 20)   /* bytes */

/* As often the chain may differ before we ask for all of it. */
#define FOTA_AGENT_DIVERGED_MAX 2


typedef struct {
    fota_agent_t       *agent;
    fota_agent_http_t  *http;
    fota_agent_res_t    res;
    bool                snapshot;       /* one is needed */
    unsigned            tries;          /* failures in a row */
    unsigned            diverged;       /* of them, by the chain */
    unsigned            reloads;        /* asked for since a poll was well */
    uint64_t            keys_at;        /* mono ms: last asked for */
    uint64_t            tidy_at;
    uint64_t            sparse_at;
} fota_agent_sync_t;


static void fota_agent_sync_start(fota_agent_sync_t *s);
static void fota_agent_sync_keys(fota_agent_sync_t *s, bool asked);
static int fota_agent_sync_snapshot(fota_agent_sync_t *s);
static int fota_agent_sync_poll(fota_agent_sync_t *s);
static int fota_agent_sync_batches(fota_agent_sync_t *s, fota_meta_t *meta);
static int fota_agent_sync_apply(fota_agent_sync_t *s, const fota_batch_t *b,
    const uint8_t chain[32], fota_meta_t *meta);
static int fota_agent_sync_refuse(fota_agent_sync_t *s,
    const fota_meta_t *meta, uint64_t seq, const char *what, int rc);
static void fota_agent_sync_count(fota_agent_sync_t *s, int rc,
    fota_sync_error_e other);
static int fota_agent_sync_current(fota_agent_sync_t *s,
    const fota_meta_t *meta);
static int fota_agent_sync_nothing(fota_agent_sync_t *s,
    const fota_meta_t *meta, unsigned wait, uint64_t took);
static void fota_agent_sync_chores(fota_agent_sync_t *s);
static void fota_agent_sync_artifacts(fota_agent_t *agent);


void *
fota_agent_sync_thread(void *arg)
{
    int                 rc;
    fota_agent_t       *agent;
    fota_agent_sync_t   s;

    agent = arg;

    memset(&s, 0, sizeof(s));
    s.agent = agent;
    s.http = fota_agent_http_new(agent);

    if (s.http == NULL) {
        fota_agent_fault(agent, FOTA_AGENT_SYNC, "out of memory");
        return NULL;
    }

    fota_agent_sync_start(&s);

    while (!fota_agent_stopping(agent)) {

        fota_agent_sync_chores(&s);

        memset(&s.res, 0, sizeof(s.res));

        rc = s.snapshot ? fota_agent_sync_snapshot(&s)
                        : fota_agent_sync_poll(&s);

        if (rc == FOTA_OK) {

            /* Whoever sends us from log to snapshot and back has to wait. */

            if (s.reloads == 0) {
                s.tries = 0;
            }

            if (s.reloads <= 1) {
                fota_agent_well(agent, FOTA_AGENT_SYNC);
            }

        } else if (!fota_agent_stopping(agent)) {
            (void) fota_agent_pause(agent,
                                    fota_agent_backoff(++s.tries,
                                                       FOTA_AGENT_RETRY_MAX,
                                                       s.res.retry_after));
        }

        fota_agent_res_free(&s.res);
    }

    fota_agent_http_free(s.http);

    return NULL;
}


static void
fota_agent_sync_start(fota_agent_sync_t *s)
{
    int          rc;
    const char  *reason;
    fota_meta_t  meta;

    rc = fota_agent_wrap_load(s->agent->wrap);

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        fota_agent_log(FOTA_AGENT_LOG_WARN, "sync",
                       "wrapping keys cannot be read: %s",
                       fota_status_name(rc));
    }

    rc = fota_agent_policy_open(s->agent->policy, &reason);

    if (rc == FOTA_OK) {
        (void) fota_agent_policy_meta(s->agent->policy, &meta);
        fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                       "epoch %016llx, seq %llu",
                       (unsigned long long) meta.epoch,
                       (unsigned long long) meta.seq);

        /* Who fetches may have looked before there was anything to see. */

        pthread_mutex_lock(&s->agent->lock);
        s->agent->artifact_rev++;
        pthread_cond_broadcast(&s->agent->wake);
        pthread_mutex_unlock(&s->agent->lock);

        return;
    }

    fota_agent_log(FOTA_AGENT_LOG_WARN, "sync", "policy: %s: %s",
                   fota_status_name(rc), reason);

    s->snapshot = true;
}


/* Those who fetch are to look at the table of artifacts anew. */

static void
fota_agent_sync_artifacts(fota_agent_t *agent)
{
    pthread_mutex_lock(&agent->lock);
    agent->artifact_rev++;
    pthread_cond_broadcast(&agent->wake);
    pthread_mutex_unlock(&agent->lock);
}


/* asked: a record named a key that we have not. */

static void
fota_agent_sync_keys(fota_agent_sync_t *s, bool asked)
{
    int                rc;
    bool               changed;
    uint64_t           now;
    unsigned           opened;
    fota_meta_t        meta;
    fota_agent_res_t   res;

    now = fota_agent_mono_ms();

    if (s->keys_at != 0 && !asked && now - s->keys_at < FOTA_AGENT_KEYS_EVERY)
    {
        return;
    }

    s->keys_at = now;

    rc = fota_agent_wrap_fetch(s->agent->wrap, s->http, &res, &changed);

    if (rc != FOTA_OK) {

        /* Soon again, but not with each record. */

        s->keys_at = now - FOTA_AGENT_KEYS_EVERY
                     + FOTA_AGENT_RETRY_MAX * 1000;

        if (rc != FOTA_BUSY) {
            fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_KEYS);
            fota_agent_log(FOTA_AGENT_LOG_WARN, "sync",
                           "wrapping keys: %s",
                           (rc == FOTA_IO) ? fota_agent_res_text(&res)
                                           : fota_status_name(rc));
        }

    } else if (changed
               && fota_agent_policy_meta(s->agent->policy, &meta))
    {
        rc = fota_agent_policy_unseal(s->agent->policy, s->agent->wrap,
                                      &opened);

        fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                       "new wrapping keys, opened %u secrets: %s", opened,
                       fota_status_name(rc));
    }

    fota_agent_res_free(&res);
}


static int
fota_agent_sync_snapshot(fota_agent_sync_t *s)
{
    int  rc;

    /* So that no secret needs to be opened a second time. */

    fota_agent_sync_keys(s, s->keys_at == 0);

    rc = fota_agent_snapshot(s->agent, s->http, &s->res);

    if (rc != FOTA_OK) {
        if (!fota_agent_stopping(s->agent)) {
            fota_agent_sync_count(s, rc,
                                  (rc == FOTA_BUSY) ? FOTA_SYNC_HTTP
                                  : (rc == FOTA_IO && s->res.status == 0)
                                  ? FOTA_SYNC_CONNECT : FOTA_SYNC_SNAPSHOT);
            fota_agent_fault(s->agent, FOTA_AGENT_SYNC, "snapshot: %s",
                             (s->res.error[0] != '\0') ? s->res.error
                                                       : fota_status_name(rc));
        }

        return rc;
    }

    s->snapshot = false;
    s->diverged = 0;

    fota_agent_sync_artifacts(s->agent);

    return FOTA_OK;
}


static int
fota_agent_sync_poll(fota_agent_sync_t *s)
{
    int                rc;
    char               path[160];
    uint64_t           start;
    unsigned           wait;
    fota_meta_t        meta;
    fota_agent_req_t   req;

    if (!fota_agent_policy_meta(s->agent->policy, &meta)) {
        s->snapshot = true;
        return FOTA_OK;
    }

    /*
     * After a start or an absence the first answer shall come at once: only
     * it tells that what we hold is current, and who waits for "connected".
     */

    wait = s->agent->connected ? (unsigned) s->agent->conf.poll_wait : 0;

    (void) snprintf(path, sizeof(path),
                    "/sync/v1/log?epoch=%016llx&after=%llu&wait=%u&max=%d",
                    (unsigned long long) meta.epoch,
                    (unsigned long long) meta.seq, wait,
                    FOTA_AGENT_POLL_MAX);

    memset(&req, 0, sizeof(req));
    req.path = path;
    req.timeout = wait + FOTA_AGENT_POLL_SLACK;

    /* A batch is never cut, so the last one may go beyond what we asked. */

    req.max = FOTA_AGENT_POLL_MAX + FOTA_BATCH_MAX;

    start = fota_agent_mono_ms();
    rc = fota_agent_http(s->http, &req, &s->res);

    pthread_mutex_lock(&s->agent->lock);

    /* Who is refused hears nothing, and the head is of the history heard. */

    s->agent->connected = rc == FOTA_OK
                          && (s->res.status == 200 || s->res.status == 204
                              || s->res.status == 409);

    if (s->agent->connected) {
        s->agent->head = s->res.head;
    }

    if (rc == FOTA_OK) {
        s->agent->contact = fota_agent_now_ms();
    }

    pthread_mutex_unlock(&s->agent->lock);

    if (rc == FOTA_BUSY) {
        return rc;
    }

    if (rc != FOTA_OK) {
        fota_agent_sync_count(s, FOTA_ERROR,
                              (rc == FOTA_IO) ? FOTA_SYNC_CONNECT
                                              : FOTA_SYNC_HTTP);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC, "centre: %s",
                         s->res.error);
        return rc;
    }

    switch (s->res.status) {

    case 200:
        return fota_agent_sync_batches(s, &meta);

    case 204:
        return fota_agent_sync_nothing(s, &meta, wait,
                                       fota_agent_mono_ms() - start);

    case 409:
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_POSITION);
        fota_agent_log(FOTA_AGENT_LOG_WARN, "sync", "centre: %s",
                       fota_agent_res_text(&s->res));
        s->snapshot = true;

        if (s->reloads++ == 0) {
            return FOTA_OK;
        }

        fota_agent_fault(s->agent, FOTA_AGENT_SYNC, "the centre refuses the "
                         "position of its own snapshot: %s",
                         fota_agent_res_text(&s->res));
        return FOTA_STALE;

    default:
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_HTTP);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC, "centre: %s",
                         fota_agent_res_text(&s->res));
        return FOTA_IO;
    }
}


/*
 * wait: s asked for; took: ms until the answer.  A centre that is stopped
 * answers early, once; one that never waits must not be asked without a
 * pause.
 */

static int
fota_agent_sync_nothing(fota_agent_sync_t *s, const fota_meta_t *meta,
    unsigned wait, uint64_t took)
{
    int  rc;

    s->reloads = 0;

    rc = fota_agent_sync_current(s, meta);

    if (rc != FOTA_OK || wait == 0 || took >= FOTA_AGENT_POLL_EARLY) {
        return rc;
    }

    if (s->tries != 0) {
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_HTTP);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                         "the centre has nothing after %llu ms and was to "
                         "wait %u s", (unsigned long long) took, wait);
    }

    return FOTA_STALE;
}


/* Nothing came while we waited: what we hold is all there is. */

static int
fota_agent_sync_current(fota_agent_sync_t *s, const fota_meta_t *meta)
{
    int       rc;
    uint64_t  now;

    if ((s->res.epoch != 0 && s->res.epoch != meta->epoch)
        || s->res.head > meta->seq)
    {
        return FOTA_OK;
    }

    now = fota_agent_now_ms() / 1000;

    if (now >= meta->fresh && now - meta->fresh < FOTA_AGENT_FRESH) {
        return FOTA_OK;
    }

    rc = fota_agent_policy_fresh(s->agent->policy, now);

    if (rc != FOTA_OK) {
        fota_agent_sync_count(s, rc, FOTA_SYNC_DATABASE);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                         "cannot write the policy: %s", fota_status_name(rc));
    }

    return rc;
}


static int
fota_agent_sync_batches(fota_agent_sync_t *s, fota_meta_t *meta)
{
    int           rc;
    uint8_t       chain[32];
    uint64_t      from;
    fota_str_t    in;
    fota_batch_t  b;

    in = fota_buf_slice(&s->res.body);
    from = meta->seq;

    while (in.len != 0) {
        rc = fota_batch_decode(&in, fota_agent_conf_key, &s->agent->conf, &b);

        if (rc != FOTA_OK) {
            fota_agent_sync_count(s, rc, (rc == FOTA_TOO_NEW)
                                         ? FOTA_SYNC_RECORD
                                         : FOTA_SYNC_CORRUPT);
            return fota_agent_sync_refuse(s, meta, meta->seq + 1, "batch",
                                          rc);
        }

        memcpy(chain, meta->chain, sizeof(chain));

        rc = fota_batch_follow(&b, meta->epoch, meta->seq, chain);

        if (rc == FOTA_STALE) {
            fota_agent_log(FOTA_AGENT_LOG_DEBUG, "sync",
                           "batch up to seq %llu is held already",
                           (unsigned long long) b.last);
            continue;
        }

        if (rc == FOTA_DIVERGED
            && (b.epoch != meta->epoch
                || ++s->diverged > FOTA_AGENT_DIVERGED_MAX))
        {
            s->snapshot = true;
            s->reloads++;
        }

        if (rc != FOTA_OK) {
            fota_agent_sync_count(s, rc, FOTA_SYNC_GAP);
            return fota_agent_sync_refuse(s, meta, b.prev + 1,
                                          (rc == FOTA_INVALID)
                                          ? "gap in the log" : "batch", rc);
        }

        s->diverged = 0;

        rc = fota_agent_sync_apply(s, &b, chain, meta);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    if (meta->seq == from) {

        /* What brings us no further must not be asked for at once again. */

        fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                         "the centre sent nothing beyond seq %llu",
                         (unsigned long long) from);
        s->res.retry_after = 1;
        return FOTA_STALE;
    }

    s->reloads = 0;

    fota_agent_log(FOTA_AGENT_LOG_INFO, "sync", "applied %llu ops, seq %llu",
                   (unsigned long long) (meta->seq - from),
                   (unsigned long long) meta->seq);

    return FOTA_OK;
}


static int
fota_agent_sync_apply(fota_agent_sync_t *s, const fota_batch_t *b,
    const uint8_t chain[32], fota_meta_t *meta)
{
    int                  rc;
    unsigned             grows;
    const char          *reason;
    fota_agent_apply_t   a;

    memset(&a, 0, sizeof(a));
    a.wrap = s->agent->wrap;

    if (b->last >= s->res.head) {
        a.fresh = fota_agent_now_ms() / 1000;
    }

    for (grows = 0; /* void */ ; grows++) {

        rc = fota_agent_policy_apply(s->agent->policy, b, chain, &a);

        if (rc != FOTA_FULL || grows == FOTA_AGENT_GROWS
            || fota_agent_file_avail(s->agent->conf.policy_dir)
               < FOTA_AGENT_DISK_LOW)
        {
            break;
        }

        /* The map is full, not the disk. */

        rc = fota_agent_policy_grow(s->agent->policy, &reason);

        if (rc != FOTA_OK) {
            fota_agent_sync_count(s, rc, FOTA_SYNC_DATABASE);
            fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                             "cannot grow the policy database: %s: %s",
                             reason, fota_status_name(rc));
            return rc;
        }

        fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                       "policy database copied with twice the map");
    }

    switch (rc) {

    case FOTA_OK:
        break;

    case FOTA_FULL:
        fota_agent_sync_count(s, rc, FOTA_SYNC_DISK);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                         "no space left for the policy database");
        return rc;

    case FOTA_IO:
    case FOTA_BUSY:
    case FOTA_NOMEM:
    case FOTA_ERROR:
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_DATABASE);
        fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                         "cannot write the policy: %s", fota_status_name(rc));
        return rc;

    default:
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_RECORD);
        return fota_agent_sync_refuse(s, meta, a.bad, "record", rc);
    }

    (void) fota_agent_policy_meta(s->agent->policy, meta);

    if (a.artifacts) {
        fota_agent_sync_artifacts(s->agent);
    }

    if (a.unknown) {
        fota_agent_sync_keys(s, true);
        (void) fota_agent_policy_meta(s->agent->policy, meta);
    }

    return FOTA_OK;
}


/*
 * The last good state stays, and the centre is told: it shows the node as
 * failing until something better comes.
 */

static int
fota_agent_sync_refuse(fota_agent_sync_t *s, const fota_meta_t *meta,
    uint64_t seq, const char *what, int rc)
{
    char               *text, detail[128], epoch[17];
    json_t             *doc;
    fota_str_t          body;
    fota_agent_req_t    req;
    fota_agent_res_t    res;

    (void) snprintf(detail, sizeof(detail), "%s refused at seq %llu: %s",
                    what, (unsigned long long) seq, fota_status_name(rc));
    (void) snprintf(epoch, sizeof(epoch), "%016llx",
                    (unsigned long long) meta->epoch);

    fota_agent_fault(s->agent, FOTA_AGENT_SYNC,
                     "%s; staying at seq %llu", detail,
                     (unsigned long long) meta->seq);

    doc = json_pack("{s:s,s:I,s:s}", "epoch", epoch, "seq",
                    (json_int_t) seq, "error", detail);
    text = (doc == NULL) ? NULL : json_dumps(doc, JSON_COMPACT);
    json_decref(doc);

    if (text == NULL) {
        return rc;
    }

    body = fota_cstr(text);

    memset(&req, 0, sizeof(req));
    req.path = "/sync/v1/nack";
    req.type = "application/json";
    req.body = &body;
    req.timeout = 10;

    if (fota_agent_http(s->http, &req, &res) != FOTA_OK
        || res.status >= 300)
    {
        fota_agent_sync_count(s, FOTA_ERROR, FOTA_SYNC_NACK);
        fota_agent_log(FOTA_AGENT_LOG_WARN, "sync", "nack: %s",
                       fota_agent_res_text(&res));
    }

    fota_agent_res_free(&res);
    free(text);

    return rc;
}


/* For the metrics: as a result says, or as the caller knows better. */

static void
fota_agent_sync_count(fota_agent_sync_t *s, int rc, fota_sync_error_e other)
{
    fota_sync_error_e  kind;

    switch (rc) {

    case FOTA_TRUNCATED:
        kind = FOTA_SYNC_TRUNCATED;
        break;

    case FOTA_CORRUPT:
        kind = FOTA_SYNC_CORRUPT;
        break;

    case FOTA_FORGED:
        kind = FOTA_SYNC_SIGNATURE;
        break;

    case FOTA_UNKNOWN_KEY:
        kind = FOTA_SYNC_UNKNOWN_KEY;
        break;

    case FOTA_DIVERGED:
        kind = FOTA_SYNC_CHAIN;
        break;

    case FOTA_FULL:
        kind = FOTA_SYNC_DISK;
        break;

    default:
        kind = other;
        break;
    }

    fota_agent_tally_error(s->agent->tally, kind);
}


static void
fota_agent_sync_chores(fota_agent_sync_t *s)
{
    int          rc;
    uint64_t     now;
    const char  *reason;

    now = fota_agent_mono_ms();

    if (!s->snapshot) {
        fota_agent_sync_keys(s, false);
    }

    if (now - s->tidy_at >= FOTA_AGENT_TIDY_EVERY) {
        s->tidy_at = now;
        fota_agent_policy_tidy(s->agent->policy);
    }

    if (s->sparse_at == 0) {
        s->sparse_at = now;
    }

    if (now - s->sparse_at >= FOTA_AGENT_SPARSE_EVERY) {
        s->sparse_at = now;

        if (fota_agent_policy_sparse(s->agent->policy)) {
            rc = fota_agent_policy_grow(s->agent->policy, &reason);

            fota_agent_log(FOTA_AGENT_LOG_INFO, "sync",
                           "policy database compacted: %s",
                           fota_status_name(rc));
        }
    }
}
