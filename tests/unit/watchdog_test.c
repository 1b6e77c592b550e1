/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog_test.c - handlers that hold their worker: reported, replaced, killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <greenroom/link.h>
#include <greenroom/stats.h>

#include "runtime/base/symbol.h"

#include "tests/support/engine.h"

static struct signal_count go = SIGNAL_COUNT;
static _Atomic int entered, lines, quick_runs;
static char line[256];

static void note_line(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    if (strncmp(text, "watchdog: ", 10) != 0)
        return;
    if (atomic_load(&lines) == 0)
        snprintf(line, sizeof(line), "%s", text);
    atomic_fetch_add(&lines, 1);
}

/* hold blocks its thread until the test says go: what a handler must not do. */
static gr_value *hold_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    atomic_fetch_add(&entered, 1);
    take(&go);
    return gr_value_ref(args);
}

static gr_value *quick_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    atomic_fetch_add(&quick_runs, 1);
    return gr_value_ref(args);
}

/* feed readies work on its own worker, then holds it. */
static gr_value *feed_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref quick = gr_as_ref(args);

    (void)self;
    for (int i = 0; i < 100; i++)
        gr_detach(gr_ainvoke(gr_runtime_of(c), quick, gr_int(i), NULL));
    return hold_invoke(c, self, args);
}

static const gr_method hold_methods[] = { { "invoke", GR_ASYNC, hold_invoke, NULL },
                                          { "block", GR_BLOCKING, hold_invoke, NULL },
                                          { "feed", GR_ASYNC, feed_invoke, NULL } };
static const gr_class hold_class =
    GR_CLASS(.name = "holder", .state_size = 1, GR_METHODS(hold_methods));
static const gr_method quick_methods[] = { { "invoke", GR_ASYNC, quick_invoke, NULL } };
static const gr_class quick_class =
    GR_CLASS(.name = "quick", .state_size = 1, GR_METHODS(quick_methods));

static gr_stats stats(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s;
}

static void start(const gr_runtime_opts *o)
{
    engine_blocks = test_memory_live();
    atomic_store(&entered, 0);
    atomic_store(&lines, 0);
    atomic_store(&quick_runs, 0);
    pthread_mutex_lock(&go.lock);
    go.count =
        0; /* a test whose handler was killed may have left one, and the next would not be held */
    pthread_mutex_unlock(&go.lock);
    gr_set_log(note_line, NULL, 3);
    cr_assert_eq(gr_runtime_new(o, &rt), GR_OK);
    root = gr_root(rt);
}

static void stop(void)
{
    engine_down();
    gr_set_log(NULL, NULL, 0);
}

static gr_future *hold(gr_ref a, const char *verb, gr_value *args)
{
    int before = atomic_load(&entered);
    gr_future *f = gr_acall(rt, a, verb, args, NULL);

    until(atomic_load(&entered) > before);
    return f;
}

static gr_ref holder(void)
{
    return gr_spawn(root, &hold_class, GR_SPAWN(.name = "the one that holds"));
}

static gr_ref quick(void)
{
    return gr_spawn(root, &quick_class, NULL);
}

