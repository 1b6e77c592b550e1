/* SPDX-License-Identifier: Apache-2.0 */
/* callbacks_test.c - langchain-core's runs and callbacks: order, names, tags, trees. */
#include <greenroom/callbacks.h>

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

TestSuite(callbacks, .init = up, .fini = down, .timeout = 120);

static gr_ref inc_dbl(gr_kind kind)
{
    return gr_seq(root, called("inc", inc(kind)), called("dbl", dbl(kind)));
}

static void invoke_seen(gr_ref r, const char *input, const char *config, const char *expected)
{
    is(answer(gr_ainvoke(rt, r, json(input),
                         GR_CALL(.config = observed(&seen, config != NULL ? json(config) : NULL)))),
       expected);
}

static void stream_seen(gr_ref r, const char *input, const char *expected)
{
    chunks_are(gr_astream(rt, r, json(input), GR_CALL(.config = observed(&seen, NULL))), expected);
}

/* ---- seq-03, seq-04, seq-09 ------------------------------------------------------------------ */

static void seq_03(gr_kind kind)
{
    invoke_seen(inc_dbl(kind), "1", NULL, "4");
    lines_are(&seen, "knrptd",
              "[[\"start\",\"RunnableSequence\",\"r1\",null,[],1],"
              "[\"start\",\"inc\",\"r2\",\"r1\",[\"seq:step:1\"],1],"
              "[\"end\",\"inc\",\"r2\",\"r1\",[\"seq:step:1\"],2],"
              "[\"start\",\"dbl\",\"r3\",\"r1\",[\"seq:step:2\"],2],"
              "[\"end\",\"dbl\",\"r3\",\"r1\",[\"seq:step:2\"],4],"
              "[\"end\",\"RunnableSequence\",\"r1\",null,[],4]]");
    cr_assert(seen.in_order);
}

Test(callbacks, seq_03_cheap)
{
    seq_03(GR_CHEAP);
}
Test(callbacks, seq_03_async)
{
    seq_03(GR_ASYNC);
}
Test(callbacks, seq_03_blocking)
{
    seq_03(GR_BLOCKING);
}

Test(callbacks, seq_04_errors_inner_then_outer)
{
    gr_ref r = gr_seq(root, inc(GR_ASYNC), boom(GR_ASYNC, "boom"), dbl(GR_ASYNC));

    fails_with(answer(gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = observed(&seen, NULL)))),
               GR_EREMOTE, "boom");
    lines_are(&seen, "k", "[\"start\",\"start\",\"end\",\"start\",\"error\",\"error\"]");
}

Test(callbacks, seq_09_stream_starts)
{
    stream_seen(inc_dbl(GR_ASYNC), "1", "[4]");
    lines_are(
        &seen, "kn",
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"inc\"],[\"stream\",\"inc\"],"
        "[\"start\",\"dbl\"],[\"end\",\"inc\"],[\"stream\",\"dbl\"],"
        "[\"stream\",\"RunnableSequence\"],[\"end\",\"dbl\"],[\"end\",\"RunnableSequence\"]]");
}

/* ev-02's order, from which astream_events takes its own. */
Test(callbacks, ev_02_order_of_a_streamed_sequence)
{
    gr_ref step[3];

    for (size_t i = 0; i < 3; i++) {
        char name[2] = { (char)('1' + i), '\0' };

        step[i] = called(name, shout(GR_ASYNC));
    }
    stream_seen(gr_seq_n(root, step, 3), "\"a\"", "[\"a!!!\"]");
    lines_are(&seen, "knd",
              "[[\"start\",\"RunnableSequence\",\"a\"],[\"start\",\"1\",\"a\"],"
              "[\"stream\",\"1\",\"a!\"],[\"start\",\"2\",null],[\"end\",\"1\",\"a!\"],"
              "[\"stream\",\"2\",\"a!!\"],[\"start\",\"3\",null],[\"end\",\"2\",\"a!!\"],"
              "[\"stream\",\"3\",\"a!!!\"],[\"stream\",\"RunnableSequence\",\"a!!!\"],"
              "[\"end\",\"3\",\"a!!!\"],[\"end\",\"RunnableSequence\",\"a!!!\"]]");
    cr_assert(seen.in_order);
}

