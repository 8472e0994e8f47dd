/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Calls of the centre's API, and commands that are one call each. */

#ifndef FOTA_CLI_API_H
#define FOTA_CLI_API_H


#include "cli.h"


/*
 * One request with token and tenant.  path begins with "/api" and may have a
 * query; body is borrowed, NULL for none.  0 with the answer in *out (NULL
 * when it was empty); 1 when it failed, and why is on stderr.
 */
int fota_cli_api(fota_cli_t *cli, const char *method, const char *path,
    json_t *body, json_t **out);

/*
 * The same for whoever looks at the status: 0 with a reply for
 * fota_cli_reply_done(), or 1 or 2 with a message and none.  A path that did
 * not fit, NULL, is 1.
 */
int fota_cli_api_call(fota_cli_t *cli, const char *method, const char *path,
    json_t *body, fota_cli_reply_t *reply);

/* Without a message: status of the answer, 0 when there was none. */
long fota_cli_api_try(fota_cli_t *cli, const fota_cli_call_t *call,
    fota_cli_reply_t *reply);

/* An answer as the user wants it: JSON, or for people; 0 or 1. */
int fota_cli_api_show(fota_cli_t *cli, json_t *answer);

/* Prints what a failed reply says, "fota: FIELD: detail"; returns 1. */
int fota_cli_api_error(const fota_cli_reply_t *reply);

/* What tables of commands are written with. */

#define FOTA_CLI_OPTIONS_END  { NULL, NULL, NULL, NULL }
#define FOTA_CLI_OPS_END      { NULL, NULL, NULL, NULL, NULL, 0 }

#define FOTA_CLI_PAGING                                                      \
    { "--limit", "N", "at most that many (default 100)", NULL },             \
    { "--all", NULL, "every one of them", NULL }

#define FOTA_CLI_IN_PRODUCT                                                  \
    { "--product", "NAME", "product (FOTA_PRODUCT)", "/product" }

#define FOTA_CLI_OF_PLATFORM                                                 \
    { "--platform", NULL, "of the platform, whatever FOTA_TENANT says", NULL }

/* Options of a list, and of what is written to a file, when it has no other. */
extern const fota_cli_option_t  fota_cli_paging[];
extern const fota_cli_option_t  fota_cli_output[];

/* Last two members of a command that is one operation. */
#define FOTA_CLI_OP(...)                                                     \
    fota_cli_op_run,                                                         \
    (const fota_cli_op_t[]) { { __VA_ARGS__ }, FOTA_CLI_OPS_END }

/* Where the centre is, or a message and false. */
bool fota_cli_api_ready(fota_cli_t *cli);

/* Appends base, path (NULL: one that did not fit) and the tenant's query. */
void fota_cli_api_url(fota_cli_t *cli, const char *path, bool tenant,
    fota_buf_t *out);

/* Text of a buffer, NUL-terminated; NULL when it overflowed. */
const char *fota_cli_text(fota_buf_t *b);

/*
 * What is no JSON, as it comes: to stdout, or to the file of --output, which
 * is there only when all of it came.
 */
int fota_cli_raw(fota_cli_t *cli, const char *path);

/* The command's run() when all there is to it stands in its op. */
int fota_cli_op_run(fota_cli_t *cli);

/*
 * A page after another; each item is given to take(), borrowed.  limit 0: all
 * of them.  *more tells whether there was more.
 */
int fota_cli_pages(fota_cli_t *cli, const char *path, uint64_t limit,
    int (*take)(void *ctx, json_t *item), void *ctx, bool *more);

/*
 * Body and query of the options and arguments of the command, by op; 0 or 2.
 * Rest of the arguments than what args of op names is an error.
 */
int fota_cli_op_request(fota_cli_t *cli, const fota_cli_op_t *op,
    fota_buf_t *path, json_t **body);


#endif /* FOTA_CLI_API_H */
