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


#include <math.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "fota_geo.h"


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
static bool fota_geo_find(fota_geo_db_t *db, const uint8_t addr[16],
    bool v4, MMDB_entry_s *entry);
static bool fota_geo_get(MMDB_entry_s *in, const char *key,
    MMDB_entry_data_s *out);
static bool fota_geo_map(MMDB_entry_s *in, const char *key,
    MMDB_entry_s *out);
static bool fota_geo_text(MMDB_entry_s *in, const char *key, char *out,
    size_t size);
static uint32_t fota_geo_number(MMDB_entry_s *in, const char *key);
static bool fota_geo_degrees(MMDB_entry_s *in, const char *key, double max,
    double *out);
static void fota_geo_country(MMDB_entry_s *in, const char *key,
    char out[4]);
static bool fota_geo_maxmind(MMDB_entry_s *root, fota_location_t *loc);
static bool fota_geo_flat(MMDB_entry_s *root, fota_location_t *loc);


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
    MMDB_entry_s       map;
    MMDB_entry_data_s  data;

    static const char  *nested[] = { "country", "location", "city" };
    static const char  *flat[] = { "country_code", "latitude", "timezone" };

    for (i = 0; i < 3; i++) {

        if (fota_geo_map(entry, nested[i], &map)) {
            return FOTA_GEO_MAXMIND;
        }

        if (fota_geo_get(entry, flat[i], &data)) {
            return FOTA_GEO_FLAT;
        }
    }

    return FOTA_GEO_AUTO;
}


int
fota_geo_lookup(fota_geo_t *geo, const uint8_t addr[16],
    fota_location_t *loc)
{
    bool            any, v4;
    MMDB_entry_s    entry;
    fota_geo_db_t  *db;

    static const uint8_t  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    memset(loc, 0, sizeof(fota_location_t));

    any = false;
    v4 = memcmp(addr, mapped, 12) == 0;
    db = (!v4 && geo->db6.open) ? &geo->db6 : &geo->db;

    if (fota_geo_find(db, addr, v4, &entry)) {
        any = (db->layout == FOTA_GEO_FLAT) ? fota_geo_flat(&entry, loc)
                                            : fota_geo_maxmind(&entry, loc);
    }

    if (geo->asn.open && fota_geo_find(&geo->asn, addr, v4, &entry)) {
        loc->asn = fota_geo_number(&entry, "autonomous_system_number");
    }

    if (!any && loc->asn == 0) {
        memset(loc, 0, sizeof(fota_location_t));
        return FOTA_NOTFOUND;
    }

    if (loc->continent[0] == '\0') {
        strcpy(loc->continent, fota_geo_continent(loc->country));
    }

    loc->source = FOTA_GEO_DB;

    return FOTA_OK;
}


static bool
fota_geo_find(fota_geo_db_t *db, const uint8_t addr[16], bool v4,
    MMDB_entry_s *entry)
{
    int                   error;
    MMDB_lookup_result_s  result;

    union {
        struct sockaddr      sa;
        struct sockaddr_in   v4;
        struct sockaddr_in6  v6;
    } u;

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

    *entry = result.entry;

    return true;
}


/* Keys one by one: a path from the root would decode the outer map again. */

static bool
fota_geo_get(MMDB_entry_s *in, const char *key, MMDB_entry_data_s *out)
{
    const char  *path[2];

    path[0] = key;
    path[1] = NULL;

    return MMDB_aget_value(in, out, path) == MMDB_SUCCESS && out->has_data;
}


static bool
fota_geo_map(MMDB_entry_s *in, const char *key, MMDB_entry_s *out)
{
    MMDB_entry_data_s  data;

    if (!fota_geo_get(in, key, &data)
        || (data.type != MMDB_DATA_TYPE_MAP
            && data.type != MMDB_DATA_TYPE_ARRAY))
    {
        return false;
    }

    out->mmdb = in->mmdb;
    out->offset = data.offset;

    return true;
}


/* True when there is a text, cut to whole characters where it is too long. */

