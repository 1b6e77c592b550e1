/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_wire_test.c - requests, answers, lines and addresses of Ollama. */
#include "actors/model/ollama_wire.h"

#include <stdio.h>

#include <greenroom/message.h>

#include "actors/embed/ollama_vectors.h"
#include "runtime/base/alloc.h"
#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- requests -------------------------------------------------------------------------------- */

struct request {
    const char *name, *settings, *messages, *want;
};

static gr_value *body_of(const char *said, const char *prompt)
{
    gr_value *settings = json(said), *messages = gr_messages_coerce(json(prompt));
    gr_value *body = gri_ollama_body(settings, messages, false);

    gr_value_unref(settings);
    gr_value_unref(messages);
    return body;
}

#define M "{\"model\":\"l\"}"
#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"
#define BODY(messages, rest) "{\"model\":\"l\",\"messages\":" messages ",\"stream\":false" rest "}"
#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define TOOLS "\"tools\":[" TOOL("f") "," TOOL("g") "]"

static const struct request requests[] = {
    { "that it is no stream must be said", M, HI, BODY(HI, "") },
    { "settings are options",
      "{\"model\":\"l\",\"temperature\":0.5,\"max_tokens\":7,\"seed\":3,\"stop\":\"X\",\"top_p\":"
      "0.25,\"num_ctx\":4096}",
      HI,
      BODY(HI, ",\"options\":{\"temperature\":0.5,\"seed\":3,\"top_p\":0.25,\"num_ctx\":4096,"
               "\"num_predict\":7,\"stop\":[\"X\"]}") },
    { "options that are given go over them",
      "{\"model\":\"l\",\"temperature\":0.5,\"options\":{\"temperature\":0,\"new_one\":1}}", HI,
      BODY(HI, ",\"options\":{\"temperature\":0,\"new_one\":1}") },
    { "the rest stands outside", "{\"model\":\"l\",\"think\":\"high\",\"keep_alive\":\"5m\"}", HI,
      BODY(HI, ",\"think\":\"high\",\"keep_alive\":\"5m\"") },
    { "any JSON", "{\"model\":\"l\",\"response_format\":{\"type\":\"json_object\"}}", HI,
      BODY(HI, ",\"format\":\"json\"") },
    { "JSON by a schema",
      "{\"model\":\"l\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
      "\"n\",\"schema\":{\"type\":\"object\"}}}}",
      HI, BODY(HI, ",\"format\":{\"type\":\"object\"}") },
    { "tools", "{\"model\":\"l\"," TOOLS ",\"tool_choice\":\"auto\",\"parallel_tool_calls\":true}",
      HI, BODY(HI, "," TOOLS) },
    { "none of the tools", "{\"model\":\"l\"," TOOLS ",\"tool_choice\":\"none\"}", HI,
      BODY(HI, "") },
    { "one of the tools", "{\"model\":\"l\"," TOOLS ",\"tool_choice\":\"g\"}", HI,
      BODY(HI, ",\"tools\":[" TOOL("g") "]") },
    { "one of the tools, as OpenAI says it",
      "{\"model\":\"l\"," TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
      "\"f\"}}}",
      HI, BODY(HI, ",\"tools\":[" TOOL("f") "]") },
    { "roles", M, "[[\"system\",\"be\"],[\"developer\",\"kind\"],[\"human\",\"a\"],[\"ai\",\"b\"]]",
      BODY("[{\"role\":\"system\",\"content\":\"be\"},{\"role\":\"system\",\"content\":\"kind\"},"
           "{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]",
           "") },
    { "a call, and which tool answered it", M,
      "[{\"role\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},"
      "\"id\":\"c1\"},{\"name\":\"g\",\"args\":{},\"id\":\"c2\"}]},{\"type\":\"tool\",\"content\":"
      "\"4\",\"tool_call_id\":\"c2\"},{\"type\":\"tool\",\"content\":\"5\",\"tool_call_id\":\"c1\","
      "\"name\":\"own\"}]",
      BODY("[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":"
           "\"f\",\"arguments\":{\"a\":1}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}}]},"
           "{\"role\":\"tool\",\"content\":\"4\",\"tool_name\":\"g\"},{\"role\":\"tool\","
           "\"content\":\"5\",\"tool_name\":\"own\"}]",
           "") },
    { "texts and images are taken apart", M,
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what\"},{\"type\":"
      "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},\"is it?\",{\"type\":"
      "\"image\",\"base64\":\"BBBB\",\"mime_type\":\"image/png\"},{\"type\":\"text-plain\",\"text\":"
      "\"plain\"}]}]",
      BODY("[{\"role\":\"user\",\"content\":\"what\\nis it?\\nplain\",\"images\":[\"AAAA\","
           "\"BBBB\"]}]",
           "") },
    { "thoughts go back", M,
      "[{\"role\":\"ai\",\"content\":\"yes\",\"additional_kwargs\":{\"reasoning_content\":\"hm\"}},"
      "{\"role\":\"ai\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\",\"signature\":\"s\"},"
      "{\"type\":\"reasoning\",\"reasoning\":\"m\"},{\"type\":\"text\",\"text\":\"no\"},{\"type\":"
      "\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]}]",
      BODY("[{\"role\":\"assistant\",\"content\":\"yes\",\"thinking\":\"hm\"},{\"role\":"
           "\"assistant\",\"content\":\"no\",\"thinking\":\"h\\nm\"}]",
           "") },
};

