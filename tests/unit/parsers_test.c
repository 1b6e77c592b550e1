/* SPDX-License-Identifier: Apache-2.0 */
/* parsers_test.c - output parsers of one value, of data, of tool calls, and those that try again. */
#include <stdlib.h>

#include "actors/parse/datetime.h"
#include "actors/text/regex.h"
#include "tests/support/memory.h"
#include "tests/support/runnables.h"

TestSuite(parsers, .init = set_up, .fini = tear_down);

/* parse_fails: with the kind of parsers' errors, and the text as its detail. */
static void parse_fails(gr_ref r, const char *input, const char *text)
{
    gr_value *err = NULL, *v = gr_invoke(rt, r, json(input), NULL, &err);

    cr_assert_null(v);
    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "OutputParserException");
    cr_assert_not_null(gr_get(gr_get(err, "detail"), "llm_output"), "%s", gr_error_text(err));
    gr_value_unref(err);
}

static void broken(gr_ref r, const char *text)
{
    gr_value *err = gr_check(rt, r);

    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    gr_value_unref(err);
}

/* told compares a part of what the model is told. */
static void told(gr_ref r, const char *part)
{
    gr_value *err = NULL, *text = gr_get_format_instructions(rt, r, &err);

    cr_assert_not_null(strstr(gr_cstr(text, gr_error_text(err)), part), "%s",
                       gr_cstr(text, gr_error_text(err)));
    gr_value_unref(text);
}

static void stream_fails(gr_ref r, const char *input, const char *expected, const char *text)
{
    gr_value *err = NULL;

    is(chunks(gr_astream(rt, r, json(input), NULL), &err), expected);
    cr_assert_not_null(strstr(gr_error_text(err), text), "%s", gr_error_text(err));
    gr_value_unref(err);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* What comes behind a NUL that a model wrote is not lost. */
Test(parsers, a_nul_does_not_end_a_list)
{
    gr_ref comma = gr_comma_list_parser(root), bullets = gr_markdown_list_parser(root);
    gr_ref numbers = gr_numbered_list_parser(root);

    invoke_is(comma, "\"a\\u0000, b,c\"", "[\"a\\u0000\",\"b\",\"c\"]");
    stream_is(comma, "\"a\\u0000, b\"", "[[\"a\\u0000\"],[\"b\"]]");
    invoke_is(numbers, "\"\\u00001. a\\u0000b\\n2. c\"", "[\"a\\u0000b\",\"c\"]");
    stream_is(numbers, "\"1. a\\u0000b\\n2.\\nc\"", "[[\"a\\u0000b\"],[\"c\"]]");
    invoke_is(bullets, "\"- \\u0000a\\n-\\n\\u0000\\n* b\"", "[\"\\u0000a\",\"\\u0000\",\"b\"]");
}

/* ---- one value ------------------------------------------------------------------------------- */

Test(parsers, enum_values)
{
    gr_ref r = gr_enum_parser(root, json("[\"red\",\"dark blue\"]"));

    invoke_is(r, "\" dark blue\\n\"", "\"dark blue\"");
    invoke_is(r, "{\"type\":\"ai\",\"content\":\"red\"}", "\"red\"");
    stream_is(gr_seq(root, gr_script_model(root, GR_SCRIPT(.answers = json("[\"dark blue\"]"))), r),
              "\"_\"", "[\"dark blue\"]");
    parse_fails(r, "\"green\"", "none of the expected values: red, dark blue");
    told(r, "red, dark blue");
    broken(gr_enum_parser(root, json("[]")), "expected a list of texts");
    broken(gr_enum_parser(root, json("[1]")), "value 1 is no text");
}

Test(parsers, booleans)
{
    gr_ref r = gr_boolean_parser(root, NULL, NULL), own = gr_boolean_parser(root, "oui", "non");

    invoke_is(r, "\"Yes, that is so\"", "true");
    invoke_is(r, "\"no.\"", "false");
    invoke_is(own, "\"NON\"", "false");
    parse_fails(r, "\"yes and no\"", "ambiguous");
    parse_fails(r, "\"eyes, know, yesno\"", "expected YES or NO");
    told(own, "oui or non");
    broken(gr_boolean_parser(root, "", NULL), "is empty");
}

Test(parsers, dates)
{
    gr_ref r = gr_datetime_parser(root, NULL),
           day = gr_datetime_parser(root, "%d %B %Y, %I:%M %p %z");

    invoke_is(r, "\" 2024-02-29T23:59:58.25Z \"",
              "{\"year\":2024,\"month\":2,\"day\":29,\"hour\":23,\"minute\":59,\"second\":58,"
              "\"microsecond\":250000,\"timestamp_us\":1709251198250000}");
    invoke_is(day, "\"1 january 1970, 12:30 am +01:30\"",
              "{\"year\":1970,\"month\":1,\"day\":1,\"hour\":0,\"minute\":30,\"second\":0,"
              "\"microsecond\":0,\"timestamp_us\":-3600000000,\"utc_offset_minutes\":90}");
    parse_fails(r, "\"2023-02-29T00:00:00.0Z\"", "expected a day of that month");
    parse_fails(r, "\"2023-13-01T00:00:00.0Z\"", "position 6: expected a month");
    parse_fails(r, "\"2023-01-01\"", "position 11: expected what stands in the format");
    parse_fails(r, "\"2023-01-01T00:00:00.0Zx\"", "expected the end");
    told(r, "%Y-%m-%d");
    broken(gr_datetime_parser(root, "%Y %Q"), "'%Q' in the format");
    broken(gr_datetime_parser(root, "%"), "in the format");
}

Test(parsers, dates_by_other_letters)
{
    static const struct {
        const char *format, *text;
        int year, month, day;
    } good[] = {
        { "%y/%j", "24/60", 2024, 2, 29 },
        { "%a %d %b %y", "Mon 3 feb 70", 1970, 2, 3 },
        { "%A,%m%%%d", "sunday,2%3", 1900, 2, 3 },
        { "%Y %m", "2000  12", 2000, 12, 1 },
    };
    struct gri_datetime t;
    unsigned at;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert_null(gri_datetime_check(good[i].format));
        cr_assert_null(gri_datetime_read(good[i].text, good[i].format, &t, &at), "%s",
                       good[i].text);
        cr_assert(t.year == good[i].year && t.month == good[i].month && t.day == good[i].day, "%s",
                  good[i].text);
    }
    cr_assert_not_null(gri_datetime_read("23 366", "%y %j", &t, &at));
}

