/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli_table.h"
#include "sim.h"


#define FOTA_SIM_STEPS_MAX    32    /* hops of one update */
#define FOTA_SIM_RENEWALS     5     /* checks for a fresh token */
#define FOTA_SIM_REPORT_S     60    /* until it is given up */


static void
fota_sim_say(fota_sim_t *sim, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static void
fota_sim_say(fota_sim_t *sim, const char *fmt, ...)
{
    va_list  args;

    if (sim->conf->quiet) {
        return;
    }

    va_start(args, fmt);
    fota_cli_say(sim->conf->id, fmt, args);
    va_end(args);
}


static void
fota_sim_pause(uint32_t seconds)
{
    struct timespec  ts = { .tv_sec = seconds };

    (void) nanosleep(&ts, NULL);
}


/*
 * Tells the edge until it is acknowledged (202), at most a minute.  code and
 * text may be NULL.
 */

static int
fota_sim_report(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *state, unsigned progress, const char *code, const char *text)
{
    int                rc;
    char               url[1024], auth[512];
    time_t             end;
    char              *body;
    json_t            *j;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    j = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:i, s:s, s:s, s:b}",
                  "tenant", sim->conf->tenant, "product", sim->conf->product,
                  "device", sim->conf->id, "rollout", (int) offer->rollout,
                  "attempt", (int) sim->attempt, "seq", (int) ++sim->seq,
                  "state", state, "progress", (int) progress, "version",
                  sim->version, "artifact", offer->sha256, "delta",
                  strcmp(offer->type, "delta") == 0);

    if (sim->bytes != 0) {
        json_object_set_new(j, "node", json_string(sim->node));
        json_object_set_new(j, "bytes", json_integer((json_int_t) sim->bytes));
        json_object_set_new(j, "ms", json_integer((json_int_t) sim->ms));
    }

    if (code != NULL) {
        json_object_set_new(j, "error", json_pack("{s:s, s:s}", "code", code,
                                                  "text", text));
    }

    body = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    if (body == NULL) {
        return FOTA_NOMEM;
    }

    (void) snprintf(url, sizeof(url), "%s/fota/v1/report", sim->conf->edge);
    memset(&call, 0, sizeof(call));
    call.method = "POST";
    call.url = url;
    call.timeout_s = 30;
    call.body = fota_cstr(body);
    call.headers[call.nheaders++] = "Content-Type: application/json";

    if (sim->conf->auth != NULL) {
        (void) snprintf(auth, sizeof(auth), "Authorization: %s",
                        sim->conf->auth);
        call.headers[call.nheaders++] = auth;
    }

    end = time(NULL) + FOTA_SIM_REPORT_S;

    for ( ;; ) {
        rc = FOTA_BUSY;

        if (fota_cli_http_call(sim->http, &call, &reply) == FOTA_OK) {

            if (reply.status == 202) {
                rc = FOTA_OK;

            } else if (reply.status != 503 && reply.status != 429) {
                fota_sim_say(sim, "report was refused with %ld",
                             reply.status);
                rc = FOTA_ERROR;
            }
        }

        fota_cli_reply_done(&reply);

        if (rc != FOTA_BUSY) {
            break;
        }

        if (time(NULL) >= end) {
            fota_sim_say(sim, "the edge took no report \"%s\" for %d s",
                         state, FOTA_SIM_REPORT_S);
            break;
        }

        fota_sim_pause(reply.retry_after > 0 && reply.retry_after < 5
                       ? (uint32_t) reply.retry_after : 2);
    }

    free(body);

    return rc;
}


/* The folder. */

static int
fota_sim_load(fota_sim_t *sim)
{
    char     path[FOTA_SIM_PATH_MAX];
    json_t  *j;

    if (mkdir(sim->conf->dir, 0755) == -1 && errno != EEXIST) {
        fota_sim_say(sim, "%s: %s", sim->conf->dir, strerror(errno));
        return FOTA_IO;
    }

    (void) snprintf(path, sizeof(path), "%s/state.json", sim->conf->dir);
    j = json_load_file(path, 0, NULL);

    (void) snprintf(sim->version, sizeof(sim->version), "%s",
                    json_string_value(json_object_get(j, "version")) != NULL
                    ? json_string_value(json_object_get(j, "version")) : "");

    sim->attempt = (uint32_t) json_integer_value(json_object_get(j,
                                                                 "attempt"));
    sim->no_delta = json_is_true(json_object_get(j, "no_delta"));
    json_decref(j);

    if (sim->conf->version != NULL) {
        (void) snprintf(sim->version, sizeof(sim->version), "%s",
                        sim->conf->version);
    }

    return FOTA_OK;
}


