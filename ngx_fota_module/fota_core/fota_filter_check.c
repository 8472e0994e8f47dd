/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * The gate before the evaluator, which trusts what has passed here: every
 * length stays inside the code, every jump lands on an instruction.
 */

#include "fota_filter_tree.h"


#define FOTA_FILTER_MAP  (FOTA_FILTER_CODE_MAX / 8 + 1)


typedef struct {
    fota_rd_t  rd;
    size_t     size;
    uint8_t    starts[FOTA_FILTER_MAP];     /* a bit for each byte of code */
    uint8_t    targets[FOTA_FILTER_MAP];
} fota_filter_checker_t;


static void fota_filter_check_jump(fota_filter_checker_t *c);
static void fota_filter_check_test(fota_filter_checker_t *c,
    fota_filter_op_e op);
static void fota_filter_check_set(fota_rd_t *rd);
static void fota_filter_check_like(fota_rd_t *rd);
static void fota_filter_check_ids(fota_rd_t *rd);


int
fota_filter_check(fota_str_t code)
{
    size_t                 i, at;
    uint8_t                op;
    bool                   jump;
    fota_rd_t             *rd;
    fota_filter_checker_t  c;

    if (code.len == 0) {
        return FOTA_OK;
    }

    if (code.len > FOTA_FILTER_CODE_MAX) {
        return FOTA_CORRUPT;
    }

    memset(&c, 0, sizeof(fota_filter_checker_t));

    rd = &c.rd;
    c.size = code.len;

    fota_rd_init(rd, code);

    if (fota_rd_u8(rd) != FOTA_FILTER_FORMAT
        || fota_rd_u16(rd) != code.len)
    {
        return FOTA_CORRUPT;
    }

    /* A jump follows a test and comes before one. */

    jump = true;

    while (fota_rd_left(rd) > 0) {
        at = code.len - fota_rd_left(rd);
        c.starts[at / 8] |= (uint8_t) (1 << at % 8);

        op = fota_rd_u8(rd);

        if (fota_filter_jumps(op)) {

            if (jump) {
                return FOTA_CORRUPT;
            }

            jump = true;
            fota_filter_check_jump(&c);

        } else {
            jump = false;
            fota_filter_check_test(&c, op & ~FOTA_FILTER_NEGATE);
        }

        if (rd->status != FOTA_OK) {
            return FOTA_CORRUPT;
        }
    }

    if (jump) {
        return FOTA_CORRUPT;
    }

    c.starts[code.len / 8] |= (uint8_t) (1 << code.len % 8);

    for (i = 0; i < FOTA_FILTER_MAP; i++) {
        if (c.targets[i] & ~c.starts[i]) {
            return FOTA_CORRUPT;
        }
    }

    return FOTA_OK;
}


static void
fota_filter_check_jump(fota_filter_checker_t *c)
{
    size_t  target;

    target = fota_rd_u16(&c->rd);
    target += c->size - fota_rd_left(&c->rd);

    if (c->rd.status != FOTA_OK || target > c->size) {
        fota_rd_fail(&c->rd, FOTA_CORRUPT);
        return;
    }

    c->targets[target / 8] |= (uint8_t) (1 << target % 8);
}


