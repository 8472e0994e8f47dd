/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * libmaxminddb maps the file and hands out pointers into it; strings are
 * copied at once and every error of it means that nothing is known.  A file
 * must be replaced by rename(): one that is cut under the mapping is a
 * SIGBUS.
 */


#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "fota_geo_record.h"


/* How far the tree is searched for a record that tells the layout. */

#define FOTA_GEO_PROBE_NODES  4096
#define FOTA_GEO_DEPTH        128


typedef struct {
    MMDB_s             mmdb;
    fota_geo_layout_e  layout;
    unsigned           open:1;
} fota_geo_db_t;


struct fota_geo_s {
    fota_geo_db_t  db;
    fota_geo_db_t  db6;
    fota_geo_db_t  asn;
};


static int fota_geo_open_db(fota_geo_db_t *db, const char *file,
    fota_geo_layout_e layout, const char **reason);
static fota_geo_layout_e fota_geo_probe(MMDB_s *mmdb);
static fota_geo_layout_e fota_geo_layout(MMDB_entry_s *entry);
static bool fota_geo_read(fota_geo_db_t *db, const uint8_t addr[16],
    bool v4, fota_location_t *loc);


int
fota_geo_open(fota_geo_t **geo, const char *file, const char *file6,
    const char *asn_file, fota_geo_layout_e layout, const char **reason)
{
    int          rc;
    fota_geo_t  *g;

    g = calloc(1, sizeof(fota_geo_t));

    if (g == NULL) {
        *reason = "out of memory";
        return FOTA_NOMEM;
    }

    rc = fota_geo_open_db(&g->db, file, layout, reason);

    if (rc == FOTA_OK && file6 != NULL) {
        rc = fota_geo_open_db(&g->db6, file6, layout, reason);

        if (rc == FOTA_OK && g->db6.mmdb.metadata.ip_version != 6) {
            *reason = "the IPv6 file holds IPv4 addresses";
            rc = FOTA_INVALID;
        }
    }

    if (rc == FOTA_OK && asn_file != NULL) {

        /* Its only field is at the same place in both layouts. */

        rc = fota_geo_open_db(&g->asn, asn_file, FOTA_GEO_FLAT, reason);
    }

    if (rc != FOTA_OK) {
        fota_geo_close(g);
        return rc;
    }

    *geo = g;

    return FOTA_OK;
}


static int
fota_geo_open_db(fota_geo_db_t *db, const char *file,
    fota_geo_layout_e layout, const char **reason)
{
    int  rc;

    rc = MMDB_open(file, MMDB_MODE_MMAP, &db->mmdb);

    switch (rc) {

    case MMDB_SUCCESS:
        break;

    case MMDB_OUT_OF_MEMORY_ERROR:
        *reason = "out of memory";
        return FOTA_NOMEM;

    case MMDB_FILE_OPEN_ERROR:
    case MMDB_IO_ERROR:
        *reason = "cannot be opened or read";
        return FOTA_IO;

    case MMDB_UNKNOWN_DATABASE_FORMAT_ERROR:
        *reason = "MaxMind DB format of an unknown version";
        return FOTA_TOO_NEW;

    default:
        *reason = "not a MaxMind DB file";
        return FOTA_CORRUPT;
    }

    db->open = 1;
    db->layout = (layout == FOTA_GEO_AUTO) ? fota_geo_probe(&db->mmdb)
                                           : layout;

    return FOTA_OK;
}


void
fota_geo_close(fota_geo_t *geo)
{
    if (geo == NULL) {
        return;
    }

    if (geo->db.open) {
        MMDB_close(&geo->db.mmdb);
    }

    if (geo->db6.open) {
        MMDB_close(&geo->db6.mmdb);
    }

    if (geo->asn.open) {
        MMDB_close(&geo->asn.mmdb);
    }

    free(geo);
}


uint64_t
fota_geo_epoch(const fota_geo_t *geo)
{
    return geo->db.mmdb.metadata.build_epoch;
}


/* Walks the tree from the left to the first record that gives a layout. */

