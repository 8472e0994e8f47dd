/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <ctype.h>
#include <stdio.h>

#include "fota_filter_tree.h"


typedef struct {
    fota_mem_t           *mem;
    const uint8_t        *start;
    const uint8_t        *pos;
    const uint8_t        *end;
    fota_filter_error_t  *err;
    unsigned              depth;
    unsigned              terms;
} fota_filter_parser_t;


typedef enum {
    FOTA_JOIN_NONE = 0,
    FOTA_JOIN_AND,
    FOTA_JOIN_OR
} fota_filter_join_e;


typedef struct {
    const char          *text;
    fota_filter_test_e   test;
    uint8_t              mask;
    uint8_t              negated;
    uint8_t              list;
} fota_filter_operator_t;


static int fota_filter_text_check(fota_str_t text, fota_filter_error_t *err);
static fota_filter_join_e fota_filter_joiner(fota_filter_parser_t *p,
    size_t *len);
static int fota_filter_parse_or(fota_filter_parser_t *p,
    fota_filter_node_t **out);
static int fota_filter_parse_list(fota_filter_parser_t *p,
    fota_filter_join_e join, fota_filter_node_t **out);
static int fota_filter_parse_group(fota_filter_parser_t *p,
    fota_filter_node_t **out);
static int fota_filter_parse_term(fota_filter_parser_t *p,
    fota_filter_node_t **out);
static int fota_filter_parse_operator(fota_filter_parser_t *p,
    fota_str_t field, const fota_filter_operator_t **out);
static int fota_filter_parse_operands(fota_filter_parser_t *p,
    const fota_filter_operator_t *op, fota_filter_node_t *node);
static int fota_filter_parse_value(fota_filter_parser_t *p, bool stars,
    const char *after, fota_filter_value_t *value);


/* Longer spellings first where one begins another. */

static const fota_filter_operator_t  fota_filter_operators[] = {
    { "==",    FOTA_FILTER_TEXT, 0, 0, 0 },
    { "!=",    FOTA_FILTER_TEXT, 0, 1, 0 },
    { "=in=",  FOTA_FILTER_TEXT, 0, 0, 1 },
    { "=out=", FOTA_FILTER_TEXT, 0, 1, 1 },
    { "=is=",  FOTA_FILTER_PRESENT, 0, 1, 0 },
    { "=not=", FOTA_FILTER_PRESENT, 0, 0, 0 },
    { "=lt=",  FOTA_FILTER_ORDER, FOTA_FILTER_LT, 0, 0 },
    { "=le=",  FOTA_FILTER_ORDER, FOTA_FILTER_LT | FOTA_FILTER_EQ, 0, 0 },
    { "=gt=",  FOTA_FILTER_ORDER, FOTA_FILTER_GT, 0, 0 },
    { "=ge=",  FOTA_FILTER_ORDER, FOTA_FILTER_GT | FOTA_FILTER_EQ, 0, 0 },
    { "<=",    FOTA_FILTER_ORDER, FOTA_FILTER_LT | FOTA_FILTER_EQ, 0, 0 },
    { ">=",    FOTA_FILTER_ORDER, FOTA_FILTER_GT | FOTA_FILTER_EQ, 0, 0 },
    { "<",     FOTA_FILTER_ORDER, FOTA_FILTER_LT, 0, 0 },
    { ">",     FOTA_FILTER_ORDER, FOTA_FILTER_GT, 0, 0 },
    { NULL,    FOTA_FILTER_TEXT, 0, 0, 0 }
};


static bool
fota_filter_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/* Ends a bare word: RSQL's reserved set without '~', common in versions. */

static bool
fota_filter_reserved(uint8_t c)
{
    return fota_filter_blank(c)
           || (c != '\0' && strchr("\"'()=!<>,;", c) != NULL);
}


static void
fota_filter_skip(fota_filter_parser_t *p)
{
    while (p->pos < p->end && fota_filter_blank(*p->pos)) {
        p->pos++;
    }
}


/* Columns count characters: what an editor shows to the user. */

