/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Rollouts of one product ask much the same: the same hardware, the same
 * battery, the same network.  Their code is linked to steps, one for each
 * instruction, that know where to go on; a test found in a second place gets
 * a byte of the memo, and the first that asks it answers for all.
 */

#include "fota_filter_tree.h"
#include "fota_hash.h"


#define FOTA_FILTER_ALONE   0xffff      /* a slot: no other has the test */

#define FOTA_FILTER_REJECT  0xfffe      /* for a step to go on */
#define FOTA_FILTER_ACCEPT  0xffff

/* Different tests that are looked out for; what comes later stays alone. */

#define FOTA_FILTER_TABLE   2048
#define FOTA_FILTER_KNOWN   (FOTA_FILTER_TABLE / 2)


struct fota_filter_step_s {
    uint16_t  at;               /* of the instruction in the code */
    uint16_t  slot;
    uint16_t  next[2];          /* after false and after true */
};


typedef struct {
    const uint8_t       *test;  /* behind the op */
    size_t               len;
    fota_filter_step_t  *step;
    unsigned             op;
} fota_filter_known_t;


typedef struct {
    size_t               nknown;
    size_t               nmemo;
    fota_filter_known_t  known[FOTA_FILTER_TABLE];
} fota_filter_table_t;


static const uint8_t *fota_filter_skip(const uint8_t *p);
static fota_filter_step_t *fota_filter_link(fota_mem_t *mem,
    fota_str_t code, size_t *nsteps);
static void fota_filter_meet(fota_filter_table_t *t, const uint8_t *code,
    fota_filter_step_t *step);


int
fota_filter_share(fota_mem_t *mem, fota_filter_shared_t *filters, size_t n,
    size_t *nmemo)
{
    size_t                i, j, nsteps;
    fota_str_t            code;
    fota_filter_table_t   t;
    fota_filter_step_t   *steps;

    memset(&t, 0, sizeof(fota_filter_table_t));

    for (i = 0; i < n; i++) {
        code = filters[i].code;

        if (code.len == 0) {
            filters[i].steps = NULL;
            continue;
        }

        steps = fota_filter_link(mem, code, &nsteps);

        if (steps == NULL) {
            return FOTA_NOMEM;
        }

        filters[i].steps = steps;

        for (j = 0; j < nsteps; j++) {
            if (!fota_filter_jumps(code.data[steps[j].at])) {
                fota_filter_meet(&t, code.data, &steps[j]);
            }
        }
    }

    *nmemo = t.nmemo;

    return FOTA_OK;
}


/* The instruction after this one. */

static const uint8_t *
fota_filter_skip(const uint8_t *p)
{
    size_t    buckets;
    unsigned  op;

    op = *p++;

    if (fota_filter_jumps(op)) {
        return p + 2;
    }

    if (*p++ == FOTA_F_ATTR) {
        p += 1 + p[0];
    }

    switch (op & ~FOTA_FILTER_NEGATE) {

    case FOTA_FOP_EQ:
        return p + 2 + fota_filter_u16(p);

    case FOTA_FOP_SET:
        buckets = fota_filter_u16(p);
        p += 2;

        while (buckets-- > 0) {
            p += 4 + fota_filter_u16(p) * fota_filter_u16(p + 2);
        }

        return p;

    case FOTA_FOP_LIKE:
        return p + 3 + fota_filter_u16(p + 1) + 2 * p[0];

    case FOTA_FOP_VERSION:
    case FOTA_FOP_BYTES:
        return p + 3 + fota_filter_u16(p + 1);

    case FOTA_FOP_NUMBER:
        return p + 9;

    case FOTA_FOP_ASN:
        return p + 5;

    case FOTA_FOP_GROUP:
        return p + 2 + 4 * fota_filter_u16(p);

    default: /* FOTA_FOP_TRUE, FOTA_FOP_PRESENT */
        return p;
    }
}


/* Where to go on at step i, the accumulator being acc. */

static uint16_t
fota_filter_go_on(const fota_filter_step_t *steps, size_t n,
    const uint8_t *code, size_t i, unsigned acc)
{
    if (i == n) {
        return acc ? FOTA_FILTER_ACCEPT : FOTA_FILTER_REJECT;
    }

    if (fota_filter_jumps(code[steps[i].at])) {
        return steps[i].next[acc];
    }

    return (uint16_t) i;
}


