/* SPDX-License-Identifier: Apache-2.0 */
/* choose_test.c - langchain-core's branch, router, each and binding. */
#include "tests/conformance/cases.h"

TestSuite(choose, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- branch ---------------------------------------------------------------------------------- */

static gr_value *over_10_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_bool(gr_as_int(input, 0) > 10);
}

static gr_value *over_5_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_as_int(input, 0) > 5 ? gr_str("yes") : gr_list_n(NULL, 0);
}

static gr_value *name_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_str(arg);
}

static gr_ref named(gr_kind kind, const char *name)
{
    return gr_lambda(root, kind, name_fn, NULL, (void *)(uintptr_t)name);
}

static gr_ref sizes_of(gr_kind kind)
{
    return gr_branch(root, named(kind, "small"),
                     GR_ARM(lambda(kind, over_10_fn), named(kind, "big")),
                     GR_ARM(lambda(kind, over_5_fn), named(kind, "mid")));
}

static gr_ref cheap_sizes(void)
{
    return sizes_of(GR_CHEAP);
}
static gr_ref async_sizes(void)
{
    return sizes_of(GR_ASYNC);
}

static gr_ref go_streams(void)
{
    return gr_branch(root, letters("no"), GR_ARM(lambda(GR_ASYNC, same_fn), letters("ab")));
}

static gr_ref condition_fails(void)
{
    return gr_branch(root, inc(GR_CHEAP), GR_ARM(boom(GR_ASYNC, "cond"), dbl(GR_CHEAP)));
}

/* ---- router ---------------------------------------------------------------------------------- */

static gr_value *square_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(input, 0) * gr_as_int(input, 0));
}

static gr_ref add_or_square(void)
{
    return gr_router(root, GR_STEP("add", inc(GR_ASYNC)),
                     GR_STEP("square", lambda(GR_CHEAP, square_fn)));
}

static gr_ref letters_router(void)
{
    return gr_router(root, GR_STEP("l", letters("xyz")));
}

/* ---- each ------------------------------------------------------------------------------------ */

static gr_ref each_inc(void)
{
    return gr_each(root, inc(GR_ASYNC));
}
static gr_ref each_each_inc(void)
{
    return gr_each(root, gr_each(root, inc(GR_CHEAP)));
}
static gr_ref each_boom(void)
{
    return gr_each(root, boom(GR_ASYNC, "each"));
}

/* ---- binding --------------------------------------------------------------------------------- */

static gr_value *shown_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *kwargs = gr_kwargs(c);

    (void)arg;
    return gr_map(GR_KV("x", gr_value_ref(input)),
                  GR_KV("k", kwargs != NULL ? gr_value_ref(kwargs) : gr_nil()));
}

static gr_value *tags_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_value_ref(gr_get(gr_config(c), "tags"));
}

static gr_ref bound_twice(void)
{
    return gr_bind(root, gr_bind(root, lambda(GR_CHEAP, shown_fn), json("{\"a\":1}")),
                   json("{\"b\":2}"));
}

/* kwargs go to the first step of a sequence only, and to no step of a parallel */
static gr_ref bound_sequence(void)
{
    gr_ref shown = lambda(GR_CHEAP, shown_fn);

    return gr_bind(root, gr_seq(root, shown, shown, gr_parallel(root, GR_STEP("p", shown))),
                   json("{\"a\":1}"));
}

static gr_ref tagged(void)
{
    gr_ref inner =
        gr_with_config(root, lambda(GR_ASYNC, tags_fn), json("{\"tags\":[\"z\",\"b\"]}"));

    return gr_with_config(root, inner, json("{\"tags\":[\"a\",\"b\"]}"));
}

static gr_ref bound_streams(void)
{
    return gr_with_config(root, letters("ab"), json("{\"tags\":[\"t\"]}"));
}

