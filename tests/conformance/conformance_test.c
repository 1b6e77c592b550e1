/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance_test.c - what langchain-core does, case by case, for the kinds of runnable in
 * actors/compose.
 *
 * The cases of the kinds that most chains are made of; the other files have those of their areas.
 * See cases.h.
 */
#include "tests/conformance/cases.h"

TestSuite(conformance, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- the chains ------------------------------------------------------------------------------ */

static gr_value *len_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int((int64_t)gr_len(input));
}

static gr_value *upper_or_fail_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const char *text = gr_cstr(input, "");

    (void)c, (void)arg;
    if (strcmp(text, "b") == 0)
        return gr_error(GR_EREMOTE, "no %s", text);
    return gr_strf("%c", toupper((unsigned char)text[0]));
}

static gr_value *num_plus_one_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(gr_get(input, "num"), 0) + 1);
}

static gr_value *nine_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_int(9);
}

static gr_value *new_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_str("new");
}

static gr_ref sync_len(void)
{
    return lambda(GR_BLOCKING, len_fn);
}
static gr_ref cheap_inc(void)
{
    return inc(GR_CHEAP);
}
static gr_ref async_dbl(void)
{
    return dbl(GR_ASYNC);
}
static gr_ref cheap_shout(void)
{
    return shout(GR_CHEAP);
}
static gr_ref identity(void)
{
    return lambda(GR_CHEAP, same_fn);
}
static gr_ref upper_or_fail(void)
{
    return lambda(GR_ASYNC, upper_or_fail_fn);
}
static gr_ref passthrough(void)
{
    return gr_passthrough(root);
}
static gr_ref abc(void)
{
    return letters("abc");
}
static gr_ref a_then_fails(void)
{
    return letters("a!");
}
static gr_ref inc_dbl(void)
{
    return gr_seq(root, inc(GR_ASYNC), dbl(GR_CHEAP));
}
static gr_ref pick_a(void)
{
    return gr_pick(root, "a");
}
static gr_ref pick_z(void)
{
    return gr_pick(root, "z");
}

static gr_ref inc_boom_dbl(void)
{
    return gr_seq(root, inc(GR_ASYNC), boom(GR_CHEAP, "boom"), dbl(GR_ASYNC));
}

/* (a | b) | ({x: c, y: d} | last): four steps */
static gr_ref nested_sequence(void)
{
    gr_ref last =
        gr_seq(root, gr_parallel(root, GR_STEP("x", inc(GR_CHEAP)), GR_STEP("y", dbl(GR_CHEAP))),
               lambda(GR_CHEAP, same_fn));

    return gr_seq(root, gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC)), last);
}

static gr_ref upper_or_fail_shout(void)
{
    return gr_seq(root, upper_or_fail(), shout(GR_ASYNC));
}

static gr_ref b_inc_a_dbl(void)
{
    return gr_parallel(root, GR_STEP("b", inc(GR_CHEAP)), GR_STEP("a", dbl(GR_ASYNC)));
}

static gr_ref x_abc_y_dd(void)
{
    return gr_parallel(root, GR_STEP("x", letters("abc")), GR_STEP("y", letters("dd")));
}

static gr_ref x_fails(void)
{
    return gr_parallel(root, GR_STEP("x", boom(GR_ASYNC, "x")), GR_STEP("y", shout(GR_ASYNC)));
}

static gr_ref upper_and_same(void)
{
    return gr_parallel(root, GR_STEP("u", each_upper()), GR_STEP("p", gr_passthrough(root)));
}

static gr_ref nested_parallel(void)
{
    gr_ref inner = gr_parallel(root, GR_STEP("a", letters("xy")), GR_STEP("b", shout(GR_CHEAP)));

    return gr_parallel(root, GR_STEP("outer", inner));
}

static gr_ref assign_q(void)
{
    return gr_assign(root, GR_STEP("q", lambda(GR_ASYNC, num_plus_one_fn)));
}

static gr_ref assign_num(void)
{
    return gr_assign(root, GR_STEP("num", lambda(GR_CHEAP, nine_fn)));
}

