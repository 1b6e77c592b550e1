/* SPDX-License-Identifier: Apache-2.0 */
/* structured_prompt_test.c - chat prompts that say what the model behind them answers with. */
#include "tests/support/runnables.h"

#define CITY                                                                                       \
    "{\"title\":\"city\",\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},"     \
    "\"required\":[\"name\"]}"

TestSuite(structured_prompt, .init = set_up, .fini = tear_down);

/* The model tells what it was asked for, as the arguments of the tool it was given, or as JSON. */
static gr_value *tells(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *kwargs = gr_kwargs(c), *tools = gr_get(kwargs, "tools");
    gr_value *m, *call;

    (void)arg;
    if (tools == NULL)
        return gr_set(gr_ai("{\"name\":\"json\"}"), "kwargs",
                      kwargs != NULL ? gr_value_ref(kwargs) : gr_nil());
    m = gr_message_text(gr_at(input, gr_len(input) - 1));
    call = gr_map(GR_KV("name", gr_value_ref(gr_get(gr_get(gr_at(tools, 0), "function"), "name"))),
                  GR_KV("args", gr_map(GR_KV("name", m))), GR_KV("id", gr_str("c")),
                  GR_KV("type", gr_str("tool_call")));
    return gr_set(gr_ai(""), "tool_calls", gr_list(call));
}

static gr_ref model(void)
{
    return gr_lambda(root, GR_CHEAP, tells, NULL, NULL);
}

static gr_ref prompt(const gr_structured_opts *how)
{
    return gr_structured_prompt(root,
                                GR_STRUCTURED_PROMPT(.schema = json(CITY), .structured = how,
                                                     .partial = json("{\"tone\":\"short\"}")),
                                GR_ROLE("system", "Be {tone}."), GR_ROLE("human", "{where}"));
}

Test(structured_prompt, alone_it_is_a_chat_prompt)
{
    gr_ref p = prompt(NULL);
    gr_value *err = NULL;

    invoke_is(
        p, "{\"where\":\"Oslo\"}",
        "[{\"type\":\"system\",\"content\":\"Be short.\"},{\"type\":\"human\",\"content\":\"Oslo\"}]");
    invoke_fails(p, "{}", GR_EINVAL, "Input to StructuredPrompt is missing variables {'where'}");
    invoke_is(
        gr_seq(root, gr_passthrough(root), p), "{\"where\":\"Oslo\"}",
        "[{\"type\":\"system\",\"content\":\"Be short.\"},{\"type\":\"human\",\"content\":\"Oslo\"}]");
    is(gr_get_name(rt, p, &err), "\"StructuredPrompt\"");
}

Test(structured_prompt, the_step_behind_it_answers_with_data)
{
    invoke_is(gr_seq(root, prompt(NULL), model()), "{\"where\":\"Oslo\"}", "{\"name\":\"Oslo\"}");
    invoke_is(gr_seq(root, prompt(NULL), model(), gr_pick(root, "name")), "{\"where\":\"Oslo\"}",
              "\"Oslo\"");
    invoke_is(
        gr_seq(root, prompt(GR_STRUCTURED(.method = "json_mode", .include_raw = true)), model()),
        "{\"where\":\"Oslo\"}",
        "{\"raw\":{\"type\":\"ai\",\"content\":\"{\\\"name\\\":\\\"json\\\"}\",\"kwargs\":"
        "{\"response_format\":{\"type\":\"json_object\"}}},\"parsed\":{\"name\":\"json\"},"
        "\"parsing_error\":null}");
}

/* A sequence in another one is its own steps: what was made of the model there is not made of it again. */
Test(structured_prompt, in_sequences_of_sequences)
{
    gr_ref whole = gr_seq(root, prompt(NULL), model());
    gr_ref open = gr_seq(root, gr_passthrough(root), prompt(NULL));

    invoke_is(gr_seq(root, whole, gr_pick(root, "name")), "{\"where\":\"Oslo\"}", "\"Oslo\"");
    invoke_is(gr_seq(root, gr_seq(root, whole, gr_passthrough(root)), gr_pick(root, "name")),
              "{\"where\":\"Oslo\"}", "\"Oslo\"");
    invoke_is(gr_seq(root, open, model()), "{\"where\":\"Oslo\"}", "{\"name\":\"Oslo\"}");
    invoke_is(gr_seq(root, open, gr_seq(root, model(), gr_pick(root, "name"))),
              "{\"where\":\"Oslo\"}", "\"Oslo\"");
}

Test(structured_prompt, what_is_wrong_is_said)
{
    gr_ref none = gr_structured_prompt(root, NULL, GR_ROLE("human", "{where}"));
    gr_ref untitled =
        gr_structured_prompt(root, GR_STRUCTURED_PROMPT(.schema = json("{\"type\":\"object\"}")),
                             GR_ROLE("human", "hi"));
    gr_ref bad = gr_structured_prompt(root, GR_STRUCTURED_PROMPT(.schema = json(CITY)),
                                      GR_ROLE("nobody", "hi"));

    invoke_fails(none, "{\"where\":\"Oslo\"}", GR_EINVAL, "needs a schema");
    invoke_fails(bad, "{}", GR_EINVAL, "nobody");
    invoke_fails(gr_seq(root, untitled, model()), "{}", GR_EINVAL, "a schema with a title");
    invoke_fails(gr_seq(root, prompt(GR_STRUCTURED(.method = "by_hand")), model()), "{}", GR_EINVAL,
                 "unknown method 'by_hand'");
}

/* What a hub gives, and what dict() of the class has. */
Test(structured_prompt, from_its_description)
{
    static const char *const forms[] = {
        "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain_core\",\"prompts\",\"structured\","
        "\"StructuredPrompt\"],\"kwargs\":{\"input_variables\":[\"where\"],\"messages\":[{\"lc\":1,\"type\":"
        "\"constructor\",\"id\":[\"langchain\",\"prompts\",\"chat\",\"HumanMessagePromptTemplate\"],\"kwargs\":"
        "{\"prompt\":{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"prompts\",\"prompt\","
        "\"PromptTemplate\"],\"kwargs\":{\"input_variables\":[\"where\"],\"template\":\"{where}\","
        "\"template_format\":\"f-string\"}}}}],\"schema_\":" CITY
        ",\"structured_output_kwargs\":{\"method\":\"function_calling\",\"strict\":null}}}",
        "{\"_type\":\"chat\",\"messages\":[[\"human\",\"{where}\"]],\"schema_\":" CITY "}",
    };
    static const char *const wrong[][2] = {
        { "{\"_type\":\"chat\",\"messages\":[],\"schema_\":\"City\"}", "schema_ is a map" },
        { "{\"_type\":\"chat\",\"messages\":[],\"schema_\":" CITY
          ",\"structured_output_kwargs\":{\"tools\":[]}}",
          "'tools': expected method, include_raw or strict" },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        invoke_is(gr_seq(root, gr_prompt_of_config(root, json(forms[i]), NULL), model()),
                  "{\"where\":\"Oslo\"}", "{\"name\":\"Oslo\"}");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        invoke_fails(gr_prompt_of_config(root, json(wrong[i][0]), NULL), "{}", GR_EINVAL,
                     wrong[i][1]);
}

Test(structured_prompt, streams)
{
    chunks_are(
        gr_astream(rt, gr_seq(root, prompt(NULL), model()), json("{\"where\":\"Oslo\"}"), NULL),
        "[{\"name\":\"Oslo\"}]");
}
