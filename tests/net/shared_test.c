/* SPDX-License-Identifier: Apache-2.0 */
/* shared_test.c - what several processes share by way of a node: turns of a conversation, a rate limiter, a cache. */
#include "tests/support/test.h"

#include <stdatomic.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "tests/support/peer.h"

#define CLIENTS 2

/* A node, and two runtimes that know it by its URL alone. */
struct world {
    gr_runtime *home, *client[CLIENTS];
    char url[128];
};

static void open_world(struct world *w, const char *name, gr_ref (*make)(gr_scope *in))
{
    gr_value *err = NULL;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &w->home), GR_OK);
    test_peer_url(w->url, "ipc");
    cr_assert_eq(gr_publish(w->home, name, make(gr_root(w->home))), GR_OK);
    cr_assert_eq(gr_serve(w->home, w->url, &err), GR_OK, "%s", gr_error_text(err));
    for (int i = 0; i < CLIENTS; i++)
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &w->client[i]), GR_OK);
}

static void close_world(struct world *w)
{
    for (int i = 0; i < CLIENTS; i++)
        gr_runtime_free(w->client[i]);
    gr_runtime_free(w->home);
}

static gr_value *answer(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    gr_value *v;

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    v = o.code == GR_OK ? gr_value_ref(o.value) : gr_value_ref(o.error);
    gr_future_free(f);
    return v;
}

static void fails_with(gr_value *err, gr_code code)
{
    cr_assert_eq(gr_error_code(err), code, "%s: %s", gr_code_name(gr_error_code(err)),
                 gr_error_text(err));
    gr_value_unref(err);
}

/* becomes waits until what a verb tells under key is n. */
static void becomes(gr_runtime *rt, gr_ref r, const char *verb, const char *key, int64_t n)
{
    int64_t is = -1;

    for (int i = 0; i < TEST_WAIT_MS && is != n; i++) {
        gr_value *v = answer(gr_acall(rt, r, verb, gr_nil(), NULL));

        is = gr_as_int(gr_get(v, key), -1);
        gr_value_unref(v);
        if (is != n)
            gr_sleep(rt, 1);
    }
    cr_assert_eq(is, n, "%s: %lld", key, (long long)is);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static gr_ref shared(gr_scope *in)
{
    return gr_shared_history(in, gr_memory_history(in, NULL), NULL);
}

/* What answers with how many messages it got, once it may. */
struct slow {
    _Atomic int calls;
    _Atomic bool open;
};

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct slow *s = arg;

    atomic_fetch_add(&s->calls, 1);
    while (!atomic_load(&s->open))
        if (gr_sleep(gr_runtime_of(c), 1) != GR_OK)
            return gr_error(GR_ECANCELED, "nobody waits");
    return gr_strf("n=%zu", gr_len(input));
}

static gr_ref talk(struct world *w, int client, struct slow *s)
{
    gr_scope *in = gr_root(w->client[client]);

    return gr_with_message_history(
        in, gr_lambda(in, GR_ASYNC, slow_fn, NULL, s),
        GR_HISTORY(.history = gr_remote(in, w->url, "talks"), .shared_turns = true));
}

static gr_future *say(struct world *w, int client, gr_ref talk, const char *text, const char *id)
{
    return gr_ainvoke(
        w->client[client], talk, gr_str(text),
        GR_CALL(.config = gr_map(GR_KV("configurable", gr_map(GR_KV("session_id", gr_str(id)))))));
}

static void is_text(gr_value *v, const char *text)
{
    cr_assert_str_eq(gr_error_code(v) == GR_OK ? gr_cstr(v, "?") : gr_error_text(v), text);
    gr_value_unref(v);
}

static void reaches(gr_runtime *rt, const _Atomic int *count, int n)
{
    for (int i = 0; i < TEST_WAIT_MS && atomic_load(count) < n; i++)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(count), n);
}

Test(shared, turns_of_one_session_wait_for_each_other_wherever_they_come_from)
{
    static struct slow one, two;
    struct world w;
    gr_future *first, *second, *apart;
    gr_ref a, b;

    open_world(&w, "talks", shared);
    a = talk(&w, 0, &one);
    b = talk(&w, 1, &two);
    first = say(&w, 0, a, "hello", "s");
    reaches(w.client[0], &one.calls, 1);
    second = say(&w, 1, b, "hi", "s");
    atomic_store(&two.open, true);
    apart = say(
        &w, 1, b, "hi",
        "t"); /* another session: it does not wait, and so shows that the second would be done */
    is_text(answer(apart), "n=1");
    cr_assert_eq(gr_await(second, 20).code, GR_EPENDING);
    cr_assert_eq(atomic_load(&two.calls), 1);
    atomic_store(&one.open, true);
    is_text(answer(first), "n=1");
    is_text(answer(second), "n=3"); /* it has seen the first one's */
    close_world(&w);
}

