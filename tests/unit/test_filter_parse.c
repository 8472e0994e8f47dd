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
    const char  *text;
    const char  *tree;
} accept_t;

typedef struct {
    const char  *text;
    size_t       column;
    const char  *message;
} reject_t;


/* (and a b) of terms "field op value|value"; "*" is a star, "\*" its byte. */

static void
print_value(fota_buf_t *b, const fota_filter_value_t *v)
{
    size_t  i, cut;

    for (i = 0, cut = 0; i <= v->text.len; i++) {

        if (cut < v->ncuts && v->cuts[cut] == i) {
            fota_buf_cstr(b, "*");
            cut++;
        }

        if (i < v->text.len) {
            if (v->text.data[i] == '*') {
                fota_buf_cstr(b, "\\");
            }

            fota_buf_u8(b, v->text.data[i]);
        }
    }
}


static void
print_tree(fota_buf_t *b, const fota_filter_node_t *node)
{
    const fota_filter_node_t   *child;
    const fota_filter_value_t  *v;

    static const char *const  order[] = {
        "", " lt ", "", " le ", " gt ", "", " ge ", ""
    };

    if (node == NULL) {
        fota_buf_cstr(b, "all");
        return;
    }

    if (node->type != FOTA_FILTER_TERM) {
        fota_buf_cstr(b, node->type == FOTA_FILTER_AND ? "(and" : "(or");

        for (child = node->child; child != NULL; child = child->next) {
            fota_buf_cstr(b, " ");
            print_tree(b, child);
        }

        fota_buf_cstr(b, ")");
        return;
    }

    fota_buf_cstr(b, "[");
    fota_buf_cstr(b, fota_filter_field_name(node->field));

    if (node->field == FOTA_F_ATTR) {
        fota_buf_cstr(b, ".");
        fota_buf_str(b, node->attr);
    }

    if (node->test == FOTA_FILTER_PRESENT) {
        fota_buf_cstr(b, node->negated ? " null" : " set");

    } else {
        fota_buf_cstr(b, node->test == FOTA_FILTER_ORDER ? order[node->mask]
                         : node->negated ? " ne " : " eq ");
    }

    for (v = node->values; v != NULL; v = v->next) {
        print_value(b, v);

        if (v->next != NULL) {
            fota_buf_cstr(b, "|");
        }
    }

    fota_buf_cstr(b, "]");
}


