/* SPDX-License-Identifier: Apache-2.0 */
/* fiber_test.c - stacks that code leaves and comes back to. */
#include <errno.h>
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#endif
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/thread.h"
#include "runtime/sched/fiber.h"

#include "tests/support/memory.h"
#include "tests/support/test.h"

static struct gri_fiber home;
static struct gri_fiber *away[64];
static char trace[256];

static void note(char c)
{
    size_t len = strlen(trace);

    trace[len] = c;
    trace[len + 1] = '\0';
}

static void entry(void *arg)
{
    for (;;) {
        note(*(char *)arg);
        gri_fiber_switch(away[0], &home);
    }
}

Test(fiber, goes_and_comes_back_where_it_was)
{
    static char letter = 'f';

    gri_fiber_adopt(&home);
    away[0] = gri_fiber_new(64 * 1024, entry, &letter);
    for (int i = 0; i < 3; i++) {
        note('h');
        gri_fiber_switch(&home, away[0]);
    }
    cr_assert_str_eq(trace, "hfhfhf");
    gri_fiber_free(away[0]);
    gri_fiber_disown(&home);
    gri_fiber_free(NULL);
}

static uint64_t sums[64];

/* Values in registers, doubles and on the stack must be there after each switch. */
static void compute(void *arg)
{
    size_t index = (size_t)(uintptr_t)arg;
    volatile uint64_t on_stack[100];
    double real = (double)index + 0.5;
    uint64_t sum = index;

    for (size_t i = 0; i < 100; i++)
        on_stack[i] = index * 1000 + i;
    for (size_t round = 0;; round++) {
        sum = sum * 31 + on_stack[round % 100] + (uint64_t)(real * 2);
        real += 1;
        sums[index] = sum;
        gri_fiber_switch(away[index], &home);
    }
}

static uint64_t expected(size_t index, size_t rounds)
{
    double real = (double)index + 0.5;
    uint64_t sum = index;

    for (size_t round = 0; round < rounds; round++) {
        sum = sum * 31 + index * 1000 + round % 100 + (uint64_t)(real * 2);
        real += 1;
    }
    return sum;
}

Test(fiber, many_keep_what_is_theirs)
{
    long before = test_memory_live();

    gri_fiber_adopt(&home);
    for (size_t i = 0; i < 64; i++)
        away[i] = gri_fiber_new(64 * 1024, compute, (void *)(uintptr_t)i);
    for (size_t round = 0; round < 500; round++)
        for (size_t i = 0; i < 64; i++)
            gri_fiber_switch(&home, away[i]);
    for (size_t i = 0; i < 64; i++) {
        cr_assert_eq(sums[i], expected(i, 500));
        gri_fiber_free(away[i]);
    }
    gri_fiber_disown(&home);
    cr_assert_eq(test_memory_live(), before);
}

static long seen[2];

/* The thread's number by a system call: the compiler takes pthread_self() for a constant of the
 * function. */
static long thread_number(void)
{
    return syscall(SYS_gettid);
}

static void who(void *arg)
{
    (void)arg;
    seen[0] = thread_number();
    gri_fiber_switch(away[0], &home);
    seen[1] = thread_number();
    gri_fiber_switch(away[0], &home);
}

static void *resume_elsewhere(void *arg)
{
    *(long *)arg = thread_number();
    gri_fiber_adopt(&home);
    gri_fiber_switch(&home, away[0]);
    gri_fiber_disown(&home);
    return NULL;
}

Test(fiber, goes_on_on_another_thread)
{
    struct gri_thread thread;
    long other = 0;

    gri_fiber_adopt(&home);
    away[0] = gri_fiber_new(64 * 1024, who, NULL);
    gri_fiber_switch(&home, away[0]);
    gri_fiber_disown(&home);
    cr_assert_eq(gri_thread_start(&thread, "other", resume_elsewhere, &other), GR_OK);
    gri_thread_join(&thread);
    cr_assert_eq(seen[0], thread_number());
    cr_assert_eq(seen[1], other);
    gri_fiber_free(away[0]);
}

#if __has_include(<execinfo.h>)
static int frame_count;

static void count_frames(void *arg)
{
    void *frames[64];

    (void)arg;
    frame_count = backtrace(frames, 64);
    gri_fiber_switch(away[0], &home);
}

/* Debuggers and the watchdog walk up a fiber's stack, and must find its end. */
Test(fiber, a_backtrace_ends_where_the_stack_begins)
{
    gri_fiber_adopt(&home);
    away[0] = gri_fiber_new(64 * 1024, count_frames, NULL);
    gri_fiber_switch(&home, away[0]);
    cr_assert(frame_count >= 1 && frame_count <= 8, "%d", frame_count);
    gri_fiber_free(away[0]);
    gri_fiber_disown(&home);
}
#endif

/* The kernel may not read the page either, which tells without a crash. */
Test(fiber, a_guard_page_lies_below_the_stack)
{
    int ends[2];

    away[0] = gri_fiber_new(64 * 1024, entry, NULL);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], away[0]->stack, 1), -1);
    cr_assert_eq(errno, EFAULT);
    close(ends[0]);
    close(ends[1]);
    gri_fiber_free(away[0]);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    trace[0] = '\0';
}

TestSuite(fiber, .init = start_afresh);
