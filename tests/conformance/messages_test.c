/* SPDX-License-Identifier: Apache-2.0 */
/* messages_test.c - langchain-core's chunks of messages, prompts and output parsers. */
#include "tests/conformance/cases.h"

TestSuite(messages, .init = set_up, .fini = tear_down, .timeout = 120);

static gr_value *sum_of(const char *chunks)
{
    gr_value *list = json(chunks), *sum = NULL;

    for (size_t i = 0; i < gr_len(list); i++)
        sum = gr_add(sum, gr_value_ref(gr_at(list, i)));
    gr_value_unref(list);
    return sum;
}

/* field_is compares one field of a sum of chunks. */
static void field_is(const char *chunks, const char *field, const char *expected)
{
    gr_value *sum = sum_of(chunks);

    is(gr_value_ref(gr_get(sum, field)), expected);
    gr_value_unref(sum);
}

#define AI "\"type\":\"AIMessageChunk\",\"content\":\"\""

/* call_of_sum_is compares the calls of a message that has come in chunks. */
static void calls_of_sum_are(const char *chunks, const char *expected)
{
    gr_value *m = gr_message_of_chunk(sum_of(chunks));

    is(gr_value_ref(gr_get(m, "tool_calls")), expected);
    cr_assert_null(gr_get(m, "invalid_tool_calls"));
    gr_value_unref(m);
}

Test(messages, msg_01_parts_of_a_call_are_one)
{
    calls_of_sum_are(
        "[{" AI
        ",\"tool_call_chunks\":[{\"name\":\"f\",\"args\":\"{\\\"a\",\"id\":\"c\",\"index\":0}]},"
        "{" AI
        ",\"tool_call_chunks\":[{\"name\":null,\"args\":\"\\\": 1}\",\"id\":null,\"index\":0}]}]",
        "[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\",\"type\":\"tool_call\"}]");
    calls_of_sum_are(
        "[{" AI ",\"tool_call_chunks\":[{\"name\":null,\"args\":\"\",\"id\":\"c\",\"index\":0}]}]",
        "[{\"name\":\"\",\"args\":{},\"id\":\"c\",\"type\":\"tool_call\"}]");
}

Test(messages, msg_02_parts_of_different_calls_stay_apart)
{
    field_is("[{" AI ",\"tool_call_chunks\":[{\"name\":\"f\",\"index\":0}]},"
             "{" AI ",\"tool_call_chunks\":[{\"name\":\"g\",\"index\":1}]},"
             "{" AI ",\"tool_call_chunks\":[{\"name\":\"h\",\"index\":null}]},"
             "{" AI ",\"tool_call_chunks\":[{\"name\":\"h\",\"index\":null}]}]",
             "tool_call_chunks",
             "[{\"name\":\"f\",\"index\":0},{\"name\":\"g\",\"index\":1},"
             "{\"name\":\"h\",\"index\":null},{\"name\":\"h\",\"index\":null}]");
}

static void calls_are(const char *args, const char *field, const char *expected)
{
    gr_value *chunk = gr_map(GR_KV("name", gr_str("f")), GR_KV("args", gr_str(args)),
                             GR_KV("id", gr_str("c")), GR_KV("index", gr_int(0)));
    gr_value *m = gr_message_of_chunk(gr_set(gr_ai_chunk(""), "tool_call_chunks", gr_list(chunk)));

    is(gr_get(m, field) != NULL ? gr_value_ref(gr_get(m, field)) : gr_nil(), expected);
    gr_value_unref(m);
}

Test(messages, msg_03_arguments_that_have_no_end_yet)
{
    calls_are("{\"a\": 1", "tool_calls",
              "[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\",\"type\":\"tool_call\"}]");
    calls_are("[1", "tool_calls", "null");
    calls_are(
        "[1", "invalid_tool_calls",
        "[{\"name\":\"f\",\"args\":\"[1\",\"id\":\"c\",\"error\":\"arguments that are no JSON "
        "object\",\"type\":\"invalid_tool_call\"}]");
}

Test(messages, msg_04_usage_adds_up)
{
    field_is("[{" AI ",\"usage_metadata\":{\"input_tokens\":1,\"output_tokens\":3,"
             "\"total_tokens\":4,\"input_token_details\":{\"cache_read\":2}}},"
             "{" AI ",\"usage_metadata\":{\"input_tokens\":2,\"output_tokens\":4,"
             "\"total_tokens\":6}}]",
             "usage_metadata",
             "{\"input_tokens\":3,\"output_tokens\":7,\"total_tokens\":10,"
             "\"input_token_details\":{\"cache_read\":2}}");
}

