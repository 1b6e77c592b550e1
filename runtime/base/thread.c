/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/lock.h"

_Atomic uint32_t gri_simulations;
#ifdef GR_TESTING
enum gri_plant gri_planted;
#endif
_Thread_local const struct gri_platform *gri_platform;

static int create(pthread_t *ret_os, size_t stack_size, void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    int rc;

    if (stack_size == 0)
        return pthread_create(ret_os, NULL, fn, arg);
    rc = pthread_attr_init(&attr);
    if (rc != 0)
        return rc;
    rc = pthread_attr_setstacksize(&attr, stack_size);
    if (rc == 0)
        rc = pthread_create(ret_os, &attr, fn, arg);
    pthread_attr_destroy(&attr);
    return rc;
}

gr_code gri_thread_start_sized(struct gri_thread *ret_thread, const char *name, size_t stack_size,
                               void *(*fn)(void *), void *arg)
{
    const struct gri_platform *m = gri_platform_here();
    sigset_t all, old;
    int rc;

    if (m != NULL)
        return m->thread_start(ret_thread, name, fn, arg);
    ret_thread->simulated = NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = create(&ret_thread->os, stack_size, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? GR_OK : GR_ENOMEM;
}

gr_code gri_thread_start(struct gri_thread *ret_thread, const char *name, void *(*fn)(void *),
                         void *arg)
{
    gr_code rc = gri_thread_start_sized(ret_thread, name, 0, fn, arg);

    if (rc == GR_OK && ret_thread->simulated == NULL)
        pthread_setname_np(ret_thread->os, name);
    return rc;
}

void gri_thread_name(const char *name)
{
    if (gri_platform_here() == NULL)
        pthread_setname_np(pthread_self(), name);
}

void gri_thread_join(struct gri_thread *t)
{
    if (t->simulated != NULL)
        gri_platform->thread_join(t);
    else
        pthread_join(t->os, NULL);
}

void gri_thread_detach(struct gri_thread *t)
{
    if (t->simulated != NULL)
        gri_platform->thread_detach(t);
    else
        pthread_detach(t->os);
}

/* The kernel's struct sched_attr, first version; the C library has none. */
struct sched_attr_v0 {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

#define SHORT_SLICE_NS 100000 /* the least that the kernel takes */

void gri_thread_prompt(void)
{
    struct sched_attr_v0 a = { .size = sizeof(a) };

    if (gri_platform_here() != NULL || syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0)
        return;
    /* Of threads of the usual policy, with a share as large as before, the one whose slice is shorter
     * is let in when it wakes up. */
    if (a.policy != SCHED_OTHER)
        return;
    a.size = sizeof(a);
    a.runtime = SHORT_SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *until)
{
    return syscall(SYS_futex, word, op, value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

bool gri_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    const struct gri_platform *m = gri_platform_here();
    struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
                              .tv_nsec = (long)(deadline_ns % 1000000000u) };

    if (m != NULL)
        return m->futex_wait(word, expected, deadline_ns);
    /* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time */
    futex(word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline_ns == GRI_NEVER ? NULL : &until);
    return true;
}

void gri_futex_wake(_Atomic uint32_t *word, int count)
{
    const struct gri_platform *m = gri_platform_here();

    if (m != NULL) {
        m->futex_wake(word, count);
        return;
    }
    futex(word, FUTEX_WAKE_PRIVATE, (uint32_t)count, NULL);
}

uint64_t gri_clock_ns(void)
{
    const struct gri_platform *m = gri_platform_here();
    struct timespec t;

    if (m != NULL)
        return m->clock_ns();
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define SIM_DAY_US UINT64_C(1767225600000000) /* 1 January 2026 */

uint64_t gri_clock_wall_us(void)
{
    const struct gri_platform *m = gri_platform_here();
    struct timespec t;

    if (m != NULL)
        return SIM_DAY_US + m->clock_ns() / 1000;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000;
}

uint64_t gri_random_seed(void)
{
    const struct gri_platform *m = gri_platform_here();
    uint64_t seed = 0;

    if (m != NULL)
        seed = m->random();
    else if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
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
        gri_futex_wait(&l->word, 2,
                       gri_platform_here() != NULL ? GRI_NEVER : gri_clock_ns() + GRI_LOCK_LOOK_NS);
}

void gri_unlock_slow(struct gri_lock *l)
{
    /* the word is not ours any more after this, nor is the memory that it lies in: see gri_park_wake */
    atomic_store_explicit(&l->word, 0, memory_order_release);
    gri_futex_wake(&l->word, 1);
}

/* ---- barriers on behalf of others ------------------------------------------------------------- */

static pthread_once_t barrier_once = PTHREAD_ONCE_INIT;
static bool barrier_there;

static void barrier_register(void)
{
    barrier_there = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool gri_barrier_ready(void)
{
    if (gri_platform_here() != NULL) /* where one thread runs at a time */
        return true;
    pthread_once(&barrier_once, barrier_register);
    return barrier_there;
}

bool gri_barrier(void)
{
    return gri_platform_here() != NULL ||
           syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}
