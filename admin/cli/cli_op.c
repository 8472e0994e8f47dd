/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Commands that are one call of the API each, from their tables. */

#include <stdio.h>
#include <time.h>

#include "cli_api.h"
#include "cli_field.h"
#include "cli_show.h"


#define FOTA_OP_PATH_MAX  (64 * 1024)
#define FOTA_OP_LIMIT     100


typedef struct {
    fota_cli_t           *cli;
    const fota_cli_op_t  *op;
    json_t               *body;
    json_t               *query;
    json_t               *path;         /* values of the placeholders */
    int64_t               now_ms;
} fota_op_t;


const fota_cli_option_t  fota_cli_paging[] = {
    FOTA_CLI_PAGING, FOTA_CLI_OPTIONS_END
};


static int64_t
fota_op_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
fota_op_set(fota_op_t *o, const char *what, const char *field,
    const char *value)
{
    int      rc;
    char     err[200];
    json_t  *to;

    to = *field == '/' ? o->path : *field == '?' ? o->query : o->body;

    rc = fota_cli_field_set(to, field + (to != o->body), value, o->now_ms,
                            err, sizeof(err));

    return rc == FOTA_OK ? 0 : fota_cli_usage("%s %s", what, err);
}


static int
fota_op_options(fota_op_t *o)
{
    int                       rc;
    size_t                    i;
    fota_cli_t               *cli = o->cli;
    const fota_cli_option_t  *opt;

    for (i = 0; i < cli->nvalues; i++) {
        opt = cli->command->options;

        for ( /* void */ ; opt != NULL && opt->name != NULL; opt++) {
            if (strcmp(opt->name, cli->names[i]) == 0) {
                break;
            }
        }

        if (opt == NULL || opt->name == NULL || opt->field == NULL) {
            continue;
        }

        rc = fota_op_set(o, opt->name, opt->field, cli->values[i]);
        if (rc != 0) {
            return rc;
        }
    }

    /* What is made belongs to a product; what is looked for need not. */

    for (opt = cli->command->options; opt != NULL && opt->name != NULL; opt++)
    {
        if (cli->product != NULL && opt->field != NULL
            && strcmp(opt->field, "product") == 0
            && json_object_get(o->body, "product") == NULL)
        {
            return fota_op_set(o, opt->name, opt->field, cli->product);
        }
    }

    return 0;
}


/* Without a list the arguments fill the path's placeholders in order. */

static void
fota_op_spec(const fota_cli_op_t *op, char *out, size_t len)
{
    size_t       n;
    const char  *p, *end;

    if (op->args != NULL) {
        (void) snprintf(out, len, "%s", op->args);
        return;
    }

    n = 0;
    out[0] = '\0';

    for (p = strchr(op->path, '{'); p != NULL; p = strchr(end, '{')) {
        end = strchr(p, '}');
        n += (size_t) snprintf(out + n, len - n, "%s/%.*s", n ? " " : "",
                               (int) (end - p - 1), p + 1);
        if (n >= len) {
            return;
        }
    }
}


static int
fota_op_arguments(fota_op_t *o)
{
    int          rc;
    char         spec[256], field[64];
    bool         rest, optional;
    size_t       i, n;
    const char  *p;

    fota_op_spec(o->op, spec, sizeof(spec));
    i = 0;

    for (p = spec; *p != '\0'; p += n + (p[n] == ' ')) {
        n = strcspn(p, " ");
        rest = n > 3 && memcmp(p + n - 3, "...", 3) == 0;
        optional = *p == '[';

        (void) snprintf(field, sizeof(field), "%.*s",
                        (int) (n - (rest ? 3U : 0U) - optional),
                        p + optional);

        if (i == o->cli->nargs) {
            if (optional) {
                continue;
            }

            return fota_cli_usage("\"fota %s\" wants %s; see --help",
                                  o->cli->command->name,
                                  o->cli->command->args);
        }

        do {
            rc = fota_op_set(o, "the argument", field, o->cli->args[i++]);
            if (rc != 0) {
                return rc;
            }

        } while (rest && i < o->cli->nargs);
    }

    if (i < o->cli->nargs) {
        return fota_cli_usage("\"%s\" is one argument too many; see \"fota "
                              "%s --help\"", o->cli->args[i],
                              o->cli->command->name);
    }

    return 0;
}


static int
fota_op_path(fota_op_t *o, fota_buf_t *out)
{
    char         name[64];
    const char  *p, *end, *value;

    for (p = o->op->path; *p != '\0'; /* void */ ) {
        if (*p != '{') {
            fota_buf_u8(out, (uint8_t) *p++);
            continue;
        }

        end = strchr(p, '}');
        (void) snprintf(name, sizeof(name), "%.*s", (int) (end - p - 1),
                        p + 1);
        value = json_string_value(json_object_get(o->path, name));

        if (value == NULL && strcmp(name, "product") == 0) {
            value = o->cli->product;
        }

        if (value == NULL || *value == '\0') {
            return fota_cli_usage("\"fota %s\" wants a %s; see --help",
                                  o->cli->command->name, name);
        }

        fota_cli_escape(out, fota_cstr(value));
        p = end + 1;
    }

    return 0;
}


