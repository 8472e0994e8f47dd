/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Reading a description of policy (see policytool.c) into records.  Whatever
 * is wrong in it ends the program with a message that names the field.
 */

#ifndef SUPPORT_SPEC_H
#define SUPPORT_SPEC_H

#include <jansson.h>

#include "fota_store.h"

typedef struct {
    fota_table_e  table;
    size_t        klen;
    uint8_t       key[FOTA_KEY_MAX];
    fota_str_t    value;        /* data == NULL: delete */
} spec_record_t;

typedef struct {
    json_t         *root;
    fota_arena_t    arena;
    fota_buf_t      buf;        /* the record being encoded */
    size_t          n;
    size_t          cap;
    spec_record_t  *records;
    fota_store_t   *store;      /* to find tenants by name, may be NULL */
    char            dir[4096];  /* of the description */
} spec_t;

void spec_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void *spec_alloc(spec_t *s, size_t n, size_t size);

/* what is for messages; names: all known members, one blank between. */
void spec_known(const json_t *obj, const char *what, const char *names);

uint64_t spec_u64(const json_t *obj, const char *name, uint64_t def,
    uint64_t max);
int64_t spec_i64(const json_t *obj, const char *name, int64_t def);
double spec_double(const json_t *obj, const char *name, double def);
bool spec_bool(const json_t *obj, const char *name, bool def);
fota_str_t spec_text(const json_t *obj, const char *name, const char *def);
void spec_chars(const json_t *obj, const char *name, char *out, size_t cap);
/* False when there is none; exactly n bytes otherwise. */
bool spec_hex(const json_t *obj, const char *name, uint8_t *out, size_t n);
/* Index of a word in a NULL-terminated list. */
unsigned spec_word(const json_t *obj, const char *name,
    const char *const words[], unsigned def);
/* An array, or NULL when there is none. */
json_t *spec_array(const json_t *obj, const char *name, size_t max);
fota_str_t *spec_texts(spec_t *s, const json_t *obj, const char *name,
    size_t max, uint16_t *n);
/* "tenant": an id, or a name of the description or of the store. */
uint32_t spec_tenant(spec_t *s, const json_t *obj);
/* Id of a group: a number, or a name of "groups". */
uint32_t spec_group(spec_t *s, const json_t *value);

/* Keeps s->buf, checked by core, as the value of key. */
void spec_put(spec_t *s, fota_table_e table, const uint8_t *key, size_t klen,
    int rc);
void spec_del(spec_t *s, fota_table_e table, const uint8_t *key, size_t klen);

/* support_records.c, support_product.c */

void spec_records(spec_t *s);
void spec_deletes(spec_t *s);
void spec_device_encode(spec_t *s, const json_t *obj);
void spec_products(spec_t *s);
void spec_artifact_info(spec_t *s, const json_t *obj, uint32_t tenant);
/* SHA-256 and size from "file", or from "sha256" and "size". */
void spec_content(spec_t *s, const json_t *obj, uint8_t sha256[32],
    uint64_t *size);

/* support_mint.c, support_snapshot.c: commands of policytool */

int mint_token(int argc, char **argv);
int mint_device_token(int argc, char **argv);
int write_snapshot(fota_store_t *st, const fota_meta_t *m, const char *dir,
    const char *secret, const char *kid);

#endif /* SUPPORT_SPEC_H */