/* ---- config ---------------------------------------------------------------------------------- */

Test(callbacks, cfg_05_what_names_a_run_is_the_outermosts)
{
    invoke_seen(inc_dbl(GR_ASYNC), "1", "{\"run_name\":\"top\",\"run_id\":\"U\",\"tags\":[\"t\"]}",
                "4");
    cr_assert_str_eq(seen.runs[0].id, "U");
    for (size_t i = 1; i < 3; i++)
        cr_assert_eq(strlen(seen.runs[i].id), 36u);
    cr_assert_str_neq(seen.runs[1].id, seen.runs[2].id);
    lines_are(&seen, "knt",
              "[[\"start\",\"top\",[\"t\"]],[\"start\",\"inc\",[\"seq:step:1\",\"t\"]],"
              "[\"end\",\"inc\",[\"seq:step:1\",\"t\"]],[\"start\",\"dbl\",[\"seq:step:2\",\"t\"]],"
              "[\"end\",\"dbl\",[\"seq:step:2\",\"t\"]],[\"end\",\"top\",[\"t\"]]]");
}

static gr_value *calls_inner_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *err = NULL,
             *v = gr_invoke(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL, &err);

    return v != NULL ? v : err;
}

static void lam_12(gr_kind kind)
{
    gr_ref inner = called("inner", inc(GR_CHEAP));

    invoke_seen(called("outer", gr_lambda(root, kind, calls_inner_fn, NULL, &inner)), "1", NULL,
                "2");
    lines_are(&seen, "knp",
              "[[\"start\",\"outer\",null],[\"start\",\"inner\",\"r1\"],"
              "[\"end\",\"inner\",\"r1\"],[\"end\",\"outer\",null]]");
}

Test(callbacks, lam_12_parent_without_a_config_async)
{
    lam_12(GR_ASYNC);
}
Test(callbacks, lam_12_parent_without_a_config_blocking)
{
    lam_12(GR_BLOCKING);
}

/* ---- retry, fallbacks, branch, parallel -------------------------------------------------------- */

Test(callbacks, ret_07_attempts_are_numbered)
{
    struct flaky f = { .failures = 2, .code = GR_EREMOTE };
    gr_ref r = gr_with_retry(root, called("f", flaky(GR_ASYNC, &f)),
                             GR_RETRY(.backoff_ms = -1, .jitter_ms = -1));

    invoke_seen(r, "\"x\"", NULL, "\"R:x\"");
    lines_are(
        &seen, "knt",
        "[[\"start\",\"f\",[]],[\"start\",\"f\",[]],[\"error\",\"f\",[]],[\"retry\",\"f\",[]],"
        "[\"start\",\"f\",[\"retry:attempt:2\"]],[\"error\",\"f\",[\"retry:attempt:2\"]],"
        "[\"retry\",\"f\",[]],[\"start\",\"f\",[\"retry:attempt:3\"]],"
        "[\"end\",\"f\",[\"retry:attempt:3\"]],[\"end\",\"f\",[]]]");
}

/* upstream attaches p and q to the sequence, with its tag (issue 36072); here they are the fallbacks' */
Test(callbacks, fb_10_attempts_are_the_fallbacks_children)
{
    gr_ref r = gr_seq(
        root, called("inc", inc(GR_ASYNC)),
        gr_with_fallbacks(root, called("p", boom(GR_ASYNC, "p")), called("q", dbl(GR_ASYNC))));

    invoke_seen(r, "1", NULL, "4");
    lines_are(&seen, "knrpt",
              "[[\"start\",\"RunnableSequence\",\"r1\",null,[]],"
              "[\"start\",\"inc\",\"r2\",\"r1\",[\"seq:step:1\"]],"
              "[\"end\",\"inc\",\"r2\",\"r1\",[\"seq:step:1\"]],"
              "[\"start\",\"RunnableWithFallbacks\",\"r3\",\"r1\",[\"seq:step:2\"]],"
              "[\"start\",\"p\",\"r4\",\"r3\",[]],[\"error\",\"p\",\"r4\",\"r3\",[]],"
              "[\"start\",\"q\",\"r5\",\"r3\",[]],[\"end\",\"q\",\"r5\",\"r3\",[]],"
              "[\"end\",\"RunnableWithFallbacks\",\"r3\",\"r1\",[\"seq:step:2\"]],"
              "[\"end\",\"RunnableSequence\",\"r1\",null,[]]]");
}

