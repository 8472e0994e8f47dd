/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Everything one fota-admin process holds. */

#ifndef FOTA_ADMIN_SERVER_H
#define FOTA_ADMIN_SERVER_H

#include <stdatomic.h>

#include "admin_log.h"
#include "db.h"
#include "http.h"

/*
 * The configuration file: "key = value" lines, "#" comments.  Names of the
 * keys are those of the members.
 */
typedef struct {
    char      *listen;          /* unix socket that nginx talks to */
    uint64_t   socket_mode;     /* octal, 0660 */
    uint64_t   connections;     /* threads at most, long polls included */
    char      *data_dir;        /* objects/, uploads/, snapshots/ below it */
    char      *master_key_file; /* 32 bytes or 64 hex digits, mode 0600 */
    char      *db_socket;       /* or db_host and db_port */
    char      *db_host;
    uint64_t   db_port;
    char      *db_user;
    char      *db_password_file;
    char      *db_name;
    char      *db_tls_ca;       /* with db_host: TLS, checked against it */
    uint64_t   db_connections;
    uint64_t   db_wait_ms;
    char      *log_file;        /* empty: standard error */
    char      *log_level;
    char      *zoneinfo;        /* directory of tzdata */
    char      *geo_db;          /* for explain and plan; may be empty */
    char      *geo_asn_db;
    uint64_t   report_days;     /* report events are kept */
    uint64_t   change_log_hours;        /* then edges load a snapshot */
    uint64_t   upload_max;      /* bytes of one upload */
    uint64_t   upload_hours;    /* an idle upload is removed after */
    char      *db_password;     /* read from db_password_file */
    char      *file;            /* this file's name */
} fota_conf_t;

/*
 * Reads and checks a file.  On failure err holds "FILE:LINE: text" and the
 * conf must still be freed.
 */
int fota_conf_load(fota_conf_t *conf, const char *file, char *err,
    size_t errlen);
void fota_conf_free(fota_conf_t *conf);
void fota_conf_db(const fota_conf_t *conf, fota_db_conf_t *out);

struct fota_server_s {
    fota_conf_t      conf;
    fota_db_pool_t  *db;
    uint8_t          master[32];        /* seals secrets in the database */
    atomic_bool      stop;      /* long polls and jobs end soon after */
    void            *http;      /* http.c's own */
    void            *jobs;      /* jobs.c's own */
    int64_t          started;   /* ms since 1970 */
};

/* Milliseconds since 1970. */
int64_t fota_now_ms(void);

/* "DATA_DIR/objects/<64 hex>"; out holds 4096 bytes. */
void fota_object_path(const fota_server_t *server, const uint8_t sha256[32],
    char *out);

#endif /* FOTA_ADMIN_SERVER_H */
