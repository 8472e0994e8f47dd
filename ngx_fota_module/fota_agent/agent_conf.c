/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "agent_conf_value.h"
#include "agent_file.h"
#include "agent_log.h"
#include "fota_store.h"


#define FOTA_AGENT_CONF_MAX  65536


static int fota_agent_conf_line(fota_agent_parse_t *p, fota_str_t line,
    uint32_t *seen);
static int fota_agent_conf_finish(fota_agent_parse_t *p);


static int
fota_agent_conf_line(fota_agent_parse_t *p, fota_str_t line, uint32_t *seen)
{
    char         name[64], value[FOTA_AGENT_VALUE_MAX];
    size_t       i;
    const char  *eq;
    fota_str_t   n, v;

    eq = memchr(line.data, '=', line.len);

    if (eq == NULL) {
        return fota_agent_wrong(p, "expected \"key = value\"");
    }

    n = fota_slice(line.data, (size_t) ((const uint8_t *) eq - line.data));
    v = fota_slice(eq + 1, line.len - n.len - 1);

    while (n.len != 0 && n.data[n.len - 1] <= ' ') {
        n.len--;
    }

    while (v.len != 0 && v.data[0] <= ' ') {
        v.data++;
        v.len--;
    }

    if (n.len == 0 || n.len >= sizeof(name)
        || memchr(line.data, '\0', line.len) != NULL)
    {
        return fota_agent_wrong(p, "expected \"key = value\"");
    }

    memcpy(name, n.data, n.len);
    name[n.len] = '\0';

    if (v.len == 0) {
        return fota_agent_wrong(p, "\"%s\" has no value", name);
    }

    if (v.len >= sizeof(value)) {
        return fota_agent_wrong(p, "\"%s\" is longer than %zu bytes", name,
                                sizeof(value) - 1);
    }

    memcpy(value, v.data, v.len);
    value[v.len] = '\0';

    for (i = 0; fota_agent_items[i].name != NULL; i++) {
        if (strcmp(name, fota_agent_items[i].name) != 0) {
            continue;
        }

        if ((*seen & (1u << i))
            && !fota_agent_items[i].repeat)
        {
            return fota_agent_wrong(p, "\"%s\" is given twice", name);
        }

        *seen |= 1u << i;

        return fota_agent_items[i].set(p, &fota_agent_items[i], value);
    }

    return fota_agent_wrong(p, "unknown key \"%s\"", name);
}


/* What was not given: defaults, or the name of what must be. */

static int
fota_agent_conf_finish(fota_agent_parse_t *p)
{
    char                dir[PATH_MAX], *slash;
    size_t              i;
    fota_agent_conf_t  *c;

    c = p->conf;
    p->line = 0;

    const struct {
        const char  *name;
        const void  *value;
    } needed[] = {
        { "node", c->node },
        { "centre", c->centre },
        { "ca", c->ca },
        { "cert", c->cert },
        { "key", c->key },
        { "policy_dir", c->policy_dir },
        { "store_dir", c->store_dir },
        { "spool_dir", c->spool_dir },
        { "sync_key", (c->nkeys == 0) ? NULL : c->keys }
    };

    for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (needed[i].value == NULL) {
            return fota_agent_wrong(p, "\"%s\" is missing", needed[i].name);
        }
    }

    if (c->log == NULL) {
        c->log = strdup("stderr");

        if (c->log == NULL) {
            return FOTA_NOMEM;
        }
    }

    /* Beside the policy, where nginx does not look. */

    if (c->state_dir == NULL) {
        (void) snprintf(dir, sizeof(dir) - 8, "%s", c->policy_dir);

        for (i = strlen(dir); i > 1 && dir[i - 1] == '/'; i--) {
            dir[i - 1] = '\0';
        }

        slash = strrchr(dir, '/');
        memcpy(slash, "/state", sizeof("/state"));

        c->state_dir = strdup(dir);

        if (c->state_dir == NULL) {
            return FOTA_NOMEM;
        }
    }

    return FOTA_OK;
}


