/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Fields and their rules, and the words in which a filter is refused. */

#include <stdarg.h>
#include <stdio.h>

#include "fota_filter_tree.h"
#include "fota_version.h"


#define FOTA_FILTER_GUESS_MAX  32       /* longer words get no guess */


typedef struct {
    const char  *word;
    const char  *meant;
} fota_filter_guess_t;


static const char *fota_filter_guess(const fota_filter_guess_t *words,
    fota_str_t found);
static size_t fota_filter_distance(const char *a, fota_str_t b);


static const char  *fota_filter_fields[FOTA_F__N] = {
    "id", "product", "version", "kind", "group", "country", "region", "city",
    "tz", "asn", "attr"
};


/* The fields, and what other systems call them. */

static const fota_filter_guess_t  fota_filter_field_words[] = {
    { "id",        "id" },
    { "product",   "product" },
    { "version",   "version" },
    { "kind",      "kind" },
    { "group",     "group" },
    { "country",   "country" },
    { "region",    "region" },
    { "city",      "city" },
    { "tz",        "tz" },
    { "asn",       "asn" },
    { "model",     "product" },
    { "device",    "id" },
    { "deviceid",  "id" },
    { "serial",    "id" },
    { "firmware",  "version" },
    { "groups",    "group" },
    { "tag",       "group" },
    { "state",     "region" },
    { "province",  "region" },
    { "timezone",  "tz" },
    { "attribute", "attr.NAME" },
    { NULL, NULL }
};


static const fota_filter_guess_t  fota_filter_operator_words[] = {
    { "=lt=",    "=lt=" },
    { "=le=",    "=le=" },
    { "=gt=",    "=gt=" },
    { "=ge=",    "=ge=" },
    { "=in=",    "=in=" },
    { "=out=",   "=out=" },
    { "=is=",    "=is=" },
    { "=not=",   "=not=" },
    { "=lte=",   "=le=" },
    { "=gte=",   "=ge=" },
    { "=eq=",    "==" },
    { "=ne=",    "!=" },
    { "=like=",  "==" },
    { "=notin=", "=out=" },
    { "=nin=",   "=out=" },
    { NULL, NULL }
};


