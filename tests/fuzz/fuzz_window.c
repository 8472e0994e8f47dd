/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Lines of windows and offsets: what parses must lie within a week and a day,
 * and a time said to open or close must do so.
 */


#include <stdlib.h>

#include "fota_window.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool               open;
    size_t             n, pos, end;
    int32_t            offset;
    int64_t            t, until, next, at, unused;
    fota_str_t         line;
    fota_zone_t        zone;
    fota_clock_t       clock;
    fota_window_t      w[FOTA_WINDOWS_MAX];
    fota_transition_t  tr[2];

    if (size < 8) {
        return 0;
    }

    memcpy(&t, data, 8);
    data += 8;
    size -= 8;

    clock.zone = NULL;
    clock.offset = 0;
    n = 0;

    while (size != 0 && n < FOTA_WINDOWS_MAX) {

        for (end = 0; end < size && data[end] != '\n'; end++) {
            /* void */
        }

        line = fota_slice(data, end);
        data += (end < size) ? end + 1 : end;
        size -= (end < size) ? end + 1 : end;

        if (fota_zone_parse_offset(line, &offset) == FOTA_OK) {
            clock.offset = offset;
            continue;
        }

        if (fota_window_parse(line, &w[n], &pos) != FOTA_OK) {
            if (pos > line.len) {
                abort();
            }

            continue;
        }

        if (w[n].days == 0 || w[n].days > 0x7f || w[n].from > 1439
            || w[n].to > 1440)
        {
            abort();
        }

        n++;
    }

    (void) fota_window_open(w, n, &clock, t, &until, &next);

    /* From here on near the epoch, with an hour skipped and one repeated. */

    t %= (int64_t) 1 << 32;

    if (n != 0 && (w[0].to & 1)) {
        tr[0].at = t - t % 60 + 3600;
        tr[0].offset = clock.offset + 3600;
        tr[1].at = tr[0].at + 7 * 86400;
        tr[1].offset = clock.offset;

        zone.name = fota_cstr("Fuzz");
        zone.initial = clock.offset;
        zone.n = 2;
        zone.transitions = tr;
        clock.zone = &zone;
    }

    open = fota_window_open(w, n, &clock, t, &until, &next);
    at = open ? until : next;

    if (at != INT64_MAX
        && (at <= t
            || fota_window_open(w, n, &clock, at, &until, &unused) == open
            || fota_window_open(w, n, &clock, at - 1, &until, &unused)
               != open))
    {
        abort();
    }

    return 0;
}
