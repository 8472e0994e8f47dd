/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* A rollout from the body of a request, every member checked. */

#include <math.h>
#include <stdlib.h>

#include "rollout.h"


#define FOTA_ZONE_NAME_MAX  64


static bool fota_form_texts(fota_req_t *req, fota_rollout_form_t *form);
static bool fota_form_numbers(fota_req_t *req, fota_rollout_row_t *row);
static bool fota_form_words(fota_req_t *req, fota_rollout_row_t *row);
static bool fota_form_list(fota_req_t *req, json_t *list, const char *name,
    size_t max, size_t len, fota_str_t *out);
static bool fota_form_lists(fota_req_t *req, fota_rollout_row_t *row);
static bool fota_form_geo(fota_req_t *req, fota_rollout_row_t *row);
static bool fota_form_windows(fota_req_t *req, json_t *list);
static bool fota_form_stages(fota_req_t *req, fota_rollout_form_t *form);
static bool fota_form_stage(fota_req_t *req, json_t *v, size_t i,
    fota_stage_row_t *s);
static bool fota_form_target(fota_req_t *req, fota_rollout_form_t *form);


static const char *const  fota_form_members[] = {
    "product", "name", "kind", "target", "strategy", "weight", "filter",
    "sources", "geo", "windows", "time_mode", "zone", "start_s", "end_s",
    "allow_downgrade", "require_fresh", "max_attempts", "max_active",
    "max_bps", "rate_class", "dispersion", "token_ttl_s", "stages", NULL
};

static const char *const  fota_form_audience[] = {
    "kind", "target", "strategy", "filter", "sources", "geo",
    "allow_downgrade", "stages", NULL
};

static const char *const  fota_kinds[] = { "os", "app", "data" };
static const char *const  fota_strategies[] = {
    "full", "delta", "sequential", "auto"
};
static const char *const  fota_time_modes[] = { "device", "zone" };
static const char *const  fota_unknowns[] = { "deny", "allow" };


void
fota_rollout_defaults(fota_rollout_form_t *form)
{
    fota_rollout_row_t  *row;

    memset(form, 0, sizeof(fota_rollout_form_t));

    row = &form->row;

    row->name = fota_cstr("");
    row->kind = fota_cstr("os");
    row->state = fota_cstr("draft");
    row->state_reason = fota_cstr("");
    row->strategy = fota_cstr("auto");
    row->filter = fota_cstr("");
    row->geo_unknown = fota_cstr("deny");
    row->time_mode = fota_cstr("device");
    row->zone = fota_cstr("");
    row->max_attempts = 3;
    row->dispersion = 8;
    row->created_by = fota_cstr("");

    form->nstages = 1;
    form->stages[0].permille = 10000;
    form->stages[0].min_count = 1;
    form->stages[0].auto_next = true;
}


static bool
fota_form_texts(fota_req_t *req, fota_rollout_form_t *form)
{
    return fota_json_name(req, "name", false, FOTA_NAME_MAX, &form->row.name)
           && fota_json_str(req, "filter", false, FOTA_FILTER_TEXT_MAX,
                            &form->row.filter)
           && fota_json_str(req, "zone", false, FOTA_ZONE_NAME_MAX,
                            &form->row.zone);
}


static bool
fota_form_numbers(fota_req_t *req, fota_rollout_row_t *row)
{
    size_t    i;
    int64_t   weight, start, end;
    uint64_t  v[6];

    static const struct {
        const char  *name;
        uint64_t     max;
    } numbers[] = {
        { "max_attempts", UINT16_MAX },
        { "max_active", UINT32_MAX },
        { "rate_class", UINT8_MAX },
        { "dispersion", UINT16_MAX },
        { "token_ttl_s", 30 * 86400 },
        { "max_bps", INT64_MAX }
    };

    v[0] = row->max_attempts;
    v[1] = row->max_active;
    v[2] = row->rate_class;
    v[3] = row->dispersion;
    v[4] = row->token_ttl;
    v[5] = row->max_bps;

    for (i = 0; i < 6; i++) {
        if (!fota_json_u64(req, numbers[i].name, false, numbers[i].max,
                           &v[i]))
        {
            return false;
        }
    }

    row->max_attempts = (uint16_t) v[0];
    row->max_active = (uint32_t) v[1];
    row->rate_class = (uint8_t) v[2];
    row->dispersion = (uint16_t) v[3];
    row->token_ttl = (uint32_t) v[4];
    row->max_bps = v[5];

    weight = row->weight;
    start = row->start;
    end = row->end;

    if (!fota_json_i64(req, "weight", false, -1000000, 1000000, &weight)
        || !fota_json_i64(req, "start_s", false, 0, UINT32_MAX, &start)
        || !fota_json_i64(req, "end_s", false, 0, UINT32_MAX, &end)
        || !fota_json_flag(req, "allow_downgrade", &row->allow_downgrade)
        || !fota_json_flag(req, "require_fresh", &row->require_fresh))
    {
        return false;
    }

    row->weight = (int32_t) weight;
    row->start = start;
    row->end = end;

    if (end != 0 && end <= start) {
        return fota_res_bad(req, "field_limit", "end_s",
                            "\"end_s\" must be after \"start_s\"");
    }

    return true;
}


