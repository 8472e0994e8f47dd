/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


typedef struct {
    fota_facts_t     facts;         /* first: locate() gets its address */
    fota_location_t  loc;
    unsigned         located;
} device_t;

typedef struct {
    const char  *filter;
    bool         full;              /* for the device that has all facts */
    bool         bare;              /* for the one that has none */
} row_t;


static const uint32_t  groups_full[] = { 3, 42, 900 };

static const fota_attr_t  attrs_full[] = {
    { fota_string("hw"), fota_string("3") },
    { fota_string("plan"), fota_string("request") },
    { fota_string("empty"), fota_string("") },
    { fota_string("null"), fota_null_str },
    { fota_string("temp"), fota_string("-12.50") },
    { fota_string("text"), fota_string("abc") },
    { fota_string("sp"), fota_string("5 ") },
    { fota_string("exp"), fota_string("1e3") }
};

static const fota_attr_t  set_attrs_full[] = {
    { fota_string("plan"), fota_string("record") }
};


static const row_t  rows[] = {

    { "", true, true },

    /* text */

    { "id==SN-001", true, false },
    { "id==sn-001", false, false },
    { "id==SN-00", false, false },
    { "id!=SN-001", false, true },
    { "id!=other", true, true },
    { "id==''", false, false },
    { "id!=''", true, true },
    { "id=in=(a,SN-001,c)", true, false },
    { "id=in=(a,b,c)", false, false },
    { "id=out=(a,SN-001)", false, true },
    { "id=out=(a,b)", true, true },
    { "id=is=null", false, true },
    { "id=not=null", true, false },
    { "product==dashcam", true, false },
    { "kind==os", true, false },

    /* stars */

    { "id==*", true, false },
    { "id!=*", false, true },
    { "id==SN*", true, false },
    { "id==*001", true, false },
    { "id==*-*", true, false },
    { "id==S*N*-*0*0*1", true, false },
    { "id==SN-001*", true, false },
    { "id==*SN-001", true, false },
    { "id==SN-0*01", true, false },
    { "id==SN-0*001", false, false },
    { "id==SN-001*1", false, false },
    { "id==*SN-001*1", false, false },
    { "id==*0*0*0*", false, false },
    { "id==*01*01*", false, false },
    { "id=in=(x*,SN-*)", true, false },
    { "id=out=(x*,SN-*)", false, true },
    { "id=out=(x*,y)", true, true },
    { "id==SN\\*", false, false },
    { "product==dash\\*", false, false },
    { "product!=dash*", false, true },

    /* versions */

    { "version==1.10", true, false },
    { "version==1.10.0", true, false },
    { "version==v1.10", true, false },
    { "version==1.1", false, false },
    { "version!=1.10.0", false, true },
    { "version<1.9", false, false },
    { "version>1.9", true, false },
    { "version=ge=1.10", true, false },
    { "version=le=1.10.0", true, false },
    { "version=lt=1.10", false, false },
    { "version>1.10-rc1", true, false },
    { "version=in=(0.9,1.10.0)", true, false },
    { "version=out=(0.9,1.10.0)", false, true },
    { "version=in=(0.9,1.*)", true, false },
    { "version==1.1*", true, false },
    { "version==1.10.0*", false, false },
    { "version=is=null", false, true },

    /* attributes */

    { "attr.hw==3", true, false },
    { "attr.hw==3.0", false, false },
    { "attr.hw=ge=3", true, false },
    { "attr.hw=ge=3.0", true, false },
    { "attr.hw<10", true, false },
    { "attr.hw<'10x'", false, false },
    { "attr.hw!=3", false, true },
    { "attr.none!=3", true, true },
    { "attr.none=out=(3)", true, true },
    { "attr.none=is=null", true, true },
    { "attr.none==*", false, false },
    { "attr.none<5", false, false },
    { "attr.none>=a", false, false },
    { "attr.plan==record", true, false },
    { "attr.plan==request", false, false },
    { "attr.empty==''", true, false },
    { "attr.empty==*", true, false },
    { "attr.empty!=''", false, true },
    { "attr.empty=is=null", false, true },
    { "attr.empty=in=('',x)", true, false },
    { "attr.empty<a", true, false },
    { "attr.empty<5", false, false },
    { "attr.null==''", true, false },
    { "attr.null=not=null", true, false },
    { "attr.temp<-12", true, false },
    { "attr.temp<=-12.5", true, false },
    { "attr.temp>-12.5", false, false },
    { "attr.text<5", false, false },
    { "attr.text>5", false, false },
    { "attr.text<abd", true, false },
    { "attr.text>=abc", true, false },
    { "attr.text>ab", true, false },
    { "attr.sp<9", false, false },
    { "attr.sp=='5 '", true, false },
    { "attr.sp==5", false, false },
    { "attr.exp>999", false, false },
    { "attr.HW==3", false, false },

    /* places */

    { "country==JP", true, false },
    { "country==jp", true, false },
    { "country==j*", true, false },
    { "country==J", false, false },
    { "country!=jP", false, true },
    { "country=in=(DE,jp)", true, false },
    { "country=is=null", false, true },
    { "region==Tokyo", true, false },
    { "region==TOKYO", true, false },
    { "region==13", true, false },
    { "region==1*", true, false },
    { "region==14", false, false },
    { "region!=13", false, true },
    { "region!=tokyo", false, true },
    { "region=out=(x,13)", false, true },
    { "region=not=null", true, false },
    { "city==SHINJUKU-\xc5\x8c", true, false },
    { "city==shinjuku-\xc5\x8d", false, false },
    { "city==*JUKU*", true, false },
    { "tz==Asia/Tokyo", true, false },
    { "tz==asia/tokyo", false, false },
    { "asn==64500", true, false },
    { "asn!=64500", false, true },
    { "asn!=1", true, true },
    { "asn=in=(1,64500)", true, false },
    { "asn<64501", true, false },
    { "asn>=64501", false, false },
    { "asn==0", false, false },
    { "asn>=0", true, false },
    { "asn=is=null", false, true },

    /* groups */

    { "group==beta", true, false },
    { "group==alpha", false, false },
    { "group!=alpha", true, true },
    { "group!=beta", false, true },
    { "group==*a", true, false },
    { "group=in=(alpha,gamma)", true, false },
    { "group=out=(alpha,gamma)", false, true },
    { "group==empty", false, false },
    { "group!=empty", true, true },
    { "group=is=null", false, true },
    { "group=not=null", true, false },
    { "group==dyn", true, false },
    { "group!=dyn", false, true },
    { "group==all", true, true },
    { "group!=all", false, false },
    { "group==nest", true, false },
    { "group!=nest", false, true },
    { "group=in=(alpha,nest)", true, false },
    { "group=out=(alpha,nest)", false, true },
    { "group=out=(alpha,all)", false, false },
    { "group!=dyn or id==SN*", true, true },
    { "group!=nest and id==x", false, false },

    /* joined */

    { "id==x or id==y or id==SN*", true, false },
    { "id==SN* and id==*1 and id!=x", true, false },
    { "id==SN* and id==*2 and id!=x", false, false },
    { "id==x or kind==os and id==y", false, false },
    { "(id==SN* or kind==x) and attr.hw==3", true, false },
    { "(id==x or kind==y) and attr.hw==3", false, false },
    { "id==x and kind==os or version==1.10 and (attr.hw==9 or asn==64500)",
      true, false },
    { "(id==x or (kind==os and (asn==1 or (city==* and id!=x))))",
      true, false },
    { "id=is=null or kind==os", true, true },
    { "product==dash* and (city=in=(Tokyo,Osaka) or attr.hw=ge=3) "
      "and version=lt=2.1.0", true, false }
};


