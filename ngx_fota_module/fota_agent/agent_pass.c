/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "agent_pass.h"
#include "fota_hash.h"


#define FOTA_AGENT_PASS_CRC  (FOTA_AGENT_PASS_SIZE - 4)


static void fota_agent_pass_put(fota_buf_t *out, const fota_agent_pass_t *p);
static void fota_agent_pass_get(fota_rd_t *rd, fota_agent_pass_t *p);


uint64_t
fota_agent_pass_due(const fota_agent_pass_t *pass, uint64_t now,
    uint64_t interval)
{
    if (pass->ended == 0 || now < pass->begun
        || now - pass->begun >= interval)
    {
        return 0;
    }

    return interval - (now - pass->begun);
}


void
fota_agent_pass_begin(fota_agent_passes_t *p, uint64_t now)
{
    memset(&p->now, 0, sizeof(fota_agent_pass_t));
    memset(p->after, 0, sizeof(p->after));

    p->now.begun = now;
}


void
fota_agent_pass_end(fota_agent_passes_t *p, uint64_t now)
{
    p->now.ended = now;
    p->last = p->now;
}


uint64_t
fota_agent_pace(fota_agent_pace_t *pace, uint64_t now, uint64_t n)
{
    if (pace->due < now) {
        pace->due = now;
    }

    pace->due += n * 1000000 / pace->rate;

    return (pace->due - now) / 1000;
}


static void
fota_agent_pass_put(fota_buf_t *out, const fota_agent_pass_t *p)
{
    fota_buf_u64(out, p->begun);
    fota_buf_u64(out, p->ended);
    fota_buf_u64(out, p->files);
    fota_buf_u64(out, p->bytes);
    fota_buf_u64(out, p->bad);
}


static void
fota_agent_pass_get(fota_rd_t *rd, fota_agent_pass_t *p)
{
    p->begun = fota_rd_u64(rd);
    p->ended = fota_rd_u64(rd);
    p->files = fota_rd_u64(rd);
    p->bytes = fota_rd_u64(rd);
    p->bad = fota_rd_u64(rd);
}


void
fota_agent_pass_encode(const fota_agent_passes_t *p,
    uint8_t out[FOTA_AGENT_PASS_SIZE])
{
    fota_buf_t  b;

    memset(out, 0, FOTA_AGENT_PASS_SIZE);
    fota_buf_fixed(&b, out, FOTA_AGENT_PASS_SIZE);

    fota_buf_put(&b, "FSP1", 4);
    fota_agent_pass_put(&b, &p->now);
    fota_agent_pass_put(&b, &p->last);
    fota_buf_put(&b, p->after, sizeof(p->after));

    fota_buf_fixed(&b, out + FOTA_AGENT_PASS_CRC, 4);
    fota_buf_u32(&b, fota_crc32c(0, out, FOTA_AGENT_PASS_CRC));
}


int
fota_agent_pass_decode(fota_str_t in, fota_agent_passes_t *p)
{
    fota_rd_t   rd;
    fota_str_t  s;

    memset(p, 0, sizeof(fota_agent_passes_t));

    if (in.len != FOTA_AGENT_PASS_SIZE || memcmp(in.data, "FSP1", 4) != 0) {
        return FOTA_CORRUPT;
    }

    fota_rd_init(&rd, fota_slice(in.data + FOTA_AGENT_PASS_CRC, 4));

    if (fota_rd_u32(&rd) != fota_crc32c(0, in.data, FOTA_AGENT_PASS_CRC)) {
        return FOTA_CORRUPT;
    }

    fota_rd_init(&rd, fota_slice(in.data + 4, FOTA_AGENT_PASS_CRC - 4));

    fota_agent_pass_get(&rd, &p->now);
    fota_agent_pass_get(&rd, &p->last);
    s = fota_rd_bytes(&rd, sizeof(p->after));

    if (rd.status != FOTA_OK || s.data[FOTA_AGENT_PASS_NAME] != '\0') {
        memset(p, 0, sizeof(fota_agent_passes_t));
        return FOTA_CORRUPT;
    }

    memcpy(p->after, s.data, sizeof(p->after));

    return FOTA_OK;
}
