/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_wire_test.c - requests, answers and events of Anthropic's Messages API. */
#include "actors/model/anthropic_wire.h"

#include <stdio.h>

#include <greenroom/message.h>

#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- requests -------------------------------------------------------------------------------- */

struct request {
    const char *name, *settings, *messages, *want;
    const char *version;
};

static gr_value *body_of(const struct request *r, bool stream)
{
    gr_value *settings = json(r->settings), *raw = json(r->messages);
    gr_value *messages = gr_messages_coerce(raw);
    gr_value *body = gri_anthropic_body(settings, messages, stream,
                                        r->version != NULL ? r->version : GRI_ANTHROPIC_VERSION);

    gr_value_unref(settings);
    gr_value_unref(messages);
    return body;
}

#define M "{\"model\":\"c\"}"
#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"
#define BODY(rest) "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" rest "}"
#define TOOL                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":"    \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}},\"strict\":true}}"
#define TOOL_SENT                                                                                  \
    "{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"properties\":"  \
    "{\"a\":{\"type\":\"integer\"}}},\"strict\":true}"

static const struct request requests[] = {
    { "a limit is sent always", M, HI, BODY(HI), NULL },
    { "the call's own limit", "{\"model\":\"c\",\"max_tokens\":7,\"max_completion_tokens\":9}", HI,
      "{\"model\":\"c\",\"max_tokens\":7,\"messages\":" HI "}", NULL },
    { "system stands beside the messages", M, "[[\"system\",\"be brief\"],[\"human\",\"hi\"]]",
      "{\"model\":\"c\",\"max_tokens\":4096,\"system\":\"be brief\",\"messages\":" HI "}", NULL },
    { "several system messages are blocks", M,
      "[[\"system\",\"be brief\"],[\"developer\",\"and kind\"],[\"human\",\"hi\"]]",
      "{\"model\":\"c\",\"max_tokens\":4096,\"system\":[{\"type\":\"text\",\"text\":\"be brief\"},"
      "{\"type\":\"text\",\"text\":\"and kind\"}],\"messages\":" HI "}",
      NULL },
    { "a cached system prompt", M,
      "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"long\",\"cache_control\":"
      "{\"type\":\"ephemeral\"}}]},[\"human\",\"hi\"]]",
      "{\"model\":\"c\",\"max_tokens\":4096,\"system\":[{\"type\":\"text\",\"text\":\"long\","
      "\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":" HI "}",
      NULL },
    { "turns of one side are one", M,
      "[[\"human\",\"a\"],[\"human\",\"b\"],[\"ai\",\"c\"],"
      "[\"ai\",\"d\"],[\"human\",\"e\"]]",
      BODY("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
           "\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
           "\"c\"},{\"type\":\"text\",\"text\":\"d\"}]},{\"role\":\"user\",\"content\":\"e\"}]"),
      NULL },
    { "an assistant that said nothing is left out", M,
      "[[\"human\",\"a\"],[\"ai\",\"\"],[\"human\",\"b\"]]",
      BODY("[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}]"), NULL },
    { "the end of a prefilled answer is trimmed", M, "[[\"human\",\"a\"],[\"ai\",\"So: \\n\"]]",
      BODY("[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"So:\"}]"),
      NULL },
    { "blank texts are left out", M,
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\" \\n\"},\"hi\"]}]", BODY(HI),
      NULL },
    { "a call and its result", M,
      "[[\"human\",\"q\"],{\"role\":\"ai\",\"content\":\"let me see\",\"tool_calls\":[{\"name\":"
      "\"f\",\"args\":{\"a\":1},\"id\":\"t1\",\"type\":\"tool_call\"}]},{\"type\":\"tool\","
      "\"content\":\"4\",\"tool_call_id\":\"t1\"},[\"human\",\"and?\"]]",
      BODY("[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
           "\"text\",\"text\":\"let me see\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","
           "\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
           "\"tool_use_id\":\"t1\",\"content\":\"4\"},{\"type\":\"text\",\"text\":\"and?\"}]}]"),
      NULL },
    { "a result that is an error", M,
      "[{\"type\":\"tool\",\"content\":\"no\",\"tool_call_id\":\"t1\",\"status\":\"error\"}]",
      BODY("[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\","
           "\"content\":\"no\",\"is_error\":true}]}]"),
      NULL },
    { "a result with an image", M,
      "[{\"type\":\"tool\",\"tool_call_id\":\"t1\",\"content\":[{\"type\":\"image\",\"base64\":"
      "\"AAAA\",\"mime_type\":\"image/png\"}]}]",
      BODY("[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\","
           "\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
           "\"image/png\",\"data\":\"AAAA\"}}]}]}]"),
      NULL },
    { "calls of a stream get their arguments back", M,
      "[{\"type\":\"ai\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"index\":0},{\"type\":"
      "\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{},\"index\":1,\"partial_json\":"
      "\"{\\\"a\\\":1}\"}],\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"t1\"}]},"
      "[\"human\",\"y\"]]",
      BODY("[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":"
           "\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\","
           "\"content\":\"y\"}]"),
      NULL },
    { "so do those of the server's own tools", M,
      "[{\"type\":\"ai\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s1\",\"name\":"
      "\"web_search\",\"input\":{},\"index\":1,\"partial_json\":\"{\\\"q\\\":1}\"}]},"
      "[\"human\",\"y\"]]",
      BODY("[{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"s1\","
           "\"name\":\"web_search\",\"input\":{\"q\":1}}]},{\"role\":\"user\",\"content\":\"y\"}]"),
      NULL },
    { "a call whose arguments were no JSON keeps its place", M,
      "[{\"type\":\"ai\",\"content\":\"\",\"invalid_tool_calls\":[{\"name\":\"f\",\"args\":\"{a\","
      "\"id\":\"t1\",\"error\":\"e\"}]},{\"type\":\"tool\",\"content\":\"no JSON\",\"tool_call_id\":"
      "\"t1\",\"status\":\"error\"}]",
      BODY("[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"
           "\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
           "\"tool_use_id\":\"t1\",\"content\":\"no JSON\",\"is_error\":true}]}]"),
      NULL },
    { "thoughts go back with their signature", M,
      "[{\"type\":\"ai\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":"
      "\"sig\",\"index\":0},{\"type\":\"redacted_thinking\",\"data\":\"xyz\"},{\"type\":\"text\","
      "\"text\":\"yes\"}]},[\"human\",\"y\"]]",
      BODY("[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
           "\"signature\":\"sig\"},{\"type\":\"redacted_thinking\",\"data\":\"xyz\"},{\"type\":"
           "\"text\",\"text\":\"yes\"}]},{\"role\":\"user\",\"content\":\"y\"}]"),
      NULL },
    { "reasoning as a standard block", M,
      "[{\"type\":\"ai\",\"content\":[{\"type\":\"reasoning\",\"reasoning\":\"hm\",\"extras\":"
      "{\"signature\":\"sig\"}},{\"type\":\"reasoning\",\"reasoning\":\"not signed\"},\"yes\"]},"
      "[\"human\",\"y\"]]",
      BODY("[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
           "\"signature\":\"sig\"},{\"type\":\"text\",\"text\":\"yes\"}]},{\"role\":\"user\","
           "\"content\":\"y\"}]"),
      NULL },
    { "images in every way to write them", M,
      "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
      "\"data:image/png;base64,AAAA\"}},{\"type\":\"image_url\",\"image_url\":\"https://x/y.png\"},"
      "{\"type\":\"image\",\"url\":\"https://x/z\"},{\"type\":\"image\",\"source_type\":\"base64\","
      "\"data\":\"BBBB\",\"mime_type\":\"image/gif\"},{\"type\":\"image\",\"file_id\":\"file_1\"},"
      "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/w\"}}]}]",
      BODY(
          "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
          "\"media_type\":\"image/png\",\"data\":\"AAAA\"}},{\"type\":\"image\",\"source\":{"
          "\"type\":\"url\",\"url\":\"https://x/y.png\"}},{\"type\":\"image\",\"source\":{\"type\":"
          "\"url\",\"url\":\"https://x/z\"}},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
          "\"media_type\":\"image/gif\",\"data\":\"BBBB\"}},{\"type\":\"image\",\"source\":{"
          "\"type\":\"file\",\"file_id\":\"file_1\"}},{\"type\":\"image\",\"source\":{\"type\":"
          "\"url\",\"url\":\"https://x/w\"}}]}]"),
      NULL },
    { "documents", M,
      "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"base64\":\"JVBE\",\"mime_type\":"
      "\"application/pdf\"},{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/pdf;"
      "base64,JVBF\",\"filename\":\"a.pdf\"}},{\"type\":\"text-plain\",\"text\":\"plain\","
      "\"title\":\"T\",\"context\":\"C\"},{\"type\":\"document\",\"source\":{\"type\":\"text\","
      "\"media_type\":\"text/plain\",\"data\":\"own\"},\"citations\":{\"enabled\":true}}]}]",
      BODY(
          "[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"base64\","
          "\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}},{\"type\":\"document\","
          "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBF\"},"
          "\"title\":\"a.pdf\"},{\"type\":\"document\",\"source\":{\"type\":\"text\","
          "\"media_type\":\"text/plain\",\"data\":\"plain\"},\"title\":\"T\",\"context\":\"C\"},"
          "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
          "\"data\":\"own\"},\"citations\":{\"enabled\":true}}]}]"),
      NULL },
    { "stop, as a text", "{\"model\":\"c\",\"stop\":\"X\",\"top_p\":0.5,\"seed\":3}", HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"stop_sequences\":[\"X\"],"
      "\"top_p\":0.5}",
      NULL },
    { "later versions take no sampling",
      "{\"model\":\"c\",\"stop\":[\"X\",\"Y\"],\"temperature\":0.1,\"top_p\":0.5,\"top_k\":3}", HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"stop_sequences\":[\"X\",\"Y\"]}",
      "2026-10-21" },
    { "tools, and any of them",
      "{\"model\":\"c\",\"tools\":[" TOOL "],\"tool_choice\":\"required\"}", HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[" TOOL_SENT "],"
      "\"tool_choice\":{\"type\":\"any\"}}",
      NULL },
    { "one tool by name, not side by side",
      "{\"model\":\"c\",\"tools\":[" TOOL "],\"tool_choice\":\"f\",\"parallel_tool_calls\":false}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[" TOOL_SENT "],"
      "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}}",
      NULL },
    { "OpenAI's form of a choice",
      "{\"model\":\"c\",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":"
      "{\"name\":\"f\"}}}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[" TOOL_SENT "],"
      "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}",
      NULL },
    { "one at a time, of one's choice",
      "{\"model\":\"c\",\"tools\":[" TOOL "],\"parallel_tool_calls\":false}", HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[" TOOL_SENT "],"
      "\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}}",
      NULL },
    { "a tool without parameters, and one of the server's",
      "{\"model\":\"c\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"g\"}},{\"type\":"
      "\"web_search_20250305\",\"name\":\"web_search\"}],\"tool_choice\":\"none\","
      "\"parallel_tool_calls\":false}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[{\"name\":\"g\","
      "\"input_schema\":{\"type\":\"object\",\"properties\":{}}},{\"type\":\"web_search_20250305\","
      "\"name\":\"web_search\"}],\"tool_choice\":{\"type\":\"none\"}}",
      NULL },
    { "who thinks can't be made to call a tool",
      "{\"model\":\"c\",\"tools\":[" TOOL "],\"tool_choice\":\"f\",\"thinking\":{\"type\":"
      "\"adaptive\"}}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"tools\":[" TOOL_SENT "],"
      "\"tool_choice\":{\"type\":\"auto\"},\"thinking\":{\"type\":\"adaptive\"}}",
      NULL },
    { "a choice without tools is none", "{\"model\":\"c\",\"tool_choice\":\"any\"}", HI, BODY(HI),
      NULL },
    { "structured output",
      "{\"model\":\"c\",\"output_config\":{\"effort\":\"low\"},\"response_format\":{\"type\":"
      "\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":"
      "true}}}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"output_config\":{\"effort\":"
      "\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
      NULL },
    { "the rest goes along",
      "{\"model\":\"c\",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},\"metadata\":"
      "{\"user_id\":\"u\"},\"service_tier\":\"auto\"}",
      HI,
      "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":" HI ",\"thinking\":{\"type\":\"enabled\","
      "\"budget_tokens\":1024},\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\"}",
      NULL },
};

