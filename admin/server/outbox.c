/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include "outbox.h"
#include "server.h"


int
fota_outbox_put(fota_db_t *db, fota_table_e table, uint32_t tenant_id,
    uint64_t object_id)
{
    return fota_db_exec(db, "INSERT INTO outbox"
                        " (tbl, tenant_id, object_id, created)"
                        " VALUES (?, ?, ?, ?)", "uuui",
                        (uint64_t) table, (uint64_t) tenant_id, object_id,
                        fota_now_ms());
}


int
fota_outbox_key(fota_db_t *db, fota_table_e table, fota_str_t key)
{
    if (key.len == 0 || key.len > FOTA_KEY_MAX) {
        return FOTA_INVALID;
    }

    return fota_db_exec(db, "INSERT INTO outbox (tbl, key_bytes, created)"
                        " VALUES (?, ?, ?)", "usi",
                        (uint64_t) table, key, fota_now_ms());
}
