/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Source text of a hook: compiles, runs and is bounded, whatever it says. */

#include <stdlib.h>

#include "fota_script.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static fota_location_t  where;


static const fota_location_t *
locate(fota_facts_t *f)
{
    return &where;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    i;
    char                   err[256];
    fota_arena_t           arena;
    fota_facts_t           facts;
    fota_script_t         *s;
    fota_decision_t        decision;
    fota_script_opt_t      opt = { .instructions = 20000, .memory = 1 << 20 };
    fota_script_input_t    in;
    fota_script_result_t   out;

    if (fota_script_create(&s, fota_slice(data, size), "fuzz", &opt, err,
                           sizeof(err))
        != FOTA_OK)
    {
        return 0;
    }

    memset(&facts, 0, sizeof(facts));
    memset(&decision, 0, sizeof(decision));
    memset(&in, 0, sizeof(in));
    facts.id = fota_cstr("dev-1");
    facts.locate = locate;
    in.facts = &facts;
    in.decision = &decision;

    fota_arena_init(&arena, 1 << 20);

    for (i = 0; i < 5; i++) {
        if (fota_script_call(s, &arena.mem, &in, &out, err, sizeof(err))
            != FOTA_OK
            && out.action != FOTA_HOOK_KEEP)
        {
            abort();
        }
    }

    fota_arena_free(&arena);
    fota_script_destroy(s);

    return 0;
}
