/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observed_test.c - runs: each ends once, wherever it is interrupted, and handlers hear of it in order. Each
 * test has a runtime of its own (gr_runtime_new).
 */
#include <greenroom/callbacks.h>

#include "tests/support/observer.h"

static struct observer seen;

static void up(void)
{
    set_up();
    observer_init(&seen);
}

static void down(void)
{
    tear_down();
    observer_fini(&seen);
}

TestSuite(observed, .init = up, .fini = down, .timeout = 240);

static gr_value *nap_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    if (gr_sleep(gr_runtime_of(c), gr_as_int(input, 0) % 3) != GR_OK)
        return gr_error(GR_ECANCELED, "woken");
    return gr_value_ref(input);
}

static gr_ref nap(gr_kind kind)
{
    return gr_lambda(root, kind, nap_fn, NULL, NULL);
}

/* ---- ends ------------------------------------------------------------------------------------ */

Test(observed, a_thousand_branches_end_once_each)
{
    gr_value *inputs = gr_list_n(NULL, 0);
    gr_ref r = gr_seq(root, nap(GR_ASYNC), inc(GR_CHEAP));

    for (int i = 0; i < 1000; i++)
        inputs = gr_append(inputs, gr_int(i));
    gr_value_unref(answer(gr_abatch(rt, r, inputs, GR_CALL(.config = observed(&seen, NULL)))));
    cr_assert_eq(seen.run_count, 3000u);
    cr_assert(seen.in_order);
}

/* everything: all the compositions in one, cancelled at some time, called in some way */
static gr_ref everything(void)
{
    gr_ref kinds[] = { nap(GR_ASYNC), nap(GR_BLOCKING), nap(GR_CHEAP) };
    gr_ref fails = boom(GR_ASYNC, "b");
    gr_ref fan = gr_parallel(root, GR_STEP("a", kinds[0]), GR_STEP("b", kinds[1]),
                             GR_STEP("c", gr_with_fallbacks(root, fails, kinds[0])));
    gr_ref again = gr_with_retry(root, gr_seq(root, kinds[1], fan, fails),
                                 GR_RETRY(.attempts = 2, .backoff_ms = 1, .jitter_ms = -1));
    gr_ref rest = gr_seq(root, gr_with_fallbacks(root, again, kinds[0]), gr_passthrough(root));

    return gr_seq(root, kinds[0], gr_branch(root, rest, GR_ARM(boom(GR_CHEAP, "c"), fan)),
                  kinds[1]);
}

static gr_ref streams(void)
{
    return gr_seq(
        root, nap(GR_ASYNC), gr_passthrough(root), shout(GR_ASYNC), letters("abc"),
        gr_parallel(root, GR_STEP("x", gr_passthrough(root)), GR_STEP("y", nap(GR_BLOCKING))));
}

static void read_some(gr_stream *s, int count)
{
    while (count-- > 0 && gr_next(s, TEST_WAIT_MS).code == GR_OK)
        ;
    gr_stream_free(s);
}

/* interrupted calls r, in the way of the round, and cancels or leaves it after some time. */
static void interrupted(gr_ref r, unsigned round)
{
    gr_call_opts opts = { .size = sizeof(opts),
                          .config = observed(&seen, NULL),
                          .timeout_ms = round % 5 == 4 ? 1 + round % 7 : 0 };
    gr_future *f;

    switch (round % 3) {
    case 0: f = gr_ainvoke(rt, r, gr_int(round), &opts); break;
    case 1: f = gr_abatch(rt, r, gr_list(gr_int(round), gr_int(round + 1)), &opts); break;
    default: read_some(gr_astream(rt, r, gr_int(round), &opts), (int)(round / 3 % 4)); return;
    }
    if (round % 4 != 0)
        gr_sleep(rt, round / 3 % 8);
    gr_future_cancel(f);
    gr_future_free(f);
}

Test(observed, each_run_ends_once_whenever_it_is_cancelled)
{
    gr_ref chains[] = { everything(), streams() };

    for (unsigned round = 0; round < 200; round++)
        interrupted(chains[round & 1], round / 2);
    tear_down(); /* which waits for what is under way */
    cr_assert_gt(seen.run_count, 200u);
    for (size_t i = 0; i < seen.run_count; i++)
        cr_assert_eq(seen.runs[i].ends, 1);
    set_up();
}