Test(anthropic_wire, requests_are_as_the_api_wants_them)
{
    for (size_t i = 0; i < COUNT(requests); i++)
        cr_assert(is(body_of(&requests[i], false), requests[i].want), "%s", requests[i].name);
}

Test(anthropic_wire, what_cannot_be_said_is_refused_with_its_place)
{
    static const struct {
        const char *settings, *messages, *says;
    } wrong[] = {
        { M, "[[\"human\",\"a\"],[\"system\",\"b\"]]",
          "message 2: Anthropic takes system messages at the beginning only" },
        { M,
          "[{\"role\":\"user\",\"content\":[\"a\",{\"type\":\"audio\",\"base64\":\"AA\","
          "\"mime_type\":\"audio/wav\"}]}]",
          "message 1, part 2: Anthropic takes images and documents, no 'audio'" },
        { M, "[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]",
          "message 1, part 1: an 'image' without a source that can be read" },
        { M, "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"base64\":\"AA\"}]}]",
          "message 1, part 1: base64 data needs a mime_type" },
        { M, "[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]",
          "message 1, part 1: a part of the content has no type" },
        { "{\"model\":\"c\",\"response_format\":{\"type\":\"json_object\"}}", HI,
          "Anthropic's response_format is a json_schema with a schema, no 'json_object'" },
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct request r = { "", wrong[i].settings, wrong[i].messages, NULL, NULL };
        gr_value *body = body_of(&r, false);

        cr_assert_eq(gr_error_code(body), GR_EINVAL);
        cr_assert_str_eq(gr_error_text(body), wrong[i].says);
        gr_value_unref(body);
    }
}

