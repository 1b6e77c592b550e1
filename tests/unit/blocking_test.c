/* SPDX-License-Identifier: Apache-2.0 */
/* blocking_test.c - the elastic pool, alone and under calls. */
#include "runtime/sched/blocking.h"
#include "runtime/base/thread.h"

#include <dlfcn.h>
#include <errno.h>

#include <greenroom/runnable.h>
#include <greenroom/sim.h>
#include <greenroom/stats.h>

#include "tests/support/engine.h"

static struct gri_blocking pool;
static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;
static _Atomic int ran;

static _Atomic int refused;

static void run_job(struct gri_job *job, gr_code rc)
{
    (void)job;
    if (rc != GR_OK) {
        cr_assert_eq(rc, GR_ENOMEM);
        atomic_fetch_add(&refused, 1);
        return;
    }
    post(&entered);
    take(&go);
    atomic_fetch_add(&ran, 1);
}

static void start_pool(unsigned threads_max, size_t queue_max)
{
    const struct gri_blocking_opts opts = { .threads_max = threads_max,
                                            .queue_max = queue_max,
                                            .stack_size = (size_t)256 * 1024,
                                            .idle_ns = 10 * UINT64_C(1000000000),
                                            .run = run_job };

    gri_blocking_init(&pool, &opts);
}

static gr_code submit(struct gri_job *job)
{
    gri_job_offer(job);
    return gri_blocking_submit(&pool, job);
}

static uint64_t soon(void)
{
    return gri_clock_ns() + TEST_WAIT_MS * UINT64_C(1000000);
}

/* busy submits a job and waits until a thread has it. */
static void busy(struct gri_job *job)
{
    cr_assert_eq(submit(job), GR_OK);
    cr_assert(take(&entered));
}

static unsigned idle_now(void)
{
    unsigned idle;

    gri_lock(&pool.lock);
    idle = pool.idle;
    gri_unlock(&pool.lock);
    return idle;
}

static void let_go(int count)
{
    while (count-- > 0)
        post(&go);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    atomic_store(&ran, 0);
    atomic_store(&refused, 0);
    entered.count = go.count = 0;
}

TestSuite(blocking, .init = start_afresh);

Test(blocking, threads_come_as_work_does_up_to_the_bound)
{
    struct gri_job jobs[6] = { 0 };

    start_pool(3, 2);
    cr_assert_eq(pool.threads, 0, "none before there is work");
    for (int i = 0; i < 3; i++)
        busy(&jobs[i]);
    cr_assert_eq(submit(&jobs[3]), GR_OK);
    cr_assert_eq(submit(&jobs[4]), GR_OK);
    cr_assert_eq(submit(&jobs[5]), GR_EFULL);
    let_go(5);
    cr_assert(gri_blocking_stop(&pool, soon()), "what was queued runs first");
    cr_assert_eq(atomic_load(&ran), 5);
    cr_assert_eq(pool.threads_high, 3);
}

/* What a thread is about to come for does not count as queued. */
Test(blocking, a_burst_gets_as_many_threads_as_it_has_jobs)
{
    enum { COUNT = 40 };
    struct gri_job jobs[COUNT + 2] = { 0 };

    start_pool(COUNT, 1);
    for (int i = 0; i <= COUNT; i++)
        cr_assert_eq(submit(&jobs[i]), GR_OK);
    cr_assert_eq(submit(&jobs[COUNT + 1]), GR_EFULL);
    for (int i = 0; i < COUNT; i++)
        cr_assert(take(&entered));
    let_go(COUNT + 1);
    cr_assert(gri_blocking_stop(&pool, soon()));
    cr_assert_eq(atomic_load(&ran), COUNT + 1);
}

Test(blocking, a_free_thread_is_used_again)
{
    struct gri_job job = { 0 };

    start_pool(64, 64);
    for (int i = 0; i < 50; i++) {
        post(&go);
        busy(&job);
        until(idle_now() == 1);
    }
    cr_assert_eq(pool.threads, 1);
    cr_assert(gri_blocking_stop(&pool, soon()));
}

Test(blocking, a_stopping_pool_takes_no_more_and_says_when_it_is_still_busy)
{
    struct gri_job job = { 0 }, late = { 0 };

    start_pool(2, 2);
    busy(&job);
    cr_assert_not(gri_blocking_stop(&pool, gri_clock_ns() + 1000000));
    cr_assert_eq(submit(&late), GR_ECANCELED);
    post(&go);
    cr_assert(gri_blocking_stop(&pool, soon()));
}

