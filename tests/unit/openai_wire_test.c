/* SPDX-License-Identifier: Apache-2.0 */
/* openai_wire_test.c - requests, answers, deltas, errors and embeddings of OpenAI-compatible
 * servers. */
#include "actors/model/openai_wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/embed/openai_vectors.h"
#include "tests/support/json_check.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

/* read applies one of the readers to a text. */
static gr_value *read_answer(const char *text)
{
    gr_value *v = json(text), *m = gri_openai_answer(v);

    gr_value_unref(v);
    return m;
}

static gr_value *read_event(struct gri_openai_stream *s, const char *text, bool *finished)
{
    gr_value *v = json(text), *m = gri_openai_event(s, "message", v, finished);

    gr_value_unref(v);
    return m;
}

static gr_value *refuse(int status, const char *body, int64_t retry_after_ms)
{
    return gri_openai_refusal(&(struct gri_refusal){
        .status = status, .body = body, .len = strlen(body), .retry_after_ms = retry_after_ms });
}

static gr_value *read_vectors(const char *text, size_t count)
{
    gr_value *v = json(text), *m = gri_openai_vectors(v, count);

    gr_value_unref(v);
    return m;
}

Test(openai_wire, requests_have_openai_roles)
{
    gr_value *messages =
        json("[{\"type\":\"system\",\"content\":\"be\"},{\"type\":\"human\",\"content\":\"hi\"},"
             "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{\"a\":1},"
             "\"id\":\"c1\",\"type\":\"tool_call\"}]},"
             "{\"type\":\"tool\",\"content\":\"4\",\"tool_call_id\":\"c1\"}]");
    gr_value *wire = gri_openai_messages(messages);

    cr_assert_str_eq(gr_cstr(gr_get(gr_at(wire, 0), "role"), ""), "system");
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(wire, 1), "role"), ""), "user");
    cr_assert(gr_is_nil(gr_get(gr_at(wire, 2), "content")));
    const gr_value *call = gr_at(gr_get(gr_at(wire, 2), "tool_calls"), 0);
    gr_value *args = json(gr_cstr(gr_get(gr_get(call, "function"), "arguments"), ""));

    cr_assert(is(args, "{\"a\":1}"));
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(wire, 3), "tool_call_id"), ""), "c1");
    gr_value_unref(wire);
    gr_value_unref(messages);
}

Test(openai_wire, the_longest_answer_has_its_own_name_at_openai)
{
    gr_value *messages = gr_messages_coerce(gr_str("hi")), *params = json("{\"max_tokens\":3}");
    struct gri_model_ask ask = { .messages = messages, .params = params };
    gr_value *body;

    ask.url = "https://api.openai.com/v1/chat/completions";
    body = gri_openai_request(&ask);
    cr_assert_eq(gr_as_int(gr_get(body, "max_completion_tokens"), 0), 3);
    cr_assert_null(gr_get(body, "max_tokens"));
    gr_value_unref(body);
    ask.url = "https://eu.api.openai.com/v1/chat/completions";
    body = gri_openai_request(&ask);
    cr_assert_eq(gr_as_int(gr_get(body, "max_completion_tokens"), 0), 3, "a region's");
    gr_value_unref(body);
    ask.url = "https://not-api.openai.com/v1/chat/completions";
    body = gri_openai_request(&ask);
    cr_assert_eq(gr_as_int(gr_get(body, "max_tokens"), 0), 3, "somebody else's");
    gr_value_unref(body);
    ask.url = "https://api.openai.com.example/v1/chat/completions";
    body = gri_openai_request(&ask);
    cr_assert_eq(gr_as_int(gr_get(body, "max_tokens"), 0), 3);
    gr_value_unref(body);
    gr_value_unref(params);
    gr_value_unref(messages);
}

Test(openai_wire, answers_become_ai_messages)
{
    cr_assert(
        is(read_answer("{\"id\":\"x1\",\"model\":\"m\",\"new_field\":1,\"choices\":[{\"index\":0,"
                       "\"message\":{\"role\":\"assistant\",\"content\":\"hi\",\"refusal\":null},"
                       "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
                       "\"completion_tokens\":4,\"total_tokens\":7,"
                       "\"prompt_tokens_details\":{\"cached_tokens\":1}}}"),
           "{\"type\":\"ai\",\"content\":\"hi\",\"response_metadata\":"
           "{\"model_provider\":\"openai\",\"model_name\":\"m\",\"id\":\"x1\","
           "\"finish_reason\":\"stop\"},\"usage_metadata\":{\"input_tokens\":3,"
           "\"output_tokens\":4,\"total_tokens\":7,\"input_token_details\":"
           "{\"cache_read\":1}}}"));
}

Test(openai_wire, null_content_with_tool_calls_is_legal)
{
    cr_assert(is(read_answer("{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":"
                             "\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                             "\"arguments\":\"{}\"}}]}}]}"),
                 "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"args\":{},"
                 "\"id\":\"c\",\"type\":\"tool_call\"}],\"response_metadata\":"
                 "{\"model_provider\":\"openai\"}}"));
}