static gr_value *false_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_bool(false);
}

Test(callbacks, bra_03_conditions_and_arms_are_tagged)
{
    gr_ref no = called("no", lambda(GR_ASYNC, false_fn)),
           yes = called("yes", lambda(GR_ASYNC, same_fn));

    invoke_seen(gr_branch(root, inc(GR_CHEAP), GR_ARM(no, inc(GR_CHEAP)),
                          GR_ARM(yes, called("arm", dbl(GR_CHEAP)))),
                "3", NULL, "6");
    invoke_seen(gr_branch(root, called("rest", inc(GR_CHEAP)), GR_ARM(no, inc(GR_CHEAP))), "3",
                NULL, "4");
    lines_are(&seen, "knt",
              "[[\"start\",\"RunnableBranch\",[]],[\"start\",\"no\",[\"condition:1\"]],"
              "[\"end\",\"no\",[\"condition:1\"]],[\"start\",\"yes\",[\"condition:2\"]],"
              "[\"end\",\"yes\",[\"condition:2\"]],[\"start\",\"arm\",[\"branch:2\"]],"
              "[\"end\",\"arm\",[\"branch:2\"]],[\"end\",\"RunnableBranch\",[]],"
              "[\"start\",\"RunnableBranch\",[]],[\"start\",\"no\",[\"condition:1\"]],"
              "[\"end\",\"no\",[\"condition:1\"]],[\"start\",\"rest\",[\"branch:default\"]],"
              "[\"end\",\"rest\",[\"branch:default\"]],[\"end\",\"RunnableBranch\",[]]]");
}

Test(callbacks, ev_17_branches_of_a_streamed_parallel)
{
    gr_ref r = gr_parallel(root, GR_STEP("a", called("x", letters("x"))));

    stream_seen(r, "\"_\"", "[{\"a\":\"x\"}]");
    lines_are(
        &seen, "kntd",
        "[[\"start\",\"RunnableParallel<a>\",[],\"_\"],[\"start\",\"x\",[\"map:key:a\"],\"_\"],"
        "[\"stream\",\"x\",[\"map:key:a\"],\"x\"],"
        "[\"stream\",\"RunnableParallel<a>\",[],{\"a\":\"x\"}],"
        "[\"end\",\"x\",[\"map:key:a\"],\"x\"],[\"end\",\"RunnableParallel<a>\",[],{\"a\":\"x\"}]]");
}

/* ---- listeners --------------------------------------------------------------------------------- */

static void note_fn(void *arg, const gr_event *e)
{
    gr_value **list = arg;

    *list = gr_append(*list, e->kind == GR_RUN_START
                                 ? gr_list(gr_str("start"), gr_value_ref(e->run->input))
                             : e->kind == GR_RUN_END ? gr_list(gr_str("end"), gr_value_ref(e->data))
                                                     : gr_list(gr_str("error")));
}

Test(callbacks, lis_01_listeners_hear_of_the_root_alone)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_ref r = gr_with_listeners(
        root, inc_dbl(GR_ASYNC),
        GR_LISTENERS(.on_start = note_fn, .on_end = note_fn, .on_error = note_fn, .arg = &list));

    invoke_is(r, "1", "4");
    is(gr_value_ref(list), "[[\"start\",1],[\"end\",4]]");
    batch_is(r, "[1]", "[4]");
    is(gr_value_ref(list), "[[\"start\",1],[\"end\",4],[\"start\",1],[\"end\",4]]");
    stream_is(r, "1", "[4]");
    is(list, "[[\"start\",1],[\"end\",4],[\"start\",1],[\"end\",4],[\"start\",1],[\"end\",4]]");
}

