/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* Everything into the outbox: for a new form of records, and a new tzdata. */

#include <stdio.h>

#include "jobs_int.h"
#include "outbox.h"
#include "sequencer.h"


int
fota_sequencer_zones(fota_server_t *server, fota_db_t *db, fota_mem_t *mem)
{
    int             rc;
    size_t          i, n;
    fota_str_t     *names;
    fota_render_t   r;

    memset(&r, 0, sizeof(fota_render_t));
    r.server = server;
    r.mem = mem;

    rc = fota_render_zone_names(&r, &names, &n);

    if (rc == FOTA_NOTFOUND) {
        fota_log(FOTA_LOG_WARN, "no time zones below \"%s\": windows in"
                 " local time will not open", server->conf.zoneinfo);
        return FOTA_OK;
    }

    for (i = 0; rc == FOTA_OK && i < n; i++) {
        rc = fota_outbox_key(db, FOTA_T_ZONE, names[i]);
    }

    return rc;
}


/* Objects that are known by their policy key alone. */

static int
fota_sequencer_keys(fota_db_t *db)
{
    int           rc;
    size_t        i, n;
    int64_t       now;
    uint8_t       key[FOTA_KEY_MAX], plen, addr[16];
    fota_str_t    id;
    fota_buf_t    out;
    fota_rows_t  *rows;

    now = fota_now_ms();

    rc = fota_db_exec(db, "INSERT INTO outbox (tbl, key_bytes, created)"
                      " SELECT ?, CONCAT(UNHEX(LPAD(HEX(kind), 2, '0')), id),"
                      " ? FROM deny", "ui", (uint64_t) FOTA_T_DENY, now);

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO outbox (tbl, key_bytes, created)"
                          " SELECT ?, CONCAT(UNHEX(LPAD(HEX(kind), 2, '0')),"
                          " UNHEX(LPAD(HEX(scope), 8, '0')),"
                          " UNHEX(LPAD(HEX(kid), 4, '0'))), ?"
                          " FROM secret_key", "ui", (uint64_t) FOTA_T_KEY,
                          now);
    }

    if (rc != FOTA_OK) {
        return rc;
    }

    /* Prefixes are texts in the table: to keys, one after the other. */

    rc = fota_db_query(db, &rows, "SELECT prefix FROM geoprefix", "");
    if (rc != FOTA_OK) {
        return rc;
    }

    fota_buf_grow(&out, 64 * 1024 * 1024);

    while ((rc = fota_db_row(rows)) == FOTA_OK) {
        id = fota_db_str(rows, 0);

        if (fota_prefix_parse(id, addr, &plen) == FOTA_OK) {
            n = fota_key_prefix(key, addr, plen);
            fota_buf_put(&out, key, n);
        }
    }

    fota_db_rows_end(rows);

    rc = (rc == FOTA_NOTFOUND) ? (int) out.status : rc;

    for (i = 0; rc == FOTA_OK && i + 17 <= out.len; i += 17) {
        rc = fota_outbox_key(db, FOTA_T_GEOPREFIX,
                             fota_slice(out.start + i, 17));
    }

    fota_buf_free(&out);

    return rc;
}


int
fota_sequencer_all(fota_server_t *server, fota_db_t *db)
{
    int           rc;
    size_t        i;
    int64_t       now;
    fota_arena_t  arena;

    static const struct {
        uint64_t     table;
        const char  *sql;
    } sources[] = {
        { FOTA_T_TENANT, "SELECT ?, id, id, ? FROM tenant" },
        { FOTA_T_PRODUCT, "SELECT ?, tenant_id, id, ? FROM product" },
        { FOTA_T_NODE, "SELECT ?, 0, id, ? FROM node" },
        { FOTA_T_ARTIFACT, "SELECT ?, tenant_id, id, ? FROM artifact" },
        { FOTA_T_DEVICE, "SELECT ?, tenant_id, id, ? FROM device"
                         " WHERE blocked <> 0 OR test <> 0"
                         " OR pin IS NOT NULL OR token_sha256 IS NOT NULL" },
        { FOTA_T_DEVICE, "SELECT DISTINCT ?, 0, device_id, ?"
                         " FROM group_member" },
        { FOTA_T_DEVICE, "SELECT DISTINCT ?, 0, device_id, ?"
                         " FROM device_attr WHERE operator_set = 1" },
        { FOTA_T_DEVICE, "SELECT DISTINCT ?, 0, device_id, ?"
                         " FROM rollout_device WHERE attempts_failed > 0"
                         " OR delta_failed > 0" },
    };

    char  sql[512];

    now = fota_now_ms();
    rc = FOTA_OK;

    for (i = 0; rc == FOTA_OK && i < sizeof(sources) / sizeof(sources[0]);
         i++)
    {
        (void) snprintf(sql, sizeof(sql), "INSERT INTO outbox (tbl,"
                        " tenant_id, object_id, created) %s", sources[i].sql);

        rc = fota_db_exec(db, sql, "ui", sources[i].table, now);
    }

    if (rc == FOTA_OK) {
        rc = fota_outbox_key(db, FOTA_T_TENANT, fota_cstr("*"));
    }

    if (rc == FOTA_OK) {
        rc = fota_sequencer_keys(db);
    }

    /* What the state holds and no row does any more has to go, too. */

    if (rc == FOTA_OK) {
        rc = fota_db_exec(db, "INSERT INTO outbox (tbl, key_bytes, created)"
                          " SELECT tbl, key_bytes, ? FROM policy_state", "i",
                          now);
    }

    if (rc == FOTA_OK) {
        fota_arena_init(&arena, 0);
        rc = fota_sequencer_zones(server, db, &arena.mem);
        fota_arena_free(&arena);
    }

    return rc;
}
