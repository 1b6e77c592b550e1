/* SPDX-License-Identifier: Apache-2.0 */
/* runtimes_test.c - runtimes in one process, whose handlers wait for each other's futures. */
#include <stdlib.h>

#include "tests/support/engine.h"

#define RUNTIMES 3

/* A node of the ring: it asks the next runtime's, until nothing is left of the number. */
struct node {
    gr_runtime *runtime; /* owned by the test */
    gr_ref ref;
    const struct node *next;
    _Atomic long ran;
};

static struct node ring[RUNTIMES];
static long blocks;

static gr_value *around(gr_ctx *c, void *self, const gr_value *args)
{
    struct node *n = gr_as_opaque(gr_args(c));
    int64_t left = gr_as_int(args, 0);
    gr_value *err = NULL, *v;

    (void)self;
    atomic_fetch_add(&n->ran, 1);
    if (gr_runtime_of(c) != n->runtime)
        return gr_error(GR_EINVAL, "a worker of another runtime");
    if (left == 0)
        return gr_int(0);
    v = gr_take(gr_ainvoke(n->next->runtime, n->next->ref, gr_int(left - 1), NULL), &err);
    /* back on one's own workers, whoever has completed the future */
    if (gr_runtime_of(c) != n->runtime)
        return gr_error(GR_EINVAL, "woken up by another runtime");
    if (v == NULL)
        return err;
    left = gr_as_int(v, -1);
    gr_value_unref(v);
    return gr_int(left + 1);
}

static const gr_method around_methods[] = { { "invoke", GR_ASYNC, around, NULL } };
static const gr_class around_class = GR_CLASS(.name = "around", GR_METHODS(around_methods));

static void ring_up(void)
{
    blocks = test_memory_live();
    for (int i = 0; i < RUNTIMES; i++) {
        ring[i].next = &ring[(i + 1) % RUNTIMES];
        atomic_store(&ring[i].ran, 0);
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = (unsigned)i + 1), &ring[i].runtime),
                     GR_OK);
    }
    for (int i = 0; i < RUNTIMES; i++)
        ring[i].ref = gr_spawn(gr_root(ring[i].runtime), &around_class,
                               GR_SPAWN(.args = gr_opaque(&ring[i], NULL)));
}

static void ring_down(void)
{
    for (int i = 0; i < RUNTIMES; i++)
        gr_runtime_free(ring[i].runtime);
    cr_assert_eq(test_memory_live(), blocks);
}

TestSuite(runtimes, .init = ring_up, .fini = ring_down);

/* Each call goes around four times, and a handler waits at each step. */
Test(runtimes, three_of_them_wait_for_each_other)
{
    enum { COUNT = 30, STEPS = 12 };
    gr_future *f[COUNT];

    for (int i = 0; i < COUNT; i++) {
        const struct node *n = &ring[i % RUNTIMES];

        f[i] = gr_ainvoke(n->runtime, n->ref, gr_int(STEPS), NULL);
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(int_of(f[i]), STEPS);
    for (int i = 0; i < RUNTIMES; i++)
        cr_assert_eq(atomic_load(&ring[i].ran), COUNT * (STEPS + 1) / RUNTIMES);
}

static void *asker(void *arg)
{
    const struct node *n = arg;

    for (int i = 0; i < 100; i++) {
        gr_future *f = gr_ainvoke(n->runtime, n->ref, gr_int(i % 12), NULL);

        cr_assert_eq(int_of(f), i % 12);
    }
    return NULL;
}

/* A thread for each, so that all are entered from outside and from each other at once. */
Test(runtimes, they_are_asked_from_outside_meanwhile)
{
    pthread_t threads[RUNTIMES];

    for (int i = 0; i < RUNTIMES; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, asker, &ring[i]), 0);
    for (int i = 0; i < RUNTIMES; i++)
        pthread_join(threads[i], NULL);
}

/* A queue of the third takes the answers of all. */
Test(runtimes, one_completion_queue_takes_answers_of_all)
{
    enum { COUNT = 300 };
    gr_cq *cq = gr_cq_new(ring[2].runtime);
    int n = 0;

    for (int i = 0; i < COUNT; i++) {
        const struct node *at = &ring[i % RUNTIMES];
        gr_future *f = gr_ainvoke(at->runtime, at->ref, gr_int(i % 7), NULL);

        cr_assert_eq(gr_cq_watch(cq, f, (void *)(uintptr_t)(i % 7)), GR_OK);
    }
    while (n < COUNT) {
        void *tag = NULL;
        gr_future *f = gr_cq_next(cq, &tag);

        if (f == NULL) {
            sched_yield();
            continue;
        }
        cr_assert_eq(int_of(f), (int64_t)(uintptr_t)tag);
        n++;
    }
    gr_cq_free(cq);
}

static _Atomic int hanging;

static gr_value *hang(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    atomic_fetch_add(&hanging, 1);
    return gr_sleep(gr_runtime_of(c), gr_as_int(args, 0)) == GR_OK
               ? gr_value_ref(args)
               : gr_error(GR_ECANCELED, "woken up");
}

static const gr_method hang_methods[] = { { "invoke", GR_ASYNC, hang, NULL } };
static const gr_class hang_class = GR_CLASS(.name = "hang", GR_METHODS(hang_methods));

static gr_value *ask_hang(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_ref *to = gr_as_opaque(gr_args(c));
    gr_value *err = NULL;
    gr_value *v = gr_take(gr_ainvoke(ring[2].runtime, *to, gr_value_ref(args), NULL), &err);

    (void)self;
    return v != NULL ? v : err;
}

static const gr_method ask_methods[] = { { "invoke", GR_ASYNC, ask_hang, NULL } };
static const gr_class ask_class = GR_CLASS(.name = "ask", GR_METHODS(ask_methods));

/* One that ends answers those who wait for it in the others, which go on. */
Test(runtimes, the_end_of_one_wakes_who_waits_in_the_others)
{
    enum { COUNT = 50 };
    gr_ref to = gr_spawn(gr_root(ring[2].runtime), &hang_class, NULL);
    gr_ref ask =
        gr_spawn(gr_root(ring[0].runtime), &ask_class, GR_SPAWN(.args = gr_opaque(&to, NULL)));
    gr_future *f[COUNT], *one;

    for (int i = 0; i < COUNT; i++)
        f[i] = gr_ainvoke(ring[0].runtime, ask, gr_int(3600000), NULL);
    until(atomic_load(&hanging) == COUNT); /* nobody calls it any more */
    gr_runtime_free(ring[2].runtime);
    ring[2].runtime = NULL;
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(code_of(f[i]), GR_ECANCELED);
    one = gr_ainvoke(ring[0].runtime, ring[0].ref, gr_int(1), NULL);
    cr_assert_eq(int_of(one), 1, "the first and the second go on");
}

/* The one that waits ends as soon as it is woken up, while the thread that has done so is maybe not back yet. */
Test(runtimes, one_ends_while_another_wakes_it)
{
    for (int i = 0; i < 400; i++) {
        struct node last = { .runtime = ring[0].runtime, .ref = ring[0].ref },
                    first = { .next = &last };
        gr_value *v;

        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &first.runtime), GR_OK);
        first.ref = gr_spawn(gr_root(first.runtime), &around_class,
                             GR_SPAWN(.args = gr_opaque(&first, NULL)));
        v = gr_invoke(first.runtime, first.ref, gr_int(1), NULL, NULL);
        cr_assert_eq(gr_as_int(v, -1), 1);
        gr_value_unref(v);
        gr_runtime_free(first.runtime);
    }
}
