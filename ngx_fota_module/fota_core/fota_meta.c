/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "fota_store.h"


#define FOTA_META_VERSION  1


static fota_str_t  fota_meta_key = fota_string("head");


int
fota_meta_encode(const fota_meta_t *m, fota_buf_t *out)
{
    fota_buf_u8(out, FOTA_T_META);
    fota_buf_u8(out, FOTA_META_VERSION);
    fota_buf_u32(out, m->format);
    fota_buf_u64(out, m->epoch);
    fota_buf_u64(out, m->seq);
    fota_buf_put(out, m->chain, sizeof(m->chain));
    fota_buf_u64(out, m->head_ts);
    fota_buf_u64(out, m->fresh);
    fota_buf_u64(out, m->generation);

    return out->status;
}


int
fota_meta_decode(fota_str_t in, fota_meta_t *m)
{
    uint8_t     table, version;
    fota_rd_t   rd;
    fota_str_t  chain;

    fota_rd_init(&rd, in);

    table = fota_rd_u8(&rd);
    version = fota_rd_u8(&rd);

    if (rd.status != FOTA_OK || table != FOTA_T_META || version == 0) {
        return FOTA_CORRUPT;
    }

    if (version > FOTA_META_VERSION) {
        return FOTA_TOO_NEW;
    }

    m->format = fota_rd_u32(&rd);
    m->epoch = fota_rd_u64(&rd);
    m->seq = fota_rd_u64(&rd);
    chain = fota_rd_bytes(&rd, sizeof(m->chain));
    m->head_ts = fota_rd_u64(&rd);
    m->fresh = fota_rd_u64(&rd);
    m->generation = fota_rd_u64(&rd);

    if (rd.status != FOTA_OK || fota_rd_left(&rd) != 0) {
        return FOTA_CORRUPT;
    }

    if (m->format > FOTA_STORE_FORMAT) {
        return FOTA_TOO_NEW;
    }

    if (m->format == 0) {
        return FOTA_CORRUPT;
    }

    memcpy(m->chain, chain.data, sizeof(m->chain));

    return FOTA_OK;
}


int
fota_meta_read(fota_store_t *st, fota_meta_t *m)
{
    int         rc;
    fota_str_t  value;

    rc = fota_store_get(st, FOTA_T_META, fota_meta_key, &value);

    return (rc == FOTA_OK) ? fota_meta_decode(value, m) : rc;
}


int
fota_meta_write(fota_txn_t *txn, const fota_meta_t *m)
{
    int         rc;
    uint8_t     mem[128];
    fota_buf_t  out;

    fota_buf_fixed(&out, mem, sizeof(mem));

    rc = fota_meta_encode(m, &out);
    if (rc != FOTA_OK) {
        return rc;
    }

    return fota_txn_put(txn, FOTA_T_META, fota_meta_key,
                        fota_buf_slice(&out));
}
