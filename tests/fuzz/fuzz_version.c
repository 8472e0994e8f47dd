/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdlib.h>

#include "fota_version.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int
fuzz_sign(int v)
{
    return (v > 0) - (v < 0);
}


/* Three versions parted by line ends have to be in a total order. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i, k, m, r[3][3];
    uint8_t         key[3][FOTA_VERSION_KEY_MAX];
    fota_str_t      v[3], s[3];
    const uint8_t  *end, *p;

    p = data;
    end = data + size;

    for (i = 0; i < 3; i++) {
        v[i] = fota_slice(p, 0);

        while (p != end && *p != '\n') {
            p++;
            v[i].len++;
        }

        if (p != end) {
            p++;
        }

        (void) fota_version_check(v[i]);

        s[i] = fota_slice(key[i], fota_version_key(key[i], v[i]));
    }

    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) {
            r[i][k] = fuzz_sign(fota_version_cmp(v[i], v[k]));

            if ((r[i][k] == 0) != fota_str_eq(v[i], v[k])) {
                abort();
            }

            if (v[i].len <= FOTA_VERSION_MAX && v[k].len <= FOTA_VERSION_MAX
                && fuzz_sign(fota_version_order(v[i], v[k]))
                   != fuzz_sign(fota_str_cmp(s[i], s[k])))
            {
                abort();
            }
        }
    }

    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) {
            if (r[i][k] != -r[k][i]) {
                abort();
            }

            for (m = 0; m < 3; m++) {
                if (r[i][k] >= 0 && r[k][m] >= 0
                    && r[i][m] < ((r[i][k] | r[k][m]) != 0))
                {
                    abort();
                }
            }
        }
    }

    return 0;
}
