/* SPDX-License-Identifier: Apache-2.0 */
/* cq_test.c - completion queues: answers for a foreign event loop. */
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/thread.h"

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

/* count_of returns what the descriptor of a queue holds; -1 if the kernel doesn't tell. */
static long count_of(const gr_cq *cq)
{
    char line[128];
    long count = -1;
    FILE *info;

    snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", gr_cq_fd(cq));
    info = fopen(line, "r");
    while (info != NULL && fgets(line, sizeof(line), info) != NULL)
        sscanf(line, "eventfd-count: %lx", (unsigned long *)&count);
    if (info != NULL)
        fclose(info);
    return count;
}

Test(cq, the_descriptor_counts_to_one_however_many_wait)
{
    enum { COUNT = 1000 };
    gr_cq *cq = gr_cq_new(rt);
    gr_ref to = echo();
    int n = 0;

    for (int i = 0; i < COUNT; i++) {
        gr_future *f = gr_ainvoke(rt, to, gr_int(i), NULL);

        gr_await(f, -1); /* so that it is ready by the time that it is counted */
        cr_assert_eq(gr_cq_watch(cq, f, NULL), GR_OK);
    }
    cr_assert_eq(count_of(cq), 1);
    for (gr_future *f; (f = gr_cq_next(cq, NULL)) != NULL; gr_future_free(f))
        cr_assert_eq(count_of(cq), ++n < COUNT ? 1 : 0, "after %d", n);
    cr_assert_eq(n, COUNT);
    gr_cq_free(cq);
}

Test(cq, without_descriptors_there_is_none)
{
    struct rlimit before, none;
    gr_cq *cq;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0; /* those that are open stay so */
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cq = gr_cq_new(rt);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_null(cq);
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

/* ---- two loops at once ----------------------------------------------------------------------- */

#define CALLS 10000

/* A loop in a thread of its own: so many calls under way at once, each answer asks for the next. */
struct loop {
    gr_cq *cq;
    gr_ref to;
    int window, asked, answered;
    int late;            /* rounds in which the descriptor told of nothing for very long */
    int wrong;           /* answers that are not this loop's, or failed */
    unsigned char *seen; /* how often each call was answered */
    struct loop_call {
        struct loop *loop;
        int index;
    } * calls;
};

static void ask_next(struct loop *l)
{
    struct loop_call *call = &l->calls[l->asked];

    *call = (struct loop_call){ l, l->asked++ };
    l->wrong +=
        gr_cq_watch(l->cq, gr_ainvoke(rt, l->to, gr_int(call->index % 3), NULL), call) != GR_OK;
}

static void take_answers(struct loop *l)
{
    gr_future *f;
    void *tag = NULL;

    while ((f = gr_cq_next(l->cq, &tag)) != NULL) {
        struct loop_call *call = tag;
        gr_outcome o = gr_await(f, 0);

        l->wrong += call->loop != l || o.code != GR_OK || gr_as_int(o.value, -1) != call->index % 3;
        l->seen[call->index]++;
        l->answered++;
        gr_future_free(f);
        if (l->asked < CALLS)
            ask_next(l);
    }
}

static void *run_loop(void *arg)
{
    struct loop *l = arg;
    struct epoll_event e = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(epoll, EPOLL_CTL_ADD, gr_cq_fd(l->cq), &e);
    while (l->asked < l->window)
        ask_next(l);
    while (l->answered < CALLS && l->late == 0) {
        if (epoll_wait(epoll, &e, 1, TEST_WAIT_MS) == 1)
            take_answers(l);
        else
            l->late++;
    }
    close(epoll);
    return NULL;
}

/* The first has one call under way, so each answer is one that it sleeps for, and none of 10,000
 * wake-ups may be lost; the second's queue is filled while it is emptied. */
Test(cq, two_loops_at_once_get_each_answer_of_their_own_once)
{
    struct loop l[2] = { { .window = 1 }, { .window = 256 } };
    pthread_t thread[2];

    for (int i = 0; i < 2; i++) {
        l[i].cq = gr_cq_new(rt);
        l[i].to = i == 0 ? echo() : nap();
        l[i].seen = calloc(CALLS, sizeof(*l[i].seen));
        l[i].calls = calloc(CALLS, sizeof(*l[i].calls));
    }
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, run_loop, &l[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(l[i].late, 0, "loop %d: %d of %d answers came", i, l[i].answered, CALLS);
        cr_assert_eq(l[i].wrong, 0);
        for (int n = 0; n < CALLS; n++)
            cr_assert_eq(l[i].seen[n], 1, "loop %d: call %d came %d times", i, n, l[i].seen[n]);
        cr_assert_null(gr_cq_next(l[i].cq, NULL));
        free(l[i].seen);
        free(l[i].calls);
        gr_cq_free(l[i].cq);
    }
}

/* The calls end on the workers while the queue goes. */
Test(cq, it_may_be_freed_while_answers_come)
{
    gr_ref fast = echo(), slow = nap();

    for (int i = 0; i < 300; i++) {
        gr_cq *cq = gr_cq_new(rt);

        for (int n = 0; n < 20; n++)
            cr_assert_eq(gr_cq_watch(cq,
                                     gr_ainvoke(rt, n % 2 == 0 ? fast : slow, gr_int(n % 3), NULL),
                                     NULL),
                         GR_OK);
        for (int n = 0; n < i % 50; n++)
            gri_cpu_relax();
        gr_cq_free(cq);
    }
}
