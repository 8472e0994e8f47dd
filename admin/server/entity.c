/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "entity.h"
#include "fota_encode.h"


bool
fota_page_text(fota_req_t *req, fota_page_t *page)
{
    fota_str_t  s;

    memset(page, 0, sizeof(*page));
    page->after = fota_req_query(req, "after");

    if (page->after.data == NULL) {
        page->after = fota_slice("", 0);
    }

    if (page->after.len > 512 || !fota_str_utf8(page->after)) {
        return fota_res_bad(req, "field_limit", "after",
                            "\"after\" is \"next\" of the page before, at most "
                            "512 bytes of UTF-8");
    }

    s = fota_req_query(req, "limit");
    page->limit = FOTA_PAGE_DEFAULT;

    if (s.data != NULL
        && (fota_str_u64(s, FOTA_PAGE_MAX, &page->limit) != FOTA_OK
            || page->limit == 0))
    {
        return fota_res_bad(req, "field_limit", "limit",
                            "\"limit\" must be between 1 and %d",
                            FOTA_PAGE_MAX);
    }

    return true;
}


bool
fota_page_number(fota_req_t *req, fota_page_t *page, uint64_t first)
{
    if (!fota_page_text(req, page)) {
        return false;
    }

    page->after_id = first;

    if (page->after.len > 0
        && fota_str_u64(page->after, INT64_MAX, &page->after_id) != FOTA_OK)
    {
        return fota_res_bad(req, "field_type", "after",
                            "\"after\" is \"next\" of the page before, a "
                            "number");
    }

    return true;
}


int
fota_page_answer(fota_req_t *req, int rc, fota_rows_t *rows,
    const fota_page_t *page, unsigned key, fota_item_pt item)
{
    json_t   *items, *next, *one, *answer;
    uint64_t  n;

    if (rc != FOTA_OK) {
        return rc;
    }

    items = json_array();
    next = NULL;
    n = 0;

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        if (n++ == page->limit) {
            break;
        }

        one = item(req, rows);

        if (one == NULL || json_array_append_new(items, one) != 0) {
            rc = FOTA_ERROR;
            n = 0;
            break;
        }

        if (n == page->limit) {
            next = fota_json_text(fota_db_str(rows, key));
        }
    }

    fota_db_rows_end(rows);

    if (n <= page->limit && next != NULL) {
        json_decref(next);
        next = NULL;
    }

    if (rc != FOTA_OK && rc != FOTA_NOTFOUND) {
        json_decref(items);
        return rc;
    }

    answer = json_object();
    json_object_set_new(answer, "items", items);
    json_object_set_new(answer, "next", next != NULL ? next : json_null());

    return fota_res_json(req, 200, answer);
}


int
fota_list_answer(fota_req_t *req, int rc, fota_rows_t *rows,
    fota_item_pt item)
{
    fota_page_t  page;

    memset(&page, 0, sizeof(page));
    page.limit = UINT64_MAX;

    return fota_page_answer(req, rc, rows, &page, 0, item);
}


int
fota_row_one(fota_req_t *req, int rc, fota_rows_t *rows, const char *kind,
    fota_item_pt item, json_t **out)
{
    *out = NULL;

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_row(rows);

    if (rc == FOTA_OK) {
        *out = item(req, rows);
        rc = *out != NULL ? FOTA_OK : FOTA_ERROR;
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, kind) : rc;
}


int
fota_unknown(fota_req_t *req, const char *kind)
{
    char  code[64];

    snprintf(code, sizeof(code), "%s_unknown", kind);
    (void) fota_res_problem(req, 404, code, kind, "there is no such %s",
                            kind);
    return FOTA_NOTFOUND;
}


int
fota_exists(fota_req_t *req, const char *kind, const char *field)
{
    char  code[64];

    snprintf(code, sizeof(code), "%s_exists", kind);
    (void) fota_res_problem(req, 409, code, field,
                            "there is a %s like this already", kind);
    return FOTA_EXISTS;
}


static int
fota_too_long(fota_req_t *req, const char *field, fota_str_t name,
    size_t max)
{
    (void) fota_res_problem(req, 400, "field_limit", field,
                            "\"%s\" has %zu bytes; the limit is %zu", field,
                            name.len, max);
    return FOTA_NOTFOUND;
}