static void
fota_filter_check_test(fota_filter_checker_t *c, fota_filter_op_e op)
{
    bool        ok;
    double      number;
    uint8_t     field, mask;
    uint64_t    bits;
    fota_rd_t  *rd;

    rd = &c->rd;
    field = fota_rd_u8(rd);

    if (field >= FOTA_F__N) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return;
    }

    if (field == FOTA_F_ATTR) {
        mask = fota_rd_u8(rd);

        if (mask == 0 || mask > FOTA_ATTR_NAME_MAX) {
            fota_rd_fail(rd, FOTA_CORRUPT);
            return;
        }

        (void) fota_rd_bytes(rd, mask);
    }

    mask = FOTA_FILTER_EQ;

    if (op == FOTA_FOP_VERSION || op == FOTA_FOP_BYTES
        || op == FOTA_FOP_NUMBER || op == FOTA_FOP_ASN)
    {
        mask = fota_rd_u8(rd);
    }

    ok = (mask >= FOTA_FILTER_LT
          && mask < (FOTA_FILTER_LT | FOTA_FILTER_EQ | FOTA_FILTER_GT));

    switch (op) {

    case FOTA_FOP_TRUE:
    case FOTA_FOP_PRESENT:
        break;

    case FOTA_FOP_EQ:
    case FOTA_FOP_BYTES:
        (void) fota_rd_lstr(rd, FOTA_FILTER_VALUE_MAX);
        ok = ok && field != FOTA_F_GROUP && field != FOTA_F_ASN;
        break;

    case FOTA_FOP_SET:
        fota_filter_check_set(rd);
        ok = field != FOTA_F_GROUP && field != FOTA_F_ASN;
        break;

    case FOTA_FOP_LIKE:
        fota_filter_check_like(rd);
        ok = field != FOTA_F_GROUP && field != FOTA_F_ASN;
        break;

    case FOTA_FOP_VERSION:
        ok = ok && field == FOTA_F_VERSION
             && fota_rd_lstr(rd, FOTA_VERSION_MAX).len > 0;
        break;

    case FOTA_FOP_NUMBER:
        bits = fota_rd_u64(rd);
        memcpy(&number, &bits, sizeof(number));

        /* Neither infinite nor NaN: the parser writes no such number. */

        ok = ok && number - number == 0 && field != FOTA_F_GROUP
             && field != FOTA_F_ASN;
        break;

    case FOTA_FOP_ASN:
        (void) fota_rd_u32(rd);
        ok = ok && field == FOTA_F_ASN;
        break;

    case FOTA_FOP_GROUP:
        fota_filter_check_ids(rd);
        ok = field == FOTA_F_GROUP;
        break;

    default:
        ok = false;
        break;
    }

    if (!ok) {
        fota_rd_fail(rd, FOTA_CORRUPT);
    }
}


static void
fota_filter_check_set(fota_rd_t *rd)
{
    size_t  i, n, len, last, count;

    n = fota_rd_count(rd, FOTA_FILTER_LIST_MAX);
    last = 0;

    if (n == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return;
    }

    for (i = 0; i < n && rd->status == FOTA_OK; i++) {
        len = fota_rd_u16(rd);
        count = fota_rd_count(rd, FOTA_FILTER_LIST_MAX);

        if (count == 0 || len > FOTA_FILTER_VALUE_MAX
            || (i > 0 && len <= last))
        {
            fota_rd_fail(rd, FOTA_CORRUPT);
            return;
        }

        (void) fota_rd_bytes(rd, len * count);
        last = len;
    }
}


static void
fota_filter_check_like(fota_rd_t *rd)
{
    size_t  i, cut, cuts, len, last;

    cuts = fota_rd_u8(rd);
    len = fota_rd_lstr(rd, FOTA_FILTER_VALUE_MAX).len;

    if (cuts == 0 || cuts > FOTA_FILTER_STARS_MAX || len == 0) {
        fota_rd_fail(rd, FOTA_CORRUPT);
        return;
    }

    last = 0;

    for (i = 0; i < cuts; i++) {
        cut = fota_rd_u16(rd);

        if (cut > len || (i > 0 && cut <= last)) {
            fota_rd_fail(rd, FOTA_CORRUPT);
            return;
        }

        last = cut;
    }
}


static void
fota_filter_check_ids(fota_rd_t *rd)
{
    size_t    i, n;
    uint32_t  id, last;

    n = fota_rd_count(rd, FOTA_FILTER_GROUP_IDS);
    last = 0;

    for (i = 0; i < n; i++) {
        id = fota_rd_u32(rd);

        if (i > 0 && id <= last) {
            fota_rd_fail(rd, FOTA_CORRUPT);
            return;
        }

        last = id;
    }
}
