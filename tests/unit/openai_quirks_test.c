/* SPDX-License-Identifier: Apache-2.0 */
/* openai_quirks_test.c - what OpenAI-compatible servers are known to send, and what it must become. */
#include "tests/support/quirks.h"

#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define TEXT(text)                                                                                 \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define HELLO "{\"choices\":[{\"message\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}"
#define CALL(index, rest)                                                                          \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":" index "," rest       \
    "}]}}]}\n\n"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

static const struct quirk openai[] = {
    { .name = "openai: usage comes in a chunk without choices",
      .stream = true,
      .body = TEXT("Hel") TEXT("lo.") STOP
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7,"
      "\"prompt_tokens_details\":{\"cached_tokens\":2,\"audio_tokens\":0},"
      "\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\n" DONE,
      .want =
          "{\"content\":\"Hello.\",\"id\":\"~lc_run--\",\"usage_metadata\":{\"input_tokens\":3,\"output_tokens\":4,"
          "\"total_tokens\":7,\"input_token_details\":{\"cache_read\":2,\"audio\":0},"
          "\"output_token_details\":{\"reasoning\":1}},\"response_metadata\":{\"finish_reason\":\"stop\"}}",
      .sent = "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
      .head = "Accept: text/event-stream" },
    { .name = "openai: obfuscation and unknown fields are ignored",
      .stream = true,
      .body =
          "data: {\"obfuscation\":\"zzzz\",\"new\":[1],\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\","
          "\"newer\":{}}}]}\n\n" STOP DONE,
      .want = "{\"type\":\"ai\",\"content\":\"a\",\"chunk_position\":null}" },
    { .name = "openai: tool calls are joined by index, names and ids come once",
      .stream = true,
      .body = CALL(
          "0",
          "\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}")
          CALL(
              "1",
              "\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}")
              CALL("0", "\"function\":{\"arguments\":\"{\\\"a\\\"\"}") CALL(
                  "0",
                  "\"function\":{\"arguments\":\":1}\"}") "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n" DONE,
      .want =
          "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"},"
          "{\"name\":\"g\",\"args\":{},\"id\":\"c2\"}],\"response_metadata\":{\"finish_reason\":\"tool_calls\"}}" },
    { .name = "openai: a refusal is kept, in a stream piece by piece",
      .stream = true,
      .body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I can\"}}]}\n\n"
              "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"not.\"}}]}\n\n" STOP DONE,
      .want = "{\"content\":\"\",\"additional_kwargs\":{\"refusal\":\"I cannot.\"}}" },
    { .name = "openai: logprobs of a stream are gathered",
      .stream = true,
      .kwargs = "{\"logprobs\":true,\"top_logprobs\":1}",
      .body =
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":"
          "[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[]}]}}]}\n\n"
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"logprobs\":{\"content\":"
          "[{\"token\":\"b\",\"logprob\":-0.25,\"bytes\":null,\"top_logprobs\":[]}]}}]}\n\n" STOP
              DONE,
      .want = "{\"content\":\"ab\",\"response_metadata\":{\"logprobs\":{\"content\":["
              "{\"token\":\"a\",\"logprob\":-0.5},{\"token\":\"b\",\"logprob\":-0.25}]}}}",
      .sent = "{\"logprobs\":true,\"top_logprobs\":1}" },
    { .name = "openai: metadata of a whole answer",
      .body =
          "{\"id\":\"chatcmpl-1\",\"model\":\"gpt-x-2026\",\"system_fingerprint\":\"fp\",\"service_tier\":"
          "\"default\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\",\"annotations\":[{\"type\":"
          "\"url_citation\"}]},\"logprobs\":{\"content\":[]},\"finish_reason\":\"length\"}],\"usage\":"
          "{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
      .want =
          "{\"id\":\"~lc_run--\",\"response_metadata\":{\"model_provider\":\"openai\",\"model_name\":"
          "\"gpt-x-2026\",\"system_fingerprint\":\"fp\",\"service_tier\":\"default\",\"id\":\"chatcmpl-1\","
          "\"finish_reason\":\"length\",\"logprobs\":{\"content\":[]}},\"additional_kwargs\":{\"annotations\":"
          "[{\"type\":\"url_citation\"}]},\"usage_metadata\":{\"total_tokens\":3}}",
      .head = "Authorization: Bearer sk-of-a-test" },
    { .name = "openai: arguments that are no JSON make the call invalid",
      .body =
          "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
          "\"function\":{\"name\":\"f\",\"arguments\":\"{oops\"}}]},\"finish_reason\":\"tool_calls\"}]}",
      .want =
          "{\"tool_calls\":null,\"invalid_tool_calls\":[{\"name\":\"f\",\"args\":\"{oops\",\"id\":\"c\"}]}" },
    { .name = "openai: an error in the middle of a stream",
      .stream = true,
      .body = TEXT(
          "Hel") "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\n",
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"server_error\",\"text\":\"~had an error\"}" },
    { .name = "openai: a rate limit in the middle of a stream",
      .stream = true,
      .body = "data: {\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}\n\n",
      .error = "{\"code\":\"GR_ERATE\",\"retryable\":true}" },
    { .name = "openai: a used-up quota is final",
      .status = 429,
      .retries = 3,
      .body =
          "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":\"insufficient_quota\","
          "\"param\":null,\"code\":\"insufficient_quota\"}}",
      .error =
          "{\"code\":\"GR_ERATE\",\"kind\":\"insufficient_quota\",\"status\":429,\"retryable\":false}",
      .then = HELLO },
    { .name = "openai: retry-after-ms goes before retry-after, the request's id is told",
      .status = 429,
      .headers =
          "Content-Type: application/json\r\nRetry-After: 20\r\nRetry-After-Ms: 1500\r\nX-Request-Id: req_1\r\n",
      .body =
          "{\"error\":{\"message\":\"slow\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}",
      .error =
          "{\"code\":\"GR_ERATE\",\"retry_after_ms\":1500,\"retryable\":true,\"detail\":{\"request_id\":\"req_1\"}}" },
    { .name = "openai: a wait that is not positive is none",
      .status = 429,
      .headers = "Retry-After-Ms: 0\r\n",
      .body = "{}",
      .error = "{\"code\":\"GR_ERATE\",\"retry_after_ms\":null}" },
    { .name = "openai: retry-after is a date that has passed",
      .status = 429,
      .headers = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
      .body = "{}",
      .error = "{\"code\":\"GR_ERATE\",\"retry_after_ms\":null}" },
    { .name = "openai: retry-after is above 2^31-1 ms",
      .status = 429,
      .headers = "Retry-After: 2147484\r\n",
      .body = "{}",
      .error = "{\"code\":\"GR_ERATE\",\"retry_after_ms\":null}" },
    { .name = "openai: an error before a stream's first chunk is tried again",
      .stream = true,
      .retries = 1,
      .body =
          "data: {\"error\":{\"message\":\"overloaded\",\"code\":503,\"type\":\"server_error\"}}\n\n",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
    { .name = "openai: x-should-retry: false has the last word",
      .status = 503,
      .retries = 2,
      .headers = "X-Should-Retry: false\r\n",
      .body = "{\"error\":{\"message\":\"no\"}}",
      .error = "{\"code\":\"GR_EREMOTE\",\"status\":503,\"retryable\":false}",
      .then = HELLO },
    { .name = "openai: x-should-retry: true, too",
      .status = 400,
      .retries = 1,
      .headers = "X-Should-Retry: true\r\nRetry-After-Ms: 1\r\n",
      .body = "{\"error\":{\"message\":\"try again\"}}",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
    { .name = "openai: a conflict is tried again",
      .status = 409,
      .retries = 1,
      .headers = "Retry-After-Ms: 1\r\n",
      .body = "",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
    { .name = "openai: content may be a list of parts",
      .body =
          "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}]}}]}",
      .want = "{\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}]}" },
    { .name = "openai: a finish_reason nobody knows goes through",
      .body = "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"eos\"}]}",
      .want = "{\"response_metadata\":{\"finish_reason\":\"eos\"}}" },
    { .name = "openai: an answer without an id gets one",
      .body = HELLO,
      .want = "{\"id\":\"~lc_run--\"}" },
    { .name = "openai: CRLF, comments, a byte order mark and data over two lines",
      .stream = true,
      .body =
          "\xEF\xBB\xBF: ping\r\n\r\ndata: {\"choices\":[{\"index\":0,\r\ndata: \"delta\":{\"content\":\"a\"}}]}\r\n\r\n"
          "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
      .want = "{\"content\":\"a\"}" },
    { .name = "openai: surrogate pairs in two escapes",
      .stream = true,
      .body = TEXT("\\ud83d\\ude00") STOP DONE,
      .want = "{\"content\":\"\xF0\x9F\x98\x80\"}" },
};

static const struct quirk azure[] = {
    { .name = "azure: deployment in the path, version in the query, key in its own header",
      .model = "azure_openai:my gpt/4",
      .version = "2024-10-21",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .head =
          "POST /openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21 HTTP/1.1",
      .no_head = "Authorization" },
    { .name = "azure: without a version, the v1 surface",
      .model = "azure_openai:my-gpt",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .sent = "{\"model\":\"my-gpt\"}",
      .head = "POST /openai/v1/chat/completions HTTP/1.1" },
    { .name = "azure: the key is in api-key",
      .model = "azure_openai:my-gpt",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .head = "api-key: sk-of-a-test" },
    { .name = "azure: the first chunk has no choices",
      .stream = true,
      .body =
          "data: {\"id\":\"\",\"object\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0,"
          "\"content_filter_results\":{\"hate\":{\"filtered\":false}}}]}\n\n" TEXT("a") STOP DONE,
      .want = "{\"content\":\"a\",\"id\":\"~lc_run--\"}" },
    { .name = "azure: the last event has no blank line behind it",
      .stream = true,
      .body = TEXT(
          "a") "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"content_filter_results\":{}}]}\n",
      .want = "{\"content\":\"a\",\"response_metadata\":{\"finish_reason\":\"stop\"}}" },
    { .name = "azure: the content filter says why",
      .status = 400,
      .body =
          "{\"error\":{\"message\":\"The response was filtered\",\"type\":null,\"param\":\"prompt\",\"code\":\"content_filter\","
          "\"status\":400,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{\"hate\":"
          "{\"filtered\":true,\"severity\":\"high\"}}}}}",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"kind\":\"content_filter\",\"status\":400,\"retryable\":false,\"detail\":{\"innererror\":"
          "{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{\"hate\":{\"filtered\":true}}}}}" },
    { .name = "azure: an error with a number as text for its code",
      .status = 401,
      .body =
          "{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to invalid subscription key\"}}",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"kind\":\"401\",\"status\":401,\"text\":\"~subscription key\",\"retryable\":false}" },
    { .name = "azure: rate limits of -1 and no retry-after",
      .status = 429,
      .headers = "x-ratelimit-remaining-requests: -1\r\nx-ratelimit-remaining-tokens: 0\r\n",
      .body =
          "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded the call rate limit\"}}",
      .error = "{\"code\":\"GR_ERATE\",\"retry_after_ms\":null,\"retryable\":true}" },
};

static const struct quirk more[] = {
    { .name = "some servers: no reason for an end is empty until then",
      .stream = true,
      .body =
          "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
          "\"a\"},\"finish_reason\":\"\"}]}\n\ndata: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{"
          "\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE,
      .want = "{\"content\":\"a\",\"response_metadata\":{\"model_name\":\"m\",\"id\":\"x\","
              "\"finish_reason\":\"stop\"}}" },
    { .name = "some servers: such a stream that breaks is no whole answer",
      .stream = true,
      .body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":"
              "\"\"}]}\n\n",
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~stream ended early\"}" },
    { .name = "openrouter: the reason is told twice",
      .stream = true,
      .body =
          "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
          "\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{"
          "\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],\"usage\":{"
          "\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n" DONE,
      .want = "{\"content\":\"a\",\"response_metadata\":{\"model_name\":\"m\",\"id\":\"x\","
              "\"finish_reason\":\"stop\"},\"usage_metadata\":{\"total_tokens\":3}}" },
    { .name = "gemini: each call has the index 0",
      .stream = true,
      .body =
          CALL("0", "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}")
              CALL("0", "\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"b\\\"\"}")
                  CALL("0", "\"function\":{\"arguments\":\":2}\"}") STOP DONE,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"},{\"name\":\"g\","
              "\"args\":{\"b\":2},\"id\":\"c2\"}]}" },
    { .name = "some servers: calls have no index, one behind the other",
      .stream = true,
      .body = CALL("null", "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
          CALL("null", "\"function\":{\"arguments\":\"}\"}") CALL(
              "null", "\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"b\\\"\"}")
              CALL("null", "\"function\":{\"arguments\":\":2}\"}") STOP DONE,
      .want =
          "{\"tool_calls\":[{\"name\":\"f\",\"args\":{},\"id\":\"c1\"},{\"name\":\"g\",\"args\":{"
          "\"b\":2},\"id\":\"c2\"}]}" },
    { .name = "a proxy: events without data keep a stream alive",
      .stream = true,
      .body = "data:\n\n" TEXT("a") "event: ping\ndata: \n\n" STOP DONE,
      .want = "{\"content\":\"a\"}" },
    { .name = "openai: what had another price is counted apart",
      .body =
          "{\"service_tier\":\"flex\",\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{"
          "\"prompt_tokens\":10,\"completion_tokens\":8,\"total_tokens\":18,"
          "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{"
          "\"reasoning_tokens\":3}}}",
      .want = "{\"usage_metadata\":{\"input_tokens\":10,\"input_token_details\":{\"flex\":6,"
              "\"flex_cache_read\":4,\"cache_read\":null},\"output_token_details\":{\"flex\":5,"
              "\"flex_reasoning\":3}}}" },
    { .name = "openai: so in a stream, whose chunks tell the tier",
      .stream = true,
      .body =
          "data: {\"service_tier\":\"priority\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
          "\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{"
          "\"prompt_tokens\":10,\"completion_tokens\":8,\"prompt_tokens_details\":{"
          "\"cached_tokens\":4}}}\n\n" DONE,
      .want = "{\"usage_metadata\":{\"input_token_details\":{\"priority\":6,"
              "\"priority_cache_read\":4},\"output_token_details\":{\"priority\":8}}}" },
    { .name = "request: what is said of streams goes with streams alone",
      .kwargs = "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .sent = "{\"stream\":null,\"stream_options\":null}" },
    { .name = "request: a call of the time before tool calls",
      .input =
          "[\"hi\",{\"type\":\"ai\",\"content\":\"\",\"additional_kwargs\":{\"function_call\":{"
          "\"name\":\"f\",\"arguments\":\"{}\"}}},{\"type\":\"function\",\"name\":\"f\","
          "\"content\":\"7\"}]",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}",
      .sent = "{\"messages\":[{\"role\":\"user\"},{\"role\":\"assistant\",\"content\":null,"
              "\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"role\":\"function\","
              "\"name\":\"f\",\"content\":\"7\"}]}" },
};

static const struct quirk local[] = {
    { .name = "llama.cpp: loading is tried again",
      .status = 503,
      .retries = 1,
      .headers = "Retry-After-Ms: 1\r\n",
      .body =
          "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
    { .name = "llama.cpp: a code that is a number",
      .status = 503,
      .body =
          "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
      .error =
          "{\"kind\":\"unavailable_error\",\"status\":503,\"text\":\"~Loading model\",\"retryable\":true}" },
    { .name = "llama.cpp, older: a stream fails in a field 'error'",
      .stream = true,
      .body = TEXT(
          "a") "error: {\"code\":500,\"message\":\"context shift\",\"type\":\"server_error\"}\n\n",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"status\":500,\"kind\":\"server_error\",\"text\":\"~context shift\"}" },
    { .name = "llama.cpp: reasoning_content, timings",
      .stream = true,
      .body =
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Let me \"}}]}\n\n"
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"think.\"}}]}\n\n" TEXT(
              "4") "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"timings\":{\"predicted_ms\":1.5}}\n\n" DONE,
      .want =
          "{\"content\":\"4\",\"additional_kwargs\":{\"reasoning_content\":\"Let me think.\"}}" },
    { .name = "vLLM: reasoning under its other name",
      .body =
          "{\"choices\":[{\"message\":{\"content\":\"4\",\"reasoning\":\"Easy.\"},\"finish_reason\":\"stop\"}]}",
      .want = "{\"additional_kwargs\":{\"reasoning_content\":\"Easy.\",\"reasoning\":null}}" },
    { .name = "vLLM, older: the error is at the top",
      .status = 400,
      .body =
          "{\"object\":\"error\",\"message\":\"max length\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"kind\":\"BadRequestError\",\"status\":400,\"text\":\"~max length\"}" },
    { .name = "vLLM: an error in the middle of a stream, then [DONE]",
      .stream = true,
      .body = TEXT(
          "a") "data: {\"error\":{\"message\":\"engine died\",\"type\":\"InternalServerError\",\"code\":500}}\n\n" DONE,
      .error =
          "{\"code\":\"GR_EREMOTE\",\"status\":500,\"kind\":\"InternalServerError\",\"text\":\"~engine died\"}" },
    { .name = "vLLM: usage with each chunk is not added up",
      .stream = true,
      .kwargs = "{\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true}}",
      .body =
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}\n\n"
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n"
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n" DONE,
      .want =
          "{\"content\":\"ab\",\"usage_metadata\":{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7}}",
      .sent = "{\"stream_options\":{\"continuous_usage_stats\":true}}" },
    { .name = "FastAPI in front: the error is a detail",
      .status = 422,
      .body =
          "{\"detail\":[{\"loc\":[\"body\",\"messages\"],\"msg\":\"field required\",\"type\":\"value_error.missing\"}]}",
      .error = "{\"kind\":\"UnprocessableEntity\",\"status\":422,\"text\":\"~field required\"}" },
    { .name = "LM Studio: later fragments have name \"\" and id null",
      .stream = true,
      .body = CALL(
          "0",
          "\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}")
          CALL("0", "\"id\":null,\"function\":{\"name\":\"\",\"arguments\":\"\\\":1}\"}") STOP DONE,
      .want =
          "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"}],\"invalid_tool_calls\":null}" },
    { .name = "arguments as an object instead of a text",
      .stream = true,
      .body = CALL("0", "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}")
          STOP DONE,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"}]}" },
    { .name = "all of the parallel calls under index 0, told apart by their ids",
      .stream = true,
      .body = CALL("0", "\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")
          CALL("0", "\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}") STOP DONE,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"id\":\"c1\"},{\"name\":\"g\",\"id\":\"c2\"}]}" },
    { .name = "OpenRouter: comments keep the connection alive",
      .stream = true,
      .body = ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" TEXT(
          "a") ": OPENROUTER PROCESSING\n\n" STOP DONE,
      .want = "{\"content\":\"a\"}" },
    { .name = "OpenRouter: an answer of 200 that is an error",
      .body =
          "{\"error\":{\"code\":502,\"message\":\"Upstream gave up\",\"metadata\":{\"provider_name\":\"X\"}}}",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"status\":502,\"text\":\"~Upstream gave up\",\"retryable\":true,\"detail\":{\"metadata\":{\"provider_name\":\"X\"}}}" },
    { .name = "OpenRouter: a stream whose finish_reason is error",
      .stream = true,
      .body = TEXT(
          "a") "data: {\"id\":\"x\",\"error\":{\"code\":\"server_error\",\"message\":\"Provider disconnected\"},\"choices\":"
               "[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"kind\":\"server_error\",\"text\":\"~Provider disconnected\"}" },
    { .name = "OpenRouter: an error within the choice",
      .body =
          "{\"choices\":[{\"error\":{\"code\":429,\"message\":\"upstream is busy\"},\"message\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}",
      .error = "{\"status\":429,\"text\":\"~upstream is busy\",\"retryable\":true}" },
    { .name = "a finish_reason of error that says nothing more",
      .body = "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}",
      .error = "{\"code\":\"GR_EREMOTE\"}" },
    { .name = "no finish_reason at all, only [DONE]",
      .stream = true,
      .body = TEXT("a") DONE,
      .want = "{\"content\":\"a\",\"usage_metadata\":null}" },
    { .name = "neither finish_reason nor [DONE]: the stream broke",
      .stream = true,
      .body = TEXT("a"),
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~ended early\"}" },
    { .name = "a stream with nothing in it",
      .stream = true,
      .body = DONE,
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"No generation chunks were returned\"}" },
    { .name = "a server that was asked for a stream and answers in one piece",
      .stream = true,
      .headers = "Content-Type: application/json; charset=utf-8\r\n",
      .body = HELLO,
      .want = "{\"content\":\"Hello.\"}" },
    { .name = "a proxy's page instead of an error",
      .status = 502,
      .headers = "Content-Type: text/html\r\n",
      .body = "<html><title>502 Bad Gateway</title></html>",
      .error =
          "{\"code\":\"GR_EREMOTE\",\"status\":502,\"text\":\"~Bad Gateway\",\"retryable\":true}" },
    { .name = "a server that repeats the key it refuses",
      .status = 401,
      .body =
          "{\"error\":{\"message\":\"Incorrect API key provided: sk-of-a-test.\",\"code\":\"invalid_api_key\"}}",
      .error =
          "{\"kind\":\"invalid_api_key\",\"status\":401,\"text\":\"Authentication: Incorrect API key provided: ************.\"}" },
    { .name = "an answer of 200 that is an error and repeats the key",
      .body = "{\"error\":{\"code\":401,\"message\":\"No auth for sk-of-a-test\"}}",
      .error = "{\"status\":401,\"text\":\"~No auth for ************\"}" },
    { .name = "a stream that ends in an error that repeats the key",
      .stream = true,
      .body = TEXT("a") "data: {\"error\":{\"message\":\"key sk-of-a-test expired\"}}\n\n",
      .error =
          "{\"text\":\"~key ************ expired\",\"detail\":{\"message\":\"key ************ expired\"}}" },
    { .name = "a server that repeats the key with escapes, and in its request's name",
      .status = 401,
      .headers = "Content-Type: application/json\r\nx-request-id: r-sk-of-a-test\r\n",
      .body = "{\"error\":{\"message\":\"bad key sk\\u002Dof\\u002da-\\u0074est.\"}}",
      .error =
          "{\"status\":401,\"text\":\"~bad key ***************************.\",\"detail\":{\"message\":"
          "\"bad key ***************************.\",\"request_id\":\"r-************\"}}" },
    { .name = "a stream that ends in an error that repeats the key with escapes",
      .stream = true,
      .body = TEXT("a") "data: {\"error\":{\"message\":\"key sk\\u002dof-a-test expired\"}}\n\n",
      .error = "{\"text\":\"~key ***************** expired\"}" },
};

