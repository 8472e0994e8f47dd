/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_node_run.h"


static int fota_node_by_id(const void *a, const void *b);


static const char  *fota_node_reasons[] = {
    "picked", "candidate", "state", "family", "tenant", "scope", "excluded",
    "avoided", "pool", "key", "far", "full", "site"
};


const char *
fota_node_reason_name(fota_node_reason_e r)
{
    if ((unsigned) r > FOTA_N_SITE) {
        return "unknown";
    }

    return fota_node_reasons[r];
}


void
fota_node_vector(double lat, double lon, double v[3])
{
    double  c;

    lat *= M_PI / 180;
    lon *= M_PI / 180;

    c = cos(lat);

    v[0] = c * cos(lon);
    v[1] = c * sin(lon);
    v[2] = sin(lat);
}


double
fota_node_km(const double v[3], const fota_node_entry_t *e)
{
    return fota_node_arc(v, e);
}


static int
fota_node_by_id(const void *a, const void *b)
{
    uint32_t  x, y;

    x = ((const fota_node_entry_t *) a)->node.id;
    y = ((const fota_node_entry_t *) b)->node.id;

    return (x > y) - (x < y);
}


int
fota_node_set_build(fota_mem_t *mem, const fota_node_t *nodes, uint32_t n,
    fota_node_set_t *out)
{
    double              v[3];
    uint32_t            i;
    fota_node_entry_t  *e;

    out->n = 0;
    out->nodes = NULL;

    if (n > FOTA_NODES_MAX) {
        return FOTA_LIMIT;
    }

    e = fota_calloc(mem, n, sizeof(fota_node_entry_t));

    if (e == NULL) {
        return FOTA_NOMEM;
    }

    for (i = 0; i < n; i++) {

        /* The negation takes NaN too. */

        if (!(fabs(nodes[i].lat) <= 90 && fabs(nodes[i].lon) <= 180)) {
            return FOTA_INVALID;
        }

        fota_node_vector(nodes[i].lat, nodes[i].lon, v);

        e[i].node = nodes[i];
        e[i].x = v[0];
        e[i].y = v[1];
        e[i].z = v[2];
    }

    qsort(e, n, sizeof(fota_node_entry_t), fota_node_by_id);

    for (i = 1; i < n; i++) {
        if (e[i].node.id == e[i - 1].node.id) {
            return FOTA_INVALID;
        }
    }

    out->n = n;
    out->nodes = e;

    return FOTA_OK;
}
