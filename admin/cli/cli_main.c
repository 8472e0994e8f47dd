/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "cli_table.h"
#include "fota_release.h"


static const fota_cli_option_t  fota_cli_common[] = {
    { "--centre", "URL", "the centre (FOTA_CENTRE)", NULL },
    { "--token", "TOKEN", "API token (FOTA_TOKEN)", NULL },
    { "--tenant", "NAME", "tenant to act in (FOTA_TENANT)", NULL },
    { "--edge", "URL", "an edge, for device commands (FOTA_EDGE)", NULL },
    { "--ca", "FILE", "CA certificates to trust (FOTA_CA)", NULL },
    { "--cert", "FILE", "client certificate (FOTA_CERT)", NULL },
    { "--key", "FILE", "its key (FOTA_KEY)", NULL },
    { "--json", NULL, "print JSON", NULL },
    { "--quiet", NULL, "print results only", NULL },
    { "--help", NULL, "this text", NULL },
    { NULL, NULL, NULL, NULL }
};


int
fota_cli_usage(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fota_cli_say("fota", fmt, args);
    va_end(args);

    return 2;
}


int
fota_cli_fail(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fota_cli_say("fota", fmt, args);
    va_end(args);

    return 1;
}


const char *
fota_cli_option(fota_cli_t *cli, const char *name, const char *def)
{
    size_t  i;

    for (i = cli->nvalues; i > 0; i--) {
        if (strcmp(cli->names[i - 1], name) == 0) {
            return cli->values[i - 1];
        }
    }

    return def;
}


bool
fota_cli_switch(fota_cli_t *cli, const char *name)
{
    return fota_cli_option(cli, name, NULL) != NULL;
}


const char *
fota_cli_repeated(fota_cli_t *cli, const char *name, size_t n)
{
    size_t  i;

    for (i = 0; i < cli->nvalues; i++) {
        if (strcmp(cli->names[i], name) == 0 && n-- == 0) {
            return cli->values[i];
        }
    }

    return NULL;
}


bool
fota_cli_number(fota_cli_t *cli, const char *name, uint64_t def, uint64_t max,
    uint64_t *out)
{
    const char  *s;

    *out = def;
    s = fota_cli_option(cli, name, NULL);

    if (s != NULL && fota_str_u64(fota_cstr(s), max, out) != FOTA_OK) {
        (void) fota_cli_usage("%s wants a whole number up to %llu", name,
                              (unsigned long long) max);
        return false;
    }

    return true;
}


const char *
fota_cli_product(fota_cli_t *cli)
{
    const char  *s;

    s = fota_cli_option(cli, "--product", cli->product);

    if (s == NULL) {
        (void) fota_cli_usage("\"fota %s\" wants --product or FOTA_PRODUCT",
                              cli->command->name);
    }

    return s;
}


/* For scripts and the test that holds commands to the API's contract. */

static int
fota_cli_operations(void)
{
    size_t                     i, k;
    const fota_cli_op_t       *op;
    const fota_cli_command_t  *c;

    for (i = 0; i < fota_cli_nsets; i++) {
        for (k = 0; k < fota_cli_sets[i].n; k++) {
            c = &fota_cli_sets[i].commands[k];

            for (op = c->ops; op != NULL && op->id != NULL; op++) {
                (void) printf("%s %s %s\t%s\n", op->id, op->method, op->path,
                              c->name);
            }
        }
    }

    return 0;
}


static void
fota_cli_list(const char *prefix)
{
    char                       line[160];
    size_t                     i, k, n;
    const fota_cli_command_t  *c;

    n = strlen(prefix);
    (void) printf("Usage: fota COMMAND [ARGUMENTS] [OPTIONS]\n\n");

    for (i = 0; i < fota_cli_nsets; i++) {
        for (k = 0; k < fota_cli_sets[i].n; k++) {
            c = &fota_cli_sets[i].commands[k];

            if (strncmp(c->name, prefix, n) == 0) {
                (void) snprintf(line, sizeof(line), "%s %s", c->name,
                                c->args != NULL ? c->args : "");
                (void) printf("  %-38s %s\n", line, c->help);
            }
        }
    }

    (void) printf("\n\"fota COMMAND --help\" shows options and examples.\n");
}


