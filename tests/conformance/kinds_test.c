/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds_test.c - langchain-core's kinds of runnables where little or nothing comes in: streams without
 * chunks, no steps, keys that are not there; and where they stand in each other.
 */
#include "tests/conformance/cases.h"
#include "tests/support/observer.h"

static struct observer seen;

static void up(void)
{
    observer_init(&seen);
    set_up();
}

static void down(void)
{
    tear_down();
    observer_fini(&seen);
}

TestSuite(kinds, .init = up, .fini = down, .timeout = 120);

/* ---- the chains ------------------------------------------------------------------------------ */

static gr_code nothing_fn(gr_ctx *c, void *arg, gr_stream *in)
{
    (void)c, (void)arg, (void)in;
    return GR_OK;
}

static gr_ref nothing(void)
{
    return gr_generator(root, GR_ASYNC, nothing_fn, NULL, NULL);
}

static gr_value *nil_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_nil();
}

static gr_ref just_shout(void)
{
    return shout(GR_ASYNC);
}
static gr_ref gives_nil(void)
{
    return lambda(GR_CHEAP, nil_fn);
}
static gr_ref nothing_then_shout(void)
{
    return gr_seq(root, nothing(), shout(GR_CHEAP), each_upper());
}
static gr_ref two_shouts(void)
{
    return gr_seq(root, shout(GR_CHEAP), shout(GR_ASYNC));
}
static gr_ref shout_or_letters(void)
{
    return gr_branch(root, letters("no"),
                     GR_ARM(lambda(GR_ASYNC, same_fn), gr_seq(root, letters("ab"), each_upper())));
}
static gr_ref route(void)
{
    return gr_router(root, GR_STEP("k", shout(GR_CHEAP)));
}
static gr_ref each_shout(void)
{
    return gr_each(root, shout(GR_ASYNC));
}
static gr_ref falls_back(void)
{
    return gr_with_fallbacks(root, boom(GR_ASYNC, "p"), each_upper());
}
static gr_ref only_nothing(void)
{
    return gr_with_fallbacks(root, nothing(), nothing());
}
static gr_ref retried_upper(void)
{
    return gr_with_retry(root, each_upper(), NULL);
}
static gr_ref parse(void)
{
    return gr_prompt(root, "{a}");
}
static gr_ref no_branches(void)
{
    return gr_parallel_n(root, NULL, 0);
}
static gr_ref nothing_assigned(void)
{
    return gr_assign_n(root, NULL, 0);
}
static gr_ref one_says_nothing(void)
{
    return gr_parallel(root, GR_STEP("n", nothing()), GR_STEP("u", each_upper()));
}
static gr_ref pick_z(void)
{
    return gr_pick(root, "z");
}
static gr_ref pick_a_b(void)
{
    return gr_pick_keys(root, "a", "b");
}
static gr_ref tap_fails(void)
{
    return gr_passthrough_tap(root, boom(GR_ASYNC, "tap"));
}
static gr_ref assign_fails(void)
{
    return gr_assign(root, GR_STEP("q", boom(GR_ASYNC, "q")));
}
static gr_ref assigned_twice(void)
{
    return gr_seq(root, gr_assign(root, GR_STEP("a", letters("xy"))),
                  gr_assign(root, GR_STEP("b", gr_pick(root, "a"))), pick_a_b());
}
static gr_ref error_in_the_middle(void)
{
    return gr_seq(root, letters("ab!"), each_upper(), gr_passthrough(root));
}
static gr_ref one_branch_fails(void)
{
    return gr_parallel(root, GR_STEP("o", gr_parallel(root, GR_STEP("i", boom(GR_ASYNC, "i")))));
}
static gr_ref each_of_each(void)
{
    return gr_each(root, gr_each(root, gr_with_fallbacks(root, boom(GR_CHEAP, "p"), just_shout())));
}
static gr_ref summed_for_a_lambda(void)
{
    return gr_seq(root, gr_parallel(root, GR_STEP("l", letters("xy")), GR_STEP("u", each_upper())),
                  gr_parallel(root, GR_STEP("all", lambda(GR_CHEAP, same_fn)),
                              GR_STEP("l", gr_pick(root, "l"))));
}

/* ---- the cases ------------------------------------------------------------------------------- */