Test(anthropic_wire, later_versions_take_no_citations_in_a_text)
{
    static const struct request r = {
        "", M,
        "[{\"role\":\"ai\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"citations\":[{}]}]}]",
        NULL, "2026-10-21"
    };

    cr_assert(is(body_of(&r, true),
                 "{\"model\":\"c\",\"max_tokens\":4096,\"messages\":[{\"role\":\"assistant\","
                 "\"content\":\"a\"}],\"stream\":true}"));
}

/* ---- answers --------------------------------------------------------------------------------- */

static gr_value *read_answer(const char *text)
{
    gr_value *v = json(text), *m = gri_anthropic_answer(v);

    gr_value_unref(v);
    return m;
}

Test(anthropic_wire, a_lone_text_is_a_text)
{
    cr_assert(is(
        read_answer("{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\","
                    "\"content\":[{\"type\":\"text\",\"text\":\"hi\",\"citations\":null}],"
                    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{"
                    "\"input_tokens\":3,\"cache_creation_input_tokens\":5,"
                    "\"cache_read_input_tokens\":7,\"output_tokens\":4}}"),
        "{\"type\":\"ai\",\"content\":\"hi\",\"response_metadata\":{\"id\":\"msg_1\","
        "\"model_name\":\"c\",\"stop_reason\":\"end_turn\",\"model_provider\":\"anthropic\"},"
        "\"usage_metadata\":{\"input_tokens\":15,\"output_tokens\":4,\"total_tokens\":19,"
        "\"input_token_details\":{\"cache_read\":7,\"cache_creation\":5}}}"));
}

Test(anthropic_wire, calls_and_thoughts_stay_blocks)
{
    cr_assert(is(read_answer("{\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
                             "\"signature\":\"s\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"
                             "\"f\",\"input\":{\"a\":1}}],\"stop_reason\":\"tool_use\"}"),
                 "{\"type\":\"ai\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
                 "\"signature\":\"s\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","
                 "\"input\":{\"a\":1}}],\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":"
                 "\"t1\",\"type\":\"tool_call\"}],\"response_metadata\":{\"stop_reason\":"
                 "\"tool_use\",\"model_provider\":\"anthropic\"}}"));
}

Test(anthropic_wire, what_is_no_answer_is_a_protocol_error)
{
    static const char *const wrong[] = { "[]", "{}", "3", "{\"content\":3}", "{\"content\":[3]}" };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        gr_value *m = read_answer(wrong[i]);

        cr_assert_eq(gr_error_code(m), GR_EPROTO, "%s", wrong[i]);
        gr_value_unref(m);
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

/* sum_of adds up the chunks of events that stand one a line, and ends the sum. */
static gr_value *sum_of(const char *body, const char *const *events, size_t count, bool *ret_last)
{
    struct gri_anthropic_stream s = { .as_blocks = false };
    gr_value *request = json(body), *sum = NULL;

    *ret_last = false;
    gri_anthropic_begin(&s, request);
    for (size_t i = 0; i < count && gr_error_code(sum == NULL ? request : sum) == GR_OK; i++) {
        gr_value *event = json(events[i]), *chunk = gri_anthropic_event(&s, event, ret_last);

        gr_value_unref(event);
        if (gr_is_nil(chunk)) {
            gr_value_unref(chunk);
        } else if (gr_error_code(chunk) != GR_OK) {
            gr_value_unref(sum);
            sum = chunk;
        } else {
            sum = gr_add(sum, chunk);
        }
    }
    gri_anthropic_drop(&s);
    gr_value_unref(request);
    return gr_error_code(sum) == GR_OK ? gr_message_of_chunk(sum) : sum;
}

#define START                                                                                      \
    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"c\",\"content\":[],"    \
    "\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}"
#define STOP "{\"type\":\"message_stop\"}"
#define PING "{\"type\":\"ping\"}"

Test(anthropic_wire, texts_add_up)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
        "\"text\":\"\"}}",
        PING,
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
        "\"he\"}}",
        "{\"type\":\"of_the_future\",\"index\":0}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
        "\"llo\"}}",
        "{\"type\":\"content_block_stop\",\"index\":0}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\","
        "\"stop_sequence\":\"X\"},\"usage\":{\"output_tokens\":9}}",
        STOP
    };
    bool last;

    cr_assert(is(sum_of("{}", events, COUNT(events), &last),
                 "{\"type\":\"ai\",\"content\":\"hello\",\"response_metadata\":{"
                 "\"model_provider\":\"anthropic\",\"id\":\"msg_1\",\"model_name\":\"c\","
                 "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"X\"},\"usage_metadata\":{"
                 "\"input_tokens\":3,\"output_tokens\":9,\"total_tokens\":12}}"));
    cr_assert(last);
    /* Where the end is missing it is known that the answer is whole. */
    gr_value_unref(sum_of("{}", events, COUNT(events) - 1, &last));
    cr_assert(last);
    gr_value_unref(sum_of("{}", events, COUNT(events) - 2, &last));
    cr_assert_not(last);
}

