/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/lock.h"

gr_code gri_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(ret_thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return GR_ENOMEM;
    pthread_setname_np(*ret_thread, name);
    return GR_OK;
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *until)
{
    return syscall(SYS_futex, word, op, value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void gri_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
                              .tv_nsec = (long)(deadline_ns % 1000000000u) };

    /* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time */
    futex(word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline_ns == GRI_NEVER ? NULL : &until);
}

void gri_futex_wake(_Atomic uint32_t *word, int count)
{
    futex(word, FUTEX_WAKE_PRIVATE, (uint32_t)count, NULL);
}

uint64_t gri_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t gri_random_seed(void)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = gri_clock_ns() ^ ((uint64_t)getpid() << 32);
    return seed != 0 ? seed : 1;
}

void gri_lock_slow(struct gri_lock *l)
{
    /* A short spin first: locks here are held for tens of nanoseconds. */
    for (int i = 0; i < 100; i++) {
        uint32_t free_word = 0;

        if (atomic_load_explicit(&l->word, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(&l->word, &free_word, 1, memory_order_acquire,
                                                    memory_order_relaxed))
            return;
        gri_cpu_relax();
    }
    /* 2 tells the holder to wake somebody; we may hold it as 2 without need, which is harmless. */
    while (atomic_exchange_explicit(&l->word, 2, memory_order_acquire) != 0)
        gri_futex_wait(&l->word, 2, GRI_NEVER);
}

void gri_unlock_slow(struct gri_lock *l)
{
    gri_futex_wake(&l->word, 1);
}