static const struct expectation cases[] = {
    /* the default of transform streams the sum of its input; of no chunks there is none */
    { "core-11 of no chunks", route, TRANSFORM, "[]", "[]", 0 },
    { "core-11 of no chunks", each_shout, TRANSFORM, "[]", "[]", 0 },
    { "core-11 of no chunks", shout_or_letters, TRANSFORM, "[]", "[]", 0 },
    { "core-11 of no chunks", falls_back, TRANSFORM, "[]", "[]", 0 },
    { "core-11 of no chunks", parse, TRANSFORM, "[]", "[]", 0 },
    /* LangChain: UnboundLocalError */
    { "lam-09 of no chunks", just_shout, TRANSFORM, "[]", "[]", 0 },
    { "lam-09 of no chunks", nothing_then_shout, STREAM, "\"a\"", "[]", 0 },
    { "seq-01 of no chunks", two_shouts, TRANSFORM, "[]", "[]", 0 },
    { "gen-04", nothing, INVOKE, "\"a\"", "null", 0 },
    { "gen-04", nothing, STREAM, "\"a\"", "[]", 0 },
    { "lam-01 nil", gives_nil, STREAM, "\"a\"", "[null]", 0 },
    { "par-01 empty", no_branches, INVOKE, "1", "{}", 0 },
    { "par-01 empty", no_branches, BATCH, "[1,2]", "[{},{}]", 0 },
    { "par-01 empty", no_branches, STREAM, "1", "[]", 0 },
    { "par-01 empty", no_branches, TRANSFORM, "[1,2]", "[]", 0 },
    { "par-03", one_says_nothing, INVOKE, "\"a\"", "{\"n\":null,\"u\":\"A\"}", 0 },
    { "par-03", one_says_nothing, STREAM, "\"a\"", "[{\"u\":\"A\"}]", 0 },
    { "asg-01 empty", nothing_assigned, INVOKE, "{\"a\":1}", "{\"a\":1}", 0 },
    { "asg-03 empty", nothing_assigned, TRANSFORM, "[{\"a\":1},{\"b\":2}]", "[{\"a\":1},{\"b\":2}]",
      0 },
    { "asg-02", nothing_assigned, INVOKE_FAILS, "3", "must be a dict", GR_ETYPE },
    { "asg-02", assign_fails, STREAM_FAILS, "{\"a\":1}", "[{\"a\":1}]", GR_EREMOTE },
    { "asg-03", assigned_twice, STREAM, "{\"i\":1}",
      "[{\"a\":\"x\"},{\"a\":\"y\"},{\"b\":\"x\"},{\"b\":\"y\"}]", 0 },
    { "asg-01", assigned_twice, INVOKE, "{\"i\":1}", "{\"a\":\"xy\",\"b\":\"xy\"}", 0 },
    { "pick-02", pick_z, STREAM, "{\"a\":1}", "[]", 0 },
    { "pick-02", pick_z, TRANSFORM, "[{\"a\":1},{\"z\":null},{\"z\":2}]", "[2]", 0 },
    { "pick-02", pick_a_b, TRANSFORM, "[{\"b\":1,\"c\":0},{\"c\":2},{\"a\":null}]",
      "[{\"b\":1},{\"a\":null}]", 0 },
    { "pas-04", tap_fails, STREAM_FAILS, "\"a\"", "[\"a\"]", GR_EREMOTE },
    { "rou-02", route, INVOKE_FAILS, "{\"key\":\"k\"}", "{\"key\", \"input\"}", GR_ETYPE },
    { "fb-11", only_nothing, STREAM_FAILS, "\"a\"", "[]", GR_EBROKEN },
    { "fb-11", only_nothing, INVOKE, "\"a\"", "null", 0 },
    { "fb-01", falls_back, TRANSFORM, "[\"a\",\"b\"]", "[\"AB\"]", 0 },
    { "ret-08", retried_upper, TRANSFORM, "[\"a\",\"b\"]", "[\"A\",\"B\"]", 0 },
    { "ret-08", retried_upper, TRANSFORM, "[]", "[]", 0 },
    { "seq-04", error_in_the_middle, STREAM_FAILS, "1", "[\"A\",\"B\"]", GR_EREMOTE },
    { "seq-04", error_in_the_middle, INVOKE_FAILS, "1", "letters fail", GR_EREMOTE },
    { "par-05 nested", one_branch_fails, STREAM_FAILS, "\"a\"", "[]", GR_EREMOTE },
    { "par-05 nested", one_branch_fails, INVOKE_FAILS, "\"a\"", "i:a", GR_EREMOTE },
    { "eac-01 nested", each_of_each, INVOKE, "[[\"a\"],[],[\"b\",\"c\"]]",
      "[[\"a!\"],[],[\"b!\",\"c!\"]]", 0 },
    { "lam-09", summed_for_a_lambda, SUM, "\"q\"",
      "{\"all\":{\"l\":\"xy\",\"u\":\"Q\"},\"l\":\"xy\"}", 0 },
};

Test(kinds, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* ---- keyword arguments ----------------------------------------------------------------------- */

static gr_value *kwargs_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_kwargs(c) != NULL ? gr_value_ref(gr_kwargs(c)) : gr_nil();
}

static gr_value *with_kwargs(void)
{
    return json("{\"kwargs\":{\"k\":1}}");
}

