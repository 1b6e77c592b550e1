/* SPDX-License-Identifier: Apache-2.0 */
/* then_test.c - continuations: an answer comes back as a message of the actor's own. */
#include "tests/support/engine.h"

struct state {
    int64_t sum;
    int continued;
};

static _Atomic int fn_ran, drop_ran, drop_before_fn;
static gr_ref next;
static struct signal_count finished = SIGNAL_COUNT;

static void count_drop(void *arg)
{
    (void)arg;
    if (atomic_load(&fn_ran) == 0)
        atomic_store(&drop_before_fn, 1);
    atomic_fetch_add(&drop_ran, 1);
}

static void add_up(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    struct state *s = self;

    (void)c, (void)arg;
    s->continued++;
    s->sum += o->code == GR_OK ? gr_as_int(o->value, 0) : 1000;
    atomic_fetch_add(&fn_ran, 1);
}

static void answer(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    add_up(c, self, o, NULL);
    gr_resolve(arg, gr_int(((struct state *)self)->sum));
}

/* deferred answers when its sub-call has answered; other messages come in between. */
static gr_value *deferred(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), next, gr_value_ref(args), NULL), answer, count_drop, p);
    return NULL;
}

static gr_value *sum(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)args;
    return gr_int(((struct state *)self)->sum);
}

static void told(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), next, gr_value_ref(msg), NULL), add_up, count_drop,
            NULL);
}

static void has_stopped(void *self, const gr_value *args)
{
    (void)self, (void)args;
    post(&finished);
}

static gr_value *wrong(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), next, gr_value_ref(args), NULL);

    (void)self;
    if (gr_then(c, NULL, add_up, count_drop, NULL) == GR_OK)
        return gr_str("NULL was accepted");
    return gr_int(gr_then(c, f, add_up, count_drop, NULL));
}

/* after answers first and goes on in a continuation that makes calls of its own. */
static void call_more(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), echo(), gr_int(7), NULL);
    gr_outcome more = gr_await(f, -1);

    add_up(c, self, more.code == GR_OK ? &more : o, arg);
    gr_future_free(f);
}

static gr_value *after(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), next, gr_value_ref(args), GR_CALL(.scope = root)),
            call_more, count_drop, NULL);
    return gr_nil();
}

static _Atomic int late_code;

/* late waits, in a continuation of a call that is over, for longer than the call had. */
static void wait_long(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), nap(), gr_int(600000), NULL);

    (void)self, (void)o, (void)arg;
    atomic_store(&late_code, (int)gr_await(f, -1).code);
    gr_future_free(f);
}

static gr_value *late(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), echo(), gr_value_ref(args), GR_CALL(.scope = root)),
            wait_long, NULL, NULL);
    return gr_nil();
}

static gr_future *queued;

static void leave(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)self, (void)o, (void)arg;
    queued = gr_acall(gr_runtime_of(c), gr_self(c), "sum", gr_nil(), GR_CALL(.scope = root));
    gr_value_unref(gr_exit(c, gr_error(GR_EPROTO, "it spoke in tongues")));
}

static gr_value *leaving(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), next, gr_value_ref(args), GR_CALL(.scope = root)),
            leave, NULL, NULL);
    return gr_nil();
}

static const gr_method methods[] = {
    { "invoke", GR_ASYNC, deferred, NULL }, { "sum", GR_CHEAP, sum, NULL },
    { "wrong", GR_ASYNC, wrong, NULL },     { "after", GR_ASYNC, after, NULL },
    { "late", GR_ASYNC, late, NULL },       { "leaving", GR_ASYNC, leaving, NULL }
};
static const gr_class cls = GR_CLASS(.name = "thenner", .state_size = sizeof(struct state),
                                     GR_METHODS(methods), .receive = told, .stopped = has_stopped);

