/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdio.h>

#include "support_filter_gen.h"
#include "fota_version.h"


#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define pick(a)  (a)[gen_below(N(a))]


static uint64_t  gen_state;


/*
 * Chosen for what databases do with them: pad and trim blanks, fold other
 * scripts' letters, take wildcards, read half a number.  No control bytes:
 * neither devices nor the centre's API may send any, see fota_filter_sql.c.
 */

static const char *const  gen_texts[] = {
    "", "a", "A", "a ", " a", "a  ", "ab", "aB", "abc", "b", "B",
    "a%b", "a_b", "axb", "a*b", "a\\b", "a!b", "%", "_", "!", "\\", "'", "\"",
    "null", "NULL", "and", "(a,b)", "a=b", "a,b;c",
    "\xc3\xa9", "\xc3\x89", "e", "\xc3\xa9t\xc3\xa9", "\xc3\x89T\xc3\x89",
    "\xc3\x9f", "ss", "SS", "\xc4\xb1", "i", "I", "\xc4\xb0",
    "\xe2\x84\xaa", "k", "K", "\xc5\xbf", "s", "\xef\xbc\xa1", "\xd0\xb6",
    "\xd0\x96", "\xce\xa3", "\xcf\x83", "\xcf\x82",
    "\xe6\x9d\xb1\xe4\xba\xac", "\xe6\x9d\xb1", "\xe4\xba\xac",
    "\xf0\x9f\x9a\x97", "e\xcc\x81", "\xef\xbf\xbd", "\xc5\xa0", "\xc5\xa1",
    "\xc3\x83\xc2\xa9", "\xe3\x83\x88", "\xc3\xb0\xc3\xbe"
};

static const char *const  gen_numbers[] = {
    "0", "-0", "1", "-1", "5", "05", "5.0", "5.00", "10", "9", "100",
    "1e3", "1E3", "1000", "0x10", "16", " 5", "5 ", "+5", "5.", ".5", "0.5",
    "-0.5", "-.5", "\xd9\xa3", "3", "\xef\xbc\x95", "123456789012345",
    "123456789012346", "1234567890123456", "99999999999999999999", "5a",
    "1_000", "1,5", "0.1", "0.10", "0.30000000000000", "3.14159", "inf", "nan",
    "--5", "1.2.3", "-", ".", "1234567.12345678", "1234567.123456789"
};

static const char *const  gen_versions[] = {
    "0", "0.0", "000", "1", "1.0", "1.0.0", "1.0.1", "v1", "V1.0", "1.10",
    "1.9", "1.09", "2", "10", "1.0-rc1", "1.0-rc.1", "1.0-rc2", "1.0-rc10",
    "1.0-RC1", "1.0~beta", "1.0-alpha.1", "1.0-alpha.beta", "1.0-alpha",
    "1.0+b1", "1.0+b2", "1.a", "1a", "1.0a", "1.0.a", "1_0", "1..0", "a", "b",
    "a.b.c", "A", "V0.9", "V0.9_20260101", "v0.9", "2026.01.02-dev",
    "20260102", "1.0-", "-1.0", "~1", "1.0-1", "1.0-0", "1.0-0a",
    "\xe6\x9d\xb1-1", "\xe6\x9d\xb1", "1.99999999999999999999",
    "1.100000000000000000000", "1.0-rc1.0", "1.0-rc1-x", "1.0.0-rc1",
    "1-rc1", "1rc1", "rc1", "v", "vv1", "1.0.x", "1.0-x.7.z.92", "1.0b-c~d"
};

static const char *const  gen_names[] = {
    "hw", "HW", "hw ", "n", "free space", "\xe9\x9b\xbb\xe6\xba\x90", "a.b",
    "text", "%", "_"
};

static const char *const  gen_countries[] = {
    "JP", "jp", "DE", "De", "US", "\xc3\xa9", "\xc3\x89", ""
};

static const char *const  gen_group_names[] = {
    "g1", "g2", "g3", "g4", "g5", "g6", "g*", "*3", "*", "web", "none"
};


void
gen_seed(uint64_t seed)
{
    gen_state = seed;
}


/* SplitMix64 (Steele, Lea, Flood 2014). */