/* within tells whether the catalogue of lines has each run's end before that of the run that it is in. */
Test(observed, what_is_within_ends_first)
{
    gr_ref r =
        gr_seq(root, gr_parallel(root, GR_STEP("a", gr_seq(root, inc(GR_CHEAP), nap(GR_ASYNC))),
                                 GR_STEP("b", gr_seq(root, nap(GR_BLOCKING), inc(GR_CHEAP)))));
    gr_value *last;

    for (int i = 0; i < 20; i++) {
        gr_future *f = gr_ainvoke(rt, r, gr_int(i), GR_CALL(.config = observed(&seen, NULL)));

        gr_sleep(rt, i % 3);
        gr_future_cancel(f);
        gr_future_free(f);
        pthread_mutex_lock(&seen.lock);
        last = gr_value_ref(gr_at(seen.lines, gr_len(seen.lines) - 1));
        pthread_mutex_unlock(&seen.lock);
        if (last != NULL) /* the root's end was the last that was told */
            cr_assert(gr_is_nil(gr_at(last, 3)));
        gr_value_unref(last);
    }
}

static gr_value *crash_fn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_exit(c, gr_error(GR_EBROKEN, "crashed"));
}

static gr_value *wait_fn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_sleep(gr_runtime_of(c), TEST_WAIT_MS);
    return gr_value_ref(args);
}

struct nothing {
    int none;
};

Test(observed, runs_of_an_actor_that_exits_end)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, wait_fn, NULL },
                                         { "crash", GR_ASYNC, crash_fn, NULL } };
    static const gr_class frail = GR_CLASS(.name = "frail", .state_size = sizeof(struct nothing),
                                           .reentrant = true, GR_METHODS(methods));
    gr_ref actor = gr_spawn(root, &frail, NULL);
    gr_future *f = gr_ainvoke(rt, gr_seq(root, actor, inc(GR_CHEAP)), gr_int(1),
                              GR_CALL(.config = observed(&seen, NULL)));
    gr_value *err = NULL;

    while (observer_runs(&seen) < 2)
        gr_sleep(rt, 1);
    gr_value_unref(gr_do(rt, actor, "crash", gr_nil(), NULL, &err));
    gr_value_unref(err);
    fails_with(answer(f), GR_EBROKEN, "exited");
    lines_are(
        &seen, "kne",
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"frail\"],"
        "[\"error\",\"frail\",\"GR_EBROKEN\"],[\"error\",\"RunnableSequence\",\"GR_EBROKEN\"]]");
}

Test(observed, the_end_of_the_runtime_ends_runs)
{
    gr_stream *s =
        gr_astream(rt, letters("abc"), gr_nil(), GR_CALL(.config = observed(&seen, NULL)));

    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    while (observer_heard(&seen) < 4) /* it has said all, and its reader has not read it */
        gr_sleep(rt, 1);
    tear_down();
    cr_assert_eq(seen.runs[0].ends, 1);
    gr_stream_free(s);
    set_up();
}

Test(observed, who_leaves_a_stream_early_ends_its_run)
{
    gr_stream *s =
        gr_astream(rt, letters("abc"), gr_nil(), GR_CALL(.config = observed(&seen, NULL)));

    gr_stream_free(s);
    cr_assert_eq(seen.run_count, (size_t)seen.runs[0].ends);
}

/* a call that is cancelled while it waits for its actor has had no run */
Test(observed, what_has_not_begun_has_no_run)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, wait_fn, NULL } };
    static const gr_class busy =
        GR_CLASS(.name = "busy", .state_size = sizeof(struct nothing), GR_METHODS(methods));
    gr_ref actor = gr_spawn(root, &busy, NULL);
    gr_future *first = gr_ainvoke(rt, actor, gr_int(1), NULL);
    gr_future *f = gr_ainvoke(rt, actor, gr_int(2), GR_CALL(.config = observed(&seen, NULL)));

    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    cr_assert_eq(seen.run_count, 0u);
    gr_future_cancel(first);
    gr_future_free(first);
}

/* ---- trees ------------------------------------------------------------------------------------ */

static gr_value *own_tree_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL, *v;

    (void)arg;
    v = gr_invoke(gr_runtime_of(c), called("inner", inc(GR_CHEAP)), gr_value_ref(input),
                  GR_CALL(.config = observed(&seen, NULL)), &err);
    return v != NULL ? v : err;
}

