/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow_events_test.c - who is slow to hear of runs of other nodes holds these back, and nothing else. Each test has three
 * runtimes (gr_runtime_new): see pieces.h.
 */
#include "runtime/actor/runtime_impl.h"
#include "runtime/observe/run.h"

#include "tests/support/pieces.h"

static bool slow_held; /* nobody hears anything for now */
static _Atomic int slow_heard, slow_ran;

static void up(void)
{
    pieces_up();
    slow_held = false;
    slow_heard = slow_ran = 0;
}

TestSuite(slow_events, .init = up, .fini = pieces_down, .timeout = 240);

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slow_free = PTHREAD_COND_INITIALIZER;

static void slow_event(void *arg, const gr_event *e)
{
    (void)arg, (void)e;
    pthread_mutex_lock(&slow_lock);
    while (slow_held)
        pthread_cond_wait(&slow_free, &slow_lock);
    pthread_mutex_unlock(&slow_lock);
    atomic_fetch_add(&slow_heard, 1);
}

static void slow_let_go(void)
{
    pthread_mutex_lock(&slow_lock);
    slow_held = false;
    pthread_cond_broadcast(&slow_free);
    pthread_mutex_unlock(&slow_lock);
}

/* is_held tells whether a tree of that runtime's is held back. */
static bool is_held(gr_runtime *of)
{
    struct gri_run_trees *all = &of->run_trees;
    bool held = false;

    gri_lock(&all->lock);
    for (struct gri_list *n = all->list.next; n != &all->list; n = n->next)
        held = held || gri_gate_is_shut(&gri_container_of(n, struct gri_run_tree, place)->gate);
    gri_unlock(&all->lock);
    return held;
}

static void wait_until_held(gr_runtime *of)
{
    uint64_t until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;

    while (!is_held(of) && gr_now_ns(rt) < until)
        gr_sleep(rt, 1);
    cr_assert(is_held(of), "nothing was held back");
}

#define MANY 20000

static gr_value *count_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    atomic_fetch_add(&slow_ran, 1);
    return gr_value_ref(input);
}

/* many_fn makes many calls, one after the other. */
static gr_value *many_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *to = arg;

    for (int i = 0; i < MANY; i++) {
        gr_value *v = gr_take(gr_ainvoke(gr_runtime_of(c), *to, gr_value_ref(input), NULL), NULL);

        if (v == NULL)
            return gr_error(GR_ECANCELED, "cancelled");
        gr_value_unref(v);
    }
    return gr_value_ref(input);
}

static gr_ref make_many(void)
{
    static gr_ref counted;

    counted = gr_lambda(root, GR_CHEAP, count_fn, NULL, NULL);
    return gr_lambda(root, GR_ASYNC, many_fn, NULL, &counted);
}

/* slow calls a piece, whose events nobody takes until it is held back, and then sees it end well. */
static void slow(gr_ref r, gr_runtime *held_one, int events, int most)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_future *f;

    slow_held = true;
    f = gr_ainvoke(rt, r, gr_int(7), GR_CALL(.config = config));
    wait_until_held(held_one);
    cr_assert_lt(atomic_load(&slow_ran), most);
    slow_let_go();
    is(answer(f), "7");
    cr_assert_eq(slow_heard, events);
}

Test(slow_events, who_is_slow_to_hear_holds_the_calls_back)
{
    spread = true;
    slow(piece(make_many), nodes[1], 2 + 2 * MANY, MANY);
    cr_assert_eq(slow_ran, MANY);
}

static gr_ref make_far_many(void)
{
    static gr_ref whom;

    whom = piece(make_many);
    return gr_lambda(root, GR_ASYNC, call_fn, NULL, &whom);
}

Test(slow_events, who_is_slow_to_hear_holds_the_calls_back_two_hops_away)
{
    spread = true;
    slow(piece(make_far_many), nodes[2], 4 + 2 * MANY, MANY);
    cr_assert_eq(slow_ran, MANY);
}

static gr_code drip_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int i = 0; i < MANY && rc == GR_OK; i++) {
        atomic_fetch_add(&slow_ran, 1);
        rc = gr_emit(c, gr_value_ref(args));
    }
    return rc;
}

