/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli_conf.h"


#define FOTA_CLI_CONF_SIZE  65536


static const char *const  fota_cli_conf_names[] = {
    "centre", "token", "tenant", "edge", "ca", "cert", "key", "product",
    "signer"
};


static char *
fota_cli_conf_trim(char *s)
{
    size_t  n;

    s += strspn(s, " \t\r");
    n = strlen(s);

    while (n != 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'
                      || s[n - 1] == '\r'))
    {
        s[--n] = '\0';
    }

    return s;
}


static bool
fota_cli_conf_known(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(fota_cli_conf_names) / sizeof(char *); i++) {
        if (strcmp(fota_cli_conf_names[i], name) == 0) {
            return true;
        }
    }

    return false;
}


int
fota_cli_conf_parse(fota_cli_conf_t *conf, char *text, size_t *bad)
{
    char    *line, *next, *eq;
    size_t   n;

    conf->n = 0;
    n = 0;

    for (line = text; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }

        *bad = ++n;
        line = fota_cli_conf_trim(line);

        if (*line == '#' || *line == '\0') {
            continue;
        }

        eq = strchr(line, '=');
        if (eq == NULL) {
            return FOTA_INVALID;
        }

        *eq = '\0';
        line = fota_cli_conf_trim(line);

        /* A mistyped name must not be silently without effect. */

        if (!fota_cli_conf_known(line)) {
            return FOTA_INVALID;
        }

        if (conf->n == FOTA_CLI_CONF_MAX) {
            return FOTA_LIMIT;
        }

        conf->lines[conf->n].name = line;
        conf->lines[conf->n++].value = fota_cli_conf_trim(eq + 1);
    }

    *bad = 0;

    return FOTA_OK;
}


static bool
fota_cli_conf_path(char *path, size_t len)
{
    const char  *s;

    s = getenv("FOTA_CONF");
    if (s != NULL && *s != '\0') {
        return (size_t) snprintf(path, len, "%s", s) < len;
    }

    s = getenv("XDG_CONFIG_HOME");
    if (s != NULL && *s != '\0') {
        return (size_t) snprintf(path, len, "%s/fota.conf", s) < len;
    }

    s = getenv("HOME");

    return s != NULL && *s != '\0'
           && (size_t) snprintf(path, len, "%s/.config/fota.conf", s) < len;
}


int
fota_cli_conf_load(fota_cli_conf_t *conf, char *err, size_t errlen)
{
    int          rc;
    char         path[4096];
    FILE        *f;
    size_t       n, bad;
    struct stat  st;

    memset(conf, 0, sizeof(*conf));

    if (!fota_cli_conf_path(path, sizeof(path))) {
        return FOTA_OK;
    }

    f = fopen(path, "re");

    if (f == NULL) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return FOTA_OK;
        }

        (void) snprintf(err, errlen, "%s: %s", path, strerror(errno));
        return FOTA_IO;
    }

    conf->text = malloc(FOTA_CLI_CONF_SIZE + 1);

    if (conf->text == NULL) {
        (void) fclose(f);
        (void) snprintf(err, errlen, "no memory");
        return FOTA_NOMEM;
    }

    n = fread(conf->text, 1, FOTA_CLI_CONF_SIZE + 1, f);
    bad = 0;

    if (n > FOTA_CLI_CONF_SIZE || memchr(conf->text, '\0', n) != NULL) {
        rc = FOTA_LIMIT;

    } else {
        conf->text[n] = '\0';
        rc = fota_cli_conf_parse(conf, conf->text, &bad);
    }

    if (rc != FOTA_OK) {
        (void) snprintf(err, errlen, "%s:%zu: \"NAME = VALUE\" with a known "
                        "name is wanted", path, bad);

    } else if (fota_cli_conf_get(conf, "token") != NULL
               && fstat(fileno(f), &st) == 0 && (st.st_mode & 077) != 0)
    {
        (void) snprintf(err, errlen, "%s: holds a token and is open to "
                        "others; chmod 600 it", path);
        rc = FOTA_INVALID;
    }

    (void) fclose(f);

    return rc;
}


const char *
fota_cli_conf_get(const fota_cli_conf_t *conf, const char *name)
{
    size_t  i;

    for (i = conf->n; i > 0; i--) {
        if (strcmp(conf->lines[i - 1].name, name) == 0) {
            return conf->lines[i - 1].value;
        }
    }

    return NULL;
}


void
fota_cli_conf_free(fota_cli_conf_t *conf)
{
    if (conf->text != NULL) {
        explicit_bzero(conf->text, FOTA_CLI_CONF_SIZE + 1);
        free(conf->text);
    }

    memset(conf, 0, sizeof(*conf));
}
