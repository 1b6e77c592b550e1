/* SPDX-License-Identifier: Apache-2.0 */
/* responses_quirks_test.c - recorded answers of the Responses API, and what a request for it says. */
#include "tests/support/quirks.h"

#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"," rest "}\n\n"
#define CREATED EVENT("response.created", "\"response\":{\"id\":\"resp_1\"}")
#define COMPLETED                                                                                  \
    EVENT("response.completed", "\"response\":{\"id\":\"resp_1\",\"status\":\"completed\","        \
                                "\"model\":\"m\",\"output\":[]}")
#define TEXT(place, part, text)                                                                    \
    EVENT("response.output_text.delta",                                                            \
          "\"output_index\":" place ",\"content_index\":" part ",\"delta\":\"" text "\"")
#define TEXT_DONE(place, part, id)                                                                 \
    EVENT("response.output_text.done", "\"output_index\":" place ",\"content_index\":" part        \
                                       ",\"item_id\":\"" id "\",\"text\":\"whole\"")
#define ITEM(what, place, item)                                                                    \
    EVENT("response.output_item." what, "\"output_index\":" place ",\"item\":{" item "}")
#define SUMMARY(place, text)                                                                       \
    EVENT("response.reasoning_summary_text.delta",                                                 \
          "\"output_index\":0,\"summary_index\":" place ",\"delta\":\"" text "\"")
#define CALL "\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\",\"name\":\"f\""
#define ANSWER(output)                                                                             \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\","        \
    "\"model\":\"m-2026\",\"error\":null,\"incomplete_details\":null,\"output\":[" output "],"     \
    "\"usage\":{\"input_tokens\":7,\"output_tokens\":5,\"total_tokens\":12,"                       \
    "\"input_tokens_details\":{\"cached_tokens\":4},"                                              \
    "\"output_tokens_details\":{\"reasoning_tokens\":3}}}"
#define OK ANSWER("")
#define AI(rest) "[\"hi\",{\"type\":\"ai\"," rest "},\"go on\"]"

