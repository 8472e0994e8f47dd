/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The devices of a batch: found, registered, brought up to date. */

#include <stdlib.h>

#include "fota_version.h"

#include "ingest.h"
#include "sql_list.h"


#define FOTA_SEEN_MOVE_MS  (5 * 60 * 1000)
#define FOTA_DEVICE_WIDTH  19


typedef struct {
    uint32_t    tenant;
    fota_str_t  name;
    uint32_t    id;
    bool        auto_register;
} fota_ingest_product_t;


static int fota_ingest_record_cmp(const void *a, const void *b);
static int fota_ingest_device_cmp(const fota_ingest_device_t *d,
    uint32_t tenant, fota_str_t ext_id);
static int fota_ingest_collect(fota_ingest_t *in);
static int fota_ingest_products(fota_ingest_t *in);
static int fota_ingest_load(fota_ingest_t *in, bool missing);
static int fota_ingest_load_some(fota_ingest_t *in, size_t first, size_t n,
    bool missing);
static int fota_ingest_register(fota_ingest_t *in);
static void fota_ingest_set(fota_ingest_device_t *d, fota_str_t *old,
    fota_str_t new);


/* By tenant and device, then by time: the order of all further work. */

static int
fota_ingest_record_cmp(const void *a, const void *b)
{
    int                          rc;
    const fota_ingest_record_t  *x, *y;

    x = *(const fota_ingest_record_t *const *) a;
    y = *(const fota_ingest_record_t *const *) b;

    if (x->tenant != y->tenant) {
        return (x->tenant < y->tenant) ? -1 : 1;
    }

    rc = fota_str_cmp(x->device, y->device);

    if (rc != 0) {
        return rc;
    }

    if (x->recv != y->recv) {
        return (x->recv < y->recv) ? -1 : 1;
    }

    return (x->seq > y->seq) - (x->seq < y->seq);
}


static int
fota_ingest_device_cmp(const fota_ingest_device_t *d, uint32_t tenant,
    fota_str_t ext_id)
{
    if (d->tenant != tenant) {
        return (d->tenant < tenant) ? -1 : 1;
    }

    return fota_str_cmp(d->ext_id, ext_id);
}


static int
fota_ingest_collect(fota_ingest_t *in)
{
    size_t                  i, n;
    fota_ingest_device_t   *d;
    fota_ingest_record_t   *r, **order;

    order = fota_calloc(in->mem, in->n, sizeof(*order));
    in->devices = fota_calloc(in->mem, in->n, sizeof(fota_ingest_device_t));

    if (order == NULL || in->devices == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused == NULL && r->type != FOTA_I_BYTES) {
            order[n++] = r;
        }
    }

    qsort(order, n, sizeof(*order), fota_ingest_record_cmp);

    for (i = 0; i < n; i++) {
        r = order[i];
        d = (in->ndevices != 0) ? &in->devices[in->ndevices - 1] : NULL;

        if (d == NULL || fota_ingest_device_cmp(d, r->tenant, r->device) != 0)
        {
            d = &in->devices[in->ndevices++];
            d->tenant = r->tenant;
            d->ext_id = r->device;
        }

        /* The newest record says which product it is. */

        d->product = r->product;
        d->reports |= (r->type == FOTA_I_REPORT || r->rollout != 0);

        if (r->recv > d->seen) {
            d->seen = r->recv;
            d->node = r->node;
        }

        r->entry = (uint32_t) (d - in->devices);
    }

    return FOTA_OK;
}


static int
fota_ingest_products(fota_ingest_t *in)
{
    int                     rc;
    size_t                  i, j, n;
    fota_rows_t            *rows;
    fota_ingest_device_t   *d;
    fota_ingest_product_t  *list, *p;

    list = fota_calloc(in->mem, in->ndevices + 1, sizeof(*list));
    if (list == NULL) {
        return FOTA_NOMEM;
    }

    n = 0;

    for (i = 0; i < in->ndevices; i++) {
        d = &in->devices[i];

        /* From the end: neighbours usually are of one product. */

        for (j = n; j != 0; j--) {
            if (list[j - 1].tenant == d->tenant
                && fota_str_eq(list[j - 1].name, d->product))
            {
                break;
            }
        }

        if (j == 0) {
            p = &list[n++];
            p->tenant = d->tenant;
            p->name = d->product;

            rc = fota_db_first(in->db, &rows, "SELECT id, auto_register"
                               " FROM product WHERE tenant_id = ?"
                               " AND name = ?", "us", (uint64_t) d->tenant,
                               d->product);

            if (rc == FOTA_OK) {
                p->id = (uint32_t) fota_db_u64(rows, 0);
                p->auto_register = fota_db_u64(rows, 1) != 0;
            }

            fota_db_rows_end(rows);

            if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
                return rc;
            }

        } else {
            p = &list[j - 1];
        }

        d->product_id = p->id;
        d->auto_register = p->auto_register;
    }

    return FOTA_OK;
}


