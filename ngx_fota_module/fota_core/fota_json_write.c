/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_json.h"
#include "fota_encode.h"


/* A bit of nonempty for each level, the top included. */

#define FOTA_JW_DEPTH_MAX  31


static void fota_jw_text(fota_buf_t *b, fota_str_t s);


void
fota_jw_init(fota_jw_t *w, fota_buf_t *out)
{
    w->out = out;
    w->depth = 0;
    w->nonempty = 0;
}


static void
fota_jw_fail(fota_jw_t *w)
{
    if (w->out->status == FOTA_OK) {
        w->out->status = FOTA_LIMIT;
    }
}


static void
fota_jw_lead(fota_jw_t *w, const char *name)
{
    uint32_t  bit;

    bit = (uint32_t) 1 << w->depth;

    if (w->depth != 0 && (w->nonempty & bit) != 0) {
        fota_buf_u8(w->out, ',');
    }

    w->nonempty |= bit;

    if (name != NULL) {
        fota_jw_text(w->out, fota_cstr(name));
        fota_buf_u8(w->out, ':');
    }
}


static void
fota_jw_open(fota_jw_t *w, const char *name, uint8_t bracket)
{
    fota_jw_lead(w, name);

    if (w->depth == FOTA_JW_DEPTH_MAX) {
        fota_jw_fail(w);
        return;
    }

    fota_buf_u8(w->out, bracket);
    w->depth++;
    w->nonempty &= ~((uint32_t) 1 << w->depth);
}


static void
fota_jw_close(fota_jw_t *w, uint8_t bracket)
{
    if (w->depth == 0) {
        fota_jw_fail(w);
        return;
    }

    w->depth--;
    fota_buf_u8(w->out, bracket);
}


void
fota_jw_object(fota_jw_t *w, const char *name)
{
    fota_jw_open(w, name, '{');
}


void
fota_jw_array(fota_jw_t *w, const char *name)
{
    fota_jw_open(w, name, '[');
}


void
fota_jw_end_object(fota_jw_t *w)
{
    fota_jw_close(w, '}');
}


void
fota_jw_end_array(fota_jw_t *w)
{
    fota_jw_close(w, ']');
}


static void
fota_jw_escape(fota_buf_t *b, uint8_t c)
{
    char  hex[2];

    switch (c) {

    case '"':
        fota_buf_put(b, "\\\"", 2);
        break;

    case '\\':
        fota_buf_put(b, "\\\\", 2);
        break;

    case '\b':
        fota_buf_put(b, "\\b", 2);
        break;

    case '\f':
        fota_buf_put(b, "\\f", 2);
        break;

    case '\n':
        fota_buf_put(b, "\\n", 2);
        break;

    case '\r':
        fota_buf_put(b, "\\r", 2);
        break;

    case '\t':
        fota_buf_put(b, "\\t", 2);
        break;

    default:
        fota_hex_encode(hex, &c, 1);
        fota_buf_put(b, "\\u00", 4);
        fota_buf_put(b, hex, 2);
    }
}


static void
fota_jw_text(fota_buf_t *b, fota_str_t s)
{
    size_t   i, n, plain;
    uint8_t  c, *p;

    /* Nearly always there is nothing to escape. */

    if (s.len == 0 || fota_str_plain(s.data, s.data + s.len)
                      == s.data + s.len)
    {
        p = fota_buf_reserve(b, s.len + 2);

        if (p != NULL) {
            *p++ = '"';

            if (s.len != 0) {
                memcpy(p, s.data, s.len);
            }

            p[s.len] = '"';
        }

        return;
    }

    fota_buf_u8(b, '"');

    plain = 0;

    for (i = 0; i < s.len; i += n) {
        c = s.data[i];
        n = 1;

        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            continue;
        }

        if (c >= 0x80) {
            n = fota_str_utf8_seq(s.data + i, s.len - i);

            if (n != 0) {
                continue;
            }

            n = 1;
        }

        /* A run of plain bytes is copied at once. */

        fota_buf_put(b, s.data + plain, i - plain);
        plain = i + 1;

        if (c >= 0x80) {
            fota_buf_put(b, "\xef\xbf\xbd", 3);

        } else {
            fota_jw_escape(b, c);
        }
    }

    if (s.len != 0) {
        fota_buf_put(b, s.data + plain, s.len - plain);
    }

    fota_buf_u8(b, '"');
}


void
fota_jw_str(fota_jw_t *w, const char *name, fota_str_t v)
{
    fota_jw_lead(w, name);
    fota_jw_text(w->out, v);
}


void
fota_jw_cstr(fota_jw_t *w, const char *name, const char *v)
{
    if (v == NULL) {
        fota_jw_null(w, name);
        return;
    }

    fota_jw_str(w, name, fota_cstr(v));
}


void
fota_jw_int(fota_jw_t *w, const char *name, int64_t v)
{
    fota_jw_lead(w, name);

    if (v < 0) {
        fota_buf_u8(w->out, '-');
        fota_buf_u64dec(w->out, 0 - (uint64_t) v);
        return;
    }

    fota_buf_u64dec(w->out, (uint64_t) v);
}


void
fota_jw_uint(fota_jw_t *w, const char *name, uint64_t v)
{
    fota_jw_lead(w, name);
    fota_buf_u64dec(w->out, v);
}


void
fota_jw_double(fota_jw_t *w, const char *name, double v)
{
    char  text[40], *comma;

    if (!isfinite(v)) {
        fota_jw_null(w, name);
        return;
    }

    /* 15 digits look better than 17 where they mean the same. */

    (void) snprintf(text, sizeof(text), "%.15g", v);

    if (strtod(text, NULL) != v) {
        (void) snprintf(text, sizeof(text), "%.17g", v);
    }

    /* A program may have set a locale with a decimal comma. */

    comma = strchr(text, ',');

    if (comma != NULL) {
        *comma = '.';
    }

    fota_jw_lead(w, name);
    fota_buf_cstr(w->out, text);
}


void
fota_jw_bool(fota_jw_t *w, const char *name, bool v)
{
    fota_jw_lead(w, name);
    fota_buf_cstr(w->out, v ? "true" : "false");
}


void
fota_jw_null(fota_jw_t *w, const char *name)
{
    fota_jw_lead(w, name);
    fota_buf_cstr(w->out, "null");
}


void
fota_jw_raw(fota_jw_t *w, const char *name, fota_str_t json)
{
    fota_jw_lead(w, name);
    fota_buf_str(w->out, json);
}


void
fota_jw_hex(fota_jw_t *w, const char *name, const void *data, size_t n)
{
    uint8_t  *p;

    fota_jw_lead(w, name);
    fota_buf_u8(w->out, '"');

    if (n > SIZE_MAX / 2) {
        fota_jw_fail(w);
        return;
    }

    p = fota_buf_reserve(w->out, 2 * n);

    if (p != NULL) {
        fota_hex_encode((char *) p, data, n);
    }

    fota_buf_u8(w->out, '"');
}


void
fota_jw_base64(fota_jw_t *w, const char *name, const void *data, size_t n)
{
    uint8_t  *p;

    fota_jw_lead(w, name);
    fota_buf_u8(w->out, '"');

    if (n > SIZE_MAX / 4) {
        fota_jw_fail(w);
        return;
    }

    p = fota_buf_reserve(w->out, (n + 2) / 3 * 4);

    if (p != NULL) {
        (void) fota_base64_encode((char *) p, data, n);
    }

    fota_buf_u8(w->out, '"');
}
