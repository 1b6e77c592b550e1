/* SPDX-License-Identifier: Apache-2.0 */
/* future_stress_test.c - answers that race with waits, timeouts, callbacks, combinators and
 * queues. */
#include <poll.h>

#include "tests/support/engine.h"

Test(future_stress, waits_that_time_out_as_the_answer_comes)
{
    gr_ref a = nap();
    int late = 0;

    for (int i = 0; i < 200; i++) {
        gr_future *f = gr_ainvoke(rt, a, gr_int(i % 3), NULL);

        while (gr_await(f, i % 2).code == GR_EPENDING)
            late++;
        cr_assert_eq(int_of(f), i % 3);
    }
    cr_assert_geq(late, 0);
}

static gr_value *impatient(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args), NULL);
    gr_outcome o;
    gr_value *v;

    (void)self;
    while ((o = gr_await(f, 1)).code == GR_EPENDING)
        ;
    v = o.code == GR_OK ? gr_value_ref(o.value) : gr_error(o.code, "no answer");
    gr_future_free(f);
    return v;
}

static const gr_method impatient_methods[] = { { "invoke", GR_ASYNC, impatient, NULL } };
static const gr_class impatient_class =
    GR_CLASS(.name = "impatient", GR_METHODS(impatient_methods));

Test(future_stress, the_same_in_handlers)
{
    gr_ref a = gr_spawn(root, &impatient_class, GR_SPAWN(.args = gr_ref_value(nap())));

    for (int i = 0; i < 10; i++) {
        gr_future *fs[50];

        for (int k = 0; k < 50; k++)
            fs[k] = gr_ainvoke(rt, a, gr_int(k % 4), NULL);
        for (int k = 0; k < 50; k++)
            cr_assert_eq(int_of(fs[k]), k % 4);
    }
}

Test(future_stress, combinators_over_answers_under_way)
{
    gr_ref a = nap(), b = boom();

    for (int i = 0; i < 30; i++) {
        gr_future *fs[8], *gs[8], *hs[8];

        for (int k = 0; k < 8; k++) {
            fs[k] = gr_ainvoke(rt, a, gr_int(k % 2), NULL);
            gs[k] = gr_ainvoke(rt, k == i % 8 ? b : a, gr_int(k % 3), NULL);
            hs[k] = gr_ainvoke(rt, a, gr_int(k % 3), NULL);
        }
        cr_assert_eq(code_of(gr_all(rt, fs, 8)), GR_OK);
        cr_assert_eq(code_of(gr_all(rt, gs, 8)), GR_EREMOTE);
        gr_future_free(gr_race(rt, hs, 8));
        cr_assert_eq(int_of(gr_within(rt, gr_ainvoke(rt, a, gr_int(1), NULL), 60000)), 1);
        gr_future_free(gr_within(rt, gr_ainvoke(rt, a, gr_int(1), NULL), 1));
    }
}

static _Atomic int done, dropped;

static void note_done(void *arg, gr_future *f)
{
    (void)arg;
    atomic_fetch_add(&done, 1);
    gr_future_free(f);
}

static void note_drop(void *arg)
{
    (void)arg;
    atomic_fetch_add(&dropped, 1);
}

Test(future_stress, callbacks_come_once_each)
{
    gr_ref a = nap();

    for (int i = 0; i < 1500; i++)
        cr_assert_eq(gr_on_done(gr_ainvoke(rt, a, gr_int(i % 2), NULL), note_done, note_drop, NULL),
                     GR_OK);
    until(atomic_load(&dropped) == 1500);
    cr_assert_eq(atomic_load(&done), 1500);
}

Test(future_stress, two_queues_poll_by_poll)
{
    gr_cq *cqs[2] = { gr_cq_new(rt), gr_cq_new(rt) };
    gr_ref a = nap();
    int left = 1000;

    for (int i = 0; i < left; i++)
        cr_assert_eq(gr_cq_watch(cqs[i % 2], gr_ainvoke(rt, a, gr_int(i % 3), NULL), NULL), GR_OK);
    while (left > 0) {
        struct pollfd p[2] = { { .fd = gr_cq_fd(cqs[0]), .events = POLLIN },
                               { .fd = gr_cq_fd(cqs[1]), .events = POLLIN } };

        cr_assert_geq(poll(p, 2, TEST_WAIT_MS), 1, "%d answers don't come", left);
        for (int q = 0; q < 2; q++) {
            gr_future *f = (p[q].revents & POLLIN) != 0 ? gr_cq_next(cqs[q], NULL) : NULL;

            cr_assert(f != NULL || (p[q].revents & POLLIN) == 0, "readable means that one waits");
            left -= f != NULL;
            gr_future_free(f);
        }
    }
    gr_cq_free(cqs[0]);
    gr_cq_free(cqs[1]);
}

static void *name_and_cancel(void *arg)
{
    gr_cancel(rt, gr_future_call(arg));
    return NULL;
}

Test(future_stress, names_taken_as_calls_end)
{
    gr_ref a = nap();

    for (int i = 0; i < 80; i++) {
        gr_future *f = gr_ainvoke(rt, a, gr_int(i % 2), NULL);
        pthread_t thread;
        gr_code rc;

        pthread_create(&thread, NULL, name_and_cancel, f);
        rc = gr_await(f, -1).code;
        cr_assert(rc == GR_OK || rc == GR_ECANCELED);
        pthread_join(thread, NULL);
        gr_future_free(f);
    }
}

TestSuite(future_stress, .init = engine_up, .fini = engine_down);