int
fota_agent_conf_parse(fota_agent_conf_t *conf, const char *file,
    fota_str_t text, char *err)
{
    int                  rc;
    uint32_t             seen;
    fota_str_t           line;
    const uint8_t       *nl;
    fota_agent_parse_t   p;

    memset(conf, 0, sizeof(fota_agent_conf_t));

    conf->log_level = FOTA_AGENT_LOG_INFO;
    conf->map_size = FOTA_STORE_MAP_DEFAULT;
    conf->cap_mbps = 1000;
    conf->poll_wait = 25;
    conf->scrub_interval = 7 * 86400;
    conf->scrub_rate = 8 << 20;
    conf->umask = 0007;

    p.conf = conf;
    p.file = file;
    p.line = 0;
    p.err = err;

    err[0] = '\0';
    seen = 0;
    rc = FOTA_OK;

    while (text.len != 0 && rc == FOTA_OK) {
        nl = memchr(text.data, '\n', text.len);

        line.data = text.data;
        line.len = (nl == NULL) ? text.len : (size_t) (nl - text.data);

        text.data += line.len + (nl != NULL);
        text.len -= line.len + (nl != NULL);
        p.line++;

        while (line.len != 0 && line.data[0] <= ' ') {
            line.data++;
            line.len--;
        }

        while (line.len != 0 && line.data[line.len - 1] <= ' ') {
            line.len--;
        }

        if (line.len != 0 && line.data[0] != '#') {
            rc = fota_agent_conf_line(&p, line, &seen);
        }
    }

    if (rc == FOTA_OK) {
        rc = fota_agent_conf_finish(&p);
    }

    if (rc != FOTA_OK) {
        fota_agent_conf_free(conf);
    }

    return rc;
}


int
fota_agent_conf_read(fota_agent_conf_t *conf, const char *file, char *err)
{
    int         rc;
    fota_buf_t  text;

    memset(conf, 0, sizeof(fota_agent_conf_t));

    rc = fota_agent_file_read(file, FOTA_AGENT_CONF_MAX, &text);

    if (rc != FOTA_OK) {
        (void) snprintf(err, FOTA_AGENT_ERR_MAX, "%s: cannot read: %s", file,
                        (rc == FOTA_LIMIT) ? "longer than 64 KiB"
                                           : strerror(errno));
        return rc;
    }

    rc = fota_agent_conf_parse(conf, file, fota_buf_slice(&text), err);
    fota_buf_free(&text);

    return rc;
}


int
fota_agent_conf_check(const fota_agent_conf_t *conf, char *err)
{
    size_t       i;
    struct stat  sb;

    const struct {
        const char  *name;
        const char  *path;
    } files[] = {
        { "ca", conf->ca },
        { "cert", conf->cert },
        { "key", conf->key }
    }, dirs[] = {
        { "policy_dir", conf->policy_dir },
        { "state_dir", conf->state_dir },
        { "store_dir", conf->store_dir },
        { "spool_dir", conf->spool_dir }
    };

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (access(files[i].path, R_OK) != 0) {
            (void) snprintf(err, FOTA_AGENT_ERR_MAX,
                            "cannot read \"%s\" %s: %s", files[i].name,
                            files[i].path, strerror(errno));
            return FOTA_IO;
        }
    }

    if (stat(conf->key, &sb) == 0 && (sb.st_mode & 0007)) {
        (void) snprintf(err, FOTA_AGENT_ERR_MAX,
                        "\"key\" %s can be read by others", conf->key);
        return FOTA_INVALID;
    }

    /* What is absent is made at start. */

    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (stat(dirs[i].path, &sb) != 0) {
            if (errno == ENOENT) {
                continue;
            }

            (void) snprintf(err, FOTA_AGENT_ERR_MAX, "\"%s\" %s: %s",
                            dirs[i].name, dirs[i].path, strerror(errno));
            return FOTA_IO;
        }

        if (!S_ISDIR(sb.st_mode) || access(dirs[i].path, R_OK|W_OK|X_OK) != 0)
        {
            (void) snprintf(err, FOTA_AGENT_ERR_MAX,
                            "\"%s\" %s is no directory to write to",
                            dirs[i].name, dirs[i].path);
            return FOTA_IO;
        }
    }

    if (conf->user != NULL && getpwnam(conf->user) == NULL) {
        (void) snprintf(err, FOTA_AGENT_ERR_MAX, "unknown user \"%s\"",
                        conf->user);
        return FOTA_INVALID;
    }

    if (conf->group != NULL && getgrnam(conf->group) == NULL) {
        (void) snprintf(err, FOTA_AGENT_ERR_MAX, "unknown group \"%s\"",
                        conf->group);
        return FOTA_INVALID;
    }

    return FOTA_OK;
}


void
fota_agent_conf_free(fota_agent_conf_t *conf)
{
    size_t   i;
    char   **field;

    for (i = 0; fota_agent_items[i].name != NULL; i++) {
        if (fota_agent_item_owned(&fota_agent_items[i])) {
            field = (char **) ((char *) conf + fota_agent_items[i].offset);
            free(*field);
            *field = NULL;
        }
    }
}


const uint8_t *
fota_agent_conf_key(void *data, uint16_t kid)
{
    unsigned            i;
    fota_agent_conf_t  *conf;

    conf = data;

    for (i = 0; i < conf->nkeys; i++) {
        if (conf->keys[i].kid == kid) {
            return conf->keys[i].pub;
        }
    }

    return NULL;
}
