/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <math.h>

#include "fota_geo_record.h"


/* Types of the format. */

#define FOTA_MMDB_EXTENDED  0
#define FOTA_MMDB_POINTER   1
#define FOTA_MMDB_STRING    2
#define FOTA_MMDB_DOUBLE    3
#define FOTA_MMDB_UINT16    5
#define FOTA_MMDB_UINT32    6
#define FOTA_MMDB_MAP       7
#define FOTA_MMDB_INT32     8
#define FOTA_MMDB_UINT64    9
#define FOTA_MMDB_ARRAY     11
#define FOTA_MMDB_BOOL      14
#define FOTA_MMDB_FLOAT     15

/* Real records have some 100 values, four deep. */

#define FOTA_MMDB_VALUES    4096
#define FOTA_MMDB_DEPTH     16


typedef enum {
    FOTA_FIELD_TEXT = 0,
    FOTA_FIELD_CODE,            /* two letters */
    FOTA_FIELD_NUMBER,
    FOTA_FIELD_LAT,
    FOTA_FIELD_LON,
    FOTA_FIELD_POSTCODE,        /* only whether there is one */
    FOTA_FIELD_MAP,
    FOTA_FIELD_FIRST            /* of an array */
} fota_geo_field_e;


typedef struct fota_geo_field_s  fota_geo_field_t;

struct fota_geo_field_s {
    fota_str_t               name;
    fota_geo_field_e         kind;
    size_t                   offset;    /* in fota_location_t */
    size_t                   size;
    const fota_geo_field_t  *sub;       /* ends with an empty name */
};


typedef struct {
    uint8_t   type;
    uint32_t  size;             /* bytes, pairs, elements; the bool itself */
    size_t    payload;          /* offset; of a pointer: its target */
    size_t    next;             /* behind control bytes and a pointer */
} fota_mmdb_item_t;


typedef struct {
    const uint8_t    *data;
    size_t            size;
    uint32_t          left;     /* values yet to be looked at */
    fota_location_t  *loc;
    unsigned          lat:1;
    unsigned          lon:1;
    unsigned          postcode:1;
    unsigned          failed:1;
} fota_mmdb_t;


static bool fota_mmdb_item(const fota_mmdb_t *m, size_t at,
    fota_mmdb_item_t *item);
static size_t fota_mmdb_value(fota_mmdb_t *m, size_t at,
    const fota_geo_field_t *field, int depth);
static size_t fota_mmdb_key(fota_mmdb_t *m, size_t at, fota_str_t *key);
static void fota_mmdb_store(fota_mmdb_t *m, const fota_mmdb_item_t *item,
    const fota_geo_field_t *field);
static void fota_mmdb_text(const uint8_t *s, size_t n, char *out,
    size_t size);
static void fota_mmdb_code(const uint8_t *s, size_t n, char *out);
static bool fota_mmdb_degrees(const uint8_t *p, const fota_mmdb_item_t *item,
    double max, double *out);


#define FOTA_TEXT(name, member)                                               \
    { fota_string(name), FOTA_FIELD_TEXT, offsetof(fota_location_t, member),  \
      sizeof(((fota_location_t *) 0)->member), NULL }

#define FOTA_FIELD(name, kind, member)                                        \
    { fota_string(name), kind, offsetof(fota_location_t, member), 0, NULL }

#define FOTA_SUB(name, kind, table)                                           \
    { fota_string(name), kind, 0, 0, table }

#define FOTA_END                                                              \
    { fota_null_str, FOTA_FIELD_TEXT, 0, 0, NULL }