static bool
fota_geo_text(MMDB_entry_s *in, const char *key, char *out, size_t size)
{
    size_t             n;
    MMDB_entry_data_s  data;

    out[0] = '\0';

    if (!fota_geo_get(in, key, &data)
        || data.type != MMDB_DATA_TYPE_UTF8_STRING
        || data.data_size == 0)
    {
        return false;
    }

    n = data.data_size;

    if (n > size - 1) {
        n = size - 1;

        while (n != 0 && ((uint8_t) data.utf8_string[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    if (!fota_str_utf8(fota_slice(data.utf8_string, n))) {
        return false;
    }

    memcpy(out, data.utf8_string, n);
    out[n] = '\0';

    return n != 0;
}


static uint32_t
fota_geo_number(MMDB_entry_s *in, const char *key)
{
    MMDB_entry_data_s  data;

    if (!fota_geo_get(in, key, &data)) {
        return 0;
    }

    switch (data.type) {

    case MMDB_DATA_TYPE_UINT16:
        return data.uint16;

    case MMDB_DATA_TYPE_UINT32:
        return data.uint32;

    case MMDB_DATA_TYPE_UINT64:
        return (data.uint64 <= UINT32_MAX) ? (uint32_t) data.uint64 : 0;

    default:
        return 0;
    }
}


static bool
fota_geo_degrees(MMDB_entry_s *in, const char *key, double max, double *out)
{
    double             v;
    MMDB_entry_data_s  data;

    if (!fota_geo_get(in, key, &data)) {
        return false;
    }

    switch (data.type) {

    case MMDB_DATA_TYPE_DOUBLE:
        v = data.double_value;
        break;

    case MMDB_DATA_TYPE_FLOAT:
        v = data.float_value;
        break;

    case MMDB_DATA_TYPE_INT32:
        v = data.int32;
        break;

    case MMDB_DATA_TYPE_UINT32:
        v = data.uint32;
        break;

    default:
        return false;
    }

    /* NaN is refused too. */

    if (!(fabs(v) <= max)) {
        return false;
    }

    *out = v;

    return true;
}


/* Two letters, upper case, or nothing. */

static void
fota_geo_country(MMDB_entry_s *in, const char *key, char out[4])
{
    int   i;
    char  text[4];

    if (!fota_geo_text(in, key, text, sizeof(text)) || text[2] != '\0') {
        return;
    }

    for (i = 0; i < 2; i++) {
        text[i] = (char) (text[i] & ~0x20);

        if (text[i] < 'A' || text[i] > 'Z') {
            return;
        }
    }

    memcpy(out, text, 3);
}


/* A place without a city and a code is the middle of a country. */

static bool
fota_geo_place(fota_location_t *loc, bool lat, bool lon, bool postcode)
{
    loc->has_position = lat && lon;
    loc->centroid = loc->has_position && loc->city[0] == '\0' && !postcode;

    return loc->has_position || loc->country[0] != '\0'
           || loc->continent[0] != '\0' || loc->tz[0] != '\0';
}


static bool
fota_geo_maxmind(MMDB_entry_s *root, fota_location_t *loc)
{
    bool          lat, lon, postcode;
    char          text[2];
    MMDB_entry_s  map, names;

    lat = false;
    lon = false;
    postcode = false;

    if (fota_geo_map(root, "country", &map)) {
        fota_geo_country(&map, "iso_code", loc->country);
    }

    if (fota_geo_map(root, "continent", &map)) {
        fota_geo_country(&map, "code", loc->continent);
    }

    if (fota_geo_map(root, "subdivisions", &map)
        && fota_geo_map(&map, "0", &map))
    {
        (void) fota_geo_text(&map, "iso_code", loc->region_code,
                             sizeof(loc->region_code));
        loc->region_id = fota_geo_number(&map, "geoname_id");

        if (fota_geo_map(&map, "names", &names)) {
            (void) fota_geo_text(&names, "en", loc->region,
                                 sizeof(loc->region));
        }
    }

    if (fota_geo_map(root, "city", &map)) {
        loc->city_id = fota_geo_number(&map, "geoname_id");

        if (fota_geo_map(&map, "names", &names)) {
            (void) fota_geo_text(&names, "en", loc->city, sizeof(loc->city));
        }
    }

    if (fota_geo_map(root, "location", &map)) {
        lat = fota_geo_degrees(&map, "latitude", 90, &loc->lat);
        lon = fota_geo_degrees(&map, "longitude", 180, &loc->lon);
        (void) fota_geo_text(&map, "time_zone", loc->tz, sizeof(loc->tz));
    }

    if (loc->city[0] == '\0' && fota_geo_map(root, "postal", &map)) {
        postcode = fota_geo_text(&map, "code", text, sizeof(text));
    }

    loc->asn = fota_geo_number(root, "autonomous_system_number");

    return fota_geo_place(loc, lat, lon, postcode);
}


static bool
fota_geo_flat(MMDB_entry_s *root, fota_location_t *loc)
{
    bool  lat, lon, postcode;
    char  text[8];

    fota_geo_country(root, "country_code", loc->country);

    (void) fota_geo_text(root, "state1", loc->region, sizeof(loc->region));
    (void) fota_geo_text(root, "city", loc->city, sizeof(loc->city));
    (void) fota_geo_text(root, "timezone", loc->tz, sizeof(loc->tz));

    lat = fota_geo_degrees(root, "latitude", 90, &loc->lat);
    lon = fota_geo_degrees(root, "longitude", 180, &loc->lon);

    postcode = loc->city[0] == '\0'
               && fota_geo_text(root, "postcode", text, sizeof(text));

    loc->asn = fota_geo_number(root, "autonomous_system_number");

    return fota_geo_place(loc, lat, lon, postcode);
}
