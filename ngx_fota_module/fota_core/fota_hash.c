/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <pthread.h>

#include "fota_hash.h"


#define fota_rotl(x, b)  (((x) << (b)) | ((x) >> (64 - (b))))

#define fota_sipround(v0, v1, v2, v3)                                         \
    do {                                                                      \
        v0 += v1; v1 = fota_rotl(v1, 13); v1 ^= v0; v0 = fota_rotl(v0, 32);   \
        v2 += v3; v3 = fota_rotl(v3, 16); v3 ^= v2;                           \
        v0 += v3; v3 = fota_rotl(v3, 21); v3 ^= v0;                           \
        v2 += v1; v1 = fota_rotl(v1, 17); v1 ^= v2; v2 = fota_rotl(v2, 32);   \
    } while (0)


static uint32_t        fota_crc32c_table[8][256];
static pthread_once_t  fota_crc32c_once = PTHREAD_ONCE_INIT;


static inline uint64_t
fota_load64(const uint8_t *p)
{
    uint64_t  v;

    memcpy(&v, p, sizeof(v));

#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    v = __builtin_bswap64(v);
#endif

    return v;
}


uint64_t
fota_siphash(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
    size_t          i;
    uint64_t        m, v0, v1, v2, v3;
    const uint8_t  *p, *end;

    v0 = k0 ^ 0x736f6d6570736575ULL;
    v1 = k1 ^ 0x646f72616e646f6dULL;
    v2 = k0 ^ 0x6c7967656e657261ULL;
    v3 = k1 ^ 0x7465646279746573ULL;

    p = data;

    if (len >= 8) {
        for (end = p + (len & ~(size_t) 7); p != end; p += 8) {
            m = fota_load64(p);

            v3 ^= m;
            fota_sipround(v0, v1, v2, v3);
            fota_sipround(v0, v1, v2, v3);
            v0 ^= m;
        }
    }

    m = (uint64_t) len << 56;

    for (i = 0; i < (len & 7); i++) {
        m |= (uint64_t) p[i] << (8 * i);
    }

    v3 ^= m;
    fota_sipround(v0, v1, v2, v3);
    fota_sipround(v0, v1, v2, v3);
    v0 ^= m;

    v2 ^= 0xff;
    fota_sipround(v0, v1, v2, v3);
    fota_sipround(v0, v1, v2, v3);
    fota_sipround(v0, v1, v2, v3);
    fota_sipround(v0, v1, v2, v3);

    return v0 ^ v1 ^ v2 ^ v3;
}


static void
fota_crc32c_init(void)
{
    uint32_t  c, i, k;

    for (i = 0; i < 256; i++) {
        c = i;

        for (k = 0; k < 8; k++) {
            c = (c & 1) ? (c >> 1) ^ 0x82f63b78 : c >> 1;
        }

        fota_crc32c_table[0][i] = c;
    }

    for (i = 0; i < 256; i++) {
        c = fota_crc32c_table[0][i];

        for (k = 1; k < 8; k++) {
            c = fota_crc32c_table[0][c & 0xff] ^ (c >> 8);
            fota_crc32c_table[k][i] = c;
        }
    }
}


#if (defined __x86_64__)

#define FOTA_CRC32C_HW  1

/* SSE 4.2 has exactly this polynomial. */

__attribute__((target("sse4.2")))
static uint32_t
fota_crc32c_hw(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  c;

    c = crc;

    for ( /* void */ ; len >= 8; len -= 8, p += 8) {
        c = __builtin_ia32_crc32di(c, fota_load64(p));
    }

    crc = (uint32_t) c;

    for ( /* void */ ; len != 0; len--, p++) {
        crc = __builtin_ia32_crc32qi(crc, *p);
    }

    return crc;
}

#endif


/* Slicing by 8 (Kounavis, Berry 2005). */

static uint32_t
fota_crc32c_sw(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  v;

    (void) pthread_once(&fota_crc32c_once, fota_crc32c_init);

    for ( /* void */ ; len >= 8; len -= 8, p += 8) {
        v = fota_load64(p) ^ crc;

        crc = fota_crc32c_table[7][v & 0xff]
              ^ fota_crc32c_table[6][(v >> 8) & 0xff]
              ^ fota_crc32c_table[5][(v >> 16) & 0xff]
              ^ fota_crc32c_table[4][(v >> 24) & 0xff]
              ^ fota_crc32c_table[3][(v >> 32) & 0xff]
              ^ fota_crc32c_table[2][(v >> 40) & 0xff]
              ^ fota_crc32c_table[1][(v >> 48) & 0xff]
              ^ fota_crc32c_table[0][v >> 56];
    }

    for ( /* void */ ; len != 0; len--, p++) {
        crc = (crc >> 8) ^ fota_crc32c_table[0][(crc ^ *p) & 0xff];
    }

    return crc;
}


uint32_t
fota_crc32c(uint32_t crc, const void *data, size_t len)
{
#if (FOTA_CRC32C_HW)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~fota_crc32c_hw(~crc, data, len);
    }
#endif

    return ~fota_crc32c_sw(~crc, data, len);
}