static size_t
fota_filter_column(const fota_filter_parser_t *p, const uint8_t *at)
{
    size_t          column;
    const uint8_t  *c;

    column = 1;

    for (c = p->start; c < at; c++) {
        if ((*c & 0xc0) != 0x80) {
            column++;
        }
    }

    return column;
}


/* The run of bytes at pos that a reader takes for one word or operator. */

static fota_str_t
fota_filter_run(const fota_filter_parser_t *p)
{
    const uint8_t  *c;

    c = p->pos;

    while (c < p->end && !fota_filter_reserved(*c)) {
        c += (*c == '\\' && c + 1 < p->end) ? 2 : 1;
    }

    if (c == p->pos && c < p->end) {
        c++;
    }

    return fota_slice(p->pos, (size_t) (c - p->pos));
}


/* "expected X, found Y" at pos. */

static int
fota_filter_expected(fota_filter_parser_t *p, const char *what)
{
    char    show[FOTA_FILTER_SHOW];
    size_t  column;

    column = fota_filter_column(p, p->pos);

    if (p->pos == p->end) {
        return fota_filter_fail(p->err, column, FOTA_INVALID,
                                "expected %s, found the end of the filter",
                                what);
    }

    return fota_filter_fail(p->err, column, FOTA_INVALID,
                            "expected %s, found '%s'", what,
                            fota_filter_show(show, fota_filter_run(p)));
}


int
fota_filter_parse(fota_mem_t *mem, fota_str_t text, fota_filter_node_t **out,
    fota_filter_error_t *err)
{
    int                   rc;
    fota_filter_parser_t  p;

    *out = NULL;

    rc = fota_filter_text_check(text, err);
    if (rc != FOTA_OK) {
        return rc;
    }

    p.mem = mem;
    p.start = (text.len == 0) ? (const uint8_t *) "" : text.data;
    p.pos = p.start;
    p.end = p.start + text.len;
    p.err = err;
    p.depth = 0;
    p.terms = 0;

    fota_filter_skip(&p);

    if (p.pos == p.end) {
        return FOTA_OK;
    }

    rc = fota_filter_parse_or(&p, out);

    if (rc == FOTA_OK && p.pos < p.end) {

        if (*p.pos == ')') {
            rc = fota_filter_fail(err, fota_filter_column(&p, p.pos),
                                  FOTA_INVALID, "')' without a '('");

        } else {
            rc = fota_filter_expected(&p, "'and', 'or' or the end");
        }
    }

    if (rc != FOTA_OK) {
        *out = NULL;
    }

    if (rc == FOTA_NOMEM) {
        (void) fota_filter_fail(err, 1, FOTA_NOMEM, "out of memory");
    }

    return rc;
}


/* Length and bytes, before anything looks at the words. */

static int
fota_filter_text_check(fota_str_t text, fota_filter_error_t *err)
{
    size_t   i, n, column;
    uint8_t  c;

    if (text.len > FOTA_FILTER_TEXT_MAX) {
        return fota_filter_fail(err, 1, FOTA_LIMIT,
                                "filter is %zu bytes long; the limit is %d",
                                text.len, FOTA_FILTER_TEXT_MAX);
    }

    column = 1;

    for (i = 0; i < text.len; i += n, column++) {
        c = text.data[i];
        n = fota_str_utf8_seq(text.data + i, text.len - i);

        if (n == 0 && c != '\0') {
            return fota_filter_fail(err, column, FOTA_INVALID,
                                    "byte 0x%02x is not UTF-8", c);
        }

        if ((c < 0x20 && !fota_filter_blank(c)) || c == 0x7f) {
            return fota_filter_fail(err, column, FOTA_INVALID,
                                    "control character 0x%02x", c);
        }
    }

    return FOTA_OK;
}


/* What joins the next term; len is how many bytes spell it. */

