/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The records other than products: small, and one after the other. */

#include "fota_record_field.h"


#define FOTA_AUTH_ALL      0x0f
#define FOTA_TOKEN_F_ALL   0x0f
#define FOTA_FAMILY_ALL    0x03
#define FOTA_GATEWAYS_MAX  4


int
fota_tenant_encode(const fota_tenant_t *v, fota_buf_t *out)
{
    uint16_t    i;
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_TENANT);

    if ((v->auth & ~FOTA_AUTH_ALL) != 0
        || (v->token_flags & ~FOTA_TOKEN_F_ALL) != 0
        || v->ip4_plen > 32 || v->ip6_plen > 128)
    {
        fota_enc_fail(&e, FOTA_INVALID);
    }

    fota_buf_u32(out, v->id);
    fota_buf_u8(out, v->auth);
    fota_enc_enum(&e, v->brake, FOTA_BRAKE_CUT + 1);
    fota_buf_u8(out, v->token_flags);
    fota_buf_u8(out, v->ip4_plen);
    fota_buf_u8(out, v->ip6_plen);

    if (v->ngateway > FOTA_GATEWAYS_MAX) {
        fota_enc_fail(&e, FOTA_LIMIT);

    } else {
        fota_buf_u8(out, v->ngateway);
        fota_buf_put(out, v->gateway, (size_t) v->ngateway * 32);
    }

    fota_enc_names(&e, v->issuers, v->nissuers, FOTA_ISSUERS_MAX, FOTA_DN_MAX);

    fota_enc_count(&e, v->ndefaults, FOTA_DEFAULTS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->ndefaults; i++) {
        fota_enc_chars(&e, v->defaults[i].country,
                       sizeof(v->defaults[i].country));
        fota_buf_u32(out, v->defaults[i].node);
    }

    fota_buf_put(out, v->signer, sizeof(v->signer));

    return fota_enc_end(&e);
}


int
fota_tenant_decode(fota_mem_t *mem, fota_str_t in, fota_tenant_t *v)
{
    uint16_t   i;
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_tenant_t));

    fota_dec_begin(&rd, in, FOTA_T_TENANT);

    v->id = fota_rd_u32(&rd);
    v->auth = fota_dec_bits(&rd, FOTA_AUTH_ALL);
    v->brake = fota_dec_enum(&rd, FOTA_BRAKE_CUT + 1);
    v->token_flags = fota_dec_bits(&rd, FOTA_TOKEN_F_ALL);
    v->ip4_plen = fota_dec_enum(&rd, 32 + 1);
    v->ip6_plen = fota_dec_enum(&rd, 128 + 1);
    v->ngateway = fota_dec_enum(&rd, FOTA_GATEWAYS_MAX + 1);

    fota_dec_copy(&rd, v->gateway, (size_t) v->ngateway * 32);

    v->nissuers = fota_dec_names(&rd, mem, FOTA_ISSUERS_MAX, FOTA_DN_MAX,
                                 &v->issuers);

    v->ndefaults = fota_dec_array(&rd, mem, FOTA_DEFAULTS_MAX, 6,
                                  sizeof(fota_default_node_t), &v->defaults);

    for (i = 0; i < v->ndefaults; i++) {
        fota_dec_chars(&rd, v->defaults[i].country,
                       sizeof(v->defaults[i].country));
        v->defaults[i].node = fota_rd_u32(&rd);
    }

    fota_dec_copy(&rd, v->signer, sizeof(v->signer));

    return fota_dec_end(&rd);
}