Test(parsers, regex_groups)
{
    gr_ref r, either;

    if (!gri_regex_there()) {
        broken(gr_regex_parser(root, "(a)", json("[\"x\"]"), NULL), "without regular expressions");
        return;
    }
    r = gr_regex_parser(root, "Action: (.*?)\\nInput: (.*)", json("[\"action\",\"input\"]"), NULL);
    either = gr_regex_parser(root, "(a)|(b)", json("[\"x\",\"y\"]"), "y");
    invoke_is(r, "\"Thought\\nAction: find\\nInput: a cat\"",
              "{\"action\":\"find\",\"input\":\"a cat\"}");
    invoke_is(either, "\"b\"", "{\"x\":\"\",\"y\":\"b\"}");
    invoke_is(either, "\"z\"", "{\"x\":\"\",\"y\":\"z\"}");
    parse_fails(r, "\"nothing\"", "does not match");
    broken(gr_regex_parser(root, "(", json("[\"x\"]"), NULL), "position");
    broken(gr_regex_parser(root, "(a)", json("[\"x\",\"y\"]"), NULL), "1 groups for 2 keys");
    broken(gr_regex_parser(root, "(a)", json("[\"x\"]"), "y"), "no output key");
    broken(gr_regex_parser(root, "(a)", json("[]"), NULL), "list of 1 to");
    invoke_fails(gr_regex_parser(root, "^(x|x)*$", json("[\"x\"]"), NULL),
                 "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx!\"", GR_EFULL, "steps");
}

/* ---- data ------------------------------------------------------------------------------------ */

#define SCHEMA                                                                                      \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"," \
    "\"default\":\"d\"}},\"required\":[\"a\"]}"

