/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Lists of members: a few in JSON, a million as a stream of CSV. */


#include "api_device.h"
#include "entity.h"
#include "group_members.h"


#define FOTA_IMPORT_BODY   (UINT64_C(4) << 30)
#define FOTA_MEMBERS_MAX   10000
#define FOTA_MEMBERS_BODY  (8 * 1024 * 1024)


/* PUT text/csv */


static int
fota_import_begin(fota_req_t *req)
{
    int             rc;
    fota_str_t      mode, create;
    fota_import_t  *im;

    static const char *const  modes[] = { "add", "replace", NULL };
    static const char *const  creates[] = { "0", "1", NULL };

    if (!fota_req_query_word(req, "mode", modes, &mode)
        || !fota_req_query_word(req, "create", creates, &create))
    {
        return FOTA_OK;
    }

    rc = fota_import_open(req, &im);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_str_eq(create, fota_cstr("1"))) {
        rc = fota_find_product(req, fota_req_query(req, "product"),
                               &im->product);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_str_eq(mode, fota_cstr("replace"))
           ? fota_import_replace(req, im) : FOTA_OK;
}


static int
fota_import_body(fota_req_t *req, const void *data, size_t len)
{
    int  rc;

    if (req->state == NULL) {
        rc = fota_import_begin(req);

        if (rc != FOTA_OK || fota_res_set(req)) {
            return rc;
        }
    }

    return fota_csv_feed(req->state, data, len);
}


static int
fota_import_put(fota_req_t *req)
{
    return fota_import_end(req, req->state);
}


/* POST {"add":[],"remove":[]} */


static int
fota_import_list(fota_req_t *req, fota_import_t *im, const char *name)
{
    int         rc;
    size_t      i;
    json_t     *list, *v;
    fota_str_t  id;

    if (!fota_json_list(req, name, FOTA_MEMBERS_MAX, &list)) {
        return FOTA_INVALID;
    }

    rc = FOTA_OK;
    im->remove = strcmp(name, "remove") == 0;

    json_array_foreach(list, i, v) {
        id = fota_slice(json_string_value(v), json_string_length(v));
        im->csv.lines++;

        if (!json_is_string(v) || !fota_device_id_ok(id)) {
            fota_import_bad(im, i + 1, fota_slice("", 0), "bad_id");
            continue;
        }

        rc = fota_import_id(im, i + 1, id);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_import_flush(im);
}


static int
fota_import_post(fota_req_t *req)
{
    int             rc;
    fota_import_t  *im;

    static const char *const  names[] = { "add", "remove", NULL };

    if (!fota_json_only(req, names)) {
        return FOTA_OK;
    }

    rc = fota_import_open(req, &im);

    if (rc == FOTA_OK) {
        rc = fota_import_list(req, im, "add");
    }

    if (rc == FOTA_OK) {
        rc = fota_import_list(req, im, "remove");
    }

    return rc == FOTA_OK ? fota_import_end(req, im) : rc;
}


static const fota_route_t  fota_import_table[] = {
    { "PUT", "/api/v1/groups/{group}/members", "group:update",
      fota_import_put, fota_import_body, FOTA_IMPORT_BODY, 0 },
    { "POST", "/api/v1/groups/{group}/members", "group:update",
      fota_import_post, NULL, FOTA_MEMBERS_BODY, 0 }
};

FOTA_ROUTE_SET(group_import, fota_import_table);
