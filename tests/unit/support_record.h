/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* One full record of every table, for the tests of codecs. */

#ifndef FOTA_SUPPORT_RECORD_H
#define FOTA_SUPPORT_RECORD_H


#include "fota_path.h"
#include "support_filter.h"


typedef struct {
    fota_table_e  table;
    uint8_t       key[FOTA_KEY_MAX];
    size_t        nkey;
    fota_buf_t    value;
} record_t;


typedef struct {
    filter_test_t         filter;
    fota_str_t            code;
    fota_tenant_t         tenant;
    fota_product_t        product;
    fota_device_t         device;
    fota_node_t           node;
    fota_key_t            key;
    fota_deny_t           deny;
    fota_geoprefix_t      prefix;
    fota_zone_t           zone;
    fota_artifact_info_t  artifact;
    record_t              records[FOTA_T__N];
} record_set_t;


static fota_str_t  record_issuers[] = {
    fota_string("CN=Device CA,O=Demo"), fota_string("CN=Other")
};

static fota_default_node_t  record_defaults[] = {
    { "JP", 7 }, { "-AS", 8 }, { "*", 9 }
};

static fota_firmware_t  record_firmware[] = {
    { 1, FOTA_KIND_OS, 0, 0, fota_string("1.0") },
    { 2, FOTA_KIND_OS, 1, 0, fota_string("1.1") },
    { 3, FOTA_KIND_OS, 0, 1, fota_string("1.2") },
    { 4, FOTA_KIND_APP, 0, 0, fota_string("1.0") }
};

static fota_artifact_t  record_artifacts[2];

static fota_str_t  record_include[] = {
    fota_string("JP/Tokyo"), fota_string("DE")
};

static fota_str_t  record_exclude[] = { fota_string("JP/Tokyo/Shinjuku") };

static fota_str_t  record_sources[] = { fota_string("1.*") };

static fota_window_t  record_windows[] = {
    { 0x1f, 22 * 60, 5 * 60 }, { 0x60, 0, 24 * 60 }
};

static fota_rollout_t  record_rollouts[2];

static uint32_t  record_groups[] = { 3, 5, 900 };

static fota_attr_t  record_attrs[] = {
    { fota_string("hw"), fota_string("3") },
    { fota_string("note"), fota_string("") }
};

static fota_attempt_t  record_attempts[] = { { 11, 2, 1 }, { 12, 1, 0 } };

static uint32_t  record_asns[] = { 2516, 17676 };
static uint32_t  record_tenants[] = { 5 };
static fota_str_t  record_excluded[] = { fota_string("CN") };

static fota_transition_t  record_transitions[] = {
    { 1774746000, 7200 }, { 1792890000, 3600 }
};


