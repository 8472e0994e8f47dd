/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>

#include "cli_table.h"


typedef struct {
    uint32_t  first;
    uint32_t  last;
} fota_cli_range_t;


/*
 * From EastAsianWidth.txt (W and F) and the zero-width categories (Mn, Me,
 * Cf) of Unicode 15, joined to the blocks that names of places, products and
 * people are written in.  The C library's wcwidth() depends on the locale,
 * which scripts often run without.
 */

static const fota_cli_range_t  fota_cli_wide[] = {
    { 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x2329, 0x232a },
    { 0x23e9, 0x23ec }, { 0x25fd, 0x25fe }, { 0x2614, 0x2615 },
    { 0x2648, 0x2653 }, { 0x26a1, 0x26a1 }, { 0x26aa, 0x26ab },
    { 0x26bd, 0x26be }, { 0x26d4, 0x26d4 }, { 0x2705, 0x2705 },
    { 0x270a, 0x270b }, { 0x274c, 0x274c }, { 0x2753, 0x2755 },
    { 0x2757, 0x2757 }, { 0x2795, 0x2797 }, { 0x2b1b, 0x2b1c },
    { 0x2b50, 0x2b50 }, { 0x2b55, 0x2b55 }, { 0x2e80, 0x303e },
    { 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },
    { 0xa000, 0xa4cf }, { 0xa960, 0xa97f }, { 0xac00, 0xd7a3 },
    { 0xf900, 0xfaff }, { 0xfe10, 0xfe19 }, { 0xfe30, 0xfe6f },
    { 0xff01, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x16fe0, 0x18cff },
    { 0x1aff0, 0x1b2ff }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf },
    { 0x1f18e, 0x1f19a }, { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 },
    { 0x1f337, 0x1f37c }, { 0x1f37e, 0x1f393 }, { 0x1f3a0, 0x1f3ca },
    { 0x1f3cf, 0x1f3d3 }, { 0x1f3e0, 0x1f3f0 }, { 0x1f3f4, 0x1f3f4 },
    { 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 }, { 0x1f442, 0x1f4fc },
    { 0x1f4ff, 0x1f53d }, { 0x1f54b, 0x1f567 }, { 0x1f57a, 0x1f57a },
    { 0x1f595, 0x1f596 }, { 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f },
    { 0x1f680, 0x1f6c5 }, { 0x1f6cc, 0x1f6cc }, { 0x1f6d0, 0x1f6fc },
    { 0x1f7e0, 0x1f7f0 }, { 0x1f90c, 0x1f9ff }, { 0x1fa70, 0x1faff },
    { 0x20000, 0x3fffd }
};

