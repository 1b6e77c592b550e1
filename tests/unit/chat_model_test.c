/* SPDX-License-Identifier: Apache-2.0 */
/* chat_model_test.c - the chat model and the embedder against a server that does as it is told. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/fault_server.h"
#include "tests/support/test.h"

#define PATH "/v1/chat/completions"
#define SECRET "sk-very-secret"

static gr_runtime *rt;
static struct fault_server *server;
static char url[128];
static gr_value *err;

static void start(void)
{
    err = NULL;
    setenv("GR_TEST_KEY", SECRET, 1);
    server = fault_server_start();
    snprintf(url, sizeof(url), "%s/v1/", fault_server_url(server));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
    fault_server_stop(server);
}

static gr_ref model(int retries)
{
    return gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m1", .key_env = "GR_TEST_KEY",
                                              .max_retries = retries));
}

static const char good[] = "{\"id\":\"x\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"message\":"
                           "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                           "\"finish_reason\":\"stop\"}]}";

#define DELTA(text)                                                                                \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH                                                                                     \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"

Test(chat_model, asks_and_answers, .init = start, .fini = stop)
{
    gr_value *got;
    char *request;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    got = gr_invoke(rt, model(-1), gr_str("hi"), NULL, &err);
    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), "Hello.");
    gr_value_unref(got);
    request = fault_server_request(server, 0);
    cr_assert_not_null(strstr(request, "Authorization: Bearer " SECRET));
    cr_assert_not_null(strstr(request, "\"model\""));
    cr_assert_not_null(strstr(request, "\"user\""));
    cr_assert_null(strstr(request, "temperature"));
    free(request);
}

Test(chat_model, options_go_into_the_request, .init = start, .fini = stop)
{
    gr_ref m = gr_chat_model(gr_root(rt),
                             GR_CHAT(.url = url, .model = "m1", .key_env = "GR_TEST_NO_KEY",
                                     .temperature = &(double){ 0.5 }, .max_tokens = 7,
                                     .header_count = 1, .headers = &(gr_header){ "X-Mine", "yes" },
                                     .extra = gr_map(GR_KV("top_p", gr_real(0.25)))));
    char *request;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    request = fault_server_request(server, 0);
    cr_assert_not_null(strstr(request, "X-Mine: yes"));
    cr_assert_null(strstr(request, "Authorization"));
    cr_assert_not_null(strstr(request, "0.5"));
    cr_assert_not_null(strstr(request, "top_p"));
    cr_assert_not_null(strstr(request, "max_tokens"));
    free(request);
}

Test(chat_model, kwargs_go_into_the_request, .init = start, .fini = stop)
{
    gr_ref m = gr_bind(gr_root(rt), model(1), gr_map(GR_KV("stop", gr_str("STOP HERE"))));
    char *request;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    request = fault_server_request(server, 0);
    cr_assert_not_null(strstr(request, "STOP HERE"));
    free(request);
}

static bool answers_with(int status, const char *headers, const char *body, gr_code code,
                         const char *text)
{
    char *printed;
    gr_value *why = NULL, *got;
    bool as_wanted;

    fault_server_reply(server, PATH, status, headers, body);
    got = gr_invoke(rt, model(-1), gr_str("hi"), NULL, &why);
    printed = gr_json_print(why, 0, NULL);
    as_wanted = got == NULL && gr_error_code(why) == code &&
                strstr(gr_error_text(why), text) != NULL && strstr(printed, SECRET) == NULL;
    if (!as_wanted)
        fprintf(stderr, "got %s\n", printed);
    gr_free(printed);
    gr_value_unref(got);
    gr_value_unref(why);
    return as_wanted;
}

Test(chat_model, unauthorized_is_final, .init = start, .fini = stop)
{
    cr_assert(
        answers_with(401, "", "{\"error\":{\"message\":\"bad key\"}}", GR_EREMOTE, "bad key"));
}

Test(chat_model, bad_json_says_where, .init = start, .fini = stop)
{
    cr_assert(answers_with(200, "Content-Type: application/json\r\n", "{\"choices\":[", GR_EPROTO,
                           "line 1"));
}

Test(chat_model, a_rate_limit_says_how_long, .init = start, .fini = stop)
{
    gr_value *got;

    fault_server_reply(server, PATH, 429, "Retry-After: 2\r\n",
                       "{\"error\":{\"message\":\"slow\"}}");
    got = gr_invoke(rt, model(-1), gr_str("hi"), NULL, &err);
    cr_assert_null(got);
    cr_assert_eq(gr_error_code(err), GR_ERATE);
    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 2000);
    cr_assert_eq(gr_as_int(gr_get(err, "status"), 0), 429);
}

Test(chat_model, a_rate_limit_may_say_until_when, .init = start, .fini = stop)
{
    time_t then = time(NULL) + 500;
    struct tm tm;
    char header[128];
    int64_t wait;

    strftime(header, sizeof(header), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
             gmtime_r(&then, &tm));
    fault_server_reply(server, PATH, 429, header, "{}");
    cr_assert_null(gr_invoke(rt, model(-1), gr_str("hi"), NULL, &err));
    wait = gr_as_int(gr_get(err, "retry_after_ms"), 0);
    cr_assert_gt(wait, 0);
    cr_assert_leq(wait, 500000);
}

Test(chat_model, an_overload_is_tried_again, .init = start, .fini = stop)
{
    gr_value *got;

    fault_server_reply(server, PATH, 503, "Retry-After-Ms: 1\r\n", "{}");
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    got = gr_invoke(rt, model(1), gr_str("hi"), NULL, &err);
    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), "Hello.");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
    gr_value_unref(got);
}

Test(chat_model, attempts_after_the_first_say_how_many_there_were, .init = start, .fini = stop)
{
    char *request;

    fault_server_reply(server, PATH, 500, "Retry-After-Ms: 1\r\n", "");
    fault_server_reply(server, PATH, 500, "Retry-After-Ms: 1\r\n", "");
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, model(2), gr_str("hi"), NULL, &err));
    cr_assert_null(err);
    request = fault_server_request(server, 0);
    cr_assert_null(strstr(request, "X-Stainless-Retry-Count"));
    free(request);
    request = fault_server_request(server, 2);
    cr_assert_not_null(strstr(request, "X-Stainless-Retry-Count: 2\r\n"));
    cr_assert_null(strstr(request, "$retries"));
    free(request);
}

static const char *model_sent(const char *model, const char *provider, char *out, size_t size)
{
    gr_ref m = gr_chat_model(
        gr_root(rt), GR_CHAT(.url = url, .model = model, .provider = provider, .max_retries = -1));
    size_t before = fault_server_count(server, FAULT_REQUESTS);
    gr_value *why = NULL, *sent;
    char *request;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, m, gr_str("hi"), NULL, &why));
    snprintf(out, size, "%s", gr_error_text(why));
    gr_value_unref(why);
    if (why != NULL)
        return out;
    request = fault_server_request(server, before);
    sent = gr_json_parse(strstr(request, "\r\n\r\n") + 4, strlen(strstr(request, "\r\n\r\n") + 4),
                         NULL);
    snprintf(out, size, "%s", gr_cstr(gr_get(sent, "model"), "?"));
    gr_value_unref(sent);
    free(request);
    return out;
}

Test(chat_model, a_name_may_say_the_provider, .init = start, .fini = stop)
{
    char got[256];

    cr_assert_str_eq(model_sent("gpt-5", NULL, got, sizeof(got)), "gpt-5");
    cr_assert_str_eq(model_sent("openai:gpt-5", NULL, got, sizeof(got)), "gpt-5");
    cr_assert_str_eq(model_sent("llama3:8b", NULL, got, sizeof(got)), "llama3:8b");
    cr_assert_str_eq(model_sent("llama3:8b", "openai", got, sizeof(got)), "llama3:8b");
    cr_assert_str_eq(model_sent("openai:gpt-5", "openai", got, sizeof(got)), "gpt-5");
    cr_assert_str_eq(model_sent("openai:", NULL, got, sizeof(got)),
                     "ChatOpenAI needs the name of its model");
    cr_assert_not_null(
        strstr(model_sent("m", "nobody", got, sizeof(got)), "unknown provider 'nobody'"));
}

Test(chat_model, azure_takes_a_token_where_there_is_no_key, .init = start, .fini = stop)
{
    gr_ref m;
    char *request;

    setenv("AZURE_OPENAI_AD_TOKEN", SECRET, 1);
    m = gr_chat_model(gr_root(rt),
                      GR_CHAT(.url = fault_server_url(server), .model = "azure_openai:d",
                              .key_env = "GR_TEST_NO_KEY", .max_retries = -1));
    unsetenv("AZURE_OPENAI_AD_TOKEN");
    fault_server_reply(server, "*", 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    cr_assert_null(err);
    request = fault_server_request(server, 0);
    cr_assert_not_null(strstr(request, "Authorization: Bearer " SECRET "\r\n"));
    cr_assert_null(strstr(request, "api-key"));
    free(request);
}

Test(chat_model, nobody_there_is_unreachable, .init = start, .fini = stop)
{
    gr_ref m = gr_chat_model(
        gr_root(rt), GR_CHAT(.url = "http://127.0.0.1:1/v1", .model = "m", .max_retries = -1));

    cr_assert_null(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH, "%s", gr_error_text(err));
}

Test(chat_model, bad_options_give_broken_refs, .init = start, .fini = stop)
{
    gr_ref wrong[] = { gr_chat_model(gr_root(rt), NULL),
                       gr_chat_model(gr_root(rt), GR_CHAT(.url = "ftp://x", .model = "m")),
                       gr_chat_model(gr_root(rt),
                                     GR_CHAT(.url = url, .model = "m", .header_count = 1,
                                             .headers = &(gr_header){ "A", "b\r\nC: d" })) };

    for (size_t i = 0; i < 3; i++) {
        gr_value *why = NULL;

        cr_assert_null(gr_invoke(rt, wrong[i], gr_str("hi"), NULL, &why));
        cr_assert_eq(gr_error_code(why), GR_EINVAL, "%zu: %s", i, gr_error_text(why));
        gr_value_unref(why);
    }
}

Test(chat_model, streams_chunk_by_chunk, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD,
                                               FAULT_CHUNK(": ping\n\n" DELTA("Hel")),
                                               FAULT_GATE(0),
                                               FAULT_CHUNK(DELTA("lo") FINISH),
                                               FAULT_CHUNK("data: [DONE]\n\n"),
                                               FAULT_CHUNK(""),
                                               FAULT_END };
    gr_stream *s;
    gr_outcome o;
    gr_value *sum;

    fault_server_script(server, PATH, steps, sizeof(steps) / sizeof(steps[0]));
    s = gr_astream(rt, model(-1), gr_str("hi"), NULL);
    o = gr_next(s, TEST_WAIT_MS); /* before the server says any more */
    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    cr_assert_str_eq(gr_cstr(gr_get(o.value, "content"), ""), "Hel");
    sum = gr_value_ref(o.value);
    fault_server_open(server, 0);
    sum = gr_add(sum, gr_stream_take(s, &err));
    cr_assert_str_eq(gr_cstr(gr_get(sum, "content"), gr_error_text(err)), "Hello");
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(sum, "response_metadata"), "finish_reason"), ""),
                     "stop");
    gr_value_unref(sum);
}