static void
fota_op_pair(fota_buf_t *out, const char *prefix, const char *key, json_t *v)
{
    fota_buf_t  text;

    fota_buf_grow(&text, FOTA_OP_PATH_MAX);

    if (json_is_boolean(v)) {
        fota_buf_u8(&text, json_is_true(v) ? '1' : '0');

    } else if (json_is_string(v)) {
        fota_buf_put(&text, json_string_value(v), json_string_length(v));

    } else if (!json_is_null(v)) {
        fota_cli_show_value(v, "", &text);
    }

    fota_buf_u8(out, out->len != 0 && memchr(out->start, '?', out->len)
                     != NULL ? '&' : '?');
    fota_buf_cstr(out, prefix);
    fota_cli_escape(out, fota_cstr(key));
    fota_buf_u8(out, '=');
    fota_cli_escape(out, fota_buf_slice(&text));
    fota_buf_free(&text);
}


/* NAME=VALUE pairs stand as "attr.NAME=VALUE". */

static void
fota_op_query(fota_op_t *o, fota_buf_t *out)
{
    char         prefix[64];
    json_t      *v, *inner;
    const char  *key, *name;

    json_object_foreach(o->query, key, v) {
        if (!json_is_object(v)) {
            fota_op_pair(out, "", key, v);
            continue;
        }

        (void) snprintf(prefix, sizeof(prefix), "%s.", key);

        json_object_foreach(v, name, inner) {
            fota_op_pair(out, prefix, name, inner);
        }
    }
}


int
fota_cli_op_request(fota_cli_t *cli, const fota_cli_op_t *op,
    fota_buf_t *path, json_t **body)
{
    int        rc;
    fota_op_t  o;

    memset(&o, 0, sizeof(o));
    o.cli = cli;
    o.op = op;
    o.body = json_object();
    o.query = json_object();
    o.path = json_object();
    o.now_ms = fota_op_now();
    *body = NULL;

    rc = fota_op_arguments(&o);

    if (rc == 0) {
        rc = fota_op_options(&o);
    }

    if (rc == 0) {
        rc = fota_op_path(&o, path);
    }

    if (rc == 0) {
        fota_op_query(&o, path);

        if (json_object_size(o.body) != 0 || (op->flags & FOTA_CLI_BODY)) {
            *body = json_incref(o.body);
        }
    }

    json_decref(o.body);
    json_decref(o.query);
    json_decref(o.path);

    return rc;
}


static int
fota_op_take(void *ctx, json_t *item)
{
    return json_array_append((json_t *) ctx, item);
}


static int
fota_op_list(fota_cli_t *cli, const char *path)
{
    int          rc;
    bool         more;
    json_t      *items;
    uint64_t     limit;
    fota_buf_t   out;

    if (!fota_cli_number(cli, "--limit", FOTA_OP_LIMIT, 1000000, &limit)) {
        return 2;
    }

    if (fota_cli_switch(cli, "--all")) {
        limit = 0;
    }

    items = json_array();
    rc = fota_cli_pages(cli, path, limit, fota_op_take, items, &more);

    if (rc == 0 && cli->json) {
        rc = fota_cli_show_json(items);

    } else if (rc == 0) {
        fota_buf_grow(&out, SIZE_MAX / 2);
        (void) fota_cli_show_table(items, cli->command->ops->columns, &out);
        rc = fota_cli_show_flush(&out);

        if (more && !cli->quiet) {
            (void) fprintf(stderr, "There are more; --all shows them.\n");
        }
    }

    json_decref(items);

    return rc;
}


int
fota_cli_api_show(fota_cli_t *cli, json_t *answer)
{
    fota_buf_t  out;

    if (answer == NULL) {
        return 0;
    }

    if (cli->json || !json_is_object(answer)) {
        return fota_cli_show_json(answer);
    }

    if (cli->quiet) {
        return 0;
    }

    fota_buf_grow(&out, SIZE_MAX / 2);
    (void) fota_cli_show_object(answer, &out);

    return fota_cli_show_flush(&out);
}


int
fota_cli_op_run(fota_cli_t *cli)
{
    int                   rc;
    json_t               *body, *answer;
    fota_buf_t            path;
    const fota_cli_op_t  *op = cli->command->ops;

    fota_buf_grow(&path, FOTA_OP_PATH_MAX);
    rc = fota_cli_op_request(cli, op, &path, &body);

    if (rc == 0 && fota_cli_text(&path) == NULL) {
        rc = fota_cli_usage("the request is too large");
    }

    if (rc == 0 && (op->flags & FOTA_CLI_LIST)) {
        rc = fota_op_list(cli, (const char *) path.start);

    } else if (rc == 0 && (op->flags & FOTA_CLI_RAW)) {
        rc = fota_cli_raw(cli, (const char *) path.start);

    } else if (rc == 0) {
        rc = fota_cli_api(cli, op->method, (const char *) path.start, body,
                          &answer);
        if (rc == 0) {
            rc = fota_cli_api_show(cli, answer);
            json_decref(answer);
        }
    }

    json_decref(body);
    fota_buf_free(&path);

    return rc;
}
