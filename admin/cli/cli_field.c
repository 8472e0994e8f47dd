/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli_field.h"


#define FOTA_FIELD_FILE_MAX  (16 * 1024 * 1024)


/* Parts of "name:type"; name holds len bytes.  Type 's' when none is given. */

static char
fota_cli_field_split(const char *field, char *name, size_t len)
{
    const char  *colon;

    colon = strchr(field, ':');

    if (colon == NULL) {
        (void) snprintf(name, len, "%s", field);
        return 's';
    }

    (void) snprintf(name, len, "%.*s", (int) (colon - field), field);

    return colon[1];
}


int
fota_cli_field_time(const char *value, int64_t now_ms, int64_t *out)
{
    size_t        i;
    int64_t       unit;
    uint64_t      n;
    struct tm     tm;
    const char   *end;

    static const char *const  forms[] = {
        "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"
    };

    if (strcmp(value, "now") == 0) {
        *out = now_ms / 1000;
        return FOTA_OK;
    }

    if (*value == '+' && strlen(value) > 2) {
        end = value + strlen(value) - 1;
        unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600
               : *end == 'd' ? 86400 : 0;

        if (unit == 0
            || fota_str_u64(fota_slice(value + 1, (size_t) (end - value - 1)),
                            1000000000, &n) != FOTA_OK)
        {
            return FOTA_INVALID;
        }

        *out = now_ms / 1000 + (int64_t) n * unit;
        return FOTA_OK;
    }

    if (fota_str_u64(fota_cstr(value), 253402300799ULL, &n) == FOTA_OK) {
        *out = (int64_t) n;
        return FOTA_OK;
    }

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        memset(&tm, 0, sizeof(tm));
        end = strptime(value, forms[i], &tm);

        if (end != NULL && *end == '\0') {
            *out = (int64_t) timegm(&tm);
            return FOTA_OK;
        }
    }

    return FOTA_INVALID;
}


static json_t *
fota_field_refuse(char *err, size_t errlen, const char *text)
{
    (void) snprintf(err, errlen, "%s", text);

    return NULL;
}


static json_t *
fota_field_whole(const char *value, char *err, size_t errlen)
{
    bool      minus = *value == '-';
    uint64_t  n;

    if (fota_str_u64(fota_cstr(value + minus), INT64_MAX, &n) != FOTA_OK) {
        return fota_field_refuse(err, errlen, "wants a whole number");
    }

    return json_integer(minus ? -(json_int_t) n : (json_int_t) n);
}


static json_t *
fota_field_real(const char *value, char *err, size_t errlen)
{
    char    *end;
    double   d;

    errno = 0;
    d = strtod(value, &end);

    if (*value == '\0' || *end != '\0' || errno != 0 || !isfinite(d)) {
        return fota_field_refuse(err, errlen, "wants a number");
    }

    return json_real(d);
}


static json_t *
fota_field_list(const char *value, bool numbers, char *err, size_t errlen)
{
    size_t    n;
    json_t   *list, *item;
    uint64_t  v;

    list = json_array();

    while (*value != '\0') {
        n = strcspn(value, ",");

        if (!numbers) {
            item = json_stringn(value, n);

        } else if (fota_str_u64(fota_slice(value, n), INT64_MAX, &v)
                   == FOTA_OK)
        {
            item = json_integer((json_int_t) v);

        } else {
            item = NULL;
        }

        if (item == NULL) {
            json_decref(list);
            return fota_field_refuse(err, errlen, numbers
                                     ? "wants whole numbers split by commas"
                                     : "is no UTF-8");
        }

        json_array_append_new(list, item);
        value += n + (value[n] == ',');
    }

    return list;
}


static json_t *
fota_field_file(const char *path, char *err, size_t errlen)
{
    FILE    *f;
    char    *text;
    size_t   n;
    json_t  *v;

    f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

    if (f == NULL) {
        (void) snprintf(err, errlen, "\"%s\": %s", path, strerror(errno));
        return NULL;
    }

    text = malloc(FOTA_FIELD_FILE_MAX);
    n = text == NULL ? 0 : fread(text, 1, FOTA_FIELD_FILE_MAX, f);

    if (f != stdin) {
        (void) fclose(f);
    }

    if (text == NULL || n == FOTA_FIELD_FILE_MAX) {
        free(text);
        return fota_field_refuse(err, errlen, "is a file above 16 MiB");
    }

    v = json_loadb(text, n, 0, NULL);

    if (v == NULL) {
        v = json_stringn(text, n);
    }

    free(text);

    return v != NULL ? v : fota_field_refuse(err, errlen, "is no UTF-8");
}


