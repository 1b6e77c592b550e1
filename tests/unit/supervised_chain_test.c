/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervised_chain_test.c - chains whose models and stores are supervised: a fault in the midst of
 * a call is an error that may be retried, the supervisor brings a new incarnation, and gr_with_retry
 * rides over it. Each test has a runtime of its own (gr_runtime_new).
 */
#include <greenroom/greenroom.h>

#include "tests/support/crew.h"
#include "tests/support/fault_server.h"

TestSuite(supervised_chain, .init = engine_up, .fini = engine_down, .timeout = 100);

#define PATH "/v1/chat/completions"

static const gr_named_opts wait_for_it = { .size = sizeof(wait_for_it), .wait_ms = TEST_WAIT_MS };

/* patient makes a runnable that tries again and again, and waits for the child meanwhile. */
static gr_ref patient(gr_ref sup, const char *id)
{
    return gr_with_retry(root, gr_child(root, sup, id, &wait_for_it),
                         GR_RETRY(.attempts = 5, .backoff_ms = 1, .jitter_ms = -1));
}

/* child_ref tells who is the child now. */
static gr_ref child_ref(gr_ref sup, const char *id)
{
    gr_value *v = gr_do(rt, sup, "child", gr_map(GR_KV("id", gr_str(id))), NULL, NULL);
    gr_ref ref = gr_as_ref(v);

    gr_value_unref(v);
    return ref;
}

/* text_is compares an answer's text. */
static void text_is(gr_future *f, const char *expected)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    const gr_value *text = gr_get(o.value, "content");

    cr_assert_eq(o.code, GR_OK, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    cr_assert_str_eq(gr_cstr(text != NULL ? text : o.value, "?"), expected);
    gr_future_free(f);
}

/* ---- a model of one's own -------------------------------------------------------------------- */

/* What it does with a call, by how often it was called in all its incarnations. */
static struct {
    _Atomic int calls, lives;
    int hang_at, crash_at;
} moody;

static gr_code moody_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    moody.lives++;
    return GR_OK;
}

static gr_value *moody_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    int call = ++moody.calls;

    (void)self;
    if (call == moody.hang_at)
        gr_sleep(gr_runtime_of(c), 600000);
    if (call == moody.crash_at)
        return gr_exit(c, gr_error(GR_EUNREACH, "the connection is in pieces"));
    return gr_strf("%s!", gr_cstr(args, "?"));
}

static const gr_method moody_methods[] = { { "invoke", GR_ASYNC, moody_invoke, NULL } };
static const gr_class moody_class =
    GR_CLASS(.name = "moody", .state_size = 8, .init = moody_init, GR_METHODS(moody_methods));

static gr_ref moody_supervisor(int hang_at, int crash_at)
{
    gr_child_spec spec = GR_CHILD(.id = "model", .cls = &moody_class);

    moody.calls = moody.lives = 0;
    moody.hang_at = hang_at;
    moody.crash_at = crash_at;
    return gr_supervisor(root, GR_SUPERVISOR(.intensity = 10, .children = &spec, .child_count = 1));
}

Test(supervised_chain, a_model_is_killed_in_the_midst_of_a_call)
{
    gr_ref sup = moody_supervisor(1, 0);
    gr_ref chain =
        gr_seq(root, gr_prompt(root, "Hello, {name}"), patient(sup, "model"), gr_str_parser(root));
    gr_future *f = gr_ainvoke(rt, chain, gr_map(GR_KV("name", gr_str("Ada"))), NULL);

    until(moody.calls == 1);
    gr_exit_to(rt, child_ref(sup, "model"), gr_str("kill"));
    text_is(f, "Hello, Ada!");
    cr_assert_eq(moody.calls, 2);
    cr_assert_eq(moody.lives, 2);
}

