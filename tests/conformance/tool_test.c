/* SPDX-License-Identifier: Apache-2.0 */
/* tool_test.c - langchain-core's Runnable.as_tool. */
#include "tests/conformance/cases.h"

TestSuite(tool, .init = set_up, .fini = tear_down, .timeout = 120);

static gr_value *x_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(gr_get(input, "x"));
}

Test(tool, tool_01_plain_arguments_and_a_tool_call)
{
    gr_ref r = gr_as_tool(root, lambda(GR_CHEAP, x_fn), GR_TOOL(.name = "parrot"));

    invoke_is(r, "{\"x\":\"hi\"}", "\"hi\"");
    invoke_is(r,
              "{\"type\":\"tool_call\",\"name\":\"parrot\",\"args\":{\"x\":\"hi\"},\"id\":\"c1\"}",
              "{\"type\":\"tool\",\"content\":\"hi\",\"tool_call_id\":\"c1\",\"name\":\"parrot\","
              "\"status\":\"success\"}");
    invoke_is(r, "{\"type\":\"tool_call\",\"name\":\"parrot\",\"args\":{\"x\":[1]},\"id\":\"c1\"}",
              "{\"type\":\"tool\",\"content\":\"[1]\",\"tool_call_id\":\"c1\",\"name\":\"parrot\","
              "\"status\":\"success\"}");
    invoke_fails(gr_as_tool(root, boom(GR_ASYNC, "t"), NULL), "\"x\"", GR_EREMOTE, "t:x");
}

Test(tool, a_tool_of_a_text_takes_its_only_argument)
{
    gr_ref r =
        gr_as_tool(root, shout(GR_ASYNC), GR_TOOL(.args_schema = json("{\"type\":\"string\"}")));

    invoke_is(r, "\"hi\"", "\"hi!\"");
    invoke_is(
        r, "{\"type\":\"tool_call\",\"args\":{\"__arg1\":\"hi\"},\"id\":\"c\"}",
        "{\"type\":\"tool\",\"content\":\"hi!\",\"tool_call_id\":\"c\",\"status\":\"success\"}");
}

Test(tool, it_says_what_a_model_must_know)
{
    gr_ref plain = gr_as_tool(root, gr_prompt(root, "{a}"), NULL);
    gr_ref given = gr_as_tool(root, shout(GR_CHEAP),
                              GR_TOOL(.name = "shout", .description = "Shouts.",
                                      .args_schema = json("{\"type\":\"string\"}")));

    is(answer(gr_acall(rt, given, "tool", gr_nil(), NULL)),
       "{\"name\":\"shout\",\"description\":\"Shouts.\",\"parameters\":{\"type\":\"string\"}}");
    is(answer(gr_acall(rt, plain, "tool", gr_nil(), NULL)),
       "{\"name\":\"PromptTemplate\",\"description\":\"Takes {\\\"type\\\": \\\"object\\\", "
       "\\\"properties\\\": {\\\"a\\\": {\\\"type\\\": \\\"string\\\"}}, \\\"required\\\": "
       "[\\\"a\\\"], \\\"title\\\": \\\"PromptInput\\\"}.\",\"parameters\":{\"type\":\"object\","
       "\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"],\"title\":"
       "\"PromptInput\"}}");
}
