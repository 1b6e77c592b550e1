/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h - children for supervisors, which write down what becomes of them.
 *
 * A hand is a child as the test sees it, through all its incarnations: what it is to do, and what
 * it has done. crew_log has one word for each event, "+a" for a start, "-a" for an end that it saw
 * coming, "!a" for a start that failed. All is in a header, since the runner of the plain mode is
 * one too.
 */
#ifndef GR_TESTS_SUPPORT_CREW_H
#define GR_TESTS_SUPPORT_CREW_H

#include <stdio.h>
#include <stdlib.h>

#include <greenroom/supervisor.h>

#include "tests/support/engine.h"

#define CREW_LOG_MAX (1 << 20)

static struct {
    pthread_mutex_t lock;
    size_t len;
    char text[CREW_LOG_MAX];
} crew = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline void crew_says(char what, const char *id)
{
    pthread_mutex_lock(&crew.lock);
    if (crew.len + 64 < CREW_LOG_MAX)
        crew.len +=
            (size_t)snprintf(crew.text + crew.len, 64, "%s%c%s", crew.len > 0 ? " " : "", what, id);
    pthread_mutex_unlock(&crew.lock);
}

static inline void crew_clear(void)
{
    pthread_mutex_lock(&crew.lock);
    crew.len = 0;
    crew.text[0] = '\0';
    pthread_mutex_unlock(&crew.lock);
}

static inline bool crew_said(const char *expected)
{
    bool same;

    pthread_mutex_lock(&crew.lock);
    same = strcmp(crew.text, expected) == 0;
    pthread_mutex_unlock(&crew.lock);
    return same;
}

/* crew_is waits until the log is as expected. */
#define crew_is(expected)                                                                          \
    do {                                                                                           \
        uint64_t crew_until_ = test_now_ns() + TEST_WAIT_MS * UINT64_C(1000000);                   \
        while (!crew_said(expected) && test_now_ns() < crew_until_)                                \
            sched_yield();                                                                         \
        cr_assert(crew_said(expected), "'%.2000s' instead of '%.2000s'", crew.text, expected);     \
    } while (0)

struct hand {
    const char *id;
    int fail_from, fail_to;    /* these starts fail; 1 is the first */
    struct signal_count *gate; /* its init waits for it, polling; NULL: it does not wait */
    _Atomic bool hang;         /* a handler that is under way does not return while this is set */
    _Atomic bool silent;       /* it is not written down */
    _Atomic int starts, ends, hung;
    _Atomic uint64_t node, ref; /* of the last incarnation */
};

struct hand_state {
    struct hand *hand;
    int64_t count;
    bool crashed;
};

static inline gr_code hand_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct hand_state *s = self;
    struct hand *h = gr_as_opaque(gr_value_type(args) == GR_MAP ? gr_get(args, "hand") : args);
    int n = atomic_fetch_add(&h->starts, 1) + 1;

    s->hand = h;
    while (h->gate != NULL) {
        bool open;

        pthread_mutex_lock(&h->gate->lock);
        open = h->gate->count > 0;
        pthread_mutex_unlock(&h->gate->lock);
        if (open)
            break;
        if (gr_sleep(gr_runtime_of(c), 1) != GR_OK)
            return GR_EINTR;
    }
    if (n >= h->fail_from && n <= h->fail_to) {
        if (!h->silent)
            crew_says('!', h->id);
        return gr_fail(c, gr_error(GR_EREMOTE, "no luck"));
    }
    atomic_store(&h->node, gr_self(c).node);
    atomic_store(&h->ref, gr_self(c).id);
    if (!h->silent)
        crew_says('+', h->id);
    return GR_OK;
}

/* What it is told is its exit reason. */
static inline void hand_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct hand_state *s = self;

    s->crashed = true;
    gr_value_unref(gr_exit(c, gr_value_ref(msg)));
}

static inline void hand_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct hand_state *s = self;

    (void)c, (void)reason;
    atomic_fetch_add(&s->hand->ends, 1);
    if (!s->crashed && !s->hand->silent)
        crew_says('-', s->hand->id);
}

