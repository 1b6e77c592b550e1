/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_contract.h - what every client of a chat model must do, whichever provider's server it talks to.
 *
 * A test file says what that server sends, in a `static const struct chat_contract contract`, and
 * CHAT_CONTRACT(suite) makes the tests:
 *
 *     invoke and stream give the same, chunks of one id, the last of which says so; tool calls both ways;
 *     structured output; parameters arrive; cancelling and leaving close the transfer; a slow reader pauses
 *     the server; 429 and 500 are tried again, what is final isn't; what comes before a stream's first chunk is
 *     tried again, what comes later isn't; garbage, silence and too long an answer are errors; the key is
 *     told to nobody.
 */
#ifndef GR_TESTS_SUPPORT_CHAT_CONTRACT_H
#define GR_TESTS_SUPPORT_CHAT_CONTRACT_H

#include <greenroom/greenroom.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fault_server.h"
#include "tests/support/json_check.h"
#include "tests/support/test.h"

#define CONTRACT_KEY "canary-0123456789abcdef"

struct chat_contract {
    const char *model;       /* with its provider: "openai:m" */
    const char *stream_type; /* the content type of streams */
    const char *key_header;  /* what the key is sent in: "Authorization: Bearer " CONTRACT_KEY */
    /* An answer with the text "Hello world.", of 3 tokens in and 2 out, that ended well; and as a stream of
     * several chunks. */
    const char *hello, *hello_stream;
    /* A stream's beginning, up to where text comes; one piece of it, "abcdefgh"; its end. */
    const char *begin, *piece, *end;
    /* An answer that calls get_weather with {"city": "Oslo"}, and as a stream. */
    const char *call, *call_stream;
    const char *tool_sent; /* a text that is in a request with that tool */
    /* An answer whose text is {"name": "Ada"}, and a text in a request for it by json_schema. */
    const char *data, *data_sent;
    const char *call_data; /* an answer that calls person with {"name": "Ada"} */
    const char *error;     /* an error's body */
    const char *mid_error; /* an event of a stream that is an error */
    /* an error's body that repeats the key */
    const char *echo;
    const char *settings_sent
        [5]; /* texts in a request with temperature 0.5, max_tokens 7, stop "END", top_p 0.25 */
    bool responses; /* by the Responses API */
};

static gr_runtime *rt;
static struct fault_server *server;
static gr_value *err;
static const struct chat_contract contract;

/* ---- what is logged --------------------------------------------------------------------------- */

static pthread_mutex_t heard_lock = PTHREAD_MUTEX_INITIALIZER;
static char heard[65536];

static inline void hear(const char *text)
{
    pthread_mutex_lock(&heard_lock);
    if (strlen(heard) + strlen(text) + 2 < sizeof(heard)) {
        strcat(heard, text);
        strcat(heard, "\n");
    }
    pthread_mutex_unlock(&heard_lock);
}

static inline void hear_log(void *arg, int level, const char *text)
{
    (void)arg;
    (void)level;
    hear(text);
}

static inline void hear_value(const gr_value *v)
{
    char *text = gr_json_print(v, 0, NULL);

    hear(text == NULL ? "" : text);
    gr_free(text);
}

