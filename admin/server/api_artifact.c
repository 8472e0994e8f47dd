/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Artifacts: a file of the store that brings a device to a version, signed
 * with the key of the tenant over the manifest.
 */


#include <stdio.h>
#include <unistd.h>

#include "artifact_sign.h"
#include "device_filter.h"
#include "entity.h"
#include "fota_encode.h"


#define FOTA_ARTIFACT_COLUMNS                                                 \
    "a.id, p.name, f.kind, f.version, b.version, a.sha256, a.size, a.format," \
    " a.name, a.requires, a.sig, a.sig_kid, a.published, a.product_id"

#define FOTA_ARTIFACT_FROM                                                    \
    " FROM artifact a JOIN product p ON p.tenant_id = a.tenant_id"            \
    " AND p.id = a.product_id JOIN firmware f ON f.tenant_id = a.tenant_id"   \
    " AND f.id = a.firmware_id LEFT JOIN firmware b"                          \
    " ON b.tenant_id = a.tenant_id AND b.id = a.from_id"


/* In the name of a file, beside letters and digits. */
#define FOTA_ARTIFACT_CHARS  "._+-~"


typedef struct {
    bool        given;          /* a signature is in the body */
    uint8_t     sig[64];
    uint8_t     sha[32];
    uint64_t    size;
    fota_str_t  name;
} fota_artifact_in_t;


static json_t *fota_artifact_json(fota_req_t *req, fota_rows_t *rows);
static int fota_artifact_get(fota_req_t *req, uint64_t id, json_t **out);
static bool fota_artifact_name(fota_req_t *req, fota_str_t name);
static int fota_artifact_file(fota_req_t *req, fota_artifact_in_t *in);
static int fota_artifact_publish(fota_req_t *req, uint64_t id,
    uint64_t product);


static json_t *
fota_artifact_json(fota_req_t *req, fota_rows_t *rows)
{
    char         text[96];
    json_t      *v;
    fota_str_t   s;

    v = json_object();
    json_object_set_new(v, "id", fota_cell_int(rows, 0));
    json_object_set_new(v, "product", fota_cell(rows, 1));
    json_object_set_new(v, "kind", fota_cell(rows, 2));
    json_object_set_new(v, "version", fota_cell(rows, 3));
    json_object_set_new(v, "type", json_string(fota_db_null(rows, 4)
                                               ? "full" : "delta"));
    json_object_set_new(v, "from", fota_cell(rows, 4));
    s = fota_db_str(rows, 5);
    json_object_set_new(v, "sha256", fota_json_hex(s.data, s.len));
    json_object_set_new(v, "size", fota_cell_int(rows, 6));
    json_object_set_new(v, "format", fota_cell(rows, 7));
    json_object_set_new(v, "name", fota_cell(rows, 8));
    json_object_set_new(v, "requires", fota_cell(rows, 9));

    s = fota_db_str(rows, 10);
    json_object_set_new(v, "signed", json_boolean(s.len == 64));

    if (s.len == 64) {
        text[fota_base64_encode(text, s.data, 64)] = '\0';
        json_object_set_new(v, "signature", json_string(text));
    } else {
        json_object_set_new(v, "signature", json_null());
    }

    json_object_set_new(v, "kid", fota_cell_int(rows, 11));
    json_object_set_new(v, "published_ms", fota_cell_int(rows, 12));

    return v;
}


static int
fota_artifact_get(fota_req_t *req, uint64_t id, json_t **out)
{
    int           rc;
    fota_rows_t  *rows;

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_ARTIFACT_COLUMNS
             FOTA_ARTIFACT_FROM " WHERE a.tenant_id = ? AND a.id = ?", "uu",
             fota_u64(req->tenant_id), id);

    return fota_row_one(req, rc, rows, "artifact", fota_artifact_json, out);
}


static int
fota_artifact_list(fota_req_t *req)
{
    int           rc;
    uint32_t      product;
    fota_page_t   page;
    fota_rows_t  *rows;

    if (!fota_page_number(req, &page, INT64_MAX)) {
        return FOTA_OK;
    }

    rc = fota_find_product(req, fota_req_param(req, "product"), &product);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_query(req->db, &rows, "SELECT " FOTA_ARTIFACT_COLUMNS
             FOTA_ARTIFACT_FROM " WHERE a.tenant_id = ?"
             " AND a.product_id = ? AND a.id < ? ORDER BY a.id DESC"
             " LIMIT ?", "uuuu", fota_u64(req->tenant_id),
             fota_u64(product), page.after_id, page.limit + 1);

    return fota_page_answer(req, rc, rows, &page, 0, fota_artifact_json);
}


