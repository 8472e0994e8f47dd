/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The same answer as the evaluator, in MariaDB's words.  What differs there
 * and is levelled here: collations that pad with blanks (so the length is
 * compared too, or bytes are), LOWER() that folds every script, NULL as a
 * third truth value, texts that turn into numbers half-way.
 *
 * Not levelled: LIKE over an index of a padding collation passes over texts
 * that go on with a byte below the blank.  Facts hold no control characters,
 * as fota_request_field.c and the centre's API see to it.
 */

#include <stdio.h>

#include "fota_filter_tree.h"
#include "fota_version.h"


#define FOTA_FILTER_SQL_MAX     (256 * 1024)
#define FOTA_FILTER_PARAMS_MAX  8192

/*
 * LOWER() of ASCII letters only: bytes read as ISO 8859-8, a single-byte set
 * of a script without case.  latin1 would fold lead bytes of UTF-8 and make
 * parts of different characters equal.
 */
#define FOTA_FILTER_FOLD_OPEN   "CAST(LOWER(CONVERT(CAST("
#define FOTA_FILTER_FOLD_CLOSE  " AS BINARY) USING hebrew)) AS BINARY)"


typedef struct {
    fota_mem_t                   *mem;
    fota_buf_t                    sql;
    size_t                        cap;      /* of params */
    size_t                        nparams;
    unsigned                      level;    /* 1 inside a dynamic group */
    fota_filter_param_t          *params;
    fota_filter_groups_t         *groups;
    fota_filter_error_t          *err;
    const fota_filter_sql_map_t  *map;
} fota_filter_writer_t;


static int fota_filter_write(fota_filter_writer_t *w,
    const fota_filter_node_t *node);
static int fota_filter_write_term(fota_filter_writer_t *w,
    const fota_filter_node_t *term);
static int fota_filter_write_test(fota_filter_writer_t *w,
    const fota_filter_node_t *term);
static void fota_filter_write_present(fota_filter_writer_t *w,
    const fota_filter_node_t *term);
static void fota_filter_write_order(fota_filter_writer_t *w,
    const fota_filter_node_t *term);
static void fota_filter_write_number(fota_filter_writer_t *w,
    const fota_filter_node_t *term, double number);
static int fota_filter_write_group(fota_filter_writer_t *w,
    const fota_filter_node_t *term);
static void fota_filter_write_key(fota_filter_writer_t *w,
    const fota_filter_node_t *term, const fota_filter_value_t *value);
static void fota_filter_write_text(fota_filter_writer_t *w,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    const char *column);
static int fota_filter_write_check(fota_filter_writer_t *w, size_t column);


/* fota_filter_number() as a pattern: 1..15 digits, one inner point. */

static const char  fota_filter_number_re[] =
    "^-?(?=[0-9.]{1,16}\\z)(?![0-9]{16})[0-9]+([.][0-9]+)?\\z";


int
fota_filter_sql(fota_mem_t *mem, const fota_filter_node_t *node,
    const fota_filter_sql_map_t *map, fota_filter_groups_t *groups,
    fota_filter_sql_t *out, fota_filter_error_t *err)
{
    int                    rc;
    uint8_t               *p;
    fota_filter_writer_t   w;

    memset(out, 0, sizeof(fota_filter_sql_t));
    memset(&w, 0, sizeof(fota_filter_writer_t));

    w.mem = mem;
    w.map = map;
    w.groups = groups;
    w.err = err;

    fota_buf_grow(&w.sql, FOTA_FILTER_SQL_MAX);

    if (node == NULL) {
        fota_buf_cstr(&w.sql, "1=1");
        rc = fota_filter_write_check(&w, 1);

    } else {
        rc = fota_filter_write(&w, node);
    }

    if (rc == FOTA_OK) {
        p = fota_alloc(mem, w.sql.len + 1);

        if (p == NULL) {
            rc = FOTA_NOMEM;

        } else {
            memcpy(p, w.sql.start, w.sql.len);
            p[w.sql.len] = '\0';

            fota_buf_fixed(&out->sql, p, w.sql.len);
            out->sql.len = w.sql.len;
            out->params = w.params;
            out->nparams = w.nparams;
        }
    }

    if (rc == FOTA_NOMEM) {
        (void) fota_filter_fail(err, 1, FOTA_NOMEM, "out of memory");
    }

    fota_buf_free(&w.sql);

    return rc;
}