static inline void contract_start(void)
{
    err = NULL;
    heard[0] = '\0';
    setenv("no_proxy", "*", 1);
    setenv("GR_CONTRACT_KEY", CONTRACT_KEY, 1);
    gr_set_log(hear_log, NULL, 3);
    server = fault_server_start();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static inline void contract_stop(void)
{
    hear_value(err);
    gr_value_unref(err);
    gr_runtime_free(rt);
    fault_server_stop(server);
    gr_set_log(NULL, NULL, 0);
    cr_assert_null(strstr(heard, "canary"), "the key was told: %s", heard);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static inline gr_ref asker(int retries, int64_t idle_ms, size_t bytes_max)
{
    return gr_chat_model(gr_root(rt),
                         GR_CHAT(.url = fault_server_url(server), .model = contract.model,
                                 .key_env = "GR_CONTRACT_KEY", .max_retries = retries,
                                 .use_responses_api = contract.responses, .idle_ms = idle_ms,
                                 .answer_bytes_max = bytes_max));
}

static inline void answer_with(const char *body)
{
    fault_server_reply(server, "*", 200, "Content-Type: application/json\r\n", body);
}

static inline void stream_with(const char *body)
{
    char type[128];

    snprintf(type, sizeof(type), "Content-Type: %s\r\n", contract.stream_type);
    fault_server_reply(server, "*", 200, type, body);
}

/* plays adds a script for all paths; the server borrows it until it stops, which is after the test. */
static inline void plays(const struct fault_step *steps, size_t count)
{
    static struct fault_step kept[32];
    static size_t used;

    if (used + count > sizeof(kept) / sizeof(kept[0]))
        used = 0; /* a test has fewer */
    memcpy(kept + used, steps, count * sizeof(*steps));
    fault_server_script(server, "*", kept + used, count);
    used += count;
}

static inline const char *stream_head(void)
{
    static char head[256];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n",
             contract.stream_type);
    return head;
}

static inline gr_value *asked(gr_ref m)
{
    return gr_invoke(rt, m, gr_str("hi"), NULL, &err);
}

static inline gr_value *asked_by_stream(gr_ref m)
{
    gr_value *sum = gr_stream_take(gr_astream(rt, m, gr_str("hi"), NULL), &err);

    return sum == NULL ? NULL : gr_message_of_chunk(sum);
}

static inline bool was_sent(size_t index, const char *text)
{
    char *request = fault_server_request(server, index);
    bool is_there = request != NULL && strstr(request, text) != NULL;

    if (!is_there)
        fprintf(stderr, "no %s in %s\n", text, request == NULL ? "(no request)" : request);
    free(request);
    return is_there;
}

static inline const char *text_at(const gr_value *m, const char *key)
{
    return gr_cstr(gr_get(m, key), gr_error_text(err));
}

/* fails checks the error of what was asked last, and forgets it. */
static inline void fails(gr_value *got, gr_code code)
{
    cr_assert_null(got);
    cr_assert_eq(gr_error_code(err), code, "%s: %s", gr_code_name(gr_error_code(err)),
                 gr_error_text(err));
    hear_value(err);
    gr_value_unref(err);
    err = NULL;
}

/* ---- answers ----------------------------------------------------------------------------------- */

static inline void check_hello(const gr_value *m)
{
    const gr_value *usage = gr_get(m, "usage_metadata");
    gr_value *text = gr_message_text(m);

    cr_assert_str_eq(text_at(m, "type"), "ai");
    cr_assert_str_eq(gr_cstr(text, ""), "Hello world.");
    gr_value_unref(text);
    cr_assert_gt(gr_len(gr_get(m, "id")), 0);
    cr_assert_eq(gr_as_int(gr_get(usage, "input_tokens"), 0), 3);
    cr_assert_eq(gr_as_int(gr_get(usage, "output_tokens"), 0), 2);
    cr_assert_eq(gr_as_int(gr_get(usage, "total_tokens"), 0), 5);
    cr_assert_gt(gr_len(gr_get(gr_get(m, "response_metadata"), "model_name")), 0);
    cr_assert_gt(gr_len(gr_get(gr_get(m, "response_metadata"), "model_provider")), 0);
}

static inline void contract_stream_is_invoke(void)
{
    gr_ref m = asker(-1, 0, 0);
    gr_value *whole, *sum;

    answer_with(contract.hello);
    stream_with(contract.hello_stream);
    whole = asked(m);
    check_hello(whole);
    cr_assert(was_sent(0, contract.key_header));
    sum = asked_by_stream(m);
    check_hello(sum);
    cr_assert(gr_equal(gr_get(whole, "usage_metadata"), gr_get(sum, "usage_metadata")));
    cr_assert_null(gr_get(sum, "chunk_position"));
    gr_value_unref(whole);
    gr_value_unref(sum);
}

static inline void contract_chunks(void)
{
    gr_stream *s;
    gr_value *id = NULL;
    gr_outcome o;
    bool last = false;
    size_t count = 0;

    stream_with(contract.hello_stream);
    s = gr_astream(rt, asker(-1, 0, 0), gr_str("hi"), NULL);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK) {
        cr_assert_not(last, "nothing comes behind the last chunk");
        cr_assert_str_eq(text_at(o.value, "type"), "AIMessageChunk");
        cr_assert_gt(gr_len(gr_get(o.value, "id")), 0);
        last = strcmp(gr_cstr(gr_get(o.value, "chunk_position"), ""), "last") == 0;
        if (id == NULL)
            id = gr_value_ref(gr_get(o.value, "id"));
        cr_assert(gr_equal(gr_get(o.value, "id"), id), "all are of one message");
        count++;
    }
    cr_assert_eq(o.code, GR_EOS, "%s", gr_error_text(o.error));
    cr_assert(last);
    cr_assert_gt(count, 2);
    gr_value_unref(id);
    gr_stream_free(s);
}

