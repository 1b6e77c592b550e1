/* SPDX-License-Identifier: Apache-2.0 */
/* models_test.c - langchain-core's chat models: prompts, streams, generate, structured output. */
#include <greenroom/callbacks.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/cases.h"
#include "tests/support/fault_server.h"
#include "tests/support/observer.h"

#define PATH "/v1/chat/completions"
#define SAYS(text)                                                                                 \
    "{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"" text                                 \
    "\"},\"finish_reason\":\"stop\"}]}"
#define CALLS(args)                                                                                     \
    "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\"," \
    "\"function\":{\"name\":\"person\",\"arguments\":\"" args "\"}}]}}]}"
#define SCHEMA                                                                                         \
    "{\"title\":\"person\",\"description\":\"Somebody\",\"type\":\"object\",\"properties\":{\"name\":" \
    "{\"type\":\"string\"},\"age\":{\"type\":\"integer\"}},\"required\":[\"name\"]}"

static struct observer seen;
static struct fault_server *server;
static char url[128];

static void up(void)
{
    setenv("no_proxy", "*", 1);
    set_up();
    observer_init(&seen);
    server = fault_server_start();
    snprintf(url, sizeof(url), "%s/v1", fault_server_url(server));
}

static void down(void)
{
    tear_down();
    observer_fini(&seen);
    fault_server_stop(server);
}

TestSuite(models, .init = up, .fini = down, .timeout = 120);

static gr_ref model(void)
{
    return gr_chat_model(
        root, GR_CHAT(.url = url, .model = "m", .key_env = "GR_TEST_NO_KEY", .max_retries = -1));
}

static void reply(const char *body)
{
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", body);
}

static void reply_stream(const char *body)
{
    fault_server_reply(server, PATH, 200, "Content-Type: text/event-stream\r\n", body);
}

/* sent gives what the body of the index-th request has under key. */
static gr_value *sent(size_t index, const char *key)
{
    char *request = fault_server_request(server, index);
    gr_value *body, *v;

    cr_assert_not_null(request);
    body = json(strstr(request, "\r\n\r\n") + 4);
    v = gr_get(body, key) == NULL ? gr_nil() : gr_value_ref(gr_get(body, key));
    gr_value_unref(body);
    free(request);
    return v;
}

/* chat-01: a prompt is a text, messages, pairs, maps, or what a prompt template gives */
Test(models, chat_01_what_a_prompt_may_be)
{
    static const char *const prompts[] = {
        "\"hi\"",
        "{\"type\":\"human\",\"content\":\"hi\"}",
        "[{\"type\":\"human\",\"content\":\"hi\"}]",
        "[[\"human\",\"hi\"]]",
        "[{\"role\":\"user\",\"content\":\"hi\"}]",
        "[\"hi\"]",
        "{\"messages\":[[\"user\",\"hi\"]]}",
    };
    gr_ref m = model();

    reply(SAYS("a"));
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++) {
        gr_value_unref(answer(gr_ainvoke(rt, m, json(prompts[i]), NULL)));
        is(sent(i, "messages"), "[{\"role\":\"user\",\"content\":\"hi\"}]");
    }
    invoke_fails(m, "[[\"nobody\",\"hi\"]]", GR_EINVAL, "unknown role 'nobody'");
}

/* chat-02: the first failure is told when all prompts are done, each a run of its own */
Test(models, chat_02_all_prompts_are_done_before_one_fails)
{
    gr_ref g = gr_generate(
        root, gr_script_model(
                  root, GR_SCRIPT(.answers = gr_list(gr_str("ok"), gr_error(GR_EREMOTE, "bad")))));
    size_t ends = 0, errors = 0;

    fails_with(answer(gr_ainvoke(rt, g, json("[\"ok\",\"bad\"]"),
                                 GR_CALL(.config = observed(&seen, NULL)))),
               GR_EREMOTE, "bad");
    cr_assert_eq(observer_runs(&seen), 2);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(seen.runs[i].type, GR_TYPE_CHAT_MODEL);
        ends += seen.runs[i].code == GR_OK;
        errors += seen.runs[i].code == GR_EREMOTE;
    }
    cr_assert_eq(ends, 1);
    cr_assert_eq(errors, 1);
}