static int
fota_artifact_show(fota_req_t *req)
{
    int        rc;
    json_t    *v;
    uint64_t   id;

    if (!fota_param_id(req, "artifact", "artifact", &id)) {
        return FOTA_OK;
    }

    rc = fota_artifact_get(req, id, &v);

    return rc == FOTA_OK ? fota_res_json(req, 200, v) : rc;
}


/* It becomes the last part of a URL. */

static bool
fota_artifact_name(fota_req_t *req, fota_str_t name)
{
    if (name.len > 0 && name.data[0] != '.'
        && fota_word_span(name, FOTA_ARTIFACT_CHARS) == name.len)
    {
        return true;
    }

    return fota_res_bad(req, "field_chars", "name",
                        "\"name\" takes letters, digits and \""
                        FOTA_ARTIFACT_CHARS "\", no dot in front");
}


static bool
fota_artifact_check(fota_req_t *req, fota_artifact_in_t *in)
{
    uint64_t    kind;
    fota_str_t  s;

    static const char *const  names[] = {
        "version", "kind", "from", "upload", "sha256", "format", "signature",
        "name", "requires", NULL
    };

    static const char *const  kinds[] = {
        "os", "app", "data"
    };

    kind = 0;
    s = fota_slice(NULL, 0);
    in->name = s;

    if (!fota_json_only(req, names)
        || !fota_json_str(req, "version", true, FOTA_VERSION_MAX, &s)
        || !fota_json_word(req, "kind", kinds, 3, &kind)
        || !fota_json_str(req, "from", false, FOTA_VERSION_MAX, &s)
        || !fota_json_str(req, "requires", false, FOTA_FILTER_TEXT_MAX, &s)
        || !fota_json_name(req, "name", false, FOTA_NAME_MAX, &in->name)
        || !fota_json_base64(req, "signature", 64, in->sig, &in->given)
        || !fota_json_str(req, "upload", false, 32, &s)
        || !fota_json_str(req, "sha256", false, 64, &s)
        || (in->name.data != NULL && !fota_artifact_name(req, in->name)))
    {
        return false;
    }

    if ((fota_ms(req->json, "upload").data == NULL)
        == (fota_ms(req->json, "sha256").data == NULL))
    {
        return fota_res_bad(req, "field_missing", "upload",
                            "one of \"upload\" and \"sha256\" is needed");
    }

    s = fota_cstr("raw");

    if (!fota_json_str(req, "format", false, 32, &s)) {
        return false;
    }

    if (s.len == 0 || fota_word_span(s, "._+-") < s.len) {
        return fota_res_bad(req, "field_chars", "format",
                            "\"format\" takes letters, digits and \"._+-\"");
    }

    return true;
}


/* What may not stand in a URL becomes "_", in place. */

static void
fota_artifact_rename(fota_str_t name)
{
    char    *p;
    size_t   i;

    p = (char *) name.data;
    i = name.len > 0 && p[0] == '.' ? 0
        : fota_word_span(name, FOTA_ARTIFACT_CHARS);

    while (i < name.len) {
        p[i] = '_';
        i += fota_word_span(fota_slice(p + i, name.len - i),
                            FOTA_ARTIFACT_CHARS);
    }
}


/* Hash and size of the file: of an upload, or of another artifact. */

