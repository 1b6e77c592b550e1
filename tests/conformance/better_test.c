/* SPDX-License-Identifier: Apache-2.0 */
/*
 * better_test.c - what is said in docs/from-langchain.md, "Better than the original", and is not tested with
 * the cases that it goes beyond: siblings that are left end well, sums stay linear, events cost no thread.
 */
#include "tests/conformance/cases.h"
#include "tests/support/memory.h"
#include "tests/support/stage.h"

TestSuite(better, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- siblings that are left ------------------------------------------------------------------ */

static gr_value *left(struct stage *s)
{
    return gr_map(GR_KV("leave_siblings", gr_bool(true)),
                  GR_KV("callbacks",
                        gr_list(gr_handler_value(GR_HANDLER(.on_event = stage_hears, .arg = s,
                                                            .kinds = GR_RUN_END | GR_RUN_ERROR)))));
}

/* plus_3 and plus_4 tell the two branches of a parallel apart for a stage. */
static gr_value *plus_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_int(gr_as_int(input, 0) + (int64_t)(uintptr_t)arg);
}

static gr_ref plus(uintptr_t n, gr_ref then, gr_ref last)
{
    return gr_seq(root, gr_lambda(root, GR_CHEAP, plus_fn, NULL, (void *)n), then, last);
}

/* par-05: the branch that did not fail goes on behind the answer, through all of its steps. Each of the
 * sequence, its three steps and the failed ones ends once. */
Test(better, a_branch_that_is_left_ends_well)
{
    struct stage first = STAGE, second = STAGE, ends = STAGE;
    gr_ref r = gr_parallel(root, GR_STEP("x", plus(3, stage(&first), inc(GR_CHEAP))),
                           GR_STEP("y", plus(4, stage(&first), stage(&second))));
    gr_future *f = gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = left(&ends)));

    until(&first, &first.entered, 2);
    let_go(&first, 4, gr_error(GR_EREMOTE, "x"));
    fails_with(answer(f), GR_EREMOTE, "x");
    until(&ends, &ends.ended_badly, 3); /* x's stage, its sequence, the parallel */
    let_go(&first, 5, gr_int(9));
    let_go(&second, 9, gr_str("done"));
    until(&ends, &ends.ended_well, 5); /* two plus, y's stages, its sequence */
    cr_assert_eq(ends.ended_badly, 3);
    cr_assert_eq(first.cancelled + second.cancelled, 0);
}

/* core-10: so does the item of a batch */
Test(better, an_item_that_is_left_ends_well)
{
    struct stage first = STAGE, second = STAGE, ends = STAGE;
    gr_ref r = gr_seq(root, stage(&first), stage(&second));
    gr_future *f = gr_abatch(rt, r, json("[0,1]"), GR_CALL(.config = left(&ends)));

    until(&first, &first.entered, 2);
    let_go(&first, 0, gr_error(GR_EREMOTE, "bad"));
    fails_with(answer(f), GR_EREMOTE, "bad");
    let_go(&first, 1, gr_int(7));
    let_go(&second, 7, gr_str("done"));
    until(&ends, &ends.ended_well, 3);
    until(&ends, &ends.ended_badly, 2);
    cr_assert_eq(ends.ended_well, 3);
    cr_assert_eq(first.cancelled + second.cancelled, 0);
}

/* and what is left may have siblings itself: a parallel in each item of a batch */
Test(better, what_is_left_within_what_is_left_ends_well)
{
    struct stage s = STAGE, ends = STAGE;
    gr_ref r = gr_parallel(root, GR_STEP("x", plus(0, stage(&s), inc(GR_CHEAP))),
                           GR_STEP("y", plus(1, stage(&s), inc(GR_CHEAP))));
    gr_future *f = gr_abatch(rt, r, json("[10,20]"), GR_CALL(.config = left(&ends)));

    until(&s, &s.entered, 4);
    let_go(&s, 10, gr_error(GR_EREMOTE, "bad"));
    fails_with(answer(f), GR_EREMOTE, "bad");
    let_go(&s, 11, gr_int(1));
    let_go(&s, 20, gr_int(1));
    let_go(&s, 21, gr_int(1));
    until(&ends, &ends.ended_well, 4 + 3 * 3 + 1); /* all plus; stage, inc, sequence; a parallel */
    until(&ends, &ends.ended_badly, 3);
    cr_assert_eq(s.cancelled, 0);
}

/* ---- sums ------------------------------------------------------------------------------------ */

enum { CHUNK_BYTES = 100 };

