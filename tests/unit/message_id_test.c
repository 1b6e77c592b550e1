/* SPDX-License-Identifier: Apache-2.0 */
/* message_id_test.c - a model's messages are named after their run, as langchain-core names them. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/fault_server.h"
#include "tests/support/test.h"

#define GOOD                                                                                       \
    "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","        \
    "\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}"
#define EVENTS                                                                                      \
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n" \
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo.\"}}]}\n\n" \
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},"                          \
    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define RUNS 8

static gr_runtime *rt;
static struct fault_server *server;
static gr_value *err;

/* The ids of the runs of chat models, in the order in which they began. */
static char ids[RUNS][64];
static atomic_size_t id_count;

static void note(void *arg, const gr_event *event)
{
    size_t at;

    (void)arg;
    if (event->kind != GR_RUN_START || event->run->type != GR_TYPE_CHAT_MODEL)
        return;
    at = atomic_fetch_add(&id_count, 1);
    if (at < RUNS)
        snprintf(ids[at], sizeof(ids[at]), "%s", event->run->id);
}

static void start(void)
{
    err = NULL;
    setenv("no_proxy", "*", 1);
    atomic_store(&id_count, 0);
    server = fault_server_start();
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
    return gr_chat_model(gr_root(rt), GR_CHAT(.url = fault_server_url(server), .model = "openai:m",
                                              .key_env = "GR_TEST_NO_KEY", .max_retries = retries));
}

static gr_value *handlers(void)
{
    return gr_map(GR_KV("callbacks",
                        gr_list(gr_handler_value(GR_HANDLER(.name = "note", .on_event = note)))));
}

/* is_of tells whether a message is named after the run of that number. */
static bool is_of(const gr_value *message, size_t run, const char *end)
{
    char want[96];

    snprintf(want, sizeof(want), "lc_run--%s%s", ids[run], end);
    if (strcmp(gr_cstr(gr_get(message, "id"), ""), want) == 0)
        return true;
    fprintf(stderr, "got %s, want %s\n", gr_cstr(gr_get(message, "id"), gr_error_text(err)), want);
    return false;
}

static bool answers_with_its_run(gr_ref m, gr_value *config, size_t run)
{
    gr_value *got = gr_invoke(rt, m, gr_str("hi"), GR_CALL(.config = config), &err);
    bool same = is_of(got, run, "-0");

    gr_value_unref(got);
    return same;
}

Test(message_id, an_answer_has_its_runs, .init = start, .fini = stop)
{
    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    cr_assert(answers_with_its_run(model(-1), handlers(), 0));
    cr_assert(answers_with_its_run(model(2), handlers(), 1));
    cr_assert_eq(atomic_load(&id_count), 2u);
}

Test(message_id, the_servers_own_is_in_the_metadata, .init = start, .fini = stop)
{
    gr_value *got;

    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    got = gr_invoke(rt, model(-1), gr_str("hi"), NULL, &err);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(got, "response_metadata"), "id"), gr_error_text(err)),
                     "chatcmpl-1");
    cr_assert_eq(strncmp(gr_cstr(gr_get(got, "id"), ""), "lc_run--", 8), 0);
    gr_value_unref(got);
}

Test(message_id, attempts_are_one_run, .init = start, .fini = stop)
{
    fault_server_reply(server, "*", 500, "Retry-After-Ms: 1\r\n", "");
    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    cr_assert(answers_with_its_run(model(2), handlers(), 0));
    cr_assert_eq(atomic_load(&id_count), 1u);
}

Test(message_id, all_chunks_have_it, .init = start, .fini = stop)
{
    gr_ref models[] = { model(-1), model(2) };

    for (size_t i = 0; i < 2; i++) {
        gr_stream *s;
        gr_outcome o;
        size_t count = 0;

        fault_server_reply(server, "*", 200, "Content-Type: text/event-stream\r\n", EVENTS);
        s = gr_astream(rt, models[i], gr_str("hi"), GR_CALL(.config = handlers()));
        while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK) {
            cr_assert(is_of(o.value, i, ""));
            count++;
        }
        cr_assert_eq(o.code, GR_EOS, "%s", gr_error_text(o.error));
        cr_assert_gt(count, 2u);
        gr_stream_free(s);
    }
}

Test(message_id, within_a_chain_it_is_the_models_run, .init = start, .fini = stop)
{
    gr_scope *root = gr_root(rt);
    gr_ref bound = gr_bind(root, model(2), gr_map(GR_KV("stop", gr_str("END"))));
    gr_value *got, *sent;
    char *request;

    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    got = gr_invoke(rt, gr_seq(root, gr_passthrough(root), bound), gr_str("hi"),
                    GR_CALL(.config = handlers()), &err);
    cr_assert(is_of(got, 0, "-0"));
    gr_value_unref(got);
    request = fault_server_request(server, 0);
    sent = gr_json_parse(strstr(request, "\r\n\r\n") + 4, strlen(strstr(request, "\r\n\r\n") + 4),
                         NULL);
    cr_assert_eq(gr_len(sent), 3u, "model, messages and stop, and nothing of the run");
    gr_value_unref(sent);
    free(request);
}

Test(message_id, listeners_of_the_model_hear_of_the_same_run, .init = start, .fini = stop)
{
    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    cr_assert(answers_with_its_run(
        gr_with_listeners(gr_root(rt), model(2), GR_LISTENERS(.on_start = note)), NULL, 0));
}

Test(message_id, the_callers_run_id_counts_without_handlers, .init = start, .fini = stop)
{
    static const char id[] = "0199aaaa-0000-7000-8000-000000000001";
    gr_ref models[] = { model(-1), model(2) };

    for (size_t i = 0; i < 2; i++) {
        fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
        snprintf(ids[0], sizeof(ids[0]), "%s", id);
        cr_assert(answers_with_its_run(models[i], gr_map(GR_KV("run_id", gr_str(id))), 0));
    }
}

Test(message_id, each_of_a_batch_has_its_own, .init = start, .fini = stop)
{
    gr_value *got;
    bool second_first;

    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    fault_server_reply(server, "*", 200, JSON_TYPE, GOOD);
    got = gr_batch(rt, model(2), gr_list(gr_str("a"), gr_str("b")), GR_CALL(.config = handlers()),
                   &err);
    cr_assert_eq(atomic_load(&id_count), 2u);
    second_first = strstr(gr_cstr(gr_get(gr_at(got, 0), "id"), ""), ids[1]) != NULL;
    cr_assert(is_of(gr_at(got, 0), second_first, "-0"));
    cr_assert(is_of(gr_at(got, 1), !second_first, "-0"));
    gr_value_unref(got);
}
