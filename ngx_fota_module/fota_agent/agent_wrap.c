/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include <jansson.h>

#include "agent_file.h"
#include "agent_wrap.h"
#include "fota_encode.h"


#define FOTA_AGENT_WRAP_MAX   256
#define FOTA_AGENT_WRAP_JSON  65536
#define FOTA_AGENT_SECRET     32


typedef struct {
    uint32_t  scope;
    uint16_t  kid;
    uint8_t   key[32];
} fota_agent_wrap_key_t;

struct fota_agent_wrap_s {
    char                   *file;
    size_t                  nkeys;
    fota_agent_wrap_key_t   keys[FOTA_AGENT_WRAP_MAX];
};


static int fota_agent_wrap_item(fota_agent_wrap_key_t *k, const json_t *item);


fota_agent_wrap_t *
fota_agent_wrap_new(const char *file)
{
    fota_agent_wrap_t  *w;

    w = calloc(1, sizeof(fota_agent_wrap_t));
    if (w == NULL) {
        return NULL;
    }

    w->file = strdup(file);
    if (w->file == NULL) {
        free(w);
        return NULL;
    }

    return w;
}


void
fota_agent_wrap_free(fota_agent_wrap_t *w)
{
    if (w != NULL) {
        free(w->file);
        fota_cleanse(w, sizeof(fota_agent_wrap_t));
        free(w);
    }
}


static int
fota_agent_wrap_item(fota_agent_wrap_key_t *k, const json_t *item)
{
    size_t       n;
    json_int_t   scope, kid;
    const char  *key;

    key = json_string_value(json_object_get(item, "key"));

    if (key == NULL || !json_is_integer(json_object_get(item, "scope"))
        || !json_is_integer(json_object_get(item, "kid")))
    {
        return FOTA_INVALID;
    }

    scope = json_integer_value(json_object_get(item, "scope"));
    kid = json_integer_value(json_object_get(item, "kid"));

    if (scope < 0 || scope > UINT32_MAX || kid < 0 || kid > UINT16_MAX
        || fota_base64_decode(k->key, sizeof(k->key), fota_cstr(key), &n)
           != FOTA_OK
        || n != sizeof(k->key))
    {
        return FOTA_INVALID;
    }

    k->scope = (uint32_t) scope;
    k->kid = (uint16_t) kid;

    return FOTA_OK;
}


int
fota_agent_wrap_parse(fota_agent_wrap_t *w, fota_str_t json)
{
    int                     rc;
    json_t                 *doc, *list;
    size_t                  i, n;
    fota_agent_wrap_key_t  *keys;

    doc = json_loadb((const char *) json.data, json.len,
                     JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(doc, "wrap");
    n = json_array_size(list);

    if (!json_is_array(list) || n > FOTA_AGENT_WRAP_MAX) {
        json_decref(doc);
        return FOTA_INVALID;
    }

    keys = calloc(FOTA_AGENT_WRAP_MAX, sizeof(fota_agent_wrap_key_t));
    if (keys == NULL) {
        json_decref(doc);
        return FOTA_NOMEM;
    }

    rc = FOTA_OK;

    for (i = 0; i < n && rc == FOTA_OK; i++) {
        rc = fota_agent_wrap_item(&keys[i], json_array_get(list, i));
    }

    if (rc == FOTA_OK) {
        memcpy(w->keys, keys, sizeof(w->keys));
        w->nkeys = n;
    }

    fota_cleanse(keys, sizeof(w->keys));
    free(keys);
    json_decref(doc);

    return rc;
}


int
fota_agent_wrap_load(fota_agent_wrap_t *w)
{
    int         rc;
    fota_buf_t  text;

    rc = fota_agent_file_read(w->file, FOTA_AGENT_WRAP_JSON, &text);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_agent_wrap_parse(w, fota_buf_slice(&text));

    fota_cleanse(text.start, text.len);
    fota_buf_free(&text);

    return rc;
}


int
fota_agent_wrap_fetch(fota_agent_wrap_t *w, fota_agent_http_t *http,
    fota_agent_res_t *res, bool *changed)
{
    int                 rc;
    uint8_t             before[32], after[32];
    fota_agent_req_t    req;

    memset(&req, 0, sizeof(req));
    req.path = "/sync/v1/keys";
    req.timeout = 20;
    req.max = FOTA_AGENT_WRAP_JSON;

    *changed = false;

    rc = fota_agent_http(http, &req, res);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (res->status != 200) {
        return FOTA_IO;
    }

    rc = fota_sha256(before, w->keys, sizeof(w->keys));

    if (rc == FOTA_OK) {
        rc = fota_agent_wrap_parse(w, fota_buf_slice(&res->body));
    }

    if (rc == FOTA_OK) {
        rc = fota_sha256(after, w->keys, sizeof(w->keys));
    }

    if (rc == FOTA_OK && memcmp(before, after, 32) != 0) {
        *changed = true;
        rc = fota_agent_file_replace(w->file, 0600,
                                     fota_buf_slice(&res->body));
    }

    fota_cleanse(res->body.start, res->body.len);

    return rc;
}


int
fota_agent_wrap_open(const fota_agent_wrap_t *w, fota_str_t key,
    fota_str_t value, fota_buf_t *out, bool *unknown)
{
    int         rc;
    size_t      i;
    uint8_t     secret[FOTA_AGENT_SECRET];
    fota_key_t  k;

    fota_buf_reset(out);

    rc = fota_key_decode(value, &k);
    if (rc != FOTA_OK || !k.wrapped) {
        return rc;
    }

    if (k.secret.len != FOTA_AGENT_SECRET + FOTA_SEAL_OVERHEAD) {
        return FOTA_CORRUPT;
    }

    /* While the centre changes keys there are two of a scope. */

    for (i = 0; i < w->nkeys; i++) {

        if (w->keys[i].scope != k.wrap_scope
            || fota_open(w->keys[i].key, key, k.secret, secret) != FOTA_OK)
        {
            continue;
        }

        k.wrapped = 0;
        k.secret = fota_slice(secret, sizeof(secret));

        rc = fota_key_encode(&k, out);
        fota_cleanse(secret, sizeof(secret));

        return rc;
    }

    *unknown = true;

    return FOTA_OK;
}
