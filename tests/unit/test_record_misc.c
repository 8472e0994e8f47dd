/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Round trips of the small records, and what their encoders refuse. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "support_record.h"


#define assert_str(a, b)  assert_true(fota_str_eq(a, b))

#define value(table)  fota_buf_slice(&set.records[table].value)

/* Refused, and nothing of it is left in the buffer. */
#define refused(call, rc)                                                    \
    do {                                                                     \
        fota_buf_reset(&out);                                                \
        assert_int_equal(call, rc);                                          \
        assert_int_equal(out.len, 0);                                        \
    } while (0)


static fota_buf_t    out;
static fota_arena_t  arena;
static record_set_t  set;
static char          xs[1024];


static int
setup(void **state)
{
    memset(xs, 'x', sizeof(xs));
    fota_arena_init(&arena, 0);
    fota_buf_grow(&out, 1 << 20);
    record_open(&set);

    return 0;
}


static int
teardown(void **state)
{
    record_close(&set);
    fota_buf_free(&out);
    fota_arena_free(&arena);

    return 0;
}


static void
test_tenant(void **state)
{
    fota_tenant_t  v, *s;

    s = &set.tenant;
    assert_int_equal(fota_tenant_decode(&arena.mem, value(FOTA_T_TENANT), &v),
                     FOTA_OK);
    assert_int_equal(v.id, s->id);
    assert_int_equal(v.auth, s->auth);
    assert_int_equal(v.brake, s->brake);
    assert_int_equal(v.token_flags, s->token_flags);
    assert_int_equal(v.ip4_plen, 24);
    assert_int_equal(v.ip6_plen, 48);
    assert_int_equal(v.ngateway, 2);
    assert_memory_equal(v.gateway, s->gateway, sizeof(v.gateway));
    assert_int_equal(v.nissuers, 2);
    assert_str(v.issuers[0], s->issuers[0]);
    assert_str(v.issuers[1], s->issuers[1]);
    assert_int_equal(v.ndefaults, 3);
    assert_string_equal(v.defaults[1].country, "-AS");
    assert_int_equal(v.defaults[2].node, 9);
    assert_memory_equal(v.signer, s->signer, 32);

    s->auth = 0x10;
    refused(fota_tenant_encode(s, &out), FOTA_INVALID);
    s->auth = 0;
    s->token_flags = 0x10;
    refused(fota_tenant_encode(s, &out), FOTA_INVALID);
    s->token_flags = 0;
    s->ip4_plen = 33;
    refused(fota_tenant_encode(s, &out), FOTA_INVALID);
    s->ip4_plen = 0;
    s->ip6_plen = 129;
    refused(fota_tenant_encode(s, &out), FOTA_INVALID);
    s->ip6_plen = 0;
    s->brake = 3;
    refused(fota_tenant_encode(s, &out), FOTA_INVALID);
    s->brake = 0;
    s->ngateway = 5;
    refused(fota_tenant_encode(s, &out), FOTA_LIMIT);
    s->ngateway = 0;
    s->nissuers = FOTA_ISSUERS_MAX + 1;
    refused(fota_tenant_encode(s, &out), FOTA_LIMIT);
    s->nissuers = 0;
    s->ndefaults = FOTA_DEFAULTS_MAX + 1;
    refused(fota_tenant_encode(s, &out), FOTA_LIMIT);
    s->ndefaults = 0;
    assert_int_equal(fota_tenant_encode(s, &out), FOTA_OK);
}


