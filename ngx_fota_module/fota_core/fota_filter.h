/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Target filters: RSQL/FIQL, the language hawkBit's users know.
 *
 *   or    = and { ("or" | ",") and }
 *   and   = term { ("and" | ";") term }
 *   term  = "(" or ")" | field op value
 *   op    = "==" | "!=" | "=lt=" "=le=" "=gt=" "=ge=" | "<" "<=" ">" ">="
 *         | "=in=" | "=out=" "(" value { "," value } ")" | "=is=" "null"
 *         | "=not=" "null"
 *   field = id product version kind group country region city tz asn
 *         | attr.NAME
 *   value = bare word | 'quoted' | "quoted" (backslash escapes)
 *
 * Two-valued logic: a comparison with an absent fact is false, but "!=" and
 * "=out=" are true and "=is=null" is true.  "==" and "!=" compare text with
 * "*" wildcards ("\*" is a star); on version without a star they compare as
 * versions.  Order operators compare versions on version, numbers when the
 * value is a number (a fact that is no number does not match), else bytes.
 * "group==x" is true when any of the device's groups matches.  country,
 * region, city match as fota_geo_match does (code or name, no ASCII case).
 *
 * "=in=" is "==" with any of the values, stars included; "=out=" is its
 * negation.  Empty text of any field but attr.NAME, and ASN 0, is an absent
 * fact; an attribute may be present and empty.  Order operators do not apply
 * to group, country, region, city; asn takes whole numbers only.  In a bare
 * word blanks, quotes and "()=!<>,;" need a backslash too.
 */

#ifndef FOTA_FILTER_H
#define FOTA_FILTER_H

#include "fota_buf.h"
#include "fota_geo.h"

#define FOTA_FILTER_TEXT_MAX   4096     /* bytes of text */
#define FOTA_FILTER_DEPTH_MAX  16       /* nested parentheses */
#define FOTA_FILTER_TERMS_MAX  256      /* comparisons, lists counted whole */
#define FOTA_FILTER_LIST_MAX   256      /* values in one list */
#define FOTA_FILTER_VALUE_MAX  256      /* bytes of one value, unescaped */
#define FOTA_FILTER_STARS_MAX  16       /* stars in one value */
#define FOTA_FILTER_CODE_MAX   16384    /* bytes of bytecode */
#define FOTA_FILTER_DIGITS_MAX 15       /* of a number: exact in a double */

typedef struct {
    size_t  column;             /* from 1, in characters */
    char    text[200];          /* "unknown field 'modle'; did you mean..." */
} fota_filter_error_t;

typedef struct fota_filter_node_s  fota_filter_node_t;

typedef enum {
    FOTA_F_ID = 0,
    FOTA_F_PRODUCT,
    FOTA_F_VERSION,
    FOTA_F_KIND,
    FOTA_F_GROUP,
    FOTA_F_COUNTRY,
    FOTA_F_REGION,
    FOTA_F_CITY,
    FOTA_F_TZ,
    FOTA_F_ASN,
    FOTA_F_ATTR,
    FOTA_F__N
} fota_filter_field_e;

/*
 * Parses into a tree in mem.  An empty text matches everything (*out NULL).
 * FOTA_INVALID or FOTA_LIMIT with err filled, FOTA_NOMEM.
 */
int fota_filter_parse(fota_mem_t *mem, fota_str_t text,
    fota_filter_node_t **out, fota_filter_error_t *err);

/*
 * Names of groups to ids, at the centre.  For a pattern the callback fills
 * at most cap ids of static groups; a dynamic group is given back as the
 * text of its filter, which is compiled in its place (no dynamic group
 * inside a dynamic group: FOTA_LIMIT).  Unknown names: FOTA_NOTFOUND.
 * The pattern is for fota_str_match(); without a star it is a name.  dynamic
 * comes in with data NULL; what it is set to must live until the call that
 * resolves returns.  More than cap ids: FOTA_LIMIT.
 */
typedef struct fota_filter_groups_s  fota_filter_groups_t;

struct fota_filter_groups_s {
    int  (*resolve)(fota_filter_groups_t *g, fota_str_t pattern,
             uint32_t *ids, size_t cap, size_t *n, fota_str_t *dynamic);
};