/* ends_with reads a stream of the script to its end, which must be this error. */
static bool ends_with(const struct fault_step *steps, size_t count, gr_code code, const char *text)
{
    gr_value *why = NULL, *got;
    bool as_wanted;

    fault_server_script(server, PATH, steps, count);
    got = gr_stream_take(gr_astream(rt, model(-1), gr_str("hi"), NULL), &why);
    as_wanted =
        got == NULL && gr_error_code(why) == code && strstr(gr_error_text(why), text) != NULL;
    if (!as_wanted)
        fprintf(stderr, "got %d %s\n", (int)gr_error_code(why), gr_error_text(why));
    gr_value_unref(got);
    gr_value_unref(why);
    return as_wanted;
}

Test(chat_model, a_stream_that_is_cut_is_no_answer, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("Hel")),
                                               FAULT_CHUNK(""), FAULT_END };

    cr_assert(ends_with(steps, 4, GR_EPROTO, "stream ended early"));
}

Test(chat_model, a_connection_that_is_lost_is_unreachable, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("Hel")),
                                               FAULT_RST };

    cr_assert(ends_with(steps, 3, GR_EUNREACH, ""));
}

Test(chat_model, an_error_in_the_stream_is_raised, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = {
        FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("Hel")),
        FAULT_CHUNK("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"), FAULT_HANG
    };

    cr_assert(ends_with(steps, 4, GR_EREMOTE, "overloaded"));
}