static uint64_t
gen_next(void)
{
    uint64_t  z;

    gen_state += 0x9e3779b97f4a7c15;
    z = gen_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


static size_t
gen_below(size_t n)
{
    return (size_t) (gen_next() % n);
}


static bool
gen_chance(unsigned percent)
{
    return gen_below(100) < percent;
}


static fota_str_t
gen_text(void)
{
    return fota_cstr(gen_chance(35) ? pick(gen_numbers) : pick(gen_texts));
}


/* A version put together at random, else one of the list. */

static fota_str_t
gen_version(fota_mem_t *mem)
{
    char        text[64];
    size_t      i, n, len;
    fota_str_t  v;

    static const char *const  runs[] = {
        "0", "1", "2", "9", "10", "01", "rc", "a", "b", "x"
    };

    static const char *const  seps[] = {
        ".", ".", ".", "-", "~", "_", "+", ""
    };

    if (gen_chance(60)) {
        return fota_cstr(pick(gen_versions));
    }

    n = 1 + gen_below(5);
    len = 0;

    for (i = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s",
                                 pick(runs), i + 1 < n ? pick(seps) : "");
    }

    v = fota_strdup(mem, fota_slice(text, len));

    return v;
}


static void
gen_loc_text(char *out, size_t size)
{
    fota_str_t  s;

    s = gen_chance(30) ? fota_slice("", 0) : gen_text();

    if (s.len < size) {
        memcpy(out, s.data, s.len);
    }
}


static const fota_location_t *
gen_locate(fota_facts_t *f)
{
    return &((gen_device_t *) f)->loc;
}


void
gen_device(fota_mem_t *mem, gen_device_t *d, unsigned number)
{
    char           id[64];
    size_t         i, n;
    fota_facts_t  *f;
    fota_attr_t   *a;

    memset(d, 0, sizeof(gen_device_t));

    f = &d->facts;
    f->locate = gen_locate;

    /* The number first: the database says that "1" and "1 " are one id. */

    n = (size_t) snprintf(id, sizeof(id), "%u%s%s", number,
                          gen_chance(50) ? "" : "-",
                          gen_chance(50) ? "" : pick(gen_texts));

    f->id = fota_strdup(mem, fota_slice(id, n));
    f->product = fota_cstr(pick(gen_texts));

    /* Products are rows by name, and a name ends in no blank. */

    while (f->product.len > 0
           && f->product.data[f->product.len - 1] == ' ')
    {
        f->product.len--;
    }

    if (f->product.len == 0) {
        f->product = fota_cstr("dash cam");
    }

    if (gen_chance(85)) {
        f->version = gen_version(mem);
    }

    if (gen_chance(80)) {
        f->kind = gen_text();

        if (f->kind.len > 8) {
            f->kind = fota_cstr("os");
        }
    }

    if (gen_chance(40)) {
        f->tz = gen_chance(80) ? gen_text() : fota_cstr("Asia/Tokyo");
    }

    if (gen_chance(85)) {
        strcpy(d->loc.country, pick(gen_countries));
        gen_loc_text(d->loc.region_code, sizeof(d->loc.region_code));
        gen_loc_text(d->loc.region, sizeof(d->loc.region));
        gen_loc_text(d->loc.city, sizeof(d->loc.city));
        gen_loc_text(d->loc.tz, sizeof(d->loc.tz));

        d->loc.asn = (uint32_t[]) { 0, 1, 5, 64500, 4294967295u }[gen_below(5)];
    }

    n = gen_below(GEN_ATTRS + 1);
    f->attrs = d->attrs;

    for (i = 0; i < n; i++) {
        a = &d->attrs[f->nattrs];
        a->name = fota_cstr(pick(gen_names));
        a->value = gen_chance(60) ? fota_cstr(pick(gen_numbers)) : gen_text();

        /* Once each, and of "hw" and "hw " one, as above. */

        if (fota_facts_attr(f, a->name).data == NULL
            && !(a->name.len >= 2 && memcmp(a->name.data, "hw", 2) == 0
                 && (fota_facts_attr(f, fota_cstr("hw")).data != NULL
                     || fota_facts_attr(f, fota_cstr("hw ")).data != NULL)))
        {
            f->nattrs++;
        }
    }

    f->groups = d->groups;

    for (i = 1; i <= GEN_GROUPS; i++) {
        if (gen_chance(20)) {
            d->groups[f->ngroups++] = (uint32_t) i;
        }
    }
}