/* a router gives them to what it calls in a batch, and only there */
Test(kinds, bind_01_a_routers_kwargs)
{
    gr_ref r = gr_router(root, GR_STEP("k", lambda(GR_ASYNC, kwargs_fn)));
    const char *input = "{\"key\":\"k\",\"input\":1}";

    is(answer(gr_ainvoke(rt, r, json(input), GR_CALL(.config = with_kwargs()))), "null");
    chunks_are(gr_astream(rt, r, json(input), GR_CALL(.config = with_kwargs())), "[null]");
    is(answer(
           gr_abatch(rt, r, gr_list(json(input), json(input)), GR_CALL(.config = with_kwargs()))),
       "[{\"k\":1},{\"k\":1}]");
    batch_is(gr_bind(root, r, json("{\"k\":2}")), "[{\"key\":\"k\",\"input\":1}]", "[{\"k\":2}]");
    chunks_are(
        gr_abatch_as_completed(rt, r, gr_list(json(input)), GR_CALL(.config = with_kwargs())),
        "[[0,null]]");
}

/* what an assign or a tap calls gets none, or all, of them */
Test(kinds, bind_01_kwargs_of_an_assign_and_a_tap)
{
    gr_ref shown = lambda(GR_ASYNC, kwargs_fn);

    is(answer(gr_ainvoke(rt, gr_assign(root, GR_STEP("a", shown)), json("{}"),
                         GR_CALL(.config = with_kwargs()))),
       "{\"a\":null}");
    is(answer(gr_ainvoke(rt, gr_branch(root, boom(GR_CHEAP, "no"), GR_ARM(inc(GR_CHEAP), shown)),
                         gr_int(1), GR_CALL(.config = with_kwargs()))),
       "{\"k\":1}");
    chunks_are(gr_atransform(rt, gr_with_retry(root, shown, NULL), gr_stream_of(rt, json("[1,2]")),
                             GR_CALL(.config = with_kwargs())),
               "[{\"k\":1}]");
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* starts_are compares the names, parents and tags of what has begun. */
static void starts_are(const char *expected)
{
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(seen.lines); i++) {
        const gr_value *line = gr_at(seen.lines, i);

        if (strcmp(gr_cstr(gr_at(line, 0), ""), "start") == 0)
            out = gr_append(out, gr_list(gr_value_ref(gr_at(line, 1)), gr_value_ref(gr_at(line, 3)),
                                         gr_value_ref(gr_at(line, 4))));
    }
    is(out, expected);
}

/* A retry is a binding for a transform: it has no run, and what it calls stands where it does. */
Test(kinds, ret_08_a_transform_has_no_run_of_its_own)
{
    gr_ref r = gr_seq(root, letters("ab"), gr_with_retry(root, each_upper(), NULL));

    chunks_are(gr_astream(rt, r, gr_int(1), GR_CALL(.config = observed(&seen, NULL))),
               "[\"A\",\"B\"]");
    starts_are("[[\"RunnableSequence\",null,[]],[\"letters\",\"r1\",[\"seq:step:1\"]],"
               "[\"each_upper\",\"r1\",[\"seq:step:2\"]]]");
}

/* seq-02: sequences in sequences are one; one that has a name, or another config, is a step */
Test(kinds, seq_02_sequences_are_flattened)
{
    gr_ref ab = gr_seq(root, called("a", inc(GR_CHEAP)), called("b", inc(GR_ASYNC)));
    gr_ref cd = gr_seq(root, gr_parallel(root, GR_STEP("x", called("c", inc(GR_CHEAP)))),
                       called("d", lambda(GR_CHEAP, same_fn)));

    is(answer(gr_ainvoke(rt, gr_seq(root, gr_seq(root, ab, cd), called("n", ab)), gr_int(1),
                         GR_CALL(.config = observed(&seen, NULL)))),
       "2");
    starts_are("[[\"RunnableSequence\",null,[]],[\"a\",\"r1\",[\"seq:step:1\"]],"
               "[\"b\",\"r1\",[\"seq:step:2\"]],[\"RunnableParallel<x>\",\"r1\",[\"seq:step:3\"]],"
               "[\"c\",\"r4\",[\"map:key:x\"]],[\"d\",\"r1\",[\"seq:step:4\"]],"
               "[\"n\",\"r1\",[\"seq:step:5\"]],[\"a\",\"r7\",[\"seq:step:1\"]],"
               "[\"b\",\"r7\",[\"seq:step:2\"]]]");
    fails_with(gr_check(rt, gr_seq(root, ab, gr_seq_n(root, NULL, 0))), GR_EINVAL, "no steps");
}

/* what is bound to an each is bound to what it calls: a config, kwargs, listeners */
static void count_event(void *arg, const gr_event *e)
{
    atomic_fetch_add((_Atomic int *)arg, e->run->type == GR_TYPE_CHAIN);
}