/* a provider's id goes before that of a run, and that before one of our own */
Test(messages, msg_05_the_id_of_the_best_kind)
{
    field_is("[{" AI ",\"id\":\"lc_x\"},{" AI ",\"id\":\"lc_run--1\"},{" AI ",\"id\":\"msg_1\"},"
             "{" AI ",\"id\":\"msg_2\"}]",
             "id", "\"msg_1\"");
    field_is("[{" AI ",\"id\":\"lc_x\"},{" AI "},{" AI ",\"id\":\"lc_run--1\"}]", "id",
             "\"lc_run--1\"");
}

/* merge_dicts, but that what can't be added is no error: the last one counts */
Test(messages, msg_07_extras_merge_as_dicts)
{
    field_is(
        "[{" AI ",\"response_metadata\":{\"s\":\"a\",\"created\":1,\"n\":1,\"same\":2,\"nil\":null,"
        "\"m\":{\"t\":\"x\"},\"l\":[{\"index\":0,\"t\":\"p\"}],\"model_provider\":\"openai\"}},"
        "{" AI ",\"response_metadata\":{\"s\":\"b\",\"created\":5,\"n\":2,\"same\":2,\"nil\":3,"
        "\"m\":{\"t\":\"y\",\"u\":null},\"l\":[{\"index\":0,\"t\":\"q\"},{\"t\":\"r\"}],"
        "\"model_provider\":\"openai\"}}]",
        "response_metadata",
        "{\"s\":\"ab\",\"created\":5,\"n\":3,\"same\":2,\"nil\":3,\"m\":{\"t\":\"xy\",\"u\":null},"
        "\"l\":[{\"index\":0,\"t\":\"pq\"},{\"t\":\"r\"}],\"model_provider\":\"openai\"}");
    field_is("[{" AI ",\"additional_kwargs\":{\"a\":\"x\"}},{" AI
             ",\"additional_kwargs\":{\"a\":[1]}}]",
             "additional_kwargs", "{\"a\":[1]}");
}

/* what a model has written in its arguments though JSON has it escaped: a line's end, a tab */
Test(messages, arguments_may_have_lines)
{
    gr_value *m = gr_message_coerce(
        json("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\","
             "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
             "\"{\\n\\\"a\\\":\\t\\\"x\\n\\\\\\\"\\ty\\\"}\"}}]}"));

    is(gr_value_ref(gr_get(m, "tool_calls")),
       "[{\"name\":\"f\",\"args\":{\"a\":\"x\\n\\\"\\ty\"},\"id\":\"c\",\"type\":\"tool_call\"}]");
    gr_value_unref(m);
    m = gr_message_coerce(
        json("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\","
             "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
             "\"{\\\"a\\\": \\\"x\\n\"}}]}"));
    cr_assert_null(gr_get(m, "tool_calls"));
    is(gr_value_ref(gr_get(gr_at(gr_get(m, "invalid_tool_calls"), 0), "args")),
       "\"{\\\"a\\\": \\\"x\\n\"");
    gr_value_unref(m);
}

#define CONTENT(c) "{\"type\":\"AIMessageChunk\",\"content\":" c "}"
#define A0 "[{\"type\":\"text\",\"text\":\"a\",\"index\":0}]"
#define B0 "[{\"type\":\"text\",\"text\":\"b\",\"index\":0}]"
#define B "[{\"type\":\"text\",\"text\":\"b\"}]"

Test(messages, msg_06_contents_of_two_kinds)
{
    field_is("[" CONTENT(A0) "," CONTENT(B0) "]", "content",
             "[{\"type\":\"text\",\"text\":\"ab\",\"index\":0}]");
    field_is("[" CONTENT("\"a\"") "," CONTENT(B) "]", "content",
             "[\"a\",{\"type\":\"text\",\"text\":\"b\"}]");
    field_is("[" CONTENT(B) "," CONTENT("\"\"") "," CONTENT("\"c\"") "," CONTENT("\"d\"") "]",
             "content", "[{\"type\":\"text\",\"text\":\"b\"},\"cd\"]");
}

/* by count, not by time: a text of a thousand chunks is added up in place */
Test(messages, chunks_add_up_in_proportion)
{
    gr_value *sum = gr_ai_chunk("x"), *before;

    for (int i = 0; i < 1000; i++) {
        before = sum;
        sum = gr_add(sum, gr_ai_chunk("x"));
        cr_assert_eq(sum, before);
    }
    cr_assert_eq(gr_len(gr_get(sum, "content")), 1001);
    gr_value_unref(sum);
}