Test(chat_model, no_json_in_the_stream_is_a_protocol_error, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK("data: {oops\n\n"),
                                               FAULT_HANG };

    cr_assert(ends_with(steps, 3, GR_EPROTO, "event 1 of the stream"));
}

Test(chat_model, leaving_a_stream_closes_the_transfer, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(DELTA("Hel")),
                                               FAULT_HANG };
    gr_stream *s;

    fault_server_script(server, PATH, steps, 3);
    s = gr_astream(rt, model(-1), gr_str("hi"), NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    cr_assert(fault_server_wait_open(server, 0));
}

Test(chat_model, cancelling_a_call_closes_the_transfer, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_HANG };
    gr_future *f;

    fault_server_script(server, PATH, steps, 1);
    f = gr_ainvoke(rt, model(-1), gr_str("hi"), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 1));
    gr_future_free(f);
    cr_assert(fault_server_wait_open(server, 0));
}

Test(chat_model, a_slow_reader_pauses_the_server, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: "
                                                          "text/event-stream\r\n\r\n"),
                                               FAULT_FLOOD(DELTA("abcdefgh"), 100000),
                                               FAULT_TEXT(FINISH), FAULT_END };
    gr_stream *s;
    gr_outcome o;
    size_t count;

    fault_server_script(server, PATH, steps, 4);
    s = gr_astream(rt, model(-1), gr_str("hi"), NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    cr_assert(fault_server_wait(server, FAULT_STALLED, 1)); /* the server can't get rid of more */
    for (count = 1; (o = gr_next(s, TEST_WAIT_MS)).code == GR_OK; count++)
        ;
    cr_assert_eq(o.code, GR_EOS, "after %zu: %d %s", count, (int)o.code, gr_error_text(o.error));
    cr_assert_eq(count,
                 100002); /* the deltas, the finish_reason, and the last one, which says so */
    gr_stream_free(s);
}