Test(openai_wire, what_is_no_answer_is_a_protocol_error)
{
    static const char *const wrong[] = {
        "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "3", "{\"choices\":{\"message\":1}}"
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gr_value *m = read_answer(wrong[i]);

        cr_assert_eq(gr_error_code(m), GR_EPROTO, "%s", wrong[i]);
        gr_value_unref(m);
    }
}

Test(openai_wire, deltas_add_up_to_the_answer)
{
    static const char *const deltas[] = {
        "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"
        ",\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"zzz\"}",
        "{\"id\":\"x\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}},"
        "{\"index\":0,\"delta\":{\"content\":\"he\"}}]}",
        "{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"llo\"}}]}",
        "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
        "\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}}]}}]}",
        "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
        "\"id\":null,\"function\":{\"name\":\"\",\"arguments\":\"\\\":1}\"}}]}}]}",
        "{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},"
        "\"finish_reason\":\"tool_calls\"}]}",
        "{\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
        "\"total_tokens\":3}}",
    };
    struct gri_openai_stream stream = { 0 };
    gr_value *sum = NULL;
    bool finished = false;

    for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
        gr_value *chunk = read_event(&stream, deltas[i], &finished);

        cr_assert_eq(gr_error_code(chunk), GR_OK, "%s", gr_error_text(chunk));
        cr_assert_eq(finished, i >= 5);
        if (gr_is_nil(chunk))
            gr_value_unref(chunk);
        else
            sum = gr_add(sum, chunk);
    }
    sum = gr_add(sum, gri_openai_end(&stream));
    gri_openai_drop(&stream);
    sum = gr_message_of_chunk(sum);
    cr_assert_str_eq(gr_cstr(gr_get(sum, "type"), ""), "ai");
    cr_assert_str_eq(gr_cstr(gr_get(sum, "content"), ""), "hello");
    cr_assert_eq(gr_as_int(gr_get(gr_get(sum, "usage_metadata"), "total_tokens"), 0), 3);
    const gr_value *call = gr_at(gr_get(sum, "tool_calls"), 0);

    cr_assert_str_eq(gr_cstr(gr_get(call, "name"), ""), "f");
    cr_assert_eq(gr_as_int(gr_get(gr_get(call, "args"), "a"), 0), 1);
    cr_assert_eq(gr_len(gr_get(sum, "tool_calls")), 1);
    gr_value_unref(sum);
}

Test(openai_wire, empty_chunks_say_nothing_and_errors_are_raised)
{
    struct gri_openai_stream stream = { 0 };
    bool finished = false;
    gr_value *chunk =
        read_event(&stream, "{\"choices\":[],\"prompt_filter_results\":[]}", &finished);

    cr_assert(gr_is_nil(chunk));
    chunk = read_event(&stream, "{\"error\":{\"message\":\"too busy\",\"type\":\"server_error\"}}",
                       &finished);
    cr_assert_eq(gr_error_code(chunk), GR_EREMOTE);
    cr_assert_not_null(strstr(gr_error_text(chunk), "too busy"));
    gr_value_unref(chunk);
    chunk =
        read_event(&stream, "{\"object\":\"error\",\"message\":\"old\",\"code\":503}", &finished);
    cr_assert_eq(gr_as_int(gr_get(chunk, "status"), 0), 503);
    gr_value_unref(chunk);
    chunk = read_event(&stream, "[1]", &finished);
    cr_assert_eq(gr_error_code(chunk), GR_EPROTO);
    gr_value_unref(chunk);
    cr_assert_not(finished);
}

static bool error_is(int status, const char *body, gr_code code, const char *kind, const char *text,
                     bool retryable)
{
    gr_value *err = refuse(status, body, status == 429 ? 1500 : -1);
    bool same = gr_error_code(err) == code && gr_as_int(gr_get(err, "status"), 0) == status &&
                strcmp(gr_cstr(gr_get(err, "kind"), ""), kind) == 0 &&
                strstr(gr_error_text(err), text) != NULL && gr_error_retryable(err) == retryable;

    if (!same)
        fprintf(stderr, "code %d kind %s text %s retryable %d\n", (int)gr_error_code(err),
                gr_cstr(gr_get(err, "kind"), ""), gr_error_text(err), gr_error_retryable(err));
    gr_value_unref(err);
    return same;
}