/* chat-03: LangChain's fake model gives a chunk for each character, this one for each word */
Test(messages, chat_03_a_scripted_model_streams)
{
    gr_ref m = gr_script_model(root, GR_SCRIPT(.answers = json("[\"a b c\"]")));
    gr_value *err = NULL, *list = chunks(gr_astream(rt, m, gr_str("_"), NULL), &err);

    cr_assert_null(err);
    is(list, "[{\"type\":\"AIMessageChunk\",\"content\":\"a\"},"
             "{\"type\":\"AIMessageChunk\",\"content\":\" b\"},"
             "{\"type\":\"AIMessageChunk\",\"content\":\" c\",\"chunk_position\":\"last\"}]");
}

/* ---- prompts --------------------------------------------------------------------------------- */

/* kind_is expects an error of that kind. */
static void kind_is(gr_ref r, const char *input, const char *kind)
{
    gr_value *err = answer(gr_ainvoke(rt, r, json(input), NULL));

    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), gr_error_text(err)), kind);
    gr_value_unref(err);
}

Test(messages, pmt_01_missing_variables_are_named)
{
    gr_ref r = gr_chat_prompt(root, GR_ROLE("human", "{a} {b}"));

    invoke_fails(r, "{\"a\":1}", GR_EINVAL, "missing variables");
    invoke_fails(r, "{\"a\":1}", GR_EINVAL, "'b'");
    invoke_fails(gr_prompt(root, "{a} {b}"), "{\"a\":1}", GR_EINVAL, "missing variables");
    kind_is(r, "{\"a\":1}", "KeyError");
    kind_is(gr_prompt(root, "{a} {b}"), "{\"a\":1}", "KeyError");
}

/* pmt-02: what a partial has need not come in, but may */
Test(messages, pmt_02_partials)
{
    gr_ref r = gr_prompt_for(root, GR_PROMPT(.partial = json("{\"a\":\"x\"}")), "{a} {b}");
    gr_ref chat = gr_chat_prompt_for(root, GR_PROMPT(.partial = json("{\"a\":\"x\"}")),
                                     GR_ROLE("system", "{a}"), GR_ROLE("human", "{b}"));

    invoke_is(r, "{\"b\":\"y\"}", "\"x y\"");
    invoke_is(r, "{\"a\":1,\"b\":\"y\"}", "\"1 y\"");
    invoke_is(r, "\"y\"", "\"x y\"");
    invoke_fails(r, "{\"a\":1}", GR_EINVAL, "missing variables {'b'}. Expected: ['b']");
    invoke_is(chat, "\"y\"",
              "[{\"type\":\"system\",\"content\":\"x\"},{\"type\":\"human\",\"content\":\"y\"}]");
    invoke_fails(gr_prompt_for(root, GR_PROMPT(.partial = gr_int(1)), "{a}"), "1", GR_ETYPE,
                 "partial is a map");
    invoke_fails(gr_chat_prompt_for(root, GR_PROMPT(.partial = gr_int(1)), GR_ROLE("human", "a")),
                 "1", GR_ETYPE, "partial is a map");
}

/* pmt-03: a placeholder may be missing, messages must be there; both are lists */
Test(messages, pmt_03_placeholders)
{
    gr_ref maybe = gr_chat_prompt(root, GR_ROLE("placeholder", "{h}"), GR_ROLE("human", "{q}"));
    gr_ref must = gr_chat_prompt(root, GR_ROLE("messages", "h"));
    gr_ref last = gr_chat_prompt(root, GR_MESSAGES("h", 1), GR_ROLE("human", "{q}"));

    invoke_is(maybe, "{\"q\":\"y\"}", "[{\"type\":\"human\",\"content\":\"y\"}]");
    invoke_is(maybe, "\"y\"",
              "[{\"type\":\"human\",\"content\":\"y\"}]"); /* the only one that must be there */
    invoke_is(maybe, "{\"h\":[[\"ai\",\"x\"]],\"q\":\"y\"}",
              "[{\"type\":\"ai\",\"content\":\"x\"},{\"type\":\"human\",\"content\":\"y\"}]");
    invoke_fails(maybe, "{\"h\":\"x\",\"q\":\"y\"}", GR_ETYPE,
                 "variable 'h': should be a list of messages");
    invoke_is(maybe, "{\"h\":null,\"q\":\"y\"}", "[{\"type\":\"human\",\"content\":\"y\"}]");
    invoke_fails(must, "{}", GR_EINVAL, "missing variables {'h'}");
    invoke_fails(must, "{\"h\":null}", GR_ETYPE, "variable 'h': should be a list of messages");
    invoke_fails(last, "{\"h\":null,\"q\":\"y\"}", GR_ETYPE, "should be a list of messages");
    invoke_is(must, "[[\"ai\",\"x\"]]", "[{\"type\":\"ai\",\"content\":\"x\"}]");
    invoke_is(must, "{\"h\":[]}", "[]");
    invoke_is(last, "{\"h\":[[\"ai\",\"x\"],[\"human\",\"z\"]],\"q\":\"y\"}",
              "[{\"type\":\"human\",\"content\":\"z\"},{\"type\":\"human\",\"content\":\"y\"}]");
}

