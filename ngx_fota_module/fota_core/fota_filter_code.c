/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_filter_tree.h"


#define FOTA_FILTER_NO_JUMP  UINT16_MAX


typedef struct {
    fota_mem_t            *mem;
    fota_buf_t            *code;
    size_t                 base;        /* of this filter in code */
    unsigned               level;       /* 1 inside a dynamic group */
    fota_filter_groups_t  *groups;
    fota_filter_error_t   *err;
} fota_filter_compiler_t;


/*
 * Tests joined by one jump operation.  Until the end is known each distance
 * holds the place of the one before it.
 */

typedef struct {
    fota_filter_compiler_t  *c;
    fota_filter_op_e         jump;
    unsigned                 more:1;
    uint16_t                 last;
} fota_filter_chain_t;


static int fota_filter_emit(fota_filter_compiler_t *c,
    const fota_filter_node_t *node, bool negated);
static int fota_filter_emit_term(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated);
static int fota_filter_emit_group(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated);
static int fota_filter_emit_texts(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated);
static int fota_filter_emit_set(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated, size_t n);
static void fota_filter_emit_pattern(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    bool negated);
static void fota_filter_emit_number(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    uint8_t mask, bool negated);
static void fota_filter_emit_order(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated);
static int fota_filter_emit_check(fota_filter_compiler_t *c, size_t column);


int
fota_filter_compile(fota_mem_t *mem, const fota_filter_node_t *node,
    fota_filter_groups_t *groups, fota_buf_t *code, fota_filter_error_t *err)
{
    int                     rc;
    size_t                  len;
    fota_filter_compiler_t  c;

    if (node == NULL) {
        return FOTA_OK;
    }

    c.mem = mem;
    c.code = code;
    c.base = code->len;
    c.level = 0;
    c.groups = groups;
    c.err = err;

    fota_buf_u8(code, FOTA_FILTER_FORMAT);
    fota_buf_u16(code, 0);

    rc = fota_filter_emit(&c, node, false);

    if (rc == FOTA_OK) {
        len = code->len - c.base;
        code->start[c.base + 1] = (uint8_t) len;
        code->start[c.base + 2] = (uint8_t) (len >> 8);
    }

    if (rc == FOTA_NOMEM) {
        (void) fota_filter_fail(err, 1, FOTA_NOMEM, "out of memory");
    }

    return rc;
}


static void
fota_filter_chain_init(fota_filter_chain_t *chain, fota_filter_compiler_t *c,
    bool all)
{
    chain->c = c;
    chain->jump = all ? FOTA_FOP_JF : FOTA_FOP_JT;
    chain->more = 0;
    chain->last = FOTA_FILTER_NO_JUMP;
}


/* Before each test: the one before it may have decided. */

static void
fota_filter_chain_next(fota_filter_chain_t *chain)
{
    fota_buf_t  *code;

    if (!chain->more) {
        chain->more = 1;
        return;
    }

    code = chain->c->code;

    fota_buf_u8(code, (uint8_t) chain->jump);
    fota_buf_u16(code, chain->last);

    chain->last = (uint16_t) (code->len - chain->c->base - 2);
}


static void
fota_filter_chain_end(fota_filter_chain_t *chain)
{
    size_t    end, distance;
    uint8_t  *p;
    uint16_t  at;

    /* After an error there may be fewer bytes than the chain says. */

    if (chain->c->code->status != FOTA_OK) {
        return;
    }

    end = chain->c->code->len - chain->c->base;

    for (at = chain->last; at != FOTA_FILTER_NO_JUMP; /* void */ ) {
        p = chain->c->code->start + chain->c->base + at;
        distance = end - at - 2;

        at = (uint16_t) (p[0] | (p[1] << 8));

        p[0] = (uint8_t) distance;
        p[1] = (uint8_t) (distance >> 8);
    }
}


/* By De Morgan negation sinks to the tests, so there is no NOT. */

