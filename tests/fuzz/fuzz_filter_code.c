/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_filter.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const fota_location_t *
fuzz_locate(fota_facts_t *f)
{
    /* Full to the last byte: no NUL ends them. */

    static const fota_location_t  loc = {
        .country = { 'J', 'P', 'N', '1' },
        .region_code = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j',
                         'k', 'l' },
        .region = "Tokyo",
        .city = "Shinjuku",
        .asn = 64500
    };

    return &loc;
}


/* Shared by two filters a test still says what it says alone. */

static void
fuzz_eval(fota_str_t code, fota_facts_t *facts)
{
    bool                  alone;
    size_t                i, nmemo;
    uint8_t               memo[FOTA_FILTER_MEMO_MAX];
    fota_arena_t          arena;
    fota_filter_shared_t  shared[2];

    alone = fota_filter_eval(code, facts);

    fota_arena_init(&arena, 0);
    memset(memo, 0, sizeof(memo));

    shared[0].code = code;
    shared[1].code = code;

    if (fota_filter_share(&arena.mem, shared, 2, &nmemo) == FOTA_OK) {
        for (i = 0; i < 2; i++) {
            if (fota_filter_eval_shared(&shared[i], facts, memo) != alone) {
                abort();
            }
        }
    }

    fota_arena_free(&arena);
}


/* What passes the check runs within its bounds, for any device. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       *copy;
    fota_facts_t   facts;

    static const fota_attr_t  attrs[] = {
        { fota_string("hw"), fota_string("5") },
        { fota_string("a"), fota_string("abcabcabc") },
        { fota_string("b"), fota_null_str }
    };

    static const uint32_t  ids[] = { 3, 7, 900 };

    /* On the heap and no longer than the code, so that overruns are seen. */

    copy = malloc(size ? size : 1);
    if (copy == NULL) {
        return 0;
    }

    if (size > 0) {
        memcpy(copy, data, size);
    }

    /* The length is given, or the fuzzer would have to find it. */

    if (size >= 3) {
        copy[1] = (uint8_t) size;
        copy[2] = (uint8_t) (size >> 8);
    }

    if (fota_filter_check(fota_slice(copy, size)) == FOTA_OK) {

        memset(&facts, 0, sizeof(fota_facts_t));
        facts.locate = fuzz_locate;

        fuzz_eval(fota_slice(copy, size), &facts);

        facts.id = fota_cstr("SN-0001");
        facts.product = fota_cstr("dashcam");
        facts.version = fota_cstr("1.0-rc1");
        facts.kind = fota_cstr("os");
        facts.attrs = attrs;
        facts.nattrs = 3;
        facts.groups = ids;
        facts.ngroups = 3;

        fuzz_eval(fota_slice(copy, size), &facts);
    }

    free(copy);

    return 0;
}