static const struct expectation cases[] = {
    { "bra-01", cheap_sizes, BATCH, "[12,7,1]", "[\"big\",\"mid\",\"small\"]", 0 },
    { "bra-01", async_sizes, BATCH, "[12,7,1]", "[\"big\",\"mid\",\"small\"]", 0 },
    { "bra-01", async_sizes, STREAM, "7", "[\"mid\"]", 0 },
    { "bra-04", condition_fails, INVOKE_FAILS, "\"x\"", "cond:x", GR_EREMOTE },
    { "bra-04", condition_fails, STREAM_FAILS, "\"x\"", "[]", GR_EREMOTE },
    { "bra-05", go_streams, STREAM, "\"go\"", "[\"a\",\"b\"]", 0 },
    { "bra-05", go_streams, STREAM, "\"\"", "[\"n\",\"o\"]", 0 },
    { "bra-05", go_streams, TRANSFORM, "[\"g\",\"o\"]", "[\"a\",\"b\"]", 0 },
    { "rou-01", add_or_square, BATCH,
      "[{\"key\":\"add\",\"input\":2},{\"key\":\"square\",\"input\":4}]", "[3,16]", 0 },
    { "rou-01", letters_router, STREAM, "{\"key\":\"l\",\"input\":2}", "[\"x\",\"y\",\"z\"]", 0 },
    { "rou-01", letters_router, TRANSFORM, "[{\"key\":\"l\"},{\"input\":2}]", "[\"x\",\"y\",\"z\"]",
      0 },
    { "rou-02", add_or_square, INVOKE_FAILS, "{\"key\":\"nope\",\"input\":4}",
      "No runnable associated with key 'nope'", GR_EINVAL },
    { "eac-01", each_inc, INVOKE, "[1,2,3]", "[2,3,4]", 0 },
    { "eac-01", each_inc, BATCH, "[[1],[2,3]]", "[[2],[3,4]]", 0 },
    { "eac-01", each_inc, STREAM, "[1,2,3]", "[[2,3,4]]", 0 },
    { "eac-01", each_inc, TRANSFORM, "[[1],[2]]", "[[2,3]]", 0 },
    { "eac-01", each_inc, INVOKE, "[]", "[]", 0 },
    { "eac-01", each_each_inc, INVOKE, "[[1],[2,3]]", "[[2],[3,4]]", 0 },
    { "eac-02", each_boom, INVOKE_FAILS, "[\"x\"]", "each:x", GR_EREMOTE },
    { "eac-02", each_inc, INVOKE_FAILS, "7", "must be a list", GR_ETYPE },
    { "bind-01", bound_twice, INVOKE, "0", "{\"x\":0,\"k\":{\"a\":1,\"b\":2}}", 0 },
    { "seq-08", bound_sequence, INVOKE, "0",
      "{\"p\":{\"x\":{\"x\":{\"x\":0,\"k\":{\"a\":1}},\"k\":null},\"k\":null}}", 0 },
    { "seq-08", bound_sequence, STREAM, "0",
      "[{\"p\":{\"x\":{\"x\":{\"x\":0,\"k\":{\"a\":1}},\"k\":null},\"k\":null}}]", 0 },
    { "bind-02", tagged, INVOKE, "0", "[\"a\",\"b\",\"z\"]", 0 },
    { "bind-02", tagged, BATCH, "[0,0]", "[[\"a\",\"b\",\"z\"],[\"a\",\"b\",\"z\"]]", 0 },
    { "bind-02", bound_streams, STREAM, "0", "[\"a\",\"b\"]", 0 },
    { "bind-02", bound_streams, TRANSFORM, "[0]", "[\"a\",\"b\"]", 0 },
};

Test(choose, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

Test(choose, bind_01_later_wins)
{
    is(answer(gr_ainvoke(rt, bound_twice(), gr_int(0),
                         GR_CALL(.config = json("{\"kwargs\":{\"a\":9}}")))),
       "{\"x\":0,\"k\":{\"a\":9,\"b\":2}}");
}

Test(choose, bind_02_a_batchs_configs_are_laid_over)
{
    gr_call_opts o = { .size = sizeof(o), .config = json("[{\"tags\":[\"c\"]},{}]") };

    is(answer(gr_abatch(rt, tagged(), json("[0,0]"), &o)),
       "[[\"a\",\"b\",\"c\",\"z\"],[\"a\",\"b\",\"z\"]]");
}

Test(choose, rou_02_a_batch_looks_at_all_keys_first)
{
    struct flaky f = { 0 };
    gr_ref r = gr_router(root, GR_STEP("add", flaky(GR_CHEAP, &f)));

    fails_with(
        answer(gr_abatch(rt, r, json("[{\"key\":\"add\",\"input\":2},{\"key\":\"nope\"}]"), NULL)),
        GR_EINVAL, "'nope'");
    cr_assert_eq(atomic_load(&f.calls), 0);
}

Test(choose, what_cant_be_made_is_broken)
{
    gr_ref none = { 0, 0 };
    gr_value *err = gr_check(rt, gr_branch_n(root, none, NULL, 0));

    fails_with(err, GR_EINVAL, "no arms");
    fails_with(gr_check(rt, gr_bind(root, inc(GR_CHEAP), gr_int(1))), GR_ETYPE, "must be a map");
    fails_with(gr_check(rt, gr_with_config(root, inc(GR_CHEAP), gr_int(1))), GR_ETYPE,
               "must be a map");
    fails_with(gr_check(rt, gr_router_n(root, NULL, 0)), GR_EINVAL, "no steps");
    cr_assert_not_null(err = gr_check(rt, gr_each(root, none)));
    gr_value_unref(err);
}

/* a condition that is cancelled while it waits ends the branch */
Test(choose, a_branch_is_cancelled_while_it_asks)
{
    static struct gate g = GATE;
    gr_ref r = gr_branch(root, inc(GR_CHEAP), GR_ARM(gate(&g), dbl(GR_CHEAP)));
    gr_future *f = gr_ainvoke(rt, r, gr_int(1), NULL);

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gr_promise_free(g.promise);
}
