/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Between fota_store.c, which knows files and who has what open, and
 * fota_store_lmdb.c, which knows LMDB.  For these two alone.
 */

#ifndef FOTA_STORE_LINK_H
#define FOTA_STORE_LINK_H


#include <sys/types.h>

#include "fota_store.h"


#define FOTA_STORE_FILE_MODE  0660


typedef struct fota_store_link_s  fota_store_link_t;

/* First member of a store. */

struct fota_store_link_s {
    fota_store_link_t  *next;
    uint32_t            refs;
    uint32_t            forks;      /* of the process that opened it */
    dev_t               dev;
    ino_t               data;       /* inode of data.mdb */
    ino_t               lock;       /* inode of lock.mdb */
    unsigned            readonly:1;
};


/*
 * How many fork()s lie between the first process and this one: tells a child
 * from its parent without a system call for every request.
 */
extern uint32_t  fota_store_forks;

int fota_store_env_open(fota_store_t **st, const char *dir,
    const fota_store_opt_t *opt, const char **reason);
void fota_store_env_close(fota_store_t *st);


#endif /* FOTA_STORE_LINK_H */
