/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_quirks_test.c - what Anthropic, and servers that speak its API, are known to send. */
#include "tests/support/quirks.h"

#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLAUDE "anthropic:c"
#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"  \
          "\"c-2026\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,"          \
          "\"output_tokens\":1}}")
#define OPEN(index, block)                                                                         \
    EVENT("content_block_start", ",\"index\":" index ",\"content_block\":{" block "}")
#define DELTA(index, delta)                                                                        \
    EVENT("content_block_delta", ",\"index\":" index ",\"delta\":{" delta "}")
#define TEXT(index, text) DELTA(index, "\"type\":\"text_delta\",\"text\":\"" text "\"")
#define ARGS(index, json)                                                                          \
    DELTA(index, "\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"")
#define CLOSE(index) EVENT("content_block_stop", ",\"index\":" index)
#define FINISH(reason)                                                                             \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{"         \
          "\"output_tokens\":9}")
#define STOP EVENT("message_stop", "")
#define TEXT_BLOCK "\"type\":\"text\",\"text\":\"\""
#define CALL_BLOCK(id, name)                                                                       \
    "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}"
#define HELLO                                                                                      \
    "{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c-2026\","          \
    "\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}],\"stop_reason\":\"end_turn\","          \
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}"
#define TOOLS "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

static const struct quirk streams[] = {
    { .name = "anthropic: pings and events of later versions are ignored",
      .model = CLAUDE,
      .stream = true,
      .body = START OPEN("0", TEXT_BLOCK) EVENT("ping", "") TEXT("0", "Hel")
          EVENT("of_the_future", ",\"index\":0") ": a comment\n\n" TEXT("0", "lo.") CLOSE("0")
              FINISH("end_turn") STOP,
      .want = "{\"type\":\"ai\",\"content\":\"Hello.\",\"id\":\"~lc_run--\",\"response_metadata\":{"
              "\"model_name\":\"c-2026\",\"stop_reason\":\"end_turn\",\"model_provider\":"
              "\"anthropic\"},\"usage_metadata\":{\"input_tokens\":3,\"output_tokens\":9,"
              "\"total_tokens\":12}}",
      .sent = "{\"model\":\"c\",\"max_tokens\":4096,\"stream\":true,\"messages\":[{\"role\":"
              "\"user\",\"content\":\"hi\"}]}",
      .head = "x-api-key: sk-of-a-test" },
    { .name = "anthropic: the key goes in a header of its own",
      .model = CLAUDE,
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .head = "POST /v1/messages HTTP/1.1",
      .no_head = "Authorization" },
    { .name = "anthropic: the version is sent",
      .model = CLAUDE,
      .version = "2026-10-21",
      .kwargs = "{\"temperature\":0.5,\"top_p\":0.5,\"top_k\":3,\"stop\":\"X\"}",
      .body = HELLO,
      .want = "{}",
      .sent = "{\"temperature\":null,\"top_p\":null,\"top_k\":null,\"stop_sequences\":[\"X\"]}",
      .head = "anthropic-version: 2026-10-21" },
    { .name = "anthropic: two calls, their arguments in parts that are no JSON alone",
      .model = CLAUDE,
      .stream = true,
      .kwargs = TOOLS,
      .body = START OPEN("0", TEXT_BLOCK) TEXT("0", "Let me see.") CLOSE("0")
          OPEN("1", CALL_BLOCK("t1", "f")) ARGS("1", "") ARGS("1", "{\\\"a\\\": ") ARGS("1", "1}")
              CLOSE("1") OPEN("2", CALL_BLOCK("t2", "g")) ARGS("2", "{}") CLOSE("2")
                  FINISH("tool_use") STOP,
      .want = "{\"content\":[{\"type\":\"text\",\"text\":\"Let me see.\"},{\"type\":\"tool_use\","
              "\"id\":\"t1\"},{\"type\":\"tool_use\",\"id\":\"t2\"}],\"tool_calls\":[{\"name\":"
              "\"f\",\"args\":{\"a\":1},\"id\":\"t1\"},{\"name\":\"g\",\"args\":{},\"id\":\"t2\"}],"
              "\"response_metadata\":{\"stop_reason\":\"tool_use\"}}",
      .sent = "{\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]}" },
    { .name = "anthropic: a call without arguments has none, not a broken text",
      .model = CLAUDE,
      .stream = true,
      .kwargs = TOOLS,
      .body =
          START OPEN("0", CALL_BLOCK("t1", "now")) ARGS("0", "") CLOSE("0") FINISH("tool_use") STOP,
      .want = "{\"tool_calls\":[{\"name\":\"now\",\"args\":{}}],\"invalid_tool_calls\":null}" },
    { .name = "anthropic: arguments cut off by the limit are an invalid call or what could be read",
      .model = CLAUDE,
      .stream = true,
      .kwargs = TOOLS,
      .body = START OPEN("0", CALL_BLOCK("t1", "f")) ARGS("0", "{\\\"a\\\": 1, \\\"b\\\": \\\"x")
          CLOSE("0") FINISH("max_tokens") STOP,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1,\"b\":\"x\"}}],"
              "\"response_metadata\":{\"stop_reason\":\"max_tokens\"}}" },
    { .name = "anthropic: thoughts and their signature are joined",
      .model = CLAUDE,
      .stream = true,
      .kwargs = "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}",
      .body = START OPEN("0", "\"type\":\"thinking\",\"thinking\":\"\"")
          DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"so \"")
              DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"far\"")
                  DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"EqQB\"") CLOSE("0")
                      OPEN("1", TEXT_BLOCK) TEXT("1", "Yes.") CLOSE("1") FINISH("end_turn") STOP,
      .want =
          "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"so far\",\"signature\":\"EqQB\"},"
          "{\"type\":\"text\",\"text\":\"Yes.\"}]}",
      .sent = "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}" },
    { .name = "anthropic: redacted thoughts are kept as they are",
      .model = CLAUDE,
      .body = "{\"id\":\"m\",\"content\":[{\"type\":\"redacted_thinking\",\"data\":\"EmwK\"},{"
              "\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"end_turn\"}",
      .want = "{\"content\":[{\"type\":\"redacted_thinking\",\"data\":\"EmwK\"},{\"type\":\"text\","
              "\"text\":\"a\"}]}" },
    { .name = "anthropic: what a cache gave counts among the input",
      .model = CLAUDE,
      .stream = true,
      .body = EVENT("message_start",
                    ",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":3,"
                    "\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":7,"
                    "\"output_tokens\":1}}") OPEN("0", TEXT_BLOCK) TEXT("0", "a") CLOSE("0")
          FINISH("end_turn") STOP,
      .want = "{\"usage_metadata\":{\"input_tokens\":15,\"output_tokens\":9,\"total_tokens\":24,"
              "\"input_token_details\":{\"cache_creation\":5,\"cache_read\":7}}}" },
    { .name = "anthropic: a model is let say all that it can",
      .model = "anthropic:claude-sonnet-4-5-20250929",
      .body = "{\"id\":\"m\",\"content\":[],\"stop_reason\":\"end_turn\"}",
      .want = "{\"content\":\"\"}",
      .sent = "{\"max_tokens\":64000}" },
    { .name = "anthropic: the tools of MCP servers give blocks, too",
      .model = CLAUDE,
      .stream = true,
      .kwargs = "{\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://x\",\"name\":\"x\"}]}",
      .body = START OPEN("0", TEXT_BLOCK) TEXT("0", "a") CLOSE("0") FINISH("end_turn") STOP,
      .want = "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}" },
    { .name = "anthropic: a refusal has no content",
      .model = CLAUDE,
      .body = "{\"id\":\"m\",\"content\":[],\"stop_reason\":\"refusal\",\"stop_sequence\":null}",
      .want = "{\"content\":\"\",\"response_metadata\":{\"stop_reason\":\"refusal\"}}" },
    { .name = "anthropic: a pause in a turn is told",
      .model = CLAUDE,
      .body = "{\"id\":\"m\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s1\",\"name\":"
              "\"web_search\",\"input\":{\"query\":\"x\"}}],\"stop_reason\":\"pause_turn\"}",
      .want = "{\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s1\"}],\"tool_calls\":null,"
              "\"response_metadata\":{\"stop_reason\":\"pause_turn\"}}" },
    { .name = "anthropic: a stream without its last event is whole once it said why it stopped",
      .model = CLAUDE,
      .stream = true,
      .body = START OPEN("0", TEXT_BLOCK) TEXT("0", "a") CLOSE("0") FINISH("end_turn"),
      .want = "{\"content\":\"a\",\"response_metadata\":{\"stop_reason\":\"end_turn\"}}" },
    { .name = "anthropic: before that it was broken off",
      .model = CLAUDE,
      .stream = true,
      .body = START OPEN("0", TEXT_BLOCK) TEXT("0", "a"),
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~stream ended early\"}" },
    { .name = "vllm's messages: usage only at the start, no index, a text in the block's start",
      .model = CLAUDE,
      .stream = true,
      .body = EVENT("message_start", ",\"message\":{\"usage\":{\"input_tokens\":3}}")
          EVENT("content_block_start", ",\"content_block\":{\"type\":\"text\",\"text\":\"He\"}")
              EVENT("content_block_delta", ",\"delta\":{\"type\":"
                                           "\"text_delta\",\"text\":"
                                           "\"llo.\"}") STOP,
      .want =
          "{\"content\":\"Hello.\",\"usage_metadata\":{\"input_tokens\":3,\"output_tokens\":0}}" },
    { .name = "ollama's messages: a call's arguments come with its start",
      .model = CLAUDE,
      .stream = true,
      .kwargs = TOOLS,
      .body =
          START OPEN("0", "\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}")
              CLOSE("0") FINISH("tool_use") STOP,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"t1\"}]}" },
    { .name = "a proxy answers a stream in one piece",
      .model = CLAUDE,
      .stream = true,
      .headers = "Content-Type: application/json\r\n",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\",\"id\":\"~lc_run--\"}" },
};

