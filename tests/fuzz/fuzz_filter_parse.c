/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_filter.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* No dynamic group but "d"; anything else is a static one. */

static int
fuzz_resolve(fota_filter_groups_t *g, fota_str_t pattern, uint32_t *ids,
    size_t cap, size_t *n, fota_str_t *dynamic)
{
    if (fota_str_eq(pattern, fota_cstr("none"))) {
        return FOTA_NOTFOUND;
    }

    if (fota_str_eq(pattern, fota_cstr("d"))) {
        *dynamic = fota_cstr("id==a or group!=b*");
        return FOTA_OK;
    }

    for ( /* void */ ; *n < pattern.len && *n < cap; (*n)++) {
        ids[*n] = pattern.data[*n];
    }

    return FOTA_OK;
}


static const fota_location_t *
fuzz_locate(fota_facts_t *f)
{
    static const fota_location_t  loc = {
        .country = "JP", .region = "Tokyo", .region_code = "13",
        .city = "Shinjuku", .tz = "Asia/Tokyo", .asn = 64500
    };

    return &loc;
}


/*
 * What the parser takes has code that passes the check and can be run, or is
 * over a limit; what it refuses has a place and words.
 */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    rc;
    fota_buf_t             code;
    fota_arena_t           arena;
    fota_facts_t           facts;
    fota_filter_sql_t      sql;
    fota_filter_node_t    *tree;
    fota_filter_error_t    err;
    fota_filter_groups_t   groups;

    static const fota_attr_t  attrs[] = {
        { fota_string("a"), fota_string("5") },
        { fota_string("b"), fota_string("") }
    };

    static const uint32_t  ids[] = { 97, 98 };

    static const fota_filter_sql_map_t  map = {
        .column = { "i", "p", "v", "k", "g(%s)", "c", "r", "y", "t", "n",
                    "a(?)" },
        .version_key = "vk",
        .region_code = "rc",
        .attr_number = "an(?)",
        .group_any = "ga"
    };

    groups.resolve = fuzz_resolve;

    fota_arena_init(&arena, 0);
    fota_buf_grow(&code, 1 << 20);

    rc = fota_filter_parse(&arena.mem, fota_slice(data, size), &tree, &err);

    if (rc != FOTA_OK) {
        if ((rc != FOTA_INVALID && rc != FOTA_LIMIT) || err.column == 0
            || err.column > size + 1
            || !fota_str_utf8(fota_cstr(err.text)) || err.text[0] == '\0')
        {
            abort();
        }

        goto done;
    }

    rc = fota_filter_compile(&arena.mem, tree, &groups, &code, &err);

    if (rc == FOTA_OK) {

        if (fota_filter_check(fota_buf_slice(&code)) != FOTA_OK) {
            abort();
        }

        memset(&facts, 0, sizeof(fota_facts_t));
        facts.id = fota_cstr("SN-1");
        facts.version = fota_cstr("1.0-rc1");
        facts.attrs = attrs;
        facts.nattrs = 2;
        facts.groups = ids;
        facts.ngroups = 2;
        facts.locate = fuzz_locate;

        (void) fota_filter_eval(fota_buf_slice(&code), &facts);

    } else if (rc != FOTA_LIMIT && rc != FOTA_NOTFOUND) {
        abort();
    }

    (void) fota_filter_sql(&arena.mem, tree, &map, &groups, &sql, &err);

done:

    fota_buf_free(&code);
    fota_arena_free(&arena);

    return 0;
}
