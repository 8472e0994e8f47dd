/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_policy.h"


/*
 * The input is a record; its first byte names the table.  What is taken must
 * survive use, and must be written again as a record that is taken.
 */


static const fota_location_t  fuzz_nowhere;


static const fota_location_t *
fuzz_locate(fota_facts_t *f)
{
    return &fuzz_nowhere;
}


static const fota_zone_t *
fuzz_zone(fota_policy_env_t *env, fota_str_t name)
{
    return NULL;
}


static void
fuzz_decide(fota_mem_t *mem, const fota_product_t *p)
{
    size_t                i;
    fota_facts_t          facts;
    fota_decision_t       d;
    fota_policy_env_t     env;
    fota_policy_input_t   in;

    static const char *const  versions[] = { "", "1.0", "1.1", "zzz" };

    memset(&env, 0, sizeof(env));
    memset(&facts, 0, sizeof(facts));
    memset(&in, 0, sizeof(in));

    env.zone = fuzz_zone;
    facts.id = fota_cstr("dev");
    facts.locate = fuzz_locate;
    in.product = p;
    in.facts = &facts;
    in.now = 1773144000;

    for (i = 0; i < 12; i++) {
        facts.version = fota_cstr(versions[i % 4]);
        in.kind = (uint8_t) (i / 4);

        if (fota_policy_decide(mem, &env, &in, &d) != FOTA_OK) {
            abort();
        }

        if (d.reason == FOTA_R_OFFER
            && (d.path.artifact == NULL || d.path.step >= p->nfirmware
                || p->firmware[d.path.step].withdrawn))
        {
            abort();
        }
    }
}


static void
fuzz_product(fota_mem_t *mem, fota_str_t in, fota_buf_t *out)
{
    fota_product_t  p;

    if (fota_product_decode(mem, in, &p) == FOTA_OK) {
        fuzz_decide(mem, &p);

        if (fota_product_encode(&p, out) != FOTA_OK
            || !fota_str_eq(fota_buf_slice(out), in))
        {
            abort();
        }
    }
}


#define fuzz_round(decoded, encode)                                          \
    if ((decoded) == FOTA_OK) {                                              \
        if (encode != FOTA_OK || !fota_str_eq(fota_buf_slice(out), in)) {    \
            abort();                                                         \
        }                                                                    \
    }


static void
fuzz_others(fota_mem_t *mem, fota_str_t in, fota_buf_t *out)
{
    fota_key_t            k;
    fota_deny_t           y;
    fota_node_t           n;
    fota_device_t         d;
    fota_tenant_t         t;
    fota_artifact_info_t  a;

    switch (in.data[0]) {

    case FOTA_T_TENANT:
        fuzz_round(fota_tenant_decode(mem, in, &t),
                   fota_tenant_encode(&t, out));
        break;

    case FOTA_T_DEVICE:
        fuzz_round(fota_device_decode(mem, in, &d),
                   fota_device_encode(&d, out));
        break;

    case FOTA_T_NODE:
        fuzz_round(fota_node_decode(mem, in, &n), fota_node_encode(&n, out));
        break;

    case FOTA_T_KEY:
        fuzz_round(fota_key_decode(in, &k), fota_key_encode(&k, out));
        break;

    case FOTA_T_DENY:
        fuzz_round(fota_deny_decode(in, &y), fota_deny_encode(&y, out));
        break;

    case FOTA_T_ARTIFACT:
        fuzz_round(fota_artifact_info_decode(in, &a),
                   fota_artifact_info_encode(&a, out));
        break;

    default:
        break;
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        nkey;
    uint8_t       key[FOTA_KEY_MAX] = { FOTA_KEY_DOWNLOAD };
    fota_str_t    in;
    fota_buf_t    out;
    fota_arena_t  arena;

    static const uint8_t  keys[FOTA_T__N] = {
        1, 4, 11, 9, 4, 7, 9, 17, 13, 32
    };

    if (size == 0) {
        return 0;
    }

    fota_arena_init(&arena, 64 << 20);
    fota_buf_grow(&out, FOTA_VALUE_MAX);

    in = fota_slice(data, size);
    nkey = (data[0] < FOTA_T__N) ? keys[data[0]] : 1;

    (void) fota_record_check(&arena.mem, (fota_table_e) data[0],
                             fota_slice(key, nkey), in);

    if (data[0] == FOTA_T_PRODUCT) {
        fuzz_product(&arena.mem, in, &out);

    } else {
        fuzz_others(&arena.mem, in, &out);
    }

    fota_buf_free(&out);
    fota_arena_free(&arena);

    return 0;
}
