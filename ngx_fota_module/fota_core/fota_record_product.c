/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* The product record: all that is needed to decide for its devices. */

#include "fota_record_field.h"


/* The least an element takes, see fota_dec_array(). */

#define FOTA_FIRMWARE_MIN  9
#define FOTA_ARTIFACT_MIN  120
#define FOTA_ROLLOUT_MIN   95

#define FOTA_FW_MUST_PASS  0x01
#define FOTA_FW_WITHDRAWN  0x02

#define FOTA_RF_DOWNGRADE    0x01
#define FOTA_RF_GEO_UNKNOWN  0x02
#define FOTA_RF_FRESH        0x04
#define FOTA_RF_TEST_ONLY    0x08

#define FOTA_STAGE_ALL     10000
#define FOTA_DAYS_ALL      0x7f
#define FOTA_PERMILLE_ALL  1000


static bool fota_rollout_valid(const fota_product_t *p,
    const fota_rollout_t *r);
static void fota_firmware_encode(fota_enc_t *e, const fota_firmware_t *v);
static void fota_artifact_encode(fota_enc_t *e, const fota_artifact_t *v);
static void fota_rollout_encode(fota_enc_t *e, const fota_rollout_t *v);
static void fota_firmware_decode(fota_rd_t *rd, fota_firmware_t *v);
static void fota_artifact_decode(fota_rd_t *rd, fota_artifact_t *v);
static void fota_rollout_decode(fota_rd_t *rd, fota_mem_t *mem,
    fota_rollout_t *v);


/*
 * What lists say of each other; single fields are checked by themselves.
 * Firmware and artifacts are held against each other by fota_product_index().
 */

static bool
fota_rollout_valid(const fota_product_t *p, const fota_rollout_t *r)
{
    uint16_t              i;
    const fota_window_t  *w;

    if (r->target != FOTA_NONE
        && (r->target >= p->nfirmware
            || p->firmware[r->target].kind != r->kind))
    {
        return false;
    }

    if (r->reached > FOTA_STAGE_ALL || r->error_permille > FOTA_PERMILLE_ALL) {
        return false;
    }

    for (i = 0; i < r->nwindows; i++) {
        w = &r->windows[i];

        if (w->days == 0 || (w->days & ~FOTA_DAYS_ALL) != 0
            || w->from >= 24 * 60 || w->to > 24 * 60)
        {
            return false;
        }
    }

    return true;
}


int
fota_product_encode(const fota_product_t *v, fota_buf_t *out)
{
    uint16_t    i;
    fota_enc_t  e;

    fota_enc_begin(&e, out, FOTA_T_PRODUCT);

    fota_buf_u32(out, v->tenant);
    fota_buf_u32(out, v->id);
    fota_enc_enum(&e, v->brake, FOTA_BRAKE_CUT + 1);
    fota_buf_u32(out, v->poll);
    fota_buf_u32(out, v->retry_min);
    fota_buf_u32(out, v->retry_max);
    fota_buf_u16(out, v->retry_count);
    fota_enc_name(&e, v->name, FOTA_NAME_MAX);
    fota_enc_str(&e, v->install_window, FOTA_TEXT_MAX);

    fota_enc_count(&e, v->nfirmware, FOTA_FIRMWARE_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nfirmware; i++) {
        if (i != 0 && v->firmware[i].kind < v->firmware[i - 1].kind) {
            fota_enc_fail(&e, FOTA_INVALID);
        }

        fota_firmware_encode(&e, &v->firmware[i]);
    }

    fota_enc_count(&e, v->nartifacts, FOTA_ARTIFACTS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nartifacts; i++) {
        if (!fota_artifact_valid(v, &v->artifacts[i])) {
            fota_enc_fail(&e, FOTA_INVALID);
        }

        fota_artifact_encode(&e, &v->artifacts[i]);
    }

    fota_enc_count(&e, v->nrollouts, FOTA_ROLLOUTS_MAX);

    for (i = 0; e.status == FOTA_OK && i < v->nrollouts; i++) {
        if (!fota_rollout_valid(v, &v->rollouts[i])) {
            fota_enc_fail(&e, FOTA_INVALID);
        }

        fota_rollout_encode(&e, &v->rollouts[i]);
    }

    return fota_enc_end(&e);
}


static void
fota_firmware_encode(fota_enc_t *e, const fota_firmware_t *v)
{
    uint8_t  flags;

    flags = (v->must_pass ? FOTA_FW_MUST_PASS : 0)
            | (v->withdrawn ? FOTA_FW_WITHDRAWN : 0);

    fota_buf_u32(e->out, v->id);
    fota_enc_enum(e, v->kind, FOTA_KIND__N);
    fota_buf_u8(e->out, flags);
    fota_enc_name(e, v->version, FOTA_VERSION_MAX);
}