Test(chat_model, an_answer_above_its_limit_is_refused, .init = start, .fini = stop)
{
    static const struct fault_step steps[] = { FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Type: "
                                                          "application/json\r\n\r\n"),
                                               FAULT_FLOOD("aaaaaaaaaaaaaaaa", 1000000),
                                               FAULT_END };
    gr_ref m = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m", .max_retries = -1,
                                                  .answer_bytes_max = 100000));

    fault_server_script(server, PATH, steps, 3);
    cr_assert_null(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ENOMEM);
    cr_assert_not_null(strstr(gr_error_text(err), "above 100000 bytes"));
    cr_assert(fault_server_wait_open(server, 0));
}

Test(chat_model, a_server_that_cannot_stream_answers_in_one_chunk, .init = start, .fini = stop)
{
    gr_value *got;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    got = gr_stream_take(gr_astream(rt, model(-1), gr_str("hi"), NULL), &err);
    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), "Hello.");
    gr_value_unref(got);
}

Test(chat_model, embeds_in_batches, .init = start, .fini = stop)
{
    gr_ref e = gr_openai_embeddings(
        gr_root(rt), GR_EMBEDDINGS(.url = url, .model = "e", .batch = 2, .max_concurrency = 1));
    gr_value *list;

    fault_server_reply(
        server, "/v1/embeddings", 200, "Content-Type: application/json\r\n",
        "{\"data\":[{\"index\":1,\"embedding\":[2]},{\"index\":0,\"embedding\":[1]}]}");
    fault_server_reply(server, "/v1/embeddings", 200, "Content-Type: application/json\r\n",
                       "{\"data\":[{\"index\":0,\"embedding\":[3]}]}");
    list = gr_embed_documents(rt, e, gr_list(gr_str("a"), gr_str("b"), gr_str("c")), NULL, &err);
    cr_assert_eq(gr_len(list), 3, "%s", gr_error_text(err));
    for (size_t i = 0; i < 3; i++)
        cr_assert_float_eq(gr_as_floats(gr_at(list, i), NULL)[0], (float)i + 1, 0);
    gr_value_unref(list);
    list = gr_embed_query(rt, e, "q", NULL, &err);
    cr_assert_eq(gr_len(list), 1);
    gr_value_unref(list);
}