int
fota_device_encode(const fota_device_t *v, fota_buf_t *out)
{
    uint16_t    i;
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_DEVICE);

    fota_buf_u8(out, (uint8_t) (v->blocked | v->test << 1
                                | v->has_token << 2));

    if (v->has_token) {
        fota_buf_put(out, v->token, sizeof(v->token));
    }

    fota_enc_str(&e, v->pin, FOTA_VERSION_MAX);

    fota_enc_count(&e, v->ngroups, FOTA_DEVICE_GROUPS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->ngroups; i++) {
        if (i != 0 && v->groups[i] <= v->groups[i - 1]) {
            fota_enc_fail(&e, FOTA_INVALID);
        }

        fota_buf_u32(out, v->groups[i]);
    }

    fota_enc_count(&e, v->nattrs, FOTA_ATTRS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nattrs; i++) {
        fota_enc_name(&e, v->attrs[i].name, FOTA_ATTR_NAME_MAX);
        fota_enc_str(&e, v->attrs[i].value, FOTA_ATTR_VALUE_MAX);
    }

    fota_enc_count(&e, v->nattempts, FOTA_DEVICE_ATTEMPTS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nattempts; i++) {
        fota_buf_u32(out, v->attempts[i].rollout);
        fota_buf_u16(out, v->attempts[i].attempts);
        fota_enc_enum(&e, v->attempts[i].delta_failed, 2);
    }

    return fota_enc_end(&e);
}


int
fota_device_decode(fota_mem_t *mem, fota_str_t in, fota_device_t *v)
{
    uint8_t    flags;
    uint16_t   i;
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_device_t));

    fota_dec_begin(&rd, in, FOTA_T_DEVICE);

    flags = fota_dec_bits(&rd, 0x07);

    v->blocked = flags & 1;
    v->test = (flags >> 1) & 1;
    v->has_token = (flags >> 2) & 1;

    if (v->has_token) {
        fota_dec_copy(&rd, v->token, sizeof(v->token));
    }

    v->pin = fota_rd_lstr(&rd, FOTA_VERSION_MAX);

    v->ngroups = fota_dec_array(&rd, mem, FOTA_DEVICE_GROUPS_MAX, 4,
                                sizeof(uint32_t), &v->groups);

    for (i = 0; i < v->ngroups; i++) {
        v->groups[i] = fota_rd_u32(&rd);

        /* Members are looked up by halves. */

        if (i != 0 && v->groups[i] <= v->groups[i - 1]) {
            fota_rd_fail(&rd, FOTA_CORRUPT);
        }
    }

    v->nattrs = fota_dec_array(&rd, mem, FOTA_ATTRS_MAX, 5,
                               sizeof(fota_attr_t), &v->attrs);

    for (i = 0; i < v->nattrs; i++) {
        v->attrs[i].name = fota_dec_name(&rd, FOTA_ATTR_NAME_MAX);
        v->attrs[i].value = fota_rd_lstr(&rd, FOTA_ATTR_VALUE_MAX);
    }

    v->nattempts = fota_dec_array(&rd, mem, FOTA_DEVICE_ATTEMPTS_MAX, 7,
                                  sizeof(fota_attempt_t), &v->attempts);

    for (i = 0; i < v->nattempts; i++) {
        v->attempts[i].rollout = fota_rd_u32(&rd);
        v->attempts[i].attempts = fota_rd_u16(&rd);
        v->attempts[i].delta_failed = fota_dec_enum(&rd, 2);
    }

    return fota_dec_end(&rd);
}


int
fota_node_encode(const fota_node_t *v, fota_buf_t *out)
{
    uint16_t    i;
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_NODE);

    if ((v->families & ~FOTA_FAMILY_ALL) != 0) {
        fota_enc_fail(&e, FOTA_INVALID);
    }

    fota_buf_u32(out, v->id);
    fota_buf_u16(out, v->group);
    fota_enc_enum(&e, v->state, FOTA_NODE_DOWN + 1);
    fota_buf_u8(out, v->families);
    fota_enc_enum(&e, v->scope, FOTA_SCOPE_PREFIX + 1);
    fota_buf_u8(out, v->load);
    fota_enc_enum(&e, v->health, 100 + 1);
    fota_buf_u32(out, v->weight);
    fota_buf_u32(out, v->cap_mbps);
    fota_buf_u64(out, v->as_of);
    fota_enc_double(&e, v->lat, 90);
    fota_enc_double(&e, v->lon, 180);
    fota_enc_chars(&e, v->country, sizeof(v->country));
    fota_enc_chars(&e, v->continent, sizeof(v->continent));
    fota_enc_name(&e, v->name, FOTA_NAME_MAX);
    fota_enc_str(&e, v->site, FOTA_NAME_MAX);
    fota_enc_name(&e, v->url, FOTA_TEXT_MAX);

    fota_enc_count(&e, v->nasns, FOTA_NODE_LIST_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nasns; i++) {
        fota_buf_u32(out, v->asns[i]);
    }

    fota_enc_count(&e, v->ntenants, FOTA_NODE_LIST_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->ntenants; i++) {
        fota_buf_u32(out, v->tenants[i]);
    }

    fota_enc_names(&e, v->excluded, v->nexcluded, FOTA_NODE_LIST_MAX,
                   FOTA_NAME_MAX);

    return fota_enc_end(&e);
}


