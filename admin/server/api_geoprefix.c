/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Operator prefixes: where the location database is wrong or silent. */


#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "entity.h"


typedef struct {
    char      text[64];         /* canonical */
    uint8_t   addr[16];
    uint8_t   plen;
    json_t   *location;         /* NULL: none */
    uint64_t  group;
} fota_geoprefix_in_t;


static json_t *
fota_geoprefix_json(fota_req_t *req, fota_rows_t *rows)
{
    json_t      *v, *location;
    fota_str_t   s;

    v = json_object();
    json_object_set_new(v, "prefix", fota_cell(rows, 0));

    s = fota_db_str(rows, 1);
    location = s.len > 0 ? json_loadb((const char *) s.data, s.len, 0, NULL)
                         : NULL;
    json_object_set_new(v, "location", location != NULL ? location
                                                        : json_null());
    json_object_set_new(v, "node_group", fota_cell_int(rows, 2));

    return v;
}


static int
fota_geoprefix_list(fota_req_t *req)
{
    int           rc;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_text(req, &page)) {
        return FOTA_OK;
    }

    rc = fota_db_query(req->db, &rows, "SELECT prefix, location, node_group"
             " FROM geoprefix WHERE prefix > ? ORDER BY prefix LIMIT ?", "su",
             page.after, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_geoprefix_json);
}


/* Host bits off, one spelling: the key of the policy record follows it. */

static bool
fota_geoprefix_parse(fota_req_t *req, fota_str_t s, fota_geoprefix_in_t *in)
{
    char      host[INET6_ADDRSTRLEN];
    unsigned  i;

    static const uint8_t  v4[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                     0xff, 0xff };

    if (s.len == 0 || s.len > 64
        || fota_prefix_parse(s, in->addr, &in->plen) != FOTA_OK)
    {
        return fota_res_bad(req, "field_value", "prefix",
                            "\"prefix\" must be an address or address/length");
    }

    for (i = in->plen; i < 128; i++) {
        in->addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    }

    if (in->plen >= 96 && memcmp(in->addr, v4, 12) == 0) {
        inet_ntop(AF_INET, in->addr + 12, host, sizeof(host));
        snprintf(in->text, sizeof(in->text), "%s/%u", host, in->plen - 96u);

    } else {
        inet_ntop(AF_INET6, in->addr, host, sizeof(host));
        snprintf(in->text, sizeof(in->text), "%s/%u", host, in->plen);
    }

    return true;
}


static bool
fota_geoprefix_location(fota_req_t *req, json_t *v)
{
    size_t       i, j;
    json_t      *m;
    const char  *key;

    static const struct {
        const char  *name;
        size_t       max;
    } texts[] = {
        { "country", 2 }, { "continent", 2 }, { "region_code", 11 },
        { "region", 63 }, { "city", 63 }, { "tz", 47 }
    };

    static const struct {
        const char  *name;
        double       min;
        double       max;
    } numbers[] = {
        { "asn", 0, 4294967295.0 }, { "lat", -90, 90 }, { "lon", -180, 180 }
    };

    json_object_foreach(v, key, m) {
        for (i = 0; i < 6 && strcmp(texts[i].name, key) != 0; i++) {
            /* void */
        }

        for (j = 0; j < 3 && strcmp(numbers[j].name, key) != 0; j++) {
            /* void */
        }

        if ((i < 6 && (!json_is_string(m)
                       || json_string_length(m) > texts[i].max))
            || (j < 3 && (!json_is_number(m)
                          || json_number_value(m) < numbers[j].min
                          || json_number_value(m) > numbers[j].max
                          || (j == 0 && !json_is_integer(m))))
            || (i == 6 && j == 3))
        {
            return fota_res_bad(req, "field_value", "location",
                                "\"location\".%.32s is unknown, of the wrong "
                                "type or over its limit", key);
        }
    }

    return true;
}