Test(shared, who_is_lost_gives_his_turn_back)
{
    static struct slow one, two;
    struct world w;
    gr_future *first, *second, *third;
    gr_ref a, b;

    open_world(&w, "talks", shared);
    a = talk(&w, 0, &one);
    b = talk(&w, 1, &two);
    first = say(&w, 0, a, "hello", "s");
    reaches(w.client[0], &one.calls, 1);
    second = say(&w, 1, b, "second", "s");
    third = say(&w, 1, b, "third", "s");
    cr_assert_eq(gr_await(third, 20).code, GR_EPENDING);
    gr_future_free(second); /* who waits may leave, and holds nobody up */
    gr_future_free(first);
    gr_runtime_free(w.client[0]);
    w.client[0] = NULL;
    atomic_store(&two.open, true);
    is_text(answer(third), "n=1"); /* of a turn that was not ended nothing is kept */
    close_world(&w);
}

static gr_ref inner_talk, outer_talk;

static gr_value *again_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL, *v;

    (void)arg;
    if (gr_len(input) > 1)
        return gr_strf("n=%zu", gr_len(input));
    v = gr_invoke(gr_runtime_of(c), inner_talk, gr_list(gr_human("a"), gr_human("b")), NULL, &err);
    return v != NULL ? v : err;
}

/* The session is asked once more by another actor that knows the history by another proxy: it is part of the turn. */
Test(shared, a_call_that_comes_back_does_not_wait_for_itself)
{
    struct world w;
    gr_scope *in;

    open_world(&w, "talks", shared);
    in = gr_root(w.client[0]);
    outer_talk = gr_with_message_history(
        in, gr_lambda(in, GR_ASYNC, again_fn, NULL, NULL),
        GR_HISTORY(.history = gr_remote(in, w.url, "talks"), .shared_turns = true));
    inner_talk = gr_with_message_history(
        in, gr_lambda(in, GR_ASYNC, again_fn, NULL, NULL),
        GR_HISTORY(.history = gr_remote(in, w.url, "talks"), .shared_turns = true));
    is_text(answer(say(&w, 0, outer_talk, "hi", "s")), "n=2");
    close_world(&w);
}

static gr_ref hasty(gr_scope *in)
{
    return gr_shared_history(in, gr_memory_history(in, NULL), GR_SHARED(.turn_max_ms = 20));
}

Test(shared, a_turn_that_never_ends_is_over_some_time)
{
    static struct slow one, two = { .open = true };
    struct world w;
    gr_future *first;

    open_world(&w, "talks", hasty);
    first = say(&w, 0, talk(&w, 0, &one), "hello", "s");
    reaches(w.client[0], &one.calls, 1);
    is_text(answer(say(&w, 1, talk(&w, 1, &two), "hi", "s")), "n=1");
    atomic_store(&one.open, true);
    is_text(answer(first), "n=1"); /* what it says is kept, behind */
    close_world(&w);
}

static gr_ref plain(gr_scope *in)
{
    return gr_memory_history(in, NULL);
}

Test(shared, a_history_without_turns_is_told)
{
    static struct slow one;
    struct world w;

    open_world(&w, "talks", plain);
    fails_with(answer(say(&w, 0, talk(&w, 0, &one), "hello", "s")), GR_ETYPE);
    fails_with(gr_check(w.home, gr_shared_history(gr_root(w.home), plain(gr_root(w.home)),
                                                  GR_SHARED(.turn_max_ms = -1))),
               GR_EINVAL);
    close_world(&w);
}

/* ---- a rate limiter -------------------------------------------------------------------------- */

static gr_ref limiter(gr_scope *in)
{
    return gr_rate_limiter(in, GR_RATE_LIMITER(.requests_per_second = 0.001, .starts_full = true));
}

Test(shared, who_is_lost_leaves_the_line)
{
    struct world w;
    gr_ref far[CLIENTS];
    gr_future *waits[CLIENTS];
    gr_value *v;

    open_world(&w, "limiter", limiter);
    for (int i = 0; i < CLIENTS; i++)
        far[i] = gr_remote(gr_root(w.client[i]), w.url, "limiter");
    v = answer(gr_aacquire(w.client[0], far[0], NULL, NULL));
    cr_assert(gr_as_bool(v, false), "%s", gr_error_text(v));
    gr_value_unref(v);
    for (int i = 0; i < CLIENTS; i++) {
        waits[i] = gr_aacquire(w.client[i], far[i], NULL, NULL);
        becomes(w.client[1], far[1], "stats", "waiting", i + 1);
    }
    gr_future_free(waits[0]);
    gr_runtime_free(w.client[0]);
    w.client[0] = NULL;
    becomes(w.client[1], far[1], "stats", "waiting", 1);
    becomes(w.client[1], far[1], "stats", "granted", 1);
    /* and those whose limiter is lost are told, since a limit that can't be asked is not ignored */
    gr_runtime_free(w.home);
    w.home = NULL;
    v = answer(waits[1]);
    cr_assert_neq(gr_error_code(v), GR_OK); /* the node went in order, and cancelled it */
    gr_value_unref(v);
    fails_with(answer(gr_aacquire(w.client[1], far[1], NULL, NULL)), GR_EUNREACH);
    close_world(&w);
}
