/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "agent_conf_value.h"
#include "agent_file.h"
#include "agent_log.h"
#include "fota_encode.h"


#define FOTA_AGENT_MAP_MIN  (1024 * 1024)
#define FOTA_AGENT_MAP_MAX  (1ULL << 40)

#define FOTA_AGENT_RATE_MIN  (64 * 1024)
#define FOTA_AGENT_RATE_MAX  (16ULL << 30)


static int fota_agent_set_name(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_path(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_log(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_url(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_size(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_number(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_level(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_umask(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);
static int fota_agent_set_key(fota_agent_parse_t *p,
    const fota_agent_item_t *item, const char *value);


#define item(name, set, min, max)                                             \
    { #name, fota_agent_set_##set, offsetof(fota_agent_conf_t, name),         \
      min, max, 0 }

const fota_agent_item_t  fota_agent_items[] = {
    item(node, name, 0, 0),
    item(centre, url, 0, 0),
    item(ca, path, 0, 0),
    item(cert, path, 0, 0),
    item(key, path, 0, 0),
    item(policy_dir, path, 0, 0),
    item(state_dir, path, 0, 0),
    item(store_dir, path, 0, 0),
    item(spool_dir, path, 0, 0),
    item(status_socket, path, 0, 0),
    item(status_url, url, 0, 0),
    item(log, log, 0, 0),
    item(pidfile, path, 0, 0),
    item(user, name, 0, 0),
    item(group, name, 0, 0),
    item(log_level, level, 0, 0),
    item(map_size, size, FOTA_AGENT_MAP_MIN, FOTA_AGENT_MAP_MAX),
    item(disk_budget, size, 0, UINT64_MAX),
    item(cap_mbps, number, 0, 10000000),
    item(max_transfers, number, 0, 10000000),
    item(poll_wait, number, 1, 300),
    item(scrub_interval, number, 0, 366 * 86400),
    item(scrub_rate, size, FOTA_AGENT_RATE_MIN, FOTA_AGENT_RATE_MAX),
    item(umask, umask, 0, 0),
    { "sync_key", fota_agent_set_key, 0, 0, 0, 1 },
    { NULL, NULL, 0, 0, 0, 0 }
};


int
fota_agent_wrong(fota_agent_parse_t *p, const char *fmt, ...)
{
    int      n;
    va_list  args;

    n = (p->line != 0)
        ? snprintf(p->err, FOTA_AGENT_ERR_MAX, "%s:%u: ", p->file, p->line)
        : snprintf(p->err, FOTA_AGENT_ERR_MAX, "%s: ", p->file);

    if (n >= 0 && n < FOTA_AGENT_ERR_MAX) {
        va_start(args, fmt);
        (void) vsnprintf(p->err + n, (size_t) (FOTA_AGENT_ERR_MAX - n), fmt,
                         args);
        va_end(args);
    }

    return FOTA_INVALID;
}


static void *
fota_agent_field(fota_agent_parse_t *p, const fota_agent_item_t *item)
{
    return (char *) p->conf + item->offset;
}


static int
fota_agent_set_string(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    char  **field;

    field = fota_agent_field(p, item);
    *field = strdup(value);

    return (*field == NULL) ? FOTA_NOMEM : FOTA_OK;
}


static int
fota_agent_set_name(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    const char  *c;

    for (c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '/') {
            return fota_agent_wrong(p, "\"%s\" must be printable ASCII "
                                    "without blanks and \"/\"", item->name);
        }
    }

    if ((size_t) (c - value) > FOTA_NAME_MAX) {
        return fota_agent_wrong(p, "\"%s\" is longer than %d bytes",
                                item->name, FOTA_NAME_MAX);
    }

    return fota_agent_set_string(p, item, value);
}


static int
fota_agent_set_path(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    if (value[0] != '/') {
        return fota_agent_wrong(p, "\"%s\" must be an absolute path",
                                item->name);
    }

    if (item->offset == offsetof(fota_agent_conf_t, status_socket)
        && strlen(value) >= sizeof(((struct sockaddr_un *) 0)->sun_path))
    {
        return fota_agent_wrong(p, "\"%s\" is longer than %zu bytes",
                                item->name,
                                sizeof(((struct sockaddr_un *) 0)->sun_path)
                                - 1);
    }

    return fota_agent_set_string(p, item, value);
}


static int
fota_agent_set_log(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    if (strcmp(value, "stderr") == 0) {
        return fota_agent_set_string(p, item, value);
    }

    return fota_agent_set_path(p, item, value);
}


static int
fota_agent_set_url(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    int     rc;
    bool    centre;
    char  **field;
    size_t  n;

    centre = item->offset == offsetof(fota_agent_conf_t, centre);

    if (strncmp(value, "https://", 8) == 0) {
        n = 8;

    } else if (!centre && strncmp(value, "http://", 7) == 0) {
        n = 7;

    } else {
        return fota_agent_wrong(p, "\"%s\" must begin with \"%s\"",
                                item->name,
                                centre ? "https://" : "http://");
    }

    if (value[n] == '\0' || value[n] == '/' || strpbrk(value, " \t#") != NULL
        || (centre && strchr(value, '?') != NULL))
    {
        return fota_agent_wrong(p, "\"%s\" is no URL", item->name);
    }

    rc = fota_agent_set_string(p, item, value);

    /* Paths are appended to it. */

    if (rc == FOTA_OK && centre) {
        field = fota_agent_field(p, item);

        for (n = strlen(*field); n > 8 && (*field)[n - 1] == '/'; n--) {
            (*field)[n - 1] = '\0';
        }
    }

    return rc;
}


int
fota_agent_size(fota_str_t s, uint64_t *out)
{
    int       rc;
    unsigned  shift;

    if (s.len == 0) {
        return FOTA_INVALID;
    }

    switch (s.data[s.len - 1] | 0x20) {

    case 'k':
        shift = 10;
        break;

    case 'm':
        shift = 20;
        break;

    case 'g':
        shift = 30;
        break;

    case 't':
        shift = 40;
        break;

    default:
        shift = 0;
        break;
    }

    if (shift != 0) {
        s.len--;
    }

    rc = fota_str_u64(s, UINT64_MAX >> shift, out);

    if (rc == FOTA_OK) {
        *out <<= shift;
    }

    return rc;
}


static int
fota_agent_set_size(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    uint64_t  v, *field;

    if (fota_agent_size(fota_cstr(value), &v) != FOTA_OK) {
        return fota_agent_wrong(p, "\"%s\" must be a size as \"512m\" or "
                                "\"2g\"", item->name);
    }

    if (v < item->min || v > item->max) {
        return fota_agent_wrong(p, "\"%s\" must be %llu to %llu bytes",
                                item->name, (unsigned long long) item->min,
                                (unsigned long long) item->max);
    }

    field = fota_agent_field(p, item);
    *field = v;

    return FOTA_OK;
}


static int
fota_agent_set_number(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    uint64_t  v, *field;

    if (fota_str_u64(fota_cstr(value), item->max, &v) != FOTA_OK
        || v < item->min)
    {
        return fota_agent_wrong(p, "\"%s\" must be a number from %llu to "
                                "%llu", item->name,
                                (unsigned long long) item->min,
                                (unsigned long long) item->max);
    }

    field = fota_agent_field(p, item);
    *field = v;

    return FOTA_OK;
}


static int
fota_agent_set_level(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    unsigned   i;
    unsigned  *field;

    for (i = 0; i < FOTA_AGENT_LOG__N; i++) {
        if (strcmp(value, fota_agent_level_name(i)) == 0) {
            field = fota_agent_field(p, item);
            *field = i;
            return FOTA_OK;
        }
    }

    return fota_agent_wrong(p, "\"%s\" must be error, warn, info or debug",
                            item->name);
}


static int
fota_agent_set_umask(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    char    *end;
    long     v;
    mode_t  *field;

    v = strtol(value, &end, 8);

    if (value[0] < '0' || value[0] > '7' || *end != '\0' || v > 0777) {
        return fota_agent_wrong(p, "\"%s\" must be octal, 000 to 777",
                                item->name);
    }

    field = fota_agent_field(p, item);
    *field = (mode_t) v;

    return FOTA_OK;
}


/* 32 bytes: raw, 64 hex digits or base64. */

static int
fota_agent_key_decode(uint8_t pub[32], fota_str_t text)
{
    size_t  n;

    if (text.len == 32) {
        memcpy(pub, text.data, 32);
        return FOTA_OK;
    }

    while (text.len != 0 && text.data[text.len - 1] <= ' ') {
        text.len--;
    }

    if (text.len == 64) {
        return fota_hex_decode(pub, 32, text);
    }

    if (fota_base64_decode(pub, 32, text, &n) == FOTA_OK && n == 32) {
        return FOTA_OK;
    }

    return (fota_base64url_decode(pub, 32, text, &n) == FOTA_OK && n == 32)
           ? FOTA_OK : FOTA_INVALID;
}


/* "KID:" and 64 hex digits, or base64, or the path of a file. */

static int
fota_agent_set_key(fota_agent_parse_t *p, const fota_agent_item_t *item,
    const char *value)
{
    int                rc;
    char              *colon;
    uint64_t           kid;
    unsigned           i;
    fota_buf_t         text;
    fota_agent_key_t  *k;

    colon = strchr(value, ':');

    if (colon == NULL
        || fota_str_u64(fota_slice(value, (size_t) (colon - value)),
                        UINT16_MAX, &kid)
           != FOTA_OK)
    {
        return fota_agent_wrong(p, "\"%s\" must be KID:KEY, KID from 0 to "
                                "65535", item->name);
    }

    for (i = 0; i < p->conf->nkeys; i++) {
        if (p->conf->keys[i].kid == kid) {
            return fota_agent_wrong(p, "\"%s\" has key %llu twice",
                                    item->name, (unsigned long long) kid);
        }
    }

    if (p->conf->nkeys == FOTA_AGENT_KEYS_MAX) {
        return fota_agent_wrong(p, "more than %d of \"%s\"",
                                FOTA_AGENT_KEYS_MAX, item->name);
    }

    k = &p->conf->keys[p->conf->nkeys];
    k->kid = (uint16_t) kid;
    colon++;

    if (*colon != '/' || strlen(colon) == 44) {
        rc = fota_agent_key_decode(k->pub, fota_cstr(colon));

    } else {
        rc = fota_agent_file_read(colon, FOTA_AGENT_VALUE_MAX, &text);

        if (rc != FOTA_OK) {
            return fota_agent_wrong(p, "cannot read \"%s\" of \"%s\": %s",
                                    colon, item->name, strerror(errno));
        }

        rc = fota_agent_key_decode(k->pub, fota_buf_slice(&text));
        fota_buf_free(&text);
    }

    if (rc != FOTA_OK) {
        return fota_agent_wrong(p, "\"%s\" must have 32 bytes as hex, base64 "
                                "or in a file", item->name);
    }

    p->conf->nkeys++;

    return FOTA_OK;
}


bool
fota_agent_item_owned(const fota_agent_item_t *item)
{
    return item->set == fota_agent_set_name
           || item->set == fota_agent_set_path
           || item->set == fota_agent_set_log
           || item->set == fota_agent_set_url;
}
