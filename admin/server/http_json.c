/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Members of JSON bodies, each with a limit that the refusal names. */


#include <stdlib.h>

#include "fota_encode.h"
#include "http_private.h"


/*
 * The member; NULL when absent or null.  *ok is false when an answer was set.
 */

static json_t *
fota_json_member(fota_req_t *req, const char *name, bool required, bool *ok)
{
    json_t  *v;

    *ok = false;

    if (req->json == NULL) {
        if (req->body.len > 0) {
            (void) fota_res_problem(req, 415, "content_type", "Content-Type",
                                    "the body must be application/json");
        } else {
            (void) fota_res_problem(req, 400, "body_missing", name,
                                    "a JSON body with \"%s\" is needed", name);
        }

        return NULL;
    }

    if (!json_is_object(req->json)) {
        (void) fota_res_problem(req, 400, "bad_json", NULL,
                                "the body must be a JSON object");
        return NULL;
    }

    v = json_object_get(req->json, name);

    if (v != NULL && !json_is_null(v)) {
        *ok = true;
        return v;
    }

    if (required) {
        (void) fota_res_problem(req, 400, "field_missing", name,
                                "\"%s\" is needed", name);
        return NULL;
    }

    *ok = true;

    return NULL;
}


static bool
fota_json_type(fota_req_t *req, const char *name, const char *type)
{
    return fota_res_bad(req, "field_type", name, "\"%s\" must be %s", name,
                        type);
}


bool
fota_json_str(fota_req_t *req, const char *name, bool required, size_t max,
    fota_str_t *out)
{
    bool     ok;
    json_t  *v;

    v = fota_json_member(req, name, required, &ok);
    if (v == NULL) {
        return ok;
    }

    if (!json_is_string(v)) {
        return fota_json_type(req, name, "a string");
    }

    *out = fota_slice(json_string_value(v), json_string_length(v));

    if (out->len > max) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" may have %zu bytes, it has %zu", name, max,
                            out->len);
    }

    if (required && out->len == 0) {
        return fota_res_bad(req, "field_empty", name,
                            "\"%s\" must not be empty", name);
    }

    return true;
}


bool
fota_str_blank(fota_str_t s)
{
    return s.len > 0 && (s.data[0] == ' ' || s.data[s.len - 1] == ' ');
}


bool
fota_json_name(fota_req_t *req, const char *name, bool required, size_t max,
    fota_str_t *out)
{
    size_t      i;
    fota_str_t  s;

    s = *out;

    if (!fota_json_str(req, name, required, max, &s)) {
        return false;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < ' ' || s.data[i] == 0x7f) {
            return fota_res_bad(req, "field_chars", name,
                                "\"%s\" holds a control character", name);
        }
    }

    if (fota_str_blank(s)) {
        return fota_res_bad(req, "field_chars", name,
                            "\"%s\" begins or ends with a blank", name);
    }

    *out = s;

    return true;
}


bool
fota_json_u64(fota_req_t *req, const char *name, bool required, uint64_t max,
    uint64_t *out)
{
    int64_t  v;

    v = (int64_t) *out;

    if (!fota_json_i64(req, name, required, 0,
                       max > INT64_MAX ? INT64_MAX : (int64_t) max, &v))
    {
        return false;
    }

    *out = (uint64_t) v;

    return true;
}


bool
fota_json_i64(fota_req_t *req, const char *name, bool required, int64_t min,
    int64_t max, int64_t *out)
{
    bool     ok;
    json_t  *v;

    v = fota_json_member(req, name, required, &ok);
    if (v == NULL) {
        return ok;
    }

    if (!json_is_integer(v)) {
        return fota_json_type(req, name, "a whole number");
    }

    if (json_integer_value(v) < min || json_integer_value(v) > max) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" must be between %lld and %lld", name,
                            (long long) min, (long long) max);
    }

    *out = json_integer_value(v);

    return true;
}


bool
fota_json_double(fota_req_t *req, const char *name, bool required, double min,
    double max, double *out)
{
    bool     ok;
    double   d;
    json_t  *v;

    v = fota_json_member(req, name, required, &ok);
    if (v == NULL) {
        return ok;
    }

    if (!json_is_number(v)) {
        return fota_json_type(req, name, "a number");
    }

    d = json_number_value(v);

    if (!(d >= min && d <= max)) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" must be between %g and %g", name, min, max);
    }

    *out = d;

    return true;
}


bool
fota_json_flag(fota_req_t *req, const char *name, bool *out)
{
    bool     ok;
    json_t  *v;

    v = fota_json_member(req, name, false, &ok);
    if (v == NULL) {
        return ok;
    }

    if (!json_is_boolean(v)) {
        return fota_json_type(req, name, "true or false");
    }

    *out = json_is_true(v);

    return true;
}


bool
fota_json_list(fota_req_t *req, const char *name, size_t max, json_t **out)
{
    bool     ok;
    json_t  *v;

    *out = NULL;

    v = fota_json_member(req, name, false, &ok);
    if (v == NULL) {
        return ok;
    }

    if (!json_is_array(v)) {
        return fota_json_type(req, name, "a list");
    }

    if (json_array_size(v) > max) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" may have %zu members, it has %zu", name,
                            max, json_array_size(v));
    }

    *out = v;

    return true;
}


bool
fota_json_has(fota_req_t *req, const char *name)
{
    return json_is_object(req->json)
           && json_object_get(req->json, name) != NULL;
}


bool
fota_json_only(fota_req_t *req, const char *const *names)
{
    bool         ok;
    size_t       i;
    json_t      *v;
    const char  *key;

    (void) fota_json_member(req, "body", false, &ok);
    if (!ok) {
        return false;
    }

    json_object_foreach(req->json, key, v) {
        for (i = 0; names[i] != NULL; i++) {
            if (strcmp(names[i], key) == 0) {
                break;
            }
        }

        if (names[i] == NULL) {
            return fota_res_bad(req, "field_unknown", key,
                                "there is no member of this name here");
        }
    }

    return true;
}


json_t *
fota_json_text(fota_str_t s)
{
    char     *p;
    size_t    i, n, seq;
    json_t   *json;

    if (s.len == 0) {
        return json_string("");
    }

    if (fota_str_utf8(s)) {
        return json_stringn((const char *) s.data, s.len);
    }

    p = malloc(s.len * 3);
    if (p == NULL) {
        return NULL;
    }

    for (i = 0, n = 0; i < s.len; i += seq) {
        seq = fota_str_utf8_seq(s.data + i, s.len - i);

        if (seq == 0) {
            memcpy(p + n, "\xef\xbf\xbd", 3);
            n += 3;
            seq = 1;
        } else {
            memcpy(p + n, s.data + i, seq);
            n += seq;
        }
    }

    json = json_stringn(p, n);
    free(p);

    return json;
}


json_t *
fota_json_hex(const void *data, size_t len)
{
    char  text[256];

    if (len > sizeof(text) / 2) {
        return NULL;
    }

    fota_hex_encode(text, data, len);

    return json_stringn(text, len * 2);
}