int
fota_node_decode(fota_mem_t *mem, fota_str_t in, fota_node_t *v)
{
    uint16_t   i;
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_node_t));

    fota_dec_begin(&rd, in, FOTA_T_NODE);

    v->id = fota_rd_u32(&rd);
    v->group = fota_rd_u16(&rd);
    v->state = fota_dec_enum(&rd, FOTA_NODE_DOWN + 1);
    v->families = fota_dec_bits(&rd, FOTA_FAMILY_ALL);
    v->scope = fota_dec_enum(&rd, FOTA_SCOPE_PREFIX + 1);
    v->load = fota_rd_u8(&rd);
    v->health = fota_dec_enum(&rd, 100 + 1);
    v->weight = fota_rd_u32(&rd);
    v->cap_mbps = fota_rd_u32(&rd);
    v->as_of = fota_rd_u64(&rd);
    v->lat = fota_dec_double(&rd, 90);
    v->lon = fota_dec_double(&rd, 180);
    fota_dec_chars(&rd, v->country, sizeof(v->country));
    fota_dec_chars(&rd, v->continent, sizeof(v->continent));
    v->name = fota_dec_name(&rd, FOTA_NAME_MAX);
    v->site = fota_rd_lstr(&rd, FOTA_NAME_MAX);
    v->url = fota_dec_name(&rd, FOTA_TEXT_MAX);

    v->nasns = fota_dec_array(&rd, mem, FOTA_NODE_LIST_MAX, 4,
                              sizeof(uint32_t), &v->asns);

    for (i = 0; i < v->nasns; i++) {
        v->asns[i] = fota_rd_u32(&rd);
    }

    v->ntenants = fota_dec_array(&rd, mem, FOTA_NODE_LIST_MAX, 4,
                                 sizeof(uint32_t), &v->tenants);

    for (i = 0; i < v->ntenants; i++) {
        v->tenants[i] = fota_rd_u32(&rd);
    }

    v->nexcluded = fota_dec_names(&rd, mem, FOTA_NODE_LIST_MAX, FOTA_NAME_MAX,
                                  &v->excluded);

    return fota_dec_end(&rd);
}


#define FOTA_SECRET_LEN   32
#define FOTA_WRAPPED_LEN  60


int
fota_key_encode(const fota_key_t *v, fota_buf_t *out)
{
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_KEY);

    fota_enc_enum(&e, v->state, FOTA_KEY_PREVIOUS + 1);
    fota_enc_enum(&e, v->wrapped, 2);
    fota_buf_u32(out, v->wrap_scope);
    fota_buf_u32(out, v->created);

    if (v->secret.len != (v->wrapped ? FOTA_WRAPPED_LEN : FOTA_SECRET_LEN)) {
        fota_enc_fail(&e, FOTA_INVALID);
    }

    fota_enc_str(&e, v->secret, FOTA_WRAPPED_LEN);

    return fota_enc_end(&e);
}


int
fota_key_decode(fota_str_t in, fota_key_t *v)
{
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_key_t));

    fota_dec_begin(&rd, in, FOTA_T_KEY);

    v->state = fota_dec_enum(&rd, FOTA_KEY_PREVIOUS + 1);
    v->wrapped = fota_dec_enum(&rd, 2);
    v->wrap_scope = fota_rd_u32(&rd);
    v->created = fota_rd_u32(&rd);
    v->secret = fota_rd_lstr(&rd, FOTA_WRAPPED_LEN);

    if (v->secret.len != (v->wrapped ? FOTA_WRAPPED_LEN : FOTA_SECRET_LEN)) {
        fota_rd_fail(&rd, FOTA_CORRUPT);
    }

    return fota_dec_end(&rd);
}