Test(observed, callbacks_of_its_own_begin_a_tree)
{
    gr_ref outer = called("outer", gr_lambda(root, GR_ASYNC, own_tree_fn, NULL, NULL));

    is(answer(gr_ainvoke(
           rt, outer, gr_int(1),
           GR_CALL(.config = observed(&seen, json("{\"tags\":[\"t\"],\"metadata\":{\"m\":1}}"))))),
       "2");
    lines_are(&seen, "knpt",
              "[[\"start\",\"outer\",null,[\"t\"]],[\"start\",\"inner\",null,[\"t\"]],"
              "[\"end\",\"inner\",null,[\"t\"]],[\"end\",\"outer\",null,[\"t\"]]]");
}

Test(observed, a_binding_adds_its_handlers)
{
    gr_ref inner = gr_with_config(
        root, inc(GR_CHEAP), observed(&seen, json("{\"run_name\":\"inner\",\"tags\":[\"own\"]}")));

    invoke_is(gr_seq(root, dbl(GR_CHEAP), inner, dbl(GR_CHEAP)), "1", "6");
    invoke_is(gr_seq(root, dbl(GR_CHEAP), inner), "1", "3");
    lines_are(&seen, "knpt",
              "[[\"start\",\"inner\",null,[\"own\"]],[\"end\",\"inner\",null,[\"own\"]],"
              "[\"start\",\"inner\",null,[\"own\"]],[\"end\",\"inner\",null,[\"own\"]]]");
}

Test(observed, a_generator_that_is_invoked_has_one_run)
{
    is(answer(gr_ainvoke(rt, letters("ab"), gr_nil(), GR_CALL(.config = observed(&seen, NULL)))),
       "\"ab\"");
    lines_are(&seen, "kd",
              "[[\"start\",null],[\"stream\",\"a\"],[\"stream\",\"b\"],[\"end\",\"ab\"]]");
}

Test(observed, a_transform_begins_with_its_first_chunk)
{
    gr_stream *writer = NULL;
    gr_stream *s = gr_atransform(rt, gr_seq(root, called("p", gr_passthrough(root))),
                                 gr_pipe(rt, 0, &writer), GR_CALL(.config = observed(&seen, NULL)));

    gr_sleep(rt, 5);
    cr_assert_eq(seen.run_count, 0u);
    gr_pipe_write(writer, gr_str("a"));
    gr_pipe_write(writer, gr_str("b"));
    gr_pipe_close(writer, NULL);
    chunks_are(s, "[\"a\",\"b\"]");
    cr_assert_eq(seen.run_count, 2u);
    lines_are(
        &seen, "kn",
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"p\"],[\"stream\",\"p\"],"
        "[\"stream\",\"RunnableSequence\"],[\"stream\",\"p\"],[\"stream\",\"RunnableSequence\"],"
        "[\"end\",\"p\"],[\"end\",\"RunnableSequence\"]]");
}

static void input_fn(void *arg, const gr_event *e)
{
    gr_value **list = arg;

    *list = gr_append(*list, e->run->input != NULL ? gr_value_ref(e->run->input) : gr_nil());
}

Test(observed, a_streamed_input_is_known_at_the_end)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_value *h = gr_handler_value(
        GR_HANDLER(.on_event = input_fn, .arg = &list, .kinds = GR_RUN_START | GR_RUN_END));

    gr_value *err = NULL;

    gr_value_unref(
        chunks(gr_atransform(rt, shout(GR_ASYNC), gr_stream_of(rt, json("[\"a\",\"b\"]")),
                             GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(h))))),
               &err));
    cr_assert_null(err);
    is(list, "[null,\"ab\"]");
}

/* an input that fails before its first chunk has begun nothing */
Test(observed, a_transform_of_a_failed_input_has_no_run)
{
    gr_stream *writer = NULL;
    gr_stream *s = gr_atransform(rt, shout(GR_ASYNC), gr_pipe(rt, 0, &writer),
                                 GR_CALL(.config = observed(&seen, NULL)));
    gr_value *err = NULL;

    gr_pipe_close(writer, gr_error(GR_EREMOTE, "no input"));
    gr_value_unref(chunks(s, &err));
    fails_with(err, GR_EREMOTE, "no input");
    cr_assert_eq(seen.run_count, 0u);
}

/* ---- handlers ----------------------------------------------------------------------------------- */

struct stopper {
    gr_future *_Atomic future;
};

