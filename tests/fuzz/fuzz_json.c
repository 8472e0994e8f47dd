/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_json.h"


static void
fuzz_write(fota_jw_t *w, const fota_json_t *v, const char *name)
{
    char                member[64];
    size_t              n;
    int64_t             i;
    const fota_json_t  *c;

    switch (v->type) {

    case FOTA_JSON_NULL:
        fota_jw_null(w, name);
        return;

    case FOTA_JSON_BOOL:
        fota_jw_bool(w, name, v->boolean);
        return;

    case FOTA_JSON_NUMBER:
        if (fota_json_int(v, &i) == FOTA_OK) {
            fota_jw_int(w, name, i);

        } else {
            fota_jw_double(w, name, 0.5);
        }

        return;

    case FOTA_JSON_STRING:
        fota_jw_str(w, name, v->str);
        return;

    case FOTA_JSON_ARRAY:
        fota_jw_array(w, name);

        for (c = v->child; c != NULL; c = c->next) {
            fuzz_write(w, c, NULL);
        }

        fota_jw_end_array(w);
        return;

    case FOTA_JSON_OBJECT:
        fota_jw_object(w, name);

        for (c = v->child, n = 0; c != NULL; c = c->next, n++) {

            /* A long name need not stay unique when it is cut. */

            if (c->name.len >= sizeof(member)) {
                continue;
            }

            memcpy(member, c->name.data, c->name.len);
            member[c->name.len] = '\0';
            fuzz_write(w, c, member);
        }

        fota_jw_end_object(w);
        return;
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* What is read, written and read again must be read without an error. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fota_jw_t           w;
    fota_buf_t          b;
    fota_json_t        *v;
    fota_arena_t        a;
    fota_json_error_t   err;

    fota_arena_init(&a, 8 << 20);

    if (fota_json_parse(&a.mem, fota_slice(data, size), 1000, &v, &err)
        == FOTA_OK)
    {
        fota_buf_grow(&b, 8 << 20);
        fota_jw_init(&w, &b);
        fuzz_write(&w, v, NULL);

        if (b.status != FOTA_OK
            || fota_json_parse(&a.mem, fota_buf_slice(&b), 1000, &v, &err)
               != FOTA_OK)
        {
            abort();
        }

        fota_buf_free(&b);

    } else if (err.offset > size) {
        abort();
    }

    fota_arena_free(&a);

    return 0;
}
