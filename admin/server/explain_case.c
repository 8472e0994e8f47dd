/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* What explain is asked: the device as registered, and what is stated. */

#include <stdio.h>

#include "fota_version.h"

#include "explain.h"
#include "sql_list.h"


static int fota_case_row(fota_explain_case_t *c);
static int fota_case_attrs(fota_explain_case_t *c, uint64_t device);
static void fota_case_attr(void *ctx, fota_str_t name, fota_str_t value);
static int fota_case_time(fota_str_t s, int64_t *at);
static int fota_case_geo(fota_explain_case_t *c);
static int fota_case_prefix(fota_explain_case_t *c);


int
fota_case_record(fota_explain_case_t *c, fota_table_e table,
    const uint8_t *key, size_t len, fota_str_t *value)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_first(c->req->db, &rows, "SELECT value_bytes"
                       " FROM policy_state WHERE tbl = ? AND key_bytes = ?",
                       "us", fota_u64(table), fota_slice(key, len));

    if (rc == FOTA_OK) {
        *value = fota_sql_dup(c->mem, rows, 0);

        if (value->data == NULL) {
            rc = FOTA_NOMEM;
        }
    }

    fota_db_rows_end(rows);

    return rc;
}


/* Facts of a registered device; another one is what the request says. */

static int
fota_case_row(fota_explain_case_t *c)
{
    int               rc;
    uint64_t          id;
    fota_rows_t      *rows;
    fota_location_t  *l;

    rc = fota_db_first(c->req->db, &rows, "SELECT d.id, p.name, d.version,"
                       " d.country, d.continent, d.region_code, d.region,"
                       " d.city, d.tz, d.asn, d.country_id, d.region_id,"
                       " d.city_id FROM device d JOIN product p"
                       " ON p.tenant_id = d.tenant_id AND p.id = d.product_id"
                       " WHERE d.tenant_id = ? AND d.ext_id = ?", "us",
                       fota_u64(c->req->tenant_id), c->facts.id);
    id = 0;

    if (rc == FOTA_OK) {
        l = &c->location;
        id = fota_db_u64(rows, 0);
        c->product_name = fota_sql_dup(c->mem, rows, 1);
        c->facts.version = fota_sql_dup(c->mem, rows, 2);

        fota_db_chars(rows, 3, l->country, sizeof(l->country));
        fota_db_chars(rows, 4, l->continent, sizeof(l->continent));
        fota_db_chars(rows, 5, l->region_code, sizeof(l->region_code));
        fota_db_chars(rows, 6, l->region, sizeof(l->region));
        fota_db_chars(rows, 7, l->city, sizeof(l->city));
        fota_db_chars(rows, 8, l->tz, sizeof(l->tz));
        l->asn = (uint32_t) fota_db_u64(rows, 9);
        l->country_id = (uint32_t) fota_db_u64(rows, 10);
        l->region_id = (uint32_t) fota_db_u64(rows, 11);
        l->city_id = (uint32_t) fota_db_u64(rows, 12);
        c->facts.tz = fota_sql_dup(c->mem, rows, 8);

        if (l->country[0] != '\0') {
            l->source = FOTA_GEO_REPORTED;
        }
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_OK) {
        return fota_case_attrs(c, id);
    }

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


/* What devices reported; what operators set is in the device's record. */

static int
fota_case_attrs(fota_explain_case_t *c, uint64_t device)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(c->req->db, &rows, "SELECT name, value"
                       " FROM device_attr WHERE device_id = ?"
                       " AND operator_set = 0 ORDER BY name", "u", device);
    if (rc != FOTA_OK) {
        return rc;
    }

    while (c->nattrs < FOTA_ATTRS_MAX && (rc = fota_db_row(rows)) == FOTA_OK)
    {
        c->attrs[c->nattrs].name = fota_sql_dup(c->mem, rows, 0);
        c->attrs[c->nattrs++].value = fota_sql_dup(c->mem, rows, 1);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static void
fota_case_attr(void *ctx, fota_str_t name, fota_str_t value)
{
    size_t                i;
    fota_explain_case_t  *c;

    c = ctx;

    if (name.len <= 5 || memcmp(name.data, "attr.", 5) != 0) {
        return;
    }

    name = fota_slice(name.data + 5, name.len - 5);

    if (name.len > FOTA_ATTR_NAME_MAX || value.len > FOTA_ATTR_VALUE_MAX) {
        c->too_many = true;
        return;
    }

    for (i = 0; i < c->nattrs; i++) {
        if (fota_str_eq(c->attrs[i].name, name)) {
            c->attrs[i].value = value;
            return;
        }
    }

    if (c->nattrs == FOTA_ATTRS_MAX) {
        c->too_many = true;
        return;
    }

    c->attrs[c->nattrs].name = name;
    c->attrs[c->nattrs++].value = value;
}


/* Unix seconds, or 2026-01-31T22:00:00+09:00. */

static int
fota_case_time(fota_str_t s, int64_t *at)
{
    int           n, y, mo, d, h, mi, se;
    char          text[64];
    int32_t       offset;
    uint64_t      u;
    fota_civil_t  civil;

    if (fota_str_u64(s, UINT32_MAX, &u) == FOTA_OK) {
        *at = (int64_t) u;
        return FOTA_OK;
    }

    (void) snprintf(text, sizeof(text), "%.*s", (int) s.len,
                    (const char *) s.data);

    n = 0;

    if (s.len < 20 || s.len >= sizeof(text)
        || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi,
                  &se, &n)
           != 6 || n != 19 || y < 1970 || mo < 1 || mo > 12 || d < 1
        || d > 31 || h < 0 || h > 23 || mi < 0 || mi > 59 || se < 0
        || se > 59
        || fota_zone_parse_offset(fota_slice(s.data + 19, s.len - 19),
                                  &offset)
           != FOTA_OK)
    {
        return FOTA_INVALID;
    }

    *at = fota_civil_utc(y, mo, d, h * 3600 + mi * 60 + se);

    /* 30 February would be told as 2 March. */

    fota_civil(*at, 0, &civil);

    if (civil.day != d) {
        return FOTA_INVALID;
    }

    *at -= offset;

    return FOTA_OK;
}


static int
fota_case_prefix(fota_explain_case_t *c)
{
    int               rc, plen;
    size_t            n;
    uint8_t           key[FOTA_KEY_MAX], addr[16];
    fota_str_t        value;
    fota_geoprefix_t  p;

    /* Longest first; one look-up each is cheap enough for one person. */

    for (plen = 128; plen >= 0; plen--) {
        memcpy(addr, c->addr, sizeof(addr));

        for (n = 0; n < 16; n++) {
            if ((int) n * 8 >= plen) {
                addr[n] = 0;

            } else if ((int) n * 8 + 8 > plen) {
                addr[n] &= (uint8_t) (0xff << (8 - plen % 8));
            }
        }

        n = fota_key_prefix(key, addr, (uint8_t) plen);
        rc = fota_case_record(c, FOTA_T_GEOPREFIX, key, n, &value);

        if (rc == FOTA_NOTFOUND) {
            continue;
        }

        if (rc == FOTA_OK) {
            rc = fota_geoprefix_decode(value, &p);
        }

        if (rc != FOTA_OK) {
            return rc;
        }

        c->prefix_group = p.node_group;

        if (p.has_location) {
            c->location = p.location;
            c->location.source = FOTA_GEO_PREFIX;
        }

        return p.has_location ? FOTA_OK : FOTA_NOTFOUND;
    }

    return FOTA_NOTFOUND;
}


/* From the address as an edge does it, then what is stated outright. */

static int
fota_case_geo(fota_explain_case_t *c)
{
    int           rc;
    bool          stated;
    size_t        i;
    uint64_t      asn;
    fota_str_t    s;
    fota_geo_t   *geo;
    const char   *reason;

    const struct {
        const char  *name;
        char        *out;
        size_t       max;
    } parts[] = {
        { "country", c->location.country, 2 },
        { "region_code", c->location.region_code,
          sizeof(c->location.region_code) - 1 },
        { "region", c->location.region, sizeof(c->location.region) - 1 },
        { "city", c->location.city, sizeof(c->location.city) - 1 },
    };

    s = fota_req_query(c->req, "ip");

    if (s.data != NULL) {
        if (fota_addr_parse(s, c->addr) != FOTA_OK) {
            return fota_res_refuse(c->req, 400, "field_value", "ip",
                                   "\"ip\" must be an address");
        }

        c->has_addr = true;
        memset(&c->location, 0, sizeof(fota_location_t));

        rc = fota_case_prefix(c);

        if (rc == FOTA_NOTFOUND && c->req->server->conf.geo_db[0] != '\0') {
            rc = fota_geo_open(&geo, c->req->server->conf.geo_db, NULL,
                               c->req->server->conf.geo_asn_db[0]
                               ? c->req->server->conf.geo_asn_db : NULL,
                               FOTA_GEO_AUTO, &reason);
            if (rc == FOTA_OK) {
                rc = fota_geo_lookup(geo, c->addr, &c->location);
                fota_geo_close(geo);

            } else {
                fota_log(FOTA_LOG_WARN, "geo_db \"%s\": %s",
                         c->req->server->conf.geo_db, reason);
                rc = FOTA_NOTFOUND;
            }
        }

        if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    stated = false;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        s = fota_req_query(c->req, parts[i].name);

        if (s.data == NULL) {
            continue;
        }

        if (s.len > parts[i].max) {
            return fota_res_refuse(c->req, 400, "field_limit", parts[i].name,
                                   "\"%s\" may have %zu bytes", parts[i].name,
                                   parts[i].max);
        }

        /* Another place: what was known of the old one is void. */

        if (!stated) {
            asn = c->location.asn;
            memset(&c->location, 0, sizeof(fota_location_t));
            c->location.asn = (uint32_t) asn;
            c->location.source = FOTA_GEO_REPORTED;
            stated = true;
        }

        memcpy(parts[i].out, s.data, s.len);
        parts[i].out[s.len] = '\0';
    }

    if (stated) {
        (void) snprintf(c->location.continent, sizeof(c->location.continent),
                        "%s", fota_geo_continent(c->location.country));
    }

    s = fota_req_query(c->req, "asn");

    if (s.len != 0) {
        if (fota_str_u64(s, UINT32_MAX, &asn) != FOTA_OK) {
            return fota_res_refuse(c->req, 400, "field_value", "asn",
                                   "\"asn\" must be between 0 and %u",
                                   UINT32_MAX);
        }

        c->location.asn = (uint32_t) asn;
    }

    s = fota_req_query(c->req, "tz");

    if (s.data != NULL) {
        if (s.len >= sizeof(c->location.tz)) {
            return fota_res_refuse(c->req, 400, "field_limit", "tz",
                                   "\"tz\" may have %zu bytes",
                                   sizeof(c->location.tz) - 1);
        }

        c->facts.tz = s;

    } else if (stated || c->has_addr) {
        c->facts.tz = fota_cstr("");
    }

    return FOTA_OK;
}


int
fota_case_args(fota_explain_case_t *c)
{
    int         rc;
    fota_str_t  s;

    c->facts.id = fota_req_query(c->req, "device");

    if (c->facts.id.len == 0 || c->facts.id.len > FOTA_ID_MAX) {
        return fota_res_refuse(c->req, 400, "field_missing", "device",
                               "\"device\" is needed, 1 to %d bytes",
                               FOTA_ID_MAX);
    }

    rc = fota_case_row(c);
    if (rc != FOTA_OK) {
        return rc;
    }

    s = fota_req_query(c->req, "product");

    if (s.len != 0) {
        c->product_name = s;
    }

    if (c->product_name.len == 0) {
        return fota_res_refuse(c->req, 404, "device_unknown", "device",
                               "the device is not registered: \"product\" says "
                               "what it would be");
    }

    s = fota_req_query(c->req, "version");

    if (s.data != NULL) {
        if (s.len != 0 && fota_version_check(s) != FOTA_OK) {
            return fota_res_refuse(c->req, 400, "field_value", "version",
                                   "\"version\" is no version");
        }

        c->facts.version = s;
    }

    s = fota_req_query(c->req, "kind");

    if (s.data != NULL) {
        if (fota_kind_parse(s) < 0) {
            return fota_res_refuse(c->req, 400, "field_value", "kind",
                                   "\"kind\" must be os, app or data");
        }

        c->kind = (uint8_t) fota_kind_parse(s);
    }

    c->now = fota_now_ms() / 1000;
    s = fota_req_query(c->req, "at");

    if (s.data != NULL && fota_case_time(s, &c->now) != FOTA_OK) {
        return fota_res_refuse(c->req, 400, "field_value", "at",
                               "\"at\" is neither Unix seconds nor like "
                               "2026-01-31T22:00:00+09:00");
    }

    fota_req_query_each(c->req, fota_case_attr, c);

    if (c->too_many) {
        return fota_res_refuse(c->req, 400, "field_limit", "attr",
                               "there may be %d attributes of %d and %d bytes",
                               FOTA_ATTRS_MAX, FOTA_ATTR_NAME_MAX,
                               FOTA_ATTR_VALUE_MAX);
    }

    return fota_case_geo(c);
}
