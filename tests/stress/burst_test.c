/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst_test.c - after a burst of a million calls the memory is the system's again.
 *
 * A million calls are pending at once, are answered, and nothing is left to do. Then the resident
 * size must come back to within a tenth of what it was before. That may take an idle runtime some
 * quiet moments, so the test waits for it; the bound on that is no measure, only an end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/engine.h"

#define MILLION 1000000
#define TRIM_WAIT_MS 30000

/* What the test itself holds is mapped by itself, so that it neither counts nor gets in between. */
static gr_future **futures;
static gr_promise **promises;
static _Atomic long came;

static void *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(p, MAP_FAILED);
    return p;
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%*s %ld", &pages), 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static gr_value *hold_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    promises[atomic_fetch_add(&came, 1)] = gr_defer(c);
    return NULL;
}

static const gr_method hold_methods[] = { { "invoke", GR_ASYNC, hold_invoke, NULL } };
static const gr_class hold_class = GR_CLASS(.name = "hold", GR_METHODS(hold_methods));

/* pend has so many calls pending, all of which have reached their handler. */
static void pend(gr_ref to, long count, const gr_call_opts *opts)
{
    futures = map((size_t)count * sizeof(gr_future *));
    promises = map((size_t)count * sizeof(gr_promise *));
    atomic_store(&came, 0);
    for (long i = 0; i < count; i++)
        futures[i] = gr_ainvoke(rt, to, gr_int(i), opts);
    until(atomic_load(&came) == count);
}

static void answer(long count)
{
    for (long i = 0; i < count; i++)
        gr_resolve(promises[i], gr_int(i));
    for (long i = 0; i < count; i++)
        cr_assert_eq(code_of(futures[i]), GR_OK);
}

/* give_up frees the futures in an order of its own, and the promises after that. */
static void give_up(long count)
{
    for (long i = 0; i < count; i++)
        gr_future_free(futures[i * 7919 % count]);
    for (long i = 0; i < count; i++)
        gr_promise_free(promises[i]);
}

static void unmap(long count)
{
    munmap(futures, (size_t)count * sizeof(gr_future *));
    munmap(promises, (size_t)count * sizeof(gr_promise *));
}

static void burst(const gr_call_opts *opts, void (*end)(long count))
{
    gr_ref to = gr_spawn(root, &hold_class, NULL);
    uint64_t until_ns;
    long before, peak, after;

    pend(to, 1000, opts); /* what is made once and stays: stacks, tables */
    end(1000);
    unmap(1000);
    before = resident_kib();
    pend(to, MILLION, opts);
    peak = resident_kib();
    end(MILLION);
    unmap(MILLION);
    until_ns = test_now_ns() + TRIM_WAIT_MS * UINT64_C(1000000);
    do
        after = resident_kib();
    while (after > before + before / 10 && test_now_ns() < until_ns && usleep(10000) == 0);
    printf("burst: %ld KiB before, %ld with a million pending (%ld bytes each), %ld after\n",
           before, peak, (peak - before) * 1024 / MILLION, after);
    cr_assert_leq(after, before + before / 10, "%ld KiB before, %ld KiB after", before, after);
}

Test(burst, a_million_calls_that_are_answered_leave_no_memory_behind)
{
    burst(NULL, answer);
}

Test(burst, a_million_calls_with_deadlines_leave_no_memory_behind)
{
    burst(GR_CALL(.timeout_ms = 3600000), answer);
}

Test(burst, a_million_calls_that_are_cancelled_leave_no_memory_behind)
{
    burst(NULL, give_up);
}

/* ---- a million tells, from one actor to a thousand in turn ------------------------------------- */

#define SINKS 1000

static gr_ref sinks[SINKS];
static _Atomic bool open_now;
static _Atomic long told, heard;

static void sink_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self, (void)msg;
    while (!atomic_load(&open_now))
        (void)gr_sleep(gr_runtime_of(c), 1);
    atomic_fetch_add(&heard, 1);
}

static const gr_class sink_class = GR_CLASS(.name = "sink", .receive = sink_receive);

static void tell_all(gr_ctx *c, void *self, const gr_value *msg)
{
    long count = (long)gr_as_int(msg, 0);

    (void)self;
    for (long i = 0; i < count; i++)
        cr_assert_eq(gr_tell(gr_runtime_of(c), sinks[i % SINKS], gr_int(i)), GR_OK);
    atomic_fetch_add(&told, count);
}

static const gr_class teller_class = GR_CLASS(.name = "teller", .receive = tell_all);

/* A fifth may stay, since a block in use keeps its slab: each of two workers has up to eight regions at hand. */
static void tells(gr_ref teller, long count, long *ret_peak)
{
    atomic_store(&open_now, false);
    atomic_store(&told, 0);
    atomic_store(&heard, 0);
    cr_assert_eq(gr_tell(rt, teller, gr_int(count)), GR_OK);
    until(atomic_load(&told) == count);
    *ret_peak = resident_kib();
    atomic_store(&open_now, true);
    until(atomic_load(&heard) == count);
}

Test(burst, a_million_tells_leave_no_memory_behind)
{
    gr_ref teller = gr_spawn(root, &teller_class, NULL);
    uint64_t until_ns;
    long before, peak, after;

    for (int i = 0; i < SINKS; i++)
        sinks[i] = gr_spawn(root, &sink_class, NULL);
    tells(teller, 2 * SINKS, &peak);
    before = resident_kib();
    tells(teller, MILLION, &peak);
    until_ns = test_now_ns() + TRIM_WAIT_MS * UINT64_C(1000000);
    do
        after = resident_kib();
    while (after > before + (peak - before) / 5 && test_now_ns() < until_ns && usleep(10000) == 0);
    printf("burst: %ld KiB before, %ld with a million tells waiting, %ld after\n", before, peak,
           after);
    cr_assert_leq(after, before + (peak - before) / 5, "%ld KiB before, %ld KiB after", before,
                  after);
}

static void start(void)
{
    cr_assert_eq(
        gr_runtime_new(
            GR_RUNTIME(.workers = 2, .mailbox_max = 2 * MILLION, .calls_max = 2 * MILLION), &rt),
        GR_OK);
    root = gr_root(rt);
}

static void stop(void)
{
    gr_runtime_free(rt);
}

TestSuite(burst, .init = start, .fini = stop);
