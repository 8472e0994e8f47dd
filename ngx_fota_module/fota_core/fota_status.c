/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stddef.h>

#include "fota_status.h"


static const char *const  fota_status_names[] = {
    "ok",
    "error",
    "no_memory",
    "invalid",
    "limit",
    "not_found",
    "exists",
    "truncated",
    "corrupt",
    "too_new",
    "full",
    "stale",
    "expired",
    "unknown_key",
    "forged",
    "scope",
    "binding",
    "revoked",
    "io",
    "busy",
    "diverged"
};


const char *
fota_status_name(fota_status_e st)
{
    int     v;
    size_t  n;

    v = (int) st;
    n = sizeof(fota_status_names) / sizeof(fota_status_names[0]);

    if (v > 0 || v <= -(int) n) {
        return "unknown";
    }

    return fota_status_names[-v];
}
