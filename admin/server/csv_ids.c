/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "csv_ids.h"


static int fota_csv_line(fota_csv_t *csv);
static const char *fota_csv_field(fota_csv_t *csv, fota_str_t *id);


void
fota_csv_init(fota_csv_t *csv)
{
    csv->lines = 0;
    csv->len = 0;
    csv->overflow = false;
}


int
fota_csv_feed(fota_csv_t *csv, const char *data, size_t len)
{
    int          rc;
    size_t       n;
    const char  *nl;

    if (len == 0) {
        return csv->len > 0 || csv->overflow ? fota_csv_line(csv) : 0;
    }

    while (len > 0) {
        nl = memchr(data, '\n', len);
        n = nl != NULL ? (size_t) (nl - data) : len;

        if (n > sizeof(csv->buf) - csv->len) {
            csv->overflow = true;

        } else {
            memcpy(csv->buf + csv->len, data, n);
            csv->len += n;
        }

        if (nl == NULL) {
            return 0;
        }

        rc = fota_csv_line(csv);
        if (rc != 0) {
            return rc;
        }

        data = nl + 1;
        len -= n + 1;
    }

    return 0;
}


static int
fota_csv_line(fota_csv_t *csv)
{
    int          rc;
    fota_str_t   id;
    const char  *code;

    csv->lines++;

    /* A mark of the byte order comes from spreadsheets. */

    if (csv->lines == 1 && csv->len >= 3
        && memcmp(csv->buf, "\xef\xbb\xbf", 3) == 0)
    {
        csv->len -= 3;
        memmove(csv->buf, csv->buf + 3, csv->len);
    }

    if (csv->len > 0 && csv->buf[csv->len - 1] == '\r') {
        csv->len--;
    }

    id = fota_slice(csv->buf, csv->len);

    if (csv->overflow) {
        id.len = 0;
        code = "too_long";

    } else if (csv->len == 0) {
        return 0;

    } else {
        code = fota_csv_field(csv, &id);
    }

    if (csv->lines == 1 && code == NULL
        && (fota_str_eq_nocase(id, fota_cstr("id"))
            || fota_str_eq_nocase(id, fota_cstr("device"))
            || fota_str_eq_nocase(id, fota_cstr("device_id"))))
    {
        rc = 0;

    } else {
        rc = csv->line(csv, csv->lines, id, code);
    }

    csv->len = 0;
    csv->overflow = false;

    return rc;
}


/* Unquotes in place. */

static const char *
fota_csv_field(fota_csv_t *csv, fota_str_t *id)
{
    char    *p;
    size_t   i, n;

    p = csv->buf;
    n = 0;

    if (csv->len > 0 && p[0] == '"') {
        for (i = 1; i < csv->len; i++) {
            if (p[i] == '"') {
                if (i + 1 == csv->len || p[i + 1] != '"') {
                    break;
                }

                i++;
            }

            p[n++] = p[i];
        }

        if (i >= csv->len
            || (i + 1 < csv->len && p[i + 1] != ',' && p[i + 1] != ';'
                && p[i + 1] != '\t'))
        {
            id->len = 0;
            return "quote";
        }

    } else {
        for (n = 0; n < csv->len; n++) {
            if (p[n] == ',' || p[n] == ';' || p[n] == '\t') {
                break;
            }
        }

        while (n > 0 && p[n - 1] == ' ') {
            n--;
        }
    }

    *id = fota_slice(p, n);

    if (n == 0 || n > FOTA_ID_MAX || !fota_str_utf8(*id)) {
        id->len = 0;
        return "bad_id";
    }

    for (i = 0; i < n; i++) {
        if ((unsigned char) p[i] < ' ' || p[i] == 0x7f) {
            id->len = 0;
            return "bad_id";
        }
    }

    return p[0] == ' ' ? "bad_id" : NULL;
}
