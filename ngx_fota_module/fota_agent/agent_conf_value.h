/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Between agent_conf.c and agent_conf_value.c. */

#ifndef FOTA_AGENT_CONF_VALUE_H
#define FOTA_AGENT_CONF_VALUE_H


#include "agent_conf.h"


#define FOTA_AGENT_VALUE_MAX  1024


typedef struct fota_agent_item_s  fota_agent_item_t;

typedef struct {
    fota_agent_conf_t  *conf;
    const char         *file;
    unsigned            line;
    char               *err;
} fota_agent_parse_t;

typedef int (*fota_agent_set_pt)(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);

struct fota_agent_item_s {
    const char         *name;
    fota_agent_set_pt   set;
    size_t              offset;     /* in fota_agent_conf_t */
    uint64_t            min;
    uint64_t            max;
    unsigned            repeat:1;   /* may be given more than once */
};


/* Ends with an entry without a name. */
extern const fota_agent_item_t  fota_agent_items[];


/* Writes "file:line: ..." and returns FOTA_INVALID. */
int fota_agent_wrong(fota_agent_parse_t *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Is it a string of the configuration, to be freed? */
bool fota_agent_item_owned(const fota_agent_item_t *item);


#endif /* FOTA_AGENT_CONF_VALUE_H */
