/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_answer.h"
#include "fota_answer_write.h"
#include "fota_encode.h"
#include "fota_manifest.h"


/* For a product that says nothing: half an hour of trying, then wait. */

#define FOTA_ANSWER_RETRY_COUNT  8
#define FOTA_ANSWER_RETRY_MIN    10
#define FOTA_ANSWER_RETRY_MAX    600

#define FOTA_ANSWER_ARTIFACT_MAX  8192  /* bytes of its text */


static void fota_answer_offer(fota_jw_t *w, const fota_answer_t *a);
static void fota_answer_artifact(fota_jw_t *w, const fota_answer_t *a);
static void fota_answer_manifest(fota_jw_t *w, const fota_answer_t *a);
static void fota_answer_urls(fota_jw_t *w, const fota_answer_t *a);
static void fota_answer_retry(fota_jw_t *w, const fota_answer_t *a);
static void fota_answer_hook(fota_jw_t *w, const fota_answer_t *a);


/* Without a way to fetch it an offer is none. */

static bool
fota_answer_update(const fota_answer_t *a)
{
    return a->decision->reason == FOTA_R_OFFER && a->product != NULL
           && a->decision->path.artifact != NULL && a->nurls != 0;
}


static void
fota_answer_manifest(fota_jw_t *w, const fota_answer_t *a)
{
    uint8_t                 mem[FOTA_MANIFEST_MAX];
    fota_str_t              none = fota_null_str;
    fota_buf_t              text;
    fota_manifest_t         m;
    const fota_path_t      *path;
    const fota_product_t   *p;
    const fota_artifact_t  *art;

    p = a->product;
    path = &a->decision->path;
    art = path->artifact;

    m.tenant = a->tenant;
    m.product = p->name;
    m.version = p->firmware[path->step].version;
    m.kind = fota_cstr(fota_kind_name(p->firmware[path->step].kind));
    m.type = fota_cstr((art->from == FOTA_NONE) ? "full" : "delta");
    m.from = (art->from == FOTA_NONE) ? none : p->firmware[art->from].version;
    m.format = art->format;
    m.size = art->size;
    memcpy(m.sha256, art->sha256, sizeof(m.sha256));

    fota_buf_fixed(&text, mem, sizeof(mem));

    /* Names with control characters cannot be signed, so there is none. */

    if (fota_manifest_text(&m, &text) == FOTA_OK) {
        fota_jw_base64(w, "manifest", text.start, text.len);
    }
}


static void
fota_answer_describe(fota_jw_t *w, const char *name, const fota_answer_t *a)
{
    const fota_product_t   *p;
    const fota_artifact_t  *art;

    p = a->product;
    art = a->decision->path.artifact;

    fota_jw_object(w, name);
    fota_jw_uint(w, "id", art->id);
    fota_jw_hex(w, "sha256", art->sha256, sizeof(art->sha256));
    fota_jw_uint(w, "size", art->size);

    if (art->from == FOTA_NONE) {
        fota_jw_cstr(w, "type", "full");

    } else {
        fota_jw_cstr(w, "type", "delta");
        fota_jw_str(w, "from", p->firmware[art->from].version);
    }

    fota_jw_str(w, "format", art->format);
    fota_jw_str(w, "name", art->name);
    fota_jw_base64(w, "signature", art->sig, sizeof(art->sig));
    fota_jw_uint(w, "key_id", art->kid);
    fota_answer_manifest(w, a);
    fota_jw_end_object(w);
}


/*
 * An artifact is described to all devices alike, at a quarter of an answer's
 * cost; so the text stays with the product for as long as that is valid.
 */

static void
fota_answer_artifact(fota_jw_t *w, const fota_answer_t *a)
{
    uint8_t                      mem[FOTA_ANSWER_ARTIFACT_MAX];
    fota_jw_t                    one;
    fota_str_t                   made, *kept;
    fota_buf_t                   text;
    const fota_product_index_t  *x;

    x = &a->product->index;

    if (x->answers == NULL) {
        fota_answer_describe(w, "artifact", a);
        return;
    }

    kept = &x->answers[a->decision->path.artifact - a->product->artifacts];

    if (kept->data == NULL) {
        fota_buf_fixed(&text, mem, sizeof(mem));
        fota_jw_init(&one, &text);
        fota_answer_describe(&one, NULL, a);

        made = fota_slice(NULL, 0);

        if (text.status == FOTA_OK) {
            made = fota_strdup(x->mem, fota_buf_slice(&text));
        }

        if (made.data == NULL) {
            fota_answer_describe(w, "artifact", a);
            return;
        }

        *kept = made;
    }

    fota_jw_raw(w, "artifact", *kept);
}