/* The step at an offset of the code, n at its end. */

static size_t
fota_filter_step_at(const fota_filter_step_t *steps, size_t n, size_t at)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = n;

    while (lo < hi) {
        mid = (lo + hi) / 2;

        if (steps[mid].at < at) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


static fota_filter_step_t *
fota_filter_link(fota_mem_t *mem, fota_str_t code, size_t *nsteps)
{
    size_t               i, n, to;
    unsigned             op, acc, negated;
    const uint8_t       *p, *end;
    fota_filter_step_t  *s, *steps;

    end = code.data + code.len;
    n = 0;

    for (p = code.data + FOTA_FILTER_HEAD; p < end; p = fota_filter_skip(p)) {
        n++;
    }

    steps = fota_calloc(mem, n, sizeof(fota_filter_step_t));

    if (steps == NULL) {
        return NULL;
    }

    s = steps;

    for (p = code.data + FOTA_FILTER_HEAD; p < end; p = fota_filter_skip(p)) {
        s->at = (uint16_t) (p - code.data);
        s->slot = FOTA_FILTER_ALONE;
        s++;
    }

    /* Jumps lead forward: from the end, what they lead to is known. */

    for (i = n; i-- > 0; /* void */ ) {
        s = &steps[i];
        p = code.data + s->at;
        op = *p;
        negated = (op & FOTA_FILTER_NEGATE) != 0;

        for (acc = 0; acc < 2; acc++) {
            to = i + 1;

            if (op == (acc ? FOTA_FOP_JT : FOTA_FOP_JF)) {
                to = fota_filter_step_at(steps, n, s->at + 3u
                                                   + fota_filter_u16(p + 1));
            }

            s->next[acc ^ negated] = fota_filter_go_on(steps, n, code.data,
                                                       to, acc);
        }
    }

    *nsteps = n;

    return steps;
}


/* Gives the step of a test the slot of the same test met before. */

static void
fota_filter_meet(fota_filter_table_t *t, const uint8_t *code,
    fota_filter_step_t *step)
{
    size_t                i, len;
    unsigned              op;
    const uint8_t        *p;
    fota_filter_known_t  *k;

    p = code + step->at;
    op = *p & ~FOTA_FILTER_NEGATE;
    len = (size_t) (fota_filter_skip(p) - p) - 1;
    p++;

    i = fota_siphash(op, 0, p, len) % FOTA_FILTER_TABLE;

    for ( ;; ) {
        k = &t->known[i];

        if (k->test == NULL) {
            break;
        }

        if (k->op == op && k->len == len && memcmp(k->test, p, len) == 0) {

            if (k->step->slot == FOTA_FILTER_ALONE) {

                if (t->nmemo == FOTA_FILTER_MEMO_MAX) {
                    return;
                }

                k->step->slot = (uint16_t) t->nmemo++;
            }

            step->slot = k->step->slot;
            return;
        }

        i = (i + 1) % FOTA_FILTER_TABLE;
    }

    if (t->nknown < FOTA_FILTER_KNOWN) {
        t->nknown++;

        k->test = p;
        k->len = len;
        k->step = step;
        k->op = op;
    }
}


bool
fota_filter_eval_shared(const fota_filter_shared_t *filter,
    fota_facts_t *facts, uint8_t *memo)
{
    bool                       result;
    uint16_t                   i;
    const uint8_t             *p;
    fota_filter_eval_t         e;
    const fota_filter_step_t  *s;

    if (filter->steps == NULL) {
        return true;
    }

    e.facts = facts;
    e.loc = NULL;

    i = 0;

    do {
        s = &filter->steps[i];

        if (s->slot != FOTA_FILTER_ALONE && memo[s->slot] != 0) {
            result = memo[s->slot] - 1;

        } else {
            p = filter->code.data + s->at;
            (void) fota_filter_test(&e, p + 1, *p & ~FOTA_FILTER_NEGATE,
                                    &result);

            if (s->slot != FOTA_FILTER_ALONE) {
                memo[s->slot] = (uint8_t) (1 + result);
            }
        }

        i = s->next[result];

    } while (i < FOTA_FILTER_REJECT);

    return i == FOTA_FILTER_ACCEPT;
}
