/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli_progress.h"


#define FOTA_PROGRESS_BAR  24
#define FOTA_PROGRESS_MS   100


static int64_t
fota_cli_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
fota_cli_bytes(char *out, size_t len, uint64_t n)
{
    double   v;
    size_t   i;

    static const char *const  units[] = {
        "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
    };

    if (n < 1024) {
        (void) snprintf(out, len, "%u B", (unsigned) n);
        return;
    }

    v = (double) n;

    for (i = 0; v >= 1023.95 && i < 6; i++) {
        v /= 1024;
    }

    (void) snprintf(out, len, "%.1f %s", v, units[i]);
}


void
fota_cli_progress_line(const fota_cli_progress_t *p, int64_t now_ms,
    fota_buf_t *out)
{
    char      done[16], total[16], speed[16];
    int64_t   ms;
    uint64_t  i, full, rate, left;

    full = p->total == 0 ? FOTA_PROGRESS_BAR
           : (uint64_t) ((double) p->done / (double) p->total
                         * FOTA_PROGRESS_BAR);

    fota_buf_printf(out, "%s [", p->label);

    for (i = 0; i < FOTA_PROGRESS_BAR; i++) {
        fota_buf_u8(out, i < full ? '=' : i == full ? '>' : ' ');
    }

    fota_cli_bytes(done, sizeof(done), p->done);
    fota_cli_bytes(total, sizeof(total), p->total);

    fota_buf_printf(out, "] %3u%% %s of %s",
                    p->total == 0 ? 100U
                    : (unsigned) ((double) p->done * 100 / (double) p->total),
                    done, total);

    ms = now_ms - p->started_ms;
    rate = ms <= 0 ? 0 : (uint64_t) ((double) (p->done - p->base) * 1000
                                     / (double) ms);
    if (rate == 0) {
        return;
    }

    fota_cli_bytes(speed, sizeof(speed), rate);
    fota_buf_printf(out, ", %s/s", speed);

    if (p->done < p->total) {
        left = (p->total - p->done) / rate;
        fota_buf_printf(out, ", %llu:%02llu left",
                        (unsigned long long) left / 60,
                        (unsigned long long) left % 60);
    }
}


static void
fota_cli_progress_show(fota_cli_progress_t *p, int64_t now)
{
    char        mem[512];
    fota_buf_t  b;

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_cli_progress_line(p, now, &b);

    if (p->tty) {
        (void) fprintf(stderr, "\r%.*s\033[K", (int) b.len, mem);

    } else {
        (void) fprintf(stderr, "%.*s\n", (int) b.len, mem);
    }

    p->shown_ms = now;
}


void
fota_cli_progress_start(fota_cli_progress_t *p, const char *label,
    uint64_t total, bool off)
{
    memset(p, 0, sizeof(*p));
    p->label = label;
    p->total = total;
    p->off = off;
    p->tty = isatty(STDERR_FILENO) == 1;
    p->started_ms = fota_cli_now();
}


void
fota_cli_progress_to(fota_cli_progress_t *p, uint64_t done)
{
    int64_t   now;
    unsigned  tenth;

    p->done = done;

    if (p->off) {
        return;
    }

    now = fota_cli_now();

    if (p->tty) {
        if (now - p->shown_ms >= FOTA_PROGRESS_MS) {
            fota_cli_progress_show(p, now);
        }

        return;
    }

    /* A log wants neither a line per block nor silence for an hour. */

    tenth = p->total == 0 ? 10 : (unsigned) (done / ((p->total + 9) / 10));

    if (tenth > p->tenth && done < p->total
        && now - p->started_ms > 2000 && now - p->shown_ms > 2000)
    {
        p->tenth = tenth;
        fota_cli_progress_show(p, now);
    }
}


void
fota_cli_progress_end(fota_cli_progress_t *p)
{
    if (p->off) {
        return;
    }

    fota_cli_progress_show(p, fota_cli_now());

    if (p->tty) {
        (void) fputc('\n', stderr);
    }
}
