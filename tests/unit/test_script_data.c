/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the hook sees, what it may return, and the shipped examples. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fota_script.h"


typedef struct {
    fota_arena_t          arena;
    fota_script_t        *script;
    fota_facts_t          facts;
    fota_decision_t       decision;
    fota_rollout_t        rollout;
    fota_firmware_t       target;
    fota_artifact_t       artifact;
    fota_script_input_t   in;
    fota_script_result_t  out;
    char                  err[256];
} fixture_t;


static fota_location_t  where;
static int              located;


static const fota_location_t *
locate(fota_facts_t *f)
{
    located++;
    return &where;
}


static void
start(fixture_t *f, const char *source)
{
    static const uint32_t     groups[] = { 4, 9 };
    static const fota_attr_t  attrs[] = {
        { fota_string("hw"), fota_string("3") },
        { fota_string("net"), fota_string("lte") }
    };
    static const fota_attr_t  set[] = {
        { fota_string("hw"), fota_string("7") }
    };

    memset(f, 0, sizeof(fixture_t));
    memset(&where, 0, sizeof(where));
    located = 0;

    fota_arena_init(&f->arena, 0);

    f->facts.id = fota_cstr("DC1-0001");
    f->facts.product = fota_cstr("dashcam");
    f->facts.version = fota_cstr("1.0.0");
    f->facts.kind = fota_cstr("os");
    f->facts.attrs = attrs;
    f->facts.nattrs = 2;
    f->facts.set_attrs = set;
    f->facts.nset_attrs = 1;
    f->facts.groups = groups;
    f->facts.ngroups = 2;
    f->facts.locate = locate;

    f->rollout.id = 42;
    f->rollout.name = fota_cstr("canary-42");
    f->rollout.rate_class = 1;
    f->target.version = fota_cstr("1.2.0");
    f->artifact.size = 5000000000ULL;
    f->artifact.from = 3;
    f->decision.rollout = &f->rollout;
    f->decision.target = &f->target;
    f->decision.path.artifact = &f->artifact;
    f->decision.poll = 600;

    f->in.facts = &f->facts;
    f->in.decision = &f->decision;
    f->in.tenant = fota_cstr("demo");
    f->in.now = 1796083200;

    if (fota_script_create(&f->script, fota_cstr(source), "t.lua", NULL,
                           f->err, sizeof(f->err))
        != FOTA_OK)
    {
        fail_msg("%s", f->err);
    }
}


static int
run(fixture_t *f)
{
    f->err[0] = '\0';

    return fota_script_call(f->script, &f->arena.mem, &f->in, &f->out,
                            f->err, sizeof(f->err));
}


static void
stop(fixture_t *f)
{
    fota_script_destroy(f->script);
    fota_arena_free(&f->arena);
}


static void
hold(const char *condition)
{
    char       source[512];
    fixture_t  f;

    (void) snprintf(source, sizeof(source), "return function(ctx)\n"
                    "if %s then return { action = 'deny' } end\nend",
                    condition);
    start(&f, source);

    strcpy(where.country, "JP");
    strcpy(where.region_code, "13");
    strcpy(where.city, "Shinjuku");
    where.asn = 2516;
    where.source = FOTA_GEO_DB;

    if (run(&f) != FOTA_OK || f.out.action != FOTA_HOOK_DENY) {
        fail_msg("not true: %s %s", condition, f.err);
    }

    stop(&f);
}