/* a listener has nothing to raise: it can't fail the run, whatever it does with its call */
Test(callbacks, lis_03_a_listener_cannot_fail_the_run)
{
    gr_value *list = gr_list_n(NULL, 0);
    gr_ref r = gr_with_listeners(root, boom(GR_ASYNC, "b"),
                                 GR_LISTENERS(.on_error = note_fn, .arg = &list));

    invoke_is(gr_with_listeners(root, inc(GR_CHEAP), GR_LISTENERS(.on_start = NULL)), "1", "2");
    invoke_fails(r, "1", GR_EREMOTE, "b");
    is(list, "[[\"error\"]]");
}

/* ---- handlers ----------------------------------------------------------------------------------- */

static gr_ref script(const char *answers)
{
    return called("script", gr_script_model(root, GR_SCRIPT(.answers = json(answers))));
}

Test(callbacks, cb_01_a_handler_may_leave_chains_out)
{
    gr_value *handler = gr_handler_value(
        GR_HANDLER(.on_event = observer_event, .arg = &seen, .types = GR_TYPE_ALL - GR_TYPE_CHAIN));
    gr_ref r = gr_seq(root, lambda(GR_ASYNC, same_fn), script("[\"a b\"]"));
    gr_value *err = NULL;

    gr_value_unref(
        chunks(gr_astream(rt, r, gr_str("hi"),
                          GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(handler))))),
               &err));
    cr_assert_null(err);
    lines_are(
        &seen, "kn",
        "[[\"start\",\"script\"],[\"stream\",\"script\"],[\"stream\",\"script\"],[\"end\",\"script\"]]");
    cr_assert_eq(seen.runs[0].type, GR_TYPE_CHAT_MODEL);
}

/* inline handlers come one after the other, in order; what upstream overlaps are actors here, for which the run
 * does not wait */
static void letter_fn(void *arg, const gr_event *e)
{
    gr_value **text = arg;

    if (e->kind == GR_RUN_START)
        *text = gr_add(*text, gr_str("A"));
}
static void other_letter_fn(void *arg, const gr_event *e)
{
    gr_value **text = arg;

    if (e->kind == GR_RUN_START)
        *text = gr_add(*text, gr_str("B"));
}

Test(callbacks, cb_02_inline_handlers_in_list_order)
{
    gr_value *text = gr_str("");
    gr_value *a = gr_handler_value(GR_HANDLER(.on_event = letter_fn, .arg = &text));
    gr_value *b = gr_handler_value(GR_HANDLER(.on_event = other_letter_fn, .arg = &text));

    /* the same one twice counts once */
    invoke_is(gr_with_config(root, inc(GR_CHEAP),
                             gr_map(GR_KV("callbacks", gr_list(gr_value_ref(a), b, a)))),
              "1", "2");
    is(text, "\"AB\"");
}

static void slow_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    gr_sleep(gr_runtime_of(c), 30);
}

Test(callbacks, cb_02_the_run_waits_for_no_actor)
{
    static const gr_class slow = GR_CLASS(.name = "slow", .receive = slow_receive);
    gr_value *list = gr_list(gr_ref_value(gr_spawn(root, &slow, NULL)),
                             gr_ref_value(gr_spawn(root, &slow, NULL)));
    uint64_t begun = gr_now_ns(rt);

    is(answer(gr_ainvoke(rt, inc(GR_ASYNC), gr_int(1),
                         GR_CALL(.config = gr_map(GR_KV("callbacks", list))))),
       "2");
    cr_assert_lt(gr_now_ns(rt) - begun, UINT64_C(30000000));
}

Test(callbacks, cb_03_callbacks_of_a_constructor_are_local)
{
    gr_value *local =
        gr_list(gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen)));
    gr_ref model = gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\"]"), .callbacks = local));

    gr_value_unref(
        answer(gr_ainvoke(rt, gr_seq(root, lambda(GR_ASYNC, same_fn), model), gr_str("hi"), NULL)));
    lines_are(&seen, "kn", "[[\"start\",\"ScriptModel\"],[\"end\",\"ScriptModel\"]]");
}

Test(callbacks, cb_03_callbacks_of_a_call_are_inherited)
{
    gr_ref r = gr_seq(root, called("first", lambda(GR_ASYNC, same_fn)), script("[\"a\"]"));

    gr_value_unref(
        answer(gr_ainvoke(rt, r, gr_str("hi"), GR_CALL(.config = observed(&seen, NULL)))));
    lines_are(&seen, "kn",
              "[[\"start\",\"RunnableSequence\"],[\"start\",\"first\"],[\"end\",\"first\"],"
              "[\"start\",\"script\"],[\"end\",\"script\"],[\"end\",\"RunnableSequence\"]]");
}

