/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_json.h"


/* Nodes are taken from the allocator in blocks. */

#define FOTA_JSON_BLOCK     16

/* Objects of more members look for duplicates by sorting their names. */

#define FOTA_JSON_PAIRWISE  8


typedef struct {
    fota_mem_t         *mem;
    const uint8_t      *start;
    const uint8_t      *pos;
    const uint8_t      *end;
    const char         *reason;
    uint32_t            left;       /* nodes still allowed */
    uint32_t            ready;      /* nodes of the block not yet taken */
    fota_json_t        *block;
    uint32_t            depth;
} fota_jr_t;


static int fota_jr_value(fota_jr_t *r, fota_json_t *v);


static int
fota_jr_fail(fota_jr_t *r, int rc, const char *reason)
{
    r->reason = reason;

    return rc;
}


static void
fota_jr_blanks(fota_jr_t *r)
{
    while (r->pos != r->end
           && (*r->pos == ' ' || *r->pos == '\n' || *r->pos == '\r'
               || *r->pos == '\t'))
    {
        r->pos++;
    }
}


/* The next byte after blanks; 0, which JSON has nowhere, at the end. */

static uint8_t
fota_jr_peek(fota_jr_t *r)
{
    fota_jr_blanks(r);

    return (r->pos == r->end) ? 0 : *r->pos;
}


static int
fota_jr_hex4(fota_jr_t *r, uint32_t *out)
{
    uint8_t   c;
    uint32_t  i, v;

    if (r->end - r->pos < 4) {
        return fota_jr_fail(r, FOTA_INVALID, "unfinished \\u escape");
    }

    v = 0;

    for (i = 0; i < 4; i++, r->pos++) {
        c = *r->pos;

        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint32_t) (c - '0');
            continue;
        }

        c |= 0x20;

        if (c < 'a' || c > 'f') {
            return fota_jr_fail(r, FOTA_INVALID, "bad digit in \\u escape");
        }

        v = v << 4 | (uint32_t) (c - 'a' + 10);
    }

    *out = v;

    return FOTA_OK;
}


/* pos is after "\u"; puts the character at *out. */

static int
fota_jr_unicode(fota_jr_t *r, uint8_t **out)
{
    int        rc;
    uint8_t   *p;
    uint32_t   c, low;

    rc = fota_jr_hex4(r, &c);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (c == 0) {
        return fota_jr_fail(r, FOTA_INVALID, "NUL in a string");
    }

    if (c >= 0xdc00 && c <= 0xdfff) {
        return fota_jr_fail(r, FOTA_INVALID, "unpaired surrogate");
    }

    if (c >= 0xd800 && c <= 0xdbff) {

        if (r->end - r->pos < 2 || r->pos[0] != '\\' || r->pos[1] != 'u') {
            return fota_jr_fail(r, FOTA_INVALID, "unpaired surrogate");
        }

        r->pos += 2;

        rc = fota_jr_hex4(r, &low);
        if (rc != FOTA_OK) {
            return rc;
        }

        if (low < 0xdc00 || low > 0xdfff) {
            return fota_jr_fail(r, FOTA_INVALID, "unpaired surrogate");
        }

        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }

    p = *out;

    if (c < 0x80) {
        *p++ = (uint8_t) c;

    } else if (c < 0x800) {
        *p++ = (uint8_t) (0xc0 | c >> 6);
        *p++ = (uint8_t) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *p++ = (uint8_t) (0xe0 | c >> 12);
        *p++ = (uint8_t) (0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c & 0x3f));

    } else {
        *p++ = (uint8_t) (0xf0 | c >> 18);
        *p++ = (uint8_t) (0x80 | (c >> 12 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c >> 6 & 0x3f));
        *p++ = (uint8_t) (0x80 | (c & 0x3f));
    }

    *out = p;

    return FOTA_OK;
}


/*
 * Copies a string with escapes whose raw bytes are pos..close, both already
 * validated as UTF-8; the result is never longer than they are.
 */