/* ---- withdrawing ----------------------------------------------------------------------------- */

Test(blocking, a_withdrawn_job_leaves_its_place_to_another)
{
    struct gri_job jobs[5] = { 0 };

    start_pool(1, 2);
    busy(&jobs[0]);
    for (int i = 1; i < 3; i++)
        cr_assert_eq(submit(&jobs[i]), GR_OK);
    cr_assert_eq(submit(&jobs[3]), GR_EFULL);
    cr_assert(gri_blocking_withdraw(&pool, &jobs[1]));
    cr_assert_eq(pool.queued, 1);
    cr_assert_eq(submit(&jobs[3]), GR_OK);
    cr_assert_not(gri_blocking_withdraw(&pool, &jobs[1]), "once");
    cr_assert_not(gri_blocking_withdraw(&pool, &jobs[0]), "a thread has it");
    let_go(3);
    cr_assert(gri_blocking_stop(&pool, soon()));
    cr_assert_eq(atomic_load(&ran), 3);
}

Test(blocking, a_job_may_be_withdrawn_before_it_is_submitted)
{
    struct gri_job job = { 0 };

    start_pool(1, 2);
    cr_assert_not(gri_job_offered(&job));
    gri_job_offer(&job);
    cr_assert(gri_job_offered(&job));
    cr_assert_not(gri_blocking_withdraw(&pool, &job));
    cr_assert_eq(gri_blocking_submit(&pool, &job), GR_ECANCELED);
    cr_assert(gri_blocking_stop(&pool, soon()));
    cr_assert_eq(atomic_load(&ran), 0);
}

/* ---- without threads ------------------------------------------------------------------------- */

static _Atomic int threads_left = INT32_MAX;

/* pthread_create stands before the C library's, to refuse threads while the test says so. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");

    if (atomic_fetch_sub(&threads_left, 1) <= 0)
        return EAGAIN;
    memcpy(&real, &symbol, sizeof(real));
    return real(thread, attr, fn, arg);
}

/* The one thread may wait for just this job, so queueing it could be for ever. */
Test(blocking, a_job_that_no_thread_is_free_for_and_none_can_be_started_is_refused)
{
    struct gri_job jobs[2] = { 0 };

    start_pool(4, 4);
    busy(&jobs[0]);
    atomic_store(&threads_left, 0);
    cr_assert_eq(submit(&jobs[1]), GR_OK);
    cr_assert_eq(atomic_load(&refused), 1);
    atomic_store(&threads_left, INT32_MAX);
    busy(&jobs[1]);
    let_go(2);
    cr_assert(gri_blocking_stop(&pool, soon()));
}

/* Of a burst, as many run as threads could be started; none is left waiting for them. */
Test(blocking, jobs_queued_when_threads_run_out_are_refused)
{
    enum { COUNT = 8 };
    struct gri_job jobs[COUNT] = { 0 };

    start_pool(COUNT, COUNT);
    atomic_store(&threads_left, 3);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(submit(&jobs[i]), GR_OK);
    for (int i = 0; i < 3; i++)
        cr_assert(take(&entered));
    until(atomic_load(&refused) == COUNT - 3);
    atomic_store(&threads_left, INT32_MAX);
    let_go(3);
    cr_assert(gri_blocking_stop(&pool, soon()));
    cr_assert_eq(atomic_load(&ran), 3);
    cr_assert_eq(pool.threads_high, 4, "with the one that could not be started");
}

/* ---- calls ----------------------------------------------------------------------------------- */

static gr_stats stats_now(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s;
}

static gr_value *hold_thread(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    post(&entered);
    take(&go);
    return gr_value_ref(input);
}

static void one_thread_up(size_t queue_max)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(
        gr_runtime_new(GR_RUNTIME(.workers = 2, .blocking_max = 1, .blocking_queue_max = queue_max),
                       &rt),
        GR_OK);
    root = gr_root(rt);
}

static void cancelled_at_once(gr_future *f)
{
    gr_future_cancel(f);
    cr_assert_eq(gr_await(f, -1).code, GR_ECANCELED);
    gr_future_free(f);
}