/* Does a command begin with this word, or part of one? */

static bool
fota_cli_begins(const char *prefix)
{
    size_t  i, k, n;

    n = strlen(prefix);

    for (i = 0; i < fota_cli_nsets; i++) {
        for (k = 0; k < fota_cli_sets[i].n; k++) {
            if (strncmp(fota_cli_sets[i].commands[k].name, prefix, n) == 0) {
                return true;
            }
        }
    }

    return false;
}


static void
fota_cli_options(const fota_cli_option_t *o)
{
    char  left[64];

    for ( /* void */ ; o != NULL && o->name != NULL; o++) {
        (void) snprintf(left, sizeof(left), "%s %s", o->name,
                        o->value != NULL ? o->value : "");
        (void) printf("  %-26s %s\n", left, o->help);
    }
}


static void
fota_cli_help(const fota_cli_command_t *c)
{
    (void) printf("Usage: fota %s %s [OPTIONS]\n\n%s\n", c->name,
                  c->args != NULL ? c->args : "", c->help);

    if (c->options != NULL) {
        (void) printf("\nOptions:\n");
        fota_cli_options(c->options);
    }

    (void) printf("\nCommon options:\n");
    fota_cli_options(fota_cli_common);

    if (c->examples != NULL) {
        (void) printf("\nExamples:\n%s\n", c->examples);
    }
}


/* Longest command whose words the arguments begin with. */

static const fota_cli_command_t *
fota_cli_find(int argc, char **argv, int *used)
{
    char                       words[128];
    int                        n;
    size_t                     i, k;
    const fota_cli_command_t  *c;

    for (n = argc < 3 ? argc : 3; n > 0; n--) {
        words[0] = '\0';

        for (i = 0; i < (size_t) n; i++) {
            (void) snprintf(words + strlen(words),
                            sizeof(words) - strlen(words), "%s%s",
                            i != 0 ? " " : "", argv[i]);
        }

        for (i = 0; i < fota_cli_nsets; i++) {
            for (k = 0; k < fota_cli_sets[i].n; k++) {
                c = &fota_cli_sets[i].commands[k];

                if (strcmp(c->name, words) == 0) {
                    *used = n;
                    return c;
                }
            }
        }
    }

    return NULL;
}


static const fota_cli_option_t *
fota_cli_known(const fota_cli_option_t *o, const char *name, size_t len)
{
    for ( /* void */ ; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
            return o;
        }
    }

    return NULL;
}


static int
fota_cli_parse(fota_cli_t *cli, int argc, char **argv)
{
    int                       i;
    size_t                    len;
    const char               *a, *value;
    const fota_cli_option_t  *o;

    for (i = 0; i < argc; i++) {
        a = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i];

        if (strncmp(a, "--", 2) != 0) {
            if (cli->nargs == FOTA_CLI_ARGS_MAX) {
                return fota_cli_usage("too many arguments");
            }

            cli->args[cli->nargs++] = a;
            continue;
        }

        value = strchr(a, '=');
        len = (value != NULL) ? (size_t) (value - a) : strlen(a);

        o = fota_cli_known(cli->command->options, a, len);
        if (o == NULL) {
            o = fota_cli_known(fota_cli_common, a, len);
        }

        if (o == NULL) {
            return fota_cli_usage("unknown option \"%.*s\"; see \"fota %s "
                                  "--help\"", (int) len, a,
                                  cli->command->name);
        }

        if (o->value == NULL) {
            if (value != NULL) {
                return fota_cli_usage("option \"%s\" takes no value", o->name);
            }

            value = "1";

        } else if (value != NULL) {
            value++;

        } else if (++i < argc) {
            value = argv[i];

        } else {
            return fota_cli_usage("option \"%s\" wants %s", o->name, o->value);
        }

        if (cli->nvalues == FOTA_CLI_REPEAT_MAX) {
            return fota_cli_usage("too many options");
        }

        cli->names[cli->nvalues] = o->name;
        cli->values[cli->nvalues++] = value;
    }

    return 0;
}


