/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The fota command: a table of commands, options declared per command,
 * settings from options, the environment or a file.
 */

#ifndef FOTA_CLI_H
#define FOTA_CLI_H


#include <jansson.h>

#include "cli_http.h"


#define FOTA_CLI_OPTIONS_MAX  32
#define FOTA_CLI_ARGS_MAX     16
#define FOTA_CLI_REPEAT_MAX   64

typedef struct {
    const char  *name;          /* "--filter" */
    const char  *value;         /* word for the help, NULL = a switch */
    const char  *help;
} fota_cli_option_t;

typedef struct fota_cli_s  fota_cli_t;

typedef struct {
    const char               *name;     /* "rollout pause" */
    const char               *args;     /* "ID", "[NAME]" for the help */
    const char               *help;     /* one line */
    const char               *examples; /* lines, each indented by two */
    const fota_cli_option_t  *options;  /* ends with a NULL name; or NULL */
    int                     (*run)(fota_cli_t *cli);
} fota_cli_command_t;

typedef struct {
    const fota_cli_command_t  *commands;
    size_t                     n;
} fota_cli_set_t;

extern const fota_cli_set_t  fota_cli_sets[];
extern const size_t          fota_cli_nsets;

struct fota_cli_s {
    const fota_cli_command_t  *command;
    const char                *args[FOTA_CLI_ARGS_MAX];
    size_t                     nargs;
    const char                *names[FOTA_CLI_REPEAT_MAX];
    const char                *values[FOTA_CLI_REPEAT_MAX];
    size_t                     nvalues;

    /* Settings, see fota_cli_settings(). */
    const char                *centre;      /* --centre, FOTA_CENTRE */
    const char                *token;       /* --token, FOTA_TOKEN */
    const char                *tenant;      /* --tenant, FOTA_TENANT */
    const char                *edge;        /* --edge, FOTA_EDGE */
    bool                       json;        /* --json */
    bool                       quiet;       /* --quiet */
    fota_cli_tls_t             tls;         /* --ca, --cert, --key */
    fota_cli_http_t           *http;        /* made at the first call */
};

/* Last value of an option of the command, or def. */
const char *fota_cli_option(fota_cli_t *cli, const char *name,
    const char *def);
bool fota_cli_switch(fota_cli_t *cli, const char *name);
/* The i-th value of a repeated option, NULL after the last. */
const char *fota_cli_repeated(fota_cli_t *cli, const char *name, size_t i);
/* A whole number; false with a message when it is none or above max. */
bool fota_cli_number(fota_cli_t *cli, const char *name, uint64_t def,
    uint64_t max, uint64_t *out);

/* Prints "fota: ..." to stderr; returns 2, the status for bad usage. */
int fota_cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Likewise; returns 1. */
int fota_cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));


#endif /* FOTA_CLI_H */
