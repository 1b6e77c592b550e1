/* SPDX-License-Identifier: Apache-2.0 */
/* scene_providers.c - Anthropic's, Ollama's and the Responses API's clients against a server of this process. */
#include "tests/torture/torture.h"

#include <stdio.h>

#include "tests/support/fault_server.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define JSON "Content-Type: application/json\r\n"
#define EVENT(name, rest) FAULT_CHUNK("event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n")
#define DELTA(delta) EVENT("content_block_delta", ",\"index\":0,\"delta\":{" delta "}")
#define LINE(text) FAULT_CHUNK("{\"message\":{\"content\":\"" text "\"},\"done\":false}\n")

static const struct fault_step claude_steps[] = {
    FAULT_STREAM_HEAD,
    EVENT("message_start",
          ",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":3,"
          "\"cache_read_input_tokens\":1,\"output_tokens\":1}}"),
    EVENT("content_block_start",
          ",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","
          "\"name\":\"f\",\"input\":{}}"),
    DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\""),
    DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"1}\""),
    EVENT("content_block_stop", ",\"index\":0"),
    EVENT("message_delta",
          ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}"),
    EVENT("message_stop", ""),
    FAULT_CHUNK(""),
};
static const struct fault_step llama_steps[] = {
    FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
               "Transfer-Encoding: chunked\r\n\r\n"),
    LINE("one "),
    LINE("two "),
    LINE("three"),
    FAULT_CHUNK(
        "{\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":1,\"eval_count\":3}\n"),
    FAULT_CHUNK(""),
};

#define ITEM(what, item)                                                                           \
    EVENT("response.output_item." what, ",\"output_index\":0,\"item\":{" item "}")
static const struct fault_step responses_steps[] = {
    FAULT_STREAM_HEAD,
    EVENT("response.created", ",\"response\":{\"id\":\"resp_1\"}"),
    ITEM("added", "\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"\""),
    EVENT("response.function_call_arguments.delta",
          ",\"output_index\":0,\"delta\":\"{\\\"a\\\":1}\""),
    EVENT("response.completed",
          ",\"response\":{\"id\":\"resp_1\",\"usage\":{\"input_tokens\":3,\"output_tokens\":9}}"),
    FAULT_CHUNK(""),
};

void provider_scripts(struct fault_server *s)
{
    fault_server_reply(
        s, "/r/responses", 200, JSON,
        "{\"id\":\"resp_1\",\"output\":[{\"type\":\"message\",\"id\":\"m\",\"content\":[{"
        "\"type\":\"output_text\",\"text\":\"Hello.\"}]}]}");
    fault_server_script(s, "/rs/responses", responses_steps, COUNT(responses_steps));
    fault_server_reply(s, "/a/v1/messages", 200, JSON,
                       "{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}],"
                       "\"stop_reason\":\"end_turn\"}");
    fault_server_script(s, "/as/v1/messages", claude_steps, COUNT(claude_steps));
    fault_server_script(s, "/o/api/chat", llama_steps, COUNT(llama_steps));
    fault_server_reply(s, "/o/api/embed", 200, JSON, "{\"embeddings\":[[1,0],[0,1]]}");
}

static const char *url_of(const char *path)
{
    static char url[160];

    snprintf(url, sizeof(url), "%s%s", fault_server_url(http_server()), path);
    return url;
}

static gr_ref model(const char *name, const char *path)
{
    return gr_chat_model(root, GR_CHAT(.url = url_of(path), .model = name, .max_retries = -1,
                                       .key_env = "GR_TORTURE_NO_KEY", .timeout_ms = 6000));
}

/* A prompt with all that the request has a form of its own for. */
static gr_value *prompt(void)
{
    return gr_list(gr_system("Be brief."), gr_human("hi"),
                   gr_message("ai", gr_list(gr_map(GR_KV("type", gr_str("text")),
                                                   GR_KV("text", gr_str("yes"))))),
                   gr_tool_message("t", gr_str("4")));
}

static void claude(void)
{
    gives(gr_ainvoke(rt, gr_seq(root, model("anthropic:c", "/a"), gr_str_parser(root)), prompt(),
                     NULL),
          "\"Hello.\"");
}

static gr_ref responses_model(const char *path)
{
    static const gr_header header = { "X-Gateway-Token", "token-of-a-gateway" };

    return gr_chat_model(root,
                         GR_CHAT(.url = url_of(path), .model = "openai:r", .max_retries = -1,
                                 .key_env = "GR_TORTURE_NO_KEY", .timeout_ms = 6000,
                                 .headers = &header, .header_count = 1, .use_responses_api = true));
}

static void responses(void)
{
    gives(gr_ainvoke(rt, gr_seq(root, responses_model("/r"), gr_str_parser(root)), prompt(), NULL),
          "\"Hello.\"");
}

/* calls_f wants a stream to add up to a call with {"a": 1}. */
static void calls_f(gr_stream *s)
{
    gr_value *why = NULL, *sum = gr_stream_take(s, &why);
    const gr_value *args;

    if (sum == NULL) {
        said_why(why);
        return;
    }
    sum = gr_message_of_chunk(sum);
    args = gr_get(gr_at(gr_get(sum, "tool_calls"), 0), "args");
    is(gr_value_ref(gr_error_code(sum) == GR_OK ? args : sum), "{\"a\":1}");
    gr_value_unref(sum);
}

static void claude_stream(void)
{
    calls_f(gr_astream(rt, model("anthropic:c", "/as"), prompt(), NULL));
}

static void responses_stream(void)
{
    calls_f(gr_astream(rt, responses_model("/rs"), prompt(), NULL));
}

static void llama_stream(void)
{
    sums(gr_astream(rt, gr_seq(root, model("ollama:l", "/o"), gr_str_parser(root)), prompt(), NULL),
         "\"one two three\"");
}

static void llama_embeddings(void)
{
    gr_ref r = gr_ollama_embeddings(root, GR_EMBEDDINGS(.url = url_of("/o"), .model = "e",
                                                        .key_env = "GR_TORTURE_NO_KEY",
                                                        .max_retries = -1, .timeout_ms = 6000));

    gives(gr_aembed_documents(rt, r, gr_list(gr_str("a"), gr_str("b")), NULL),
          "[[1.0,0.0],[0.0,1.0]]");
}

static const struct scene scenes[] = {
    { "claude", claude, SCENE_HTTP },
    { "claude_stream", claude_stream, SCENE_HTTP },
    { "responses", responses, SCENE_HTTP },
    { "responses_stream", responses_stream, SCENE_HTTP },
    { "llama_stream", llama_stream, SCENE_HTTP },
    { "llama_embeddings", llama_embeddings, SCENE_HTTP },
};
const struct scenes provider_scenes = SCENES(scenes);