static const fota_location_t *
locate(fota_facts_t *f)
{
    device_t  *d;

    d = (device_t *) f;
    d->located++;

    return &d->loc;
}


static void
device_full(device_t *d)
{
    memset(d, 0, sizeof(device_t));

    d->facts.id = fota_cstr("SN-001");
    d->facts.product = fota_cstr("dashcam");
    d->facts.version = fota_cstr("1.10");
    d->facts.kind = fota_cstr("os");
    d->facts.attrs = attrs_full;
    d->facts.nattrs = sizeof(attrs_full) / sizeof(attrs_full[0]);
    d->facts.set_attrs = set_attrs_full;
    d->facts.nset_attrs = 1;
    d->facts.groups = groups_full;
    d->facts.ngroups = 3;
    d->facts.locate = locate;

    strcpy(d->loc.country, "JP");
    strcpy(d->loc.region_code, "13");
    strcpy(d->loc.region, "Tokyo");
    strcpy(d->loc.city, "Shinjuku-\xc5\x8c");
    strcpy(d->loc.tz, "Asia/Tokyo");
    d->loc.asn = 64500;
}


static void
device_bare(device_t *d)
{
    memset(d, 0, sizeof(device_t));
    d->facts.locate = locate;
}


static void
test_rows(void **state)
{
    size_t                 i;
    device_t               full, bare;
    fota_str_t             code;
    filter_test_t          t;
    fota_filter_groups_t   groups;

    groups.resolve = filter_resolve;

    filter_open(&t);
    device_full(&full);
    device_bare(&bare);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        code = filter_code(&t, rows[i].filter, &groups);

        if (fota_filter_eval(code, &full.facts) != rows[i].full) {
            fail_msg("%s: wrong for the full device", rows[i].filter);
        }

        if (fota_filter_eval(code, &bare.facts) != rows[i].bare) {
            fail_msg("%s: wrong for the bare device", rows[i].filter);
        }
    }

    filter_close(&t);
}