Test(parsers, by_a_schema)
{
    gr_ref r = gr_structured_parser(root, json(SCHEMA));
    gr_value *err = NULL;

    invoke_is(r, "\"```json\\n{\\\"a\\\": 1, \\\"b\\\": \\\"x\\\"}\\n```\"",
              "{\"a\":1,\"b\":\"x\"}");
    invoke_is(r, "\"{\\\"a\\\": 1}\"", "{\"a\":1,\"b\":\"d\"}");
    parse_fails(r, "\"{\\\"a\\\": \\\"1\\\"}\"", "not by the schema");
    parse_fails(r, "\"none\"", "Invalid json output");
    cr_assert_null(gr_invoke(rt, r, json("\"{}\""), NULL, &err));
    cr_assert_eq(gr_len(gr_get(gr_get(err, "detail"), "errors")), 1);
    gr_value_unref(err);
    told(r, "\"required\": [\"a\"]");
    broken(gr_structured_parser(root, json("{\"type\":\"thing\"}")), "/type");
}

Test(parsers, by_a_schema_in_a_stream)
{
    gr_ref r = gr_structured_parser(root, json(SCHEMA));

    transform_is(r, "[\"{\\\"b\\\": \\\"x\",\"y\\\", \\\"a\\\": 1\",\"2\",\"}\"]",
                 "[{\"b\":\"xy\",\"a\":1},{\"b\":\"xy\",\"a\":12}]");
    stream_fails(gr_seq(root, gr_script_model(root, GR_SCRIPT(.answers = json("[\"{} x\"]"))), r),
                 "\"_\"", "[]", "not by the schema");
}

#define ROWS 2000

/* Emits a list of ROWS numbers, one in each chunk. */
static gr_code rows(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_code rc = gr_emit(c, gr_str("{\"a\": 1, \"rows\": [0"));

    (void)arg, (void)in;
    for (int i = 1; i < ROWS && rc == GR_OK; i++)
        rc = gr_emit(c, gr_str(", 7"));
    return rc == GR_OK ? gr_emit(c, gr_str("]}")) : rc;
}

/* Each answer is judged as a whole: if all that can be read of a large one were, it would cost its square. */
Test(parsers, a_large_answer_is_judged_now_and_then)
{
    gr_ref r = gr_seq(root, gr_generator(root, GR_ASYNC, rows, NULL, NULL),
                      gr_structured_parser(root, json(SCHEMA)));
    gr_stream *s = gr_astream(rt, r, gr_nil(), NULL);
    size_t len = 0, values = 0, count = 0;
    gr_outcome o;

    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK) {
        len = gr_len(gr_get(o.value, "rows"));
        values += len;
        count++;
    }
    cr_assert_eq(o.code, GR_EOS);
    gr_stream_free(s);
    cr_assert_eq(len, ROWS, "the last is the whole");
    cr_assert_geq(count, 40, "the first ones, at least, are all told");
    cr_assert_leq(values, ROWS * 3 * 16 + ROWS, "16 for each byte, and the last");
}

Test(parsers, json_in_a_fence_that_comes_in_pieces)
{
    gr_ref r = gr_json_parser(root);

    transform_is(
        r,
        "[\"Here `` you \",\"are: `\",\"``js\",\"on\\n{\\\"a\\\"\",\": [1\",\",2]\",\"}``\",\"`[\"]",
        "[{},{\"a\":[1]},{\"a\":[1,2]}]");
    transform_is(r, "[\"x ```\",\"json{\\\"a\\\": \\\"b`\",\"c``\"]",
                 "[{\"a\":\"b\"},{\"a\":\"b`c\"}]");
    transform_is(r, "[\"nothing\",\" to see\"]", "[]");
    transform_is(r, "[\"``\",\"`\\n\",\"{\\\"a\\\": \\\"b \",\"c\\\"}\\n```\"]",
                 "[{\"a\":\"b\"},{\"a\":\"b c\"}]");
}

/* A fence ends where its JSON ends: models write code into JSON. */
Test(parsers, json_in_a_fence_that_has_fences_in_it)
{
    gr_ref r = gr_json_parser(root);
    const char *code =
        "\"Here: ```json\\n{\\\"code\\\": \\\"```c\\\\nint a;\\\\n```\\\", \\\"n\\\": 1}\\n```\\nThat's {it}. ```x```\"";

    invoke_is(r, code, "{\"code\":\"```c\\nint a;\\n```\",\"n\":1}");
    transform_is(
        r,
        "[\"Here: ```json\\n{\\\"code\\\": \\\"``\",\"`c ```\\\", \\\"n\\\": 1}\",\"\\n```\\n}\"]",
        "[{\"code\":\"\"},{\"code\":\"```c ```\",\"n\":1}]");
}