Test(supervised_chain, without_a_retry_the_call_fails_and_says_so)
{
    gr_ref sup = moody_supervisor(1, 0);
    gr_future *f = gr_ainvoke(rt, gr_child(root, sup, "model", &wait_for_it), gr_str("x"), NULL);
    gr_outcome o;

    until(moody.calls == 1);
    gr_exit_to(rt, child_ref(sup, "model"), gr_str("kill"));
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EBROKEN);
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "detail"), "?"), "killed");
    cr_assert(gr_error_retryable(o.error));
    gr_future_free(f);
}

Test(supervised_chain, a_model_crashes_and_the_calls_in_its_mailbox_go_on)
{
    gr_ref sup = moody_supervisor(0, 3);
    gr_ref chain = patient(sup, "model");
    gr_future *fs[10];

    for (int i = 0; i < 10; i++)
        fs[i] = gr_ainvoke(rt, chain, gr_strf("%d", i), NULL);
    for (int i = 0; i < 10; i++) {
        char expected[8];

        snprintf(expected, sizeof(expected), "%d!", i);
        text_is(fs[i], expected);
    }
    cr_assert_eq(moody.lives, 2);
    cr_assert_geq(moody.calls, 11);
}

Test(supervised_chain, a_model_that_keeps_crashing_ends_in_an_error)
{
    gr_child_spec spec = GR_CHILD(.id = "model", .cls = &moody_class);
    gr_ref sup;
    gr_future *ended;

    moody.calls = moody.lives = moody.hang_at = 0;
    sup = gr_supervisor(root, GR_SUPERVISOR(.children = &spec, .child_count = 1));
    ended = gr_ended(rt, sup);
    up(sup);
    for (int i = 1; i <= 2; i++) { /* one restart is allowed */
        gr_future *f;

        moody.crash_at = i;
        f = gr_ainvoke(rt, gr_child(root, sup, "model", &wait_for_it), gr_str("x"), NULL);
        cr_assert_eq(code_of(f), GR_EUNREACH);
    }
    over(ended, "shutdown");
    cr_assert_eq(moody.lives, 2);
}

/* ---- the client of a model's server ---------------------------------------------------------- */

static const char good[] = "{\"id\":\"x\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"message\":"
                           "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                           "\"finish_reason\":\"stop\"}]}";

static gr_ref start_chat(gr_scope *in, void *arg, const gr_value *args)
{
    (void)args;
    return gr_chat_model(
        in, GR_CHAT(.url = arg, .model = "m1", .key_env = "GR_TEST_NO_KEY", .max_retries = -1));
}

/* client makes a supervised client of the server, whose url it keeps. */
static gr_ref client(struct fault_server *server)
{
    static char url[128];
    gr_child_spec spec = GR_CHILD(.id = "chat", .start = start_chat, .arg = url);

    snprintf(url, sizeof(url), "%s/v1/", fault_server_url(server));
    return gr_supervisor(root, GR_SUPERVISOR(.intensity = 10, .children = &spec, .child_count = 1));
}

Test(supervised_chain, a_client_is_killed_while_the_server_hangs)
{
    static const struct fault_step hang_up[] = { FAULT_HANG };
    struct fault_server *server = fault_server_start();
    gr_ref sup = client(server), first;
    gr_future *f;

    fault_server_script(server, PATH, hang_up, 1);
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    f = gr_ainvoke(rt, patient(sup, "chat"), gr_str("hi"), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 1));
    first = child_ref(sup, "chat");
    gr_exit_to(rt, first, gr_str("kill"));
    text_is(f, "Hello.");
    cr_assert_neq(child_ref(sup, "chat").id, first.id);
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
    cr_assert_eq(count_of(sup, "restarts"), 1);
    engine_down(); /* its connections first */
    fault_server_stop(server);
    engine_up();
}