static int
fota_jr_unescape(fota_jr_t *r, const uint8_t *close, fota_str_t *out)
{
    int             rc;
    uint8_t        *p, *start;
    const uint8_t  *end;

    start = fota_alloc(r->mem, (size_t) (close - r->pos));
    if (start == NULL) {
        return fota_jr_fail(r, FOTA_NOMEM, "out of memory");
    }

    p = start;

    /* An escape must not reach over the closing quote. */

    end = r->end;
    r->end = close;

    while (r->pos != close) {

        if (*r->pos != '\\') {
            *p++ = *r->pos++;
            continue;
        }

        /* The scan for the quote has seen a byte after the backslash. */

        switch (r->pos[1]) {

        case '"':
        case '\\':
        case '/':
            *p++ = r->pos[1];
            break;

        case 'b':
            *p++ = '\b';
            break;

        case 'f':
            *p++ = '\f';
            break;

        case 'n':
            *p++ = '\n';
            break;

        case 'r':
            *p++ = '\r';
            break;

        case 't':
            *p++ = '\t';
            break;

        case 'u':
            r->pos += 2;

            rc = fota_jr_unicode(r, &p);
            if (rc != FOTA_OK) {
                return rc;
            }

            continue;

        default:
            return fota_jr_fail(r, FOTA_INVALID, "unknown escape");
        }

        r->pos += 2;
    }

    r->end = end;
    *out = fota_slice(start, (size_t) (p - start));

    return FOTA_OK;
}


/* pos is at the opening quote. */

static int
fota_jr_string(fota_jr_t *r, fota_str_t *out)
{
    int             rc;
    bool            escaped;
    size_t          n;
    const uint8_t  *p;

    escaped = false;
    r->pos++;

    for (p = fota_str_plain(r->pos, r->end);
         p != r->end && *p != '"';
         p = fota_str_plain(p + n, r->end))
    {

        if (*p < 0x20) {
            r->pos = p;
            return fota_jr_fail(r, FOTA_INVALID, "control byte in a string");
        }

        if (*p == '\\') {
            escaped = true;

            if (r->end - p < 2) {
                break;
            }

            n = 1;

            /* Only these two would mislead the search for the quote. */

            if (p[1] == '"' || p[1] == '\\') {
                n = 2;
            }

            continue;
        }

        n = fota_str_utf8_seq(p, (size_t) (r->end - p));

        if (n == 0) {
            r->pos = p;
            return fota_jr_fail(r, FOTA_INVALID, "string is not UTF-8");
        }
    }

    if (p == r->end || *p != '"') {
        r->pos = r->end;
        return fota_jr_fail(r, FOTA_INVALID, "unfinished string");
    }

    if (escaped) {
        rc = fota_jr_unescape(r, p, out);
        if (rc != FOTA_OK) {
            return rc;
        }

    } else {
        *out = fota_slice(r->pos, (size_t) (p - r->pos));
    }

    r->pos = p + 1;

    return FOTA_OK;
}


static bool
fota_jr_digits(fota_jr_t *r)
{
    const uint8_t  *p;

    p = r->pos;

    while (r->pos != r->end && *r->pos >= '0' && *r->pos <= '9') {
        r->pos++;
    }

    return r->pos != p;
}


static int
fota_jr_number(fota_jr_t *r, fota_str_t *out)
{
    bool            zero;
    const uint8_t  *p;

    p = r->pos;

    if (*r->pos == '-') {
        r->pos++;
    }

    zero = (r->pos != r->end && *r->pos == '0');

    if (zero) {
        r->pos++;

        if (r->pos != r->end && *r->pos >= '0' && *r->pos <= '9') {
            return fota_jr_fail(r, FOTA_INVALID, "number with leading zero");
        }

    } else if (!fota_jr_digits(r)) {
        return fota_jr_fail(r, FOTA_INVALID, "number without digits");
    }

    if (r->pos != r->end && *r->pos == '.') {
        r->pos++;

        if (!fota_jr_digits(r)) {
            return fota_jr_fail(r, FOTA_INVALID, "number without fraction");
        }
    }

    if (r->pos != r->end && (*r->pos | 0x20) == 'e') {
        r->pos++;

        if (r->pos != r->end && (*r->pos == '+' || *r->pos == '-')) {
            r->pos++;
        }

        if (!fota_jr_digits(r)) {
            return fota_jr_fail(r, FOTA_INVALID, "number without exponent");
        }
    }

    *out = fota_slice(p, (size_t) (r->pos - p));

    return FOTA_OK;
}