static inline gr_value *hand_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    struct hand_state *s = self;

    (void)c, (void)args;
    return gr_int(++s->count);
}

/* It hangs, whatever it is told; on a thread of its own, so that it holds up nobody else. */
static inline gr_value *hand_hang(gr_ctx *c, void *self, const gr_value *args)
{
    const struct timespec ms = { .tv_nsec = 1000000 };
    struct hand_state *s = self;

    (void)c, (void)args;
    atomic_fetch_add(&s->hand->hung, 1);
    while (s->hand->hang)
        nanosleep(&ms, NULL);
    atomic_fetch_sub(&s->hand->hung, 1);
    return gr_nil();
}

/* It waits, parked, until it is interrupted. */
static inline gr_value *hand_nap(gr_ctx *c, void *self, const gr_value *args)
{
    struct hand_state *s = self;

    (void)args;
    atomic_fetch_add(&s->hand->hung, 1);
    gr_sleep(gr_runtime_of(c), 600000);
    atomic_fetch_sub(&s->hand->hung, 1);
    return gr_nil();
}

static const gr_method hand_methods[] = { { "nap", GR_ASYNC, hand_nap, NULL },
                                          { "invoke", GR_ASYNC, hand_invoke, NULL },
                                          { "hang", GR_BLOCKING, hand_hang, NULL } };
static const gr_class hand_class =
    GR_CLASS(.name = "hand", .state_size = sizeof(struct hand_state), .init = hand_init,
             .receive = hand_receive, .terminate = hand_terminate, GR_METHODS(hand_methods));

/* ---- making and moving them ------------------------------------------------------------------ */

#define HAND_SPEC(h, ...)                                                                          \
    {                                                                                              \
        .size = sizeof(gr_child_spec), .id = (h)->id, .cls = &hand_class,                          \
        .args = gr_opaque((h), NULL), __VA_ARGS__                                                  \
    }

/* HAND is a hand's spec with all defaults. */
#define HAND(h) HAND_SPEC(h, .arg = NULL)

static inline gr_ref hand_ref(struct hand *h)
{
    return (gr_ref){ .node = atomic_load(&h->node), .id = atomic_load(&h->ref) };
}

/* up waits until a supervisor has started. */
static inline void up(gr_ref sup)
{
    cr_assert_eq(code_of(gr_started(rt, sup)), GR_OK);
}

/* crash has the present incarnation end with a reason, and waits for its end. */
static inline void crash(struct hand *h, const char *reason)
{
    gr_ref ref = hand_ref(h);
    gr_future *ended = gr_ended(rt, ref);

    cr_assert_eq(gr_tell(rt, ref, gr_str(reason)), GR_OK);
    cr_assert_neq(gr_await(ended, TEST_WAIT_MS).code, GR_EPENDING);
    gr_future_free(ended);
}

/* over waits for a supervisor's end, and compares its reason, a word. */
static inline void over(gr_future *ended, const char *reason)
{
    gr_outcome o = gr_await(ended, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_OK, "%s: %s", gr_code_name(o.code), gr_error_text(o.error));
    cr_assert(gr_reason_is(o.value, reason), "%s", gr_cstr(o.value, "?"));
    gr_future_free(ended);
}

/* state_of tells what a supervisor says of a child; "" if it is not listed. */
static inline const char *state_of(gr_ref sup, const char *id)
{
    static const char *const states[] = { "running", "restarting", "stopped", "abandoned" };
    gr_value *list = gr_which_children(rt, sup, NULL);
    const char *found = "";

    for (size_t i = 0; i < gr_len(list); i++)
        for (size_t j = 0; j < 4; j++)
            if (strcmp(gr_cstr(gr_get(gr_at(list, i), "id"), ""), id) == 0 &&
                strcmp(gr_cstr(gr_get(gr_at(list, i), "state"), ""), states[j]) == 0)
                found = states[j];
    gr_value_unref(list);
    return found;
}

static inline int64_t count_of(gr_ref sup, const char *what)
{
    gr_value *v = gr_count_children(rt, sup, NULL);
    int64_t n = gr_as_int(gr_get(v, what), -1);

    gr_value_unref(v);
    return n;
}

#endif