int
gen_resolve(fota_filter_groups_t *g, fota_str_t pattern, uint32_t *ids,
    size_t cap, size_t *n, fota_str_t *dynamic)
{
    char      name[8];
    uint32_t  i;

    if (fota_str_eq(pattern, fota_cstr("web"))) {
        *dynamic = fota_cstr("attr.hw=ge=3 or group=in=(g1,g2) and kind==a*");
        return FOTA_OK;
    }

    if (fota_str_eq(pattern, fota_cstr("none"))) {
        *dynamic = fota_cstr("");
        return FOTA_OK;
    }

    for (i = 1; i <= GEN_GROUPS; i++) {
        (void) snprintf(name, sizeof(name), "g%u", i);

        if (fota_str_match(pattern, fota_cstr(name))) {
            ids[(*n)++] = i;
        }
    }

    return *n > 0 ? FOTA_OK : FOTA_NOTFOUND;
}


/* A text of the field from one of the devices, or any. */

static fota_str_t
gen_fact(unsigned field, fota_str_t name, const gen_device_t *devices,
    size_t n)
{
    fota_str_t           s;
    const gen_device_t  *d;

    if (gen_chance(30)) {
        return gen_text();
    }

    d = &devices[gen_below(n)];
    s = fota_slice(NULL, 0);

    switch (field) {

    case FOTA_F_ID:
        s = d->facts.id;
        break;

    case FOTA_F_PRODUCT:
        s = d->facts.product;
        break;

    case FOTA_F_VERSION:
        s = d->facts.version;
        break;

    case FOTA_F_KIND:
        s = d->facts.kind;
        break;

    case FOTA_F_COUNTRY:
        s = fota_cstr(d->loc.country);
        break;

    case FOTA_F_REGION:
        s = fota_cstr(gen_chance(50) ? d->loc.region : d->loc.region_code);
        break;

    case FOTA_F_CITY:
        s = fota_cstr(d->loc.city);
        break;

    case FOTA_F_TZ:
        s = d->facts.tz.len > 0 ? d->facts.tz : fota_cstr(d->loc.tz);
        break;

    default:
        s = fota_facts_attr(&d->facts, name);
        break;
    }

    return (s.data == NULL) ? gen_text() : s;
}


/* Quoted; with stars, whole characters are replaced by or followed by "*". */

static void
gen_value(fota_buf_t *out, fota_str_t s, bool stars)
{
    size_t  i, n;

    fota_buf_cstr(out, "'");

    for (i = 0; i < s.len; i += n) {
        n = fota_str_utf8_seq(s.data + i, s.len - i);

        if (stars && gen_chance(25)) {
            fota_buf_cstr(out, "*");

            if (gen_chance(60)) {
                continue;
            }
        }

        /* Some letters the other way: folded fields must not care. */

        if (n == 1 && gen_chance(10) && ((s.data[i] | 0x20) >= 'a'
                                         && (s.data[i] | 0x20) <= 'z'))
        {
            fota_buf_u8(out, s.data[i] ^ 0x20);
            continue;
        }

        if (s.data[i] == '\'' || s.data[i] == '\\' || s.data[i] == '*') {
            fota_buf_cstr(out, "\\");
        }

        fota_buf_put(out, s.data + i, n);
    }

    if (stars && gen_chance(40)) {
        fota_buf_cstr(out, "*");
    }

    fota_buf_cstr(out, "'");
}