/* n devices of one tenant from first on. */

static int
fota_ingest_load_some(fota_ingest_t *in, size_t first, size_t n,
    bool missing)
{
    int                    rc;
    size_t                 i, k, lo, hi, mid;
    fota_str_t             ext;
    fota_rows_t           *rows;
    fota_db_arg_t          tenant, list[FOTA_SQL_LIST_MAX];
    fota_ingest_device_t  *d;

    tenant = fota_arg_u(in->devices[first].tenant);

    for (i = 0, k = 0; i < n; i++) {
        if (!missing || in->devices[first + i].id == 0) {
            list[k++] = fota_arg_s(in->devices[first + i].ext_id);
        }
    }

    if (k == 0) {
        return FOTA_OK;
    }

    rc = fota_sql_list(in->db, &rows, "SELECT d.ext_id, d.id, d.product_id,"
                       " d.version, d.kind, d.country, d.continent,"
                       " d.region_code, d.region, d.city, d.tz, d.asn,"
                       " d.last_reason, s.seen, d.country_id, d.region_id,"
                       " d.city_id FROM device d"
                       " LEFT JOIN device_seen s ON s.device_id = d.id"
                       " WHERE d.tenant_id = ? AND d.ext_id IN ", "",
                       &tenant, 1, list, k);
    if (rc != FOTA_OK) {
        return rc;
    }

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        ext = fota_db_str(rows, 0);
        lo = first;
        hi = first + n;

        while (lo < hi) {
            mid = lo + (hi - lo) / 2;

            if (fota_str_cmp(in->devices[mid].ext_id, ext) < 0) {
                lo = mid + 1;

            } else {
                hi = mid;
            }
        }

        if (lo == first + n || !fota_str_eq(in->devices[lo].ext_id, ext)) {
            continue;
        }

        d = &in->devices[lo];

        d->id = fota_db_u64(rows, 1);
        d->row_product = (uint32_t) fota_db_u64(rows, 2);
        d->version = fota_sql_dup(in->mem, rows, 3);
        d->at.kind = fota_sql_dup(in->mem, rows, 4);
        d->at.country = fota_sql_dup(in->mem, rows, 5);
        d->at.continent = fota_sql_dup(in->mem, rows, 6);
        d->at.region_code = fota_sql_dup(in->mem, rows, 7);
        d->at.region = fota_sql_dup(in->mem, rows, 8);
        d->at.city = fota_sql_dup(in->mem, rows, 9);
        d->at.tz = fota_sql_dup(in->mem, rows, 10);
        d->at.asn = (uint32_t) fota_db_u64(rows, 11);
        d->at.reason = fota_sql_dup(in->mem, rows, 12);
        d->row_seen = fota_db_i64(rows, 13);
        d->at.country_id = (uint32_t) fota_db_u64(rows, 14);
        d->at.region_id = (uint32_t) fota_db_u64(rows, 15);
        d->at.city_id = (uint32_t) fota_db_u64(rows, 16);
    }

    fota_db_rows_end(rows);

    return (rc == FOTA_NOTFOUND) ? FOTA_OK : rc;
}


