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

#include "cli_conf.h"
#include "cli_http.h"


#define FOTA_CLI_OPTIONS_MAX  32
#define FOTA_CLI_ARGS_MAX     16
#define FOTA_CLI_REPEAT_MAX   64

typedef struct {
    const char  *name;          /* "--filter" */
    const char  *value;         /* word for the help, NULL = a switch */
    const char  *help;
    /*
     * What it becomes in the request of an op, NULL = nothing: a member of
     * the body, or a parameter of the query after "?".  Types behind a colon:
     * none text, n whole number, d number, b on or off (a switch: on), l list
     * of all values, c list split by commas, i such a list of numbers, j
     * JSON, @ JSON or text of a file, t time in s, T in ms, m NAME=VALUE
     * pairs, 0 and N: text and number where "-" means none, S a stage.
     */
    const char  *field;
} fota_cli_option_t;

/* Belongs to no tenant: none is named in the request. */
#define FOTA_CLI_PLATFORM  0x01
/* Answers pages of items; the command has --limit and --all. */
#define FOTA_CLI_LIST      0x02
/* The answer is shown as it is, and is no JSON. */
#define FOTA_CLI_RAW       0x04
/* An empty body is sent as {}. */
#define FOTA_CLI_BODY      0x08

/* One operation of admin/openapi.yaml. */
typedef struct {
    const char  *id;            /* operationId */
    const char  *method;
    const char  *path;          /* "{name}" from the arguments */
    const char  *args;          /* fields of arguments in order, by blanks;
                                   "/name" fills the path, last one with
                                   "..." takes the rest */
    const char  *columns;       /* of a list, see cli_show.h */
    unsigned     flags;
} fota_cli_op_t;

typedef struct fota_cli_s  fota_cli_t;

typedef struct {
    const char               *name;     /* "rollout pause" */
    const char               *args;     /* "ID", "[NAME]" for the help */
    const char               *help;     /* one line */
    const char               *examples; /* lines, each indented by two */
    const fota_cli_option_t  *options;  /* ends with a NULL name; or NULL */
    int                     (*run)(fota_cli_t *cli);
    const fota_cli_op_t      *ops;      /* what it calls, NULL id ends; or
                                           NULL */
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
    const char                *product;     /* FOTA_PRODUCT */
    const char                *signer;      /* FOTA_SIGNER */
    bool                       json;        /* --json */
    bool                       quiet;       /* --quiet */
    fota_cli_tls_t             tls;         /* --ca, --cert, --key */
    fota_cli_http_t           *http;        /* made at the first call */
    fota_cli_conf_t            conf;        /* the user's file */
};

/* Last value of an option of the command, or def. */
const char *fota_cli_option(fota_cli_t *cli, const char *name,
    const char *def);
bool fota_cli_switch(fota_cli_t *cli, const char *name);
/* --product, or the default one; NULL with a message when there is none. */
const char *fota_cli_product(fota_cli_t *cli);
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
