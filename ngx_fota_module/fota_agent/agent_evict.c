/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "agent_evict.h"


/* So that reports and the policy can go on being written. */
#define FOTA_AGENT_DISK_RESERVE  (16 << 20)


static int fota_agent_evict_order(const void *one, const void *two);


static int
fota_agent_evict_order(const void *one, const void *two)
{
    const fota_agent_stored_t  *a, *b;

    a = one;
    b = two;

    if (a->used != b->used) {
        return (a->used < b->used) ? -1 : 1;
    }

    return strcmp(a->name, b->name);
}


int
fota_agent_evict(fota_agent_stored_t *files, size_t n, uint64_t must)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < n; i++) {
        files[i].evict = 0;

        if (!files[i].keep) {
            sum += files[i].size;
        }
    }

    if (sum < must) {
        return FOTA_FULL;
    }

    if (must == 0) {
        return FOTA_OK;
    }

    qsort(files, n, sizeof(fota_agent_stored_t), fota_agent_evict_order);

    for (i = 0, sum = 0; i < n && sum < must; i++) {
        if (!files[i].keep) {
            files[i].evict = 1;
            sum += files[i].size;
        }
    }

    return FOTA_OK;
}


uint64_t
fota_agent_evict_must(uint64_t used, uint64_t need, uint64_t budget,
    uint64_t avail)
{
    uint64_t  must, disk;

    must = 0;

    if (budget != 0 && used + need > budget) {
        must = used + need - budget;
    }

    disk = need + FOTA_AGENT_DISK_RESERVE;

    if (disk > avail && disk - avail > must) {
        must = disk - avail;
    }

    return must;
}