/* What is sent, in the servers' words. */
static const struct quirk requests[] = {
    { .name = "request: tool_choice any is required",
      .kwargs =
          "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],\"tool_choice\":\"any\",\"parallel_tool_calls\":false}",
      .body = HELLO,
      .want = "{}",
      .sent =
          "{\"tool_choice\":\"required\",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}" },
    { .name = "request: tool_choice by a tool's name",
      .kwargs = "{\"tool_choice\":\"get_weather\"}",
      .body = HELLO,
      .want = "{}",
      .sent = "{\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"}}}" },
    { .name = "request: a parameter that is null is not sent",
      .stream = true,
      .kwargs = "{\"stream_options\":null,\"seed\":7}",
      .body = TEXT("a") STOP DONE,
      .want = "{}",
      .sent = "{\"stream_options\":null,\"seed\":7}" },
    { .name = "request: images by URL and as data, audio, files",
      .input =
          "[{\"type\":\"human\",\"content\":[\"Look:\",{\"type\":\"image\",\"url\":\"https://x/y.png\",\"extras\":{\"detail\":\"low\"}},"
          "{\"type\":\"image\",\"base64\":\"QUJD\",\"mime_type\":\"image/jpeg\"},"
          "{\"type\":\"image\",\"source_type\":\"base64\",\"data\":\"QUJD\",\"mime_type\":\"image/webp\"},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/z.png\"}},"
          "{\"type\":\"audio\",\"base64\":\"QUJD\",\"mime_type\":\"audio/mpeg\"},"
          "{\"type\":\"file\",\"base64\":\"QUJD\",\"mime_type\":\"application/pdf\",\"filename\":\"a.pdf\"},"
          "{\"type\":\"file\",\"file_id\":\"file-1\"}]}]",
      .body = HELLO,
      .want = "{}",
      .sent =
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Look:\"},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\",\"detail\":\"low\"}},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,QUJD\"}},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/webp;base64,QUJD\"}},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/z.png\"}},"
          "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QUJD\",\"format\":\"mp3\"}},"
          "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,QUJD\"}},"
          "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}]}" },
    { .name = "request: what only other providers know is left out",
      .input =
          "[{\"type\":\"ai\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\",\"index\":0},"
          "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}],\"tool_calls\":[{\"name\":\"f\",\"args\":{\"b\":2},\"id\":\"c\"}]},"
          "{\"type\":\"tool\",\"content\":\"4\",\"tool_call_id\":\"c\",\"name\":\"f\",\"status\":\"success\"}]",
      .body = HELLO,
      .want = "{}",
      .sent =
          "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"index\":null}],\"tool_calls\":[{\"id\":\"c\",\"type\":"
          "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"b\\\": 2}\"}}]},{\"role\":\"tool\",\"content\":\"4\",\"tool_call_id\":\"c\",\"name\":null}]}" },
    { .name = "request: a developer's message keeps its role",
      .input = "[[\"developer\",\"be brief\"],[\"human\",\"hi\"]]",
      .body = HELLO,
      .want = "{}",
      .sent =
          "{\"messages\":[{\"role\":\"developer\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}]}" },
    { .name = "request: a block that can't be sent says where",
      .input =
          "[{\"type\":\"human\",\"content\":[\"a\",{\"type\":\"video\",\"url\":\"https://x/y.mp4\"}]}]",
      .body = HELLO,
      .error = "{\"code\":\"GR_EINVAL\",\"text\":\"~message 1, block 2: this 'video'\"}" },
    { .name = "request: the second attempt says that it is one",
      .status = 500,
      .retries = 1,
      .headers = "Retry-After-Ms: 1\r\n",
      .body = "",
      .want = "{\"content\":\"Hello.\"}",
      .no_head = "X-Stainless-Retry-Count",
      .then = HELLO },
};

Test(openai_quirks, of_openai, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, openai, COUNT(openai)), 0);
}

Test(openai_quirks, of_azure, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, azure, COUNT(azure)), 0);
}

Test(openai_quirks, of_more_servers, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, more, COUNT(more)), 0);
}

Test(openai_quirks, of_compatible_servers, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, local, COUNT(local)), 0);
}

Test(openai_quirks, of_requests, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, requests, COUNT(requests)), 0);
}