Test(kinds, eac_01_a_binding_goes_to_the_items)
{
    static _Atomic int heard;
    gr_ref shown = lambda(GR_ASYNC, same_fn);
    gr_ref r = gr_with_config(root, gr_each(root, called("f", shown)),
                              json("{\"run_name\":\"x\",\"tags\":[\"t\"]}"));
    gr_ref l = gr_with_listeners(
        root, gr_each(root, shown),
        GR_LISTENERS(.on_start = count_event, .on_end = count_event, .arg = (void *)&heard));

    is(answer(gr_ainvoke(rt, r, json("[1]"), GR_CALL(.config = observed(&seen, NULL)))), "[1]");
    starts_are("[[\"RunnableEach<f>\",null,[]],[\"x\",\"r1\",[\"t\"]]]");
    invoke_is(l, "[1,2,3]", "[1,2,3]");
    cr_assert_eq(atomic_load(&heard), 6); /* three items begin and end; the each is not heard of */
    invoke_is(gr_bind(root, gr_each(root, lambda(GR_ASYNC, kwargs_fn)), json("{\"k\":1}")), "[0]",
              "[{\"k\":1}]");
    fails_with(gr_check(rt, gr_bind(root, gr_each(root, shown), gr_int(1))), GR_ETYPE,
               "must be a map");
}

/* what is not run has no run */
Test(kinds, core_11_no_chunks_no_run)
{
    chunks_are(gr_atransform(rt, route(), gr_stream_of(rt, json("[]")),
                             GR_CALL(.config = observed(&seen, NULL))),
               "[]");
    chunks_are(gr_atransform(rt, shout_or_letters(), gr_stream_of(rt, json("[]")),
                             GR_CALL(.config = observed(&seen, NULL))),
               "[]");
    cr_assert_eq(observer_runs(&seen), 0);
}

/* a run that begins, of a sequence or a lambda, ends when there was nothing to read: see down */
Test(kinds, lam_09_a_run_of_no_chunks_ends)
{
    chunks_are(gr_atransform(rt, nothing_then_shout(), gr_stream_of(rt, json("[]")),
                             GR_CALL(.config = observed(&seen, NULL))),
               "[]");
    cr_assert_geq(observer_runs(&seen), 1);
}

/* what names a run names that alone, whether somebody hears of it or not */
static gr_value *names_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *name = gr_get(gr_config(c), "run_name");

    (void)arg, (void)input;
    return name != NULL ? gr_value_ref(name) : gr_str("-");
}

static gr_value *answer_with_ref_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_ref_value(*(gr_ref *)arg);
}

static void names_of_kind(gr_kind kind)
{
    gr_ref shown = lambda(kind, names_fn);
    gr_ref all[] = { gr_seq(root, shown, shown), gr_branch(root, shown, GR_ARM(gives_nil(), shown)),
                     gr_with_fallbacks(root, shown), gr_with_retry(root, shown, NULL),
                     gr_lambda(root, GR_ASYNC, answer_with_ref_fn, NULL, &shown) };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        gr_ref r = called("n", all[i]);

        invoke_is(r, "1", "\"-\"");
        stream_is(r, "1", "[\"-\"]");
        is(answer(gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = observed(&seen, NULL)))), "\"-\"");
    }
    is(answer(gr_ainvoke(rt, gr_each(root, shown), json("[1]"),
                         GR_CALL(.config = json("{\"run_name\":\"n\"}")))),
       "[\"-\"]");
    /* a router and a binding have no run, so what they call has the name; so does what an each calls */
    invoke_is(called("n", gr_each(root, shown)), "[1,2]", "[\"n\",\"n\"]");
    invoke_is(called("n", gr_router(root, GR_STEP("k", shown))), "{\"key\":\"k\",\"input\":1}",
              "\"n\"");
    invoke_is(called("n", gr_bind(root, shown, json("{}"))), "1", "\"n\"");
    batch_is(called("n", shown), "[1,2]", "[\"n\",\"n\"]");
}

Test(kinds, cfg_05_a_name_is_not_handed_on)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++)
        names_of_kind(kind);
}

/* ---- configurable ---------------------------------------------------------------------------- */

Test(kinds, con_02_an_alternative_is_a_text)
{
    gr_ref r = gr_configurable_alternatives(root, inc(GR_CHEAP), GR_ALTERNATIVES(.id = "which"),
                                            GR_STEP("5", dbl(GR_CHEAP)));
    gr_call_opts o = { .size = sizeof(o), .config = json("{\"configurable\":{\"which\":5}}") };

    fails_with(answer(gr_ainvoke(rt, r, gr_int(1), &o)), GR_EINVAL, "Unknown alternative: 5");
    o.config = json("{\"which\":\"5\"}");
    is(answer(gr_ainvoke(rt, r, gr_int(4), &o)), "8");
}
