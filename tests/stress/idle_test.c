/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle_test.c - a runtime without work does nothing: no thread of it runs, none wakes up.
 *
 * What is bounded is work done, not time taken: half a second in which the process may use 5 ms of
 * a processor, so a busy machine makes the test longer but not wrong. A second try is for what
 * other threads of the process may have left to do.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/engine.h"

#define QUIET_MS 500
#define CPU_NS_MAX 5000000
#define WAKES_MAX                                                                                  \
    8 /* of all threads but this one, in QUIET_MS; a tick of any would give 50 or more */
#define TRIES 5

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static long switches_of(const char *task)
{
    char path[300], line[256];
    long count = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
    f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    if (f != NULL)
        fclose(f);
    return count;
}

/* wakes adds up how often each thread has gone to sleep by itself, once for each wake-up. */
static long wakes(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    long count = 0;

    cr_assert_not_null(tasks);
    while ((task = readdir(tasks)) != NULL)
        if (task->d_name[0] != '.')
            count += switches_of(task->d_name);
    closedir(tasks);
    return count;
}

static void nap_ms(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* it_is_idle: in one of a few stretches of half a second nothing runs, and nothing wakes up. */
static void it_is_idle(const char *after)
{
    uint64_t used = 0;
    long woken = 0;

    for (int i = 0; i < TRIES; i++) {
        long asleep = wakes();
        uint64_t before =
            cpu_ns(); /* looking at each thread costs more than what is allowed here */

        nap_ms(QUIET_MS);
        used = cpu_ns() - before;
        woken = wakes() - asleep;
        if (used < CPU_NS_MAX && woken <= WAKES_MAX)
            return;
    }
    cr_assert_fail("after %s: %llu us of processor time, %ld wake-ups in %d ms", after,
                   (unsigned long long)used / 1000, woken, QUIET_MS);
}

/* ---- what it has done before ----------------------------------------------------------------- */

static gr_value *wait_blocking(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    nap_ms(1);
    return gr_value_ref(args);
}

static gr_ref blocker(void)
{
    static const gr_method methods[] = { { "invoke", GR_BLOCKING, wait_blocking, NULL } };
    static const gr_class cls = GR_CLASS(.name = "blocker", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* burst has everything at work: workers, parked handlers, timers, the blocking pool. */
static void burst(void)
{
    enum { COUNT = 600 };
    gr_ref to[3] = { echo(), nap(), blocker() };
    gr_future *f[COUNT];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++)
            f[i] =
                gr_ainvoke(rt, to[i % 3], gr_int(i % 4), GR_CALL(.timeout_ms = TEST_WAIT_MS * 2));
        for (int i = 0; i < COUNT; i++)
            cr_assert_eq(code_of(f[i]), GR_OK);
    }
}

static void idle_with(unsigned workers)
{
    engine_start(workers);
    it_is_idle("the start");
    burst();
    it_is_idle("a burst");
    engine_down();
}

Test(idle, two_workers_without_work_use_no_cpu)
{
    idle_with(2);
}

Test(idle, eight_workers_without_work_use_no_cpu)
{
    idle_with(8);
}

/* What is to come costs nothing until it comes: calls with deadlines, messages for later, handlers
 * that wait. */
Test(idle, what_is_due_in_an_hour_costs_nothing_now)
{
    enum { COUNT = 400, HOUR_MS = 3600000 };
    struct desk d = DESK;
    gr_future *f[COUNT];
    gr_ref sleeper, desk;

    engine_start(4);
    sleeper = nap();
    desk = desk_in(root, &d);
    for (int i = 0; i < COUNT; i++) {
        if (i < DESK_MAX)
            f[i] = gr_ainvoke(rt, desk, gr_nil(), GR_CALL(.timeout_ms = HOUR_MS + i));
        else
            f[i] = gr_ainvoke(rt, sleeper, gr_int(HOUR_MS + i * 100), NULL);
    }
    burst();
    it_is_idle("a burst");
    for (int i = 0; i < COUNT; i++)
        gr_future_free(f[i]);
    it_is_idle("cancelling");
    desk_close(&d);
    engine_down();
}

/* Several runtimes in one process are no more restless than one. */
Test(idle, three_runtimes_without_work_use_no_cpu)
{
    gr_runtime *others[2];

    engine_start(2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 4), &others[i]), GR_OK);
    burst();
    it_is_idle("a burst");
    for (int i = 0; i < 2; i++)
        gr_runtime_free(others[i]);
    engine_down();
}
