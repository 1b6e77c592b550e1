/* SPDX-License-Identifier: Apache-2.0 */
/* json_test.c - values as JSON text, both ways, and against jansson. */
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_value *parse(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

/* ---- reading --------------------------------------------------------------------------------- */

Test(json, reads_every_kind)
{
    gr_value *v = parse(" {\"n\": null, \"t\": true, \"f\": false, \"i\": -12, \"r\": 1.5e2,"
                        "\n\t\"s\": \"a\", \"l\": [1, [], {}], \"m\": {\"x\": 1}}\r\n");

    cr_assert_eq(gr_len(v), 8, "%s", gr_error_text(v));
    cr_assert(gr_is_nil(gr_get(v, "n")));
    cr_assert(gr_as_bool(gr_get(v, "t"), false));
    cr_assert_not(gr_as_bool(gr_get(v, "f"), true));
    cr_assert_eq(gr_as_int(gr_get(v, "i"), 0), -12);
    cr_assert_eq(gr_value_type(gr_get(v, "r")), GR_REAL);
    cr_assert_float_eq(gr_as_real(gr_get(v, "r"), 0), 150, 0);
    cr_assert_str_eq(gr_cstr(gr_get(v, "s"), ""), "a");
    cr_assert_eq(gr_len(gr_get(v, "l")), 3);
    cr_assert_eq(gr_value_type(gr_at(gr_get(v, "l"), 2)), GR_MAP);
    cr_assert_eq(gr_as_int(gr_get(gr_get(v, "m"), "x"), 0), 1);
    gr_value_unref(v);
}

Test(json, scalars_stand_alone)
{
    gr_value *v = parse(" \"x\" ");

    cr_assert_str_eq(gr_cstr(v, ""), "x");
    gr_value_unref(v);
    cr_assert_eq(gr_as_int(parse("0"), 1), 0);
    cr_assert_eq(gr_as_int(parse("-0"), 1), 0);
    cr_assert(gr_is_nil(parse("null")));
}

Test(json, integers_up_to_64_bits_stay_integers)
{
    static const struct {
        const char *text;
        gr_type type;
        int64_t i;
        double d;
    } cases[] = {
        { "9223372036854775807", GR_INT, INT64_MAX, 0 },
        { "-9223372036854775808", GR_INT, INT64_MIN, 0 },
        { "9223372036854775808", GR_REAL, 0, 9223372036854775808.0 },
        { "-9223372036854775809", GR_REAL, 0, -9223372036854775808.0 },
        { "18446744073709551616", GR_REAL, 0, 18446744073709551616.0 },
        { "100000000000000000000000", GR_REAL, 0, 1e23 },
        { "1.0", GR_REAL, 0, 1.0 },
        { "1e2", GR_REAL, 0, 100 },
        { "1E+2", GR_REAL, 0, 100 },
        { "-0.0", GR_REAL, 0, -0.0 },
        { "123.456e-3", GR_REAL, 0, 0.123456 },
        { "0.1", GR_REAL, 0, 0.1 },
        { "2.2250738585072011e-308", GR_REAL, 0, 2.2250738585072011e-308 },
        { "4.9e-324", GR_REAL, 0, 4.9e-324 },
        { "1e-400", GR_REAL, 0, 0 },
        { "1.7976931348623157e308", GR_REAL, 0, 1.7976931348623157e308 },
        { "0.00000000000000000000000000000000000000000000000001e50", GR_REAL, 0, 1 },
        { "9007199254740993.0", GR_REAL, 0, 9007199254740992.0 },
        { "8.988465674311580536566680721305029496276241413130815e307", GR_REAL, 0,
          8.98846567431158e307 },
        { "1e-99999999999999999999", GR_REAL, 0, 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_value *v = parse(cases[i].text);

        cr_assert_eq(gr_value_type(v), cases[i].type, "%s: %s", cases[i].text, gr_error_text(v));
        if (cases[i].type == GR_INT)
            cr_assert_eq(gr_as_int(v, 0), cases[i].i, "%s", cases[i].text);
        else
            cr_assert_float_eq(gr_as_real(v, 7), cases[i].d, 0, "%s", cases[i].text);
        gr_value_unref(v);
    }
}

Test(json, escapes_are_decoded)
{
    gr_value *v =
        parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u0000!\"");
    const char want[] = "\"\\/\b\f\n\r\t A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0!";

    cr_assert_eq(gr_len(v), sizeof(want) - 1, "%s", gr_error_text(v));
    cr_assert_eq(memcmp(gr_cstr(v, ""), want, sizeof(want)), 0);
    gr_value_unref(v);
}

/* Every length around the strides of eight, with something special at every place. */
Test(json, strings_of_every_length_and_escape_position)
{
    char text[64], want[64];

    for (size_t len = 0; len < 40; len++) {
        for (size_t at = 0; at <= len; at++) {
            gr_value *v;
            size_t n = 0;

            text[n++] = '"';
            for (size_t i = 0; i < len; i++) {
                if (i == at)
                    text[n++] = '\\';
                text[n++] = want[i] = i == at ? '"' : (char)('a' + i % 26);
            }
            text[n++] = '"';
            v = gr_json_parse(text, n, NULL);
            cr_assert_eq(gr_len(v), len);
            cr_assert_eq(memcmp(gr_cstr(v, ""), want, len), 0);
            gr_value_unref(v);
        }
    }
}

/* Python's json.loads does so with bytes: a body that a server sent. */
Test(json, a_byte_order_mark_is_skipped)
{
    static const char mark[] = "\xef\xbb\xbf", twice[] = "\xef\xbb\xbf\xef\xbb\xbf{}";
    gr_value *v = gr_json_parse("\xef\xbb\xbf {\"a\":1}", 11, NULL);

    cr_assert_eq(gr_as_int(gr_get(v, "a"), 0), 1, "%s", gr_error_text(v));
    gr_value_unref(v);
    v = gr_json_parse("\xef\xbb\xbf[1,]", 7, NULL);
    cr_assert_not_null(strstr(gr_error_text(v), "line 1, column 4"), "%s", gr_error_text(v));
    gr_value_unref(v);
    v = gr_json_partial("\xef\xbb\xbf{\"a\":[1", 10, NULL);
    cr_assert_eq(gr_len(gr_get(v, "a")), 1);
    gr_value_unref(v);
    for (size_t len = 1; len <= 3; len++) {
        v = gr_json_parse(mark, len, NULL);
        cr_assert_eq(gr_error_code(v), GR_EINVAL, "%zu bytes of it", len);
        gr_value_unref(v);
    }
    v = gr_json_parse(twice, sizeof(twice) - 1, NULL);
    cr_assert_eq(gr_error_code(v), GR_EINVAL, "one is skipped, not two");
    gr_value_unref(v);
}

Test(json, control_characters_in_strings_if_so_wished)
{
    static const char text[] = "[\"a\n\x01\"]";
    gr_value *v = gr_json_parse(text, sizeof(text) - 1, NULL);

    cr_assert_eq(gr_error_code(v), GR_EINVAL);
    gr_value_unref(v);
    v = gr_json_parse(text, sizeof(text) - 1, GR_DECODE(.control_characters = true));
    cr_assert_str_eq(gr_cstr(gr_at(v, 0), ""), "a\n\x01");
    gr_value_unref(v);
    v = gr_json_parse(text, sizeof(text) - 3, GR_DECODE(.control_characters = true));
    cr_assert_eq(gr_error_code(v), GR_EINVAL, "it has no end");
    gr_value_unref(v);
}

Test(json, of_a_key_given_twice_the_last_counts)
{
    gr_value *v = parse("{\"a\": 1, \"b\": 2, \"a\": 3}");

    cr_assert_eq(gr_len(v), 2);
    cr_assert_eq(gr_as_int(gr_get(v, "a"), 0), 3);
    gr_value_unref(v);
}

Test(json, maps_of_one_text_share_their_keys)
{
    gr_value *v = parse("[{\"content\": 1}, {\"content\": 2}]");
    const char *a = NULL, *b = NULL;

    gr_pair_at(gr_at(v, 0), 0, &a);
    gr_pair_at(gr_at(v, 1), 0, &b);
    cr_assert_eq(a, b);
    gr_value_unref(v);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static const struct bad {
    const char *text, *error;
} bad_texts[] = {
    { "", "line 1, column 1: the text ends, expected a value" },
    { " \n ", "line 2, column 2: the text ends, expected a value" },
    { "x", "line 1, column 1: found 'x', expected a value" },
    { "tru", "line 1, column 4: the text ends, expected true" },
    { "trux", "line 1, column 1: found 't', expected a value" },
    { "nul]", "line 1, column 1: found 'n', expected a value" },
    { "\xff", "line 1, column 1: found byte 0xff, expected a value" },
    { "1 2", "line 1, column 3: found '2', expected the end of the text" },
    { "01", "line 1, column 2: found '1', expected the end of the text" },
    { "-", "line 1, column 2: the text ends, expected a digit" },
    { "-x", "line 1, column 2: found 'x', expected a digit" },
    { "1.", "line 1, column 3: the text ends, expected a digit" },
    { "1.x", "line 1, column 3: found 'x', expected a digit" },
    { "1e", "line 1, column 3: the text ends, expected a digit" },
    { "1e+]", "line 1, column 4: found ']', expected a digit" },
    { ".5", "line 1, column 1: found '.', expected a value" },
    { "+1", "line 1, column 1: found '+', expected a value" },
    { "NaN", "line 1, column 1: found 'N', expected a value" },
    { "1e999", "line 1, column 1: number out of range, expected a smaller one" },
    { "[", "line 1, column 2: the text ends, expected a value or ']'" },
    { "[1", "line 1, column 3: the text ends, expected ',' or ']'" },
    { "[1,", "line 1, column 4: the text ends, expected a value" },
    { "[1,]", "line 1, column 4: found ']', expected a value" },
    { "[1}", "line 1, column 3: found '}', expected ',' or ']'" },
    { "[,", "line 1, column 2: found ',', expected a value or ']'" },
    { "{", "line 1, column 2: the text ends, expected a key in quotes or '}'" },
    { "{1", "line 1, column 2: found '1', expected a key in quotes or '}'" },
    { "{\"a", "line 1, column 4: the text ends, expected '\"'" },
    { "{\"a\"", "line 1, column 5: the text ends, expected ':'" },
    { "{\"a\" 1", "line 1, column 6: found '1', expected ':'" },
    { "{\"a\":", "line 1, column 6: the text ends, expected a value" },
    { "{\"a\":1", "line 1, column 7: the text ends, expected ',' or '}'" },
    { "{\"a\":1,}", "line 1, column 8: found '}', expected a key in quotes" },
    { "{\"a\":1]", "line 1, column 7: found ']', expected ',' or '}'" },
    { "{\n  \"a\": \"\xc3\xa9\" x}", "line 2, column 12: found 'x', expected ',' or '}'" },
    { "\"ab", "line 1, column 4: the text ends, expected '\"'" },
    { "\"ab\\", "line 1, column 5: the text ends, expected '\"'" },
    { "\"a\nb\"", "line 1, column 3: control character in a string, expected an escape" },
    { "\"a\\x\"", "line 1, column 3: unknown escape, expected an escape" },
    { "\"\\u12\"", "line 1, column 2: bad \\u escape, expected an escape" },
    { "\"\\u12g4\"", "line 1, column 2: bad \\u escape, expected an escape" },
    { "\"\\ud800\"", "line 1, column 2: half of a surrogate pair, expected an escape" },
    { "\"\\ud800x\"", "line 1, column 2: half of a surrogate pair, expected an escape" },
    { "\"\\ud800\\n\"", "line 1, column 2: half of a surrogate pair, expected an escape" },
    { "\"\\ud800\\u0041\"", "line 1, column 2: half of a surrogate pair, expected an escape" },
    { "\"\\ud800\\u12\"", "line 1, column 2: bad \\u escape, expected an escape" },
    { "\"\\udc00\"", "line 1, column 2: half of a surrogate pair, expected an escape" },
    { "\"a\xff\"", "line 1, column 3: bad UTF-8 in a string, expected a character" },
    { "\"\xed\xa0\x80\"", "line 1, column 2: bad UTF-8 in a string, expected a character" },
};

Test(json, every_error_says_where_and_what_was_expected)
{
    long before = test_memory_live();

    for (size_t i = 0; i < sizeof(bad_texts) / sizeof(bad_texts[0]); i++) {
        gr_value *v = parse(bad_texts[i].text);

        cr_assert_eq(gr_error_code(v), GR_EINVAL, "%s", bad_texts[i].text);
        cr_assert_str_eq(gr_error_text(v), bad_texts[i].error);
        gr_value_unref(v);
    }
    cr_assert_eq(test_memory_live(), before);
}

static void check_limit(const char *text, const gr_decode_opts *opts, const char *error)
{
    gr_value *v = gr_json_parse(text, strlen(text), opts);

    cr_assert_eq(gr_error_code(v), error != NULL ? GR_ENOMEM : GR_OK, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_error_text(v), error != NULL ? error : "");
    gr_value_unref(v);
}

Test(json, limits_are_kept)
{
    char deep[2 * (GR_DEPTH_MAX + 1) + 1];
    gr_decode_opts old = { .size = sizeof(size_t), .count_max = 1 };
    gr_value *none;

    memset(deep, '[', GR_DEPTH_MAX + 1);
    memset(deep + GR_DEPTH_MAX + 1, ']', GR_DEPTH_MAX + 1);
    deep[sizeof(deep) - 1] = '\0';
    check_limit(deep, NULL, "line 1, column 65: nested deeper than the limit allows");
    deep[sizeof(deep) - 2] = '\0';
    check_limit(deep + 1, NULL, NULL);
    check_limit("[[1]]", GR_DECODE(.depth_max = 2), NULL);
    check_limit("[[1]]", GR_DECODE(.depth_max = 1),
                "line 1, column 2: nested deeper than the limit allows");
    check_limit("[[1]]", GR_DECODE(.depth_max = 1000), NULL);
    check_limit("[1, 2]", GR_DECODE(.count_max = 3), NULL);
    check_limit("[1, 2]", GR_DECODE(.count_max = 2),
                "line 1, column 7: more values than the limit allows");
    check_limit("[1, 2]", GR_DECODE(.bytes_max = 6), NULL);
    check_limit("[1, 2]", GR_DECODE(.bytes_max = 5), "6 bytes of JSON, the limit is 5");
    check_limit("[1, 2]", &old, NULL); /* made when there was no count_max */
    none = gr_json_parse(NULL, 0, NULL);
    cr_assert_eq(gr_error_code(none), GR_EINVAL);
    gr_value_unref(none);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void check_print(gr_value *v, unsigned indent, const char *want)
{
    size_t len = 0;
    char *text = gr_json_print(v, indent, &len);

    cr_assert_str_eq(text, want);
    cr_assert_eq(len, strlen(want));
    gr_free(text);
    gr_value_unref(v);
}

Test(json, prints_every_kind)
{
    const float x[3] = { 0.1f, 2, NAN };

    check_print(NULL, 0, "null");
    check_print(gr_bool(true), 0, "true");
    check_print(gr_bool(false), 0, "false");
    check_print(gr_int(INT64_MIN), 0, "-9223372036854775808");
    check_print(gr_str("a\"\\\b\f\n\r\t\x01\x7f\xc3\xa9"), 0,
                "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\xc3\xa9\"");
    check_print(gr_strn("\0", 1), 0, "\"\\u0000\"");
    check_print(gr_list(gr_int(1), gr_list_n(NULL, 0)), 0, "[1, []]");
    check_print(gr_map(GR_KV("a", gr_int(1)), GR_KV("b", gr_map_n(NULL, 0))), 0,
                "{\"a\": 1, \"b\": {}}");
    check_print(gr_floats(x, 3), 0, "[0.1, 2.0, null]");
    check_print(gr_bin("", 0), 0, "\"\"");
    check_print(gr_bin("f", 1), 0, "\"Zg==\"");
    check_print(gr_bin("fo", 2), 0, "\"Zm8=\"");
    check_print(gr_bin("foo", 3), 0, "\"Zm9v\"");
    check_print(gr_bin("\xff\xef\xbe", 3), 0, "\"/+++\"");
    check_print(gr_ref_value((gr_ref){ 0xab, 1 }), 0,
                "{\"$ref\": \"00000000000000ab-0000000000000001\"}");
    check_print(gr_opaque(NULL, NULL), 0, "null");
    check_print(gr_error_with(gr_error(GR_EDEAD, "x"), "status", gr_int(5)), 0,
                "{\"$error\": {\"code\": \"GR_EDEAD\", \"kind\": \"GR_EDEAD\", \"text\": \"x\", "
                "\"status\": 5}}");
    check_print(gr_str("\xff"), 0,
                "{\"$error\": {\"code\": \"GR_EINVAL\", \"kind\": \"GR_EINVAL\", "
                "\"text\": \"bad UTF-8\"}}");
}

Test(json, reals_print_shortest_and_stay_reals)
{
    static const struct {
        double d;
        const char *want;
    } cases[] = {
        { 1, "1.0" },
        { -0.0, "-0.0" },
        { 0.1, "0.1" },
        { 1.0 / 3, "0.3333333333333333" },
        { 5e-324, "4.94065645841247e-324" },
        { 1e15, "1e+15" },
        { 123456789012345.0, "123456789012345.0" },
        { 1e22, "1e+22" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { INFINITY, "null" },
        { NAN, "null" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_print(gr_real(cases[i].d), 0, cases[i].want);
}

Test(json, indent_puts_one_element_a_line)
{
    check_print(parse("{\"a\":[1,{}],\"b\":{\"c\":null},\"d\":[]}"), 2,
                "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": null\n  },\n"
                "  \"d\": []\n}");
}

/* A host may have set a locale in which the decimal point is a comma. */
Test(json, the_locale_does_not_matter)
{
    gr_value *v;

    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
        setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        cr_skip_test("no locale with a comma here");
    v = parse("[1.5, 1.2345678901234567890123e-5]");
    cr_assert_float_eq(gr_as_real(gr_at(v, 0), 0), 1.5, 0);
    check_print(v, 0, "[1.5, 1.2345678901234568e-05]");
    setlocale(LC_NUMERIC, "C");
}

/* ---- against itself, and against jansson ----------------------------------------------------- */

static uint64_t seed_state;

static uint32_t draw(uint32_t below)
{
    seed_state = seed_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed_state >> 33) % below;
}

static gr_value *random_text(void)
{
    static const char *const parts[] = { "a",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\x01",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "/",
                                         "u",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         " word " };
    gr_value *v = gr_str("");

    for (uint32_t n = draw(8); n > 0; n--)
        v = gr_add(v, gr_str(parts[draw(sizeof(parts) / sizeof(parts[0]))]));
    return v;
}

static double random_real(void)
{
    double d;
    uint64_t bits;

    if (draw(2))
        return (double)(int32_t)draw(1u << 30) / (1 + draw(1000));
    do {
        bits = (uint64_t)draw(1u << 31) << 33 ^ (uint64_t)draw(1u << 31) << 11 ^ draw(1u << 11);
        memcpy(&d, &bits, sizeof(d));
    } while (!isfinite(d));
    return d;
}

static gr_value *random_value(int depth)
{
    uint32_t kind = draw(depth > 0 ? 8 : 6);
    gr_value *v;

    switch (kind) {
    case 0: return gr_nil();
    case 1: return gr_bool(draw(2));
    case 2: return gr_int((int64_t)draw(1u << 31) - (1 << 30));
    case 3: return gr_int((int64_t)((uint64_t)draw(1u << 31) << 33 | draw(1u << 31)));
    case 4: return gr_real(random_real());
    case 5: return random_text();
    case 6:
        v = gr_list_n(NULL, 0);
        for (uint32_t n = draw(6); n > 0; n--)
            v = gr_append(v, random_value(depth - 1));
        return v;
    default:
        v = gr_map_n(NULL, 0);
        for (uint32_t n = draw(12); n > 0; n--) {
            gr_value *key = random_text();

            v = gr_set(v, gr_cstr(key, ""), random_value(depth - 1));
            gr_value_unref(key);
        }
        return v;
    }
}

static gr_value *from_jansson(const json_t *j)
{
    gr_value *v;
    const char *key;
    json_t *part;
    size_t i;

    switch (json_typeof(j)) {
    case JSON_NULL: return gr_nil();
    case JSON_TRUE: return gr_bool(true);
    case JSON_FALSE: return gr_bool(false);
    case JSON_INTEGER: return gr_int(json_integer_value(j));
    case JSON_REAL: return gr_real(json_real_value(j));
    case JSON_STRING: return gr_strn(json_string_value(j), json_string_length(j));
    case JSON_ARRAY:
        v = gr_list_n(NULL, 0);
        json_array_foreach(j, i, part) v = gr_append(v, from_jansson(part));
        return v;
    case JSON_OBJECT:
        v = gr_map_n(NULL, 0);
        json_object_foreach((json_t *)(uintptr_t)j, key, part) v =
            gr_set(v, key, from_jansson(part));
        return v;
    }
    return NULL;
}

/* compare reads a text with both: both take it and agree, or both refuse it. Where they are known
 * to differ (integers over 64 bits, which jansson refuses) the texts here don't go. */
static void compare(const char *text, size_t len)
{
    gr_value *ours = gr_json_parse(text, len, NULL);
    json_t *theirs = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    gr_value *want = theirs != NULL ? from_jansson(theirs) : NULL;

    cr_assert_eq(gr_error_code(ours) == GR_OK, theirs != NULL, "%s: %s", text, gr_error_text(ours));
    cr_assert(want == NULL || gr_equal(ours, want), "%s", text);
    json_decref(theirs);
    gr_value_unref(want);
    gr_value_unref(ours);
}

Test(json, agrees_with_jansson_on_generated_documents)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        gr_value *v, *again;
        char *text, *indented;
        size_t len;
        json_t *theirs;

        seed_state = seed;
        v = random_value(4);
        text = gr_json_print(v, 0, &len);
        again = gr_json_parse(text, len, NULL);
        cr_assert(gr_equal(v, again), "seed %lu: %s", (unsigned long)seed, text);
        compare(text, len);
        indented = gr_json_print(v, 3, NULL);
        compare(indented, strlen(indented));
        gr_free(indented);
        theirs = json_loadb(text, len, JSON_DECODE_ANY, NULL);
        indented =
            json_dumps(theirs, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
        compare(indented, strlen(indented));
        free(indented);
        json_decref(theirs);
        gr_free(text);
        gr_value_unref(v);
        gr_value_unref(again);
    }
}

/* A damaged text is refused by both, or read alike by both. Bytes that make keys of NUL, which
 * jansson refuses, are not among the damage. */
Test(json, agrees_with_jansson_on_damaged_documents)
{
    static const char damage[] = "{}[],:\"\\ntfu019.-+eE \n\x80\xff";

    for (uint64_t seed = 1; seed <= 4000; seed++) {
        gr_value *v;
        char *text;
        size_t len;

        seed_state = seed * 77;
        v = gr_list(random_value(2));
        text = gr_json_print(v, 0, &len);
        text[draw((uint32_t)len)] = damage[draw(sizeof(damage) - 1)];
        if (draw(3) == 0)
            text[len = draw((uint32_t)len)] = '\0';
        compare(text, len);
        gr_free(text);
        gr_value_unref(v);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void parse_and_print(void)
{
    static const char text[] = "[{\"role\": \"user\", \"content\": \"a \\\"quoted\\\" text\"},"
                               "{\"role\": \"ai\", \"n\": [1, 2.5, 9223372036854775807, null]},"
                               "0.1234567890123456789012345678901234567890123456789012345678901234"
                               "56789012345678901234567890123456789012345678901234567890]";
    gr_value *v = gr_json_parse(text, sizeof(text) - 1, NULL);
    gr_value *bad = gr_json_parse("[\"a\", x", 7, NULL);
    gr_value *partial = gr_json_partial(text, 60, NULL);
    char *out = gr_json_print(v, 1, NULL);

    gr_free(out);
    gr_value_unref(v);
    gr_value_unref(bad);
    gr_value_unref(partial);
}

static void parse_wide(void)
{
    char text[1024];
    size_t len = 0;
    gr_value *v;

    text[len++] = '[';
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, 8, i % 10 ? "1," : "\"a\",");
    len += (size_t)snprintf(text + len, 8, "{}]");
    v = gr_json_parse(text, len, NULL);
    gr_value_unref(v);
}

Test(json, every_failed_allocation_is_survived_without_a_leak)
{
    static void (*const all[])(void) = { parse_and_print, parse_wide };

    for (size_t i = 0; i < 2; i++) {
        long before = test_memory_live();
        long n = 1;

        for (;; n++) {
            test_memory_fail_at(n);
            all[i]();
            if (!test_memory_reached())
                break;
            cr_assert_eq(test_memory_live(), before, "allocation %ld", n);
        }
        cr_assert_gt(n, 10);
    }
}

Test(json, out_of_memory_is_said)
{
    gr_value *v;
    char *text;

    test_memory_fail_from(1);
    v = parse("[\"a\"]");
    text = gr_json_print(gr_bool(true), 0, NULL);
    cr_assert(test_memory_reached());
    cr_assert_eq(gr_error_code(v), GR_ENOMEM);
    cr_assert_null(text);
}