static void
test_context(void **state)
{
    hold("ctx.tenant == 'demo' and ctx.now == 1796083200");
    hold("ctx.device.id == 'DC1-0001' and ctx.device.version == '1.0.0'");
    hold("ctx.device.product == 'dashcam' and ctx.device.kind == 'os'");
    hold("ctx.device.attrs.hw == '7' and ctx.device.attrs.net == 'lte'");
    hold("ctx.device.groups[4] and not ctx.device.groups[5]");
    hold("ctx.geo.known and ctx.geo.country == 'JP'");
    hold("ctx.geo.region_code == '13' and ctx.geo.city == 'Shinjuku'");
    hold("ctx.geo.asn == 2516");
    hold("ctx.decision.reason == 'offer' and ctx.decision.rollout == 42");
    hold("ctx.decision.rollout_name == 'canary-42'");
    hold("ctx.decision.target == '1.2.0' and ctx.decision.delta");
    hold("ctx.decision.size == 5000000000 and ctx.decision.poll == 600");
    hold("ctx.decision.rate_class == 1");
    hold("ctx.nothing == nil and ctx[1] == nil");
    hold("ctx.device == ctx.device");
}


static void
test_local_time(void **state)
{
    fixture_t  f;

    /* 2024-02-29 23:30:00 UTC is Friday, 1 March 08:30 at +09:00. */
    start(&f, "return function(ctx) local t = ctx.local_time\n"
          "if t.year == 2024 and t.month == 3 and t.day == 1\n"
          "and t.hour == 8 and t.minute == 30 and t.weekday == 5\n"
          "then return { action = 'deny' } end end");
    f.in.now = 1709249400;
    f.in.utc_offset = 9 * 3600;
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_DENY);
    stop(&f);
}


static void
test_unused_members_are_not_made(void **state)
{
    fixture_t  f;

    start(&f, "return function(ctx) return nil end");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(located, 0);
    stop(&f);

    start(&f, "return function(ctx) local a, b = ctx.geo, ctx.geo end");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(located, 1);
    stop(&f);
}


static void
test_context_is_fresh_and_ends_with_the_call(void **state)
{
    fixture_t  f;

    start(&f, "local old\n"
          "return function(ctx)\n"
          "  if old and (old.mark ~= 1 or rawequal) then error('x') end\n"
          "  if ctx.mark then return { action = 'deny' } end\n"
          "  ctx.mark = 1 old = ctx\n"
          "end");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    stop(&f);
}


static void
test_result(void **state)
{
    fixture_t  f;

    start(&f, "return function() return { action = 'defer', after = 90,\n"
          "pool = 7, rate_class = 3, message = 'later', fields = {\n"
          "a = 'x', b = 12, c = true } } end");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_DEFER);
    assert_int_equal(f.out.defer, 90);
    assert_int_equal(f.out.pool, 7);
    assert_int_equal(f.out.rate_class, 3);
    assert_true(fota_str_eq(f.out.message, fota_cstr("later")));
    assert_int_equal(f.out.nfields, 3);
    stop(&f);
}


static void
refuse(const char *result, const char *text)
{
    char       source[512];
    fixture_t  f;

    (void) snprintf(source, sizeof(source), "return function(ctx)\n"
                    "local many = {} for i = 1, 17 do many['k' .. i] = i end\n"
                    "local long = 'x' for i = 1, 9 do long = long .. long end"
                    " return %s end", result);
    start(&f, source);

    if (run(&f) != FOTA_INVALID || strstr(f.err, text) == NULL) {
        fail_msg("%s: \"%s\"", result, f.err);
    }

    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    assert_int_equal(f.out.nfields, 0);
    assert_int_equal(f.out.rate_class, -1);
    stop(&f);
}


static void
test_bad_results(void **state)
{
    refuse("5", "nil or a table");
    refuse("{ action = 'explode' }", "action");
    refuse("{ action = 5 }", "action");
    refuse("{ action = 'defer' }", "after");
    refuse("{ action = 'defer', after = 0 }", "after");
    refuse("{ action = 'defer', after = 604801 }", "after");
    refuse("{ action = 'defer', after = 1.5 }", "after");
    refuse("{ action = 'defer', after = 0/0 }", "after");
    refuse("{ action = 'defer', after = '5' }", "after");
    refuse("{ pool = 65536 }", "pool");
    refuse("{ pool = -1 }", "pool");
    refuse("{ rate_class = 256 }", "rate_class");
    refuse("{ message = 5 }", "message");
    refuse("{ message = long }", "message");
    refuse("{ message = '\\255' }", "message");
    refuse("{ fields = 5 }", "fields");
    refuse("{ fields = { 'x' } }", "fields");
    refuse("{ fields = { a = {} } }", "fields");
    refuse("{ fields = { a = long } }", "fields");
    refuse("{ fields = many }", "fields");
}