static int
fota_artifact_file(fota_req_t *req, fota_artifact_in_t *in)
{
    int           rc;
    char          path[4096];
    fota_str_t    s;
    fota_rows_t  *rows;

    s = fota_ms(req->json, "upload");

    if (s.data != NULL) {
        rc = fota_db_first(req->db, &rows, "SELECT sha256, size, state, name"
                 " FROM upload WHERE tenant_id = ? AND id = ? FOR UPDATE",
                 "us", fota_u64(req->tenant_id), s);

    } else {
        if (fota_hex_decode(in->sha, 32, fota_ms(req->json, "sha256"))
            != FOTA_OK)
        {
            return fota_res_refuse(req, 400, "field_value", "sha256",
                                   "\"sha256\" must be 64 hex digits");
        }

        rc = fota_db_first(req->db, &rows, "SELECT sha256, size, 'complete',"
                 " name FROM artifact WHERE tenant_id = ? AND sha256 = ?"
                 " LIMIT 1", "us", fota_u64(req->tenant_id),
                 fota_slice(in->sha, 32));
    }

    if (rc == FOTA_OK) {
        in->size = fota_db_u64(rows, 1);
        memcpy(in->sha, fota_db_str(rows, 0).data, 32);

        if (in->name.data == NULL) {
            in->name = fota_strdup(&req->arena.mem, fota_db_str(rows, 3));
            fota_artifact_rename(in->name);
        }

        if (!fota_str_eq(fota_db_str(rows, 2), fota_cstr("complete"))) {
            rc = fota_res_refuse(req, 409, "upload_incomplete", "upload",
                                 "the upload is not complete");
        }
    }

    fota_db_rows_end(rows);

    if (rc == FOTA_NOTFOUND) {
        return fota_unknown(req, s.data != NULL ? "upload" : "sha256");
    }

    if (rc == FOTA_OK) {
        fota_object_path(req->server, in->sha, path);

        if (access(path, R_OK) != 0) {
            rc = fota_res_refuse(req, 410, "upload_lost", NULL,
                                 "the file is not in the store");
        }
    }

    return rc;
}


static int
fota_artifact_publish(fota_req_t *req, uint64_t id, uint64_t product)
{
    int  rc;

    rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id, product);

    return rc == FOTA_OK
           ? fota_outbox_put(req->db, FOTA_T_ARTIFACT, req->tenant_id, id)
           : rc;
}


