/* SPDX-License-Identifier: Apache-2.0 */
/* openai_contract_test.c - the contract of chat models, for OpenAI-compatible servers and for Azure. */
#include "tests/support/chat_contract.h"

#define CHUNK(delta)                                                                               \
    "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n\n"
#define END(reason)                                                                                          \
    "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason \
    "\"}]}\n\n"
#define USAGE "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}"
#define ANSWER(message)                                                                            \
    "{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{" message                \
    "},\"finish_reason\":\"stop\"}]," USAGE "}"
#define CALL(name, args)                                                                                  \
    "\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"" name \
    "\",\"arguments\":\"" args "\"}}]"

static const struct chat_contract contract = {
    .model = "openai:m",
    .stream_type = "text/event-stream",
    .key_header = "Authorization: Bearer " CONTRACT_KEY,
    .hello = ANSWER("\"content\":\"Hello world.\""),
    .hello_stream = CHUNK("\"role\":\"assistant\",\"content\":\"\"") CHUNK("\"content\":\"Hello \"")
        CHUNK("\"content\":\"world.\"") END("stop") "data: {\"id\":\"x\",\"choices\":[]," USAGE
                                                    "}\n\ndata: [DONE]\n\n",
    .begin = "",
    .piece = CHUNK("\"content\":\"abcdefgh\""),
    .end = END("stop"),
    .call = ANSWER(CALL("get_weather", "{\\\"city\\\":\\\"Oslo\\\"}")),
    .call_stream = CHUNK(
        "\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]")
        CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}}]")
            CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"Oslo\\\"}\"}}]")
                END("tool_calls") "data: [DONE]\n\n",
    .tool_sent = "\"tool_choice\": \"required\"",
    .data = ANSWER("\"content\":\"{\\\"name\\\":\\\"Ada\\\"}\""),
    .data_sent =
        "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"person\"",
    .call_data = ANSWER(CALL("person", "{\\\"name\\\":\\\"Ada\\\"}")),
    .error = "{\"error\":{\"message\":\"no\",\"type\":\"some_error\",\"code\":null}}",
    .mid_error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n",
    .echo = "{\"error\":{\"message\":\"Incorrect API key provided: " CONTRACT_KEY
            "\",\"code\":\"invalid_api_key\"}}",
    .settings_sent = { "\"temperature\": 0.5", "\"max_tokens\": 7", "\"stop\": \"END\"",
                       "\"top_p\": 0.25" },
};

CHAT_CONTRACT(openai_contract)
