/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "fota_answer.h"
#include "fota_encode.h"
#include "fota_manifest.h"
#include "support_policy.h"


static fota_buf_t      out;
static fota_arena_t    tree;
static fota_answer_t   answer;
static policy_test_t   t;
static fota_json_t    *root;


static const fota_answer_url_t  urls[] = {
    { fota_string("https://tyo1.example/a/x/image.bin?t=T1"),
      fota_string("tyo1"), fota_string("JP") },
    { fota_string("https://fra1.example/a/x/image.bin?t=T2"),
      fota_string("fra1"), fota_null_str }
};


static int
setup(void **state)
{
    policy_standard(&t);
    fota_buf_grow(&out, 1 << 20);
    fota_arena_init(&tree, 0);

    memset(&answer, 0, sizeof(answer));
    answer.decision = &t.out;
    answer.product = &t.product;
    answer.tenant = fota_cstr("demo");
    answer.policy_epoch = 0xfedcba98;
    answer.policy_seq = UINT64_MAX;
    answer.urls = urls;
    answer.nurls = 2;

    return 0;
}


static int
teardown(void **state)
{
    policy_close(&t);
    fota_buf_free(&out);
    fota_arena_free(&tree);

    return 0;
}


static void
parse(void)
{
    fota_json_error_t  err;

    fota_arena_reset(&tree);

    if (fota_json_parse(&tree.mem, fota_buf_slice(&out), 10000, &root, &err)
        != FOTA_OK)
    {
        fail_msg("%.*s: %s at %zu", (int) out.len, out.start, err.reason,
                 err.offset);
    }
}


static void
check(void)
{
    fota_buf_reset(&out);
    assert_int_equal(fota_answer_check(&answer, &out), FOTA_OK);
    parse();
}


/* The value at "a.b.c"; numbers count elements of arrays. */

static const fota_json_t *
at(const char *path)
{
    int                 i;
    char                name[64];
    size_t              n;
    const fota_json_t  *v;

    for (v = root; *path != '\0' && v != NULL; path += n + (path[n] == '.')) {
        n = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int) n, path);

        if (v->type == FOTA_JSON_ARRAY) {
            v = v->child;

            for (i = atoi(name); i > 0 && v != NULL; i--) {
                v = v->next;
            }

        } else {
            v = fota_json_get(v, name);
        }
    }

    return v;
}


static void
is_str(const char *path, const char *want)
{
    const fota_json_t  *v;

    v = at(path);

    if (v == NULL || v->type != FOTA_JSON_STRING
        || !fota_str_eq(v->str, fota_cstr(want)))
    {
        fail_msg("%s is not \"%s\" in %.*s", path, want, (int) out.len,
                 out.start);
    }
}


/* By its text, so that no number is rounded on the way. */

static void
is_num(const char *path, const char *want)
{
    const fota_json_t  *v;

    v = at(path);

    if (v == NULL || v->type != FOTA_JSON_NUMBER
        || !fota_str_eq(v->str, fota_cstr(want)))
    {
        fail_msg("%s is not %s in %.*s", path, want, (int) out.len,
                 out.start);
    }
}


static void
is_bool(const char *path, bool want)
{
    const fota_json_t  *v;

    v = at(path);
    assert_non_null(v);
    assert_int_equal(v->type, FOTA_JSON_BOOL);
    assert_int_equal(v->boolean, want);
}


static void
test_nothing(void **state)
{
    t.product.nrollouts = 0;
    policy_run(&t);
    t.out.poll = 123;
    check();

    is_bool("update", false);
    is_str("reason", "no_rollout");
    is_num("policy_seq", "18446744073709551615");
    is_str("policy_epoch", "00000000fedcba98");
    is_num("poll_s", "123");
    assert_null(at("artifact"));
    assert_null(at("urls"));
    assert_null(at("hook"));
    assert_int_equal(root->count, 5);

    answer.product = NULL;
    check();
    is_bool("update", false);
}