static fota_filter_join_e
fota_filter_joiner(fota_filter_parser_t *p, size_t *len)
{
    fota_str_t  word;

    fota_filter_skip(p);

    word = fota_filter_run(p);
    *len = word.len;

    if (fota_str_eq_nocase(word, fota_cstr("and"))
        || fota_str_eq(word, fota_cstr(";")))
    {
        return FOTA_JOIN_AND;
    }

    if (fota_str_eq_nocase(word, fota_cstr("or"))
        || fota_str_eq(word, fota_cstr(",")))
    {
        return FOTA_JOIN_OR;
    }

    return FOTA_JOIN_NONE;
}


static int
fota_filter_parse_or(fota_filter_parser_t *p, fota_filter_node_t **out)
{
    return fota_filter_parse_list(p, FOTA_JOIN_OR, out);
}


/*
 * One level of precedence: an OR list has AND lists as members, an AND list
 * terms.  A list of one is its member.
 */

static int
fota_filter_parse_list(fota_filter_parser_t *p, fota_filter_join_e join,
    fota_filter_node_t **out)
{
    int                   rc;
    size_t                len;
    fota_filter_node_t   *list, *first, **last;

    first = NULL;
    last = &first;

    for ( ;; ) {

        if (join == FOTA_JOIN_OR) {
            rc = fota_filter_parse_list(p, FOTA_JOIN_AND, last);

        } else {
            rc = fota_filter_parse_term(p, last);
        }

        if (rc != FOTA_OK) {
            return rc;
        }

        if (fota_filter_joiner(p, &len) != join) {
            break;
        }

        p->pos += len;
        last = &(*last)->next;
    }

    if (first->next == NULL) {
        *out = first;
        return FOTA_OK;
    }

    list = fota_calloc(p->mem, 1, sizeof(fota_filter_node_t));
    if (list == NULL) {
        return FOTA_NOMEM;
    }

    list->type = (join == FOTA_JOIN_OR) ? FOTA_FILTER_OR : FOTA_FILTER_AND;
    list->column = first->column;
    list->child = first;

    *out = list;

    return FOTA_OK;
}


static int
fota_filter_parse_group(fota_filter_parser_t *p, fota_filter_node_t **out)
{
    int     rc;
    size_t  column;

    column = fota_filter_column(p, p->pos);

    if (p->depth == FOTA_FILTER_DEPTH_MAX) {
        return fota_filter_fail(p->err, column, FOTA_LIMIT,
                                "parentheses are nested %d deep; "
                                "the limit is %d", FOTA_FILTER_DEPTH_MAX + 1,
                                FOTA_FILTER_DEPTH_MAX);
    }

    p->depth++;
    p->pos++;

    rc = fota_filter_parse_or(p, out);
    if (rc != FOTA_OK) {
        return rc;
    }

    if (p->pos == p->end) {
        return fota_filter_fail(p->err, column, FOTA_INVALID,
                                "this '(' is never closed");
    }

    if (*p->pos != ')') {
        return fota_filter_expected(p, "'and', 'or' or ')'");
    }

    p->depth--;
    p->pos++;

    return FOTA_OK;
}


static int
fota_filter_parse_term(fota_filter_parser_t *p, fota_filter_node_t **out)
{
    int                            rc;
    size_t                         len;
    fota_str_t                     name;
    fota_filter_node_t            *node;
    fota_filter_value_t            word;
    const fota_filter_operator_t  *op;

    fota_filter_skip(p);

    if (p->pos < p->end && *p->pos == '(') {
        return fota_filter_parse_group(p, out);
    }

    if (p->pos == p->end || fota_filter_reserved(*p->pos)
        || fota_filter_joiner(p, &len) != FOTA_JOIN_NONE)
    {
        return fota_filter_expected(p, "a field or '('");
    }

    node = fota_calloc(p->mem, 1, sizeof(fota_filter_node_t));
    if (node == NULL) {
        return FOTA_NOMEM;
    }

    node->column = fota_filter_column(p, p->pos);

    if (++p->terms > FOTA_FILTER_TERMS_MAX) {
        return fota_filter_fail(p->err, node->column, FOTA_LIMIT,
                                "filter has more than %d comparisons, "
                                "the limit", FOTA_FILTER_TERMS_MAX);
    }

    rc = fota_filter_parse_value(p, false, "", &word);
    if (rc != FOTA_OK) {
        return rc;
    }

    op = NULL;
    name = word.text;

    rc = fota_filter_field(node, name, p->err);
    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_filter_parse_operator(p, name, &op);
    if (rc != FOTA_OK) {
        return rc;
    }

    node->test = op->test;
    node->mask = op->mask;
    node->negated = op->negated;

    rc = fota_filter_parse_operands(p, op, node);
    if (rc != FOTA_OK) {
        return rc;
    }

    *out = node;

    return fota_filter_rules(node, op->text, p->err);
}