static inline void contract_settings(void)
{
    gr_ref m =
        gr_bind(gr_root(rt), asker(-1, 0, 0),
                json("{\"temperature\":0.5,\"max_tokens\":7,\"stop\":\"END\",\"top_p\":0.25}"));

    answer_with(contract.hello);
    gr_value_unref(asked(m));
    cr_assert_null(err);
    for (size_t i = 0; i < 5 && contract.settings_sent[i] != NULL; i++)
        cr_assert(was_sent(0, contract.settings_sent[i]));
}

static inline void check_call(gr_value *m)
{
    const gr_value *call = gr_at(gr_get(m, "tool_calls"), 0);

    cr_assert_eq(gr_len(gr_get(m, "tool_calls")), 1, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(call, "name"), ""), "get_weather");
    cr_assert(is(gr_value_ref(gr_get(call, "args")), "{\"city\":\"Oslo\"}"));
    cr_assert_gt(gr_len(gr_get(call, "id")), 0);
    cr_assert_null(gr_get(m, "invalid_tool_calls"));
    gr_value_unref(m);
}

static inline void contract_tool_calls(void)
{
    gr_ref m = gr_bind(
        gr_root(rt), asker(-1, 0, 0),
        json(
            "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"of a city\","
            "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}],"
            "\"tool_choice\":\"any\"}"));

    answer_with(contract.call);
    stream_with(contract.call_stream);
    check_call(asked(m));
    cr_assert(was_sent(0, contract.tool_sent));
    check_call(asked_by_stream(m));
}

static inline void contract_structured(void)
{
    static const char schema[] =
        "{\"title\":\"person\",\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}}}";
    gr_ref m = asker(-1, 0, 0);
    gr_value *got;

    answer_with(contract.data);
    got = asked(gr_with_structured_output(gr_root(rt), m, json(schema),
                                          GR_STRUCTURED(.method = "json_schema")));
    cr_assert_str_eq(text_at(got, "name"), "Ada");
    cr_assert(was_sent(0, contract.data_sent));
    gr_value_unref(got);
    answer_with(contract.call_data);
    got = asked(gr_with_structured_output(gr_root(rt), m, json(schema), NULL));
    cr_assert_str_eq(text_at(got, "name"), "Ada");
    gr_value_unref(got);
}

/* ---- who leaves, who is slow -------------------------------------------------------------------- */

static inline void contract_cancelling(void)
{
    static const struct fault_step hang[] = { FAULT_HANG };
    gr_future *f;

    plays(hang, 1);
    f = gr_ainvoke(rt, asker(-1, 0, 0), gr_str("hi"), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 1));
    gr_future_cancel(f);
    fails(gr_take(f, &err), GR_ECANCELED);
    cr_assert(fault_server_wait_open(server, 0));
}

