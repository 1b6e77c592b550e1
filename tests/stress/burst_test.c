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