Test(anthropic_wire, running_totals_are_told_once)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null},\"usage\":{\"output_tokens\":"
        "5}}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
        "\"input_tokens\":4,\"cache_read_input_tokens\":2,\"output_tokens\":9}}",
        "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":9}}", STOP
    };
    bool last;
    gr_value *sum = sum_of("{}", events, COUNT(events), &last);

    cr_assert(is(gr_value_ref(gr_get(sum, "usage_metadata")),
                 "{\"input_tokens\":6,\"output_tokens\":9,\"total_tokens\":15,"
                 "\"input_token_details\":{\"cache_read\":2}}"));
    gr_value_unref(sum);
}

Test(anthropic_wire, calls_and_thoughts_of_a_stream_are_blocks)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\","
        "\"thinking\":\"\",\"signature\":\"\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
        "\"thinking\":\"h\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
        "\"thinking\":\"m\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
        "\"signature\":\"sig\"}}",
        "{\"type\":\"content_block_stop\",\"index\":0}",
        "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
        "\"redacted_thinking\",\"data\":\"xyz\"}}",
        "{\"type\":\"content_block_stop\",\"index\":1}",
        "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"t1\",\"name\":\"f\",\"input\":{}}}",
        /* The next block begins while this one is open, and their parts mix. */
        "{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"t2\",\"name\":\"g\",\"input\":{}}}",
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"\"}}",
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"{\\\"a\\\"\"}}",
        "{\"type\":\"content_block_stop\",\"index\":3}",
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\":1}\"}}",
        "{\"type\":\"content_block_stop\",\"index\":2}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}", STOP
    };
    bool last;
    gr_value *sum = sum_of("{\"tools\":[{}]}", events, COUNT(events), &last);

    cr_assert(is(gr_value_ref(gr_get(sum, "content")),
                 "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"index\":0,\"signature\":\"sig\"},"
                 "{\"type\":\"redacted_thinking\",\"data\":\"xyz\",\"index\":1},"
                 "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{},\"index\":2,"
                 "\"partial_json\":\"{\\\"a\\\":1}\"},"
                 "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{},\"index\":3}]"));
    cr_assert(is(gr_value_ref(gr_get(sum, "tool_calls")),
                 "[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"t1\",\"type\":\"tool_call\"},"
                 "{\"name\":\"g\",\"args\":{},\"id\":\"t2\",\"type\":\"tool_call\"}]"));
    gr_value_unref(sum);
}