/* Backticks and white space around it are not JSON's; a byte order mark is none either. */
Test(parsers, json_with_something_around_it)
{
    gr_ref r = gr_json_parser(root);

    invoke_is(r, "\"`{\\\"a\\\": 1}`\"", "{\"a\":1}");
    invoke_is(r, "\"\\n ``{\\\"a\\\": 1}`` \\n\"", "{\"a\":1}");
    invoke_is(r, "\"{\\\"a\\\": \\\"b\\n``` \"", "{\"a\":\"b\"}");
    invoke_is(r, "\"\\ufeff{\\\"a\\\": 1}\"", "{\"a\":1}");
    invoke_is(r, "\"null\"", "null");
    parse_fails(r, "\"``` ```\"", "Invalid json output");
    parse_fails(r, "\"\"", "Invalid json output");
}

Test(parsers, xml)
{
    gr_ref r = gr_xml_parser(root, GR_XML_PARSER(.tags = json("[\"a\",\"b\"]")));
    gr_value *err = gr_check(rt, r);

    if (err != NULL) { /* a library without expat */
        cr_assert_not_null(strstr(gr_error_text(err), "without XML"));
        gr_value_unref(err);
        return;
    }
    invoke_is(r, "\"<a><b><c></c><c>x &lt; y</c></b><c>z</c></a>\"",
              "{\"a\":[{\"b\":[{\"c\":null},{\"c\":\"x < y\"}]},{\"c\":\"z\"}]}");
    invoke_is(r, "\"<a>text<b>dropped</b></a>\"", "{\"a\":\"text\"}");
    invoke_is(r, "\"<a/>\"", "{\"a\":[]}");
    invoke_is(r, "\"Here:\\n```xml\\n<a x='1'>t</a>\\n```\\nDone\"", "{\"a\":\"t\"}");
    invoke_is(r, "\"<?xml version='1.0' encoding='latin1'?><a>\xc3\xa9</a>\"",
              "{\"a\":\"\xc3\xa9\"}");
    parse_fails(r, "\"no XML\"", "no XML: line 1");
    parse_fails(r, "\"<a><b></a>\"", "no XML: line 1");
    parse_fails(r, "\"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>\"", "document type");
    parse_fails(r, "\"<a>&x;</a>\"", "no XML");
    told(r, "Use these tags: a, b.");
}

Test(parsers, xml_nests_so_deep_at_most)
{
    gr_ref r = gr_xml_parser(root, NULL);
    char text[30 * 7 + 64] = "";
    gr_value *err = gr_check(rt, r), *v;

    if (err != NULL) {
        gr_value_unref(err);
        return;
    }
    for (int deep = 30; deep <= 31; deep++) {
        for (int i = 0; i < deep; i++) {
            memcpy(text + 3 * i, "<a>", 3);
            memcpy(text + 3 * deep + 4 * i, "</a>", 5);
        }
        v = gr_invoke(rt, r, gr_str(text), NULL, &err);
        cr_assert_eq(v != NULL, deep == 30, "%s", gr_error_text(err));
        gr_value_unref(v);
    }
    cr_assert_not_null(strstr(gr_error_text(err), "30 deep"));
    gr_value_unref(err);
}

Test(parsers, xml_in_a_stream)
{
    gr_ref r = gr_xml_parser(root, NULL);
    gr_value *err = gr_check(rt, r);

    if (err != NULL) {
        gr_value_unref(err);
        return;
    }
    transform_is(
        r,
        "[\"Sure: <\",\"a><b\",\"><c>x\",\"y</c>\",\"<c></\",\"c></b>\",\"<d>z</d></a>\",\" <e>\"]",
        "[{\"a\":[{\"b\":[{\"c\":\"xy\"}]}]},{\"a\":[{\"b\":[{\"c\":null}]}]},"
        "{\"a\":[{\"d\":\"z\"}]}]");
    transform_is(r, "[\"<a>x</a>\"]", "[{\"a\":\"x\"}]");
    transform_is(r, "[\"1 < 2\",\" <\",\"= 3\"]", "[]");
    stream_fails(
        gr_seq(root, gr_script_model(root, GR_SCRIPT(.answers = json("[\"<a><b>x</b> <c></d>\"]"))),
               r),
        "\"_\"", "[{\"a\":[{\"b\":\"x\"}]}]", "mismatched tag");
}

