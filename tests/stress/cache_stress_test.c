/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_stress_test.c - blocks go from thread to thread, workers' and others', while the store is
 * trimmed: nobody else's while they are in use, and all at home at the end.
 */
#include <pthread.h>
#include <stdint.h>

#include "runtime/sched/cache.h"
#include "runtime/sched/slab.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define THREADS 6 /* the last two are no workers */
#define WORKERS 4
#define ROUNDS 30000
#define SHARED 512
#define HELD 100

struct message {
    uint64_t number, copy;
};

static struct gri_sched sched;
static struct gri_worker workers[WORKERS];
static _Atomic(struct message *) shared[SHARED]; /* on their way */
static _Atomic bool done;
static _Atomic long damaged;

static void check(const struct message *m)
{
    if (m->copy != ~m->number)
        atomic_fetch_add(&damaged, 1);
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Each round makes a message, lays it into the place of another, and throws that one away; now and
 * then a burst comes and goes. */
static void *run(void *arg)
{
    uint64_t who = (uintptr_t)arg, seed = 88172645463325252u + who;
    struct gri_worker *w = who < WORKERS ? &workers[who] : NULL;
    struct message *held[HELD];

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct message *m = gri_cache_alloc(w, GRI_BLOCK_TELL), *old;

        *m = (struct message){ .number = who << 32 | i, .copy = ~(who << 32 | i) };
        old = atomic_exchange_explicit(&shared[draw(&seed) % SHARED], m, memory_order_acq_rel);
        if (old != NULL) {
            check(old);
            gri_cache_free(w, GRI_BLOCK_TELL, old);
        }
        if (i % 500 != 0)
            continue;
        for (uint64_t k = 0; k < HELD; k++) {
            held[k] = gri_cache_alloc(w, GRI_BLOCK_CALL);
            *held[k] = (struct message){ .number = i + k, .copy = ~(i + k) };
        }
        for (uint64_t k = 0; k < HELD; k++) {
            check(held[k]);
            gri_cache_free(w, GRI_BLOCK_CALL, held[k]);
        }
    }
    return NULL;
}

static void *trim(void *arg)
{
    (void)arg;
    while (!atomic_load(&done))
        gri_store_trim(sched.store);
    return NULL;
}

Test(cache_stress, blocks_go_round_between_all_threads)
{
    long before = test_memory_live();
    pthread_t threads[THREADS], trimmer;

    sched.store = gri_store_new();
    cr_assert_not_null(sched.store);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = (struct gri_worker){ .sched = &sched };
    cr_assert_eq(pthread_create(&trimmer, NULL, trim, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    pthread_join(trimmer, NULL);
    cr_assert_eq(atomic_load(&damaged), 0);
    for (int i = 0; i < WORKERS; i++)
        gri_shelves_empty(&workers[i]);
    gri_store_close(sched.store);
    for (int i = 0; i < SHARED; i++) { /* what outlives the runtime */
        struct message *m = atomic_load(&shared[i]);

        if (m != NULL) {
            check(m);
            gri_cache_free(NULL, GRI_BLOCK_TELL, m);
        }
    }
    cr_assert_eq(atomic_load(&damaged), 0);
    cr_assert_eq(test_memory_live(), before);
}