/* upstream leaves the second out for text models (issue 39633) */
Test(callbacks, cb_07_both_handlers_hear_of_a_model)
{
    gr_value *text = gr_str("");
    gr_value *list =
        gr_list(gr_handler_value(GR_HANDLER(.on_event = letter_fn, .arg = &text)),
                gr_handler_value(GR_HANDLER(.on_event = other_letter_fn, .arg = &text)));

    gr_value_unref(answer(gr_ainvoke(rt, script("[\"a\"]"), gr_str("hi"),
                                     GR_CALL(.config = gr_map(GR_KV("callbacks", list))))));
    is(text, "\"AB\"");
}

/* ---- errors and cancellation --------------------------------------------------------------------- */

static gr_code one_then_fail(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)in, (void)args;
    gr_emit(c, gr_str("a"));
    return gr_fail(c, gr_error(GR_EREMOTE, "broken off"));
}

Test(callbacks, chat_06_an_error_tells_what_had_come)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, one_then_fail } };
    static const gr_class model =
        GR_CLASS(.name = "model", .run_type = GR_TYPE_CHAT_MODEL, GR_METHODS(methods));
    gr_value *err = NULL;

    is(chunks(gr_astream(rt, gr_spawn(root, &model, NULL), gr_str("hi"),
                         GR_CALL(.config = observed(&seen, NULL))),
              &err),
       "[\"a\"]");
    fails_with(err, GR_EREMOTE, "broken off");
    lines_are(&seen, "kde",
              "[[\"start\",\"hi\"],[\"stream\",\"a\"],[\"error\",\"a\",\"GR_EREMOTE\"]]");
}

static gr_value *sleep_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    _Atomic int *begun = arg;

    atomic_fetch_add(begun, 1);
    gr_sleep(gr_runtime_of(c), TEST_WAIT_MS);
    return gr_value_ref(input);
}

static void cancel_when_begun(gr_future *f, _Atomic int *begun, int count)
{
    while (atomic_load(begun) < count)
        gr_sleep(rt, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "cancelled");
}

/* upstream leaves the runs of core-18 and core-19 open (issue 39163) */
Test(callbacks, core_18_a_cancelled_model_ends)
{
    gr_ref model =
        gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\"]"), .delay_ms = TEST_WAIT_MS));
    gr_future *f = gr_ainvoke(rt, model, gr_str("hi"), GR_CALL(.config = observed(&seen, NULL)));

    while (observer_runs(&seen) == 0)
        gr_sleep(rt, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "cancelled");
    lines_are(&seen, "kne",
              "[[\"start\",\"ScriptModel\"],[\"error\",\"ScriptModel\",\"GR_ECANCELED\"]]");
}

Test(callbacks, core_19_a_cancelled_tool_ends)
{
    _Atomic int begun = 0;
    gr_ref tool =
        gr_as_tool(root, called("f", gr_lambda(root, GR_ASYNC, sleep_fn, NULL, &begun)), NULL);

    cancel_when_begun(
        gr_ainvoke(rt, tool, json("{\"x\":\"1\"}"), GR_CALL(.config = observed(&seen, NULL))),
        &begun, 1);
    lines_are(&seen, "kne",
              "[[\"start\",\"f\"],[\"start\",\"f\"],[\"error\",\"f\",\"GR_ECANCELED\"],"
              "[\"error\",\"f\",\"GR_ECANCELED\"]]");
    cr_assert_eq(seen.runs[0].type, GR_TYPE_TOOL);
}

Test(callbacks, core_20_all_runs_of_a_cancelled_batch_end)
{
    _Atomic int begun = 0, errors = 0;
    gr_ref r = gr_seq(root, gr_lambda(root, GR_ASYNC, sleep_fn, NULL, &begun), inc(GR_ASYNC));

    cancel_when_begun(gr_abatch(rt, r, json("[1,2]"), GR_CALL(.config = observed(&seen, NULL))),
                      &begun, 2);
    for (size_t i = 0; i < seen.run_count; i++)
        errors += seen.runs[i].code == GR_ECANCELED;
    cr_assert_eq(seen.run_count, 4u);
    cr_assert_eq(errors, 4);
}