Test(watchdog, a_slow_handler_is_reported_once_with_its_name)
{
    gr_future *f;

    start(GR_RUNTIME(.workers = 2, .report_ms = 200));
    f = hold(holder(), "invoke", gr_nil());
    until(stats().slow_handlers == 1 && atomic_load(&lines) == 1);
    cr_assert_not_null(strstr(line, "the one that holds"), "%s", line);
    gr_sleep(rt, 300);
    cr_assert_eq(stats().slow_handlers, 1);
    cr_assert_eq(stats().stuck_workers, 0);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

Test(watchdog, blocking_and_waiting_handlers_are_none_of_its_business)
{
    gr_future *f, *g;

    /* long enough that no worker loses its processor for as long */
    start(GR_RUNTIME(.workers = 2, .report_ms = 500, .stuck_ms = 600));
    f = hold(holder(), "block", gr_nil());
    g = gr_ainvoke(rt, nap(), gr_int(1000), NULL);
    cr_assert_eq(int_of(g), 1000);
    cr_assert_eq(stats().slow_handlers, 0);
    cr_assert_eq(stats().stuck_workers, 0);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

/* With one worker nothing would run until the handler returned. */
static void goes_on(unsigned workers)
{
    gr_future *f[64];
    gr_ref a[64];

    start(GR_RUNTIME(.workers = workers, .report_ms = 50, .stuck_ms = 200));
    for (unsigned i = 0; i < workers; i++) {
        a[i] = holder();
        f[i] = hold(a[i], "feed", gr_ref_value(quick()));
    }
    until(atomic_load(&quick_runs) == 100 * (int)workers);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, quick(), gr_int(i), NULL)), i);
    cr_assert_eq(int_of(gr_ainvoke(rt, nap(), gr_int(5), NULL)), 5);
    until(stats().stuck_workers >= workers);
    cr_assert(stats().spares_now >= 1 && stats().spares_now <= 4);
    for (unsigned i = 0; i < workers; i++)
        post(&go);
    for (unsigned i = 0; i < workers; i++)
        cr_assert_eq(code_of(f[i]), GR_OK);
    until(stats().spares_now == 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, quick(), gr_int(i), NULL)), i);
    /* and once more, with the spare that rests now */
    f[0] = hold(a[0], "feed", gr_ref_value(quick()));
    until(stats().spares_now >= 1);
    cr_assert_eq(int_of(gr_ainvoke(rt, quick(), gr_int(1), NULL)), 1);
    post(&go);
    cr_assert_eq(code_of(f[0]), GR_OK);
    stop();
}

Test(watchdog, a_spare_goes_on_for_the_only_worker)
{
    goes_on(1);
}

Test(watchdog, spares_go_on_for_all_workers)
{
    goes_on(2);
}

Test(watchdog, spares_are_bounded)
{
    gr_future *f[3];

    start(GR_RUNTIME(.workers = 1, .report_ms = 50, .stuck_ms = 100, .spares_max = 2));
    for (int i = 0; i < 3; i++)
        f[i] = hold(holder(), "invoke", gr_nil());
    until(stats().stuck_workers >= 3);
    cr_assert_eq(stats().spares_now, 2);
    for (int i = 0; i < 3; i++)
        post(&go);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(code_of(f[i]), GR_OK);
    until(stats().spares_now == 0);
    stop();
}

/* What is pinned waits for its own worker; the rest does not. */
Test(watchdog, a_pin_is_kept)
{
    gr_future *f, *pinned;

    start(GR_RUNTIME(.workers = 1, .report_ms = 10, .stuck_ms = 20));
    f = hold(holder(), "invoke", gr_nil());
    pinned = gr_ainvoke(rt, gr_spawn(root, &quick_class, GR_SPAWN(.worker = 1)), gr_int(7), NULL);
    cr_assert_eq(int_of(gr_ainvoke(rt, quick(), gr_int(1), NULL)), 1);
    cr_assert(!gr_done(pinned));
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    cr_assert_eq(int_of(pinned), 7);
    stop();
}

Test(watchdog, handler_ms_is_the_actors_own)
{
    gr_future *f;
    gr_ref patient, hasty;

    start(GR_RUNTIME(.workers = 2, .report_ms = 60000));
    patient = holder();
    hasty = gr_spawn(root, &hold_class, GR_SPAWN(.name = "hasty", .handler_ms = 50));
    f = hold(patient, "invoke", gr_nil());
    gr_sleep(rt, 50);
    cr_assert_eq(stats().slow_handlers, 0);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    f = hold(hasty, "invoke", gr_nil());
    until(stats().slow_handlers == 1);
    cr_assert_eq(stats().killed_overtime, 0);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

Test(watchdog, handler_kill_ends_the_actor)
{
    gr_future *f, *queued, *ended;
    gr_outcome o;
    gr_code rc;
    gr_ref a;

    start(GR_RUNTIME(.workers = 2));
    a = gr_spawn(root, &hold_class, GR_SPAWN(.handler_ms = 10, .handler_kill = true));
    f = hold(a, "invoke", gr_nil());
    queued = gr_ainvoke(rt, a, gr_nil(), NULL);
    ended = gr_ended(rt, a);
    until(stats().killed_overtime == 1);
    rc = code_of(gr_ainvoke(rt, a, gr_nil(), NULL));
    cr_assert(rc == GR_EDEAD || rc == GR_EBROKEN, "it takes no more");
    post(&go);
    cr_assert_eq(code_of(f), GR_OK, "what was done late is done");
    o = gr_await(queued, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EBROKEN);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(o.error, "cause"), "kind"), ""), "overtime");
    gr_future_free(queued);
    o = gr_await(ended, TEST_WAIT_MS);
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), "overtime");
    gr_future_free(ended);
    stop();
}

