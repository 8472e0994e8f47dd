/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_request.h"


#define WHO  "\"tenant\":\"demo\",\"product\":\"cam\",\"device\":\"d1\""

#define assert_text(s, text)  assert_true(fota_str_eq(s, fota_cstr(text)))


static fota_arena_t        arena;
static fota_check_req_t    req;
static fota_report_req_t   rep;
static fota_field_error_t  err;


static int
setup(void **state)
{
    fota_arena_init(&arena, 1 << 20);
    memset(&req, 0, sizeof(req));
    memset(&rep, 0, sizeof(rep));
    memset(&err, 0, sizeof(err));

    return 0;
}


static int
teardown(void **state)
{
    fota_arena_free(&arena);

    return 0;
}


static int
json(const char *body)
{
    memset(&req, 0, sizeof(req));

    return fota_check_req_json(&arena.mem, fota_cstr(body), &req, &err);
}


static int
query(const char *args)
{
    memset(&req, 0, sizeof(req));

    return fota_check_req_query(&arena.mem, fota_cstr(args), &req, &err);
}


static int
report(const char *body)
{
    memset(&rep, 0, sizeof(rep));

    return fota_report_req_json(&arena.mem, fota_cstr(body), &rep, &err);
}


static void
says(int rc, int want, const char *field, const char *reason)
{
    if (rc != want || strcmp(err.field, field) != 0
        || strstr(err.reason, reason) == NULL)
    {
        fail_msg("got %d \"%s\" \"%s\", not %d \"%s\" \"%s\"", rc, err.field,
                 err.reason, want, field, reason);
    }
}


static const char *
rep_n(char *out, const char *head, char c, size_t n, const char *tail)
{
    size_t  len;

    len = strlen(head);
    memcpy(out, head, len);
    memset(out + len, c, n);
    strcpy(out + len + n, tail);

    return out;
}


static void
test_json(void **state)
{
    assert_int_equal(json("{" WHO "}"), FOTA_OK);
    assert_text(req.tenant, "demo");
    assert_text(req.product, "cam");
    assert_text(req.device, "d1");
    assert_int_equal(req.version.len, 0);
    assert_int_equal(req.kind, FOTA_KIND_OS);
    assert_int_equal(req.no_delta, 0);
    assert_int_equal(req.nattrs, 0);
    assert_int_equal(req.navoid, 0);

    assert_int_equal(json("{" WHO ",\"version\":\"V0.9_20260101\","
                          "\"kind\":\"app\",\"tz\":\"+09:00\","
                          "\"delta\":false,\"avoid\":[\"tyo1\",\"osa1\"],"
                          "\"attrs\":{\"hw\":\"rev \\u00fc\",\"n\":3.50,"
                          "\"ok\":true,\"no\":false,\"gone\":null},"
                          "\"future\":[1,{\"x\":2}]}"), FOTA_OK);
    assert_text(req.version, "V0.9_20260101");
    assert_text(req.tz, "+09:00");
    assert_int_equal(req.kind, FOTA_KIND_APP);
    assert_int_equal(req.no_delta, 1);
    assert_int_equal(req.navoid, 2);
    assert_text(req.avoid[1], "osa1");
    assert_int_equal(req.nattrs, 4);
    assert_text(req.attrs[0].name, "hw");
    assert_text(req.attrs[0].value, "rev \xc3\xbc");
    assert_text(req.attrs[1].value, "3.50");
    assert_text(req.attrs[2].value, "true");
    assert_text(req.attrs[3].value, "false");

    assert_int_equal(json("{" WHO ",\"version\":null,\"kind\":null,"
                          "\"attrs\":null,\"avoid\":null,\"delta\":null}"),
                     FOTA_OK);
}


static void
test_preset(void **state)
{
    req.tenant = fota_cstr("demo");
    req.device = fota_cstr("own");
    assert_int_equal(fota_check_req_json(&arena.mem,
                         fota_cstr("{\"product\":\"cam\"}"), &req, &err),
                     FOTA_OK);
    assert_text(req.tenant, "demo");
    assert_text(req.device, "own");

    assert_int_equal(fota_check_req_query(&arena.mem,
                         fota_cstr("device=other"), &req, &err), FOTA_OK);
    assert_text(req.device, "other");
    assert_text(req.product, "cam");
}


