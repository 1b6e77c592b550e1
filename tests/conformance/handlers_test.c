/* SPDX-License-Identifier: Apache-2.0 */
/* handlers_test.c - langchain-core's handlers: who hears of what, on which thread, and to which end. */
#include <semaphore.h>

#include "tests/conformance/cases.h"
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

TestSuite(handlers, .init = up, .fini = down, .timeout = 120);

static gr_value *invoked(gr_ref r, const char *input)
{
    return answer(gr_ainvoke(rt, r, json(input), GR_CALL(.config = observed(&seen, NULL))));
}

/* ---- a handler that blocks ---------------------------------------------------------------------- */

struct writer {
    gr_ref blocking; /* what blocks, on a thread of the pool */
    sem_t go;
    pthread_t thread;
    _Atomic int begun, written;
};

static gr_value *write_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct writer *w = arg;

    (void)c, (void)input;
    w->thread = pthread_self(); /* one at a time: the actor waits for each */
    atomic_fetch_add(&w->begun, 1);
    while (sem_wait(&w->go) != 0)
        ;
    atomic_fetch_add(&w->written, 1);
    return gr_nil();
}

static void writer_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct writer *w = gr_as_opaque(gr_args(c));

    (void)self;
    gr_value_unref(gr_invoke(gr_runtime_of(c), w->blocking, gr_value_ref(msg), NULL, NULL));
}

static void note_thread(void *arg, const gr_event *e)
{
    if (e->kind == GR_RUN_START)
        *(pthread_t *)arg = pthread_self();
}

/* cb-06: upstream gives a synchronous handler a thread; here an actor is one that may block, and what
 * it blocks is a thread of the pool. Neither the run nor the other handlers wait for it. */
Test(handlers, cb_06_a_handler_that_blocks_holds_up_nobody)
{
    static const gr_class cls = GR_CLASS(.name = "writer", .receive = writer_receive);
    struct writer w = { .begun = 0 };
    pthread_t run_thread;
    gr_value *list;

    sem_init(&w.go, 0, 0);
    w.blocking = gr_lambda(root, GR_BLOCKING, write_fn, NULL, &w);
    list = gr_list(gr_ref_value(gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(&w, NULL)))),
                   gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen)),
                   gr_handler_value(GR_HANDLER(.on_event = note_thread, .arg = &run_thread)));
    is(answer(gr_ainvoke(rt, inc(GR_ASYNC), gr_int(1),
                         GR_CALL(.config = gr_map(GR_KV("callbacks", list))))),
       "2");
    lines_are(&seen, "k", "[\"start\",\"end\"]"); /* though the writer has written nothing */
    cr_assert_eq(atomic_load(&w.written), 0);
    while (atomic_load(&w.begun) == 0)
        sched_yield();
    cr_assert(!pthread_equal(w.thread, run_thread));
    sem_post(&w.go);
    sem_post(&w.go);
    while (atomic_load(&w.written) < 2)
        sched_yield();
}

/* ---- what a handler may leave out ----------------------------------------------------------------- */

static gr_ref tool_of_prompt_and_model(void)
{
    gr_ref model =
        called("m", gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\",\"a\",\"a\"]"))));
    gr_ref prompt = called("p", gr_chat_prompt(root, GR_ROLE("human", "{q}")));

    return gr_as_tool(root, gr_seq(root, prompt, model, called("s", gr_str_parser(root))),
                      GR_TOOL(.name = "t"));
}

static void heard_by(unsigned types, const char *expected)
{
    gr_value *list = gr_list(
        gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen, .types = types)));

    gr_value_unref(answer(gr_ainvoke(rt, tool_of_prompt_and_model(), json("{\"q\":\"hi\"}"),
                                     GR_CALL(.config = gr_map(GR_KV("callbacks", list))))));
    lines_are(&seen, "kn", expected);
}

Test(handlers, cb_01_a_handler_may_hear_of_tools_alone) /* ignore_chain, ignore_llm … */
{
    heard_by(GR_TYPE_TOOL, "[[\"start\",\"t\"],[\"end\",\"t\"]]");
}

Test(handlers, cb_01_a_handler_may_leave_tools_out) /* ignore_agent */
{
    heard_by(
        GR_TYPE_ALL - GR_TYPE_TOOL,
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"p\"],[\"end\",\"p\"],[\"start\",\"m\"],"
        "[\"end\",\"m\"],[\"start\",\"s\"],[\"end\",\"s\"],[\"end\",\"RunnableSequence\"]]");
}

/* ---- which handlers hear of a run ------------------------------------------------------------------ */