static inline void contract_leaving(void)
{
    const struct fault_step steps[] = { FAULT_TEXT(stream_head()), FAULT_TEXT(contract.begin),
                                        FAULT_TEXT(contract.piece), FAULT_HANG };
    gr_stream *s;

    plays(steps, 4);
    s = gr_astream(rt, asker(-1, 0, 0), gr_str("hi"), NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    cr_assert(fault_server_wait_open(server, 0));
}

static inline void contract_slow_reader(void)
{
    const struct fault_step steps[] = { FAULT_TEXT(stream_head()), FAULT_TEXT(contract.begin),
                                        FAULT_FLOOD(contract.piece, 60000),
                                        FAULT_TEXT(contract.end), FAULT_END };
    gr_stream *s;
    gr_outcome o;
    size_t bytes = 0;

    plays(steps, 5);
    s = gr_astream(rt, asker(-1, 0, (size_t)64 << 20), gr_str("hi"), NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    cr_assert(fault_server_wait(server, FAULT_STALLED, 1)); /* the server can't get rid of more */
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK) {
        gr_value *text = gr_message_text(o.value);

        bytes += gr_len(text);
        gr_value_unref(text);
    }
    cr_assert_eq(o.code, GR_EOS, "%s", gr_error_text(o.error));
    cr_assert_geq(bytes, 8 * 59999);
    cr_assert_leq(bytes, 8 * 60000);
    gr_stream_free(s);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static inline void contract_refusals(void)
{
    fault_server_reply(server, "*", 429,
                       "Content-Type: application/json\r\nRetry-After-Ms: 2500\r\n",
                       contract.error);
    fault_server_reply(server, "*", 429, "Retry-After-Ms: 1\r\n", contract.error);
    fault_server_reply(server, "*", 500, "Retry-After-Ms: 1\r\n", contract.error);
    fault_server_reply(server, "*", 200, "Content-Type: application/json\r\n", contract.hello);
    fault_server_reply(server, "*", 400, "Content-Type: application/json\r\n", contract.error);
    cr_assert_null(asked(asker(-1, 0, 0)));
    cr_assert_eq(gr_error_code(err), GR_ERATE, "%s", gr_error_text(err));
    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 2500);
    cr_assert_eq(gr_as_int(gr_get(err, "status"), 0), 429);
    gr_value_unref(err);
    err = NULL;

    gr_value *m = asked(asker(3, 0, 0)); /* 429, 500, and then it works */

    check_hello(m);
    gr_value_unref(m);
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 4);
    fails(asked(asker(3, 0, 0)), GR_EREMOTE); /* 400: once, and no more */
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 5);
}

static inline void contract_resets(void)
{
    const struct fault_step before[] = { FAULT_TEXT(stream_head()), FAULT_RST };
    const struct fault_step amid[] = { FAULT_TEXT(stream_head()), FAULT_TEXT(contract.begin),
                                       FAULT_TEXT(contract.piece), FAULT_GATE(1), FAULT_RST };
    gr_stream *s;
    gr_outcome o;
    gr_value *m;

    plays(before, 2);
    stream_with(contract.hello_stream);
    plays(amid, 5);
    m = asked_by_stream(asker(1, 0, 0)); /* nothing had come yet: tried again */
    check_hello(m);
    gr_value_unref(m);
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);

    s = gr_astream(rt, asker(3, 0, 0), gr_str("hi"), NULL);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    fault_server_open(server, 1);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        ;
    cr_assert_eq(o.code, GR_EUNREACH, "%s", gr_error_text(o.error));
    gr_stream_free(s);
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 3);
}