static int
fota_json_name_cmp(const void *one, const void *two)
{
    const fota_json_t *const  *a = one;
    const fota_json_t *const  *b = two;

    return fota_str_cmp((*a)->name, (*b)->name);
}


/* pos is after the object, so that the error points there. */

static int
fota_jr_unique(fota_jr_t *r, const fota_json_t *obj)
{
    uint32_t              i;
    const fota_json_t    *a, *b;
    const fota_json_t   **names;

    if (obj->count <= FOTA_JSON_PAIRWISE) {

        for (a = obj->child; a != NULL; a = a->next) {
            for (b = a->next; b != NULL; b = b->next) {
                if (fota_str_eq(a->name, b->name)) {
                    return fota_jr_fail(r, FOTA_INVALID, "duplicate name");
                }
            }
        }

        return FOTA_OK;
    }

    /* Input chosen by an enemy must not cost its length squared. */

    names = fota_calloc(r->mem, obj->count, sizeof(fota_json_t *));
    if (names == NULL) {
        return fota_jr_fail(r, FOTA_NOMEM, "out of memory");
    }

    for (i = 0, a = obj->child; a != NULL; a = a->next) {
        names[i++] = a;
    }

    qsort(names, obj->count, sizeof(fota_json_t *), fota_json_name_cmp);

    for (i = 1; i < obj->count; i++) {
        if (fota_str_eq(names[i - 1]->name, names[i]->name)) {
            return fota_jr_fail(r, FOTA_INVALID, "duplicate name");
        }
    }

    return FOTA_OK;
}


static int
fota_jr_node(fota_jr_t *r, fota_json_t **out)
{
    if (r->left == 0) {
        return fota_jr_fail(r, FOTA_LIMIT, "too many values");
    }

    r->left--;

    if (r->ready == 0) {
        r->block = fota_calloc(r->mem, FOTA_JSON_BLOCK, sizeof(fota_json_t));
        if (r->block == NULL) {
            return fota_jr_fail(r, FOTA_NOMEM, "out of memory");
        }

        r->ready = FOTA_JSON_BLOCK;
    }

    *out = &r->block[FOTA_JSON_BLOCK - r->ready--];

    return FOTA_OK;
}


static int
fota_jr_name(fota_jr_t *r, fota_str_t *out)
{
    int  rc;

    if (fota_jr_peek(r) != '"') {
        return fota_jr_fail(r, FOTA_INVALID, "name expected");
    }

    rc = fota_jr_string(r, out);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (fota_jr_peek(r) != ':') {
        return fota_jr_fail(r, FOTA_INVALID, "':' expected");
    }

    r->pos++;

    return FOTA_OK;
}


/* pos is at the opening bracket; close is its mate. */

static int
fota_jr_children(fota_jr_t *r, fota_json_t *v, uint8_t close)
{
    int            rc;
    uint8_t        c;
    fota_str_t     name = fota_null_str;
    fota_json_t   *child, **last;

    if (r->depth == FOTA_JSON_DEPTH_MAX) {
        return fota_jr_fail(r, FOTA_LIMIT, "nested too deep");
    }

    r->depth++;
    r->pos++;
    last = &v->child;

    if (fota_jr_peek(r) == close) {
        r->pos++;
        r->depth--;
        return FOTA_OK;
    }

    for ( ;; ) {

        if (close == '}') {
            rc = fota_jr_name(r, &name);
            if (rc != FOTA_OK) {
                return rc;
            }
        }

        rc = fota_jr_node(r, &child);
        if (rc != FOTA_OK) {
            return rc;
        }

        child->name = name;
        *last = child;
        last = &child->next;
        v->count++;

        rc = fota_jr_value(r, child);
        if (rc != FOTA_OK) {
            return rc;
        }

        c = fota_jr_peek(r);

        if (c != ',' && c != close) {
            return fota_jr_fail(r, FOTA_INVALID, (close == '}')
                                ? "',' or '}' expected"
                                : "',' or ']' expected");
        }

        r->pos++;

        if (c == close) {
            break;
        }
    }

    r->depth--;

    return (close == '}') ? fota_jr_unique(r, v) : FOTA_OK;
}