static inline void
record_product(record_set_t *s)
{
    fota_rollout_t  *r;

    memset(record_artifacts, 0, sizeof(record_artifacts));
    record_artifacts[0].id = 21;
    record_artifacts[0].size = 1ULL << 33;
    record_artifacts[0].from = FOTA_NONE;
    record_artifacts[0].to = 1;
    record_artifacts[0].kid = 4;
    record_artifacts[0].format = fota_cstr("raw");
    record_artifacts[0].name = fota_cstr("dashcam-1.1.img");
    memset(record_artifacts[0].sha256, 0xab, 32);
    memset(record_artifacts[0].sig, 0xcd, 64);
    record_artifacts[1] = record_artifacts[0];
    record_artifacts[1].id = 22;
    record_artifacts[1].from = 0;
    record_artifacts[1].size = 77;
    record_artifacts[1].requires = s->code;

    memset(record_rollouts, 0, sizeof(record_rollouts));
    r = &record_rollouts[0];
    r->id = 11;
    r->state = FOTA_ROLLOUT_RUNNING;
    r->brake = FOTA_BRAKE_OFFERS;
    r->kind = FOTA_KIND_OS;
    r->strategy = FOTA_PATH_AUTO;
    r->time_mode = FOTA_TIME_ZONE;
    r->rate_class = 2;
    r->allow_downgrade = 1;
    r->require_fresh = 1;
    r->weight = -5;
    r->created = 1770000000;
    r->salt = 0x1122334455667788ULL;
    r->target = 1;
    r->reached = 2500;
    r->max_attempts = 3;
    r->dispersion = 4;
    r->token_ttl = 7200;
    r->start = -1;
    r->end = 1780000000;
    r->test_group = 3;
    r->max_active = 100;
    r->max_bps = 1ULL << 40;
    r->error_permille = 20;
    r->error_min = 50;
    r->name = fota_cstr("spring");
    r->zone = fota_cstr("Asia/Tokyo");
    r->filter = s->code;
    r->ninclude = 2;
    r->include = record_include;
    r->nexclude = 1;
    r->exclude = record_exclude;
    r->nwindows = 2;
    r->windows = record_windows;
    r->nsources = 1;
    r->sources = record_sources;

    r = &record_rollouts[1];
    r->id = 12;
    r->kind = FOTA_KIND_APP;
    r->target = FOTA_NONE;
    r->geo_unknown_allow = 1;
    r->test_only = 1;

    s->product.tenant = 5;
    s->product.id = 6;
    s->product.brake = FOTA_BRAKE_CUT;
    s->product.poll = 3600;
    s->product.retry_min = 10;
    s->product.retry_max = 600;
    s->product.retry_count = 9;
    s->product.name = fota_cstr("dashcam");
    s->product.install_window = fota_cstr("daily 02:00-04:00");
    s->product.nfirmware = 4;
    s->product.firmware = record_firmware;
    s->product.nartifacts = 2;
    s->product.artifacts = record_artifacts;
    s->product.nrollouts = 2;
    s->product.rollouts = record_rollouts;
}


static inline void
record_values(record_set_t *s)
{
    s->tenant.id = 5;
    s->tenant.auth = FOTA_AUTH_DEVICE | FOTA_AUTH_MTLS;
    s->tenant.brake = FOTA_BRAKE_OFFERS;
    s->tenant.token_flags = 1;
    s->tenant.ip4_plen = 24;
    s->tenant.ip6_plen = 48;
    s->tenant.ngateway = 2;
    memset(s->tenant.gateway, 0x31, 64);
    s->tenant.nissuers = 2;
    s->tenant.issuers = record_issuers;
    s->tenant.ndefaults = 3;
    s->tenant.defaults = record_defaults;
    memset(s->tenant.signer, 0x77, 32);

    record_product(s);

    s->device.blocked = 1;
    s->device.test = 1;
    s->device.has_token = 1;
    memset(s->device.token, 0x55, 32);
    s->device.pin = fota_cstr("1.1");
    s->device.ngroups = 3;
    s->device.groups = record_groups;
    s->device.nattrs = 2;
    s->device.attrs = record_attrs;
    s->device.nattempts = 2;
    s->device.attempts = record_attempts;

    s->node.id = 9;
    s->node.group = 2;
    s->node.state = FOTA_NODE_DRAIN;
    s->node.families = FOTA_FAMILY_V4 | FOTA_FAMILY_V6;
    s->node.scope = FOTA_SCOPE_COUNTRY;
    s->node.load = 45;
    s->node.health = 100;
    s->node.weight = 100;
    s->node.cap_mbps = 10000;
    s->node.as_of = 1770000000;
    s->node.lat = 35.68;
    s->node.lon = 139.69;
    strcpy(s->node.country, "JP");
    strcpy(s->node.continent, "AS");
    s->node.name = fota_cstr("tyo1");
    s->node.site = fota_cstr("tyo");
    s->node.url = fota_cstr("https://tyo1.example");
    s->node.nasns = 2;
    s->node.asns = record_asns;
    s->node.ntenants = 1;
    s->node.tenants = record_tenants;
    s->node.nexcluded = 1;
    s->node.excluded = record_excluded;

    s->key.state = FOTA_KEY_CURRENT;
    s->key.wrapped = 1;
    s->key.wrap_scope = 3;
    s->key.created = 1770000000;
    s->key.secret = fota_slice("0123456789012345678901234567890123456789"
                               "01234567890123456789", 60);

    s->deny.not_before = 1770000001;
    s->deny.cut = 1;

    s->prefix.has_location = 1;
    s->prefix.node_group = 4;
    strcpy(s->prefix.location.country, "DE");
    strcpy(s->prefix.location.continent, "EU");
    strcpy(s->prefix.location.region, "Berlin");
    strcpy(s->prefix.location.region_code, "BE");
    strcpy(s->prefix.location.city, "Berlin");
    strcpy(s->prefix.location.tz, "Europe/Berlin");
    s->prefix.location.source = FOTA_GEO_PREFIX;
    s->prefix.location.region_id = 1;
    s->prefix.location.city_id = 2950159;
    s->prefix.location.asn = 3320;
    s->prefix.location.lat = 52.5;
    s->prefix.location.lon = 13.4;
    s->prefix.location.has_position = 1;

    s->zone.name = fota_cstr("Europe/Berlin");
    s->zone.initial = 3600;
    s->zone.n = 2;
    s->zone.transitions = record_transitions;

    s->artifact.tenant = 5;
    s->artifact.size = 123456789;
    s->artifact.published = 1770000000;
    s->artifact.prefetch = 1;
    s->artifact.name = fota_cstr("dashcam-1.1.img");
}