/* ---- custom events ------------------------------------------------------------------------------ */

static gr_value *says_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    cr_assert_eq(gr_dispatch_event(c, "e1", gr_map(GR_KV("x", gr_value_ref(input)))), GR_OK);
    cr_assert_eq(gr_dispatch_event(c, "e2", gr_int(5)), GR_OK);
    return gr_value_ref(input);
}

static void ev_11(gr_kind kind)
{
    invoke_is(lambda(kind, says_fn), "1", "1"); /* nobody hears of it */
    invoke_seen(called("foo", lambda(kind, says_fn)), "\"x\"", NULL, "\"x\"");
    lines_are(&seen, "knrd",
              "[[\"start\",\"foo\",\"r1\",\"x\"],[\"custom\",\"e1\",\"r1\",{\"x\":\"x\"}],"
              "[\"custom\",\"e2\",\"r1\",5],[\"end\",\"foo\",\"r1\",\"x\"]]");
}

Test(callbacks, ev_11_custom_events_are_the_runs)
{
    ev_11(GR_ASYNC);
}
Test(callbacks, ev_11_custom_events_of_blocking_code)
{
    ev_11(GR_BLOCKING);
}
Test(callbacks, ev_11_custom_events_of_cheap_code)
{
    ev_11(GR_CHEAP);
}

/* ---- assign --------------------------------------------------------------------------------------- */

static gr_ref assign_q(void)
{
    gr_ref sum = gr_seq(root, gr_pick(root, "a"), called("inc", inc(GR_ASYNC)));

    return gr_assign(root, GR_STEP("q", sum));
}

/* as in langchain-core: an assign runs a parallel, which runs the steps */
Test(callbacks, assign_runs_a_parallel)
{
    invoke_seen(assign_q(), "{\"a\":1}", NULL, "{\"a\":1,\"q\":2}");
    lines_are(&seen, "knptd",
              "[[\"start\",\"RunnableAssign<q>\",null,[],{\"a\":1}],"
              "[\"start\",\"RunnableParallel<q>\",\"r1\",[],{\"a\":1}],"
              "[\"start\",\"RunnableSequence\",\"r2\",[\"map:key:q\"],{\"a\":1}],"
              "[\"start\",\"RunnablePick<a>\",\"r3\",[\"seq:step:1\"],{\"a\":1}],"
              "[\"end\",\"RunnablePick<a>\",\"r3\",[\"seq:step:1\"],1],"
              "[\"start\",\"inc\",\"r3\",[\"seq:step:2\"],1],"
              "[\"end\",\"inc\",\"r3\",[\"seq:step:2\"],2],"
              "[\"end\",\"RunnableSequence\",\"r2\",[\"map:key:q\"],2],"
              "[\"end\",\"RunnableParallel<q>\",\"r1\",[],{\"q\":2}],"
              "[\"end\",\"RunnableAssign<q>\",null,[],{\"a\":1,\"q\":2}]]");
}

Test(callbacks, assign_streams_what_its_parallel_does)
{
    stream_seen(assign_q(), "{\"a\":1}", "[{\"a\":1},{\"q\":2}]");
    cr_assert_eq(seen.run_count, 5u);
    cr_assert_str_eq(seen.runs[1].name, "RunnableParallel<q>");
    for (size_t i = 0; i < gr_len(seen.lines); i++) {
        const gr_value *line = gr_at(seen.lines, i);
        bool end = strcmp(gr_cstr(gr_at(line, 0), ""), "end") == 0;

        if (end && strcmp(gr_cstr(gr_at(line, 2), ""), "r2") == 0)
            is(gr_value_ref(gr_at(line, 5)), "{\"q\":2}");
        if (end && strcmp(gr_cstr(gr_at(line, 2), ""), "r1") == 0)
            is(gr_value_ref(gr_at(line, 5)), "{\"a\":1,\"q\":2}");
    }
}
