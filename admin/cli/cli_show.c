/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli_progress.h"
#include "cli_show.h"
#include "cli_table.h"


#define FOTA_SHOW_TEXT   (64 * 1024 * 1024)
#define FOTA_SHOW_DEPTH  4


typedef struct {
    char  path[64];
    char  head[64];
    char  format[16];
} fota_show_column_t;


static void
fota_show_time(int64_t ms, fota_buf_t *out)
{
    char       text[32];
    time_t     t;
    struct tm  tm;

    if (ms == 0) {
        fota_buf_cstr(out, "-");
        return;
    }

    t = (time_t) (ms / 1000);

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
    {
        fota_buf_printf(out, "%lld", (long long) ms);
        return;
    }

    fota_buf_cstr(out, text);
}


void
fota_cli_show_value(json_t *value, const char *format, fota_buf_t *out)
{
    char         text[32];
    size_t       i;
    json_t      *item;
    const char  *key;

    switch (value == NULL ? JSON_NULL : json_typeof(value)) {

    case JSON_INTEGER:
        if (strcmp(format, "bytes") == 0 && json_integer_value(value) >= 0) {
            fota_cli_bytes(text, sizeof(text),
                           (uint64_t) json_integer_value(value));
            fota_buf_cstr(out, text);

        } else if (strcmp(format, "time") == 0) {
            fota_show_time(json_integer_value(value), out);

        } else if (strcmp(format, "times") == 0) {
            fota_show_time(json_integer_value(value) * 1000, out);

        } else {
            fota_buf_printf(out, "%lld",
                            (long long) json_integer_value(value));
        }

        return;

    case JSON_REAL:
        fota_buf_printf(out, "%.6g", json_real_value(value));
        return;

    case JSON_TRUE:
        fota_buf_cstr(out, "yes");
        return;

    case JSON_FALSE:
        fota_buf_cstr(out, strcmp(format, "flag") == 0 ? "-" : "no");
        return;

    case JSON_STRING:
        if (strcmp(format, "sha") == 0 && json_string_length(value) > 12) {
            fota_buf_put(out, json_string_value(value), 12);
            return;
        }

        if (json_string_length(value) == 0) {
            fota_buf_cstr(out, "-");
            return;
        }

        fota_buf_put(out, json_string_value(value),
                     json_string_length(value));
        return;

    case JSON_ARRAY:
        json_array_foreach(value, i, item) {
            fota_buf_cstr(out, i == 0 ? "" : ", ");
            fota_cli_show_value(item, "", out);
        }

        if (json_array_size(value) == 0) {
            fota_buf_cstr(out, "-");
        }

        return;

    case JSON_OBJECT:
        i = 0;

        json_object_foreach(value, key, item) {
            fota_buf_printf(out, "%s%s=", i++ == 0 ? "" : " ", key);
            fota_cli_show_value(item, "", out);
        }

        if (i == 0) {
            fota_buf_cstr(out, "-");
        }

        return;

    default:
        fota_buf_cstr(out, "-");
    }
}


static const char *
fota_show_word(const char *s, char *out, size_t len, const char *stops)
{
    size_t  n = strcspn(s, stops);

    (void) snprintf(out, len, "%.*s", (int) n, s);

    return s + n;
}


/* What is shown as a time needs no unit in its name. */

static void
fota_show_unit(char *name)
{
    size_t  n = strlen(name);

    if (n > 3 && strcmp(name + n - 3, "_ms") == 0) {
        name[n - 3] = '\0';
    }
}


