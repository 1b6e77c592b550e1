/* SPDX-License-Identifier: Apache-2.0 */
/*
 * starved_test.c - handlers whose thread gets no processor: the time is not theirs.
 *
 * Each shares one processor with a crowd that computes, for longer than the limit; what it needs itself
 * is less. If the crowd did not get its share either, the test is made once more.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <greenroom/stats.h>

#include "runtime/base/cpu_time.h"

#include "tests/support/crowd.h"
#include "tests/support/engine.h"

#define REPORT_MS 200
#define MS UINT64_C(1000000)

static _Atomic uint64_t own_ns; /* what the last handler ran and slept */
static _Atomic bool sleeps;

static void sleep_ms(uint64_t ms)
{
    struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * MS) };

    nanosleep(&t, NULL);
}

/* spend is in the crowd for five times the limit, with so many naps of a ms. */
static void spend(int naps)
{
    uint64_t ran = crowd_clock(CLOCK_THREAD_CPUTIME_ID), began = test_now_ns();
    cpu_set_t old;

    crowd_join(&old);
    for (int i = 0; i < naps; i++)
        sleep_ms(1);
    while (test_now_ns() - began < 5 * REPORT_MS * MS)
        ;
    atomic_store(&own_ns, crowd_clock(CLOCK_THREAD_CPUTIME_ID) - ran + (uint64_t)naps * MS);
    crowd_leave(&old);
}

static gr_value *compute_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    spend(0);
    return gr_value_ref(args);
}

/* meek lets all others go first, so it may get nothing at all for longer than the limit. */
static gr_value *meek_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    cr_assert_eq(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19), 0);
    return compute_invoke(c, self, args);
}

static gr_value *doze_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    spend(20);
    return gr_value_ref(args);
}

/* block sleeps until it is let go. */
static gr_value *block_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    cpu_set_t old;

    (void)c, (void)self;
    crowd_join(&old);
    while (atomic_load(&sleeps))
        sleep_ms(50);
    crowd_leave(&old);
    return gr_value_ref(args);
}

static const gr_method methods[] = { { "compute", GR_ASYNC, compute_invoke, NULL },
                                     { "meek", GR_ASYNC, meek_invoke, NULL },
                                     { "doze", GR_ASYNC, doze_invoke, NULL },
                                     { "block", GR_ASYNC, block_invoke, NULL } };
static const gr_class starved_class =
    GR_CLASS(.name = "starved", .state_size = 1, GR_METHODS(methods));

static uint64_t reports(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s.slow_handlers;
}

static void start(void)
{
    engine_blocks = test_memory_live();
    gr_set_log(NULL, NULL, 0);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .report_ms = REPORT_MS), &rt), GR_OK);
    root = gr_root(rt);
}

static gr_future *call(const char *verb)
{
    return gr_acall(rt, gr_spawn(root, &starved_class, NULL), verb, gr_nil(), NULL);
}

static void is_not_reported(const char *verb)
{
    bool starved = false;

    for (int i = 0; i < 20 && !starved; i++) {
        crowd_gather();
        start();
        cr_assert_eq(code_of(call(verb)), GR_OK);
        starved = atomic_load(&own_ns) < REPORT_MS / 2 * MS;
        if (starved)
            cr_assert_eq(reports(), 0);
        engine_down();
        crowd_part();
    }
    cr_assert(starved, "the crowd took too little");
}

Test(starved, who_waits_for_a_processor_is_not_reported)
{
    is_not_reported("compute");
}

Test(starved, who_gets_none_at_all_is_not_reported)
{
    is_not_reported("meek");
}

/* It is asleep when it is looked at, and what it has slept so far is little. */
Test(starved, who_sleeps_now_and_then_is_not_blamed_for_the_rest)
{
    struct gri_cpu_time t;
    struct gri_cpu_id me;

    gri_cpu_id_here(&me);
    if (!gri_cpu_time_read(&me, &t) || !t.waits_known)
        cr_skip_test("this kernel does not count waits");
    is_not_reported("doze");
}

Test(starved, who_blocks_is_reported)
{
    gr_future *f;

    crowd_gather();
    start();
    atomic_store(&sleeps, true);
    f = call("block");
    until(reports() == 1);
    atomic_store(&sleeps, false);
    cr_assert_eq(code_of(f), GR_OK);
    engine_down();
    crowd_part();
}