Test(ollama_wire, requests_are_as_the_api_wants_them)
{
    for (size_t i = 0; i < COUNT(requests); i++)
        cr_assert(is(body_of(requests[i].settings, requests[i].messages), requests[i].want), "%s",
                  requests[i].name);
}

Test(ollama_wire, what_cannot_be_said_is_refused_with_its_place)
{
    static const char *const wrong[][3] = {
        { M,
          "[[\"ai\",\"a\"],{\"role\":\"user\",\"content\":[\"a\",{\"type\":\"image_url\","
          "\"image_url\":{\"url\":\"http://169.254.169.254/x\"}}]}]",
          "message 2, part 2: Ollama takes images in base64 only; one by URL is not fetched" },
        { M, "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}]",
          "message 1, part 1: Ollama takes texts and images, no 'input_audio'" },
        { "{\"response_format\":{\"type\":\"xml\"}}", HI,
          "response_format is a json_schema with a schema, or json_object" },
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        gr_value *body = body_of(wrong[i][0], wrong[i][1]);

        cr_assert_eq(gr_error_code(body), GR_EINVAL);
        cr_assert_str_eq(gr_error_text(body), wrong[i][2]);
        gr_value_unref(body);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static gr_value *read_answer(const char *text)
{
    gr_value *v = json(text), *m = gri_ollama_answer(v);

    gr_value_unref(v);
    return m;
}

Test(ollama_wire, answers_become_ai_messages)
{
    cr_assert(is(
        read_answer("{\"model\":\"l\",\"created_at\":\"2026-08-21T00:00:00Z\",\"message\":{"
                    "\"role\":\"assistant\",\"content\":\"hi\",\"thinking\":\"hm\"},\"done\":true,"
                    "\"done_reason\":\"stop\",\"total_duration\":9,\"load_duration\":1,"
                    "\"prompt_eval_count\":3,\"prompt_eval_duration\":2,\"eval_count\":4,"
                    "\"eval_duration\":5}"),
        "{\"type\":\"ai\",\"content\":\"hi\",\"additional_kwargs\":{\"reasoning_content\":\"hm\"},"
        "\"response_metadata\":{\"model_name\":\"l\",\"created_at\":\"2026-08-21T00:00:00Z\","
        "\"done_reason\":\"stop\",\"total_duration\":9,\"load_duration\":1,\"prompt_eval_count\":3,"
        "\"prompt_eval_duration\":2,\"eval_count\":4,\"eval_duration\":5,\"model_provider\":"
        "\"ollama\"},\"usage_metadata\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}"
        "}"));
}

static const char *call_id(const gr_value *m, size_t at)
{
    return gr_cstr(gr_get(gr_at(gr_get(m, "tool_calls"), at), "id"), "");
}

Test(ollama_wire, calls_get_ids)
{
    static const char text[] =
        "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
        "\"arguments\":{\"a\":1}}},{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}},"
        "{\"id\":\"own\",\"function\":{\"name\":\"g\"}}]},\"done\":true,\"created_at\":\"1\"}";
    gr_value *m = read_answer(text), *again = read_answer(text);
    const gr_value *call = gr_at(gr_get(m, "tool_calls"), 0);

    cr_assert_eq(gr_len(gr_get(m, "tool_calls")), 3);
    cr_assert(is(gr_value_ref(gr_get(call, "args")), "{\"a\":1}"));
    cr_assert_eq(strncmp(call_id(m, 0), "call_", 5), 0);
    cr_assert_str_neq(call_id(m, 0), call_id(m, 1));
    cr_assert_str_eq(call_id(m, 2), "own");
    cr_assert(gr_equal(m, again));
    gr_value_unref(again);
    gr_value_unref(m);
}

/* Each of them was named after all of them, which kept the thread of all transfers busy for minutes. */
Test(ollama_wire, many_calls_get_ids_in_time, .timeout = 60)
{
    gr_value *calls = gr_list_n(NULL, 0), *m, *answer;

    for (size_t i = 0; i < 40000; i++)
        calls = gr_append(calls, json("{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}"));
    answer = gr_map(GR_KV("message", gr_map(GR_KV("tool_calls", calls))));
    m = gri_ollama_answer(answer);
    cr_assert_eq(gr_len(gr_get(m, "tool_calls")), 40000u);
    cr_assert_str_neq(call_id(m, 0), call_id(m, 39999));
    gr_value_unref(m);
    gr_value_unref(answer);
}

Test(ollama_wire, what_is_no_answer_is_a_protocol_error)
{
    static const char *const wrong[] = { "[]", "{}", "3", "{\"message\":3}" };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        gr_value *m = read_answer(wrong[i]);

        cr_assert_eq(gr_error_code(m), GR_EPROTO, "%s", wrong[i]);
        gr_value_unref(m);
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

static gr_value *sum_of(const char *const *lines, size_t count, bool *ret_last)
{
    gr_value *sum = NULL;
    size_t calls = 0;

    *ret_last = false;
    for (size_t i = 0; i < count && (sum == NULL || gr_error_code(sum) == GR_OK); i++) {
        gr_value *line = json(lines[i]), *chunk = gri_ollama_line(line, &calls, ret_last);

        gr_value_unref(line);
        if (gr_is_nil(chunk)) {
            gr_value_unref(chunk);
        } else if (gr_error_code(chunk) != GR_OK) {
            gr_value_unref(sum);
            sum = chunk;
        } else {
            sum = gr_add(sum, chunk);
        }
    }
    return gr_error_code(sum) == GR_OK ? gr_message_of_chunk(sum) : sum;
}

Test(ollama_wire, lines_add_up)
{
    static const char *const lines[] = {
        "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"h\"},"
        "\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"m\"},"
        "\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"content\":\"he\"},\"logprobs\":[{\"token\":\"he\"}],"
        "\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"content\":\"llo\"},\"logprobs\":[{\"token\":\"llo\"}],"
        "\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":"
        "\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":"
        "\"f\",\"arguments\":{\"a\":2}}}]},\"done\":false}",
        "{\"model\":\"l\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
        "\"prompt_eval_count\":3,\"eval_count\":4}"
    };
    bool last;
    gr_value *sum = sum_of(lines, COUNT(lines), &last);

    cr_assert(last);
    cr_assert_str_eq(gr_cstr(gr_get(sum, "content"), ""), "hello");
    cr_assert(is(gr_value_ref(gr_get(sum, "additional_kwargs")), "{\"reasoning_content\":\"hm\"}"));
    cr_assert_eq(gr_len(gr_get(sum, "tool_calls")), 2);
    cr_assert(is(gr_value_ref(gr_get(gr_at(gr_get(sum, "tool_calls"), 1), "args")), "{\"a\":2}"));
    cr_assert_str_neq(call_id(sum, 0), call_id(sum, 1));
    cr_assert(is(gr_value_ref(gr_get(sum, "usage_metadata")),
                 "{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}"));
    cr_assert(is(gr_value_ref(gr_get(gr_get(sum, "response_metadata"), "logprobs")),
                 "[{\"token\":\"he\"},{\"token\":\"llo\"}]"));
    gr_value_unref(sum);
    gr_value_unref(sum_of(lines, COUNT(lines) - 1, &last));
    cr_assert_not(last);
}

Test(ollama_wire, an_error_in_a_line_is_raised)
{
    static const char *const lines[] = { "{\"message\":{\"content\":\"he\"}}",
                                         "{\"error\":\"llama runner terminated\"}" };
    bool last;
    gr_value *err = sum_of(lines, 2, &last);

    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(err), "the server reported an error: llama runner terminated");
    gr_value_unref(err);
}

/* ---- embeddings ----------------------------------------------------------------------------- */

static gr_value *read_vectors(const char *text, size_t count)
{
    gr_value *v = json(text), *got = gri_ollama_vectors(v, count);

    gr_value_unref(v);
    return got;
}

Test(ollama_wire, what_are_no_vectors_is_refused)
{
    static const struct {
        const char *text;
        size_t count;
        const char *says;
    } wrong[] = {
        { "{\"embeddings\":[[1]]}", 2, "the answer has 1 embeddings for 2 texts" },
        { "{}", 1, "the answer has 0 embeddings for 1 texts" },
        { "{\"embeddings\":[[1],[\"x\"]]}", 2, "embeddings[1] is no vector" },
        { "{\"embeddings\":[3]}", 1, "embeddings[0] is no vector" },
        { "[]", 1, "the answer has 0 embeddings for 1 texts" },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gr_value *got = read_vectors(wrong[i].text, wrong[i].count);

        cr_assert_eq(gr_error_code(got), GR_EPROTO);
        cr_assert_str_eq(gr_error_text(got), wrong[i].says);
        gr_value_unref(got);
    }
}

Test(ollama_wire, one_vector_as_older_servers_have_it)
{
    gr_value *got = read_vectors("{\"embedding\":[1,2]}", 1);

    cr_assert_eq(gr_len(gr_at(got, 0)), 2);
    gr_value_unref(got);
}

/* ---- addresses ------------------------------------------------------------------------------- */

Test(ollama_wire, ollama_host_in_its_forms)
{
    static const char *const forms[][2] = {
        { "localhost", "http://localhost:11434" },
        { "localhost:1", "http://localhost:1" },
        { ":1", "http://127.0.0.1:1" },
        { "0.0.0.0", "http://127.0.0.1:11434" },
        { "0.0.0.0:1", "http://127.0.0.1:1" },
        { "[::]:1", "http://[::1]:1" },
        { "[::1]", "http://[::1]:11434" },
        { "[fe80::1]:5/", "http://[fe80::1]:5" },
        { "gpu/ollama", "http://gpu:11434/ollama" },
        { "gpu:5/ollama/", "http://gpu:5/ollama" },
        { "http://gpu", "http://gpu" },
        { "https://ollama.com/", "https://ollama.com" },
        { "http://0.0.0.0:11434", "http://127.0.0.1:11434" },
        { "", "http://127.0.0.1:11434" },
        { "[", "http://[:11434" },
        { "/", "http://127.0.0.1:11434" },
    };

    for (size_t i = 0; i < COUNT(forms); i++) {
        char *url = gri_ollama_url(forms[i][0]);

        cr_assert_str_eq(url, forms[i][1]);
        gri_free(url);
    }
}

static void read_all(void)
{
    static const char *const lines[] = {
        "{\"message\":{\"content\":\"h\",\"thinking\":\"m\",\"tool_calls\":[{\"function\":{"
        "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"logprobs\":[1]}",
        "{\"message\":{\"content\":\"\"},\"done\":true,\"eval_count\":4}"
    };
    bool last;

    for (size_t i = 0; i < COUNT(requests); i++)
        gr_value_unref(body_of(requests[i].settings, requests[i].messages));
    gr_value_unref(sum_of(lines, COUNT(lines), &last));
    gr_value_unref(read_answer("{\"message\":{\"content\":\"h\",\"tool_calls\":[{\"function\":{"
                               "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"eval_count\":1}"));
    gri_free(gri_ollama_url("localhost"));
    gr_value_unref(read_vectors("{\"embeddings\":[[1,2],[3,4]]}", 2));
    gr_value_unref(read_vectors("{\"embedding\":[1,2]}", 1));
    gr_value_unref(read_vectors("{\"embeddings\":[1]}", 1));
    gr_value_unref(read_vectors("{\"error\":\"no\"}", 1));
}

Test(ollama_wire, running_out_of_memory_leaves_nothing_behind)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), read_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}
