/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fairness_test.c - more actors that always have something to do than a worker's ring takes: each gets its turns.
 *
 * What the system does not run has no turn: where the machine is busy a worker may stand still for all the time that
 * the other needs, and so do those in its ring. So both workers must have done their part before it is looked.
 */
#include <stdatomic.h>

#include "tests/support/engine.h"

#define ACTORS 700
#define EACH 2000 /* messages, on the average */
#define WORKERS 2

static gr_ref actors[ACTORS];
static _Atomic long handled[ACTORS], done[WORKERS]; /* messages, by actor and by worker */
static _Atomic int workers;                         /* that have handled any */
static _Thread_local int worker = -1;
static _Atomic bool enough;

static void again(gr_ctx *c, void *self, const gr_value *msg)
{
    int64_t i = gr_as_int(msg, 0);

    (void)self;
    if (worker < 0)
        worker = atomic_fetch_add(&workers, 1);
    atomic_fetch_add_explicit(&handled[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&done[worker], 1, memory_order_relaxed);
    if (!atomic_load(&enough))
        (void)gr_tell(gr_runtime_of(c), actors[i], gr_int(i));
}

static const gr_class again_class = GR_CLASS(.name = "again", .receive = again);

static long least_handled(const long *before)
{
    long least = atomic_load(&handled[0]) - before[0];

    for (int i = 1; i < ACTORS; i++)
        if (atomic_load(&handled[i]) - before[i] < least)
            least = atomic_load(&handled[i]) - before[i];
    return least;
}

static void each_gets_its_turns(unsigned n)
{
    long before[ACTORS], begun[WORKERS], least, part = (long)ACTORS * EACH / n / 2;

    memset(handled, 0, sizeof handled);
    memset(done, 0, sizeof done);
    atomic_store(&workers, 0);
    atomic_store(&enough, false);
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = n, .spare_ms = 600000), &rt), GR_OK);
    for (int i = 0; i < ACTORS; i++)
        actors[i] = gr_spawn(gr_root(rt), &again_class, NULL);
    for (int i = 0; i < ACTORS; i++)
        cr_assert_eq(gr_tell(rt, actors[i], gr_int(i)), GR_OK);
    for (int i = 0; i < ACTORS; i++) /* what comes from outside comes by and by */
        until(atomic_load(&handled[i]) > 0);
    for (int i = 0; i < ACTORS; i++)
        before[i] = atomic_load(&handled[i]);
    for (unsigned i = 0; i < n; i++)
        begun[i] = atomic_load(&done[i]);
    for (unsigned i = 0; i < n; i++)
        until(atomic_load(&done[i]) - begun[i] >= part);
    least = least_handled(before);
    atomic_store(&enough, true);
    engine_down();
    cr_assert_geq(least, EACH / 20, "the least busy had %ld of %d", least, EACH);
}

Test(fairness, actors_beyond_a_ring_get_their_turns)
{
    each_gets_its_turns(2);
}

Test(fairness, with_one_worker_too)
{
    each_gets_its_turns(1);
}