static fota_geo_layout_e
fota_geo_probe(MMDB_s *mmdb)
{
    int                 i, visited;
    uint8_t             type;
    uint64_t            record;
    uint32_t            n, stack[FOTA_GEO_DEPTH + 2];
    MMDB_entry_s       *entry;
    fota_geo_layout_e   layout;
    MMDB_search_node_s  node;

    n = 0;
    stack[n++] = 0;

    for (visited = 0; n != 0 && visited < FOTA_GEO_PROBE_NODES; visited++) {

        if (MMDB_read_node(mmdb, stack[--n], &node) != MMDB_SUCCESS) {
            break;
        }

        for (i = 1; i >= 0; i--) {
            type = i ? node.right_record_type : node.left_record_type;
            record = i ? node.right_record : node.left_record;
            entry = i ? &node.right_record_entry : &node.left_record_entry;

            if (type == MMDB_RECORD_TYPE_DATA) {
                layout = fota_geo_layout(entry);

                if (layout != FOTA_GEO_AUTO) {
                    return layout;
                }

            } else if (type == MMDB_RECORD_TYPE_SEARCH_NODE
                       && n < FOTA_GEO_DEPTH + 2)
            {
                stack[n++] = (uint32_t) record;
            }
        }
    }

    return FOTA_GEO_MAXMIND;
}


static fota_geo_layout_e
fota_geo_layout(MMDB_entry_s *entry)
{
    size_t             i;
    const char        *path[2];
    MMDB_entry_data_s  data;

    static const char  *nested[] = { "country", "location", "city" };
    static const char  *flat[] = { "country_code", "latitude", "timezone" };

    path[1] = NULL;

    for (i = 0; i < 3; i++) {
        path[0] = nested[i];

        if (MMDB_aget_value(entry, &data, path) == MMDB_SUCCESS
            && data.has_data && data.type == MMDB_DATA_TYPE_MAP)
        {
            return FOTA_GEO_MAXMIND;
        }

        path[0] = flat[i];

        if (MMDB_aget_value(entry, &data, path) == MMDB_SUCCESS
            && data.has_data)
        {
            return FOTA_GEO_FLAT;
        }
    }

    return FOTA_GEO_AUTO;
}


int
fota_geo_lookup(fota_geo_t *geo, const uint8_t addr[16],
    fota_location_t *loc)
{
    bool              any, v4;
    const char       *continent;
    fota_geo_db_t    *db;
    fota_location_t   network;

    v4 = fota_addr_v4(addr);
    db = (!v4 && geo->db6.open) ? &geo->db6 : &geo->db;

    any = fota_geo_read(db, addr, v4, loc);

    if (geo->asn.open && fota_geo_read(&geo->asn, addr, v4, &network)) {
        loc->asn = network.asn;
        any = any || loc->asn != 0;
    }

    if (!any) {
        return FOTA_NOTFOUND;
    }

    if (loc->continent[0] == '\0') {
        continent = fota_geo_continent(loc->country);
        memcpy(loc->continent, continent, strlen(continent));
    }

    loc->source = FOTA_GEO_DB;

    return FOTA_OK;
}


/* A record that gives nothing leaves loc zeroed. */

static bool
fota_geo_read(fota_geo_db_t *db, const uint8_t addr[16], bool v4,
    fota_location_t *loc)
{
    int                   error;
    MMDB_lookup_result_s  result;

    union {
        struct sockaddr      sa;
        struct sockaddr_in   v4;
        struct sockaddr_in6  v6;
    } u;

    memset(loc, 0, sizeof(fota_location_t));
    memset(&u, 0, sizeof(u));

    if (v4) {
        u.v4.sin_family = AF_INET;
        memcpy(&u.v4.sin_addr, addr + 12, 4);

    } else {
        u.v6.sin6_family = AF_INET6;
        memcpy(&u.v6.sin6_addr, addr, 16);
    }

    result = MMDB_lookup_sockaddr(&db->mmdb, &u.sa, &error);

    if (error != MMDB_SUCCESS || !result.found_entry) {
        return false;
    }

    if (!fota_geo_record(db->mmdb.data_section, db->mmdb.data_section_size,
                         result.entry.offset, db->layout, loc))
    {
        memset(loc, 0, sizeof(fota_location_t));
        return false;
    }

    return true;
}