Test(models, generate_gives_texts_messages_and_the_sum_of_usages)
{
    gr_ref g = gr_generate(root, model());

    reply(
        "{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1,"
        "\"completion_tokens\":2,\"total_tokens\":3}}");
    gr_value *v = answer(gr_ainvoke(rt, g, json("[\"p\",\"q\"]"), NULL));

    cr_assert_eq(gr_len(gr_get(v, "generations")), 2, "%s", gr_error_text(v));
    is(gr_value_ref(gr_get(gr_at(gr_at(gr_get(v, "generations"), 1), 0), "text")), "\"a\"");
    is(gr_value_ref(gr_get(gr_get(v, "llm_output"), "token_usage")),
       "{\"input_tokens\":2,\"output_tokens\":4,\"total_tokens\":6}");
    gr_value_unref(v);
    is(answer(gr_ainvoke(rt, g, json("[]"), NULL)), "{\"generations\":[],\"llm_output\":{}}");
}

/* chat-05: a stream without a chunk is an error */
Test(models, chat_05_no_chunks)
{
    gr_value *err = NULL;

    reply_stream("data: [DONE]\n\n");
    is(chunks(gr_astream(rt, model(), gr_str("hi"), NULL), &err), "[]");
    fails_with(err, GR_EPROTO, "No generation chunks were returned");
}

/* chat-11: disable_streaming */
Test(models, chat_11_no_streaming)
{
    gr_ref m = gr_chat_model(
        root, GR_CHAT(.url = url, .model = "m", .max_retries = -1, .no_streaming = true));

    reply(SAYS("abc"));
    chunks_are(
        gr_astream(rt, m, gr_str("_"), GR_CALL(.config = json("{\"run_id\":\"r\"}"))),
        "[{\"type\":\"AIMessageChunk\",\"content\":\"abc\",\"response_metadata\":{\"model_provider\":"
        "\"openai\",\"id\":\"x\",\"finish_reason\":\"stop\"},\"chunk_position\":\"last\","
        "\"id\":\"lc_run--r-0\"}]");
    is(sent(0, "stream"), "null");
}

Test(models, no_tool_streaming)
{
    gr_ref m = gr_chat_model(
        root, GR_CHAT(.url = url, .model = "m", .max_retries = -1, .no_tool_streaming = true));
    gr_ref bound = gr_bind(
        root, m, json("{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}"));
    gr_value *err = NULL;

    reply(SAYS("abc"));
    gr_value_unref(chunks(gr_astream(rt, bound, gr_str("_"), NULL), &err));
    cr_assert_null(err);
    is(sent(0, "stream"), "null");
    gr_value_unref(chunks(gr_astream(rt, m, gr_str("_"), NULL), &err));
    is(sent(1, "stream"), "true");
    gr_value_unref(err);
}

/* ---- structured output ----------------------------------------------------------------------- */

static gr_ref person(const gr_structured_opts *opts)
{
    return gr_with_structured_output(root, model(), json(SCHEMA), opts);
}

Test(models, structured_output_by_a_tool)
{
    reply(CALLS("{\\\"name\\\":\\\"Ada\\\",\\\"age\\\":36}"));
    invoke_is(person(NULL), "\"who?\"", "{\"name\":\"Ada\",\"age\":36}");
    is(sent(0, "tools"),
       "[{\"type\":\"function\",\"function\":{\"name\":\"person\",\"description\":\"Somebody\","
       "\"parameters\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
       "\"age\":{\"type\":\"integer\"}},\"required\":[\"name\"]}}}]");
    is(sent(0, "tool_choice"), "\"required\"");
}

Test(models, structured_output_by_the_server)
{
    reply(SAYS("{\\\"name\\\":\\\"Ada\\\"}"));
    invoke_is(person(GR_STRUCTURED(.method = "json_schema", .strict = 1)), "\"who?\"",
              "{\"name\":\"Ada\"}");
    is(sent(0, "response_format"),
       "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"person\",\"description\":\"Somebody\",\"schema\":"
       "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\"}},"
       "\"required\":[\"name\",\"age\"],\"additionalProperties\":false},\"strict\":true}}");
    reply(SAYS("```json\\n{\\\"name\\\":\\\"Bob\\\"}\\n```"));
    invoke_is(
        gr_with_structured_output(root, model(), gr_nil(), GR_STRUCTURED(.method = "json_mode")),
        "\"who?\"", "{\"name\":\"Bob\"}");
    is(sent(1, "response_format"), "{\"type\":\"json_object\"}");
}