static void stop_fn(void *arg, const gr_event *e)
{
    struct stopper *s = arg;

    if (e->kind == GR_RUN_START && e->run->parent_id != NULL) {
        gr_future *f;

        while ((f = atomic_load(&s->future)) == NULL)
            ;
        gr_future_cancel(f); /* which ends runs of the tree that this is told of */
    }
}

Test(observed, a_handler_may_cancel_what_it_hears_of)
{
    struct stopper s = { NULL };
    gr_value *list =
        gr_list(gr_handler_value(GR_HANDLER(.on_event = stop_fn, .arg = &s)),
                gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen)));

    atomic_store(&s.future, gr_ainvoke(rt, gr_seq(root, inc(GR_ASYNC), dbl(GR_ASYNC)), gr_int(1),
                                       GR_CALL(.config = gr_map(GR_KV("callbacks", list)))));
    fails_with(answer(atomic_load(&s.future)), GR_ECANCELED, "");
    while (observer_heard(&seen) < 4) /* what it has brought about is told after what it was told */
        gr_sleep(rt, 1);
    lines_are(&seen, "k", "[\"start\",\"start\",\"error\",\"error\"]");
}

static _Atomic int codes[4];

static void waits_fn(void *arg, const gr_event *e)
{
    (void)arg, (void)e;
    atomic_store(&codes[0], (int)gr_sleep(rt, 1));
}

Test(observed, a_handler_cannot_wait)
{
    gr_value *h = gr_handler_value(GR_HANDLER(.on_event = waits_fn));

    is(answer(gr_ainvoke(rt, inc(GR_ASYNC), gr_int(1),
                         GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(h)))))),
       "2");
    cr_assert_eq(atomic_load(&codes[0]), GR_EDEADLK);
}

/* An actor that keeps the names of the events that it is told. */
static gr_value *heard_list;
static pthread_mutex_t heard_lock = PTHREAD_MUTEX_INITIALIZER;

static void hears_fn(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    pthread_mutex_lock(&heard_lock);
    heard_list = gr_append(heard_list, gr_list(gr_value_ref(gr_get(msg, "event")),
                                               gr_value_ref(gr_get(msg, "name")),
                                               gr_int((int64_t)gr_len(gr_get(msg, "parent_ids"))),
                                               gr_value_ref(gr_get(msg, "data"))));
    pthread_mutex_unlock(&heard_lock);
}

static size_t heard_count(void)
{
    size_t count;

    pthread_mutex_lock(&heard_lock);
    count = gr_len(heard_list);
    pthread_mutex_unlock(&heard_lock);
    return count;
}

Test(observed, an_actor_gets_events_as_values)
{
    static const gr_class ears =
        GR_CLASS(.name = "ears", .state_size = sizeof(struct nothing), .receive = hears_fn);
    gr_value *list = gr_list(gr_ref_value(gr_spawn(root, &ears, NULL)));
    gr_ref r = called("inner", /* else it would not be a step, but its steps would */
                      gr_seq(root, called("inc", inc(GR_CHEAP)),
                             gr_script_model(root, GR_SCRIPT(.answers = json("[\"x\"]")))));

    heard_list = gr_list_n(NULL, 0);
    gr_value_unref(
        answer(gr_ainvoke(rt, gr_seq(root, called("name", shout(GR_CHEAP)), r), gr_str("hi"),
                          GR_CALL(.config = gr_map(GR_KV("callbacks", list))))));
    while (heard_count() < 10)
        gr_sleep(rt, 1);
    is(gr_value_ref(gr_at(gr_at(heard_list, 0), 0)), "\"on_chain_start\"");
    is(gr_value_ref(gr_at(heard_list, 2)),
       "[\"on_chain_end\",\"name\",1,{\"output\":\"hi!\",\"input\":\"hi\"}]");
    is(gr_value_ref(gr_at(gr_at(heard_list, 6), 0)), "\"on_chat_model_start\"");
    gr_value_unref(heard_list);
}

static void blocked_fn(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    gr_sleep(gr_runtime_of(c), 20);
}

Test(observed, what_an_actor_has_no_room_for_is_counted)
{
    static const gr_class full =
        GR_CLASS(.name = "full", .state_size = sizeof(struct nothing), .receive = blocked_fn);
    gr_value *list = gr_list(gr_ref_value(gr_spawn(root, &full, GR_SPAWN(.mailbox_max = 2))));
    gr_stats s = GR_STATS_INIT;

    gr_value_unref(answer(gr_abatch(rt, inc(GR_ASYNC), json("[1,2,3,4,5,6,7,8]"),
                                    GR_CALL(.config = gr_map(GR_KV("callbacks", list))))));
    gr_stats_read(rt, &s);
    cr_assert_geq(s.events_lost, 16u - 4u);
    cr_assert_leq(s.events_lost, 14u);
}