/*
 * A value of one of the types of fota_cli_option_t, but 'l', 'S' and 'm',
 * which fota_cli_field_set() collects.  NULL with text in err.
 */

static json_t *
fota_cli_field_value(char type, const char *value, int64_t now_ms, char *err,
    size_t errlen)
{
    json_t   *v;
    int64_t   t;

    switch (type) {

    case 'n':
        return fota_field_whole(value, err, errlen);

    case 'd':
        return fota_field_real(value, err, errlen);

    case 'b':
        if (strcmp(value, "1") == 0 || strcmp(value, "on") == 0
            || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
        {
            return json_true();
        }

        if (strcmp(value, "0") == 0 || strcmp(value, "off") == 0
            || strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
        {
            return json_false();
        }

        return fota_field_refuse(err, errlen, "wants \"on\" or \"off\"");

    case 'c':
    case 'i':
        return fota_field_list(value, type == 'i', err, errlen);

    case 'j':
        v = json_loads(value, JSON_DECODE_ANY, NULL);
        return v != NULL ? v : fota_field_refuse(err, errlen, "wants JSON");

    case '@':
        return fota_field_file(value, err, errlen);

    case 't':
    case 'T':
        if (fota_cli_field_time(value, now_ms, &t) != FOTA_OK) {
            return fota_field_refuse(err, errlen, "wants a time such as "
                                     "2026-01-31T22:00Z, +2h or now");
        }

        return json_integer(type == 't' ? t : t * 1000);

    case '0':
    case 'N':
        /* "-" takes a value away. */
        if (strcmp(value, "-") == 0) {
            return json_null();
        }

        if (type == 'N') {
            return fota_field_whole(value, err, errlen);
        }

        /* fall through */

    default:
        v = json_string(value);
        return v != NULL ? v : fota_field_refuse(err, errlen, "is no UTF-8");
    }
}


static int
fota_field_pair(json_t *body, const char *name, const char *value, char *err,
    size_t errlen)
{
    char         key[256];
    json_t      *map, *v;
    const char  *eq;

    eq = strchr(value, '=');

    if (eq == NULL || eq == value || (size_t) (eq - value) >= sizeof(key)) {
        (void) snprintf(err, errlen, "wants NAME=VALUE");
        return FOTA_INVALID;
    }

    memcpy(key, value, (size_t) (eq - value));
    key[eq - value] = '\0';

    map = json_object_get(body, name);

    if (map == NULL) {
        map = json_object();
        json_object_set_new(body, name, map);
    }

    /* "name=" takes an attribute away. */

    v = eq[1] == '\0' ? json_null() : json_string(eq + 1);

    if (v == NULL || json_object_set_new(map, key, v) != 0) {
        (void) snprintf(err, errlen, "is no UTF-8");
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


int
fota_cli_field_set(json_t *body, const char *field, const char *value,
    int64_t now_ms, char *err, size_t errlen)
{
    char     name[128], *dot, *last;
    char     type;
    json_t  *v, *list, *inner;

    type = fota_cli_field_split(field, name, sizeof(name));
    last = name;

    while ((dot = strchr(last, '.')) != NULL) {
        *dot = '\0';
        inner = json_object_get(body, last);

        if (inner == NULL) {
            inner = json_object();
            json_object_set_new(body, last, inner);
        }

        body = inner;
        last = dot + 1;
    }

    if (type == 'm') {
        return fota_field_pair(body, last, value, err, errlen);
    }

    v = type == 'S' ? fota_cli_field_stage(value, err, errlen)
        : fota_cli_field_value(type == 'l' ? 's' : type, value, now_ms, err,
                               errlen);
    if (v == NULL) {
        return FOTA_INVALID;
    }

    if (type == 'l' || type == 'S') {
        list = json_object_get(body, last);

        if (list == NULL) {
            list = json_array();
            json_object_set_new(body, last, list);
        }

        json_array_append_new(list, v);
        return FOTA_OK;
    }

    json_object_set_new(body, last, v);

    return FOTA_OK;
}
