/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>

#include "fota_encode.h"
#include "sim.h"


static bool
fota_sim_copy(char *out, size_t max, json_t *obj, const char *name)
{
    size_t       len;
    const char  *s;

    s = json_string_value(json_object_get(obj, name));
    if (s == NULL) {
        out[0] = '\0';
        return false;
    }

    len = strlen(s);
    if (len >= max) {
        out[0] = '\0';
        return false;
    }

    memcpy(out, s, len + 1);

    return true;
}


static int
fota_sim_offer_urls(json_t *list, fota_sim_offer_t *offer)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(list, i, item) {
        if (offer->nurls == FOTA_SIM_URLS_MAX) {
            break;
        }

        if (!fota_sim_copy(offer->urls[offer->nurls].url,
                           sizeof(offer->urls[0].url), item, "url"))
        {
            return FOTA_INVALID;
        }

        (void) fota_sim_copy(offer->urls[offer->nurls].node,
                             sizeof(offer->urls[0].node), item, "node");
        offer->nurls++;
    }

    return offer->nurls != 0 ? FOTA_OK : FOTA_INVALID;
}


static int
fota_sim_offer(json_t *root, fota_sim_offer_t *offer)
{
    char     sig[96];
    size_t   n;
    json_t  *a;

    memset(offer, 0, sizeof(fota_sim_offer_t));

    a = json_object_get(root, "artifact");

    if (!fota_sim_copy(offer->version, sizeof(offer->version), root, "version")
        || !fota_sim_copy(offer->kind, sizeof(offer->kind), root, "kind")
        || !fota_sim_copy(offer->type, sizeof(offer->type), a, "type")
        || !fota_sim_copy(offer->format, sizeof(offer->format), a, "format")
        || !fota_sim_copy(offer->sha256, sizeof(offer->sha256), a, "sha256")
        || !fota_sim_copy(sig, sizeof(sig), a, "signature")
        || fota_hex_decode(offer->hash, 32, fota_cstr(offer->sha256))
           != FOTA_OK
        || fota_base64_decode(offer->signature, 64, fota_cstr(sig), &n)
           != FOTA_OK
        || n != 64)
    {
        return FOTA_INVALID;
    }

    (void) fota_sim_copy(offer->target, sizeof(offer->target), root, "target");
    (void) fota_sim_copy(offer->from, sizeof(offer->from), a, "from");

    offer->size = (uint64_t) json_integer_value(json_object_get(a, "size"));
    offer->rollout = (uint32_t) json_integer_value(
                         json_object_get(root, "rollout"));
    offer->retry_count = (unsigned) json_integer_value(
                             json_object_get(json_object_get(root, "retry"),
                                             "count"));

    if (json_integer_value(json_object_get(a, "size")) <= 0) {
        return FOTA_INVALID;
    }

    return fota_sim_offer_urls(json_object_get(root, "urls"), offer);
}


static char *
fota_sim_check_body(fota_sim_t *sim)
{
    char                   *text;
    size_t                  i;
    json_t                 *body, *avoid;
    const fota_sim_conf_t  *c = sim->conf;

    body = json_pack("{s:s, s:s, s:s, s:s}", "tenant", c->tenant, "product",
                     c->product, "device", c->id, "version", sim->version);

    if (c->kind != NULL) {
        json_object_set_new(body, "kind", json_string(c->kind));
    }

    if (c->tz != NULL) {
        json_object_set_new(body, "tz", json_string(c->tz));
    }

    if (c->attrs != NULL) {
        json_object_set(body, "attrs", c->attrs);
    }

    if (sim->no_delta || c->no_delta) {
        json_object_set_new(body, "delta", json_false());
    }

    if (sim->navoid != 0) {
        avoid = json_array();

        for (i = 0; i < sim->navoid; i++) {
            json_array_append_new(avoid, json_string(sim->avoid[i]));
        }

        json_object_set_new(body, "avoid", avoid);
    }

    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);

    return text;
}


static int
fota_sim_answer(fota_sim_t *sim, json_t *root, fota_sim_offer_t *offer,
    char *err, size_t errlen)
{
    json_int_t  poll;

    (void) fota_sim_copy(sim->reason, sizeof(sim->reason), root, "reason");
    poll = json_integer_value(json_object_get(root, "poll_s"));
    sim->poll_s = (poll < 0 || poll > UINT32_MAX) ? 0 : (uint32_t) poll;

    if (!json_is_true(json_object_get(root, "update"))) {
        return FOTA_NOTFOUND;
    }

    if (fota_sim_offer(root, offer) != FOTA_OK) {
        (void) snprintf(err, errlen, "the offer lacks a member");
        return FOTA_ERROR;
    }

    return FOTA_OK;
}


int
fota_sim_check(fota_sim_t *sim, fota_sim_offer_t *offer, char *err,
    size_t errlen)
{
    int                rc;
    char               url[1024], auth[512];
    char              *body;
    json_t            *root;
    fota_cli_call_t    call;
    fota_cli_reply_t   reply;

    (void) snprintf(url, sizeof(url), "%s/fota/v1/check", sim->conf->edge);

    memset(&call, 0, sizeof(call));
    call.method = "POST";
    call.url = url;
    call.headers[call.nheaders++] = "Content-Type: application/json";
    call.timeout_s = 30;

    if (sim->conf->auth != NULL) {
        (void) snprintf(auth, sizeof(auth), "Authorization: %s",
                        sim->conf->auth);
        call.headers[call.nheaders++] = auth;
    }

    body = fota_sim_check_body(sim);
    if (body == NULL) {
        (void) snprintf(err, errlen, "a name or version is no UTF-8");
        return FOTA_ERROR;
    }

    call.body = fota_cstr(body);
    rc = fota_cli_http_call(sim->http, &call, &reply);
    free(body);

    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "%s", reply.error);
        fota_cli_reply_done(&reply);
        return FOTA_BUSY;
    }

    root = json_loadb((const char *) reply.body.start, reply.body.len, 0,
                      NULL);
    rc = FOTA_ERROR;

    if (reply.status == 200 && root != NULL) {
        rc = fota_sim_answer(sim, root, offer, err, errlen);

    } else {
        const char  *detail = json_string_value(
                                  json_object_get(root, "detail"));

        (void) snprintf(err, errlen, "check answered %ld%s%s", reply.status,
                        detail != NULL ? ": " : "",
                        detail != NULL ? detail : "");

        if (reply.status == 503 || reply.status == 429) {
            sim->poll_s = reply.retry_after > 0 ? (uint32_t) reply.retry_after
                                                : 1;
            rc = FOTA_BUSY;
        }
    }

    json_decref(root);
    fota_cli_reply_done(&reply);

    return rc;
}
