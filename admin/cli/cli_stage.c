/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Stages of rollouts as people write them. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli_field.h"


static bool
fota_stage_percent(const char *text, double *out)
{
    char  *end;

    errno = 0;
    *out = strtod(text, &end);

    if (*end == '%') {
        end++;
    }

    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0
           && isfinite(*out) && *out <= 100;
}


/* "90", "90s", "15m", "2h", "1d" in seconds. */

static bool
fota_stage_span(const char *text, json_int_t *out)
{
    size_t    n;
    uint64_t  v, unit;

    n = strlen(text);
    unit = 1;

    if (n > 1 && strchr("smhd", text[n - 1]) != NULL) {
        unit = text[n - 1] == 'm' ? 60 : text[n - 1] == 'h' ? 3600
               : text[n - 1] == 'd' ? 86400 : 1;
        n--;
    }

    if (fota_str_u64(fota_slice(text, n), 1000000000, &v) != FOTA_OK) {
        return false;
    }

    *out = (json_int_t) (v * unit);

    return true;
}


static const char *
fota_stage_word(json_t *stage, char *word)
{
    char        *eq;
    double       d;
    uint64_t     n;
    json_int_t   s;

    eq = strchr(word, '=');

    if (eq == NULL) {
        if (strcmp(word, "manual") == 0) {
            json_object_set_new(stage, "auto_next", json_false());
            return NULL;
        }

        return "knows \"manual\" and NAME=VALUE";
    }

    *eq++ = '\0';

    if (strcmp(word, "success") == 0 || strcmp(word, "error") == 0) {
        if (!fota_stage_percent(eq, &d)) {
            return "wants percents from 0 to 100";
        }

        json_object_set_new(stage, *word == 's' ? "success_pct"
                                                : "error_pct", json_real(d));
        return NULL;
    }

    if (strcmp(word, "min") == 0) {
        if (fota_str_u64(fota_cstr(eq), 1000000000, &n) != FOTA_OK) {
            return "wants a whole number for \"min\"";
        }

        json_object_set_new(stage, "min_count", json_integer((json_int_t) n));
        return NULL;
    }

    if (strcmp(word, "soak") == 0) {
        if (!fota_stage_span(eq, &s)) {
            return "wants a time such as 90s, 15m, 2h for \"soak\"";
        }

        json_object_set_new(stage, "soak_s", json_integer(s));
        return NULL;
    }

    if (strcmp(word, "group") == 0) {
        return json_object_set_new(stage, "test_group", json_string(eq)) == 0
               ? NULL : "wants the name of a group in UTF-8";
    }

    return "knows success, error, min, soak, group and manual";
}


json_t *
fota_cli_field_stage(const char *value, char *err, size_t errlen)
{
    char         text[512], *word, *next;
    double       d;
    json_t      *stage;
    const char  *wrong;

    if ((size_t) snprintf(text, sizeof(text), "%s", value) >= sizeof(text)) {
        (void) snprintf(err, errlen, "is too long");
        return NULL;
    }

    stage = json_object();
    wrong = NULL;

    next = strchr(text, ',');
    if (next != NULL) {
        *next++ = '\0';
    }

    if (strcmp(text, "test") == 0) {
        json_object_set_new(stage, "test_only", json_true());
        json_object_set_new(stage, "percent", json_integer(0));

    } else if (fota_stage_percent(text, &d)) {
        json_object_set_new(stage, "percent", json_real(d));

    } else {
        wrong = "begins with a percentage or \"test\"";
    }

    while (wrong == NULL && next != NULL) {
        word = next;
        next = strchr(word, ',');

        if (next != NULL) {
            *next++ = '\0';
        }

        wrong = fota_stage_word(stage, word);
    }

    if (wrong != NULL) {
        (void) snprintf(err, errlen, "%s", wrong);
        json_decref(stage);
        return NULL;
    }

    return stage;
}