/* ---- backtraces ------------------------------------------------------------------------------- */

static _Atomic int frames;
static char first_frames[32][200];

static void note_frame(void *arg, int level, const char *text)
{
    int n = atomic_load(&frames);

    if (strncmp(text, "watchdog:   at ", 15) != 0) {
        note_line(arg, level, text);
        return;
    }
    if (n < 32)
        snprintf(first_frames[n], sizeof(first_frames[n]), "%s", text + 15);
    atomic_store(&frames, n + 1);
}

static _Atomic bool compute_on;

__attribute__((noinline)) static uint64_t compute(uint64_t x)
{
    while (atomic_load_explicit(&compute_on, memory_order_relaxed))
        x = x * 6364136223846793005u + 1;
    return x;
}

static gr_value *compute_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_int((int64_t)(compute(1) & 1));
}

static const gr_method compute_methods[] = { { "invoke", GR_ASYNC, compute_invoke, NULL } };
static const gr_class compute_class =
    GR_CLASS(.name = "computer", .state_size = 1, GR_METHODS(compute_methods));

static gr_future *reported(void)
{
    gr_future *f;

    atomic_store(&compute_on, true);
    atomic_store(&frames, 0);
    start(GR_RUNTIME(.workers = 2, .report_ms = 20, .backtrace_signal = GR_BACKTRACE_SIGNAL));
    gr_set_log(note_frame, NULL, 3);
    f = gr_ainvoke(rt, gr_spawn(root, &compute_class, NULL), gr_nil(), NULL);
    until(atomic_load(&lines) == 1);
    cr_assert_not_null(strstr(line, "computer"), "%s", line);
    return f;
}