Test(then, the_answer_comes_back_and_drop_runs_last)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    next = echo();
    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(5), NULL)), 5);
    until(atomic_load(&drop_ran) == 1);
    cr_assert_eq(atomic_load(&drop_before_fn), 0);
    next = boom();
    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(5), NULL)), 1005);
}

Test(then, other_messages_are_handled_meanwhile)
{
    struct desk d = DESK;
    gr_ref a = gr_spawn(root, &cls, NULL);
    gr_future *f;

    next = desk_in(root, &d);
    f = gr_ainvoke(rt, a, gr_nil(), NULL);
    until(atomic_load(&d.came) == 1);
    cr_assert_eq(int_of(gr_acall(rt, a, "sum", gr_nil(), NULL)), 0);
    desk_answer(&d, 0, gr_int(3));
    cr_assert_eq(int_of(f), 3);
}

Test(then, in_receive_too)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    next = echo();
    for (int i = 0; i < 10; i++)
        gr_tell(rt, a, gr_int(1));
    until(atomic_load(&drop_ran) == 10);
    cr_assert_eq(int_of(gr_acall(rt, a, "sum", gr_nil(), NULL)), 10);
}

Test(then, a_scope_that_ends_drops_the_continuations_of_its_actors)
{
    struct desk d = DESK;
    gr_scope *scope = gr_scope_new(root);
    gr_ref a = gr_spawn(scope, &cls, NULL);

    next = desk_in(root, &d);
    gr_tell(rt, a, gr_nil());
    until(atomic_load(&d.came) == 1);
    desk_close(&d);
    gr_scope_free(scope);
    cr_assert_eq(atomic_load(&drop_ran), 1);
    cr_assert(take(&finished));
}

Test(then, what_cannot_be_continued_is_dropped)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    next = echo();
    cr_assert_eq(int_of(gr_acall(rt, a, "wrong", gr_int(1), NULL)), GR_OK);
    until(atomic_load(&drop_ran) == 2);
}

/* The call that asked for the continuation may be over by then; what the continuation starts is
 * the actor's. */
Test(then, a_continuation_may_outlive_its_call)
{
    struct desk d = DESK;
    gr_ref a = gr_spawn(root, &cls, NULL);

    next = desk_in(root, &d);
    cr_assert_eq(code_of(gr_acall(rt, a, "after", gr_nil(), NULL)), GR_OK);
    until(atomic_load(&d.came) == 1);
    desk_answer(&d, 0, gr_int(1));
    until(atomic_load(&drop_ran) == 1);
    cr_assert_eq(int_of(gr_acall(rt, a, "sum", gr_nil(), NULL)), 7);
}

/* Nor does it escape the deadline. */
Test(then, a_continuation_keeps_the_deadline_of_its_call)
{
    gr_ref a = gr_spawn(root, &cls, NULL);

    cr_assert_eq(code_of(gr_acall(rt, a, "late", gr_nil(), GR_CALL(.timeout_ms = 100))), GR_OK);
    until(atomic_load(&late_code) != 0);
    cr_assert_eq(atomic_load(&late_code), GR_ETIMEDOUT);
}

Test(then, an_exit_in_a_continuation_keeps_its_reason)
{
    gr_ref a = gr_spawn(root, &cls, NULL);
    const gr_value *err;

    next = echo();
    cr_assert_eq(code_of(gr_acall(rt, a, "leaving", gr_nil(), NULL)), GR_OK);
    cr_assert(take(&finished));
    err = gr_await(queued, TEST_WAIT_MS).error;
    cr_assert_eq(gr_error_code(err), GR_EBROKEN);
    cr_assert_eq(gr_error_code(gr_get(err, "cause")), GR_EPROTO);
    gr_future_free(queued);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&fn_ran, 0);
    atomic_store(&late_code, 0);
    atomic_store(&drop_ran, 0);
    atomic_store(&drop_before_fn, 0);
    finished.count = 0;
}

TestSuite(then, .init = start_afresh, .fini = engine_down);
