/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* The hook's bounds: whatever a script does, the call comes back. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fota_script.h"


static fota_location_t  where;


static const fota_location_t *
locate(fota_facts_t *f)
{
    return &where;
}


static int
call(fota_script_t *s, fota_script_result_t *out, char *err, size_t len)
{
    int                  rc;
    fota_arena_t         arena;
    fota_facts_t         facts;
    fota_decision_t      decision;
    fota_script_input_t  in;

    memset(&facts, 0, sizeof(facts));
    memset(&decision, 0, sizeof(decision));
    memset(&in, 0, sizeof(in));

    facts.id = fota_cstr("dev-1");
    facts.locate = locate;
    in.facts = &facts;
    in.decision = &decision;
    in.tenant = fota_cstr("demo");

    fota_arena_init(&arena, 0);
    rc = fota_script_call(s, &arena.mem, &in, out, err, len);
    fota_arena_free(&arena);

    return rc;
}


static fota_script_t *
load(const char *source)
{
    char            err[256];
    fota_script_t  *s;

    err[0] = '\0';

    if (fota_script_create(&s, fota_cstr(source), "t.lua", NULL, err,
                           sizeof(err))
        != FOTA_OK)
    {
        fail_msg("%s", err);
    }

    return s;
}


static void
expect(const char *source, int status, const char *text)
{
    int                    i, rc;
    char                   err[256];
    fota_script_t         *s;
    fota_script_result_t   out;

    s = load(source);

    /* More often than failures are borne, so that remaking is seen too. */
    for (i = 0; i < 8; i++) {
        err[0] = '\0';
        rc = call(s, &out, err, sizeof(err));

        if (rc != status || strstr(err, text) == NULL) {
            fail_msg("%s: call %d gave %s, \"%s\"", source, i,
                     fota_status_name(rc), err);
        }

        assert_int_equal(out.action, FOTA_HOOK_KEEP);
        assert_int_equal(out.rate_class, -1);
    }

    fota_script_destroy(s);
}


static void
test_empty_hook_keeps(void **state)
{
    expect("return function() end", FOTA_OK, "");
}


static void
test_compile_names_file_and_line(void **state)
{
    char  err[256];

    assert_int_equal(fota_script_compile(fota_cstr("local x = 1\nx = = 2"),
                                         "p.lua", err, sizeof(err)),
                     FOTA_INVALID);
    assert_memory_equal(err, "p.lua:", 6);
    assert_non_null(strstr(err, "p.lua:2:"));

    assert_int_equal(fota_script_compile(fota_cstr("return function() end"),
                                         "p.lua", err, sizeof(err)),
                     FOTA_OK);

    /* Compiling runs nothing. */
    assert_int_equal(fota_script_compile(fota_cstr("while true do end"),
                                         "p.lua", err, sizeof(err)),
                     FOTA_OK);
}


static void
test_bytecode_is_refused(void **state)
{
    char  err[256];

    assert_int_equal(fota_script_compile(fota_slice("\x1bLJ\2\0\0", 6),
                                         "p.lua", err, sizeof(err)),
                     FOTA_INVALID);
}


static void
test_chunk_must_return_a_function(void **state)
{
    char            err[256];
    fota_script_t  *s;

    assert_int_equal(fota_script_create(&s, fota_cstr("return 5"), "p.lua",
                                        NULL, err, sizeof(err)),
                     FOTA_INVALID);
    assert_null(s);
    assert_non_null(strstr(err, "must return a function"));

    /* A runaway chunk is bounded as a call is. */
    assert_int_equal(fota_script_create(&s, fota_cstr("while true do end"),
                                        "p.lua", NULL, err, sizeof(err)),
                     FOTA_LIMIT);
    assert_null(s);
}


static void
test_endless_loop(void **state)
{
    expect("return function() while true do end end", FOTA_LIMIT, "budget");
}


static void
test_pcall_cannot_swallow(void **state)
{
    expect("return function()\n"
           "  while true do pcall(function() while true do end end) end\n"
           "end", FOTA_LIMIT, "");
    expect("return function()\n"
           "  local function f() return xpcall(f, f) end\n"
           "  while true do xpcall(function() while true do end end, f) end\n"
           "end", FOTA_LIMIT, "");
}


static void
test_endless_recursion(void **state)
{
    int                    rc;
    char                   err[256];
    fota_script_t         *s;
    fota_script_result_t   out;

    s = load("local function f() return 1 + f() end return f");
    rc = call(s, &out, err, sizeof(err));
    assert_true(rc == FOTA_LIMIT || rc == FOTA_INVALID);
    fota_script_destroy(s);
}