static void end_report(gr_future *f)
{
    cr_assert_eq(stats().slow_handlers, 1, "once");
    cr_assert_eq(atomic_load(&lines), 1);
    atomic_store(&compute_on, false);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

#if !defined(__SANITIZE_THREAD__)
/* distance is how far a frame lies behind a function of this program; a frame elsewhere: far. */
static uint64_t distance(const char *frame, uintptr_t function)
{
    static const char module[] = "unit_watchdog_test+0x";
    char *here = NULL, mine[200];

    gri_symbol_print((const void *)function, mine, sizeof(mine));
    here = strstr(mine, module);
    frame = strstr(frame, module);
    if (here == NULL || frame == NULL)
        return UINT64_MAX;
    return strtoull(frame + strlen(module), NULL, 16) - strtoull(here + strlen(module), NULL, 16);
}

/* is_in: of the two functions it is that one the frame lies behind, and the nearer one. How long they are is the
 * compiler's business, and a sanitizer's. */
static bool is_in(const char *frame, uintptr_t function, uintptr_t other)
{
    uint64_t behind = distance(frame, function);

    return behind < 4096 && behind < distance(frame, other);
}

/* A thread that has lost its processor may answer too late, and then the line comes alone. */
Test(watchdog, a_report_says_where_the_handler_is)
{
    uintptr_t in = (uintptr_t)compute, out = (uintptr_t)compute_invoke;
    bool inner = false, outer = false;

    for (int i = 0; i < 20 && atomic_load(&frames) == 0; i++) {
        gr_future *f = reported();

        gr_sleep(rt, 20);
        end_report(f);
    }
    for (int i = 0; i < atomic_load(&frames) && i < 32; i++) {
        inner |= is_in(first_frames[i], in, out);
        outer |= is_in(first_frames[i], out, in);
    }
    cr_assert(inner && outer, "%s, %s, %s", first_frames[0], first_frames[1], first_frames[2]);
    cr_assert(is_in(first_frames[0], in, out), "its innermost frame is first");
}
#else
/* Under ThreadSanitizer a thread that computes gets its signals late. */
Test(watchdog, a_report_comes_without_a_backtrace_too)
{
    end_report(reported());
}
#endif

/* A worker that blocks in a system call answers too, and goes on. */
Test(watchdog, who_sleeps_in_the_kernel_answers_too)
{
    gr_future *f;

    atomic_store(&frames, 0);
    start(GR_RUNTIME(.workers = 2, .report_ms = 20, .backtrace_signal = GR_BACKTRACE_SIGNAL));
    gr_set_log(note_frame, NULL, 3);
    f = hold(holder(), "invoke", gr_nil());
    until(atomic_load(&lines) == 1);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

/* A handler that blocks the signal never answers; the line does not wait for it. */
static gr_value *deaf_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX - 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    hold_invoke(c, self, args);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return gr_value_ref(args);
}

static const gr_method deaf_methods[] = { { "invoke", GR_ASYNC, deaf_invoke, NULL } };
static const gr_class deaf_class =
    GR_CLASS(.name = "deaf", .state_size = 1, GR_METHODS(deaf_methods));

Test(watchdog, who_does_not_answer_is_reported_all_the_same)
{
    gr_future *f;

    atomic_store(&frames, 0);
    start(GR_RUNTIME(.workers = 2, .report_ms = 20, .backtrace_signal = GR_BACKTRACE_SIGNAL));
    gr_set_log(note_frame, NULL, 3);
    f = hold(gr_spawn(root, &deaf_class, NULL), "invoke", gr_nil());
    until(atomic_load(&lines) == 1);
    cr_assert_eq(atomic_load(&frames), 0);
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    stop();
}

/* ---- the rest goes on -------------------------------------------------------------------------- */

/* Long before they count as stuck; and no handler is reported. */
static void light_work_goes_on(const gr_runtime_opts *o, int heavies, unsigned spares)
{
    gr_future *f[4];

    start(o);
    for (int i = 0; i < heavies; i++)
        f[i] = hold(holder(), "feed", gr_ref_value(quick()));
    until(atomic_load(&quick_runs) == 100 * heavies);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(gr_ainvoke(rt, quick(), gr_int(i), NULL)), i);
    cr_assert_eq(stats().stuck_workers, 0);
    /* one worker is free; or more, where one has lost its processor for a while */
    cr_assert_geq(stats().spares_now, spares);
    cr_assert_leq(stats().spares_now, 4);
    for (int i = 0; i < heavies; i++)
        post(&go);
    for (int i = 0; i < heavies; i++)
        cr_assert_eq(code_of(f[i]), GR_OK);
    until(stats().spares_now == 0);
    stop();
}

Test(watchdog, light_work_goes_on_while_all_workers_compute)
{
    light_work_goes_on(GR_RUNTIME(.workers = 2), 2, 1);
}

/* A spare that is held itself gets company, up to spares_max. */
Test(watchdog, light_work_goes_on_while_a_spare_computes_too)
{
    light_work_goes_on(GR_RUNTIME(.workers = 2), 4, 3);
}

Test(watchdog, the_only_worker_runs_one_handler_at_a_time)
{
    gr_future *f, *g;

    start(GR_RUNTIME(.workers = 1));
    f = hold(holder(), "invoke", gr_nil());
    g = gr_ainvoke(rt, quick(), gr_int(1), NULL);
    gr_sleep(rt, 50);
    cr_assert_not(gr_done(g));
    post(&go);
    cr_assert_eq(code_of(f), GR_OK);
    cr_assert_eq(int_of(g), 1);
    cr_assert_eq(stats().spares_now, 0);
    stop();
}

Test(watchdog, the_only_worker_may_have_a_spare_soon)
{
    light_work_goes_on(GR_RUNTIME(.workers = 1, .spare_ms = 1), 1, 1);
}

/* Many reports in a second are one line, and the next says how many there were. */
Test(watchdog, the_log_is_not_flooded)
{
    uint64_t began = test_now_ns();

    start(GR_RUNTIME(.workers = 2, .report_ms = 5));
    for (int i = 0; i < 5; i++) {
        gr_future *f = hold(holder(), "invoke", gr_nil());

        until(stats().slow_handlers > (uint64_t)i);
        post(&go);
        cr_assert_eq(code_of(f), GR_OK);
    }
    /* one a second, and however long it took the last line came less than a second ago */
    cr_assert_leq((uint64_t)atomic_load(&lines), (test_now_ns() - began) / 1000000000u + 1);
    stop();
}