Test(anthropic_wire, arguments_that_come_with_the_start_count_if_no_part_follows)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}}",
        "{\"type\":\"content_block_stop\",\"index\":0}",
        "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"t2\",\"name\":\"g\",\"input\":{\"a\":1}}}",
        "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"{\\\"b\\\":2}\"}}",
        "{\"type\":\"content_block_stop\",\"index\":1}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}"
    };
    bool last;
    gr_value *sum = sum_of("{\"tools\":[{}]}", events, COUNT(events), &last);

    cr_assert(is(gr_value_ref(gr_get(sum, "tool_calls")),
                 "[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"t1\",\"type\":\"tool_call\"},"
                 "{\"name\":\"g\",\"args\":{\"b\":2},\"id\":\"t2\",\"type\":\"tool_call\"}]"));
    gr_value_unref(sum);
}

Test(anthropic_wire, citations_are_collected)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
        "\"a\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"citations_delta\","
        "\"citation\":{\"cited_text\":\"x\"}}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"citations_delta\","
        "\"citation\":{\"cited_text\":\"y\"}}}",
        STOP
    };
    bool last;
    gr_value *sum =
        sum_of("{\"messages\":[{\"content\":[{\"type\":\"document\"}]}]}", events, 5, &last);

    cr_assert(is(gr_value_ref(gr_get(sum, "content")),
                 "[{\"type\":\"text\",\"text\":\"a\",\"index\":0,\"citations\":[{\"cited_text\":"
                 "\"x\"},{\"cited_text\":\"y\"}]}]"));
    gr_value_unref(sum);
}