static inline void
record_open(record_set_t *s)
{
    int              i;
    static uint8_t   bytes[32] = { 1, 2, 3 };
    record_t        *r;

    memset(s, 0, sizeof(record_set_t));

    filter_open(&s->filter);
    s->code = filter_code(&s->filter, "attr.hw=ge=3 and version=lt=1.1", NULL);
    record_values(s);

    r = s->records;

    for (i = 0; i < FOTA_T__N; i++) {
        r[i].table = (fota_table_e) i;
        fota_buf_grow(&r[i].value, FOTA_VALUE_MAX + 2);
    }

    r[FOTA_T_TENANT].nkey = fota_key_name(r[FOTA_T_TENANT].key,
                                          fota_cstr("demo"));
    r[FOTA_T_PRODUCT].nkey = fota_key_product(r[FOTA_T_PRODUCT].key, 5,
                                              s->product.name);
    r[FOTA_T_DEVICE].nkey = fota_key_device(r[FOTA_T_DEVICE].key, 5,
                                            fota_cstr("cam-1"));
    r[FOTA_T_NODE].nkey = fota_key_u32(r[FOTA_T_NODE].key, 9);
    r[FOTA_T_KEY].nkey = fota_key_key(r[FOTA_T_KEY].key, FOTA_KEY_DOWNLOAD, 2,
                                      7);
    r[FOTA_T_DENY].nkey = fota_key_deny(r[FOTA_T_DENY].key, FOTA_DENY_DEVICE,
                                        bytes);
    r[FOTA_T_GEOPREFIX].nkey = fota_key_prefix(r[FOTA_T_GEOPREFIX].key, bytes,
                                               104);
    r[FOTA_T_ZONE].nkey = fota_key_name(r[FOTA_T_ZONE].key, s->zone.name);
    memcpy(r[FOTA_T_ARTIFACT].key, bytes, 32);
    r[FOTA_T_ARTIFACT].nkey = 32;

    (void) fota_tenant_encode(&s->tenant, &r[FOTA_T_TENANT].value);
    (void) fota_product_encode(&s->product, &r[FOTA_T_PRODUCT].value);
    (void) fota_device_encode(&s->device, &r[FOTA_T_DEVICE].value);
    (void) fota_node_encode(&s->node, &r[FOTA_T_NODE].value);
    (void) fota_key_encode(&s->key, &r[FOTA_T_KEY].value);
    (void) fota_deny_encode(&s->deny, &r[FOTA_T_DENY].value);
    (void) fota_geoprefix_encode(&s->prefix, &r[FOTA_T_GEOPREFIX].value);
    (void) fota_zone_encode(&s->zone, &r[FOTA_T_ZONE].value);
    (void) fota_artifact_info_encode(&s->artifact, &r[FOTA_T_ARTIFACT].value);
}


static inline void
record_close(record_set_t *s)
{
    int  i;

    for (i = 0; i < FOTA_T__N; i++) {
        fota_buf_free(&s->records[i].value);
    }

    filter_close(&s->filter);
}


#endif /* FOTA_SUPPORT_RECORD_H */