static int
fota_artifact_insert(fota_req_t *req, void *data)
{
    int                  rc;
    json_t              *after;
    uint32_t             product, to, from;
    uint64_t             id, n;
    fota_str_t           kind, format, s, requires;
    fota_artifact_in_t  *in;

    after = NULL;
    in = data;
    kind = fota_ms(req->json, "kind");
    format = fota_ms(req->json, "format");
    requires = fota_ms(req->json, "requires");

    if (kind.data == NULL) {
        kind = fota_cstr("os");
    }

    if (format.data == NULL) {
        format = fota_cstr("raw");
    }

    to = 0;
    from = 0;
    rc = fota_lock(req, FOTA_LOCK_PRODUCT, req->tenant_id,
                   fota_req_param(req, "product"));

    if (rc == FOTA_OK) {
        rc = fota_find_product(req, fota_req_param(req, "product"), &product);
    }

    if (rc == FOTA_OK) {
        rc = fota_find_firmware(req, product, kind,
                                fota_ms(req->json, "version"), &to);
    }

    s = fota_ms(req->json, "from");

    if (rc == FOTA_OK && s.data != NULL) {
        rc = fota_find_firmware(req, product, kind, s, &from);
    }

    if (rc == FOTA_OK && from == to) {
        rc = fota_res_refuse(req, 400, "field_value", "from",
                             "\"from\" must be another version");
    }

    if (rc == FOTA_OK && requires.len > 0) {
        rc = fota_filter_valid(req, "requires", requires);
    }

    if (rc == FOTA_OK) {
        rc = fota_artifact_file(req, in);
    }

    if (rc == FOTA_OK) {
        rc = fota_db_number(req->db, &n, "SELECT COUNT(*) FROM artifact"
                 " WHERE tenant_id = ? AND product_id = ?", "uu",
                 fota_u64(req->tenant_id), fota_u64(product));
    }

    if (rc == FOTA_OK && n >= FOTA_ARTIFACTS_MAX) {
        rc = fota_res_refuse(req, 409, "artifact_limit", NULL,
                             "a product may have %d artifacts",
                             FOTA_ARTIFACTS_MAX);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_db_exec(req->db, "INSERT INTO artifact (tenant_id, product_id,"
             " firmware_id, from_id, sha256, size, format, name, requires,"
             " published) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             "uuuususssi", fota_u64(req->tenant_id), fota_u64(product),
             fota_u64(to), fota_u64(from), fota_slice(in->sha, 32), in->size,
             format, in->name, requires, fota_now_ms());
    if (rc == FOTA_EXISTS) {
        return fota_exists(req, "artifact", "sha256");
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    id = fota_db_last_id(req->db);
    rc = fota_artifact_sign(req, id, in->given ? in->sig : NULL);

    if (rc == FOTA_OK) {
        rc = fota_artifact_publish(req, id, product);
    }

    if (rc == FOTA_OK) {
        rc = fota_artifact_get(req, id, &after);
    }

    return fota_changed(req, rc, req->tenant_id, "artifact:create",
                        fota_object(req, "product",
                                    fota_req_param(req, "product")),
                        NULL, after);
}


static int
fota_artifact_create(fota_req_t *req)
{
    fota_artifact_in_t  in;

    return fota_artifact_check(req, &in)
           ? fota_tx(req, fota_artifact_insert, &in) : FOTA_OK;
}


/* Changes of one: name and requirements, signature, removal. */


static int
fota_artifact_product(fota_req_t *req, uint64_t id, uint64_t *product)
{
    int  rc;

    rc = fota_db_number(req->db, product, "SELECT product_id FROM artifact"
                        " WHERE tenant_id = ? AND id = ? FOR UPDATE", "uu",
                        fota_u64(req->tenant_id), id);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "artifact") : rc;
}


typedef struct {
    uint64_t        id;
    const uint8_t  *sig;        /* _signature */
} fota_artifact_op_t;


static int
fota_artifact_update(fota_req_t *req, void *data)
{
    int                  rc;
    json_t              *before, *after;
    uint64_t             product;
    fota_str_t           s;
    fota_artifact_op_t  *op;

    after = NULL;
    op = data;

    rc = fota_artifact_product(req, op->id, &product);

    if (rc == FOTA_OK) {
        rc = fota_artifact_get(req, op->id, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    if (op->sig != NULL) {
        rc = fota_artifact_sign(req, op->id, op->sig);
    }

    s = fota_ms(req->json, "requires");

    if (rc == FOTA_OK && s.data != NULL) {
        rc = fota_filter_valid(req, "requires", s);

        if (rc == FOTA_OK) {
            rc = fota_db_exec(req->db, "UPDATE artifact SET requires = ?"
                     " WHERE tenant_id = ? AND id = ?", "suu", s,
                     fota_u64(req->tenant_id), op->id);
        }
    }

    s = fota_ms(req->json, "name");

    if (rc == FOTA_OK && s.data != NULL) {
        rc = fota_db_exec(req->db, "UPDATE artifact SET name = ?"
                 " WHERE tenant_id = ? AND id = ?", "suu", s,
                 fota_u64(req->tenant_id), op->id);
    }

    if (rc == FOTA_OK) {
        rc = fota_artifact_publish(req, op->id, product);
    }

    if (rc == FOTA_OK) {
        rc = fota_artifact_get(req, op->id, &after);
    }

    return fota_changed(req, rc, req->tenant_id,
                        op->sig != NULL ? "artifact:sign" : "artifact:update",
                        fota_object(req, "artifact",
                                    fota_req_param(req, "artifact")),
                        before, after);
}


static int
fota_artifact_patch(fota_req_t *req)
{
    fota_str_t          s;
    fota_artifact_op_t  op;

    static const char *const  names[] = { "name", "requires", NULL };

    s = fota_slice(NULL, 0);

    if (!fota_param_id(req, "artifact", "artifact", &op.id)
        || !fota_json_only(req, names)
        || !fota_json_str(req, "requires", false, FOTA_FILTER_TEXT_MAX, &s))
    {
        return FOTA_OK;
    }

    s = fota_slice(NULL, 0);

    if (!fota_json_name(req, "name", false, FOTA_NAME_MAX, &s)
        || (s.data != NULL && !fota_artifact_name(req, s)))
    {
        return FOTA_OK;
    }

    op.sig = NULL;

    return fota_tx(req, fota_artifact_update, &op);
}


static int
fota_artifact_put_signature(fota_req_t *req)
{
    bool                given;
    uint8_t             sig[64];
    fota_str_t          s;
    fota_artifact_op_t  op;

    static const char *const  names[] = { "signature", NULL };

    s = fota_slice(NULL, 0);

    if (!fota_param_id(req, "artifact", "artifact", &op.id)
        || !fota_json_only(req, names)
        || !fota_json_str(req, "signature", true, 128, &s)
        || !fota_json_base64(req, "signature", 64, sig, &given))
    {
        return FOTA_OK;
    }

    op.sig = sig;

    return fota_tx(req, fota_artifact_update, &op);
}


static int
fota_artifact_remove(fota_req_t *req, void *data)
{
    int         rc;
    json_t     *before;
    uint8_t     sha[32];
    uint64_t   *id, product;

    id = data;

    rc = fota_artifact_product(req, *id, &product);

    if (rc == FOTA_OK) {
        rc = fota_artifact_get(req, *id, &before);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    (void) fota_hex_decode(sha, 32, fota_ms(before, "sha256"));

    rc = fota_db_exec(req->db, "DELETE FROM artifact WHERE tenant_id = ?"
                      " AND id = ?", "uu", fota_u64(req->tenant_id), *id);

    if (rc == FOTA_OK) {
        rc = fota_outbox_put(req->db, FOTA_T_PRODUCT, req->tenant_id,
                             product);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_key(req->db, FOTA_T_ARTIFACT, fota_slice(sha, 32));
    }

    return fota_changed(req, rc, req->tenant_id, "artifact:delete",
                        fota_object(req, "artifact",
                                    fota_req_param(req, "artifact")),
                        before, NULL);
}


static int
fota_artifact_delete(fota_req_t *req)
{
    uint64_t  id;

    return fota_param_id(req, "artifact", "artifact", &id)
           ? fota_tx(req, fota_artifact_remove, &id) : FOTA_OK;
}


static int
fota_artifact_show_manifest(fota_req_t *req)
{
    int         rc;
    char        text[FOTA_MANIFEST_MAX];
    uint64_t    id;
    fota_buf_t  b;

    if (!fota_param_id(req, "artifact", "artifact", &id)) {
        return FOTA_OK;
    }

    fota_buf_fixed(&b, text, sizeof(text));
    rc = fota_artifact_manifest(req, id, &b);

    return rc == FOTA_OK
           ? fota_res_bytes(req, 200, "text/plain; charset=utf-8",
                            fota_buf_slice(&b))
           : rc;
}


static int
fota_artifact_content(fota_req_t *req)
{
    int        rc;
    char       path[128];
    json_t    *v;
    uint64_t   id;

    if (!fota_param_id(req, "artifact", "artifact", &id)) {
        return FOTA_OK;
    }

    rc = fota_artifact_get(req, id, &v);
    if (rc != FOTA_OK) {
        return rc;
    }

    snprintf(path, sizeof(path), "/_objects/%.64s",
             json_string_value(json_object_get(v, "sha256")));
    json_decref(v);

    return fota_res_accel(req, path, "application/octet-stream");
}


static const fota_route_t  fota_artifact_table[] = {
    { "GET", "/api/v1/products/{product}/artifacts", "artifact:read",
      fota_artifact_list, NULL, 0, 0 },
    { "POST", "/api/v1/products/{product}/artifacts", "artifact:create",
      fota_artifact_create, NULL, FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/artifacts/{artifact}", "artifact:read",
      fota_artifact_show, NULL, 0, 0 },
    { "PATCH", "/api/v1/artifacts/{artifact}", "artifact:update",
      fota_artifact_patch, NULL, FOTA_BODY_JSON, 0 },
    { "DELETE", "/api/v1/artifacts/{artifact}", "artifact:delete",
      fota_artifact_delete, NULL, 0, 0 },
    { "GET", "/api/v1/artifacts/{artifact}/manifest", "artifact:read",
      fota_artifact_show_manifest, NULL, 0, 0 },
    { "PUT", "/api/v1/artifacts/{artifact}/signature", "artifact:sign",
      fota_artifact_put_signature, NULL, FOTA_BODY_JSON, 0 },
    { "GET", "/api/v1/artifacts/{artifact}/content", "artifact:read",
      fota_artifact_content, NULL, 0, 0 }
};

FOTA_ROUTE_SET(artifact, fota_artifact_table);