static int
fota_find(fota_req_t *req, const char *kind, const char *sql, fota_str_t name,
    size_t max, uint64_t *id)
{
    int  rc;

    *id = 0;

    if (name.len > max) {
        return fota_too_long(req, kind, name, max);
    }

    rc = name.len == 0 || fota_str_blank(name)
         ? FOTA_NOTFOUND
         : fota_db_number(req->db, id, sql, "us", fota_u64(req->tenant_id),
                          name);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, kind) : rc;
}


int
fota_lock(fota_req_t *req, const char *sql, uint64_t tenant, fota_str_t name)
{
    int       rc;
    uint64_t  id;

    rc = fota_db_number(req->db, &id, sql, "us", tenant, name);

    return rc == FOTA_NOTFOUND ? FOTA_OK : rc;
}


static int
fota_find_name(fota_req_t *req, const char *kind, const char *sql,
    fota_str_t name, uint32_t *id)
{
    int       rc;
    uint64_t  v;

    rc = fota_find(req, kind, sql, name, FOTA_NAME_MAX, &v);
    *id = (uint32_t) v;

    return rc;
}


int
fota_find_product(fota_req_t *req, fota_str_t name, uint32_t *id)
{
    return fota_find_name(req, "product", "SELECT id FROM product"
                          " WHERE tenant_id = ? AND name = ?", name, id);
}


int
fota_find_group(fota_req_t *req, fota_str_t name, uint32_t *id)
{
    return fota_find_name(req, "group", "SELECT id FROM device_group"
                          " WHERE tenant_id = ? AND name = ?", name, id);
}


int
fota_find_device(fota_req_t *req, fota_str_t ext_id, uint64_t *id)
{
    return fota_find(req, "device", "SELECT id FROM device"
                     " WHERE tenant_id = ? AND ext_id = ?", ext_id,
                     FOTA_ID_MAX, id);
}


/* Nodes belong to the platform; no tenant in this one. */

int
fota_find_node(fota_req_t *req, fota_str_t name, uint32_t *id)
{
    int       rc;
    uint64_t  v;

    *id = 0;

    if (name.len > FOTA_NAME_MAX) {
        return fota_too_long(req, "node", name, FOTA_NAME_MAX);
    }

    rc = fota_db_number(req->db, &v, "SELECT id FROM node WHERE name = ?",
                        "s", name);
    *id = (uint32_t) v;

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "node") : rc;
}


int
fota_check_node_group(fota_req_t *req, uint64_t id, const char *kind)
{
    int   rc;
    bool  there;

    rc = fota_db_exists(req->db, &there, "SELECT 1 FROM node_group"
                        " WHERE id = ? AND id > 0", "u", id);

    return rc == FOTA_OK && !there ? fota_unknown(req, kind) : rc;
}


int
fota_find_firmware(fota_req_t *req, uint32_t product, fota_str_t kind,
    fota_str_t version, uint32_t *id)
{
    int       rc;
    uint64_t  v;

    rc = fota_db_number(req->db, &v, "SELECT id FROM firmware"
             " WHERE tenant_id = ? AND product_id = ? AND kind = ?"
             " AND version = ?", "uuss", fota_u64(req->tenant_id),
             fota_u64(product), kind, version);
    *id = (uint32_t) v;

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "firmware") : rc;
}


size_t
fota_word_span(fota_str_t s, const char *more)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || memchr(more, c, strlen(more)) != NULL))
        {
            break;
        }
    }

    return i;
}


bool
fota_param_id(fota_req_t *req, const char *name, const char *kind,
    uint64_t *id)
{
    if (fota_str_u64(fota_req_param(req, name), INT64_MAX, id) == FOTA_OK) {
        return true;
    }

    (void) fota_unknown(req, kind);

    return false;
}


void
fota_merge(json_t *base, json_t *body, const char *const *nullable)
{
    size_t       i;
    json_t      *v;
    const char  *key;

    json_object_foreach(body, key, v) {
        if (json_is_null(v)) {
            for (i = 0; nullable != NULL && nullable[i] != NULL; i++) {
                if (strcmp(nullable[i], key) == 0) {
                    break;
                }
            }

            if (nullable == NULL || nullable[i] == NULL) {
                continue;
            }
        }

        json_object_set(base, key, v);
    }
}


uint64_t
fota_mu(json_t *obj, const char *name)
{
    return (uint64_t) fota_mi(obj, name);
}


int64_t
fota_mi(json_t *obj, const char *name)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (json_is_boolean(v)) {
        return json_is_true(v);
    }

    return json_integer_value(v);
}


