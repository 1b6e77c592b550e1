/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_contract_test.c - what every client must do, against a server that speaks Ollama's own API. */
#include "tests/support/chat_contract.h"

#define LINE(message, rest)                                                                        \
    "{\"model\":\"m-1\",\"created_at\":\"2026-08-21T10:00:00Z\",\"message\":{\"role\":"            \
    "\"assistant\"," message "}," rest "}"
#define TEXT(text) LINE("\"content\":\"" text "\"", "\"done\":false") "\n"
#define DONE                                                                                       \
    "\"done\":true,\"done_reason\":\"stop\",\"total_duration\":9,\"prompt_eval_count\":3,"         \
    "\"eval_count\":2"
#define END LINE("\"content\":\"\"", DONE) "\n"
#define CALL(name, args)                                                                           \
    "\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"" name "\",\"arguments\":" args    \
    "}}]"

static const struct chat_contract contract = {
    .model = "ollama:m",
    .stream_type = "application/x-ndjson",
    .key_header = "Authorization: Bearer " CONTRACT_KEY,
    .hello = LINE("\"content\":\"Hello world.\"", DONE),
    .hello_stream = TEXT("Hel") TEXT("lo wor") TEXT("ld.") END,
    .begin = TEXT(""),
    .piece = TEXT("abcdefgh"),
    .end = END,
    .call = LINE(CALL("get_weather", "{\"city\":\"Oslo\"}"), DONE),
    .call_stream = LINE(CALL("get_weather", "{\"city\":\"Oslo\"}"), "\"done\":false") "\n" END,
    .tool_sent = "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"get_weather\"",
    .data = LINE("\"content\":\"{\\\"name\\\":\\\"Ada\\\"}\"", DONE),
    .data_sent = "\"format\": {\"type\": \"object\"",
    .call_data = LINE(CALL("person", "{\"name\":\"Ada\"}"), DONE),
    .error = "{\"error\":\"no\"}",
    .mid_error = "{\"error\":\"oh\"}\n",
    .echo = "{\"error\":\"unauthorized: " CONTRACT_KEY "\"}",
    .settings_sent = { "\"stream\": false", "\"num_predict\": 7", "\"stop\": [\"END\"]",
                       "\"top_p\": 0.25", "\"options\": {" },
};

CHAT_CONTRACT(ollama_contract)
