/* SPDX-License-Identifier: Apache-2.0 */
/* sim_test.c - the calls of sim.h: who may, what they refuse, what virtual time is. */
#include <greenroom/greenroom.h>
#include <greenroom/sim.h>

#include "tests/support/engine.h"

static void start(const gr_runtime_opts *opts)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(opts, &rt), GR_OK);
    root = gr_root(rt);
}

static void start_plain(void)
{
    start(GR_RUNTIME(.sim_seed = 7, .sim_faults = GR_SIM_NONE));
}

/* now_ms is the virtual time since the simulation began, in whole milliseconds. */
static int64_t passed_ms(uint64_t since_ns)
{
    return (int64_t)((gr_now_ns(rt) - since_ns) / 1000000);
}

/* ---- who may --------------------------------------------------------------------------------- */

Test(sim, outside_of_one_there_is_nothing_to_report)
{
    gr_sim_info info;
    const char *what = NULL;
    uint64_t fired = 1;
    unsigned points = 0;

    cr_assert_eq(gr_sim_report(&info), GR_EINVAL);
    while (gr_sim_point(points, &what, &fired) != NULL) {
        cr_assert_not_null(what);
        cr_assert_eq(fired, 0);
        points++;
    }
    cr_assert_geq(points, 40);
    gr_sim_heal(); /* harmless */
    start_plain();
    cr_assert_eq(gr_sim_report(NULL), GR_EINVAL);
    cr_assert_eq(gr_sim_report(&info), GR_OK);
    cr_assert_eq(info.seed, 7);
    engine_down();
    cr_assert_eq(gr_sim_report(&info), GR_EINVAL);
}

Test(sim, one_thread_has_one_seed_and_no_real_runtime_meanwhile)
{
    gr_runtime *other = NULL;

    start_plain();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = 8), &other), GR_EINVAL);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &other), GR_EINVAL);
    cr_assert_null(other);
    engine_down();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &other), GR_OK);
    cr_assert_eq(gr_sim_advance(other, 1), GR_EINVAL, "it is a real one");
    gr_runtime_free(other);
}

static gr_ref echo_ref;
static gr_code codes[5];

static void *call_from_outside(void *arg)
{
    gr_value *error = NULL;
    gr_future *f = gr_ainvoke(rt, echo_ref, gr_int(1), NULL);

    (void)arg;
    codes[0] = gr_await(f, 0).code;
    gr_future_free(f);
    codes[1] = gr_tell(rt, echo_ref, gr_int(1));
    codes[2] = gr_sim_advance(rt, 1);
    cr_assert_null(gr_invoke(rt, echo_ref, gr_int(1), NULL, &error));
    codes[3] = gr_error_code(error);
    gr_value_unref(error);
    error = gr_check(rt, gr_spawn(root, NULL, NULL));
    codes[4] = gr_error_code(error);
    gr_value_unref(error);
    return NULL;
}

Test(sim, other_threads_are_refused)
{
    pthread_t thread;

    start_plain();
    echo_ref = echo();
    cr_assert_eq(int_of(gr_ainvoke(rt, echo_ref, gr_int(5), NULL)), 5);
    pthread_create(&thread, NULL, call_from_outside, NULL);
    pthread_join(thread, NULL);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(codes[i], GR_EINVAL, "call %d: %s", i, gr_code_name(codes[i]));
    engine_down();
}

static gr_value *advance(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_int(gr_sim_advance(gr_runtime_of(c), 1));
}

Test(sim, a_handler_can_not_advance_time)
{
    start_plain();
    cr_assert_eq(
        int_of(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, advance, NULL, NULL), gr_nil(), NULL)),
        GR_EINVAL);
    engine_down();
}

/* ---- time ------------------------------------------------------------------------------------ */

Test(sim, without_faults_time_is_what_was_asked_for)
{
    uint64_t begin;

    start_plain();
    begin = gr_now_ns(rt);
    cr_assert_eq(gr_sim_advance(rt, 250), GR_OK);
    cr_assert_eq(passed_ms(begin), 250);
    cr_assert_eq(gr_sleep(rt, 3600 * 1000), GR_OK);
    cr_assert_eq(passed_ms(begin), 3600250);
    cr_assert_eq(int_of(gr_ainvoke(rt, nap(), gr_int(1000), NULL)), 1000);
    cr_assert_geq(passed_ms(begin), 3601250);
    cr_assert_leq(passed_ms(begin), 3601260, "%lld", (long long)passed_ms(begin));
    cr_assert_eq(gr_sim_advance(rt, -5), GR_OK, "no time at all");
    engine_down();
}

Test(sim, deadlines_are_kept_to_the_tick)
{
    uint64_t begin;

    start_plain();
    begin = gr_now_ns(rt);
    cr_assert_eq(code_of(gr_ainvoke(rt, nap(), gr_int(5000), GR_CALL(.timeout_ms = 40))),
                 GR_ETIMEDOUT);
    cr_assert_geq(passed_ms(begin), 40);
    cr_assert_leq(passed_ms(begin), 45, "%lld", (long long)passed_ms(begin));
    engine_down();
}

static gr_value *block(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    gr_sleep(gr_runtime_of(c), gr_as_int(input, 0));
    return gr_value_ref(input);
}

