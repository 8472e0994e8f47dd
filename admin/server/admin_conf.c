/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The configuration file of fota-admin. */


#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"


#define FOTA_CONF_LINE    4096
#define FOTA_CONF_SOCKET  107           /* sun_path without its NUL */


typedef enum {
    FOTA_CONF_TEXT = 0,
    FOTA_CONF_PATH,             /* absolute */
    FOTA_CONF_NUMBER,
    FOTA_CONF_OCTAL,
    FOTA_CONF_SIZE,             /* k, m, g */
    FOTA_CONF_LEVEL
} fota_conf_type_e;

typedef struct {
    const char        *name;
    fota_conf_type_e   type;
    size_t             offset;
    const char        *def;     /* NULL: must be given */
    uint64_t           min;
    uint64_t           max;     /* of numbers; bytes of texts */
} fota_conf_key_t;


#define FOTA_TEXT(m, type, def)                                               \
    { #m, type, offsetof(fota_conf_t, m), def, 0, 1024 }
#define FOTA_NUMBER(m, type, def, min, max)                                   \
    { #m, type, offsetof(fota_conf_t, m), def, min, max }

static const fota_conf_key_t  fota_conf_keys[] = {
    { "listen", FOTA_CONF_PATH, offsetof(fota_conf_t, listen), NULL, 0,
      FOTA_CONF_SOCKET },
    FOTA_NUMBER(socket_mode, FOTA_CONF_OCTAL, "0660", 0600, 0777),
    FOTA_NUMBER(connections, FOTA_CONF_NUMBER, "2048", 8, 16384),
    FOTA_TEXT(data_dir, FOTA_CONF_PATH, NULL),
    FOTA_TEXT(master_key_file, FOTA_CONF_PATH, NULL),
    FOTA_TEXT(db_socket, FOTA_CONF_PATH, ""),
    FOTA_TEXT(db_host, FOTA_CONF_TEXT, ""),
    FOTA_NUMBER(db_port, FOTA_CONF_NUMBER, "3306", 1, 65535),
    FOTA_TEXT(db_user, FOTA_CONF_TEXT, "fota"),
    FOTA_TEXT(db_password_file, FOTA_CONF_PATH, ""),
    FOTA_TEXT(db_name, FOTA_CONF_TEXT, "fota"),
    FOTA_TEXT(db_tls_ca, FOTA_CONF_PATH, ""),
    FOTA_NUMBER(db_connections, FOTA_CONF_NUMBER, "32", 4, 1024),
    FOTA_NUMBER(db_wait_ms, FOTA_CONF_NUMBER, "5000", 10, 60000),
    FOTA_TEXT(log_file, FOTA_CONF_PATH, ""),
    FOTA_TEXT(log_level, FOTA_CONF_LEVEL, "info"),
    FOTA_TEXT(zoneinfo, FOTA_CONF_PATH, "/usr/share/zoneinfo"),
    FOTA_TEXT(geo_db, FOTA_CONF_PATH, ""),
    FOTA_TEXT(geo_asn_db, FOTA_CONF_PATH, ""),
    FOTA_NUMBER(report_days, FOTA_CONF_NUMBER, "90", 1, 3650),
    FOTA_NUMBER(change_log_hours, FOTA_CONF_NUMBER, "168", 1, 8760),
    FOTA_NUMBER(upload_max, FOTA_CONF_SIZE, "64g", 1, UINT64_C(1) << 50),
    FOTA_NUMBER(upload_hours, FOTA_CONF_NUMBER, "72", 1, 8760)
};

#define FOTA_CONF_NKEYS  (sizeof(fota_conf_keys) / sizeof(fota_conf_keys[0]))


static int fota_conf_read(fota_conf_t *conf, FILE *f, bool *seen, char *err,
    size_t errlen);
static int fota_conf_set(fota_conf_t *conf, const fota_conf_key_t *key,
    const char *value, char *text, size_t len);
static int fota_conf_number(const fota_conf_key_t *key, const char *value,
    uint64_t *out, char *text, size_t len);
static int fota_conf_check(fota_conf_t *conf, char *err, size_t errlen);
static int fota_conf_password(fota_conf_t *conf, char *err, size_t errlen);


int
fota_conf_load(fota_conf_t *conf, const char *file, char *err, size_t errlen)
{
    int      rc;
    FILE    *f;
    bool     seen[FOTA_CONF_NKEYS];
    char     text[256];
    size_t   i;

    memset(conf, 0, sizeof(*conf));
    memset(seen, 0, sizeof(seen));

    f = fopen(file, "re");
    if (f == NULL) {
        snprintf(err, errlen, "%s: %s", file, strerror(errno));
        return FOTA_IO;
    }

    conf->file = strdup(file);
    rc = conf->file == NULL ? FOTA_NOMEM
                            : fota_conf_read(conf, f, seen, err, errlen);
    fclose(f);

    for (i = 0; rc == FOTA_OK && i < FOTA_CONF_NKEYS; i++) {
        if (seen[i]) {
            continue;
        }

        if (fota_conf_keys[i].def == NULL) {
            snprintf(err, errlen, "%s: \"%s\" is missing", file,
                     fota_conf_keys[i].name);
            return FOTA_INVALID;
        }

        rc = fota_conf_set(conf, &fota_conf_keys[i], fota_conf_keys[i].def,
                           text, sizeof(text));
    }

    return rc == FOTA_OK ? fota_conf_check(conf, err, errlen) : rc;
}


static int
fota_conf_read(fota_conf_t *conf, FILE *f, bool *seen, char *err,
    size_t errlen)
{
    int       rc;
    char      line[FOTA_CONF_LINE], text[256], *p, *key, *value, *end;
    size_t    i;
    unsigned  n;

    n = 0;

    while (fgets(line, sizeof(line), f) != NULL) {
        n++;

        if (strchr(line, '\n') == NULL && !feof(f)) {
            snprintf(err, errlen, "%s:%u: the line is longer than %d bytes",
                     conf->file, n, FOTA_CONF_LINE - 2);
            return FOTA_LIMIT;
        }

        key = line + strspn(line, " \t\r\n");

        if (*key == '#' || *key == '\0') {
            continue;
        }

        p = strchr(key, '=');

        if (p == NULL) {
            snprintf(err, errlen, "%s:%u: \"key = value\" is wanted",
                     conf->file, n);
            return FOTA_INVALID;
        }

        value = p + 1 + strspn(p + 1, " \t");
        *p = '\0';

        for (end = p; end > key && isspace((unsigned char) end[-1]); end--) {
            end[-1] = '\0';
        }

        end = value + strlen(value);

        while (end > value && isspace((unsigned char) end[-1])) {
            *--end = '\0';
        }

        for (i = 0; i < FOTA_CONF_NKEYS; i++) {
            if (strcmp(fota_conf_keys[i].name, key) == 0) {
                break;
            }
        }

        if (i == FOTA_CONF_NKEYS) {
            snprintf(err, errlen, "%s:%u: unknown key \"%.64s\"", conf->file,
                     n, key);
            return FOTA_INVALID;
        }

        if (seen[i]) {
            snprintf(err, errlen, "%s:%u: \"%s\" is given twice", conf->file,
                     n, key);
            return FOTA_INVALID;
        }

        seen[i] = true;

        rc = fota_conf_set(conf, &fota_conf_keys[i], value, text,
                           sizeof(text));
        if (rc != FOTA_OK) {
            snprintf(err, errlen, "%s:%u: \"%s\" %s", conf->file, n, key,
                     text);
            return rc;
        }
    }

    return FOTA_OK;
}


static int
fota_conf_set(fota_conf_t *conf, const fota_conf_key_t *key,
    const char *value, char *text, size_t len)
{
    char      **s;
    uint64_t   *v;

    if (key->type == FOTA_CONF_NUMBER || key->type == FOTA_CONF_OCTAL
        || key->type == FOTA_CONF_SIZE)
    {
        v = (uint64_t *) ((char *) conf + key->offset);
        return fota_conf_number(key, value, v, text, len);
    }

    if (strlen(value) > key->max) {
        snprintf(text, len, "is longer than %llu bytes",
                 (unsigned long long) key->max);
        return FOTA_LIMIT;
    }

    if (key->def == NULL && value[0] == '\0') {
        snprintf(text, len, "must not be empty");
        return FOTA_INVALID;
    }

    if (key->type == FOTA_CONF_PATH && value[0] != '\0' && value[0] != '/') {
        snprintf(text, len, "must be an absolute path");
        return FOTA_INVALID;
    }

    if (key->type == FOTA_CONF_LEVEL && fota_log_level_parse(value) < 0) {
        snprintf(text, len, "is one of error, warn, info, debug");
        return FOTA_INVALID;
    }

    s = (char **) (void *) ((char *) conf + key->offset);
    free(*s);
    *s = strdup(value);

    return *s != NULL ? FOTA_OK : FOTA_NOMEM;
}


static int
fota_conf_number(const fota_conf_key_t *key, const char *value,
    uint64_t *out, char *text, size_t len)
{
    char                *end;
    unsigned             shift;
    unsigned long long   v;

    errno = 0;
    v = isdigit((unsigned char) value[0])
        ? strtoull(value, &end, key->type == FOTA_CONF_OCTAL ? 8 : 10) : 0;

    if (!isdigit((unsigned char) value[0]) || errno != 0) {
        snprintf(text, len, "is not a number");
        return FOTA_INVALID;
    }

    shift = 0;

    if (key->type == FOTA_CONF_SIZE && *end != '\0') {
        switch (*end) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
        }

        if (shift != 0) {
            end++;
        }
    }

    if (*end != '\0') {
        snprintf(text, len, "is not a number%s",
                 key->type == FOTA_CONF_SIZE ? " with k, m or g" : "");
        return FOTA_INVALID;
    }

    if (v > UINT64_MAX >> shift || v << shift < key->min
        || v << shift > key->max)
    {
        snprintf(text, len, key->type == FOTA_CONF_OCTAL
                            ? "must be between %llo and %llo"
                            : "must be between %llu and %llu",
                 (unsigned long long) key->min,
                 (unsigned long long) key->max);
        return FOTA_LIMIT;
    }

    *out = v << shift;

    return FOTA_OK;
}


static int
fota_conf_check(fota_conf_t *conf, char *err, size_t errlen)
{
    if ((conf->db_socket[0] == '\0') == (conf->db_host[0] == '\0')) {
        snprintf(err, errlen, "%s: one of \"db_socket\" and \"db_host\" "
                 "is needed", conf->file);
        return FOTA_INVALID;
    }

    return fota_conf_password(conf, err, errlen);
}


static int
fota_conf_password(fota_conf_t *conf, char *err, size_t errlen)
{
    FILE    *f;
    char     line[512];

    if (conf->db_password_file[0] == '\0') {
        return FOTA_OK;
    }

    f = fopen(conf->db_password_file, "re");
    if (f == NULL) {
        snprintf(err, errlen, "%s: db_password_file \"%s\": %s", conf->file,
                 conf->db_password_file, strerror(errno));
        return FOTA_IO;
    }

    if (fgets(line, sizeof(line), f) == NULL) {
        line[0] = '\0';
    }

    fclose(f);

    line[strcspn(line, "\r\n")] = '\0';
    conf->db_password = strdup(line);
    explicit_bzero(line, sizeof(line));

    return conf->db_password != NULL ? FOTA_OK : FOTA_NOMEM;
}


void
fota_conf_free(fota_conf_t *conf)
{
    size_t   i;
    char   **s;

    for (i = 0; i < FOTA_CONF_NKEYS; i++) {
        if (fota_conf_keys[i].type == FOTA_CONF_TEXT
            || fota_conf_keys[i].type == FOTA_CONF_PATH
            || fota_conf_keys[i].type == FOTA_CONF_LEVEL)
        {
            s = (char **) (void *) ((char *) conf + fota_conf_keys[i].offset);
            free(*s);
            *s = NULL;
        }
    }

    if (conf->db_password != NULL) {
        explicit_bzero(conf->db_password, strlen(conf->db_password));
    }

    free(conf->db_password);
    free(conf->file);
    conf->db_password = NULL;
    conf->file = NULL;
}


void
fota_conf_db(const fota_conf_t *conf, fota_db_conf_t *out)
{
    memset(out, 0, sizeof(*out));

    if (conf->db_socket[0] != '\0') {
        out->socket = conf->db_socket;
    } else {
        out->host = conf->db_host;
        out->port = (unsigned) conf->db_port;

        if (conf->db_tls_ca[0] != '\0') {
            out->tls_ca = conf->db_tls_ca;
        }
    }

    out->user = conf->db_user;
    out->password = conf->db_password;
    out->database = conf->db_name;
    out->size = (unsigned) conf->db_connections;
    out->wait_ms = (unsigned) conf->db_wait_ms;
}
