/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - a lambda whose calls a test answers one by one, in the order that it chooses. */
#ifndef GR_TESTS_SUPPORT_STAGE_H
#define GR_TESTS_SUPPORT_STAGE_H

#include "tests/support/runnables.h"

/* A lambda that holds each call until the test lets it go: the input names it. */
struct stage {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    gr_promise *held[64]; /* by input; NULL: not there, or let go */
    int entered, inside, peak, cancelled;
    int ended_well, ended_badly; /* runs, see stage_hears */
};
#define STAGE                                                                                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static inline void stage_cancelled(void *arg)
{
    struct stage *s = arg;

    pthread_mutex_lock(&s->lock);
    s->cancelled++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline gr_value *stage_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct stage *s = arg;
    gr_promise *p = gr_defer(c);

    gr_on_cancel(p, stage_cancelled, NULL, s);
    pthread_mutex_lock(&s->lock);
    s->held[gr_as_int(input, 0)] = p;
    s->entered++;
    s->inside++;
    s->peak = s->inside > s->peak ? s->inside : s->peak;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static inline gr_ref stage(struct stage *s)
{
    return gr_lambda(root, GR_ASYNC, stage_fn, NULL, s);
}

static inline void until(struct stage *s, const int *count, int n)
{
    struct timespec deadline;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TEST_WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    while (*count < n && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
    pthread_mutex_unlock(&s->lock);
    cr_assert_eq(rc, 0, "%d instead of %d", *count, n);
}

/* let_go answers the call with input i, once it is there. */
static inline void let_go(struct stage *s, int i, gr_value *v)
{
    struct timespec deadline;
    gr_promise *p;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TEST_WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    while (s->held[i] == NULL && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
    p = s->held[i];
    s->held[i] = NULL;
    s->inside--;
    pthread_mutex_unlock(&s->lock);
    cr_assert_eq(rc, 0, "%d never came", i);
    gr_resolve(p, v);
}

/* stage_hears counts the runs of a call that end; its handler's function. */
static inline void stage_hears(void *arg, const gr_event *e)
{
    struct stage *s = arg;

    pthread_mutex_lock(&s->lock);
    s->ended_well += e->kind == GR_RUN_END;
    s->ended_badly += e->kind == GR_RUN_ERROR;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline gr_value *numbers(int count)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (int i = 0; i < count; i++)
        list = gr_append(list, gr_int(i));
    return list;
}

#endif