static _Atomic int dropped;

static void drop_fn(void *arg)
{
    (void)arg;
    atomic_fetch_add(&dropped, 1);
}

Test(observed, handlers_and_listeners_are_dropped_last)
{
    atomic_store(&dropped, 0);
    gr_value_unref(gr_handler_value(GR_HANDLER(.on_event = waits_fn, .drop = drop_fn)));
    gr_value_unref(gr_handler_value(GR_HANDLER(.drop = drop_fn))); /* no function */
    gr_stop(rt, gr_with_listeners(root, inc(GR_CHEAP), GR_LISTENERS(.drop = drop_fn)));
    while (atomic_load(&dropped) < 3)
        gr_sleep(rt, 1);
}

Test(observed, root_only_hears_of_the_outermost)
{
    gr_value *h =
        gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen, .root_only = true));

    is(answer(gr_ainvoke(rt, gr_seq(root, inc(GR_ASYNC), dbl(GR_ASYNC)), gr_int(1),
                         GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(h)))))),
       "4");
    lines_are(&seen, "kn", "[[\"start\",\"RunnableSequence\"],[\"end\",\"RunnableSequence\"]]");
}

static gr_value *outside_fn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_int(gr_dispatch_event(c, "e", gr_error(GR_EREMOTE, "bad")));
}

static void outside_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    atomic_store(&codes[1], (int)gr_dispatch_event(c, "e", gr_nil()));
}

Test(observed, a_custom_event_needs_a_run)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, outside_fn, NULL } };
    static const gr_class cls =
        GR_CLASS(.name = "o", .receive = outside_receive, GR_METHODS(methods));
    gr_ref actor = gr_spawn(root, &cls, NULL);

    is(answer(gr_ainvoke(rt, actor, gr_nil(), NULL)), "40");
    atomic_store(&codes[1], 0);
    gr_tell(rt, actor, gr_nil());
    while (atomic_load(&codes[1]) == 0)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(&codes[1]), GR_EINVAL);
}

/* ---- continuations ------------------------------------------------------------------------------- */

struct later {
    gr_promise *promise;
    gr_ref inner;
};

static void later_then(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    gr_promise *p = arg;

    (void)c, (void)self;
    gr_resolve(p, o->code == GR_OK ? gr_value_ref(o->value) : gr_value_ref(o->error));
}

static gr_value *later_fn(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref inner = gr_as_ref(gr_args(c));
    gr_promise *p = gr_defer(c);

    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), inner, gr_value_ref(args), NULL), later_then, NULL, p);
    return NULL;
}

Test(observed, deferred_answers_and_what_they_start_are_the_runs)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, later_fn, NULL } };
    static const gr_class cls =
        GR_CLASS(.name = "later", .state_size = sizeof(struct nothing), GR_METHODS(methods));
    gr_ref actor =
        gr_spawn(root, &cls, GR_SPAWN(.args = gr_ref_value(called("inner", inc(GR_ASYNC)))));

    is(answer(gr_ainvoke(rt, actor, gr_int(1), GR_CALL(.config = observed(&seen, NULL)))), "2");
    lines_are(
        &seen, "knp",
        "[[\"start\",\"later\",null],[\"start\",\"inner\",\"r1\"],[\"end\",\"inner\",\"r1\"],[\"end\",\"later\",null]]");
}

/* ---- runs that outlast theirs --------------------------------------------------------------------- */

Test(observed, siblings_that_are_left_end_by_themselves)
{
    gr_ref r =
        gr_parallel(root, GR_STEP("a", boom(GR_ASYNC, "a")),
                    GR_STEP("b", gr_seq(root, nap(GR_ASYNC), called("slow", nap(GR_ASYNC)))));
    gr_value *config = observed(&seen, json("{\"leave_siblings\":true}"));

    fails_with(answer(gr_ainvoke(rt, r, gr_int(2), GR_CALL(.config = config))), GR_EREMOTE, "a");
    tear_down(); /* which waits for the other, if it has begun, and cancels it */
    cr_assert_geq(seen.run_count, 2u);
    set_up();
}
