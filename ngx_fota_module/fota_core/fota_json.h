/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * JSON (RFC 8259): a bounded reader for device requests and an append-only
 * writer.  Neither knows anything of its callers.
 */

#ifndef FOTA_JSON_H
#define FOTA_JSON_H


#include "fota_buf.h"


#define FOTA_JSON_DEPTH_MAX  16


typedef enum {
    FOTA_JSON_NULL = 0,
    FOTA_JSON_BOOL,
    FOTA_JSON_NUMBER,           /* text kept in str; see fota_json_int */
    FOTA_JSON_STRING,           /* unescaped, valid UTF-8, no NUL */
    FOTA_JSON_ARRAY,
    FOTA_JSON_OBJECT
} fota_json_type_e;

typedef struct fota_json_s  fota_json_t;

struct fota_json_s {
    fota_json_type_e  type;
    bool              boolean;
    fota_str_t        name;     /* in an object: the member's name */
    fota_str_t        str;
    fota_json_t      *child;    /* first element or member */
    fota_json_t      *next;
    uint32_t          count;    /* of children */
};

typedef struct {
    size_t            offset;   /* byte at which reading stopped */
    const char       *reason;   /* static text */
} fota_json_error_t;

/*
 * Reads one value and nothing after it.  Strings without escapes point into
 * text, which must outlive the tree; the rest is taken from mem.  At most
 * FOTA_JSON_DEPTH_MAX levels and max_nodes values; duplicate names,
 * unpaired surrogates and bad UTF-8 are errors.  FOTA_INVALID, FOTA_LIMIT,
 * FOTA_NOMEM.
 */
int fota_json_parse(fota_mem_t *mem, fota_str_t text, uint32_t max_nodes,
    fota_json_t **out, fota_json_error_t *err);

/* Member of an object or NULL. */
const fota_json_t *fota_json_get(const fota_json_t *obj, const char *name);

/* Whole number within int64; FOTA_INVALID otherwise. */
int fota_json_int(const fota_json_t *v, int64_t *out);


/*
 * Writer: puts commas itself.  name == NULL inside arrays and at the top.
 * Invalid UTF-8 is replaced by U+FFFD, so output is always valid.
 */

typedef struct {
    fota_buf_t  *out;
    uint8_t      depth;
    uint32_t     nonempty;      /* a bit per level */
} fota_jw_t;

void fota_jw_init(fota_jw_t *w, fota_buf_t *out);
void fota_jw_object(fota_jw_t *w, const char *name);
void fota_jw_array(fota_jw_t *w, const char *name);
void fota_jw_end_object(fota_jw_t *w);
void fota_jw_end_array(fota_jw_t *w);
void fota_jw_str(fota_jw_t *w, const char *name, fota_str_t v);
void fota_jw_cstr(fota_jw_t *w, const char *name, const char *v);
void fota_jw_int(fota_jw_t *w, const char *name, int64_t v);
void fota_jw_uint(fota_jw_t *w, const char *name, uint64_t v);
void fota_jw_double(fota_jw_t *w, const char *name, double v);
void fota_jw_bool(fota_jw_t *w, const char *name, bool v);
void fota_jw_null(fota_jw_t *w, const char *name);
/* json: one value, written before by this writer. */
void fota_jw_raw(fota_jw_t *w, const char *name, fota_str_t json);
void fota_jw_hex(fota_jw_t *w, const char *name, const void *data, size_t n);
void fota_jw_base64(fota_jw_t *w, const char *name, const void *data,
    size_t n);


#endif /* FOTA_JSON_H */