static int
fota_filter_emit(fota_filter_compiler_t *c, const fota_filter_node_t *node,
    bool negated)
{
    int                        rc;
    fota_filter_chain_t        chain;
    const fota_filter_node_t  *child;

    if (node->type == FOTA_FILTER_TERM) {
        return fota_filter_emit_term(c, node, negated ^ node->negated);
    }

    fota_filter_chain_init(&chain, c,
                           (node->type == FOTA_FILTER_AND) ^ negated);

    for (child = node->child; child != NULL; child = child->next) {
        fota_filter_chain_next(&chain);

        rc = fota_filter_emit(c, child, negated);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    fota_filter_chain_end(&chain);

    return FOTA_OK;
}


static int
fota_filter_emit_check(fota_filter_compiler_t *c, size_t column)
{
    if (c->code->len - c->base > FOTA_FILTER_CODE_MAX) {
        return fota_filter_fail(c->err, column, FOTA_LIMIT,
                                "compiled filter is longer than %d bytes, "
                                "the limit", FOTA_FILTER_CODE_MAX);
    }

    if (c->code->status == FOTA_NOMEM) {
        return FOTA_NOMEM;
    }

    if (c->code->status != FOTA_OK) {
        return fota_filter_fail(c->err, column, c->code->status,
                                "compiled filter does not fit in %zu bytes",
                                c->code->max);
    }

    return FOTA_OK;
}


static void
fota_filter_emit_op(fota_filter_compiler_t *c, fota_filter_op_e op,
    const fota_filter_node_t *term, bool negated)
{
    fota_buf_u8(c->code, (uint8_t) (op | (negated ? FOTA_FILTER_NEGATE : 0)));
    fota_buf_u8(c->code, (uint8_t) term->field);

    if (term->field == FOTA_F_ATTR) {
        fota_buf_u8(c->code, (uint8_t) term->attr.len);
        fota_buf_str(c->code, term->attr);
    }
}


/* Values of folded fields are kept in lower case. */

static void
fota_filter_emit_bytes(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, fota_str_t text)
{
    size_t   i;
    uint8_t  b;

    for (i = 0; i < text.len; i++) {
        b = text.data[i];

        if (fota_filter_folded(term->field) && b >= 'A' && b <= 'Z') {
            b |= 0x20;
        }

        fota_buf_u8(c->code, b);
    }
}


static int
fota_filter_emit_term(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated)
{
    int  rc;

    if (term->test == FOTA_FILTER_PRESENT) {
        fota_filter_emit_op(c, FOTA_FOP_PRESENT, term, negated);

    } else if (term->test == FOTA_FILTER_ORDER) {
        fota_filter_emit_order(c, term, negated);

    } else {
        rc = (term->field == FOTA_F_GROUP)
             ? fota_filter_emit_group(c, term, negated)
             : fota_filter_emit_texts(c, term, negated);

        if (rc != FOTA_OK) {
            return rc;
        }
    }

    return fota_filter_emit_check(c, term->column);
}


static int
fota_filter_emit_group(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated)
{
    int                     rc;
    size_t                  i;
    fota_filter_chain_t     chain;
    fota_filter_error_t     inner, *err;
    fota_filter_inline_t   *in;
    fota_filter_members_t   members;

    rc = fota_filter_members(c->mem, term, c->groups, c->level, &members,
                             c->err);
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_filter_chain_init(&chain, c, negated);

    if (members.nids > 0 || members.inlined == NULL) {
        fota_filter_chain_next(&chain);
        fota_filter_emit_op(c, FOTA_FOP_GROUP, term, negated);
        fota_buf_u16(c->code, (uint16_t) members.nids);

        for (i = 0; i < members.nids; i++) {
            fota_buf_u32(c->code, members.ids[i]);
        }
    }

    err = c->err;

    for (in = members.inlined; in != NULL; in = in->next) {
        fota_filter_chain_next(&chain);

        if (in->tree == NULL) {
            fota_filter_emit_op(c, FOTA_FOP_TRUE, term, negated);

        } else {
            inner.text[0] = '\0';

            c->level++;
            c->err = &inner;

            rc = fota_filter_emit(c, in->tree, negated);

            c->level--;
            c->err = err;

            if (rc == FOTA_NOMEM) {
                return rc;
            }

            if (rc != FOTA_OK) {
                return fota_filter_fail(err, in->column, rc, "%s",
                                        inner.text);
            }
        }

        rc = fota_filter_emit_check(c, in->column);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    fota_filter_chain_end(&chain);

    return FOTA_OK;
}


/* Any of the values: the exact ones as a set, the others one by one. */

static int
fota_filter_emit_texts(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated)
{
    int                         rc;
    bool                        set;
    size_t                      n;
    fota_filter_chain_t         chain;
    const fota_filter_value_t  *value;

    set = (term->field != FOTA_F_VERSION && term->field != FOTA_F_ASN);
    n = 0;

    fota_filter_chain_init(&chain, c, negated);

    for (value = term->values; value != NULL; value = value->next) {

        if (value->ncuts > 0) {
            fota_filter_chain_next(&chain);
            fota_filter_emit_pattern(c, term, value, negated);

        } else if (set) {
            n++;

        } else {
            fota_filter_chain_next(&chain);
            fota_filter_emit_number(c, term, value, FOTA_FILTER_EQ, negated);
        }
    }

    if (n > 0) {
        fota_filter_chain_next(&chain);

        rc = fota_filter_emit_set(c, term, negated, n);
        if (rc != FOTA_OK) {
            return rc;
        }
    }

    fota_filter_chain_end(&chain);

    return FOTA_OK;
}


static int
fota_filter_cmp_values(const void *a, const void *b)
{
    fota_str_t  x, y;

    x = *(const fota_str_t *) a;
    y = *(const fota_str_t *) b;

    if (x.len != y.len) {
        return (x.len > y.len) ? 1 : -1;
    }

    return fota_str_cmp(x, y);
}


/* Buckets of equal length let the evaluator search by halves. */

static int
fota_filter_emit_set(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated, size_t n)
{
    size_t                      i, j, k, len;
    uint8_t                    *p;
    uint16_t                    buckets;
    fota_buf_t                  folded;
    fota_str_t                 *set;
    const fota_filter_value_t  *value;
    fota_filter_compiler_t      side;

    set = fota_alloc(c->mem, n * sizeof(fota_str_t));
    if (set == NULL) {
        return FOTA_NOMEM;
    }

    /* Folded first: the order has to be that of the bytes written. */

    side = *c;
    side.code = &folded;
    i = 0;

    for (value = term->values; value != NULL; value = value->next) {

        if (value->ncuts > 0) {
            continue;
        }

        p = fota_alloc(c->mem, value->text.len);
        if (p == NULL) {
            return FOTA_NOMEM;
        }

        fota_buf_fixed(&folded, p, value->text.len);
        fota_filter_emit_bytes(&side, term, value->text);

        set[i++] = fota_slice(p, value->text.len);
    }

    if (n == 1) {
        fota_filter_emit_op(c, FOTA_FOP_EQ, term, negated);
        fota_buf_lstr(c->code, set[0]);
        return FOTA_OK;
    }

    qsort(set, n, sizeof(fota_str_t), fota_filter_cmp_values);

    j = 1;
    buckets = 1;

    for (i = 1; i < n; i++) {
        if (!fota_str_eq(set[i], set[j - 1])) {
            buckets += (set[i].len != set[j - 1].len);
            set[j++] = set[i];
        }
    }

    n = j;

    fota_filter_emit_op(c, FOTA_FOP_SET, term, negated);
    fota_buf_u16(c->code, buckets);

    for (i = 0; i < n; i = j) {
        len = set[i].len;

        for (j = i; j < n && set[j].len == len; j++) {
            /* void */
        }

        fota_buf_u16(c->code, (uint16_t) len);
        fota_buf_u16(c->code, (uint16_t) (j - i));

        for (k = i; k < j; k++) {
            fota_buf_str(c->code, set[k]);
        }
    }

    return FOTA_OK;
}


static void
fota_filter_emit_pattern(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    bool negated)
{
    size_t  i;

    /* Nothing but a star: any text will do, if there is one. */

    if (value->text.len == 0) {
        fota_filter_emit_op(c, FOTA_FOP_PRESENT, term, negated);
        return;
    }

    fota_filter_emit_op(c, FOTA_FOP_LIKE, term, negated);

    fota_buf_u8(c->code, (uint8_t) value->ncuts);
    fota_buf_u16(c->code, (uint16_t) value->text.len);
    fota_filter_emit_bytes(c, term, value->text);

    for (i = 0; i < value->ncuts; i++) {
        fota_buf_u16(c->code, value->cuts[i]);
    }
}


static void
fota_filter_emit_number(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, const fota_filter_value_t *value,
    uint8_t mask, bool negated)
{
    uint64_t  asn;

    if (term->field == FOTA_F_VERSION) {
        fota_filter_emit_op(c, FOTA_FOP_VERSION, term, negated);
        fota_buf_u8(c->code, mask);
        fota_buf_lstr(c->code, value->text);
        return;
    }

    asn = 0;

    /* The parser has looked at the digits. */

    (void) fota_str_u64(value->text, UINT32_MAX, &asn);

    fota_filter_emit_op(c, FOTA_FOP_ASN, term, negated);
    fota_buf_u8(c->code, mask);
    fota_buf_u32(c->code, (uint32_t) asn);
}


static void
fota_filter_emit_order(fota_filter_compiler_t *c,
    const fota_filter_node_t *term, bool negated)
{
    double      number;
    uint64_t    bits;
    fota_str_t  text;

    if (term->field == FOTA_F_VERSION || term->field == FOTA_F_ASN) {
        fota_filter_emit_number(c, term, term->values, term->mask, negated);
        return;
    }

    text = term->values->text;

    if (fota_filter_number(text, &number)) {
        memcpy(&bits, &number, sizeof(bits));

        fota_filter_emit_op(c, FOTA_FOP_NUMBER, term, negated);
        fota_buf_u8(c->code, term->mask);
        fota_buf_u64(c->code, bits);
        return;
    }

    fota_filter_emit_op(c, FOTA_FOP_BYTES, term, negated);
    fota_buf_u8(c->code, term->mask);
    fota_buf_lstr(c->code, text);
}