static const accept_t  accepts[] = {

    { "", "all" },
    { " \t\r\n ", "all" },

    /* operators */

    { "id==a", "[id eq a]" },
    { "id!=a", "[id ne a]" },
    { "id=lt=a", "[id lt a]" },
    { "id=le=a", "[id le a]" },
    { "id=gt=a", "[id gt a]" },
    { "id=ge=a", "[id ge a]" },
    { "id<a", "[id lt a]" },
    { "id<=a", "[id le a]" },
    { "id>a", "[id gt a]" },
    { "id>=a", "[id ge a]" },
    { "id=in=(a)", "[id eq a]" },
    { "id=in=(a,b,c)", "[id eq a|b|c]" },
    { "id=out=( a , 'b c' )", "[id ne a|b c]" },
    { "id=is=null", "[id null]" },
    { "id=is=NULL", "[id null]" },
    { "id=not=null", "[id set]" },
    { "  id  ==  a  ", "[id eq a]" },
    { "id <\n5", "[id lt 5]" },

    /* fields */

    { "id==x;product==x;version==1;kind==x;group==x;country==x;region==x;"
      "city==x;tz==x;asn==1;attr.x==x",
      "(and [id eq x] [product eq x] [version eq 1] [kind eq x] "
      "[group eq x] [country eq x] [region eq x] [city eq x] [tz eq x] "
      "[asn eq 1] [attr.x eq x])" },
    { "attr.a.b-c_d:e/f==x", "[attr.a.b-c_d:e/f eq x]" },
    { "attr.free\\ space=gt=5", "[attr.free space gt 5]" },
    { "attr.\xe6\x9d\xb1==1", "[attr.\xe6\x9d\xb1 eq 1]" },

    /* precedence and spelling of the joiners */

    { "id==a and id==b", "(and [id eq a] [id eq b])" },
    { "id==a;id==b", "(and [id eq a] [id eq b])" },
    { "id==a or id==b", "(or [id eq a] [id eq b])" },
    { "id==a,id==b", "(or [id eq a] [id eq b])" },
    { "id==a AND id==b Or id==c", "(or (and [id eq a] [id eq b]) [id eq c])" },
    { "id==a or id==b and id==c", "(or [id eq a] (and [id eq b] [id eq c]))" },
    { "id==a,id==b;id==c,id==d",
      "(or [id eq a] (and [id eq b] [id eq c]) [id eq d])" },
    { "(id==a or id==b) and id==c",
      "(and (or [id eq a] [id eq b]) [id eq c])" },
    { "(id==a)and(id==b)or(id==c)",
      "(or (and [id eq a] [id eq b]) [id eq c])" },
    { "((((id==a))))", "[id eq a]" },
    { "id==a;id==b;id==c", "(and [id eq a] [id eq b] [id eq c])" },
    { "id==a;(id==b;id==c)", "(and [id eq a] (and [id eq b] [id eq c]))" },
    { "id==and and id==or", "(and [id eq and] [id eq or])" },
    { "id==android", "[id eq android]" },
    { "product==dash* and (city=in=(Tokyo,Osaka) or attr.hw=ge=3) "
      "and version=lt=2.1.0",
      "(and [product eq dash*] (or [city eq Tokyo|Osaka] [attr.hw ge 3]) "
      "[version lt 2.1.0])" },

    /* quoting, escapes, stars */

    { "id=='a b'", "[id eq a b]" },
    { "id==\"a'b\"", "[id eq a'b]" },
    { "id=='a\\'b\\\\c'", "[id eq a'b\\c]" },
    { "id==''", "[id eq ]" },
    { "id=='and'", "[id eq and]" },
    { "id=='(a,b;c)'", "[id eq (a,b;c)]" },
    { "id=='line\nbreak\ttab'", "[id eq line\nbreak\ttab]" },
    { "id==a\\,b\\ c\\=d\\;", "[id eq a,b c=d;]" },
    { "id==a~b-c.d+e/f:g@h#i%j&k|l^m$n?o[p]q{r}",
      "[id eq a~b-c.d+e/f:g@h#i%j&k|l^m$n?o[p]q{r}]" },
    { "id==*", "[id eq *]" },
    { "id==a*b", "[id eq a*b]" },
    { "id=='a*b'", "[id eq a*b]" },
    { "id==**a***b**", "[id eq *a*b*]" },
    { "id==a\\*b*", "[id eq a\\*b*]" },
    { "id==*\\**", "[id eq *\\**]" },
    { "id=in=(a*,'*b',c)", "[id eq a*|*b|c]" },
    { "id=lt=a*b", "[id lt a\\*b]" },
    { "version==1.*", "[version eq 1.*]" },

    /* UTF-8 */

    { "city==\xe6\x9d\xb1\xe4\xba\xac", "[city eq \xe6\x9d\xb1\xe4\xba\xac]" },
    { "city=='S\xc3\xa3o Paulo'", "[city eq S\xc3\xa3o Paulo]" },
    { "id==\xf0\x9f\x9a\x97*", "[id eq \xf0\x9f\x9a\x97*]" },

    /* values with rules */

    { "asn==0", "[asn eq 0]" },
    { "asn<=4294967295", "[asn le 4294967295]" },
    { "attr.n<123456789012345", "[attr.n lt 123456789012345]" },
    { "attr.n<-12345678901234.5", "[attr.n lt -12345678901234.5]" },
    { "attr.n<1234567890123456x", "[attr.n lt 1234567890123456x]" },
    { "attr.n==1234567890123456", "[attr.n eq 1234567890123456]" }
};


