/* SPDX-License-Identifier: Apache-2.0 */
/* json_partial_test.c - what can be read of a text that is still arriving. */
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static void check(const char *text, const char *want)
{
    gr_value *v = gr_json_partial(text, strlen(text), NULL);
    char *got = gr_json_print(v, 0, NULL);

    cr_assert_str_eq(got, want);
    gr_free(got);
    gr_value_unref(v);
}

/* langchain-core's own cases: test_parse_partial_json, and the stream of test_partial_text_json… */
Test(json_partial, reads_what_langchain_reads)
{
    check("{\"foo\": \"bar\", \"bar\": \"foo\"}", "{\"foo\": \"bar\", \"bar\": \"foo\"}");
    check("{\"foo\": \"bar\", \"bar\": \"foo\"", "{\"foo\": \"bar\", \"bar\": \"foo\"}");
    check("{\"foo\": \"bar\", \"bar\": \"foo", "{\"foo\": \"bar\", \"bar\": \"foo\"}");
    check("{\"foo\": \"bar\", \"bar\": ", "{\"foo\": \"bar\"}");
    check("{\"foo\": \"bar\", \"b", "{\"foo\": \"bar\"}");
    check("{\"foo\":\"bar\",\"n\":[1, {\"x\": tr", "{\"foo\": \"bar\", \"n\": [1, {}]}");
    check("{\"a\": \"li\nne\"}", "{\"a\": \"li\\nne\"}");
    check("{", "{}");
    check("{\"a\"", "{}");
    check("{\"a\": \"x", "{\"a\": \"x\"}");
    check("{\"a\": \"xy\", \"b\": [1", "{\"a\": \"xy\", \"b\": [1]}");
    check("{\"a\": \"xy\", \"b\": [1, 2]", "{\"a\": \"xy\", \"b\": [1, 2]}");
    check("{\"a\": 1", "{\"a\": 1}");
}

Test(json_partial, nothing_readable_is_nil)
{
    check("", "null");
    check("  \n", "null");
    check("-", "null");
    check("tru", "null");
    check("nothing to see", "null");
    check(",", "null");
    check("]", "null");
}

Test(json_partial, dangling_commas_keys_and_words_are_left_out)
{
    check("[1,", "[1]");
    check("[1, 2 ,", "[1, 2]");
    check("[[1,", "[[1]]");
    check("[1, nul", "[1]");
    check("[tru", "[]");
    check("{\"a\": 1,", "{\"a\": 1}");
    check("{\"a\": fals", "{}");
    check("{\"a\": {\"b\": {\"c\": ", "{\"a\": {\"b\": {}}}");
    check("[{\"a\": 1}, {", "[{\"a\": 1}, {}]");
}

Test(json_partial, numbers_end_at_their_last_whole_form)
{
    check("12", "12");
    check("[12.", "[12]");
    check("[12.5", "[12.5]");
    check("[12e", "[12]");
    check("[12e-", "[12]");
    check("[-", "[]");
    check("[0.5e1", "[5.0]");
    check("{\"a\": -", "{}");
}

/* A string keeps what came before a cut escape or character; it never vanishes for a moment. */
Test(json_partial, strings_cut_anywhere_keep_their_beginning)
{
    check("\"ab", "\"ab\"");
    check("\"ab\\", "\"ab\"");
    check("\"ab\\n", "\"ab\\n\"");
    check("\"ab\\u", "\"ab\"");
    check("\"ab\\u00e", "\"ab\"");
    check("\"ab\\u0041", "\"abA\"");
    check("\"ab\\ud83d", "\"ab\"");
    check("\"ab\\ud83d\\", "\"ab\"");
    check("\"ab\\ud83d\\ude0", "\"ab\"");
    check("\"ab\\ud83d\\ude00", "\"ab\xf0\x9f\x98\x80\"");
    check("\"ab\xc3", "\"ab\"");
    check("\"ab\xf0\x9f\x98", "\"ab\"");
    check("\"ab\\n\xf0\x9f", "\"ab\\n\"");
    check("\"", "\"\"");
    check("{\"a\": \"", "{\"a\": \"\"}");
}