static const fota_cli_range_t  fota_cli_zero[] = {
    { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
    { 0x05bf, 0x05bf }, { 0x05c1, 0x05c2 }, { 0x05c4, 0x05c5 },
    { 0x0610, 0x061a }, { 0x064b, 0x065f }, { 0x0670, 0x0670 },
    { 0x06d6, 0x06dc }, { 0x06df, 0x06e4 }, { 0x06e7, 0x06e8 },
    { 0x06ea, 0x06ed }, { 0x0900, 0x0902 }, { 0x093c, 0x093c },
    { 0x0941, 0x0948 }, { 0x094d, 0x094d }, { 0x0e31, 0x0e31 },
    { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1160, 0x11ff },
    { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
    { 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0x20d0, 0x20ff },
    { 0x302a, 0x302d }, { 0x3099, 0x309a }, { 0xfe00, 0xfe0f },
    { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff },
    { 0xe0100, 0xe01ef }
};

#define FOTA_NRANGES(t)  (sizeof(t) / sizeof((t)[0]))


static bool
fota_cli_within(const fota_cli_range_t *t, size_t n, uint32_t c)
{
    size_t  lo, mid;

    for (lo = 0; lo < n; /* void */ ) {
        mid = lo + (n - lo) / 2;

        if (c < t[mid].first) {
            n = mid;

        } else if (c > t[mid].last) {
            lo = mid + 1;

        } else {
            return true;
        }
    }

    return false;
}


static uint32_t
fota_cli_char(const uint8_t *p, size_t len)
{
    switch (len) {

    case 2:
        return (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);

    case 3:
        return (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);

    case 4:
        return (p[0] & 0x07U) << 18 | (p[1] & 0x3fU) << 12
               | (p[2] & 0x3fU) << 6 | (p[3] & 0x3fU);

    default:
        return p[0];
    }
}


size_t
fota_cli_width(fota_str_t s)
{
    size_t    i, n, width;
    uint32_t  c;

    width = 0;

    for (i = 0; i < s.len; i += n) {
        n = fota_str_utf8_seq(s.data + i, s.len - i);

        if (n < 2) {
            n = 1;
            width++;
            continue;
        }

        c = fota_cli_char(s.data + i, n);

        /* Zero first: the combining kana marks lie in a wide block. */

        if (fota_cli_within(fota_cli_zero, FOTA_NRANGES(fota_cli_zero), c)) {
            continue;
        }

        width += fota_cli_within(fota_cli_wide, FOTA_NRANGES(fota_cli_wide),
                                 c) ? 2 : 1;
    }

    return width;
}


/* C0, DEL, C1, and the marks that turn the direction of text. */

static bool
fota_cli_harms(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0)
           || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}


void
fota_cli_clean(fota_buf_t *out, fota_str_t s)
{
    size_t    i, n;
    uint32_t  c;

    for (i = 0; i < s.len; i += n) {
        n = fota_str_utf8_seq(s.data + i, s.len - i);

        if (n == 0) {
            n = 1;
            fota_buf_u8(out, '?');
            continue;
        }

        c = fota_cli_char(s.data + i, n);

        if (fota_cli_harms(c)) {
            fota_buf_u8(out, c == '\n' || c == '\t' ? ' ' : '?');
            continue;
        }

        fota_buf_put(out, s.data + i, n);
    }
}


void
fota_cli_clean_json(fota_buf_t *out, fota_str_t s)
{
    size_t    i, n;
    uint32_t  c;

    for (i = 0; i < s.len; i += n) {
        n = fota_str_utf8_seq(s.data + i, s.len - i);

        if (n == 0) {
            n = 1;
        }

        c = fota_cli_char(s.data + i, n);

        /* Line ends are between values; in them they are escaped already. */

        if (c != '\n' && fota_cli_harms(c)) {
            fota_buf_printf(out, "\\u%04x", (unsigned) c);
            continue;
        }

        fota_buf_put(out, s.data + i, n);
    }
}


void
fota_cli_say(const char *who, const char *fmt, va_list args)
{
    int          n;
    char        *text;
    fota_buf_t   out;

    n = vasprintf(&text, fmt, args);
    if (n == -1) {
        return;
    }

    fota_buf_grow(&out, SIZE_MAX / 2);
    fota_cli_clean(&out, fota_cstr(who));
    fota_buf_cstr(&out, ": ");
    fota_cli_clean(&out, fota_slice(text, (size_t) n));
    fota_buf_u8(&out, '\n');

    (void) fwrite(out.start, 1, out.len, stderr);

    fota_buf_free(&out);
    free(text);
}


void
fota_cli_table_init(fota_cli_table_t *t, size_t ncols)
{
    memset(t, 0, sizeof(*t));
    t->ncols = ncols < FOTA_CLI_COLUMNS_MAX ? ncols : FOTA_CLI_COLUMNS_MAX;
}


int
fota_cli_table_row(fota_cli_table_t *t, const fota_str_t *cells)
{
    size_t       i, cap;
    fota_buf_t   b;
    fota_str_t  *p, *row;

    if (t->nrows == t->cap) {
        cap = t->cap == 0 ? 16 : t->cap * 2;
        p = realloc(t->cells, cap * t->ncols * sizeof(fota_str_t));

        if (p == NULL) {
            return FOTA_NOMEM;
        }

        t->cells = p;
        t->cap = cap;
    }

    row = t->cells + t->nrows * t->ncols;

    for (i = 0; i < t->ncols; i++) {
        fota_buf_grow(&b, SIZE_MAX / 2);
        fota_cli_clean(&b, cells[i]);

        if (b.status != FOTA_OK) {
            fota_buf_free(&b);

            while (i-- > 0) {
                free((void *) row[i].data);
            }

            return FOTA_NOMEM;
        }

        row[i] = fota_buf_slice(&b);
    }

    t->nrows++;

    return FOTA_OK;
}


static void
fota_cli_blanks(fota_buf_t *out, size_t n)
{
    while (n-- > 0) {
        fota_buf_u8(out, ' ');
    }
}


void
fota_cli_table_text(const fota_cli_table_t *t, fota_buf_t *out)
{
    size_t       i, k, n, gap, width[FOTA_CLI_COLUMNS_MAX];
    fota_str_t  *row;

    memset(width, 0, sizeof(width));

    for (i = 0; i < t->nrows; i++) {
        for (k = 0; k < t->ncols; k++) {
            n = fota_cli_width(t->cells[i * t->ncols + k]);
            width[k] = n > width[k] ? n : width[k];
        }
    }

    for (i = 0; i < t->nrows; i++) {
        row = t->cells + i * t->ncols;
        gap = 0;

        for (k = 0; k < t->ncols; k++) {
            n = width[k] - fota_cli_width(row[k]);

            if (t->right[k]) {
                gap += n;
                n = 0;
            }

            if (row[k].len != 0) {
                fota_cli_blanks(out, gap);
                fota_buf_str(out, row[k]);
                gap = 0;

            } else if (t->right[k]) {
                n = 0;
            }

            gap += n + 2;
        }

        fota_buf_u8(out, '\n');
    }
}


void
fota_cli_table_free(fota_cli_table_t *t)
{
    size_t  i;

    for (i = 0; i < t->nrows * t->ncols; i++) {
        free((void *) t->cells[i].data);
    }

    free(t->cells);
    memset(t, 0, sizeof(*t));
}