static int
fota_jr_word(fota_jr_t *r, const char *word)
{
    size_t  n;

    n = strlen(word);

    if ((size_t) (r->end - r->pos) < n || memcmp(r->pos, word, n) != 0) {
        return fota_jr_fail(r, FOTA_INVALID, "value expected");
    }

    r->pos += n;

    return FOTA_OK;
}


/* Recursion is bounded by FOTA_JSON_DEPTH_MAX. */

static int
fota_jr_value(fota_jr_t *r, fota_json_t *v)
{
    switch (fota_jr_peek(r)) {

    case '{':
        v->type = FOTA_JSON_OBJECT;
        return fota_jr_children(r, v, '}');

    case '[':
        v->type = FOTA_JSON_ARRAY;
        return fota_jr_children(r, v, ']');

    case '"':
        v->type = FOTA_JSON_STRING;
        return fota_jr_string(r, &v->str);

    case 't':
        v->type = FOTA_JSON_BOOL;
        v->boolean = true;
        return fota_jr_word(r, "true");

    case 'f':
        v->type = FOTA_JSON_BOOL;
        return fota_jr_word(r, "false");

    case 'n':
        v->type = FOTA_JSON_NULL;
        return fota_jr_word(r, "null");

    case '-':
    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        v->type = FOTA_JSON_NUMBER;
        return fota_jr_number(r, &v->str);

    default:
        return fota_jr_fail(r, FOTA_INVALID, "value expected");
    }
}


int
fota_json_parse(fota_mem_t *mem, fota_str_t text, uint32_t max_nodes,
    fota_json_t **out, fota_json_error_t *err)
{
    int           rc;
    fota_jr_t     r;
    fota_json_t  *v;

    r.mem = mem;
    r.start = (text.len == 0) ? (const uint8_t *) "" : text.data;
    r.pos = r.start;
    r.end = r.start + text.len;
    r.reason = "";
    r.left = max_nodes;
    r.ready = 0;
    r.block = NULL;
    r.depth = 0;

    v = NULL;

    rc = fota_jr_node(&r, &v);

    if (rc == FOTA_OK) {
        rc = fota_jr_value(&r, v);
    }

    if (rc == FOTA_OK) {
        fota_jr_blanks(&r);

        if (r.pos != r.end) {
            rc = fota_jr_fail(&r, FOTA_INVALID, "something after the value");
        }
    }

    if (rc != FOTA_OK) {
        if (err != NULL) {
            err->offset = (size_t) (r.pos - r.start);
            err->reason = r.reason;
        }

        return rc;
    }

    *out = v;

    return FOTA_OK;
}


const fota_json_t *
fota_json_get(const fota_json_t *obj, const char *name)
{
    fota_str_t          key;
    const fota_json_t  *v;

    if (obj == NULL || obj->type != FOTA_JSON_OBJECT) {
        return NULL;
    }

    key = fota_cstr(name);

    for (v = obj->child; v != NULL; v = v->next) {
        if (fota_str_eq(v->name, key)) {
            return v;
        }
    }

    return NULL;
}


int
fota_json_int(const fota_json_t *v, int64_t *out)
{
    bool        negative;
    uint64_t    n;
    fota_str_t  s;

    if (v == NULL || v->type != FOTA_JSON_NUMBER) {
        return FOTA_INVALID;
    }

    s = v->str;
    negative = (s.data[0] == '-');

    if (negative) {
        s.data++;
        s.len--;
    }

    if (fota_str_u64(s, (uint64_t) INT64_MAX + negative, &n) != FOTA_OK) {
        return FOTA_INVALID;
    }

    *out = (int64_t) (negative ? 0 - n : n);

    return FOTA_OK;
}