static gr_runtime *rt;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static const struct quirk answers[] = {
    { .name = "a thought, a text and a call are blocks",
      .responses = true,
      .body = ANSWER(
          "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\","
          "\"text\":\"hm\"}],\"encrypted_content\":null},"
          "{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[{\"type\":\"output_text\","
          "\"text\":\"Hello.\",\"annotations\":[{\"type\":\"file_citation\",\"index\":3}]}]},"
          "{" CALL ",\"arguments\":\"{\\\"a\\\":1}\"}"),
      .head = "POST /responses ",
      .want = "{\"type\":\"ai\",\"id\":\"resp_1\",\"content\":["
              "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":null},"
              "{\"type\":\"text\",\"text\":\"Hello.\",\"id\":\"msg_1\",\"annotations\":[{\"type\":"
              "\"file_citation\",\"file_index\":3,\"index\":null}]},"
              "{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\",\"arguments\":"
              "\"{\\\"a\\\":1}\"}],"
              "\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"}],"
              "\"usage_metadata\":{\"input_tokens\":7,\"output_tokens\":5,\"total_tokens\":12,"
              "\"input_token_details\":{\"cache_read\":4},\"output_token_details\":"
              "{\"reasoning\":3}},\"response_metadata\":{\"id\":\"resp_1\",\"model_provider\":"
              "\"openai\",\"model_name\":\"m-2026\",\"model\":\"m-2026\",\"status\":\"completed\","
              "\"created_at\":1,\"object\":\"response\",\"incomplete_details\":null}}" },
    { .name = "arguments that are no JSON",
      .responses = true,
      .body = ANSWER("{" CALL ",\"arguments\":\"{oops\"}"),
      .want = "{\"tool_calls\":null,\"invalid_tool_calls\":[{\"name\":\"f\",\"args\":\"{oops\","
              "\"id\":\"c1\"}]}" },
    { .name = "a custom tool's text is its argument",
      .responses = true,
      .body = ANSWER("{\"type\":\"custom_tool_call\",\"call_id\":\"c1\",\"name\":\"run\","
                     "\"input\":\"ls -l\"}"),
      .want =
          "{\"tool_calls\":[{\"name\":\"run\",\"args\":{\"__arg1\":\"ls -l\"},\"id\":\"c1\"}]}" },
    { .name = "a refusal",
      .responses = true,
      .body = ANSWER("{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[{\"type\":\"refusal\","
                     "\"refusal\":\"I won't.\"}]}"),
      .want = "{\"content\":[{\"type\":\"refusal\",\"refusal\":\"I won't.\"}],"
              "\"additional_kwargs\":{\"refusal\":\"I won't.\"}}" },
    { .name = "what the server's tools did stays as it is",
      .responses = true,
      .body = ANSWER("{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"}"),
      .want =
          "{\"content\":[{\"type\":\"web_search_call\",\"id\":\"ws_1\"}],\"tool_calls\":null}" },
    { .name = "an answer that was cut off says so",
      .responses = true,
      .body = "{\"id\":\"resp_1\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
              "\"max_output_tokens\"},\"output\":[]}",
      .want = "{\"content\":[],\"usage_metadata\":null,\"response_metadata\":{\"status\":"
              "\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}" },
    { .name = "a response that failed",
      .responses = true,
      .body = "{\"id\":\"resp_1\",\"status\":\"failed\",\"output\":[],\"error\":{\"code\":"
              "\"server_error\",\"message\":\"it broke\"}}",
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"server_error\",\"text\":\"~it broke\"}" },
    { .name = "a response that failed, and doesn't say why",
      .responses = true,
      .body = "{\"id\":\"resp_1\",\"status\":\"failed\",\"output\":[]}",
      .error = "{\"code\":\"GR_EREMOTE\"}" },
    { .name = "no output",
      .responses = true,
      .body = "{\"id\":\"resp_1\"}",
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~no output\"}" },
    { .name = "what had another price is counted apart",
      .responses = true,
      .body = "{\"id\":\"resp_1\",\"output\":[],\"service_tier\":\"flex\",\"usage\":{"
              "\"input_tokens\":10,\"output_tokens\":8,\"input_tokens_details\":{"
              "\"cached_tokens\":4},\"output_tokens_details\":{\"reasoning_tokens\":3}}}",
      .want = "{\"usage_metadata\":{\"input_token_details\":{\"flex\":6,\"flex_cache_read\":4},"
              "\"output_token_details\":{\"flex\":5,\"flex_reasoning\":3}}}" },
    { .name = "azure: by deployment",
      .model = "azure_openai:d",
      .version = "2026-01-01",
      .responses = true,
      .body = OK,
      .head = "POST /openai/responses?api-version=2026-01-01 ",
      .want = "{\"id\":\"resp_1\"}" },
    { .name = "azure: its v1 surface",
      .model = "azure_openai:d",
      .responses = true,
      .body = OK,
      .head = "POST /openai/v1/responses ",
      .want = "{\"id\":\"resp_1\"}" },
};

/* ---- streams ------------------------------------------------------------------------------------- */