/* ---- parsers --------------------------------------------------------------------------------- */

static gr_ref json_parser(void)
{
    return gr_json_parser(root);
}
static gr_ref list_parser(void)
{
    return gr_comma_list_parser(root);
}
static gr_ref message_then_json(void)
{
    return gr_seq(root, gr_script_model(root, GR_SCRIPT(.answers = json("[\"[1, 2]\"]"))),
                  gr_json_parser(root));
}

static const struct expectation cases[] = {
    { "par_json-01", json_parser, TRANSFORM,
      "[\"{\",\"\\\"a\\\"\",\": \\\"x\",\"y\\\"\",\", \\\"b\\\": [1\",\", 2]\",\"}\"]",
      "[{},{\"a\":\"x\"},{\"a\":\"xy\"},{\"a\":\"xy\",\"b\":[1]},{\"a\":\"xy\",\"b\":[1,2]}]", 0 },
    { "par_json-03", json_parser, INVOKE, "\"{\\\"foo\\\": \\\"bar\\\", \\\"bar\\\": \\\"foo\\\"\"",
      "{\"foo\":\"bar\",\"bar\":\"foo\"}", 0 },
    { "par_json-03", json_parser, INVOKE, "\"{\\\"foo\\\": \\\"bar\\\", \\\"bar\\\": \\\"foo\"",
      "{\"foo\":\"bar\",\"bar\":\"foo\"}", 0 },
    { "par_json-03", json_parser, INVOKE, "\"{\\\"foo\\\": \\\"bar\\\", \\\"bar\\\": \"",
      "{\"foo\":\"bar\"}", 0 },
    { "par_json-03", json_parser, INVOKE, "\"{\\\"foo\\\": \\\"bar\\\", \\\"b\"",
      "{\"foo\":\"bar\"}", 0 },
    { "par_json-03", json_parser, INVOKE,
      "\"{\\\"foo\\\":\\\"bar\\\",\\\"n\\\":[1, {\\\"x\\\": tr\"", "{\"foo\":\"bar\",\"n\":[1,{}]}",
      0 },
    { "par_json-03", json_parser, INVOKE, "\"{\\\"a\\\": \\\"li\\nne\\\"}\"", "{\"a\":\"li\\nne\"}",
      0 },
    { "par_json-04", json_parser, INVOKE, "\"Thoughts\\n```json\\n{\\\"a\\\": 1}\\n```\\nbye\"",
      "{\"a\":1}", 0 },
    { "par_json-04", json_parser, INVOKE, "\"```\\n[1, 2\"", "[1,2]", 0 },
    { "par_json-04", json_parser, INVOKE_FAILS, "\"nothing\"", "Invalid json output: nothing",
      GR_EINVAL },
    { "par_json-04", json_parser, INVOKE, "\" null \"", "null", 0 },
    { "par_json-05", message_then_json, INVOKE, "\"hi\"", "[1,2]", 0 },
    { "par_json-05", message_then_json, STREAM, "\"hi\"", "[[1],[1,2]]", 0 },
    { "par_list-01", list_parser, TRANSFORM, "[\"a\",\",\",\"b\",\",\",\"c\"]",
      "[[\"a\"],[\"b\"],[\"c\"]]", 0 },
    { "par_list-01", list_parser, INVOKE, "\"a,b,c\"", "[\"a\",\"b\",\"c\"]", 0 },
    { "par_list-01", list_parser, INVOKE, "\"a, \\\"b, \\\"\\\"c\\\"\\\"\\\", d e\"",
      "[\"a\",\"b, \\\"c\\\"\",\"d e\"]", 0 },
    { "par_list-01", list_parser, INVOKE, "\"a,,b,\"", "[\"a\",\"\",\"b\",\"\"]", 0 },
    { "par_list-01", list_parser, INVOKE, "\"\"", "[]", 0 },
    { "par_list-01", list_parser, INVOKE, "\"a\\r\\nb\"", "[\"a\",\"b\"]", 0 },
    { "par_list-01", list_parser, INVOKE, "\" a , b \"", "[\"a \",\"b \"]", 0 },
};

Test(messages, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}