static int
fota_filter_write_check(fota_filter_writer_t *w, size_t column)
{
    if (w->sql.status == FOTA_NOMEM) {
        return FOTA_NOMEM;
    }

    if (w->sql.status != FOTA_OK) {
        return fota_filter_fail(w->err, column, FOTA_LIMIT,
                                "SQL of the filter is longer than %d bytes or "
                                "has more than %d values, the limits",
                                FOTA_FILTER_SQL_MAX, FOTA_FILTER_PARAMS_MAX);
    }

    return FOTA_OK;
}


static void
fota_filter_add_param(fota_filter_writer_t *w, fota_str_t text, bool binary)
{
    size_t                cap;
    fota_filter_param_t  *params;

    if (w->sql.status != FOTA_OK) {
        return;
    }

    if (w->nparams == FOTA_FILTER_PARAMS_MAX) {
        w->sql.status = FOTA_LIMIT;
        return;
    }

    if (w->nparams == w->cap) {
        cap = (w->cap == 0) ? 16 : w->cap * 2;

        params = fota_calloc(w->mem, cap, sizeof(fota_filter_param_t));
        if (params == NULL) {
            w->sql.status = FOTA_NOMEM;
            return;
        }

        if (w->nparams > 0) {
            memcpy(params, w->params,
                   w->nparams * sizeof(fota_filter_param_t));
        }

        w->params = params;
        w->cap = cap;
    }

    w->params[w->nparams].text = text;
    w->params[w->nparams].binary = binary;
    w->nparams++;
}


static void
fota_filter_put(fota_filter_writer_t *w, const char *text)
{
    fota_buf_cstr(&w->sql, text);
}


/* An expression of the map, with the name for the mark of an attribute. */

static void
fota_filter_put_column(fota_filter_writer_t *w,
    const fota_filter_node_t *term, const char *column)
{
    fota_filter_put(w, column);

    if (term->field == FOTA_F_ATTR) {
        fota_filter_add_param(w, term->attr, false);
    }
}


static int
fota_filter_write(fota_filter_writer_t *w, const fota_filter_node_t *node)
{
    int                        rc;
    const fota_filter_node_t  *child;

    if (node->type == FOTA_FILTER_TERM) {
        return fota_filter_write_term(w, node);
    }

    fota_filter_put(w, "(");

    for (child = node->child; child != NULL; child = child->next) {
        rc = fota_filter_write(w, child);
        if (rc != FOTA_OK) {
            return rc;
        }

        if (child->next != NULL) {
            fota_filter_put(w, node->type == FOTA_FILTER_AND
                               ? " AND " : " OR ");
        }
    }

    fota_filter_put(w, ")");

    return FOTA_OK;
}


/* IS NOT TRUE makes NULL, an absent fact, a match of the negation. */

static int
fota_filter_write_term(fota_filter_writer_t *w,
    const fota_filter_node_t *term)
{
    int  rc;

    if (w->map->column[term->field] == NULL
        || (term->field == FOTA_F_VERSION && w->map->version_key == NULL))
    {
        return fota_filter_fail(w->err, term->column, FOTA_INVALID,
                                "field '%s' cannot be searched here",
                                fota_filter_field_name(term->field));
    }

    if (term->negated) {
        fota_filter_put(w, "(");
    }

    fota_filter_put(w, "(");

    rc = fota_filter_write_test(w, term);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_filter_put(w, ")");

    if (term->negated) {
        fota_filter_put(w, " IS NOT TRUE)");
    }

    return fota_filter_write_check(w, term->column);
}


static int
fota_filter_write_test(fota_filter_writer_t *w,
    const fota_filter_node_t *term)
{
    const char                 *column;
    const fota_filter_value_t  *value;

    if (term->test == FOTA_FILTER_PRESENT) {
        fota_filter_write_present(w, term);
        return FOTA_OK;
    }

    if (term->test == FOTA_FILTER_ORDER) {
        fota_filter_write_order(w, term);
        return FOTA_OK;
    }

    if (term->field == FOTA_F_GROUP) {
        return fota_filter_write_group(w, term);
    }

    column = w->map->column[term->field];

    for (value = term->values; value != NULL; value = value->next) {

        if (value != term->values) {
            fota_filter_put(w, " OR ");
        }

        if (term->field == FOTA_F_ASN
            || (term->field == FOTA_F_VERSION && value->ncuts == 0))
        {
            fota_filter_write_key(w, term, value);
            continue;
        }

        fota_filter_write_text(w, term, value, column);

        if (term->field == FOTA_F_REGION && w->map->region_code != NULL) {
            fota_filter_put(w, " OR ");
            fota_filter_write_text(w, term, value, w->map->region_code);
        }
    }

    return FOTA_OK;
}