/* drink_fn reads a stream to its end, as fast as it can. */
static gr_value *drink_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_stream *s = gr_astream(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        ;
    gr_stream_free(s);
    return o.code == GR_EOS ? gr_value_ref(input) : gr_error(o.code, "the stream failed");
}

static gr_ref make_drinker(void)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, drip_stream } };
    static const gr_class drip = GR_CLASS(.name = "drip", GR_METHODS(methods));
    static gr_ref whom;

    whom = gr_spawn(root, &drip, NULL);
    return gr_lambda(root, GR_ASYNC, drink_fn, NULL, &whom);
}

Test(slow_events, who_is_slow_to_hear_holds_streams_back)
{
    spread = true;
    slow(piece(make_drinker), nodes[1], 4 + MANY, MANY);
}

/* chatter_fn tells more than anybody could keep. */
static gr_value *chatter_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    for (int i = 0; i < 100000; i++)
        gr_dispatch_event(c, "more", gr_value_ref(input));
    return gr_value_ref(input);
}

static gr_ref make_chatter(void)
{
    return gr_lambda(root, GR_ASYNC, chatter_fn, NULL, NULL);
}

static void let_go_later(void *arg, const gr_event *e)
{
    struct observer *o = arg;

    slow_event(NULL, e);
    if (e->kind != GR_RUN_CUSTOM)
        observer_event(o, e);
}

Test(slow_events, a_run_that_tells_more_than_anybody_keeps_is_given_up)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = let_go_later, .arg = &seen));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    uint64_t until;
    gr_future *f;

    spread = true;
    slow_held = true;
    f = gr_ainvoke(rt, piece(make_chatter), gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;
    while (is_held(nodes[1]) && gr_now_ns(rt) < until) /* until it is given up, and so let go */
        gr_sleep(rt, 1);
    slow_let_go();
    fails_with(answer(f), GR_EFULL, "events of its runs wait");
    cr_assert_eq(seen.run_count, 1u);
    cr_assert_eq(seen.runs[0].code, GR_EFULL);
}

/* A handler that is slow for one call holds up no other on the same link. */
Test(slow_events, who_is_slow_to_hear_holds_up_no_other_call)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_ref many, other;
    gr_future *f;

    spread = true;
    many = piece(make_many);
    other = piece(make_inc);
    slow_held = true;
    f = gr_ainvoke(rt, many, gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    for (int i = 0; i < 100; i++)
        invoke_is(other, "1", "2");
    slow_let_go();
    is(answer(f), "7");
}

Test(slow_events, a_held_call_can_be_cancelled)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_future *f;

    spread = true;
    slow_held = true;
    f = gr_ainvoke(rt, piece(make_many), gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    slow_let_go();
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
}

#define KEPT 17000 /* more than a link has windows of a stream's least size for */

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static gr_promise *kept[KEPT];
static _Atomic int kept_count;

/* keep_fn answers when all are there. */
static gr_value *keep_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_promise *p = gr_defer(c);
    int count;

    (void)arg, (void)input;
    pthread_mutex_lock(&kept_lock);
    kept[kept_count++] = p;
    count = kept_count;
    pthread_mutex_unlock(&kept_lock);
    for (int i = 0; count == KEPT && i < KEPT; i++)
        gr_resolve(kept[i], gr_int(7));
    return NULL;
}

static gr_ref make_keeper(void)
{
    return gr_lambda(root, GR_ASYNC, keep_fn, NULL, NULL);
}

Test(slow_events, as_many_calls_can_be_observed_as_are_made)
{
    static gr_future *f[KEPT];
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    uint64_t until;
    gr_ref keeper;

    spread = true;
    kept_count = 0;
    until = gr_now_ns(rt) + UINT64_C(1000000) * 10 * TEST_WAIT_MS;
    keeper = piece(make_keeper);
    for (int i = 0; i < KEPT; i++) {
        f[i] = gr_ainvoke(
            rt, keeper, gr_int(7),
            GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(handler))))));
        while (i - atomic_load(&kept_count) > 500) { /* the proxy has a mailbox, and that a bound */
            cr_assert_lt(gr_now_ns(rt), until, "only %d calls are there", atomic_load(&kept_count));
            gr_sleep(rt, 1);
        }
    }
    for (int i = 0; i < KEPT; i++)
        is(answer(f[i]), "7");
    cr_assert_eq(slow_heard, 2 * KEPT);
    gr_value_unref(handler);
}