int
fota_filter_fail(fota_filter_error_t *err, size_t column,
    fota_status_e status, const char *fmt, ...)
{
    size_t   len, seq;
    va_list  args;

    if (err == NULL) {
        return status;
    }

    err->column = column;

    va_start(args, fmt);
    (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    /* vsnprintf() may have cut inside a character. */

    len = strlen(err->text);

    if (len == sizeof(err->text) - 1) {
        seq = len;

        while (seq > 0 && ((uint8_t) err->text[seq - 1] & 0xc0) == 0x80) {
            seq--;
        }

        if (seq > 0 && (uint8_t) err->text[seq - 1] >= 0xc0
            && !fota_str_utf8(fota_slice(err->text + seq - 1, len - seq + 1)))
        {
            err->text[seq - 1] = '\0';
        }
    }

    return status;
}


char *
fota_filter_show(char *buf, fota_str_t s)
{
    size_t   i, len;
    uint8_t  c;

    len = s.len;

    if (len > FOTA_FILTER_SHOW - 4) {
        len = FOTA_FILTER_SHOW - 4;

        while (len > 0 && (s.data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    for (i = 0; i < len; i++) {
        c = s.data[i];
        buf[i] = (char) ((c < 0x20 || c == 0x7f) ? '?' : c);
    }

    if (len < s.len) {
        memcpy(buf + len, "...", 3);
        len += 3;
    }

    buf[len] = '\0';

    return buf;
}


const char *
fota_filter_field_name(fota_filter_field_e field)
{
    return (field < FOTA_F__N) ? fota_filter_fields[field] : "";
}


int
fota_filter_field(fota_filter_node_t *node, fota_str_t name,
    fota_filter_error_t *err)
{
    char         show[FOTA_FILTER_SHOW];
    unsigned     i;
    const char  *guess;

    if (name.len >= 5 && memcmp(name.data, "attr.", 5) == 0) {

        node->field = FOTA_F_ATTR;
        node->attr = fota_slice(name.data + 5, name.len - 5);

        if (node->attr.len == 0) {
            return fota_filter_fail(err, node->column, FOTA_INVALID,
                                    "expected the name of an attribute after "
                                    "'attr.'");
        }

        if (node->attr.len > FOTA_ATTR_NAME_MAX) {
            return fota_filter_fail(err, node->column, FOTA_LIMIT,
                                    "name of the attribute is %zu bytes long; "
                                    "the limit is %d", node->attr.len,
                                    FOTA_ATTR_NAME_MAX);
        }

        return FOTA_OK;
    }

    for (i = 0; i < FOTA_F_ATTR; i++) {
        if (fota_str_eq(name, fota_cstr(fota_filter_fields[i]))) {
            node->field = (fota_filter_field_e) i;
            return FOTA_OK;
        }
    }

    (void) fota_filter_show(show, name);

    guess = fota_filter_guess(fota_filter_field_words, name);

    if (guess == NULL && fota_str_eq(name, fota_cstr("attr"))) {
        guess = "attr.NAME";
    }

    if (guess != NULL) {
        return fota_filter_fail(err, node->column, FOTA_INVALID,
                                "unknown field '%s'; did you mean '%s'?",
                                show, guess);
    }

    return fota_filter_fail(err, node->column, FOTA_INVALID,
                            "unknown field '%s'; fields are id, product, "
                            "version, kind, group, country, region, city, "
                            "tz, asn and attr.NAME", show);
}


/*
 * More digits than a double holds would compare as something else than what
 * is written.
 */

static int
fota_filter_digits_rule(const fota_filter_value_t *value,
    fota_filter_error_t *err)
{
    size_t   i, digits, dots;
    uint8_t  c;

    digits = 0;
    dots = 0;

    i = (value->text.len > 0 && value->text.data[0] == '-');

    for ( /* void */ ; i < value->text.len; i++) {
        c = value->text.data[i];

        if (c >= '0' && c <= '9') {
            digits++;

        } else if (c == '.' && dots == 0) {
            dots++;

        } else {
            return FOTA_OK;
        }
    }

    if (digits <= FOTA_FILTER_DIGITS_MAX) {
        return FOTA_OK;
    }

    return fota_filter_fail(err, value->column, FOTA_LIMIT,
                            "number has %zu digits; the limit is %d",
                            digits, FOTA_FILTER_DIGITS_MAX);
}


static int
fota_filter_value_rule(const fota_filter_node_t *node,
    const fota_filter_value_t *value, fota_filter_error_t *err)
{
    int       rc;
    char      show[FOTA_FILTER_SHOW];
    uint64_t  number;

    switch (node->field) {

    case FOTA_F_VERSION:

        if (value->ncuts > 0) {
            return FOTA_OK;
        }

        rc = fota_version_check(value->text);

        if (rc == FOTA_LIMIT) {
            return fota_filter_fail(err, value->column, FOTA_LIMIT,
                                    "version is %zu bytes long; the limit "
                                    "is %d", value->text.len,
                                    FOTA_VERSION_MAX);
        }

        if (rc != FOTA_OK) {
            return fota_filter_fail(err, value->column, FOTA_INVALID,
                                    "'%s' is not a version",
                                    fota_filter_show(show, value->text));
        }

        return FOTA_OK;

    case FOTA_F_ASN:

        if (value->ncuts > 0
            || fota_str_u64(value->text, UINT32_MAX, &number) != FOTA_OK)
        {
            return fota_filter_fail(err, value->column, FOTA_INVALID,
                                    "asn takes a whole number from 0 to "
                                    "4294967295");
        }

        return FOTA_OK;

    case FOTA_F_GROUP:

        if (value->text.len == 0 && value->ncuts == 0) {
            return fota_filter_fail(err, value->column, FOTA_INVALID,
                                    "the name of a group is not empty");
        }

        if (memchr(value->text.data, '*', value->text.len) != NULL) {
            return fota_filter_fail(err, value->column, FOTA_INVALID,
                                    "the name of a group has no '*'");
        }

        return FOTA_OK;

    default:

        if (node->test == FOTA_FILTER_ORDER) {
            return fota_filter_digits_rule(value, err);
        }

        return FOTA_OK;
    }
}


int
fota_filter_rules(const fota_filter_node_t *node, const char *op,
    fota_filter_error_t *err)
{
    int                         rc;
    const fota_filter_value_t  *value;

    if (node->test == FOTA_FILTER_ORDER
        && (node->field == FOTA_F_GROUP || fota_filter_folded(node->field)))
    {
        return fota_filter_fail(err, node->column, FOTA_INVALID,
                                "'%s' has no order, '%s' does not apply; use "
                                "== != =in= =out= =is= =not=",
                                fota_filter_field_name(node->field), op);
    }

    for (value = node->values; value != NULL; value = value->next) {
        rc = fota_filter_value_rule(node, value, err);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return FOTA_OK;
}


const char *
fota_filter_guess_operator(fota_str_t found)
{
    return fota_filter_guess(fota_filter_operator_words, found);
}


/* One slip in a short word, two in a longer one. */

static const char *
fota_filter_guess(const fota_filter_guess_t *words, fota_str_t found)
{
    size_t       d, best, limit;
    const char  *meant;

    if (found.len < 2 || found.len > FOTA_FILTER_GUESS_MAX) {
        return NULL;
    }

    meant = NULL;
    best = SIZE_MAX;
    limit = (found.len < 5) ? 1 : 2;

    for ( /* void */ ; words->word != NULL; words++) {
        d = fota_filter_distance(words->word, found);

        if (d <= limit && d < best) {
            best = d;
            meant = words->meant;
        }
    }

    return meant;
}


/*
 * Edits between the words, without case: insert, delete, replace, swap of
 * neighbours (optimal string alignment).
 */

static size_t
fota_filter_distance(const char *a, fota_str_t b)
{
    size_t   i, j, n, v;
    size_t   row[3][FOTA_FILTER_GUESS_MAX + 1], *old, *prev, *cur, *t;
    uint8_t  c, last;

    n = strlen(a);

    old = row[0];
    prev = row[1];
    cur = row[2];

    for (j = 0; j <= b.len; j++) {
        old[j] = 0;
        prev[j] = j;
    }

    last = 0;

    for (i = 1; i <= n; i++) {
        cur[0] = i;

        for (j = 1; j <= b.len; j++) {
            c = b.data[j - 1];
            c = (c >= 'A' && c <= 'Z') ? (uint8_t) (c | 0x20) : c;

            v = prev[j - 1] + (c != (uint8_t) a[i - 1]);

            if (prev[j] + 1 < v) {
                v = prev[j] + 1;
            }

            if (cur[j - 1] + 1 < v) {
                v = cur[j - 1] + 1;
            }

            if (i > 1 && j > 1 && c == (uint8_t) a[i - 2]
                && last == (uint8_t) a[i - 1] && old[j - 2] + 1 < v)
            {
                v = old[j - 2] + 1;
            }

            cur[j] = v;
            last = c;
        }

        t = old;
        old = prev;
        prev = cur;
        cur = t;
    }

    return prev[b.len];
}