static const reject_t  rejects[] = {

    /* fields */

    { "modle==x", 1, "unknown field 'modle'; did you mean 'product'?" },
    { "id==a and verison==x", 11,
      "unknown field 'verison'; did you mean 'version'?" },
    { "contry==JP", 1, "unknown field 'contry'; did you mean 'country'?" },
    { "ID==x", 1, "unknown field 'ID'; did you mean 'id'?" },
    { "di==x", 1, "unknown field 'di'; did you mean 'id'?" },
    { "City==x", 1, "unknown field 'City'; did you mean 'city'?" },
    { "attr==x", 1, "unknown field 'attr'; did you mean 'attr.NAME'?" },
    { "timezone==x", 1, "unknown field 'timezone'; did you mean 'tz'?" },
    { "hardware==x", 1, "unknown field 'hardware'; fields are id, product, "
      "version, kind, group, country, region, city, tz, asn and attr.NAME" },
    { "attr.==x", 1, "expected the name of an attribute after 'attr.'" },
    { "city==\xe6\x9d\xb1\xe4\xba\xac and x==y", 14,
      "unknown field 'x'; fields are id, product, version, kind, group, "
      "country, region, city, tz, asn and attr.NAME" },

    /* operators */

    { "id", 3, "expected an operator after 'id', found the end of the "
      "filter" },
    { "id like x", 4, "expected an operator after 'id', found 'like'" },
    { "id ! x", 4, "expected an operator after 'id', found '!'" },
    { "id=a", 3, "unknown operator '='; did you mean '=='?" },
    { "id =", 4, "unknown operator '='; did you mean '=='?" },
    { "id=lte=a", 3, "unknown operator '=lte='; did you mean '=le='?" },
    { "id=uot=(a)", 3, "unknown operator '=uot='; did you mean '=out='?" },
    { "id=xyzzy=a", 3, "unknown operator '=xyzzy='; operators are == != < <= "
      "> >= =lt= =le= =gt= =ge= =in= =out= =is= =not=" },

    /* values */

    { "id==", 5, "expected a value, found the end of the filter" },
    { "id== ;id==a", 6, "expected a value, found ';'" },
    { "id==(a)", 5, "'==' takes one value; use =in= or =out= for a list" },
    { "id=lt=(a,b)", 7,
      "'=lt=' takes one value; use =in= or =out= for a list" },
    { "id=in=a", 7, "expected '(' before the list of values, found 'a'" },
    { "id=in=", 7, "expected '(' before the list of values, found the end "
      "of the filter" },
    { "id=in=()", 8, "expected a value, found ')'" },
    { "id=in=(a", 7, "this '(' is never closed" },
    { "id=in=(a b)", 10, "expected ',' or ')' in the list, found 'b'" },
    { "id=in=(a,)", 10, "expected a value, found ')'" },
    { "id=in=((a))", 8, "'=in=' takes one value; use =in= or =out= for a "
      "list" },
    { "id=is=nil", 7, "'=is=' takes only the word null" },
    { "id=not=\"x\"", 8, "'=not=' takes only the word null" },
    { "id=='a", 5, "this quote is never closed" },
    { "id==\"a' and id==b", 5, "this quote is never closed" },
    { "id==a\\", 6, "a backslash goes only before punctuation; write \\\\ "
      "for itself" },
    { "id=='a\\n'", 7, "a backslash goes only before punctuation; write "
      "\\\\ for itself" },
    { "id==\\\xc3\xa9", 5, "a backslash goes only before punctuation; write "
      "\\\\ for itself" },

    /* structure */

    { "==a", 1, "expected a field or '(', found '='" },
    { "'id'==a", 1, "expected a field or '(', found '''" },
    { "()", 2, "expected a field or '(', found ')'" },
    { "(id==a", 1, "this '(' is never closed" },
    { "id==a)", 6, "')' without a '('" },
    { "(id==a id==b)", 8, "expected 'and', 'or' or ')', found 'id'" },
    { "id==a id==b", 7, "expected 'and', 'or' or the end, found 'id'" },
    { "id==a && id==b", 7, "expected 'and', 'or' or the end, found '&&'" },
    { "id=='a'b", 8, "expected 'and', 'or' or the end, found 'b'" },
    { "id==a and", 10,
      "expected a field or '(', found the end of the filter" },
    { "id==a or or id==b", 10, "expected a field or '(', found 'or'" },
    { "AND id==a", 1, "expected a field or '(', found 'AND'" },
    { "not id==a", 1, "unknown field 'not'; fields are id, product, version, "
      "kind, group, country, region, city, tz, asn and attr.NAME" },

    /* bytes */

    { "id==a\x01", 6, "control character 0x01" },
    { "id=='\x7f'", 6, "control character 0x7f" },
    { "id==\xe6\x9d\xb1\xff", 6, "byte 0xff is not UTF-8" },
    { "id==\xc0\xaf", 5, "byte 0xc0 is not UTF-8" },
    { "id==\xed\xa0\x80", 5, "byte 0xed is not UTF-8" },
    { "id==\xe6\x9d", 5, "byte 0xe6 is not UTF-8" },

    /* rules of fields */

    { "version==''", 10, "'' is not a version" },
    { "version==-.-", 10, "'-.-' is not a version" },
    { "version=lt='1 0'", 12, "'1 0' is not a version" },
    { "version=in=(1.0,'2 0')", 17, "'2 0' is not a version" },
    { "version=lt=*", 12, "'*' is not a version" },
    { "asn==x", 6, "asn takes a whole number from 0 to 4294967295" },
    { "asn==-1", 6, "asn takes a whole number from 0 to 4294967295" },
    { "asn==64*", 6, "asn takes a whole number from 0 to 4294967295" },
    { "asn<4294967296", 5, "asn takes a whole number from 0 to 4294967295" },
    { "asn=in=(1,2.5)", 11, "asn takes a whole number from 0 to 4294967295" },
    { "group==''", 8, "the name of a group is not empty" },
    { "group==a\\*", 8, "the name of a group has no '*'" },
    { "group=lt=a", 1, "'group' has no order, '=lt=' does not apply; use == "
      "!= =in= =out= =is= =not=" },
    { "id==a;country>=JP", 7, "'country' has no order, '>=' does not apply; "
      "use == != =in= =out= =is= =not=" },
    { "region<x", 1, "'region' has no order, '<' does not apply; use == != "
      "=in= =out= =is= =not=" },
    { "city>x", 1, "'city' has no order, '>' does not apply; use == != =in= "
      "=out= =is= =not=" },

    /* long words are cut in messages, at a character */

    { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee==x", 1,
      "unknown field 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee...'; "
      "fields are id, product, version, kind, group, country, region, city, "
      "tz, asn and attr.NAME" }
};