static const struct quirk streams[] = {
    { .name = "each part is a block",
      .responses = true,
      .stream = true,
      .body = CREATED ITEM("added", "0",
                           "\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
                           "\"encrypted_content\":\"half\"") SUMMARY("0", "h") SUMMARY("0", "m")
          SUMMARY("1", "so")
              ITEM("done", "0",
                   "\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\","
                   "\"text\":\"hm\"}],\"encrypted_content\":\"whole\"")
                  ITEM("added", "1", "\"type\":\"message\",\"id\":\"msg_1\"") TEXT("1", "0", "Hel")
                      TEXT("1", "0", "lo.") TEXT_DONE("1", "0", "msg_1") TEXT("1", "1", "Bye.")
                          TEXT_DONE("1", "1", "msg_1") COMPLETED,
      .sent = "{\"stream\":true,\"stream_options\":null,\"messages\":null}",
      .want =
          "{\"id\":\"resp_1\",\"content\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":["
          "{\"type\":\"summary_text\",\"text\":\"hm\"},{\"type\":\"summary_text\",\"text\":"
          "\"so\"}],\"encrypted_content\":\"whole\"},"
          "{\"type\":\"text\",\"text\":\"Hello.\",\"id\":\"msg_1\"},"
          "{\"type\":\"text\",\"text\":\"Bye.\",\"id\":\"msg_1\"}],\"response_metadata\":{"
          "\"id\":\"resp_1\",\"model_provider\":\"openai\",\"status\":\"completed\"}}" },
    { .name = "two calls side by side",
      .responses = true,
      .stream = true,
      .body = CREATED ITEM("added", "0", CALL ",\"arguments\":\"\"")
          ITEM("added", "1",
               "\"type\":\"function_call\",\"id\":\"fc_2\",\"call_id\":\"c2\","
               "\"name\":\"g\",\"arguments\":\"\"")
              EVENT("response.function_call_arguments.delta",
                    "\"output_index\":0,\"delta\":\"{\\\"a\\\":1}\"")
                  EVENT("response.function_call_arguments.delta",
                        "\"output_index\":1,\"delta\":\"{\\\"b\\\":2}\"")
                      EVENT("response.function_call_arguments.done",
                            "\"output_index\":0,\"arguments\":\"{\\\"a\\\":1}\"") COMPLETED,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"},{\"name\":\"g\","
              "\"args\":{\"b\":2},\"id\":\"c2\"}],\"content\":[{\"type\":\"function_call\","
              "\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\",\"id\":\"fc_1\"},{\"call_id\":\"c2\","
              "\"arguments\":\"{\\\"b\\\":2}\"}]}" },
    { .name = "arguments that come with the item alone",
      .responses = true,
      .stream = true,
      .body = CREATED ITEM("added", "0", CALL ",\"arguments\":\"\"")
          ITEM("done", "0", CALL ",\"arguments\":\"{\\\"a\\\":1}\"")
              ITEM("done", "1",
                   "\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\","
                   "\"arguments\":\"{}\"") COMPLETED,
      .want = "{\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c1\"},{\"name\":\"g\","
              "\"args\":{},\"id\":\"c2\"}]}" },
    { .name = "a text without deltas",
      .responses = true,
      .stream = true,
      .body = CREATED TEXT_DONE("0", "0", "msg_1") COMPLETED,
      .want = "{\"content\":[{\"type\":\"text\",\"text\":\"whole\",\"id\":\"msg_1\"}]}" },
    { .name = "a thought in clear, as open models have it",
      .responses = true,
      .stream = true,
      .body = CREATED EVENT("response.reasoning_text.delta",
                            "\"output_index\":0,\"content_index\":0,\"delta\":\"hm\"")
          ITEM("done", "0",
               "\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"content\":[{"
               "\"type\":\"reasoning_text\",\"text\":\"hm\"}]") COMPLETED,
      .want = "{\"content\":[{\"type\":\"reasoning\",\"content\":[{\"type\":\"reasoning_text\","
              "\"text\":\"hm\"}]}]}" },
    { .name = "a refusal",
      .responses = true,
      .stream = true,
      .body = CREATED EVENT("response.refusal.delta",
                            "\"output_index\":0,\"content_index\":0,\"delta\":\"I \"")
          EVENT("response.refusal.delta",
                "\"output_index\":0,\"content_index\":0,\"delta\":\"won't.\"")
              EVENT("response.refusal.done",
                    "\"output_index\":0,\"content_index\":0,\"refusal\":\"I won't.\"") COMPLETED,
      .want = "{\"content\":[{\"type\":\"refusal\",\"refusal\":\"I won't.\"}],"
              "\"additional_kwargs\":{\"refusal\":\"I won't.\"}}" },
    { .name = "an annotation, and what the server's tool did",
      .responses = true,
      .stream = true,
      .body = CREATED ITEM("done", "0", "\"type\":\"web_search_call\",\"id\":\"ws_1\"")
          TEXT("1", "0", "See.") EVENT("response.output_text.annotation.added",
                                       "\"output_index\":1,\"content_index\":0,\"annotation\":{"
                                       "\"type\":\"url_citation\",\"url\":\"u\"}") COMPLETED,
      .want = "{\"content\":[{\"type\":\"web_search_call\",\"id\":\"ws_1\"},{\"type\":\"text\","
              "\"text\":\"See.\",\"annotations\":[{\"type\":\"url_citation\",\"url\":\"u\"}]}]}" },
    { .name = "events that only later versions know",
      .responses = true,
      .stream = true,
      .body = ": ping\n\n" CREATED EVENT("response.web_search_call.searching", "\"output_index\":0")
          EVENT("response.something.new", "\"x\":1") TEXT("0", "0", "a") COMPLETED,
      .want = "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}" },
    { .name = "no event at the beginning",
      .responses = true,
      .stream = true,
      .body = TEXT("0", "0", "a") COMPLETED,
      .want = "{\"id\":\"resp_1\",\"content\":[{\"text\":\"a\"}],\"response_metadata\":{\"id\":"
              "\"resp_1\",\"model_provider\":\"openai\"}}" },
    { .name = "it was cut off by its limit",
      .responses = true,
      .stream = true,
      .body = CREATED TEXT("0", "0", "a")
          EVENT("response.incomplete",
                "\"response\":{\"id\":\"resp_1\",\"status\":\"incomplete\",\"incomplete_details\":{"
                "\"reason\":\"max_output_tokens\"},\"output\":[],\"usage\":{\"input_tokens\":1,"
                "\"output_tokens\":2}}"),
      .want =
          "{\"content\":[{\"text\":\"a\"}],\"usage_metadata\":{\"total_tokens\":3},"
          "\"response_metadata\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}" },
    { .name = "it failed",
      .responses = true,
      .stream = true,
      .body = CREATED TEXT("0", "0", "a") EVENT(
          "response.failed", "\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{"
                             "\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}}"),
      .error = "{\"code\":\"GR_ERATE\",\"kind\":\"rate_limit_exceeded\",\"text\":\"~slow down\"}" },
    { .name = "it failed, and doesn't say why",
      .responses = true,
      .stream = true,
      .body = CREATED EVENT("response.failed", "\"response\":null"),
      .error = "{\"code\":\"GR_EREMOTE\"}" },
    { .name = "an error under its own name",
      .responses = true,
      .stream = true,
      .body = CREATED EVENT("error", "\"error\":{\"type\":\"server_error\",\"message\":\"no\"}"),
      .error = "{\"code\":\"GR_EREMOTE\",\"kind\":\"server_error\"}" },
    { .name = "arguments of no call",
      .responses = true,
      .stream = true,
      .body = CREATED EVENT("response.function_call_arguments.delta",
                            "\"output_index\":4,\"delta\":\"{\""),
      .error = "{\"code\":\"GR_EPROTO\"}" },
    { .name = "it ends without its end",
      .responses = true,
      .stream = true,
      .body = CREATED TEXT("0", "0", "a"),
      .error = "{\"code\":\"GR_EPROTO\",\"text\":\"~ended early\"}" },
};

/* ---- requests -------------------------------------------------------------------------------------- */

static const struct quirk requests[] = {
    { .name = "who says what",
      .responses = true,
      .body = OK,
      .input =
          "[{\"type\":\"system\",\"content\":\"s\"},{\"type\":\"human\",\"content\":\"h\","
          "\"name\":\"n\"},{\"type\":\"ai\",\"content\":\"a\"},{\"type\":\"human\",\"content\":"
          "\"b\"}]",
      .sent =
          "{\"messages\":null,\"stream\":null,\"model\":\"m\",\"input\":["
          "{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"h\","
          "\"name\":null},{\"type\":\"message\",\"role\":\"assistant\",\"id\":null,\"content\":[{"
          "\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[]}]},{\"role\":\"user\","
          "\"content\":\"b\"}]}" },
    { .name = "a call and its answer",
      .responses = true,
      .body = OK,
      .input =
          "[\"hi\",{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{"
          "\"a\":1},\"id\":\"c1\"}]},{\"type\":\"tool\",\"tool_call_id\":\"c1\",\"content\":"
          "\"7\"},{\"type\":\"tool\",\"tool_call_id\":\"c2\",\"content\":[{\"type\":\"text\","
          "\"text\":\"8\"}]},{\"type\":\"tool\",\"tool_call_id\":\"c3\",\"content\":[{\"type\":"
          "\"custom_tool_call_output\",\"output\":\"9\"}]}]",
      .sent = "{\"input\":[{\"role\":\"user\"},{\"type\":\"function_call\",\"call_id\":\"c1\","
              "\"name\":\"f\",\"arguments\":\"~\\\"a\\\"\"},{\"type\":\"function_call_output\","
              "\"call_id\":\"c1\",\"output\":\"7\"},{\"call_id\":\"c2\",\"output\":[{\"type\":"
              "\"input_text\",\"text\":\"8\"}]},{\"type\":\"custom_tool_call_output\",\"call_id\":"
              "\"c3\",\"output\":\"9\"}]}" },
    { .name = "an answer goes back as it came",
      .responses = true,
      .body = OK,
      .input =
          AI("\"content\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"index\":0,\"summary\":[{"
             "\"index\":0,\"type\":\"summary_text\",\"text\":\"hm\"}]},{\"type\":\"text\","
             "\"text\":\"a\",\"id\":\"msg_1\",\"index\":1},{\"type\":\"text\",\"text\":\"b\","
             "\"id\":\"msg_1\",\"index\":2,\"annotations\":[{\"type\":\"file_citation\","
             "\"file_index\":3}]},{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"index\":3},"
             "{" CALL ",\"arguments\":\"\",\"index\":4},{\"type\":\"image_generation_call\","
             "\"id\":\"ig_1\",\"result\":\"AAAA\"}],\"tool_calls\":[{\"name\":\"f\",\"args\":{},"
             "\"id\":\"c1\"},{\"name\":\"g\",\"args\":{},\"id\":\"c2\"}]"),
      .sent =
          "{\"input\":[{\"role\":\"user\"},{\"type\":\"reasoning\",\"id\":\"rs_1\",\"index\":null,"
          "\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\",\"index\":null}]},"
          "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_1\",\"content\":[{\"type\":"
          "\"output_text\",\"text\":\"a\"},{\"type\":\"output_text\",\"text\":\"b\","
          "\"annotations\":[{\"type\":\"file_citation\",\"index\":3,\"file_index\":null}]}]},"
          "{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"index\":null},{\"type\":"
          "\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\",\"arguments\":\"{}\",\"index\":"
          "null},{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":null},"
          "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\"},{\"role\":\"user\"}]}" },
    { .name = "thoughts in standard blocks, and those of others",
      .responses = true,
      .body = OK,
      .input = AI("\"content\":[{\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"s\"},"
                  "{\"type\":\"reasoning\",\"reasoning\":\"no id\"},{\"type\":\"reasoning\","
                  "\"reasoning\":\"one\",\"id\":\"rs_1\",\"extras\":{\"encrypted_content\":\"e\"}},"
                  "{\"type\":\"reasoning\",\"reasoning\":\"two\",\"id\":\"rs_1\"},\"a\"]"),
      .sent = "{\"input\":[{\"role\":\"user\"},{\"type\":\"reasoning\",\"id\":\"rs_1\","
              "\"encrypted_content\":\"e\",\"reasoning\":null,\"extras\":null,\"summary\":[{"
              "\"type\":\"summary_text\",\"text\":\"one\"},{\"type\":\"summary_text\",\"text\":"
              "\"two\"}]},{\"type\":\"message\",\"content\":[{\"text\":\"a\"}]},{\"role\":"
              "\"user\"}]}" },
    { .name = "without a store a thought needs its content",
      .responses = true,
      .body = OK,
      .kwargs = "{\"store\":false,\"include\":[\"reasoning.encrypted_content\"]}",
      .input = AI("\"content\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},{\"type\":"
                  "\"reasoning\",\"id\":\"rs_2\",\"summary\":[],\"encrypted_content\":\"e\"}]"),
      .sent = "{\"store\":false,\"include\":[\"reasoning.encrypted_content\"],\"input\":[{\"role\":"
              "\"user\"},{\"type\":\"reasoning\",\"id\":\"rs_2\"},{\"role\":\"user\"}]}" },
    { .name = "only what is new, behind the last answer that is known",
      .responses = true,
      .body = OK,
      .kwargs = "{\"use_previous_response_id\":true}",
      .input = AI("\"content\":\"a\",\"response_metadata\":{\"id\":\"resp_7\"}"),
      .sent = "{\"previous_response_id\":\"resp_7\",\"use_previous_response_id\":null,\"input\":[{"
              "\"role\":\"user\",\"content\":\"go on\"}]}" },
    { .name = "all of it, where none is known",
      .responses = true,
      .body = OK,
      .kwargs = "{\"use_previous_response_id\":true}",
      .input = AI("\"content\":\"a\",\"response_metadata\":{\"id\":\"chatcmpl-7\"}"),
      .sent =
          "{\"previous_response_id\":null,\"input\":[{\"role\":\"user\"},{\"role\":\"assistant\"},"
          "{\"role\":\"user\"}]}" },
    { .name = "images and files",
      .responses = true,
      .body = OK,
      .input =
          "[{\"type\":\"human\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":"
          "\"image\",\"url\":\"http://i\"},{\"type\":\"image\",\"base64\":\"AAAA\",\"mime_type\":"
          "\"image/gif\"},{\"type\":\"image\",\"file_id\":\"f1\"},{\"type\":\"image_url\","
          "\"image_url\":{\"url\":\"http://j\",\"detail\":\"low\"}},{\"type\":\"file\",\"url\":"
          "\"http://f\"},{\"type\":\"file\",\"base64\":\"BBBB\",\"mime_type\":\"application/pdf\","
          "\"filename\":\"x.pdf\"},{\"type\":\"file\",\"file_id\":\"f2\"},{\"type\":"
          "\"input_text\",\"text\":\"own\"}]}]",
      .sent =
          "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"t\"},"
          "{\"type\":\"input_image\",\"image_url\":\"http://i\"},{\"type\":\"input_image\","
          "\"image_url\":\"data:image/gif;base64,AAAA\"},{\"type\":\"input_image\",\"file_id\":"
          "\"f1\"},{\"type\":\"input_image\",\"image_url\":\"http://j\",\"detail\":\"low\"},"
          "{\"type\":\"input_file\",\"file_url\":\"http://f\"},{\"type\":\"input_file\","
          "\"filename\":\"x.pdf\",\"file_data\":\"data:application/pdf;base64,BBBB\"},"
          "{\"type\":\"input_file\",\"file_id\":\"f2\"},{\"type\":\"input_text\",\"text\":"
          "\"own\"}]}]}" },
    { .name = "an approval is an item of its own",
      .responses = true,
      .body = OK,
      .input = "[{\"type\":\"human\",\"content\":[{\"type\":\"mcp_approval_response\","
               "\"approval_request_id\":\"a1\",\"approve\":true}]}]",
      .sent = "{\"input\":[{\"type\":\"mcp_approval_response\",\"approval_request_id\":\"a1\"}]}" },
    { .name = "settings under their names here",
      .responses = true,
      .body = OK,
      .kwargs =
          "{\"max_tokens\":7,\"reasoning_effort\":\"low\",\"verbosity\":\"high\","
          "\"temperature\":0.5,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
          "\"name\":\"p\",\"schema\":{\"type\":\"object\"},\"strict\":true}},"
          "\"truncation\":\"auto\",\"user\":null}",
      .sent =
          "{\"max_output_tokens\":7,\"max_tokens\":null,\"reasoning\":{\"effort\":\"low\"},"
          "\"reasoning_effort\":null,\"temperature\":0.5,\"response_format\":null,"
          "\"text\":{\"verbosity\":\"high\",\"format\":{\"type\":\"json_schema\",\"name\":\"p\","
          "\"schema\":{\"type\":\"object\"},\"strict\":true}},\"truncation\":\"auto\"}" },
    { .name = "a parameter does not make it a stream",
      .responses = true,
      .body = OK,
      .kwargs = "{\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}}",
      .sent = "{\"stream\":null,\"stream_options\":null}" },
    { .name = "json mode",
      .responses = true,
      .body = OK,
      .kwargs = "{\"response_format\":{\"type\":\"json_object\"}}",
      .sent = "{\"text\":{\"format\":{\"type\":\"json_object\"}}}" },
    { .name = "gpt-5 is sent no temperature",
      .model = "openai:gpt-5-mini",
      .responses = true,
      .body = OK,
      .kwargs = "{\"temperature\":0}",
      .sent = "{\"temperature\":null}" },
    { .name = "tools, and the choice of one",
      .responses = true,
      .body = OK,
      .kwargs = "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"
                "\"type\":\"object\"},\"strict\":true}},{\"type\":\"web_search\"}],\"tool_choice\":"
                "\"f\"}",
      .sent = "{\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":true,\"function\":null,"
              "\"parameters\":{\"type\":\"object\"}},{\"type\":\"web_search\"}],\"tool_choice\":{"
              "\"type\":\"function\",\"name\":\"f\"}}" },
    { .name = "the server's own tool as the choice",
      .responses = true,
      .body = OK,
      .kwargs = "{\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"web_search\"}",
      .sent = "{\"tool_choice\":{\"type\":\"web_search\"}}" },
};

Test(responses_quirks, of_answers, .init = start, .fini = stop, .timeout = 240)
{
    cr_assert_eq(run_quirks(rt, answers, COUNT(answers)), 0);
}

Test(responses_quirks, of_streams, .init = start, .fini = stop, .timeout = 240)
{
    cr_assert_eq(run_quirks(rt, streams, COUNT(streams)), 0);
}

Test(responses_quirks, of_requests, .init = start, .fini = stop, .timeout = 240)
{
    cr_assert_eq(run_quirks(rt, requests, COUNT(requests)), 0);
}

Test(responses_quirks, only_where_there_is_one, .init = start, .fini = stop)
{
    gr_value *err = NULL;
    gr_ref m = gr_chat_model(gr_root(rt), GR_CHAT(.model = "ollama:m", .use_responses_api = true));

    cr_assert_null(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    cr_assert_not_null(strstr(gr_error_text(err), "no Responses API"));
    gr_value_unref(err);
}
