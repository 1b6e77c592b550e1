/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_quirks_test.c - what Ollama's own API is known to send. */
#include "tests/support/quirks.h"

#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LLAMA "ollama:l:8b"
#define LINES "Content-Type: application/x-ndjson\r\n"
#define PART(message)                                                                              \
    "{\"model\":\"l:8b\",\"created_at\":\"2026-08-21T10:00:00.1Z\",\"message\":{\"role\":"         \
    "\"assistant\"," message "},\"done\":false}\n"
#define TEXT(text) PART("\"content\":\"" text "\"")
#define END(reason)                                                                                \
    "{\"model\":\"l:8b\",\"created_at\":\"2026-08-21T10:00:01Z\",\"message\":{\"role\":"           \
    "\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"" reason "\","                \
    "\"total_duration\":9000000001,\"load_duration\":1,\"prompt_eval_count\":3,"                   \
    "\"prompt_eval_duration\":2,\"eval_count\":4,\"eval_duration\":5}\n"
#define HELLO                                                                                      \
    "{\"model\":\"l:8b\",\"message\":{\"role\":\"assistant\",\"content\":\"Hello.\"},\"done\":"    \
    "true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":4}"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

static const struct quirk quirks[] = {
    { .name = "ollama: lines, and counts and durations with the last",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("Hel") TEXT("lo.") END("stop"),
      .want = "{\"type\":\"ai\",\"content\":\"Hello.\",\"response_metadata\":{\"model_name\":"
              "\"l:8b\",\"model_provider\":\"ollama\",\"done_reason\":\"stop\",\"total_duration\":"
              "9000000001,\"eval_duration\":5},\"usage_metadata\":{\"input_tokens\":3,"
              "\"output_tokens\":4,\"total_tokens\":7}}",
      .sent = "{\"model\":\"l:8b\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
              "\"hi\"}],\"options\":null}",
      .head = "POST /api/chat HTTP/1.1" },
    { .name = "ollama: it streams unless it is told not to",
      .model = LLAMA,
      .body = HELLO,
      .want = "{\"content\":\"Hello.\",\"id\":\"~lc_run--\"}",
      .sent = "{\"stream\":false}",
      .head = "Authorization: Bearer sk-of-a-test" },
    { .name = "ollama: the last line may lack its end",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("a") "{\"message\":{\"content\":\"b\"},\"done\":true}",
      .want = "{\"content\":\"ab\",\"usage_metadata\":null}" },
    { .name = "ollama: lines may end with a carriage return, and be empty",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = "\r\n{\"message\":{\"content\":\"a\"}}\r\n\r\n{\"done\":true}\r\n",
      .want = "{\"content\":\"a\"}" },
    { .name = "ollama: a call's arguments are an object, and it has no id",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = PART("\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{"
                   "\"a\":{\"b\":[1]}}}}]") PART("\"content\":\"\",\"tool_calls\":[{\"function\":{"
                                                 "\"name\":\"g\",\"arguments\":{}}}]") END("stop"),
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":{\"b\":[1]}},\"id\":\"~call_\"},"
              "{\"name\":\"g\",\"args\":{},\"id\":\"~call_\"}]}" },
    { .name = "ollama: newer servers give an id and an index",
      .model = LLAMA,
      .body = "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"id\":\"call_own\",\"function\":{"
              "\"index\":0,\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":true}",
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"call_own\"}]}" },
    { .name = "ollama: arguments as a text, as some models' templates make them",
      .model = LLAMA,
      .body = "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
              "\"arguments\":\"{\\\"a\\\":1}\"}}]},\"done\":true}",
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1}}]}" },
    { .name = "ollama: thoughts stand aside",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .kwargs = "{\"think\":true,\"keep_alive\":\"5m\"}",
      .body = PART("\"content\":\"\",\"thinking\":\"so \"")
          PART("\"content\":\"\",\"thinking\":\"far\"") TEXT("Yes.") END("stop"),
      .want = "{\"content\":\"Yes.\",\"additional_kwargs\":{\"reasoning_content\":\"so far\"}}",
      .sent = "{\"think\":true,\"keep_alive\":\"5m\",\"options\":null}" },
    { .name = "ollama: settings go into options",
      .model = LLAMA,
      .kwargs = "{\"temperature\":0.5,\"max_tokens\":7,\"seed\":3,\"stop\":[\"X\"],\"top_p\":0.25,"
                "\"num_ctx\":4096}",
      .body = HELLO,
      .want = "{}",
      .sent =
          "{\"temperature\":null,\"max_tokens\":null,\"stop\":null,\"options\":{\"temperature\":"
          "0.5,\"num_predict\":7,\"seed\":3,\"stop\":[\"X\"],\"top_p\":0.25,\"num_ctx\":4096}}" },
    { .name = "ollama: cut off by the limit",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("a") END("length"),
      .want = "{\"content\":\"a\",\"response_metadata\":{\"done_reason\":\"length\"}}" },
    { .name = "ollama: a model that was only loaded has nothing to say",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = "{\"model\":\"l:8b\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":"
              "true,\"done_reason\":\"load\"}\n",
      .want = "{\"content\":\"\",\"response_metadata\":{\"done_reason\":\"load\"}}" },
    { .name = "ollama: an image by URL is refused and nothing sent",
      .model = LLAMA,
      .input = "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"url\":"
               "\"http://127.0.0.1:1/x.png\"}]}]",
      .body = HELLO,
      .error = "{\"code\":\"GR_EINVAL\",\"text\":\"~images in base64 only\"}" },
    { .name = "ollama: an error line on a 200",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("a") "{\"error\":\"an error was encountered while running the model\"}\n",
      .error = "{\"code\":\"GR_EREMOTE\",\"text\":\"~while running the model\"}" },
    { .name = "ollama: a stream that stops without done was broken off",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("a"),
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~stream ended early\"}" },
    { .name = "ollama: a line that is no JSON",
      .model = LLAMA,
      .stream = true,
      .headers = LINES,
      .body = TEXT("a") "oops\n",
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~event 2 of the stream is no JSON\"}" },
    { .name = "ollama: a model that is not there",
      .model = LLAMA,
      .status = 404,
      .retries = 3,
      .body = "{\"error\":\"model 'l:8b' not found\"}",
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"NotFound\",\"status\":404,\"retryable\":false,"
               "\"text\":\"NotFound: model 'l:8b' not found\"}",
      .then = HELLO },
    { .name = "ollama: 503 while busy is tried again",
      .model = LLAMA,
      .status = 503,
      .retries = 1,
      .headers = "Content-Type: application/json\r\nRetry-After-Ms: 1\r\n",
      .body = "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}",
      .want = "{\"content\":\"Hello.\"}",
      .then = HELLO },
};

Test(ollama_quirks, all, .init = start, .fini = stop)
{
    cr_assert_eq(run_quirks(rt, quirks, COUNT(quirks)), 0);
}