static gr_ref assign_new(void)
{
    return gr_assign(root, GR_STEP("q", lambda(GR_ASYNC, new_fn)));
}

static gr_ref retry_boom(void)
{
    return gr_with_retry(root, boom(GR_ASYNC, "f"),
                         GR_RETRY(.attempts = 2, .backoff_ms = -1, .jitter_ms = -1));
}

static gr_ref retry_abc(void)
{
    return gr_with_retry(root, letters("abc"), NULL);
}

static gr_ref p_fails_second_ok(void)
{
    return gr_with_fallbacks(root, boom(GR_ASYNC, "p"), shout(GR_ASYNC));
}

static gr_ref all_fail(void)
{
    return gr_with_fallbacks(root, boom(GR_ASYNC, "p"), boom(GR_CHEAP, "q"));
}

static gr_ref fails_then_foo(void)
{
    return gr_with_fallbacks(root, letters("!"), letters("foo"));
}
static gr_ref empty_then_foo(void)
{
    return gr_with_fallbacks(root, letters(""), letters("foo"));
}

static gr_ref breaks_late(void)
{
    return gr_with_fallbacks(root, letters("a!"), letters("foo"));
}

static gr_ref only_b_falls_back(void)
{
    return gr_with_fallbacks(root, upper_or_fail(), shout(GR_CHEAP));
}

/* ---- the cases ------------------------------------------------------------------------------- */