/* many streams so many chunks as its input says: texts, or parts of a tool call if arg is set. */
static gr_code many_fn(gr_ctx *c, void *arg, gr_stream *in)
{
    char text[CHUNK_BYTES + 1];
    gr_outcome o = gr_next(in, -1);
    int64_t count = gr_as_int(o.value, 0);
    gr_code rc = GR_OK;

    memset(text, 'x', CHUNK_BYTES);
    text[CHUNK_BYTES] = '\0';
    for (int64_t i = 0; i < count && rc == GR_OK; i++) {
        gr_value *chunk = gr_str(text);

        if (arg != NULL)
            chunk = gr_map(GR_KV("type", gr_str("AIMessageChunk")), GR_KV("content", gr_str("")),
                           GR_KV("tool_call_chunks",
                                 gr_list(gr_map(GR_KV("args", chunk), GR_KV("index", gr_int(0))))));
        rc = gr_emit(c, chunk);
    }
    return rc;
}

static gr_ref many(bool calls)
{
    return gr_generator(root, GR_ASYNC, many_fn, NULL, calls ? (void *)1 : NULL);
}

static void hears_nothing(void *arg, const gr_event *e)
{
    (void)arg, (void)e;
}

/* bytes_for gives how many bytes were asked for in all while r's stream was summed up. */
static long bytes_for(gr_ref r, int64_t count, bool heard)
{
    gr_call_opts o = { .size = sizeof(o) };
    gr_value *err = NULL, *sum;
    long before;

    if (heard)
        o.config = gr_map(
            GR_KV("callbacks", gr_list(gr_handler_value(GR_HANDLER(.on_event = hears_nothing)))));
    before = test_memory_bytes();
    sum = gr_stream_take(gr_astream(rt, r, gr_int(count), &o), &err);
    cr_assert_null(err, "%s", gr_error_text(err));
    gr_value_unref(sum);
    return test_memory_bytes() - before;
}

/* Four times the chunks cost four times the bytes; if each were added to a copy it would be sixteen. */
Test(better, sums_of_chunks_are_linear)
{
    enum { FEW = 500 };
    gr_ref all[] = { many(false),
                     many(true),
                     gr_seq(root, many(true), lambda(GR_ASYNC, same_fn)),
                     gr_seq(root, many(true), gr_passthrough_tap(root, lambda(GR_CHEAP, same_fn))),
                     gr_seq(root, many(false), gr_with_fallbacks(root, gr_passthrough(root))),
                     gr_parallel(root, GR_STEP("a", many(true)), GR_STEP("b", many(false))) };

    for (size_t i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++) {
        gr_ref r = all[i / 2];
        bool heard = i % 2 == 1;
        long few, often;

        (void)bytes_for(r, FEW, heard); /* what is kept for the next time is there then */
        few = bytes_for(r, FEW, heard);
        often = bytes_for(r, 4 * FEW, heard);
        cr_assert_lt(often, 6 * few, "%zu: %ld bytes for %d chunks, %ld for %d", i, few, FEW, often,
                     4 * FEW);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

enum { MARKS = 64 };

/* Which threads something happened on, in order. */
struct marks {
    pthread_mutex_t lock;
    pthread_t at[MARKS];
    int count;
};

static void mark(struct marks *m)
{
    pthread_mutex_lock(&m->lock);
    if (m->count < MARKS)
        m->at[m->count++] = pthread_self();
    pthread_mutex_unlock(&m->lock);
}

static gr_value *mark_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    mark(arg);
    return gr_value_ref(input);
}

static void mark_event(void *arg, const gr_event *e)
{
    (void)e;
    mark(arg);
}

/* A function's start is told, it runs, and its end is told, by one thread, whatever kind it is: three marks
 * and no hop between them. */
Test(better, no_event_costs_a_thread_hop)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        struct marks m = { .lock = PTHREAD_MUTEX_INITIALIZER };
        int hops = 0;

        is(answer(gr_ainvoke(
               rt, gr_lambda(root, kind, mark_fn, NULL, &m), gr_int(1),
               GR_CALL(.config = gr_map(GR_KV(
                           "callbacks", gr_list(gr_handler_value(
                                            GR_HANDLER(.on_event = mark_event, .arg = &m)))))))),
           "1");
        pthread_mutex_lock(&m.lock);
        cr_assert_eq(m.count, 3);
        for (int i = 1; i < m.count; i++)
            hops += !pthread_equal(m.at[i], m.at[i - 1]);
        pthread_mutex_unlock(&m.lock);
        cr_assert_eq(hops, 0, "%d hops of kind %d", hops, (int)kind);
    }
}
