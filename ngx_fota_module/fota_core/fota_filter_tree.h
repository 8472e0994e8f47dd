/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The tree between the parser and its two translators, and the bytecode
 * between the compiler and the evaluator.  Private to fota_filter_*.c.
 *
 * Every comparison is a positive test with an optional negation: "!=" is
 * "==" negated and "=is=null" is "present" negated.  An absent fact fails
 * each positive test, which gives the two-valued logic for free.
 */

#ifndef FOTA_FILTER_TREE_H
#define FOTA_FILTER_TREE_H


#include "fota_filter.h"


/* Results of a comparison that an order operator accepts. */

#define FOTA_FILTER_LT  1
#define FOTA_FILTER_EQ  2
#define FOTA_FILTER_GT  4


typedef enum {
    FOTA_FILTER_TERM = 0,
    FOTA_FILTER_AND,
    FOTA_FILTER_OR
} fota_filter_type_e;


typedef enum {
    FOTA_FILTER_TEXT = 0,       /* == != =in= =out=: any of the values */
    FOTA_FILTER_ORDER,          /* < <= > >=: exactly one value */
    FOTA_FILTER_PRESENT         /* =is=null =not=null: no value */
} fota_filter_test_e;


typedef struct fota_filter_value_s  fota_filter_value_t;

struct fota_filter_value_s {
    fota_filter_value_t  *next;
    fota_str_t            text;     /* escapes resolved, stars taken out */
    uint16_t             *cuts;     /* offsets in text where a star stood */
    size_t                ncuts;
    size_t                column;
};


struct fota_filter_node_s {
    fota_filter_node_t   *next;     /* sibling below the same AND or OR */
    fota_filter_node_t   *child;    /* AND, OR: first of at least two */
    fota_filter_value_t  *values;
    fota_str_t            attr;     /* NAME of attr.NAME */
    size_t                column;
    fota_filter_type_e    type;
    fota_filter_test_e    test;
    fota_filter_field_e   field;
    uint8_t               mask;     /* ORDER: LT, EQ, GT */
    unsigned              negated:1;
};


/* What the groups named in one term stand for. */

typedef struct fota_filter_inline_s  fota_filter_inline_t;

struct fota_filter_inline_s {
    fota_filter_inline_t      *next;
    const fota_filter_node_t  *tree;    /* NULL matches everything */
    size_t                     column;
};


typedef struct {
    uint32_t              *ids;         /* ascending, no duplicates */
    size_t                 nids;
    fota_filter_inline_t  *inlined;     /* filters of dynamic groups */
} fota_filter_members_t;


/*
 * Bytecode: a format byte, the length of all as u16, so that no cut passes,
 * then instructions.  A test sets the accumulator:
 *
 *   op u8 (| NEGATE), field u8, [ATTR: u8 length, name], operands
 *
 *   TRUE, PRESENT   -
 *   EQ              u16 length, bytes
 *   SET             u16 buckets { u16 length, u16 n, n * length bytes };
 *                   lengths ascending, values ascending
 *   LIKE            u8 cuts, u16 length, bytes, cuts * u16 offset
 *   VERSION, BYTES  u8 mask, u16 length, bytes
 *   NUMBER          u8 mask, u64 bits of an IEEE 754 double
 *   ASN             u8 mask, u32
 *   GROUP           u16 n, n * u32 ascending
 *
 * JF and JT (op u8, u16 distance) skip forward when the accumulator is false
 * or true.  Without a way back the cost is linear in the code.
 */

#define FOTA_FILTER_FORMAT     1
#define FOTA_FILTER_HEAD       3        /* bytes before instructions */
#define FOTA_FILTER_NEGATE     0x80

#define FOTA_FILTER_GROUP_IDS  1024     /* static groups named by one term */


typedef enum {
    FOTA_FOP_TRUE = 1,
    FOTA_FOP_PRESENT,
    FOTA_FOP_EQ,
    FOTA_FOP_SET,
    FOTA_FOP_LIKE,
    FOTA_FOP_VERSION,
    FOTA_FOP_BYTES,
    FOTA_FOP_NUMBER,
    FOTA_FOP_ASN,
    FOTA_FOP_GROUP,
    FOTA_FOP_JF,
    FOTA_FOP_JT
} fota_filter_op_e;


typedef struct {
    fota_facts_t           *facts;
    const fota_location_t  *loc;    /* NULL until asked for */
} fota_filter_eval_t;


/*
 * One test without its negation, p behind the op; returns the instruction
 * after it.
 */
const uint8_t *fota_filter_test(fota_filter_eval_t *e, const uint8_t *p,
    unsigned op, bool *result);


static inline size_t
fota_filter_u16(const uint8_t *p)
{
    return (size_t) (p[0] | (p[1] << 8));
}


static inline bool
fota_filter_jumps(unsigned op)
{
    return op == FOTA_FOP_JF || op == FOTA_FOP_JT;
}


/* country, region and city compare without the case of ASCII letters. */
static inline bool
fota_filter_folded(unsigned field)
{
    return field == FOTA_F_COUNTRY || field == FOTA_F_REGION
           || field == FOTA_F_CITY;
}


/* Fills err (which may be NULL) and returns status. */
int fota_filter_fail(fota_filter_error_t *err, size_t column,
    fota_status_e status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * A piece of user text for a message: cut at a character, control bytes
 * replaced.  buf holds FOTA_FILTER_SHOW bytes and is returned.
 */
#define FOTA_FILTER_SHOW  48
char *fota_filter_show(char *buf, fota_str_t s);

/* Sets field and attr of the node from "product" or "attr.NAME". */
int fota_filter_field(fota_filter_node_t *node, fota_str_t name,
    fota_filter_error_t *err);

/* Does the field take this operator and these values? */
int fota_filter_rules(const fota_filter_node_t *node, const char *op,
    fota_filter_error_t *err);

/* The operator most like "=xy=", NULL when none is near. */
const char *fota_filter_guess_operator(fota_str_t found);

/* The spelling of a field; "attr" for FOTA_F_ATTR. */
const char *fota_filter_field_name(fota_filter_field_e field);

/*
 * Resolves the names of a group term.  level: 0 for the filter itself, 1
 * inside the filter of a dynamic group.
 */
int fota_filter_members(fota_mem_t *mem, const fota_filter_node_t *term,
    fota_filter_groups_t *groups, unsigned level, fota_filter_members_t *out,
    fota_filter_error_t *err);


#endif /* FOTA_FILTER_TREE_H */