static void
gen_operand(fota_buf_t *out, unsigned field, fota_str_t name, bool text,
    const gen_device_t *devices, size_t n)
{
    char        mem[64];
    fota_str_t  s;

    static const char *const  asns[] = {
        "0", "1", "2", "5", "64500", "64501", "4294967295"
    };

    if (field == FOTA_F_GROUP) {
        fota_buf_cstr(out, pick(gen_group_names));
        return;
    }

    if (field == FOTA_F_ASN) {
        fota_buf_cstr(out, pick(asns));
        return;
    }

    if (field == FOTA_F_VERSION && (!text || gen_chance(70))) {
        fota_buf_cstr(out, "'");
        fota_buf_cstr(out, pick(gen_versions));
        fota_buf_cstr(out, "'");
        return;
    }

    s = gen_fact(field, name, devices, n);

    if (field == FOTA_F_VERSION) {

        /* A star at least, else it has to be a version. */

        (void) snprintf(mem, sizeof(mem), "%.*s*",
                        (int) (s.len > 0 && s.len < 40 && s.data[0] < 0x80
                               && s.data[0] > ' '), s.len ? (const char *)
                        s.data : "");

        if (strchr("'\\\"", mem[0]) != NULL) {
            mem[0] = '*';
        }

        fota_buf_printf(out, "'%s'", mem);
        return;
    }

    if (!text && gen_chance(40)) {
        s = fota_cstr(pick(gen_numbers));
    }

    /* The order of numbers with too many digits is refused. */

    if (!text && s.len >= 16) {
        s = fota_cstr("9");
    }

    gen_value(out, s, text && gen_chance(45));
}


static void
gen_term(fota_buf_t *out, const gen_device_t *devices, size_t n)
{
    size_t      i, count;
    unsigned    field, op;
    fota_str_t  name;

    static const char *const  names[] = {
        "id", "product", "version", "kind", "group", "country", "region",
        "city", "tz", "asn"
    };

    static const char *const  orders[] = {
        "=lt=", "=le=", "=gt=", "=ge=", "<", "<=", ">", ">="
    };

    field = (unsigned) gen_below(FOTA_F__N + 4);
    name = fota_slice(NULL, 0);

    if (field >= FOTA_F_ATTR) {
        field = FOTA_F_ATTR;
        name = fota_cstr(pick(gen_names));

        fota_buf_cstr(out, "attr.");

        for (i = 0; i < name.len; i++) {
            if (name.data[i] == ' ') {
                fota_buf_cstr(out, "\\");
            }

            fota_buf_u8(out, name.data[i]);
        }

    } else {
        fota_buf_cstr(out, names[field]);
    }

    op = (unsigned) gen_below(100);

    if (op < 8) {
        fota_buf_cstr(out, gen_chance(50) ? "=is=null" : "=not=null");

    } else if (op < 28) {
        count = 1 + gen_below(6);
        fota_buf_cstr(out, gen_chance(60) ? "=in=(" : "=out=(");

        for (i = 0; i < count; i++) {
            fota_buf_cstr(out, i == 0 ? "" : ",");
            gen_operand(out, field, name, true, devices, n);
        }

        fota_buf_cstr(out, ")");

    } else if (op < 60 || field == FOTA_F_GROUP || field == FOTA_F_COUNTRY
               || field == FOTA_F_REGION || field == FOTA_F_CITY)
    {
        fota_buf_cstr(out, gen_chance(65) ? "==" : "!=");
        gen_operand(out, field, name, true, devices, n);

    } else {
        fota_buf_cstr(out, pick(orders));
        gen_operand(out, field, name, false, devices, n);
    }
}


static void
gen_list(fota_buf_t *out, unsigned depth, const gen_device_t *devices,
    size_t n)
{
    size_t  i, count;

    static const char *const  joiners[] = { " and ", ";", " or ", "," };

    count = 1 + gen_below(depth == 0 ? 4 : 3);

    for (i = 0; i < count; i++) {

        if (i > 0) {
            fota_buf_cstr(out, pick(joiners));
        }

        if (depth < 3 && gen_chance(25)) {
            fota_buf_cstr(out, "(");
            gen_list(out, depth + 1, devices, n);
            fota_buf_cstr(out, ")");

        } else {
            gen_term(out, devices, n);
        }
    }
}


void
gen_filter(fota_buf_t *out, const gen_device_t *devices, size_t n)
{
    /* Half of them single terms: in long filters differences drown. */

    if (gen_chance(50)) {
        fota_buf_reset(out);
        gen_term(out, devices, n);
        return;
    }

    do {
        fota_buf_reset(out);
        gen_list(out, 0, devices, n);
    } while (out->len > FOTA_FILTER_TEXT_MAX);
}