static void
test_device(void **state)
{
    uint32_t       same[2] = { 4, 4 };
    fota_attr_t    attr;
    fota_device_t  v, *s;

    s = &set.device;
    assert_int_equal(fota_device_decode(&arena.mem, value(FOTA_T_DEVICE), &v),
                     FOTA_OK);
    assert_int_equal(v.blocked, 1);
    assert_int_equal(v.test, 1);
    assert_int_equal(v.has_token, 1);
    assert_memory_equal(v.token, s->token, 32);
    assert_str(v.pin, s->pin);
    assert_int_equal(v.ngroups, 3);
    assert_int_equal(v.groups[2], 900);
    assert_int_equal(v.nattrs, 2);
    assert_str(v.attrs[0].name, s->attrs[0].name);
    assert_str(v.attrs[0].value, s->attrs[0].value);
    assert_int_equal(v.attrs[1].value.len, 0);
    assert_int_equal(v.nattempts, 2);
    assert_int_equal(v.attempts[0].rollout, 11);
    assert_int_equal(v.attempts[0].attempts, 2);
    assert_int_equal(v.attempts[0].delta_failed, 1);

    s->has_token = 0;
    s->blocked = 0;
    assert_int_equal(fota_device_encode(s, &out), FOTA_OK);
    assert_int_equal(out.len, set.records[FOTA_T_DEVICE].value.len - 32);
    assert_int_equal(fota_device_decode(&arena.mem, fota_buf_slice(&out), &v),
                     FOTA_OK);
    assert_int_equal(v.blocked, 0);
    assert_int_equal(v.has_token, 0);

    s->groups = same;
    s->ngroups = 2;
    refused(fota_device_encode(s, &out), FOTA_INVALID);
    s->ngroups = 0;
    s->pin = fota_slice(xs, FOTA_VERSION_MAX + 1);
    refused(fota_device_encode(s, &out), FOTA_LIMIT);
    s->pin.len = 0;
    attr.name = fota_cstr("");
    attr.value = fota_cstr("x");
    s->attrs = &attr;
    s->nattrs = 1;
    refused(fota_device_encode(s, &out), FOTA_INVALID);
    attr.name = fota_slice(xs, FOTA_ATTR_NAME_MAX + 1);
    refused(fota_device_encode(s, &out), FOTA_LIMIT);
    attr.name.len = 1;
    attr.value = fota_slice(xs, FOTA_ATTR_VALUE_MAX + 1);
    refused(fota_device_encode(s, &out), FOTA_LIMIT);
    s->nattrs = 0;
    s->nattempts = FOTA_DEVICE_ATTEMPTS_MAX + 1;
    refused(fota_device_encode(s, &out), FOTA_LIMIT);
    s->nattempts = 0;

    /* A full buffer leaves nothing either. */
    fota_buf_free(&out);
    fota_buf_grow(&out, 5);
    assert_int_equal(fota_device_encode(s, &out), FOTA_LIMIT);
    assert_int_equal(out.len, 0);
}


/* Members are searched by halves, so their order is checked. */

static void
test_device_groups(void **state)
{
    fota_device_t          v;
    static const uint8_t   bytes[] = {
        3, 1, 0, 0, 0, 2, 0, 5, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0
    };

    assert_int_equal(fota_device_decode(&arena.mem,
                                        fota_slice(bytes, sizeof(bytes)), &v),
                     FOTA_CORRUPT);
}


static void
test_node(void **state)
{
    fota_node_t  v, *s;

    s = &set.node;
    assert_int_equal(fota_node_decode(&arena.mem, value(FOTA_T_NODE), &v),
                     FOTA_OK);
    assert_int_equal(v.id, 9);
    assert_int_equal(v.group, 2);
    assert_int_equal(v.state, FOTA_NODE_DRAIN);
    assert_int_equal(v.families, 3);
    assert_int_equal(v.scope, FOTA_SCOPE_COUNTRY);
    assert_int_equal(v.load, 45);
    assert_int_equal(v.health, 100);
    assert_int_equal(v.weight, 100);
    assert_int_equal(v.cap_mbps, 10000);
    assert_int_equal(v.as_of, 1770000000);
    assert_true(v.lat == s->lat && v.lon == s->lon);
    assert_string_equal(v.country, "JP");
    assert_string_equal(v.continent, "AS");
    assert_str(v.name, s->name);
    assert_str(v.site, s->site);
    assert_str(v.url, s->url);
    assert_int_equal(v.nasns, 2);
    assert_int_equal(v.asns[1], 17676);
    assert_int_equal(v.ntenants, 1);
    assert_int_equal(v.tenants[0], 5);
    assert_int_equal(v.nexcluded, 1);
    assert_str(v.excluded[0], s->excluded[0]);

    s->lat = NAN;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->lat = 90.5;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->lat = -90;
    s->lon = INFINITY;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->lon = 180;
    s->health = 101;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->health = 0;
    s->families = 4;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->families = 1;
    s->name.len = 0;
    refused(fota_node_encode(s, &out), FOTA_INVALID);
    s->name = fota_slice(xs, FOTA_NAME_MAX + 1);
    refused(fota_node_encode(s, &out), FOTA_LIMIT);
    s->name.len = 1;
    memcpy(s->country, "JPNX", 4);              /* no NUL */
    refused(fota_node_encode(s, &out), FOTA_LIMIT);
    memcpy(s->country, "JP\0", 4);
    s->nasns = FOTA_NODE_LIST_MAX + 1;
    refused(fota_node_encode(s, &out), FOTA_LIMIT);
    s->nasns = 0;
    s->ntenants = FOTA_NODE_LIST_MAX + 1;
    refused(fota_node_encode(s, &out), FOTA_LIMIT);
    s->ntenants = 0;
    s->nexcluded = FOTA_NODE_LIST_MAX + 1;
    refused(fota_node_encode(s, &out), FOTA_LIMIT);
    s->nexcluded = 0;
    assert_int_equal(fota_node_encode(s, &out), FOTA_OK);
}