static int
fota_sim_save(fota_sim_t *sim)
{
    int      rc;
    char     path[FOTA_SIM_PATH_MAX], next[FOTA_SIM_PATH_MAX + 8];
    json_t  *j;

    (void) snprintf(path, sizeof(path), "%s/state.json", sim->conf->dir);
    (void) snprintf(next, sizeof(next), "%s.next", path);

    j = json_pack("{s:s, s:i, s:b}", "version", sim->version, "attempt",
                  (int) sim->attempt, "no_delta", sim->no_delta);
    rc = json_dump_file(j, next, JSON_COMPACT);
    json_decref(j);

    if (rc != 0 || rename(next, path) != 0) {
        fota_sim_say(sim, "%s cannot be written", path);
        return FOTA_IO;
    }

    return FOTA_OK;
}


/* Downloads, renewing the token by a new check where it is too old. */

static int
fota_sim_download(fota_sim_t *sim, fota_sim_offer_t *offer, const char *path,
    char *err, size_t errlen)
{
    int               rc, i;
    fota_sim_offer_t  fresh;

    for (i = 0; i < FOTA_SIM_RENEWALS; i++) {

        rc = fota_sim_fetch(sim, offer, path, err, errlen);

        if (rc != FOTA_EXPIRED && rc != FOTA_IO) {
            return rc;
        }

        fota_sim_say(sim, "%s, checking again", err);

        if (i != 0) {
            fota_sim_pause(1);
        }

        if (fota_sim_check(sim, &fresh, err, errlen) == FOTA_OK
            && memcmp(fresh.hash, offer->hash, 32) == 0)
        {
            *offer = fresh;
        }
    }

    return rc;
}


/* And verifies; what one node has spoilt is fetched from another. */

static int
fota_sim_obtain(fota_sim_t *sim, fota_sim_offer_t *offer, const char *path,
    const char **code, char *err, size_t errlen)
{
    int               rc;
    char              why[512];
    fota_sim_offer_t  fresh;

    for ( ;; ) {
        *code = "E-DOWNLOAD";

        rc = fota_sim_download(sim, offer, path, err, errlen);
        if (rc != FOTA_OK) {
            *code = rc == FOTA_FULL ? "E-SPACE" : *code;
            return rc;
        }

        rc = fota_sim_verify(sim, offer, path, err, errlen);
        if (rc == FOTA_OK) {
            return FOTA_OK;
        }

        *code = (rc == FOTA_FORGED) ? "E-SIGNATURE" : "E-HASH";

        (void) unlink(path);

        if (rc != FOTA_CORRUPT || sim->navoid == FOTA_SIM_AVOID_MAX) {
            return rc;
        }

        fota_sim_say(sim, "%s sent another file, trying without it",
                     sim->node);
        fota_sim_avoid(sim, sim->node);

        if (fota_sim_check(sim, &fresh, why, sizeof(why)) != FOTA_OK
            || memcmp(fresh.hash, offer->hash, 32) != 0)
        {
            return rc;
        }

        *offer = fresh;
    }
}


static int
fota_sim_failed(fota_sim_t *sim, const fota_sim_offer_t *offer,
    const char *code, const char *text)
{
    fota_sim_say(sim, "failed: %s", text);

    (void) fota_sim_report(sim, offer, "failed", 0, code, text);

    if (strcmp(offer->type, "delta") == 0) {
        sim->no_delta = true;
    }

    (void) fota_sim_save(sim);

    return FOTA_ERROR;
}