Test(anthropic_wire, an_error_after_200_tells_whether_a_retry_helps)
{
    static const char *const busy[] = {
        START,
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"},"
        "\"request_id\":\"req_1\"}"
    };
    static const char *const wrong[] = {
        "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\"}}"
    };
    bool last;
    gr_value *err = sum_of("{}", busy, 2, &last);

    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_eq(gr_as_int(gr_get(err, "status"), 0), 529);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "overloaded_error");
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(err, "detail"), "request_id"), ""), "req_1");
    cr_assert(gr_error_retryable(err));
    gr_value_unref(err);
    err = sum_of("{}", wrong, 1, &last);
    cr_assert_not(gr_error_retryable(err));
    gr_value_unref(err);
}

Test(anthropic_wire, a_stream_of_open_blocks_is_bounded)
{
    struct gri_anthropic_stream s = { .as_blocks = true };
    gr_value *chunk = NULL;
    bool last = false;
    int64_t i = 0;

    do {
        gr_value *event =
            gr_map(GR_KV("type", gr_str("content_block_start")), GR_KV("index", gr_int(i)),
                   GR_KV("content_block", gr_map(GR_KV("type", gr_str("text")))));

        gr_value_unref(chunk);
        chunk = gri_anthropic_event(&s, event, &last);
        gr_value_unref(event);
        i++;
    } while (gr_error_code(chunk) == GR_OK);
    cr_assert_eq(gr_error_code(chunk), GR_EPROTO);
    cr_assert_eq(i, GRI_ANTHROPIC_BLOCKS_MAX + 1);
    gr_value_unref(chunk);
    gri_anthropic_drop(&s);
}

Test(anthropic_wire, parts_of_what_has_not_begun_are_refused)
{
    static const char *const events[] = {
        "{\"type\":\"content_block_delta\",\"index\":7,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"{\"}}"
    };
    bool last;
    gr_value *err = sum_of("{}", events, 1, &last);

    cr_assert_eq(gr_error_code(err), GR_EPROTO);
    cr_assert_str_eq(gr_error_text(err), "a part of block 7, which has not begun");
    gr_value_unref(err);
}

/* read_all uses everything once. */
static void read_all(void)
{
    static const char *const events[] = {
        START,
        "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}}",
        "{\"type\":\"content_block_stop\",\"index\":2}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
        "\"a\"}}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
        "\"output_tokens\":9}}",
        "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"},\"request_id\":\"r\"}"
    };
    bool last;

    for (size_t i = 0; i < COUNT(requests); i++)
        gr_value_unref(body_of(&requests[i], true));
    gr_value_unref(sum_of("{\"tools\":[{}]}", events, COUNT(events), &last));
    gr_value_unref(read_answer("{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
                               "\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}],"
                               "\"usage\":{\"input_tokens\":1}}"));
}

Test(anthropic_wire, running_out_of_memory_leaves_nothing_behind)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), read_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}