static int
fota_ingest_load(fota_ingest_t *in, bool missing)
{
    int     rc;
    size_t  i, k;

    for (i = 0; i < in->ndevices; i += k) {
        for (k = 1; i + k < in->ndevices && k < FOTA_SQL_LIST_MAX
             && in->devices[i + k].tenant == in->devices[i].tenant; k++)
        {
            /* void */
        }

        rc = fota_ingest_load_some(in, i, k, missing);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


static int
fota_ingest_register(fota_ingest_t *in)
{
    int                    rc;
    size_t                 i, n;
    fota_db_arg_t         *args;
    fota_ingest_device_t  *d;

    args = fota_calloc(in->mem, in->ndevices + 1, 4 * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->ndevices; i++) {
        d = &in->devices[i];

        if (d->id == 0 && d->product_id != 0 && d->auto_register) {
            args[n * 4] = fota_arg_u(d->tenant);
            args[n * 4 + 1] = fota_arg_u(d->product_id);
            args[n * 4 + 2] = fota_arg_s(d->ext_id);
            args[n * 4 + 3] = fota_arg_i(in->now);
            n++;
        }
    }

    if (n == 0) {
        return FOTA_OK;
    }

    rc = fota_sql_rows(in->db, "INSERT IGNORE INTO device"
                       " (tenant_id, product_id, ext_id, created) VALUES",
                       "(?,?,?,?)", "", args, n, 4);

    return (rc == FOTA_OK) ? fota_ingest_load(in, true) : rc;
}


int
fota_ingest_devices(fota_ingest_t *in)
{
    int                    rc;
    size_t                 i;
    fota_ingest_device_t  *d;
    fota_ingest_record_t  *r;

    rc = fota_ingest_collect(in);

    if (rc == FOTA_OK) {
        rc = fota_ingest_products(in);
    }

    if (rc == FOTA_OK) {
        rc = fota_ingest_load(in, false);
    }

    if (rc == FOTA_OK) {
        rc = fota_ingest_register(in);
    }

    for (i = 0; i < in->n; i++) {
        r = &in->records[i];

        if (r->refused != NULL || r->type == FOTA_I_BYTES) {
            continue;
        }

        d = &in->devices[r->entry];

        if (d->product_id == 0) {
            r->refused = "no_product";
            r->detail = "the tenant has no such product";

        } else if (d->id == 0) {
            r->refused = "no_device";
            r->detail = "the device is not registered";
        }
    }

    return rc;
}


/*
 * Two batches with one device take turns: what they read of it afterwards
 * is what the other one wrote.  Ascending, so that they cannot cross.
 */

int
fota_ingest_devices_lock(fota_ingest_t *in)
{
    int             rc;
    size_t          i, j, n, k;
    uint64_t        id;
    fota_rows_t    *rows;
    fota_db_arg_t  *list, t;

    list = fota_calloc(in->mem, in->ndevices + 1, sizeof(fota_db_arg_t));
    if (list == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0; i < in->ndevices; i++) {
        id = in->devices[i].id;

        if (id == 0 || !in->devices[i].reports) {
            continue;
        }

        t = fota_arg_u(id);

        /* Ids nearly ascend with names: insertion is cheap. */

        for (j = n; j != 0 && list[j - 1].u > id; j--) {
            list[j] = list[j - 1];
        }

        list[j] = t;
        n++;
    }

    for (i = 0; i < n; i += k) {
        k = (n - i > FOTA_SQL_LIST_MAX) ? FOTA_SQL_LIST_MAX : n - i;

        rc = fota_sql_list(in->db, &rows,
                           "SELECT id FROM device WHERE id IN ",
                           " ORDER BY id FOR UPDATE", NULL, 0, list + i, k);
        if (rc != FOTA_OK) {
            return rc;
        }

        while ((rc = fota_db_row(rows)) == FOTA_OK) { /* void */ }

        fota_db_rows_end(rows);

        if (rc != FOTA_NOTFOUND) {
            return rc;
        }
    }

    return FOTA_OK;
}


static void
fota_ingest_set(fota_ingest_device_t *d, fota_str_t *old, fota_str_t new)
{
    if (new.data == NULL || fota_str_eq(*old, new)) {
        return;
    }

    *old = new;
    d->changed = true;
}


/* kind: of the software whose version the record says; empty = unknown. */

void
fota_ingest_device_move(fota_ingest_device_t *d,
    const fota_ingest_record_t *r, fota_str_t kind)
{
    const fota_ingest_seen_t  *s;

    /* Older than what the row says already. */

    if (r->recv < d->row_seen) {
        return;
    }

    s = &r->seen;

    /* A device with apps of its own has one version: its system's. */

    if (r->version.data != NULL
        && (kind.len == 0 || d->at.kind.len == 0
            || fota_str_eq(kind, d->at.kind)
            || fota_str_eq(kind, fota_cstr("os"))))
    {
        fota_ingest_set(d, &d->version, r->version);
        fota_ingest_set(d, &d->at.kind, kind.len ? kind : s->kind);
    }

    fota_ingest_set(d, &d->at.country, s->country);
    fota_ingest_set(d, &d->at.continent, s->continent);
    fota_ingest_set(d, &d->at.region_code, s->region_code);
    fota_ingest_set(d, &d->at.region, s->region);
    fota_ingest_set(d, &d->at.city, s->city);
    fota_ingest_set(d, &d->at.tz, s->tz);
    fota_ingest_set(d, &d->at.reason, s->reason);

    if (s->attrs != NULL) {
        d->at.attrs = s->attrs;
    }

    /* Ids are of the place named: an old one must not outlive its name. */

    if (s->country.len != 0
        && (s->country_id != d->at.country_id
            || s->region_id != d->at.region_id
            || s->city_id != d->at.city_id))
    {
        d->at.country_id = s->country_id;
        d->at.region_id = s->region_id;
        d->at.city_id = s->city_id;
        d->changed = true;
    }

    if (s->asn != 0 && s->asn != d->at.asn) {
        d->at.asn = s->asn;
        d->changed = true;
    }
}


int
fota_ingest_devices_write(fota_ingest_t *in)
{
    int                    rc;
    size_t                 i, n, nseen, len;
    uint8_t               *key;
    fota_db_arg_t         *args, *seen, *a;
    fota_ingest_device_t  *d;

    args = fota_calloc(in->mem, in->ndevices + 1,
                       FOTA_DEVICE_WIDTH * sizeof(fota_db_arg_t));
    seen = fota_calloc(in->mem, in->ndevices + 1, 3 * sizeof(fota_db_arg_t));

    if (args == NULL || seen == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, n = 0, nseen = 0; i < in->ndevices; i++) {
        d = &in->devices[i];

        if (d->id == 0 || d->product_id == 0) {
            continue;
        }

        if (d->row_product != d->product_id && d->auto_register
            && d->seen >= d->row_seen)
        {
            d->row_product = d->product_id;
            d->changed = true;
        }

        if (d->changed || d->seen - d->row_seen > FOTA_SEEN_MOVE_MS) {
            seen[nseen * 3] = fota_arg_u(d->id);
            seen[nseen * 3 + 1] = fota_arg_i(d->seen);
            seen[nseen * 3 + 2] = fota_arg_u(d->node);
            nseen++;
        }

        if (!d->changed) {
            continue;
        }

        key = fota_alloc(in->mem, FOTA_VERSION_KEY_MAX);
        if (key == NULL) {
            return FOTA_NOMEM;
        }

        len = (d->version.len != 0) ? fota_version_key(key, d->version) : 0;

        a = args + n++ * FOTA_DEVICE_WIDTH;

        *a++ = fota_arg_u(d->id);
        *a++ = fota_arg_u(d->tenant);
        *a++ = fota_arg_u(d->row_product);
        *a++ = fota_arg_s(d->ext_id);
        *a++ = fota_arg_s(d->version);
        *a++ = fota_arg_s(fota_slice((len != 0) ? key : NULL, len));
        *a++ = fota_arg_s(d->at.kind);
        *a++ = fota_arg_s(d->at.country);
        *a++ = fota_arg_s(d->at.continent);
        *a++ = fota_arg_s(d->at.region_code);
        *a++ = fota_arg_s(d->at.region);
        *a++ = fota_arg_s(d->at.city);
        *a++ = fota_arg_u(d->at.country_id);
        *a++ = fota_arg_u(d->at.region_id);
        *a++ = fota_arg_u(d->at.city_id);
        *a++ = fota_arg_s(d->at.tz);
        *a++ = fota_arg_u(d->at.asn);
        *a++ = fota_arg_s(d->at.reason);
        *a = fota_arg_i(in->now);
    }

    rc = FOTA_OK;

    if (n != 0) {
        rc = fota_sql_rows(in->db, "INSERT INTO device (id, tenant_id,"
                           " product_id, ext_id, version, version_key, kind,"
                           " country, continent, region_code, region, city,"
                           " country_id, region_id, city_id, tz, asn,"
                           " last_reason, created) VALUES",
                           "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                           " ON DUPLICATE KEY UPDATE"
                           " product_id = VALUES(product_id),"
                           " version = VALUES(version),"
                           " version_key = VALUES(version_key),"
                           " kind = VALUES(kind),"
                           " country = VALUES(country),"
                           " continent = VALUES(continent),"
                           " region_code = VALUES(region_code),"
                           " region = VALUES(region), city = VALUES(city),"
                           " country_id = VALUES(country_id),"
                           " region_id = VALUES(region_id),"
                           " city_id = VALUES(city_id),"
                           " tz = VALUES(tz), asn = VALUES(asn),"
                           " last_reason = VALUES(last_reason)",
                           args, n, FOTA_DEVICE_WIDTH);
    }

    if (rc == FOTA_OK && nseen != 0) {
        rc = fota_sql_rows(in->db, "INSERT INTO device_seen (device_id, seen,"
                           " node_id) VALUES", "(?,?,?)",
                           " ON DUPLICATE KEY UPDATE node_id ="
                           " IF(VALUES(seen) > seen, VALUES(node_id),"
                           " node_id), seen = GREATEST(seen, VALUES(seen))",
                           seen, nseen, 3);
    }

    return rc;
}
