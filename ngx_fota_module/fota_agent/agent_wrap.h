/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Wrapping keys: what opens the secrets of KEY records.  Used by the sync
 * thread alone.
 */

#ifndef FOTA_AGENT_WRAP_H
#define FOTA_AGENT_WRAP_H


#include "agent_http.h"


/* file: where they are kept between starts, mode 0600. */
fota_agent_wrap_t *fota_agent_wrap_new(const char *file);
void fota_agent_wrap_free(fota_agent_wrap_t *w);

/* The answer of /sync/v1/keys.  FOTA_INVALID leaves the keys as they were. */
int fota_agent_wrap_parse(fota_agent_wrap_t *w, fota_str_t json);

/* From the file.  FOTA_NOTFOUND at the first start. */
int fota_agent_wrap_load(fota_agent_wrap_t *w);

/* From the centre, and into the file.  *changed: other keys than before. */
int fota_agent_wrap_fetch(fota_agent_wrap_t *w, fota_agent_http_t *http,
    fota_agent_res_t *res, bool *changed);

/*
 * A KEY record as it is to be stored: opened when it can be.  out is empty
 * when value is to be stored as it is.  *unknown: it names a scope whose key
 * we have not, or none of them opens it.
 */
int fota_agent_wrap_open(const fota_agent_wrap_t *w, fota_str_t key,
    fota_str_t value, fota_buf_t *out, bool *unknown);


#endif /* FOTA_AGENT_WRAP_H */