static void
test_offer(void **state)
{
    size_t            n;
    uint8_t           bytes[FOTA_MANIFEST_MAX];
    fota_artifact_t  *a;

    a = &t.artifacts[6];
    t.rollouts[0].strategy = FOTA_PATH_DELTA;
    t.rollouts[0].target = policy_find(&t, "1.3");
    policy_artifact(&t, "1.0", "1.3", 50);
    t.firmware[3].must_pass = 1;
    memset(a->sha256, 0xab, 32);
    memset(a->sig, 0x11, 64);
    a->kid = 300;
    assert_int_equal(policy_run(&t), FOTA_R_OFFER);
    check();

    is_bool("update", true);
    is_str("reason", "offer");
    is_num("rollout", "1");
    is_str("version", "1.2");
    is_str("target", "1.3");
    is_str("kind", "os");
    is_num("hops", "2");
    is_num("artifact.id", "1007");
    is_str("artifact.sha256", "abababababababababababababababab"
           "abababababababababababababababab");
    is_num("artifact.size", "100");
    is_str("artifact.type", "delta");
    is_str("artifact.from", "1.0");
    is_str("artifact.format", "raw");
    is_str("artifact.name", "image.bin");
    is_num("artifact.key_id", "300");

    assert_int_equal(fota_base64_decode(bytes, sizeof(bytes),
                                        at("artifact.signature")->str, &n),
                     FOTA_OK);
    assert_int_equal(n, 64);
    assert_memory_equal(bytes, a->sig, 64);

    assert_int_equal(fota_base64_decode(bytes, sizeof(bytes),
                                        at("artifact.manifest")->str, &n),
                     FOTA_OK);
    assert_true(fota_str_eq(fota_slice(bytes, n), fota_cstr(
        "fota-artifact/1\ntenant=demo\nproduct=dashcam\nversion=1.2\n"
        "kind=os\ntype=delta\nfrom=1.0\nformat=raw\nsha256="
        "abababababababababababababababababababababababababababababababab\n"
        "size=100\n")));

    is_str("urls.0.url", "https://tyo1.example/a/x/image.bin?t=T1");
    is_str("urls.0.node", "tyo1");
    is_num("urls.0.pri", "1");
    is_str("urls.0.geo", "JP");
    is_str("urls.1.node", "fra1");
    is_num("urls.1.pri", "2");
    assert_null(at("urls.1.geo"));

    is_num("retry.count", "8");
    is_num("retry.min_s", "10");
    is_num("retry.max_s", "600");
    assert_null(at("install_window"));
    assert_null(at("window_until"));

    /* Without a node there is nothing to fetch. */
    answer.nurls = 0;
    check();
    is_bool("update", false);
    assert_null(at("artifact"));
}


static void
test_offer_full(void **state)
{
    fota_window_t  w;

    w.days = 0x7f;
    w.from = 20 * 60;
    w.to = 22 * 60;
    t.rollouts[0].windows = &w;
    t.rollouts[0].nwindows = 1;
    t.product.install_window = fota_cstr("daily 02:00-04:00");
    t.product.retry_count = 3;
    t.product.retry_min = 5;
    t.product.retry_max = 50;
    assert_int_equal(policy_run(&t), FOTA_R_OFFER);
    check();

    is_str("artifact.type", "full");
    assert_null(at("artifact.from"));
    is_num("retry.count", "3");
    is_num("retry.min_s", "5");
    is_num("retry.max_s", "50");
    is_str("install_window", "daily 02:00-04:00");
    is_num("window_until", "1773147600");

    /* What cannot be signed has no text to sign; anew, as it is kept. */
    memset(t.product.index.answers, 0,
           t.product.nartifacts * sizeof(fota_str_t));
    answer.tenant = fota_cstr("de\nmo");
    check();
    assert_null(at("artifact.manifest"));
    is_bool("update", true);
}


static void
test_artifact_is_described_once(void **state)
{
    char    first[4096];
    size_t  n;

    assert_int_equal(policy_run(&t), FOTA_R_OFFER);
    check();
    n = out.len;
    assert_true(n < sizeof(first));
    memcpy(first, out.start, n);

    check();
    assert_int_equal(out.len, n);
    assert_memory_equal(out.start, first, n);

    /* A product made without an index is told of all the same. */
    t.product.index.answers = NULL;
    check();
    assert_int_equal(out.len, n);
    assert_memory_equal(out.start, first, n);
}


