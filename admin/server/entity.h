/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the files of handlers share: pages, look-ups, merging, cells. */

#ifndef FOTA_ADMIN_ENTITY_H
#define FOTA_ADMIN_ENTITY_H

#include "outbox.h"
#include "routes.h"
#include "server.h"
#include "tx.h"

#define FOTA_PAGE_DEFAULT  100
#define FOTA_PAGE_MAX      1000

#define FOTA_BODY_JSON     (256 * 1024) /* of an ordinary request */

#define fota_u64(v)  ((uint64_t) (v))

typedef struct {
    fota_str_t  after;          /* "" on the first page */
    uint64_t    after_id;       /* with _number */
    uint64_t    limit;          /* items; ask the database for one more */
} fota_page_t;

/*
 * "after" and "limit" of a list by text or by number.  False: answered.
 * With _number "after" defaults to first.
 */
bool fota_page_text(fota_req_t *req, fota_page_t *page);
bool fota_page_number(fota_req_t *req, fota_page_t *page, uint64_t first);

/* One row as JSON; NULL: out of memory or a nested query failed. */
typedef json_t *(*fota_item_pt)(fota_req_t *req, fota_rows_t *rows);

/*
 * rc is what the query returned.  Reads rows to their end and answers
 * {"items","next"}; column key of the last item is "next".  Ends rows.
 */
int fota_page_answer(fota_req_t *req, int rc, fota_rows_t *rows,
    const fota_page_t *page, unsigned key, fota_item_pt item);

/* The same for a list that is short enough for one answer. */
int fota_list_answer(fota_req_t *req, int rc, fota_rows_t *rows,
    fota_item_pt item);

/*
 * The only row of a query as JSON; *out is NULL unless FOTA_OK is returned.
 * Without a row fota_unknown() of kind.
 */
int fota_row_one(fota_req_t *req, int rc, fota_rows_t *rows,
    const char *kind, fota_item_pt item, json_t **out);

/*
 * Row ids by name within the tenant.  When there is none a 404 problem with
 * code "KIND_unknown" is set and FOTA_NOTFOUND returned.
 */
int fota_find_product(fota_req_t *req, fota_str_t name, uint32_t *id);
int fota_find_group(fota_req_t *req, fota_str_t name, uint32_t *id);
int fota_find_device(fota_req_t *req, fota_str_t ext_id, uint64_t *id);
int fota_find_node(fota_req_t *req, fota_str_t name, uint32_t *id);
/* Is there this node group?  0 is none. */
int fota_check_node_group(fota_req_t *req, uint64_t id, const char *kind);
int fota_find_firmware(fota_req_t *req, uint32_t product, fota_str_t kind,
    fota_str_t version, uint32_t *id);

/*
 * Holds rows until the transaction ends.  Whoever changes or removes one, or
 * counts what hangs on it, reads after all who did so before; sql selects
 * ids of tenant and name and ends with FOR UPDATE.  No such row is FOTA_OK:
 * the look-up that follows says so.
 */
int fota_lock(fota_req_t *req, const char *sql, uint64_t tenant,
    fota_str_t name);

#define FOTA_LOCK_PRODUCT                                                     \
    "SELECT id FROM product WHERE tenant_id = ? AND name = ? FOR UPDATE"
#define FOTA_LOCK_GROUP                                                       \
    "SELECT id FROM device_group WHERE tenant_id = ? AND name = ? FOR UPDATE"
#define FOTA_LOCK_DEVICE                                                      \
    "SELECT id FROM device WHERE tenant_id = ? AND ext_id = ? FOR UPDATE"

/* Bytes in front that are ASCII letters, digits, or in more. */
size_t fota_word_span(fota_str_t s, const char *more);

/* A 404 or 409 problem; the status FOTA_NOTFOUND or FOTA_EXISTS. */
int fota_unknown(fota_req_t *req, const char *kind);
int fota_exists(fota_req_t *req, const char *kind, const char *field);

/* Integer path parameter; a 404 problem when it is none. */
bool fota_param_id(fota_req_t *req, const char *name, const char *kind,
    uint64_t *id);

/*
 * base with the members of the body over it; a null replaces only what is
 * named in nullable (ends with NULL).
 */
void fota_merge(json_t *base, json_t *body, const char *const *nullable);

/* Members of a merged object. */
uint64_t fota_mu(json_t *obj, const char *name);
int64_t fota_mi(json_t *obj, const char *name);
double fota_md(json_t *obj, const char *name);
fota_str_t fota_ms(json_t *obj, const char *name);      /* null: data NULL */

/* Cells: text or null; number or null. */
json_t *fota_cell(fota_rows_t *rows, unsigned col);
json_t *fota_cell_int(fota_rows_t *rows, unsigned col);
json_t *fota_cell_bool(fota_rows_t *rows, unsigned col);

/* {"auth": ["open", ...]} and bits: word i is bit i. */
json_t *fota_bits_json(uint64_t bits, const char *const *words, size_t n);
uint64_t fota_bits_of(json_t *list, const char *const *words, size_t n);
bool fota_bits_parse(fota_req_t *req, const char *name,
    const char *const *words, size_t n, uint64_t *bits);

/* One of the words; false: answered. */
bool fota_json_word(fota_req_t *req, const char *name,
    const char *const *words, size_t n, uint64_t *index);

/* Base64 member of exactly len bytes; *given is false when absent. */
bool fota_json_base64(fota_req_t *req, const char *name, size_t len,
    uint8_t *out, bool *given);

/* Every product of the tenant is rendered anew (a group has changed). */
int fota_outbox_products(fota_db_t *db, uint32_t tenant);

#endif /* FOTA_ADMIN_ENTITY_H */