Test(blocking, a_cancelled_call_leaves_the_queue_before_a_thread_comes)
{
    gr_future *f[4];
    gr_ref r;

    one_thread_up(2);
    r = gr_lambda(root, GR_BLOCKING, hold_thread, NULL, NULL);
    f[0] = gr_ainvoke(rt, r, gr_int(0), NULL);
    cr_assert(take(&entered));
    for (int i = 1; i < 4; i++)
        f[i] = gr_ainvoke(rt, r, gr_int(i), NULL);
    cr_assert_eq(gr_await(f[3], -1).code, GR_EFULL);
    gr_future_free(f[3]);
    cr_assert_eq(stats_now().blocking_queue_now, 2);
    cancelled_at_once(f[1]);
    cr_assert_eq(stats_now().blocking_queue_now, 1);
    f[3] = gr_ainvoke(rt, r, gr_int(3), NULL);
    cr_assert_eq(stats_now().blocking_queue_now, 2, "its place is another's now");
    cr_assert_eq(stats_now().blocking_queue_high, 2);
    cr_assert_eq(stats_now().blocking_threads_high, 1);
    cr_assert_eq(stats_now().refused_blocking, 1);
    let_go(3);
    cr_assert_eq(int_of(f[0]), 0);
    cr_assert_eq(int_of(f[2]), 2);
    cr_assert_eq(int_of(f[3]), 3);
    engine_down();
}

static gr_value *answer(gr_ctx *c, void *state, const gr_value *args)
{
    (void)c;
    (void)state;
    return gr_value_ref(args);
}

static gr_value *block_with_state(gr_ctx *c, void *state, const gr_value *args)
{
    return hold_thread(c, state, args);
}

static const gr_method half_methods[] = { { "invoke", GR_BLOCKING, .fn = block_with_state },
                                          { "answer", GR_CHEAP, .fn = answer } };
static const gr_class half_class =
    GR_CLASS(.name = "Half", .state_size = 8, GR_METHODS(half_methods));

/* An actor with state is held for its blocking call; once that is cancelled, it goes on. */
Test(blocking, an_actor_goes_on_when_its_queued_call_is_cancelled)
{
    gr_future *busy_one, *queued;
    gr_ref other, half;

    one_thread_up(2);
    other = gr_lambda(root, GR_BLOCKING, hold_thread, NULL, NULL);
    half = gr_spawn(root, &half_class, NULL);
    busy_one = gr_ainvoke(rt, other, gr_int(1), NULL);
    cr_assert(take(&entered));
    queued = gr_ainvoke(rt, half, gr_int(2), NULL);
    until(stats_now().blocking_queue_now == 1);
    cancelled_at_once(queued);
    cr_assert_eq(int_of(gr_acall(rt, half, "answer", gr_int(3), NULL)), 3,
                 "while the pool's only thread is busy");
    post(&go);
    cr_assert_eq(int_of(busy_one), 1);
    engine_down();
}

/* ---- coming to rest -------------------------------------------------------------------------- */

static gr_value *snooze(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    gr_sleep(gr_runtime_of(c), gr_as_int(input, 0));
    return gr_value_ref(input);
}

/* The thread that went to rest last is called first, so the others have nothing to do, and leave.
 * In a simulation, whose clock the test moves. */
Test(blocking, threads_leave_when_fewer_are_needed)
{
    gr_future *f[6];
    gr_ref r;

    engine_blocks = test_memory_live();
    cr_assert_eq(
        gr_runtime_new(
            GR_RUNTIME(.sim_seed = 5, .sim_faults = GR_SIM_SCHED, .blocking_idle_ms = 300), &rt),
        GR_OK);
    r = gr_lambda(gr_root(rt), GR_BLOCKING, snooze, NULL, NULL);
    for (int i = 0; i < 6; i++)
        f[i] = gr_ainvoke(rt, r, gr_int(50), NULL);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(int_of(f[i]), 50);
    cr_assert_eq(stats_now().blocking_threads_now, 6);
    for (int i = 0; i < 12; i++) { /* in turn, each of the six would be called in time to stay */
        cr_assert_eq(int_of(gr_ainvoke(rt, r, gr_int(1), NULL)), 1);
        cr_assert_eq(gr_sim_advance(rt, 40), GR_OK);
    }
    cr_assert_eq(stats_now().blocking_threads_now, 1);
    cr_assert_eq(stats_now().blocking_threads_high, 6);
    cr_assert_eq(gr_sim_advance(rt, 500), GR_OK);
    cr_assert_eq(stats_now().blocking_threads_now, 0, "a pool without work has no threads");
    engine_down();
}
