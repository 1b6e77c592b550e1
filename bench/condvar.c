/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condvar.c - what two plain threads take to hand a word to each other and back, with a mutex and a
 * condition variable: the least that a call between a thread and a worker can be held to, on this
 * machine at this moment.
 */
#include <pthread.h>

#include "bench/bench.h"

struct pair {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool theirs; /* whose turn it is */
    long left;
};

/* hand_over waits for this side's turn and gives it to the other. */
static void hand_over(struct pair *p, bool theirs)
{
    pthread_mutex_lock(&p->lock);
    while (p->theirs != theirs)
        pthread_cond_wait(&p->changed, &p->lock);
    p->theirs = !theirs;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void *answerer(void *arg)
{
    struct pair *p = arg;
    long n = p->left;

    for (long i = 0; i < n; i++)
        hand_over(p, true);
    return NULL;
}

double bench_condvar_ns(long n)
{
    struct pair p = { .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .left = n };
    uint64_t begin_ns = gri_clock_ns();
    pthread_t thread;

    if (pthread_create(&thread, NULL, answerer, &p) != 0)
        return 0;
    for (long i = 0; i < n; i++)
        hand_over(&p, false);
    pthread_join(thread, NULL); /* takes the last turn */
    return (double)(gri_clock_ns() - begin_ns) / (double)n;
}