static size_t
fota_show_columns(const char *text, fota_show_column_t *c)
{
    char    *p;
    size_t   n;

    for (n = 0; *text != '\0' && n < FOTA_CLI_COLUMNS_MAX; n++) {
        memset(&c[n], 0, sizeof(c[n]));
        text = fota_show_word(text, c[n].path, sizeof(c[n].path), ",:=");

        if (*text == ':') {
            text = fota_show_word(text + 1, c[n].format, sizeof(c[n].format),
                                  ",=");
        }

        if (*text == '=') {
            text = fota_show_word(text + 1, c[n].head, sizeof(c[n].head),
                                  ",");

        } else {
            p = strrchr(c[n].path, '.');
            (void) snprintf(c[n].head, sizeof(c[n].head), "%.63s",
                            p != NULL ? p + 1 : c[n].path);

            fota_show_unit(c[n].head);

            for (p = c[n].head; *p != '\0'; p++) {
                *p = *p == '_' ? ' '
                     : *p >= 'a' && *p <= 'z' ? (char) (*p - 'a' + 'A') : *p;
            }
        }

        text += *text == ',';
    }

    return n;
}


static json_t *
fota_show_member(json_t *object, const char *path)
{
    char  word[64];

    while (object != NULL && *path != '\0') {
        path = fota_show_word(path, word, sizeof(word), ".");
        object = json_object_get(object, word);
        path += *path == '.';
    }

    return object;
}


int
fota_cli_show_table(json_t *items, const char *columns, fota_buf_t *out)
{
    int                 rc;
    size_t              i, k, n;
    json_t             *item, *v;
    fota_buf_t          cells[FOTA_CLI_COLUMNS_MAX];
    fota_str_t          row[FOTA_CLI_COLUMNS_MAX];
    fota_cli_table_t    t;
    fota_show_column_t  c[FOTA_CLI_COLUMNS_MAX];

    n = fota_show_columns(columns, c);
    fota_cli_table_init(&t, n);

    for (k = 0; k < n; k++) {
        fota_buf_grow(&cells[k], FOTA_SHOW_TEXT);
        row[k] = fota_cstr(c[k].head);
    }

    rc = fota_cli_table_row(&t, row);

    json_array_foreach(items, i, item) {
        for (k = 0; k < n && rc == FOTA_OK; k++) {
            fota_buf_reset(&cells[k]);

            v = fota_show_member(item, c[k].path);
            fota_cli_show_value(v, c[k].format, &cells[k]);

            if (json_is_number(v) && strncmp(c[k].format, "time", 4) != 0) {
                t.right[k] = true;
            }

            rc = cells[k].status;
            row[k] = fota_buf_slice(&cells[k]);
        }

        if (rc == FOTA_OK) {
            rc = fota_cli_table_row(&t, row);
        }
    }

    for (k = 0; k < n; k++) {
        fota_buf_free(&cells[k]);
    }

    fota_cli_table_text(&t, out);
    fota_cli_table_free(&t);

    return rc == FOTA_OK ? (int) out->status : rc;
}


/* A list of objects is shown as a table of the members of its first one. */

static bool
fota_show_is_table(json_t *v)
{
    return json_is_array(v) && json_array_size(v) != 0
           && json_is_object(json_array_get(v, 0));
}


static const char *
fota_show_format(const char *key)
{
    size_t  i, n;

    static const char *const  times[] = {
        "created", "started", "finished", "expires", "revoked", "published",
        "last_used", "changed", "ts", "seen", "last_seen", "updated"
    };

    n = strlen(key);

    if (n > 3 && strcmp(key + n - 3, "_ms") == 0) {
        return "time";
    }

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (strcmp(key, times[i]) == 0) {
            return "time";
        }
    }

    return strcmp(key, "size") == 0 || strcmp(key, "bytes") == 0 ? "bytes"
           : "";
}