/* ---- tool calls ------------------------------------------------------------------------------ */

#define MESSAGE                                                                                           \
    "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"x\"}," \
    "{\"name\":\"g\",\"args\":{},\"id\":\"y\"}]}"

Test(parsers, tool_calls)
{
    gr_ref all = gr_tools_parser(root, NULL);
    gr_ref ids = gr_tools_parser(root, GR_TOOLS_PARSER(.return_id = true, .first_tool_only = true));
    gr_ref key = gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "g"));
    gr_ref first = gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "f", .first_tool_only = true));
    gr_ref none = gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "h", .first_tool_only = true));

    invoke_is(all, MESSAGE, "[{\"args\":{\"a\":1},\"type\":\"f\"},{\"args\":{},\"type\":\"g\"}]");
    invoke_is(ids, MESSAGE, "{\"args\":{\"a\":1},\"type\":\"f\",\"id\":\"x\"}");
    invoke_is(key, MESSAGE, "[{}]");
    invoke_is(first, MESSAGE, "{\"a\":1}");
    invoke_is(none, MESSAGE, "null");
    invoke_is(all, "{\"type\":\"ai\",\"content\":\"x\"}", "[]");
    parse_fails(
        all,
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"x\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"[1]\"}}]}",
        "Function f arguments");
    invoke_fails(all, "\"text\"", GR_ETYPE, "read from a message");
}

#define CHUNK(calls)                                                                               \
    "{\"type\":\"AIMessageChunk\",\"content\":\"\",\"tool_call_chunks\":[" calls "]}"
#define PART(args, index) "{\"name\":null,\"args\":\"" args "\",\"id\":null,\"index\":" #index "}"

Test(parsers, tool_calls_in_a_stream)
{
    static const char chunks[] =
        "[" CHUNK("{\"name\":\"f\",\"args\":\"\",\"id\":\"x\",\"index\":0}") "," CHUNK(PART(
            "{\\\"a\\\": \\\"b",
            0)) "," CHUNK(PART("c\\\", \\\"d\\\"",
                               0)) "," CHUNK(PART(": 1}",
                                                  0)) "," CHUNK("{\"name\":\"g\",\"args\":\"{}\",\"id\":\"y\",\"index\":1}") "]";
    gr_ref all = gr_tools_parser(root, NULL);
    gr_ref first = gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "f", .first_tool_only = true));

    transform_is(
        all, chunks,
        "[[{\"args\":{},\"type\":\"f\"}],[{\"args\":{\"a\":\"b\"},\"type\":\"f\"}],"
        "[{\"args\":{\"a\":\"bc\"},\"type\":\"f\"}],[{\"args\":{\"a\":\"bc\",\"d\":1},\"type\":\"f\"}],"
        "[{\"args\":{\"a\":\"bc\",\"d\":1},\"type\":\"f\"},{\"args\":{},\"type\":\"g\"}]]");
    transform_is(first,
                 "[{\"type\":\"AIMessageChunk\",\"content\":\"hm\"}," CHUNK(
                     "{\"name\":\"f\",\"args\":\"{\\\"a\\\": 1}\",\"id\":\"x\",\"index\":0}") "]",
                 "[{\"a\":1}]");
    transform_is(all, "[" MESSAGE "]",
                 "[[{\"args\":{\"a\":1},\"type\":\"f\"},{\"args\":{},\"type\":\"g\"}]]");
}