static bool
fota_form_words(fota_req_t *req, fota_rollout_row_t *row)
{
    uint64_t  kind, strategy, mode;

    kind = strategy = mode = UINT64_MAX;

    if (!fota_json_word(req, "kind", fota_kinds, 3, &kind)
        || !fota_json_word(req, "strategy", fota_strategies, 4, &strategy)
        || !fota_json_word(req, "time_mode", fota_time_modes, 2, &mode))
    {
        return false;
    }

    if (kind != UINT64_MAX) {
        row->kind = fota_cstr(fota_kinds[kind]);
    }

    if (strategy != UINT64_MAX) {
        row->strategy = fota_cstr(fota_strategies[strategy]);
    }

    if (mode != UINT64_MAX) {
        row->time_mode = fota_cstr(fota_time_modes[mode]);
    }

    if (fota_str_eq(row->time_mode, fota_cstr("zone")) && row->zone.len == 0)
    {
        return fota_res_bad(req, "field_missing", "zone",
                            "\"zone\" is needed with time_mode \"zone\"");
    }

    return true;
}


/* A list of strings, as JSON text for its column; data NULL when empty. */

static bool
fota_form_list(fota_req_t *req, json_t *list, const char *name, size_t max,
    size_t len, fota_str_t *out)
{
    char     *text;
    size_t    i;
    json_t   *v;

    if (json_array_size(list) > max) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" may have %zu entries, it has %zu", name,
                            max, json_array_size(list));
    }

    json_array_foreach(list, i, v) {
        if (!json_is_string(v) || json_string_length(v) == 0
            || json_string_length(v) > len)
        {
            return fota_res_bad(req, "field_value", name,
                                "\"%s\", entry %zu: must be a text of 1 to %zu "
                                "bytes", name, i + 1, len);
        }
    }

    memset(out, 0, sizeof(fota_str_t));

    if (json_array_size(list) == 0) {
        return true;
    }

    text = json_dumps(list, JSON_COMPACT);

    if (text != NULL) {
        *out = fota_strdup(&req->arena.mem, fota_cstr(text));
        free(text);
    }

    if (out->len > 65535) {
        return fota_res_bad(req, "field_limit", name,
                            "\"%s\" may have 65535 bytes in all", name);
    }

    return out->data != NULL;
}