static const struct expectation cases[] = {
    { "core-01", sync_len, INVOKE, "\"hello\"", "5", 0 },
    { "core-01", sync_len, BATCH, "[\"hello\",\"wooorld\"]", "[5,7]", 0 },
    { "core-01", sync_len, STREAM, "\"hello\"", "[5]", 0 },
    { "core-02", cheap_inc, BATCH, "[]", "[]", 0 },
    { "core-09", upper_or_fail, BATCH_KEEPS, "[\"a\",\"b\",\"c\"]", "[\"A\",\"!no b\",\"C\"]", 0 },
    { "core-11", cheap_shout, TRANSFORM, "[\"a\",\"b\",\"c\"]", "[\"abc!\"]", 0 },
    /* Greenroom's maps are all addable, as lam-09's AddableDict */
    { "core-12", identity, TRANSFORM, "[{\"foo\":\"a\"},{\"foo\":\"n\"}]", "[{\"foo\":\"an\"}]",
      0 },
    { "lam-01", cheap_inc, INVOKE, "1", "2", 0 },
    { "lam-01", async_dbl, BATCH, "[1,2]", "[2,4]", 0 },
    { "lam-07", abc, STREAM, "\"_\"", "[\"a\",\"b\",\"c\"]", 0 },
    { "lam-07", abc, INVOKE, "\"_\"", "\"abc\"", 0 },
    /* there is no coroutine that a plain call can't run: the twins are one method */
    { "lam-10", async_dbl, INVOKE, "1", "2", 0 },
    { "gen-06", a_then_fails, STREAM_FAILS, "\"_\"", "[\"a\"]", GR_EREMOTE },
    { "seq-01", inc_dbl, INVOKE, "3", "8", 0 },
    { "seq-01", inc_dbl, BATCH, "[3,4]", "[8,10]", 0 },
    { "seq-01", inc_dbl, STREAM, "3", "[8]", 0 },
    { "seq-02", nested_sequence, INVOKE, "1", "{\"x\":4,\"y\":6}", 0 },
    { "seq-04", inc_boom_dbl, INVOKE_FAILS, "1", "boom", GR_EREMOTE },
    { "seq-06", upper_or_fail_shout, BATCH_KEEPS, "[\"a\",\"b\",\"c\"]",
      "[\"A!\",\"!no b\",\"C!\"]", 0 },
    { "par-01", b_inc_a_dbl, INVOKE, "3", "{\"b\":4,\"a\":6}", 0 },
    { "par-01", b_inc_a_dbl, BATCH, "[3,4]", "[{\"b\":4,\"a\":6},{\"b\":5,\"a\":8}]", 0 },
    { "par-03", x_abc_y_dd, SUM, "\"_\"", "{\"x\":\"abc\",\"y\":\"dd\"}", 0 },
    { "par-03", x_abc_y_dd, INVOKE, "\"_\"", "{\"x\":\"abc\",\"y\":\"dd\"}", 0 },
    { "par-05", x_fails, INVOKE_FAILS, "\"_\"", "x:_", GR_EREMOTE },
    { "par-08", nested_parallel, SUM, "\"_\"", "{\"outer\":{\"a\":\"xy\",\"b\":\"_!\"}}", 0 },
    { "pas-01", passthrough, INVOKE, "1", "1", 0 },
    { "pas-01", passthrough, BATCH, "[1,2]", "[1,2]", 0 },
    { "pas-01", passthrough, TRANSFORM, "[1,2]", "[1,2]", 0 },
    { "pas-03", passthrough, TRANSFORM, "[{\"foo\":\"a\"},{\"foo\":\"n\"}]",
      "[{\"foo\":\"a\"},{\"foo\":\"n\"}]", 0 },
    { "asg-01", assign_q, INVOKE, "{\"num\":1}", "{\"num\":1,\"q\":2}", 0 },
    { "asg-01", assign_num, INVOKE, "{\"num\":1}", "{\"num\":9}", 0 },
    { "asg-02", assign_q, INVOKE_FAILS, "\"x\"", "must be a dict", GR_ETYPE },
    { "asg-03", assign_new, TRANSFORM, "[{\"a\":\"1\"},{\"b\":\"2\"}]",
      "[{\"a\":\"1\"},{\"b\":\"2\"},{\"q\":\"new\"}]", 0 },
    { "asg-04", assign_new, TRANSFORM, "[{\"a\":1,\"q\":0}]", "[{\"a\":1},{\"q\":\"new\"}]", 0 },
    { "pick-01", pick_a, INVOKE, "{\"a\":1,\"b\":2,\"c\":3}", "1", 0 },
    { "pick-01", pick_z, INVOKE, "{\"a\":1,\"b\":2,\"c\":3}", "null", 0 },
    { "pick-02", pick_a, TRANSFORM, "[{\"a\":1},{\"b\":2},{\"a\":3}]", "[1,3]", 0 },
    { "ret-02", retry_boom, INVOKE_FAILS, "\"x\"", "f:x", GR_EREMOTE },
    { "ret-05", retry_boom, BATCH_KEEPS, "[\"a\",\"b\"]", "[\"!f:a\",\"!f:b\"]", 0 },
    { "ret-08", retry_abc, STREAM, "\"_\"", "[\"a\",\"b\",\"c\"]", 0 },
    { "fb-01", p_fails_second_ok, INVOKE, "\"x\"", "\"x!\"", 0 },
    { "fb-01", p_fails_second_ok, BATCH, "[\"x\",\"y\"]", "[\"x!\",\"y!\"]", 0 },
    { "fb-01", p_fails_second_ok, STREAM, "\"x\"", "[\"x!\"]", 0 },
    { "fb-02", all_fail, INVOKE_FAILS, "\"x\"", "p:x", GR_EREMOTE },
    { "fb-07", all_fail, BATCH_KEEPS, "[\"a\"]", "[\"!p:a\"]", 0 },
    { "fb-07", only_b_falls_back, BATCH_KEEPS, "[\"a\",\"b\"]", "[\"A\",\"b!\"]", 0 },
    { "fb-08", fails_then_foo, STREAM, "\"_\"", "[\"f\",\"o\",\"o\"]", 0 },
    { "fb-09", breaks_late, STREAM_FAILS, "\"_\"", "[\"a\"]", GR_EREMOTE },
    { "fb-11", empty_then_foo, STREAM, "\"_\"", "[\"f\",\"o\",\"o\"]", 0 },
};

