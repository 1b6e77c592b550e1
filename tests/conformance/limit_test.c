/* SPDX-License-Identifier: Apache-2.0 */
/* limit_test.c - max_concurrency: where langchain-core has one for each batch, Greenroom has one for
 * the whole tree of a run, held by leaf work only. */
#include "tests/conformance/cases.h"

TestSuite(limit, .init = set_up, .fini = tear_down, .timeout = 120);

/* Counts how many of its calls are inside at once; each stays for a moment. */
struct crowd {
    _Atomic int inside, peak, calls;
};

static gr_value *enter(gr_ctx *c, struct crowd *w, const gr_value *input)
{
    int inside = atomic_fetch_add(&w->inside, 1) + 1, peak = atomic_load(&w->peak);

    while (inside > peak && !atomic_compare_exchange_weak(&w->peak, &peak, inside))
        ;
    atomic_fetch_add(&w->calls, 1);
    gr_sleep(gr_runtime_of(c), 1);
    atomic_fetch_sub(&w->inside, 1);
    return gr_value_ref(input);
}

static gr_value *crowd_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    return enter(c, arg, input);
}

static gr_ref crowd(gr_kind kind, struct crowd *w)
{
    return gr_lambda(root, kind, crowd_fn, NULL, w);
}

static gr_ref ten_branches(gr_ref r)
{
    static char keys[10][2];
    gr_step steps[10];

    for (int i = 0; i < 10; i++) {
        keys[i][0] = (char)('a' + i);
        steps[i] = (gr_step){ keys[i], r };
    }
    return gr_parallel_n(root, steps, 10);
}

static gr_value *under(gr_ref r, int limit, const char *inputs)
{
    gr_call_opts o = { .size = sizeof(o),
                       .config = gr_map(GR_KV("max_concurrency", gr_int(limit))) };

    return answer(inputs != NULL ? gr_abatch(rt, r, json(inputs), &o)
                                 : gr_ainvoke(rt, r, gr_int(1), &o));
}

/* LangChain's asynchronous parallel has no limit: 10 at once */
Test(limit, par_06_a_parallel_obeys)
{
    for (gr_kind kind = GR_ASYNC; kind <= GR_BLOCKING; kind++) {
        struct crowd w = { 0 };
        gr_value *map = under(ten_branches(crowd(kind, &w)), 2, NULL);

        cr_assert_eq(gr_len(map), 10);
        gr_value_unref(map);
        cr_assert_eq(atomic_load(&w.calls), 10);
        cr_assert_eq(atomic_load(&w.peak), 2, "%d", atomic_load(&w.peak));
    }
}

/* LangChain counts for each batch and each parallel: 3 items of 10 branches would be 30 */
Test(limit, par_06_a_parallel_in_a_batch_obeys)
{
    struct crowd w = { 0 };
    gr_value *list = under(ten_branches(crowd(GR_ASYNC, &w)), 3, "[1,2,3,4]");

    cr_assert_eq(gr_len(list), 4);
    gr_value_unref(list);
    cr_assert_eq(atomic_load(&w.calls), 40);
    cr_assert_leq(atomic_load(&w.peak), 3);
    cr_assert_geq(atomic_load(&w.peak), 2);
}

/* A level of batches: each call makes a batch of three of the next level. */
struct level {
    struct crowd *crowd;
    gr_ref next; /* {0, 0}: it is a leaf */
};

static gr_value *level_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct level *l = arg;
    gr_value *err = NULL, *v;

    if (l->next.id == 0)
        return enter(c, l->crowd, input);
    v = gr_batch(gr_runtime_of(c), l->next, json("[1,2,3]"), NULL, &err);
    return v != NULL ? v : err;
}

Test(limit, three_nested_batches_finish_under_a_limit_of_1)
{
    struct crowd w = { 0 };
    struct level levels[3] = { { .crowd = &w }, { .crowd = &w }, { .crowd = &w } };
    gr_ref r = { 0, 0 };

    for (int i = 0; i < 3; i++) {
        levels[i].next = r;
        r = gr_lambda(root, i == 1 ? GR_BLOCKING : GR_ASYNC, level_fn, NULL, &levels[i]);
    }
    is(under(r, 1, "[1,2,3]"), "[[[1,2,3],[1,2,3],[1,2,3]],[[1,2,3],[1,2,3],[1,2,3]],"
                               "[[1,2,3],[1,2,3],[1,2,3]]]");
    cr_assert_eq(atomic_load(&w.calls), 27);
    cr_assert_eq(atomic_load(&w.peak), 1);
}

/* a limit that a binding gives holds for what is bound */
Test(limit, a_binding_limits_what_it_binds)
{
    struct crowd w = { 0 };
    gr_ref r =
        gr_with_config(root, ten_branches(crowd(GR_ASYNC, &w)), json("{\"max_concurrency\":2}"));
    gr_value *map = answer(gr_ainvoke(rt, r, gr_int(1), NULL));

    cr_assert_eq(gr_len(map), 10);
    gr_value_unref(map);
    cr_assert_eq(atomic_load(&w.peak), 2);
}

/* a sequence of streams needs all of its steps at once */
Test(limit, streams_flow_under_a_limit_of_1)
{
    gr_ref r = gr_seq(root, letters("abcdefghijklmnopqrstuvwxyz"), each_upper(),
                      gr_parallel(root, GR_STEP("a", each_upper()), GR_STEP("b", letters("xy"))));
    gr_call_opts o = { .size = sizeof(o),
                       .window_chunks = 1,
                       .config = json("{\"max_concurrency\":1}") };

    sum_equals(gr_astream(rt, r, gr_int(1), &o),
               "{\"a\":\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\",\"b\":\"xy\"}");
}

/* what waits for a permit is cancelled, and what comes after it goes on */
Test(limit, waiting_calls_are_cancelled)
{
    static struct gate g = GATE;
    struct crowd w = { 0 };
    gr_ref r = gr_parallel(root, GR_STEP("g", gate(&g)), GR_STEP("a", crowd(GR_ASYNC, &w)),
                           GR_STEP("b", crowd(GR_BLOCKING, &w)));
    gr_future *f = gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = json("{\"max_concurrency\":1}")));

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gr_promise_free(g.promise);
    cr_assert_eq(atomic_load(&w.calls), 0);
}

/* of many that wait, all end, whatever the first one does */
Test(limit, a_failure_lets_the_others_go)
{
    static struct crowd w; /* handlers that were cancelled come to their end later */

    fails_with(under(gr_parallel(root, GR_STEP("x", boom(GR_ASYNC, "x")),
                                 GR_STEP("y", ten_branches(crowd(GR_ASYNC, &w)))),
                     1, "[1,2,3]"),
               GR_EREMOTE, "x:");
    is(under(gr_each(root, crowd(GR_ASYNC, &w)), 1, "[[1,2],[3]]"), "[[1,2],[3]]");
    for (int i = 0; i < TEST_WAIT_MS && atomic_load(&w.inside) != 0; i++)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(&w.inside), 0);
}

/* an actor that has gone fails what waits for it */
Test(limit, an_actor_that_stops_fails_what_waits)
{
    static struct gate g = GATE;
    struct crowd w = { 0 };
    gr_ref gone = crowd(GR_ASYNC, &w);
    gr_ref r = gr_parallel(root, GR_STEP("g", gate(&g)), GR_STEP("a", gone));
    gr_future *f = gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = json("{\"max_concurrency\":1}")));

    gate_wait(&g, &g.entered, 1);
    gr_stop(rt, gone);
    gate_open(&g, gr_int(1));
    fails_with(answer(f), GR_EDEAD, "");
}
