/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef FOTA_ADMIN_ARTIFACT_SIGN_H
#define FOTA_ADMIN_ARTIFACT_SIGN_H

#include "fota_manifest.h"
#include "http.h"

/*
 * Sets the signature of an artifact, within a transaction: offline, when
 * given and good (else a 422 problem and FOTA_FORGED), or one made with the
 * tenant's key when the centre holds it.  Neither: it stays unsigned.
 */
int fota_artifact_sign(fota_req_t *req, uint64_t id, const uint8_t *offline);

/* Appends the text that is signed. */
int fota_artifact_manifest(fota_req_t *req, uint64_t id, fota_buf_t *out);

#endif /* FOTA_ADMIN_ARTIFACT_SIGN_H */
