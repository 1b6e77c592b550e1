/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_test.c - a runtime's birth and end, its clock, its idleness. */
#include "tests/support/engine.h"

static long blocks(void)
{
    return test_memory_live();
}

Test(runtime, options_out_of_range_are_refused)
{
    gr_runtime *r = (gr_runtime *)&r;
    const gr_runtime_opts *bad[] = { GR_RUNTIME(.workers = 65), GR_RUNTIME(.stack_size = 1000),
                                     GR_RUNTIME(.actors_max = (size_t)1 << 24),
                                     GR_RUNTIME(.mailbox_max = (size_t)1 << 40),
                                     GR_RUNTIME(.blocking_max = (size_t)1 << 40) };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(gr_runtime_new(bad[i], &r), GR_EINVAL, "%zu", i);
    cr_assert_eq(r, (gr_runtime *)&r, "ret_rt is written on success only");
}

Test(runtime, an_empty_one_comes_and_goes)
{
    long before = blocks();

    for (unsigned w = 0; w <= 4; w++) {
        gr_runtime *r = NULL;

        cr_assert_eq(gr_runtime_new(w == 0 ? NULL : GR_RUNTIME(.workers = w), &r), GR_OK);
        gr_runtime_free(r);
        cr_assert_eq(blocks(), before);
    }
    gr_runtime_free(NULL);
}

Test(runtime, ends_with_calls_in_flight)
{
    gr_future *fs[30];

    for (int round = 0; round < 20; round++) {
        gr_ref a;

        engine_start(2);
        a = nap();
        for (int i = 0; i < 30; i++)
            fs[i] = gr_ainvoke(rt, a, gr_int(i % 3 == 0 ? 600000 : i % 3), NULL);
        gr_runtime_free(rt);
        for (int i = 0; i < 30; i++) {
            gr_code rc;

            cr_assert(gr_done(fs[i]));
            rc = gr_await(fs[i], 0).code;
            cr_assert(rc == GR_OK || rc == GR_ECANCELED, "%s", gr_code_name(rc));
            gr_future_free(fs[i]);
        }
        cr_assert_eq(blocks(), engine_blocks);
    }
}

static _Atomic int order[8], stops;

static void stopped(void *self, const gr_value *args)
{
    (void)self;
    order[atomic_fetch_add(&stops, 1)] = (int)gr_as_int(args, 0);
}

static const gr_class noted = GR_CLASS(.name = "noted", .state_size = 1, .stopped = stopped);

Test(runtime, stops_actors_in_reverse_order)
{
    engine_start(2);
    for (int i = 0; i < 8; i++)
        gr_spawn(root, &noted, GR_SPAWN(.args = gr_int(i)));
    engine_down();
    for (int i = 0; i < 8; i++)
        cr_assert_eq(atomic_load(&order[i]), 7 - i);
}

Test(runtime, the_clock_goes_forward_and_sleep_is_never_short)
{
    uint64_t start;

    engine_start(1);
    start = gr_now_ns(rt);
    cr_assert_eq(gr_sleep(rt, 3), GR_OK);
    cr_assert_geq(gr_now_ns(rt) - start, UINT64_C(3000000));
    cr_assert_eq(gr_sleep(rt, 0), GR_OK);
    cr_assert_eq(gr_sleep(rt, -7), GR_OK);
    start = gr_now_ns(rt);
    cr_assert_eq(int_of(gr_ainvoke(rt, nap(), gr_int(3), NULL)), 3);
    cr_assert_geq(gr_now_ns(rt) - start, UINT64_C(3000000));
    engine_down();
}

static gr_value *cheap_sleep(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_int(gr_sleep(gr_runtime_of(c), 5));
}

static const gr_method cheap_methods[] = { { "invoke", GR_CHEAP, cheap_sleep, NULL } };
static const gr_class cheap_class = GR_CLASS(.name = "cheap", GR_METHODS(cheap_methods));

Test(runtime, cheap_code_cannot_sleep)
{
    engine_start(1);
    cr_assert_eq(int_of(gr_ainvoke(rt, gr_spawn(root, &cheap_class, NULL), gr_nil(), NULL)),
                 GR_EDEADLK);
    engine_down();
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Idle workers must not spin: 300 ms without work cost next to none, whatever else the machine
 * does. */
Test(runtime, an_idle_runtime_uses_no_processor)
{
    struct timespec nap_time = { .tv_nsec = 300000000 };
    uint64_t start;
    gr_future *far;

    engine_start(4);
    far = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    cr_assert_eq(int_of(gr_ainvoke(rt, echo(), gr_int(1), NULL)), 1);
    gr_sleep(rt, 100); /* the monitor calms down */
    start = cpu_ns();
    nanosleep(&nap_time, NULL);
    cr_assert_lt(cpu_ns() - start, UINT64_C(30000000));
    gr_future_free(far);
    engine_down();
}

static _Atomic int warned;
static struct signal_count go = SIGNAL_COUNT, entered = SIGNAL_COUNT;

static void log_line(void *arg, int level, const char *text)
{
    (void)arg, (void)text;
    atomic_fetch_add(&warned, level <= 1);
}

static gr_value *hang(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    post(&entered);
    take(&go);
    return gr_nil();
}

static const gr_method hang_methods[] = { { "invoke", GR_BLOCKING, hang, NULL } };
static const gr_class hang_class = GR_CLASS(.name = "hang", GR_METHODS(hang_methods));

/* The leak is meant: what such a handler uses can't be freed. So this test ends by itself. */
Test(runtime, a_handler_that_never_returns_is_left_behind_with_a_warning)
{
    static gr_runtime *kept; /* reachable, for LeakSanitizer */
    gr_future *f;

    gr_set_log(log_line, NULL, 1);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .shutdown_ms = 30), &kept), GR_OK);
    rt = kept;
    root = gr_root(rt);
    f = gr_ainvoke(rt, gr_spawn(root, &hang_class, NULL), gr_nil(), NULL);
    cr_assert(take(&entered));
    gr_runtime_free(rt);
    cr_assert_eq(atomic_load(&warned), 1);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    post(&go);
    gr_set_log(NULL, NULL, 0);
    rt = NULL;
}
