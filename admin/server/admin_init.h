/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Master data of a fresh installation. */

#ifndef FOTA_ADMIN_INIT_H
#define FOTA_ADMIN_INIT_H

#include "secret.h"

#define FOTA_PAT_PREFIX  "fota_pat_"

/*
 * Makes what is missing: the feed's epoch, node groups 0 and 1 with their
 * wrapping keys, the sync signing key, the download root of group 1.  A
 * platform token is made when there is none, or when another is asked for;
 * token is "" when none was made.  err holds text on failure.
 */
int fota_admin_init(fota_server_t *server, fota_db_t *db, bool another,
    char token[FOTA_CREDENTIAL_MAX], char *err, size_t errlen);

/*
 * A node group with its wrapping key and the root of its download tokens.
 * FOTA_EXISTS: there is one of this id or name.
 */
int fota_admin_group(fota_server_t *server, fota_db_t *db, uint16_t id,
    fota_str_t name, bool root);

/*
 * Makes the next key that signs the change log, or begins to use it; the
 * last one is kept as previous.  Running servers follow within seconds.
 */
int fota_sync_key_rotate(fota_server_t *server, fota_db_t *db, bool activate,
    char *err, size_t errlen);

#endif /* FOTA_ADMIN_INIT_H */