Test(supervised_chain, a_server_that_breaks_off_needs_no_restart)
{
    static const struct fault_step reset[] = { FAULT_TEXT("HTTP/1.1 200 OK\r\nContent-Length: "
                                                          "100\r\n\r\nhalf"),
                                               { FAULT_OP_RST, "", 0, 0 } };
    struct fault_server *server = fault_server_start();
    gr_ref sup = client(server);

    fault_server_script(server, PATH, reset, 2);
    fault_server_reply(server, PATH, 200, "Content-Type: application/json\r\n", good);
    text_is(gr_ainvoke(rt, patient(sup, "chat"), gr_str("hi"), NULL), "Hello.");
    cr_assert_eq(count_of(sup, "restarts"), 0);
    engine_down();
    fault_server_stop(server);
    engine_up();
}

Test(supervised_chain, a_stream_breaks_with_its_model)
{
    static const struct fault_step half[] = {
        FAULT_STREAM_HEAD,
        FAULT_CHUNK("data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                    "\"Hel\"}}]}\n\n"),
        FAULT_HANG
    };
    struct fault_server *server = fault_server_start();
    gr_ref sup = client(server);
    gr_stream *s;
    gr_outcome o;

    fault_server_script(server, PATH, half, 3);
    s = gr_astream(rt, gr_child(root, sup, "chat", &wait_for_it), gr_str("hi"), NULL);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK);
    gr_exit_to(rt, child_ref(sup, "chat"), gr_str("kill"));
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        ;
    cr_assert_eq(o.code, GR_EBROKEN, "%s", gr_code_name(o.code));
    cr_assert(gr_error_retryable(o.error));
    gr_stream_free(s);
    engine_down();
    fault_server_stop(server);
    engine_up();
}

/* ---- a store, and who fills it --------------------------------------------------------------- */

static gr_ref start_store(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg, (void)args;
    return gr_memory_store(in, gr_hash_embeddings(in, 64));
}

static _Atomic int fillings;

/* The filler comes after the store: with GR_REST_FOR_ONE a new store is filled again. */
static gr_code filler_init(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *err = NULL;
    gr_code rc;

    (void)self;
    gr_value_unref(gr_add_texts(gr_runtime_of(c), gr_as_ref(args),
                                gr_list(gr_str("Tea is hot."), gr_str("Ice is cold.")), NULL, NULL,
                                NULL, &err));
    rc = err != NULL ? gr_fail(c, err) : GR_OK;
    fillings += rc == GR_OK;
    return rc;
}

static const gr_class filler_class =
    GR_CLASS(.name = "filler", .state_size = 8, .init = filler_init);

static gr_ref start_filler(gr_scope *in, void *arg, const gr_value *args)
{
    gr_ref *store = arg;

    (void)args;
    return gr_spawn(in, &filler_class, GR_SPAWN(.args = gr_ref_value(*store)));
}

Test(supervised_chain, a_store_is_killed_and_filled_again)
{
    static gr_ref store;
    gr_child_spec specs[] = { GR_CHILD(.id = "store", .start = start_store),
                              GR_CHILD(.id = "filler", .start = start_filler, .arg = &store) };
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.strategy = GR_REST_FOR_ONE, .intensity = 10));
    gr_ref chain;

    fillings = 0;
    up(sup);
    store = gr_child(root, sup, "store", &wait_for_it);
    for (size_t i = 0; i < 2; i++)
        cr_assert_neq(gr_start_child(rt, sup, &specs[i], NULL).id, 0);
    chain = gr_with_retry(root, gr_retriever(root, store, GR_RETRIEVER(.k = 1)),
                          GR_RETRY(.attempts = 5, .backoff_ms = 1, .jitter_ms = -1));
    for (int i = 0; i < 5; i++) {
        gr_outcome o;
        gr_future *f;

        /* a search may meet the new store before its filler has: as with any cache */
        until(fillings == i + 1);
        f = gr_ainvoke(rt, chain, gr_str("Is tea hot?"), NULL);
        o = gr_await(f, TEST_WAIT_MS);
        cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
        cr_assert_str_eq(gr_cstr(gr_get(gr_at(o.value, 0), "page_content"), "?"), "Tea is hot.");
        gr_future_free(f);
        gr_exit_to(rt, child_ref(sup, "store"), gr_str("kill"));
    }
    until(fillings == 6);
}