int
fota_deny_encode(const fota_deny_t *v, fota_buf_t *out)
{
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_DENY);

    fota_buf_u32(out, v->not_before);
    fota_enc_enum(&e, v->cut, 2);

    return fota_enc_end(&e);
}


int
fota_deny_decode(fota_str_t in, fota_deny_t *v)
{
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_deny_t));

    fota_dec_begin(&rd, in, FOTA_T_DENY);

    v->not_before = fota_rd_u32(&rd);
    v->cut = fota_dec_enum(&rd, 2);

    return fota_dec_end(&rd);
}


int
fota_geoprefix_encode(const fota_geoprefix_t *v, fota_buf_t *out)
{
    fota_enc_t              e;
    const fota_location_t  *l;

    l = &v->location;

    fota_enc_begin(&e, out, FOTA_T_GEOPREFIX);

    fota_buf_u8(out, (uint8_t) (v->has_location | l->has_position << 1
                                | l->centroid << 2));
    fota_buf_u32(out, v->node_group);

    if (v->has_location) {
        fota_enc_chars(&e, l->country, sizeof(l->country));
        fota_enc_chars(&e, l->continent, sizeof(l->continent));
        fota_enc_chars(&e, l->region_code, sizeof(l->region_code));
        fota_enc_chars(&e, l->region, sizeof(l->region));
        fota_enc_chars(&e, l->city, sizeof(l->city));
        fota_enc_chars(&e, l->tz, sizeof(l->tz));
        fota_buf_u32(out, l->region_id);
        fota_buf_u32(out, l->city_id);
        fota_buf_u32(out, l->asn);
        fota_enc_double(&e, l->lat, 90);
        fota_enc_double(&e, l->lon, 180);
    }

    return fota_enc_end(&e);
}


int
fota_geoprefix_decode(fota_str_t in, fota_geoprefix_t *v)
{
    uint8_t           flags;
    fota_rd_t         rd;
    fota_location_t  *l;

    memset(v, 0, sizeof(fota_geoprefix_t));

    l = &v->location;

    fota_dec_begin(&rd, in, FOTA_T_GEOPREFIX);

    flags = fota_dec_bits(&rd, 0x07);

    v->has_location = flags & 1;
    v->node_group = fota_rd_u32(&rd);

    if (v->has_location) {
        l->source = FOTA_GEO_PREFIX;
        l->has_position = (flags >> 1) & 1;
        l->centroid = (flags >> 2) & 1;

        fota_dec_chars(&rd, l->country, sizeof(l->country));
        fota_dec_chars(&rd, l->continent, sizeof(l->continent));
        fota_dec_chars(&rd, l->region_code, sizeof(l->region_code));
        fota_dec_chars(&rd, l->region, sizeof(l->region));
        fota_dec_chars(&rd, l->city, sizeof(l->city));
        fota_dec_chars(&rd, l->tz, sizeof(l->tz));
        l->region_id = fota_rd_u32(&rd);
        l->city_id = fota_rd_u32(&rd);
        l->asn = fota_rd_u32(&rd);
        l->lat = fota_dec_double(&rd, 90);
        l->lon = fota_dec_double(&rd, 180);
    }

    return fota_dec_end(&rd);
}


int
fota_artifact_info_encode(const fota_artifact_info_t *v, fota_buf_t *out)
{
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_ARTIFACT);

    fota_buf_u32(out, v->tenant);
    fota_buf_u64(out, v->size);
    fota_buf_u64(out, v->published);
    fota_enc_enum(&e, v->prefetch, 2);
    fota_enc_str(&e, v->name, FOTA_TEXT_MAX);

    return fota_enc_end(&e);
}


int
fota_artifact_info_decode(fota_str_t in, fota_artifact_info_t *v)
{
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_artifact_info_t));

    fota_dec_begin(&rd, in, FOTA_T_ARTIFACT);

    v->tenant = fota_rd_u32(&rd);
    v->size = fota_rd_u64(&rd);
    v->published = fota_rd_u64(&rd);
    v->prefetch = fota_dec_enum(&rd, 2);
    v->name = fota_rd_lstr(&rd, FOTA_TEXT_MAX);

    return fota_dec_end(&rd);
}