/* Large sets: each value is found, none beside them. */

static void
test_set(void **state)
{
    int            i;
    char           text[4096], id[16];
    device_t       d;
    fota_str_t     code;
    filter_test_t  t;

    filter_open(&t);
    device_bare(&d);

    strcpy(text, "id=in=(");

    for (i = 0; i < 256; i++) {
        (void) snprintf(id, sizeof(id), "%s%d", i == 0 ? "" : ",",
                        (i * 7919) % 2003 * 2);
        strcat(text, id);
    }

    strcat(text, ")");

    code = filter_code(&t, text, NULL);

    for (i = 0; i < 256; i++) {
        (void) snprintf(id, sizeof(id), "%d", (i * 7919) % 2003 * 2);
        d.facts.id = fota_cstr(id);
        assert_true(fota_filter_eval(code, &d.facts));

        (void) snprintf(id, sizeof(id), "%d", (i * 7919) % 2003 * 2 + 1);
        d.facts.id = fota_cstr(id);
        assert_false(fota_filter_eval(code, &d.facts));
    }

    filter_close(&t);
}


/* The location is asked for once at most, and only when a test needs it. */

static void
test_lazy(void **state)
{
    size_t         i;
    device_t       d;
    fota_str_t     code;
    filter_test_t  t;

    static const struct {
        const char  *filter;
        unsigned     located;
    } lazy[] = {
        { "id==SN* and version<2 and attr.hw==3", 0 },
        { "id==x and city==y", 0 },
        { "id==SN* or city==y", 0 },
        { "id==SN* and city==y", 1 },
        { "city==y or country==JP and region==13 and asn>5 and tz==*", 1 },
        { "group=is=null or kind==os", 0 }
    };

    filter_open(&t);

    for (i = 0; i < sizeof(lazy) / sizeof(lazy[0]); i++) {
        device_full(&d);
        code = filter_code(&t, lazy[i].filter, NULL);
        (void) fota_filter_eval(code, &d.facts);

        if (d.located != lazy[i].located) {
            fail_msg("%s: located %u times", lazy[i].filter, d.located);
        }
    }

    /* A reported zone spares the location, and wins over it. */

    device_full(&d);
    d.facts.tz = fota_cstr("Europe/Berlin");

    assert_true(fota_filter_eval(filter_code(&t, "tz==Europe/*", NULL),
                                 &d.facts));
    assert_int_equal(d.located, 0);

    filter_close(&t);
}


static void
test_number(void **state)
{
    size_t  i;
    double  v;

    static const struct {
        const char  *text;
        double       value;
    } numbers[] = {
        { "0", 0 }, { "-0", 0 }, { "7", 7 }, { "007", 7 }, { "-12", -12 },
        { "0.5", 0.5 }, { "-0.25", -0.25 }, { "1.10", 1.1 },
        { "123456789012345", 123456789012345 },
        { "-12345678901234.5", -12345678901234.5 },
        { "0.00000000000001", 1e-14 }, { "3.14159265358979", 3.14159265358979 },
        { "99999999999999.9", 99999999999999.9 }
    };

    static const char  *const others[] = {
        "", "-", ".", "-.", ".5", "5.", "-.5", "1.2.3", "1..2", "+5", " 5",
        "5 ", "5\n", "1e3", "1E3", "0x10", "inf", "nan", "1,5", "1_000",
        "--1", "1-", "\xd9\xa3", "\xef\xbc\x95", "1234567890123456",
        "0000000000000001", "1234567890.123456", "5a"
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        v = NAN;

        if (!fota_filter_number(fota_cstr(numbers[i].text), &v)
            || v != numbers[i].value)
        {
            fail_msg("%s: %.17g", numbers[i].text, v);
        }
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (fota_filter_number(fota_cstr(others[i]), &v)) {
            fail_msg("'%s' is a number", others[i]);
        }
    }

    assert_false(fota_filter_number(fota_slice("5\0", 2), &v));
    assert_false(fota_filter_number(fota_slice(NULL, 0), &v));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_number)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