Test(openai_wire, errors_say_status_kind_and_whether_to_retry)
{
    cr_assert(error_is(401, "{\"error\":{\"message\":\"bad key\",\"code\":\"invalid_api_key\"}}",
                       GR_EREMOTE, "invalid_api_key", "bad key", false));
    cr_assert(error_is(404, "{\"error\":{\"message\":\"no\",\"code\":\"model_not_found\"}}",
                       GR_EREMOTE, "model_not_found", "no", false));
    cr_assert(error_is(400,
                       "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\","
                       "\"code\":null}}",
                       GR_EREMOTE, "invalid_request_error", "m", false));
    cr_assert(error_is(403, "", GR_EREMOTE, "PermissionDenied", "PermissionDenied", false));
    cr_assert(error_is(429, "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}",
                       GR_ERATE, "rate_limit_exceeded", "slow", true));
    cr_assert(error_is(429,
                       "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\","
                       "\"code\":\"insufficient_quota\"}}",
                       GR_ERATE, "insufficient_quota", "pay", false));
    cr_assert(error_is(503, "<html>busy</html>", GR_EREMOTE, "InternalServer", "<html>busy", true));
    cr_assert(error_is(529, "{}", GR_EREMOTE, "Overloaded", "", true));
    cr_assert(
        error_is(409, "{\"error\":\"text only\"}", GR_EREMOTE, "Conflict", "text only", true));
    cr_assert(error_is(400,
                       "{\"object\":\"error\",\"message\":\"old vllm\",\"type\":\"BadRequest\","
                       "\"code\":400}",
                       GR_EREMOTE, "BadRequest", "old vllm", false));
    cr_assert(error_is(500, "\xff\xfe", GR_EREMOTE, "InternalServer", "InternalServer", true));
}

Test(openai_wire, retry_after_is_kept)
{
    gr_value *err = refuse(429, "{}", 1500);

    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 1500);
    gr_value_unref(err);
}

Test(openai_wire, vectors_come_in_order_of_index)
{
    gr_value *v = read_vectors("{\"data\":[{\"index\":1,\"embedding\":[1,2.5]},"
                               "{\"index\":0,\"embedding\":\"AACAPwAAAEA=\"}]}",
                               2);
    size_t dim = 0;
    const float *x = gr_as_floats(gr_at(v, 0), &dim);

    cr_assert_eq(gr_error_code(v), GR_OK, "%s", gr_error_text(v));
    cr_assert_eq(dim, 2);
    cr_assert_float_eq(x[0], 1.0f, 0);
    cr_assert_float_eq(x[1], 2.0f, 0);
    x = gr_as_floats(gr_at(v, 1), &dim);
    cr_assert_float_eq(x[1], 2.5f, 0);
    gr_value_unref(v);
}

Test(openai_wire, wrong_vectors_are_protocol_errors)
{
    static const char *const wrong[] = {
        "{}",
        "{\"data\":[]}",
        "{\"data\":[{\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":2,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":-1,\"embedding\":[1]}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":\"A*==\"}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AAAA\"}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":[\"1\"]}]}",
        "{\"data\":[{\"embedding\":[1]},{}]}",
        /* no base64: a digit alone, padding that pads nothing */
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":\"A\"}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AACAPw====\"}]}",
        /* no numbers: infinity in both forms */
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AACAfw==\"}]}",
        "{\"data\":[{\"embedding\":[1]},{\"embedding\":[1e39]}]}",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gr_value *v = read_vectors(wrong[i], 2);

        cr_assert_eq(gr_error_code(v), GR_EPROTO, "%s", wrong[i]);
        gr_value_unref(v);
    }
}

static void read_all(void)
{
    struct gri_openai_stream stream = { 0 };
    bool finished = false;
    gr_value *m = gr_messages_coerce(gr_str("hi")), *params;

    gr_value_unref(gri_openai_messages(m));
    gr_value_unref(m);
    m = json(
        "[{\"type\":\"human\",\"content\":[\"a\",{\"type\":\"image\",\"base64\":\"QUJD\",\"mime_type\":"
        "\"image/png\"},{\"type\":\"audio\",\"base64\":\"QUJD\",\"mime_type\":\"audio/mpeg\"},{\"type\":\"file\","
        "\"base64\":\"QUJD\"},{\"type\":\"file\",\"file_id\":\"f\"}]},{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":"
        "[{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"c\"}]}]");
    params = json("{\"model\":\"m\",\"tool_choice\":\"f\",\"max_tokens\":3,\"seed\":null}");
    gr_value_unref(gri_openai_request(&(struct gri_model_ask){
        .messages = m, .params = params, .url = "https://api.openai.com/v1", .stream = true }));
    gr_value_unref(params);
    gr_value_unref(m);
    gr_value_unref(read_answer("{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"a\","
                               "\"refusal\":\"r\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
                               "\"arguments\":\"{\"}}]}}],\"usage\":{\"prompt_tokens\":1}}"));
    gr_value_unref(read_event(&stream,
                              "{\"id\":\"x\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,"
                              "\"function\":{\"arguments\":{\"a\":1}}}]},\"finish_reason\":\"s\"}],"
                              "\"usage\":{\"prompt_tokens\":1}}",
                              &finished));
    gr_value_unref(gri_openai_end(&stream));
    gri_openai_drop(&stream);
    gr_value_unref(refuse(429, "{\"error\":{\"message\":\"m\"}}", 5));
    gr_value_unref(read_vectors("{\"data\":[{\"embedding\":\"AACAPw==\"}]}", 1));
}

Test(openai_wire, no_allocation_is_trusted)
{
    long before = test_memory_live();

    for (long n = 1; test_memory_fail_at(n), read_all(), test_memory_reached(); n++)
        cr_assert_eq(test_memory_live(), before, "after allocation %ld", n);
}