/* ---- limiter and cache ----------------------------------------------------------------------- */

Test(chat_model, a_limiter_grants_requests_and_hears_of_limits, .init = start, .fini = stop)
{
    gr_ref limiter = gr_rate_limiter(
        gr_root(rt), GR_RATE_LIMITER(.tokens_per_minute = 1e6, .starts_full = true));
    gr_ref m = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m1", .max_retries = -1,
                                                  .max_tokens = 100, .limiter = limiter));
    gr_value *got, *stats = NULL;

    fault_server_reply(server, PATH, 200,
                       "Content-Type: application/json\r\nx-ratelimit-remaining-requests: 3\r\n"
                       "x-ratelimit-reset-requests: 1h\r\nx-ratelimit-remaining-tokens: 5\r\n"
                       "x-ratelimit-reset-tokens: 1ms\r\n",
                       good);
    got = gr_invoke(rt, m, gr_str("hi"), NULL, &err);
    cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), "Hello.");
    cr_assert_null(gr_get(gr_get(got, "response_metadata"), "x-ratelimit-remaining-requests"));
    gr_value_unref(got);
    for (int i = 0; i < 2000; i++) { /* it is told, not called */
        stats = gr_do(rt, limiter, "stats", gr_nil(), NULL, NULL);
        if (!gr_is_nil(gr_get(stats, "requests")))
            break;
        gr_value_unref(stats);
        stats = NULL;
        gr_sleep(rt, 1);
    }
    cr_assert_float_eq(gr_as_real(gr_get(stats, "requests"), -1), 3, 1e-9);
    cr_assert_eq(gr_as_int(gr_get(stats, "granted"), 0), 1);
    gr_value_unref(stats);
}

Test(chat_model, each_attempt_asks_the_limiter, .init = start, .fini = stop)
{
    gr_ref limiter = gr_rate_limiter(gr_root(rt), NULL);
    gr_ref m = gr_chat_model(
        gr_root(rt), GR_CHAT(.url = url, .model = "m1", .max_retries = 1, .limiter = limiter));
    gr_value *stats;

    fault_server_reply(server, PATH, 503, "retry-after-ms: 1\r\n", "");
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    gr_value_unref(gr_invoke(rt, m, gr_str("hi"), NULL, &err));
    cr_assert_null(err, "%s", gr_error_text(err));
    stats = gr_do(rt, limiter, "stats", gr_nil(), NULL, NULL);
    cr_assert_eq(gr_as_int(gr_get(stats, "granted"), 0), 2);
    gr_value_unref(stats);
}

Test(chat_model, a_cache_answers_for_the_server, .init = start, .fini = stop)
{
    gr_ref cache = gr_response_cache(gr_root(rt), gr_memory_byte_store(gr_root(rt), NULL), NULL);
    gr_ref m = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m1", .cache = cache));
    gr_ref warm = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m1", .cache = cache,
                                                     .temperature = &(double){ 1 }));
    gr_ref beta = gr_chat_model(gr_root(rt), GR_CHAT(.url = url, .model = "m1", .cache = cache,
                                                     .headers = (gr_header[]){ { "x-beta", "1" } },
                                                     .header_count = 1));
    gr_value *got;

    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    for (int i = 0; i < 3; i++) {
        got = gr_invoke(rt, m, gr_str("hi"), NULL, &err);
        cr_assert_str_eq(gr_cstr(gr_get(got, "content"), gr_error_text(err)), "Hello.");
        gr_value_unref(got);
    }
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 1);
    gr_value_unref(gr_invoke(rt, warm, gr_str("hi"), NULL, &err));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
    gr_value_unref(gr_invoke(rt, beta, gr_str("hi"), NULL, &err));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 3, "headers decide, too");
}