struct asks {
    gr_ref to;
    gr_value *handler; /* counted */
};

static gr_value *ask_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct asks *a = arg;
    gr_value *err = NULL, *v;

    v = gr_invoke(gr_runtime_of(c), a->to, gr_value_ref(input),
                  GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(a->handler))))),
                  &err);
    return v != NULL ? v : err;
}

/* callbacks that a call is given replace those that would come along, and the run is a root */
Test(handlers, callbacks_of_a_call_within_replace_the_outer_ones)
{
    static struct observer inner;
    struct asks a = { .to = called("in", inc(GR_CHEAP)) };

    observer_init(&inner);
    a.handler = gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &inner));
    is(invoked(called("out", gr_lambda(root, GR_ASYNC, ask_fn, NULL, &a)), "1"), "2");
    lines_are(&seen, "kn", "[[\"start\",\"out\"],[\"end\",\"out\"]]");
    lines_are(&inner, "knp", "[[\"start\",\"in\",null],[\"end\",\"in\",null]]");
    gr_value_unref(a.handler);
    observer_fini(&inner);
}

/* those that are bound are added, and what is bound stays where it is */
Test(handlers, bound_callbacks_are_added)
{
    static struct observer bound;
    gr_ref r = inc(GR_CHEAP);

    observer_init(&bound);
    r = gr_with_config(
        root, r,
        gr_map(GR_KV("callbacks", gr_list(gr_handler_value(
                                      GR_HANDLER(.on_event = observer_event, .arg = &bound))))));
    is(invoked(gr_seq(root, dbl(GR_CHEAP), called("in", r)), "1"), "3");
    lines_are(&bound, "kt", "[[\"start\",[\"seq:step:2\"]],[\"end\",[\"seq:step:2\"]]]");
    lines_are(
        &seen, "knp",
        "[[\"start\",\"RunnableSequence\",null],[\"start\",\"RunnableLambda\",\"r1\"],"
        "[\"end\",\"RunnableLambda\",\"r1\"],[\"start\",\"in\",\"r1\"],[\"end\",\"in\",\"r1\"],"
        "[\"end\",\"RunnableSequence\",null]]");
    observer_fini(&bound);
}

/* ---- ends ------------------------------------------------------------------------------------------- */

static gr_value *wait_fn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_sleep(gr_runtime_of(c), TEST_WAIT_MS);
    return gr_nil();
}

static void is_cancelled(gr_future *f, const char *expected)
{
    while (observer_runs(&seen) == 0)
        gr_sleep(rt, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "cancelled");
    lines_are(&seen, "kne", expected);
}

/* upstream leaves it open */
Test(handlers, cb_05_a_cancelled_retriever_ends)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, wait_fn, NULL } };
    static const gr_class cls =
        GR_CLASS(.name = "Slow", .run_type = GR_TYPE_RETRIEVER, GR_METHODS(methods));

    is_cancelled(gr_ainvoke(rt, gr_spawn(root, &cls, NULL), gr_str("q"),
                            GR_CALL(.config = observed(&seen, NULL))),
                 "[[\"start\",\"Slow\"],[\"error\",\"Slow\",\"GR_ECANCELED\"]]");
    cr_assert_eq(seen.runs[0].type, GR_TYPE_RETRIEVER);
}

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    gr_sleep(gr_runtime_of(c), TEST_WAIT_MS);
    return gr_value_ref(input);
}

/* cancelled calls r, and leaves it when so many of its calls are under way. */
static void cancelled(gr_ref r, const char *input, bool stream, _Atomic int *begun, int count)
{
    gr_call_opts o = { .size = sizeof(o), .config = observed(&seen, NULL) };
    gr_future *f = stream ? NULL : gr_ainvoke(rt, r, json(input), &o);
    gr_stream *s = stream ? gr_astream(rt, r, json(input), &o) : NULL;

    while (atomic_load(begun) < count)
        gr_sleep(rt, 1);
    if (stream) {
        gr_stream_free(s);
    } else {
        gr_future_cancel(f);
        fails_with(answer(f), GR_ECANCELED, "");
    }
    atomic_store(begun, 0);
}

