/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The frame of every change: transaction, audit row, commit, wake-up of the
 * sequencer; again from the start after a deadlock.
 */

#ifndef FOTA_ADMIN_TX_H
#define FOTA_ADMIN_TX_H

#include "http.h"

/*
 * The body of a transaction.  It may run more than once.  FOTA_OK commits;
 * anything else rolls back.  A refusal sets its problem answer and returns
 * the status that says what was wrong (FOTA_NOTFOUND, FOTA_EXISTS...).
 */
typedef int (*fota_tx_pt)(fota_req_t *req, void *data);

/*
 * Runs fn on req->db.  FOTA_OK when an answer is set, so that a handler can
 * return this value.  After a commit the outbox is woken.
 */
int fota_tx(fota_req_t *req, fota_tx_pt fn, void *data);

/*
 * One row of the audit log, last within the transaction because it holds the
 * chain's lock until the commit.  before and after are stolen; NULL = none;
 * they must not hold secrets.  tenant 0 = the platform.
 */
int fota_audit(fota_req_t *req, uint32_t tenant, const char *action,
    fota_str_t object, json_t *before, json_t *after);

/*
 * The end of a change that came to rc: answers with what is there now and
 * writes the audit row.  201 without before, 204 without after, else 200;
 * nothing but rc when that is no FOTA_OK.  before and after are stolen.
 */
int fota_changed(fota_req_t *req, int rc, uint32_t tenant,
    const char *action, fota_str_t object, json_t *before, json_t *after);

/* The row of a job: actor is "system/controller" and the like. */
int fota_audit_system(fota_db_t *db, uint32_t tenant, const char *actor,
    const char *action, fota_str_t object, json_t *before, json_t *after);

/*
 * chain = SHA-256(chain | tenant u32 | ts u64 | each field with a u32 length)
 * of actor, address, request_id, action, object, before, after.
 */
int fota_audit_chain(uint8_t chain[32], uint32_t tenant, int64_t ts,
    const fota_str_t *fields, size_t n);

/* Object text "kind/name", from the arena of the request. */
fota_str_t fota_object(fota_req_t *req, const char *kind, fota_str_t name);

#endif /* FOTA_ADMIN_TX_H */