static void
fota_answer_urls(fota_jw_t *w, const fota_answer_t *a)
{
    size_t  i;

    fota_jw_array(w, "urls");

    for (i = 0; i < a->nurls; i++) {
        fota_jw_object(w, NULL);
        fota_jw_str(w, "url", a->urls[i].url);
        fota_jw_str(w, "node", a->urls[i].node);
        fota_jw_uint(w, "pri", i + 1);

        if (a->urls[i].geo.len != 0) {
            fota_jw_str(w, "geo", a->urls[i].geo);
        }

        fota_jw_end_object(w);
    }

    fota_jw_end_array(w);
}


static void
fota_answer_retry(fota_jw_t *w, const fota_answer_t *a)
{
    const fota_product_t  *p;

    p = a->product;

    fota_jw_object(w, "retry");
    fota_jw_uint(w, "count", p->retry_count ? p->retry_count
                                            : FOTA_ANSWER_RETRY_COUNT);
    fota_jw_uint(w, "min_s", p->retry_min ? p->retry_min
                                          : FOTA_ANSWER_RETRY_MIN);
    fota_jw_uint(w, "max_s", p->retry_max ? p->retry_max
                                          : FOTA_ANSWER_RETRY_MAX);
    fota_jw_end_object(w);
}


static void
fota_answer_offer(fota_jw_t *w, const fota_answer_t *a)
{
    const fota_product_t   *p;
    const fota_decision_t  *d;

    p = a->product;
    d = a->decision;

    fota_jw_uint(w, "rollout", d->rollout->id);
    fota_jw_str(w, "version", p->firmware[d->path.step].version);
    fota_jw_str(w, "target", p->firmware[d->path.target].version);
    fota_jw_cstr(w, "kind", fota_kind_name(p->firmware[d->path.step].kind));
    fota_jw_uint(w, "hops", d->path.hops);

    fota_answer_artifact(w, a);
    fota_answer_urls(w, a);
    fota_answer_retry(w, a);

    if (p->install_window.len != 0) {
        fota_jw_str(w, "install_window", p->install_window);
    }

    if (d->window_until != 0 && d->window_until != INT64_MAX) {
        fota_jw_int(w, "window_until", d->window_until);
    }
}


static void
fota_answer_hook(fota_jw_t *w, const fota_answer_t *a)
{
    char        text[FOTA_ATTR_NAME_MAX + 1];
    size_t      i;
    fota_str_t  name;

    if (a->nhook == 0) {
        return;
    }

    fota_jw_object(w, "hook");

    for (i = 0; i < a->nhook; i++) {
        name = a->hook[i].name;

        if (name.len == 0 || name.len > FOTA_ATTR_NAME_MAX) {
            continue;
        }

        /* The writer wants names as C strings. */

        memcpy(text, name.data, name.len);
        text[name.len] = '\0';

        fota_jw_str(w, text, a->hook[i].value);
    }

    fota_jw_end_object(w);
}


void
fota_answer_decision(fota_jw_t *w, const fota_answer_t *a)
{
    bool     update;
    uint8_t  epoch[8];

    update = fota_answer_update(a);

    fota_put_be32(epoch, (uint32_t) (a->policy_epoch >> 32));
    fota_put_be32(epoch + 4, (uint32_t) a->policy_epoch);

    fota_jw_bool(w, "update", update);
    fota_jw_cstr(w, "reason", fota_reason_name(a->decision->reason));
    fota_jw_uint(w, "policy_seq", a->policy_seq);
    fota_jw_hex(w, "policy_epoch", epoch, sizeof(epoch));
    fota_jw_uint(w, "poll_s", a->decision->poll);

    if (update) {
        fota_answer_offer(w, a);
    }

    fota_answer_hook(w, a);
}


int
fota_answer_check(const fota_answer_t *a, fota_buf_t *out)
{
    fota_jw_t  w;

    fota_jw_init(&w, out);

    fota_jw_object(&w, NULL);
    fota_answer_decision(&w, a);
    fota_jw_end_object(&w);

    return out->status;
}


int
fota_answer_problem(fota_buf_t *out, int status, const char *code,
    const char *title, const char *field, const char *detail)
{
    fota_jw_t  w;

    fota_jw_init(&w, out);

    fota_jw_object(&w, NULL);
    fota_jw_cstr(&w, "type", "about:blank");
    fota_jw_cstr(&w, "title", title);
    fota_jw_int(&w, "status", status);
    fota_jw_cstr(&w, "code", code);

    if (field != NULL) {
        fota_jw_cstr(&w, "field", field);
    }

    if (detail != NULL) {
        fota_jw_cstr(&w, "detail", detail);
    }

    fota_jw_end_object(&w);

    return out->status;
}
