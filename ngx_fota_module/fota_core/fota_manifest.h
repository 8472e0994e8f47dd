/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What an artifact's signature says.  The signed bytes are this text, so
 * that any tool with Ed25519 can make or check a signature offline:
 *
 *   fota-artifact/1\n
 *   tenant=<name>\nproduct=<name>\nversion=<to>\nkind=<os|app|data>\n
 *   type=<full|delta>\nfrom=<version or empty>\nformat=<word>\n
 *   sha256=<64 hex>\nsize=<decimal>\n
 *
 * Values hold no control characters (checked), so lines cannot be forged.
 */

#ifndef FOTA_MANIFEST_H
#define FOTA_MANIFEST_H

#include "fota_buf.h"
#include "fota_crypto.h"

typedef struct {
    fota_str_t  tenant;
    fota_str_t  product;
    fota_str_t  version;
    fota_str_t  kind;
    fota_str_t  type;
    fota_str_t  from;           /* empty for a full package */
    fota_str_t  format;         /* raw, zstd-delta, xdelta3, swu, ... */
    uint8_t     sha256[32];
    uint64_t    size;           /* bytes */
} fota_manifest_t;

#define FOTA_MANIFEST_MAX  2048

/* Appends the signed text; FOTA_INVALID names a field with bad bytes. */
int fota_manifest_text(const fota_manifest_t *m, fota_buf_t *out);

int fota_manifest_sign(const fota_manifest_t *m, const uint8_t sec[32],
    uint8_t sig[64]);

/* FOTA_OK, FOTA_FORGED, FOTA_INVALID. */
int fota_manifest_verify(const fota_manifest_t *m, const uint8_t pub[32],
    const uint8_t sig[64]);

#endif /* FOTA_MANIFEST_H */
