/* SPDX-License-Identifier: Apache-2.0 */
/* cq_test.c - completion queues: answers for a foreign event loop. */
#include <poll.h>

#include "tests/support/engine.h"

TestSuite(cq, .init = engine_up, .fini = engine_down);

static bool readable(const gr_cq *cq, int timeout_ms)
{
    struct pollfd p = { .fd = gr_cq_fd(cq), .events = POLLIN };

    return poll(&p, 1, timeout_ms) == 1;
}

Test(cq, the_descriptor_is_readable_exactly_while_answers_wait)
{
    struct desk d = DESK;
    gr_cq *cq = gr_cq_new(rt);
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);
    void *tag = NULL;

    cr_assert_eq(gr_cq_watch(cq, f, &d), GR_OK);
    cr_assert_not(readable(cq, 0));
    cr_assert_null(gr_cq_next(cq, &tag));
    until(atomic_load(&d.came) == 1);
    desk_answer(&d, 0, gr_int(3));
    cr_assert(readable(cq, TEST_WAIT_MS));
    cr_assert_eq(gr_cq_next(cq, &tag), f);
    cr_assert_eq(tag, &d);
    cr_assert_not(readable(cq, 0));
    cr_assert_null(gr_cq_next(cq, NULL));
    cr_assert_eq(int_of(f), 3);
    gr_cq_free(cq);
    gr_cq_free(NULL);
}

Test(cq, a_complete_future_is_ready_at_once)
{
    gr_cq *cq = gr_cq_new(rt);
    gr_future *f = gr_ainvoke(rt, echo(), gr_int(1), NULL);

    gr_await(f, -1);
    cr_assert_eq(gr_cq_watch(cq, f, NULL), GR_OK);
    cr_assert(readable(cq, 0));
    cr_assert_eq(gr_cq_next(cq, NULL), f);
    gr_future_free(f);
    gr_cq_free(cq);
}

Test(cq, every_future_comes_out_once)
{
    enum { COUNT = 500 };
    gr_cq *cq = gr_cq_new(rt);
    gr_ref to = nap();
    static int seen[COUNT];
    int n = 0;

    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(rt, to, gr_int(i % 3), NULL), &seen[i]), GR_OK);
    while (n < COUNT) {
        void *tag = NULL;
        gr_future *f;

        cr_assert(readable(cq, TEST_WAIT_MS));
        while ((f = gr_cq_next(cq, &tag)) != NULL) {
            cr_assert_eq(gr_await(f, 0).code, GR_OK);
            (*(int *)tag)++;
            n++;
            gr_future_free(f);
        }
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(seen[i], 1);
    gr_cq_free(cq);
}

Test(cq, two_queues_do_not_mix)
{
    gr_cq *a = gr_cq_new(rt), *b = gr_cq_new(rt);
    gr_ref to = nap();
    gr_future *fs[2] = { gr_ainvoke(rt, to, gr_int(1), NULL), gr_ainvoke(rt, to, gr_int(1), NULL) };

    cr_assert_eq(gr_cq_watch(a, fs[0], NULL), GR_OK);
    cr_assert_eq(gr_cq_watch(b, fs[1], NULL), GR_OK);
    cr_assert(readable(a, TEST_WAIT_MS));
    cr_assert(readable(b, TEST_WAIT_MS));
    cr_assert_eq(gr_cq_next(a, NULL), fs[0]);
    cr_assert_eq(gr_cq_next(b, NULL), fs[1]);
    cr_assert_null(gr_cq_next(a, NULL));
    gr_future_free(fs[0]);
    gr_future_free(fs[1]);
    gr_cq_free(a);
    gr_cq_free(b);
}

Test(cq, null_is_refused)
{
    gr_cq *cq = gr_cq_new(rt);

    cr_assert_eq(gr_cq_watch(cq, NULL, NULL), GR_EINVAL);
    gr_cq_free(cq);
}

Test(cq, freeing_it_cancels_what_is_watched)
{
    struct desk d = DESK;
    gr_cq *cq = gr_cq_new(rt);
    gr_ref to = desk_in(root, &d);

    for (int i = 0; i < 10; i++)
        cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(rt, to, gr_nil(), NULL), NULL), GR_OK);
    cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(rt, echo(), gr_nil(), NULL), NULL), GR_OK);
    until(atomic_load(&d.came) == 10);
    gr_cq_free(cq);
    cr_assert_eq(atomic_load(&d.cancelled), 10);
    desk_close(&d);
}

Test(cq, it_collects_from_two_runtimes_and_outlives_them)
{
    gr_runtime *other = NULL;
    gr_cq *cq = gr_cq_new(rt);
    gr_ref theirs;
    int canceled = 0;
    gr_future *f;

    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1), &other), GR_OK);
    gr_runtime *mine = rt;
    gr_ref ours = nap();
    rt = other;
    root = gr_root(other);
    theirs = nap();
    rt = mine;
    root = gr_root(mine);
    cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(rt, ours, gr_int(600000), NULL), NULL), GR_OK);
    cr_assert_eq(gr_cq_watch(cq, gr_ainvoke(other, theirs, gr_int(600000), NULL), NULL), GR_OK);
    gr_runtime_free(other);
    gr_runtime_free(rt);
    rt = NULL;
    cr_assert(readable(cq, 0));
    while ((f = gr_cq_next(cq, NULL)) != NULL) {
        canceled += gr_await(f, 0).code == GR_ECANCELED;
        gr_future_free(f);
    }
    cr_assert_eq(canceled, 2);
    gr_cq_free(cq);
}
