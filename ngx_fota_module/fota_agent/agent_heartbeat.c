/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include <jansson.h>

#include "agent_file.h"
#include "agent_http.h"
#include "agent_policy.h"


#define FOTA_AGENT_BEAT        10000    /* ms */
#define FOTA_AGENT_BEAT_RETRY  30       /* s, the longest */


static void fota_agent_heartbeat_egress(fota_agent_t *agent,
    fota_agent_http_t *http);
static json_t *fota_agent_heartbeat_json(fota_agent_t *agent);
static int fota_agent_heartbeat_send(fota_agent_t *agent,
    fota_agent_http_t *http, fota_agent_res_t *res);


void *
fota_agent_heartbeat_thread(void *arg)
{
    int                 rc;
    uint64_t            ms;
    unsigned            tries;
    fota_agent_t       *agent;
    fota_agent_res_t    res;
    fota_agent_http_t  *http;

    agent = arg;
    tries = 0;

    http = fota_agent_http_new(agent);

    if (http == NULL) {
        fota_agent_fault(agent, FOTA_AGENT_HEARTBEAT, "out of memory");
        return NULL;
    }

    while (!fota_agent_stopping(agent)) {

        fota_agent_heartbeat_egress(agent, http);

        rc = fota_agent_heartbeat_send(agent, http, &res);

        if (rc == FOTA_OK) {
            tries = 0;
            ms = FOTA_AGENT_BEAT;
            fota_agent_well(agent, FOTA_AGENT_HEARTBEAT);

        } else {
            ms = fota_agent_backoff(++tries, FOTA_AGENT_BEAT_RETRY,
                                    res.retry_after);
        }

        fota_agent_res_free(&res);

        (void) fota_agent_pause(agent, ms);
    }

    fota_agent_http_free(http);

    return NULL;
}


/* What nginx on this machine says it sends at present. */

static void
fota_agent_heartbeat_egress(fota_agent_t *agent, fota_agent_http_t *http)
{
    json_t            *doc, *v;
    fota_agent_req_t   req;
    fota_agent_res_t   res;

    if (agent->conf.status_url == NULL) {
        return;
    }

    memset(&req, 0, sizeof(req));
    req.url = agent->conf.status_url;
    req.timeout = 3;
    req.max = 1 << 20;

    if (fota_agent_http(http, &req, &res) == FOTA_OK && res.status == 200) {
        doc = json_loadb((const char *) res.body.start, res.body.len, 0,
                         NULL);
        v = json_object_get(doc, "egress_bps");

        if (json_is_number(v) && json_number_value(v) >= 0) {
            pthread_mutex_lock(&agent->lock);
            agent->egress_bps = (uint64_t) json_number_value(v);
            pthread_mutex_unlock(&agent->lock);
        }

        v = json_object_get(doc, "transfers");

        if (json_is_integer(v) && json_integer_value(v) >= 0) {
            pthread_mutex_lock(&agent->lock);
            agent->transfers = (uint64_t) json_integer_value(v);
            pthread_mutex_unlock(&agent->lock);
        }

        json_decref(doc);
    }

    fota_agent_res_free(&res);
}


static json_t *
fota_agent_heartbeat_json(fota_agent_t *agent)
{
    char                       epoch[17], error[FOTA_AGENT_FAULT_MAX + 16];
    double                     load, share;
    json_t                    *doc;
    size_t                     i;
    uint64_t                   now, lag, have;
    fota_meta_t                meta;
    fota_agent_conf_t         *conf;

    conf = &agent->conf;
    now = fota_agent_now_ms() / 1000;

    memset(&meta, 0, sizeof(meta));
    (void) fota_agent_policy_meta(agent->policy, &meta);

    lag = (meta.fresh != 0 && now > meta.fresh) ? now - meta.fresh : 0;

    (void) snprintf(epoch, sizeof(epoch), "%016llx",
                    (unsigned long long) meta.epoch);

    error[0] = '\0';

    pthread_mutex_lock(&agent->lock);

    for (i = 0; i < FOTA_AGENT__N; i++) {
        if (agent->faults[i].now && error[0] == '\0') {
            (void) snprintf(error, sizeof(error), "%s: %s",
                            fota_agent_part_name((unsigned) i),
                            agent->faults[i].text);
        }
    }

    /*
     * Percent of what the link takes or of the transfers that are allowed,
     * whichever is nearer to its end, as the nodes of policy have it.
     */

    load = (conf->cap_mbps == 0)
           ? 0 : (double) agent->egress_bps * 8 / 10000
                 / (double) conf->cap_mbps;

    if (conf->max_transfers != 0) {
        share = (double) agent->transfers * 100
                / (double) conf->max_transfers;
        load = (share > load) ? share : load;
    }

    have = agent->artifacts - agent->missing;

    doc = json_pack("{s:s,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:s}",
                    "epoch", epoch,
                    "seq", (json_int_t) meta.seq,
                    "lag_s", (json_int_t) lag,
                    "egress_bps", (json_int_t) agent->egress_bps,
                    "cap_mbps", (json_int_t) conf->cap_mbps,
                    "load", load,
                    "disk_free",
                    (json_int_t) fota_agent_file_avail(conf->store_dir),
                    "disk_used", (json_int_t) agent->store_used,
                    "spool_records", (json_int_t) agent->spool_records,
                    "artifacts", (json_int_t) have,
                    "version", FOTA_RELEASE);

    /* A part of it could have been cut within a character. */

    if (doc != NULL && error[0] != '\0'
        && json_object_set_new(doc, "error", json_string(error)) != 0)
    {
        (void) json_object_set_new(doc, "error", json_string("see the log"));
    }

    pthread_mutex_unlock(&agent->lock);

    return doc;
}


static int
fota_agent_heartbeat_send(fota_agent_t *agent, fota_agent_http_t *http,
    fota_agent_res_t *res)
{
    int                rc;
    char              *text;
    json_t            *doc;
    fota_str_t         body;
    fota_agent_req_t   req;

    memset(res, 0, sizeof(fota_agent_res_t));

    doc = fota_agent_heartbeat_json(agent);
    text = (doc == NULL) ? NULL : json_dumps(doc, JSON_COMPACT);
    json_decref(doc);

    if (text == NULL) {
        return FOTA_NOMEM;
    }

    body = fota_cstr(text);

    memset(&req, 0, sizeof(req));
    req.path = "/sync/v1/heartbeat";
    req.type = "application/json";
    req.body = &body;
    req.timeout = 10;

    rc = fota_agent_http(http, &req, res);

    free(text);

    if (rc == FOTA_OK && res->status != 200 && res->status != 204) {
        rc = FOTA_IO;
    }

    if (rc != FOTA_OK && rc != FOTA_BUSY) {
        fota_agent_fault(agent, FOTA_AGENT_HEARTBEAT, "centre: %s",
                         fota_agent_res_text(res));
    }

    return rc;
}