static const fota_geo_field_t  fota_geo_country_fields[] = {
    FOTA_FIELD("geoname_id", FOTA_FIELD_NUMBER, country_id),
    FOTA_FIELD("iso_code", FOTA_FIELD_CODE, country),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_continent_fields[] = {
    FOTA_FIELD("code", FOTA_FIELD_CODE, continent),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_city_names[] = {
    FOTA_TEXT("en", city),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_city_fields[] = {
    FOTA_FIELD("geoname_id", FOTA_FIELD_NUMBER, city_id),
    FOTA_SUB("names", FOTA_FIELD_MAP, fota_geo_city_names),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_region_names[] = {
    FOTA_TEXT("en", region),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_region_fields[] = {
    FOTA_FIELD("geoname_id", FOTA_FIELD_NUMBER, region_id),
    FOTA_TEXT("iso_code", region_code),
    FOTA_SUB("names", FOTA_FIELD_MAP, fota_geo_region_names),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_region_element[] = {
    FOTA_SUB("", FOTA_FIELD_MAP, fota_geo_region_fields)
};

static const fota_geo_field_t  fota_geo_location_fields[] = {
    FOTA_FIELD("latitude", FOTA_FIELD_LAT, lat),
    FOTA_FIELD("longitude", FOTA_FIELD_LON, lon),
    FOTA_TEXT("time_zone", tz),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_postal_fields[] = {
    FOTA_FIELD("code", FOTA_FIELD_POSTCODE, city),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_maxmind_fields[] = {
    FOTA_SUB("city", FOTA_FIELD_MAP, fota_geo_city_fields),
    FOTA_SUB("continent", FOTA_FIELD_MAP, fota_geo_continent_fields),
    FOTA_SUB("country", FOTA_FIELD_MAP, fota_geo_country_fields),
    FOTA_SUB("location", FOTA_FIELD_MAP, fota_geo_location_fields),
    FOTA_SUB("postal", FOTA_FIELD_MAP, fota_geo_postal_fields),
    FOTA_SUB("subdivisions", FOTA_FIELD_FIRST, fota_geo_region_element),
    FOTA_FIELD("autonomous_system_number", FOTA_FIELD_NUMBER, asn),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_maxmind_root[] = {
    FOTA_SUB("", FOTA_FIELD_MAP, fota_geo_maxmind_fields)
};

static const fota_geo_field_t  fota_geo_flat_fields[] = {
    FOTA_TEXT("city", city),
    FOTA_FIELD("country_code", FOTA_FIELD_CODE, country),
    FOTA_FIELD("latitude", FOTA_FIELD_LAT, lat),
    FOTA_FIELD("longitude", FOTA_FIELD_LON, lon),
    FOTA_FIELD("postcode", FOTA_FIELD_POSTCODE, city),
    FOTA_TEXT("state1", region),
    FOTA_TEXT("timezone", tz),
    FOTA_FIELD("autonomous_system_number", FOTA_FIELD_NUMBER, asn),
    FOTA_END
};

static const fota_geo_field_t  fota_geo_flat_root[] = {
    FOTA_SUB("", FOTA_FIELD_MAP, fota_geo_flat_fields)
};


bool
fota_geo_record(const uint8_t *data, size_t size, size_t offset,
    fota_geo_layout_e layout, fota_location_t *loc)
{
    fota_mmdb_t  m;

    m.data = data;
    m.size = size;
    m.left = FOTA_MMDB_VALUES;
    m.loc = loc;
    m.lat = 0;
    m.lon = 0;
    m.postcode = 0;
    m.failed = 0;

    (void) fota_mmdb_value(&m, offset,
                           (layout == FOTA_GEO_FLAT) ? fota_geo_flat_root
                                                     : fota_geo_maxmind_root,
                           0);

    if (m.failed) {
        memset(loc, 0, sizeof(fota_location_t));
        return false;
    }

    loc->has_position = m.lat && m.lon;
    loc->centroid = loc->has_position && loc->city[0] == '\0' && !m.postcode;

    return loc->has_position || loc->country[0] != '\0'
           || loc->continent[0] != '\0' || loc->tz[0] != '\0'
           || loc->asn != 0;
}


/* Control byte, extended type, size, in that order. */

static bool
fota_mmdb_item(const fota_mmdb_t *m, size_t at, fota_mmdb_item_t *item)
{
    size_t          n, i;
    uint32_t        v;
    const uint8_t  *p;

    if (at >= m->size) {
        return false;
    }

    p = m->data + at;
    n = m->size - at;

    item->type = p[0] >> 5;

    if (item->type == FOTA_MMDB_POINTER) {
        i = ((p[0] >> 3) & 3u) + 1;

        if (n < 1 + i) {
            return false;
        }

        switch (i) {

        case 1:
            v = (p[0] & 7u) << 8 | p[1];
            break;

        case 2:
            v = ((p[0] & 7u) << 16 | (uint32_t) p[1] << 8 | p[2]) + 2048;
            break;

        case 3:
            v = ((p[0] & 7u) << 24 | (uint32_t) p[1] << 16
                 | (uint32_t) p[2] << 8 | p[3]) + 526336;
            break;

        default:
            v = (uint32_t) p[1] << 24 | (uint32_t) p[2] << 16
                | (uint32_t) p[3] << 8 | p[4];
            break;
        }

        item->size = 0;
        item->payload = v;
        item->next = at + 1 + i;

        return true;
    }

    i = 1;

    if (item->type == FOTA_MMDB_EXTENDED) {

        if (n < 2) {
            return false;
        }

        item->type = (p[1] <= 8) ? (uint8_t) (7 + p[1]) : 0;
        i = 2;

        if (item->type < FOTA_MMDB_INT32) {
            return false;
        }
    }

    v = p[0] & 31;

    if (v >= 29) {

        if (n < i + (v - 28)) {
            return false;
        }

        switch (v) {

        case 29:
            v = 29u + p[i];
            i += 1;
            break;

        case 30:
            v = 285 + ((uint32_t) p[i] << 8 | p[i + 1]);
            i += 2;
            break;

        default:
            v = 65821 + ((uint32_t) p[i] << 16 | (uint32_t) p[i + 1] << 8
                         | p[i + 2]);
            i += 3;
            break;
        }
    }

    item->size = v;
    item->payload = at + i;
    item->next = at + i;

    if (item->type == FOTA_MMDB_MAP || item->type == FOTA_MMDB_ARRAY
        || item->type == FOTA_MMDB_BOOL)
    {
        return true;
    }

    item->next += v;

    return v <= n - i;
}


/* Offset behind the value; field is NULL when it is only passed over. */

static size_t
fota_mmdb_value(fota_mmdb_t *m, size_t at, const fota_geo_field_t *field,
    int depth)
{
    uint32_t                 i;
    fota_str_t               key;
    fota_mmdb_item_t         item, target;
    const fota_geo_field_t  *sub;

    if (m->left-- == 0 || depth > FOTA_MMDB_DEPTH
        || !fota_mmdb_item(m, at, &item))
    {
        goto failed;
    }

    switch (item.type) {

    case FOTA_MMDB_POINTER:

        if (field == NULL) {
            return item.next;
        }

        /* One that leads to another is not allowed, nor is a circle. */

        if (!fota_mmdb_item(m, item.payload, &target)
            || target.type == FOTA_MMDB_POINTER)
        {
            goto failed;
        }

        (void) fota_mmdb_value(m, item.payload, field, depth + 1);

        return item.next;

    case FOTA_MMDB_MAP:
        at = item.next;

        for (i = 0; i < item.size && !m->failed; i++) {
            at = fota_mmdb_key(m, at, &key);
            sub = NULL;

            if (field != NULL && field->kind == FOTA_FIELD_MAP) {
                for (sub = field->sub;
                     sub->name.len != 0 && !fota_str_eq(sub->name, key);
                     sub++)
                {
                    /* void */
                }

                if (sub->name.len == 0) {
                    sub = NULL;
                }
            }

            at = fota_mmdb_value(m, at, sub, depth + 1);
        }

        return at;

    case FOTA_MMDB_ARRAY:
        at = item.next;

        for (i = 0; i < item.size && !m->failed; i++) {
            sub = (field != NULL && field->kind == FOTA_FIELD_FIRST && i == 0)
                  ? field->sub : NULL;

            at = fota_mmdb_value(m, at, sub, depth + 1);
        }

        return at;

    default:

        if (field != NULL) {
            fota_mmdb_store(m, &item, field);
        }

        return item.next;
    }

failed:

    m->failed = 1;
    m->left = 0;

    return m->size;
}


static size_t
fota_mmdb_key(fota_mmdb_t *m, size_t at, fota_str_t *key)
{
    size_t            next;
    fota_mmdb_item_t  item;

    *key = fota_slice(NULL, 0);

    if (!fota_mmdb_item(m, at, &item)) {
        goto failed;
    }

    next = item.next;

    if (item.type == FOTA_MMDB_POINTER
        && !fota_mmdb_item(m, item.payload, &item))
    {
        goto failed;
    }

    if (item.type != FOTA_MMDB_STRING) {
        goto failed;
    }

    *key = fota_slice(m->data + item.payload, item.size);

    return next;

failed:

    m->failed = 1;

    return m->size;
}


static void
fota_mmdb_store(fota_mmdb_t *m, const fota_mmdb_item_t *item,
    const fota_geo_field_t *field)
{
    void            *out;
    uint32_t         i;
    uint64_t         v;
    const uint8_t   *p;

    p = m->data + item->payload;
    out = (char *) m->loc + field->offset;

    switch (field->kind) {

    case FOTA_FIELD_TEXT:
        if (item->type == FOTA_MMDB_STRING) {
            fota_mmdb_text(p, item->size, out, field->size);
        }

        break;

    case FOTA_FIELD_CODE:
        if (item->type == FOTA_MMDB_STRING) {
            fota_mmdb_code(p, item->size, out);
        }

        break;

    case FOTA_FIELD_POSTCODE:
        m->postcode |= (item->type == FOTA_MMDB_STRING && item->size != 0);
        break;

    case FOTA_FIELD_NUMBER:
        if ((item->type == FOTA_MMDB_UINT16 || item->type == FOTA_MMDB_UINT32
             || item->type == FOTA_MMDB_UINT64) && item->size <= 8)
        {
            v = 0;

            for (i = 0; i < item->size; i++) {
                v = v << 8 | p[i];
            }

            if (v <= UINT32_MAX) {
                *(uint32_t *) out = (uint32_t) v;
            }
        }

        break;

    case FOTA_FIELD_LAT:
        m->lat |= fota_mmdb_degrees(p, item, 90, out);
        break;

    case FOTA_FIELD_LON:
        m->lon |= fota_mmdb_degrees(p, item, 180, out);
        break;

    default: /* a map or an array was expected */
        break;
    }
}


/* Cut to whole characters where it is too long. */

static void
fota_mmdb_text(const uint8_t *s, size_t n, char *out, size_t size)
{
    if (n > size - 1) {
        n = size - 1;

        while (n != 0 && (s[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    if (fota_str_utf8(fota_slice(s, n))) {
        memcpy(out, s, n);
        out[n] = '\0';
    }
}


static void
fota_mmdb_code(const uint8_t *s, size_t n, char *out)
{
    char  a, b;

    if (n != 2) {
        return;
    }

    a = (char) (s[0] & ~0x20);
    b = (char) (s[1] & ~0x20);

    if (a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z') {
        out[0] = a;
        out[1] = b;
        out[2] = '\0';
    }
}


static bool
fota_mmdb_degrees(const uint8_t *p, const fota_mmdb_item_t *item, double max,
    double *out)
{
    float     f;
    double    v;
    uint32_t  i, u32;
    uint64_t  u64;

    u64 = 0;

    if (item->type == FOTA_MMDB_DOUBLE && item->size == 8) {
        memcpy(&u64, p, 8);
        u64 = __builtin_bswap64(u64);
        memcpy(&v, &u64, 8);

    } else if (item->type == FOTA_MMDB_FLOAT && item->size == 4) {
        memcpy(&u32, p, 4);
        u32 = __builtin_bswap32(u32);
        memcpy(&f, &u32, 4);
        v = f;

    } else if ((item->type == FOTA_MMDB_INT32
                || item->type == FOTA_MMDB_UINT32) && item->size <= 4)
    {
        for (i = 0; i < item->size; i++) {
            u64 = u64 << 8 | p[i];
        }

        v = (item->type == FOTA_MMDB_INT32) ? (double) (int32_t) u64
                                            : (double) u64;

    } else {
        return false;
    }

    /* NaN is refused too. */

    if (!(fabs(v) <= max)) {
        return false;
    }

    *out = v;

    return true;
}
