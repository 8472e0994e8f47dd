/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Zones from the tzdata of the centre, so that edges need none. */

#include <errno.h>
#include <stdio.h>

#include "render.h"


#define FOTA_TZIF_MAX     (256 * 1024)
#define FOTA_ZONES_MAX    1024
#define FOTA_ZONE_FROM    1577836800LL          /* 2020-01-01 */
#define FOTA_ZONE_TO      2524608000LL          /* 2050-01-01 */
#define FOTA_ZONE_PATH    4096


static int fota_zone_file(fota_render_t *r, fota_str_t name,
    fota_str_t *bytes);
static bool fota_zone_name_ok(fota_str_t name);
static int fota_zone_tab(fota_render_t *r, const char *file,
    fota_str_t *names, size_t *n);
static int fota_zone_add(fota_render_t *r, fota_str_t name,
    fota_str_t *names, size_t *n);


/* Letters, digits and "_+-/" only: never a way out of the directory. */

static bool
fota_zone_name_ok(fota_str_t name)
{
    size_t   i;
    uint8_t  c;

    if (name.len == 0 || name.len > 64 || name.data[0] == '/') {
        return false;
    }

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-'
              || c == '/'))
        {
            return false;
        }
    }

    return true;
}


static int
fota_zone_file(fota_render_t *r, fota_str_t name, fota_str_t *bytes)
{
    int       rc;
    char      path[FOTA_ZONE_PATH];
    FILE     *f;
    size_t    n;
    uint8_t  *buf;

    (void) snprintf(path, sizeof(path), "%s/%.*s", r->server->conf.zoneinfo,
                    (int) name.len, (const char *) name.data);

    f = fopen(path, "rb");
    if (f == NULL) {
        return (errno == ENOENT || errno == EISDIR) ? FOTA_NOTFOUND
                                                    : FOTA_CORRUPT;
    }

    buf = fota_alloc(r->mem, FOTA_TZIF_MAX);
    rc = (buf == NULL) ? FOTA_NOMEM : FOTA_OK;

    if (rc == FOTA_OK) {
        n = fread(buf, 1, FOTA_TZIF_MAX, f);

        if (ferror(f) || n == FOTA_TZIF_MAX) {
            rc = FOTA_CORRUPT;
        }

        *bytes = fota_slice(buf, n);
    }

    (void) fclose(f);

    return rc;
}


int
fota_render_zone(fota_render_t *r, fota_str_t name, fota_buf_t *out)
{
    int          rc;
    fota_str_t   bytes;
    fota_zone_t  zone;

    if (!fota_zone_name_ok(name)) {
        return FOTA_INVALID;
    }

    rc = fota_zone_file(r, name, &bytes);

    if (rc == FOTA_OK) {
        rc = fota_zone_from_tzif(r->mem, name, bytes, FOTA_ZONE_FROM,
                                 FOTA_ZONE_TO, &zone);
    }

    if (rc == FOTA_OK) {
        rc = fota_zone_encode(&zone, out);
    }

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        (void) snprintf(r->error, sizeof(r->error), "zone %.*s: %s",
                        (int) name.len, (const char *) name.data,
                        fota_status_name(rc));
    }

    return rc;
}


static int
fota_zone_add(fota_render_t *r, fota_str_t name, fota_str_t *names,
    size_t *n)
{
    size_t  i;

    if (!fota_zone_name_ok(name)) {
        return FOTA_OK;
    }

    for (i = 0; i < *n; i++) {
        if (fota_str_eq(names[i], name)) {
            return FOTA_OK;
        }
    }

    if (*n == FOTA_ZONES_MAX) {
        return FOTA_LIMIT;
    }

    names[*n] = fota_strdup(r->mem, name);

    return (names[(*n)++].data == NULL) ? FOTA_NOMEM : FOTA_OK;
}


/* Third column of zone.tab and zone1970.tab. */

static int
fota_zone_tab(fota_render_t *r, const char *file, fota_str_t *names,
    size_t *n)
{
    int    rc;
    char   path[FOTA_ZONE_PATH], line[1024], *p, *end;
    FILE  *f;

    (void) snprintf(path, sizeof(path), "%s/%s", r->server->conf.zoneinfo,
                    file);

    f = fopen(path, "r");
    if (f == NULL) {
        return FOTA_NOTFOUND;
    }

    rc = FOTA_OK;

    while (rc == FOTA_OK && fgets(line, sizeof(line), f) != NULL) {

        if (line[0] == '#') {
            continue;
        }

        p = strchr(line, '\t');
        p = (p == NULL) ? NULL : strchr(p + 1, '\t');

        if (p == NULL) {
            continue;
        }

        p++;
        end = p + strcspn(p, "\t\r\n");
        rc = fota_zone_add(r, fota_slice(p, (size_t) (end - p)), names, n);
    }

    (void) fclose(f);

    return rc;
}


/*
 * zone1970.tab has the canonical names; zone.tab adds those of countries
 * whose clocks agree since 1970 (Europe/Oslo), which location databases give.
 */

int
fota_render_zone_names(fota_render_t *r, fota_str_t **names, size_t *n)
{
    int  rc, rc2;

    *n = 0;

    *names = fota_calloc(r->mem, FOTA_ZONES_MAX, sizeof(fota_str_t));
    if (*names == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_zone_tab(r, "zone1970.tab", *names, n);
    rc2 = fota_zone_tab(r, "zone.tab", *names, n);

    if (rc == FOTA_NOTFOUND && rc2 == FOTA_NOTFOUND) {
        return FOTA_NOTFOUND;
    }

    rc = fota_zone_add(r, fota_cstr("UTC"), *names, n);

    return (rc == FOTA_OK) ? fota_zone_add(r, fota_cstr("Etc/UTC"), *names, n)
                           : rc;
}


/* First line of tzdata.zi: "# version 2024a". */

fota_str_t
fota_render_zone_version(fota_render_t *r)
{
    char        path[FOTA_ZONE_PATH], line[128];
    FILE       *f;
    fota_str_t  s = fota_null_str;

    (void) snprintf(path, sizeof(path), "%s/tzdata.zi",
                    r->server->conf.zoneinfo);

    f = fopen(path, "r");
    if (f == NULL) {
        return s;
    }

    if (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        s = fota_strdup(r->mem, fota_cstr(line));
    }

    (void) fclose(f);

    return s;
}