static bool
fota_form_geo(fota_req_t *req, fota_rollout_row_t *row)
{
    int          rc;
    json_t      *geo, *v, *list[2];
    size_t       i, k;
    const char  *key;

    static const char *const  names[] = { "geo.include", "geo.exclude" };

    geo = json_object_get(req->json, "geo");

    if (geo == NULL) {
        return true;
    }

    if (json_is_null(geo)) {
        memset(&row->geo_include, 0, sizeof(fota_str_t));
        memset(&row->geo_exclude, 0, sizeof(fota_str_t));
        row->geo_unknown = fota_cstr("deny");
        return true;
    }

    if (!json_is_object(geo)) {
        return fota_res_bad(req, "field_type", "geo",
                            "\"geo\" must be an object");
    }

    json_object_foreach(geo, key, v) {
        if (strcmp(key, "include") != 0 && strcmp(key, "exclude") != 0
            && strcmp(key, "unknown") != 0)
        {
            return fota_res_bad(req, "field_unknown", "geo",
                                "\"geo\" has include, exclude and unknown "
                                "only");
        }
    }

    v = json_object_get(geo, "unknown");

    if (v != NULL) {
        for (k = 0; k < 2; k++) {
            if (json_is_string(v)
                && strcmp(json_string_value(v), fota_unknowns[k]) == 0)
            {
                break;
            }
        }

        if (k == 2) {
            return fota_res_bad(req, "field_value", "geo.unknown",
                                "\"geo.unknown\" must be deny or allow");
        }

        row->geo_unknown = fota_cstr(fota_unknowns[k]);
    }

    list[0] = json_object_get(geo, "include");
    list[1] = json_object_get(geo, "exclude");

    for (k = 0; k < 2; k++) {

        if (list[k] == NULL) {
            continue;
        }

        if (!json_is_array(list[k])) {
            return fota_res_bad(req, "field_type", names[k],
                                "\"%s\" must be a list", names[k]);
        }

        if (!fota_form_list(req, list[k], names[k], FOTA_SCOPES_MAX,
                            FOTA_SCOPE_LEN_MAX, (k == 0) ? &row->geo_include
                                                         : &row->geo_exclude))
        {
            return false;
        }

        json_array_foreach(list[k], i, v) {
            rc = fota_geo_scope_check(fota_slice(json_string_value(v),
                                                 json_string_length(v)));
            if (rc != FOTA_OK) {
                return fota_res_bad(req, "field_value", names[k],
                                    "\"%s\", entry %zu: wanted is COUNTRY, "
                                    "COUNTRY/REGION, COUNTRY/REGION/CITY or "
                                    "geoname:ID", names[k], i + 1);
            }
        }
    }

    return true;
}


static bool
fota_form_windows(fota_req_t *req, json_t *list)
{
    size_t         i, pos;
    json_t        *v;
    fota_window_t  w;

    json_array_foreach(list, i, v) {
        if (fota_window_parse(fota_slice(json_string_value(v),
                                         json_string_length(v)), &w, &pos)
            != FOTA_OK)
        {
            return fota_res_bad(req, "field_value", "windows",
                                "\"windows\", entry %zu, column %zu: wanted is "
                                "\"mon-fri 22:00-05:00\"", i + 1, pos + 1);
        }
    }

    return true;
}


static bool
fota_form_lists(fota_req_t *req, fota_rollout_row_t *row)
{
    json_t  *v;

    v = json_object_get(req->json, "sources");

    if (v != NULL) {
        if (!fota_json_list(req, "sources", FOTA_SOURCES_MAX, &v)
            || !fota_form_list(req, v, "sources", FOTA_SOURCES_MAX,
                               FOTA_VERSION_MAX, &row->sources))
        {
            return false;
        }
    }

    v = json_object_get(req->json, "windows");

    if (v != NULL) {
        if (!fota_json_list(req, "windows", FOTA_WINDOWS_MAX, &v)
            || !fota_form_list(req, v, "windows", FOTA_WINDOWS_MAX, 256,
                               &row->windows)
            || !fota_form_windows(req, v))
        {
            return false;
        }
    }

    return true;
}


static bool
fota_form_stage(fota_req_t *req, json_t *v, size_t i, fota_stage_row_t *s)
{
    int          rc;
    double       d;
    json_t      *m;
    fota_str_t   name;
    const char  *key, *wrong;

    memset(s, 0, sizeof(fota_stage_row_t));

    s->n = (uint16_t) i;
    s->min_count = 1;
    s->auto_next = true;

    wrong = NULL;

    json_object_foreach(v, key, m) {

        if (strcmp(key, "percent") == 0 || strcmp(key, "success_pct") == 0
            || strcmp(key, "error_pct") == 0)
        {
            d = json_number_value(m);

            if (!json_is_number(m) || !(d >= 0 && d <= 100)) {
                wrong = "must be a number from 0 to 100";

            } else if (key[0] == 'p') {
                s->permille = (uint16_t) lround(d * 100);

            } else if (key[0] == 's') {
                s->success_pct = d;

            } else {
                s->error_pct = d;
            }

        } else if (strcmp(key, "min_count") == 0
                   || strcmp(key, "soak_s") == 0)
        {
            if (!json_is_integer(m) || json_integer_value(m) < 0
                || json_integer_value(m) > 1000000000)
            {
                wrong = "must be a whole number from 0 to 1000000000";

            } else if (key[0] == 'm') {
                s->min_count = (uint32_t) json_integer_value(m);

            } else {
                s->soak = (uint32_t) json_integer_value(m);
            }

        } else if (strcmp(key, "test_only") == 0
                   || strcmp(key, "auto_next") == 0)
        {
            if (!json_is_boolean(m)) {
                wrong = "must be true or false";

            } else if (key[0] == 't') {
                s->test_only = json_is_true(m);

            } else {
                s->auto_next = json_is_true(m);
            }

        } else if (strcmp(key, "test_group") == 0) {

            if (json_is_null(m)) {
                continue;
            }

            if (!json_is_string(m)) {
                wrong = "must be the name of a group";

            } else {
                name = fota_slice(json_string_value(m),
                                  json_string_length(m));

                rc = fota_find_group(req, name, &s->test_group);
                if (rc != FOTA_OK) {
                    return false;
                }
            }

        } else if (strcmp(key, "n") != 0 && strcmp(key, "population") != 0) {
            wrong = "is no member of a stage";
        }

        if (wrong != NULL) {
            return fota_res_bad(req, "field_value", "stages",
                                "\"stages\", entry %zu: \"%s\" %s", i + 1, key,
                                wrong);
        }
    }

    return true;
}