/* The examples. */

static void
example(fixture_t *f, const char *name)
{
    FILE    *file;
    char     path[128];
    char    *text;
    size_t   n;

    (void) snprintf(path, sizeof(path), "lua/%s", name);
    file = fopen(path, "r");
    assert_non_null(file);
    text = calloc(1, 65536);
    n = fread(text, 1, 65535, file);
    assert_true(n > 0);
    (void) fclose(file);
    start(f, text);
    free(text);
}


static void
test_default_keeps(void **state)
{
    fixture_t  f;

    example(&f, "policy.lua");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    stop(&f);
}


static void
test_blackout(void **state)
{
    fixture_t  f;

    example(&f, "examples/blackout.lua");

    f.in.now = 1798156800;              /* 2026-12-25 00:00 UTC */
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_DEFER);
    assert_in_range(f.out.defer, 86400, 86400 + 3600);

    f.in.now += 86400 * 3;
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);

    f.in.now = 1798848000;              /* 2027-01-02 */
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    strcpy(where.country, "JP");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_DEFER);
    stop(&f);
}


static void
test_canary(void **state)
{
    int        i, kept;
    char       id[32];
    fixture_t  f;

    example(&f, "examples/canary.lua");

    f.facts.id = fota_cstr("DC1-PILOT-7");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    assert_int_equal(f.out.nfields, 1);

    for (i = 0, kept = 0; i < 4000; i++) {
        (void) snprintf(id, sizeof(id), "DC1-%d", i);
        f.facts.id = fota_cstr(id);
        assert_int_equal(run(&f), FOTA_OK);
        kept += (f.out.action == FOTA_HOOK_KEEP);
    }

    /* One in two hundred: 20 of 4 000. */
    assert_in_range(kept, 5, 45);

    f.rollout.name = fota_cstr("general");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    stop(&f);
}


static void
test_battery(void **state)
{
    fixture_t          f;
    fota_attr_t        low[] = {
        { fota_string("battery"), fota_string("12") },
        { fota_string("charging"), fota_string("false") }
    };

    example(&f, "examples/battery.lua");

    assert_int_equal(run(&f), FOTA_OK);         /* lte, 5 GB */
    assert_int_equal(f.out.action, FOTA_HOOK_DEFER);
    assert_int_equal(f.out.defer, 6 * 3600);

    f.artifact.size = 1000;
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);

    f.facts.attrs = low;
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_DEFER);

    low[1].value = fota_cstr("true");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.action, FOTA_HOOK_KEEP);
    stop(&f);
}


static void
test_carrier(void **state)
{
    fixture_t  f;

    example(&f, "examples/carrier.lua");

    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.pool, 0);
    where.asn = 4837;
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.pool, 21);
    stop(&f);
}


static void
test_rate(void **state)
{
    fixture_t  f;

    example(&f, "examples/rate.lua");

    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.rate_class, -1);

    where.source = FOTA_GEO_DB;
    strcpy(where.country, "CN");
    strcpy(where.region_code, "XZ");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.rate_class, 3);

    strcpy(where.country, "BR");
    assert_int_equal(run(&f), FOTA_OK);
    assert_int_equal(f.out.rate_class, 1);
    stop(&f);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_local_time),
        cmocka_unit_test(test_unused_members_are_not_made),
        cmocka_unit_test(test_context_is_fresh_and_ends_with_the_call),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_bad_results),
        cmocka_unit_test(test_default_keeps),
        cmocka_unit_test(test_blackout),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_battery),
        cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_rate)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