static void
test_hook(void **state)
{
    static char        big[200];
    const fota_attr_t  hook[] = {
        { fota_string("carrier"), fota_string("a\"b\n") },
        { fota_null_str, fota_string("x") },
        { { sizeof(big), (uint8_t *) big }, fota_string("x") },
        { fota_string("q\"\xff"), fota_string("\xff") }
    };

    memset(big, 'x', sizeof(big));
    answer.hook = hook;
    answer.nhook = 4;
    t.out.reason = FOTA_R_HOOK;
    check();

    is_str("reason", "hook");
    is_str("hook.carrier", "a\"b\n");
    assert_int_equal(at("hook")->count, 2);
}


static void
test_full_buffer(void **state)
{
    size_t   n, cap;
    uint8_t  mem[4096];

    assert_int_equal(policy_run(&t), FOTA_R_OFFER);
    check();
    n = out.len;
    assert_true(n < sizeof(mem));

    for (cap = 0; cap < n; cap++) {
        fota_buf_t  b;

        fota_buf_fixed(&b, mem, cap);
        assert_int_equal(fota_answer_check(&answer, &b), FOTA_FULL);
    }
}


static void
test_problem(void **state)
{
    assert_int_equal(fota_answer_problem(&out, 400, "bad_field",
                                         "A field is wrong", "attrs.hw",
                                         "is \"long\""), FOTA_OK);
    assert_true(fota_str_eq(fota_buf_slice(&out), fota_cstr(
        "{\"type\":\"about:blank\",\"title\":\"A field is wrong\","
        "\"status\":400,\"code\":\"bad_field\",\"field\":\"attrs.hw\","
        "\"detail\":\"is \\\"long\\\"\"}")));

    fota_buf_reset(&out);
    assert_int_equal(fota_answer_problem(&out, 503, "no_policy", "No policy",
                                         NULL, NULL), FOTA_OK);
    parse();
    assert_null(at("field"));
    assert_null(at("detail"));
    is_num("status", "503");
}


static fota_explain_t  explain;


static void
trace(fota_policy_env_t *env, const fota_rollout_t *r, fota_reason_e reason,
    const char *detail)
{
    fota_explain_rollout(&explain, r, reason, detail);
}