static void
test_json_errors(void **state)
{
    size_t  i;

    static const struct {
        const char  *body;
        const char  *field;
        const char  *reason;
    } cases[] = {
        { "", "body", "at byte 0" },
        { "{", "body", "at byte 1" },
        { "[]", "body", "must be a JSON object" },
        { "{\"tenant\":\"\xff\"}", "body", "at byte" },
        { "{\"a\":1,\"a\":2}", "body", "at byte" },
        { "{}", "tenant", "is required" },
        { "{\"tenant\":\"t\"}", "product", "is required" },
        { "{\"tenant\":\"t\",\"product\":\"p\"}", "device", "is required" },
        { "{\"tenant\":\"\"}", "tenant", "is empty" },
        { "{\"tenant\":7}", "tenant", "must be a string" },
        { "{\"device\":\"a\\nb\"}", "device", "control characters" },
        { "{\"device\":\"a\\u007fb\"}", "device", "control characters" },
        { "{" WHO ",\"version\":\"a b\"}", "version", "is not a version" },
        { "{" WHO ",\"version\":1.0}", "version", "must be a string" },
        { "{" WHO ",\"kind\":\"rom\"}", "kind", "\"os\", \"app\" or" },
        { "{" WHO ",\"kind\":3}", "kind", "must be a string" },
        { "{" WHO ",\"delta\":\"no\"}", "delta", "must be true or false" },
        { "{" WHO ",\"tz\":\"a\\tb\"}", "tz", "control characters" },
        { "{" WHO ",\"avoid\":\"x\"}", "avoid", "must be an array" },
        { "{" WHO ",\"avoid\":[1]}", "avoid", "must hold strings only" },
        { "{" WHO ",\"avoid\":[\"\"]}", "avoid", "is empty" },
        { "{" WHO ",\"attrs\":[]}", "attrs", "must be an object" },
        { "{" WHO ",\"attrs\":{\"\":1}}", "attrs", "empty name" },
        { "{" WHO ",\"attrs\":{\"hw\":{}}}", "attrs.hw", "must be a string" },
        { "{" WHO ",\"attrs\":{\"h\\nw\":1}}", "attrs.h?w", "control" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        says(json(cases[i].body), FOTA_INVALID, cases[i].field,
             cases[i].reason);
    }

    says(json("{" WHO ",\"avoid\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}"),
         FOTA_LIMIT, "avoid", "has more than 4 entries");
}


static void
test_json_limits(void **state)
{
    int          i;
    size_t       n;
    static char  body[FOTA_BODY_MAX + 100];

    assert_int_equal(json(rep_n(body, "{\"tenant\":\"t\",\"product\":\"p\","
                                "\"device\":\"", 'x', 256, "\"}")), FOTA_OK);
    says(json(rep_n(body, "{\"device\":\"", 'x', 257, "\"}")), FOTA_LIMIT,
         "device", "is 257 bytes long; the limit is 256");
    says(json(rep_n(body, "{\"tenant\":\"", 'x', 129, "\"}")), FOTA_LIMIT,
         "tenant", "is 129 bytes long; the limit is 128");
    says(json(rep_n(body, "{\"product\":\"", 'x', 129, "\"}")), FOTA_LIMIT,
         "product", "is 129 bytes long; the limit is 128");
    says(json(rep_n(body, "{" WHO ",\"version\":\"", '1', 129, "\"}")),
         FOTA_LIMIT, "version", "is 129 bytes long; the limit is 128");
    says(json(rep_n(body, "{" WHO ",\"tz\":\"", '1', 49, "\"}")), FOTA_LIMIT,
         "tz", "is 49 bytes long; the limit is 48");
    says(json(rep_n(body, "{" WHO ",\"attrs\":{\"hw\":\"", 'x', 300,
                    "\"}}")), FOTA_LIMIT, "attrs.hw",
         "is 300 bytes long; the limit is 256");
    says(json(rep_n(body, "{" WHO ",\"avoid\":[\"", 'x', 129, "\"]}")),
         FOTA_LIMIT, "avoid", "is 129 bytes long; the limit is 128");

    /* The field is cut, never longer than its place. */
    assert_int_equal(json(rep_n(body, "{" WHO ",\"attrs\":{\"", 'n', 200,
                                "\":1}}")), FOTA_LIMIT);
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
    assert_non_null(strstr(err.reason, "its name is 200 bytes"));

    n = (size_t) sprintf(body, "{" WHO ",\"attrs\":{");

    for (i = 0; i < 65; i++) {
        n += (size_t) sprintf(body + n, "%s\"a%d\":1", i ? "," : "", i);
    }

    strcpy(body + n, "}}");
    says(json(body), FOTA_LIMIT, "attrs", "has 65 entries; the limit is 64");

    says(json(rep_n(body, "", ' ', FOTA_BODY_MAX + 1, "")), FOTA_LIMIT,
         "body", "is 65537 bytes long; the limit is 65536");

    /* Too many values. */
    n = (size_t) sprintf(body, "[");

    for (i = 0; i < 600; i++) {
        n += (size_t) sprintf(body + n, "1,");
    }

    strcpy(body + n, "1]");
    assert_int_equal(json(body), FOTA_LIMIT);
    assert_string_equal(err.field, "body");
}


static void
test_query(void **state)
{
    assert_int_equal(query("tenant=demo&product=cam&device=d%201%2f"
                           "&version=1.0+b7&kind=data&tz=%2B09:00&delta=0"
                           "&avoid=a,b&avoid=c&attr.hw=3&attr.s%20n=%c3%bc"
                           "&future=1&&utm&attr.e="), FOTA_OK);
    assert_text(req.device, "d 1/");
    assert_text(req.version, "1.0+b7");
    assert_int_equal(req.kind, FOTA_KIND_DATA);
    assert_text(req.tz, "+09:00");
    assert_int_equal(req.no_delta, 1);
    assert_int_equal(req.navoid, 3);
    assert_text(req.avoid[0], "a");
    assert_text(req.avoid[2], "c");
    assert_int_equal(req.nattrs, 3);
    assert_text(req.attrs[0].name, "hw");
    assert_text(req.attrs[0].value, "3");
    assert_text(req.attrs[1].name, "s n");
    assert_text(req.attrs[1].value, "\xc3\xbc");
    assert_int_equal(req.attrs[2].value.len, 0);

    assert_int_equal(query("tenant=t&product=p&device=d&delta=1&avoid="),
                     FOTA_OK);
    assert_int_equal(req.no_delta, 0);
    assert_int_equal(req.navoid, 0);
    assert_int_equal(query("tenant=t&product=p&device=d&delta=true"), FOTA_OK);
    assert_int_equal(query("tenant=t&product=p&device=d&delta=false"),
                     FOTA_OK);
    assert_int_equal(req.no_delta, 1);
}


static void
test_query_errors(void **state)
{
    size_t  i;

    static const struct {
        const char  *args;
        const char  *field;
        const char  *reason;
    } cases[] = {
        { "", "tenant", "is required" },
        { "tenant", "tenant", "is empty" },
        { "tenant=a&tenant=b", "tenant", "is given twice" },
        { "tenant=%0a", "tenant", "control characters" },
        { "tenant=%00", "tenant", "is not valid UTF-8" },
        { "tenant=%ff", "tenant", "is not valid UTF-8" },
        { "device=%", "device", "has a \"%\" without two hex digits" },
        { "device=%4", "device", "has a \"%\"" },
        { "device=%4g", "device", "has a \"%\"" },
        { "device=%g4", "device", "has a \"%\"" },
        { "%zz=1", "%zz", "has a \"%\"" },
        { "version=%20", "version", "is not a version" },
        { "kind=", "kind", "must be \"os\"" },
        { "delta=no", "delta", "must be 0, 1, false or true" },
        { "avoid=a,,b", "avoid", "is empty" },
        { "avoid=%", "avoid", "has a \"%\"" },
        { "attr.=1", "attrs", "empty name" },
        { "attr.x=%f", "attr.x", "has a \"%\"" },
        { "attr.x=%ff", "attrs.x", "is not valid UTF-8" },
        { "attr.%ff=1", "attrs.?", "its name is not valid" },
        { "attr.x=1&attr.x=2", "attrs.x", "is given twice" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        says(query(cases[i].args), FOTA_INVALID, cases[i].field,
             cases[i].reason);
    }
}


static void
test_query_limits(void **state)
{
    int          i;
    size_t       n;
    static char  args[FOTA_BODY_MAX + 100];

    says(query(rep_n(args, "device=", 'x', 257, "")), FOTA_LIMIT, "device",
         "is 257 bytes long; the limit is 256");
    says(query(rep_n(args, "attr.x=", 'x', 257, "")), FOTA_LIMIT, "attrs.x",
         "is 257 bytes long; the limit is 256");
    says(query(rep_n(args, "", '&', FOTA_BODY_MAX + 1, "")), FOTA_LIMIT,
         "query", "is 65537 bytes long; the limit is 65536");
    assert_int_equal(query(rep_n(args, "", '&', FOTA_BODY_MAX, "")),
                     FOTA_INVALID);
    says(query("avoid=1,2,3,4,5"), FOTA_LIMIT, "avoid",
         "has more than 4 entries");

    for (i = 0, n = 0; i < 257; i++) {
        n += (size_t) sprintf(args + n, "x%d&", i);
    }

    says(query(args), FOTA_LIMIT, "query", "has more than 256 parameters");

    for (i = 0, n = 0; i < 65; i++) {
        n += (size_t) sprintf(args + n, "attr.x%d=1&", i);
    }

    says(query(args), FOTA_LIMIT, "attrs", "has more than 64 entries");
}


static void
test_states(void **state)
{
    uint8_t  i;

    for (i = 0; i < FOTA_RS__N; i++) {
        assert_int_equal(fota_report_state_parse(
                             fota_cstr(fota_report_state_name(i))), i);
    }

    assert_string_equal(fota_report_state_name(FOTA_RS_REJECTED), "rejected");
    assert_string_equal(fota_report_state_name(FOTA_RS__N), "unknown");
    assert_int_equal(fota_report_state_parse(fota_cstr("Failed")), -1);
}


static void
test_report(void **state)
{
    uint8_t  sha[32];

    memset(sha, 0xa5, sizeof(sha));

    assert_int_equal(report("{" WHO ",\"rollout\":7,\"state\":\"succeeded\"}"),
                     FOTA_OK);
    assert_int_equal(rep.rollout, 7);
    assert_int_equal(rep.state, FOTA_RS_SUCCEEDED);
    assert_int_equal(rep.attempt, 1);
    assert_int_equal(rep.seq, 0);
    assert_int_equal(rep.has_artifact, 0);

    assert_int_equal(report("{" WHO ",\"rollout\":4294967295,\"attempt\":2,"
        "\"seq\":9,\"state\":\"failed\",\"progress\":100,\"version\":\"1.0\","
        "\"artifact\":\"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
        "a5a5a5A5a5a5\",\"node\":\"tyo1\",\"bytes\":9223372036854775807,"
        "\"ms\":12,\"delta\":true,\"error\":{\"code\":-12,\"text\":\"line 1\\n"
        "line 2\"},\"attrs\":{\"hw\":3}}"), FOTA_OK);
    assert_int_equal(rep.rollout, UINT32_MAX);
    assert_int_equal(rep.attempt, 2);
    assert_int_equal(rep.seq, 9);
    assert_int_equal(rep.state, FOTA_RS_FAILED);
    assert_int_equal(rep.progress, 100);
    assert_text(rep.version, "1.0");
    assert_int_equal(rep.has_artifact, 1);
    assert_memory_equal(rep.artifact, sha, 32);
    assert_text(rep.node, "tyo1");
    assert_true(rep.bytes == INT64_MAX);
    assert_int_equal(rep.ms, 12);
    assert_int_equal(rep.delta, 1);
    assert_text(rep.error_code, "-12");
    assert_text(rep.error_text, "line 1\nline 2");
    assert_int_equal(rep.nattrs, 1);

    assert_int_equal(report("{" WHO ",\"rollout\":7,\"state\":\"rejected\","
                            "\"error\":null,\"node\":\"\",\"artifact\":\"\","
                            "\"version\":\"\"}"), FOTA_OK);
    assert_int_equal(report("{" WHO ",\"rollout\":7,\"state\":\"rejected\","
                            "\"error\":{\"code\":\"\",\"text\":\"\"}}"),
                     FOTA_OK);

    rep.tenant = fota_cstr("t");
    rep.product = fota_cstr("p");
    rep.device = fota_cstr("d");
    assert_int_equal(fota_report_req_json(&arena.mem,
                         fota_cstr("{\"rollout\":1,\"state\":\"failed\"}"),
                         &rep, &err), FOTA_OK);
    assert_text(rep.device, "d");
}


#define GOOD  WHO ",\"rollout\":7,\"state\":\"failed\""

static void
test_report_errors(void **state)
{
    size_t       i;
    static char  body[2000];

    static const struct {
        const char  *body;
        const char  *field;
        const char  *reason;
    } cases[] = {
        { "null", "body", "must be a JSON object" },
        { "{" WHO "}", "rollout", "is required and above 0" },
        { "{" WHO ",\"rollout\":0}", "rollout", "is required and above 0" },
        { "{" WHO ",\"rollout\":-1}", "rollout", "whole number" },
        { "{" WHO ",\"rollout\":1.5}", "rollout", "whole number" },
        { "{" WHO ",\"rollout\":\"1\"}", "rollout", "whole number" },
        { "{" WHO ",\"rollout\":1}", "state", "must be downloading" },
        { "{" WHO ",\"rollout\":1,\"state\":\"ok\"}", "state", "must be" },
        { "{" WHO ",\"rollout\":1,\"attempt\":0}", "attempt", "from 1" },
        { "{\"rollout\":1,\"state\":\"failed\"}", "tenant", "is required" },
        { "{" GOOD ",\"artifact\":\"a5\"}", "artifact", "64 hex digits" },
        { "{" GOOD ",\"version\":\"a b\"}", "version", "is not a version" },
        { "{" GOOD ",\"delta\":1}", "delta", "must be true or false" },
        { "{" GOOD ",\"error\":\"x\"}", "error", "must be an object" },
        { "{" GOOD ",\"error\":{\"code\":[]}}", "error.code", "be a string" },
        { "{" GOOD ",\"error\":{\"code\":\"\\n\"}}", "error.code", "control" },
        { "{" GOOD ",\"error\":{\"text\":1}}", "error.text", "be a string" },
        { "{" GOOD ",\"node\":\"\\u0001\"}", "node", "control characters" },
        { "{" GOOD ",\"attrs\":7}", "attrs", "must be an object" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        says(report(cases[i].body), FOTA_INVALID, cases[i].field,
             cases[i].reason);
    }

    says(report("{" WHO ",\"rollout\":4294967296}"), FOTA_LIMIT, "rollout",
         "is 4294967296; the limit is 4294967295");
    says(report("{" WHO ",\"rollout\":1,\"attempt\":65536}"), FOTA_LIMIT,
         "attempt", "is 65536; the limit is 65535");
    says(report("{" WHO ",\"rollout\":1,\"progress\":101}"), FOTA_LIMIT,
         "progress", "is 101; the limit is 100");
    says(report(rep_n(body, "{" GOOD ",\"error\":{\"code\":\"", 'x', 65,
                      "\"}}")), FOTA_LIMIT, "error.code",
         "is 65 bytes long; the limit is 64");
    says(report(rep_n(body, "{" GOOD ",\"error\":{\"text\":\"", 'x', 513,
                      "\"}}")), FOTA_LIMIT, "error.text",
         "is 513 bytes long; the limit is 512");
    says(report(rep_n(body, "{" GOOD ",\"node\":\"", 'x', 129, "\"}")),
         FOTA_LIMIT, "node", "is 129 bytes long; the limit is 128");
}


static void *
nothing(fota_mem_t *mem, size_t size)
{
    return NULL;
}


static void
test_nomem(void **state)
{
    size_t        cap;
    fota_mem_t    mem;
    fota_arena_t  a;
    fota_str_t    body;

    mem.alloc = nothing;
    assert_int_equal(fota_check_req_query(&mem, fota_cstr("attr.x=1"), &req,
                                          &err), FOTA_NOMEM);
    assert_int_equal(fota_check_req_query(&mem, fota_cstr("device=%41"), &req,
                                          &err), FOTA_NOMEM);

    body = fota_cstr("{" GOOD ",\"attrs\":{\"a\":1,\"b\":2,\"c\":3}}");

    for (cap = 16; cap < 65536; cap += 16) {
        fota_arena_init(&a, cap);

        if (fota_report_req_json(&a.mem, body, &rep, &err) == FOTA_OK) {
            fota_arena_free(&a);
            break;
        }

        fota_arena_free(&a);
        fota_arena_init(&a, cap);
        assert_int_equal(fota_check_req_json(&a.mem, body, &req, &err),
                         FOTA_NOMEM);
        fota_arena_free(&a);
    }

    assert_true(cap < 65536);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_preset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query_limits, setup, teardown),
        cmocka_unit_test(test_states),
        cmocka_unit_test_setup_teardown(test_report, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nomem, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