Test(json_partial, what_cannot_be_json_stops_the_reading)
{
    check("{\"a\": [1}", "null"); /* brackets that don't match */
    check("[1,]", "null");
    check("{\"a\": 1}}", "null");
    check("{\"a\": 1} and more", "{\"a\": 1}");
    check("{\"a\": 1} [", "null");
    check("{\"a\": 1} \"]\"", "{\"a\": 1}");
    check("{\"a\": foo, \"b\": 1", "{}");
    check("{\"a\": foo}", "null"); /* closed, so nothing is still to come */
    check("{\"a\": foo, \"b\": [1", "null");
    check("{\"a\": foo, \"b\": [1]", "{}");
    check("{\"a\": foo, \"b\": \"]\\\"}\"", "{}");
    check("[1, foo(], [", "null");
    check("{\"a\": \"x\\q\", \"b\": 1", "{}");
    check("{\"a\": \"}\\q}\", \"b\": 1", "{}");
    check("{\"a\": \"\\q\"}", "null");
    check("[1, \"\xff\xff\xff\xff\", 2", "[1]");
    check("{\"a\": 1, b", "{\"a\": 1}");
}

/* Each prefix of a text gives something that only grows into the whole: a string in it begins with
 * what it was before, and nothing is read that isn't there. */
Test(json_partial, every_prefix_can_be_read)
{
    static const char text[] =
        "{\"name\": \"a\\u00e9\\n\xe2\x82\xac\", \"n\": [1.5e3, -20, true, null],"
        " \"m\": {\"x\": {\"y\": \"z\"}}, \"e\": []}";
    gr_value *whole = gr_json_parse(text, sizeof(text) - 1, NULL);
    size_t before = 0;

    for (size_t len = 1; len < sizeof(text); len++) {
        gr_value *v = gr_json_partial(text, len, NULL);
        const gr_value *name = gr_get(v, "name");

        cr_assert_eq(gr_value_type(v), GR_MAP, "%zu: %s", len, gr_error_text(v));
        if (name != NULL) {
            cr_assert_geq(gr_len(name), before);
            before = gr_len(name);
            cr_assert_eq(strncmp(gr_cstr(gr_get(whole, "name"), ""), gr_cstr(name, "-"), before),
                         0);
        }
        if (len == sizeof(text) - 1)
            cr_assert(gr_equal(v, whole));
        gr_value_unref(v);
    }
    gr_value_unref(whole);
}

static void check_limit(const char *text, const gr_decode_opts *opts)
{
    gr_value *v = gr_json_partial(text, strlen(text), opts);

    cr_assert_eq(gr_error_code(v), GR_ENOMEM, "%s", text);
    gr_value_unref(v);
}

Test(json_partial, limits_are_kept)
{
    gr_value *none = gr_json_partial(NULL, 0, NULL);

    check_limit("[[[1", GR_DECODE(.depth_max = 2));
    check_limit("[1, 2, 3", GR_DECODE(.count_max = 2));
    check_limit("[[1", GR_DECODE(.count_max = 1)); /* the lists are values too */
    check_limit("[1, 2, 3", GR_DECODE(.bytes_max = 5));
    cr_assert_eq(gr_error_code(none), GR_EINVAL);
    gr_value_unref(none);
}

Test(json_partial, every_failed_allocation_is_survived_without_a_leak)
{
    static const char text[] = "{\"a\": [1, \"x\\n\", {\"b\": 1.5, \"c\": \"y";
    long before = test_memory_live();
    long n = 1;

    for (;; n++) {
        gr_value *v;
        gr_code code;

        test_memory_fail_at(n);
        v = gr_json_partial(text, sizeof(text) - 1, NULL);
        code = gr_error_code(v);
        gr_value_unref(v);
        if (!test_memory_reached())
            break;
        cr_assert_eq(code, GR_ENOMEM);
        cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
    }
    cr_assert_gt(n, 8);
}
