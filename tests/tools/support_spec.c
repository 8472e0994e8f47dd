/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_encode.h"
#include "support_spec.h"


static spec_record_t *spec_add(spec_t *s, fota_table_e table,
    const uint8_t *key, size_t klen);


void
spec_die(const char *fmt, ...)
{
    va_list  ap;

    fputs("policytool: ", stderr);

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);

    fputc('\n', stderr);
    exit(1);
}


void *
spec_alloc(spec_t *s, size_t n, size_t size)
{
    void  *p;

    p = fota_calloc(&s->arena.mem, n, size);

    if (p == NULL) {
        spec_die("out of memory");
    }

    return p;
}


void
spec_known(const json_t *obj, const char *what, const char *names)
{
    size_t       n;
    json_t      *value;
    const char  *name, *p;

    if (!json_is_object(obj)) {
        spec_die("%s: not an object", what);
    }

    json_object_foreach((json_t *) obj, name, value) {
        n = strlen(name);

        for (p = strstr(names, name); p != NULL; p = strstr(p + 1, name)) {
            if ((p == names || p[-1] == ' ')
                && (p[n] == ' ' || p[n] == '\0'))
            {
                break;
            }
        }

        if (p == NULL) {
            spec_die("%s: unknown member \"%s\"; known are: %s", what, name,
                     names);
        }
    }
}


uint64_t
spec_u64(const json_t *obj, const char *name, uint64_t def, uint64_t max)
{
    json_t       *v;
    json_int_t    n;
    fota_str_t    text;
    uint64_t      big;

    v = json_object_get(obj, name);

    if (v == NULL) {
        return def;
    }

    /* Beyond 63 bits as text. */

    if (json_is_string(v)) {
        text = fota_slice(json_string_value(v), json_string_length(v));

        if (fota_str_u64(text, max, &big) == FOTA_OK) {
            return big;
        }
    }

    n = json_integer_value(v);

    if (!json_is_integer(v) || n < 0 || (uint64_t) n > max) {
        spec_die("\"%s\": not a whole number from 0 to %llu", name,
                 (unsigned long long) max);
    }

    return (uint64_t) n;
}


int64_t
spec_i64(const json_t *obj, const char *name, int64_t def)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (v != NULL && !json_is_integer(v)) {
        spec_die("\"%s\": not a whole number", name);
    }

    return (v == NULL) ? def : (int64_t) json_integer_value(v);
}


double
spec_double(const json_t *obj, const char *name, double def)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (v != NULL && !json_is_number(v)) {
        spec_die("\"%s\": not a number", name);
    }

    return (v == NULL) ? def : json_number_value(v);
}


bool
spec_bool(const json_t *obj, const char *name, bool def)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (v != NULL && !json_is_boolean(v)) {
        spec_die("\"%s\": neither true nor false", name);
    }

    return (v == NULL) ? def : json_is_true(v);
}


fota_str_t
spec_text(const json_t *obj, const char *name, const char *def)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (v == NULL) {
        if (def == NULL) {
            spec_die("\"%s\" is missing", name);
        }

        return fota_cstr(def);
    }

    if (!json_is_string(v)) {
        spec_die("\"%s\": not a string", name);
    }

    return fota_slice(json_string_value(v), json_string_length(v));
}


void
spec_chars(const json_t *obj, const char *name, char *out, size_t cap)
{
    fota_str_t  s;

    s = spec_text(obj, name, "");

    if (s.len >= cap) {
        spec_die("\"%s\": longer than %zu bytes", name, cap - 1);
    }

    memset(out, 0, cap);
    memcpy(out, s.data, s.len);
}


bool
spec_hex(const json_t *obj, const char *name, uint8_t *out, size_t n)
{
    if (json_object_get(obj, name) == NULL) {
        return false;
    }

    if (fota_hex_decode(out, n, spec_text(obj, name, NULL)) != FOTA_OK) {
        spec_die("\"%s\": not %zu hex digits", name, 2 * n);
    }

    return true;
}


unsigned
spec_word(const json_t *obj, const char *name, const char *const words[],
    unsigned def)
{
    unsigned    i;
    fota_str_t  s;

    if (json_object_get(obj, name) == NULL) {
        return def;
    }

    s = spec_text(obj, name, NULL);

    for (i = 0; words[i] != NULL; i++) {
        if (fota_str_eq(s, fota_cstr(words[i]))) {
            return i;
        }
    }

    spec_die("\"%s\": unknown word \"%s\"", name, (const char *) s.data);
}