static bool
fota_form_stages(fota_req_t *req, fota_rollout_form_t *form)
{
    size_t             i;
    json_t            *list, *v;
    const char        *wrong;
    fota_stage_row_t  *s;

    if (!fota_json_list(req, "stages", FOTA_STAGES_MAX, &list)) {
        return false;
    }

    if (list == NULL) {
        return true;
    }

    if (json_array_size(list) == 0) {
        return fota_res_bad(req, "field_empty", "stages",
                            "there must be at least one stage");
    }

    json_array_foreach(list, i, v) {
        s = &form->stages[i];

        if (!json_is_object(v)) {
            return fota_res_bad(req, "field_type", "stages",
                                "\"stages\", entry %zu: must be an object",
                                i + 1);
        }

        if (!fota_form_stage(req, v, i, s)) {
            return false;
        }

        wrong = NULL;

        if (s->test_only) {
            if (i != 0) {
                wrong = "only the first stage may be for test devices alone";
            }

            s->permille = 0;

        } else if (s->permille == 0) {
            wrong = "\"percent\" must be above 0";

        } else if (i != 0 && s->permille <= form->stages[i - 1].permille) {
            wrong = "\"percent\" must be above that of the stage before";
        }

        if (wrong != NULL) {
            return fota_res_bad(req, "field_value", "stages",
                                "\"stages\", entry %zu: %s", i + 1, wrong);
        }
    }

    form->nstages = json_array_size(list);

    return true;
}


static bool
fota_form_target(fota_req_t *req, fota_rollout_form_t *form)
{
    int         rc;
    fota_str_t  version;

    memset(&version, 0, sizeof(fota_str_t));

    if (!fota_json_str(req, "target", false, FOTA_VERSION_MAX, &version)) {
        return false;
    }

    if (version.data == NULL) {

        /* Another kind has other firmware: its target is named anew. */

        if (fota_json_has(req, "kind") && form->row.target != 0) {
            version = form->target;

        } else {
            return true;
        }
    }

    form->target = version;

    if (version.len == 0 || fota_str_eq(version, fota_cstr("latest"))) {
        form->row.target = 0;
        form->target = fota_cstr("");
        return true;
    }

    rc = fota_find_firmware(req, form->row.product, form->row.kind, version,
                            &form->row.target);

    return rc == FOTA_OK;
}


bool
fota_rollout_form(fota_req_t *req, fota_rollout_form_t *form, bool create,
    bool *changed_audience)
{
    size_t  i;

    *changed_audience = false;

    if (!fota_json_only(req, create ? fota_form_members
                                    : fota_form_members + 1))
    {
        return false;
    }

    for (i = 0; fota_form_audience[i] != NULL; i++) {
        *changed_audience |= fota_json_has(req, fota_form_audience[i]);
    }

    if (create) {
        memset(&form->product, 0, sizeof(fota_str_t));

        if (!fota_json_str(req, "product", true, FOTA_NAME_MAX,
                           &form->product)
            || fota_find_product(req, form->product, &form->row.product)
               != FOTA_OK)
        {
            return false;
        }
    }

    if (!fota_form_texts(req, form) || !fota_form_numbers(req, &form->row)
        || !fota_form_words(req, &form->row)
        || !fota_form_lists(req, &form->row)
        || !fota_form_geo(req, &form->row)
        || !fota_form_stages(req, form) || !fota_form_target(req, form))
    {
        return false;
    }

    if (form->row.name.len == 0) {
        return fota_res_bad(req, "field_missing", "name", "\"name\" is needed");
    }

    return true;
}