Test(models, structured_output_is_judged_by_the_schema)
{
    gr_value *err;

    reply(CALLS("{\\\"age\\\":\\\"old\\\"}"));
    err = answer(gr_ainvoke(rt, person(NULL), gr_str("who?"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "OutputParserException");
    cr_assert_eq(gr_len(gr_get(err, "detail")), 2);
    fails_with(err, GR_EINVAL, "/age");
    invoke_is(person(GR_STRUCTURED(.unchecked = true)), "\"who?\"", "{\"age\":\"old\"}");
    reply(SAYS("I would rather talk."));
    invoke_is(person(NULL), "\"who?\"", "null"); /* no call, no answer: as in LangChain */
}

Test(models, structured_output_streams_what_can_be_read)
{
    reply_stream(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":"
        "{\"name\":\"person\",\"arguments\":\"{\\\"name\\\":\\\"A\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
        "{\"arguments\":\"da\\\"}\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n");
    chunks_are(gr_astream(rt, person(NULL), gr_str("who?"), NULL),
               "[{\"name\":\"A\"},{\"name\":\"Ada\"}]");
}

Test(models, a_refusal_is_an_error)
{
    gr_value *err;

    reply("{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I can't.\"}}]}");
    err = answer(gr_ainvoke(rt, person(GR_STRUCTURED(.method = "json_schema")), gr_str("?"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "Refusal");
    fails_with(err, GR_EREMOTE, "I can't.");
    reply_stream(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I can't.\"},\"finish_reason\":\"stop\"}]}\n\n");
    gr_value_unref(chunks(
        gr_astream(rt, person(GR_STRUCTURED(.method = "json_schema")), gr_str("?"), NULL), &err));
    fails_with(err, GR_EREMOTE, "I can't.");
}

/* so-01: with include_raw what can't be read is told beside the message, and fails nothing */
Test(models, so_01_include_raw)
{
    gr_ref r = person(GR_STRUCTURED(.include_raw = true));
    gr_value *v;

    reply(CALLS("{oops"));
    v = answer(gr_ainvoke(rt, r, gr_str("who?"), NULL));
    cr_assert_eq(gr_len(v), 3, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(v, "raw"), "type"), ""), "ai");
    cr_assert(gr_is_nil(gr_get(v, "parsed")));
    cr_assert_eq(gr_error_code(gr_get(v, "parsing_error")), GR_EINVAL);
    gr_value_unref(v);
    reply(CALLS("{\\\"name\\\":\\\"Ada\\\"}"));
    v = answer(gr_ainvoke(rt, r, gr_str("who?"), NULL));
    is(gr_value_ref(gr_get(v, "parsed")), "{\"name\":\"Ada\"}");
    cr_assert(gr_is_nil(gr_get(v, "parsing_error")));
    gr_value_unref(v);
}

Test(models, a_schema_needs_a_name)
{
    invoke_fails(gr_with_structured_output(root, model(), json("{\"type\":\"object\"}"), NULL), "1",
                 GR_EINVAL, "a title");
    invoke_fails(gr_with_structured_output(root, model(), gr_nil(), NULL), "1", GR_ETYPE,
                 "a schema");
    invoke_fails(person(GR_STRUCTURED(.method = "by_magic")), "1", GR_EINVAL, "by_magic");
    invoke_fails(gr_with_structured_output(root, model(),
                                           json("{\"title\":\"a\",\"type\":\"objekt\"}"), NULL),
                 "1", GR_EINVAL, "/type");
    reply(CALLS("{\\\"name\\\":\\\"Ada\\\"}"));
    invoke_is(gr_with_structured_output(
                  root, model(),
                  json("{\"name\":\"person\",\"input_schema\":{\"type\":\"object\"}}"), NULL),
              "\"who?\"", "{\"name\":\"Ada\"}");
}