static void
fota_artifact_encode(fota_enc_t *e, const fota_artifact_t *v)
{
    fota_buf_u32(e->out, v->id);
    fota_buf_put(e->out, v->sha256, sizeof(v->sha256));
    fota_buf_u64(e->out, v->size);
    fota_buf_u16(e->out, v->from);
    fota_buf_u16(e->out, v->to);
    fota_buf_u16(e->out, v->kid);
    fota_buf_put(e->out, v->sig, sizeof(v->sig));
    fota_enc_str(e, v->format, FOTA_FORMAT_MAX);
    fota_enc_str(e, v->name, FOTA_TEXT_MAX);
    fota_enc_code(e, v->requires);
}


static void
fota_rollout_encode(fota_enc_t *e, const fota_rollout_t *v)
{
    uint8_t      flags;
    uint16_t     i;
    fota_buf_t  *out;

    out = e->out;

    flags = (v->allow_downgrade ? FOTA_RF_DOWNGRADE : 0)
            | (v->geo_unknown_allow ? FOTA_RF_GEO_UNKNOWN : 0)
            | (v->require_fresh ? FOTA_RF_FRESH : 0)
            | (v->test_only ? FOTA_RF_TEST_ONLY : 0);

    fota_buf_u32(out, v->id);
    fota_enc_enum(e, v->state, FOTA_ROLLOUT__N);
    fota_enc_enum(e, v->brake, FOTA_BRAKE_CUT + 1);
    fota_enc_enum(e, v->kind, FOTA_KIND__N);
    fota_enc_enum(e, v->strategy, FOTA_PATH__N);
    fota_enc_enum(e, v->time_mode, FOTA_TIME_ZONE + 1);
    fota_buf_u8(out, v->rate_class);
    fota_buf_u8(out, flags);
    fota_buf_u32(out, (uint32_t) v->weight);
    fota_buf_u64(out, v->created);
    fota_buf_u64(out, v->salt);
    fota_buf_u16(out, v->target);
    fota_buf_u16(out, v->reached);
    fota_buf_u16(out, v->max_attempts);
    fota_buf_u16(out, v->dispersion);
    fota_buf_u32(out, v->token_ttl);
    fota_buf_u64(out, (uint64_t) v->start);
    fota_buf_u64(out, (uint64_t) v->end);
    fota_buf_u32(out, v->test_group);
    fota_buf_u32(out, v->max_active);
    fota_buf_u64(out, v->max_bps);
    fota_buf_u16(out, v->error_permille);
    fota_buf_u32(out, v->error_min);
    fota_enc_str(e, v->name, FOTA_NAME_MAX);
    fota_enc_str(e, v->zone, FOTA_NAME_MAX);
    fota_enc_code(e, v->filter);

    fota_enc_names(e, v->include, v->ninclude, FOTA_SCOPES_MAX,
                   FOTA_SCOPE_LEN_MAX);

    fota_enc_names(e, v->exclude, v->nexclude, FOTA_SCOPES_MAX,
                   FOTA_SCOPE_LEN_MAX);

    fota_enc_count(e, v->nwindows, FOTA_WINDOWS_MAX);

    for (i = 0; e->status == FOTA_OK && i < v->nwindows; i++) {
        fota_buf_u8(out, v->windows[i].days);
        fota_buf_u16(out, v->windows[i].from);
        fota_buf_u16(out, v->windows[i].to);
    }

    fota_enc_names(e, v->sources, v->nsources, FOTA_SOURCES_MAX,
                   FOTA_VERSION_MAX);
}


int
fota_product_decode(fota_mem_t *mem, fota_str_t in, fota_product_t *v)
{
    int        rc;
    uint16_t   i;
    fota_rd_t  rd;

    memset(v, 0, sizeof(fota_product_t));

    fota_dec_begin(&rd, in, FOTA_T_PRODUCT);

    v->tenant = fota_rd_u32(&rd);
    v->id = fota_rd_u32(&rd);
    v->brake = fota_dec_enum(&rd, FOTA_BRAKE_CUT + 1);
    v->poll = fota_rd_u32(&rd);
    v->retry_min = fota_rd_u32(&rd);
    v->retry_max = fota_rd_u32(&rd);
    v->retry_count = fota_rd_u16(&rd);
    v->name = fota_dec_name(&rd, FOTA_NAME_MAX);
    v->install_window = fota_rd_lstr(&rd, FOTA_TEXT_MAX);

    v->nfirmware = fota_dec_array(&rd, mem, FOTA_FIRMWARE_MAX,
                                  FOTA_FIRMWARE_MIN, sizeof(fota_firmware_t),
                                  &v->firmware);

    for (i = 0; i < v->nfirmware; i++) {
        fota_firmware_decode(&rd, &v->firmware[i]);
    }

    v->nartifacts = fota_dec_array(&rd, mem, FOTA_ARTIFACTS_MAX,
                                   FOTA_ARTIFACT_MIN, sizeof(fota_artifact_t),
                                   &v->artifacts);

    for (i = 0; i < v->nartifacts; i++) {
        fota_artifact_decode(&rd, &v->artifacts[i]);
    }

    v->nrollouts = fota_dec_array(&rd, mem, FOTA_ROLLOUTS_MAX,
                                  FOTA_ROLLOUT_MIN, sizeof(fota_rollout_t),
                                  &v->rollouts);

    for (i = 0; i < v->nrollouts && rd.status == FOTA_OK; i++) {
        fota_rollout_decode(&rd, mem, &v->rollouts[i]);

        if (rd.status == FOTA_OK && !fota_rollout_valid(v, &v->rollouts[i])) {
            fota_rd_fail(&rd, FOTA_CORRUPT);
        }
    }

    rc = fota_dec_end(&rd);

    if (rc != FOTA_OK) {
        return rc;
    }

    rc = fota_product_index(mem, v);

    return (rc == FOTA_INVALID) ? FOTA_CORRUPT : rc;
}