static int
fota_geoprefix_write(fota_req_t *req, void *data)
{
    int                   rc;
    char                 *text;
    size_t                len;
    json_t               *after;
    uint8_t               key[FOTA_KEY_MAX];
    fota_rows_t          *rows;
    fota_geoprefix_in_t  *in;

    in = data;

    if (in->group != 0) {
        rc = fota_check_node_group(req, in->group, "node_group");
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    text = in->location != NULL ? json_dumps(in->location, JSON_COMPACT)
                                : NULL;

    rc = fota_db_exec(req->db, "INSERT INTO geoprefix (prefix, location,"
             " node_group) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE"
             " location = VALUES(location), node_group = VALUES(node_group)",
             "zzu", in->text, text, in->group);
    free(text);

    if (rc == FOTA_OK) {
        len = fota_key_prefix(key, in->addr, in->plen);
        rc = fota_outbox_key(req->db, FOTA_T_GEOPREFIX, fota_slice(key, len));
    }

    if (rc == FOTA_OK) {
        rc = fota_db_query(req->db, &rows, "SELECT prefix, location,"
                 " node_group FROM geoprefix WHERE prefix = ?", "z",
                 in->text);
        rc = fota_row_one(req, rc, rows, "prefix", fota_geoprefix_json,
                          &after);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_res_json(req, 200, json_incref(after));

    return fota_audit(req, 0, "geo:update",
                      fota_object(req, "geo_prefix", fota_cstr(in->text)),
                      NULL, after);
}


static int
fota_geoprefix_put(fota_req_t *req)
{
    fota_str_t           s;
    fota_geoprefix_in_t  in;

    static const char *const  names[] = {
        "prefix", "location", "node_group", NULL
    };

    memset(&in, 0, sizeof(in));
    s = fota_slice(NULL, 0);

    if (!fota_json_only(req, names)
        || !fota_json_str(req, "prefix", true, 64, &s)
        || !fota_geoprefix_parse(req, s, &in)
        || !fota_json_u64(req, "node_group", false, 65535, &in.group))
    {
        return FOTA_OK;
    }

    in.location = json_object_get(req->json, "location");

    if (json_is_null(in.location)) {
        in.location = NULL;
    }

    if (in.location != NULL && !json_is_object(in.location)) {
        return fota_res_problem(req, 400, "field_type", "location",
                                "\"location\" must be an object");
    }

    return in.location == NULL || fota_geoprefix_location(req, in.location)
           ? fota_tx(req, fota_geoprefix_write, &in) : FOTA_OK;
}


static int
fota_geoprefix_remove(fota_req_t *req, void *data)
{
    int                   rc;
    size_t                len;
    uint8_t               key[FOTA_KEY_MAX];
    fota_geoprefix_in_t  *in;

    in = data;

    rc = fota_db_exec(req->db, "DELETE FROM geoprefix WHERE prefix = ?", "z",
                      in->text);

    if (rc == FOTA_OK && fota_db_affected(req->db) == 0) {
        return fota_unknown(req, "prefix");
    }

    if (rc == FOTA_OK) {
        len = fota_key_prefix(key, in->addr, in->plen);
        rc = fota_outbox_key(req->db, FOTA_T_GEOPREFIX, fota_slice(key, len));
    }

    return fota_changed(req, rc, 0, "geo:delete",
                        fota_object(req, "geo_prefix", fota_cstr(in->text)),
                        NULL, NULL);
}


static int
fota_geoprefix_delete(fota_req_t *req)
{
    fota_geoprefix_in_t  in;

    return fota_geoprefix_parse(req, fota_req_param(req, "prefix"), &in)
           ? fota_tx(req, fota_geoprefix_remove, &in) : FOTA_OK;
}


static const fota_route_t  fota_geoprefix_table[] = {
    { "GET", "/api/v1/geo-prefixes", "geo:read", fota_geoprefix_list, NULL,
      0, FOTA_ROUTE_PLATFORM },
    { "PUT", "/api/v1/geo-prefixes", "geo:update", fota_geoprefix_put, NULL,
      FOTA_BODY_JSON, FOTA_ROUTE_PLATFORM },
    { "DELETE", "/api/v1/geo-prefixes/{prefix}", "geo:update",
      fota_geoprefix_delete, NULL, 0, FOTA_ROUTE_PLATFORM }
};

FOTA_ROUTE_SET(geoprefix, fota_geoprefix_table);