static int
fota_show_lines(json_t *object, const char *prefix, fota_cli_table_t *t,
    unsigned depth)
{
    int          rc;
    char         name[160];
    json_t      *v;
    fota_buf_t   text;
    fota_str_t   row[2];
    const char  *key, *format;

    json_object_foreach(object, key, v) {
        (void) snprintf(name, sizeof(name), "%s%s%s", prefix,
                        *prefix != '\0' ? "." : "", key);

        if (fota_show_is_table(v)) {
            continue;
        }

        if (json_is_object(v) && depth < FOTA_SHOW_DEPTH
            && json_object_size(v) != 0)
        {
            rc = fota_show_lines(v, name, t, depth + 1);
            if (rc != FOTA_OK) {
                return rc;
            }

            continue;
        }

        format = fota_show_format(key);

        /* "seen": small numbers are no times. */

        if (json_is_integer(v) && strcmp(format, "time") == 0
            && json_integer_value(v) < 1000000000000
            && json_integer_value(v) != 0)
        {
            format = "";
        }

        if (*format == 't') {
            fota_show_unit(name);
        }

        fota_buf_grow(&text, FOTA_SHOW_TEXT);
        fota_cli_show_value(v, format, &text);
        row[0] = fota_cstr(name);
        row[1] = fota_buf_slice(&text);
        rc = text.status == FOTA_OK ? fota_cli_table_row(t, row)
             : (int) text.status;
        fota_buf_free(&text);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


static int
fota_show_tables(json_t *object, const char *prefix, fota_buf_t *out,
    unsigned depth)
{
    int          rc;
    char         name[160];
    size_t       n;
    json_t      *v, *member;
    fota_buf_t   columns;
    const char  *key, *format;

    json_object_foreach(object, key, v) {
        (void) snprintf(name, sizeof(name), "%s%s%s", prefix,
                        *prefix != '\0' ? "." : "", key);

        if (json_is_object(v) && depth < FOTA_SHOW_DEPTH) {
            rc = fota_show_tables(v, name, out, depth + 1);
            if (rc != FOTA_OK) {
                return rc;
            }

            continue;
        }

        if (!fota_show_is_table(v)) {
            continue;
        }

        fota_buf_printf(out, "\n%s\n", name);
        fota_buf_grow(&columns, 4096);
        n = 0;

        json_object_foreach(json_array_get(v, 0), key, member) {
            format = fota_show_format(key);
            fota_buf_printf(&columns, "%s%s%s%s", n++ == 0 ? "" : ",", key,
                            *format != '\0' ? ":" : "", format);
        }

        fota_buf_u8(&columns, '\0');
        rc = columns.status == FOTA_OK
             ? fota_cli_show_table(v, (char *) columns.start, out)
             : (int) columns.status;
        fota_buf_free(&columns);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


int
fota_cli_show_object(json_t *object, fota_buf_t *out)
{
    int               rc;
    fota_cli_table_t  t;

    fota_cli_table_init(&t, 2);
    rc = fota_show_lines(object, "", &t, 0);
    fota_cli_table_text(&t, out);
    fota_cli_table_free(&t);

    return rc != FOTA_OK ? rc : fota_show_tables(object, "", out, 0);
}


int
fota_cli_show_flush(fota_buf_t *out)
{
    bool  ok;

    ok = out->status == FOTA_OK
         && fwrite(out->start, 1, out->len, stdout) == out->len
         && fflush(stdout) == 0;

    fota_buf_free(out);

    if (!ok) {
        (void) fprintf(stderr, "fota: the output cannot be written\n");
    }

    return ok ? 0 : 1;
}


static int
fota_show_json(json_t *value, size_t flags)
{
    char        *text;
    fota_buf_t   out;

    text = json_dumps(value, flags | JSON_ENCODE_ANY);
    fota_buf_grow(&out, SIZE_MAX / 2);

    if (text == NULL) {
        out.status = FOTA_NOMEM;

    } else {
        fota_cli_clean_json(&out, fota_cstr(text));
        fota_buf_u8(&out, '\n');
    }

    free(text);

    return fota_cli_show_flush(&out);
}


int
fota_cli_show_json(json_t *value)
{
    return fota_show_json(value, JSON_INDENT(2));
}


int
fota_cli_show_line(json_t *value)
{
    return fota_show_json(value, JSON_COMPACT);
}
