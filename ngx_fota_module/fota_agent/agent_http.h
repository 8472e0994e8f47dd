/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Requests to the centre.  The only door to libcurl.  One object a thread:
 * it keeps its connection.
 */

#ifndef FOTA_AGENT_HTTP_H
#define FOTA_AGENT_HTTP_H


#include "agent.h"


#define FOTA_AGENT_HTTP_ERR  256


typedef struct fota_agent_http_s  fota_agent_http_t;
typedef struct fota_agent_res_s   fota_agent_res_t;

/*
 * Takes bytes of a 200 or 206 as they come; other than FOTA_OK ends the
 * transfer and is its result.
 */
typedef int (*fota_agent_sink_pt)(void *ctx, const fota_agent_res_t *res,
    const void *data, size_t n);

typedef struct {
    const char          *path;          /* below the centre's URL */
    const char          *url;           /* or a whole URL, no certificate */
    const char          *type;          /* of body */
    const char          *idempotency;   /* key, or NULL */
    const fota_str_t    *body;          /* NULL = GET */
    uint64_t             from;          /* first byte wanted, 0 = all */
    unsigned             timeout;       /* s in all, 0 = while bytes flow */
    size_t               max;           /* bytes of an answer in memory */
    fota_agent_sink_pt   sink;          /* NULL = into res->body */
    void                *ctx;
} fota_agent_req_t;

struct fota_agent_res_s {
    long        status;
    uint64_t    from;                   /* of a 206; 0 else */
    uint64_t    retry_after;            /* s, 0 = not said */
    uint64_t    epoch;                  /* of Fota-Epoch, 0 = not said */
    uint64_t    head;                   /* of Fota-Head */
    uint64_t    time;                   /* of Fota-Time, ms */
    fota_buf_t  body;
    char        error[FOTA_AGENT_HTTP_ERR];
};


/* Once, before any thread.  FOTA_ERROR. */
int fota_agent_http_init(void);

fota_agent_http_t *fota_agent_http_new(fota_agent_t *agent);
void fota_agent_http_free(fota_agent_http_t *h);

/*
 * FOTA_OK when there was an answer, whatever its status; FOTA_IO with
 * res->error; FOTA_BUSY when the agent stops; FOTA_LIMIT for an answer that
 * is too long; or what the sink said.  res is freed by the caller.
 */
int fota_agent_http(fota_agent_http_t *h, const fota_agent_req_t *req,
    fota_agent_res_t *res);

void fota_agent_res_free(fota_agent_res_t *res);

/* "503: text of the problem document's title" for messages. */
const char *fota_agent_res_text(fota_agent_res_t *res);


#endif /* FOTA_AGENT_HTTP_H */