/* Bytes that no encoder of ours makes. */

static void
test_node_bytes(void **state)
{
    uint8_t      *lat, *country;
    fota_node_t   v;

    /* id, group, five bytes, weight, cap, as_of */
    lat = set.records[FOTA_T_NODE].value.start + 2 + 4 + 2 + 5 + 4 + 4 + 8;
    country = lat + 16;
    assert_int_equal(country[0], 2);

    country[3] = '\0';
    assert_int_equal(fota_node_decode(&arena.mem, value(FOTA_T_NODE), &v),
                     FOTA_CORRUPT);
    country[3] = 'P';
    memset(lat, 0xff, 8);               /* not a number */
    assert_int_equal(fota_node_decode(&arena.mem, value(FOTA_T_NODE), &v),
                     FOTA_CORRUPT);
}


static void
test_key(void **state)
{
    fota_key_t  v;

    assert_int_equal(fota_key_decode(value(FOTA_T_KEY), &v), FOTA_OK);
    assert_int_equal(v.state, FOTA_KEY_CURRENT);
    assert_int_equal(v.wrapped, 1);
    assert_int_equal(v.wrap_scope, 3);
    assert_int_equal(v.created, 1770000000);
    assert_str(v.secret, set.key.secret);

    set.key.wrapped = 0;
    refused(fota_key_encode(&set.key, &out), FOTA_INVALID);
    set.key.secret.len = 32;
    assert_int_equal(fota_key_encode(&set.key, &out), FOTA_OK);
    assert_int_equal(fota_key_decode(fota_buf_slice(&out), &v), FOTA_OK);
    assert_int_equal(v.secret.len, 32);
    set.key.wrapped = 1;
    refused(fota_key_encode(&set.key, &out), FOTA_INVALID);
    set.key.wrapped = 2;
    refused(fota_key_encode(&set.key, &out), FOTA_INVALID);

    /* A sealed secret that says it is open. */
    set.records[FOTA_T_KEY].value.start[3] = 0;
    assert_int_equal(fota_key_decode(value(FOTA_T_KEY), &v), FOTA_CORRUPT);
}


static void
test_deny_artifact(void **state)
{
    fota_deny_t           d;
    fota_artifact_info_t  a;

    assert_int_equal(fota_deny_decode(value(FOTA_T_DENY), &d), FOTA_OK);
    assert_int_equal(d.not_before, 1770000001);
    assert_int_equal(d.cut, 1);
    d.cut = 2;
    refused(fota_deny_encode(&d, &out), FOTA_INVALID);

    assert_int_equal(fota_artifact_info_decode(value(FOTA_T_ARTIFACT), &a),
                     FOTA_OK);
    assert_int_equal(a.tenant, 5);
    assert_int_equal(a.size, 123456789);
    assert_int_equal(a.published, 1770000000);
    assert_int_equal(a.prefetch, 1);
    assert_str(a.name, set.artifact.name);
    a.name = fota_slice(xs, 257);
    refused(fota_artifact_info_encode(&a, &out), FOTA_LIMIT);
}


static void
test_geoprefix(void **state)
{
    fota_geoprefix_t  v;

    assert_int_equal(fota_geoprefix_decode(value(FOTA_T_GEOPREFIX), &v),
                     FOTA_OK);
    assert_int_equal(v.has_location, 1);
    assert_int_equal(v.node_group, 4);
    assert_memory_equal(&v.location, &set.prefix.location,
                        sizeof(fota_location_t));

    memset(&v, 0, sizeof(v));
    v.node_group = 7;
    assert_int_equal(fota_geoprefix_encode(&v, &out), FOTA_OK);
    assert_int_equal(out.len, 7);
    assert_int_equal(fota_geoprefix_decode(fota_buf_slice(&out), &v), FOTA_OK);
    assert_int_equal(v.has_location, 0);
    assert_int_equal(v.node_group, 7);

    set.prefix.location.lon = -181;
    refused(fota_geoprefix_encode(&set.prefix, &out), FOTA_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_tenant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_device_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_node_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deny_artifact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_geoprefix, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