static int
fota_sim_step(fota_sim_t *sim, fota_sim_offer_t *offer)
{
    int          rc;
    char         err[512], path[FOTA_SIM_PATH_MAX];
    const char  *code;

    err[0] = '\0';
    sim->attempt++;
    sim->seq = 0;
    sim->bytes = 0;
    sim->ms = 0;
    (void) fota_sim_save(sim);
    (void) snprintf(path, sizeof(path), "%s/%s.part", sim->conf->dir,
                    offer->sha256);

    fota_sim_say(sim, "%s -> %s by %s, %llu bytes, %zu nodes", sim->version,
                 offer->version, offer->type,
                 (unsigned long long) offer->size, offer->nurls);

    (void) fota_sim_report(sim, offer, "downloading", 0, NULL, NULL);

    rc = fota_sim_obtain(sim, offer, path, &code, err, sizeof(err));

    if (rc == FOTA_BUSY) {
        fota_sim_say(sim, "%s", err);
        return FOTA_BUSY;
    }

    if (rc != FOTA_OK) {
        return fota_sim_failed(sim, offer, code, err);
    }

    fota_sim_say(sim, "verified sha256 %.16s... %sfrom %s in %llu ms",
                 offer->sha256, sim->conf->has_signer ? "and signature " : "",
                 sim->node, (unsigned long long) sim->ms);

    (void) fota_sim_report(sim, offer, "downloaded", 100, NULL, NULL);
    (void) fota_sim_report(sim, offer, "installing", 0, NULL, NULL);

    if (sim->conf->fail != NULL) {
        return fota_sim_failed(sim, offer, sim->conf->fail,
                               "failed as it was told to");
    }

    rc = fota_sim_apply(sim, offer, path, err, sizeof(err));
    if (rc != FOTA_OK) {
        return fota_sim_failed(sim, offer, "E-APPLY", err);
    }

    (void) snprintf(sim->version, sizeof(sim->version), "%s", offer->version);
    sim->no_delta = false;

    rc = fota_sim_report(sim, offer, "succeeded", 100, NULL, NULL);

    return fota_sim_save(sim) == FOTA_OK ? rc : FOTA_IO;
}


static int
fota_sim_life(fota_sim_t *sim)
{
    int               rc, i, busy;
    char              err[512];
    fota_sim_offer_t  offer;

    busy = 0;

    for (i = 0; i < FOTA_SIM_STEPS_MAX; i++) {

        err[0] = '\0';
        rc = fota_sim_check(sim, &offer, err, sizeof(err));

        if (rc == FOTA_BUSY && busy++ < 5) {
            fota_sim_say(sim, "%s", err);
            fota_sim_pause(sim->poll_s > 0 && sim->poll_s < 5 ? sim->poll_s
                                                              : 1);
            continue;
        }

        if (rc == FOTA_NOTFOUND) {
            fota_sim_say(sim, "nothing to do: %s; next check in %u s",
                         sim->reason, sim->poll_s);
            return FOTA_OK;
        }

        if (rc != FOTA_OK) {
            fota_sim_say(sim, "%s", err);
            return FOTA_ERROR;
        }

        rc = fota_sim_step(sim, &offer);
        if (rc != FOTA_OK || sim->conf->once) {
            return rc;
        }
    }

    fota_sim_say(sim, "no end after %d steps", FOTA_SIM_STEPS_MAX);

    return FOTA_ERROR;
}


int
fota_sim_run(const fota_sim_conf_t *conf, json_t *summary)
{
    int         rc;
    fota_sim_t  sim;

    memset(&sim, 0, sizeof(sim));
    sim.conf = conf;

    rc = fota_sim_load(&sim);

    if (rc == FOTA_OK) {
        sim.http = fota_cli_http_new(&conf->tls);
        rc = sim.http != NULL ? fota_sim_life(&sim) : FOTA_NOMEM;
        fota_cli_http_free(sim.http);
    }

    json_object_set_new(summary, "device", json_string(conf->id));
    json_object_set_new(summary, "version", json_string(sim.version));
    json_object_set_new(summary, "reason", json_string(sim.reason));
    json_object_set_new(summary, "node", json_string(sim.node));
    json_object_set_new(summary, "bytes", json_integer((json_int_t) sim.bytes));
    json_object_set_new(summary, "requests", json_integer(sim.requests));
    json_object_set_new(summary, "failovers", json_integer(sim.failovers));
    json_object_set_new(summary, "resumed", json_boolean(sim.resumed));
    json_object_set_new(summary, "ok", json_boolean(rc == FOTA_OK));

    return rc == FOTA_OK ? 0 : 1;
}