/* Blocking handlers have threads of their own, which sleep side by side. */
Test(sim, blocking_handlers_wait_side_by_side)
{
    enum { COUNT = 8 };
    gr_future *f[COUNT];
    uint64_t begin;
    gr_ref slow;

    start_plain();
    slow = gr_lambda(root, GR_BLOCKING, block, NULL, NULL);
    begin = gr_now_ns(rt);
    for (int i = 0; i < COUNT; i++)
        f[i] = gr_ainvoke(rt, slow, gr_int(100), NULL);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(int_of(f[i]), 100);
    cr_assert_leq(passed_ms(begin), 110, "%lld", (long long)passed_ms(begin));
    engine_down();
}

Test(sim, a_queue_fills_while_time_advances)
{
    void *tag = NULL;
    gr_future *f;
    gr_cq *cq;

    start_plain();
    cq = gr_cq_new(rt);
    cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(rt, nap(), gr_int(30), NULL), &tag), GR_OK);
    cr_assert_eq(gr_sim_advance(rt, 10), GR_OK);
    cr_assert_null(gr_cq_next(cq, NULL));
    cr_assert_eq(gr_sim_advance(rt, 40), GR_OK);
    f = gr_cq_next(cq, &tag);
    cr_assert_not_null(f);
    cr_assert_eq(tag, &tag);
    cr_assert_eq(int_of(f), 30);
    gr_cq_free(cq);
    engine_down();
}

/* ---- what never ends ------------------------------------------------------------------------- */

Test(sim, a_wait_that_nothing_can_end_gives_up)
{
    struct desk d = DESK;
    gr_future *f;

    start_plain();
    f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);
    cr_assert_eq(gr_await(f, -1).code, GR_EDEADLK);
    cr_assert_eq(atomic_load(&d.came), 1, "the call did arrive");
    cr_assert_eq(gr_await(f, 1000).code, GR_EPENDING, "a wait with an end just ends");
    desk_answer(&d, 0, gr_int(4));
    cr_assert_eq(int_of(f), 4, "and an answer is one still");
    engine_down();
}

/* ---- histories ------------------------------------------------------------------------------- */

struct trace {
    uint64_t steps, turns, last_ns;
    bool back;
};

static void count_step(void *arg, const gr_sim_step *step)
{
    struct trace *t = arg;

    t->steps++;
    t->turns += step->point == NULL;
    t->back = t->back || step->now_ns < t->last_ns || step->thread == NULL;
    t->last_ns = step->now_ns;
}

/* history runs a few calls under a seed, and reports. */
static gr_sim_info history(uint64_t seed)
{
    gr_sim_info info = { 0 };
    gr_future *f[5];

    start(GR_RUNTIME(.sim_seed = seed, .workers = 3));
    for (int i = 0; i < 5; i++)
        f[i] = gr_ainvoke(rt, nap(), gr_int(i * 7), NULL);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(int_of(f[i]), i * 7);
    cr_assert_eq(gr_sim_report(&info), GR_OK);
    engine_down();
    return info;
}

Test(sim, one_seed_is_one_history_traced_or_not)
{
    gr_sim_info first = history(11), other = history(12), again, traced;
    struct trace t = { 0 };

    again = history(11);
    gr_sim_trace(count_step, &t);
    traced = history(11);
    gr_sim_trace(NULL, NULL);
    cr_assert_eq(again.trace_hash, first.trace_hash);
    cr_assert_eq(again.now_ns, first.now_ns);
    cr_assert_eq(again.events, first.events);
    cr_assert_eq(traced.trace_hash, first.trace_hash);
    cr_assert_neq(other.trace_hash, first.trace_hash);
    cr_assert_gt(t.turns, 10);
    cr_assert_gt(t.steps, t.turns, "points fired, besides turns");
    cr_assert_not(t.back, "time never goes back");
    t.steps = 0;
    (void)history(11);
    cr_assert_eq(t.steps, 0, "nobody is told any more");
}

Test(sim, two_runtimes_share_one_clock_and_one_history)
{
    gr_runtime *second = NULL;
    uint64_t begin;
    gr_sim_info info;

    start_plain();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = 7), &second), GR_OK);
    begin = gr_now_ns(second);
    cr_assert_eq(gr_sleep(rt, 500), GR_OK);
    cr_assert_eq((gr_now_ns(second) - begin) / 1000000, 500);
    cr_assert_eq(gr_sim_advance(second, 500), GR_OK);
    cr_assert_eq(passed_ms(begin), 1000);
    gr_runtime_free(second);
    cr_assert_eq(gr_sim_report(&info), GR_OK, "the simulation lives as long as one of them");
    cr_assert_eq(int_of(gr_ainvoke(rt, echo(), gr_int(2), NULL)), 2);
    engine_down();
}

/* Faults fail calls until they are healed; then all succeed. */
Test(sim, healing_ends_faults_for_good)
{
    int refused = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        gr_ref to;

        engine_blocks = test_memory_live();
        if (gr_runtime_new(GR_RUNTIME(.sim_seed = seed, .sim_faults = GR_SIM_FULL), &rt) != GR_OK)
            continue;
        root = gr_root(rt);
        to = nap();
        for (int i = 0; i < 20; i++)
            refused += code_of(gr_ainvoke(rt, to, gr_int(1), NULL)) == GR_EFULL;
        gr_sim_heal();
        to = nap();
        for (int i = 0; i < 20; i++)
            cr_assert_eq(int_of(gr_ainvoke(rt, to, gr_int(1), NULL)), 1);
        engine_down();
    }
    cr_assert_gt(refused, 0);
}
