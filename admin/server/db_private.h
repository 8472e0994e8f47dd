/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Shared by db.c (libmariadb), db_pool.c (who uses which connection) and
 * db_value.c (arguments and cells).  The last two know no foreign header.
 */

#ifndef FOTA_ADMIN_DB_PRIVATE_H
#define FOTA_ADMIN_DB_PRIVATE_H

#include "db.h"

#define FOTA_DB_CACHE  96               /* prepared statements a connection */


typedef struct {
    union {
        int64_t    i;
        double     d;
    }              num;
    unsigned long  length;
    size_t         cap;
    char          *buf;         /* NULL: a number */
    char           text[32];    /* of a number asked for as text */
    char           null;
    char           error;
    unsigned       number:1;
    unsigned       real:1;
    unsigned       unsign:1;
} fota_db_cell_t;


struct fota_rows_s {
    fota_db_t           *db;
    char                *sql;
    size_t               len;
    void            *stmt;
    unsigned             ncells;
    fota_db_cell_t      *cells;
    struct st_mysql_bind  *binds;
    uint64_t             used;
    unsigned             busy:1;
    unsigned             cached:1;
};


struct fota_db_s {
    struct st_mysql  *mysql;
    fota_db_t        *next;
    fota_rows_t      *cache[FOTA_DB_CACHE];
    size_t            ncache;
    uint64_t          tick;
    int64_t           idle_since;
    uint64_t          last_id;
    uint64_t          affected;
    char              error[256];
    unsigned          in_tx:1;
    unsigned          broken:1;         /* to be closed on return */
    unsigned          locks:1;
};


int fota_db_library(void);

/* NULL when the server cannot be reached. */
fota_db_t *fota_db_connect(const fota_db_conf_t *conf);
void fota_db_close(fota_db_t *db);

/* Looks at the socket; pings when asked to. */
bool fota_db_alive(fota_db_t *db, bool ping);

int fota_db_open_rows(fota_db_t *db, fota_rows_t **out, const char *sql,
    const fota_db_arg_t *args, size_t n, bool stream);

#endif /* FOTA_ADMIN_DB_PRIVATE_H */