static int
fota_filter_parse_operator(fota_filter_parser_t *p, fota_str_t field,
    const fota_filter_operator_t **out)
{
    char                           show[FOTA_FILTER_SHOW], what[96];
    size_t                         n, column;
    fota_str_t                     found;
    const char                    *guess;
    const uint8_t                 *c;
    const fota_filter_operator_t  *op;

    fota_filter_skip(p);

    for (op = fota_filter_operators; op->text != NULL; op++) {
        n = strlen(op->text);

        if ((size_t) (p->end - p->pos) >= n
            && memcmp(p->pos, op->text, n) == 0)
        {
            p->pos += n;
            *out = op;
            return FOTA_OK;
        }
    }

    if (p->pos == p->end || *p->pos != '=') {
        (void) snprintf(what, sizeof(what), "an operator after '%s'",
                        fota_filter_show(show, field));
        return fota_filter_expected(p, what);
    }

    /* "=xy=", or a single "=" as other languages have it. */

    column = fota_filter_column(p, p->pos);

    c = p->pos + 1;

    while (c < p->end && isalpha(*c)) {
        c++;
    }

    if (c == p->end || *c != '=') {
        return fota_filter_fail(p->err, column, FOTA_INVALID,
                                "unknown operator '='; did you mean '=='?");
    }

    found = fota_slice(p->pos, (size_t) (c + 1 - p->pos));
    guess = fota_filter_guess_operator(found);

    if (guess != NULL) {
        return fota_filter_fail(p->err, column, FOTA_INVALID,
                                "unknown operator '%s'; did you mean '%s'?",
                                fota_filter_show(show, found), guess);
    }

    return fota_filter_fail(p->err, column, FOTA_INVALID,
                            "unknown operator '%s'; operators are == != < <= "
                            "> >= =lt= =le= =gt= =ge= =in= =out= =is= =not=",
                            fota_filter_show(show, found));
}


static int
fota_filter_parse_operands(fota_filter_parser_t *p,
    const fota_filter_operator_t *op, fota_filter_node_t *node)
{
    int                    rc;
    size_t                 n, column;
    fota_filter_value_t   *value, **last;

    fota_filter_skip(p);

    column = fota_filter_column(p, p->pos);

    if (op->list) {
        if (p->pos == p->end || *p->pos != '(') {
            return fota_filter_expected(p, "'(' before the list of values");
        }

        p->pos++;
    }

    last = &node->values;

    for (n = 1; /* void */ ; n++) {

        value = fota_calloc(p->mem, 1, sizeof(fota_filter_value_t));
        if (value == NULL) {
            return FOTA_NOMEM;
        }

        rc = fota_filter_parse_value(p, op->test == FOTA_FILTER_TEXT,
                                     op->text, value);
        if (rc != FOTA_OK) {
            return rc;
        }

        if (n > FOTA_FILTER_LIST_MAX) {
            return fota_filter_fail(p->err, value->column, FOTA_LIMIT,
                                    "list has more than %d values, "
                                    "the limit", FOTA_FILTER_LIST_MAX);
        }

        *last = value;
        last = &value->next;

        if (!op->list) {
            break;
        }

        fota_filter_skip(p);

        if (p->pos == p->end) {
            return fota_filter_fail(p->err, column, FOTA_INVALID,
                                    "this '(' is never closed");
        }

        if (*p->pos == ')') {
            p->pos++;
            return FOTA_OK;
        }

        if (*p->pos != ',') {
            return fota_filter_expected(p, "',' or ')' in the list");
        }

        p->pos++;
    }

    if (op->test != FOTA_FILTER_PRESENT) {
        return FOTA_OK;
    }

    if (!fota_str_eq_nocase(node->values->text, fota_cstr("null"))) {
        return fota_filter_fail(p->err, column, FOTA_INVALID,
                                "'%s' takes only the word null", op->text);
    }

    node->values = NULL;

    return FOTA_OK;
}