static void
fota_filter_write_present(fota_filter_writer_t *w,
    const fota_filter_node_t *term)
{
    const char  *column;

    column = w->map->column[term->field];

    switch (term->field) {

    case FOTA_F_GROUP:
        fota_filter_put(w, w->map->group_any != NULL ? w->map->group_any
                                                     : "1=0");
        break;

    case FOTA_F_ASN:
        fota_filter_put(w, column);
        fota_filter_put(w, " > 0");
        break;

    case FOTA_F_ATTR:
        fota_filter_put_column(w, term, column);
        fota_filter_put(w, " IS NOT NULL");
        break;

    default:
        fota_buf_printf(&w->sql, "LENGTH(%s) > 0", column);

        if (term->field == FOTA_F_REGION && w->map->region_code != NULL) {
            fota_buf_printf(&w->sql, " OR LENGTH(%s) > 0",
                            w->map->region_code);
        }

        break;
    }
}


static const char *
fota_filter_relation(uint8_t mask)
{
    switch (mask) {

    case FOTA_FILTER_LT:
        return " < ";

    case FOTA_FILTER_LT | FOTA_FILTER_EQ:
        return " <= ";

    case FOTA_FILTER_GT:
        return " > ";

    case FOTA_FILTER_GT | FOTA_FILTER_EQ:
        return " >= ";

    default:
        return " = ";
    }
}


static void
fota_filter_write_order(fota_filter_writer_t *w,
    const fota_filter_node_t *term)
{
    double       number;
    const char  *column;

    if (term->field == FOTA_F_ASN || term->field == FOTA_F_VERSION) {
        fota_filter_write_key(w, term, term->values);
        return;
    }

    if (fota_filter_number(term->values->text, &number)) {
        fota_filter_write_number(w, term, number);
        return;
    }

    column = w->map->column[term->field];

    if (term->field != FOTA_F_ATTR) {
        fota_buf_printf(&w->sql, "LENGTH(%s) > 0 AND ", column);
    }

    fota_filter_put(w, "CAST(");
    fota_filter_put_column(w, term, column);
    fota_filter_put(w, " AS BINARY)");
    fota_filter_put(w, fota_filter_relation(term->mask));
    fota_filter_put(w, "?");
    fota_filter_add_param(w, term->values->text, false);
}


static void
fota_filter_write_number(fota_filter_writer_t *w,
    const fota_filter_node_t *term, double number)
{
    const char  *column;

    if (term->field == FOTA_F_ATTR && w->map->attr_number != NULL) {
        fota_filter_put_column(w, term, w->map->attr_number);

    } else {

        /* CASE, because a cast of other text fails in strict mode. */

        column = w->map->column[term->field];

        fota_filter_put(w, "CASE WHEN ");
        fota_filter_put_column(w, term, column);
        fota_filter_put(w, " REGEXP ? THEN CAST(");
        fota_filter_add_param(w, fota_cstr(fota_filter_number_re), false);
        fota_filter_put_column(w, term, column);
        fota_filter_put(w, " AS DOUBLE) END");
    }

    /* The exponent makes it a double; 17 digits give back the same one. */

    fota_filter_put(w, fota_filter_relation(term->mask));
    fota_buf_printf(&w->sql, "%.16e", number);
}


/* A version by its key, or an ASN, which the parser knows to be digits. */

static void
fota_filter_write_key(fota_filter_writer_t *w,
    const fota_filter_node_t *term, const fota_filter_value_t *value)
{
    uint8_t      mask, *key;
    uint64_t     asn;
    const char  *column;

    column = w->map->column[term->field];
    mask = (term->test == FOTA_FILTER_ORDER) ? term->mask : FOTA_FILTER_EQ;

    if (term->field == FOTA_F_ASN) {
        asn = 0;
        (void) fota_str_u64(value->text, UINT32_MAX, &asn);

        fota_buf_printf(&w->sql, "(%s > 0 AND %s%s%llu)", column, column,
                        fota_filter_relation(mask), (unsigned long long) asn);
        return;
    }

    key = fota_alloc(w->mem, FOTA_VERSION_KEY_MAX);

    if (key == NULL) {
        w->sql.status = FOTA_NOMEM;
        return;
    }

    fota_buf_printf(&w->sql, "(LENGTH(%s) > 0 AND %s%s?)", column,
                    w->map->version_key, fota_filter_relation(mask));

    fota_filter_add_param(w, fota_slice(key, fota_version_key(key,
                                                             value->text)),
                          true);
}


