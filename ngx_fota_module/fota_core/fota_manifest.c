/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_encode.h"
#include "fota_manifest.h"


static bool fota_manifest_clean(fota_str_t s);
static void fota_manifest_line(fota_buf_t *out, const char *name,
    fota_str_t value);


/* Bytes that cannot begin another line, nor end this one for some reader. */

static bool
fota_manifest_clean(fota_str_t s)
{
    size_t  i;

    if (!fota_str_utf8(s)) {
        return false;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


static void
fota_manifest_line(fota_buf_t *out, const char *name, fota_str_t value)
{
    fota_buf_cstr(out, name);
    fota_buf_u8(out, '=');
    fota_buf_str(out, value);
    fota_buf_u8(out, '\n');
}


int
fota_manifest_text(const fota_manifest_t *m, fota_buf_t *out)
{
    char    hex[64];
    bool    full;
    size_t  i;

    const struct {
        const char  *name;
        fota_str_t   value;
        bool         empty;     /* is allowed to be */
    } fields[] = {
        { "tenant", m->tenant, false },
        { "product", m->product, false },
        { "version", m->version, false },
        { "kind", m->kind, false },
        { "type", m->type, false },
        { "from", m->from, true },
        { "format", m->format, false }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if ((fields[i].value.len == 0 && !fields[i].empty)
            || fields[i].value.len > FOTA_ID_MAX
            || !fota_manifest_clean(fields[i].value))
        {
            return FOTA_INVALID;
        }
    }

    full = fota_str_eq(m->type, fota_cstr("full"));

    if ((!full && !fota_str_eq(m->type, fota_cstr("delta")))
        || full != (m->from.len == 0))
    {
        return FOTA_INVALID;
    }

    fota_buf_cstr(out, "fota-artifact/1\n");

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fota_manifest_line(out, fields[i].name, fields[i].value);
    }

    fota_hex_encode(hex, m->sha256, sizeof(m->sha256));
    fota_manifest_line(out, "sha256", fota_slice(hex, sizeof(hex)));

    fota_buf_cstr(out, "size=");
    fota_buf_u64dec(out, m->size);
    fota_buf_u8(out, '\n');

    return out->status;
}


int
fota_manifest_sign(const fota_manifest_t *m, const uint8_t sec[32],
    uint8_t sig[64])
{
    int         rc;
    uint8_t     text[FOTA_MANIFEST_MAX];
    fota_buf_t  out;

    fota_buf_fixed(&out, text, sizeof(text));

    rc = fota_manifest_text(m, &out);
    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_ed25519_sign(sec, fota_buf_slice(&out), sig);
}


int
fota_manifest_verify(const fota_manifest_t *m, const uint8_t pub[32],
    const uint8_t sig[64])
{
    int         rc;
    uint8_t     text[FOTA_MANIFEST_MAX];
    fota_buf_t  out;

    fota_buf_fixed(&out, text, sizeof(text));

    rc = fota_manifest_text(m, &out);
    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_ed25519_verify(pub, fota_buf_slice(&out), sig);
}