static void
test_accepts(void **state)
{
    size_t         i;
    fota_str_t     tree;
    fota_buf_t     b;
    filter_test_t  t;

    filter_open(&t);
    fota_buf_grow(&b, 1 << 16);

    for (i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {

        if (filter_parse(&t, accepts[i].text) != FOTA_OK) {
            fail_msg("%s: column %zu: %s", accepts[i].text, t.err.column,
                     t.err.text);
        }

        fota_buf_reset(&b);
        print_tree(&b, t.tree);
        tree = fota_buf_slice(&b);

        if (!fota_str_eq(tree, fota_cstr(accepts[i].tree))) {
            fail_msg("%s: tree %.*s", accepts[i].text, (int) tree.len,
                     (const char *) tree.data);
        }
    }

    fota_buf_free(&b);
    filter_close(&t);
}


static void
test_rejects(void **state)
{
    size_t             i;
    filter_test_t      t;
    const reject_t    *r;

    filter_open(&t);

    for (i = 0; i < sizeof(rejects) / sizeof(rejects[0]); i++) {
        r = &rejects[i];

        if (filter_parse(&t, r->text) != FOTA_INVALID) {
            fail_msg("%s: not refused as invalid", r->text);
        }

        assert_null(t.tree);

        if (t.err.column != r->column || strcmp(t.err.text, r->message) != 0) {
            fail_msg("%s: column %zu: %s", r->text, t.err.column, t.err.text);
        }

        /* Without a place for the error the result is the same. */

        assert_int_equal(fota_filter_parse(&t.arena.mem, fota_cstr(r->text),
                                           &t.tree, NULL), FOTA_INVALID);
    }

    filter_close(&t);
}


/* head, n times piece with sep between, tail. */

static const char *
repeat(const char *head, const char *piece, const char *sep, size_t n,
    const char *tail)
{
    size_t  i;

    static char  text[1 << 16];

    strcpy(text, head);

    for (i = 0; i < n; i++) {
        strcat(text, i == 0 ? "" : sep);
        strcat(text, piece);
    }

    return strcat(text, tail);
}


static void
expect_limit(filter_test_t *t, const char *text, size_t column,
    const char *message)
{
    if (filter_parse(t, text) != FOTA_LIMIT) {
        fail_msg("%.60s: not refused by a limit", text);
    }

    if (t->err.column != column || strcmp(t->err.text, message) != 0) {
        fail_msg("%.60s: column %zu: %s", text, t->err.column, t->err.text);
    }
}


static void
test_limits(void **state)
{
    filter_test_t  t;

    filter_open(&t);

    /* text: 4096 bytes */

    assert_int_equal(filter_parse(&t, repeat("id==a", " ", "", 4091, "")),
                     FOTA_OK);
    expect_limit(&t, repeat("id==a", " ", "", 4092, ""), 1,
                 "filter is 4097 bytes long; the limit is 4096");

    /* depth: 16 */

    assert_int_equal(filter_parse(&t, repeat("", "(", "", 16,
                                  "id==a))))))))))))))))")), FOTA_OK);
    expect_limit(&t, repeat("", "(", "", 17, "id==a)))))))))))))))))"), 17,
                 "parentheses are nested 17 deep; the limit is 16");

    /* The depth is of what is open, not of what has been. */

    assert_int_equal(filter_parse(&t, repeat("", "(id==a)", ";", 40, "")),
                     FOTA_OK);

    /* comparisons: 256 */

    assert_int_equal(filter_parse(&t, repeat("", "id==a", ";", 256, "")),
                     FOTA_OK);
    expect_limit(&t, repeat("", "id==a", ",", 257, ""), 1537,
                 "filter has more than 256 comparisons, the limit");

    /* list: 256 */

    assert_int_equal(filter_parse(&t, repeat("id=in=(", "a", ",", 256, ")")),
                     FOTA_OK);
    expect_limit(&t, repeat("id=in=(", "a", ",", 257, ")"), 520,
                 "list has more than 256 values, the limit");

    /* value: 256 bytes, escapes not counted */

    assert_int_equal(filter_parse(&t, repeat("id==", "a", "", 256, "")),
                     FOTA_OK);
    assert_int_equal(filter_parse(&t, repeat("id==", "\\-", "", 256, "*")),
                     FOTA_OK);
    expect_limit(&t, repeat("id==", "a", "", 257, ""), 5,
                 "value is 257 bytes long; the limit is 256");

    /* stars: 16, a run is one */

    assert_int_equal(filter_parse(&t, repeat("id==", "**", "a", 16, "")),
                     FOTA_OK);
    expect_limit(&t, repeat("id==", "*", "a", 17, ""), 37,
                 "value has more than 16 '*', the limit");

    /* name of an attribute: 128 bytes */

    assert_int_equal(filter_parse(&t, repeat("attr.", "n", "", 128, "==a")),
                     FOTA_OK);
    expect_limit(&t, repeat("attr.", "n", "", 129, "==a"), 1,
                 "name of the attribute is 129 bytes long; the limit is 128");

    /* version: 128 bytes */

    assert_int_equal(filter_parse(&t, repeat("version<", "1", "", 128, "")),
                     FOTA_OK);
    expect_limit(&t, repeat("version<", "1", "", 129, ""), 9,
                 "version is 129 bytes long; the limit is 128");

    /* digits: 15 */

    expect_limit(&t, "attr.n<1234567890123456", 8,
                 "number has 16 digits; the limit is 15");
    expect_limit(&t, "id>=-123456789012345.6", 5,
                 "number has 16 digits; the limit is 15");

    filter_close(&t);
}


static void *
no_memory(fota_mem_t *mem, size_t size)
{
    return NULL;
}


/* Memory that ends at each place in turn. */

static void
test_memory(void **state)
{
    int            rc;
    size_t         cap;
    fota_mem_t     none;
    filter_test_t  t;

    static const char  text[] = "id==a* and (kind=in=(x,y) or attr.b<5)";

    filter_open(&t);

    none.alloc = no_memory;
    assert_int_equal(fota_filter_parse(&none, fota_cstr(text), &t.tree,
                                       &t.err), FOTA_NOMEM);
    assert_string_equal(t.err.text, "out of memory");

    rc = FOTA_NOMEM;

    for (cap = 16; rc == FOTA_NOMEM && cap < 100000; cap += 16) {
        fota_arena_free(&t.arena);
        fota_arena_init(&t.arena, cap);
        rc = fota_filter_parse(&t.arena.mem, fota_cstr(text), &t.tree,
                               &t.err);
    }

    assert_int_equal(rc, FOTA_OK);
    assert_true(cap > 500);

    filter_close(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
