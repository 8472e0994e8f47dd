/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * What devices say of themselves, as edges pass it on.  Filters of the centre
 * and the counting of stages know devices by it.
 */

#include "fota_filter.h"
#include "ingest.h"
#include "sql_list.h"


#define FOTA_ATTR_WIDTH  4


/* Of a device that is known: an operator's word is never overwritten. */

int
fota_ingest_attrs_write(fota_ingest_t *in)
{
    size_t                       i, n;
    double                       number;
    fota_db_arg_t               *args, *a;
    const fota_json_t           *name;
    const fota_ingest_device_t  *d;

    for (i = 0, n = 0; i < in->ndevices; i++) {
        d = &in->devices[i];

        if (d->at.attrs != NULL && d->id != 0 && d->product_id != 0) {
            n += d->at.attrs->count / 2;
        }
    }

    if (n == 0) {
        return FOTA_OK;
    }

    args = fota_calloc(in->mem, n, FOTA_ATTR_WIDTH * sizeof(fota_db_arg_t));
    if (args == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0, a = args; i < in->ndevices; i++) {
        d = &in->devices[i];

        if (d->at.attrs == NULL || d->id == 0 || d->product_id == 0) {
            continue;
        }

        for (name = d->at.attrs->child; name != NULL;
             name = name->next->next)
        {
            *a++ = fota_arg_u(d->id);
            *a++ = fota_arg_s(name->str);
            *a++ = (name->next->str.len != 0)
                   ? fota_arg_s(name->next->str) : fota_arg_s(fota_cstr(""));

            if (fota_filter_number(name->next->str, &number)) {
                a->type = 'd';
                a++->d = number;

            } else {
                *a++ = fota_arg_s(fota_slice(NULL, 0));
            }
        }
    }

    return fota_sql_rows(in->db, "INSERT INTO device_attr (device_id, name,"
                         " value, value_num) VALUES", "(?,?,?,?)",
                         " ON DUPLICATE KEY UPDATE"
                         " value = IF(operator_set = 1, value,"
                         " VALUES(value)),"
                         " value_num = IF(operator_set = 1, value_num,"
                         " VALUES(value_num))",
                         args, n, FOTA_ATTR_WIDTH);
}