static inline void contract_garbage(void)
{
    const struct fault_step half[] = { FAULT_TEXT(stream_head()), FAULT_TEXT(contract.begin),
                                       FAULT_TEXT(contract.piece), FAULT_END };
    const struct fault_step no_json[] = { FAULT_TEXT(stream_head()),
                                          FAULT_TEXT("data: {oops\n\n{oops\n"), FAULT_END };
    const struct fault_step error[] = { FAULT_TEXT(stream_head()), FAULT_TEXT(contract.begin),
                                        FAULT_TEXT(contract.mid_error), FAULT_HANG };
    gr_ref m = asker(-1, 0, 0);

    answer_with("{oops");
    answer_with("{}");
    answer_with("[]");
    answer_with("");
    for (size_t i = 0; i < 4; i++)
        fails(asked(m), GR_EPROTO);
    plays(half, 4);
    fails(asked_by_stream(m), GR_EPROTO);
    plays(no_json, 3);
    fails(asked_by_stream(m), GR_EPROTO);
    plays(error, 4);
    fails(asked_by_stream(m), GR_EREMOTE);
    cr_assert(fault_server_wait_open(server, 0));
}

static inline void contract_limits(void)
{
    static const struct fault_step silent[] = { FAULT_HANG };
    const struct fault_step flood[] = {
        FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
        FAULT_FLOOD("aaaaaaaaaaaaaaaa", 1000000), FAULT_END
    };
    const struct fault_step stream_flood[] = { FAULT_TEXT(stream_head()),
                                               FAULT_TEXT(contract.begin),
                                               FAULT_FLOOD(contract.piece, 1000000), FAULT_END };

    plays(flood, 3);
    fails(asked(asker(-1, 0, 100000)), GR_ENOMEM);
    plays(stream_flood, 4);
    fails(asked_by_stream(asker(-1, 0, 100000)), GR_ENOMEM);
    plays(silent, 1);
    fails(asked(asker(-1, 100, 0)), GR_ETIMEDOUT);
    cr_assert(fault_server_wait_open(server, 0));
}

/* A tracer's events, the error, the log: the key is in none of them, though the server repeats it. */
static inline void contract_key(void)
{
    gr_stream *s;
    gr_outcome o;

    fault_server_reply(server, "*", 401, "Content-Type: application/json\r\n", contract.echo);
    fails(asked(asker(-1, 0, 0)), GR_EREMOTE);
    s = gr_astream_events(rt, asker(-1, 0, 0), gr_str("hi"), NULL, NULL);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        hear_value(o.value);
    hear_value(o.error);
    gr_stream_free(s);
    cr_assert(was_sent(0, contract.key_header));
    cr_assert(was_sent(1, contract.key_header));
}

#define CHAT_CONTRACT_TEST(suite, name)                                                            \
    Test(suite, name, .init = contract_start, .fini = contract_stop)                               \
    {                                                                                              \
        contract_##name();                                                                         \
    }
#define CHAT_CONTRACT(suite)                                                                       \
    CHAT_CONTRACT_TEST(suite, stream_is_invoke)                                                    \
    CHAT_CONTRACT_TEST(suite, chunks)                                                              \
    CHAT_CONTRACT_TEST(suite, settings)                                                            \
    CHAT_CONTRACT_TEST(suite, tool_calls)                                                          \
    CHAT_CONTRACT_TEST(suite, structured)                                                          \
    CHAT_CONTRACT_TEST(suite, cancelling)                                                          \
    CHAT_CONTRACT_TEST(suite, leaving)                                                             \
    CHAT_CONTRACT_TEST(suite, slow_reader)                                                         \
    CHAT_CONTRACT_TEST(suite, refusals)                                                            \
    CHAT_CONTRACT_TEST(suite, resets)                                                              \
    CHAT_CONTRACT_TEST(suite, garbage)                                                             \
    CHAT_CONTRACT_TEST(suite, limits)                                                              \
    CHAT_CONTRACT_TEST(suite, key)

#endif