/* Appends bytecode of the tree; groups may be NULL when none is named. */
int fota_filter_compile(fota_mem_t *mem, const fota_filter_node_t *node,
    fota_filter_groups_t *groups, fota_buf_t *code, fota_filter_error_t *err);

/* The facts of one device. */

typedef struct {
    fota_str_t  name;
    fota_str_t  value;
} fota_attr_t;

typedef struct fota_facts_s  fota_facts_t;

struct fota_facts_s {
    fota_str_t          id;
    fota_str_t          product;
    fota_str_t          version;
    fota_str_t          kind;
    fota_str_t          tz;             /* reported; else the location's */
    const fota_attr_t  *attrs;          /* of the request */
    size_t              nattrs;
    const fota_attr_t  *set_attrs;      /* of the device record; win */
    size_t              nset_attrs;
    const uint32_t     *groups;         /* ascending */
    size_t              ngroups;
    /* Lazy, because most checks need no location; never NULL result. */
    const fota_location_t  *(*locate)(fota_facts_t *f);
};

/* Value of an attribute or a slice with data == NULL. */
fota_str_t fota_facts_attr(const fota_facts_t *f, fota_str_t name);

/*
 * Is the code well-formed, bounded and balanced?  Done once when a record is
 * decoded; eval then needs no checks.  FOTA_OK or FOTA_CORRUPT.
 */
int fota_filter_check(fota_str_t code);

/* Cost is linear in the code; empty code matches. */
bool fota_filter_eval(fota_str_t code, fota_facts_t *facts);

/*
 * Filters that are asked about the same facts, one after the other: a test
 * that several of them have is done once.
 */

typedef struct fota_filter_step_s  fota_filter_step_t;

typedef struct {
    fota_str_t           code;      /* checked; must outlive this */
    fota_filter_step_t  *steps;     /* NULL: the code is empty */
} fota_filter_shared_t;

#define FOTA_FILTER_MEMO_MAX  512

/*
 * Fills the steps of n filters whose code is set.  *nmemo: the bytes of memo
 * that fota_filter_eval_shared() needs, at most FOTA_FILTER_MEMO_MAX.
 * FOTA_OK or FOTA_NOMEM.
 */
int fota_filter_share(fota_mem_t *mem, fota_filter_shared_t *filters,
    size_t n, size_t *nmemo);

/* As fota_filter_eval(); memo is all zero before the first for a device. */
bool fota_filter_eval_shared(const fota_filter_shared_t *filter,
    fota_facts_t *facts, uint8_t *memo);

/*
 * The one definition of a number, for order operators here and for the
 * numeric column of attributes at the centre: an optional '-', digits,
 * optionally '.' and digits; 1..FOTA_FILTER_DIGITS_MAX digits in all.  No
 * blanks, '+', exponent, hex or other scripts' digits.  False: no number.
 */
bool fota_filter_number(fota_str_t s, double *out);

/* Parameterised SQL for the centre. */

typedef struct {
    /*
     * SQL expression per field, NULL = not searchable.  VERSION is a pair:
     * text column here and key column below; ATTR is a sub-select with one
     * "?" for the name giving the text value; GROUP is a boolean expression
     * with one "%s" for the id list.  NULL and '' both are absent facts, for
     * ASN NULL and 0.
     */
    const char  *column[FOTA_F__N];
    const char  *version_key;
    const char  *region_code;
    const char  *attr_number;   /* sub-select, one "?", the numeric value */
    const char  *group_any;     /* boolean: member of any group */
} fota_filter_sql_map_t;

typedef struct {
    fota_str_t  text;           /* or raw bytes of a version key */
    unsigned    binary:1;
} fota_filter_param_t;

typedef struct {
    fota_buf_t            sql;          /* a boolean expression */
    fota_filter_param_t  *params;       /* in the order of the marks */
    size_t                nparams;
} fota_filter_sql_t;

/*
 * Everything in mem; "1=1" for a NULL tree.  For a WHERE clause: a NULL
 * result means false.  User text is only ever in params.
 */
int fota_filter_sql(fota_mem_t *mem, const fota_filter_node_t *node,
    const fota_filter_sql_map_t *map, fota_filter_groups_t *groups,
    fota_filter_sql_t *out, fota_filter_error_t *err);

#endif /* FOTA_FILTER_H */