/*
 * A bare word or a quoted text at pos.  With stars they are cut out and
 * their places kept; otherwise a star is a byte like any other.
 */

static int
fota_filter_parse_value(fota_filter_parser_t *p, bool stars,
    const char *after, fota_filter_value_t *value)
{
    size_t          len, ncuts;
    uint8_t         c, quote, text[FOTA_FILTER_VALUE_MAX];
    uint16_t        cuts[FOTA_FILTER_STARS_MAX];
    const uint8_t  *open;

    fota_filter_skip(p);

    open = p->pos;
    quote = 0;

    memset(value, 0, sizeof(fota_filter_value_t));
    value->column = fota_filter_column(p, open);

    if (p->pos < p->end && (*p->pos == '"' || *p->pos == '\'')) {
        quote = *p->pos++;

    } else if (p->pos == p->end || fota_filter_reserved(*p->pos)) {

        if (p->pos < p->end && *p->pos == '(') {
            return fota_filter_fail(p->err, value->column, FOTA_INVALID,
                                    "'%s' takes one value; use =in= or =out= "
                                    "for a list", after);
        }

        return fota_filter_expected(p, "a value");
    }

    len = 0;
    ncuts = 0;

    for ( ;; p->pos++) {

        if (p->pos == p->end) {
            if (quote) {
                return fota_filter_fail(p->err, value->column, FOTA_INVALID,
                                        "this quote is never closed");
            }

            break;
        }

        c = *p->pos;

        if (quote ? c == quote : fota_filter_reserved(c)) {
            break;
        }

        if (c == '*' && stars) {

            /* A run of stars is one. */

            if (ncuts > 0 && cuts[ncuts - 1] == len) {
                continue;
            }

            if (ncuts == FOTA_FILTER_STARS_MAX) {
                return fota_filter_fail(p->err,
                                        fota_filter_column(p, p->pos),
                                        FOTA_LIMIT, "value has more than %d "
                                        "'*', the limit",
                                        FOTA_FILTER_STARS_MAX);
            }

            cuts[ncuts++] = (uint16_t) len;
            continue;
        }

        if (c == '\\') {
            p->pos++;

            /* Letters stay free: a reader would take "\n" for a line end. */

            if (p->pos == p->end || *p->pos >= 0x80 || isalnum(*p->pos)) {
                p->pos--;
                return fota_filter_fail(p->err,
                                        fota_filter_column(p, p->pos),
                                        FOTA_INVALID, "a backslash goes only "
                                        "before punctuation; write \\\\ "
                                        "for itself");
            }

            c = *p->pos;
        }

        /* Beyond the limit only the length goes on, for the message. */

        if (len < sizeof(text)) {
            text[len] = c;
        }

        len++;
    }

    if (quote) {
        p->pos++;
    }

    if (len > FOTA_FILTER_VALUE_MAX) {
        return fota_filter_fail(p->err, value->column, FOTA_LIMIT,
                                "value is %zu bytes long; the limit is %d",
                                len, FOTA_FILTER_VALUE_MAX);
    }

    value->text = fota_strdup(p->mem, fota_slice(text, len));
    if (value->text.data == NULL) {
        return FOTA_NOMEM;
    }

    if (ncuts > 0) {
        value->cuts = fota_alloc(p->mem, ncuts * sizeof(uint16_t));
        if (value->cuts == NULL) {
            return FOTA_NOMEM;
        }

        memcpy(value->cuts, cuts, ncuts * sizeof(uint16_t));
        value->ncuts = ncuts;
    }

    return FOTA_OK;
}