static void
test_allocation_bombs(void **state)
{
    expect("return function()\n"
           "  local t = {} local i = 0\n"
           "  while true do i = i + 1 t[i] = {} end\n"
           "end", FOTA_LIMIT, "");
    expect("return function()\n"
           "  local s = 'xxxxxxxx' while true do s = s .. s end\n"
           "end", FOTA_LIMIT, "");
    expect("return function()\n"
           "  local s = 'x'\n"
           "  while true do pcall(function() s = s .. s end) end\n"
           "end", FOTA_LIMIT, "");
    expect("return function()\n"
           "  local t = {} for i = 1, 90 do t[i] = 'abcdefgh' .. i end\n"
           "  while true do\n"
           "    for i = 1, 90 do t[i] = string.upper(t[i] .. t[i]) end\n"
           "  end\n"
           "end", FOTA_LIMIT, "");
}


static void
test_catastrophic_pattern(void **state)
{
    /* Plain search: stars are stars, so there is nothing to backtrack. */
    expect("return function()\n"
           "  local s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"
           "  if string.find(s, 'a*a*a*a*a*a*a*a*a*a*a*b') then\n"
           "    return 1 end\n"
           "end", FOTA_OK, "");
    expect("return function()\n"
           "  local s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"
           "  while true do fota.glob('*a*a*a*a*a*a*a*a*a*b', s) end\n"
           "end", FOTA_LIMIT, "");
}


static void
test_errors_name_their_line(void **state)
{
    expect("return function()\n\n  error('no luck')\nend", FOTA_INVALID,
           "t.lua:3: no luck");
    expect("return function() error({}) end", FOTA_INVALID,
           "not a string");
    expect("return function() local x = nil return x.y end", FOTA_INVALID,
           "t.lua:1:");
}


static void
test_state_survives_exhaustion(void **state)
{
    int                    i;
    char                   err[256];
    fota_script_t         *s;
    fota_script_result_t   out;

    s = load("local n = 0\n"
             "return function()\n"
             "  n = n + 1\n"
             "  if n % 2 == 1 then while true do end end\n"
             "  return { action = 'deny' }\n"
             "end");

    for (i = 0; i < 10; i++) {
        if (i % 2 == 0) {
            assert_int_equal(call(s, &out, err, sizeof(err)), FOTA_LIMIT);

        } else {
            assert_int_equal(call(s, &out, err, sizeof(err)), FOTA_OK);
            assert_int_equal(out.action, FOTA_HOOK_DENY);
        }
    }

    fota_script_destroy(s);
}


static void
test_trusted_has_everything(void **state)
{
    char                   err[256];
    fota_script_t         *s;
    fota_script_opt_t      opt;
    fota_script_result_t   out;

    memset(&opt, 0, sizeof(opt));
    opt.trusted = 1;

    assert_int_equal(fota_script_create(&s, fota_cstr(
                         "return function()\n"
                         "  local n = 0\n"
                         "  for i = 1, 5000000 do n = n + i end\n"
                         "  assert(os.time() > 0 and jit.status())\n"
                         "  return { action = 'deny',\n"
                         "           message = string.rep('x', 9) }\n"
                         "end"), "t.lua", &opt, err, sizeof(err)), FOTA_OK);
    assert_int_equal(call(s, &out, err, sizeof(err)), FOTA_OK);
    assert_int_equal(out.action, FOTA_HOOK_DENY);
    fota_script_destroy(s);
}


static void
test_no_conflict_here(void **state)
{
    assert_null(fota_script_conflict());
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_empty_hook_keeps),
        cmocka_unit_test(test_compile_names_file_and_line),
        cmocka_unit_test(test_bytecode_is_refused),
        cmocka_unit_test(test_chunk_must_return_a_function),
        cmocka_unit_test(test_endless_loop),
        cmocka_unit_test(test_pcall_cannot_swallow),
        cmocka_unit_test(test_endless_recursion),
        cmocka_unit_test(test_allocation_bombs),
        cmocka_unit_test(test_catastrophic_pattern),
        cmocka_unit_test(test_errors_name_their_line),
        cmocka_unit_test(test_state_survives_exhaustion),
        cmocka_unit_test(test_trusted_has_everything),
        cmocka_unit_test(test_no_conflict_here)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