static const char *
fota_cli_setting(fota_cli_t *cli, const char *name)
{
    char         option[32], variable[32];
    size_t       i;
    const char  *v;

    (void) snprintf(option, sizeof(option), "--%s", name);
    v = fota_cli_option(cli, option, NULL);

    if (v == NULL) {
        (void) snprintf(variable, sizeof(variable), "FOTA_%s", name);

        for (i = 5; variable[i] != '\0'; i++) {
            variable[i] = (char) (variable[i] - 'a' + 'A');
        }

        v = getenv(variable);
    }

    if (v == NULL) {
        v = fota_cli_conf_get(&cli->conf, name);
    }

    return v != NULL && *v != '\0' ? v : NULL;
}


static int
fota_cli_settings(fota_cli_t *cli)
{
    char  err[4200];

    if (fota_cli_conf_load(&cli->conf, err, sizeof(err)) != FOTA_OK) {
        return fota_cli_usage("%s", err);
    }

    cli->centre = fota_cli_setting(cli, "centre");
    cli->token = fota_cli_setting(cli, "token");
    cli->tenant = fota_cli_setting(cli, "tenant");
    cli->edge = fota_cli_setting(cli, "edge");
    cli->product = fota_cli_setting(cli, "product");
    cli->signer = fota_cli_setting(cli, "signer");
    cli->tls.ca = fota_cli_setting(cli, "ca");
    cli->tls.cert = fota_cli_setting(cli, "cert");
    cli->tls.key = fota_cli_setting(cli, "key");
    cli->json = fota_cli_switch(cli, "--json");
    cli->quiet = fota_cli_switch(cli, "--quiet");

    return 0;
}


/* "fota help", "fota help rollout", "fota help rollout create". */

static int
fota_cli_help_of(int argc, char **argv)
{
    int                        used;
    const fota_cli_command_t  *c;

    if (argc > 0 && strcmp(argv[0], "--operations") == 0) {
        return fota_cli_operations();
    }

    c = fota_cli_find(argc, argv, &used);

    if (c != NULL) {
        fota_cli_help(c);

    } else if (argc > 0 && !fota_cli_begins(argv[0])) {
        return fota_cli_usage("no command \"%s\"; see \"fota --help\"",
                              argv[0]);

    } else {
        fota_cli_list(argc > 0 ? argv[0] : "");
    }

    return 0;
}


/* What was printed into a full disk was not printed. */

static int
fota_cli_end(int rc)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0) {
        rc = fota_cli_fail("the output cannot be written");
    }

    return rc;
}


int
main(int argc, char **argv)
{
    int         rc, used;
    fota_cli_t  cli;

    memset(&cli, 0, sizeof(cli));

    if (argc < 2) {
        fota_cli_list("");
        return 2;
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
        || strcmp(argv[1], "help") == 0)
    {
        return fota_cli_end(fota_cli_help_of(argc - 2, argv + 2));
    }

    if (strcmp(argv[1], "--version") == 0) {
        (void) puts("fota " FOTA_RELEASE);
        return fota_cli_end(0);
    }

    cli.command = fota_cli_find(argc - 1, argv + 1, &used);
    if (cli.command == NULL) {
        if (fota_cli_begins(argv[1])
            && (argc == 2 || strcmp(argv[2], "--help") == 0))
        {
            fota_cli_list(argv[1]);
        }

        return fota_cli_usage("no command \"%s%s%s\"; see \"fota --help\"",
                              argv[1], argc > 2 ? " " : "",
                              argc > 2 ? argv[2] : "");
    }

    rc = fota_cli_parse(&cli, argc - 1 - used, argv + 1 + used);
    if (rc != 0) {
        return rc;
    }

    if (fota_cli_switch(&cli, "--help")) {
        fota_cli_help(cli.command);
        return fota_cli_end(0);
    }

    rc = fota_cli_settings(&cli);

    if (rc == 0) {
        rc = cli.command->run(&cli);
    }

    fota_cli_http_free(cli.http);
    fota_cli_conf_free(&cli.conf);

    return fota_cli_end(rc);
}