double
fota_md(json_t *obj, const char *name)
{
    return json_number_value(json_object_get(obj, name));
}


fota_str_t
fota_ms(json_t *obj, const char *name)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (!json_is_string(v)) {
        return fota_slice(NULL, 0);
    }

    return fota_slice(json_string_value(v), json_string_length(v));
}


json_t *
fota_cell(fota_rows_t *rows, unsigned col)
{
    return fota_db_null(rows, col) ? json_null()
                                   : fota_json_text(fota_db_str(rows, col));
}


json_t *
fota_cell_int(fota_rows_t *rows, unsigned col)
{
    return fota_db_null(rows, col) ? json_null()
                                   : json_integer(fota_db_i64(rows, col));
}


json_t *
fota_cell_bool(fota_rows_t *rows, unsigned col)
{
    return json_boolean(fota_db_i64(rows, col) != 0);
}


json_t *
fota_bits_json(uint64_t bits, const char *const *words, size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        if (bits >> i & 1) {
            json_array_append_new(list, json_string(words[i]));
        }
    }

    return list;
}


static bool
fota_word_refuse(fota_req_t *req, const char *name, const char *const *words,
    size_t n)
{
    char    text[256];
    size_t  i, len;

    len = 0;
    text[0] = '\0';

    for (i = 0; i < n && len < sizeof(text); i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s",
                                 i > 0 ? ", " : "", words[i]);
    }

    return fota_res_bad(req, "field_value", name, "\"%s\" takes %s", name,
                        text);
}


static size_t
fota_word_index(json_t *v, const char *const *words, size_t n)
{
    size_t  i;

    for (i = 0; i < n && json_is_string(v); i++) {
        if (strcmp(words[i], json_string_value(v)) == 0) {
            return i;
        }
    }

    return n;
}


uint64_t
fota_bits_of(json_t *list, const char *const *words, size_t n)
{
    size_t    i, k;
    uint64_t  bits;

    bits = 0;

    for (i = 0; i < json_array_size(list); i++) {
        k = fota_word_index(json_array_get(list, i), words, n);

        if (k < n) {
            bits |= UINT64_C(1) << k;
        }
    }

    return bits;
}


bool
fota_bits_parse(fota_req_t *req, const char *name, const char *const *words,
    size_t n, uint64_t *bits)
{
    size_t    i, k;
    json_t   *list;
    uint64_t  set;

    if (!fota_json_list(req, name, n, &list)) {
        return false;
    }

    if (list == NULL) {
        return true;
    }

    set = 0;

    for (i = 0; i < json_array_size(list); i++) {
        k = fota_word_index(json_array_get(list, i), words, n);

        if (k == n) {
            return fota_word_refuse(req, name, words, n);
        }

        set |= UINT64_C(1) << k;
    }

    *bits = set;

    return true;
}


bool
fota_json_word(fota_req_t *req, const char *name, const char *const *words,
    size_t n, uint64_t *index)
{
    size_t       k;
    fota_str_t   s;

    s = fota_slice(NULL, 0);

    if (!fota_json_str(req, name, false, 64, &s)) {
        return false;
    }

    if (s.data == NULL) {
        return true;
    }

    k = fota_word_index(json_object_get(req->json, name), words, n);

    if (k == n) {
        return fota_word_refuse(req, name, words, n);
    }

    *index = k;

    return true;
}


bool
fota_json_base64(fota_req_t *req, const char *name, size_t len, uint8_t *out,
    bool *given)
{
    size_t      n;
    uint8_t     bytes[256];
    fota_str_t  s;

    s = fota_slice(NULL, 0);
    *given = false;

    if (!fota_json_str(req, name, false, sizeof(bytes), &s)) {
        return false;
    }

    if (s.data == NULL) {
        return true;
    }

    if (fota_base64_decode(bytes, sizeof(bytes), s, &n) != FOTA_OK
        || n != len)
    {
        return fota_res_bad(req, "field_value", name,
                            "\"%s\" must be %zu bytes in base64", name, len);
    }

    memcpy(out, bytes, len);
    *given = true;

    return true;
}


int
fota_outbox_products(fota_db_t *db, uint32_t tenant)
{
    return fota_db_exec(db, "INSERT INTO outbox (tbl, tenant_id, object_id,"
               " created) SELECT ?, tenant_id, id, ? FROM product"
               " WHERE tenant_id = ?", "uiu", fota_u64(FOTA_T_PRODUCT),
               fota_now_ms(), fota_u64(tenant));
}
