/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_encode.h"
#include "fota_record_field.h"


static const char *const  fota_table_names[] = {
    "meta", "tenant", "product", "device", "node", "key", "deny",
    "geoprefix", "zone", "artifact"
};


static const char *const  fota_kind_names[] = { "os", "app", "data" };


const char *
fota_table_name(fota_table_e t)
{
    return ((unsigned) t < FOTA_T__N) ? fota_table_names[t] : "unknown";
}


const char *
fota_kind_name(uint8_t kind)
{
    return (kind < FOTA_KIND__N) ? fota_kind_names[kind] : "unknown";
}


int
fota_kind_parse(fota_str_t s)
{
    int  i;

    for (i = 0; i < FOTA_KIND__N; i++) {
        if (fota_str_eq(s, fota_cstr(fota_kind_names[i]))) {
            return i;
        }
    }

    return -1;
}


static size_t
fota_key_scoped(uint8_t *out, uint32_t tenant, fota_str_t name, size_t max)
{
    if (name.len == 0 || name.len > max) {
        return 0;
    }

    fota_put_be32(out, tenant);
    memcpy(out + 4, name.data, name.len);

    return 4 + name.len;
}


size_t
fota_key_name(uint8_t *out, fota_str_t name)
{
    if (name.len == 0 || name.len > FOTA_NAME_MAX) {
        return 0;
    }

    memcpy(out, name.data, name.len);

    return name.len;
}


size_t
fota_key_product(uint8_t *out, uint32_t tenant, fota_str_t name)
{
    return fota_key_scoped(out, tenant, name, FOTA_NAME_MAX);
}


size_t
fota_key_device(uint8_t *out, uint32_t tenant, fota_str_t device)
{
    return fota_key_scoped(out, tenant, device, FOTA_ID_MAX);
}


size_t
fota_key_u32(uint8_t *out, uint32_t id)
{
    fota_put_be32(out, id);

    return 4;
}


size_t
fota_key_key(uint8_t *out, uint8_t kind, uint32_t scope, uint16_t kid)
{
    out[0] = kind;
    fota_put_be32(out + 1, scope);
    fota_put_be16(out + 5, kid);

    return 7;
}


size_t
fota_key_deny(uint8_t *out, uint8_t kind, const uint8_t id[8])
{
    out[0] = kind;
    memcpy(out + 1, id, 8);

    return 9;
}


size_t
fota_key_prefix(uint8_t *out, const uint8_t addr[16], uint8_t plen)
{
    memcpy(out, addr, 16);
    out[16] = plen;

    return 17;
}


/* Does the key have the form of its table? */

static bool
fota_key_check(fota_table_e table, fota_str_t key)
{
    const uint8_t  *p;

    p = key.data;

    switch (table) {

    case FOTA_T_TENANT:
    case FOTA_T_ZONE:
        return key.len >= 1 && key.len <= FOTA_NAME_MAX;

    case FOTA_T_PRODUCT:
        return key.len >= 5 && key.len <= 4 + FOTA_NAME_MAX;

    case FOTA_T_DEVICE:
        return key.len >= 5 && key.len <= 4 + FOTA_ID_MAX;

    case FOTA_T_NODE:
        return key.len == 4;

    case FOTA_T_KEY:
        return key.len == 7 && p[0] >= FOTA_KEY_DOWNLOAD
               && p[0] <= FOTA_KEY_OPERATOR;

    case FOTA_T_DENY:
        return key.len == 9 && p[0] >= FOTA_DENY_DEPLOYMENT
               && p[0] <= FOTA_DENY_DEVICE;

    case FOTA_T_GEOPREFIX:
        return key.len == 17 && p[16] <= 128;

    case FOTA_T_ARTIFACT:
        return key.len == 32;

    default:
        return false;
    }
}


/* Decodes and holds against its key what the record repeats of it. */

static int
fota_product_check(fota_mem_t *mem, fota_str_t key, fota_str_t value)
{
    int             rc;
    fota_product_t  v;

    rc = fota_product_decode(mem, value, &v);

    if (rc == FOTA_OK
        && (fota_get_be32(key.data) != v.tenant
            || !fota_str_eq(fota_slice(key.data + 4, key.len - 4), v.name)))
    {
        return FOTA_CORRUPT;
    }

    return rc;
}


static int
fota_node_check(fota_mem_t *mem, fota_str_t key, fota_str_t value)
{
    int          rc;
    fota_node_t  v;

    rc = fota_node_decode(mem, value, &v);

    if (rc == FOTA_OK && fota_get_be32(key.data) != v.id) {
        return FOTA_CORRUPT;
    }

    return rc;
}


static int
fota_zone_check(fota_mem_t *mem, fota_str_t key, fota_str_t value)
{
    int          rc;
    fota_zone_t  v;

    rc = fota_zone_decode(mem, value, &v);

    if (rc == FOTA_OK && !fota_str_eq(key, v.name)) {
        return FOTA_CORRUPT;
    }

    return rc;
}


int
fota_record_check(fota_mem_t *mem, fota_table_e table, fota_str_t key,
    fota_str_t value)
{
    union {
        fota_tenant_t         tenant;
        fota_device_t         device;
        fota_key_t            key;
        fota_deny_t           deny;
        fota_geoprefix_t      prefix;
        fota_artifact_info_t  artifact;
    } v;

    /* META never travels, and tables of the future are not ours to judge. */

    if (table <= FOTA_T_META || table >= FOTA_T__N) {
        return FOTA_INVALID;
    }

    if (!fota_key_check(table, key)) {
        return FOTA_CORRUPT;
    }

    switch (table) {

    case FOTA_T_TENANT:
        return fota_tenant_decode(mem, value, &v.tenant);

    case FOTA_T_PRODUCT:
        return fota_product_check(mem, key, value);

    case FOTA_T_DEVICE:
        return fota_device_decode(mem, value, &v.device);

    case FOTA_T_NODE:
        return fota_node_check(mem, key, value);

    case FOTA_T_KEY:
        return fota_key_decode(value, &v.key);

    case FOTA_T_DENY:
        return fota_deny_decode(value, &v.deny);

    case FOTA_T_GEOPREFIX:
        return fota_geoprefix_decode(value, &v.prefix);

    case FOTA_T_ZONE:
        return fota_zone_check(mem, key, value);

    default: /* FOTA_T_ARTIFACT */
        return fota_artifact_info_decode(value, &v.artifact);
    }
}