/* pieces streams the arguments of one call, a piece at a time. */
static gr_code pieces(gr_ctx *c, void *arg, gr_stream *in)
{
    const size_t *count = arg;
    gr_value *first =
        json(CHUNK("{\"name\":\"f\",\"args\":\"{\\\"a\\\": [\",\"id\":\"x\",\"index\":0}"));
    gr_value *piece = json(CHUNK(PART("\\\"abcdefgh\\\",", 0)));
    gr_code rc = gr_emit(c, first);

    (void)in;
    for (size_t i = 0; i < *count && rc == GR_OK; i++)
        rc = gr_emit(c, gr_value_ref(piece));
    gr_value_unref(piece);
    return rc == GR_OK ? gr_emit(c, json(CHUNK(PART("0]}", 0)))) : rc;
}

static bool drop_chunk(void *arg, const gr_value *chunk)
{
    (void)arg;
    (void)chunk;
    return true;
}

static long bytes_for(size_t count)
{
    gr_ref r = gr_seq(root, gr_generator(root, GR_ASYNC, pieces, NULL, &count),
                      gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "g")));
    long before = test_memory_bytes();

    cr_assert_eq(gr_do_stream(rt, r, gr_nil(), NULL, drop_chunk, NULL, NULL), GR_OK);
    return test_memory_bytes() - before;
}

/* by count: arguments of n pieces are read once, so ten times as many ask for about ten times as many bytes */
Test(parsers, arguments_of_calls_are_read_once)
{
    long one = bytes_for(300), ten = bytes_for(3000);

    cr_assert_lt(ten, 20 * one, "%ld bytes, and %ld for ten times as much", one, ten);
}

static gr_value *last_word(gr_ctx *c, void *arg, const gr_value *input)
{
    const char *space = strrchr(gr_cstr(input, ""), ' ');

    (void)c;
    (void)arg;
    return gr_str(space != NULL ? space + 1 : "");
}

static gr_value *first_line(gr_ctx *c, void *arg, const gr_value *input)
{
    const char *s = gr_cstr(input, ""), *end = strchr(s, '\n');

    (void)c;
    (void)arg;
    return gr_strn(s, end != NULL ? (size_t)(end - s) : strlen(s));
}

/* ---- another try ----------------------------------------------------------------------------- */

static gr_ref says(const char *answers)
{
    return gr_script_model(root, GR_SCRIPT(.answers = json(answers)));
}

Test(parsers, a_model_puts_it_right)
{
    gr_ref json_parser = gr_json_parser(root);
    gr_ref r = gr_fixing_parser(root, json_parser, says("[\"[1]\"]"), NULL);
    gr_ref twice = gr_fixing_parser(root, gr_enum_parser(root, json("[\"a\"]")),
                                    says("[\"c\",\"a\"]"), GR_FIX(.max_retries = 2));
    gr_ref own = gr_fixing_parser(root, gr_enum_parser(root, json("[\"a\"]")),
                                  gr_lambda(root, GR_CHEAP, last_word, NULL, NULL),
                                  GR_FIX(.prompt = gr_prompt(root, "{completion}: say a")));

    invoke_is(r, "\"{\\\"a\\\": 2}\"", "{\"a\":2}");
    invoke_is(r, "\"bad\"", "[1]");
    invoke_is(twice, "\"b\"", "\"a\"");
    invoke_is(own, "\"b\"", "\"a\"");
    parse_fails(gr_fixing_parser(root, json_parser, says("[\"worse\"]"), NULL), "\"bad\"", "worse");
    invoke_fails(r, "3", GR_ETYPE, "expected a message");
    told(r, "one JSON value");
    broken(gr_fixing_parser(root, json_parser, says("[\"x\"]"), GR_FIX(.max_retries = 101)),
           "the most is 100");
}

Test(parsers, a_model_answers_again)
{
    gr_ref r = gr_retry_parser(root, gr_enum_parser(root, json("[\"a\"]")),
                               gr_lambda(root, GR_CHEAP, first_line, NULL, NULL), NULL);

    invoke_is(r, "{\"completion\":\"a\",\"prompt\":\"which?\"}", "\"a\"");
    invoke_is(r, "{\"completion\":\"b\",\"prompt\":\"a\"}", "\"a\"");
    parse_fails(r, "{\"completion\":\"b\",\"prompt\":[\"c\"]}", "none of the expected");
    invoke_fails(r, "\"b\"", GR_ETYPE, "completion");
}
