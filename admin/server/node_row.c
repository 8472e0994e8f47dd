/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "entity.h"
#include "node_row.h"


/* Next item of a comma list; false at the end. */

static bool
fota_node_next(fota_str_t *s, fota_str_t *item)
{
    const uint8_t  *comma;

    if (s->len == 0) {
        return false;
    }

    comma = memchr(s->data, ',', s->len);
    item->data = s->data;
    item->len = comma != NULL ? (size_t) (comma - s->data) : s->len;

    s->data += item->len + (comma != NULL);
    s->len -= item->len + (comma != NULL);

    return true;
}


json_t *
fota_node_split(fota_str_t s, bool numbers)
{
    json_t      *list;
    uint64_t     v;
    fota_str_t   item;

    list = json_array();

    while (fota_node_next(&s, &item)) {
        if (!numbers) {
            json_array_append_new(list, fota_json_text(item));

        } else if (fota_str_u64(item, UINT32_MAX, &v) == FOTA_OK) {
            json_array_append_new(list, json_integer((json_int_t) v));
        }
    }

    return list;
}


json_t *
fota_node_tenants(fota_req_t *req, fota_str_t ids)
{
    int           rc;
    json_t       *list;
    uint64_t      id;
    fota_str_t    item;
    fota_rows_t  *rows;

    list = json_array();

    while (fota_node_next(&ids, &item)) {
        if (fota_str_u64(item, UINT32_MAX, &id) != FOTA_OK) {
            continue;
        }

        rc = fota_db_query(req->db, &rows, "SELECT name FROM tenant"
                           " WHERE id = ?", "u", id);
        if (rc != FOTA_OK) {
            json_decref(list);
            return NULL;
        }

        if (fota_db_row(rows) == FOTA_OK) {
            json_array_append_new(list, fota_cell(rows, 0));
        }

        fota_db_rows_end(rows);
    }

    return list;
}


int
fota_node_join(fota_req_t *req, json_t *list, bool tenants, char *out,
    size_t size)
{
    int          rc;
    size_t       i;
    json_t      *v;
    uint64_t     id;
    fota_buf_t   b;

    fota_buf_fixed(&b, out, size - 1);

    json_array_foreach(list, i, v) {
        if (i > 0) {
            fota_buf_u8(&b, ',');
        }

        if (json_is_integer(v)) {
            fota_buf_u64dec(&b, (uint64_t) json_integer_value(v));
            continue;
        }

        if (!tenants) {
            fota_buf_cstr(&b, json_string_value(v));
            continue;
        }

        rc = fota_db_number(req->db, &id, "SELECT id FROM tenant"
                            " WHERE name = ?", "z", json_string_value(v));

        if (rc == FOTA_NOTFOUND) {
            return fota_unknown(req, "tenant");
        }

        if (rc != FOTA_OK) {
            return rc;
        }

        fota_buf_u64dec(&b, id);
    }

    if (b.status != FOTA_OK) {
        return fota_res_refuse(req, 400, "field_limit", NULL,
                               "a list of the node is too long");
    }

    out[b.len] = '\0';

    return FOTA_OK;
}


bool
fota_node_check_lists(fota_req_t *req)
{
    size_t   i, len;
    json_t  *list, *v;

    if (!fota_json_list(req, "asns", FOTA_NODE_LIST_MAX, &list)) {
        return false;
    }

    json_array_foreach(list, i, v) {
        if (!json_is_integer(v) || json_integer_value(v) < 1
            || json_integer_value(v) > UINT32_MAX)
        {
            return fota_res_bad(req, "field_limit", "asns",
                                "\"asns\" holds numbers between 1 and "
                                "4294967295");
        }
    }

    if (!fota_json_list(req, "excluded", FOTA_NODE_LIST_MAX, &list)) {
        return false;
    }

    json_array_foreach(list, i, v) {
        if (json_string_length(v) != 2
            || strchr(json_string_value(v), ',') != NULL)
        {
            return fota_res_bad(req, "field_value", "excluded",
                                "\"excluded\" holds countries of two letters");
        }
    }

    if (!fota_json_list(req, "tenants", FOTA_NODE_LIST_MAX, &list)) {
        return false;
    }

    json_array_foreach(list, i, v) {
        len = json_string_length(v);

        if (!json_is_string(v) || len == 0 || len > FOTA_NAME_MAX) {
            return fota_res_bad(req, "field_value", "tenants",
                                "\"tenants\" holds names of 1 to %d bytes",
                                FOTA_NAME_MAX);
        }
    }

    return true;
}
