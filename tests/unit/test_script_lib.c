/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What a script finds in its environment.  Each line is a chunk of Lua whose
 * function must say "deny"; an error or anything else fails the test.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "fota_script.h"


static void
hold(const char *condition)
{
    int                    rc;
    char                   err[256], source[1024];
    fota_arena_t           arena;
    fota_facts_t           facts;
    fota_script_t         *s;
    fota_decision_t        decision;
    fota_script_input_t    in;
    fota_script_result_t   out;

    memset(&facts, 0, sizeof(facts));
    memset(&decision, 0, sizeof(decision));
    memset(&in, 0, sizeof(in));
    in.facts = &facts;
    in.decision = &decision;

    (void) snprintf(source, sizeof(source), "return function(ctx)\n"
                    "if %s then return { action = 'deny' } end\nend",
                    condition);

    if (fota_script_create(&s, fota_cstr(source), "t.lua", NULL, err,
                           sizeof(err))
        != FOTA_OK)
    {
        fail_msg("%s: %s", condition, err);
    }

    fota_arena_init(&arena, 0);
    rc = fota_script_call(s, &arena.mem, &in, &out, err, sizeof(err));

    if (rc != FOTA_OK) {
        fail_msg("%s: %s", condition, err);
    }

    if (out.action != FOTA_HOOK_DENY) {
        fail_msg("not true: %s", condition);
    }

    fota_arena_free(&arena);
    fota_script_destroy(s);
}


static void
test_nothing_dangerous(void **state)
{
    size_t              i;
    char                text[128];
    static const char  *names[] = {
        "io", "os", "ffi", "package", "require", "debug", "jit", "load",
        "loadstring", "loadfile", "dofile", "collectgarbage", "getfenv",
        "setfenv", "rawset", "rawget", "rawequal", "setmetatable",
        "newproxy", "coroutine", "print", "unpack", "table", "_G", "module",
        "gcinfo", "string.rep", "string.gsub", "string.gmatch",
        "string.match", "string.format", "string.dump", "string.reverse",
        "math.random", "math.randomseed", "bit.tohex", "getmetatable"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) snprintf(text, sizeof(text), "%s == nil", names[i]);
        hold(text);
    }

    hold("not pcall(function() return ('x'):rep(9) end)");
    hold("not pcall(function() return ('x'):gsub('x', 'y') end)");
}


static void
test_everything_is_readonly(void **state)
{
    hold("not pcall(function() x = 1 end)");
    hold("not pcall(function() string.sub = nil end)");
    hold("not pcall(function() fota.glob = nil end)");
    hold("not pcall(function() math.huge = 1 end)");
    hold("not pcall(function() bit.band = 1 end)");
    hold("select(2, pcall(function() y = 1 end)) =="
         " 't.lua:2: \"y\" cannot be set: globals and libraries are"
         " read-only, use local'");
}


static void
test_helpers(void **state)
{
    hold("fota.glob('DC1-*-07', 'DC1-2026-07')");
    hold("not fota.glob('DC1-*-07', 'DC1-2026-08')");
    hold("fota.starts_with('canary-1', 'canary')");
    hold("not fota.starts_with('c', 'canary')");
    hold("fota.ends_with('x-ENG', '-ENG') and not fota.ends_with('x', 'xx')");
    hold("select(1, fota.find('a.c', '.')) == 2");
    hold("fota.find('abc', '.') == nil and fota.find('abc', 'a', 2) == nil");
    hold("fota.find('abc', 'a', 9) == nil and fota.find('abc', 'a', 0) == nil");
    hold("select(2, ('hello'):find('ll')) == 4");
    hold("fota.version_compare('1.10.0', '1.9') > 0");
    hold("fota.version_compare('1.0', '1.0.0') == 0");
    hold("fota.bucket(1, 'a') == fota.bucket(1, 'a')");
    hold("fota.bucket(1, 'a') >= 0 and fota.bucket(1, 'a') < 10000");
}


static void
test_helpers_bound_their_arguments(void **state)
{
    hold("(function() local s = 'x' for i = 1, 11 do s = s .. s end"
         " return not pcall(fota.glob, s, 'x')"
         " and not pcall(fota.glob, 'x', s)"
         " and not pcall(fota.find, 'x', s)"
         " and not pcall(fota.bucket, 1, s)"
         " and not pcall(fota.version_compare, s, '1')"
         " and not pcall(fota.version_compare, '1', s) end)()");
    hold("not pcall(fota.glob) and not pcall(fota.bucket, 'x', {})");
}


static void
test_what_stays_works(void **state)
{
    hold("tonumber('12') == 12 and tostring(1.5) == '1.5'");
    hold("('AbC'):lower() == 'abc' and string.upper('a') == 'A'");
    hold("('abc'):sub(2, 2) == 'b' and ('a'):byte() == 97");
    hold("math.floor(2.5) == 2 and math.max(1, 3, 2) == 3");
    hold("bit.band(6, 3) == 2 and bit.lshift(1, 4) == 16");
    hold("select('#', 1, 2, 3) == 3 and type({}) == 'table'");
    hold("(function() local n = 0 for _, v in ipairs({1, 2}) do n = n + v"
         " end for k in pairs({a = 1}) do n = n + #k end"
         " return n == 4 and next({}) == nil end)()");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nothing_dangerous),
        cmocka_unit_test(test_everything_is_readonly),
        cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_helpers_bound_their_arguments),
        cmocka_unit_test(test_what_stays_works)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