/* The stars as '%', every other byte as itself. */

static void
fota_filter_add_like(fota_filter_writer_t *w, const fota_filter_value_t *value)
{
    size_t    i, len, cut;
    uint8_t  *p, c;

    p = fota_alloc(w->mem, value->text.len * 2 + value->ncuts);

    if (p == NULL) {
        w->sql.status = FOTA_NOMEM;
        return;
    }

    len = 0;
    cut = 0;

    for (i = 0; i <= value->text.len; i++) {

        if (cut < value->ncuts && value->cuts[cut] == i) {
            p[len++] = '%';
            cut++;
        }

        if (i == value->text.len) {
            break;
        }

        c = value->text.data[i];

        if (c == '%' || c == '_' || c == '!') {
            p[len++] = '!';
        }

        p[len++] = c;
    }

    fota_filter_add_param(w, fota_slice(p, len), false);
}


static void
fota_filter_write_text(fota_filter_writer_t *w,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    const char *column)
{
    bool  folded;

    if (value->text.len == 0 && term->field != FOTA_F_ATTR) {

        /* Only stars: any text.  Empty: absent, so equal to nothing. */

        if (value->ncuts > 0) {
            fota_buf_printf(&w->sql, "LENGTH(%s) > 0", column);

        } else {
            fota_filter_put(w, "1=0");
        }

        return;
    }

    folded = fota_filter_folded(term->field);

    if (!folded && term->field != FOTA_F_ATTR && value->ncuts == 0) {

        /* Not by bytes: an index on the column shall serve. */

        fota_buf_printf(&w->sql, "(%s = ? AND LENGTH(%s) = %zu)", column,
                        column, value->text.len);
        fota_filter_add_param(w, value->text, false);
        return;
    }

    if (!folded && value->ncuts > 0) {
        fota_filter_put_column(w, term, column);
        fota_filter_put(w, " LIKE ? ESCAPE '!'");
        fota_filter_add_like(w, value);
        return;
    }

    fota_filter_put(w, folded ? FOTA_FILTER_FOLD_OPEN : "CAST(");
    fota_filter_put_column(w, term, column);
    fota_filter_put(w, folded ? FOTA_FILTER_FOLD_CLOSE : " AS BINARY)");

    fota_filter_put(w, value->ncuts > 0 ? " LIKE " : " = ");
    fota_filter_put(w, folded ? FOTA_FILTER_FOLD_OPEN "?"
                                FOTA_FILTER_FOLD_CLOSE : "?");

    if (value->ncuts > 0) {
        fota_filter_put(w, " ESCAPE '!'");
        fota_filter_add_like(w, value);
        return;
    }

    fota_filter_add_param(w, value->text, false);
}


static int
fota_filter_write_group(fota_filter_writer_t *w,
    const fota_filter_node_t *term)
{
    int                     rc;
    size_t                  i;
    const char             *mark, *column;
    fota_filter_error_t     inner, *err;
    fota_filter_inline_t   *in;
    fota_filter_members_t   members;

    rc = fota_filter_members(w->mem, term, w->groups, w->level, &members,
                             w->err);
    if (rc != FOTA_OK) {
        return rc;
    }

    column = w->map->column[FOTA_F_GROUP];
    mark = strstr(column, "%s");

    if (members.nids == 0 || mark == NULL) {
        fota_filter_put(w, "1=0");

    } else {
        fota_buf_put(&w->sql, column, (size_t) (mark - column));

        for (i = 0; i < members.nids; i++) {
            fota_buf_cstr(&w->sql, i == 0 ? "" : ",");
            fota_buf_u64dec(&w->sql, members.ids[i]);
        }

        fota_filter_put(w, mark + 2);
    }

    err = w->err;

    for (in = members.inlined; in != NULL; in = in->next) {
        fota_filter_put(w, " OR ");

        if (in->tree == NULL) {
            fota_filter_put(w, "1=1");
            continue;
        }

        inner.text[0] = '\0';

        w->level++;
        w->err = &inner;

        rc = fota_filter_write(w, in->tree);

        w->level--;
        w->err = err;

        if (rc == FOTA_NOMEM) {
            return rc;
        }

        if (rc != FOTA_OK) {
            return fota_filter_fail(err, in->column, rc, "%s", inner.text);
        }
    }

    return FOTA_OK;
}
