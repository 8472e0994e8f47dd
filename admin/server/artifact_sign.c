/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "artifact_sign.h"
#include "entity.h"
#include "secret.h"


typedef struct {
    fota_manifest_t  m;
    uint8_t          pub[32];
    fota_str_t       sealed;
    unsigned         kid;
    unsigned         has_pub:1;
} fota_sign_t;


/* The manifest and the keys, all copied into the arena of the request. */

static int
fota_sign_load(fota_req_t *req, uint64_t id, fota_sign_t *s)
{
    int           rc;
    fota_mem_t   *mem;
    fota_str_t    pub;
    fota_rows_t  *rows;

    memset(s, 0, sizeof(*s));
    mem = &req->arena.mem;

    rc = fota_db_first(req->db, &rows, "SELECT t.name, p.name, f.version,"
             " f.kind, b.version, a.format, a.sha256, a.size, t.signer_pub,"
             " t.signer_sec, t.signer_kid FROM artifact a"
             " JOIN tenant t ON t.id = a.tenant_id"
             " JOIN product p ON p.tenant_id = a.tenant_id"
             " AND p.id = a.product_id"
             " JOIN firmware f ON f.tenant_id = a.tenant_id"
             " AND f.id = a.firmware_id"
             " LEFT JOIN firmware b ON b.tenant_id = a.tenant_id"
             " AND b.id = a.from_id"
             " WHERE a.tenant_id = ? AND a.id = ?", "uu",
             fota_u64(req->tenant_id), id);

    if (rc == FOTA_OK) {
        s->m.tenant = fota_strdup(mem, fota_db_str(rows, 0));
        s->m.product = fota_strdup(mem, fota_db_str(rows, 1));
        s->m.version = fota_strdup(mem, fota_db_str(rows, 2));
        s->m.kind = fota_strdup(mem, fota_db_str(rows, 3));
        s->m.type = fota_cstr(fota_db_null(rows, 4) ? "full" : "delta");
        s->m.from = fota_strdup(mem, fota_db_str(rows, 4));
        s->m.format = fota_strdup(mem, fota_db_str(rows, 5));
        memcpy(s->m.sha256, fota_db_str(rows, 6).data, 32);
        s->m.size = fota_db_u64(rows, 7);

        pub = fota_db_str(rows, 8);

        if (pub.len == 32) {
            memcpy(s->pub, pub.data, 32);
            s->has_pub = 1;
        }

        if (!fota_db_null(rows, 9)) {
            s->sealed = fota_strdup(mem, fota_db_str(rows, 9));
        }

        s->kid = (unsigned) fota_db_u64(rows, 10);
    }

    fota_db_rows_end(rows);

    return rc == FOTA_NOTFOUND ? fota_unknown(req, "artifact") : rc;
}


int
fota_artifact_manifest(fota_req_t *req, uint64_t id, fota_buf_t *out)
{
    int          rc;
    fota_sign_t  s;

    rc = fota_sign_load(req, id, &s);

    return rc == FOTA_OK ? fota_manifest_text(&s.m, out) : rc;
}


int
fota_artifact_sign(fota_req_t *req, uint64_t id, const uint8_t *offline)
{
    int          rc;
    char         label[64];
    uint8_t      sec[32], sig[64];
    fota_sign_t  s;

    rc = fota_sign_load(req, id, &s);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (offline != NULL) {
        if (!s.has_pub) {
            return fota_res_refuse(req, 409, "no_signer", "signature",
                                   "the tenant has no public key to verify "
                                   "with");
        }

        rc = fota_manifest_verify(&s.m, s.pub, offline);

        if (rc == FOTA_FORGED) {
            (void) fota_res_problem(req, 422, "signature", "signature",
                                    "the signature does not verify over the "
                                    "manifest with key %u of the tenant",
                                    s.kid);
        }

        memcpy(sig, offline, sizeof(sig));

    } else if (s.sealed.len > 0) {
        snprintf(label, sizeof(label), "tenant/%u/%u", req->tenant_id, s.kid);

        rc = fota_secret_open(req->server, label, s.sealed, sec);

        if (rc == FOTA_OK) {
            rc = fota_manifest_sign(&s.m, sec, sig);
        }

        fota_cleanse(sec, sizeof(sec));

    } else {
        return FOTA_OK;
    }

    return rc == FOTA_OK
           ? fota_db_exec(req->db, "UPDATE artifact SET sig = ?, sig_kid = ?"
                          " WHERE tenant_id = ? AND id = ?", "suuu",
                          fota_slice(sig, 64), fota_u64(s.kid),
                          fota_u64(req->tenant_id), id)
           : rc;
}