/* core-20 of other kinds: each run that has begun ends, as cancelled; observer_fini looks at the ends. */
Test(handlers, core_20_what_is_cancelled_ends_in_every_kind)
{
    static _Atomic int begun;
    gr_ref slow = gr_lambda(root, GR_ASYNC, slow_fn, NULL, &begun);
    gr_ref both = gr_parallel(root, GR_STEP("a", slow), GR_STEP("b", slow));
    gr_ref one[] = {
        slow,
        gr_seq(root, slow, inc(GR_CHEAP)),
        gr_with_retry(root, slow, NULL),
        gr_with_fallbacks(root, slow, inc(GR_CHEAP)),
        gr_branch(root, inc(GR_CHEAP), GR_ARM(slow, inc(GR_CHEAP))),
        gr_passthrough_tap(root, slow),
        gr_as_tool(root, slow, NULL),
        gr_with_config(root, slow, json("{\"tags\":[\"t\"]}")),
    };
    size_t runs;

    for (int stream = 0; stream < 2; stream++) {
        for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
            cancelled(one[i], "1", stream == 1, &begun, 1);
        cancelled(both, "1", stream == 1, &begun, 2);
        cancelled(gr_assign(root, GR_STEP("a", slow)), "{\"x\":1}", stream == 1, &begun, 1);
        cancelled(gr_each(root, slow), "[1,2]", stream == 1, &begun, 2);
    }
    runs = observer_runs(&seen);
    for (size_t i = 0; i < runs; i++)
        cr_assert_eq(seen.runs[i].code, GR_ECANCELED, "%s: %s", seen.runs[i].name,
                     gr_code_name(seen.runs[i].code));
}

/* an error in the middle of a stream: what is in front of it has ended well or been cancelled, once */
Test(handlers, gen_06_the_run_of_a_generator_that_fails_ends_with_the_error)
{
    gr_value *err = NULL;

    is(chunks(gr_astream(rt, called("src", letters("a!")), gr_str("_"),
                         GR_CALL(.config = observed(&seen, NULL))),
              &err),
       "[\"a\"]");
    fails_with(err, GR_EREMOTE, "letters fail");
    lines_are(&seen, "kde",
              "[[\"start\",\"_\"],[\"stream\",\"a\"],[\"error\",\"a\",\"GR_EREMOTE\"]]");
}

static void note_fn(void *arg, const gr_event *e)
{
    gr_value **list = arg;

    *list = gr_append(*list, gr_str(gr_event_name(e)));
}

/* of a stream that is left early, and of a failure: the error alone */
/* fb-12: LangChain leaves the runs of fallbacks open when an error comes that they don't handle */
Test(handlers, fb_12_the_runs_of_a_batch_end_whatever_the_error)
{
    static const char *const handled[] = { "KeyError" };
    gr_ref r =
        gr_with_fallbacks_for(root, GR_FALLBACKS(.errors = handled, .error_count = 1),
                              called("p", boom(GR_ASYNC, "p")), called("q", shout(GR_ASYNC)));

    is(kept(answer(gr_abatch(rt, r, json("[\"a\",\"b\"]"),
                             GR_CALL(.return_exceptions = true, .config = observed(&seen, NULL))))),
       "[\"!p:a\",\"!p:b\"]");
    cr_assert_eq(seen.run_count, 4); /* two of the fallbacks, two of p; q has none */
    for (size_t i = 0; i < seen.run_count; i++) {
        cr_assert_eq(seen.runs[i].starts, 1);
        cr_assert_eq(seen.runs[i].ends, 1);
        cr_assert_eq(seen.runs[i].code, GR_EREMOTE);
    }
}

Test(handlers, lis_02_listeners_hear_of_errors)
{
    static struct endless e;
    gr_value *list = gr_list_n(NULL, 0);
    const gr_listeners all = { .size = sizeof(all),
                               .on_start = note_fn,
                               .on_end = note_fn,
                               .on_error = note_fn,
                               .arg = &list };
    gr_stream *s;

    invoke_fails(gr_with_listeners(root, boom(GR_ASYNC, "b"), &all), "1", GR_EREMOTE, "b");
    is(gr_value_ref(list), "[\"on_chain_start\",\"on_chain_error\"]");
    s = gr_astream(rt, gr_with_listeners(root, endless(&e), &all), gr_nil(), NULL);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    is(list, "[\"on_chain_start\",\"on_chain_error\",\"on_chain_start\",\"on_chain_error\"]");
}

/* a step's own listeners hear of that step, in whatever it stands */
Test(handlers, lis_01_listeners_of_a_step)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_ref step = gr_with_listeners(
        root, inc(GR_CHEAP), GR_LISTENERS(.on_start = note_fn, .on_end = note_fn, .arg = &list));

    invoke_is(gr_seq(root, step, dbl(GR_CHEAP)), "1", "4");
    invoke_is(gr_parallel(root, GR_STEP("a", step)), "1", "{\"a\":2}");
    is(list, "[\"on_chain_start\",\"on_chain_end\",\"on_chain_start\",\"on_chain_end\"]");
}
