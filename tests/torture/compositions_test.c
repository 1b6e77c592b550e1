/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compositions_test.c - every allocation of a composition fails once: the call then ends with an
 * answer or an error, exactly once, and nothing is left behind. Each round has a runtime of its own
 * (gr_runtime_new).
 */
#include "tests/support/memory.h"
#include "tests/support/runnables.h"

TestSuite(compositions, .timeout = 170);

/* Far more than any of the chains needs: if it is reached, something allocates for ever. */
#define ROUNDS_MAX 3000

/* read_all reads a stream and drops it. */
static void read_all(gr_stream *s)
{
    while (gr_next(s, TEST_WAIT_MS).code == GR_OK)
        ;
    gr_stream_free(s);
}

/* await_any waits for an outcome and drops it. */
static void await_any(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    gr_future_free(f);
}

static void use(gr_ref r, gr_value *input)
{
    await_any(gr_ainvoke(rt, r, gr_value_ref(input), NULL));
    read_all(gr_astream(rt, r, gr_value_ref(input), NULL));
    read_all(gr_atransform(rt, r, gr_stream_of(rt, gr_list(gr_value_ref(input), input)), NULL));
}

static void sequence(void)
{
    use(gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC), gr_passthrough(root), inc(GR_CHEAP)), gr_int(1));
}

static void parallel(void)
{
    use(gr_parallel(root, GR_STEP("a", inc(GR_CHEAP)), GR_STEP("b", inc(GR_ASYNC)),
                    GR_STEP("c", gr_passthrough(root)), GR_STEP("d", letters("ab"))),
        gr_int(1));
}

static void assign(void)
{
    gr_ref a = gr_assign(root, GR_STEP("a", inc(GR_CHEAP)), GR_STEP("b", gr_passthrough(root)));

    use(gr_seq(root, a, gr_pick(root, "b")), gr_map(GR_KV("x", gr_int(1))));
}

static void retry(void)
{
    static struct flaky f;

    f = (struct flaky){ .failures = 1, .code = GR_EUNREACH };
    use(gr_with_retry(root, flaky(GR_ASYNC, &f), GR_RETRY(.backoff_ms = 1, .jitter_ms = -1)),
        gr_str("x"));
}

static void fallbacks(void)
{
    use(gr_with_fallbacks(root, boom(GR_CHEAP, "p"), boom(GR_ASYNC, "q"), letters("ab")),
        gr_str("x"));
}

static void torture(void (*chain)(void))
{
    int unreached = 0; /* rounds in a row that needed fewer: timing decides how many are needed */
    long n;

    set_up(); /* what is made once for the process */
    chain();
    tear_down();
    for (n = 1; unreached < 5 && n < ROUNDS_MAX; n++) {
        long before = test_memory_live();

        set_up();
        test_memory_fail_at(n);
        chain();
        unreached = test_memory_reached() ? 0 : unreached + 1;
        tear_down();
        cr_assert_eq(test_memory_live(), before, "allocation %ld: %ld left", n,
                     test_memory_live() - before);
    }
    cr_assert_lt(n, ROUNDS_MAX);
}

Test(compositions, a_sequence_survives_any_allocation)
{
    torture(sequence);
}
Test(compositions, a_parallel_survives_any_allocation)
{
    torture(parallel);
}
Test(compositions, an_assign_survives_any_allocation)
{
    torture(assign);
}
Test(compositions, a_retry_survives_any_allocation)
{
    torture(retry);
}
Test(compositions, fallbacks_survive_any_allocation)
{
    torture(fallbacks);
}

/* ---- what is answered then ------------------------------------------------------------------- */

static gr_value *described(void)
{
    return gr_describe(rt, gr_assign(root, GR_STEP("k", gr_passthrough(root))), NULL);
}

static gr_value *prompted(void)
{
    gr_ref p =
        gr_prompt_for(root, GR_PROMPT(.partial = gr_map(GR_KV("a", gr_str("x")))), "{a} {b}");
    gr_value *err = NULL, *v = gr_invoke(rt, p, gr_str("q"), NULL, &err);

    return v != NULL ? v : err;
}

static gr_value *chat_prompted(void)
{
    gr_ref p = gr_chat_prompt(root, GR_ROLE("system", "{a}"), GR_ROLE("human", "{b}"));
    gr_value *input = gr_map(GR_KV("a", gr_str("x")), GR_KV("b", gr_str("y")));
    gr_value *err = NULL, *v = gr_invoke(rt, p, input, NULL, &err);

    return v != NULL ? v : err;
}

/* answers has each allocation fail once: what comes is what comes in peace, or it says that memory ran out. */
static void answers(gr_value *(*make)(void))
{
    gr_value *good;
    bool reached = true;

    set_up();
    good = make();
    cr_assert_eq(gr_error_code(good), GR_OK);
    for (long n = 1; reached && n < ROUNDS_MAX; n++) {
        gr_value *v;

        test_memory_fail_at(n);
        v = make();
        reached = test_memory_reached();
        cr_assert(gr_error_code(v) == GR_ENOMEM || gr_equal(v, good), "allocation %ld: %s", n,
                  gr_error_text(v));
        gr_value_unref(v);
    }
    gr_value_unref(good);
    tear_down();
}

Test(compositions, a_prompt_is_whole_or_out_of_memory)
{
    answers(prompted);
}

Test(compositions, a_chat_prompt_is_whole_or_out_of_memory)
{
    answers(chat_prompted);
}

/* A description may say less then; it reads no text beyond its end. */
Test(compositions, an_assign_without_memory_is_described)
{
    bool reached = true;

    set_up();
    for (long n = 1; reached && n < ROUNDS_MAX; n++) {
        test_memory_fail_at(n);
        gr_value_unref(described());
        reached = test_memory_reached();
    }
    tear_down();
}
