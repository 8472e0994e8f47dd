/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_filter.h"


typedef struct {
    const char  *filter;
    const char  *bytes;         /* without the head */
    size_t       n;
} code_t;


#define bytes(s)  s, sizeof(s) - 1


/* These are in stored policy: a change needs a new FOTA_FILTER_FORMAT. */

static const code_t  codes[] = {
    { "id==a", bytes("\x03\x00\x01\x00" "a") },
    { "id!=a", bytes("\x83\x00\x01\x00" "a") },
    { "country==JP", bytes("\x03\x05\x02\x00" "jp") },
    { "attr.hw=is=null", bytes("\x82\x0a\x02" "hw") },
    { "kind==*", bytes("\x02\x03") },
    { "kind==a*b*", bytes("\x05\x03\x02\x02\x00" "ab" "\x01\x00\x02\x00") },
    { "id=in=(cc,a,b,a)", bytes("\x04\x00\x02\x00\x01\x00\x02\x00" "ab"
                                "\x02\x00\x01\x00" "cc") },
    { "version<=1.0", bytes("\x06\x02\x03\x03\x00" "1.0") },
    { "id>a", bytes("\x07\x00\x04\x01\x00" "a") },
    { "id>=1", bytes("\x08\x00\x06\x00\x00\x00\x00\x00\x00\xf0\x3f") },
    { "asn!=258", bytes("\x89\x09\x02\x02\x01\x00\x00") },
    { "group=in=(gamma,beta)", bytes("\x0a\x04\x02\x00\x03\x00\x00\x00"
                                     "\x84\x03\x00\x00") },
    { "group==all", bytes("\x01\x04") },

    /* a JF end; b   and   a JT end; b */

    { "id==a;kind==*", bytes("\x03\x00\x01\x00" "a" "\x0b\x02\x00"
                             "\x02\x03") },
    { "id==a,kind==*", bytes("\x03\x00\x01\x00" "a" "\x0c\x02\x00"
                             "\x02\x03") },

    /* Three: the jumps go to the same end. */

    { "id==*;tz==*;kind==*", bytes("\x02\x00\x0b\x07\x00\x02\x08"
                                   "\x0b\x02\x00\x02\x03") },

    /* Negation of what a dynamic group says sinks to its tests. */

    { "group!=nest", bytes("\x8a\x04\x01\x00\x03\x00\x00\x00\x0c\x06\x00"
                           "\x83\x03\x02\x00" "os") }
};

#undef bytes


static void
test_codes(void **state)
{
    size_t                 i;
    fota_str_t             code;
    filter_test_t          t;
    fota_filter_groups_t   groups;

    groups.resolve = filter_resolve;

    filter_open(&t);

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        code = filter_code(&t, codes[i].filter, &groups);

        if (code.len != FOTA_FILTER_HEAD + codes[i].n
            || memcmp(code.data + FOTA_FILTER_HEAD, codes[i].bytes,
                      codes[i].n) != 0)
        {
            fail_msg("%s: other code", codes[i].filter);
        }

        assert_int_equal(code.data[0], FOTA_FILTER_FORMAT);
        assert_int_equal(code.data[1] | code.data[2] << 8, code.len);
    }

    filter_close(&t);
}


/* Into a buffer that is in use, that is too small, without memory. */

static void
test_buffers(void **state)
{
    size_t         n;
    uint8_t        mem[256];
    fota_str_t     code;
    fota_buf_t     b;
    filter_test_t  t;

    static const char  filter[] = "id==a or (id==b* and kind=in=(x,yy,z))";

    filter_open(&t);

    code = filter_code(&t, filter, NULL);

    fota_buf_fixed(&b, mem, sizeof(mem));
    fota_buf_cstr(&b, "before");

    assert_int_equal(fota_filter_compile(&t.arena.mem, t.tree, NULL, &b,
                                         &t.err), FOTA_OK);
    assert_int_equal(b.len, 6 + code.len);
    assert_memory_equal(mem, "before", 6);
    assert_memory_equal(mem + 6, code.data, code.len);

    for (n = 0; n < code.len; n++) {
        fota_buf_fixed(&b, mem, n);
        assert_int_equal(fota_filter_compile(&t.arena.mem, t.tree, NULL, &b,
                                             &t.err), FOTA_FULL);
    }

    assert_string_equal(t.err.text, "compiled filter does not fit in 37 "
                        "bytes");

    /* A NULL tree leaves nothing. */

    fota_buf_fixed(&b, mem, 0);
    assert_int_equal(fota_filter_compile(&t.arena.mem, NULL, NULL, &b,
                                         &t.err), FOTA_OK);
    assert_int_equal(b.len, 0);

    filter_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_buffers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