static const struct quirk errors[] = {
    { .name = "anthropic: overloaded after a 200 is worth a retry",
      .model = CLAUDE,
      .stream = true,
      .body = START EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":"
                                   "\"Overloaded\"}"),
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"overloaded_error\",\"status\":529,"
               "\"retryable\":true,\"text\":\"~Overloaded\"}" },
    { .name = "anthropic: a rate limit after a 200",
      .model = CLAUDE,
      .stream = true,
      .body = EVENT("error", ",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}"),
      .error = "{\"code\":\"GR_ERATE\",\"kind\":\"rate_limit_error\",\"retryable\":true}" },
    { .name = "a proxy's error event says it plainly",
      .model = CLAUDE,
      .stream = true,
      .body = START "event: error\ndata: {\"type\":\"api_error\",\"message\":\"upstream\"}\n\n",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"kind\":\"api_error\",\"status\":500,\"text\":\"~upstream\"}" },
    { .name = "anthropic: 529 is tried again",
      .model = CLAUDE,
      .status = 529,
      .retries = 1,
      .headers = "Content-Type: application/json\r\nRetry-After-Ms: 1\r\n",
      .body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
              "\"Overloaded\"}}",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
    { .name = "anthropic: a rate limit tells the wait and the request's name",
      .model = CLAUDE,
      .status = 429,
      .headers = "Content-Type: application/json\r\nRetry-After: 7\r\nrequest-id: req_9\r\n",
      .body = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"},"
              "\"request_id\":\"req_9\"}",
      .error = "{\"code\":\"GR_ERATE\",\"kind\":\"rate_limit_error\",\"status\":429,"
               "\"retry_after_ms\":7000,\"detail\":{\"request_id\":\"req_9\"}}" },
    { .name = "anthropic: an invalid request is final",
      .model = CLAUDE,
      .status = 400,
      .retries = 3,
      .body = "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
              "\"max_tokens: Field required\"},\"request_id\":\"req_1\"}",
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"invalid_request_error\",\"status\":400,"
               "\"retryable\":false,\"text\":\"~max_tokens: Field required\"}",
      .then = HELLO },
    { .name = "anthropic: so is an unpaid bill",
      .model = CLAUDE,
      .status = 402,
      .retries = 3,
      .body = "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"pay\"}}",
      .error = "{\"kind\":\"billing_error\",\"status\":402,\"retryable\":false}",
      .then = HELLO },
    { .name = "anthropic: a request that is too large",
      .model = CLAUDE,
      .status = 413,
      .headers = "Content-Type: text/html\r\n",
      .body = "<html>413</html>",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"status\":413,\"retryable\":false,\"text\":\"~<html>\"}" },
    { .name = "request: tools' answers and what is said next are one turn",
      .model = CLAUDE,
      .input = "[[\"human\",\"q\"],{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":"
               "\"f\",\"args\":{},\"id\":\"t1\"},{\"name\":\"g\",\"args\":{},\"id\":\"t2\"}]},{"
               "\"type\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"t1\"},{\"type\":\"tool\","
               "\"content\":\"no\",\"tool_call_id\":\"t2\",\"status\":\"error\"},[\"human\","
               "\"so?\"]]",
      .body = HELLO,
      .want = "{}",
      .sent = "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
              "\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"input\":{}},{\"type\":"
              "\"tool_use\",\"id\":\"t2\"}]},{\"role\":\"user\",\"content\":[{\"type\":"
              "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"1\",\"is_error\":null},{"
              "\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true},{\"type\":"
              "\"text\",\"text\":\"so?\"}]}]}" },
};

Test(anthropic_quirks, of_answers, .init = start, .fini = stop, .timeout = 240)
{
    cr_assert_eq(run_quirks(rt, streams, COUNT(streams)), 0);
}

Test(anthropic_quirks, of_errors_and_requests, .init = start, .fini = stop, .timeout = 240)
{
    cr_assert_eq(run_quirks(rt, errors, COUNT(errors)), 0);
}
