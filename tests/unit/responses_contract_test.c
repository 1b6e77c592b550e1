/* SPDX-License-Identifier: Apache-2.0 */
/* responses_contract_test.c - the contract of chat models, for OpenAI's Responses API. */
#include "tests/support/chat_contract.h"

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"," rest "}\n\n"
#define USAGE "\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}"
#define RESPONSE(output)                                                                           \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\","         \
    "\"error\":null,\"output\":[" output "]," USAGE "}"
#define SAYS(text)                                                                                 \
    RESPONSE("{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[{"        \
             "\"type\":\"output_text\",\"text\":\"" text "\",\"annotations\":[]}]}")
#define CALLS(name, args)                                                                          \
    RESPONSE("{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"" name      \
             "\",\"arguments\":\"" args "\"}")
#define CREATED                                                                                    \
    EVENT("response.created", "\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}")
#define DELTA(text)                                                                                \
    EVENT("response.output_text.delta",                                                            \
          "\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_1\",\"delta\":\"" text "\"")
#define COMPLETED EVENT("response.completed", "\"response\":" RESPONSE(""))
#define ARGUMENTS(text)                                                                            \
    EVENT("response.function_call_arguments.delta",                                                \
          "\"output_index\":0,\"item_id\":\"fc_1\",\"delta\":\"" text "\"")

static const struct chat_contract contract = {
    .model = "openai:m",
    .responses = true,
    .stream_type = "text/event-stream",
    .key_header = "Authorization: Bearer " CONTRACT_KEY,
    .hello = SAYS("Hello world."),
    .hello_stream = CREATED DELTA("Hello ") DELTA("world.") EVENT(
        "response.output_text.done", "\"output_index\":0,\"content_index\":0,"
                                     "\"item_id\":\"msg_1\",\"text\":\"Hello world.\"") COMPLETED,
    .begin = CREATED,
    .piece = DELTA("abcdefgh"),
    .end = COMPLETED,
    .call = CALLS("get_weather", "{\\\"city\\\":\\\"Oslo\\\"}"),
    .call_stream = CREATED EVENT("response.output_item.added",
                                 "\"output_index\":0,\"item\":{\"type\":\"function_call\","
                                 "\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"get_weather\","
                                 "\"arguments\":\"\"}") ARGUMENTS("{\\\"city\\\":")
        ARGUMENTS("\\\"Oslo\\\"}") COMPLETED,
    .tool_sent = "\"tool_choice\": \"required\"",
    .data = SAYS("{\\\"name\\\":\\\"Ada\\\"}"),
    .data_sent = "\"format\": {\"type\": \"json_schema\", \"name\": \"person\"",
    .call_data = CALLS("person", "{\\\"name\\\":\\\"Ada\\\"}"),
    .error = "{\"error\":{\"message\":\"no\",\"type\":\"some_error\",\"code\":null}}",
    .mid_error = EVENT("error", "\"code\":\"server_error\",\"message\":\"no\",\"param\":null"),
    .echo = "{\"error\":{\"message\":\"Incorrect API key provided: " CONTRACT_KEY
            "\",\"code\":\"invalid_api_key\"}}",
    .settings_sent = { "\"temperature\": 0.5", "\"max_output_tokens\": 7", "\"stop\": \"END\"",
                       "\"top_p\": 0.25" },
};

CHAT_CONTRACT(responses_contract)