static void
test_explain(void **state)
{
    int                    i;
    fota_node_entry_t      node;
    fota_answer_explain_t  a;

    memset(&a, 0, sizeof(a));
    memset(&node, 0, sizeof(node));

    a.answer = &answer;
    a.facts = &t.facts;
    a.device = &t.device;
    a.location = &t.location;
    a.explain = &explain;
    a.now = POLICY_NOW;
    a.lag = 17;

    fota_explain_init(&explain, &tree.mem);
    t.env.trace = trace;
    t.device.pin = fota_cstr("1.2");
    t.device.nattempts = 1;
    t.attempts[0].rollout = 1;
    t.attempts[0].attempts = 2;
    t.attrs[0].name = fota_cstr("hw");
    t.attrs[0].value = fota_cstr("3");
    t.facts.nattrs = 1;
    t.groups[0] = 12;
    t.facts.ngroups = 1;
    t.location.has_position = 1;
    t.location.lat = 35.5;
    t.rollouts[0].state = FOTA_ROLLOUT_PAUSED;

    for (i = 0; i < 40; i++) {
        policy_rollout(&t, "1.2");
    }

    assert_int_equal(policy_run(&t), FOTA_R_OFFER);
    assert_int_equal(explain.nrollouts, 2);

    node.node.id = 9;
    node.node.name = fota_cstr("tyo1");
    node.node.site = fota_cstr("tyo");
    strcpy(node.node.country, "JP");

    for (i = 0; i < 40; i++) {
        fota_explain_node(&explain, &node, (i == 0) ? FOTA_N_PICKED
                                                    : FOTA_N_FAR,
                          (i == 1) ? -1.0 : 12.5, 80.0,
                          (i == 1) ? INFINITY : 0.25);
    }

    assert_int_equal(fota_answer_explain(&a, &out), FOTA_OK);

    /* The tree of the parser is apart from what explain holds. */
    {
        fota_arena_t       own;
        fota_json_error_t  err;

        fota_arena_init(&own, 0);
        assert_int_equal(fota_json_parse(&own.mem, fota_buf_slice(&out),
                                         10000, &root, &err), FOTA_OK);

        is_bool("decision.update", true);
        is_num("decision.decided_by", "2");
        is_str("decision.wanted", "1.2");
        is_str("decision.path.version", "1.2");
        is_str("decision.path.type", "full");
        is_num("decision.path.hops", "1");
        is_num("decision.path.size", "1000");
        is_num("decision.path.bytes", "1000");
        is_num("policy.lag_s", "17");
        is_num("policy.now", "1773144000");
        is_str("policy.epoch", "00000000fedcba98");
        is_str("device.id", "cam-0001");
        is_str("device.attrs.0.name", "hw");
        is_str("device.pin", "1.2");
        is_num("device.groups.0", "12");
        is_num("device.attempts.0.failed", "2");
        is_bool("device.record", true);
        is_str("location.source", "db");
        is_str("location.city", "Shinjuku");
        is_num("location.lat", "35.5");
        is_num("rollouts.0.id", "1");
        is_str("rollouts.0.reason", "paused");
        is_str("rollouts.0.detail", "paused");
        is_str("rollouts.1.reason", "offer");
        assert_null(at("rollouts.1.detail"));
        assert_int_equal(at("rollouts")->count, 2);
        is_str("nodes.0.name", "tyo1");
        is_str("nodes.0.reason", fota_node_reason_name(FOTA_N_PICKED));
        is_num("nodes.0.km", "12.5");
        is_num("nodes.0.score", "0.25");
        assert_int_equal(at("nodes.1.km")->type, FOTA_JSON_NULL);
        assert_int_equal(at("nodes.1.score")->type, FOTA_JSON_NULL);
        assert_int_equal(at("nodes")->count, 40);

        /* Without a record, a place, a rollout. */
        a.device = NULL;
        a.location = NULL;
        t.location.source = (fota_geo_src_e) 77;
        t.out.rollout = NULL;
        t.out.target = NULL;
        t.out.reason = FOTA_R_NO_ROLLOUT;
        fota_buf_reset(&out);
        assert_int_equal(fota_answer_explain(&a, &out), FOTA_OK);
        assert_int_equal(fota_json_parse(&own.mem, fota_buf_slice(&out),
                                         10000, &root, &err), FOTA_OK);
        is_bool("device.record", false);
        assert_null(at("device.pin"));
        assert_null(at("decision.decided_by"));
        assert_null(at("decision.path"));
        assert_int_equal(at("location")->type, FOTA_JSON_NULL);

        fota_arena_free(&own);
    }
}


static void
test_explain_nomem(void **state)
{
    size_t                 cap;
    fota_arena_t           small;
    fota_node_entry_t      node;
    fota_answer_explain_t  a;

    memset(&a, 0, sizeof(a));
    memset(&node, 0, sizeof(node));
    a.explain = &explain;

    for (cap = 16; cap < 2000; cap += 400) {
        fota_arena_init(&small, cap);
        fota_explain_init(&explain, &small.mem);
        fota_explain_rollout(&explain, &t.rollouts[0], FOTA_R_GEO, "detail");
        fota_explain_node(&explain, &node, FOTA_N_FAR, 1, 2, 3);

        if (explain.status != FOTA_OK) {
            assert_int_equal(fota_answer_explain(&a, &out), FOTA_NOMEM);
        }

        fota_arena_free(&small);
    }

    assert_int_equal(explain.status, FOTA_OK);

    /* The detail alone does not fit. */
    fota_arena_init(&small, 16 * sizeof(fota_explain_rollout_t));
    fota_explain_init(&explain, &small.mem);
    fota_explain_rollout(&explain, &t.rollouts[0], FOTA_R_GEO, "detail");
    assert_int_equal(explain.status, FOTA_NOMEM);
    fota_arena_free(&small);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_artifact_is_described_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_hook, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain_nomem, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
