/* SPDX-License-Identifier: Apache-2.0 */
/* parsers_test.c - langchain-core's output parsers where they stream: patches of JSON, lists by the line. */
#include <greenroom/parser.h>

#include "tests/conformance/cases.h"

TestSuite(parsers, .init = set_up, .fini = tear_down, .timeout = 120);

static gr_ref patches(void)
{
    return gr_json_parser_for(root, GR_JSON_PARSER(.diff = true));
}
static gr_ref numbered(void)
{
    return gr_numbered_list_parser(root);
}
static gr_ref bulleted(void)
{
    return gr_markdown_list_parser(root);
}
static gr_ref text(void)
{
    return gr_str_parser(root);
}
static gr_ref nothing_to_parse(void)
{
    return gr_seq(root, letters(""), gr_json_parser(root));
}

/* NumberedListOutputParser's and MarkdownListOutputParser's own examples */
#define NUMBERED                                                                                   \
    "Your response should be a numbered list:\\n\\n1. foo\\n\\n2. bar baz\\n\\n10.  x 3. y\\n4.\\n"
#define BULLETED "Items:\\n- foo\\n  * bar baz\\n+ no\\n-no\\n - \\n"

static const struct expectation cases[] = {
    { "par_json-02", patches, TRANSFORM,
      "[\"{\",\"\\\"a/b\\\"\",\": \\\"x\",\"y\\\"\",\", \\\"b\\\": [1\",\", {\\\"c\\\": 2}]\",\"}\"]",
      "[[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}],"
      "[{\"op\":\"add\",\"path\":\"/a~1b\",\"value\":\"x\"}],"
      "[{\"op\":\"replace\",\"path\":\"/a~1b\",\"value\":\"xy\"}],"
      "[{\"op\":\"add\",\"path\":\"/b\",\"value\":[1]}],"
      "[{\"op\":\"add\",\"path\":\"/b/1\",\"value\":{\"c\":2}}]]",
      0 },
    { "par_json-02", patches, TRANSFORM, "[\"[{\\\"a\\\": 1\",\"2, \\\"b\\\": {\",\"}}, [\",\"3\"]",
      "[[{\"op\":\"replace\",\"path\":\"\",\"value\":[{\"a\":1}]}],"
      "[{\"op\":\"add\",\"path\":\"/0/b\",\"value\":{}},"
      "{\"op\":\"replace\",\"path\":\"/0/a\",\"value\":12}],"
      "[{\"op\":\"add\",\"path\":\"/1\",\"value\":[]}],"
      "[{\"op\":\"add\",\"path\":\"/1/0\",\"value\":3}]]",
      0 },
    { "par_json-02", patches, INVOKE, "\"{\\\"a\\\": 1\"", "{\"a\":1}", 0 },
    { "par_json-06", nothing_to_parse, STREAM, "1", "[]", 0 },
    { "par_list-02", numbered, INVOKE, "\"" NUMBERED "\"", "[\"foo\",\"bar baz\",\" x 3. y\"]", 0 },
    { "par_list-02", numbered, STREAM, "\"" NUMBERED "\"",
      "[[\"foo\"],[\"bar baz\"],[\" x 3. y\"]]", 0 },
    { "par_list-02", numbered, TRANSFORM, "[\"a 1\",\". f\",\"oo\\n2\",\". \",\"bar\"]",
      "[[\"foo\"],[\"bar\"]]", 0 },
    { "par_list-02", numbered, INVOKE, "\"No items here.\"", "[]", 0 },
    /* the blank behind the number may be the line's end; then the next line is the item, whatever it is */
    { "par_list-02", numbered, INVOKE, "\"a 4.\\nd 5. x\\n6. y\\n7.\\n\\nz\\n8. \\nz\\n9.\"",
      "[\"d 5. x\",\"y\"]", 0 },
    { "par_list-02", numbered, TRANSFORM, "[\"1.\",\"\\n2.\\n\",\"x\"]", "[[\"2.\"]]", 0 },
    { "par_list-03", bulleted, INVOKE, "\"" BULLETED "\"", "[\"foo\",\"bar baz\"]", 0 },
    { "par_list-03", bulleted, TRANSFORM, "[\"- f\",\"oo\\n\",\"\\n*\",\" bar\"]",
      "[[\"foo\"],[\"bar\"]]", 0 },
    { "par_list-03", bulleted, TRANSFORM,
      "[{\"type\":\"AIMessageChunk\",\"content\":\"- a\\n\"},"
      "{\"type\":\"AIMessageChunk\",\"content\":\"- b\"}]",
      "[[\"a\"],[\"b\"]]", 0 },
    { "par_list-03", bulleted, INVOKE, "\" *\\n- x\\n- y\\nx -\\nz\\n-\\n\\nz\\n- \\nz\"",
      "[\"- x\",\"y\"]", 0 },
    { "par_list-03", bulleted, INVOKE_FAILS, "3", "expected a message", GR_ETYPE },
    { "par_str-01", text, TRANSFORM,
      "[{\"type\":\"AIMessageChunk\",\"content\":\"a\"},\"b\",{\"type\":\"AIMessageChunk\","
      "\"content\":\"\"},{\"type\":\"AIMessageChunk\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]}]",
      "[\"a\",\"b\",\"\",\"c\"]", 0 },
};

Test(parsers, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* what is wrong in the input comes through, and so does what was parsed before */
Test(parsers, an_error_in_the_input_ends_a_list)
{
    gr_value *err = NULL;
    gr_stream *writer = NULL, *in = gr_pipe(rt, 0, &writer);
    gr_stream *out = gr_atransform(rt, numbered(), in, NULL);

    cr_assert_eq(gr_pipe_write(writer, gr_str("1. a\n2. b")), GR_OK);
    gr_pipe_close(writer, gr_error(GR_EREMOTE, "lost"));
    is(chunks(out, &err), "[[\"a\"]]");
    fails_with(err, GR_EREMOTE, "lost");
}

#define PART(parts) "{\"type\":\"AIMessageChunk\",\"content\":\"\"" parts "}"
#define CALL_PART(name, args, id, index)                                                           \
    PART(",\"tool_call_chunks\":[{\"name\":" name ",\"args\":\"" args "\",\"id\":" id              \
         ",\"index\":" index "}]")

/* JsonOutputKeyToolsParser tells of nothing twice: what is new in calls of another tool, or behind the first, is nothing
 * new of its own */
Test(parsers, calls_are_told_when_they_have_changed)
{
    const char *two_calls = "[" CALL_PART("\"g\"", "{\\\"x\\\"", "\"c0\"", "0") "," CALL_PART(
        "null", ": 1}", "null",
        "0") "," CALL_PART("\"f\"", "{\\\"a\\\": 1", "\"c1\"",
                           "1") "," CALL_PART("null", "2}", "null",
                                              "1") "," CALL_PART("\"f\"", "{\\\"a\\\": 3}",
                                                                 "\"c2\"", "2") "," PART("") "]";

    transform_is(gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "f")), two_calls,
                 "[[],[{\"a\":1}],[{\"a\":12}],[{\"a\":12},{\"a\":3}]]");
    transform_is(gr_tools_parser(root, GR_TOOLS_PARSER(.key_name = "f", .first_tool_only = true)),
                 two_calls, "[{\"a\":1},{\"a\":12}]");
    transform_is(
        gr_tools_parser(root, NULL),
        "[" PART(",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\"}]") "," PART(
            "") "]",
        "[[{\"args\":{\"a\":1},\"type\":\"f\"}]]");
}
