/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Non-cryptographic and checksum hashes. */

#ifndef FOTA_HASH_H
#define FOTA_HASH_H


#include "fota_str.h"


/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) with the 128-bit key
 * (k0, k1), little-endian.  Used for stage buckets, rendezvous scores, jitter
 * and hash tables, so its value is part of the policy contract.
 */
uint64_t fota_siphash(uint64_t k0, uint64_t k1, const void *data, size_t len);

/* CRC-32C (Castagnoli), as iSCSI (RFC 3720 B.4); crc = 0 to start. */
uint32_t fota_crc32c(uint32_t crc, const void *data, size_t len);


#endif /* FOTA_HASH_H */