static void
fota_firmware_decode(fota_rd_t *rd, fota_firmware_t *v)
{
    uint8_t  flags;

    v->id = fota_rd_u32(rd);
    v->kind = fota_dec_enum(rd, FOTA_KIND__N);
    flags = fota_dec_bits(rd, FOTA_FW_MUST_PASS | FOTA_FW_WITHDRAWN);
    v->version = fota_dec_name(rd, FOTA_VERSION_MAX);

    v->must_pass = (flags & FOTA_FW_MUST_PASS) != 0;
    v->withdrawn = (flags & FOTA_FW_WITHDRAWN) != 0;
}


static void
fota_artifact_decode(fota_rd_t *rd, fota_artifact_t *v)
{
    v->id = fota_rd_u32(rd);
    fota_dec_copy(rd, v->sha256, sizeof(v->sha256));
    v->size = fota_rd_u64(rd);
    v->from = fota_rd_u16(rd);
    v->to = fota_rd_u16(rd);
    v->kid = fota_rd_u16(rd);
    fota_dec_copy(rd, v->sig, sizeof(v->sig));
    v->format = fota_rd_lstr(rd, FOTA_FORMAT_MAX);
    v->name = fota_rd_lstr(rd, FOTA_TEXT_MAX);
    v->requires = fota_dec_code(rd);
}


static void
fota_rollout_decode(fota_rd_t *rd, fota_mem_t *mem, fota_rollout_t *v)
{
    uint8_t   flags;
    uint16_t  i;

    v->id = fota_rd_u32(rd);
    v->state = fota_dec_enum(rd, FOTA_ROLLOUT__N);
    v->brake = fota_dec_enum(rd, FOTA_BRAKE_CUT + 1);
    v->kind = fota_dec_enum(rd, FOTA_KIND__N);
    v->strategy = fota_dec_enum(rd, FOTA_PATH__N);
    v->time_mode = fota_dec_enum(rd, FOTA_TIME_ZONE + 1);
    v->rate_class = fota_rd_u8(rd);
    flags = fota_dec_bits(rd, FOTA_RF_DOWNGRADE | FOTA_RF_GEO_UNKNOWN
                              | FOTA_RF_FRESH | FOTA_RF_TEST_ONLY);
    v->weight = (int32_t) fota_rd_u32(rd);
    v->created = fota_rd_u64(rd);
    v->salt = fota_rd_u64(rd);
    v->target = fota_rd_u16(rd);
    v->reached = fota_rd_u16(rd);
    v->max_attempts = fota_rd_u16(rd);
    v->dispersion = fota_rd_u16(rd);
    v->token_ttl = fota_rd_u32(rd);
    v->start = (int64_t) fota_rd_u64(rd);
    v->end = (int64_t) fota_rd_u64(rd);
    v->test_group = fota_rd_u32(rd);
    v->max_active = fota_rd_u32(rd);
    v->max_bps = fota_rd_u64(rd);
    v->error_permille = fota_rd_u16(rd);
    v->error_min = fota_rd_u32(rd);
    v->name = fota_rd_lstr(rd, FOTA_NAME_MAX);
    v->zone = fota_rd_lstr(rd, FOTA_NAME_MAX);
    v->filter = fota_dec_code(rd);

    v->allow_downgrade = (flags & FOTA_RF_DOWNGRADE) != 0;
    v->geo_unknown_allow = (flags & FOTA_RF_GEO_UNKNOWN) != 0;
    v->require_fresh = (flags & FOTA_RF_FRESH) != 0;
    v->test_only = (flags & FOTA_RF_TEST_ONLY) != 0;

    v->ninclude = fota_dec_names(rd, mem, FOTA_SCOPES_MAX, FOTA_SCOPE_LEN_MAX,
                                 &v->include);

    v->nexclude = fota_dec_names(rd, mem, FOTA_SCOPES_MAX, FOTA_SCOPE_LEN_MAX,
                                 &v->exclude);

    v->nwindows = fota_dec_array(rd, mem, FOTA_WINDOWS_MAX, 5,
                                 sizeof(fota_window_t), &v->windows);

    for (i = 0; i < v->nwindows; i++) {
        v->windows[i].days = fota_rd_u8(rd);
        v->windows[i].from = fota_rd_u16(rd);
        v->windows[i].to = fota_rd_u16(rd);
    }

    v->nsources = fota_dec_names(rd, mem, FOTA_SOURCES_MAX, FOTA_VERSION_MAX,
                                 &v->sources);
}