json_t *
spec_array(const json_t *obj, const char *name, size_t max)
{
    json_t  *v;

    v = json_object_get(obj, name);

    if (v == NULL) {
        return NULL;
    }

    if (!json_is_array(v) || json_array_size(v) > max) {
        spec_die("\"%s\": not an array of at most %zu", name, max);
    }

    return v;
}


fota_str_t *
spec_texts(spec_t *s, const json_t *obj, const char *name, size_t max,
    uint16_t *n)
{
    size_t       i;
    json_t      *array, *v;
    fota_str_t  *list;

    array = spec_array(obj, name, max);
    *n = (uint16_t) json_array_size(array);
    list = spec_alloc(s, *n, sizeof(fota_str_t));

    json_array_foreach(array, i, v) {
        if (!json_is_string(v)) {
            spec_die("\"%s\": not an array of strings", name);
        }

        list[i] = fota_slice(json_string_value(v), json_string_length(v));
    }

    return list;
}


uint32_t
spec_tenant(spec_t *s, const json_t *obj)
{
    size_t          i;
    json_t         *v;
    uint8_t         key[FOTA_KEY_MAX];
    uint32_t        id;
    fota_str_t      name, value;
    fota_tenant_t   tenant;

    v = json_object_get(obj, "tenant");

    if (v == NULL || json_is_integer(v)) {
        return (uint32_t) spec_u64(obj, "tenant", 1, UINT32_MAX);
    }

    name = spec_text(obj, "tenant", NULL);

    json_array_foreach(json_object_get(s->root, "tenants"), i, v) {
        if (fota_str_eq(spec_text(v, "name", NULL), name)) {
            return (uint32_t) spec_u64(v, "id", 0, UINT32_MAX);
        }
    }

    if (s->store != NULL && fota_store_read_begin(s->store, NULL) == FOTA_OK) {

        if (fota_store_get(s->store, FOTA_T_TENANT,
                           fota_slice(key, fota_key_name(key, name)), &value)
            == FOTA_OK
            && fota_tenant_decode(&s->arena.mem, value, &tenant) == FOTA_OK)
        {
            id = tenant.id;
            fota_store_read_end(s->store);
            return id;
        }

        fota_store_read_end(s->store);
    }

    spec_die("\"tenant\": unknown tenant \"%s\"", (const char *) name.data);
}


uint32_t
spec_group(spec_t *s, const json_t *value)
{
    json_t  *id;

    if (json_is_string(value)) {
        id = json_object_get(json_object_get(s->root, "groups"),
                             json_string_value(value));

        if (!json_is_integer(id)) {
            spec_die("unknown group \"%s\"", json_string_value(value));
        }

        return (uint32_t) json_integer_value(id);
    }

    if (!json_is_integer(value)) {
        spec_die("a group is neither a number nor a name");
    }

    return (uint32_t) json_integer_value(value);
}


static spec_record_t *
spec_add(spec_t *s, fota_table_e table, const uint8_t *key, size_t klen)
{
    size_t          cap;
    spec_record_t  *r;

    if (klen == 0 || klen > FOTA_KEY_MAX) {
        spec_die("%s: empty or too long a name", fota_table_name(table));
    }

    if (s->n == s->cap) {
        cap = s->cap ? s->cap * 2 : 256;

        r = realloc(s->records, cap * sizeof(spec_record_t));
        if (r == NULL) {
            spec_die("out of memory");
        }

        s->records = r;
        s->cap = cap;
    }

    r = &s->records[s->n++];
    r->table = table;
    r->klen = klen;
    r->value = fota_slice(NULL, 0);
    memcpy(r->key, key, klen);

    return r;
}


void
spec_put(spec_t *s, fota_table_e table, const uint8_t *key, size_t klen,
    int rc)
{
    fota_str_t      value;
    spec_record_t  *r;

    if (rc == FOTA_OK) {
        value = fota_buf_slice(&s->buf);
        rc = fota_record_check(&s->arena.mem, table, fota_slice(key, klen),
                               value);
    }

    if (rc != FOTA_OK) {
        spec_die("%s: record refused: %s", fota_table_name(table),
                 fota_status_name(rc));
    }

    r = spec_add(s, table, key, klen);
    r->value = fota_strdup(&s->arena.mem, value);

    if (r->value.data == NULL) {
        spec_die("out of memory");
    }
}


void
spec_del(spec_t *s, fota_table_e table, const uint8_t *key, size_t klen)
{
    (void) spec_add(s, table, key, klen);
}
