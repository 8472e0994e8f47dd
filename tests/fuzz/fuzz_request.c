/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_request.h"


/*
 * The first byte chooses the form, the rest is the request.  What is taken
 * keeps its limits; what is refused names a field.
 */


static void
fuzz_name(fota_str_t s, size_t max)
{
    if (s.len == 0 || s.len > max || !fota_str_utf8(s)) {
        abort();
    }
}


static void
fuzz_attrs(const fota_attr_t *attrs, size_t n)
{
    size_t  i, k;

    if (n > FOTA_ATTRS_MAX) {
        abort();
    }

    for (i = 0; i < n; i++) {
        fuzz_name(attrs[i].name, FOTA_ATTR_NAME_MAX);

        if (attrs[i].value.len > FOTA_ATTR_VALUE_MAX
            || !fota_str_utf8(attrs[i].value))
        {
            abort();
        }

        for (k = 0; k < i; k++) {
            if (fota_str_eq(attrs[i].name, attrs[k].name)) {
                abort();
            }
        }
    }
}


static void
fuzz_check(const fota_check_req_t *r)
{
    uint32_t  i;

    fuzz_name(r->tenant, FOTA_NAME_MAX);
    fuzz_name(r->product, FOTA_NAME_MAX);
    fuzz_name(r->device, FOTA_ID_MAX);

    if (r->version.len > FOTA_VERSION_MAX || r->kind >= FOTA_KIND__N
        || r->navoid > FOTA_AVOID_MAX)
    {
        abort();
    }

    for (i = 0; i < r->navoid; i++) {
        fuzz_name(r->avoid[i], FOTA_NAME_MAX);
    }

    fuzz_attrs(r->attrs, r->nattrs);
}


static void
fuzz_report(const fota_report_req_t *r)
{
    fuzz_name(r->tenant, FOTA_NAME_MAX);
    fuzz_name(r->product, FOTA_NAME_MAX);
    fuzz_name(r->device, FOTA_ID_MAX);

    if (r->rollout == 0 || r->attempt == 0 || r->state >= FOTA_RS__N
        || r->progress > 100 || r->node.len > FOTA_NAME_MAX
        || r->version.len > FOTA_VERSION_MAX
        || r->error_code.len > FOTA_ERROR_CODE_MAX
        || r->error_text.len > FOTA_ERROR_TEXT_MAX)
    {
        abort();
    }

    fuzz_attrs(r->attrs, r->nattrs);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    fota_str_t          in;
    fota_arena_t        arena;
    fota_check_req_t    check;
    fota_report_req_t   report;
    fota_field_error_t  err;

    if (size == 0) {
        return 0;
    }

    fota_arena_init(&arena, 16 << 20);
    memset(&check, 0, sizeof(check));
    memset(&report, 0, sizeof(report));
    memset(&err, 0, sizeof(err));

    in = fota_slice(data + 1, size - 1);

    switch (data[0] & 3) {

    case 1:
        rc = fota_check_req_json(&arena.mem, in, &check, &err);
        break;

    case 2:
        rc = fota_check_req_query(&arena.mem, in, &check, &err);
        break;

    default:
        rc = fota_report_req_json(&arena.mem, in, &report, &err);

        if (rc == FOTA_OK) {
            fuzz_report(&report);
        }

        goto done;
    }

    if (rc == FOTA_OK) {
        fuzz_check(&check);
    }

done:

    if (rc != FOTA_OK
        && (err.field[0] == '\0' || err.reason[0] == '\0'
            || memchr(err.field, '\0', sizeof(err.field)) == NULL))
    {
        abort();
    }

    fota_arena_free(&arena);

    return 0;
}
