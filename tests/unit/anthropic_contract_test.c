/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_contract_test.c - what every client must do, against a server that speaks Anthropic's API. */
#include "tests/support/chat_contract.h"

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define MESSAGE(content, reason)                                                                   \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":" \
    "[" content "],\"stop_reason\":\"" reason "\",\"stop_sequence\":null,\"usage\":{"              \
    "\"input_tokens\":3,\"output_tokens\":2}}"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"  \
          "\"m-1\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}")
#define OPEN(block) EVENT("content_block_start", ",\"index\":0,\"content_block\":{" block "}")
#define TEXT(text)                                                                                 \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define ARGS(json)                                                                                 \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"}")
#define END(reason)                                                                                \
    EVENT("content_block_stop", ",\"index\":0")                                                    \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{"         \
          "\"output_tokens\":2}")                                                                  \
    EVENT("message_stop", "")
#define TEXT_BLOCK "\"type\":\"text\",\"text\":\"\""

static const struct chat_contract contract = {
    .model = "anthropic:m",
    .stream_type = "text/event-stream; charset=utf-8",
    .key_header = "x-api-key: " CONTRACT_KEY,
    .hello = MESSAGE("{\"type\":\"text\",\"text\":\"Hello world.\"}", "end_turn"),
    .hello_stream = START OPEN(TEXT_BLOCK) EVENT("ping", "") TEXT("Hel") TEXT("lo wor") TEXT("ld.")
        END("end_turn"),
    .begin = START OPEN(TEXT_BLOCK),
    .piece = TEXT("abcdefgh"),
    .end = END("end_turn"),
    .call = MESSAGE("{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"get_weather\",\"input\":"
                    "{\"city\":\"Oslo\"}}",
                    "tool_use"),
    .call_stream = START OPEN("\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"get_weather\","
                              "\"input\":{}") ARGS("") ARGS("{\\\"city\\\":") ARGS(" \\\"Oslo\\\"}")
        END("tool_use"),
    .tool_sent = "{\"name\": \"get_weather\", \"description\": \"of a city\", \"input_schema\": {",
    .data = MESSAGE("{\"type\":\"text\",\"text\":\"{\\\"name\\\":\\\"Ada\\\"}\"}", "end_turn"),
    .data_sent = "\"output_config\": {\"format\": {\"type\": \"json_schema\", \"schema\": {",
    .call_data = MESSAGE("{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"person\",\"input\":"
                         "{\"name\":\"Ada\"}}",
                         "tool_use"),
    .error =
        "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\"},"
        "\"request_id\":\"req_1\"}",
    .mid_error = EVENT("error", ",\"error\":{\"type\":\"api_error\",\"message\":\"oh\"}"),
    .echo = "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":"
            "\"invalid x-api-key: " CONTRACT_KEY "\"}}",
    .settings_sent = { "\"temperature\": 0.5", "\"max_tokens\": 7", "\"stop_sequences\": [\"END\"]",
                       "\"top_p\": 0.25", "anthropic-version: 2023-06-01" },
};

CHAT_CONTRACT(anthropic_contract)