Test(conformance, what_langchain_core_gives)
{
    check_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* par-04: the input is shared out, both branches see every chunk; the order between them is open */
Test(conformance, par_04_both_branches_see_every_chunk)
{
    gr_value *err = NULL;
    gr_value *list = chunks(
        gr_atransform(rt, upper_and_same(), gr_stream_of(rt, json("[\"a\",\"b\",\"c\"]")), NULL),
        &err);
    gr_value *sum = NULL;

    cr_assert_null(err);
    cr_assert_eq(gr_len(list), 6);
    for (size_t i = 0; i < 6; i++)
        sum = gr_add(sum, gr_value_ref(gr_at(list, i)));
    cr_assert_str_eq(gr_cstr(gr_get(sum, "u"), ""), "ABC");
    cr_assert_str_eq(gr_cstr(gr_get(sum, "p"), ""), "abc");
    gr_value_unref(sum);
    gr_value_unref(list);
}

/* par-08: each chunk is of one branch, at each level */
Test(conformance, par_08_chunks_have_one_key_at_each_level)
{
    gr_value *err = NULL;
    gr_value *list = chunks(gr_astream(rt, nested_parallel(), gr_str("_"), NULL), &err);

    cr_assert_null(err);
    cr_assert_eq(gr_len(list), 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(gr_len(gr_at(list, i)), 1);
        cr_assert_eq(gr_len(gr_get(gr_at(list, i), "outer")), 1);
    }
    gr_value_unref(list);
}

static void next_is(gr_stream *s, const char *expected)
{
    gr_outcome o = gr_next(s, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_OK);
    is(gr_value_ref(o.value), expected);
}

/* asg-03: what is passed through does not wait for the mapper */
Test(conformance, asg_03_the_input_is_passed_on_while_the_mapper_works)
{
    static struct gate g = GATE;
    gr_stream *s = gr_atransform(rt, gr_assign(root, GR_STEP("q", gate(&g))),
                                 gr_stream_of(rt, json("[{\"a\":\"1\"},{\"b\":\"2\"}]")), NULL);

    next_is(s, "{\"a\":\"1\"}");
    next_is(s, "{\"b\":\"2\"}");
    gate_open(&g, gr_str("Q"));
    next_is(s, "{\"q\":\"Q\"}");
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
}

/* par-02: what has come is passed on, whichever step it is of; a step that is slow holds up no other */
Test(conformance, par_02_chunks_come_as_they_are_ready)
{
    static struct gate g = GATE;
    gr_ref r = gr_parallel(root, GR_STEP("slow", gate(&g)), GR_STEP("quick", letters("ab")));
    gr_stream *s = gr_astream(rt, r, gr_str("_"), NULL);

    next_is(s, "{\"quick\":\"a\"}");
    next_is(s, "{\"quick\":\"b\"}");
    gate_open(&g, gr_str("c"));
    next_is(s, "{\"slow\":\"c\"}");
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
}

/* gen-05: closing ends the producer, and is done when it has ended */
Test(conformance, gen_05_close_is_prompt)
{
    static struct endless e;
    gr_stream *s = gr_astream(rt, endless(&e), gr_str("_"), GR_CALL(.window_chunks = 1));

    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    cr_assert(atomic_load(&e.left));
    cr_assert_leq(atomic_load(&e.sent), 3);
}

/* ret-04, ret-06: LangChain repeats an answer for the one that never succeeds (#35475); this
 * must not */
static gr_value *dead_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    if (strcmp(gr_cstr(input, ""), "dead") == 0 ||
        (strcmp(gr_cstr(input, ""), "flaky") == 0 && atomic_fetch_add((_Atomic int *)arg, 1) == 0))
        return gr_error(GR_EREMOTE, "%s", gr_cstr(input, ""));
    return gr_strf("R:%s", gr_cstr(input, ""));
}

Test(conformance, ret_06_positions_are_kept)
{
    _Atomic int calls = 0;
    gr_ref r = gr_with_retry(root, gr_lambda(root, GR_ASYNC, dead_fn, NULL, &calls),
                             GR_RETRY(.attempts = 2, .backoff_ms = -1, .jitter_ms = -1));

    is(kept(answer(gr_abatch(rt, r, json("[\"flaky\",\"dead\",\"a\"]"),
                             GR_CALL(.return_exceptions = true)))),
       "[\"R:flaky\",\"!dead\",\"R:a\"]");
    fails_with(answer(gr_abatch(rt, r, json("[\"a\",\"dead\"]"), NULL)), GR_EREMOTE, "dead");
}
