/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - what the engine's tests share: a runtime, waiting without sleeping, a few plain
 * actors.
 *
 * A test file says TestSuite(noun, .init = engine_up, .fini = engine_down) and has `rt` and `root`.
 * engine_down checks that nothing the library allocated is left. All is in a header, since the
 * runner of the plain mode is one too.
 */
#ifndef GR_TESTS_SUPPORT_ENGINE_H
#define GR_TESTS_SUPPORT_ENGINE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <greenroom/actor.h>
#include <greenroom/codec.h>
#include <greenroom/cq.h>
#include <greenroom/runtime.h>

#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_runtime *rt;
static gr_scope *root;
static long engine_blocks;

static inline void engine_start(unsigned workers)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = workers), &rt), GR_OK);
    root = gr_root(rt);
}

static inline void engine_up(void)
{
    engine_start(2);
}

static inline void engine_down(void)
{
    gr_runtime_free(rt);
    rt = NULL;
    root = NULL;
    cr_assert_eq(test_memory_live(), engine_blocks, "%ld blocks are left",
                 test_memory_live() - engine_blocks);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static inline uint64_t test_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* until waits for a condition that must come true; the bound is no measure, only an end. */
#define until(cond)                                                                                \
    do {                                                                                           \
        uint64_t until_ = test_now_ns() + TEST_WAIT_MS * UINT64_C(1000000);                        \
        while (!(cond)) {                                                                          \
            cr_assert_lt(test_now_ns(), until_, "this never came true: %s", #cond);                \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)

/* A semaphore for handlers that hold a thread and for callbacks: post counts up, wait takes one. */
struct signal_count {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
};
#define SIGNAL_COUNT                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static inline void post(struct signal_count *s)
{
    pthread_mutex_lock(&s->lock);
    s->count++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* take waits for a post; false when none comes in TEST_WAIT_MS. */
static inline bool take(struct signal_count *s)
{
    struct timespec end;
    int rc = 0;
    bool got;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += TEST_WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    while (s->count == 0 && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &end);
    got = s->count > 0;
    s->count -= got;
    pthread_mutex_unlock(&s->lock);
    return got;
}

/* ---- expecting ------------------------------------------------------------------------------- */

/* code_of waits for f and frees it; GR_OK or why it failed. */
static inline gr_code code_of(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_neq(o.code, GR_EPENDING, "no answer came");
    gr_future_free(f);
    return o.code;
}

static inline int64_t int_of(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);
    int64_t i;

    cr_assert_eq(o.code, GR_OK, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    i = gr_as_int(o.value, INT64_MIN);
    gr_future_free(f);
    return i;
}

/* json_is compares v, which it takes, with JSON. */
static inline void json_is(gr_value *v, const char *expected)
{
    size_t len = 0;
    char *text;

    cr_assert_eq(gr_error_code(v), GR_OK, "%s: %s", expected, gr_error_text(v));
    text = gr_json_print(v, 0, &len);
    cr_assert_not_null(text);
    cr_assert_str_eq(text, expected, "%s instead of %s", text, expected);
    gr_free(text);
    gr_value_unref(v);
}

static inline gr_value *json_of(const char *text)
{
    gr_value *v = gr_json_parse(text, strlen(text), NULL);

    cr_assert_eq(gr_error_code(v), GR_OK);
    return v;
}

/* ---- actors ---------------------------------------------------------------------------------- */

static inline gr_value *echo_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

/* echo gives back what it is given; stateless and cheap. */
static inline gr_ref echo(void)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, echo_invoke, NULL } };
    static const gr_class cls = GR_CLASS(.name = "echo", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

static inline gr_value *nap_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (gr_sleep(gr_runtime_of(c), gr_as_int(args, 0)) != GR_OK)
        return gr_error(GR_ECANCELED, "woken up");
    return gr_value_ref(args);
}

/* nap sleeps for so many milliseconds, parked. */
static inline gr_ref nap(void)
{
    static const gr_method methods[] = { { "invoke", GR_ASYNC, nap_invoke, NULL } };
    static const gr_class cls = GR_CLASS(.name = "nap", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

static inline gr_value *boom_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_error(GR_EREMOTE, "boom %lld", (long long)gr_as_int(args, -1));
}

/* boom fails with GR_EREMOTE. */
static inline gr_ref boom(void)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, boom_invoke, NULL } };
    static const gr_class cls = GR_CLASS(.name = "boom", GR_METHODS(methods));

    return gr_spawn(root, &cls, NULL);
}

/* ---- a desk: an actor whose calls stay open until the test answers them ---------------------- */

#define DESK_MAX 64

struct desk {
    pthread_mutex_t lock;
    gr_promise *open[DESK_MAX]; /* NULL: answered */
    _Atomic int came, cancelled;
};
#define DESK                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

static inline void desk_cancel(void *arg)
{
    struct desk *d = arg;

    atomic_fetch_add(&d->cancelled, 1);
}

static inline gr_value *desk_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    struct desk *d = gr_as_opaque(gr_args(c));
    gr_promise *p = gr_defer(c);

    (void)self, (void)args;
    gr_on_cancel(p, desk_cancel, NULL, d);
    pthread_mutex_lock(&d->lock);
    d->open[atomic_load(&d->came)] = p;
    atomic_fetch_add(&d->came, 1); /* under the lock: two handlers may run at once */
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static const gr_method desk_methods[] = { { "invoke", GR_ASYNC, desk_invoke, NULL },
                                          { "stream", GR_ASYNC, desk_invoke, NULL } };
static const gr_class desk_class = GR_CLASS(.name = "desk", GR_METHODS(desk_methods));

static inline gr_ref desk_in(gr_scope *scope, struct desk *d)
{
    return gr_spawn(scope, &desk_class, GR_SPAWN(.args = gr_opaque(d, NULL)));
}

static inline gr_promise *desk_take(struct desk *d, int index)
{
    gr_promise *p;

    pthread_mutex_lock(&d->lock);
    p = d->open[index];
    d->open[index] = NULL;
    pthread_mutex_unlock(&d->lock);
    return p;
}

static inline void desk_answer(struct desk *d, int index, gr_value *v)
{
    gr_resolve(desk_take(d, index), v);
}

/* desk_close ends what is still open, so that the runtime can go. */
static inline void desk_close(struct desk *d)
{
    for (int i = 0; i < DESK_MAX; i++)
        gr_promise_free(desk_take(d, i));
}

#endif
